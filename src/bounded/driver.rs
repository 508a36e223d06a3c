//! From a prepared problem and b to a certified answer: which method runs, when the next one takes over, and the judgement.

use super::active_set::{Pricing, active_set, rounding_of_bound};
use super::block_exchange::{Exchange, Failure, Shifted, State, block_exchange};
use super::certificate::certify;
use super::coordinate_descent::{Outcome, coordinate_descent};
use super::face::{Face, QrFace};
use super::projected_gradient::projected_gradient;
use super::region::{Region, Sum, add};
use super::working_set::{self, working_set};
use super::{Settings, Strategy};
use crate::linalg::{axpy, dot, exponent, max_or_nan, norm2, pow2, safe_exponent};
use crate::nnls::problem::Problem;
use crate::sets::{check_bounds, clip};
use crate::solve::{Certificate, Phase, Run, Solution, Status};
use crate::{Error, LinalgScalar, Result};
use std::cell::OnceCell;
use std::time::Instant;

/// A QR factor of more elements than this (800 MB of f64) is not attempted.
const QR_ELEMENTS: usize = 100_000_000;

/// The set as the caller posed it, checked.
pub(super) struct Posed<'s, T> {
    pub(super) lo: &'s [T],
    pub(super) hi: &'s [T],
    /// r, and which coordinates add up to it.
    pub(super) sum: Option<(T, Vec<bool>)>,
}

/// What depends on A and the set, but not on b.
pub(super) struct Prepared<'p, 'a, T: LinalgScalar> {
    pub(super) problem: Problem<'a, T>,
    pub(super) posed: Posed<'p, T>,
    /// ‖a_j‖ in scaled units; of a column of zeros that takes part in the sum, the largest.
    norms: Vec<T>,
    /// Weights of the sum in scaled units, and the power of two that they are divided by.
    weights: Option<(Vec<T>, T)>,
    /// The factor of the row appended for the sum.
    alpha: T,
    gram: OnceCell<Vec<T>>,
}

/// A feasible point on its way to judgement, in scaled units.
struct Candidate<T> {
    x: Vec<T>,
    phase: Phase,
    /// The limit that ended the method, if one did.
    limit: Option<Status>,
    /// A direction w with Aᵀw of the right sign on the face, for the dual bound.
    dual: Option<Vec<T>>,
}

impl<T: LinalgScalar> Posed<'_, T> {
    /// lo ≤ hi everywhere, and a point between them that adds up to r.
    pub(super) fn check(&self) -> Result<()> {
        for (j, (lo, hi)) in self.lo.iter().zip(self.hi).enumerate() {
            check_bounds(j, *lo, *hi)?;
        }
        let Some((r, part)) = &self.sum else {
            return Ok(());
        };
        if !r.is_finite() {
            return Err(Error::Setting {
                name: "sum",
                why: "must be finite",
            });
        }
        let total = |v: &[T]| {
            let chosen = || v.iter().zip(part).filter(|(_, p)| **p).map(|(v, _)| *v);
            (sum_of(chosen()), r.abs() + chosen().map(|v| v.abs()).sum::<T>())
        };
        // bounds that add up to r in the reals need not do so in floating point
        let rounding = T::lit(8.0) * T::epsilon();
        let (least, size) = total(self.lo);
        if least.is_finite() && least - *r > rounding * size {
            return Err(Error::Infeasible {
                what: "the lower bounds add up to more than the sum",
            });
        }
        let (most, size) = total(self.hi);
        if most.is_finite() && *r - most > rounding * size {
            return Err(Error::Infeasible {
                what: "the upper bounds add up to less than the sum",
            });
        }
        Ok(())
    }
}

