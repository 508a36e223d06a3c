//! The nearest point of an affine image T Y + x₀, by Wolfe's algorithm or projected gradients, in borrowed memory.

use super::ConstraintSet;
use super::corral::Corral;
use super::level::{Metric, all_finite, positive_part};
use crate::Scalar;
use crate::linalg::{axpy, dot, max_or_nan, norm2};
use crate::operators::LinearOperator;

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
    /// False where a limit ended the search: the distance is one that the set does not exceed, and the point not a projection.
    whole: bool,
}

/// What a search for the nearest point came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Found,
    /// A point of the image that need not be the nearest: a limit came first.
    Stopped,
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
        match self.nearest(&z, Some(c)).filter(|p| p.whole) {
            Some(p) => max_or_nan((0..x.len()).map(|i| metric.size * c[i] * (x[i] - p.x[i]).abs())),
            None => T::nan(),
        }
    }

    pub(crate) fn project(&self, x: &mut [T]) -> bool {
        match self.nearest(x, None).filter(|p| p.whole) {
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
            Search::NotOffered | Search::Stopped => false,
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

    /// The number of points that the scratch of [`nearest_in`](Self::nearest_in) can hold.
    fn capacity(&self) -> usize {
        let (d, n) = (self.offset.len(), self.inner.dim());
        let own = self
            .operator
            .dense()
            .map_or(0, |_| d.saturating_mul(n).saturating_mul(4));
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
            whole: true,
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
                Search::Stopped => return Some(Nearest { whole: false, ..p }),
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
        if matches!(found, Search::Found | Search::Stopped) {
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
            if crate::outcome::is_over() {
                return Search::Stopped;
            }
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
            if corral.is_full() {
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
            if crate::outcome::is_over() {
                return Search::Stopped;
            }
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
