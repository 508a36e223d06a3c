//! Matrix Market files. `nalgebra-sparse` parses them; it trusts the sizes and the indices, so these are
//! checked line by line first, which also gives every complaint its line number.

use crate::error::{Failure, Fault, Shape};
use nalgebra_sparse::coo::CooMatrix;
use nalgebra_sparse::io::{MatrixMarketError, MatrixMarketScalar, load_coo_from_matrix_market_str};
use reparam::operators::{LinearOperator, SparseColumns};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Rows or columns without a single entry cost no bytes in the file but memory in a solve. A size line may
/// claim this many of them; beyond that it is taken for damaged.
const EMPTY_LINES: usize = 1 << 24;

/// A file whose header, sizes and indices are sound.
pub(super) struct Pending {
    path: PathBuf,
    text: String,
    header: Header,
}

/// The matrix of a file.
pub(super) enum Parsed {
    /// `array`: column-major.
    Dense(Vec<f64>),
    /// `coordinate`.
    Sparse(SparseColumns<f64>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Real,
    Integer,
    Pattern,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Symmetry {
    General,
    Symmetric,
    Skew,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Header {
    coordinate: bool,
    field: Field,
    symmetry: Symmetry,
    rows: usize,
    columns: usize,
    /// Lines of entries.
    entries: usize,
}

/// Reads the file and checks it, short of converting its numbers.
pub(super) fn open(path: &Path) -> Result<Pending, Failure> {
    open_file(path).map_err(|fault| fault.of(path))
}

fn open_file(path: &Path) -> Result<Pending, Fault> {
    let (mut file, size) = super::open_regular(path)?;
    let mut bytes = super::reserve(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)
        .map_err(Fault::io("cannot be read"))?;
    // comments of old files are in Latin-1: what is not UTF-8 there does no harm
    let text =
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    let header = check(&text)?;
    Ok(Pending {
        path: path.to_path_buf(),
        text,
        header,
    })
}

fn malformed(why: String) -> Fault {
    Fault::Format {
        format: "Matrix Market",
        why,
    }
}

/// A word of the file, short enough for a message.
fn quote(word: &str) -> String {
    let mut short: String = word.chars().take(40).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    format!("'{short}'")
}

/// The header and the sizes; then every line of entries has indices in range, and there are as many as claimed.
fn check(text: &str) -> Result<Header, Fault> {
    let mut lines = text.lines().enumerate().map(|(k, line)| (k + 1, line.trim()));
    let mut lines = lines.by_ref().filter(|(_, line)| !line.is_empty());
    let (_, banner) = lines.next().ok_or_else(|| malformed("it is empty".into()))?;
    let (coordinate, field, symmetry) = check_banner(banner)?;
    let (number, sizes) = lines
        .by_ref()
        .find(|(_, line)| !line.starts_with('%'))
        .ok_or_else(|| malformed("it ends before its size line".into()))?;
    let header = check_sizes(coordinate, field, symmetry, number, sizes, text.len())?;
    let mut found = 0usize;
    for (number, line) in lines {
        found += 1;
        if found <= header.entries {
            header
                .check_entry(line)
                .map_err(|why| malformed(format!("line {number}: {why}")))?;
        }
    }
    if found != header.entries {
        return Err(malformed(format!(
            "it holds {found} entries, but its size line takes {}",
            header.entries
        )));
    }
    Ok(header)
}

fn check_banner(line: &str) -> Result<(bool, Field, Symmetry), Fault> {
    let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let unsupported = |word: &str| malformed(format!("{} matrices are not supported", quote(word)));
    match words.as_slice() {
        ["%%matrixmarket", "matrix", format, field, symmetry] => {
            let coordinate = match *format {
                "coordinate" => true,
                "array" => false,
                other => return Err(unsupported(other)),
            };
            let field = match *field {
                "real" => Field::Real,
                "integer" => Field::Integer,
                "pattern" if coordinate => Field::Pattern,
                other => return Err(unsupported(other)),
            };
            let symmetry = match *symmetry {
                "general" => Symmetry::General,
                "symmetric" => Symmetry::Symmetric,
                "skew-symmetric" if field != Field::Pattern => Symmetry::Skew,
                other => return Err(unsupported(other)),
            };
            Ok((coordinate, field, symmetry))
        }
        ["%%matrixmarket", ..] => Err(malformed(
            "its first line is not '%%MatrixMarket matrix <format> <field> <symmetry>'".into(),
        )),
        _ => Err(malformed("it does not begin with '%%MatrixMarket'".into())),
    }
}

fn check_sizes(
    coordinate: bool,
    field: Field,
    symmetry: Symmetry,
    number: usize,
    line: &str,
    bytes: usize,
) -> Result<Header, Fault> {
    let at_line = |why: String| malformed(format!("line {number}: {why}"));
    let sizes: Vec<usize> = line
        .split_whitespace()
        .map(|word| match word.parse() {
            Ok(size) => Ok(size),
            Err(_) if is_digits(word) => Err(Fault::Claim(format!(
                "a size of {}, which overflows",
                quote(word)
            ))),
            Err(_) => Err(at_line(format!("{} is not a size", quote(word)))),
        })
        .collect::<Result<_, _>>()?;
    let (rows, columns) = match (sizes.as_slice(), coordinate) {
        ([rows, columns, _], true) | ([rows, columns], false) => (*rows, *columns),
        (_, true) => return Err(at_line("the sizes are not 'rows columns entries'".into())),
        (_, false) => return Err(at_line("the sizes are not 'rows columns'".into())),
    };
    if rows == 0 || columns == 0 {
        return Err(Fault::Empty(Shape(vec![rows, columns])));
    }
    if symmetry != Symmetry::General && rows != columns {
        return Err(at_line(format!(
            "a symmetric matrix cannot have {rows} rows and {columns} columns"
        )));
    }
    let area = rows
        .checked_mul(columns)
        // (rows + 1) rows is formed for the triangle of a symmetric array
        .filter(|area| area.checked_add(rows).is_some())
        .ok_or_else(|| {
            Fault::Claim(format!(
                "{rows} rows and {columns} columns, whose product overflows"
            ))
        })?;
    let entries = match (sizes.get(2), symmetry) {
        (Some(entries), _) => *entries,
        (None, Symmetry::General) => area,
        (None, Symmetry::Symmetric) => (area + rows) / 2,
        (None, Symmetry::Skew) => (area - rows) / 2,
    };
    if entries > bytes {
        return Err(Fault::Claim(format!(
            "{entries} entries, more than its {bytes} bytes can hold"
        )));
    }
    for (size, what) in [(rows, "rows"), (columns, "columns")] {
        if size > bytes.saturating_add(EMPTY_LINES) {
            return Err(Fault::Claim(format!(
                "{size} {what}, nearly all of which would be empty"
            )));
        }
    }
    Ok(Header {
        coordinate,
        field,
        symmetry,
        rows,
        columns,
        entries,
    })
}

impl Header {
    /// The indices and the value of an entry; an integer must survive the conversion to float64.
    fn check_entry(&self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        if self.coordinate {
            let row = index(words.next(), "row", self.rows)?;
            let column = index(words.next(), "column", self.columns)?;
            match self.symmetry {
                Symmetry::General => {}
                Symmetry::Symmetric if row >= column => {}
                Symmetry::Skew if row > column => {}
                Symmetry::Symmetric => {
                    return Err(format!("entry ({row}, {column}) lies above the diagonal"));
                }
                Symmetry::Skew => return Err(format!("entry ({row}, {column}) is not below the diagonal")),
            }
        }
        if self.field != Field::Pattern {
            let word = words.next().ok_or("the value is missing")?;
            if self.field == Field::Integer {
                let value: i64 = word
                    .parse()
                    .map_err(|_| format!("{} is not an integer", quote(word)))?;
                super::exact(value.into())
                    .ok_or_else(|| format!("float64 cannot hold the integer {value} exactly"))?;
            } else {
                word.parse::<f64>()
                    .map_err(|_| format!("{} is not a number", quote(word)))?;
            }
        }
        match words.next() {
            None => Ok(()),
            Some(word) => Err(format!("{} is one word too many", quote(word))),
        }
    }
}

fn is_digits(word: &str) -> bool {
    word.bytes().all(|c| c.is_ascii_digit())
}

/// A row or column number, from 1.
fn index(word: Option<&str>, what: &str, size: usize) -> Result<usize, String> {
    let word = word.ok_or_else(|| format!("the {what} is missing"))?;
    match word.parse::<usize>() {
        Ok(k) if (1..=size).contains(&k) => Ok(k),
        // as many digits as it likes: it is out of range
        _ if is_digits(word) => Err(format!("{what} {} lies outside 1..{size}", quote(word))),
        _ => Err(format!("{} is not a {what} number", quote(word))),
    }
}

impl Pending {
    pub(super) fn rows(&self) -> usize {
        self.header.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.header.columns
    }

    /// Converts the entries; duplicates add up.
    pub(super) fn read(self) -> Result<Parsed, Failure> {
        self.parse().map_err(|fault| fault.of(&self.path))
    }

    fn parse(&self) -> Result<Parsed, Fault> {
        match self.header.field {
            Field::Real => self.assemble(self.load::<f64>()?, |v| *v),
            // i128 has room to change the sign of any entry of a skew-symmetric matrix; the range was checked
            Field::Integer => self.assemble(self.load::<i128>()?, |v| *v as f64),
            Field::Pattern => self.assemble(self.load::<()>()?, |()| 1.0),
        }
    }

    fn load<T: MatrixMarketScalar>(&self) -> Result<CooMatrix<T>, Fault> {
        load_coo_from_matrix_market_str(&self.text).map_err(|e| malformed(describe(&e)))
    }

    fn assemble<T>(&self, matrix: CooMatrix<T>, value: impl Fn(&T) -> f64) -> Result<Parsed, Fault> {
        let (rows, columns) = (self.header.rows, self.header.columns);
        let parsed = if self.header.coordinate {
            let (i, j, v) = matrix.disassemble();
            let v = v.iter().map(value).collect();
            // by columns, duplicates summed
            let matrix: sprs::CsMat<f64> = sprs::TriMat::from_triplets((rows, columns), i, j, v).to_csc();
            let sparse = matrix.sparse_columns();
            Parsed::Sparse(sparse.ok_or_else(|| Fault::Claim(format!("{rows} rows, 2³² are too many")))?)
        } else {
            // skew-symmetric arrays leave out their diagonal: it is zero
            let mut dense = super::reserve(rows * columns)?;
            dense.resize(rows * columns, 0.0);
            for (i, j, v) in matrix.triplet_iter() {
                dense[j * rows + i] = value(v);
            }
            Parsed::Dense(dense)
        };
        let bad = match &parsed {
            Parsed::Dense(data) => data
                .iter()
                .position(|v| !v.is_finite())
                .map(|k| (k % rows, k / rows)),
            Parsed::Sparse(matrix) => matrix.first_not_finite(),
        };
        match bad {
            // numbered as in the file, from 1
            Some((i, j)) => Err(Fault::NotFiniteAt {
                row: i + 1,
                column: j + 1,
            }),
            None => Ok(parsed),
        }
    }
}

/// The parser's complaint in one line: of a syntax error only the place, the rest is its grammar.
fn describe(error: &MatrixMarketError) -> String {
    let message = error.message();
    let place = message
        .split("--> ")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    match place.and_then(|line| line.trim().parse::<usize>().ok()) {
        Some(line) => format!("line {line} is not in the format"),
        None => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &str) -> String {
        check(text).unwrap_err().to_string()
    }

    #[test]
    fn sizes_are_checked_before_anything_is_allocated() {
        let coordinate = "%%MatrixMarket matrix coordinate real general\n";
        let array = "%%MatrixMarket matrix array real symmetric\n";
        assert!(sentence(&format!("{coordinate}4294967296 4294967296 1\n1 1 1\n")).contains("overflows"));
        assert!(
            sentence(&format!("{coordinate}2 2 1000000000000\n1 1 1\n")).contains("1000000000000 entries")
        );
        assert!(sentence(&format!("{coordinate}2 99999999999 1\n1 1 1\n")).contains("99999999999 columns"));
        assert!(
            sentence(&format!("{coordinate}99999999999999999999999 2 1\n1 1 1\n"))
                .contains("which overflows")
        );
        assert!(sentence(&format!("{array}4294967295 4294967295\n1\n")).contains("entries"));
        assert!(sentence(&format!("{array}4294967296 4294967296\n1\n")).contains("overflows"));
    }

    #[test]
    fn a_sound_file_passes() {
        let header =
            check("%%matrixmarket MATRIX coordinate Integer symmetric\n% c\n\n3 3 2\n1 1 4\n3 1 -2\n")
                .unwrap();
        assert_eq!((header.rows, header.columns, header.entries), (3, 3, 2));
        assert_eq!(
            (header.field, header.symmetry),
            (Field::Integer, Symmetry::Symmetric)
        );
        let header = check("%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n").unwrap();
        assert_eq!(header.entries, 3);
    }
}
