//! Least squares over bounds and a sum: reference problems with proven answers, and properties of random ones, judged
//! from A, b and x alone.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::polyhedra::{Problem, Set, judge, problems};
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
    let difference = (s.certificate.natural_residual - v.rho).abs();
    assert!(
        difference <= 1e-12,
        "{at}: claims ρ = {:e}, is {:e}",
        s.certificate.natural_residual,
        v.rho
    );
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

// ---- random problems ----------------------------------------------------------------------------------------------

/// A random matrix: 0 normal, 1 small integers (ties), 2 positive, 3 low rank, 4 copies and multiples of columns,
/// 5 nearly equal columns, 6 columns of very different size, 7 a Hilbert matrix.
fn matrix(q: &mut Random, kind: u64, m: usize, n: usize) -> Vec<f64> {
    let pick = |q: &mut Random, k: usize| usize::try_from(q.bits() % k as u64).unwrap();
    let mut a: Vec<f64> = (0..m * n)
        .map(|_| match kind {
            1 => (q.bits() % 5) as f64 - 2.0,
            2 => q.uniform(),
            _ => q.normal(),
        })
        .collect();
    match kind {
        3 => {
            let k = 1 + pick(q, m.min(n));
            let (u, v): (Vec<f64>, Vec<f64>) = (q.normals(m * k), q.normals(k * n));
            for i in 0..m {
                for j in 0..n {
                    a[i * n + j] = (0..k).map(|l| u[i * k + l] * v[l * n + j]).sum();
                }
            }
        }
        4 | 5 => {
            for j in 1..n {
                if q.bits().is_multiple_of(2) {
                    let (from, factor) = (pick(q, j), [1.0, -1.0, 2.0, 0.37][pick(q, 4)]);
                    for i in 0..m {
                        let noise = if kind == 5 { 1e-8 * q.normal::<f64>() } else { 0.0 };
                        a[i * n + j] = if kind == 5 { 1.0 } else { factor } * a[i * n + from] + noise;
                    }
                }
            }
        }
        6 => {
            for j in 0..n {
                let factor = 10.0_f64.powi(pick(q, 5) as i32 - 2);
                (0..m).for_each(|i| a[i * n + j] *= factor);
            }
        }
        7 => (0..m * n).for_each(|k| a[k] = 1.0 / ((k / n + k % n + 1) as f64)),
        _ => {}
    }
    if q.bits().is_multiple_of(4) {
        let j = pick(q, n);
        (0..m).for_each(|i| a[i * n + j] = 0.0);
    }
    a
}

/// Bounds of one style and a point between them, often at a bound: 0 orthant, 1 [0, w], 2 around a centre, 3 a mixture
/// with free, one-sided and fixed coordinates, 4 small integers, 5 narrow and far from zero.
fn bounds(q: &mut Random, style: u64, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut lo, mut hi, mut x) = (vec![], vec![], vec![]);
    for _ in 0..n {
        let (c, w): (f64, f64) = (q.normal(), 2.0 * q.uniform::<f64>());
        let (l, h) = match style {
            0 => (0.0, INF),
            1 => (0.0, w),
            2 => (c - w, c + w),
            3 => {
                [(-INF, INF), (c, INF), (-INF, c), (c, c), (c - w, c)][usize::try_from(q.bits() % 5).unwrap()]
            }
            4 => (-((q.bits() % 4) as f64), (q.bits() % 3) as f64),
            _ => (1e3 + c, 1e3 + c + 1e-6 * w),
        };
        let u = [0.0, 1.0, q.uniform()][usize::try_from(q.bits() % 3).unwrap()];
        x.push(match (l.is_finite(), h.is_finite()) {
            (true, true) => (l + u * (h - l)).clamp(l, h),
            (true, false) => l + u,
            (false, true) => h - u,
            _ => c,
        });
        lo.push(l);
        hi.push(h);
    }
    (lo, hi, x)
}

