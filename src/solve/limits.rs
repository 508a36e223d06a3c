//! Budgets of a solve, and the counters that are held against them.

use super::{CancelToken, Counts, Status};
use crate::clock::Instant;
use std::time::Duration;

/// What may end a solve early. Nothing is limited by default.
///
/// ```
/// use reparam::Limits;
/// let limits = Limits { iterations: Some(100), ..Limits::default() };
/// assert!(limits.time.is_none());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// At most this many iterations, over all phases.
    pub iterations: Option<usize>,
    /// At most this much wall-clock time.
    pub time: Option<Duration>,
    /// A flag that somebody else may raise.
    pub cancel: Option<CancelToken>,
}

/// A solve in progress: limits, start, counters.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    limits: &'a Limits,
    clock: Instant,
    start: Instant,
    pub(crate) iterations: usize,
    /// Products with A or Aᵀ; a sweep over part of the entries counts as that part.
    pub(crate) passes: f64,
    pub(crate) factorisations: usize,
    /// A problem with damping below A was factored: what is independent there need not be so in A.
    pub(crate) damped: bool,
}

#[cfg(test)]
impl Run<'static> {
    /// For tests of what runs inside of a solve.
    pub(crate) fn unlimited() -> Self {
        let now = Instant::now();
        Self::new(Box::leak(Box::default()), now, now)
    }
}

impl<'a> Run<'a> {
    /// One of perhaps several solves that share a time limit, whose clock started at `clock`; its own time counts from `start`.
    pub(crate) fn new(limits: &'a Limits, clock: Instant, start: Instant) -> Self {
        Self {
            limits,
            clock,
            start,
            iterations: 0,
            passes: 0.0,
            factorisations: 0,
            damped: false,
        }
    }

    /// Whether a limit has been reached.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if self.limits.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Status::Cancelled);
        }
        if self.limits.time.is_some_and(|t| self.clock.elapsed() >= t) {
            return Err(Status::TimeLimit);
        }
        if self.limits.iterations.is_some_and(|k| self.iterations >= k) {
            return Err(Status::IterationLimit);
        }
        Ok(())
    }

    /// Begins an iteration, unless a limit forbids it.
    pub(crate) fn iteration(&mut self) -> Result<(), Status> {
        self.check()?;
        self.iterations += 1;
        Ok(())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            passes: self.passes,
            factorisations: self.factorisations,
            ..Counts::default()
        }
    }
}
