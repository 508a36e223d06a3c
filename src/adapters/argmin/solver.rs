//! A method of this crate as an argmin `Solver`.

use super::super::engine::{Engine, Saved};
use super::super::{ParamVec, refill};
use super::{Access, Cache, FirstOrder, FullObjective, Residuals, SecondOrder, theirs};
use crate::clock::Instant;
use crate::maps::Reparametrization;
use crate::methods::Method;
use crate::outcome::{CancelToken, Solution, Status};
use crate::{Result, Scalar};
use argmin::core::{
    ArgminFloat, IterState, KV, KvValue, Problem, Solver, State, TerminationReason, TerminationStatus,
};
use std::marker::PhantomData;

type Iterate<X, T> = IterState<X, X, (), (), (), T>;

/// Any [`Method`] on the lift f∘φ, run by argmin's `Executor` on a problem in x.
///
/// The run is that of [`Minimize`](crate::Minimize), step for step: convergence is decided in x, faces are left by steps in x, and
/// the last point is certified. What argmin gets to see:
///
/// ```text
/// param, cost, gradient    x, f(x), ∇f(x)     (u is not shown)
/// best_param               that of the least cost so far, as argmin keeps it; x of the last iterate once this solver has terminated
///                          (not where argmin's own max_iters or a Ctrl-C ends the run)
/// counts                   every evaluation: it goes through argmin's Problem
/// KV                       natural_residual and gap, if asked for (report_kv)
/// termination              SolverConverged; Interrupt for a raised token; SolverExit(text of the status) else
/// ```
///
/// The whole answer is [`solution`](Self::solution). The start is the state's `param`: any point of the set, its boundary included;
/// without one, the map's interior point. One iteration of argmin's is one of the method's. Beyond what the method does, an
/// iteration copies x and ∇f into the state (no allocation once both its slots exist) and allocates one vector to call the problem
/// with.
///
/// ```
/// use argmin::core::{CostFunction, Error, Executor, Gradient};
/// use reparam::{Status, adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
///
/// /// (x₀ − 1)² + (x₁ + 1)²
/// struct Distance;
/// impl CostFunction for Distance {
///     type Param = Vec<f64>;
///     type Output = f64;
///     fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
///         Ok((x[0] - 1.0).powi(2) + (x[1] + 1.0).powi(2))
///     }
/// }
/// impl Gradient for Distance {
///     type Param = Vec<f64>;
///     type Gradient = Vec<f64>;
///     fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
///         Ok(vec![2.0 * (x[0] - 1.0), 2.0 * (x[1] + 1.0)])
///     }
/// }
///
/// let solver = ReparamSolver::new(Squares::new(2), Lbfgs::new(8)).convex(true);
/// let result = Executor::new(Distance, solver)
///     .configure(|state| state.param(vec![0.0, 0.0]).max_iters(100)) // started in the corner
///     .run()
///     .unwrap();
/// let solution = result.solver.solution(&result.state).unwrap();
/// assert_eq!(solution.status, Status::Solved);
/// assert_eq!(solution.x[1], 0.0); // exactly
/// assert_eq!(result.state.best_param.as_ref(), Some(&solution.x));
/// ```
#[derive(Debug, Clone)]
pub struct ReparamSolver<T, M, S, C = FirstOrder> {
    engine: Engine<T, M, S>,
    cache: Cache<T>,
    at: Vec<T>,
    evaluations: Option<usize>,
    report: bool,
    access: PhantomData<fn() -> C>,
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T>> ReparamSolver<T, M, S> {
    /// A map and a method: [`Lbfgs`](crate::methods::Lbfgs), [`ConjugateGradient`](crate::methods::ConjugateGradient),
    /// [`TrustRegion`](crate::methods::TrustRegion), or one of the user's. Tolerance 1e-8 (`f64`) or 1e-4 (`f32`); no limits but
    /// argmin's.
    ///
    /// ```
    /// use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::ConjugateGradient};
    /// let _ = ReparamSolver::new(Squares::<f32>::new(3), ConjugateGradient::new());
    /// ```
    pub fn new(map: M, method: S) -> Self {
        Self {
            engine: Engine::new(map, method),
            cache: Cache::default(),
            at: Vec::new(),
            evaluations: None,
            report: false,
            access: PhantomData,
        }
    }

    /// Uses the problem's `Hessian` as well: exact products for the trust region, the exact scale of each coordinate for ρ and for
    /// every method.
    ///
    /// ```
    /// use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::TrustRegion};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), TrustRegion::new()).with_hessian();
    /// ```
    pub fn with_hessian(self) -> ReparamSolver<T, M, S, SecondOrder> {
        self.access()
    }

    /// Uses the problem's `Operator` and `Jacobian` instead of its cost and gradient: f = ½‖r(x)‖². What
    /// [`LevenbergMarquardt`](crate::methods::LevenbergMarquardt) needs.
    ///
    /// ```
    /// use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::LevenbergMarquardt};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), LevenbergMarquardt::new()).with_residuals();
    /// ```
    pub fn with_residuals(self) -> ReparamSolver<T, M, S, Residuals> {
        self.access()
    }

    /// Uses all that an objective of this crate offers, of an [`ObjectiveProblem`](super::ObjectiveProblem): Hessian products,
    /// images A x (searches along a lifted ray then need no product with A), residuals, convexity. The run is then that of
    /// [`Minimize`](crate::Minimize) on this objective, its [exact finish](crate::Minimize::exact_finish) included, which is an
    /// iteration of its own.
    ///
    /// ```
    /// use argmin::core::Executor;
    /// use reparam::adapters::argmin::{ObjectiveProblem, ReparamSolver};
    /// use reparam::{Phase, maps::NormalizedSquares, methods::Lbfgs, objectives::LeastSquares};
    /// let a = nalgebra::dmatrix![3.0, 1.0, 0.0; 0.0, 1.0, 2.0; 1.0, 0.0, 1.0];
    /// let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a, &[2.0, 1.0, -4.0]).unwrap());
    /// let solver = ReparamSolver::new(NormalizedSquares::new(3, 1.0).unwrap(), Lbfgs::new(8)).with_objective();
    /// let result = Executor::new(problem, solver).run().unwrap();
    /// let solution = result.solver.solution(&result.state).unwrap();
    /// assert_eq!(solution.phase, Phase::ExactFinish);
    /// assert!(solution.status.is_solved()); // the objective itself says that it is convex
    /// assert_eq!(solution.x[2], 0.0);
    /// ```
    pub fn with_objective(self) -> ReparamSolver<T, M, S, FullObjective> {
        self.access()
    }

    fn access<C>(self) -> ReparamSolver<T, M, S, C> {
        ReparamSolver {
            engine: self.engine,
            cache: self.cache,
            at: self.at,
            evaluations: self.evaluations,
            report: self.report,
            access: PhantomData,
        }
    }
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T> + Clone, C> ReparamSolver<T, M, S, C> {
    /// Converged when ρ, the natural residual of [`Minimize`](crate::Minimize), is at most this.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::new(2), Lbfgs::new(8)).tolerance(1e-10);
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.engine.tolerance = tolerance;
        self
    }

    /// About this many evaluations of f at most (argmin itself limits iterations and time).
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).max_evaluations(1000);
    /// ```
    #[must_use]
    pub fn max_evaluations(mut self, evaluations: usize) -> Self {
        self.evaluations = Some(evaluations);
        self
    }

