//! Whole solves beside those of other Rust crates: `cargo bench -p reparam-full --bench peers`.
//!
//! `nnls` is Lawson and Hanson's method; `clarabel` an interior-point method, given ½xᵀAᵀAx − bᵀAx (dense; the product AᵀA is
//! inside the clock) or ½‖r‖² with r = b − Ax as variables (sparse), at its default tolerance 1e-8. Only ratios within one run mean
//! anything.

#![allow(missing_docs)]

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, NonnegativeConeT, ZeroConeT};
use divan::{Bencher, black_box};
use lawson_hanson::nnls as lawson_hanson;
use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2, ShapeBuilder};
use reparam::nnls::Nnls;
use reparam::operators::SparseColumns;
use reparam::testing::Random;

fn main() {
    divan::main();
}

/// Normal entries; b is the image of a vector with a quarter of its entries positive, and noise.
fn problem(m: usize, n: usize) -> (DMatrix<f64>, DVector<f64>) {
    let mut random = Random::new((m * 7919 + n) as u64);
    let a = DMatrix::from_vec(m, n, random.normals(m * n));
    let x = DVector::from_fn(n, |j, _| {
        if j % 4 == 0 {
            random.normal::<f64>().abs()
        } else {
            0.0
        }
    });
    let b = &a * x + 0.1 * DVector::from_vec(random.normals(m));
    (a, b)
}

const DENSE: [(usize, usize); 5] = [(20, 10), (96, 78), (200, 200), (600, 400), (2000, 500)];

fn interior_point(
    p: &CscMatrix<f64>,
    q: &[f64],
    a: &CscMatrix<f64>,
    b: &[f64],
    equations: usize,
) -> Vec<f64> {
    let cones = [ZeroConeT(equations), NonnegativeConeT(b.len() - equations)];
    let settings = DefaultSettingsBuilder::default().verbose(false).build();
    let Ok(settings) = settings else {
        return Vec::new();
    };
    let Ok(mut solver) = DefaultSolver::new(p, q, a, b, &cones, settings) else {
        return Vec::new();
    };
    solver.solve();
    solver.solution.x
}

#[divan::bench_group]
mod dense {
    use super::*;

    #[divan::bench(args = DENSE)]
    fn ours(bencher: Bencher, (m, n): (usize, usize)) {
        let (a, b) = problem(m, n);
        bencher.bench(|| Nnls::new(black_box(&a)).solve(black_box(b.as_slice())));
    }

    #[divan::bench(args = DENSE)]
    fn nnls(bencher: Bencher, (m, n): (usize, usize)) {
        let (a, b) = problem(m, n);
        let Ok(a) = Array2::from_shape_vec((m, n).f(), a.as_slice().to_vec()) else {
            return;
        };
        let b = Array1::from_vec(b.as_slice().to_vec());
        bencher.bench(|| lawson_hanson(black_box(a.view()), black_box(b.view())));
    }

    #[divan::bench(args = DENSE)]
    fn clarabel(bencher: Bencher, (m, n): (usize, usize)) {
        let (a, b) = problem(m, n);
        bencher.bench(|| {
            let gram = a.tr_mul(&a);
            let upper: Vec<f64> = (0..n)
                .flat_map(|j| {
                    gram.column(j)
                        .rows(0, j + 1)
                        .iter()
                        .copied()
                        .collect::<Vec<f64>>()
                })
                .collect();
            let starts = (0..=n).map(|j| j * (j + 1) / 2).collect();
            let p = CscMatrix::new(n, n, starts, (0..n).flat_map(|j| 0..=j).collect(), upper);
            let q: Vec<f64> = (-a.tr_mul(&b)).as_slice().to_vec();
            let mut bounds = CscMatrix::identity(n);
            bounds.nzval.fill(-1.0);
            interior_point(&p, &q, &bounds, &vec![0.0; n], 0)
        });
    }
}

#[divan::bench_group]
mod sparse {
    use super::*;

    const SPARSE: [(usize, usize); 2] = [(2000, 800), (20_000, 8000)];

    fn row(random: &mut Random, m: usize) -> usize {
        usize::try_from(random.bits() % m as u64).unwrap_or(0)
    }

    /// Twenty entries a column.
    fn entries(m: usize, n: usize) -> (Vec<(usize, usize, f64)>, Vec<f64>) {
        let mut random = Random::new(3);
        let entries = (0..20 * n)
            .map(|k| (row(&mut random, m), k / 20, random.normal()))
            .collect();
        (entries, random.normals(m))
    }

    #[divan::bench(args = SPARSE)]
    fn ours(bencher: Bencher, (m, n): (usize, usize)) {
        let (entries, b) = entries(m, n);
        let Ok(a) = SparseColumns::from_triplets(m, n, &entries) else {
            return;
        };
        bencher.bench(|| Nnls::new(black_box(&a)).solve(black_box(&b)));
    }

    /// Variables x and r: min ½‖r‖² subject to Ax + r = b, x ≥ 0.
    #[divan::bench(args = SPARSE)]
    fn clarabel(bencher: Bencher, (m, n): (usize, usize)) {
        let (mut entries, mut b) = entries(m, n);
        entries.extend((0..m).map(|i| (i, n + i, 1.0)));
        entries.extend((0..n).map(|j| (m + j, j, -1.0)));
        let (rows, (columns, values)): (Vec<_>, (Vec<_>, Vec<_>)) =
            entries.into_iter().map(|(i, j, v)| (i, (j, v))).unzip();
        let a = CscMatrix::new_from_triplets(m + n, n + m, rows, columns, values);
        b.resize(m + n, 0.0);
        let p = CscMatrix::new_from_triplets(
            n + m,
            n + m,
            (n..n + m).collect(),
            (n..n + m).collect(),
            vec![1.0; m],
        );
        bencher.bench(|| interior_point(black_box(&p), &vec![0.0; n + m], black_box(&a), black_box(&b), m));
    }
}
