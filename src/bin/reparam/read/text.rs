//! Tables of numbers as text, as instruments, spreadsheets, pandas and R write them: one row a line, separated by commas, semicolons,
//! tabs or blanks; with or without a line of column names and a first column of row names. The crate `csv-core` splits the lines. A
//! line that does not hold numbers is an error that names the line; nothing is guessed.

use super::npy::Array;
use crate::error::{Failure, Fault, counted, quoted};
use std::path::Path;

/// The extensions of such files.
const EXTENSIONS: [&str; 3] = ["csv", "tsv", "txt"];

/// Lines that begin so are comments.
const COMMENTS: [char; 2] = ['#', '%'];

/// What stands where a value is missing; in small letters.
const MISSING: [&str; 10] = [
    "na", "n/a", "nan", "null", "none", "-", "--", "?", "missing", "<na>",
];

/// What spreadsheets write for a value that they could not compute: missing, and no comment, although it begins with #.
const ERRORS_OF_SPREADSHEETS: [&str; 7] =
    ["#n/a", "#value!", "#div/0!", "#num!", "#ref!", "#name?", "#null!"];

/// The numbers of a file, and the names of its rows and columns where it has some.
#[derive(Debug)]
pub(super) struct Table {
    /// Of shape (rows, columns).
    pub(super) array: Array,
    pub(super) rows: Option<Vec<String>>,
    pub(super) columns: Option<Vec<String>>,
}

/// Whether the name says text.
pub(crate) fn is_named(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Reads the table; numbers may be infinite only where the caller says so.
pub(super) fn read(path: &Path, infinities: bool) -> Result<Table, Failure> {
    read_file(path, infinities).map_err(|fault| fault.of(path))
}

fn read_file(path: &Path, infinities: bool) -> Result<Table, Fault> {
    let bytes = super::read_bytes(path)?;
    if bytes.starts_with(b"\x93NUMPY") {
        return Err(malformed("it begins as a .npy file does: name it so"));
    }
    parse(&super::decode(bytes), infinities)
}

fn malformed(why: &str) -> Fault {
    Fault::Format {
        format: "text",
        why: why.into(),
    }
}

fn parse(text: &str, infinities: bool) -> Result<Table, Fault> {
    let content = Content::of(text)?;
    let by = content.separator;
    let mut records = Records::of(&content);
    let mut numbers = Numbers {
        infinities,
        ..Numbers::default()
    };
    let mut head: Option<Head> = None;
    let mut layout: Option<Layout> = None;
    // a row of separators alone, as spreadsheets write below a table
    let mut empty_line = None;
    let mut first = true;
    while let Some(record) = records.next() {
        if std::mem::take(&mut first)
            && let Some(found) = Head::of(record.cells(by), record.line, record.raw)
        {
            head = Some(found);
            continue;
        }
        if layout.is_some() && record.cells(by).all(str::is_empty) {
            empty_line.get_or_insert(record.line);
            continue;
        }
        if let Some(line) = empty_line {
            return Err(numbers.missing(line, 0, record.cells(by).count()));
        }
        let layout = match &mut layout {
            Some(layout) => layout,
            none => none.insert(Layout::of(&record, head.as_ref(), by)?),
        };
        layout.read_row(&record, by, &mut numbers)?;
    }
    let Some(layout) = layout else {
        return Err(match head {
            Some(head) if head.raw.matches('"').count() % 2 == 1 => Fault::Line {
                line: head.line,
                why: "a quotation mark is not closed".into(),
            },
            _ => malformed("it holds no row of numbers"),
        });
    };
    layout.check(head.as_ref())?;
    numbers.check_decimal_commas()?;
    Ok(Table {
        array: Array {
            shape: vec![layout.rows, layout.numbers],
            fortran: false,
            data: numbers.data,
        },
        rows: layout.names.map(|names| names.read).and_then(telling),
        columns: layout.columns.and_then(telling),
    })
}

/// Names that only count the rows or columns, from 0 or from 1 (pandas and R write these for want of others), are none.
fn telling(names: Vec<String>) -> Option<Vec<String>> {
    (!count_from(0, &names) && !count_from(1, &names)).then_some(names)
}

fn count_from(first: usize, names: &[String]) -> bool {
    (names.iter().enumerate()).all(|(i, name)| name.parse() == Ok(i + first))
}

// ---- lines ------------------------------------------------------------------------------------------------

/// The lines that hold something.
struct Content {
    /// Without comments and blank lines.
    text: String,
    /// For each line of `text` its number in the file, from 1.
    numbers: Vec<usize>,
    separator: Separator,
}

impl Content {
    fn of(text: &str) -> Result<Self, Fault> {
        // (the lines of old Macs)
        let end = if text.contains('\n') { '\n' } else { '\r' };
        let lines = || {
            (text.split(end).enumerate())
                .map(|(i, line)| (i + 1, line))
                .filter(|(_, line)| !line.trim().is_empty() && !is_comment(line.trim_start()))
        };
        let mut both = lines().map(|(_, line)| line);
        let separator = Separator::between(both.next().unwrap_or(""), both.next());
        let mut content = Self {
            text: super::reserve_text(text.len() + 1)?,
            numbers: Vec::new(),
            separator,
        };
        for (number, line) in lines() {
            match separator {
                Separator::One(_) => content.text.push_str(line.trim_end_matches('\r')),
                Separator::Blanks => {
                    let blanks = line.trim().chars();
                    content
                        .text
                        .extend(blanks.map(|c| if c == '\t' { ' ' } else { c }));
                }
            }
            content.text.push('\n');
            content.numbers.push(number);
        }
        Ok(content)
    }
}

/// The lines as cells: mostly one line each, more where a line break stands in quotation marks.
struct Records<'t> {
    content: &'t Content,
    parser: csv_core::Reader,
    /// What is not read yet begins here.
    at: usize,
    /// The cells of a record, one after the other, and where each of them ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

struct Record<'r> {
    cells: &'r str,
    ends: &'r [usize],
    /// The number in the file of the line in which it begins.
    line: usize,
    /// The text from there on.
    raw: &'r str,
}