fn random_problem(seed: u64, m: usize, n: usize, kind: u64, style: u64, set: u64, rhs: u64) -> Problem {
    let q = &mut Random::new(seed);
    let a = matrix(q, kind, m, n);
    let (lo, hi, mut inside) = bounds(q, style, n);
    let total = |x: &[f64], part: &[usize]| part.iter().map(|j| x[*j]).sum::<f64>();
    let all: Vec<usize> = (0..n).collect();
    let r = 0.1 + q.uniform::<f64>();
    let set = match set {
        0 => Set::Bounds { lo, hi, sum: None },
        1 => Set::Bounds {
            sum: Some((all.clone(), total(&inside, &all))),
            lo,
            hi,
        },
        2 => {
            let part: Vec<usize> = all.iter().copied().filter(|j| j % 2 == 0).collect();
            Set::Bounds {
                sum: Some((part.clone(), total(&inside, &part))),
                lo,
                hi,
            }
        }
        // all of them at their lower bounds: one feasible point
        3 if lo.iter().all(|l| l.is_finite()) => {
            inside.copy_from_slice(&lo);
            Set::Bounds {
                sum: Some((all.clone(), total(&lo, &all))),
                lo,
                hi,
            }
        }
        4 => Set::Capped(r),
        5 => Set::L1(r),
        _ => {
            let low = [-INF, -0.5][usize::try_from(seed % 2).unwrap()];
            let high = [INF, 0.5, low.max(0.0)][usize::try_from(seed % 3).unwrap()];
            Set::Monotone(low, high)
        }
    };
    if !matches!(set, Set::Bounds { .. }) {
        inside = vec![0.0; n];
    }
    let mut b: Vec<f64> = q.normals(m);
    if rhs > 0 {
        // almost or exactly consistent with a point on the boundary: degenerate
        let noise = if rhs == 1 { 0.0 } else { 1e-3 };
        for i in 0..m {
            b[i] = noise * b[i] + (0..n).map(|j| a[i * n + j] * inside[j]).sum::<f64>();
        }
    }
    Problem {
        name: format!("seed {seed}, {m}x{n}, matrix {kind}, bounds {style}, rhs {rhs}"),
        m,
        n,
        a,
        b,
        set,
        x: vec![],
        objective: 0.0,
        unique: false,
    }
}

fn problem() -> impl Strategy<Value = Problem> {
    (
        0u64..1_000_000,
        1usize..16,
        1usize..16,
        0u64..8,
        0u64..6,
        0u64..7,
        0u64..3,
    )
        .prop_map(|(seed, m, n, kind, style, set, rhs)| random_problem(seed, m, n, kind, style, set, rhs))
}

