//! Polyhedral reference problems and a judge for them that shares no code with the library.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::path::Path;

#[derive(Debug, Clone, PartialEq)]
pub enum Set {
    /// Bounds, and perhaps Σ over some coordinates = r.
    Bounds {
        lo: Vec<f64>,
        hi: Vec<f64>,
        sum: Option<(Vec<usize>, f64)>,
    },
    Capped(f64),
    L1(f64),
    Monotone(f64, f64),
}

/// `a` is row-major.
#[derive(Debug, Clone)]
pub struct Problem {
    pub name: String,
    pub m: usize,
    pub n: usize,
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub set: Set,
    pub x: Vec<f64>,
    pub objective: f64,
    pub unique: bool,
}

impl Problem {
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.a[i * self.n + j]
    }

    pub fn column(&self, j: usize) -> Vec<f64> {
        (0..self.m).map(|i| self.at(i, j)).collect()
    }

    pub fn column_major(&self) -> Vec<f64> {
        (0..self.n).flat_map(|j| self.column(j)).collect()
    }

    pub fn triplets(&self) -> Vec<(usize, usize, f64)> {
        let all = (0..self.m).flat_map(|i| (0..self.n).map(move |j| (i, j)));
        all.map(|(i, j)| (i, j, self.at(i, j)))
            .filter(|(_, _, v)| *v != 0.0)
            .collect()
    }
}

fn floats(v: &Value) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn bounds(v: &Value, missing: f64) -> Vec<f64> {
    v.as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap_or(missing))
        .collect()
}

const INF: f64 = f64::INFINITY;

fn set(v: &Value, n: usize) -> Option<Set> {
    let radius = v["radius"].as_f64();
    let all = (0..n).collect::<Vec<_>>();
    Some(match v["type"].as_str().unwrap() {
        "box" => Set::Bounds {
            lo: bounds(&v["lower"], -INF),
            hi: bounds(&v["upper"], INF),
            sum: None,
        },
        "simplex" => Set::Bounds {
            lo: vec![0.0; n],
            hi: vec![INF; n],
            sum: Some((all, radius.unwrap())),
        },
        "simplex_with_upper_bounds" => Set::Bounds {
            lo: vec![0.0; n],
            hi: bounds(&v["upper"], INF),
            sum: Some((all, radius.unwrap())),
        },
        "product" => {
            let (simplex, rest) = (&v["blocks"][0], &v["blocks"][1]);
            let k = usize::try_from(simplex["size"].as_u64().unwrap()).unwrap();
            let (mut lo, mut hi) = (vec![0.0; k], vec![INF; k]);
            lo.extend(bounds(&rest["lower"], -INF));
            hi.extend(bounds(&rest["upper"], INF));
            Set::Bounds {
                lo,
                hi,
                sum: Some(((0..k).collect(), simplex["radius"].as_f64().unwrap())),
            }
        }
        "capped_simplex" => Set::Capped(radius.unwrap()),
        "l1_ball" => Set::L1(radius.unwrap()),
        "monotone" => Set::Monotone(
            v["lower"].as_f64().unwrap_or(-INF),
            v["upper"].as_f64().unwrap_or(INF),
        ),
        _ => return None,
    })
}

/// All reference problems over polyhedra.
pub fn problems() -> Vec<Problem> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sets");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    files
        .iter()
        .filter_map(|p| {
            let v: Value = serde_json::from_str(&std::fs::read_to_string(p).unwrap()).unwrap();
            let n = usize::try_from(v["n"].as_u64().unwrap()).unwrap();
            Some(Problem {
                name: v["name"].as_str().unwrap().to_owned(),
                m: usize::try_from(v["m"].as_u64().unwrap()).unwrap(),
                n,
                a: floats(&v["A"]),
                b: floats(&v["b"]),
                set: set(&v["set"], n)?,
                x: floats(&v["x"]),
                objective: v["objective"].as_f64().unwrap(),
                unique: v["unique"].as_bool().unwrap(),
            })
        })
        .collect()
}

#[derive(Debug)]
pub struct Verdict {
    /// max_j c_j |x − P(x − g/c²)|_j / ‖b‖ (b = 0: divided by max c_j |x_j|)
    pub rho: f64,
    /// The same divided by max(‖b‖, max c_j |x_j|): what rounding allows.
    pub relative: f64,
    pub objective: f64,
    pub half_b: f64,
    /// The largest violation of a bound, which must be zero.
    pub bounds: f64,
    /// |Σ x − r| over Σ |x| + |r|, or the excess of an inequality.
    pub sum: f64,
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|t| t * t).sum::<f64>().sqrt()
}

