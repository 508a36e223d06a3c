//! From files to a problem: a matrix and the right-hand sides that go with it.

mod matrix_market;
mod npy;
mod text;

use crate::error::{Failure, Fault};
use reparam::operators::SparseColumns;
use std::fs::File;
use std::path::{Path, PathBuf};

pub(crate) use text::is_named as is_text;

/// A linear least squares problem, or several that are solved together.
pub(crate) struct System {
    pub(crate) matrix: Matrix,
    /// Right-hand sides, one after the other, each of length `rows`.
    pub(crate) rhs: Vec<f64>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) kind: Kind,
}

/// How many answers there are, and in which shape they are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// One right-hand side (m,), one x (n,).
    Vector,
    /// k right-hand sides (m, k) of one matrix, X (n, k).
    Columns(usize),
    /// k matrices with one right-hand side each, X (k, n).
    Batch(usize),
}

impl Kind {
    /// The number of right-hand sides.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Vector => 1,
            Self::Columns(k) | Self::Batch(k) => k,
        }
    }
}

/// The entries of A.
pub(crate) enum Matrix {
    /// One matrix, or a batch of matrices one after the other.
    Dense {
        /// The entries.
        data: Vec<f64>,
        /// Whether each matrix is stored column after column.
        column_major: bool,
    },
    /// From a coordinate file.
    Sparse(SparseColumns<f64>),
}

/// Bounds of x; empty where the problem has none.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) lower: Vec<f64>,
    pub(crate) upper: Vec<f64>,
}

/// Reads the problem, and the files of the lower and the upper bounds if there are any. Sizes are compared before the
/// bulk of the data is read.
pub(crate) fn read(
    matrix: &Path,
    rhs: &Path,
    bounds: Option<(&PathBuf, &PathBuf)>,
) -> Result<(System, Bounds), Failure> {
    let a = open_matrix(matrix)?;
    let b = Vectors::open(rhs, false)?;
    let (rows, columns, batch) = a.sizes(matrix)?;
    let kind = check_rhs((rows, columns), batch, b.shape(), matrix).map_err(|fault| fault.of(rhs))?;
    let bounds = match bounds {
        None => Bounds::default(),
        Some((lower, upper)) => read_bounds(lower, upper, columns, matrix)?,
    };
    let a = a.read(matrix)?;
    let b = b.read()?;
    // right-hand sides are wanted one after the other; the shapes (m, k) and (k, m) say the same in other words
    let scattered = match kind {
        Kind::Vector => false,
        Kind::Columns(_) => !b.fortran,
        Kind::Batch(_) => b.fortran,
    };
    let rhs = if scattered {
        transpose(&b.data, rows, kind.count()).map_err(|fault| fault.of(rhs))?
    } else {
        b.data
    };
    let system = System {
        matrix: a,
        rhs,
        rows,
        columns,
        kind,
    };
    Ok((system, bounds))
}

/// A number in place of the name of a file.
fn number(path: &Path) -> Option<f64> {
    path.to_str().and_then(|word| word.parse().ok())
}

fn read_bounds(lower: &Path, upper: &Path, columns: usize, matrix: &Path) -> Result<Bounds, Failure> {
    let open = |path: &Path| {
        // one number for all coordinates
        if let Some(bound) = number(path) {
            return if bound.is_nan() {
                Err(Failure::Usage("a bound is not a number".into()))
            } else {
                Ok(vec![bound; columns])
            };
        }
        let pending = Vectors::open(path, true)?;
        let fault = match *pending.shape() {
            [n] if n == columns => return Ok(pending.read()?.data),
            // a line of text is as good as a column
            [1, n] if n == columns && matches!(pending, Vectors::Text(_)) => return Ok(pending.read()?.data),
            [n] => Fault::Mismatch {
                what: "entries",
                found: n,
                expected: columns,
                of: "columns",
                matrix: matrix.to_path_buf(),
                hint: "",
            },
            ref other => Fault::Dimensions {
                found: other.len(),
                expected: "1 (columns)",
            },
        };
        Err(fault.of(path))
    };
    let bounds = Bounds {
        lower: open(lower)?,
        upper: open(upper)?,
    };
    let both = (number(lower), number(upper));
    if let (Some(lo), Some(hi)) = both
        && (lo > hi || lo == f64::INFINITY || hi == f64::NEG_INFINITY)
    {
        return Err(Failure::Usage(format!(
            "--lower {} --upper {}: no number lies between",
            lower.display(),
            upper.display()
        )));
    }
    for (index, (lo, hi)) in bounds.lower.iter().zip(&bounds.upper).enumerate() {
        if lo > hi || *lo == f64::INFINITY || *hi == f64::NEG_INFINITY {
            let fault = Fault::Crossed {
                index,
                lower: *lo,
                upper: *hi,
                below: lower.to_path_buf(),
            };
            return Err(fault.of(upper));
        }
    }
    Ok(bounds)
}

