//! Both directions on one problem: our methods in argmin's executor, and argmin's solvers on our map.
//!
//! A portfolio: min ½ xᵀΣx − τ μᵀx over x ≥ 0, Σx = 1. The user's problem is written once.

use argmin::core::{CostFunction, Error, Executor, Gradient, Hessian};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::neldermead::NelderMead;
use argmin::solver::quasinewton::LBFGS;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use nalgebra::{DMatrix, DVector};
use reparam::adapters::argmin::{ReparamSolver, Reparametrized};
use reparam::maps::NormalizedSquares;
use reparam::{Solution, methods};

#[derive(Clone)]
struct Portfolio {
    covariance: DMatrix<f64>,
    gain: DVector<f64>,
}

impl CostFunction for Portfolio {
    type Param = DVector<f64>;
    type Output = f64;
    fn cost(&self, x: &DVector<f64>) -> Result<f64, Error> {
        Ok(0.5 * x.dot(&(&self.covariance * x)) - self.gain.dot(x))
    }
}

impl Gradient for Portfolio {
    type Param = DVector<f64>;
    type Gradient = DVector<f64>;
    fn gradient(&self, x: &DVector<f64>) -> Result<DVector<f64>, Error> {
        Ok(&self.covariance * x - &self.gain)
    }
}

impl Hessian for Portfolio {
    type Param = DVector<f64>;
    type Hessian = DMatrix<f64>;
    fn hessian(&self, _x: &DVector<f64>) -> Result<DMatrix<f64>, Error> {
        Ok(self.covariance.clone())
    }
}

#[allow(clippy::print_stdout)]
fn show(name: &str, solution: &Solution<f64>) {
    println!(
        "{name:34} f = {:.10}   ρ = {:.0e}   gap ≤ {:.0e}   {:>5} values   {}",
        solution.objective,
        solution.certificate.natural_residual,
        solution.certificate.gap,
        solution.counts.values,
        solution.status.word(),
    );
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let n = 12;
    let returns = DMatrix::from_fn(40, n, |i, j| {
        (0.7 * i as f64 + 1.3 * j as f64).sin() + 0.4 * (i as f64).cos() + 0.05 * j as f64
    });
    let gain = DVector::from_fn(n, |j, _| 0.01 * (j % 5) as f64);
    let problem = Portfolio {
        covariance: returns.tr_mul(&returns) / 40.0,
        gain,
    };
    let map = || NormalizedSquares::new(n, 1.0);
    let start = vec![1.0 / n as f64; n];
    let mut best = f64::INFINITY;
    let mut answers = Vec::new();

    println!("our methods, their executor: the state is x, the end is judged in x");
    let x0 = DVector::from_column_slice(&start);
    let solver = ReparamSolver::new(map()?, methods::Lbfgs::new(8)).convex(true);
    let result = Executor::new(problem.clone(), solver)
        .configure(|s| s.param(x0.clone()).max_iters(500))
        .run()?;
    answers.extend(result.solver.solution(&result.state).map(|s| ("L-BFGS", s)));
    let solver = ReparamSolver::new(map()?, methods::TrustRegion::new())
        .with_hessian()
        .convex(true);
    let result = Executor::new(problem.clone(), solver)
        .configure(|s| s.param(x0).max_iters(500))
        .run()?;
    answers.extend(result.solver.solution(&result.state).map(|s| ("trust region", s)));
    answers.iter().for_each(|(name, solution)| show(name, solution));

    println!("their solvers, our map: the state is u, the end is theirs, the certificate is in x");
    let lift = || -> Result<Reparametrized<_, _, DVector<f64>>, reparam::Error> {
        Ok(Reparametrized::new(problem.clone(), map()?)
            .convex(true)
            .tolerance(1e-7))
    };
    let mut theirs = Vec::new();
    let lifted = lift()?;
    let u = lifted.start(&start)?;
    let run = Executor::new(&lifted, LBFGS::new(MoreThuenteLineSearch::new(), 8))
        .configure(|s| s.param(u).max_iters(500))
        .run();
    theirs.push(("LBFGS, More–Thuente", lifted.solution(&run)?));
    let lifted = lift()?;
    let u = lifted.start(&start)?;
    let run = Executor::new(&lifted, TrustRegion::new(Steihaug::new().with_max_iters(30)))
        .configure(|s| s.param(u).max_iters(60))
        .run();
    theirs.push(("TrustRegion, Steihaug", lifted.solution(&run)?));
    let lifted = lift()?;
    let corners = lifted.simplex(&lifted.start(&start)?, 0.3);
    let run = Executor::new(&lifted, NelderMead::new(corners).with_sd_tolerance(1e-16)?)
        .configure(|s| s.max_iters(5000))
        .run();
    theirs.push(("NelderMead (no gradients)", lifted.solution(&run)?));
    theirs.iter().for_each(|(name, solution)| show(name, solution));

    answers.extend(theirs);
    for (_, solution) in &answers {
        best = best.min(solution.objective);
    }
    for (name, solution) in &answers {
        // the gap is a promise about the best there is: it must hold against all the others
        assert!(
            solution.objective - best <= solution.certificate.gap + 1e-15,
            "{name}"
        );
    }
    let solution = &answers[0].1;
    assert!(solution.status.is_solved());
    println!("status {}", solution.status);
    println!(
        "ρ = {:.1e}   gap ≤ {:.1e}",
        solution.certificate.natural_residual, solution.certificate.gap
    );
    Ok(())
}
