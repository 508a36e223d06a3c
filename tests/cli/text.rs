//! Tables of text in and out, and files that must not be written over.
#![allow(clippy::unwrap_used)]

use crate::bench::*;
use std::fs;

/// Refused with status 1 and exactly this sentence.
#[track_caller]
fn refused(ran: &Ran, sentence: &str) {
    assert_eq!(ran.stderr, format!("reparam: {sentence}\n"));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
}

/// `small()` as text, the way spreadsheets and instruments write it.
fn text() -> Bench {
    let bench = Bench::new();
    bench.bytes("A.csv", b"first,second\n1,1\n0,1\n1,0\n");
    bench.bytes("b.txt", b"# counts\n1\n2\n-1\n");
    bench
}

#[test]
fn a_problem_in_text_and_its_answer() {
    let bench = text();
    let args = |out| ["nnls", "--matrix", "A.csv", "--rhs", "b.txt", "--out", out];
    bench.run(&args("x.npy")).solved();
    assert_close(&bench.x().1, &X);
    bench.run(&args("x.csv")).solved();
    assert_eq!(
        fs::read_to_string(bench.path("x.csv")).unwrap(),
        "\"\",\"x\"\n\"first\",0.0\n\"second\",1.5\n"
    );
    // without names nothing but numbers; several right-hand sides are columns, and so are their answers; what was written can be read
    bench.bytes("A.csv", b"1,1\n0,1\n1,0\n");
    bench.bytes("B.tsv", b"1\t3\n2\t2\n-1\t2\n");
    let mut args = args("X.csv");
    args[4] = "B.tsv";
    bench.run(&args).solved();
    let written = fs::read_to_string(bench.path("X.csv")).unwrap();
    let rows: Vec<Vec<f64>> = written
        .lines()
        .map(|l| l.split(',').map(|c| c.parse().unwrap()).collect())
        .collect();
    assert_close(&rows.concat(), &[0.0, X2[0], 1.5, X2[1]]);
    bench.npy("B.npy", &[3, 2], npyz::Order::C, &[1.0, 3.0, 2.0, 2.0, -1.0, 2.0]);
    args[4] = "B.npy";
    args[6] = "x.npy";
    bench.run(&args).solved();
    assert_eq!(bench.x(), (vec![2, 2], rows.concat()));
}

#[test]
fn what_is_no_table_names_the_line() {
    let bench = text();
    let case = |name: &str, content: &str, sentence: &str| {
        bench.bytes(name, content.as_bytes());
        let (a, b) = if name == "A.csv" {
            (name, "b.txt")
        } else {
            ("A.csv", name)
        };
        refused(&bench.nnls(a, b, &[]), &format!("{name}: {sentence}"));
        assert!(!bench.path("x.npy").exists());
    };
    case(
        "c.txt",
        "1\nnan\n3\n",
        "line 2: 'nan' is not a number: a value is missing",
    );
    case(
        "c.txt",
        "1 2 3\n",
        "has 1 row, expected 3 (the rows of A.csv); one right-hand side has the shape (rows,), in text one number a line",
    );
    case(
        "c.txt",
        "channel\nnumber\n1\n2\n",
        "line 2: 'number' is not a number (one header line may stand above the numbers; more of them begin with #)",
    );
    case(
        "c.csv",
        "1;0,5\n2;0.5\n3;1\n",
        "line 1: column 2: '0,5' has a decimal comma, where line 2 has a decimal point",
    );
    case(
        "c.csv",
        "1\n2\n",
        "has 2 rows, expected 3 (the rows of A.csv); it fits the transposed matrix (rows of the matrix are measurements, its columns are unknowns)",
    );
    case(
        "A.csv",
        "1,1\n0,1,7\n",
        "line 2: it has 3 numbers, where line 1 has 2",
    );
    case(
        "A.csv",
        "",
        "is not a text file that can be read: it holds no row of numbers",
    );
    case(
        "A.csv",
        "\u{0}\u{1}",
        "line 1: '\u{fffd}\u{fffd}' is not a number (one header line may stand above the numbers; more of them begin with #)",
    );
    bench.bytes("A.csv", &fs::read(small().path("A.npy")).unwrap());
    refused(
        &bench.nnls("A.csv", "b.txt", &[]),
        "A.csv: is not a text file that can be read: it begins as a .npy file does: name it so",
    );
}

