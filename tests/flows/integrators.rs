//! Orders of convergence, positivity, resuming, limits and typed errors of the integrators.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use nalgebra::{DMatrix, dmatrix};
use proptest::prelude::*;
use reparam::flows::{
    Flow, GradientFlow, MirrorFlow, NesterovFlow, NewtonFlow, Recording, RiemannianFlow, Space,
};
use reparam::integrators::{
    AcceleratedMirror, Acceleration, BregmanProximal, Euler, Implicit, ImplicitScheme, Integrator, Nesterov,
    Restart, RungeKutta, Scheme, Simple, StochasticGradient,
};
use reparam::lifted::{Lifted, Point};
use reparam::maps::{Exponential, Identity, NormalizedSquares, Power, Reparametrization, Squares};
use reparam::objectives::{FromFn, LeastSquares, Objective};
use reparam::steps::{Armijo, BarzilaiBorwein, Constant, Decaying, Kind, PublishedBarzilaiBorwein};
use reparam::{
    CancelToken, Error, Integrate, LinalgScalar, MapError, Progress, Result, Scalar, Status, nnls,
};
use std::ops::ControlFlow;

/// q' = v, v' = −q, from (q₀, 0): cos t.
#[derive(Debug, Clone)]
struct Oscillator;

impl<T: Scalar> Flow<T> for Oscillator {
    fn name(&self) -> &'static str {
        "oscillator"
    }
    fn space(&self) -> Space {
        Space::U
    }
    fn state_len(&self, p: usize, _n: usize) -> usize {
        2 * p
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        (y[0], y[1]) = (start.u[0], T::zero());
    }
    fn position<'y>(&self, y: &'y [T]) -> &'y [T] {
        &y[..1]
    }
    fn velocity(&mut self, _: &mut Lifted<'_, T>, _t: T, y: &[T], _: &Point<T>, dy: &mut [T]) -> Result<()> {
        (dy[0], dy[1]) = (y[1], -y[0]);
        Ok(())
    }
}

/// ½x²
fn half_square<T: Scalar>() -> impl Objective<T> {
    LeastSquares::new(nalgebra::DMatrix::from_element(1, 1, T::one()), &[T::zero()]).unwrap()
}

fn scalar_run<T: LinalgScalar, I: Integrator<T>>(integrator: I, until: f64) -> T {
    let run = Integrate::new(half_square::<T>(), Identity::new(1))
        .unwrap()
        .integrator(integrator)
        .start(&[T::one()])
        .ignore_residual()
        .until_time(T::lit(until))
        .run()
        .unwrap();
    assert_eq!(run.solution.status, Status::EndTime);
    run.solution.x[0]
}

/// log₂ of the ratios of successive errors.
fn slopes(errors: &[f64]) -> Vec<f64> {
    errors.windows(2).map(|w| (w[0] / w[1]).log2()).collect()
}

fn assert_order(what: &str, errors: &[f64], order: f64, within: f64) {
    let s = slopes(errors);
    println!("{what}: errors {errors:?}, slopes {s:.2?}");
    assert!(
        (s[s.len() - 1] - order).abs() <= within,
        "{what}: slope {:.3}, theory {order}",
        s[s.len() - 1]
    );
}

/// (name, order, coarsest step) of everything with a fixed step that takes any flow.
const EXPLICIT: [(Scheme, f64, f64); 4] = [
    (Scheme::Heun2, 2.0, 0.05),
    (Scheme::BogackiShampine32, 3.0, 0.1),
    (Scheme::Classical4, 4.0, 0.1),
    (Scheme::DormandPrince54, 5.0, 0.2),
];

fn explicit_orders<T: LinalgScalar>(schemes: &[(Scheme, f64, f64)], within: f64) {
    let kind = std::any::type_name::<T>();
    let (decay, cosine) = ((-1.0_f64).exp(), 1.0_f64.cos());
    let halves = |h: f64| [h, h / 2.0, h / 4.0];
    let euler = |h: f64| {
        let f = Constant::new(T::lit(h)).unwrap();
        (
            scalar_run::<T, _>(Euler::new(GradientFlow::new(), f), 1.0).as_f64() - decay,
            scalar_run::<T, _>(Euler::new(Oscillator, f), 1.0).as_f64() - cosine,
        )
    };
    let errors = halves(0.02).map(euler);
    assert_order(
        &format!("Euler {kind} exp"),
        &errors.map(|e| e.0.abs()),
        1.0,
        within,
    );
    assert_order(
        &format!("Euler {kind} oscillator"),
        &errors.map(|e| e.1.abs()),
        1.0,
        within,
    );
    for (scheme, order, h) in schemes {
        let errors = halves(*h).map(|h| {
            let step = T::lit(h);
            (
                scalar_run::<T, _>(
                    RungeKutta::fixed(GradientFlow::new(), *scheme, step).unwrap(),
                    1.0,
                )
                .as_f64()
                    - decay,
                scalar_run::<T, _>(RungeKutta::fixed(Oscillator, *scheme, step).unwrap(), 1.0).as_f64()
                    - cosine,
            )
        });
        assert_order(
            &format!("{} {kind} exp", scheme.name()),
            &errors.map(|e| e.0.abs()),
            *order,
            within,
        );
        assert_order(
            &format!("{} {kind} oscillator", scheme.name()),
            &errors.map(|e| e.1.abs()),
            *order,
            2.0 * within,
        );
    }
}

#[test]
fn orders_on_exp_and_oscillator() {
    explicit_orders::<f64>(&EXPLICIT, 0.15);
    // (errors of order 5 are at the rounding of f32)
    explicit_orders::<f32>(
        &[(Scheme::Heun2, 2.0, 0.2), (Scheme::BogackiShampine32, 3.0, 0.5)],
        0.25,
    );
}

