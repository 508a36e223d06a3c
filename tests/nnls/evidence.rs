//! What "solved" and the bound of ρ's rounding error claim, judged in twice the precision.

use crate::differential::exact::{Sum, Worth, non_negative, worth};
use nalgebra::DMatrix;
use reparam::bounded::Strategy as BoundedStrategy;
use reparam::nnls::Strategy;
use reparam::operators::{Dense, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, LinalgScalar, Nnls, Solution};

fn widened<T: LinalgScalar>(v: &[T]) -> Vec<f64> {
    v.iter().map(|v| v.as_f64()).collect()
}

/// ρ is what the solution says up to its bound, at every status, and a solution is one.
fn check<T: LinalgScalar>(s: &Solution<T>, exact: &Worth, tolerance: f64, what: &str) {
    let c = &s.certificate;
    let claimed = c.natural_residual.as_f64() + c.natural_residual_error.as_f64();
    assert!(
        exact.rho <= claimed || !claimed.is_finite(),
        "{what}: ρ = {:e}, claimed {:e} + {:e}",
        exact.rho,
        c.natural_residual,
        c.natural_residual_error
    );
    assert!(
        !s.status.is_solved() || (exact.rho <= tolerance && claimed <= tolerance),
        "{what}: solved, ρ = {:e} of {claimed:e}",
        exact.rho
    );
}

#[derive(Default)]
struct Tally {
    problems: usize,
    solved: usize,
}

impl Tally {
    fn count(&mut self, solved: bool) {
        self.problems += 1;
        self.solved += usize::from(solved);
    }
}

/// Columns in pairs a, −λ a + distance · noise, each pair at its own distance of 1e-8 to 1e-15; b random, or what x of size 1 gives.
fn opposite_pairs(m: usize, pairs: usize, random: &mut Random) -> (Vec<f64>, Vec<f64>) {
    let mut a = Vec::new();
    for _ in 0..pairs {
        let column: Vec<f64> = random.normals(m);
        let distance = 10.0_f64.powi(-8 - (random.bits() % 8) as i32);
        let ratio = if random.bits().is_multiple_of(2) {
            1.0
        } else {
            random.uniform::<f64>() + 0.5
        };
        let noise: Vec<f64> = random.normals(m);
        a.extend_from_slice(&column);
        a.extend(column.iter().zip(&noise).map(|(v, e)| distance * e - ratio * v));
    }
    (a, random.normals(m))
}

/// Rows of size 10^−k.
fn graded_rows(m: usize, n: usize, decades: f64, random: &mut Random) -> (Vec<f64>, Vec<f64>) {
    let row = |i: usize| 10.0_f64.powf(-decades * i as f64 / (m - 1) as f64);
    let a = random.normals::<f64>(m * n);
    let a: Vec<f64> = a.iter().enumerate().map(|(k, v)| v * row(k % m)).collect();
    let b: Vec<f64> = random
        .normals::<f64>(m)
        .iter()
        .enumerate()
        .map(|(i, v)| v * row(i))
        .collect();
    (a, b)
}

/// The two columns of a stranger's report: plain sums say ρ = 0 at an x where it is 4.5e-4.
#[test]
fn two_columns_opposite_to_each_other() {
    let a = [
        -0.6666666666666666,
        0.6666666666666666,
        0.6666666666660603,
        -0.6666666666662154,
    ];
    let b = [-1.0, -0.5];
    for strategy in [Strategy::Auto, Strategy::ActiveSet, Strategy::BlockExchange] {
        let s = Nnls::new(&Dense::column_major(&a, 2, 2).unwrap())
            .strategy(strategy)
            .solve(&b)
            .unwrap();
        check(&s, &non_negative(&a, &b, &s.x), 1e-8, &format!("{strategy:?}"));
    }
}

#[test]
fn pairs_of_opposite_columns() {
    let mut tally = Tally::default();
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let pairs = 1 + random.bits() as usize % if seed.is_multiple_of(20) { 20 } else { 5 };
        let m = 2 + random.bits() as usize % (2 * pairs + 4);
        let (a, b) = opposite_pairs(m, pairs, &mut random);
        let view = Dense::column_major(&a, m, 2 * pairs).unwrap();
        let s = Nnls::new(&view).solve(&b).unwrap();
        check(&s, &non_negative(&a, &b, &s.x), 1e-8, &format!("seed {seed}"));
        tally.count(s.status.is_solved());
    }
    println!("{} of {} solved", tally.solved, tally.problems);
}

