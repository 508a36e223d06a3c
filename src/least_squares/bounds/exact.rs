//! The exact methods for dense problems: block exchange, the active set on a QR factor, and on a Gram matrix that many
//! right-hand sides share.

use crate::LinalgScalar;
use crate::least_squares::active_set::{Ended, Pricing, active_set};
use crate::least_squares::block_exchange::{Exchange, Failure, Shifted, State, block_exchange};
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::faces::{Face, GramFace};
use crate::least_squares::region::{BoundsAndSum, Region, Sum};
use crate::linalg::scratch::Scratch;
use crate::linalg::{dot, max_or_nan};
use crate::outcome::{Phase, Run, Status};

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// None when the Gram matrix is too ill-conditioned or the states cycle.
    pub(super) fn block_exchange(&self, origin: &[T], warm: bool, run: &mut Run<'_>) -> Option<Candidate<T>> {
        let (p, region) = (self.problem, self.region);
        let n = p.columns();
        run.begin(Phase::BlockExchange);
        let states: Scratch<State> = (0..n)
            .map(|j| {
                if region.is_fixed(j) || self.norms[j] == T::zero() {
                    State::Fixed
                } else if warm && origin[j] <= region.lo[j] {
                    State::Lower
                } else if warm && origin[j] >= region.hi[j] {
                    State::Upper
                } else {
                    State::Free
                }
            })
            .collect();
        let still = |limit| Candidate::stopped_at(origin, limit);
        let gram = match p.whole_gram(run) {
            Ok(gram) => gram,
            Err(limit) => return Some(still(limit)),
        };
        let base = region.nearest_to_zero();
        let r = self.residual_of(&base, run);
        let mut c = vec![T::zero(); n];
        p.adjoint(&r, &mut c, run);
        let shifted = BoundsAndSum {
            lo: region.lo.iter().zip(&base).map(|(l, x)| *l - *x).collect(),
            hi: region.hi.iter().zip(&base).map(|(h, x)| *h - *x).collect(),
            sum: region.sum.as_ref().map(|s| Sum {
                w: s.w.clone(),
                r: s.gap(&base).0,
            }),
        };
        let problem = Shifted {
            gram,
            c: &c,
            norms: self.norms,
            region: &shifted,
            alpha_squared: self.alpha * self.alpha,
            whole: None,
        };
        match block_exchange(&problem, states, run) {
            Ok(exchange) => {
                let mut candidate = self.refine(&exchange, &base, run);
                // columns so small that their coordinates are rounding may still be what the sum is made of
                self.adds_up(&candidate.x).then(|| {
                    self.region.meet_sum(self.norms, &mut candidate.x);
                    candidate
                })
            }
            Err(Failure::Limit(status, exchange)) => {
                Some(self.stopped(status, &exchange, &base, origin, run))
            }
            Err(Failure::Singular | Failure::Cycling) => {
                run.ended("the Gram matrix is too ill-conditioned, or the states cycle");
                None
            }
        }
    }

    /// Whether Σ w x = r up to rounding.
    pub(super) fn adds_up(&self, x: &[T]) -> bool {
        self.region.sum.as_ref().is_none_or(|sum| {
            let (gap, size) = sum.gap(x);
            gap.abs() <= T::lit(1e3) * T::epsilon() * size
        })
    }

    /// x⁰ + z, exactly at the bounds where the exchange says so.
    fn assemble(&self, exchange: &Exchange<T>, base: &[T]) -> Vec<T> {
        let mut x: Vec<T> = (0..base.len())
            .map(|j| match exchange.states[j] {
                State::Lower => self.region.lo[j],
                State::Upper => self.region.hi[j],
                State::Free | State::Fixed => base[j],
            })
            .collect();
        for (j, z) in exchange.face.iter().zip(&*exchange.z) {
            if exchange.states[*j] == State::Free {
                x[*j] += *z;
            }
        }
        x
    }

    /// Iterative refinement with the residual in A: repairs what the squared condition number of the Gram matrix cost.
    fn refine(&self, exchange: &Exchange<T>, base: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let (p, region, face) = (self.problem, self.region, &exchange.face);
        let mut x = self.assemble(exchange, base);
        for j in &**face {
            x[*j] = region.clip(*j, x[*j]);
        }
        let mut delta = vec![T::zero(); face.len()];
        let mut last = T::infinity();
        for _ in 0..4 {
            let r = self.residual_of(&x, run);
            p.combine_adjoint(face, &r, &mut delta, run);
            let lacking = region.sum.as_ref().map_or(T::zero(), |s| s.gap(&x).0);
            exchange.step(&mut delta, region, lacking);
            // in column-norm units
            let size = max_or_nan(face.iter().zip(&delta).map(|(j, d)| (self.norms[*j] * *d).abs()));
            if size.is_nan() || size >= T::lit(0.5) * last {
                break;
            }
            for (j, d) in face.iter().zip(&delta) {
                x[*j] = region.clip(*j, x[*j] + *d);
            }
            last = size;
        }
        let size = self.size_of(&x);
        for (j, d) in face.iter().zip(&delta) {
            x[*j] = region
                .rounding_of_bound(*j, x[*j], *d, self.norms[*j], size)
                .unwrap_or(x[*j]);
        }
        let dual = region.has_half_lines().then(|| {
            let mut v: Vec<T> = face.iter().map(|j| region.inward(*j) * self.norms[*j]).collect();
            exchange.solve(&mut v);
            let mut w = vec![T::zero(); p.rows()];
            p.combine(face, &v, &mut w, run);
            w
        });
        Candidate {
            x,
            phase: Phase::BlockExchange,
            limit: None,
            dual: dual.map(Scratch::from),
        }
    }

    /// The best feasible point that an interrupted exchange has to offer.
    fn stopped(
        &self,
        status: Status,
        exchange: &Exchange<T>,
        base: &[T],
        origin: &[T],
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let mut projected = self.assemble(exchange, base);
        self.region.project(self.norms, &mut projected);
        let objective = |x: &[T], run: &mut Run<'_>| {
            let r = self.residual_of(x, run);
            dot(&r, &r)
        };
        let here = objective(origin, run);
        if objective(&projected, run) < here {
            Candidate::new(projected, Phase::BlockExchange, Some(status))
        } else {
            Candidate::new(origin.to_vec(), Phase::Start, Some(status))
        }
    }

    /// The active set for many right-hand sides: on the Gram matrix they share, refined with the residual in A.
    pub(super) fn shared_gram(&self, origin: &[T], run: &mut Run<'_>) -> Candidate<T> {
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
            alike: 0,
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