/// ρ, objective and feasibility of x from A, b and x alone.
pub fn judge(p: &Problem, x: &[f64]) -> Verdict {
    assert_eq!(x.len(), p.n);
    let mut r: Vec<f64> = p.b.iter().map(|v| -v).collect();
    for i in 0..p.m {
        for j in 0..p.n {
            r[i] += p.at(i, j) * x[j];
        }
    }
    let mut c: Vec<f64> = (0..p.n).map(|j| norm(&p.column(j))).collect();
    let g: Vec<f64> = (0..p.n)
        .map(|j| p.column(j).iter().zip(&r).map(|(a, r)| a * r).sum())
        .collect();
    let largest = c.iter().fold(0.0_f64, |m, v| m.max(*v));
    let zero: Vec<bool> = c.iter().map(|v| *v == 0.0).collect();
    let coupled = |j: usize| match &p.set {
        Set::Bounds { sum, .. } => sum.as_ref().is_some_and(|(part, _)| part.contains(&j)),
        _ => true,
    };
    for j in 0..p.n {
        if zero[j] {
            c[j] = if largest > 0.0 { largest } else { 1.0 };
        }
    }
    let w: Vec<f64> = c.iter().map(|v| v * v).collect();
    let back: Vec<f64> = (0..p.n).map(|j| -g[j] / w[j]).collect();
    // P(x − g/c²) − x; for bounds as a projection onto the set moved by −x, in which nothing cancels
    let step: Vec<f64> = match &p.set {
        Set::Bounds { lo, hi, sum } => {
            let moved = Set::Bounds {
                lo: (0..p.n).map(|j| lo[j] - x[j]).collect(),
                hi: (0..p.n).map(|j| hi[j] - x[j]).collect(),
                sum: sum
                    .as_ref()
                    .map(|(part, r)| (part.clone(), difference(*r, part.iter().map(|j| x[*j])))),
            };
            project(&moved, &back, &w)
        }
        set => {
            let z: Vec<f64> = (0..p.n).map(|j| x[j] + back[j]).collect();
            let y = project(set, &z, &w);
            (0..p.n).map(|j| y[j] - x[j]).collect()
        }
    };
    let mut worst = 0.0_f64;
    let mut size = norm(&p.b);
    let mut terms = 0.0_f64;
    for j in 0..p.n {
        if zero[j] && !coupled(j) {
            continue;
        }
        let d = c[j] * step[j].abs();
        assert!(!d.is_nan(), "{}: NaN {x:?}", p.name);
        worst = worst.max(d);
        terms = terms.max(c[j] * x[j].abs());
    }
    let unit = if size > 0.0 { size } else { terms };
    size = size.max(terms);
    let ratio = |v: f64, unit: f64| if v == 0.0 { 0.0 } else { v / unit };
    let (bounds, sum) = violation(&p.set, x);
    Verdict {
        rho: ratio(worst, unit),
        relative: ratio(worst, size),
        objective: 0.5 * norm(&r).powi(2),
        half_b: 0.5 * norm(&p.b).powi(2),
        bounds,
        sum,
    }
}

/// r − Σ v with the rounding errors carried along.
fn difference(r: f64, v: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (r, 0.0);
    for v in v {
        let next = total - v;
        let part = next - total;
        lost += (total - (next - part)) - (v + part);
        total = next;
    }
    total + lost
}

fn violation(set: &Set, x: &[f64]) -> (f64, f64) {
    let over = |v: f64| v.max(0.0);
    let size: f64 = x.iter().map(|v| v.abs()).sum();
    match set {
        Set::Bounds { lo, hi, sum } => {
            let worst = (0..x.len())
                .map(|j| over(lo[j] - x[j]).max(over(x[j] - hi[j])))
                .fold(0.0, f64::max);
            let gap = sum.as_ref().map_or(0.0, |(part, r)| {
                let size: f64 = part.iter().map(|j| x[*j].abs()).sum::<f64>() + r.abs();
                let total: f64 = part.iter().map(|j| x[*j]).sum();
                if size == 0.0 {
                    0.0
                } else {
                    (total - r).abs() / size
                }
            });
            (worst, gap)
        }
        Set::Capped(r) => (
            x.iter().map(|v| over(-v)).fold(0.0, f64::max),
            over(size - r) / r.max(f64::MIN_POSITIVE),
        ),
        Set::L1(r) => (0.0, over(size - r) / r.max(f64::MIN_POSITIVE)),
        Set::Monotone(lo, hi) => {
            let order = x.windows(2).map(|w| over(w[0] - w[1])).fold(0.0, f64::max);
            (order.max(over(lo - x[0])).max(over(x[x.len() - 1] - hi)), 0.0)
        }
    }
}