    /// A flag that ends the run between two iterations with `TerminationReason::Interrupt`: from another thread, or from an
    /// observer. (An observer's own way to stop, an error, makes argmin drop the state and the solver: argmin#370.)
    ///
    /// ```
    /// # use reparam::{CancelToken, adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let token = CancelToken::new();
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).cancel_token(token);
    /// ```
    #[must_use]
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.engine.cancel = Some(token);
        self
    }

    /// States that f is convex: an answer is then `Solved` instead of `Stationary`, and has a gap where the set offers one.
    /// (A problem of argmin's cannot say so itself.)
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).convex(true);
    /// ```
    #[must_use]
    pub fn convex(mut self, convex: bool) -> Self {
        self.engine.convex = convex;
        self
    }

    /// Whether observers get `natural_residual` and `gap` as KV values. Off by default: it allocates.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// let _ = ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).report_kv(true);
    /// ```
    #[must_use]
    pub fn report_kv(mut self, report: bool) -> Self {
        self.report = report;
        self
    }

    /// The natural residual at the last iterate; NaN before the first.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ReparamSolver, maps::Squares, methods::Lbfgs};
    /// assert!(ReparamSolver::new(Squares::<f64>::new(2), Lbfgs::new(8)).natural_residual().is_nan());
    /// ```
    pub fn natural_residual(&self) -> T {
        self.engine.natural_residual()
    }

    /// The answer with its certificate; None before a run has begun. The state tells why the run ended where it was argmin that
    /// ended it: `MaxItersReached`, `TargetCostReached`, `Timeout` and `Interrupt` are [`Status::IterationLimit`],
    /// [`Status::TargetReached`], [`Status::TimeLimit`] and [`Status::Cancelled`].
    ///
    /// See [`ReparamSolver`] for an example.
    pub fn solution<I: State>(&self, state: &I) -> Option<Solution<T>> {
        let status = state
            .get_termination_reason()
            .map_or(Status::Cancelled, status_of);
        self.engine.solution(status)
    }

    /// Continues from what a checkpoint holds.
    pub(super) fn restore(&mut self, saved: Saved<T, S>) -> Result<()> {
        self.engine.restore(saved)?;
        self.cache.clear();
        Ok(())
    }

    /// What a checkpoint holds.
    pub(super) fn saved(&self) -> &Saved<T, S> {
        &self.engine.saved
    }
}

