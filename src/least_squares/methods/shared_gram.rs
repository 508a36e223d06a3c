//! The active set on a Gram matrix of all columns, which many right-hand sides share.

use super::active_set::{Ended, Pricing, active_set};
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::evidence::Measure;
use crate::least_squares::faces::{Face, GramFace};
use crate::outcome::{Phase, Run, Status};

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// The active set for many right-hand sides, on the Gram matrix that they share, refined with the residual in A.
    pub(in crate::least_squares) fn shared_gram(&self, origin: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        run.begin(Phase::WorkingSet);
        let held = origin.to_vec();
        let still = |limit| Candidate::stopped_at(origin, limit);
        let gram = match p.whole_gram(run) {
            Ok(gram) => gram,
            Err(limit) => return still(limit),
        };
        let mut c = vec![T::zero(); held.len()];
        p.adjoint(self.b, &mut c, run);
        let size = self.size_of(&held);
        let mut face = GramFace::over(gram, &c, self.region, self.alpha, size);
        for (j, v) in origin.iter().enumerate() {
            if self.norms[j] > T::zero() && self.region.is_inside(j, *v) && *v != T::zero() {
                if let Err(limit) = run.check() {
                    return still(limit);
                }
                face.append(j, run);
            }
        }
        let pricing = Pricing {
            norms: self.norms,
            size,
            first: 3,
            pool: 3,
            coherence_length: 0,
            go_on: &|_| true,
        };
        let (outcome, mut x) = self.improve(&mut face, held, &pricing, run);
        let members = face.members().to_vec();
        let mut delta = vec![T::zero(); members.len()];
        for _ in 0..2 {
            let r = self.residual_of(&x, run);
            p.combine_adjoint(&members, &r, &mut delta, run);
            face.solve(&mut delta);
            if members
                .iter()
                .zip(&delta)
                .any(|(j, d)| self.region.clip(*j, x[*j] + *d) != x[*j] + *d)
            {
                break;
            }
            members.iter().zip(&delta).for_each(|(j, d)| x[*j] += *d);
        }
        let mut candidate = Candidate {
            x,
            phase: Phase::WorkingSet,
            limit: outcome.err(),
            dual: None,
        };
        let adds_up = self.adds_up(&candidate.x);
        if adds_up {
            self.region.meet_sum(self.norms, &mut candidate.x);
        }
        candidate
    }

    /// The active set from a point, on a face that holds some of its coordinates.
    fn improve<F: Face<T>>(
        &self,
        face: &mut F,
        mut held: Vec<T>,
        pricing: &Pricing<'_, T>,
        run: &mut Run<'_>,
    ) -> (std::result::Result<Ended, Status>, Vec<T>) {
        let mut x = face.members().iter().map(|j| held[*j]).collect();
        let outcome = active_set(face, &mut x, &mut held, self.region, pricing, run);
        face.members().iter().zip(x).for_each(|(j, v)| held[*j] = v);
        (outcome, held)
    }
}
