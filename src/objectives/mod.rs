//! What is minimised: f with its gradient, and where it has one its curvature.
//!
//! [`LeastSquares`] over any operator; [`FromFn`] from closures. A new objective is one file here.

mod from_fn;
mod least_squares;

pub use from_fn::FromFn;
pub use least_squares::LeastSquares;

use crate::{BoxError, Scalar};

/// The outcome of an evaluation. `Ok(+∞)` refuses a point softly (a line search then shortens its step); `Err`
/// aborts the solve with the user's error.
///
/// ```
/// fn value(x: &[f64]) -> reparam::objectives::Evaluation<f64> {
///     Ok(if x[0] > 0.0 { x[0].ln() } else { f64::INFINITY })
/// }
/// assert_eq!(value(&[1.0]).unwrap(), 0.0);
/// ```
pub type Evaluation<R> = std::result::Result<R, BoxError>;

/// A smooth function f: Rⁿ → R. Methods take `&mut self`: an objective owns its scratch and caches.
///
/// ```
/// use reparam::objectives::{LeastSquares, Objective};
/// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 2.0];
/// let mut f = LeastSquares::new(&a, &[1.0, 2.0]).unwrap();
/// let mut g = [0.0; 2];
/// assert_eq!(f.value_gradient(&[0.0, 0.0], &mut g).unwrap(), 2.5);
/// assert_eq!(g, [-1.0, -4.0]);
/// ```
pub trait Objective<T: Scalar> {
    /// n.
    fn dim(&self) -> usize;

    /// f(x).
    ///
    /// # Errors
    /// Whatever user code reports; the solve ends with it.
    fn value(&mut self, x: &[T]) -> Evaluation<T>;

    /// f(x), and g ← ∇f(x).
    ///
    /// # Errors
    /// As [`value`](Self::value).
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T>;

    /// out ← ∇²f(x) v; false when not available.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let _ = (x, v, out);
        Ok(false)
    }

    /// out ← diag ∇²f(x), or a good guess of it; false when not available.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        let _ = (x, out);
        Ok(false)
    }
}