/// Right-hand sides or bounds.
enum Vectors {
    Npy { pending: npy::Pending, infinities: bool },
    Text(npy::Array),
}

impl Vectors {
    fn open(path: &Path, infinities: bool) -> Result<Self, Failure> {
        if !is_text(path) {
            let pending = npy::open(path)?;
            return Ok(Self::Npy { pending, infinities });
        }
        let mut table = text::read(path, infinities)?;
        // one column of text is a vector
        if let [rows, 1] = *table.shape {
            table.shape = vec![rows];
        }
        Ok(Self::Text(table))
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Npy { pending, .. } => &pending.shape,
            Self::Text(table) => &table.shape,
        }
    }

    fn read(self) -> Result<npy::Array, Failure> {
        match self {
            Self::Npy {
                pending,
                infinities: true,
            } => pending.read_with_infinities(),
            Self::Npy { pending, .. } => pending.read(),
            Self::Text(table) => Ok(table),
        }
    }
}

enum Pending {
    Npy(npy::Pending),
    MatrixMarket(matrix_market::Pending),
    Text(npy::Array),
}

fn open_matrix(path: &Path) -> Result<Pending, Failure> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("npy") => npy::open(path).map(Pending::Npy),
        Some("mtx") => matrix_market::open(path).map(Pending::MatrixMarket),
        _ if is_text(path) => text::read(path, false).map(Pending::Text),
        _ => Err(Fault::UnknownFormat.of(path)),
    }
}

impl Pending {
    /// Rows, columns, and the number of matrices when they are a batch.
    fn sizes(&self, path: &Path) -> Result<(usize, usize, Option<usize>), Failure> {
        match self {
            Self::MatrixMarket(a) => Ok((a.rows(), a.columns(), None)),
            Self::Npy(npy::Pending { shape, .. }) | Self::Text(npy::Array { shape, .. }) => match **shape {
                [m, n] => Ok((m, n, None)),
                [k, m, n] => Ok((m, n, Some(k))),
                ref other => {
                    let expected = "2 (rows, columns) or 3 (problems, rows, columns)";
                    Err(Fault::Dimensions {
                        found: other.len(),
                        expected,
                    }
                    .of(path))
                }
            },
        }
    }

    fn read(self, path: &Path) -> Result<Matrix, Failure> {
        match self {
            Self::MatrixMarket(a) => Ok(match a.read()? {
                matrix_market::Parsed::Dense(data) => Matrix::Dense {
                    data,
                    column_major: true,
                },
                matrix_market::Parsed::Sparse(sparse) => Matrix::Sparse(sparse),
            }),
            Self::Text(table) => Ok(Matrix::Dense {
                data: table.data,
                column_major: false,
            }),
            Self::Npy(a) => {
                let a = a.read()?;
                let data = match *a.shape.as_slice() {
                    // the batch index runs fastest: gather each matrix
                    [k, m, n] if a.fortran => transpose(&a.data, m * n, k).map_err(|fault| fault.of(path))?,
                    _ => a.data,
                };
                Ok(Matrix::Dense {
                    data,
                    column_major: a.fortran,
                })
            }
        }
    }
}

