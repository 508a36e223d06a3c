//! Projected conjugate gradients over a box, the orthant above all: products only, exact bounds, no factorisation.
//!
//! Conjugate gradients on the current face; a step that would leave the box is projected instead (MPRGP with projected
//! steps: Dostál 1997, Dostál & Schöberl 2005, here without the fixed step length), and the face grows along the chopped
//! gradient when that outweighs what is left on the face. In the variables y = c∘x with unit columns, c_j = ‖a_j‖:
//!
//! ```text
//! q = ∇f / c                         the scaled gradient
//! φ_j = q_j between the bounds       free gradient: what is left on the face
//! β_j = the part of q_j that points inward, at a bound    chopped gradient: what wants to enter
//! ```
//!
//! On a face one step costs one product with A_FᵀA_F, in one pass over memory where A lies there; columns off the face are
//! looked at only when the face has been solved ten times better. A few dozen products settle a well-conditioned problem of any
//! size. Elsewhere the face is predicted long before its coefficients are accurate, and an exact method takes over.

use super::dominant::Dominant;
use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::{dot, max_or_nan, not_positive};
use crate::solve::{Run, Status};

/// How many projected steps may pass without a new best point. Projection adds mass along the mean of the columns, which the next step
/// takes out again: where columns are far from orthogonal f rises and falls, and a monotone rule would be ten times slower.
const WATCHED: usize = 20;

/// Iterations without a better ρ after which nothing is expected any more: CT-like problems take some hundred for every halving.
const PATIENCE: usize = 3000;

/// What ended the iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<T> {
    /// For ρ.
    pub(crate) tolerance: T,
    /// What ρ may be when the budget is spent, or nothing moves any more.
    pub(crate) enough: T,
    /// In passes over A, as [`Run`] counts them.
    pub(crate) passes: f64,
    /// Give up early where nearly all columns stay positive: there a factor of them all is no detour.
    pub(crate) sparse_only: bool,
}

impl<T: LinalgScalar> Target<T> {
    /// With a tolerance of at least `tolerance`.
    pub(crate) fn at_least(self, tolerance: T) -> Self {
        Self {
            tolerance: self.tolerance.max(tolerance),
            ..self
        }
    }
}

/// For a dense problem that is not wide: what may be spent before a Gram matrix of all columns, which costs about as much as n/32
/// products with A and Aᵀ, and its factor. None where the Gram matrix is cheap, or so nearly square that most products would be in vain.
pub(crate) fn instead_of_a_gram_matrix<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    fewest: usize,
    target: Target<T>,
) -> Option<Target<T>> {
    let (m, n) = (problem.rows(), problem.columns());
    let budget = few_products(problem, fewest, target)?;
    (5 * m >= 6 * n).then_some(Target {
        sparse_only: m < 3 * n,
        ..budget
    })
}

/// What may be spent before a Gram matrix of all columns and its factor; None where they are cheap: with fewer columns than
/// `fewest`.
pub(crate) fn few_products<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    fewest: usize,
    target: Target<T>,
) -> Option<Target<T>> {
    let n = problem.columns();
    (n >= fewest).then(|| Target {
        passes: (n as f64 / 6.0).max(80.0),
        ..target
    })
}

/// Improves x (feasible, changed in place) until ρ is at most the tolerance. `bounds` are those of x; None is the orthant, where x = 0
/// means that the method chooses its own start, from the `correlations` Aᵀb where they are known.
pub(crate) fn projected_cg<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    bounds: Option<(&[T], &[T])>,
    correlations: Option<&[T]>,
    unit: T,
    x: &mut [T],
    target: &Target<T>,
    run: &mut Run<'_>,
) -> Ended {
    let mut state = State::new(problem, b, bounds, unit, x);
    if bounds.is_none() && x.iter().all(|v| *v == T::zero()) {
        state.begin(correlations, run);
    } else {
        state.dominant = Dominant::find(problem, b, run);
        state.form_residual(run);
        state.settle_anew(run);
    }
    let ended = state.iterate(target, run);
    for (j, (xj, c)) in x.iter_mut().zip(problem.norms()).enumerate() {
        if *c > T::zero() {
            let y = state.y[j];
            // exactly on a bound, whatever the scaling did to it
            *xj = match bounds {
                None => y / *c,
                Some((lo, _)) if y <= state.lo[j] => lo[j],
                Some((_, hi)) if y >= state.hi[j] => hi[j],
                Some((lo, hi)) => crate::sets::clip(y / *c, lo[j], hi[j]),
            };
        }
    }
    ended
}

