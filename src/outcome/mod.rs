//! What every solver returns (solution, certificate, status), and what limits it (budgets, counters, cancellation).

mod attempt;
mod cancel;
mod certificate;
mod limits;
mod solution;
mod status;

pub use attempt::Attempt;
pub use cancel::CancelToken;
pub use certificate::{Certificate, Uniqueness};
pub use limits::Limits;
pub(crate) use limits::{Halt, Run, Stop, Together, is_over, watch};
pub use solution::{Counts, Phase, Solution};
pub use status::Status;

/// 1e-8 in `f64`, 1e-4 in `f32`: the accuracy that every method reaches. The exact methods reach far smaller residuals.
pub(crate) fn default_tolerance<T: crate::Scalar>() -> T {
    if T::epsilon().as_f64() < 1e-10 {
        T::lit(1e-8)
    } else {
        T::lit(1e-4)
    }
}
