//! A map that is not in the catalogue: stationary autoregressions of order 2, with the two lines that test it and its set.
//!
//! x_t = φ₁ x_{t−1} + φ₂ x_{t−2} + noise is stationary when (φ₁, φ₂) lies in the triangle |φ₂| < 1, φ₂ ± φ₁ < 1. Partial
//! autocorrelations r = tanh(u) cover it: φ₁ = r₁(1 − r₂), φ₂ = r₂ (Barndorff-Nielsen & Schou 1973; Jones 1980).
//!
//! `cargo run --release --example own_map`

use reparam::prelude::*;
use reparam::testing::{Random, check_map, check_set};

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
    /// The nearest point. The natural residual, which decides about convergence, is computed from it.
    fn project(&self, x: &mut [f64]) -> bool {
        if x.iter().any(|v| v.is_nan()) {
            x.fill(f64::NAN);
        } else if self.violation(x) > 0.0 {
            // outside, the nearest point lies on one of the edges
            let distance = |p: &[f64; 2]| (p[0] - x[0]).hypot(p[1] - x[1]);
            let on_edges = [(0, 1), (1, 2), (2, 0)].map(|(a, b)| nearest(CORNERS[a], CORNERS[b], x));
            let best = on_edges
                .into_iter()
                .min_by(|p, q| distance(p).total_cmp(&distance(q)));
            x.copy_from_slice(&best.unwrap_or(CORNERS[0]));
        }
        true
    }
    fn multipliers(&self, _x: &[f64], g: &[f64], out: &mut [f64]) {
        out.copy_from_slice(g);
    }
    /// max ⟨g, x − s⟩ over the triangle, attained at a corner.
    fn frank_wolfe_gap(&self, x: &[f64], g: &[f64]) -> Option<f64> {
        let along = |s: [f64; 2]| g[0] * (x[0] - s[0]) + g[1] * (x[1] - s[1]);
        Some(
            CORNERS
                .into_iter()
                .map(along)
                .fold(0.0, |m, v| if v > m || v.is_nan() { v } else { m }),
        )
    }
}

/// The point of the edge from a to b that is nearest to x.
fn nearest(a: [f64; 2], b: [f64; 2], x: &[f64]) -> [f64; 2] {
    let d = [b[0] - a[0], b[1] - a[1]];
    let t = ((x[0] - a[0]) * d[0] + (x[1] - a[1]) * d[1]) / (d[0] * d[0] + d[1] * d[1]);
    let t = t.clamp(0.0, 1.0);
    [a[0] + t * d[0], a[1] + t * d[1]]
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
    // the set first: its projection, residual and gap are what an answer is judged by
    print!("{}", check_set(&Triangle, 1).into_result()?);
    // then the map: feasibility, derivatives, adjoint, curvature (by differences here), section, …
    print!("{}", check_map(&StationaryAr2, 1).into_result()?);

    // a random walk with a little memory: the unconstrained fit need not be stationary, the lifted one is by construction
    let mut random = Random::new(3);
    let mut series = vec![0.0, 0.0];
    for t in 2..60 {
        series.push(1.2 * series[t - 1] - 0.22 * series[t - 2] + random.normal::<f64>());
    }
    let fit = FromFn::new(2, move |x: &[f64], g: &mut [f64]| {
        g.fill(0.0);
        let mut f = 0.0;
        for t in 2..series.len() {
            let e = series[t] - x[0] * series[t - 1] - x[1] * series[t - 2];
            f += 0.5 * e * e;
            g[0] -= e * series[t - 1];
            g[1] -= e * series[t - 2];
        }
        Ok(f)
    });
    let solution = Minimize::new(fit, StationaryAr2)?.run()?;
    println!("φ = ({:.4}, {:.4})\n{solution}", solution.x[0], solution.x[1]);
    Ok(())
}
