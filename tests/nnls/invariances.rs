//! What must not change the answer: the unit of A, b, a column or the bounds, the order in which A is stored, the order of its
//! columns and rows, the number type. Powers of two change no mantissa: where nothing leaves the number type the scaled problem
//! has the scaled answer, bit for bit. The table of what holds exactly and what to rounding: docs/faults.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use reparam::bounded::Strategy as Choice;
use reparam::maps::{Bounds, NormalizedSquares, Squares};
use reparam::nnls::Strategy;
use reparam::objectives::LeastSquares;
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, Error, Minimize, Nnls, Solution, Status};

/// m×n, row after row; half of the coordinates of the answer end on a bound.
#[derive(Clone)]
struct Problem {
    a: Vec<f64>,
    b: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    m: usize,
    n: usize,
}

impl Problem {
    fn new(seed: u64, m: usize, n: usize) -> Self {
        let mut random = Random::new(seed);
        let a: Vec<f64> = random.normals(m * n);
        let truth: Vec<f64> = random.normals(n);
        let b = (0..m)
            .map(|i| (0..n).map(|j| a[i * n + j] * truth[j]).sum::<f64>() + 0.3 * random.normal::<f64>())
            .collect();
        let low = (0..n).map(|j| -0.1 * (1.0 + (j % 3) as f64)).collect();
        let high = (0..n).map(|j| 0.2 * (1.0 + (j % 4) as f64)).collect();
        Self {
            a,
            b,
            low,
            high,
            m,
            n,
        }
    }

    /// The families: x ≥ 0, bounds, a simplex of this size.
    fn solve(&self, family: Family, radius: f64) -> Result<Solution<f64>, Error> {
        self.solve_as(
            &Dense::row_major(&self.a, self.m, self.n).unwrap(),
            family,
            radius,
        )
    }

    fn solve_as<A: LinearOperator<f64>>(
        &self,
        a: &A,
        family: Family,
        radius: f64,
    ) -> Result<Solution<f64>, Error> {
        match family {
            Family::Nnls(strategy) => Nnls::new(a).strategy(strategy).solve(&self.b),
            Family::Bounds => BoundedLeastSquares::new(a, &self.low, &self.high).solve(&self.b),
            Family::BoundsBy(choice) => BoundedLeastSquares::new(a, &self.low, &self.high)
                .strategy(choice)
                .solve(&self.b),
            Family::Simplex => BoundedLeastSquares::simplex(a, radius).solve(&self.b),
        }
    }

