//! Coordinate descent over bounds: full sweeps alternating with sweeps over the coordinates between their bounds.
//!
//! ```text
//! x_j ← clip(x_j + a_jᵀ r / ‖a_j‖²),   r ← r − δ a_j
//! ```
//!
//! One sweep costs two passes over the columns it visits. Converges for every A; fast where columns are nearly orthogonal.
//! Not for a sum: there no single coordinate can move.

use super::region::Region;
use crate::LinalgScalar;
use crate::linalg::max_or_nan;
use crate::nnls::problem::Problem;
use crate::solve::{Run, Status};

/// How the descent ended without hitting a limit.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Outcome {
    /// The steps are below the tolerance.
    Converged,
    /// It converges, but slowly: an exact method may be better.
    Slow,
}

/// Sweeps from x (feasible, changed in place; r = b − A x kept in step) until the largest step in column-norm units is at
/// most `tolerance`, or it is clear that this will take more than `patience` further sweeps.
pub(super) fn coordinate_descent<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    region: &Region<T>,
    x: &mut [T],
    r: &mut [T],
    tolerance: T,
    patience: usize,
    run: &mut Run<'_>,
) -> Result<Outcome, Status> {
    // what that patience is worth when every sweep sees all columns
    let budget = run.passes + 2.0 * patience as f64;
    let n = x.len();
    let norms = problem.norms();
    let everything: Vec<usize> = (0..n)
        .filter(|j| norms[*j] > T::zero() && !region.is_fixed(*j))
        .collect();
    let mut inside: Vec<usize> = Vec::with_capacity(n);
    let sweep = |columns: &[usize], x: &mut [T], r: &mut [T], run: &mut Run<'_>| -> Result<T, Status> {
        run.iteration()?;
        run.passes += 2.0 * columns.len() as f64 / n as f64;
        Ok(max_or_nan(columns.iter().map(|j| {
            let c = norms[*j];
            let Some(w) = problem.column_dot(*j, r) else {
                return T::nan();
            };
            let new = region.clip(*j, x[*j] + w / (c * c));
            let step = new - x[*j];
            if step != T::zero() {
                problem.add_column(*j, -step, r);
                x[*j] = new;
            }
            (step * c).abs()
        })))
    };
    let mut first = None;
    for round in 0usize.. {
        let step = sweep(&everything, x, r, run)?;
        if step.is_nan() {
            return Err(Status::NotFinite);
        }
        if step <= tolerance {
            return Ok(Outcome::Converged);
        }
        let start = *first.get_or_insert(step);
        // geometric extrapolation from the whole history: sweeps still needed at the average contraction
        if round >= 4 {
            let contraction = (step / start).as_f64().ln() / round as f64;
            let needed = (tolerance / step).as_f64().ln() / contraction;
            if contraction >= 0.0 || needed > patience as f64 || run.passes > budget {
                return Ok(Outcome::Slow);
            }
        }
        inside.clear();
        inside.extend(everything.iter().filter(|j| region.is_inside(**j, x[**j])));
        for _ in 0..30 {
            let inner = sweep(&inside, x, r, run)?;
            if inner.is_nan() || inner <= tolerance || inner <= T::lit(0.1) * step {
                break;
            }
        }
    }
    Ok(Outcome::Slow)
}
