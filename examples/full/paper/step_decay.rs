//! Gradient descent with steps η/(k+2)^γ: the error against the bound D(z, x₀)/Σ s.

use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{gaussian, sparse_truth, squared_norm, times};
use crate::report::{Outcome, Report, Size, e, slope};
use reparam::Integrate;
use reparam::flows::monitors::Bregman;
use reparam::flows::{GradientFlow, Recording};
use reparam::integrators::Euler;
use reparam::maps::Power;
use reparam::objectives::LeastSquares;
use reparam::steps::Decaying;
use reparam::testing::Random;

pub(crate) fn run(size: Size) -> Outcome {
    let steps = size.pick(1_000, 100_000);
    let header = [
        "problem",
        "L",
        "γ",
        "f − f* at the end",
        "bound there",
        "slope early",
        "slope late",
        "bound's slope",
        "γ − 1",
    ];
    let mut report = Report::new(&header, Figure::new(2));
    let (mut above, mut rows) = (0, 0);
    for (name, m, n, noise) in [("consistent", 20, 50, 0.0), ("inconsistent", 60, 30, 0.3)] {
        let mut random = Random::new(7);
        let a = gaussian(m, n, &mut random);
        let (truth, _) = sparse_truth(n, 3, &mut random);
        let b: Vec<f64> = times(&a, &truth)
            .iter()
            .map(|v| v + noise * random.normal::<f64>())
            .collect();
        // on consistent data the truth is a solution, exactly; else the certified one
        let exact = reparam::Nnls::new(&a).tolerance(1e-13).solve(&b)?;
        let (z, least) = if noise == 0.0 {
            (truth, 0.0)
        } else {
            (exact.x, exact.objective)
        };
        for depth in [2, 3] {
            // stable where L η ‖A‖² x^q < 2; the same x₀ for both L
            let eta = if depth == 2 { 0.5 } else { 0.25 } / squared_norm(&a);
            let mut panel = Panel::new(
                format!("{name}, A {m} × {n}, L = {depth}"),
                Axis::logarithmic("step k"),
                Axis::logarithmic("f − f*").within(1e-12, 1e3),
            );
            for (colour, gamma) in [0.0, 0.25, 0.5, 0.75].into_iter().enumerate() {
                let run = Integrate::new(LeastSquares::new(&a, &b)?, Power::new(n, depth)?)?
                    .integrator(Euler::new(
                        GradientFlow::per_factor(depth)?,
                        Decaying::new(eta, gamma)?,
                    ))
                    .start_x0(0.01)
                    .ignore_residual()
                    .max_iterations(steps)
                    .record(Recording::per_decade(40).monitor(Bregman::new(depth, &z, least)?))
                    .run()?;
                let k = run.trajectory.steps().iter().map(|k| *k as f64);
                let value = run.trajectory.column("value").unwrap_or_default();
                let bound = run.trajectory.column("bound").unwrap_or_default();
                let errors: Vec<(f64, f64)> = k.clone().zip(value.iter().map(|f| f - least)).collect();
                let bounds: Vec<(f64, f64)> = k.zip(bound).filter(|(_, d)| d.is_finite()).collect();
                let tiny = 1e-14 * (1.0 + least);
                rows += bounds.len();
                above += errors
                    .iter()
                    .skip(1)
                    .zip(&bounds)
                    .filter(|((_, f), (_, d))| *f > d + tiny)
                    .count();
                let seen: Vec<(f64, f64)> = errors.iter().copied().filter(|(_, f)| *f > 1e3 * tiny).collect();
                let last = seen.last().map_or(f64::NAN, |p| p.0);
                let end = |c: &[(f64, f64)]| c.last().map_or(f64::NAN, |p| p.1);
                report.row(vec![
                    name.into(),
                    depth.to_string(),
                    gamma.to_string(),
                    e(end(&errors)),
                    e(end(&bounds)),
                    format!("{:.2}", slope(&seen, 3.0, 30.0)),
                    format!("{:.2}", slope(&seen, last / 10.0, last)),
                    format!("{:.2}", slope(&bounds, steps as f64 / 30.0, steps as f64)),
                    format!("{:.2}", gamma - 1.0),
                ]);
                panel.add(format!("γ = {gamma}"), colour, Style::Line, seen);
                panel.add(
                    "bound D/Σs, of slope γ − 1 (same colour)",
                    colour,
                    Style::Dashed,
                    bounds,
                );
            }
            report.figure.panels.push(panel);
        }
    }
    report.claim(
        "f_k − f* ≤ D(z, x₀)/Σ s at every step, with and without consistent data",
        format!("above the bound at {above} of {rows} recorded steps"),
        above == 0,
    );
    Ok(report)
}
