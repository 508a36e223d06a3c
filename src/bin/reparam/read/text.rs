//! Tables of numbers as text, as instruments and spreadsheets write them: one row a line, separated by commas, semicolons, tabs or
//! blanks. What numbers cannot be read from is refused with its line; nothing is guessed.

use super::npy::Array;
use crate::error::{Failure, Fault};
use std::io::Read;
use std::path::Path;

/// The extensions of such files.
const EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];

/// Lines that begin so are comments.
const COMMENTS: [char; 2] = ['#', '%'];

/// Whether the name says text.
pub(crate) fn is_named(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Reads the table. Of shape (rows, columns); numbers may be infinite only where the caller says so.
pub(super) fn read(path: &Path, infinities: bool) -> Result<Array, Failure> {
    read_file(path, infinities).map_err(|fault| fault.of(path))
}

fn read_file(path: &Path, infinities: bool) -> Result<Array, Fault> {
    let (mut file, size) = super::open_regular(path)?;
    let mut bytes = super::reserve(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.read_to_end(&mut bytes)
        .map_err(Fault::io("cannot be read"))?;
    if bytes.starts_with(b"\x93NUMPY") {
        return Err(Fault::Format {
            format: "text",
            why: "it begins as a .npy file does: name it so".into(),
        });
    }
    // units in header lines may be in any encoding; a number that is damaged by this is no number
    parse(&String::from_utf8_lossy(&bytes), infinities)
}

fn parse(text: &str, infinities: bool) -> Result<Array, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(COMMENTS));
    let mut data = Vec::new();
    let mut separator = None;
    let mut first: Option<(usize, usize)> = None; // the line of the first row, and its length
    let mut rows = 0;
    let mut header = false;
    for (number, line) in lines {
        let by = *separator.get_or_insert_with(|| Separator::of(line));
        // the names of the columns: one line without a single number, above all rows
        if !header && rows == 0 && is_header(by.cells(line)) {
            header = true;
            // names may hold what separates nothing below
            separator = None;
            continue;
        }
        let before = data.len();
        for (column, cell) in by.cells(line).enumerate() {
            let read = value(cell, infinities).map_err(|why| Fault::Line {
                line: number,
                // nothing to count where there is one column
                why: match by.cells(line).nth(1) {
                    Some(_) => format!("column {}: {why}", column + 1),
                    None => why,
                },
            });
            data.push(read?);
        }
        let count = data.len() - before;
        match first {
            None => first = Some((number, count)),
            Some((line, columns)) if count != columns => {
                return Err(Fault::Line {
                    line: number,
                    why: format!("it has {count} numbers, where line {line} has {columns}"),
                });
            }
            Some(_) => {}
        }
        rows += 1;
    }
    let (_, columns) = first.ok_or_else(|| Fault::Format {
        format: "text",
        why: "it holds no row of numbers".into(),
    })?;
    Ok(Array {
        shape: vec![rows, columns],
        fortran: false,
        data,
    })
}

/// Words, and nothing that may have been meant as a number: a first row with a mistake in it must not vanish.
fn is_header<'a>(mut cells: impl Iterator<Item = &'a str>) -> bool {
    cells.all(|cell| cell.contains(char::is_alphabetic) && !is_number(cell) && !has_decimal_comma(cell))
}

fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

fn has_decimal_comma(cell: &str) -> bool {
    cell.contains(',') && is_number(&cell.replace(',', "."))
}

fn value(cell: &str, infinities: bool) -> Result<f64, String> {
    match cell.parse::<f64>() {
        Ok(v) if v.is_nan() => Err(format!("'{cell}' is not a number")),
        Ok(v) if v.is_infinite() && !infinities => Err(format!("'{cell}' is not finite")),
        Ok(v) => Ok(v),
        Err(_) if cell.is_empty() => Err("a number is missing".into()),
        Err(_) if has_decimal_comma(cell) => {
            Err(format!("'{cell}' is not a number: decimal commas are not read"))
        }
        Err(_) => Err(format!(
            "'{}' is not a number (one header line may stand above the numbers; more of them begin with #)",
            cell.chars().take(60).collect::<String>()
        )),
    }
}

/// What stands between the numbers of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Separator {
    One(char),
    Blanks,
}

impl Separator {
    fn of(line: &str) -> Self {
        let found = [';', '\t', ','].into_iter().find(|c| line.contains(*c));
        found.map_or(Self::Blanks, Self::One)
    }

    fn cells(self, line: &str) -> impl Iterator<Item = &str> {
        let (split, blanks) = match self {
            Self::One(c) => (Some(line.split(c).map(str::trim)), None),
            Self::Blanks => (None, Some(line.split_whitespace())),
        };
        split.into_iter().flatten().chain(blanks.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> (Vec<usize>, Vec<f64>) {
        let array = parse(text, false).unwrap();
        (array.shape, array.data)
    }

    #[test]
    fn separators_comments_and_one_header_line() {
        let expected = (vec![2, 2], vec![1.0, 2.5, -3.0, 4e5]);
        for text in [
            "1,2.5\n-3,4e5\n",
            "1;2.5\r\n-3;4e5",
            "1\t2.5\n\n-3\t4e5\n",
            "  1   2.5\n -3 4e5 ",
            "# made today\nwavelength / nm,counts\n1, 2.5\n% half time\n-3 , 4e5\n",
            "\u{feff}\"a, b\";c\n1;2.5\n-3;4e5\n",
        ] {
            assert_eq!(table(text), expected, "{text:?}");
        }
        assert_eq!(table("7\n8\n9\n"), (vec![3, 1], vec![7.0, 8.0, 9.0]));
    }

    #[test]
    fn what_is_refused_is_named() {
        for (text, part) in [
            ("", "no row of numbers"),
            ("only,words\n", "no row of numbers"),
            ("1,2\n3\n", "line 2: it has 1 numbers, where line 1 has 2"),
            (
                "a,b\n1,2\n3,4,5\n",
                "line 3: it has 3 numbers, where line 2 has 2",
            ),
            ("1,2\n3,x\n", "line 2: column 2: 'x' is not a number"),
            ("1,2\na,b\n", "line 2: column 1: 'a' is not a number"),
            ("one\ntwo\n1\n", "line 2: 'two' is not a number"),
            ("id,1\n2,3\n", "line 1: column 1: 'id' is not a number"),
            ("1,2,\n", "line 1: column 3: a number is missing"),
            ("1,nan\n", "line 1: column 2: 'nan' is not a number"),
            ("1,-inf\n", "line 1: column 2: '-inf' is not finite"),
            ("1,1e999\n", "line 1: column 2: '1e999' is not finite"),
            (
                "1,5;2,5\n",
                "line 1: column 1: '1,5' is not a number: decimal commas",
            ),
            ("1,5e3;2,5e3\n1;2\n", "line 1: column 1: '1,5e3'"),
            ("1.2.3\n1\n", "line 1: '1.2.3' is not a number"),
            (",,\n1,2,3\n", "line 1: column 1: a number is missing"),
        ] {
            match parse(text, false) {
                Ok(_) => panic!("{text:?} was read"),
                Err(fault) => assert!(fault.to_string().contains(part), "{text:?}: {fault}"),
            }
        }
        assert_eq!(
            parse("-inf\ninf\n", true).unwrap().data,
            [f64::NEG_INFINITY, f64::INFINITY]
        );
    }
}
