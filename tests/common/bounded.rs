//! 23 functions with bounds (Hock & Schittkowski; Moré, Garbow & Hillstrom), gradients written out.

use super::{data, floats, size};
use reparam::objectives::{Evaluation, Objective};
use std::cell::Cell;
use std::rc::Rc;

pub const NAMES: [&str; 23] = [
    "HS1",
    "HS110",
    "HS2",
    "HS25",
    "HS3",
    "HS38",
    "HS4",
    "HS45",
    "HS5",
    "beale",
    "box3d",
    "brown_badly_scaled",
    "brown_dennis",
    "broyden_tridiagonal_6",
    "chebyquad_box_4",
    "freudenstein_roth",
    "nonneg_quartic",
    "penalty1_10",
    "powell_badly_scaled",
    "powell_singular",
    "rosenbrock_box",
    "variably_dimensioned_10",
    "wood",
];

/// How often a function was evaluated: values alone, and values with gradients.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    values: Rc<Cell<usize>>,
    gradients: Rc<Cell<usize>>,
}

impl Counts {
    pub fn values(&self) -> usize {
        self.values.get()
    }
    pub fn gradients(&self) -> usize {
        self.gradients.get()
    }
}

/// f(x), and g ← ∇f(x).
type Function = fn(&[f64], &mut [f64]) -> f64;

/// One function with its bounds, start and answer.
#[derive(Debug, Clone)]
pub struct Bounded {
    pub name: String,
    pub n: usize,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub start: Vec<f64>,
    pub x: Vec<f64>,
    pub optimum: f64,
    pub gradient: Vec<f64>,
    /// shared with every clone
    pub counts: Counts,
    function: Function,
    scratch: Vec<f64>,
}

/// Bounds with null for the given infinity.
pub fn bounds(v: &serde_json::Value, infinite: f64) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|b| b.as_f64().unwrap_or(infinite))
        .collect()
}

pub fn problem(name: &str) -> Bounded {
    let text = std::fs::read_to_string(data(&format!("nonlinear/bounds/{name}.json"))).unwrap();
    let v: serde_json::Value = serde_json::from_str(&text).unwrap();
    let n = size(&v["n"]);
    Bounded {
        name: name.to_owned(),
        n,
        lower: bounds(&v["lower"], f64::NEG_INFINITY),
        upper: bounds(&v["upper"], f64::INFINITY),
        start: floats(&v["start"]),
        x: floats(&v["x"]),
        optimum: v["objective"].as_f64().unwrap(),
        gradient: floats(&v["gradient"]),
        counts: Counts::default(),
        function: function(name),
        scratch: vec![0.0; n],
    }
}

/// The function alone; `problem` has the counters, bounds and answers as well.
pub fn objective(name: &str) -> Box<dyn Objective<f64>> {
    Box::new(problem(name))
}

impl Objective<f64> for Bounded {
    fn dim(&self) -> usize {
        self.n
    }
    fn value(&mut self, x: &[f64]) -> Evaluation<f64> {
        self.counts.values.set(self.counts.values.get() + 1);
        Ok((self.function)(x, &mut self.scratch))
    }
    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Evaluation<f64> {
        self.counts.gradients.set(self.counts.gradients.get() + 1);
        Ok((self.function)(x, g))
    }
}

fn function(name: &str) -> Function {
    match name {
        "HS1" | "HS2" | "rosenbrock_box" => rosenbrock,
        "HS3" => hs3,
        "HS4" => hs4,
        "HS5" => hs5,
        "HS25" => hs25,
        "HS38" => hs38,
        "HS45" => hs45,
        "HS110" => hs110,
        "freudenstein_roth" => freudenstein_roth,
        "beale" => beale,
        "brown_badly_scaled" => brown_badly_scaled,
        "powell_badly_scaled" => powell_badly_scaled,
        "box3d" => box3d,
        "wood" => wood,
        "powell_singular" => powell_singular,
        "brown_dennis" => brown_dennis,
        "penalty1_10" => penalty1,
        "variably_dimensioned_10" => variably_dimensioned,
        "chebyquad_box_4" => chebyquad,
        "broyden_tridiagonal_6" => broyden_tridiagonal,
        "nonneg_quartic" => nonneg_quartic,
        other => panic!("no function {other}"),
    }
}

/// w r² and its gradient; `slopes` are the derivatives of r by coordinate.
fn square(w: f64, r: f64, slopes: &[(usize, f64)], g: &mut [f64]) -> f64 {
    for (j, s) in slopes {
        g[*j] += 2.0 * w * r * s;
    }
    w * r * r
}

fn rosenbrock(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    square(100.0, x[1] - x[0] * x[0], &[(0, -2.0 * x[0]), (1, 1.0)], g)
        + square(1.0, 1.0 - x[0], &[(0, -1.0)], g)
}

