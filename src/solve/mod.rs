//! The general engines: [`Minimize`] and [`Integrate`].

mod finish;
mod history;
mod integrate;
mod minimize;
mod optimality;
mod residual;
#[cfg(feature = "serde")]
pub(crate) mod sealed;
mod snapshot;
mod verify;

#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use finish::{is_due, is_left};
pub use history::{History, Record};
pub(crate) use integrate::Integration;
pub use integrate::{Integrate, StopAnswer};
pub(crate) use minimize::Iterate;
pub(crate) use minimize::Minimization;
pub use minimize::{Checkpoint, Minimize, Progress};
#[cfg(any(feature = "argmin", feature = "basin"))]
pub(crate) use optimality::Optimality;
pub use snapshot::{Integrated, Snapshot};

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
