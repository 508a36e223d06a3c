//! The monotone active-set method, on any [`Face`].
//!
//! Lawson & Hanson (1974, ch. 23), with several columns taken from one pricing pass (partial pricing), started from
//! any feasible point. Every accepted step decreases ‖A x − b‖, so it ends; a column that enters and leaves at once
//! is set aside until something else has moved.

use super::face::{Face, drop_rounding};
use crate::Scalar;
use crate::linalg::not_positive;
use crate::outcome::{Run, Status};
use std::cmp::Ordering;

/// The least number of candidates of a pass after the first.
const FEWEST: usize = 10;

/// How the columns are chosen.
pub(super) struct Pricing<'s, T> {
    /// ‖a_j‖; columns of norm 0 never enter.
    pub(super) norms: &'s [T],
    /// ‖b‖
    pub(super) b_norm: T,
    /// Candidates kept from the first pass: more where a pass is dear.
    pub(super) first: usize,
    /// The most candidates that are kept from one pass.
    pub(super) pool: usize,
    /// So many columns on either side of a column are like it.
    pub(super) alike: usize,
    /// Asked after every pricing pass: false ends the method there.
    pub(super) go_on: &'s dyn Fn(&Progress) -> bool,
}

/// What a pricing pass found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Passes so far, this one included.
    pub(super) rounds: usize,
    /// Columns on the face.
    pub(super) face: usize,
    /// Candidates of the passes before, and how many columns the face gained by them.
    pub(super) offered: usize,
    pub(super) gained: usize,
    /// All that the solve has cost, in passes.
    pub(super) cost: f64,
}

/// How the method ended without hitting a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// No column wants to enter.
    Optimal,
    /// The caller would not go on.
    GivenUp,
}