#[test]
fn rows_scaled_by_decades() {
    let mut tally = Tally::default();
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let (n, decades) = ([20, 60, 121][seed as usize % 3], 4.0 + (seed % 12) as f64);
        let (a, b) = graded_rows(n, n, decades, &mut random);
        let s = Nnls::new(&Dense::column_major(&a, n, n).unwrap())
            .solve(&b)
            .unwrap();
        check(
            &s,
            &non_negative(&a, &b, &s.x),
            1e-8,
            &format!("seed {seed}, {n}×{n}"),
        );
        tally.count(s.status.is_solved());
    }
    println!("{} of {} solved", tally.solved, tally.problems);
}

/// Families in `f32`: in the storage of each, and where a pass is long.
#[test]
fn single_precision() {
    let mut tally = Tally::default();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let (m, n) = match seed % 25 {
            0 => (600, 120),
            1 => (150, 150),
            _ => (1 + random.bits() as usize % 40, 1 + random.bits() as usize % 40),
        };
        let (a, b) = match seed % 5 {
            0 => (random.normals(m * n), random.normals(m)),
            1 => (
                (0..m * n).map(|_| random.uniform()).collect(),
                (0..m).map(|_| random.uniform()).collect(),
            ),
            2 => {
                let (a, b) = graded_rows(m.max(2), n, 5.0, &mut random);
                (a, b)
            }
            3 => {
                let (mut a, b) = opposite_pairs(m, n.div_ceil(2), &mut random);
                a.truncate(m * n);
                // (distances of 1e-8 vanish in this precision: coarser ones)
                a.iter_mut().for_each(|v| *v += 1e-5 * random.normal::<f64>());
                (a, b)
            }
            _ => {
                let (noise, common): (Vec<f64>, Vec<f64>) = (random.normals(m * n), random.normals(m));
                let a = noise
                    .iter()
                    .enumerate()
                    .map(|(k, v)| 1e-4 * v + common[k % m])
                    .collect();
                (a, random.normals(m))
            }
        };
        let m = b.len();
        let a: Vec<f32> = a.iter().map(|v: &f64| *v as f32).collect();
        let b: Vec<f32> = b.iter().map(|v: &f64| *v as f32).collect();
        let by_rows: Vec<f32> = (0..m * n).map(|k| a[(k % n) * m + k / n]).collect();
        let entries: Vec<(usize, usize, f32)> = (0..m * n).map(|k| (k % m, k / m, a[k])).collect();
        let sparse = SparseColumns::from_triplets(m, n, &entries).unwrap();
        let answers = [
            Nnls::new(&Dense::column_major(&a, m, n).unwrap()).solve(&b),
            Nnls::new(&Dense::row_major(&by_rows, m, n).unwrap()).solve(&b),
            Nnls::new(&sparse)
                .strategy(Strategy::WorkingSet)
                .max_iterations(20_000)
                .solve(&b),
        ];
        for (k, s) in answers.into_iter().enumerate() {
            let s = s.unwrap();
            let exact = non_negative(&widened(&a), &widened(&b), &widened(&s.x));
            check(&s, &exact, 1e-4, &format!("seed {seed}, {m}×{n}, storage {k}"));
            tally.count(s.status.is_solved());
        }
    }
    println!("{} of {} solved", tally.solved, tally.problems);
}

/// Bounds, one coordinate fixed at a huge value; and with a sum over some coordinates.
#[test]
fn a_coordinate_fixed_far_away() {
    let mut tally = Tally::default();
    for seed in 0..240 {
        let mut random = Random::new(seed);
        let (m, n) = (2 + random.bits() as usize % 10, 2 + random.bits() as usize % 8);
        let a: Vec<f64> = random.normals(m * n);
        let b: Vec<f64> = random.normals(m);
        let huge = 5.6 * 10.0_f64.powi([0, 3, 6, 9, 12][seed as usize % 5]);
        let (mut lower, mut upper) = (vec![-huge * 10.0; n], vec![huge * 10.0; n]);
        for j in 0..n {
            if random.bits().is_multiple_of(3) {
                lower[j] = 0.0;
            }
        }
        (lower[0], upper[0]) = (huge, huge);
        let view = Dense::column_major(&a, m, n).unwrap();
        let with_sum = seed % 2 == 1 && n > 2;
        let mut solver = BoundedLeastSquares::new(&view, &lower, &upper);
        let sum = Sum {
            part: (0..n).map(|j| j > 0).collect(),
            total: 1.5,
        };
        if with_sum {
            let part: Vec<usize> = (1..n).collect();
            solver = solver.sum_over(&part, sum.total);
        }
        let s = solver.strategy(BoundedStrategy::Auto).solve(&b).unwrap();
        let exact = worth(&a, &b, &s.x, &lower, &upper, with_sum.then_some(&sum));
        check(&s, &exact, 1e-8, &format!("seed {seed}"));
        tally.count(s.status.is_solved());
    }
    println!("{} of {} solved", tally.solved, tally.problems);
}

