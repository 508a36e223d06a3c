//! Step lengths: rules for explicit Euler steps, and step-size control for the other schemes.
//!
//! | rule | length | for |
//! |---|---|---|
//! | [`Constant`] | η | any flow |
//! | [`Decaying`] | η/(k+2)^γ | any flow |
//! | [`Armijo`] | the longest of a falling sequence with sufficient decrease | gradient flows |
//! | [`BarzilaiBorwein`] | ⟨Δ,Δ⟩/⟨Δ,Δ∇F⟩, or ⟨Δ,Δ∇F⟩/⟨Δ∇F,Δ∇F⟩ | gradient flows |
//! | [`PublishedBarzilaiBorwein`] | ‖Δ‖²/‖AΔ‖², or ‖AΔ‖²/‖Δ∇f‖² | reproduction of the paper |
//! | [`Backtracking`] | halved when refused, doubled after a while | accelerated and stochastic schemes |
//!
//! A length is a length of time: the step is y₊ = y + s·v(t, y), and t₊ = t + s. The flow decides which gradient v is: the full one, or per
//! factor, L times shorter. A new rule is one file here.

mod armijo;
mod backtracking;
mod barzilai_borwein;
mod constant;
mod decaying;
mod published;

pub use armijo::Armijo;
pub use backtracking::Backtracking;
pub use barzilai_borwein::{BarzilaiBorwein, Kind};
pub use constant::Constant;
pub use decaying::Decaying;
pub use published::PublishedBarzilaiBorwein;

use crate::lifted::{Lifted, Point};
use crate::{Result, Scalar};

/// The state before a step, as a rule receives it.
///
/// ```
/// use reparam::{lifted::Point, maps::Squares, steps::Situation};
/// let point = Point::new(&Squares::new(1), &[1.0]);
/// let now = Situation { k: 0, point: &point, y: &[1.0], velocity: &[-2.0], rate: -4.0 };
/// assert_eq!(now.k, 0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Situation<'s, T> {
    /// Steps so far.
    pub k: usize,
    /// The evaluated point.
    pub point: &'s Point<T>,
    /// The state.
    pub y: &'s [T],
    /// v(t, y).
    pub velocity: &'s [T],
    /// df/ds along v: ⟨∇F, v⟩ in u, ⟨∇f, v⟩ in x; NaN where the state is more than a position.
    pub rate: T,
}

/// The decision of a rule on a trial step.
///
/// ```
/// assert_ne!(reparam::steps::Verdict::Accept, reparam::steps::Verdict::Retry(0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict<T> {
    /// Take it.
    Accept,
    /// Try this length.
    Retry(T),
    /// There is no better length.
    GiveUp,
}

/// A rule for the length of an Euler step.
///
/// ```
/// use reparam::{Integrate, Result, flows::GradientFlow, integrators::Euler, lifted::Lifted, steps::{Situation, StepRule}};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// /// 1/(10 + k).
/// #[derive(Debug, Clone)]
/// struct Harmonic;
/// impl StepRule<f64> for Harmonic {
///     fn name(&self) -> &'static str { "harmonic" }
///     fn length(&mut self, _: &mut Lifted<'_, f64>, now: &Situation<'_, f64>) -> Result<f64> { Ok(1.0 / (10.0 + now.k as f64)) }
/// }
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(1)).unwrap()
///     .integrator(Euler::new(GradientFlow::new(), Harmonic)).start_u0(0.5).tolerance(1e-3).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// ```
pub trait StepRule<T: Scalar> {
    /// A name for reports: that of the [integrator](crate::integrators::Euler) with this rule.
    fn name(&self) -> &'static str;

    /// The length to try.
    ///
    /// # Errors
    /// [`Error::Evaluation`](crate::Error::Evaluation).
    fn length(&mut self, lifted: &mut Lifted<'_, T>, now: &Situation<'_, T>) -> Result<T>;

    /// What to do with a step of length s that leads to f = `value`; None: out of the domain, or not finite.
    fn verdict(&mut self, now: &Situation<'_, T>, s: T, value: Option<T>) -> Verdict<T> {
        let _ = (now, s);
        match value {
            Some(_) => Verdict::Accept,
            None => Verdict::GiveUp,
        }
    }

    /// Whether the rule makes sense for gradient flows only.
    fn needs_gradient_flow(&self) -> bool {
        false
    }

    /// Discards what was learned from past steps: another run begins.
    fn reset(&mut self) {}
}
