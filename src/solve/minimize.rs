//! The driver of the general engine: any objective over any set, by a method on the lift, with the optimality check in x.

use super::finish::{self, Finished};
use super::optimality::{Optimality, RECENT};
use crate::checks::check_len;
use crate::clock::Instant;
use crate::lifted::start_point;
use crate::lifted::{Lifted, Point};
use crate::linalg::{max_abs, max_or_nan};
use crate::maps::Reparametrization;
use crate::methods::{BoxLbfgs, Lbfgs, LevenbergMarquardt, Method, State};
use crate::objectives::Objective;
use crate::outcome::{CancelToken, Counts, Limits, Phase, Solution, Status};
use crate::{Error, LinalgScalar, Result, Scalar};
use std::ops::ControlFlow;
use std::time::Duration;

/// What an observer sees, once per iteration.
///
/// ```
/// use reparam::{Minimize, Progress, maps::Squares, objectives::LeastSquares};
/// use std::ops::ControlFlow;
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let mut seen = 0;
/// // closures must name the type of their argument
/// let observer = |p: &Progress<'_, f64>| {
///     seen += 1;
///     if p.value < 1e-3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// };
/// let f = LeastSquares::new(&a, &[3.0, 3.0]).unwrap();
/// Minimize::new(f, Squares::new(2)).unwrap().observe(observer).run().unwrap();
/// assert!(seen > 0);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Progress<'p, T> {
    /// Iterations so far.
    pub iteration: usize,
    /// f(x).
    pub value: T,
    /// The natural residual that is compared with the tolerance.
    pub natural_residual: T,
    /// The point, in the set.
    pub x: &'p [T],
    /// Evaluations so far.
    pub counts: Counts,
    /// Time so far.
    pub elapsed: Duration,
    /// The time t of the dynamics, of a run of [`Integrate`](crate::Integrate).
    pub time: Option<T>,
    pub(super) iterate: &'p Iterate<T>,
    pub(super) method: Option<&'p State<T>>,
}

impl<T: Scalar> Progress<'_, T> {
    /// The whole state of the run: [`Minimize::resume`] continues from it exactly. (Of a run of [`Integrate`](crate::Integrate):
    /// the place that it has reached, from which `Minimize` goes on by L-BFGS.)
    ///
    /// ```
    /// use reparam::{Minimize, Progress, maps::Squares, objectives::LeastSquares};
    /// use std::ops::ControlFlow;
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let problem = || Minimize::new(LeastSquares::new(&a, &[3.0, 1.0]).unwrap(), Squares::new(2)).unwrap();
    /// let mut saved = None;
    /// let whole = problem().observe(|p: &Progress<'_, f64>| {
    ///     if p.iteration == 3 { saved = Some(p.checkpoint()); }
    ///     ControlFlow::Continue(())
    /// }).run().unwrap();
    /// let resumed = problem().resume(saved.unwrap()).unwrap();
    /// assert_eq!(resumed.x, whole.x); // bit for bit
    /// assert_eq!(resumed.iterations, whole.iterations);
    /// ```
    pub fn checkpoint(&self) -> Checkpoint<T> {
        Checkpoint {
            iterate: self.iterate.clone(),
            method: self.method.cloned().unwrap_or_else(default_method),
        }
    }
}

/// The whole state of a run of [`Minimize`] between two iterations. With the feature `serde` it can be written and read; the file
/// carries a version and a checksum, and reading a damaged one is an error.
///
/// ```
/// fn is_plain_data<T: Clone + Send + PartialEq>() {}
/// is_plain_data::<reparam::Checkpoint<f64>>();
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(remote = "Self")
)]
pub struct Checkpoint<T, S = State<T>> {
    pub(crate) iterate: Iterate<T>,
    pub(crate) method: S,
}

#[cfg(feature = "serde")]
super::sealed::sealed!(Checkpoint<T, S>);

/// The method that continues a run of the dynamics: L-BFGS.
pub(super) fn default_method<T: Scalar>() -> State<T> {
    Lbfgs::new(10).into()
}

