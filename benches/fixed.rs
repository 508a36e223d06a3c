//! Three fixed solves for counting instructions, which other processes do not disturb: one of `tiny`, `dense`, `sparse` by name.
//!
//! ```text
//! cargo bench --no-run                                       # prints the path of the program
//! valgrind --tool=callgrind --toggle-collect='*counted*' PROGRAM dense
//! ```
//!
//! Only what runs inside [`counted`] is counted: no building of the problem. The counts belong to a compiler, a machine's vector
//! instructions (valgrind knows AVX2 at most) and a version of the dependencies; docs/performance.md has them.

#![allow(missing_docs, clippy::print_stdout)]

use reparam::operators::{Dense, LinearOperator, SparseColumns};
use reparam::testing::Random;
use reparam::{Nnls, Solution};
use std::hint::black_box;

#[inline(never)]
fn counted<O: LinearOperator<f64>>(a: &O, b: &[f64]) -> reparam::Result<Solution<f64>> {
    Nnls::new(black_box(a)).solve(black_box(b))
}

fn row(random: &mut Random, m: usize) -> usize {
    usize::try_from(random.bits() % m as u64).unwrap_or(0)
}

/// Name, and an m×n system with normal entries, or with so many a column.
const SOLVES: [(&str, usize, usize, Option<usize>); 3] = [
    ("tiny", 20, 10, None),
    ("dense", 600, 400, None),
    ("sparse", 6000, 2000, Some(12)),
];

fn main() -> reparam::Result<()> {
    // (`cargo bench` adds options of its own)
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    for (name, m, n, per_column) in SOLVES {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == name) {
            continue;
        }
        let mut random = Random::new(20_241_128);
        let b = random.normals::<f64>(m);
        let solution = match per_column {
            None => {
                let entries = random.normals(m * n);
                let a = Dense::column_major(&entries, m, n)?;
                // (of thousands: once the thread has its memory)
                for _ in 0..if name == "tiny" { 3 } else { 0 } {
                    black_box(Nnls::new(black_box(&a)).solve(&b)?);
                }
                counted(&a, &b)?
            }
            Some(k) => {
                let entries: Vec<(usize, usize, f64)> = (0..n * k)
                    .map(|e| (row(&mut random, m), e / k, random.normal()))
                    .collect();
                counted(&SparseColumns::from_triplets(m, n, &entries)?, &b)?
            }
        };
        println!(
            "{name}: {m}×{n}, status {}, {} of {n} positive, {:.1} passes, ρ = {:.1e}",
            solution.status,
            solution.x.iter().filter(|x| **x > 0.0).count(),
            solution.counts.passes,
            solution.certificate.natural_residual
        );
    }
    Ok(())
}
