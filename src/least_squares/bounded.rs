//! Least squares over bounds and a sum: min ½‖A x − b‖² over lo ≤ x ≤ hi, and Σ x = r where wanted.
//!
//! One builder, [`BoundedLeastSquares`], for dense, sparse and matrix-free A. Entries of lo and hi may be infinite, and
//! equal: the first frees a coordinate, the second fixes it. What reduces to bounds and a sum has a constructor:
//! [`simplex`](BoundedLeastSquares::simplex), [`capped_simplex`](BoundedLeastSquares::capped_simplex),
//! [`l1_ball`](BoundedLeastSquares::l1_ball), [`monotone`](BoundedLeastSquares::monotone), and for every other polyhedral set
//! [`over_set`](BoundedLeastSquares::over_set).
//!
//! The answer is certified as for x ≥ 0: its natural residual is computed afresh from A, b and x,
//!
//! ```text
//! ρ(x) = max_j c_j |x − P(x − g/c²)|_j / ‖b‖      P the projection in the metric diag(c²), c_j = ‖a_j‖, g = Aᵀ(A x − b)
//! ```
//!
//! and [`Status::Solved`](crate::Status::Solved) means that it is at most the tolerance. Every coordinate lies between
//! its bounds exactly, equals a bound bit for bit where it is held by it, and Σ x = r up to the rounding of x.
//!
//! Which method runs ([`Strategy::Auto`]):
//!
//! ```text
//! dense, n ≤ m            block exchange with three states on the Gram matrix, refined in A; the active set where that is not exact
//! dense, n > m            active set on a growing QR factor
//! sparse, large           coordinate descent (with a sum: projected gradients); working sets in a dense Gram matrix
//! products only           projected gradients, then the active set from the face they found; written out when n ≤ 512
//! ```
//!
//! The table is [`plan`](fn@super::plan::plan); [`Solution::trace`](crate::Solution::trace) says which of its steps were taken.

use super::nnls;
use super::plan::Method;
use super::standard_form::StandardForm;
use crate::operators::{LinearOperator, checked_size};
use crate::outcome::{CancelToken, Limits, Solution, default_tolerance};
use crate::sets::{ConstraintSet, Polyhedron};
use crate::{Error, LinalgScalar, Result};
use std::time::Duration;

/// The method of a solve over bounds.
///
/// ```
/// use reparam::bounded::{BoundedLeastSquares, Strategy};
/// let a = nalgebra::dmatrix![2.0, 1.0; 1.0, 2.0];
/// for strategy in [Strategy::BlockExchange, Strategy::ActiveSet, Strategy::WorkingSet, Strategy::AcceleratedGradient] {
///     let solver = BoundedLeastSquares::simplex(&a, 1.0).strategy(strategy);
///     assert!(solver.solve(&[3.0, 2.0]).unwrap().status.is_solved(), "{strategy:?}");
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// By shape and storage; see the [module](crate::bounded).
    #[default]
    Auto,
    /// Block exchange on the Gram matrix, refined in A: columns of full rank and a moderate condition number; ends stalled
    /// elsewhere.
    BlockExchange,
    /// Monotone active set on a growing QR factor: always ends, does not square the condition number.
    ActiveSet,
    /// A rough answer by coordinate descent or projected gradients, then working sets solved exactly. Needs the columns.
    WorkingSet,
    /// Accelerated projected gradients: needs products only.
    AcceleratedGradient,
}

impl Strategy {
    /// All of them, the default first.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::BlockExchange,
        Self::ActiveSet,
        Self::WorkingSet,
        Self::AcceleratedGradient,
    ];

    /// The name that the program takes, `--strategy NAME`.
    ///
    /// ```
    /// use reparam::bounded::Strategy;
    /// let named = |name: &str| Strategy::ALL.into_iter().find(|s| s.name() == name);
    /// assert_eq!(named("active-set"), Some(Strategy::ActiveSet));
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::BlockExchange => "block-exchange",
            Self::ActiveSet => "active-set",
            Self::WorkingSet => "working-set",
            Self::AcceleratedGradient => "accelerated-gradient",
        }
    }
}

