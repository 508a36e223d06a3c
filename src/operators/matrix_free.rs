//! Operators given by two closures.

use super::LinearOperator;
use crate::checks::{check_finite, check_len};
use crate::{Error, Result, Scalar};

/// An operator known only through its products: x ↦ A x and y ↦ Aᵀ y.
///
/// Each closure overwrites its second argument. That the second is the adjoint of the first is *your*
/// responsibility: test it once with [`check_operator`](crate::testing::check_operator).
///
/// Small ones (up to 512 columns) are written out by products with A and then solved as dense matrices: the adjoint is
/// first needed above that.
///
/// Optimality is measured in units of the column norms ‖a_j‖. Give them if you know them
/// ([`with_column_norms`](Self::with_column_norms)); otherwise solvers take them from n products A e_j.
///
/// ```
/// use reparam::operators::{LinearOperator, MatrixFree};
/// // cumulative sums: (A x)_i = x_0 + … + x_i
/// let a = MatrixFree::new(
///     3,
///     3,
///     |x: &[f64], y: &mut [f64]| {
///         let mut s = 0.0;
///         for (yi, xi) in y.iter_mut().zip(x) {
///             s += xi;
///             *yi = s;
///         }
///     },
///     |y: &[f64], x: &mut [f64]| {
///         let mut s = 0.0;
///         for (xi, yi) in x.iter_mut().zip(y).rev() {
///             s += yi;
///             *xi = s;
///         }
///     },
/// );
/// let mut y = [0.0; 3];
/// a.apply(&[1.0, 1.0, 1.0], &mut y);
/// assert_eq!(y, [1.0, 2.0, 3.0]);
/// assert!(reparam::testing::check_operator(&a, 1).passed());
/// ```
#[derive(Clone)]
pub struct MatrixFree<T, F, G> {
    rows: usize,
    columns: usize,
    apply: F,
    adjoint: G,
    norms: Option<Vec<T>>,
}

impl<T: std::fmt::Debug, F, G> std::fmt::Debug for MatrixFree<T, F, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MatrixFree")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .field("norms", &self.norms)
            .finish_non_exhaustive()
    }
}

impl<T, F, G> MatrixFree<T, F, G>
where
    T: Scalar,
    F: Fn(&[T], &mut [T]),
    G: Fn(&[T], &mut [T]),
{
    /// An m×n operator from its product and its adjoint product.
    ///
    /// ```
    /// use reparam::operators::{LinearOperator, MatrixFree};
    /// let double = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y = 2.0 * x);
    /// assert_eq!(MatrixFree::new(4, 4, double, double).rows(), 4);
    /// ```
    pub fn new(rows: usize, columns: usize, apply: F, adjoint: G) -> Self {
        Self {
            rows,
            columns,
            apply,
            adjoint,
            norms: None,
        }
    }

    /// States the norms ‖a_j‖₂ of the columns.
    ///
    /// # Errors
    /// [`Error::Dimension`] unless there are n of them, [`Error::NotFinite`], [`Error::Setting`] for a negative one.
    ///
    /// ```
    /// use reparam::operators::{LinearOperator, MatrixFree};
    /// let double = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y = 2.0 * x);
    /// let a = MatrixFree::new(2, 2, double, double).with_column_norms(vec![2.0, 2.0]).unwrap();
    /// let mut c = [0.0; 2];
    /// assert!(a.column_norms(&mut c));
    /// ```
    pub fn with_column_norms(mut self, norms: Vec<T>) -> Result<Self> {
        check_len("the column norms", self.columns, norms.len())?;
        check_finite("column norms", &norms)?;
        if norms.iter().any(|c| *c < T::zero()) {
            return Err(Error::Setting {
                name: "column norms",
                why: "must not be negative",
            });
        }
        self.norms = Some(norms);
        Ok(self)
    }
}

impl<T, F, G> LinearOperator<T> for MatrixFree<T, F, G>
where
    T: Scalar,
    F: Fn(&[T], &mut [T]),
    G: Fn(&[T], &mut [T]),
{
    fn rows(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.columns
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        (self.apply)(x, y);
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        (self.adjoint)(y, x);
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        match &self.norms {
            Some(norms) => {
                out.copy_from_slice(norms);
                true
            }
            None => false,
        }
    }
}
