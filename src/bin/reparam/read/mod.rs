//! From files to a problem: a matrix and the right-hand sides that go with it.

mod matrix_market;
mod npy;
mod text;

use crate::error::{Disagreement, Failure, Fault};
use reparam::operators::SparseColumns;
use std::fs::File;
use std::io::Read;
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
    pub(crate) names: Names,
}

/// Names, from files that have some.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Of the rows of A, which are those of b.
    pub(crate) rows: Option<Vec<String>>,
    /// Of the columns of A, which are the entries of x.
    pub(crate) columns: Option<Vec<String>>,
    /// Of the right-hand sides, or of the problems of a batch.
    pub(crate) answers: Option<Vec<String>>,
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
    let mut a = open_matrix(matrix)?;
    let mut b = Vectors::open(rhs, false)?;
    let (rows, columns, batch) = a.sizes(matrix)?;
    let kind = check_rhs((rows, columns), batch, b.shape(), matrix).map_err(|fault| fault.of(rhs))?;
    let mut names = a.take_names();
    let of_b = b.take_names();
    match kind {
        Kind::Batch(_) => names.answers = of_b.rows,
        Kind::Vector | Kind::Columns(_) => {
            if matches!(kind, Kind::Columns(_)) {
                names.answers = of_b.columns;
            }
            agree("row", &of_b.rows, rhs, &names.rows, matrix)?;
            names.rows = names.rows.or(of_b.rows);
        }
    }
    let bounds = match bounds {
        None => Bounds::default(),
        Some((lower, upper)) => read_bounds(lower, upper, (rows, columns), matrix, &mut names)?,
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
        names,
    };
    Ok((system, bounds))
}

/// Refuses names that disagree: what stands in another order would give a wrong answer without a word.
fn agree(
    what: &'static str,
    these: &Option<Vec<String>>,
    path: &Path,
    those: &Option<Vec<String>>,
    other: &Path,
) -> Result<(), Failure> {
    let (Some(these), Some(those)) = (these, those) else {
        return Ok(());
    };
    let mut both = these.iter().zip(those).enumerate();
    let Some((at, (this, that))) = both.find(|(_, (a, b))| a != b) else {
        return Ok(());
    };
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    let disagreement = Disagreement {
        what,
        number: at + 1,
        this: this.clone(),
        that: that.clone(),
        other: other.to_path_buf(),
        hint: if sorted(these) == sorted(those) {
            ": the same names in another order"
        } else {
            ""
        },
    };
    Err(Fault::Names(Box::new(disagreement)).of(path))
}

/// A number in place of the name of a file.
fn number(path: &Path) -> Option<f64> {
    path.to_str().and_then(|word| word.parse().ok())
}

