//! What the lift is compared with: projected gradients, plain and accelerated; and a counter of products.

use crate::problems::norm;
use nalgebra::DMatrix;
use reparam::operators::{Dense, LinearOperator};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A matrix that counts its products. Methods that read entries get them (and count for themselves).
#[derive(Debug)]
pub(crate) struct Counting<'a> {
    matrix: &'a DMatrix<f64>,
    products: AtomicUsize,
}

impl<'a> Counting<'a> {
    pub(crate) fn new(matrix: &'a DMatrix<f64>) -> Self {
        Self {
            matrix,
            products: AtomicUsize::new(0),
        }
    }

    pub(crate) fn products(&self) -> usize {
        self.products.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.products.fetch_add(1, Ordering::Relaxed);
    }
}

impl LinearOperator<f64> for Counting<'_> {
    fn rows(&self) -> usize {
        self.matrix.nrows()
    }
    fn columns(&self) -> usize {
        self.matrix.ncols()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.count();
        LinearOperator::apply(self.matrix, x, y);
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.count();
        LinearOperator::apply_adjoint(self.matrix, y, x);
    }
    fn column_norms(&self, out: &mut [f64]) -> bool {
        LinearOperator::column_norms(self.matrix, out)
    }
    fn row(&self, i: usize, out: &mut [f64]) -> bool {
        LinearOperator::row(self.matrix, i, out)
    }
    fn dense(&self) -> Option<Dense<'_, f64>> {
        LinearOperator::dense(self.matrix)
    }
}

/// How [`projected_gradient`] runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Descent {
    /// Momentum with gradient restart (Beck & Teboulle 2009; O'Donoghue & Candès 2015).
    pub(crate) accelerated: bool,
    /// Stop when ρ is at most this.
    pub(crate) tolerance: f64,
    pub(crate) steps: usize,
    pub(crate) seconds: f64,
}

#[derive(Debug)]
pub(crate) struct Descended {
    pub(crate) x: Vec<f64>,
    pub(crate) steps: usize,
    /// ρ = max_j |min(‖a_j‖ x_j, g_j/‖a_j‖)| / ‖b‖, as the library's.
    pub(crate) natural_residual: f64,
    pub(crate) seconds: f64,
}

/// Projected gradients with step 1/‖A‖² on ½‖Ax − b‖², x ≥ 0. `watch` sees f wherever a gradient is taken.
pub(crate) fn projected_gradient(
    a: &impl LinearOperator<f64>,
    b: &[f64],
    start: &[f64],
    squared_norm: f64,
    how: Descent,
    mut watch: impl FnMut(f64),
) -> Descended {
    let clock = std::time::Instant::now();
    let (m, n) = (a.rows(), a.columns());
    let (mut r, mut g, mut norms) = (vec![0.0; m], vec![0.0; n], vec![1.0; n]);
    if !a.column_norms(&mut norms) {
        norms.fill(1.0);
    }
    let step = 1.0 / (1.01 * squared_norm); // the norm is estimated from below
    let size = norm(b);
    let (mut x, mut y) = (start.to_vec(), start.to_vec());
    let (mut k, mut since) = (0, 0.0);
    loop {
        a.apply(&y, &mut r);
        r.iter_mut().zip(b).for_each(|(r, b)| *r -= b);
        a.apply_adjoint(&r, &mut g);
        watch(0.5 * r.iter().map(|r| r * r).sum::<f64>());
        // judged where the gradient is known: at y, made feasible by the projection
        let rho = |j: usize| (norms[j] * y[j].max(0.0)).min(g[j] / norms[j]).abs();
        let natural_residual = (0..n).map(rho).fold(0.0, f64::max) / size;
        let seconds = clock.elapsed().as_secs_f64();
        let feasible = y.iter().all(|v| *v >= 0.0);
        if (feasible && natural_residual <= how.tolerance) || k >= how.steps || seconds > how.seconds {
            y.iter_mut().for_each(|v| *v = v.max(0.0));
            return Descended {
                x: y,
                steps: k,
                natural_residual,
                seconds,
            };
        }
        k += 1;
        since += 1.0;
        let momentum = since / (since + 3.0);
        let mut uphill = 0.0;
        for j in 0..n {
            let next = (y[j] - step * g[j]).max(0.0);
            uphill += (y[j] - next) * (next - x[j]);
            y[j] = if how.accelerated {
                next + momentum * (next - x[j])
            } else {
                next
            };
            x[j] = next;
        }
        if uphill > 0.0 && how.accelerated {
            y.copy_from_slice(&x);
            since = 0.0;
        } else if how.accelerated {
            // momentum may leave the set by a little: the gradient there is as good, but what is reported has to be feasible
            y.iter_mut().for_each(|v| *v = v.max(0.0));
        }
    }
}
