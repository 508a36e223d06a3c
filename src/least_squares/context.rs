//! What all methods of a solve share: the problem, the set, the last evaluated point, and steps that any of them may take.

use super::dual::Primal;
use super::engine::OfSet;
use super::evidence::{Evaluation, Measure};
use super::faces::residual;
use super::methods::coordinate_descent::{Outcome, coordinate_descent};
use super::methods::projected_cg::{Ended, Reached, Target, projected_cg};
use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{dot, max_or_nan, norm2};
use crate::outcome::{Phase, Run, Status};
use std::cell::{OnceCell, RefCell};

/// A gap above this part of f is large beside it.
const MUCH: f64 = 0.01;

/// The f of a residual of ten times the tolerance: with a smaller one b is interpolated as well as was asked for.
fn negligible<T: LinalgScalar>(tolerance: T, size: T) -> T {
    let size = T::lit(10.0) * tolerance * size;
    size * size
}

/// A feasible point on its way to the final verification, in scaled units.
#[derive(Clone)]
pub(super) struct Candidate<T: LinalgScalar> {
    pub(super) x: Vec<T>,
    pub(super) phase: Phase,
    /// The limit that ended the method, if one did.
    pub(super) limit: Option<Status>,
    /// A direction w with Aᵀw of the right sign on the face, for the dual bound.
    pub(super) dual: Option<Scratch<T>>,
}

impl<T: LinalgScalar> Candidate<T> {
    pub(super) fn new(x: Vec<T>, phase: Phase, limit: Option<Status>) -> Self {
        Self {
            x,
            phase,
            limit,
            dual: None,
        }
    }

    /// The point that a method began with, when a limit came before its first step.
    pub(super) fn stopped_at(x: &[T], limit: Status) -> Self {
        Self::new(x.to_vec(), Phase::Start, Some(limit))
    }
}

