//! The engine: takes the steps of a [plan](super::plan) one after the other, until one of them has a solution.

use super::context::{Candidate, Context};
use super::evidence::Measure;
use super::methods::active_set::Progress;
use super::methods::coordinate_descent::Outcome;
use super::methods::projected_cg::Target;
use super::plan::{
    Begin, Budget, Features, MANY_GRADIENTS, Method, QR_ELEMENTS, QR_ELEMENTS_OF_SPARSE, Set, Step, Storage,
    UNLIMITED, When, by_name, plan,
};
use crate::LinalgScalar;
use crate::outcome::{Phase, Run, Status};
use std::cell::OnceCell;

/// The ρ to which projected conjugate gradients run when they only have to identify the free coordinates: a nearly right set saves an exact method
/// most of its rounds.
const OF_A_FACE: f64 = 1e-5;

/// Methods that are written for one kind of set. A step of a plan is skipped if the set does not have its method.
pub(super) trait OfSet<T: LinalgScalar> {
    /// The active set on a growing Gram factor, and on a QR factor where that is not exact, from a feasible point, for as long as `go_on` says;
    /// else where it stood.
    fn grow(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> std::result::Result<Candidate<T>, Candidate<T>>;
    /// Whether few columns will do.
    fn few_columns_explain(&self, _run: &mut Run<'_>) -> bool {
        false
    }
    /// An x with A x = b, near this point or near one that the method chooses.
    fn least_distance(&self, _near: Option<&[T]>, _run: &mut Run<'_>) -> Option<Candidate<T>> {
        None
    }
    /// Interior points.
    fn interior_point(&self, _run: &mut Run<'_>) -> Option<Candidate<T>> {
        None
    }
    /// Conjugate gradients on the lift, to a moderate accuracy or to the tolerance.
    fn lift(&self, _from: Option<&[T]>, _moderate: bool, _run: &mut Run<'_>) -> Option<Candidate<T>> {
        None
    }
    /// Accelerated projected gradients, so many steps at most.
    fn gradients(&self, _from: Vec<T>, _most: usize, _run: &mut Run<'_>) -> Option<Candidate<T>> {
        None
    }
}

/// The state between two steps of a plan.
struct Stage<T: LinalgScalar> {
    /// The start, or a feasible point near zero, once a step has asked for it.
    origin: OnceCell<Vec<T>>,
    /// Where the last step ended that left a point to continue from; None while that is the origin.
    here: Option<Candidate<T>>,
    /// `here`, with every coordinate moved to its bound whose multiplier would take it there.
    face: Option<Vec<T>>,
    /// Where projected conjugate gradients ended, if that point is worth starting from.
    products: Option<Vec<T>>,
    /// Where interior points ended.
    inside: Option<Vec<T>>,
    /// Where an active-set method ended without a solution.
    inexact: Option<Candidate<T>>,
    exchange: Exchange<T>,
    /// Whether the growing factor was tried, and whether half of the columns offered to it first have left again.
    grown: bool,
    half_left: bool,
}

/// The outcome of the block exchange.
enum Exchange<T: LinalgScalar> {
    NotTried,
    Failed,
    Inexact(Candidate<T>),
}

/// The outcome of a step.
enum Ended<T: LinalgScalar> {
    /// A solution, or a limit.
    Here(Candidate<T>),
    /// Not a solution: the next step is taken. If there is none, this point is the answer.
    Open(Candidate<T>),
    /// The set does not have the method.
    NotTaken,
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R>
where
    Self: OfSet<T>,
{
    /// Runs the plan, or the method asked for by name.
    pub(super) fn run(&self, method: Option<Method>, run: &mut Run<'_>) -> Candidate<T> {
        let moves = |j: usize| self.norms[j] > T::zero() && !self.region.is_fixed(j);
        if self.is_trivial() {
            return Candidate::new(self.cold_origin(run), Phase::Start, None);
        }
        if !(0..self.norms.len()).any(moves) || self.fits_zero(run) {
            return Candidate::new(self.origin(run), Phase::Start, None);
        }
        if let Err(limit) = run.iteration() {
            return Candidate::new(self.origin(run), Phase::Start, Some(limit));
        }
        let steps = match method {
            Some(method) => by_name(self.set(), self.storage(), method),
            None => plan(&self.features()).steps,
        };
        self.follow(&steps, run)
    }

    /// Whether b = 0, and A x = 0 where a solve would begin.
    fn fits_zero(&self, run: &mut Run<'_>) -> bool {
        self.b_norm == T::zero() && {
            let x = self.origin(run);
            self.residual_of(&x, run).iter().all(|v| *v == T::zero())
        }
    }

    fn storage(&self) -> Storage {
        if self.problem.dense().is_some() {
            Storage::Dense
        } else if self.problem.has_columns() {
            Storage::Sparse
        } else {
            Storage::Products
        }
    }

    fn set(&self) -> Set {
        if R::ZERO_OFF_FACE {
            Set::NonNegative
        } else if self.region.sum().is_some() {
            Set::Sum
        } else {
            Set::Bounds
        }
    }

    /// The active set from a feasible point: on a growing Gram factor where the set has one, and on a growing QR factor where that is not exact.
    fn active_set(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        self.grow(from, &|_| true, run)
            .unwrap_or_else(|stood| self.growing_qr(&stood.x, run))
    }

    /// A method that needs products only, run to its own end: it continues where another method has stalled.
    pub(super) fn many_products(&self, from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        if self.region.sum().is_none() {
            return self.projected(from, &self.target(UNLIMITED), run).0;
        }
        match self.gradients(from.clone(), MANY_GRADIENTS, run) {
            Some(end) => end,
            None => Candidate::new(from, Phase::Start, None),
        }
    }

    /// Measures the features that the plan is a function of.
    fn features(&self) -> Features {
        let p = self.problem;
        let (set, storage) = (self.set(), self.storage());
        let features = Features::new(storage, p.rows(), p.columns())
            .over(set)
            .shared(self.many)
            .start(self.start.as_deref().map(|x| self.inside(x)));
        let asks = features.asks_for_coherence();
        features.coherent(asks && p.coherence_length() > 0)
    }

    /// Takes the steps.
    fn follow(&self, steps: &[Step], run: &mut Run<'_>) -> Candidate<T> {
        let mut stage = Stage {
            here: None,
            origin: OnceCell::new(),
            face: None,
            products: None,
            inside: None,
            inexact: None,
            exchange: Exchange::NotTried,
            grown: false,
            half_left: false,
        };
        let mut answer = None;
        for step in steps {
            if !self.applies(step.when, &stage, run) {
                continue;
            }
            run.because(step.why);
            match self.take(step, &mut stage, run) {
                Ended::Here(candidate) => {
                    answer = Some(candidate);
                    break;
                }
                Ended::Open(candidate) => answer = Some(candidate),
                Ended::NotTaken => {}
            }
        }
        let last = match answer.or(stage.here.take()) {
            Some(end) => end,
            None => Candidate::new(self.origin(run), Phase::Start, None),
        };
        // (an active set that is no solution may still have come nearer than the steps after it)
        match stage.inexact {
            Some(exact) if exact.x == last.x => last,
            Some(exact) if last.limit.is_some() => self.lower(exact, last, run),
            Some(exact) => self.more_exact_of(exact, last, run),
            None => last,
        }
    }

    fn applies(&self, when: When, stage: &Stage<T>, run: &mut Run<'_>) -> bool {
        let stay = |run: &mut Run<'_>| match &stage.face {
            Some(x) => self.inside(x),
            None => self.inside(self.last(stage, run)),
        };
        let fits = |stay: usize| {
            let most = match self.storage() {
                Storage::Sparse => QR_ELEMENTS_OF_SPARSE,
                Storage::Dense | Storage::Products => QR_ELEMENTS,
            };
            self.problem.rows().saturating_mul(stay) <= most
        };
        match when {
            When::Always => true,
            When::FewColumnsExplain => self.few_columns_explain(run),
            When::NotGrown => !stage.grown,
            When::HalfLeft => stage.half_left,
            When::FactorFits => fits(stay(run)),
            When::FewFit(few) => {
                let stay = stay(run);
                stay <= few && fits(stay)
            }
            When::FewStay(few) => stay(run) <= few,
            When::ManyStay(few) => stay(run) > few,
            When::Inexact => matches!(stage.exchange, Exchange::Inexact(_)),
            When::NoExchange => matches!(stage.exchange, Exchange::Failed),
        }
    }

