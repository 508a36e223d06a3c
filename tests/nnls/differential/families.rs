//! Problems on which a dense solver is likely to lose its way, up to 400 columns, one for each number: nearly dependent columns, rows and
//! columns over many decades, in either precision, over x ≥ 0, bounds, and bounds with a sum.

use reparam::testing::Random;

/// min ½‖A x − b‖² over a set. The numbers are of the precision of the solve: `f32` values are exact in `f64`.
#[derive(Debug)]
pub struct Case {
    pub family: &'static str,
    pub set: Set,
    /// Whether the solve is one in `f32`.
    pub single: bool,
    pub m: usize,
    pub n: usize,
    /// Column after column.
    pub a: Vec<f64>,
    pub b: Vec<f64>,
}

#[derive(Debug)]
pub enum Set {
    NonNegative,
    Bounds {
        lower: Vec<f64>,
        upper: Vec<f64>,
    },
    /// Bounds, and Σ x = r.
    Sum {
        lower: Vec<f64>,
        upper: Vec<f64>,
        r: f64,
    },
}

impl Set {
    pub const NAMES: [&str; 3] = ["x ≥ 0", "bounds", "sum"];

    /// The place in [`NAMES`](Self::NAMES).
    pub fn index(&self) -> usize {
        match self {
            Self::NonNegative => 0,
            Self::Bounds { .. } => 1,
            Self::Sum { .. } => 2,
        }
    }

    pub fn bounds(&self, j: usize) -> (f64, f64) {
        match self {
            Self::NonNegative => (0.0, f64::INFINITY),
            Self::Bounds { lower, upper } | Self::Sum { lower, upper, .. } => (lower[j], upper[j]),
        }
    }
}

pub const FAMILIES: [&str; 7] = [
    "low rank and noise",
    "opposite pairs",
    "graded rows",
    "graded rows, columns",
    "sparse, written out",
    "weak direction",
    "Gaussian",
];

/// 10^(−s) with s uniform in 0 … `decades`.
fn small(random: &mut Random, decades: f64) -> f64 {
    10.0_f64.powf(-decades * random.uniform::<f64>())
}

fn matrix(family: &str, m: usize, n: usize, digits: f64, random: &mut Random) -> Vec<f64> {
    let mut a: Vec<f64> = random.normals(m * n);
    match family {
        "low rank and noise" => {
            let rank = 1 + random.bits() as usize % (m.min(n) / 2).max(1);
            let noise = small(random, digits);
            let (left, right): (Vec<f64>, Vec<f64>) = (random.normals(m * rank), random.normals(n * rank));
            for (k, v) in a.iter_mut().enumerate() {
                let (i, j) = (k % m, k / m);
                *v = noise * *v + (0..rank).map(|k| left[k * m + i] * right[k * n + j]).sum::<f64>();
            }
        }
        "opposite pairs" => {
            // a_{2k+1} = −a_{2k}, but for a little
            let apart = if random.bits().is_multiple_of(4) {
                0.0
            } else {
                small(random, digits)
            };
            for j in (1..n).step_by(2) {
                for i in 0..m {
                    a[j * m + i] = apart * a[j * m + i] - a[(j - 1) * m + i];
                }
            }
        }
        "graded rows" | "graded rows, columns" => {
            let decades = 2.0 * digits * random.uniform::<f64>();
            let rows: Vec<f64> = (0..m).map(|_| small(random, decades)).collect();
            let decades = if family == "graded rows" {
                0.0
            } else {
                digits * random.uniform::<f64>()
            };
            let columns: Vec<f64> = (0..n).map(|_| small(random, decades)).collect();
            for (k, v) in a.iter_mut().enumerate() {
                *v *= rows[k % m] * columns[k / m];
            }
        }
        "sparse, written out" => {
            let share = 0.02 + 0.3 * random.uniform::<f64>();
            for v in &mut a {
                if random.uniform::<f64>() > share {
                    *v = 0.0;
                }
            }
        }
        "weak direction" => {
            // full rank: along one direction, a mixture of all columns, A is short
            let weak = small(random, digits);
            let mut mixture: Vec<f64> = random.normals(n);
            let norm = mixture.iter().map(|v| v * v).sum::<f64>().sqrt();
            mixture.iter_mut().for_each(|v| *v /= norm);
            for i in 0..m {
                let along: f64 = (0..n).map(|j| a[j * m + i] * mixture[j]).sum();
                for j in 0..n {
                    a[j * m + i] -= (1.0 - weak) * along * mixture[j];
                }
            }
        }
        _ => {}
    }
    a
}

