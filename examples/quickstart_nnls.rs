//! Non-negative least squares on a dense matrix, in a dozen lines.
//!
//! `cargo run --release --example quickstart_nnls`

use nalgebra::{DMatrix, DVector};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), reparam::Error> {
    // decay curves of three time constants, sampled at 40 times; the middle one is absent from the mixture
    let rates = [0.3, 1.0, 4.0];
    let a = DMatrix::from_fn(40, 3, |i, j| (-rates[j] * 0.1 * i as f64).exp());
    let b: DVector<f64> = &a * DVector::from_vec(vec![2.0, 0.0, 1.0]);
    // a measurement error that an unconstrained fit would explain by a negative amount of the middle one
    let b = b.map_with_location(|i, _, v| v + 0.01 * (i as f64).sin());

    let solution = reparam::nnls(&a, &b)?;
    println!("x           {:?}", solution.x);
    println!("{solution}");
    Ok(())
}
