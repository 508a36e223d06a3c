//! {x₀ + T y : y ∈ Y}.

use super::{ConstraintSet, Image, Polyhedron, is_compact};
use crate::checks::{check_finite, check_len};
use crate::operators::{LinearOperator, checked_size};
use crate::{Result, Scalar};
use std::fmt;

/// The affine image {x₀ + T y : y ∈ Y} of a convex set: polytopes by their vertices, generated cones, subspaces.
///
/// ```math
/// \begin{aligned}
/// \text{gap} &\quad \max_{y \in Y} \langle g, x - x_0 - T y\rangle = \langle g, x - x_0\rangle - \min_{y \in Y} \langle T^\top g, y\rangle \\
/// \text{violation} &\quad \lVert x - P(x)\rVert_2, \quad P \text{ the nearest point of the image, in the metric } \operatorname{diag}(c^2) \\
/// \text{natural residual} &\quad \max_j c_j\, |x - P(x - g / c^2)|_j
/// \end{aligned}
/// ```
///
/// The gap needs the minimiser of Y. The multipliers are NaN: they belong to y, which x does not determine.
///
/// How P is computed, and how accurate it is:
///
/// * Y has a linear minimiser (simplex, box, balls, products of them): Wolfe's nearest-point algorithm (Wolfe, Math.
///   Program. 1976). Finite and accurate to rounding times the condition of the vertices when Y is a polytope; about √ε
///   when Y is round. O(d k²) per vertex tried, k ≤ d + 1 vertices held, d the dimension of x.
/// * Y is unbounded but has a projection (orthant, Rⁿ): accelerated projected gradients with restarts, linear
///   convergence at a rate that depends on T; what is returned is then an upper bound of the distance.
/// * Neither: NaN, which never certifies.
///
/// The residual is zero exactly at the stationary points of f over the image, for any y with x₀ + T y = x. A scale of 0
/// counts as the largest scale.
///
/// ```
/// use reparam::sets::{AffineImage, ConstraintSet, Simplex};
/// // the triangle (0,0), (2,0), (0,2)
/// let vertices = nalgebra::dmatrix![0.0, 2.0, 0.0; 0.0, 0.0, 2.0];
/// let set = AffineImage::new(vertices, Simplex::new(3, 1.0).unwrap(), vec![0.0, 0.0]).unwrap();
/// assert!(set.violation(&[0.5, 0.5]) < 1e-15);
/// let mut x = [2.0, 2.0];
/// set.project(&mut x);
/// assert!((x[0] - 1.0_f64).abs() < 1e-14 && (x[1] - 1.0).abs() < 1e-14);
/// ```
pub struct AffineImage<T, A, S> {
    operator: A,
    inner: S,
    offset: Vec<T>,
    compact: bool,
}

impl<T: fmt::Debug, A, S: fmt::Debug> fmt::Debug for AffineImage<T, A, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AffineImage")
            .field("inner", &self.inner)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, A: LinearOperator<T>, S: ConstraintSet<T>> AffineImage<T, A, S> {
    /// {offset + operator·y : y ∈ inner}.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) unless the operator maps the space of the inner set to that of the
    /// offset; [`Error::NotFinite`](crate::Error::NotFinite) for the offset.
    ///
    /// ```
    /// use reparam::sets::{AffineImage, Simplex};
    /// let wrong = AffineImage::new(nalgebra::dmatrix![1.0, 2.0], Simplex::new(3, 1.0).unwrap(), vec![0.0]);
    /// assert!(wrong.is_err());
    /// ```
    pub fn new(operator: A, inner: S, offset: Vec<T>) -> Result<Self> {
        check_len("a row of the operator", inner.dim(), operator.columns())?;
        check_len("the offset", operator.rows(), offset.len())?;
        check_finite("offset", &offset)?;
        checked_size(&operator)?;
        let compact = is_compact(&inner);
        Ok(Self {
            operator,
            inner,
            offset,
            compact,
        })
    }

    /// Y.
    ///
    /// ```
    /// use reparam::sets::{AffineImage, ConstraintSet, Simplex};
    /// let set = AffineImage::new(nalgebra::dmatrix![1.0, 2.0], Simplex::new(2, 1.0).unwrap(), vec![0.0]).unwrap();
    /// assert_eq!(set.inner().dim(), 2);
    /// ```
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn view(&self) -> Image<'_, T> {
        Image {
            operator: &self.operator,
            inner: &self.inner,
            offset: &self.offset,
            compact: self.compact,
        }
    }
}

impl<T: Scalar, A: LinearOperator<T>, S: ConstraintSet<T>> ConstraintSet<T> for AffineImage<T, A, S> {
    fn dim(&self) -> usize {
        self.offset.len()
    }
    fn violation(&self, x: &[T]) -> T {
        self.view().violation(x)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        self.view().natural_residual(x, g, scale)
    }
    fn multipliers(&self, _x: &[T], _g: &[T], out: &mut [T]) {
        out.fill(T::nan());
    }
    fn is_convex(&self) -> bool {
        self.inner.is_convex()
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.view().project(x)
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        self.view().minimise_linear(g, s)
    }
    fn scratch_len(&self) -> usize {
        self.view().scratch_len()
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        self.view().project_in(x, work)
    }
    fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        self.view().minimise_linear_in(g, s, work)
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        self.view().frank_wolfe_gap(x, g)
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        super::polyhedral_image(&self.operator, &self.offset, self.inner.polyhedron())
    }
}
