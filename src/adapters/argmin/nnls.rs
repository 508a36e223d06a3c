//! Non-negative least squares, run by argmin's executor.

use super::super::ParamVec;
use super::ObjectiveProblem;
use super::solver::{reason_of, status_of};
use crate::least_squares::problem::Prepared;
use crate::nnls::{Nnls, Strategy};
use crate::objectives::{LeastSquares, Objective};
use crate::operators::LinearOperator;
use crate::outcome::{CancelToken, Counts, Solution, Status};
use crate::{Error, LinalgScalar};
use argmin::core::{
    ArgminFloat, IterState, KV, KvValue, Problem, Solver, State, TerminationReason, TerminationStatus,
};
use std::time::Duration;

/// [`Nnls`] as a solver of argmin's, on an [`ObjectiveProblem`] of [`LeastSquares`]: min ½‖A x − b‖² over x ≥ 0.
///
/// ```text
/// param, cost, gradient    x ≥ 0, ½‖A x − b‖², Aᵀ(A x − b)
/// counts                   "pass_count": products with A or Aᵀ; nothing but the start is evaluated through argmin
/// KV                       natural_residual, gap, support (report_kv)
/// ```
///
/// By default one iteration of argmin's is the whole solve. With [`steps`](Self::steps) it is a part of it, so that observers,
/// checkpoints and limits of argmin's have something to do. The answer, residual and certificate included, is
/// [`solution`](Self::solution). With the feature `serde` the solver goes into argmin's checkpoint files as it is; its state is x,
/// so that a resumed run equals the uninterrupted one.
///
/// ```
/// use argmin::core::Executor;
/// use reparam::{adapters::argmin::{NnlsSolver, ObjectiveProblem}, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0, 1.0; 1.0, 2.0; 1.0, 3.0];
/// let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a, &[3.0, 2.0, 1.0]).unwrap());
/// let result = Executor::new(problem, NnlsSolver::new()).run().unwrap();
/// let solution = result.solver.solution(&result.state).unwrap();
/// assert!(solution.status.is_solved());
/// assert_eq!(solution.x[1], 0.0); // the slope would be negative
/// assert_eq!(result.state.best_param, Some(solution.x));
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        remote = "Self",
        bound(deserialize = "T: serde::Serialize + serde::Deserialize<'de>")
    )
)]
pub struct NnlsSolver<T> {
    tolerance: T,
    strategy: Strategy,
    steps: Option<usize>,
    report: bool,
    iterations: usize,
    counts: Counts,
    elapsed: Duration,
    #[cfg_attr(feature = "serde", serde(skip))]
    cancel: Option<CancelToken>,
    #[cfg_attr(feature = "serde", serde(skip))]
    solution: Option<Solution<T>>,
    /// What depends on A alone.
    #[cfg_attr(feature = "serde", serde(skip))]
    prepared: Kept<T>,
}

#[cfg(feature = "serde")]
crate::solve::sealed::sealed!(NnlsSolver<T>);

/// Prepared for the problem of this number. A clone of the solver prepares anew: it may hold as much as A does.
#[derive(Debug)]
struct Kept<T>(Option<(u64, Prepared<T>)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T: LinalgScalar> Default for NnlsSolver<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: LinalgScalar> NnlsSolver<T> {
    /// The defaults of [`Nnls`].
    ///
    /// ```
    /// let _ = reparam::adapters::argmin::NnlsSolver::<f64>::new();
    /// ```
    pub fn new() -> Self {
        Self {
            tolerance: crate::outcome::default_tolerance(),
            strategy: Strategy::Auto,
            steps: None,
            report: false,
            iterations: 0,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            cancel: None,
            solution: None,
            prepared: Kept::default(),
        }
    }

    /// As [`Nnls::tolerance`].
    ///
    /// ```
    /// let _ = reparam::adapters::argmin::NnlsSolver::new().tolerance(1e-12_f64);
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// As [`Nnls::strategy`].
    ///
    /// ```
    /// use reparam::{adapters::argmin::NnlsSolver, nnls::Strategy};
    /// let _ = NnlsSolver::<f64>::new().strategy(Strategy::ActiveSet);
    /// ```
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self.prepared = Kept::default(); // it was prepared for the other one
        self
    }

    /// At most this many of our iterations per iteration of argmin's, each time from the x of the last: twice as many from then
    /// on when that gained nothing. What depends on A alone (column norms, a written-out A, a Gram matrix) is prepared once; each
    /// step pays for a factor of its free columns and for the optimality check, some four products: choose tens or hundreds.
    ///
    /// ```
    /// use argmin::core::Executor;
    /// use reparam::{adapters::argmin::{NnlsSolver, ObjectiveProblem}, objectives::LeastSquares};
    /// let a = nalgebra::DMatrix::from_fn(30, 12, |i, j| (((i + 1) * (j + 1)) as f64 / -60.0).exp());
    /// let b = nalgebra::DVector::from_fn(30, |i, _| (-(i as f64) / 7.0).exp());
    /// let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a, &b).unwrap());
    /// let solver = NnlsSolver::new().strategy(reparam::nnls::Strategy::ActiveSet).steps(1);
    /// let result = Executor::new(problem, solver).run().unwrap();
    /// assert!(result.state.iter > 1);
    /// assert!(result.solver.solution(&result.state).unwrap().status.is_solved());
    /// ```
    #[must_use]
    pub fn steps(mut self, iterations: usize) -> Self {
        self.steps = Some(iterations.max(1));
        self
    }

    /// A flag that ends the run: between the iterations of [`Nnls`], and from an observer between those of argmin
    /// (`TerminationReason::Interrupt`). A file does not hold it: give it anew to a resumed solver.
    ///
    /// ```
    /// let token = reparam::CancelToken::new();
    /// let _ = reparam::adapters::argmin::NnlsSolver::<f64>::new().cancel_token(token);
    /// ```
    #[must_use]
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.cancel = Some(token);
        self
    }

    /// Whether observers get `natural_residual`, `gap` and `support` as KV values.
    ///
    /// ```
    /// let _ = reparam::adapters::argmin::NnlsSolver::<f64>::new().report_kv(true);
    /// ```
    #[must_use]
    pub fn report_kv(mut self, report: bool) -> Self {
        self.report = report;
        self
    }

    /// The answer, iterations and counts over the whole run; None before the first iteration (of a resumed solver, too). Where
    /// argmin ended the run, its reason is in the status, as in
    /// [`ReparamSolver::solution`](super::ReparamSolver::solution).
    ///
    /// See [`NnlsSolver`] for an example.
    pub fn solution<I: State>(&self, state: &I) -> Option<Solution<T>> {
        let mut solution = self.solution.clone()?;
        if solution.status == Status::IterationLimit {
            solution.status = state
                .get_termination_reason()
                .map_or(Status::Cancelled, status_of);
        }
        Some(solution)
    }
}

