//! The command line. Options that every problem class takes live in [`Common`], so that another subcommand
//! adds only what is its own (bounds, a radius).

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use reparam::{bounded, nnls};
use std::path::PathBuf;
use std::time::Duration;

/// Constrained least squares from files: numpy arrays, Matrix Market files and tables of text in, a numpy array or text out
#[derive(Debug, Parser)]
#[command(
    name = "reparam",
    version,
    after_help = "\
Exit status: 0 with a solution, 2 when stopped early (the best x is written), 1 on an error.
Interrupt (Ctrl-C) to stop early with the best x so far; a second interrupt aborts at once."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Non-negative least squares: minimise ½‖A x − b‖² over x ≥ 0
    Nnls {
        #[command(flatten)]
        common: Common,

        /// The method, in place of what the library chooses
        #[arg(long, value_name = "NAME", default_value = "auto", value_parser = nnls_strategy())]
        strategy: nnls::Strategy,
    },
    /// Bounded least squares: minimise ½‖A x − b‖² over lower ≤ x ≤ upper
    Bvls {
        #[command(flatten)]
        common: Common,

        /// Lower bounds: (n,) in .npy, .csv, .tsv or .txt, entries may be -inf; or one number for all
        #[arg(long, value_name = "lo.npy|NUMBER", allow_hyphen_values = true)]
        lower: PathBuf,

        /// Upper bounds: (n,) in .npy, .csv, .tsv or .txt, entries may be inf; or one number for all
        #[arg(long, value_name = "hi.npy|NUMBER", allow_hyphen_values = true)]
        upper: PathBuf,

        /// The method, in place of what the library chooses
        #[arg(long, value_name = "NAME", default_value = "auto", value_parser = bounded_strategy())]
        strategy: bounded::Strategy,
    },
    /// Least squares over a simplex: minimise ½‖A x − b‖² over x ≥ 0 with a given sum
    Simplex {
        #[command(flatten)]
        common: Common,

        /// The sum of x
        #[arg(long, value_name = "R", default_value = "1", value_parser = radius, allow_hyphen_values = true)]
        radius: f64,

        /// The method, in place of what the library chooses
        #[arg(long, value_name = "NAME", default_value = "auto", value_parser = bounded_strategy())]
        strategy: bounded::Strategy,
    },
}

/// What every problem class reads, writes and is limited by.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// A: (m, n) in .npy, .mtx (Matrix Market), .csv, .tsv or .txt; or a batch (k, m, n) in .npy
    #[arg(long, value_name = "A.npy|A.mtx|A.csv")]
    pub(crate) matrix: PathBuf,

    /// b: (m,), or (m, k) for k right-hand sides, in .npy, .csv, .tsv or .txt; (k, m) for a batch
    #[arg(long, value_name = "b.npy|b.csv")]
    pub(crate) rhs: PathBuf,

    /// Where x goes: (n,), (n, k), or (k, n) for a batch; text if named .csv, .tsv or .txt, else .npy in float64
    #[arg(long, value_name = "x.npy|x.csv")]
    pub(crate) out: PathBuf,

    /// Print one JSON object on standard output instead of the report
    #[arg(long)]
    pub(crate) json: bool,

    /// Report which methods were tried, why, and how each ended (of several right-hand sides: of the one that took the longest)
    #[arg(long)]
    pub(crate) explain: bool,

    /// Draw fit, coefficients and the convergence of ρ as SVG (for which the problem is solved again, with fewer iterations)
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// Which of several right-hand sides --plot draws, from 0
    #[arg(long, value_name = "K", requires = "plot")]
    pub(crate) plot_number: Option<usize>,

    /// Solve N times from scratch and report the median time
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one, allow_hyphen_values = true)]
    pub(crate) repeat: usize,

    /// Bound of the scale-free optimality residual that counts as solved [default: the library's]
    #[arg(long, value_name = "T", value_parser = tolerance, allow_hyphen_values = true)]
    pub(crate) tolerance: Option<f64>,

    /// Stop a solve after S seconds with the best x so far
    #[arg(long, value_name = "S", value_parser = seconds, allow_hyphen_values = true)]
    pub(crate) max_seconds: Option<Duration>,

    /// Use K threads, at most one per core [default: RAYON_NUM_THREADS, or one per core]
    #[arg(long, value_name = "K", value_parser = at_least_one, allow_hyphen_values = true)]
    pub(crate) threads: Option<usize>,
}

/// Names that strategies had before, still understood.
const FORMER_NAMES: [(&str, &str); 3] = [
    ("flow", "lifted-cg"),
    ("projected-gradients", "projected-cg"),
    ("projected-gradient", "accelerated-gradient"),
];

/// The strategies by their names.
fn strategies<S: Copy + Default + Send + Sync + 'static, const K: usize>(
    all: [S; K],
    name: fn(S) -> &'static str,
) -> impl TypedValueParser<Value = S> {
    let possible = all.map(|s| {
        let former = FORMER_NAMES.into_iter().filter(move |(_, now)| *now == name(s));
        PossibleValue::new(name(s)).aliases(former.map(|(before, _)| before))
    });
    PossibleValuesParser::new(possible).map(move |given| {
        let former = FORMER_NAMES.into_iter().find(|(before, _)| *before == given);
        let now = former.map_or(given.as_str(), |(_, now)| now);
        all.into_iter().find(|s| name(*s) == now).unwrap_or_default()
    })
}

fn nnls_strategy() -> impl TypedValueParser<Value = nnls::Strategy> {
    strategies(nnls::Strategy::ALL, nnls::Strategy::name)
}

fn bounded_strategy() -> impl TypedValueParser<Value = bounded::Strategy> {
    strategies(bounded::Strategy::ALL, bounded::Strategy::name)
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number, at least 1".into()),
        Ok(n) => Ok(n),
    }
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t.is_finite() && t > 0.0 => Ok(t),
        _ => Err("must be a finite number above 0".into()),
    }
}

fn radius(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(r) if r.is_finite() && r >= 0.0 => Ok(r),
        _ => Err("must be a finite number, at least 0".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok();
    number
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .ok_or_else(|| "must be a finite number of seconds, at least 0".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn numbers_are_validated() {
        assert_eq!(tolerance("1e-6"), Ok(1e-6));
        for bad in ["0", "-1", "nan", "inf", "x", ""] {
            assert!(tolerance(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for bad in ["-1", "nan", "inf", "1e300", "x"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(radius("0"), Ok(0.0));
        for bad in ["-1", "nan", "inf", "x"] {
            assert!(radius(bad).is_err(), "{bad}");
        }
        assert_eq!(at_least_one("3"), Ok(3));
        for bad in ["0", "-1", "1.5", "x"] {
            assert!(at_least_one(bad).is_err(), "{bad}");
        }
    }
}
