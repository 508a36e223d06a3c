//! Matrix Market files. `nalgebra-sparse` parses their entries; it trusts the sizes and the indices, so these are
//! checked line by line first, which also gives every complaint its line number. It gets the entries in blocks,
//! each with a header of its own, because its syntax tree takes some 400 bytes per entry.

use crate::error::{Failure, Fault, Shape};
use nalgebra_sparse::coo::CooMatrix;
use nalgebra_sparse::io::{MatrixMarketError, MatrixMarketScalar, load_coo_from_matrix_market_str};
use reparam::operators::{LinearOperator, SparseColumns};
use std::path::{Path, PathBuf};

/// Rows or columns without a single entry cost no bytes in the file but memory in a solve. A size line may
/// claim this many of them; beyond that it is taken for damaged.
const EMPTY_LINES: usize = 1 << 24;

/// Entries that are parsed at a time: the syntax tree of a block takes some 25 MB.
const BLOCK: usize = 1 << 16;

/// A file whose header and sizes are sound.
pub(super) struct Pending {
    path: PathBuf,
    text: String,
    header: Header,
    /// Where in `text` the entries begin, and the number of that line.
    body: usize,
    line: usize,
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

/// Reads the file and checks its sizes.
pub(super) fn open(path: &Path) -> Result<Pending, Failure> {
    open_file(path).map_err(|fault| fault.of(path))
}

fn open_file(path: &Path) -> Result<Pending, Fault> {
    // (comments of old files are in Latin-1)
    let text = super::decode(super::read_bytes(path)?);
    let (header, body, line) = check_head(&text)?;
    Ok(Pending {
        path: path.to_path_buf(),
        text,
        header,
        body,
        line,
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

/// The banner and the sizes; where the entries begin, and the number of that line.
fn check_head(text: &str) -> Result<(Header, usize, usize), Fault> {
    let mut banner = None;
    let mut end = 0;
    for (k, line) in text.split_inclusive('\n').enumerate() {
        end += line.len();
        let line = line.trim();
        match banner {
            _ if line.is_empty() => {}
            None => banner = Some(check_banner(line)?),
            Some(_) if line.starts_with('%') => {}
            Some(kind) => return Ok((check_sizes(kind, k + 1, line, text.len())?, end, k + 2)),
        }
    }
    let before = if banner.is_none() {
        "is empty"
    } else {
        "ends before its size line"
    };
    Err(malformed(format!("it {before}")))
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
    (coordinate, field, symmetry): (bool, Field, Symmetry),
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
        let Header {
            rows,
            columns,
            coordinate,
            symmetry,
            entries,
            ..
        } = self.header;
        let parsed = if coordinate {
            // symmetric entries are stored once and stand for two
            let room = if symmetry == Symmetry::General {
                entries
            } else {
                2 * entries
            };
            let (mut i, mut j, mut v) = (
                super::reserve(room)?,
                super::reserve(room)?,
                super::reserve(room)?,
            );
            self.each_entry(|row, column, value| {
                i.push(row);
                j.push(column);
                v.push(value);
            })?;
            // by columns, duplicates summed
            let matrix: sprs::CsMat<f64> = sprs::TriMat::from_triplets((rows, columns), i, j, v).to_csc();
            let sparse = matrix.sparse_columns();
            Parsed::Sparse(sparse.ok_or_else(|| Fault::Claim(format!("{rows} rows, 2³² are too many")))?)
        } else {
            // skew-symmetric arrays leave out their diagonal: it is zero
            let mut dense = super::reserve(rows * columns)?;
            dense.resize(rows * columns, 0.0);
            // the values come column by column; those of a triangle begin at or below the diagonal
            let mut j = 0;
            let top = |j: usize| match symmetry {
                Symmetry::General => 0,
                Symmetry::Symmetric => j,
                Symmetry::Skew => j + 1,
            };
            let mut i = top(0);
            self.each_entry(|_, _, value| {
                dense[j * rows + i] = value;
                match symmetry {
                    Symmetry::General => {}
                    Symmetry::Symmetric => dense[i * rows + j] = value,
                    Symmetry::Skew => dense[i * rows + j] = -value,
                }
                i += 1;
                if i == rows {
                    j += 1;
                    i = top(j);
                }
            })?;
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

    /// Hands over the entries: (row, column, value) from 0 of a coordinate file, both halves of a symmetric one; of
    /// an array file the values in the order of the file.
    fn each_entry(&self, keep: impl FnMut(usize, usize, f64)) -> Result<(), Fault> {
        match self.header.field {
            Field::Real => self.blocks(|v: &f64| *v, keep),
            // i128 has room to change the sign of any entry of a skew-symmetric matrix; the range was checked
            Field::Integer => self.blocks(|v: &i128| *v as f64, keep),
            Field::Pattern => self.blocks(|(): &()| 1.0, keep),
        }
    }

    fn blocks<T: MatrixMarketScalar>(
        &self,
        value: impl Fn(&T) -> f64,
        mut keep: impl FnMut(usize, usize, f64),
    ) -> Result<(), Fault> {
        let claimed = self.header.entries;
        let mut block = String::new();
        let (mut start, mut inside, mut found) = (self.line, 0, 0);
        let mut take = |start: usize, inside: usize, lines: &str| {
            let matrix = self.load::<T>(start, inside, lines)?;
            matrix.triplet_iter().for_each(|(i, j, v)| keep(i, j, value(v)));
            Ok(())
        };
        for (k, line) in self.text[self.body..].lines().enumerate() {
            if !line.trim().is_empty() {
                let number = self.line + k;
                if found == claimed {
                    return Err(malformed(format!(
                        "line {number}: its size line takes only {claimed} entries"
                    )));
                }
                self.header
                    .check_entry(line)
                    .map_err(|why| malformed(format!("line {number}: {why}")))?;
                found += 1;
                inside += 1;
            }
            block.push_str(line);
            block.push('\n');
            if inside == BLOCK {
                take(start, inside, &block)?;
                block.clear();
                (start, inside) = (self.line + k + 1, 0);
            }
        }
        if found < claimed {
            return Err(malformed(format!(
                "it ends after {found} entries, but its size line takes {claimed}"
            )));
        }
        take(start, inside, &block)
    }

    /// Parses some lines of entries, the first of which is line number `start` of the file.
    fn load<T: MatrixMarketScalar>(
        &self,
        start: usize,
        entries: usize,
        lines: &str,
    ) -> Result<CooMatrix<T>, Fault> {
        let Header {
            rows,
            columns,
            coordinate,
            field,
            symmetry,
            ..
        } = self.header;
        let field = match field {
            Field::Real => "real",
            Field::Integer => "integer",
            Field::Pattern => "pattern",
        };
        let head = if coordinate {
            let symmetry = match symmetry {
                Symmetry::General => "general",
                Symmetry::Symmetric => "symmetric",
                Symmetry::Skew => "skew-symmetric",
            };
            format!("coordinate {field} {symmetry}\n{rows} {columns} {entries}")
        } else {
            format!("array {field} general\n{entries} 1")
        };
        let text = format!("%%MatrixMarket matrix {head}\n{lines}");
        // its line 3 is ours number `start`
        load_coo_from_matrix_market_str(&text).map_err(|e| malformed(describe(&e, start, 3)))
    }
}

/// The parser's complaint in one line: of a syntax error only the place, the rest is its grammar. Line number `of`
/// of its text is line number `start` of the file.
fn describe(error: &MatrixMarketError, start: usize, of: usize) -> String {
    let message = error.message();
    let place = message
        .split("--> ")
        .nth(1)
        .and_then(|rest| rest.split(':').next());
    match place.and_then(|line| line.trim().parse::<usize>().ok()) {
        Some(line) => format!("line {} is not in the format", start + line.saturating_sub(of)),
        None => message.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &str) -> String {
        check_head(text).unwrap_err().to_string()
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
    fn a_sound_head_passes() {
        let text = "%%matrixmarket MATRIX coordinate Integer symmetric\n% c\n\n3 3 2\n1 1 4\n3 1 -2\n";
        let (header, body, line) = check_head(text).unwrap();
        assert_eq!((header.rows, header.columns, header.entries), (3, 3, 2));
        assert_eq!(
            (header.field, header.symmetry),
            (Field::Integer, Symmetry::Symmetric)
        );
        assert_eq!((&text[body..], line), ("1 1 4\n3 1 -2\n", 5));
        let (header, ..) =
            check_head("%%MatrixMarket matrix array real skew-symmetric\n3 3\n1\n2\n3\n").unwrap();
        assert_eq!(header.entries, 3);
    }

    #[test]
    fn the_lines_of_all_blocks_are_counted_from_the_top_of_the_file() {
        let text = "%%MatrixMarket matrix coordinate real general\n1 1 200000\n".to_string();
        let good = "1 1 0.5\n";
        let pending = |entries: String| {
            let text = text.clone() + &entries;
            let (header, body, line) = check_head(&text).unwrap();
            Pending {
                path: PathBuf::new(),
                text,
                header,
                body,
                line,
            }
        };
        match pending(good.repeat(200_000)).parse() {
            Ok(Parsed::Sparse(matrix)) => assert_eq!(matrix.entries(0), (&[0u32][..], &[100_000.0][..])),
            _ => panic!(),
        }
        // a spelling that Rust knows and the format does not
        let late = good.repeat(150_000) + "1 1 infinity\n" + &good.repeat(49_999);
        let sentence = pending(late).parse().err().unwrap().to_string();
        assert!(
            sentence.contains("line 150003 is not in the format"),
            "{sentence}"
        );
    }
}
