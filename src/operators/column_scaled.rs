//! A·diag(s): scales the columns by powers of two, which is exact.

use super::{LinearOperator, SparseColumns, checked_norms, checked_size};
use crate::checks::check_len;
use crate::linalg::{exponent, pow2};
use crate::{Error, Result, Scalar};
use std::sync::Mutex;

/// The operator A·diag(s).
///
/// With powers of two for s the scaling is exact: the scaled problem has the same solution, coordinate by
/// coordinate x_j = s_j x̂_j, rounding for rounding.
///
/// ```
/// use reparam::operators::{ColumnScaled, LinearOperator};
/// let a = nalgebra::dmatrix![3e100, 0.0; 4e100, 1e-3];
/// let scaled = ColumnScaled::power_of_two(&a).unwrap();
/// let mut norms = [0.0; 2];
/// scaled.column_norms(&mut norms);
/// assert!(norms.iter().all(|c| (1.0..2.0).contains(c)));
/// ```
#[derive(Debug)]
pub struct ColumnScaled<A, T> {
    inner: A,
    factors: Vec<T>,
    // scratch for s∘x behind `&self`: a Mutex (never contended in one solve) keeps the operator Sync
    scratch: Mutex<Vec<T>>,
}

impl<T: Scalar, A: LinearOperator<T>> ColumnScaled<A, T> {
    /// A·diag(factors).
    ///
    /// # Errors
    /// [`Error::Dimension`] unless there is one factor per column.
    ///
    /// ```
    /// use reparam::operators::{ColumnScaled, LinearOperator};
    /// let a = ColumnScaled::new(nalgebra::dmatrix![1.0, 1.0], vec![2.0, 4.0]).unwrap();
    /// let mut y = [0.0];
    /// a.apply(&[1.0, 1.0], &mut y);
    /// assert_eq!(y, [6.0]);
    /// ```
    pub fn new(inner: A, factors: Vec<T>) -> Result<Self> {
        check_len("the column factors", inner.columns(), factors.len())?;
        Ok(Self {
            inner,
            factors,
            scratch: Mutex::new(Vec::new()),
        })
    }

    /// Scales every column to a norm in [1, 2) by a power of two; zero columns keep the factor 1.
    ///
    /// # Errors
    /// [`Error::Setting`] when the operator does not know its column norms; [`Error::Data`] when what it states is no norm.
    ///
    /// ```
    /// use reparam::operators::ColumnScaled;
    /// let a = ColumnScaled::power_of_two(nalgebra::dmatrix![8.0, 0.0]).unwrap();
    /// assert_eq!(a.factors(), &[0.125, 1.0]);
    /// ```
    pub fn power_of_two(inner: A) -> Result<Self> {
        let (_, n) = checked_size(&inner)?;
        let mut norms = vec![T::zero(); n];
        if !checked_norms(&inner, &mut norms)? {
            return Err(Error::Setting {
                name: "column norms",
                why: "are not known to this operator",
            });
        }
        let factors = norms.iter().map(|c| power_of_two_factor(*c)).collect();
        Self::new(inner, factors)
    }

    /// The factors s.
    ///
    /// ```
    /// # use reparam::operators::ColumnScaled;
    /// assert_eq!(ColumnScaled::new(nalgebra::dmatrix![1.0], vec![2.0]).unwrap().factors(), &[2.0]);
    /// ```
    pub fn factors(&self) -> &[T] {
        &self.factors
    }

    fn with_scratch<R>(&self, f: impl FnOnce(&mut Vec<T>) -> R) -> R {
        // a panic in a user closure poisons the lock but cannot leave the scratch in a harmful state
        f(&mut self
            .scratch
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The power of two that brings a norm into [1, 2); 1 for zero and for what is not finite.
pub(crate) fn power_of_two_factor<T: Scalar>(norm: T) -> T {
    if norm > T::zero() && norm.is_finite() {
        pow2(-exponent(norm))
    } else {
        T::one()
    }
}

impl<T: Scalar, A: LinearOperator<T>> LinearOperator<T> for ColumnScaled<A, T> {
    fn rows(&self) -> usize {
        self.inner.rows()
    }
    fn columns(&self) -> usize {
        self.inner.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.with_scratch(|s| {
            s.clear();
            s.extend(x.iter().zip(&self.factors).map(|(x, f)| *x * *f));
            self.inner.apply(s, y);
        });
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.inner.apply_adjoint(y, x);
        for (xj, f) in x.iter_mut().zip(&self.factors) {
            *xj *= *f;
        }
    }
    fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
        self.with_scratch(|s| {
            s.clear();
            s.extend(p.iter().zip(&self.factors).map(|(x, f)| *x * *f));
            s.extend(q.iter().zip(&self.factors).map(|(x, f)| *x * *f));
            let (sp, sq) = s.split_at(p.len());
            self.inner.apply_pair(sp, sq, ap, aq);
        });
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        if !self.inner.column_norms(out) {
            return false;
        }
        for (c, f) in out.iter_mut().zip(&self.factors) {
            *c *= f.abs();
        }
        true
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        if !self.inner.column(j, out) {
            return false;
        }
        for v in out.iter_mut() {
            *v *= self.factors[j];
        }
        true
    }
    fn sparse_columns(&self) -> Option<SparseColumns<T>> {
        let of_this_size = |s: &SparseColumns<T>| s.columns() == self.factors.len();
        let mut columns = self.inner.sparse_columns().filter(of_this_size)?;
        columns.scale_columns(&self.factors);
        Some(columns)
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        self.inner.first_not_finite()
    }
}
