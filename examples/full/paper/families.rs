//! The same methods on matrices of different kinds, from harmless to hopeless.

use crate::baselines::{Counting, Descent, projected_gradient};
use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{gaussian, sparse_truth, squared_norm, times};
use crate::report::{Outcome, Report, Size, e};
use nalgebra::DMatrix;
use reparam::flows::GradientFlow;
use reparam::integrators::{Euler, Integrator, Nesterov, Restart};
use reparam::maps::Squares;
use reparam::objectives::LeastSquares;
use reparam::steps::{BarzilaiBorwein, Kind};
use reparam::testing::Random;
use reparam::{Integrate, Minimize, Nnls};
use std::ops::ControlFlow;

fn family(name: &str, m: usize, n: usize, random: &mut Random) -> DMatrix<f64> {
    match name {
        "Bernoulli" => {
            DMatrix::from_fn(m, n, |_, _| if random.bits() >> 63 == 0 { 1.0 } else { -1.0 })
                / (m as f64).sqrt()
        }
        "one singular value of 20" => {
            let mut svd = gaussian(m, n, random).svd(true, true);
            svd.singular_values[0] = 20.0;
            svd.recompose().unwrap_or_else(|_| DMatrix::zeros(m, n))
        }
        "biased (mean 20)" => gaussian(m, n, random) + DMatrix::from_element(m, n, 20.0 / (m as f64).sqrt()),
        "constant" => DMatrix::from_element(m, n, 1.0 / (m as f64).sqrt()),
        "Hilbert" => DMatrix::from_fn(m, n, |i, j| 1.0 / (i + j + 1) as f64),
        _ => gaussian(m, n, random),
    }
}

pub(crate) const NAMES: [&str; 6] = [
    "normal",
    "Bernoulli",
    "one singular value of 20",
    "biased (mean 20)",
    "constant",
    "Hilbert",
];

type Curve = Vec<(f64, f64)>;