/// The current point of a run, its counters, and what is known of f there: all of its state but that of the method.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Iterate<T> {
    pub(crate) point: Point<T>,
    pub(crate) iteration: usize,
    pub(crate) counts: Counts,
    /// The diagonal of ∇²f, or a guess of it.
    pub(super) h: Vec<T>,
    pub(crate) first_value: T,
    /// Whether h was estimated coordinate by coordinate.
    pub(super) estimated: bool,
    /// The iteration at which convergence was last verified, and the decrease of f that was seen then.
    pub(super) verified: Option<(usize, T)>,
    /// The last few values of f before this one.
    pub(super) recent: Vec<T>,
    /// The least value of f and the least residual at a point that was left, and how many points in a row had neither.
    pub(super) least: Option<[T; 2]>,
    pub(super) stalls: usize,
    /// How often the exact finish was tried.
    pub(super) attempts: usize,
    /// Set once it succeeded: the point is then the answer.
    pub(super) finished: Option<Finished<T>>,
}

impl<T: Scalar> Iterate<T> {
    /// The beginning of a run at an evaluated point.
    pub(crate) fn new(point: Point<T>, counts: Counts) -> Self {
        Self {
            first_value: point.value,
            h: vec![T::one(); point.x.len()],
            point,
            iteration: 0,
            counts,
            estimated: false,
            verified: None,
            recent: Vec::with_capacity(RECENT),
            least: None,
            stalls: 0,
            attempts: 0,
            finished: None,
        }
    }

    /// The decrease of f that was seen when convergence at this point was verified, if it was.
    pub(super) fn gained_here(&self) -> Option<T> {
        self.verified
            .and_then(|(iteration, gained)| (iteration == self.iteration).then_some(gained))
    }

    /// Whether this can be continued on a map from R^p to R^n.
    pub(crate) fn check(&self, p: usize, n: usize) -> Result<()> {
        let refuse = |why| {
            Err(Error::Setting {
                name: "checkpoint",
                why,
            })
        };
        let c = &self.point;
        if [c.u.len(), c.gradient.len()] != [p, p] || [c.x.len(), c.g.len(), self.h.len()] != [n, n, n] {
            return refuse("belongs to a problem of another size");
        }
        if !c.is_finite() || c.u.iter().chain(&c.x).any(|v| !v.is_finite()) {
            return refuse("holds a value that is not finite");
        }
        Ok(())
    }

    /// Whether its point lies in this set, and f and ∇f there are those of this objective. Continued on another problem, a run could end
    /// at once with a false claim. (Rounding may differ: the image A x may have been updated rather than recomputed.)
    pub(crate) fn check_problem(
        &self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
    ) -> Result<()> {
        let (point, enough) = (&self.point, T::lit(100.0) * T::epsilon().sqrt());
        let refuse = || {
            Err(Error::Setting {
                name: "checkpoint",
                why: "belongs to another problem",
            })
        };
        let size = max_abs(&point.x);
        let violation = map.set().violation(&point.x);
        if violation.is_nan() || violation > enough * size.max(T::min_positive_value()) {
            return refuse();
        }
        let mut g = vec![T::zero(); point.g.len()];
        let mut error = vec![T::zero(); point.g.len()];
        let value = Lifted::new(&mut *objective, map).value_gradient(&point.x, &mut g)?;
        // (differences with steps that a run has learnt differ from the first ones by their errors)
        let differs = objective.gradient_error(&mut error);
        let close = (value - point.value).abs() <= enough * (point.value.abs() + self.first_value.abs());
        let terms = max_abs(&point.g) + max_or_nan(self.h.iter().zip(&point.x).map(|(h, x)| (*h * *x).abs()));
        let near = max_or_nan(g.iter().zip(&point.g).map(|(a, b)| (*a - *b).abs())) <= enough * terms;
        let near =
            near || (differs && (0..g.len()).all(|j| (g[j] - point.g[j]).abs() <= enough * terms + error[j]));
        if close && near { Ok(()) } else { refuse() }
    }
}

type Observer<'a, T> = Box<dyn FnMut(&Progress<'_, T>) -> ControlFlow<()> + Send + 'a>;