/// ½‖b‖² and ½ max ‖a_j x_j‖²: the size of what rounding works on.
fn size(p: &Problem, x: &[f64]) -> f64 {
    let terms = (0..p.n).map(|j| p.column(j).iter().map(|a| (a * x[j]).powi(2)).sum::<f64>());
    0.5 * terms.fold(p.b.iter().map(|v| v * v).sum::<f64>(), f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Feasible, optimal, and what it says of itself is true.
    #[test]
    fn the_answer_is_a_solution(p in problem()) {
        let s = solve(&p);
        let v = judge(&p, &s.x);
        prop_assert_eq!(v.bounds, 0.0);
        prop_assert!(v.sum <= 1e-15, "{}: {:e}", p.name, v.sum);
        prop_assert!(v.relative <= 1e-10, "{} {:?}: ρ = {:e}, {:e}; {}", p.name, p.set, v.rho, v.relative, s);
        // where b is much smaller than A x, rounding may keep ρ above the tolerance: then that is what is said
        let ratio = if v.half_b > 0.0 { (size(&p, &s.x) / v.half_b).sqrt() } else { 1.0 };
        if ratio < 1e3 {
            prop_assert!(s.status.is_solved(), "{}: {}", p.name, s.status);
        }
        if s.status.is_solved() && matches!(p.set, Set::Bounds { .. }) {
            prop_assert!(v.rho <= 1e-8 + 1e-11 * ratio, "{}: {:e}", p.name, v.rho);
            prop_assert!((s.certificate.natural_residual - v.rho).abs() <= 1e-11 * ratio);
        }
        prop_assert!(s.certificate.gap >= 0.0);
    }

    /// The multipliers are those of a Lagrange point: with the sum they have the right signs where x is at its bounds.
    #[test]
    fn multipliers_have_the_right_signs(p in problem()) {
        let Set::Bounds { lo, hi, .. } = &p.set else { return Ok(()) };
        let s = solve(&p);
        let scale = size(&p, &s.x).sqrt();
        for j in 0..p.n {
            let c = p.column(j).iter().map(|v| v * v).sum::<f64>().sqrt();
            let mu = s.certificate.multipliers[j];
            let noise = 1e-11 * c * scale + 1e-300;
            if c > 0.0 && lo[j] < hi[j] {
                // what only makes up for the rounding of the sum is at its bound as far as this goes
                let at = |bound: f64| (s.x[j] - bound).abs() <= 1e-13 * (1.0 + bound.abs());
                prop_assert!(at(lo[j]) || mu <= noise, "{}: {j} {mu:e}", p.name);
                prop_assert!(at(hi[j]) || mu >= -noise, "{}: {j} {mu:e}", p.name);
            }
        }
    }

    /// No door and no method leads to a better objective, and none to an infeasible point.
    #[test]
    fn doors_and_methods_agree(p in problem()) {
        let s = solve(&p);
        let columns = p.column_major();
        let dense = Dense::column_major(&columns, p.m, p.n).unwrap();
        let sparse = SparseColumns::from_triplets(p.m, p.n, &p.triplets()).unwrap();
        let products = by_products(&p);
        let many: Vec<f64> = p.b.repeat(6);
        let mut answers = vec![
            builder(&dense, &p.set).solve(&p.b).unwrap(),
            builder(&sparse, &p.set).solve(&p.b).unwrap(),
            builder(&products, &p.set).solve(&p.b).unwrap(),
        ];
        answers.extend(builder(&dense, &p.set).solve_many(&many).unwrap());
        for strategy in [Choice::ActiveSet, Choice::BlockExchange, Choice::WorkingSet, Choice::AcceleratedGradient] {
            let solver = builder(&dense, &p.set).strategy(strategy).max_iterations(2000);
            answers.push(solver.solve(&p.b).unwrap());
        }
        let room = size(&p, &s.x);
        for t in answers {
            let v = judge(&p, &t.x);
            prop_assert!(v.bounds == 0.0 && v.sum <= 1e-15, "{}: {:?} {}", p.name, v, t.phase);
            prop_assert!(v.objective >= s.objective * (1.0 - 1e-9) - 1e-17 * room, "{}: {:e} {:e} {}", p.name, v.objective, s.objective, t.phase);
            if s.certificate.gap.is_finite() {
                // (the rounding of A x changes f by ‖r‖ times that)
                let rounding = 1e-15 * (v.objective * room).sqrt();
                prop_assert!(s.objective - v.objective <= s.certificate.gap + rounding + 1e-13 * s.objective + 1e-26 * room);
            }
        }
    }

    /// Powers of two on A, b and x change no mantissa anywhere, so the answer scales exactly.
    #[test]
    fn powers_of_two(p in problem(), on_a in -300i32..300, on_b in -300i32..300) {
        let Set::Bounds { lo, hi, sum } = &p.set else { return Ok(()) };
        let s = solve(&p);
        let two = |e: i32| 2.0_f64.powi(e);
        let on_x = on_b - on_a;
        let mut other = p.clone();
        other.a.iter_mut().for_each(|v| *v *= two(on_a));
        other.b.iter_mut().for_each(|v| *v *= two(on_b));
        let scaled = |v: &[f64]| v.iter().map(|v| v * two(on_x)).collect::<Vec<_>>();
        other.set = Set::Bounds { lo: scaled(lo), hi: scaled(hi), sum: sum.as_ref().map(|(part, r)| (part.clone(), r * two(on_x))) };
        let t = solve(&other);
        prop_assert_eq!(t.status, s.status);
        // (over x ≥ 0 single columns of extreme size are scaled, which decides between columns that are multiples of each other)
        let is_non_negative = sum.is_none() && lo.iter().all(|l| *l == 0.0) && hi.iter().all(|h| *h == f64::INFINITY);
        if is_non_negative && on_a.abs() > 100 {
            let wanted = s.objective * two(2 * on_b);
            prop_assert!((t.objective - wanted).abs() <= 1e-12 * wanted.max(size(&other, &t.x)));
            return Ok(());
        }
        for j in 0..p.n {
            prop_assert_eq!(t.x[j], s.x[j] * two(on_x), "{}: coordinate {}", p.name, j);
        }
        prop_assert_eq!(t.certificate.natural_residual, s.certificate.natural_residual);
    }

    /// Powers of two on single columns: without a sum the same holds column by column.
    #[test]
    fn powers_of_two_on_columns(p in problem(), shifts in prop::collection::vec(-60i32..60, 16)) {
        let Set::Bounds { lo, hi, sum: None } = &p.set else { return Ok(()) };
        let s = solve(&p);
        let two = |e: i32| 2.0_f64.powi(e);
        let mut other = p.clone();
        for i in 0..p.m {
            for j in 0..p.n {
                other.a[i * p.n + j] *= two(shifts[j]);
            }
        }
        let scaled = |v: &[f64]| v.iter().enumerate().map(|(j, v)| v * two(-shifts[j])).collect::<Vec<_>>();
        other.set = Set::Bounds { lo: scaled(lo), hi: scaled(hi), sum: None };
        let t = solve(&other);
        for j in 0..p.n {
            prop_assert_eq!(t.x[j], s.x[j] * two(-shifts[j]), "{}: coordinate {}", p.name, j);
        }
    }

    /// Stopped after any number of iterations: feasible, no worse than the start, and the status says why.
    #[test]
    fn iteration_limits(p in problem(), limit in 0usize..12) {
        let a = Dense::row_major(&p.a, p.m, p.n).unwrap();
        for strategy in [Choice::Auto, Choice::BlockExchange, Choice::ActiveSet, Choice::WorkingSet, Choice::AcceleratedGradient] {
            let solver = builder(&a, &p.set).strategy(strategy);
            let start = solver.clone().max_iterations(0).solve(&p.b).unwrap();
            let s = solver.max_iterations(limit).solve(&p.b).unwrap();
            let (v, first) = (judge(&p, &s.x), judge(&p, &start.x));
            prop_assert!(v.bounds == 0.0 && v.sum <= 1e-15, "{}: {v:?}", p.name);
            prop_assert!(v.objective <= first.objective + 1e-12 * ((first.objective + size(&p, &s.x) * 1e-26) * size(&p, &s.x)).sqrt(), "{} {strategy:?}: {:e} > {:e}", p.name, v.objective, first.objective);
            prop_assert!(s.iterations <= limit);
            let limited = [Status::Solved, Status::IterationLimit, Status::Stalled];
            prop_assert!(limited.contains(&s.status), "{}", s.status);
        }
    }

    /// From any feasible start to the same objective; a solution as start is kept.
    #[test]
    fn warm_starts(p in problem(), other in 0u64..1000) {
        let a = Dense::row_major(&p.a, p.m, p.n).unwrap();
        let s = solve(&p);
        let b: Vec<f64> = Random::new(other).normals(p.m);
        let elsewhere = builder(&a, &p.set).solve(&b).unwrap().x;
        for strategy in [Choice::Auto, Choice::ActiveSet] {
            for x in [&elsewhere, &s.x] {
                let t = builder(&a, &p.set).strategy(strategy).start(x).solve(&p.b).unwrap();
                let v = judge(&p, &t.x);
                prop_assert!(v.bounds == 0.0 && v.sum <= 1e-15, "{}", p.name);
                // b = 0: nothing but x itself to compare rounding with
                let tiny = v.half_b == 0.0 && v.objective <= 1e-26 * size(&p, x);
                prop_assert!(tiny || v.relative <= 1e-8, "{} {strategy:?} {:?}: {:e} {}", p.name, p.set, v.relative, t);
            }
        }
    }

    #[test]
    fn single_precision(p in problem()) {
        let Set::Bounds { lo, hi, sum } = &p.set else { return Ok(()) };
        let short = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let long = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (a, b, lo, hi) = (short(&p.a), short(&p.b), short(lo), short(hi));
        let matrix = Dense::row_major(&a, p.m, p.n).unwrap();
        let mut solver = BoundedLeastSquares::new(&matrix, &lo, &hi);
        let sum = sum.as_ref().map(|(part, r)| (part.clone(), *r as f32));
        if let Some((part, r)) = &sum {
            solver = solver.sum_over(part, *r);
        }
        let s = match solver.solve(&b) {
            Ok(s) => s,
            // rounding may have emptied the set
            Err(Error::Infeasible { .. } | Error::CrossedBounds { .. }) => return Ok(()),
            Err(e) => return Err(TestCaseError::fail(e.to_string())),
        };
        let rounded = Problem {
            a: long(&a),
            b: long(&b),
            set: Set::Bounds { lo: long(&lo), hi: long(&hi), sum: sum.map(|(part, r)| (part, f64::from(r))) },
            ..p
        };
        let v = judge(&rounded, &long(&s.x));
        prop_assert!(v.bounds == 0.0 && v.sum <= 1e-6, "{}: {v:?}", rounded.name);
        prop_assert!(v.relative <= 1e-3, "{} {:?}: ρ = {:e} {}", rounded.name, rounded.set, v.relative, s);
    }

    #[test]
    fn lower_zero_is_nnls(seed in 0u64..1_000_000, m in 1usize..16, n in 1usize..16, kind in 0u64..8, rhs in 0u64..3) {
        let p = random_problem(seed, m, n, kind, 0, 0, rhs);
        let a = Dense::row_major(&p.a, m, n).unwrap();
        let (s, t) = (solve(&p), reparam::nnls(&a, &p.b).unwrap());
        prop_assert!((s.objective - t.objective).abs() <= 1e-9 * t.objective + 1e-17 * size(&p, &t.x), "{}: {:e} {:e}", p.name, s.objective, t.objective);
    }
}

// ---- large, stopped, wrong ------------------------------------------------------------------------------------------

fn sparse_matrix(m: usize, n: usize, per_column: usize, q: &mut Random) -> SparseColumns<f64> {
    let mut triplets = Vec::new();
    for j in 0..n {
        for _ in 0..per_column {
            triplets.push((
                usize::try_from(q.bits() % m as u64).unwrap(),
                j,
                q.normal::<f64>(),
            ));
        }
    }
    SparseColumns::from_triplets(m, n, &triplets).unwrap()
}

fn hidden(a: &SparseColumns<f64>) -> impl LinearOperator<f64> + '_ {
    MatrixFree::new(
        a.rows(),
        a.columns(),
        |x: &[f64], y: &mut [f64]| a.apply(x, y),
        |y: &[f64], x: &mut [f64]| a.apply_adjoint(y, x),
    )
}