fn hs3(x: &[f64], g: &mut [f64]) -> f64 {
    let d = x[1] - x[0];
    g[0] = -2e-5 * d;
    g[1] = 1.0 + 2e-5 * d;
    x[1] + 1e-5 * d * d
}

fn hs4(x: &[f64], g: &mut [f64]) -> f64 {
    g[0] = (x[0] + 1.0).powi(2);
    g[1] = 1.0;
    (x[0] + 1.0).powi(3) / 3.0 + x[1]
}

fn hs5(x: &[f64], g: &mut [f64]) -> f64 {
    let (s, d) = (x[0] + x[1], x[0] - x[1]);
    g[0] = s.cos() + 2.0 * d - 1.5;
    g[1] = s.cos() - 2.0 * d + 2.5;
    s.sin() + d * d - 1.5 * x[0] + 2.5 * x[1] + 1.0
}

fn hs25(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut f = 0.0;
    for i in 1..=99 {
        let p = f64::from(i) / 100.0;
        let u = 25.0 + (-50.0 * p.ln()).powf(2.0 / 3.0);
        let d = u - x[1];
        let w = d.powf(x[2]);
        let e = (-w / x[0]).exp();
        let slopes = [
            (0, e * w / (x[0] * x[0])),
            (1, e * x[2] * d.powf(x[2] - 1.0) / x[0]),
            (2, -e * w * d.ln() / x[0]),
        ];
        f += square(1.0, e - p, &slopes, g);
    }
    f
}

fn hs38(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let (p, q) = (x[1] - 1.0, x[3] - 1.0);
    let f = square(100.0, x[1] - x[0] * x[0], &[(0, -2.0 * x[0]), (1, 1.0)], g)
        + square(1.0, 1.0 - x[0], &[(0, -1.0)], g)
        + square(90.0, x[3] - x[2] * x[2], &[(2, -2.0 * x[2]), (3, 1.0)], g)
        + square(1.0, 1.0 - x[2], &[(2, -1.0)], g)
        + square(10.1, p, &[(1, 1.0)], g)
        + square(10.1, q, &[(3, 1.0)], g);
    g[1] += 19.8 * q;
    g[3] += 19.8 * p;
    f + 19.8 * p * q
}

fn hs45(x: &[f64], g: &mut [f64]) -> f64 {
    for j in 0..5 {
        g[j] = -(0..5).filter(|k| *k != j).map(|k| x[k]).product::<f64>() / 120.0;
    }
    2.0 - x.iter().product::<f64>() / 120.0
}

fn hs110(x: &[f64], g: &mut [f64]) -> f64 {
    let p = x.iter().product::<f64>().powf(0.2);
    let mut f = -p;
    for (g, x) in g.iter_mut().zip(x) {
        let (a, b) = ((x - 2.0).ln(), (10.0 - x).ln());
        *g = 2.0 * a / (x - 2.0) - 2.0 * b / (10.0 - x) - 0.2 * p / x;
        f += a * a + b * b;
    }
    f
}

fn freudenstein_roth(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let (x, y) = (x[0], x[1]);
    let r = -13.0 + x + ((5.0 - y) * y - 2.0) * y;
    let s = -29.0 + x + ((y + 1.0) * y - 14.0) * y;
    square(1.0, r, &[(0, 1.0), (1, (10.0 - 3.0 * y) * y - 2.0)], g)
        + square(1.0, s, &[(0, 1.0), (1, (3.0 * y + 2.0) * y - 14.0)], g)
}

fn beale(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut f = 0.0;
    for (i, y) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
        let p = 1.0 - x[1].powi(i);
        let slope = x[0] * f64::from(i) * x[1].powi(i - 1);
        f += square(1.0, y - x[0] * p, &[(0, -p), (1, slope)], g);
    }
    f
}

fn brown_badly_scaled(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    square(1.0, x[0] - 1e6, &[(0, 1.0)], g)
        + square(1.0, x[1] - 2e-6, &[(1, 1.0)], g)
        + square(1.0, x[0] * x[1] - 2.0, &[(0, x[1]), (1, x[0])], g)
}

fn powell_badly_scaled(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let (p, q) = ((-x[0]).exp(), (-x[1]).exp());
    square(
        1.0,
        1e4 * x[0] * x[1] - 1.0,
        &[(0, 1e4 * x[1]), (1, 1e4 * x[0])],
        g,
    ) + square(1.0, p + q - 1.0001, &[(0, -p), (1, -q)], g)
}

fn box3d(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut f = 0.0;
    for i in 1..=10 {
        let t = f64::from(i) / 10.0;
        let (p, q) = ((-t * x[0]).exp(), (-t * x[1]).exp());
        let c = (-t).exp() - f64::from(-i).exp();
        f += square(1.0, p - q - x[2] * c, &[(0, -t * p), (1, t * q), (2, -c)], g);
    }
    f
}