/// min f(x) over x ∈ φ(R^p).
///
/// The method moves u; everything else happens in x. Convergence is measured by the natural residual of the set in the
/// metric of the curvature, relative to the size of f:
///
/// ```text
/// ρ(x) = max_j c_j |x − P(x − g/c²)|_j / √(2 max(|f|, √ε |Δf|))    c² = diag ∇²f, or an estimate of it, Δf the recent change of f
/// ```
///
/// so ρ² bounds the relative decrease of f that one more projected step can predict. If the curvature is an estimate, f is evaluated near x
/// before convergence is claimed, and the claim must hold with the curvature found there. Where f goes to zero, or rounding of f hides further
/// decrease, the status is [`Status::AtPrecision`]. The gradient of the lift is no stopping criterion: it vanishes on every face of the set.
/// Where the lift is stationary but x is not optimal, a projected step in x leaves the face, and the method continues from there. A start on
/// the boundary, even at x = 0, is therefore allowed.
///
/// ```
/// use reparam::{Minimize, maps::Squares, objectives::FromFn};
/// // min (x₀ − 1)² + (x₁ + 1)² over x ≥ 0, started at the corner
/// let f = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
///     (g[0], g[1]) = (2.0 * (x[0] - 1.0), 2.0 * (x[1] + 1.0));
///     Ok((x[0] - 1.0).powi(2) + (x[1] + 1.0).powi(2))
/// });
/// let solution = Minimize::new(f, Squares::new(2)).unwrap().start(&[0.0, 0.0]).run().unwrap();
/// assert!(solution.status.is_converged());
/// assert!((solution.x[0] - 1.0).abs() < 1e-8);
/// assert_eq!(solution.x[1], 0.0); // exactly
/// ```
pub struct Minimize<'a, T, O, M> {
    objective: O,
    map: M,
    asked: Minimization<'a, T>,
    engine: Engine<T>,
}

/// Settings of a run that do not depend on f or φ.
pub(crate) struct Minimization<'a, T> {
    tolerance: T,
    limits: Limits,
    evaluations: Option<usize>,
    start: Option<Vec<T>>,
    method: Option<State<T>>,
    observers: Vec<Observer<'a, T>>,
    exact_finish: bool,
}

/// The loop, compiled for T; from a checkpoint where there is one.
type Engine<T> = fn(
    Minimization<'_, T>,
    &mut dyn Objective<T>,
    &dyn Reparametrization<T>,
    Option<Checkpoint<T>>,
) -> Result<Solution<T>>;

impl<T: std::fmt::Debug, O, M> std::fmt::Debug for Minimize<'_, T, O, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minimize")
            .field("tolerance", &self.asked.tolerance)
            .field("limits", &self.asked.limits)
            .field("method", &self.asked.method)
            .finish_non_exhaustive()
    }
}

