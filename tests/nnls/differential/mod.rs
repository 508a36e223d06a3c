//! Our answers to many small problems, judged in twice the working precision, and against those of two solvers that share nothing with ours.
//!
//! An answer is a *false claim* when
//!
//! * x is infeasible, or not finite;
//! * the status is *solved* and ρ(x), computed in twice the precision, exceeds the tolerance;
//! * the library chose the method, and the status is not *solved*;
//! * another solver has a point whose f lies further below f(x) than the gap admits;
//! * objective, residual norm or multipliers are not those of x.
//!
//! `cargo test` looks at some thousand problems. Others, and more of them, by number:
//!
//! ```text
//! REPARAM_DIFFERENTIAL=0..1000000 cargo test --release --test nnls differential -- --nocapture
//! REPARAM_DIFFERENTIAL=0..1000000 cargo test --release -p reparam-full --test differential -- --nocapture
//! ```
//!
//! The second has the other solvers.
#![allow(unreachable_pub, clippy::print_stdout)]

pub mod exact;
mod families;
pub mod problems;
mod structured;

use crate::solvers;
use exact::{Worth, non_negative};
use problems::{KINDS, Problem, problem};
use reparam::nnls::Strategy;
use reparam::operators::Dense;
use reparam::{Nnls, Solution, Status};
use std::ops::Range;

const TOLERANCE: f64 = 1e-8;

fn worth(p: &Problem, x: &[f64]) -> Worth {
    non_negative(&p.scaled, &p.scaled_b, x)
}

#[derive(Default, Clone, Copy)]
struct Counts {
    problems: usize,
    solved: usize,
    bounded: usize,
    rho: f64,
    /// The most by which another solver's f lay below ours, over ½‖b‖²; where the library chose the method.
    excess: f64,
}

/// Half of the problems are left to the library, the others go to each method in turn.
fn strategy(number: u64) -> Strategy {
    match number / KINDS.len() as u64 % 12 {
        0 => Strategy::ActiveSet,
        1 => Strategy::BlockExchange,
        2 => Strategy::CoordinateDescent,
        3 => Strategy::WorkingSet,
        4 => Strategy::ProjectedCg,
        5 if number.is_multiple_of(7) => Strategy::LiftedCg,
        5 if number.is_multiple_of(5) => Strategy::InteriorPoint,
        5 => Strategy::LeastDistance,
        _ => Strategy::Auto,
    }
}

fn solve(p: &Problem, strategy: Strategy) -> Solution<f64> {
    let a = Dense::column_major(&p.a, p.m, p.n).unwrap();
    // (a bound that ends what does not converge: another status then)
    let solver = Nnls::new(&a).max_iterations(20_000);
    solver.strategy(strategy).solve(&p.b).unwrap()
}

/// Counts the problem; an error describes a false claim.
fn judge(p: &Problem, strategy: Strategy, clarabel_too: bool, counts: &mut Counts) -> Result<(), String> {
    let s = solve(p, strategy);
    let auto = strategy == Strategy::Auto;
    let x: Vec<f64> =
        s.x.iter()
            .zip(&p.shifts)
            .map(|(x, e)| x * 2.0_f64.powi(e - p.shift_b))
            .collect();
    if !x.iter().all(|v| v.is_finite() && *v >= 0.0) {
        return Err(format!("infeasible: {x:?}"));
    }
    let ours = worth(p, &x);
    let unit = 2.0_f64.powi(p.shift_b);
    let half = 0.5 * p.scaled_b.iter().map(|v| v * v).sum::<f64>();
    counts.problems += 1;
    if s.status.is_solved() {
        counts.solved += 1;
        counts.rho = counts.rho.max(ours.rho);
        if ours.rho > TOLERANCE {
            return Err(format!(
                "solved, with ρ = {:e} (reported: {:e})",
                ours.rho, s.certificate.natural_residual
            ));
        }
    } else if auto || !matches!(s.status, Status::IterationLimit | Status::Stalled) {
        return Err(format!("status {}", s.status));
    }
    let rounding = 1e-14 * ours.size * ours.size;
    let objective = s.objective / unit / unit;
    if (objective - ours.f.value()).abs() > rounding {
        return Err(format!("objective {objective:e}, not {:e}", ours.f.value()));
    }
    let norm = s.residual_norm / unit;
    if (norm - (2.0 * ours.f.value()).sqrt()).abs() > 1e-14 * ours.size {
        return Err(format!("residual norm {norm:e}"));
    }
    for (j, g) in ours.gradient.iter().enumerate() {
        let stated = s.certificate.multipliers[j] * 2.0_f64.powi(-p.shifts[j] - p.shift_b);
        if (stated - g).abs() > 1e-13 * ours.size {
            return Err(format!("multiplier {j}: {stated:e}, not {g:e}"));
        }
    }
    let gap = s.certificate.gap / unit / unit;
    counts.bounded += usize::from(gap.is_finite());
    let others = [
        solvers::lawson_hanson(p),
        if clarabel_too { solvers::clarabel(p) } else { None },
    ];
    for x in others.iter().flatten() {
        let excess = ours.f.minus(worth(p, x).f).value();
        if auto && half > 0.0 {
            counts.excess = counts.excess.max(excess / half);
        }
        // (the last digits of twice the precision)
        if excess > gap + 1e-28 * ours.size * ours.size {
            return Err(format!(
                "gap {gap:e}, and another point is better by {excess:e} (f = {:e}, ½‖b‖² = {half:e})",
                ours.f.value()
            ));
        }
    }
    Ok(())
}

