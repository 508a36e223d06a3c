//! Thousands of correlated columns that stay, as in deblurring and tomography: the interior-point method.

use crate::common::{Case, judge};
use crate::common_columns::case;
use reparam::nnls::Strategy;
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{CancelToken, Nnls, Phase, Solution, Status, nnls};
use std::time::Duration;

/// Triplets of a Gaussian blur of an image of side×side pixels, zero beyond its boundary.
fn blur(side: usize, sigma: f64) -> SparseColumns<f64> {
    let reach = (3.0 * sigma) as usize;
    let weight = |p: usize, q: usize| (-0.5 * (p.abs_diff(q) as f64 / sigma).powi(2)).exp();
    let near = |p: usize| p.saturating_sub(reach)..(p + reach + 1).min(side);
    let mut triplets = Vec::new();
    for i in 0..side {
        for j in 0..side {
            for k in near(i) {
                for l in near(j) {
                    triplets.push((k * side + l, i * side + j, weight(i, k) * weight(j, l)));
                }
            }
        }
    }
    SparseColumns::from_triplets(side * side, side * side, &triplets).unwrap()
}

/// Discs of different brightness on black, blurred, with noise.
fn discs(a: &SparseColumns<f64>, side: usize, noise: f64, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut x = vec![0.0; side * side];
    for _ in 0..12 {
        let mut place = || random.uniform::<f64>() * side as f64;
        let (ci, cj, r) = (place(), place(), 0.3 * place());
        for (p, v) in x.iter_mut().enumerate() {
            let (i, j) = ((p / side) as f64, (p % side) as f64);
            *v += f64::from((i - ci).hypot(j - cj) < r);
        }
    }
    let mut b = vec![0.0; a.rows()];
    a.apply(&x, &mut b);
    let size = (b.iter().map(|v| v * v).sum::<f64>() / b.len() as f64).sqrt();
    b.iter_mut()
        .for_each(|v| *v += noise * size * random.normal::<f64>());
    b
}

/// ρ from A, b and x alone.
fn residual(a: &SparseColumns<f64>, b: &[f64], x: &[f64]) -> f64 {
    let (mut r, mut g) = (vec![0.0; a.rows()], vec![0.0; a.columns()]);
    a.apply(x, &mut r);
    r.iter_mut().zip(b).for_each(|(r, b)| *r -= b);
    a.apply_adjoint(&r, &mut g);
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    (0..x.len())
        .map(|j| {
            let c = norm(a.entries(j).1);
            (c * x[j]).min(g[j] / c).abs() / norm(b)
        })
        .fold(0.0, f64::max)
}

/// The flow needs tens of thousands of products for these, and faces do not settle.
#[test]
fn a_blurred_image() {
    for (side, sigma, noise, most) in [(90, 1.2, 0.01, 2500.0), (80, 1.5, 0.05, 2500.0)] {
        let a = blur(side, sigma);
        let b = discs(&a, side, noise, 3);
        let s = nnls(&a, &b).unwrap();
        let told = format!("side {side}: {s} by {}, {} passes", s.phase, s.counts.passes);
        assert!(s.status.is_solved() && s.phase == Phase::InteriorPoint, "{told}");
        assert!(
            s.x.iter().all(|v| *v >= 0.0) && residual(&a, &b, &s.x) <= 1.01e-8,
            "{told}"
        );
        assert!(s.counts.passes < most, "{told}");
        // what its multiplier holds down is zero, not small
        let zeros = s.x.iter().filter(|v| **v == 0.0).count();
        assert!(zeros > side * side / 10, "{told}, {zeros} zeros");
    }
}

