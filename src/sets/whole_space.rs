//! Rⁿ.

use super::{ConstraintSet, Polyhedron};
use crate::Scalar;
use crate::linalg::max_or_nan;

/// No constraint: Rⁿ.
///
/// ```math
/// \text{natural residual} \quad \max_j |g_j| / c_j
/// ```
///
/// ```
/// use reparam::sets::{ConstraintSet, WholeSpace};
/// assert_eq!(WholeSpace::new(1).natural_residual(&[5.0], &[-2.0], None), 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WholeSpace {
    dim: usize,
}

impl WholeSpace {
    /// Rⁿ.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, WholeSpace};
    /// assert_eq!(ConstraintSet::<f64>::dim(&WholeSpace::new(4)), 4);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self { dim }
    }
}

impl<T: Scalar> ConstraintSet<T> for WholeSpace {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        x.iter().find(|v| v.is_nan()).copied().unwrap_or_else(T::zero)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        max_or_nan((0..self.dim).map(|j| {
            let c = scale.map_or(T::one(), |s| s[j]);
            if x[j].is_nan() {
                return x[j];
            }
            if c == T::zero() {
                T::zero()
            } else {
                (g[j] / c).abs()
            }
        }))
    }
    fn multipliers(&self, _x: &[T], _g: &[T], out: &mut [T]) {
        out.fill(T::zero());
    }
    fn is_separable(&self) -> bool {
        true
    }
    fn project(&self, _x: &mut [T]) -> bool {
        true
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Bounds {
            lower: vec![T::neg_infinity(); self.dim],
            upper: vec![T::infinity(); self.dim],
            sum: None,
        })
    }
}
