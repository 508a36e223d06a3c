//! Coordinate descent on the columns, full sweeps alternating with sweeps over the support.
//!
//! ```text
//! x_j ← max(0, x_j + a_jᵀ r / ‖a_j‖²),   r ← r − δ a_j
//! ```
//!
//! (Franc, Hlaváč & Navara 2005; the alternation as in Friedman, Hastie & Tibshirani 2010.) One sweep costs two passes
//! over the columns it visits. Converges for every A; fast where columns are nearly orthogonal.

use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::max_or_nan;
use crate::solve::{Run, Status};

/// How the descent ended without hitting a limit.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Outcome {
    /// The steps are below the tolerance.
    Converged,
    /// It converges, but slowly: an exact method may be better.
    Slow,
}

/// Sweeps from x (feasible, changed in place) until the largest step in column-norm units is at
/// most `tolerance`, or it is clear that this will take more than `patience` further sweeps.
pub(super) fn coordinate_descent<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    x: &mut [T],
    tolerance: T,
    patience: usize,
    run: &mut Run<'_>,
) -> Result<Outcome, Status> {
    let n = x.len();
    let norms = problem.norms();
    let everything: Vec<usize> = (0..n).filter(|j| norms[*j] > T::zero()).collect();
    let mut support: Vec<usize> = Vec::with_capacity(n);
    let sweep = |columns: &[usize], x: &mut [T], r: &mut [T], run: &mut Run<'_>| -> Result<T, Status> {
        run.iteration()?;
        run.passes += 2.0 * columns.len() as f64 / n as f64;
        Ok(max_or_nan(columns.iter().map(|j| {
            let c = norms[*j];
            let Some(w) = problem.column_dot(*j, r) else {
                return T::nan();
            };
            let new = (x[*j] + w / (c * c)).max(T::zero());
            let step = new - x[*j];
            if step != T::zero() {
                problem.add_column(*j, -step, r);
                x[*j] = new;
            }
            (step * c).abs()
        })))
    };
    // what that patience is worth when every sweep sees all columns
    let budget = run.passes + 2.0 * patience as f64;
    let mut r = vec![T::zero(); b.len()];
    let (mut first, mut mark, mut since) = (None, T::infinity(), 0);
    for round in 0usize.. {
        if round % 50 == 0 {
            // the updated residual drifts: form it anew
            problem.apply(x, &mut r, run);
            for (ri, bi) in r.iter_mut().zip(b) {
                *ri = *bi - *ri;
            }
        }
        let step = sweep(&everything, x, &mut r, run)?;
        if step.is_nan() {
            return Err(Status::NotFinite);
        }
        if step <= tolerance {
            return Ok(Outcome::Converged);
        }
        // a tolerance below rounding is never met, and the steps say so by not shrinking any more
        if step < T::lit(0.5) * mark {
            (mark, since) = (step, 0);
        } else {
            since += 1;
            if since > 1000 {
                return Ok(Outcome::Slow);
            }
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
        support.clear();
        support.extend(everything.iter().filter(|j| x[**j] > T::zero()));
        for _ in 0..30 {
            let inner = sweep(&support, x, &mut r, run)?;
            if inner.is_nan() || inner <= tolerance || inner <= T::lit(0.1) * step {
                break;
            }
        }
    }
    Ok(Outcome::Slow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::operators::Dense;

    #[test]
    fn orthogonal_columns_take_one_sweep() {
        let data = [2.0, 0.0, 0.0, 0.0, 3.0, 0.0];
        let a = Dense::column_major(&data, 3, 2).unwrap();
        let problem = Problem::new(&a, true).unwrap();
        let limits = Limits::default();
        let mut run = Run::new(
            &limits,
            crate::clock::Instant::now(),
            crate::clock::Instant::now(),
        );
        let (mut x, b) = (vec![0.0; 2], [4.0, -3.0, 1.0]);
        let outcome = coordinate_descent(&problem, &b, &mut x, 1e-12, 100, &mut run).unwrap();
        assert_eq!((outcome, x), (Outcome::Converged, vec![2.0, 0.0]));
    }
}
