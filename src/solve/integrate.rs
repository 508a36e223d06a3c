//! The driver of the dynamics: an integrator moves, and each point it reaches is checked in x.

use super::minimize::{Iterate, limit};
use super::optimality::Optimality;
use super::{Integrated, Progress, Snapshot};
use crate::checks::{check_finite, check_len, check_positive};
use crate::clock::Instant;
use crate::flows::monitors::Moment;
use crate::flows::trajectory::Recorder;
use crate::flows::{GradientFlow, Recording, Trajectory};
use crate::integrators::{Integrator, RungeKutta};
use crate::lifted::{Lifted, Point};
use crate::maps::{Boundary, Reparametrization};
use crate::methods::Step;
use crate::objectives::{Convexity, Objective};
use crate::outcome::{CancelToken, Limits, Phase, Solution, Status};
use crate::{LinalgScalar, Result, Scalar};
use std::ops::ControlFlow;
use std::time::Duration;

/// Where a run starts.
#[derive(Debug, Clone)]
enum Start<T> {
    Interior,
    U0(T),
    X0(T),
    U(Vec<T>),
    X(Vec<T>),
}

type Observer<'a, T> = Box<dyn FnMut(&Progress<'_, T>) -> ControlFlow<()> + Send + 'a>;
type Rule<'a, T> = Box<dyn FnMut(&Progress<'_, T>) -> Result<bool> + Send + 'a>;

/// What a rule of [`Integrate::stop_when`] may answer: a `bool`, true to stop, or a `Result<bool>`, whose error ends the run.
///
/// ```
/// use reparam::{Error, Integrate, Progress, StopAnswer, maps::Squares, objectives::LeastSquares};
/// assert!(true.answer().unwrap());
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1)
///     .stop_when(|_: &Progress<'_, f64>| -> reparam::Result<bool> { Err(Error::Empty { what: "the rule" }) }).run();
/// assert!(matches!(run, Err(Error::Empty { .. })));
/// ```
pub trait StopAnswer {
    /// The answer.
    ///
    /// # Errors
    /// That of the rule.
    fn answer(self) -> Result<bool>;
}

impl StopAnswer for bool {
    fn answer(self) -> Result<bool> {
        Ok(self)
    }
}

impl StopAnswer for Result<bool> {
    fn answer(self) -> Result<bool> {
        self
    }
}

/// The dynamics of the lift: an [integrator](crate::integrators) carries u (or x) along a [flow](crate::flows). Convergence is decided
/// in x, by the same residual as in [`Minimize`](crate::Minimize).
///
/// The dynamics are not modified: there are no steps off a face and no rounding to a bound, and the point returned is the point reached. To solve
/// a problem quickly and exactly, use [`Nnls`](crate::Nnls) or `Minimize`. Use this to study the flow itself:
/// its limit as a function of the start (the implicit bias), its early part (regularisation), its rates.
///
/// By default: Dormand–Prince on the gradient flow in u, tolerance 1e-8 (`f32`: 1e-4), at most 100 000 steps, from the map's interior
/// point. The size of a start is that of u ([`start_u0`](Self::start_u0)) or of x ([`start_x0`](Self::start_x0)), by name.
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::RungeKutta, maps::Power, objectives::LeastSquares};
/// // two unknowns, one equation x₀ + 2x₁ = 2: of all solutions the flow from a small start finds the sparse one
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let run = Integrate::new(f, Power::new(2, 3).unwrap()).unwrap()
///     .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(3).unwrap()).with_tolerances(1e-8, 1e-10).unwrap())
///     .start_u0(1e-2).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// assert!(run.solution.x[0] < 1e-4 && (run.solution.x[1] - 1.0).abs() < 1e-4);
/// ```
pub struct Integrate<'a, T, O, M, I = RungeKutta<T, GradientFlow<T>>> {
    objective: O,
    map: M,
    integrator: I,
    asked: Integration<'a, T>,
    engine: Engine<T>,
}

/// Settings of a run that do not depend on f, φ or the integrator.
pub(crate) struct Integration<'a, T> {
    tolerance: Option<T>,
    limits: Limits,
    evaluations: Option<usize>,
    until: Option<T>,
    start: Start<T>,
    recording: Recording<'a, T>,
    rules: Vec<Rule<'a, T>>,
    observers: Vec<Observer<'a, T>>,
}

