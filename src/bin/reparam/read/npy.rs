//! Numpy arrays. `npyz` decodes them; what it would trust in a header (sizes that overflow, nesting without
//! bound, more data than there is) is checked here first, before anything is allocated.

use crate::error::{Failure, Fault, Position, Shape};
use npyz::{DType, Deserialize, NpyFile, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// numpy itself refuses headers above 10 000 characters; those of plain arrays have about 120.
const LONGEST_HEADER: u64 = 1 << 16;

/// Bytes per read: large enough that the calls do not show.
const BUFFER: usize = 1 << 20;

/// An array whose header has been read and found sound, and whose data wait in the file.
pub(super) struct Pending {
    path: PathBuf,
    header: NpyHeader,
    reader: BufReader<File>,
    pub(super) shape: Vec<usize>,
}

/// An array in memory, elements in the order of the file.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    /// First index fastest.
    pub(super) fortran: bool,
    pub(super) data: Vec<f64>,
}

/// Reads and checks the header.
pub(super) fn open(path: &Path) -> Result<Pending, Failure> {
    open_file(path).map_err(|fault| fault.of(path))
}

fn open_file(path: &Path) -> Result<Pending, Fault> {
    let (file, bytes) = super::open_regular(path)?;
    let mut reader = BufReader::with_capacity(BUFFER, file);
    let text = read_header(&mut reader, bytes)?;
    let payload = bytes - text.len() as u64;
    let shape = check_header(&text)?;
    let header = NpyHeader::from_reader(&text[..]).map_err(|e| malformed(describe(&e.to_string())))?;
    let (element, width) = element_type(&header.dtype())?;
    let expected = shape
        .iter()
        .try_fold(width, |size, n| size.checked_mul(*n as u64))
        .filter(|size| usize::try_from(*size).is_ok())
        .ok_or_else(|| Fault::Claim(format!("a shape {} that overflows", Shape(shape.clone()))))?;
    if expected != payload {
        return Err(Fault::Payload {
            found: payload,
            expected,
            shape: Shape(shape),
            element,
        });
    }
    if shape.contains(&0) {
        return Err(Fault::Empty(Shape(shape)));
    }
    Ok(Pending {
        path: path.to_path_buf(),
        header,
        reader,
        shape,
    })
}

/// The header with its prelude (magic, version, length), byte for byte.
fn read_header(reader: &mut impl Read, bytes: u64) -> Result<Vec<u8>, Fault> {
    let short = || malformed("it ends within its header".into());
    if bytes < 10 {
        return Err(malformed("it is too short for a header".into()));
    }
    let mut text = vec![0; 10];
    reader
        .read_exact(&mut text)
        .map_err(Fault::io("cannot be read"))?;
    if &text[..6] != b"\x93NUMPY" {
        return Err(malformed("it does not begin with the magic bytes of one (text is read from files named .csv, .tsv or .txt)".into()));
    }
    let length = match text[6] {
        1 => u64::from(u16::from_le_bytes([text[8], text[9]])),
        2 | 3 => {
            let mut rest = [0; 2];
            if bytes < 12 {
                return Err(short());
            }
            reader
                .read_exact(&mut rest)
                .map_err(Fault::io("cannot be read"))?;
            text.extend(rest);
            u64::from(u32::from_le_bytes([text[8], text[9], rest[0], rest[1]]))
        }
        version => return Err(malformed(format!("version {version} of the format is unknown"))),
    };
    if length > LONGEST_HEADER {
        return Err(malformed(format!("it claims a header of {length} bytes")));
    }
    if bytes - (text.len() as u64) < length {
        return Err(short());
    }
    let start = text.len();
    text.resize(start + length as usize, 0);
    reader
        .read_exact(&mut text[start..])
        .map_err(Fault::io("cannot be read"))?;
    Ok(text)
}

