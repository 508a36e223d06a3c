//! First and second order: the flows against t, their discretisations against k.

use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{sparse_truth, times, with_singular_values};
use crate::report::{Outcome, Report, Size, e, slope};
use reparam::flows::monitors::{Accelerated, Bregman, Monitor};
use reparam::flows::{GradientFlow, MirrorFlow, NesterovFlow, Recording};
use reparam::integrators::{AcceleratedMirror, Euler, Integrator, Nesterov, Restart, RungeKutta, Simple};
use reparam::maps::{Power, Reparametrization, Squares};
use reparam::objectives::LeastSquares;
use reparam::testing::Random;
use reparam::{Integrate, Status};

struct Case {
    a: nalgebra::DMatrix<f64>,
    b: Vec<f64>,
    z: Vec<f64>,
    x0: f64,
}

struct Seen {
    /// (t or k, f − f*)
    errors: Vec<(f64, f64)>,
    bounds: Vec<(f64, f64)>,
    status: Status,
}

impl Case {
    /// Until the time `end` recorded at times, or (None) for `steps` steps recorded by k.
    fn run(
        &self,
        depth: u32,
        integrator: impl Integrator<f64>,
        monitor: Option<Box<dyn Monitor<f64> + Send>>,
        end: Option<f64>,
        steps: usize,
    ) -> reparam::Result<Seen> {
        let mut recording = match end {
            Some(end) => {
                let times: Vec<f64> = (0..=160)
                    .map(|i| 0.1 * f64::powf(end / 0.1, f64::from(i) / 160.0))
                    .collect();
                Recording::at_times(&times)?
            }
            None => Recording::per_decade(60),
        };
        if let Some(monitor) = monitor {
            recording = recording.monitor(Boxed(monitor));
        }
        let n = self.z.len();
        let map: Box<dyn Reparametrization<f64>> = match depth {
            2 => Box::new(Squares::new(n)),
            _ => Box::new(Power::new(n, depth)?),
        };
        let mut problem = Integrate::new(LeastSquares::new(&self.a, &self.b)?, map)?
            .integrator(integrator)
            .start_x0(self.x0)
            .ignore_residual()
            .max_iterations(steps)
            .record(recording);
        if let Some(end) = end {
            problem = problem.until_time(end);
        }
        let run = problem.run()?;
        let t: Vec<f64> = match end {
            Some(_) => run.trajectory.column("t").unwrap_or_default(),
            None => run.trajectory.steps().iter().map(|k| *k as f64).collect(),
        };
        let column = |name: &str| -> Vec<(f64, f64)> {
            let values = run.trajectory.column(name).unwrap_or_default();
            t.iter().copied().zip(values).filter(|(t, _)| *t > 0.0).collect()
        };
        Ok(Seen {
            errors: column("value"),
            bounds: column("bound"),
            status: run.solution.status,
        })
    }
}

/// A monitor of either kind.
struct Boxed(Box<dyn Monitor<f64> + Send>);

impl Monitor<f64> for Boxed {
    fn columns(&self) -> &'static [&'static str] {
        self.0.columns()
    }
    fn check(&self, n: usize) -> reparam::Result<()> {
        self.0.check(n)
    }
    fn observe(&mut self, moment: &reparam::flows::monitors::Moment<'_, f64>, out: &mut [f64]) {
        self.0.observe(moment, out);
    }
}

