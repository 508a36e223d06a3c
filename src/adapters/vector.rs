//! Vectors and matrices of other libraries as slices.

use crate::Scalar;
use nalgebra::{DMatrix, DVector};

/// A vector of parameters: `Vec<T>`, `nalgebra::DVector<T>`, or a type of the user's.
///
/// ```
/// use reparam::adapters::ParamVec;
/// let v: nalgebra::DVector<f64> = ParamVec::from_slice(&[1.0, 2.0]);
/// assert_eq!(ParamVec::as_slice(&v), &[1.0, 2.0]);
/// ```
pub trait ParamVec: Clone {
    /// The type of its entries.
    type Entry: Scalar;

    /// The dense matrix that goes with it: `Vec<Vec<T>>` (rows), `nalgebra::DMatrix<T>`.
    type Matrix: ParamMatrix<Self::Entry>;

    /// A vector with these entries.
    fn from_slice(v: &[Self::Entry]) -> Self;

    /// The entries.
    fn as_slice(&self) -> &[Self::Entry];

    /// The entries, to be written.
    fn as_mut_slice(&mut self) -> &mut [Self::Entry];
}

/// A dense matrix of another library.
///
/// ```
/// use reparam::adapters::ParamMatrix;
/// let m = <Vec<Vec<f64>>>::from_fn(2, 3, |i, j| (10 * i + j) as f64);
/// assert_eq!((m.rows(), m.columns(), m.entry(1, 2)), (2, 3, 12.0));
/// ```
pub trait ParamMatrix<T: Scalar>: Clone {
    /// The m×n matrix with the entries f(i, j).
    fn from_fn(rows: usize, columns: usize, entry: impl FnMut(usize, usize) -> T) -> Self;

    /// m.
    fn rows(&self) -> usize;

    /// n.
    fn columns(&self) -> usize;

    /// The entry in row i and column j, both from 0.
    fn entry(&self, i: usize, j: usize) -> T;

    /// Whether every row has n entries: false for a list of rows of different lengths.
    fn is_rectangular(&self) -> bool {
        true
    }
}

impl<T: Scalar> ParamVec for Vec<T> {
    type Entry = T;
    type Matrix = Vec<Vec<T>>;

    fn from_slice(v: &[T]) -> Self {
        v.to_vec()
    }
    fn as_slice(&self) -> &[T] {
        self
    }
    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}

impl<T: Scalar> ParamVec for DVector<T> {
    type Entry = T;
    type Matrix = DMatrix<T>;

    fn from_slice(v: &[T]) -> Self {
        Self::from_column_slice(v)
    }
    fn as_slice(&self) -> &[T] {
        self.as_slice()
    }
    fn as_mut_slice(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T: Scalar> ParamMatrix<T> for Vec<Vec<T>> {
    fn from_fn(rows: usize, columns: usize, mut entry: impl FnMut(usize, usize) -> T) -> Self {
        (0..rows)
            .map(|i| (0..columns).map(|j| entry(i, j)).collect())
            .collect()
    }
    fn rows(&self) -> usize {
        self.len()
    }
    fn columns(&self) -> usize {
        self.first().map_or(0, Vec::len)
    }
    fn entry(&self, i: usize, j: usize) -> T {
        self[i][j]
    }
    fn is_rectangular(&self) -> bool {
        self.iter().all(|row| row.len() == self.columns())
    }
}

impl<T: Scalar> ParamMatrix<T> for DMatrix<T> {
    fn from_fn(rows: usize, columns: usize, entry: impl FnMut(usize, usize) -> T) -> Self {
        Self::from_fn(rows, columns, entry)
    }
    fn rows(&self) -> usize {
        self.nrows()
    }
    fn columns(&self) -> usize {
        self.ncols()
    }
    fn entry(&self, i: usize, j: usize) -> T {
        self[(i, j)]
    }
}
