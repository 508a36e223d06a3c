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
mod start;
mod status;
mod verify;

pub use cancel::CancelToken;
pub use certificate::{Certificate, Uniqueness};
#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use finish::{is_due, is_left};
pub use history::{History, Record};
pub(crate) use integrate::Integration;
pub use integrate::{Integrate, StopAnswer};
#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use judge::Judge;
pub use limits::Limits;
pub(crate) use limits::{Halt, Run, Stop, Together, Unbegun, is_over};
pub(crate) use minimize::Minimization;
pub use minimize::{Checkpoint, Minimize, Progress};
pub use snapshot::{Integrated, Snapshot};
pub use solution::{Counts, Phase, Solution};
pub(crate) use start::{section, start_point};
pub use status::Status;

/// Vectors of the length of u and of x that every run needs, at least.
const VECTORS: usize = 4;

/// The map and its set agree in their dimension, and there is memory for a few points; asked before anything is allocated.
pub(crate) fn check_sizes<T, M>(map: &M) -> crate::Result<()>
where
    T: crate::Scalar,
    M: crate::maps::Reparametrization<T> + ?Sized,
{
    use crate::checks::{check_len, check_memory};
    check_len("the set of the map", map.dim_x(), map.set().dim())?;
    check_memory::<T>("points of the map", map.dim_u().saturating_mul(VECTORS))?;
    check_memory::<T>("points of the set", map.dim_x().saturating_mul(VECTORS))?;
    check_memory::<T>("scratch of the map", map.scratch_len())?;
    check_memory::<T>("scratch of the set", map.set().scratch_len())
}

/// 1e-8 in `f64`, 1e-4 in `f32`.
pub(crate) fn default_tolerance<T: crate::Scalar>() -> T {
    if T::epsilon().as_f64() < 1e-10 {
        T::lit(1e-8)
    } else {
        T::lit(1e-4)
    }
}
