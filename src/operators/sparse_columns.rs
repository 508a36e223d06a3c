//! A sparse matrix by columns: the layout that coordinate-wise methods read.

use super::LinearOperator;
use crate::linalg::norm2;
use crate::{Error, Result, Scalar};

/// A sparse m×n matrix in compressed-column form, owned, with 32-bit row indices.
///
/// Column j holds the entries `start(j)..start(j+1)`. Rows ascend within a column; duplicate
/// entries are added up, as everywhere in sparse formats.
///
/// ```
/// use reparam::operators::{LinearOperator, SparseColumns};
/// // [[1, 0], [0, 2], [3, 0]]
/// let a = SparseColumns::from_triplets(3, 2, &[(0, 0, 1.0), (1, 1, 2.0), (2, 0, 3.0)]).unwrap();
/// let mut x = [0.0; 2];
/// a.apply_adjoint(&[1.0, 1.0, 1.0], &mut x);
/// assert_eq!(x, [4.0, 2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SparseColumns<T> {
    rows: usize,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<T>,
}

impl<T: Scalar> SparseColumns<T> {
    /// Builds the matrix from (row, column, value) triplets in any order.
    ///
    /// # Errors
    /// [`Error::Data`] when an index lies outside; [`Error::SizeOverflow`] when there are 2³² rows or more.
    ///
    /// ```
    /// use reparam::operators::SparseColumns;
    /// assert!(SparseColumns::from_triplets(2, 2, &[(2, 0, 1.0)]).is_err());
    /// ```
    pub fn from_triplets(rows: usize, columns: usize, triplets: &[(usize, usize, T)]) -> Result<Self> {
        for (index, (i, j, _)) in triplets.iter().enumerate() {
            let outside = |what, found: usize, why| {
                Err(Error::Data {
                    what,
                    index,
                    value: found as f64,
                    why,
                })
            };
            if *i >= rows {
                return outside("row index of triplets", *i, "is not below the number of rows");
            }
            if *j >= columns {
                return outside(
                    "column index of triplets",
                    *j,
                    "is not below the number of columns",
                );
            }
        }
        Self::collect(rows, columns, || triplets.iter().copied()).ok_or(Error::SizeOverflow {
            what: "the number of rows (2³² at most)",
        })
    }

    /// Counting sort by column; `entries` is walked twice. None when row numbers do not fit 32 bits.
    pub(crate) fn collect<I>(rows: usize, columns: usize, entries: impl Fn() -> I) -> Option<Self>
    where
        I: Iterator<Item = (usize, usize, T)>,
    {
        u32::try_from(rows).ok()?;
        let mut starts = vec![0usize; columns + 1];
        for (_, j, _) in entries() {
            starts[j + 1] += 1;
        }
        for j in 0..columns {
            starts[j + 1] += starts[j];
        }
        let nnz = starts[columns];
        let mut next = starts.clone();
        let mut indices = vec![0u32; nnz];
        let mut values = vec![T::zero(); nnz];
        for (i, j, v) in entries() {
            let at = next[j];
            next[j] += 1;
            // fits: i < rows, and rows fits
            indices[at] = u32::try_from(i).ok()?;
            values[at] = v;
        }
        let mut columns = Self {
            rows,
            starts,
            indices,
            values,
        };
        columns.canonicalise();
        Some(columns)
    }

    /// Sorts each column by row and adds up duplicates; nothing to do when that is so already.
    fn canonicalise(&mut self) {
        let n = self.starts.len() - 1;
        let sorted = |s: &[u32]| s.windows(2).all(|w| w[0] < w[1]);
        if (0..n).all(|j| sorted(self.entries(j).0)) {
            return;
        }
        let mut end = 0;
        let mut column: Vec<(u32, T)> = Vec::new();
        for j in 0..n {
            let span = self.starts[j]..self.starts[j + 1];
            column.clear();
            column.extend(
                self.indices[span.clone()]
                    .iter()
                    .copied()
                    .zip(self.values[span].iter().copied()),
            );
            // stable: duplicates are added in the order in which they were given
            column.sort_by_key(|(i, _)| *i);
            self.starts[j] = end;
            for (i, v) in &column {
                // writing never overtakes reading: `end` is at most where this column began
                if end > self.starts[j] && self.indices[end - 1] == *i {
                    self.values[end - 1] += *v;
                } else {
                    (self.indices[end], self.values[end]) = (*i, *v);
                    end += 1;
                }
            }
        }
        self.starts[n] = end;
        self.indices.truncate(end);
        self.values.truncate(end);
    }

