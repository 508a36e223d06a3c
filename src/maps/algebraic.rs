//! φ(u) = mid + h u/√(1 + u²), onto lo < x < hi.

use super::interval::Interval;
use super::separable::two_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_len, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// The algebraic sigmoid: $`x_j = \tfrac12(lo_j + hi_j) + h_j u_j / \sqrt{1 + u_j^2}`$ with $`h = \tfrac12(hi - lo)`$, onto
/// $`\{lo < x < hi\}`$.
///
/// ```math
/// \begin{aligned}
/// r &= \frac{1}{\sqrt{1 + u^2}} & \varphi(u) &= \tfrac12(lo + hi) + h\,u\,r, \qquad h = \tfrac12(hi - lo) \\
/// \varphi' &= h\,r^3 & \varphi'' &= -3h\,u\,r^5 \\
/// u &= \frac{x - \tfrac12(lo + hi)}{\sqrt{(x - lo)(hi - x)}} & \varphi'^2 &= \frac{(x - lo)^3 (hi - x)^3}{h^4}
/// \end{aligned}
/// ```
///
/// No exponential, and slow tails: the distance from a bound falls like 1/u², so a solution on the boundary is
/// approached from farther away in u than with [`Sigmoid`](super::Sigmoid), but with larger gradients on the way.
/// The tails use $`h (1 - |u| r) = h\,r / (\sqrt{1 + u^2} + |u|)`$, without which \[0, 1e10\] could not hold 1e-9.
///
/// Elementary; among sigmoids it is the one that needs no exponential.
///
/// ```
/// use reparam::maps::{Algebraic, Reparametrization};
/// let mut x = [0.0; 3];
/// Algebraic::uniform(3, -1.0, 1.0).unwrap().apply(&[0.0, 0.75, -1e300], &mut x, &mut []);
/// assert_eq!(x, [0.0, 0.6, -1.0]);
/// ```
pub type Algebraic<T> = Separable<T, ScalarAlgebraic<T>>;

/// One coordinate of [`Algebraic`].
///
/// ```
/// use reparam::maps::{ScalarAlgebraic, ScalarMap};
/// assert_eq!(ScalarAlgebraic::new(0.0, 2.0).unwrap().value(0.0), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarAlgebraic<T> {
    interval: Interval<T>,
}

two_sided!(Algebraic, ScalarAlgebraic);

impl<T: Scalar> ScalarAlgebraic<T> {
    pub(super) fn on(interval: Interval<T>) -> Self {
        Self { interval }
    }
}

impl<T: Scalar> ScalarMap<T> for ScalarAlgebraic<T> {
    fn name(&self) -> &'static str {
        "algebraic"
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
        let (half, root) = (T::lit(0.5), T::one().hypot(u));
        if u.abs() <= T::one() {
            return self
                .interval
                .clip(self.interval.middle() + self.interval.half * (u / root));
        }
        // quotients one after the other: the product of the denominators overflows
        let fraction = half / root / (root + u.abs());
        if u > T::zero() {
            self.interval.below_upper(fraction)
        } else {
            self.interval.above_lower(fraction)
        }
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        let r = T::one() / T::one().hypot(u);
        self.interval.half * (r * r * r)
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let r = T::one() / T::one().hypot(u);
        let r2 = r * r;
        -self.interval.half * (T::lit(3.0) * (u * r) * (r2 * r2))
    }
    #[inline]
    fn section(&self, x: T, below: T, above: T) -> T {
        // the distances have the digits near the ends, x − mid has them about the middle
        self.interval.beyond_middle(x) / (below.sqrt() * above.sqrt())
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let (p, q) = self.interval.fractions(x);
        let r2 = T::lit(4.0) * p * q;
        let slope = self.interval.half * r2;
        Some(slope * slope * r2)
    }
}
