//! All methods on one consistent problem, 200 equations for 500 unknowns with a sparse truth: what they cost, and which solution they find.

use crate::baselines::{Counting, Descent, projected_gradient};
use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{distance, gaussian, judged, norm, sparse_truth, squared_norm, times};
use crate::report::{Outcome, Report, Size, e};
use reparam::flows::{GradientFlow, Space};
use reparam::implicit_bias::AlphaPath;
use reparam::integrators::{
    AcceleratedMirror, BregmanProximal, Euler, Implicit, Integrator, Nesterov, Restart, RungeKutta, Simple,
    StochasticGradient,
};
use reparam::maps::{Power, Squares};
use reparam::methods::{ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::nnls::Strategy;
use reparam::objectives::LeastSquares;
use reparam::steps::{Armijo, BarzilaiBorwein, Decaying, Kind, PublishedBarzilaiBorwein};
use reparam::testing::Random;
use reparam::{Integrate, Minimize, Nnls, Solution};
use std::ops::ControlFlow;

const TOLERANCE: f64 = 1e-6;
const ALPHA: f64 = 1e-2;

struct Bench {
    a: nalgebra::DMatrix<f64>,
    b: Vec<f64>,
    truth: Vec<f64>,
    steps: usize,
    report: Report,
    panel: Panel,
}

/// One line of the table.
struct Line {
    steps: usize,
    products: f64,
    rho: f64,
    l1: f64,
    seconds: f64,
    solved: bool,
}

impl Bench {
    fn add(&mut self, name: &str, x: &[f64], mut line: Line) -> Line {
        // one verdict for all, not what each says of itself
        line.rho = judged(&self.a, &self.b, x);
        line.solved = line.rho <= TOLERANCE;
        let misfit: Vec<f64> = times(&self.a, x)
            .iter()
            .zip(&self.b)
            .map(|(p, q)| p - q)
            .collect();
        let residual = norm(&misfit) / norm(&self.b);
        let off = distance(x, &self.truth) / norm(&self.truth);
        self.report.row(vec![
            name.into(),
            line.steps.to_string(),
            format!("{:.0}", line.products),
            e(line.rho),
            e(residual),
            format!("{:.4}", line.l1),
            e(off),
            format!("{:.3}", line.seconds),
            if line.solved { "yes" } else { "no" }.into(),
        ]);
        line
    }

    fn answer(&mut self, name: &str, s: &Solution<f64>, products: f64) -> Line {
        let line = Line {
            steps: s.iterations,
            products,
            rho: 0.0,
            l1: s.x.iter().sum(),
            seconds: s.elapsed.as_secs_f64(),
            solved: false,
        };
        self.add(name, &s.x, line)
    }

    fn dynamics(
        &mut self,
        name: &str,
        depth: u32,
        integrator: impl Integrator<f64>,
        show: Option<usize>,
    ) -> reparam::Result<Line> {
        let a = self.a.clone();
        let operator = Counting::new(&a);
        let mut curve = Vec::new();
        let scale = norm(&self.b);
        let run = Integrate::new(
            LeastSquares::new(&operator, &self.b)?,
            Power::new(self.truth.len(), depth)?,
        )?
        .integrator(integrator)
        .start_u0(f64::powf(ALPHA, 2.0 / f64::from(depth))) // the same x₀ for every L
        .tolerance(TOLERANCE)
        .max_iterations(self.steps)
        .observe(|p| {
            curve.push((operator.products() as f64, (2.0 * p.value).sqrt() / scale));
            ControlFlow::Continue(())
        })
        .run()?;
        if let Some(colour) = show {
            self.panel.add(name, colour, Style::Line, curve);
        }
        Ok(self.answer(name, &run.solution, operator.products() as f64))
    }

    fn minimize(&mut self, name: &str, method: State<f64>, show: Option<usize>) -> reparam::Result<Line> {
        let a = self.a.clone();
        let operator = Counting::new(&a);
        let mut curve = Vec::new();
        let scale = norm(&self.b);
        let n = self.truth.len();
        let s = Minimize::new(LeastSquares::new(&operator, &self.b)?, Squares::new(n))?
            .method(method)
            .start(&vec![ALPHA * ALPHA; n])
            .tolerance(TOLERANCE)
            .observe(|p| {
                curve.push((operator.products() as f64, (2.0 * p.value).sqrt() / scale));
                // ρ of `Minimize` is relative to f, which tends to 0 here; this implies what the others stop at
                if (2.0 * p.value).sqrt() <= TOLERANCE * scale {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .run()?;
        if let Some(colour) = show {
            self.panel.add(name, colour, Style::Line, curve);
        }
        Ok(self.answer(name, &s, operator.products() as f64))
    }

    fn projected(&mut self, name: &str, accelerated: bool, bound: f64, show: usize) -> Line {
        let a = self.a.clone();
        let operator = Counting::new(&a);
        let how = Descent {
            accelerated,
            tolerance: TOLERANCE,
            steps: 10 * self.steps,
            seconds: 120.0,
        };
        let start = vec![ALPHA * ALPHA; self.truth.len()];
        let mut curve = Vec::new();
        let scale = norm(&self.b);
        let end = projected_gradient(&operator, &self.b, &start, bound, how, |f| {
            curve.push((operator.products() as f64, (2.0 * f).sqrt() / scale));
        });
        self.panel.add(name, show, Style::Dashed, curve);
        let line = Line {
            steps: end.steps,
            products: operator.products() as f64,
            rho: 0.0,
            l1: end.x.iter().sum(),
            seconds: end.seconds,
            solved: false,
        };
        self.add(name, &end.x, line)
    }
}

pub(crate) fn run(size: Size) -> Outcome {
    let (m, n, sparsity) = size.pick((40, 100, 3), (200, 500, 5));
    let mut random = Random::new(17);
    let a = gaussian(m, n, &mut random);
    let (truth, _) = sparse_truth(n, sparsity, &mut random);
    let b = times(&a, &truth);
    let square = squared_norm(&a);
    let least: f64 = truth.iter().sum(); // sparse enough that the truth has the least ℓ1 norm: checked below by the limit of L = 3
    let header = [
        "method",
        "steps",
        "products",
        "ρ",
        "‖Ax − b‖/‖b‖",
        "ℓ1",
        "‖x − x*‖/‖x*‖",
        "seconds",
        "reached",
    ];
    let panel = Panel::new(
        format!("A {m} × {n}, {sparsity}-sparse truth"),
        Axis::logarithmic("products with A or Aᵀ").within(2.0, 1e5),
        Axis::logarithmic("‖Ax − b‖/‖b‖").within(1e-8, 2.0),
    );
    let mut bench = Bench {
        a,
        b,
        truth,
        steps: size.pick(3_000, 20_000),
        report: Report::new(&header, Figure::new(1)),
        panel,
    };

    // steps per factor: stable where L η ‖A‖² x^q < 2
    let eta = |depth: u32| 1.0 / (f64::from(depth) * square);
    let flow = |depth: u32| GradientFlow::per_factor(depth);
    let descent = bench.dynamics(
        "gradient descent, L = 2",
        2,
        Euler::constant(flow(2)?, eta(2))?,
        Some(0),
    )?;
    let descent3 = bench.dynamics(
        "gradient descent, L = 3",
        3,
        Euler::constant(flow(3)?, eta(3))?,
        Some(1),
    )?;
    bench.dynamics(
        "gradient descent, steps η/(k+2)^¼",
        2,
        Euler::new(flow(2)?, Decaying::new(4.0 * eta(2), 0.25)?),
        None,
    )?;
    bench.dynamics(
        "gradient descent, Armijo",
        2,
        Euler::new(flow(2)?, Armijo::new(4.0 * eta(2))?),
        None,
    )?;
    let bb = bench.dynamics(
        "Barzilai–Borwein, long",
        2,
        Euler::new(
            GradientFlow::new(),
            BarzilaiBorwein::new(Kind::Long, 0.5 * eta(2))?,
        ),
        Some(2),
    )?;
    bench.dynamics(
        "Barzilai–Borwein, short",
        2,
        Euler::new(
            GradientFlow::new(),
            BarzilaiBorwein::new(Kind::Short, 0.5 * eta(2))?,
        ),
        None,
    )?;
    bench.dynamics(
        "Barzilai–Borwein as published (u, long)",
        2,
        Euler::new(
            flow(2)?,
            PublishedBarzilaiBorwein::new(Kind::Long, Space::U, eta(2))?,
        ),
        None,
    )?;
    bench.dynamics("Nesterov in u", 2, Nesterov::per_factor(2, eta(2))?, None)?;
    bench.dynamics(
        "Nesterov in u, function restart",
        2,
        Nesterov::per_factor(2, eta(2))?.with_restart(Restart::Function),
        Some(3),
    )?;
    bench.dynamics(
        "Nesterov in u, gradient restart",
        2,
        Nesterov::per_factor(2, eta(2))?.with_restart(Restart::Gradient),
        None,
    )?;
    bench.dynamics("accelerated mirror", 2, AcceleratedMirror::new(eta(2))?, Some(4))?;
    bench.dynamics("simple scheme", 2, Simple::new(eta(2))?, None)?;
    {
        // one step is m updates, each with a row: a product and its adjoint, beside those of the judgement
        let rows = StochasticGradient::new(eta(2) / 10.0, 1)?.per_factor(2)?;
        bench.dynamics("row sampling (without its rows)", 2, rows, None)?;
    }
    bench.dynamics(
        "flow, Dormand–Prince",
        2,
        RungeKutta::dormand_prince(flow(2)?).with_tolerances(1e-6, 1e-8)?,
        None,
    )?;
    bench.dynamics("flow, implicit", 2, Implicit::new(flow(2)?), None)?;
    let limit = bench.dynamics("limit of the flow, L = 2", 2, BregmanProximal::new(2)?, None)?;
    let limit3 = bench.dynamics("limit of the flow, L = 3", 3, BregmanProximal::new(3)?, None)?;
    let quasi = bench.minimize("L-BFGS on the lift", Lbfgs::new(10).into(), Some(5))?;
    bench.minimize(
        "conjugate gradients on the lift",
        ConjugateGradient::new().into(),
        None,
    )?;
    bench.minimize("trust region on the lift", TrustRegion::new().into(), None)?;
    let projected = bench.projected("projected gradient", false, square, 6);
    bench.projected("accelerated projected gradient", true, square, 7);
    for (name, strategy) in [
        ("Nnls", Strategy::Auto),
        ("Nnls, active set", Strategy::ActiveSet),
        ("Nnls, flow", Strategy::LiftedCg),
    ] {
        let a = bench.a.clone();
        let s = Nnls::new(&a).strategy(strategy).solve(&bench.b)?;
        let passes = s.counts.passes;
        bench.answer(name, &s, passes);
    }
    // the largest excess over the reference of any small α: the reference itself is confirmed from the other side
    let a = bench.a.clone();
    let reference = &AlphaPath::new(&a, &bench.b, 3)?.sizes_u0(&[1e-3])?.run()?[0];
    let Bench {
        mut report, panel, ..
    } = bench;
    report.figure.panels.push(panel);
    report.claim(
        "the truth has the least ℓ1 norm of all solutions here",
        format!("{least:.6}; limit for L = 3, α = 1e-3: {:.6}", reference.l1),
        (reference.l1 / least - 1.0).abs() < 1e-4,
    );
    report.claim(
        "the lift finds the sparse solution, projected gradients another",
        format!(
            "ℓ1 norms: limits {:.4} and {:.4} for L = 2, 3, projected gradient {:.4}, truth {least:.4}",
            limit.l1, limit3.l1, projected.l1
        ),
        limit.l1 < least * 1.1
            && limit3.l1 < limit.l1
            && projected.l1 > least * 1.1
            && limit.solved
            && projected.solved,
    );
    report.claim(
        "plain gradient descent on the lift is not faster than projected gradients",
        format!(
            "{} (L = 2) and {} (L = 3) steps against {}",
            descent.steps, descent3.steps, projected.steps
        ),
        descent.steps > projected.steps,
    );
    report.claim(
        "speed on the lift comes from quasi-Newton methods, which lose the bias",
        format!(
            "L-BFGS {} products, Barzilai–Borwein {}, gradient descent {}, projected gradient {}; ℓ1 norm of L-BFGS {:.4}",
            quasi.products, bb.products, descent.products, projected.products, quasi.l1
        ),
        quasi.solved && quasi.products < descent.products && quasi.products < projected.products,
    );
    Ok(report)
}
