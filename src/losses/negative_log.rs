//! −log z.

use super::{Loss, Weights};
use crate::{Error, Result, Scalar};

/// The negative logarithm: the likelihood of mixture weights, or the growth of a portfolio.
///
/// ```text
/// ℓᵢ(z) = −log z      ℓᵢ′ = −1/z      ℓᵢ″ = 1/z²      ℓᵢ*(ν) = −1 − log(−ν)  for ν < 0
/// ```
///
/// Domain z > 0, +∞ elsewhere. Convex. With P the component densities at the data, −Σᵢ log (P w)ᵢ over the simplex
/// is maximum likelihood for mixture weights w; with P the returns of assets in each period, log-optimal growth.
///
/// ```
/// use reparam::losses::{Loss, NegativeLog};
/// let loss = NegativeLog::new(2).unwrap();
/// assert_eq!(loss.value(&[1.0, 1.0]), 0.0);
/// assert_eq!(loss.value(&[1.0, 0.0]), f64::INFINITY);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeLog<T> {
    m: usize,
    weights: Weights<T>,
}

impl<T: Scalar> NegativeLog<T> {
    /// m terms.
    ///
    /// # Errors
    /// [`Error::Empty`] when m is 0.
    ///
    /// ```
    /// assert!(reparam::losses::NegativeLog::<f64>::new(0).is_err());
    /// ```
    pub fn new(m: usize) -> Result<Self> {
        if m == 0 {
            return Err(Error::Empty { what: "data" });
        }
        Ok(Self {
            m,
            weights: Weights(None),
        })
    }

    /// Weights wᵢ ≥ 0 (how often an observation occurs, the probability of a scenario), one for each term.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Data`] for a negative weight.
    ///
    /// ```
    /// use reparam::losses::{Loss, NegativeLog};
    /// let loss = NegativeLog::new(2).unwrap().with_weights(&[0.0, 3.0]).unwrap();
    /// assert_eq!(loss.value(&[-1.0, 1.0]), 0.0);
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.m, w.as_ref())?;
        Ok(self)
    }
}

impl<T: Scalar> NegativeLog<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, _i: usize, z: T) -> T {
        -z.recip()
    }
}

impl<T: Scalar> Loss<T> for NegativeLog<T> {
    fn dim(&self) -> usize {
        self.m
    }
    fn value(&self, z: &[T]) -> T {
        self.weights.sum(z.len(), |i| {
            // the logarithm of a negative number would be NaN
            if z[i] <= T::zero() {
                T::infinity()
            } else {
                -z[i].ln()
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
        self.weights.each(d, |i| z[i].recip() / z[i]);
    }
    fn outside(&self, z: &[T]) -> Option<usize> {
        (0..z.len()).find(|i| self.weights.counts(*i) && z[*i] <= T::zero())
    }
    fn convex(&self) -> bool {
        true
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        Some(self.weights.conjugate(nu, |_, v| {
            if v < T::zero() {
                -T::one() - (-v).ln()
            } else {
                T::infinity()
            }
        }))
    }
}
