//! The gap is a bound: finite, never below the truth, and near it on benign problems.
//!
//! The problems are made of small integers around a known minimiser x* with residual r* and multipliers h* = Aᵀr*, so that
//!
//! ```text
//! f(x) − min f = h*ᵀ(x − x*) + ½‖A(x − x*)‖²
//! ```
//!
//! is a sum of terms that are not negative, known to the last digits at every feasible x.

use nalgebra::DMatrix;
use reparam::bounded::Strategy;
use reparam::operators::SparseColumns;
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, Limits, LinalgScalar, Nnls, Solution};

const INF: f64 = f64::INFINITY;

/// Which bounds coordinates have.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    NonNegative,
    Upper,
    Free,
    Boxed,
}

struct Case {
    m: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    lo: Vec<f64>,
    hi: Vec<f64>,
    sum: Option<(Vec<usize>, f64)>,
    x: Vec<f64>,
    /// Multipliers of the bounds, and of the sum.
    h: Vec<f64>,
    lambda: f64,
    least: f64,
}

fn whole(random: &mut Random, from: i32, to: i32) -> f64 {
    f64::from(from) + (random.uniform::<f64>() * f64::from(to - from + 1)).floor()
}

/// A problem with the coordinates of these kinds, of which at most `most` lie between their bounds; `share` of the entries are not zero.
fn case(random: &mut Random, m: usize, kinds: &[Kind], with_sum: bool, most: usize, share: f64) -> Case {
    let n = kinds.len();
    let mut r: Vec<f64> = (0..m).map(|_| whole(random, -3, 3)).collect();
    r[m - 1] = 1.0;
    let members: Vec<usize> = if with_sum {
        (0..n).filter(|j| j % 3 != 2).collect()
    } else {
        vec![]
    };
    let lambda = if with_sum { whole(random, -4, 4) } else { 0.0 };
    let (mut a, mut x, mut h) = (vec![0.0; m * n], vec![0.0; n], vec![0.0; n]);
    let (mut lo, mut hi) = (vec![-INF; n], vec![INF; n]);
    let mut between = kinds.iter().filter(|k| **k == Kind::Free).count();
    for j in 0..n {
        x[j] = whole(random, -5, 5);
        let rests = kinds[j] != Kind::Free && (between >= most || random.uniform::<f64>() < 0.5);
        if !rests && kinds[j] != Kind::Free {
            between += 1;
        }
        let (below, above) = (whole(random, 1, 4), whole(random, 1, 4));
        let at_upper = kinds[j] == Kind::Upper || (kinds[j] == Kind::Boxed && random.uniform::<f64>() < 0.5);
        match kinds[j] {
            Kind::Free => {}
            Kind::NonNegative => {
                lo[j] = 0.0;
                x[j] = if rests { 0.0 } else { x[j].abs() + 1.0 };
            }
            Kind::Upper => hi[j] = x[j] + if rests { 0.0 } else { above },
            Kind::Boxed => {
                lo[j] = x[j] - if rests && !at_upper { 0.0 } else { below };
                hi[j] = x[j] + if rests && at_upper { 0.0 } else { above };
            }
        }
        if rests {
            h[j] = if at_upper {
                -whole(random, 1, 5)
            } else {
                whole(random, 1, 5)
            };
        }
        let column = &mut a[j * m..(j + 1) * m];
        let mut last = h[j] + if members.contains(&j) { lambda } else { 0.0 };
        for i in 0..m - 1 {
            if random.uniform::<f64>() < share {
                column[i] = whole(random, -4, 4);
            }
            last -= column[i] * r[i];
        }
        column[m - 1] = last;
    }
    let b = (0..m)
        .map(|i| (0..n).map(|j| a[j * m + i] * x[j]).sum::<f64>() - r[i])
        .collect();
    let sum = with_sum.then(|| {
        let total = members.iter().map(|j| x[*j]).sum();
        (members, total)
    });
    let least = 0.5 * r.iter().map(|v| v * v).sum::<f64>();
    Case {
        m,
        a,
        b,
        lo,
        hi,
        sum,
        x,
        h,
        lambda,
        least,
    }
}

