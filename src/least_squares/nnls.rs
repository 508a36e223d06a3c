//! Non-negative least squares: min ½‖A x − b‖² over x ≥ 0.
//!
//! One builder, [`Nnls`], for dense, sparse and matrix-free A; [`nnls`] is the call with every default. The answer is
//! certified: its residual is computed afresh from A, b and x, and [`Status::Solved`](crate::Status) means that the
//! scale-free natural residual ρ ([`Certificate`](crate::Certificate)), with a bound of its own rounding error, is at most the tolerance.
//! Where plain sums do not settle that, residual and gradient are formed in twice the precision, and an x that does not hold is refined with
//! them.
//!
//! Which method runs ([`Strategy::Auto`]):
//!
//! ```text
//! dense, n ≤ m            the active set on a growing Gram factor while few of the columns offered to it stay (correlated columns: the
//!                         face is small); else block exchange on the Gram matrix of all columns, refined in A; the active set on a
//!                         growing QR factor where that is not exact
//! … of 240 columns or     projected conjugate gradients first, within a budget, unless a few columns will do: they never form the Gram
//!   more, m ≥ 1.2 n       matrix of columns that end at zero (nearly square: only where one direction dominates)
//! dense, n > m            the active set on a growing Gram factor, then QR; with n ≥ 1.9 m, m ≥ 128 and a face that does not stay small
//!                         first the least distance to a point with A x = b if there is one
//! sparse, large           coordinate descent; where it slows down projected conjugate gradients to 1e-5 or for a few times what a
//!                         Gram matrix of the face costs, then working sets in it; with a face of more than 3000 columns 150
//!                         passes of them to the tolerance, then interior points, preconditioned by a sparse approximate inverse
//! sparse, small           made dense
//! products only           conjugate gradients on the lift x = u∘u, then the active set from the face they found;
//!                         written out when n ≤ 512
//! ```
//!
//! The table is [`plan`](fn@super::plan::plan); [`Solution::trace`](crate::Solution::trace) says which of its steps were taken.
//!
//! Every fallback goes to a slower and more robust method, from the best point so far; an answer that fails its certificate is never called solved.
//! An active set that stalls at rounding level continues with a damped problem, ½‖A x − b‖² + ½μ² Σ c_j²(x_j − x̄_j)² with μ = √ε, whose solution is
//! one of the original problem up to rounding. If the gap of a solution is large relative to f, an active set improves it. That may cost as much as the
//! solve has cost so far. Whatever ends a solve, its answer is never worse than x = 0, nor than the start.

use super::many::{self, Unbegun};
use super::non_negative;
use super::plan::Method;
use super::problem::Problem;
use crate::checks::{check_finite, check_len, check_memory, check_rhs, columns_of};
use crate::clock::Instant;
use crate::operators::LinearOperator;
use crate::outcome::{CancelToken, Halt, Limits, Solution, Stop, default_tolerance};
use crate::{Error, LinalgScalar, Result};
use std::time::Duration;

/// Solves min ½‖A x − b‖² over x ≥ 0 with all defaults.
///
/// `a` is any [`LinearOperator`]: a nalgebra or sprs matrix, a [`Dense`](crate::operators::Dense) view, a
/// [`MatrixFree`](crate::operators::MatrixFree) pair of closures.
///
/// # Errors
/// [`Error::Empty`] when A has no rows or no columns, [`Error::Dimension`] when b has not as many entries as A has rows
/// ([`Error::Transposed`] when it has as many as A has columns), [`Error::NotFinite`] and [`Error::NotFiniteEntry`] for NaN and infinities, [`Error::Unrepresentable`] when the
/// solution exceeds the number type.
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 1.0; 1.0, 2.0; 1.0, 3.0];
/// let solution = reparam::nnls(&a, &[3.0, 2.0, 1.0]).unwrap();
/// assert_eq!(solution.x[1], 0.0); // the slope would be negative
/// assert!((solution.x[0] - 2.0_f64).abs() < 1e-15);
/// ```
pub fn nnls<T, A, B>(a: &A, b: &B) -> Result<Solution<T>>
where
    T: LinalgScalar,
    A: LinearOperator<T> + ?Sized,
    B: AsRef<[T]> + ?Sized,
{
    Nnls::new(a).solve(b)
}

