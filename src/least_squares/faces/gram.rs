//! A face on a dense Gram matrix: cheap, at a squared condition number.

use super::{Face, gather, gram_dependence, weak_pivot, worth_closing};
use crate::LinalgScalar;
use crate::least_squares::methods::block_exchange::append_row;
use crate::least_squares::region::{NonNegative, Region};
use crate::linalg::{PackedUpper, axpy, dot};
use crate::outcome::Run;

/// RᵀR = G_FF; with a sum that of A with the row α wᵀ appended, G + α² w wᵀ.
pub(in crate::least_squares) struct GramFace<'g, T, R> {
    gram: &'g [T],
    n: usize,
    c: &'g [T],
    region: &'g R,
    /// The size of the terms of b − A x.
    size: T,
    members: Vec<usize>,
    factor: PackedUpper<T>,
    scratch: Vec<T>,
    /// c − G x at the present point; empty where coordinates off the face are zero: then the factor knows the minimiser itself.
    w: Vec<T>,
    /// The last step.
    p: Vec<T>,
    of_sum: OfSum<T>,
}

/// What a sum adds to a face.
struct OfSum<T> {
    alpha_squared: T,
    /// How many members take part in the sum.
    anchors: usize,
    /// r − wᵀx, where it is more than rounding.
    lacking: T,
    /// The multiplier of the sum at the minimiser, and whether it is that of the present face.
    lambda: T,
    is_current: bool,
}

impl<'g, T: LinalgScalar> GramFace<'g, T, NonNegative> {
    /// An empty face over x ≥ 0 of the n×n Gram matrix with right-hand side c = Aᵀb.
    pub(in crate::least_squares) fn new(gram: &'g [T], c: &'g [T], b_norm: T) -> Self {
        Self::over(gram, c, &NonNegative, T::zero(), b_norm)
    }
}

impl<'g, T: LinalgScalar, R: Region<T>> GramFace<'g, T, R> {
    /// An empty face of the n×n Gram matrix with c = Aᵀb; α belongs to the appended row, and `size` is that of the terms of b − A x.
    pub(in crate::least_squares) fn over(
        gram: &'g [T],
        c: &'g [T],
        region: &'g R,
        alpha: T,
        size: T,
    ) -> Self {
        Self {
            gram,
            n: c.len(),
            c,
            region,
            size,
            members: Vec::new(),
            factor: PackedUpper::new(),
            scratch: Vec::new(),
            w: Vec::new(),
            p: Vec::new(),
            of_sum: OfSum {
                alpha_squared: alpha * alpha,
                anchors: 0,
                lacking: T::zero(),
                lambda: T::zero(),
                is_current: false,
            },
        }
    }

    fn column(&self, j: usize) -> &'g [T] {
        &self.gram[j * self.n..(j + 1) * self.n]
    }

    /// Entry (i, j) of the matrix that is factorised.
    fn entry(&self, i: usize, j: usize) -> T {
        let g = self.gram[j * self.n + i];
        if R::ZERO_OFF_FACE {
            return g;
        }
        g + self.of_sum.alpha_squared * self.region.weight(i) * self.region.weight(j)
    }

    /// c_j − (G x)_j with x on the face alone.
    fn price_at(&self, j: usize, x: &[T]) -> T {
        let column = self.column(j);
        let terms = self.members.iter().zip(x).map(|(i, v)| column[*i] * *v);
        self.c[j] - terms.sum::<T>()
    }

    /// Starts from a given face with one factorisation; false (and empty) when it is not positive definite enough.
    pub(in crate::least_squares) fn assign(&mut self, members: &[usize], run: &mut Run<'_>) -> bool {
        self.members.clear();
        self.factor.clear();
        self.of_sum.anchors = 0;
        self.of_sum.is_current = false;
        let k = members.len();
        let mut l = vec![T::zero(); k * k];
        gather(self.gram, self.n, members, &mut l);
        append_row(&mut l, members, self.region, self.of_sum.alpha_squared);
        run.factorisations += 1;
        if !T::cholesky(k, &mut l) || weak_pivot(&l, k, |p| self.entry(members[p], members[p])) {
            return false;
        }
        self.factor.assign_lower(k, &l);
        self.members.extend_from_slice(members);
        self.of_sum.anchors = self.region.taking_part(members);
        true
    }

    /// v ← the step on the face with gradient −v that keeps the sum, for a refinement with the residual formed in A.
    pub(in crate::least_squares) fn solve(&self, v: &mut [T]) {
        self.factor.solve_transposed(v);
        if self.of_sum.anchors > 0 {
            let mut u: Vec<T> = self.members.iter().map(|j| self.region.weight(*j)).collect();
            self.factor.solve_transposed(&mut u);
            axpy(-dot(&u, v) / dot(&u, &u), &u, v);
        }
        self.factor.solve(v);
    }

    /// z ← R⁻ᵀ(c − G x)_F; u = R⁻ᵀ w_F is left in the scratch.
    fn reduced(&mut self, z: &mut [T]) {
        for (z, j) in z.iter_mut().zip(&self.members) {
            *z = self.w[*j];
        }
        self.factor.solve_transposed(z);
        if self.of_sum.anchors > 0 {
            self.scratch.clear();
            for j in &self.members {
                self.scratch.push(self.region.weight(*j));
            }
            self.factor.solve_transposed(&mut self.scratch);
        }
    }

    /// z ← the step from the present point to the minimiser.
    fn step(&mut self, z: &mut [T]) {
        self.reduced(z);
        if self.of_sum.anchors > 0 {
            let u = &self.scratch;
            let coefficient = (self.of_sum.lacking - dot(u, z)) / dot(u, u);
            axpy(coefficient, u, z);
        }
        self.factor.solve(z);
        self.p.clear();
        self.p.extend_from_slice(z);
    }

    /// The multiplier of the sum at the minimiser.
    fn find_multiplier(&mut self) {
        self.of_sum.is_current = true;
        self.of_sum.lambda = T::zero();
        if self.of_sum.anchors > 0 {
            let mut d = vec![T::zero(); self.members.len()];
            self.reduced(&mut d);
            let u = &self.scratch;
            self.of_sum.lambda = -dot(u, &d) / dot(u, u);
        }
    }
}

