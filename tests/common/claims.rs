//! Random convex problems over every set, hard on a measure of convergence: kinks, flat parts, scales. What is claimed is compared with
//! the best feasible point that other starts, other methods and projected gradients find.

use nalgebra::{DMatrix, DVector};
use reparam::maps::{
    Affine, Ball, Bounds, CappedSimplex, ConvexSequence, Difference, Identity, L1Ball, LowRank, Monotone,
    NormalizedSquares, Product, Reparametrization, SecondOrderCone, Softmax, Squares, Stochastic,
};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::{Convexity, Evaluation, Objective};
use reparam::testing::Random;
use reparam::{Minimize, Solution};

pub type Map = Box<dyn Reparametrization<f64>>;

/// Losses ℓ(r), convex.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    PseudoHuber,
    LogCosh,
    Huber,
    Quadratic,
    Power,
    Logistic,
    Exponential,
}

pub const LOSSES: [Loss; 7] = [
    Loss::PseudoHuber,
    Loss::LogCosh,
    Loss::Huber,
    Loss::Quadratic,
    Loss::Power,
    Loss::Logistic,
    Loss::Exponential,
];

impl Loss {
    /// ℓ(r) and ℓ'(r); w is the width of the kink.
    fn at(self, r: f64, w: f64) -> (f64, f64) {
        let a = r.abs();
        match self {
            Self::PseudoHuber => {
                let root = r.hypot(w);
                (r * (r / (root + w)), r / root)
            }
            Self::LogCosh => {
                let t = a / w;
                let value = if t < 1.0 {
                    (2.0 * (0.5 * t).sinh().powi(2)).ln_1p()
                } else {
                    t + (-2.0 * t).exp().ln_1p() - std::f64::consts::LN_2
                };
                (w * value, (r / w).tanh())
            }
            Self::Huber if a <= w => (0.5 * r * (r / w), r / w),
            Self::Huber => (a - 0.5 * w, r.signum()),
            Self::Quadratic => (0.5 * r * r, r),
            Self::Power => {
                let root = r.hypot(w);
                (root.powf(1.5), 1.5 * root.powf(-0.5) * r)
            }
            Self::Logistic => {
                let t = r / w;
                let e = (-t.abs()).exp();
                let value = if t > 0.0 { t + e.ln_1p() } else { e.ln_1p() };
                let slope = if t > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
                (w * value, slope)
            }
            Self::Exponential => (r.exp() - r, r.exp_m1()),
        }
    }

    /// ℓ''(r)
    fn curvature(self, r: f64, w: f64) -> f64 {
        match self {
            Self::PseudoHuber => (w / r.hypot(w)).powi(2) / r.hypot(w),
            Self::LogCosh => (r / w).cosh().powi(-2) / w,
            Self::Huber => f64::from(u8::from(r.abs() <= w)) / w,
            Self::Quadratic => 1.0,
            Self::Power => {
                let q = r.hypot(w);
                1.5 * q.powf(-0.5) * (1.0 - 0.5 * (r / q).powi(2))
            }
            Self::Logistic => 0.25 * (0.5 * r / w).cosh().powi(-2) / w,
            Self::Exponential => r.exp(),
        }
    }
}

/// f(x) = σ Σ ℓ(aᵢᵀ x − bᵢ).
#[derive(Debug, Clone)]
pub struct Problem {
    pub loss: Loss,
    pub width: f64,
    pub scale: f64,
    pub a: DMatrix<f64>,
    pub b: DVector<f64>,
    /// Whether the Hessian diagonal is offered.
    pub known: bool,
}

impl Problem {
    pub fn random(random: &mut Random, n: usize, size: f64) -> Self {
        let mut power = |range: f64| 10f64.powf(range * (random.uniform::<f64>() - 0.5));
        let (width, scale) = (size * power(10.0) * 1e-3, power(16.0));
        let spread = power(6.0).max(1.0);
        let loss = LOSSES[(random.bits() % LOSSES.len() as u64) as usize];
        let m = match random.bits() % 3 {
            0 => n,
            1 => n + 3,
            _ => n.div_ceil(2),
        };
        let diagonal = m == n && random.uniform::<f64>() < 0.5;
        let columns: Vec<f64> = (0..n)
            .map(|_| spread.powf(random.uniform::<f64>() - 0.5))
            .collect();
        let entries: Vec<f64> = random.normals(m * n);
        let a = DMatrix::from_fn(m, n, |i, j| {
            let v = if diagonal {
                f64::from(u8::from(i == j))
            } else {
                entries[i * n + j]
            };
            v * columns[j]
        });
        // an exponential needs arguments of order 1
        let (a, far) = if loss == Loss::Exponential {
            (a / (size * spread.sqrt()), 1.0)
        } else {
            (a, size)
        };
        let b: Vec<f64> = random.normals::<f64>(m).iter().map(|v| 3.0 * far * v).collect();
        Self {
            loss,
            width,
            scale,
            a,
            b: DVector::from_vec(b),
            known: random.uniform::<f64>() < 0.3,
        }
    }

