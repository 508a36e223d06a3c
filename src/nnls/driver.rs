//! From a prepared problem and b to a certified answer: which method runs, when the next one takes over, and the judgement.

use super::active_set::{Ended as Growth, Pricing, Progress, active_set};
use super::block_exchange::{Exchange, Failure, block_exchange};
use super::coordinate_descent::{Outcome, coordinate_descent};
use super::dual::duality_gap;
use super::face::{Face, QrFace, drop_rounding, residual};
use super::flow::flow;
use super::growing_gram::GrowingGram;
use super::interpolation::interpolate;
use super::problem::Problem;
use super::projected_cg::{Ended, Target, few_products, instead_of_a_gram_matrix, projected_cg};
use super::working_set::{self, working_set};
use super::{Options, Strategy};
use crate::linalg::{dot, exponent, norm2, pow2, safe_exponent};
use crate::sets::{ConstraintSet, Orthant};
use crate::solve::{Certificate, Phase, Run, Solution, Status};
use crate::{Error, LinalgScalar, Result};
use std::cell::RefCell;
use std::time::Instant;

/// A QR factor of more elements than this (800 MB of f64) is not attempted.
const QR_ELEMENTS: usize = 100_000_000;
/// Up to so many columns the Gram matrix of them all costs less than to find out which are needed.
const SMALL_GRAM: usize = 48;
/// From so many columns on projected conjugate gradients are tried before a Gram matrix of them all; with fewer, the active set on
/// a growing factor is as fast and ends at rounding.
const MANY_COLUMNS: usize = 700;
/// With products only, a face of more columns than this is left to the flow first.
const LARGE_FACE: usize = 1000;

/// How the active set on a growing Gram factor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grown {
    Exact,
    /// At the caller's wish, or by a limit.
    GivenUp,
    /// The squared condition number is too much for this precision.
    IllConditioned,
}

