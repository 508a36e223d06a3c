//! Limits that come in the middle of things: a flag raised inside a product or an evaluation, and how many more of them there are.
//! (Times are guards against hanging; what is asserted is counted.)

use super::*;
use reparam::maps::Affine;
use reparam::operators::SparseColumns;
use std::time::Instant;

/// A dense matrix by its products, which raises a flag in the product of a given number.
struct Raising {
    matrix: nalgebra::DMatrix<f64>,
    norms: bool,
    token: CancelToken,
    at: usize,
    products: Cell<usize>,
}

impl Raising {
    fn new(m: usize, n: usize, at: usize) -> Self {
        let mut random = Random::new(7);
        Self {
            matrix: nalgebra::DMatrix::from_fn(m, n, |_, _| random.uniform::<f64>()),
            norms: false,
            token: CancelToken::new(),
            at,
            products: Cell::new(0),
        }
    }

    fn count(&self) {
        self.products.set(self.products.get() + 1);
        if self.products.get() == self.at {
            self.token.cancel();
        }
    }

    /// Products after the flag.
    fn after(&self) -> usize {
        self.products.get().saturating_sub(self.at)
    }
}

impl LinearOperator<f64> for Raising {
    fn rows(&self) -> usize {
        self.matrix.nrows()
    }
    fn columns(&self) -> usize {
        self.matrix.ncols()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.count();
        self.matrix.apply(x, y);
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.count();
        self.matrix.apply_adjoint(y, x);
    }
    fn column_norms(&self, out: &mut [f64]) -> bool {
        self.norms && self.matrix.column_norms(out)
    }
}

/// n products for norms, then the method: a flag raised in any of them is seen before the next but a few. (The answer is verified, and
/// within a tenth of a second made rounder and its gap better: a dozen products or so.)
#[test]
fn a_flag_raised_in_a_product() {
    let (m, n) = (40, 700);
    let b: Vec<f64> = (0..m).map(|i| 1.0 + (i as f64).sin()).collect();
    for norms in [false, true] {
        for at in [1, 3, 50, 701, 712, 760] {
            // (a flag stays up: a new one for every solver)
            for k in 0..12 {
                let mut a = Raising::new(m, n, at);
                a.norms = norms;
                let (name, s) = one_stopped(&a, &b, k);
                if s.status != Status::Cancelled {
                    continue; // solved before
                }
                assert!(a.after() <= 20, "{name}, raised in {at}: {} more", a.after());
                assert!(s.x.iter().all(|v| v.is_finite()), "{name}");
                assert!(
                    s.certificate.violation <= 1e-12,
                    "{name}: {:e}",
                    s.certificate.violation
                );
                let mut r = vec![0.0; m];
                a.matrix.apply(&s.x, &mut r);
                let apart = r
                    .iter()
                    .zip(&b)
                    .zip(&s.residual)
                    .map(|((z, b), r)| (b - z - r).abs());
                assert!(apart.fold(0.0, f64::max) <= 1e-10, "{name}");
                if s.certificate.natural_residual == f64::INFINITY {
                    // not begun: what was not computed is not reported
                    assert!(s.certificate.multipliers.iter().all(|v| v.is_nan()), "{name}");
                    assert!(
                        s.certificate.gap >= s.objective && s.counts.passes == 0.0,
                        "{name}"
                    );
                }
            }
        }
    }
}

