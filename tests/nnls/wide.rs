//! Wide matrices: b that can be interpolated, b that cannot.

#![allow(clippy::unwrap_used)]

use crate::common::{Case, judge};
use reparam::nnls::Strategy;
use reparam::operators::Dense;
use reparam::testing::Random;
use reparam::{Nnls, Phase, Status, nnls};

/// b = A max(normals, 0).
fn case(name: &str, m: usize, n: usize, entry: impl Fn(usize, usize) -> f64) -> Case {
    crate::common_columns::case(name, m, n, 0.0, 8, entry)
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

/// From an answer, nothing is to be done; from what is nearly one, little, and the new one is near.
#[test]
fn near_to_a_start() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let mut case = case("normal", m, n, |i, j| normals[i * n + j]);
    let columns = case.column_major();
    let a = Dense::column_major(&columns, m, n).unwrap();
    let first = nnls(&a, &case.b).unwrap();
    let again = Nnls::new(&a).start(&first.x).solve(&case.b).unwrap();
    assert!(again.status.is_solved() && again.x == first.x && again.counts.passes < 5.0);
    let noise: Vec<f64> = Random::new(12).normals(m);
    for (b, e) in case.b.iter_mut().zip(noise) {
        *b += 0.01 * e;
    }
    let cold = nnls(&a, &case.b).unwrap();
    let warm = Nnls::new(&a).start(&first.x).solve(&case.b).unwrap();
    assert!(warm.status.is_solved() && judge(&case, &warm.x).rho <= 1.01e-8);
    assert!(warm.phase == Phase::LeastDistance && warm.counts.passes < cold.counts.passes);
    let apart = |x: &[f64]| -> f64 { x.iter().zip(&first.x).map(|(p, q)| (p - q).powi(2)).sum() };
    assert!(apart(&warm.x) < apart(&vec![0.0; n]) / 100.0);
}

/// Wherever it is stopped, x is feasible and better than nothing; in f32, too.
#[test]
fn stopped_early_or_in_single_precision() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let case = case("normal", m, n, |i, j| normals[i * n + j]);
    let columns = case.column_major();
    let mut by_method = [0, 0];
    for a in [
        Dense::row_major(&case.a, m, n).unwrap(),
        Dense::column_major(&columns, m, n).unwrap(),
    ] {
        let mut last = f64::INFINITY;
        for k in (0..200).step_by(7) {
            let s = Nnls::new(&a).max_iterations(k).solve(&case.b).unwrap();
            let judged = judge(&case, &s.x);
            assert!(judged.feasible && judged.objective <= judged.half_b);
            assert!(s.status == Status::IterationLimit || s.status.is_solved());
            by_method[usize::from(s.phase == Phase::LeastDistance)] += 1;
            // (the residual of the dual is no descent, but what an active set had reached is never thrown away)
            assert!(judged.objective <= 2.0 * last, "{k}");
            last = last.min(judged.objective);
        }
    }
    assert!(by_method.iter().all(|k| *k >= 5), "{by_method:?}");
    let single = |v: &[f64]| -> Vec<f32> { v.iter().map(|v| *v as f32).collect() };
    let (entries, b) = (single(&columns), single(&case.b));
    let s = nnls(&Dense::column_major(&entries, m, n).unwrap(), &b).unwrap();
    assert!(s.status.is_solved() && s.phase == Phase::LeastDistance, "{s}");
}

/// The same bits with one thread and with two, where a pass is worth sharing.
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let (m, n) = (300, 900);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let case = case("normal", m, n, |i, j| normals[i * n + j]);
    let columns = case.column_major();
    let with = |threads: usize| {
        crate::threads::with_threads(threads, || {
            [
                Dense::row_major(&case.a, m, n).unwrap(),
                Dense::column_major(&columns, m, n).unwrap(),
            ]
            .map(|a| nnls(&a, &case.b).unwrap())
        })
    };
    for (one, two) in with(1).into_iter().zip(with(2)) {
        assert!(one.phase == Phase::LeastDistance && one.status.is_solved());
        assert!(one.x == two.x && one.certificate == two.certificate);
    }
}

/// Columns of both signs, whose sum is zero; entries so few that the columns that are looked at leave rows out.
#[test]
fn columns_that_cancel_and_rows_with_few_entries() {
    let (m, n) = (150, 450);
    let normals: Vec<f64> = Random::new(4).normals(m * n);
    let both = case("both signs", m, n, |i, j| {
        if j < n / 2 {
            normals[i * n + j]
        } else {
            -normals[i * n + j - n / 2]
        }
    });
    let (m, n) = (300, 3000);
    let mut random = Random::new(3);
    let mut entries = vec![0.0; m * n];
    for j in 0..n {
        for _ in 0..5 {
            let i = usize::try_from(random.bits() % m as u64).unwrap();
            entries[i * n + j] = random.normal();
        }
    }
    let few = case("few entries", m, n, |i, j| entries[i * n + j]);
    for case in [both, few] {
        let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let s = Nnls::new(&a)
            .strategy(Strategy::LeastDistance)
            .solve(&case.b)
            .unwrap();
        assert!(
            s.status.is_solved() && judge(&case, &s.x).rho <= 1.01e-8,
            "{}: {s}",
            case.name
        );
        assert!(nnls(&a, &case.b).unwrap().status.is_solved());
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
