//! The differential test of tests/nnls, beside other people's solvers.
#![allow(clippy::unwrap_used)]

#[path = "../nnls/differential/mod.rs"]
mod differential;
mod solvers;
