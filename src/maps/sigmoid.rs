//! φ(u) = lo + (hi − lo)/(1 + e^{−u}), onto lo < x < hi.

use super::interval::Interval;
use super::separable::two_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_len, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// The logistic map: $`x_j = lo_j + d_j\,\sigma(u_j)`$ with $`d = hi - lo`$, evaluated from the nearer end, onto $`\{lo < x < hi\}`$.
///
/// ```math
/// \begin{aligned}
/// \varphi(u) &= lo + d\,\sigma(u), \qquad \sigma(u) = \frac{1}{1 + e^{-u}}, \quad \bar\sigma = 1 - \sigma, \quad d = hi - lo \\
/// \varphi' &= d\,\sigma\bar\sigma, \qquad \varphi'' = d\,\sigma\bar\sigma\,(\bar\sigma - \sigma) \\
/// \varphi'^2 &= \left(\frac{(x - lo)(hi - x)}{d}\right)^2, \qquad u = \ln\frac{x - lo}{hi - x}
/// \end{aligned}
/// ```
///
/// Evaluated from the nearer end, with $`e^{-|u|}`$ only.
///
/// The log-odds transformation of statistics (Stan's for bounded parameters). A solution on the boundary lies at
/// infinity, where ∇(f∘φ) vanishes whatever ∇f does: judge by the natural residual in x.
///
/// The logistic function of Verhulst (1838), its inverse the log-odds of Berkson (JASA 39, 1944).
///
/// ```
/// use reparam::maps::{Boundary, Sigmoid, Reparametrization};
/// let map = Sigmoid::uniform(1, 0.0, 1e10).unwrap();
/// let (mut u, mut x) = ([0.0_f64], [0.0_f64]);
/// map.section(&[1e-9], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[0] / 1e-9 - 1.0).abs() < 1e-14);
/// ```
pub type Sigmoid<T> = Separable<T, ScalarSigmoid<T>>;

/// One coordinate of [`Sigmoid`].
///
/// ```
/// use reparam::maps::{ScalarSigmoid, ScalarMap};
/// assert_eq!(ScalarSigmoid::new(0.0, 2.0).unwrap().value(0.0), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarSigmoid<T> {
    interval: Interval<T>,
}

two_sided!(Sigmoid, ScalarSigmoid);

impl<T: Scalar> ScalarSigmoid<T> {
    pub(super) fn on(interval: Interval<T>) -> Self {
        Self { interval }
    }
}

/// (e^{−|u|}, 1/(1 + e^{−|u|})).
#[inline]
fn parts<T: Scalar>(u: T) -> (T, T) {
    let e = (-u.abs()).exp();
    (e, T::one() / (T::one() + e))
}

impl<T: Scalar> ScalarMap<T> for ScalarSigmoid<T> {
    fn name(&self) -> &'static str {
        "logistic"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.interval.lo, self.interval.hi)
    }
    fn landscape(&self) -> Landscape {
        Landscape::InteriorOnly
    }
    #[inline]
    fn value(&self, u: T) -> T {
        let (e, s) = parts(u);
        if u > T::zero() {
            self.interval.below_upper(e * s)
        } else {
            self.interval.above_lower(e * s)
        }
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        let (e, s) = parts(u);
        self.interval.times(e * s * s)
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let (e, s) = parts(u);
        // |σ̄ − σ| = (1 − e)/(1 + e), with expm1 so that it does not cancel about u = 0
        let difference = (-u.abs()).exp_m1() * s;
        self.interval
            .times(e * s * s * if u < T::zero() { -difference } else { difference })
    }
    #[inline]
    fn section(&self, _x: T, below: T, above: T) -> T {
        // the quotient is exact to a rounding also about the middle, where the logarithms would cancel
        let ratio = below / above;
        if ratio.is_normal() {
            ratio.ln()
        } else {
            below.ln() - above.ln()
        }
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let (p, q) = self.interval.fractions(x);
        let slope = self.interval.times(p * q);
        Some(slope * slope)
    }
}
