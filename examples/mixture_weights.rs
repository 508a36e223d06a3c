//! How many kinds of iris? Maximum-likelihood proportions of a Gaussian mixture with fixed components, on the simplex.
//!
//! `cargo run --release --example mixture_weights`

use nalgebra::DMatrix;
use reparam::prelude::*;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // P[i, k]: the density of component k at the petal length of flower i (150 irises, 13 components on a grid)
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/nonlinear/convex/mixture_iris_petal_150x13.json"
    );
    let data: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(data[key].clone());
    let reference = numbers("x")?;
    let n = reference.len();
    let densities = numbers("P")?;
    let m = densities.len() / n;
    let p = DMatrix::from_row_slice(m, n, &densities);

    // f(w) = −Σ log (P w)ᵢ over w ≥ 0, Σw = 1
    let f = Composite::new(&p, NegativeLog::new(m)?)?;
    let solution = Minimize::new(f, NormalizedSquares::new(n, 1.0)?)?.run()?;
    println!("{solution}\n");

    // at the optimum no component may explain the data better than the mixture: Σᵢ P[i, k]/(P w)ᵢ ≤ m, with equality in use
    let mixture = &p * nalgebra::DVector::from_column_slice(&solution.x);
    println!("component   weight   pull ≤ 1");
    let mut pull: f64 = 0.0;
    for (k, w) in solution.x.iter().enumerate() {
        let of_k = p
            .column(k)
            .iter()
            .zip(mixture.iter())
            .map(|(p, q)| p / q)
            .sum::<f64>()
            / m as f64;
        pull = pull.max(of_k);
        println!("{k:9}   {w:6.4}   {of_k:.6}");
    }
    println!("a third of the flowers (setosa) is one component; the others overlap and share the rest");
    println!(
        "log-likelihood {:.6}, no mixture is better by more than {:.1e}",
        -solution.objective, solution.certificate.gap
    );

    let optimum: f64 = serde_json::from_value(data["objective"].clone())?;
    let off = solution
        .x
        .iter()
        .zip(&reference)
        .fold(0.0_f64, |m, (x, r)| m.max((x - r).abs()));
    println!(
        "from the reference: f {:.1e}, weights {off:.1e}",
        solution.objective - optimum
    );
    if !solution.status.is_solved()
        || (solution.objective - optimum).abs() > 1e-9
        || off > 1e-4
        || pull > 1.0 + 1e-6
    {
        return Err("not the known answer".into());
    }
    Ok(())
}
