//! z − y log z.

use super::{Loss, Weights, data_of, x_log_y};
use crate::checks::check_each;
use crate::{Result, Scalar};

/// The Poisson loss of counts yᵢ ≥ 0 with mean z; shifted by a constant, the Kullback–Leibler divergence.
///
/// ```text
/// Poisson             ℓᵢ(z) = z − yᵢ log z
/// Kullback–Leibler    ℓᵢ(z) = z − yᵢ + yᵢ log(yᵢ/z)  ≥ 0
/// ℓᵢ′ = 1 − yᵢ/z      ℓᵢ″ = yᵢ/z²
/// ℓᵢ*(ν) = yᵢ log(yᵢ/(1−ν)) − yᵢ  for ν < 1   (Kullback–Leibler: −yᵢ log(1−ν))
/// ```
///
/// The domain is z > 0; where yᵢ = 0 the logarithm is absent and z = 0 belongs to it. +∞ elsewhere. The constant
/// log yᵢ! is left out. Counts need not be whole numbers. Convex.
///
/// ```
/// use reparam::losses::{Loss, Poisson};
/// let loss = Poisson::new(&[0.0, 2.0]).unwrap();
/// assert_eq!(loss.value(&[0.0, 1.0]), 1.0);
/// assert_eq!(loss.value(&[0.0, 0.0]), f64::INFINITY);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Poisson<T> {
    counts: Vec<T>,
    divergence: bool,
    weights: Weights<T>,
}

impl<T: Scalar> Poisson<T> {
    /// The negative log-likelihood of counts y.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for a negative count.
    ///
    /// ```
    /// assert!(reparam::losses::Poisson::new(&[-1.0]).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(counts: &B) -> Result<Self> {
        let counts = data_of("counts", counts.as_ref())?;
        check_each("counts", &counts, "must not be negative", |v| v >= T::zero())?;
        Ok(Self {
            counts,
            divergence: false,
            weights: Weights(None),
        })
    }

    /// The divergence of z from y: the same gradient, the least value 0 at z = y.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use reparam::losses::{Loss, Poisson};
    /// assert_eq!(Poisson::kullback_leibler(&[3.0]).unwrap().value(&[3.0]), 0.0);
    /// ```
    pub fn kullback_leibler<B: AsRef<[T]> + ?Sized>(counts: &B) -> Result<Self> {
        Ok(Self {
            divergence: true,
            ..Self::new(counts)?
        })
    }

    /// Weights wᵢ ≥ 0, one for each count.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for a negative weight.
    ///
    /// ```
    /// use reparam::losses::{Loss, Poisson};
    /// let loss = Poisson::new(&[0.0, 2.0]).unwrap().with_weights(&[5.0, 0.0]).unwrap();
    /// assert_eq!(loss.value(&[2.0, -1.0]), 10.0);
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.counts.len(), w.as_ref())?;
        Ok(self)
    }
}

impl<T: Scalar> Poisson<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        if self.counts[i] == T::zero() {
            T::one()
        } else {
            T::one() - self.counts[i] / z
        }
    }
}

impl<T: Scalar> Loss<T> for Poisson<T> {
    fn dim(&self) -> usize {
        self.counts.len()
    }
    fn value(&self, z: &[T]) -> T {
        self.weights.sum(z.len(), |i| {
            let (y, z) = (self.counts[i], z[i]);
            if z < T::zero() || (z == T::zero() && y > T::zero()) {
                T::infinity()
            } else if y == T::zero() {
                z
            } else if self.divergence {
                // y (s − log(1 + s)) with s = z/y − 1: exact near z = y
                let s = (z - y) / y;
                if s.abs() < T::lit(0.5) {
                    y * (s - s.ln_1p())
                } else {
                    z - y + y * (y.ln() - z.ln())
                }
            } else {
                z - y * z.ln()
            }
        })
    }
    fn gradient(&self, z: &[T], r: &mut [T]) {
        self.weights.each(r, |i| self.slope(i, z[i]));
    }
    fn derivative(&self, i: usize, z: T) -> Option<T> {
        Some(self.weights.one(i, self.slope(i, z)))
    }
    fn curvature(&self, z: &[T], d: &mut [T]) {
        self.weights.each(d, |i| {
            if self.counts[i] == T::zero() {
                T::zero()
            } else {
                self.counts[i] / z[i] / z[i]
            }
        });
    }
    fn outside(&self, z: &[T]) -> Option<usize> {
        let refused = |i: usize| z[i] < T::zero() || (z[i] == T::zero() && self.counts[i] > T::zero());
        (0..z.len()).find(|i| self.weights.counts(*i) && refused(*i))
    }
    fn convex(&self) -> bool {
        true
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        Some(self.weights.conjugate(nu, |i, v| {
            let (y, s) = (self.counts[i], T::one() - v);
            if s < T::zero() || (s == T::zero() && y > T::zero()) {
                T::infinity()
            } else if self.divergence {
                -x_log_y(y, s)
            } else {
                x_log_y(y, y) - x_log_y(y, s) - y
            }
        }))
    }
}
