//! Linear operators A: R^n → R^m, dense, sparse and matrix-free.
//!
//! Every solver needs products with A and Aᵀ. An operator that can also give its columns makes the exact methods
//! available. nalgebra matrices, sprs matrices and slices
//! ([`Dense`]) are operators as they are; closures become one through [`MatrixFree`].

mod backend;
mod column_scaled;
mod dense;
pub(crate) mod dense_products;
mod matrix_free;
#[cfg(feature = "sparse")]
mod sparse;
mod sparse_columns;
pub(crate) mod sparse_inverse;
pub(crate) mod sparse_products;

pub(crate) use backend::Kernels;
pub use column_scaled::ColumnScaled;
pub(crate) use column_scaled::power_of_two_factor;
pub use dense::Dense;
pub use matrix_free::MatrixFree;
pub use sparse_columns::SparseColumns;

use crate::checks::{check_len, check_memory, zeros};
use crate::linalg::norm2;
use crate::{Error, Result, Scalar};

/// A linear map A with m = [`rows`](Self::rows) and n = [`columns`](Self::columns).
///
/// ```text
/// apply:          y = A x      x ∈ Rⁿ, y ∈ Rᵐ
/// apply_adjoint:  x = Aᵀ y
/// ```
///
/// The two must be each other's adjoint, ⟨y, A x⟩ = ⟨Aᵀ y, x⟩:
/// [`check_operator`](crate::testing::check_operator) tests it. Lengths are checked by the public builders;
/// implementations may rely on them.
///
/// ```
/// use reparam::operators::LinearOperator;
/// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
/// let mut y = [0.0; 2];
/// a.apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [3.0, 7.0]);
/// a.apply_adjoint(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [4.0, 6.0]);
/// ```
pub trait LinearOperator<T: Scalar> {
    /// m, the length of A x.
    fn rows(&self) -> usize;

    /// n, the length of x.
    fn columns(&self) -> usize;

    /// y ← A x. `x.len() == n`, `y.len() == m`; every entry of y is overwritten.
    fn apply(&self, x: &[T], y: &mut [T]);

    /// x ← Aᵀ y. `y.len() == m`, `x.len() == n`; every entry of x is overwritten.
    fn apply_adjoint(&self, y: &[T], x: &mut [T]);

    /// Two products at once, `ap` ← A p and `aq` ← A q: one pass over A where the operator can do that.
    fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
        self.apply(p, ap);
        self.apply(q, aq);
    }

    /// c_j = ‖a_j‖₂ into `out` (length n); false when the operator does not know them.
    fn column_norms(&self, out: &mut [T]) -> bool {
        let _ = out;
        false
    }

    /// Column j as a dense vector of length m; false when only products are available.
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        let _ = (j, out);
        false
    }

    /// Row i as a dense vector of length n; false when rows are expensive to form. Used by stochastic gradient methods.
    fn row(&self, i: usize, out: &mut [T]) -> bool {
        match self.dense() {
            Some(a) if i < a.rows() && out.len() == a.columns() => {
                for (j, o) in out.iter_mut().enumerate() {
                    *o = a.get(i, j);
                }
                true
            }
            _ => false,
        }
    }

    /// The entries, when they lie in memory as a dense matrix.
    fn dense(&self) -> Option<Dense<'_, T>> {
        None
    }

    /// A copy of the entries by columns, when the operator is a sparse matrix.
    fn sparse_columns(&self) -> Option<SparseColumns<T>> {
        None
    }

    /// Row and column of the first entry that is NaN or infinite; None when there is none, or when the entries are not accessible.
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        None
    }
}

// What a user's operator states about itself is checked at the entry: all later code relies on it.

/// Vectors of the length of a row and of a column that every solve needs, at least.
const VECTORS: usize = 4;

/// Rows and columns, if a few vectors of their length fit into memory.
pub(crate) fn checked_size<T: Scalar, A: LinearOperator<T> + ?Sized>(a: &A) -> Result<(usize, usize)> {
    let (m, n) = (a.rows(), a.columns());
    check_memory::<T>("vectors of a column of the matrix", m.saturating_mul(VECTORS))?;
    check_memory::<T>("vectors of a row of the matrix", n.saturating_mul(VECTORS))?;
    Ok((m, n))
}

