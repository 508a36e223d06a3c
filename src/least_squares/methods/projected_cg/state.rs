//! The state of the iteration: the point, its gradient and face, and steps within a face.

use super::dominant::Dominant;
use crate::LinalgScalar;
use crate::least_squares::problem::{Problem, over};
use crate::linalg::{dot, max_or_nan};
use crate::outcome::Run;

/// What a gradient formed column by column brings with it, from the same pass over memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ahead<T> {
    Nothing,
    /// The image of q on the face.
    Steepest,
    /// The image of the move to P(y − t q).
    Projected(T),
}

pub(super) struct State<'p, 'a, T: LinalgScalar> {
    pub(super) problem: &'p Problem<'a, T>,
    pub(super) b: &'p [T],
    /// What ρ is relative to: ‖b‖.
    pub(super) unit: T,
    /// s_j = ±η‖b‖ where one bound is infinite, else 0: what is minimised is f − sᵀy.
    pub(super) shift: Vec<T>,
    /// Bounds of y; both are y itself where a column is zero.
    pub(super) lo: Vec<T>,
    pub(super) hi: Vec<T>,
    pub(super) y: Vec<T>,
    /// Its gradient; everywhere when `fresh`, else on the face only.
    pub(super) q: Vec<T>,
    pub(super) fresh: bool,
    /// Whether q was formed from r, and not from a sum of what was known, which cancels.
    pub(super) formed: bool,
    /// A x − b, and ½‖r‖² − sᵀy.
    pub(super) r: Vec<T>,
    pub(super) f: T,
    /// Where lo < y < hi, ascending.
    pub(super) face: Vec<usize>,
    /// The direction on the face, in its order.
    pub(super) p: Vec<T>,
    /// A p and (AᵀA p)/c on the face.
    pub(super) image: Vec<T>,
    pub(super) product: Vec<T>,
    /// A move from y: where it ends, its columns, its coefficients over c, and its image.
    pub(super) trial: Vec<T>,
    pub(super) moved: Vec<usize>,
    pub(super) coefficients: Vec<T>,
    pub(super) trial_r: Vec<T>,
    /// The largest curvature met, ⟨p, AᵀA p⟩/⟨p, p⟩.
    pub(super) curvature: T,
    /// The best point after a projection, and the number of projections since.
    pub(super) best: (T, Vec<T>, Vec<T>),
    pub(super) since: usize,
    pub(super) refreshed: usize,
    /// A dominant singular value, which projections then respect.
    pub(super) dominant: Option<Dominant<T>>,
    /// Whether products go column by column: then the image of a move that the gradient decides coordinate by coordinate costs nothing.
    pub(super) by_columns: bool,
    pub(super) ahead: Ahead<T>,
    pub(super) ahead_image: Vec<T>,
    /// Where a step would end without bounds.
    pub(super) aim: Vec<T>,
    /// Aᵀr everywhere, and weights of columns.
    prices: Vec<T>,
    weights: Vec<T>,
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    pub(super) fn new(
        problem: &'p Problem<'a, T>,
        b: &'p [T],
        bounds: Option<(&[T], &[T])>,
        unit: T,
        shift: T,
        x: &[T],
    ) -> Self {
        let (m, n) = (problem.rows(), problem.columns());
        let norms = problem.norms();
        let zeros = |k| vec![T::zero(); k];
        let scaled = |v: &[T]| {
            v.iter()
                .zip(norms)
                .map(|(v, c)| if *c > T::zero() { *v * *c } else { T::zero() })
                .collect::<Vec<T>>()
        };
        let (lo, hi) = match bounds {
            Some((lo, hi)) => (scaled(lo), scaled(hi)),
            None => (zeros(n), scaled(&vec![T::infinity(); n])),
        };
        let shift_of = |(lo, hi): (&T, &T)| match (lo.is_finite(), hi.is_finite()) {
            (true, false) => shift * unit,
            (false, true) => -shift * unit,
            _ => T::zero(),
        };
        let shift = lo.iter().zip(&hi).map(shift_of).collect();
        Self {
            problem,
            b,
            unit,
            shift,
            y: (0..n)
                .map(|j| crate::sets::clip(x[j] * norms[j], lo[j], hi[j]))
                .collect(),
            lo,
            hi,
            q: zeros(n),
            fresh: false,
            formed: false,
            r: zeros(m),
            f: T::nan(),
            face: Vec::with_capacity(n),
            p: zeros(n),
            image: zeros(m),
            product: zeros(n),
            trial: zeros(n),
            moved: Vec::with_capacity(n),
            coefficients: zeros(n),
            trial_r: zeros(m),
            curvature: T::zero(),
            best: (T::infinity(), zeros(n), zeros(m)),
            since: 0,
            refreshed: 0,
            dominant: None,
            by_columns: problem.has_adjoint_normal(),
            ahead: Ahead::Nothing,
            ahead_image: zeros(m),
            aim: zeros(n),
            prices: zeros(n),
            weights: zeros(n),
        }
    }

