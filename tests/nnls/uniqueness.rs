//! Whether other x fit as well: what is said, and that it is so.

use nalgebra::{DMatrix, dmatrix};
use reparam::nnls::Strategy;
use reparam::operators::{LinearOperator, MatrixFree};
use reparam::testing::Random;
use reparam::{BoundedLeastSquares, Nnls, Solution, Uniqueness, nnls};

const INF: f64 = f64::INFINITY;

fn is<T: reparam::Scalar>(s: &Solution<T>, expected: Uniqueness, told: &str) {
    assert!(s.status.is_solved(), "{told}: {s}");
    assert_eq!(s.certificate.uniqueness, expected, "{told}: {s}");
    let line = match expected {
        Uniqueness::Unique => "uniqueness  no other x fits as well\n",
        Uniqueness::NotUnique => "uniqueness  other x fit as well\n",
        _ => return assert!(!s.to_string().contains("uniqueness"), "{told}: {s}"),
    };
    assert!(s.to_string().contains(line), "{told}: {s}");
}

fn gaussian(random: &mut Random, m: usize, n: usize) -> DMatrix<f64> {
    DMatrix::from_vec(m, n, random.normals(m * n))
}

/// b inside the hull of 40 points in R¹⁰: eleven of them carry it, and so could others.
#[test]
fn a_point_inside_a_hull_has_many_weights() {
    let mut random = Random::new(1301);
    for round in 0..10 {
        let a = gaussian(&mut random, 10, 40);
        let b = &a * nalgebra::DVector::from_element(40, 1.0 / 40.0);
        let s = BoundedLeastSquares::simplex(&a, 1.0).solve(&b).unwrap();
        is(&s, Uniqueness::NotUnique, &format!("simplex {round}"));
        let s = nnls(&a, &b).unwrap();
        is(&s, Uniqueness::NotUnique, &format!("x ≥ 0 {round}"));
        let s = BoundedLeastSquares::l1_ball(&a, 1.0).solve(&b).unwrap();
        is(&s, Uniqueness::NotUnique, &format!("ball {round}"));
        // outside the hull the nearest point is one, and its weights too
        let s = BoundedLeastSquares::simplex(&a, 1.0)
            .solve(&(30.0 * &b + 10.0 * a.column(0)))
            .unwrap();
        is(&s, Uniqueness::Unique, &format!("outside {round}"));
        let a32 = a.map(|v| v as f32);
        let b32 = b.map(|v| v as f32);
        let s = BoundedLeastSquares::simplex(&a32, 1.0).solve(&b32).unwrap();
        is(&s, Uniqueness::NotUnique, &format!("f32 {round}"));
    }
}

/// Independent columns leave one answer over every set, whether constraints hold it or not.
#[test]
fn full_rank_has_one_answer() {
    let mut random = Random::new(1302);
    for round in 0..20 {
        let (m, n) = (12 + round, 3 + round / 2);
        let a = gaussian(&mut random, m, n);
        let b: Vec<f64> = random.normals(m);
        let told = |what: &str| format!("{what} {round}");
        is(&nnls(&a, &b).unwrap(), Uniqueness::Unique, &told("x ≥ 0"));
        for strategy in [
            Strategy::ActiveSet,
            Strategy::CoordinateDescent,
            Strategy::ProjectedCg,
        ] {
            let s = Nnls::new(&a).strategy(strategy).solve(&b).unwrap();
            is(&s, Uniqueness::Unique, &told(&format!("{strategy:?}")));
        }
        for r in [0.01, 1e3] {
            let s = BoundedLeastSquares::l1_ball(&a, r).solve(&b).unwrap();
            is(&s, Uniqueness::Unique, &told(&format!("‖x‖₁ ≤ {r}")));
            let s = BoundedLeastSquares::capped_simplex(&a, r).solve(&b).unwrap();
            is(&s, Uniqueness::Unique, &told(&format!("Σx ≤ {r}")));
        }
        let s = BoundedLeastSquares::monotone(&a, -0.5, 0.5).solve(&b).unwrap();
        is(&s, Uniqueness::Unique, &told("monotone"));
        let s = BoundedLeastSquares::new(&a, &vec![-INF; n], &vec![0.1; n])
            .solve(&b)
            .unwrap();
        is(&s, Uniqueness::Unique, &told("x ≤ 0.1"));
        let s = BoundedLeastSquares::new(&a, &vec![-INF; n], &vec![INF; n])
            .sum(1.0)
            .solve(&b)
            .unwrap();
        is(&s, Uniqueness::Unique, &told("free with a sum"));
    }
}

