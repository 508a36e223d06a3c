//! From a prepared problem and b to a certified answer: which method runs, when the next one takes over, and the judgement.

use super::coordinate_descent::{Outcome, coordinate_descent};
use super::dual::Primal;
use super::flow::flow;
use super::nnls::{Options, Strategy};
use super::plan::{self, FEW_SWEEPS, plan};
use super::problem::Problem;
use super::projected_cg::{Ended, Reached, Target, projected_cg};
use super::region::NonNegative;
use super::uniqueness::Known;
use super::working_set::working_set;
use crate::clock::Instant;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{dot, exponent, norm2, pow2, rounding_of_sums, safe_exponent};
use crate::outcome::{Certificate, Phase, Run, Solution, Status, Uniqueness};
use crate::sets::{ConstraintSet, Orthant};
use crate::{Error, LinalgScalar, Result};
use std::cell::{OnceCell, RefCell};

/// A gap above this part of f is large beside it.
pub(crate) const MUCH: f64 = 0.01;

/// The f of a residual of ten times the tolerance: such a b was interpolated as well as was asked for.
pub(crate) fn negligible<T: LinalgScalar>(tolerance: T, b_norm: T) -> T {
    let size = T::lit(10.0) * tolerance * b_norm;
    size * size
}

/// A feasible point on its way to judgement, in scaled units.
pub(super) struct Candidate<T: LinalgScalar> {
    pub(super) x: Vec<T>,
    pub(super) phase: Phase,
    /// The limit that ended the method, if one did.
    pub(super) limit: Option<Status>,
    /// A direction w with Aᵀw > 0 on the face, for the dual bound.
    pub(super) dual: Option<Scratch<T>>,
}

pub(super) fn solve<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    options: &Options<T>,
    clock: Instant,
    first: bool,
) -> Result<Solution<T>> {
    // the first right-hand side pays for the preparation
    let mut run = Run::new(&options.limits, clock, if first { clock } else { Instant::now() });
    if first {
        run.passes += problem.setup_passes;
    }
    // a right-hand side of extreme size is scaled like the columns: exactly
    let size = exponent(norm2(b));
    let shift = if size.unsigned_abs() > safe_exponent::<T>() / 8 {
        size
    } else {
        0
    };
    let shrink = pow2::<T>(-shift);
    let shrunk: Scratch<T>;
    let scaled = if shift == 0 {
        b
    } else {
        shrunk = b.iter().map(|v| *v * shrink).collect();
        &shrunk
    };
    let context = Context {
        problem,
        b: scaled,
        b_norm: norm2(scaled),
        tolerance: options.tolerance,
        exact: (T::lit(5e3) * T::epsilon()).min(options.tolerance),
        start: options.start.as_ref().map(|x| scale_start(problem, x, shift)),
        looked_at: RefCell::new(None),
        correlations: OnceCell::new(),
    };
    let mut candidate = context.run(options.strategy, &mut run);
    candidate = context.refined(candidate, &mut run);
    if options.strategy == Strategy::Auto {
        candidate = context.go_on(candidate, &mut run);
    }
    if candidate.limit.is_some() || !context.holds(&candidate.x, &mut run) || context.is_beyond_zero() {
        candidate = context.best_so_far(candidate, &mut run);
    }
    context.judge(candidate, b, shift, run)
}

/// x in scaled units; a coordinate whose column is zero has no say.
fn scale_start<T: LinalgScalar>(problem: &Problem<'_, T>, x: &[T], shift: i32) -> Vec<T> {
    // a start that overflows in scaled units is no help: zero is
    let finite = |v: T| if v.is_finite() { v } else { T::zero() };
    let scale = |j: usize, v: T| {
        if problem.norms()[j] > T::zero() {
            v / problem.factor(j) * pow2(-shift)
        } else {
            T::zero()
        }
    };
    x.iter().enumerate().map(|(j, v)| finite(scale(j, *v))).collect()
}

