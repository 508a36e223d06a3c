//! The readers of the program's files.

use crate::input::{Bytes, Kind};
use crate::read::{Kind as Shape, Matrix, read};
use reparam::operators::LinearOperator;
use std::path::{Path, PathBuf};

/// A matrix, right-hand sides and sometimes bounds in files of any format and any contents.
///
/// # Panics
/// When what was read is not whole, or a message is beyond measure.
pub fn readers(data: &[u8]) {
    thread_local! {
        static FOLDER: Option<tempfile::TempDir> = tempfile::tempdir().ok();
    }
    FOLDER.with(|folder| {
        let Some(folder) = folder else {
            return;
        };
        let mut bytes = Bytes::new(data);
        let (m, n) = (bytes.below(5), bytes.below(5));
        let mut file = |name: &str, shape: &[usize]| -> Option<PathBuf> {
            let (ending, contents) = contents(&mut bytes, shape);
            let path = folder.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, contents).ok().map(|()| path)
        };
        let bounds = (file("lower", &[n]), file("upper", &[n]));
        let (Some(a), Some(b), (Some(lower), Some(upper))) = (file("A", &[m, n]), file("b", &[m]), bounds)
        else {
            return;
        };
        check(&a, &b, bytes.yes().then_some((&lower, &upper)));
    });
}

fn check(a: &Path, b: &Path, bounds: Option<(&PathBuf, &PathBuf)>) {
    match read(a, b, bounds) {
        Err(failure) => {
            let message = failure.to_string();
            assert!(message.chars().count() < 1000, "{message}");
        }
        Ok((system, limits)) => {
            let (m, n) = (system.rows, system.columns);
            assert!(system.rhs.iter().all(|v| v.is_finite()));
            assert_eq!(system.rhs.len(), m * system.kind.count());
            let lengths = [
                (&system.names.rows, m),
                (&system.names.columns, n),
                (&system.names.answers, system.kind.count()),
            ];
            for (names, length) in lengths {
                assert!(names.as_ref().is_none_or(|names| names.len() == length));
            }
            match &system.matrix {
                Matrix::Dense { data, .. } => {
                    let batch = if let Shape::Batch(k) = system.kind { k } else { 1 };
                    assert_eq!(data.len(), m * n * batch);
                    assert!(data.iter().all(|v| v.is_finite()));
                }
                Matrix::Sparse(a) => assert_eq!((a.rows(), a.columns()), (m, n)),
            }
            if bounds.is_some() {
                assert_eq!((limits.lower.len(), limits.upper.len()), (n, n));
                assert!(limits.lower.iter().zip(&limits.upper).all(|(lo, hi)| lo <= hi));
            }
        }
    }
}

/// The ending of a file's name, and what is in it: something near a file of that format, of about that shape, or anything.
fn contents(bytes: &mut Bytes<'_>, shape: &[usize]) -> (&'static str, Vec<u8>) {
    let ending = bytes.choose(&[
        "npy", "npy", "npy", "mtx", "mtx", "csv", "tsv", "txt", "npz", "dat",
    ]);
    if bytes.rarely(8) {
        let length = bytes.below(120);
        return (ending, bytes.take(length));
    }
    let shape: Vec<usize> = shape.iter().map(|n| bytes.about(*n)).collect();
    let mut contents = match ending {
        "npy" => npy(bytes, &shape),
        "mtx" => matrix_market(bytes, &shape).into_bytes(),
        _ => table(bytes, &shape).into_bytes(),
    };
    if bytes.rarely(4) {
        for _ in 0..=bytes.below(3) {
            let at = bytes.below(256) % contents.len().max(1);
            let with = bytes.below(5);
            let with = bytes.take(with);
            let to = (at + bytes.below(5)).min(contents.len());
            contents.splice(at..to, with);
        }
    }
    (ending, contents)
}

/// A number as a size: small, or what breaks products.
fn size(bytes: &mut Bytes<'_>, usual: usize) -> String {
    match bytes.byte() {
        248 => (1_u128 << (bytes.byte() % 100)).to_string(),
        249 => (u64::MAX - u64::from(bytes.byte())).to_string(),
        250 => format!("-{}", bytes.byte()),
        251 => "1e3".into(),
        252 => format!("{usual}L"),
        253 => "9".repeat(usize::from(bytes.byte())),
        _ => usual.to_string(),
    }
}

