//! Feasible sets. A certificate depends on the set alone, never on the map that found the point.
//!
//! | set | projection | natural residual in a metric diag(c²) | linear minimiser, gap |
//! |---|---|---|---|
//! | [`Orthant`], [`BoxSet`], [`TiedBox`], [`WholeSpace`] | clipping | exact | where bounded |
//! | [`Simplex`], [`CappedSimplexSet`], [`BoundedSimplex`] | sorting | exact | yes |
//! | [`L1BallSet`] | sorting | exact | yes |
//! | [`BallSet`] | scaling | exact (secular equation) | yes |
//! | [`SphereSet`] (not convex) | scaling | tangential gradient | yes |
//! | [`MonotoneCone`] | pooling adjacent violators | exact | with both bounds |
//! | [`ConvexSequenceSet`] | none | in the coordinates of its generators | none |
//! | [`SecondOrderConeSet`] | closed form | with one number for c | none |
//! | [`Psd`]: cone, fixed trace, unit diagonal | eigenvalues (not for unit diagonal) | with one number for c | fixed trace; a bound of the gap for unit diagonal |
//! | [`StochasticMatrices`], [`ProductSet`] | by blocks | by blocks | by blocks |
//! | [`AffineImage`] | nearest-point search | by that search | as the inner set |

mod affine_image;
mod ball;
mod bounded_simplex;
mod box_set;
mod capped_simplex;
mod convex_sequence;
mod corral;
mod l1_ball;
mod level;
mod monotone_cone;
mod nearest_point;
mod orthant;
mod per_coordinate;
mod polyhedron;
mod product;
mod psd;
mod second_order_cone;
mod simplex;
mod sphere;
mod stochastic;
mod tied_box;
mod whole_space;

pub use affine_image::AffineImage;
pub use ball::BallSet;
pub use bounded_simplex::BoundedSimplex;
pub use box_set::BoxSet;
pub use capped_simplex::CappedSimplexSet;
pub use convex_sequence::ConvexSequenceSet;
pub use l1_ball::L1BallSet;
pub use monotone_cone::MonotoneCone;
pub use orthant::Orthant;
pub use polyhedron::Polyhedron;
pub use product::ProductSet;
pub use psd::Psd;
pub use second_order_cone::SecondOrderConeSet;
pub use simplex::Simplex;
pub use sphere::SphereSet;
pub use stochastic::StochasticMatrices;
pub use tied_box::TiedBox;
pub use whole_space::WholeSpace;

pub(crate) use box_set::{check_bounds, clip};
pub(crate) use convex_sequence::double_reverse_sums;
pub(crate) use nearest_point::{Image, Search, is_compact};
pub(crate) use per_coordinate::PerCoordinate;
pub(crate) use polyhedron::image as polyhedral_image;
pub(crate) use product::{Sizes, blockwise};

use crate::Scalar;
use crate::linalg::max_or_nan;
use level::{all_finite, scalar_scale};

