//! Least squares with a penalty on the distance from a centre, for columns that are linearly dependent in working precision.
//!
//! ```text
//! min ½‖A x − b‖² + ½μ² Σ c_j² (x_j − x̄_j)²        c_j = ‖a_j‖
//! ```
//!
//! is the least-squares problem of A with μ diag(c) below it. Every column then is at a distance of at least μ c_j from the range of the
//! others, so that no face of it has a condition number above 1/μ. At its solution the natural residual of the problem itself is at most
//! μ² max c_j |x_j − x̄_j|/‖b‖, and Σ c_j²(x_j − x̄_j)² at most (‖A x̄ − b‖/μ)². Both together are at most μ‖A x̄ − b‖/‖b‖, so that a μ below the tolerance
//! always ends within it but for rounding, and rounding is ε Σ c_j|x_j|: the least sum of the two is near μ = √ε.

use crate::LinalgScalar;
use crate::least_squares::plan::QR_ELEMENTS;
use crate::least_squares::problem::Problem;
use crate::operators::Dense;
use crate::outcome::Run;

/// A with μ diag(c) below it, and b with μ c x̄.
pub(crate) struct Damped<T> {
    rows: usize,
    columns: usize,
    matrix: Vec<T>,
    pub(crate) b: Vec<T>,
}

/// Steps of the proximal point method: the first from the origin is nearly always enough, and each costs as much.
pub(crate) const STEPS: usize = 8;

impl<T: LinalgScalar> Damped<T> {
    /// None where only products are known, or the matrix would be too large to be written out. `norms` are the c.
    pub(crate) fn new(
        problem: &Problem<'_, T>,
        b: &[T],
        norms: &[T],
        centre: &[T],
        run: &mut Run<'_>,
    ) -> Option<Self> {
        let (m, columns) = (problem.rows(), problem.columns());
        let rows = m + columns;
        if !problem.has_columns() || rows.saturating_mul(columns) > QR_ELEMENTS / 4 {
            return None;
        }
        // where the contributions of damping and of rounding to the residual are equal
        let mu = T::epsilon().sqrt();
        run.damped = true;
        let mut matrix = vec![T::zero(); rows * columns];
        for (j, column) in matrix.chunks_exact_mut(rows).enumerate() {
            problem.column(j, &mut column[..m], run);
            column[m + j] = mu * norms[j];
        }
        let mut b = b.to_vec();
        b.extend(centre.iter().zip(norms).map(|(x, c)| mu * *c * *x));
        Some(Self {
            rows,
            columns,
            matrix,
            b,
        })
    }

    pub(crate) fn matrix(&self) -> crate::Result<Dense<'_, T>> {
        Dense::column_major(&self.matrix, self.rows, self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Stop;

    /// A column of zeros that takes part in a sum gets an entry far below those of the others. The damped problem is in the units of the problem
    /// all the same: its solution is a point of the same set.
    #[test]
    fn nothing_is_scaled() {
        let data = [0.01_f32, 0.0, 0.0, 0.01, 0.0, 0.0];
        let a = Dense::column_major(&data, 2, 3).unwrap();
        let problem = Problem::new(&a, true, Stop::never()).unwrap();
        let norms = [0.01, 0.01, 0.01];
        let damped = Damped::new(&problem, &[1.0, 1.0], &norms, &[0.0; 3], &mut Run::unlimited()).unwrap();
        let matrix = damped.matrix().unwrap();
        let scaled = Problem::new(&matrix, true, Stop::never()).unwrap();
        assert_ne!(scaled.factor(0), 1.0);
        let problem = Problem::in_its_units(matrix);
        assert!((0..3).all(|j| problem.factor(j) == 1.0));
        assert_eq!(problem.norms()[2], f32::EPSILON.sqrt() * 0.01);
    }
}
