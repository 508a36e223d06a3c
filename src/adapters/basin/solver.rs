//! A method of this crate as a basin solver.

use super::super::engine::Engine;
use super::super::{ParamVec, refill};
use super::bridge::Bridge;
use super::{Access, Failure, FirstOrder, SecondOrder, status_of};
use crate::Scalar;
use crate::clock::Instant;
use crate::maps::Reparametrization;
use crate::methods::Method;
use crate::outcome::{Solution, Status};
use basin::core::math::VectorLen;
use basin::core::problem::Problem;
use basin::core::termination::{Convergence, ConvergenceCriterion, ConvergenceEvidence, ConvergenceTest};
use basin::{CostFunction, FirstOrderState, Gradient, Solver, SolverStep, Stall, State, Termination};
use std::marker::PhantomData;

/// Any [`Method`] on the lift f∘φ, run by basin's `Executor` on a problem in x.
///
/// The run is that of [`Minimize`](crate::Minimize), step for step. What basin gets to see:
///
/// ```text
/// state          FirstOrderState: x, f(x), ∇f(x)     (u is not shown)
/// counts         every evaluation
/// termination    Converged, with ρ and its tolerance as evidence; Stalled with the text of the status
/// ```
///
/// Limits, targets, observers and cancellation are basin's own. The whole answer is [`solution`](Self::solution) of the solver that
/// `run_with_solver` gives back.
///
/// ```
/// use basin::{CostFunction, Executor, FirstOrderState, Gradient};
/// use reparam::{Status, adapters::basin::ReparamSolver, maps::Squares, methods::Lbfgs};
/// use std::convert::Infallible;
///
/// /// (x₀ − 1)² + (x₁ + 1)²
/// struct Distance;
/// impl CostFunction for Distance {
///     type Param = Vec<f64>;
///     type Output = f64;
///     type Error = Infallible;
///     fn cost(&self, x: &Vec<f64>) -> Result<f64, Infallible> {
///         Ok((x[0] - 1.0).powi(2) + (x[1] + 1.0).powi(2))
///     }
/// }
/// impl Gradient for Distance {
///     type Gradient = Vec<f64>;
///     fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
///         Ok(vec![2.0 * (x[0] - 1.0), 2.0 * (x[1] + 1.0)])
///     }
/// }
///
/// let solver = ReparamSolver::new(Squares::new(2), Lbfgs::new(8)).convex(true);
/// let result = Executor::new(Distance, solver, FirstOrderState::new(vec![0.0, 0.0]))
///     .max_iter(100)
///     .run_with_solver()
///     .unwrap();
/// let solution = result.solver.solution(&result.report.termination).unwrap();
/// assert_eq!(solution.status, Status::Solved);
/// assert_eq!(solution.x[1], 0.0); // exactly
/// assert_eq!(result.param(), &solution.x);
/// ```
#[derive(Debug, Clone)]
pub struct ReparamSolver<T, M, S, C = FirstOrder> {
    engine: Engine<T, M, S>,
    access: PhantomData<fn() -> C>,
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T>> ReparamSolver<T, M, S> {
    /// A map and a method. Tolerance 1e-8 (`f64`) or 1e-4 (`f32`).
    ///
    /// ```
    /// use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::ConjugateGradient};
    /// let _ = ReparamSolver::new(Squares::<f32>::new(3), ConjugateGradient::new());
    /// ```
    pub fn new(map: M, method: S) -> Self {
        Self {
            engine: Engine::new(map, method),
            access: PhantomData,
        }
    }

    /// Uses the problem's `HessianProduct` as well.
    ///
    /// ```
    /// use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::TrustRegion};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), TrustRegion::new()).with_hessian();
    /// ```
    pub fn with_hessian(self) -> ReparamSolver<T, M, S, SecondOrder> {
        ReparamSolver {
            engine: self.engine,
            access: PhantomData,
        }
    }
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T> + Clone, C> ReparamSolver<T, M, S, C> {
    /// Converged when ρ, the natural residual of [`Minimize`](crate::Minimize), is at most this.
    ///
    /// ```
    /// # use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::new(2), Lbfgs::new(8)).tolerance(1e-10);
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.engine.tolerance = tolerance;
        self
    }

    /// States that f is convex: an answer is then `Solved` instead of `Stationary`, and has a gap where the set offers one.
    ///
    /// ```
    /// # use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).convex(true);
    /// ```
    #[must_use]
    pub fn convex(mut self, convex: bool) -> Self {
        self.engine.convex = convex;
        self
    }

    /// The natural residual at the last iterate, for observers of the solver; NaN before the first.
    ///
    /// ```
    /// # use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// assert!(ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).natural_residual().is_nan());
    /// ```
    pub fn natural_residual(&self) -> T {
        self.engine.natural_residual()
    }

    /// A bound of f − min f at the last iterate; +∞ where there is none.
    ///
    /// ```
    /// # use reparam::{adapters::basin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// assert!(ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).gap().is_infinite());
    /// ```
    pub fn gap(&self) -> T {
        self.engine.gap()
    }

    /// The answer with its certificate; None before a run. Where basin ended the run, its reason is in the status: limits of
    /// iterations, evaluations and time, [`TargetReached`](Status::TargetReached), [`Cancelled`](Status::Cancelled).
    ///
    /// See [`ReparamSolver`] for an example.
    pub fn solution(&self, termination: &Termination<T>) -> Option<Solution<T>> {
        self.engine.solution(status_of(termination))
    }

    /// basin's explanation of a status that the run itself has ended with.
    fn termination(&self) -> Option<Termination<T>> {
        let status = self.engine.status()?;
        let rho = self.engine.natural_residual();
        Some(match status {
            Status::Solved | Status::Stationary => {
                let tolerance = self.engine.tolerance;
                Termination::Converged(Convergence::new(ConvergenceCriterion::new(
                    ConvergenceTest::Custom {
                        key: "reparam.natural_residual".into(),
                        definition: "the natural residual in x, relative to the size of f".into(),
                    },
                    ConvergenceEvidence::UpperBound {
                        value: rho,
                        bound: tolerance,
                        tolerance,
                        reference: None,
                    },
                )))
            }
            other => Termination::Stalled(Stall::Numerical {
                message: other.to_string(),
                measurements: Vec::new(),
            }),
        })
    }
}

impl<P, X, T, M, S, C> Solver<P, FirstOrderState<X, T>> for ReparamSolver<T, M, S, C>
where
    T: Scalar,
    X: ParamVec<Entry = T> + VectorLen,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X>,
    M: Reparametrization<T>,
    S: Method<T> + Clone,
    C: Access<P>,
{
    type Error = Failure<P::Error>;

    fn init(
        &mut self,
        problem: &mut Problem<P>,
        state: FirstOrderState<X, T>,
    ) -> Result<FirstOrderState<X, T>, Self::Error> {
        let clock = Instant::now();
        let x = state.param().as_slice();
        let point = self.engine.place(Some(x))?;
        let mut bridge = Bridge::<P, C>::new(problem.inner(), x.len());
        let result = self.engine.start(&mut bridge, point);
        let counts = bridge.counts;
        bridge.settle(result)?;
        problem.counts_mut().add(&counts);
        self.engine.saved.elapsed = clock.elapsed();
        self.publish(state)
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<P>,
        state: FirstOrderState<X, T>,
    ) -> Result<SolverStep<FirstOrderState<X, T>>, Self::Error> {
        let clock = Instant::now();
        let mut bridge = Bridge::<P, C>::new(problem.inner(), state.param().as_slice().len());
        let result = self.engine.step(&mut bridge);
        let counts = bridge.counts;
        bridge.settle(result)?;
        problem.counts_mut().add(&counts);
        self.engine.saved.elapsed += clock.elapsed();
        Ok(SolverStep::new(self.publish(state)?, true, self.termination()))
    }

    fn terminate(&self, _state: &FirstOrderState<X, T>) -> Option<Termination<T>> {
        self.termination()
    }
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T> + Clone, C> ReparamSolver<T, M, S, C> {
    fn publish<X, E>(&self, mut state: FirstOrderState<X, T>) -> Result<FirstOrderState<X, T>, Failure<E>>
    where
        X: ParamVec<Entry = T> + VectorLen,
    {
        if let Some(run) = &self.engine.saved.run {
            let (x, g) = (
                refill(None::<X>, &run.iterate.point.x),
                refill(None::<X>, &run.iterate.point.g),
            );
            state
                .replace(x, run.iterate.point.value, g)
                .map_err(|error| Failure::Reparam(crate::Error::Evaluation(error.into())))?;
        }
        Ok(state)
    }
}
