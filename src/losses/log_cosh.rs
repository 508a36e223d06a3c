//! log cosh(z − b).

use super::{Loss, Weights, data_of, nearly_within, x_log_y};
use crate::{Result, Scalar};

/// The log-cosh loss: a smooth |z − b|.
///
/// ```text
/// t = z − bᵢ      ℓᵢ(z) = log cosh t      ℓᵢ′ = tanh t      ℓᵢ″ = 1/cosh² t
/// ℓᵢ*(ν) = ν bᵢ + ½[(1+ν) log(1+ν) + (1−ν) log(1−ν)]  for |ν| ≤ 1
/// ```
///
/// Convex. Evaluated as |t| + log(1 + e^{−2|t|}) − log 2 far from 0 and as ½ log(1 + sinh² t) near it, so that
/// nothing overflows and small values keep their digits.
///
/// ```
/// use reparam::losses::{LogCosh, Loss};
/// let loss = LogCosh::new(&[0.0]).unwrap();
/// assert_eq!(loss.value(&[1e6]), 1e6 - std::f64::consts::LN_2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LogCosh<T> {
    data: Vec<T>,
    weights: Weights<T>,
}

impl<T: Scalar> LogCosh<T> {
    /// Data b of length m.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite).
    ///
    /// ```
    /// assert!(reparam::losses::LogCosh::<f64>::new(&[]).is_err());
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
    /// assert!(reparam::losses::LogCosh::new(&[1.0]).unwrap().with_weights(&[1.0, 1.0]).is_err());
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(mut self, w: &W) -> Result<Self> {
        self.weights = Weights::new(self.data.len(), w.as_ref())?;
        Ok(self)
    }
}

impl<T: Scalar> LogCosh<T> {
    /// ℓᵢ′ without its weight.
    #[inline]
    fn slope(&self, i: usize, z: T) -> T {
        (z - self.data[i]).tanh()
    }
}

impl<T: Scalar> Loss<T> for LogCosh<T> {
    fn dim(&self) -> usize {
        self.data.len()
    }
    fn value(&self, z: &[T]) -> T {
        let (half, two) = (T::lit(0.5), T::lit(2.0));
        let ln_2 = T::lit(std::f64::consts::LN_2);
        self.weights.sum(z.len(), |i| {
            let t = (z[i] - self.data[i]).abs();
            if t < T::one() {
                let s = t.sinh();
                half * (s * s).ln_1p()
            } else {
                t + ((-two * t).exp().ln_1p() - ln_2)
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
            let c = (z[i] - self.data[i]).cosh().recip();
            c * c
        });
    }
    fn convex(&self) -> bool {
        true
    }
    fn curvature_bound(&self) -> Option<T> {
        Some(self.weights.largest())
    }
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        let (half, one) = (T::lit(0.5), T::one());
        Some(self.weights.conjugate(nu, |i, v| {
            nearly_within(v, -one, one).map_or_else(T::infinity, |v| {
                v * self.data[i] + half * (x_log_y(one + v, one + v) + x_log_y(one - v, one - v))
            })
        }))
    }
}
