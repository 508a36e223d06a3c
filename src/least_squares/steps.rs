//! The engine takes the steps of a [plan](super::plan), until one of them has a solution.

use super::active_set::Progress;
use super::context::{Candidate, Context};
use super::coordinate_descent::Outcome;
use super::driver::support;
use super::flow::flow;
use super::plan::{Budget, Features, Method, Plan, QR_ELEMENTS, SMALL_GRAM, Step, Storage, When};
use super::region::NonNegative;
use crate::LinalgScalar;
use crate::outcome::{Phase, Run, Status};

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// What the plan rests on.
    pub(super) fn features(&self) -> Features {
        let p = self.problem;
        let storage = if p.dense().is_some() {
            Storage::Dense
        } else if p.has_columns() {
            Storage::Sparse
        } else {
            Storage::Products
        };
        let asks = storage == Storage::Dense && p.columns() >= SMALL_GRAM && !p.expects_many();
        Features::new(storage, p.rows(), p.columns())
            .coherent(asks && p.alike() > 0)
            .shared(p.expects_many())
            .start(self.start.as_deref().map(support))
    }

    /// The steps of a plan for n ≤ m.
    pub(super) fn tall(&self, plan: &Plan, run: &mut Run<'_>) -> Candidate<T> {
        let (mut grown, mut half_left, mut exchanged) = (false, false, false);
        let (mut guess, mut inexact) = (None, None);
        for step in &plan.steps {
            let applies = match step.when {
                When::Always => true,
                When::FewColumnsExplain => self.few_will_do(run),
                When::NotGrown => !grown,
                When::HalfLeft => half_left,
                When::Inexact => inexact.is_some(),
                When::NoExchange => exchanged && inexact.is_none(),
                When::FewStay(_) | When::ManyStay(_) | When::FactorFits => false,
            };
            if !applies {
                continue;
            }
            run.because(step.why);
            match (step.method, step.budget) {
                (Method::GrowingGram, Budget::Growth(growth)) => {
                    grown = true;
                    match self.grow_within(growth, run) {
                        Ok(candidate) => return candidate,
                        Err(half) => half_left = half,
                    }
                }
                (Method::ProjectedCg, budget) => {
                    let target = self.target(0.0).within(budget);
                    let before = run.passes;
                    let from = if step.when == When::HalfLeft && self.start.is_none() {
                        let rough = self.without_bounds(run);
                        run.because("from there, within the bounds");
                        rough
                    } else {
                        self.zero_or_start()
                    };
                    let (candidate, ended) = self.projected(from, &target, run);
                    if self.settled(&candidate, ended, run) {
                        return candidate;
                    }
                    // given up at once, most columns stay: the exchange starts from them all
                    guess = (4.0 * (run.passes - before) >= target.passes).then_some(candidate.x);
                }
                (Method::BlockExchange, _) => {
                    exchanged = true;
                    if let Some(candidate) =
                        self.block_exchange(guess.as_deref().or(self.start.as_deref()), run)
                    {
                        if candidate.limit.is_some() || self.solves(&candidate.x, self.exact, run) {
                            return candidate;
                        }
                        run.ended("it is not exact");
                        inexact = Some(candidate);
                    }
                }
                (Method::GrowingQr, _) => {
                    let Some(first) = inexact else {
                        return self.growing_qr(&self.zero_or_start(), run);
                    };
                    return self.more_exact(first, run);
                }
                _ => return self.active_set(&self.zero_or_start(), run),
            }
        }
        self.started(&self.zero_or_start(), Some(Status::Stalled))
    }

    /// The steps of a plan for n > m.
    pub(super) fn wide(&self, plan: &Plan, run: &mut Run<'_>) -> Candidate<T> {
        let zero = vec![T::zero(); self.problem.columns()];
        let mut stood = self.started(&zero, None);
        // without a growing factor before it, least distance stays near to the start
        let grows_first = plan
            .steps
            .first()
            .is_some_and(|s| s.method == Method::GrowingGram);
        let near = self.start.as_deref().filter(|_| !grows_first);
        if let Some(x) = near.filter(|x| self.solves(x, self.tolerance, run)) {
            return self.started(x, None);
        }
        for step in &plan.steps {
            run.because(step.why);
            match (step.method, step.budget) {
                (Method::GrowingGram, Budget::Growth(growth)) => {
                    let go_on =
                        |seen: &Progress| growth.goes_on(seen.rounds, seen.face, seen.gained, seen.offered);
                    match self.grow(&self.zero_or_start(), &go_on, run) {
                        Ok(candidate) => return candidate,
                        Err(grown) => stood = grown,
                    }
                }
                (Method::LeastDistance, _) => {
                    let candidate = self.interpolated(near, run);
                    match candidate.limit {
                        None => return candidate,
                        Some(Status::Stalled | Status::NotFinite) => {}
                        limit => {
                            let closer = self.distance(&candidate.x, run) < self.distance(&stood.x, run);
                            return Candidate {
                                limit,
                                ..if closer { candidate } else { stood }
                            };
                        }
                    }
                }
                _ => return self.active_set(&stood.x, run),
            }
        }
        stood
    }

    /// The steps of a plan for a sparse A. Where the method was asked for by name, coordinate descent is not the end of it.
    pub(super) fn sparse(&self, steps: &[Step], by_name: bool, run: &mut Run<'_>) -> Candidate<T> {
        let mut candidate = self.started(&self.zero_or_start(), None);
        let mut stay = support(&candidate.x);
        let mut inside = None;
        for (k, step) in steps.iter().enumerate() {
            if !step.when.allows(stay) {
                continue;
            }
            if k > 0 {
                run.because(step.why);
            }
            match (step.method, step.budget) {
                (Method::CoordinateDescent, Budget::Sweeps(sweeps)) => {
                    let (descended, outcome) = self.descend(candidate.x, sweeps, run);
                    candidate = descended;
                    if candidate.limit.is_some() || (outcome == Outcome::Converged && !by_name) {
                        return candidate;
                    }
                    stay = support(&candidate.x);
                }
                (
                    Method::ProjectedCg,
                    Budget::OfFace {
                        many,
                        to_the_end,
                        to_find_it,
                    },
                ) => {
                    let to_the_end_if = stay > many;
                    let target = if to_the_end_if {
                        self.target(to_the_end)
                    } else {
                        let gram = (stay * stay) as f64 / candidate.x.len() as f64;
                        self.target((2.0 * gram).min(to_find_it)).at_least(T::lit(1e-5))
                    };
                    let (reached, ended) = self.projected(candidate.x, &target, run);
                    candidate = reached;
                    if candidate.limit.is_some() || (to_the_end_if && self.settled(&candidate, ended, run)) {
                        return candidate;
                    }
                    stay = support(&candidate.x);
                }
                (Method::ProjectedCg, budget) => {
                    let (reached, ended) = self.projected(candidate.x, &self.target(0.0).within(budget), run);
                    candidate = reached;
                    if self.settled(&candidate, ended, run) {
                        return candidate;
                    }
                }
                (Method::WorkingSets, _) => {
                    candidate = self.working_sets(candidate.x, run);
                    if candidate.limit.is_some() || self.solves(&candidate.x, self.tolerance, run) {
                        return candidate;
                    }
                }
                (Method::GrowingGram, _) => {
                    if self.problem.rows().saturating_mul(stay) <= QR_ELEMENTS / 4 {
                        return self.active_set(&candidate.x, run);
                    }
                }
                (Method::InteriorPoint | Method::Lift, _) => {
                    let next = if step.method == Method::InteriorPoint {
                        self.interior(run)
                    } else {
                        self.flow_to_tolerance(inside.as_deref(), run)
                    };
                    if next.limit.is_none() && self.solves(&next.x, self.tolerance, run) {
                        return next;
                    }
                    inside = Some(next.x.clone());
                    candidate = self.lower(candidate, next, run);
                    if candidate.limit.is_some() {
                        return candidate;
                    }
                }
                _ => return self.descend(candidate.x, usize::MAX, run).0,
            }
        }
        candidate
    }

    /// The steps of a plan for products only.
    pub(super) fn products(&self, steps: &[Step], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let mut candidate = self.started(&self.zero_or_start(), None);
        let mut face = Vec::new();
        let mut stay = 0;
        for (k, step) in steps.iter().enumerate() {
            if !step.when.allows(stay) {
                continue;
            }
            if k > 0 {
                run.because(step.why);
            }
            match (step.method, step.budget) {
                (Method::Lift, Budget::Moderate) => {
                    let moderate = T::epsilon().powf(T::lit(0.4)).max(self.tolerance);
                    run.begin(Phase::Flow);
                    let reached = flow(p, self.b, self.b_norm, self.start.as_deref(), moderate, 300, run);
                    candidate = Candidate {
                        x: reached.x,
                        phase: Phase::Flow,
                        limit: reached.limit,
                        dual: None,
                    };
                    if candidate.limit.is_some() {
                        return candidate;
                    }
                    // what its multiplier holds down is not on the face
                    let norms = p.norms();
                    let is_positive = |j: usize| norms[j] * candidate.x[j] > reached.g[j] / norms[j];
                    face = (0..p.columns())
                        .map(|j| if is_positive(j) { candidate.x[j] } else { T::zero() })
                        .collect();
                    stay = support(&face);
                }
                (Method::Lift, _) => {
                    candidate = self.flow_to_tolerance(Some(&candidate.x), run);
                    if candidate.limit.is_some() || self.solves(&candidate.x, self.tolerance, run) {
                        return candidate;
                    }
                }
                _ => {
                    if p.rows().saturating_mul(stay) <= QR_ELEMENTS {
                        let exact = self.active_set(&face, run);
                        if exact.limit.is_some() || self.solves(&exact.x, self.tolerance, run) {
                            return exact;
                        }
                    }
                }
            }
        }
        candidate
    }
}
