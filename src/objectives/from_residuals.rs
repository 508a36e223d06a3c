//! Residuals from closures.

use super::{Evaluation, ResidualFunction};
use crate::Scalar;

/// m residuals of n parameters from a closure, with a second one for the Jacobian where there is one.
///
/// ```
/// use reparam::objectives::{Differences, FromResiduals, NonlinearLeastSquares, Objective};
/// // y = exp(−k t) at t = 1, 2
/// let decay = FromResiduals::new(2, 1, |k: &[f64], r: &mut [f64]| {
///     r[0] = (-k[0]).exp() - 0.5;
///     r[1] = (-2.0 * k[0]).exp() - 0.25;
///     Ok(())
/// });
/// let mut f = NonlinearLeastSquares::new(decay).unwrap().with_differences(Differences::central());
/// let mut g = [0.0];
/// let value = f.value_gradient(&[2.0_f64.ln()], &mut g).unwrap();
/// assert!(value < 1e-30 && g[0].abs() < 1e-15);
/// ```
#[derive(Clone)]
pub struct FromResiduals<F, J = NoJacobian> {
    m: usize,
    n: usize,
    residuals: F,
    jacobian: J,
}

impl<F, J> std::fmt::Debug for FromResiduals<F, J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromResiduals")
            .field("m", &self.m)
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

/// The source of the Jacobian of a [`FromResiduals`]: a closure `(x, j)`, or [`NoJacobian`].
///
/// ```
/// use reparam::objectives::{JacobianFn, NoJacobian};
/// assert!(!NoJacobian.jacobian(&[1.0], &mut [0.0]).unwrap());
/// ```
pub trait JacobianFn<T> {
    /// j ← J(x) row after row; false when not available.
    ///
    /// # Errors
    /// Whatever user code reports.
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool>;
}

/// No Jacobian.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::objectives::NoJacobian), "NoJacobian");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoJacobian;

impl<T> JacobianFn<T> for NoJacobian {
    fn jacobian(&mut self, _x: &[T], _j: &mut [T]) -> Evaluation<bool> {
        Ok(false)
    }
}

impl<T, J: FnMut(&[T], &mut [T]) -> Evaluation<()>> JacobianFn<T> for J {
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        self(x, j)?;
        Ok(true)
    }
}

impl<F> FromResiduals<F> {
    /// m residuals of n parameters: the closure takes x and writes r(x).
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, ResidualFunction};
    /// let r = FromResiduals::new(3, 2, |_: &[f64], r: &mut [f64]| {
    ///     r.fill(0.0);
    ///     Ok(())
    /// });
    /// assert_eq!((r.residual_count(), r.dim()), (3, 2));
    /// ```
    pub fn new<T>(m: usize, n: usize, residuals: F) -> Self
    where
        T: Scalar,
        F: FnMut(&[T], &mut [T]) -> Evaluation<()>,
    {
        Self {
            m,
            n,
            residuals,
            jacobian: NoJacobian,
        }
    }

    /// The Jacobian as well: the closure takes x and writes J(x) row after row, `j[i*n + k]` = ∂rᵢ/∂x_k.
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, ResidualFunction};
    /// let mut r = FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
    ///     r[0] = x[0] * x[0];
    ///     Ok(())
    /// })
    /// .with_jacobian(|x: &[f64], j: &mut [f64]| {
    ///     j[0] = 2.0 * x[0];
    ///     Ok(())
    /// });
    /// let mut j = [0.0];
    /// assert!(r.jacobian(&[3.0], &mut j).unwrap());
    /// assert_eq!(j, [6.0]);
    /// ```
    pub fn with_jacobian<T, J>(self, jacobian: J) -> FromResiduals<F, J>
    where
        T: Scalar,
        J: FnMut(&[T], &mut [T]) -> Evaluation<()>,
    {
        FromResiduals {
            m: self.m,
            n: self.n,
            residuals: self.residuals,
            jacobian,
        }
    }
}

impl<T, F, J> ResidualFunction<T> for FromResiduals<F, J>
where
    T: Scalar,
    F: FnMut(&[T], &mut [T]) -> Evaluation<()>,
    J: JacobianFn<T>,
{
    fn residual_count(&self) -> usize {
        self.m
    }
    fn dim(&self) -> usize {
        self.n
    }
    fn residuals(&mut self, x: &[T], r: &mut [T]) -> Evaluation<()> {
        (self.residuals)(x, r)
    }
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        self.jacobian.jacobian(x, j)
    }
}
