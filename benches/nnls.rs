//! Whole solves, products and the search along a ray: `cargo bench -p reparam-full --bench nnls`.
//!
//! Only ratios within one run mean anything.

#![allow(missing_docs)]

use divan::{Bencher, black_box};
use reparam::nnls::{Nnls, Strategy};
use reparam::operators::{Dense, LinearOperator, SparseColumns};
use reparam::search::{Quartic, minimise_quartic};
use reparam::testing::Random;

fn main() {
    divan::main();
}

fn gaussian(m: usize, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut random = Random::new((m * 7919 + n) as u64);
    (random.normals(m * n), random.normals(m))
}

/// Pure noise: about half of the columns are active.
#[divan::bench(args = [(20, 10), (96, 78), (200, 200), (600, 400), (200, 500)])]
fn dense(bencher: Bencher, (m, n): (usize, usize)) {
    let (a, b) = gaussian(m, n);
    let Ok(a) = Dense::column_major(&a, m, n) else {
        return;
    };
    bencher.bench(|| Nnls::new(&a).solve(black_box(&b)));
}

/// The same problem by each method.
#[divan::bench(args = [Strategy::BlockExchange, Strategy::ActiveSet, Strategy::CoordinateDescent, Strategy::LiftedCg])]
fn strategies(bencher: Bencher, strategy: Strategy) {
    let (m, n) = (400, 200);
    let (a, b) = gaussian(m, n);
    let Ok(a) = Dense::column_major(&a, m, n) else {
        return;
    };
    bencher.bench(|| Nnls::new(&a).strategy(strategy).solve(black_box(&b)));
}

fn sparse_matrix(m: usize, n: usize, per_column: usize) -> Option<SparseColumns<f64>> {
    let mut random = Random::new(3);
    let entries: Vec<(usize, usize, f64)> = (0..n * per_column)
        .map(|k| {
            (
                usize::try_from(random.bits() % m as u64).unwrap_or(0),
                k % n,
                random.normal(),
            )
        })
        .collect();
    SparseColumns::from_triplets(m, n, &entries).ok()
}

#[divan::bench]
fn sparse(bencher: Bencher) {
    let Some(a) = sparse_matrix(20_000, 8_000, 20) else {
        return;
    };
    let b = Random::new(4).normals(20_000);
    bencher.bench(|| Nnls::new(&a).solve(black_box(&b)));
}

/// One product against two in one pass.
#[divan::bench(args = [1, 2])]
fn sparse_product(bencher: Bencher, products: usize) {
    let Some(a) = sparse_matrix(20_000, 8_000, 20) else {
        return;
    };
    let mut random = Random::new(5);
    let (p, q) = (random.normals::<f64>(8_000), random.normals::<f64>(8_000));
    let (mut ap, mut aq) = (vec![0.0; 20_000], vec![0.0; 20_000]);
    bencher.bench_local(|| {
        if products == 1 {
            a.apply(&p, &mut ap);
        } else {
            a.apply_pair(&p, &q, &mut ap, &mut aq);
        }
    });
}

/// One pass over a dense matrix: A x, Aᵀ y, or the norms of the columns, of a matrix in either order (32 MB).
#[divan::bench(args = ["A x", "A'y", "norms", "A x by rows", "A'y by rows", "norms by rows"])]
fn dense_pass(bencher: Bencher, pass: &str) {
    let (m, n) = (4000, 1000);
    let (entries, y) = gaussian(m, n);
    let a = if pass.ends_with("by rows") {
        Dense::row_major(&entries, m, n)
    } else {
        Dense::column_major(&entries, m, n)
    };
    let Ok(a) = a else {
        return;
    };
    let (x, mut image, mut out) = (vec![0.5; n], vec![0.0; m], vec![0.0; n]);
    bencher.bench_local(|| match pass.as_bytes()[0..2] {
        [b'A', b' '] => a.apply(black_box(&x), &mut image),
        [b'A', _] => a.apply_adjoint(black_box(&y), &mut out),
        _ => {
            a.column_norms(black_box(&mut out));
        }
    });
}

#[divan::bench]
fn quartic_search(bencher: Bencher) {
    let h = Quartic {
        coefficients: [-1.0, 0.3, -0.7, 0.2],
    };
    bencher.bench(|| minimise_quartic(black_box(&h)));
}
