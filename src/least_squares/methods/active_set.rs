//! The monotone active-set method, on any [`Face`] over any [`Region`].
//!
//! Lawson & Hanson (1974, ch. 23; over bounds Stark & Parker 1995), with several columns taken from one pricing pass (partial pricing), started
//! from any feasible point. Coordinates whose multiplier has the wrong sign join the face; then comes the step to the minimiser over the face. It is cut
//! where a coordinate meets its bound, and that coordinate leaves the face. Every accepted step decreases ‖A x − b‖, so it ends; a column that enters
//! and leaves at once is set aside until something else has moved. A coordinate strictly between its bounds need not be in the face: it may be
//! free, with a zero multiplier.

use crate::Scalar;
use crate::least_squares::faces::Face;
use crate::least_squares::region::{Region, noise};
use crate::outcome::{Run, Status};
use std::cmp::Ordering;

/// The least number of candidates of a pass after the first.
const FEWEST: usize = 10;

/// Steps of iterative refinement at the end, over bounds.
const REFINEMENTS: usize = 2;

/// How the columns are chosen.
pub(in crate::least_squares) struct Pricing<'s, T> {
    /// ‖a_j‖; columns of norm 0 never enter.
    pub(in crate::least_squares) norms: &'s [T],
    /// The size of the terms of b − A x: ‖b‖ over x ≥ 0.
    pub(in crate::least_squares) size: T,
    /// Candidates kept from the first pass: more where a pass is expensive.
    pub(in crate::least_squares) first: usize,
    /// The most candidates that are kept from one pass.
    pub(in crate::least_squares) pool: usize,
    /// This many columns on either side of a column are coherent with it.
    pub(in crate::least_squares) coherence_length: usize,
    /// Called after every pricing pass: false ends the method.
    pub(in crate::least_squares) go_on: &'s dyn Fn(&Progress) -> bool,
}

/// The state after a pricing pass.
#[derive(Debug, Clone, Copy)]
pub(in crate::least_squares) struct Progress {
    /// Passes so far, this one included.
    pub(in crate::least_squares) rounds: usize,
    /// Columns on the face.
    pub(in crate::least_squares) face: usize,
    /// Candidates of the passes before, and how many columns the face gained by them.
    pub(in crate::least_squares) offered: usize,
    pub(in crate::least_squares) gained: usize,
    /// All that the solve has cost, in passes.
    pub(in crate::least_squares) cost: f64,
}

/// How the method ended without hitting a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::least_squares) enum Ended {
    /// No column wants to enter.
    Optimal,
    /// `go_on` was false.
    GivenUp,
    /// The bound on the number of rounds was reached, which only rounding can cause.
    Exhausted,
}