pub(crate) fn run(size: Size) -> Outcome {
    // ill-conditioned: on well-conditioned problems everything ends exponentially and there are no slopes to see
    let (m, n) = (20, 40);
    let mut random = Random::new(11);
    let sigma: Vec<f64> = (1..=m).map(|i| f64::powf(i as f64, -2.0)).collect();
    let a = with_singular_values(m, n, &sigma, &mut random);
    let (z, _) = sparse_truth(n, 10, &mut random);
    let b = times(&a, &z);
    let case = Case { a, b, z, x0: 0.09 };
    let (end, steps) = size.pick((30.0, 300), (1e3, 30_000));
    let limit = 5_000_000;

    let mut flows = Panel::new(
        "flows, L = 2 (and 3)",
        Axis::logarithmic("t"),
        Axis::logarithmic("f − f*").within(1e-14, 1e2),
    );
    let mut schemes = Panel::new(
        "schemes, L = 2 (and 3), η = 0.25/‖A‖²",
        Axis::logarithmic("step k"),
        Axis::logarithmic("f − f*").within(1e-14, 1e2),
    );
    let mut report = Report::new(
        &[
            "dynamics",
            "against",
            "f − f* at the end",
            "slope over the last decade",
            "status",
        ],
        Figure::new(2),
    );
    let mut slopes = Vec::new();
    let (mut first, mut second) = (0, 0);
    let mut add = |panel: &mut Panel, report: &mut Report, name: &str, colour, seen: &Seen, against: &str| {
        let last = seen.errors.last().copied().unwrap_or((f64::NAN, f64::NAN));
        let fit = slope(&seen.errors, last.0 / 10.0, last.0);
        report.row(vec![
            name.into(),
            against.into(),
            e(last.1),
            format!("{fit:.2}"),
            seen.status.word().into(),
        ]);
        panel.add(name, colour, Style::Line, seen.errors.clone());
        slopes.push(fit);
        last.1
    };

    let fine = |flow| RungeKutta::dormand_prince(flow).with_tolerances(1e-8, 1e-12);
    let gradient = case.run(
        2,
        fine(GradientFlow::per_factor(2)?)?,
        Some(Box::new(Bregman::new(2, &case.z, 0.0)?)),
        Some(end),
        limit,
    )?;
    let at_first = add(
        &mut flows,
        &mut report,
        "first order: gradient flow, gradient descent in u",
        0,
        &gradient,
        "t",
    );
    flows.add("bound D/t", 0, Style::Dashed, gradient.bounds.clone());
    let mirror = case.run(
        2,
        RungeKutta::dormand_prince(MirrorFlow::new().logarithmic()).with_tolerances(1e-8, 1e-12)?,
        Some(Box::new(Accelerated::new(&case.z, 0.0)?)),
        Some(end),
        limit,
    )?;
    let at_second = add(
        &mut flows,
        &mut report,
        "accelerated mirror flow, descent",
        1,
        &mirror,
        "t",
    );
    flows.add("bound 4 KL/t²", 1, Style::Dashed, mirror.bounds.clone());
    let nesterov = case.run(
        2,
        RungeKutta::dormand_prince(NesterovFlow::per_factor(2)?).with_tolerances(1e-8, 1e-12)?,
        None,
        Some(end),
        limit,
    )?;
    add(
        &mut flows,
        &mut report,
        "Nesterov in u: flow, scheme",
        2,
        &nesterov,
        "t",
    );
    // the pair of the mirror flow is made with the entropy, L = 2; first order and Nesterov in u are there for every L
    let cubic = case.run(
        3,
        fine(GradientFlow::per_factor(3)?)?,
        Some(Box::new(Bregman::new(3, &case.z, 0.0)?)),
        Some(end),
        limit,
    )?;
    let cubic_first = add(&mut flows, &mut report, "first order, L = 3", 5, &cubic, "t");
    flows.add("bound D/t, L = 3", 5, Style::Dashed, cubic.bounds.clone());
    let cubic_nesterov = case.run(
        3,
        RungeKutta::dormand_prince(NesterovFlow::per_factor(3)?).with_tolerances(1e-8, 1e-12)?,
        None,
        Some(end),
        limit,
    )?;
    let cubic_second = add(
        &mut flows,
        &mut report,
        "Nesterov in u, L = 3",
        6,
        &cubic_nesterov,
        "t",
    );
    let mut third = 0;
    for (seen, above) in [
        (&gradient, &mut first),
        (&mirror, &mut second),
        (&cubic, &mut third),
    ] {
        *above = seen
            .errors
            .iter()
            .zip(&seen.bounds)
            .filter(|((_, f), (_, d))| *f > *d * (1.0 + 1e-9))
            .count();
    }

    let eta = 0.25; // ‖A‖ = 1
    let descent = case.run(
        2,
        Euler::constant(GradientFlow::per_factor(2)?, eta)?,
        None,
        None,
        steps,
    )?;
    let plain = add(
        &mut schemes,
        &mut report,
        "first order: gradient flow, gradient descent in u",
        0,
        &descent,
        "k",
    );
    let discrete = case.run(2, AcceleratedMirror::new(eta)?, None, None, steps)?;
    let fast = add(
        &mut schemes,
        &mut report,
        "accelerated mirror flow, descent",
        1,
        &discrete,
        "k",
    );
    let in_u = case.run(2, Nesterov::per_factor(2, eta)?, None, None, steps)?;
    add(
        &mut schemes,
        &mut report,
        "Nesterov in u: flow, scheme",
        2,
        &in_u,
        "k",
    );
    let restarted = case.run(
        2,
        Nesterov::per_factor(2, eta)?.with_restart(Restart::Function),
        None,
        None,
        steps,
    )?;
    add(
        &mut schemes,
        &mut report,
        "… with function restart",
        3,
        &restarted,
        "k",
    );
    let simple = case.run(2, Simple::new(eta)?, None, None, steps)?;
    add(&mut schemes, &mut report, "simple scheme", 4, &simple, "k");
    let descent3 = case.run(
        3,
        Euler::constant(GradientFlow::per_factor(3)?, eta)?,
        None,
        None,
        steps,
    )?;
    let plain3 = add(&mut schemes, &mut report, "first order, L = 3", 5, &descent3, "k");
    let in_u3 = case.run(
        3,
        Nesterov::per_factor(3, eta)?.with_restart(Restart::Function),
        None,
        None,
        steps,
    )?;
    let fast3 = add(&mut schemes, &mut report, "Nesterov in u, L = 3", 6, &in_u3, "k");
    for power in [1.0, 2.0] {
        let at = |i: i32| f64::powf(steps as f64, f64::from(i) / 60.0);
        let many = (0..=60).map(|i| (at(i), at(i).powf(-power))).collect();
        schemes.add("slopes −1, −2", 7, Style::Dashed, many);
    }
    report.figure.panels = vec![flows, schemes];
    report.claim(
        "gradient flow: f − f* ≤ D(z, x₀)/t",
        format!(
            "above at {first} of {} times; slope at the end {:.2}",
            gradient.bounds.len(),
            slopes[0]
        ),
        first == 0,
    );
    report.claim(
        "accelerated flow: f − f* ≤ 4 KL(z, x₀)/t²",
        format!(
            "above at {second} of {} times; slope at the end {:.2}",
            mirror.bounds.len(),
            slopes[1]
        ),
        second == 0,
    );
    report.claim(
        "L = 3, gradient flow: f − f* ≤ D(z, x₀)/t",
        format!("above at {third} of {} times", cubic.bounds.len()),
        third == 0,
    );
    report.claim(
        "L = 3: Nesterov in u is faster than first order, in t and in k",
        format!(
            "at the end {} against {} (flows), {} against {} (schemes, restarted)",
            e(cubic_second),
            e(cubic_first),
            e(fast3),
            e(plain3)
        ),
        cubic_second < cubic_first && fast3 < plain3,
    );
    report.claim(
        "second order is faster than first, in t and in k",
        format!(
            "at the end {} against {} (flows), {} against {} (schemes)",
            e(at_second),
            e(at_first),
            e(fast),
            e(plain)
        ),
        at_second < at_first && fast < plain,
    );
    Ok(report)
}
