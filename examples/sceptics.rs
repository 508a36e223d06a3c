//! The measurements of docs/sceptics.md, each with an assertion.
//!
//! `cargo run --release --example sceptics`
#![allow(clippy::print_stdout)]

use nalgebra::{DMatrix, DVector};
use reparam::methods::{BoxLbfgs, Lbfgs};
use reparam::prelude::*;
use reparam::testing::Random;

/// Random least squares; a standard normal x with its negative half is behind b, so that about half of the bounds are active.
fn problem(m: usize, n: usize, random: &mut Random) -> (DMatrix<f64>, DVector<f64>) {
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt();
    let x = DVector::from_vec(random.normals::<f64>(n));
    let noise = DVector::from_vec(random.normals::<f64>(m));
    let b = &a * x + noise * 0.1;
    (a, b)
}

fn main() -> Result<(), BoxError> {
    convexity()?;
    saddle()?;
    sigmoid()?;
    projections()
}

/// Local minima that are not global: none, from any start.
fn convexity() -> Result<(), BoxError> {
    let mut random = Random::new(1);
    let (mut runs, mut solved, mut worst) = (0, 0, 0.0_f64);
    for _ in 0..20 {
        let (a, b) = problem(30, 20, &mut random);
        let exact = nnls(&a, &b)?.objective;
        for _ in 0..10 {
            let start: Vec<f64> = random.normals::<f64>(20).iter().map(|v| 3.0 * v * v).collect();
            let s = Minimize::new(LeastSquares::new(&a, b.as_slice())?, Squares::new(20))?
                .method(Lbfgs::new(10))
                .exact_finish(false)
                .start(&start)
                .run()?;
            runs += 1;
            solved += usize::from(s.status.is_converged());
            worst = worst.max((s.objective - exact) / exact);
        }
    }
    println!(
        "convexity: {solved} of {runs} runs converged, f above the minimum by at most {worst:.1e} of it"
    );
    assert_eq!(solved, runs);
    assert!(worst < 1e-10);
    Ok(())
}

/// Starts on the saddle itself, and next to it.
fn saddle() -> Result<(), BoxError> {
    let mut random = Random::new(2);
    let (a, b) = problem(60, 40, &mut random);
    let exact = nnls(&a, &b)?.objective;
    for size in [0.0, 1e-300, 1e-30, 1e-12, 1e-3, 1.0] {
        let s = Minimize::new(LeastSquares::new(&a, b.as_slice())?, Squares::new(40))?
            .method(Lbfgs::new(10))
            .exact_finish(false)
            .start(&[size; 40])
            .run()?;
        let above = (s.objective - exact) / exact;
        println!(
            "saddle: start x = {size:e}: {} evaluations, {} releases, above the minimum by {above:.1e}",
            s.counts.values, s.counts.releases
        );
        assert!(s.status.is_converged() && above < 1e-10);
    }
    Ok(())
}

/// 0 ≤ x ≤ 1 by the logistic function and by sin²: the same method on the same problem, from the middle and from next to a bound.
fn sigmoid() -> Result<(), BoxError> {
    let mut random = Random::new(3);
    let (a, b) = problem(60, 40, &mut random);
    let f = || LeastSquares::new(&a, b.as_slice());
    for from in [0.5, 1e-12] {
        let logistic = bounded(f()?, Sigmoid::uniform(40, 0.0, 1.0)?, from)?;
        let trigonometric = bounded(f()?, Trigonometric::uniform(40, 0.0, 1.0)?, from)?;
        for (name, s) in [("logistic", &logistic), ("sin²", &trigonometric)] {
            println!(
                "sigmoid: {name} from {from:e}: {}, {} evaluations, {} releases, ρ = {:.1e}",
                s.status, s.counts.values, s.counts.releases, s.certificate.natural_residual
            );
        }
        assert!(trigonometric.status.is_converged());
        assert!(logistic.counts.values > 2 * trigonometric.counts.values || !logistic.status.is_converged());
    }
    Ok(())
}

fn bounded(
    f: impl Objective<f64>,
    map: impl Reparametrization<f64>,
    from: f64,
) -> reparam::Result<reparam::Solution<f64>> {
    let start = vec![from; map.dim_x()];
    Minimize::new(f, map)?
        .method(Lbfgs::new(10))
        .exact_finish(false)
        .max_iterations(2000)
        .start(&start)
        .run()
}

/// Gradients to ρ ≤ 1e-8 by projected gradients with step 1/‖A‖², by the lift and on the box; and the exact method.
fn projections() -> Result<(), BoxError> {
    let mut random = Random::new(4);
    for (m, n) in [(200, 50), (120, 100), (105, 100)] {
        let (a, b) = problem(m, n, &mut random);
        let f = || LeastSquares::new(&a, b.as_slice());
        let exact = nnls(&a, &b)?;
        let tolerance = 1e-8;
        let lift = Minimize::new(f()?, Squares::new(n))?
            .method(Lbfgs::new(10))
            .exact_finish(false)
            .tolerance(tolerance)
            .run()?;
        let boxed = Minimize::new(f()?, Squares::new(n))?
            .method(BoxLbfgs::new(10))
            .exact_finish(false)
            .tolerance(tolerance)
            .run()?;
        let projected = projected_gradients(&a, &b, tolerance);
        println!(
            "projections: {m} × {n}: projected gradients {projected}, L-BFGS on the lift {}, on the box {}; Nnls {:.0} products",
            lift.counts.gradients, boxed.counts.gradients, exact.counts.passes
        );
        assert!(lift.status.is_converged() && boxed.status.is_converged() && exact.status.is_solved());
        assert!(lift.counts.gradients < projected && boxed.counts.gradients < projected);
        let again = Nnls::new(&a).start(&exact.x).solve(&b)?;
        assert!(again.certificate.natural_residual < 1e-12);
    }
    Ok(())
}

fn projected_gradients(a: &DMatrix<f64>, b: &DVector<f64>, tolerance: f64) -> usize {
    let gram = a.transpose() * a;
    let offset = a.transpose() * b;
    let step = 1.0 / gram.symmetric_eigenvalues().max();
    let norms: Vec<f64> = a.column_iter().map(|c| c.norm()).collect();
    let mut x = DVector::zeros(a.ncols());
    for count in 1..1_000_000 {
        let g = &gram * &x - &offset;
        let residual = (0..x.len()).map(|j| (norms[j] * x[j]).min(g[j] / norms[j]).abs());
        if residual.fold(0.0, f64::max) <= tolerance * b.norm() {
            return count;
        }
        x = (x - g * step).map(|v| v.max(0.0));
    }
    usize::MAX
}
