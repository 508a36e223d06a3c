//! Smooth surjections x = φ(u) from R^p onto feasible sets.
//!
//! | map | $`\varphi(u)`$ | set | landscape |
//! |---|---|---|---|
//! | [`Squares`] | $`lo + u^2`$ | x ≥ lo | second-order |
//! | [`Power`] | $`lo + \lvert u\rvert^L`$ | x ≥ lo | second-order for L = 2, else no statement |
//! | [`ScaledSquares`] | $`lo + \frac{u^2}{s + \sqrt{s^2 + u^2}}`$ | x ≥ lo, or x ≤ hi | second-order |
//! | [`Exponential`] | $`lo + e^u`$ | x > lo | interior only |
//! | [`Softplus`] | $`lo + \ln(1 + e^u)`$ | x > lo | interior only |
//! | [`Trigonometric`] | $`lo + (hi - lo) \sin^2 u`$ | lo ≤ x ≤ hi | second-order |
//! | [`Sigmoid`] | $`lo + \frac{hi - lo}{1 + e^{-u}}`$ | lo < x < hi | interior only |
//! | [`Algebraic`] | $`\frac{lo + hi}{2} + \frac{hi - lo}{2} \frac{u}{\sqrt{1 + u^2}}`$ | lo < x < hi | interior only |
//! | [`Bounds`] | one of these per coordinate | lo ≤ x ≤ hi, any of them infinite or equal | second-order |
//! | [`Identity`] | $`u`$ | Rⁿ | second-order |
//! | [`Fixed`] | $`c`$ | one point | second-order |
//! | [`Tied`] | $`E \varphi(u)`$ | some coordinates equal | as the map of the shared values |
//! | [`Precompose`] | $`\varphi(s \circ u)`$ | as its map | as its map |
//! | [`NormalizedSquares`] | $`r\, u^2 / \lVert u\rVert^2`$ | simplex x ≥ 0, Σx = r | second-order |
//! | [`Softmax`], [`ReducedSoftmax`] | $`r\, e^u / \textstyle\sum e^u`$ | open simplex | interior only |
//! | [`CappedSimplex`] | $`r\, u^2 / \lVert u\rVert^2`$, one coordinate more | x ≥ 0, Σx ≤ r | second-order |
//! | [`Stochastic`] | one simplex per line | row- or column-stochastic matrices | second-order |
//! | [`Ball`] | $`a + R\, u / \lVert u\rVert`$, one coordinate more | closed ball | second-order |
//! | [`OpenBall`] | $`a + R\, u / \sqrt{1 + \lVert u\rVert^2}`$ | open ball | interior only |
//! | [`Sphere`] | $`a + R\, u / \lVert u\rVert`$ | sphere | second-order (a manifold) |
//! | [`L1Ball`] | $`r\, (u^2 - v^2) / \lVert (u, v)\rVert^2`$ | ℓ1 ball | second-order |
//! | [`Difference`] | $`u^2 - v^2`$ | Rⁿ, sparse | second-order |
//! | [`LowRank`] | $`U U^\top`$ | positive semidefinite matrices, fixed trace, correlation matrices | second-order for full width |
//! | [`Monotone`] | $`u_1 + \sum_{k=2}^{i} u_k^2`$ | monotone sequences, bounded or not | second-order |
//! | [`ConvexSequence`] | $`u_0 + i u_1 + \sum_k (i - k + 1)_+ u_k^2`$ | convex sequences | second-order |
//! | [`SecondOrderCone`] | $`u \circ u`$ (Jordan) | second-order cone | experimental |
//! | [`Product`], [`Pair`] | $`(\varphi_1, \varphi_2, \dots)`$ | products of sets | the weakest block's |
//! | [`Affine`] | $`x_0 + T \varphi(u)`$ | affine images: polytopes, cones, subspaces | that of the inner map |
//!
//! In the formulas u² is entry by entry, ∘ the entrywise product, J = Dφ(u).
//!
//! A new map is one file here: a [`ScalarMap`] if it acts coordinate by coordinate, else a struct and
//! `impl Reparametrization` with the required methods; the rest has defaults.
//! [`check_map`](crate::testing::check_map) runs the whole battery of checks on it,
//! [`check_set`](crate::testing::check_set) that on a set of its own.

