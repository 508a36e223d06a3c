//! Projected conjugate gradients: products only, exact zeros, no factorisation.
//!
//! Conjugate gradients on the current face; a step that would leave the orthant is projected instead (MPRGP with projected
//! steps: Dostál 1997, Dostál & Schöberl 2005, here without the fixed step length), and the face grows along the chopped
//! gradient when that outweighs what is left on the face. In the variables y = c∘x with unit columns, c_j = ‖a_j‖:
//!
//! ```text
//! q = ∇f / c                         the scaled gradient
//! φ_j = q_j where y_j > 0            free gradient: what is left on the face
//! β_j = min(q_j, 0) where y_j = 0    chopped gradient: what wants to enter
//! ```
//!
//! On a face one step costs one product with A_FᵀA_F, in one pass over memory where A lies there; columns off the face are
//! looked at only when the face has been solved ten times better. A few dozen products settle a well-conditioned problem of any
//! size. Elsewhere the face is predicted long before its coefficients are accurate, and an exact method takes over.

use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::{dot, max_or_nan, not_positive};
use crate::solve::{Run, Status};

/// How many projected steps may pass without a new best point. Projection adds mass along the mean of the columns, which the next step
/// takes out again: where columns are far from orthogonal f rises and falls, and a monotone rule would be ten times slower.
const WATCHED: usize = 6;

/// What ended the iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// ρ is at most the tolerance.
    Converged,
    /// The budget of products is spent.
    Budget,
    /// No step decreases f in this precision.
    Stalled,
    /// A limit of the run.
    Limit(Status),
}

/// Products that may be spent, and how good the answer has to be.
pub(super) struct Target<T> {
    /// For ρ.
    pub(super) tolerance: T,
    /// In passes over A, as [`Run`] counts them.
    pub(super) passes: f64,
    /// Give up early where nearly all columns stay positive: there a factor of them all is no detour.
    pub(super) sparse_only: bool,
}

/// Improves x (feasible, changed in place; zero: its own start) until ρ is at most the tolerance.
pub(super) fn projected_cg<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    b_norm: T,
    x: &mut [T],
    target: &Target<T>,
    run: &mut Run<'_>,
) -> Ended {
    let mut state = State::new(problem, b, b_norm, x);
    state.begin(run);
    let ended = state.iterate(target, run);
    for ((xj, y), c) in x.iter_mut().zip(&state.y).zip(problem.norms()) {
        *xj = if *c > T::zero() { *y / *c } else { T::zero() };
    }
    ended
}

