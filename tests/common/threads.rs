//! A fixed number of threads, whatever the machine has.
#![allow(unreachable_pub, clippy::unwrap_used)]

/// f in a pool of so many threads.
pub fn with_threads<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(f)
}
