//! Quadratic near the data, linear far away.

use super::{Loss, Weights, data_of, nearly_within};
use crate::{Error, Result, Scalar};

/// The Huber loss: least squares that an outlier cannot dominate.
///
/// ```text
/// t = z − bᵢ      ℓᵢ(z) = ½t²  for |t| ≤ δ,   δ|t| − ½δ²  beyond
/// ℓᵢ′ = clamp(t, −δ, δ)      ℓᵢ″ = 1 for |t| ≤ δ, 0 beyond      ℓᵢ*(ν) = ½ν² + ν bᵢ for |ν| ≤ δ, +∞ beyond
/// ```
///
/// Convex, once differentiable. Source: P. J. Huber, *Robust estimation of a location parameter*, Ann. Math.
/// Statist. 35 (1964).
///
/// ```
/// use reparam::losses::{Huber, Loss};
/// let loss = Huber::new(&[0.0, 0.0], 1.0).unwrap();
/// assert_eq!(loss.value(&[0.5, 10.0]), 0.125 + 9.5);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Huber<T> {
    data: Vec<T>,
    delta: T,
    weights: Weights<T>,
}

impl<T: Scalar> Huber<T> {
    /// Data b of length m and the threshold δ > 0.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`]; [`Error::Setting`] unless δ is positive and finite.
    ///
    /// ```
    /// assert!(reparam::losses::Huber::new(&[1.0], 0.0).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(b: &B, delta: T) -> Result<Self> {
        if !delta.is_finite() || delta <= T::zero() {
            return Err(Error::Setting {
                name: "delta",
                why: "must be positive and finite",
            });
        }
        Ok(Self {
            data: data_of("data", b.as_ref())?,
            delta,
            weights: Weights(None),
        })
    }

    /// Weights wᵢ ≥ 0, one for each entry.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Data`] for a negative weight.
    ///
    /// ```
    /// use reparam::losses::{Huber, Loss};
    /// let loss = Huber::new(&[0.0, 0.0], 1.0).unwrap().with_weights(&[0.0, 2.0]).unwrap();
    /// assert_eq!(loss.value(&[7.0, 1.0]), 1.0);
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.data.len(), w.as_ref())?;
        Ok(self)
    }
}

impl<T: Scalar> Huber<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        let t = z - self.data[i];
        // comparisons, so that NaN stays NaN
        if t > self.delta {
            self.delta
        } else if t < -self.delta {
            -self.delta
        } else {
            t
        }
    }
}

impl<T: Scalar> Loss<T> for Huber<T> {
    fn dim(&self) -> usize {
        self.data.len()
    }
    fn value(&self, z: &[T]) -> T {
        let half = T::lit(0.5);
        self.weights.sum(z.len(), |i| {
            let t = (z[i] - self.data[i]).abs();
            if t <= self.delta {
                half * t * t
            } else {
                self.delta * (t - half * self.delta)
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
            if (z[i] - self.data[i]).abs() <= self.delta {
                T::one()
            } else {
                T::zero()
            }
        });
    }
    fn convex(&self) -> bool {
        true
    }
    fn curvature_bound(&self) -> Option<T> {
        Some(self.weights.largest())
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        let half = T::lit(0.5);
        Some(self.weights.conjugate(nu, |i, v| {
            nearly_within(v, -self.delta, self.delta)
                .map_or_else(T::infinity, |v| v * (half * v + self.data[i]))
        }))
    }
}
