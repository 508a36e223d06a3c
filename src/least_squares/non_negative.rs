//! From a prepared problem and b to an answer over x ≥ 0: units, and which method runs.

use super::context::{Candidate, Context};
use super::nnls::Options;
use super::problem::Problem;
use super::region::NonNegative;
use super::verify::Units;
use crate::clock::Instant;
use crate::linalg::scratch::Scratch;
use crate::linalg::{exponent, norm2, pow2, safe_exponent};
use crate::outcome::{Phase, Run, Solution, Status};
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
    let mut context = Context {
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
        last_evaluation: RefCell::new(None),
        correlations: OnceCell::new(),
    };
    let units = OfProblem {
        problem,
        unit: pow2(shift),
    };
    let method = options.strategy.method();
    context.answer(|c, run| c.run(method, run), method.is_some(), &units, run)
}

struct OfProblem<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    unit: T,
}

impl<T: LinalgScalar> Units<T> for OfProblem<'_, '_, T> {
    fn handed_out(&self, mut x: Vec<T>) -> Result<Vec<T>> {
        for (j, v) in x.iter_mut().enumerate() {
            if *v == T::zero() || self.problem.norms()[j] == T::zero() {
                *v = T::zero();
                continue;
            }
            *v *= self.problem.factor(j) * self.unit;
            if !v.is_finite() {
                return Err(Error::Unrepresentable { index: j });
            }
        }
        Ok(x)
    }
    fn scaled(&self, x: &[T]) -> Scratch<T> {
        let back = |(j, v): (usize, &T)| {
            if *v == T::zero() {
                T::zero()
            } else {
                *v / (self.problem.factor(j) * self.unit)
            }
        };
        x.iter().enumerate().map(back).collect()
    }
    fn factor(&self, j: usize) -> T {
        self.problem.factor(j)
    }
    fn unit(&self) -> T {
        self.unit
    }
    fn violation(&self, x: &[T]) -> (T, bool) {
        (Orthant::new(x.len()).violation(x), true)
    }
    fn pairs(&self) -> Option<usize> {
        None
    }
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

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
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
            return Candidate::new(x, phase, limit);
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
        Candidate::new(x, phase, limit)
    }
}