    /// A·2^on_a[j] column by column, b·2^on_b, the bounds in the units of x.
    fn scaled(&self, on_a: impl Fn(usize) -> i32, on_b: i32) -> Self {
        let mut other = self.clone();
        for (k, v) in other.a.iter_mut().enumerate() {
            *v = times(*v, on_a(k % self.n));
        }
        other.b.iter_mut().for_each(|v| *v = times(*v, on_b));
        for j in 0..self.n {
            other.low[j] = times(other.low[j], on_b - on_a(j));
            other.high[j] = times(other.high[j], on_b - on_a(j));
        }
        other
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Family {
    Nnls(Strategy),
    Bounds,
    BoundsBy(Choice),
    Simplex,
}

const FAMILIES: [Family; 14] = [
    Family::Nnls(Strategy::Auto),
    Family::Nnls(Strategy::BlockExchange),
    Family::Nnls(Strategy::ActiveSet),
    Family::Nnls(Strategy::CoordinateDescent),
    Family::Nnls(Strategy::WorkingSet),
    Family::Nnls(Strategy::ProjectedCg),
    Family::Nnls(Strategy::LeastDistance),
    Family::Nnls(Strategy::InteriorPoint),
    Family::Nnls(Strategy::LiftedCg),
    Family::Bounds,
    Family::BoundsBy(Choice::ActiveSet),
    Family::BoundsBy(Choice::WorkingSet),
    Family::BoundsBy(Choice::AcceleratedGradient),
    Family::Simplex,
];

/// The flow moves u with x = u∘u: an odd power of two on x is an irrational factor on u, and rounds otherwise.
const FLOW: Family = Family::Nnls(Strategy::LiftedCg);

/// Stalls, and says so, where b cannot be interpolated: as most of these.
const INTERPOLATION: Family = Family::Nnls(Strategy::LeastDistance);

fn to_rounding(x: &[f64], expected: &[f64], what: &str) {
    for (x, y) in x.iter().zip(expected) {
        assert!((x / y - 1.0).abs() <= 1e-6 || x == y, "{what}: {x:e} {y:e}");
    }
}

/// v·2^e, also where 2^e is no number.
fn times(v: f64, e: i32) -> f64 {
    let half = e / 2;
    v * 2.0_f64.powi(half) * 2.0_f64.powi(e - half)
}

/// Whether all of these are normal numbers or zero: only then does a power of two change no mantissa.
fn normal(v: &[f64]) -> bool {
    v.iter().all(|v| *v == 0.0 || v.is_normal())
}

/// Sizes of A and b of 2^−500 … 2^500, and all of both together.
fn exponents() -> Vec<(i32, i32)> {
    let sizes = [-500, -400, -250, -120, -40, 0, 40, 120, 250, 400, 500];
    sizes
        .iter()
        .flat_map(|a| sizes.iter().map(|b| (*a, *b)))
        .collect()
}

#[test]
fn powers_of_two_on_a_and_b() {
    let mut exact = 0;
    for (seed, m, n) in [(1, 12, 7), (2, 9, 14), (3, 40, 25)] {
        let p = Problem::new(seed, m, n);
        for family in FAMILIES {
            let s = p.solve(family, 0.75).unwrap();
            for (on_a, on_b) in exponents() {
                let on_x = on_b - on_a;
                let q = p.scaled(|_| on_a, on_b);
                let what = format!("{family:?}, {m}×{n}, A 2^{on_a}, b 2^{on_b}");
                let expected: Vec<f64> = s.x.iter().map(|v| times(*v, on_x)).collect();
                let bounds = [&q.low[..], &q.high[..]].concat();
                let t = match q.solve(family, times(0.75, on_x)) {
                    Ok(t) => t,
                    Err(error) => panic!("{what}: {error}"),
                };
                if normal(&expected)
                    && (!matches!(family, Family::Bounds | Family::BoundsBy(_)) || normal(&bounds))
                {
                    assert_eq!(t.status, s.status, "{what}");
                    if family == FLOW {
                        to_rounding(&t.x, &expected, &what);
                        continue;
                    }
                    assert_eq!(t.x, expected, "{what}");
                    assert_eq!(
                        t.certificate.natural_residual, s.certificate.natural_residual,
                        "{what}"
                    );
                    assert_eq!((t.iterations, t.phase), (s.iterations, s.phase), "{what}");
                    exact += 1;
                }
            }
        }
    }
    println!("{exact} scaled problems with the scaled answer, bit for bit");
    assert!(exact > 3500, "{exact}");
}

#[test]
fn beyond_the_range_an_error_or_a_true_claim() {
    // A and b so far apart that x leaves the number type: 2^1000 above, 2^−1100 below
    let p = Problem::new(1, 12, 7);
    let mut claims = 0;
    for family in FAMILIES {
        for (on_a, on_b) in [
            (-510, 510),
            (-600, 500),
            (-1000, 0),
            (510, -510),
            (600, -500),
            (900, -100),
            (-1060, 0),
            (0, -1060),
        ] {
            let on_x = on_b - on_a;
            let what = format!("{family:?}, A 2^{on_a}, b 2^{on_b}");
            let q = p.scaled(|_| on_a, on_b);
            match q.solve(family, times(0.75, on_x)) {
                Err(
                    Error::Unrepresentable { .. }
                    | Error::NotFinite { .. }
                    | Error::Setting { .. }
                    | Error::CrossedBounds { .. }
                    | Error::Infeasible { .. },
                ) => {}
                Err(other) => panic!("{what}: {other}"),
                Ok(t) => {
                    assert!(t.x.iter().all(|v| v.is_finite()), "{what}");
                    if t.status.is_solved() {
                        check_claim(&p, &q, &t, on_a, on_b, family, &what);
                        claims += 1;
                    }
                }
            }
        }
    }
    assert!(claims >= 20, "{claims}");
}

/// A claim, in units in which nothing over- or underflows. What was read is what is judged: numbers below the normal range have
/// lost digits before we see them.
fn check_claim(
    p: &Problem,
    q: &Problem,
    t: &Solution<f64>,
    on_a: i32,
    on_b: i32,
    family: Family,
    what: &str,
) {
    let on_x = on_b - on_a;
    let back = |v: &[f64], e: i32| v.iter().map(|v| times(*v, -e)).collect::<Vec<f64>>();
    let (a, b, x) = (back(&q.a, on_a), back(&q.b, on_b), back(&t.x, on_x));
    let (low, high) = (back(&q.low, on_x), back(&q.high, on_x));
    let (m, n) = (q.m, q.n);
    let r: Vec<f64> = (0..m)
        .map(|i| (0..n).map(|j| a[i * n + j] * x[j]).sum::<f64>() - b[i])
        .collect();
    let size = b.iter().map(|v| v * v).sum::<f64>().sqrt();
    if family == Family::Simplex {
        // against the answer in good units, as far as the data are still the same
        let s = p.solve(family, 0.75).unwrap();
        if a == p.a && b == p.b && times(times(0.75, on_x), -on_x) == 0.75 {
            assert!(
                x.iter().zip(&s.x).all(|(x, y)| (x - y).abs() <= 1e-9),
                "{what}: {x:?}"
            );
        }
        return;
    }
    for j in 0..n {
        let c = (0..m).map(|i| a[i * n + j].powi(2)).sum::<f64>().sqrt();
        let g: f64 = (0..m).map(|i| a[i * n + j] * r[i]).sum();
        if c == 0.0 || size == 0.0 {
            continue;
        }
        let (low, high) = match family {
            Family::Nnls(_) => (0.0, f64::INFINITY),
            _ => (low[j], high[j]),
        };
        let rho = c * (x[j] - (x[j] - g / (c * c)).clamp(low, high)).abs() / size;
        assert!(rho <= 1e-6, "{what}: claims {}, but ρ = {rho:e}", t.status);
    }
}

#[test]
fn powers_of_two_on_single_columns() {
    let mut exact = 0;
    for (seed, m, n) in [(4, 12, 7), (5, 40, 25)] {
        let p = Problem::new(seed, m, n);
        // the sum of a simplex has the same unit in every coordinate
        for family in FAMILIES.into_iter().filter(|f| *f != Family::Simplex) {
            let s = p.solve(family, 0.0).unwrap();
            for spread in [3, 60, 200, 450] {
                let on_a = |j: usize| (spread * ((j * 5 % n) as i32 - n as i32 / 2)) / (n as i32 / 2);
                let t = p.scaled(on_a, 0).solve(family, 0.0).unwrap();
                let expected: Vec<f64> = s.x.iter().enumerate().map(|(j, v)| times(*v, -on_a(j))).collect();
                let what = format!("{family:?}, {m}×{n}, columns 2^±{spread}");
                if family == FLOW && t.status == Status::Stalled {
                    // columns of very different size that are not scaled yet (below 2^125): slow, and it says so
                    assert!(spread == 60, "{what}");
                    continue;
                }
                assert_eq!(t.status, s.status, "{what}");
                if family == FLOW {
                    to_rounding(&t.x, &expected, &what);
                    continue;
                }
                assert_eq!(t.x, expected, "{what}");
                assert_eq!(
                    t.certificate.natural_residual, s.certificate.natural_residual,
                    "{what}"
                );
                exact += 1;
            }
        }
    }
    assert_eq!(exact, 2 * 12 * 4);
}

/// The lift: powers of four on x (the root of 4^k is 2^k), as far as squares of f stay numbers.
#[test]
fn powers_of_four_on_the_lift() {
    let p = Problem::new(6, 20, 8);
    let a = Dense::row_major(&p.a, p.m, p.n).unwrap();
    let base = Minimize::new(LeastSquares::new(a, &p.b).unwrap(), Squares::new(p.n)).unwrap();
    let start = vec![0.5; p.n];
    let s = base.start(&start).run().unwrap();
    assert!(s.status.is_solved());
    for k in [-200, -60, -20, -3, 3, 20, 31, 60] {
        // A x: A ← A/4^k, x ← 4^k x
        let q = p.scaled(|_| -2 * k, 0);
        let a = Dense::row_major(&q.a, q.m, q.n).unwrap();
        let from: Vec<f64> = start.iter().map(|v| times(*v, 2 * k)).collect();
        let t = Minimize::new(LeastSquares::new(a, &q.b).unwrap(), Squares::new(p.n))
            .unwrap()
            .start(&from)
            .run()
            .unwrap();
        assert!(t.status.is_solved(), "4^{k}: {t}");
        for (x, y) in t.x.iter().zip(&s.x) {
            assert!((times(*x, -2 * k) - y).abs() <= 1e-12 * (1.0 + y.abs()), "4^{k}");
        }
    }
}

/// Row after row, column after column, with gaps, in compressed columns, as products.
#[test]
fn storage_order() {
    for (seed, m, n) in [(7, 12, 7), (8, 9, 14), (9, 60, 40)] {
        let mut p = Problem::new(seed, m, n);
        // zeros, so that sparse is different
        for (k, v) in p.a.iter_mut().enumerate() {
            if k * 7 % 5 < 2 {
                *v = 0.0;
            }
        }
        let columns: Vec<f64> = (0..n)
            .flat_map(|j| (0..m).map(move |i| (i, j)))
            .map(|(i, j)| p.a[i * n + j])
            .collect();
        // what lies in the gaps is never read
        let mut wide = vec![f64::NAN; n * (m + 3)];
        for (gapped, column) in wide.chunks_exact_mut(m + 3).zip(columns.chunks_exact(m)) {
            gapped[..m].copy_from_slice(column);
        }
        let triplets: Vec<(usize, usize, f64)> = (0..m * n)
            .filter(|k| p.a[*k] != 0.0)
            .map(|k| (k / n, k % n, p.a[k]))
            .collect();
        let sparse = SparseColumns::from_triplets(m, n, &triplets).unwrap();
        let row_major = Dense::row_major(&p.a, m, n).unwrap();
        let column_major = Dense::column_major(&columns, m, n).unwrap();
        let matrix = nalgebra::DMatrix::from_column_slice(m, n, &columns);
        let free = MatrixFree::new(
            m,
            n,
            |x: &[f64], y: &mut [f64]| row_major.apply(x, y),
            |y: &[f64], x: &mut [f64]| row_major.apply_adjoint(y, x),
        );
        for family in FAMILIES {
            if family == INTERPOLATION || (family == Family::Nnls(Strategy::BlockExchange) && m < n) {
                continue; // needs data that can be interpolated, or columns of full rank, and says so
            }
            let s = p.solve(family, 0.75).unwrap();
            let what = format!("{family:?}, {m}×{n}");
            assert!(s.status.is_solved(), "{what}: {s}");
            let near = |t: &Solution<f64>, other: &str| {
                assert!(t.status.is_solved(), "{what}, {other}: {t}");
                let scale = s.objective.abs().max(1e-300);
                assert!(
                    (t.objective - s.objective).abs() <= 1e-9 * scale,
                    "{what}, {other}"
                );
                for (x, y) in t.x.iter().zip(&s.x) {
                    // wide matrices have many solutions as far as x goes: f decides there
                    assert!(
                        m < n || (x - y).abs() <= 1e-6 * (1.0 + y.abs()),
                        "{what}, {other}: {x} {y}"
                    );
                }
            };
            near(&p.solve_as(&column_major, family, 0.75).unwrap(), "Fortran order");
            near(&p.solve_as(&sparse, family, 0.75).unwrap(), "compressed columns");
            #[cfg(feature = "sparse")]
            {
                let mut triplet = sprs::TriMat::new((m, n));
                triplets
                    .iter()
                    .for_each(|(i, j, v)| triplet.add_triplet(*i, *j, *v));
                let (csc, csr) = (triplet.to_csc::<usize>(), triplet.to_csr::<usize>());
                let csc = p.solve_as(&csc, family, 0.75).unwrap();
                assert_eq!(
                    csc.x,
                    p.solve_as(&sparse, family, 0.75).unwrap().x,
                    "{what}: sprs, by columns"
                );
                near(&csc, "sprs, by columns");
                near(&p.solve_as(&csr, family, 0.75).unwrap(), "sprs, by rows");
            }
            if !matches!(
                family,
                Family::Nnls(Strategy::BlockExchange | Strategy::CoordinateDescent | Strategy::WorkingSet)
                    | Family::BoundsBy(Choice::WorkingSet)
            ) {
                near(&p.solve_as(&free, family, 0.75).unwrap(), "products");
            }
            // the same numbers in the same order are the same answer
            let gaps = Dense::with_leading(&wide, m, n, m + 3).unwrap();
            assert_eq!(
                p.solve_as(&gaps, family, 0.75).unwrap().x,
                p.solve_as(&column_major, family, 0.75).unwrap().x,
                "{what}: with gaps"
            );
            assert_eq!(
                p.solve_as(&matrix, family, 0.75).unwrap().x,
                p.solve_as(&column_major, family, 0.75).unwrap().x,
                "{what}: nalgebra is Fortran order"
            );
        }
    }
}

/// Another order of columns, rows and unknowns: the same answer in that order, to rounding (sums are taken in another order).
#[test]
fn permutations() {
    for (seed, m, n) in [(10, 12, 7), (11, 60, 40)] {
        let p = Problem::new(seed, m, n);
        let mut random = Random::new(seed);
        let mut shuffle = |k: usize| {
            let mut order: Vec<usize> = (0..k).collect();
            for i in (1..k).rev() {
                order.swap(i, (random.uniform::<f64>() * (i + 1) as f64) as usize);
            }
            order
        };
        for _ in 0..5 {
            let (rows, columns) = (shuffle(m), shuffle(n));
            let mut q = p.clone();
            for i in 0..m {
                for j in 0..n {
                    q.a[i * n + j] = p.a[rows[i] * n + columns[j]];
                }
                q.b[i] = p.b[rows[i]];
            }
            for j in 0..n {
                (q.low[j], q.high[j]) = (p.low[columns[j]], p.high[columns[j]]);
            }
            for family in FAMILIES.into_iter().filter(|f| *f != INTERPOLATION) {
                let (s, t) = (p.solve(family, 0.75).unwrap(), q.solve(family, 0.75).unwrap());
                assert!(s.status.is_solved() && t.status.is_solved());
                for j in 0..n {
                    let (x, y) = (t.x[j], s.x[columns[j]]);
                    assert!(
                        (x - y).abs() <= 1e-6 * (1.0 + y.abs()),
                        "{family:?}, {m}×{n}: {x} {y}"
                    );
                }
                // exact methods agree to the last digits, and on which bounds are met
                if matches!(
                    family,
                    Family::Nnls(Strategy::Auto | Strategy::ActiveSet) | Family::Bounds | Family::Simplex
                ) {
                    for j in 0..n {
                        let (x, y) = (t.x[j], s.x[columns[j]]);
                        assert!((x - y).abs() <= 1e-12 * (1.0 + y.abs()), "{family:?}: {x} {y}");
                        assert_eq!(x == 0.0, y == 0.0, "{family:?}: the support");
                    }
                }
            }
            // the lift, too
            let lifted = |p: &Problem| {
                let a = Dense::row_major(&p.a, m, n).unwrap();
                let f = || LeastSquares::new(a, &p.b).unwrap();
                [
                    Minimize::new(f(), Squares::new(n)).unwrap().run().unwrap(),
                    Minimize::new(f(), NormalizedSquares::new(n, 0.75).unwrap())
                        .unwrap()
                        .run()
                        .unwrap(),
                    Minimize::new(f(), Bounds::new(p.low.clone(), p.high.clone()).unwrap())
                        .unwrap()
                        .run()
                        .unwrap(),
                ]
            };
            for (s, t) in lifted(&p).iter().zip(lifted(&q)) {
                assert!(s.status.is_solved() && t.status.is_solved(), "{s} {t}");
                for j in 0..n {
                    assert!((t.x[j] - s.x[columns[j]]).abs() <= 1e-10, "{}", s.phase);
                }
            }
        }
    }
}

/// In single precision: the answer of the same numbers in double precision, to single rounding.
#[test]
fn single_precision() {
    for (seed, m, n) in [(12, 12, 7), (13, 60, 40)] {
        let p = Problem::new(seed, m, n);
        // numbers that both types hold
        let short = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
        let long = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (a, b, low, high) = (short(&p.a), short(&p.b), short(&p.low), short(&p.high));
        let q = Problem {
            a: long(&a),
            b: long(&b),
            low: long(&low),
            high: long(&high),
            ..p
        };
        let view = Dense::row_major(&a, m, n).unwrap();
        let answers = [
            (Family::Nnls(Strategy::Auto), Nnls::new(&view).solve(&b).unwrap()),
            (
                Family::Bounds,
                BoundedLeastSquares::new(&view, &low, &high).solve(&b).unwrap(),
            ),
            (
                Family::Simplex,
                BoundedLeastSquares::simplex(&view, 0.75).solve(&b).unwrap(),
            ),
        ];
        for (family, s) in answers {
            let t = q.solve(family, 0.75).unwrap();
            assert!(s.status.is_solved() && t.status.is_solved(), "{family:?}");
            for (x, y) in s.x.iter().zip(&t.x) {
                assert!(
                    (f64::from(*x) - y).abs() <= 2e-5 * (1.0 + y.abs()),
                    "{family:?}: {x} {y}"
                );
                assert_eq!(*x == 0.0, *y == 0.0, "{family:?}: the support");
            }
            // and the evidence of the short answer holds in double precision
            assert!(
                f64::from(s.objective) - t.objective <= f64::from(s.certificate.gap).max(1e-5 * t.objective)
            );
        }
    }
}

/// Powers of two in single precision, whose range is small.
#[test]
fn powers_of_two_in_single_precision() {
    let p = Problem::new(14, 20, 9);
    let short = |v: &[f64], e: i32| v.iter().map(|v| (times(*v, e)) as f32).collect::<Vec<f32>>();
    let solve = |on_a: i32, on_b: i32| {
        let (a, b) = (short(&p.a, on_a), short(&p.b, on_b));
        let view = Dense::row_major(&a, 20, 9).unwrap();
        let (low, high) = (short(&p.low, on_b - on_a), short(&p.high, on_b - on_a));
        [
            Nnls::new(&view).solve(&b).unwrap(),
            BoundedLeastSquares::new(&view, &low, &high).solve(&b).unwrap(),
        ]
    };
    let base = solve(0, 0);
    for (on_a, on_b) in [
        (-50, 0),
        (50, 0),
        (0, 60),
        (0, -60),
        (50, 50),
        (-50, -50),
        (-40, 40),
        (40, -40),
    ] {
        for (s, t) in base.iter().zip(solve(on_a, on_b)) {
            let expected: Vec<f32> =
                s.x.iter()
                    .map(|v| times(f64::from(*v), on_b - on_a) as f32)
                    .collect();
            assert_eq!(t.x, expected, "A 2^{on_a}, b 2^{on_b}");
            assert_eq!(t.certificate.natural_residual, s.certificate.natural_residual);
        }
    }
}
