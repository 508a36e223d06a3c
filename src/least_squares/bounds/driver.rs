//! From a prepared problem and b to a candidate: which method runs, and when the next one takes over.

use super::prepared::{Prepared, close_sum};
use super::projected_gradient::projected_gradient;
use super::working_set::working_set;
use crate::clock::Instant;
use crate::least_squares::bounded::{Settings, Strategy};
use crate::least_squares::context::{Candidate, Context, Fallbacks};
use crate::least_squares::driver as non_negative;
use crate::least_squares::evidence::relative;
use crate::least_squares::nnls::Options;
use crate::least_squares::plan::{MANY_GRADIENTS, QR_ELEMENTS, Storage, UNLIMITED, plan, sparse_over_bounds};
use crate::least_squares::region::{BoundsAndSum, Region};
use crate::linalg::{norm2, pow2};
use crate::outcome::{Phase, Run, Solution, Status};
use crate::{LinalgScalar, Result};
use std::cell::{OnceCell, RefCell};

pub(super) fn solve<T: LinalgScalar>(
    prepared: &Prepared<'_, '_, T>,
    b: &[T],
    settings: &Settings<T>,
    start: Option<&[T]>,
    many: bool,
    clock: Instant,
    first: bool,
) -> Result<Solution<T>> {
    if prepared.posed.is_non_negative()
        && let Some(strategy) = settings.strategy.over_non_negative()
    {
        let options = Options {
            tolerance: settings.tolerance,
            strategy,
            limits: settings.limits.clone(),
            start: start.map(<[T]>::to_vec),
        };
        return non_negative::solve(&prepared.problem, b, &options, clock, first);
    }
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
    candidate = context.refined_twice(candidate, &mut run);
    if settings.strategy == Strategy::Auto {
        candidate = context.go_on(candidate, &mut run);
    }
    if candidate.limit.is_some() || !context.holds(&candidate.x, &mut run) {
        candidate = context.best_so_far(candidate, &mut run);
    }
    context.judge(candidate, b, unit, prepared, run)
}

impl<T: LinalgScalar> Fallbacks<T> for Context<'_, '_, T, BoundsAndSum<T>> {
    fn working_sets(&self, x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        self.working_set_from(x, run)
    }

    fn many_products(&self, from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        if self.region.sum.is_some() {
            self.gradients(from, MANY_GRADIENTS, run)
        } else {
            self.projected(from, &self.target(UNLIMITED), run).0
        }
    }

    fn refined(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        self.refined_twice(candidate, run)
    }

    fn may_sharpen(&self, candidate: &Candidate<T>) -> bool {
        candidate.phase == Phase::ProjectedGradient
    }
}

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// The start, or a feasible point near zero.
    pub(super) fn origin(&self, run: &mut Run<'_>) -> Vec<T> {
        match &self.start {
            Some(x) => x.clone(),
            None => self.cold_origin(run),
        }
    }

    /// Runs the plan, or the method asked for by name.
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
        run.because_by_default(if strategy != Strategy::Auto {
            "asked for by name"
        } else if self.problem.has_columns() {
            "A is sparse"
        } else {
            "only products are known"
        });
        match strategy {
            Strategy::Auto => {
                let features = self.features();
                let steps = plan(&features).steps;
                match features.storage {
                    Storage::Dense => self.dense(&steps, origin, run),
                    Storage::Sparse => self.sparse(&steps, origin, run),
                    Storage::Products => self.products(&steps, origin, run),
                }
            }
            Strategy::BlockExchange => self
                .block_exchange(&origin, self.start.is_some(), run)
                .unwrap_or_else(|| still(Some(Status::Stalled))),
            Strategy::ActiveSet => self.growing_qr(&origin, run),
            Strategy::WorkingSet => {
                let steps = sparse_over_bounds(self.region.sum.is_some());
                self.sparse(&steps, origin, run)
            }
            Strategy::ProjectedGradient => self.gradients(origin, usize::MAX, run),
        }
    }

    pub(super) fn working_set_from(&self, mut x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
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

    /// Projected gradients to the tolerance.
    pub(super) fn gradients(&self, mut x: Vec<T>, most: usize, run: &mut Run<'_>) -> Candidate<T> {
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

    /// The point one projected gradient step further: coordinates on their way to a bound are at it.
    pub(super) fn snapped(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
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