pub(crate) fn run(size: Size) -> Outcome {
    let (m, n) = size.pick((40, 20), (200, 100));
    let steps = size.pick(500, 20_000);
    let header = ["family", "method", "products", "(f − f*)/½‖b‖²", "ρ", "to 1e-8"];
    let mut report = Report::new(&header, Figure::new(2));
    let (mut certified, mut lifts, mut hardest) = (true, true, Vec::new());
    for name in NAMES {
        let mut random = Random::new(23);
        let raw = family(name, m, n, &mut random);
        let a = &raw / squared_norm(&raw).sqrt(); // ‖A‖ = 1: one step size fits all
        let (truth, _) = sparse_truth(n, n / 5, &mut random);
        let clean = times(&a, &truth);
        let level = 0.05 * crate::problems::norm(&clean) / (m as f64).sqrt();
        let b: Vec<f64> = clean.iter().map(|v| v + level * random.normal::<f64>()).collect();
        let exact = Nnls::new(&a).tolerance(1e-12).solve(&b)?;
        certified &= exact.status.is_solved() || exact.certificate.natural_residual <= 1e-8;
        let (least, unit) = (exact.objective, 0.5 * b.iter().map(|v| v * v).sum::<f64>());
        let mut panel = Panel::new(
            format!("{name}, {m} × {n}"),
            Axis::logarithmic("products with A or Aᵀ").within(2.0, 2.0 * steps as f64),
            Axis::logarithmic("(f − f*) / ½‖b‖²").within(1e-13, 2.0),
        );
        report.row(vec![
            name.into(),
            "Nnls".into(),
            format!("{:.0}", exact.counts.passes),
            "0".into(),
            e(exact.certificate.natural_residual),
            "".into(),
        ]);
        let mut add = |report: &mut Report, method: &str, colour, style, curve: Curve, rho: f64| {
            let scaled: Curve = curve
                .iter()
                .map(|(k, f)| (*k, ((f - least) / unit).max(0.0)))
                .collect();
            let (spent, end) = scaled.last().copied().unwrap_or((0.0, f64::NAN));
            let reached = scaled.iter().find(|(_, v)| *v <= 1e-8).map(|p| p.0);
            report.row(vec![
                name.into(),
                method.into(),
                format!("{spent:.0}"),
                e(end),
                e(rho),
                reached.map_or("–".into(), |k| format!("{k:.0}")),
            ]);
            panel.add(method, colour, style, scaled);
            reached
        };
        let eta = 0.1;
        let (curve, rho) = dynamics(&a, &b, Euler::constant(GradientFlow::per_factor(2)?, eta)?, steps)?;
        let plain = add(&mut report, "gradient descent, L = 2", 0, Style::Line, curve, rho);
        let bb = BarzilaiBorwein::new(Kind::Long, eta)?;
        let (curve, rho) = dynamics(&a, &b, Euler::new(GradientFlow::new(), bb), steps)?;
        add(&mut report, "Barzilai–Borwein, L = 2", 2, Style::Line, curve, rho);
        let nesterov = Nesterov::per_factor(2, eta)?.with_restart(Restart::Function);
        let (curve, rho) = dynamics(&a, &b, nesterov, steps)?;
        add(
            &mut report,
            "Nesterov in u, restarted",
            3,
            Style::Line,
            curve,
            rho,
        );
        let (curve, rho) = lbfgs(&a, &b)?;
        let fast = add(&mut report, "L-BFGS on the lift", 5, Style::Line, curve, rho);
        for (method, accelerated, colour) in [
            ("projected gradient", false, 6),
            ("accelerated projected gradient", true, 1),
        ] {
            let operator = Counting::new(&a);
            let mut curve = Vec::new();
            let how = Descent {
                accelerated,
                tolerance: 1e-9,
                steps,
                seconds: 60.0,
            };
            let end = projected_gradient(&operator, &b, &vec![0.1; n], 1.0, how, |f| {
                curve.push((operator.products() as f64, f));
            });
            add(
                &mut report,
                method,
                colour,
                Style::Dashed,
                curve,
                end.natural_residual,
            );
        }
        lifts &= fast.is_some();
        if plain.is_none() {
            hardest.push(name);
        }
        report.figure.panels.push(panel);
    }
    report.claim(
        "Nnls is certified on every family (f* is taken from it)",
        "ρ in the table",
        certified,
    );
    report.claim(
        "L-BFGS on the lift comes within 1e-8 on every family",
        format!(
            "gradient descent with a constant step does not within {steps} steps on: {}",
            if hardest.is_empty() {
                "none".into()
            } else {
                hardest.join(", ")
            }
        ),
        lifts,
    );
    Ok(report)
}

fn dynamics(
    a: &DMatrix<f64>,
    b: &[f64],
    integrator: impl Integrator<f64>,
    steps: usize,
) -> reparam::Result<(Curve, f64)> {
    let operator = Counting::new(a);
    let mut curve = Vec::new();
    let run = Integrate::new(LeastSquares::new(&operator, b)?, Squares::new(a.ncols()))?
        .integrator(integrator)
        .start_x0(0.1)
        .tolerance(1e-9)
        .max_iterations(steps)
        .observe(|p| {
            curve.push((operator.products() as f64, p.value));
            ControlFlow::Continue(())
        })
        .run()?;
    Ok((curve, run.solution.certificate.natural_residual))
}

fn lbfgs(a: &DMatrix<f64>, b: &[f64]) -> reparam::Result<(Curve, f64)> {
    let operator = Counting::new(a);
    let mut curve = Vec::new();
    let s = Minimize::new(LeastSquares::new(&operator, b)?, Squares::new(a.ncols()))?
        .method(reparam::methods::Lbfgs::new(10))
        .start(&vec![0.1; a.ncols()])
        .tolerance(1e-9)
        .observe(|p| {
            curve.push((operator.products() as f64, p.value));
            ControlFlow::Continue(())
        })
        .run()?;
    Ok((curve, s.certificate.natural_residual))
}