/// What argmin's reason means for an answer that did not meet our own tolerance.
pub(super) fn status_of(reason: &TerminationReason) -> Status {
    match reason {
        TerminationReason::MaxItersReached => Status::IterationLimit,
        TerminationReason::TargetCostReached => Status::TargetReached,
        TerminationReason::Interrupt => Status::Cancelled,
        TerminationReason::Timeout => Status::TimeLimit,
        // a solver that calls itself done at a point that is not
        TerminationReason::SolverConverged | TerminationReason::SolverExit(_) => Status::Stalled,
    }
}

/// argmin's reason for a status of ours; `solution` has the status itself.
pub(super) fn reason_of(status: Status) -> TerminationReason {
    match status {
        Status::Solved | Status::Stationary | Status::AtPrecision => TerminationReason::SolverConverged,
        Status::Cancelled => TerminationReason::Interrupt,
        other => TerminationReason::SolverExit(other.to_string()),
    }
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T> + Clone, C> ReparamSolver<T, M, S, C> {
    /// A run from x, looked at once.
    fn start<O>(&mut self, problem: &mut Problem<O>, start: Option<&[T]>) -> Result<()>
    where
        C: Access<O, T>,
    {
        self.cache.clear();
        let point = self.engine.place(start)?;
        self.at.clone_from(&point.x);
        let engine = &mut self.engine;
        C::with_objective(problem, &mut self.cache, &self.at, |f| engine.start(f, point))
    }

    /// One iteration.
    fn step<O>(&mut self, problem: &mut Problem<O>) -> Result<()>
    where
        C: Access<O, T>,
    {
        if let Some(run) = &self.engine.saved.run {
            self.at.clone_from(&run.iterate.point.x);
        }
        let engine = &mut self.engine;
        C::with_objective(problem, &mut self.cache, &self.at, |f| engine.step(f))
    }

    /// What argmin sees of it.
    fn publish<X>(&self, mut state: Iterate<X, T>) -> (Iterate<X, T>, Option<KV>)
    where
        T: ArgminFloat,
        X: ParamVec<Entry = T>,
    {
        let Some(run) = &self.engine.saved.run else {
            return (state, None);
        };
        let x = refill(state.take_prev_param(), &run.iterate.point.x);
        let g = refill(state.take_prev_gradient(), &run.iterate.point.g);
        state = state.param(x).gradient(g).cost(run.iterate.point.value);
        if state.best_param.is_none() {
            // argmin fills it at the first cost that is below +∞: where all are NaN that never happens
            state.best_param = state.param.clone();
        }
        if let Some(status) = self.engine.status() {
            // the last point is the answer: it may have been rounded to a bound at a cost of a few roundings
            state.best_param = state.param.clone();
            state.best_cost = state.cost;
            state.last_best_iter = state.iter;
            state = state.terminate_with(reason_of(status));
        }
        let kv = self.report.then(|| {
            let rho: KvValue = self.engine.natural_residual().into();
            let gap: KvValue = self.engine.gap().into();
            argmin::kv!("natural_residual" => rho; "gap" => gap;)
        });
        (state, kv)
    }
}

impl<O, X, T, M, S, C> Solver<O, Iterate<X, T>> for ReparamSolver<T, M, S, C>
where
    T: Scalar + ArgminFloat,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    S: Method<T> + Clone,
    C: Access<O, T, Param = X>,
{
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn init(
        &mut self,
        problem: &mut Problem<O>,
        state: Iterate<X, T>,
    ) -> Result<(Iterate<X, T>, Option<KV>), argmin::core::Error> {
        let clock = Instant::now();
        self.start(problem, state.param.as_ref().map(ParamVec::as_slice))
            .map_err(theirs)?;
        self.engine.saved.elapsed = clock.elapsed();
        Ok(self.publish(state))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        state: Iterate<X, T>,
    ) -> Result<(Iterate<X, T>, Option<KV>), argmin::core::Error> {
        let clock = Instant::now();
        if self.engine.saved.run.is_none() {
            // a state from elsewhere that has iterations behind it: argmin does not call `init` then
            self.start(problem, state.param.as_ref().map(ParamVec::as_slice))
                .map_err(theirs)?;
        } else if self.engine.goes_on() {
            self.step(problem).map_err(theirs)?;
        }
        self.engine.saved.elapsed += clock.elapsed();
        Ok(self.publish(state))
    }

    fn terminate(&mut self, _state: &Iterate<X, T>) -> TerminationStatus {
        if self.engine.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return TerminationStatus::Terminated(TerminationReason::Interrupt);
        }
        let evaluations = self
            .engine
            .saved
            .run
            .as_ref()
            .map_or(0, |run| run.iterate.counts.values);
        if self.evaluations.is_some_and(|limit| evaluations >= limit) {
            self.engine.saved.status = Some(Status::EvaluationLimit);
            return TerminationStatus::Terminated(reason_of(Status::EvaluationLimit));
        }
        TerminationStatus::NotTerminated
    }
}