impl Strategy {
    /// The method; None leaves it to the plan.
    pub(super) fn method(self) -> Option<Method> {
        match self {
            Self::Auto => None,
            Self::BlockExchange => Some(Method::BlockExchange),
            Self::ActiveSet => Some(Method::GrowingQr),
            Self::WorkingSet => Some(Method::WorkingSets),
            Self::AcceleratedGradient => Some(Method::AcceleratedGradient),
        }
    }

    /// The same method over {x ≥ 0}, where every method of [`nnls`](crate::nnls) is available; None for the one that is for bounds only.
    pub(super) fn over_non_negative(self) -> Option<nnls::Strategy> {
        match self {
            Self::Auto => Some(nnls::Strategy::Auto),
            Self::BlockExchange => Some(nnls::Strategy::BlockExchange),
            Self::ActiveSet => Some(nnls::Strategy::ActiveSet),
            Self::WorkingSet => Some(nnls::Strategy::WorkingSet),
            Self::AcceleratedGradient => None,
        }
    }
}

/// Options that do not depend on A.
#[derive(Debug, Clone)]
pub(crate) struct Settings<T> {
    pub(super) tolerance: T,
    pub(super) strategy: Strategy,
    pub(super) limits: Limits,
}

/// A sum constraint.
#[derive(Debug, Clone)]
pub(crate) struct SumOver<T> {
    pub(super) r: T,
    /// All coordinates when None.
    pub(super) part: Option<Vec<usize>>,
    /// The call that demanded it, for messages.
    pub(super) call: &'static str,
}

/// A request, without A.
#[derive(Debug, Clone)]
pub(crate) struct Request<T> {
    pub(super) set: Polyhedron<T>,
    pub(super) sum: Option<SumOver<T>>,
    /// A call that demanded a second sum. That is an error of the solve: otherwise one would silently replace the other.
    pub(super) second: Option<&'static str>,
    pub(super) settings: Settings<T>,
    pub(super) start: Option<Vec<T>>,
}

impl<T: LinalgScalar> Request<T> {
    pub(super) fn new(set: Polyhedron<T>) -> Self {
        Self {
            set,
            sum: None,
            second: None,
            settings: Settings {
                tolerance: default_tolerance(),
                strategy: Strategy::Auto,
                limits: Limits::default(),
            },
            start: None,
        }
    }

    pub(super) fn demand(&mut self, r: T, part: Option<Vec<usize>>, call: &'static str) {
        if self.sum.is_some() {
            self.second = self.second.or(Some(call));
        } else {
            self.sum = Some(SumOver { r, part, call });
        }
    }
}

/// {lower ≤ x ≤ upper}
pub(super) fn bounds<T>(lower: Vec<T>, upper: Vec<T>) -> Polyhedron<T> {
    Polyhedron::Bounds {
        lower,
        upper,
        sum: None,
    }
}

/// n; 0 where there are more columns than memory, as [`solve`](BoundedLeastSquares::solve) says.
fn columns<T: LinalgScalar, A: LinearOperator<T> + ?Sized>(a: &A) -> usize {
    checked_size(a).map_or(0, |(_, n)| n)
}

/// A least-squares problem over bounds for one matrix: options, then [`solve`](Self::solve) as often as wanted.
///
/// ```
/// use reparam::BoundedLeastSquares;
/// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0; 1.0, 1.0];
/// let solver = BoundedLeastSquares::new(&a, &[0.0, -1.0], &[1.0, f64::INFINITY]);
/// let solution = solver.solve(&[3.0, -4.0, 0.0]).unwrap();
/// assert!(solution.status.is_solved());
/// assert_eq!(solution.x, [1.0, -1.0]); // both at a bound, exactly
/// assert!(solution.certificate.multipliers[0] < 0.0); // held down by the upper bound
/// ```
#[derive(Debug, Clone)]
pub struct BoundedLeastSquares<'a, T, A: ?Sized> {
    a: &'a A,
    request: Request<T>,
}