#[test]
fn orders_of_implicit_schemes() {
    let decay = (-1.0_f64).exp();
    for (scheme, order) in [(ImplicitScheme::Euler, 1.0), (ImplicitScheme::Sdirk2, 2.0)] {
        let implicit = |h: f64| {
            Implicit::with_scheme(GradientFlow::new(), scheme)
                .with_fixed_step(h)
                .unwrap()
        };
        let errors = [0.05, 0.025, 0.0125].map(|h| (scalar_run::<f64, _>(implicit(h), 1.0) - decay).abs());
        assert_order(&format!("{scheme:?} exp"), &errors, order, 0.1);
        let errors = [0.05, 0.025, 0.0125].map(|h| {
            let implicit = Implicit::<f32, _>::with_scheme(GradientFlow::new(), scheme)
                .with_fixed_step(h as f32)
                .unwrap();
            (f64::from(scalar_run::<f32, _>(implicit, 1.0)) - decay).abs()
        });
        assert_order(&format!("{scheme:?} f32 exp"), &errors, order, 0.3);
        let errors = [0.04, 0.02, 0.01].map(|h| {
            lift_error(
                Implicit::with_scheme(GradientFlow::per_factor(3).unwrap(), scheme)
                    .with_fixed_step(h)
                    .unwrap(),
            )
        });
        assert_order(&format!("{scheme:?} gradient flow"), &errors, order, 0.2);
    }
}

#[test]
fn order_of_bregman_proximal_steps() {
    let errors =
        [0.02, 0.01, 0.005].map(|h| lift_error(BregmanProximal::new(3).unwrap().with_fixed_step(h).unwrap()));
    assert_order("Bregman proximal points", &errors, 1.0, 0.1);
}

fn small_problem() -> (DMatrix<f64>, Vec<f64>) {
    (
        dmatrix![1.0, 0.3, -0.2, 0.5; -0.4, 0.8, 0.6, 0.1; 0.2, -0.5, 0.9, 0.7],
        vec![1.0, 0.5, -0.3],
    )
}

