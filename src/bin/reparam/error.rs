//! Errors of the program. Each is one sentence that names the file at fault.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure of the program. Its text is the whole message for the user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file does not hold what the problem needs, or cannot be read or written.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file as the user wrote it.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The solver refused the problem that two good files make together.
    #[error("{} with {}: {context}{source}", matrix.display(), rhs.display())]
    Solver {
        /// The file of the matrix.
        matrix: PathBuf,
        /// The file of the right-hand side.
        rhs: PathBuf,
        /// Which problem of a batch, when there are several.
        context: String,
        /// The solver's own sentence.
        source: Box<reparam::Error>,
    },
    /// An option that does not fit the data or the program.
    #[error("{0}")]
    Usage(String),
    /// The machine did not grant what an option asks for.
    #[error("{what}: {why}")]
    Environment {
        /// What was attempted.
        what: &'static str,
        /// The reason that was given.
        why: String,
    },
}

/// What is wrong with one file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The operating system said no.
    #[error("{what}: {}", plain(source))]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Its answer.
        source: io::Error,
    },
    /// A directory or a device where a file of data is expected.
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    /// The extension names no known format.
    #[error("has an unknown format: a matrix is read from .npy, .mtx, .csv, .tsv or .txt")]
    UnknownFormat,
    /// A line of a text is no row of numbers.
    #[error("line {line}: {}", shortened(why))]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The bytes are not in the format.
    #[error("is not a {format} file that can be read: {}", shortened(why))]
    Format {
        /// The format that was expected.
        format: &'static str,
        /// Where it departs from it.
        why: String,
    },
    /// The elements are no real numbers.
    #[error("holds elements of type {}, expected real numbers (float64, float32, integers or bool)", shortened(.0))]
    ElementType(String),
    /// An integer that a float64 would round.
    #[error("{at} is the integer {value}, which float64 cannot hold exactly")]
    Inexact {
        /// The position.
        at: Position,
        /// The integer.
        value: i128,
    },
    /// Fewer or more data than the header states.
    #[error("holds {found} bytes of data, but its shape {shape} of {element} takes {expected}")]
    Payload {
        /// Bytes after the header.
        found: u64,
        /// Bytes that the shape takes.
        expected: u64,
        /// The shape.
        shape: Shape,
        /// The element type.
        element: String,
    },
    /// The sizes in the header are beyond this machine, or beyond what the file can hold.
    #[error("claims {}", shortened(.0))]
    Claim(String),
    /// A size is zero.
    #[error("is empty: its shape is {0}")]
    Empty(Shape),
    /// The number of axes is wrong.
    #[error("has {}, expected {expected}", counted(*found, "dimension"))]
    Dimensions {
        /// The number of axes.
        found: usize,
        /// The shapes that are understood.
        expected: &'static str,
    },
    /// A size disagrees with the matrix.
    #[error("has {}, expected {expected} (the {of} of {}){hint}", counted(*found, what), matrix.display())]
    Mismatch {
        /// What is counted in this file, one of it.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many the matrix needs.
        expected: usize,
        /// What is counted in the matrix.
        of: &'static str,
        /// The file of the matrix.
        matrix: PathBuf,
        /// What may have happened, or nothing.
        hint: &'static str,
    },
    /// A name that another file has otherwise.
    #[error("{0}")]
    Names(Box<Disagreement>),
    /// NaN or infinity.
    #[error("{0} is not finite")]
    NotFinite(Position),
    /// NaN or infinity in a Matrix Market file, numbered from 1 as in the file.
    #[error("the entry in row {row}, column {column} (counted from 1) is not finite")]
    NotFiniteAt {
        /// From 1.
        row: usize,
        /// From 1.
        column: usize,
    },
    /// NaN where infinities are allowed.
    #[error("{0} is not a number")]
    NotANumber(Position),
    /// Nothing lies between a lower and an upper bound.
    #[error("entry {index} (counted from 0) is {}, and the {side} bound in {other} is {}: no number lies between them", plainly(*this), plainly(*that))]
    Crossed {
        /// The coordinate, from 0.
        index: usize,
        /// The bound in this file.
        this: f64,
        /// Which one the other is: lower or upper.
        side: &'static str,
        /// The other bound.
        that: f64,
        /// Where that one stands: a file or an option.
        other: String,
    },
    /// The answer would go where no file can be.
    #[error("cannot be written: {0}")]
    Unwritable(String),
}

/// Two names of one row or entry.
#[derive(Debug, thiserror::Error)]
#[error("{what} {number} is named {}, where {} names it {}{hint} ({what} 1 is the first; without names nothing is compared)", quoted(this), other.display(), quoted(that))]
pub(crate) struct Disagreement {
    /// What is named: row or entry.
    pub(crate) what: &'static str,
    /// From 1.
    pub(crate) number: usize,
    /// Its name here.
    pub(crate) this: String,
    /// Its name there.
    pub(crate) that: String,
    /// Where.
    pub(crate) other: PathBuf,
    /// What may have happened, or nothing.
    pub(crate) hint: &'static str,
}

impl Fault {
    /// The failure of `path` by this fault.
    pub(crate) fn of(self, path: &Path) -> Failure {
        Failure::File {
            path: path.to_path_buf(),
            fault: self,
        }
    }

    /// For `map_err` on results of the operating system.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// An operating system error without the number that Rust appends: "No such file or directory (os error 2)".
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_string(),
        None => text,
    }
}

/// "1 number", "2 numbers", "3 entries".
pub(crate) fn counted(count: usize, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => format!("{count} {what}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {what}s"),
    }
}

/// A number as a person writes it: 2 and 1.5, and 1e-9 where figures would be many.
fn plainly(number: f64) -> String {
    let text = format!("{number:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// A word of a file in quotation marks, its end left out when it is long.
pub(crate) fn quoted(word: &str) -> String {
    const LONGEST: usize = 60;
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("'{}…'", &word[..end]),
        None => format!("'{word}'"),
    }
}

/// A text that may hold words of a file, its end left out when it is long.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// A shape in the notation of numpy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape(pub(crate) Vec<usize>);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "({only},)"),
            all => {
                let words: Vec<String> = all.iter().map(usize::to_string).collect();
                write!(f, "({})", words.join(", "))
            }
        }
    }
}

/// An element of an array, counted from 0 as in numpy and everywhere in the crate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position(pub(crate) Vec<usize>);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let index: Vec<String> = self.0.iter().map(usize::to_string).collect();
        match index.as_slice() {
            [only] => write!(f, "entry {only} (counted from 0)"),
            all => write!(f, "entry [{}] (counted from 0)", all.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_file_are_not_repeated_at_length() {
        let why = format!("'{}' is no number", "ä".repeat(5000));
        let fault = Fault::Line { line: 1, why };
        let message = fault.of(Path::new("A.csv")).to_string();
        assert!(
            message.starts_with("A.csv: line 1: 'ä") && message.ends_with("ä…"),
            "{message}"
        );
        assert!(message.chars().count() < 400, "{message}");
    }

    #[test]
    fn numbers_and_their_nouns() {
        let plain = [2.0, 1.5, -3.0, 1e-9, 1e20, f64::INFINITY].map(plainly);
        assert_eq!(plain, ["2", "1.5", "-3", "1e-9", "1e20", "inf"]);
        let nouns = [
            counted(1, "row"),
            counted(0, "row"),
            counted(1, "entry"),
            counted(2, "entry"),
        ];
        assert_eq!(nouns, ["1 row", "0 rows", "1 entry", "2 entries"]);
    }
}
