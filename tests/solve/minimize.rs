//! Any objective over any set: the reference problems, and what the driver promises.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::{bounded, convex, nist};
use proptest::prelude::*;
use reparam::maps::{
    Bounds, Exponential, Identity, NormalizedSquares, Reparametrization, Squares, Trigonometric,
};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, Method, State, TrustRegion};
use reparam::objectives::{FromFn, LeastSquares, NonlinearLeastSquares, Objective};
use reparam::operators::Dense;
use reparam::testing::Random;
use reparam::{CancelToken, Error, History, Minimize, Progress, Solution, Status, nnls};
use std::ops::ControlFlow;
use std::time::Duration;

fn general_methods() -> [State<f64>; 3] {
    [
        Lbfgs::new(10).into(),
        ConjugateGradient::new().into(),
        TrustRegion::new().into(),
    ]
}

fn on_a_box() -> [State<f64>; 4] {
    let [a, b, c] = general_methods();
    [a, b, c, BoxLbfgs::new(10).into()]
}

/// (1 − x₀)² + 100 (x₁ − x₀²)²
fn rosenbrock() -> impl Objective<f64> {
    FromFn::new(2, |x: &[f64], g: &mut [f64]| {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        (g[0], g[1]) = (-2.0 * a - 400.0 * x[0] * b, 200.0 * b);
        Ok(a * a + 100.0 * b * b)
    })
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q).abs()).fold(0.0, f64::max)
}

/// 23 functions with bounds, from their published starts. Four have other local minima, which count when they are stationary.
#[test]
fn functions_with_bounds() {
    let (mut evaluations, mut beside, mut elsewhere) = (0, 0, Vec::new());
    for name in bounded::NAMES {
        let p = bounded::problem(name);
        let counts = p.counts.clone();
        let map = Bounds::new(p.lower.clone(), p.upper.clone()).unwrap();
        let s = Minimize::new(p.clone(), map)
            .unwrap()
            .start(&p.start)
            .run()
            .unwrap();
        assert_eq!(counts.gradients(), s.counts.values);
        evaluations += s.counts.values;
        if !["HS2", "HS25", "broyden_tridiagonal_6", "powell_badly_scaled"].contains(&name) {
            beside += s.counts.values;
        }
        let excess = (s.objective - p.optimum) / p.optimum.abs().max(1.0);
        println!(
            "{name:24} {:12} excess {excess:9.1e}  ρ {:.1e}  {:4} evaluations",
            s.status.word(),
            s.certificate.natural_residual,
            s.counts.values
        );
        assert!(s.status.is_converged(), "{name}: {}", s.status);
        assert_eq!(s.certificate.violation, 0.0, "{name}");
        for (j, x) in s.x.iter().enumerate() {
            assert!(p.lower[j] <= *x && *x <= p.upper[j], "{name}: x[{j}] = {x:e}");
        }
        if excess > 1e-9 {
            elsewhere.push(name);
        } else if ![
            "nonneg_quartic",
            "penalty1_10",
            "variably_dimensioned_10",
            "beale",
        ]
        .contains(&name)
        {
            // those four are flat at the minimum: f is there to 1e-9, x not to 1e-6
            let size = p.x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            assert!(
                distance(&s.x, &p.x) <= 1e-6 * size,
                "{name}: {:?} against {:?}",
                s.x,
                p.x
            );
        }
    }
    println!(
        "{evaluations} evaluations in all, {beside} beside scipy; other stationary points: {elsewhere:?}"
    );
    // where both reach f*, scipy's L-BFGS-B takes 468 (docs/methods.md)
    assert!(beside < 468, "{beside}");
    // README of the data: a local minimum is what the usual solvers reach from these starts too
    assert!(
        elsewhere
            .iter()
            .all(|n| ["broyden_tridiagonal_6", "powell_badly_scaled", "HS2", "HS25"].contains(n)),
        "{elsewhere:?}"
    );
    assert!(elsewhere.len() <= 1, "{elsewhere:?}");
}

