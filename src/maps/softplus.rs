//! φ(u) = lo + ln(1 + eᵘ), onto x > lo: linear far out.

use super::separable::one_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_finite, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// Softplus: $`x_j = lo_j + \ln(1 + e^{u_j})`$, onto $`\{x > lo\}`$.
///
/// ```math
/// \begin{aligned}
/// \varphi(u) &= lo + \max(u, 0) + \operatorname{log1p}(e^{-|u|}) & \varphi' &= \sigma(u) & \varphi'' &= \sigma(u)\, \sigma(-u), \quad \sigma(u) = \frac{1}{1 + e^{-u}} \\
/// y &= x - lo: \quad u = y + \ln(-\operatorname{expm1}(-y)) & \varphi'^2 &= \operatorname{expm1}(-y)^2
/// \end{aligned}
/// ```
///
/// Like [`Exponential`](super::Exponential) near the bound, like the identity far from it. Dugas, Bengio, Bélisle,
/// Nadeau & Garcia (NIPS 2000).
///
/// ```
/// use reparam::maps::{Reparametrization, Softplus};
/// let mut x = [0.0; 2];
/// Softplus::<f64>::new(2).apply(&[0.0, 1000.0], &mut x, &mut []);
/// assert_eq!(x, [2.0_f64.ln(), 1000.0]);
/// ```
pub type Softplus<T> = Separable<T, ScalarSoftplus<T>>;

/// One coordinate of [`Softplus`]: lo + ln(1 + eᵘ).
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarSoftplus};
/// assert_eq!(ScalarSoftplus::new(1.0).unwrap().value(1e300), 1e300);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarSoftplus<T> {
    lower: T,
}

one_sided!(Softplus, ScalarSoftplus);

impl<T: Scalar> ScalarMap<T> for ScalarSoftplus<T> {
    fn name(&self) -> &'static str {
        "softplus"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.lower, T::infinity())
    }
    fn landscape(&self) -> Landscape {
        Landscape::InteriorOnly
    }
    #[inline]
    fn value(&self, u: T) -> T {
        // `Float::max` would turn NaN into 0
        let positive = if u < T::zero() { T::zero() } else { u };
        self.lower + (positive + (-u.abs()).exp().ln_1p())
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        let e = (-u.abs()).exp();
        if u < T::zero() {
            e / (T::one() + e)
        } else {
            T::one() / (T::one() + e)
        }
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let e = (-u.abs()).exp();
        let s = T::one() / (T::one() + e);
        e * s * s
    }
    #[inline]
    fn section(&self, _x: T, below: T, _above: T) -> T {
        below + (-(-below).exp_m1()).ln()
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let s = (self.lower - x).exp_m1();
        Some(s * s)
    }
}
