//! The engine takes the steps of a [plan](crate::least_squares::plan) over bounds, until one of them has a solution.

use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::coordinate_descent::Outcome;
use crate::least_squares::plan::{
    Budget, Features, Method, QR_ELEMENTS, Set, Step, Storage, WORTH_A_START, When,
};
use crate::least_squares::region::BoundsAndSum;
use crate::outcome::Run;

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    pub(super) fn features(&self) -> Features {
        let p = self.problem;
        let storage = if p.dense().is_some() {
            Storage::Dense
        } else if p.has_columns() {
            Storage::Sparse
        } else {
            Storage::Products
        };
        let set = if self.region.sum.is_some() {
            Set::Sum
        } else {
            Set::Bounds
        };
        let asks = storage == Storage::Dense && set == Set::Bounds && !self.many && p.columns() <= p.rows();
        Features::new(storage, p.rows(), p.columns())
            .over(set)
            .coherent(asks && p.alike() > 0)
            .shared(self.many)
            .start(self.start.as_deref().map(|x| self.inside(x)))
    }

    pub(super) fn dense(&self, steps: &[Step], mut from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut warm = self.start.is_some();
        let mut inexact: Option<Candidate<T>> = None;
        for step in steps {
            let applies = match step.when {
                When::Inexact => inexact.is_some(),
                When::NoExchange => inexact.is_none(),
                _ => true,
            };
            if !applies {
                continue;
            }
            run.because(step.why);
            match (step.method, step.budget) {
                (Method::SharedGram, _) => {
                    let candidate = self.shared_gram(&from, run);
                    let is_exact = self.adds_up(&candidate.x) && self.solves(&candidate.x, self.exact, run);
                    if is_exact || candidate.limit.is_some() {
                        return candidate;
                    }
                    run.ended("not exact: the Gram matrix squares the condition number");
                    from = candidate.x;
                }
                (Method::GrowingQr, Budget::Growth(growth)) => {
                    let (candidate, done) = self.undamped_qr(&from, &|seen| seen.face <= growth.columns, run);
                    if done || candidate.limit.is_some() {
                        return self.upheld(candidate, run);
                    }
                    run.ended("too many coordinates are between their bounds");
                    from = candidate.x;
                }
                (Method::GrowingQr, _) if step.when == When::Always => {
                    let candidate = self.growing_qr(&from, run);
                    let is_last = steps.last() == Some(step);
                    if is_last || candidate.limit.is_some() || self.solves(&candidate.x, self.exact, run) {
                        return candidate;
                    }
                }
                (Method::ProjectedCg, budget) => {
                    let target = self.target(0.0).within(budget);
                    let (candidate, ended) = self.projected(from.clone(), &target, run);
                    if self.settled(&candidate, ended, run) {
                        return candidate;
                    }
                    // given up early, most columns stay: the exchange starts from them all
                    if run.passes >= target.passes && from.len() >= WORTH_A_START {
                        (from, warm) = (candidate.x, true);
                    }
                }
                (Method::BlockExchange, _) => {
                    if let Some(candidate) = self.block_exchange(warm.then_some(&from[..]), run) {
                        if candidate.limit.is_some() || self.solves(&candidate.x, self.exact, run) {
                            return candidate;
                        }
                        run.ended("it is not exact");
                        inexact = Some(candidate);
                    }
                }
                _ => {
                    let Some(first) = inexact else {
                        return self.growing_qr(&from, run);
                    };
                    return self.more_exact(first, run);
                }
            }
        }
        self.growing_qr(&from, run)
    }

    pub(super) fn sparse(&self, steps: &[Step], from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut candidate = Candidate::new(from, crate::outcome::Phase::Start, None);
        for (k, step) in steps.iter().enumerate() {
            let stay = self.inside(&candidate.x);
            let fits = self.problem.rows().saturating_mul(stay) <= QR_ELEMENTS / 4;
            if !step.when.allows(stay) || (step.when == When::FactorFits && !fits) {
                continue;
            }
            if k > 0 {
                run.because(step.why);
            }
            let done;
            (candidate, done) = match (step.method, step.budget) {
                (Method::CoordinateDescent, Budget::Sweeps(sweeps)) => {
                    let (next, outcome) = self.descend(candidate.x, sweeps, run);
                    (next, outcome == Outcome::Converged)
                }
                (Method::CoordinateDescent, _) => (self.descend(candidate.x, usize::MAX, run).0, true),
                (Method::ProjectedCg, Budget::Rough(passes)) => {
                    // a face that is nearly right saves the exact method most of its rounds
                    let target = self.target(passes).at_least(T::lit(1e-5));
                    (self.projected(candidate.x, &target, run).0, false)
                }
                (Method::ProjectedCg, budget) => {
                    let target = self.target(0.0).within(budget);
                    let (next, ended) = self.projected(candidate.x, &target, run);
                    let settled = self.settled(&next, ended, run);
                    (next, settled)
                }
                (method, budget) => {
                    let next = match (method, budget) {
                        (Method::WorkingSets, _) => self.working_sets(candidate.x, run),
                        (Method::AcceleratedGradient, Budget::Steps(most)) => {
                            self.gradients(candidate.x, most, run)
                        }
                        (Method::AcceleratedGradient, _) => self.gradients(candidate.x, usize::MAX, run),
                        _ => self.growing_qr(&candidate.x, run),
                    };
                    let is_last = k + 1 == steps.len();
                    let done = is_last || next.limit.is_some() || self.solves(&next.x, self.tolerance, run);
                    (next, done)
                }
            };
            if done || candidate.limit.is_some() {
                return candidate;
            }
        }
        candidate
    }

    pub(super) fn products(&self, steps: &[Step], from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        // what projected gradients found, and the active set from there
        let mut rough = Candidate::new(from, crate::outcome::Phase::Start, None);
        let mut exact: Option<Candidate<T>> = None;
        for (k, step) in steps.iter().enumerate() {
            if k > 0 {
                run.because(step.why);
            }
            match (step.method, step.budget) {
                (Method::AcceleratedGradient, Budget::Steps(most)) => {
                    rough = self.gradients(rough.x, most, run);
                    if rough.limit.is_some() || self.solves(&rough.x, self.tolerance, run) {
                        return rough;
                    }
                }
                (Method::GrowingQr, _) => {
                    let x = self.snapped(&rough.x, run);
                    if self.problem.rows().saturating_mul(self.inside(&x)) > QR_ELEMENTS {
                        continue;
                    }
                    let candidate = self.growing_qr(&x, run);
                    let there = self.look_at(&candidate.x, run);
                    let reached = there.measured;
                    self.keep(there);
                    // a ρ that is rounding already is not made smaller by other products
                    if candidate.limit.is_some()
                        || reached.displacement <= reached.lost
                        || self.solves(&candidate.x, self.tolerance, run)
                    {
                        return candidate;
                    }
                    exact = Some(candidate);
                }
                _ => {
                    let last = self.gradients(rough.x, usize::MAX, run);
                    return match exact {
                        Some(exact) if self.displacement(&last.x, run) > self.displacement(&exact.x, run) => {
                            Candidate {
                                limit: last.limit,
                                ..exact
                            }
                        }
                        _ => last,
                    };
                }
            }
        }
        rough
    }
}
