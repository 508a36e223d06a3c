//! Calibrated probabilities: the longer the petal, the likelier is *virginica*, and nothing else is assumed.
//!
//! `cargo run --release --example isotonic_regression`

use nalgebra::{DMatrix, DVector};
use reparam::prelude::*;
use reparam::sets::{ConstraintSet, MonotoneCone};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // Fisher's irises, 50 versicolor (y = 0) and 50 virginica (y = 1); column 2 of 9 is the length of the petal
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/nonlinear/convex/logistic_nonneg_iris.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let petal = numbers("A")?.into_iter().skip(2).step_by(9);
    let mut flowers: Vec<(f64, f64)> = petal.zip(numbers("y")?).collect();
    // among equal lengths virginica first: what decreases is pooled, so that ties get one probability
    flowers.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let y: Vec<f64> = flowers.iter().map(|f| f.1).collect();
    let n = y.len();

    // the likelihood of the flowers: −Σ log x over the virginicas − Σ log(1 − x) over the others, 0 ≤ x₁ ≤ … ≤ xₙ ≤ 1.
    // One loss of an affine image: z = x where y = 1, z = 1 − x where y = 0
    let signs = DMatrix::from_diagonal(&DVector::from_iterator(n, y.iter().map(|y| 2.0 * y - 1.0)));
    let offset: Vec<f64> = y.iter().map(|y| 1.0 - y).collect();
    let f = Composite::new(signs, NegativeLog::new(n)?)?.with_offset(&offset)?;
    let solution = Minimize::new(f, Monotone::bounded(n, 0.0, 1.0)?)?.run()?;
    println!("{solution}\n");

    println!("petal length   P(virginica)   flowers");
    let mut from = 0;
    for i in 1..=n {
        if i == n || solution.x[i] - solution.x[from] > 1e-6 {
            let (first, last) = (flowers[from].0, flowers[i - 1].0);
            println!(
                "{first:.1} – {last:.1} cm   {:11.4}   {:7}",
                solution.x[from],
                i - from
            );
            from = i;
        }
    }

    // least squares have the same answer as this likelihood (Robertson, Wright & Dykstra, Order Restricted Statistical
    // Inference, 1988), and theirs is exact: the projection of y, by pooling adjacent violators
    let mut exact = y.clone();
    if !MonotoneCone::with_bounds(n, Some(0.0), Some(1.0))?.project(&mut exact) {
        return Err("no projection".into());
    }
    let off = solution
        .x
        .iter()
        .zip(&exact)
        .fold(0.0_f64, |m, (x, e)| m.max((x - e).abs()));
    println!("largest distance from pooling adjacent violators: {off:.1e}");
    if !solution.status.is_solved() || off > 1e-6 || solution.certificate.violation != 0.0 {
        return Err("not the known answer".into());
    }
    Ok(())
}