/// The error at t = 2 of the flow for L = 3 from u₀ = 0.6.
fn lift_error<I: Integrator<f64>>(integrator: I) -> f64 {
    let (a, b) = small_problem();
    let at_two = |x: Vec<f64>| x;
    let f = || LeastSquares::new(&a, &b).unwrap();
    let exact = RungeKutta::dormand_prince(GradientFlow::per_factor(3).unwrap())
        .with_tolerances(1e-13, 1e-15)
        .unwrap();
    let reference = Integrate::new(f(), Power::new(4, 3).unwrap())
        .unwrap()
        .integrator(exact)
        .start_u0(0.6)
        .ignore_residual()
        .until_time(2.0)
        .run()
        .unwrap();
    let run = Integrate::new(f(), Power::new(4, 3).unwrap())
        .unwrap()
        .integrator(integrator)
        .start_u0(0.6)
        .ignore_residual()
        .until_time(2.0)
        .run()
        .unwrap();
    let (x, y) = (at_two(run.solution.x), reference.solution.x);
    x.iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn orders_on_the_gradient_flow() {
    let euler = [0.02, 0.01, 0.005]
        .map(|h| lift_error(Euler::constant(GradientFlow::per_factor(3).unwrap(), h).unwrap()));
    assert_order("Euler in u", &euler, 1.0, 0.1);
    let euler = [0.01, 0.005, 0.0025]
        .map(|h| lift_error(Euler::constant(RiemannianFlow::per_factor(3).unwrap(), h).unwrap()));
    assert_order("Euler in x", &euler, 1.0, 0.1);
    for (scheme, order, h) in EXPLICIT {
        let errors = [h, h / 2.0, h / 4.0]
            .map(|h| lift_error(RungeKutta::fixed(GradientFlow::per_factor(3).unwrap(), scheme, h).unwrap()));
        assert_order(&format!("{} in u", scheme.name()), &errors, order, 0.25);
        let errors = [h / 2.0, h / 4.0, h / 8.0].map(|h| {
            lift_error(RungeKutta::fixed(RiemannianFlow::per_factor(3).unwrap(), scheme, h).unwrap())
        });
        assert_order(&format!("{} in x", scheme.name()), &errors, order, 0.25);
    }
}

#[test]
fn adaptive_errors_follow_the_tolerance() {
    let flow = || GradientFlow::per_factor(3).unwrap();
    for scheme in [Scheme::BogackiShampine32, Scheme::DormandPrince54] {
        for tolerance in [1e-4, 1e-6, 1e-8, 1e-10] {
            let rk = RungeKutta::adaptive(flow(), scheme)
                .unwrap()
                .with_tolerances(tolerance, tolerance)
                .unwrap();
            let e = lift_error(rk);
            println!("{}: rtol {tolerance:e}, error {e:.1e}", scheme.name());
            assert!(
                e < 30.0 * tolerance && e > 1e-4 * tolerance,
                "{}: {tolerance:e}: {e:e}",
                scheme.name()
            );
        }
    }
    for scheme in [ImplicitScheme::Euler, ImplicitScheme::Sdirk2] {
        for tolerance in [1e-3, 1e-4, 1e-5] {
            let e = lift_error(
                Implicit::with_scheme(flow(), scheme)
                    .with_tolerances(tolerance, tolerance)
                    .unwrap(),
            );
            println!("{scheme:?}: rtol {tolerance:e}, error {e:.1e}");
            assert!(e < 300.0 * tolerance, "{scheme:?}: {tolerance:e}: {e:e}");
        }
    }
}

/// The largest error between the steps, of a fixed step h.
fn dense_error<F: Flow<f64>>(flow: F, scheme: Scheme, h: f64, exact: impl Fn(f64) -> f64) -> f64 {
    let times: Vec<f64> = (1..100).map(|i| f64::from(i) * 0.01).collect();
    let run = Integrate::new(half_square(), Identity::new(1))
        .unwrap()
        .integrator(RungeKutta::fixed(flow, scheme, h).unwrap())
        .start(&[1.0])
        .ignore_residual()
        .until_time(1.0)
        .record(Recording::at_times(&times).unwrap().coordinates(&[0]))
        .run()
        .unwrap();
    let t = run.trajectory;
    assert_eq!(t.column("t").unwrap(), times);
    let x = t.column("x[0]").unwrap();
    times
        .iter()
        .zip(&x)
        .map(|(t, x)| (x - exact(*t)).abs())
        .fold(0.0, f64::max)
}

#[test]
fn dense_output_keeps_its_order() {
    // local error of the interpolation: h⁵ of the quartic, h⁴ of Hermite's cubic
    let quartic = [0.4, 0.2, 0.1].map(|h| dense_error(Oscillator, Scheme::DormandPrince54, h, f64::cos));
    assert_order("dense output, Dormand–Prince", &quartic, 5.0, 0.5);
    let cubic =
        [0.2, 0.1, 0.05].map(|h| dense_error(GradientFlow::new(), Scheme::Classical4, h, |t| (-t).exp()));
    assert_order("dense output, Hermite", &cubic, 4.0, 0.3);
}

#[test]
fn accelerated_schemes_tend_to_their_equations() {
    let (a, b) = small_problem();
    let f = || LeastSquares::new(&a, &b).unwrap();
    let end = 3.0;
    let ode = |flow: &str| -> Vec<f64> {
        let problem = Integrate::new(f(), Squares::new(4))
            .unwrap()
            .start_u0(0.7)
            .ignore_residual()
            .until_time(end);
        let run = if flow == "u" {
            let flow = NesterovFlow::per_factor(2).unwrap().starting_at(1e-5).unwrap();
            problem
                .integrator(
                    RungeKutta::dormand_prince(flow)
                        .with_tolerances(1e-11, 1e-13)
                        .unwrap(),
                )
                .run()
                .unwrap()
                .solution
        } else {
            let flow = MirrorFlow::new().starting_at(1e-5).unwrap();
            problem
                .integrator(
                    RungeKutta::dormand_prince(flow)
                        .with_tolerances(1e-11, 1e-13)
                        .unwrap(),
                )
                .run()
                .unwrap()
                .solution
        };
        run.x
    };
    let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let (in_u, mirror) = (ode("u"), ode("x"));
    let scheme = |root: f64, which: u8| -> f64 {
        let problem = Integrate::new(f(), Squares::new(4))
            .unwrap()
            .start_u0(0.7)
            .ignore_residual()
            .until_time(end - 1e-9);
        let eta = root * root;
        match which {
            0 => distance(
                &problem
                    .integrator(Nesterov::per_factor(2, eta).unwrap())
                    .run()
                    .unwrap()
                    .solution
                    .x,
                &in_u,
            ),
            1 => distance(
                &problem
                    .integrator(AcceleratedMirror::new(eta).unwrap())
                    .run()
                    .unwrap()
                    .solution
                    .x,
                &mirror,
            ),
            _ => distance(
                &problem
                    .integrator(Simple::new(eta).unwrap())
                    .run()
                    .unwrap()
                    .solution
                    .x,
                &mirror,
            ),
        }
    };
    for (which, name) in ["Nesterov", "accelerated mirror", "simple"].iter().enumerate() {
        let errors = [0.01, 0.005, 0.0025].map(|h| scheme(h, which as u8));
        assert_order(&format!("{name} against its equation, in √η"), &errors, 1.0, 0.2);
    }
}

#[test]
fn every_integrator_solves() {
    let (a, b) = small_problem();
    let exact = nnls(&a, &b).unwrap();
    let problem = || {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .start_u0(0.5)
            .tolerance(1e-6)
    };
    let flow = || GradientFlow::per_factor(2).unwrap();
    fn solve<I: Integrator<f64>>(
        problem: Integrate<'_, f64, LeastSquares<&DMatrix<f64>, f64>, Squares<f64>, impl Integrator<f64>>,
        i: I,
        f_star: f64,
    ) {
        let name = i.name();
        let s = problem.integrator(i).run().unwrap().solution;
        println!(
            "{name}: {}, {} steps, {} evaluations, f − f* = {:.1e}",
            s.status,
            s.iterations,
            s.counts.values,
            s.objective - f_star
        );
        assert!(s.status.is_solved(), "{name}: {}", s.status);
        assert!((s.objective - f_star).abs() < 1e-9, "{name}");
        assert!(s.x.iter().all(|x| *x >= 0.0));
        assert!(s.certificate.natural_residual <= 1e-6);
    }
    let f = exact.objective;
    solve(problem(), Euler::constant(flow(), 0.2).unwrap(), f);
    solve(
        problem(),
        Euler::constant(RiemannianFlow::per_factor(2).unwrap(), 0.1).unwrap(),
        f,
    );
    solve(
        problem(),
        Euler::new(flow(), Decaying::new(0.4, 0.25).unwrap()),
        f,
    );
    solve(problem(), Euler::new(flow(), Armijo::new(1.0).unwrap()), f);
    for kind in [Kind::Long, Kind::Short, Kind::Alternating] {
        solve(
            problem(),
            Euler::new(GradientFlow::new(), BarzilaiBorwein::new(kind, 0.1).unwrap()),
            f,
        );
    }
    solve(problem(), RungeKutta::classical(flow(), 0.5).unwrap(), f);
    solve(
        problem(),
        RungeKutta::dormand_prince(flow())
            .with_tolerances(1e-6, 1e-10)
            .unwrap(),
        f,
    );
    solve(
        problem(),
        RungeKutta::dormand_prince(RiemannianFlow::new())
            .with_tolerances(1e-6, 1e-10)
            .unwrap(),
        f,
    );
    solve(
        problem(),
        RungeKutta::dormand_prince(NewtonFlow::new())
            .with_tolerances(1e-6, 1e-10)
            .unwrap(),
        f,
    );
    solve(problem(), BregmanProximal::new(2).unwrap(), f);
    solve(problem(), Implicit::new(flow()), f);
    solve(problem(), Implicit::with_scheme(flow(), ImplicitScheme::Euler), f);
    for restart in [Restart::Function, Restart::Gradient] {
        solve(
            problem(),
            Nesterov::per_factor(2, 0.1).unwrap().with_restart(restart),
            f,
        );
    }
}

#[test]
fn published_steps_run_in_both_forms() {
    // sound on consistent data
    let a = dmatrix![1.0, 0.3, -0.2, 0.5; -0.4, 0.8, 0.6, 0.1];
    let b = [1.0, 0.5];
    for kind in [Kind::Long, Kind::Short] {
        let in_u = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .integrator(Euler::new(
                GradientFlow::per_factor(2).unwrap(),
                PublishedBarzilaiBorwein::new(kind, Space::U, 0.1).unwrap(),
            ))
            .start_u0(0.3)
            .max_iterations(5000)
            .run()
            .unwrap()
            .solution;
        let in_x = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .integrator(Euler::new(
                RiemannianFlow::per_factor(2).unwrap(),
                PublishedBarzilaiBorwein::new(kind, Space::X, 0.1).unwrap(),
            ))
            .start_u0(0.3)
            .max_iterations(5000)
            .run()
            .unwrap()
            .solution;
        println!(
            "published {kind:?}: in u {} after {}, in x {} after {}",
            in_u.status, in_u.iterations, in_x.status, in_x.iterations
        );
        // no safeguard: it may fail, but never silently, and never with an x outside
        for s in [&in_u, &in_x] {
            assert!(s.x.iter().all(|x| *x >= 0.0));
            assert!(s.status.is_solved() == (s.certificate.natural_residual <= 1e-8));
        }
    }
}

#[test]
fn stochastic_rows_dense_sparse_and_missing() {
    let mut random = reparam::testing::Random::new(5);
    let (m, n) = (40, 8);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let mut truth = vec![0.0; n];
    (truth[1], truth[4]) = (1.0, 2.0);
    let b: Vec<f64> = (0..m)
        .map(|i| (0..n).map(|j| a[(i, j)] * truth[j]).sum())
        .collect();
    let eta = 0.02 / m as f64;
    let sgd = |acceleration| {
        StochasticGradient::new(eta, 7)
            .unwrap()
            .per_factor(2)
            .unwrap()
            .with_acceleration(acceleration)
            .unwrap()
    };
    let mut passes = Vec::new();
    for acceleration in [
        Acceleration::None,
        Acceleration::Nesterov { momentum: 0.9 },
        Acceleration::Accelerated {
            long_step: 30.0,
            advantage: 5.0,
        },
    ] {
        let run = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(n))
            .unwrap()
            .integrator(sgd(acceleration))
            .start_u0(0.3)
            .tolerance(1e-5)
            .run()
            .unwrap();
        println!(
            "{acceleration:?}: {} after {} passes",
            run.solution.status, run.solution.iterations
        );
        assert!(run.solution.status.is_solved(), "{acceleration:?}");
        passes.push(run.solution.iterations);
    }
    assert!(passes[1] < passes[0] && passes[2] < passes[0], "{passes:?}");
    // the same seed, the same run; another storage of the same rows, the same run
    let run = |f: &mut dyn Objective<f64>, seed| {
        Integrate::new(f, Squares::new(n))
            .unwrap()
            .integrator(StochasticGradient::new(eta, seed).unwrap())
            .start_u0(0.3)
            .max_iterations(3)
            .run()
            .unwrap()
            .solution
            .x
    };
    let dense = run(&mut LeastSquares::new(&a, &b).unwrap(), 7);
    assert_eq!(dense, run(&mut LeastSquares::new(&a, &b).unwrap(), 7));
    assert_ne!(dense, run(&mut LeastSquares::new(&a, &b).unwrap(), 8));
    let triplets: Vec<(usize, usize, f64)> = (0..m)
        .flat_map(|i| (0..n).map(move |j| (i, j)))
        .map(|(i, j)| (i, j, a[(i, j)]))
        .collect();
    let sparse = reparam::operators::SparseColumns::from_triplets(m, n, &triplets).unwrap();
    let other = run(&mut LeastSquares::new(&sparse, &b).unwrap(), 7);
    assert!(dense.iter().zip(&other).all(|(x, y)| (x - y).abs() < 1e-13));
    // products only: a typed error
    let hidden = reparam::operators::MatrixFree::new(
        m,
        n,
        |_: &[f64], y: &mut [f64]| y.fill(0.0),
        |_: &[f64], x: &mut [f64]| x.fill(0.0),
    );
    let refused = Integrate::new(LeastSquares::new(&hidden, &b).unwrap(), Squares::new(n))
        .unwrap()
        .integrator(StochasticGradient::new(eta, 7).unwrap())
        .start_u0(0.3)
        .run();
    assert!(matches!(
        refused,
        Err(Error::Setting {
            name: "stochastic gradients",
            ..
        })
    ));
    let closure = FromFn::new(1, |_: &[f64], g: &mut [f64]| {
        g[0] = 0.0;
        Ok(0.0)
    });
    let refused = Integrate::new(closure, Squares::new(1))
        .unwrap()
        .integrator(StochasticGradient::new(eta, 7).unwrap())
        .run();
    assert!(matches!(refused, Err(Error::Setting { .. })));
}