/// Large enough for the sparse path and the path by products proper.
/// Two nearly parallel columns: coordinate descent creeps along the valley, the solution is a corner, and nothing is left for
/// the working set.
#[test]
fn working_sets_without_members() {
    let (c, s) = (0.01_f64.cos(), 0.01_f64.sin());
    let a = SparseColumns::from_triplets(2, 2, &[(0, 0, 1.0), (0, 1, c), (1, 1, s)]).unwrap();
    let b = [5.0 * (1.0 - c), -5.0 * s];
    let answer = BoundedLeastSquares::new(&a, &[-1.0; 2], &[1.0; 2])
        .strategy(Choice::WorkingSet)
        .solve(&b)
        .unwrap();
    assert!(answer.status.is_solved(), "{answer}");
    assert_eq!(answer.x, [1.0, -1.0]);
}

#[test]
fn large_sparse_boxes() {
    let (m, n) = (3000, 1200);
    let q = &mut Random::new(5);
    let a = sparse_matrix(m, n, 8, q);
    let b: Vec<f64> = q.normals(m);
    let (lo, hi) = (vec![-0.05; n], vec![0.08; n]);
    let s = BoundedLeastSquares::new(&a, &lo, &hi).solve(&b).unwrap();
    assert_eq!(s.phase, Phase::CoordinateDescent);
    assert!(
        s.status.is_solved() && s.certificate.gap <= 1e-6 * s.objective,
        "{s}"
    );
    let solver = BoundedLeastSquares::new(&a, &lo, &hi).tolerance(1e-13);
    let exact = solver.clone().strategy(Choice::WorkingSet).solve(&b).unwrap();
    assert!(exact.certificate.natural_residual <= 1e-13, "{exact}");
    assert!((s.objective - exact.objective).abs() <= 1e-9 * exact.objective);
    let qr = solver.clone().strategy(Choice::ActiveSet).solve(&b).unwrap();
    assert!((qr.objective - exact.objective).abs() <= 1e-13 * exact.objective);
    let products = hidden(&a);
    let free = BoundedLeastSquares::new(&products, &lo, &hi)
        .tolerance(1e-12)
        .solve(&b)
        .unwrap();
    assert!(free.status.is_solved(), "{free}");
    assert!((free.objective - exact.objective).abs() <= 1e-12 * exact.objective);
    for x in [&s.x, &exact.x, &qr.x, &free.x] {
        assert!(x.iter().all(|v| (-0.05..=0.08).contains(v)) && x.contains(&-0.05) && x.contains(&0.08));
    }
}

