//! The report of the answers: one JSON object for programs, or a few lines for people.

use crate::read::{Kind, Names, System};
use crate::solve::Outcome;
use reparam::{Attempt, Phase, Solution, Status, Uniqueness};
use serde_json::{Value, json};
use std::fmt::Write;

/// The answers of a run, added up.
pub(crate) struct Summary<'a> {
    solutions: &'a [Solution<f64>],
    seconds: &'a [f64],
    rows: usize,
    columns: usize,
    kind: Kind,
    names: &'a Names,
    explain: bool,
}

/// Coefficients that the report names: a handful, of many.
const MOST_NAMED: usize = 10;

impl<'a> Summary<'a> {
    pub(crate) fn new(system: &'a System, outcome: &'a Outcome, explain: bool) -> Self {
        let (rows, columns, kind) = (system.rows, system.columns, system.kind);
        Self {
            solutions: &outcome.solutions,
            seconds: &outcome.seconds,
            rows,
            columns,
            kind,
            names: &system.names,
            explain,
        }
    }

    /// The solve that took the longest, and its number.
    fn slowest(&self) -> Option<(usize, &Solution<f64>)> {
        self.solutions.iter().enumerate().max_by_key(|(_, s)| s.elapsed)
    }

    /// `Solved` when everything is; otherwise the status of the first that is not, and its number.
    pub(crate) fn status(&self) -> (Status, Option<usize>) {
        let unsolved = self
            .solutions
            .iter()
            .enumerate()
            .find(|(_, s)| !s.status.is_solved());
        unsolved.map_or((Status::Solved, None), |(k, s)| (s.status, Some(k)))
    }

    fn sum(&self, of: impl Fn(&Solution<f64>) -> f64) -> f64 {
        self.solutions.iter().map(of).sum()
    }

    fn count(&self, of: impl Fn(&Solution<f64>) -> usize) -> usize {
        self.solutions.iter().map(of).sum()
    }

    /// The largest optimality residual; NaN when there is one, as no bound holds then.
    fn worst_residual(&self) -> f64 {
        let residuals = self.solutions.iter().map(|s| s.certificate.natural_residual);
        residuals.fold(0.0, |worst, r| if r > worst || r.is_nan() { r } else { worst })
    }

    fn passes(&self) -> f64 {
        self.sum(|s| s.counts.passes).ceil()
    }

    /// The methods that produced the answers, each once.
    fn phase(&self) -> String {
        let mut phases: Vec<Phase> = Vec::new();
        for s in self.solutions {
            if !phases.contains(&s.phase) {
                phases.push(s.phase);
            }
        }
        let names: Vec<String> = phases.iter().map(Phase::to_string).collect();
        names.join(", ")
    }

    /// Whether all answers are the only ones; None where that is not known of one, and none is known to be another.
    fn unique(&self) -> Option<bool> {
        let is = |u: Uniqueness| move |s: &Solution<f64>| s.certificate.uniqueness == u;
        if self.solutions.iter().any(is(Uniqueness::NotUnique)) {
            Some(false)
        } else {
            self.solutions.iter().all(is(Uniqueness::Unique)).then_some(true)
        }
    }

    /// One object; numbers that are not finite become null.
    pub(crate) fn json(&self) -> Value {
        json!({
            "status": self.status().0.word(),
            "seconds": median(self.seconds),
            // a whole number for programs; f64 counts exactly far beyond any run
            "passes": self.passes() as u64,
            "residual": self.worst_residual(),
            "objective": self.sum(|s| s.objective),
            // each bounds its own f(x) − min f, so the sum bounds that of the summed objective
            "gap": self.sum(|s| s.certificate.gap),
            "iterations": self.count(|s| s.iterations),
            "factorisations": self.count(|s| s.counts.factorisations),
            "phase": self.phase(),
            "support": self.count(Solution::support_len),
            "unique": self.unique(),
            "rows": self.rows,
            "columns": self.columns,
            "right_hand_sides": self.solutions.len(),
            "row_names": self.names.rows,
            "column_names": self.names.columns,
            "right_hand_side_names": self.names.answers,
            "seconds_all": self.seconds,
            "trace_number": self.slowest().map(|(k, _)| k),
            "trace": self.slowest().map(|(_, s)| s.trace.iter().map(attempt).collect::<Vec<_>>()),
        })
    }