    /// Whether anything can be projected.
    pub(super) fn is_bounded(&self) -> bool {
        self.lo.iter().any(|v| v.is_finite()) || self.hi.iter().any(|v| v.is_finite())
    }

    /// In the orthant, from zero: the best multiple of max(Aᵀb, 0).
    pub(super) fn begin(&mut self, correlations: Option<&[T]>, run: &mut Run<'_>) {
        for (r, b) in self.r.iter_mut().zip(self.b) {
            *r = -*b;
        }
        match correlations {
            Some(c) => {
                let terms = c.iter().zip(self.problem.norms()).zip(&self.shift);
                for (q, ((v, norm), s)) in self.q.iter_mut().zip(terms) {
                    *q = over(-*v, *norm) - *s;
                }
            }
            None => self.gradient(Ahead::Nothing, run),
        }
        let mut square = T::zero();
        for (t, q) in self.trial.iter_mut().zip(&self.q) {
            *t = (-*q).max(T::zero());
            square += *t * *t;
        }
        let (bend, _) = self.move_image(run);
        let length = square / bend;
        if !length.is_finite() {
            self.settle_anew(None, run);
            return;
        }
        // max(Aᵀb, 0) has as much of a common direction of the columns as their sum
        self.dominant = Dominant::along(self.problem, &self.trial_r, self.b, run);
        self.curvature = self.rest_of(bend, self.along_trial()) / square;
        for (y, t) in self.y.iter_mut().zip(&self.trial) {
            *y = length * *t;
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += length * *i;
        }
        match &self.dominant {
            Some(d) => {
                // Âᵀ of the image is known with the direction
                let size = length * bend.sqrt();
                for (q, a) in self.q.iter_mut().zip(&d.a) {
                    *q += size * *a;
                }
                (self.fresh, self.formed) = (true, false);
                self.settle();
            }
            None => {
                self.settle_anew(None, run);
            }
        }
    }

    /// ρ; q is fresh.
    pub(super) fn residual(&self) -> T {
        let move_of = |j: usize| {
            let (y, q) = (self.y[j], self.q[j]);
            if q.is_nan() {
                q
            } else {
                q.min(y - self.lo[j]).max(y - self.hi[j]).abs()
            }
        };
        max_or_nan((0..self.y.len()).map(move_of)) / self.unit
    }

    /// ‖φ‖² and ⟨φ, φ̃⟩, φ̃ the part of φ that a step of 1/L can use before its coordinate reaches zero.
    pub(super) fn on_the_face(&self) -> (T, T) {
        let (mut free, mut reduced) = (T::zero(), T::zero());
        for j in &self.face {
            let (q, y) = (self.q[*j], self.y[*j]);
            free += q * q;
            reduced += q * q
                .min((y - self.lo[*j]) * self.curvature)
                .max((y - self.hi[*j]) * self.curvature);
        }
        (free, reduced)
    }

    /// ‖β‖²; q is fresh.
    pub(super) fn chopped(&self) -> T {
        let entering = (0..self.y.len()).filter(|j| self.enters(*j));
        entering.map(|j| self.q[j] * self.q[j]).sum()
    }

    /// At a bound, and f falls inward.
    pub(super) fn enters(&self, j: usize) -> bool {
        let (y, q) = (self.y[j], self.q[j]);
        (y == self.lo[j] && q < T::zero() && y < self.hi[j])
            || (y == self.hi[j] && q > T::zero() && y > self.lo[j])
    }

    /// q ← Aᵀr / c − s everywhere, and what is wanted ahead.
    pub(super) fn gradient(&mut self, ahead: Ahead<T>, run: &mut Run<'_>) {
        self.refresh(run);
        let norms = self.problem.norms();
        self.ahead = if self.by_columns { ahead } else { Ahead::Nothing };
        if self.ahead == Ahead::Nothing {
            self.problem.adjoint(&self.r, &mut self.q, run);
        } else {
            let (y, lo, hi, shift) = (&self.y, &self.lo, &self.hi, &self.shift);
            let move_of = |j: usize, s: T| {
                let q = s / norms[j] - shift[j];
                match ahead {
                    Ahead::Projected(t) => crate::sets::clip(y[j] - t * q, lo[j], hi[j]) - y[j],
                    _ if lo[j] < y[j] && y[j] < hi[j] => q,
                    _ => T::zero(),
                }
            };
            self.problem.adjoint_normal(
                None,
                &self.r,
                &mut self.q,
                |j, s| over(move_of(j, s), norms[j]),
                self.face.len(),
                &mut self.ahead_image,
                run,
            );
        }
        for ((q, s), c) in self.q.iter_mut().zip(&self.shift).zip(norms) {
            *q = over(*q, *c) - *s;
        }
        (self.fresh, self.formed) = (true, true);
    }