/// The loop, compiled for T; from a checkpoint where there is one.
type Engine<T> = fn(
    Integration<'_, T>,
    &mut dyn Objective<T>,
    &dyn Reparametrization<T>,
    &mut dyn Integrator<T>,
    Option<Iterate<T>>,
) -> Result<(Solution<T>, Trajectory<T>, Iterate<T>)>;

impl<T: std::fmt::Debug, O, M, I: std::fmt::Debug> std::fmt::Debug for Integrate<'_, T, O, M, I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Integrate")
            .field("integrator", &self.integrator)
            .field("tolerance", &self.asked.tolerance)
            .field("limits", &self.asked.limits)
            .field("until", &self.asked.until)
            .field("start", &self.asked.start)
            .finish_non_exhaustive()
    }
}

impl<'a, T, O, M> Integrate<'a, T, O, M>
where
    T: Scalar,
    O: Objective<T>,
    M: Reparametrization<T>,
{
    /// The problem with defaults.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) when f and φ disagree about n.
    ///
    /// ```
    /// use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[1.0]).unwrap();
    /// assert!(Integrate::new(f, Squares::new(3)).is_err());
    /// ```
    pub fn new(objective: O, map: M) -> Result<Self>
    where
        T: LinalgScalar,
    {
        Self::with_engine(objective, map, T::integrate)
    }

    /// As [`new`](Self::new) for any [`Scalar`]. The engine for `f32` and `f64` is part of this crate; that for another number type is
    /// compiled with your own.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    ///
    /// ```
    /// use reparam::{Integrate, Scalar, maps::Squares, objectives::Objective};
    /// fn flow_to<T: Scalar>(f: impl Objective<T>, t: T) -> reparam::Result<Vec<T>> {
    ///     let n = f.dim();
    ///     Ok(Integrate::new_generic(f, Squares::new(n))?.until_time(t).run()?.solution.x)
    /// }
    /// ```
    pub fn new_generic(objective: O, map: M) -> Result<Self> {
        Self::with_engine(objective, map, |asked, f, map, integrator, from| {
            asked.run(f, map, integrator, from)
        })
    }

    fn with_engine(objective: O, map: M, engine: Engine<T>) -> Result<Self> {
        check_len("the variable of the objective", map.dim_x(), objective.dim())?;
        super::check_sizes(&map)?;
        let fine = T::epsilon().as_f64() < 1e-10;
        let (relative, absolute) = if fine { (1e-8, 1e-11) } else { (1e-4, 1e-6) };
        Ok(Self {
            objective,
            map,
            // as accurate as the residual is to become: at the limit of its stability an explicit scheme hovers at its own tolerance
            integrator: RungeKutta::dormand_prince(GradientFlow::new())
                .with_tolerances(T::lit(relative), T::lit(absolute))?,
            asked: Integration {
                tolerance: Some(T::lit(if fine { 1e-8 } else { 1e-4 })),
                limits: Limits {
                    iterations: Some(100_000),
                    ..Limits::default()
                },
                evaluations: None,
                until: None,
                start: Start::Interior,
                recording: Recording::nothing(),
                rules: Vec::new(),
                observers: Vec::new(),
            },
            engine,
        })
    }
}

