//! Larger problems of the families on which answers stalled or were wrong, in `f32` and `f64`, over x ≥ 0, bounds, and bounds with a sum.
//!
//! All are left to the library. What is demanded, in twice the precision of `f64`:
//!
//! * x is in the set, and f(x) is at most what it is at the point of the bounds that is nearest to zero;
//! * the status is *solved* (but for a share of one kind, [`LEFT`]), and ρ(x) at most the tolerance;
//! * a point that another method finds is better by at most the gap.
//!
//! `cargo test` looks at few. More of them, by number, with 20 to 120 columns, or 120 to 400:
//!
//! ```text
//! REPARAM_FAMILIES=0..10000 cargo test --release --test nnls structured -- --nocapture
//! REPARAM_FAMILIES_LARGE=0..1000 …
//! ```

use super::exact::{self, Double, Sum, Worth};
use super::families::{Case, FAMILIES, Set, case};
use reparam::operators::Dense;
use reparam::{BoundedLeastSquares, LinalgScalar, Nnls, Status, bounded, nnls};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Sums over columns whose norms differ by many decades: the row that is appended for the sum is as long as the longest column, and the
/// shortest ones drown in it. What share of them may stay unsolved.
const LEFT: (&str, f64) = ("graded rows, columns", 0.3);

/// What a solve says, in `f64`.
struct Answer {
    x: Vec<f64>,
    status: Status,
    rho: f64,
    gap: f64,
    trace: String,
}

/// By the library's choice, or by a method that shares little with what it chooses.
fn solve<T: LinalgScalar>(case: &Case, other: bool) -> Answer {
    let cast = |v: &[f64]| v.iter().map(|v| T::lit(*v)).collect::<Vec<T>>();
    let (a, b) = (cast(&case.a), cast(&case.b));
    let a = Dense::column_major(&a, case.m, case.n).unwrap();
    let solution = match &case.set {
        Set::NonNegative if other => Nnls::new(&a)
            .max_iterations(20_000)
            .strategy(nnls::Strategy::WorkingSet)
            .solve(&b),
        Set::NonNegative => Nnls::new(&a).solve(&b),
        Set::Bounds { lower, upper } | Set::Sum { lower, upper, .. } => {
            let mut solver = BoundedLeastSquares::new(&a, &cast(lower), &cast(upper));
            if let Set::Sum { r, .. } = &case.set {
                solver = solver.sum(T::lit(*r));
            }
            if other {
                solver = solver
                    .strategy(bounded::Strategy::WorkingSet)
                    .max_iterations(20_000);
            }
            solver.solve(&b)
        }
    }
    .unwrap();
    Answer {
        x: solution.x.iter().map(|v| v.as_f64()).collect(),
        status: solution.status,
        rho: solution.certificate.natural_residual.as_f64(),
        gap: solution.certificate.gap.as_f64(),
        trace: solution.trace.iter().map(|a| format!("\n  {a}")).collect(),
    }
}