/// The method of a non-negative least-squares solve.
///
/// ```
/// use reparam::nnls::{Nnls, Strategy};
/// let a = nalgebra::dmatrix![2.0, 1.0; 1.0, 2.0];
/// for strategy in [Strategy::BlockExchange, Strategy::ActiveSet, Strategy::CoordinateDescent, Strategy::LiftedCg] {
///     let solution = Nnls::new(&a).strategy(strategy).solve(&[3.0, 3.0]).unwrap();
///     assert!(solution.status.is_solved(), "{strategy:?}");
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Strategy {
    /// By shape and storage; see the [module](mod@crate::nnls).
    #[default]
    Auto,
    /// Block exchange on the Gram matrix, refined in A. Fastest where A has full column rank and a moderate condition
    /// number (below about 10⁵ in `f64`); ends stalled elsewhere. Needs the columns.
    BlockExchange,
    /// Monotone active set: on a growing Gram factor of what it needs, and from where that ended on a growing QR factor, which does
    /// not square the condition number, when the answer is not exact. Always ends; memory m × support.
    ActiveSet,
    /// Coordinate descent: for sparse, nearly orthogonal columns. Needs the columns.
    CoordinateDescent,
    /// Coordinate descent to a rough answer, then working sets solved exactly (with more than 3000 columns that stay, interior points).
    /// Needs the columns.
    WorkingSet,
    /// Non-linear conjugate gradients on the lift x = u∘u: needs products only.
    LiftedCg,
    /// A primal-dual interior-point method, its steps by preconditioned conjugate gradients: for sparse A with a large face and correlated
    /// columns (tomography, deblurring). A is read through products, and through its columns where it is sparse: then the
    /// preconditioner is a factorised sparse approximate inverse, else a diagonal. The start is not used.
    InteriorPoint,
    /// A point with A x = b, the nearest to an interior one (or to the start): for b that can be interpolated, as it often can from n = 2 m
    /// on; ends stalled elsewhere. Products only.
    LeastDistance,
    /// Projected conjugate gradients: products only, no factorisation; for well-conditioned columns, tall matrices above all.
    ProjectedCg,
}

impl Strategy {
    /// All of them, the default first.
    pub const ALL: [Self; 9] = [
        Self::Auto,
        Self::BlockExchange,
        Self::ActiveSet,
        Self::CoordinateDescent,
        Self::WorkingSet,
        Self::LiftedCg,
        Self::InteriorPoint,
        Self::LeastDistance,
        Self::ProjectedCg,
    ];

    /// The method; None leaves it to the plan.
    pub(super) fn method(self) -> Option<Method> {
        match self {
            Self::Auto => None,
            Self::BlockExchange => Some(Method::BlockExchange),
            Self::ActiveSet => Some(Method::GrowingGram),
            Self::CoordinateDescent => Some(Method::CoordinateDescent),
            Self::WorkingSet => Some(Method::WorkingSets),
            Self::LiftedCg => Some(Method::LiftedCg),
            Self::InteriorPoint => Some(Method::InteriorPoint),
            Self::LeastDistance => Some(Method::LeastDistance),
            Self::ProjectedCg => Some(Method::ProjectedCg),
        }
    }

    /// The name that the program takes, `--strategy NAME`.
    ///
    /// ```
    /// use reparam::nnls::Strategy;
    /// let named = |name: &str| Strategy::ALL.into_iter().find(|s| s.name() == name);
    /// assert_eq!(named("active-set"), Some(Strategy::ActiveSet));
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::BlockExchange => "block-exchange",
            Self::ActiveSet => "active-set",
            Self::CoordinateDescent => "coordinate-descent",
            Self::WorkingSet => "working-set",
            Self::LiftedCg => "lifted-cg",
            Self::InteriorPoint => "interior-point",
            Self::LeastDistance => "least-distance",
            Self::ProjectedCg => "projected-cg",
        }
    }
}