fn read_bounds(
    lower: &Path,
    upper: &Path,
    (rows, columns): (usize, usize),
    matrix: &Path,
    names: &mut Names,
) -> Result<Bounds, Failure> {
    // whose names of columns are known, from which file
    let mut named_in = matrix.to_path_buf();
    let mut open = |path: &Path| {
        // one number for all coordinates
        if let Some(bound) = number(path) {
            return if bound.is_nan() {
                Err(Failure::Usage("a bound is not a number".into()))
            } else {
                Ok(vec![bound; columns])
            };
        }
        let mut pending = Vectors::open(path, true)?;
        let own = pending.take_names();
        let fault = match *pending.shape() {
            [n] if n == columns => {
                agree("entry", &own.rows, path, &names.columns, &named_in)?;
                if names.columns.is_none() && own.rows.is_some() {
                    (names.columns, named_in) = (own.rows, path.to_path_buf());
                }
                return Ok(pending.read()?.data);
            }
            // a line of text is as good as a column
            [1, n] if n == columns && matches!(pending, Vectors::Text(_)) => {
                agree("entry", &own.columns, path, &names.columns, &named_in)?;
                return Ok(pending.read()?.data);
            }
            [n] => Fault::Mismatch {
                what: "entry",
                found: n,
                expected: columns,
                of: "columns",
                matrix: matrix.to_path_buf(),
                hint: if n == rows { TRANSPOSED } else { "" },
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
            // one of them is a file: both numbers were compared above
            let (path, this, side, that, other) = match both.1 {
                None => (
                    upper,
                    *hi,
                    "lower",
                    *lo,
                    both.0.map_or(lower.display().to_string(), |_| "--lower".into()),
                ),
                Some(_) => (lower, *lo, "upper", *hi, "--upper".into()),
            };
            let fault = Fault::Crossed {
                index,
                this,
                side,
                that,
                other,
            };
            return Err(fault.of(path));
        }
    }
    Ok(bounds)
}

/// Right-hand sides or bounds.
enum Vectors {
    Npy { pending: npy::Pending, infinities: bool },
    Text(text::Table),
}

impl Vectors {
    fn open(path: &Path, infinities: bool) -> Result<Self, Failure> {
        if !is_text(path) {
            let pending = npy::open(path)?;
            return Ok(Self::Npy { pending, infinities });
        }
        let mut table = text::read(path, infinities)?;
        // one column of text is a vector
        if let [rows, 1] = *table.array.shape {
            table.array.shape = vec![rows];
        }
        Ok(Self::Text(table))
    }

    fn take_names(&mut self) -> Names {
        match self {
            Self::Npy { .. } => Names::default(),
            Self::Text(table) => Names::of(table),
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Npy { pending, .. } => &pending.shape,
            Self::Text(table) => &table.array.shape,
        }
    }

    fn read(self) -> Result<npy::Array, Failure> {
        match self {
            Self::Npy {
                pending,
                infinities: true,
            } => pending.read_with_infinities(),
            Self::Npy { pending, .. } => pending.read(),
            Self::Text(table) => Ok(table.array),
        }
    }
}

impl Names {
    fn of(table: &mut text::Table) -> Self {
        Self {
            rows: table.rows.take(),
            columns: table.columns.take(),
            answers: None,
        }
    }
}

enum Pending {
    Npy(npy::Pending),
    MatrixMarket(matrix_market::Pending),
    Text(text::Table),
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
            Self::Npy(npy::Pending { shape, .. })
            | Self::Text(text::Table {
                array: npy::Array { shape, .. },
                ..
            }) => match **shape {
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

    fn take_names(&mut self) -> Names {
        match self {
            Self::Text(table) => Names::of(table),
            Self::MatrixMarket(_) | Self::Npy(_) => Names::default(),
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
                data: table.array.data,
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

/// What most often is behind sizes that fit the other way round.
const TRANSPOSED: &str =
    "; it fits the transposed matrix (rows of the matrix are measurements, its columns are unknowns)";

/// The right-hand sides must match the rows of the matrix, or a batch in both sizes.
fn check_rhs(
    (rows, columns): (usize, usize),
    batch: Option<usize>,
    shape: &[usize],
    matrix: &Path,
) -> Result<Kind, Fault> {
    let text = is_text(matrix);
    // what most often is behind a wrong size
    let hint = match *shape {
        [1, m] if m == rows => "; one right-hand side has the shape (rows,), in text one number a line",
        [m, k] if k == rows && m != rows => "; right-hand sides are columns: is it transposed?",
        [m] | [m, _] if m == columns && m != rows => TRANSPOSED,
        [m] | [m, _] if text && m + 1 == rows => {
            "; is the first line of the matrix one of names? Its first cell is left empty then"
        }
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
        (None, &[m]) => expect("row", m, rows, "rows").map(|()| Kind::Vector),
        (None, &[m, k]) => expect("row", m, rows, "rows").map(|()| Kind::Columns(k)),
        (None, other) => {
            let expected = "1 (rows) or 2 (rows, right-hand sides)";
            Err(Fault::Dimensions {
                found: other.len(),
                expected,
            })
        }
        (Some(problems), &[k, m]) => {
            expect("row", k, problems, "problems")?;
            expect("column", m, rows, "rows").map(|()| Kind::Batch(k))
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

/// The bytes of a file.
fn read_bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let (mut file, size) = open_regular(path)?;
    let mut bytes = reserve(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)
        .map_err(Fault::io("cannot be read"))?;
    Ok(bytes)
}

/// The text of a file, in UTF-8 or, with the mark that says so, UTF-16 (as Windows writes both); other bytes are taken for Latin-1, which
/// units and names may be in. The mark is no part of it.
fn decode(bytes: Vec<u8>) -> String {
    let wide = |from: fn([u8; 2]) -> u16| {
        let pairs = bytes[2..].chunks_exact(2);
        let units: Vec<u16> = pairs.map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    if bytes.starts_with(b"\xff\xfe") {
        return wide(u16::from_le_bytes);
    }
    if bytes.starts_with(b"\xfe\xff") {
        return wide(u16::from_be_bytes);
    }
    let mut text =
        String::from_utf8(bytes).unwrap_or_else(|e| e.as_bytes().iter().copied().map(char::from).collect());
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    text
}

/// Room for `len` bytes of text, as `reserve`.
fn reserve_text(len: usize) -> Result<String, Fault> {
    let mut text = String::new();
    match text.try_reserve_exact(len) {
        Ok(()) => Ok(text),
        Err(_) => Err(no_memory(len)),
    }
}

/// Room for `len` elements; no abort when there is not enough memory.
fn reserve<T>(len: usize) -> Result<Vec<T>, Fault> {
    let mut v = Vec::new();
    match v.try_reserve_exact(len) {
        Ok(()) => Ok(v),
        Err(_) => Err(no_memory(len)),
    }
}

fn no_memory(len: usize) -> Fault {
    Fault::Claim(format!("{len} elements, for which there is not enough memory"))
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
    fn the_mark_of_an_encoding_is_no_part_of_the_text() {
        assert_eq!(decode(b"\xef\xbb\xbf1,2\n".to_vec()), "1,2\n");
        assert_eq!(decode(b"\xff\xfe1\0\xb5\0".to_vec()), "1µ");
        assert_eq!(decode(b"\xfe\xff\x001\0\xb5".to_vec()), "1µ");
        assert_eq!(decode(b"\xb5g".to_vec()), "µg");
        assert_eq!(decode("µg".into()), "µg");
        assert_eq!(decode(b"\xff\xfe".to_vec()), "");
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
