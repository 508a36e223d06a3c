//! TNT-NN, the active-set method of the paper's comparison.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) x: Vec<f64>,
    /// Least-squares problems solved.
    pub(crate) solves: usize,
}

struct Solver<'a> {
    a: &'a DMatrix<f64>,
    b: DVector<f64>,
    gram: DMatrix<f64>,
    /// What is added to the diagonal of a Gram matrix that is not positive definite to rounding.
    shift: f64,
    solves: usize,
    clock: Instant,
    seconds: f64,
}

/// A feasible point: the free and the bound indices, x, b − A x and its norm.
#[derive(Clone)]
struct Point {
    free: Vec<usize>,
    bound: Vec<usize>,
    x: DVector<f64>,
    residual: DVector<f64>,
    score: f64,
}

/// min ‖Ax − b‖ over x ≥ 0.
///
/// Starts with all coordinates free. Least squares on the free ones, by conjugate gradients on the normal equations with the Cholesky
/// factor of the Gram matrix as preconditioner; coordinates that come out negative are bound, many at a time, until none does. Then
/// bound coordinates of the largest negative gradients are freed, many at a time: a fifth as many where that did not lower ‖Ax − b‖, one
/// at the least. Ends when freeing one does not help, or after `seconds`.
///
/// Source: Myre, Frahm, Lilja & Saar, Procedia Computer Science 2017 (their factors 0.2 and 1.2). Factors are computed anew here where
/// theirs are downdated.
pub(crate) fn tnt_nn(a: &DMatrix<f64>, b: &[f64], seconds: f64) -> Found {
    let gram = a.tr_mul(a);
    let largest = (0..gram.ncols())
        .map(|j| gram.column(j).lp_norm(1))
        .fold(0.0, f64::max);
    let mut solver = Solver {
        a,
        b: DVector::from_column_slice(b),
        shift: 10.0 * f64::EPSILON * largest,
        gram,
        solves: 0,
        clock: Instant::now(),
        seconds,
    };
    let n = a.ncols();
    let mut best = solver.feasible((0..n).collect(), Vec::new(), n);
    let mut count = n;
    'outer: loop {
        let gradient = a.tr_mul(&best.residual);
        let mut wanted: Vec<usize> = best
            .bound
            .iter()
            .copied()
            .filter(|j| gradient[*j] > 0.0)
            .collect();
        if wanted.is_empty() {
            break;
        }
        wanted.sort_by(|i, j| gradient[*j].total_cmp(&gradient[*i]));
        let most = ((1.2 * count as f64) as usize).max(1);
        loop {
            count = ((0.2 * count as f64) as usize).clamp(1, most);
            wanted.truncate(count);
            let free = best.free.iter().chain(&wanted).copied().collect();
            let bound = best
                .bound
                .iter()
                .copied()
                .filter(|j| !wanted.contains(j))
                .collect();
            let next = solver.feasible(free, bound, count);
            if next.score < best.score {
                best = next;
                break;
            }
            if count == 1 || solver.late() {
                break 'outer;
            }
        }
    }
    Found {
        x: best.x.as_slice().to_vec(),
        solves: solver.solves,
    }
}

impl Solver<'_> {
    fn late(&self) -> bool {
        self.clock.elapsed().as_secs_f64() > self.seconds
    }

    /// Least squares on the free coordinates, of which at most `most` at a time are bound until all others are positive.
    fn feasible(&mut self, mut free: Vec<usize>, mut bound: Vec<usize>, most: usize) -> Point {
        loop {
            let part = self.a.select_columns(&free);
            let z = match self.factor(&free) {
                Some(factor) => conjugate_gradients(&part, &self.b, &factor),
                None => DVector::zeros(free.len()),
            };
            self.solves += 1;
            let mut negative: Vec<usize> = (0..z.len()).filter(|i| z[*i] <= 0.0).collect();
            if negative.is_empty() || self.late() {
                let mut x = DVector::zeros(self.a.ncols());
                free.iter().zip(&z).for_each(|(j, v)| x[*j] = v.max(0.0));
                let residual = &self.b - self.a * &x;
                return Point {
                    score: residual.norm(),
                    free,
                    bound,
                    x,
                    residual,
                };
            }
            negative.sort_by(|i, j| z[*i].total_cmp(&z[*j]));
            negative.truncate(most);
            let mut place = 0;
            free.retain(|j| {
                let out = negative.contains(&place);
                place += 1;
                if out {
                    bound.push(*j);
                }
                !out
            });
        }
    }

    /// The Cholesky factor of the Gram matrix of these columns, with a shift that is as small as rounding allows; None without columns.
    fn factor(&mut self, free: &[usize]) -> Option<Cholesky<f64, Dyn>> {
        if free.is_empty() {
            return None;
        }
        let gram = self.gram.select_columns(free).select_rows(free);
        loop {
            let shifted = &gram + DMatrix::from_diagonal_element(free.len(), free.len(), self.shift);
            match Cholesky::new(shifted) {
                None if self.shift.is_finite() => self.shift *= 10.0,
                factor => return factor,
            }
        }
    }
}

/// min ‖Bz − b‖ by conjugate gradients on BᵀBz = Bᵀb, until ‖Bᵀr‖ no longer falls.
fn conjugate_gradients(part: &DMatrix<f64>, b: &DVector<f64>, factor: &Cholesky<f64, Dyn>) -> DVector<f64> {
    let mut z = DVector::zeros(part.ncols());
    let mut g = part.tr_mul(b);
    let mut direction = factor.solve(&g);
    let mut gamma = direction.dot(&g);
    let mut before = f64::INFINITY;
    for _ in 0..part.ncols() {
        let image = part * &direction;
        let curvature = image.norm_squared();
        if curvature <= 0.0 || gamma <= 0.0 {
            break;
        }
        let next = &z + &direction * (gamma / curvature);
        g = part.tr_mul(&(b - part * &next));
        let size = g.norm_squared();
        if size >= before {
            break;
        }
        (z, before) = (next, size);
        let scaled = factor.solve(&g);
        let after = scaled.dot(&g);
        direction = scaled + direction * (after / gamma);
        gamma = after;
    }
    z
}
