//! The stored nonlinear problems: values, gradients and Jacobians agree with the references.

#![allow(clippy::unwrap_used)]

use crate::common::{bounded, convex, nist};
use reparam::objectives::{Convexity, NonlinearLeastSquares, Objective, ResidualFunction, Robust};
use reparam::testing::check_objective;

fn rss(r: &[f64]) -> f64 {
    r.iter().map(|v| v * v).sum()
}

#[test]
fn convex_problems_are_optimal_where_stated() {
    for name in convex::NAMES {
        let mut p = convex::problem(name);
        let mut g = vec![0.0; p.n];
        let f = p.objective.value_gradient(&p.x, &mut g).unwrap();
        assert!(
            (f - p.optimum).abs() <= 1e-12 * p.optimum.abs(),
            "{name}: {f} for {}",
            p.optimum
        );
        let scale = p.gradient.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        for (g, want) in g.iter().zip(&p.gradient) {
            assert!(
                (g - want).abs() <= 1e-11 * scale,
                "{name}: gradient {g} for {want}"
            );
        }
        assert_eq!(p.objective.convexity(), Convexity::Convex);
        match p.set {
            convex::Set::Orthant => {
                for (x, g) in p.x.iter().zip(&g) {
                    assert!(
                        *x >= 0.0 && x.min(*g).abs() <= 1e-8,
                        "{name}: x = {x:e}, g = {g:e}"
                    );
                }
            }
            convex::Set::Simplex => {
                let along: f64 = p.x.iter().zip(&g).map(|(x, g)| x * g).sum();
                let least = g.iter().copied().fold(f64::INFINITY, f64::min);
                assert!(along - least <= 1e-8, "{name}: gap {:e}", along - least);
                assert!((p.x.iter().sum::<f64>() - 1.0).abs() < 1e-14);
            }
        }
        let inside: Vec<f64> = p.x.iter().map(|x| 0.3 * x + 0.1).collect();
        let report = check_objective(p.objective.as_mut(), &inside, 1);
        assert!(report.passed(), "{name}\n{report}");
    }
}

#[test]
fn nist_sets_have_their_certified_residuals() {
    for name in nist::NAMES {
        let mut p = nist::problem(name);
        let mut r = vec![0.0; p.m];
        // RSS 1e-25 of Lanczos1 lies below what 11 digits of the parameters, or doubles, can show
        let floor = if name == "Lanczos1" { 1e-19 } else { 0.0 };
        for (b, want) in [(p.certified.clone(), p.certified_rss), (p.x.clone(), p.rss)] {
            p.residuals(&b, &mut r).unwrap();
            let got = rss(&r);
            assert!(
                (got - want).abs() <= 1e-9 * want + floor,
                "{name}: {got:e} for {want:e}"
            );
        }
        if let Some(bounded) = p.bounded.clone() {
            p.residuals(&bounded.x, &mut r).unwrap();
            let want = bounded.rss;
            assert!(
                (rss(&r) - want).abs() <= 1e-9 * want,
                "{name}, bounded: {:e} for {want:e}",
                rss(&r)
            );
            for ((x, lo), hi) in bounded.x.iter().zip(&bounded.lower).zip(&bounded.upper) {
                assert!(lo <= x && x <= hi, "{name}");
            }
        }
    }
}

#[test]
fn nist_jacobians_are_derivatives() {
    for name in nist::NAMES {
        let mut p = nist::problem(name);
        let (m, n) = (p.m, p.n);
        let (mut j, mut plus, mut minus) = (vec![0.0; m * n], vec![0.0; m], vec![0.0; m]);
        for b in [p.starts[0].clone(), p.starts[1].clone(), p.x.clone()] {
            assert!(p.jacobian(&b, &mut j).unwrap());
            for k in 0..n {
                let h = 1e-6 * b[k].abs();
                let (mut bp, mut bm) = (b.clone(), b.clone());
                bp[k] += h;
                bm[k] -= h;
                p.residuals(&bp, &mut plus).unwrap();
                p.residuals(&bm, &mut minus).unwrap();
                let step = bp[k] - bm[k];
                let (mut gap, mut size, mut values) = (0.0_f64, 0.0_f64, 0.0_f64);
                for i in 0..m {
                    let d = (plus[i] - minus[i]) / step;
                    gap = gap.max((d - j[i * n + k]).abs());
                    size = size.max(j[i * n + k].abs());
                    values = values.max(plus[i].abs());
                }
                // a difference cannot see below the rounding of the residuals
                assert!(
                    gap <= 1e-7 * size + 1e-14 * values / h,
                    "{name}, parameter {k} of {b:?}: {gap:e} of {size:e}"
                );
            }
        }
    }
}