    /// The start, or a feasible point near zero.
    fn at_origin<'s>(&self, stage: &'s Stage<T>, run: &mut Run<'_>) -> &'s [T] {
        stage.origin.get_or_init(|| self.origin(run))
    }

    /// Where the step before ended.
    fn last<'s>(&self, stage: &'s Stage<T>, run: &mut Run<'_>) -> &'s [T] {
        match &stage.here {
            Some(here) => &here.x,
            None => self.at_origin(stage, run),
        }
    }

    /// Where a step begins; None where the method may choose.
    fn beginning(&self, begin: Begin, stage: &Stage<T>, run: &mut Run<'_>) -> Option<Vec<T>> {
        match begin {
            Begin::Start => self.start.clone(),
            Begin::Zero => Some(self.cold_origin(run)),
            Begin::Last => Some(self.last(stage, run).to_vec()),
            Begin::Products => stage.products.clone().or_else(|| self.start.clone()),
            Begin::WithoutBounds if self.start.is_none() => {
                let rough = self.without_bounds(run);
                run.because("from there, within the bounds");
                Some(rough)
            }
            Begin::WithoutBounds => self.start.clone(),
            Begin::Face => Some(match &stage.face {
                Some(x) => x.clone(),
                None => self.last(stage, run).to_vec(),
            }),
            Begin::Inside => stage.inside.clone(),
        }
    }

