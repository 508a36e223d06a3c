//! The evidence that comes with an answer.

use std::fmt;

/// Whether a least-squares problem has other solutions.
///
/// Every solution has the same A x. Two solutions differ by a vector in the null space of A (and of the sum of the set, if it has one). It may
/// be non-zero in coordinates between their bounds, and in those at a bound with a zero multiplier. So the rank of these columns decides, in working
/// precision: a column counts as dependent when its part orthogonal to the others is below 500 ε of its norm, and a multiplier as zero when it is
/// within its error.
///
/// ```
/// use reparam::{BoundedLeastSquares, Uniqueness};
/// // b is a weighted mean of the first two columns, and also of the first and the last
/// let a = nalgebra::dmatrix![0.0, 1.0, 2.0];
/// let solution = BoundedLeastSquares::simplex(&a, 1.0).solve(&[0.75]).unwrap();
/// assert_eq!(solution.certificate.uniqueness, Uniqueness::NotUnique);
/// let solution = BoundedLeastSquares::simplex(&a, 1.0).solve(&[3.0]).unwrap();
/// assert_eq!(solution.certificate.uniqueness, Uniqueness::Unique);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Uniqueness {
    /// The columns of the coordinates between their bounds, and of those at a bound with a vanishing multiplier, are independent.
    Unique,
    /// The columns between the bounds depend on each other, or one with a vanishing multiplier depends on them: other x give the same f.
    NotUnique,
    /// Not decided: not a solved least-squares problem, too many columns to factor them for this alone (more than 10⁶
    /// multiplications, and more than a hundredth of the solve), an operator without columns, or columns with vanishing multipliers that depend on each other only.
    #[default]
    NotKnown,
}

impl fmt::Display for Uniqueness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "no other x fits as well",
            Self::NotUnique => "other x fit as well",
            Self::NotKnown => "not known",
        })
    }
}

/// The evidence for an answer x, computed afresh from the problem and x alone.
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 1.0; 0.0, 1.0; 1.0, 0.0];
/// let c = reparam::nnls(&a, &[1.0, 2.0, -1.0]).unwrap().certificate;
/// assert!(c.natural_residual + c.natural_residual_error < 1e-13);
/// assert_eq!(c.violation, 0.0);
/// assert!(c.gap < 2e-14); // f(x) − min f is at most this
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Certificate<T> {
    /// The scale-free natural residual in x; that of [`Minimize`](crate::Minimize) is defined there. For non-negative least squares
    ///
    /// ```text
    /// ρ(x) = max_j |min(c_j x_j, g_j/c_j)| / ‖b‖₂      c_j = ‖a_j‖₂ (zero columns left out), g = Aᵀ(A x − b)
    /// ```
    ///
    /// [`Status::Solved`](crate::Status::Solved) and [`Status::Stationary`](crate::Status::Stationary) say that it is at most the
    /// tolerance; [`Status::AtPrecision`](crate::Status::AtPrecision) rests on other evidence.
    ///
    /// Zero exactly at a solution; unchanged when a column, A or b is rescaled. The c_j are those the operator states, where it
    /// states them.
    pub natural_residual: T,
    /// A bound of the rounding error in `natural_residual`: the exact ρ of the x handed out, of A and b as given, is at most
    /// `natural_residual + natural_residual_error`. [`Status::Solved`](crate::Status) means that this sum is at most the tolerance.
    ///
    /// ```text
    /// γ_{k+1} (‖b‖ + Σ_j c_j|x_j|)/‖b‖ + γ_m ‖r‖/‖b‖ + γ_m ρ      γ_k = k u/(1 − k u),  u the unit roundoff,  r = b − A x
    /// ```
    ///
    /// with k the number of x_j ≠ 0 (fewer where sums are formed in groups). Where this is too large to claim a solution, r and g are computed again in
    /// twice the precision, and the first two terms become γ_k² (‖b‖ + Σ_j c_j|x_j|)/‖b‖ + γ_m² ‖r‖/‖b‖. Rounding in c_j and ‖b‖ is part of the
    /// last term.
    ///
    /// For an A given by products only, these are assumed to be as accurate as pairwise summation: log₂ k in place of k. +∞ where no
    /// bound is known ([`Minimize`](crate::Minimize): the rounding of its objective is its own).
    pub natural_residual_error: T,
    /// An upper bound of f(x) − min f by weak duality, for convex problems; f itself for least squares where no better one was found, +∞ where nothing is known.
    pub gap: T,
    /// The largest violation of a constraint by x: exactly 0 for bounds, rounding for sets that couple coordinates (a sum, a norm).
    pub violation: T,
    /// Lagrange multipliers of the constraints, one per coordinate (for x ≥ 0: g = ∇f(x)). An entry saturates at
    /// ±∞ when it exceeds the number type.
    pub multipliers: Vec<T>,
    /// Whether other x fit as well.
    pub uniqueness: Uniqueness,
}

impl<T> Certificate<T> {
    pub(crate) fn new(
        natural_residual: T,
        natural_residual_error: T,
        gap: T,
        violation: T,
        multipliers: Vec<T>,
    ) -> Self {
        Self {
            natural_residual,
            natural_residual_error,
            gap,
            violation,
            multipliers,
            uniqueness: Uniqueness::NotKnown,
        }
    }

    pub(crate) fn with_uniqueness(mut self, uniqueness: Uniqueness) -> Self {
        self.uniqueness = uniqueness;
        self
    }
}
