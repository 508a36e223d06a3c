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
        check_len("the columns of the operator", inner.dim(), operator.columns())?;
        check_len("the offset", operator.rows(), offset.len())?;
        check_finite("offset", &offset)?;
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

/// The image of a borrowed set: what the set above and the map `Affine` share.
pub(crate) struct Image<'a, T> {
    pub(crate) operator: &'a dyn LinearOperator<T>,
    pub(crate) inner: &'a dyn ConstraintSet<T>,
    pub(crate) offset: &'a [T],
    /// [`is_compact`] of the inner set.
    pub(crate) compact: bool,
}

/// Whether Y is compact and has a linear minimiser: every compact set has a gap, and no other.
pub(crate) fn is_compact<T: Scalar>(inner: &dyn ConstraintSet<T>) -> bool {
    let zero = vec![T::zero(); inner.dim()];
    let mut y = zero.clone();
    inner.minimise_linear(&zero, &mut y) && inner.frank_wolfe_gap(&y, &zero).is_some()
}

/// A nearest point: y ∈ Y and T y + x₀.
struct Nearest<T> {
    y: Vec<T>,
    x: Vec<T>,
}

/// What a search for the nearest point came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Found,
    /// The set has neither a minimiser nor a projection, or the point is not finite.
    NotOffered,
    /// More vertices are needed than the scratch holds.
    Full,
}

