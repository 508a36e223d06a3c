//! The program where the machine does not play along: full disks, files that cannot be read, interrupts.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::bench::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const KINDS: [&str; 3] = ["nnls", "bvls", "simplex"];

fn arguments<'a>(kind: &'a str, out: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![kind, "--matrix", "A.npy", "--rhs", "b.npy", "--out", out];
    if kind == "bvls" {
        args.extend(["--lower", "lo.npy", "--upper", "hi.npy"]);
    }
    args.extend(options);
    args
}

fn run(bench: &Bench, kind: &str, out: &str, options: &[&str]) -> Output {
    bench.command(&arguments(kind, out, options)).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Exit status 1, nothing on standard output, one sentence.
fn refused(output: &Output, sentence: &str) {
    assert_eq!(text(&output.stderr), format!("reparam: {sentence}\n"));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
}

// ---- full disks -------------------------------------------------------------------------------------------

#[test]
fn a_full_device_is_an_error_and_not_an_answer() {
    if !Path::new("/dev/full").exists() {
        return; // Linux has it
    }
    let bench = smoothing(40, 20);
    for kind in KINDS {
        let ran = run(&bench, kind, "/dev/full", &["--json"]);
        refused(&ran, "/dev/full: cannot be written: No space left on device");
        // the report has no place to go: said, and the answer is there all the same
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = bench
            .command(&arguments(kind, "x.npy", &["--json"]))
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(1));
        assert!(
            text(&ran.stderr).starts_with("reparam: standard output: No space left on device"),
            "{}",
            text(&ran.stderr)
        );
        assert_eq!(bench.x().1.len(), 20);
        // nowhere to complain to: the exit status still says it
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = bench
            .command(&arguments(kind, "/dev/full", &[]))
            .stdout(Stdio::null())
            .stderr(full)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(1));
    }
}

/// The disk fills up in the middle of x: a limit on the size of files does the same to the program.
#[test]
fn a_disk_that_fills_up_leaves_the_old_answer_and_no_rubbish() {
    let bench = smoothing(20, 500); // x takes 4 kB
    fs::write(bench.path("x.npy"), b"the old answer").unwrap();
    let before = bench.names();
    // (1 block: 512 or 1024 bytes; where the signal of the limit is not ignored, it would kill a program that does not expect it)
    for ignored in ["trap '' XFSZ; ", ""] {
        for kind in KINDS {
            let args = arguments(kind, "x.npy", &["--json"]).join(" ");
            let script = format!(
                "{ignored}ulimit -f 1; exec {} {args}",
                env!("CARGO_BIN_EXE_reparam")
            );
            let ran = Command::new("sh")
                .args(["-c", &script])
                .current_dir(bench.path("."))
                .output()
                .unwrap();
            refused(&ran, "x.npy: cannot be written: File too large");
            assert_eq!(fs::read(bench.path("x.npy")).unwrap(), b"the old answer");
            assert_eq!(bench.names(), before);
        }
    }
}

/// The report and the picture meet the same limit.
#[test]
fn a_limit_of_file_sizes_is_an_error_of_every_output() {
    let bench = smoothing(20, 30); // x fits, a picture does not
    let run = |script: &str| {
        let script = format!("ulimit -f 1; exec {} {script}", env!("CARGO_BIN_EXE_reparam"));
        let mut sh = Command::new("sh");
        sh.args(["-c", &script]).current_dir(bench.path("."));
        sh.output().unwrap()
    };
    let args = arguments("nnls", "x.npy", &[]).join(" ");
    fs::write(bench.path("report"), vec![b'.'; 1024]).unwrap();
    let ran = run(&format!("{args} >> report"));
    refused(&ran, "standard output: File too large");
    if cfg!(feature = "plot") {
        let ran = run(&format!("{args} --plot p.svg"));
        refused(&ran, "p.svg: cannot be written: File too large");
        assert!(!bench.path("p.svg").exists());
    }
    assert!(bench.names().iter().all(|name| !name.ends_with(".part")));
}

// ---- outputs that are no ordinary files -------------------------------------------------------------------

/// x as .npy, from bytes that hold nothing else.
fn only_x(bytes: &[u8]) -> Vec<f64> {
    let array = npyz::NpyFile::new(bytes).unwrap();
    let header = bytes.len() - 8 * array.len() as usize;
    assert!(header.is_multiple_of(64), "something else stands beside x");
    array.into_vec().unwrap()
}

