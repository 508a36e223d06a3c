//! Where, apart from the requested point, an objective may be evaluated.

/// Information on the feasible set for an objective ([`Objective::nearby`](super::Objective::nearby)), so that differences stay in the set.
///
/// ```
/// use reparam::{Minimize, maps::Bounds, objectives::{Differences, FromValue}};
/// // the square root is NaN outside of [0, 1], and is never asked there
/// let f = FromValue::new(1, |x: &[f64]| {
///     assert!((0.0..=1.0).contains(&x[0]));
///     Ok(-(1.0 - x[0]).sqrt() - x[0])
/// }, Differences::central());
/// let s = Minimize::new(f, Bounds::new(vec![0.0], vec![1.0]).unwrap()).unwrap().run().unwrap();
/// assert!((s.x[0] - 0.75).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Nearby<'a, T> {
    /// A run begins: earlier information no longer applies.
    Start,
    /// The set is the box lower ≤ x ≤ upper.
    Bounds {
        /// Lower bounds, −∞ where there is none.
        lower: &'a [T],
        /// Upper bounds, +∞ where there is none.
        upper: &'a [T],
    },
    /// The set couples coordinates.
    Coupled,
    /// … and the next gradient is at x: points of the set in all directions from there. Told to objectives that
    /// [ask for it](super::Objective::uses_nearby).
    Segments {
        /// x, length n.
        x: &'a [T],
        /// Points v, row after row.
        points: &'a [T],
        /// None: (1 − t) x + t v belongs to the set for 0 ≤ t ≤ 1 (it is convex). Else the set is a sphere about this centre.
        centre: Option<&'a [T]>,
    },
}
