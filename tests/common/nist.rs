//! The 27 nonlinear regression sets of NIST's StRD collection, with models and Jacobians written out.

use super::{data, floats, size};
use reparam::objectives::{Evaluation, ResidualFunction};
use std::f64::consts::PI;

pub const NAMES: [&str; 27] = [
    "Bennett5", "BoxBOD", "Chwirut1", "Chwirut2", "DanWood", "ENSO", "Eckerle4", "Gauss1", "Gauss2",
    "Gauss3", "Hahn1", "Kirby2", "Lanczos1", "Lanczos2", "Lanczos3", "MGH09", "MGH10", "MGH17", "Misra1a",
    "Misra1b", "Misra1c", "Misra1d", "Nelson", "Rat42", "Rat43", "Roszman1", "Thurber",
];

/// The variant with bounds that some sets have.
#[derive(Debug, Clone)]
pub struct BoundedVariant {
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub x: Vec<f64>,
    /// residual sum of squares, no factor ½
    pub rss: f64,
}

/// Value of the model at parameters b and abscissa x, and its gradient in b.
type Model = fn(&[f64], &[f64], &mut [f64]) -> f64;

/// Residuals model − data.
#[derive(Debug, Clone)]
pub struct Nist {
    pub name: String,
    pub m: usize,
    pub n: usize,
    pub starts: [Vec<f64>; 2],
    /// certified parameters (11 digits) and their residual sum of squares, no factor ½
    pub certified: Vec<f64>,
    pub certified_rss: f64,
    /// the same to the last bit
    pub x: Vec<f64>,
    pub rss: f64,
    pub bounded: Option<BoundedVariant>,
    abscissae: Vec<Vec<f64>>,
    responses: Vec<f64>,
    model: Model,
    scratch: Vec<f64>,
}

/// The residuals of one set; it carries its starts and its answer.
pub fn problem(name: &str) -> Nist {
    let text = std::fs::read_to_string(data(&format!("nonlinear/nist/{name}.json"))).unwrap();
    let v: serde_json::Value = serde_json::from_str(&text).unwrap();
    let abscissae = v["x_data"].as_array().unwrap();
    let abscissae = abscissae
        .iter()
        .map(|x| x.as_f64().map_or_else(|| floats(x), |x| vec![x]));
    let mut responses = floats(&v["y_data"]);
    match v["response"].as_str().unwrap() {
        "y" => {}
        "log(y)" => responses.iter_mut().for_each(|y| *y = y.ln()),
        other => panic!("{name}: response {other}"),
    }
    let n = size(&v["n"]);
    let bounded = v.get("bounded").map(|b| BoundedVariant {
        lower: super::bounded::bounds(&b["lower"], f64::NEG_INFINITY),
        upper: super::bounded::bounds(&b["upper"], f64::INFINITY),
        x: floats(&b["x"]),
        rss: b["objective"].as_f64().unwrap(),
    });
    Nist {
        name: name.to_owned(),
        m: size(&v["m"]),
        n,
        starts: [floats(&v["start1"]), floats(&v["start2"])],
        certified: floats(&v["certified"]),
        certified_rss: v["certified_rss"].as_f64().unwrap(),
        x: floats(&v["x"]),
        rss: v["objective"].as_f64().unwrap(),
        bounded,
        abscissae: abscissae.collect(),
        responses,
        model: model(name),
        scratch: vec![0.0; n],
    }
}

impl ResidualFunction<f64> for Nist {
    fn residual_count(&self) -> usize {
        self.m
    }
    fn dim(&self) -> usize {
        self.n
    }
    fn residuals(&mut self, b: &[f64], r: &mut [f64]) -> Evaluation<()> {
        for ((r, x), y) in r.iter_mut().zip(&self.abscissae).zip(&self.responses) {
            *r = (self.model)(b, x, &mut self.scratch) - y;
        }
        Ok(())
    }
    fn jacobian(&mut self, b: &[f64], j: &mut [f64]) -> Evaluation<bool> {
        for (row, x) in j.chunks_exact_mut(self.n).zip(&self.abscissae) {
            (self.model)(b, x, row);
        }
        Ok(true)
    }
}

