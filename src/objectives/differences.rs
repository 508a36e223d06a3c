//! Derivatives by finite differences: the steps.

use super::Evaluation;
use crate::{Error, Result, Scalar};

/// How a derivative is replaced by differences.
///
/// ```text
/// forward   (f(x + h eⱼ) − f(x))/h            n evaluations beside f(x)      error ~ ε^{1/2}
/// central   (f(x + h eⱼ) − f(x − h eⱼ))/2h    2n evaluations                 error ~ ε^{2/3}
/// h = s·max(|xⱼ|, τ)      s = ε^{1/2} (forward), ε^{1/3} (central)      τ = 1
/// ```
///
/// ε is the rounding unit of the number type. s is the relative step ([`with_step`](Self::with_step)); τ is the size
/// below which a coordinate counts as 0 ([`with_typical_size`](Self::with_typical_size)). x + h is rounded first, so
/// that the difference is divided by the step that was made.
///
/// A side on which the function is +∞ or NaN, or which bounds forbid, is left out: the formula becomes one-sided
/// (with three points for `central`, (−3f(x) + 4f(x+h) − f(x+2h))/2h, which keeps the order). With both sides
/// refused the step is shortened eight times by 16; then it is an error.
///
/// Source: J. Nocedal, S. J. Wright, *Numerical Optimization*, 2nd ed. (2006), section 8.1.
///
/// ```
/// use reparam::objectives::{Differences, FromValue, Objective};
/// let mut f = FromValue::new(1, |x: &[f64]| Ok(x[0].ln()), Differences::central());
/// let mut g = [0.0];
/// f.value_gradient(&[2.0], &mut g).unwrap();
/// assert!((g[0] - 0.5).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Differences<T> {
    central: bool,
    step: T,
    typical: T,
}

impl<T: Scalar> Differences<T> {
    /// One evaluation for each coordinate, half the digits.
    ///
    /// ```
    /// assert!(!reparam::objectives::Differences::<f64>::forward().is_central());
    /// ```
    pub fn forward() -> Self {
        Self {
            central: false,
            step: T::epsilon().sqrt(),
            typical: T::one(),
        }
    }

    /// Two evaluations for each coordinate, two thirds of the digits.
    ///
    /// ```
    /// assert!(reparam::objectives::Differences::<f64>::central().is_central());
    /// ```
    pub fn central() -> Self {
        Self {
            central: true,
            step: T::epsilon().cbrt(),
            typical: T::one(),
        }
    }

    /// The relative step s: larger where f carries noise above its rounding.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < s < 1.
    ///
    /// ```
    /// use reparam::objectives::Differences;
    /// assert!(Differences::central().with_step(1e-4).is_ok());
    /// assert!(Differences::central().with_step(0.0).is_err());
    /// ```
    pub fn with_step(mut self, step: T) -> Result<Self> {
        if step.is_nan() || step <= T::zero() || step >= T::one() {
            return Err(Error::Setting {
                name: "step",
                why: "must lie between 0 and 1",
            });
        }
        self.step = step;
        Ok(self)
    }

    /// The size τ of a typical coordinate: smaller where all of them are (1e-6 amperes, say).
    ///
    /// # Errors
    /// [`Error::Setting`] unless τ is positive and finite.
    ///
    /// ```
    /// use reparam::objectives::Differences;
    /// assert!(Differences::central().with_typical_size(1e-6).is_ok());
    /// ```
    pub fn with_typical_size(mut self, size: T) -> Result<Self> {
        if !size.is_finite() || size <= T::zero() {
            return Err(Error::Setting {
                name: "typical size",
                why: "must be positive and finite",
            });
        }
        self.typical = size;
        Ok(self)
    }

    /// Whether two sides are used.
    ///
    /// ```
    /// assert!(reparam::objectives::Differences::<f32>::central().is_central());
    /// ```
    pub fn is_central(&self) -> bool {
        self.central
    }

