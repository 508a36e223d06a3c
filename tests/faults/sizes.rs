//! Operators that say of themselves what is not so, and sizes that no memory holds: an error that names them, never a panic or an abort.

use super::*;
use reparam::maps::Affine;
use reparam::objectives::Quadratic;
use reparam::operators::{ColumnScaled, SparseColumns};

/// An operator whose views of itself may have another size than it states, and its norms another value.
struct Lying {
    rows: usize,
    columns: usize,
    dense: Option<nalgebra::DMatrix<f64>>,
    sparse: Option<SparseColumns<f64>>,
    norms: Option<Vec<f64>>,
}

impl Lying {
    /// The identity by its products.
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            dense: None,
            sparse: None,
            norms: None,
        }
    }
}

impl LinearOperator<f64> for Lying {
    fn rows(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.columns
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        y.fill(0.0);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.apply(y, x);
    }
    fn column_norms(&self, out: &mut [f64]) -> bool {
        if let Some(norms) = &self.norms {
            out.copy_from_slice(norms);
        }
        self.norms.is_some()
    }
    fn dense(&self) -> Option<Dense<'_, f64>> {
        self.dense.as_ref().and_then(LinearOperator::dense)
    }
    fn sparse_columns(&self) -> Option<SparseColumns<f64>> {
        self.sparse.clone()
    }
}

/// Every way to solve least squares with this operator.
fn every_solver<A: LinearOperator<f64>>(a: &A, b: &[f64]) -> Vec<reparam::Result<Solution<f64>>> {
    let n = a.columns();
    let mut all = vec![
        Nnls::new(a).solve(b),
        Nnls::new(a).solve_many(b).map(|mut s| s.remove(0)),
        BoundedLeastSquares::simplex(a, 1.0).solve(b),
        BoundedLeastSquares::capped_simplex(a, 1.0).solve(b),
        BoundedLeastSquares::l1_ball(a, 1.0).solve(b),
        BoundedLeastSquares::monotone(a, f64::NEG_INFINITY, f64::INFINITY).solve(b),
        BoundedLeastSquares::monotone(a, 0.0, 1.0).solve(b),
    ];
    if n < 1000 {
        all.push(BoundedLeastSquares::new(a, &vec![-1.0; n], &vec![1.0; n]).solve(b));
    }
    all
}

#[test]
fn views_of_another_size_are_refused() {
    for (rows, columns) in [(2, 3), (4, 3), (3, 2), (3, 4), (0, 0), (1, 9)] {
        let mut a = Lying::new(3, 3);
        a.dense = Some(nalgebra::DMatrix::from_element(rows, columns, 1.0));
        for answer in every_solver(&a, &[1.0; 3]) {
            assert!(
                matches!(answer, Err(Error::Dimension { what, .. }) if what.contains("dense")),
                "{rows}×{columns}: {answer:?}"
            );
        }
        assert!(matches!(
            Quadratic::new(&a, &[0.0; 3]),
            Err(Error::Dimension { .. })
        ));
        let mut row = [7.0; 3];
        assert_eq!(a.row(0, &mut row), rows > 0 && columns == 3);
        let mut a = Lying::new(3, 3);
        a.sparse = SparseColumns::from_triplets(rows, columns, &[]).ok();
        for (k, answer) in every_solver(&a, &[1.0; 3]).into_iter().enumerate() {
            // (sums of sparse columns are dense, and a reduction goes by the products of what it cannot read)
            let refused = matches!(&answer, Err(Error::Dimension { what, .. }) if what.contains("sparse"));
            let right = answer.as_ref().is_ok_and(|s| s.status.is_solved());
            assert!(
                refused || ((3..7).contains(&k) && right),
                "{rows}×{columns}, {k}: {answer:?}"
            );
        }
        // an objective goes by the products, which are right
        let f = LeastSquares::new(&a, &[1.0, -1.0, 2.0]).unwrap();
        let s = Minimize::new(f, Squares::new(3)).unwrap().run().unwrap();
        assert!(
            s.status.is_solved() && (s.x[0] - 1.0).abs() < 1e-6 && s.x[1] == 0.0,
            "{s}"
        );
    }
}

