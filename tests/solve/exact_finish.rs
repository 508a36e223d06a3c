//! `Minimize` hands convex quadratics over polyhedra to an exact finish: exact zeros, bounds and sums, never a worse f.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::sets::{map_of, problems, set_of};
use proptest::prelude::*;
use reparam::losses::Squared;
use reparam::maps::{self, Reparametrization};
use reparam::methods::{ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::{Composite, Convexity, LeastSquares, Objective, Quadratic, RidgeInU};
use reparam::operators::{Dense, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, CancelToken, Checkpoint, Minimize, Phase, Progress, Solution, Status};
use std::ops::ControlFlow;
use std::time::Duration;

type Map = Box<dyn Reparametrization<f64>>;

/// ρ relative to the size of the terms, from A, b, x and the set alone.
fn rho(set: &dyn reparam::sets::ConstraintSet<f64>, a: &nalgebra::DMatrix<f64>, b: &[f64], x: &[f64]) -> f64 {
    let r = a * nalgebra::DVector::from_column_slice(x) - nalgebra::DVector::from_column_slice(b);
    let g = a.tr_mul(&r);
    let c: Vec<f64> = a.column_iter().map(|c| c.norm()).collect();
    let terms = c.iter().zip(x).map(|(c, x)| (c * x).abs());
    let b_norm = b.iter().map(|v| v * v).sum::<f64>().sqrt();
    set.natural_residual(x, g.as_slice(), Some(&c)) / terms.fold(b_norm, f64::max)
}

#[test]
fn all_polyhedral_reference_problems_end_exactly() {
    let (mut count, mut worst, mut excess) = (0, 0.0_f64, 0.0_f64);
    for p in problems() {
        let (n, raw) = (p.x.len(), &p.raw["set"]);
        let set = set_of(raw, n);
        if set.polyhedron().is_none() {
            assert!(
                ["ball", "psd_trace", "correlation"].contains(&raw["type"].as_str().unwrap()),
                "{}",
                p.name
            );
            continue;
        }
        // (the one set without a map is covered by the exact solver)
        let Some(map) = map_of(raw, n) else { continue };
        for method in [State::from(Lbfgs::new(10)), TrustRegion::new().into()] {
            let f = LeastSquares::new(&p.a, &p.b).unwrap();
            let s = Minimize::new(f, &*map).unwrap().method(method).run().unwrap();
            assert_eq!(
                (s.status, s.phase),
                (Status::Solved, Phase::ExactFinish),
                "{}: {s}",
                p.name
            );
            let here = rho(&*set, &p.a, p.b.as_slice(), &s.x);
            let floor = (0.5 * p.b.norm_squared()).max(p.objective);
            (worst, excess) = (worst.max(here), excess.max((s.objective - p.objective) / floor));
            assert!(
                here <= 1e-10 && s.certificate.natural_residual <= 1e-10,
                "{}: {here:e}, {s}",
                p.name
            );
            assert!(s.objective - p.objective <= 1e-9 * floor, "{}: {s}", p.name);
            let scale = s.x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            assert!(
                s.certificate.violation <= 1e-14 * scale,
                "{}: {}",
                p.name,
                s.certificate.violation
            );
            if p.raw["unique"].as_bool() == Some(true) {
                let terms = p.column_norms();
                for j in 0..n {
                    let off = terms[j] * (s.x[j] - p.x[j]).abs();
                    assert!(
                        off <= 1e-9 * floor.sqrt(),
                        "{}: x[{j}] = {}, {}",
                        p.name,
                        s.x[j],
                        p.x[j]
                    );
                    // exact zeros and bounds, wherever the reference has them by strict complementarity
                    let held =
                        p.gradient[j].abs() > 1e-6 * p.gradient.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                    let at_bound = p.x[j] == 0.0
                        || (raw["type"] == "box"
                            && (raw["lower"][j].as_f64() == Some(p.x[j])
                                || raw["upper"][j].as_f64() == Some(p.x[j])));
                    if held && at_bound && raw["type"] != "monotone" {
                        assert_eq!(s.x[j], p.x[j], "{}: coordinate {j}", p.name);
                    }
                }
            }
            count += 1;
        }
    }
    println!("{count} runs, worst ρ {worst:.1e}, worst excess {excess:.1e}");
    assert_eq!(count, 2 * 33); // 34 polyhedra, of which one has no map
}

struct Case {
    map: Map,
    a: nalgebra::DMatrix<f64>,
    b: Vec<f64>,
    /// The exact solver's answer to the same problem.
    reference: Solution<f64>,
}

/// Every kind of polyhedron, random data; rank-deficient where `rank` is less than n.
fn case(kind: usize, m: usize, n: usize, rank: usize, seed: u64) -> Case {
    let mut random = Random::new(seed);
    let mut matrix = |m, n| nalgebra::DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let a = if rank < n {
        matrix(m, rank) * matrix(rank, n)
    } else {
        matrix(m, n)
    };
    let b: Vec<f64> = random.normals(m);
    let (lo, hi): (Vec<f64>, Vec<f64>) = (0..n)
        .map(|j| match (seed as usize + j) % 4 {
            0 => (f64::NEG_INFINITY, 0.2),
            1 => (-0.3, 0.1),
            2 => (0.0, f64::INFINITY),
            _ => (0.05, 0.4),
        })
        .unzip();
    let (map, reference): (Map, _) = match kind {
        0 => (
            Box::new(maps::Bounds::new(lo.clone(), hi.clone()).unwrap()),
            BoundedLeastSquares::new(&a, &lo, &hi).solve(&b),
        ),
        1 => (
            Box::new(maps::Squares::new(n)),
            BoundedLeastSquares::new(&a, &vec![0.0; n], &vec![f64::INFINITY; n]).solve(&b),
        ),
        2 => (
            Box::new(maps::NormalizedSquares::new(n, 0.7).unwrap()),
            BoundedLeastSquares::simplex(&a, 0.7).solve(&b),
        ),
        3 => (
            Box::new(maps::CappedSimplex::new(n, 0.7).unwrap()),
            BoundedLeastSquares::capped_simplex(&a, 0.7).solve(&b),
        ),
        4 => (
            Box::new(maps::L1Ball::new(n, 0.7).unwrap()),
            BoundedLeastSquares::l1_ball(&a, 0.7).solve(&b),
        ),
        5 => (
            Box::new(maps::Monotone::new(n).unwrap()),
            BoundedLeastSquares::monotone(&a, f64::NEG_INFINITY, f64::INFINITY).solve(&b),
        ),
        6 => (
            Box::new(maps::Monotone::bounded(n, -0.2, 0.2).unwrap()),
            BoundedLeastSquares::monotone(&a, -0.2, 0.2).solve(&b),
        ),
        _ => (
            Box::new(maps::Softmax::new(n, 0.7).unwrap()),
            BoundedLeastSquares::simplex(&a, 0.7).solve(&b),
        ),
    };
    Case {
        map,
        a,
        b,
        reference: reference.unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// The engine ends where the exact solver does, and never above the answer of its own method.
    #[test]
    fn agrees_with_the_exact_solver(kind in 0usize..8, m in 1usize..14, n in 1usize..12, loss in 0usize..3, seed in 0u64..10_000) {
        let c = case(kind, m, n, (n - loss.min(n - 1)).max(1), seed);
        let run = |exact| {
            let f = LeastSquares::new(&c.a, &c.b).unwrap();
            Minimize::new(f, &*c.map).unwrap().exact_finish(exact).max_iterations(2000).run().unwrap()
        };
        let (with, without) = (run(true), run(false));
        let half_b = 0.5 * c.b.iter().map(|v| v * v).sum::<f64>();
        let tiny = 1e-13 * (half_b + with.objective);
        prop_assert!(with.objective <= without.objective + tiny, "{} against {}", with.objective, without.objective);
        let set = c.map.set();
        prop_assert!(set.violation(&with.x) <= 1e-13, "{:e}", set.violation(&with.x));
        if with.phase == Phase::ExactFinish {
            prop_assert_eq!(with.status, Status::Solved);
            prop_assert!((with.objective - c.reference.objective).abs() <= 1e-12 * half_b.max(c.reference.objective), "{} {}", with.objective, c.reference.objective);
            prop_assert!(rho(set, &c.a, &c.b, &with.x) <= 1e-10);
            let gap = with.certificate.gap;
            // an unbounded set need not have a dual point
            let compact = ![0, 1, 5].contains(&kind);
            prop_assert!(gap >= 0.0 && (gap <= 1e-9 * half_b || (!compact && gap == f64::INFINITY)), "{gap:e}");
        } else {
            prop_assert!(false, "no finish: {}", with);
        }
    }
}

fn simplex_problem(seed: u64, m: usize, n: usize) -> (nalgebra::DMatrix<f64>, Vec<f64>) {
    let mut random = Random::new(seed);
    let a = nalgebra::DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    (a, random.normals(m))
}

fn by_hand(f: &mut dyn Objective<f64>, x: &[f64], lo: f64) -> f64 {
    // KKT of x ≥ lo
    let mut g = vec![0.0; x.len()];
    f.value_gradient(x, &mut g).unwrap();
    g.iter()
        .zip(x)
        .fold(0.0_f64, |m, (g, x)| m.max((x - lo).min(*g).abs()))
}

/// Weights, ridge, offset, linear term; through `dyn`; dense, sparse, products.
#[test]
fn every_form_of_least_squares() {
    let (a, b) = simplex_problem(3, 9, 6);
    let (w, c): (Vec<f64>, Vec<f64>) = (
        (0..9).map(|i| f64::from(i % 4)).collect(),
        (0..6).map(|j| f64::from(j) - 2.0).collect(),
    );
    let triplets: Vec<(usize, usize, f64)> = (0..54).map(|k| (k % 9, k / 9, a[(k % 9, k / 9)])).collect();
    let sparse = SparseColumns::from_triplets(9, 6, &triplets).unwrap();
    let products = || {
        let (a, at) = (a.clone(), a.transpose());
        let times = |a: nalgebra::DMatrix<f64>| {
            move |x: &[f64], y: &mut [f64]| {
                y.copy_from_slice((&a * nalgebra::DVector::from_column_slice(x)).as_slice());
            }
        };
        let norms: Vec<f64> = a.column_iter().map(|c| c.norm()).collect();
        MatrixFree::new(9, 6, times(a), times(at))
            .with_column_norms(norms)
            .unwrap()
    };
    let squared = || Squared::new(&b).unwrap().with_weights(&w).unwrap();
    let mut forms: Vec<(&str, Box<dyn Objective<f64> + '_>)> = vec![
        ("dense", Box::new(LeastSquares::new(&a, &b).unwrap())),
        ("sparse", Box::new(LeastSquares::new(&sparse, &b).unwrap())),
        ("products", Box::new(LeastSquares::new(products(), &b).unwrap())),
        (
            "weights",
            Box::new(LeastSquares::new(&a, &b).unwrap().with_weights(&w).unwrap()),
        ),
        (
            "ridge",
            Box::new(
                LeastSquares::new(&a, &b)
                    .unwrap()
                    .with_weights(&w)
                    .unwrap()
                    .with_ridge(0.3)
                    .unwrap(),
            ),
        ),
        (
            "offset",
            Box::new(Composite::new(&a, squared()).unwrap().with_offset(&w).unwrap()),
        ),
        (
            "ridge and linear",
            Box::new(
                Composite::new(&a, squared())
                    .unwrap()
                    .with_ridge(0.1)
                    .unwrap()
                    .with_linear(&c)
                    .unwrap(),
            ),
        ),
        (
            "linear",
            Box::new(Composite::new(&a, squared()).unwrap().with_linear(&c).unwrap()),
        ),
        (
            "ridge in u",
            Box::new(RidgeInU::new(LeastSquares::new(&a, &b).unwrap(), 0.5).unwrap()),
        ),
    ];
    for (name, f) in &mut forms {
        for method in [State::from(Lbfgs::new(10)), ConjugateGradient::new().into()] {
            let map: Map = Box::new(maps::Squares::new(6));
            let s = Minimize::new(&mut **f, map)
                .unwrap()
                .method(method)
                .run()
                .unwrap();
            assert_eq!(
                (s.status, s.phase),
                (Status::Solved, Phase::ExactFinish),
                "{name}: {s}"
            );
            assert!(by_hand(&mut **f, &s.x, 0.0) < 1e-12, "{name}: {:?}", s.x);
            assert!(s.x.contains(&0.0), "{name}: {:?}", s.x);
        }
    }
}

/// ½⟨x, Q x⟩ + ⟨c, x⟩: definite, and singular with c outside the range of Q (a proximal step then solves it).
#[test]
fn quadratics() {
    let mut random = Random::new(8);
    for rank in [6, 3] {
        let half = nalgebra::DMatrix::from_vec(rank, 6, random.normals::<f64>(6 * rank));
        let q = half.tr_mul(&half);
        let c: Vec<f64> = random.normals(6);
        let f = || Quadratic::new(&q, &c).unwrap().with_convexity(Convexity::Convex);
        let simplex = Minimize::new(f(), maps::NormalizedSquares::new(6, 1.0).unwrap())
            .unwrap()
            .run()
            .unwrap();
        assert_eq!(
            (simplex.status, simplex.phase),
            (Status::Solved, Phase::ExactFinish),
            "{simplex}"
        );
        assert!((simplex.x.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!(simplex.certificate.gap.abs() < 1e-12, "{simplex}");
        let boxed = Minimize::new(f(), maps::Bounds::new(vec![-1.0; 6], vec![1.0; 6]).unwrap())
            .unwrap()
            .run()
            .unwrap();
        assert_eq!(
            (boxed.status, boxed.phase),
            (Status::Solved, Phase::ExactFinish),
            "{boxed}"
        );
        assert!(boxed.certificate.gap.abs() < 1e-12, "{boxed}");
        // not known to be convex: no finish
        let unknown = Minimize::new(
            Quadratic::new(&q, &c).unwrap(),
            maps::NormalizedSquares::new(6, 1.0).unwrap(),
        )
        .unwrap();
        assert_eq!(unknown.run().unwrap().phase, Phase::Lbfgs);
    }
}

#[test]
fn products_images_and_ties() {
    let (a, b) = simplex_problem(11, 12, 6);
    let f = || LeastSquares::new(&a, &b).unwrap();
    let blocks: Vec<Map> = vec![
        Box::new(maps::NormalizedSquares::new(3, 1.0).unwrap()),
        Box::new(maps::Monotone::new(3).unwrap()),
    ];
    let s = Minimize::new(f(), maps::Product::new(blocks))
        .unwrap()
        .run()
        .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    assert!((s.x[..3].iter().sum::<f64>() - 1.0).abs() < 1e-15 && s.x[3] <= s.x[4] && s.x[4] <= s.x[5]);
    let mixing = nalgebra::DMatrix::from_fn(6, 4, |i, j| ((i * 5 + j * 3) % 7) as f64 - 3.0);
    let image = maps::Affine::new(
        mixing,
        maps::NormalizedSquares::new(4, 1.0).unwrap(),
        vec![0.1; 6],
    )
    .unwrap();
    let s = Minimize::new(f(), image).unwrap().run().unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    let s = Minimize::new(f(), maps::ConvexSequence::new(6).unwrap())
        .unwrap()
        .run()
        .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    let tied = maps::Tied::new(maps::Squares::new(2), &[0, 1, 0, 1, 1, 0]).unwrap();
    let s = Minimize::new(f(), tied).unwrap().run().unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    assert!(s.x[0] == s.x[2] && s.x[0] == s.x[5] && s.x[1] == s.x[3]);
    // two sums: the method's own answer
    let two: Vec<Map> = vec![
        Box::new(maps::NormalizedSquares::new(3, 1.0).unwrap()),
        Box::new(maps::NormalizedSquares::new(3, 1.0).unwrap()),
    ];
    let s = Minimize::new(f(), maps::Product::new(two))
        .unwrap()
        .run()
        .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::Lbfgs), "{s}");
}

#[test]
fn consistent_data_single_precision_and_switches() {
    // f* = 0, the solution inside and on the boundary
    let (a, _) = simplex_problem(5, 10, 7);
    let x = nalgebra::DVector::from_vec(vec![0.3, 0.0, 0.2, 0.0, 0.1, 0.4, 0.0]);
    let b: Vec<f64> = (&a * &x).as_slice().to_vec();
    let s = Minimize::new(
        LeastSquares::new(&a, &b).unwrap(),
        maps::NormalizedSquares::new(7, 1.0).unwrap(),
    )
    .unwrap()
    .run()
    .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    assert!(
        s.x.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-14),
        "{:?}",
        s.x
    );
    // f32 has kernels of its own
    let (a32, b32) = (a.map(|v| v as f32), (&a * &x).map(|v| v as f32 - 0.1));
    let s = Minimize::new(
        LeastSquares::new(&a32, b32.as_slice()).unwrap(),
        maps::Squares::new(7),
    )
    .unwrap()
    .run()
    .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    // off
    let f = LeastSquares::new(&a, &b).unwrap();
    let s = Minimize::new(f, maps::Squares::new(7))
        .unwrap()
        .exact_finish(false)
        .run()
        .unwrap();
    assert_eq!(s.phase, Phase::BoxLbfgs);
    // a matrix of many rows and equal columns: the face is singular
    let twice = nalgebra::DMatrix::from_fn(10, 8, |i, j| a[(i, j % 4)]);
    let g = Dense::column_major(twice.as_slice(), 10, 8).unwrap();
    let s = Minimize::new(LeastSquares::new(g, &b).unwrap(), maps::Squares::new(8))
        .unwrap()
        .run()
        .unwrap();
    assert_eq!((s.status, s.phase), (Status::Solved, Phase::ExactFinish), "{s}");
    assert!(s.certificate.natural_residual < 1e-12);
}

#[test]
fn limits_observers_and_resume() {
    let (a, b) = simplex_problem(21, 30, 20);
    let problem = || {
        let f = LeastSquares::new(&a, &b).unwrap();
        Minimize::new(f, maps::CappedSimplex::new(20, 0.8).unwrap()).unwrap()
    };
    let mut saved: Vec<Checkpoint<f64>> = Vec::new();
    let mut values = Vec::new();
    let whole = problem()
        .observe(|p: &Progress<'_, f64>| {
            saved.push(p.checkpoint());
            values.push(p.value);
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert_eq!(whole.phase, Phase::ExactFinish);
    assert_eq!(
        (saved.len(), values[whole.iterations]),
        (whole.iterations + 1, whole.objective)
    );
    for checkpoint in saved {
        #[cfg(feature = "serde")]
        let checkpoint = {
            let text = serde_json::to_string(&checkpoint).unwrap();
            let read: Checkpoint<f64> = serde_json::from_str(&text).unwrap();
            assert_eq!(read, checkpoint);
            read
        };
        let resumed = problem().resume(checkpoint).unwrap();
        assert_eq!(
            (resumed.x, resumed.iterations, resumed.counts),
            (whole.x.clone(), whole.iterations, whole.counts)
        );
        assert_eq!(
            (resumed.certificate, resumed.status),
            (whole.certificate.clone(), whole.status)
        );
    }
    // limits and cancellation come first
    let early = problem().max_iterations(1).run().unwrap();
    assert_eq!(
        (early.status, early.phase),
        (Status::IterationLimit, Phase::Lbfgs)
    );
    let none = problem().time_limit(Duration::ZERO).run().unwrap();
    assert_eq!((none.status, none.phase), (Status::TimeLimit, Phase::Lbfgs));
    let token = CancelToken::new();
    let raised = token.clone();
    let cancelled = problem()
        .cancel_token(token)
        .observe(move |p: &Progress<'_, f64>| {
            if p.natural_residual < 1e-4 {
                raised.cancel();
            }
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert_eq!(
        (cancelled.status, cancelled.phase),
        (Status::Cancelled, Phase::Lbfgs)
    );
    let broken = problem()
        .observe(|_: &Progress<'_, f64>| ControlFlow::Break(()))
        .run()
        .unwrap();
    assert_eq!((broken.status, broken.phase), (Status::Cancelled, Phase::Lbfgs));
}

/// ½‖x − t‖² with a Hessian that is wrong by a factor.
struct Misleading(Vec<f64>);

impl Objective<f64> for Misleading {
    fn dim(&self) -> usize {
        self.0.len()
    }
    fn value(&mut self, x: &[f64]) -> reparam::objectives::Evaluation<f64> {
        Ok(0.5 * x.iter().zip(&self.0).map(|(x, t)| (x - t).powi(2)).sum::<f64>() + 1.0)
    }
    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> reparam::objectives::Evaluation<f64> {
        g.iter_mut()
            .zip(x)
            .zip(&self.0)
            .for_each(|((g, x), t)| *g = x - t);
        self.value(x)
    }
    fn hessian_vector(
        &mut self,
        _: &[f64],
        v: &[f64],
        out: &mut [f64],
    ) -> reparam::objectives::Evaluation<bool> {
        out.iter_mut().zip(v).for_each(|(o, v)| *o = 1e-3 * v);
        Ok(true)
    }
    fn hessian_diagonal(&mut self, _: &[f64], out: &mut [f64]) -> reparam::objectives::Evaluation<bool> {
        out.fill(1.0);
        Ok(true)
    }
    fn convexity(&self) -> Convexity {
        Convexity::Convex
    }
    fn quadratic(&self) -> bool {
        true
    }
}

/// A finish that goes wrong is thrown away: the method's own answer stands.
#[test]
fn a_failed_finish_changes_nothing() {
    let run = |exact| {
        let f = Misleading(vec![0.3, 0.5, 0.7]);
        let problem = Minimize::new(f, maps::Squares::new(3)).unwrap();
        problem.method(Lbfgs::new(5)).exact_finish(exact).run().unwrap()
    };
    let (with, without) = (run(true), run(false));
    assert_eq!(
        (with.status, with.phase),
        (Status::Solved, Phase::Lbfgs),
        "{with}"
    );
    assert_eq!((&with.x, with.iterations), (&without.x, without.iterations));
    assert!(with.counts.factorisations > 0 || with.counts.hessian_products > 0); // it was tried
}

/// f* = 0: L-BFGS on a box recognises that by its model, whatever ρ is, and the finish follows that too.
#[test]
fn problems_without_residual_end_exactly() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let n = 2 + (seed % 6) as usize;
        let m = n + (seed % 2) as usize;
        let a = nalgebra::DMatrix::from_vec(m, n, random.normals(m * n));
        let x = nalgebra::DVector::from_vec(random.normals::<f64>(n)).abs();
        let b = &a * &x;
        let s = Minimize::new(LeastSquares::new(&a, &b).unwrap(), maps::Squares::new(n))
            .unwrap()
            .run()
            .unwrap();
        assert_eq!(
            (s.status, s.phase),
            (Status::Solved, Phase::ExactFinish),
            "{seed}: {s}"
        );
        assert!(s.certificate.natural_residual <= 1e-10, "{seed}: {s}");
    }
}