/// The k-th solver.
fn one_stopped(a: &Raising, b: &[f64], k: usize) -> (&'static str, Solution<f64>) {
    let n = a.columns();
    let (lower, upper) = (vec![-1.0; n], vec![1.0; n]);
    let token = a.token.clone();
    let nnls = |s| Nnls::new(a).strategy(s).cancel_token(token.clone()).solve(b);
    let (name, answer) = match k {
        0 => ("auto", nnls(Strategy::Auto)),
        1 => ("active set", nnls(Strategy::ActiveSet)),
        2 => ("projected gradients", nnls(Strategy::ProjectedCg)),
        3 => ("least distance", nnls(Strategy::LeastDistance)),
        4 => ("interior point", nnls(Strategy::InteriorPoint)),
        5 => ("flow", nnls(Strategy::LiftedCg)),
        6 => (
            "bounds",
            BoundedLeastSquares::new(a, &lower, &upper)
                .cancel_token(token)
                .solve(b),
        ),
        7 => (
            "simplex",
            BoundedLeastSquares::simplex(a, 2.0).cancel_token(token).solve(b),
        ),
        8 => (
            "capped",
            BoundedLeastSquares::capped_simplex(a, 2.0)
                .cancel_token(token)
                .solve(b),
        ),
        9 => (
            "l1",
            BoundedLeastSquares::l1_ball(a, 2.0).cancel_token(token).solve(b),
        ),
        10 => (
            "monotone",
            BoundedLeastSquares::monotone(a, f64::NEG_INFINITY, f64::INFINITY)
                .cancel_token(token)
                .solve(b),
        ),
        _ => (
            "monotone, bounded",
            BoundedLeastSquares::monotone(a, 0.5, 1.0)
                .cancel_token(token)
                .solve(b),
        ),
    };
    (name, answer.unwrap())
}

/// Sums of sparse columns are dense: their norms come from one pass over the entries, not from a million products.
#[test]
fn monotone_sequences_of_many_sparse_columns() {
    let n = 200_000;
    let entries: Vec<(usize, usize, f64)> = (0..n)
        .map(|j| (j % 500, j, if j % 3 == 0 { -1.0 } else { 0.5 }))
        .collect();
    let a = SparseColumns::from_triplets(500, n, &entries).unwrap();
    let b: Vec<f64> = (0..500).map(|i| (i as f64).sin()).collect();
    let solver = BoundedLeastSquares::monotone(&a, 0.0, f64::INFINITY).limits(reparam::Limits {
        iterations: Some(3),
        ..reparam::Limits::default()
    });
    let s = solver.solve(&b).unwrap();
    assert!(s.counts.passes < 100.0, "{} passes", s.counts.passes);
    assert!(s.x.windows(2).all(|w| w[0] <= w[1]) && s.x[0] >= 0.0);
}

/// After the limit the right-hand sides that wait come back at once: feasible, stopped, and nothing claimed.
#[test]
fn right_hand_sides_after_the_limit() {
    let (m, n, many) = (30, 20, 200_000);
    let mut random = Random::new(2);
    let a = nalgebra::DMatrix::from_fn(m, n, |_, _| random.uniform::<f64>());
    let mut b: Vec<f64> = random.normals(m * many);
    b[5 * m..6 * m].fill(0.0);
    let token = CancelToken::new();
    token.cancel();
    let guard = Instant::now();
    let nnls = Nnls::new(&a).cancel_token(token.clone()).solve_many(&b).unwrap();
    let simplex = BoundedLeastSquares::simplex(&a, 1.0)
        .cancel_token(token.clone())
        .solve_many(&b)
        .unwrap();
    let l1 = BoundedLeastSquares::l1_ball(&a, 1.0)
        .cancel_token(token.clone())
        .solve_many(&b)
        .unwrap();
    let start = [0.25; 20];
    let warm = Nnls::new(&a)
        .start(&start)
        .cancel_token(token)
        .solve_many(&b)
        .unwrap();
    assert!(guard.elapsed() < Duration::from_secs(60), "{:?}", guard.elapsed());
    for (name, answers) in [("nnls", nnls), ("simplex", simplex), ("l1", l1), ("warm", warm)] {
        assert_eq!(answers.len(), many);
        for (k, s) in answers
            .iter()
            .enumerate()
            .skip(1)
            .step_by(997)
            .chain([(5, &answers[5])])
        {
            let b = &b[k * m..(k + 1) * m];
            let mut r = vec![0.0; m];
            a.apply(&s.x, &mut r);
            r.iter_mut().zip(b).for_each(|(r, b)| *r = b - *r);
            assert!(
                r.iter().zip(&s.residual).all(|(p, q)| (p - q).abs() < 1e-13),
                "{name}, {k}"
            );
            assert_eq!(s.objective, 0.5 * s.residual_norm * s.residual_norm);
            let sum: f64 = s.x.iter().sum();
            assert!(
                s.x.iter().all(|v| *v >= 0.0) && (name != "simplex" || (sum - 1.0).abs() < 1e-15),
                "{name}, {k}"
            );
            if s.objective == 0.0 {
                // no f is below zero
                assert!(
                    s.status.is_solved() && s.certificate.gap == 0.0,
                    "{name}, {k}: {}",
                    s.status
                );
                continue;
            }
            assert_eq!(s.status, Status::Cancelled, "{name}, {k}");
            assert_eq!(s.certificate.natural_residual, f64::INFINITY);
            assert!(s.certificate.gap >= s.objective && s.certificate.gap <= s.objective * (1.0 + 1e-13));
            assert!(
                s.certificate.multipliers.len() == n && s.certificate.multipliers.iter().all(|v| v.is_nan())
            );
            assert!(s.counts.passes == 0.0 && s.iterations == 0);
        }
    }
}

