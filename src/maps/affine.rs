//! x = x₀ + T φ(u).

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::checks::{check_finite, check_len};
use crate::linalg::{axpy, norm2};
use crate::operators::{LinearOperator, checked_norms, checked_size};
use crate::sets::{ConstraintSet, Image, Polyhedron, Search, is_compact, polyhedral_image};
use crate::{MapError, Result, Scalar};
use std::fmt;

/// The affine image of a map: $`x = x_0 + T \varphi(u)`$, T any [`LinearOperator`].
///
/// ```math
/// J = T J_\varphi, \qquad \text{curvature: that of } \varphi \text{ with the multiplier } T^\top w
/// ```
///
/// | set | T | φ |
/// |---|---|---|
/// | polytope by its vertices | the vertices as columns | [`NormalizedSquares`](super::NormalizedSquares) |
/// | generated cone | the generators | [`Squares`](super::Squares) |
/// | affine subspace | a basis | [`Identity`](super::Identity) |
/// | permutation, rescaling | a permutation, a diagonal | any |
///
/// Linear images of a *convex* set keep the landscape of φ (Levin, Kileel & Boumal, Math. Program. 2025); the tag is
/// φ's, and means nothing when φ maps onto a sphere. Several y may map to one x: the section takes one of them, by
/// the nearest-point algorithms described at [`AffineImage`](crate::sets::AffineImage), whose measures the set of this map
/// has. Their memory is part of [`scratch_len`](Reparametrization::scratch_len): room for min(d, n) + 3 vertices for a dense T
/// or where that is below 4 million numbers, else for as many as those hold; a point that needs more has no section. No metric and no diagonals: they would need the entries of T. Where T has no column norms they are taken
/// from one product per column at construction (for [`release`](Reparametrization::release)).
///
/// ```
/// use reparam::maps::{Affine, NormalizedSquares, Reparametrization};
/// // the triangle (0,0), (2,0), (0,2)
/// let vertices = nalgebra::dmatrix![0.0, 2.0, 0.0; 0.0, 0.0, 2.0];
/// let map = Affine::new(vertices, NormalizedSquares::new(3, 1.0).unwrap(), vec![0.0, 0.0]).unwrap();
/// let (mut x, mut work) = ([0.0; 2], vec![0.0; map.scratch_len()]);
/// map.apply(&[1.0, 1.0, 0.0], &mut x, &mut work);
/// assert_eq!(x, [1.0, 0.0]);
/// ```
pub struct Affine<T, A, M> {
    image: Parts<T, A, M>,
    norms: Vec<T>,
}

struct Parts<T, A, M> {
    operator: A,
    map: M,
    offset: Vec<T>,
    compact: bool,
}

impl<T: fmt::Debug, A, M: fmt::Debug> fmt::Debug for Affine<T, A, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { map, offset, .. } = &self.image;
        f.debug_struct("Affine")
            .field("map", map)
            .field("offset", offset)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, A: LinearOperator<T>, M: Reparametrization<T>> Affine<T, A, M> {
    /// offset + operator·map(u).
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) unless the operator maps the space of the map's values to that of the
    /// offset; [`Error::NotFinite`](crate::Error::NotFinite) for the offset.
    ///
    /// ```
    /// use reparam::maps::{Affine, Squares};
    /// assert!(Affine::new(nalgebra::dmatrix![1.0, 2.0], Squares::new(3), vec![0.0]).is_err());
    /// ```
    pub fn new(operator: A, map: M, offset: Vec<T>) -> Result<Self> {
        check_len("a row of the operator", map.dim_x(), operator.columns())?;
        check_len("the offset", operator.rows(), offset.len())?;
        check_finite("offset", &offset)?;
        let (_, n) = checked_size(&operator)?;
        let mut norms = vec![T::zero(); n];
        if !checked_norms(&operator, &mut norms)? {
            let (mut unit, mut column) = (
                vec![T::zero(); operator.columns()],
                vec![T::zero(); operator.rows()],
            );
            for (j, c) in norms.iter_mut().enumerate() {
                unit[j] = T::one();
                operator.apply(&unit, &mut column);
                unit[j] = T::zero();
                *c = norm2(&column);
            }
        }
        let compact = is_compact(map.set());
        Ok(Self {
            image: Parts {
                operator,
                map,
                offset,
                compact,
            },
            norms,
        })
    }

    /// φ.
    ///
    /// ```
    /// use reparam::maps::{Affine, Reparametrization, Squares};
    /// let map = Affine::new(nalgebra::dmatrix![1.0, 2.0], Squares::new(2), vec![0.0]).unwrap();
    /// assert_eq!(map.inner().dim_u(), 2);
    /// ```
    pub fn inner(&self) -> &M {
        &self.image.map
    }

    fn y_len(&self) -> usize {
        self.image.operator.columns()
    }
}

impl<T: Scalar, A: LinearOperator<T>, M: Reparametrization<T>> Parts<T, A, M> {
    fn image(&self) -> Image<'_, T> {
        Image {
            operator: &self.operator,
            inner: self.map.set(),
            offset: &self.offset,
            compact: self.compact,
        }
    }
}

