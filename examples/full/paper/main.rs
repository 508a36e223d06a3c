//! The experiments of the paper, each one command: a table, the claims it checks, a CSV and (feature `plot`) a picture.
//!
//! `cargo run --release -p reparam-full --example paper -- NAME [--quick] [--out DIR]`, `-- all`, `-- list`.
//!
//! NAME.csv holds the table, NAME-curves.csv what the picture NAME.svg shows. A claim that does not hold makes the exit status 1.
//! What was seen: docs/paper.md.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod acceleration;
mod baselines;
mod coordinate_convergence;
mod families;
#[path = "../../../src/bin/reparam/figure.rs"]
#[allow(dead_code)] // the program uses more of it
mod figure;
mod fourier;
mod implicit_bias;
mod methods;
mod negative_stability;
mod problems;
mod report;
mod square_timing;
mod step_decay;
mod tnt;

use report::{Outcome, Size};
use std::path::PathBuf;
use std::process::ExitCode;

type Experiment = fn(Size) -> Outcome;

const EXPERIMENTS: [(&str, Experiment); 9] = [
    ("implicit-bias", implicit_bias::run),
    ("coordinate-convergence", coordinate_convergence::run),
    ("step-decay", step_decay::run),
    ("acceleration", acceleration::run),
    ("fourier", fourier::run),
    ("methods", methods::run),
    ("square-timing", square_timing::run),
    ("negative-stability", negative_stability::run),
    ("families", families::run),
];

const USAGE: &str = "usage: paper NAME|all|list [--quick] [--out DIR]";

fn main() -> ExitCode {
    match try_main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a claim does not hold");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn try_main() -> Result<bool, Box<dyn std::error::Error>> {
    let (mut name, mut size, mut out) = (None, Size::Full, PathBuf::from("target/paper"));
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => size = Size::Quick,
            "--out" => out = arguments.next().ok_or("--out wants a directory")?.into(),
            other if name.is_none() && !other.starts_with('-') => name = Some(other.to_owned()),
            _ => return Err(USAGE.into()),
        }
    }
    let name = name.ok_or(USAGE)?;
    if name == "list" {
        EXPERIMENTS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(true);
    }
    let chosen: Vec<_> = EXPERIMENTS
        .iter()
        .filter(|(n, _)| name == "all" || name == *n)
        .collect();
    if chosen.is_empty() {
        return Err(format!("no experiment {name}: `list` names them").into());
    }
    std::fs::create_dir_all(&out)?;
    let mut holds = true;
    for (name, experiment) in chosen {
        let clock = std::time::Instant::now();
        let report = experiment(size)?;
        println!("\n== {name}\n\n{report}");
        report.write(&out, name)?;
        println!(
            "written to {} after {:.1} s",
            out.display(),
            clock.elapsed().as_secs_f64()
        );
        holds &= report.holds();
    }
    Ok(holds)
}
