//! A sparse signal from few measurements, by x = u² − v²: with a ridge in (u, v), which is the lasso in x, and without one.
//!
//! `cargo run --release --example sparse_recovery`

use nalgebra::{DMatrix, DVector};
use reparam::prelude::*;
use reparam::testing::Random;

#[allow(clippy::print_stdout)]
fn main() -> Result<(), BoxError> {
    // 60 measurements of 120 numbers, of which 6 are not zero
    let (m, n, k) = (60, 120, 6);
    let mut random = Random::new(7);
    let a = DMatrix::from_vec(m, n, random.normals::<f64>(m * n)) / (m as f64).sqrt();
    let mut truth = DVector::zeros(n);
    for s in 0..k {
        truth[s * (n / k) + 3] = if s % 2 == 0 { 1.0 } else { -1.0 } * (1.0 + s as f64 / 4.0);
    }
    let b = &a * &truth;
    let report = |name: &str, x: &DVector<f64>| {
        let found = x.iter().filter(|v| v.abs() > 1e-3).count();
        let (l1, off) = (x.lp_norm(1), (x - &truth).amax());
        println!("{name:55} ‖x‖₁ {l1:8.4}   above 1e-3: {found:3}   largest error {off:.1e}");
    };

    // λ(‖u‖² + ‖v‖²) is λ Σ(p + q) for p = u², q = v²: the smooth convex program ½‖A(p − q) − b‖² + λΣ(p + q) over p, q ≥ 0
    let lambda = 1e-2;
    let mut both = DMatrix::zeros(m, 2 * n);
    both.columns_mut(0, n).copy_from(&a);
    both.columns_mut(n, n).copy_from(&(-&a));
    let f = Composite::new(&both, Squared::new(b.as_slice())?)?.with_linear(&vec![lambda; 2 * n])?;
    let solution = Minimize::new(f, Squares::new(2 * n))?.run()?;
    println!("{solution}\n");
    let x = DVector::from_fn(n, |j, _| solution.x[j] - solution.x[n + j]);
    report("truth", &truth);
    report("ridge in (u, v): the lasso, λ = 0.01", &x);

    // no ridge: 60 equations, 120 unknowns, f = 0 at many x. Plain gradient descent from u = v = α finds one of small ℓ1 norm
    // when α is small
    for alpha in [1.0, 1e-2, 1e-4] {
        let map = Difference::new(n);
        let (mut u, mut step) = (vec![alpha; 2 * n], vec![0.0; 2 * n]);
        let mut x = DVector::zeros(n);
        for _ in 0..5_000 {
            map.apply(&u, x.as_mut_slice(), &mut []);
            let g = a.tr_mul(&(&a * &x - &b));
            map.vjp(&u, g.as_slice(), &mut step, &mut []);
            u.iter_mut().zip(&step).for_each(|(u, s)| *u -= 0.02 * s);
        }
        report(&format!("no ridge, gradient descent, α = {alpha:.0e}"), &x);
    }
    // Minimize does not wait near u = 0, it steps in x and rescales u, which is what makes it fast: the bias of the start is lost
    let map = Precompose::new(Difference::new(n), vec![1e-4; 2 * n])?;
    let s = Minimize::new(LeastSquares::new(&a, b.as_slice())?, map)?.run()?;
    report(
        &format!("no ridge, {}, α = 1e-4", s.phase),
        &DVector::from_vec(s.x),
    );

    // optimality of the lasso, checked by hand: |Aᵀ(b − Ax)| ≤ λ everywhere, and = λ sign x on the support
    let pull = a.tr_mul(&(&b - &a * &x)) / lambda;
    let wrong = (0..n).map(|j| match x[j] {
        0.0 => (pull[j].abs() - 1.0).max(0.0),
        v => (pull[j] - v.signum()).abs(),
    });
    let wrong = wrong.fold(0.0, f64::max);
    println!("conditions of the lasso hold to {wrong:.1e} λ");
    for j in (0..n).filter(|j| x[*j] != 0.0) {
        println!("x[{j:3}] = {:8.5}   truth {:8.5}", x[j], truth[j]);
    }
    // the signs of the truth are found; what is found beside them is small
    let signs = (0..n).all(|j| x[j] * truth[j] > 0.0 || (truth[j] == 0.0 && x[j].abs() < lambda));
    if !solution.status.is_solved() || wrong > 1e-5 || !signs {
        return Err("not the lasso's answer".into());
    }
    Ok(())
}
