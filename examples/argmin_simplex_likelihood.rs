//! Maximum likelihood on the simplex by argmin's trust region: how often do the letters of a noisy channel occur?
//!
//! y is received with probability Σⱼ C_yj xⱼ when letter j is sent with probability xⱼ. The Hessian of the likelihood is an operator;
//! that of the lift, too: no matrix is formed.

use argmin::core::{CostFunction, Error, Executor, Gradient, Hessian};
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use argmin_math::ArgminDot;
use nalgebra::{DMatrix, DVector};
use reparam::adapters::argmin::Reparametrized;
use reparam::maps::NormalizedSquares;
use std::sync::Arc;

/// −Σ_y n_y/N log (C x)_y
struct Channel {
    channel: Arc<DMatrix<f64>>,
    frequencies: DVector<f64>,
}

impl CostFunction for Channel {
    type Param = DVector<f64>;
    type Output = f64;
    fn cost(&self, x: &DVector<f64>) -> Result<f64, Error> {
        let p = &*self.channel * x;
        Ok(-self
            .frequencies
            .iter()
            .zip(&p)
            .map(|(n, p)| n * p.ln())
            .sum::<f64>())
    }
}

impl Gradient for Channel {
    type Param = DVector<f64>;
    type Gradient = DVector<f64>;
    fn gradient(&self, x: &DVector<f64>) -> Result<DVector<f64>, Error> {
        let p = &*self.channel * x;
        Ok(-self.channel.tr_mul(&self.frequencies.component_div(&p)))
    }
}

/// Cᵀ diag(n/p²) C as a product.
#[derive(Clone)]
struct Curvature {
    channel: Arc<DMatrix<f64>>,
    weights: DVector<f64>,
}

impl ArgminDot<DVector<f64>, DVector<f64>> for Curvature {
    fn dot(&self, v: &DVector<f64>) -> DVector<f64> {
        let image = &*self.channel * v;
        self.channel.tr_mul(&image.component_mul(&self.weights))
    }
}

impl Hessian for Channel {
    type Param = DVector<f64>;
    type Hessian = Curvature;
    fn hessian(&self, x: &DVector<f64>) -> Result<Curvature, Error> {
        let p = &*self.channel * x;
        Ok(Curvature {
            channel: Arc::clone(&self.channel),
            weights: self.frequencies.zip_map(&p, |n, p| n / (p * p)),
        })
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // eight letters; a letter is taken for a neighbour's with probability 0.15 on either side
    let mut channel = DMatrix::from_fn(8, 8, |y, j| match y.abs_diff(j) {
        0 => 0.7,
        1 | 7 => 0.15,
        _ => 0.0,
    });
    channel.column_iter_mut().for_each(|mut c| c /= c.sum());
    // letters 2 and 5 were never sent, but a few receipts say otherwise
    let counts = DVector::from_column_slice(&[311.0, 196.0, 60.0, 150.0, 101.0, 25.0, 61.0, 96.0]);
    let frequencies = &counts / counts.sum();
    let problem = Channel {
        channel: Arc::new(channel),
        frequencies,
    };

    let map = NormalizedSquares::new(8, 1.0)?;
    let lifted: Reparametrized<_, _, DVector<f64>> =
        Reparametrized::new(problem, map).convex(true).tolerance(1e-7);
    let u = lifted.interior();
    // argmin's trust region has no test of the gradient: the certificate decides whether its iterations were enough
    let solver = TrustRegion::new(Steihaug::new().with_max_iters(20));
    let run = Executor::new(&lifted, solver)
        .configure(|state| state.param(u).max_iters(40))
        .run();
    let solution = lifted.solution(&run)?;

    for (j, x) in solution.x.iter().enumerate() {
        println!("letter {j}: {:5.1} %", 100.0 * x);
    }
    assert!((solution.x.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(solution.status.is_solved());
    println!("status {}", solution.status);
    println!(
        "ρ = {:.1e}   gap ≤ {:.1e}: no distribution fits better by more than that",
        solution.certificate.natural_residual, solution.certificate.gap
    );
    Ok(())
}