#[test]
fn stochastic_with_other_losses() {
    // logistic regression: the average of sampled gradients is the gradient
    let mut random = reparam::testing::Random::new(9);
    let (m, n) = (60, 3);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let labels: Vec<f64> = (0..m)
        .map(|i| {
            if a[(i, 0)] + 0.5 * a[(i, 1)] > 0.3 * a[(i, 2)] {
                1.0
            } else {
                0.0
            }
        })
        .collect();
    let loss = || reparam::losses::Logistic::from_binary(&labels).unwrap();
    let f = || {
        reparam::objectives::Composite::new(&a, loss())
            .unwrap()
            .with_ridge(1.0)
            .unwrap()
    };
    let exact = reparam::Minimize::new(f(), Squares::new(n))
        .unwrap()
        .run()
        .unwrap();
    let run = Integrate::new(f(), Squares::new(n))
        .unwrap()
        .integrator(StochasticGradient::new(1e-4, 3).unwrap())
        .start_u0(1.0)
        .max_iterations(400)
        .run()
        .unwrap();
    assert!(
        run.solution.objective - exact.objective < 1e-3 * exact.objective,
        "{:e}",
        run.solution.objective - exact.objective
    );
}

#[test]
fn any_map_and_any_objective() {
    // the simplex, in u: the flow keeps to it
    let f = FromFn::new(3, |x: &[f64], g: &mut [f64]| {
        let c = [0.2, 1.5, 0.1];
        let mut v = 0.0;
        for j in 0..3 {
            g[j] = x[j] - c[j];
            v += 0.5 * g[j] * g[j];
        }
        Ok(v)
    });
    let run = Integrate::new(f, NormalizedSquares::new(3, 1.0).unwrap())
        .unwrap()
        .start(&[0.3, 0.3, 0.4])
        .tolerance(1e-4)
        .run()
        .unwrap();
    assert!(run.solution.status.is_converged(), "{}", run.solution.status);
    assert!((run.solution.x.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // an open set, in x through the metric of the exponential map
    let f = || {
        FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = 1.0 - 1.0 / x[0];
            Ok(x[0] - x[0].ln())
        })
    };
    let in_x = Integrate::new(f(), Exponential::new(1))
        .unwrap()
        .integrator(RungeKutta::dormand_prince(RiemannianFlow::new()))
        .start_x0(5.0)
        .run()
        .unwrap();
    let in_u = Integrate::new(f(), Exponential::new(1))
        .unwrap()
        .integrator(Implicit::new(GradientFlow::new()))
        .start_x0(5.0)
        .run()
        .unwrap();
    for run in [in_x.solution, in_u.solution] {
        assert!((run.x[0] - 1.0).abs() < 1e-6);
    }
}

