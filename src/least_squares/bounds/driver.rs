//! From a prepared problem and b to an answer over bounds and a sum: units, and which method runs.

use super::prepared::{Prepared, close_sum};
use super::projected_gradient::projected_gradient;
use crate::clock::Instant;
use crate::least_squares::bounded::{Settings, Strategy};
use crate::least_squares::context::{Candidate, Context, Fallbacks};
use crate::least_squares::driver as non_negative;
use crate::least_squares::nnls::Options;
use crate::least_squares::plan::{MANY_GRADIENTS, Storage, UNLIMITED, plan, sparse_over_bounds};
use crate::least_squares::region::{BoundsAndSum, Region};
use crate::least_squares::verify::Units;
use crate::linalg::scratch::Scratch;
use crate::linalg::{norm2, pow2};
use crate::outcome::{Phase, Run, Solution, Status};
use crate::sets::clip;
use crate::{Error, LinalgScalar, Result};
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
    let units = OfPrepared {
        prepared,
        region: &region,
        unit,
    };
    let by_name = settings.strategy != Strategy::Auto;
    context.answer(|c, run| c.run(settings.strategy, run), by_name, &units, run)
}

struct OfPrepared<'p, 's, 'a, T: LinalgScalar> {
    prepared: &'p Prepared<'s, 'a, T>,
    /// The set in scaled units.
    region: &'p BoundsAndSum<T>,
    unit: T,
}

impl<T: LinalgScalar> Units<T> for OfPrepared<'_, '_, '_, T> {
    fn handed_out(&self, mut x: Vec<T>) -> Result<Vec<T>> {
        let (posed, region) = (&self.prepared.posed, self.region);
        for (j, v) in x.iter_mut().enumerate() {
            let (lo, hi) = (posed.lo[j], posed.hi[j]);
            *v = if self.prepared.norms[j] == T::zero() {
                clip(T::zero(), lo, hi)
            } else if *v <= region.lo[j] {
                lo
            } else if *v >= region.hi[j] {
                hi
            } else {
                clip(*v * self.factor(j) * self.unit, lo, hi)
            };
            if !v.is_finite() {
                return Err(Error::Unrepresentable { index: j });
            }
            if *v == T::zero() {
                *v = T::zero(); // never a negative zero
            }
        }
        close_sum(&mut x, posed.outer().as_ref(), posed.lo, posed.hi);
        Ok(x)
    }
    fn scaled(&self, x: &[T]) -> Scratch<T> {
        let (posed, region) = (&self.prepared.posed, self.region);
        let back = |(j, v): (usize, &T)| {
            if *v == posed.lo[j] {
                region.lo[j]
            } else if *v == posed.hi[j] {
                region.hi[j]
            } else {
                *v / self.factor(j) / self.unit
            }
        };
        x.iter().enumerate().map(back).collect()
    }
    fn factor(&self, j: usize) -> T {
        self.prepared.factor(j)
    }
    fn unit(&self) -> T {
        self.unit
    }
    fn violation(&self, x: &[T]) -> (T, bool) {
        let sum = self.prepared.posed.outer();
        let (gap, size) = sum.map_or((T::zero(), T::zero()), |s| s.gap(x));
        let rounding = T::lit(8.0) * T::epsilon() * T::count(x.len()) * size;
        (gap.abs(), gap.abs() <= rounding)
    }
    fn pairs(&self) -> Option<usize> {
        self.prepared.posed.pairs
    }
}

impl<T: LinalgScalar> Fallbacks<T> for Context<'_, '_, T, BoundsAndSum<T>> {
    fn many_products(&self, from: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        if self.region.sum.is_some() {
            self.gradients(from, MANY_GRADIENTS, run)
        } else {
            self.projected(from, &self.target(UNLIMITED), run).0
        }
    }

    fn may_sharpen(&self, candidate: &Candidate<T>) -> bool {
        candidate.phase == Phase::ProjectedGradient
    }
}

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
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
                .block_exchange(self.start.as_deref(), run)
                .unwrap_or_else(|| still(Some(Status::Stalled))),
            Strategy::ActiveSet => self.growing_qr(&origin, run),
            Strategy::WorkingSet => {
                let steps = sparse_over_bounds(self.region.sum.is_some());
                self.sparse(&steps, origin, run)
            }
            Strategy::ProjectedGradient => self.gradients(origin, usize::MAX, run),
        }
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

    /// max_j c_j |x − P(x − g/c²)|_j
    pub(super) fn displacement(&self, x: &[T], run: &mut Run<'_>) -> T {
        let seen = self.look_at(x, run);
        let displacement = seen.measured.displacement;
        self.keep(seen);
        displacement
    }
}
