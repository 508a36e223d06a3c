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
    let args = arguments("nnls", "x.npy", &["--json"]).join(" ");
    // (1 block: 512 or 1024 bytes; the signal is ignored, so that the write fails instead)
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec {} {args}",
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