#[test]
fn resuming_is_exact_and_observers_may_stop() {
    let (a, b) = small_problem();
    fn halves<I: Integrator<f64> + Clone>(a: &DMatrix<f64>, b: &[f64], i: &I) {
        let problem = || {
            Integrate::new(LeastSquares::new(a, b).unwrap(), Squares::new(4))
                .unwrap()
                .integrator(i.clone())
                .start_u0(0.5)
                .ignore_residual()
                .record(Recording::every(3).coordinates(&[2]))
        };
        let whole = problem().max_iterations(20).run().unwrap();
        let first = problem()
            .max_iterations(20)
            .observe(|p: &Progress<'_, f64>| {
                if p.iteration == 9 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .run()
            .unwrap();
        assert_eq!(
            (first.solution.status, first.solution.iterations),
            (Status::Cancelled, 9)
        );
        let rest = problem().max_iterations(20).resume(first.snapshot).unwrap();
        assert_eq!(rest.solution.x, whole.solution.x, "{}", i.name());
        assert_eq!(rest.solution.counts, whole.solution.counts);
        assert_eq!(rest.snapshot.time(), whole.snapshot.time());
        let joined: Vec<Vec<f64>> = first
            .trajectory
            .rows()
            .chain(rest.trajectory.rows())
            .map(<[f64]>::to_vec)
            .collect();
        let straight: Vec<Vec<f64>> = whole.trajectory.rows().map(<[f64]>::to_vec).collect();
        assert_eq!(joined, straight, "{}", i.name());
    }
    let flow = || GradientFlow::per_factor(2).unwrap();
    halves(&a, &b, &Euler::new(flow(), Decaying::new(0.2, 0.5).unwrap()));
    halves(&a, &b, &Euler::new(flow(), Armijo::new(1.0).unwrap()));
    halves(
        &a,
        &b,
        &Euler::new(flow(), BarzilaiBorwein::new(Kind::Long, 0.1).unwrap()),
    );
    halves(&a, &b, &RungeKutta::dormand_prince(flow()));
    halves(&a, &b, &RungeKutta::classical(MirrorFlow::new(), 0.05).unwrap());
    halves(&a, &b, &Implicit::new(flow()));
    halves(
        &a,
        &b,
        &Nesterov::new(0.05).unwrap().with_restart(Restart::Gradient),
    );
    halves(&a, &b, &AcceleratedMirror::new(0.05).unwrap());
    halves(&a, &b, &Simple::new(0.01).unwrap());
    halves(
        &a,
        &b,
        &BregmanProximal::new(2).unwrap().with_fixed_step(0.1).unwrap(),
    );
    halves(&a, &b, &StochasticGradient::new(0.01, 3).unwrap());
}

#[test]
fn times_limits_and_tokens() {
    let (a, b) = small_problem();
    let problem = || {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .start_u0(0.5)
    };
    let run = problem().ignore_residual().until_time(3.3).run().unwrap();
    assert_eq!((run.solution.status, run.snapshot.time()), (Status::EndTime, 3.3));
    let on = problem()
        .ignore_residual()
        .until_time(5.0)
        .resume(run.snapshot)
        .unwrap();
    assert_eq!(on.snapshot.time(), 5.0);
    assert_eq!(
        problem().max_evaluations(10).run().unwrap().solution.status,
        Status::EvaluationLimit
    );
    let token = CancelToken::new();
    let inner = token.clone();
    let run = problem()
        .cancel_token(token)
        .observe(move |p: &Progress<'_, f64>| {
            if p.iteration == 4 {
                inner.cancel();
            }
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    assert_eq!(
        (run.solution.status, run.solution.iterations),
        (Status::Cancelled, 4)
    );
    // far too long a step: a status, and the last good point
    let huge = problem()
        .integrator(Euler::constant(GradientFlow::new(), 1e6).unwrap())
        .run()
        .unwrap()
        .solution;
    assert!(
        matches!(
            huge.status,
            Status::NotFinite | Status::IterationLimit | Status::AtInfinity
        ),
        "{}",
        huge.status
    );
    assert!(huge.x.iter().all(|x| x.is_finite()));
    let out = problem()
        .integrator(Euler::constant(RiemannianFlow::new(), 10.0).unwrap())
        .run()
        .unwrap()
        .solution;
    assert_eq!(out.status, Status::LeftDomain);
    // NaN of the objective
    let nan = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
        g[0] = 1.0;
        Ok(if x[0] < 0.5 { f64::NAN } else { x[0] })
    });
    let s = Integrate::new(nan, Squares::new(1))
        .unwrap()
        .start_x0(1.0)
        .run()
        .unwrap()
        .solution;
    assert_eq!(s.status, Status::NotFinite);
    assert!(s.x[0] >= 0.5);
    let unbounded = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
        g[0] = -1.0;
        Ok(-x[0])
    });
    let s = Integrate::new(unbounded, Squares::new(1))
        .unwrap()
        .start_x0(1.0)
        .run()
        .unwrap()
        .solution;
    assert_eq!(s.status, Status::AtInfinity);
}

