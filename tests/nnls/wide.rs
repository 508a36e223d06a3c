//! Wide matrices: b that can be interpolated, b that cannot.

#![allow(clippy::unwrap_used)]

use crate::common::{Case, judge};
use reparam::nnls::Strategy;
use reparam::operators::Dense;
use reparam::testing::Random;
use reparam::{Nnls, Phase, nnls};

/// Rows of a matrix, and b = A max(normals, 0).
fn case(name: &str, m: usize, n: usize, entry: impl Fn(usize, usize) -> f64) -> Case {
    let mut random = Random::new(8);
    let a: Vec<f64> = (0..m * n).map(|k| entry(k / n, k % n)).collect();
    let x: Vec<f64> = (0..n).map(|_| random.normal::<f64>().max(0.0)).collect();
    let b = a
        .chunks_exact(n)
        .map(|row| row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>())
        .collect();
    Case {
        name: name.to_string(),
        m,
        n,
        a,
        b,
        x: vec![],
        objective: None,
        unique: false,
        cond_support: None,
        degenerate: vec![],
    }
}

/// Both orders of the matrix, in a few dozen passes, with everything the certificate says.
#[test]
fn what_can_be_interpolated_is() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let sizes: Vec<f64> = Random::new(6).normals(m + n);
    let normal = |i: usize, j: usize| normals[i * n + j];
    for (case, most) in [
        (case("normal", m, n, normal), 100.0),
        (case("mean 1", m, n, |i, j| 1.0 + normal(i, j)), 110.0),
        (
            case("scaled columns", m, n, |i, j| {
                normal(i, j) * (3.0 * sizes[m + j]).exp()
            }),
            110.0,
        ),
        (
            case("graded rows", m, n, |i, j| normal(i, j) * (0.7 * sizes[i]).exp()),
            130.0,
        ),
        (
            case("zero and equal columns", m, n, |i, j| match j % 10 {
                0 => 0.0,
                1 => normal(i, 1),
                _ => normal(i, j),
            }),
            140.0,
        ),
    ] {
        let columns = case.column_major();
        for a in [
            Dense::row_major(&case.a, m, n).unwrap(),
            Dense::column_major(&columns, m, n).unwrap(),
        ] {
            let s = nnls(&a, &case.b).unwrap();
            let judged = judge(&case, &s.x);
            let told = format!("{}: {s} by {}, {} passes", case.name, s.phase, s.counts.passes);
            assert!(
                s.status.is_solved() && judged.feasible && judged.rho <= 1.01e-8,
                "{told}"
            );
            assert!(
                s.phase == Phase::LeastDistance && s.counts.passes < most,
                "{told}"
            );
            assert!(
                (judged.rho - s.certificate.natural_residual).abs() <= 1e-12,
                "{told}"
            );
            assert!(s.certificate.gap >= s.objective * (1.0 - 1e-12), "{told}");
            let half_b = 0.5 * case.b.iter().map(|b| b * b).sum::<f64>();
            assert!(s.objective <= 1e-13 * half_b, "{told}");
        }
    }
}

/// Close to the tolerance of rounding, too.
#[test]
fn to_any_tolerance() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let case = case("normal", m, n, |i, j| normals[i * n + j]);
    let a = Dense::row_major(&case.a, m, n).unwrap();
    for tolerance in [1e-4, 1e-11, 1e-14] {
        let s = Nnls::new(&a).tolerance(tolerance).solve(&case.b).unwrap();
        assert!(s.status.is_solved(), "{tolerance:e}: {s}");
        assert!(judge(&case, &s.x).rho <= tolerance + 1e-15);
    }
}

/// b outside of the cone of the columns: noticed, and the answer is that of the active set.
#[test]
fn what_cannot_is_not() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    for shift in [0.5, 2.0] {
        let mut case = case("positive mean", m, n, |i, j| shift + normals[i * n + j]);
        let noise: Vec<f64> = Random::new(12).normals(m);
        for (b, e) in case.b.iter_mut().zip(noise) {
            *b += 200.0 * e;
        }
        let a = Dense::row_major(&case.a, m, n).unwrap();
        let s = nnls(&a, &case.b).unwrap();
        let exact = Nnls::new(&a)
            .strategy(Strategy::ActiveSet)
            .solve(&case.b)
            .unwrap();
        assert!(s.status.is_solved() && exact.status.is_solved());
        let (ours, best) = (judge(&case, &s.x), judge(&case, &exact.x));
        assert!(
            best.objective > 1e-3 * best.half_b,
            "{}",
            best.objective / best.half_b
        );
        assert!((ours.objective - best.objective).abs() <= 1e-10 * best.half_b);
    }
}
