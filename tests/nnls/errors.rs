//! Every bad input gets its typed error, through every door that takes it.

#![allow(clippy::unwrap_used)]

use nalgebra::{DMatrix, dmatrix};
use reparam::maps::{Boundary, Reparametrization, Squares};
use reparam::nnls::Strategy;
use reparam::objectives::LeastSquares;
use reparam::operators::{ColumnScaled, Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::sets::Orthant;
use reparam::{Error, MapError, Nnls, nnls};

#[test]
fn wrong_lengths() {
    let a = dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0];
    match nnls(&a, &[1.0, 2.0]) {
        Err(Error::Dimension {
            what,
            expected: 3,
            found: 2,
        }) => assert_eq!(what, "the right-hand side"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        Nnls::new(&a).start(&[1.0]).solve(&[1.0; 3]),
        Err(Error::Dimension {
            expected: 2,
            found: 1,
            ..
        })
    ));
    assert!(matches!(
        Nnls::new(&a).solve_many(&[1.0; 7]),
        Err(Error::Dimension {
            expected: 9,
            found: 7,
            ..
        })
    ));
    assert!(matches!(Nnls::new(&a).solve_many(&[]), Err(Error::Empty { .. })));
    assert!(matches!(
        Dense::column_major(&[1.0; 5], 2, 3),
        Err(Error::Dimension {
            expected: 6,
            found: 5,
            ..
        })
    ));
    assert!(matches!(
        Dense::row_major(&[1.0; 7], 2, 3),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        Dense::with_leading(&[1.0; 4], 2, 2, 3),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        Dense::with_leading(&[1.0; 4], 2, 2, 1),
        Err(Error::Setting { name: "leading", .. })
    ));
    assert!(matches!(
        LeastSquares::new(&a, &[1.0]),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        ColumnScaled::new(&a, vec![1.0]),
        Err(Error::Dimension { .. })
    ));
    assert!(matches!(
        SparseColumns::from_triplets(2, 2, &[(0, 2, 1.0)]),
        Err(Error::Dimension { .. })
    ));
}

#[test]
fn sizes_that_overflow() {
    assert!(matches!(
        Dense::<f64>::column_major(&[], usize::MAX, 2),
        Err(Error::SizeOverflow { .. })
    ));
    assert!(matches!(
        Dense::<f64>::row_major(&[], 2, usize::MAX),
        Err(Error::SizeOverflow { .. })
    ));
    assert!(matches!(
        Dense::<f64>::with_leading(&[], 1, usize::MAX, usize::MAX),
        Err(Error::SizeOverflow { .. })
    ));
    assert!(matches!(
        SparseColumns::<f64>::from_triplets(1 << 33, 1, &[]),
        Err(Error::SizeOverflow { .. })
    ));
}

#[test]
fn not_finite() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut a = dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0];
        assert!(matches!(
            nnls(&a, &[1.0, bad, 1.0]),
            Err(Error::NotFinite {
                what: "right-hand side",
                index: 1
            })
        ));
        assert!(matches!(
            Nnls::new(&a).start(&[bad, 0.0]).solve(&[1.0; 3]),
            Err(Error::NotFinite {
                what: "start",
                index: 0
            })
        ));
        assert!(matches!(
            Nnls::new(&a).solve_many(&[1.0, 1.0, 1.0, 1.0, bad, 1.0]),
            Err(Error::NotFinite { index: 4, .. })
        ));
        a[(2, 1)] = bad;
        assert!(matches!(
            nnls(&a, &[1.0; 3]),
            Err(Error::NotFiniteEntry { row: 2, column: 1 })
        ));
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, bad];
        assert!(matches!(
            nnls(&Dense::row_major(&rows, 3, 2).unwrap(), &[1.0; 3]),
            Err(Error::NotFiniteEntry { row: 2, column: 1 })
        ));
        let s = SparseColumns::from_triplets(3, 2, &[(0, 0, 1.0), (2, 1, bad)]).unwrap();
        assert!(matches!(
            nnls(&s, &[1.0; 3]),
            Err(Error::NotFiniteEntry { row: 2, column: 1 })
        ));
        let free = MatrixFree::new(
            3,
            2,
            |_: &[f64], y: &mut [f64]| y.fill(bad),
            |_: &[f64], x: &mut [f64]| x.fill(bad),
        );
        assert!(matches!(
            nnls(&free, &[1.0; 3]),
            Err(Error::NotFinite {
                what: "norms of the columns of the matrix",
                index: 0
            })
        ));
        let square = |_: &[f64], y: &mut [f64]| y.fill(0.0);
        assert!(
            MatrixFree::new(2, 2, square, square)
                .with_column_norms(vec![1.0, bad])
                .is_err()
        );
        assert!(matches!(
            Orthant::with_lower(vec![0.0, bad]),
            Err(Error::NotFinite { index: 1, .. })
        ));
        assert!(matches!(
            LeastSquares::new(&dmatrix![1.0], &[bad]),
            Err(Error::NotFinite { .. })
        ));
    }
    let square = |_: &[f64], y: &mut [f64]| y.fill(0.0);
    assert!(matches!(
        MatrixFree::new(1, 1, square, square).with_column_norms(vec![-1.0]),
        Err(Error::Setting { .. })
    ));
}