/// [`LinearOperator::dense`], if it has the size that the operator states.
pub(crate) fn checked_dense<T: Scalar, A: LinearOperator<T> + ?Sized>(a: &A) -> Result<Option<Dense<'_, T>>> {
    let Some(view) = a.dense() else {
        return Ok(None);
    };
    check_len(
        "the rows of the matrix (of its dense view)",
        a.rows(),
        view.rows(),
    )?;
    check_len(
        "the columns of the matrix (of its dense view)",
        a.columns(),
        view.columns(),
    )?;
    Ok(Some(view))
}

/// [`LinearOperator::sparse_columns`], if it has the size that the operator states.
pub(crate) fn checked_sparse<T: Scalar, A: LinearOperator<T> + ?Sized>(
    a: &A,
) -> Result<Option<SparseColumns<T>>> {
    let Some(sparse) = a.sparse_columns() else {
        return Ok(None);
    };
    check_len(
        "the rows of the matrix (as a sparse one)",
        a.rows(),
        sparse.rows(),
    )?;
    check_len(
        "the columns of the matrix (as a sparse one)",
        a.columns(),
        sparse.columns(),
    )?;
    Ok(Some(sparse))
}

/// The error for a column norm that is not a number: the entry at fault, where the entries are accessible.
pub(crate) fn not_finite<T: Scalar, A: LinearOperator<T> + ?Sized>(a: &A, index: usize) -> Error {
    match a.first_not_finite() {
        Some((row, column)) => Error::NotFiniteEntry { row, column },
        None => Error::NotFinite {
            what: "norms of the columns of the matrix",
            index,
        },
    }
}

/// [`LinearOperator::column_norms`], if they can be norms: finite, not negative, and 0 for columns of zeros only.
///
/// A zero is tried out by one product with all columns of norm 0, of weights without a pattern; and if that is not 0, one after the other.
pub(crate) fn checked_norms<T: Scalar, A: LinearOperator<T> + ?Sized>(
    a: &A,
    norms: &mut [T],
) -> Result<bool> {
    if !a.column_norms(norms) {
        return Ok(false);
    }
    if let Some(index) = norms.iter().position(|c| !c.is_finite()) {
        return Err(not_finite(a, index));
    }
    let refuse = |index: usize, why| {
        Err(Error::Data {
            what: "column norms of the operator",
            index,
            value: norms[index].as_f64(),
            why,
        })
    };
    if let Some(index) = norms.iter().position(|c| *c < T::zero()) {
        return refuse(index, "must not be negative");
    }
    let empty: Vec<usize> = (0..norms.len()).filter(|j| norms[*j] == T::zero()).collect();
    if empty.is_empty() {
        return Ok(true);
    }
    let mut x: Vec<T> = zeros("a row of the matrix", norms.len())?;
    let mut y: Vec<T> = zeros("a column of the matrix", a.rows())?;
    for (k, j) in empty.iter().enumerate() {
        // (multiples of the golden ratio, modulo 1)
        x[*j] = T::one() + T::lit((k as f64 * 0.618_033_988_749_895).fract());
    }
    a.apply(&x, &mut y);
    if y.iter().all(|v| *v == T::zero()) {
        return Ok(true);
    }
    x.fill(T::zero());
    for j in empty {
        x[j] = T::one();
        a.apply(&x, &mut y);
        x[j] = T::zero();
        if norm2(&y) != T::zero() {
            return refuse(j, "is stated for a column that is not zero");
        }
    }
    Ok(true)
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, A: LinearOperator<T> + ?Sized> LinearOperator<T> for $wrapper {
            fn rows(&self) -> usize {
                (**self).rows()
            }
            fn columns(&self) -> usize {
                (**self).columns()
            }
            fn apply(&self, x: &[T], y: &mut [T]) {
                (**self).apply(x, y);
            }
            fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
                (**self).apply_adjoint(y, x);
            }
            fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
                (**self).apply_pair(p, q, ap, aq);
            }
            fn column_norms(&self, out: &mut [T]) -> bool {
                (**self).column_norms(out)
            }
            fn column(&self, j: usize, out: &mut [T]) -> bool {
                (**self).column(j, out)
            }
            fn row(&self, i: usize, out: &mut [T]) -> bool {
                (**self).row(i, out)
            }
            fn dense(&self) -> Option<Dense<'_, T>> {
                (**self).dense()
            }
            fn sparse_columns(&self) -> Option<SparseColumns<T>> {
                (**self).sparse_columns()
            }
            fn first_not_finite(&self) -> Option<(usize, usize)> {
                (**self).first_not_finite()
            }
        }
    )*};
}
forward!(&A, Box<A>, std::sync::Arc<A>, std::rc::Rc<A>);