/// Scratch for the corral that is always given, in elements; a dense T gets four times its own size if that is more.
const MEMORY: usize = 1 << 22;

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

    pub(crate) fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let (y, rest) = work.split_at_mut(self.inner.dim());
        let (there, rest) = rest.split_at_mut(x.len());
        match self.nearest_in(x, None, y, there, rest) {
            Search::Found => {
                x.copy_from_slice(there);
                true
            }
            Search::NotOffered => false,
            Search::Full => self.project(x),
        }
    }

    pub(crate) fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let len = 2 * self.inner.dim() + self.inner.scratch_len();
        self.minimise_linear_in(g, s, &mut vec![T::zero(); len])
    }

    pub(crate) fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        let (back, rest) = work.split_at_mut(self.inner.dim());
        let (y, rest) = rest.split_at_mut(back.len());
        self.operator.apply_adjoint(g, back);
        if !self.inner.minimise_linear_in(back, y, rest) {
            return false;
        }
        self.map(y, s);
        true
    }

    pub(crate) fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let mut s = vec![T::zero(); x.len()];
        if !self.compact {
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

    /// The most points a corral can need: affinely independent ones, a new one, one for rounding.
    fn most(&self) -> usize {
        self.offset.len().min(self.inner.dim()) + 3
    }

    /// The points the scratch of [`nearest_in`](Self::nearest_in) has room for.
    fn capacity(&self) -> usize {
        let (d, n) = (self.offset.len(), self.inner.dim());
        let own = self.operator.dense().map_or(0, |_| 4 * d * n);
        let memory = MEMORY.max(own);
        // k(2d + n + k + 3) within the memory
        let fits = memory / (2 * d + n + 3 + self.most()).max(1);
        self.most().min(fits.max(4))
    }

    /// Scratch of [`wolfe`](Self::wolfe) for so many points.
    fn wolfe_len(&self, points: usize) -> usize {
        let (d, n) = (self.offset.len(), self.inner.dim());
        points * (2 * d + n + points + 3) + 3 * d + n + self.inner.scratch_len()
    }

    fn projected_gradient_len(&self) -> usize {
        4 * self.inner.dim() + self.offset.len() + self.inner.scratch_len()
    }

    /// Scratch of [`nearest_in`](Self::nearest_in).
    pub(crate) fn nearest_len(&self) -> usize {
        if self.compact {
            self.wolfe_len(self.capacity())
        } else {
            self.projected_gradient_len()
        }
    }

    /// Scratch of [`project_in`](Self::project_in) and [`minimise_linear_in`](Self::minimise_linear_in).
    pub(crate) fn scratch_len(&self) -> usize {
        let (d, n) = (self.offset.len(), self.inner.dim());
        (n + d + self.nearest_len()).max(2 * n + self.inner.scratch_len())
    }

    /// The nearest point of the image to z in the metric diag(c²), in as much memory as it takes.
    fn nearest(&self, z: &[T], c: Option<&[T]>) -> Option<Nearest<T>> {
        let mut p = Nearest {
            y: vec![T::zero(); self.inner.dim()],
            x: vec![T::zero(); z.len()],
        };
        let mut points = self.most().min(64);
        loop {
            let len = if self.compact {
                self.wolfe_len(points)
            } else {
                self.projected_gradient_len()
            };
            match self.nearest_within(points, z, c, &mut p.y, &mut p.x, &mut vec![T::zero(); len]) {
                Search::Found => return Some(p),
                Search::Full if points < self.most() => points = self.most().min(4 * points),
                _ => return None,
            }
        }
    }

    /// y ∈ Y with x = T y + x₀ nearest to z, in scratch of length [`nearest_len`](Self::nearest_len).
    pub(crate) fn nearest_in(
        &self,
        z: &[T],
        c: Option<&[T]>,
        y: &mut [T],
        x: &mut [T],
        work: &mut [T],
    ) -> Search {
        let points = if self.compact { self.capacity() } else { 0 };
        self.nearest_within(points, z, c, y, x, work)
    }

    fn nearest_within(
        &self,
        points: usize,
        z: &[T],
        c: Option<&[T]>,
        y: &mut [T],
        x: &mut [T],
        work: &mut [T],
    ) -> Search {
        if !all_finite(z) {
            return Search::NotOffered;
        }
        let found = if self.compact {
            self.wolfe(points, z, c, y, work)
        } else {
            self.projected_gradient(z, c, y, work)
        };
        if found == Search::Found {
            self.map(y, x);
        }
        found
    }

    /// p ← C(T y + x₀ − z).
    fn shifted(&self, z: &[T], c: Option<&[T]>, y: &[T], p: &mut [T]) {
        self.map(y, p);
        for (i, p) in p.iter_mut().enumerate() {
            *p = c.map_or(T::one(), |c| c[i]) * (*p - z[i]);
        }
    }

    /// Wolfe's algorithm: the corral is a set of affinely independent points whose convex hull holds the iterate.
    fn wolfe(&self, capacity: usize, z: &[T], c: Option<&[T]>, best_y: &mut [T], work: &mut [T]) -> Search {
        let (d, n) = (z.len(), self.inner.dim());
        let (store, rest) = work.split_at_mut(capacity * (2 * d + n + capacity + 3));
        let (x, rest) = rest.split_at_mut(d);
        let (weighted, rest) = rest.split_at_mut(d);
        let (spare, rest) = rest.split_at_mut(d);
        let (back, inner_work) = rest.split_at_mut(n);
        let mut corral = Corral::new(store, capacity, d, n);
        back.fill(T::zero());
        if !self
            .inner
            .minimise_linear_in(back, corral.next_source(), inner_work)
        {
            return Search::NotOffered;
        }
        let (p, y) = corral.next();
        self.shifted(z, c, y, p);
        corral.push(T::one());
        corral.source(best_y);
        let mut largest = norm2(corral.last());
        let mut best = T::infinity();
        for _ in 0..100 + 20 * (d + n) {
            corral.point(x);
            let norm = norm2(x);
            if norm.is_nan() || norm >= best {
                break; // no progress beyond rounding
            }
            best = norm;
            corral.source(best_y);
            for (i, w) in weighted.iter_mut().enumerate() {
                *w = c.map_or(T::one(), |c| c[i]) * x[i];
            }
            self.operator.apply_adjoint(weighted, back);
            if corral.len == capacity {
                return Search::Full;
            }
            if !self
                .inner
                .minimise_linear_in(back, corral.next_source(), inner_work)
            {
                break;
            }
            let (p, y) = corral.next();
            self.shifted(z, c, y, p);
            largest = largest.max(norm2(p));
            let gap: T = x.iter().zip(&*p).map(|(x, p)| *x * (*x - *p)).sum();
            if gap.is_nan() || gap <= T::epsilon() * norm * largest {
                break;
            }
            corral.push(T::zero());
            corral.shrink(spare);
        }
        Search::Found
    }

    /// Accelerated projected gradients on ½‖C(x₀ + T y − z)‖², restarted when the value rises.
    fn projected_gradient(&self, z: &[T], c: Option<&[T]>, y: &mut [T], work: &mut [T]) -> Search {
        let (d, n) = (z.len(), y.len());
        let (g, rest) = work.split_at_mut(n);
        let (previous, rest) = rest.split_at_mut(n);
        let (ahead, rest) = rest.split_at_mut(n);
        let (moved, rest) = rest.split_at_mut(n);
        let (r, inner_work) = rest.split_at_mut(d);
        y.fill(T::zero());
        if !self.inner.project_in(y, inner_work) {
            return Search::NotOffered;
        }
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
        g.fill(T::one());
        let mut lipschitz = T::zero();
        for k in 0..50 {
            let size = norm2(g).max(T::min_positive_value());
            for (j, a) in g.iter_mut().enumerate() {
                *a = *a / size
                    + if k == 0 {
                        T::lit(0.01) * T::count(j % 7)
                    } else {
                        T::zero()
                    };
            }
            self.operator.apply(g, r);
            for (i, t) in r.iter_mut().enumerate() {
                *t *= weight(i);
            }
            self.operator.apply_adjoint(r, g);
            lipschitz = norm2(g);
        }
        let step = T::one() / (lipschitz * T::lit(1.1)).max(T::min_positive_value());
        ahead.copy_from_slice(y);
        let (mut momentum, mut best) = (T::one(), T::infinity());
        for _ in 0..20_000 {
            gradient(ahead, r, g);
            previous.copy_from_slice(y);
            y.copy_from_slice(ahead);
            axpy(-step, g, y);
            self.inner.project_in(y, inner_work);
            for ((m, a), b) in moved.iter_mut().zip(&*y).zip(&*ahead) {
                *m = *a - *b;
            }
            let length = norm2(moved);
            if length.is_nan() || length <= T::epsilon() * T::lit(0.25) * norm2(y) {
                break;
            }
            let value = gradient(y, r, g);
            if value > best {
                momentum = T::one();
                ahead.copy_from_slice(y);
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
        Search::Found
    }
}

/// Points p = C(T y + x₀ − z) with their sources y and weights, in borrowed memory.
struct Corral<'a, T> {
    d: usize,
    n: usize,
    capacity: usize,
    len: usize,
    points: &'a mut [T],
    sources: &'a mut [T],
    weights: &'a mut [T],
    /// For [`affine_minimiser`](Self::affine_minimiser): orthonormal differences, their triangle, coefficients, weights.
    basis: &'a mut [T],
    triangle: &'a mut [T],
    beta: &'a mut [T],
    alpha: &'a mut [T],
}

impl<'a, T: Scalar> Corral<'a, T> {
    fn new(store: &'a mut [T], capacity: usize, d: usize, n: usize) -> Self {
        let (points, rest) = store.split_at_mut(capacity * d);
        let (sources, rest) = rest.split_at_mut(capacity * n);
        let (basis, rest) = rest.split_at_mut(capacity * d);
        let (triangle, rest) = rest.split_at_mut(capacity * capacity);
        let (weights, rest) = rest.split_at_mut(capacity);
        let (beta, alpha) = rest.split_at_mut(capacity);
        Self {
            d,
            n,
            capacity,
            len: 0,
            points,
            sources,
            weights,
            basis,
            triangle,
            beta,
            alpha,
        }
    }

    /// The place of the next point and of its source; [`push`](Self::push) admits them.
    fn next(&mut self) -> (&mut [T], &[T]) {
        let (d, n, k) = (self.d, self.n, self.len);
        (
            &mut self.points[k * d..(k + 1) * d],
            &self.sources[k * n..(k + 1) * n],
        )
    }

    fn next_source(&mut self) -> &mut [T] {
        &mut self.sources[self.len * self.n..(self.len + 1) * self.n]
    }

    fn push(&mut self, weight: T) {
        self.weights[self.len] = weight;
        self.len += 1;
    }

    fn last(&self) -> &[T] {
        &self.points[(self.len - 1) * self.d..self.len * self.d]
    }

    fn at(&self, k: usize) -> &[T] {
        &self.points[k * self.d..(k + 1) * self.d]
    }

    /// x ← Σ weight · point.
    fn point(&self, x: &mut [T]) {
        combine(self.points, &self.weights[..self.len], x);
    }

    /// y ← Σ weight · source.
    fn source(&self, y: &mut [T]) {
        combine(self.sources, &self.weights[..self.len], y);
    }

    /// Puts the last one in place of k.
    fn remove(&mut self, k: usize) {
        let last = self.len - 1;
        self.points
            .copy_within(last * self.d..(last + 1) * self.d, k * self.d);
        self.sources
            .copy_within(last * self.n..(last + 1) * self.n, k * self.n);
        self.weights[k] = self.weights[last];
        self.len = last;
    }

    /// The minor cycle: towards the nearest point of the affine hull, dropping the points that would get negative weight.
    fn shrink(&mut self, spare: &mut [T]) {
        for _ in 0..self.len + 1 {
            self.affine_minimiser(spare);
            let len = self.len;
            let (weights, alpha) = (&mut self.weights[..len], &self.alpha[..len]);
            if alpha.iter().all(|a| *a >= T::zero()) {
                weights.copy_from_slice(alpha);
            } else {
                let mut theta = T::one();
                for (w, a) in weights.iter().zip(alpha) {
                    if *a < T::zero() && *w - *a > T::zero() {
                        theta = theta.min(*w / (*w - *a));
                    }
                }
                let mut smallest = (T::infinity(), 0);
                for (k, (w, a)) in weights.iter_mut().zip(alpha).enumerate() {
                    *w = (*w + theta * (*a - *w)).max(T::zero());
                    if *a < T::zero() && *w < smallest.0 {
                        smallest = (*w, k);
                    }
                }
                weights[smallest.1] = T::zero(); // the blocking one, up to rounding
            }
            let positive = weights.iter().all(|w| *w > T::zero());
            let mut k = 0;
            while k < self.len {
                if self.weights[k] <= T::zero() && self.len > 1 {
                    self.remove(k);
                } else {
                    k += 1;
                }
            }
            let weights = &mut self.weights[..self.len];
            let total: T = weights.iter().copied().sum();
            for w in weights.iter_mut() {
                *w /= total;
            }
            if positive {
                break;
            }
        }
    }

    /// alpha ← the weights α (Σα = 1, any sign) of the point of least norm in the affine hull: least squares in the
    /// differences from the first point, by Gram–Schmidt done twice.
    fn affine_minimiser(&mut self, rest: &mut [T]) {
        let (d, m, k) = (self.d, self.capacity, self.len - 1);
        for j in 0..k {
            let (before, here) = self.basis.split_at_mut(j * d);
            let v = &mut here[..d];
            let p = &self.points[(j + 1) * d..(j + 2) * d];
            for ((v, p), base) in v.iter_mut().zip(p).zip(&*self.points) {
                *v = *p - *base;
            }
            let size = norm2(v);
            for i in 0..=j {
                self.triangle[i * m + j] = T::zero();
            }
            for _ in 0..2 {
                for i in 0..j {
                    let q = &before[i * d..(i + 1) * d];
                    let s = dot(q, v);
                    axpy(-s, q, v);
                    self.triangle[i * m + j] += s;
                }
            }
            let norm = norm2(v);
            if norm <= T::lit(8.0) * T::epsilon() * size {
                v.fill(T::zero()); // affinely dependent: gets no weight
            } else {
                self.triangle[j * m + j] = norm;
                for a in v.iter_mut() {
                    *a /= norm;
                }
            }
        }
        // reduce the right-hand side by the same projections: stabler than inner products with the original
        for (r, base) in rest.iter_mut().zip(self.at(0)) {
            *r = -*base;
        }
        for j in 0..k {
            let q = &self.basis[j * d..(j + 1) * d];
            self.beta[j] = dot(q, rest);
            axpy(-self.beta[j], q, rest);
        }
        for j in (0..k).rev() {
            let pivot = self.triangle[j * m + j];
            if pivot == T::zero() {
                self.beta[j] = T::zero();
                continue;
            }
            for i in j + 1..k {
                let s = self.triangle[j * m + i] * self.beta[i];
                self.beta[j] -= s;
            }
            self.beta[j] /= pivot;
        }
        self.alpha[0] = T::one() - self.beta[..k].iter().copied().sum::<T>();
        self.alpha[1..=k].copy_from_slice(&self.beta[..k]);
    }
}

/// x ← Σ weights\[k\] · (k-th row of points).
fn combine<T: Scalar>(points: &[T], weights: &[T], x: &mut [T]) {
    x.fill(T::zero());
    for (p, w) in points.chunks_exact(x.len().max(1)).zip(weights) {
        axpy(*w, p, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::Simplex;

    /// The barycentre needs every vertex: a small corral says that it is full, and a set starts again with a larger one.
    #[test]
    fn a_full_corral_is_told() {
        let n = 90;
        let (inner, offset) = (Simplex::new(n, 1.0).unwrap(), vec![0.0; n]);
        let identity = nalgebra::DMatrix::<f64>::identity(n, n);
        let image = Image {
            operator: &identity,
            inner: &inner,
            offset: &offset,
            compact: true,
        };
        let z = vec![1.0 / n as f64; n];
        let (mut y, mut x) = (vec![0.0; n], vec![0.0; n]);
        let mut work = vec![f64::NAN; image.wolfe_len(64)];
        let found = image.nearest_within(64, &z, None, &mut y, &mut x, &mut work);
        assert_eq!(found, Search::Full);
        assert!(image.most() > 64);
        let near = image.nearest(&z, None).unwrap();
        assert!(near.x.iter().all(|v| (*v - 1.0 / n as f64).abs() < 1e-14));
        let mut work = vec![f64::NAN; image.nearest_len()];
        let found = image.nearest_in(&z, None, &mut y, &mut x, &mut work);
        assert_eq!((found, y), (Search::Found, near.y));
    }
}