impl<T: LinalgScalar, R: Region<T>> Face<T> for GramFace<'_, T, R> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, _run: &mut Run<'_>) -> bool {
        self.scratch.clear();
        for k in 0..self.members.len() {
            let v = self.entry(self.members[k], j);
            self.scratch.push(v);
        }
        self.factor.solve_transposed(&mut self.scratch);
        let whole = self.entry(j, j);
        let rest = whole - dot(&self.scratch, &self.scratch);
        if rest.is_nan() || rest <= gram_dependence::<T>() * whole {
            return false;
        }
        self.factor.push(&self.scratch, rest.sqrt());
        self.members.push(j);
        self.of_sum.anchors += usize::from(self.region.weight(j) > T::zero());
        self.of_sum.is_current = false;
        true
    }

    fn remove(&mut self, position: usize) {
        self.factor.remove(position, |_| {});
        let j = self.members.remove(position);
        self.of_sum.anchors -= usize::from(self.region.weight(j) > T::zero());
        self.of_sum.is_current = false;
    }

    fn rebase(&mut self, x: &[T], held: &[T], _run: &mut Run<'_>) {
        if R::ZERO_OFF_FACE {
            return;
        }
        let mut full = held.to_vec();
        self.members.iter().zip(x).for_each(|(j, v)| full[*j] = *v);
        self.w.clear();
        self.w.extend_from_slice(self.c);
        for (j, v) in full.iter().enumerate().filter(|(_, v)| **v != T::zero()) {
            axpy(-*v, &self.gram[j * self.n..(j + 1) * self.n], &mut self.w);
        }
        self.of_sum.lacking = worth_closing(self.region.lacking(&full));
        self.of_sum.is_current = false;
    }

    fn moved(&mut self, part: T) {
        if R::ZERO_OFF_FACE {
            return;
        }
        for (j, p) in self.members.iter().zip(&self.p) {
            axpy(-part * *p, &self.gram[j * self.n..(j + 1) * self.n], &mut self.w);
        }
        self.of_sum.lacking -= part * self.of_sum.lacking;
        self.of_sum.is_current = false;
    }

    fn is_anchored(&self) -> bool {
        R::ZERO_OFF_FACE || self.region.sum().is_none() || self.of_sum.anchors > 0
    }

    fn minimiser(&mut self, x: &[T], z: &mut [T]) {
        if R::ZERO_OFF_FACE {
            for (zi, j) in z.iter_mut().zip(&self.members) {
                *zi = self.c[*j];
            }
            self.factor.solve_transposed(z);
            self.factor.solve(z);
        } else {
            self.step(z);
            axpy(T::one(), x, z);
        }
    }

    fn price_all(&mut self, x: &[T], held: &[T], w: &mut [T], run: &mut Run<'_>) -> T {
        if R::ZERO_OFF_FACE {
            w.copy_from_slice(self.c);
            for (j, v) in self.members.iter().zip(x) {
                axpy(-*v, self.column(*j), w);
            }
            return self.size;
        }
        self.rebase(x, held, run);
        w.copy_from_slice(&self.w);
        if let Some(sum) = self.region.sum() {
            self.find_multiplier();
            axpy(self.of_sum.lambda, &sum.w, w);
        }
        self.size
    }

    fn price(&mut self, j: usize, x: &[T]) -> Option<T> {
        if R::ZERO_OFF_FACE {
            return Some(self.price_at(j, x));
        }
        if !self.of_sum.is_current {
            self.find_multiplier();
        }
        Some(self.w[j] + self.of_sum.lambda * self.region.weight(j))
    }

    fn correction(&mut self, x: &[T], held: &[T], delta: &mut [T], run: &mut Run<'_>) {
        if !R::ZERO_OFF_FACE {
            self.rebase(x, held, run);
            return self.step(delta);
        }
        for (o, j) in delta.iter_mut().zip(&self.members) {
            *o = self.price_at(*j, x);
        }
        self.factor.solve_transposed(delta);
        self.factor.solve(delta);
    }
}