mod affine;
mod algebraic;
mod ball;
mod bounds;
mod capped_simplex;
mod convex_sequence;
mod difference;
mod direction;
mod exponential;
mod fixed;
mod identity;
mod interval;
mod l1_ball;
mod low_rank;
mod monotone;
mod normalized_squares;
mod power;
mod precompose;
mod product;
mod scaled_squares;
mod second_order_cone;
mod separable;
mod sigmoid;
mod softmax;
mod softplus;
mod sphere;
mod squares;
mod stochastic;
mod tied;
mod trigonometric;
mod weights;

pub use affine::Affine;
pub use algebraic::{Algebraic, ScalarAlgebraic};
pub use ball::{Ball, OpenBall};
pub use bounds::{Bounds, ScalarBounds};
pub use capped_simplex::CappedSimplex;
pub use convex_sequence::ConvexSequence;
pub use difference::Difference;
pub use exponential::{Exponential, ScalarExponential};
pub use fixed::Fixed;
pub use identity::Identity;
pub use l1_ball::L1Ball;
pub use low_rank::LowRank;
pub use monotone::Monotone;
pub use normalized_squares::NormalizedSquares;
pub use power::{Power, ScalarPower};
pub use precompose::{Precompose, ScalarScaled};
pub use product::{Pair, Product};
pub use scaled_squares::{ScalarScaledSquare, ScaledSquares};
pub use second_order_cone::SecondOrderCone;
pub use separable::{ScalarMap, Separable};
pub use sigmoid::{ScalarSigmoid, Sigmoid};
pub use softmax::{ReducedSoftmax, Softmax};
pub use softplus::{ScalarSoftplus, Softplus};
pub use sphere::Sphere;
pub use squares::{ScalarSquare, Squares};
pub use stochastic::Stochastic;
pub use tied::Tied;
pub use trigonometric::{ScalarTrigonometric, Trigonometric};

use crate::sets::ConstraintSet;
use crate::{MapError, Scalar};

/// What is proved about the points at which a second-order method on f∘φ can end.
///
/// ```
/// use reparam::maps::{Landscape, Reparametrization, Squares};
/// assert_eq!(Squares::<f64>::new(1).landscape(), Landscape::SecondOrder);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Landscape {
    /// "2⇒1": every second-order critical point of f∘φ maps to a stationary point of f on X
    /// (Levin, Kileel & Boumal, Math. Program. 2025).
    SecondOrder,
    /// φ reaches only the interior of X: a solution on the boundary is approached, never attained.
    InteriorOnly,
    /// Nothing is proved.
    Experimental,
}

/// What [`Reparametrization::section`] does with a point on the boundary of X, where the Jacobian of φ loses rank.
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, Squares};
/// let (map, mut u) = (Squares::<f64>::new(2), [0.0; 2]);
/// assert!(map.section(&[0.0, 4.0], Boundary::Reject, &mut u, &mut []).is_err());
/// map.section(&[0.0, 4.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert_eq!(u, [0.0, 2.0]);
/// map.section(&[0.0, 4.0], Boundary::Nudge(1e-8), &mut u, &mut []).unwrap();
/// assert!(u[0] > 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Boundary<T> {
    /// Keep it there exactly; the solver releases coordinates whose multiplier has the wrong sign. The default.
    Exact,
    /// Move it inside by this amount, relative to the size of x (at least that amount itself).
    Nudge(T),
    /// Refuse: [`MapError::OnBoundary`].
    Reject,
}