/// A prepared problem and b, in scaled units.
pub(super) struct Context<'c, 'a, T: LinalgScalar, R> {
    pub(super) problem: &'c Problem<'a, T>,
    pub(super) region: &'c R,
    /// ‖a_j‖; of a column of zeros that takes part in a sum, that of the largest column.
    pub(super) norms: &'c [T],
    /// The factor of the row that is appended to A for a sum, 0 without one.
    pub(super) alpha: T,
    pub(super) b: &'c [T],
    pub(super) b_norm: T,
    pub(super) tolerance: T,
    /// The ρ that an exact method must reach; else another one continues.
    pub(super) exact: T,
    pub(super) start: Option<Vec<T>>,
    /// Whether other right-hand sides share what depends on A alone.
    pub(super) many: bool,
    /// The last point whose ρ was computed. The point verified in the end is nearly always this one, so that costs nothing more.
    pub(super) last_evaluation: RefCell<Option<Evaluation<T>>>,
    /// Aᵀb, once it has been formed.
    pub(super) correlations: OnceCell<Scratch<T>>,
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// If a method has stalled, others continue from the best point so far, until one meets the tolerance. Then, if the gap is large relative to f,
    /// at most as much work as the solve has cost so far is spent to reduce it.
    pub(super) fn go_on(&self, mut best: Candidate<T>, run: &mut Run<'_>) -> Candidate<T>
    where
        Self: OfSet<T>,
    {
        let has_columns = self.problem.has_columns();
        let single_coordinates_move = self.region.sum().is_none();
        let sweeps = |context: &Self, x, run: &mut Run<'_>| context.descend(x, usize::MAX, run).0;
        let mut holds = self.holds(&best.x, run);
        for (method, is_possible) in [
            (Self::working_sets as fn(&_, _, &mut _) -> _, has_columns),
            (Self::many_products, true),
            (sweeps, has_columns && single_coordinates_move),
        ] {
            if holds || best.limit.is_some() {
                break;
            }
            if is_possible {
                run.because("no earlier method met the tolerance");
                let next = method(self, best.x.clone(), run);
                let next = self.refined(next, run);
                best = self.better(best, next, run);
                holds = self.holds(&best.x, run);
            }
        }
        if holds
            && best.limit.is_none()
            && !self.is_trivial()
            && (R::ZERO_OFF_FACE || matches!(best.phase, Phase::ProjectedCg | Phase::AcceleratedGradient))
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

    /// Whether x is a solution to the tolerance.
    pub(super) fn holds(&self, x: &[T], run: &mut Run<'_>) -> bool {
        self.is_trivial() || self.solves(x, self.tolerance, run)
    }

    /// Whether x = 0 is the answer: b = 0 over x ≥ 0.
    pub(super) fn is_trivial(&self) -> bool {
        R::ZERO_OFF_FACE && self.b_norm == T::zero()
    }

    /// max(‖b‖, max ‖a_j x_j‖), the size of the terms of b − A x, which sets the size of its rounding. Over x ≥ 0 it is ‖b‖: a point with much
    /// larger terms is no candidate there.
    pub(super) fn size_of(&self, x: &[T]) -> T {
        if R::ZERO_OFF_FACE {
            return self.b_norm;
        }
        let terms = self.problem.norms().iter().zip(x).map(|(c, v)| (*c * *v).abs());
        self.b_norm.max(max_or_nan(terms))
    }

    /// The unit of ρ: ‖b‖, or max ‖a_j x_j‖ when b = 0.
    pub(super) fn unit_of(&self, x: &[T]) -> T {
        if self.b_norm > T::zero() {
            self.b_norm
        } else {
            self.size_of(x)
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

    /// The start, or a feasible point near zero.
    pub(super) fn origin(&self, run: &mut Run<'_>) -> Vec<T> {
        match &self.start {
            Some(x) => x.clone(),
            None => self.cold_origin(run),
        }
    }

    /// b − A x
    pub(super) fn residual_of(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        self.problem.residual(self.b, x, run)
    }

    /// r ← b − A x, where `face` holds what may differ from zero off its bounds.
    pub(super) fn residual_on(&self, face: &[usize], x: &[T], r: &mut [T], run: &mut Run<'_>) {
        if R::ZERO_OFF_FACE {
            let on_face: Scratch<T> = face.iter().map(|j| x[*j]).collect();
            residual(self.problem, self.b, face, &on_face, r, run);
        } else {
            r.copy_from_slice(&self.residual_of(x, run));
        }
    }

    /// Whether Σ w x = r up to rounding.
    pub(super) fn adds_up(&self, x: &[T]) -> bool {
        let (gap, size) = self.region.lacking(x);
        gap.abs() <= T::lit(1e3) * T::epsilon() * size
    }

    /// ‖A x − b‖; +∞ where x is not finite.
    pub(super) fn distance(&self, x: &[T], run: &mut Run<'_>) -> T {
        let size = norm2(&self.residual_of(x, run));
        if size.is_nan() || x.iter().any(|v| !v.is_finite()) {
            T::infinity()
        } else {
            size
        }
    }

    /// Of two candidates the one that meets the tolerance, else the one with the lower f; with the limit that ended the second.
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

    /// The candidate with the lower f, with the limit that ended the second.
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

    /// If the gap of this solution is large relative to f: the fraction of it that would not be.
    pub(super) fn leaves_much(&self, candidate: &Candidate<T>, run: &mut Run<'_>) -> Option<T> {
        let mut looked = self.evaluate(&candidate.x, run);
        let factored = candidate.phase.factors_its_face() && !run.damped;
        let own = candidate.dual.as_ref().map(|w| w.as_slice());
        let known = self.correlations.get().map(|c| c.as_slice());
        let primal = Primal {
            problem: self.problem,
            set: self.region,
            b: self.b,
            x: &looked.x,
            r: &looked.r,
            g: &looked.g,
            formed: looked.formed,
        };
        let gap = primal.gap(own, known, factored, run);
        let f = T::lit(0.5) * dot(&looked.r, &looked.r);
        looked.gap = Some(gap);
        self.keep(looked);
        let much = T::lit(MUCH) * f;
        let floor = negligible(self.tolerance, self.size_of(&candidate.x));
        (gap > much && f > floor).then(|| much / gap)
    }

    /// Continues projected conjugate gradients with a smaller tolerance. The gap is then roughly proportional to the tolerance, so `part` of it
    /// suffices; at the same rate two more digits cost about a quarter of what was spent.
    pub(super) fn tightened(
        &self,
        candidate: &Candidate<T>,
        part: T,
        run: &mut Run<'_>,
    ) -> Option<Candidate<T>> {
        let whole = self.target(0.25 * run.cost());
        let part = T::lit(0.5) * part;
        let target = Target {
            tolerance: part * whole.tolerance,
            enough: part * whole.tolerance,
            shift: part * whole.shift,
            ..whole
        };
        if candidate.phase != Phase::ProjectedCg
            || self.region.sum().is_some()
            || target.tolerance < T::lit(1e2) * T::epsilon()
        {
            return None;
        }
        run.because("the duality gap is large relative to f: a smaller tolerance");
        let (next, ended) = self.projected(candidate.x.clone(), &target, run);
        let better = ended == Ended::Converged
            && self.distance(&next.x, run) <= self.distance(&candidate.x, run)
            && self.holds(&next.x, run);
        better.then_some(next)
    }

    /// Coordinate descent until ρ is at most the tolerance, or its rate turns out too slow.
    pub(super) fn descend(
        &self,
        mut x: Vec<T>,
        patience: usize,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Outcome) {
        run.begin(Phase::CoordinateDescent);
        let done = |x, limit| Candidate::new(x, Phase::CoordinateDescent, limit);
        let mut part = T::lit(0.3) * self.tolerance;
        // the steps bound ρ only up to the coupling of the columns: tighten until ρ itself is there
        for _ in 0..8 {
            let step = part.max(T::lit(4.0) * T::epsilon()) * self.size_of(&x);
            match coordinate_descent(self.problem, self.region, self.b, &mut x, step, patience, run) {
                Err(limit) => return (done(x, Some(limit)), Outcome::Slow),
                Ok(Outcome::Slow) => {
                    run.ended("its rate is too slow");
                    return (done(x, None), Outcome::Slow);
                }
                Ok(Outcome::Converged) => {}
            }
            if self.solves(&x, self.tolerance, run) {
                return (done(x, None), Outcome::Converged);
            }
            part *= T::lit(0.1);
        }
        run.ended("smaller steps did not bring ρ to the tolerance");
        (done(x, None), Outcome::Slow)
    }

    /// The requested tolerance, with a margin for the residual that is computed anew in the end.
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

    /// Projected conjugate gradients from x; there must be no sum.
    pub(super) fn projected(
        &self,
        mut x: Vec<T>,
        target: &Target<T>,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Ended) {
        run.begin(Phase::ProjectedCg);
        let known = self.correlations.get().map(|c| c.as_slice());
        let unit = self.unit_of(&x);
        let bounds = self.region.bounds();
        let Reached { ended, seen } =
            projected_cg(self.problem, self.b, bounds, known, unit, &mut x, target, run);
        if let Some((mut r, mut g)) = seen.filter(|_| ended == Ended::Converged) {
            r.iter_mut().chain(&mut g).for_each(|v| *v = -*v);
            self.take_over(&x, &r, &g, target.shift * unit, run);
        }
        match ended {
            Ended::Budget => run.ended("its budget is spent, or most coordinates stay positive"),
            Ended::Stalled => run.ended("no step decreases f in this precision"),
            Ended::Converged | Ended::Limit(_) => {}
        }
        let limit = match ended {
            Ended::Limit(status) => Some(status),
            _ => None,
        };
        (Candidate::new(x, Phase::ProjectedCg, limit), ended)
    }

    /// A rough solution of A x = b by conjugate gradients without bounds, cut off at the bounds. If that changes at most 2 % of its entries, it is
    /// continued to the tolerance.
    ///
    /// Projected steps from zero overshoot along a dominant direction. Steps without bounds resolve it in one or two iterations, and where the
    /// solution is interior they find the signs at once.
    pub(super) fn without_bounds(&self, run: &mut Run<'_>) -> Vec<T> {
        run.begin(Phase::ProjectedCg);
        let n = self.problem.columns();
        let (lo, hi) = (vec![T::neg_infinity(); n], vec![T::infinity(); n]);
        let mut x = vec![T::zero(); n];
        let rough = Target {
            tolerance: T::lit(1e-2),
            enough: T::lit(1e-2),
            ..self.target(16.0)
        };
        for target in [rough, self.target(80.0)] {
            let bounds = Some((&lo[..], &hi[..]));
            let (p, unit) = (self.problem, self.b_norm);
            projected_cg(p, self.b, bounds, None, unit, &mut x, &target, run);
            if 50
                * (0..n)
                    .filter(|j| x[*j] < self.region.lower(*j) || x[*j] > self.region.upper(*j))
                    .count()
                > n
            {
                break;
            }
        }
        x.iter_mut()
            .enumerate()
            .for_each(|(j, v)| *v = self.region.clip(j, *v));
        x
    }

    /// The point one projected gradient step further: coordinates on their way to a bound are at it.
    pub(super) fn snapped(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let seen = self.evaluate(x, run);
        let mut out = x.to_vec();
        for (j, v) in out.iter_mut().enumerate() {
            let c = self.norms[j];
            if c > T::zero() {
                let stepped = *v - (seen.g[j] + seen.measured.t * self.region.weight(j)) / c / c;
                if !self.region.is_inside(j, stepped) {
                    *v = self.region.clip(j, stepped);
                }
            }
        }
        self.keep(seen);
        self.region.meet_sum(self.norms, &mut out);
        out
    }

    /// Whether projected conjugate gradients ended the solve: at a limit, or with a ρ that a recomputed residual confirms.
    pub(super) fn settled(&self, candidate: &Candidate<T>, ended: Ended, run: &mut Run<'_>) -> bool {
        candidate.limit.is_some()
            || (ended == Ended::Converged && self.solves(&candidate.x, self.tolerance, run))
    }
}