struct State<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    b: &'p [T],
    /// What ρ is relative to: ‖b‖.
    unit: T,
    /// Bounds of y; both are y itself where a column is zero.
    lo: Vec<T>,
    hi: Vec<T>,
    y: Vec<T>,
    /// Everywhere when `fresh`, else on the face only.
    q: Vec<T>,
    fresh: bool,
    /// A x − b, and f = ½‖r‖².
    r: Vec<T>,
    f: T,
    /// Where lo < y < hi, ascending.
    face: Vec<usize>,
    /// The direction on the face, in its order.
    p: Vec<T>,
    /// A p and (AᵀA p)/c on the face.
    image: Vec<T>,
    product: Vec<T>,
    /// A move from y: where it ends, its columns, its coefficients over c, and its image.
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
    /// A dominant singular value, which projections then respect.
    dominant: Option<Dominant<T>>,
    /// Where a step would end without bounds.
    goal: Vec<T>,
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    fn new(problem: &'p Problem<'a, T>, b: &'p [T], bounds: Option<(&[T], &[T])>, unit: T, x: &[T]) -> Self {
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
        Self {
            problem,
            b,
            unit,
            y: (0..n)
                .map(|j| crate::sets::clip(x[j] * norms[j], lo[j], hi[j]))
                .collect(),
            lo,
            hi,
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
            dominant: None,
            goal: zeros(n),
        }
    }

    /// In the orthant, from zero: the best multiple of max(Aᵀb, 0).
    fn begin(&mut self, correlations: Option<&[T]>, run: &mut Run<'_>) {
        for (r, b) in self.r.iter_mut().zip(self.b) {
            *r = -*b;
        }
        match correlations {
            Some(c) => {
                for ((q, v), norm) in self.q.iter_mut().zip(c).zip(self.problem.norms()) {
                    *q = if *norm > T::zero() { -*v / *norm } else { T::zero() };
                }
            }
            None => self.gradient(run),
        }
        let mut square = T::zero();
        for (t, q) in self.trial.iter_mut().zip(&self.q) {
            *t = (-*q).max(T::zero());
            square += *t * *t;
        }
        let (bend, _) = self.move_image(run);
        let length = square / bend;
        if !length.is_finite() {
            self.settle_anew(run);
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
                self.fresh = true;
                self.settle();
            }
            None => {
                self.settle_anew(run);
            }
        }
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
        let (mut best_rho, mut since_better) = (T::infinity(), 0);
        let (start, mut first_rho) = (run.passes, None);
        loop {
            if let Err(status) = run.iteration() {
                return Ended::Limit(status);
            }
            if self.fresh {
                let rho = self.residual();
                if std::env::var_os("TR").is_some() {
                    let pred = (0..self.y.len()).filter(|j| self.y[*j] > self.q[*j]).count();
                    eprintln!("passes {:.1} rho {:?} face {} enter {} pred {} since {} t {:?} f {:?}", run.passes, rho, self.face.len(), (0..self.y.len()).filter(|j| self.enters(*j)).count(), pred, self.since, run.elapsed(), self.f);
                }
                if rho.is_nan() {
                    return Ended::Limit(Status::NotFinite);
                }
                if rho <= target.tolerance || (run.passes >= budget && rho <= target.enough) {
                    return Ended::Converged;
                }
                if run.passes >= budget {
                    return Ended::Budget;
                }
                // from a quarter of the budget on: twice of it would not do at this rate
                let first = *first_rho.get_or_insert(rho);
                let spent = T::lit((run.passes - start) / target.passes);
                if spent > T::lit(0.25) && (first / rho).ln() < T::lit(0.5) * spent * (first / target.tolerance).ln() {
                    return Ended::Budget;
                }
                if rho <= T::lit(0.7) * best_rho {
                    (best_rho, since_better) = (rho, 0);
                }
            }
            products += 1;
            if target.sparse_only && products == 12 && 5 * self.face.len() > 4 * self.y.len() {
                return Ended::Budget;
            }
            if since_better > PATIENCE {
                return if best_rho <= target.enough {
                    Ended::Converged
                } else {
                    Ended::Stalled
                };
            }
            since_better += 1;
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
                        projected = self.settle_anew(run);
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
            let rest = self.rest_of(bend, self.along_face());
            self.curvature = self.curvature.max(rest / dot(&self.p[..k], &self.p[..k]));
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
                self.settle_anew(run);
                self.since = 1;
                continue;
            }
            careful &= self.since > 0;
            if careful {
                // only as far as the face reaches: f falls there for certain
                self.straight_step(reach);
                self.settle_anew(run);
            } else if let Some(next) = self.projected_step(step, run) {
                length = next;
                projected = self.settle_anew(run);
            } else {
                return Ended::Stalled;
            }
        }
    }

    /// ρ; q is fresh.
    fn residual(&self) -> T {
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
    fn on_the_face(&self) -> (T, T) {
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
    fn chopped(&self) -> T {
        let entering = (0..self.y.len()).filter(|j| self.enters(*j));
        entering.map(|j| self.q[j] * self.q[j]).sum()
    }

    /// At a bound, and f falls inward.
    fn enters(&self, j: usize) -> bool {
        let (y, q) = (self.y[j], self.q[j]);
        (y == self.lo[j] && q < T::zero() && y < self.hi[j])
            || (y == self.hi[j] && q > T::zero() && y > self.lo[j])
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

    /// The gradient at y, its face and f; whether the face changed.
    fn settle_anew(&mut self, run: &mut Run<'_>) -> bool {
        self.gradient(run);
        self.settle()
    }

    /// The face of y and f, from r; whether the face changed.
    fn settle(&mut self) -> bool {
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

    /// The largest t with y − t p in the box.
    fn reach(&self) -> T {
        let room = |(j, p): (&usize, &T)| self.reach_of(*j, *p);
        self.face
            .iter()
            .zip(&self.p)
            .map(room)
            .fold(T::infinity(), T::min)
    }

    fn reach_of(&self, j: usize, p: T) -> T {
        if p > T::zero() {
            (self.y[j] - self.lo[j]) / p
        } else if p < T::zero() {
            (self.y[j] - self.hi[j]) / p
        } else {
            T::infinity()
        }
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

    /// trial_r ← A ((trial − y)/c); its squared norm, and that of the move. Columns that do not move are not touched.
    fn move_image(&mut self, run: &mut Run<'_>) -> (T, T) {
        let norms = self.problem.norms();
        self.moved.clear();
        self.moved
            .extend((0..self.y.len()).filter(|j| self.trial[*j] != self.y[*j]));
        let mut square = T::zero();
        for (o, j) in self.coefficients.iter_mut().zip(&self.moved) {
            let d = self.trial[*j] - self.y[*j];
            square += d * d;
            *o = d / norms[*j];
        }
        let k = self.moved.len();
        self.problem
            .combine(&self.moved, &self.coefficients[..k], &mut self.trial_r, run);
        (dot(&self.trial_r, &self.trial_r), square)
    }

    /// Moves to `trial` when f stays below `ceiling`; the Barzilai–Borwein length there.
    fn take(&mut self, ceiling: T, run: &mut Run<'_>) -> Option<T> {
        let (bend, square) = self.move_image(run);
        let mut f = T::zero();
        for (r, i) in self.r.iter().zip(&self.trial_r) {
            f += (*r + *i) * (*r + *i);
        }
        if f.is_nan() || T::lit(0.5) * f > ceiling || square == T::zero() {
            return None;
        }
        let rest = self.rest_of(bend, self.along_trial());
        self.y.copy_from_slice(&self.trial);
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += *i;
        }
        self.curvature = self.curvature.max(rest / square);
        let length = square / rest;
        Some(if length.is_finite() {
            length
        } else {
            self.curvature.recip()
        })
    }

    /// ⟨a, trial − y⟩ and ⟨a, p⟩ for the dominant direction a; 0 without one.
    fn along_trial(&self) -> T {
        let along = |d: &Dominant<T>| {
            let moves = self.trial.iter().zip(&self.y).map(|(t, y)| *t - *y);
            moves.zip(&d.a).map(|(v, a)| v * *a).sum()
        };
        self.dominant.as_ref().map_or(T::zero(), along)
    }

    fn along_face(&self) -> T {
        let along = |d: &Dominant<T>| self.face.iter().zip(&self.p).map(|(j, p)| d.a[*j] * *p).sum();
        self.dominant.as_ref().map_or(T::zero(), along)
    }

    /// What a squared image leaves without its part along the dominant direction.
    fn rest_of(&self, bend: T, along: T) -> T {
        (bend - along * along).max(T::epsilon() * bend)
    }

    /// The proximal step of length t: trial, where f without its dominant part is linear.
    fn proximal(&mut self, t: T) {
        let Some(d) = &self.dominant else { return };
        let off = dot(&d.a, &self.y) - d.beta;
        for (j, z) in self.goal.iter_mut().enumerate() {
            *z = self.y[j] - t * (self.q[j] - d.a[j] * off);
        }
        d.clip(&self.goal, (&self.lo, &self.hi), d.beta, t.recip(), &mut self.trial);
    }

    /// P(y − t p) on the face.
    fn projected_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        if let Some(d) = &self.dominant {
            // off the face nothing moves
            self.goal.copy_from_slice(&self.y);
            for (j, p) in self.face.iter().zip(&self.p) {
                self.goal[*j] = self.y[*j] - t * *p;
            }
            d.clip(&self.goal, (&self.lo, &self.hi), dot(&d.a, &self.goal), T::zero(), &mut self.trial);
            return self.take(T::infinity(), run);
        }
        self.trial.copy_from_slice(&self.y);
        for (j, p) in self.face.iter().zip(&self.p) {
            self.trial[*j] = crate::sets::clip(self.y[*j] - t * *p, self.lo[*j], self.hi[*j]);
        }
        self.take(T::infinity(), run)
    }

    /// P(y − t q), everywhere; must descend.
    fn gradient_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        if self.dominant.is_some() {
            self.proximal(t);
            return self.take(self.f, run);
        }
        for j in 0..self.y.len() {
            self.trial[j] = crate::sets::clip(self.y[j] - t * self.q[j], self.lo[j], self.hi[j]);
        }
        self.take(self.f, run)
    }

    /// The best step towards `trial`, at most all the way; false when it does not descend.
    fn part_of_the_way(&mut self, run: &mut Run<'_>) -> bool {
        let (bend, square) = self.move_image(run);
        let slope: T = (0..self.y.len()).map(|j| self.q[j] * (self.y[j] - self.trial[j])).sum();
        let t = slope / bend;
        if not_positive(t) || !t.is_finite() {
            return false;
        }
        self.curvature = self.curvature.max(self.rest_of(bend, self.along_trial()) / square);
        let t = t.min(T::one());
        if t == T::one() {
            self.y.copy_from_slice(&self.trial);
        } else {
            for ((y, z), (lo, hi)) in self.y.iter_mut().zip(&self.trial).zip(self.lo.iter().zip(&self.hi)) {
                *y = crate::sets::clip(*y + t * (*z - *y), *lo, *hi);
            }
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += t * *i;
        }
        let before = self.f;
        self.settle_anew(run);
        self.f < before
    }

    /// The best step along the chopped gradient, as far as the box allows; false when it does not descend.
    fn grow(&mut self, run: &mut Run<'_>) -> bool {
        if let Some(d) = &self.dominant {
            self.proximal(d.rest.recip());
            return self.part_of_the_way(run);
        }
        for j in 0..self.y.len() {
            self.trial[j] = if self.enters(j) {
                self.y[j] - self.q[j]
            } else {
                self.y[j]
            };
        }
        let (bend, square) = self.move_image(run);
        let mut t = square / bend;
        if not_positive(t) || !t.is_finite() {
            return false;
        }
        self.curvature = self.curvature.max(bend / square);
        for j in &self.moved {
            t = t.min((self.hi[*j] - self.lo[*j]) / self.q[*j].abs());
        }
        for j in &self.moved {
            self.y[*j] = crate::sets::clip(self.y[*j] - t * self.q[*j], self.lo[*j], self.hi[*j]);
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += t * *i;
        }
        let before = self.f;
        self.settle_anew(run);
        self.f < before
    }
}
