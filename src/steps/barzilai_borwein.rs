//! Barzilai–Borwein lengths, from the curvature along the last step.

use super::armijo::sufficient;
use super::{Situation, StepRule, Verdict};
use crate::checks::check_positive;
use crate::lifted::Lifted;
use crate::{Result, Scalar};

/// Which of the two lengths.
///
/// ```
/// assert_ne!(reparam::steps::Kind::Long, reparam::steps::Kind::Short);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Kind {
    /// ⟨Δ, Δ⟩/⟨Δ, Δ∇⟩.
    Long,
    /// ⟨Δ, Δ∇⟩/⟨Δ∇, Δ∇⟩.
    Short,
    /// One, then the other.
    Alternating,
}

/// The rule of Barzilai & Borwein on the lift: Δ = y − y₋, and Δ∇ = −(v − v₋) the change of the (scaled) lifted gradient.
///
/// ```text
/// in u: long ⟨Δu, Δu⟩/⟨Δu, Δ∇F⟩      short ⟨Δu, Δ∇F⟩/⟨Δ∇F, Δ∇F⟩
/// ```
///
/// The curvature along Δu is that of F = f∘φ, not ‖AΔ‖²: the two differ by the metric and by ∇f. Where it is not positive (F is not
/// convex) the last length is doubled. f need not decrease from step to step, but must fall below the largest of the last ten values
/// (Grippo, Lampariello & Lucidi 1986), or the step is halved.
///
/// Source: Barzilai & Borwein, IMA J. Numer. Anal. 1988; Raydan, SIAM J. Optim. 1997.
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::Euler, maps::Squares, objectives::LeastSquares};
/// use reparam::steps::{BarzilaiBorwein, Kind};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(Euler::new(GradientFlow::new(), BarzilaiBorwein::new(Kind::Long, 0.1).unwrap()))
///     .start_u0(0.1).run().unwrap();
/// assert!(run.solution.status.is_solved() && run.solution.iterations < 40);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BarzilaiBorwein<T> {
    kind: Kind,
    first: T,
    last: T,
    y: Vec<T>,
    velocity: Vec<T>,
    /// The last values of f, the oldest overwritten.
    recent: Vec<T>,
}

/// How many past values of f the search compares with.
const RECENT: usize = 10;

impl<T: Scalar> BarzilaiBorwein<T> {
    /// With the length of the first step.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless it is positive and finite.
    ///
    /// ```
    /// use reparam::steps::{BarzilaiBorwein, Kind};
    /// assert!(BarzilaiBorwein::new(Kind::Short, 0.0).is_err());
    /// ```
    pub fn new(kind: Kind, first: T) -> Result<Self> {
        check_positive("step", first)?;
        Ok(Self {
            kind,
            first,
            last: first,
            y: Vec::new(),
            velocity: Vec::new(),
            recent: Vec::new(),
        })
    }
}

impl<T: Scalar> StepRule<T> for BarzilaiBorwein<T> {
    fn name(&self) -> &'static str {
        "Euler, Barzilai–Borwein steps"
    }
    fn length(&mut self, _: &mut Lifted<'_, T>, now: &Situation<'_, T>) -> Result<T> {
        let mut s = self.first;
        if self.y.is_empty() {
            self.recent.clear();
        } else {
            let (mut yy, mut yv, mut vv) = (T::zero(), T::zero(), T::zero());
            for j in 0..now.y.len() {
                let (dy, dv) = (now.y[j] - self.y[j], self.velocity[j] - now.velocity[j]);
                yy += dy * dy;
                yv += dy * dv;
                vv += dv * dv;
            }
            let long = match self.kind {
                Kind::Long => true,
                Kind::Short => false,
                Kind::Alternating => now.k.is_multiple_of(2),
            };
            let length = if long { yy / yv } else { yv / vv };
            s = if yv > T::zero() && length.is_finite() && length > T::zero() {
                length
            } else {
                self.last + self.last
            };
        }
        self.y.clear();
        self.y.extend_from_slice(now.y);
        self.velocity.clear();
        self.velocity.extend_from_slice(now.velocity);
        if self.recent.len() < RECENT {
            self.recent.push(now.point.value);
        } else {
            self.recent[now.k % RECENT] = now.point.value;
        }
        Ok(s)
    }
    fn verdict(&mut self, now: &Situation<'_, T>, s: T, value: Option<T>) -> Verdict<T> {
        let highest = self.recent.iter().fold(now.point.value, |m, v| m.max(*v));
        if value.is_some_and(|v| sufficient(highest, now, s, v)) {
            self.last = s;
            return Verdict::Accept;
        }
        let shorter = s * T::lit(0.5);
        if shorter < T::epsilon() * T::epsilon() * self.first {
            Verdict::GiveUp
        } else {
            Verdict::Retry(shorter)
        }
    }
    fn needs_gradient_flow(&self) -> bool {
        true
    }
    fn reset(&mut self) {
        self.y.clear();
        self.last = self.first;
    }
}