impl<A, T, X> Solver<ObjectiveProblem<LeastSquares<A, T>, X>, IterState<X, X, (), (), (), T>>
    for NnlsSolver<T>
where
    A: LinearOperator<T>,
    T: LinalgScalar + ArgminFloat,
    X: ParamVec<Entry = T>,
{
    fn name(&self) -> &str {
        "NNLS"
    }

    fn init(
        &mut self,
        problem: &mut Problem<ObjectiveProblem<LeastSquares<A, T>, X>>,
        mut state: IterState<X, X, (), (), (), T>,
    ) -> Result<(IterState<X, X, (), (), (), T>, Option<KV>), argmin::core::Error> {
        self.iterations = 0;
        self.counts = Counts::default();
        self.elapsed = Duration::ZERO;
        self.solution = None;
        let x = match state.take_param() {
            Some(x) => x,
            None => {
                let n = problem.problem.as_ref().map_or(0, |p| p.lock().dim());
                X::from_slice(&vec![T::zero(); n])
            }
        };
        let (cost, g) = (problem.cost(&x)?, problem.gradient(&x)?);
        Ok((state.param(x).cost(cost).gradient(g), None))
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<ObjectiveProblem<LeastSquares<A, T>, X>>,
        mut state: IterState<X, X, (), (), (), T>,
    ) -> Result<(IterState<X, X, (), (), (), T>, Option<KV>), argmin::core::Error> {
        let mut solution = {
            let Some(inner) = &problem.problem else {
                return Err(Error::Empty { what: "the problem" }.into());
            };
            let f = inner.lock();
            f.check_plain()?;
            let mut nnls = Nnls::new(f.operator())
                .tolerance(self.tolerance)
                .strategy(self.strategy);
            if let Some(x) = &state.param {
                nnls = nnls.start(x.as_slice());
            }
            if let Some(steps) = self.steps {
                nnls = nnls.max_iterations(steps);
            }
            if let Some(token) = &self.cancel {
                nnls = nnls.cancel_token(token.clone());
            }
            let kept = self.prepared.0.take().filter(|kept| kept.0 == inner.id());
            let (solution, prepared) = nnls.solve_prepared(kept.map(|kept| kept.1), f.rhs())?;
            self.prepared = Kept(prepared.map(|prepared| (inner.id(), prepared)));
            solution
        };
        if solution.status != Status::IterationLimit {
            self.prepared = Kept::default(); // the run is over
        }
        let passes = solution.counts.passes.ceil() as u64;
        *problem.counts.entry("pass_count").or_insert(0) += passes;
        self.iterations += solution.iterations;
        self.counts.passes += solution.counts.passes;
        self.counts.factorisations += solution.counts.factorisations;
        self.elapsed += solution.elapsed;
        (solution.iterations, solution.counts, solution.elapsed) =
            (self.iterations, self.counts, self.elapsed);
        let unfinished = solution.status == Status::IterationLimit;
        let better = solution.objective < state.cost;
        if let (Some(steps), true, false) = (&mut self.steps, unfinished, better) {
            *steps = steps.saturating_mul(2);
        }
        if better || !unfinished {
            // (what gained nothing is not shown, but counted)
            let x = X::from_slice(&solution.x);
            let g = X::from_slice(&solution.certificate.multipliers);
            state = state.param(x).gradient(g).cost(solution.objective);
        }
        if !unfinished {
            state.best_param = state.param.clone();
            state.best_cost = state.cost;
            state.last_best_iter = state.iter;
            state = state.terminate_with(reason_of(solution.status));
        }
        let kv = self.report.then(|| {
            let rho: KvValue = solution.certificate.natural_residual.into();
            let gap: KvValue = solution.certificate.gap.into();
            let support: KvValue = (solution.support_len() as u64).into();
            argmin::kv!("natural_residual" => rho; "gap" => gap; "support" => support;)
        });
        match &mut self.solution {
            Some(kept) if unfinished && !better => {
                (kept.iterations, kept.counts, kept.elapsed) = (self.iterations, self.counts, self.elapsed);
            }
            _ => self.solution = Some(solution),
        }
        Ok((state, kv))
    }

    fn terminate(&mut self, _state: &IterState<X, X, (), (), (), T>) -> TerminationStatus {
        if self.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return TerminationStatus::Terminated(TerminationReason::Interrupt);
        }
        TerminationStatus::NotTerminated
    }
}
