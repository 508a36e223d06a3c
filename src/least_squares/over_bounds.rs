//! From a prepared problem and b to an answer over bounds and a sum: units, and which method runs.

use super::bounded::Settings;
use super::context::Context;
use super::nnls::Options;
use super::non_negative;
use super::prepared::{Prepared, close_sum};
use super::region::{BoundsAndSum, Region};
use super::verify::Units;
use crate::clock::Instant;
use crate::linalg::scratch::Scratch;
use crate::linalg::{norm2, pow2};
use crate::outcome::{Run, Solution};
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
        last_evaluation: RefCell::new(None),
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
    let method = settings.strategy.method();
    context.answer(|c, run| c.run(method, run), method.is_some(), &units, run)
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
