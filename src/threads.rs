//! The thread pool that parallel work runs in: the caller's, or rayon's global one; after a fork, one of this process.
//!
//! A forked child has one thread, the one that called `fork`. rayon's global pool still counts the others, and waits for them without end.
//! So all parallel work enters here: in a process other than the first that called, it gets a pool of its own.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The process that first used threads here; 0 before.
static HOME: AtomicU32 = AtomicU32::new(0);
/// The pool of another process, with its number. A pool inherited from a parent is left alone: its threads are not there.
static FORKED: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// f, where rayon's threads are those of this process. How many there are changes no bit of what f computes.
pub(crate) fn within<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    let process = std::process::id();
    match HOME.compare_exchange(0, process, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => f(),
        Err(home) if home == process => f(),
        Err(_) => match pool_of(process) {
            Some(pool) => pool.install(f),
            // (no threads to be had, and none that could be waited for)
            None => f(),
        },
    }
}

fn pool_of(process: u32) -> Option<Arc<ThreadPool>> {
    let mut forked = FORKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, pool)) = &*forked
        && *owner == process
    {
        return Some(Arc::clone(pool));
    }
    let pool = Arc::new(ThreadPoolBuilder::new().build().ok()?);
    let inherited = forked.replace((process, Arc::clone(&pool)));
    // (to drop it would be to wake threads that are not there)
    std::mem::forget(inherited);
    Some(pool)
}