pub(super) struct Context<'c, 'a, T: LinalgScalar> {
    pub(super) problem: &'c Problem<'a, T>,
    pub(super) b: &'c [T],
    pub(super) b_norm: T,
    pub(super) tolerance: T,
    /// What an exact method must reach to be believed.
    pub(super) exact: T,
    pub(super) start: Option<Vec<T>>,
    /// The last point whose ρ was computed. The judgement computes nothing twice for the very same point.
    pub(super) looked_at: RefCell<Option<Looked<T>>>,
    /// Aᵀb, once somebody has formed it.
    pub(super) correlations: OnceCell<Scratch<T>>,
}

/// A point in scaled units with b − A x and Aᵀ(A x − b), and what that says.
pub(super) struct Looked<T: LinalgScalar> {
    x: Scratch<T>,
    r: Vec<T>,
    g: Vec<T>,
    /// ρ
    rho: T,
    /// A bound of its rounding error.
    error: T,
    /// r and g were formed in twice the precision.
    twice: bool,
    /// The gap at x, once it was asked for.
    gap: Option<T>,
}

impl<T: LinalgScalar> Context<'_, '_, T> {
    pub(super) fn zero_or_start(&self) -> Vec<T> {
        self.start
            .clone()
            .unwrap_or_else(|| vec![T::zero(); self.problem.columns()])
    }

    /// The decision rule.
    fn run(&self, strategy: Strategy, run: &mut Run<'_>) -> Candidate<T> {
        let origin = |limit| Candidate {
            x: self.zero_or_start(),
            phase: Phase::Start,
            limit,
            dual: None,
        };
        if self.b_norm == T::zero() || self.problem.norms().iter().all(|c| *c == T::zero()) {
            let x = vec![T::zero(); self.problem.columns()];
            return Candidate {
                x,
                phase: Phase::Start,
                limit: None,
                dual: None,
            };
        }
        if let Err(limit) = run.iteration() {
            return origin(Some(limit));
        }
        run.because_by_default(if strategy != Strategy::Auto {
            "asked for by name"
        } else if self.problem.has_columns() {
            "A is sparse"
        } else {
            "only products are known"
        });
        match strategy {
            Strategy::Auto if self.problem.dense().is_some() => {
                let plan = plan(&self.features());
                if self.problem.columns() <= self.problem.rows() {
                    self.tall(&plan, run)
                } else {
                    self.wide(&plan, run)
                }
            }
            Strategy::Auto if self.problem.has_columns() => {
                self.sparse(&plan(&self.features()).steps, false, run)
            }
            Strategy::WorkingSet if self.problem.has_columns() => {
                self.sparse(&plan::sparse(FEW_SWEEPS), true, run)
            }
            Strategy::BlockExchange => self
                .block_exchange(None, run)
                .unwrap_or_else(|| origin(Some(Status::Stalled))),
            Strategy::ActiveSet => self.active_set(&self.zero_or_start(), run),
            Strategy::CoordinateDescent => self.descend(self.zero_or_start(), usize::MAX, run).0,
            Strategy::ProjectedGradients => {
                let target = self.target(f64::INFINITY);
                self.projected(self.zero_or_start(), &target, run).0
            }
            Strategy::LeastDistance => self.interpolated(self.start.as_deref(), run),
            Strategy::InteriorPoint => self.interior(run),
            Strategy::Flow => self.flow_to_tolerance(self.start.as_deref(), run),
            Strategy::Auto | Strategy::WorkingSet => self.products(&plan::products(), run),
        }
    }

    /// Whether x is a solution to the tolerance.
    pub(super) fn holds(&self, x: &[T], run: &mut Run<'_>) -> bool {
        self.b_norm == T::zero() || self.solves(x, self.tolerance, run)
    }

