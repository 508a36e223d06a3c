//! Step-size control of the schemes that are no Euler steps: a first step that is a thousand times too long or too short.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use nalgebra::DMatrix;
use reparam::flows::{Recording, Space, monitors::Accelerated};
use reparam::integrators::{
    AcceleratedMirror, Acceleration, Integrator, Nesterov, Restart, Safeguard, Simple, StochasticGradient,
};
use reparam::lifted::Lifted;
use reparam::losses::Logistic;
use reparam::maps::{Power, Squares};
use reparam::objectives::{Composite, LeastSquares};
use reparam::steps::{
    Armijo, Backtracking, BarzilaiBorwein, Constant, Decaying, Kind, PublishedBarzilaiBorwein, Situation,
    StepRule, Verdict,
};
use reparam::testing::{Random, check_step_rule};
use reparam::{Error, Integrate, Integrated, Status, nnls};

/// Factors of the step that fits.
const FIRST: [f64; 3] = [1e3, 1.0, 1e-3];

struct Problem {
    a: DMatrix<f64>,
    b: Vec<f64>,
    z: Vec<f64>,
    least: f64,
    square: f64,
}

fn problem(m: usize, n: usize, consistent: bool, seed: u64) -> Problem {
    let mut random = Random::new(seed);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let truth = DMatrix::from_fn(n, 1, |j, _| {
        if j % 3 == 0 {
            1.0 + j as f64 / n as f64
        } else {
            0.0
        }
    });
    let noise = random.normals::<f64>(m);
    let clean = &a * truth;
    let b: Vec<f64> = (0..m)
        .map(|i| clean[i] + if consistent { 0.0 } else { noise[i] })
        .collect();
    let exact = nnls(&a, &b).unwrap();
    let square = (a.transpose() * &a).symmetric_eigenvalues().max();
    Problem {
        least: if consistent { 0.0 } else { exact.objective },
        z: exact.x,
        a,
        b,
        square,
    }
}

impl Problem {
    fn run<I: Integrator<f64>>(
        &self,
        depth: u32,
        integrator: I,
        steps: usize,
        tolerance: f64,
    ) -> Integrated<f64, I> {
        let f = LeastSquares::new(&self.a, &self.b).unwrap();
        let recording = Recording::every(1);
        let watched = if depth == 2 {
            recording.monitor(Accelerated::new(&self.z, self.least).unwrap())
        } else {
            recording
        };
        Integrate::new(f, Power::new(self.z.len(), depth).unwrap())
            .unwrap()
            .integrator(integrator)
            .start_x0(0.25)
            .tolerance(tolerance)
            .max_iterations(steps)
            .record(watched)
            .run()
            .unwrap()
    }
}

#[test]
fn nesterov_finds_its_step() {
    for (consistent, depth, seed, tolerance) in [
        (true, 2, 1, 1e-7),
        (false, 2, 2, 1e-7),
        (true, 3, 3, 1e-7),
        (false, 3, 4, 1e-4),
    ] {
        let p = problem(if consistent { 8 } else { 30 }, 20, consistent, seed);
        let eta = 0.25 / (f64::from(depth * depth) * p.square);
        let size: f64 = p.b.iter().map(|b| b * b).sum();
        let mut steps = Vec::new();
        for first in FIRST {
            for restart in [Restart::Function, Restart::Gradient] {
                let nesterov = Nesterov::new(first * eta)
                    .unwrap()
                    .with_restart(restart)
                    .with_backtracking(Backtracking::new());
                let s = p.run(depth, nesterov, 20_000, tolerance).solution;
                println!(
                    "Nesterov L = {depth}, consistent {consistent}, η·{first:e}, {restart:?}: {} after {} steps, {} values",
                    s.status, s.iterations, s.counts.values
                );
                assert!(s.status.is_solved(), "L = {depth}, first {first:e}: {}", s.status);
                assert!(s.objective - p.least <= 20.0 * tolerance * size);
                steps.push(s.iterations);
            }
        }
        // the first step is forgotten
        let (least, most) = (steps.iter().min().unwrap(), steps.iter().max().unwrap());
        assert!(*most < 4 * *least + 100, "{steps:?}");
    }
    // what a constant step of that length does
    let p = problem(30, 20, false, 2);
    let wild = p
        .run(2, Nesterov::new(1e3 / p.square).unwrap(), 20_000, 1e-7)
        .solution;
    assert!(!wild.status.is_solved(), "{}", wild.status);
}

