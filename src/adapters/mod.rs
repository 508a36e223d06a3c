//! Bridges to other optimisation libraries, each behind a feature of its own.
//!
//! | module | feature | library |
//! |---|---|---|
//! | `argmin` | `argmin` | [argmin](https://docs.rs/argmin) 0.11 |
//! | `basin` | `basin` | [basin](https://docs.rs/basin) 3 |
//!
//! Each has two directions: the methods of this crate run by the other's executor, and the other's solvers made constrained by a
//! map. In both the problem is the user's own, written in x.

#[cfg(feature = "argmin")]
pub mod argmin;
mod lift;
mod vector;

pub use vector::{ParamMatrix, ParamVec};
