//! A bounded interval and the arithmetic of points near its ends.

use crate::{Error, Result, Scalar};

/// [lo, hi] with lo < hi, both finite. hi − lo may overflow: [−MAX, MAX] is a way to write "no bound".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval<T> {
    pub(super) lo: T,
    pub(super) hi: T,
    /// hi − lo, or ∞.
    width: T,
    /// (hi − lo)/2, finite.
    pub(super) half: T,
}

impl<T: Scalar> Interval<T> {
    pub(super) fn new(index: usize, lo: T, hi: T) -> Result<Self> {
        if lo.is_infinite() || hi.is_infinite() {
            return Err(Error::NotFinite {
                what: "bounds",
                index,
            });
        }
        // NaN and lo = hi included
        if lo < hi {
            let (width, k) = (hi - lo, T::lit(0.5));
            let half = if width.is_finite() {
                width * k
            } else {
                hi * k - lo * k
            };
            Ok(Self { lo, hi, width, half })
        } else {
            Err(Error::CrossedBounds {
                index,
                lower: lo.as_f64(),
                upper: hi.as_f64(),
            })
        }
    }

    #[inline]
    pub(super) fn middle(&self) -> T {
        self.lo * T::lit(0.5) + self.hi * T::lit(0.5)
    }

    /// x − middle; half of it where hi − lo overflows, as the distances from the ends are then.
    #[inline]
    pub(super) fn beyond_middle(&self, x: T) -> T {
        if self.width.is_finite() {
            x - self.middle()
        } else {
            x * T::lit(0.5) - self.middle() * T::lit(0.5)
        }
    }

    /// (hi − lo)·factor, without overflow unless the product itself does.
    #[inline]
    pub(super) fn times(&self, factor: T) -> T {
        if self.width.is_finite() {
            self.width * factor
        } else {
            self.half * factor * T::lit(2.0)
        }
    }

    /// ((x − lo), (hi − x))/(hi − lo), each accurate near its own end.
    #[inline]
    pub(super) fn fractions(&self, x: T) -> (T, T) {
        if self.width.is_finite() {
            ((x - self.lo) / self.width, (self.hi - x) / self.width)
        } else {
            let k = T::lit(0.5);
            (
                (x * k - self.lo * k) / self.half * k,
                (self.hi * k - x * k) / self.half * k,
            )
        }
    }

    /// lo + (hi − lo)·fraction for 0 ≤ fraction ≤ ½.
    ///
    /// Never below lo, as rounding is monotone. Above hi only in an interval of a few ulps, if at all: hence the clip,
    /// which keeps NaN.
    #[inline]
    pub(super) fn above_lower(&self, fraction: T) -> T {
        self.clip(self.lo + self.times(fraction))
    }

    /// hi − (hi − lo)·fraction for 0 ≤ fraction ≤ ½.
    #[inline]
    pub(super) fn below_upper(&self, fraction: T) -> T {
        self.clip(self.hi - self.times(fraction))
    }

    #[inline]
    pub(super) fn clip(&self, x: T) -> T {
        crate::sets::clip(x, self.lo, self.hi)
    }
}