/// Small problems of all kinds, in every storage: the answer of the active set.
#[test]
fn small_problems_in_every_storage() {
    let normals: Vec<f64> = Random::new(9).normals(40 * 40);
    let normal = |i: usize, j: usize| normals[i * 40 + j];
    let cases = [
        case("tall", 40, 15, 0.5, 1, normal),
        case("square", 25, 25, 0.1, 2, normal),
        case("wide", 12, 40, 0.1, 3, normal),
        case("mean 3", 40, 30, 0.1, 4, |i, j| 3.0 + normal(i, j)),
        case("equal and zero columns", 40, 30, 0.3, 5, |i, j| match j % 6 {
            0 => 0.0,
            1 => normal(i, 1),
            _ => normal(i, j),
        }),
        case("scaled columns", 40, 20, 0.3, 6, |i, j| {
            normal(i, j) * 10f64.powi(j as i32 % 9 - 4)
        }),
        case("one column", 7, 1, 0.3, 7, normal),
        // Aᵀb ≤ 0: the answer is zero
        Case {
            b: vec![-1.0; 30],
            ..case("nothing to gain", 30, 20, 0.0, 8, |i, j| normal(i, j).abs())
        },
    ];
    for case in cases {
        let exact = Nnls::new(&Dense::row_major(&case.a, case.m, case.n).unwrap())
            .strategy(Strategy::ActiveSet)
            .solve(&case.b)
            .unwrap();
        let triplets: Vec<(usize, usize, f64)> = (0..case.m * case.n)
            .map(|k| (k / case.n, k % case.n, case.a[k]))
            .collect();
        let dense = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let sparse = SparseColumns::from_triplets(case.m, case.n, &triplets).unwrap();
        let products = MatrixFree::new(
            case.m,
            case.n,
            |x: &[f64], y: &mut [f64]| dense.apply(x, y),
            |y: &[f64], x: &mut [f64]| dense.apply_adjoint(y, x),
        );
        let operators: [&dyn LinearOperator<f64>; 3] = [&dense, &sparse, &products];
        for (k, a) in operators.into_iter().enumerate() {
            let s = Nnls::new(a)
                .strategy(Strategy::InteriorPoint)
                .solve(&case.b)
                .unwrap();
            let judged = judge(&case, &s.x);
            let told = format!("{}, storage {k}: {s}, {}", case.name, judged.rho);
            assert!(
                s.status.is_solved() && judged.feasible && judged.rho <= 1.01e-8,
                "{told}"
            );
            let size: f64 = case.b.iter().map(|v| v * v).sum();
            assert!((s.objective - exact.objective).abs() <= 1e-9 * size, "{told}");
        }
    }
}

/// One thread or more: the same bits, with as many columns as threads are used for.
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let side = 66;
    let a = blur(side, 1.2);
    let b = discs(&a, side, 0.02, 5);
    let with = |threads: usize| {
        let solver = Nnls::new(&a)
            .strategy(Strategy::InteriorPoint)
            .max_iterations(200);
        crate::threads::with_threads(threads, || solver.solve(&b).unwrap())
    };
    let one = with(1);
    assert!(one.objective < 0.5 * b.iter().map(|v| v * v).sum::<f64>());
    for threads in [2, 4] {
        let more = with(threads);
        assert_eq!((&one.x, one.counts), (&more.x, more.counts), "{threads} threads");
    }
}

/// A limit at any place: a feasible point that is no worse than zero, and the limit's status.
#[test]
fn stopped_anywhere() {
    let side = 24;
    let a = blur(side, 1.2);
    let b = discs(&a, side, 0.02, 6);
    let zero = 0.5 * b.iter().map(|v| v * v).sum::<f64>();
    let solver = Nnls::new(&a).strategy(Strategy::InteriorPoint);
    let whole = solver.clone().solve(&b).unwrap();
    assert!(whole.status.is_solved(), "{whole}");
    let check = |s: &Solution<f64>, status: Status, told: &str| {
        assert_eq!(s.status, status, "{told}");
        assert!(s.x.iter().all(|v| *v >= 0.0 && v.is_finite()), "{told}");
        assert!(
            s.objective <= zero && s.objective >= whole.objective * (1.0 - 1e-9),
            "{told}"
        );
    };
    for k in (0..whole.iterations).step_by(7) {
        let s = solver.clone().max_iterations(k).solve(&b).unwrap();
        assert!(s.iterations <= k);
        check(&s, Status::IterationLimit, &format!("{k} iterations"));
    }
    let s = solver.clone().time_limit(Duration::ZERO).solve(&b).unwrap();
    check(&s, Status::TimeLimit, "no time");
    let token = CancelToken::new();
    token.cancel();
    check(
        &solver.cancel_token(token).solve(&b).unwrap(),
        Status::Cancelled,
        "cancelled",
    );
}