fn numbers() -> (Range<u64>, u64) {
    match std::env::var("REPARAM_DIFFERENTIAL") {
        Ok(range) => {
            let (from, to) = range.split_once("..").unwrap();
            (from.parse().unwrap()..to.parse().unwrap(), 10)
        }
        Err(_) => (0..3000, 10),
    }
}

#[test]
fn no_false_claims() {
    let (range, clarabel_each) = numbers();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let parts: Vec<_> = std::thread::scope(|scope| {
        let part = |t: u64| {
            let range = range.clone();
            move || {
                let (mut counts, mut claims) = ([Counts::default(); KINDS.len()], Vec::new());
                for number in range.filter(|n| n % threads == t) {
                    let of_kind = &mut counts[(number % KINDS.len() as u64) as usize];
                    let clarabel_too = (number / KINDS.len() as u64).is_multiple_of(clarabel_each);
                    let p = problem(number);
                    if let Err(why) = judge(&p, strategy(number), clarabel_too, of_kind) {
                        claims.push((number, format!("{}, {}×{}: {why}", p.kind, p.m, p.n)));
                    }
                }
                (counts, claims)
            }
        };
        let started: Vec<_> = (0..threads).map(|t| scope.spawn(part(t))).collect();
        started.into_iter().map(|h| h.join().unwrap()).collect()
    });
    let mut claims = Vec::new();
    println!(
        "{:22} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "", "problems", "solved", "gap < ∞", "worst ρ", "excess/½‖b‖²"
    );
    for (k, kind) in KINDS.iter().enumerate() {
        let mut all = Counts::default();
        for (counts, _) in &parts {
            let c = counts[k];
            all.problems += c.problems;
            all.solved += c.solved;
            all.bounded += c.bounded;
            all.rho = all.rho.max(c.rho);
            all.excess = all.excess.max(c.excess);
        }
        println!(
            "{kind:22} {:8} {:8} {:8} {:9.0e} {:9.0e}",
            all.problems, all.solved, all.bounded, all.rho, all.excess
        );
    }
    parts.into_iter().for_each(|(_, c)| claims.extend(c));
    claims.sort();
    for (number, why) in claims.iter().take(40) {
        println!("problem {number}, {why}");
    }
    assert!(
        claims.is_empty(),
        "{} false claims; the first: {:?}",
        claims.len(),
        claims[0]
    );
}

/// What rounding may take from f, and what it leaves of the dual constraints, belongs to the gap: even one as large as f was too small
/// where f had been rounded down. In the last of these problems b is a column, and the two parts of the dual point cancel.
#[test]
fn the_gap_admits_rounding() {
    for number in [42, 221, 612, 1189, 2583, 561_274] {
        let p = problem(number);
        let judged = judge(&p, strategy(number), true, &mut Counts::default());
        assert!(judged.is_ok(), "problem {number}: {judged:?}");
    }
}
