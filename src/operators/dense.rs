//! Dense matrices: views of slices in either order, and nalgebra matrices.

use super::LinearOperator;
use super::dense_products::{add_runs, column_norms, dot_runs};
use crate::checks::check_len;
use crate::linalg::{dot, wide};
use crate::{Error, Result, Scalar};

/// A dense m×n matrix in borrowed memory, column- or row-major, possibly with gaps between columns (rows).
///
/// ```
/// use reparam::operators::{Dense, LinearOperator};
/// let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // 2×3, row after row
/// let a = Dense::row_major(&rows, 2, 3).unwrap();
/// let mut y = [0.0; 2];
/// a.apply(&[1.0, 0.0, 1.0], &mut y);
/// assert_eq!(y, [4.0, 10.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    leading: usize,
    column_major: bool,
}

impl<'a, T> Dense<'a, T> {
    /// A matrix stored column after column: entry (i, j) is `data[j*rows + i]`.
    ///
    /// # Errors
    /// [`Error::Dimension`] unless `data.len() == rows * columns`; [`Error::SizeOverflow`].
    ///
    /// ```
    /// use reparam::operators::Dense;
    /// assert!(Dense::column_major(&[1.0; 5], 2, 3).is_err());
    /// ```
    pub fn column_major(data: &'a [T], rows: usize, columns: usize) -> Result<Self> {
        let size = rows.checked_mul(columns).ok_or(Error::SizeOverflow {
            what: "rows × columns",
        })?;
        check_len("the data of the matrix", size, data.len())?;
        Ok(Self {
            data,
            rows,
            columns,
            leading: rows.max(1),
            column_major: true,
        })
    }

    /// A matrix stored row after row: entry (i, j) is `data[i*columns + j]`.
    ///
    /// # Errors
    /// [`Error::Dimension`] unless `data.len() == rows * columns`; [`Error::SizeOverflow`].
    ///
    /// ```
    /// use reparam::operators::Dense;
    /// assert_eq!(Dense::row_major(&[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap().get(0, 1), 2.0);
    /// ```
    pub fn row_major(data: &'a [T], rows: usize, columns: usize) -> Result<Self> {
        let size = rows.checked_mul(columns).ok_or(Error::SizeOverflow {
            what: "rows × columns",
        })?;
        check_len("the data of the matrix", size, data.len())?;
        Ok(Self {
            data,
            rows,
            columns,
            leading: columns.max(1),
            column_major: false,
        })
    }

    /// A column-major matrix with `leading` ≥ rows elements from one column to the next.
    ///
    /// # Errors
    /// [`Error::Setting`] when `leading < rows`; [`Error::Dimension`] when `data` is shorter than the last entry.
    ///
    /// ```
    /// use reparam::operators::Dense;
    /// let a = Dense::with_leading(&[1.0, 2.0, -1.0, 3.0, 4.0], 2, 2, 3).unwrap();
    /// assert_eq!(a.get(1, 1), 4.0);
    /// ```
    pub fn with_leading(data: &'a [T], rows: usize, columns: usize, leading: usize) -> Result<Self> {
        if leading < rows {
            return Err(Error::Setting {
                name: "leading",
                why: "must be at least the number of rows",
            });
        }
        let size = match columns {
            0 => 0,
            _ => (columns - 1)
                .checked_mul(leading)
                .and_then(|s| s.checked_add(rows))
                .ok_or(Error::SizeOverflow {
                    what: "leading × columns",
                })?,
        };
        if data.len() < size {
            return Err(Error::Dimension {
                what: "the data of the matrix",
                expected: size,
                found: data.len(),
            });
        }
        Ok(Self {
            data,
            rows,
            columns,
            leading: leading.max(1),
            column_major: true,
        })
    }

    /// m.
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert_eq!(Dense::column_major(&[1.0; 6], 2, 3).unwrap().rows(), 2);
    /// ```
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// n.
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert_eq!(Dense::column_major(&[1.0; 6], 2, 3).unwrap().columns(), 3);
    /// ```
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Elements from one column (column-major) or row (row-major) to the next.
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert_eq!(Dense::row_major(&[1.0; 6], 2, 3).unwrap().leading(), 3);
    /// ```
    pub fn leading(&self) -> usize {
        self.leading
    }

    /// Whether columns are contiguous (rows otherwise).
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert!(Dense::column_major(&[1.0; 6], 2, 3).unwrap().is_column_major());
    /// ```
    pub fn is_column_major(&self) -> bool {
        self.column_major
    }

    /// The memory behind the view.
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert_eq!(Dense::column_major(&[1.0, 2.0], 2, 1).unwrap().data(), &[1.0, 2.0]);
    /// ```
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// A matrix without gaps whose `data` has this size by construction.
    pub(crate) fn whole(data: &'a [T], rows: usize, columns: usize, column_major: bool) -> Self {
        debug_assert_eq!(data.len(), rows * columns);
        let leading = if column_major { rows } else { columns };
        Self {
            data,
            rows,
            columns,
            leading: leading.max(1),
            column_major,
        }
    }