/// A closed convex set X ⊂ Rⁿ, as far as judging a point needs it.
///
/// A set of your own needs [`dim`](Self::dim), [`violation`](Self::violation), [`multipliers`](Self::multipliers) and
/// [`project`](Self::project). Run [`check_set`](crate::testing::check_set) on it once: what a set says of a point is believed.
///
/// The measure of optimality of x for min f over X with g = ∇f(x) is the *natural residual* in the metric
/// diag(c²), c the scale of the coordinates (column norms for least squares, 1 without one):
///
/// ```math
/// \max_j c_j\, |x - P(x - g / c^2)|_j, \qquad P \text{ the projection onto } X \text{ in that metric}
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
    ///
    /// By default it is computed by [`project`](Self::project), with the largest scale for all coordinates unless the set
    /// [is separable](Self::is_separable). A set without a projection must supply it: the default is NaN there, so that no point
    /// ever counts as a solution.
    ///
    /// ```
    /// use reparam::sets::ConstraintSet;
    /// /// {x₀ ≤ x₁}
    /// struct Ordered;
    /// impl ConstraintSet<f64> for Ordered {
    ///     fn dim(&self) -> usize { 2 }
    ///     fn violation(&self, x: &[f64]) -> f64 { if x[0] <= x[1] { 0.0 } else { x[0] - x[1] } }
    ///     fn multipliers(&self, _: &[f64], g: &[f64], out: &mut [f64]) { out.copy_from_slice(g) }
    ///     fn project(&self, x: &mut [f64]) -> bool {
    ///         if !(x[0] <= x[1]) { x.fill(0.5 * (x[0] + x[1])) }
    ///         true
    ///     }
    /// }
    /// assert!(reparam::testing::check_set(&Ordered, 1).passed());
    /// assert_eq!(Ordered.natural_residual(&[1.0, 1.0], &[-2.0, 0.0], None), 1.0); // both may rise by 1
    /// ```
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let largest = scalar_scale(scale);
        if !all_finite(x) || !all_finite(g) || largest.is_nan() {
            return T::nan();
        }
        let each = scale.filter(|_| self.is_separable());
        let c = |j: usize| each.map_or(largest, |c| c[j]);
        let mut y = x.to_vec();
        for (j, (y, g)) in y.iter_mut().zip(g).enumerate() {
            if c(j) > T::zero() {
                *y -= *g / c(j) / c(j);
            }
        }
        if !self.project(&mut y) {
            return T::nan();
        }
        max_or_nan(
            x.iter()
                .zip(&y)
                .enumerate()
                .map(|(j, (x, y))| c(j) * (*x - *y).abs()),
        )
    }

    /// Lagrange multipliers of the constraints, one per coordinate, into `out`.
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]);

    /// Whether the set is convex: a stationary point of a convex function is then a solution.
    fn is_convex(&self) -> bool {
        true
    }

    /// Whether the set is a product of intervals, so that coordinates may be scaled one by one before a projection.
    fn is_separable(&self) -> bool {
        false
    }

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

    /// The length of `work`.
    fn scratch_len(&self) -> usize {
        0
    }

    /// [`project`](Self::project) in the caller's scratch of length [`scratch_len`](Self::scratch_len), without allocation
    /// by any set of this module but an [`AffineImage`] of high dimension. The default calls `project`.
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let _ = work;
        self.project(x)
    }

    /// [`minimise_linear`](Self::minimise_linear) in the caller's scratch, as [`project_in`](Self::project_in).
    fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        let _ = work;
        self.minimise_linear(g, s)
    }

    /// max ⟨g, x − s⟩ over s in the set, an upper bound of f(x) − min f for convex f; None when the set is not compact.
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let _ = (x, g);
        None
    }

    /// The set as a polyhedron, where it is one that bounds and a sum can express: least squares over it then end with
    /// an exact face ([`Minimize`](crate::Minimize)).
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        None
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, S: ConstraintSet<T> + ?Sized> ConstraintSet<T> for $wrapper {
            fn dim(&self) -> usize {
                (**self).dim()
            }
            fn violation(&self, x: &[T]) -> T {
                (**self).violation(x)
            }
            fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
                (**self).natural_residual(x, g, scale)
            }
            fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
                (**self).multipliers(x, g, out);
            }
            fn is_convex(&self) -> bool {
                (**self).is_convex()
            }
            fn is_separable(&self) -> bool {
                (**self).is_separable()
            }
            fn project(&self, x: &mut [T]) -> bool {
                (**self).project(x)
            }
            fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
                (**self).minimise_linear(g, s)
            }
            fn scratch_len(&self) -> usize {
                (**self).scratch_len()
            }
            fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
                (**self).project_in(x, work)
            }
            fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
                (**self).minimise_linear_in(g, s, work)
            }
            fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
                (**self).frank_wolfe_gap(x, g)
            }
            fn polyhedron(&self) -> Option<Polyhedron<T>> {
                (**self).polyhedron()
            }
        }
    )*};
}
forward!(&S, Box<S>, std::sync::Arc<S>);
