//! Problems on which methods lose their way in rounding: columns that depend on each other as far as a number type can tell.

use crate::common::{data, read_npy};
use reparam::bounded::{BoundedLeastSquares, Strategy as BoundedStrategy};
use reparam::nnls::{Nnls, Strategy};
use reparam::operators::Dense;
use reparam::testing::Random;
use reparam::{Solution, Status};

struct Found {
    m: usize,
    n: usize,
    /// Column after column, as the program that found it had it: other orders round otherwise.
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Found {
    fn read(name: &str) -> Self {
        let (shape, rows) = read_npy(&data(&format!("found/{name}/A.npy")));
        let (_, b) = read_npy(&data(&format!("found/{name}/b.npy")));
        let (m, n) = (shape[0], shape[1]);
        let a = (0..m * n).map(|k| rows[k % m * n + k / m]).collect();
        Self { m, n, a, b }
    }

    fn matrix(&self) -> Dense<'_, f64> {
        Dense::column_major(&self.a, self.m, self.n).unwrap()
    }

    fn trivial(&self) -> f64 {
        0.5 * self.b.iter().map(|b| b * b).sum::<f64>()
    }

    /// With all defaults, and by the active set by name: a solution, with f at most `most`.
    fn is_solved(&self, most: f64) {
        let a = self.matrix();
        for strategy in [Strategy::Auto, Strategy::ActiveSet, Strategy::WorkingSet] {
            let s = Nnls::new(&a).strategy(strategy).solve(&self.b).unwrap();
            assert!(s.status.is_solved(), "{strategy:?}: {}", s.status);
            assert!(s.objective <= most, "{strategy:?}: f = {:e}", s.objective);
        }
        let (lower, upper) = (vec![0.0; self.n], vec![f64::INFINITY; self.n]);
        for strategy in [BoundedStrategy::Auto, BoundedStrategy::ActiveSet] {
            let solver = BoundedLeastSquares::new(&a, &lower, &upper).strategy(strategy);
            let s = solver.solve(&self.b).unwrap();
            assert!(s.status.is_solved(), "{strategy:?}: {}", s.status);
            assert!(s.objective <= most, "{strategy:?}: f = {:e}", s.objective);
        }
    }
}

#[test]
fn found_wide_23x46() {
    // (scipy's f is 0.366)
    Found::read("wide_23x46").is_solved(0.3665);
}

#[test]
fn found_wide_62x124() {
    let found = Found::read("wide_62x124");
    found.is_solved(0.999 * found.trivial());
}

/// Any method by name, wherever it ends: never worse than x = 0, nor than the start, and f is that of a point that is handed out.
#[test]
fn no_method_hands_out_less_than_it_began_with() {
    let strategies = [
        Strategy::BlockExchange,
        Strategy::ActiveSet,
        Strategy::CoordinateDescent,
        Strategy::WorkingSet,
        Strategy::LiftedCg,
        Strategy::InteriorPoint,
        Strategy::LeastDistance,
        Strategy::ProjectedCg,
        Strategy::Auto,
    ];
    let mut stalled = 0;
    for name in ["wide_23x46", "wide_62x124"] {
        let found = Found::read(name);
        let a = found.matrix();
        let trivial = found.trivial() * (1.0 + 1e-14);
        // a start that is better than zero
        let start = Nnls::new(&a).max_iterations(3).solve(&found.b).unwrap();
        assert!(start.objective <= trivial);
        for strategy in strategies {
            let solver = Nnls::new(&a).strategy(strategy).max_iterations(2000);
            let cold = solver.solve(&found.b).unwrap();
            let warm = solver.start(&start.x).solve(&found.b).unwrap();
            stalled += usize::from(cold.status == Status::Stalled);
            let worst = |s: &Solution<f64>, most: f64| {
                assert!(
                    s.objective <= most,
                    "{name}, {strategy:?}, {}: {:e} of {most:e}",
                    s.status,
                    s.objective
                );
            };
            worst(&cold, trivial);
            worst(&warm, start.objective * (1.0 + 1e-12));
        }
    }
    assert!(stalled > 0, "no method stalled: nothing was tested");
}

/// The same over bounds, which need not contain zero: never worse than their point nearest to zero.
#[test]
fn no_method_over_bounds_hands_out_less_than_the_point_nearest_to_zero() {
    let strategies = [
        BoundedStrategy::Auto,
        BoundedStrategy::BlockExchange,
        BoundedStrategy::ActiveSet,
        BoundedStrategy::WorkingSet,
        BoundedStrategy::AcceleratedGradient,
    ];
    for (seed, name) in [(1, "wide_23x46"), (2, "wide_62x124")] {
        let found = Found::read(name);
        let a = found.matrix();
        let mut random = Random::new(seed);
        let lower: Vec<f64> = (0..found.n).map(|_| 0.2 * random.normal::<f64>()).collect();
        let upper: Vec<f64> = lower
            .iter()
            .map(|l| {
                if random.uniform::<f64>() < 0.5 {
                    f64::INFINITY
                } else {
                    l + 1.0
                }
            })
            .collect();
        let mut r = found.b.clone();
        for (i, r) in r.iter_mut().enumerate() {
            for j in 0..found.n {
                *r -= found.a[j * found.m + i] * 0.0_f64.max(lower[j]).min(upper[j]);
            }
        }
        let origin = 0.5 * r.iter().map(|r| r * r).sum::<f64>() * (1.0 + 1e-12);
        for strategy in strategies {
            for most in [3, 50, 20_000] {
                let solver = BoundedLeastSquares::new(&a, &lower, &upper);
                let s = solver
                    .strategy(strategy)
                    .max_iterations(most)
                    .solve(&found.b)
                    .unwrap();
                assert!(
                    s.objective <= origin,
                    "{name}, {strategy:?}: {:e} of {origin:e}",
                    s.objective
                );
                if most == 20_000 && strategy == BoundedStrategy::Auto {
                    assert!(s.status.is_solved(), "{name}: {}", s.status);
                }
            }
        }
    }
}