#[test]
fn large_sparse_simplices() {
    let (m, n) = (2500, 1500);
    let q = &mut Random::new(8);
    let a = sparse_matrix(m, n, 6, q);
    let mut truth = vec![0.0; n];
    truth.iter_mut().step_by(40).for_each(|v| *v = 1.0 / 38.0);
    let mut b = vec![0.0; m];
    a.apply(&truth, &mut b);
    b.iter_mut().for_each(|v| *v += 0.01 * q.normal::<f64>());
    let tight = BoundedLeastSquares::simplex(&a, 1.0).tolerance(1e-12);
    let s = tight.solve(&b).unwrap();
    assert_eq!(s.phase, Phase::WorkingSet, "{s}");
    assert!(
        s.status.is_solved() && s.certificate.gap <= 1e-12 * s.objective,
        "{s}"
    );
    let qr = tight.clone().strategy(Choice::ActiveSet).solve(&b).unwrap();
    assert!((s.objective - qr.objective).abs() <= 1e-12 * qr.objective, "{qr}");
    let products = hidden(&a);
    let free = BoundedLeastSquares::simplex(&products, 1.0)
        .tolerance(1e-12)
        .solve(&b)
        .unwrap();
    assert!(free.status.is_solved(), "{free}");
    assert!((free.objective - s.objective).abs() <= 1e-12 * s.objective);
    for x in [&s.x, &qr.x, &free.x] {
        assert!((x.iter().sum::<f64>() - 1.0).abs() <= 1e-15 && x.iter().all(|v| *v >= 0.0));
    }
    // the l1 ball and monotone sequences by products and sparse
    let ball = BoundedLeastSquares::l1_ball(&a, 0.5).solve(&b).unwrap();
    let free = BoundedLeastSquares::l1_ball(&products, 0.5).solve(&b).unwrap();
    assert!(
        ball.status.is_solved() && free.status.is_solved(),
        "{ball}\n{free}"
    );
    assert!((ball.objective - free.objective).abs() <= 1e-7 * ball.objective);
    assert!(ball.x.iter().map(|v| v.abs()).sum::<f64>() <= 0.5 + 1e-15);
}

