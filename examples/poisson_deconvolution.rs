//! Counts behind a blur: the maximum-likelihood spectrum under Poisson noise, non-negative by construction.
//!
//! `cargo run --release --example poisson_deconvolution`

use nalgebra::{DMatrix, DVector};
use reparam::prelude::*;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // 24 channels with counts, 16 places where a line may be; the answer to 50 digits comes along
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/nonlinear/convex/poisson_deconvolution_24x16.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let (y, reference) = (numbers("y")?, numbers("x")?);
    let a = DMatrix::from_row_slice(y.len(), reference.len(), &numbers("A")?);

    // f(x) = Σ (Ax)ᵢ − yᵢ log (Ax)ᵢ over x ≥ 0: +∞ where a count has no source, which the method steps back from
    let f = Composite::new(&a, Poisson::new(&y)?)?;
    let solution = Minimize::new(f, Squares::new(reference.len()))?.run()?;
    println!("{solution}\n");

    println!("place  intensity     multiplier (how fast f grows when light is added there)");
    for (j, x) in solution.x.iter().enumerate() {
        let bar = "#".repeat((0..60).take_while(|k| f64::from(*k) < *x).count());
        let multiplier = solution.certificate.multipliers[j];
        if *x > 0.0 {
            println!("{j:5} {x:10.4}  {:13}{bar}", "");
        } else {
            println!("{j:5} {x:10}  {multiplier:13.4}");
        }
    }
    let expected = &a * DVector::from_column_slice(&solution.x);
    // at a maximum-likelihood answer with free scale both sums agree: ⟨x, ∇f⟩ = 0
    println!(
        "counts observed {}, expected {:.9}",
        y.iter().sum::<f64>(),
        expected.sum()
    );
    let chi2: f64 = expected.iter().zip(&y).map(|(e, y)| (y - e).powi(2) / e).sum();
    println!("χ² = {chi2:.1} for {} channels", y.len());

    let off = solution
        .x
        .iter()
        .zip(&reference)
        .fold(0.0_f64, |m, (x, r)| m.max((x - r).abs()));
    println!("largest distance from the reference {off:.1e}");
    if !solution.status.is_solved() || off > 1e-4 || (expected.sum() - y.iter().sum::<f64>()).abs() > 1e-4 {
        return Err("not the known answer".into());
    }
    Ok(())
}
