//! Files of runs that were damaged, cut short, or belong to another version or problem.

use super::*;
use reparam::Checkpoint;

fn saved(
    f: impl Objective<f64>,
    map: &dyn Reparametrization<f64>,
    method: State<f64>,
    at: usize,
) -> Checkpoint<f64> {
    let mut saved = None;
    Minimize::new(f, map)
        .unwrap()
        .method(method)
        .observe(|p: &Progress<'_, f64>| {
            if p.iteration <= at {
                saved = Some(p.checkpoint());
            }
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    saved.unwrap()
}

fn plain() -> Faulty {
    Faulty::new(Fault::Error, usize::MAX, false)
}

#[test]
fn every_byte_damaged_and_every_length_cut() {
    for (name, map) in maps() {
        let map = &*map;
        for method in methods(map) {
            let checkpoint = saved(plain(), map, method.clone(), 4);
            let bytes = serde_json::to_vec(&checkpoint).unwrap();
            let read = |bytes: &[u8]| serde_json::from_slice::<Checkpoint<f64>>(bytes);
            assert_eq!(read(&bytes).unwrap(), checkpoint);
            let mut harmless = 0;
            for at in 0..bytes.len() {
                assert!(read(&bytes[..at]).is_err(), "{name}: cut to {at} bytes");
                for flip in [0x01, 0x04, 0x10, 0x80] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    // an error, or the very same state (1e-3 for 1E-3, digits beyond the last)
                    if let Ok(other) = read(&damaged) {
                        assert_eq!(other, checkpoint, "{name}: byte {at} ^ {flip:#x}");
                        harmless += 1;
                    }
                }
            }
            assert!(
                harmless * 5 < bytes.len(),
                "{name}: {harmless} of {}",
                4 * bytes.len()
            );
        }
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let checkpoint = saved(plain(), &Squares::new(N), Lbfgs::new(3).into(), 3);
    let mut value = serde_json::to_value(&checkpoint).unwrap();
    for version in [0, 3, 5] {
        value["version"] = version.into();
        let error = serde_json::from_value::<Checkpoint<f64>>(value.clone()).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }
    // a file of the time before there were checksums
    let old = serde_json::to_value(&checkpoint).unwrap()["content"].clone();
    assert!(serde_json::from_value::<Checkpoint<f64>>(old).is_err());
}

#[test]
fn another_problem_is_refused() {
    let map = Squares::new(N);
    let (a, b) = system(3, 8, N);
    let a = Dense::row_major(&a, 8, N).unwrap();
    let f = |b: &[f64]| LeastSquares::new(a, b).unwrap();
    for at in [0, 3, 1000] {
        let checkpoint = saved(f(&b), &map, Lbfgs::new(5).into(), at);
        let resume = |f: LeastSquares<Dense<'_, f64>, f64>, map: &dyn Reparametrization<f64>| {
            Minimize::new(f, map).unwrap().resume(checkpoint.clone())
        };
        assert!(resume(f(&b), &map).unwrap().status.is_solved());
        let other: Vec<f64> = b
            .iter()
            .enumerate()
            .map(|(i, v)| v + 0.1 * (i as f64).sin())
            .collect();
        // outside of this box, too
        let narrow = Bounds::new(vec![0.0; N], vec![1e-3; N]).unwrap();
        for refused in [resume(f(&other), &map), resume(f(&b), &narrow)] {
            assert!(
                matches!(
                    refused,
                    Err(Error::Setting {
                        name: "checkpoint",
                        ..
                    })
                ),
                "{at}: {refused:?}"
            );
        }
    }
    // a snapshot of the dynamics
    let run = Integrate::new(f(&b), &map)
        .unwrap()
        .start_u0(0.3)
        .max_iterations(5)
        .run()
        .unwrap();
    let text = serde_json::to_string(&run.snapshot).unwrap();
    let damaged = text.replacen("0.3", "0.4", 1);
    let read = |text: &str| serde_json::from_str(text).map(|s: reparam::Snapshot<f64, _>| s);
    assert!(read(&text).is_ok_and(|s| s == run.snapshot));
    assert!(damaged == text || read(&damaged).map(|s| s == run.snapshot).is_err());
    let refused = Integrate::new(f(&[1.0; 8]), &map).unwrap().resume(run.snapshot);
    assert!(matches!(
        refused,
        Err(Error::Setting {
            name: "checkpoint",
            ..
        })
    ));
}

/// argmin's file, bincode: the solver's part of it is ours.
#[cfg(feature = "argmin")]
#[test]
fn argmins_files() {
    use ::argmin::core::Executor;
    use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
    use reparam::adapters::argmin::{NnlsSolver, ObjectiveProblem, ReparamSolver, Resume};
    let (a, b) = system(3, 8, N);
    let a = nalgebra::DMatrix::from_row_slice(8, N, &a);
    let problem = || ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a.clone(), &b).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.arg");
    let file = || {
        FileCheckpoint::new(
            folder.path().to_str().unwrap(),
            "run",
            CheckpointingFrequency::Always,
        )
    };
    let solver = ReparamSolver::new(Squares::new(N), State::from(Lbfgs::new(4)));
    Executor::new(problem(), solver.clone())
        .configure(|s| s.max_iters(3))
        .checkpointing(Resume::new(file(), solver.clone()))
        .run()
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let run = || {
        Executor::new(problem(), solver.clone())
            .checkpointing(Resume::new(file(), solver.clone()).max_iters(500))
            .run()
    };
    let expected = run().unwrap().state.best_param;
    // (ends before argmin's state: x, and what follows, is argmin's, which bincode reads without a limit)
    let state = bytes.windows(8).rposition(|w| w == 3_u64.to_le_bytes()).unwrap();
    let ours = bytes.len() / 2;
    assert!(ours < state);
    let mut refused = 0;
    for at in 0..ours {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        match run() {
            Err(_) => refused += 1,
            Ok(result) => assert_eq!(result.state.best_param, expected, "byte {at}"),
        }
        if at % 16 == 0 {
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(run().is_err(), "cut to {at} bytes");
        }
    }
    assert_eq!(refused, ours, "no byte of it is without meaning");

    // NNLS: the whole solver is in the file, its tolerance too
    let solver = NnlsSolver::<f64>::new()
        .tolerance(1e-9)
        .strategy(Strategy::LiftedCg)
        .steps(2);
    let text = serde_json::to_string(&solver).unwrap();
    let loose = text.replace("1e-9", "1e9");
    assert_ne!(loose, text);
    serde_json::from_str::<NnlsSolver<f64>>(&text).unwrap();
    assert!(serde_json::from_str::<NnlsSolver<f64>>(&loose).is_err());
}
