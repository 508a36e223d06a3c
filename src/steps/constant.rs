//! s = η.

use super::{Situation, StepRule};
use crate::checks::check_positive;
use crate::lifted::Lifted;
use crate::{Result, Scalar};

/// A constant length η.
///
/// With small η the iterates of the per-factor flow keep f_k − f* ≤ D(z, x₀)/(kη); with too large an η the iterates leave the orthant or diverge,
/// without warning. A gradient flow in u is stable at a solution for η < 2/λ with λ the largest eigenvalue of s∇²F, about
/// s·max_j L² x_j^q ‖a_j‖² and more.
///
/// ```
/// use reparam::steps::{Constant, StepRule};
/// assert!(Constant::new(0.0).is_err());
/// assert_eq!(StepRule::<f64>::name(&Constant::new(0.1).unwrap()), "Euler, constant steps");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Constant<T> {
    length: T,
}

impl<T: Scalar> Constant<T> {
    /// η.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite.
    ///
    /// ```
    /// assert!(reparam::steps::Constant::new(f64::NAN).is_err());
    /// ```
    pub fn new(length: T) -> Result<Self> {
        check_positive("step", length)?;
        Ok(Self { length })
    }
}

impl<T: Scalar> StepRule<T> for Constant<T> {
    fn name(&self) -> &'static str {
        "Euler, constant steps"
    }
    fn length(&mut self, _: &mut Lifted<'_, T>, _: &Situation<'_, T>) -> Result<T> {
        Ok(self.length)
    }
}