impl Case {
    /// f(x) − min f
    fn excess(&self, x: &[f64]) -> f64 {
        let d: Vec<f64> = x.iter().zip(&self.x).map(|(x, y)| x - y).collect();
        let mut linear: f64 = self.h.iter().zip(&d).map(|(h, d)| h * d).sum();
        if let Some((members, _)) = &self.sum {
            linear += self.lambda * members.iter().map(|j| d[*j]).sum::<f64>();
        }
        let image = |i: usize| (0..d.len()).map(|j| self.a[j * self.m + i] * d[j]).sum::<f64>();
        linear + 0.5 * (0..self.m).map(|i| image(i) * image(i)).sum::<f64>()
    }

    fn half_b(&self) -> f64 {
        0.5 * self.b.iter().map(|v| v * v).sum::<f64>()
    }

    /// The solution by a strategy, from a dense or a sparse matrix.
    fn solve<T: LinalgScalar>(
        &self,
        strategy: Strategy,
        tolerance: f64,
        limit: Option<usize>,
        sparse: bool,
    ) -> Solution<T> {
        let cast = |v: &[f64]| v.iter().map(|x| T::lit(*x)).collect::<Vec<T>>();
        let n = self.x.len();
        let (a, b) = (DMatrix::from_vec(self.m, n, cast(&self.a)), cast(&self.b));
        let limits = Limits {
            iterations: limit,
            ..Limits::default()
        };
        macro_rules! solve {
            ($a:expr) => {{
                let mut problem = BoundedLeastSquares::new($a, &cast(&self.lo), &cast(&self.hi));
                if let Some((members, r)) = &self.sum {
                    problem = problem.sum_over(members, T::lit(*r));
                }
                problem
                    .strategy(strategy)
                    .tolerance(T::lit(tolerance))
                    .limits(limits)
                    .solve(&b)
                    .unwrap()
            }};
        }
        if sparse {
            let entries: Vec<(usize, usize, T)> = (0..self.m * n)
                .filter(|k| self.a[*k] != 0.0)
                .map(|k| (k % self.m, k / self.m, T::lit(self.a[k])))
                .collect();
            let a = SparseColumns::from_triplets(self.m, n, &entries).unwrap();
            solve!(&a)
        } else {
            solve!(&a)
        }
    }
}

/// Finite and not below the truth, of f at x and of the objective that is reported; what it says in units of ½‖b‖² and of the truth.
fn check<T: LinalgScalar>(c: &Case, s: &Solution<T>, told: &str) -> (f64, f64) {
    let x: Vec<f64> = s.x.iter().map(|v| v.as_f64()).collect();
    let (gap, truth) = (s.certificate.gap.as_f64(), c.excess(&x));
    assert!(gap.is_finite(), "{told}: {s}");
    assert!(gap >= truth, "{told}: gap {gap:e}, f − f* = {truth:e}\n{s}");
    let reported = s.objective.as_f64() - c.least;
    assert!(gap >= reported, "{told}: gap {gap:e}, reported {reported:e}\n{s}");
    // f is a bound
    let rounding = 1e5 * T::epsilon().as_f64() * (c.half_b() + 0.5).sqrt();
    let f = s.objective.as_f64();
    assert!(
        gap <= f * (1.0 + 1e-10) + rounding * f.sqrt(),
        "{told}: gap {gap:e}\n{s}"
    );
    (gap, truth)
}

fn kinds(random: &mut Random, n: usize, free: usize) -> Vec<Kind> {
    (0..n)
        .map(|j| match (j < free, random.uniform::<f64>()) {
            (true, _) => Kind::Free,
            (_, u) if u < 0.5 => Kind::NonNegative,
            (_, u) if u < 0.7 => Kind::Upper,
            _ => Kind::Boxed,
        })
        .collect()
}