    /// The updated r accumulates rounding: it is recomputed at intervals.
    fn refresh(&mut self, run: &mut Run<'_>) {
        self.refreshed += 1;
        if self.refreshed.is_multiple_of(50) {
            self.form_residual(run);
        }
    }

    /// r ← A x − b from y.
    pub(super) fn form_residual(&mut self, run: &mut Run<'_>) {
        let norms = self.problem.norms();
        self.moved.clear();
        self.moved
            .extend((0..self.y.len()).filter(|j| self.y[*j] != T::zero()));
        for (o, j) in self.coefficients.iter_mut().zip(&self.moved) {
            *o = self.y[*j] / norms[*j];
        }
        let k = self.moved.len();
        self.problem
            .combine(&self.moved, &self.coefficients[..k], &mut self.r, run);
        for (r, b) in self.r.iter_mut().zip(self.b) {
            *r -= *b;
        }
    }

    /// The face of y, f and the gradient there; whether the face changed. Then a projected step of the length `next` will follow, if there
    /// is one, else the steepest direction on the face.
    pub(super) fn settle_anew(&mut self, next: Option<T>, run: &mut Run<'_>) -> bool {
        let changed = self.settle();
        let ahead = match next.filter(|_| changed) {
            // (where it will end depends on all of q)
            Some(_) if self.dominant.is_some() => Ahead::Nothing,
            Some(length) => Ahead::Projected(length),
            None => Ahead::Steepest,
        };
        self.gradient(ahead, run);
        changed
    }

    /// The face of y and f, from r; whether the face changed.
    pub(super) fn settle(&mut self) -> bool {
        let before = self.face.len();
        let mut same = true;
        let mut k = 0;
        for j in 0..self.y.len() {
            if self.lo[j] < self.y[j] && self.y[j] < self.hi[j] {
                same &= k < before && self.face[k] == j;
                if k < self.face.len() {
                    self.face[k] = j;
                } else {
                    self.face.push(j);
                }
                k += 1;
            }
        }
        self.face.truncate(k);
        self.f = T::lit(0.5) * dot(&self.r, &self.r) - self.linear(&self.y);
        if self.f < self.best.0 {
            self.best.0 = self.f;
            self.best.1.copy_from_slice(&self.y);
            self.best.2.copy_from_slice(&self.r);
            self.since = 0;
        } else {
            self.since += 1;
        }
        !(same && k == before)
    }

    /// sᵀy; where there is no shift y may be infinite.
    pub(super) fn linear(&self, y: &[T]) -> T {
        let shifted = self.shift.iter().zip(y).filter(|(s, _)| **s != T::zero());
        shifted.map(|(s, y)| *s * *y).sum()
    }

    /// The image of p, and of that image on the face when it is likely to be needed. Column by column, the image of a direction that
    /// is not steepest is there already.
    pub(super) fn multiply(&mut self, steepest: bool, run: &mut Run<'_>) {
        let ahead = std::mem::replace(&mut self.ahead, Ahead::Nothing);
        if steepest && ahead == Ahead::Steepest {
            return std::mem::swap(&mut self.image, &mut self.ahead_image);
        }
        if self.by_columns && !steepest {
            return;
        }
        let (k, norms) = (self.face.len(), self.problem.norms());
        for ((o, p), j) in self.coefficients.iter_mut().zip(&self.p).zip(&self.face) {
            *o = *p / norms[*j];
        }
        if steepest {
            self.problem
                .combine(&self.face, &self.coefficients[..k], &mut self.image, run);
        } else {
            self.problem.normal(
                &self.face,
                &self.coefficients[..k],
                &mut self.image,
                &mut self.product[..k],
                run,
            );
            self.scale_product();
        }
    }

    fn pull_back(&mut self, run: &mut Run<'_>) {
        let k = self.face.len();
        self.problem
            .combine_adjoint(&self.face, &self.image, &mut self.product[..k], run);
        self.scale_product();
    }

