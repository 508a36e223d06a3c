//! A map that is not in the catalogue: stationary autoregressions of order 2, and one line that tests it.
//!
//! x_t = φ₁ x_{t−1} + φ₂ x_{t−2} + noise is stationary when (φ₁, φ₂) lies in the triangle |φ₂| < 1, φ₂ ± φ₁ < 1. Partial
//! autocorrelations r = tanh(u) cover it: φ₁ = r₁(1 − r₂), φ₂ = r₂ (Barndorff-Nielsen & Schou 1973; Jones 1980).
//!
//! `cargo run --release --example own_map`

use reparam::MapError;
use reparam::maps::{Boundary, Reparametrization};
use reparam::sets::ConstraintSet;
use reparam::testing::{Random, check_map};

/// The closed triangle φ₂ ≥ −1, φ₂ + φ₁ ≤ 1, φ₂ − φ₁ ≤ 1.
struct Triangle;

/// Its corners: the extreme points of everything linear.
const CORNERS: [[f64; 2]; 3] = [[-2.0, -1.0], [2.0, -1.0], [0.0, 1.0]];

impl ConstraintSet<f64> for Triangle {
    fn dim(&self) -> usize {
        2
    }
    fn violation(&self, x: &[f64]) -> f64 {
        let worst = [-1.0 - x[1], x[1] + x[0] - 1.0, x[1] - x[0] - 1.0];
        // `max` drops NaN: a comparison that keeps it
        worst
            .into_iter()
            .fold(0.0, |m, v| if v > m || v.is_nan() { v } else { m })
    }
    /// The Frank–Wolfe gap serves as residual: zero exactly at the stationary points.
    fn natural_residual(&self, x: &[f64], g: &[f64], _scale: Option<&[f64]>) -> f64 {
        let along = |s: [f64; 2]| g[0] * (x[0] - s[0]) + g[1] * (x[1] - s[1]);
        CORNERS
            .into_iter()
            .map(along)
            .fold(0.0, |m, v| if v > m || v.is_nan() { v } else { m })
    }
    fn multipliers(&self, _x: &[f64], g: &[f64], out: &mut [f64]) {
        out.copy_from_slice(g);
    }
    fn frank_wolfe_gap(&self, x: &[f64], g: &[f64]) -> Option<f64> {
        Some(self.natural_residual(x, g, None))
    }
}

/// (u₁, u₂) ↦ (tanh u₁ (1 − tanh u₂), tanh u₂): the two essential methods and their transpose.
struct StationaryAr2;

impl Reparametrization<f64> for StationaryAr2 {
    fn dim_u(&self) -> usize {
        2
    }
    fn dim_x(&self) -> usize {
        2
    }
    fn set(&self) -> &dyn ConstraintSet<f64> {
        &Triangle
    }
    fn apply(&self, u: &[f64], x: &mut [f64], _work: &mut [f64]) {
        let (r1, r2) = (u[0].tanh(), u[1].tanh());
        (x[0], x[1]) = (r1 * (1.0 - r2), r2);
    }
    fn jvp(&self, u: &[f64], v: &[f64], jv: &mut [f64], _work: &mut [f64]) {
        let (r1, r2) = (u[0].tanh(), u[1].tanh());
        let (d1, d2) = (v[0] / u[0].cosh().powi(2), v[1] / u[1].cosh().powi(2));
        (jv[0], jv[1]) = (d1 * (1.0 - r2) - r1 * d2, d2);
    }
    fn vjp(&self, u: &[f64], w: &[f64], jtw: &mut [f64], _work: &mut [f64]) {
        let (r1, r2) = (u[0].tanh(), u[1].tanh());
        jtw[0] = w[0] * (1.0 - r2) / u[0].cosh().powi(2);
        jtw[1] = (w[1] - w[0] * r1) / u[1].cosh().powi(2);
    }
    // enough to start; a section lets runs begin at a given x
    fn section(
        &self,
        x: &[f64],
        _boundary: Boundary<f64>,
        u: &mut [f64],
        _work: &mut [f64],
    ) -> Result<(), MapError> {
        let (r1, r2) = (x[0] / (1.0 - x[1]), x[1]);
        if r1.is_nan() || r1.abs() > 1.0 || r2.abs() > 1.0 {
            return Err(MapError::Outside {
                index: 0,
                value: x[0],
            });
        }
        if r1.abs() == 1.0 || r2.abs() == 1.0 {
            return Err(MapError::OnBoundary { index: 0 });
        }
        (u[0], u[1]) = (r1.atanh(), r2.atanh());
        Ok(())
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // the whole battery in one line: feasibility, derivatives, adjoint, curvature (by differences here), section, …
    print!("{}", check_map(&StationaryAr2, 1).into_result()?);

    // a random walk with a little memory: the unconstrained fit need not be stationary, the lifted one is by construction
    let mut random = Random::new(3);
    let mut series = vec![0.0, 0.0];
    for t in 2..60 {
        series.push(1.2 * series[t - 1] - 0.22 * series[t - 2] + random.normal::<f64>());
    }
    let mut u = [0.5, 0.0];
    let (mut x, mut g, mut grad) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    let mut step = 1e-3;
    let fit = |x: &[f64; 2], g: &mut [f64; 2]| -> f64 {
        *g = [0.0; 2];
        let mut f = 0.0;
        for t in 2..series.len() {
            let e = series[t] - x[0] * series[t - 1] - x[1] * series[t - 2];
            f += 0.5 * e * e;
            g[0] -= e * series[t - 1];
            g[1] -= e * series[t - 2];
        }
        f
    };
    StationaryAr2.apply(&u, &mut x, &mut []);
    let mut f = fit(&x, &mut g);
    for _ in 0..20_000 {
        StationaryAr2.vjp(&u, &g, &mut grad, &mut []);
        let trial = [u[0] - step * grad[0], u[1] - step * grad[1]];
        let (mut xt, mut gt) = ([0.0; 2], [0.0; 2]);
        StationaryAr2.apply(&trial, &mut xt, &mut []);
        let ft = fit(&xt, &mut gt);
        if ft < f {
            (u, x, g, f, step) = (trial, xt, gt, ft, step * 1.5);
        } else {
            step *= 0.3;
        }
    }
    let residual = Triangle.natural_residual(&x, &g, None) / f;
    println!(
        "φ = ({:.4}, {:.4})   violation {:.0e}   relative gap {residual:.1e}",
        x[0],
        x[1],
        Triangle.violation(&x)
    );
    Ok(())
}