    /// h for a number of this size.
    pub(super) fn step_for(&self, size: T) -> T {
        self.step * size.abs().max(self.typical)
    }
}

/// F: x, and where F(x) goes.
pub(super) type Function<'f, T> = dyn FnMut(&[T], &mut [T]) -> Evaluation<()> + 'f;

/// Lower and upper bounds that no evaluation may leave.
pub(super) type Bounds<'a, T> = Option<(&'a [T], &'a [T])>;

/// Differences of F: Rⁿ → Rᵐ, coordinate by coordinate.
#[derive(Debug, Clone)]
pub(super) struct Differencer<T> {
    x: Vec<T>,
    near: Vec<T>,
    other: Vec<T>,
    out: Vec<T>,
}

impl<T: Scalar> Differencer<T> {
    pub(super) fn new(n: usize, m: usize) -> Self {
        Self {
            x: vec![T::zero(); n],
            near: vec![T::zero(); m],
            other: vec![T::zero(); m],
            out: vec![T::zero(); m],
        }
    }

    /// Calls `sink(j, ∂F/∂xⱼ)` for every j; `fx` is F(x).
    pub(super) fn columns(
        &mut self,
        scheme: &Differences<T>,
        bounds: Bounds<'_, T>,
        x: &[T],
        fx: &[T],
        f: &mut Function<'_, T>,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Evaluation<()> {
        self.x.copy_from_slice(x);
        for j in 0..x.len() {
            let mut h = scheme.step_for(x[j]);
            let mut done = false;
            for _ in 0..9 {
                if self.column(scheme, bounds, x, j, h, fx, f)? {
                    done = true;
                    break;
                }
                h /= T::lit(16.0);
            }
            self.x[j] = x[j];
            if !done {
                return Err(format!(
                    "no finite difference: the function is finite on neither side of x[{j}]"
                )
                .into());
            }
            sink(j, &self.out);
        }
        Ok(())
    }

    fn column(
        &mut self,
        scheme: &Differences<T>,
        bounds: Bounds<'_, T>,
        x: &[T],
        j: usize,
        h: T,
        fx: &[T],
        f: &mut Function<'_, T>,
    ) -> Evaluation<bool> {
        let allowed = |v: T| bounds.is_none_or(|(lo, hi)| lo[j] <= v && v <= hi[j]);
        let work = &mut self.x;
        // F at xⱼ = v, and whether it can be used
        let mut at = |v: T, out: &mut [T]| -> Evaluation<bool> {
            if !allowed(v) || v == x[j] {
                return Ok(false);
            }
            work[j] = v;
            f(work, out)?;
            Ok(out.iter().all(|y| y.is_finite()))
        };
        let (plus, minus) = (x[j] + h, x[j] - h);
        let right = at(plus, &mut self.near)?;
        if right && !scheme.central {
            quotient(&self.near, fx, plus - x[j], &mut self.out);
            return Ok(true);
        }
        let left = at(minus, &mut self.other)?;
        if right && left {
            quotient(&self.near, &self.other, plus - minus, &mut self.out);
            return Ok(true);
        }
        if !right && !left {
            return Ok(false);
        }
        let (one, two) = if right {
            (plus, plus + h)
        } else {
            std::mem::swap(&mut self.near, &mut self.other);
            (minus, minus - h)
        };
        if scheme.central && at(two, &mut self.other)? {
            // through three points at distances 0, s, s + t
            let (s, t) = (one - x[j], two - x[j]);
            let (a, b) = (t / (s * (t - s)), -s / (t * (t - s)));
            for (i, o) in self.out.iter_mut().enumerate() {
                *o = a * (self.near[i] - fx[i]) + b * (self.other[i] - fx[i]);
            }
        } else {
            quotient(&self.near, fx, one - x[j], &mut self.out);
        }
        Ok(true)
    }
}

fn quotient<T: Scalar>(a: &[T], b: &[T], h: T, out: &mut [T]) {
    for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
        *o = (*a - *b) / h;
    }
}