/// A non-negative least-squares problem for one matrix: options, then [`solve`](Self::solve) as often as wanted.
///
/// ```
/// use reparam::Nnls;
/// use std::time::{Duration, Instant};
/// let a = nalgebra::dmatrix![1.0, 0.2; 0.1, 1.0; 0.3, 0.4];
/// let solver = Nnls::new(&a).tolerance(1e-10).time_limit(Duration::from_secs(5));
/// let first = solver.solve(&[1.0, 2.0, 1.0]).unwrap();
/// // the next right-hand side is close: start from the last answer
/// let second = solver.start(&first.x).solve(&[1.0, 2.1, 1.0]).unwrap();
/// assert!(second.status.is_solved());
/// ```
#[derive(Debug, Clone)]
pub struct Nnls<'a, T, A: ?Sized> {
    a: &'a A,
    options: Options<T>,
}

/// Options that do not depend on A.
#[derive(Debug, Clone)]
pub(crate) struct Options<T> {
    pub(super) tolerance: T,
    pub(super) strategy: Strategy,
    pub(super) limits: Limits,
    pub(super) start: Option<Vec<T>>,
}

impl<'a, T, A> Nnls<'a, T, A>
where
    T: LinalgScalar,
    A: LinearOperator<T> + ?Sized,
{
    /// The problem for A, with defaults: tolerance 1e-8 (`f64`) or 1e-4 (`f32`), no limits, start at zero.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 2.0];
    /// assert_eq!(reparam::Nnls::new(&a).solve(&[4.0]).unwrap().residual, vec![0.0]);
    /// ```
    pub fn new(a: &'a A) -> Self {
        Self {
            a,
            options: Options {
                tolerance: default_tolerance(),
                strategy: Strategy::Auto,
                limits: Limits::default(),
                start: None,
            },
        }
    }

    /// Calls an answer solved when its natural residual ρ is at most this, with the bound of its rounding error.
    ///
    /// The exact methods end near rounding whatever the tolerance; the iterative ones stop here.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let c = reparam::Nnls::new(&a).tolerance(1e-12).solve(&[1.0, 1.0]).unwrap().certificate;
    /// assert!(c.natural_residual <= 1e-12);
    /// ```
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.options.tolerance = tolerance;
        self
    }

    /// Chooses the method.
    ///
    /// ```
    /// use reparam::{Phase, nnls::{Nnls, Strategy}};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let solution = Nnls::new(&a).strategy(Strategy::ActiveSet).solve(&[1.0, 1.0]).unwrap();
    /// assert_eq!(solution.phase, Phase::ActiveSet);
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.options.strategy = strategy;
        self
    }

    /// All limits at once.
    ///
    /// ```
    /// use reparam::{Limits, Nnls, Status};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let limits = Limits { iterations: Some(0), ..Limits::default() };
    /// assert_eq!(Nnls::new(&a).limits(limits).solve(&[1.0, 1.0]).unwrap().status, Status::IterationLimit);
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// At most this many iterations, over all phases.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let stopped = reparam::Nnls::new(&a).max_iterations(0).solve(&[1.0, 1.0]).unwrap();
    /// assert_eq!(stopped.x, vec![0.0, 0.0]); // the best feasible point so far
    /// ```
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.options.limits.iterations = Some(iterations);
        self
    }

    /// At most this much wall-clock time, kept as [`Limits::time`] says. Stopped before the matrix is prepared (an operator that states no
    /// column norms takes n products) the answer is the start, or 0, with its residual and f; ρ is +∞ and the multipliers are NaN: nothing
    /// more has been computed.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let stopped = reparam::Nnls::new(&a).time_limit(Duration::ZERO).solve(&[1.0, 1.0]).unwrap();
    /// assert_eq!(stopped.status, reparam::Status::TimeLimit);
    /// ```
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.options.limits.time = Some(time);
        self
    }

    /// A flag by which another thread or a signal handler can stop the solve.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let token = reparam::CancelToken::new();
    /// assert!(reparam::Nnls::new(&a).cancel_token(token).solve(&[1.0, 1.0]).unwrap().status.is_solved());
    /// ```
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.options.limits.cancel = Some(token);
        self
    }

    /// A warm start: any x ≥ 0, ideally the solution of a similar problem. Its zeros may become positive.
    ///
    /// It is checked by [`solve`](Self::solve): a wrong length, NaN or a negative entry is an error there.
    ///
    /// ```
    /// use reparam::{Error, Nnls};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// assert!(Nnls::new(&a).start(&[0.0, 1.0]).solve(&[1.0, 1.0]).unwrap().status.is_solved());
    /// let wrong = Nnls::new(&a).start(&[0.0, -1.0]).solve(&[1.0, 1.0]);
    /// assert!(matches!(wrong, Err(Error::InfeasibleStart { index: 1, .. })));
    /// ```
    pub fn start(mut self, x: &[T]) -> Self {
        self.options.start = Some(x.to_vec());
        self
    }

    /// Solves for one right-hand side of length m.
    ///
    /// # Errors
    /// Those of [`nnls`], those of the start, and [`Error::Setting`] for a tolerance that is not positive or a strategy
    /// that needs columns the operator cannot give. A limit that is hit is a status, not an error.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
    /// assert!(reparam::Nnls::new(&a).solve(&[1.0]).is_err());
    /// ```
    pub fn solve<B: AsRef<[T]> + ?Sized>(&self, b: &B) -> Result<Solution<T>> {
        T::solve_nnls(&self.options, &self.a, b.as_ref())
    }

    /// As [`solve`](Self::solve), with what an earlier solve with this A and this strategy has prepared, and for the next one.
    #[cfg(feature = "argmin")]
    pub(crate) fn solve_prepared(
        &self,
        prepared: Option<super::problem::Prepared<T>>,
        b: &[T],
    ) -> Result<(Solution<T>, Option<super::problem::Prepared<T>>)> {
        T::solve_nnls_prepared(&self.options, &self.a, prepared, b)
    }

    /// Solves for many right-hand sides: the columns of B, m×k, column after column (`DMatrix::as_slice`). What depends
    /// on A alone is prepared once. A time limit is for all of them together, an iteration limit for each; the
    /// cost of the preparation is in the counts of the first. Those whose turn comes after the time limit (or a cancellation) are not begun:
    /// they come back at the start, or at 0, with residual and f, and with ρ = +∞ and NaN for multipliers, which are not computed.
    ///
    /// # Errors
    /// As [`solve`](Self::solve); [`Error::Dimension`] when the length of B is not a multiple of m;
    /// [`Error::NotFiniteRightHandSide`] names the entry of B that is NaN or infinite.
    ///
    /// ```
    /// use nalgebra::dmatrix;
    /// let a = dmatrix![1.0, 0.0; 0.0, 1.0];
    /// let b = dmatrix![1.0, -2.0, 3.0; 1.0, 5.0, -3.0];
    /// let solutions = reparam::Nnls::new(&a).solve_many(&b).unwrap();
    /// assert_eq!(solutions[1].x, vec![0.0, 5.0]);
    /// ```
    pub fn solve_many<B: AsRef<[T]> + ?Sized>(&self, b: &B) -> Result<Vec<Solution<T>>> {
        T::solve_nnls_many(&self.options, &self.a, b.as_ref())
    }
}