/// The shape of t ↦ φ(u + t d).
///
/// ```
/// use reparam::maps::{Ray, Reparametrization, Squares};
/// let (mut lin, mut quad) = ([0.0], [0.0]);
/// let ray = Squares::<f64>::new(1).ray(&[3.0], &[1.0], &mut lin, &mut quad, &mut []);
/// assert_eq!((ray, lin[0], quad[0]), (Ray::Quadratic, 6.0, 1.0)); // (3 + t)² = 9 + 6t + t²
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Ray<T> {
    /// x(t) = x + t·lin + t²·quad.
    Quadratic,
    /// x(t) = (ω₀ x + t·lin + t²·quad)/(ω₀ + ω₁ t + ω₂ t²) with these ω.
    Rational([T; 3]),
    /// Nothing to exploit.
    General,
}

/// A smooth map φ from R^p onto a set X ⊂ Rⁿ. J = Dφ(u) is n×p.
///
/// Six methods are required: the two dimensions, the set, [`apply`](Self::apply), [`jvp`](Self::jvp) and
/// [`vjp`](Self::vjp). Slices have the lengths stated; builders check them once. `work` is scratch of length
/// [`scratch_len`](Self::scratch_len) with arbitrary contents, the same for every method: no method of a map of
/// the catalogue allocates.
///
/// ```
/// use reparam::maps::{Reparametrization, Squares};
/// let map = Squares::<f64>::new(2);
/// let (u, mut x) = ([3.0, -1.0], [0.0; 2]);
/// map.apply(&u, &mut x, &mut []);
/// assert_eq!(x, [9.0, 1.0]);
/// let mut w = [0.0; 2];
/// map.vjp(&u, &[1.0, 1.0], &mut w, &mut []);
/// assert_eq!(w, [6.0, -2.0]);
/// ```
pub trait Reparametrization<T: Scalar> {
    /// p, the length of u.
    fn dim_u(&self) -> usize;

    /// n, the length of x.
    fn dim_x(&self) -> usize;

    /// X.
    fn set(&self) -> &dyn ConstraintSet<T>;

    /// x ← φ(u).
    fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]);

    /// jv ← J v; v has length p, jv length n.
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]);

    /// jtw ← Jᵀ w; w has length n, jtw length p.
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]);

    /// What is known of the landscape of f∘φ.
    fn landscape(&self) -> Landscape {
        Landscape::Experimental
    }

    /// The length of `work`.
    fn scratch_len(&self) -> usize {
        0
    }

    /// out ← Σᵢ wᵢ ∇²φᵢ(u) v, the curvature of ⟨w, φ⟩; w has length n, v and out length p.
    ///
    /// The default differentiates [`vjp`](Self::vjp) by central differences (relative error about ε^{2/3}) and
    /// allocates: override it where second-order methods matter.
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        finite_difference_curvature(self, u, w, v, out, work);
    }

    /// The two diagonals of the lifted Hessian Jᵀ diag(h) J + Σ wᵢ ∇²φᵢ, for preconditioning:
    /// `gauss_newton` ← diag Jᵀ diag(h) J and `curved` ← diag Σ wᵢ ∇²φᵢ, both of length p.
    /// False (nothing written) when the map does not offer them.
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        work: &mut [T],
    ) -> bool {
        let _ = (u, h, w, gauss_newton, curved, work);
        false
    }

    /// Some u with φ(u) = x, under a policy for boundary points.
    ///
    /// # Errors
    /// [`MapError::Outside`] or [`MapError::Sum`] when x ∉ X, [`MapError::OnBoundary`] by policy, [`MapError::NotProvided`] (the default).
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
        let _ = (x, boundary, u, work);
        Err(MapError::NotProvided(
            "a section: implement `section` to start at a given x",
        ))
    }

    /// out ← J Jᵀ g where that is a function of x alone (the metric of the flow in x); false otherwise. Of maps that
    /// ignore the size of u: that at the u of [`renormalize`](Self::renormalize).
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], work: &mut [T]) -> bool {
        let _ = (x, g, out, work);
        false
    }

    /// The shape of t ↦ φ(u + t d), its coefficients in `lin` and `quad` (length n) where it has any.
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], work: &mut [T]) -> Ray<T> {
        let _ = (u, d, lin, quad, work);
        Ray::General
    }

    /// A step `du` that leaves the faces at u whose multiplier has the wrong sign; returns the number of coordinates
    /// released (0: `du` is to be ignored). `h` is the curvature of f along the coordinates of x.
    fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], work: &mut [T]) -> usize {
        let _ = (u, x, g, h, du, work);
        0
    }

    /// Whether every x_j depends on one coordinate of u alone and attains its bounds: X is then a box, and each of its points has a u.
    /// Methods may move in x there ([`BoxLbfgs`](crate::methods::BoxLbfgs)).
    fn is_coordinatewise(&self) -> bool {
        false
    }

    /// Replaces u by an equivalent u, φ(u) unchanged, of better size (maps that are invariant to scaling).
    fn renormalize(&self, u: &mut [T]) {
        let _ = u;
    }

    /// u ← a point from which every direction of X can be reached (J of full rank): the start of a run without a given one.
    ///
    /// The default, all ones, is such a point of every map whose coordinates do not mirror each other.
    fn interior(&self, u: &mut [T]) {
        u.fill(T::one());
    }
}

