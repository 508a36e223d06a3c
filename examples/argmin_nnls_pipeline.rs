//! Our non-negative least squares inside an argmin pipeline: a progress observer, a checkpoint file, a run that is stopped by the
//! observer, and its continuation.

#![allow(clippy::print_stdout)]

use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{Error, Executor, IterState, KV, State};
use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
use nalgebra::{DMatrix, DVector};
use reparam::adapters::argmin::{NnlsSolver, ObjectiveProblem};
use reparam::nnls::Strategy;
use reparam::objectives::LeastSquares;
use reparam::{CancelToken, Status};

type Iterate = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

/// Prints a line per iteration, and asks for a stop after some of them.
struct Report {
    stop_after: Option<u64>,
    token: CancelToken,
}

#[allow(clippy::print_stdout)]
impl Observe<Iterate> for Report {
    fn observe_init(&mut self, name: &str, state: &Iterate, _kv: &KV) -> Result<(), Error> {
        println!("{name} from cost {:.4e}", state.cost);
        Ok(())
    }

    fn observe_iter(&mut self, state: &Iterate, kv: &KV) -> Result<(), Error> {
        let number = |key: &str| kv.get(key).and_then(|v| v.get_float()).unwrap_or(f64::NAN);
        println!(
            "{:>3}  cost {:.8e}   ρ {:.1e}   gap ≤ {:.1e}   support {:.0}",
            state.iter + 1,
            state.cost,
            number("natural_residual"),
            number("gap"),
            number("support"),
        );
        if self.stop_after.is_some_and(|k| state.iter + 1 >= k) {
            // an error from here would stop argmin, too, but with the result lost
            self.token.cancel();
        }
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    // relaxation times from a decay: 200 instants, 60 candidates, badly conditioned
    let a = DMatrix::from_fn(200, 60, |i, j| {
        let time = 0.05 * (i as f64 + 1.0);
        let rate = 0.05 * 1.12_f64.powi(j as i32);
        (-rate * time).exp()
    });
    let b = DVector::from_fn(200, |i, _| {
        let time = 0.05 * (i as f64 + 1.0);
        2.0 * (-0.2 * time).exp() + (-1.5 * time).exp() + 1e-4 * (9.0 * time).sin()
    });
    let problem = || -> Result<_, Error> {
        Ok(ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(
            a.clone(),
            &b,
        )?))
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_string_lossy().into_owned();
    let checkpoint = || FileCheckpoint::new(path.as_str(), "relaxation", CheckpointingFrequency::Always);
    // a few of our iterations per iteration of argmin's, so that there is something to watch
    let solver = NnlsSolver::new()
        .strategy(Strategy::ActiveSet)
        .steps(2)
        .report_kv(true);

    println!("— until the observer has seen enough");
    let token = CancelToken::new();
    let report = Report {
        stop_after: Some(3),
        token: token.clone(),
    };
    let stopped = Executor::new(problem()?, solver.clone().cancel_token(token))
        .add_observer(report, ObserverMode::Always)
        .checkpointing(checkpoint())
        .run()?;
    let partial = stopped.solver.solution(&stopped.state);
    assert_eq!(partial.map(|s| s.status), Some(Status::Cancelled));

    println!("— from the file, to the end");
    let report = Report {
        stop_after: None,
        token: CancelToken::new(),
    };
    let resumed = Executor::new(problem()?, solver)
        .add_observer(report, ObserverMode::Always)
        .checkpointing(checkpoint())
        .run()?;
    let reason = resumed.state.get_termination_status();
    println!(
        "argmin: {reason}, {} passes over A since",
        resumed.problem.counts["pass_count"]
    );
    let solution = resumed
        .solver
        .solution(&resumed.state)
        .ok_or_else(|| Error::msg("no answer"))?;

    for (j, x) in solution.x.iter().enumerate().filter(|(_, x)| **x > 0.0) {
        println!("rate {:.3}: {x:.4}", 0.05 * 1.12_f64.powi(j as i32));
    }
    assert!(solution.status.is_solved());
    println!("status {}", solution.status);
    println!(
        "ρ = {:.1e}   gap ≤ {:.1e}",
        solution.certificate.natural_residual, solution.certificate.gap
    );
    Ok(())
}
