//! Refinement where rounding decides.

use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::faces::QrFace;
use crate::least_squares::region::BoundsAndSum;
use crate::linalg::norm2;
use crate::outcome::Run;

impl<T: LinalgScalar> Context<'_, '_, T, BoundsAndSum<T>> {
    /// The candidate, refined where nothing but rounding keeps it from being a solution: the active set from there with residuals in twice
    /// the precision. Of the points on the way the one with the lowest f, but for what is within the tolerance.
    pub(super) fn refined_twice(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut best = candidate;
        if best.limit.is_some() || !self.may_factor(&best.x) {
            return best;
        }
        for _ in 0..REFINEMENTS {
            if best.limit.is_some() || !self.lost_in_rounding(&best.x, run) {
                break;
            }
            let seen = self.look_at(&best.x, run);
            run.because("rounding decides: residuals in twice the precision");
            let face = QrFace::over(self.problem, self.b, self.region, self.alpha).in_twice();
            let (next, _) = self.active_set_on(face, &best.x, &|_| true, run);
            let there = self.look_at(&next.x, run);
            let (before, after) = (norm2(&seen.r), norm2(&there.r));
            let nearer = there.measured.displacement < seen.measured.displacement;
            self.keep(there);
            // ‖r‖² within the square of the tolerance: a ρ of that size is no more
            let slack = self.tolerance * self.unit_of(&best.x);
            if !nearer || after > before.hypot(slack) {
                best.limit = next.limit;
                break;
            }
            best = next;
        }
        best
    }
}

/// Refinements at most: the first that brings nothing ends them.
const REFINEMENTS: usize = 4;
