//! Non-negative least squares when A exists only as a computation: undoing a moving average.
//!
//! `cargo run --release --example matrix_free`

use reparam::operators::{LinearOperator, MatrixFree};
use reparam::testing::check_operator;

const N: usize = 2000;
const WIDTH: usize = 25;

/// y_i = mean of x over the WIDTH entries up to i (fewer at the start, zeros beyond it): one running sum.
fn average(x: &[f64], y: &mut [f64]) {
    let mut sum = 0.0;
    for i in 0..N {
        sum += x[i];
        if i >= WIDTH {
            sum -= x[i - WIDTH];
        }
        y[i] = sum / WIDTH as f64;
    }
}

/// The adjoint looks ahead where the average looks back.
fn average_adjoint(y: &[f64], x: &mut [f64]) {
    let mut sum = 0.0;
    for i in (0..N).rev() {
        sum += y[i];
        if i + WIDTH < N {
            sum -= y[i + WIDTH];
        }
        x[i] = sum / WIDTH as f64;
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    // the norms of the columns are known here: saying so saves N products
    let norms = (0..N)
        .map(|j| (WIDTH.min(N - j) as f64).sqrt() / WIDTH as f64)
        .collect();
    let a = MatrixFree::new(N, N, average, average_adjoint).with_column_norms(norms)?;
    // always check an adjoint that you wrote yourself
    print!("{}", check_operator(&a, 1).into_result()?);

    let truth: Vec<f64> = (0..N)
        .map(|i| if i % 97 == 0 { 1.0 + (i % 5) as f64 } else { 0.0 })
        .collect();
    let mut b = vec![0.0; N];
    a.apply(&truth, &mut b);
    b.iter_mut()
        .enumerate()
        .for_each(|(i, v)| *v += 1e-3 * (7.3 * i as f64).sin());

    let solution = reparam::nnls(&a, &b)?;
    let off = solution
        .x
        .iter()
        .zip(&truth)
        .fold(0.0_f64, |m, (x, t)| m.max((x - t).abs()));
    println!("largest error in x: {off:.3}");
    println!("{solution}");
    Ok(())
}