#[test]
fn nist_sets_as_objectives() {
    for name in nist::NAMES {
        let p = nist::problem(name);
        let x = p.x.clone();
        let (want, n) = (0.5 * p.rss, p.n);
        let mut f = NonlinearLeastSquares::new(p).unwrap();
        let mut g = vec![0.0; n];
        let value = f.value_gradient(&x, &mut g).unwrap();
        assert!((value - want).abs() <= 1e-9 * want + 1e-19, "{name}");
        // stationary: the gradient is small beside its terms ‖r‖ ‖J_k‖
        let mut h = vec![0.0; n];
        assert!(f.hessian_diagonal(&x, &mut h).unwrap());
        for (g, h) in g.iter().zip(&h) {
            assert!(
                g.abs() <= 1e-8 * (2.0 * value * h).sqrt() + 1e-12 * h.sqrt(),
                "{name}: {g:e}"
            );
        }
        // a loss with a wide scale is plain least squares
        let mut wide = f.with_loss(Robust::huber(1e9).unwrap());
        assert!((wide.value(&x).unwrap() - value).abs() <= 1e-9 * value);
    }
}

#[test]
fn bounded_functions_agree_with_their_references() {
    for name in bounded::NAMES {
        let mut p = bounded::problem(name);
        let mut g = vec![0.0; p.n];
        let x = p.x.clone();
        let f = p.value_gradient(&x, &mut g).unwrap();
        assert!(
            (f - p.optimum).abs() <= 1e-12 * p.optimum.abs().max(1e-3),
            "{name}: {f:e} for {:e}",
            p.optimum
        );
        // x is rounded to doubles: the gradient moves by ε‖H‖‖x‖
        let scale = p.gradient.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        for j in 0..p.n {
            let tolerance = if name.contains("badly") { 1e-3 } else { 1e-9 };
            assert!(
                (g[j] - p.gradient[j]).abs() <= tolerance * scale,
                "{name}: g[{j}] = {:e} for {:e}",
                g[j],
                p.gradient[j]
            );
            assert!(p.lower[j] <= p.x[j] && p.x[j] <= p.upper[j], "{name}");
            assert!(p.lower[j] <= p.start[j] && p.start[j] <= p.upper[j], "{name}");
        }
        assert_eq!((p.counts.values(), p.counts.gradients()), (0, 1));
    }
}

#[test]
fn bounded_functions_pass_the_battery() {
    for name in bounded::NAMES {
        let p = bounded::problem(name);
        let mut f = bounded::objective(name);
        // between start and solution, away from the symmetries of both
        for t in [0.1, 0.6] {
            let x: Vec<f64> = p.start.iter().zip(&p.x).map(|(s, x)| s + t * (x - s)).collect();
            let report = check_objective(f.as_mut(), &x, 3);
            let coarse = ["HS25", "brown_badly_scaled", "powell_badly_scaled"];
            // one step for coordinates of every size is too coarse for these; the next check is not
            assert!(
                coarse.contains(&name) || report.passed(),
                "{name} at {x:?}\n{report}"
            );
            let mut g = vec![0.0; x.len()];
            f.value_gradient(&x, &mut g).unwrap();
            let value = f.value(&x).unwrap();
            for j in 0..x.len() {
                let h = 1e-4 * x[j].abs().max(0.1);
                let mut at = |s: f64| {
                    let mut y = x.clone();
                    y[j] += s * h;
                    f.value(&y).unwrap()
                };
                let slope = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * h);
                let rounding = 1e-14 * value.abs() / h;
                assert!(
                    (slope - g[j]).abs() <= 1e-8 * g[j].abs() + rounding,
                    "{name}: g[{j}] = {:e} for {slope:e}",
                    g[j]
                );
            }
        }
    }
}