impl<'a, T, O, M> Minimize<'a, T, O, M>
where
    T: Scalar,
    O: Objective<T>,
    M: Reparametrization<T>,
{
    /// The problem with defaults: tolerance 1e-8 (`f64`) or 1e-4 (`f32`), no limit but 10 000 iterations, start at the map's own
    /// [interior point](crate::maps::Reparametrization::interior).
    ///
    /// For `f32` and `f64`; [`new_generic`](Self::new_generic) takes other number types.
    ///
    /// # Errors
    /// [`Error::Dimension`] when f and φ disagree about n.
    ///
    /// ```
    /// use reparam::{Minimize, maps::Squares, objectives::FromFn};
    /// let f = FromFn::new(3, |_: &[f64], g: &mut [f64]| { g.fill(0.0); Ok(0.0) });
    /// assert!(Minimize::new(f, Squares::new(2)).is_err());
    /// ```
    pub fn new(objective: O, map: M) -> Result<Self>
    where
        T: LinalgScalar,
    {
        Self::with_engine(objective, map, T::minimize)
    }

    /// As [`new`](Self::new) for any [`Scalar`]. The engine for `f32` and `f64` is part of this crate; that for another number type is
    /// compiled with your own (half a minute in release mode).
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    ///
    /// ```
    /// use reparam::{Minimize, Scalar, maps::Squares, objectives::Objective};
    /// fn over_the_orthant<T: Scalar>(f: impl Objective<T>) -> reparam::Result<Vec<T>> {
    ///     let n = f.dim();
    ///     Ok(Minimize::new_generic(f, Squares::new(n))?.run()?.x)
    /// }
    /// ```
    pub fn new_generic(objective: O, map: M) -> Result<Self> {
        Self::with_engine(objective, map, |asked, f, map, from| asked.run(f, map, from))
    }

    fn with_engine(objective: O, map: M, engine: Engine<T>) -> Result<Self> {
        check_len("the variable of the objective", map.dim_x(), objective.dim())?;
        super::check_sizes(&map)?;
        Ok(Self {
            objective,
            map,
            asked: Minimization {
                tolerance: crate::outcome::default_tolerance(),
                limits: Limits {
                    iterations: Some(10_000),
                    ..Limits::default()
                },
                evaluations: None,
                start: None,
                method: None,
                observers: Vec::new(),
                exact_finish: true,
            },
            engine,
        })
    }

    /// Converged when the natural residual ρ is at most this.
    ///
    /// ```
    /// # use reparam::{Minimize, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let rough = Minimize::new(f, Squares::new(1)).unwrap().tolerance(1e-2).start(&[9.0]).run().unwrap();
    /// assert!(rough.certificate.natural_residual <= 1e-2);
    /// ```
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.asked.tolerance = tolerance;
        self
    }

    /// All limits at once.
    ///
    /// ```
    /// # use reparam::{Limits, Minimize, Status, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let limits = Limits { iterations: Some(0), ..Limits::default() };
    /// let stopped = Minimize::new(f, Squares::new(1)).unwrap().limits(limits).start(&[9.0]).run().unwrap();
    /// assert_eq!(stopped.status, Status::IterationLimit);
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.asked.limits = limits;
        self
    }

    /// At most this many iterations.
    ///
    /// ```
    /// # use reparam::{Minimize, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().max_iterations(1).start(&[9.0]).run().unwrap();
    /// assert!(s.iterations <= 1);
    /// ```
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.asked.limits.iterations = Some(iterations);
        self
    }

    /// About this many evaluations of f at most (checked once per iteration).
    ///
    /// ```
    /// # use reparam::{Minimize, Status, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().max_evaluations(1).start(&[9.0]).run().unwrap();
    /// assert_eq!(s.status, Status::EvaluationLimit);
    /// ```
    pub fn max_evaluations(mut self, evaluations: usize) -> Self {
        self.asked.evaluations = Some(evaluations);
        self
    }

    /// At most this much wall-clock time.
    ///
    /// ```
    /// # use reparam::{Minimize, Status, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().time_limit(std::time::Duration::ZERO).start(&[9.0]).run().unwrap();
    /// assert_eq!(s.status, Status::TimeLimit);
    /// ```
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.asked.limits.time = Some(time);
        self
    }

    /// A flag by which another thread or a signal handler can stop the run.
    ///
    /// ```
    /// # use reparam::{CancelToken, Minimize, Status, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().cancel_token(token).start(&[9.0]).run().unwrap();
    /// assert_eq!(s.status, Status::Cancelled);
    /// ```
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.asked.limits.cancel = Some(token);
        self
    }

    /// Where to start: any point of the set, its boundary included. Checked by [`run`](Self::run).
    ///
    /// ```
    /// # use reparam::{Error, Minimize, maps::Squares, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let outside = Minimize::new(f, Squares::new(1)).unwrap().start(&[-1.0]).run();
    /// assert!(matches!(outside, Err(Error::Map(_))));
    /// ```
    pub fn start(mut self, x: &[T]) -> Self {
        self.asked.start = Some(x.to_vec());
        self
    }

    /// Chooses the method; by default Levenberg–Marquardt for sums of squares of residuals, else L-BFGS (measured: docs/methods.md). [`Solution::phase`] says
    /// which it was.
    ///
    /// ```
    /// # use reparam::{Minimize, Phase, maps::Squares, methods::ConjugateGradient, objectives::FromFn};
    /// # let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().method(ConjugateGradient::new()).start(&[9.0]).run().unwrap();
    /// assert_eq!(s.phase, Phase::ConjugateGradient);
    /// ```
    pub fn method(mut self, method: impl Into<State<T>>) -> Self {
        self.asked.method = Some(method.into());
        self
    }

    /// Whether a run with convex quadratic f over a polyhedron ends with an exact finish (the default). Once ρ ≤ ε^{1/4}, and again at
    /// convergence, a factorisation solves for the free coordinates of x, and exchanges correct the active set where needed.
    /// The answer has exact zeros and bounds, and sums up to rounding. It replaces the method's point only when it lies in the set,
    /// f does not grow beyond rounding and ρ has fallen to rounding or to the tolerance; it counts as one iteration, and
    /// [`Solution::phase`] is [`Phase::ExactFinish`](crate::Phase::ExactFinish).
    ///
    /// f qualifies when it is [quadratic](crate::objectives::Objective::quadratic), known to be convex, and its Hessian diagonal is
    /// known: least squares with weights and ridge, dense, sparse or by at most 512 columns; other quadratics with at most 512
    /// variables, whose Hessian is found by products. The set qualifies when it is a
    /// [polyhedron](crate::sets::ConstraintSet::polyhedron) with at most one sum. ρ of such an answer is relative to
    /// max(√(2|f|), max_j c_j|x_j|), the size of the terms of f.
    ///
    /// ```
    /// use reparam::{Minimize, Phase, maps::NormalizedSquares, objectives::LeastSquares};
    /// let a = nalgebra::dmatrix![3.0, 1.0, 0.0; 0.0, 1.0, 2.0; 1.0, 0.0, 1.0];
    /// let run = |exact| {
    ///     let f = LeastSquares::new(&a, &[2.0, 1.0, -4.0]).unwrap();
    ///     Minimize::new(f, NormalizedSquares::new(3, 1.0).unwrap()).unwrap().exact_finish(exact).run().unwrap()
    /// };
    /// let exact = run(true);
    /// assert_eq!(exact.phase, Phase::ExactFinish);
    /// assert_eq!(exact.x[2], 0.0);
    /// assert_eq!(run(false).phase, Phase::Lbfgs);
    /// ```
    pub fn exact_finish(mut self, exact: bool) -> Self {
        self.asked.exact_finish = exact;
        self
    }

    /// Adds an observer, called once per iteration; `Break` stops the run with [`Status::Cancelled`].
    ///
    /// See [`Progress`] for an example.
    pub fn observe(mut self, observer: impl FnMut(&Progress<'_, T>) -> ControlFlow<()> + Send + 'a) -> Self {
        self.asked.observers.push(Box::new(observer));
        self
    }

    /// Runs.
    ///
    /// # Errors
    /// [`Error::Dimension`] for a start of the wrong length, [`Error::Map`] for one outside the set, [`Error::Setting`] for a
    /// tolerance that is not positive, [`Error::Evaluation`] with an error of the objective. NaN from the objective is no error: the
    /// method shortens its step, and if that does not help the status is [`Status::NotFinite`].
    ///
    /// ```
    /// # use reparam::{Minimize, maps::Squares, objectives::FromFn};
    /// let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = 1.0 - 1.0 / x[0]; Ok(x[0] - x[0].ln()) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().start(&[5.0]).run().unwrap();
    /// assert!((s.x[0] - 1.0).abs() < 1e-7);
    /// ```
    pub fn run(mut self) -> Result<Solution<T>> {
        (self.engine)(self.asked, &mut self.objective, &self.map, None)
    }

    /// Continues a run from a checkpoint of the same problem, exactly as if it had not been interrupted. Limits count from the
    /// checkpoint's own counters, time from now.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`Error::Setting`] when the checkpoint belongs to another problem: of other sizes, over another set,
    /// or with another f there (one evaluation, which is not counted).
    ///
    /// ```
    /// use reparam::{Minimize, Progress, maps::Squares, objectives::FromFn};
    /// use std::ops::ControlFlow;
    /// let f = || FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let mut saved = None;
    /// Minimize::new(f(), Squares::new(1)).unwrap().start(&[9.0]).observe(|p: &Progress<'_, f64>| {
    ///     saved = Some(p.checkpoint());
    ///     ControlFlow::Break(())
    /// }).run().unwrap();
    /// assert!(Minimize::new(f(), Squares::new(1)).unwrap().resume(saved.unwrap()).unwrap().status.is_converged());
    /// ```
    pub fn resume(mut self, checkpoint: Checkpoint<T>) -> Result<Solution<T>> {
        (self.engine)(self.asked, &mut self.objective, &self.map, Some(checkpoint))
    }
}