impl<'a, T, O, M, I> Integrate<'a, T, O, M, I>
where
    T: Scalar,
    O: Objective<T>,
    M: Reparametrization<T>,
    I: Integrator<T>,
{
    /// Chooses the integrator, and with it the flow.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// use reparam::{Phase, flows::RiemannianFlow, integrators::Euler};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let euler = Euler::constant(RiemannianFlow::new(), 0.1).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().integrator(euler).start_x0(0.1).run().unwrap();
    /// assert_eq!(run.solution.phase, Phase::Integrator("Euler, constant steps"));
    /// ```
    pub fn integrator<J: Integrator<T>>(self, integrator: J) -> Integrate<'a, T, O, M, J> {
        Integrate {
            objective: self.objective,
            map: self.map,
            integrator,
            asked: self.asked,
            engine: self.engine,
        }
    }

    /// Starts at u = α·1, α > 0: of x = u^{∘L} at x = α^L·1.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Power, objectives::LeastSquares};
    /// # let f = || LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let at_start = Integrate::new(f(), Power::new(1, 4).unwrap()).unwrap().start_u0(0.1).max_iterations(0).run().unwrap();
    /// assert!((at_start.solution.x[0] - 1e-4).abs() < 1e-18);
    /// assert!(Integrate::new(f(), Power::new(1, 4).unwrap()).unwrap().start_u0(0.0).run().is_err());
    /// ```
    pub fn start_u0(mut self, alpha: T) -> Self {
        self.asked.start = Start::U0(alpha);
        self
    }

    /// Starts at x = α·1, α > 0: of x = u^{∘L} at u = α^{1/L}·1. (The point must be inside of the set.)
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Power, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let at_start = Integrate::new(f, Power::new(1, 4).unwrap()).unwrap().start_x0(0.1).max_iterations(0).run().unwrap();
    /// assert!((at_start.solution.x[0] - 0.1).abs() < 1e-15);
    /// ```
    pub fn start_x0(mut self, alpha: T) -> Self {
        self.asked.start = Start::X0(alpha);
        self
    }

    /// Starts at this x, inside of the set: where J loses rank on the boundary the dynamics could never leave it, so such a start is an error.
    ///
    /// ```
    /// # use reparam::{Error, Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 1.0], &[1.0]).unwrap();
    /// let on_a_face = Integrate::new(f, Squares::new(2)).unwrap().start(&[0.0, 1.0]).run();
    /// assert!(matches!(on_a_face, Err(Error::Map(_))));
    /// ```
    pub fn start(mut self, x: &[T]) -> Self {
        self.asked.start = Start::X(x.to_vec());
        self
    }

    /// Starts at this u: any point of R^p (where J has lost rank the dynamics stay on a face).
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 1.0], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(2)).unwrap().start_at_u(&[0.0, 0.5]).ignore_residual().until_time(9.0).run().unwrap();
    /// assert_eq!(run.solution.x[0], 0.0);
    /// ```
    pub fn start_at_u(mut self, u: &[T]) -> Self {
        self.asked.start = Start::U(u.to_vec());
        self
    }

    /// Converged when the natural residual ρ is at most this: that of [`Minimize`](crate::Minimize), but for linear least squares
    /// relative to ‖b‖, as that of [`Nnls`](crate::Nnls) (dynamics approach f* = 0 slowly, and relative to f they would never arrive).
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64; 1.0], &[1.0, 2.0]).unwrap();
    /// let rough = Integrate::new(f, Squares::new(1)).unwrap().tolerance(1e-2).start_u0(0.1).run().unwrap();
    /// assert!(rough.solution.certificate.natural_residual <= 1e-2);
    /// ```
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.asked.tolerance = Some(tolerance);
        self
    }

    /// Does not stop at a small residual: only at a time, a limit, or a [rule](Self::stop_when).
    ///
    /// ```
    /// # use reparam::{Integrate, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).ignore_residual().until_time(100.0).run().unwrap();
    /// assert_eq!(run.solution.status, Status::EndTime);
    /// ```
    pub fn ignore_residual(mut self) -> Self {
        self.asked.tolerance = None;
        self
    }

    /// Until this time of the dynamics, with [`Status::EndTime`]. Integrators of differential equations end at it exactly, schemes with
    /// fixed steps at the first step that reaches it.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// assert!(Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).until_time(f64::NAN).run().is_err());
    /// ```
    pub fn until_time(mut self, time: T) -> Self {
        self.asked.until = Some(time);
        self
    }

    /// Stops with [`Status::StoppedEarly`] when the rule says so, asked once per step: early stopping as regularisation. An
    /// [error of the rule](StopAnswer) is that of the run.
    ///
    /// ```
    /// # use reparam::{Integrate, Progress, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1)
    ///     .stop_when(|p: &Progress<'_, f64>| p.value < 0.1).run().unwrap();
    /// assert_eq!(run.solution.status, Status::StoppedEarly);
    /// assert!(run.solution.objective < 0.1 && run.solution.objective > 1e-6);
    /// ```
    pub fn stop_when<A: StopAnswer>(
        mut self,
        mut rule: impl FnMut(&Progress<'_, T>) -> A + Send + 'a,
    ) -> Self {
        self.asked.rules.push(Box::new(move |p| rule(p).answer()));
        self
    }

    /// What to record.
    ///
    /// See [`Recording`] for an example.
    pub fn record(mut self, recording: Recording<'a, T>) -> Self {
        self.asked.recording = recording;
        self
    }

    /// All limits at once.
    ///
    /// ```
    /// # use reparam::{Integrate, Limits, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let limits = Limits { iterations: Some(0), ..Limits::default() };
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().limits(limits).start_u0(0.1).run().unwrap();
    /// assert_eq!(run.solution.status, Status::IterationLimit);
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.asked.limits = limits;
        self
    }

    /// At most this many steps.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().max_iterations(3).start_u0(0.1).run().unwrap();
    /// assert_eq!(run.solution.iterations, 3);
    /// ```
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.asked.limits.iterations = Some(iterations);
        self
    }

    /// About this many evaluations of f at most (checked once per step).
    ///
    /// ```
    /// # use reparam::{Integrate, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().max_evaluations(5).start_u0(0.1).run().unwrap();
    /// assert_eq!(run.solution.status, Status::EvaluationLimit);
    /// ```
    pub fn max_evaluations(mut self, evaluations: usize) -> Self {
        self.asked.evaluations = Some(evaluations);
        self
    }

    /// At most this much wall-clock time.
    ///
    /// ```
    /// # use reparam::{Integrate, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().time_limit(std::time::Duration::ZERO).start_u0(0.1).run().unwrap();
    /// assert_eq!(run.solution.status, Status::TimeLimit);
    /// ```
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.asked.limits.time = Some(time);
        self
    }

    /// A flag by which another thread or a signal handler can stop the run.
    ///
    /// ```
    /// # use reparam::{CancelToken, Integrate, Status, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let token = CancelToken::new();
    /// token.cancel();
    /// let run = Integrate::new(f, Squares::new(1)).unwrap().cancel_token(token).start_u0(0.1).run().unwrap();
    /// assert_eq!(run.solution.status, Status::Cancelled);
    /// ```
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.asked.limits.cancel = Some(token);
        self
    }

    /// Adds an observer, called once per step; `Break` stops the run with [`Status::Cancelled`].
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// let mut history = reparam::History::new();
    /// Integrate::new(f, Squares::new(1)).unwrap().start_u0(0.1).observe(history.observer()).run().unwrap();
    /// assert!(history.records().len() > 5);
    /// ```
    pub fn observe(mut self, observer: impl FnMut(&Progress<'_, T>) -> ControlFlow<()> + Send + 'a) -> Self {
        self.asked.observers.push(Box::new(observer));
        self
    }

    /// Runs.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) for a start of the wrong length, [`Error::Map`](crate::Error::Map) for one outside of the set or on its boundary,
    /// [`Error::Setting`](crate::Error::Setting) for a setting without meaning (α ≤ 0, a tolerance that is not positive, an integrator that does not fit the
    /// problem), [`Error::Evaluation`](crate::Error::Evaluation) with an error of the objective, and those of [`stop_when`](Self::stop_when). A step that leaves the domain or meets NaN is a status.
    ///
    /// ```
    /// # use reparam::{Integrate, maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
    /// assert!(Integrate::new(f, Squares::new(1)).unwrap().start_u0(-1.0).run().is_err());
    /// ```
    pub fn run(self) -> Result<Integrated<T, I>> {
        self.go(None)
    }

    /// Continues from the end of an earlier run of the same problem, as if it had not been interrupted. Limits count from the snapshot's own
    /// counters, time from now; the trajectory holds what follows. (A run that ended at a time made its last step as short as that
    /// needed.)
    ///
    /// # Errors
    /// Those of [`run`](Self::run); [`Error::Setting`](crate::Error::Setting) when the sizes do not fit the problem.
    ///
    /// See [`Snapshot`] for an example.
    pub fn resume(mut self, snapshot: Snapshot<T, I>) -> Result<Integrated<T, I>> {
        self.integrator = snapshot.integrator;
        self.go(Some(snapshot.iterate))
    }

    fn go(mut self, from: Option<Iterate<T>>) -> Result<Integrated<T, I>> {
        let (f, map, integrator) = (&mut self.objective, &self.map, &mut self.integrator);
        let (solution, trajectory, iterate) = (self.engine)(self.asked, f, map, integrator, from)?;
        Ok(Integrated {
            solution,
            trajectory,
            snapshot: Snapshot {
                iterate,
                integrator: self.integrator,
            },
        })
    }
}

