//! The solution that a solver returns.

use super::{Attempt, Certificate, Status, Uniqueness};
use std::fmt;
use std::time::Duration;

/// The method that produced an answer.
///
/// ```
/// use reparam::Phase;
/// assert_eq!(Phase::BlockExchange.to_string(), "block exchange on the Gram matrix");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The start point itself (zero when none was given): b = 0, nothing to gain, or stopped at once.
    Start,
    /// Block exchange of the active set on the Gram matrix, refined with the residual in A.
    BlockExchange,
    /// A monotone active set on a Gram or QR factor that grows with the support.
    ActiveSet,
    /// Coordinate descent on the columns.
    CoordinateDescent,
    /// Working sets solved exactly in a small dense Gram matrix, refined with the residual in A.
    WorkingSet,
    /// Projected conjugate gradients.
    ProjectedCg,
    /// Accelerated projected gradients.
    AcceleratedGradient,
    /// A primal-dual interior-point method with inexact steps.
    InteriorPoint,
    /// The nearest point of {x ≥ 0 : A x = b} to an interior one, by the dual of that projection.
    LeastDistance,
    /// L-BFGS on the lift.
    Lbfgs,
    /// L-BFGS in x over a box.
    BoxLbfgs,
    /// Nonlinear conjugate gradients on the lift.
    ConjugateGradient,
    /// Trust-region Newton on the lift.
    TrustRegion,
    /// Levenberg–Marquardt on the lift.
    LevenbergMarquardt,
    /// A method of the user's, or of another crate, by its name.
    Custom(&'static str),
    /// A factorisation on the free coordinates that a method on the lift identified ([`Minimize::exact_finish`](crate::Minimize::exact_finish)).
    ExactFinish,
    /// An integrator of the lift's dynamics, by its name.
    Integrator(&'static str),
}

impl Phase {
    /// Whether this least-squares method factors the columns of the coordinates between their bounds. They are then independent if it ran to its end.
    pub(crate) fn factors_its_face(self) -> bool {
        matches!(self, Self::BlockExchange | Self::ActiveSet | Self::WorkingSet)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the start point",
            Self::BlockExchange => "block exchange on the Gram matrix",
            Self::ActiveSet => "active set on a growing factor",
            Self::CoordinateDescent => "coordinate descent",
            Self::WorkingSet => "working sets in a dense Gram matrix",
            Self::ProjectedCg => "projected conjugate gradients",
            Self::AcceleratedGradient => "accelerated projected gradients",
            Self::InteriorPoint => "interior-point method",
            Self::LeastDistance => "least distance to the points with A x = b",
            Self::Lbfgs => "L-BFGS on the lift",
            Self::BoxLbfgs => "L-BFGS on a box",
            Self::ConjugateGradient => "conjugate gradients on the lift",
            Self::TrustRegion => "trust-region Newton on the lift",
            Self::LevenbergMarquardt => "Levenberg–Marquardt on the lift",
            Self::Custom(name) => name,
            Self::ExactFinish => "exact finish on the face that the lift found",
            Self::Integrator(name) => name,
        })
    }
}

/// What a solve cost.
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let counts = reparam::nnls(&a, &[1.0, 1.0]).unwrap().counts;
/// assert!(counts.passes >= 2.0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Counts {
    /// Products with A or Aᵀ. Work on part of A counts as that part of a product; a Gram matrix of k columns as
    /// k products.
    pub passes: f64,
    /// Factorisations from scratch (up- and downdates are not counted).
    pub factorisations: usize,
    /// Evaluations of f.
    pub values: usize,
    /// Evaluations of ∇f (an evaluation of both counts in both).
    pub gradients: usize,
    /// Products with ∇²f.
    pub hessian_products: usize,
    /// Steps in x away from points where the lift is stationary but f is not.
    pub releases: usize,
}