#[test]
fn many_right_hand_sides_share_a_gram_matrix() {
    let (m, n, k) = (40, 25, 12);
    let q = &mut Random::new(2);
    let a = nalgebra::DMatrix::from_vec(m, n, q.normals::<f64>(m * n));
    let b: Vec<f64> = q.normals(m * k);
    let solver = BoundedLeastSquares::simplex(&a, 1.0);
    let all = solver.solve_many(&b).unwrap();
    assert_eq!(all.len(), k);
    for (s, b) in all.iter().zip(b.chunks_exact(m)) {
        let alone = solver.solve(b).unwrap();
        assert!(s.status.is_solved() && s.certificate.natural_residual <= 1e-13);
        assert!(s.x.iter().zip(&alone.x).all(|(x, y)| (x - y).abs() <= 1e-13));
        assert!((s.x.iter().sum::<f64>() - 1.0).abs() <= 4e-16);
    }
}

#[test]
fn extreme_scales() {
    let p = random_problem(4, 12, 8, 0, 1, 1, 0);
    let Set::Bounds {
        lo,
        hi,
        sum: Some((part, r)),
    } = &p.set
    else {
        unreachable!()
    };
    let base = solve(&p);
    for (on_a, on_b) in [
        (200, 0),
        (-200, 0),
        (0, 200),
        (0, -200),
        (200, 200),
        (-200, -200),
        (120, -120),
        (-120, 120),
    ] {
        let ten = |e: i32| 10.0_f64.powi(e);
        let on_x = ten(on_b - on_a);
        let mut other = p.clone();
        other.a.iter_mut().for_each(|v| *v *= ten(on_a));
        other.b.iter_mut().for_each(|v| *v *= ten(on_b));
        let scaled = |v: &[f64]| v.iter().map(|v| v * on_x).collect::<Vec<_>>();
        let (lo, hi) = (scaled(lo), scaled(hi));
        let a = Dense::row_major(&other.a, p.m, p.n).unwrap();
        let s = BoundedLeastSquares::new(&a, &lo, &hi)
            .sum_over(part, r * on_x)
            .solve(&other.b)
            .unwrap();
        assert!(
            s.status.is_solved() && s.certificate.natural_residual <= 1e-13,
            "{on_a} {on_b}: {s}"
        );
        for j in 0..p.n {
            assert!((s.x[j] / on_x - base.x[j]).abs() <= 1e-12, "{on_a} {on_b}");
            assert!(lo[j] <= s.x[j] && s.x[j] <= hi[j]);
        }
    }
    // a solution that is no number
    let a = nalgebra::dmatrix![1e-200];
    let s = BoundedLeastSquares::new(&a, &[0.0], &[INF]).solve(&[1e200]);
    assert!(matches!(s, Err(Error::Unrepresentable { index: 0 })));
    // but its bound is
    let s = BoundedLeastSquares::new(&a, &[0.0], &[1e300])
        .solve(&[1e200])
        .unwrap();
    assert_eq!((s.x[0], s.status.is_solved()), (1e300, true));
}

