//! φ(u) = lo + u²/(s + √(s² + u²)), onto x ≥ lo (or its mirror image, onto x ≤ hi): linear far out.

use super::{Landscape, Reparametrization, ScalarMap, Separable};
use crate::checks::{check_finite, check_len, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Error, Result, Scalar};

/// Scaled squares: $`x_j = lo_j + \sqrt{s_j^2 + u_j^2} - s_j`$ in a form that does not cancel, onto $`\{x \ge lo\}`$; or the mirror
/// image, onto {x ≤ hi}. The default for general bounds on one side.
///
/// ```math
/// \begin{aligned}
/// \varphi(u) &= lo + \frac{u^2}{s + \rho} = lo + \rho - s, \qquad \rho = \sqrt{s^2 + u^2} & \varphi' &= \frac{u}{\rho} & \varphi'' &= \frac{s^2}{\rho^3} \\
/// d &= x - lo: \quad u = \sqrt{d\,(d + 2s)} & \varphi'^2 &= \frac{d\,(d + 2s)}{(d + s)^2}
/// \end{aligned}
/// ```
///
/// u²/2s near the bound, |u| − s far from it: s is the distance from the bound at which the map turns from
/// quadratic to linear. Unless given it is max(1, |bound|). MINUIT's transformation (F. James & M. Roos, Comput.
/// Phys. Commun. 10, 1975) is √(u² + 1) − 1 with s = 1, which loses 1e-11 wholly; this one keeps it:
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, ScaledSquares};
/// let map = ScaledSquares::<f64>::new(1);
/// let (mut u, mut x) = ([0.0], [0.0]);
/// map.section(&[1e-11], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[0] - 1e-11).abs() < 1e-26);
/// ```
pub type ScaledSquares<T> = Separable<T, ScalarScaledSquare<T>>;

/// One coordinate of [`ScaledSquares`]: bound ± u²/(s + hypot(s, u)).
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarScaledSquare};
/// let map = ScalarScaledSquare::above(1.0, 3.0).unwrap();
/// assert_eq!(map.value(4.0), 3.0); // 1 + 16/(3 + 5)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarScaledSquare<T> {
    bound: T,
    scale: T,
    /// +1: x ≥ bound. −1: x ≤ bound.
    side: T,
}

fn check_scale<T: Scalar>(scale: T) -> Result<T> {
    // (a quarter of the scale is divided by)
    if scale > T::zero() && scale.is_normal() {
        Ok(scale)
    } else {
        Err(Error::Setting {
            name: "scale",
            why: "must be positive, finite and no subnormal number",
        })
    }
}

/// max(1, |bound|): the size of the numbers x is likely to have.
fn default_scale<T: Scalar>(bound: T) -> T {
    bound.abs().max(T::one())
}

impl<T: Scalar> Separable<T, ScalarScaledSquare<T>> {
    /// Onto {x ∈ Rⁿ : x ≥ 0}, s = 1.
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, ScaledSquares};
    /// assert_eq!(ScaledSquares::<f64>::new(5).dim_x(), 5);
    /// ```
    pub fn new(dim: usize) -> Self {
        let map = ScalarScaledSquare {
            bound: T::zero(),
            scale: T::one(),
            side: T::one(),
        };
        Self::trusted(PerCoordinate::Same(map), dim)
    }

    /// Onto {x : x ≥ lower}, s = max(1, |lower|).
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`]: coordinates without a bound are for [`Bounds`](super::Bounds).
    ///
    /// ```
    /// assert!(reparam::maps::ScaledSquares::with_lower(vec![0.0, f64::NAN]).is_err());
    /// ```
    pub fn with_lower(lower: Vec<T>) -> Result<Self> {
        Self::one_sided("lower bounds", lower, T::one())
    }

    /// Onto {x : x ≤ upper}, s = max(1, |upper|).
    ///
    /// # Errors
    /// As [`with_lower`](Self::with_lower).
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, ScaledSquares};
    /// let mut x = [0.0];
    /// ScaledSquares::with_upper(vec![3.0]).unwrap().apply(&[4.0], &mut x, &mut []);
    /// assert_eq!(x, [1.0]); // 3 − 16/(3 + 5)
    /// ```
    pub fn with_upper(upper: Vec<T>) -> Result<Self> {
        Self::one_sided("upper bounds", upper, -T::one())
    }

    fn one_sided(what: &'static str, bounds: Vec<T>, side: T) -> Result<Self> {
        check_not_empty(what, bounds.len())?;
        check_finite(what, &bounds)?;
        let dim = bounds.len();
        let maps = bounds.into_iter().map(|bound| ScalarScaledSquare {
            bound,
            scale: default_scale(bound),
            side,
        });
        Ok(Self::trusted(PerCoordinate::Each(maps.collect()), dim))
    }

    /// The same bounds with these s, one per coordinate.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::Setting`] unless positive and finite.
    ///
    /// ```
    /// use reparam::maps::ScaledSquares;
    /// assert!(ScaledSquares::<f64>::new(2).with_scales(&[1e-3, 1e3]).is_ok());
    /// assert!(ScaledSquares::<f64>::new(2).with_scales(&[0.0, 1.0]).is_err());
    /// ```
    pub fn with_scales(self, scales: &[T]) -> Result<Self> {
        check_len("the scales", self.dim_u(), scales.len())?;
        let maps = scales
            .iter()
            .enumerate()
            .map(|(j, s)| self.coordinate(j).with_scale(*s));
        Ok(Self::trusted(
            PerCoordinate::Each(maps.collect::<Result<_>>()?),
            scales.len(),
        ))
    }
}