impl<T: Scalar> Integration<'_, T> {
    /// The engine behind [`Integrate`], which [`Engines`](crate::engines::Engines) compiles for `f32` and `f64`: the solution, the
    /// trajectory and the place that was reached.
    pub(crate) fn run(
        self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
        integrator: &mut dyn Integrator<T>,
        from: Option<Iterate<T>>,
    ) -> Result<(Solution<T>, Trajectory<T>, Iterate<T>)> {
        self.check()?;
        if let Some(iterate) = from {
            iterate.check(map.dim_u(), map.dim_x())?;
            Lifted::new(&mut *objective, map).begin();
            iterate.check_problem(objective, map)?;
            let from = (iterate.iteration, integrator.time());
            return self.drive(objective, map, integrator, iterate, Some(from));
        }
        let u = self.start_u(map)?;
        let mut point = Point::new(map, &u);
        let mut lifted = Lifted::new(objective, map);
        lifted.begin();
        lifted.evaluate(&mut point)?;
        lifted.check_start(&point)?;
        if point.is_finite() {
            integrator.reset();
            integrator.begin(&mut lifted, &point)?;
        }
        let start = Iterate::new(point, lifted.counts);
        self.drive(objective, map, integrator, start, None)
    }

    fn check(&self) -> Result<()> {
        if let Some(tolerance) = self.tolerance {
            check_positive("tolerance", tolerance)?;
        }
        if let Some(t) = self.until {
            check_positive("end time", t)?;
        }
        Ok(())
    }

    fn start_u(&self, map: &dyn Reparametrization<T>) -> Result<Vec<T>> {
        let (p, n) = (map.dim_u(), map.dim_x());
        let mut u = vec![T::zero(); p];
        let mut work = vec![T::zero(); map.scratch_len()];
        let mut inside = |x: &[T], u: &mut [T]| map.section(x, Boundary::Reject, u, &mut work);
        match &self.start {
            Start::Interior => map.interior(&mut u),
            Start::U0(alpha) => {
                check_positive("u0", *alpha)?;
                u.fill(*alpha);
            }
            Start::X0(alpha) => {
                check_positive("x0", *alpha)?;
                inside(&vec![*alpha; n], &mut u)?;
            }
            Start::U(start) => {
                check_len("the start", p, start.len())?;
                check_finite("start", start)?;
                u.copy_from_slice(start);
            }
            Start::X(x) => {
                check_len("the start", n, x.len())?;
                check_finite("start", x)?;
                inside(x, &mut u)?;
            }
        }
        Ok(u)
    }

    fn drive(
        mut self,
        objective: &mut dyn Objective<T>,
        map: &dyn Reparametrization<T>,
        integrator: &mut dyn Integrator<T>,
        mut c: Iterate<T>,
        from: Option<(usize, T)>,
    ) -> Result<(Solution<T>, Trajectory<T>, Iterate<T>)> {
        let clock = Instant::now();
        let _watch = crate::outcome::watch(&self.limits, clock);
        // (an earlier run's end is not that of this one)
        integrator.stop_at(self.until.unwrap_or_else(T::infinity));
        let n = map.dim_x();
        let mut recorder = Recorder::new(self.recording, n, from)?;
        // (for moments between the steps)
        let mut between = (recorder.due(T::infinity()).is_some()).then(|| (c.point.clone(), Vec::new()));
        let mut optimality = Optimality::new(map).relative_to_data(objective);
        let mut lifted = Lifted::new(objective, map);
        lifted.counts = c.counts;
        let mut rho = T::nan();
        let mut status = if c.point.is_finite() {
            None
        } else {
            Some(Status::NotFinite)
        };
        // why the last step failed
        let mut failed = None;
        while status.is_none() {
            optimality.curvature(&mut lifted, &mut c)?;
            optimality.update_errors(&mut lifted);
            rho = optimality.residual(&c);
            let small = |rho: T| self.tolerance.is_some_and(|tolerance| rho <= tolerance);
            if let Some(tolerance) = self.tolerance
                && rho <= tolerance
            {
                rho = optimality.confirm(&mut lifted, &mut c, None, rho)? + optimality.doubt(&c);
            }
            c.counts = lifted.counts;
            let time = integrator.time();
            let progress = Progress {
                iteration: c.iteration,
                value: c.point.value,
                natural_residual: rho,
                x: &c.point.x,
                counts: c.counts,
                elapsed: clock.elapsed(),
                time: Some(time),
                iterate: &c,
                method: None,
            };
            #[cfg(feature = "tracing")]
            tracing::debug!(
                iteration = c.iteration,
                time = time.as_f64(),
                value = c.point.value.as_f64(),
                natural_residual = rho.as_f64(),
                evaluations = c.counts.values,
                "integrate"
            );
            let (mut cancelled, mut stopped) = (false, false);
            // (after a step that failed they have seen this point already)
            if failed.is_none() {
                for observer in &mut self.observers {
                    cancelled |= observer(&progress).is_break();
                }
                for rule in &mut self.rules {
                    stopped |= rule(&progress)?;
                }
            }
            status = if failed.is_some() {
                failed
            } else if small(rho) {
                Some(Status::Stationary)
            } else if stopped {
                Some(Status::StoppedEarly)
            } else if cancelled {
                Some(Status::Cancelled)
            } else if self.until.is_some_and(|t| time >= t) {
                Some(Status::EndTime)
            } else if optimality.at_infinity(&c) {
                Some(Status::AtInfinity)
            } else {
                limit(&self.limits, self.evaluations, &c, clock)
            };
            let mut written = false;
            while let Some(due) = recorder.due(time) {
                let here = due == time || c.iteration == 0;
                if let Some((at, second)) = between.as_mut().filter(|_| !here)
                    && integrator.interpolate(&mut lifted, due, at, second)?
                {
                    std::mem::swap(&mut c.point, at);
                    let there = optimality.residual(&c);
                    let second = (!second.is_empty()).then_some(second.as_slice());
                    recorder.write(&moment(&c, due, there, second), true);
                    std::mem::swap(&mut c.point, at);
                } else {
                    recorder.write(&moment(&c, time, rho, integrator.second()), true);
                    written = true;
                }
                recorder.done();
            }
            if !recorder.wants(c.iteration, status.is_some()) {
                // (the rest of this step is skipped)
            } else if written {
                recorder.saw(c.iteration, time);
            } else {
                recorder.write(&moment(&c, time, rho, integrator.second()), false);
            }
            if status.is_some() {
                break;
            }
            optimality.note(&mut c);
            match integrator.step(&mut lifted, &mut c.point, &c.h)? {
                Step::Moved => c.iteration += 1,
                Step::Stalled => failed = Some(Status::Stalled),
                Step::NotFinite => failed = Some(Status::NotFinite),
                Step::LeftDomain => failed = Some(Status::LeftDomain),
            }
            if failed.is_some() {
                // (a step that a limit cut short has not failed)
                failed = crate::outcome::Stop::new(&self.limits, clock)
                    .check()
                    .err()
                    .or(failed);
            }
        }
        let status = status.unwrap_or(Status::Stalled);
        let tolerance = self.tolerance.unwrap_or_else(T::zero);
        c.counts = lifted.counts;
        let phase = Phase::Integrator(integrator.name());
        let reached = c.clone();
        let convex = lifted.objective().convexity() == Convexity::Convex;
        let solution = optimality
            .certify(c, phase, convex, rho, status, tolerance, clock.elapsed())
            .with_residual(lifted.objective())?;
        Ok((solution, recorder.trajectory, reached))
    }
}

fn moment<'m, T: Scalar>(c: &'m Iterate<T>, t: T, rho: T, second: Option<&'m [T]>) -> Moment<'m, T> {
    Moment {
        k: c.iteration,
        t,
        value: c.point.value,
        natural_residual: rho,
        x: &c.point.x,
        g: &c.point.g,
        second,
    }
}
