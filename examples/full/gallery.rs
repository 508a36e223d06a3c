//! The pictures of docs/gallery.md.
//!
//! `cargo run --release -p reparam-full --example gallery -- docs/pictures/gallery`; without an argument into target/gallery.
#![allow(clippy::print_stdout)]

#[path = "../../src/bin/reparam/figure.rs"]
#[allow(dead_code)] // the program and the example `paper` use more of it
mod figure;

use figure::{Axis, Figure, Panel, Style};
use nalgebra::{DMatrix, DVector};
use reparam::flows::monitors::Bregman;
use reparam::flows::{GradientFlow, Recording};
use reparam::implicit_bias::AlphaPath;
use reparam::integrators::RungeKutta;
use reparam::losses::Poisson;
use reparam::maps::{NormalizedSquares, Squares};
use reparam::methods::Lbfgs;
use reparam::objectives::{Composite, LeastSquares};
use reparam::testing::Random;
use reparam::{BoxError, History, Integrate, Minimize, nnls};
use std::path::{Path, PathBuf};

const BLUE: usize = 0;
const ORANGE: usize = 1;
const GREEN: usize = 2;
const BLACK: usize = 6;
const GREY: usize = 7;

type Points = Vec<(f64, f64)>;
type Picture = fn() -> Result<Figure, BoxError>;

const PICTURES: [(&str, Picture); 6] = [
    ("decay", decay),
    ("convergence", convergence),
    ("maps", maps),
    ("bias", bias),
    ("flow", flow),
    ("deconvolution", deconvolution),
];

fn main() -> Result<(), BoxError> {
    let out = std::env::args()
        .nth(1)
        .map_or_else(|| PathBuf::from("target/gallery"), PathBuf::from);
    std::fs::create_dir_all(&out)?;
    for (name, picture) in PICTURES {
        let path = out.join(format!("{name}.svg"));
        draw(&picture()?, &path)?;
        let size = std::fs::metadata(&path)?.len();
        println!("{} ({size} bytes)", path.display());
        if size > 60_000 {
            return Err(format!("{} is too large for a page", path.display()).into());
        }
    }
    Ok(())
}

/// What the page says of a picture.
fn claim(holds: bool, words: &str) -> Result<(), BoxError> {
    if holds {
        Ok(())
    } else {
        Err(format!("a claim of docs/gallery.md does not hold: {words}").into())
    }
}

fn draw(figure: &Figure, path: &Path) -> Result<(), BoxError> {
    figure.draw(path).map_err(|e| e.to_string().into())
}

/// The points of a curve y(t).
fn curve(from: f64, to: f64, count: u32, y: impl Fn(f64) -> f64) -> Points {
    let at = |i: u32| from + (to - from) * f64::from(i) / f64::from(count - 1);
    (0..count).map(|i| (at(i), y(at(i)))).collect()
}

fn solved(status: reparam::Status) -> Result<(), BoxError> {
    if status.is_solved() {
        Ok(())
    } else {
        Err(status.to_string().into())
    }
}

/// A sum of two exponential decays with noise, and the lifetimes that it is made of.
fn decay_problem() -> (Points, Vec<f64>, DMatrix<f64>, Vec<f64>) {
    let (m, n) = (80, 50);
    let time: Vec<f64> = (0..m).map(|i| 0.05 * (i as f64 + 1.0)).collect();
    let lifetime: Vec<f64> = (0..n)
        .map(|j| 10f64.powf(-1.5 + 2.5 * j as f64 / (n as f64 - 1.0)))
        .collect();
    let noise = Random::new(3).normals::<f64>(m);
    let clean = |t: f64| 2.0 * (-t / 0.2).exp() + (-t / 1.5).exp();
    let b: Vec<f64> = time
        .iter()
        .zip(&noise)
        .map(|(t, e)| clean(*t) + 0.01 * e)
        .collect();
    let a = DMatrix::from_fn(m, n, |i, j| (-time[i] / lifetime[j]).exp());
    (
        time.iter().copied().zip(b.iter().copied()).collect(),
        lifetime,
        a,
        b,
    )
}