impl<T: Scalar> Minimization<'_, T> {
    /// The engine behind [`Minimize`], which [`Engines`](crate::engines::Engines) compiles for `f32` and `f64`.
    pub(crate) fn run(
        mut self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
        from: Option<Checkpoint<T>>,
    ) -> Result<Solution<T>> {
        self.check()?;
        let checkpoint = match from {
            Some(checkpoint) => {
                checkpoint.iterate.check(map.dim_u(), map.dim_x())?;
                Lifted::new(&mut *objective, map).begin();
                checkpoint.iterate.check_problem(objective, map)?;
                checkpoint
            }
            None => self.begin(objective, map)?,
        };
        self.drive(objective, map, checkpoint)
    }

    /// An evaluated start.
    fn begin(
        &mut self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
    ) -> Result<Checkpoint<T>> {
        let mut lifted = Lifted::new(objective, map);
        let method: State<T> = match self.method.take() {
            Some(method) => method,
            // measured on the reference problems: docs/methods.md
            None if lifted.objective().residuals().is_some() => LevenbergMarquardt::new().into(),
            None if lifted.bounds().is_some() => BoxLbfgs::new(10).into(),
            None => default_method(),
        };
        let mut point = start_point(map, self.start.as_deref(), method.moves_in_x())?;
        lifted.begin();
        lifted.evaluate_there(&mut point)?;
        lifted.check_start(&point)?;
        let counts = lifted.counts;
        Ok(Checkpoint {
            iterate: Iterate::new(point, counts),
            method,
        })
    }

    fn check(&self) -> Result<()> {
        if self.tolerance.is_nan() || self.tolerance <= T::zero() || self.tolerance == T::infinity() {
            return Err(Error::Setting {
                name: "tolerance",
                why: "must be positive and finite",
            });
        }
        Ok(())
    }

    fn drive(
        mut self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
        from: Checkpoint<T>,
    ) -> Result<Solution<T>> {
        let Checkpoint {
            iterate: mut c,
            mut method,
        } = from;
        let clock = Instant::now();
        let _watch = crate::outcome::watch(&self.limits, clock);
        let mut optimality = Optimality::new(map);
        let mut status = None;
        let mut rho = T::nan();
        if !c.point.is_finite() {
            status = Some(Status::NotFinite);
        }
        let mut lifted = Lifted::new(objective, map);
        lifted.counts = c.counts;
        if method.phase() == Phase::BoxLbfgs && lifted.bounds().is_none() {
            return Err(Error::Setting {
                name: "method",
                why: "needs a map that acts coordinate by coordinate",
            });
        }
        while status.is_none() {
            let found;
            (rho, found) = optimality.measure(&mut lifted, &mut c, Some(&mut method), self.tolerance)?;
            status = found.then_some(Status::AtPrecision);
            let progress = Progress {
                iteration: c.iteration,
                value: c.point.value,
                natural_residual: rho,
                x: &c.point.x,
                counts: c.counts,
                elapsed: clock.elapsed(),
                time: None,
                iterate: &c,
                method: Some(&method),
            };
            #[cfg(feature = "tracing")]
            tracing::debug!(
                iteration = c.iteration,
                value = c.point.value.as_f64(),
                natural_residual = rho.as_f64(),
                evaluations = c.counts.values,
                "minimise"
            );
            let mut stop = false;
            for observer in &mut self.observers {
                stop |= observer(&progress).is_break();
            }
            let stopped = limit(&self.limits, self.evaluations, &c, clock);
            let due = finish::is_due(&c, rho, self.tolerance) || (status.is_some() && finish::is_left(&c));
            if self.exact_finish && !stop && stopped.is_none() && due {
                let limits = &self.limits;
                if optimality.exact_finish(&mut lifted, &mut c, rho, self.tolerance, limits, clock)? {
                    c.iteration += 1;
                    status = None;
                    continue;
                }
            }
            status = if rho <= self.tolerance {
                Some(Status::Stationary)
            } else if status.is_some() {
                status
            } else if stop {
                Some(Status::Cancelled)
            } else {
                stopped
            };
            if status.is_some() {
                break;
            }
            c.iteration += 1;
            status = optimality.advance(&mut lifted, &mut c, &mut method)?;
            if let Some(end) = status {
                let tolerance = self.tolerance;
                let (at_end, end) =
                    optimality.conclude(&mut lifted, &mut c, &mut method, rho, end, tolerance)?;
                (rho, status) = (at_end, Some(end));
            }
            if matches!(status, Some(Status::Stalled | Status::NotFinite)) {
                // (a step that a limit cut short is no stall)
                status = crate::outcome::Stop::new(&self.limits, clock)
                    .check()
                    .err()
                    .or(status);
            }
            if status == Some(Status::Stalled) && self.exact_finish && finish::is_left(&c) {
                optimality.curvature(&mut lifted, &mut c)?;
                rho = optimality.residual(&c) + optimality.doubt(&c);
                let limits = &self.limits;
                if optimality.exact_finish(&mut lifted, &mut c, rho, self.tolerance, limits, clock)? {
                    status = None;
                }
            }
            c.counts = lifted.counts;
        }
        let status = status.unwrap_or(Status::Stalled);
        optimality.finish(&mut lifted, c, &method, rho, status, self.tolerance, clock)
    }
}

pub(super) fn limit<T>(
    limits: &Limits,
    evaluations: Option<usize>,
    c: &Iterate<T>,
    clock: Instant,
) -> Option<Status> {
    if limits.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
        return Some(Status::Cancelled);
    }
    if limits.time.is_some_and(|t| clock.elapsed() >= t) {
        return Some(Status::TimeLimit);
    }
    if limits.iterations.is_some_and(|k| c.iteration >= k) {
        return Some(Status::IterationLimit);
    }
    evaluations
        .is_some_and(|k| c.counts.values >= k)
        .then_some(Status::EvaluationLimit)
}
