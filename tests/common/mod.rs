//! Reading the reference problems, and a judge that shares no code with the library.
#![allow(dead_code, unreachable_pub)] // every test binary uses a part of this
#![allow(clippy::unwrap_used, clippy::panic)]

pub mod bounded;
pub mod convex;
pub mod nist;
pub mod sets;

use std::path::{Path, PathBuf};

pub fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(path)
}

/// One right-hand side with its proven answer. `a` is row-major.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub m: usize,
    pub n: usize,
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub x: Vec<f64>,
    pub objective: Option<f64>,
    pub unique: bool,
    pub cond_support: Option<f64>,
    /// Coordinates with x_j = g_j = 0: rounding decides whether they come out as zero.
    pub degenerate: Vec<usize>,
}

impl Case {
    pub fn column_major(&self) -> Vec<f64> {
        let mut c = vec![0.0; self.a.len()];
        for i in 0..self.m {
            for j in 0..self.n {
                c[j * self.m + i] = self.a[i * self.n + j];
            }
        }
        c
    }

    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.a[i * self.n + j]
    }
}

fn floats(v: &serde_json::Value) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn size(v: &serde_json::Value) -> usize {
    usize::try_from(v.as_u64().unwrap()).unwrap()
}

pub fn exact_cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(data("nnls_exact"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|p| {
            let v: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(p).unwrap()).unwrap();
            Case {
                name: v["name"].as_str().unwrap().to_owned(),
                m: size(&v["m"]),
                n: size(&v["n"]),
                a: floats(&v["A"]),
                b: floats(&v["b"]),
                x: floats(&v["x"]),
                objective: v["objective"].as_f64(),
                unique: v["unique"].as_bool().unwrap(),
                cond_support: v["cond_support"].as_f64(),
                degenerate: v["degenerate"].as_array().unwrap().iter().map(size).collect(),
            }
        })
        .collect()
}

pub fn history_cases() -> Vec<Case> {
    let text = std::fs::read_to_string(data("history/nnls_history.json")).unwrap();
    let v: serde_json::Value = serde_json::from_str(&text).unwrap();
    let case = |c: &serde_json::Value| Case {
        name: c["name"].as_str().unwrap().to_owned(),
        m: size(&c["m"]),
        n: size(&c["n"]),
        a: floats(&c["a_row_major"]),
        b: floats(&c["b"]),
        x: floats(&c["x"]),
        objective: c["residual_norm"].as_f64().map(|r| 0.5 * r * r),
        unique: c["x_unique"].as_bool().unwrap(),
        cond_support: None,
        degenerate: vec![],
    };
    v["cases"].as_array().unwrap().iter().map(case).collect()
}

pub fn read_npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(path).unwrap();
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    assert_eq!(file.order(), npyz::Order::C);
    let shape = file
        .shape()
        .iter()
        .map(|d| usize::try_from(*d).unwrap())
        .collect();
    (shape, file.into_vec::<f64>().unwrap())
}

/// The 47 right-hand sides of the three real data sets.
pub fn real_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for set in ["digits", "dmri", "light_sources"] {
        let (shape, a) = read_npy(&data(&format!("real/{set}/A.npy")));
        let (bs, b) = read_npy(&data(&format!("real/{set}/B.npy")));
        let (_, x) = read_npy(&data(&format!("real/{set}/X.npy")));
        let text = std::fs::read_to_string(data(&format!("real/{set}/reference.json"))).unwrap();
        let v: serde_json::Value = serde_json::from_str(&text).unwrap();
        let k = bs[1];
        for (c, column) in v["columns"].as_array().unwrap().iter().enumerate() {
            cases.push(Case {
                name: format!("{set}[{c}] {}", column["label"].as_str().unwrap()),
                m: shape[0],
                n: shape[1],
                a: a.clone(),
                b: (0..shape[0]).map(|i| b[i * k + c]).collect(),
                x: (0..shape[1]).map(|j| x[j * k + c]).collect(),
                objective: column["objective"].as_f64(),
                unique: column["unique"].as_bool().unwrap(),
                cond_support: column["cond_support"].as_f64(),
                degenerate: vec![],
            });
        }
    }
    cases
}

