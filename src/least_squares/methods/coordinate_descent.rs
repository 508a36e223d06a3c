//! Coordinate descent on the columns, full sweeps alternating with sweeps over the coordinates between their bounds.
//!
//! ```text
//! x_j ← P_j(x_j + a_jᵀ r / ‖a_j‖²),   r ← r − δ a_j      P_j the projection on [lo_j, hi_j], δ the change of x_j
//! ```
//!
//! (Franc, Hlaváč & Navara 2005; the alternation as in Friedman, Hastie & Tibshirani 2010.) One sweep costs two passes
//! over the columns it visits. Converges for every A; fast where columns are nearly orthogonal. Not for a sum: there no single coordinate can
//! move.

use crate::LinalgScalar;
use crate::least_squares::problem::Problem;
use crate::least_squares::region::Region;
use crate::linalg::max_or_nan;
use crate::outcome::{Run, Status};

/// How the descent ended without hitting a limit.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Outcome {
    /// The steps are below the tolerance.
    Converged,
    /// It converges, but slowly: an exact method may be better.
    Slow,
}

/// When sweeps end.
struct Watch<T> {
    tolerance: T,
    patience: f64,
    /// Passes that may be spent.
    budget: f64,
    rounds: usize,
    first: T,
    mark: T,
    since: usize,
}

impl<T: LinalgScalar> Watch<T> {
    /// For steps down to `tolerance`, giving up when it is clear that more than `patience` further sweeps are needed.
    fn new(tolerance: T, patience: usize, run: &Run<'_>) -> Self {
        Self {
            tolerance,
            patience: patience as f64,
            // the patience in passes, if every sweep visits all columns
            budget: run.passes + 2.0 * patience as f64,
            rounds: 0,
            first: T::zero(),
            mark: T::infinity(),
            since: 0,
        }
    }

    /// After a full sweep whose largest step, in column-norm units, was `step`.
    ///
    /// # Errors
    /// `NotFinite` for a step that is NaN.
    fn outcome(&mut self, step: T, run: &Run<'_>) -> Result<Option<Outcome>, Status> {
        if step.is_nan() {
            return Err(Status::NotFinite);
        }
        if step <= self.tolerance {
            return Ok(Some(Outcome::Converged));
        }
        // a tolerance below rounding is never met: then the steps no longer shrink
        if step < T::lit(0.5) * self.mark {
            (self.mark, self.since) = (step, 0);
        } else {
            self.since += 1;
            if self.since > 1000 {
                return Ok(Some(Outcome::Slow));
            }
        }
        if self.rounds == 0 {
            self.first = step;
        }
        let round = self.rounds;
        self.rounds += 1;
        // geometric extrapolation from the whole history: sweeps still needed at the average contraction
        if round >= 4 {
            let contraction = (step / self.first).as_f64().ln() / round as f64;
            let needed = (self.tolerance / step).as_f64().ln() / contraction;
            if contraction >= 0.0 || needed > self.patience || run.passes > self.budget {
                return Ok(Some(Outcome::Slow));
            }
        }
        Ok(None)
    }
}

/// Sweeps from x (feasible, changed in place) until the largest step in column-norm units is at
/// most `tolerance`, or it is clear that this will take more than `patience` further sweeps.
pub(in crate::least_squares) fn coordinate_descent<T: LinalgScalar, R: Region<T>>(
    problem: &Problem<'_, T>,
    region: &R,
    b: &[T],
    x: &mut [T],
    tolerance: T,
    patience: usize,
    run: &mut Run<'_>,
) -> Result<Outcome, Status> {
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
    let mut watch = Watch::new(tolerance, patience, run);
    let mut r = vec![T::zero(); b.len()];
    for round in 0usize.. {
        if round % 50 == 0 {
            // the updated residual accumulates rounding: compute it anew
            problem.apply(x, &mut r, run);
            for (ri, bi) in r.iter_mut().zip(b) {
                *ri = *bi - *ri;
            }
        }
        let step = sweep(&everything, x, &mut r, run)?;
        if let Some(outcome) = watch.outcome(step, run)? {
            return Ok(outcome);
        }
        inside.clear();
        inside.extend(everything.iter().filter(|j| region.is_inside(**j, x[**j])));
        for _ in 0..30 {
            let longest = sweep(&inside, x, &mut r, run)?;
            if longest.is_nan() || longest <= tolerance || longest <= T::lit(0.1) * step {
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
    use crate::least_squares::region::{BoundsAndSum, NonNegative};
    use crate::operators::Dense;
    use crate::testing::Random;

    #[test]
    fn orthogonal_columns_take_one_sweep() {
        let data = [2.0, 0.0, 0.0, 0.0, 3.0, 0.0];
        let a = Dense::column_major(&data, 3, 2).unwrap();
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        let limits = Limits::default();
        let mut run = Run::new(
            &limits,
            crate::clock::Instant::now(),
            crate::clock::Instant::now(),
        );
        let (mut x, b) = (vec![0.0; 2], [4.0, -3.0, 1.0]);
        let outcome = coordinate_descent(&problem, &NonNegative, &b, &mut x, 1e-12, 100, &mut run).unwrap();
        assert_eq!((outcome, x), (Outcome::Converged, vec![2.0, 0.0]));
    }

    /// Steps may circle at rounding for ever, above a tolerance that is below it and yet smaller than the first one.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of sweeps")]
    fn a_tolerance_below_rounding_ends() {
        for seed in 0..50 {
            let mut random = Random::new(seed);
            let (m, n) = (6, 5);
            let entries: Vec<f32> = (0..m * n).map(|_| random.uniform()).collect();
            let a = Dense::column_major(&entries, m, n).unwrap();
            let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
            let region = BoundsAndSum {
                lo: vec![-1.0; n],
                hi: vec![1.0; n],
                sum: None,
            };
            let mut run = Run::unlimited();
            let (mut x, b) = (vec![0.0; n], random.normals(m));
            let patience = usize::MAX;
            let outcome =
                coordinate_descent(&problem, &region, &b, &mut x, 1e-30, patience, &mut run).unwrap();
            assert!(x.iter().all(|x| x.abs() <= 1.0), "{outcome:?} {x:?}");
        }
    }
}
