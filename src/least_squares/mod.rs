//! Linear least squares min ½‖A x − b‖² over x ≥ 0, over bounds, and over bounds with a sum.
//!
//! Two interfaces, [`Nnls`](nnls::Nnls) and [`BoundedLeastSquares`](bounded::BoundedLeastSquares), take the same input: A, b, a set, a tolerance,
//! limits. The answer comes in these steps:
//!
//! 1. The set is brought to standard form: bounds, and perhaps one sum, in other variables where necessary.
//! 2. A is scaled by powers of two where its columns are extreme.
//! 3. A few features of (A, b, start) are measured, and [`plan`](plan::plan) makes an ordered list of methods of them.
//! 4. The engine runs one method after the other, until one has found a solution, and records a trace.
//! 5. The point that is returned is verified from A, b and x: its natural residual ρ, a bound of the rounding error of ρ, a bound of f(x) − min f.

pub mod bounded;
mod coherence;
mod context;
mod dual;
mod engine;
mod evidence;
pub(crate) mod faces;
pub(crate) mod finish;
mod many;
mod methods;
pub mod nnls;
mod non_negative;
mod over_bounds;
pub mod plan;
mod prepared;
pub(crate) mod problem;
pub(crate) mod reduce_and_solve;
mod region;
pub(crate) mod standard_form;
mod twice;
mod uniqueness;
mod verify;
