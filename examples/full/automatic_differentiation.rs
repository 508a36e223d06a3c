//! Gradients and Hessian products by automatic differentiation: the function is written once, for any number type,
//! and dual numbers (the crate `num-dual`) differentiate it exactly.
//!
//! `cargo run --release -p reparam-full --example automatic_differentiation`

use nalgebra::DVector;
use num_dual::{Dual64, DualNum, DualVec, gradient};
use reparam::BoxError;
use reparam::objectives::{Differences, FiniteDifference, FromFn, Objective};
use reparam::testing::check_objective;

/// The energy of a chain of n atoms: springs between neighbours, and a wavy ground.
fn energy<D: DualNum<f64>>(x: &[D]) -> D {
    let springs: D = x
        .windows(2)
        .map(|w| (w[1].clone() - w[0].clone() - 1.0).powi(2) * 0.5)
        .sum();
    let ground: D = x.iter().map(|x| (x.clone() * 2.0).cos() * 0.3).sum();
    springs + ground
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    let n = 6;
    let mut f = FromFn::new(n, |x: &[f64], g: &mut [f64]| {
        let (value, slope) = gradient(
            |x: DVector<DualVec<f64, f64, _>>| energy(x.as_slice()),
            &DVector::from_column_slice(x),
        );
        g.copy_from_slice(slope.as_slice());
        Ok(value)
    })
    // the gradient at x + ε v, whose ε part is the Hessian times v
    .with_hessian_vector(|x: &[f64], v: &[f64], out: &mut [f64]| {
        let moved = DVector::from_iterator(x.len(), x.iter().zip(v).map(|(x, v)| Dual64::new(*x, *v)));
        let (_, slope) = gradient(|x: DVector<DualVec<Dual64, f64, _>>| energy(x.as_slice()), &moved);
        out.iter_mut().zip(slope.iter()).for_each(|(o, s)| *o = s.eps);
        Ok(())
    });

    let x: Vec<f64> = (0..n).map(|i| 0.9 * i as f64).collect();
    let mut g = vec![0.0; n];
    println!("f(x)  = {:.6}", f.value_gradient(&x, &mut g)?);
    println!("∇f(x) = {g:.6?}");

    // against the derivative written by hand
    for i in 0..n {
        let left = if i > 0 { x[i] - x[i - 1] - 1.0 } else { 0.0 };
        let right = if i + 1 < n { x[i + 1] - x[i] - 1.0 } else { 0.0 };
        let by_hand = left - right - 0.6 * (2.0 * x[i]).sin();
        assert!((g[i] - by_hand).abs() < 1e-14);
    }
    // against differences: these carry 10 digits, the dual numbers all of them
    let mut by_differences = vec![0.0; n];
    FiniteDifference::gradient(&mut f, Differences::central()).value_gradient(&x, &mut by_differences)?;
    let gap = g
        .iter()
        .zip(&by_differences)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    println!("differences are off by {gap:.1e}");
    assert!(gap < 1e-8);

    let report = check_objective(&mut f, &x, 1);
    println!("{report}");
    report.into_result()?;
    Ok(())
}
