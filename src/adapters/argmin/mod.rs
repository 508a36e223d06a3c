//! argmin 0.11 in both directions.
//!
//! ```text
//! ReparamSolver, NnlsSolver    our methods, run by argmin's Executor on a problem in x
//! Reparametrized               argmin's solvers, which move u, on a problem in x: x = φ(u)
//! ObjectiveProblem             an objective of this crate as a problem of argmin's
//! Resume                       argmin's checkpoints for our solvers
//! ```
//!
//! The problem is the user's, written in x with argmin's traits: `CostFunction` and `Gradient`, and where wanted `Hessian`, or
//! `Operator` and `Jacobian` for residuals. Parameters are [`ParamVec`](super::ParamVec): `Vec<T>` or `nalgebra::DVector<T>`, T
//! `f32` or `f64`.
//!
//! Which direction when, and the traps: `docs/argmin.md`.

mod access;
mod checkpoint;
mod nnls;
mod objective;
mod reparametrized;
mod second_order;
mod solver;

pub use access::{Access, Cache, FirstOrder, Residuals, SecondOrder};
pub use checkpoint::{Resume, Saved};
pub use nnls::NnlsSolver;
pub use objective::ObjectiveProblem;
pub use reparametrized::{Position, Reparametrized, Shared};
pub use second_order::{Dense, LiftedHessian};
pub use solver::ReparamSolver;

use crate::Error;

/// argmin's error of one of ours; the user's own, where that is what it was.
fn theirs(error: Error) -> ::argmin::core::Error {
    match error {
        Error::Evaluation(inner) => ::argmin::core::Error::from_boxed(inner),
        other => other.into(),
    }
}

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/argmin.md")]
pub struct Guide;