impl<'t> Records<'t> {
    fn of(content: &'t Content) -> Self {
        Self {
            content,
            parser: csv_core::ReaderBuilder::new()
                .delimiter(content.separator.byte())
                .build(),
            at: 0,
            cells: vec![0; 1 << 10],
            ends: vec![0; 1 << 6],
        }
    }

    fn next(&mut self) -> Option<Record<'_>> {
        use csv_core::ReadRecordResult as Read;
        let text = self.content.text.as_str();
        let line = usize::try_from(self.parser.line()).unwrap_or(usize::MAX);
        let start = self.at;
        let (mut written, mut count) = (0, 0);
        loop {
            let input = &text.as_bytes()[self.at..];
            let (read, taken, cells, ends) =
                self.parser
                    .read_record(input, &mut self.cells[written..], &mut self.ends[count..]);
            self.at += taken;
            written += cells;
            count += ends;
            match read {
                // (an empty input, the next time, is the end of the text)
                Read::InputEmpty => {}
                Read::OutputFull => self.cells.resize(2 * self.cells.len(), 0),
                Read::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                Read::End => return None,
                Read::Record => break,
            }
        }
        let numbers = &self.content.numbers;
        Some(Record {
            // (the text is cut at separators alone)
            cells: std::str::from_utf8(&self.cells[..written]).unwrap_or(""),
            ends: &self.ends[..count],
            line: numbers.get(line.wrapping_sub(1)).copied().unwrap_or(line),
            raw: text.get(start..).unwrap_or(""),
        })
    }
}

