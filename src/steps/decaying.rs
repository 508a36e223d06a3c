//! s_k = η/(k+2)^γ.

use super::{Situation, StepRule};
use crate::checks::check_positive;
use crate::lifted::Lifted;
use crate::{Error, Result, Scalar};

/// Decaying lengths, 0 ≤ γ < 1 so that their sum diverges.
///
/// ```text
/// s_k = η/(k+2)^γ, k from 0      f_k − f* ≤ D(z, x₀)/Σ_{j<k} s_j for small η
/// ```
///
/// The bound falls like k^{γ−1}; the error itself is often flatter early and steeper late.
///
/// Source: Chou et al., AISTATS 2025.
///
/// ```
/// use reparam::steps::Decaying;
/// assert!(Decaying::new(0.1, 0.5).is_ok());
/// assert!(Decaying::new(0.1, 1.0).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Decaying<T> {
    length: T,
    exponent: T,
}

impl<T: Scalar> Decaying<T> {
    /// η and γ.
    ///
    /// # Errors
    /// [`Error::Setting`] unless η is positive and finite and 0 ≤ γ < 1.
    ///
    /// ```
    /// assert!(reparam::steps::Decaying::new(-0.1, 0.5).is_err());
    /// ```
    pub fn new(length: T, exponent: T) -> Result<Self> {
        check_positive("step", length)?;
        if exponent.is_nan() || exponent < T::zero() || exponent >= T::one() {
            return Err(Error::Setting {
                name: "decay",
                why: "must be in [0, 1): the sum of the steps must diverge",
            });
        }
        Ok(Self { length, exponent })
    }

    /// s_k.
    pub(crate) fn at(&self, k: usize) -> T {
        if self.exponent == T::zero() {
            self.length
        } else {
            self.length / T::count(k + 2).powf(self.exponent)
        }
    }
}

impl<T: Scalar> StepRule<T> for Decaying<T> {
    fn name(&self) -> &'static str {
        "Euler, decaying steps"
    }
    fn length(&mut self, _: &mut Lifted<'_, T>, now: &Situation<'_, T>) -> Result<T> {
        Ok(self.at(now.k))
    }
}
