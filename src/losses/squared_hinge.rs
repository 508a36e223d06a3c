//! ½ max(0, 1 − s z)².

use super::{Loss, Weights, signs_of, signs_of_binary};
use crate::{Result, Scalar};

/// The squared hinge loss of labels sᵢ = ±1: a support vector machine with a differentiable margin.
///
/// ```text
/// ℓᵢ(z) = ½ max(0, 1 − sᵢ z)²      ℓᵢ′ = −sᵢ max(0, 1 − sᵢ z)      ℓᵢ″ = 1 where sᵢ z < 1, else 0
/// ℓᵢ*(ν) = q + ½q²  with q = sᵢ ν ≤ 0
/// ```
///
/// Convex, once differentiable. (Some texts leave out the factor ½.)
///
/// ```
/// use reparam::losses::{Loss, SquaredHinge};
/// let loss = SquaredHinge::new(&[1.0, -1.0]).unwrap();
/// assert_eq!(loss.value(&[2.0, 1.0]), 2.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SquaredHinge<T> {
    signs: Vec<T>,
    weights: Weights<T>,
}

impl<T: Scalar> SquaredHinge<T> {
    /// Labels −1 or 1.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for any other label.
    ///
    /// ```
    /// assert!(reparam::losses::SquaredHinge::new(&[2.0]).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(labels: &B) -> Result<Self> {
        Ok(Self {
            signs: signs_of(labels.as_ref())?,
            weights: Weights(None),
        })
    }

    /// Labels 0 or 1.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use reparam::losses::SquaredHinge;
    /// assert_eq!(SquaredHinge::from_binary(&[0.0]).unwrap(), SquaredHinge::new(&[-1.0]).unwrap());
    /// ```
    pub fn from_binary<B: AsRef<[T]> + ?Sized>(labels: &B) -> Result<Self> {
        Ok(Self {
            signs: signs_of_binary(labels.as_ref())?,
            weights: Weights(None),
        })
    }

    /// Weights wᵢ ≥ 0, one for each label.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for a negative weight.
    ///
    /// ```
    /// use reparam::losses::{Loss, SquaredHinge};
    /// let loss = SquaredHinge::new(&[1.0]).unwrap().with_weights(&[2.0]).unwrap();
    /// assert_eq!(loss.value(&[0.0]), 1.0);
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.signs.len(), w.as_ref())?;
        Ok(self)
    }
}

/// max(0, 1 − t), NaN for NaN.
fn short_of_one<T: Scalar>(t: T) -> T {
    if t >= T::one() { T::zero() } else { T::one() - t }
}

impl<T: Scalar> SquaredHinge<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        let s = self.signs[i];
        -s * short_of_one(s * z)
    }
}

impl<T: Scalar> Loss<T> for SquaredHinge<T> {
    fn dim(&self) -> usize {
        self.signs.len()
    }
    fn value(&self, z: &[T]) -> T {
        let sum = self.weights.sum(z.len(), |i| {
            let h = short_of_one(self.signs[i] * z[i]);
            h * h
        });
        T::lit(0.5) * sum
    }
    fn gradient(&self, z: &[T], r: &mut [T]) {
        self.weights.each(r, |i| self.slope(i, z[i]));
    }
    fn derivative(&self, i: usize, z: T) -> Option<T> {
        Some(self.weights.one(i, self.slope(i, z)))
    }
    fn curvature(&self, z: &[T], d: &mut [T]) {
        self.weights.each(d, |i| {
            if self.signs[i] * z[i] >= T::one() {
                T::zero()
            } else {
                T::one()
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
            let q = self.signs[i] * v;
            if q <= T::zero() {
                q + half * q * q
            } else {
                T::infinity()
            }
        }))
    }
}
