//! Small problems of many kinds, one for each number.

use reparam::testing::Random;

/// min ½‖A x − b‖² over x ≥ 0, in the units handed to the solver under test and (what the judge and the other solvers see) with
/// columns and b near 1: `a[j]` = `scaled[j]` 2^`shifts[j]`, `b` = `scaled_b` 2^`shift_b`, exactly.
#[derive(Debug)]
pub struct Problem {
    pub kind: &'static str,
    pub m: usize,
    pub n: usize,
    /// Column after column.
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub scaled: Vec<f64>,
    pub scaled_b: Vec<f64>,
    pub shifts: Vec<i32>,
    pub shift_b: i32,
}

pub const KINDS: [&str; 16] = [
    "Gaussian",
    "uniform",
    "integers",
    "zeros and ones",
    "exponentials",
    "low rank",
    "equal columns",
    "almost equal columns",
    "proportional columns",
    "zero columns",
    "mean 20",
    "sparse",
    "Hilbert",
    "Vandermonde",
    "graded rows",
    "one direction",
];

fn fill(kind: &str, m: usize, n: usize, random: &mut Random) -> Vec<f64> {
    let mut a: Vec<f64> = random.normals(m * n);
    let at = |f: &dyn Fn(usize, usize) -> f64| (0..m * n).map(|k| f(k % m, k / m)).collect::<Vec<f64>>();
    match kind {
        "uniform" => a = (0..m * n).map(|_| random.uniform()).collect(),
        "integers" => a.iter_mut().for_each(|v| *v = (1.5 * *v).round()),
        "zeros and ones" => {
            a = (0..m * n)
                .map(|_| f64::from(u8::from(random.bits().is_multiple_of(2))))
                .collect();
        }
        "exponentials" => a = at(&|i, j| (-(i as f64) * 0.3 * 1.5_f64.powi(j as i32 - 4)).exp()),
        "low rank" => {
            let rank = 1 + random.bits() as usize % m.min(n);
            let (left, right): (Vec<f64>, Vec<f64>) = (random.normals(m * rank), random.normals(n * rank));
            a = at(&|i, j| (0..rank).map(|k| left[k * m + i] * right[k * n + j]).sum());
        }
        "equal columns" | "almost equal columns" | "proportional columns" => {
            let distance = 10.0_f64.powi(-((random.bits() % 17) as i32));
            for j in 1..n {
                let from = random.bits() as usize % j;
                let factor = if kind == "proportional columns" {
                    random.normal::<f64>()
                } else {
                    1.0
                };
                if !random.bits().is_multiple_of(3) {
                    for i in 0..m {
                        let noise = if kind == "almost equal columns" {
                            distance * random.normal::<f64>()
                        } else {
                            0.0
                        };
                        a[j * m + i] = factor * a[from * m + i] + noise;
                    }
                }
            }
        }
        "zero columns" => {
            for column in a.chunks_exact_mut(m) {
                if random.bits().is_multiple_of(3) {
                    column.fill(0.0);
                }
            }
        }
        "mean 20" => a.iter_mut().for_each(|v| *v += 20.0),
        "sparse" => a.iter_mut().for_each(|v| {
            if !random.bits().is_multiple_of(4) {
                *v = 0.0;
            }
        }),
        "Hilbert" => a = at(&|i, j| 1.0 / (i + j + 1) as f64),
        "Vandermonde" => a = at(&|i, j| ((i + 1) as f64 / m as f64).powi(j as i32)),
        "graded rows" => {
            for (k, v) in a.iter_mut().enumerate() {
                *v *= 10.0_f64.powi(-((k % m) as i32 % 9));
            }
        }
        "one direction" => {
            let distance = 10.0_f64.powi(-((random.bits() % 9) as i32));
            let common: Vec<f64> = random.normals(m);
            a.iter_mut()
                .enumerate()
                .for_each(|(k, v)| *v = distance * *v + common[k % m]);
        }
        _ => {}
    }
    a
}

/// b in the cone (at its boundary, or nearly in it), random, opposite to every column, tiny beside A x, or zero.
fn right_hand_side(a: &[f64], m: usize, random: &mut Random) -> Vec<f64> {
    let n = a.len() / m;
    let noise = match random.bits() % 5 {
        0 => 0.0,
        1 => 1e-12,
        2 => 1e-6,
        _ => 0.1,
    };
    let dense = random.bits().is_multiple_of(2);
    let mut b = vec![0.0; m];
    match random.bits() % 8 {
        0 => b = random.normals(m),
        1 => {
            for column in a.chunks_exact(m) {
                b.iter_mut().zip(column).for_each(|(b, a)| *b -= a);
            }
        }
        2 if random.bits().is_multiple_of(8) => {}
        choice => {
            for column in a.chunks_exact(m) {
                let x = if dense || random.bits().is_multiple_of(2) {
                    random.normal::<f64>().abs()
                } else {
                    0.0
                };
                // (small integers: exact ties, b on the boundary of faces)
                let x = if choice == 3 { x.round() } else { x };
                b.iter_mut().zip(column).for_each(|(b, a)| *b += x * a);
            }
            if choice == 4 && n > 1 {
                // across a face: what is left after the first column is taken out of b
                let c: f64 = a[..m].iter().map(|v| v * v).sum();
                let d: f64 = a[..m].iter().zip(&b).map(|(a, b)| a * b).sum();
                if c > 0.0 {
                    b.iter_mut().zip(a).for_each(|(b, a)| *b -= d / c * a);
                }
            }
            b.iter_mut().for_each(|b| *b += noise * random.normal::<f64>());
        }
    }
    b
}

fn exponent(v: &[f64]) -> i32 {
    let largest = v.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        0
    } else {
        largest.log2().floor() as i32
    }
}

pub fn problem(number: u64) -> Problem {
    let mut random = Random::new(number);
    let kind = KINDS[(number % KINDS.len() as u64) as usize];
    let (m, n) = (1 + random.bits() as usize % 16, 1 + random.bits() as usize % 12);
    let mut scaled = fill(kind, m, n, &mut random);
    let mut scaled_b = right_hand_side(&scaled, m, &mut random);
    let reach = [0, 0, 0, 3, 20, 60, 200][random.bits() as usize % 7];
    let mut shift = || random.bits() as i32 % (reach + 1) - (random.bits() as i32 % (reach + 1));
    let (mut shifts, mut shift_b): (Vec<i32>, i32) = ((0..n).map(|_| shift()).collect(), shift());
    // what the generator made of other size than 1 belongs to the shifts
    for (column, s) in scaled.chunks_exact_mut(m).zip(&mut shifts) {
        let e = exponent(column);
        column.iter_mut().for_each(|v| *v *= 2.0_f64.powi(-e));
        *s += e;
    }
    let e = exponent(&scaled_b);
    scaled_b.iter_mut().for_each(|v| *v *= 2.0_f64.powi(-e));
    shift_b += e;
    let a = (0..m * n)
        .map(|k| scaled[k] * 2.0_f64.powi(shifts[k / m]))
        .collect();
    let b = scaled_b.iter().map(|v| v * 2.0_f64.powi(shift_b)).collect();
    Problem {
        kind,
        m,
        n,
        a,
        b,
        scaled,
        scaled_b,
        shifts,
        shift_b,
    }
}
