//! Constrained optimization without constraints, and certified non-negative least squares.
//!
//! A smooth surjection x = φ(u) onto the feasible set X turns min f(x), x ∈ X into min f(φ(u)) over all u.
//!
//! # The way in
//!
//! 1. **Least squares** ½‖A x − b‖² over x ≥ 0: [`nnls()`], and [`Nnls`] with options, warm starts and many right-hand sides. Over bounds,
//!    a simplex, an ℓ1 ball, monotone sequences: [`BoundedLeastSquares`]. These are exact, and need no map.
//! 2. **Everything else**: a map onto the set ([`maps`]), an objective ([`objectives`], made of [`losses`] and [`operators`], or a
//!    closure), and [`Minimize`], which picks a method ([`methods`]).
//! 3. **The answer** is a [`Solution`]: x in the set, a [`Status`], and a [`Certificate`] computed from the problem and x alone.
//! 4. **The dynamics**: [`Integrate`], [`flows`], [`integrators`], [`steps`]; the implicit bias of small starts: [`implicit_bias`].
//! 5. **Your own** map, set, operator or objective implements a trait, and [`testing`] checks it.
//! 6. **Other libraries** (features `argmin`, `basin`): `reparam::adapters`.
//!
//! ```
//! use nalgebra::{dmatrix, dvector};
//! // a line through four points with a non-negative intercept and slope
//! let a = dmatrix![1.0, 0.0; 1.0, 1.0; 1.0, 2.0; 1.0, 3.0];
//! let solution = reparam::nnls(&a, &dvector![-0.1, 0.9, 2.1, 2.9])?;
//! assert!(solution.status.is_solved());
//! assert_eq!(solution.x[0], 0.0); // an exact zero: the intercept would be negative
//! # Ok::<(), reparam::Error>(())
//! ```
//!
//! ```
//! use reparam::{Minimize, losses::Poisson, maps::Squares, objectives::Composite};
//! // counts y with expectation A x, x ≥ 0: greatest likelihood
//! let a = nalgebra::dmatrix![1.0, 0.2; 0.5, 0.5; 0.1, 1.0];
//! let f = Composite::new(&a, Poisson::new(&[12.0, 9.0, 8.0])?)?;
//! let solution = Minimize::new(f, Squares::new(2))?.run()?;
//! assert!(solution.status.is_converged());
//! # Ok::<(), reparam::Error>(())
//! ```
//!
//! The guide, a table of maps, the methods, measurements and pictures are Markdown files in `docs/` of the source.
//!
//! Features: `sparse` and `faer` (default), `rayon`, `serde`, `tracing`, `argmin`, `basin`; `cli` and `plot` are for the program.

#![forbid(unsafe_code)]

#[cfg(any(feature = "argmin", feature = "basin"))]
pub mod adapters;
mod checks;
mod clock;
mod engines;
mod error;
pub mod flows;
pub mod implicit_bias;
pub mod integrators;
pub mod least_squares;
pub mod lifted;
mod linalg;
pub mod losses;
pub mod maps;
pub mod methods;
pub mod objectives;
pub mod operators;
mod outcome;
mod scalar;
pub mod search;
pub mod sets;
mod solve;
pub mod steps;
pub mod testing;
#[cfg(feature = "rayon")]
mod threads;

pub use error::{BoxError, Error, MapError, Result};
pub use least_squares::bounded::{self, BoundedLeastSquares};
pub use least_squares::nnls::{self, Nnls, nnls};
pub use outcome::{Attempt, CancelToken, Certificate, Counts, Limits, Phase, Solution, Status, Uniqueness};
pub use scalar::{LinalgScalar, Scalar};
pub use solve::{
    Checkpoint, History, Integrate, Integrated, Minimize, Progress, Record, Snapshot, StopAnswer,
};

/// What most programs need: the solvers, every map, loss and objective, and the traits whose methods they have.
///
/// ```
/// use reparam::prelude::*;
/// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
/// assert!(nnls(&a, &[1.0, 1.0]).unwrap().status.is_solved());
/// // the point of the simplex nearest to (1, 0.5)
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0], &[1.0, 0.5]).unwrap();
/// let solution = Minimize::new(f, NormalizedSquares::new(2, 1.0).unwrap()).unwrap().run().unwrap();
/// assert!((solution.x[0] - 0.75_f64).abs() < 1e-8);
/// ```
pub mod prelude {
    pub use crate::losses::*;
    pub use crate::maps::*;
    pub use crate::objectives::*;
    pub use crate::operators::LinearOperator;
    pub use crate::sets::ConstraintSet;
    pub use crate::{
        BoundedLeastSquares, BoxError, CancelToken, Certificate, Error, Integrate, Limits, LinalgScalar,
        MapError, Minimize, Nnls, Scalar, Solution, Status, nnls,
    };
}

// the code of the pages that belong to no module runs as doctests
#[cfg(doctest)]
mod pages {
    // (one of its programs has a sparse matrix)
    #[cfg(feature = "sparse")]
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
    #[doc = include_str!("../docs/nnls.md")]
    struct NnlsPage;
    #[doc = include_str!("../docs/sceptics.md")]
    struct Sceptics;
}