#[test]
fn time_and_cancellation() {
    let p = random_problem(3, 12, 9, 0, 1, 1, 0);
    let a = Dense::row_major(&p.a, p.m, p.n).unwrap();
    let solver = builder(&a, &p.set);
    let s = solver.clone().time_limit(Duration::ZERO).solve(&p.b).unwrap();
    assert_eq!(
        (s.status, s.phase, s.iterations),
        (Status::TimeLimit, Phase::Start, 0)
    );
    let v = judge(&p, &s.x);
    assert!(v.bounds == 0.0 && v.sum <= 1e-15 && v.rho > 0.0);
    let token = CancelToken::new();
    token.cancel();
    let start = builder(&a, &p.set).solve(&[1.0; 12]).unwrap().x;
    let limits = Limits {
        cancel: Some(token),
        ..Limits::default()
    };
    let s = solver.clone().limits(limits).start(&start).solve(&p.b).unwrap();
    assert_eq!((s.status, s.x), (Status::Cancelled, start));
    // a start that is the solution is recognised even when no time is left
    let x = solver.solve(&p.b).unwrap().x;
    assert!(
        solver
            .start(&x)
            .time_limit(Duration::ZERO)
            .solve(&p.b)
            .unwrap()
            .status
            .is_solved()
    );
}