fn decay() -> Result<Figure, BoxError> {
    let (data, lifetime, a, b) = decay_problem();
    let s = nnls(&a, &b)?;
    solved(s.status)?;
    claim(s.support_len() == 5, "five amplitudes of fifty")?;
    let short: f64 =
        s.x.iter()
            .zip(&lifetime)
            .filter(|(_, t)| **t < 0.5)
            .map(|(x, _)| x)
            .sum();
    let long = s.x.iter().sum::<f64>() - short;
    claim(
        (short - 2.0).abs() < 0.1 && (long - 1.0).abs() < 0.1,
        "their sums are those of the truth",
    )?;
    let mut figure = Figure::new(2);
    let mut fit = Panel::new(
        "A decay and its non-negative fit",
        Axis::linear("time / ms"),
        Axis::linear("signal / V"),
    );
    fit.add("data", BLACK, Style::Points, data.clone());
    let fitted = data.iter().zip(&s.residual).map(|((t, b), r)| (*t, b - r));
    fit.add("fit A x", BLUE, Style::Line, fitted.collect());
    let mut spectrum = Panel::new(
        format!("Its spectrum: {} of {} amplitudes", s.support_len(), s.x.len()),
        Axis::logarithmic("lifetime / ms"),
        Axis::linear("amplitude / V"),
    );
    let stems = lifetime.iter().copied().zip(s.x.iter().copied());
    spectrum.add("amplitudes x", ORANGE, Style::Stems, stems.collect());
    spectrum.add("truth", GREEN, Style::Ticks, vec![(0.2, 2.0), (1.5, 1.0)]);
    figure.panels = vec![fit, spectrum];
    Ok(figure)
}

/// ρ and the gradient of the lift along a run that starts next to zero: the lift's gradient is small where nothing is solved.
fn convergence() -> Result<Figure, BoxError> {
    let (m, n) = (30, 20);
    let mut random = Random::new(5);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
    let b = random.normals::<f64>(m);
    let at = DVector::from_column_slice(&b);
    let mut lifted: Points = Vec::new();
    let mut history = History::new();
    let start = vec![1e-8; n];
    let s = {
        let mut record = history.observer();
        Minimize::new(LeastSquares::new(&a, &b)?, Squares::new(n))?
            .start(&start)
            .exact_finish(false)
            .method(Lbfgs::new(10))
            .observe(|p| {
                let g = a.transpose() * (&a * DVector::from_column_slice(p.x) - &at);
                // x = u²: the gradient in u is 2 u g
                let size = g
                    .iter()
                    .zip(p.x)
                    .map(|(g, x)| 4.0 * x * g * g)
                    .sum::<f64>()
                    .sqrt();
                lifted.push((p.iteration as f64, size / at.norm_squared()));
                record(p)
            })
            .run()?
    };
    solved(s.status)?;
    let rho: Points = history
        .records()
        .iter()
        .map(|r| (r.iteration as f64, r.natural_residual))
        .collect();
    let (Some(first), Some(at_start)) = (rho.first(), lifted.first()) else {
        return Err("nothing was recorded".into());
    };
    claim(
        at_start.1 < 1e-3 && first.1 > 0.1,
        "at the start the gradient is small and ρ is not",
    )?;
    let before = rho.iter().zip(&lifted).skip(1);
    claim(
        before.clone().count() == rho.len() - 1 && before.clone().any(|(r, l)| l.1 < 0.1 * r.1),
        "later the gradient falls below a tenth of ρ again",
    )?;
    let mut panel = Panel::new(
        "A small gradient in u is no proof, a small ρ is",
        Axis::linear("iterations of L-BFGS on the lift"),
        Axis::logarithmic("relative size, no unit"),
    );
    panel.add("ρ(x), the certificate", BLUE, Style::Marked, rho);
    panel.add("‖∇(f∘φ)(u)‖ / ‖b‖²", ORANGE, Style::Dashed, lifted);
    let mut figure = Figure::new(1);
    figure.panels.push(panel);
    Ok(figure)
}

