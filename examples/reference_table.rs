//! The reference problems by every method: prints the table of docs/methods.md.
//!
//! `cargo run --release --example reference_table` (`-- --each` for one line per problem with bounds)

#[path = "../tests/common/mod.rs"]
mod common;

use common::{bounded, convex, nist};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, Method, State, TrustRegion};
use reparam::prelude::*;
use reparam::{History, Result};

fn methods() -> [State<f64>; 4] {
    [
        BoxLbfgs::new(10).into(),
        Lbfgs::new(10).into(),
        ConjugateGradient::new().into(),
        TrustRegion::new().into(),
    ]
}

/// What a method needed for a collection, and where it ended.
#[derive(Default)]
struct Row {
    count: usize,
    reached: usize,
    proven: usize,
    values: usize,
    products: usize,
    missed: Vec<String>,
}

impl Row {
    /// Counts one answer; `reached` says whether it has the known value.
    fn add(&mut self, name: &str, s: &Solution<f64>, reached: bool) {
        self.count += 1;
        self.values += s.counts.values;
        self.products += s.counts.hessian_products;
        if reached {
            self.reached += 1;
            self.proven += usize::from(s.status.is_converged());
        } else {
            self.missed.push(format!("{name} ({})", s.status.word()));
        }
    }

    #[allow(clippy::print_stdout)]
    fn print(&self, problems: &str, method: &str) {
        let Self {
            count,
            reached,
            proven,
            values,
            products,
            ..
        } = self;
        let missed = match self.missed.as_slice() {
            [] => "–".to_owned(),
            names if names.len() > 8 => format!("{} of them", names.len()),
            names => names.join(", "),
        };
        println!(
            "| {problems} | {method} | {reached} of {count} | {proven} | {values} | {products} | {missed} |"
        );
    }
}

fn by_method_on_convex(method: &State<f64>) -> Result<Row> {
    let mut row = Row::default();
    for name in convex::NAMES {
        let p = convex::problem(name);
        let s = match p.set {
            convex::Set::Orthant => Minimize::new(p.objective, Squares::new(p.n))?
                .method(method.clone())
                .run()?,
            convex::Set::Simplex => {
                let lifted = match method {
                    // no box: what the default takes there
                    State::BoxLbfgs(_) => Lbfgs::new(10).into(),
                    other => other.clone(),
                };
                Minimize::new(p.objective, NormalizedSquares::new(p.n, 1.0)?)?
                    .method(lifted)
                    .run()?
            }
        };
        let reached = (s.objective - p.optimum).abs() <= 1e-10 * p.optimum.abs();
        row.add(name, &s, reached);
    }
    Ok(row)
}

/// The answer, its f − f* relative to max(1, |f*|), and the evaluations after which that was at most 1e-6 and 1e-9 for good.
fn with_bounds(name: &str, method: &State<f64>) -> Result<(Solution<f64>, f64, [Option<usize>; 2])> {
    let p = bounded::problem(name);
    let map = Bounds::new(p.lower.clone(), p.upper.clone())?;
    let mut history = History::new();
    let s = Minimize::new(p.clone(), map)?
        .method(method.clone())
        .start(&p.start)
        .observe(history.observer())
        .run()?;
    let excess = |f: f64| (f - p.optimum) / p.optimum.abs().max(1.0);
    let reached = [1e-6, 1e-9].map(|to| {
        let record = history.records().iter().find(|r| excess(r.value) <= to);
        record.map(|r| r.evaluations)
    });
    Ok((s.clone(), excess(s.objective), reached))
}

fn on_nist(method: &State<f64>, k: usize) -> Result<Row> {
    let mut row = Row::default();
    for name in nist::NAMES {
        let p = nist::problem(name);
        let s = Minimize::new(NonlinearLeastSquares::new(p.clone())?, Identity::new(p.n))?
            .method(method.clone())
            .start(&p.starts[k])
            .run()?;
        let worst = |m: f64, (a, b): (&f64, &f64)| m.max(((a - b) / b).abs());
        row.add(name, &s, s.x.iter().zip(&p.x).fold(0.0, worst) <= 1e-6);
    }
    Ok(row)
}

fn on_bounded_nist(method: &State<f64>) -> Result<Row> {
    let mut row = Row::default();
    for name in nist::NAMES {
        let p = nist::problem(name);
        let Some(b) = p.bounded.clone() else {
            continue;
        };
        let start: Vec<f64> = (0..p.n)
            .map(|j| p.starts[1][j].clamp(b.lower[j], b.upper[j]))
            .collect();
        let map = Bounds::new(b.lower, b.upper)?;
        let s = Minimize::new(NonlinearLeastSquares::new(p)?, map)?
            .method(method.clone())
            .start(&start)
            .run()?;
        row.add(name, &s, (2.0 * s.objective / b.rss - 1.0).abs() <= 1e-8);
    }
    Ok(row)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<()> {
    let each = std::env::args().any(|a| a == "--each");
    if each {
        println!(
            "| problem | evaluations | to 1e-6 | to 1e-9 | f − f* | status |\n|---|---|---|---|---|---|"
        );
        let mut total = 0;
        for name in bounded::NAMES {
            let (s, excess, reached) = with_bounds(name, &BoxLbfgs::new(10).into())?;
            total += s.counts.values;
            let [six, nine] = reached.map(|k| k.map_or("–".to_owned(), |k| k.to_string()));
            let word = s.status.word();
            println!(
                "| {name} | {} | {six} | {nine} | {excess:.1e} | {word} |",
                s.counts.values
            );
        }
        println!("{total} evaluations in all");
        return Ok(());
    }
    println!("| problems | method | reach f* | converged there | evaluations | Hessian products | others |");
    println!("|---|---|---|---|---|---|---|");
    for method in methods() {
        by_method_on_convex(&method)?.print("convex", method.name());
    }
    for method in methods() {
        let mut row = Row::default();
        for name in bounded::NAMES {
            let (s, excess, _) = with_bounds(name, &method)?;
            row.add(name, &s, excess <= 1e-9);
        }
        row.print("bounds", method.name());
    }
    let squares: State<f64> = LevenbergMarquardt::new().into();
    for method in std::iter::once(squares).chain(methods()) {
        for k in 0..2 {
            on_nist(&method, k)?.print(&format!("NIST, start {}", k + 1), method.name());
        }
        on_bounded_nist(&method)?.print("NIST with bounds", method.name());
    }
    Ok(())
}