/// Improves x until no column wants to enter. `x` are the values of the members of the face, in their order, and `held` those of all other
/// coordinates. Over x ≥ 0 ([`Region::ZERO_OFF_FACE`]) `held` is empty, and `x` may be shorter than the face: members beyond start at 0.
///
/// # Errors
/// The limit that was hit; the point is feasible then too.
pub(in crate::least_squares) fn active_set<T: Scalar, R: Region<T>, F: Face<T>>(
    face: &mut F,
    x: &mut Vec<T>,
    held: &mut [T],
    region: &R,
    pricing: &Pricing<'_, T>,
    run: &mut Run<'_>,
) -> Result<Ended, Status> {
    let n = pricing.norms.len();
    let mut state = State {
        region,
        inside: vec![false; n],
        set_aside: vec![false; n],
        target: Vec::new(),
        w: vec![T::zero(); n],
        candidates: Vec::with_capacity(n),
        peaks: Vec::new(),
    };
    for j in face.members() {
        state.inside[*j] = true;
    }
    x.resize(face.members().len(), T::zero());
    face.rebase(x, held, run);
    state.settle(face, x, held, run)?;
    let started = face.members().len();
    let mut progress = Progress {
        rounds: 0,
        face: 0,
        offered: 0,
        gained: 0,
        cost: 0.0,
    };
    // as many candidates as are likely to enter: the inner products of all of them are formed together
    let mut pool = pricing.first;
    let mut moved_since_release = false;
    let (mut refined, mut refinements) = (false, 0);
    // f decreases with every entry, but by less than its rounding when multipliers are noise: such exchanges need not
    // end. No regular run comes near this many rounds
    let mut rounds = 10 * n + 100;
    loop {
        run.iteration()?;
        rounds -= 1;
        if rounds == 0 {
            return Ok(Ended::Exhausted);
        }
        if R::ZERO_OFF_FACE && !refined && 8 * face.members().len() <= n {
            // a refinement costs little compared with a pass, and one before the pass saves one after it
            refined = state.refine(face, x, held, run);
        }
        if !face.is_anchored() {
            state.anchor(face, x, held, run);
        }
        let (threshold, offered) = state.price(face, x, held, pricing, pool.min(pricing.pool), run);
        if state.candidates.is_empty() {
            if moved_since_release && state.set_aside.contains(&true) {
                // the face has changed since they were refused
                state.set_aside.fill(false);
                moved_since_release = false;
                continue;
            }
            if R::ZERO_OFF_FACE {
                if !refined && state.refine(face, x, held, run) {
                    refined = true;
                    continue;
                }
            } else if refinements < REFINEMENTS {
                // the residual is fresh: this step is one of iterative refinement, and what it takes to a bound leaves the face
                refinements += 1;
                state.settle(face, x, held, run)?;
                continue;
            }
            state.target.resize(x.len(), T::zero());
            face.correction(x, held, &mut state.target, run);
            for ((j, v), d) in face.members().iter().zip(x).zip(&state.target) {
                let size = pricing.size;
                *v = region
                    .rounding_of_bound(*j, *v, *d, pricing.norms[*j], size)
                    .unwrap_or(*v);
            }
            return Ok(Ended::Optimal);
        }
        let best = state.candidates[0].0;
        progress.rounds += 1;
        progress.gained = face.members().len().saturating_sub(started);
        progress.face = face.members().len();
        progress.cost = run.cost();
        if !(pricing.go_on)(&progress) {
            return Ok(Ended::GivenUp);
        }
        let mut entered = 0;
        let candidates = std::mem::take(&mut state.candidates);
        face.prepare(&candidates, run);
        for (at, (score, j)) in candidates.iter().enumerate() {
            if at > 0 {
                // priced again at the current point: a column whose price has vanished would enter and leave at once
                let now = match face.price(*j, x) {
                    Some(w) => state.gain(*j, held, w) / pricing.norms[*j],
                    None => *score,
                };
                if now.is_nan() || now <= threshold || now < T::lit(0.1) * best {
                    continue;
                }
                run.iteration()?;
            }
            if !face.append(*j, run) {
                if face.gives_up() {
                    return Ok(Ended::GivenUp);
                }
                state.set_aside[*j] = true;
                continue;
            }
            state.inside[*j] = true;
            let before = state.held(*j, held);
            x.push(before);
            state.settle(face, x, held, run)?;
            // (it may have gone all the way to its other bound)
            if state.inside[*j] || state.held(*j, held) != before {
                entered += 1;
            } else {
                state.set_aside[*j] = true;
            }
        }
        progress.offered += offered;
        pool = (2 * entered + FEWEST / 2).max(FEWEST);
        state.candidates = candidates;
        if entered > 0 {
            moved_since_release = true;
            (refined, refinements) = (false, 0);
        }
    }
}

struct State<'s, T, R> {
    region: &'s R,
    inside: Vec<bool>,
    set_aside: Vec<bool>,
    target: Vec<T>,
    w: Vec<T>,
    /// (what w_j promises, per ‖a_j‖, and j), best first.
    candidates: Vec<(T, usize)>,
    /// Memory of those of them that are kept.
    peaks: Vec<(T, usize)>,
}