#[test]
fn settings_without_meaning_are_refused() {
    #[allow(clippy::needless_pass_by_value)]
    fn setting<T>(r: Result<T>) -> bool {
        matches!(r, Err(Error::Setting { .. }))
    }
    let (a, b) = small_problem();
    let problem = || Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4)).unwrap();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(setting(problem().start_u0(bad).run()));
        assert!(setting(problem().start_x0(bad).run()));
        assert!(setting(problem().tolerance(bad).run()));
        assert!(setting(problem().until_time(bad).run()));
        assert!(setting(Euler::constant(GradientFlow::new(), bad)));
        assert!(setting(Decaying::new(bad, 0.5)));
        assert!(setting(Armijo::new(bad)));
        assert!(setting(BarzilaiBorwein::new(Kind::Long, bad)));
        assert!(setting(PublishedBarzilaiBorwein::new(Kind::Long, Space::U, bad)));
        assert!(setting(RungeKutta::classical(GradientFlow::new(), bad)));
        assert!(setting(
            RungeKutta::dormand_prince(GradientFlow::new()).with_tolerances(bad, 1e-6)
        ));
        assert!(setting(
            Implicit::new(GradientFlow::new()).with_tolerances(1e-3, bad)
        ));
        assert!(
            setting(Nesterov::new(bad)) && setting(AcceleratedMirror::new(bad)) && setting(Simple::new(bad))
        );
        assert!(setting(StochasticGradient::new(bad, 1)));
        assert!(setting(GradientFlow::scaled(bad)) && setting(RiemannianFlow::scaled(bad)));
        assert!(setting(MirrorFlow::new().starting_at(bad)) && setting(NewtonFlow::new().with_damping(bad)));
    }
    for depth in [0, 1] {
        assert!(setting(GradientFlow::<f64>::per_factor(depth)));
        assert!(setting(RiemannianFlow::<f64>::per_factor(depth)));
        assert!(setting(NesterovFlow::<f64>::per_factor(depth)));
        assert!(setting(Nesterov::per_factor(depth, 0.1)));
    }
    // flows and schemes that do not fit the map
    let cubic = || {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Power::new(4, 3).unwrap())
            .unwrap()
            .start_u0(0.5)
    };
    assert!(setting(
        cubic().integrator(AcceleratedMirror::new(0.1).unwrap()).run()
    ));
    assert!(setting(cubic().integrator(Simple::new(0.1).unwrap()).run()));
    assert!(setting(
        cubic()
            .integrator(RungeKutta::dormand_prince(MirrorFlow::new()))
            .run()
    ));
    let shifted = Squares::with_lower(vec![1.0; 4]).unwrap();
    let r = Integrate::new(LeastSquares::new(&a, &b).unwrap(), shifted)
        .unwrap()
        .integrator(AcceleratedMirror::new(0.1).unwrap())
        .run();
    assert!(setting(r));
    // the limit of the implicit schemes says what it is
    #[allow(clippy::needless_pass_by_value)]
    fn gradient_flows_in_u<I: std::fmt::Debug>(r: Result<I>) -> bool {
        matches!(r, Err(Error::Setting { name: "implicit integrator", why }) if why.contains("gradient flows in u"))
    }
    assert!(gradient_flows_in_u(
        cubic().integrator(Implicit::new(RiemannianFlow::new())).run()
    ));
    assert!(gradient_flows_in_u(
        cubic().integrator(Implicit::new(NesterovFlow::new())).run()
    ));
    assert!(gradient_flows_in_u(
        cubic().integrator(Implicit::new(NewtonFlow::new())).run()
    ));
    assert!(setting(
        cubic()
            .integrator(Euler::new(NesterovFlow::new(), Armijo::new(1.0).unwrap()))
            .run()
    ));
    let simplex = NormalizedSquares::new(4, 1.0).unwrap();
    let has_metric = simplex.metric(
        &[0.25; 4],
        &[1.0; 4],
        &mut [0.0; 4],
        &mut vec![0.0; simplex.scratch_len()],
    );
    let r = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Identity::new(4))
        .unwrap()
        .integrator(StochasticGradient::new(0.01, 1).unwrap())
        .start(&[0.0; 4])
        .max_iterations(2)
        .run();
    assert!(r.is_ok() && has_metric);
    // Newton without Hessian products
    let plain = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
        g[0] = x[0] - 1.0;
        Ok(0.5 * g[0] * g[0])
    });
    assert!(setting(
        Integrate::new(plain, Squares::new(1))
            .unwrap()
            .integrator(RungeKutta::dormand_prince(NewtonFlow::new()))
            .run()
    ));
    // starts
    assert!(matches!(
        problem().start(&[0.0, 1.0, 1.0, 1.0]).run(),
        Err(Error::Map(MapError::OnBoundary { index: 0 }))
    ));
    assert!(matches!(
        problem().start(&[1.0]).run(),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        problem().start_at_u(&[1.0; 3]).run(),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        problem().record(Recording::every(1).coordinates(&[4])).run(),
        Err(Error::Data { .. })
    ));
    let short = reparam::flows::monitors::Bregman::new(2, &[1.0], 0.0).unwrap();
    assert!(matches!(
        problem().record(Recording::every(1).monitor(short)).run(),
        Err(Error::Dimension { .. })
    ));
    // a snapshot of another problem
    let other = Integrate::new(half_square::<f64>(), Squares::new(1))
        .unwrap()
        .start_u0(0.1)
        .max_iterations(1)
        .run()
        .unwrap();
    assert!(setting(problem().resume(other.snapshot)));
}

