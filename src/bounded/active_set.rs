//! The monotone active-set method over bounds and a sum, on any [`Face`].
//!
//! As for x ≥ 0 (Lawson & Hanson 1974, ch. 23; bounds: Stark & Parker 1995): from a feasible point, coordinates whose
//! multiplier has the wrong sign join the face, several from one pricing pass; then the step to the minimiser over the face,
//! cut where a coordinate meets its bound, which leaves the face there. Every accepted step decreases ‖A x − b‖, so it ends.
//! A coordinate strictly between its bounds need not be in the face: it may be free and pull at nothing.

use super::face::Face;
use super::region::Region;
use crate::Scalar;
use crate::nnls::active_set::noise;
use crate::outcome::{Run, Status};

/// How coordinates are chosen.
pub(super) struct Pricing<'s, T> {
    /// ‖a_j‖, and that of the largest column for a column of zeros that takes part in the sum.
    pub(super) norms: &'s [T],
    /// ‖b‖, the size below 200 ε of which a distance is rounding.
    pub(super) size: T,
    /// Candidates kept from one pass.
    pub(super) pool: usize,
    /// Gives up when the face has more members than this …
    pub(super) largest: usize,
    /// … or the solve has cost more than this, in passes.
    pub(super) cost: f64,
}

/// Improves x (feasible, all coordinates) until no coordinate wants to move. The members of the face may lie anywhere
/// between their bounds.
///
/// False when the face outgrew `pricing.largest` or the solve `pricing.cost`, or rounding kept it from coming to an end.
///
/// # Errors
/// The limit that was hit; x is feasible then too.
pub(super) fn active_set<T: Scalar, F: Face<T>>(
    face: &mut F,
    x: &mut [T],
    region: &Region<T>,
    pricing: &Pricing<'_, T>,
    run: &mut Run<'_>,
) -> Result<bool, Status> {
    let n = x.len();
    let mut state = State {
        region,
        pricing,
        inside: vec![false; n],
        set_aside: vec![false; n],
        step: Vec::new(),
        pull: vec![T::zero(); n],
        candidates: Vec::new(),
    };
    for j in face.members() {
        state.inside[*j] = true;
    }
    face.refresh(x, run);
    state.settle(face, x, run)?;
    let mut moved_since_release = false;
    let mut refinements = 0;
    // f decreases with every entry, but by less than its rounding when multipliers are noise: such exchanges could
    // go on for ever, and no sound run is anywhere near this long
    for _ in 0..20 * n + 200 {
        run.iteration()?;
        face.refresh(x, run);
        if !face.is_anchored() {
            state.anchor(face, x, run);
        }
        let threshold = state.price(face, x, run);
        if state.candidates.is_empty() {
            if moved_since_release && state.set_aside.contains(&true) {
                // the face has changed since they were refused
                state.set_aside.fill(false);
                moved_since_release = false;
                continue;
            }
            if refinements < 2 {
                // the residual is fresh: this step is one of iterative refinement
                refinements += 1;
                state.settle(face, x, run)?;
                continue;
            }
            state.drop_rounding(face, x, run);
            return Ok(true);
        }
        let best = state.candidates[0].0;
        let candidates = std::mem::take(&mut state.candidates);
        for (at, (score, j)) in candidates.iter().enumerate() {
            if at > 0 {
                // re-priced at the point reached meanwhile: a coordinate that lost its pull would only come and go
                let pull = face.price(*j).unwrap_or(*score * pricing.norms[*j]);
                let now = state.score(*j, x[*j], pull);
                if now.is_nan() || now <= threshold || now < T::lit(0.1) * best {
                    continue;
                }
                run.iteration()?;
            }
            if !face.append(*j, run) {
                state.set_aside[*j] = true;
                continue;
            }
            state.inside[*j] = true;
            let before = x[*j];
            state.settle(face, x, run)?;
            // it may have gone all the way to its other bound
            if state.inside[*j] || x[*j] != before {
                moved_since_release = true;
                refinements = 0;
            } else {
                state.set_aside[*j] = true;
            }
        }
        state.candidates = candidates;
        if face.members().len() > pricing.largest || run.cost() > pricing.cost {
            return Ok(false);
        }
    }
    Ok(false)
}

struct State<'s, T> {
    region: &'s Region<T>,
    pricing: &'s Pricing<'s, T>,
    inside: Vec<bool>,
    set_aside: Vec<bool>,
    step: Vec<T>,
    pull: Vec<T>,
    /// (|pull_j|/‖a_j‖, j), best first.
    candidates: Vec<(T, usize)>,
}

