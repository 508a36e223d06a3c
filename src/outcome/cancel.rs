//! Stopping a solve from another thread, an observer or a signal handler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that stops a solve, from another thread for example. Cheap to clone; all clones share one flag.
///
/// ```
/// use reparam::{CancelToken, Nnls, Status};
/// let token = CancelToken::new();
/// token.cancel(); // from anywhere: here even before the start
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let solution = Nnls::new(&a).cancel_token(token).solve(&[1.0, 1.0]).unwrap();
/// assert_eq!(solution.status, Status::Cancelled);
/// assert!(solution.x.iter().all(|x| *x >= 0.0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A flag that is not raised.
    ///
    /// ```
    /// assert!(!reparam::CancelToken::new().is_cancelled());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag: the solve stops at the next iteration with [`Status::Cancelled`](crate::Status::Cancelled).
    ///
    /// ```
    /// let token = reparam::CancelToken::new();
    /// token.clone().cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is raised.
    ///
    /// ```
    /// assert!(!reparam::CancelToken::new().is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