#[test]
fn bounds_in_text_or_as_one_number() {
    let bench = text();
    let bvls = |lower: &str, upper: &str| {
        let mut args = vec!["bvls", "--matrix", "A.csv", "--rhs", "b.txt", "--out", "x.npy"];
        args.extend(["--lower", lower, "--upper", upper]);
        bench.run(&args)
    };
    bench.bytes("lo.txt", b"-0.5\n-inf\n");
    bench.bytes("hi.csv", b"inf,inf\n");
    bvls("lo.txt", "hi.csv").solved();
    assert_close(&bench.x().1, &[-0.5, 1.75]);
    bvls("-inf", "1e0").solved();
    assert_eq!(bench.x().1[1], 1.0);
    bvls("-0.5", "inf").solved();
    assert_close(&bench.x().1, &[-0.5, 1.75]);
    refused(&bvls("0", "nan"), "a bound is not a number");
    refused(&bvls("2", "1"), "--lower 2 --upper 1: no number lies between");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let bench = small();
    let before = [
        fs::read(bench.path("A.npy")).unwrap(),
        fs::read(bench.path("b.npy")).unwrap(),
    ];
    bench.bounds(&[0.0; 2], &[1.0; 2]);
    let base = [
        "bvls", "--matrix", "A.npy", "--rhs", "b.npy", "--lower", "lo.npy", "--upper", "hi.npy", "--out",
    ];
    let mut args = base.to_vec();
    args.push("x.mat");
    refused(
        &bench.run(&args),
        "x.mat: cannot be written: x is written as .npy, .csv, .tsv or .txt",
    );
    for name in ["A.npy", "b.npy", "./b.npy", "lo.npy", "hi.npy"] {
        let mut args = base.to_vec();
        args.push(name);
        let sentence = format!("{name}: cannot be written: the problem is read from it");
        refused(&bench.run(&args), &sentence);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("b.npy", bench.path("link.npy")).unwrap();
        let mut args = base.to_vec();
        args.push("link.npy");
        refused(
            &bench.run(&args),
            "link.npy: cannot be written: the problem is read from it",
        );
    }
    assert_eq!(fs::read(bench.path("A.npy")).unwrap(), before[0]);
    assert_eq!(fs::read(bench.path("b.npy")).unwrap(), before[1]);
}