    /// Row indices and values of column j.
    ///
    /// ```
    /// # use reparam::operators::SparseColumns;
    /// let a = SparseColumns::from_triplets(3, 2, &[(2, 0, 3.0), (1, 1, 2.0)]).unwrap();
    /// assert_eq!(a.entries(0), (&[2u32][..], &[3.0][..]));
    /// ```
    #[inline]
    pub fn entries(&self, j: usize) -> (&[u32], &[T]) {
        let s = self.starts[j]..self.starts[j + 1];
        (&self.indices[s.clone()], &self.values[s])
    }

    /// The number of stored entries.
    ///
    /// ```
    /// # use reparam::operators::SparseColumns;
    /// assert_eq!(SparseColumns::from_triplets(3, 2, &[(2, 0, 3.0)]).unwrap().nonzeros(), 1);
    /// ```
    pub fn nonzeros(&self) -> usize {
        self.values.len()
    }

    /// ⟨a_j, v⟩
    #[inline]
    pub(crate) fn column_dot(&self, j: usize, v: &[T]) -> T {
        let (rows, values) = self.entries(j);
        let (mut s, mut t) = (T::zero(), T::zero());
        let (rc, vc) = (rows.chunks_exact(2), values.chunks_exact(2));
        if let (Some(i), Some(a)) = (rc.remainder().first(), vc.remainder().first()) {
            s += *a * v[*i as usize];
        }
        for (i, a) in rc.zip(vc) {
            s += a[0] * v[i[0] as usize];
            t += a[1] * v[i[1] as usize];
        }
        s + t
    }

    /// v += α a_j
    #[inline]
    pub(crate) fn add_column(&self, j: usize, alpha: T, v: &mut [T]) {
        let (rows, values) = self.entries(j);
        for (i, a) in rows.iter().zip(values) {
            v[*i as usize] += alpha * *a;
        }
    }

    /// Multiplies every column by a factor.
    pub(crate) fn scale_columns(&mut self, factors: &[T]) {
        for (j, f) in factors.iter().enumerate() {
            for v in &mut self.values[self.starts[j]..self.starts[j + 1]] {
                *v *= *f;
            }
        }
    }
}

impl<T: Scalar> LinearOperator<T> for SparseColumns<T> {
    fn rows(&self) -> usize {
        self.rows
    }
    fn columns(&self) -> usize {
        self.starts.len() - 1
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        y.fill(T::zero());
        for (j, xj) in x.iter().enumerate() {
            if *xj != T::zero() {
                self.add_column(j, *xj, y);
            }
        }
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        for (j, xj) in x.iter_mut().enumerate() {
            *xj = self.column_dot(j, y);
        }
    }
    fn apply_pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T]) {
        ap.fill(T::zero());
        aq.fill(T::zero());
        for (j, (pj, qj)) in p.iter().zip(q).enumerate() {
            let (rows, values) = self.entries(j);
            for (i, a) in rows.iter().zip(values) {
                ap[*i as usize] += *pj * *a;
                aq[*i as usize] += *qj * *a;
            }
        }
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        for (j, c) in out.iter_mut().enumerate() {
            *c = norm2(self.entries(j).1);
        }
        true
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        out.fill(T::zero());
        self.add_column(j, T::one(), out);
        true
    }
    fn sparse_columns(&self) -> Option<SparseColumns<T>> {
        Some(self.clone())
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        let at = self.values.iter().position(|v| !v.is_finite())?;
        // the last column that starts at or before the entry
        let j = self.starts.partition_point(|s| *s <= at) - 1;
        Some((self.indices[at] as usize, j))
    }
}