/// The engine behind the interface, which [`Engines`](crate::engines::Engines) compiles for each number type.
impl<T: LinalgScalar> Options<T> {
    pub(crate) fn solve(&self, a: &dyn LinearOperator<T>, b: &[T]) -> Result<Solution<T>> {
        let clock = Instant::now();
        let problem = match self.prepare(a, clock) {
            Ok(problem) => problem,
            Err(Halt::Error(e)) => return Err(e),
            Err(Halt::Limit(limit)) => {
                check_rhs(b, a.rows(), a.columns())?;
                return Ok(self.unbegun(a)?.answer(b, limit));
            }
        };
        check_rhs(b, a.rows(), a.columns())?;
        non_negative::solve(&problem, b, self, clock, true)
    }

    #[cfg(feature = "argmin")]
    pub(crate) fn solve_prepared(
        &self,
        a: &dyn LinearOperator<T>,
        prepared: Option<super::problem::Prepared<T>>,
        b: &[T],
    ) -> Result<(Solution<T>, Option<super::problem::Prepared<T>>)> {
        let clock = Instant::now();
        let first = prepared.is_none();
        let problem = match prepared {
            Some(prepared) => self.checked(prepared.with(a)?)?,
            None => match self.prepare(a, clock) {
                Ok(problem) => problem,
                Err(Halt::Error(e)) => return Err(e),
                Err(Halt::Limit(limit)) => {
                    check_rhs(b, a.rows(), a.columns())?;
                    return Ok((self.unbegun(a)?.answer(b, limit), None));
                }
            },
        };
        check_rhs(b, a.rows(), a.columns())?;
        let solution = non_negative::solve(&problem, b, self, clock, first)?;
        Ok((solution, Some(problem.into_prepared())))
    }