/// What a map does: f(u²) of one variable, and descents on the simplex.
fn maps() -> Result<Figure, BoxError> {
    let mut landscape = Panel::new(
        "One unknown, x = u²",
        Axis::linear("u"),
        Axis::linear("½(u² − b)²").within(0.0, 3.0),
    );
    for (name, colour, style, b) in [
        ("b = 1: zero is a maximum", BLUE, Style::Line, 1.0),
        ("b = 0: flat minimum", GREEN, Style::Marked, 0.0),
        ("b = −1: zero is the answer", ORANGE, Style::Dashed, -1.0),
    ] {
        let count = if style == Style::Marked { 31 } else { 121 };
        let f = |u: f64| 0.5 * (u * u - b).powi(2);
        landscape.add(name, colour, style, curve(-1.8, 1.8, count, f));
    }
    // the simplex of three shares, drawn flat; f(x) = ½‖x − y‖²
    let flat = |x: &[f64]| (x[1] + 0.5 * x[2], 0.75f64.sqrt() * x[2]);
    let mut simplex = Panel::new(
        "Flows on the simplex, x = u²/‖u‖²",
        Axis::linear("x₂ + x₃/2"),
        Axis::linear("√¾ x₃"),
    );
    let corners = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
    simplex.add(
        "the simplex",
        GREY,
        Style::Line,
        corners.iter().map(|c| flat(c)).collect(),
    );
    let y = [0.45, 0.75, -0.2];
    let identity = DMatrix::<f64>::identity(3, 3);
    for start in [
        [0.9, 0.05, 0.05],
        [0.05, 0.05, 0.9],
        [0.05, 0.9, 0.05],
        [0.34, 0.33, 0.33],
    ] {
        let map = NormalizedSquares::new(3, 1.0)?;
        let mut path: Points = vec![flat(&start)];
        let run = Integrate::new(LeastSquares::new(&identity, &y)?, map)?
            .start(&start)
            .integrator(RungeKutta::classical(GradientFlow::new(), 0.02)?)
            .until_time(40.0)
            .observe(|p| {
                path.push(flat(p.x));
                std::ops::ControlFlow::Continue(())
            })
            .run()?;
        path.push(flat(&run.solution.x));
        simplex.add("flows", BLACK, Style::Line, path);
    }
    let answer = [0.35, 0.65, 0.0];
    simplex.add("the answer", ORANGE, Style::Marked, vec![flat(&answer)]);

    let mut figure = Figure::new(2);
    figure.panels = vec![landscape, simplex];
    Ok(figure)
}

/// The least Σ x over x ≥ 0, A x = b, by linear programming.
fn least_sum(a: &DMatrix<f64>, b: &[f64]) -> Result<f64, BoxError> {
    use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
    let mut program = Problem::new(OptimizationDirection::Minimize);
    let x: Vec<_> = (0..a.ncols())
        .map(|_| program.add_var(1.0, (0.0, f64::INFINITY)))
        .collect();
    for (row, b) in a.row_iter().zip(b) {
        let terms: Vec<_> = x.iter().copied().zip(row.iter().copied()).collect();
        program.add_constraint(&terms, ComparisonOp::Eq, *b);
    }
    match program.solve()? {
        SolveOutcome::Solution(s) => Ok(s.objective()),
        _ => Err("the linear program has no solution".into()),
    }
}

/// 10 equations, 50 unknowns: the limit of the flow from small starts, and what an active set ends with.
fn bias() -> Result<Figure, BoxError> {
    let (m, n) = (10, 50);
    let mut random = Random::new(1);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt();
    let mut truth = DVector::zeros(n);
    (truth[7], truth[21], truth[40]) = (1.0, 0.6, 1.3);
    let b = &a * &truth;
    let least = least_sum(&a, b.as_slice())?;
    claim(
        (least - truth.sum()).abs() < 1e-9,
        "the truth is the solution of least sum",
    )?;
    let number = |x: &[f64]| {
        x.iter()
            .enumerate()
            .map(|(j, x)| (j as f64, *x))
            .collect::<Points>()
    };
    let mut figure = Figure::new(2);
    let mut sums = Vec::new();
    for (size, words) in [(1.0, "large"), (1e-3, "small")] {
        let limits = AlphaPath::new(&a, b.as_slice(), 2)?.sizes_u0(&[size])?.run()?;
        let limit = limits.first().ok_or("no limit")?;
        solved(limit.status)?;
        let misfit = &a * DVector::from_column_slice(&limit.x) - &b;
        claim(misfit.norm() < 1e-6 * b.norm(), "both limits satisfy A x = b")?;
        sums.push(limit.l1);
        let mut panel = Panel::new(
            format!("Start u₀ = {size}, {words}: Σx = {:.3}", limit.l1),
            Axis::linear("column of A"),
            Axis::linear("x, no unit"),
        );
        panel.add(
            "truth",
            BLACK,
            Style::Ticks,
            number(truth.as_slice())
                .into_iter()
                .filter(|p| p.1 > 0.0)
                .collect(),
        );
        panel.add(
            "limit of the flow, A x = b",
            ORANGE,
            Style::Stems,
            number(&limit.x),
        );
        figure.panels.push(panel);
    }
    claim(
        sums[0] > 10.0 * least && sums[1] < 1.05 * least,
        "the sum of the small start is near the least one, the sum of the large one is not",
    )?;
    Ok(figure)
}

