//! The reference runs of the paper's flows and schemes, and the theory along them.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::common::data;
use nalgebra::DMatrix;
use reparam::flows::monitors::{Accelerated, Bregman, Conserved};
use reparam::flows::{Flow, GradientFlow, MirrorFlow, Recording, RiemannianFlow, Trajectory};
use reparam::integrators::{AcceleratedMirror, Euler, Implicit, Integrator, RungeKutta, Safeguard, Simple};
use reparam::maps::{Power, Squares};
use reparam::objectives::LeastSquares;
use reparam::steps::Decaying;
use reparam::{Integrate, Progress, Status};
use serde_json::Value;
use std::ops::ControlFlow;

fn json(name: &str) -> Value {
    let text = std::fs::read_to_string(data("paper").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn vector(v: &Value) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn matrix(v: &Value) -> DMatrix<f64> {
    let (m, n) = (
        v["m"].as_u64().unwrap() as usize,
        v["n"].as_u64().unwrap() as usize,
    );
    DMatrix::from_row_slice(m, n, &vector(&v["A"]))
}

fn npy(name: &str) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(data("paper").join(name)).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    let shape = file.shape().iter().map(|s| *s as usize).collect();
    (shape, file.into_vec().unwrap())
}

/// max |a − b|/max(1, |b|)
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs() / b.abs().max(1.0))
        .fold(0.0, f64::max)
}

/// A basis of ker A, orthonormal.
fn kernel(a: &DMatrix<f64>) -> Vec<Vec<f64>> {
    let n = a.ncols();
    // eigenvectors of AᵀA to eigenvalue 0
    let eigen = (a.transpose() * a).symmetric_eigen();
    let top = eigen.eigenvalues.amax();
    (0..n)
        .filter(|j| eigen.eigenvalues[*j].abs() < 1e-10 * top)
        .map(|j| eigen.eigenvectors.column(j).iter().copied().collect())
        .collect()
}

#[test]
fn gradient_descent_in_u_and_in_x() {
    let d = json("gradient_descent.json");
    let (a, b) = (matrix(&d), vector(&d["b"]));
    let mut worst: f64 = 0.0;
    for run in d["runs"].as_array().unwrap() {
        let depth = run["L"].as_u64().unwrap() as u32;
        let get = |k: &str| run[k].as_f64().unwrap();
        let rule = Decaying::new(get("eta"), get("gamma")).unwrap();
        let mut seen: Vec<(Vec<f64>, f64)> = Vec::new();
        let problem = Integrate::new(
            LeastSquares::new(&a, &b).unwrap(),
            Power::new(a.ncols(), depth).unwrap(),
        )
        .unwrap()
        .start_u0(get("alpha"))
        .ignore_residual()
        .max_iterations(50)
        .observe(|p: &Progress<'_, f64>| {
            seen.push((p.x.to_vec(), p.value));
            ControlFlow::Continue(())
        });
        if run["form"] == "u" {
            problem
                .integrator(Euler::new(GradientFlow::per_factor(depth).unwrap(), rule))
                .run()
                .unwrap();
        } else {
            problem
                .integrator(Euler::new(RiemannianFlow::per_factor(depth).unwrap(), rule))
                .run()
                .unwrap();
        }
        let iterates = run["iterates"].as_array().unwrap();
        let objective = vector(&run["objective"]);
        assert_eq!((seen.len(), iterates.len()), (51, 51));
        for (k, (x, f)) in seen.iter().enumerate() {
            let e = distance(x, &vector(&iterates[k])).max((f - objective[k]).abs());
            worst = worst.max(e);
            assert!(
                e < 1e-13,
                "L = {depth}, {} γ = {}: k = {k}: {e:e}",
                run["form"],
                get("gamma")
            );
        }
    }
    println!("gradient descent: {worst:.1e}");
}

