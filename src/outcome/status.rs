//! How a solve ended.

use std::fmt;

/// How a solve ended. Only [`is_solved`](Self::is_solved) claims a solution; every other status still comes
/// with the best feasible point found.
///
/// ```
/// use reparam::Status;
/// assert!(Status::Solved.is_solved() && !Status::TimeLimit.is_solved());
/// assert_eq!(Status::TimeLimit.to_string(), "stopped: the time limit was reached");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Status {
    /// The natural residual in x is at most the tolerance: a solution (of a convex problem: a global one). For least squares, including a bound of its
    /// rounding error ([`Certificate::natural_residual_error`](crate::Certificate::natural_residual_error)).
    Solved,
    /// The natural residual in x is at most the tolerance: a stationary (KKT) point of a problem that is not known to be convex.
    Stationary,
    /// x is optimal to within rounding, although ρ, which is relative to f, stays above the tolerance. The predicted decrease of a step is below the
    /// rounding error of f (or, where f goes to zero, below the change of f by rounding of x), and the gap, where there is one, agrees.
    AtPrecision,
    /// Unbounded: x diverges while f decreases, until its squares (or f) overflow. The problem has no solution, or none that numbers of this type
    /// reach. Never over a bounded set.
    AtInfinity,
    /// By its gradient x is stationary, but f does not change along the steps as that gradient predicts: one of the two is wrong
    /// ([`check_objective`](crate::testing::check_objective) says where). Found only where the difference is a few per cent of the
    /// change of f along a step.
    InconsistentGradient,
    /// The evaluation limit was reached.
    EvaluationLimit,
    /// No method makes further progress in this precision. The residual is above the tolerance, or its rounding error is too large to show that it
    /// is not. (For coordinates of 1e13, say, the spacing of floating-point numbers near a solution may be too coarse.)
    Stalled,
    /// The gradient is no larger than its own error (finite differences of a function with noise or rounding). No method can make progress
    /// with it, and nothing can be claimed. Supply an exact gradient.
    NoiseLimit,
    /// The iteration limit was reached.
    IterationLimit,
    /// The time limit was reached.
    TimeLimit,
    /// A [`CancelToken`](crate::CancelToken) was raised.
    Cancelled,
    /// A product or an evaluation was NaN or infinite: the answer is the best point before it.
    NotFinite,
    /// The flow has reached its end time; the residual is above the tolerance.
    EndTime,
    /// A stopping rule (held-out data, the discrepancy principle, a rule of the user's) was met before convergence.
    StoppedEarly,
    /// A step of an integrator left the domain of its dynamics, because it was too long: the answer is the point before it.
    LeftDomain,
    /// f fell to the target that was asked for; the residual is above the tolerance.
    TargetReached,
}

impl Status {
    /// Whether the answer is claimed to solve the problem to the tolerance.
    ///
    /// ```
    /// assert!(reparam::Status::Solved.is_solved());
    /// ```
    pub fn is_solved(self) -> bool {
        self == Self::Solved
    }

    /// Whether the run has converged: ρ is at most the tolerance, convex or not, or x is optimal
    /// [as far as rounding shows](Self::AtPrecision).
    ///
    /// ```
    /// use reparam::Status;
    /// assert!([Status::Solved, Status::Stationary, Status::AtPrecision].iter().all(|s| s.is_converged()));
    /// assert!(!Status::AtPrecision.is_solved()); // no residual within the tolerance stands for it
    /// ```
    pub fn is_converged(self) -> bool {
        matches!(self, Self::Solved | Self::Stationary | Self::AtPrecision)
    }

    /// A word for machines: `solved`, `stationary`, `at-precision`, `inconsistent-gradient`, `at-infinity`, `stalled`, `noise-limit`, `iteration-limit`, `evaluation-limit`, `time-limit`,
    /// `cancelled`, `not-finite`, `end-time`, `stopped-early`, `left-domain`, `target-reached`.
    ///
    /// ```
    /// assert_eq!(reparam::Status::IterationLimit.word(), "iteration-limit");
    /// ```
    pub fn word(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Stationary => "stationary",
            Self::AtPrecision => "at-precision",
            Self::AtInfinity => "at-infinity",
            Self::InconsistentGradient => "inconsistent-gradient",
            Self::EvaluationLimit => "evaluation-limit",
            Self::Stalled => "stalled",
            Self::NoiseLimit => "noise-limit",
            Self::IterationLimit => "iteration-limit",
            Self::TimeLimit => "time-limit",
            Self::Cancelled => "cancelled",
            Self::NotFinite => "not-finite",
            Self::EndTime => "end-time",
            Self::StoppedEarly => "stopped-early",
            Self::LeftDomain => "left-domain",
            Self::TargetReached => "target-reached",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Solved => "solved to the tolerance",
            Self::Stationary => "stationary to the tolerance (convexity is not known)",
            Self::AtPrecision => "converged as far as rounding shows (ρ is above the tolerance)",
            Self::AtInfinity => "stopped: x runs to infinity while the objective falls",
            Self::InconsistentGradient => {
                "stopped: f does not change as its gradient says (testing::check_objective shows where)"
            }
            Self::EvaluationLimit => "stopped: the evaluation limit was reached",
            Self::NoiseLimit => "stopped: the gradient is below its own error (finite differences)",
            Self::Stalled => "stopped: no further progress in this precision",
            Self::IterationLimit => "stopped: the iteration limit was reached",
            Self::TimeLimit => "stopped: the time limit was reached",
            Self::Cancelled => "stopped: cancelled",
            Self::NotFinite => "stopped: a value of the problem was not finite",
            Self::EndTime => "stopped: the end time was reached",
            Self::StoppedEarly => "stopped: the stopping rule was met",
            Self::LeftDomain => "stopped: the step was too long and left the domain of the dynamics",
            Self::TargetReached => "stopped: the target value was reached",
        })
    }
}
