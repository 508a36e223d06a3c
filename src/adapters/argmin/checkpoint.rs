//! argmin's checkpoints for solvers that hold a map.

use super::super::ParamVec;
use super::{ReparamSolver, Saved};
use crate::Scalar;
use crate::maps::Reparametrization;
use crate::methods::Method;
use argmin::core::checkpointing::{Checkpoint, CheckpointingFrequency};
use argmin::core::{ArgminFloat, IterState, TerminationReason, TerminationStatus};

/// A checkpoint of argmin's (`argmin_checkpointing_file::FileCheckpoint`, or any other) for a [`ReparamSolver`].
///
/// argmin restores solvers whole, and then skips `init`. A map holds matrices and closures that no file can hold; so what is
/// written is what changes, and what is restored is put into a solver given here, set up as the first one was. A resumed run equals
/// the uninterrupted one, iterate by iterate.
///
/// Of the state everything comes from the checkpoint, limits included, and what `configure` says is ignored (argmin's rule):
/// [`max_iters`](Self::max_iters) here is how to go on beyond a limit. Function counts start at zero again: argmin keeps them in the
/// problem, which is not saved. (Those of [`ReparamSolver::solution`] go on.) The problem is compared with the checkpoint before the run
/// goes on, or ends again: f, ∇f and the set of another one are a [`Error::Setting`](crate::Error::Setting).
///
/// ```
/// use argmin::core::{CostFunction, Error, Executor, Gradient};
/// use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
/// use reparam::adapters::argmin::{ObjectiveProblem, ReparamSolver, Resume};
/// use reparam::{maps::Squares, methods::{Lbfgs, State}, objectives::LeastSquares};
/// # #[cfg(feature = "serde")] {
///
/// let folder = tempfile::tempdir().unwrap();
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let problem = || ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a.clone(), &[3.0, 1.0]).unwrap());
/// let solver = ReparamSolver::new(Squares::new(2), State::from(Lbfgs::new(8)));
/// let checkpoint = || {
///     let file = FileCheckpoint::new(folder.path().to_str().unwrap(), "run", CheckpointingFrequency::Always);
///     Resume::new(file, solver.clone())
/// };
/// // stopped after three iterations …
/// Executor::new(problem(), solver.clone())
///     .configure(|state| state.max_iters(3))
///     .checkpointing(checkpoint())
///     .run()
///     .unwrap();
/// // … and continued
/// let resumed = Executor::new(problem(), solver.clone())
///     .checkpointing(checkpoint().max_iters(1000))
///     .run()
///     .unwrap();
/// let whole = Executor::new(problem(), solver.clone()).run().unwrap();
/// assert_eq!(resumed.state.best_param, whole.state.best_param); // bit for bit
/// assert_eq!(resumed.state.iter, whole.state.iter);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Resume<C, R> {
    inner: C,
    solver: R,
    max_iters: Option<u64>,
}

impl<C, R> Resume<C, R> {
    /// Writes and reads through `inner`; `solver` is what is continued.
    ///
    /// See [`Resume`] for an example.
    pub fn new(inner: C, solver: R) -> Self {
        Self {
            inner,
            solver,
            max_iters: None,
        }
    }

    /// The limit of iterations of the resumed run, instead of the saved one; a run that had reached the saved one goes on.
    ///
    /// See [`Resume`] for an example.
    #[must_use]
    pub fn max_iters(mut self, iterations: u64) -> Self {
        self.max_iters = Some(iterations);
        self
    }
}

type Iterate<X, T> = IterState<X, X, (), (), (), T>;

impl<C, T, M, S, A, X> Checkpoint<ReparamSolver<T, M, S, A>, Iterate<X, T>>
    for Resume<C, ReparamSolver<T, M, S, A>>
where
    C: Checkpoint<Saved<T, S>, Iterate<X, T>>,
    T: Scalar + ArgminFloat,
    M: Reparametrization<T> + Clone,
    S: Method<T> + Clone,
    A: Clone,
    X: ParamVec<Entry = T>,
{
    fn save(
        &self,
        solver: &ReparamSolver<T, M, S, A>,
        state: &Iterate<X, T>,
    ) -> Result<(), argmin::core::Error> {
        self.inner.save(solver.saved(), state)
    }

    fn load(&self) -> Result<Option<(ReparamSolver<T, M, S, A>, Iterate<X, T>)>, argmin::core::Error> {
        let Some((saved, mut state)) = self.inner.load()? else {
            return Ok(None);
        };
        let mut solver = self.solver.clone();
        solver.restore(saved)?;
        if let Some(iterations) = self.max_iters {
            state.max_iters = iterations;
            if state.termination_status == TerminationStatus::Terminated(TerminationReason::MaxItersReached) {
                state.termination_status = TerminationStatus::NotTerminated;
            }
        }
        // a run that had ended by itself is opened again for one iteration, in which the problem is compared with it
        if let TerminationStatus::Terminated(
            TerminationReason::SolverConverged | TerminationReason::SolverExit(_),
        ) = state.termination_status
        {
            state.termination_status = TerminationStatus::NotTerminated;
        }
        Ok(Some((solver, state)))
    }

    fn frequency(&self) -> CheckpointingFrequency {
        self.inner.frequency()
    }
}
