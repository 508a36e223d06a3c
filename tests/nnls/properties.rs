//! Invariances of non-negative least squares on random problems, and what limits and warm starts promise.

#![allow(clippy::unwrap_used)]

use crate::common::{Case, judge};
use proptest::prelude::*;
use reparam::nnls::Strategy as Choice;
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{CancelToken, Limits, Nnls, Phase, Status, nnls};
use std::time::Duration;

/// A random problem; `sparsity` of the entries are zero, `low_rank` repeats columns.
fn random_case(seed: u64, m: usize, n: usize, sparsity: f64, low_rank: bool) -> Case {
    let mut random = Random::new(seed);
    let mut a: Vec<f64> = (0..m * n)
        .map(|_| {
            if random.uniform::<f64>() < sparsity {
                0.0
            } else {
                random.normal()
            }
        })
        .collect();
    if low_rank {
        for i in 0..m {
            for j in 1..n {
                if j % 3 == 0 {
                    a[i * n + j] = 2.0 * a[i * n + j - 1];
                }
            }
        }
    }
    let b = random.normals(m);
    Case {
        name: format!("random {seed} {m}x{n}"),
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

fn solve(case: &Case) -> reparam::Solution<f64> {
    nnls(&Dense::row_major(&case.a, case.m, case.n).unwrap(), &case.b).unwrap()
}

fn case() -> impl Strategy<Value = Case> {
    (
        0u64..1_000_000,
        1usize..25,
        1usize..25,
        prop::sample::select(vec![0.0, 0.5, 0.9]),
        any::<bool>(),
    )
        .prop_map(|(seed, m, n, sparsity, low_rank)| random_case(seed, m, n, sparsity, low_rank))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn the_answer_is_a_solution(case in case()) {
        let s = solve(&case);
        let v = judge(&case, &s.x);
        prop_assert!(s.status.is_solved(), "{}: {}", case.name, s.status);
        prop_assert!(v.feasible && v.rho <= 1e-11, "{}: ρ = {:e}", case.name, v.rho);
        prop_assert!((s.certificate.natural_residual - v.rho).abs() <= 1e-13);
        prop_assert!(s.certificate.gap >= 0.0);
    }

    /// Another order of columns and rows is the same problem: objective and residual agree to rounding.
    #[test]
    fn permutations(case in case(), seed in 0u64..1000) {
        let mut random = Random::new(seed);
        let mut shuffled = |k: usize| {
            let mut p: Vec<usize> = (0..k).collect();
            for i in (1..k).rev() {
                p.swap(i, usize::try_from(random.bits() % (i as u64 + 1)).unwrap());
            }
            p
        };
        let (rows, columns) = (shuffled(case.m), shuffled(case.n));
        let mut other = case.clone();
        for i in 0..case.m {
            other.b[i] = case.b[rows[i]];
            for j in 0..case.n {
                other.a[i * case.n + j] = case.at(rows[i], columns[j]);
            }
        }
        let (s, t) = (solve(&case), solve(&other));
        let b = judge(&case, &s.x).half_b;
        prop_assert!((s.objective - t.objective).abs() <= 1e-13 * b, "{:e} {:e}", s.objective, t.objective);
        for i in 0..case.m {
            // the residual is unique although x need not be
            prop_assert!((t.residual[i] - s.residual[rows[i]]).abs() <= 1e-10 * b.sqrt());
        }
    }

    /// Powers of two on columns, A and b change no mantissa anywhere, so the answer scales exactly.
    #[test]
    fn powers_of_two(case in case(), shifts in prop::collection::vec(-60i32..60, 25), on_b in -200i32..200, on_a in -200i32..200) {
        let s = solve(&case);
        let mut other = case.clone();
        let two = |e: i32| 2.0_f64.powi(e);
        for i in 0..case.m {
            other.b[i] *= two(on_b);
            for j in 0..case.n {
                other.a[i * case.n + j] *= two(shifts[j] + on_a);
            }
        }
        let t = solve(&other);
        for j in 0..case.n {
            prop_assert_eq!(t.x[j], s.x[j] * two(on_b - on_a - shifts[j]), "coordinate {}", j);
        }
        prop_assert_eq!(t.certificate.natural_residual, s.certificate.natural_residual);
        for i in 0..case.m {
            prop_assert_eq!(t.residual[i], s.residual[i] * two(on_b));
        }
    }

    #[test]
    fn layouts_and_strategies_agree(case in case()) {
        let columns = case.column_major();
        let triplets: Vec<(usize, usize, f64)> = (0..case.m)
            .flat_map(|i| (0..case.n).map(move |j| (i, j)))
            .map(|(i, j)| (i, j, case.at(i, j)))
            .collect();
        let s = solve(&case);
        let scale = judge(&case, &s.x).half_b;
        let dense = Dense::column_major(&columns, case.m, case.n).unwrap();
        let sparse = SparseColumns::from_triplets(case.m, case.n, &triplets).unwrap();
        let mut answers = vec![nnls(&dense, &case.b).unwrap(), nnls(&sparse, &case.b).unwrap()];
        #[cfg(feature = "sparse")]
        {
            let mut t = sprs::TriMat::new((case.m, case.n));
            for (i, j, v) in &triplets {
                t.add_triplet(*i, *j, *v);
            }
            answers.push(nnls(&t.to_csr::<usize>(), &case.b).unwrap());
            answers.push(nnls(&t.to_csc::<u32>(), &case.b).unwrap());
        }
        for strategy in [Choice::ActiveSet, Choice::WorkingSet] {
            answers.push(Nnls::new(&sparse).strategy(strategy).solve(&case.b).unwrap());
        }
        for t in answers {
            prop_assert!(t.status.is_solved());
            prop_assert!((t.objective - s.objective).abs() <= 1e-12 * scale, "{:e} {:e} {}", t.objective, s.objective, t.phase);
        }
    }

    /// Projected conjugate gradients, which no other method catches here: whenever they claim a solution it is one, and their zeros
    /// and bounds are exact. Tall random problems are all solved.
    #[test]
    fn projected_gradients(case in case(), tall in 1u64..1000) {
        let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let s = solve(&case);
        let t = Nnls::new(&a).strategy(Choice::ProjectedCg).max_iterations(3000).solve(&case.b).unwrap();
        let judged = judge(&case, &t.x);
        prop_assert!(t.x.iter().all(|v| *v >= 0.0));
        if t.status.is_solved() {
            prop_assert!(judged.rho <= 1.01e-8, "{:e}", judged.rho);
            prop_assert!(t.objective >= s.objective - 1e-12 * judged.half_b);
        }
        let well = random_case(tall, 60, 15, 0.5, false);
        let (columns, rows) = (well.column_major(), Dense::row_major(&well.a, 60, 15).unwrap());
        let columns = Dense::column_major(&columns, 60, 15).unwrap();
        for a in [&columns, &rows] {
            let t = Nnls::new(a).strategy(Choice::ProjectedCg).solve(&well.b).unwrap();
            prop_assert!(t.status.is_solved() && t.phase == Phase::ProjectedCg, "{:?}", t.status);
            prop_assert!((t.objective - solve(&well).objective).abs() <= 1e-12 * judge(&well, &t.x).half_b);
        }
    }

    /// Any feasible start leads to the same objective; a solution as start is kept.
    #[test]
    fn warm_starts(case in case(), seed in 0u64..1000) {
        let s = solve(&case);
        let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let mut random = Random::new(seed);
        let start: Vec<f64> = random.normals::<f64>(case.n).into_iter().map(|v| v.max(0.0)).collect();
        for strategy in [Choice::Auto, Choice::ActiveSet] {
            for x in [&start, &s.x] {
                let t = Nnls::new(&a).strategy(strategy).start(x).solve(&case.b).unwrap();
                prop_assert!(t.status.is_solved());
                prop_assert!((t.objective - s.objective).abs() <= 1e-12 * judge(&case, &s.x).half_b);
            }
        }
    }

    /// Stopped after any number of iterations: feasible, never worse than zero, and the status says why.
    #[test]
    fn iteration_limits(case in case(), limit in 0usize..12) {
        let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
        for strategy in [Choice::Auto, Choice::BlockExchange, Choice::ActiveSet, Choice::CoordinateDescent, Choice::LiftedCg] {
            let s = Nnls::new(&a).strategy(strategy).max_iterations(limit).solve(&case.b).unwrap();
            let v = judge(&case, &s.x);
            prop_assert!(v.feasible);
            prop_assert!(v.objective <= v.half_b * (1.0 + 1e-14), "{strategy:?}: {:e} > {:e}", v.objective, v.half_b);
            prop_assert!(s.iterations <= limit);
            match s.status {
                Status::Solved => prop_assert!(v.rho <= 1e-8),
                Status::IterationLimit | Status::Stalled => prop_assert!(v.rho > 1e-8),
                other => prop_assert!(false, "{other}"),
            }
        }
    }

    /// Stopped with a warm start: never worse than that start, nor than zero.
    #[test]
    fn limits_with_warm_starts(case in case(), limit in 0usize..12, exact in any::<bool>(), seed in 0u64..1000) {
        let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
        let start: Vec<f64> =
            if exact { solve(&case).x } else { Random::new(seed).normals::<f64>(case.n).into_iter().map(f64::abs).collect() };
        let from = judge(&case, &start);
        for strategy in [Choice::Auto, Choice::BlockExchange, Choice::ActiveSet, Choice::CoordinateDescent, Choice::WorkingSet, Choice::LiftedCg] {
            let s = Nnls::new(&a).strategy(strategy).start(&start).max_iterations(limit).solve(&case.b).unwrap();
            let v = judge(&case, &s.x);
            prop_assert!(v.feasible);
            let bound = from.objective.min(v.half_b);
            prop_assert!(s.status == Status::Stalled || v.objective <= bound * (1.0 + 1e-13) + 1e-30 * v.half_b, "{strategy:?}: {:e} > {bound:e}", v.objective);
        }
    }

    #[test]
    fn single_precision(case in case()) {
        let a: Vec<f32> = case.a.iter().map(|v| *v as f32).collect();
        let b: Vec<f32> = case.b.iter().map(|v| *v as f32).collect();
        let s = nnls(&Dense::row_major(&a, case.m, case.n).unwrap(), &b).unwrap();
        let rounded = Case { a: a.iter().map(|v| f64::from(*v)).collect(), b: b.iter().map(|v| f64::from(*v)).collect(), ..case };
        let x: Vec<f64> = s.x.iter().map(|v| f64::from(*v)).collect();
        let v = judge(&rounded, &x);
        prop_assert!(s.status.is_solved(), "{}: {} ρ = {:e}", rounded.name, s.status, v.rho);
        prop_assert!(v.feasible && v.rho <= 1e-4, "ρ = {:e}", v.rho);
        let exact = solve(&rounded);
        let excess = v.objective - judge(&rounded, &exact.x).objective;
        prop_assert!(excess <= 1e-4 * v.half_b, "{:e} of {:e}, ρ = {:e}: {x:?} {:?} {}", excess, v.half_b, v.rho, exact.x, s.phase);
    }

    #[test]
    fn many_right_hand_sides(seed in 0u64..10_000, m in 1usize..15, n in 1usize..15, k in 1usize..6) {
        let case = random_case(seed, m, n, 0.3, false);
        let a = Dense::row_major(&case.a, m, n).unwrap();
        let b: Vec<f64> = Random::new(seed + 1).normals(m * k);
        let all = Nnls::new(&a).solve_many(&b).unwrap();
        prop_assert_eq!(all.len(), k);
        for (s, column) in all.iter().zip(b.chunks_exact(m)) {
            let alone = nnls(&a, column).unwrap();
            prop_assert_eq!(&s.x, &alone.x);
            prop_assert_eq!(s.status, alone.status);
        }
    }
}

/// Large enough for the sparse path proper.
#[test]
fn projected_gradients_take_the_place_of_a_large_gram_matrix() {
    for (m, n, sparsity, projected) in [(3000, 720, 0.5, true), (900, 720, 0.0, false)] {
        let case = random_case(5, m, n, sparsity, false);
        let a = Dense::row_major(&case.a, m, n).unwrap();
        let s = nnls(&a, &case.b).unwrap();
        assert!(s.status.is_solved() && judge(&case, &s.x).rho <= 1e-8);
        // (in the second problem they may give up, but never give less)
        assert!(!projected || s.phase == Phase::ProjectedCg, "{}", s.phase);
        let exact = Nnls::new(&a)
            .strategy(Choice::BlockExchange)
            .solve(&case.b)
            .unwrap();
        assert!((s.objective - exact.objective).abs() <= 1e-12 * judge(&case, &s.x).half_b);
    }
}

#[test]
fn sparse_path() {
    let (m, n) = (3000, 1200);
    let mut random = Random::new(5);
    let mut triplets = Vec::new();
    for j in 0..n {
        for _ in 0..8 {
            triplets.push((
                usize::try_from(random.bits() % m as u64).unwrap(),
                j,
                random.normal::<f64>(),
            ));
        }
    }
    let a = SparseColumns::from_triplets(m, n, &triplets).unwrap();
    let mut truth = vec![0.0; n];
    for v in truth.iter_mut().step_by(11) {
        *v = 1.0 + random.uniform::<f64>();
    }
    let mut b = vec![0.0; m];
    a.apply(&truth, &mut b);
    for v in &mut b {
        *v += 0.1 * random.normal::<f64>();
    }
    let s = nnls(&a, &b).unwrap();
    assert_eq!(s.phase, Phase::CoordinateDescent);
    assert!(s.status.is_solved() && s.certificate.natural_residual <= 1e-8);
    let exact = Nnls::new(&a).strategy(Choice::WorkingSet).solve(&b).unwrap();
    assert_eq!(exact.phase, Phase::WorkingSet);
    assert!(exact.certificate.natural_residual <= 1e-14, "{exact}");
    assert!((s.objective - exact.objective).abs() <= 1e-9 * exact.objective);
    assert!(exact.support_len() < 3 * n / 4);
    let qr = Nnls::new(&a).strategy(Choice::ActiveSet).solve(&b).unwrap();
    assert!((qr.objective - exact.objective).abs() <= 1e-13 * exact.objective);

    // the same operator with its entries hidden: flow, then the active set by products
    let products = MatrixFree::new(
        m,
        n,
        |x: &[f64], y: &mut [f64]| a.apply(x, y),
        |y: &[f64], x: &mut [f64]| a.apply_adjoint(y, x),
    );
    let free = nnls(&products, &b).unwrap();
    assert!(free.status.is_solved(), "{free}");
    assert!(free.certificate.natural_residual <= 1e-12, "{free}");
    assert!((free.objective - exact.objective).abs() <= 1e-12 * exact.objective);
    let flow = Nnls::new(&products).strategy(Choice::LiftedCg).solve(&b).unwrap();
    assert_eq!(flow.phase, Phase::ConjugateGradient);
    assert!(flow.status.is_solved() && flow.x.contains(&0.0), "{flow}");
    assert!((flow.objective - exact.objective).abs() <= 1e-8 * exact.objective);
}

#[test]
fn time_and_cancellation() {
    let case = random_case(3, 20, 15, 0.0, false);
    let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
    let s = Nnls::new(&a).time_limit(Duration::ZERO).solve(&case.b).unwrap();
    assert_eq!(
        (s.status, s.phase, s.iterations),
        (Status::TimeLimit, Phase::Start, 0)
    );
    assert!(s.certificate.natural_residual > 0.0);
    let token = CancelToken::new();
    token.cancel();
    let start: Vec<f64> = nnls(&a, &case.b).unwrap().x.iter().map(|v| 0.9 * v).collect();
    let s = Nnls::new(&a)
        .limits(Limits {
            cancel: Some(token),
            ..Limits::default()
        })
        .start(&start)
        .solve(&case.b)
        .unwrap();
    assert_eq!((s.status, s.x), (Status::Cancelled, start));
    // the time limit of many right-hand sides is for all of them together
    let many = vec![1.0; case.m * 50];
    let all = Nnls::new(&a)
        .time_limit(Duration::ZERO)
        .solve_many(&many)
        .unwrap();
    assert!(all.iter().all(|s| s.status == Status::TimeLimit));
    // a start that is the solution is recognised even when no time is left
    let x = nnls(&a, &case.b).unwrap().x;
    let s = Nnls::new(&a)
        .start(&x)
        .time_limit(Duration::ZERO)
        .solve(&case.b)
        .unwrap();
    assert!(s.status.is_solved());
}

/// A norm that is stated wrongly as zero cannot make an answer look solved.
#[test]
fn a_hidden_column_is_found() {
    let n = 600;
    let identity = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
    let a = MatrixFree::new(n, n, identity, identity)
        .with_column_norms(vec![0.0; n])
        .unwrap();
    assert!(matches!(
        nnls(&a, &vec![1.0; n]),
        Err(reparam::Error::Data {
            index: 0,
            value: 0.0,
            ..
        })
    ));
}

#[test]
fn triplets_in_any_order_with_duplicates() {
    let sorted = [(0, 0, 1.0), (2, 0, 5.0), (1, 1, 2.0)];
    let shuffled = [(2, 0, 4.0), (1, 1, 2.0), (0, 0, 1.0), (2, 0, 1.0)];
    let a = SparseColumns::from_triplets(3, 2, &sorted).unwrap();
    assert_eq!(SparseColumns::from_triplets(3, 2, &shuffled).unwrap(), a);
}

#[test]
fn extreme_scales() {
    let base = random_case(17, 12, 8, 0.0, false);
    for (on_a, on_b) in [
        (1e200, 1.0),
        (1e-200, 1.0),
        (1.0, 1e200),
        (1.0, 1e-200),
        (1e200, 1e200),
        (1e-200, 1e-200),
        (1e120, 1e-120),
        (1e-120, 1e120),
    ] {
        let mut case = base.clone();
        case.a.iter_mut().for_each(|v| *v *= on_a);
        case.b.iter_mut().for_each(|v| *v *= on_b);
        let s = solve(&case);
        let v = judge(&case, &s.x);
        assert!(
            s.status.is_solved() && v.rho <= 1e-13,
            "{on_a:e} {on_b:e}: {:e} {}",
            v.rho,
            s.status
        );
        assert!(s.residual_norm.is_finite() && s.residual_norm > 0.0);
    }
    // columns of very different size in one matrix
    let mut case = base.clone();
    for j in 0..case.n {
        let f = 10.0_f64.powi(40 * (j as i32 - 4));
        for i in 0..case.m {
            case.a[i * case.n + j] *= f;
        }
    }
    let s = solve(&case);
    assert!(s.status.is_solved() && judge(&case, &s.x).rho <= 1e-13);
    // a solution that does not exist as a number
    case = base;
    case.a.iter_mut().for_each(|v| *v *= 1e-200);
    case.b.iter_mut().for_each(|v| *v *= 1e200);
    let a = Dense::row_major(&case.a, case.m, case.n).unwrap();
    assert!(matches!(
        nnls(&a, &case.b),
        Err(reparam::Error::Unrepresentable { .. })
    ));
}