impl<T: Scalar, R: Region<T>> State<'_, T, R> {
    /// The value of a coordinate off the face.
    #[inline]
    fn held(&self, j: usize, held: &[T]) -> T {
        if R::ZERO_OFF_FACE { T::zero() } else { held[j] }
    }

    /// |w| for w = −g_j if x_j may move in the direction of w; else not a positive number.
    #[inline]
    fn gain(&self, j: usize, held: &[T], w: T) -> T {
        if R::ZERO_OFF_FACE {
            return w;
        }
        let may_follow = if w > T::zero() {
            held[j] < self.region.upper(j)
        } else {
            held[j] > self.region.lower(j)
        };
        if may_follow { w.abs() } else { T::zero() }
    }

    /// While no coordinate of the sum is in the face, none can move: puts in the one with the most negative reduced gradient among those
    /// that can fall, which also settles the multiplier of the sum.
    fn anchor<F: Face<T>>(&mut self, face: &mut F, x: &mut Vec<T>, held: &[T], run: &mut Run<'_>) {
        let Some(sum) = self.region.sum() else { return };
        face.price_all(x, held, &mut self.w, run);
        let can_fall = |j: &usize| {
            sum.w[*j] > T::zero()
                && !self.inside[*j]
                && held[*j] > self.region.lower(*j)
                && !self.region.is_fixed(*j)
        };
        let least = (0..self.w.len())
            .filter(can_fall)
            .map(|j| (self.w[j] / sum.w[j], j))
            .reduce(|best, next| if best.0 <= next.0 { best } else { next });
        if let Some((_, j)) = least
            && face.append(j, run)
        {
            self.inside[j] = true;
            x.push(held[j]);
        }
    }

    fn price<F: Face<T>>(
        &mut self,
        face: &mut F,
        x: &[T],
        held: &[T],
        pricing: &Pricing<'_, T>,
        pool: usize,
        run: &mut Run<'_>,
    ) -> (T, usize) {
        let threshold = noise::<T>() * face.price_all(x, held, &mut self.w, run);
        let stuck = !face.is_anchored();
        self.candidates.clear();
        for j in 0..self.w.len() {
            if self.inside[j] || self.set_aside[j] || pricing.norms[j] == T::zero() {
                continue;
            }
            if stuck && self.region.weight(j) > T::zero() {
                continue;
            }
            let score = self.gain(j, held, self.w[j]) / pricing.norms[j];
            if score > threshold {
                self.candidates.push((score, j));
            }
        }
        let all = self.candidates.len();
        self.keep_peaks(pricing.coherence_length);
        if self.candidates.len() > pool {
            self.candidates.select_nth_unstable_by(pool - 1, best_first);
            self.candidates.truncate(pool);
        }
        self.candidates.sort_unstable_by(best_first);
        (threshold, all.min(pool))
    }

    /// Of candidates (by ascending index) so near to each other that they are coherent, keeps the best: with it in the face the prices of the others vanish.
    fn keep_peaks(&mut self, coherence_length: usize) {
        if coherence_length == 0 {
            return;
        }
        let all = &self.candidates;
        let better = |a: &(T, usize), b: &(T, usize)| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1);
        let peak = |at: usize| {
            let this = &all[at];
            let near = |other: &&(T, usize)| other.1.abs_diff(this.1) <= coherence_length;
            let ahead = all[..at].iter().rev().take_while(near);
            let behind = all[at + 1..].iter().take_while(near);
            !ahead.chain(behind).any(|other| better(other, this))
        };
        self.peaks.clear();
        self.peaks
            .extend((0..all.len()).filter(|at| peak(*at)).map(|at| all[at]));
        std::mem::swap(&mut self.candidates, &mut self.peaks);
    }

    /// Moves the point to the minimiser over its face. Coordinates that meet a bound on the way stop there and leave the face.
    fn settle<F: Face<T>>(
        &mut self,
        face: &mut F,
        x: &mut Vec<T>,
        held: &mut [T],
        run: &mut Run<'_>,
    ) -> Result<(), Status> {
        let region = self.region;
        loop {
            let k = face.members().len();
            self.target.resize(k, T::zero());
            face.minimiser(x, &mut self.target[..k]);
            // the first coordinate to reach a bound on the way from x to the target, and that bound
            let (mut part, mut blocking) = (T::one(), None);
            for (i, (j, t)) in face.members().iter().zip(&self.target).enumerate() {
                let Some(bound) = region.met(*j, x[i], *t) else {
                    continue;
                };
                let s = if x[i] == bound {
                    T::zero()
                } else {
                    (x[i] - bound) / (x[i] - *t)
                };
                if blocking.is_none() || s < part {
                    (part, blocking) = (s, Some((i, bound)));
                }
            }
            let Some((first, bound)) = blocking else {
                x.copy_from_slice(&self.target);
                face.moved(T::one());
                return Ok(());
            };
            if part != T::zero() {
                for (v, t) in x.iter_mut().zip(&self.target) {
                    *v += part * (*t - *v);
                }
                face.moved(part);
            }
            x[first] = bound;
            for i in (0..k).rev() {
                // every coordinate that reached its bound together with the first, or passed it by rounding
                let (j, t) = (face.members()[i], self.target[i]);
                let Some(bound) = region.met(j, x[i], t) else {
                    continue;
                };
                let is_short = if t > bound { x[i] < bound } else { x[i] > bound };
                if is_short {
                    continue;
                }
                self.inside[j] = false;
                if !R::ZERO_OFF_FACE {
                    held[j] = bound;
                }
                face.remove(i);
                x.remove(i);
            }
            run.iteration()?;
        }
    }

    /// One refinement of the minimiser with a fresh residual, kept when it stays between the bounds; whether x changed.
    fn refine<F: Face<T>>(&mut self, face: &mut F, x: &mut [T], held: &[T], run: &mut Run<'_>) -> bool {
        let delta = &mut self.target;
        delta.resize(x.len(), T::zero());
        face.correction(x, held, delta, run);
        let changed = delta.iter().any(|d| *d != T::zero());
        let mut moved = face.members().iter().zip(&*x).zip(&*delta);
        let stays = moved.all(|((j, v), d)| self.region.is_inside(*j, *v + *d));
        if !stays || !changed {
            return false;
        }
        for (v, d) in x.iter_mut().zip(delta.iter()) {
            *v += *d;
        }
        true
    }
}