    /// Whether f is larger at the point looked at last than at x = 0: a coarse tolerance calls such points solutions, too.
    fn is_beyond_zero(&self) -> bool {
        let last = self.looked_at.borrow();
        last.as_ref().is_some_and(|seen| norm2(&seen.r) > self.b_norm)
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
        let may_go_on = holds && best.limit.is_none() && self.b_norm > T::zero();
        if may_go_on
            && self.problem.dense().is_some()
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

    /// Continues projected conjugate gradients with a smaller tolerance. The gap is then roughly proportional to the tolerance, so `part` of it
    /// suffices; at the same rate two more digits cost about a quarter of what was spent.
    fn tightened(&self, candidate: &Candidate<T>, part: T, run: &mut Run<'_>) -> Option<Candidate<T>> {
        let whole = self.target(0.25 * run.cost());
        let part = T::lit(0.5) * part;
        let target = Target {
            tolerance: part * whole.tolerance,
            enough: part * whole.tolerance,
            shift: part * whole.shift,
            ..whole
        };
        if candidate.phase != Phase::ProjectedGradient || target.tolerance < T::lit(1e2) * T::epsilon() {
            return None;
        }
        run.because("the duality gap is large relative to f: a smaller tolerance");
        let (next, ended) = self.projected(candidate.x.clone(), &target, run);
        let better = ended == Ended::Converged
            && self.distance(&next.x, run) <= self.distance(&candidate.x, run)
            && self.holds(&next.x, run);
        better.then_some(next)
    }

    /// Where the gap of this solution, looked at last, is large beside f: the part of it that would not be.
    fn leaves_much(&self, candidate: &Candidate<T>, run: &mut Run<'_>) -> Option<T> {
        let mut looked = self.looked_at.take()?;
        let factored = candidate.phase.factors_its_face() && !run.damped;
        let own = candidate.dual.as_ref().map(|w| w.as_slice());
        let known = self.correlations.get().map(|c| c.as_slice());
        let primal = Primal {
            problem: self.problem,
            set: &NonNegative,
            b: self.b,
            x: &looked.x,
            r: &looked.r,
            g: &looked.g,
        };
        let gap = primal.gap(own, known, factored, run);
        let f = T::lit(0.5) * dot(&looked.r, &looked.r);
        looked.gap = Some(gap);
        *self.looked_at.borrow_mut() = Some(looked);
        let much = T::lit(MUCH) * f;
        (gap > much && f > negligible(self.tolerance, self.b_norm)).then(|| much / gap)
    }

    fn working_sets(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        if !self.problem.has_columns() {
            return None;
        }
        run.because("no earlier method met the tolerance");
        Some(self.working_set_from(from.to_vec(), run))
    }

    pub(super) fn working_set_from(&self, mut x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::WorkingSet);
        let outcome = working_set(self.problem, self.b, &mut x, self.b_norm, run);
        Candidate {
            x,
            phase: Phase::WorkingSet,
            limit: outcome.err(),
            dual: None,
        }
    }

    fn many_products(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        run.because("no earlier method met the tolerance");
        Some(self.projected(from.to_vec(), &self.target(1e5), run).0)
    }

    fn many_sweeps(&self, from: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        run.because("no earlier method met the tolerance");
        self.problem
            .has_columns()
            .then(|| self.descend(from.to_vec(), usize::MAX, run).0)
    }

    /// Of two candidates the one with evidence, else the one with the lower f, and what ended the second.
    pub(super) fn better(
        &self,
        first: Candidate<T>,
        second: Candidate<T>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        if self.holds(&second.x, run) {
            return second;
        }
        self.lower(first, second, run)
    }

    /// ‖A x − b‖; +∞ for an x that is no point.
    pub(super) fn distance(&self, x: &[T], run: &mut Run<'_>) -> T {
        let size = norm2(&self.residual_of(x, run));
        if size.is_nan() || x.iter().any(|v| !v.is_finite()) {
            T::infinity()
        } else {
            size
        }
    }

    /// The one with the lower f, and what ended the second.
    pub(super) fn lower(&self, first: Candidate<T>, second: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        if self.distance(&first.x, run) <= self.distance(&second.x, run) {
            Candidate {
                limit: second.limit,
                ..first
            }
        } else {
            second
        }
    }