/// Improves x until no column wants to enter. On entry the face holds the support of x (in `face.members()` order
/// behind `x`, which may be shorter: members beyond start at 0).
///
/// # Errors
/// The limit that was hit; x is feasible then too.
pub(super) fn active_set<T: Scalar, F: Face<T>>(
    face: &mut F,
    x: &mut Vec<T>,
    pricing: &Pricing<'_, T>,
    run: &mut Run<'_>,
) -> Result<Ended, Status> {
    let n = pricing.norms.len();
    let mut state = State {
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
    settle(face, x, &mut state, run)?;
    let started = face.members().len();
    let mut progress = Progress {
        rounds: 0,
        face: 0,
        offered: 0,
        gained: 0,
        cost: 0.0,
    };
    // as many candidates as are likely to be taken: their inner products are formed together, wanted or not
    let mut pool = pricing.first;
    let mut moved_since_release = false;
    let mut refined = false;
    // f decreases with every entry, but by less than its rounding when multipliers are noise: such exchanges could
    // go on for ever, and no sound run is anywhere near this long
    let mut rounds = 10 * n + 100;
    loop {
        run.iteration()?;
        rounds -= 1;
        if rounds == 0 {
            return Ok(Ended::Optimal);
        }
        if !refined && 8 * face.members().len() <= n {
            // a refinement is cheap beside a pass; one before it saves the pass that one after it needs
            refined = refine(face, x, &mut state.target, run);
        }
        let (threshold, offered) = state.price(face, x, pricing, pool.min(pricing.pool), run);
        if state.candidates.is_empty() {
            if moved_since_release && state.set_aside.contains(&true) {
                // the face has changed since they were refused
                state.set_aside.fill(false);
                moved_since_release = false;
                continue;
            }
            if !refined && refine(face, x, &mut state.target, run) {
                refined = true;
                continue;
            }
            let k = face.members().len();
            face.correction(x, &mut state.target[..k], run);
            let norms = face.members().iter().map(|j| pricing.norms[*j]);
            drop_rounding(x, &state.target[..k], norms, pricing.b_norm);
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
                // re-priced at the point reached meanwhile: a column that lost its pull would only come and go
                let w = face.price(*j, x).unwrap_or(*score * pricing.norms[*j]);
                let now = w / pricing.norms[*j];
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
            x.push(T::zero());
            settle(face, x, &mut state, run)?;
            if state.inside[*j] {
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
            refined = false;
        }
    }
}

struct State<T> {
    inside: Vec<bool>,
    set_aside: Vec<bool>,
    target: Vec<T>,
    w: Vec<T>,
    /// (w_j/‖a_j‖, j), best first.
    candidates: Vec<(T, usize)>,
    /// Memory of those of them that are kept.
    peaks: Vec<(T, usize)>,
}

impl<T: Scalar> State<T> {
    fn price<F: Face<T>>(
        &mut self,
        face: &mut F,
        x: &[T],
        pricing: &Pricing<'_, T>,
        pool: usize,
        run: &mut Run<'_>,
    ) -> (T, usize) {
        let threshold = noise::<T>() * face.price_all(x, &mut self.w, run);
        self.candidates.clear();
        for j in 0..self.w.len() {
            if self.inside[j] || self.set_aside[j] || pricing.norms[j] == T::zero() {
                continue;
            }
            let score = self.w[j] / pricing.norms[j];
            if score > threshold {
                self.candidates.push((score, j));
            }
        }
        let all = self.candidates.len();
        self.keep_peaks(pricing.alike);
        if self.candidates.len() > pool {
            self.candidates.select_nth_unstable_by(pool - 1, best_first);
            self.candidates.truncate(pool);
        }
        self.candidates.sort_unstable_by(best_first);
        (threshold, all.min(pool))
    }

    /// Of candidates (by ascending index) that are so near to each other as to be alike, the best: the others would lose their pull with it.
    fn keep_peaks(&mut self, alike: usize) {
        if alike == 0 {
            return;
        }
        let all = &self.candidates;
        let better = |a: &(T, usize), b: &(T, usize)| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1);
        let peak = |at: usize| {
            let this = &all[at];
            let near = |other: &&(T, usize)| other.1.abs_diff(this.1) <= alike;
            let ahead = all[..at].iter().rev().take_while(near);
            let behind = all[at + 1..].iter().take_while(near);
            !ahead.chain(behind).any(|other| better(other, this))
        };
        self.peaks.clear();
        self.peaks
            .extend((0..all.len()).filter(|at| peak(*at)).map(|at| all[at]));
        std::mem::swap(&mut self.candidates, &mut self.peaks);
    }
}

/// Scores and columns, the best first; ties by index, so that nothing depends on the algorithm that selects.
pub(super) fn best_first<T: Scalar>(a: &(T, usize), b: &(T, usize)) -> Ordering {
    b.0.partial_cmp(&a.0)
        .unwrap_or(Ordering::Equal)
        .then(a.1.cmp(&b.1))
}

/// Multipliers below this multiple of the residual (per column norm) are rounding: 4e-14 in f64.
pub(crate) fn noise<T: Scalar>() -> T {
    T::lit(200.0) * T::epsilon()
}

/// Moves x to the minimiser over its face, dropping the columns that block the way.
fn settle<T: Scalar, F: Face<T>>(
    face: &mut F,
    x: &mut Vec<T>,
    state: &mut State<T>,
    run: &mut Run<'_>,
) -> Result<(), Status> {
    loop {
        let k = face.members().len();
        state.target.resize(k, T::zero());
        face.minimiser(&mut state.target[..k]);
        // the first coordinate to reach zero on the way from x to the target
        let (mut step, mut blocking) = (T::one(), None);
        for (i, t) in state.target.iter().enumerate() {
            if not_positive(*t) {
                let s = if x[i] > T::zero() {
                    x[i] / (x[i] - *t)
                } else {
                    T::zero()
                };
                if blocking.is_none() || s < step {
                    (step, blocking) = (s, Some(i));
                }
            }
        }
        let Some(first) = blocking else {
            x.copy_from_slice(&state.target);
            return Ok(());
        };
        for (v, t) in x.iter_mut().zip(&state.target) {
            *v += step * (*t - *v);
        }
        x[first] = T::zero();
        for i in (0..k).rev() {
            // whatever arrived at zero with the first, or passed it by rounding
            if not_positive(x[i]) && not_positive(state.target[i]) {
                state.inside[face.members()[i]] = false;
                face.remove(i);
                x.remove(i);
            }
        }
        run.iteration()?;
    }
}

/// One refinement of the minimiser with a fresh residual, kept when it stays positive; whether x changed.
fn refine<T: Scalar, F: Face<T>>(face: &mut F, x: &mut [T], delta: &mut Vec<T>, run: &mut Run<'_>) -> bool {
    delta.resize(x.len(), T::zero());
    face.correction(x, delta, run);
    let changed = delta.iter().any(|d| *d != T::zero());
    let stays = x.iter().zip(delta.iter()).all(|(v, d)| *v + *d > T::zero());
    if !stays || !changed {
        return false;
    }
    for (v, d) in x.iter_mut().zip(delta.iter()) {
        *v += *d;
    }
    true
}
