//! {x₀ + T y : y ∈ Y}.

use super::level::{Metric, all_finite, positive_part};
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_finite, check_len};
use crate::linalg::{axpy, dot, max_or_nan, norm2};
use crate::operators::LinearOperator;
use crate::{Result, Scalar};
use std::fmt;

/// The affine image {x₀ + T y : y ∈ Y} of a convex set: polytopes by their vertices, generated cones, subspaces.
///
/// ```text
/// gap                max_y ⟨g, x − x₀ − T y⟩ = ⟨g, x − x₀⟩ − min_y ⟨Tᵀg, y⟩        (needs the minimiser of Y)
/// P(z)               the nearest point of the image, in the metric diag(c²)
/// violation          ‖x − P(x)‖₂
/// natural residual   max_j c_j |x − P(x − g/c²)|_j
/// multipliers        NaN: they belong to y, which x does not determine
/// ```
///
/// How P is computed, and so how far the numbers can be trusted:
///
/// * Y has a linear minimiser (simplex, box, balls, products of them): Wolfe's nearest-point algorithm (Wolfe, Math.
///   Program. 1976). Finite and accurate to rounding times the condition of the vertices when Y is a polytope; about √ε
///   when Y is round. O(d k²) per vertex tried, k ≤ d + 1 vertices held, d the dimension of x.
/// * Y is unbounded but has a projection (orthant, Rⁿ): accelerated projected gradients with restarts, linear
///   convergence at a rate that depends on T; what is returned is then an upper bound of the distance.
/// * Neither: NaN, which never certifies.
///
/// The residual is zero exactly at the stationary points of f over the image, whatever y was behind x. A scale of 0
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
        check_len("the columns of the operator", inner.dim(), operator.columns())?;
        check_len("the offset", operator.rows(), offset.len())?;
        check_finite("offset", &offset)?;
        Ok(Self {
            operator,
            inner,
            offset,
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
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        self.view().frank_wolfe_gap(x, g)
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        super::polyhedral_image(&self.operator, &self.offset, self.inner.polyhedron())
    }
}

/// The image of a borrowed set: what the set above and the map `Affine` share.
pub(crate) struct Image<'a, T> {
    pub(crate) operator: &'a dyn LinearOperator<T>,
    pub(crate) inner: &'a dyn ConstraintSet<T>,
    pub(crate) offset: &'a [T],
}

/// A nearest point: y ∈ Y and T y + x₀.
pub(crate) struct Nearest<T> {
    pub(crate) y: Vec<T>,
    pub(crate) x: Vec<T>,
}