    fn take(&self, step: &Step, stage: &mut Stage<T>, run: &mut Run<'_>) -> Ended<T> {
        let from = self.beginning(step.begin, stage, run);
        let point = |from: Option<Vec<T>>, stage: &Stage<T>, run: &mut Run<'_>| {
            from.unwrap_or_else(|| self.at_origin(stage, run).to_vec())
        };
        match (step.method, step.budget) {
            (Method::GrowingGram | Method::GrowingQr, Budget::Growth(growth)) => {
                let from = point(from, stage, run);
                stage.grown = true;
                let half_left = std::cell::Cell::new(false);
                let go_on = |seen: &Progress| {
                    if seen.rounds == 2 {
                        half_left.set(2 * seen.gained <= seen.offered);
                    }
                    growth.goes_on(seen.rounds, seen.face, seen.gained, seen.offered)
                };
                let ended = if step.method == Method::GrowingGram {
                    self.grow(&from, &go_on, run)
                } else {
                    self.grow_qr(&from, &go_on, run)
                };
                stage.half_left = half_left.get();
                match ended {
                    Ok(candidate) => Ended::Here(candidate),
                    Err(stood) => self.left_at(stood, stage),
                }
            }
            (Method::GrowingQr, _) if step.when == When::Inexact => {
                match std::mem::replace(&mut stage.exchange, Exchange::NotTried) {
                    Exchange::Inexact(first) => Ended::Here(self.more_exact(first, run)),
                    Exchange::NotTried | Exchange::Failed => Ended::NotTaken,
                }
            }
            (Method::GrowingGram | Method::GrowingQr, _) => {
                let from = point(from, stage, run);
                let end = if step.method == Method::GrowingGram {
                    self.active_set(&from, run)
                } else {
                    self.growing_qr(&from, run)
                };
                // (products cannot reduce a ρ that is only rounding)
                let level = match self.storage() {
                    Storage::Dense => self.exact,
                    Storage::Sparse | Storage::Products => self.tolerance,
                };
                if end.limit.is_some() || self.solves(&end.x, level, run) || self.is_rounding(&end.x, run) {
                    return Ended::Here(end);
                }
                stage.inexact = Some(end.clone());
                Ended::Open(end)
            }
            (Method::SharedGram, _) => {
                let end = self.shared_gram(&point(from, stage, run), run);
                if end.limit.is_some() || (self.adds_up(&end.x) && self.solves(&end.x, self.exact, run)) {
                    return Ended::Here(end);
                }
                run.ended("not exact: the Gram matrix squares the condition number");
                self.left_at(end, stage)
            }
            (Method::BlockExchange, _) => {
                stage.exchange = Exchange::Failed;
                let Some(end) = self.block_exchange(from.as_deref(), run) else {
                    let x = self.at_origin(stage, run);
                    return Ended::Open(Candidate::stopped_at(x, Status::Stalled));
                };
                if end.limit.is_some() || self.solves(&end.x, self.exact, run) {
                    return Ended::Here(end);
                }
                run.ended("it is not exact");
                stage.exchange = Exchange::Inexact(end.clone());
                Ended::Open(end)
            }
            (Method::ProjectedCg, budget) => {
                let from = point(from, stage, run);
                let (target, is_rough) = self.products_target(budget, &from);
                let before = run.passes;
                let (end, how) = self.projected(from, &target, run);
                if end.limit.is_some() || (!is_rough && self.settled(&end, how, run)) {
                    return Ended::Here(end);
                }
                stage.products = (4.0 * (run.passes - before) >= target.passes).then(|| end.x.clone());
                self.left_at(end, stage)
            }
            (Method::CoordinateDescent, budget) => {
                let (patience, is_rough) = match budget {
                    Budget::Sweeps(sweeps) => (sweeps, false),
                    Budget::RoughSweeps(sweeps) => (sweeps, true),
                    _ => (usize::MAX, false),
                };
                let (end, how) = self.descend(point(from, stage, run), patience, run);
                if end.limit.is_some() || (how == Outcome::Converged && !is_rough) {
                    return Ended::Here(end);
                }
                self.left_at(end, stage)
            }
            (Method::WorkingSets, _) => {
                let end = self.working_sets(point(from, stage, run), run);
                self.met_or_left(end, stage, run)
            }
            (Method::LeastDistance, _) => {
                if let Some(x) = from.as_ref().filter(|x| x.iter().any(|v| *v > T::zero()))
                    && self.solves(x, self.tolerance, run)
                {
                    return Ended::Here(Candidate::new(x.clone(), Phase::Start, None));
                }
                let Some(end) = self.least_distance(from.as_deref(), run) else {
                    return Ended::NotTaken;
                };
                match end.limit {
                    None => Ended::Here(end),
                    // (no method continues from a point that misses A x = b)
                    Some(Status::Stalled | Status::NotFinite) => Ended::Open(end),
                    Some(_) => Ended::Here(match stage.here.take() {
                        Some(stood) => self.lower(stood, end, run),
                        None => end,
                    }),
                }
            }
            (Method::LiftedCg, Budget::Moderate) => {
                let Some(end) = self.lift(from.as_deref(), true, run) else {
                    return Ended::NotTaken;
                };
                if end.limit.is_some() {
                    return Ended::Here(end);
                }
                let face = self.snapped(&end.x, run);
                let ended = self.left_at(end, stage);
                stage.face = Some(face);
                ended
            }
            (Method::InteriorPoint | Method::LiftedCg, _) => {
                let next = if step.method == Method::InteriorPoint {
                    self.interior_point(run)
                } else {
                    self.lift(from.as_deref(), false, run)
                };
                let Some(next) = next else {
                    return Ended::NotTaken;
                };
                if next.limit.is_none() && self.solves(&next.x, self.tolerance, run) {
                    return Ended::Here(next);
                }
                stage.inside = Some(next.x.clone());
                let lower = match stage.here.take() {
                    Some(stood) => self.lower(stood, next, run),
                    None => next,
                };
                if lower.limit.is_some() {
                    return Ended::Here(lower);
                }
                self.left_at(lower, stage)
            }
            (Method::AcceleratedGradient, budget) => {
                let most = match budget {
                    Budget::Steps(most) => most,
                    _ => usize::MAX,
                };
                let Some(end) = self.gradients(point(from, stage, run), most, run) else {
                    return Ended::NotTaken;
                };
                let ended = self.met_or_left(end, stage, run);
                if let Ended::Open(end) = &ended
                    && self.storage() == Storage::Products
                {
                    stage.face = Some(self.snapped(&end.x, run));
                }
                ended
            }
        }
    }

