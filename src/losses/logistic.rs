//! log(1 + exp(−s z)).

use super::{Loss, Weights, nearly_within, signs_of, signs_of_binary, x_log_y};
use crate::{Result, Scalar};

/// The logistic loss: the negative log-likelihood of labels sᵢ = ±1 with P(sᵢ = 1) = 1/(1 + e^{−z}).
///
/// ```text
/// ℓᵢ(z) = log(1 + exp(−sᵢ z))      ℓᵢ′ = −sᵢ σ(−sᵢ z)      ℓᵢ″ = σ(z) σ(−z)      σ(t) = 1/(1 + e^{−t})
/// ℓᵢ*(ν) = p log p + (1−p) log(1−p)  with p = −sᵢ ν in [0, 1]
/// ```
///
/// Convex. No exponential overflows, whatever z.
///
/// ```
/// use reparam::losses::{Logistic, Loss};
/// let loss = Logistic::new(&[1.0, -1.0]).unwrap();
/// assert_eq!(loss.value(&[1e4, 1e4]), 1e4);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic<T> {
    signs: Vec<T>,
    weights: Weights<T>,
}

/// 1/(1 + e^{−t})
fn sigmoid<T: Scalar>(t: T) -> T {
    if t >= T::zero() {
        (T::one() + (-t).exp()).recip()
    } else {
        let e = t.exp();
        e / (T::one() + e)
    }
}

impl<T: Scalar> Logistic<T> {
    /// Labels −1 or 1.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for any other label.
    ///
    /// ```
    /// assert!(reparam::losses::Logistic::new(&[1.0, 0.0]).is_err());
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
    /// use reparam::losses::Logistic;
    /// assert_eq!(Logistic::from_binary(&[1.0, 0.0]).unwrap(), Logistic::new(&[1.0, -1.0]).unwrap());
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
    /// use reparam::losses::{Logistic, Loss};
    /// let loss = Logistic::new(&[1.0]).unwrap().with_weights(&[3.0]).unwrap();
    /// assert_eq!(loss.curvature_bound(), Some(0.75));
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.signs.len(), w.as_ref())?;
        Ok(self)
    }
}

impl<T: Scalar> Logistic<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        let s = self.signs[i];
        -s * sigmoid(-s * z)
    }
}

impl<T: Scalar> Loss<T> for Logistic<T> {
    fn dim(&self) -> usize {
        self.signs.len()
    }
    fn value(&self, z: &[T]) -> T {
        self.weights.sum(z.len(), |i| {
            let t = self.signs[i] * z[i];
            if t > T::zero() {
                (-t).exp().ln_1p()
            } else {
                t.exp().ln_1p() - t
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
        self.weights.each(d, |i| sigmoid(z[i]) * sigmoid(-z[i]));
    }
    fn convex(&self) -> bool {
        true
    }
    fn curvature_bound(&self) -> Option<T> {
        Some(T::lit(0.25) * self.weights.largest())
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        Some(self.weights.conjugate(nu, |i, v| {
            nearly_within(-self.signs[i] * v, T::zero(), T::one()).map_or_else(T::infinity, |p| {
                x_log_y(p, p) + x_log_y(T::one() - p, T::one() - p)
            })
        }))
    }
}
