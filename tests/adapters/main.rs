//! argmin and basin in both directions.
#![cfg(any(feature = "argmin", feature = "basin"))]
#![allow(clippy::unwrap_used)]

#[cfg(feature = "argmin")]
#[path = "../common/counting.rs"]
mod counting;
#[cfg(feature = "argmin")]
#[path = "../common/argmin.rs"]
mod problems;

#[cfg(feature = "argmin")]
mod argmin_allocations;
#[cfg(feature = "argmin")]
mod argmin_objective;
#[cfg(feature = "argmin")]
mod argmin_problem;
#[cfg(all(feature = "argmin", feature = "serde"))]
mod argmin_solver;
#[cfg(feature = "basin")]
mod basin;