#[test]
fn dependent_columns_that_may_move() {
    // two equal columns share their part
    let a = dmatrix![1.0, 1.0, 0.0; 2.0, 2.0, 1.0; 0.0, 0.0, 1.0];
    is(
        &nnls(&a, &[1.0, 3.0, 1.0]).unwrap(),
        Uniqueness::NotUnique,
        "twins",
    );
    let free = BoundedLeastSquares::new(&a, &[-INF; 3], &[INF; 3]);
    is(
        &free.solve(&[1.0, 3.0, 1.0]).unwrap(),
        Uniqueness::NotUnique,
        "free twins",
    );
    let held = BoundedLeastSquares::new(&a, &[0.0; 3], &[0.25, 0.25, 5.0]);
    is(
        &held.solve(&[1.0, 3.0, 1.0]).unwrap(),
        Uniqueness::Unique,
        "twins at their bounds",
    );
    // neither is wanted
    is(
        &nnls(&a, &[-1.0, -3.0, 1.0]).unwrap(),
        Uniqueness::Unique,
        "unwanted twins",
    );
    // a column of zeros fits with any weight
    let zeros = dmatrix![1.0, 0.0; 0.0, 0.0];
    is(
        &nnls(&zeros, &[1.0, 1.0]).unwrap(),
        Uniqueness::NotUnique,
        "zeros",
    );
    // a multiplier that is exactly zero, of a column that is independent of the others
    let a = dmatrix![1.0, 0.0; 0.0, 1.0; 0.0, 0.0];
    is(
        &nnls(&a, &[1.0, 0.0, 1.0]).unwrap(),
        Uniqueness::Unique,
        "degenerate",
    );
    // b = 0
    is(&nnls(&a, &[0.0; 3]).unwrap(), Uniqueness::Unique, "b = 0");
    // more columns than rows, and b out of reach
    let a = dmatrix![1.0, 1.0, 2.0];
    is(&nnls(&a, &[-1.0]).unwrap(), Uniqueness::Unique, "b out of reach");
    is(&nnls(&a, &[1.0]).unwrap(), Uniqueness::NotUnique, "b in reach");
}

#[test]
fn what_was_not_examined_is_not_known() {
    let a = dmatrix![1.0, 0.5; 0.5, 1.0];
    let stopped = Nnls::new(&a).max_iterations(0).solve(&[1.0, 1.0]).unwrap();
    assert_eq!(stopped.certificate.uniqueness, Uniqueness::NotKnown);
    let products = MatrixFree::new(
        2,
        2,
        |x: &[f64], y: &mut [f64]| LinearOperator::<f64>::apply(&dmatrix![1.0, 0.5; 0.5, 1.0], x, y),
        |y: &[f64], x: &mut [f64]| LinearOperator::<f64>::apply_adjoint(&dmatrix![1.0, 0.5; 0.5, 1.0], y, x),
    );
    let s = Nnls::new(&products)
        .strategy(Strategy::ProjectedCg)
        .solve(&[1.0, 1.0])
        .unwrap();
    is(&s, Uniqueness::NotKnown, "products only");
}

/// What depends on A alone is paid for by the first right-hand side: in the counts too.
#[test]
fn the_preparation_is_counted_once() {
    let mut random = Random::new(1303);
    let (m, n) = (30, 20);
    let a = gaussian(&mut random, m, n);
    let b: Vec<f64> = random.normals(3 * m);
    let free = MatrixFree::new(
        m,
        n,
        |x: &[f64], y: &mut [f64]| LinearOperator::<f64>::apply(&a, x, y),
        |y: &[f64], x: &mut [f64]| LinearOperator::<f64>::apply_adjoint(&a, y, x),
    );
    let (zero, open) = (vec![0.0; n], vec![INF; n]);
    let pairs = [
        (
            Nnls::new(&free).solve_many(&b).unwrap(),
            Nnls::new(&a).solve_many(&b).unwrap(),
        ),
        (
            BoundedLeastSquares::new(&free, &zero, &open)
                .solve_many(&b)
                .unwrap(),
            BoundedLeastSquares::new(&a, &zero, &open).solve_many(&b).unwrap(),
        ),
        (
            BoundedLeastSquares::simplex(&free, 1.0).solve_many(&b).unwrap(),
            BoundedLeastSquares::simplex(&a, 1.0).solve_many(&b).unwrap(),
        ),
    ];
    for (k, (products, dense)) in pairs.iter().enumerate() {
        for (i, (p, d)) in products.iter().zip(dense).enumerate() {
            let extra = p.counts.passes - d.counts.passes;
            let expected = if i == 0 { n as f64 } else { 0.0 };
            assert!(
                (extra - expected).abs() < 1.0,
                "{k}, right-hand side {i}: {extra} passes more"
            );
        }
    }
}