struct State<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    b: &'p [T],
    b_norm: T,
    y: Vec<T>,
    /// Everywhere when `fresh`, else on the face only.
    q: Vec<T>,
    fresh: bool,
    /// A x − b, and f = ½‖r‖².
    r: Vec<T>,
    f: T,
    /// Where y_j > 0, ascending.
    face: Vec<usize>,
    /// The direction on the face, in its order.
    p: Vec<T>,
    /// A p and (AᵀA p)/c on the face.
    image: Vec<T>,
    product: Vec<T>,
    /// A move y → trial, its columns, its coefficients over c, and A x − b at its end.
    trial: Vec<T>,
    moved: Vec<usize>,
    coefficients: Vec<T>,
    trial_r: Vec<T>,
    /// The largest curvature met, ⟨p, AᵀA p⟩/⟨p, p⟩.
    curvature: T,
    /// The best point after a projection, and the number of projections since.
    best: (T, Vec<T>, Vec<T>),
    since: usize,
    refreshed: usize,
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    fn new(problem: &'p Problem<'a, T>, b: &'p [T], b_norm: T, x: &[T]) -> Self {
        let (m, n) = (problem.rows(), problem.columns());
        let zeros = |k| vec![T::zero(); k];
        Self {
            problem,
            b,
            b_norm,
            y: x.iter().zip(problem.norms()).map(|(v, c)| *v * *c).collect(),
            q: zeros(n),
            fresh: false,
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
        }
    }

    /// From zero: the best multiple of max(Aᵀb, 0).
    fn begin(&mut self, run: &mut Run<'_>) {
        if self.y.iter().any(|v| *v > T::zero()) {
            self.settle_at_y(run);
            return;
        }
        for (r, b) in self.r.iter_mut().zip(self.b) {
            *r = -*b;
        }
        self.gradient(run);
        let mut square = T::zero();
        for (t, q) in self.trial.iter_mut().zip(&self.q) {
            *t = (-*q).max(T::zero());
            square += *t * *t;
        }
        let bend = self.move_image(run);
        let length = square / bend;
        if length.is_finite() {
            for (y, t) in self.y.iter_mut().zip(&self.trial) {
                *y = length * *t;
            }
            for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
                *r += length * *i;
            }
            self.curvature = bend / square;
        }
        self.settle(run);
    }

    fn iterate(&mut self, target: &Target<T>, run: &mut Run<'_>) -> Ended {
        let budget = run.passes + target.passes;
        // Barzilai–Borwein steps follow a projection until one of them fails: they settle easy faces at half the price
        let (mut barzilai, mut projected) = (true, false);
        let mut length = T::zero();
        // back at the best point, until there is a better one
        let mut careful = false;
        let mut steepest = true;
        let mut mark = T::zero();
        let mut products = 0;
        loop {
            if let Err(status) = run.iteration() {
                return Ended::Limit(status);
            }
            if self.fresh {
                let rho = self.residual();
                if rho.is_nan() {
                    return Ended::Limit(Status::NotFinite);
                }
                if rho <= target.tolerance {
                    return Ended::Converged;
                }
                if run.passes >= budget {
                    return Ended::Budget;
                }
            }
            products += 1;
            if target.sparse_only && products == 12 && 5 * self.face.len() > 4 * self.y.len() {
                return Ended::Budget;
            }
            let (free, reduced) = self.on_the_face();
            if self.fresh {
                mark = free;
                if self.chopped() > reduced {
                    if !self.grow(run) {
                        return Ended::Stalled;
                    }
                    (projected, steepest) = (false, true);
                    continue;
                }
            } else if free <= T::lit(0.01) * mark || run.passes >= budget {
                self.gradient(run);
                continue;
            }
            if projected && barzilai {
                projected = false;
                match self.gradient_step(length, run) {
                    Some(next) => {
                        (length, steepest) = (next, true);
                        projected = self.settle(run);
                    }
                    None => barzilai = false,
                }
                continue;
            }
            projected = false;
            let k = self.face.len();
            if steepest {
                for (p, j) in self.p.iter_mut().zip(&self.face) {
                    *p = self.q[*j];
                }
            }
            let whole = !steepest;
            self.multiply(whole, run);
            let bend = dot(&self.image, &self.image);
            let slope: T = self.face.iter().zip(&self.p).map(|(j, p)| self.q[*j] * *p).sum();
            if not_positive(slope) || not_positive(bend) {
                if steepest && self.fresh {
                    return Ended::Stalled;
                }
                self.gradient(run);
                steepest = true;
                continue;
            }
            self.curvature = self.curvature.max(bend / dot(&self.p[..k], &self.p[..k]));
            let step = slope / bend;
            let reach = self.reach();
            if step < reach {
                if !whole {
                    self.pull_back(run);
                }
                self.conjugate_step(step, bend);
                steepest = false;
                continue;
            }
            steepest = true;
            if self.since > WATCHED {
                careful = true;
                self.y.copy_from_slice(&self.best.1);
                self.r.copy_from_slice(&self.best.2);
                self.settle(run);
                self.since = 1;
                continue;
            }
            careful &= self.since > 0;
            if careful {
                // only as far as the face reaches: f falls there for certain
                self.straight_step(reach);
                self.settle(run);
            } else if let Some(next) = self.projected_step(step, run) {
                length = next;
                projected = self.settle(run);
            } else {
                return Ended::Stalled;
            }
        }
    }

    /// ρ; q is fresh.
    fn residual(&self) -> T {
        max_or_nan(
            self.y
                .iter()
                .zip(&self.q)
                .map(|(y, q)| if q.is_nan() { *q } else { y.min(*q).abs() }),
        ) / self.b_norm
    }

    /// ‖φ‖² and ⟨φ, φ̃⟩, φ̃ the part of φ that a step of 1/L can use before its coordinate reaches zero.
    fn on_the_face(&self) -> (T, T) {
        let (mut free, mut reduced) = (T::zero(), T::zero());
        for j in &self.face {
            let (q, y) = (self.q[*j], self.y[*j]);
            free += q * q;
            reduced += q * q.min(y * self.curvature);
        }
        (free, reduced)
    }

    /// ‖β‖²; q is fresh.
    fn chopped(&self) -> T {
        let entering = self
            .y
            .iter()
            .zip(&self.q)
            .filter(|(y, q)| **y == T::zero() && **q < T::zero());
        entering.map(|(_, q)| *q * *q).sum()
    }

    /// q ← Aᵀr / c everywhere. The updated r drifts: now and then it is formed anew.
    fn gradient(&mut self, run: &mut Run<'_>) {
        self.refreshed += 1;
        if self.refreshed.is_multiple_of(50) {
            self.form_residual(run);
        }
        self.problem.adjoint(&self.r, &mut self.q, run);
        for (q, c) in self.q.iter_mut().zip(self.problem.norms()) {
            *q = if *c > T::zero() { *q / *c } else { T::zero() };
        }
        self.fresh = true;
    }

    /// r ← A x − b from y.
    fn form_residual(&mut self, run: &mut Run<'_>) {
        let norms = self.problem.norms();
        self.moved.clear();
        self.moved
            .extend((0..self.y.len()).filter(|j| self.y[*j] > T::zero()));
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

    /// The face of y, its gradient and f; whether the face changed.
    fn settle(&mut self, run: &mut Run<'_>) -> bool {
        let before = self.face.len();
        let mut same = true;
        let mut k = 0;
        for j in 0..self.y.len() {
            if self.y[j] > T::zero() {
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
        self.gradient(run);
        self.f = T::lit(0.5) * dot(&self.r, &self.r);
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

    fn settle_at_y(&mut self, run: &mut Run<'_>) {
        self.form_residual(run);
        self.settle(run);
    }

    /// The image of p, and of that image on the face when it is likely to be needed.
    fn multiply(&mut self, whole: bool, run: &mut Run<'_>) {
        let (k, norms) = (self.face.len(), self.problem.norms());
        for ((o, p), j) in self.coefficients.iter_mut().zip(&self.p).zip(&self.face) {
            *o = *p / norms[*j];
        }
        if whole {
            self.problem.normal(
                &self.face,
                &self.coefficients[..k],
                &mut self.image,
                &mut self.product[..k],
                run,
            );
            self.scale_product();
        } else {
            self.problem
                .combine(&self.face, &self.coefficients[..k], &mut self.image, run);
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

    /// The largest t with y − t p ≥ 0.
    fn reach(&self) -> T {
        let ratios = self.face.iter().zip(&self.p).filter(|(_, p)| **p > T::zero());
        ratios.map(|(j, p)| self.y[*j] / *p).fold(T::infinity(), T::min)
    }

    /// One step of conjugate gradients inside the face.
    fn conjugate_step(&mut self, t: T, bend: T) {
        let mut along = T::zero();
        for ((j, p), w) in self.face.iter().zip(&self.p).zip(&self.product) {
            self.y[*j] -= t * *p;
            self.q[*j] -= t * *w;
            along += self.q[*j] * *w;
        }
        let beta = along / bend;
        for (p, j) in self.p.iter_mut().zip(&self.face) {
            *p = self.q[*j] - beta * *p;
        }
        for (r, i) in self.r.iter_mut().zip(&self.image) {
            *r -= t * *i;
        }
        self.fresh = false;
    }

    /// y ← y − t p, which reaches the boundary of the face.
    fn straight_step(&mut self, t: T) {
        for (j, p) in self.face.iter().zip(&self.p) {
            let y = self.y[*j];
            // what gets there first gets there exactly
            self.y[*j] = if *p > T::zero() && y / *p <= t {
                T::zero()
            } else {
                y - t * *p
            };
        }
        for (r, i) in self.r.iter_mut().zip(&self.image) {
            *r -= t * *i;
        }
    }

    /// trial_r ← A (trial/c); its squared norm. Columns where trial is zero are not touched.
    fn move_image(&mut self, run: &mut Run<'_>) -> T {
        let norms = self.problem.norms();
        self.moved.clear();
        self.moved
            .extend((0..self.trial.len()).filter(|j| self.trial[*j] != T::zero()));
        for (o, j) in self.coefficients.iter_mut().zip(&self.moved) {
            *o = self.trial[*j] / norms[*j];
        }
        let k = self.moved.len();
        self.problem
            .combine(&self.moved, &self.coefficients[..k], &mut self.trial_r, run);
        dot(&self.trial_r, &self.trial_r)
    }

    /// Takes the move `trial` (a difference) when f stays below `ceiling`; the Barzilai–Borwein length there.
    fn take(&mut self, ceiling: T, run: &mut Run<'_>) -> Option<T> {
        let bend = self.move_image(run);
        let square = dot(&self.trial, &self.trial);
        let mut f = T::zero();
        for (r, i) in self.r.iter().zip(&self.trial_r) {
            f += (*r + *i) * (*r + *i);
        }
        if f.is_nan() || T::lit(0.5) * f > ceiling || square == T::zero() {
            return None;
        }
        for (y, d) in self.y.iter_mut().zip(&self.trial) {
            // a projected coordinate moved by exactly −y
            *y += *d;
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += *i;
        }
        self.curvature = self.curvature.max(bend / square);
        let length = square / bend;
        Some(if length.is_finite() {
            length
        } else {
            self.curvature.recip()
        })
    }

    /// P(y − t p) on the face.
    fn projected_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        self.trial.fill(T::zero());
        for (j, p) in self.face.iter().zip(&self.p) {
            self.trial[*j] = (-t * *p).max(-self.y[*j]);
        }
        self.take(T::infinity(), run)
    }

    /// P(y − t q), everywhere; must descend.
    fn gradient_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        for ((o, y), q) in self.trial.iter_mut().zip(&self.y).zip(&self.q) {
            *o = (-t * *q).max(-*y);
        }
        self.take(self.f, run)
    }

    /// The best step along the chopped gradient; false when it does not descend.
    fn grow(&mut self, run: &mut Run<'_>) -> bool {
        let mut square = T::zero();
        for ((o, y), q) in self.trial.iter_mut().zip(&self.y).zip(&self.q) {
            *o = if *y == T::zero() && *q < T::zero() {
                -*q
            } else {
                T::zero()
            };
            square += *o * *o;
        }
        let bend = self.move_image(run);
        let t = square / bend;
        if not_positive(t) || !t.is_finite() {
            return false;
        }
        self.curvature = self.curvature.max(bend / square);
        for (y, d) in self.y.iter_mut().zip(&self.trial) {
            *y += t * *d;
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += t * *i;
        }
        let before = self.f;
        self.settle(run);
        self.f < before
    }
}
