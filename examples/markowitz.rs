//! The efficient frontier of long-only portfolios: 20 large US stocks, each portfolio started from the last one.
//!
//! `cargo run --release --example markowitz`

use nalgebra::{DMatrix, DVector};
use reparam::prelude::*;

fn read(tau: &str) -> Result<serde_json::Value, BoxError> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nonlinear/convex");
    let text = std::fs::read_to_string(format!("{folder}/portfolio_sp500_20_tau{tau}.json"))?;
    Ok(serde_json::from_str(&text)?)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // mean and covariance of daily returns; for two appetites for risk the answers are known exactly
    let data = read("0")?;
    let numbers = |data: &serde_json::Value, key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let mu = DVector::from_vec(numbers(&data, "mu")?);
    let n = mu.len();
    let sigma = DMatrix::from_row_slice(n, n, &numbers(&data, "Sigma")?);

    // ½⟨w, Σ w⟩ − τ⟨μ, w⟩ over w ≥ 0, Σw = 1; Q is a covariance, so f is convex: said once, it is in the status
    let solve = |tau: f64, start: Option<&[f64]>| -> Result<Solution<f64>, BoxError> {
        let f = Quadratic::new(&sigma, &(-tau * &mu))?.with_convexity(Convexity::Convex);
        let problem = Minimize::new(f, NormalizedSquares::new(n, 1.0)?)?;
        Ok(match start {
            Some(w) => problem.start(w).run()?,
            None => problem.run()?,
        })
    };

    println!("   τ     return  volatility  stocks   Hessian products warm / cold   gap");
    let mut before: Option<Solution<f64>> = None;
    let mut frontier = Vec::new();
    for tau in [0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0] {
        let cold = solve(tau, None)?;
        let warm = solve(tau, before.as_ref().map(|s| s.x.as_slice()))?;
        let w = DVector::from_column_slice(&warm.x);
        // per year of 252 trading days
        let (mean, risk) = (252.0 * mu.dot(&w), (252.0 * w.dot(&(&sigma * &w))).sqrt());
        println!(
            "{tau:4}  {:7.2} %    {:6.2} %  {:6}   {:16} / {:4}             {:.1e}",
            100.0 * mean,
            100.0 * risk,
            warm.support_len(),
            warm.counts.hessian_products,
            cold.counts.hessian_products,
            warm.certificate.gap
        );
        if !warm.status.is_solved() || (warm.objective - cold.objective).abs() > 1e-12 {
            return Err(format!("τ = {tau}: {} from the last, {} cold", warm.status, cold.status).into());
        }
        frontier.push((mean, risk));
        before = Some(warm);
    }
    if let Some(last) = before {
        println!("\nthe last one:\n{last}");
    }

    // more return costs more risk, along the whole frontier
    if !frontier.windows(2).all(|p| p[1].0 >= p[0].0 && p[1].1 >= p[0].1) {
        return Err("the frontier is not monotone".into());
    }
    for (tau, name) in [(0.0, "0"), (0.1, "0.1")] {
        let known = numbers(&read(name)?, "x")?;
        let off = (DVector::from_vec(solve(tau, None)?.x) - DVector::from_vec(known)).amax();
        println!("τ = {tau}: largest distance from the exact weights {off:.1e}");
        if off > 1e-6 {
            return Err("not the known answer".into());
        }
    }
    Ok(())
}
