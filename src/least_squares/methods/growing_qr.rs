//! The active set on a growing QR factor, the most robust of the exact methods, and what is built on it.

use super::active_set::{Ended, Pricing, Progress, active_set};
use super::damped::{self, Damped};
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::evidence::Measure;
use crate::least_squares::faces::{Face, QrFace};
use crate::least_squares::problem::Problem;
use crate::linalg::norm2;
use crate::outcome::{Phase, Run};
use std::cell::{OnceCell, RefCell};

/// From this many columns on, one factorisation is faster than appending column by column.
const MANY_AT_ONCE: usize = 16;

/// Candidates kept from the first pricing pass: more for a large matrix, where a pass costs much beside what candidates cost.
const FIRST: usize = 10;
const FIRST_OF_LARGE: usize = 32;
/// Entries of a large matrix.
const LARGE: usize = 5_000_000;
/// The most candidates that are kept from one pass.
const POOL: usize = 64;

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// Partial pricing without an end.
    pub(in crate::least_squares) fn pricing(&self, from: &[T]) -> Pricing<'_, T> {
        let p = self.problem;
        let is_large = p.rows().saturating_mul(p.columns()) > LARGE;
        Pricing {
            norms: self.norms,
            size: self.size_of(from),
            first: if is_large { FIRST_OF_LARGE } else { FIRST },
            pool: POOL,
            coherence_length: p.coherence_length(),
            go_on: &|_| true,
        }
    }

    /// The active set from a feasible point; if it stalls at rounding level, continued on the damped problem.
    pub(in crate::least_squares) fn growing_qr(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let candidate = self.undamped_qr(from, &|_| true, run).0;
        self.upheld(candidate, run)
    }

    /// The end point of an active set if it is a solution; else that of the damped problem.
    pub(in crate::least_squares) fn upheld(
        &self,
        candidate: Candidate<T>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        if candidate.limit.is_some() || self.holds(&candidate.x, run) {
            return candidate;
        }
        run.ended("stalled at rounding level");
        self.damped(candidate, run)
    }

    /// The active set for as long as `go_on` says; else where it stood.
    pub(in crate::least_squares) fn grow_qr(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> std::result::Result<Candidate<T>, Candidate<T>> {
        let (candidate, done) = self.undamped_qr(from, go_on, run);
        if done || candidate.limit.is_some() {
            return Ok(self.upheld(candidate, run));
        }
        run.ended("too many coordinates are between their bounds");
        Err(candidate)
    }

    /// The active set from where an exchange on a Gram matrix ended that is not exact, and of the two ends the one with the smaller ρ.
    pub(in crate::least_squares) fn more_exact(
        &self,
        first: Candidate<T>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let second = self.growing_qr(&first.x, run);
        self.more_exact_of(first, second, run)
    }

    /// Of two ends the one with the smaller ρ, the first unless the second is better, and what ended the second.
    pub(in crate::least_squares) fn more_exact_of(
        &self,
        first: Candidate<T>,
        second: Candidate<T>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let rho = self.rho(&first.x, run);
        let better = self.rho(&second.x, run);
        if better < rho || rho.is_nan() {
            second
        } else {
            Candidate {
                limit: second.limit,
                ..first
            }
        }
    }

    /// The active set from a feasible point, for as long as `go_on` says; whether it came to an end.
    pub(in crate::least_squares) fn undamped_qr(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, bool) {
        let face = QrFace::over(self.problem, self.b, self.region, self.alpha);
        self.active_set_on(face, from, go_on, run)
    }

    /// The same on this empty face.
    pub(in crate::least_squares) fn active_set_on(
        &self,
        mut face: QrFace<'_, '_, T, R>,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> (Candidate<T>, bool) {
        run.begin(Phase::ActiveSet);
        let start: Vec<usize> = (0..from.len())
            .filter(|j| self.norms[*j] > T::zero() && self.region.begins_free(*j, from[*j]))
            .collect();
        if start.len() < MANY_AT_ONCE || !face.assign(&start, run) {
            for j in start {
                if let Err(limit) = run.check() {
                    return (Candidate::stopped_at(from, limit), false);
                }
                // a dependent column is left where it is: the method takes it in when that helps
                face.append(j, run);
            }
        }
        let mut x: Vec<T> = face.members().iter().map(|j| from[*j]).collect();
        let mut held = if R::ZERO_OFF_FACE {
            Vec::new()
        } else {
            from.to_vec()
        };
        let pricing = Pricing {
            go_on,
            ..self.pricing(from)
        };
        let outcome = active_set(&mut face, &mut x, &mut held, self.region, &pricing, run);
        held.resize(from.len(), T::zero());
        face.members().iter().zip(x).for_each(|(j, v)| held[*j] = v);
        self.region.meet_sum(self.norms, &mut held);
        // w with Aᵀw of the right sign on the face
        let dual = self.region.has_half_lines().then(|| {
            let signs = face.members().iter();
            let v = signs.map(|j| self.region.inward(*j) * self.norms[*j]).collect();
            face.dual_direction(v).into()
        });
        let candidate = Candidate {
            x: held,
            phase: Phase::ActiveSet,
            limit: outcome.err(),
            dual,
        };
        (candidate, outcome == Ok(Ended::Optimal))
    }

    /// Steps of the proximal point method, the first from a feasible point near zero: each solves a damped problem exactly.
    fn damped(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut best = candidate;
        let mut x = self.cold_origin(run);
        let mut last = T::infinity();
        for _ in 0..damped::STEPS {
            let Some(damped) = Damped::new(self.problem, self.b, self.norms, &x, run) else {
                break;
            };
            let Ok(matrix) = damped.matrix() else { break };
            let problem = Problem::in_its_units(matrix);
            let inner = Context {
                problem: &problem,
                region: self.region,
                norms: if R::ZERO_OFF_FACE {
                    problem.norms()
                } else {
                    self.norms
                },
                alpha: self.alpha,
                b: &damped.b,
                b_norm: norm2(&damped.b),
                tolerance: self.tolerance,
                exact: self.exact,
                start: None,
                many: false,
                last_evaluation: RefCell::new(None),
                correlations: OnceCell::new(),
            };
            run.because("the damped problem ½‖A x − b‖² + ½μ²‖c∘x‖² has a moderate condition number");
            let mut next = inner.undamped_qr(&x, &|_| true, run).0;
            if let Some(dual) = &mut next.dual {
                dual.truncate(self.b.len());
            }
            x.copy_from_slice(&next.x);
            best = self.better(best, next, run);
            if best.limit.is_some() || self.holds(&best.x, run) {
                break;
            }
            let reached = self.rho(&x, run);
            if reached.is_nan() || reached > T::lit(0.5) * last {
                break;
            }
            last = reached;
        }
        best
    }

    /// From a solution whose gap is large relative to f: the active set on a QR factor, which resolves directions of small singular values of A,
    /// until the solve has cost `end`.
    pub(in crate::least_squares) fn sharpened(
        &self,
        candidate: Candidate<T>,
        end: f64,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let face = QrFace::over(self.problem, self.b, self.region, self.alpha);
        if run.cost() + face.passes_of_assign(self.inside(&candidate.x)) > end {
            return candidate;
        }
        run.because(
            "the duality gap is large relative to f: a QR factor knows directions that A hardly sees",
        );
        let (next, _) = self.active_set_on(face, &candidate.x, &|seen| seen.cost <= end, run);
        let better = next.limit.is_none()
            && self.distance(&next.x, run) < self.distance(&candidate.x, run)
            && self.holds(&next.x, run);
        if better { next } else { candidate }
    }

    /// How many coordinates are between their bounds.
    pub(in crate::least_squares) fn inside(&self, x: &[T]) -> usize {
        (0..x.len()).filter(|j| self.region.is_inside(*j, x[*j])).count()
    }

    /// The point that a solve without a start begins at.
    pub(in crate::least_squares) fn cold_origin(&self, run: &mut Run<'_>) -> Vec<T> {
        self.region.feasible_point(self.problem.norms(), &mut |x| {
            let r = self.residual_of(x, run);
            let mut g = vec![T::zero(); x.len()];
            self.problem.adjoint(&r, &mut g, run);
            g.iter_mut().for_each(|v| *v = -*v);
            g
        })
    }
}
