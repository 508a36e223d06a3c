//! The exact methods for dense problems: block exchange, the active set on a QR factor, and on a Gram matrix that many
//! right-hand sides share.

use super::prepared::close_sum;
use crate::LinalgScalar;
use crate::least_squares::active_set::{Ended, Pricing, Progress, active_set};
use crate::least_squares::block_exchange::{Exchange, Failure, Shifted, State, block_exchange};
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::damped::{self, Damped};
use crate::least_squares::faces::{Face, GramFace, QrFace};
use crate::least_squares::plan::products_before_gram;
use crate::least_squares::problem::Problem;
use crate::least_squares::region::{BoundsAndSum, Region, Sum};
use crate::linalg::scratch::Scratch;
use crate::linalg::{dot, max_or_nan, norm2};
use crate::outcome::{Phase, Run, Status};
use std::cell::{OnceCell, RefCell};

/// From so many columns on projected conjugate gradients are tried before a Gram matrix of them all.
const FEWEST: usize = 100;
/// ... and from so many on their face is worth starting from when they have not got there: a factor of all columns costs more.
const MANY: usize = 700;

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// Block exchange; the active set from where it ended when that is not exact. With a sum the active set has the first
    /// try, as most coordinates are then at bounds as a rule: until its face has cost a third of what the Gram matrix costs.
    pub(super) fn dense(&self, mut origin: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut warm = self.start.is_some();
        if self.region.sum.is_some() {
            let (candidate, done) = self.grow(&origin, 10 + origin.len() / 6, run);
            if done || candidate.limit.is_some() {
                return self.upheld(candidate, run);
            }
            origin = candidate.x;
        }
        if self.region.sum.is_none() && !self.many && self.problem.alike() > 0 {
            let candidate = self.active_set(&origin, run);
            if candidate.limit.is_some() || self.solves(&candidate.x, self.exact, run) {
                return candidate;
            }
        }
        if self.region.sum.is_none()
            && !self.many
            && let Some(budget) = products_before_gram(self.problem.rows(), origin.len(), FEWEST)
        {
            let target = self.target(0.0).within(budget);
            run.because("a few dozen products cost less than a Gram matrix of all columns");
            let (candidate, ended) = self.projected(origin.clone(), &target, run);
            if self.settled(&candidate, ended, run) {
                return candidate;
            }
            // given up early, most columns stay: the exchange starts from them all
            if run.passes >= target.passes && origin.len() >= MANY {
                (origin, warm) = (candidate.x, true);
            }
        }
        let origin = &origin;
        run.because("a Gram matrix of all columns: it is cheap or shared, or most columns are needed");
        let first = self.block_exchange(origin, warm, run);
        match first {
            Some(candidate) if candidate.limit.is_some() => candidate,
            Some(candidate) => {
                if self.solves(&candidate.x, self.exact, run) {
                    return candidate;
                }
                let rho = self.rho(&candidate.x, run);
                run.ended("not exact: the Gram matrix squares the condition number");
                run.because("a QR factor does not square the condition number");
                let second = self.active_set(&candidate.x, run);
                let better = self.rho(&second.x, run);
                if better < rho || rho.is_nan() {
                    second
                } else {
                    Candidate {
                        limit: second.limit,
                        ..candidate
                    }
                }
            }
            None => {
                run.because("the exchange did not converge");
                self.active_set(origin, run)
            }
        }
    }

    /// None when the Gram matrix is too ill-conditioned or the states cycle.
    pub(super) fn block_exchange(&self, origin: &[T], warm: bool, run: &mut Run<'_>) -> Option<Candidate<T>> {
        let (p, region) = (self.problem, self.region);
        let n = p.columns();
        run.begin(Phase::BlockExchange);
        let states: Scratch<State> = (0..n)
            .map(|j| {
                if region.is_fixed(j) || self.norms[j] == T::zero() {
                    State::Fixed
                } else if warm && origin[j] <= region.lo[j] {
                    State::Lower
                } else if warm && origin[j] >= region.hi[j] {
                    State::Upper
                } else {
                    State::Free
                }
            })
            .collect();
        let still = |limit| Candidate::stopped_at(origin, limit);
        let gram = match p.whole_gram(run) {
            Ok(gram) => gram,
            Err(limit) => return Some(still(limit)),
        };
        let base = region.nearest_to_zero();
        let r = self.residual_of(&base, run);
        let mut c = vec![T::zero(); n];
        p.adjoint(&r, &mut c, run);
        let shifted = BoundsAndSum {
            lo: region.lo.iter().zip(&base).map(|(l, x)| *l - *x).collect(),
            hi: region.hi.iter().zip(&base).map(|(h, x)| *h - *x).collect(),
            sum: region.sum.as_ref().map(|s| Sum {
                w: s.w.clone(),
                r: s.gap(&base).0,
            }),
        };
        let problem = Shifted {
            gram,
            c: &c,
            norms: self.norms,
            region: &shifted,
            alpha_squared: self.alpha * self.alpha,
            whole: None,
        };
        match block_exchange(&problem, states, run) {
            Ok(exchange) => {
                let mut candidate = self.refine(&exchange, &base, run);
                // columns so small that their coordinates are rounding may still be what the sum is made of
                self.adds_up(&candidate.x).then(|| {
                    self.meet_sum(&mut candidate.x);
                    candidate
                })
            }
            Err(Failure::Limit(status, exchange)) => {
                Some(self.stopped(status, &exchange, &base, origin, run))
            }
            Err(Failure::Singular | Failure::Cycling) => {
                run.ended("the Gram matrix is too ill-conditioned, or the states cycle");
                None
            }
        }
    }

    /// x ← a point whose sum is met as well as it can be: what is measured is then the point that is handed out. A gap of more than rounding
    /// is shared out among the coordinates between their bounds, in the metric diag(c²); what is at a bound stays there.
    fn meet_sum(&self, x: &mut [T]) {
        let region = self.region;
        let Some(sum) = &region.sum else { return };
        let (gap, size) = sum.gap(x);
        if gap.abs() > T::lit(4.0) * T::epsilon() * size {
            let share = |j: usize| sum.w[j] / self.norms[j];
            let inside: Vec<usize> = (0..x.len())
                .filter(|j| {
                    sum.w[*j] > T::zero() && self.norms[*j] > T::zero() && region.is_inside(*j, x[*j])
                })
                .collect();
            let total: T = inside.iter().map(|j| share(*j) * share(*j)).sum();
            for j in inside {
                x[j] = region.clip(j, x[j] + gap / total * share(j) / self.norms[j]);
            }
        }
        close_sum(x, region.sum.as_ref(), &region.lo, &region.hi);
    }

    /// Whether Σ w x = r up to rounding.
    fn adds_up(&self, x: &[T]) -> bool {
        self.region.sum.as_ref().is_none_or(|sum| {
            let (gap, size) = sum.gap(x);
            gap.abs() <= T::lit(1e3) * T::epsilon() * size
        })
    }

    /// x⁰ + z, exactly at the bounds where the exchange says so.
    fn assemble(&self, exchange: &Exchange<T>, base: &[T]) -> Vec<T> {
        let mut x: Vec<T> = (0..base.len())
            .map(|j| match exchange.states[j] {
                State::Lower => self.region.lo[j],
                State::Upper => self.region.hi[j],
                State::Free | State::Fixed => base[j],
            })
            .collect();
        for (j, z) in exchange.face.iter().zip(&*exchange.z) {
            if exchange.states[*j] == State::Free {
                x[*j] += *z;
            }
        }
        x
    }

    /// Iterative refinement with the residual in A: repairs what the squared condition number of the Gram matrix cost.
    fn refine(&self, exchange: &Exchange<T>, base: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let (p, region, face) = (self.problem, self.region, &exchange.face);
        let mut x = self.assemble(exchange, base);
        for j in &**face {
            x[*j] = region.clip(*j, x[*j]);
        }
        let mut delta = vec![T::zero(); face.len()];
        let mut last = T::infinity();
        for _ in 0..4 {
            let r = self.residual_of(&x, run);
            p.combine_adjoint(face, &r, &mut delta, run);
            let lacking = region.sum.as_ref().map_or(T::zero(), |s| s.gap(&x).0);
            exchange.step(&mut delta, region, lacking);
            // in column-norm units
            let size = max_or_nan(face.iter().zip(&delta).map(|(j, d)| (self.norms[*j] * *d).abs()));
            if size.is_nan() || size >= T::lit(0.5) * last {
                break;
            }
            for (j, d) in face.iter().zip(&delta) {
                x[*j] = region.clip(*j, x[*j] + *d);
            }
            last = size;
        }
        let size = self.size_of(&x);
        for (j, d) in face.iter().zip(&delta) {
            x[*j] = region
                .rounding_of_bound(*j, x[*j], *d, self.norms[*j], size)
                .unwrap_or(x[*j]);
        }
        let dual = self.wants_dual().then(|| {
            let mut v: Vec<T> = face.iter().map(|j| self.dual_sign(*j)).collect();
            exchange.solve(&mut v);
            let mut w = vec![T::zero(); p.rows()];
            p.combine(face, &v, &mut w, run);
            w
        });
        Candidate {
            x,
            phase: Phase::BlockExchange,
            limit: None,
            dual: dual.map(Scratch::from),
        }
    }

    /// The best feasible point that an interrupted exchange has to offer.
    fn stopped(
        &self,
        status: Status,
        exchange: &Exchange<T>,
        base: &[T],
        origin: &[T],
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let mut projected = self.assemble(exchange, base);
        self.region.project(self.norms, &mut projected);
        let objective = |x: &[T], run: &mut Run<'_>| {
            let r = self.residual_of(x, run);
            dot(&r, &r)
        };
        let here = objective(origin, run);
        if objective(&projected, run) < here {
            Candidate::new(projected, Phase::BlockExchange, Some(status))
        } else {
            Candidate::new(origin.to_vec(), Phase::Start, Some(status))
        }
    }

    /// The active set on a growing QR factor, from a feasible point.
    pub(super) fn active_set(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let candidate = self.grow(from, usize::MAX, run).0;
        self.upheld(candidate, run)
    }

    /// The end of an active set, and where that lost its way in rounding, the one of the damped problem.
    fn upheld(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        if candidate.limit.is_some() || self.holds(&candidate.x, run) {
            candidate
        } else {
            run.ended("stalled at rounding level");
            self.damped(candidate, run)
        }
    }

    /// Steps of the proximal point method, the first from the origin: each solves a damped problem exactly.
    fn damped(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut best = candidate;
        let mut x = self.origin(run);
        let mut last = T::infinity();
        for _ in 0..damped::STEPS {
            let Some(damped) = Damped::new(self.problem, self.b, self.norms, &x, run) else {
                break;
            };
            let Ok(matrix) = damped.matrix() else { break };
            let Ok(problem) = Problem::new(&matrix, true, run.stop()) else {
                break;
            };
            let inner = Context {
                problem: &problem,
                region: self.region,
                norms: self.norms,
                alpha: self.alpha,
                b: &damped.b,
                b_norm: norm2(&damped.b),
                tolerance: self.tolerance,
                exact: self.exact,
                start: None,
                many: false,
                looked_at: RefCell::new(None),
                correlations: OnceCell::new(),
            };
            run.because("the damped problem ½‖A x − b‖² + ½μ²‖c∘x‖² has a moderate condition number");
            let mut next = inner.grow(&x, usize::MAX, run).0;
            if let Some(dual) = &mut next.dual {
                dual.truncate(self.b.len());
            }
            x.copy_from_slice(&next.x);
            best = self.better(best, next, run);
            if best.limit.is_some() || self.holds(&best.x, run) {
                break;
            }
            let reached = self.rho(&x, run);
            if reached.is_nan() || reached > T::lit(0.5) * last {
                break;
            }
            last = reached;
        }
        best
    }

    /// The same with residuals in twice the precision.
    pub(super) fn active_set_twice(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let face = QrFace::over(self.problem, self.b, self.region, self.alpha).in_twice();
        self.grow_on(face, from, usize::MAX, f64::INFINITY, run).0
    }

    /// The active set for many right-hand sides: on the Gram matrix they share, refined with the residual in A; on a QR
    /// factor from there when that is not exact.
    pub(super) fn shared_gram(&self, origin: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        run.because("other right-hand sides share the Gram matrix");
        run.begin(Phase::WorkingSet);
        let held = origin.to_vec();
        let still = |limit| Candidate::stopped_at(origin, limit);
        let gram = match p.whole_gram(run) {
            Ok(gram) => gram,
            Err(limit) => return still(limit),
        };
        let mut c = vec![T::zero(); held.len()];
        p.adjoint(self.b, &mut c, run);
        let size = self.size_of(&held);
        let mut face = GramFace::over(gram, &c, self.region, self.alpha, size);
        for (j, v) in origin.iter().enumerate() {
            if self.norms[j] > T::zero() && self.region.is_inside(j, *v) && *v != T::zero() {
                if let Err(limit) = run.check() {
                    return still(limit);
                }
                face.append(j, run);
            }
        }
        let pricing = Pricing {
            norms: self.norms,
            size,
            first: 3,
            pool: 3,
            alike: 0,
            go_on: &|_| true,
        };
        let (outcome, mut x) = self.improve(&mut face, held, &pricing, run);
        let members = face.members().to_vec();
        let mut delta = vec![T::zero(); members.len()];
        for _ in 0..2 {
            let r = self.residual_of(&x, run);
            p.combine_adjoint(&members, &r, &mut delta, run);
            face.solve(&mut delta);
            if members
                .iter()
                .zip(&delta)
                .any(|(j, d)| self.region.clip(*j, x[*j] + *d) != x[*j] + *d)
            {
                break;
            }
            members.iter().zip(&delta).for_each(|(j, d)| x[*j] += *d);
        }
        let mut candidate = Candidate {
            x,
            phase: Phase::WorkingSet,
            limit: outcome.err(),
            dual: None,
        };
        let adds_up = self.adds_up(&candidate.x);
        if adds_up {
            self.meet_sum(&mut candidate.x);
        }
        if candidate.limit.is_some() || (adds_up && self.solves(&candidate.x, self.exact, run)) {
            return candidate;
        }
        run.ended("not exact: the Gram matrix squares the condition number");
        run.because("a QR factor does not square the condition number");
        self.active_set(&candidate.x, run)
    }

    /// From a solution that leaves much of f to be gained, as far as its gap tells: the active set, until the solve has cost `end`.
    pub(super) fn sharpened(&self, candidate: Candidate<T>, end: f64, run: &mut Run<'_>) -> Candidate<T> {
        // the face of the start is built column by column
        let k = self.inside(&candidate.x) as f64;
        if run.cost() + 2.0 * k * k / self.problem.columns() as f64 > end {
            return candidate;
        }
        run.because(
            "the duality gap is large relative to f: a QR factor knows directions that A hardly sees",
        );
        let face = QrFace::over(self.problem, self.b, self.region, self.alpha);
        let (next, done) = self.grow_on(face, &candidate.x, usize::MAX, end, run);
        let better = done
            && next.limit.is_none()
            && self.distance(&next.x, run) < self.distance(&candidate.x, run)
            && self.holds(&next.x, run);
        if better { next } else { candidate }
    }

    /// The active set until its face has more than `largest` members; whether it came to an end.
    fn grow(&self, from: &[T], largest: usize, run: &mut Run<'_>) -> (Candidate<T>, bool) {
        let face = QrFace::over(self.problem, self.b, self.region, self.alpha);
        self.grow_on(face, from, largest, f64::INFINITY, run)
    }

    /// [`grow`](Self::grow) on a face of its own, for as long as the solve has cost less than `cost`, in passes.
    fn grow_on(
        &self,
        mut face: QrFace<'_, '_, T, BoundsAndSum<T>>,
        from: &[T],
        largest: usize,
        cost: f64,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, bool) {
        let (p, region) = (self.problem, self.region);
        run.begin(Phase::ActiveSet);
        for (j, v) in from.iter().enumerate() {
            if self.norms[j] == T::zero() {
                continue;
            }
            // what rests at zero may stay there until it is priced; what has no bounds is in every face
            let unbounded = region.lo[j] == T::neg_infinity() && region.hi[j] == T::infinity();
            if unbounded || (region.is_inside(j, *v) && *v != T::zero()) {
                if let Err(limit) = run.check() {
                    let candidate = Candidate::new(from.to_vec(), Phase::Start, Some(limit));
                    return (candidate, false);
                }
                // a dependent coordinate is left where it is: it moves when the face has lost what it depends on
                face.append(j, run);
            }
        }
        let elements = p.rows().saturating_mul(p.columns());
        let pricing = Pricing {
            norms: self.norms,
            size: self.size_of(from),
            first: if elements > 5_000_000 { 50 } else { 10 },
            pool: 64,
            alike: 0,
            go_on: &|seen: &Progress| seen.face <= largest && seen.cost <= cost,
        };
        let (outcome, mut x) = self.improve(&mut face, from.to_vec(), &pricing, run);
        self.meet_sum(&mut x);
        let dual = self.wants_dual().then(|| {
            let v = face.members().iter().map(|j| self.dual_sign(*j)).collect();
            face.dual_direction(v)
        });
        let done = outcome == Ok(Ended::Optimal);
        let candidate = Candidate {
            x,
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual: dual.map(Scratch::from),
        };
        (candidate, done)
    }

    /// The active set from a point, on a face that holds some of its coordinates.
    fn improve<F: Face<T>>(
        &self,
        face: &mut F,
        mut held: Vec<T>,
        pricing: &Pricing<'_, T>,
        run: &mut Run<'_>,
    ) -> (std::result::Result<Ended, Status>, Vec<T>) {
        let mut x = face.members().iter().map(|j| held[*j]).collect();
        let outcome = active_set(face, &mut x, &mut held, self.region, pricing, run);
        face.members().iter().zip(x).for_each(|(j, v)| held[*j] = v);
        (outcome, held)
    }

    /// Whether some coordinate has one infinite bound: a dual point then needs a direction.
    fn wants_dual(&self) -> bool {
        let r = self.region;
        (0..r.dim()).any(|j| {
            !r.is_bounded(j) && (r.weight(j) == T::zero()) && r.lo[j].is_finite() != r.hi[j].is_finite()
        })
    }

    /// ±‖a_j‖ where coordinate j has one infinite bound, on the side where its gradient must be.
    fn dual_sign(&self, j: usize) -> T {
        let r = self.region;
        match (r.lo[j].is_finite(), r.hi[j].is_finite()) {
            (true, false) => self.norms[j],
            (false, true) => -self.norms[j],
            _ => T::zero(),
        }
    }
}
