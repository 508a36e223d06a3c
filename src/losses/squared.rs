//! ½(z − b)².

use super::{Loss, Weights, data_of};
use crate::{Result, Scalar};

/// The squared loss: Gaussian noise.
///
/// ```text
/// ℓᵢ(z) = ½(z − bᵢ)²      ℓᵢ′ = z − bᵢ      ℓᵢ″ = 1      ℓᵢ*(ν) = ½ν² + ν bᵢ
/// ```
///
/// Convex and quadratic.
///
/// ```
/// use reparam::losses::{Loss, Squared};
/// let loss = Squared::new(&[1.0, 2.0]).unwrap().with_weights(&[1.0, 4.0]).unwrap();
/// assert_eq!(loss.value(&[0.0, 1.0]), 2.5);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Squared<T> {
    data: Vec<T>,
    weights: Weights<T>,
}

impl<T: Scalar> Squared<T> {
    /// Data b of length m.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite).
    ///
    /// ```
    /// assert!(reparam::losses::Squared::new(&[f64::NAN]).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(b: &B) -> Result<Self> {
        Ok(Self {
            data: data_of("data", b.as_ref())?,
            weights: Weights(None),
        })
    }

    /// Weights wᵢ ≥ 0, one for each entry.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for a negative weight.
    ///
    /// ```
    /// assert!(reparam::losses::Squared::new(&[1.0]).unwrap().with_weights(&[-1.0]).is_err());
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.data.len(), w.as_ref())?;
        Ok(self)
    }

    /// b.
    ///
    /// ```
    /// assert_eq!(reparam::losses::Squared::new(&[1.0]).unwrap().data(), &[1.0]);
    /// ```
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// Whether there are weights.
    #[cfg(feature = "argmin")]
    pub(crate) fn is_weighted(&self) -> bool {
        self.weights.0.is_some()
    }
}

impl<T: Scalar> Squared<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        z - self.data[i]
    }
}

impl<T: Scalar> Loss<T> for Squared<T> {
    fn dim(&self) -> usize {
        self.data.len()
    }
    fn value(&self, z: &[T]) -> T {
        let sum = self.weights.sum(z.len(), |i| {
            let t = z[i] - self.data[i];
            t * t
        });
        T::lit(0.5) * sum
    }
    fn gradient(&self, z: &[T], r: &mut [T]) {
        self.weights.each(r, |i| self.slope(i, z[i]));
    }
    fn derivative(&self, i: usize, z: T) -> Option<T> {
        Some(self.weights.one(i, self.slope(i, z)))
    }
    fn residual(&self, z: &[T], r: &mut [T]) -> bool {
        for ((r, b), z) in r.iter_mut().zip(&self.data).zip(z) {
            *r = *b - *z;
        }
        true
    }
    fn curvature(&self, _z: &[T], d: &mut [T]) {
        self.weights.each(d, |_| T::one());
    }
    fn convex(&self) -> bool {
        true
    }
    fn quadratic(&self) -> bool {
        true
    }
    fn curvature_bound(&self) -> Option<T> {
        Some(self.weights.largest())
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        let half = T::lit(0.5);
        Some(self.weights.conjugate(nu, |i, v| v * (half * v + self.data[i])))
    }
}