    /// Stopped early or stalled, the answer is never worse than the start, nor than zero.
    fn best_so_far(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let here = self.distance(&candidate.x, run);
        let origin = self.zero_or_start();
        let at_origin = self.distance(&origin, run);
        if here <= at_origin.min(self.b_norm) {
            candidate
        } else if at_origin <= self.b_norm {
            Candidate {
                x: origin,
                phase: Phase::Start,
                dual: None,
                ..candidate
            }
        } else {
            Candidate {
                x: vec![T::zero(); origin.len()],
                phase: Phase::Start,
                dual: None,
                ..candidate
            }
        }
    }

    /// Coordinate descent until ρ is at most the tolerance, or it turns out too slow.
    pub(super) fn descend(
        &self,
        mut x: Vec<T>,
        patience: usize,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Outcome) {
        run.begin(Phase::CoordinateDescent);
        let done = |x, limit| Candidate {
            x,
            phase: Phase::CoordinateDescent,
            limit,
            dual: None,
        };
        let mut step = T::lit(0.3) * self.tolerance * self.b_norm;
        // the steps bound ρ only up to the coupling of the columns: tighten until ρ itself is there
        for _ in 0..8 {
            match coordinate_descent(
                self.problem,
                &NonNegative,
                self.b,
                &mut x,
                step.max(T::lit(4.0) * T::epsilon() * self.b_norm),
                patience,
                run,
            ) {
                Err(limit) => return (done(x, Some(limit)), Outcome::Slow),
                Ok(Outcome::Slow) => {
                    run.ended("its rate is too slow");
                    return (done(x, None), Outcome::Slow);
                }
                Ok(Outcome::Converged) => {}
            }
            if self.solves(&x, self.tolerance, run) {
                break;
            }
            step *= T::lit(0.1);
        }
        (done(x, None), Outcome::Converged)
    }

    /// The tolerance asked for, with a margin for what is computed afresh in the end.
    pub(super) fn target(&self, passes: f64) -> Target<T> {
        // (ρ is at most tolerance + shift)
        Target {
            tolerance: T::lit(0.45) * self.tolerance,
            enough: T::lit(0.45) * self.tolerance,
            passes,
            sparse_only: false,
            shift: T::lit(0.45) * self.tolerance,
        }
    }

    /// Projected conjugate gradients from x.
    pub(super) fn projected(
        &self,
        mut x: Vec<T>,
        target: &Target<T>,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Ended) {
        run.begin(Phase::ProjectedGradient);
        let known = self.correlations.get().map(|c| c.as_slice());
        let Reached { ended, seen } = projected_cg(
            self.problem,
            self.b,
            None,
            known,
            self.b_norm,
            &mut x,
            target,
            run,
        );
        if let Some((mut r, mut g)) = seen.filter(|_| ended == Ended::Converged) {
            r.iter_mut().chain(&mut g).for_each(|v| *v = -*v);
            self.take_over(&x, &r, &g, run);
        }
        match ended {
            Ended::Budget => run.ended("its budget is spent, or most coordinates stay positive"),
            Ended::Stalled => run.ended("no step decreases f in this precision"),
            Ended::Converged | Ended::Limit(_) => {}
        }
        let candidate = Candidate {
            x,
            phase: Phase::ProjectedGradient,
            limit: match ended {
                Ended::Limit(status) => Some(status),
                _ => None,
            },
            dual: None,
        };
        (candidate, ended)
    }

    /// Whether projected conjugate gradients are the end of it: by a limit, or with a ρ that holds when its residual is formed anew.
    pub(super) fn settled(&self, candidate: &Candidate<T>, ended: Ended, run: &mut Run<'_>) -> bool {
        candidate.limit.is_some()
            || (ended == Ended::Converged && self.solves(&candidate.x, self.tolerance, run))
    }