    /// The contiguous run number k: column k (column-major) or row k (row-major).
    #[inline]
    pub(crate) fn run(&self, k: usize) -> &'a [T] {
        let len = if self.column_major {
            self.rows
        } else {
            self.columns
        };
        // (a run without elements lies nowhere)
        let start = if len == 0 { 0 } else { k * self.leading };
        &self.data[start..start + len]
    }

    fn runs(&self) -> usize {
        if self.column_major {
            self.columns
        } else {
            self.rows
        }
    }
}

impl<T: Copy> Dense<'_, T> {
    /// Entry (i, j).
    ///
    /// # Panics
    /// When the index lies outside the matrix, as a slice does.
    ///
    /// ```
    /// # use reparam::operators::Dense;
    /// assert_eq!(Dense::column_major(&[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap().get(0, 1), 3.0);
    /// ```
    #[inline]
    pub fn get(&self, i: usize, j: usize) -> T {
        if self.column_major {
            self.data[j * self.leading + i]
        } else {
            self.data[i * self.leading + j]
        }
    }
}

/// y ← Σ_k x_k run_k.
fn combine<T: Scalar>(a: &Dense<'_, T>, x: &[T], y: &mut [T]) {
    y.fill(T::zero());
    wide(
        #[inline(always)]
        || add_runs(a, 0, x, y),
    );
}

/// Two combinations in one pass over A.
fn combine_pair<T: Scalar>(a: &Dense<'_, T>, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
    ap.fill(T::zero());
    aq.fill(T::zero());
    for (j, (pj, qj)) in p.iter().zip(q).enumerate() {
        for ((yp, yq), v) in ap.iter_mut().zip(aq.iter_mut()).zip(a.run(j)) {
            *yp += *pj * *v;
            *yq += *qj * *v;
        }
    }
}

impl<T: Scalar> LinearOperator<T> for Dense<'_, T> {
    fn rows(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.columns
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        if self.column_major {
            combine(self, x, y);
        } else {
            wide(
                #[inline(always)]
                || dot_runs(self, 0, x, y),
            );
        }
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        if self.column_major {
            wide(
                #[inline(always)]
                || dot_runs(self, 0, y, x),
            );
        } else {
            combine(self, y, x);
        }
    }
    fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
        if self.column_major {
            combine_pair(self, p, q, ap, aq);
        } else {
            for (i, (yp, yq)) in ap.iter_mut().zip(aq.iter_mut()).enumerate() {
                let row = self.run(i);
                *yp = dot(row, p);
                *yq = dot(row, q);
            }
        }
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        column_norms(self, out);
        true
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        if self.column_major {
            out.copy_from_slice(self.run(j));
        } else {
            for (i, v) in out.iter_mut().enumerate() {
                *v = self.data[i * self.leading + j];
            }
        }
        true
    }
    fn dense(&self) -> Option<Dense<'_, T>> {
        Some(*self)
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        (0..self.runs()).find_map(|k| {
            let at = self.run(k).iter().position(|v| !v.is_finite())?;
            Some(if self.column_major { (at, k) } else { (k, at) })
        })
    }
}

/// Contiguous nalgebra matrices: `DMatrix`, `SMatrix`, and views of whole columns.
///
/// A view that skips rows is not contiguous: copy it, or use [`Dense::with_leading`].
impl<T, R, C, S> LinearOperator<T> for nalgebra::Matrix<T, R, C, S>
where
    T: Scalar + nalgebra::Scalar,
    R: nalgebra::Dim,
    C: nalgebra::Dim,
    S: nalgebra::Storage<T, R, C> + nalgebra::IsContiguous,
{
    fn rows(&self) -> usize {
        self.nrows()
    }
    fn columns(&self) -> usize {
        self.ncols()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        view_of(self).apply(x, y);
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        view_of(self).apply_adjoint(y, x);
    }
    fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
        view_of(self).apply_pair(p, q, ap, aq);
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        view_of(self).column_norms(out)
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        view_of(self).column(j, out)
    }
    fn dense(&self) -> Option<Dense<'_, T>> {
        Some(view_of(self))
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        view_of(self).first_not_finite()
    }
}

fn view_of<T, R, C, S>(a: &nalgebra::Matrix<T, R, C, S>) -> Dense<'_, T>
where
    T: nalgebra::Scalar,
    R: nalgebra::Dim,
    C: nalgebra::Dim,
    S: nalgebra::Storage<T, R, C> + nalgebra::IsContiguous,
{
    let (rows, columns) = a.shape();
    Dense {
        data: a.as_slice(),
        rows,
        columns,
        leading: rows.max(1),
        column_major: true,
    }
}