/// 27 regressions from both official starts; 9 also with bounds.
#[test]
fn nist_regressions() {
    let mut missed = Vec::new();
    for name in nist::NAMES {
        for k in 0..2 {
            let p = nist::problem(name);
            let (start, rss) = (p.starts[k].clone(), p.rss);
            let f = NonlinearLeastSquares::new(p.clone()).unwrap();
            let s = Minimize::new(f, Identity::new(p.n))
                .unwrap()
                .tolerance(1e-12)
                .start(&start)
                .run()
                .unwrap();
            let worst =
                s.x.iter()
                    .zip(&p.x)
                    .map(|(a, b)| ((a - b) / b).abs())
                    .fold(0.0_f64, f64::max);
            println!(
                "{name:10} start {} {:24} x {worst:.0e} {:4} evaluations",
                k + 1,
                s.status.word(),
                s.counts.values
            );
            // ill-conditioned sets (Lanczos: exponential sums, Bennett5) hold fewer digits of x than of f
            let close = (2.0 * s.objective - rss).abs() <= 1e-8 * rss.max(1e-18) && worst <= 1e-6;
            if !close {
                missed.push(format!("{name} from start {}: {} ({worst:.0e})", k + 1, s.status));
                assert!(!s.status.is_solved());
            }
        }
        let p = nist::problem(name);
        if let Some(b) = p.bounded.clone() {
            let map = Bounds::new(b.lower.clone(), b.upper.clone()).unwrap();
            let start: Vec<f64> = p.starts[1]
                .iter()
                .zip(b.lower.iter().zip(&b.upper))
                .map(|(x, (lo, hi))| x.clamp(*lo, *hi))
                .collect();
            let s = Minimize::new(NonlinearLeastSquares::new(p).unwrap(), map)
                .unwrap()
                .tolerance(1e-10)
                .start(&start)
                .run()
                .unwrap();
            let excess = (2.0 * s.objective - b.rss) / b.rss;
            println!(
                "{name:10} bounded {:24} f {excess:.0e} {:4} evaluations",
                s.status.word(),
                s.counts.values
            );
            if excess.abs() > 1e-8 {
                missed.push(format!("{name} bounded: {} ({excess:.0e})", s.status));
            }
            for (j, x) in s.x.iter().enumerate() {
                assert!(b.lower[j] <= *x && *x <= b.upper[j], "{name}: x[{j}] = {x:e}");
            }
        }
    }
    println!("missed: {missed:#?}");
    // MGH10 from its far start creeps along a valley of the exponential: an honest limit, not a claim
    assert!(
        missed.iter().all(|m| m.starts_with("MGH10 from start 1")),
        "{missed:#?}"
    );
}

#[test]
fn convex_problems() {
    for name in convex::NAMES {
        for method in general_methods() {
            let p = convex::problem(name);
            let label = format!("{name} by {}", Method::<f64>::name(&method));
            let s: Solution<f64> = match p.set {
                convex::Set::Orthant => Minimize::new(p.objective, Squares::new(p.n))
                    .unwrap()
                    .method(method)
                    .run(),
                convex::Set::Simplex => {
                    let map = NormalizedSquares::new(p.n, 1.0).unwrap();
                    Minimize::new(p.objective, map).unwrap().method(method).run()
                }
            }
            .unwrap();
            println!(
                "{label:55} {} f − f* {:.0e} x {:.0e} ρ {:.0e} gap {:.0e}, {} evaluations",
                s.status.word(),
                s.objective - p.optimum,
                distance(&s.x, &p.x),
                s.certificate.natural_residual,
                s.certificate.gap,
                s.counts.values
            );
            assert_eq!(s.status, Status::Solved, "{label}");
            if p.set == convex::Set::Simplex {
                assert!(
                    s.certificate.gap <= 1e-7 * p.optimum.abs(),
                    "{label}: gap {:e}",
                    s.certificate.gap
                );
                assert!((s.x.iter().sum::<f64>() - 1.0).abs() <= 1e-14);
            }
            assert!(
                (s.objective - p.optimum).abs() <= 1e-10 * p.optimum.abs(),
                "{label}: {:e} against {:e}",
                s.objective,
                p.optimum
            );
            // zeros are exact where the multiplier holds them down (on the simplex: above the common level)
            let level = if p.set == convex::Set::Simplex {
                p.gradient.iter().fold(f64::INFINITY, |m, g| m.min(*g))
            } else {
                0.0
            };
            let size = p.gradient.iter().fold(0.0_f64, |m, g| m.max((g - level).abs()));
            for (j, (x, want)) in s.x.iter().zip(&p.x).enumerate() {
                if *want == 0.0 && p.gradient[j] - level > 1e-2 * size {
                    assert_eq!(*x, 0.0, "{label}: x[{j}]");
                }
                assert!(
                    (x - want).abs() <= 1e-4,
                    "{label}: x[{j}] = {x:e}, should be {want:e}"
                );
            }
        }
    }
}

/// One test per status: what provokes it.
mod statuses {
    use super::*;

