//! {x ≥ 0, Σx ≤ r}.

use super::level::{
    Budget, all_finite, arg_min, budget_len, budget_residual, min_or_nan, positive_part, project_budget_in,
};
use super::simplex::negativity;
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_not_empty, check_positive};
use crate::linalg::max_or_nan;
use crate::{Result, Scalar};

/// The solid simplex {x ∈ Rⁿ : x ≥ 0, Σxᵢ ≤ r}.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \bigl|\min(c_j x_j, (g_j + t) / c_j)\bigr|, \quad t \ge 0 \text{ the multiplier of } \textstyle\sum x \le r \text{ in the projection} \\
/// \text{multipliers} &\quad \mu_j = g_j + t \quad \text{of } x \ge 0, \ t \text{ from the projection of } x - g \\
/// \text{gap} &\quad \sum_j x_j (g_j - m) - m \Bigl(r - \sum_j x_j\Bigr), \quad m = \min(0, \min g)
/// \end{aligned}
/// ```
///
/// A scale of 0 counts as the largest scale, as for the [`Simplex`](super::Simplex).
///
/// ```
/// use reparam::sets::{CappedSimplexSet, ConstraintSet};
/// let set = CappedSimplexSet::new(2, 1.0).unwrap();
/// assert_eq!(set.violation(&[0.25, 0.25]), 0.0);
/// assert_eq!(set.natural_residual(&[0.5, 0.5], &[-3.0, -3.0], None), 0.0); // held by the budget
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CappedSimplexSet<T> {
    dim: usize,
    radius: T,
}

impl<T: Scalar> CappedSimplexSet<T> {
    /// {x ∈ Rⁿ : x ≥ 0, Σx ≤ radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// assert!(reparam::sets::CappedSimplexSet::new(2, -1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        check_not_empty("the simplex", dim)?;
        check_positive("radius", radius)?;
        Ok(Self { dim, radius })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::sets::CappedSimplexSet::new(3, 2.0).unwrap().radius(), 2.0);
    /// ```
    pub fn radius(&self) -> T {
        self.radius
    }
}

impl<T: Scalar> ConstraintSet<T> for CappedSimplexSet<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        let sum: T = x.iter().copied().sum();
        max_or_nan([negativity(x), positive_part(sum - self.radius)])
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        budget_residual(x, g, scale, None, self.radius, true)
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        if !all_finite(x) || !all_finite(g) {
            out.fill(T::nan());
            return;
        }
        out.fill(T::one());
        let budget = Budget {
            x,
            g,
            c: out,
            upper: None,
            radius: self.radius,
        };
        let t = if budget.sum(T::zero()) <= self.radius {
            T::zero()
        } else {
            budget.level()
        };
        for (o, g) in out.iter_mut().zip(g) {
            *o = *g + t;
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        budget_len(self.dim)
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let sum: T = x.iter().map(|v| positive_part(*v)).sum();
        if sum <= self.radius {
            for v in x.iter_mut() {
                *v = positive_part(*v);
            }
        } else {
            project_budget_in(x, None, self.radius, work);
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let Some(j) = arg_min(g) else {
            return false;
        };
        s.fill(T::zero());
        if g[j] < T::zero() {
            s[j] = self.radius;
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let low = min_or_nan(T::zero(), g);
        let sum: T = x.iter().copied().sum();
        let inner: T = x.iter().zip(g).map(|(x, g)| *x * (*g - low)).sum();
        Some(positive_part(inner - low * positive_part(self.radius - sum)))
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::CappedSimplex {
            dim: self.dim,
            radius: self.radius,
        })
    }
}
