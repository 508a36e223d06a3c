//! Objectives: f with its gradient, and optionally products with its Hessian.
//!
//! | objective | f(x) |
//! |---|---|
//! | [`LeastSquares`] | ½‖W^{1/2}(A x − b)‖² + ½λ‖x‖² |
//! | [`Composite`] | ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩ with any [`Loss`](crate::losses::Loss) |
//! | [`Quadratic`] | ½⟨x, Q x⟩ + ⟨c, x⟩ + κ |
//! | [`NonlinearLeastSquares`] | ½ Σ C² ρ(rᵢ(x)²/C²), plain or robust |
//! | [`FromFn`] | a closure with its gradient |
//! | [`FromValue`] | a closure without one: finite differences |
//! | [`FiniteDifference`] | any of them with a gradient or Hessian products by differences |
//! | [`Sum`], [`Scaled`] | combinations |
//!
//! A new objective is one file here.

mod composite;
mod composite_view;
mod convexity;
mod differences;
mod finite_difference;
mod from_fn;
mod from_residuals;
mod from_value;
mod least_squares;
mod nearby;
mod nonlinear_least_squares;
mod quadratic;
mod residuals;
mod ridge_in_u;
mod robust;
mod scaled;
mod sum;

pub use composite::Composite;
pub use composite_view::{CompositeView, Curve};
pub use convexity::Convexity;
pub use differences::Differences;
pub use finite_difference::FiniteDifference;
pub use from_fn::{FromFn, HessianProduct, NoHessian};
pub use from_residuals::{FromResiduals, JacobianFn, NoJacobian};
pub use from_value::FromValue;
pub use least_squares::LeastSquares;
pub use nearby::Nearby;
pub use nonlinear_least_squares::NonlinearLeastSquares;
pub use quadratic::Quadratic;
pub use residuals::{ResidualFunction, ResidualView};
pub use ridge_in_u::RidgeInU;
pub use robust::Robust;
pub use scaled::Scaled;
pub use sum::Sum;

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
/// Three methods are required: `dim`, `value` and `value_gradient`. The others are optional, and a solver uses them where they exist: curvature,
/// and the structure of f, as a loss of a linear image ([`composite`](Self::composite)) or a sum of squared residuals
/// ([`residuals`](Self::residuals)).
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

    /// f(x), and g ← ∇f(x). Where f(x) is not finite, g means nothing.
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

    /// Whether f is convex, as far as is known.
    fn convexity(&self) -> Convexity {
        Convexity::Unknown
    }

    /// Whether f is quadratic: ∇²f does not depend on x, and along x + t p + t² q f is a quartic in t that follows
    /// from ∇f(x), ∇²f p and ∇²f q.
    fn quadratic(&self) -> bool {
        false
    }

    /// The parts of f when it is a loss of a linear image, ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩.
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        None
    }

    /// z ← A x + a of [`composite`](Self::composite), without a product with A when the last evaluation was at this
    /// x; false when f is not composite.
    fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
        let _ = (x, z);
        false
    }

    /// States that z = A x + a, so that the next evaluation at this x needs no product for it; false when f is not
    /// composite. A search along a curve knows z at its end as a combination of images. Rounding errors add up
    /// over many such steps: let f compute z anew from time to time.
    fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
        let _ = (x, z);
        false
    }

    /// Residuals and their derivatives when f is a sum of (robustified) squares.
    fn residuals(&mut self) -> Option<&mut dyn ResidualView<T>> {
        None
    }

    /// Whether gradients of f come from points beside the one that is asked for, which over a set that couples coordinates must be found
    /// again at every x ([`Nearby::Segments`]).
    fn uses_nearby(&self) -> bool {
        false
    }

    /// Called when a run begins, with its set: nothing may be evaluated outside of it. An objective made of others passes it on.
    fn nearby(&mut self, near: Nearby<'_, T>) {
        let _ = near;
    }

    /// out ← bounds of the errors of the entries of the last gradient (+∞ where there is none); false when they are only those of
    /// rounding. [`Minimize`](crate::Minimize) claims nothing, and no gap, that these errors could fake.
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        let _ = out;
        false
    }

    /// Makes later gradients more accurate, whatever it costs; false when nothing more can be done. Called where the last gradient was not accurate enough.
    fn sharpen(&mut self) -> bool {
        false
    }

    /// Why f, or its gradient, is not finite at x, where that lies in one place and is known: the index of a row (of A x + a, of a residual),
    /// its number, and what is wrong with it. [`Minimize`](crate::Minimize) asks at the start, and refuses it with these words.
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        let _ = x;
        None
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, O: Objective<T> + ?Sized> Objective<T> for $wrapper {
            fn dim(&self) -> usize {
                (**self).dim()
            }
            fn value(&mut self, x: &[T]) -> Evaluation<T> {
                (**self).value(x)
            }
            fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
                (**self).value_gradient(x, g)
            }
            fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
                (**self).hessian_vector(x, v, out)
            }
            fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
                (**self).hessian_diagonal(x, out)
            }
            fn convexity(&self) -> Convexity {
                (**self).convexity()
            }
            fn quadratic(&self) -> bool {
                (**self).quadratic()
            }
            fn composite(&self) -> Option<CompositeView<'_, T>> {
                (**self).composite()
            }
            fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
                (**self).image(x, z)
            }
            fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
                (**self).remember_image(x, z)
            }
            fn residuals(&mut self) -> Option<&mut dyn ResidualView<T>> {
                (**self).residuals()
            }
            fn uses_nearby(&self) -> bool {
                (**self).uses_nearby()
            }
            fn nearby(&mut self, near: Nearby<'_, T>) {
                (**self).nearby(near);
            }
            fn gradient_error(&mut self, out: &mut [T]) -> bool {
                (**self).gradient_error(out)
            }
            fn sharpen(&mut self) -> bool {
                (**self).sharpen()
            }
            fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
                (**self).not_finite_at(x)
            }
        }
    )*};
}
forward!(&mut O, Box<O>);