    fn quadratic(at: f64) -> impl Objective<f64> {
        FromFn::new(1, move |x: &[f64], g: &mut [f64]| {
            g[0] = x[0] - at;
            Ok(0.5 * (x[0] - at).powi(2))
        })
    }

    #[test]
    fn solved_when_convex_and_stationary_otherwise() {
        let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0];
        let f = LeastSquares::new(&a, &[1.0, -1.0, 2.0]).unwrap();
        assert_eq!(
            Minimize::new(f, Squares::new(2)).unwrap().run().unwrap().status,
            Status::Solved
        );
        assert_eq!(
            Minimize::new(rosenbrock(), Squares::new(2))
                .unwrap()
                .run()
                .unwrap()
                .status,
            Status::Stationary
        );
    }

    #[test]
    fn budgets() {
        let p = || {
            Minimize::new(rosenbrock(), Identity::new(2))
                .unwrap()
                .start(&[-1.2, 1.0])
        };
        let s = p().max_iterations(3).run().unwrap();
        assert_eq!((s.status, s.iterations), (Status::IterationLimit, 3));
        assert!(s.objective < 24.2);
        let s = p().max_evaluations(5).run().unwrap();
        assert_eq!(s.status, Status::EvaluationLimit);
        assert!(s.counts.values < 40);
        assert_eq!(
            p().time_limit(Duration::ZERO).run().unwrap().status,
            Status::TimeLimit
        );
        let token = CancelToken::new();
        let stop = token.clone();
        let s = p()
            .cancel_token(token)
            .observe(|p: &Progress<'_, f64>| {
                if p.iteration == 4 {
                    stop.cancel();
                }
                ControlFlow::Continue(())
            })
            .run()
            .unwrap();
        assert_eq!((s.status, s.iterations), (Status::Cancelled, 4));
        let s = p()
            .observe(|_: &Progress<'_, f64>| ControlFlow::Break(()))
            .run()
            .unwrap();
        assert_eq!((s.status, s.iterations), (Status::Cancelled, 0));
    }

    /// A start at zero in every coordinate: the lift is stationary there, the problem is not.
    #[test]
    fn spurious_faces_are_left() {
        for method in general_methods() {
            let name = Method::<f64>::name(&method);
            let s = Minimize::new(quadratic(3.0), Squares::new(1))
                .unwrap()
                .method(method.clone())
                .start(&[0.0])
                .run()
                .unwrap();
            assert!(
                s.status.is_converged() && (s.x[0] - 3.0).abs() < 1e-7,
                "{name}: {s}"
            );
            assert!(s.counts.releases > 0, "{name}");
            // both ends of a box, and a vertex of the simplex
            for start in [0.0, 1.0] {
                let map = Trigonometric::uniform(1, 0.0, 1.0).unwrap();
                let s = Minimize::new(quadratic(0.25), map)
                    .unwrap()
                    .method(method.clone())
                    .start(&[start])
                    .run()
                    .unwrap();
                assert!((s.x[0] - 0.25).abs() < 1e-7, "{name} from {start}: {s}");
            }
            let f = LeastSquares::new(nalgebra::DMatrix::<f64>::identity(3, 3), &[0.2, 0.3, 0.5]).unwrap();
            let map = NormalizedSquares::new(3, 1.0).unwrap();
            let s = Minimize::new(f, map)
                .unwrap()
                .method(method.clone())
                .start(&[1.0, 0.0, 0.0])
                .run()
                .unwrap();
            assert!(distance(&s.x, &[0.2, 0.3, 0.5]) < 1e-7, "{name}: {s}");
        }
    }

    /// The textbook trap: ‖∇F‖ = 2e-9 at u = 1e-9, where the truth is 1.
    #[test]
    fn a_small_lifted_gradient_is_not_a_solution() {
        let s = Minimize::new(quadratic(1.0), Squares::new(1))
            .unwrap()
            .start(&[1e-18])
            .run()
            .unwrap();
        assert!((s.x[0] - 1.0).abs() < 1e-8, "{s}");
        let s = Minimize::new(quadratic(1.0), Exponential::new(1))
            .unwrap()
            .start(&[(-25.0_f64).exp()])
            .run()
            .unwrap();
        assert!((s.x[0] - 1.0).abs() < 1e-8, "{s}");
    }

    /// A map that never reaches the boundary, with the solution there: approached, and then touched in x.
    #[test]
    fn interior_only_maps_end_on_the_boundary() {
        let s = Minimize::new(quadratic(-1.0), Exponential::new(1))
            .unwrap()
            .start(&[1.0])
            .run()
            .unwrap();
        assert!(s.status.is_converged() && s.x[0] < 1e-6, "{s}");
    }

    #[test]
    fn at_infinity() {
        let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = -1.0;
            Ok(-x[0])
        });
        let s = Minimize::new(f, Squares::new(1)).unwrap().run().unwrap();
        assert_eq!(s.status, Status::AtInfinity);
    }

    /// NaN beyond a wall: step back; NaN everywhere: give up with the start.
    #[test]
    fn not_finite() {
        let wall = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = 1.0 - 1.0 / (2.0 - x[0]);
            Ok(if x[0] < 2.0 {
                x[0] + (2.0 - x[0]).ln() * 1.0
            } else {
                f64::NAN
            })
        });
        let s = Minimize::new(wall, Squares::new(1))
            .unwrap()
            .start(&[0.9])
            .run()
            .unwrap();
        assert!(s.x[0].is_finite() && s.objective.is_finite());
        let hopeless = FromFn::new(1, |_: &[f64], g: &mut [f64]| {
            g[0] = f64::NAN;
            Ok(f64::NAN)
        });
        let s = Minimize::new(hopeless, Squares::new(1))
            .unwrap()
            .start(&[0.25])
            .run()
            .unwrap();
        assert_eq!((s.status, s.x), (Status::NotFinite, vec![0.25]));
        let barrier = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = 1.0 - 1.0 / x[0];
            Ok(if x[0] > 0.0 {
                x[0] - x[0].ln()
            } else {
                f64::INFINITY
            })
        });
        let s = Minimize::new(barrier, Identity::new(1))
            .unwrap()
            .start(&[1e-3])
            .run()
            .unwrap();
        assert!((s.x[0] - 1.0).abs() < 1e-6, "{s}");
    }

    #[test]
    fn stalled() {
        // a kink: no method that believes in gradients gets closer than rounding
        let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = (x[0] - 1.0).signum();
            Ok((x[0] - 1.0).abs())
        });
        let s = Minimize::new(f, Identity::new(1))
            .unwrap()
            .start(&[0.3])
            .run()
            .unwrap();
        assert!(!s.status.is_converged() || (s.x[0] - 1.0).abs() < 1e-12, "{s}");
        assert!((s.x[0] - 1.0).abs() < 1e-6, "{s}");
    }

    #[test]
    fn errors() {
        let broken = FromFn::new(1, |_: &[f64], _: &mut [f64]| Err("the lamp is off".into()));
        match Minimize::new(broken, Squares::new(1)).unwrap().run() {
            Err(Error::Evaluation(e)) => assert_eq!(e.to_string(), "the lamp is off"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            Minimize::new(quadratic(1.0), Squares::new(2)),
            Err(Error::Dimension { .. })
        ));
        let p = || Minimize::new(quadratic(1.0), Squares::new(1)).unwrap();
        assert!(matches!(
            p().start(&[1.0, 2.0]).run(),
            Err(Error::Dimension { .. })
        ));
        assert!(matches!(p().start(&[-1.0]).run(), Err(Error::Map(_))));
        assert!(matches!(
            p().start(&[f64::NAN]).run(),
            Err(Error::NotFinite { .. })
        ));
        assert!(matches!(p().tolerance(0.0).run(), Err(Error::Setting { .. })));
        // x of a simplex cannot be moved coordinate by coordinate
        let f = FromFn::new(2, |_: &[f64], _: &mut [f64]| Ok(0.0));
        let simplex = Minimize::new(f, NormalizedSquares::new(2, 1.0).unwrap()).unwrap();
        assert!(matches!(
            simplex.method(BoxLbfgs::new(5)).run(),
            Err(Error::Setting { name: "method", .. })
        ));
    }
}

