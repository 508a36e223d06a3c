//! `reparam bvls` and `reparam simplex`: what they have in common with `reparam nnls` is tested there.
#![allow(clippy::unwrap_used)]

use crate::bench::*;
use npyz::Order;
use std::fs;

const INF: f64 = f64::INFINITY;

/// Refused with status 1 and exactly this sentence, and nothing is written.
fn refused(bench: &Bench, ran: &Ran, sentence: &str) {
    assert_eq!(ran.stderr, format!("reparam: {sentence}\n"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(!bench.path("x.npy").exists());
}

#[test]
fn bounds_hold_exactly_and_may_be_infinite() {
    let bench = small();
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
    let bench = small();
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
    let bench = small();
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
    let bench = small();
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
    let bench = small();
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
    let bench = small();
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
    let bench = small();
    let crossed = |lo: &[f64], hi: &[f64], sentence: &str| {
        bench.bounds(lo, hi);
        refused(&bench, &bench.bvls("A.npy", "b.npy", &[]), sentence);
    };
    crossed(
        &[0.0, 2.0],
        &[1.0, 1.5],
        "hi.npy: entry 1 (counted from 0) is 1.5, and the lower bound in lo.npy is 2: no number lies between them",
    );
    crossed(
        &[INF, 0.0],
        &[INF, 1.0],
        "hi.npy: entry 0 (counted from 0) is inf, and the lower bound in lo.npy is inf: no number lies between them",
    );
    crossed(
        &[0.0, f64::NAN],
        &[1.0, 1.0],
        "lo.npy: entry 1 (counted from 0) is not a number",
    );
    crossed(
        &[0.0, 0.0],
        &[f64::NAN, 1.0],
        "hi.npy: entry 0 (counted from 0) is not a number",
    );
}

#[test]
fn bounds_of_the_wrong_shape() {
    let bench = small();
    bench.bounds(&[0.0; 3], &[1.0; 2]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    refused(
        &bench,
        &ran,
        "lo.npy: has 3 entries, expected 2 (the columns of A.npy); it fits the transposed matrix (rows of the matrix are measurements, its columns are unknowns)",
    );
    bench.bounds(&[0.0; 2], &[1.0; 1]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    refused(
        &bench,
        &ran,
        "hi.npy: has 1 entry, expected 2 (the columns of A.npy)",
    );
    bench.npy("hi.npy", &[2, 1], Order::C, &[1.0; 2]);
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    refused(&bench, &ran, "hi.npy: has 2 dimensions, expected 1 (columns)");
    fs::remove_file(bench.path("lo.npy")).unwrap();
    let ran = bench.bvls("A.npy", "b.npy", &[]);
    refused(
        &bench,
        &ran,
        "lo.npy: cannot be opened: No such file or directory",
    );
}

#[test]
fn usage() {
    let bench = small();
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