fn worth(case: &Case, x: &[f64]) -> Worth {
    let (lower, upper): (Vec<f64>, Vec<f64>) = (0..case.n).map(|j| case.set.bounds(j)).unzip();
    let sum = match case.set {
        Set::Sum { r, .. } => Some(Sum {
            part: vec![true; case.n],
            total: r,
        }),
        _ => None,
    };
    exact::worth(&case.a, &case.b, x, &lower, &upper, sum.as_ref())
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// The point of the bounds that is nearest to zero.
fn nearest_to_zero(case: &Case) -> Vec<f64> {
    (0..case.n)
        .map(|j| {
            let (lower, upper) = case.set.bounds(j);
            0.0_f64.max(lower).min(upper)
        })
        .collect()
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Infeasible,
    WorseThanOrigin,
    FalseClaim,
    Unsolved,
    Gap,
}

#[derive(Default, Clone, Copy)]
struct Counts {
    problems: usize,
    faults: usize,
    unsolved: usize,
    left: usize,
    /// Solved, and another method's f is lower by more than a hundredth.
    far: usize,
    rho: f64,
    time: Duration,
}

fn judge(case: &Case, counts: &mut Counts) -> Result<(), (Fault, String)> {
    let (epsilon, tolerance) = if case.single {
        (f64::from(f32::EPSILON), 1e-4)
    } else {
        (f64::EPSILON, 1e-8)
    };
    let run = |other| {
        if case.single {
            solve::<f32>(case, other)
        } else {
            solve::<f64>(case, other)
        }
    };
    counts.problems += 1;
    let clock = Instant::now();
    let ours = run(false);
    counts.time += clock.elapsed();
    for (j, x) in ours.x.iter().enumerate() {
        let (lower, upper) = case.set.bounds(j);
        if !(lower <= *x && *x <= upper) {
            return Err((
                Fault::Infeasible,
                format!("x_{j} = {x:e} of {lower:e} … {upper:e}"),
            ));
        }
    }
    if let Set::Sum { r, .. } = case.set {
        let sum = ours.x.iter().fold(Double::default().plus(-r), |s, x| s.plus(*x));
        let sizes = ours.x.iter().map(|x| x.abs()).sum::<f64>() + r.abs();
        if sum.value().abs() > 8.0 * epsilon * case.n as f64 * sizes {
            return Err((Fault::Infeasible, format!("the sum is off by {:e}", sum.value())));
        }
    }
    let here = worth(case, &ours.x);
    let (f, half) = (here.f.value(), 0.5 * norm(&case.b).powi(2));
    let describe = |what: &str| {
        format!(
            "{what}: {}, ρ {:e} (exactly {:e}), gap {:e}, f {f:e}, ½‖b‖² {half:e}, Σ c|x|/‖b‖ {:e}{}",
            ours.status,
            ours.rho,
            here.rho,
            ours.gap,
            here.size / norm(&case.b),
            ours.trace
        )
    };
    if !matches!(case.set, Set::Sum { .. }) {
        let origin = worth(case, &nearest_to_zero(case));
        let rounding = (case.n + case.m) as f64 * epsilon * (origin.size + here.size) * norm_of(&origin.f);
        if here.f.minus(origin.f).value() > rounding {
            let what = format!("worse than the origin (f = {:e})", origin.f.value());
            return Err((Fault::WorseThanOrigin, describe(&what)));
        }
    }
    if !ours.status.is_solved() {
        counts.unsolved += 1;
        return Err((Fault::Unsolved, describe("unsolved")));
    }
    counts.rho = counts.rho.max(here.rho / tolerance);
    if here.rho > tolerance {
        return Err((Fault::FalseClaim, describe("a false claim")));
    }
    let other = worth(case, &run(true).x);
    let excess = here.f.minus(other.f).value();
    if excess > 0.01 * f && f > (10.0 * tolerance).powi(2) * half {
        counts.far += 1;
    }
    if excess > ours.gap * (1.0 + 4.0 * epsilon) + 1e-28 * here.size * here.size {
        return Err((
            Fault::Gap,
            describe(&format!("another point is better by {excess:e}")),
        ));
    }
    Ok(())
}

fn norm_of(half_square: &Double) -> f64 {
    (2.0 * half_square.value()).max(0.0).sqrt()
}

fn asked(variable: &str) -> Option<Range<u64>> {
    let range = std::env::var(variable).ok()?;
    let (from, to) = range.split_once("..").unwrap();
    Some(from.parse().unwrap()..to.parse().unwrap())
}

#[test]
fn structured_families_are_solved() {
    let (small, large) = (asked("REPARAM_FAMILIES"), asked("REPARAM_FAMILIES_LARGE"));
    let (small, large) = match (small, large) {
        (None, None) => (0..420, 0..21),
        (small, large) => (small.unwrap_or_default(), large.unwrap_or_default()),
    };
    let numbers: Vec<(u64, bool)> = small
        .map(|n| (n, false))
        .chain(large.map(|n| (n, true)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<_> = std::thread::scope(|scope| {
        let numbers = &numbers;
        let part = |t: usize| {
            move || {
                let mut counts = [[Counts::default(); Set::NAMES.len()]; FAMILIES.len()];
                let mut faults = Vec::new();
                for (number, large) in numbers.iter().skip(t).step_by(threads) {
                    let case = case(*number, *large);
                    let family = (*number % FAMILIES.len() as u64) as usize;
                    let counts = &mut counts[family][case.set.index()];
                    if let Err((fault, why)) = judge(&case, counts) {
                        let sum = matches!(case.set, Set::Sum { .. });
                        if fault == Fault::Unsolved && sum && case.family == LEFT.0 {
                            counts.left += 1;
                            continue;
                        }
                        counts.faults += 1;
                        let size = if *large { "large " } else { "" };
                        let kind = if case.single { "f32" } else { "f64" };
                        let set = Set::NAMES[case.set.index()];
                        let (family, m, n) = (case.family, case.m, case.n);
                        faults.push(format!("{size}{number}, {family}, {set}, {m}×{n}, {kind}: {why}"));
                    }
                }
                (counts, faults)
            }
        };
        let started: Vec<_> = (0..threads).map(|t| scope.spawn(part(t))).collect();
        started.into_iter().map(|h| h.join().unwrap()).collect()
    });
    println!(
        "{:22} {:8} {:>8} {:>8} {:>8} {:>5} {:>9} {:>9}",
        "", "", "problems", "faults", "unsolved", "far", "worst ρ/tol", "seconds"
    );
    for (f, family) in FAMILIES.iter().enumerate() {
        for (s, set) in Set::NAMES.iter().enumerate() {
            let mut all = Counts::default();
            for (counts, _) in &parts {
                let c = counts[f][s];
                all.problems += c.problems;
                all.faults += c.faults;
                all.unsolved += c.unsolved;
                all.left += c.left;
                all.far += c.far;
                all.rho = all.rho.max(c.rho);
                all.time += c.time;
            }
            println!(
                "{family:22} {set:8} {:8} {:8} {:8} {:5} {:9.2} {:9.3}",
                all.problems,
                all.faults,
                all.unsolved,
                all.far,
                all.rho,
                all.time.as_secs_f64()
            );
        }
    }
    let kinds = || parts.iter().flat_map(|(counts, _)| counts.iter().flatten());
    let left: usize = kinds().map(|c| c.left).sum();
    let sums: usize = kinds().filter(|c| c.left > 0).map(|c| c.problems).sum();
    assert!(
        left as f64 <= 1.0 + LEFT.1 * sums as f64,
        "{left} of {sums} sums are left"
    );
    let faults: Vec<&String> = parts.iter().flat_map(|(_, f)| f).collect();
    faults.iter().take(60).for_each(|why| println!("{why}"));
    assert!(
        faults.is_empty(),
        "{} faults; the first: {}",
        faults.len(),
        faults[0]
    );
}