/// A x + noise for an x of which a part is zero, or noise alone.
fn right_hand_side(a: &[f64], m: usize, digits: f64, random: &mut Random) -> Vec<f64> {
    let noise: Vec<f64> = random.normals(m);
    if random.bits().is_multiple_of(4) {
        return noise;
    }
    let size = match random.bits() % 4 {
        0 => 0.0,
        1 => small(random, digits),
        _ => 1.0,
    };
    let mut b: Vec<f64> = vec![0.0; m];
    for column in a.chunks_exact(m) {
        if random.bits().is_multiple_of(2) {
            let x = random.normal::<f64>().abs();
            b.iter_mut().zip(column).for_each(|(b, a)| *b += x * a);
        }
    }
    let norm = b.iter().map(|v| v * v).sum::<f64>().sqrt() / (m as f64).sqrt();
    b.iter_mut()
        .zip(&noise)
        .for_each(|(b, e)| *b += 0.3 * norm * size * e);
    b
}

fn set(n: usize, random: &mut Random) -> Set {
    let kind = random.bits() % 6;
    if kind < 3 {
        return Set::NonNegative;
    }
    let mut bounds = || match random.bits() % 8 {
        0 => (f64::NEG_INFINITY, random.normal()),
        1 => (f64::NEG_INFINITY, f64::INFINITY),
        2 => {
            let v = random.normal();
            (v, v)
        }
        3 | 4 => (0.0, f64::INFINITY),
        _ => {
            let (u, v): (f64, f64) = (random.normal(), random.normal());
            (u.min(v), u.max(v))
        }
    };
    let of_all = |bounds: &mut dyn FnMut() -> (f64, f64)| (0..n).map(|_| bounds()).unzip();
    let (lower, upper): (Vec<f64>, Vec<f64>) = of_all(&mut bounds);
    if kind < 5 {
        return Set::Bounds { lower, upper };
    }
    if random.bits().is_multiple_of(2) {
        let (lower, upper) = (vec![0.0; n], vec![f64::INFINITY; n]);
        return Set::Sum { lower, upper, r: 1.0 };
    }
    // a sum that some point between the bounds has
    let inner = |j: usize| match (lower[j].is_finite(), upper[j].is_finite()) {
        (true, true) => 0.5 * (lower[j] + upper[j]),
        (true, false) => lower[j] + 1.0,
        (false, true) => upper[j] - 1.0,
        (false, false) => 0.0,
    };
    let r = (0..n).map(inner).sum();
    Set::Sum { lower, upper, r }
}

/// The problem of a number; `large` ones have 120 to 400 columns, the others 20 to 120.
pub fn case(number: u64, large: bool) -> Case {
    let mut random = Random::new(number ^ 0x5eed_0000_0000);
    let family = FAMILIES[(number % FAMILIES.len() as u64) as usize];
    let single = random.bits().is_multiple_of(3);
    let digits = if single { 8.0 } else { 17.0 };
    let n = if large {
        120 + random.bits() as usize % 281
    } else {
        20 + random.bits() as usize % 101
    };
    let m = match random.bits() % 4 {
        0 => n,
        1 => n / 2,
        2 => 2 * n,
        _ => n / 3 + random.bits() as usize % n,
    };
    let mut a = matrix(family, m, n, digits, &mut random);
    let mut b = right_hand_side(&a, m, digits, &mut random);
    let mut set = set(n, &mut random);
    if single {
        let round = |v: &mut Vec<f64>| v.iter_mut().for_each(|v| *v = f64::from(*v as f32));
        round(&mut a);
        round(&mut b);
        match &mut set {
            Set::NonNegative => {}
            Set::Bounds { lower, upper } => [lower, upper].into_iter().for_each(round),
            Set::Sum { lower, upper, r } => {
                [lower, upper].into_iter().for_each(round);
                *r = f64::from(*r as f32);
            }
        }
    }
    Case {
        family,
        set,
        single,
        m,
        n,
        a,
        b,
    }
}