/// A flow at the times of a reference run, with its monitors.
fn first_order<I: Integrator<f64>>(d: &Value, run: &Value, integrator: I) -> Trajectory<f64> {
    let (a, b, z) = (matrix(d), vector(&d["b"]), vector(&d["z"]));
    let depth = run["L"].as_u64().unwrap() as u32;
    let n = a.ncols();
    let times = vector(&run["t"]);
    let all: Vec<usize> = (0..n).collect();
    let mut recording = Recording::at_times(&times)
        .unwrap()
        .coordinates(&all)
        .monitor(Bregman::new(depth, &z, d["f_star"].as_f64().unwrap()).unwrap());
    let kernel = kernel(&a);
    if !kernel.is_empty() {
        recording = recording.monitor(Conserved::new(depth, kernel).unwrap());
    }
    let run = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Power::new(n, depth).unwrap())
        .unwrap()
        .integrator(integrator)
        .start_u0(run["alpha"].as_f64().unwrap())
        .ignore_residual()
        .until_time(times[times.len() - 1])
        .record(recording)
        .run()
        .unwrap();
    assert_eq!(run.solution.status, Status::EndTime);
    println!(
        "   {} steps, {} evaluations",
        run.solution.iterations, run.solution.counts.values
    );
    run.trajectory
}

/// The worst error of x, f and D, and the drift.
fn compare(d: &Value, run: &Value, t: &Trajectory<f64>) -> (f64, f64) {
    let n = d["n"].as_u64().unwrap() as usize;
    assert_eq!(t.column("t").unwrap(), vector(&run["t"]));
    let mut worst: f64 = 0.0;
    for (i, row) in t.rows().enumerate() {
        worst = worst.max(distance(&row[row.len() - n..], &vector(&run["x"][i])));
        // never on the boundary
        assert!(row[row.len() - n..].iter().all(|x| *x > 0.0));
    }
    worst = worst.max(distance(&t.column("value").unwrap(), &vector(&run["objective"])));
    let f_star = d["f_star"].as_f64().unwrap();
    let (v, bound, values) = (
        t.column("lyapunov").unwrap(),
        t.column("bound").unwrap(),
        t.column("value").unwrap(),
    );
    // D itself is large where x is small: its error is relative
    worst = worst.max(distance(&v, &vector(&run["lyapunov"])));
    assert!(
        v.windows(2).all(|w| w[1] <= w[0] + 1e-12),
        "D must decrease: {v:?}"
    );
    for (f, b) in values.iter().zip(&bound) {
        assert!(
            f - f_star <= b * (1.0 + 1e-12) + 1e-14,
            "bound {b:e} against {:e}",
            f - f_star
        );
    }
    let drift = t
        .column("drift")
        .map_or(0.0, |c| c.iter().fold(0.0, |m: f64, v| m.max(*v)));
    (worst, drift)
}

#[test]
fn first_order_flow_in_u_and_in_x() {
    for name in ["flow_first_order_wide.json", "flow_first_order_tall.json"] {
        let d = json(name);
        for run in d["runs"].as_array().unwrap() {
            let depth = run["L"].as_u64().unwrap() as u32;
            let in_u = RungeKutta::dormand_prince(GradientFlow::per_factor(depth).unwrap());
            let in_x = RungeKutta::dormand_prince(RiemannianFlow::per_factor(depth).unwrap());
            let (u, drift_u) = compare(
                &d,
                run,
                &first_order(&d, run, in_u.with_tolerances(1e-12, 1e-15).unwrap()),
            );
            let (x, drift_x) = compare(
                &d,
                run,
                &first_order(&d, run, in_x.with_tolerances(1e-12, 1e-16).unwrap()),
            );
            println!(
                "{name} L = {depth}: in u {u:.1e} (drift {drift_u:.1e}), in x {x:.1e} (drift {drift_x:.1e})"
            );
            assert!(u < 1e-9 && x < 1e-9, "{name} L = {depth}: {u:e} {x:e}");
            assert!(
                drift_u < 1e-9 && drift_x < 1e-9,
                "{name} L = {depth}: drift {drift_u:e} {drift_x:e}"
            );
        }
    }
}

#[test]
fn first_order_flow_by_other_integrators() {
    let d = json("flow_first_order_wide.json");
    for run in d["runs"].as_array().unwrap() {
        let depth = run["L"].as_u64().unwrap() as u32;
        let flow = || GradientFlow::per_factor(depth).unwrap();
        let rk4 = RungeKutta::classical(flow(), 0.005).unwrap();
        let implicit = Implicit::new(flow()).with_tolerances(1e-6, 1e-9).unwrap();
        let (e4, drift4) = compare(&d, run, &first_order(&d, run, rk4));
        let (ei, drifti) = compare(&d, run, &first_order(&d, run, implicit));
        println!("L = {depth}: RK4 {e4:.1e} (drift {drift4:.1e}), implicit {ei:.1e} (drift {drifti:.1e})");
        assert!(e4 < 1e-5 && ei < 1e-4, "L = {depth}: {e4:e} {ei:e}");
    }
}

