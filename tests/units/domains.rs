//! No closure is called outside of the set that it is minimised over, over every map of the crate.

use reparam::maps::*;
use reparam::methods::{Lbfgs, State, TrustRegion};
use reparam::objectives::{
    Differences, FromResiduals, FromValue, NonlinearLeastSquares, Objective, RidgeInU, Scaled, Sum,
};
use reparam::testing::Random;
use reparam::{Integrate, Minimize};
use std::cell::Cell;

type Map = Box<dyn Reparametrization<f64>>;

fn maps() -> Vec<(&'static str, Map)> {
    let inf = f64::INFINITY;
    vec![
        ("squares", Box::new(Squares::new(4))),
        (
            "scaled squares",
            Box::new(ScaledSquares::with_lower(vec![1.0, -2.0, 0.5, 0.0]).unwrap()),
        ),
        (
            "bounds",
            Box::new(Bounds::new(vec![0.0, -inf, -1.0, 2.0], vec![inf, 0.5, 1.0, 2.0]).unwrap()),
        ),
        (
            "trigonometric",
            Box::new(Trigonometric::uniform(4, 0.0, 1.0).unwrap()),
        ),
        ("exponential", Box::new(Exponential::new(4))),
        ("softplus", Box::new(Softplus::new(4))),
        ("logistic", Box::new(Sigmoid::uniform(4, 0.0, 1.0).unwrap())),
        ("simplex", Box::new(NormalizedSquares::new(4, 1.0).unwrap())),
        ("softmax", Box::new(Softmax::new(4, 1.0).unwrap())),
        ("capped simplex", Box::new(CappedSimplex::new(4, 1.0).unwrap())),
        ("ℓ1 ball", Box::new(L1Ball::new(4, 1.0).unwrap())),
        ("ball", Box::new(Ball::new(4, 1.0).unwrap())),
        ("open ball", Box::new(OpenBall::new(4, 1.0).unwrap())),
        ("sphere", Box::new(Sphere::new(4, 1.0).unwrap())),
        ("second-order cone", Box::new(SecondOrderCone::new(4).unwrap())),
        ("monotone", Box::new(Monotone::new(4).unwrap())),
        ("convex sequence", Box::new(ConvexSequence::new(4).unwrap())),
        ("stochastic", Box::new(Stochastic::by_rows(2, 2).unwrap())),
        ("positive semidefinite", Box::new(LowRank::cone(2, 2).unwrap())),
        ("rank one", Box::new(LowRank::cone(2, 1).unwrap())),
        ("trace", Box::new(LowRank::with_trace(2, 2, 1.0).unwrap())),
        ("correlation", Box::new(LowRank::unit_diagonal(2, 2).unwrap())),
        (
            "sphere elsewhere",
            Box::new(Sphere::with_centre(vec![3.0, -1.0, 0.5, 2.0], 0.5).unwrap()),
        ),
        (
            "ball elsewhere",
            Box::new(Ball::with_centre(vec![3.0, -1.0, 0.5, 2.0], 0.5).unwrap()),
        ),
    ]
}

#[test]
fn closures_stay_inside() {
    for (name, map) in maps() {
        let n = map.dim_x();
        let mut random = Random::new(4);
        for round in 0..4 {
            let centre: Vec<f64> = random.normals(n);
            let calls = Cell::new(0);
            let worst = Cell::new(0.0_f64);
            let set = map.set();
            let inside = |x: &[f64]| {
                calls.set(calls.get() + 1);
                let size = x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                worst.set(worst.get().max(set.violation(x) / size));
            };
            let value = |x: &[f64]| {
                inside(x);
                Ok(x.iter()
                    .zip(&centre)
                    .map(|(x, c)| ((x - c).powi(2) + 1.0).sqrt())
                    .sum::<f64>())
            };
            let residuals = FromResiduals::new(n, n, |x: &[f64], r: &mut [f64]| {
                inside(x);
                for k in 0..n {
                    r[k] = x[k] - centre[k] + 0.1 * (x[k] - centre[k]).sin();
                }
                Ok(())
            });
            let scheme = if round % 2 == 0 {
                Differences::forward()
            } else {
                Differences::central()
            };
            let reference = {
                let f = reparam::objectives::FromFn::new(n, |x: &[f64], g: &mut [f64]| {
                    let mut f = 0.0;
                    for k in 0..n {
                        let r = ((x[k] - centre[k]).powi(2) + 1.0).sqrt();
                        f += r;
                        g[k] = (x[k] - centre[k]) / r;
                    }
                    Ok(f)
                });
                Minimize::new(f, &map).unwrap().max_iterations(300).run().unwrap()
            };
            let by_value = || FromValue::new(n, value, scheme);
            let mut runs: Vec<(&str, f64)> = Vec::new();
            let mut least = |what: &'static str, f: &mut dyn Objective<f64>, method: Option<State<f64>>| {
                let mut run = Minimize::new(f, &map).unwrap().max_iterations(300);
                if let Some(method) = method {
                    run = run.method(method);
                }
                let s = run.run().unwrap_or_else(|e| unreachable!("{name}, {what}: {e}"));
                runs.push((what, s.objective));
                assert!(
                    worst.get() <= 1e-13,
                    "{name}, {what}: outside by {:e}",
                    worst.get()
                );
            };
            least("value", &mut by_value(), None);
            least("value on the lift", &mut by_value(), Some(Lbfgs::new(5).into()));
            least("trust region", &mut by_value(), Some(TrustRegion::new().into()));
            least("scaled", &mut Scaled::new(by_value(), 1.0).unwrap(), None);
            least("ridge", &mut RidgeInU::new(by_value(), 0.0).unwrap(), None);
            // (a rank too low, or a sphere, has more than one end)
            let unique = !["rank one", "correlation", "sphere", "sphere elsewhere"].contains(&name);
            for (what, f) in runs.into_iter().filter(|_| unique) {
                let enough = 1e-5 * (1.0 + reference.objective.abs());
                assert!(
                    f <= reference.objective + enough,
                    "{name}, {what}: {f} for {}",
                    reference.objective
                );
            }
            let f = NonlinearLeastSquares::new(residuals)
                .unwrap()
                .with_differences(scheme);
            Minimize::new(f, &map).unwrap().max_iterations(200).run().unwrap();
            assert!(
                worst.get() <= 1e-13,
                "{name}, residuals: outside by {:e}",
                worst.get()
            );
            let _ = Integrate::new(by_value(), &map).unwrap().max_iterations(20).run();
            assert!(
                worst.get() <= 1e-13,
                "{name}, a flow: outside by {:e}",
                worst.get()
            );
            assert!(calls.get() > 20);
        }
    }
}

/// A sum passes the set on to its terms.
#[test]
fn terms_of_a_sum_stay_inside() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (inside, outside) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let value = |x: &[f64]| {
        let count = if x.iter().all(|v| (0.0..=1.0).contains(v)) {
            &inside
        } else {
            &outside
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok((x[0] - 2.0).powi(2) + (x[1] + 1.0).powi(2))
    };
    let term = || FromValue::new(2, value, Differences::central());
    let f = Sum::new(2)
        .with(term())
        .unwrap()
        .with(Scaled::new(term(), 0.5).unwrap())
        .unwrap();
    let map = Bounds::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let s = Minimize::new(f, map).unwrap().run().unwrap();
    assert!(s.status.is_converged() && s.x == [1.0, 0.0], "{s}");
    assert_eq!(outside.load(Ordering::Relaxed), 0);
    assert!(inside.load(Ordering::Relaxed) > 10);
}
