//! Every reference problem, through every door: judged from A, b and x alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::{Case, assert_solves, exact_cases, history_cases, judge, real_cases};
use approx::assert_abs_diff_eq;
use reparam::nnls::Strategy;
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::{Nnls, Solution, nnls};

fn sparse(case: &Case) -> SparseColumns<f64> {
    let mut t = Vec::new();
    for i in 0..case.m {
        for j in 0..case.n {
            if case.at(i, j) != 0.0 {
                t.push((i, j, case.at(i, j)));
            }
        }
    }
    SparseColumns::from_triplets(case.m, case.n, &t).unwrap()
}

fn by_products(case: &Case) -> impl LinearOperator<f64> + use<> {
    let (a, n) = (case.a.clone(), case.n);
    let a2 = a.clone();
    MatrixFree::new(
        case.m,
        case.n,
        move |x: &[f64], y: &mut [f64]| {
            for (yi, row) in y.iter_mut().zip(a.chunks_exact(n)) {
                *yi = row.iter().zip(x).map(|(p, q)| p * q).sum();
            }
        },
        move |y: &[f64], x: &mut [f64]| {
            x.fill(0.0);
            for (yi, row) in y.iter().zip(a2.chunks_exact(n)) {
                for (xj, p) in x.iter_mut().zip(row) {
                    *xj += p * yi;
                }
            }
        },
    )
}

/// The certificate must agree with what the judge finds.
fn check_claims(case: &Case, s: &Solution<f64>, context: &str) {
    let v = judge(case, &s.x);
    let at = format!("{} ({context})", case.name);
    assert!(s.status.is_solved(), "{at}: {}", s.status);
    assert!(
        (s.certificate.natural_residual - v.rho).abs() <= 1e-12,
        "{at}: claims ρ = {:e}, is {:e}",
        s.certificate.natural_residual,
        v.rho
    );
    assert_eq!(s.certificate.violation, 0.0, "{at}");
    let b_norm = (2.0 * v.half_b).sqrt() * 2.0_f64.powi(v.exponent);
    for (r, q) in s.residual.iter().zip(&v.residual) {
        assert!(
            (r + q).abs() <= 1e-11 * b_norm,
            "{at}: residual {r:e} against {:e}",
            -q
        );
    }
    assert!(s.certificate.gap >= 0.0, "{at}");
    if let (Some(f), true) = (case.objective, s.certificate.gap.is_finite()) {
        // the bound must hold: f(x) − f* ≤ gap, up to the rounding of f
        assert!(
            s.objective - f <= s.certificate.gap + 1e-14 * f.max(s.objective),
            "{at}: gap {:e}",
            s.certificate.gap
        );
    }
    assert!(
        s.x.iter().all(|x| *x == 0.0 || x.is_sign_positive()),
        "{at}: a negative zero or entry"
    );
}

/// Where the answer is unique, x itself, within what its conditioning allows.
fn check_x(case: &Case, x: &[f64], context: &str) {
    let (true, Some(cond)) = (case.unique, case.cond_support) else {
        return;
    };
    if cond > 1e8 {
        return;
    }
    let norm = |v: &mut dyn Iterator<Item = f64>| v.fold(0.0_f64, f64::hypot);
    let b = norm(&mut case.b.iter().copied());
    if b == 0.0 {
        return assert!(x.iter().all(|v| *v == 0.0), "{} ({context})", case.name);
    }
    // with f* = 0 every multiplier vanishes: the conditioning of the support alone says nothing
    let epsilon = if case.objective == Some(0.0) {
        1e-10
    } else {
        1e-14 * (10.0 + cond)
    };
    for j in 0..case.n {
        let c = norm(&mut (0..case.m).map(|i| case.at(i, j)));
        // in units of the column: how much of b the coordinate explains
        assert_abs_diff_eq!(c * x[j] / b, c * case.x[j] / b, epsilon = epsilon);
        if case.objective != Some(0.0) && !case.degenerate.contains(&j) {
            // off the face an exact zero, not 1e-17
            let zero = case.x[j] == 0.0 || (c * x[j] / b).abs() < 1e-14;
            assert_eq!(
                x[j] == 0.0,
                zero,
                "{} ({context}): x[{j}] = {:e}",
                case.name,
                x[j]
            );
        }
    }
}

fn solve_every_way(cases: &[Case]) -> f64 {
    let mut worst = 0.0_f64;
    for case in cases {
        let columns = case.column_major();
        let by_columns = Dense::column_major(&columns, case.m, case.n).unwrap();
        let by_rows = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let matrix = nalgebra::DMatrix::from_row_slice(case.m, case.n, &case.a);
        let answers = [
            ("column-major", nnls(&by_columns, &case.b).unwrap()),
            ("row-major", nnls(&by_rows, &case.b).unwrap()),
            ("nalgebra", nnls(&matrix, &case.b).unwrap()),
            ("sparse", nnls(&sparse(case), &case.b).unwrap()),
            ("products", nnls(&by_products(case), &case.b).unwrap()),
            (
                "active set",
                Nnls::new(&by_columns)
                    .strategy(Strategy::ActiveSet)
                    .solve(&case.b)
                    .unwrap(),
            ),
        ];
        for (how, s) in &answers {
            worst = worst.max(assert_solves(case, &s.x, how));
            check_claims(case, s, how);
            check_x(case, &s.x, how);
        }
    }
    worst
}

#[test]
fn exact_problems() {
    let cases = exact_cases();
    assert_eq!(cases.len(), 60);
    let worst = solve_every_way(&cases);
    println!("60 exact problems, worst ρ = {worst:.1e}");
}

#[test]
fn historic_failures() {
    let cases = history_cases();
    assert_eq!(cases.len(), 12);
    let worst = solve_every_way(&cases);
    println!("12 historic failures, worst ρ = {worst:.1e}");
}

#[test]
fn real_measurements() {
    let cases = real_cases();
    assert_eq!(cases.len(), 47);
    let worst = solve_every_way(&cases);
    println!("47 real problems, worst ρ = {worst:.1e}");
}
