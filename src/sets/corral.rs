//! The corral (Wolfe's term) of his nearest-point algorithm: affinely independent points, their weights, and the minimiser of their affine hull.

use crate::Scalar;
use crate::linalg::{axpy, dot, norm2};

/// Points p = C(T y + x₀ − z) with their sources y and weights, in borrowed memory.
pub(super) struct Corral<'a, T> {
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
    pub(super) fn new(store: &'a mut [T], capacity: usize, d: usize, n: usize) -> Self {
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
    pub(super) fn next(&mut self) -> (&mut [T], &[T]) {
        let (d, n, k) = (self.d, self.n, self.len);
        (
            &mut self.points[k * d..(k + 1) * d],
            &self.sources[k * n..(k + 1) * n],
        )
    }

    pub(super) fn next_source(&mut self) -> &mut [T] {
        &mut self.sources[self.len * self.n..(self.len + 1) * self.n]
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    pub(super) fn push(&mut self, weight: T) {
        self.weights[self.len] = weight;
        self.len += 1;
    }

    pub(super) fn last(&self) -> &[T] {
        &self.points[(self.len - 1) * self.d..self.len * self.d]
    }

    pub(super) fn at(&self, k: usize) -> &[T] {
        &self.points[k * self.d..(k + 1) * self.d]
    }

    /// x ← Σ weight · point.
    pub(super) fn point(&self, x: &mut [T]) {
        combine(self.points, &self.weights[..self.len], x);
    }

    /// y ← Σ weight · source.
    pub(super) fn source(&self, y: &mut [T]) {
        combine(self.sources, &self.weights[..self.len], y);
    }

    /// Puts the last one in place of k.
    pub(super) fn remove(&mut self, k: usize) {
        let last = self.len - 1;
        self.points
            .copy_within(last * self.d..(last + 1) * self.d, k * self.d);
        self.sources
            .copy_within(last * self.n..(last + 1) * self.n, k * self.n);
        self.weights[k] = self.weights[last];
        self.len = last;
    }

    /// The minor cycle: towards the nearest point of the affine hull, dropping the points that would get negative weight.
    pub(super) fn shrink(&mut self, spare: &mut [T]) {
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
    pub(super) fn affine_minimiser(&mut self, rest: &mut [T]) {
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
