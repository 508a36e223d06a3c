//! Which methods were tried, and why: the answer says so.

#![allow(clippy::unwrap_used)]

use nalgebra::DMatrix;
use reparam::operators::MatrixFree;
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, Nnls, Phase, Solution, bounded, nnls};

fn problem(m: usize, n: usize) -> (DMatrix<f64>, Vec<f64>) {
    let mut random = Random::new(31);
    let a = DMatrix::from_vec(m, n, random.normals(m * n));
    (a, random.normals(m))
}

/// What holds for every trace.
fn check(s: &Solution<f64>, what: &str) {
    assert!(!s.trace.is_empty(), "{what}: {s}");
    let (mut iterations, mut passes, mut factorisations) = (0, 0.0, 0);
    for attempt in &s.trace {
        assert!(!attempt.why.is_empty(), "{what}: {s:#}");
        assert!(attempt.elapsed <= s.elapsed, "{what}: {s:#}");
        iterations += attempt.iterations;
        passes += attempt.counts.passes;
        factorisations += attempt.counts.factorisations;
    }
    assert!(iterations <= s.iterations, "{what}: {s:#}");
    assert!(passes <= s.counts.passes + 1e-9, "{what}: {s:#}");
    assert!(factorisations <= s.counts.factorisations, "{what}: {s:#}");
    let tried = s.trace.iter().any(|a| a.method == s.phase);
    assert!(tried || s.phase == Phase::Start, "{what}: {s:#}");
    if s.status.is_solved() {
        let rho = s.certificate.natural_residual;
        let last = s.trace.last().and_then(|a| a.natural_residual).unwrap();
        assert!(last >= 0.1 * rho, "{what}: {s:#}");
    }
    let (short, long) = (s.to_string(), format!("{s:#}"));
    assert!(long.starts_with(&short), "{long}");
    assert_eq!(
        long.lines().count(),
        short.lines().count() + s.trace.len(),
        "{long}"
    );
}

#[test]
fn every_strategy_of_nnls() {
    let (a, b) = problem(60, 30);
    for strategy in nnls::Strategy::ALL {
        let s = Nnls::new(&a).strategy(strategy).solve(&b).unwrap();
        check(&s, strategy.name());
        let by_name = s.trace[0].why == "asked for by name";
        assert_eq!(by_name, strategy != nnls::Strategy::Auto, "{s:#}");
    }
}

#[test]
fn every_strategy_over_bounds() {
    let (a, b) = problem(60, 30);
    for strategy in bounded::Strategy::ALL {
        let (lower, upper) = (vec![-0.1; 30], vec![0.05; 30]);
        let s = BoundedLeastSquares::new(&a, &lower, &upper)
            .strategy(strategy)
            .solve(&b)
            .unwrap();
        check(&s, strategy.name());
        let s = BoundedLeastSquares::simplex(&a, 1.0)
            .strategy(strategy)
            .solve(&b)
            .unwrap();
        check(&s, strategy.name());
    }
}

/// Every shape and storage has a first method with a reason.
#[test]
fn by_default() {
    for (m, n) in [(40, 10), (100, 60), (60, 60), (400, 260), (40, 100), (150, 400)] {
        let (a, b) = problem(m, n);
        check(&Nnls::new(&a).solve(&b).unwrap(), &format!("{m}×{n}"));
        let s = BoundedLeastSquares::new(&a, &vec![0.0; n], &vec![0.1; n])
            .solve(&b)
            .unwrap();
        check(&s, &format!("{m}×{n}, bounds"));
    }
    let (a, b) = problem(800, 600);
    let products = MatrixFree::new(
        800,
        600,
        |x: &[f64], y: &mut [f64]| {
            y.copy_from_slice((&a * nalgebra::DVector::from_column_slice(x)).as_slice());
        },
        |y: &[f64], x: &mut [f64]| {
            x.copy_from_slice((a.transpose() * nalgebra::DVector::from_column_slice(y)).as_slice());
        },
    );
    let s = Nnls::new(&products).solve(&b).unwrap();
    check(&s, "products");
    assert_eq!(s.trace[0].method, Phase::ConjugateGradient, "{s:#}");
}

/// A Gram matrix that squares too large a condition number is given up, and the trace says for what.
#[test]
fn a_method_that_is_given_up() {
    // (Hilbert's matrix)
    let a = DMatrix::from_fn(12, 12, |i, j| 1.0 / (1.0 + (i + j) as f64));
    let b: Vec<f64> = (0..12).map(|i| a.row(i).sum()).collect();
    let s = Nnls::new(&a).solve(&b).unwrap();
    check(&s, "Hilbert");
    assert!(s.status.is_solved() && s.trace.len() > 1, "{s:#}");
    assert!(!s.trace[0].ended.is_empty(), "{s:#}");
    assert!(format!("{s}").contains(&format!(" ({} attempts)", s.trace.len())));
}