impl<T: Scalar, A: LinearOperator<T>, M: Reparametrization<T>> ConstraintSet<T> for Parts<T, A, M> {
    fn dim(&self) -> usize {
        self.offset.len()
    }
    fn violation(&self, x: &[T]) -> T {
        self.image().violation(x)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        self.image().natural_residual(x, g, scale)
    }
    fn multipliers(&self, _x: &[T], _g: &[T], out: &mut [T]) {
        out.fill(T::nan());
    }
    fn is_convex(&self) -> bool {
        self.map.set().is_convex()
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.image().project(x)
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        self.image().minimise_linear(g, s)
    }
    fn scratch_len(&self) -> usize {
        self.image().scratch_len()
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        self.image().project_in(x, work)
    }
    fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        self.image().minimise_linear_in(g, s, work)
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        self.image().frank_wolfe_gap(x, g)
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        polyhedral_image(&self.operator, &self.offset, self.map.set().polyhedron())
    }
}

impl<T: Scalar, A: LinearOperator<T>, M: Reparametrization<T>> Reparametrization<T> for Affine<T, A, M> {
    fn dim_u(&self) -> usize {
        self.image.map.dim_u()
    }
    fn dim_x(&self) -> usize {
        self.image.offset.len()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.image
    }
    fn landscape(&self) -> Landscape {
        self.image.map.landscape()
    }
    fn scratch_len(&self) -> usize {
        let (n, inner) = (self.y_len(), self.image.map.scratch_len());
        // y, and for `release` its gradient and its curvature
        let products = n.saturating_mul(3).saturating_add(inner);
        let section = n + self.image.offset.len() + self.image.image().nearest_len().max(inner);
        products.max(section)
    }
    fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]) {
        let (y, work) = work.split_at_mut(self.y_len());
        self.image.map.apply(u, y, work);
        self.image.operator.apply(y, x);
        axpy(T::one(), &self.image.offset, x);
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let (y, work) = work.split_at_mut(self.y_len());
        self.image.map.jvp(u, v, y, work);
        self.image.operator.apply(y, jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (y, work) = work.split_at_mut(self.y_len());
        self.image.operator.apply_adjoint(w, y);
        self.image.map.vjp(u, y, jtw, work);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let (y, work) = work.split_at_mut(self.y_len());
        self.image.operator.apply_adjoint(w, y);
        self.image.map.curvature(u, y, v, out, work);
    }
    /// A preimage y of x by a nearest-point search, then the section of φ at y with the policy applied there.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
        let outside = |index: usize| MapError::Outside {
            index,
            value: x[index].as_f64(),
        };
        if let Some(index) = x.iter().position(|v| !v.is_finite()) {
            return Err(outside(index));
        }
        let (y, rest) = work.split_at_mut(self.y_len());
        let (there, rest) = rest.split_at_mut(x.len());
        match self.image.image().nearest_in(x, None, y, there, rest) {
            Search::Found => {}
            Search::Stopped => return Err(MapError::NotProvided("a section after a limit")),
            Search::NotOffered => {
                return Err(MapError::NotProvided(
                    "a section: the inner set has neither a minimiser nor a projection",
                ));
            }
            Search::Full => {
                return Err(MapError::NotProvided(
                    "a section at points of more vertices than its scratch holds",
                ));
            }
        }
        let size = norm2(x)
            .max(norm2(&self.image.offset))
            .max(T::min_positive_value());
        let gap = |k: usize| (x[k] - there[k]).abs();
        let worst = (0..x.len()).fold(0, |w, k| if gap(k) > gap(w) { k } else { w });
        if gap(worst) > T::epsilon().sqrt() * size {
            return Err(outside(worst));
        }
        self.image.map.section(y, boundary, u, rest)
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], work: &mut [T]) -> Ray<T> {
        let (a, rest) = work.split_at_mut(self.y_len());
        let (b, rest) = rest.split_at_mut(self.y_len());
        let ray = self.image.map.ray(u, d, a, b, rest);
        if ray != Ray::General {
            self.image.operator.apply_pair(a, b, lin, quad);
        }
        if let Ray::Rational(omega) = ray {
            // the offset carries the denominator
            axpy(omega[1], &self.image.offset, lin);
            axpy(omega[2], &self.image.offset, quad);
        }
        ray
    }
    /// That of φ with the gradient Tᵀ g and the curvature bound ‖t_j‖² Σh along column t_j.
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], work: &mut [T]) -> usize {
        let total: T = h.iter().map(|v| v.max(T::zero())).sum();
        let len = self.y_len();
        let (y, rest) = work.split_at_mut(len);
        let (back, rest) = rest.split_at_mut(len);
        let (bent, rest) = rest.split_at_mut(len);
        self.image.map.apply(u, y, rest);
        self.image.operator.apply_adjoint(g, back);
        for (b, c) in bent.iter_mut().zip(&self.norms) {
            *b = *c * *c * total;
        }
        self.image.map.release(u, y, back, bent, du, rest)
    }
    fn renormalize(&self, u: &mut [T]) {
        self.image.map.renormalize(u);
    }
    fn interior(&self, u: &mut [T]) {
        self.image.map.interior(u);
    }
}