    pub(crate) fn solve_many(&self, a: &dyn LinearOperator<T>, b: &[T]) -> Result<Vec<Solution<T>>> {
        let clock = Instant::now();
        let prepared = match self.prepare(a, clock) {
            Ok(problem) => Ok(problem),
            Err(Halt::Error(e)) => return Err(e),
            Err(Halt::Limit(limit)) => Err(limit),
        };
        let columns = columns_of(b, a.rows(), a.columns())?;
        let mut problem = match prepared {
            Ok(problem) => problem,
            Err(limit) => {
                let unbegun = self.unbegun(a)?;
                return Ok(columns.iter().map(|b| unbegun.answer(b, limit)).collect());
            }
        };
        problem.expect_many();
        let stop = Stop::new(&self.limits, clock);
        let answers = many::in_order(
            &columns,
            stop,
            |k, b| non_negative::solve(&problem, b, self, clock, k == 0),
            || problem.parts(),
            |parts, chunk| {
                let problem = Problem::from_parts(parts);
                let each = |b: &&[T]| match stop.check() {
                    Err(limit) => Ok(Err(limit)),
                    Ok(()) => non_negative::solve(&problem, b, self, clock, false).map(Ok),
                };
                chunk.iter().map(each).collect()
            },
        )?;
        if answers.iter().all(std::result::Result::is_ok) {
            return Ok(answers.into_iter().flatten().collect());
        }
        let unbegun = self.unbegun(a)?;
        let whole = answers.into_iter().zip(&columns);
        Ok(whole
            .map(|(a, b)| a.unwrap_or_else(|limit| unbegun.answer(b, limit)))
            .collect())
    }

    /// What is said of right-hand sides that are not begun, at the start or at zero.
    fn unbegun(&self, a: &dyn LinearOperator<T>) -> Result<Unbegun<T>> {
        let n = a.columns();
        self.check_start(n)?;
        let x = self.start.clone().unwrap_or_else(|| vec![T::zero(); n]);
        Ok(Unbegun::at(a, x, T::zero()))
    }

    fn prepare<'a>(&self, a: &'a dyn LinearOperator<T>, clock: Instant) -> Result<Problem<'a, T>, Halt> {
        self.check_tolerance()?;
        let stop = Stop::new(&self.limits, clock);
        let keep_form = matches!(
            self.strategy,
            Strategy::LiftedCg
                | Strategy::ProjectedCg
                | Strategy::LeastDistance
                | Strategy::InteriorPoint
                | Strategy::CoordinateDescent
                | Strategy::WorkingSet
        );
        Ok(self.checked(Problem::new(a, keep_form, stop)?)?)
    }

    fn check_tolerance(&self) -> Result<()> {
        if self.tolerance.is_nan() || self.tolerance <= T::zero() || self.tolerance == T::infinity() {
            return Err(Error::Setting {
                name: "tolerance",
                why: "must be positive and finite",
            });
        }
        Ok(())
    }

    /// The problem, if the start and the strategy fit it.
    fn checked<'a>(&self, problem: Problem<'a, T>) -> Result<Problem<'a, T>> {
        self.check_start(problem.columns())?;
        let needs_columns = matches!(
            self.strategy,
            Strategy::BlockExchange | Strategy::CoordinateDescent | Strategy::WorkingSet
        );
        if needs_columns && !problem.has_columns() {
            return Err(Error::Setting {
                name: "strategy",
                why: "needs the columns of the matrix, and the operator offers products only",
            });
        }
        if self.strategy == Strategy::BlockExchange {
            let n = problem.columns();
            check_memory::<T>(
                "the Gram matrix and its factor",
                n.saturating_mul(n).saturating_mul(2),
            )?;
        }
        Ok(problem)
    }

    fn check_start(&self, n: usize) -> Result<()> {
        let Some(x) = &self.start else {
            return Ok(());
        };
        check_len("the start", n, x.len())?;
        check_finite("start", x)?;
        match x.iter().position(|v| *v < T::zero()) {
            None => Ok(()),
            Some(index) => Err(Error::InfeasibleStart {
                index,
                value: x[index].as_f64(),
                bound: 0.0,
            }),
        }
    }
}