impl<'r> Record<'r> {
    /// The cells; several blanks separate as one does.
    fn cells(&self, by: Separator) -> impl Iterator<Item = &'r str> + Clone {
        let (cells, ends) = (self.cells, self.ends);
        let mut start = 0;
        let all = ends.iter().map(move |end| {
            let cell = cells.get(start..*end).unwrap_or("");
            start = *end;
            bare(cell)
        });
        all.filter(move |cell| by != Separator::Blanks || !cell.is_empty())
    }
}

fn is_comment(line: &str) -> bool {
    let begins_as = |word: &str| {
        let start = line.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    line.starts_with(COMMENTS) && !ERRORS_OF_SPREADSHEETS.iter().any(|word| begins_as(word))
}

/// What stands between the cells of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Separator {
    One(u8),
    Blanks,
}

impl Separator {
    fn of(line: &str) -> Self {
        // every other piece stands between quotation marks
        let bare = || line.split('"').step_by(2);
        let found = [b';', b'\t', b',']
            .into_iter()
            .find(|c| bare().any(|piece| piece.contains(char::from(*c))));
        found.map_or(Self::Blanks, Self::One)
    }

    /// From the first lines of a table. What separates the names of a first line may separate nothing below.
    fn between(first: &str, second: Option<&str>) -> Self {
        let own = Self::of(first);
        let Some(second) = second.filter(|_| Head::of_line(first, own).is_some()) else {
            return own;
        };
        match (Self::of(second), own) {
            (Self::Blanks, Self::One(_)) if second.split_whitespace().nth(1).is_none() => own,
            // a single column, and the words above it are one name
            (Self::Blanks, Self::Blanks) if second.split_whitespace().nth(1).is_none() => Self::One(b','),
            (below, _) => below,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::One(c) => c,
            Self::Blanks => b' ',
        }
    }
}

/// Without blanks around it, and without the quotation marks that a blank before them has kept: `1, "2"`.
fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    let inside = cell.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
    inside.unwrap_or(cell)
}

// ---- names ------------------------------------------------------------------------------------------------

/// The line of names above the numbers.
struct Head {
    line: usize,
    cells: Vec<String>,
    /// Whether every name is a number: it may be a row with its first number missing.
    numeric: bool,
    /// The line itself.
    raw: String,
}

impl Head {
    /// Words, and nothing that may have been meant as a number: a first row with a mistake in it must not vanish. Above a column of
    /// row names the first cell may be empty, and the others then may be numbers.
    fn of<'a>(cells: impl Iterator<Item = &'a str> + Clone, line: usize, raw: &str) -> Option<Self> {
        let count = cells.clone().count();
        let corner = cells.clone().next().is_some_and(str::is_empty);
        let named = |(i, cell): (usize, &str)| {
            is_word(cell)
                || (corner && (i == 0 || read_number(cell).is_some()))
                || (i > 0 && i + 1 == count && cell.is_empty())
        };
        let words = cells.clone().any(is_word);
        let numbers = cells.clone().any(|cell| read_number(cell).is_some());
        let is_head = cells.clone().enumerate().all(named) && (words || numbers);
        is_head.then(|| Self {
            line,
            cells: cells.map(one_line).collect(),
            numeric: !words,
            raw: raw.lines().next().unwrap_or("").into(),
        })
    }

    /// The names where `count` are expected: split as the rows are, or at its own separators.
    fn split(&self, count: usize, by: Separator) -> Vec<String> {
        let own = Separator::of(&self.raw);
        if self.cells.len() == count || own == by {
            return self.cells.clone();
        }
        match Self::of_line(&self.raw, own) {
            Some(head) if head.cells.len() == count => head.cells,
            _ => self.cells.clone(),
        }
    }

    fn of_line(line: &str, by: Separator) -> Option<Self> {
        let content = Content {
            text: format!("{line}\n"),
            numbers: vec![1],
            separator: by,
        };
        let mut records = Records::of(&content);
        let record = records.next()?;
        Self::of(record.cells(by), record.line, record.raw)
    }
}

