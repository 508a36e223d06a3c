//! A growth curve whose plateau is known not to exceed 70: nonlinear regression with a bound, by Levenberg–Marquardt.
//!
//! Pasture yield against growing time (NIST StRD, Rat42): y = b₁/(1 + exp(b₂ − b₃ t)).
//!
//! `cargo run --release --example bounded_regression`

use reparam::prelude::*;

const TIME: [f64; 9] = [9.0, 14.0, 21.0, 28.0, 42.0, 57.0, 63.0, 70.0, 79.0];
const YIELD: [f64; 9] = [8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08];
/// NIST's certified values.
const CERTIFIED: [f64; 3] = [72.462237576, 2.6180768402, 0.067359200066];

fn fit(map: impl Reparametrization<f64>, start: &[f64]) -> reparam::Result<Solution<f64>> {
    let residuals = FromResiduals::new(TIME.len(), 3, |b: &[f64], r: &mut [f64]| {
        for i in 0..r.len() {
            r[i] = b[0] / (1.0 + (b[1] - b[2] * TIME[i]).exp()) - YIELD[i];
        }
        Ok(())
    })
    // row after row; without it: `.with_differences(Differences::central())` on the objective
    .with_jacobian(|b: &[f64], j: &mut [f64]| {
        for (row, t) in j.chunks_exact_mut(3).zip(TIME) {
            let e = (b[1] - b[2] * t).exp();
            let s = 1.0 + e;
            row.copy_from_slice(&[1.0 / s, -b[0] * e / (s * s), b[0] * e * t / (s * s)]);
        }
        Ok(())
    });
    Minimize::new(NonlinearLeastSquares::new(residuals)?, map)?
        .tolerance(1e-10)
        .start(start)
        .run()
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    let free = fit(Identity::new(3), &[100.0, 1.0, 0.1])?;
    let inf = f64::INFINITY;
    // only the plateau has a bound, from above; the start lies on it
    let map = Bounds::new(vec![-inf; 3], vec![70.0, inf, inf])?;
    let bounded = fit(map, &[70.0, 1.0, 0.1])?;
    println!("without a bound\n{free}\n\nb₁ ≤ 70\n{bounded}\n");

    println!("            plateau b₁         b₂         b₃   sum of squares");
    for (name, s) in [("free", &free), ("bounded", &bounded)] {
        let b = &s.x;
        println!(
            "{name:9} {:12.6} {:10.6} {:10.6}   {:.6}",
            b[0],
            b[1],
            b[2],
            2.0 * s.objective
        );
    }
    // f is half the sum of squares, so the sum falls by twice the multiplier per unit of plateau
    println!(
        "the bound holds the plateau down: the sum of squares would fall by {:.3} per unit of b₁ allowed",
        2.0 * bounded.certificate.multipliers[0].abs()
    );

    let worst = free
        .x
        .iter()
        .zip(CERTIFIED)
        .fold(0.0_f64, |m, (x, c)| m.max((x / c - 1.0).abs()));
    println!("from NIST's certified values: {worst:.1e} relative");
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/nonlinear/nist/Rat42.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let known: f64 = serde_json::from_value(data["bounded"]["objective"].clone())?;
    let excess = 2.0 * bounded.objective / known - 1.0;
    println!("from the known bounded optimum: {excess:.1e} relative");
    if worst > 1e-9 || excess.abs() > 1e-10 || bounded.x[0] != 70.0 {
        return Err("not the known answer".into());
    }
    Ok(())
}