/// Tables as pandas, R and spreadsheets write them, and an answer that has their names.
#[test]
fn names_are_read_and_kept() {
    let bench = Bench::new();
    let solve = |a: &str, b: &str, out: &str, options: &[&str]| {
        bench.bytes("A.csv", a.as_bytes());
        bench.bytes("b.csv", b.as_bytes());
        let mut args = vec!["nnls", "--matrix", "A.csv", "--rhs", "b.csv", "--out", out];
        args.extend(options);
        bench.run(&args)
    };
    let read = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    let pandas = ",\"Fe, total\",#Ni\ns1,1,1\ns2,0,1\ns3,1,0\n";
    let ran = solve(pandas, ",counts\ns1,1\ns2,2\ns3,-1\n", "x.csv", &[]).solved();
    let answer = "\"\",\"x\"\n\"Fe, total\",0.0\n\"#Ni\",1.5\n";
    assert_eq!(read("x.csv"), answer);
    assert!(
        ran.stdout
            .contains("\nnames       rows s1, s2, s3; columns Fe, total, #Ni\n")
            && ran.stdout.contains("\nx           #Ni  1.50000e0"),
        "{}",
        ran.stdout
    );
    // R's write.table, and b without names
    let r = "\"Fe, total\" \"#Ni\"\n\"s1\" 1 1\n\"s2\" 0 1\n\"s3\" 1 0\n";
    solve(r, "1\n2\n-1\n", "x.csv", &[]).solved();
    assert_eq!(read("x.csv"), answer);
    // the answer can be read again: as bounds, here the only point that they leave
    bench.bytes("hi.csv", read("x.csv").as_bytes());
    let mut args = vec!["bvls", "--matrix", "A.csv", "--rhs", "b.csv", "--out", "x.csv"];
    args.extend(["--lower", "hi.csv", "--upper", "hi.csv"]);
    bench.run(&args).solved();
    assert_eq!(read("x.csv"), answer);
    bench.bytes("hi.csv", b"name,x\nNi,5\nFe,6\n");
    refused(
        &bench.run(&args),
        "hi.csv: entry 1 is named 'Ni', where A.csv names it 'Fe, total' (entry 1 is the first; without names nothing is compared)",
    );
    // several right-hand sides, of which only these have names; and names in JSON
    let mixed = "s,400,dark\na,1,3\nb,2,2\nc,-1,2\n";
    let ran = solve("1,1\n0,1\n1,0\n", mixed, "x.tsv", &[]);
    assert!(
        ran.stderr
            .contains("b.csv: line 1: column 3: 'dark' is not a number"),
        "{}",
        ran.stderr
    );
    let b = ",400,dark\na,1,3\nb,2,2\nc,-1,2\n";
    let json = solve("1,1\n0,1\n1,0\n", b, "x.tsv", &["--json"]).solved().json();
    assert_eq!(json["right_hand_side_names"], serde_json::json!(["400", "dark"]));
    assert_eq!(json["row_names"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(json["column_names"], serde_json::Value::Null);
    let table = read("x.tsv");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines[0], ["\"\"", "\"400\"", "\"dark\""]);
    assert_eq!((lines[1][0], lines[2][0], lines.len()), ("0", "1", 3));
    let x: Vec<f64> = [lines[1][1], lines[1][2], lines[2][1], lines[2][2]]
        .map(|cell| cell.parse().unwrap())
        .to_vec();
    assert_close(&x, &[0.0, X2[0], 1.5, X2[1]]);
    // names that only count are none: plain numbers as ever
    solve(
        ",0,1\n0,1,1\n1,0,1\n2,1,0\n",
        ",0\n0,1\n1,2\n2,-1\n",
        "x.csv",
        &[],
    )
    .solved();
    assert_eq!(read("x.csv"), "0.0\n1.5\n");
}

/// Rows that belong to other names: an answer would be wrong without a word.
#[test]
fn rows_that_disagree_are_refused() {
    let bench = Bench::new();
    bench.bytes("A.csv", b",p,q\ns1,1,1\ns2,0,1\ns3,1,0\n");
    let refused_b = |b: &str, sentence: &str| {
        bench.bytes("b.csv", b.as_bytes());
        refused(&bench.nnls("A.csv", "b.csv", &[]), &format!("b.csv: {sentence}"));
    };
    let first = "(row 1 is the first; without names nothing is compared)";
    refused_b(
        "s1,1\ns3,-1\ns2,2\n",
        &format!("row 2 is named 's3', where A.csv names it 's2': the same names in another order {first}"),
    );
    refused_b(
        "name,b\ns1,1\ns2,2\nS3,-1\n",
        &format!("row 3 is named 'S3', where A.csv names it 's3' {first}"),
    );
    // a matrix whose line of names looks like numbers
    bench.bytes("A.csv", b"sample,400,410\ns1,1,1\ns2,0,1\ns3,1,0\n");
    bench.bytes("b.csv", b"1\n2\n-1\n");
    refused(
        &bench.nnls("A.csv", "b.csv", &[]),
        "b.csv: has 3 rows, expected 4 (the rows of A.csv); is the first line of the matrix one of names? Its first cell is left empty then",
    );
}
