//! basin 3 in both directions.
//!
//! ```text
//! ReparamSolver     our methods, run by basin's Executor or Stepper on a problem in x
//! Reparametrized    basin's unconstrained solvers, which move u, on a problem in x: x = φ(u)
//! ```
//!
//! The problem is the user's, written in x with basin's traits `CostFunction` and `Gradient`, and where wanted `HessianProduct`;
//! its error type comes back as it is, in [`Failure`]. Parameters are [`ParamVec`](super::ParamVec): `Vec<T>` or
//! `nalgebra::DVector<T>` (basin's feature `nalgebra_v0_34`), T `f32` or `f64`.
//!
//! What is not here, and why: `docs/argmin.md`.

mod bridge;
mod reparametrized;
mod solver;

pub use bridge::{Access, Failure, FirstOrder, SecondOrder};
pub use reparametrized::Reparametrized;
pub use solver::ReparamSolver;

use crate::outcome::Status;
use basin::{ExecutionLimit, Termination};

/// What basin's explanation means for an answer that did not meet our own tolerance.
fn status_of<T: crate::Scalar>(termination: &Termination<T>) -> Status {
    match termination {
        Termination::Limit(limits) => match limits.first() {
            Some(ExecutionLimit::Iterations { .. }) | None => Status::IterationLimit,
            Some(ExecutionLimit::Time { .. }) => Status::TimeLimit,
            Some(_) => Status::EvaluationLimit,
        },
        Termination::Target { .. } => Status::TargetReached,
        Termination::Cancelled | Termination::Application(_) => Status::Cancelled,
        // a solver that calls itself done at a point that is not
        _ => Status::Stalled,
    }
}
