//! argmin's own L-BFGS made non-negative: concentrations from a spectrum of overlapping lines with a saturating detector.
//!
//! The problem is written with argmin's traits, in x, and knows nothing of a constraint.

use argmin::core::{CostFunction, Error, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use nalgebra::{DMatrix, DVector};
use reparam::adapters::argmin::Reparametrized;
use reparam::maps::Squares;

/// ½ Σ (tanh((A x)ᵢ) − yᵢ)²
struct Detector {
    lines: DMatrix<f64>,
    reading: DVector<f64>,
}

impl Detector {
    fn deviation(&self, x: &DVector<f64>) -> (DVector<f64>, DVector<f64>) {
        let signal = (&self.lines * x).map(f64::tanh);
        (&signal - &self.reading, signal.map(|s| 1.0 - s * s))
    }
}

impl CostFunction for Detector {
    type Param = DVector<f64>;
    type Output = f64;
    fn cost(&self, x: &DVector<f64>) -> Result<f64, Error> {
        Ok(0.5 * self.deviation(x).0.norm_squared())
    }
}

impl Gradient for Detector {
    type Param = DVector<f64>;
    type Gradient = DVector<f64>;
    fn gradient(&self, x: &DVector<f64>) -> Result<DVector<f64>, Error> {
        let (deviation, slope) = self.deviation(x);
        Ok(self.lines.tr_mul(&deviation.component_mul(&slope)))
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // seven substances, two of them absent, each a line at its own place
    let lines = DMatrix::from_fn(80, 7, |i, j| {
        let distance = i as f64 / 10.0 - 1.0 - j as f64;
        (-distance * distance / 0.8).exp()
    });
    let truth = DVector::from_column_slice(&[0.5, 0.0, 1.2, 0.3, 0.0, 0.8, 0.4]);
    let ripple = DVector::from_fn(80, |i, _| 0.01 * (2.3 * i as f64).sin());
    let reading = (&lines * &truth).map(f64::tanh) + ripple;

    // all that is new: a map, a start over a point of the set, and a certificate at the end (argmin's line searches compare costs,
    // which are known to √ε: no use in asking for the default 1e-8)
    let lifted: Reparametrized<_, _, DVector<f64>> =
        Reparametrized::new(Detector { lines, reading }, Squares::new(7)).tolerance(1e-7);
    let u = lifted.start(&[0.0; 7])?;
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), 7);
    let run = Executor::new(&lifted, solver)
        .configure(|state| state.param(u).max_iters(200))
        .run();
    let solution = lifted.solution(&run)?;

    for (j, (x, t)) in solution.x.iter().zip(&truth).enumerate() {
        println!("substance {j}: {x:.3}   (in truth {t:.1})");
    }
    assert!(solution.x.iter().zip(&truth).all(|(x, t)| (x - t).abs() < 0.05));
    assert!(solution.status.is_converged());
    println!("status {}", solution.status);
    println!(
        "ρ = {:.1e}   gap ≤ {:.1e} (f is not known to be convex)",
        solution.certificate.natural_residual, solution.certificate.gap
    );
    Ok(())
}