/// Central difference of u ↦ J(u)ᵀ w along v.
fn finite_difference_curvature<T: Scalar, M: Reparametrization<T> + ?Sized>(
    map: &M,
    u: &[T],
    w: &[T],
    v: &[T],
    out: &mut [T],
    work: &mut [T],
) {
    let size = crate::linalg::norm2(u).max(T::one()) / crate::linalg::norm2(v).max(T::min_positive_value());
    let h = T::epsilon().cbrt() * size;
    let moved = |s: T| -> Vec<T> { u.iter().zip(v).map(|(a, b)| *a + s * h * *b).collect() };
    let (plus, minus) = (moved(T::one()), moved(-T::one()));
    let mut back = vec![T::zero(); u.len()];
    map.vjp(&plus, w, out, work);
    map.vjp(&minus, w, &mut back, work);
    for (o, b) in out.iter_mut().zip(&back) {
        *o = (*o - *b) / (h + h);
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, M: Reparametrization<T> + ?Sized> Reparametrization<T> for $wrapper {
            fn dim_u(&self) -> usize { (**self).dim_u() }
            fn dim_x(&self) -> usize { (**self).dim_x() }
            fn set(&self) -> &dyn ConstraintSet<T> { (**self).set() }
            fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]) { (**self).apply(u, x, work); }
            fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) { (**self).jvp(u, v, jv, work); }
            fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) { (**self).vjp(u, w, jtw, work); }
            fn landscape(&self) -> Landscape { (**self).landscape() }
            fn scratch_len(&self) -> usize { (**self).scratch_len() }
            fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
                (**self).curvature(u, w, v, out, work);
            }
            fn diagonals(&self, u: &[T], h: &[T], w: &[T], gauss_newton: &mut [T], curved: &mut [T], work: &mut [T]) -> bool {
                (**self).diagonals(u, h, w, gauss_newton, curved, work)
            }
            fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
                (**self).section(x, boundary, u, work)
            }
            fn metric(&self, x: &[T], g: &[T], out: &mut [T], work: &mut [T]) -> bool { (**self).metric(x, g, out, work) }
            fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], work: &mut [T]) -> Ray<T> { (**self).ray(u, d, lin, quad, work) }
            fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], work: &mut [T]) -> usize { (**self).release(u, x, g, h, du, work) }
            fn is_coordinatewise(&self) -> bool { (**self).is_coordinatewise() }
            fn renormalize(&self, u: &mut [T]) { (**self).renormalize(u); }
            fn interior(&self, u: &mut [T]) { (**self).interior(u); }
        }
    )*};
}
forward!(&M, Box<M>, std::sync::Arc<M>);

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/maps.md")]
pub struct Guide;
