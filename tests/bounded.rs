//! Least squares over bounds and a sum: reference problems with proven answers, and properties of random ones, judged
//! from A, b and x alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "common/polyhedra.rs"]
mod polyhedra;

use polyhedra::{Problem, Set, judge, problems};
use proptest::prelude::*;
use reparam::bounded::{BoundedLeastSquares, Strategy as Choice};
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{CancelToken, Error, Limits, Phase, Solution, Status};
use std::time::Duration;

const INF: f64 = f64::INFINITY;

fn builder<'a, A: LinearOperator<f64> + ?Sized>(a: &'a A, set: &Set) -> BoundedLeastSquares<'a, f64, A> {
    match set {
        Set::Bounds { lo, hi, sum } => {
            let solver = BoundedLeastSquares::new(a, lo, hi);
            match sum {
                None => solver,
                Some((part, r)) if part.len() == lo.len() => solver.sum(*r),
                Some((part, r)) => solver.sum_over(part, *r),
            }
        }
        Set::Capped(r) => BoundedLeastSquares::capped_simplex(a, *r),
        Set::L1(r) => BoundedLeastSquares::l1_ball(a, *r),
        Set::Monotone(lo, hi) => BoundedLeastSquares::monotone(a, *lo, *hi),
    }
}

fn by_products(p: &Problem) -> impl LinearOperator<f64> + use<> {
    let (a, n) = (p.a.clone(), p.n);
    let a2 = a.clone();
    MatrixFree::new(
        p.m,
        p.n,
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

fn solve(p: &Problem) -> Solution<f64> {
    builder(&Dense::row_major(&p.a, p.m, p.n).unwrap(), &p.set)
        .solve(&p.b)
        .unwrap()
}

/// What the answer says of itself must be what the judge finds.
fn check_claims(p: &Problem, s: &Solution<f64>, context: &str) -> f64 {
    let v = judge(p, &s.x);
    let at = format!("{} ({context})", p.name);
    assert!(s.status.is_solved(), "{at}: {}", s.status);
    assert_eq!(v.bounds, 0.0, "{at}: {:?}", s.x);
    assert!(v.sum <= 1e-15, "{at}: sum off by {:e}", v.sum);
    assert!(v.rho <= 1e-10, "{at}: ρ = {:e}", v.rho);
    if matches!(p.set, Set::Bounds { .. }) {
        let difference = (s.certificate.natural_residual - v.rho).abs();
        assert!(
            difference <= 1e-12,
            "{at}: claims ρ = {:e}, is {:e}",
            s.certificate.natural_residual,
            v.rho
        );
    }
    assert!(s.certificate.gap >= 0.0, "{at}");
    v.rho
}

#[test]
fn reference_problems() {
    let all = problems();
    assert_eq!(all.len(), 34);
    let (mut worst, mut worst_x) = (0.0_f64, 0.0_f64);
    for p in &all {
        let columns = p.column_major();
        let by_columns = Dense::column_major(&columns, p.m, p.n).unwrap();
        let by_rows = Dense::row_major(&p.a, p.m, p.n).unwrap();
        let sparse = SparseColumns::from_triplets(p.m, p.n, &p.triplets()).unwrap();
        let products = by_products(p);
        let mut answers = vec![
            ("columns", builder(&by_columns, &p.set).solve(&p.b).unwrap()),
            ("rows", builder(&by_rows, &p.set).solve(&p.b).unwrap()),
            ("sparse", builder(&sparse, &p.set).solve(&p.b).unwrap()),
            ("products", builder(&products, &p.set).solve(&p.b).unwrap()),
        ];
        for (name, strategy) in [
            ("active set", Choice::ActiveSet),
            ("working set", Choice::WorkingSet),
        ] {
            let solver = builder(&by_columns, &p.set).strategy(strategy);
            answers.push((name, solver.solve(&p.b).unwrap()));
        }
        for (how, s) in &answers {
            if *how == "working set" {
                // this one stops where the tolerance is met
                assert!(s.status.is_solved(), "{}: {s}", p.name);
                continue;
            }
            worst = worst.max(check_claims(p, s, how));
            let v = judge(p, &s.x);
            let excess = v.objective - p.objective;
            assert!(
                excess <= 1e-9 * p.objective + 1e-18 * v.half_b,
                "{} ({how}): f = {:e}, reference {:e}",
                p.name,
                v.objective,
                p.objective
            );
            if s.certificate.gap.is_finite() {
                assert!(
                    excess <= s.certificate.gap + 1e-14 * v.objective.max(p.objective) + 1e-28 * v.half_b,
                    "{} ({how}): gap {:e}, excess {excess:e}",
                    p.name,
                    s.certificate.gap
                );
            }
            if p.unique {
                let size = p.x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                for (x, y) in s.x.iter().zip(&p.x) {
                    let off = (x - y).abs();
                    assert!(off <= 1e-10 * size.max(1.0), "{} ({how}): {x:e} {y:e}", p.name);
                    worst_x = worst_x.max(off / size.max(1.0));
                }
            }
            if let Set::Bounds { lo, hi, .. } = &p.set {
                for j in 0..p.n {
                    // held by a bound in the reference: there exactly, unless rounding decides because nothing pulls
                    let pull = s.certificate.multipliers[j].abs();
                    if p.unique && (p.x[j] == lo[j] || p.x[j] == hi[j]) {
                        assert!(
                            s.x[j] == p.x[j] || pull <= 1e-14 * v.half_b.sqrt(),
                            "{} ({how}): x[{j}] = {:e}, not at {:e}",
                            p.name,
                            s.x[j],
                            p.x[j]
                        );
                    }
                }
            }
        }
    }
    println!("34 reference problems, worst ρ = {worst:.1e}, worst error of x = {worst_x:.1e}");
}