/// The answer of a solver, with its evidence. Always feasible, whatever the status.
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0];
/// let solution = reparam::nnls(&a, &[3.0, -4.0]).unwrap();
/// assert_eq!(solution.x, vec![3.0, 0.0]); // an exact zero, not 1e-17
/// assert_eq!(solution.residual, vec![0.0, -4.0]);
/// assert_eq!(solution.objective, 8.0);
/// assert!(solution.status.is_solved());
/// println!("{solution}");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Solution<T> {
    /// The point, length n.
    pub x: Vec<T>,
    /// f(x); for least squares ½‖A x − b‖² (which may overflow to +∞ or underflow to 0 where
    /// [`residual_norm`](Self::residual_norm) does not).
    pub objective: T,
    /// The residual of least squares at [`x`](Self::x), without weights and without a ridge, length m: b − A x of [`Nnls`](crate::Nnls),
    /// [`BoundedLeastSquares`](crate::BoundedLeastSquares), [`LeastSquares`](crate::objectives::LeastSquares) and
    /// [`Composite`](crate::objectives::Composite) with the squared loss; r(x) of
    /// [`NonlinearLeastSquares`](crate::objectives::NonlinearLeastSquares), with the sign of the user's function.
    ///
    /// Empty for every other objective (other losses, closures, what another crate's solver minimises), and for no other reason.
    ///
    /// ```
    /// use reparam::{Minimize, maps::Squares, objectives::{FromFn, LeastSquares}};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64; 0.0], &[3.0, 4.0]).unwrap();
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().run().unwrap();
    /// assert!(s.residual[0].abs() < 1e-9 && s.residual[1] == 4.0 && (s.residual_norm - 4.0).abs() < 1e-9);
    /// let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * g[0] * g[0]) });
    /// let s = Minimize::new(f, Squares::new(1)).unwrap().run().unwrap();
    /// assert!(s.residual.is_empty() && s.residual_norm.is_nan());
    /// ```
    pub residual: Vec<T>,
    /// The Euclidean norm of [`residual`](Self::residual), free of overflow; NaN where that is empty (or not finite itself).
    pub residual_norm: T,
    /// How it ended.
    pub status: Status,
    /// The evidence.
    pub certificate: Certificate<T>,
    /// Iterations over all phases.
    pub iterations: usize,
    /// Passes over A and factorisations.
    pub counts: Counts,
    /// The method that produced x.
    pub phase: Phase,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// The methods that were tried, in order: of least squares by [`Nnls`](crate::Nnls) and [`BoundedLeastSquares`](crate::BoundedLeastSquares),
    /// empty elsewhere. `{:#}` prints them.
    pub trace: Vec<Attempt<T>>,
}

impl<T: crate::Scalar> Solution<T> {
    /// The number of positive (for x ≥ 0: non-zero) coordinates.
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0, 0.0; 0.0, 1.0];
    /// assert_eq!(reparam::nnls(&a, &[3.0, -4.0]).unwrap().support_len(), 1);
    /// ```
    pub fn support_len(&self) -> usize {
        self.x.iter().filter(|v| **v != T::zero()).count()
    }
}

impl<T: crate::Scalar> fmt::Display for Solution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "status      {}", self.status)?;
        write!(f, "objective   {:.10e}", self.objective)?;
        // objectives other than least squares have none
        if self.residual_norm.is_nan() {
            writeln!(f)?;
        } else {
            writeln!(f, "   ‖b − A x‖ = {:.6e}", self.residual_norm)?;
        }
        let (rho, gap) = (self.certificate.natural_residual, self.certificate.gap);
        if self.status == Status::AtPrecision {
            // (ρ is not what the claim rests on)
            writeln!(
                f,
                "optimality  no step changes f beyond rounding (ρ = {rho:.1e} of f)   gap ≤ {gap:.1e}"
            )?;
        } else {
            writeln!(f, "optimality  ρ = {rho:.1e}   gap ≤ {gap:.1e}")?;
        }
        writeln!(f, "support     {} of {}", self.support_len(), self.x.len())?;
        if self.certificate.uniqueness != Uniqueness::NotKnown {
            writeln!(f, "uniqueness  {}", self.certificate.uniqueness)?;
        }
        write!(f, "method      {}", self.phase)?;
        match self.trace.len() {
            0 | 1 => writeln!(f)?,
            k => writeln!(f, " ({k} attempts)")?,
        }
        write!(f, "cost        {} iterations, ", self.iterations)?;
        let c = &self.counts;
        if c.values > 0 {
            write!(f, "{} values, {} gradients", c.values, c.gradients)?;
            if c.hessian_products > 0 {
                write!(f, ", {} Hessian products", c.hessian_products)?;
            }
            if c.factorisations > 0 {
                write!(f, ", {} factorisations", c.factorisations)?;
            }
        } else {
            write!(
                f,
                "{:.0} passes over A, {} factorisations",
                c.passes.ceil(),
                c.factorisations
            )?;
        }
        write!(f, ", {:.3?}", self.elapsed)?;
        if f.alternate() {
            for (k, attempt) in self.trace.iter().enumerate() {
                let name = if k == 0 { "tried" } else { "" };
                write!(f, "\n{name:<12}{}. {attempt}", k + 1)?;
            }
        }
        Ok(())
    }
}
