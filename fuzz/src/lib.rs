//! What is fuzzed: from bytes to a problem, and what must hold of it whatever the bytes say.
//!
//! With a nightly compiler `cargo fuzz run TARGET` searches for bytes that break something (docs/hardening.md). With any compiler
//! this file is the test program `fuzzed` of the crate, which runs the same functions on pseudo-random bytes.

mod bounded;
mod checkpoint_bytes;
#[path = "../../src/bin/reparam/error.rs"]
#[allow(dead_code)]
mod error;
#[path = "../../tests/nnls/differential/exact.rs"]
#[allow(dead_code, unreachable_pub)]
mod exact;
mod files;
mod input;
mod map_points;
mod minimization;
mod non_negative;
#[path = "../../src/bin/reparam/read/mod.rs"]
#[allow(dead_code)]
mod read;

pub use bounded::{bounds, sums};
pub use checkpoint_bytes::checkpoints;
pub use files::readers;
pub use map_points::maps;
pub use minimization::minimize;
pub use non_negative::nnls;

#[cfg(test)]
mod pseudo_random {
    use reparam::testing::Random;

    /// Inputs of every length up to 400 bytes; which ones by the environment variable `REPARAM_FUZZED`, FROM..TO.
    fn run(target: fn(&[u8]), usual: u64) {
        let asked = std::env::var("REPARAM_FUZZED").ok();
        let range = asked.as_deref().and_then(|range| range.split_once(".."));
        let (from, to) = match range.map(|(from, to)| (from.parse(), to.parse())) {
            Some((Ok(from), Ok(to))) => (from, to),
            _ => (0, usual),
        };
        for case in from..to {
            let mut random = Random::new(case);
            let mut data = vec![0; (random.bits() % 400) as usize];
            for eight in data.chunks_mut(8) {
                let bits = random.bits().to_le_bytes();
                eight.copy_from_slice(&bits[..eight.len()]);
            }
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "input {case}, of {} bytes", data.len());
        }
    }

    #[test]
    fn nnls() {
        run(super::nnls, 3000);
    }

    #[test]
    fn bounds() {
        run(super::bounds, 2000);
    }

    #[test]
    fn sums() {
        run(super::sums, 2000);
    }

    #[test]
    fn maps() {
        run(super::maps, 5000);
    }

    #[test]
    fn minimize() {
        run(super::minimize, 500);
    }

    #[test]
    fn checkpoints() {
        run(super::checkpoints, 3000);
    }

    #[test]
    fn readers() {
        run(super::readers, 3000);
    }
}
