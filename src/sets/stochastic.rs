//! Matrices whose rows (or columns) lie in the simplex.

use super::{ConstraintSet, Simplex};
use crate::checks::check_not_empty;
use crate::linalg::max_or_nan;
use crate::{Error, Result, Scalar};

/// Stochastic matrices, row-major: every row (or every column) is non-negative with sum 1.
///
/// A product of [simplices](Simplex) over the lines of the matrix; all measures go line by line.
///
/// ```
/// use reparam::sets::{ConstraintSet, StochasticMatrices};
/// let rows = StochasticMatrices::by_rows(2, 2).unwrap();
/// let columns = StochasticMatrices::by_columns(2, 2).unwrap();
/// let x = [1.0, 0.0, 0.5, 0.5];
/// assert_eq!((rows.violation(&x), columns.violation(&x)), (0.0, 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StochasticMatrices<T> {
    line: Simplex<T>,
    rows: usize,
    columns: usize,
    by_rows: bool,
}

/// At least one entry, and no more than can be numbered.
fn check_entries(rows: usize, columns: usize) -> Result<()> {
    let entries = rows.checked_mul(columns).ok_or(Error::SizeOverflow {
        what: "rows × columns",
    })?;
    check_not_empty("the matrix", entries)
}

impl<T: Scalar> StochasticMatrices<T> {
    /// Rows sum to 1.
    ///
    /// # Errors
    /// [`Error::Empty`] for a matrix without entries; [`Error::SizeOverflow`].
    ///
    /// ```
    /// assert!(reparam::sets::StochasticMatrices::<f64>::by_rows(2, 0).is_err());
    /// ```
    pub fn by_rows(rows: usize, columns: usize) -> Result<Self> {
        check_entries(rows, columns)?;
        Ok(Self {
            line: Simplex::new(columns, T::one())?,
            rows,
            columns,
            by_rows: true,
        })
    }

    /// Columns sum to 1.
    ///
    /// # Errors
    /// [`Error::Empty`] for a matrix without entries; [`Error::SizeOverflow`].
    ///
    /// ```
    /// assert!(reparam::sets::StochasticMatrices::<f64>::by_columns(0, 2).is_err());
    /// ```
    pub fn by_columns(rows: usize, columns: usize) -> Result<Self> {
        check_entries(rows, columns)?;
        Ok(Self {
            line: Simplex::new(rows, T::one())?,
            rows,
            columns,
            by_rows: false,
        })
    }

    /// The number of lines (rows or columns), and the number of entries of each.
    ///
    /// ```
    /// # use reparam::sets::StochasticMatrices;
    /// assert_eq!(StochasticMatrices::<f64>::by_rows(2, 3).unwrap().lines(), (2, 3));
    /// ```
    pub fn lines(&self) -> (usize, usize) {
        if self.by_rows {
            (self.rows, self.columns)
        } else {
            (self.columns, self.rows)
        }
    }

    /// Index in x of entry k of a line.
    ///
    /// ```
    /// # use reparam::sets::StochasticMatrices;
    /// assert_eq!(StochasticMatrices::<f64>::by_columns(2, 3).unwrap().index(1, 1), 4);
    /// ```
    #[inline]
    pub fn index(&self, line: usize, k: usize) -> usize {
        if self.by_rows {
            line * self.columns + k
        } else {
            k * self.columns + line
        }
    }

    fn gather(&self, line: usize, v: &[T]) -> Vec<T> {
        (0..self.lines().1).map(|k| v[self.index(line, k)]).collect()
    }

    fn scatter(&self, line: usize, from: &[T], to: &mut [T]) {
        for (k, v) in from.iter().enumerate() {
            to[self.index(line, k)] = *v;
        }
    }
}

impl<T: Scalar> ConstraintSet<T> for StochasticMatrices<T> {
    fn dim(&self) -> usize {
        self.rows * self.columns
    }
    fn violation(&self, x: &[T]) -> T {
        max_or_nan((0..self.lines().0).map(|l| self.line.violation(&self.gather(l, x))))
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        max_or_nan((0..self.lines().0).map(|l| {
            let c = scale.map(|c| self.gather(l, c));
            self.line
                .natural_residual(&self.gather(l, x), &self.gather(l, g), c.as_deref())
        }))
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        let mut mu = vec![T::zero(); self.lines().1];
        for l in 0..self.lines().0 {
            self.line
                .multipliers(&self.gather(l, x), &self.gather(l, g), &mut mu);
            self.scatter(l, &mu, out);
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        self.lines().1.saturating_add(self.line.scratch_len())
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let (lines, len) = self.lines();
        let (y, rest) = work.split_at_mut(len);
        for l in 0..lines {
            for (k, y) in y.iter_mut().enumerate() {
                *y = x[self.index(l, k)];
            }
            self.line.project_in(y, rest);
            self.scatter(l, y, x);
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        if g.iter().any(|v| v.is_nan()) {
            return false;
        }
        s.fill(T::zero());
        let (lines, len) = self.lines();
        for l in 0..lines {
            let smaller = |best: usize, k: usize| {
                if g[self.index(l, k)] < g[self.index(l, best)] {
                    k
                } else {
                    best
                }
            };
            s[self.index(l, (1..len).fold(0, smaller))] = T::one();
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        (0..self.lines().0)
            .map(|l| self.line.frank_wolfe_gap(&self.gather(l, x), &self.gather(l, g)))
            .sum()
    }
}