/// Full rank, 2n×n, with a direction v ≥ 0 along which A is shorter by `weak` than elsewhere, and b with a part along A v: that part is most of what f has to lose, and
/// makes a gradient that no tolerance of ρ sees.
fn weak_direction(n: usize, weak: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let m = 2 * n;
    let mut random = Random::new(seed);
    let mut a: Vec<f64> = random.normals(m * n);
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut v: Vec<f64> = random.normals::<f64>(n).iter().map(|v| v.abs()).collect();
    let length = norm(&v);
    v.iter_mut().for_each(|v| *v /= length);
    let mut image = vec![0.0; m];
    for (column, v) in a.chunks_exact(m).zip(&v) {
        image.iter_mut().zip(column).for_each(|(i, a)| *i += a * v);
    }
    for (column, v) in a.chunks_exact_mut(m).zip(&v) {
        column
            .iter_mut()
            .zip(&image)
            .for_each(|(a, i)| *a -= (1.0 - weak) * i * v);
    }
    let mut b: Vec<f64> = random.normals::<f64>(m).iter().map(|v| 0.1 * v).collect();
    let length = norm(&image);
    b.iter_mut().zip(&image).for_each(|(b, i)| *b += 2.0 * i / length);
    for column in a.chunks_exact(m) {
        let x = 0.5 + random.uniform::<f64>();
        b.iter_mut().zip(column).for_each(|(b, a)| *b += x * a);
    }
    (a, b)
}

/// Within the tolerance of ρ, and f far above its minimum: the gap tells, and the solve goes on.
#[test]
fn a_small_residual_is_not_enough_where_the_gap_is_large() {
    for (n, weak, seed) in [(393, 1e-6, 1), (300, 1e-7, 2), (250, 3e-8, 3)] {
        let (data, b) = weak_direction(n, weak, seed);
        let a = Dense::column_major(&data, 2 * n, n).unwrap();
        let exact = Nnls::new(&a).strategy(Strategy::ActiveSet).solve(&b).unwrap();
        assert!(
            exact.status.is_solved() && exact.certificate.gap <= 0.01 * exact.objective,
            "{n}: {exact}"
        );
        let s = Nnls::new(&a).solve(&b).unwrap();
        assert!(s.status.is_solved(), "{n}: {}", s.status);
        assert!(
            s.objective <= 1.01 * exact.objective && s.certificate.gap <= 0.02 * s.objective,
            "{n}: f = {:e}, the minimum {:e}, gap {:e}",
            s.objective,
            exact.objective,
            s.certificate.gap
        );
        let (lower, upper) = (vec![0.0; n], vec![f64::INFINITY; n]);
        let s = BoundedLeastSquares::new(&a, &lower, &upper).solve(&b).unwrap();
        assert!(
            s.status.is_solved() && s.objective <= 1.01 * exact.objective,
            "{n}, bounds: {}, f = {:e}, the minimum {:e}",
            s.status,
            s.objective,
            exact.objective
        );
    }
}

/// Conjugate gradients give a small gap for well-conditioned problems, without a factorisation.
#[test]
fn conjugate_gradients_prove_their_own_gap() {
    for (m, n, seed) in [(600, 400, 1), (786, 393, 2), (900, 300, 3)] {
        let mut random = Random::new(seed);
        let b: Vec<f64> = random.normals(m);
        let data: Vec<f64> = random.normals(m * n);
        let a = Dense::column_major(&data, m, n).unwrap();
        let s = Nnls::new(&a).solve(&b).unwrap();
        assert!(
            s.status.is_solved() && s.counts.factorisations == 0,
            "{}",
            s.status
        );
        assert!(
            s.certificate.gap <= 1e-6 * s.objective,
            "gap {:e} of f = {:e}",
            s.certificate.gap,
            s.objective
        );
        let (lower, upper) = (vec![0.0; n], vec![f64::INFINITY; n]);
        let s = BoundedLeastSquares::new(&a, &lower, &upper).solve(&b).unwrap();
        assert!(
            s.certificate.gap <= 1e-6 * s.objective,
            "bounds: gap {:e} of f = {:e}",
            s.certificate.gap,
            s.objective
        );
    }
}
