//! Solving what was read, as often as asked, and taking the time.

use crate::args::Common;
use crate::error::Failure;
use crate::read::{Bounds, Kind, Matrix, System};
use rayon::prelude::*;
use reparam::operators::{Dense, LinearOperator};
use reparam::{BoundedLeastSquares, CancelToken, Error, Limits, Nnls, Solution};
use std::time::{Duration, Instant};

/// A class of problems: what to do with one matrix. Everything else is the same for all.
pub(crate) trait Class: Sync {
    /// Answers for the right-hand sides, which lie one after the other in `rhs`.
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync;
}

/// Non-negative least squares.
pub(crate) struct NonNegative {
    pub(crate) tolerance: Option<f64>,
}

impl Class for NonNegative {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let mut solver = Nnls::new(a).limits(limits);
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
    pub(crate) tolerance: Option<f64>,
    pub(crate) bounds: Bounds,
}

impl Class for Bounded {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let solver = BoundedLeastSquares::new(a, &self.bounds.lower, &self.bounds.upper);
        answers(solver.limits(limits), self.tolerance, rhs, many)
    }
}

/// Least squares over a simplex.
pub(crate) struct OnSimplex {
    pub(crate) tolerance: Option<f64>,
    pub(crate) radius: f64,
}

impl Class for OnSimplex {
    fn solve<A>(&self, a: &A, rhs: &[f64], many: bool, limits: Limits) -> Result<Vec<Solution<f64>>, Error>
    where
        A: LinearOperator<f64> + Sync,
    {
        let solver = BoundedLeastSquares::simplex(a, self.radius);
        answers(solver.limits(limits), self.tolerance, rhs, many)
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
                solutions.extend(answer.map_err(fail(format!("problem {k}: ")))?);
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

fn view(data: &[f64], rows: usize, columns: usize, column_major: bool) -> Result<Dense<'_, f64>, Error> {
    if column_major {
        Dense::column_major(data, rows, columns)
    } else {
        Dense::row_major(data, rows, columns)
    }
}
