//! The flow of the lift, watched: Lyapunov function, bound, conserved quantity; the same flow by four integrators, and its accelerated
//! relatives. Writes the trajectory as CSV to standard output with `-- csv`.
#![allow(clippy::print_stdout)]

use reparam::flows::monitors::{Accelerated, Bregman};
use reparam::flows::{GradientFlow, MirrorFlow, Recording, RiemannianFlow};
use reparam::integrators::{AcceleratedMirror, Euler, Implicit, Integrator, RungeKutta};
use reparam::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = nalgebra::dmatrix![
        1.0, 0.3, -0.2, 0.5, 0.1;
        -0.4, 0.8, 0.6, 0.1, 0.3;
        0.2, -0.5, 0.9, 0.7, -0.6;
        0.5, 0.1, 0.3, -0.8, 0.2;
        0.3, 0.4, -0.7, 0.2, 0.9;
        -0.1, 0.6, 0.2, 0.4, 0.5
    ];
    let b = [1.0, 0.5, -0.3, 0.9, 0.1, -0.2];
    let exact = nnls(&a, &b)?;
    let problem = || -> reparam::Result<_> {
        Ok(Integrate::new(LeastSquares::new(&a, &b)?, Squares::new(5))?
            .start_u0(0.3)
            .ignore_residual()
            .until_time(30.0))
    };
    let times: Vec<f64> = (0..=6).map(|i| 5.0 * f64::from(i)).collect();
    let monitor = Bregman::new(2, &exact.x, exact.objective)?;
    let run = problem()?
        .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(2)?))
        .record(Recording::at_times(&times)?.monitor(monitor).coordinates(&[0, 1]))
        .run()?;
    if std::env::args().nth(1).as_deref() == Some("csv") {
        run.trajectory.write_csv(std::io::stdout())?;
        return Ok(());
    }
    println!("    t      f − f*     bound D/t   D(z, x)      x₀");
    for row in run.trajectory.rows() {
        let gap = row[1] - exact.objective;
        println!(
            "{:5.0}   {gap:.3e}   {:.3e}   {:.3e}   {:.6}",
            row[0], row[4], row[3], row[5]
        );
        assert!(gap <= row[4]);
    }

    println!("\nthe same flow to t = 30");
    fn report<I: Integrator<f64>>(
        problem: Integrate<
            '_,
            f64,
            LeastSquares<&nalgebra::DMatrix<f64>, f64>,
            Squares<f64>,
            impl Integrator<f64>,
        >,
        integrator: I,
        reference: &[f64],
    ) -> reparam::Result<()> {
        let name = integrator.name();
        let s = problem.integrator(integrator).run()?.solution;
        let off =
            s.x.iter()
                .zip(reference)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
        println!(
            "{name:32} {:5} steps, {:6} gradients, {off:.1e} off",
            s.iterations, s.counts.gradients
        );
        assert!(off < 0.1);
        Ok(())
    }
    let reference = problem()?
        .integrator(RungeKutta::dormand_prince(RiemannianFlow::per_factor(2)?).with_tolerances(1e-12, 1e-15)?)
        .run()?
        .solution
        .x;
    report(
        problem()?,
        RungeKutta::dormand_prince(GradientFlow::per_factor(2)?),
        &reference,
    )?;
    report(
        problem()?,
        RungeKutta::classical(GradientFlow::per_factor(2)?, 0.1)?,
        &reference,
    )?;
    report(
        problem()?,
        Euler::constant(GradientFlow::per_factor(2)?, 0.1)?,
        &reference,
    )?;
    report(
        problem()?,
        Implicit::new(GradientFlow::per_factor(2)?),
        &reference,
    )?;

    println!("\naccelerated, with the bound 4·KL/t²");
    let monitor = Accelerated::new(&exact.x, exact.objective)?;
    let run = problem()?
        .integrator(RungeKutta::dormand_prince(MirrorFlow::new()))
        .record(Recording::at_times(&[1.0, 3.0, 10.0, 30.0])?.monitor(monitor))
        .run()?;
    for row in run.trajectory.rows() {
        println!(
            "{:5.0}   {:.3e}   {:.3e}",
            row[0],
            row[1] - exact.objective,
            row[4]
        );
    }
    let s = problem()?
        .integrator(AcceleratedMirror::new(0.01)?)
        .run()?
        .solution;
    println!(
        "its discretisation: {} steps, f − f* = {:.1e}",
        s.iterations,
        s.objective - exact.objective
    );
    println!("\n{s}");
    Ok(())
}