impl<'p, 'a, T: LinalgScalar> Prepared<'p, 'a, T> {
    pub(super) fn new(problem: Problem<'a, T>, posed: Posed<'p, T>) -> Self {
        let n = problem.columns();
        let mut norms = problem.norms().to_vec();
        let largest = norms.iter().fold(T::zero(), |m, c| m.max(*c));
        let weights = posed.sum.as_ref().map(|(_, part)| {
            let mut w: Vec<T> = (0..n)
                .map(|j| if part[j] { problem.factor(j) } else { T::zero() })
                .collect();
            let unit = w.iter().fold(T::zero(), |m, v| m.max(*v));
            w.iter_mut().for_each(|v| *v /= unit);
            (w, unit)
        });
        if let Some((w, _)) = &weights {
            for (c, w) in norms.iter_mut().zip(w) {
                if *c == T::zero() && *w > T::zero() {
                    *c = if largest > T::zero() { largest } else { T::one() };
                }
            }
        }
        // of the size of the largest column: smaller, and faces that are independent only by their sum would look dependent
        let alpha = weights.as_ref().map_or(T::zero(), |(w, _)| {
            let per_unit = (0..n).filter(|j| w[*j] > T::zero()).map(|j| norms[j] / w[j]);
            per_unit.fold(T::zero(), T::max)
        });
        Self {
            alpha,
            problem,
            posed,
            norms,
            weights,
            gram: OnceCell::new(),
        }
    }

    /// The Gram matrix of A, with a sum that of A with the row α wᵀ below it. Formed once.
    fn gram(&self, run: &mut Run<'_>) -> &[T] {
        if self.weights.is_none() {
            if let Some(g) = self.problem.gram(run) {
                return g;
            }
        }
        self.gram.get_or_init(|| {
            let n = self.problem.columns();
            let mut g = vec![T::zero(); n * n];
            if let Some(a) = self.problem.dense() {
                run.passes += n as f64;
                T::gram(&a, &mut g);
            } else {
                let everything: Vec<usize> = (0..n).collect();
                self.problem.gram_of(&everything, &mut g, run);
            }
            if let Some((w, _)) = &self.weights {
                for (column, wj) in g.chunks_exact_mut(n).zip(w) {
                    axpy(self.alpha * self.alpha * *wj, w, column);
                }
            }
            g
        })
    }

    /// The set in units in which x = factor · unit · x̂.
    fn region(&self, unit: T) -> Region<T> {
        let scale = |v: &[T]| -> Vec<T> {
            v.iter()
                .enumerate()
                .map(|(j, v)| *v / self.problem.factor(j) / unit)
                .collect()
        };
        Region {
            lo: scale(self.posed.lo),
            hi: scale(self.posed.hi),
            sum: self.weights.as_ref().map(|(w, divisor)| Sum {
                w: w.clone(),
                r: self.posed.sum.as_ref().map_or(T::zero(), |(r, _)| *r) / *divisor / unit,
            }),
        }
    }

    /// The exponent of the largest thing that the problem is about, when that is extreme; 0 otherwise.
    fn shift(&self, b: &[T]) -> i32 {
        let mut size = norm2(b);
        for j in 0..self.norms.len() {
            let (lo, hi) = (self.posed.lo[j], self.posed.hi[j]);
            let nearest = clip(T::zero(), lo, hi).abs() / self.problem.factor(j);
            size = size.max(self.norms[j] * nearest);
        }
        if let (Some((r, _)), Some((w, divisor))) = (&self.posed.sum, &self.weights) {
            // some coordinate carries its share of r
            let least = (0..w.len())
                .filter(|j| w[*j] > T::zero())
                .map(|j| self.norms[j] / w[j])
                .fold(T::infinity(), T::min);
            if least.is_finite() {
                size = size.max(r.abs() / *divisor * least);
            }
        }
        let e = exponent(size);
        if e.unsigned_abs() > safe_exponent::<T>() / 8 {
            e
        } else {
            0
        }
    }
}