#[test]
fn rate_with_positive_multipliers() {
    // f − f* ~ t^{−L/(L−2)} for L > 2
    let d = json("flow_first_order_tall.json");
    let f_star = d["f_star"].as_f64().unwrap();
    for run in d["runs"].as_array().unwrap() {
        let depth = run["L"].as_u64().unwrap() as u32;
        if depth == 2 {
            continue;
        }
        let flow = RiemannianFlow::per_factor(depth).unwrap();
        let t = first_order(
            &d,
            run,
            RungeKutta::dormand_prince(flow)
                .with_tolerances(1e-11, 1e-16)
                .unwrap(),
        );
        let f = t.column("value").unwrap();
        let slope = ((f[8] - f_star) / (f[7] - f_star)).ln() / 3.0_f64.ln();
        let theory = -f64::from(depth) / (f64::from(depth) - 2.0);
        println!("L = {depth}: slope {slope:.2}, theory {theory:.2}");
        assert!((slope - theory).abs() < 0.35);
    }
}

#[test]
fn accelerated_mirror_flow() {
    let d = json("flow_second_order.json");
    let (a, b, z) = (matrix(&d), vector(&d["b"]), vector(&d["z"]));
    let (n, f_star) = (a.ncols(), d["f_star"].as_f64().unwrap());
    let all: Vec<usize> = (0..n).collect();
    for run in d["runs"].as_array().unwrap() {
        let alpha = run["alpha"].as_f64().unwrap();
        let times = vector(&run["t"]);
        for flow in [MirrorFlow::new(), MirrorFlow::new().logarithmic()] {
            let has_second = Flow::<f64>::second(&flow, &[1.0, 1.0]).is_some();
            let result = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(n))
                .unwrap()
                .integrator(
                    RungeKutta::dormand_prince(flow)
                        .with_tolerances(1e-12, 1e-15)
                        .unwrap(),
                )
                .start_x0(alpha * alpha)
                .ignore_residual()
                .until_time(100.0)
                .record(
                    Recording::at_times(&times)
                        .unwrap()
                        .coordinates(&all)
                        .monitor(Accelerated::new(&z, f_star).unwrap()),
                )
                .run()
                .unwrap();
            let t = result.trajectory;
            let mut worst: f64 = 0.0;
            for (i, row) in t.rows().enumerate() {
                worst = worst.max(distance(&row[row.len() - n..], &vector(&run["x"][i])));
            }
            let (values, bound) = (t.column("value").unwrap(), t.column("bound").unwrap());
            assert!(
                values
                    .iter()
                    .zip(&bound)
                    .all(|(f, b)| f - f_star <= b * (1.0 + 1e-9))
            );
            if has_second {
                let v = t.column("lyapunov").unwrap();
                worst = worst.max(distance(&v, &vector(&run["lyapunov"])));
                assert!(v.windows(2).all(|w| w[1] <= w[0] + 1e-9), "{v:?}");
            }
            println!(
                "second order, α = {alpha}, with y: {has_second}: {worst:.1e}, {} steps",
                result.solution.iterations
            );
            assert!(worst < 1e-9, "{worst:e}");
        }
    }
}

#[test]
fn accelerated_schemes() {
    let d = json("accelerated.json");
    let (a, b) = (matrix(&d), vector(&d["b"]));
    let n = a.ncols();
    for run in d["runs"].as_array().unwrap() {
        let eta = run["eta"].as_f64().unwrap();
        let mut seen = Vec::new();
        let problem = Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(n))
            .unwrap()
            .start_x0(0.25)
            .ignore_residual()
            .max_iterations(50)
            .observe(|p: &Progress<'_, f64>| {
                seen.push(p.x.to_vec());
                ControlFlow::Continue(())
            });
        let scheme = run["scheme"].as_str().unwrap();
        if scheme == "mirror" {
            problem
                .integrator(AcceleratedMirror::new(eta).unwrap())
                .run()
                .unwrap();
        } else {
            problem.integrator(Simple::new(eta).unwrap()).run().unwrap();
        }
        let iterates = run["iterates"].as_array().unwrap();
        assert_eq!(seen.len(), 51);
        let worst = seen
            .iter()
            .zip(iterates)
            .map(|(x, y)| distance(x, &vector(y)))
            .fold(0.0, f64::max);
        println!("{scheme} η = {eta}: {worst:.1e}");
        assert!(worst < 1e-12, "{scheme} η = {eta}: {worst:e}");
    }
}

