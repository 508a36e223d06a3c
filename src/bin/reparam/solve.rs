//! Solves the problem that was read, as many times as requested, and measures the time.

use crate::args::Common;
use crate::error::Failure;
use crate::read::{Bounds, Kind, Matrix, System};
use rayon::prelude::*;
use reparam::operators::{Dense, LinearOperator};
use reparam::{BoundedLeastSquares, CancelToken, Error, Limits, Nnls, Solution, bounded, nnls};
use std::time::{Duration, Instant};

/// A class of problems: what to do with one matrix. Everything else is the same for all.
pub(crate) trait Class: Sync {
    /// Answers for the right-hand sides, which lie one after the other in `rhs`.
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync;

    /// Lower and upper bounds, where they are data.
    #[cfg(feature = "plot")]
    fn bounds(&self) -> Option<(&[f64], &[f64])> {
        None
    }
}

/// Non-negative least squares.
pub(crate) struct NonNegative {
    pub(crate) strategy: nnls::Strategy,
    pub(crate) tolerance: Option<f64>,
}

impl Class for NonNegative {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let mut solver = Nnls::new(a).strategy(self.strategy).limits(limits);
        if let Some(t) = self.tolerance {
            solver = solver.tolerance(t);
        }
        if many {
            solver.solve_many(rhs)
        } else {
            Ok(vec![solver.solve(rhs)?])
        }
    }
}

/// Least squares between bounds.
pub(crate) struct Bounded {
    pub(crate) strategy: bounded::Strategy,
    pub(crate) tolerance: Option<f64>,
    pub(crate) bounds: Bounds,
}

impl Class for Bounded {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let solver = BoundedLeastSquares::new(a, &self.bounds.lower, &self.bounds.upper);
        answers(
            solver.strategy(self.strategy).limits(limits),
            self.tolerance,
            rhs,
            many,
        )
    }

    #[cfg(feature = "plot")]
    fn bounds(&self) -> Option<(&[f64], &[f64])> {
        Some((&self.bounds.lower, &self.bounds.upper))
    }
}

/// Least squares over a simplex.
pub(crate) struct OnSimplex {
    pub(crate) strategy: bounded::Strategy,
    pub(crate) tolerance: Option<f64>,
    pub(crate) radius: f64,
}

impl Class for OnSimplex {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let solver = BoundedLeastSquares::simplex(a, self.radius);
        answers(
            solver.strategy(self.strategy).limits(limits),
            self.tolerance,
            rhs,
            many,
        )
    }
}

fn answers<A>(
    mut solver: BoundedLeastSquares<'_, f64, A>,
    tolerance: Option<f64>,
    rhs: &[f64],
    many: bool,
) -> Result<Vec<Solution<f64>>, Error>
where
    A: LinearOperator<f64> + Sync,
{
    if let Some(t) = tolerance {
        solver = solver.tolerance(t);
    }
    if many {
        solver.solve_many(rhs)
    } else {
        Ok(vec![solver.solve(rhs)?])
    }
}

/// The answers of the last repeat, and the time of each.
pub(crate) struct Outcome {
    pub(crate) solutions: Vec<Solution<f64>>,
    /// Wall-clock seconds, one per repeat.
    pub(crate) seconds: Vec<f64>,
}

/// Solves the system from scratch `common.repeat` times; an interrupt ends the series.
pub(crate) fn solve(
    system: &System,
    class: &impl Class,
    common: &Common,
    cancel: &CancelToken,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome {
        solutions: Vec::new(),
        seconds: Vec::new(),
    };
    for _ in 0..common.repeat {
        // not left standing while the next solve allocates its own
        outcome.solutions = Vec::new();
        let budget = Budget {
            start: Instant::now(),
            time: common.max_seconds,
            cancel: cancel.clone(),
        };
        outcome.solutions = once(system, class, common, &budget)?;
        outcome.seconds.push(budget.start.elapsed().as_secs_f64());
        if cancel.is_cancelled() {
            break;
        }
    }
    Ok(outcome)
}

/// The limits of one solve; the problems of a batch share its time.
struct Budget {
    start: Instant,
    time: Option<Duration>,
    cancel: CancelToken,
}

impl Budget {
    fn limits(&self) -> Limits {
        Limits {
            iterations: None,
            time: self.time.map(|t| t.saturating_sub(self.start.elapsed())),
            cancel: Some(self.cancel.clone()),
        }
    }
}

