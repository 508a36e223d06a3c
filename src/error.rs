//! Typed errors. An early stop is never an error: it is a [`Status`](crate::Status) of a solution.

use thiserror::Error as ThisError;

/// The error type of user code (objectives, closures).
///
/// ```
/// let e: reparam::BoxError = "the instrument is off".into();
/// assert_eq!(e.to_string(), "the instrument is off");
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Shorthand for results of this crate.
///
/// ```
/// fn f() -> reparam::Result<usize> {
///     Ok(1)
/// }
/// assert_eq!(f().unwrap(), 1);
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with a problem, a setting or user code. Every variant names the argument or entry at fault.
///
/// ```
/// use reparam::{Error, nnls};
/// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, f64::NAN];
/// match nnls(&a, &[1.0, 1.0]) {
///     Err(Error::NotFiniteEntry { row, column }) => assert_eq!((row, column), (1, 1)),
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// Two lengths that must agree do not.
    #[error("{what} must have length {expected}, not {found}")]
    Dimension {
        /// The object at fault.
        what: &'static str,
        /// The length that the rest of the problem implies.
        expected: usize,
        /// The length that was given.
        found: usize,
    },
    /// A vector of data has one entry per column of the matrix, not one per row.
    #[error(
        "{what} must have length {rows}, one entry per row of the matrix, not {columns}, one per column: is the matrix transposed?"
    )]
    Transposed {
        /// The vector of data.
        what: &'static str,
        /// The rows of the matrix: the length that the vector must have.
        rows: usize,
        /// The columns of the matrix: the length that it has.
        columns: usize,
    },
    /// An entry of a vector is NaN or infinite.
    #[error("{what}[{index}] is not finite")]
    NotFinite {
        /// The vector at fault.
        what: &'static str,
        /// Index of the first such entry, from 0.
        index: usize,
    },
    /// An entry of one of several right-hand sides is NaN or infinite.
    #[error("right-hand side {number}, row {row} (both from 0) is not finite")]
    NotFiniteRightHandSide {
        /// Which right-hand side, from 0.
        number: usize,
        /// The row of its first such entry, from 0.
        row: usize,
    },
    /// An entry of the matrix is NaN or infinite.
    #[error("the matrix is not finite in row {row}, column {column} (both from 0)")]
    NotFiniteEntry {
        /// Row of the first such entry, from 0.
        row: usize,
        /// Column of that entry, from 0.
        column: usize,
    },
    /// Something that needs at least one element has none.
    #[error("{what} must not be empty")]
    Empty {
        /// The object at fault.
        what: &'static str,
    },
    /// A lower bound lies above the upper bound, or a bound is NaN.
    #[error("no number lies between the bounds of coordinate {index}: lower {}, upper {}", number(*.lower), number(*.upper))]
    CrossedBounds {
        /// The coordinate, from 0.
        index: usize,
        /// Its lower bound.
        lower: f64,
        /// Its upper bound.
        upper: f64,
    },
    /// No point satisfies all constraints.
    #[error("there is no feasible x: {what}")]
    Infeasible {
        /// The constraints that contradict each other.
        what: &'static str,
    },
    /// The coordinates of the starting point do not add up to what the set demands.
    #[error(
        "the start is infeasible: {rule} {} (to within {}), not {}",
        number(*.expected),
        rough(*.tolerance),
        number(*.sum)
    )]
    InfeasibleStartSum {
        /// What they add up to.
        sum: f64,
        /// What they must add up to, or at most.
        expected: f64,
        /// The rule, as part of the message: "the coordinates must add up to", ….
        rule: &'static str,
        /// How far from it a start may be.
        tolerance: f64,
    },
    /// The starting point is outside the feasible set.
    #[error("the start is infeasible: coordinate {index} is {}, beyond its bound {}", number(*.value), number(*.bound))]
    InfeasibleStart {
        /// The coordinate, from 0.
        index: usize,
        /// Its value.
        value: f64,
        /// The bound it violates.
        bound: f64,
    },
    /// f, or its gradient, is not finite at the starting point, because of one row of the model (of A x + a, of the residuals).
    #[error("f is not finite at the start: row {row} of the model is {value:e}, which {why}")]
    StartNotFinite {
        /// The row, from 0.
        row: usize,
        /// Its number.
        value: f64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A setting has no meaning.
    #[error("{name} {why}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it must be, or what is wrong with it: the message is "name why".
        why: &'static str,
    },
    /// A call would silently replace a restriction that was given before.
    #[error("{second} would replace {first}: {why}")]
    Replaced {
        /// The call that came first.
        first: &'static str,
        /// The call that would replace it.
        second: &'static str,
        /// Why only one is possible.
        why: &'static str,
    },
    /// An entry of the data is finite but has no meaning (a label that is neither −1 nor 1, a negative count, …).
    #[error("{what}[{index}] is {}, which {why}", number(*.value))]
    Data {
        /// The vector at fault.
        what: &'static str,
        /// Index of the first such entry, from 0.
        index: usize,
        /// The entry.
        value: f64,
        /// What it must be.
        why: &'static str,
    },
    /// A size does not fit the machine's integers.
    #[error("{what} is too large for this machine")]
    SizeOverflow {
        /// The size at fault.
        what: &'static str,
    },
    /// A size fits the machine's integers, but not its memory. Nothing of it was allocated.
    #[error("{what}: {elements} numbers do not fit into memory")]
    Memory {
        /// What they would have held.
        what: &'static str,
        /// How many there are; the largest integer where even that is too small.
        elements: usize,
    },
    /// The solution exists but is too large for the number type (a matrix of 1e-200 and a right-hand side of 1e200, say).
    #[error(
        "the solution overflows the number type in coordinate {index}: rescale the matrix or the right-hand side"
    )]
    Unrepresentable {
        /// The coordinate, from 0.
        index: usize,
    },
    /// A map refused a point or lacks an operation.
    #[error(transparent)]
    Map(#[from] MapError),
    /// User code returned an error.
    #[error("evaluation failed: {0}")]
    Evaluation(#[source] BoxError),
}

/// Errors of a [`Reparametrization`](crate::maps::Reparametrization).
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, Squares};
/// use reparam::MapError;
/// let map = Squares::<f64>::new(2);
/// let mut u = [0.0; 2];
/// assert!(matches!(map.section(&[1.0, -1.0], Boundary::Exact, &mut u, &mut []), Err(MapError::Outside { index: 1, .. })));
/// ```
#[derive(Debug, Clone, PartialEq, ThisError)]
#[non_exhaustive]
pub enum MapError {
    /// The point is not in the set.
    #[error("coordinate {index} is {}, outside the set", number(*.value))]
    Outside {
        /// The coordinate, from 0 (of a coupled set: the first that is involved).
        index: usize,
        /// Its value.
        value: f64,
    },
    /// The coordinates do not add up to what they must.
    #[error("the coordinates {rule} {} (to within {}), not {}", number(*.limit), rough(*.tolerance), number(*.sum))]
    Sum {
        /// What they add up to.
        sum: f64,
        /// What they must add up to, or at most.
        limit: f64,
        /// Which of the two: "must add up to", ….
        rule: &'static str,
        /// How far from it they may be.
        tolerance: f64,
    },
    /// The point lies on the boundary, and the policy (or the map, when it never reaches the boundary) refuses that.
    #[error("coordinate {index} lies on the boundary of the set, which is refused here")]
    OnBoundary {
        /// The coordinate, from 0.
        index: usize,
    },
    /// The map does not offer this operation.
    #[error("this map does not provide {0}")]
    NotProvided(&'static str),
}

/// A number as a scientist writes it: powers of ten only where digits would be many.
fn number(v: f64) -> String {
    if v == 0.0 || !v.is_finite() || (1e-4..1e7).contains(&v.abs()) {
        v.to_string()
    } else {
        format!("{v:e}")
    }
}

/// A tolerance, to two digits.
fn rough(v: f64) -> String {
    format!("{v:.1e}")
}
