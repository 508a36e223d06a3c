//! Checks for what users write themselves: operators, objectives, losses, maps, sets, step rules. They return reports and never panic.
//!
//! ```
//! use reparam::testing::check_map;
//! let report = check_map(&reparam::maps::Squares::<f64>::new(4), 1);
//! assert!(report.passed(), "{report}");
//! ```

mod loss;
mod map;
mod objective;
mod operator;
mod random;
mod set;
mod step_rule;

pub use loss::check_loss;
pub use map::check_map;
pub use objective::check_objective;
pub use operator::check_operator;
pub use random::Random;
pub use set::check_set;
pub use step_rule::check_step_rule;

use std::fmt;

/// One check: what was compared, how far apart the two sides were, and how far they may be.
///
/// ```
/// let report = reparam::testing::check_map(&reparam::maps::Squares::<f64>::new(2), 1);
/// let check = report.checks().iter().find(|c| c.name.contains("adjoint")).unwrap();
/// assert!(check.error <= check.tolerance);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// What was compared.
    pub name: &'static str,
    /// The worst relative error seen.
    pub error: f64,
    /// The largest error that passes.
    pub tolerance: f64,
    /// Of a failed gradient: the coordinate in which it is off the most, from 0.
    pub coordinate: Option<usize>,
}

impl Check {
    /// Whether the error is within the tolerance (NaN is not).
    ///
    /// ```
    /// let report = reparam::testing::check_operator(&nalgebra::dmatrix![1.0, 2.0], 1);
    /// assert!(report.checks()[0].passed());
    /// ```
    pub fn passed(&self) -> bool {
        self.error <= self.tolerance
    }
}

/// The outcome of a battery of checks.
///
/// ```
/// let report = reparam::testing::check_operator(&nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0], 7);
/// println!("{report}"); // one line per check
/// report.into_result().unwrap();
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// All checks made.
    ///
    /// ```
    /// # use reparam::testing::check_operator;
    /// assert!(!check_operator(&nalgebra::dmatrix![1.0], 1).checks().is_empty());
    /// ```
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether every check passed, and at least one was made.
    ///
    /// ```
    /// # use reparam::testing::check_operator;
    /// assert!(check_operator(&nalgebra::dmatrix![1.0], 1).passed());
    /// ```
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(Check::passed)
    }

    /// `Ok(self)` when everything passed, else itself as an error: for `?` and `unwrap` in tests.
    ///
    /// # Errors
    /// The report, when a check failed.
    ///
    /// ```
    /// use reparam::{operators::MatrixFree, testing::check_operator};
    /// let wrong = MatrixFree::new(1, 1, |x: &[f64], y: &mut [f64]| y[0] = x[0], |y: &[f64], x: &mut [f64]| x[0] = 2.0 * y[0]);
    /// assert!(check_operator(&wrong, 1).into_result().unwrap_err().to_string().contains("adjoint"));
    /// ```
    pub fn into_result(self) -> Result<Self, Self> {
        if self.passed() { Ok(self) } else { Err(self) }
    }

    /// Records the worst error of a check.
    pub(crate) fn record(&mut self, name: &'static str, error: f64, tolerance: f64) {
        match self.checks.iter_mut().find(|c| c.name == name) {
            Some(c) => {
                if error.is_nan() || error > c.error {
                    c.error = error;
                }
            }
            None => self.checks.push(Check {
                name,
                error,
                tolerance,
                coordinate: None,
            }),
        }
    }

    /// Says where a check that failed is off the most.
    pub(crate) fn blame(&mut self, name: &'static str, coordinate: Option<usize>) {
        if let Some(c) = self.checks.iter_mut().find(|c| c.name == name) {
            c.coordinate = coordinate;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in &self.checks {
            let mark = if c.passed() { "ok    " } else { "FAILED" };
            write!(
                f,
                "{mark} {:<46} error {:.1e}, at most {:.1e}",
                c.name, c.error, c.tolerance
            )?;
            if let Some(j) = c.coordinate {
                write!(f, "; worst in coordinate {j}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
