//! Ctrl-C: argmin's handler ends a run of ours with the point so far. (In a process of its own: it is one handler per process.)
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "common/argmin.rs"]
mod problems;

use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{Error, Executor, IterState, KV, State, TerminationReason};
use problems::Fit;
use reparam::adapters::argmin::ReparamSolver;
use reparam::{Status, maps::Squares, methods::ConjugateGradient};

/// Presses the key after the third iteration, and waits until it has been seen.
struct Key;
impl Observe<IterState<Vec<f64>, Vec<f64>, (), (), (), f64>> for Key {
    fn observe_iter(
        &mut self,
        state: &IterState<Vec<f64>, Vec<f64>, (), (), (), f64>,
        _: &KV,
    ) -> Result<(), Error> {
        if state.iter == 2 {
            let id = std::process::id().to_string();
            assert!(
                std::process::Command::new("kill")
                    .args(["-INT", &id])
                    .status()?
                    .success()
            );
        }
        if state.iter >= 2 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Ok(())
    }
}

#[test]
fn ctrl_c_keeps_the_point() {
    let solver = ReparamSolver::new(Squares::new(6), ConjugateGradient::new()).tolerance(1e-300);
    let run = Executor::new(Fit::<Vec<f64>>::sample(3), solver)
        .add_observer(Key, ObserverMode::Always)
        .run()
        .unwrap();
    assert_eq!(
        run.state.get_termination_reason(),
        Some(&TerminationReason::Interrupt)
    );
    let solution = run.solver.solution(&run.state).unwrap();
    assert_eq!(solution.status, Status::Cancelled);
    assert_eq!(run.state.best_param, Some(solution.x));
    assert!(run.state.iter >= 3);
}