pub(super) fn solve<T: LinalgScalar>(
    prepared: &Prepared<'_, '_, T>,
    b: &[T],
    settings: &Settings<T>,
    start: Option<&[T]>,
    clock: Instant,
) -> Result<Solution<T>> {
    let mut run = Run::new(&settings.limits, clock, Instant::now());
    run.passes += prepared.problem.setup_passes;
    let shift = prepared.shift(b);
    let unit = pow2::<T>(shift);
    let scaled: Vec<T> = b.iter().map(|v| *v * pow2(-shift)).collect();
    let region = prepared.region(unit);
    let b_norm = norm2(&scaled);
    let context = Context {
        prepared,
        problem: &prepared.problem,
        region: &region,
        norms: &prepared.norms,
        b: &scaled,
        b_norm,
        tolerance: settings.tolerance,
        exact: (T::lit(5e2) * T::epsilon()).min(settings.tolerance),
        start: start.map(|x| {
            let mut x: Vec<T> = (0..x.len())
                .map(|j| region.clip(j, x[j] / prepared.problem.factor(j) / unit))
                .collect();
            close_sum(&mut x, region.sum.as_ref(), &region.lo, &region.hi);
            x
        }),
    };
    let candidate = context.run(settings.strategy, &mut run);
    context.judge(candidate, b, unit, run)
}

/// Σ v, with the rounding of one addition.
pub(super) fn sum_of<T: LinalgScalar>(values: impl Iterator<Item = T>) -> T {
    let (mut total, mut lost) = (T::zero(), T::zero());
    for v in values {
        add(&mut total, &mut lost, v);
    }
    total + lost
}

/// b − A x
pub(super) fn residual_of<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    x: &[T],
    run: &mut Run<'_>,
) -> Vec<T> {
    let mut r = vec![T::zero(); problem.rows()];
    let support: Vec<usize> = (0..x.len()).filter(|j| x[*j] != T::zero()).collect();
    if 4 * support.len() <= x.len() {
        let values: Vec<T> = support.iter().map(|j| x[*j]).collect();
        problem.combine(&support, &values, &mut r, run);
    } else {
        problem.apply(x, &mut r, run);
    }
    for (ri, bi) in r.iter_mut().zip(b) {
        *ri = *bi - *ri;
    }
    r
}

/// Makes Σ w x = r up to the rounding of x: by the largest coordinates between their bounds, and only where that is not
/// enough by others.
fn close_sum<T: LinalgScalar>(x: &mut [T], sum: Option<&Sum<T>>, lo: &[T], hi: &[T]) {
    let Some(sum) = sum else { return };
    let (gap, _) = sum.gap(x);
    if gap == T::zero() || gap.is_nan() {
        return;
    }
    let part = || (0..x.len()).filter(|j| sum.w[*j] > T::zero() && lo[*j] < hi[*j]);
    let inside = |j: usize| lo[j] < x[j] && x[j] < hi[j];
    let room = |j: usize| sum.w[j] * (x[j] - lo[j]).max(hi[j] - x[j]);
    let mut order: Vec<usize> = part().filter(|j| inside(*j)).collect();
    let mut others: Vec<usize> = part().filter(|j| !inside(*j)).collect();
    let by = |v: &mut Vec<usize>, key: &dyn Fn(usize) -> T| {
        v.sort_by(|i, j| {
            let order = key(*j).partial_cmp(&key(*i));
            order.unwrap_or(std::cmp::Ordering::Equal).then(i.cmp(j))
        });
    };
    by(&mut order, &|j| sum.w[j] * x[j].abs());
    by(&mut others, &room);
    let inner = order.len();
    order.append(&mut others);
    for (k, j) in order.into_iter().enumerate() {
        let (gap, size) = sum.gap(x);
        // small coordinates know their values better than the rounding of the large ones, and what has arrived at a
        // bound stays there unless more than rounding is lacking
        let tolerable = if k < inner { T::one() } else { T::lit(4.0) };
        if k > 0 && gap.abs() <= tolerable * T::epsilon() * size {
            return;
        }
        x[j] = clip(x[j] + gap / sum.w[j], lo[j], hi[j]);
    }
}

