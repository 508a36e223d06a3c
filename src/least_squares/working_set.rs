//! Working sets: the support and the worst violators, solved exactly in a small dense Gram matrix.
//!
//! For sparse problems whose face is small: the n×n Gram matrix is never formed. Each round prices all columns
//! with one pass, so the answer is a solution of the whole problem, not of a guess.

use super::active_set::{Pricing, active_set, best_first};
use super::block_exchange::Failure;
use super::faces::{Face, GramFace, residual};
use super::problem::Problem;
use super::region::{NonNegative, Region, noise};
use super::schur_exchange::{SchurExchange, schur_exchange};
use crate::LinalgScalar;
use crate::linalg::not_positive;
use crate::outcome::{Run, Status};

/// A dense Gram matrix of more columns than this would not fit the memory of a small machine.
pub(super) const LARGEST: usize = 6000;

/// Improves x (feasible) to a solution; false when the set grew too large or the Gram matrix too ill-conditioned
/// to gain anything.
pub(super) fn working_set<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    x: &mut [T],
    b_norm: T,
    run: &mut Run<'_>,
) -> Result<bool, Status> {
    let n = x.len();
    let norms = problem.norms();
    let threshold = noise::<T>() * b_norm;
    let mut r = vec![T::zero(); b.len()];
    let mut w = vec![T::zero(); n];
    let mut order: Vec<(T, usize)> = Vec::new();
    // what the last round formed is not formed again
    let (mut known, mut known_gram): (Vec<usize>, Vec<T>) = (Vec::new(), Vec::new());
    for round in 0..60 {
        run.iteration()?;
        let support: Vec<usize> = (0..n).filter(|j| x[*j] > T::zero()).collect();
        let on_support: Vec<T> = support.iter().map(|j| x[*j]).collect();
        residual(problem, b, &support, &on_support, &mut r, run);
        problem.adjoint(&r, &mut w, run);
        order.clear();
        order.extend(
            (0..n)
                .filter(|j| x[*j] == T::zero() && norms[*j] > T::zero())
                .filter_map(|j| {
                    let score = w[j] / norms[j];
                    (score > threshold).then_some((score, j))
                }),
        );
        if order.is_empty() && round > 0 {
            return Ok(true);
        }
        order.sort_by(best_first);
        order.truncate(50.max(support.len() / 4));
        let mut set = support.clone();
        set.extend(order.iter().map(|(_, j)| *j));
        if set.len() > LARGEST {
            return Ok(false);
        }
        let k = set.len();
        let mut gram = vec![T::zero(); k * k];
        if known.is_empty() {
            problem.gram_of(&set, &mut gram, run)?;
        } else {
            extend_gram(problem, &known, &known_gram, &set, &mut gram, run)?;
            drop(std::mem::take(&mut known_gram));
        }
        let mut c = vec![T::zero(); k];
        problem.combine_adjoint(&set, b, &mut c, run);
        let set_norms: Vec<T> = set.iter().map(|j| norms[*j]).collect();
        let (members, mut z, solver) = match schur_exchange(&gram, &c, &set_norms, run) {
            Ok(exchange) => {
                let (face, z) = exchange.solution();
                (face, z, Solver::Exchange(exchange))
            }
            Err(Failure::Limit(status, ())) => return Err(status),
            Err(Failure::Singular | Failure::Cycling) => {
                let mut face = GramFace::new(&gram, &c, b_norm);
                let first: Vec<usize> = (0..support.len()).collect();
                let mut z = on_support;
                if !face.assign(&first, run) {
                    // the support itself is dependent: let the method build it up again column by column
                    z.clear();
                }
                let pricing = Pricing {
                    norms: &set_norms,
                    size: b_norm,
                    first: 10,
                    pool: 10,
                    alike: 0,
                    go_on: &|_| true,
                };
                let outcome = active_set(&mut face, &mut z, &mut [], &NonNegative, &pricing, run);
                if let Err(limit) = outcome {
                    put(&set, face.members(), &z, x);
                    return Err(limit);
                }
                (face.members().to_vec(), z, Solver::ActiveSet(face))
            }
        };
        z.iter_mut().for_each(|v| *v = v.max(T::zero()));
        // the Gram matrix squares the condition number: refine with the residual in A
        let columns: Vec<usize> = members.iter().map(|i| set[*i]).collect();
        let mut delta = vec![T::zero(); z.len()];
        for _ in 0..3 {
            residual(problem, b, &columns, &z, &mut r, run);
            problem.combine_adjoint(&columns, &r, &mut delta, run);
            solver.solve(&mut delta);
            // (what rounding left below zero stays there)
            let breaks = |v: T, d: T| not_positive(v + d) && (v > T::zero() || d.is_nan());
            if z.iter().zip(&delta).any(|(v, d)| breaks(*v, *d)) {
                break;
            }
            z.iter_mut()
                .zip(&delta)
                .for_each(|(v, d)| *v = (*v + *d).max(T::zero()));
        }
        for ((j, v), d) in columns.iter().zip(&mut z).zip(&delta) {
            *v = NonNegative
                .rounding_of_bound(*j, *v, *d, norms[*j], b_norm)
                .unwrap_or(*v);
        }
        put(&set, &members, &z, x);
        drop(solver);
        (known, known_gram) = (set, gram);
    }
    Ok(false)
}

/// What has solved a set, for refinement on its face.
enum Solver<'g, T: LinalgScalar> {
    Exchange(SchurExchange<T>),
    ActiveSet(GramFace<'g, T, NonNegative>),
}

impl<T: LinalgScalar> Solver<'_, T> {
    fn solve(&self, v: &mut [T]) {
        match self {
            Self::Exchange(exchange) => exchange.solve(v),
            Self::ActiveSet(face) => face.solve(v),
        }
    }
}

/// x ← z on the members of the set, else zero.
fn put<T: LinalgScalar>(set: &[usize], members: &[usize], z: &[T], x: &mut [T]) {
    x.fill(T::zero());
    for (i, v) in members.iter().zip(z) {
        x[set[*i]] = *v;
    }
}

/// The Gram matrix of `set` (both triangles), from that of `known` and products for the columns that are new.
fn extend_gram<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    known: &[usize],
    known_gram: &[T],
    set: &[usize],
    gram: &mut [T],
    run: &mut Run<'_>,
) -> Result<(), Status> {
    let k = set.len();
    let mut at = vec![usize::MAX; problem.columns()];
    for (p, j) in known.iter().enumerate() {
        at[*j] = p;
    }
    let old: Vec<(usize, usize)> = set
        .iter()
        .enumerate()
        .filter_map(|(q, j)| (at[*j] != usize::MAX).then_some((q, at[*j])))
        .collect();
    for (q, p) in &old {
        let column = &known_gram[p * known.len()..(p + 1) * known.len()];
        for (i, s) in &old {
            gram[q * k + i] = column[*s];
        }
    }
    let new: Vec<usize> = (0..k).filter(|q| at[set[*q]] == usize::MAX).collect();
    let mut products = vec![T::zero(); new.len() * k];
    problem.gram_columns(set, &new, &mut products, run)?;
    for (q, column) in new.iter().zip(products.chunks_exact(k)) {
        gram[q * k..(q + 1) * k].copy_from_slice(column);
        for (i, v) in column.iter().enumerate() {
            gram[i * k + q] = *v;
        }
    }
    Ok(())
}
