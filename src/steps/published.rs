//! Barzilai–Borwein lengths as the paper's code computes them.

use super::barzilai_borwein::Kind;
use super::{Situation, StepRule};
use crate::checks::check_positive;
use crate::flows::Space;
use crate::lifted::Lifted;
use crate::linalg::dot;
use crate::{Error, Result, Scalar};

/// The lengths of the paper's code, for reproduction: use [`BarzilaiBorwein`](super::BarzilaiBorwein) otherwise.
///
/// ```text
/// long ‖Δ‖²/⟨Δ, ∇²f Δ⟩ (= ‖Δ‖²/‖AΔ‖²)      short ⟨Δ, ∇²f Δ⟩/‖Δ∇f‖²      clipped to [10⁻⁶, 10⁶]
/// ```
///
/// Δ is the last move of the position, of u in the form in u and of x in the form in x; Δ∇f always that of x, so that the short length
/// in u pairs differences of two spaces. The first 12 steps (in u) or 3 (in x) are constant. No safeguard: a run may leave the domain or
/// diverge, and ends with a status then.
///
/// Source: the code to Chou et al., AISTATS 2025.
///
/// ```
/// use reparam::{flows::Space, steps::{Kind, PublishedBarzilaiBorwein, StepRule}};
/// let rule = PublishedBarzilaiBorwein::new(Kind::Long, Space::U, 0.1).unwrap();
/// assert!(StepRule::<f64>::needs_gradient_flow(&rule));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PublishedBarzilaiBorwein<T> {
    long: bool,
    constant: usize,
    first: T,
    y: Vec<T>,
    g: Vec<T>,
    delta: Vec<T>,
    product: Vec<T>,
}

impl<T: Scalar> PublishedBarzilaiBorwein<T> {
    /// For a flow in this space, with this constant length at first. p = n.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is positive and finite, and for the kind that the code does not have.
    ///
    /// ```
    /// use reparam::{flows::Space, steps::{Kind, PublishedBarzilaiBorwein}};
    /// assert!(PublishedBarzilaiBorwein::new(Kind::Alternating, Space::X, 0.1).is_err());
    /// ```
    pub fn new(kind: Kind, space: Space, first: T) -> Result<Self> {
        check_positive("step", first)?;
        if kind == Kind::Alternating {
            return Err(Error::Setting {
                name: "kind",
                why: "must be long or short in the published rule",
            });
        }
        Ok(Self {
            long: kind == Kind::Long,
            constant: if space == Space::U { 12 } else { 3 },
            first,
            y: Vec::new(),
            g: Vec::new(),
            delta: Vec::new(),
            product: Vec::new(),
        })
    }
}

impl<T: Scalar> StepRule<T> for PublishedBarzilaiBorwein<T> {
    fn name(&self) -> &'static str {
        "Euler, Barzilai–Borwein steps as published"
    }
    fn length(&mut self, lifted: &mut Lifted<'_, T>, now: &Situation<'_, T>) -> Result<T> {
        let mut s = self.first;
        if now.k >= self.constant && !self.y.is_empty() {
            self.delta.clear();
            self.delta.extend(now.y.iter().zip(&self.y).map(|(a, b)| *a - *b));
            self.product.resize(now.point.x.len(), T::zero());
            let offered = lifted
                .objective()
                .hessian_vector(&now.point.x, &self.delta, &mut self.product)
                .map_err(Error::Evaluation)?;
            if !offered {
                return Err(Error::Setting {
                    name: "step rule",
                    why: "needs Hessian products of f",
                });
            }
            lifted.counts.hessian_products += 1;
            let curvature = dot(&self.delta, &self.product);
            s = if self.long {
                dot(&self.delta, &self.delta) / curvature
            } else {
                let change: T = now
                    .point
                    .g
                    .iter()
                    .zip(&self.g)
                    .map(|(a, b)| (*a - *b) * (*a - *b))
                    .sum();
                curvature / change
            };
            if s.is_nan() {
                s = self.first; // no move at all
            }
            s = s.max(T::lit(1e-6)).min(T::lit(1e6));
        }
        self.y.clear();
        self.y.extend_from_slice(now.y);
        self.g.clear();
        self.g.extend_from_slice(&now.point.g);
        Ok(s)
    }
    fn needs_gradient_flow(&self) -> bool {
        true
    }
    fn reset(&mut self) {
        self.y.clear();
    }
}
