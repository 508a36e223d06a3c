//! Budgets of a solve, and the counters compared with them.

use super::attempt::{Attempt, Snapshot, Trace};
use super::{CancelToken, Counts, Phase, Status};
use crate::clock::Instant;
use crate::{Error, LinalgScalar, Result};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// For this long after a limit, optional work may still begin: a better bound of the gap, an x with exact zeros.
const GRACE: Duration = Duration::from_millis(100);

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
    /// At most this much wall-clock time, to within a tenth of a second and one indivisible operation: one product with the operator, one
    /// factorisation (or Gram matrix) of the size that the method has reached, one evaluation of f.
    pub time: Option<Duration>,
    /// A flag that another thread may raise. It is checked as often as the time limit.
    pub cancel: Option<CancelToken>,
}

static UNLIMITED: Limits = Limits {
    iterations: None,
    time: None,
    cancel: None,
};

/// The limits that inner loops check: all but the number of iterations. Cheap to copy; any thread may check them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop<'a> {
    limits: &'a Limits,
    clock: Instant,
}

impl<'a> Stop<'a> {
    /// Time counts from `clock`.
    pub(crate) fn new(limits: &'a Limits, clock: Instant) -> Self {
        Self { limits, clock }
    }

    /// No limit.
    pub(crate) fn never() -> Stop<'static> {
        Stop::new(&UNLIMITED, Instant::now())
    }

    /// Whether to go on.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if self.limits.cancel.as_ref().is_some_and(CancelToken::is_cancelled) {
            return Err(Status::Cancelled);
        }
        if self.limits.time.is_some_and(|t| self.clock.elapsed() >= t) {
            return Err(Status::TimeLimit);
        }
        Ok(())
    }
}

/// [`Stop`] for parallel threads: once one of them has seen a limit, all stop.
#[derive(Debug)]
pub(crate) struct Together<'a> {
    stop: Stop<'a>,
    stopped: AtomicBool,
}

impl<'a> Together<'a> {
    pub(crate) fn new(stop: Stop<'a>) -> Self {
        Self {
            stop,
            stopped: AtomicBool::new(false),
        }
    }

    /// Whether to go on.
    pub(crate) fn go_on(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let go_on = self.stop.check().is_ok();
        if !go_on {
            self.stopped.store(true, Ordering::Relaxed);
        }
        go_on
    }

    /// Whether everything was done.
    ///
    /// # Errors
    /// What stopped it.
    pub(crate) fn finished(&self) -> Result<(), Status> {
        if self.stopped.load(Ordering::Relaxed) {
            // (time does not run backwards, and a flag stays up)
            return Err(self.stop.check().err().unwrap_or(Status::TimeLimit));
        }
        Ok(())
    }
}

thread_local! {
    static WATCHED: RefCell<Option<(Limits, Instant)>> = const { RefCell::new(None) };
}

/// While this value lives, [`is_over`] tells on this thread whether a limit has been reached. It is for loops behind traits without an argument
/// for limits: the projection of a set, the steps of a search.
#[derive(Debug)]
pub(crate) struct Watch(Option<(Limits, Instant)>);

pub(crate) fn watch(limits: &Limits, clock: Instant) -> Watch {
    let limited = limits.time.is_some() || limits.cancel.is_some();
    let now = limited.then(|| (limits.clone(), clock));
    Watch(WATCHED.with(|w| w.replace(now)))
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.with(|w| w.replace(self.0.take()));
    }
}

/// Whether the run on this thread has reached its time limit or was cancelled. Work skipped for that reason claims nothing.
pub(crate) fn is_over() -> bool {
    WATCHED.with(|w| {
        let watched = w.borrow();
        let over = |(limits, clock): &(Limits, Instant)| Stop::new(limits, *clock).check().is_err();
        watched.as_ref().is_some_and(over)
    })
}

/// Why a preparation was not completed.
#[derive(Debug)]
pub(crate) enum Halt {
    Error(Error),
    Limit(Status),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Status> for Halt {
    fn from(limit: Status) -> Self {
        Self::Limit(limit)
    }
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
    /// Whether a damped problem was factored: its columns are independent even where those of A are not.
    pub(crate) damped: bool,
    /// When a limit was first found to be reached.
    over: Cell<Option<Instant>>,
    /// What factors have cost, in passes: operations over those of a pass, an eighth of them where they run in blocks (a Gram matrix of n
    /// columns takes as long as n/16 passes).
    pub(crate) factor_passes: f64,
    trace: Trace,
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
            over: Cell::new(None),
            factor_passes: 0.0,
            trace: Trace::default(),
        }
    }

    /// Why the method that begins next is tried.
    pub(crate) fn because(&mut self, why: &'static str) {
        self.trace.because(why);
    }

    /// A method begins: cost from here on is counted as its own.
    pub(crate) fn begin(&mut self, method: Phase) {
        let now = self.snapshot();
        self.trace.begin(method, now);
    }

    /// Why the method that began last was cut short.
    pub(crate) fn ended(&mut self, why: &'static str) {
        self.trace.ended(why);
    }

    /// Records ρ at the current point.
    pub(crate) fn saw(&mut self, rho: f64) {
        self.trace.saw(rho);
    }

    /// The trace, with the limit that ended the last method.
    pub(crate) fn take_trace<T: LinalgScalar>(&mut self, limit: Option<Status>) -> Vec<Attempt<T>> {
        let now = self.snapshot();
        std::mem::take(&mut self.trace).finish(now, limit)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            iterations: self.iterations,
            passes: self.passes,
            factorisations: self.factorisations,
            elapsed: self.elapsed(),
        }
    }

    /// The limits other than iterations, for checks within a step.
    pub(crate) fn stop(&self) -> Stop<'a> {
        Stop::new(self.limits, self.clock)
    }

    /// Whether the time for optional work is over, too: a tenth of a second after a limit was found to be reached.
    pub(crate) fn is_overdue(&self) -> bool {
        self.stop().check().is_err() && {
            let over = self.over.get().unwrap_or_else(Instant::now);
            self.over.set(Some(over));
            over.elapsed() >= GRACE
        }
    }

    /// All that was spent so far, in passes: a count and not a time, so that what depends on it is reproducible.
    pub(crate) fn cost(&self) -> f64 {
        self.passes + self.factor_passes
    }

    /// Whether a limit has been reached.
    pub(crate) fn check(&self) -> Result<(), Status> {
        if let Err(limit) = self.stop().check() {
            self.over.set(self.over.get().or_else(|| Some(Instant::now())));
            return Err(limit);
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