fn model(name: &str) -> Model {
    match name {
        "Bennett5" => bennett,
        "BoxBOD" | "Misra1a" => saturation,
        "Chwirut1" | "Chwirut2" => chwirut,
        "DanWood" => power,
        "ENSO" => enso,
        "Eckerle4" => eckerle,
        "Gauss1" | "Gauss2" | "Gauss3" => gauss,
        "Hahn1" | "Thurber" => |b, x, g| rational::<3>(b, x[0], g),
        "Kirby2" => |b, x, g| rational::<2>(b, x[0], g),
        "Lanczos1" | "Lanczos2" | "Lanczos3" => lanczos,
        "MGH09" => mgh09,
        "MGH10" => mgh10,
        "MGH17" => mgh17,
        "Misra1b" => misra1b,
        "Misra1c" => misra1c,
        "Misra1d" => misra1d,
        "Nelson" => nelson,
        "Rat42" => rat42,
        "Rat43" => rat43,
        "Roszman1" => roszman,
        other => panic!("no NIST set {other}"),
    }
}

/// b₁(b₂+x)^{−1/b₃}
fn bennett(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = b[1] + x[0];
    let p = s.powf(-1.0 / b[2]);
    g[0] = p;
    g[1] = -b[0] * p / (b[2] * s);
    g[2] = b[0] * p * s.ln() / (b[2] * b[2]);
    b[0] * p
}

/// b₁(1 − e^{−b₂x})
fn saturation(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let rise = -(-b[1] * x[0]).exp_m1();
    g[0] = rise;
    g[1] = b[0] * x[0] * (-b[1] * x[0]).exp();
    b[0] * rise
}

/// e^{−b₁x}/(b₂ + b₃x)
fn chwirut(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let d = b[1] + b[2] * x[0];
    let f = (-b[0] * x[0]).exp() / d;
    g[0] = -x[0] * f;
    g[1] = -f / d;
    g[2] = -x[0] * f / d;
    f
}

/// b₁x^{b₂}
fn power(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let p = x[0].powf(b[1]);
    g[0] = p;
    g[1] = b[0] * p * x[0].ln();
    b[0] * p
}

/// Three cycles: one of a year, two of unknown periods b₄ and b₇.
fn enso(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let x = x[0];
    let year = 2.0 * PI * x / 12.0;
    g[0] = 1.0;
    g[1] = year.cos();
    g[2] = year.sin();
    let mut f = b[0] + b[1] * g[1] + b[2] * g[2];
    for k in [3, 6] {
        let (sin, cos) = (2.0 * PI * x / b[k]).sin_cos();
        g[k] = (b[k + 1] * sin - b[k + 2] * cos) * 2.0 * PI * x / (b[k] * b[k]);
        g[k + 1] = cos;
        g[k + 2] = sin;
        f += b[k + 1] * cos + b[k + 2] * sin;
    }
    f
}

/// (b₁/b₂) exp(−(x−b₃)²/(2b₂²))
fn eckerle(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let t = (x[0] - b[2]) / b[1];
    let e = (-0.5 * t * t).exp() / b[1];
    g[0] = e;
    g[1] = b[0] * e * (t * t - 1.0) / b[1];
    g[2] = b[0] * e * t / b[1];
    b[0] * e
}

/// An exponential and two Gaussian peaks.
fn gauss(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let x = x[0];
    let e = (-b[1] * x).exp();
    g[0] = e;
    g[1] = -b[0] * x * e;
    let mut f = b[0] * e;
    for k in [2, 5] {
        let t = (x - b[k + 1]) / b[k + 2];
        let e = (-t * t).exp();
        g[k] = e;
        g[k + 1] = 2.0 * b[k] * e * t / b[k + 2];
        g[k + 2] = 2.0 * b[k] * e * t * t / b[k + 2];
        f += b[k] * e;
    }
    f
}

/// A quotient of polynomials of degree D, the denominator with constant 1.
fn rational<const D: usize>(b: &[f64], x: f64, g: &mut [f64]) -> f64 {
    let (mut top, mut bottom, mut power) = (0.0, 1.0, 1.0);
    for k in 0..=D {
        top += b[k] * power;
        if k > 0 {
            bottom += b[D + k] * power;
        }
        power *= x;
    }
    let f = top / bottom;
    let mut power = 1.0;
    for k in 0..=D {
        g[k] = power / bottom;
        if k > 0 {
            g[D + k] = -f * power / bottom;
        }
        power *= x;
    }
    f
}