#[test]
fn what_is_wrong_is_named() {
    let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0];
    let b = [1.0; 3];
    let solve = |lo: &[f64], hi: &[f64]| BoundedLeastSquares::new(&a, lo, hi).solve(&b);
    for (lo, hi, at) in [
        ([0.0, 2.0], [1.0, 1.0], 1),
        ([f64::NAN, 0.0], [1.0, 1.0], 0),
        ([0.0, 0.0], [1.0, f64::NAN], 1),
        ([INF, 0.0], [INF, 1.0], 0),
        ([0.0, -INF], [1.0, -INF], 1),
    ] {
        assert!(matches!(solve(&lo, &hi), Err(Error::CrossedBounds { index, .. }) if index == at));
    }
    assert!(matches!(
        solve(&[0.0], &[1.0, 1.0]),
        Err(Error::Dimension {
            what: "the lower bounds",
            expected: 2,
            found: 1
        })
    ));
    assert!(matches!(
        solve(&[0.0; 2], &[1.0; 3]),
        Err(Error::Dimension {
            what: "the upper bounds",
            expected: 2,
            found: 3
        })
    ));
    let between = BoundedLeastSquares::new(&a, &[0.0, 0.5], &[1.0, 1.0]);
    assert!(matches!(
        between.clone().sum(0.4).solve(&b),
        Err(Error::Infeasible { .. })
    ));
    assert!(matches!(
        between.clone().sum(2.1).solve(&b),
        Err(Error::Infeasible { .. })
    ));
    for r in [f64::NAN, INF] {
        assert!(matches!(
            between.clone().sum(r).solve(&b),
            Err(Error::Setting { name: "sum", .. })
        ));
    }
    assert!(matches!(
        between.clone().sum_over(&[], 1.0).solve(&b),
        Err(Error::Setting { .. })
    ));
    assert!(matches!(
        between.clone().sum_over(&[2], 1.0).solve(&b),
        Err(Error::Setting { .. })
    ));
    // bounds that add up to r only in the reals
    let tenths = BoundedLeastSquares::new(&a, &[0.1, 0.2], &[1.0, 1.0]).sum(0.3);
    assert_eq!(tenths.solve(&b).unwrap().x, [0.1, 0.2]);
    assert!(matches!(
        between.clone().start(&[0.0, 0.4]).solve(&b),
        Err(Error::InfeasibleStart {
            index: 1,
            bound: 0.5,
            ..
        })
    ));
    assert!(matches!(
        between.clone().start(&[0.0, 1.5]).solve(&b),
        Err(Error::InfeasibleStart {
            index: 1,
            bound: 1.0,
            ..
        })
    ));
    assert!(matches!(
        between.clone().sum(1.25).start(&[0.5, 0.5]).solve(&b),
        Err(Error::InfeasibleStartSum {
            sum: 1.0,
            expected: 1.25,
            ..
        })
    ));
    assert!(matches!(
        between.clone().start(&[0.5]).solve(&b),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        between.clone().start(&[0.5, f64::NAN]).solve(&b),
        Err(Error::NotFinite {
            what: "start",
            index: 1
        })
    ));
    assert!(matches!(
        between.solve(&[1.0, f64::NAN, 1.0]),
        Err(Error::NotFinite {
            what: "right-hand side",
            index: 1
        })
    ));
    assert!(matches!(between.solve(&[1.0]), Err(Error::Dimension { .. })));
    assert!(matches!(
        between.solve_many(&[1.0; 4]),
        Err(Error::Dimension {
            expected: 6,
            found: 4,
            ..
        })
    ));
    assert!(matches!(
        between.clone().tolerance(0.0).solve(&b),
        Err(Error::Setting {
            name: "tolerance",
            ..
        })
    ));

    for wrong in [
        BoundedLeastSquares::capped_simplex(&a, -1.0),
        BoundedLeastSquares::l1_ball(&a, -1.0),
        BoundedLeastSquares::simplex(&a, -1.0),
    ] {
        assert!(matches!(wrong.solve(&b), Err(Error::Infeasible { .. })));
    }
    let monotone = |lo, hi| BoundedLeastSquares::monotone(&a, lo, hi);
    assert!(matches!(
        monotone(1.0, 0.0).solve(&b),
        Err(Error::CrossedBounds { .. })
    ));
    assert!(matches!(
        monotone(0.0, f64::NAN).solve(&b),
        Err(Error::CrossedBounds { .. })
    ));
    assert!(matches!(
        monotone(0.0, 1.0).sum(1.0).solve(&b),
        Err(Error::Replaced {
            first: "`monotone`",
            second: "`sum`",
            ..
        })
    ));
    assert!(matches!(
        monotone(0.0, 1.0).start(&[0.5, 0.25]).solve(&b),
        Err(Error::InfeasibleStart {
            index: 1,
            bound: 0.5,
            ..
        })
    ));
    assert!(
        monotone(0.0, 1.0)
            .start(&[0.25, 0.5])
            .solve(&b)
            .unwrap()
            .status
            .is_solved()
    );
    assert!(matches!(
        BoundedLeastSquares::l1_ball(&a, 1.0)
            .start(&[0.75, -0.5])
            .solve(&b),
        Err(Error::InfeasibleStartSum { .. })
    ));

    let bad = nalgebra::dmatrix![1.0, 2.0; 3.0, f64::NAN];
    for result in [
        BoundedLeastSquares::simplex(&bad, 1.0).solve(&[1.0; 2]),
        BoundedLeastSquares::l1_ball(&bad, 1.0).solve(&[1.0; 2]),
        BoundedLeastSquares::monotone(&bad, 0.0, 1.0).solve(&[1.0; 2]),
    ] {
        assert!(matches!(result, Err(Error::NotFiniteEntry { row: 1, column: 1 })));
    }
    let empty = nalgebra::DMatrix::<f64>::zeros(3, 0);
    assert!(matches!(
        BoundedLeastSquares::l1_ball(&empty, 1.0).solve(&b),
        Err(Error::Empty { .. })
    ));
}

/// A sum that block exchange leaves open by more than rounding is closed between the bounds: what is at a bound stays there.
#[test]
fn exact_zeros_of_sums_stay() {
    let mut random = Random::new(77);
    for (m, n) in [(156, 78), (234, 117), (90, 60)] {
        for _ in 0..20 {
            let a: Vec<f32> = random.normals(m * n);
            let a = Dense::column_major(&a, m, n).unwrap();
            let b: Vec<f32> = random.normals(m);
            let s = BoundedLeastSquares::simplex(&a, 3.0).solve(&b).unwrap();
            assert!(s.status.is_solved(), "{s:#}");
            // (about half of the multipliers are positive)
            let tiny = s.x.iter().filter(|x| **x > 0.0 && **x < 1e-6).count();
            assert!(tiny == 0 && s.support_len() < n, "{s:#}");
        }
    }
}

/// The last refinement takes a coordinate to its bound: the active set goes on from there, down to f = 6e-16. Without it, it ends at f = 8 with a
/// ρ of 8e-9, as the columns differ by many orders of magnitude.
#[test]
fn refinement_goes_on_at_a_bound() {
    let s = solve(&random_problem(434_593, 4, 10, 5, 3, 1, 0));
    assert!(s.status.is_solved() && s.objective < 1e-14, "{s}");
}
