//! Any objective over any set: the reference problems, and what the driver promises.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::data;
use reparam::losses::{Logistic, Poisson};
use reparam::maps::Squares;
use reparam::methods::{ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::Composite;
use reparam::operators::Dense;
use reparam::{Minimize, Status};

fn json(path: &str) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(data(path)).unwrap()).unwrap()
}

fn methods() -> Vec<State<f64>> {
    vec![Lbfgs::new(10).into(), ConjugateGradient::new().into(), TrustRegion::new().into()]
}

#[test]
fn convex_problems_on_the_orthant() {
    for name in ["logistic_nonneg_60x8", "logistic_nonneg_iris", "poisson_deconvolution_24x16", "poisson_unmixing_20x6"] {
        let v = json(&format!("nonlinear/convex/{name}.json"));
        let (m, n) = (v["m"].as_u64().unwrap() as usize, v["n"].as_u64().unwrap() as usize);
        let floats = |k: &str| -> Vec<f64> { v[k].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
        let (a, y, x) = (floats("A"), floats("y"), floats("x"));
        let f_star = v["objective"].as_f64().unwrap();
        let a = Dense::row_major(&a, m, n).unwrap();
        for start in [Some(vec![0.1; n]), None, Some(vec![0.0; n])] {
            if name.starts_with("poisson") && start == Some(vec![0.0; n]) {
                continue; // f is infinite there
            }
            for method in methods() {
                let label = format!("{name} {:?} {}", start.as_ref().map(|s| s[0]), reparam::methods::Method::<f64>::name(&method));
                let run = |problem: reparam::Result<reparam::Solution<f64>>| {
                    let s = problem.unwrap();
                    let worst = s.x.iter().zip(&x).map(|(p, q)| (p - q).abs()).fold(0.0_f64, f64::max);
                    println!("{label}: {:?} f-f* {:.1e} x {worst:.1e} ρ {:.1e} it {} evals {} hv {} rel {}", s.status, s.objective - f_star, s.certificate.natural_residual, s.iterations, s.counts.values, s.counts.hessian_products, s.counts.releases);
                };
                let start = start.clone();
                if name.starts_with("logistic") {
                    let f = Composite::new(&a, Logistic::from_binary(&y).unwrap()).unwrap().with_ridge(v["ridge"].as_f64().unwrap()).unwrap();
                    let mut p = Minimize::new(f, Squares::new(n)).unwrap().method(method);
                    if let Some(s) = &start { p = p.start(s); }
                    run(p.run());
                } else {
                    let f = Composite::new(&a, Poisson::new(&y).unwrap()).unwrap();
                    let mut p = Minimize::new(f, Squares::new(n)).unwrap().method(method);
                    if let Some(s) = &start { p = p.start(s); }
                    run(p.run());
                }
            }
        }
    }
    let _ = Status::Solved;
}
