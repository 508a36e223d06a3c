//! Other people's solvers, on the problem in scaled units.
#![allow(unreachable_pub)]

use crate::differential::problems::Problem;
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver, NonnegativeConeT};
use ndarray::{Array1, Array2, ShapeBuilder};

/// The crate `nnls`: Lawson and Hanson's active set. Nothing where it panics or its numbers are not finite.
pub fn lawson_hanson(p: &Problem) -> Option<Vec<f64>> {
    let a = Array2::from_shape_vec((p.m, p.n).f(), p.scaled.clone()).ok()?;
    let b = Array1::from_vec(p.scaled_b.clone());
    let answer = std::panic::catch_unwind(|| lawson_hanson::nnls(a.view(), b.view())).ok()?;
    usable(answer.0.to_vec())
}

/// Clarabel: an interior point, of ½xᵀAᵀAx − bᵀAx over x ≥ 0, with tighter tolerances than its own.
pub fn clarabel(p: &Problem) -> Option<Vec<f64>> {
    let n = p.n;
    let column = |j: usize| &p.scaled[j * p.m..(j + 1) * p.m];
    let product = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
    let upper: Vec<f64> = (0..n)
        .flat_map(|j| (0..=j).map(move |i| product(column(i), column(j))))
        .collect();
    let starts = (0..=n).map(|j| j * (j + 1) / 2).collect();
    let gram = CscMatrix::new(n, n, starts, (0..n).flat_map(|j| 0..=j).collect(), upper);
    let q: Vec<f64> = (0..n).map(|j| -product(column(j), &p.scaled_b)).collect();
    let mut bounds = CscMatrix::identity(n);
    bounds.nzval.fill(-1.0);
    let settings = DefaultSettingsBuilder::default()
        .verbose(false)
        .tol_gap_abs(1e-13)
        .tol_gap_rel(1e-13)
        .tol_feas(1e-13)
        .build()
        .ok()?;
    let mut solver = DefaultSolver::new(
        &gram,
        &q,
        &bounds,
        &vec![0.0; n],
        &[NonnegativeConeT(n)],
        settings,
    )
    .ok()?;
    solver.solve();
    usable(solver.solution.x)
}

/// Clipped to x ≥ 0.
fn usable(mut x: Vec<f64>) -> Option<Vec<f64>> {
    x.iter_mut().for_each(|v| *v = v.max(0.0));
    x.iter().all(|v| v.is_finite()).then_some(x)
}