/// Three exponentials.
fn lanczos(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let mut f = 0.0;
    for k in [0, 2, 4] {
        let e = (-b[k + 1] * x[0]).exp();
        g[k] = e;
        g[k + 1] = -b[k] * x[0] * e;
        f += b[k] * e;
    }
    f
}

/// b₁(x² + x b₂)/(x² + x b₃ + b₄)
fn mgh09(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let x = x[0];
    let (top, bottom) = (x * x + x * b[1], x * x + x * b[2] + b[3]);
    let f = b[0] * top / bottom;
    g[0] = top / bottom;
    g[1] = b[0] * x / bottom;
    g[2] = -f * x / bottom;
    g[3] = -f / bottom;
    f
}

/// b₁ exp(b₂/(x + b₃))
fn mgh10(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = x[0] + b[2];
    let e = (b[1] / s).exp();
    g[0] = e;
    g[1] = b[0] * e / s;
    g[2] = -b[0] * e * b[1] / (s * s);
    b[0] * e
}

/// b₁ + b₂e^{−xb₄} + b₃e^{−xb₅}
fn mgh17(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let (p, q) = ((-x[0] * b[3]).exp(), (-x[0] * b[4]).exp());
    g[0] = 1.0;
    g[1] = p;
    g[2] = q;
    g[3] = -b[1] * x[0] * p;
    g[4] = -b[2] * x[0] * q;
    b[0] + b[1] * p + b[2] * q
}

/// b₁(1 − (1 + b₂x/2)^{−2})
fn misra1b(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = 1.0 + 0.5 * b[1] * x[0];
    g[0] = 1.0 - s.powi(-2);
    g[1] = b[0] * x[0] * s.powi(-3);
    b[0] * g[0]
}

/// b₁(1 − (1 + 2b₂x)^{−1/2})
fn misra1c(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = 1.0 + 2.0 * b[1] * x[0];
    g[0] = 1.0 - s.sqrt().recip();
    g[1] = b[0] * x[0] * s.powf(-1.5);
    b[0] * g[0]
}

/// b₁b₂x/(1 + b₂x)
fn misra1d(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = 1.0 + b[1] * x[0];
    g[0] = b[1] * x[0] / s;
    g[1] = b[0] * x[0] / (s * s);
    b[0] * g[0]
}

/// b₁ − b₂x₁e^{−b₃x₂}
fn nelson(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let e = (-b[2] * x[1]).exp();
    g[0] = 1.0;
    g[1] = -x[0] * e;
    g[2] = b[1] * x[0] * x[1] * e;
    b[0] - b[1] * x[0] * e
}

/// b₁/(1 + e^{b₂−b₃x})
fn rat42(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let e = (b[1] - b[2] * x[0]).exp();
    let s = 1.0 + e;
    g[0] = 1.0 / s;
    g[1] = -b[0] * e / (s * s);
    g[2] = b[0] * x[0] * e / (s * s);
    b[0] / s
}

/// b₁/(1 + e^{b₂−b₃x})^{1/b₄}
fn rat43(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let e = (b[1] - b[2] * x[0]).exp();
    let s = 1.0 + e;
    let p = s.powf(-1.0 / b[3]);
    g[0] = p;
    g[1] = -b[0] * p * e / (b[3] * s);
    g[2] = b[0] * p * e * x[0] / (b[3] * s);
    g[3] = b[0] * p * s.ln() / (b[3] * b[3]);
    b[0] * p
}

/// b₁ − b₂x − arctan(b₃/(x − b₄))/π
fn roszman(b: &[f64], x: &[f64], g: &mut [f64]) -> f64 {
    let s = x[0] - b[3];
    let q = s * s + b[2] * b[2];
    g[0] = 1.0;
    g[1] = -x[0];
    g[2] = -s / (q * PI);
    g[3] = -b[2] / (q * PI);
    b[0] - b[1] * x[0] - (b[2] / s).atan() / PI
}
