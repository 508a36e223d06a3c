//! The evidence that comes with an answer.

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
    /// with k the number of x_j ≠ 0 (fewer where sums are formed in groups). Where this is too much for the claim, r and g are formed again in
    /// twice the precision, and the first two terms become γ_k² (‖b‖ + Σ_j c_j|x_j|)/‖b‖ + γ_m² ‖r‖/‖b‖. Rounding in c_j and ‖b‖ is part of the
    /// last term.
    ///
    /// Of an A that is known by its products only, those are taken to be as accurate as sums by halves: log₂ k in place of k. +∞ where no
    /// bound is known ([`Minimize`](crate::Minimize): the rounding of its objective is its own).
    pub natural_residual_error: T,
    /// An upper bound of f(x) − min f by weak duality, for convex problems; +∞ where no dual point is at hand.
    pub gap: T,
    /// The largest violation of a constraint by x: exactly 0 for bounds, rounding for sets that couple coordinates (a sum, a norm).
    pub violation: T,
    /// Lagrange multipliers of the constraints, one per coordinate (for x ≥ 0: g = ∇f(x)). An entry saturates at
    /// ±∞ when it exceeds the number type.
    pub multipliers: Vec<T>,
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
        }
    }
}
