//! Least squares with bounds: `Nnls`, `BoundedLeastSquares`, and the operators they work on.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/polyhedra.rs"]
mod polyhedra;

mod bounded;
mod common_columns;
mod differential;
mod errors;
mod evidence;
mod gap;
mod invariances;
mod large_faces;
mod operators;
mod over_set;
mod plan;
mod properties;
mod reference;
mod stalls;
#[cfg(feature = "rayon")]
#[path = "../common/threads.rs"]
mod threads;
mod trace;
mod uniqueness;
mod wide;

/// Other people's solvers: they take part in `tests/full`, because they are large to build.
mod solvers {
    use crate::differential::problems::Problem;
    pub(crate) fn lawson_hanson(_: &Problem) -> Option<Vec<f64>> {
        None
    }
    pub(crate) fn clarabel(_: &Problem) -> Option<Vec<f64>> {
        None
    }
}
