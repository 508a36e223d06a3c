//! `reparam bvls` and `reparam simplex`: what they have in common with `reparam nnls` is tested there.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use npyz::{Order, WriterBuilder};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A directory with files, in which the program is run.
struct Bench {
    dir: TempDir,
}

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// 3 × 2, row after row. AᵀA = [[2, 1], [1, 2]].
const A: [f64; 6] = [1.0, 1.0, 0.0, 1.0, 1.0, 0.0];
/// Aᵀb = (0, 3): unconstrained (−1, 2).
const B: [f64; 3] = [1.0, 2.0, -1.0];
const INF: f64 = f64::INFINITY;

impl Bench {
    fn new() -> Self {
        let bench = Self {
            dir: TempDir::new().unwrap(),
        };
        bench.npy("A.npy", &[3, 2], Order::C, &A);
        bench.npy("b.npy", &[3], Order::C, &B);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn npy(&self, name: &str, shape: &[u64], order: Order, data: &[f64]) {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .order(order);
        let mut array = options.writer(&mut bytes).begin_nd().unwrap();
        array.extend(data.iter().copied()).unwrap();
        array.finish().unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    fn bounds(&self, lo: &[f64], hi: &[f64]) {
        self.npy("lo.npy", &[lo.len() as u64], Order::C, lo);
        self.npy("hi.npy", &[hi.len() as u64], Order::C, hi);
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reparam"));
        let output = command.current_dir(self.dir.path()).args(args).output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn bvls(&self, matrix: &str, rhs: &str, options: &[&str]) -> Ran {
        let mut args = vec!["bvls", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"];
        args.extend(["--lower", "lo.npy", "--upper", "hi.npy"]);
        args.extend(options);
        self.run(&args)
    }

    fn simplex(&self, matrix: &str, rhs: &str, options: &[&str]) -> Ran {
        let mut args = vec!["simplex", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"];
        args.extend(options);
        self.run(&args)
    }

    fn x(&self) -> (Vec<u64>, Vec<f64>) {
        let array = npyz::NpyFile::new(fs::File::open(self.path("x.npy")).unwrap()).unwrap();
        assert_eq!(array.order(), Order::C);
        (array.shape().to_vec(), array.into_vec().unwrap())
    }

    /// Refused with status 1 and exactly this sentence, and nothing is written.
    fn refused(&self, ran: &Ran, sentence: &str) {
        assert_eq!(ran.stderr, format!("reparam: {sentence}\n"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
        assert!(!self.path("x.npy").exists());
    }
}

impl Ran {
    fn solved(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""));
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < 1e-12, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn bounds_hold_exactly_and_may_be_infinite() {
    let bench = Bench::new();
    bench.bounds(&[-0.5, -INF], &[INF, INF]);
    let ran = bench.bvls("A.npy", "b.npy", &[]).solved();
    assert!(ran.stdout.contains("solved to the tolerance"), "{}", ran.stdout);
    let (shape, x) = bench.x();
    assert_eq!((shape, x[0]), (vec![2], -0.5));
    assert_close(&x, &[-0.5, 1.75]);
    // a coordinate that is fixed, and one held by its upper bound
    bench.bounds(&[0.25, 0.0], &[0.25, 1.0]);
    bench.bvls("A.npy", "b.npy", &[]).solved();
    assert_eq!(bench.x().1, [0.25, 1.0]);
}

#[test]
fn a_simplex_of_any_radius() {
    let bench = Bench::new();
    // min over (t, r − t): the derivative vanishes at t = (r − 3)/2 < 0
    let ran = bench.simplex("A.npy", "b.npy", &["--json"]).solved();
    assert_eq!(bench.x().1, [0.0, 1.0]);
    let json = ran.json();
    assert_eq!(json["status"], "solved");
    assert_eq!(json["support"], 1);
    assert!(json["gap"].as_f64().unwrap() <= 1e-14);
    assert!(json["residual"].as_f64().unwrap() <= 1e-15);
    bench.simplex("A.npy", "b.npy", &["--radius", "5"]).solved();
    assert_close(&bench.x().1, &[1.0, 4.0]);
    bench.simplex("A.npy", "b.npy", &["--radius", "0"]).solved();
    assert_eq!(bench.x().1, [0.0, 0.0]);
}

#[test]
fn many_right_hand_sides() {
    let bench = Bench::new();
    let b = [1.0, 3.0, 2.0, 2.0, -1.0, 2.0];
    bench.npy("B.npy", &[3, 2], Order::C, &b);
    bench.bounds(&[0.0, 0.0], &[1.0, 1.0]);
    let json = bench
        .bvls("A.npy", "B.npy", &["--json", "--repeat", "3"])
        .solved()
        .json();
    assert_eq!(json["right_hand_sides"], 2);
    assert_eq!(json["seconds_all"].as_array().unwrap().len(), 3);
    assert_eq!(bench.x(), (vec![2, 2], vec![0.0, 1.0, 1.0, 1.0]));
    bench.simplex("A.npy", "B.npy", &[]).solved();
    let (shape, x) = bench.x();
    assert_eq!(shape, [2, 2]);
    assert_close(&x, &[0.0, 0.5, 1.0, 0.5]);
}

#[test]
fn a_batch_shares_the_bounds() {
    let bench = Bench::new();
    let two: Vec<f64> = A.iter().chain(&A.map(|v| 2.0 * v)).copied().collect();
    bench.npy("A2.npy", &[2, 3, 2], Order::C, &two);
    bench.npy("b2.npy", &[2, 3], Order::C, &[B, B].concat());
    bench.bounds(&[-INF, -INF], &[INF, 0.75]);
    bench.bvls("A2.npy", "b2.npy", &[]).solved();
    let (shape, x) = bench.x();
    assert_eq!(shape, [2, 2]);
    // the second unconstrained solution is (−1/2, 1)
    assert_close(&x, &[-0.375, 0.75, -0.375, 0.75]);
    bench.simplex("A2.npy", "b2.npy", &[]).solved();
    assert_close(&bench.x().1, &[0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn a_sparse_matrix() {
    let bench = Bench::new();
    let text = "%%MatrixMarket matrix coordinate real general\n3 2 4\n1 1 1\n1 2 1\n2 2 1\n3 1 1\n";
    fs::write(bench.path("A.mtx"), text).unwrap();
    bench.bounds(&[-0.5, 0.0], &[1.0, 5.0]);
    bench.bvls("A.mtx", "b.npy", &[]).solved();
    assert_close(&bench.x().1, &[-0.5, 1.75]);
    bench.simplex("A.mtx", "b.npy", &["--radius", "5"]).solved();
    assert_close(&bench.x().1, &[1.0, 4.0]);
}

#[test]
fn no_time_at_all_still_writes_a_feasible_x() {
    let bench = Bench::new();
    bench.bounds(&[0.5, -1.0], &[2.0, 5.0]);
    let ran = bench.bvls("A.npy", "b.npy", &["--max-seconds", "0", "--json"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.json()["status"], "time-limit");
    assert_eq!(bench.x().1, [0.5, 0.0]);
    let ran = bench.simplex("A.npy", "b.npy", &["--radius", "5", "--max-seconds", "0"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(bench.x().1.iter().sum::<f64>(), 5.0);
}

#[test]
fn bounds_that_leave_nothing_name_the_coordinate() {
    let bench = Bench::new();
    let crossed = |lo: &[f64], hi: &[f64], sentence: &str| {
        bench.bounds(lo, hi);
        bench.refused(&bench.bvls("A.npy", "b.npy", &[]), sentence);
    };
    crossed(
        &[0.0, 2.0],
        &[1.0, 1.5],
        "hi.npy: entry 1 is 1.5e0, where lo.npy has 2e0: no number lies between",
    );
    crossed(
        &[INF, 0.0],
        &[INF, 1.0],
        "hi.npy: entry 0 is inf, where lo.npy has inf: no number lies between",
    );
    crossed(&[0.0, f64::NAN], &[1.0, 1.0], "lo.npy: entry 1 is not a number");
    crossed(&[0.0, 0.0], &[f64::NAN, 1.0], "hi.npy: entry 0 is not a number");
}

#[test]
fn bounds_of_the_wrong_shape() {
    let bench = Bench::new();
    bench.bounds(&[0.0; 3], &[1.0; 2]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    bench.refused(&ran, "lo.npy: has 3 entries, expected 2 (the columns of A.npy)");
    bench.bounds(&[0.0; 2], &[1.0; 1]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    bench.refused(&ran, "hi.npy: has 1 entries, expected 2 (the columns of A.npy)");
    bench.npy("hi.npy", &[2, 1], Order::C, &[1.0; 2]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    bench.refused(&ran, "hi.npy: has 2 dimensions, expected 1 (columns)");
    fs::remove_file(bench.path("lo.npy")).unwrap();
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    bench.refused(&ran, "lo.npy: cannot be opened: No such file or directory");
}

#[test]
fn usage() {
    let bench = Bench::new();
    for args in [
        &["bvls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy"][..],
        &[
            "simplex", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy", "--radius", "-1",
        ],
        &[
            "simplex", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy", "--radius", "inf",
        ],
        &[
            "nnls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy", "--radius", "1",
        ],
    ] {
        let ran = bench.run(args);
        assert_eq!(ran.code, Some(1), "{args:?}");
        assert!(ran.stderr.contains("error:"), "{}", ran.stderr);
        assert!(!bench.path("x.npy").exists());
    }
    let help = bench.run(&["bvls", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(
        help.stdout.contains("--lower") && help.stdout.contains("-inf"),
        "{}",
        help.stdout
    );
}