/// Methods of `Minimize`: a flag raised in an evaluation ends the search that it belongs to.
#[test]
fn a_flag_raised_in_an_evaluation() {
    let n = 30;
    for at in [2, 3, 5, 9, 14] {
        let map = NormalizedSquares::new(n, 1.0).unwrap();
        for method in methods(&map) {
            let token = CancelToken::new();
            let raise = token.clone();
            let mut calls = 0;
            let count = &mut calls;
            // a chain of valleys: searches of several evaluations
            let f = FromFn::new(n, |x: &[f64], g: &mut [f64]| {
                *count += 1;
                if *count == at {
                    raise.cancel();
                }
                g.fill(0.0);
                let mut value = 0.0;
                for k in 0..n - 1 {
                    let (p, q) = (30.0 * x[k + 1] - 900.0 * x[k] * x[k], 1.0 - 30.0 * x[k]);
                    value += 100.0 * p * p + q * q;
                    g[k + 1] += 200.0 * p * 30.0;
                    g[k] += 200.0 * p * -1800.0 * x[k] - 60.0 * q;
                }
                Ok(value)
            });
            let name = format!("{method:?}");
            let s = Minimize::new(f, &map)
                .unwrap()
                .method(method)
                .cancel_token(token)
                .run()
                .unwrap();
            if s.status == Status::Cancelled {
                assert!(calls <= at + 1, "{name}: raised in {at}, {calls} evaluations");
                assert!(s.objective.is_finite() && s.x.iter().all(|v| *v >= 0.0), "{name}");
            }
        }
    }
}

/// A projection behind a set's trait sees the limit of the run that it is part of.
#[test]
fn a_flag_raised_in_a_projection() {
    let (d, n) = (40, 60);
    for at in [200, 1000, 5000] {
        let a = Raising::new(d, n, at);
        let token = a.token.clone();
        let target: Vec<f64> = (0..d).map(|i| (i as f64).cos()).collect();
        let f = LeastSquares::new(nalgebra::DMatrix::<f64>::identity(d, d), &target).unwrap();
        let map = Affine::new(&a, Squares::new(n), vec![0.0; d]).unwrap();
        let s = Minimize::new(f, &map).unwrap().cancel_token(token).run().unwrap();
        if s.status == Status::Cancelled {
            assert!(a.after() <= 300, "raised in {at}: {} more", a.after());
            assert!(s.x.iter().all(|v| v.is_finite()) && !s.certificate.violation.is_nan());
        }
    }
}