#[test]
fn a_resumed_run_forgets_the_end_of_the_first() {
    let (a, b) = small_problem();
    let problem = |steps| {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .start_u0(0.5)
            .ignore_residual()
            .max_iterations(steps)
    };
    let whole = problem(12).run().unwrap();
    let first = problem(5)
        .until_time(1.5 * problem(5).run().unwrap().snapshot.time())
        .run()
        .unwrap();
    assert_eq!(first.solution.status, Status::IterationLimit);
    // no step is cut where the first run would have ended
    assert_eq!(
        problem(12).resume(first.snapshot).unwrap().solution.x,
        whole.solution.x
    );
}

#[test]
fn steps_of_fixed_length_respect_the_largest() {
    let (a, b) = small_problem();
    let heun = RungeKutta::fixed(GradientFlow::new(), Scheme::Heun2, 0.5).unwrap();
    let run = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
        .unwrap()
        .integrator(heun.with_largest_step(0.125).unwrap())
        .start_u0(0.5)
        .ignore_residual()
        .max_iterations(3)
        .record(Recording::every(1))
        .run()
        .unwrap();
    assert_eq!(run.trajectory.column("t").unwrap(), [0.0, 0.125, 0.25, 0.375]);
}

#[test]
fn stochastic_runs_are_not_resumed_on_other_rows() {
    let run = |rows: usize, steps: usize| {
        let a = DMatrix::from_fn(rows, 2, |i, j| (1 + i + 2 * j) as f64 * 0.1);
        let f = LeastSquares::new(a, &vec![1.0; rows]).unwrap();
        let stochastic = StochasticGradient::new(0.01, 1).unwrap();
        Integrate::new(f, Squares::new(2))
            .unwrap()
            .integrator(stochastic)
            .start_u0(0.5)
            .max_iterations(steps)
    };
    let long = run(9, 2).run().unwrap();
    assert!(matches!(
        run(4, 5).resume(long.snapshot),
        Err(Error::Setting { .. })
    ));
}

#[cfg(feature = "serde")]
#[test]
fn snapshots_and_trajectories_are_written_and_read() {
    let (a, b) = small_problem();
    let problem = || {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .start_u0(0.5)
            .ignore_residual()
            .record(Recording::every(2))
    };
    let half = problem().max_iterations(10).run().unwrap();
    let text = serde_json::to_string(&half.snapshot).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    assert_eq!(half.snapshot, read);
    assert_eq!(
        problem().max_iterations(20).resume(read).unwrap().solution.x,
        problem().max_iterations(20).run().unwrap().solution.x
    );
    // with bounds, which are infinite at t = 0, of two monitors that call them the same
    let bound = || reparam::flows::monitors::Bregman::new(2, &[0.1; 4], 0.0).unwrap();
    let watched = problem()
        .record(Recording::every(1).monitor(bound()).monitor(bound()))
        .max_iterations(4)
        .run()
        .unwrap();
    assert_eq!(watched.trajectory.column("bound").unwrap()[0], f64::INFINITY);
    assert_eq!(
        watched.trajectory.column("bound"),
        watched.trajectory.column("bound#2")
    );
    for trajectory in [half.trajectory, watched.trajectory] {
        let text = serde_json::to_string(&trajectory).unwrap();
        assert_eq!(trajectory, serde_json::from_str(&text).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), cases: 48, ..ProptestConfig::default() })]

    /// No flow leaves the open orthant, whatever the problem, the start and the tolerance; f decreases along the first-order flow.
    #[test]
    fn never_leaves_the_open_orthant(seed in 0_u64..1_000_000, depth in 2_u32..5, log_alpha in -3.0..0.5_f64, loose in any::<bool>()) {
        let mut random = reparam::testing::Random::new(seed);
        let (m, n) = (3, 5);
        let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
        let b = random.normals::<f64>(m);
        let alpha = 10.0_f64.powf(log_alpha);
        let (rtol, atol) = if loose { (1e-2, 1e-3) } else { (1e-6, 1e-9) };
        let inside = |x: &[f64]| x.iter().all(|v| *v > 0.0 && v.is_finite());
        let mut all = true;
        {
            let mut watch = |p: &Progress<'_, f64>| { all &= inside(p.x); ControlFlow::Continue(()) };
            let problem = || Integrate::new(LeastSquares::new(&a, &b).unwrap(), Power::new(n, depth).unwrap()).unwrap()
                .start_u0(alpha).ignore_residual().until_time(20.0).max_iterations(1000);
            let in_u = GradientFlow::per_factor(depth).unwrap();
            let in_x = RiemannianFlow::per_factor(depth).unwrap();
            let s = problem().observe(&mut watch).integrator(RungeKutta::dormand_prince(in_u.clone()).with_tolerances(rtol, atol).unwrap()).run().unwrap().solution;
            prop_assert!(matches!(s.status, Status::EndTime | Status::IterationLimit), "in u: {}", s.status);
            let s = problem().observe(&mut watch).integrator(RungeKutta::dormand_prince(in_x).with_tolerances(rtol, atol).unwrap()).run().unwrap().solution;
            prop_assert!(matches!(s.status, Status::EndTime | Status::IterationLimit), "in x: {}", s.status);
            let s = problem().observe(&mut watch).integrator(Implicit::new(in_u.clone()).with_tolerances(rtol, atol).unwrap()).run().unwrap().solution;
            prop_assert!(matches!(s.status, Status::EndTime | Status::IterationLimit), "implicit: {}", s.status);
            // Euler steps: small ones stay inside, long ones end with a status and never outside
            for eta in [1e-3, 1.0] {
                let s = problem().observe(&mut watch).integrator(Euler::constant(in_u.clone(), eta).unwrap()).run().unwrap().solution;
                if eta < 1e-2 {
                    prop_assert!(matches!(s.status, Status::EndTime | Status::IterationLimit), "Euler: {}", s.status);
                }
            }
            let s = problem().observe(&mut watch).integrator(BregmanProximal::new(depth).unwrap()).run().unwrap().solution;
            prop_assert!(matches!(s.status, Status::EndTime | Status::IterationLimit), "proximal: {}", s.status);
            if depth == 2 {
                for flow in [MirrorFlow::new(), MirrorFlow::new().logarithmic()] {
                    problem().observe(&mut watch).integrator(RungeKutta::dormand_prince(flow).with_tolerances(rtol, atol).unwrap()).run().unwrap();
                }
                problem().observe(&mut watch).integrator(AcceleratedMirror::new(0.01).unwrap()).run().unwrap();
                problem().observe(&mut watch).integrator(Simple::new(0.01).unwrap()).run().unwrap();
            }
        }
        prop_assert!(all, "an x on the boundary or beyond");
    }
}

