//! Block exchange of the active set on the Gram matrix.
//!
//! Block principal pivoting (Portugal, Júdice & Vicente 1994; Kim & Park 2011): solve on a face F, flip every
//! index whose sign is wrong, repeat. The number of wrong signs must fall; when it has not fallen for three
//! rounds only the largest wrong index is flipped (Murty's rule) until it does. Ends in a handful of rounds, each
//! one factorisation of G_FF.

use super::face::{gather, weak_pivot};
use crate::LinalgScalar;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::solve_lower;
use crate::outcome::{Run, Status};

/// The face at which the exchange ended, its factor, and the solution on it.
pub(super) struct Exchange<T: LinalgScalar> {
    pub(super) face: Scratch<usize>,
    /// x on the face, in its order.
    pub(super) x: Scratch<T>,
    factor: Scratch<T>,
}

/// Why there is no answer.
pub(super) enum Failure<T: LinalgScalar> {
    /// G_FF is not safely positive definite: another method must take over.
    Singular,
    /// The signs would not settle.
    Cycling,
    /// A limit of the run, with the last face and the solution on it (not feasible).
    Limit(Status, Scratch<usize>, Scratch<T>),
}

impl<T: LinalgScalar> Exchange<T> {
    /// δ ← G_FF⁻¹ v in place.
    pub(super) fn solve(&self, v: &mut [T]) {
        solve_lower(&self.factor, self.face.len(), v);
    }
}

/// Signs are read in units of the column norms; below this, of the solution and of the multipliers, they are rounding.
pub(super) fn rounding_of_signs<T: LinalgScalar>(c: &[T], norms: &[T]) -> T {
    let scores = c.iter().zip(norms).filter(|(_, norm)| **norm > T::zero());
    let scale = scores.fold(T::zero(), |m, (c, norm)| m.max(c.abs() / *norm));
    T::lit(5e3) * T::epsilon() * scale
}

/// Runs the exchange from the face `inside`. `whole` is the factor of G, where it is known.
pub(super) fn block_exchange<T: LinalgScalar>(
    gram: &[T],
    c: &[T],
    norms: &[T],
    mut inside: Scratch<bool>,
    whole: Option<&[T]>,
    run: &mut Run<'_>,
) -> Result<Exchange<T>, Failure<T>> {
    let n = c.len();
    let tolerance = rounding_of_signs(c, norms);
    let mut state = Exchange {
        face: scratch::empty(),
        x: scratch::empty(),
        factor: scratch::empty(),
    };
    let mut y: Scratch<T> = scratch::zeros(n);
    let mut flips: Scratch<usize> = scratch::empty();
    let (mut fewest, mut patience) = (n + 1, 3);
    // every round of Murty's rule brings a new face; this many without a success means that rounding decides
    for _ in 0..20 + 5 * n {
        if let Err(status) = run.iteration() {
            return Err(Failure::Limit(status, state.face, state.x));
        }
        state.face.clear();
        state.face.extend((0..n).filter(|j| inside[*j]));
        let k = state.face.len();
        if let Some(whole) = whole.filter(|_| k == n) {
            state.factor.clear();
            state.factor.extend_from_slice(whole);
        } else {
            state.factor.resize(k * k, T::zero());
            gather(gram, n, &state.face, &mut state.factor);
            run.factorisations += 1;
            if !T::cholesky(k, &mut state.factor)
                || weak_pivot(&state.factor, k, |p| gram[state.face[p] * (n + 1)])
            {
                return Err(Failure::Singular);
            }
        }
        state.x.clear();
        state.x.extend(state.face.iter().map(|j| c[*j]));
        solve_lower(&state.factor, k, &mut state.x);
        // y = G x − c, the multipliers off the face
        for (yj, cj) in y.iter_mut().zip(c) {
            *yj = -*cj;
        }
        for (j, v) in state.face.iter().zip(&state.x) {
            crate::linalg::axpy(*v, &gram[j * n..(j + 1) * n], &mut y);
        }
        let mut position = 0;
        let (mut wrong, mut last) = (0, None);
        flips.clear();
        for j in 0..n {
            let bad = if inside[j] {
                position += 1;
                state.x[position - 1] * norms[j] < -tolerance
            } else {
                norms[j] > T::zero() && y[j] < -tolerance * norms[j]
            };
            if bad {
                wrong += 1;
                last = Some(j);
                flips.push(j);
            }
        }
        let Some(last) = last else {
            return Ok(state);
        };
        if wrong < fewest {
            (fewest, patience) = (wrong, 3);
        } else if patience > 0 {
            patience -= 1;
        } else {
            inside[last] = !inside[last];
            continue;
        }
        for j in &flips {
            inside[*j] = !inside[*j];
        }
    }
    Err(Failure::Cycling)
}
