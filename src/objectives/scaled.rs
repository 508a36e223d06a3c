//! σ f.

use super::{CompositeView, Convexity, Evaluation, Nearby, Objective};
use crate::{Error, Result, Scalar};

/// An objective times a number.
///
/// ```text
/// (σ f)(x) = σ f(x)      ∇ = σ ∇f      ∇² = σ ∇²f
/// ```
///
/// Convex as f is when σ > 0; nothing is known when σ < 0.
///
/// ```
/// use reparam::objectives::{LeastSquares, Objective, Scaled};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0; 1.0], &[1.0, 3.0]).unwrap();
/// let mut mean = Scaled::new(f, 0.5).unwrap();
/// assert_eq!(mean.value(&[2.0]).unwrap(), 0.5);
/// ```
#[derive(Debug, Clone)]
pub struct Scaled<O, T> {
    inner: O,
    factor: T,
}

impl<T: Scalar, O: Objective<T>> Scaled<O, T> {
    /// σ f.
    ///
    /// # Errors
    /// [`Error::Setting`] when the factor is not finite or 0 (0·∞ has no meaning outside the domain of f).
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Scaled};
    /// let f = FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0));
    /// assert!(Scaled::new(f, f64::NAN).is_err());
    /// ```
    pub fn new(inner: O, factor: T) -> Result<Self> {
        if !factor.is_finite() || factor == T::zero() {
            return Err(Error::Setting {
                name: "factor",
                why: "must be finite and not zero",
            });
        }
        Ok(Self { inner, factor })
    }

    /// f.
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Objective, Scaled};
    /// let f = FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0));
    /// assert_eq!(Scaled::new(f, 2.0).unwrap().inner().dim(), 1);
    /// ```
    pub fn inner(&self) -> &O {
        &self.inner
    }

    fn scale(&self, out: &mut [T]) {
        for o in out {
            *o *= self.factor;
        }
    }

    // +∞ refuses a point whatever the sign of the factor
    fn times(&self, f: T) -> T {
        if f == T::infinity() { f } else { self.factor * f }
    }
}

impl<T: Scalar, O: Objective<T>> Objective<T> for Scaled<O, T> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        let f = self.inner.value(x)?;
        Ok(self.times(f))
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let f = self.inner.value_gradient(x, g)?;
        self.scale(g);
        Ok(self.times(f))
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let known = self.inner.hessian_vector(x, v, out)?;
        if known {
            self.scale(out);
        }
        Ok(known)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        let known = self.inner.hessian_diagonal(x, out)?;
        if known {
            self.scale(out);
        }
        Ok(known)
    }
    fn convexity(&self) -> Convexity {
        if self.factor > T::zero() {
            self.inner.convexity()
        } else {
            Convexity::Unknown
        }
    }
    fn quadratic(&self) -> bool {
        self.inner.quadratic()
    }
    // the parts of f are not those of σ f
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        None
    }
    fn uses_nearby(&self) -> bool {
        self.inner.uses_nearby()
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        self.inner.nearby(near);
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        let known = self.inner.gradient_error(out);
        if known {
            out.iter_mut().for_each(|o| *o *= self.factor.abs());
        }
        known
    }
    fn sharpen(&mut self) -> bool {
        self.inner.sharpen()
    }
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        self.inner.not_finite_at(x)
    }
}
