//! A directory with files, in which the program is run; and small problems with known answers.
#![allow(unreachable_pub)] // shared by the files of this program

use npyz::{AutoSerialize, Order, Serialize, WriterBuilder};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A directory with files, in which the program is run.
pub struct Bench {
    dir: TempDir,
}

/// What a run left behind.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn bytes(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn npy<T: Serialize + AutoSerialize + Copy>(
        &self,
        name: &str,
        shape: &[u64],
        order: Order,
        data: &[T],
    ) {
        self.bytes(name, &npy_bytes(T::default_dtype(), shape, order, data));
    }

    /// float64 in C order.
    pub fn c(&self, name: &str, shape: &[u64], data: &[f64]) {
        self.npy(name, shape, Order::C, data);
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reparam"));
        command.current_dir(self.dir.path()).args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// `nnls` on A and b into x.npy, with further options.
    pub fn nnls(&self, matrix: &str, rhs: &str, options: &[&str]) -> Ran {
        let mut args = vec!["nnls", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"];
        args.extend(options);
        self.run(&args)
    }

    pub fn bvls(&self, matrix: &str, rhs: &str, options: &[&str]) -> Ran {
        let mut args = vec!["bvls", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"];
        args.extend(["--lower", "lo.npy", "--upper", "hi.npy"]);
        args.extend(options);
        self.run(&args)
    }

    pub fn simplex(&self, matrix: &str, rhs: &str, options: &[&str]) -> Ran {
        let mut args = vec!["simplex", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"];
        args.extend(options);
        self.run(&args)
    }

    pub fn bounds(&self, lo: &[f64], hi: &[f64]) {
        self.npy("lo.npy", &[lo.len() as u64], Order::C, lo);
        self.npy("hi.npy", &[hi.len() as u64], Order::C, hi);
    }

    pub fn x(&self) -> (Vec<u64>, Vec<f64>) {
        let array = npyz::NpyFile::new(fs::File::open(self.path("x.npy")).unwrap()).unwrap();
        assert_eq!(array.order(), Order::C);
        assert_eq!(array.dtype().descr(), "'<f8'");
        (array.shape().to_vec(), array.into_vec().unwrap())
    }

    /// The names in the directory, to see that nothing is left lying about.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The run is refused with status 1, says exactly this, and writes nothing.
    pub fn refused(&self, matrix: &str, rhs: &str, options: &[&str], sentence: &str) {
        let before = self.names();
        let ran = self.nnls(matrix, rhs, options);
        assert_eq!(ran.stderr, format!("reparam: {sentence}\n"));
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.stdout, "");
        assert_eq!(self.names(), before);
    }

    /// As `refused`, for a sentence in words that are not ours throughout.
    pub fn refused_with(&self, matrix: &str, rhs: &str, parts: &[&str]) {
        let before = self.names();
        let ran = self.nnls(matrix, rhs, &[]);
        for part in parts {
            assert!(ran.stderr.contains(part), "{part:?} is not in {:?}", ran.stderr);
        }
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert_eq!(self.names(), before);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub fn solved(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        // standard error is no terminal here: no progress line
        assert_eq!(self.stderr, "");
        self
    }
}

pub fn npy_bytes<T: Serialize + Copy>(
    dtype: npyz::DType,
    shape: &[u64],
    order: Order,
    data: &[T],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().dtype(dtype).shape(shape).order(order);
    let mut array = options.writer(&mut bytes).begin_nd().unwrap();
    array.extend(data.iter().copied()).unwrap();
    array.finish().unwrap();
    bytes
}

/// An .npy file, version 1, with any header text and any payload.
pub fn raw_npy(header: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len() + 1).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(payload);
    bytes
}

pub fn descr(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < 1e-7, "{found:?}, expected {expected:?}");
    }
}

#[track_caller]
pub fn number(object: &Value, key: &str) -> f64 {
    object[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} in {object}"))
}

/// 3 × 2, row after row. AᵀA = [[2, 1], [1, 2]].
pub const A: [f64; 6] = [1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
/// The same, column after column.
pub const A_COLUMNS: [f64; 6] = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0];
/// Aᵀb = (0, 3): unconstrained (−1, 2), constrained (0, 3/2) with residual (−1/2, 1/2, −1).
pub const B: [f64; 3] = [1.0, 2.0, -1.0];
pub const X: [f64; 2] = [0.0, 1.5];
pub const OBJECTIVE: f64 = 0.75;
/// Aᵀb = (5, 5): (5/3, 5/3) with residual (−1/3, 1/3, 1/3).
pub const B2: [f64; 3] = [3.0, 2.0, 2.0];
pub const X2: [f64; 2] = [5.0 / 3.0, 5.0 / 3.0];
pub const OBJECTIVE2: f64 = 1.0 / 6.0;

pub fn small() -> Bench {
    let bench = Bench::new();
    bench.c("A.npy", &[3, 2], &A);
    bench.c("b.npy", &[3], &B);
    bench
}

/// A smoothing matrix, of which nearby columns differ little: slow, where it is large. With bounds.
pub fn smoothing(m: usize, n: usize) -> Bench {
    let bench = Bench::new();
    let a: Vec<f64> = (0..m * n)
        .map(|k| {
            let (i, j) = ((k / n) as f64 / m as f64, (k % n) as f64 / n as f64);
            (-40.0 * (i - j).powi(2)).exp()
        })
        .collect();
    let b: Vec<f64> = (0..m).map(|i| (i as f64 * 0.37).sin() + 0.5).collect();
    bench.c("A.npy", &[m as u64, n as u64], &a);
    bench.c("b.npy", &[m as u64], &b);
    bench.bounds(&vec![-0.5; n], &vec![0.7; n]);
    bench
}
