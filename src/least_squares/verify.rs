//! The last steps of every solve: a cold retry or another method where one has stalled, the best point so far, and the verification of the x that
//! is returned, from A, b and that x.

use super::context::{Candidate, Context};
use super::dual::Primal;
use super::engine::OfSet;
use super::evidence::{Evaluation, Measure};
use super::uniqueness::Known;
use crate::linalg::norm2;
use crate::linalg::scratch::Scratch;
use crate::outcome::{Certificate, Phase, Run, Solution, Status, Uniqueness};
use crate::{LinalgScalar, Result};

/// The caller's units beside those of a solve.
pub(super) trait Units<T: LinalgScalar> {
    /// x in the caller's units, within its bounds exactly.
    fn handed_out(&self, scaled: Vec<T>) -> Result<Vec<T>>;
    /// That x, rounded as it is, back in scaled units.
    fn scaled(&self, x: &[T]) -> Scratch<T>;
    /// s_j with x_j = s_j · unit · x̂_j.
    fn factor(&self, j: usize) -> T;
    /// A power of two.
    fn unit(&self) -> T;
    /// By how much x breaks its constraints, and whether that is no more than its rounding.
    fn violation(&self, x: &[T]) -> (T, bool);
    /// The n for which columns j and j + n are opposite.
    fn pairs(&self) -> Option<usize>;
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R>
where
    Self: OfSet<T>,
{
    /// The answer of a `method`: refined where rounding decides, again without the start where that has left too much rounding behind, by other
    /// methods where it has stalled (unless it was asked for `by_name`), never worse than where it began.
    pub(super) fn answer(
        &mut self,
        method: impl Fn(&Self, &mut Run<'_>) -> Candidate<T>,
        by_name: bool,
        units: &impl Units<T>,
        mut run: Run<'_>,
    ) -> Result<Solution<T>> {
        let run_ = &mut run;
        let mut candidate = self.refined(method(self, run_), run_);
        if self.start.is_some() && candidate.limit.is_none() && !self.is_trivial() {
            candidate = self.retried_without_start(candidate, &method, run_);
        }
        if !by_name {
            candidate = self.go_on(candidate, run_);
        }
        if candidate.limit.is_some() || !self.holds(&candidate.x, run_) || self.is_beyond_zero() {
            candidate = self.best_so_far(candidate, run_);
        }
        self.verified(candidate, units, run)
    }

    /// A start far from the solution may cost more digits than a cold solve.
    fn retried_without_start(
        &mut self,
        candidate: Candidate<T>,
        method: &impl Fn(&Self, &mut Run<'_>) -> Candidate<T>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let reached = self.natural_residual(&candidate.x, run);
        // (an iterative method stops at the tolerance; one that solves its face exactly, far below)
        let is_exact = candidate.phase.factors_its_face();
        let allowed = if is_exact { T::lit(0.5) } else { T::one() };
        if reached <= allowed * self.tolerance {
            return candidate;
        }
        let start = self.start.take();
        run.because("from the start ρ stayed too large: again without it");
        let cold = self.refined(method(self, run), run);
        let is_better = self.natural_residual(&cold.x, run) < reached || reached.is_nan();
        self.start = start;
        if is_better { cold } else { candidate }
    }

    /// Whether f at the last evaluated point is larger than at x = 0 ≥ 0: a coarse tolerance calls such points solutions, too.
    fn is_beyond_zero(&self) -> bool {
        let last = self.last_evaluation.borrow();
        R::ZERO_OFF_FACE && last.as_ref().is_some_and(|seen| norm2(&seen.r) > self.b_norm)
    }

    /// Stopped early or stalled, the answer is never worse than where it began, nor, without a sum, than the point nearest to zero.
    fn best_so_far(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let limit = candidate.limit;
        let mut least = self.distance(&candidate.x, run);
        let mut best = candidate;
        let has_start = self.start.is_some();
        let nearest = (has_start && self.region.sum().is_none()).then(|| self.cold_origin(run));
        for x in [Some(self.origin(run)), nearest].into_iter().flatten() {
            let is_zero = has_start && x.iter().all(|v| *v == T::zero());
            let there = if is_zero {
                self.b_norm
            } else {
                self.distance(&x, run)
            };
            if there < least {
                (best, least) = (Candidate::new(x, Phase::Start, limit), there);
            }
        }
        best
    }

    /// The natural residual ρ at x.
    fn natural_residual(&self, x: &[T], run: &mut Run<'_>) -> T {
        let seen = self.evaluate(x, run);
        let (rho, _) = self.rho_of(&seen);
        self.keep(seen);
        rho
    }

    /// Verifies the x that is handed out. Its residual is recomputed unless [`take_over`](Self::take_over) has checked it.
    fn verified(
        &self,
        candidate: Candidate<T>,
        units: &impl Units<T>,
        mut run: Run<'_>,
    ) -> Result<Solution<T>> {
        let (p, region, n) = (self.problem, self.region, self.problem.columns());
        let unit = units.unit();
        // a method that broke down: never hand that out
        let failed = candidate.x.iter().any(|v| !v.is_finite());
        let inner = if failed {
            self.cold_origin(&mut run)
        } else {
            candidate.x
        };
        let x = units.handed_out(inner)?;
        // what is verified is what is handed out, rounded
        let scaled = units.scaled(&x);
        let seen = self.evaluate(&scaled, &mut run);
        let (rho, error) = self.rho_of(&seen);
        let Evaluation {
            mut r,
            mut g,
            gap,
            formed,
            measured,
            ..
        } = seen;
        let trace = run.take_trace(candidate.limit);
        // a true column of zeros has g_j = 0; a norm stated as 0 for another column must not hide it
        let hidden = (0..n).any(|j| p.norms()[j] == T::zero() && g[j] != T::zero());
        let rho = if hidden && !rho.is_nan() {
            T::infinity()
        } else {
            rho
        };
        let primal = Primal {
            problem: p,
            set: region,
            b: self.b,
            x: &scaled,
            r: &r,
            g: &g,
            formed,
        };
        let factored = candidate.limit.is_none() && candidate.phase.factors_its_face() && !run.damped;
        let gap = gap.unwrap_or_else(|| {
            let direction = candidate.dual.as_ref().map(|w| w.as_slice());
            let known = self.correlations.get().map(|c| c.as_slice());
            primal.gap(direction, known, factored, &mut run)
        });
        let (violation, is_met) = units.violation(&x);
        let status = match candidate.limit {
            _ if rho + error <= self.tolerance && is_met => Status::Solved,
            _ if rho.is_nan() => Status::NotFinite,
            Some(limit) if !failed => limit,
            _ => Status::Stalled,
        };
        let uniqueness = if status.is_solved() {
            let known = Known {
                t: measured.t,
                displacement: measured.displacement,
                // (over bounds a start may leave coordinates between them that no factor holds)
                factored: factored && (R::ZERO_OFF_FACE || self.start.is_none()),
                pairs: units.pairs(),
            };
            primal.uniqueness(&known, &mut run)
        } else {
            Uniqueness::NotKnown
        };
        for (j, v) in g.iter_mut().enumerate() {
            *v = (*v + measured.t * region.weight(j)) / units.factor(j) * unit;
        }
        let residual_norm = norm2(&r) * unit;
        r.iter_mut().for_each(|v| *v *= unit);
        Ok(Solution {
            x,
            objective: T::lit(0.5) * residual_norm * residual_norm,
            residual: r,
            residual_norm,
            status,
            certificate: Certificate::new(rho, error, gap * unit * unit, violation, g)
                .with_uniqueness(uniqueness),
            iterations: run.iterations,
            counts: run.counts(),
            phase: if failed { Phase::Start } else { candidate.phase },
            elapsed: run.elapsed(),
            trace,
        })
    }
}
