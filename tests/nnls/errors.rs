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
    match nnls(&a, &[1.0]) {
        Err(Error::Dimension {
            what,
            expected: 3,
            found: 1,
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
        SparseColumns::from_triplets(2, 2, &[(1, 1, 1.0), (0, 2, 1.0)]),
        Err(Error::Data {
            index: 1,
            value: 2.0,
            ..
        })
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
            Err(Error::NotFiniteRightHandSide { number: 1, row: 1 })
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
        "the matrix is not finite in row 0, column 1 (both from 0)"
    );
    let a = dmatrix![1.0, 2.0];
    assert_eq!(
        nnls(&a, &[1.0, 2.0]).unwrap_err().to_string(),
        "the right-hand side must have length 1, one entry per row of the matrix, not 2, one per column: is the matrix transposed?"
    );
    assert_eq!(LinearOperator::<f64>::columns(&a), 2);
}

/// The exact words of the messages that a user meets first: a full sentence, plain numbers, units, and what to do.
#[test]
fn messages_are_sentences() {
    use reparam::maps::NormalizedSquares;
    use reparam::objectives::{Composite, FromValue};
    use reparam::{BoundedLeastSquares, losses::Squared};
    fn says<T>(result: Result<T, impl std::fmt::Display>, words: &str) {
        assert_eq!(result.err().map(|e| e.to_string()).as_deref(), Some(words));
    }
    let a = dmatrix![1.0, 0.0; 0.0, 1.0; 1.0, 1.0];
    let b = [1.0, 1.0, 1.0];
    let between = |lo: &[f64], hi: &[f64]| BoundedLeastSquares::new(&a, lo, hi);
    let transposed = "one entry per row of the matrix, not 2, one per column: is the matrix transposed?";

    says(
        between(&[0.0], &[1.0; 2]).solve(&b),
        "the lower bounds must have length 2, not 1",
    );
    says(
        between(&[0.0, 2.0], &[1.0; 2]).solve(&b),
        "no number lies between the bounds of coordinate 1: lower 2, upper 1",
    );
    says(
        between(&[0.0, 1e-9], &[1.0, 0.0]).solve(&b),
        "no number lies between the bounds of coordinate 1: lower 1e-9, upper 0",
    );
    for wrong in [
        Nnls::new(&a).solve(&b[..2]),
        between(&[0.0; 2], &[1.0; 2]).solve(&b[..2]),
        BoundedLeastSquares::l1_ball(&a, 1.0).solve(&b[..2]),
    ] {
        says(
            wrong,
            &format!("the right-hand side must have length 3, {transposed}"),
        );
    }
    says(
        Nnls::new(&a).solve_many(&b[..2]),
        &format!("the right-hand sides must have length 3, {transposed}"),
    );
    says(
        LeastSquares::new(&a, &b[..2]),
        &format!("the right-hand side must have length 3, {transposed}"),
    );
    says(
        Composite::new(&a, Squared::new(&b[..2]).unwrap()),
        &format!("the data of the loss must have length 3, {transposed}"),
    );
    says(
        Nnls::new(&a).solve_many(&[1.0; 7]),
        "the right-hand sides must have length 9, not 7",
    );
    says(
        Nnls::new(&a).solve_many(&[]),
        "the right-hand sides must not be empty",
    );
    let bad = [1.0, 1.0, 1.0, 1.0, f64::NAN, 1.0];
    let words = "right-hand side 1, row 1 (both from 0) is not finite";
    says(Nnls::new(&a).solve_many(&bad), words);
    says(between(&[0.0; 2], &[1.0; 2]).solve_many(&bad), words);
    says(
        Nnls::new(&a).start(&[0.0, -0.5]).solve(&b),
        "the start is infeasible: coordinate 1 is -0.5, beyond its bound 0",
    );
    says(
        Nnls::new(&a).tolerance(0.0).solve(&b),
        "tolerance must be positive and finite",
    );

    let off = [0.5, 0.5 + 2.0_f64.powi(-20)];
    says(
        BoundedLeastSquares::simplex(&a, 1.0).start(&off).solve(&b),
        "the start is infeasible: its coordinates must add up to 1 (to within 7.1e-15), not 1.0000009536743164",
    );
    says(
        BoundedLeastSquares::capped_simplex(&a, 1.0).start(&off).solve(&b),
        "the start is infeasible: its coordinates must add up to at most 1 (to within 7.1e-15), not 1.0000009536743164",
    );
    says(
        BoundedLeastSquares::l1_ball(&a, 1.0).start(&off).solve(&b),
        "the start is infeasible: the absolute values of its coordinates must add up to at most 1 (to within 7.1e-15), not 1.0000009536743164",
    );
    let mut u = [0.0; 2];
    says(
        NormalizedSquares::new(2, 1.0)
            .unwrap()
            .section(&off, Boundary::Exact, &mut u, &mut []),
        "the coordinates must add up to 1 (to within 1.5e-8), not 1.0000009536743164",
    );
    says(
        Squares::new(2).section(&[1.0, -1.0], Boundary::Exact, &mut u, &mut []),
        "coordinate 1 is -1, outside the set",
    );
    says(
        Err::<(), _>(MapError::NotProvided(
            "a section: implement `section` to start at a given x",
        )),
        "this map does not provide a section: implement `section` to start at a given x",
    );
    says(
        SparseColumns::from_triplets(2, 2, &[(0, 0, 1.0), (0, 5, 1.0)]),
        "column index of triplets[1] is 5, which is not below the number of columns",
    );
    says(
        Dense::<f64>::column_major(&[], usize::MAX, 2),
        "rows × columns is too large for this machine",
    );
    says(
        FromValue::new(
            1,
            |x: &[f64]| Ok(x[0]),
            reparam::objectives::Differences::central(),
        )
        .with_bounds(&[0.0], &[1.0])
        .and_then(|f| f.with_bounds(&[-1.0], &[2.0]))
        .map(drop),
        "a second `with_bounds` would replace `with_bounds`: give the tightest bounds in one call",
    );
}

/// A restriction is never replaced in silence: the second sum is refused, in every order and after every constructor that has a sum.
#[test]
fn a_second_sum_is_refused() {
    use reparam::BoundedLeastSquares;
    let a = nalgebra::DMatrix::<f64>::identity(5, 5);
    let b = [0.3, 0.2, 0.4, 0.5, 0.1];
    let (lo, hi) = ([0.0; 5], [f64::INFINITY; 5]);
    let open = || BoundedLeastSquares::new(&a, &lo, &hi);
    let (two, besides) = (
        "one sum can be demanded, not two",
        "a sum cannot be demanded besides this set",
    );
    for (problem, first, second, reason) in [
        (
            open().sum_over(&[0, 1, 2], 0.7).sum_over(&[3, 4], 0.3),
            "`sum_over`",
            "`sum_over`",
            two,
        ),
        (open().sum(1.0).sum_over(&[1, 2], 0.3), "`sum`", "`sum_over`", two),
        (open().sum_over(&[1, 2], 0.3).sum(1.0), "`sum_over`", "`sum`", two),
        (open().sum(1.0).sum(1.0), "`sum`", "`sum`", two),
        (
            BoundedLeastSquares::simplex(&a, 1.0).sum_over(&[1, 2], 0.3),
            "`simplex`",
            "`sum_over`",
            two,
        ),
        (
            BoundedLeastSquares::capped_simplex(&a, 1.0).sum(0.5),
            "`capped_simplex`",
            "`sum`",
            besides,
        ),
        (
            BoundedLeastSquares::l1_ball(&a, 1.0).sum_over(&[0], 0.5),
            "`l1_ball`",
            "`sum_over`",
            besides,
        ),
        (
            BoundedLeastSquares::monotone(&a, 0.0, 1.0).sum(0.5),
            "`monotone`",
            "`sum`",
            besides,
        ),
    ] {
        let words = format!("{second} would replace {first}: {reason}");
        assert_eq!(problem.solve(&b).unwrap_err().to_string(), words);
        assert_eq!(problem.solve_many(&b).unwrap_err().to_string(), words);
    }
    // one of each is fine, and so is a setting given twice
    let one = open().sum_over(&[3, 4], 0.3).tolerance(1e-6).tolerance(1e-10);
    let x = one.solve(&b).unwrap().x;
    assert!(
        (x[3] + x[4] - 0.3).abs() < 1e-15 && (x[0] - 0.3).abs() < 1e-15,
        "{x:?}"
    );
}