#[test]
fn a_step_that_only_shrinks_never_grows() {
    let p = problem(30, 20, false, 2);
    let nesterov = Nesterov::new(1e3 / p.square)
        .unwrap()
        .with_restart(Restart::Function)
        .with_backtracking(Backtracking::shrinking());
    let run = p.run(2, nesterov, 20_000, 1e-7);
    assert!(run.solution.status.is_solved());
    // the time of a step is √η
    let t = run.trajectory.column("t").unwrap();
    let lengths: Vec<f64> = t.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(lengths.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-9)));
    assert!(run.snapshot.integrator().eta() < 1e3 / p.square);
}

#[test]
fn accelerated_mirror_descent_keeps_its_bound_with_any_first_step() {
    for (consistent, m, n, seed) in [(true, 30, 20, 5), (false, 30, 20, 6), (true, 8, 20, 7)] {
        let p = problem(m, n, consistent, seed);
        for first in FIRST {
            let mirror = AcceleratedMirror::new(first / p.square)
                .unwrap()
                .with_backtracking(Backtracking::new());
            let run = p.run(2, mirror, 3_000, 1e-9);
            let column = |name: &str| run.trajectory.column(name).unwrap();
            let (f, bound, v) = (column("value"), column("bound"), column("lyapunov"));
            let gap = run.solution.objective - p.least;
            println!(
                "mirror {m} × {n}, consistent {consistent}, η·{first:e}: f − f* = {gap:.1e} after {} steps, {} values, t = {:.0}",
                run.solution.iterations,
                run.solution.counts.values,
                run.snapshot.time()
            );
            assert!(gap < 1e-4 * f[0], "{gap:e}");
            for k in 1..f.len() {
                assert!(f[k] - p.least <= bound[k] * (1.0 + 1e-9) + 1e-13, "step {k}");
                assert!(
                    v[k] <= v[k - 1] * (1.0 + 1e-9) + 1e-12,
                    "step {k}: {:e} {:e}",
                    v[k - 1],
                    v[k]
                );
            }
            // two evaluations per step, and as many per refusal: those are few
            let refused = run.solution.counts.values as f64 / 2.0 - run.solution.iterations as f64;
            assert!(refused < 0.2 * run.solution.iterations as f64 + 20.0, "{refused}");
            assert!(run.solution.x.iter().all(|x| *x > 0.0));
        }
    }
}

/// f is not quadratic: the condition is read off values, and gradients where those round.
#[test]
fn accelerated_mirror_descent_on_another_loss() {
    let mut random = Random::new(8);
    let (m, n) = (40, 6);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let labels: Vec<f64> = (0..m)
        .map(|i| f64::from(a[(i, 0)] + 0.4 * a[(i, 1)] > 0.2))
        .collect();
    let f = || {
        Composite::new(&a, Logistic::from_binary(&labels).unwrap())
            .unwrap()
            .with_ridge(0.5)
            .unwrap()
    };
    let exact = reparam::Minimize::new(f(), Squares::new(n))
        .unwrap()
        .run()
        .unwrap();
    for first in [1e4, 1e-4] {
        let run = Integrate::new(f(), Squares::new(n))
            .unwrap()
            .integrator(
                AcceleratedMirror::new(first)
                    .unwrap()
                    .with_backtracking(Backtracking::new()),
            )
            .start_x0(0.5)
            .ignore_residual()
            .max_iterations(2_000)
            .record(Recording::every(1).monitor(Accelerated::new(&exact.x, exact.objective).unwrap()))
            .run()
            .unwrap();
        let (values, bound) = (
            run.trajectory.column("value").unwrap(),
            run.trajectory.column("bound").unwrap(),
        );
        assert!(
            values
                .iter()
                .zip(&bound)
                .all(|(f, b)| f - exact.objective <= b * (1.0 + 1e-9) + 1e-12)
        );
        let gap = run.solution.objective - exact.objective;
        println!("logistic, first η = {first:e}: {gap:.1e}");
        assert!(gap < 1e-5 * exact.objective, "{gap:e}");
    }
}