/// The pipe gets x and nothing else; the report is on standard error then.
#[test]
fn x_goes_into_pipes() {
    let bench = smoothing(40, 20);
    run(&bench, "nnls", "x.npy", &[]);
    let (_, expected) = bench.x();
    let ran = run(&bench, "nnls", "/dev/stdout", &["--json"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(only_x(&ran.stdout), expected);
    let json: Value = serde_json::from_str(text(&ran.stderr)).unwrap();
    assert_eq!(json["status"], "solved");
    // a pipe with a name: nobody replaces it
    let made = Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap();
    assert!(made.success());
    let child = bench
        .command(&arguments("nnls", "pipe", &["--json"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(only_x(&fs::read(bench.path("pipe")).unwrap()), expected);
    let ran = child.wait_with_output().unwrap();
    let json: Value = serde_json::from_str(text(&ran.stdout)).unwrap();
    assert_eq!(json["status"], "solved");
    use std::os::unix::fs::FileTypeExt;
    assert!(fs::metadata(bench.path("pipe")).unwrap().file_type().is_fifo());
    // the picture, too
    if cfg!(feature = "plot") {
        let ran = run(&bench, "nnls", "x.npy", &["--plot", "/dev/stdout"]);
        assert!(
            text(&ran.stdout).trim_start().starts_with("<svg"),
            "{}",
            text(&ran.stdout)
        );
        assert!(text(&ran.stdout).trim_end().ends_with("</svg>"));
        assert!(text(&ran.stderr).starts_with("problem "), "{}", text(&ran.stderr));
        let ran = run(&bench, "nnls", "/dev/stdout", &["--plot", "/dev/stdout"]);
        refused(&ran, "/dev/stdout: cannot be written: x goes there");
    }
}

/// A file behind standard output keeps what stands in it already.
#[test]
fn x_goes_to_the_end_of_a_redirected_output() {
    let bench = smoothing(40, 20);
    run(&bench, "nnls", "x.npy", &[]);
    let (_, expected) = bench.x();
    fs::write(bench.path("log"), b"before\n").unwrap();
    let log = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("log"))
        .unwrap();
    let ran = bench
        .command(&arguments("nnls", "/dev/stdout", &[]))
        .stdout(log)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(text(&ran.stderr).starts_with("problem "), "{}", text(&ran.stderr));
    let bytes = fs::read(bench.path("log")).unwrap();
    assert_eq!(&bytes[..7], b"before\n");
    assert_eq!(only_x(&bytes[7..]), expected);
    // and is not written to where the problem is read from it
    let before = fs::read(bench.path("b.npy")).unwrap();
    let b = fs::OpenOptions::new()
        .append(true)
        .open(bench.path("b.npy"))
        .unwrap();
    let status = bench
        .command(&arguments("nnls", "/dev/stdout", &[]))
        .stdout(b)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(fs::read(bench.path("b.npy")).unwrap(), before);
}

#[test]
fn a_link_that_leads_to_nothing_yet_is_followed() {
    use std::os::unix::fs::symlink;
    let bench = smoothing(40, 20);
    run(&bench, "nnls", "x.npy", &[]);
    let (_, expected) = bench.x();
    fs::remove_file(bench.path("x.npy")).unwrap();
    fs::create_dir(bench.path("results")).unwrap();
    // a link to a link, relative to the places of the links
    symlink("results/latest.npy", bench.path("x.npy")).unwrap();
    symlink("run-7.npy", bench.path("results/latest.npy")).unwrap();
    let ran = run(&bench, "nnls", "x.npy", &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert!(fs::symlink_metadata(bench.path("x.npy")).unwrap().is_symlink());
    assert!(
        fs::symlink_metadata(bench.path("results/latest.npy"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        only_x(&fs::read(bench.path("results/run-7.npy")).unwrap()),
        expected
    );
    symlink("nowhere/x.npy", bench.path("lost.npy")).unwrap();
    refused(
        &run(&bench, "nnls", "lost.npy", &[]),
        "lost.npy: cannot be written: the directory nowhere does not exist",
    );
    symlink("round.npy", bench.path("round.npy")).unwrap();
    refused(
        &run(&bench, "nnls", "round.npy", &[]),
        "round.npy: cannot be written: Too many levels of symbolic links",
    );
    refused(
        &run(&bench, "nnls", "A.npy/x.npy", &[]),
        "A.npy/x.npy: cannot be written: Not a directory",
    );
}

/// (Root may write to it all the same; the wish of its owner counts.)
#[test]
fn a_read_only_file_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let bench = smoothing(40, 20);
    fs::write(bench.path("x.npy"), b"precious").unwrap();
    fs::write(bench.path("p.svg"), b"precious").unwrap();
    for name in ["x.npy", "p.svg"] {
        fs::set_permissions(bench.path(name), fs::Permissions::from_mode(0o444)).unwrap();
    }
    for kind in KINDS {
        refused(
            &run(&bench, kind, "x.npy", &[]),
            "x.npy: cannot be written: the file is read-only",
        );
    }
    if cfg!(feature = "plot") {
        refused(
            &run(&bench, "nnls", "y.npy", &["--plot", "p.svg"]),
            "p.svg: cannot be written: the file is read-only",
        );
        assert!(!bench.path("y.npy").exists());
    }
    for name in ["x.npy", "p.svg"] {
        assert_eq!(fs::read(bench.path(name)).unwrap(), b"precious");
    }
}

// ---- files that cannot be read ----------------------------------------------------------------------------

#[test]
fn files_that_cannot_be_read() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bench = smoothing(40, 20);
    let with = |matrix: &str, rhs: &str| {
        bench
            .command(&["nnls", "--matrix", matrix, "--rhs", rhs, "--out", "x.npy"])
            .output()
            .unwrap()
    };
    symlink("loop.npy", bench.path("loop.npy")).unwrap();
    symlink("nowhere.npy", bench.path("broken.npy")).unwrap();
    let long = format!("{}.npy", "n".repeat(300));
    let loop_says = "Too many levels of symbolic links";
    for (matrix, rhs, sentence) in [
        (
            "loop.npy",
            "b.npy",
            format!("loop.npy: cannot be opened: {loop_says}"),
        ),
        (
            "A.npy",
            "loop.npy",
            format!("loop.npy: cannot be opened: {loop_says}"),
        ),
        (
            "broken.npy",
            "b.npy",
            "broken.npy: cannot be opened: No such file or directory".into(),
        ),
        (
            "A.npy/A.npy",
            "b.npy",
            "A.npy/A.npy: cannot be opened: Not a directory".into(),
        ),
        (
            long.as_str(),
            "b.npy",
            format!("{long}: cannot be opened: File name too long"),
        ),
    ] {
        refused(&with(matrix, rhs), &sentence);
    }
    // a regular file whose bytes cannot be had
    if Path::new("/proc/self/mem").exists() {
        symlink("/proc/self/mem", bench.path("mem.npy")).unwrap();
        symlink("/proc/self/mem", bench.path("mem.mtx")).unwrap();
        for matrix in ["mem.npy", "mem.mtx"] {
            let ran = with(matrix, "b.npy");
            assert_eq!((ran.status.code(), text(&ran.stdout)), (Some(1), ""));
            assert!(
                text(&ran.stderr).starts_with(&format!("reparam: {matrix}: ")),
                "{}",
                text(&ran.stderr)
            );
        }
    }
    // no permission (which does not stop root)
    fs::write(bench.path("secret.npy"), fs::read(bench.path("A.npy")).unwrap()).unwrap();
    fs::set_permissions(bench.path("secret.npy"), fs::Permissions::from_mode(0o000)).unwrap();
    let ran = with("secret.npy", "b.npy");
    if fs::File::open(bench.path("secret.npy")).is_err() {
        refused(&ran, "secret.npy: cannot be opened: Permission denied");
        assert!(!bench.path("x.npy").exists());
    } else {
        assert_eq!(ran.status.code(), Some(0));
    }
    // directories in every place of a file
    fs::create_dir(bench.path("folder.npy")).unwrap();
    for place in ["--matrix", "--rhs", "--lower", "--upper"] {
        let mut args = arguments("bvls", "x.npy", &[]);
        let at = args.iter().position(|a| *a == place).unwrap();
        args[at + 1] = "folder.npy";
        let ran = bench.command(&args).output().unwrap();
        refused(&ran, "folder.npy: is a directory, not a file");
    }
    refused(
        &run(&bench, "nnls", "folder.npy", &[]),
        "folder.npy: cannot be written: it is a directory",
    );
}

/// Cut anywhere, or with any byte changed: an error that names the file, or the solution of what the file then says.
#[test]
fn damaged_files_never_panic() {
    let bench = smoothing(3, 2);
    let whole = fs::read(bench.path("A.npy")).unwrap();
    let mut solved = 0;
    let mut try_it = |bytes: &[u8], what: &str| {
        fs::write(bench.path("A.npy"), bytes).unwrap();
        let ran = run(&bench, "nnls", "x.npy", &["--json"]);
        match ran.status.code() {
            Some(0) => {
                solved += 1;
                let json: Value = serde_json::from_str(text(&ran.stdout)).unwrap();
                assert!(json["residual"].as_f64().unwrap() <= 1e-8, "{what}");
            }
            Some(2) => {}
            Some(1) => assert!(
                text(&ran.stderr).starts_with("reparam: A.npy"),
                "{what}: {}",
                text(&ran.stderr)
            ),
            other => panic!("{what}: {other:?} {}", text(&ran.stderr)),
        }
    };
    for at in (0..whole.len()).step_by(5) {
        try_it(&whole[..at], &format!("cut to {at}"));
    }
    // the parts of the header that say something, and all of the numbers
    let header = (0..80).chain(118..whole.len());
    for at in header {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        try_it(&bytes, &format!("byte {at}"));
    }
    assert!(solved > 20, "{solved}: most numbers stay numbers");
}

// ---- interrupts -------------------------------------------------------------------------------------------

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
}

/// Ctrl-C in the middle of one solve: the best x so far, exit status 2, and "cancelled" in both reports.
#[test]
fn an_interrupt_during_a_solve_writes_the_best_x_and_says_so() {
    let bench = smoothing(900, 800);
    for kind in KINDS {
        let mut seen = false;
        // (when the signal comes too early it kills the program, and too late the solve is over: so it is tried at many times)
        for attempt in 0..60 {
            let _ = fs::remove_file(bench.path("x.npy"));
            let child = bench
                .command(&arguments(
                    kind,
                    "x.npy",
                    &["--json", "--tolerance", "1e-15", "--repeat", "50"],
                ))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(60 + 37 * attempt));
            interrupt(&child);
            let ran = child.wait_with_output().unwrap();
            let Some(code) = ran.status.code() else {
                assert!(!bench.path("x.npy").exists()); // killed before it could listen
                continue;
            };
            let json: Value = serde_json::from_str(text(&ran.stdout)).unwrap();
            let (_, x) = bench.x();
            assert_eq!(x.len(), 800);
            let inside = |v: f64| match kind {
                "bvls" => (-0.5..=0.7).contains(&v),
                _ => v >= 0.0 && v.is_finite(),
            };
            assert!(x.iter().all(|v| inside(*v)), "{kind}");
            if kind == "simplex" {
                assert!((x.iter().sum::<f64>() - 1.0).abs() <= 1e-12);
            }
            if json["status"] == "cancelled" {
                assert_eq!(code, 2, "{kind}");
                assert_eq!(
                    text(&ran.stderr),
                    "reparam: interrupted: x.npy holds the best x so far\n"
                );
                assert!(json["objective"].as_f64().unwrap().is_finite());
                seen = true;
                break;
            }
            assert!(matches!(code, 0 | 2), "{kind}: {code}");
        }
        assert!(seen, "{kind}: never interrupted during a solve");
    }
}

/// The same bytes for one thread and for two, on every kind of problem.
#[test]
fn threads_do_not_change_a_byte() {
    let bench = smoothing(600, 300);
    for kind in KINDS {
        let mut answers = Vec::new();
        for threads in ["1", "2", "3"] {
            let mut command = bench.command(&arguments(kind, "x.npy", &[]));
            let ran = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
            assert!(matches!(ran.status.code(), Some(0 | 2)), "{}", text(&ran.stderr));
            answers.push(fs::read(bench.path("x.npy")).unwrap());
        }
        assert!(answers.iter().all(|a| *a == answers[0]), "{kind}");
    }
}