/// A feasible point on its way to judgement, in scaled units.
struct Candidate<T> {
    x: Vec<T>,
    phase: Phase,
    /// The limit that ended the method, if one did.
    limit: Option<Status>,
    /// A direction w with Aᵀw > 0 on the face, for the dual bound.
    dual: Option<Vec<T>>,
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
    let scaled: Vec<T> = b.iter().map(|v| *v * pow2(-shift)).collect();
    let context = Context {
        problem,
        b: &scaled,
        b_norm: norm2(&scaled),
        tolerance: options.tolerance,
        exact: (T::lit(5e3) * T::epsilon()).min(options.tolerance),
        start: options.start.as_ref().map(|x| scale_start(problem, x, shift)),
        looked_at: RefCell::new(None),
    };
    let mut candidate = context.run(options.strategy, &mut run);
    if candidate.limit.is_some() {
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

struct Context<'c, 'a, T: LinalgScalar> {
    problem: &'c Problem<'a, T>,
    b: &'c [T],
    b_norm: T,
    tolerance: T,
    /// What an exact method must reach to be believed.
    exact: T,
    start: Option<Vec<T>>,
    /// The last point whose ρ was computed. The judgement computes nothing twice for the very same point.
    looked_at: RefCell<Option<Looked<T>>>,
}

/// A point in scaled units with b − A x and Aᵀ(A x − b).
struct Looked<T> {
    x: Vec<T>,
    r: Vec<T>,
    g: Vec<T>,
}

impl<T: LinalgScalar> Context<'_, '_, T> {
    fn zero_or_start(&self) -> Vec<T> {
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
        match strategy {
            Strategy::Auto if self.problem.dense().is_some() => {
                if self.problem.columns() <= self.problem.rows() {
                    self.dense(run)
                } else {
                    self.wide(run)
                }
            }
            Strategy::Auto | Strategy::WorkingSet if self.problem.has_columns() => self.sparse(strategy, run),
            Strategy::BlockExchange => self
                .block_exchange(None, run)
                .unwrap_or_else(|| origin(Some(Status::Stalled))),
            Strategy::ActiveSet => self.active_set(&self.zero_or_start(), run),
            Strategy::CoordinateDescent => self.descend(self.zero_or_start(), usize::MAX, run).0,
            Strategy::ProjectedGradients => {
                let target = self.target(f64::INFINITY);
                self.projected(self.zero_or_start(), &target, run).0
            }
            Strategy::Flow => self.flow_to_tolerance(self.start.as_deref(), run),
            Strategy::Auto | Strategy::WorkingSet => self.products(run),
        }
    }

    /// The active set while few of the columns that are offered stay: they are correlated, and the face will be small. Then
    /// projected conjugate gradients where they can beat a Gram matrix of all columns; block exchange; the active set from where it
    /// ended when that is not exact.
    fn dense(&self, run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let (m, n) = (p.rows(), p.columns());
        let square = 5 * m < 6 * n;
        let mut products = instead_of_a_gram_matrix(p, MANY_COLUMNS, self.target(0.0));
        if n >= SMALL_GRAM && !p.expects_many() {
            let many = products.is_some();
            let one_direction = std::cell::Cell::new(false);
            let go_on = |seen: &Progress<T>| {
                if seen.rounds == 2 {
                    one_direction.set(2 * seen.gained <= seen.offered);
                }
                let stays = 2 * seen.gained <= seen.offered;
                if square {
                    seen.rounds < 2 || stays
                } else if many {
                    seen.rounds < 4 || stays
                } else {
                    3 * seen.face <= 2 * n
                }
            };
            let (candidate, grown) = self.growing_gram(&self.zero_or_start(), &go_on, run);
            match grown {
                Grown::Exact => return candidate,
                Grown::IllConditioned => return self.growing_qr(&candidate.x, run),
                Grown::GivenUp if candidate.limit.is_some() => return candidate,
                Grown::GivenUp => {}
            }
            if square && one_direction.get() {
                // one dominant singular value, and the rest may be as good as orthogonal: products settle that in a few dozen
                products = few_products(p, MANY_COLUMNS, self.target(0.0));
            }
        }
        let mut guess = None;
        if let Some(target) = products {
            let before = run.passes;
            let (candidate, ended) = self.projected(self.zero_or_start(), &target, run);
            if candidate.limit.is_some() || ended == Ended::Converged {
                return candidate;
            }
            // given up early, most columns stay: the exchange starts from them all
            guess = (run.passes - before >= target.passes).then_some(candidate.x);
        }
        let first = self.block_exchange(guess.as_deref(), run);
        match first {
            Some(candidate) if candidate.limit.is_some() => candidate,
            Some(candidate) => {
                let rho = self.rho(&candidate.x, run);
                if rho <= self.exact {
                    return candidate;
                }
                let second = self.growing_qr(&candidate.x, run);
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
            // as fast as another Gram matrix where that is small, and sure
            None if n < SMALL_GRAM => self.growing_qr(&self.zero_or_start(), run),
            None => self.active_set(&self.zero_or_start(), run),
        }
    }

    /// The active set; where the face would not stay small and b may well be A x for some x > 0, the flow and Newton steps to such an x.
    fn wide(&self, run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let (m, n) = (p.rows(), p.columns());
        let may_interpolate = m >= 128 && 10 * n >= 19 * m && m.saturating_mul(m) <= QR_ELEMENTS;
        let go_on =
            |seen: &Progress<T>| !may_interpolate || 4 * seen.face <= m || 2 * seen.gained <= seen.offered;
        let (candidate, grown) = self.growing_gram(&self.zero_or_start(), &go_on, run);
        match grown {
            Grown::Exact => return candidate,
            Grown::IllConditioned => return self.growing_qr(&candidate.x, run),
            Grown::GivenUp if candidate.limit.is_some() => return candidate,
            Grown::GivenUp => {}
        }
        let reached = flow(p, self.b, self.b_norm, None, T::lit(3e-4), 300, run);
        if let (Some(a), None) = (p.dense(), &reached.limit) {
            let mut x = reached.x;
            match interpolate(p, &a, self.b, self.b_norm, &mut x, run) {
                Ok(true) => {
                    return Candidate {
                        x,
                        phase: Phase::Flow,
                        limit: None,
                        dual: None,
                    };
                }
                Ok(false) => {}
                Err(limit) => {
                    return Candidate {
                        limit: Some(limit),
                        ..candidate
                    };
                }
            }
        }
        self.active_set(&candidate.x, run)
    }

    /// None when the Gram matrix is too ill-conditioned or the signs cycle.
    fn block_exchange(&self, guess: Option<&[T]>, run: &mut Run<'_>) -> Option<Candidate<T>> {
        let p = self.problem;
        let n = p.columns();
        let inside: Vec<bool> = match guess.or(self.start.as_deref()) {
            Some(x) => x.iter().map(|v| *v > T::zero()).collect(),
            None => p.norms().iter().map(|c| *c > T::zero()).collect(),
        };
        let whole;
        let gram: &[T] = match p.gram(run) {
            Some(g) => g,
            None => {
                let everything: Vec<usize> = (0..n).collect();
                let mut g = vec![T::zero(); n * n];
                p.gram_of(&everything, &mut g, run);
                whole = g;
                &whole
            }
        };
        let mut c = vec![T::zero(); n];
        p.adjoint(self.b, &mut c, run);
        match block_exchange(gram, &c, p.norms(), inside, p.whole_factor(gram, run), run) {
            Ok(exchange) => Some(self.refine(&exchange, run)),
            Err(Failure::Limit(status, face, x)) => Some(self.stopped(status, &face, &x, run)),
            Err(Failure::Singular | Failure::Cycling) => None,
        }
    }

    /// Iterative refinement with the residual in A: repairs what the squared condition number of the Gram matrix cost.
    fn refine(&self, exchange: &Exchange<T>, run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let face = &exchange.face;
        let mut x: Vec<T> = exchange.x.iter().map(|v| v.max(T::zero())).collect();
        let mut r = vec![T::zero(); p.rows()];
        let mut delta = vec![T::zero(); face.len()];
        let mut last = T::infinity();
        for _ in 0..4 {
            residual(p, self.b, face, &x, &mut r, run);
            p.combine_adjoint(face, &r, &mut delta, run);
            exchange.solve(&mut delta);
            // in column-norm units, relative to b
            let size =
                crate::linalg::max_or_nan(face.iter().zip(&delta).map(|(j, d)| (p.norms()[*j] * *d).abs()))
                    / self.b_norm;
            let feasible = x.iter().zip(&delta).all(|(v, d)| *v + *d >= T::zero());
            if size.is_nan() || size >= T::lit(0.5) * last || !feasible {
                break;
            }
            x.iter_mut().zip(&delta).for_each(|(v, d)| *v += *d);
            last = size;
        }
        drop_rounding(&mut x, &delta, face.iter().map(|j| p.norms()[*j]), self.b_norm);
        // w = A_F G⁻¹ ν with the column norms ν has A_Fᵀ w = ν > 0
        let mut y: Vec<T> = face.iter().map(|j| p.norms()[*j]).collect();
        exchange.solve(&mut y);
        p.combine(face, &y, &mut r, run);
        Candidate {
            x: self.spread(face, &x),
            phase: Phase::BlockExchange,
            limit: None,
            dual: Some(r),
        }
    }

    /// What an interrupted exchange has to offer: its last solution made feasible, at the best multiple.
    fn stopped(&self, status: Status, face: &[usize], x: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let mut image = vec![T::zero(); p.rows()];
        let mut clipped = self.spread(face, x);
        clipped.iter_mut().for_each(|v| *v = v.max(T::zero()));
        p.apply(&clipped, &mut image, run);
        let multiple = (dot(&image, self.b) / dot(&image, &image)).max(T::zero());
        clipped.iter_mut().for_each(|v| *v *= multiple);
        Candidate {
            x: clipped,
            phase: Phase::BlockExchange,
            limit: Some(status),
            dual: None,
        }
    }

    /// Stopped early, the answer is never worse than the start, nor than zero.
    fn best_so_far(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let objective = |x: &[T], run: &mut Run<'_>| {
            let f = norm2(&self.residual_of(x, run));
            if f.is_nan() || x.iter().any(|v| !v.is_finite()) {
                T::infinity()
            } else {
                f
            }
        };
        let here = objective(&candidate.x, run);
        let origin = self.zero_or_start();
        let at_origin = objective(&origin, run);
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

    /// The active set from a feasible point: on a growing Gram factor, and on a growing QR factor where that is not exact.
    fn active_set(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        match self.growing_gram(from, &|_| true, run) {
            (candidate, Grown::Exact) => candidate,
            (candidate, _) if candidate.limit.is_some() => candidate,
            (candidate, _) => self.growing_qr(&candidate.x, run),
        }
    }

    /// The active set on a growing Gram factor, from a feasible point, for as long as `go_on` says.
    fn growing_gram(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress<T>) -> bool,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Grown) {
        let p = self.problem;
        if !p.has_columns() {
            return (self.started(from, None), Grown::IllConditioned);
        }
        let mut face = GrowingGram::new(p, self.b);
        let mut x = Vec::new();
        let start: Vec<(T, usize)> = (0..from.len())
            .filter(|j| from[*j] > T::zero())
            .map(|j| (from[j], j))
            .collect();
        for pool in start.chunks(50) {
            if let Err(limit) = run.check() {
                return (self.started(from, Some(limit)), Grown::GivenUp);
            }
            face.prepare(pool, run);
            for (v, j) in pool {
                if face.append(*j, run) {
                    x.push(*v);
                }
            }
        }
        if face.gives_up() {
            return (self.started(from, None), Grown::IllConditioned);
        }
        let pricing = Pricing {
            go_on,
            ..self.pricing()
        };
        let outcome = active_set(&mut face, &mut x, &pricing, run);
        let norms: Vec<T> = face.members().iter().map(|j| p.norms()[*j]).collect();
        let candidate = Candidate {
            x: self.spread(face.members(), &x),
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual: Some(face.dual_direction(norms)),
        };
        let grown = match outcome {
            _ if face.gives_up() => Grown::IllConditioned,
            Ok(Growth::Optimal) if self.rho(&candidate.x, run) <= self.exact => Grown::Exact,
            Ok(Growth::Optimal) => Grown::IllConditioned,
            Ok(Growth::GivenUp) | Err(_) => Grown::GivenUp,
        };
        (candidate, grown)
    }

    /// The active set on a growing QR factor, from a feasible point.
    fn growing_qr(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let mut face = QrFace::new(p, self.b);
        let mut x = Vec::new();
        for (j, v) in from.iter().enumerate() {
            // a dependent column is left to the method, which takes it in when it helps
            if *v > T::zero() {
                if let Err(limit) = run.check() {
                    return self.started(from, Some(limit));
                }
                if face.append(j, run) {
                    x.push(*v);
                }
            }
        }
        let outcome = active_set(&mut face, &mut x, &self.pricing(), run);
        let norms: Vec<T> = face.members().iter().map(|j| p.norms()[*j]).collect();
        let dual = Some(face.dual_direction(norms));
        Candidate {
            x: self.spread(face.members(), &x),
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual,
        }
    }

    /// Partial pricing without an end.
    fn pricing(&self) -> Pricing<'_, T> {
        let p = self.problem;
        Pricing {
            norms: p.norms(),
            b_norm: self.b_norm,
            first: if p.rows().saturating_mul(p.columns()) > 5_000_000 {
                32
            } else {
                10
            },
            pool: 64,
            go_on: &|_| true,
        }
    }

    fn started(&self, from: &[T], limit: Option<Status>) -> Candidate<T> {
        Candidate {
            x: from.to_vec(),
            phase: Phase::Start,
            limit,
            dual: None,
        }
    }

    /// Coordinate descent to the end where it is fast; working sets where it slows down and the face is small.
    fn sparse(&self, strategy: Strategy, run: &mut Run<'_>) -> Candidate<T> {
        let rough = if strategy == Strategy::WorkingSet { 10 } else { 60 };
        let (mut candidate, outcome) = self.descend(self.zero_or_start(), rough, run);
        if candidate.limit.is_some() || (outcome == Outcome::Converged && strategy == Strategy::Auto) {
            return candidate;
        }
        // a face that is nearly right saves the exact method most of its rounds
        let hand_over = self.target(1500.0).at_least(T::lit(1e-5));
        candidate = self.projected(candidate.x, &hand_over, run).0;
        if candidate.limit.is_some() {
            return candidate;
        }
        let support = candidate.x.iter().filter(|v| **v > T::zero()).count();
        if support <= working_set::LARGEST / 2 {
            let mut x = candidate.x.clone();
            let outcome = working_set(self.problem, self.b, &mut x, self.b_norm, run);
            let exact = Candidate {
                x,
                phase: Phase::WorkingSet,
                limit: outcome.err(),
                dual: None,
            };
            if exact.limit.is_some() || self.rho(&exact.x, run) <= self.tolerance {
                return exact;
            }
            if self.problem.rows().saturating_mul(support) <= QR_ELEMENTS / 4 {
                return self.active_set(&exact.x, run);
            }
            candidate = exact;
        }
        let (candidate, ended) = self.projected(candidate.x, &self.target(1e5), run);
        if candidate.limit.is_some() || ended == Ended::Converged {
            return candidate;
        }
        self.descend(candidate.x, usize::MAX, run).0
    }

    /// Coordinate descent until ρ is at most the tolerance, or it turns out too slow.
    fn descend(&self, mut x: Vec<T>, patience: usize, run: &mut Run<'_>) -> (Candidate<T>, Outcome) {
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
                self.b,
                &mut x,
                step.max(T::lit(4.0) * T::epsilon() * self.b_norm),
                patience,
                run,
            ) {
                Err(limit) => return (done(x, Some(limit)), Outcome::Slow),
                Ok(Outcome::Slow) => return (done(x, None), Outcome::Slow),
                Ok(Outcome::Converged) => {}
            }
            if self.rho(&x, run) <= self.tolerance {
                break;
            }
            step *= T::lit(0.1);
        }
        (done(x, None), Outcome::Converged)
    }

    /// The tolerance asked for, with a margin for what is computed afresh in the end.
    fn target(&self, passes: f64) -> Target<T> {
        Target {
            tolerance: T::lit(0.5) * self.tolerance,
            enough: T::lit(0.5) * self.tolerance,
            passes,
            sparse_only: false,
        }
    }

    /// Projected conjugate gradients from x.
    fn projected(&self, mut x: Vec<T>, target: &Target<T>, run: &mut Run<'_>) -> (Candidate<T>, Ended) {
        let ended = projected_cg(self.problem, self.b, None, self.b_norm, &mut x, target, run);
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

    /// The flow to a moderate accuracy, then the active set from the face it predicts.
    fn products(&self, run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let moderate = T::epsilon().powf(T::lit(0.4)).max(self.tolerance);
        let reached = flow(p, self.b, self.b_norm, self.start.as_deref(), moderate, 300, run);
        let candidate = |x, limit| Candidate {
            x,
            phase: Phase::Flow,
            limit,
            dual: None,
        };
        if reached.limit.is_some() {
            return candidate(reached.x, reached.limit);
        }
        let norms = p.norms();
        let face: Vec<T> = (0..p.columns())
            .map(|j| {
                if norms[j] * reached.x[j] > reached.g[j] / norms[j] {
                    reached.x[j]
                } else {
                    T::zero()
                }
            })
            .collect();
        let k = face.iter().filter(|v| **v > T::zero()).count();
        // every column of the face costs a product, and the factor m k² operations: with a large face the flow may well
        // get there first
        let large = k > LARGE_FACE;
        let mut flowed = None;
        if large {
            let candidate = self.flow_to_tolerance(Some(&reached.x), run);
            if candidate.limit.is_some() || self.rho(&candidate.x, run) <= self.tolerance {
                return candidate;
            }
            flowed = Some(candidate);
        }
        if p.rows().saturating_mul(k) <= QR_ELEMENTS {
            let exact = self.active_set(&face, run);
            if exact.limit.is_some() || self.rho(&exact.x, run) <= self.tolerance {
                return exact;
            }
        }
        flowed.unwrap_or_else(|| self.flow_to_tolerance(Some(&reached.x), run))
    }

    /// The flow to the tolerance, from x or its own interior start.
    fn flow_to_tolerance(&self, x: Option<&[T]>, run: &mut Run<'_>) -> Candidate<T> {
        let reached = flow(self.problem, self.b, self.b_norm, x, self.tolerance, 3000, run);
        self.cut(reached.x, reached.limit, run)
    }

    /// Every iterate of the flow is interior: coordinates held down by their multiplier become exact zeros when that costs no accuracy.
    fn cut(&self, x: Vec<T>, limit: Option<Status>, run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
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
            phase: Phase::Flow,
            limit,
            dual: None,
        }
    }

    fn residual_of(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let mut r = vec![T::zero(); self.problem.rows()];
        self.problem.apply(x, &mut r, run);
        for (ri, bi) in r.iter_mut().zip(self.b) {
            *ri = *bi - *ri;
        }
        r
    }

    /// b − A x and Aᵀ(A x − b), from two passes.
    fn look_at(&self, x: &[T], run: &mut Run<'_>) -> Looked<T> {
        let r = self.residual_of(x, run);
        let mut g = vec![T::zero(); x.len()];
        self.problem.adjoint(&r, &mut g, run);
        g.iter_mut().for_each(|v| *v = -*v);
        let x = x.to_vec();
        Looked { x, r, g }
    }

    /// The natural residual at x.
    fn rho(&self, x: &[T], run: &mut Run<'_>) -> T {
        let looked = self.look_at(x, run);
        let rho =
            Orthant::new(x.len()).natural_residual(x, &looked.g, Some(self.problem.norms())) / self.b_norm;
        *self.looked_at.borrow_mut() = Some(looked);
        rho
    }

    fn spread(&self, face: &[usize], x: &[T]) -> Vec<T> {
        let mut full = vec![T::zero(); self.problem.columns()];
        for (j, v) in face.iter().zip(x) {
            full[*j] = *v;
        }
        full
    }

    /// The judgement: everything anew from A, b and the x that is handed out.
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
        let scaled: Vec<T> = (0..n)
            .map(|j| {
                if x[j] == T::zero() {
                    T::zero()
                } else {
                    x[j] / (p.factor(j) * unit)
                }
            })
            .collect();
        let last = self.looked_at.take().filter(|seen| seen.x == scaled);
        let Looked { mut r, g, .. } = match last {
            Some(seen) => seen,
            None => self.look_at(&scaled, &mut run),
        };
        let set = Orthant::new(n);
        let rho = if self.b_norm == T::zero() {
            // 0 is the answer, and anything else is infinitely far from it in units of b
            if x.iter().all(|v| *v == T::zero()) {
                T::zero()
            } else {
                T::infinity()
            }
        } else {
            // a true column of zeros has g_j = 0; a norm stated as 0 for another column must not hide it
            let hidden = (0..n).any(|j| p.norms()[j] == T::zero() && g[j] != T::zero());
            let rho = set.natural_residual(&scaled, &g, Some(p.norms())) / self.b_norm;
            if hidden && !rho.is_nan() {
                T::infinity()
            } else {
                rho
            }
        };
        let half = T::lit(0.5);
        let gap = if self.b_norm == T::zero() {
            T::zero()
        } else {
            self.gap(&r, &g, candidate.dual.as_deref(), &mut run)
        };
        let status = match candidate.limit {
            _ if rho <= self.tolerance => Status::Solved,
            _ if rho.is_nan() => Status::NotFinite,
            Some(limit) if !failed => limit,
            _ => Status::Stalled,
        };
        let multipliers: Vec<T> = (0..n).map(|j| g[j] / p.factor(j) * unit).collect();
        let residual_norm = norm2(&r) * unit;
        r.iter_mut().for_each(|v| *v *= unit);
        debug_assert_eq!(b.len(), r.len());
        let violation = set.violation(&x);
        Ok(Solution {
            x,
            objective: half * residual_norm * residual_norm,
            residual: r,
            residual_norm,
            status,
            certificate: Certificate::new(rho, gap * unit * unit, violation, multipliers),
            iterations: run.iterations,
            counts: run.counts(),
            phase: if failed { Phase::Start } else { candidate.phase },
            elapsed: run.elapsed(),
        })
    }

    /// Directions for the dual point, the cheapest first: b (Aᵀb > 0 for non-negative data), the method's own, then 1.
    fn gap(&self, r: &[T], g: &[T], own: Option<&[T]>, run: &mut Run<'_>) -> T {
        let negative: Vec<T> = r.iter().map(|v| -*v).collect();
        let f = T::lit(0.5) * dot(r, r);
        let ones = vec![T::one(); r.len()];
        let mut image = vec![T::zero(); g.len()];
        for w in [own, Some(self.b), Some(&ones[..])].into_iter().flatten() {
            self.problem.adjoint(w, &mut image, run);
            let gap = duality_gap(&negative, g, w, &image, self.b, f);
            if gap < T::infinity() {
                return gap;
            }
        }
        T::infinity()
    }
}
