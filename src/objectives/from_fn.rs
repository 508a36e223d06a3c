//! Objectives from closures.

use super::{Evaluation, Objective};
use crate::Scalar;

/// f from one closure that returns f(x) and writes ∇f(x).
///
/// ```
/// use reparam::objectives::{FromFn, Objective};
/// let mut f = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
///     g.copy_from_slice(x);
///     Ok(0.5 * (x[0] * x[0] + x[1] * x[1]))
/// });
/// let mut g = [0.0; 2];
/// assert_eq!(f.value_gradient(&[3.0, 4.0], &mut g).unwrap(), 12.5);
/// assert!(reparam::testing::check_objective(&mut f, &[0.3, -1.0], 1).passed());
/// ```
#[derive(Clone)]
pub struct FromFn<T, F> {
    dim: usize,
    value_gradient: F,
    scratch: Vec<T>,
}

impl<T, F> std::fmt::Debug for FromFn<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromFn")
            .field("dim", &self.dim)
            .finish_non_exhaustive()
    }
}

impl<T, F> FromFn<T, F>
where
    T: Scalar,
    F: FnMut(&[T], &mut [T]) -> Evaluation<T>,
{
    /// A function of n variables.
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Objective};
    /// assert_eq!(FromFn::new(3, |_: &[f64], _: &mut [f64]| Ok(0.0)).dim(), 3);
    /// ```
    pub fn new(dim: usize, value_gradient: F) -> Self {
        Self {
            dim,
            value_gradient,
            scratch: vec![T::zero(); dim],
        }
    }
}

impl<T, F> Objective<T> for FromFn<T, F>
where
    T: Scalar,
    F: FnMut(&[T], &mut [T]) -> Evaluation<T>,
{
    fn dim(&self) -> usize {
        self.dim
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        (self.value_gradient)(x, &mut self.scratch)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        (self.value_gradient)(x, g)
    }
}
