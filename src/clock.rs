//! The clock for time limits and elapsed times: the system clock, where there is one.
//!
//! `wasm32-unknown-unknown` has none, and the standard library's clock panics there. Ours stands still then: elapsed times are zero, and a time
//! limit never ends a run (an iteration limit or a cancellation does).

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub(crate) use std::time::Instant;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
pub(crate) use still::Instant;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod still {
    use std::time::Duration;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant;

    impl Instant {
        pub(crate) fn now() -> Self {
            Self
        }
        pub(crate) fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }
}