    fn scale_product(&mut self) {
        let norms = self.problem.norms();
        for (o, j) in self.product.iter_mut().zip(&self.face) {
            *o /= norms[*j];
        }
    }

    /// The largest t with y − t p in the box.
    pub(super) fn reach(&self) -> T {
        let room = |(j, p): (&usize, &T)| self.reach_of(*j, *p);
        self.face
            .iter()
            .zip(&self.p)
            .map(room)
            .fold(T::infinity(), T::min)
    }

    pub(super) fn reach_of(&self, j: usize, p: T) -> T {
        if p > T::zero() {
            (self.y[j] - self.lo[j]) / p
        } else if p < T::zero() {
            (self.y[j] - self.hi[j]) / p
        } else {
            T::infinity()
        }
    }

    /// One step of conjugate gradients inside the face; `everywhere`, the next gradient is formed off the face as well.
    pub(super) fn conjugate_step(
        &mut self,
        (t, bend): (T, T),
        steepest: bool,
        everywhere: bool,
        run: &mut Run<'_>,
    ) {
        for (p, j) in self.p.iter().zip(&self.face) {
            self.y[*j] -= t * *p;
        }
        for (r, i) in self.r.iter_mut().zip(&self.image) {
            *r -= t * *i;
        }
        self.fresh = false;
        if self.by_columns {
            return self.next_direction_by_columns(t * bend, everywhere, run);
        }
        if steepest {
            self.pull_back(run);
        }
        let mut along = T::zero();
        for (j, w) in self.face.iter().zip(&self.product) {
            self.q[*j] -= t * *w;
            along += self.q[*j] * *w;
        }
        let beta = along / bend;
        for (p, j) in self.p.iter_mut().zip(&self.face) {
            *p = self.q[*j] - beta * *p;
        }
    }

    /// q and its image on the face from r, in one pass over memory, and from them the next direction and its image: A(q − βp) = A q − β A p.
    /// (For A p and its Aᵀ in one pass, blocks of rows would have to come from memory: at half of the rate of whole columns.)
    fn next_direction_by_columns(&mut self, drop: T, everywhere: bool, run: &mut Run<'_>) {
        if everywhere {
            self.refresh(run);
        }
        let (k, norms) = (self.face.len(), self.problem.norms());
        let Self {
            face,
            r,
            trial_r,
            shift,
            ..
        } = self;
        let (on_face, weights) = (&mut self.product[..k], &mut self.weights);
        if everywhere {
            weights.fill(T::zero());
            for j in face.iter() {
                weights[*j] = (norms[*j] * norms[*j]).recip();
            }
            let prices = &mut self.prices;
            let weight = |j: usize, s: T| (s - shift[j] * norms[j]) * weights[j];
            self.problem
                .adjoint_normal(None, r, prices, weight, k, trial_r, run);
            for (s, j) in on_face.iter_mut().zip(face.iter()) {
                *s = prices[*j];
            }
        } else {
            let weight = |f: usize, s: T| {
                let c = norms[face[f]];
                (s - shift[face[f]] * c) / (c * c)
            };
            self.problem
                .adjoint_normal(Some(face), r, on_face, weight, k, trial_r, run);
        }
        // ⟨q, AᵀA p⟩ with AᵀA p = (q before − q)/t
        let mut along = T::zero();
        for (j, s) in face.iter().zip(on_face) {
            let q = *s / norms[*j] - shift[*j];
            along += q * (self.q[*j] - q);
            self.q[*j] = q;
        }
        let beta = along / drop;
        for (p, j) in self.p.iter_mut().zip(face.iter()) {
            *p = self.q[*j] - beta * *p;
        }
        for (i, next) in self.image.iter_mut().zip(trial_r) {
            *i = *next - beta * *i;
        }
        if everywhere {
            let terms = self.prices.iter().zip(norms).zip(&*shift);
            for (q, ((v, c), s)) in self.q.iter_mut().zip(terms) {
                *q = over(*v, *c) - *s;
            }
            (self.fresh, self.formed) = (true, true);
        }
    }

    /// y ← y − t p, which reaches the boundary of the face.
    pub(super) fn straight_step(&mut self, t: T) {
        for (j, p) in self.face.iter().zip(&self.p) {
            // what gets there first gets there exactly
            self.y[*j] = if self.reach_of(*j, *p) > t {
                self.y[*j] - t * *p
            } else if *p > T::zero() {
                self.lo[*j]
            } else {
                self.hi[*j]
            };
        }
        for (r, i) in self.r.iter_mut().zip(&self.image) {
            *r -= t * *i;
        }
    }
}
