//! Nine convex problems on the orthant or the simplex, with exact answers.

use super::{data, floats, size};
use nalgebra::DMatrix;
use reparam::losses::{Logistic, NegativeLog, Poisson};
use reparam::objectives::{Composite, Convexity, Objective, Quadratic};

pub const NAMES: [&str; 9] = [
    "logistic_nonneg_60x8",
    "logistic_nonneg_iris",
    "mixture_grid_100x9",
    "mixture_iris_petal_150x13",
    "poisson_deconvolution_24x16",
    "poisson_unmixing_20x6",
    "portfolio_sp500_20_tau0",
    "portfolio_sp500_20_tau0.1",
    "portfolio_synthetic_12",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Orthant,
    Simplex,
}

/// One problem with its answer.
pub struct Convex {
    pub name: String,
    pub n: usize,
    pub set: Set,
    pub objective: Box<dyn Objective<f64>>,
    pub x: Vec<f64>,
    pub optimum: f64,
    pub gradient: Vec<f64>,
}

pub fn problem(name: &str) -> Convex {
    let text = std::fs::read_to_string(data(&format!("nonlinear/convex/{name}.json"))).unwrap();
    let v: serde_json::Value = serde_json::from_str(&text).unwrap();
    let n = size(&v["n"]);
    let matrix = |key: &str| {
        let a = floats(&v[key]);
        DMatrix::from_row_slice(a.len() / n, n, &a)
    };
    let objective: Box<dyn Objective<f64>> = match name.split('_').next().unwrap() {
        "logistic" => {
            let loss = Logistic::from_binary(&floats(&v["y"])).unwrap();
            let f = Composite::new(matrix("A"), loss).unwrap();
            Box::new(f.with_ridge(v["ridge"].as_f64().unwrap()).unwrap())
        }
        "poisson" => Box::new(Composite::new(matrix("A"), Poisson::new(&floats(&v["y"])).unwrap()).unwrap()),
        "mixture" => {
            let p = matrix("P");
            let loss = NegativeLog::new(p.nrows()).unwrap();
            Box::new(Composite::new(p, loss).unwrap())
        }
        "portfolio" => {
            let tau = v["tau"].as_f64().unwrap();
            let c: Vec<f64> = floats(&v["mu"]).iter().map(|m| -tau * m).collect();
            let f = Quadratic::new(matrix("Sigma"), &c).unwrap();
            Box::new(f.with_convexity(Convexity::Convex))
        }
        other => panic!("no family {other}"),
    };
    Convex {
        name: name.to_owned(),
        n,
        set: match v["set"].as_str().unwrap() {
            "orthant" => Set::Orthant,
            "simplex" => Set::Simplex,
            other => panic!("no set {other}"),
        },
        objective,
        x: floats(&v["x"]),
        optimum: v["objective"].as_f64().unwrap(),
        gradient: floats(&v["gradient"]),
    }
}
