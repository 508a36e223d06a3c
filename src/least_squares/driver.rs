//! From a prepared problem and b to a certified answer: which method runs, when the next one takes over, and the judgement.

use super::context::{Candidate, Context, Fallbacks};
use super::dual::Primal;
use super::evidence::Looked;
use super::flow::flow;
use super::nnls::{Options, Strategy};
use super::plan::{self, FEW_SWEEPS, UNLIMITED, plan};
use super::problem::Problem;
use super::region::NonNegative;
use super::uniqueness::Known;
use super::working_set::working_set;
use crate::clock::Instant;
use crate::linalg::scratch::Scratch;
use crate::linalg::{exponent, norm2, pow2, safe_exponent};
use crate::outcome::{Certificate, Phase, Run, Solution, Status, Uniqueness};
use crate::sets::{ConstraintSet, Orthant};
use crate::{Error, LinalgScalar, Result};
use std::cell::{OnceCell, RefCell};

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
        region: &NonNegative,
        norms: problem.norms(),
        alpha: T::zero(),
        many: problem.expects_many(),
        b: scaled,
        b_norm: norm2(scaled),
        tolerance: options.tolerance,
        exact: (T::lit(5e3) * T::epsilon()).min(options.tolerance),
        start: options.start.as_ref().map(|x| scale_start(problem, x, shift)),
        looked_at: RefCell::new(None),
        correlations: OnceCell::new(),
    };
    let mut candidate = context.run(options.strategy, &mut run);
    candidate = context.refined_twice(candidate, &mut run);
    if options.strategy == Strategy::Auto {
        candidate = context.go_on(candidate, &mut run);
    }
    if candidate.limit.is_some() || !context.holds(&candidate.x, &mut run) || context.is_beyond_zero() {
        candidate = context.best_so_far(candidate, &mut run);
    }
    context.judge(candidate, b, shift, run)
}

/// x in scaled units; a coordinate whose column is zero is set to zero.
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

impl<T: LinalgScalar> Fallbacks<T> for Context<'_, '_, T, NonNegative> {
    fn working_sets(&self, x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        self.working_set_from(x, run)
    }

    fn many_products(&self, from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        self.projected(from, &self.target(UNLIMITED), run).0
    }

    fn refined(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        self.refined_twice(candidate, run)
    }

    fn may_sharpen(&self, _candidate: &Candidate<T>) -> bool {
        true
    }
}

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    pub(super) fn zero_or_start(&self) -> Vec<T> {
        self.start
            .clone()
            .unwrap_or_else(|| vec![T::zero(); self.problem.columns()])
    }

    /// Runs the plan, or the method asked for by name.
    fn run(&self, strategy: Strategy, run: &mut Run<'_>) -> Candidate<T> {
        let origin = |limit| Candidate::new(self.zero_or_start(), Phase::Start, limit);
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

    /// Whether f is larger at the point looked at last than at x = 0: a coarse tolerance calls such points solutions, too.
    fn is_beyond_zero(&self) -> bool {
        let last = self.looked_at.borrow();
        last.as_ref().is_some_and(|seen| norm2(&seen.r) > self.b_norm)
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

    pub(super) fn spread(&self, face: &[usize], x: &[T]) -> Vec<T> {
        let mut full = vec![T::zero(); self.problem.columns()];
        for (j, v) in face.iter().zip(x) {
            full[*j] = *v;
        }
        full
    }

    /// Verifies the x that is handed out. Its residual is recomputed unless [`take_over`](Self::take_over) has checked it.
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
        let seen = self.look_at(&scaled, &mut run);
        let (rho, error) = self.rho_of(&seen);
        let Looked {
            mut r,
            mut g,
            gap,
            formed,
            ..
        } = seen;
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
            formed,
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

/// How many coordinates are not zero.
pub(super) fn support<T: LinalgScalar>(x: &[T]) -> usize {
    x.iter().filter(|v| **v > T::zero()).count()
}
