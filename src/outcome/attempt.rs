//! The trace of a solve: the methods it tried, in order.

use super::{Counts, Phase, Status};
use crate::LinalgScalar;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// One method that a solver of least squares tried: why, what it cost, and how it ended. See [`Solution::trace`](crate::Solution::trace).
///
/// ```
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0; 0.0, 0.2];
/// let solution = reparam::nnls(&a, &[1.0, 2.0, -1.0]).unwrap();
/// let passes: f64 = solution.trace.iter().map(|attempt| attempt.counts.passes).sum();
/// assert!(!solution.trace.is_empty() && passes <= solution.counts.passes);
/// println!("{solution:#}"); // with a table of them
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Attempt<T> {
    /// The method.
    pub method: Phase,
    /// Why it was tried.
    pub why: Cow<'static, str>,
    /// Why it was cut short, where that was recorded; empty where it ran to completion.
    pub ended: Cow<'static, str>,
    /// Its iterations.
    pub iterations: usize,
    /// Its passes over A and factorisations.
    pub counts: Counts,
    /// Its wall-clock time.
    pub elapsed: Duration,
    /// The natural residual ρ at its end point, where that was computed.
    pub natural_residual: Option<T>,
}

/// The attempts of a solve in progress. (ρ in `f64`, whatever the numbers of the problem are.)
#[derive(Debug, Default)]
pub(crate) struct Trace {
    attempts: Vec<Attempt<f64>>,
    /// Why the next method is tried.
    next: &'static str,
    /// The counters at the beginning of the last attempt.
    before: Snapshot,
}

/// Counters of a run at some moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Snapshot {
    pub(crate) iterations: usize,
    pub(crate) passes: f64,
    pub(crate) factorisations: usize,
    pub(crate) elapsed: Duration,
}

impl Trace {
    /// Why the next method will be tried.
    pub(crate) fn because(&mut self, why: &'static str) {
        self.next = why;
    }

    /// Another method begins.
    pub(crate) fn begin(&mut self, method: Phase, now: Snapshot) {
        self.close(now);
        self.attempts.push(Attempt {
            method,
            why: Cow::Borrowed(std::mem::take(&mut self.next)),
            ended: Cow::Borrowed(""),
            iterations: 0,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            natural_residual: None,
        });
    }

    /// The cost of the last attempt up to now.
    fn close(&mut self, now: Snapshot) {
        if let Some(last) = self.attempts.last_mut() {
            last.iterations = now.iterations - self.before.iterations;
            last.counts.passes = now.passes - self.before.passes;
            last.counts.factorisations = now.factorisations - self.before.factorisations;
            last.elapsed = now.elapsed.saturating_sub(self.before.elapsed);
        }
        self.before = now;
    }

    /// Why the last method ended.
    pub(crate) fn ended(&mut self, why: &'static str) {
        if let Some(last) = self.attempts.last_mut() {
            last.ended = Cow::Borrowed(why);
        }
    }

    /// ρ at the end point of the last method.
    pub(crate) fn saw(&mut self, rho: f64) {
        if let Some(last) = self.attempts.last_mut() {
            last.natural_residual = Some(rho);
        }
    }

    /// All of them, at the end of a solve.
    pub(crate) fn finish<T: LinalgScalar>(mut self, now: Snapshot, limit: Option<Status>) -> Vec<Attempt<T>> {
        self.close(now);
        if let (Some(limit), Some(last)) = (limit, self.attempts.last_mut())
            && last.ended.is_empty()
        {
            last.ended = limit.to_string().into();
        }
        self.attempts.into_iter().map(Attempt::cast).collect()
    }
}

impl Attempt<f64> {
    fn cast<T: LinalgScalar>(self) -> Attempt<T> {
        Attempt {
            method: self.method,
            why: self.why,
            ended: self.ended,
            iterations: self.iterations,
            counts: self.counts,
            elapsed: self.elapsed,
            natural_residual: self.natural_residual.map(T::lit),
        }
    }
}

impl<T: fmt::LowerExp> fmt::Display for Attempt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.method)?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        write!(
            f,
            ": {} iterations, {:.0} passes",
            self.iterations,
            self.counts.passes.ceil()
        )?;
        if self.counts.factorisations > 0 {
            write!(f, ", {} factorisations", self.counts.factorisations)?;
        }
        write!(f, ", {:.3?}", self.elapsed)?;
        if let Some(rho) = &self.natural_residual {
            write!(f, ", ρ = {rho:.1e}")?;
        }
        if !self.ended.is_empty() {
            write!(f, "; {}", self.ended)?;
        }
        Ok(())
    }
}
