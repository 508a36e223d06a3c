//! Explicit Euler steps.

use super::Integrator;
use super::path::{Path, require_first_order};
use crate::flows::{Flow, Space, Trial, evaluate};
use crate::lifted::{Lifted, Point};
use crate::linalg::dot;
use crate::methods::{Method, Step};
use crate::steps::{Constant, Situation, StepRule, Verdict};
use crate::{Result, Scalar};

/// The explicit Euler scheme y₊ = y + s·v(t, y), t₊ = t + s, for any flow, with a [rule](crate::steps) for s.
///
/// Of a gradient flow in u this is gradient descent on f∘φ; of the flow in x, gradient descent in the metric J Jᵀ, which must stay in
/// the open set. One evaluation per step (and one per refused trial of a line search).
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::Euler, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(Euler::constant(GradientFlow::per_factor(2).unwrap(), 0.2).unwrap())
///     .start_u0(0.1).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Euler<F, S, T> {
    flow: F,
    rule: S,
    path: Path<T>,
    k: usize,
}

impl<T: Scalar, F: Flow<T>> Euler<F, Constant<T>, T> {
    /// With a constant length η.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::Euler};
    /// assert!(Euler::constant(GradientFlow::new(), 0.0).is_err());
    /// ```
    pub fn constant(flow: F, length: T) -> Result<Self> {
        Ok(Self::new(flow, Constant::new(length)?))
    }
}

impl<T: Scalar, F: Flow<T>, S: StepRule<T>> Euler<F, S, T> {
    /// With any rule.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::Euler, methods::Method, steps::Constant};
    /// let euler = Euler::new(GradientFlow::new(), Constant::new(0.1).unwrap());
    /// assert_eq!(euler.name(), "Euler, constant steps");
    /// ```
    pub fn new(flow: F, rule: S) -> Self {
        Self {
            flow,
            rule,
            path: Path::new(),
            k: 0,
        }
    }
}

impl<T: Scalar, F: Flow<T>, S: StepRule<T>> Method<T> for Euler<F, S, T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        self.rule.name()
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut next = self.path.next.take().unwrap_or_else(|| point.clone());
        let path = &mut self.path;
        let rate = match (self.flow.gradient_scale(), self.flow.space()) {
            (None, _) => T::nan(),
            (_, Space::U) => dot(&point.gradient, &path.slope),
            (_, Space::X) => dot(&point.g, &path.slope),
        };
        let now = Situation {
            k: self.k,
            point,
            y: &path.y,
            velocity: &path.slope,
            rate,
        };
        let mut s = self.rule.length(lifted, &now)?;
        let mut outcome = Step::Stalled;
        let mut accepted = None;
        for _ in 0..200 {
            if !s.is_finite() || s <= T::zero() {
                break;
            }
            let (step, cut) = path.cut(s);
            for ((o, y), v) in path.trial.iter_mut().zip(&path.y).zip(&path.slope) {
                *o = *y + step * *v;
            }
            let t = path.t + step;
            let trial = evaluate(
                &mut self.flow,
                lifted,
                t,
                &path.y,
                &path.trial,
                &mut next,
                &mut path.trial_slope,
            )?;
            outcome = match trial {
                Trial::Fine => Step::Stalled,
                Trial::Outside => Step::LeftDomain,
                Trial::NotFinite => Step::NotFinite,
            };
            let value = (trial == Trial::Fine).then_some(next.value);
            match self.rule.verdict(&now, step, value) {
                Verdict::Accept if value.is_some() => {
                    accepted = Some((step, cut));
                    break;
                }
                Verdict::Retry(shorter) => s = shorter,
                Verdict::Accept | Verdict::GiveUp => break,
            }
        }
        self.path.next = Some(next);
        Ok(match accepted {
            Some((step, cut)) => {
                let t = self.path.reached(step, cut);
                self.path.accept(t, point);
                self.k += 1;
                Step::Moved
            }
            None => outcome,
        })
    }

    fn reset(&mut self) {
        self.path.begun = false;
        self.rule.reset();
        self.k = 0;
    }
}

impl<T: Scalar, F: Flow<T>, S: StepRule<T>> Integrator<T> for Euler<F, S, T> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if !self.path.begun && self.rule.needs_gradient_flow() {
            require_first_order(&self.flow, point)?;
        }
        self.path.begin(&mut self.flow, lifted, point)?;
        Ok(())
    }
    super::path::along_path!();
}
