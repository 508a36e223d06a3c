//! {0 ≤ x ≤ upper, Σx = r}.

use super::level::{Budget, all_finite, budget_len, budget_residual, positive_part, project_budget_in};
use super::simplex::negativity;
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_finite, check_not_empty, check_positive};
use crate::linalg::max_or_nan;
use crate::{Error, Result, Scalar};

/// The simplex with upper bounds {x ∈ Rⁿ : 0 ≤ x ≤ upper, Σxᵢ = r}: portfolios with position limits.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \bigl|\max\bigl(\min(c_j x_j, (g_j + t) / c_j),\ c_j (x_j - \mathit{upper}_j)\bigr)\bigr|, \quad t \text{ by sorting, exactly} \\
/// \text{multipliers} &\quad \mu_j = g_j + t \quad (\ge 0 \text{ at } x_j = 0, \ \le 0 \text{ at } x_j = \mathit{upper}_j, \ 0 \text{ between}) \\
/// \text{gap} &\quad \sum_j (x_j - s_j)(g_j + t), \quad s \text{ the greedy minimiser}
/// \end{aligned}
/// ```
///
/// No map of this crate parametrizes it; the set serves for certificates and projections. A scale of 0 counts as the
/// largest scale, as for the [`Simplex`](super::Simplex).
///
/// ```
/// use reparam::sets::{BoundedSimplex, ConstraintSet};
/// let set = BoundedSimplex::new(vec![0.5, 0.5, 0.5], 1.0).unwrap();
/// let mut s = [0.0; 3];
/// set.minimise_linear(&[3.0, 1.0, 2.0], &mut s);
/// assert_eq!(s, [0.0, 0.5, 0.5]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BoundedSimplex<T> {
    upper: Vec<T>,
    radius: T,
}

impl<T: Scalar> BoundedSimplex<T> {
    /// {x : 0 ≤ x ≤ upper, Σx = radius}.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`], [`Error::Setting`] unless the radius is positive, finite and at most the
    /// sum of the bounds, [`Error::CrossedBounds`] for a negative upper bound.
    ///
    /// ```
    /// use reparam::sets::BoundedSimplex;
    /// assert!(BoundedSimplex::new(vec![0.3, 0.3], 1.0).is_err()); // empty
    /// ```
    pub fn new(upper: Vec<T>, radius: T) -> Result<Self> {
        check_not_empty("the upper bounds", upper.len())?;
        check_finite("upper bounds", &upper)?;
        check_positive("radius", radius)?;
        if let Some(index) = upper.iter().position(|u| *u < T::zero()) {
            return Err(Error::CrossedBounds {
                index,
                lower: 0.0,
                upper: upper[index].as_f64(),
            });
        }
        if upper.iter().copied().sum::<T>() < radius {
            return Err(Error::Setting {
                name: "radius",
                why: "must not exceed the sum of the upper bounds",
            });
        }
        Ok(Self { upper, radius })
    }

    /// The upper bounds.
    ///
    /// ```
    /// assert_eq!(reparam::sets::BoundedSimplex::new(vec![1.0], 0.5).unwrap().upper(), &[1.0]);
    /// ```
    pub fn upper(&self) -> &[T] {
        &self.upper
    }

    fn fill_greedily(&self, g: &[T], s: &mut [T]) -> Option<T> {
        if g.iter().any(|v| v.is_nan()) {
            return None;
        }
        let mut order: Vec<usize> = (0..g.len()).collect();
        order.sort_by(|a, b| g[*a].partial_cmp(&g[*b]).unwrap_or(std::cmp::Ordering::Equal));
        let (mut left, mut marginal) = (self.radius, T::zero());
        for j in order {
            s[j] = self.upper[j].min(left);
            if s[j] > T::zero() {
                marginal = g[j];
            }
            left -= s[j];
        }
        Some(marginal)
    }
}

impl<T: Scalar> ConstraintSet<T> for BoundedSimplex<T> {
    fn dim(&self) -> usize {
        self.upper.len()
    }
    fn violation(&self, x: &[T]) -> T {
        let sum: T = x.iter().copied().sum();
        let above = max_or_nan(x.iter().zip(&self.upper).map(|(v, u)| positive_part(*v - *u)));
        max_or_nan([negativity(x), above, (sum - self.radius).abs()])
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        budget_residual(x, g, scale, Some(&self.upper), self.radius, false)
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        if !all_finite(x) || !all_finite(g) {
            out.fill(T::nan());
            return;
        }
        out.fill(T::one());
        let t = Budget {
            x,
            g,
            c: out,
            upper: Some(&self.upper),
            radius: self.radius,
        }
        .level();
        for (o, g) in out.iter_mut().zip(g) {
            *o = *g + t;
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        budget_len(self.upper.len())
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        project_budget_in(x, Some(&self.upper), self.radius, work);
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        self.fill_greedily(g, s).is_some()
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let mut s = vec![T::zero(); g.len()];
        let Some(marginal) = self.fill_greedily(g, &mut s) else {
            return Some(T::nan());
        };
        // Σ(x − s) = 0, so any constant may be taken from g; with the marginal cost every term is ≥ 0
        Some(positive_part(
            (0..g.len()).map(|j| (x[j] - s[j]) * (g[j] - marginal)).sum(),
        ))
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Bounds {
            lower: vec![T::zero(); self.upper.len()],
            upper: self.upper.clone(),
            sum: Some(self.radius),
        })
    }
}