fn wood(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    square(100.0, x[1] - x[0] * x[0], &[(0, -2.0 * x[0]), (1, 1.0)], g)
        + square(1.0, 1.0 - x[0], &[(0, -1.0)], g)
        + square(90.0, x[3] - x[2] * x[2], &[(2, -2.0 * x[2]), (3, 1.0)], g)
        + square(1.0, 1.0 - x[2], &[(2, -1.0)], g)
        + square(10.0, x[1] + x[3] - 2.0, &[(1, 1.0), (3, 1.0)], g)
        + square(0.1, x[1] - x[3], &[(1, 1.0), (3, -1.0)], g)
}

fn powell_singular(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let (p, q) = (x[1] - 2.0 * x[2], x[0] - x[3]);
    square(1.0, x[0] + 10.0 * x[1], &[(0, 1.0), (1, 10.0)], g)
        + square(5.0, x[2] - x[3], &[(2, 1.0), (3, -1.0)], g)
        + square(1.0, p * p, &[(1, 2.0 * p), (2, -4.0 * p)], g)
        + square(10.0, q * q, &[(0, 2.0 * q), (3, -2.0 * q)], g)
}

fn brown_dennis(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let mut f = 0.0;
    for i in 1..=20 {
        let t = f64::from(i) / 5.0;
        let (p, q) = (x[0] + t * x[1] - t.exp(), x[2] + x[3] * t.sin() - t.cos());
        let slopes = [
            (0, 2.0 * p),
            (1, 2.0 * p * t),
            (2, 2.0 * q),
            (3, 2.0 * q * t.sin()),
        ];
        f += square(1.0, p * p + q * q, &slopes, g);
    }
    f
}

fn penalty1(x: &[f64], g: &mut [f64]) -> f64 {
    let s = x.iter().map(|v| v * v).sum::<f64>() - 0.25;
    let mut f = s * s;
    for (g, x) in g.iter_mut().zip(x) {
        *g = 2e-5 * (x - 1.0) + 4.0 * s * x;
        f += 1e-5 * (x - 1.0).powi(2);
    }
    f
}

fn variably_dimensioned(x: &[f64], g: &mut [f64]) -> f64 {
    let weight = |j: usize| (j + 1) as f64;
    let s: f64 = x.iter().enumerate().map(|(j, v)| weight(j) * (v - 1.0)).sum();
    let mut f = s * s + s.powi(4);
    for (j, (g, x)) in g.iter_mut().zip(x).enumerate() {
        *g = 2.0 * (x - 1.0) + weight(j) * (2.0 * s + 4.0 * s.powi(3));
        f += (x - 1.0).powi(2);
    }
    f
}

fn chebyquad(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let n = x.len();
    let mut f = 0.0;
    // T_k and T_k′ of 2x − 1 by their recurrences
    let mut before: Vec<(f64, f64)> = vec![(1.0, 0.0); n];
    let mut now: Vec<(f64, f64)> = x.iter().map(|x| (2.0 * x - 1.0, 1.0)).collect();
    for k in 1..=n {
        let c = if k % 2 == 0 {
            -1.0 / ((k * k) as f64 - 1.0)
        } else {
            0.0
        };
        let mean = now.iter().map(|t| t.0).sum::<f64>() / n as f64;
        let slopes: Vec<(usize, f64)> = (0..n).map(|j| (j, 2.0 * now[j].1 / n as f64)).collect();
        f += square(1.0, mean - c, &slopes, g);
        for j in 0..n {
            let y = 2.0 * x[j] - 1.0;
            let next = (
                2.0 * y * now[j].0 - before[j].0,
                2.0 * now[j].0 + 2.0 * y * now[j].1 - before[j].1,
            );
            before[j] = now[j];
            now[j] = next;
        }
    }
    f
}

fn broyden_tridiagonal(x: &[f64], g: &mut [f64]) -> f64 {
    g.fill(0.0);
    let n = x.len();
    let mut f = 0.0;
    for i in 0..n {
        let mut r = (3.0 - 2.0 * x[i]) * x[i] + 1.0;
        let mut slopes = vec![(i, 3.0 - 4.0 * x[i])];
        if i > 0 {
            r -= x[i - 1];
            slopes.push((i - 1, -1.0));
        }
        if i + 1 < n {
            r -= 2.0 * x[i + 1];
            slopes.push((i + 1, -2.0));
        }
        f += square(1.0, r, &slopes, g);
    }
    f
}

fn nonneg_quartic(x: &[f64], g: &mut [f64]) -> f64 {
    let d = x[0] - 2.0;
    g[0] = 4.0 * d.powi(3) + x[2] * x[2] + x[1];
    g[1] = 2.0 * (x[1] + 1.0) + x[0];
    g[2] = 2.0 * x[2] * (x[0] + 1.0);
    d.powi(4) + (x[1] + 1.0).powi(2) + x[2] * x[2] * (x[0] + 1.0) + x[0] * x[1]
}