/// 2^e
fn power(e: i32) -> f64 {
    2.0_f64.powi(e)
}

fn exponent_of_largest(v: impl Iterator<Item = f64>) -> i32 {
    let m = v.fold(0.0_f64, |m, x| m.max(x.abs()));
    if m == 0.0 {
        0
    } else {
        (m.log2().floor() as i32).clamp(-1000, 1000)
    }
}

/// What the judge found, in units in which no square overflows.
#[derive(Debug)]
pub struct Verdict {
    /// max_j |min(c_j x_j, g_j/c_j)| / ‖b‖
    pub rho: f64,
    /// ½‖A x − b‖², scaled
    pub objective: f64,
    /// ½‖b‖², scaled
    pub half_b: f64,
    /// true f = objective · 4^exponent
    pub exponent: i32,
    pub feasible: bool,
    /// A x − b, true units
    pub residual: Vec<f64>,
}

/// ρ and the objective of x from A, b and x alone.
pub fn judge(case: &Case, x: &[f64]) -> Verdict {
    assert_eq!(x.len(), case.n);
    let eb = exponent_of_largest(case.b.iter().copied());
    let b: Vec<f64> = case.b.iter().map(|v| v * power(-eb)).collect();
    let mut r: Vec<f64> = b.iter().map(|v| -v).collect();
    let mut scaled = Vec::new();
    for j in 0..case.n {
        let ej = exponent_of_largest((0..case.m).map(|i| case.at(i, j)));
        let column: Vec<f64> = (0..case.m).map(|i| case.at(i, j) * power(-ej)).collect();
        // x̂ = x·2^{ej − eb}, in two steps that do not overflow when the result does not
        let (h1, h2) = ((ej - eb) / 2, (ej - eb) - (ej - eb) / 2);
        let xj = x[j] * power(h1) * power(h2);
        for (ri, a) in r.iter_mut().zip(&column) {
            *ri += a * xj;
        }
        scaled.push((column, xj));
    }
    let norm = |v: &[f64]| v.iter().map(|t| t * t).sum::<f64>().sqrt();
    let nb = norm(&b);
    let mut rho = 0.0_f64;
    for (column, xj) in &scaled {
        let c = norm(column);
        if c > 0.0 {
            let g: f64 = column.iter().zip(&r).map(|(a, v)| a * v).sum();
            rho = rho.max((c * xj).min(g / c).abs());
            assert!(!(c * xj).is_nan() && !g.is_nan(), "{}: NaN", case.name);
        }
    }
    Verdict {
        rho: if nb > 0.0 { rho / nb } else { rho },
        objective: 0.5 * r.iter().map(|t| t * t).sum::<f64>(),
        half_b: 0.5 * nb * nb,
        exponent: eb,
        feasible: x.iter().all(|v| *v >= 0.0 && v.is_finite()),
        residual: r.iter().map(|v| v * power(eb)).collect(),
    }
}

/// Asserts what every answer to a reference problem must satisfy; returns ρ.
pub fn assert_solves(case: &Case, x: &[f64], context: &str) -> f64 {
    let v = judge(case, x);
    let at = format!("{} ({context})", case.name);
    assert!(v.feasible, "{at}: infeasible {x:?}");
    assert!(v.rho <= 1e-10, "{at}: ρ = {:.2e}", v.rho);
    if let Some(f) = case.objective {
        // the stored objective is in true units: scale it like the computed one
        let f = f * power(-v.exponent) * power(-v.exponent);
        let excess = v.objective - f;
        assert!(
            excess <= 1e-9 * f + 1e-18 * v.half_b,
            "{at}: f = {:e}, reference {f:e}",
            v.objective
        );
    }
    v.rho
}
