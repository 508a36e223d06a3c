//! What every solver shares: status, certificate, solution, limits, cancellation.

mod cancel;
mod certificate;
mod finish;
mod history;
mod integrate;
mod judge;
mod limits;
mod minimize;
#[cfg(feature = "serde")]
pub(crate) mod sealed;
mod snapshot;
mod solution;
mod status;

pub use cancel::CancelToken;
pub use certificate::Certificate;
#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use finish::{is_due, is_left};
pub use history::{History, Record};
pub(crate) use integrate::Integration;
pub use integrate::{Integrate, StopAnswer};
#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use judge::{Judge, section};
pub use limits::Limits;
pub(crate) use limits::Run;
pub(crate) use minimize::Minimization;
pub use minimize::{Checkpoint, Minimize, Progress};
pub use snapshot::{Integrated, Snapshot};
pub use solution::{Counts, Phase, Solution};
pub use status::Status;

/// 1e-8 in `f64`, 1e-4 in `f32`.
pub(crate) fn default_tolerance<T: crate::Scalar>() -> T {
    if T::epsilon().as_f64() < 1e-10 {
        T::lit(1e-8)
    } else {
        T::lit(1e-4)
    }
}
