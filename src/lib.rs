#![doc = include_str!("../README.md")]

#[cfg(any(feature = "argmin", feature = "basin"))]
pub mod adapters;
pub mod bounded;
mod checks;
mod error;
pub mod flows;
pub mod integrators;
pub mod lifted;
mod linalg;
pub mod losses;
pub mod maps;
pub mod methods;
pub mod nnls;
pub mod objectives;
pub mod operators;
mod scalar;
pub mod sets;
mod solve;
pub mod steps;
pub mod testing;

pub use bounded::BoundedLeastSquares;
pub use error::{BoxError, Error, MapError, Result};
pub use nnls::{Nnls, nnls};
pub use scalar::{LinalgScalar, Scalar};
pub use solve::{
    CancelToken, Certificate, Checkpoint, Counts, History, Integrate, Integrated, Limits, Minimize, Phase,
    Progress, Record, Snapshot, Solution, Status, StopAnswer,
};

/// What most programs need.
///
/// ```
/// use reparam::prelude::*;
/// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
/// assert!(nnls(&a, &[1.0, 1.0]).unwrap().status.is_solved());
/// ```
pub mod prelude {
    pub use crate::maps::{Boundary, Reparametrization};
    pub use crate::operators::LinearOperator;
    pub use crate::sets::ConstraintSet;
    pub use crate::{
        BoundedLeastSquares, CancelToken, Error, LinalgScalar, Nnls, Scalar, Solution, Status, nnls,
    };
}
