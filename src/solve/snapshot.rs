//! The result of a run of the dynamics, and the state from which it can be continued.

use super::Checkpoint;
use super::minimize::{Iterate, default_method};
use crate::Scalar;
use crate::flows::Trajectory;
use crate::integrators::Integrator;
use crate::outcome::Solution;

/// The result of a run of [`Integrate`](crate::Integrate).
///
/// ```
/// use reparam::{Integrate, flows::Recording, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).record(Recording::every(1)).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// assert_eq!(*run.trajectory.steps().last().unwrap(), run.solution.iterations);
/// assert_eq!(run.snapshot.iteration(), run.solution.iterations);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Integrated<T, I> {
    /// The end point, not rounded to a bound, with its certificate.
    pub solution: Solution<T>,
    /// What was recorded.
    pub trajectory: Trajectory<T>,
    /// The whole state at the end: [`Integrate::resume`](crate::Integrate::resume) goes on from it.
    pub snapshot: Snapshot<T, I>,
}

/// The whole state of a run of [`Integrate`](crate::Integrate) between two steps. With the feature `serde` it can be written and read.
///
/// ```
/// use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0];
/// let problem = || Integrate::new(LeastSquares::new(&a, &[3.0, 1.0]).unwrap(), Squares::new(2)).unwrap();
/// let whole = problem().start_u0(0.5).max_iterations(20).run().unwrap();
/// let half = problem().start_u0(0.5).max_iterations(10).run().unwrap();
/// let rest = problem().max_iterations(20).resume(half.snapshot).unwrap();
/// assert_eq!(rest.solution.x, whole.solution.x); // bit for bit
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        remote = "Self",
        bound(
            deserialize = "T: serde::Serialize + serde::Deserialize<'de>, I: serde::Serialize + serde::Deserialize<'de>"
        )
    )
)]
pub struct Snapshot<T, I> {
    pub(super) iterate: Iterate<T>,
    pub(super) integrator: I,
}

#[cfg(feature = "serde")]
super::sealed::sealed!(Snapshot<T, I>);

impl<T: Scalar, I: Integrator<T>> Snapshot<T, I> {
    /// Steps so far.
    ///
    /// See [`Integrated`] for an example.
    pub fn iteration(&self) -> usize {
        self.iterate.iteration
    }

    /// t.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).ignore_residual().until_time(2.0).run().unwrap();
    /// assert_eq!(run.snapshot.time(), 2.0);
    /// ```
    pub fn time(&self) -> T {
        self.integrator.time()
    }

    /// The integrator, with its memory.
    ///
    /// ```
    /// # use reparam::{Integrate, integrators::Integrator, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).run().unwrap();
    /// assert!(run.snapshot.integrator().step_size() > 0.0);
    /// ```
    pub fn integrator(&self) -> &I {
        &self.integrator
    }

    /// The end point, for [`Minimize::resume`](crate::Minimize::resume): L-BFGS continues from there to an exact solution nearby. (Where there
    /// are many solutions, that need not be the limit of the flow.)
    ///
    /// ```
    /// use reparam::{Integrate, Minimize, maps::Squares, objectives::LeastSquares};
    /// let a = nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0];
    /// let f = || LeastSquares::new(&a, &[1.0, -1.0]).unwrap();
    /// let rough = Integrate::new(f(), Squares::new(2)).unwrap().start_u0(0.1).tolerance(1e-2).run().unwrap();
    /// assert!(rough.solution.x[1] > 0.0);
    /// let exact = Minimize::new(f(), Squares::new(2)).unwrap().resume(rough.snapshot.into_checkpoint()).unwrap();
    /// assert!(exact.status.is_solved() && exact.x[1] == 0.0);
    /// ```
    pub fn into_checkpoint(self) -> Checkpoint<T> {
        Checkpoint {
            iterate: self.iterate,
            method: default_method(),
        }
    }
}
