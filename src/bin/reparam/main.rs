//! The program `reparam`: constrained least squares from files.
//!
//! Exit status: 0 with a solution, 2 when stopped early (the best x is written), 1 on an error.

#![forbid(unsafe_code)]

mod args;
mod error;
#[cfg(feature = "plot")]
#[allow(dead_code)] // the examples use more of it
mod figure;
mod plot;
mod read;
mod report;
mod solve;
mod terminal;
mod write;

use args::{Cli, Command, Common};
use clap::Parser;
use error::Failure;
use read::Bounds;
use reparam::Status;
use report::Summary;
use solve::{Bounded, Class, NonNegative, OnSimplex};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use terminal::Progress;

const FAILED: u8 = 1;
const STOPPED_EARLY: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // clap would exit with 2, which here means "stopped early"; help and version are no errors
            let code = if message.use_stderr() {
                ExitCode::from(FAILED)
            } else {
                ExitCode::SUCCESS
            };
            let _ = message.print();
            return code;
        }
    };
    let ended = match &cli.command {
        Command::Nnls { common, strategy } => run(common, None, |_| NonNegative {
            strategy: *strategy,
            tolerance: common.tolerance,
        }),
        Command::Bvls {
            common,
            lower,
            upper,
            strategy,
        } => run(common, Some((lower, upper)), |bounds| Bounded {
            strategy: *strategy,
            tolerance: common.tolerance,
            bounds,
        }),
        Command::Simplex {
            common,
            radius,
            strategy,
        } => run(common, None, |_| OnSimplex {
            strategy: *strategy,
            tolerance: common.tolerance,
            radius: *radius,
        }),
    };
    match ended {
        Ok(Status::Solved) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(STOPPED_EARLY),
        Err(failure) => {
            terminal::complain(&failure.to_string());
            ExitCode::from(FAILED)
        }
    }
}

/// Reads, solves, writes and reports: the same for every class of problems.
fn run<C: Class>(
    common: &Common,
    bounds: Option<(&PathBuf, &PathBuf)>,
    class: impl FnOnce(Bounds) -> C,
) -> Result<Status, Failure> {
    let cancel = terminal::catch_interrupts()?;
    write::report_limits_of_size()?;
    if let Some(asked) = common.threads {
        // more than there are cores only wait for each other: a thousand of them take minutes for what one does at once
        let cores = std::thread::available_parallelism().map_or(asked, usize::from);
        let threads = asked.min(cores);
        if threads < asked {
            terminal::complain(&format!("{threads} threads, not {asked}: one per core"));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global();
        pool.map_err(|e| Failure::Environment {
            what: "threads cannot be started",
            why: e.to_string(),
        })?;
    }
    let mut read: Vec<&Path> = vec![&common.matrix, &common.rhs];
    read.extend(
        bounds
            .iter()
            .flat_map(|(lower, upper)| [lower.as_path(), upper.as_path()]),
    );
    write::check_name(&common.out)?;
    let output = write::Output::prepare(&common.out)?;
    output.spare(&read, None)?;
    let picture = match &common.plot {
        Some(path) => {
            plot::check(path)?;
            let picture = write::Output::prepare(path)?;
            picture.spare(&read, Some(&output))?;
            Some(picture)
        }
        None => None,
    };

    let progress = Progress::start();
    progress.say(format!("reading {}", common.matrix.display()));
    let (system, bounds) = read::read(&common.matrix, &common.rhs, bounds)?;
    let drawn = match picture {
        Some(picture) => Some((picture, plot::number(common, system.kind)?)),
        None => None,
    };
    progress.say(format!("solving {} × {}", system.rows, system.columns));
    let class = class(bounds);
    let outcome = solve::solve(&system, &class, common, &cancel)?;
    progress.say(format!("writing {}", common.out.display()));
    let taken = output.is_standard_output() || drawn.as_ref().is_some_and(|(p, _)| p.is_standard_output());
    output.write(&outcome.solutions, system.kind, &system.names)?;
    #[cfg(feature = "plot")]
    if let Some((picture, number)) = &drawn {
        progress.say(format!("drawing number {number}"));
        let solution = &outcome.solutions[*number];
        let convergence = solve::convergence(&system, &class, *number, solution, common, &cancel)?;
        picture.write_text(&plot::svg(&plot::Shown {
            number: (system.kind.count() > 1).then_some(*number),
            rhs: &system.rhs[number * system.rows..(number + 1) * system.rows],
            solution,
            bounds: class.bounds(),
            convergence: &convergence,
            names: &system.names,
        })?)?;
    }
    #[cfg(not(feature = "plot"))]
    drop(drawn);
    drop(progress);

    let summary = Summary::new(&system, &outcome, common.explain);
    let report = if common.json {
        summary.json().to_string()
    } else {
        summary.text()
    };
    terminal::print(&report, taken)?;
    let (status, _) = summary.status();
    match status {
        Status::Solved => {}
        Status::Cancelled => {
            terminal::complain(&format!(
                "interrupted: {} holds the best x so far",
                common.out.display()
            ));
        }
        other => terminal::complain(&format!("{other}: {} holds the best x", common.out.display())),
    }
    Ok(status)
}