    /// The flow to the tolerance, from x or its own interior start.
    pub(super) fn flow_to_tolerance(&self, x: Option<&[T]>, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::Flow);
        let reached = flow(self.problem, self.b, self.b_norm, x, self.tolerance, 3000, run);
        self.cut(reached.x, Phase::Flow, reached.limit, run)
    }

    /// Iterates of some methods are interior: coordinates held down by their multiplier become exact zeros when that costs no accuracy.
    pub(super) fn cut(
        &self,
        x: Vec<T>,
        phase: Phase,
        limit: Option<Status>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let p = self.problem;
        if limit.is_some() && run.is_overdue() {
            return Candidate {
                x,
                phase,
                limit,
                dual: None,
            };
        }
        let r = self.residual_of(&x, run);
        let mut g = vec![T::zero(); p.columns()];
        p.adjoint(&r, &mut g, run);
        let norms = p.norms();
        let rounded: Vec<T> = (0..x.len())
            .map(|j| {
                if norms[j] > T::zero() && norms[j] * x[j] > -g[j] / norms[j] {
                    x[j]
                } else {
                    T::zero()
                }
            })
            .collect();
        let (before, after) = (self.rho(&x, run), self.rho(&rounded, run));
        let x = if after <= before.max(self.tolerance) {
            rounded
        } else {
            x
        };
        Candidate {
            x,
            phase,
            limit,
            dual: None,
        }
    }

    /// Aᵀb
    pub(super) fn correlations(&self, run: &mut Run<'_>) -> &[T] {
        self.correlations.get_or_init(|| {
            let mut c: Scratch<T> = scratch::zeros(self.problem.columns());
            self.problem.adjoint(self.b, &mut c, run);
            c
        })
    }

    /// b − A x, of the columns that take part where they are few.
    pub(super) fn residual_of(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let mut r = vec![T::zero(); self.problem.rows()];
        let face: Scratch<usize> = (0..x.len()).filter(|j| x[*j] != T::zero()).collect();
        if 4 * face.len() <= 3 * x.len() {
            let on_face: Scratch<T> = face.iter().map(|j| x[*j]).collect();
            self.problem.combine(&face, &on_face, &mut r, run);
        } else {
            self.problem.apply(x, &mut r, run);
        }
        for (ri, bi) in r.iter_mut().zip(self.b) {
            *ri = *bi - *ri;
        }
        r
    }

    /// b − A x and Aᵀ(A x − b) at x: from two passes, or from two in twice the precision where rounding decides whether ρ is at most the
    /// tolerance.
    fn look_at(&self, x: &[T], run: &mut Run<'_>) -> Looked<T> {
        let last = self.looked_at.take().filter(|seen| *seen.x == x);
        let seen = last.unwrap_or_else(|| self.look_once(x, run));
        let in_doubt = seen.rho - seen.error <= self.tolerance && seen.rho + seen.error > self.tolerance;
        if seen.twice || !in_doubt {
            return seen;
        }
        let Some((r, g)) = self.problem.gradient_twice(self.b, x, run) else {
            return seen;
        };
        let lost = self.problem.rounding_twice(self.size(x), norm2(&r));
        let (rho, error) = self.measure(x, &g, lost);
        Looked {
            r,
            g,
            rho,
            error,
            twice: true,
            gap: None,
            ..seen
        }
    }

    /// ‖b‖ + Σ‖a_j‖ x_j: the size of the terms of b − A x.
    pub(super) fn size(&self, x: &[T]) -> T {
        self.b_norm + dot(self.problem.norms(), x)
    }

    /// ρ from the gradient at x, and a bound of its rounding error, of which `lost` are |δg_j|/‖a_j‖ at most: g ↦ ρ is Lipschitz with
    /// constant 1 in that norm. What c_j and ‖b‖ have lost changes ρ by that share of itself.
    fn measure(&self, x: &[T], g: &[T], lost: T) -> (T, T) {
        let norms = self.problem.norms();
        let rho = Orthant::new(x.len()).natural_residual(x, g, Some(norms)) / self.b_norm;
        (rho, lost / self.b_norm + rounding_of_norms(self.b.len(), rho))
    }

    fn look_once(&self, x: &[T], run: &mut Run<'_>) -> Looked<T> {
        let r = self.residual_of(x, run);
        let mut g = vec![T::zero(); x.len()];
        self.problem.adjoint(&r, &mut g, run);
        // (a product that overflows is no sign of large multipliers)
        let sign = if r.iter().all(|v| v.is_finite()) {
            -T::one()
        } else {
            T::nan()
        };
        g.iter_mut().for_each(|v| *v *= sign);
        self.seen(x, r, g, T::zero())
    }

    /// What r and g = −Aᵀr say about x, both from plain sums, and r off by `apart` beside.
    fn seen(&self, x: &[T], r: Vec<T>, g: Vec<T>, apart: T) -> Looked<T> {
        let lost_in_r = self.problem.rounding_of_residual(support(x), self.size(x)) + apart;
        let lost = lost_in_r + self.problem.rounding_of_adjoint(norm2(&r));
        let (rho, error) = self.measure(x, &g, lost);
        let x = x.iter().copied().collect();
        Looked {
            x,
            r,
            g,
            rho,
            error,
            twice: false,
            gap: None,
        }
    }

    /// A method's own b − A x and Aᵀ(b − A x) at x, taken over if the first is, up to rounding, what it is when formed anew: the second is a
    /// whole pass. (The two belong together: the gap is a bound for an r and its own Aᵀr.)
    pub(super) fn take_over(&self, x: &[T], residual: &[T], prices: &[T], run: &mut Run<'_>) {
        let r = self.residual_of(x, run);
        let apart: Vec<T> = r.iter().zip(residual).map(|(r, p)| *r - *p).collect();
        // (and where terms cancel, so little that ρ is what it would be)
        let room = T::lit(0.25) * rounding_of_sums(r.len().max(x.len()), self.size(x));
        let apart = norm2(&apart);
        if apart <= room.min(T::lit(1e-3) * self.tolerance * self.b_norm) {
            self.looked(x, residual.to_vec(), prices.iter().map(|v| -*v).collect(), apart);
        }
    }

    /// b − A x, off by `apart` from what it is when formed anew, and Aᵀ(A x − b) at x.
    pub(super) fn looked(&self, x: &[T], r: Vec<T>, g: Vec<T>, apart: T) {
        *self.looked_at.borrow_mut() = Some(self.seen(x, r, g, apart));
    }

    /// The natural residual at x.
    pub(super) fn rho(&self, x: &[T], run: &mut Run<'_>) -> T {
        self.evidence(x, run).0
    }

    /// Whether the natural residual at x is at most `level`, and at most the tolerance with all that rounding may have taken from it.
    pub(super) fn solves(&self, x: &[T], level: T, run: &mut Run<'_>) -> bool {
        let (rho, error) = self.evidence(x, run);
        rho <= level && rho + error <= self.tolerance
    }

    /// Whether x may be a solution but for rounding: ρ of plain sums left that open, and twice the precision has not confirmed it.
    pub(super) fn lost_in_rounding(&self, x: &[T], run: &mut Run<'_>) -> bool {
        let seen = self.look_at(x, run);
        let confirmed = seen.rho + seen.error <= self.tolerance;
        let lost = seen.twice && !confirmed;
        *self.looked_at.borrow_mut() = Some(seen);
        lost
    }

    /// ρ at x, and a bound of its rounding error.
    fn evidence(&self, x: &[T], run: &mut Run<'_>) -> (T, T) {
        let seen = self.look_at(x, run);
        run.saw(seen.rho.as_f64());
        let evidence = (seen.rho, seen.error);
        *self.looked_at.borrow_mut() = Some(seen);
        evidence
    }

    pub(super) fn spread(&self, face: &[usize], x: &[T]) -> Vec<T> {
        let mut full = vec![T::zero(); self.problem.columns()];
        for (j, v) in face.iter().zip(x) {
            full[*j] = *v;
        }
        full
    }

    /// The judgement: everything anew from A, b and the x that is handed out, but for what [`take_over`](Self::take_over) has checked.
    fn judge(&self, candidate: Candidate<T>, b: &[T], shift: i32, mut run: Run<'_>) -> Result<Solution<T>> {
        let p = self.problem;
        let n = p.columns();
        let unit = pow2::<T>(shift);
        let mut x = candidate.x;
        let mut failed = false;
        if x.iter().any(|v| !v.is_finite()) {
            // a method that broke down: never hand that out
            x = vec![T::zero(); n];
            failed = true;
        }
        for j in 0..n {
            if x[j] == T::zero() || p.norms()[j] == T::zero() {
                x[j] = T::zero();
                continue;
            }
            x[j] *= p.factor(j) * unit;
            if !x[j].is_finite() {
                return Err(Error::Unrepresentable { index: j });
            }
        }
        // what is judged is what is handed out, rounded: back in scaled units
        let scaled: Scratch<T> = (0..n)
            .map(|j| {
                if x[j] == T::zero() {
                    T::zero()
                } else {
                    x[j] / (p.factor(j) * unit)
                }
            })
            .collect();
        let Looked {
            mut r,
            mut g,
            rho,
            error,
            gap,
            ..
        } = self.look_at(&scaled, &mut run);
        run.saw(rho.as_f64());
        let trace = run.take_trace(candidate.limit);
        let (rho, error) = if self.b_norm == T::zero() {
            // 0 is the answer, and anything else is infinitely far from it in units of b
            if x.iter().all(|v| *v == T::zero()) {
                (T::zero(), T::zero())
            } else {
                (T::infinity(), T::zero())
            }
        } else {
            // a true column of zeros has g_j = 0; a norm stated as 0 for another column must not hide it
            let hidden = (0..n).any(|j| p.norms()[j] == T::zero() && g[j] != T::zero());
            (
                if hidden && !rho.is_nan() {
                    T::infinity()
                } else {
                    rho
                },
                error,
            )
        };
        let half = T::lit(0.5);
        let primal = Primal {
            problem: p,
            set: &NonNegative,
            b: self.b,
            x: &scaled,
            r: &r,
            g: &g,
        };
        let factored = candidate.limit.is_none() && candidate.phase.factors_its_face() && !run.damped;
        let gap = if self.b_norm == T::zero() {
            T::zero()
        } else if let Some(gap) = gap {
            gap
        } else {
            let known = self.correlations.get().map(|c| c.as_slice());
            primal.gap(
                candidate.dual.as_ref().map(|w| w.as_slice()),
                known,
                factored,
                &mut run,
            )
        };
        let status = match candidate.limit {
            _ if rho + error <= self.tolerance => Status::Solved,
            _ if rho.is_nan() => Status::NotFinite,
            Some(limit) if !failed => limit,
            _ => Status::Stalled,
        };
        let uniqueness = if status.is_solved() {
            let known = Known {
                t: T::zero(),
                displacement: rho * self.b_norm,
                factored,
                pairs: None,
            };
            primal.uniqueness(&known, &mut run)
        } else {
            Uniqueness::NotKnown
        };
        g.iter_mut()
            .enumerate()
            .for_each(|(j, v)| *v = *v / p.factor(j) * unit);
        let residual_norm = norm2(&r) * unit;
        r.iter_mut().for_each(|v| *v *= unit);
        debug_assert_eq!(b.len(), r.len());
        let violation = Orthant::new(n).violation(&x);
        Ok(Solution {
            x,
            objective: half * residual_norm * residual_norm,
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

/// What v has lost that was divided by norms of m entries: their sums go by groups of eight, and a root halves the loss.
pub(crate) fn rounding_of_norms<T: LinalgScalar>(m: usize, v: T) -> T {
    rounding_of_sums(m / 8 + 24, v)
}

/// How many coordinates are not zero.
pub(super) fn support<T: LinalgScalar>(x: &[T]) -> usize {
    x.iter().filter(|v| **v > T::zero()).count()
}