    pub fn evaluate(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let r = &self.a * DVector::from_column_slice(x) - &self.b;
        let mut value = 0.0;
        let slopes = r.map(|r| {
            let (v, s) = self.loss.at(r, self.width);
            value += v;
            self.scale * s
        });
        g.copy_from_slice(self.a.tr_mul(&slopes).as_slice());
        self.scale * value
    }

    /// σ Σ aᵢⱼ² ℓ''(rᵢ)
    fn diagonal(&self, x: &[f64], out: &mut [f64]) {
        let r = &self.a * DVector::from_column_slice(x) - &self.b;
        for (o, column) in out.iter_mut().zip(self.a.column_iter()) {
            let terms = column
                .iter()
                .zip(&r)
                .map(|(a, r)| a * a * self.loss.curvature(*r, self.width));
            *o = self.scale * terms.sum::<f64>();
        }
    }
}

impl Objective<f64> for Problem {
    fn dim(&self) -> usize {
        self.a.ncols()
    }
    fn value(&mut self, x: &[f64]) -> Evaluation<f64> {
        let mut g = vec![0.0; x.len()];
        Ok(self.evaluate(x, &mut g))
    }
    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Evaluation<f64> {
        Ok(self.evaluate(x, g))
    }
    fn hessian_diagonal(&mut self, x: &[f64], out: &mut [f64]) -> Evaluation<bool> {
        if self.known {
            self.diagonal(x, out);
        }
        Ok(self.known)
    }
    fn convexity(&self) -> Convexity {
        Convexity::Convex
    }
}

/// Every set of the crate, at dimension n (of matrices: about that) and of this size.
pub fn maps(n: usize, size: f64, random: &mut Random) -> Vec<(&'static str, Map)> {
    let centre: Vec<f64> = random.normals::<f64>(n).iter().map(|v| v * size).collect();
    let lower: Vec<f64> = centre
        .iter()
        .map(|v| v - size * random.uniform::<f64>())
        .collect();
    let upper: Vec<f64> = lower
        .iter()
        .map(|v| {
            if random.uniform::<f64>() < 0.3 {
                f64::INFINITY
            } else {
                v + size
            }
        })
        .collect();
    let vertices: Vec<f64> = random
        .normals::<f64>(n * (n + 2))
        .iter()
        .map(|v| v * size)
        .collect();
    let blocks: Vec<Map> = vec![
        Box::new(NormalizedSquares::new(n, size).unwrap()),
        Box::new(SecondOrderCone::new(n).unwrap()),
    ];
    vec![
        ("free", Box::new(Identity::new(n)) as Map),
        ("orthant", Box::new(Squares::new(n))),
        ("box", Box::new(Bounds::new(lower, upper).unwrap())),
        ("difference", Box::new(Difference::new(n))),
        ("simplex", Box::new(NormalizedSquares::new(n, size).unwrap())),
        ("softmax", Box::new(Softmax::new(n, size).unwrap())),
        ("capped simplex", Box::new(CappedSimplex::new(n, size).unwrap())),
        ("l1 ball", Box::new(L1Ball::new(n, size).unwrap())),
        ("ball", Box::new(Ball::with_centre(centre, size).unwrap())),
        ("second-order cone", Box::new(SecondOrderCone::new(n).unwrap())),
        ("monotone", Box::new(Monotone::new(n).unwrap())),
        (
            "monotone, lower",
            Box::new(Monotone::with_lower(n, -size).unwrap()),
        ),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, -size, 2.0 * size).unwrap()),
        ),
        ("convex sequence", Box::new(ConvexSequence::new(n).unwrap())),
        ("stochastic", Box::new(Stochastic::by_rows(2, n).unwrap())),
        ("psd", Box::new(LowRank::cone(3, 3).unwrap())),
        ("psd, trace", Box::new(LowRank::with_trace(3, 3, size).unwrap())),
        ("correlation", Box::new(LowRank::unit_diagonal(3, 3).unwrap())),
        ("product", Box::new(Product::new(blocks))),
        (
            "polytope",
            Box::new(
                Affine::new(
                    DMatrix::from_vec(n, n + 2, vertices),
                    NormalizedSquares::<f64>::new(n + 2, 1.0).unwrap(),
                    vec![0.0; n],
                )
                .unwrap(),
            ),
        ),
    ]
}