fn npy(bytes: &mut Bytes<'_>, shape: &[usize]) -> Vec<u8> {
    let kinds = [
        "<f8", "<f8", "<f8", "<f4", ">f8", "<i8", "<i4", "|i1", "|u1", "<u8", "|b1", "<f2", "<c16", "<U4",
        "|O", "|S3", "<M8[ns]",
    ];
    let kind = bytes.choose(&kinds);
    let sizes: Vec<String> = shape.iter().map(|n| size(bytes, *n)).collect();
    let order = bytes.choose(&["False", "True", "False", "True", "None"]);
    let comma = if sizes.len() == 1 { "," } else { "" };
    let mut header = format!(
        "{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({}{comma}), }}",
        sizes.join(", ")
    );
    let version = bytes.choose(&[1_u8, 1, 1, 2, 3, 0, 9]);
    while header.len() % 64 != 53 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([version, 0]);
    let length = if bytes.rarely(32) {
        usize::from(bytes.byte()) << bytes.below(24)
    } else {
        header.len()
    };
    if version < 2 {
        file.extend((length as u16).to_le_bytes());
    } else {
        file.extend((length as u32).to_le_bytes());
    }
    file.extend(header.bytes());
    let numbers = bytes.kind();
    for _ in 0..shape.iter().product::<usize>() {
        file.extend(bytes.number(numbers).to_le_bytes());
    }
    if bytes.rarely(16) {
        file.truncate(file.len().saturating_sub(1 + bytes.below(16)));
    }
    file
}

fn matrix_market(bytes: &mut Bytes<'_>, shape: &[usize]) -> String {
    let format = bytes.choose(&[
        "coordinate",
        "coordinate",
        "coordinate",
        "array",
        "Coordinate",
        "vector",
    ]);
    let field = bytes.choose(&["real", "real", "real", "integer", "pattern", "complex", "double"]);
    let symmetry = bytes.choose(&[
        "general",
        "general",
        "general",
        "symmetric",
        "skew-symmetric",
        "hermitian",
        "",
    ]);
    let mut text = format!("%%MatrixMarket matrix {format} {field} {symmetry}\n");
    if bytes.rarely(4) {
        text.push_str("% a comment\n\n");
    }
    let (m, n) = (shape[0], shape.get(1).copied().unwrap_or(1));
    let count = bytes.below(8);
    let sizes = [size(bytes, m), size(bytes, n), size(bytes, count)];
    let number = |bytes: &mut Bytes<'_>| format!("{:e}", bytes.number(Kind::Any));
    if format == "array" {
        text.push_str(&format!("{} {}\n", sizes[0], sizes[1]));
        for _ in 0..m * n {
            text.push_str(&number(bytes));
            text.push('\n');
        }
        return text;
    }
    text.push_str(&sizes.join(" "));
    text.push('\n');
    for _ in 0..count {
        let (i, j) = (1 + bytes.below(m.max(1)), 1 + bytes.below(n.max(1)));
        let (i, j) = (size(bytes, i), size(bytes, j));
        let value = if field == "pattern" {
            String::new()
        } else {
            number(bytes)
        };
        text.push_str(&format!("{i} {j} {value}\n"));
    }
    text
}

fn table(bytes: &mut Bytes<'_>, shape: &[usize]) -> String {
    let between = bytes.choose(&[",", "\t", " ", ";", ", "]);
    let end = bytes.choose(&["\n", "\r\n", "\n\n", "\r"]);
    let mut text = String::new();
    if bytes.rarely(4) {
        text.push_str(bytes.choose(&[
            "# wavelength",
            "a,b,c",
            "\u{feff}",
            "x\ty",
            ",a,b",
            ",0,1",
            "\"a\" \"b\"",
        ]));
        text.push_str(end);
    }
    let names = bytes.rarely(4);
    for row in 0..shape[0] {
        if names {
            let name = match bytes.byte() {
                255 => "\"".into(),
                254 => String::new(),
                253 => "\"two\nlines\"".into(),
                odd if odd % 2 == 1 => format!("\"{row}\""),
                _ => format!("s{row}"),
            };
            text.push_str(&name);
            text.push_str(between);
        }
        let columns = bytes.about(shape.get(1).copied().unwrap_or(1));
        let words: Vec<String> = (0..columns)
            .map(|_| match bytes.byte() {
                252 => "inf".into(),
                253 => "nan".into(),
                254 => "\"1.5\"".into(),
                255 => "1,5".into(),
                251 => "NA".into(),
                250 => "1,000".into(),
                _ => bytes.number(Kind::Any).to_string(),
            })
            .collect();
        text.push_str(&words.join(between));
        text.push_str(end);
    }
    text
}