impl<T: Scalar> State<'_, T> {
    /// How much coordinate j at x gains from following its pull, per column norm; 0 where a bound forbids it.
    fn score(&self, j: usize, x: T, pull: T) -> T {
        let allowed = if pull > T::zero() {
            x < self.region.hi[j]
        } else {
            x > self.region.lo[j]
        };
        if allowed {
            pull.abs() / self.pricing.norms[j]
        } else {
            T::zero()
        }
    }

    /// While no coordinate of the sum is in the face, none can move: puts in the one with the best reason to fall, which
    /// also settles the multiplier of the sum.
    fn anchor<F: Face<T>>(&mut self, face: &mut F, x: &[T], run: &mut Run<'_>) {
        let Some(sum) = &self.region.sum else { return };
        face.price_all(&mut self.pull, run);
        let best = (0..x.len())
            .filter(|j| sum.w[*j] > T::zero() && x[*j] > self.region.lo[*j] && !self.region.is_fixed(*j))
            .map(|j| (self.pull[j] / sum.w[j], j))
            .fold(None, |best: Option<(T, usize)>, (pull, j)| match best {
                Some((least, _)) if least <= pull => best,
                _ => Some((pull, j)),
            });
        if let Some((_, j)) = best {
            self.inside[j] = face.append(j, run);
        }
    }

    fn price<F: Face<T>>(&mut self, face: &mut F, x: &[T], run: &mut Run<'_>) -> T {
        let threshold = noise::<T>() * face.price_all(&mut self.pull, run);
        let stuck = !face.is_anchored();
        self.candidates.clear();
        for j in 0..x.len() {
            if self.inside[j]
                || self.set_aside[j]
                || self.pricing.norms[j] == T::zero()
                || (stuck && self.region.weight(j) > T::zero())
            {
                continue;
            }
            let score = self.score(j, x[j], self.pull[j]);
            if score > threshold {
                self.candidates.push((score, j));
            }
        }
        let best_first =
            |a: &(T, usize), b: &(T, usize)| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal);
        let pool = self.pricing.pool;
        if self.candidates.len() > pool {
            self.candidates.select_nth_unstable_by(pool - 1, best_first);
            self.candidates.truncate(pool);
        }
        // ties by index: the same problem in another order must not depend on the selection algorithm
        self.candidates
            .sort_by(|a, b| best_first(a, b).then(a.1.cmp(&b.1)));
        threshold
    }

    /// Moves x to the minimiser over its face; coordinates that meet a bound on the way stop there and leave the face.
    fn settle<F: Face<T>>(&mut self, face: &mut F, x: &mut [T], run: &mut Run<'_>) -> Result<(), Status> {
        let region = self.region;
        loop {
            face.direction(&mut self.step);
            let (mut step, mut blocking) = (T::one(), None);
            for (i, (j, p)) in face.members().iter().zip(&self.step).enumerate() {
                let (v, (lo, hi)) = (x[*j], (region.lo[*j], region.hi[*j]));
                let target = v + *p;
                let share = if target < lo {
                    (lo - v) / *p
                } else if target > hi {
                    (hi - v) / *p
                } else if target.is_nan() {
                    T::zero()
                } else {
                    continue;
                };
                if blocking.is_none() || share < step {
                    (step, blocking) = (share.max(T::zero()), Some(i));
                }
            }
            for (j, p) in face.members().iter().zip(&self.step) {
                if !p.is_nan() {
                    x[*j] = region.clip(*j, x[*j] + step * *p);
                }
            }
            face.advance(step);
            let Some(first) = blocking else {
                return Ok(());
            };
            for i in (0..face.members().len()).rev() {
                // whatever arrived at a bound with the first, or passed it by rounding
                let (j, p) = (face.members()[i], self.step[i]);
                let (lo, hi) = (region.lo[j], region.hi[j]);
                let arrived = if p < T::zero() {
                    x[j] <= lo
                } else {
                    x[j] >= hi && p > T::zero()
                };
                if i == first || arrived {
                    if p < T::zero() && lo.is_finite() {
                        x[j] = lo;
                    } else if p > T::zero() && hi.is_finite() {
                        x[j] = hi;
                    }
                    self.inside[j] = false;
                    face.remove(i);
                }
            }
            run.iteration()?;
        }
    }

    /// Sets to its bound what differs from it by rounding only, the remnant of a degenerate or consistent problem: a member
    /// that refinement moves by a tenth of its distance or more, and whose whole distance is 200 ε of the problem's size.
    fn drop_rounding<F: Face<T>>(&mut self, face: &mut F, x: &mut [T], run: &mut Run<'_>) {
        face.refresh(x, run);
        face.direction(&mut self.step);
        for (j, p) in face.members().iter().zip(&self.step) {
            if let Some(bound) = rounding_of_bound(
                self.region,
                *j,
                x[*j],
                *p,
                self.pricing.norms[*j],
                self.pricing.size,
            ) {
                x[*j] = bound;
            }
        }
    }
}

/// The bound that x_j is meant to be at, when its distance from it is rounding.
pub(super) fn rounding_of_bound<T: Scalar>(
    region: &Region<T>,
    j: usize,
    x: T,
    correction: T,
    norm: T,
    size: T,
) -> Option<T> {
    let negligible = noise::<T>() * size;
    [region.lo[j], region.hi[j]].into_iter().find(|bound| {
        let distance = (x - *bound).abs();
        distance > T::zero() && correction.abs() >= T::lit(0.1) * distance && norm * distance <= negligible
    })
}
