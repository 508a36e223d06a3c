//! φ(u) = lo + |u|^L, onto x ≥ lo.

use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_finite, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Error, Result, Scalar};

/// Powers: $`x_j = lo_j + |u_j|^L`$ with an integer $`L \ge 2`$, onto $`\{x \ge lo\}`$.
///
/// ```math
/// \begin{aligned}
/// \varphi' &= L\, |u|^{L-1} \operatorname{sgn} u & \varphi'' &= L (L - 1)\, |u|^{L-2} \\
/// \varphi'^2 &= L^2\, (x - lo)^{2 - 2/L} & u &= (x - lo)^{1/L}
/// \end{aligned}
/// ```
///
/// The overparametrisation of depth L of Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola (AISTATS 2025), with
/// equal factors: from a small start the flow prefers sparse x, the more so the larger L. That is what L ≥ 3 is for.
/// As a mere constraint use L = 2 ([`Squares`](super::Squares)): for L ≥ 3 the second derivative vanishes on the
/// boundary too, a second-order test no longer sees a multiplier of the wrong sign (hence
/// [`Landscape::Experimental`]), and the escape from a small u slows down without bound.
///
/// ```
/// use reparam::maps::{Landscape, Power, Reparametrization};
/// let map = Power::<f64>::new(2, 4).unwrap();
/// let mut x = [0.0; 2];
/// map.apply(&[2.0, -1.0], &mut x, &mut []);
/// assert_eq!(x, [16.0, 1.0]);
/// assert_eq!(map.landscape(), Landscape::Experimental);
/// ```
pub type Power<T> = Separable<T, ScalarPower<T>>;

/// One coordinate of [`Power`]: lo + |u|^L.
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarPower};
/// assert_eq!(ScalarPower::new(1.0, 3).unwrap().value(-2.0), 9.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarPower<T> {
    lower: T,
    exponent: i32,
}

fn checked_exponent(exponent: u32) -> Result<i32> {
    match i32::try_from(exponent) {
        Ok(l) if l >= 2 => Ok(l),
        Ok(_) => Err(Error::Setting {
            name: "exponent",
            why: "must be at least 2: |u|^L is smooth and onto for L ≥ 2 only",
        }),
        Err(_) => Err(Error::Setting {
            name: "exponent",
            why: "is too large",
        }),
    }
}

impl<T: Scalar> Separable<T, ScalarPower<T>> {
    /// |u|^exponent, onto {x ∈ Rⁿ : x ≥ 0}.
    ///
    /// # Errors
    /// [`Error::Setting`] for an exponent below 2.
    ///
    /// ```
    /// assert!(reparam::maps::Power::<f64>::new(3, 1).is_err());
    /// ```
    pub fn new(dim: usize, exponent: u32) -> Result<Self> {
        Self::same(ScalarPower::new(T::zero(), exponent)?, dim)
    }

    /// lower + |u|^exponent, onto {x : x ≥ lower}.
    ///
    /// # Errors
    /// [`Error::Setting`] for an exponent below 2; [`Error::Empty`], [`Error::NotFinite`] for the bounds.
    ///
    /// ```
    /// assert!(reparam::maps::Power::with_lower(vec![0.0, 1.0], 3).is_ok());
    /// ```
    pub fn with_lower(lower: Vec<T>, exponent: u32) -> Result<Self> {
        check_not_empty("the lower bounds", lower.len())?;
        check_finite("lower bounds", &lower)?;
        let (dim, exponent) = (lower.len(), checked_exponent(exponent)?);
        let maps = lower
            .into_iter()
            .map(|lower| ScalarPower { lower, exponent })
            .collect();
        Ok(Self::trusted(PerCoordinate::Each(maps), dim))
    }
}

impl<T: Scalar> ScalarPower<T> {
    /// lower + |u|^exponent.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for the bound, [`Error::Setting`] for an exponent below 2.
    ///
    /// ```
    /// assert!(reparam::maps::ScalarPower::new(0.0, 0).is_err());
    /// ```
    pub fn new(lower: T, exponent: u32) -> Result<Self> {
        check_finite("lower bounds", &[lower])?;
        Ok(Self {
            lower,
            exponent: checked_exponent(exponent)?,
        })
    }

    /// d^{1/L} to a rounding or two, from 0 to the largest number.
    fn root(&self, d: T) -> T {
        match self.exponent {
            2 => d.sqrt(),
            3 => d.cbrt(),
            4 => d.sqrt().sqrt(),
            l => {
                let l = T::lit(f64::from(l));
                let u = d.powf(T::one() / l);
                // 1/L is rounded, which the exponent of an extreme d magnifies: one Newton step
                let correction = (d / u.powi(self.exponent) - T::one()) / l;
                if correction.abs() < T::lit(0.1) {
                    u + u * correction
                } else {
                    u
                }
            }
        }
    }
}

impl<T: Scalar> ScalarMap<T> for ScalarPower<T> {
    fn name(&self) -> &'static str {
        "power"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.lower, T::infinity())
    }
    fn landscape(&self) -> Landscape {
        if self.exponent == 2 {
            Landscape::SecondOrder
        } else {
            Landscape::Experimental
        }
    }
    fn reaches_bounds(&self) -> bool {
        true
    }
    #[inline]
    fn value(&self, u: T) -> T {
        self.lower + u.abs().powi(self.exponent)
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        T::lit(f64::from(self.exponent)) * u.abs().powi(self.exponent - 2) * u
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        let l = f64::from(self.exponent);
        T::lit(l * (l - 1.0)) * u.abs().powi(self.exponent - 2)
    }
    fn section(&self, _x: T, below: T, _above: T) -> T {
        self.root(below)
    }
    fn squared_slope(&self, x: T) -> Option<T> {
        let d = x - self.lower;
        if d == T::zero() {
            return Some(d);
        }
        let slope = T::lit(f64::from(self.exponent)) * (d / self.root(d)); // L u^{L−1}
        Some(slope * slope)
    }
    fn release(&self, distance: T) -> Option<T> {
        Some(self.root(distance))
    }
}
