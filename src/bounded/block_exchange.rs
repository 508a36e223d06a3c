//! Block exchange on the Gram matrix with three states per coordinate: at its lower bound, free, at its upper bound.
//!
//! Block principal pivoting for bounds (Júdice & Pires 1992), with the safeguards of the x ≥ 0 version: solve on the free
//! coordinates, move all that are wrong, repeat; the number of wrong ones must fall, or only one is moved. Everything is
//! in z = x − x⁰, x⁰ the feasible point of the box nearest to zero, so that a box far from zero costs no digits.

use super::face::mean_multiplier;
use super::region::Region;
use crate::LinalgScalar;
use crate::linalg::{axpy, solve_lower};
use crate::nnls::face::{gather, weak_pivot};
use crate::outcome::{Run, Status};

/// Where a coordinate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Lower,
    Free,
    Upper,
    /// It stays where it is: lo = hi, or a column of zeros.
    Fixed,
}

/// The problem in z.
pub(super) struct Shifted<'s, T> {
    pub(super) gram: &'s [T],
    /// Aᵀ(b − A x⁰)
    pub(super) c: &'s [T],
    pub(super) norms: &'s [T],
    /// Bounds of z, r − Σ w x⁰.
    pub(super) region: &'s Region<T>,
    /// α² of the appended row, 0 without a sum.
    pub(super) alpha_squared: T,
}

/// Where the exchange ended.
pub(super) struct Exchange<T> {
    pub(super) states: Vec<State>,
    pub(super) face: Vec<usize>,
    /// z on the face, in its order.
    pub(super) z: Vec<T>,
    factor: Vec<T>,
    /// G_FF⁻¹ w_F and its product with w_F; empty when nothing of the sum is in the face.
    along: Vec<T>,
    curvature: T,
}

/// Why there is no answer.
pub(super) enum Failure<T> {
    /// G_FF is not safely positive definite: another method must take over.
    Singular,
    /// The states would not settle.
    Cycling,
    /// A limit of the run, with the last exchange (z need not be feasible).
    Limit(Status, Exchange<T>),
}

impl<T: LinalgScalar> Exchange<T> {
    /// v ← the step with gradient −v on the face that changes Σ w z by `lacking`.
    pub(super) fn solve(&self, v: &mut [T], weights: impl Fn(usize) -> T, lacking: T) {
        solve_lower(&self.factor, self.face.len(), v);
        if self.along.is_empty() {
            return;
        }
        let moved: T = self
            .face
            .iter()
            .zip(v.iter())
            .map(|(j, v)| weights(*j) * *v)
            .sum();
        let lambda = (lacking - moved) / self.curvature;
        axpy(lambda, &self.along, v);
    }

    /// v ← G_FF⁻¹ v
    pub(super) fn solve_plain(&self, v: &mut [T]) {
        solve_lower(&self.factor, self.face.len(), v);
    }

    /// z of a coordinate off the face.
    fn at_bound(&self, j: usize, region: &Region<T>) -> T {
        match self.states[j] {
            State::Lower => region.lo[j],
            State::Upper => region.hi[j],
            State::Free | State::Fixed => T::zero(),
        }
    }
}

/// G_FF + α² w wᵀ, lower triangle.
pub(super) fn append_row<T: LinalgScalar>(l: &mut [T], face: &[usize], region: &Region<T>, alpha_squared: T) {
    if alpha_squared == T::zero() {
        return;
    }
    let k = face.len();
    for (q, j) in face.iter().enumerate() {
        let w = alpha_squared * region.weight(*j);
        if w > T::zero() {
            for (p, i) in face.iter().enumerate().skip(q) {
                l[q * k + p] += w * region.weight(*i);
            }
        }
    }
}

