//! argmin checkpoints for solvers that hold a map. A resumed run can be given new limits.

use super::super::ParamVec;
use super::{ReparamSolver, Saved};
use crate::Scalar;
use crate::maps::Reparametrization;
use crate::methods::Method;
use argmin::core::checkpointing::{Checkpoint, CheckpointingFrequency};
use argmin::core::{
    ArgminFloat, IterState, LinearProgramState, PopulationState, TerminationReason, TerminationStatus,
};

/// A checkpoint of argmin's (`argmin_checkpointing_file::FileCheckpoint`, or any other) from which a run can be continued beyond its
/// saved limit: of a [`ReparamSolver`] by [`new`](Self::new), of solvers that a file holds whole by [`whole`](Self::whole).
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

/// In the place of the solver of a [`Resume`] for solvers that the checkpoint holds whole.
///
/// ```
/// use reparam::adapters::argmin::{Resume, Whole};
/// let _: Resume<(), Whole> = Resume::whole(());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole;

impl<C> Resume<C, Whole> {
    /// For solvers that argmin's checkpoints hold whole: argmin's own on a [`Reparametrized`](super::Reparametrized), and
    /// [`NnlsSolver`](super::NnlsSolver). A resumed run equals the uninterrupted one as far as the solver and the state say all that
    /// there is to say (argmin's L-BFGS, conjugate gradients, Nelder–Mead: yes). That the problem is the same is not tested.
    ///
    /// ```
    /// use argmin::core::Executor;
    /// use argmin::solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS};
    /// use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
    /// use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized, Resume};
    /// use reparam::{maps::Squares, objectives::LeastSquares};
    ///
    /// let folder = tempfile::tempdir().unwrap();
    /// let file = || FileCheckpoint::new(folder.path().to_str().unwrap(), "run", CheckpointingFrequency::Always);
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a, &[3.0, 1.0]).unwrap());
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(2)).convex(true);
    /// let solver = || LBFGS::new(MoreThuenteLineSearch::new(), 7);
    /// let u = lifted.start(&[1.0, 1.0]).unwrap();
    /// // stopped after two iterations …
    /// Executor::new(&lifted, solver())
    ///     .configure(|state| state.param(u).max_iters(2))
    ///     .checkpointing(Resume::whole(file()))
    ///     .run()
    ///     .unwrap();
    /// // … and continued, up to another limit
    /// let run = Executor::new(&lifted, solver())
    ///     .checkpointing(Resume::whole(file()).max_iters(1000))
    ///     .run();
    /// assert!(run.as_ref().unwrap().state.iter > 2);
    /// assert!(lifted.solution(&run).unwrap().status.is_solved());
    /// ```
    pub fn whole(inner: C) -> Self {
        Self::new(inner, Whole)
    }
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

/// States of argmin's, whose limit of iterations can be moved.
///
/// ```
/// use argmin::core::{IterState, State};
/// use reparam::adapters::argmin::Limited;
/// let mut state: IterState<Vec<f64>, (), (), (), (), f64> = IterState::new().max_iters(3);
/// state.go_on_until(10);
/// assert_eq!(state.get_max_iters(), 10);
/// ```
pub trait Limited {
    /// Sets the limit; a run that had ended at the old one has not ended.
    fn go_on_until(&mut self, max_iters: u64);
}

macro_rules! limited {
    ($($state:ident<$($parameter:ident),*>),*) => {$(
        impl<$($parameter),*> Limited for $state<$($parameter),*> {
            fn go_on_until(&mut self, max_iters: u64) {
                self.max_iters = max_iters;
                if self.termination_status == TerminationStatus::Terminated(TerminationReason::MaxItersReached) {
                    self.termination_status = TerminationStatus::NotTerminated;
                }
            }
        }
    )*};
}
limited!(IterState<P, G, J, H, R, F>, PopulationState<P, F>, LinearProgramState<P, F>);

impl<C, S, I> Checkpoint<S, I> for Resume<C, Whole>
where
    C: Checkpoint<S, I>,
    I: Limited,
{
    fn save(&self, solver: &S, state: &I) -> Result<(), argmin::core::Error> {
        self.inner.save(solver, state)
    }

    fn load(&self) -> Result<Option<(S, I)>, argmin::core::Error> {
        let mut loaded = self.inner.load()?;
        if let (Some((_, state)), Some(iterations)) = (&mut loaded, self.max_iters) {
            state.go_on_until(iterations);
        }
        Ok(loaded)
    }

    fn frequency(&self) -> CheckpointingFrequency {
        self.inner.frequency()
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
            state.go_on_until(iterations);
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
