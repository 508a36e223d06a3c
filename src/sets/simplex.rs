//! {x ≥ 0, Σx = r}.

use super::level::{arg_min, budget_len, budget_residual, min_or_nan, positive_part, project_budget_in};
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_not_empty, check_positive};
use crate::linalg::max_or_nan;
use crate::{Result, Scalar};

/// The simplex {x ∈ Rⁿ : x ≥ 0, Σxᵢ = r}.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \bigl|\min(c_j x_j, (g_j + t) / c_j)\bigr|, \quad t: \sum_j \max\bigl(0, x_j - (g_j + t) / c_j^2\bigr) = r \\
/// \text{multipliers} &\quad \mu_j = g_j - \lambda, \quad \lambda = \langle g, x\rangle / \textstyle\sum x \quad (\mu \ge 0 \text{ and } \mu_j x_j = 0 \text{ at a solution}) \\
/// \text{gap} &\quad \sum_j x_j (g_j - \min g)
/// \end{aligned}
/// ```
///
/// The level t is found by sorting, exactly (Held, Wolfe & Crowder, Math. Program. 1974). A scale of 0 counts as the
/// largest scale: the budget couples all coordinates, so none can be left out.
///
/// ```
/// use reparam::sets::{ConstraintSet, Simplex};
/// let set = Simplex::new(3, 1.0).unwrap();
/// let mut x = [0.9, 0.5, -1.0];
/// set.project(&mut x);
/// assert!((x[0] - 0.7_f64).abs() < 1e-15 && (x[1] - 0.3).abs() < 1e-15 && x[2] == 0.0);
/// assert_eq!(set.frank_wolfe_gap(&[1.0, 0.0, 0.0], &[2.0, 1.0, 5.0]), Some(1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simplex<T> {
    dim: usize,
    radius: T,
}

impl<T: Scalar> Simplex<T> {
    /// {x ∈ Rⁿ : x ≥ 0, Σx = radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// assert!(reparam::sets::Simplex::new(3, 0.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        check_not_empty("the simplex", dim)?;
        check_positive("radius", radius)?;
        Ok(Self { dim, radius })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::sets::Simplex::new(3, 2.0).unwrap().radius(), 2.0);
    /// ```
    pub fn radius(&self) -> T {
        self.radius
    }
}

/// max(−xⱼ, 0) over all j; NaN kept.
pub(super) fn negativity<T: Scalar>(x: &[T]) -> T {
    max_or_nan(x.iter().map(|v| positive_part(-*v)))
}

impl<T: Scalar> ConstraintSet<T> for Simplex<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        let sum: T = x.iter().copied().sum();
        max_or_nan([negativity(x), (sum - self.radius).abs()])
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        budget_residual(x, g, scale, None, self.radius, false)
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        // shifted by the smallest entry, so that μ is exact where it is small
        let low = min_or_nan(T::infinity(), g);
        let total: T = x.iter().copied().sum();
        let mean = x.iter().zip(g).map(|(x, g)| *x * (*g - low)).sum::<T>() / total;
        for (o, g) in out.iter_mut().zip(g) {
            *o = (*g - low) - mean;
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        budget_len(self.dim)
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        project_budget_in(x, None, self.radius, work);
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let Some(j) = arg_min(g) else {
            return false;
        };
        s.fill(T::zero());
        s[j] = self.radius;
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let low = min_or_nan(T::infinity(), g);
        Some(positive_part(x.iter().zip(g).map(|(x, g)| *x * (*g - low)).sum()))
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Bounds {
            lower: vec![T::zero(); self.dim],
            upper: vec![T::infinity(); self.dim],
            sum: Some(self.radius),
        })
    }
}