#[test]
fn rows_and_derivatives_agree_with_products_and_gradients() {
    use reparam::losses::{Huber, LogCosh, Logistic, Loss, NegativeLog, Poisson, Squared, SquaredHinge};
    use reparam::operators::LinearOperator;
    let mut random = reparam::testing::Random::new(2);
    let m = 6;
    let labels = [1.0, -1.0, -1.0, 1.0, 1.0, -1.0];
    let (data, weights) = (random.normals::<f64>(m), [0.0, 1.0, 2.0, 0.5, 3.0, 1.0]);
    let losses: Vec<(&str, Box<dyn Loss<f64>>)> = vec![
        (
            "squared",
            Box::new(Squared::new(&data).unwrap().with_weights(&weights).unwrap()),
        ),
        ("Huber", Box::new(Huber::new(&data, 0.5).unwrap())),
        ("log-cosh", Box::new(LogCosh::new(&data).unwrap())),
        (
            "logistic",
            Box::new(Logistic::new(&labels).unwrap().with_weights(&weights).unwrap()),
        ),
        ("squared hinge", Box::new(SquaredHinge::new(&labels).unwrap())),
        (
            "Poisson",
            Box::new(Poisson::new(&[0.0, 1.0, 2.0, 3.0, 0.0, 1.0]).unwrap()),
        ),
        ("negative log", Box::new(NegativeLog::new(m).unwrap())),
    ];
    let z: Vec<f64> = random.normals::<f64>(m).iter().map(|v| v.abs() + 0.1).collect();
    for (name, loss) in losses {
        let mut slope = vec![0.0; m];
        loss.gradient(&z, &mut slope);
        let each: Vec<f64> = (0..m).map(|i| loss.derivative(i, z[i]).unwrap()).collect();
        assert_eq!(each, slope, "{name}");
    }
    let a = DMatrix::from_vec(3, 4, random.normals::<f64>(12));
    let mut row = [0.0; 4];
    for i in 0..3 {
        assert!(LinearOperator::row(&a, i, &mut row));
        assert_eq!(row.to_vec(), a.row(i).iter().copied().collect::<Vec<_>>());
    }
    #[cfg(feature = "sparse")]
    {
        let by_rows = sprs::CsMat::new((2, 3), vec![0, 2, 3], vec![0, 2, 1], vec![1.0, 2.0, 3.0]);
        let mut row = [9.0; 3];
        assert!(LinearOperator::row(&by_rows, 0, &mut row));
        assert_eq!(row, [1.0, 0.0, 2.0]);
        assert!(!LinearOperator::row(&by_rows.to_csc(), 0, &mut row)); // by columns: a row costs a pass
    }
}

#[test]
fn ways_to_choose_moments_combine() {
    let (a, b) = small_problem();
    let run = |recording: Recording<'static, f64>, until: f64| {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
            .unwrap()
            .integrator(RungeKutta::classical(GradientFlow::new(), 0.125).unwrap())
            .start_u0(0.5)
            .ignore_residual()
            .until_time(until)
            .record(recording.coordinates(&[1]))
            .run()
            .unwrap()
    };
    let times = [0.0, 0.3, 0.5, 0.55, 2.0, 9.0];
    let both = run(Recording::at_times(&times).unwrap().also_every(4), 2.0).trajectory;
    assert_eq!(
        both.column("t").unwrap(),
        [0.0, 0.3, 0.5, 0.55, 1.0, 1.5, 2.0] // 0, 0.5 and 2 are steps too: one row each
    );
    assert_eq!(both.steps(), [0, 3, 4, 5, 8, 12, 16]);
    // the order in which they were asked for does not matter, and each gives what it gives alone
    let other = run(Recording::every(4).also_at_times(&times).unwrap(), 2.0).trajectory;
    assert_eq!(both, other);
    let rows = |t: &reparam::flows::Trajectory<f64>| t.rows().map(<[f64]>::to_vec).collect::<Vec<_>>();
    let all = rows(&both);
    for alone in [Recording::at_times(&times).unwrap(), Recording::every(4)] {
        for row in rows(&run(alone, 2.0).trajectory) {
            assert!(all.contains(&row));
        }
    }
    let three = run(
        Recording::per_decade(1)
            .also_every(7)
            .also_at_times(&[0.2])
            .unwrap(),
        2.0,
    )
    .trajectory;
    assert_eq!(three.steps(), [0, 1, 2, 7, 10, 14, 16]); // 0.2 is in step 2
    // a resumed run goes on where the first ended, with no row twice
    let first = run(Recording::at_times(&times).unwrap().also_every(4), 0.5);
    let rest = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(4))
        .unwrap()
        .integrator(RungeKutta::classical(GradientFlow::new(), 0.125).unwrap())
        .ignore_residual()
        .until_time(2.0)
        .record(
            Recording::at_times(&times)
                .unwrap()
                .also_every(4)
                .coordinates(&[1]),
        )
        .resume(first.snapshot)
        .unwrap();
    let joined = [rows(&first.trajectory), rows(&rest.trajectory)].concat();
    assert_eq!(joined, all);
}