#[test]
fn finite_and_true_over_every_mixture_of_bounds() {
    let mut random = Random::new(1801);
    for round in 0..240 {
        let m = 4 + round % 23;
        let n = 2 + (7 * round) % 31;
        let free = if round % 2 == 0 { (round / 2) % 4 } else { 0 };
        let free = free.min(n).min(m / 2);
        let kinds = kinds(&mut random, n, free);
        let sparse = round % 3 == 1;
        let share = if sparse { 0.3 } else { 1.0 };
        let with_sum = round % 5 >= 3 && n > 2;
        let c = case(&mut random, m, &kinds, with_sum, (2 * m / 3).max(free), share);
        for (strategy, tolerance, limit) in [
            (Strategy::Auto, 1e-8, None),
            (Strategy::ActiveSet, 1e-8, None),
            (Strategy::AcceleratedGradient, 1e-3, None),
            (Strategy::Auto, 1e-8, Some(1)),
        ] {
            let told = format!("round {round}, {m}×{n}, {strategy:?}, {limit:?}, sum {with_sum}, {kinds:?}");
            let s = c.solve::<f64>(strategy, tolerance, limit, sparse);
            let (gap, _) = check(&c, &s, &told);
            if s.status.is_solved() && tolerance < 1e-4 {
                assert!(
                    gap <= 1e-9 * c.half_b(),
                    "{told}: gap {gap:e} of {:e}\n{s}",
                    c.half_b()
                );
            }
            let s = c.solve::<f32>(strategy, tolerance.max(1e-4), limit, sparse);
            check(&c, &s, &told);
        }
    }
}

/// A rough answer: the gap is within a factor of the truth, not only a bound.
#[test]
fn rough_answers_have_gaps_of_their_size() {
    let mut random = Random::new(1802);
    for round in 0..30 {
        let (m, n, free) = (60, 30, round % 3);
        let kinds = kinds(&mut random, n, free);
        let c = case(&mut random, m, &kinds, round % 2 == 1, 20, 1.0);
        let s = c.solve::<f64>(Strategy::AcceleratedGradient, 1e-4, None, false);
        let (gap, truth) = check(&c, &s, &format!("round {round}"));
        assert!(
            gap <= 10.0 * truth + 0.3 * c.least,
            "round {round}: gap {gap:e}, truth {truth:e}, f* = {:e}\n{s}",
            c.least
        );
    }
}

/// x ≥ 0 through both interfaces, and a free variable as the difference of two.
#[test]
fn both_interfaces_and_opposite_columns() {
    let mut random = Random::new(1803);
    for round in 0..60 {
        let (m, n) = (6 + round % 40, 3 + (5 * round) % 25);
        let orthant = case(&mut random, m, &vec![Kind::NonNegative; n], false, 2 * m / 3, 1.0);
        let a = DMatrix::from_column_slice(m, n, &orthant.a);
        let told = format!("round {round}, {m}×{n}");
        let (ours, _) = check(&orthant, &Nnls::new(&a).solve(&orthant.b).unwrap(), &told);
        let s = orthant.solve::<f64>(Strategy::Auto, 1e-8, None, false);
        let (other, _) = check(&orthant, &s, &told);
        let small = 1e-10 * orthant.half_b();
        assert!(
            ours <= small && other <= small,
            "{told}: {ours:e}, {other:e} of {small:e}"
        );

        // columns (A, −A) over x ≥ 0 are free coordinates
        let k = n.min(m / 2);
        let c = case(&mut random, m, &vec![Kind::Free; k], false, k, 1.0);
        let mut wide = c.a.clone();
        wide.extend(c.a.iter().map(|v| -v));
        let a = DMatrix::from_column_slice(m, 2 * k, &wide);
        for s in [
            Nnls::new(&a).solve(&c.b).unwrap(),
            BoundedLeastSquares::new(&a, &vec![0.0; 2 * k], &vec![INF; 2 * k])
                .solve(&c.b)
                .unwrap(),
        ] {
            let x: Vec<f64> = (0..k).map(|j| s.x[j] - s.x[k + j]).collect();
            let (gap, truth) = (s.certificate.gap, c.excess(&x));
            assert!(
                gap >= truth && gap >= s.objective - c.least,
                "{told}: {gap:e}, {truth:e}\n{s}"
            );
            assert!(gap <= 1e-9 * c.half_b(), "{told}: {gap:e}\n{s}");
        }
    }
}
