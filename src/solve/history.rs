//! A record of a run, one line per iteration.

use super::Progress;
use crate::Scalar;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// One line of a [`History`].
///
/// ```
/// let record = reparam::Record { iteration: 3, value: 0.5, natural_residual: 1e-3, evaluations: 4, seconds: 0.01 };
/// assert_eq!(record.iteration, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record<T> {
    /// Iterations so far.
    pub iteration: usize,
    /// f(x).
    pub value: T,
    /// ρ(x).
    pub natural_residual: T,
    /// Evaluations of f so far.
    pub evaluations: usize,
    /// Time so far.
    pub seconds: f64,
}

/// A record of every iteration, for plots and tables.
///
/// ```
/// use reparam::{History, Minimize, maps::Squares, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let mut history = History::new();
/// let f = LeastSquares::new(&a, &[3.0, 1.0]).unwrap();
/// Minimize::new(f, Squares::new(2)).unwrap().observe(history.observer()).run().unwrap();
/// let mut csv = Vec::new();
/// history.write_csv(&mut csv).unwrap();
/// let text = String::from_utf8(csv).unwrap();
/// assert!(text.starts_with("iteration,value,natural_residual,evaluations,seconds\n0,"));
/// assert_eq!(text.lines().count(), 1 + history.records().len());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct History<T> {
    records: Vec<Record<T>>,
}

impl<T: Scalar> History<T> {
    /// An empty history.
    ///
    /// ```
    /// assert!(reparam::History::<f64>::new().records().is_empty());
    /// ```
    pub fn new() -> Self {
        Self { records: Vec::new() }
    }

    /// An observer that writes here; for [`Minimize::observe`](crate::Minimize::observe).
    ///
    /// ```
    /// let mut history = reparam::History::<f64>::new();
    /// let _observer = history.observer();
    /// ```
    pub fn observer(&mut self) -> impl FnMut(&Progress<'_, T>) -> ControlFlow<()> + '_ {
        |p| {
            self.records.push(Record {
                iteration: p.iteration,
                value: p.value,
                natural_residual: p.natural_residual,
                evaluations: p.counts.values,
                seconds: p.elapsed.as_secs_f64(),
            });
            ControlFlow::Continue(())
        }
    }

    /// All lines.
    ///
    /// ```
    /// assert_eq!(reparam::History::<f32>::new().records().len(), 0);
    /// ```
    pub fn records(&self) -> &[Record<T>] {
        &self.records
    }

    /// Writes a header and one line per record; numbers with all their digits.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// let mut out = Vec::new();
    /// reparam::History::<f64>::new().write_csv(&mut out).unwrap();
    /// assert_eq!(out, b"iteration,value,natural_residual,evaluations,seconds\n");
    /// ```
    pub fn write_csv(&self, mut to: impl Write) -> io::Result<()> {
        writeln!(to, "iteration,value,natural_residual,evaluations,seconds")?;
        for r in &self.records {
            writeln!(
                to,
                "{},{:e},{:e},{},{}",
                r.iteration, r.value, r.natural_residual, r.evaluations, r.seconds
            )?;
        }
        to.flush()
    }
}