#[cfg(feature = "sparse")]
#[test]
fn not_finite_in_sprs() {
    let mut t = sprs::TriMat::new((3, 2));
    t.add_triplet(0, 0, 1.0);
    t.add_triplet(2, 1, f64::NAN);
    for result in [
        nnls(&t.to_csr::<usize>(), &[1.0; 3]),
        nnls(&t.to_csc::<usize>(), &[1.0; 3]),
    ] {
        assert!(matches!(result, Err(Error::NotFiniteEntry { row: 2, column: 1 })));
    }
}

/// An operator whose products turn bad only later: a status, and the last good point.
#[test]
fn operator_that_breaks_during_the_run() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let calls = AtomicUsize::new(0);
    let n = 600; // more columns than are written out
    let apply = |x: &[f64], y: &mut [f64]| {
        let bad = calls.fetch_add(1, Ordering::Relaxed) > 20;
        for (i, (yi, xi)) in y.iter_mut().zip(x).enumerate() {
            *yi = if bad { f64::NAN } else { (1.0 + i as f64) * xi };
        }
    };
    let adjoint = |y: &[f64], x: &mut [f64]| {
        for (i, (xi, yi)) in x.iter_mut().zip(y).enumerate() {
            *xi = (1.0 + i as f64) * yi;
        }
    };
    let norms = (0..n).map(|i| 1.0 + i as f64).collect();
    let a = MatrixFree::new(n, n, apply, adjoint)
        .with_column_norms(norms)
        .unwrap();
    let b: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    let s = nnls(&a, &b).unwrap();
    assert!(!s.status.is_solved());
    assert!(s.x.iter().all(|v| *v >= 0.0 && v.is_finite()));
    assert!(
        s.certificate.natural_residual.is_nan(),
        "an unmeasurable residual must not look like a number"
    );
}

#[test]
fn empty() {
    assert!(matches!(
        nnls(&DMatrix::<f64>::zeros(0, 3), &[]),
        Err(Error::Empty {
            what: "the matrix (no rows)"
        })
    ));
    assert!(matches!(
        nnls(&DMatrix::<f64>::zeros(3, 0), &[1.0; 3]),
        Err(Error::Empty {
            what: "the matrix (no columns)"
        })
    ));
    assert!(matches!(
        LeastSquares::new(DMatrix::<f64>::zeros(0, 3), &[]),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        Squares::<f64>::with_lower(vec![]),
        Err(Error::Empty { .. })
    ));
}

#[test]
fn settings() {
    let a = dmatrix![1.0, 2.0; 3.0, 4.0];
    for tolerance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            Nnls::new(&a).tolerance(tolerance).solve(&[1.0; 2]),
            Err(Error::Setting {
                name: "tolerance",
                ..
            })
        ));
    }
    let n = 600;
    let identity = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
    let free = MatrixFree::new(n, n, identity, identity);
    for strategy in [Strategy::CoordinateDescent, Strategy::WorkingSet] {
        let result = Nnls::new(&free).strategy(strategy).solve(&vec![1.0; n]);
        assert!(matches!(result, Err(Error::Setting { name: "strategy", .. })));
    }
    assert!(matches!(
        ColumnScaled::power_of_two(free),
        Err(Error::Setting { .. })
    ));
}

#[test]
fn infeasible_start() {
    let a = dmatrix![1.0, 2.0; 3.0, 4.0];
    match Nnls::new(&a).start(&[1.0, -1e-300]).solve(&[1.0; 2]) {
        Err(Error::InfeasibleStart {
            index: 1,
            value,
            bound: 0.0,
        }) => assert_eq!(value, -1e-300),
        other => panic!("{other:?}"),
    }
}

#[test]
fn maps_refuse_what_they_cannot_reach() {
    let map = Squares::<f64>::with_lower(vec![0.0, 1.0]).unwrap();
    let mut u = [0.0; 2];
    let outside = |r: Result<(), MapError>| matches!(r, Err(MapError::Outside { .. }));
    assert!(outside(map.section(
        &[1.0, 0.5],
        Boundary::Exact,
        &mut u,
        &mut []
    )));
    assert!(outside(map.section(
        &[f64::NAN, 2.0],
        Boundary::Exact,
        &mut u,
        &mut []
    )));
    assert!(outside(map.section(
        &[f64::INFINITY, 2.0],
        Boundary::Exact,
        &mut u,
        &mut []
    )));
    assert_eq!(
        map.section(&[0.0, 2.0], Boundary::Reject, &mut u, &mut []),
        Err(MapError::OnBoundary { index: 0 })
    );
    let text = Error::from(MapError::OnBoundary { index: 0 }).to_string();
    assert!(text.contains("boundary"), "{text}");
}

#[test]
fn messages_name_the_culprit() {
    let a = dmatrix![1.0, f64::NAN];
    assert_eq!(
        nnls(&a, &[1.0]).unwrap_err().to_string(),
        "entry (0, 1) of the matrix is not finite"
    );
    let a = dmatrix![1.0, 2.0];
    assert_eq!(
        nnls(&a, &[1.0, 2.0]).unwrap_err().to_string(),
        "the right-hand side has length 2, expected 1"
    );
    assert_eq!(LinearOperator::<f64>::columns(&a), 2);
}