/// Sums and bounds of moderate size, in both precisions: the multiplier of the sum carries rounding, too.
#[test]
fn bounds_and_a_sum() {
    fn one<T: LinalgScalar>(seed: u64, tolerance: f64) -> bool {
        let mut random = Random::new(seed);
        let (m, n) = (1 + random.bits() as usize % 30, 2 + random.bits() as usize % 30);
        let scale: Vec<f64> = (0..n)
            .map(|_| {
                10.0_f64.powi(if seed.is_multiple_of(3) {
                    (random.bits() % 7) as i32 - 3
                } else {
                    0
                })
            })
            .collect();
        let a: Vec<T> = random
            .normals::<f64>(m * n)
            .iter()
            .enumerate()
            .map(|(k, v)| T::lit(v * scale[k / m]))
            .collect();
        let b: Vec<T> = random.normals(m);
        let lower: Vec<T> = (0..n)
            .map(|_| {
                T::lit(if random.bits().is_multiple_of(3) {
                    -0.25
                } else {
                    0.0
                })
            })
            .collect();
        let upper: Vec<T> = (0..n)
            .map(|_| {
                if random.bits().is_multiple_of(2) {
                    T::lit(0.75)
                } else {
                    T::infinity()
                }
            })
            .collect();
        let view = Dense::column_major(&a, m, n).unwrap();
        let part: Vec<usize> = (0..n).filter(|j| j % 4 != 3).collect();
        let with_sum = !seed.is_multiple_of(4);
        let mut solver = BoundedLeastSquares::new(&view, &lower, &upper);
        if with_sum {
            solver = solver.sum_over(&part, T::lit(1.25));
        }
        let s = solver.solve(&b).unwrap();
        let sum = Sum {
            part: (0..n).map(|j| j % 4 != 3).collect(),
            total: 1.25,
        };
        let sum = with_sum.then_some(&sum);
        let exact = worth(
            &widened(&a),
            &widened(&b),
            &widened(&s.x),
            &widened(&lower),
            &widened(&upper),
            sum,
        );
        check(&s, &exact, tolerance, &format!("seed {seed}"));
        s.status.is_solved()
    }
    let (mut double, mut single) = (Tally::default(), Tally::default());
    for seed in 0..600 {
        double.count(one::<f64>(seed, 1e-8));
        single.count(one::<f32>(seed, 1e-4));
    }
    println!(
        "{} and {} of {} solved",
        double.solved, single.solved, single.problems
    );
}

/// Where plain sums settle the claim, the bound is small: γ_k with k of the order of the matrix.
#[test]
fn the_bound_is_small_on_ordinary_problems() {
    let mut random = Random::new(7);
    let (m, n) = (60, 30);
    let a: Vec<f64> = random.normals(m * n);
    let b: Vec<f64> = random.normals(m);
    let s = Nnls::new(&Dense::column_major(&a, m, n).unwrap())
        .solve(&b)
        .unwrap();
    let error = s.certificate.natural_residual_error;
    assert!(error > 0.0 && error < 1e-13, "{error:e}");
    // of products no bound is known but the one assumed
    let view = Dense::column_major(&a, m, n).unwrap();
    let products = MatrixFree::new(
        m,
        n,
        |x: &[f64], y: &mut [f64]| reparam::operators::LinearOperator::apply(&view, x, y),
        |y: &[f64], x: &mut [f64]| reparam::operators::LinearOperator::apply_adjoint(&view, y, x),
    );
    let s = Nnls::new(&products)
        .strategy(Strategy::LiftedCg)
        .solve(&b)
        .unwrap();
    assert!(s.status.is_solved() && s.certificate.natural_residual_error < 1e-13);
}

/// A zero column does not change f, however large the sum makes its coordinate.
#[test]
fn a_zero_column_far_away_is_no_doubt() {
    let b = [0.7, -0.9, 0.6];
    for size in [1.0, 2.0_f64.powi(74)] {
        let a = DMatrix::<f64>::zeros(3, 1);
        let (lower, upper) = ([-3.0 * size], [-1.3 * size]);
        let s = BoundedLeastSquares::new(&a, &lower, &upper)
            .sum(-1.3 * size)
            .solve(&b)
            .unwrap();
        assert!(s.status.is_solved() && s.x == upper, "{s}");
        // beside a column that has a say
        let a = DMatrix::from_row_slice(3, 2, &[1.0, 0.0, 2.0, 0.0, 0.5, 0.0]);
        let (lower, upper) = ([0.0, -3.0 * size], [1.0, -1.3 * size]);
        let s = BoundedLeastSquares::new(&a, &lower, &upper)
            .sum_over(&[1], -1.3 * size)
            .solve(&b)
            .unwrap();
        assert!(s.status.is_solved() && s.x == [0.0, upper[1]], "{s}");
    }
}
