//! Nonlinear least squares: the trait that a user implements, and the view of it that a method uses.

use super::Evaluation;
use crate::Scalar;

/// m residuals of n parameters, r: Rⁿ → Rᵐ.
///
/// Derivatives in one of three ways: the Jacobian as a matrix ([`jacobian`](Self::jacobian)), its products
/// ([`jvp`](Self::jvp) and [`vjp`](Self::vjp)), or finite differences, which
/// [`NonlinearLeastSquares::with_differences`](super::NonlinearLeastSquares::with_differences) must ask for.
///
/// A residual that is infinite or NaN rejects the point.
///
/// ```
/// use reparam::objectives::{Evaluation, NonlinearLeastSquares, Objective, ResidualFunction};
/// /// Rosenbrock's function as squares: 10(y − x²) and 1 − x.
/// struct Valley;
/// impl ResidualFunction<f64> for Valley {
///     fn residual_count(&self) -> usize {
///         2
///     }
///     fn dim(&self) -> usize {
///         2
///     }
///     fn residuals(&mut self, x: &[f64], r: &mut [f64]) -> Evaluation<()> {
///         r[0] = 10.0 * (x[1] - x[0] * x[0]);
///         r[1] = 1.0 - x[0];
///         Ok(())
///     }
///     fn jacobian(&mut self, x: &[f64], j: &mut [f64]) -> Evaluation<bool> {
///         j.copy_from_slice(&[-20.0 * x[0], 10.0, -1.0, 0.0]); // row after row
///         Ok(true)
///     }
/// }
/// let mut f = NonlinearLeastSquares::new(Valley).unwrap();
/// assert!((f.value(&[-1.2, 1.0]).unwrap() - 12.1).abs() < 1e-12);
/// assert!(reparam::testing::check_objective(&mut f, &[-1.2, 1.0], 1).passed());
/// ```
pub trait ResidualFunction<T: Scalar> {
    /// m.
    fn residual_count(&self) -> usize;

    /// n.
    fn dim(&self) -> usize;

    /// r ← r(x), length m.
    ///
    /// # Errors
    /// Whatever user code reports; the solve ends with it.
    fn residuals(&mut self, x: &[T], r: &mut [T]) -> Evaluation<()>;

    /// j ← J(x) row after row, `j[i*n + k]` = ∂rᵢ/∂x_k; false when not available.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        let _ = (x, j);
        Ok(false)
    }

    /// out ← J(x) v, length m; false when not available.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let _ = (x, v, out);
        Ok(false)
    }

    /// out ← J(x)ᵀ w, length n; false when not available.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<bool> {
        let _ = (x, w, out);
        Ok(false)
    }

    /// out ← Σᵢ wᵢ ∇²rᵢ(x) v, length n: with it Hessian products are exact; false when not available.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    fn curvature(&mut self, x: &[T], w: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let _ = (x, w, v, out);
        Ok(false)
    }
}

impl<T: Scalar, R: ResidualFunction<T> + ?Sized> ResidualFunction<T> for Box<R> {
    fn residual_count(&self) -> usize {
        (**self).residual_count()
    }
    fn dim(&self) -> usize {
        (**self).dim()
    }
    fn residuals(&mut self, x: &[T], r: &mut [T]) -> Evaluation<()> {
        (**self).residuals(x, r)
    }
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        (**self).jacobian(x, j)
    }
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        (**self).jvp(x, v, out)
    }
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<bool> {
        (**self).vjp(x, w, out)
    }
    fn curvature(&mut self, x: &[T], w: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        (**self).curvature(x, w, v, out)
    }
}

/// An objective as a Gauss–Newton or Levenberg–Marquardt method uses it
/// ([`Objective::residuals`](super::Objective::residuals)).
///
/// ```text
/// f = Σᵢ ℓ(rᵢ)      ∇f = Jᵀ(w ∘ r)      wᵢ = ℓ′(rᵢ)/rᵢ      cᵢ = ℓ″(rᵢ)
/// ```
///
/// For plain least squares ℓ(r) = ½r² and w = c = 1. Two positive semidefinite models of ∇²f: Jᵀ diag(w) J, which
/// bounds f from above near small steps (iteratively reweighted least squares), and Jᵀ diag(max(c, 0)) J, which is
/// nearer to Newton's method.
///
/// ```
/// use reparam::objectives::{FromResiduals, NonlinearLeastSquares, Objective, Robust};
/// let r = FromResiduals::new(2, 1, |x: &[f64], r: &mut [f64]| {
///     r[0] = x[0];
///     r[1] = x[0] - 10.0;
///     Ok(())
/// })
/// .with_jacobian(|_: &[f64], j: &mut [f64]| {
///     j.fill(1.0);
///     Ok(())
/// });
/// let mut f = NonlinearLeastSquares::new(r).unwrap().with_loss(Robust::huber(1.0).unwrap());
/// let view = f.residuals().unwrap();
/// let (mut r, mut j, mut w, mut c) = ([0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]);
/// view.residual_vector(&[0.0], &mut r).unwrap();
/// view.jacobian(&[0.0], &mut j).unwrap();
/// view.weights(&r, &mut w, &mut c);
/// assert_eq!((r, j, w, c), ([0.0, -10.0], [1.0, 1.0], [1.0, 0.1], [1.0, 0.0]));
/// ```
pub trait ResidualView<T: Scalar> {
    /// m.
    fn residual_count(&self) -> usize;

    /// n.
    fn parameter_count(&self) -> usize;

    /// r ← r(x), length m; returns f(x), +∞ when a residual is not finite.
    ///
    /// # Errors
    /// What the user's function reports.
    fn residual_vector(&mut self, x: &[T], r: &mut [T]) -> Evaluation<T>;

    /// j ← J(x) row after row, length m·n.
    ///
    /// # Errors
    /// What the user's function reports, or that it has no derivatives.
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<()>;

    /// out ← J(x) v, length m.
    ///
    /// # Errors
    /// As [`jacobian`](Self::jacobian).
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<()>;

    /// out ← J(x)ᵀ w, length n.
    ///
    /// # Errors
    /// As [`jacobian`](Self::jacobian).
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<()>;

    /// f of a residual vector.
    fn value_of(&self, r: &[T]) -> T;

    /// wᵢ and cᵢ of a residual vector, length m each; c may be negative (Cauchy, arctan).
    fn weights(&self, r: &[T], w: &mut [T], c: &mut [T]);

    /// out ← J(x)ᵀ diag(w) J(x) v, length n, with w at r(x).
    ///
    /// # Errors
    /// As [`jacobian`](Self::jacobian).
    fn gauss_newton(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<()>;
}
