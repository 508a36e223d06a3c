//! Feasible sets. A certificate depends on the set alone, never on the map that found the point.

mod box_set;
mod orthant;
mod per_coordinate;
mod tied_box;
mod whole_space;

pub use box_set::BoxSet;
pub use orthant::Orthant;
pub use tied_box::TiedBox;
pub use whole_space::WholeSpace;

pub(crate) use box_set::{check_bounds, clip};
pub(crate) use per_coordinate::PerCoordinate;

use crate::Scalar;

/// A closed convex set X ⊂ Rⁿ, as far as judging a point needs it.
///
/// The measure of optimality of x for min f over X with g = ∇f(x) is the *natural residual* in the metric
/// diag(c²), c the scale of the coordinates (column norms for least squares, 1 without one):
///
/// ```text
/// max_j c_j |x − P(x − g/c²)|_j      P the projection onto X in that metric
/// ```
///
/// zero exactly at the stationary points.
///
/// ```
/// use reparam::sets::{ConstraintSet, Orthant};
/// let set = Orthant::<f64>::new(2);
/// assert_eq!(set.natural_residual(&[0.0, 2.0], &[3.0, 0.0], None), 0.0); // x₀ = 0 held down by g₀ > 0
/// assert_eq!(set.natural_residual(&[0.0, 2.0], &[-3.0, 0.0], None), 3.0); // wrong sign
/// ```
pub trait ConstraintSet<T: Scalar> {
    /// n.
    fn dim(&self) -> usize;

    /// The largest violation of a constraint at x (0 inside); NaN when x holds one.
    fn violation(&self, x: &[T]) -> T;

    /// The natural residual at (x, g), in units of `scale` where given (entries 0 are left out). NaN when x or g holds one.
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T;

    /// Lagrange multipliers of the constraints, one per coordinate, into `out`.
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]);

    /// Replaces x by the nearest point of the set (Euclidean); false when the set has no cheap projection.
    fn project(&self, x: &mut [T]) -> bool {
        let _ = x;
        false
    }

    /// s ← argmin ⟨g, s⟩ over the set; false when it is unbounded or not cheap.
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let _ = (g, s);
        false
    }

    /// max ⟨g, x − s⟩ over s in the set, an upper bound of f(x) − min f for convex f; None when the set is not compact.
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let _ = (x, g);
        None
    }
}
