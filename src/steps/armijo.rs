//! Backtracking to a sufficient decrease.

use super::{Situation, StepRule, Verdict};
use crate::checks::check_positive;
use crate::lifted::Lifted;
use crate::{Result, Scalar};

/// The first of s, s/2, s/4, … with f(y + s v) ≤ f + 10⁻⁴ s ⟨∇, v⟩, the next search beginning at twice the last length.
///
/// The gradient flow with a line search: f decreases at every step, and steps out of the domain are shortened. About two evaluations per step.
///
/// Source: Armijo, Pacific J. Math. 1966.
///
/// ```
/// use reparam::{Integrate, flows::RiemannianFlow, integrators::Euler, maps::Squares, objectives::LeastSquares, steps::Armijo};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(Euler::new(RiemannianFlow::new(), Armijo::new(1.0).unwrap())).start_x0(0.1).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Armijo<T> {
    first: T,
    last: Option<T>,
}

impl<T: Scalar> Armijo<T> {
    /// With the first length to try.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless it is positive and finite.
    ///
    /// ```
    /// assert!(reparam::steps::Armijo::new(f64::NAN).is_err());
    /// ```
    pub fn new(first: T) -> Result<Self> {
        check_positive("step", first)?;
        Ok(Self { first, last: None })
    }
}

/// f(y + s v) ≤ reference + 10⁻⁴ s ⟨∇, v⟩, but for the rounding of f.
pub(super) fn sufficient<T: Scalar>(reference: T, now: &Situation<'_, T>, s: T, value: T) -> bool {
    let noise = T::lit(4.0) * T::epsilon() * reference.abs();
    value <= reference + T::lit(1e-4) * s * now.rate + noise
}

impl<T: Scalar> StepRule<T> for Armijo<T> {
    fn name(&self) -> &'static str {
        "Euler, Armijo steps"
    }
    fn length(&mut self, _: &mut Lifted<'_, T>, _: &Situation<'_, T>) -> Result<T> {
        Ok(self.last.map_or(self.first, |s| s + s))
    }
    fn verdict(&mut self, now: &Situation<'_, T>, s: T, value: Option<T>) -> Verdict<T> {
        if value.is_some_and(|v| sufficient(now.point.value, now, s, v)) {
            self.last = Some(s);
            return Verdict::Accept;
        }
        let shorter = s * T::lit(0.5);
        // shorter than a rounding of y: nothing will be gained
        let tiny = now
            .y
            .iter()
            .zip(now.velocity)
            .all(|(y, v)| (shorter * *v).abs() <= T::lit(0.25) * T::epsilon() * y.abs());
        if tiny {
            Verdict::GiveUp
        } else {
            Verdict::Retry(shorter)
        }
    }
    fn needs_gradient_flow(&self) -> bool {
        true
    }
    fn reset(&mut self) {
        self.last = None;
    }
}