#[test]
fn the_simple_scheme_finds_its_step() {
    for (consistent, seed) in [(true, 9), (false, 10)] {
        let p = problem(30, 20, consistent, seed);
        for first in FIRST {
            let simple = |guard| {
                Simple::new(first / p.square)
                    .unwrap()
                    .with_safeguard(guard)
                    .with_backtracking(Backtracking::new())
            };
            let run = p.run(2, simple(Safeguard::Restart), 20_000, 1e-9);
            let gap = run.solution.objective - p.least;
            println!(
                "simple, consistent {consistent}, η·{first:e}: {}, f − f* = {gap:.1e} after {} steps, {} values, {} restarts",
                run.solution.status,
                run.solution.iterations,
                run.solution.counts.values,
                run.snapshot.integrator().restarts()
            );
            assert!(gap < 1e-6 * p.b.iter().map(|b| b * b).sum::<f64>(), "{gap:e}");
            assert!(run.solution.x.iter().all(|x| *x > 0.0));
            // without restarts the step must shrink instead, and the run goes on where the constant step ends
            let run = p.run(2, simple(Safeguard::Stop), 2_000, 1e-9);
            assert!(matches!(
                run.solution.status,
                Status::IterationLimit | Status::Solved
            ));
            assert_eq!(run.snapshot.integrator().restarts(), 0);
        }
    }
}

#[test]
fn the_epoch_rule_finds_its_step() {
    let p = problem(8, 20, true, 11);
    let eta = 0.02 / 8.0;
    for acceleration in [Acceleration::None, Acceleration::Nesterov { momentum: 0.8 }] {
        for first in FIRST {
            let sgd = StochasticGradient::new(first * eta, 7)
                .unwrap()
                .with_acceleration(acceleration)
                .unwrap()
                .with_epoch_rule();
            let run = p.run(2, sgd, 20_000, 1e-6);
            println!(
                "{acceleration:?} η·{first:e}: {} after {} epochs, {} values, η = {:.1e}",
                run.solution.status,
                run.solution.iterations,
                run.solution.counts.values,
                run.snapshot.integrator().eta()
            );
            assert!(run.solution.status.is_solved(), "{acceleration:?} {first:e}");
            // f never rises over an epoch that counts
            let f = run.trajectory.column("value").unwrap();
            assert!(f.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-12)));
            // undone epochs are paid for, but are no part of time
            assert_eq!(run.snapshot.time(), run.solution.iterations as f64);
        }
    }
}

#[test]
fn decaying_steps_and_the_epoch_rule_shrink_the_cloud() {
    let p = problem(40, 8, false, 12);
    let gap = |sgd: StochasticGradient<f64>| p.run(2, sgd, 600, 1e-12).solution.objective / p.least - 1.0;
    let eta = 0.02 / 40.0;
    let constant = gap(StochasticGradient::new(eta, 3).unwrap());
    let decaying = gap(StochasticGradient::decaying(
        Decaying::new(10.0 * eta, 0.55).unwrap(),
        3,
    ));
    let ruled = gap(StochasticGradient::new(eta, 3).unwrap().with_epoch_rule());
    let both =
        gap(StochasticGradient::decaying(Decaying::new(1e3 * eta, 0.55).unwrap(), 3).with_epoch_rule());
    println!(
        "inconsistent rows, (f − f*)/f*: constant {constant:.1e}, decaying {decaying:.1e}, epochs {ruled:.1e}, both {both:.1e}"
    );
    assert!(decaying < 0.2 * constant && ruled < 0.2 * constant && both < 0.2 * constant);
    // the length is η/(k+2)^γ, k the updates so far
    let run = p.run(
        2,
        StochasticGradient::decaying(Decaying::new(eta, 0.5).unwrap(), 3),
        3,
        1e-12,
    );
    assert_eq!(run.snapshot.integrator().eta(), eta / 122.0_f64.sqrt());
}

#[test]
fn a_controlled_run_resumes_bit_for_bit_and_repeats() {
    fn halves<I: Integrator<f64> + Clone>(p: &Problem, i: &I) {
        let problem = |steps| {
            Integrate::new(LeastSquares::new(&p.a, &p.b).unwrap(), Squares::new(p.z.len()))
                .unwrap()
                .integrator(i.clone())
                .start_x0(0.25)
                .ignore_residual()
                .max_iterations(steps)
        };
        let whole = problem(60).run().unwrap();
        let rest = problem(60).resume(problem(23).run().unwrap().snapshot).unwrap();
        assert_eq!(rest.solution.x, whole.solution.x, "{}", i.name());
        assert_eq!(rest.solution.counts, whole.solution.counts);
        // an integrator that has run begins anew
        let again = problem(60)
            .integrator(whole.snapshot.integrator().clone())
            .run()
            .unwrap();
        assert_eq!(again.solution.x, whole.solution.x, "{}", i.name());
    }
    let p = problem(30, 20, false, 2);
    let control = Backtracking::new();
    halves(&p, &Nesterov::new(10.0).unwrap().with_backtracking(control));
    halves(
        &p,
        &AcceleratedMirror::new(1e-6).unwrap().with_backtracking(control),
    );
    halves(
        &p,
        &Simple::new(1.0)
            .unwrap()
            .with_safeguard(Safeguard::Restart)
            .with_backtracking(control),
    );
    halves(&p, &StochasticGradient::new(1.0, 5).unwrap().with_epoch_rule());
}