impl<'a, T, A> BoundedLeastSquares<'a, T, A>
where
    T: LinalgScalar,
    A: LinearOperator<T> + ?Sized,
{
    /// min ½‖A x − b‖² over lo ≤ x ≤ hi, entries ±∞ where there is no bound. The bounds are checked by
    /// [`solve`](Self::solve).
    ///
    /// ```
    /// use reparam::{BoundedLeastSquares, Error};
    /// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
    /// let crossed = BoundedLeastSquares::new(&a, &[0.0, 2.0], &[1.0, 1.0]).solve(&[1.0, 1.0]);
    /// assert!(matches!(crossed, Err(Error::CrossedBounds { index: 1, .. })));
    /// ```
    pub fn new<L: AsRef<[T]> + ?Sized, U: AsRef<[T]> + ?Sized>(a: &'a A, lower: &L, upper: &U) -> Self {
        let (lower, upper) = (lower.as_ref().to_vec(), upper.as_ref().to_vec());
        Self::over(a, bounds(lower, upper))
    }

    /// The simplex {x ≥ 0, Σ x = r}. With upper bounds: [`new`](Self::new) and [`sum`](Self::sum).
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// // shares of two spectra in a mixture
    /// let spectra = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0; 1.0, 1.0];
    /// let s = BoundedLeastSquares::simplex(&spectra, 1.0).solve(&[0.75, 0.25, 1.0]).unwrap();
    /// assert!((s.x[0] - 0.75_f64).abs() < 1e-15 && (s.x[1] - 0.25_f64).abs() < 1e-15);
    /// assert!(s.certificate.gap < 1e-15);
    /// ```
    pub fn simplex(a: &'a A, r: T) -> Self {
        let n = columns(a);
        Self::over(a, bounds(vec![T::zero(); n], vec![T::infinity(); n])).demand(r, None, "`simplex`")
    }

    /// The capped simplex {x ≥ 0, Σ x ≤ r}.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0];
    /// let capped = BoundedLeastSquares::capped_simplex(&a, 1.0);
    /// let x = capped.solve(&[0.25, 0.5]).unwrap().x; // the cap does not matter
    /// assert!((x[0] - 0.25_f64).abs() < 1e-15 && (x[1] - 0.5).abs() < 1e-15);
    /// let x = capped.solve(&[1.0, 1.0]).unwrap().x; // it does
    /// assert!((x[0] - 0.5).abs() < 1e-15 && (x[1] - 0.5).abs() < 1e-15);
    /// ```
    pub fn capped_simplex(a: &'a A, r: T) -> Self {
        let (dim, radius) = (columns(a), r);
        Self::over(a, Polyhedron::CappedSimplex { dim, radius })
    }

    /// The ball {Σ |x| ≤ r}: the lasso in its constrained form.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0];
    /// assert_eq!(BoundedLeastSquares::l1_ball(&a, 1.0).solve(&[0.5, -2.0]).unwrap().x, [0.0, -1.0]);
    /// ```
    pub fn l1_ball(a: &'a A, r: T) -> Self {
        let (dim, radius) = (columns(a), r);
        Self::over(a, Polyhedron::L1Ball { dim, radius })
    }

    /// Monotone sequences lower ≤ x_1 ≤ x_2 ≤ … ≤ x_n ≤ upper; ∓∞ where there is no bound. Equal neighbours are equal bit
    /// for bit.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::DMatrix::<f64>::identity(4, 4);
    /// let free = BoundedLeastSquares::monotone(&a, f64::NEG_INFINITY, f64::INFINITY);
    /// let x = free.solve(&[-1.0, 3.0, 1.0, 7.0]).unwrap().x;
    /// assert!(x.iter().zip([-1.0, 2.0, 2.0, 7.0]).all(|(x, y): (&f64, f64)| (x - y).abs() < 1e-14));
    /// let bounded = BoundedLeastSquares::monotone(&a, 0.0, 5.0);
    /// let x = bounded.solve(&[-1.0, 3.0, 1.0, 7.0]).unwrap().x;
    /// assert!(x.iter().zip([0.0, 2.0, 2.0, 5.0]).all(|(x, y)| (x - y).abs() < 1e-14));
    /// ```
    pub fn monotone(a: &'a A, lower: T, upper: T) -> Self {
        let dim = columns(a);
        Self::over(a, Polyhedron::Monotone { dim, lower, upper })
    }

    /// Any polyhedral set: one whose [`polyhedron`](ConstraintSet::polyhedron) is known and needs at most one sum, such as products of boxes with one
    /// simplex, tied coordinates, affine images of such sets.
    ///
    /// The problem is solved in the variables z of the standard form x = L z + s (bounds on z, and perhaps Σ z = r). ρ is that of x where the set is one
    /// of the other constructors' sets, and else that of z with the columns of A L, relative to ‖b − A s‖. Multipliers are those of the bounds, and for
    /// ties and images the gradient Aᵀ(A x − b). A dense A is written out as A L.
    ///
    /// # Errors
    /// [`Error::Setting`] for a set that is no such polyhedron: [`Minimize`](crate::Minimize) takes every set.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// use reparam::sets::{BoxSet, ConstraintSet, ProductSet, Simplex};
    /// // shares of two spectra, and an offset between −1 and 1
    /// let a = nalgebra::dmatrix![1.0, 0.0, 1.0; 0.0, 1.0, 1.0; 1.0, 1.0, 1.0; 2.0, 1.0, 1.0];
    /// let blocks: Vec<Box<dyn ConstraintSet<f64>>> =
    ///     vec![Box::new(Simplex::new(2, 1.0).unwrap()), Box::new(BoxSet::uniform(1, -1.0, 1.0).unwrap())];
    /// let solver = BoundedLeastSquares::over_set(&a, &ProductSet::new(blocks)).unwrap();
    /// let solution = solver.solve(&[1.25, 0.75, 1.5, 2.25]).unwrap();
    /// for (x, right) in solution.x.iter().zip([0.75_f64, 0.25, 0.5]) {
    ///     assert!((x - right).abs() < 1e-14);
    /// }
    /// ```
    pub fn over_set<S: ConstraintSet<T> + ?Sized>(a: &'a A, set: &S) -> Result<Self> {
        let refused = |why| Error::Setting { name: "set", why };
        let polyhedron = set
            .polyhedron()
            .ok_or_else(|| refused("is not described as a polyhedron (`ConstraintSet::polyhedron`)"))?;
        if !polyhedron.is_consistent() {
            return Err(refused("describes a polyhedron whose parts do not fit together"));
        }
        let form = StandardForm::new(&polyhedron).ok_or_else(|| refused("needs more than one sum"))?;
        if !form.is_plain() {
            return Ok(Self::over(a, polyhedron));
        }
        let whole = Self::over(a, bounds(form.lower, form.upper));
        Ok(match form.sum {
            Some((part, r)) => whole.demand(r, Some(part), "the set"),
            None => whole,
        })
    }

    fn over(a: &'a A, set: Polyhedron<T>) -> Self {
        Self {
            a,
            request: Request::new(set),
        }
    }

    /// Adds the constraint Σ x = r to the bounds. Only one sum is possible: a second one, by this call, [`sum_over`](Self::sum_over) or a
    /// constructor that demands a sum itself, is an error of [`solve`](Self::solve) ([`Error::Replaced`]).
    ///
    /// ```
    /// use reparam::{BoundedLeastSquares, Error};
    /// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0];
    /// let solver = BoundedLeastSquares::new(&a, &[0.0, 0.0], &[0.75, 0.75]);
    /// let x = solver.clone().sum(1.0).solve(&[2.0, 0.0]).unwrap().x;
    /// assert!((x[0] - 0.75_f64).abs() < 1e-15 && (x[1] - 0.25_f64).abs() < 1e-15);
    /// assert!(matches!(solver.sum(2.0).solve(&[2.0, 0.0]), Err(Error::Infeasible { .. })));
    /// ```
    pub fn sum(self, r: T) -> Self {
        self.demand(r, None, "`sum`")
    }

    /// Adds the constraint that some coordinates, given by their indices from 0, each once, sum to r: a simplex times a box, for example. As with
    /// [`sum`](Self::sum), only one is possible.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::DMatrix::<f64>::identity(3, 3);
    /// // shares in two coordinates, a free offset in the third
    /// let (lo, hi) = ([0.0, 0.0, f64::NEG_INFINITY], [f64::INFINITY; 3]);
    /// let solver = BoundedLeastSquares::new(&a, &lo, &hi).sum_over(&[0, 1], 1.0);
    /// let x = solver.solve(&[0.5, 1.0, -7.0]).unwrap().x;
    /// assert!((x[0] - 0.25).abs() < 1e-15 && (x[1] - 0.75).abs() < 1e-15 && (x[2] + 7.0).abs() < 1e-14);
    /// ```
    pub fn sum_over(self, coordinates: &[usize], r: T) -> Self {
        self.demand(r, Some(coordinates.to_vec()), "`sum_over`")
    }

    fn demand(mut self, r: T, part: Option<Vec<usize>>, call: &'static str) -> Self {
        self.request.demand(r, part, call);
        self
    }

    /// Calls an answer solved when its natural residual ρ, with the bound of its rounding error, is at most this: 1e-8 (`f64`) or 1e-4 (`f32`) unless given.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let c = BoundedLeastSquares::simplex(&a, 1.0).tolerance(1e-13).solve(&[1.0, 0.9]).unwrap().certificate;
    /// assert!(c.natural_residual <= 1e-13);
    /// ```
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.request.settings.tolerance = tolerance;
        self
    }

    /// Chooses the method.
    ///
    /// ```
    /// use reparam::{Phase, bounded::{BoundedLeastSquares, Strategy}};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let solver = BoundedLeastSquares::simplex(&a, 1.0).strategy(Strategy::ActiveSet);
    /// assert_eq!(solver.solve(&[1.0, 1.0]).unwrap().phase, Phase::ActiveSet);
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.request.settings.strategy = strategy;
        self
    }

    /// All limits at once.
    ///
    /// ```
    /// use reparam::{BoundedLeastSquares, Limits, Status};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let limits = Limits { iterations: Some(0), ..Limits::default() };
    /// let stopped = BoundedLeastSquares::simplex(&a, 1.0).limits(limits).solve(&[1.0, 1.0]).unwrap();
    /// assert_eq!(stopped.status, Status::IterationLimit);
    /// assert_eq!(stopped.x.iter().sum::<f64>(), 1.0); // feasible all the same
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.request.settings.limits = limits;
        self
    }

    /// At most this many iterations, over all phases.
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let stopped = BoundedLeastSquares::new(&a, &[0.5, -1.0], &[2.0, 1.0]).max_iterations(0).solve(&[9.0, 1.0]).unwrap();
    /// assert_eq!(stopped.x, [0.5, 0.0]); // the feasible point nearest to zero
    /// ```
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.request.settings.limits.iterations = Some(iterations);
        self
    }

    /// At most this much wall-clock time. It is checked once per iteration, so a solve overshoots by at most one (in the dense
    /// methods: by one factorisation).
    ///
    /// ```
    /// use reparam::BoundedLeastSquares;
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let solver = BoundedLeastSquares::l1_ball(&a, 1.0).time_limit(std::time::Duration::ZERO);
    /// assert_eq!(solver.solve(&[1.0, 1.0]).unwrap().status, reparam::Status::TimeLimit);
    /// ```
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.request.settings.limits.time = Some(time);
        self
    }

    /// A flag by which another thread or a signal handler can stop the solve.
    ///
    /// ```
    /// use reparam::{BoundedLeastSquares, CancelToken};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let solver = BoundedLeastSquares::simplex(&a, 1.0).cancel_token(CancelToken::new());
    /// assert!(solver.solve(&[1.0, 1.0]).unwrap().status.is_solved());
    /// ```
    pub fn cancel_token(mut self, token: CancelToken) -> Self {
        self.request.settings.limits.cancel = Some(token);
        self
    }

    /// A warm start: any feasible x, ideally the solution of a similar problem. It may lie on any of the bounds.
    ///
    /// It is checked by [`solve`](Self::solve): a wrong length, NaN, a coordinate outside its bounds or a wrong sum is an
    /// error there.
    ///
    /// ```
    /// use reparam::{BoundedLeastSquares, Error};
    /// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
    /// let solver = BoundedLeastSquares::simplex(&a, 1.0);
    /// assert!(solver.clone().start(&[0.5, 0.5]).solve(&[1.0, 1.0]).unwrap().status.is_solved());
    /// let wrong = solver.clone().start(&[1.5, -0.5]).solve(&[1.0, 1.0]);
    /// assert!(matches!(wrong, Err(Error::InfeasibleStart { index: 1, .. })));
    /// let wrong = solver.start(&[0.5, 0.25]).solve(&[1.0, 1.0]);
    /// assert!(matches!(wrong, Err(Error::InfeasibleStartSum { .. })));
    /// ```
    pub fn start(mut self, x: &[T]) -> Self {
        self.request.start = Some(x.to_vec());
        self
    }

    /// Solves for one right-hand side of length m.
    ///
    /// The multipliers of the [`Certificate`](crate::Certificate) are g_j (with a sum: g_j − λ for the coordinates that take
    /// part in it, λ the multiplier of the sum): at a solution positive only where x_j = lo_j, negative only where
    /// x_j = hi_j. For the l1 ball they are g, for monotone sequences those of x_1 ≥ lower and x_j ≥ x_{j−1}. For the sets
    /// with a constructor of their own ρ is that of the set, in x; where an operator does not know its column norms, that of
    /// the problem in the variables of the reduction.
    ///
    /// # Errors
    /// [`Error::Empty`] when A has no rows or no columns; [`Error::Dimension`] for wrong lengths, [`Error::Transposed`] when b fits Aᵀ;
    /// [`Error::NotFinite`] and [`Error::NotFiniteEntry`] for NaN and infinities in A, b and the start; [`Error::CrossedBounds`] when
    /// lo > hi or a bound is NaN; [`Error::Replaced`] for a second sum; [`Error::Infeasible`] when nothing between the bounds adds up to r;
    /// [`Error::InfeasibleStart`], [`Error::InfeasibleStartSum`]; [`Error::Setting`]; [`Error::Unrepresentable`] when the solution exceeds
    /// the number type.
    ///
    /// [`Error::Empty`]: crate::Error::Empty
    /// [`Error::Dimension`]: crate::Error::Dimension
    /// [`Error::Transposed`]: crate::Error::Transposed
    /// [`Error::NotFinite`]: crate::Error::NotFinite
    /// [`Error::NotFiniteEntry`]: crate::Error::NotFiniteEntry
    /// [`Error::CrossedBounds`]: crate::Error::CrossedBounds
    /// [`Error::Replaced`]: crate::Error::Replaced
    /// [`Error::Infeasible`]: crate::Error::Infeasible
    /// [`Error::InfeasibleStart`]: crate::Error::InfeasibleStart
    /// [`Error::InfeasibleStartSum`]: crate::Error::InfeasibleStartSum
    /// [`Error::Setting`]: crate::Error::Setting
    /// [`Error::Unrepresentable`]: crate::Error::Unrepresentable
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
    /// assert!(reparam::BoundedLeastSquares::simplex(&a, f64::NAN).solve(&[1.0, 1.0]).is_err());
    /// ```
    pub fn solve<B: AsRef<[T]> + ?Sized>(&self, b: &B) -> Result<Solution<T>> {
        T::solve_bounded(&self.request, &self.a, b.as_ref())
    }

    /// Solves for many right-hand sides: the columns of B, m×k, column after column (`DMatrix::as_slice`). What depends
    /// on A alone is prepared once. A time limit is for all of them together, an iteration limit for each.
    ///
    /// # Errors
    /// As [`solve`](Self::solve); [`Error::Dimension`] when the length of B is not a multiple of m;
    /// [`Error::NotFiniteRightHandSide`] names the entry of B that is NaN or infinite.
    ///
    /// ```
    /// use nalgebra::dmatrix;
    /// let a = dmatrix![1.0, 0.0; 0.0, 1.0];
    /// let b = dmatrix![1.0, -2.0, 3.0; 1.0, 5.0, -3.0];
    /// let solutions = reparam::BoundedLeastSquares::simplex(&a, 1.0).solve_many(&b).unwrap();
    /// assert_eq!(solutions[1].x, vec![0.0, 1.0]);
    /// ```
    pub fn solve_many<B: AsRef<[T]> + ?Sized>(&self, b: &B) -> Result<Vec<Solution<T>>> {
        T::solve_bounded_many(&self.request, &self.a, b.as_ref())
    }
}