/// The right-hand sides must match the rows of the matrix, or a batch in both sizes.
fn check_rhs(
    (rows, columns): (usize, usize),
    batch: Option<usize>,
    shape: &[usize],
    matrix: &Path,
) -> Result<Kind, Fault> {
    // what most often is behind a wrong size
    let hint = match *shape {
        [1, m] if m == rows => "; one right-hand side has the shape (rows,), in text one number a line",
        [m, k] if k == rows && m != rows => "; right-hand sides are columns: is it transposed?",
        [m] | [m, _] if m == columns && m != rows => "; it fits the transposed matrix",
        _ => "",
    };
    let expect = |what, found, expected, of| {
        if found == expected {
            Ok(())
        } else {
            Err(Fault::Mismatch {
                what,
                found,
                expected,
                of,
                matrix: matrix.to_path_buf(),
                hint: if batch.is_none() { hint } else { "" },
            })
        }
    };
    match (batch, shape) {
        (None, &[m]) => expect("rows", m, rows, "rows").map(|()| Kind::Vector),
        (None, &[m, k]) => expect("rows", m, rows, "rows").map(|()| Kind::Columns(k)),
        (None, other) => {
            let expected = "1 (rows) or 2 (rows, right-hand sides)";
            Err(Fault::Dimensions {
                found: other.len(),
                expected,
            })
        }
        (Some(problems), &[k, m]) => {
            expect("rows", k, problems, "problems")?;
            expect("columns", m, rows, "rows").map(|()| Kind::Batch(k))
        }
        (Some(_), other) => {
            let expected = "2 (problems, rows), as the matrix is a batch";
            Err(Fault::Dimensions {
                found: other.len(),
                expected,
            })
        }
    }
}

/// From row after row of an outer × inner matrix to column after column.
fn transpose(a: &[f64], outer: usize, inner: usize) -> Result<Vec<f64>, Fault> {
    let mut t = reserve(a.len())?;
    for j in 0..inner {
        t.extend((0..outer).map(|i| a[i * inner + j]));
    }
    Ok(t)
}

/// Opens a file of data and states its size; a directory or a pipe has none.
fn open_regular(path: &Path) -> Result<(File, u64), Fault> {
    // asked before the file is opened: opening a pipe waits for somebody to write to it
    let metadata = std::fs::metadata(path).map_err(Fault::io("cannot be opened"))?;
    if metadata.is_dir() {
        return Err(Fault::NotAFile("a directory"));
    }
    if !metadata.is_file() {
        return Err(Fault::NotAFile("a device or a pipe"));
    }
    let file = File::open(path).map_err(Fault::io("cannot be opened"))?;
    Ok((file, metadata.len()))
}

/// Room for `len` elements; no abort when there is not enough memory.
fn reserve<T>(len: usize) -> Result<Vec<T>, Fault> {
    let mut v = Vec::new();
    match v.try_reserve_exact(len) {
        Ok(()) => Ok(v),
        Err(_) => Err(Fault::Claim(format!(
            "{len} elements, for which there is not enough memory"
        ))),
    }
}

/// An integer as float64, when that does not round it.
fn exact(value: i128) -> Option<f64> {
    let rounded = value as f64;
    (rounded as i128 == value).then_some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_convert_exactly_or_not_at_all() {
        let power = 1i128 << 53;
        assert_eq!(exact(power), Some(9_007_199_254_740_992.0));
        assert_eq!(exact(power + 1), None);
        assert_eq!(exact(-power), Some(-9_007_199_254_740_992.0));
        assert_eq!(exact(i128::from(i64::MIN)), Some(-9_223_372_036_854_775_808.0));
        assert_eq!(exact(i128::from(u64::MAX)), None);
    }

    #[test]
    fn transposition() {
        // [[1, 2, 3], [4, 5, 6]]
        assert_eq!(
            transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3).unwrap(),
            [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]
        );
    }
}