#[test]
fn histories() {
    let mut history = History::new();
    let s = Minimize::new(rosenbrock(), Squares::new(2))
        .unwrap()
        .observe(history.observer())
        .run()
        .unwrap();
    let records = history.records();
    assert_eq!(records.len(), s.iterations + 1);
    assert!(
        records
            .windows(2)
            .all(|w| w[1].value <= w[0].value * (1.0 + 1e-12) && w[1].evaluations >= w[0].evaluations)
    );
    let mut csv = Vec::new();
    history.write_csv(&mut csv).unwrap();
    let last = String::from_utf8(csv).unwrap().lines().last().unwrap().to_owned();
    let fields: Vec<&str> = last.split(',').collect();
    assert_eq!(fields[0].parse::<usize>().unwrap(), s.iterations);
    assert_eq!(fields[1].parse::<f64>().unwrap(), records.last().unwrap().value);
}

/// From a checkpoint at any iteration, through JSON where serde is on, the run goes on bit for bit.
#[test]
fn checkpoints_resume_exactly() {
    let p = nist::problem("Misra1a");
    let start = p.starts[1].clone();
    let lm = || {
        Minimize::new(NonlinearLeastSquares::new(p.clone()).unwrap(), Identity::new(2))
            .unwrap()
            .start(&start)
    };
    resumes(lm, LevenbergMarquardt::new().into());
    for method in general_methods().into_iter().chain([BoxLbfgs::new(10).into()]) {
        resumes(
            || {
                Minimize::new(rosenbrock(), Squares::new(2))
                    .unwrap()
                    .start(&[0.0, 2.0])
            },
            method,
        );
    }
}

