//! The exact methods for dense matrices.

use super::active_set::{Ended, Pricing, Progress, active_set};
use super::context::{Candidate, Context};
use super::faces::{Face, GrowingGram};
use super::plan::Growth;
use super::projected_cg::{Target, projected_cg};
use super::region::NonNegative;
use crate::LinalgScalar;
use crate::outcome::{Phase, Run, Status};
use std::cell::Cell;

/// How the active set on a growing Gram factor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grown {
    Exact,
    /// At the caller's wish, or by a limit.
    GivenUp,
    /// The squared condition number is too much for this precision.
    IllConditioned,
}

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// The active set on a growing Gram factor, from zero or the start; else whether half of the columns offered by the first pass left again.
    pub(super) fn grow_within(
        &self,
        growth: Growth,
        run: &mut Run<'_>,
    ) -> std::result::Result<Candidate<T>, bool> {
        let half_left = Cell::new(false);
        let go_on = |seen: &Progress| {
            if seen.rounds == 2 {
                half_left.set(2 * seen.gained <= seen.offered);
            }
            growth.goes_on(seen.rounds, seen.face, seen.gained, seen.offered)
        };
        self.grow(&self.zero_or_start(), &go_on, run)
            .map_err(|_| half_left.get())
    }

    /// A rough solution of A x = b by conjugate gradients without bounds, cut off at zero; where hardly anything has to be cut off, not a rough one.
    /// Projected steps from zero overshoot along a dominant direction and come back; these take it out in a step or two, and where the
    /// solution is interior the signs are right at once.
    pub(super) fn without_bounds(&self, run: &mut Run<'_>) -> Vec<T> {
        run.begin(Phase::ProjectedGradient);
        let n = self.problem.columns();
        let (lo, hi) = (vec![T::neg_infinity(); n], vec![T::infinity(); n]);
        let mut x = vec![T::zero(); n];
        let rough = Target {
            tolerance: T::lit(1e-2),
            enough: T::lit(1e-2),
            ..self.target(16.0)
        };
        for target in [rough, self.target(80.0)] {
            let bounds = Some((&lo[..], &hi[..]));
            let (p, unit) = (self.problem, self.b_norm);
            projected_cg(p, self.b, bounds, None, unit, &mut x, &target, run);
            if 50 * x.iter().filter(|v| **v < T::zero()).count() > n {
                break;
            }
        }
        x.iter_mut().for_each(|v| *v = v.max(T::zero()));
        x
    }

    /// The active set from a feasible point: on a growing Gram factor, and on a growing QR factor where that is not exact.
    pub(super) fn active_set(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        self.grow(from, &|_| true, run)
            .unwrap_or_else(|grown| self.growing_qr(&grown.x, run))
    }

    /// The active set, as [`active_set`](Self::active_set), for as long as `go_on` says; else where it stood.
    pub(super) fn grow(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> std::result::Result<Candidate<T>, Candidate<T>> {
        if !self.problem.has_columns() {
            return Ok(self.growing_qr(from, run));
        }
        match self.growing_gram(from, go_on, run) {
            (candidate, _) if candidate.limit.is_some() => Ok(candidate),
            (candidate, Grown::Exact) => Ok(candidate),
            (candidate, Grown::IllConditioned) => {
                run.ended("its Gram factor is not exact enough");
                run.because("a QR factor does not square the condition number");
                Ok(self.growing_qr(&candidate.x, run))
            }
            (candidate, Grown::GivenUp) => {
                run.ended("too many columns are needed");
                Err(candidate)
            }
        }
    }

    /// The active set on a growing Gram factor, from a feasible point, for as long as `go_on` says.
    fn growing_gram(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, Grown) {
        let p = self.problem;
        run.begin(Phase::ActiveSet);
        let mut face = GrowingGram::new(p, self.b, &self.correlations);
        let mut x = Vec::new();
        let start: Vec<(T, usize)> = (0..from.len())
            .filter(|j| from[*j] > T::zero())
            .map(|j| (from[j], j))
            .collect();
        for pool in start.chunks(50) {
            if let Err(limit) = run.check() {
                return (self.started(from, Some(limit)), Grown::GivenUp);
            }
            face.prepare(pool, run);
            for (v, j) in pool {
                if face.append(*j, run) {
                    x.push(*v);
                }
            }
        }
        if face.gives_up() {
            return (self.started(from, None), Grown::IllConditioned);
        }
        let pricing = Pricing {
            go_on,
            ..self.pricing(from)
        };
        let outcome = active_set(&mut face, &mut x, &mut [], &NonNegative, &pricing, run);
        let norms: Vec<T> = face.members().iter().map(|j| p.norms()[*j]).collect();
        let candidate = Candidate {
            x: self.spread(face.members(), &x),
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual: Some(face.dual_direction(norms).into()),
        };
        if outcome != Ok(Ended::GivenUp)
            && let Some((r, w)) = face.priced_at(&x)
        {
            self.take_over(&candidate.x, r, w, T::zero(), run);
        }
        let grown = match outcome {
            _ if face.gives_up() => Grown::IllConditioned,
            Ok(Ended::Optimal | Ended::Exhausted) if self.solves(&candidate.x, self.exact, run) => {
                Grown::Exact
            }
            Ok(Ended::Optimal | Ended::Exhausted) => Grown::IllConditioned,
            Ok(Ended::GivenUp) | Err(_) => Grown::GivenUp,
        };
        (candidate, grown)
    }

    pub(super) fn started(&self, from: &[T], limit: Option<Status>) -> Candidate<T> {
        Candidate {
            x: from.to_vec(),
            phase: Phase::Start,
            limit,
            dual: None,
        }
    }
}
