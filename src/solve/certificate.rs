//! The evidence that comes with an answer.

/// The evidence for an answer x, computed afresh from the problem and x alone.
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 1.0; 0.0, 1.0; 1.0, 0.0];
/// let c = reparam::nnls(&a, &[1.0, 2.0, -1.0]).unwrap().certificate;
/// assert!(c.natural_residual < 1e-14);
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
    /// Zero exactly at a solution; unchanged when a column, A or b is rescaled. The c_j are those the operator states, where it
    /// states them.
    pub natural_residual: T,
    /// An upper bound of f(x) − min f by weak duality, for convex problems; +∞ where no dual point is at hand.
    pub gap: T,
    /// The largest violation of a constraint by x: exactly 0 for bounds, rounding for sets that couple coordinates (a sum, a norm).
    pub violation: T,
    /// Lagrange multipliers of the constraints, one per coordinate (for x ≥ 0: g = ∇f(x)). An entry saturates at
    /// ±∞ when it exceeds the number type.
    pub multipliers: Vec<T>,
}

impl<T> Certificate<T> {
    pub(crate) fn new(natural_residual: T, gap: T, violation: T, multipliers: Vec<T>) -> Self {
        Self {
            natural_residual,
            gap,
            violation,
            multipliers,
        }
    }
}