/// The nearest point of the set to z in the metric diag(w).
pub fn project(set: &Set, z: &[f64], w: &[f64]) -> Vec<f64> {
    let n = z.len();
    match set {
        Set::Bounds { lo, hi, sum: None } => (0..n).map(|j| z[j].max(lo[j]).min(hi[j])).collect(),
        Set::Bounds {
            lo,
            hi,
            sum: Some((part, r)),
        } => {
            let t = shift(lo, hi, part, *r, z, w);
            (0..n)
                .map(|j| {
                    let moved = if part.contains(&j) { z[j] - t / w[j] } else { z[j] };
                    moved.max(lo[j]).min(hi[j])
                })
                .collect()
        }
        Set::Capped(r) => {
            let y: Vec<f64> = z.iter().map(|v| v.max(0.0)).collect();
            if y.iter().sum::<f64>() <= *r {
                y
            } else {
                onto_simplex(z, w, *r)
            }
        }
        Set::L1(r) => {
            let y: Vec<f64> = z.iter().map(|v| v.abs()).collect();
            if y.iter().sum::<f64>() <= *r {
                return z.to_vec();
            }
            let y = onto_simplex(&y, w, *r);
            (0..n).map(|j| y[j].copysign(z[j])).collect()
        }
        Set::Monotone(lo, hi) => pool(z, w).iter().map(|v| v.max(*lo).min(*hi)).collect(),
    }
}

fn onto_simplex(z: &[f64], w: &[f64], r: f64) -> Vec<f64> {
    let n = z.len();
    let (lo, hi) = (vec![0.0; n], vec![INF; n]);
    let all: Vec<usize> = (0..n).collect();
    let t = shift(&lo, &hi, &all, r, z, w);
    (0..n).map(|j| (z[j] - t / w[j]).max(0.0)).collect()
}

/// t with Σ clip(z − t/w) = r: bisection to the last bit, then the exact root for the coordinates it leaves free.
fn shift(lo: &[f64], hi: &[f64], part: &[usize], r: f64, z: &[f64], w: &[f64]) -> f64 {
    let value = |t: f64| -> f64 {
        part.iter()
            .map(|j| (z[*j] - t / w[*j]).max(lo[*j]).min(hi[*j]))
            .sum()
    };
    let mut span = 1e-300_f64;
    for j in part {
        let reach = [lo[*j], hi[*j], r]
            .iter()
            .filter(|v| v.is_finite())
            .fold(z[*j].abs(), |m, v| m.max(v.abs()));
        span = span.max(2.0 * w[*j] * (reach + r.abs()) * 1.01);
    }
    let (mut left, mut right) = (-span, span);
    for _ in 0..3000 {
        let mid = 0.5 * (left + right);
        if mid <= left || mid >= right {
            break;
        }
        if value(mid) > r {
            left = mid;
        } else {
            right = mid;
        }
    }
    let (mut slope, mut rest) = (0.0, -r);
    for j in part {
        let y = z[*j] - right / w[*j];
        if y > lo[*j] && y < hi[*j] {
            slope += 1.0 / w[*j];
            rest += z[*j];
        } else {
            rest += y.max(lo[*j]).min(hi[*j]);
        }
    }
    if slope > 0.0 { rest / slope } else { right }
}

/// Weighted isotonic regression: pool adjacent violators.
fn pool(z: &[f64], w: &[f64]) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (v, w) in z.iter().zip(w) {
        let mut block = (*v, *w, 1);
        while let Some(last) = blocks.last() {
            if last.0 <= block.0 {
                break;
            }
            let weight = last.1 + block.1;
            block = (
                (last.0 * last.1 + block.0 * block.1) / weight,
                weight,
                last.2 + block.2,
            );
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
        .iter()
        .flat_map(|(v, _, k)| std::iter::repeat_n(*v, *k))
        .collect()
}