    /// Whether ρ at x is no more than its rounding.
    fn is_rounding(&self, x: &[T], run: &mut Run<'_>) -> bool {
        let seen = self.evaluate(x, run);
        let is_rounding = seen.measured.displacement <= seen.measured.lost;
        self.keep(seen);
        is_rounding
    }

    /// The next step may go on from there.
    fn left_at(&self, end: Candidate<T>, stage: &mut Stage<T>) -> Ended<T> {
        stage.here = Some(end.clone());
        stage.face = None;
        Ended::Open(end)
    }

    fn met_or_left(&self, end: Candidate<T>, stage: &mut Stage<T>, run: &mut Run<'_>) -> Ended<T> {
        if end.limit.is_some() || self.solves(&end.x, self.tolerance, run) {
            return Ended::Here(end);
        }
        self.left_at(end, stage)
    }

    /// The target of projected conjugate gradients for a budget, and whether they only have to identify the free coordinates.
    fn products_target(&self, budget: Budget, from: &[T]) -> (Target<T>, bool) {
        let rough = |passes: f64| (self.target(passes).at_least(T::lit(OF_A_FACE)), true);
        match budget {
            Budget::OfFace {
                many,
                to_the_end,
                to_find_it,
            } => {
                let stay = self.inside(from);
                if stay > many {
                    return (self.target(to_the_end), false);
                }
                let gram = (stay * stay) as f64 / from.len() as f64;
                rough((2.0 * gram).min(to_find_it))
            }
            Budget::Rough(passes) => rough(passes),
            budget => (self.target(UNLIMITED).within(budget), false),
        }
    }
}
