//! The program as its users meet it: files in, files out, exit status, one JSON object, one sentence per error.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::bench::*;
use npyz::{AutoSerialize, Order, Serialize};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

// ---- answers ----------------------------------------------------------------------------------------------

#[test]
fn a_vector_in_c_order() {
    let bench = small();
    let ran = bench.nnls("A.npy", "b.npy", &[]).solved();
    let (shape, x) = bench.x();
    assert_eq!(shape, [2]);
    assert_close(&x, &X);
    assert_eq!(x[0].to_bits(), 0.0f64.to_bits());
    for part in [
        "3 × 2",
        "solved to the tolerance",
        "7.5000000000e-1",
        "support     1 of 2",
    ] {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    assert_eq!(bench.names(), ["A.npy", "b.npy", "x.npy"]);
}

#[test]
fn fortran_order_is_not_mistaken_for_c_order() {
    let bench = small();
    bench.npy("F.npy", &[3, 2], Order::Fortran, &A_COLUMNS);
    bench.nnls("F.npy", "b.npy", &[]).solved();
    assert_close(&bench.x().1, &X);
}

#[test]
fn every_real_element_type() {
    fn check<T: Serialize + AutoSerialize + Copy>(convert: impl Fn(f64) -> T) {
        let bench = small();
        bench.npy("T.npy", &[3, 2], Order::C, &A.map(convert));
        bench.nnls("T.npy", "b.npy", &[]).solved();
        assert_close(&bench.x().1, &X);
    }
    check(|v| v as f32);
    check(|v| v as i8);
    check(|v| v as i16);
    check(|v| v as i32);
    check(|v| v as i64);
    check(|v| v as u8);
    check(|v| v as u16);
    check(|v| v as u32);
    check(|v| v as u64);
    check(|v| v > 0.0);
    // values that differ between the types, and a sign
    let bench = Bench::new();
    bench.npy("A.npy", &[2, 2], Order::C, &[0.5f32, 0.0, 0.0, 0.25]);
    bench.npy("b.npy", &[2], Order::C, &[-3i16, 2000]);
    bench.nnls("A.npy", "b.npy", &[]).solved();
    assert_close(&bench.x().1, &[0.0, 8000.0]);
}

#[test]
fn big_endian() {
    let bench = small();
    let big = |name: &str| npyz::DType::Plain(name.parse().unwrap());
    bench.bytes("A8.npy", &npy_bytes(big(">f8"), &[3, 2], Order::C, &A));
    bench.bytes(
        "A4.npy",
        &npy_bytes(big(">f4"), &[3, 2], Order::C, &A.map(|v| v as f32)),
    );
    bench.bytes(
        "A2.npy",
        &npy_bytes(big(">i2"), &[3, 2], Order::C, &A.map(|v| v as i16)),
    );
    for name in ["A8.npy", "A4.npy", "A2.npy"] {
        bench.nnls(name, "b.npy", &[]).solved();
        assert_close(&bench.x().1, &X);
    }
}

#[test]
fn version_two_headers() {
    let bench = small();
    let header = descr("'<f8'", "(3, 2)");
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(A.iter().flat_map(|v| v.to_le_bytes()));
    bench.bytes("A.npy", &bytes);
    bench.nnls("A.npy", "b.npy", &[]).solved();
    assert_close(&bench.x().1, &X);
}

#[test]
fn many_right_hand_sides_in_both_orders() {
    let bench = small();
    let interleaved: Vec<f64> = (0..3).flat_map(|i| [B[i], B2[i], 2.0 * B[i]]).collect();
    bench.c("BC.npy", &[3, 3], &interleaved);
    let stacked = [B, B2, B.map(|v| 2.0 * v)].concat();
    bench.npy("BF.npy", &[3, 3], Order::Fortran, &stacked);
    for rhs in ["BC.npy", "BF.npy"] {
        let json = bench.nnls("A.npy", rhs, &["--json"]).solved().json();
        let (shape, x) = bench.x();
        assert_eq!(shape, [2, 3]);
        assert_close(&x, &[0.0, X2[0], 0.0, 1.5, X2[1], 3.0]);
        assert_eq!(json["right_hand_sides"], 3);
        assert_eq!(json["status"], "solved");
        assert_eq!(json["support"], 4);
        assert_close(
            &[number(&json, "objective")],
            &[OBJECTIVE + OBJECTIVE2 + 4.0 * OBJECTIVE],
        );
    }
    let text = bench.nnls("A.npy", "BC.npy", &[]).solved().stdout;
    for part in ["3 right-hand sides", "all 3 solved", "support     4 of 6"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // one column stays a column
    bench.c("B1.npy", &[3, 1], &B2);
    bench.nnls("A.npy", "B1.npy", &[]).solved();
    let (shape, x) = bench.x();
    assert_eq!(shape, [2, 1]);
    assert_close(&x, &X2);
}

#[test]
fn a_batch_in_both_orders() {
    let second = [2.0, 0.0, 0.0, 1.0, 0.0, 0.0]; // diag(2, 1) over a row of zeros
    let second_b = [4.0, -1.0, 5.0]; // x = (2, 0), objective (1 + 25)/2
    let expected = [X[0], X[1], 2.0, 0.0];
    let bench = Bench::new();
    let (a, b) = ([A, second].concat(), [B, second_b].concat());
    bench.c("AC.npy", &[2, 3, 2], &a);
    bench.c("bC.npy", &[2, 3], &b);
    // first index fastest: (p, i, j) ↦ p + 2 (i + 3 j)
    let a_fortran: Vec<f64> = (0..12)
        .map(|k| a[(k % 2) * 6 + (k / 2 % 3) * 2 + k / 6])
        .collect();
    let b_fortran: Vec<f64> = (0..6).map(|k| b[(k % 2) * 3 + k / 2]).collect();
    bench.npy("AF.npy", &[2, 3, 2], Order::Fortran, &a_fortran);
    bench.npy("bF.npy", &[2, 3], Order::Fortran, &b_fortran);
    for matrix in ["AC.npy", "AF.npy"] {
        for rhs in ["bC.npy", "bF.npy"] {
            let json = bench.nnls(matrix, rhs, &["--json"]).solved().json();
            let (shape, x) = bench.x();
            assert_eq!(shape, [2, 2]);
            assert_close(&x, &expected);
            assert_eq!(json["right_hand_sides"], 2);
            assert_eq!(
                (&json["rows"], &json["columns"]),
                (&Value::from(3), &Value::from(2))
            );
            assert_close(&[number(&json, "objective")], &[OBJECTIVE + 13.0]);
        }
    }
    let text = bench.nnls("AC.npy", "bC.npy", &[]).solved().stdout;
    assert!(text.contains("a batch of 2"), "{text}");
}

#[test]
fn a_wide_matrix() {
    // 1 × 3: only the column with the right sign is of use, and any split between equals is a solution
    let bench = Bench::new();
    bench.c("A.npy", &[1, 3], &[-1.0, 2.0, 0.0]);
    bench.c("b.npy", &[1], &[5.0]);
    bench.nnls("A.npy", "b.npy", &[]).solved();
    assert_close(&bench.x().1, &[0.0, 2.5, 0.0]);
}

// ---- Matrix Market ----------------------------------------------------------------------------------------

/// Solves with a Matrix Market text and b, and returns x.
#[track_caller]
fn solve_mtx(text: &str, b: &[f64]) -> Vec<f64> {
    let bench = Bench::new();
    bench.bytes("A.mtx", text.as_bytes());
    bench.c("b.npy", &[b.len() as u64], b);
    bench.nnls("A.mtx", "b.npy", &[]).solved();
    bench.x().1
}

#[test]
fn matrix_market_coordinate() {
    let real = "%%MatrixMarket matrix coordinate real general\n% a comment\n%\n3 2 4\n1 1 1.0\n3 1 1e0\n1 2 1\n2 2 +1.\n";
    assert_close(&solve_mtx(real, &B), &X);
    // the mark of an encoding, as editors of Windows write it
    assert_close(&solve_mtx(&format!("\u{feff}{real}"), &B), &X);
    // line ends, capitals, blank lines, no line end at the end
    let windows = real.replace('\n', "\r\n").replace("real general", "Real General");
    assert_close(&solve_mtx(&windows, &B), &X);
    assert_close(&solve_mtx(&real.replace("1e0\n", "1e0\n\n"), &B2), &X2);
    assert_close(&solve_mtx(real.trim_end(), &B2), &X2);
    let integer = "%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 4\n2 2 -2\n";
    assert_close(&solve_mtx(integer, &[2.0, -6.0]), &[0.5, 3.0]);
    let pattern = "%%MatrixMarket matrix coordinate pattern general\n3 2 4\n1 1\n3 1\n1 2\n2 2\n";
    assert_close(&solve_mtx(pattern, &B), &X);
}

#[test]
fn matrix_market_duplicates_add_up() {
    let text = "%%MatrixMarket matrix coordinate real general\n2 2 4\n1 1 1\n2 2 5\n1 1 3\n2 2 -3\n";
    // diag(4, 2)
    assert_close(&solve_mtx(text, &[2.0, 6.0]), &[0.5, 3.0]);
}

#[test]
fn matrix_market_symmetric() {
    // [[2, 1], [1, 2]], as a coordinate and as an array file; (4, 5) = A (1, 2)
    let coordinate = "%%MatrixMarket matrix coordinate real symmetric\n2 2 3\n1 1 2\n2 1 1\n2 2 2\n";
    let array = "%%MatrixMarket matrix array real symmetric\n2 2\n2\n1\n2\n";
    let pattern = "%%MatrixMarket matrix coordinate pattern symmetric\n2 2 2\n1 1\n2 1\n"; // [[1, 1], [1, 0]]
    assert_close(&solve_mtx(coordinate, &[4.0, 5.0]), &[1.0, 2.0]);
    assert_close(&solve_mtx(array, &[4.0, 5.0]), &[1.0, 2.0]);
    assert_close(&solve_mtx(pattern, &[4.0, 3.0]), &[3.0, 1.0]);
    // [[9, 1, 2], [1, 8, 3], [2, 3, 7]] (1, 2, 3)
    let array = "%%MatrixMarket matrix array real symmetric\n3 3\n9\n1\n2\n8\n3\n7\n";
    assert_close(&solve_mtx(array, &[17.0, 26.0, 29.0]), &[1.0, 2.0, 3.0]);
}

#[test]
fn matrix_market_skew_symmetric() {
    // [[0, -2], [2, 0]] (1, 3) = (-6, 2)
    let coordinate = "%%MatrixMarket matrix coordinate integer skew-symmetric\n2 2 1\n2 1 2\n";
    let array = "%%MatrixMarket matrix array real skew-symmetric\n2 2\n2\n";
    assert_close(&solve_mtx(coordinate, &[-6.0, 2.0]), &[1.0, 3.0]);
    assert_close(&solve_mtx(array, &[-6.0, 2.0]), &[1.0, 3.0]);
    // [[0, -1, -2, -3], [1, 0, -4, -5], [2, 4, 0, -6], [3, 5, 6, 0]] (1, 2, 3, 4)
    let array = "%%MatrixMarket matrix array integer skew-symmetric\n4 4\n1\n2\n3\n4\n5\n6\n";
    assert_close(
        &solve_mtx(array, &[-20.0, -31.0, -14.0, 31.0]),
        &[1.0, 2.0, 3.0, 4.0],
    );
}

#[test]
fn matrix_market_array_is_by_columns() {
    let text = "%%MatrixMarket matrix array real general\n3 2\n1\n0\n1\n1\n1\n0\n";
    // blank lines anywhere
    assert_close(&solve_mtx(&text.replace("\n1\n0", "\n\n1\n0\n"), &B), &X);
    assert_close(&solve_mtx(text, &B), &X);
    assert_close(&solve_mtx(&text.replace("real", "integer"), &B2), &X2);
}

#[test]
fn matrix_market_with_many_right_hand_sides() {
    let bench = Bench::new();
    bench.bytes(
        "A.MTX",
        b"%%MatrixMarket matrix coordinate pattern general\n% M\xfcller, Latin-1\n3 2 4\n1 1\n3 1\n1 2\n2 2\n",
    );
    bench.npy("B.npy", &[3, 2], Order::Fortran, &[B, B2].concat());
    bench.nnls("A.MTX", "B.npy", &[]).solved();
    assert_close(&bench.x().1, &[0.0, X2[0], 1.5, X2[1]]);
}

#[test]
fn matrix_market_errors() {
    let check = |text: &str, parts: &[&str]| {
        let bench = Bench::new();
        bench.bytes("A.mtx", text.as_bytes());
        bench.c("b.npy", &[2], &[1.0, 1.0]);
        let mut all = vec!["reparam: A.mtx: "];
        all.extend(parts);
        bench.refused_with("A.mtx", "b.npy", &all);
    };
    let general = "%%MatrixMarket matrix coordinate real general\n";
    let with = |rest: &str| format!("{general}{rest}");
    check("", &["it is empty"]);
    check(
        "\u{0}\u{1}\u{2}garbage",
        &["does not begin with '%%MatrixMarket'"],
    );
    check(
        "%%MatrixMarket vector coordinate real general\n2 1\n1 1\n",
        &["first line"],
    );
    check(
        "%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 1 1 0\n",
        &["'complex'", "not supported"],
    );
    check(
        "%%MatrixMarket matrix coordinate real hermitian\n2 2 1\n1 1 1\n",
        &["'hermitian'", "not supported"],
    );
    check(
        "%%MatrixMarket matrix array pattern general\n2 2\n",
        &["'pattern'", "not supported"],
    );
    check(
        "%%MatrixMarket matrix coordinate pattern skew-symmetric\n2 2 1\n2 1\n",
        &["not supported"],
    );
    check(&with("% nothing more\n"), &["ends before its size line"]);
    check(&with("2 2\n1 1 1\n"), &["line 2", "'rows columns entries'"]);
    check(&with("2 x 1\n1 1 1\n"), &["line 2", "'x' is not a size"]);
    check(&with("-2 2 1\n1 1 1\n"), &["'-2' is not a size"]);
    check(&with("0 2 0\n"), &["is empty: its shape is (0, 2)"]);
    check(&with("4294967296 4294967296 1\n1 1 1\n"), &["overflows"]);
    check(&with("99999999999999999999999999 2 1\n1 1 1\n"), &["overflows"]);
    check(
        &with("2 2 18446744073709551615\n1 1 1\n"),
        &["18446744073709551615 entries", "bytes can hold"],
    );
    check(
        &with("2 4611686018427387904 1\n1 1 1\n"),
        &["4611686018427387904 columns", "empty"],
    );
    check(
        &with("1000000000000 2 1\n1 1 1\n"),
        &["1000000000000 rows", "empty"],
    );
    check(
        "%%MatrixMarket matrix array real general\n1000000 1000000\n1\n",
        &["1000000000000 entries"],
    );
    check(
        "%%MatrixMarket matrix array real general\n2 2 4\n1\n1\n1\n1\n",
        &["'rows columns'"],
    );
    check(
        "%%MatrixMarket matrix array real general\n2 2\n1\n1\n1\n",
        &["ends after 3 entries", "takes 4"],
    );
    check(
        "%%MatrixMarket matrix array real general\n2 1\n1 2\n3\n",
        &["line 3", "'2' is one word too many"],
    );
    check(&with("2 2 2\n1 1 1\n"), &["ends after 1 entries", "takes 2"]);
    check(
        &with("2 2 1\n1 1 1\n2 2 1\n"),
        &["line 4: its size line takes only 1 entries"],
    );
    check(&with("2 2 1\n0 1 1\n"), &["line 3: row '0' lies outside 1..2"]);
    check(&with("2 2 1\n1 0 1\n"), &["line 3: column '0' lies outside 1..2"]);
    check(
        &with("% c\n2 2 2\n1 1 1\n3 1 1\n"),
        &["line 5: row '3' lies outside 1..2"],
    );
    check(&with("2 2 1\n1 3 1\n"), &["line 3: column '3' lies outside 1..2"]);
    check(
        &with("2 2 1\n99999999999999999999999 1 1\n"),
        &["line 3: row '99999999999999999999999' lies"],
    );
    check(&with("2 2 1\n-1 1 1\n"), &["line 3: '-1' is not a row number"]);
    check(&with("2 2 1\n1 1\n"), &["line 3: the value is missing"]);
    check(&with("2 2 1\n1\n"), &["line 3: the column is missing"]);
    check(&with("2 2 1\n1 1 1 1\n"), &["line 3: '1' is one word too many"]);
    check(&with("2 2 1\n1 1 one\n"), &["line 3: 'one' is not a number"]);
    check(&with("2 2 1\n1 1 1.5.2\n"), &["line 3: '1.5.2' is not a number"]);
    check(
        &with("2 2 2\n1 1 1\n2 1 NaN\n"),
        &["the entry in row 2, column 1 (counted from 1) is not finite"],
    );
    check(
        &with("2 2 1\n1 2 1e999\n"),
        &["the entry in row 1, column 2 (counted from 1) is not finite"],
    );
    check(
        &with("2 2 2\n1 2 1e308\n1 2 1e308\n"),
        &["the entry in row 1, column 2 (counted from 1) is not finite"],
    );
    check(
        "%%MatrixMarket matrix array real general\n2 2\n1\n1\ninf\n1\n",
        &["row 1, column 2 (counted from 1) is not finite"],
    );
    let symmetric = "%%MatrixMarket matrix coordinate real symmetric\n";
    check(
        &format!("{symmetric}2 3 1\n1 1 1\n"),
        &["symmetric matrix cannot have 2 rows and 3 columns"],
    );
    check(
        &format!("{symmetric}2 2 1\n1 2 1\n"),
        &["line 3: entry (1, 2) lies above the diagonal"],
    );
    let skew = "%%MatrixMarket matrix coordinate real skew-symmetric\n";
    check(
        &format!("{skew}2 2 1\n1 1 1\n"),
        &["line 3: entry (1, 1) is not below the diagonal"],
    );
    let integer = "%%MatrixMarket matrix coordinate integer general\n";
    check(
        &format!("{integer}2 2 1\n1 1 1.5\n"),
        &["line 3: '1.5' is not an integer"],
    );
    check(
        &format!("{integer}2 2 1\n1 1 9007199254740993\n"),
        &["cannot hold the integer 9007199254740993"],
    );
    check(
        &format!("{integer}2 2 1\n1 1 99999999999999999999\n"),
        &["is not an integer"],
    );
    check(&with("2 2 1\n% a comment too late\n1 1 1\n"), &["line 3"]);
}

// ---- JSON and timing --------------------------------------------------------------------------------------

#[test]
fn json_has_every_key() {
    let bench = small();
    let json = bench.nnls("A.npy", "b.npy", &["--json"]).solved().json();
    let object = json.as_object().unwrap();
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "column_names",
        "columns",
        "factorisations",
        "gap",
        "iterations",
        "objective",
        "passes",
        "phase",
        "residual",
        "right_hand_side_names",
        "right_hand_sides",
        "row_names",
        "rows",
        "seconds",
        "seconds_all",
        "status",
        "support",
        "trace",
        "trace_number",
        "unique",
    ];
    assert_eq!(keys, expected);
    assert!(json["row_names"].is_null() && json["column_names"].is_null());
    assert_eq!(json["status"], "solved");
    assert_eq!(json["unique"], true);
    assert!(json["passes"].as_u64().unwrap() >= 1);
    assert!(json["iterations"].is_u64() && json["factorisations"].is_u64());
    assert!((0.0..60.0).contains(&number(&json, "seconds")));
    assert!((0.0..1e-8).contains(&number(&json, "residual")));
    assert_close(&[number(&json, "objective")], &[OBJECTIVE]);
    assert!(json["gap"].is_null() || number(&json, "gap") < 1e-6);
    assert!(!json["phase"].as_str().unwrap().is_empty());
    assert_eq!(
        (&json["rows"], &json["columns"]),
        (&Value::from(3), &Value::from(2))
    );
    assert_eq!(
        (&json["right_hand_sides"], &json["support"]),
        (&Value::from(1), &Value::from(1))
    );
}

#[test]
fn repeats_are_all_timed() {
    let bench = small();
    let json = bench
        .nnls("A.npy", "b.npy", &["--json", "--repeat", "5"])
        .solved()
        .json();
    let mut all: Vec<f64> = json["seconds_all"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    assert_eq!(all.len(), 5);
    all.sort_by(f64::total_cmp);
    assert_eq!(number(&json, "seconds").to_bits(), all[2].to_bits());
    assert_close(&bench.x().1, &X);
    // counts are those of one solve, not of five
    let once = bench.nnls("A.npy", "b.npy", &["--json"]).solved().json();
    for key in ["passes", "iterations", "objective"] {
        assert_eq!(json[key], once[key], "{key}");
    }
    assert_eq!(once["seconds_all"].as_array().unwrap().len(), 1);
    let text = bench.nnls("A.npy", "b.npy", &["--repeat", "3"]).solved().stdout;
    assert!(text.contains("repeats     3, median"), "{text}");
}

#[test]
fn what_overflows_is_null() {
    // ½‖b‖² = ½ · 1e400
    let bench = Bench::new();
    bench.c("A.npy", &[2, 1], &[1.0, 0.0]);
    bench.c("b.npy", &[2], &[1.0, 1e200]);
    let ran = bench.nnls("A.npy", "b.npy", &["--json"]);
    assert!(ran.json()["objective"].is_null(), "{}", ran.stdout);
}

#[test]
fn threads_do_not_change_the_answer() {
    let bench = small();
    // (a machine of one core says of two threads that it has one)
    for threads in ["1", "2", "2000", "18446744073709551615"] {
        let ran = bench.nnls("A.npy", "b.npy", &["--threads", threads]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_close(&bench.x().1, &X);
        if threads.len() > 1 {
            let said = format!("not {threads}: one per core");
            assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        }
    }
    let output = bench.command(&["nnls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy"]);
    let mut output = output;
    let ran: Ran = output.env("RAYON_NUM_THREADS", "1").output().unwrap().into();
    ran.solved();
    assert_close(&bench.x().1, &X);
}

#[test]
fn a_loose_tolerance_is_honoured() {
    let bench = smoothing(60, 30);
    let json = bench
        .nnls("A.npy", "b.npy", &["--json", "--tolerance", "1e-3"])
        .solved()
        .json();
    assert!(number(&json, "residual") <= 1e-3);
    assert_eq!(json["status"], "solved");
}

// ---- stopping early ---------------------------------------------------------------------------------------

#[test]
fn no_time_at_all_still_writes_x() {
    let bench = small();
    let ran = bench.nnls("A.npy", "b.npy", &["--json", "--max-seconds", "0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(ran.json()["status"], "time-limit");
    assert_eq!(
        ran.stderr,
        "reparam: stopped: the time limit was reached: x.npy holds the best x\n"
    );
    let (shape, x) = bench.x();
    assert_eq!(shape, [2]);
    assert!(x.iter().all(|v| v.is_finite() && *v >= 0.0));

    bench.c("B.npy", &[3, 2], &[1.0, 3.0, 2.0, 2.0, -1.0, 2.0]);
    let ran = bench.nnls("A.npy", "B.npy", &["--max-seconds", "0"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stdout
            .contains("0 of 2 solved; number 0 (counted from 0) stopped: the time limit"),
        "{}",
        ran.stdout
    );
    assert_eq!(bench.x().0, [2, 2]);

    bench.c("A3.npy", &[1, 3, 2], &A);
    bench.c("b3.npy", &[1, 3], &B);
    let ran = bench.nnls("A3.npy", "b3.npy", &["--json", "--max-seconds", "0"]);
    assert_eq!(
        (ran.code, &ran.json()["status"]),
        (Some(2), &Value::from("time-limit"))
    );
    assert_eq!(bench.x().0, [1, 2]);
    // and enough time is no limit
    bench.nnls("A3.npy", "b3.npy", &["--max-seconds", "60"]).solved();
    assert_close(&bench.x().1, &X);
}

#[cfg(unix)]
mod interrupts {
    use super::*;
    use std::process::Child;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    fn interrupt(child: &Child) {
        assert!(
            Command::new("kill")
                .args(["-INT", &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }

    fn spawn(bench: &Bench, args: &[&str]) -> Child {
        bench
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    #[test]
    fn the_first_ends_the_run_with_the_best_x() {
        let bench = smoothing(150, 100);
        let args = [
            "nnls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy", "--json",
        ];
        let args = [&args[..], &["--repeat", "1000000", "--tolerance", "1e-14"]].concat();
        for attempt in 1..6 {
            let start = Instant::now();
            let child = spawn(&bench, &args);
            sleep(Duration::from_millis(300 * attempt));
            interrupt(&child);
            let ran: Ran = child.wait_with_output().unwrap().into();
            if ran.code.is_none() {
                continue; // on a busy machine the signal may come before the program is ready for it
            }
            assert!(start.elapsed() < Duration::from_secs(60));
            let json = ran.json();
            assert!(json["seconds_all"].as_array().unwrap().len() < 1_000_000);
            let (shape, x) = bench.x();
            assert_eq!(shape, [100]);
            assert!(x.iter().all(|v| v.is_finite() && *v >= 0.0));
            // the signal may fall between two solves: then the last one has an answer of its own
            if json["status"] == "cancelled" {
                assert_eq!(ran.code, Some(2));
                assert_eq!(
                    ran.stderr,
                    "reparam: interrupted: x.npy holds the best x so far\n"
                );
            } else {
                assert!(matches!(ran.code, Some(0 | 2)), "{:?}", ran.code);
            }
            return;
        }
        panic!("never interrupted");
    }

    #[test]
    fn the_second_aborts_at_once() {
        // a file that takes long to read: the first interrupt does not shorten that
        let bench = Bench::new();
        let mut text = String::from("%%MatrixMarket matrix array integer general\n2000 500\n");
        text.push_str(&"7\n".repeat(1_000_000));
        bench.bytes("A.mtx", text.as_bytes());
        bench.c("b.npy", &[2000], &[1.0; 2000]);
        for attempt in 1..6 {
            let child = spawn(
                &bench,
                &["nnls", "--matrix", "A.mtx", "--rhs", "b.npy", "--out", "x.npy"],
            );
            sleep(Duration::from_millis(50 * attempt));
            interrupt(&child);
            sleep(Duration::from_millis(10));
            interrupt(&child);
            let ran: Ran = child.wait_with_output().unwrap().into();
            if ran.code.is_none() {
                continue;
            }
            assert_eq!(ran.code, Some(130), "{}{}", ran.stdout, ran.stderr);
            assert_eq!(ran.stdout, "");
            assert_eq!(bench.names(), ["A.mtx", "b.npy"]);
            return;
        }
        panic!("never interrupted");
    }
}

// ---- the output file --------------------------------------------------------------------------------------

#[test]
fn an_error_leaves_the_old_answer_alone() {
    let bench = small();
    bench.nnls("A.npy", "b.npy", &[]).solved();
    let before = fs::read(bench.path("x.npy")).unwrap();
    bench.c("bad.npy", &[3], &[1.0, f64::NAN, 0.0]);
    let ran = bench.nnls("A.npy", "bad.npy", &["--json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert_eq!(fs::read(bench.path("x.npy")).unwrap(), before);
    // and a success replaces it
    bench.c("b2.npy", &[3], &B2);
    bench.nnls("A.npy", "b2.npy", &[]).solved();
    assert_close(&bench.x().1, &X2);
    assert_eq!(bench.names(), ["A.npy", "b.npy", "b2.npy", "bad.npy", "x.npy"]);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_are_those_of_an_ordinary_write() {
    use std::os::unix::fs::PermissionsExt;
    let bench = small();
    let mode = |name: &str| fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o777;
    bench.nnls("A.npy", "b.npy", &[]).solved();
    bench.bytes("ordinary", b"");
    assert_eq!(mode("x.npy"), mode("ordinary"));
    // an existing file keeps its permissions
    fs::set_permissions(bench.path("x.npy"), fs::Permissions::from_mode(0o640)).unwrap();
    bench.nnls("A.npy", "b.npy", &[]).solved();
    assert_eq!(mode("x.npy"), 0o640);
    // a link keeps pointing
    fs::rename(bench.path("x.npy"), bench.path("real.npy")).unwrap();
    std::os::unix::fs::symlink("real.npy", bench.path("x.npy")).unwrap();
    bench.bytes("real.npy", b"old");
    bench.nnls("A.npy", "b.npy", &[]).solved();
    assert!(fs::symlink_metadata(bench.path("x.npy")).unwrap().is_symlink());
    assert_close(&bench.x().1, &X);
    // a device is written to, not replaced
    let ran = bench.run(&[
        "nnls",
        "--matrix",
        "A.npy",
        "--rhs",
        "b.npy",
        "--out",
        "/dev/null",
    ]);
    ran.solved();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn an_impossible_output_is_refused_before_anything_is_read() {
    let bench = small();
    fs::create_dir(bench.path("folder")).unwrap();
    let refused = |out: &str, sentence: &str| {
        // the matrix does not exist: the complaint is about the output all the same
        let ran = bench.run(&["nnls", "--matrix", "no.npy", "--rhs", "no.npy", "--out", out]);
        assert_eq!(
            ran.stderr,
            format!("reparam: {out}: cannot be written: {sentence}\n")
        );
        assert_eq!(ran.code, Some(1));
    };
    refused("nowhere/x.npy", "the directory nowhere does not exist");
    refused("folder", "it is a directory");
    refused("..", "it is a directory");
    assert_eq!(bench.names(), ["A.npy", "b.npy", "folder"]);
    // in a directory that exists it is fine
    bench
        .run(&[
            "nnls",
            "--matrix",
            "A.npy",
            "--rhs",
            "b.npy",
            "--out",
            "folder/x.npy",
        ])
        .solved();
    assert!(bench.path("folder/x.npy").is_file());
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let bench = small();
    let mut command = bench.command(&["nnls", "--matrix", "A.npy", "--rhs", "b.npy", "--out", "x.npy"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.solved();
    assert_close(&bench.x().1, &X);
}

// ---- the command line -------------------------------------------------------------------------------------

#[test]
fn usage_errors_exit_with_one_and_help_with_zero() {
    let bench = small();
    for args in [
        &[][..],
        &["nnls"],
        &["--no-such"],
        &["simplify"],
        &["nnls", "--matrix", "A.npy"],
    ] {
        let ran = bench.run(args);
        assert_eq!(ran.code, Some(1), "{args:?}");
        assert!(ran.stderr.contains("Usage"), "{}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    let help = bench.run(&["nnls", "--help"]);
    assert_eq!(help.code, Some(0));
    for option in [
        "--matrix",
        "--rhs",
        "--out",
        "--json",
        "--repeat",
        "--tolerance",
        "--max-seconds",
        "--threads",
    ] {
        assert!(help.stdout.contains(option), "{option}");
    }
    let version = bench.run(&["--version"]);
    assert_eq!(
        (version.code, version.stdout),
        (Some(0), format!("reparam {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn options_without_meaning_are_refused() {
    let bench = small();
    let cases = [
        (
            "--tolerance",
            &["0", "-1e-6", "nan", "inf", "tight"][..],
            "must be a finite number above 0",
        ),
        (
            "--max-seconds",
            &["-1", "nan", "inf", "1e99", "soon"],
            "must be a finite number of seconds, at least 0",
        ),
        (
            "--repeat",
            &["0", "-2", "1.5", "x"],
            "must be a whole number, at least 1",
        ),
        (
            "--threads",
            &["0", "-2", "1.5", "x"],
            "must be a whole number, at least 1",
        ),
    ];
    for (option, values, why) in cases {
        for value in values {
            let ran = bench.nnls("A.npy", "b.npy", &[option, value]);
            assert_eq!(ran.code, Some(1), "{option} {value}");
            assert!(
                ran.stderr.contains(option) && ran.stderr.contains(why),
                "{}",
                ran.stderr
            );
        }
    }
    assert_eq!(bench.names(), ["A.npy", "b.npy"]);
}

// ---- bad files --------------------------------------------------------------------------------------------

#[test]
fn files_that_are_not_there_or_are_no_files() {
    let bench = small();
    fs::create_dir(bench.path("folder.npy")).unwrap();
    fs::create_dir(bench.path("folder.mtx")).unwrap();
    bench.bytes("A.dat", b"1,2\n");
    bench.refused(
        "no.npy",
        "b.npy",
        &[],
        "no.npy: cannot be opened: No such file or directory",
    );
    bench.refused(
        "no.mtx",
        "b.npy",
        &[],
        "no.mtx: cannot be opened: No such file or directory",
    );
    bench.refused(
        "A.npy",
        "no.npy",
        &[],
        "no.npy: cannot be opened: No such file or directory",
    );
    bench.refused(
        "folder.npy",
        "b.npy",
        &[],
        "folder.npy: is a directory, not a file",
    );
    bench.refused(
        "folder.mtx",
        "b.npy",
        &[],
        "folder.mtx: is a directory, not a file",
    );
    bench.refused(
        "A.npy",
        "folder.npy",
        &[],
        "folder.npy: is a directory, not a file",
    );
    bench.refused(
        "A.dat",
        "b.npy",
        &[],
        "A.dat: has an unknown format: a matrix is read from .npy, .mtx, .csv, .tsv or .txt",
    );
    if Path::new("/dev/zero").exists() {
        bench.refused(
            "A.npy",
            "/dev/zero",
            &[],
            "/dev/zero: is a device or a pipe, not a file",
        );
    }
}

#[test]
fn entries_that_are_not_finite() {
    let bench = small();
    let with = |k: usize, v: f64| {
        let mut a = A;
        a[k] = v;
        a
    };
    // element 3 is (1, 1) by rows and (0, 1) by columns
    bench.c("C.npy", &[3, 2], &with(3, f64::NAN));
    bench.npy("F.npy", &[3, 2], Order::Fortran, &with(3, f64::INFINITY));
    bench.npy(
        "S.npy",
        &[3, 2],
        Order::C,
        &with(5, f64::NEG_INFINITY).map(|v| v as f32),
    );
    bench.refused(
        "C.npy",
        "b.npy",
        &[],
        "C.npy: entry [1, 1] (counted from 0) is not finite",
    );
    bench.refused(
        "F.npy",
        "b.npy",
        &[],
        "F.npy: entry [0, 1] (counted from 0) is not finite",
    );
    bench.refused(
        "S.npy",
        "b.npy",
        &["--json"],
        "S.npy: entry [2, 1] (counted from 0) is not finite",
    );
    bench.c("nan.npy", &[3], &[1.0, 0.0, f64::NAN]);
    bench.refused(
        "A.npy",
        "nan.npy",
        &[],
        "nan.npy: entry 2 (counted from 0) is not finite",
    );
    bench.c("K.npy", &[2, 3, 2], &[A, with(4, f64::NAN)].concat());
    bench.c("Kb.npy", &[2, 3], &[B, B].concat());
    bench.refused(
        "K.npy",
        "Kb.npy",
        &[],
        "K.npy: entry [1, 2, 0] (counted from 0) is not finite",
    );
}

#[test]
fn sizes_that_do_not_match() {
    let bench = small();
    bench.c("b5.npy", &[5], &[1.0; 5]);
    bench.c("B5.npy", &[5, 2], &[1.0; 10]);
    bench.c("K.npy", &[2, 3, 2], &[A, A].concat());
    bench.c("Kb.npy", &[3, 3], &[1.0; 9]);
    bench.c("Kb4.npy", &[2, 4], &[1.0; 8]);
    bench.c("four.npy", &[1, 1, 3, 2], &A);
    bench.c("three.npy", &[1, 1, 3], &B);
    bench.bytes(
        "scalar.npy",
        &raw_npy(&descr("'<f8'", "()"), &1.0f64.to_le_bytes()),
    );
    bench.bytes(
        "A.mtx",
        b"%%MatrixMarket matrix coordinate pattern general\n2 1 1\n1 1\n",
    );
    let rows = "has 5 rows, expected 3 (the rows of A.npy)";
    bench.refused("A.npy", "b5.npy", &[], &format!("b5.npy: {rows}"));
    bench.refused("A.npy", "B5.npy", &[], &format!("B5.npy: {rows}"));
    bench.refused(
        "A.mtx",
        "b.npy",
        &[],
        "b.npy: has 3 rows, expected 2 (the rows of A.mtx)",
    );
    bench.refused(
        "K.npy",
        "Kb.npy",
        &[],
        "Kb.npy: has 3 rows, expected 2 (the problems of K.npy)",
    );
    bench.refused(
        "K.npy",
        "Kb4.npy",
        &[],
        "Kb4.npy: has 4 columns, expected 3 (the rows of K.npy)",
    );
    bench.refused(
        "K.npy",
        "b.npy",
        &[],
        "b.npy: has 1 dimension, expected 2 (problems, rows), as the matrix is a batch",
    );
    let expected = "expected 2 (rows, columns) or 3 (problems, rows, columns)";
    bench.refused(
        "b.npy",
        "b.npy",
        &[],
        &format!("b.npy: has 1 dimension, {expected}"),
    );
    bench.refused(
        "four.npy",
        "b.npy",
        &[],
        &format!("four.npy: has 4 dimensions, {expected}"),
    );
    bench.refused(
        "scalar.npy",
        "b.npy",
        &[],
        &format!("scalar.npy: has 0 dimensions, {expected}"),
    );
    let expected = "expected 1 (rows) or 2 (rows, right-hand sides)";
    bench.refused(
        "A.npy",
        "three.npy",
        &[],
        &format!("three.npy: has 3 dimensions, {expected}"),
    );
    bench.refused(
        "A.npy",
        "scalar.npy",
        &[],
        &format!("scalar.npy: has 0 dimensions, {expected}"),
    );
}

#[test]
fn empty_sizes() {
    let bench = small();
    for (name, shape) in [("m.npy", &[0, 2][..]), ("n.npy", &[3, 0]), ("k.npy", &[0, 3, 2])] {
        bench.c(name, shape, &[]);
        let words: Vec<String> = shape.iter().map(u64::to_string).collect();
        let sentence = format!("{name}: is empty: its shape is ({})", words.join(", "));
        bench.refused(name, "b.npy", &[], &sentence);
    }
    bench.c("b0.npy", &[0], &[]);
    bench.refused("A.npy", "b0.npy", &[], "b0.npy: is empty: its shape is (0,)");
    bench.c("B0.npy", &[3, 0], &[]);
    bench.refused("A.npy", "B0.npy", &[], "B0.npy: is empty: its shape is (3, 0)");
}

#[test]
fn element_types_that_are_no_real_numbers() {
    let bench = small();
    let cases = [
        ("'<c16'", "type <c16"),
        ("'<c8'", "type <c8"),
        ("'<U5'", "type <U5"),
        ("'|S5'", "type |S5"),
        ("'|O'", "type |O"),
        ("'<f2'", "type <f2"),
        ("'<f16'", "type <f16"),
        ("'|V8'", "type |V8"),
        ("'<M8[ns]'", "of type"),
        ("[('a', '<f8'), ('b', '<i4')]", "of type"),
    ];
    for (kind, part) in cases {
        bench.bytes("T.npy", &raw_npy(&descr(kind, "(3, 2)"), &[0; 96]));
        bench.refused_with(
            "T.npy",
            "b.npy",
            &["reparam: T.npy: holds elements", part, "expected real numbers"],
        );
    }
    // integers that float64 would round
    bench.npy(
        "I.npy",
        &[3, 2],
        Order::C,
        &[0i64, 1, 2, 3, -9_007_199_254_740_993, 5],
    );
    bench.refused(
        "I.npy",
        "b.npy",
        &[],
        "I.npy: entry [2, 0] (counted from 0) is the integer -9007199254740993, which float64 cannot hold exactly",
    );
    bench.npy("U.npy", &[3], Order::C, &[0u64, u64::MAX, 0]);
    bench.refused(
        "A.npy",
        "U.npy",
        &[],
        "U.npy: entry 1 (counted from 0) is the integer 18446744073709551615, which float64 cannot hold exactly",
    );
}

#[test]
fn damaged_numpy_files() {
    let bench = small();
    let good = fs::read(bench.path("A.npy")).unwrap();
    let payload = "bytes of data, but its shape (3, 2) of float64 takes 48";
    bench.bytes("short.npy", &good[..good.len() - 1]);
    bench.refused(
        "short.npy",
        "b.npy",
        &[],
        &format!("short.npy: holds 47 {payload}"),
    );
    let mut long = good.clone();
    long.extend([0; 8]);
    bench.bytes("long.npy", &long);
    bench.refused("long.npy", "b.npy", &[], &format!("long.npy: holds 56 {payload}"));

    let form = "is not a .npy file that can be read";
    let check = |bytes: &[u8], part: &str| {
        bench.bytes("T.npy", bytes);
        bench.refused_with("T.npy", "b.npy", &["reparam: T.npy: ", part]);
        bench.bytes("T.npy", bytes);
        bench.refused_with("A.npy", "T.npy", &["reparam: T.npy: ", part]);
    };
    check(b"", form);
    check(b"\x93NUM", form);
    check(b"%%MatrixMarket matrix array real general\n", "magic");
    check(b"PK\x03\x04 an archive of arrays", "magic");
    check(b"\x93NUMPY\x01\x00\xff\xff{}", "ends within its header");
    check(
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}",
        "claims a header of 4294967295 bytes",
    );
    check(b"\x93NUMPY\x02\x00\x10\x00", "ends within its header");
    check(b"\x93NUMPY\x09\x00\x10\x00\x00\x00", "version 9");
    check(&good[..40], "ends within its header");
    check(&raw_npy("not a dictionary", &[]), form);
    check(
        &raw_npy(
            "{'descr' '<f8', 'fortran_order': False, 'shape': (3, 2)}",
            &[0; 48],
        ),
        "syntax error",
    );
    check(
        &raw_npy(&descr("'\u{1b}[2J'", "(3, 2)"), &[0; 48]),
        "holds elements of type",
    );
    check(&raw_npy("{}", &[]), form);
    check(&raw_npy(&"(".repeat(60_000), &[]), form);
    check(&raw_npy(&"{".repeat(60_000), &[]), form);
    check(&raw_npy(&"[".repeat(60_000), &[]), "holds elements of type");
    check(
        &raw_npy("{'descr': '<f8', 'shape': (3, 2)}", &[0; 48]),
        "fortran_order",
    );
    check(
        &raw_npy("{'fortran_order': False, 'shape': (3, 2)}", &[0; 48]),
        "descr",
    );
    check(
        &raw_npy("{'descr': '<f8', 'fortran_order': 3, 'shape': (3, 2)}", &[0; 48]),
        form,
    );
    check(&raw_npy(&descr("'<q8'", "(3, 2)"), &[0; 48]), form);
    check(
        &raw_npy(&descr("'<f8'", "(-3, 2)"), &[0; 48]),
        "(-3, 2) is not a tuple of sizes",
    );
    check(
        &raw_npy(&descr("'<f8'", "(3.0, 2)"), &[0; 48]),
        "is not a tuple of sizes",
    );
    check(&raw_npy(&descr("'<f8'", "6"), &[0; 48]), form);
    check(
        &raw_npy(&descr("'<f8'", "(4294967296, 4294967296)"), &[0; 48]),
        "overflows",
    );
    check(
        &raw_npy(&descr("'<f8'", "(4294967296, 536870912)"), &[0; 48]),
        "overflows",
    );
    check(
        &raw_npy(&descr("'<f8'", "(99999999999999999999999, 2)"), &[0; 48]),
        "overflows",
    );
    check(
        &raw_npy(&descr("'<f8'", "(0, 18446744073709551615)"), &[]),
        "is empty",
    );
    check(
        &raw_npy(&descr("'<f8'", "(1000000, 1000000)"), &[0; 48]),
        "takes 8000000000000",
    );
}

#[test]
fn a_solution_that_overflows_names_both_files() {
    let bench = Bench::new();
    bench.c("A.npy", &[1, 1], &[1e-200]);
    bench.c("b.npy", &[1], &[1e200]);
    bench.refused_with(
        "A.npy",
        "b.npy",
        &["reparam: A.npy with b.npy: ", "overflows", "coordinate 0"],
    );
    // in a batch also the problem
    bench.c("K.npy", &[2, 1, 1], &[1.0, 1e-200]);
    bench.c("Kb.npy", &[2, 1], &[1.0, 1e200]);
    bench.refused_with(
        "K.npy",
        "Kb.npy",
        &[
            "reparam: K.npy with Kb.npy: problem 1 (counted from 0): ",
            "overflows",
        ],
    );
}

#[test]
fn a_wrong_size_says_what_may_be_behind_it() {
    let bench = Bench::new();
    bench.c("A.npy", &[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    bench.c("b2.npy", &[2], &[1.0, 2.0]);
    bench.c("lying.npy", &[1, 3], &[1.0, 2.0, 3.0]);
    bench.c("rows.npy", &[4, 3], &[1.0; 12]);
    let of = "expected 3 (the rows of A.npy)";
    let sentence = format!(
        "b2.npy: has 2 rows, {of}; it fits the transposed matrix (rows of the matrix are measurements, its columns are unknowns)"
    );
    bench.refused("A.npy", "b2.npy", &[], &sentence);
    let sentence = format!(
        "lying.npy: has 1 row, {of}; one right-hand side has the shape (rows,), in text one number a line"
    );
    bench.refused("A.npy", "lying.npy", &[], &sentence);
    let sentence = format!("rows.npy: has 4 rows, {of}; right-hand sides are columns: is it transposed?");
    bench.refused("A.npy", "rows.npy", &[], &sentence);
}

// ---- methods ----------------------------------------------------------------------------------------------

#[test]
fn what_was_tried_is_explained() {
    let bench = small();
    let plain = bench.nnls("A.npy", "b.npy", &[]).solved();
    assert!(!plain.stdout.contains("tried"), "{}", plain.stdout);
    let ran = bench.nnls("A.npy", "b.npy", &["--explain"]).solved();
    let tried = ran.stdout.lines().find(|l| l.starts_with("tried       1. "));
    assert!(tried.unwrap().contains("ρ = "), "{}", ran.stdout);
    let json: Value =
        serde_json::from_str(&bench.nnls("A.npy", "b.npy", &["--json"]).solved().stdout).unwrap();
    let trace = json["trace"].as_array().unwrap();
    assert_eq!(json["trace_number"], 0);
    assert!(!trace.is_empty());
    for attempt in trace {
        assert!(!attempt["why"].as_str().unwrap().is_empty(), "{json}");
        assert!(
            attempt["passes"].as_f64().unwrap() <= json["passes"].as_f64().unwrap(),
            "{json}"
        );
    }
}

#[test]
fn of_several_right_hand_sides_the_slowest_is_explained() {
    let bench = small();
    bench.npy("B.npy", &[3, 2], Order::C, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let ran = bench.nnls("A.npy", "B.npy", &["--explain"]).solved();
    let line = ran
        .stdout
        .lines()
        .find(|l| l.starts_with("tried       for number "));
    assert!(
        line.unwrap().ends_with(", which took the longest:"),
        "{}",
        ran.stdout
    );
}

#[test]
fn methods_by_name() {
    let bench = small();
    for name in [
        "active-set",
        "block-exchange",
        "working-set",
        "coordinate-descent",
        "interior-point",
        "projected-cg",
        "projected-gradients", // (the name it had before)
    ] {
        let ran = bench
            .nnls("A.npy", "b.npy", &["--strategy", name, "--explain"])
            .solved();
        assert!(
            ran.stdout.contains("(asked for by name)"),
            "{name}: {}",
            ran.stdout
        );
        assert_close(&bench.x().1, &X);
    }
    let refused = bench.nnls("A.npy", "b.npy", &["--strategy", "magic"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("possible values: auto, block-exchange"),
        "{}",
        refused.stderr
    );
    let help = bench.run(&["simplex", "--help"]);
    assert!(
        help.stdout.contains("accelerated-gradient") && !help.stdout.contains("interior-point"),
        "{}",
        help.stdout
    );
}
