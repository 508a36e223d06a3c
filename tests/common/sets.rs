//! The 46 least-squares problems over sets, with their sets and maps.

use reparam::maps::{self, Reparametrization};
use reparam::sets::{
    BallSet, BoundedSimplex, BoxSet, CappedSimplexSet, ConstraintSet, L1BallSet, MonotoneCone, ProductSet,
    Psd, Simplex,
};
use serde_json::Value;

pub struct Problem {
    pub name: String,
    pub a: nalgebra::DMatrix<f64>,
    pub b: nalgebra::DVector<f64>,
    pub x: Vec<f64>,
    pub gradient: Vec<f64>,
    pub objective: f64,
    pub raw: Value,
}

pub fn numbers(v: &Value) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

pub fn bounds(v: &Value, missing: f64) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap_or(missing))
        .collect()
}

pub fn problems() -> Vec<Problem> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sets");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    files
        .iter()
        .map(|f| {
            let raw: Value = serde_json::from_str(&std::fs::read_to_string(f).unwrap()).unwrap();
            let (m, n) = (
                raw["m"].as_u64().unwrap() as usize,
                raw["n"].as_u64().unwrap() as usize,
            );
            Problem {
                name: raw["name"].as_str().unwrap().to_owned(),
                a: nalgebra::DMatrix::from_row_slice(m, n, &numbers(&raw["A"])),
                b: nalgebra::DVector::from_vec(numbers(&raw["b"])),
                x: numbers(&raw["x"]),
                gradient: numbers(&raw["gradient"]),
                objective: raw["objective"].as_f64().unwrap(),
                raw,
            }
        })
        .collect()
}

impl Problem {
    pub fn gradient_at(&self, x: &[f64]) -> Vec<f64> {
        let r = &self.a * nalgebra::DVector::from_column_slice(x) - &self.b;
        self.a.tr_mul(&r).as_slice().to_vec()
    }
    pub fn value(&self, x: &[f64]) -> f64 {
        (&self.a * nalgebra::DVector::from_column_slice(x) - &self.b).norm_squared() / 2.0
    }
    pub fn column_norms(&self) -> Vec<f64> {
        self.a.column_iter().map(|c| c.norm()).collect()
    }
}

pub type Boxed<T> = Box<T>;

pub fn set_of(set: &Value, n: usize) -> Boxed<dyn ConstraintSet<f64>> {
    let real = |key: &str| set[key].as_f64();
    match set["type"].as_str().unwrap() {
        "box" => {
            let (lo, hi) = (
                bounds(&set["lower"], f64::NEG_INFINITY),
                bounds(&set["upper"], f64::INFINITY),
            );
            Box::new(BoxSet::new(lo, hi).unwrap())
        }
        "simplex" => Box::new(Simplex::new(n, real("radius").unwrap()).unwrap()),
        "capped_simplex" => Box::new(CappedSimplexSet::new(n, real("radius").unwrap()).unwrap()),
        "simplex_with_upper_bounds" => {
            Box::new(BoundedSimplex::new(numbers(&set["upper"]), real("radius").unwrap()).unwrap())
        }
        "l1_ball" => Box::new(L1BallSet::new(n, real("radius").unwrap()).unwrap()),
        "ball" => Box::new(BallSet::with_centre(numbers(&set["center"]), real("radius").unwrap()).unwrap()),
        "product" => {
            let blocks = set["blocks"].as_array().unwrap().iter();
            Box::new(ProductSet::new(
                blocks
                    .map(|b| set_of(b, b["size"].as_u64().unwrap() as usize))
                    .collect(),
            ))
        }
        "psd_trace" => {
            Box::new(Psd::with_trace(set["size"].as_u64().unwrap() as usize, real("trace").unwrap()).unwrap())
        }
        "correlation" => Box::new(Psd::unit_diagonal(set["size"].as_u64().unwrap() as usize).unwrap()),
        "monotone" => Box::new(MonotoneCone::with_bounds(n, real("lower"), real("upper")).unwrap()),
        other => panic!("{other}"),
    }
}

pub fn map_of(set: &Value, n: usize) -> Option<Boxed<dyn Reparametrization<f64>>> {
    let real = |key: &str| set[key].as_f64();
    Some(match set["type"].as_str().unwrap() {
        "box" => {
            let (lo, hi) = (
                bounds(&set["lower"], f64::NEG_INFINITY),
                bounds(&set["upper"], f64::INFINITY),
            );
            Box::new(maps::Bounds::new(lo, hi).unwrap())
        }
        "simplex" => Box::new(maps::NormalizedSquares::new(n, real("radius").unwrap()).unwrap()),
        "capped_simplex" => Box::new(maps::CappedSimplex::new(n, real("radius").unwrap()).unwrap()),
        "l1_ball" => Box::new(maps::L1Ball::new(n, real("radius").unwrap()).unwrap()),
        "ball" => {
            Box::new(maps::Ball::with_centre(numbers(&set["center"]), real("radius").unwrap()).unwrap())
        }
        "product" => {
            let blocks = set["blocks"].as_array().unwrap().iter();
            let blocks = blocks.map(|b| map_of(b, b["size"].as_u64().unwrap() as usize).unwrap());
            Box::new(maps::Product::new(blocks.collect()))
        }
        "psd_trace" => {
            let size = set["size"].as_u64().unwrap() as usize;
            Box::new(maps::LowRank::with_trace(size, size, real("trace").unwrap()).unwrap())
        }
        "correlation" => {
            let size = set["size"].as_u64().unwrap() as usize;
            Box::new(maps::LowRank::unit_diagonal(size, size).unwrap())
        }
        "monotone" => match (real("lower"), real("upper")) {
            (None, None) => Box::new(maps::Monotone::new(n).unwrap()),
            (Some(lo), Some(hi)) => Box::new(maps::Monotone::bounded(n, lo, hi).unwrap()),
            _ => return None,
        },
        _ => return None,
    })
}