impl<T: Scalar> Image<'_, T> {
    pub(crate) fn violation(&self, x: &[T]) -> T {
        match self.nearest(x, None) {
            Some(p) => norm2(&x.iter().zip(&p.x).map(|(a, b)| *a - *b).collect::<Vec<T>>()),
            None => T::nan(),
        }
    }

    pub(crate) fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let Some(metric) = Metric::new(x.len(), scale) else {
            return T::nan();
        };
        let c = &metric.c;
        // g/(size ĉ)²: the same for every common factor of the scale
        let z: Vec<T> = (0..x.len())
            .map(|i| x[i] - g[i] / metric.size / c[i] / metric.size / c[i])
            .collect();
        match self.nearest(&z, Some(c)) {
            Some(p) => max_or_nan((0..x.len()).map(|i| metric.size * c[i] * (x[i] - p.x[i]).abs())),
            None => T::nan(),
        }
    }

    pub(crate) fn project(&self, x: &mut [T]) -> bool {
        match self.nearest(x, None) {
            Some(p) => {
                x.copy_from_slice(&p.x);
                true
            }
            None => false,
        }
    }

    pub(crate) fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let mut back = vec![T::zero(); self.inner.dim()];
        self.operator.apply_adjoint(g, &mut back);
        let mut y = vec![T::zero(); self.inner.dim()];
        if !self.inner.minimise_linear(&back, &mut y) {
            return false;
        }
        self.map(&y, s);
        true
    }

    pub(crate) fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let mut s = vec![T::zero(); x.len()];
        if !self.is_compact() {
            return None;
        }
        if !self.minimise_linear(g, &mut s) {
            return Some(T::nan());
        }
        for (s, x) in s.iter_mut().zip(x) {
            *s = *x - *s;
        }
        Some(positive_part(dot(g, &s)))
    }

    fn map(&self, y: &[T], x: &mut [T]) {
        self.operator.apply(y, x);
        axpy(T::one(), self.offset, x);
    }

    /// Whether Y is compact and has a linear minimiser: every compact set has a gap, and no other.
    fn is_compact(&self) -> bool {
        let zero = vec![T::zero(); self.inner.dim()];
        let mut y = zero.clone();
        self.inner.minimise_linear(&zero, &mut y) && self.inner.frank_wolfe_gap(&y, &zero).is_some()
    }

    /// The nearest point of the image to z in the metric diag(c²).
    pub(crate) fn nearest(&self, z: &[T], c: Option<&[T]>) -> Option<Nearest<T>> {
        if !all_finite(z) {
            return None;
        }
        let mut y = vec![T::zero(); self.inner.dim()];
        if self.is_compact() {
            self.inner.minimise_linear(&vec![T::zero(); y.len()], &mut y);
            Some(self.wolfe(z, c, y))
        } else if self.inner.project(&mut y) {
            Some(self.projected_gradient(z, c, y))
        } else {
            None
        }
    }

    /// Wolfe's algorithm: the corral is a set of affinely independent points whose convex hull holds the iterate.
    fn wolfe(&self, z: &[T], c: Option<&[T]>, start: Vec<T>) -> Nearest<T> {
        let d = z.len();
        let scale = |i: usize| c.map_or(T::one(), |c| c[i]);
        let shifted = |y: &[T]| -> Vec<T> {
            let mut p = vec![T::zero(); d];
            self.map(y, &mut p);
            (0..d).map(|i| scale(i) * (p[i] - z[i])).collect()
        };
        let mut points = vec![shifted(&start)];
        let mut sources = vec![start];
        let mut weights = vec![T::one()];
        let (mut back, mut weighted) = (vec![T::zero(); self.inner.dim()], vec![T::zero(); d]);
        let mut largest = norm2(&points[0]);
        let mut best = T::infinity();
        for _ in 0..100 + 20 * (d + self.inner.dim()) {
            let x = combine(&points, &weights, d);
            let norm = norm2(&x);
            if norm.is_nan() || norm >= best {
                break; // no progress beyond rounding
            }
            best = norm;
            for (i, w) in weighted.iter_mut().enumerate() {
                *w = scale(i) * x[i];
            }
            self.operator.apply_adjoint(&weighted, &mut back);
            let mut y = vec![T::zero(); self.inner.dim()];
            if !self.inner.minimise_linear(&back, &mut y) {
                break;
            }
            let p = shifted(&y);
            largest = largest.max(norm2(&p));
            let gap: T = x.iter().zip(&p).map(|(x, p)| *x * (*x - *p)).sum();
            if gap.is_nan() || gap <= T::epsilon() * norm * largest {
                break;
            }
            let (old_sources, old_weights) = (sources.clone(), weights.clone());
            points.push(p);
            sources.push(y);
            weights.push(T::zero());
            self.shrink(&mut points, &mut sources, &mut weights);
            if norm2(&combine(&points, &weights, d)) >= best {
                (sources, weights) = (old_sources, old_weights);
                break;
            }
        }
        let y = combine(&sources, &weights, self.inner.dim());
        let mut x = vec![T::zero(); d];
        self.map(&y, &mut x);
        Nearest { y, x }
    }

    /// The minor cycle: towards the nearest point of the affine hull, dropping the points that would get negative weight.
    fn shrink(&self, points: &mut Vec<Vec<T>>, sources: &mut Vec<Vec<T>>, weights: &mut Vec<T>) {
        for _ in 0..points.len() + 1 {
            let alpha = affine_minimiser(points);
            if alpha.iter().all(|a| *a >= T::zero()) {
                *weights = alpha;
            } else {
                let mut theta = T::one();
                for (w, a) in weights.iter().zip(&alpha) {
                    if *a < T::zero() && *w - *a > T::zero() {
                        theta = theta.min(*w / (*w - *a));
                    }
                }
                let mut smallest = (T::infinity(), 0);
                for (k, (w, a)) in weights.iter_mut().zip(&alpha).enumerate() {
                    *w = (*w + theta * (*a - *w)).max(T::zero());
                    if *a < T::zero() && *w < smallest.0 {
                        smallest = (*w, k);
                    }
                }
                weights[smallest.1] = T::zero(); // the blocking one, up to rounding
            }
            let positive = weights.iter().all(|w| *w > T::zero());
            let mut k = 0;
            while k < weights.len() {
                if weights[k] <= T::zero() && weights.len() > 1 {
                    weights.swap_remove(k);
                    points.swap_remove(k);
                    sources.swap_remove(k);
                } else {
                    k += 1;
                }
            }
            let total: T = weights.iter().copied().sum();
            for w in weights.iter_mut() {
                *w /= total;
            }
            if positive {
                break;
            }
        }
    }

    /// Accelerated projected gradients on ½‖C(x₀ + T y − z)‖², restarted when the value rises.
    fn projected_gradient(&self, z: &[T], c: Option<&[T]>, start: Vec<T>) -> Nearest<T> {
        let (d, n) = (z.len(), start.len());
        let weight = |i: usize| c.map_or(T::one(), |c| c[i] * c[i]);
        let gradient = |y: &[T], r: &mut [T], g: &mut [T]| -> T {
            self.map(y, r);
            let mut value = T::zero();
            for i in 0..d {
                let v = r[i] - z[i];
                r[i] = weight(i) * v;
                value += r[i] * v;
            }
            self.operator.apply_adjoint(r, g);
            value
        };
        // ‖T‖² in the metric, by power iterations with a margin
        let (mut v, mut tv) = (vec![T::one(); n], vec![T::zero(); d]);
        let mut lipschitz = T::zero();
        for k in 0..50 {
            let size = norm2(&v).max(T::min_positive_value());
            for (j, a) in v.iter_mut().enumerate() {
                *a = *a / size
                    + if k == 0 {
                        T::lit(0.01) * T::count(j % 7)
                    } else {
                        T::zero()
                    };
            }
            self.operator.apply(&v, &mut tv);
            for (i, t) in tv.iter_mut().enumerate() {
                *t *= weight(i);
            }
            self.operator.apply_adjoint(&tv, &mut v);
            lipschitz = norm2(&v);
        }
        let step = T::one() / (lipschitz * T::lit(1.1)).max(T::min_positive_value());
        let (mut y, mut x, mut r, mut g) =
            (start, vec![T::zero(); d], vec![T::zero(); d], vec![T::zero(); n]);
        let (mut ahead, mut momentum, mut best) = (y.clone(), T::one(), T::infinity());
        for _ in 0..20_000 {
            gradient(&ahead, &mut r, &mut g);
            let previous = std::mem::replace(&mut y, ahead.clone());
            axpy(-step, &g, &mut y);
            self.inner.project(&mut y);
            let moved = norm2(&y.iter().zip(&ahead).map(|(a, b)| *a - *b).collect::<Vec<T>>());
            if moved.is_nan() || moved <= T::epsilon() * T::lit(0.25) * norm2(&y) {
                break;
            }
            let value = gradient(&y, &mut r, &mut g);
            if value > best {
                momentum = T::one();
                ahead.copy_from_slice(&y);
            } else {
                let next = T::lit(0.5) * (T::one() + (T::one() + T::lit(4.0) * momentum * momentum).sqrt());
                let beta = (momentum - T::one()) / next;
                for j in 0..n {
                    ahead[j] = y[j] + beta * (y[j] - previous[j]);
                }
                momentum = next;
            }
            best = value;
        }
        self.map(&y, &mut x);
        Nearest { y, x }
    }
}

