//! What every solver shares: status, certificate, solution, limits, cancellation.

mod cancel;
mod certificate;
mod limits;
mod solution;
mod status;

pub use cancel::CancelToken;
pub use certificate::Certificate;
pub use limits::Limits;
pub(crate) use limits::Run;
pub use solution::{Counts, Phase, Solution};
pub use status::Status;