/// The mirror map of the orthant is infinite at 0, and a coordinate there would never move.
#[test]
fn starts_on_the_boundary_are_refused() {
    let p = problem(30, 20, true, 1);
    let mut u = vec![0.5; 20];
    u[3] = 0.0;
    fn refused<I: Integrator<f64>>(p: &Problem, u: &[f64], integrator: I) {
        let run = Integrate::new(LeastSquares::new(&p.a, &p.b).unwrap(), Squares::new(20))
            .unwrap()
            .integrator(integrator)
            .start_at_u(u)
            .run();
        assert!(matches!(
            run,
            Err(Error::Map(reparam::MapError::OnBoundary { index: 3 }))
        ));
    }
    refused(&p, &u, reparam::integrators::BregmanProximal::new(2).unwrap());
    refused(&p, &u, AcceleratedMirror::new(0.1).unwrap());
    refused(&p, &u, Simple::new(0.1).unwrap());
}

/// Every rule, built for the problem that the check has.
#[test]
fn step_rules_do_their_work() {
    for seed in 0..5 {
        let reports = [
            (
                "constant",
                check_step_rule(|l: f64| Constant::new(1.0 / l).unwrap(), seed),
            ),
            (
                "decaying",
                check_step_rule(|l: f64| Decaying::new(1.8 / l, 0.3).unwrap(), seed),
            ),
            (
                "Armijo",
                check_step_rule(|l: f64| Armijo::new(8.0 / l).unwrap(), seed),
            ),
            (
                "Barzilai–Borwein, long",
                check_step_rule(|l: f64| BarzilaiBorwein::new(Kind::Long, 1.0 / l).unwrap(), seed),
            ),
            (
                "Barzilai–Borwein, short",
                check_step_rule(|l: f64| BarzilaiBorwein::new(Kind::Short, 1.0 / l).unwrap(), seed),
            ),
            (
                "Barzilai–Borwein, published",
                check_step_rule(
                    |l: f64| PublishedBarzilaiBorwein::new(Kind::Long, Space::U, 1.0 / l).unwrap(),
                    seed,
                ),
            ),
            (
                "in f32",
                check_step_rule(|l: f32| Constant::new(1.0 / l).unwrap(), seed),
            ),
        ];
        for (name, report) in reports {
            assert!(report.passed(), "{name}:\n{report}");
        }
    }
}

/// Rules that are wrong in one thing.
#[test]
fn wrong_step_rules_are_found() {
    struct Wrong(&'static str, f64, usize);
    impl StepRule<f64> for Wrong {
        fn name(&self) -> &'static str {
            self.0
        }
        fn length(&mut self, _: &mut Lifted<'_, f64>, _: &Situation<'_, f64>) -> reparam::Result<f64> {
            self.2 += 1;
            Ok(match self.0 {
                "short" => 0.1 / self.1,
                "long" => 2.5 / self.1,
                "backwards" => -1.0 / self.1,
                "forgets nothing" => (1.0 + 1e-3 * self.2 as f64) / self.1,
                _ => 1.0 / self.1,
            })
        }
        fn verdict(&mut self, _: &Situation<'_, f64>, s: f64, _: Option<f64>) -> Verdict<f64> {
            match self.0 {
                "longer" if self.2 % 2 == 1 && s < 2.0 / self.1 => Verdict::Retry(2.0 * s),
                _ => Verdict::Accept,
            }
        }
    }
    for (what, name) in [
        ("short", "200 steps do what 50 of 1/L do"),
        ("long", "200 steps do what 50 of 1/L do"),
        ("backwards", "lengths are positive and finite"),
        ("longer", "refused steps are shortened"),
        ("forgets nothing", "the same lengths after a reset"),
    ] {
        let report = check_step_rule(|l| Wrong(what, l, 0), 1);
        let check = report.checks().iter().find(|c| c.name == name).unwrap();
        assert!(!check.passed(), "{what}:\n{report}");
    }
}