#[test]
fn norms_that_are_none_are_refused() {
    let n = 600;
    let with = |at: usize, norm: f64| {
        let mut a = Lying::new(n, n);
        let mut norms = vec![1.0; n];
        norms[at] = norm;
        a.norms = Some(norms);
        a
    };
    let b = vec![1.0; n];
    for at in [0, 7, n - 1] {
        for norm in [-1.0, -1e-300, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let a = with(at, norm);
            for (k, answer) in every_solver(&a, &b).into_iter().enumerate() {
                let named = match &answer {
                    Err(Error::Data { index, .. } | Error::NotFinite { index, .. }) => *index == at,
                    _ => false,
                };
                assert!(
                    named,
                    "{norm} at {at}, solver {k}: {:?}",
                    answer.map(|s| s.status)
                );
            }
            let map = Affine::new(a, Squares::new(n), vec![0.0; n]);
            assert!(map.is_err(), "{norm} at {at}");
        }
        assert!(ColumnScaled::power_of_two(with(at, -2.0)).is_err());
    }
    // columns of zeros have the norm 0, and one product tells that of all of them
    let products = Cell::new(0);
    let apply = |x: &[f64], y: &mut [f64]| {
        products.set(products.get() + 1);
        y.copy_from_slice(x);
        y[3] = 0.0;
        y[4] = 0.0;
    };
    let mut norms = vec![1.0; n];
    (norms[3], norms[4]) = (0.0, 0.0);
    let a = MatrixFree::new(n, n, apply, apply)
        .with_column_norms(norms)
        .unwrap();
    assert!(ColumnScaled::power_of_two(&a).is_ok() && products.get() == 1);
    let s = Nnls::new(&a).solve(&b).unwrap();
    assert!(s.status.is_solved() && s.x[3] == 0.0 && s.x[4] == 0.0 && (s.x[5] - 1.0).abs() < 1e-8);
}

#[test]
fn what_no_memory_holds_is_told() {
    let nothing = |_: &[f64], _: &mut [f64]| {};
    let refused = |answer: &reparam::Result<Solution<f64>>| {
        matches!(answer, Err(Error::Memory { .. } | Error::SizeOverflow { .. }))
    };
    for (rows, columns) in [
        (usize::MAX, 1),
        (1, usize::MAX),
        (usize::MAX, usize::MAX),
        (1, usize::MAX / 2),
        (1, usize::MAX / 8),
        (1 << 50, 1),
        (1, 1 << 50),
    ] {
        let a = MatrixFree::new(rows, columns, nothing, nothing);
        for (k, answer) in every_solver(&a, &[1.0]).into_iter().enumerate() {
            assert!(refused(&answer), "{rows}×{columns}, solver {k}: {answer:?}");
        }
        assert!(Affine::new(&a, Squares::new(columns), vec![0.0]).is_err());
    }
}

/// What one method needs and others do not: n² numbers for 10⁶ sparse columns, 8 TB.
#[test]
fn a_gram_matrix_of_a_million_columns_is_refused() {
    let n = 1_000_000;
    let diagonal: Vec<(usize, usize, f64)> = (0..n).map(|j| (j, j, 1.0)).collect();
    let a = SparseColumns::from_triplets(n, n, &diagonal).unwrap();
    let b = vec![1.0; n];
    let exchange = Nnls::new(&a).strategy(Strategy::BlockExchange).solve(&b);
    assert!(
        matches!(exchange, Err(Error::Memory { .. })),
        "{:?}",
        exchange.map(|s| s.status)
    );
    let exchange = BoundedLeastSquares::new(&a, &vec![0.0; n], &vec![9.0; n])
        .strategy(Choice::BlockExchange)
        .solve(&b);
    assert!(
        matches!(exchange, Err(Error::Memory { .. })),
        "{:?}",
        exchange.map(|s| s.status)
    );
}
