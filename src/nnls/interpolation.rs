//! A x = b with x > 0, for wide problems whose data can be interpolated: Newton steps in the metric diag(x)⁻².
//!
//! ```text
//! δ = argmin Σ (δ_j/x_j)²  over  A δ = b − A x      = X² Aᵀ (A X² Aᵀ)⁻¹ (b − A x)
//! ```
//!
//! The least relative change that removes the residual (the metric of affine scaling: Dikin 1967); it is taken whole when it
//! keeps x positive, else nine tenths of the way to the boundary. One m×m factor a step; a start with residual 10⁻² and no coordinate
//! close to zero takes a handful.

use super::block_exchange::solve_lower;
use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::{norm2, not_positive};
use crate::operators::{Dense, LinearOperator};
use crate::solve::{Run, Status};

/// Coordinates below this part of their mean are raised to it before the first step.
const LIFT: f64 = 0.1;
/// Steps shorter than this, three in a row, are not getting anywhere.
const SHORTEST: f64 = 0.15;

/// Moves x to an interpolating point; false when that does not work out, and x is spoilt then.
///
/// # Errors
/// The limit that was hit.
pub(super) fn interpolate<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    a: &Dense<'_, T>,
    b: &[T],
    b_norm: T,
    x: &mut [T],
    run: &mut Run<'_>,
) -> Result<bool, Status> {
    let (m, n) = (a.rows(), a.columns());
    let norms = problem.norms();
    lift(x, norms);
    let mut scaled = vec![T::zero(); m * n];
    let mut factor = vec![T::zero(); m * m];
    let (mut r, mut step) = (vec![T::zero(); m], vec![T::zero(); n]);
    let enough = T::lit(20.0) * T::epsilon() * b_norm;
    let (mut have_factor, mut stuck) = (false, 0);
    let mut last = T::infinity();
    for _ in 0..24 {
        run.iteration()?;
        residual(problem, b, x, &mut r, run);
        let size = norm2(&r);
        if size <= enough {
            return Ok(true);
        }
        // with a factor from nearby the error falls by orders of magnitude, or rounding has been reached
        if have_factor && size > T::lit(0.1) * last {
            return Ok(last <= T::lit(1e3) * enough);
        }
        last = size;
        if !have_factor {
            for (j, column) in scaled.chunks_exact_mut(m).enumerate() {
                a.column(j, column);
                column.iter_mut().for_each(|v| *v *= x[j]);
            }
            // column-major m×n is row-major n×m
            let Ok(transposed) = Dense::row_major(&scaled, n, m) else {
                return Ok(false);
            };
            T::gram(&transposed, &mut factor);
            run.passes += 0.5 * m as f64;
            run.factorisations += 1;
            if !T::cholesky(m, &mut factor) {
                return Ok(false);
            }
        }
        solve_lower(&factor, m, &mut r);
        problem.adjoint(&r, &mut step, run);
        let mut length = T::one();
        for (s, v) in step.iter_mut().zip(x.iter()) {
            *s *= *v * *v;
            if *s < T::zero() && *v < -*s * length {
                length = *v / -*s;
            }
        }
        have_factor = length >= T::one();
        if length < T::one() {
            length *= T::lit(0.9);
            stuck = if length < T::lit(SHORTEST) { stuck + 1 } else { 0 };
            if stuck == 3 || not_positive(length) {
                return Ok(false);
            }
        }
        for (v, s) in x.iter_mut().zip(&step) {
            *v = (*v + length * *s).max(T::zero());
        }
    }
    Ok(false)
}

/// Raises small coordinates to a part of the mean, in column-norm units.
fn lift<T: LinalgScalar>(x: &mut [T], norms: &[T]) {
    let sum: T = x.iter().zip(norms).map(|(v, c)| *v * *c).sum();
    let least = T::lit(LIFT) * sum / T::count(x.len());
    for (v, c) in x.iter_mut().zip(norms) {
        if *c > T::zero() {
            *v = v.max(least / *c);
        }
    }
}

/// r ← b − A x
fn residual<T: LinalgScalar>(problem: &Problem<'_, T>, b: &[T], x: &[T], r: &mut [T], run: &mut Run<'_>) {
    problem.apply(x, r, run);
    for (ri, bi) in r.iter_mut().zip(b) {
        *ri = *bi - *ri;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::testing::Random;

    /// A random wide problem whose data is A x with x > 0 is interpolated from a rough start; one whose data has b < 0 with A > 0
    /// is not, and that is noticed.
    #[test]
    fn interpolates_when_it_can() {
        let (m, n) = (30, 120);
        let mut random = Random::new(5);
        let data: Vec<f64> = random.normals(m * n);
        let positive: Vec<f64> = data.iter().map(|v| v.abs()).collect();
        let truth: Vec<f64> = (0..n).map(|_| 0.1 + random.uniform::<f64>()).collect();
        let a = Dense::column_major(&data, m, n).unwrap();
        let limits = Limits::default();
        let now = crate::clock::Instant::now();
        let mut run = Run::new(&limits, now, now);
        let problem = Problem::new(&a, true).unwrap();
        let mut b = vec![0.0; m];
        problem.apply(&truth, &mut b, &mut run);
        let mut x: Vec<f64> = truth
            .iter()
            .map(|v| v * (0.7 + 0.6 * random.uniform::<f64>()))
            .collect();
        assert_eq!(
            interpolate(&problem, &a, &b, norm2(&b), &mut x, &mut run),
            Ok(true)
        );
        let mut r = vec![0.0; m];
        residual(&problem, &b, &x, &mut r, &mut run);
        assert!(norm2(&r) <= 1e-13 * norm2(&b) && x.iter().all(|v| *v >= 0.0));

        let a = Dense::column_major(&positive, m, n).unwrap();
        let problem = Problem::new(&a, true).unwrap();
        let b = vec![-1.0; m];
        let mut x = vec![1.0; n];
        assert_eq!(
            interpolate(&problem, &a, &b, norm2(&b), &mut x, &mut run),
            Ok(false)
        );
    }
}
