//! Working sets: the coordinates between their bounds and the worst violators, solved exactly in a small dense Gram matrix.
//!
//! For problems with columns whose face is small: the n×n Gram matrix is never formed. Each round prices all columns with one pass, so the answer
//! is a solution of the whole problem, not of a guess.

use super::active_set::{Pricing, active_set, best_first};
use super::block_exchange::Failure;
use super::schur_exchange::{SchurExchange, schur_exchange};
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::evidence::Measure;
use crate::least_squares::faces::{Face, GramFace};
use crate::least_squares::problem::Problem;
use crate::least_squares::region::{Region, noise};
use crate::linalg::axpy;
use crate::outcome::{Phase, Run, Status};

/// A dense Gram matrix of more columns than this would not fit the memory of a small machine.
pub(in crate::least_squares) const LARGEST: usize = 6000;
/// Rounds of pricing at most.
const ROUNDS: usize = 60;
/// Steps of iterative refinement on the face of a round.
const REFINEMENTS: usize = 3;

/// The Gram matrix of some columns, both triangles.
#[derive(Default)]
struct Gram<T> {
    set: Vec<usize>,
    entries: Vec<T>,
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// From x (feasible) to a solution, or to where the set grew too large or the Gram matrix too ill-conditioned to gain anything.
    pub(in crate::least_squares) fn working_sets(&self, mut x: Vec<T>, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::WorkingSet);
        let limit = self.improve_by_working_sets(&mut x, run).err();
        Candidate::new(x, Phase::WorkingSet, limit)
    }

    fn improve_by_working_sets(&self, x: &mut [T], run: &mut Run<'_>) -> Result<(), Status> {
        let (p, region, norms) = (self.problem, self.region, self.norms);
        let n = x.len();
        let size = self.size_of(x);
        let mut gram = Gram::default();
        let mut r = vec![T::zero(); self.b.len()];
        for round in 0..ROUNDS {
            run.iteration()?;
            // the face of x, and −g = Aᵀ(b − A x)
            let inside: Vec<usize> = (0..n)
                .filter(|j| norms[*j] > T::zero() && region.is_inside(*j, x[*j]))
                .collect();
            self.residual_on(&inside, x, &mut r, run);
            let mut minus_g = vec![T::zero(); n];
            p.adjoint(&r, &mut minus_g, run);
            // the worst violators join
            let order = self.violators(x, &minus_g, noise::<T>() * size);
            if order.is_empty() && (round > 0 || inside.is_empty()) {
                return Ok(());
            }
            let most = 50.max(inside.len() / 4);
            let mut set = inside.clone();
            set.extend(order.iter().take(most).map(|(_, j)| *j));
            if set.len() > LARGEST {
                return Ok(());
            }
            // least squares over these coordinates, the others held: min ½⟨z, G z⟩ − ⟨c, z⟩
            gram = gram.of(p, set, run)?;
            let set = &gram.set;
            let local = region.restricted(set, x);
            let mut z: Vec<T> = set.iter().map(|j| x[*j]).collect();
            let mut c = vec![T::zero(); set.len()];
            if R::ZERO_OFF_FACE {
                p.combine_adjoint(set, self.b, &mut c, run);
            } else {
                // Aᵀ(b − the other coordinates' share) = Aᵀr + G z
                set.iter().zip(&mut c).for_each(|(j, c)| *c = minus_g[*j]);
                for (column, v) in gram.entries.chunks_exact(set.len()).zip(&z) {
                    axpy(*v, column, &mut c);
                }
            }
            let set_norms: Vec<T> = set.iter().map(|j| norms[*j]).collect();
            let exchanged = if R::ZERO_OFF_FACE {
                schur_exchange(&gram.entries, &c, &set_norms, run)
            } else {
                Err(Failure::Singular)
            };
            let solver = match exchanged {
                Ok(exchange) => {
                    let (face, values) = exchange.solution();
                    z.fill(T::zero());
                    face.iter().zip(values).for_each(|(i, v)| z[*i] = v);
                    Solver::Exchange(face, exchange)
                }
                Err(Failure::Limit(status, ())) => return Err(status),
                Err(Failure::Singular | Failure::Cycling) => {
                    let mut face = GramFace::over(&gram.entries, &c, &local, self.alpha, size);
                    let first: Vec<usize> = (0..inside.len()).collect();
                    // a dependent face is built up again, coordinate by coordinate
                    face.assign(&first, run);
                    let pricing = Pricing {
                        norms: &set_norms,
                        size,
                        first: 10,
                        pool: 10,
                        coherence_length: 0,
                        go_on: &|_| true,
                    };
                    let mut free = face.members().iter().map(|i| z[*i]).collect();
                    let held = if R::ZERO_OFF_FACE { &mut [] } else { &mut z[..] };
                    let outcome = active_set(&mut face, &mut free, held, &local, &pricing, run);
                    if R::ZERO_OFF_FACE {
                        z.fill(T::zero());
                    }
                    face.members().iter().zip(free).for_each(|(i, v)| z[*i] = v);
                    if let Err(limit) = outcome {
                        set.iter().zip(z).for_each(|(j, v)| x[*j] = v);
                        return Err(limit);
                    }
                    Solver::ActiveSet(face)
                }
            };
            for (i, j) in set.iter().enumerate() {
                x[*j] = local.clip(i, z[i]);
            }
            let face: Vec<usize> = solver.members().iter().map(|i| set[*i]).collect();
            let delta = self.refined_on(&face, |v| solver.solve(v), x, run);
            for (j, d) in face.iter().zip(&delta) {
                x[*j] = region
                    .rounding_of_bound(*j, x[*j], *d, norms[*j], size)
                    .unwrap_or(x[*j]);
            }
        }
        Ok(())
    }

    /// The Gram matrix squares the condition number: refines x on a face with the residual in A, as long as x stays within its bounds. The last
    /// correction.
    fn refined_on(&self, face: &[usize], solve: impl Fn(&mut [T]), x: &mut [T], run: &mut Run<'_>) -> Vec<T> {
        let region = self.region;
        let mut delta = vec![T::zero(); face.len()];
        let mut r = vec![T::zero(); self.b.len()];
        for _ in 0..REFINEMENTS {
            self.residual_on(face, x, &mut r, run);
            self.problem.combine_adjoint(face, &r, &mut delta, run);
            solve(&mut delta);
            // (what rounding left at a bound stays there)
            let leaves = |j: usize, d: T| {
                let meets = region.met(j, x[j], x[j] + d).is_some();
                d.is_nan() || (meets && region.is_inside(j, x[j]))
            };
            if face.iter().zip(&delta).any(|(j, d)| leaves(*j, *d)) {
                break;
            }
            for (j, d) in face.iter().zip(&delta) {
                x[*j] = region.clip(*j, x[*j] + *d);
            }
        }
        delta
    }

    /// The coordinates at a bound whose multiplier has the wrong sign by more than `threshold`, per column norm, the worst first.
    fn violators(&self, x: &[T], minus_g: &[T], threshold: T) -> Vec<(T, usize)> {
        let (region, norms) = (self.region, self.norms);
        let lambda = region.multiplier_at(norms, x, minus_g);
        let mut order: Vec<(T, usize)> = (0..x.len())
            .filter(|j| norms[*j] > T::zero() && !region.is_inside(*j, x[*j]) && !region.is_fixed(*j))
            .filter_map(|j| {
                let p = minus_g[j] + lambda * region.weight(j);
                let allowed = if p > T::zero() {
                    x[j] < region.upper(j)
                } else {
                    x[j] > region.lower(j)
                };
                let score = p.abs() / norms[j];
                (allowed && score > threshold).then_some((score, j))
            })
            .collect();
        order.sort_by(best_first);
        order
    }
}