/// Where f offers no diagonal of its Hessian, what stands in for it must not depend on what a checkpoint leaves out: the certificate is
/// the same, too.
#[test]
fn certificates_resume_exactly() {
    let quartic = |n: usize| {
        FromFn::new(n, move |x: &[f64], g: &mut [f64]| {
            let sum: f64 = x.iter().enumerate().map(|(j, x)| (j + 1) as f64 * x).sum::<f64>() - 1.5;
            for (j, (g, x)) in g.iter_mut().zip(x).enumerate() {
                *g = (j + 1) as f64 * sum + x.powi(3) - 0.1;
            }
            Ok(0.5 * sum * sum + x.iter().map(|x| 0.25 * x.powi(4) - 0.1 * x).sum::<f64>())
        })
    };
    for n in 2..9 {
        let on_simplex = || Minimize::new(quartic(n), NormalizedSquares::new(n, 1.0).unwrap()).unwrap();
        resumes(on_simplex, Lbfgs::new(10).into());
        let in_box = || Minimize::new(quartic(n), Bounds::new(vec![-0.1; n], vec![0.3; n]).unwrap()).unwrap();
        resumes(in_box, BoxLbfgs::new(10).into());
    }
}

fn resumes<O, M>(problem: impl Fn() -> Minimize<'static, f64, O, M>, method: State<f64>)
where
    O: Objective<f64> + 'static,
    M: Reparametrization<f64> + 'static,
{
    let saved = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = saved.clone();
    let whole = problem()
        .method(method)
        .observe(move |p: &Progress<'_, f64>| {
            keep.lock().unwrap().push(p.checkpoint());
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert!(!saved.lock().unwrap().is_empty());
    let saved = std::mem::take(&mut *saved.lock().unwrap());
    for checkpoint in saved {
        #[cfg(feature = "serde")]
        let checkpoint = {
            let text = serde_json::to_string(&checkpoint).unwrap();
            let read: reparam::Checkpoint<f64> = serde_json::from_str(&text).unwrap();
            assert_eq!(read, checkpoint);
            // of another version, or cut short: refused
            assert!(serde_json::from_str::<reparam::Checkpoint<f64>>(&text[..text.len() - 9]).is_err());
            let newer = text.replacen("\"version\":4", "\"version\":99", 1);
            assert_ne!(newer, text);
            let refused = serde_json::from_str::<reparam::Checkpoint<f64>>(&newer).unwrap_err();
            assert!(refused.to_string().contains("another version"), "{refused}");
            read
        };
        let resumed = problem().resume(checkpoint).unwrap();
        assert_eq!(resumed.x, whole.x);
        assert_eq!(resumed.objective, whole.objective);
        assert_eq!(
            resumed.certificate.natural_residual,
            whole.certificate.natural_residual
        );
        assert_eq!(
            (resumed.iterations, resumed.status, resumed.counts),
            (whole.iterations, whole.status, whole.counts)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// The general engine and the exact solver agree, from starts on the boundary too.
    #[test]
    fn agrees_with_nnls(seed in 0u64..100_000, m in 3usize..20, n in 1usize..8, zero in any::<bool>(), which in 0usize..4) {
        let mut random = Random::new(seed);
        let m = m + n;
        let (a, b): (Vec<f64>, Vec<f64>) = (random.normals(m * n), random.normals(m));
        let a = Dense::column_major(&a, m, n).unwrap();
        let exact = nnls(&a, &b).unwrap();
        let start: Vec<f64> = (0..n).map(|_| if zero { 0.0 } else { random.uniform() }).collect();
        let f = LeastSquares::new(a, &b).unwrap();
        let s = Minimize::new(f, Squares::new(n)).unwrap().method(on_a_box()[which].clone()).start(&start).run().unwrap();
        prop_assert_eq!(s.status, Status::Solved);
        let scale = 0.5 * b.iter().map(|v| v * v).sum::<f64>();
        prop_assert!(s.objective - exact.objective <= 1e-10 * scale, "{:e} against {:e}", s.objective, exact.objective);
    }
}

/// `residual` is b − A x (or r(x)), plain, at the x that is reported, for every objective that is least squares; empty, with a norm of NaN,
/// for every other.
#[test]
fn residuals_are_reported_where_there_are_some() {
    use reparam::losses::{Huber, Squared};
    use reparam::objectives::{Composite, FromFn, FromResiduals, NonlinearLeastSquares, Objective};
    let a = nalgebra::dmatrix![1.0, 0.3, -0.2; -0.4, 0.8, 0.6; 0.2, -0.5, 0.9; 0.3, 0.3, 0.1];
    let b = [1.0, -0.5, -0.3, 0.7];
    let plain = |x: &[f64]| -> Vec<f64> {
        (0..4)
            .map(|i| b[i] - (0..3).map(|j| a[(i, j)] * x[j]).sum::<f64>())
            .collect()
    };
    type Make<'m> = Box<dyn Fn() -> Box<dyn Objective<f64> + 'm> + 'm>;
    let cases: Vec<(&str, Option<f64>, Make<'_>)> = vec![
        (
            "least squares",
            Some(1.0),
            Box::new(|| Box::new(LeastSquares::new(&a, &b).unwrap())),
        ),
        (
            "with weights and a ridge",
            Some(1.0),
            Box::new(|| {
                let loss = Squared::new(&b)
                    .unwrap()
                    .with_weights(&[1.0, 2.0, 0.0, 4.0])
                    .unwrap();
                Box::new(Composite::new(&a, loss).unwrap().with_ridge(0.1).unwrap())
            }),
        ),
        (
            "nonlinear, model − data",
            Some(-1.0),
            Box::new(|| {
                let r = FromResiduals::new(4, 3, |x: &[f64], r: &mut [f64]| {
                    r.iter_mut().zip(plain(x)).for_each(|(r, p)| *r = -p);
                    Ok(())
                })
                .with_jacobian(|_: &[f64], j: &mut [f64]| {
                    for i in 0..4 {
                        for k in 0..3 {
                            j[3 * i + k] = a[(i, k)];
                        }
                    }
                    Ok(())
                });
                Box::new(NonlinearLeastSquares::new(r).unwrap())
            }),
        ),
        (
            "another loss",
            None,
            Box::new(|| Box::new(Composite::new(&a, Huber::new(&b, 0.5).unwrap()).unwrap())),
        ),
        (
            "a closure",
            None,
            Box::new(|| {
                Box::new(FromFn::new(3, |x: &[f64], g: &mut [f64]| {
                    g.iter_mut().zip(x).for_each(|(g, x)| *g = x - 1.0);
                    Ok(0.5 * g.iter().map(|g| g * g).sum::<f64>())
                }))
            }),
        ),
    ];
    for (name, sign, objective) in cases {
        let by_minimize = Minimize::new(objective(), Squares::new(3))
            .unwrap()
            .run()
            .unwrap();
        let by_flow = reparam::Integrate::new(objective(), Squares::new(3))
            .unwrap()
            .start_u0(0.5)
            .until_time(2.0)
            .run()
            .unwrap()
            .solution;
        // and where a limit ended the run
        let cut = Minimize::new(objective(), Squares::new(3))
            .unwrap()
            .max_iterations(1)
            .run()
            .unwrap();
        for s in [by_minimize, by_flow, cut] {
            assert_eq!(s.residual.is_empty(), s.residual_norm.is_nan(), "{name}");
            match sign {
                Some(sign) => {
                    let expected = plain(&s.x);
                    assert_eq!(s.residual.len(), 4, "{name}");
                    for (r, e) in s.residual.iter().zip(&expected) {
                        assert!((r - sign * e).abs() < 1e-13, "{name}: {r} {e}");
                    }
                    let size = expected.iter().map(|e| e * e).sum::<f64>().sqrt();
                    assert!((s.residual_norm - size).abs() < 1e-13, "{name}");
                }
                None => assert!(s.residual.is_empty(), "{name}"),
            }
        }
    }
}
