//! argmin 0.11 in both directions.
//!
//! ```text
//! ReparamSolver, NnlsSolver    our methods, run by argmin's Executor on a problem in x
//! Reparametrized               argmin's solvers, which move u, on a problem in x: x = φ(u)
//! ObjectiveProblem             an objective of this crate as a problem of argmin's
//! Resume                       argmin's checkpoints: for our solvers, and beyond saved limits
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

pub use super::Saved;
pub use access::{Access, Cache, FirstOrder, FullObjective, Residuals, SecondOrder};
pub use checkpoint::{Limited, Resume, Whole};
pub use nnls::NnlsSolver;
pub use objective::ObjectiveProblem;
pub use reparametrized::{Position, Reparametrized, Shared};
pub use second_order::{Dense, LiftedHessian};
pub use solver::ReparamSolver;

use crate::{BoxError, Error};

/// An error of the user's problem on its way through our methods, whole: a box alone would lose its type on the way back.
#[derive(Debug)]
struct Carried(::argmin::core::Error);

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Carried {}

fn carry(error: ::argmin::core::Error) -> BoxError {
    Box::new(Carried(error))
}

/// argmin's error of one of ours; the user's own, where that is what it was.
fn theirs(error: Error) -> ::argmin::core::Error {
    match error {
        Error::Evaluation(inner) => match inner.downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(inner) => ::argmin::core::Error::from_boxed(inner),
        },
        other => other.into(),
    }
}

/// Ours again, with the user's own inside.
fn ours(error: Error) -> Error {
    match error {
        Error::Evaluation(inner) => Error::Evaluation(match inner.downcast::<Carried>() {
            Ok(carried) => carried.0.into(),
            Err(inner) => inner,
        }),
        other => other,
    }
}

// the code of the page runs as doctests, with all that it needs
#[cfg(all(doctest, feature = "basin", feature = "serde"))]
#[doc = include_str!("../../../docs/argmin.md")]
struct Guide;
