//! Implicit bias: the limits of the flow by L and α, warm starts, weights, early stopping.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::data;
use nalgebra::DMatrix;
use reparam::flows::GradientFlow;
use reparam::flows::bias::{AlphaPath, HeldOut, discrepancy, weighted_start};
use reparam::integrators::{Implicit, RungeKutta};
use reparam::maps::{Power, Squares};
use reparam::objectives::LeastSquares;
use reparam::{Error, Integrate, Status};

struct Problem {
    a: DMatrix<f64>,
    b: Vec<f64>,
    /// min ‖z‖₁ over {z ≥ 0, Az = b}
    least: f64,
    /// (L, α, ‖x∞‖₁)
    limits: Vec<(u32, f64, f64)>,
}

fn problems() -> Vec<Problem> {
    let array = |name: &str| -> Vec<f64> {
        let bytes = std::fs::read(data("paper").join(name)).unwrap();
        npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
    };
    let (a, b) = (array("implicit_bias_A.npy"), array("implicit_bias_b.npy"));
    let text = std::fs::read_to_string(data("paper/implicit_bias.json")).unwrap();
    let d: serde_json::Value = serde_json::from_str(&text).unwrap();
    let f = |v: &serde_json::Value, k: &str| v[k].as_f64().unwrap();
    d["problems"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, p)| Problem {
            a: DMatrix::from_row_slice(10, 50, &a[500 * i..500 * (i + 1)]),
            b: b[10 * i..10 * (i + 1)].to_vec(),
            least: f(p, "basis_pursuit_l1"),
            limits: p["limits"]
                .as_array()
                .unwrap()
                .iter()
                .map(|l| (f(l, "L") as u32, f(l, "alpha"), f(l, "l1")))
                .collect(),
        })
        .collect()
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(f64::total_cmp);
    0.5 * (v[(v.len() - 1) / 2] + v[v.len() / 2])
}

#[test]
fn excess_over_the_least_l1() {
    for depth in [2, 3, 4] {
        let sizes = [1e-1, 1e-2, 1e-3];
        let mut excess = vec![Vec::new(); 3];
        let mut worst = [0.0_f64; 3];
        let (mut steps, mut unsolved) = ([0; 3], 0);
        for p in problems() {
            let limits = AlphaPath::new(&p.a, &p.b, depth)
                .unwrap()
                .sizes_u0(&sizes)
                .unwrap()
                .tolerance(1e-7)
                .run()
                .unwrap();
            for (i, limit) in limits.iter().enumerate() {
                let reference = p
                    .limits
                    .iter()
                    .find(|l| l.0 == depth && l.1 == sizes[i])
                    .unwrap()
                    .2;
                excess[i].push(limit.l1 / p.least - 1.0);
                worst[i] = worst[i].max((limit.l1 - reference).abs() / p.least);
                steps[i] += limit.iterations;
                unsolved += usize::from(!limit.status.is_solved());
            }
        }
        println!(
            "L = {depth}: median excess {:.1e} {:.1e} {:.1e}, worst difference {worst:?}, steps {steps:?}, unsolved {unsolved}",
            median(excess[0].clone()),
            median(excess[1].clone()),
            median(excess[2].clone())
        );
    }
}
