//! What every solver shares: status, certificate, solution, limits, cancellation.

mod cancel;
mod certificate;
mod finish;
mod history;
mod integrate;
mod judge;
mod limits;
mod minimize;
mod solution;
mod status;

pub use cancel::CancelToken;
pub use certificate::Certificate;
pub use history::{History, Record};
pub use integrate::{Integrate, Integrated, Snapshot};
pub use limits::Limits;
pub(crate) use limits::Run;
pub use minimize::{Checkpoint, Minimize, Progress};
pub use solution::{Counts, Phase, Solution};
pub use status::Status;
