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
use crate::nnls::coordinate_descent::{Outcome, Watch};
use crate::nnls::problem::Problem;
use crate::outcome::{Run, Status};

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
    let mut watch = Watch::new(tolerance, patience, run);
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
    loop {
        let step = sweep(&everything, x, r, run)?;
        if let Some(outcome) = watch.look(step, run)? {
            return Ok(outcome);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Dense;
    use crate::testing::Random;

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
            let region = Region {
                lo: vec![-1.0; n],
                hi: vec![1.0; n],
                sum: None,
            };
            let mut run = Run::unlimited();
            let (mut x, mut r) = (vec![0.0; n], random.normals(m));
            let patience = usize::MAX;
            let outcome =
                coordinate_descent(&problem, &region, &mut x, &mut r, 1e-30, patience, &mut run).unwrap();
            assert!(x.iter().all(|x| x.abs() <= 1.0), "{outcome:?} {x:?}");
        }
    }
}