fn once(
    system: &System,
    class: &impl Class,
    common: &Common,
    budget: &Budget,
) -> Result<Vec<Solution<f64>>, Failure> {
    let fail = |context: String| {
        move |source: Error| Failure::Solver {
            matrix: common.matrix.clone(),
            rhs: common.rhs.clone(),
            context,
            source: Box::new(source),
        }
    };
    let (rows, columns, rhs) = (system.rows, system.columns, system.rhs.as_slice());
    let many = matches!(system.kind, Kind::Columns(_));
    match (&system.matrix, system.kind) {
        (Matrix::Dense { data, column_major }, Kind::Batch(_)) => {
            let problems = data.par_chunks(rows * columns).zip(rhs.par_chunks(rows));
            let answers: Vec<_> = problems
                .map(|(entries, b)| {
                    let a = view(entries, rows, columns, *column_major)?;
                    class.solve(&a, b, false, budget.limits())
                })
                .collect();
            let mut solutions = Vec::with_capacity(answers.len());
            for (k, answer) in answers.into_iter().enumerate() {
                solutions.extend(answer.map_err(fail(format!("problem {k} (counted from 0): ")))?);
            }
            Ok(solutions)
        }
        (Matrix::Dense { data, column_major }, _) => {
            let a = view(data, rows, columns, *column_major).map_err(fail(String::new()))?;
            class
                .solve(&a, rhs, many, budget.limits())
                .map_err(fail(String::new()))
        }
        (Matrix::Sparse(a), _) => class
            .solve(a, rhs, many, budget.limits())
            .map_err(fail(String::new())),
    }
}

/// The solution of right-hand side `number`, alone.
#[cfg(feature = "plot")]
fn alone(
    system: &System,
    class: &impl Class,
    number: usize,
    limits: Limits,
) -> Result<Vec<Solution<f64>>, Error> {
    let (rows, columns) = (system.rows, system.columns);
    let b = &system.rhs[number * rows..(number + 1) * rows];
    match (&system.matrix, system.kind) {
        (Matrix::Dense { data, column_major }, kind) => {
            let first = match kind {
                Kind::Batch(_) => number * rows * columns,
                Kind::Vector | Kind::Columns(_) => 0,
            };
            let a = view(&data[first..first + rows * columns], rows, columns, *column_major)?;
            class.solve(&a, b, false, limits)
        }
        (Matrix::Sparse(a), _) => class.solve(a, b, false, limits),
    }
}

/// (iterations, ρ) of the answers to right-hand side `number` when at most 0, 1, 2, … iterations are allowed, and of `last`.
///
/// The solvers keep no history, which would cost products with A. Each of these answers is judged as any other; the limits grow
/// by a half each time, and a time limit or an interrupt leaves points out.
#[cfg(feature = "plot")]
pub(crate) fn convergence(
    system: &System,
    class: &impl Class,
    number: usize,
    last: &Solution<f64>,
    common: &Common,
    cancel: &CancelToken,
) -> Result<Vec<(f64, f64)>, Failure> {
    let budget = Budget {
        start: Instant::now(),
        time: common.max_seconds,
        cancel: cancel.clone(),
    };
    let mut out: Vec<(f64, f64)> = Vec::new();
    let mut allowed = 0;
    while allowed < last.iterations {
        let mut limits = budget.limits();
        if cancel.is_cancelled() || limits.time.is_some_and(|t| t.is_zero()) {
            break;
        }
        limits.iterations = Some(allowed);
        let answers = alone(system, class, number, limits).map_err(|source| Failure::Solver {
            matrix: common.matrix.clone(),
            rhs: common.rhs.clone(),
            context: "for the picture: ".into(),
            source: Box::new(source),
        })?;
        for s in answers {
            let at = s.iterations as f64;
            if s.iterations < last.iterations && out.last().is_none_or(|p| p.0 < at) {
                out.push((at, s.certificate.natural_residual));
            }
        }
        allowed += (allowed / 2).max(1);
    }
    out.push((last.iterations as f64, last.certificate.natural_residual));
    Ok(out)
}

fn view(data: &[f64], rows: usize, columns: usize, column_major: bool) -> Result<Dense<'_, f64>, Error> {
    if column_major {
        Dense::column_major(data, rows, columns)
    } else {
        Dense::row_major(data, rows, columns)
    }
}