/// A name that a spreadsheet has broken into lines.
fn one_line(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name of a column.
fn is_word(cell: &str) -> bool {
    cell.contains(char::is_alphabetic) && !is_number_or_missing(cell)
}

/// A name of a row: a word, a date, a time. Figures with other signs between them are numbers with a mistake.
fn is_name(cell: &str) -> bool {
    let within = cell.get(1..).unwrap_or("");
    (cell.contains(char::is_alphabetic) || within.contains(['-', '/', ':', '_']))
        && !is_number_or_missing(cell)
}

fn is_number_or_missing(cell: &str) -> bool {
    read_number(cell).is_some() || with_decimal_comma(cell).is_some() || is_missing(cell)
}

fn is_missing(cell: &str) -> bool {
    let all = MISSING.iter().chain(&ERRORS_OF_SPREADSHEETS);
    cell.is_empty() || all.into_iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// Which cells of a row are names and which are numbers.
struct Layout {
    /// The line of the first row.
    line: usize,
    /// Cells of every row.
    cells: usize,
    /// Whether every row ends with a separator, and nothing behind it.
    trailing: bool,
    /// Numbers of every row.
    numbers: usize,
    rows: usize,
    names: Option<RowNames>,
    columns: Option<Vec<String>>,
}

/// The first column, where it holds names.
struct RowNames {
    read: Vec<String>,
    /// Whether the first row itself says so; the line of column names does otherwise.
    evident: bool,
    /// Whether all are words or stand in quotation marks.
    words: bool,
}

impl Layout {
    /// From the first row and the line above it.
    fn of(record: &Record<'_>, head: Option<&Head>, by: Separator) -> Result<Self, Fault> {
        let line = record.line;
        let cells = record.cells(by).count();
        let nameless = |end: usize| head.is_none_or(|h| h.cells.get(end).is_none_or(String::is_empty));
        let trailing = cells > 1 && record.cells(by).last() == Some("") && nameless(cells - 1);
        let width = cells - usize::from(trailing);
        let evident = width > 1
            && record
                .cells(by)
                .next()
                .is_some_and(|c| is_name(c) || is_quoted_alone(record.raw));
        let mut names = evident;
        let mut columns = None;
        if let Some(head) = head {
            let mut above = head.split(width, by);
            if above.len() == width + 1 && above.last().is_some_and(String::is_empty) {
                above.pop();
            }
            let corner = above.first().is_some_and(String::is_empty);
            if above.len() == width {
                names |= corner;
                columns = Some(above.split_off(usize::from(names)));
            } else if above.len() + 1 == width && !corner {
                // R's way; `check` sees to it that the first column can be one of names
                names = true;
                columns = Some(above);
            } else {
                return Err(head.other_length(line, width - usize::from(names)));
            }
        }
        Ok(Self {
            line,
            cells,
            trailing,
            numbers: width - usize::from(names),
            rows: 0,
            names: names.then(|| RowNames {
                read: Vec::new(),
                evident,
                words: true,
            }),
            columns,
        })
    }

    fn read_row(&mut self, record: &Record<'_>, by: Separator, numbers: &mut Numbers) -> Result<(), Fault> {
        let line = record.line;
        let mut cells = record.cells(by);
        let count = cells.clone().count();
        if count != self.cells {
            let names = usize::from(self.names.is_some());
            let has = counted(count.saturating_sub(names + usize::from(self.trailing)), "number");
            return Err(Fault::Line {
                line,
                why: format!("it has {has}, where line {} has {}", self.line, self.numbers),
            });
        }
        if let Some(names) = &mut self.names {
            let name = cells.next().unwrap_or("");
            let word = is_name(name) || record.raw.starts_with('"');
            if names.evident && !word {
                let first = names.read.first().map_or("", String::as_str);
                let (this, first) = (quoted(name), quoted(first));
                return Err(Fault::Line {
                    line,
                    why: format!(
                        "column 1: {this} is no name, where line {} begins with the name {first}",
                        self.line
                    ),
                });
            }
            names.words &= word;
            names.read.push(one_line(name));
        }
        for column in 0..self.numbers {
            let cell = cells.next().unwrap_or("");
            let at = self.cells - usize::from(self.trailing) - self.numbers + column;
            let name = self.columns.as_ref().and_then(|names| names.get(column));
            numbers.read(cell, line, at, self.cells, name)?;
        }
        if let Some(cell) = cells.next().filter(|cell| !cell.is_empty()) {
            return Err(Fault::Line {
                line,
                why: format!(
                    "column {}: {} stands in a column that is empty in line {}",
                    self.cells,
                    quoted(cell),
                    self.line
                ),
            });
        }
        self.rows += 1;
        Ok(())
    }

    /// What only all rows together can say: whether the first column holds names where the line of column names alone says so.
    fn check(&self, head: Option<&Head>) -> Result<(), Fault> {
        let (Some(names), Some(head)) = (&self.names, head) else {
            return Ok(());
        };
        if names.words || names.evident {
            return Ok(());
        }
        let rows_count = |first| count_from(first, &names.read);
        let above = self.columns.as_deref().unwrap_or(&[]);
        let corner = head.cells.first().is_some_and(String::is_empty);
        if !corner && !rows_count(0) && !rows_count(1) {
            return Err(head.other_length(self.line, self.numbers + 1));
        }
        // numbers beside an empty cell: pandas' names of columns, or a row whose first number is missing
        let certain =
            head.raw.starts_with('"') || count_from(0, above) || count_from(1, above) || rows_count(0);
        if corner && head.numeric && !certain {
            return Err(Fault::Line {
                line: head.line,
                why: "column 1: a number is missing".into(),
            });
        }
        Ok(())
    }
}

impl Head {
    fn other_length(&self, line: usize, numbers: usize) -> Fault {
        Fault::Line {
            line,
            why: format!(
                "it has {}, where line {} has {} (a title begins with #; names of rows are words, or stand in quotation marks)",
                counted(numbers, "number"),
                self.line,
                counted(self.cells.len(), "name")
            ),
        }
    }
}

/// Whether the first cell of a line stands in quotation marks and no other does: a name, by every convention.
fn is_quoted_alone(raw: &str) -> bool {
    let line = raw.lines().next().unwrap_or("");
    line.starts_with('"') && line.matches('"').count() == 2
}

// ---- numbers ----------------------------------------------------------------------------------------------

/// The numbers read so far, and how their fractions are written.
#[derive(Default)]
struct Numbers {
    data: Vec<f64>,
    infinities: bool,
    /// The line of the first decimal point.
    point: Option<usize>,
    /// The first decimal comma: its line, its column if there are several, the number.
    comma: Option<(usize, String, String)>,
    /// Whether some number can have a decimal comma, but none that groups thousands.
    certain: bool,
}

impl Numbers {
    /// Reads a cell; `column` counts from 0, of so many.
    fn read(
        &mut self,
        cell: &str,
        line: usize,
        column: usize,
        of: usize,
        name: Option<&String>,
    ) -> Result<(), Fault> {
        let place = || {
            let name = name.map_or_else(String::new, |name| format!(" ({})", quoted(name)));
            // nothing to count where there is one column
            if of > 1 {
                format!("column {}{name}: ", column + 1)
            } else {
                String::new()
            }
        };
        let refuse = |why: String| {
            Err(Fault::Line {
                line,
                why: format!("{}{why}", place()),
            })
        };
        let comma = |cell| with_decimal_comma(cell).map(|v| (v, true));
        let Some((value, comma)) = read_number(cell).map(|v| (v, false)).or_else(|| comma(cell)) else {
            return refuse(match cell {
                "" => "a number is missing".into(),
                cell if is_missing(cell) => format!("{} is not a number: a value is missing", quoted(cell)),
                cell if cell.contains('\n') => {
                    format!("{} is not a number: a quotation mark is not closed", quoted(cell))
                }
                cell => format!(
                    "{} is not a number (one header line may stand above the numbers; more of them begin with #)",
                    quoted(cell)
                ),
            });
        };
        if value.is_nan() {
            return refuse(format!("{} is not a number: a value is missing", quoted(cell)));
        }
        if value.is_infinite() && !self.infinities {
            return refuse(format!("{} is not finite", quoted(cell)));
        }
        if comma {
            if self.comma.is_none() {
                self.comma = Some((line, place(), cell.into()));
            }
            self.certain |= !may_group_thousands(cell);
        } else if self.point.is_none() && cell.contains('.') {
            self.point = Some(line);
        }
        self.data.push(value);
        Ok(())
    }

    fn missing(&self, line: usize, column: usize, of: usize) -> Fault {
        let place = if of > 1 {
            format!("column {}: ", column + 1)
        } else {
            String::new()
        };
        Fault::Line {
            line,
            why: format!("{place}a number is missing"),
        }
    }

    /// A comma is a decimal one where the whole file says so.
    fn check_decimal_commas(&self) -> Result<(), Fault> {
        let Some((line, place, cell)) = &self.comma else {
            return Ok(());
        };
        let refuse = |why: String| {
            Err(Fault::Line {
                line: *line,
                why: format!("{place}{} {why}", quoted(cell)),
            })
        };
        if let Some(point) = self.point {
            return refuse(format!(
                "has a decimal comma, where line {point} has a decimal point"
            ));
        }
        if !self.certain {
            let (one, other) = (cell.replace(',', ""), cell.replace(',', "."));
            return refuse(format!(
                "may be {one} or {other}: write decimal points, and thousands without commas"
            ));
        }
        Ok(())
    }
}

fn read_number(cell: &str) -> Option<f64> {
    cell.parse().ok()
}

fn with_decimal_comma(cell: &str) -> Option<f64> {
    if cell.contains(',') && !cell.contains('.') {
        cell.replace(',', ".").parse().ok()
    } else {
        None
    }
}

/// Whether the comma of a number may stand between thousands: 1,000 and 12,500, not 0,125 or 1,5.
fn may_group_thousands(cell: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    let figures = cell.trim_start_matches(['+', '-']);
    figures.split_once(',').is_some_and(|(whole, rest)| {
        (1..=3).contains(&whole.len())
            && !whole.starts_with('0')
            && digits(whole)
            && rest.len() == 3
            && digits(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> (Vec<usize>, Vec<f64>) {
        let table = parse(text, false).unwrap();
        (table.array.shape, table.array.data)
    }

    /// Numbers of one shape and value, with these names of rows and columns.
    #[track_caller]
    fn named(text: &str, rows: Option<&[&str]>, columns: Option<&[&str]>) {
        let own =
            |names: Option<&[&str]>| names.map(|n| n.iter().map(ToString::to_string).collect::<Vec<_>>());
        let table = parse(text, false).unwrap();
        assert_eq!(table.array.shape, [2, 2], "{text:?}");
        assert_eq!(table.array.data, [1.0, 2.5, -3.0, 4e5], "{text:?}");
        assert_eq!(table.rows, own(rows), "{text:?}");
        assert_eq!(table.columns, own(columns), "{text:?}");
    }

    #[test]
    fn separators_comments_and_one_header_line() {
        let expected = (vec![2, 2], vec![1.0, 2.5, -3.0, 4e5]);
        for text in [
            "1,2.5\n-3,4e5\n",
            "1;2.5\r\n-3;4e5",
            "1\t2.5\n\n-3\t4e5\n",
            "  1   2.5\n -3 4e5 ",
            "1 2.5\n-3\t4e5\n",
            "# made today\nwavelength / nm,counts\n1, 2.5\n% half time\n-3 , 4e5\n",
            "\"a, b\";c\n1;2.5\n-3;4e5\n",
            "1,2.5\r-3,4e5\r",
            "time in s, counts\n1\t2.5\n-3\t4e5\n",
            // quoted numbers, a separator at the end of every line, empty rows below
            "\"1\",\"2.5\"\n\"-3\", \"4e5\"\n",
            "1,2.5,\n-3,4e5,\n",
            "a,b\n1,2.5,\n-3,4e5,\n",
            "a,b,\n1,2.5,\n-3,4e5,\n",
            "1;2.5\n-3;4e5\n;\n;\n",
            // decimal commas, where nothing else can be meant
            "1;2,5\n-3;4e5\n",
            "1\t2,5\n-3\t4e5\n",
            "\"1,0\",\"2,5\"\n\"-3\",\"4e5\"\n",
            "1,000;2,5\n-3;4e5\n",
        ] {
            assert_eq!(table(text), expected, "{text:?}");
        }
        for text in [
            "7\n8\n9\n",
            "counts in s\n7\n8\n9\n",
            "\"counts, raw\"\n7\n8\n9\n",
        ] {
            assert_eq!(table(text), (vec![3, 1], vec![7.0, 8.0, 9.0]), "{text:?}");
        }
        assert_eq!(table("0,125;1,250\n"), (vec![1, 2], vec![0.125, 1.25]));
    }

    #[test]
    fn names_of_rows_and_columns() {
        let (rows, columns) = (Some(&["s1", "s2"][..]), Some(&["Fe", "Ni II"][..]));
        for text in [
            // a named corner, an empty one (pandas, R's write.csv), none (R's write.table)
            "sample,Fe,Ni II\ns1,1,2.5\ns2,-3,4e5\n",
            ",Fe,Ni II\ns1,1,2.5\ns2,-3,4e5\n",
            "\"\",\"Fe\",\"Ni II\"\n\"s1\",1,2.5\n\"s2\",-3,4e5\n",
            "\"Fe\" \"Ni II\"\n\"s1\" 1 2.5\n\"s2\" -3 4e5\n",
            "\tFe\tNi II\ns1\t1\t2.5\ns2\t-3\t4e5\n",
            "Fe;Ni II\ns1;1;2,5\ns2;-3;4e5\n",
            // a header in two lines, as spreadsheets break them; one with a separator of its own
            "sample,Fe,\"Ni\n II\"\ns1,1,2.5\ns2,-3,4e5\n",
            "sample,Fe,Ni II\ns1\t1\t2.5\ns2\t-3\t4e5\n",
            ",Fe,Ni II,\ns1,1,2.5,\ns2,-3,4e5,\n",
        ] {
            named(text, rows, columns);
        }
        named("s1,1,2.5\ns2,-3,4e5\n", rows, None);
        named("Fe,Ni II\n1,2.5\n-3,4e5\n", None, columns);
        let days = Some(&["2024-01-05", "2024-01-06"][..]);
        named("2024-01-05,1,2.5\n2024-01-06,-3,4e5\n", days, None);
        // names that are numbers: in quotation marks, or beside the empty corner of pandas
        named("\"7\" 1 2.5\n\"9\" -3 4e5\n", Some(&["7", "9"]), None);
        named(",400,410\ns1,1,2.5\ns2,-3,4e5\n", rows, Some(&["400", "410"]));
        named(",400,410\n0,1,2.5\n1,-3,4e5\n", None, Some(&["400", "410"]));
        // numbers that only count tell nothing
        named(",0,1\n0,1,2.5\n1,-3,4e5\n", None, None);
        named(",0,1\n0.5,1,2.5\n0.7,-3,4e5\n", Some(&["0.5", "0.7"]), None);
        named(
            "\"V1\" \"V2\"\n\"1\" 1 2.5\n\"2\" -3 4e5\n",
            None,
            Some(&["V1", "V2"]),
        );
        // a vector with names
        let b = parse("sample,counts\ns1,7\ns2,8\n", false).unwrap();
        assert_eq!((b.array.shape, b.array.data), (vec![2, 1], vec![7.0, 8.0]));
        assert_eq!(b.rows.unwrap(), ["s1", "s2"]);
        // a cell of a spreadsheet that could not be computed is no comment
        let text = parse("1,2\n#N/A,4\n", false).unwrap_err().to_string();
        assert!(
            text.contains("line 2: column 1: '#N/A' is not a number"),
            "{text}"
        );
    }

    #[test]
    fn what_is_refused_is_named() {
        for (text, part) in [
            ("", "no row of numbers"),
            ("only,words\n", "no row of numbers"),
            ("1,2\n3\n", "line 2: it has 1 number, where line 1 has 2"),
            (
                "a,b\n1,2\n3,4,5\n",
                "line 3: it has 3 numbers, where line 2 has 2",
            ),
            ("1,2\n3,x\n", "line 2: column 2: 'x' is not a number"),
            ("1,2\na,b\n", "line 2: column 1: 'a' is not a number"),
            ("one\ntwo\n1\n", "line 2: 'two' is not a number"),
            (
                "id,1\n2,3\n",
                "line 2: column 1: '2' is no name, where line 1 begins with the name 'id'",
            ),
            (
                "1,\n2,\n3,4\n",
                "line 3: column 2: '4' stands in a column that is empty in line 1",
            ),
            ("1,2,\n3,4\n", "line 2: it has 1 number, where line 1 has 2"),
            ("a,b,c\n1,2,\n", "line 2: column 3 ('c'): a number is missing"),
            ("a,b\n1\n2\n", "line 2: it has 1 number, where line 1 has 2 names"),
            (
                "a,b,c\n1,2\n",
                "line 2: it has 2 numbers, where line 1 has 3 names",
            ),
            // a title, or names of columns beside a nameless column of numbers
            (
                "a,b\n400,1,2\n410,3,4\n",
                "line 2: it has 3 numbers, where line 1 has 2 names",
            ),
            ("1,nan\n", "line 1: column 2: 'nan' is not a number"),
            (
                "s,a\nx,1\ny,NA\n",
                "line 3: column 2 ('a'): 'NA' is not a number: a value is missing",
            ),
            (
                "1,\"\"\n2,3\n",
                "line 2: column 2: '3' stands in a column that is empty in line 1",
            ),
            ("1,-inf\n", "line 1: column 2: '-inf' is not finite"),
            ("1,1e999\n", "line 1: column 2: '1e999' is not finite"),
            (
                "1;2,5\n3;4.5\n",
                "line 1: column 2: '2,5' has a decimal comma, where line 2 has a decimal point",
            ),
            (
                "7;1,000\n8;2\n",
                "line 1: column 2: '1,000' may be 1000 or 1.000: write decimal points",
            ),
            ("1.234,5;1\n", "line 1: column 1: '1.234,5' is not a number"),
            ("1'000,5\n", "line 1: column 1: '1'000' is not a number"),
            ("1,5 2,5\n", "line 1: column 2: '5 2' is not a number"),
            ("1.2.3\n1\n", "line 1: '1.2.3' is not a number"),
            (",,\n1,2,3\n", "line 1: column 1: a number is missing"),
            (",2,3\n1,2,3\n4,5,6\n", "line 1: column 1: a number is missing"),
            ("1,2\n,\n3,4\n", "line 2: column 1: a number is missing"),
            ("1,2\n\"3,4\n5,6\n", "line 2: it has 1 number"),
            ("\"a,b\n1,2\n", "line 1: a quotation mark is not closed"),
        ] {
            match parse(text, false) {
                Ok(table) => panic!("{text:?} was read: {table:?}"),
                Err(fault) => assert!(fault.to_string().contains(part), "{text:?}: {fault}"),
            }
        }
        assert_eq!(
            parse("-inf\ninf\n", true).unwrap().array.data,
            [f64::NEG_INFINITY, f64::INFINITY]
        );
    }
}
