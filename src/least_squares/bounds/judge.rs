//! The final verification of a candidate, from A, b and the x that is handed out.

use super::prepared::{Prepared, close_sum};
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::dual::Primal;
use crate::least_squares::region::{BoundsAndSum, Region, Sum};
use crate::least_squares::uniqueness::Known;
use crate::linalg::norm2;
use crate::outcome::{Certificate, Run, Solution, Status, Uniqueness};
use crate::sets::clip;
use crate::{Error, LinalgScalar, Result};

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// Verifies the x that is handed out. Its residual is recomputed unless [`take_over`](Self::take_over) has checked it.
    pub(super) fn judge(
        &self,
        candidate: Candidate<T>,
        b: &[T],
        unit: T,
        prepared: &Prepared<'_, '_, T>,
        mut run: Run<'_>,
    ) -> Result<Solution<T>> {
        let (p, region, posed) = (self.problem, self.region, &prepared.posed);
        let n = p.columns();
        let mut inner = candidate.x;
        let mut failed = false;
        if inner.iter().any(|v| !v.is_finite()) {
            // a method that broke down: never hand that out
            inner = self.origin(&mut run);
            failed = true;
        }
        let mut x = vec![T::zero(); n];
        for j in 0..n {
            let (lo, hi) = (posed.lo[j], posed.hi[j]);
            x[j] = if self.norms[j] == T::zero() {
                clip(T::zero(), lo, hi)
            } else if inner[j] <= region.lo[j] {
                lo
            } else if inner[j] >= region.hi[j] {
                hi
            } else {
                clip(inner[j] * prepared.factor(j) * unit, lo, hi)
            };
            if !x[j].is_finite() {
                return Err(Error::Unrepresentable { index: j });
            }
            if x[j] == T::zero() {
                x[j] = T::zero(); // never a negative zero
            }
        }
        let outer = posed.sum.as_ref().map(|(r, part)| Sum {
            w: part
                .iter()
                .map(|p| if *p { T::one() } else { T::zero() })
                .collect(),
            r: *r,
        });
        close_sum(&mut x, outer.as_ref(), posed.lo, posed.hi);
        // what is judged is what is handed out, rounded: back in scaled units
        let scaled: Vec<T> = (0..n)
            .map(|j| {
                if x[j] == posed.lo[j] {
                    region.lo[j]
                } else if x[j] == posed.hi[j] {
                    region.hi[j]
                } else {
                    x[j] / prepared.factor(j) / unit
                }
            })
            .collect();
        let seen = self.look_at(&scaled, &mut run);
        let trace = run.take_trace(candidate.limit);
        let primal = Primal {
            problem: p,
            set: region,
            b: self.b,
            x: &scaled,
            r: &seen.r,
            g: &seen.g,
            formed: seen.formed,
        };
        let ended = candidate.limit.is_none() && candidate.phase.factors_its_face() && !run.damped;
        let gap = match seen.gap {
            Some(gap) => gap,
            None => primal.gap(
                candidate.dual.as_ref().map(|w| w.as_slice()),
                None,
                ended,
                &mut run,
            ),
        };
        let (rho, error) = self.rho_of(&seen);
        let (short, sizes) = outer.as_ref().map_or((T::zero(), T::zero()), |s| s.gap(&x));
        let adds_up = short.abs() <= T::lit(8.0) * T::epsilon() * T::count(n) * sizes;
        let status = match candidate.limit {
            _ if rho + error <= self.tolerance && adds_up => Status::Solved,
            _ if rho.is_nan() => Status::NotFinite,
            Some(limit) if !failed => limit,
            _ => Status::Stalled,
        };
        let uniqueness = if status.is_solved() {
            let known = Known {
                t: seen.measured.t,
                displacement: seen.measured.displacement,
                // (a start may leave coordinates between their bounds that no factor holds)
                factored: ended && self.start.is_none(),
                pairs: posed.pairs,
            };
            primal.uniqueness(&known, &mut run)
        } else {
            Uniqueness::NotKnown
        };
        let multipliers: Vec<T> = (0..n)
            .map(|j| (seen.g[j] + seen.measured.t * region.weight(j)) / prepared.factor(j) * unit)
            .collect();
        let residual_norm = norm2(&seen.r) * unit;
        let residual: Vec<T> = seen.r.iter().map(|v| *v * unit).collect();
        debug_assert_eq!(b.len(), residual.len());
        Ok(Solution {
            x,
            objective: T::lit(0.5) * residual_norm * residual_norm,
            residual,
            residual_norm,
            status,
            certificate: Certificate::new(rho, error, gap * unit * unit, short.abs(), multipliers)
                .with_uniqueness(uniqueness),
            iterations: run.iterations,
            counts: run.counts(),
            phase: if failed {
                crate::outcome::Phase::Start
            } else {
                candidate.phase
            },
            elapsed: run.elapsed(),
            trace,
        })
    }
}
