//! Logistic regression with non-negative weights: which measurements of an iris speak for *virginica*, which against it?
//!
//! Every measurement enters twice, as it is and negated, so that a non-negative weight can have either effect. The answer
//! says by exact zeros which of the two was needed, if any.
//!
//! `cargo run --release --example logistic_nonnegative`

use nalgebra::DMatrix;
use reparam::prelude::*;

const FEATURES: [&str; 5] = [
    "sepal length",
    "sepal width",
    "petal length",
    "petal width",
    "constant",
];

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // Fisher's irises, 50 versicolor (y = 0) and 50 virginica (y = 1), with the answer to 50 digits
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/nonlinear/convex/logistic_nonneg_iris.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let (y, reference) = (numbers("y")?, numbers("x")?);
    let ridge: f64 = serde_json::from_value(data["ridge"].clone())?;
    let n = reference.len();
    let a = DMatrix::from_row_slice(y.len(), n, &numbers("A")?);

    // f(x) = Σ log(1 + exp(−sᵢ ⟨aᵢ, x⟩)) + ½ ridge ‖x‖² over x ≥ 0
    let f = Composite::new(&a, Logistic::from_binary(&y)?)?.with_ridge(ridge)?;
    let solution = Minimize::new(f, Squares::new(n))?.run()?;
    println!("{solution}\n");

    println!("{:14} {:>9} {:>9}", "", "for", "against");
    for (j, feature) in FEATURES.iter().enumerate() {
        // the constant has no negated partner before the four negated measurements
        let negated = if j < 4 { solution.x[5 + j] } else { 0.0 };
        println!("{feature:14} {:9.4} {negated:9.4}", solution.x[j]);
    }
    let score = &a * nalgebra::DVector::from_column_slice(&solution.x);
    let right = score
        .iter()
        .zip(&y)
        .filter(|(z, y)| (**z > 0.0) == (**y == 1.0))
        .count();
    println!("{right} of {} flowers on the right side", y.len());

    let off = solution
        .x
        .iter()
        .zip(&reference)
        .fold(0.0_f64, |m, (x, r)| m.max((x - r).abs()));
    println!("largest distance from the reference {off:.1e}");
    let zeros = solution
        .x
        .iter()
        .zip(&reference)
        .all(|(x, r)| (*x == 0.0) == (*r == 0.0));
    if !solution.status.is_solved() || off > 1e-6 || !zeros {
        return Err("not the known answer".into());
    }
    Ok(())
}
