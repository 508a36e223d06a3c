//! The active set on a growing Gram factor, and on a QR factor from where that is not exact.

use super::active_set::{Ended, Pricing, Progress, active_set};
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::engine::OfSet;
use crate::least_squares::faces::{Face, GrowingGram};
use crate::least_squares::region::NonNegative;
use crate::outcome::{Phase, Run};

/// How the active set on a growing Gram factor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grown {
    Exact,
    /// At the caller's wish, or by a limit.
    GivenUp,
    /// The squared condition number is too much for this precision.
    IllConditioned,
}

impl<T: LinalgScalar> OfSet<T> for Context<'_, '_, T, NonNegative> {
    fn grow(
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

    fn few_columns_explain(&self, run: &mut Run<'_>) -> bool {
        self.few_will_do(run)
    }

    fn least_distance(&self, near: Option<&[T]>, run: &mut Run<'_>) -> Option<Candidate<T>> {
        Some(self.interpolated(near, run))
    }

    fn interior_point(&self, run: &mut Run<'_>) -> Option<Candidate<T>> {
        Some(self.interior(run))
    }

    fn lift(&self, from: Option<&[T]>, moderate: bool, run: &mut Run<'_>) -> Option<Candidate<T>> {
        Some(self.lifted(from, moderate, run))
    }
}

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
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
                return (Candidate::stopped_at(from, limit), Grown::GivenUp);
            }
            face.prepare(pool, run);
            for (v, j) in pool {
                if face.append(*j, run) {
                    x.push(*v);
                }
            }
        }
        if face.gives_up() {
            return (
                Candidate::new(from.to_vec(), Phase::Start, None),
                Grown::IllConditioned,
            );
        }
        let pricing = Pricing {
            go_on,
            ..self.pricing(from)
        };
        let outcome = active_set(&mut face, &mut x, &mut [], &NonNegative, &pricing, run);
        let mut spread = vec![T::zero(); p.columns()];
        face.members().iter().zip(&x).for_each(|(j, v)| spread[*j] = *v);
        let norms: Vec<T> = face.members().iter().map(|j| p.norms()[*j]).collect();
        let candidate = Candidate {
            x: spread,
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
}