/// Accepts only the flat dictionary of a plain array, `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}`,
/// and returns its shape. With one tuple in it and no brackets, that tuple is the shape, and a parser of Python
/// literals has nothing to recurse into.
fn check_header(text: &[u8]) -> Result<Vec<usize>, Fault> {
    let text = String::from_utf8_lossy(text);
    let count = |c: char| text.matches(c).count();
    if count('[') > 0 {
        let kind = text
            .split('[')
            .nth(1)
            .map_or("", |t| t.split(']').next().unwrap_or(""));
        return Err(Fault::ElementType(format!(
            "[{}]",
            kind.chars().take(60).collect::<String>()
        )));
    }
    let flat = [('{', 1), ('}', 1), ('(', 1), (')', 1)]
        .iter()
        .all(|(c, n)| count(*c) == *n);
    let inside = match (text.find('('), text.find(')')) {
        (Some(open), Some(close)) if flat && open < close => &text[open + 1..close],
        _ => return Err(malformed("its header is not that of a plain array".into())),
    };
    let sizes = inside.split(',').map(str::trim).filter(|t| !t.is_empty());
    let shape: Result<Vec<usize>, Fault> = sizes
        .map(|size| match size.parse::<usize>() {
            Ok(n) => Ok(n),
            Err(_) if size.bytes().all(|c| c.is_ascii_digit()) => {
                Err(Fault::Claim(format!("a size of {size}, which overflows")))
            }
            Err(_) => Err(malformed(format!("its shape ({inside}) is not a tuple of sizes"))),
        })
        .collect();
    let shape = shape?;
    // npyz multiplies the sizes without a check
    let product = shape
        .iter()
        .try_fold(1u64, |p, n| p.checked_mul((*n as u64).max(1)));
    match product {
        Some(_) => Ok(shape),
        None => Err(Fault::Claim(format!("a shape {} that overflows", Shape(shape)))),
    }
}

/// The name and the width in bytes of an element type that can be converted to float64.
fn element_type(dtype: &DType) -> Result<(String, u64), Fault> {
    let DType::Plain(kind) = dtype else {
        return Err(Fault::ElementType(dtype.descr()));
    };
    let width = kind.size_field();
    let name = match (kind.type_char(), width) {
        (TypeChar::Float, 4 | 8) => format!("float{}", 8 * width),
        (TypeChar::Int, 1 | 2 | 4 | 8) => format!("int{}", 8 * width),
        (TypeChar::Uint, 1 | 2 | 4 | 8) => format!("uint{}", 8 * width),
        (TypeChar::Bool, 1) => "bool".into(),
        _ => return Err(Fault::ElementType(kind.to_string())),
    };
    Ok((name, width))
}

/// The parser's complaint up to the picture that it draws of a syntax error.
fn describe(message: &str) -> String {
    let words = message.split("-->").next().unwrap_or(message);
    format!("its header: {}", words.trim_end_matches([' ', ':', '\n']))
}

fn malformed(why: String) -> Fault {
    Fault::Format { format: ".npy", why }
}

impl Pending {
    /// Reads the data, converts them to float64 without rounding, and checks that they are finite.
    pub(super) fn read(self) -> Result<Array, Failure> {
        let path = self.path.clone();
        self.read_data(false).map_err(|fault| fault.of(&path))
    }

    /// As `read`, for data that may be infinite.
    pub(super) fn read_with_infinities(self) -> Result<Array, Failure> {
        let path = self.path.clone();
        self.read_data(true).map_err(|fault| fault.of(&path))
    }