struct Context<'c, 'p, 'a, T: LinalgScalar> {
    prepared: &'c Prepared<'p, 'a, T>,
    problem: &'c Problem<'a, T>,
    region: &'c Region<T>,
    norms: &'c [T],
    b: &'c [T],
    b_norm: T,
    tolerance: T,
    /// What an exact method must reach to be believed.
    exact: T,
    start: Option<Vec<T>>,
}

impl<T: LinalgScalar> Context<'_, '_, '_, T> {
    /// The start, or a vertex near zero that pays.
    fn origin(&self, run: &mut Run<'_>) -> Vec<T> {
        if let Some(x) = &self.start {
            return x.clone();
        }
        let zero = self.region.nearest_to_zero();
        if self.region.sum.is_none() {
            return zero;
        }
        let g = self.gradient(&zero, run).1;
        let mut x = self.region.vertex(self.problem.norms(), &g);
        close_sum(&mut x, self.region.sum.as_ref(), &self.region.lo, &self.region.hi);
        x
    }

    /// The decision rule.
    fn run(&self, strategy: Strategy, run: &mut Run<'_>) -> Candidate<T> {
        let origin = self.origin(run);
        let still = |limit| Candidate {
            x: origin.clone(),
            phase: Phase::Start,
            limit,
            dual: None,
        };
        let movable = (0..origin.len()).any(|j| self.norms[j] > T::zero() && !self.region.is_fixed(j));
        let solved = self.b_norm == T::zero()
            && residual_of(self.problem, self.b, &origin, run)
                .iter()
                .all(|v| *v == T::zero());
        if !movable || solved {
            return still(None);
        }
        if let Err(limit) = run.iteration() {
            return still(Some(limit));
        }
        let (m, n) = (self.problem.rows(), self.problem.columns());
        match strategy {
            Strategy::Auto if self.problem.dense().is_some() => {
                if n <= m + usize::from(self.region.sum.is_some()) {
                    self.dense(&origin, run)
                } else {
                    self.active_set(&origin, run)
                }
            }
            Strategy::Auto if self.problem.has_columns() => self.sparse(origin, run),
            Strategy::Auto => self.products(origin, run),
            Strategy::BlockExchange => self
                .block_exchange(&origin, run)
                .unwrap_or_else(|| still(Some(Status::Stalled))),
            Strategy::ActiveSet => self.active_set(&origin, run),
            Strategy::WorkingSet => self.sparse(origin, run),
            Strategy::ProjectedGradient => self.gradients(origin, usize::MAX, run),
        }
    }

    /// Block exchange; the active set from where it ended when that is not exact.
    fn dense(&self, origin: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let first = self.block_exchange(origin, run);
        match first {
            Some(candidate) if candidate.limit.is_some() => candidate,
            Some(candidate) => {
                let rho = self.rho(&candidate.x, run);
                if rho <= self.exact {
                    return candidate;
                }
                let second = self.active_set(&candidate.x, run);
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
            None => self.active_set(origin, run),
        }
    }

    /// None when the Gram matrix is too ill-conditioned or the states cycle.
    fn block_exchange(&self, origin: &[T], run: &mut Run<'_>) -> Option<Candidate<T>> {
        let (p, region) = (self.problem, self.region);
        let n = p.columns();
        let warm = self.start.is_some();
        let states: Vec<State> = (0..n)
            .map(|j| {
                if region.is_fixed(j) || self.norms[j] == T::zero() {
                    State::Fixed
                } else if warm && origin[j] <= region.lo[j] {
                    State::Lower
                } else if warm && origin[j] >= region.hi[j] {
                    State::Upper
                } else {
                    State::Free
                }
            })
            .collect();
        let gram = self.prepared.gram(run);
        let base = region.nearest_to_zero();
        let r = residual_of(p, self.b, &base, run);
        let mut c = vec![T::zero(); n];
        p.adjoint(&r, &mut c, run);
        let shifted = Region {
            lo: region.lo.iter().zip(&base).map(|(l, x)| *l - *x).collect(),
            hi: region.hi.iter().zip(&base).map(|(h, x)| *h - *x).collect(),
            sum: region.sum.as_ref().map(|s| Sum {
                w: s.w.clone(),
                r: s.gap(&base).0,
            }),
        };
        let problem = Shifted {
            gram,
            c: &c,
            norms: self.norms,
            region: &shifted,
            alpha_squared: self.prepared.alpha * self.prepared.alpha,
        };
        match block_exchange(&problem, states, run) {
            Ok(exchange) => {
                let candidate = self.refine(&exchange, &base, run);
                // columns so small that their coordinates are rounding may still be what the sum is made of
                self.adds_up(&candidate.x).then_some(candidate)
            }
            Err(Failure::Limit(status, exchange)) => {
                Some(self.stopped(status, &exchange, &base, origin, run))
            }
            Err(Failure::Singular | Failure::Cycling) => None,
        }
    }

    /// Whether Σ w x = r up to rounding.
    fn adds_up(&self, x: &[T]) -> bool {
        self.region.sum.as_ref().is_none_or(|sum| {
            let (gap, size) = sum.gap(x);
            gap.abs() <= T::lit(1e3) * T::epsilon() * size
        })
    }

    /// x⁰ + z, exactly at the bounds where the exchange says so.
    fn assemble(&self, exchange: &Exchange<T>, base: &[T]) -> Vec<T> {
        let mut x: Vec<T> = (0..base.len())
            .map(|j| match exchange.states[j] {
                State::Lower => self.region.lo[j],
                State::Upper => self.region.hi[j],
                State::Free | State::Fixed => base[j],
            })
            .collect();
        for (j, z) in exchange.face.iter().zip(&exchange.z) {
            if exchange.states[*j] == State::Free {
                x[*j] += *z;
            }
        }
        x
    }

    /// Iterative refinement with the residual in A: repairs what the squared condition number of the Gram matrix cost.
    fn refine(&self, exchange: &Exchange<T>, base: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let (p, region, face) = (self.problem, self.region, &exchange.face);
        let mut x = self.assemble(exchange, base);
        for j in face {
            x[*j] = region.clip(*j, x[*j]);
        }
        let mut delta = vec![T::zero(); face.len()];
        let mut last = T::infinity();
        for _ in 0..4 {
            let r = residual_of(p, self.b, &x, run);
            p.combine_adjoint(face, &r, &mut delta, run);
            let lacking = region.sum.as_ref().map_or(T::zero(), |s| s.gap(&x).0);
            exchange.solve(&mut delta, |j| region.weight(j), lacking);
            // in column-norm units
            let size = max_or_nan(face.iter().zip(&delta).map(|(j, d)| (self.norms[*j] * *d).abs()));
            if size.is_nan() || size >= T::lit(0.5) * last {
                break;
            }
            for (j, d) in face.iter().zip(&delta) {
                x[*j] = region.clip(*j, x[*j] + *d);
            }
            last = size;
        }
        let size = self.size_of(&x);
        for (j, d) in face.iter().zip(&delta) {
            if let Some(bound) = rounding_of_bound(region, *j, x[*j], *d, self.norms[*j], size) {
                x[*j] = bound;
            }
        }
        let dual = self.wants_dual().then(|| {
            let mut v: Vec<T> = face.iter().map(|j| self.dual_sign(*j)).collect();
            exchange.solve_plain(&mut v);
            let mut w = vec![T::zero(); p.rows()];
            p.combine(face, &v, &mut w, run);
            w
        });
        Candidate {
            x,
            phase: Phase::BlockExchange,
            limit: None,
            dual,
        }
    }

    /// The best feasible point that an interrupted exchange has to offer.
    fn stopped(
        &self,
        status: Status,
        exchange: &Exchange<T>,
        base: &[T],
        origin: &[T],
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let mut projected = self.assemble(exchange, base);
        self.region.project(self.norms, &mut projected);
        let objective = |x: &[T], run: &mut Run<'_>| {
            let r = residual_of(self.problem, self.b, x, run);
            dot(&r, &r)
        };
        let here = objective(origin, run);
        if objective(&projected, run) < here {
            Candidate {
                x: projected,
                phase: Phase::BlockExchange,
                limit: Some(status),
                dual: None,
            }
        } else {
            Candidate {
                x: origin.to_vec(),
                phase: Phase::Start,
                limit: Some(status),
                dual: None,
            }
        }
    }

    /// The active set on a growing QR factor, from a feasible point.
    fn active_set(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let (p, region) = (self.problem, self.region);
        let mut face = QrFace::new(p, self.b, region, self.prepared.alpha);
        let mut x = from.to_vec();
        for (j, v) in from.iter().enumerate() {
            if self.norms[j] == T::zero() {
                continue;
            }
            // what rests at zero may stay there until it is priced; what has no bounds is in every face
            let unbounded = region.lo[j] == T::neg_infinity() && region.hi[j] == T::infinity();
            if unbounded || (region.is_inside(j, *v) && *v != T::zero()) {
                // a dependent coordinate is left where it is: it moves when the face has lost what it depends on
                face.append(j, run);
            }
        }
        let elements = p.rows().saturating_mul(p.columns());
        let pricing = Pricing {
            norms: self.norms,
            size: self.size_of(&x),
            pool: if elements > 5_000_000 { 50 } else { 10 },
        };
        let outcome = active_set(&mut face, &mut x, region, &pricing, run);
        let dual = self.wants_dual().then(|| {
            let v = face.members().iter().map(|j| self.dual_sign(*j)).collect();
            face.dual_direction(v)
        });
        Candidate {
            x,
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual,
        }
    }

    /// Coordinate descent to the end where it is fast (without a sum); working sets where it slows down and the face is small.
    fn sparse(&self, origin: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut candidate = if self.region.sum.is_none() {
            let (mut candidate, outcome) = self.descend(origin, 60, run);
            if candidate.limit.is_some() || outcome == Outcome::Converged {
                return candidate;
            }
            // to 3e-5 whatever it takes: a face that is nearly right saves the exact method most of its rounds
            let mut r = residual_of(self.problem, self.b, &candidate.x, run);
            let hand_over = T::lit(3e-5) * self.size_of(&candidate.x);
            let outcome = coordinate_descent(
                self.problem,
                self.region,
                &mut candidate.x,
                &mut r,
                hand_over,
                3000,
                run,
            );
            if let Err(limit) = outcome {
                candidate.limit = Some(limit);
                return candidate;
            }
            candidate
        } else {
            let candidate = self.gradients(origin, 300, run);
            if candidate.limit.is_some() || self.rho(&candidate.x, run) <= self.tolerance {
                return candidate;
            }
            candidate
        };
        let inside = self.inside(&candidate.x);
        if inside <= working_set::LARGEST / 2 {
            let mut x = candidate.x.clone();
            let outcome = working_set(
                self.problem,
                self.b,
                self.region,
                self.norms,
                self.prepared.alpha,
                self.size_of(&x),
                &mut x,
                run,
            );
            let exact = Candidate {
                x,
                phase: Phase::WorkingSet,
                limit: outcome.err(),
                dual: None,
            };
            if exact.limit.is_some() || self.rho(&exact.x, run) <= self.tolerance {
                return exact;
            }
            candidate = exact;
        }
        if self.problem.rows().saturating_mul(self.inside(&candidate.x)) <= QR_ELEMENTS / 4 {
            candidate = self.active_set(&candidate.x, run);
            if candidate.limit.is_some() || self.rho(&candidate.x, run) <= self.tolerance {
                return candidate;
            }
        }
        if self.region.sum.is_none() {
            self.descend(candidate.x, usize::MAX, run).0
        } else {
            self.gradients(candidate.x, usize::MAX, run)
        }
    }

    fn inside(&self, x: &[T]) -> usize {
        (0..x.len()).filter(|j| self.region.is_inside(*j, x[*j])).count()
    }

    /// Coordinate descent until ρ is at most the tolerance, or it turns out too slow.
    fn descend(&self, mut x: Vec<T>, patience: usize, run: &mut Run<'_>) -> (Candidate<T>, Outcome) {
        let done = |x, limit| Candidate {
            x,
            phase: Phase::CoordinateDescent,
            limit,
            dual: None,
        };
        let mut step = T::lit(0.3) * self.tolerance * self.size_of(&x);
        // the steps bound ρ only up to the coupling of the columns: tighten until ρ itself is there
        for _ in 0..8 {
            let mut r = residual_of(self.problem, self.b, &x, run);
            match coordinate_descent(self.problem, self.region, &mut x, &mut r, step, patience, run) {
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

    /// Projected gradients to the tolerance.
    fn gradients(&self, mut x: Vec<T>, most: usize, run: &mut Run<'_>) -> Candidate<T> {
        let target = T::lit(0.5) * self.tolerance * self.unit_of(&x);
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
        if rough.limit.is_some() || self.rho(&rough.x, run) <= self.tolerance {
            return rough;
        }
        let x = self.snapped(&rough.x, run);
        if self.problem.rows().saturating_mul(self.inside(&x)) <= QR_ELEMENTS {
            let exact = self.active_set(&x, run);
            if exact.limit.is_some() || self.rho(&exact.x, run) <= self.tolerance {
                return exact;
            }
        }
        self.gradients(rough.x, usize::MAX, run)
    }

    /// The point one projected gradient step further: coordinates on their way to a bound are at it.
    fn snapped(&self, x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let g = self.gradient(x, run).1;
        let mut e = vec![T::zero(); x.len()];
        self.region.displacement(self.norms, x, &g, &mut e);
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

    /// b − A x and g = Aᵀ(A x − b).
    fn gradient(&self, x: &[T], run: &mut Run<'_>) -> (Vec<T>, Vec<T>) {
        let r = residual_of(self.problem, self.b, x, run);
        let mut g = vec![T::zero(); x.len()];
        self.problem.adjoint(&r, &mut g, run);
        g.iter_mut().for_each(|v| *v = -*v);
        (r, g)
    }

    /// max(‖b‖, max ‖a_j x_j‖): what residuals are formed from, and so the size that rounding has.
    fn size_of(&self, x: &[T]) -> T {
        let p = self.problem.norms();
        self.b_norm
            .max(max_or_nan(p.iter().zip(x).map(|(c, v)| (*c * *v).abs())))
    }

    /// The unit of ρ: ‖b‖, or max ‖a_j x_j‖ when b = 0.
    fn unit_of(&self, x: &[T]) -> T {
        if self.b_norm > T::zero() {
            self.b_norm
        } else {
            self.size_of(x)
        }
    }

    /// The natural residual at x relative to the size of the terms, from two passes: what decides whether a method was exact.
    fn rho(&self, x: &[T], run: &mut Run<'_>) -> T {
        let (_, g) = self.gradient(x, run);
        let mut e = vec![T::zero(); x.len()];
        self.region.displacement(self.norms, x, &g, &mut e);
        let size = self.size_of(x);
        let worst = max_or_nan(e.iter().map(|v| v.abs()));
        if size > T::zero() { worst / size } else { worst }
    }

    /// Whether some coordinate has one infinite bound: a dual point then needs a direction.
    fn wants_dual(&self) -> bool {
        let r = self.region;
        (0..r.dim()).any(|j| {
            !r.is_bounded(j) && (r.weight(j) == T::zero()) && r.lo[j].is_finite() != r.hi[j].is_finite()
        })
    }

    /// ±‖a_j‖ where coordinate j has one infinite bound, on the side where its gradient must be.
    fn dual_sign(&self, j: usize) -> T {
        let r = self.region;
        match (r.lo[j].is_finite(), r.hi[j].is_finite()) {
            (true, false) => self.norms[j],
            (false, true) => -self.norms[j],
            _ => T::zero(),
        }
    }

    /// The judgement: everything anew from A, b and the x that is handed out.
    fn judge(&self, candidate: Candidate<T>, b: &[T], unit: T, mut run: Run<'_>) -> Result<Solution<T>> {
        let (p, region, posed) = (self.problem, self.region, &self.prepared.posed);
        let n = p.columns();
        let mut inner = candidate.x;
        let mut failed = false;
        if inner.iter().any(|v| !v.is_finite()) {
            // a method that broke down: never hand that out
            inner = self.origin(&mut run);
            failed = true;
        }
        let mut x = vec![T::zero(); n];
        for j in 0..n {
            let (lo, hi) = (posed.lo[j], posed.hi[j]);
            x[j] = if self.norms[j] == T::zero() {
                clip(T::zero(), lo, hi)
            } else if inner[j] <= region.lo[j] {
                lo
            } else if inner[j] >= region.hi[j] {
                hi
            } else {
                clip(inner[j] * p.factor(j) * unit, lo, hi)
            };
            if !x[j].is_finite() {
                return Err(Error::Unrepresentable { index: j });
            }
            if x[j] == T::zero() {
                x[j] = T::zero(); // never a negative zero
            }
        }
        let outer = posed.sum.as_ref().map(|(r, part)| Sum {
            w: part
                .iter()
                .map(|p| if *p { T::one() } else { T::zero() })
                .collect(),
            r: *r,
        });
        close_sum(&mut x, outer.as_ref(), posed.lo, posed.hi);
        // what is judged is what is handed out, rounded: back in scaled units
        let scaled: Vec<T> = (0..n)
            .map(|j| {
                if x[j] == posed.lo[j] {
                    region.lo[j]
                } else if x[j] == posed.hi[j] {
                    region.hi[j]
                } else {
                    x[j] / p.factor(j) / unit
                }
            })
            .collect();
        let (mut r, g) = self.gradient(&scaled, &mut run);
        let evidence = certify(
            self.problem,
            region,
            self.norms,
            self.b,
            &scaled,
            &r,
            &g,
            self.size_of(&scaled),
            candidate.dual,
            &mut run,
        );
        let size = self.unit_of(&scaled);
        let rho = if evidence.displacement == T::zero() {
            T::zero()
        } else {
            evidence.displacement / size
        };
        let status = match candidate.limit {
            _ if rho <= self.tolerance => Status::Solved,
            _ if rho.is_nan() => Status::NotFinite,
            Some(limit) if !failed => limit,
            _ => Status::Stalled,
        };
        let multipliers: Vec<T> = (0..n)
            .map(|j| (g[j] + evidence.t * region.weight(j)) / p.factor(j) * unit)
            .collect();
        let residual_norm = norm2(&r) * unit;
        r.iter_mut().for_each(|v| *v *= unit);
        debug_assert_eq!(b.len(), r.len());
        let violation = outer.as_ref().map_or(T::zero(), |s| s.gap(&x).0.abs());
        Ok(Solution {
            x,
            objective: T::lit(0.5) * residual_norm * residual_norm,
            residual: r,
            residual_norm,
            status,
            certificate: Certificate::new(rho, evidence.gap * unit * unit, violation, multipliers),
            iterations: run.iterations,
            counts: run.counts(),
            phase: if failed { Phase::Start } else { candidate.phase },
            elapsed: run.elapsed(),
        })
    }
}