    /// A few lines, without a line break at the end.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("problem     {} × {}", self.rows, self.columns);
        match self.kind {
            Kind::Vector => {}
            Kind::Columns(1) => text += ", 1 right-hand side",
            Kind::Columns(k) => text += &format!(", {k} right-hand sides"),
            Kind::Batch(k) => text += &format!(", a batch of {k}"),
        }
        text.push('\n');
        let named = [
            ("rows", &self.names.rows),
            ("columns", &self.names.columns),
            ("right-hand sides", &self.names.answers),
        ];
        let named: Vec<String> = named
            .iter()
            .filter_map(|(what, names)| Some(format!("{what} {}", ends(names.as_ref()?))))
            .collect();
        if !named.is_empty() {
            text += &format!("names       {}\n", named.join("; "));
        }
        // writing to a string cannot fail
        let _ = match self.solutions {
            [only] if self.kind == Kind::Vector => {
                let _ = if self.explain {
                    write!(text, "{only:#}")
                } else {
                    write!(text, "{only}")
                };
                self.write_coefficients(&mut text, only)
            }
            _ => self
                .write_many(&mut text)
                .and_then(|()| self.write_trace(&mut text)),
        };
        if self.seconds.len() > 1 {
            let _ = write!(
                text,
                "\nrepeats     {}, median {}",
                self.seconds.len(),
                duration(median(self.seconds))
            );
        }
        text
    }

    /// The largest coefficients, where they have names.
    fn write_coefficients(&self, f: &mut String, solution: &Solution<f64>) -> std::fmt::Result {
        let Some(names) = &self.names.columns else {
            return Ok(());
        };
        let mut named: Vec<(&String, f64)> = names.iter().zip(solution.x.iter().copied()).collect();
        named.retain(|(_, x)| *x != 0.0);
        let all = named.len();
        named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        named.truncate(MOST_NAMED);
        for (k, (name, x)) in named.iter().enumerate() {
            let what = match k {
                0 if all > MOST_NAMED => "largest x",
                0 => "x",
                _ => "",
            };
            write!(f, "\n{what:<12}{name}  {x:.5e}")?;
        }
        Ok(())
    }

    /// What was tried for one of several right-hand sides.
    fn write_trace(&self, f: &mut String) -> std::fmt::Result {
        let Some((number, slowest)) = self
            .slowest()
            .filter(|(_, s)| self.explain && !s.trace.is_empty())
        else {
            return Ok(());
        };
        let which = if self.solutions.len() > 1 {
            format!("number {number} (counted from 0), which took the longest:")
        } else {
            "the only right-hand side:".into()
        };
        write!(f, "\ntried       for {which}")?;
        for (k, attempt) in slowest.trace.iter().enumerate() {
            write!(f, "\n            {}. {attempt}", k + 1)?;
        }
        Ok(())
    }

    fn write_many(&self, f: &mut String) -> std::fmt::Result {
        let solved = self.solutions.iter().filter(|s| s.status.is_solved()).count();
        match self.status() {
            (status, None) => writeln!(f, "status      all {solved} {status}")?,
            (status, Some(k)) => {
                writeln!(
                    f,
                    "status      {solved} of {} solved; number {k} (counted from 0) {status}",
                    self.solutions.len()
                )?;
            }
        }
        writeln!(f, "objective   {:.10e} in all", self.sum(|s| s.objective))?;
        let gap = self.sum(|s| s.certificate.gap);
        writeln!(
            f,
            "optimality  ρ ≤ {:.1e}   gap ≤ {gap:.1e} in all",
            self.worst_residual()
        )?;
        let entries = self.columns * self.solutions.len();
        writeln!(
            f,
            "support     {} of {entries}",
            self.count(Solution::support_len)
        )?;
        let others = self
            .solutions
            .iter()
            .filter(|s| s.certificate.uniqueness == Uniqueness::NotUnique)
            .count();
        match self.unique() {
            Some(true) => writeln!(f, "uniqueness  {} in every problem", Uniqueness::Unique)?,
            Some(false) => writeln!(f, "uniqueness  {} in {others}", Uniqueness::NotUnique)?,
            None => {}
        }
        writeln!(f, "method      {}", self.phase())?;
        write!(
            f,
            "cost        {} iterations, {:.0} passes over A, {} factorisations, {}",
            self.count(|s| s.iterations),
            self.passes(),
            self.count(|s| s.counts.factorisations),
            duration(median(self.seconds))
        )
    }
}

fn attempt(a: &Attempt<f64>) -> Value {
    json!({
        "method": a.method.to_string(),
        "why": a.why,
        "ended": a.ended,
        "iterations": a.iterations,
        "passes": a.counts.passes,
        "factorisations": a.counts.factorisations,
        "seconds": a.elapsed.as_secs_f64(),
        "residual": a.natural_residual,
    })
}

fn duration(seconds: f64) -> String {
    format!("{:.3?}", std::time::Duration::from_secs_f64(seconds))
}

/// The first names and the last.
fn ends(names: &[String]) -> String {
    match names {
        all if all.len() <= 4 => all.join(", "),
        [first, second, .., last] => format!("{first}, {second}, …, {last}"),
        _ => String::new(),
    }
}

/// The middle one, or the mean of the two in the middle; 0 of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (n, half) if n % 2 == 1 => sorted[half],
        (_, half) => 0.5 * (sorted[half - 1] + sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-15;
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(close(median(&[]), 0.0));
    }

    #[test]
    fn what_is_not_finite_becomes_null() {
        assert_eq!(
            json!({ "gap": f64::INFINITY, "residual": f64::NAN }).to_string(),
            r#"{"gap":null,"residual":null}"#
        );
    }
}