/// Projected gradients from x, with steps of every length; the lowest f that is seen.
fn descend(problem: &Problem, map: &dyn Reparametrization<f64>, x: &[f64], rounds: usize) -> f64 {
    let n = x.len();
    let mut x = x.to_vec();
    let (mut g, mut gy) = (vec![0.0; n], vec![0.0; n]);
    let mut f = problem.evaluate(&x, &mut g);
    let mut last = 1.0;
    for round in 0..rounds {
        let mut best: Option<(f64, Vec<f64>, f64)> = None;
        let exponents: Vec<f64> = if round % 20 == 0 {
            (-40..=40).map(|k| 10f64.powf(f64::from(k) * 0.75)).collect()
        } else {
            [0.1, 0.5, 1.0, 2.0, 10.0].iter().map(|k| k * last).collect()
        };
        for step in exponents {
            let mut y: Vec<f64> = x.iter().zip(&g).map(|(x, g)| x - step * g).collect();
            if !map.set().project(&mut y) || y.iter().any(|v| !v.is_finite()) {
                continue;
            }
            // (the projection of a point far away is only as accurate as that is far)
            let size = y.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            if map.set().violation(&y).is_nan() || map.set().violation(&y) > 1e-13 * size {
                continue;
            }
            let fy = problem.evaluate(&y, &mut gy);
            if fy < best.as_ref().map_or(f, |b| b.0) {
                best = Some((fy, y, step));
            }
        }
        match best {
            Some((fy, y, step)) => {
                (f, x, last) = (fy, y, step);
                problem.evaluate(&x, &mut g);
            }
            None if round % 20 == 0 => break,
            None => {}
        }
    }
    f
}

pub fn methods(map: &dyn Reparametrization<f64>) -> Vec<State<f64>> {
    let mut all: Vec<State<f64>> = vec![
        Lbfgs::new(10).into(),
        ConjugateGradient::new().into(),
        TrustRegion::new().into(),
    ];
    if map.is_coordinatewise() {
        all.push(BoxLbfgs::new(10).into());
    }
    all
}

/// One run and how far it is off.
pub struct Run {
    pub solution: Solution<f64>,
    pub excess: f64,
    pub false_claim: bool,
}

/// Every method from two starts, and the verdict. A claim is false when f is above the best by a millionth of it and of what
/// rounding can tell.
pub fn runs(problem: &Problem, map: &dyn Reparametrization<f64>, start: Option<&[f64]>) -> Vec<Run> {
    let n = map.dim_x();
    let mut solutions: Vec<Solution<f64>> = Vec::new();
    for method in methods(map) {
        let mut run = Minimize::new(problem.clone(), map)
            .unwrap()
            .method(method)
            .max_iterations(500);
        if let Some(x) = start {
            run = run.start(x);
        }
        if let Ok(s) = run.run() {
            solutions.push(s);
        }
    }
    let mut origin = vec![0.0; n];
    let mut best = f64::INFINITY;
    let mut beginning = start.map_or_else(|| vec![0.0; n], <[f64]>::to_vec);
    if start.is_none() {
        let mut u = vec![0.0; map.dim_u()];
        map.interior(&mut u);
        map.apply(&u, &mut beginning, &mut vec![0.0; map.scratch_len()]);
    }
    let first = problem.evaluate(&beginning, &mut vec![0.0; n]);
    if map.set().project(&mut origin) {
        best = best.min(problem.evaluate(&origin, &mut vec![0.0; n]));
        best = best.min(descend(problem, map, &origin, 30));
    }
    for s in &solutions {
        best = best.min(s.objective);
    }
    // the best point may be a shared fault: go on from it
    for s in &solutions {
        if s.status.is_converged() && s.objective.is_finite() {
            best = best.min(descend(problem, map, &s.x, 60));
        }
    }
    solutions
        .into_iter()
        .map(|solution| {
            let excess = solution.objective - best;
            // (where f* = 0, f has fallen by twelve digits at least, to less than a millionth of its scale)
            let floor = (1e-12 * first).min(1e-3 * problem.scale * problem.width.min(1.0));
            let margin = 1e-6 * best.abs() + floor;
            Run {
                false_claim: solution.status.is_converged() && excess > margin,
                excess: excess / (best.abs() + f64::MIN_POSITIVE),
                solution,
            }
        })
        .collect()
}

/// A start: φ(u) at random u of a random size.
pub fn start(map: &dyn Reparametrization<f64>, random: &mut Random) -> Vec<f64> {
    let size = 10f64.powf(4.0 * (random.uniform::<f64>() - 0.5));
    let u: Vec<f64> = random
        .normals::<f64>(map.dim_u())
        .iter()
        .map(|v| v * size)
        .collect();
    let mut x = vec![0.0; map.dim_x()];
    map.apply(&u, &mut x, &mut vec![0.0; map.scratch_len()]);
    x
}