/// f − min f along the gradient flow, and the bound that its Lyapunov function proves.
fn flow() -> Result<Figure, BoxError> {
    let (m, n) = (12, 8);
    let mut random = Random::new(9);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt();
    let b = random.normals::<f64>(m);
    let exact = nnls(&a, &b)?;
    let run = Integrate::new(LeastSquares::new(&a, &b)?, Squares::new(n))?
        .start_u0(0.3)
        .ignore_residual()
        .until_time(100.0)
        .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(2)?))
        .record(Recording::per_decade(12).monitor(Bregman::new(2, &exact.x, exact.objective)?))
        .run()?;
    let rows: Vec<&[f64]> = run.trajectory.rows().filter(|r| r[0] >= 0.01).collect();
    if let Some(r) = rows.iter().find(|r| r[1] - exact.objective > r[4]) {
        return Err(format!("the bound is broken at t = {}", r[0]).into());
    }
    let of = |f: &dyn Fn(&[f64]) -> f64| rows.iter().map(|r| (r[0], f(r))).collect::<Points>();
    let mut panel = Panel::new(
        "The flow stays below its bound",
        Axis::logarithmic("time t, no unit"),
        Axis::logarithmic("f(x(t)) − min f").within(1e-9, 1e4),
    );
    panel.add("f − min f", BLUE, Style::Line, of(&|r| r[1] - exact.objective));
    panel.add("bound D(z, x₀)/t", ORANGE, Style::Dashed, of(&|r| r[4]));
    let mut lyapunov = Panel::new(
        "D(z, x(t)), the Lyapunov function, falls",
        Axis::logarithmic("time t, no unit"),
        Axis::linear("D(z, x(t))"),
    );
    lyapunov.add("D(z, x(t))", GREEN, Style::Marked, of(&|r| r[3]));
    let mut figure = Figure::new(2);
    figure.panels = vec![panel, lyapunov];
    Ok(figure)
}

/// Three lines behind a blur, counted: maximum likelihood over x ≥ 0.
fn deconvolution() -> Result<Figure, BoxError> {
    let n = 60;
    let blur = DMatrix::from_fn(n, n, |i, j| {
        (-0.5 * ((i as f64 - j as f64) / 2.5).powi(2)).exp() / 6.27
    });
    let mut truth = DVector::from_element(n, 0.0);
    (truth[18], truth[24], truth[44]) = (900.0, 500.0, 700.0);
    let mean = (&blur * &truth).add_scalar(2.0);
    let noise = Random::new(11).normals::<f64>(n);
    // Poisson counts by the normal approximation, rounded
    let counts: Vec<f64> = mean
        .iter()
        .zip(&noise)
        .map(|(m, e)| (m + m.sqrt() * e).round().max(0.0))
        .collect();
    // a column of ones is the dark count
    let a = blur.insert_column(n, 1.0);
    let s = Minimize::new(Composite::new(&a, Poisson::new(&counts)?)?, Squares::new(n + 1))?.run()?;
    solved(s.status)?;
    claim(s.x[n] < 0.5, "the dark count comes out next to zero")?;
    let near = |from: usize, to: usize| s.x[from..to].iter().sum::<f64>();
    for (found, truth) in [
        (near(14, 21), 900.0),
        (near(22, 28), 500.0),
        (near(41, 48), 700.0),
    ] {
        claim(
            (found / truth - 1.0).abs() < 0.2,
            "the sums of neighbours are within a fifth of the truth",
        )?;
    }
    let fitted = &a * DVector::from_column_slice(&s.x);
    let number = |x: &[f64]| {
        x.iter()
            .enumerate()
            .map(|(j, x)| (j as f64, *x))
            .collect::<Points>()
    };
    let mut data = Panel::new(
        "Counts behind a blur",
        Axis::linear("channel"),
        Axis::linear("counts"),
    );
    data.add("counts", BLACK, Style::Points, number(&counts));
    data.add("expected A x", BLUE, Style::Line, number(fitted.as_slice()));
    let mut lines = Panel::new(
        format!("Lines of greatest likelihood, dark count {:.1} (truth 2)", s.x[n]),
        Axis::linear("channel"),
        Axis::linear("intensity / counts"),
    );
    lines.add("intensities x", ORANGE, Style::Stems, number(&s.x[..n]));
    lines.add(
        "truth",
        GREEN,
        Style::Ticks,
        number(truth.as_slice())
            .into_iter()
            .filter(|p| p.1 > 0.0)
            .collect(),
    );
    let mut figure = Figure::new(2);
    figure.panels = vec![data, lines];
    Ok(figure)
}
