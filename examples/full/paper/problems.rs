//! Seeded problems.

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolutionStatus, SolveOutcome};
use nalgebra::DMatrix;
use reparam::testing::Random;

pub(crate) fn gaussian(m: usize, n: usize, random: &mut Random) -> DMatrix<f64> {
    DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt()
}

/// s different indices below n, sorted.
pub(crate) fn choose(n: usize, s: usize, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for i in 0..s {
        let j = i + (random.bits() % (n - i) as u64) as usize;
        all.swap(i, j);
    }
    all.truncate(s);
    all.sort_unstable();
    all
}

/// s entries in [½, 3/2) at random places, zeros elsewhere; and the places.
pub(crate) fn sparse_truth(n: usize, s: usize, random: &mut Random) -> (Vec<f64>, Vec<usize>) {
    let support = choose(n, s, random);
    let mut x = vec![0.0; n];
    for j in &support {
        x[*j] = 0.5 + random.uniform::<f64>();
    }
    (x, support)
}

pub(crate) fn times(a: &DMatrix<f64>, x: &[f64]) -> Vec<f64> {
    (a * nalgebra::DVector::from_column_slice(x)).as_slice().to_vec()
}

pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

pub(crate) fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter()
        .zip(y)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}

/// The least ℓ1 norm over {x ≥ 0 : A x = b}, by the simplex method of another crate: a reference that shares nothing with the lift.
pub(crate) fn least_l1(a: &DMatrix<f64>, b: &[f64]) -> Result<f64, Box<dyn std::error::Error>> {
    let mut problem = Problem::new(OptimizationDirection::Minimize);
    let variables: Vec<_> = (0..a.ncols())
        .map(|_| problem.add_var(1.0, (0.0, f64::INFINITY)))
        .collect();
    for (i, b) in b.iter().enumerate() {
        let row: Vec<_> = variables
            .iter()
            .enumerate()
            .map(|(j, v)| (*v, a[(i, j)]))
            .collect();
        problem.add_constraint(row.as_slice(), ComparisonOp::Eq, *b);
    }
    match problem.solve()? {
        SolveOutcome::Solution(s) if s.status() == SolutionStatus::Optimal => Ok(s.objective()),
        _ => Err("the linear program was not solved".into()),
    }
}

/// U diag(σ) Vᵀ with random orthonormal U (m × k) and V (n × k), k = σ.len() ≤ min(m, n).
pub(crate) fn with_singular_values(m: usize, n: usize, sigma: &[f64], random: &mut Random) -> DMatrix<f64> {
    let k = sigma.len();
    let u = gaussian(m, k, random).qr().q();
    let v = gaussian(n, k, random).qr().q();
    let scaled = DMatrix::from_fn(m, k, |i, j| u[(i, j)] * sigma[j]);
    scaled * v.transpose()
}

/// An estimate of ‖A‖₂² from below by the power method on AᵀA, to well within a percent here.
pub(crate) fn squared_norm(a: &DMatrix<f64>) -> f64 {
    let mut v = nalgebra::DVector::from_vec(Random::new(99).normals::<f64>(a.ncols()));
    let mut size = v.norm();
    for _ in 0..100 {
        v /= size;
        v = a.tr_mul(&(a * &v));
        size = v.norm();
    }
    size
}

/// ρ(x) = max_j |min(‖a_j‖ x_j, g_j/‖a_j‖)| / ‖b‖, computed anew: one yardstick for all methods. At most ‖Ax − b‖/‖b‖,
/// by |g_j| ≤ ‖a_j‖ ‖Ax − b‖.
pub(crate) fn judged(a: &nalgebra::DMatrix<f64>, b: &[f64], x: &[f64]) -> f64 {
    let r = nalgebra::DVector::from_vec(times(a, x)) - nalgebra::DVector::from_column_slice(b);
    let g = a.tr_mul(&r);
    let size = norm(b);
    let rho = |j: usize| {
        let c = a.column(j).norm();
        (c * x[j]).min(g[j] / c).abs() / size
    };
    (0..x.len()).map(rho).fold(0.0, f64::max)
}
