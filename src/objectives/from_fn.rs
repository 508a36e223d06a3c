//! Objectives from closures.

use super::{Convexity, Evaluation, Objective};
use crate::Scalar;

/// f from one closure that returns f(x) and writes ∇f(x); a second one may write Hessian products.
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
pub struct FromFn<T, F, H = NoHessian> {
    dim: usize,
    value_gradient: F,
    hessian: H,
    convexity: Convexity,
    scratch: Vec<T>,
}

impl<T, F, H> std::fmt::Debug for FromFn<T, F, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromFn")
            .field("dim", &self.dim)
            .field("convexity", &self.convexity)
            .finish_non_exhaustive()
    }
}

/// The source of Hessian products of a [`FromFn`]: a closure `(x, v, out)`, or [`NoHessian`].
///
/// ```
/// use reparam::objectives::{HessianProduct, NoHessian};
/// assert!(!NoHessian.product(&[1.0], &[1.0], &mut [0.0]).unwrap());
/// ```
pub trait HessianProduct<T> {
    /// out ← ∇²f(x) v; false when not available.
    ///
    /// # Errors
    /// Whatever user code reports.
    fn product(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool>;
}

/// No Hessian products.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::objectives::NoHessian), "NoHessian");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoHessian;

impl<T> HessianProduct<T> for NoHessian {
    fn product(&mut self, _x: &[T], _v: &[T], _out: &mut [T]) -> Evaluation<bool> {
        Ok(false)
    }
}

impl<T, H: FnMut(&[T], &[T], &mut [T]) -> Evaluation<()>> HessianProduct<T> for H {
    fn product(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self(x, v, out)?;
        Ok(true)
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
            hessian: NoHessian,
            convexity: Convexity::Unknown,
            scratch: Vec::new(),
        }
    }

    /// Hessian products as well: the closure takes x, v and writes ∇²f(x) v.
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Objective};
    /// let mut f = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
    ///     g[0] = x[0].powi(3);
    ///     Ok(0.25 * x[0].powi(4))
    /// })
    /// .with_hessian_vector(|x: &[f64], v: &[f64], out: &mut [f64]| {
    ///     out[0] = 3.0 * x[0] * x[0] * v[0];
    ///     Ok(())
    /// });
    /// assert!(reparam::testing::check_objective(&mut f, &[1.5], 1).passed());
    /// ```
    pub fn with_hessian_vector<H>(self, hessian: H) -> FromFn<T, F, H>
    where
        H: FnMut(&[T], &[T], &mut [T]) -> Evaluation<()>,
    {
        FromFn {
            dim: self.dim,
            value_gradient: self.value_gradient,
            hessian,
            convexity: self.convexity,
            scratch: self.scratch,
        }
    }
}

impl<T, F, H> FromFn<T, F, H> {
    /// Declares whether f is convex.
    ///
    /// ```
    /// use reparam::objectives::{Convexity, FromFn, Objective};
    /// let f = FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0)).with_convexity(Convexity::Convex);
    /// assert_eq!(f.convexity(), Convexity::Convex);
    /// ```
    #[must_use]
    pub fn with_convexity(mut self, convexity: Convexity) -> Self {
        self.convexity = convexity;
        self
    }
}

impl<T, F, H> Objective<T> for FromFn<T, F, H>
where
    T: Scalar,
    F: FnMut(&[T], &mut [T]) -> Evaluation<T>,
    H: HessianProduct<T>,
{
    fn dim(&self) -> usize {
        self.dim
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.scratch.resize(x.len(), T::zero());
        (self.value_gradient)(x, &mut self.scratch)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        (self.value_gradient)(x, g)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.hessian.product(x, v, out)
    }
    fn convexity(&self) -> Convexity {
        self.convexity
    }
}
