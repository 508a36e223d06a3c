//! A x = b with x > 0, for wide problems whose data can be interpolated: Newton steps in the metric diag(x)⁻².
//!
//! ```text
//! δ = argmin Σ (δ_j/x_j)²  over  A δ = b − A x      = X² Aᵀ (A X² Aᵀ)⁻¹ (b − A x)
//! ```
//!
//! The least relative change that removes the residual (the metric of affine scaling: Dikin 1967); it is taken whole when it
//! keeps x positive, else nine tenths of the way to the boundary. Every metric removes the residual, so that a factor of A Z² Aᵀ from an
//! earlier z is good for the last step; on the way to it, it preconditions the conjugate gradients that solve for δ. Steps that are
//! cut short need no accuracy.

use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::conjugate_gradient::{Buffers, preconditioned};
use crate::linalg::{norm2, not_positive, solve_lower};
use crate::operators::{Dense, LinearOperator};
use crate::solve::{Run, Status};

/// Coordinates below this part of their mean are raised to it before the first step.
const LIFT: f64 = 0.1;
/// Steps shorter than this, three in a row, are not getting anywhere.
const SHORTEST: f64 = 0.15;
/// The accuracy of steps that are cut short, relative to the residual.
const ROUGH: f64 = 0.1;
/// More iterations than this for a step cost about what a factor costs.
const PATIENCE: usize = 24;

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
    // the z of the factor A Z² Aᵀ; far from x both are made anew
    let (mut z, mut stale) = (x.to_vec(), true);
    let (mut r, mut y) = (vec![T::zero(); m], vec![T::zero(); m]);
    let (mut step, mut weighted) = (vec![T::zero(); n], vec![T::zero(); n]);
    let mut buffers = Buffers::default();
    let enough = T::lit(20.0) * T::epsilon() * b_norm;
    let (mut whole, mut stuck) = (false, 0);
    let mut last = T::infinity();
    for _ in 0..40 {
        run.iteration()?;
        residual(problem, b, x, &mut r, run);
        let size = norm2(&r);
        if size <= enough {
            return Ok(true);
        }
        // after a whole step the residual is down by orders of magnitude, or rounding has been reached
        if whole && size > T::lit(0.1) * last {
            return Ok(last <= T::lit(1e3) * enough);
        }
        last = size;
        if std::mem::take(&mut stale) {
            z.copy_from_slice(x);
            for (j, column) in scaled.chunks_exact_mut(m).enumerate() {
                a.column(j, column);
                column.iter_mut().for_each(|v| *v *= z[j]);
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
        // whole in the metric of the factor?
        y.copy_from_slice(&r);
        solve_lower(&factor, m, &mut y);
        problem.adjoint(&y, &mut step, run);
        let mut length = to_boundary(&mut step, &z, x);
        whole = length >= T::one();
        if !whole {
            let mut iterations = 0;
            let product = |v: &[T], out: &mut [T]| {
                iterations += 1;
                problem.adjoint(v, &mut weighted, run);
                weighted.iter_mut().zip(x.iter()).for_each(|(w, x)| *w *= *x * *x);
                problem.apply(&weighted, out, run);
                Ok(())
            };
            let precondition = |r: &[T], z: &mut [T]| {
                z.copy_from_slice(r);
                solve_lower(&factor, m, z);
            };
            let rough = T::lit(ROUGH);
            let ended = preconditioned(product, precondition, &r, &mut y, rough, PATIENCE, &mut buffers);
            if ended.is_err() {
                return Ok(false);
            }
            problem.adjoint(&y, &mut step, run);
            length = T::lit(0.9) * to_boundary(&mut step, x, x).min(T::one());
            stuck = if length < T::lit(SHORTEST) { stuck + 1 } else { 0 };
            if stuck == 3 || not_positive(length) {
                return Ok(false);
            }
            stale = iterations >= PATIENCE;
        }
        for (v, s) in x.iter_mut().zip(&step) {
            *v = (*v + length * *s).max(T::zero());
        }
    }
    Ok(false)
}

/// step ← Z² step; how much of it, 1 at most, keeps x from becoming negative.
fn to_boundary<T: LinalgScalar>(step: &mut [T], z: &[T], x: &[T]) -> T {
    let mut length = T::one();
    for ((s, z), v) in step.iter_mut().zip(z).zip(x) {
        *s *= *z * *z;
        if *s < T::zero() && *v < -*s * length {
            length = *v / -*s;
        }
    }
    length
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
