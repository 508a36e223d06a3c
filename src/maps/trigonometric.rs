//! φ(θ) = lo + (hi − lo) sin²θ, onto lo ≤ x ≤ hi: the default for bounds on both sides.

use super::interval::Interval;
use super::separable::two_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_len, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// The sine transformation: $`x_j = lo_j + d_j \sin^2\theta_j`$ with $`d = hi - lo`$, evaluated from the nearer end, onto
/// $`\{lo \le x \le hi\}`$.
///
/// ```math
/// \begin{aligned}
/// \varphi(\theta) &= \begin{cases} a + d \sin^2\theta & \sin^2\theta \le \tfrac12 \\ b - d \cos^2\theta & \text{else} \end{cases} & d &= b - a \\
/// \varphi' &= d \sin 2\theta & \varphi'' &= 2d \cos 2\theta \\
/// \varphi'^2 &= 4\,(x - lo)(hi - x) & \theta &= \operatorname{atan2}\bigl(\sqrt{|x - a|}, \sqrt{|b - x|}\bigr)
/// \end{aligned}
/// ```
///
/// (a, b) = (lo, hi), or (hi, lo) when |hi| < |lo|: the end nearer zero is put at θ = 0, where θ has all its digits,
/// and the other at π/2, where the spacing of θ is far below the rounding of b. Both are hit exactly, and x is as
/// precise as its type near both. (Through arcsin, \[0, 1e10\] maps 1e-9 to 0.) Far from both the resolution is ε(hi − lo):
/// "no bound" should be written ∞ (for [`Bounds`](super::Bounds)), not 1e10.
///
/// Among the transformations of M. J. Box, Comput. J. 9 (1966); MINUIT's for two limits is the same with the angle
/// 2θ − π/2 (F. James & M. Roos, Comput. Phys. Commun. 10, 1975). At an end φ' = 0 and φ'' = ±2d: with a multiplier of the
/// wrong sign it is a strict saddle.
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, Trigonometric};
/// let map = Trigonometric::uniform(3, 0.0, 1e10).unwrap();
/// let (mut u, mut x) = ([0.0; 3], [0.0_f64; 3]);
/// map.section(&[1e-9, 0.0, 1e10], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[0] - 1e-9).abs() < 1e-24);
/// assert_eq!(x[1..], [0.0, 1e10]);
/// ```
pub type Trigonometric<T> = Separable<T, ScalarTrigonometric<T>>;

/// One coordinate of [`Trigonometric`].
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarTrigonometric};
/// let map = ScalarTrigonometric::new(-1.0, 0.0).unwrap(); // 0 is the end at θ = 0
/// assert_eq!((map.value(0.0), map.value(std::f64::consts::FRAC_PI_2)), (0.0, -1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarTrigonometric<T> {
    interval: Interval<T>,
    /// hi is at θ = 0.
    mirrored: bool,
}

two_sided!(Trigonometric, ScalarTrigonometric);

impl<T: Scalar> ScalarTrigonometric<T> {
    pub(super) fn on(interval: Interval<T>) -> Self {
        Self {
            interval,
            mirrored: interval.hi.abs() < interval.lo.abs(),
        }
    }

    /// b − a, times a factor.
    #[inline]
    fn signed(&self, factor: T) -> T {
        self.interval.times(if self.mirrored { -factor } else { factor })
    }
}

impl<T: Scalar> ScalarMap<T> for ScalarTrigonometric<T> {
    fn name(&self) -> &'static str {
        "trigonometric"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.interval.lo, self.interval.hi)
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    #[inline]
    fn value(&self, u: T) -> T {
        let (s, c) = u.sin_cos();
        let near_zero_angle = s * s <= T::lit(0.5);
        let fraction = if near_zero_angle { s * s } else { c * c };
        if near_zero_angle == self.mirrored {
            self.interval.below_upper(fraction)
        } else {
            self.interval.above_lower(fraction)
        }
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        let (s, c) = u.sin_cos();
        self.signed(T::lit(2.0) * s * c)
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let (s, c) = u.sin_cos();
        let two = T::lit(2.0);
        two * self.signed((c - s) * (c + s))
    }
    #[inline]
    fn section(&self, _x: T, below: T, above: T) -> T {
        let (from_a, from_b) = if self.mirrored {
            (above, below)
        } else {
            (below, above)
        };
        from_a.sqrt().atan2(from_b.sqrt())
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let (p, q) = self.interval.fractions(x);
        let two = T::lit(2.0);
        Some(self.interval.times(two * p) * self.interval.times(two * q))
    }
    #[inline]
    fn release(&self, distance: T) -> Option<T> {
        // sin² about θ = 0 and cos² about π/2 are the same function, so the same step leaves either end
        let fraction = (distance / self.interval.half * T::lit(0.5)).min(T::one());
        Some(fraction.sqrt().atan2((T::one() - fraction).sqrt()))
    }
}