/// The solver of a working set, kept for refinement on its face.
enum Solver<'g, T: LinalgScalar, R> {
    Exchange(Vec<usize>, SchurExchange<T>),
    ActiveSet(GramFace<'g, T, R>),
}

impl<T: LinalgScalar, R: Region<T>> Solver<'_, T, R> {
    fn members(&self) -> &[usize] {
        match self {
            Self::Exchange(face, _) => face,
            Self::ActiveSet(face) => face.members(),
        }
    }

    fn solve(&self, v: &mut [T]) {
        match self {
            Self::Exchange(_, exchange) => exchange.solve(v),
            Self::ActiveSet(face) => face.solve(v),
        }
    }
}

impl<T: LinalgScalar> Gram<T> {
    /// The Gram matrix of `set`: what is known already is not formed again.
    fn of(self, problem: &Problem<'_, T>, set: Vec<usize>, run: &mut Run<'_>) -> Result<Self, Status> {
        let k = set.len();
        let mut entries = vec![T::zero(); k * k];
        if self.set.is_empty() {
            problem.gram_of(&set, &mut entries, run)?;
            return Ok(Self { set, entries });
        }
        let mut at = vec![usize::MAX; problem.columns()];
        for (p, j) in self.set.iter().enumerate() {
            at[*j] = p;
        }
        let old: Vec<(usize, usize)> = set
            .iter()
            .enumerate()
            .filter_map(|(q, j)| (at[*j] != usize::MAX).then_some((q, at[*j])))
            .collect();
        for (q, p) in &old {
            let column = &self.entries[p * self.set.len()..(p + 1) * self.set.len()];
            for (i, s) in &old {
                entries[q * k + i] = column[*s];
            }
        }
        let new: Vec<usize> = (0..k).filter(|q| at[set[*q]] == usize::MAX).collect();
        let mut products = vec![T::zero(); new.len() * k];
        problem.gram_columns(&set, &new, &mut products, run)?;
        for (q, column) in new.iter().zip(products.chunks_exact(k)) {
            entries[q * k..(q + 1) * k].copy_from_slice(column);
            for (i, v) in column.iter().enumerate() {
                entries[i * k + q] = *v;
            }
        }
        Ok(Self { set, entries })
    }
}
