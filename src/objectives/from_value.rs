//! Objectives from closures without a gradient.

use super::differences::Differencer;
use super::{Convexity, Differences, Evaluation, Nearby, Objective};
use crate::checks::check_len;
use crate::{Error, Result, Scalar};

/// f from one closure that returns f(x); the gradient by finite differences ([`Differences`] says how, and with
/// what error).
///
/// The closure may refuse a point with `Ok(+∞)` (or NaN): differences then use the other side. The set of a run of
/// [`Minimize`](crate::Minimize) is never left, not even by a step of a difference, nor are bounds of its own
/// ([`with_bounds`](Self::with_bounds)). Over a set that couples coordinates (a simplex, a ball) the gradient is that along the set.
///
/// Cost of a gradient: n + 1 values (forward) or 2n + 1 (central), and a few more while a step length is being found.
///
/// ```
/// use reparam::objectives::{Differences, FromValue, Objective};
/// let mut f = FromValue::new(2, |x: &[f64]| Ok(x[0] * x[1]), Differences::forward());
/// let mut g = [0.0; 2];
/// assert_eq!(f.value_gradient(&[2.0, 3.0], &mut g).unwrap(), 6.0);
/// assert!((g[0] - 3.0).abs() < 1e-6 && (g[1] - 2.0).abs() < 1e-6);
/// ```
#[derive(Clone)]
pub struct FromValue<T, F> {
    value: F,
    scheme: Differences<T>,
    bounds: Option<(Vec<T>, Vec<T>)>,
    convexity: Convexity,
    dim: usize,
    differencer: Differencer<T>,
}

impl<T, F> std::fmt::Debug for FromValue<T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromValue")
            .field("dim", &self.dim)
            .field("convexity", &self.convexity)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, F: FnMut(&[T]) -> Evaluation<T>> FromValue<T, F> {
    /// A function of n variables.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FromValue, Objective};
    /// assert_eq!(FromValue::new(3, |_: &[f64]| Ok(0.0), Differences::central()).dim(), 3);
    /// ```
    pub fn new(dim: usize, value: F, scheme: Differences<T>) -> Self {
        Self {
            value,
            scheme,
            bounds: None,
            convexity: Convexity::Unknown,
            dim,
            differencer: Differencer::new(dim, 1),
        }
    }

    /// Bounds outside of which the closure must not be called (infinite entries allowed), where it is used outside of a run, or where they are
    /// narrower than the set of the run.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::CrossedBounds`] when a lower bound lies above the upper, or is NaN;
    /// [`Error::Replaced`] when called twice.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FromValue, Objective};
    /// // the square root would be NaN on the left
    /// let mut f = FromValue::new(1, |x: &[f64]| Ok((1.0 + x[0]).sqrt() + x[0].sqrt().powi(2)), Differences::central())
    ///     .with_bounds(&[0.0], &[f64::INFINITY])
    ///     .unwrap();
    /// let mut g = [0.0];
    /// f.value_gradient(&[0.0], &mut g).unwrap();
    /// assert!((g[0] - 1.5).abs() < 1e-8);
    /// ```
    pub fn with_bounds<B: AsRef<[T]> + ?Sized, C: AsRef<[T]> + ?Sized>(
        mut self,
        lower: &B,
        upper: &C,
    ) -> Result<Self> {
        let (lower, upper) = (lower.as_ref(), upper.as_ref());
        if self.bounds.is_some() {
            return Err(Error::Replaced {
                first: "`with_bounds`",
                second: "a second `with_bounds`",
                why: "give the tightest bounds in one call",
            });
        }
        check_len("the lower bounds", self.dim, lower.len())?;
        check_len("the upper bounds", self.dim, upper.len())?;
        if let Some(index) = (0..self.dim).find(|i| {
            let (l, u) = (lower[*i], upper[*i]);
            l.is_nan() || u.is_nan() || l > u
        }) {
            return Err(Error::CrossedBounds {
                index,
                lower: lower[index].as_f64(),
                upper: upper[index].as_f64(),
            });
        }
        self.bounds = Some((lower.to_vec(), upper.to_vec()));
        Ok(self)
    }

    /// Declares whether f is convex.
    ///
    /// ```
    /// use reparam::objectives::{Convexity, Differences, FromValue, Objective};
    /// let f = FromValue::new(1, |x: &[f64]| Ok(x[0].exp()), Differences::central()).with_convexity(Convexity::Convex);
    /// assert_eq!(f.convexity(), Convexity::Convex);
    /// ```
    #[must_use]
    pub fn with_convexity(mut self, convexity: Convexity) -> Self {
        self.convexity = convexity;
        self
    }
}

impl<T: Scalar, F: FnMut(&[T]) -> Evaluation<T>> Objective<T> for FromValue<T, F> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        (self.value)(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let fx = (self.value)(x)?;
        if !fx.is_finite() {
            g.fill(T::nan());
            return Ok(fx);
        }
        let value = &mut self.value;
        self.differencer.columns(
            &self.scheme,
            self.bounds.as_ref(),
            x,
            &[fx],
            &[T::one()],
            &mut |x, out| {
                out[0] = value(x)?;
                Ok(())
            },
            &mut |j, d| g[j] = d[0],
        )?;
        Ok(fx)
    }
    fn convexity(&self) -> Convexity {
        self.convexity
    }
    fn uses_nearby(&self) -> bool {
        true
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        self.differencer.nearby(near);
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        out.copy_from_slice(self.differencer.error());
        true
    }
    fn sharpen(&mut self) -> bool {
        self.differencer.sharpen(&self.scheme)
    }
}