/// Scores and columns, the best first; ties by index, so that nothing depends on the algorithm that selects.
pub(in crate::least_squares) fn best_first<T: Scalar>(a: &(T, usize), b: &(T, usize)) -> Ordering {
    b.0.partial_cmp(&a.0)
        .unwrap_or(Ordering::Equal)
        .then(a.1.cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::least_squares::faces::QrFace;
    use crate::least_squares::problem::Problem;
    use crate::least_squares::region::{BoundsAndSum, Sum};
    use crate::operators::Dense;

    fn pricing(norms: &[f64]) -> Pricing<'_, f64> {
        Pricing {
            norms,
            size: 1.0,
            first: 10,
            pool: 10,
            coherence_length: 0,
            go_on: &|_| true,
        }
    }

    /// A face whose minimiser is what a test says, and whose members all want to move away from where they are.
    struct Scripted {
        members: Vec<usize>,
        target: fn(f64) -> f64,
        prices: bool,
    }

    impl Face<f64> for Scripted {
        fn members(&self) -> &[usize] {
            &self.members
        }
        fn append(&mut self, j: usize, _run: &mut Run<'_>) -> bool {
            self.members.push(j);
            true
        }
        fn remove(&mut self, position: usize) {
            self.members.remove(position);
        }
        fn minimiser(&mut self, x: &[f64], z: &mut [f64]) {
            z.iter_mut().zip(x).for_each(|(z, x)| *z = (self.target)(*x));
        }
        fn price_all(&mut self, _x: &[f64], held: &[f64], w: &mut [f64], _run: &mut Run<'_>) -> f64 {
            for (w, v) in w.iter_mut().zip(held) {
                *w = if self.prices { 1.0 - 2.0 * v } else { 0.0 };
            }
            1.0
        }
        fn price(&mut self, _j: usize, _x: &[f64]) -> Option<f64> {
            None
        }
        fn correction(&mut self, _x: &[f64], _held: &[f64], delta: &mut [f64], _run: &mut Run<'_>) {
            delta.fill(0.0);
        }
    }

    fn unit_box(n: usize) -> BoundsAndSum<f64> {
        BoundsAndSum {
            lo: vec![0.0; n],
            hi: vec![1.0; n],
            sum: None,
        }
    }

    /// The point is feasible whatever a factor says: a coordinate whose target is not known stays where it is.
    #[test]
    fn unknown_targets_move_nothing() {
        let mut face = Scripted {
            members: vec![0, 2],
            target: |x| if x < 0.3 { f64::NAN } else { 5.0 },
            prices: false,
        };
        let (mut x, mut held) = (vec![0.25, 0.5], vec![0.25, 0.75, 0.5]);
        let (region, norms) = (unit_box(3), [1.0; 3]);
        let ended = active_set(
            &mut face,
            &mut x,
            &mut held,
            &region,
            &pricing(&norms),
            &mut Run::unlimited(),
        );
        assert_eq!(ended, Ok(Ended::Optimal));
        assert!(x.is_empty());
        assert_eq!(held, [0.25, 0.75, 1.0]);
    }

    /// Exchanges without an end are not reported as an optimum: the caller goes on with another method.
    #[test]
    fn exchanges_without_an_end_are_given_up() {
        let mut face = Scripted {
            members: vec![],
            // from one bound to the other and back
            target: |x| 3.0 - 5.0 * x,
            prices: true,
        };
        let (mut x, mut held) = (vec![], vec![0.0]);
        let (region, norms) = (unit_box(1), [1.0]);
        let ended = active_set(
            &mut face,
            &mut x,
            &mut held,
            &region,
            &pricing(&norms),
            &mut Run::unlimited(),
        );
        assert_eq!(ended, Ok(Ended::Exhausted));
    }

    /// The only member of a sum cannot move. At its bound it stays in the face all the same: the multiplier of the sum rests on it.
    #[test]
    fn the_only_member_of_a_sum_stays() {
        let data = [1.0, 0.0, 0.0, 1.0];
        let a = Dense::column_major(&data, 2, 2).unwrap();
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        let region = BoundsAndSum {
            sum: Some(Sum {
                w: vec![1.0; 2],
                r: 1.0,
            }),
            ..unit_box(2)
        };
        let b = [2.0, 0.0];
        let mut run = Run::unlimited();
        let mut face = QrFace::over(&problem, &b, &region, 1.0);
        assert!(face.append(0, &mut run));
        let (mut x, mut held) = (vec![1.0], vec![1.0, 0.0]);
        let ended = active_set(
            &mut face,
            &mut x,
            &mut held,
            &region,
            &pricing(problem.norms()),
            &mut run,
        );
        assert_eq!(ended, Ok(Ended::Optimal));
        assert_eq!((face.members(), &x[..]), (&[0][..], &[1.0][..]));
        // (one round, and one for each refinement: nothing left and came back)
        assert_eq!(run.iterations, 1 + REFINEMENTS);
    }
}