/// Runs the exchange from the given states.
pub(super) fn block_exchange<T: LinalgScalar>(
    p: &Shifted<'_, T>,
    states: Vec<State>,
    run: &mut Run<'_>,
) -> Result<Exchange<T>, Failure<T>> {
    let n = p.c.len();
    let region = p.region;
    let weight = |j: usize| region.weight(j);
    let mut e = Exchange {
        states,
        face: Vec::new(),
        z: Vec::new(),
        factor: Vec::new(),
        along: Vec::new(),
        curvature: T::zero(),
    };
    let mut h = vec![T::zero(); n];
    let mut pull = vec![T::zero(); n];
    let (mut fewest, mut patience) = (n + 1, 3);
    let mut changes: Vec<(usize, State)> = Vec::new();
    // every round of single moves brings a new face; this many without a success means that rounding decides
    for _ in 0..20 + 5 * n {
        if let Err(status) = run.iteration() {
            return Err(Failure::Limit(status, e));
        }
        e.face.clear();
        e.face.extend((0..n).filter(|j| e.states[*j] == State::Free));
        let k = e.face.len();
        e.factor.resize(k * k, T::zero());
        gather(p.gram, n, &e.face, &mut e.factor);
        run.factorisations += 1;
        append_row(&mut e.factor, &e.face, region, p.alpha_squared);
        let diagonal = |i: usize| {
            let (j, w) = (e.face[i], weight(e.face[i]));
            p.gram[j * (n + 1)] + p.alpha_squared * w * w
        };
        if !T::cholesky(k, &mut e.factor) || weak_pivot(&e.factor, k, diagonal) {
            return Err(Failure::Singular);
        }
        // h = c − G z with only the bounds in z. The appended row is in the factor alone: it moves the multiplier, no more
        h.copy_from_slice(p.c);
        let mut lacking = region.sum.as_ref().map_or(T::zero(), |s| s.r);
        for j in 0..n {
            let z = e.at_bound(j, region);
            if z != T::zero() {
                axpy(-z, &p.gram[j * n..(j + 1) * n], &mut h);
                lacking -= weight(j) * z;
            }
        }
        e.along.clear();
        if let Some(sum) = &region.sum {
            let weights = || e.face.iter().map(|j| sum.w[*j]);
            if weights().any(|w| w > T::zero()) {
                e.along.extend(weights());
                solve_lower(&e.factor, k, &mut e.along);
                e.curvature = weights().zip(&e.along).map(|(w, v)| w * *v).sum();
            } else if (0..n).any(|j| sum.w[j] > T::zero() && e.states[j] != State::Fixed) {
                // all at bounds that need not add up, and the multiplier is unknown
                return Err(Failure::Cycling);
            }
        }
        let mut z: Vec<T> = e.face.iter().map(|j| h[*j]).collect();
        e.solve(&mut z, weight, lacking);
        e.z = z;
        // the pull −(G z − c − λ w), zero on the face
        pull.copy_from_slice(&h);
        for (j, v) in e.face.iter().zip(&e.z) {
            axpy(-*v, &p.gram[j * n..(j + 1) * n], &mut pull);
        }
        let mut lambda = T::zero();
        if let Some(sum) = &region.sum {
            lambda = mean_multiplier(&e.face, p.norms, &sum.w, &pull).unwrap_or_else(T::zero);
            axpy(lambda, &sum.w, &mut pull);
        }
        // signs are read in units of the column norms; below this they are rounding
        let scale = (0..n)
            .filter(|j| p.norms[*j] > T::zero())
            .fold(T::zero(), |m, j| {
                m.max(((p.c[j].abs() + h[j].abs()) + (lambda * weight(j)).abs()) / p.norms[j])
            });
        let tolerance = T::lit(5e3) * T::epsilon() * scale;
        changes.clear();
        let mut position = 0;
        for j in 0..n {
            let c = p.norms[j];
            let pull = pull[j];
            let new = match e.states[j] {
                State::Free => {
                    let v = e.z[position];
                    position += 1;
                    if c * (v - region.lo[j]) < -tolerance {
                        State::Lower
                    } else if c * (v - region.hi[j]) > tolerance {
                        State::Upper
                    } else {
                        State::Free
                    }
                }
                State::Lower if pull > tolerance * c => State::Free,
                State::Upper if pull < -tolerance * c => State::Free,
                same => same,
            };
            if new != e.states[j] {
                changes.push((j, new));
            }
        }
        let Some(last) = changes.last().copied() else {
            return Ok(e);
        };
        if changes.len() < fewest {
            (fewest, patience) = (changes.len(), 3);
        } else if patience > 0 {
            patience -= 1;
        } else {
            e.states[last.0] = last.1;
            continue;
        }
        for (j, state) in &changes {
            e.states[*j] = *state;
        }
    }
    Err(Failure::Cycling)
}
