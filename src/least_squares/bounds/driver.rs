//! From a prepared problem and b to a candidate: which method runs, and when the next one takes over.

use super::prepared::{Prepared, close_sum};
use super::projected_gradient::projected_gradient;
use super::working_set::{self, working_set};
use crate::clock::Instant;
use crate::least_squares::bounded::{Settings, Strategy};
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::coordinate_descent::Outcome;
use crate::least_squares::evidence::relative;
use crate::least_squares::region::{BoundsAndSum, Region};
use crate::linalg::{norm2, pow2};
use crate::outcome::{Phase, Run, Solution, Status};
use crate::{LinalgScalar, Result};
use std::cell::{OnceCell, RefCell};

/// A QR factor of more elements than this (800 MB of f64) is not attempted.
const QR_ELEMENTS: usize = 100_000_000;

/// With more columns than this, many right-hand sides do not share a Gram matrix.
const MANY_COLUMNS: usize = 1000;

/// Accelerated gradients that are tried where exact methods stalled: what these have not settled more of them seldom settle.
const MANY_GRADIENTS: usize = 5000;

pub(super) fn solve<T: LinalgScalar>(
    prepared: &Prepared<'_, '_, T>,
    b: &[T],
    settings: &Settings<T>,
    start: Option<&[T]>,
    many: bool,
    clock: Instant,
    first: bool,
) -> Result<Solution<T>> {
    // the first right-hand side pays for the preparation
    let mut run = Run::new(
        &settings.limits,
        clock,
        if first { clock } else { Instant::now() },
    );
    if first {
        run.passes += prepared.problem.setup_passes;
    }
    let shift = prepared.shift(b);
    let unit = pow2::<T>(shift);
    let shrink = pow2::<T>(-shift);
    let scaled: Vec<T> = b.iter().map(|v| *v * shrink).collect();
    let region = prepared.region(unit);
    let b_norm = norm2(&scaled);
    let mut context = Context {
        problem: &prepared.problem,
        region: &region,
        norms: &prepared.norms,
        alpha: prepared.alpha,
        b: &scaled,
        b_norm,
        tolerance: settings.tolerance,
        exact: (T::lit(5e2) * T::epsilon()).min(settings.tolerance),
        many,
        looked_at: RefCell::new(None),
        correlations: OnceCell::new(),
        start: start.map(|x| {
            let mut x: Vec<T> = (0..x.len())
                .map(|j| region.clip(j, x[j] / prepared.factor(j) / unit))
                .collect();
            close_sum(&mut x, region.sum.as_ref(), &region.lo, &region.hi);
            x
        }),
    };
    let mut candidate = context.run(settings.strategy, &mut run);
    if context.start.is_some() && candidate.limit.is_none() {
        let reached = context.natural_residual(&candidate.x, &mut run);
        if reached > T::lit(0.5) * settings.tolerance || reached.is_nan() {
            // a start far away may leave more rounding behind than a cold solve does
            let start = context.start.take();
            run.because("from the start ρ stayed above half of the tolerance: again without it");
            let cold = context.run(settings.strategy, &mut run);
            if context.natural_residual(&cold.x, &mut run) < reached || reached.is_nan() {
                candidate = cold;
            }
            context.start = start;
        }
    }
    candidate = context.refined(candidate, &mut run);
    if settings.strategy == Strategy::Auto {
        candidate = context.go_on(candidate, &mut run);
    }
    if candidate.limit.is_some() || !context.holds(&candidate.x, &mut run) {
        candidate = context.best_so_far(candidate, &mut run);
    }
    context.judge(candidate, b, unit, prepared, run)
}

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// The start, or a feasible point near zero.
    pub(super) fn origin(&self, run: &mut Run<'_>) -> Vec<T> {
        match &self.start {
            Some(x) => x.clone(),
            None => self.cold_origin(run),
        }
    }

    /// The decision rule.
    fn run(&self, strategy: Strategy, run: &mut Run<'_>) -> Candidate<T> {
        let origin = self.origin(run);
        let still = |limit| Candidate::new(origin.clone(), Phase::Start, limit);
        let movable = (0..origin.len()).any(|j| self.norms[j] > T::zero() && !self.region.is_fixed(j));
        let solved =
            self.b_norm == T::zero() && self.residual_of(&origin, run).iter().all(|v| *v == T::zero());
        if !movable || solved {
            return still(None);
        }
        if let Err(limit) = run.iteration() {
            return still(Some(limit));
        }
        let (m, n) = (self.problem.rows(), self.problem.columns());
        run.because_by_default(if strategy != Strategy::Auto {
            "asked for by name"
        } else if self.problem.dense().is_some() {
            "A is dense: an exact method"
        } else if self.problem.has_columns() {
            "A is sparse"
        } else {
            "only products are known"
        });
        match strategy {
            Strategy::Auto if self.problem.dense().is_some() => {
                if self.many && n <= MANY_COLUMNS && self.region.sum.is_some() {
                    self.shared_gram(&origin, run)
                } else if n <= m + usize::from(self.region.sum.is_some()) {
                    self.dense(origin, run)
                } else {
                    self.growing_qr(&origin, run)
                }
            }
            Strategy::Auto if self.problem.has_columns() => self.sparse(origin, run),
            Strategy::Auto => self.products(origin, run),
            Strategy::BlockExchange => self
                .block_exchange(&origin, self.start.is_some(), run)
                .unwrap_or_else(|| still(Some(Status::Stalled))),
            Strategy::ActiveSet => self.growing_qr(&origin, run),
            Strategy::WorkingSet => self.sparse(origin, run),
            Strategy::ProjectedGradient => self.gradients(origin, usize::MAX, run),
        }
    }

    /// Where a method stalled the next one begins, from the best point so far, until one has the evidence.
    fn go_on(&self, mut best: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut holds = self.holds(&best.x, run);
        for method in [Self::working_sets, Self::many_products, Self::many_sweeps] {
            if holds || best.limit.is_some() {
                break;
            }
            if let Some(next) = method(self, &best.x, run) {
                let next = self.refined(next, run);
                best = self.better(best, next, run);
                holds = self.holds(&best.x, run);
            }
        }
        // (exact methods know the directions that A hardly sees)
        let rough = best.phase == Phase::ProjectedGradient && self.problem.dense().is_some();
        if rough
            && holds
            && best.limit.is_none()
            && let Some(part) = self.leaves_much(&best, run)
        {
            let end = 2.0 * run.cost();
            if let Some(next) = self.tightened(&best, part, run) {
                best = next;
                if self.leaves_much(&best, run).is_none() {
                    return best;
                }
            }
            best = self.sharpened(best, end, run);
        }
        best
    }

    fn working_sets(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        if !self.problem.has_columns() {
            return None;
        }
        run.because("no earlier method met the tolerance");
        Some(self.working_set_from(from.to_vec(), run))
    }

    fn working_set_from(&self, mut x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::WorkingSet);
        let size = self.size_of(&x);
        let outcome = working_set(
            self.problem,
            self.b,
            self.region,
            self.norms,
            self.alpha,
            size,
            &mut x,
            run,
        );
        Candidate {
            x,
            phase: Phase::WorkingSet,
            limit: outcome.err(),
            dual: None,
        }
    }

    fn many_products(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        run.because("no earlier method met the tolerance");
        Some(if self.region.sum.is_some() {
            self.gradients(from.to_vec(), MANY_GRADIENTS, run)
        } else {
            self.projected(from.to_vec(), &self.target(1e5), run).0
        })
    }

    fn many_sweeps(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        run.because("no earlier method met the tolerance");
        let possible = self.region.sum.is_none() && self.problem.has_columns();
        possible.then(|| self.descend(from.to_vec(), usize::MAX, run).0)
    }

    /// Without evidence the answer is never worse than where it began, nor, without a sum, than the point nearest to zero.
    fn best_so_far(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let limit = candidate.limit;
        let nearest = self.region.sum.is_none().then(|| self.region.nearest_to_zero());
        let mut best = candidate;
        for x in [Some(self.origin(run)), nearest].into_iter().flatten() {
            if self.distance(&x, run) < self.distance(&best.x, run) {
                best = Candidate {
                    x,
                    phase: Phase::Start,
                    limit,
                    dual: None,
                };
            }
        }
        best
    }

    /// Coordinate descent to the end where it is fast (without a sum); working sets where it slows down and the face is small.
    fn sparse(&self, origin: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut candidate = if self.region.sum.is_none() {
            let (mut candidate, outcome) = self.descend(origin, 60, run);
            if candidate.limit.is_some() || outcome == Outcome::Converged {
                return candidate;
            }
            // a face that is nearly right saves the exact method most of its rounds
            let hand_over = self.target(1500.0).at_least(T::lit(1e-5));
            run.because("coordinate descent has found a face to start from");
            candidate = self.projected(candidate.x, &hand_over, run).0;
            if candidate.limit.is_some() {
                return candidate;
            }
            candidate
        } else {
            let candidate = self.gradients(origin, 300, run);
            if candidate.limit.is_some() || self.solves(&candidate.x, self.tolerance, run) {
                return candidate;
            }
            candidate
        };
        let inside = self.inside(&candidate.x);
        if inside <= working_set::LARGEST / 2 {
            run.because("few coordinates are between their bounds");
            let exact = self.working_set_from(candidate.x.clone(), run);
            if exact.limit.is_some() || self.solves(&exact.x, self.tolerance, run) {
                return exact;
            }
            candidate = exact;
        }
        run.because("no earlier method converged");
        if self.problem.rows().saturating_mul(self.inside(&candidate.x)) <= QR_ELEMENTS / 4 {
            candidate = self.growing_qr(&candidate.x, run);
            if candidate.limit.is_some() || self.solves(&candidate.x, self.tolerance, run) {
                return candidate;
            }
        }
        run.because("no earlier method converged");
        if self.region.sum.is_some() {
            return self.gradients(candidate.x, usize::MAX, run);
        }
        let (candidate, ended) = self.projected(candidate.x, &self.target(1e5), run);
        if self.settled(&candidate, ended, run) {
            return candidate;
        }
        run.because("no earlier method converged");
        self.descend(candidate.x, usize::MAX, run).0
    }

    /// Projected gradients to the tolerance.
    fn gradients(&self, mut x: Vec<T>, most: usize, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::ProjectedGradient);
        let target = T::lit(0.3) * self.tolerance * self.unit_of(&x);
        let most = most.min(100_000);
        let outcome = projected_gradient(
            self.problem,
            self.b,
            self.region,
            self.norms,
            &mut x,
            target,
            most,
            run,
        );
        Candidate {
            x,
            phase: Phase::ProjectedGradient,
            limit: outcome.err(),
            dual: None,
        }
    }

    /// Projected gradients to find the face, then the active set from there.
    fn products(&self, origin: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let rough = self.gradients(origin, 300, run);
        if rough.limit.is_some() || self.solves(&rough.x, self.tolerance, run) {
            return rough;
        }
        let x = self.snapped(&rough.x, run);
        if self.problem.rows().saturating_mul(self.inside(&x)) > QR_ELEMENTS {
            run.because("too many coordinates are between their bounds for a factor");
            return self.gradients(rough.x, usize::MAX, run);
        }
        run.because("projected gradients have found the free coordinates");
        let exact = self.growing_qr(&x, run);
        let there = self.look_at(&exact.x, run);
        let reached = there.measured;
        self.keep(there);
        // a ρ that is rounding already is not made smaller by other products
        if exact.limit.is_some()
            || reached.displacement <= reached.lost
            || self.solves(&exact.x, self.tolerance, run)
        {
            return exact;
        }
        run.because("the active set did not converge, or its factor would be too large");
        let last = self.gradients(rough.x, usize::MAX, run);
        if self.displacement(&last.x, run) > reached.displacement {
            return Candidate {
                limit: last.limit,
                ..exact
            };
        }
        last
    }

    /// The point one projected gradient step further: coordinates on their way to a bound are at it.
    fn snapped(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let seen = self.look_at(x, run);
        let mut e = vec![T::zero(); x.len()];
        self.region.displacement(self.norms, x, &seen.g, &mut e);
        self.keep(seen);
        let mut out = x.to_vec();
        for j in 0..x.len() {
            if self.norms[j] > T::zero() {
                let stepped = self.region.stepped(j, x[j], e[j], self.norms[j]);
                if !self.region.is_inside(j, stepped) {
                    out[j] = stepped;
                }
            }
        }
        close_sum(
            &mut out,
            self.region.sum.as_ref(),
            &self.region.lo,
            &self.region.hi,
        );
        out
    }

    /// Whether a QR factor of what is between its bounds fits.
    pub(super) fn may_factor(&self, x: &[T]) -> bool {
        self.problem.has_columns() && self.problem.rows().saturating_mul(self.inside(x)) <= QR_ELEMENTS / 4
    }

    /// max_j c_j |x − P(x − g/c²)|_j
    pub(super) fn displacement(&self, x: &[T], run: &mut Run<'_>) -> T {
        let seen = self.look_at(x, run);
        let displacement = seen.measured.displacement;
        self.keep(seen);
        displacement
    }

    /// The natural residual ρ at x.
    fn natural_residual(&self, x: &[T], run: &mut Run<'_>) -> T {
        relative(self.displacement(x, run), self.unit_of(x))
    }
}
