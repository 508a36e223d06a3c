//! Working sets: the coordinates between their bounds and the worst violators, solved exactly in a small dense Gram matrix.
//!
//! For problems with columns whose face is small: the n×n Gram matrix is never formed. Each round prices all columns with
//! one pass, so the answer is a solution of the whole problem, not of a guess.

use crate::LinalgScalar;
use crate::least_squares::active_set::{Pricing, active_set};
use crate::least_squares::faces::{Face, GramFace};
use crate::least_squares::problem::Problem;
use crate::least_squares::region::{BoundsAndSum, Region, Sum, noise};
use crate::least_squares::working_set::LARGEST;
use crate::linalg::axpy;
use crate::outcome::{Run, Status};

/// Improves x (feasible) to a solution; false when the set grew too large or the Gram matrix too ill-conditioned
/// to gain anything.
pub(super) fn working_set<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    region: &BoundsAndSum<T>,
    norms: &[T],
    alpha: T,
    size: T,
    x: &mut [T],
    run: &mut Run<'_>,
) -> Result<bool, Status> {
    let n = x.len();
    let threshold = noise::<T>() * size;
    let mut pull = vec![T::zero(); n];
    let mut order: Vec<(T, usize)> = Vec::new();
    for round in 0..60 {
        run.iteration()?;
        let inside: Vec<usize> = (0..n)
            .filter(|j| norms[*j] > T::zero() && region.is_inside(*j, x[*j]))
            .collect();
        let r = problem.residual(b, x, run);
        problem.adjoint(&r, &mut pull, run);
        let lambda = multiplier(region, norms, x, &pull);
        order.clear();
        for j in 0..n {
            if norms[j] == T::zero() || region.is_inside(j, x[j]) || region.is_fixed(j) {
                continue;
            }
            let p = pull[j] + lambda * region.weight(j);
            let allowed = if p > T::zero() {
                x[j] < region.hi[j]
            } else {
                x[j] > region.lo[j]
            };
            let score = p.abs() / norms[j];
            if allowed && score > threshold {
                order.push((score, j));
            }
        }
        if order.is_empty() && (round > 0 || inside.is_empty()) {
            return Ok(true);
        }
        order.sort_by(|a, b| {
            b.0.partial_cmp(&a.0)
                .unwrap_or(std::cmp::Ordering::Equal)
                .then(a.1.cmp(&b.1))
        });
        order.truncate(50.max(inside.len() / 4));
        let mut set = inside.clone();
        set.extend(order.iter().map(|(_, j)| *j));
        if set.len() > LARGEST {
            return Ok(false);
        }
        let k = set.len();
        let local = BoundsAndSum {
            lo: set.iter().map(|j| region.lo[*j]).collect(),
            hi: set.iter().map(|j| region.hi[*j]).collect(),
            sum: region.sum.as_ref().map(|s| {
                let mut others = x.to_vec();
                set.iter().for_each(|j| others[*j] = T::zero());
                Sum {
                    w: set.iter().map(|j| s.w[*j]).collect(),
                    r: s.gap(&others).0,
                }
            }),
        };
        let mut gram = vec![T::zero(); k * k];
        problem.gram_of(&set, &mut gram, run)?;
        let mut z: Vec<T> = set.iter().map(|j| x[*j]).collect();
        // c = Aᵀ(b − the other coordinates' share) = Aᵀr + G z
        let mut c: Vec<T> = set.iter().map(|j| pull[*j]).collect();
        for (column, v) in gram.chunks_exact(k).zip(&z) {
            axpy(*v, column, &mut c);
        }
        let set_norms: Vec<T> = set.iter().map(|j| norms[*j]).collect();
        let mut face = GramFace::over(&gram, &c, &local, alpha, size);
        let first: Vec<usize> = (0..inside.len()).collect();
        // a dependent face is built up again, coordinate by coordinate
        face.assign(&first, run);
        let pricing = Pricing {
            norms: &set_norms,
            size,
            first: 10,
            pool: 10,
            alike: 0,
            go_on: &|_| true,
        };
        let mut free = face.members().iter().map(|i| z[*i]).collect();
        let outcome = active_set(&mut face, &mut free, &mut z, &local, &pricing, run);
        face.members().iter().zip(free).for_each(|(i, v)| z[*i] = v);
        let members: Vec<usize> = face.members().to_vec();
        let globals: Vec<usize> = members.iter().map(|i| set[*i]).collect();
        for (j, v) in set.iter().zip(&z) {
            x[*j] = *v;
        }
        outcome?;
        // the Gram matrix squares the condition number: refine with the residual in A
        let mut delta = vec![T::zero(); members.len()];
        for _ in 0..3 {
            let r = problem.residual(b, x, run);
            problem.combine_adjoint(&globals, &r, &mut delta, run);
            face.solve(&mut delta);
            let target = |j: usize, d: T| x[j] + d;
            let stays = globals.iter().zip(&delta).all(|(j, d)| {
                let v = target(*j, *d);
                v >= region.lo[*j] && v <= region.hi[*j]
            });
            if !stays {
                break;
            }
            globals.iter().zip(&delta).for_each(|(j, d)| x[*j] += *d);
        }
        for (j, d) in globals.iter().zip(&delta) {
            x[*j] = region
                .rounding_of_bound(*j, x[*j], *d, norms[*j], size)
                .unwrap_or(x[*j]);
        }
    }
    Ok(false)
}

/// λ for pulls p = −g: the mean of g_j/w_j over the coordinates between their bounds, in the metric of the column norms.
fn multiplier<T: LinalgScalar>(region: &BoundsAndSum<T>, norms: &[T], x: &[T], pull: &[T]) -> T {
    if region.sum.is_none() {
        return T::zero();
    }
    let g: Vec<T> = pull.iter().map(|p| -*p).collect();
    let mut e = vec![T::zero(); x.len()];
    region.displacement(norms, x, &g, &mut e)
}