impl<T: Scalar> ScalarScaledSquare<T> {
    /// Onto x ≥ lower.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for the bound, [`Error::Setting`] for a scale that is not positive and finite.
    ///
    /// ```
    /// assert!(reparam::maps::ScalarScaledSquare::above(0.0, -1.0).is_err());
    /// ```
    pub fn above(lower: T, scale: T) -> Result<Self> {
        check_finite("lower bounds", &[lower])?;
        Ok(Self {
            bound: lower,
            scale: check_scale(scale)?,
            side: T::one(),
        })
    }

    /// Onto x ≤ upper.
    ///
    /// # Errors
    /// As [`above`](Self::above).
    ///
    /// ```
    /// use reparam::maps::{ScalarMap, ScalarScaledSquare};
    /// assert_eq!(ScalarScaledSquare::below(0.0, 1.0).unwrap().bounds(), (f64::NEG_INFINITY, 0.0));
    /// ```
    pub fn below(upper: T, scale: T) -> Result<Self> {
        check_finite("upper bounds", &[upper])?;
        Ok(Self {
            bound: upper,
            scale: check_scale(scale)?,
            side: -T::one(),
        })
    }

    pub(super) fn with_scale(self, scale: T) -> Result<Self> {
        Ok(Self {
            scale: check_scale(scale)?,
            ..self
        })
    }

    /// For [`Bounds`](super::Bounds), which has checked the bound.
    pub(super) fn by_default(bound: T, side: T) -> Self {
        Self {
            bound,
            scale: default_scale(bound),
            side,
        }
    }

    /// (u, s, hypot)/4: even s + hypot cannot overflow then, for any finite u and s.
    #[inline]
    fn quarter(&self, u: T) -> (T, T, T) {
        let quarter = T::lit(0.25);
        let (u, s) = (u * quarter, self.scale * quarter);
        (u, s, s.hypot(u))
    }

    /// √(d(d + 2s)), the factors apart since d² may overflow or vanish.
    #[inline]
    fn root(&self, d: T) -> T {
        let quarter = T::lit(0.25);
        T::lit(4.0) * (d * quarter).sqrt() * (d * quarter + self.scale * T::lit(0.5)).sqrt()
    }
}

impl<T: Scalar> ScalarMap<T> for ScalarScaledSquare<T> {
    fn name(&self) -> &'static str {
        "scaled square"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        if self.side > T::zero() {
            (self.bound, T::infinity())
        } else {
            (T::neg_infinity(), self.bound)
        }
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    #[inline]
    fn value(&self, u: T) -> T {
        let (v, s, r) = self.quarter(u);
        // a non-negative number is added (subtracted): rounding is monotone, so the bound holds exactly
        self.bound + self.side * (u * (v / (s + r)))
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        let (v, _, r) = self.quarter(u);
        self.side * (v / r)
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let (_, s, r) = self.quarter(u);
        let ratio = s / r;
        self.side * (ratio * ratio * (T::lit(0.25) / r))
    }
    #[inline]
    fn section(&self, _x: T, below: T, above: T) -> T {
        self.root(if self.side > T::zero() { below } else { above })
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let d = self.side * (x - self.bound);
        let s = self.scale;
        Some(d / (d + s) * ((d + s + s) / (d + s)))
    }
    #[inline]
    fn release(&self, distance: T) -> Option<T> {
        Some(self.root(distance))
    }
}
