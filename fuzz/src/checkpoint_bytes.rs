//! Checkpoints: valid ones that were damaged, and anything else.

use crate::input::Bytes;
use reparam::maps::Squares;
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::LeastSquares;
use reparam::{Checkpoint, Minimize, Progress};
use std::ops::ControlFlow;

fn fit(b: f64) -> LeastSquares<nalgebra::DMatrix<f64>, f64> {
    let a = nalgebra::DMatrix::from_row_slice(3, 2, &[1.0, 0.5, 0.25, 2.0, -1.0, 1.0]);
    match LeastSquares::new(a, &[1.0, b, -0.5]) {
        Ok(f) => f,
        Err(error) => unreachable!("{error}"),
    }
}

/// A checkpoint in postcard's or JSON's form with some bytes changed, cut, or put in their place, then gone on with.
///
/// # Panics
/// When a damaged checkpoint is not the one it was and yet accepted, or a promise is broken.
pub fn checkpoints(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let method: State<f64> = match bytes.byte() % 4 {
        0 => Lbfgs::new(3).into(),
        1 => BoxLbfgs::new(3).into(),
        2 => ConjugateGradient::new().into(),
        _ => TrustRegion::new().into(),
    };
    let (b, at, json) = (
        bytes.number(crate::input::Kind::Eighths),
        bytes.below(6),
        bytes.yes(),
    );
    let map = Squares::new(2);
    let mut saved = None;
    let run = Minimize::new(fit(b), &map).and_then(|m| {
        m.method(method)
            .observe(|p: &Progress<'_, f64>| {
                if p.iteration <= at {
                    saved = Some(p.checkpoint());
                }
                ControlFlow::Continue(())
            })
            .run()
    });
    assert!(run.is_ok());
    let Some(saved) = saved else {
        return;
    };
    let mut file = if json {
        serde_json::to_vec(&saved).unwrap_or_default()
    } else {
        postcard::to_stdvec(&saved).unwrap_or_default()
    };
    match bytes.byte() % 4 {
        0 => file = bytes.rest(),
        1 => file.truncate(usize::from(bytes.byte()) * file.len() / 256),
        kind => {
            for _ in 0..=bytes.below(4) {
                let at = usize::from(bytes.byte()) << 8 | usize::from(bytes.byte());
                let at = at % file.len();
                if kind == 2 {
                    file[at] = bytes.byte();
                } else {
                    let piece = bytes.below(9);
                    let piece = bytes.take(piece);
                    file.splice(at..(at + bytes.below(9)).min(file.len()), piece);
                }
            }
        }
    }
    let read: Option<Checkpoint<f64>> = if json {
        serde_json::from_slice(&file).ok()
    } else {
        postcard::from_bytes(&file).ok()
    };
    let Some(read) = read else {
        return;
    };
    assert_eq!(read, saved);
    if let Ok(solution) = Minimize::new(fit(b), &map).and_then(|m| m.resume(read)) {
        assert!(solution.x.iter().all(|x| *x >= 0.0));
    }
}