    fn read_data(self, infinities: bool) -> Result<Array, Fault> {
        let Self {
            header,
            reader,
            shape,
            ..
        } = self;
        let fortran = header.order() == Order::Fortran && shape.len() > 1;
        let DType::Plain(kind) = header.dtype() else {
            return Err(Fault::ElementType(header.dtype().descr()));
        };
        let array = NpyFile::with_header(header, reader);
        let layout = Layout {
            shape: &shape,
            fortran,
            infinities,
        };
        let data = match (kind.type_char(), kind.size_field()) {
            (TypeChar::Float, 4) => layout.convert(array, |v: f32| Ok(f64::from(v))),
            (TypeChar::Float, _) => layout.convert(array, Ok::<f64, i128>),
            (TypeChar::Bool, _) => layout.convert(array, |v: bool| Ok(f64::from(u8::from(v)))),
            (TypeChar::Int, 1) => layout.convert(array, |v: i8| Ok(f64::from(v))),
            (TypeChar::Int, 2) => layout.convert(array, |v: i16| Ok(f64::from(v))),
            (TypeChar::Int, 4) => layout.convert(array, |v: i32| Ok(f64::from(v))),
            (TypeChar::Int, _) => layout.convert(array, |v: i64| super::exact(v.into()).ok_or(v.into())),
            (TypeChar::Uint, 1) => layout.convert(array, |v: u8| Ok(f64::from(v))),
            (TypeChar::Uint, 2) => layout.convert(array, |v: u16| Ok(f64::from(v))),
            (TypeChar::Uint, 4) => layout.convert(array, |v: u32| Ok(f64::from(v))),
            (TypeChar::Uint, _) => layout.convert(array, |v: u64| super::exact(v.into()).ok_or(v.into())),
            _ => return Err(Fault::ElementType(kind.to_string())),
        }?;
        Ok(Array { shape, fortran, data })
    }
}

/// Where the elements of a stream belong.
struct Layout<'a> {
    shape: &'a [usize],
    fortran: bool,
    /// Whether elements may be infinite.
    infinities: bool,
}

impl Layout<'_> {
    fn convert<T, R>(
        &self,
        array: NpyFile<R>,
        to_f64: impl Fn(T) -> Result<f64, i128>,
    ) -> Result<Vec<f64>, Fault>
    where
        T: Deserialize,
        R: Read,
    {
        let len = self.shape.iter().product();
        let mut data = super::reserve(len)?;
        let elements = array.data::<T>().map_err(|e| malformed(e.to_string()))?;
        for (k, element) in elements.enumerate() {
            let element = element.map_err(Fault::io("cannot be read"))?;
            let value = to_f64(element).map_err(|value| Fault::Inexact {
                at: self.position(k),
                value,
            })?;
            if self.infinities && value.is_nan() {
                return Err(Fault::NotANumber(self.position(k)));
            }
            if !self.infinities && !value.is_finite() {
                return Err(Fault::NotFinite(self.position(k)));
            }
            data.push(value);
        }
        Ok(data)
    }

    /// The index of the element number k of the file.
    fn position(&self, mut k: usize) -> Position {
        let axes: Vec<usize> = (0..self.shape.len()).collect();
        let mut index = vec![0; axes.len()];
        let mut place = |axis: usize| {
            index[axis] = k % self.shape[axis];
            k /= self.shape[axis];
        };
        if self.fortran {
            axes.into_iter().for_each(&mut place);
        } else {
            axes.into_iter().rev().for_each(&mut place);
        }
        Position(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_order() {
        let c = Layout {
            shape: &[2, 3],
            fortran: false,
            infinities: false,
        };
        let f = Layout {
            shape: &[2, 3],
            fortran: true,
            infinities: false,
        };
        assert_eq!(c.position(4), Position(vec![1, 1]));
        assert_eq!(f.position(4), Position(vec![0, 2]));
        assert_eq!(c.position(4).to_string(), "entry [1, 1] (counted from 0)");
    }

    #[test]
    fn headers_are_flat() {
        let header = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        assert_eq!(check_header(header("(3, 4)").as_bytes()).unwrap(), [3, 4]);
        assert_eq!(check_header(header("(3,)").as_bytes()).unwrap(), [3]);
        assert_eq!(check_header(header("()").as_bytes()).unwrap(), [0usize; 0]);
        for bad in [
            "(4294967296, 4294967296)",
            "(99999999999999999999999,)",
            "(-1,)",
            "(0x10,)",
            "(1_0,)",
            "((3,))",
            "[3]",
            "3",
        ] {
            assert!(check_header(header(bad).as_bytes()).is_err(), "{bad}");
        }
        assert!(check_header("(".repeat(60_000).as_bytes()).is_err());
    }
}
