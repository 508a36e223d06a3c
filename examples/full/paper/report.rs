//! What an experiment gives: a table, claims, a figure.

use crate::figure::Figure;
use std::fmt;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What every experiment returns.
pub(crate) type Outcome = Result<Report, Box<dyn std::error::Error>>;

/// Full sizes, or sizes that take seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Quick,
    Full,
}

impl Size {
    pub(crate) fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// A statement, what was seen, and whether that agrees.
#[derive(Debug)]
struct Claim {
    text: String,
    seen: String,
    holds: bool,
}

#[derive(Debug)]
pub(crate) struct Report {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    claims: Vec<Claim>,
    pub(crate) figure: Figure,
}

impl Report {
    pub(crate) fn new(header: &[&'static str], figure: Figure) -> Self {
        Self {
            header: header.to_vec(),
            rows: Vec::new(),
            claims: Vec::new(),
            figure,
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.header.len(), "a row as long as the header");
        self.rows.push(cells);
    }

    /// A claim that is checked.
    pub(crate) fn claim(&mut self, text: impl Into<String>, seen: impl Into<String>, holds: bool) {
        self.claims.push(Claim {
            text: text.into(),
            seen: seen.into(),
            holds,
        });
    }

    pub(crate) fn holds(&self) -> bool {
        self.claims.iter().all(|c| c.holds)
    }

    /// NAME.csv, NAME-curves.csv and, with the feature `plot`, NAME.svg.
    pub(crate) fn write(&self, out: &Path, name: &str) -> Result<(), Box<dyn std::error::Error>> {
        let mut to = BufWriter::new(std::fs::File::create(out.join(format!("{name}.csv")))?);
        writeln!(to, "{}", self.header.join(","))?;
        for row in &self.rows {
            let quoted: Vec<String> = row.iter().map(|c| quote(c)).collect();
            writeln!(to, "{}", quoted.join(","))?;
        }
        to.flush()?;
        let curves = std::fs::File::create(out.join(format!("{name}-curves.csv")))?;
        self.figure.write_csv(BufWriter::new(curves))?;
        #[cfg(feature = "plot")]
        self.figure.draw(&out.join(format!("{name}.svg")))?;
        Ok(())
    }
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |j: usize| {
            let cells = self.rows.iter().map(|r| r[j].chars().count());
            cells.chain([self.header[j].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let mut line = |cells: &[&str]| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(c, w)| format!("{c:<w$}"))
                .collect();
            writeln!(f, "{}", padded.join("  ").trim_end())
        };
        line(&self.header)?;
        for row in &self.rows {
            line(&row.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        writeln!(f)?;
        for claim in &self.claims {
            let verdict = if claim.holds { "holds" } else { "DOES NOT HOLD" };
            writeln!(f, "claim: {}\n seen: {} ({verdict})", claim.text, claim.seen)?;
        }
        Ok(())
    }
}

/// 1.2e-3
pub(crate) fn e(x: f64) -> String {
    format!("{x:.1e}")
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    let half = v.len() / 2;
    if v.len() % 2 == 1 {
        v[half]
    } else {
        0.5 * (v[half - 1] + v[half])
    }
}

/// The slope of the least-squares line through (log x, log y) for x in a range; NaN for fewer than two points with y > 0.
pub(crate) fn slope(points: &[(f64, f64)], from: f64, to: f64) -> f64 {
    let logs: Vec<(f64, f64)> = points
        .iter()
        .filter(|(x, y)| *x >= from && *x <= to && *y > 0.0)
        .map(|(x, y)| (x.ln(), y.ln()))
        .collect();
    if logs.len() < 2 {
        return f64::NAN;
    }
    let n = logs.len() as f64;
    let (mx, my) = logs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (xy, xx) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| {
        (a + (x - mx) * (y - my), b + (x - mx).powi(2))
    });
    xy / xx
}