fn combine<T: Scalar>(points: &[Vec<T>], weights: &[T], len: usize) -> Vec<T> {
    let mut x = vec![T::zero(); len];
    for (p, w) in points.iter().zip(weights) {
        axpy(*w, p, &mut x);
    }
    x
}

/// The weights α (Σα = 1, any sign) of the point of least norm in the affine hull: least squares in the differences from
/// the first point, by Gram–Schmidt done twice.
fn affine_minimiser<T: Scalar>(points: &[Vec<T>]) -> Vec<T> {
    let k = points.len() - 1;
    let base = &points[0];
    let mut basis: Vec<Vec<T>> = Vec::with_capacity(k);
    let mut r = vec![T::zero(); k * k];
    for (j, p) in points[1..].iter().enumerate() {
        let mut v: Vec<T> = p.iter().zip(base).map(|(a, b)| *a - *b).collect();
        let size = norm2(&v);
        for _ in 0..2 {
            for (i, q) in basis.iter().enumerate() {
                let s = dot(q, &v);
                axpy(-s, q, &mut v);
                r[i * k + j] += s;
            }
        }
        let norm = norm2(&v);
        if norm <= T::lit(8.0) * T::epsilon() * size {
            v.fill(T::zero()); // affinely dependent: gets no weight
        } else {
            r[j * k + j] = norm;
            for a in &mut v {
                *a /= norm;
            }
        }
        basis.push(v);
    }
    // reduce the right-hand side by the same projections: stabler than inner products with the original
    let mut rest: Vec<T> = base.iter().map(|v| -*v).collect();
    let mut beta = vec![T::zero(); k];
    for (j, q) in basis.iter().enumerate() {
        beta[j] = dot(q, &rest);
        axpy(-beta[j], q, &mut rest);
    }
    for j in (0..k).rev() {
        if r[j * k + j] == T::zero() {
            beta[j] = T::zero();
            continue;
        }
        for i in j + 1..k {
            let s = r[j * k + i] * beta[i];
            beta[j] -= s;
        }
        beta[j] /= r[j * k + j];
    }
    let mut alpha = vec![T::one() - beta.iter().copied().sum::<T>()];
    alpha.extend(beta);
    alpha
}
