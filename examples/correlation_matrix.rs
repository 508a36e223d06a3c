//! The nearest correlation matrix: entries estimated one by one need not fit together, and then a "variance" is negative.
//!
//! `cargo run --release --example correlation_matrix`

use nalgebra::DMatrix;
use reparam::prelude::*;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // a symmetric 6×6 matrix with unit diagonal, and its nearest correlation matrix to 50 digits
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/sets/s41_corr_random_6.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let (given, reference) = (numbers("b")?, numbers("x")?);
    let size = 6;
    let eigenvalues = |x: &[f64]| {
        let mut values = DMatrix::from_row_slice(size, size, x).symmetric_eigenvalues();
        values.as_mut_slice().sort_by(f64::total_cmp);
        values
    };

    // ½‖X − G‖² over X = Y Yᵀ with rows of length one; U has as many columns as rows, so that no local minimum is spurious
    let f = LeastSquares::new(DMatrix::<f64>::identity(size * size, size * size), &given)?;
    // from the identity (the default start, all rows of U equal, would be a saddle: X could only keep its rank 1)
    let solution = Minimize::new(f, LowRank::unit_diagonal(size, size)?)?
        .start(DMatrix::<f64>::identity(size, size).as_slice())
        .run()?;
    println!("{solution}\n");

    println!("given (eigenvalues {:.3?})", eigenvalues(&given).as_slice());
    print!("{:.3}", DMatrix::from_row_slice(size, size, &given));
    println!(
        "nearest (eigenvalues {:.3?})",
        eigenvalues(&solution.x).as_slice()
    );
    print!("{:.3}", DMatrix::from_row_slice(size, size, &solution.x));
    println!(
        "distance {:.6}; no correlation matrix is nearer than {:.6}",
        (2.0 * solution.objective).sqrt(),
        (2.0 * (solution.objective - solution.certificate.gap).max(0.0)).sqrt()
    );

    let optimum: f64 = serde_json::from_value(data["objective"].clone())?;
    let off = solution
        .x
        .iter()
        .zip(&reference)
        .fold(0.0_f64, |m, (x, r)| m.max((x - r).abs()));
    println!(
        "from the reference: f {:.1e}, entries {off:.1e}",
        solution.objective - optimum
    );
    let diagonal = (0..size).all(|i| (solution.x[i * size + i] - 1.0).abs() < 1e-15);
    if !solution.status.is_solved() || (solution.objective - optimum).abs() > 1e-10 || off > 1e-5 || !diagonal
    {
        return Err("not the known answer".into());
    }
    Ok(())
}