#[test]
fn simple_scheme_is_guarded_and_mirror_is_stable() {
    // inconsistent: multipliers stay positive
    let d = json("flow_first_order_tall.json");
    let (a, b) = (matrix(&d), vector(&d["b"]));
    let problem = || {
        Integrate::new(LeastSquares::new(&a, &b).unwrap(), Squares::new(a.ncols()))
            .unwrap()
            .start_x0(0.25)
            .ignore_residual()
    };
    let stopped = problem()
        .integrator(Simple::new(0.1).unwrap())
        .max_iterations(5000)
        .run()
        .unwrap();
    assert_eq!(stopped.solution.status, Status::LeftDomain);
    assert!(stopped.solution.iterations < 140 && stopped.solution.x.iter().all(|x| *x > 0.0));
    let guarded = Simple::new(0.1).unwrap().with_safeguard(Safeguard::Restart);
    let restarted = problem().integrator(guarded).max_iterations(5000).run().unwrap();
    assert_eq!(restarted.solution.status, Status::IterationLimit);
    assert!(restarted.snapshot.integrator().restarts() > 1);
    let f_star = d["f_star"].as_f64().unwrap();
    assert!(restarted.solution.objective - f_star < 1e-8);
    let mirror = problem()
        .integrator(AcceleratedMirror::new(0.1).unwrap())
        .max_iterations(20_000)
        .run()
        .unwrap();
    assert_eq!(mirror.solution.status, Status::IterationLimit);
    assert!(
        (mirror.solution.objective - f_star).abs() < 1e-6,
        "{:e}",
        mirror.solution.objective - f_star
    );
}

#[test]
fn decaying_steps_keep_their_bound() {
    let d = json("step_decay.json");
    let mut worst: f64 = 0.0;
    for run in d["runs"].as_array().unwrap() {
        let tag = run["problem"].as_str().unwrap();
        let (shape, entries) = npy(&format!("step_decay_{tag}_A.npy"));
        let a = DMatrix::from_row_slice(shape[0], shape[1], &entries);
        let b = npy(&format!("step_decay_{tag}_b.npy")).1;
        let depth = run["L"].as_u64().unwrap() as u32;
        let get = |k: &str| run[k].as_f64().unwrap();
        let exact = reparam::nnls(&a, &b).unwrap();
        let f_star = if tag == "consistent" { 0.0 } else { exact.objective };
        let rule = Decaying::new(get("eta"), get("gamma")).unwrap();
        let t = Integrate::new(
            LeastSquares::new(&a, &b).unwrap(),
            Power::new(a.ncols(), depth).unwrap(),
        )
        .unwrap()
        .integrator(Euler::new(GradientFlow::per_factor(depth).unwrap(), rule))
        .start_u0(get("alpha"))
        .ignore_residual()
        .max_iterations(10_000)
        .record(Recording::every(10).monitor(Bregman::new(depth, &exact.x, f_star).unwrap()))
        .run()
        .unwrap()
        .trajectory;
        let (f, bound) = (t.column("value").unwrap(), t.column("bound").unwrap());
        assert!(
            f.iter()
                .zip(&bound)
                .all(|(f, b)| f - f_star <= b * (1.0 + 1e-12) + 1e-14)
        );
        let (ks, errors) = (vector(&run["k"]), vector(&run["error"]));
        let mut compared = 0;
        for (k, error) in ks.iter().zip(&errors) {
            if let Some(i) = t.steps().iter().position(|s| *s as f64 == *k) {
                compared += 1;
                let e = (f[i] - f_star - error).abs() / (error + 1e-6);
                worst = worst.max(e);
                assert!(
                    e < 1e-6,
                    "{tag} L = {depth} k = {k}: {:e} against {error:e}",
                    f[i] - f_star
                );
            }
        }
        assert_eq!(compared, 7);
    }
    println!("step decay: {worst:.1e}");
}
