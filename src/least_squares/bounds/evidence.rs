//! ρ of a point, and a rigorous bound of its rounding error.

use super::driver::{Candidate, Context, Looked, relative};
use crate::LinalgScalar;
use crate::least_squares::driver::rounding_of_norms;
use crate::least_squares::region::Region;
use crate::linalg::{max_or_nan, norm2, rounding_of_sums};
use crate::outcome::Run;
use std::rc::Rc;

/// A point with b − A x and Aᵀ(A x − b), and what that says.
pub(super) struct Seen<T> {
    pub(super) r: Vec<T>,
    pub(super) g: Vec<T>,
    /// max_j c_j |x − P(x − g/c²)|_j
    pub(super) displacement: T,
    /// A bound of its rounding error.
    pub(super) lost: T,
    /// g + t w are the multipliers of the bounds.
    pub(super) t: T,
    /// r and g were formed in twice the precision.
    pub(super) twice: bool,
}

/// Operations on every term of a sum beside its product.
const FEW: usize = 6;

impl<T: LinalgScalar> Context<'_, '_, '_, T> {
    /// From two passes, or from two more in twice the precision where rounding decides whether ρ is at most the tolerance. The point that was
    /// asked for last costs nothing.
    pub(super) fn look_at(&self, x: &[T], run: &mut Run<'_>) -> Rc<Seen<T>> {
        let rho = |seen: &Seen<T>| relative(seen.displacement, self.unit_of(x)).as_f64();
        if let Some(last) = self.looked_at.borrow().as_ref().filter(|last| last.x == x) {
            run.saw(rho(&last.seen));
            return Rc::clone(&last.seen);
        }
        let seen = Rc::new(self.look_anew(x, run));
        run.saw(rho(&seen));
        *self.looked_at.borrow_mut() = Some(Looked {
            x: x.to_vec(),
            seen: Rc::clone(&seen),
            gap: None,
        });
        seen
    }

    fn look_anew(&self, x: &[T], run: &mut Run<'_>) -> Seen<T> {
        let (r, g) = self.gradient(x, run);
        let problem = self.problem;
        let taking_part = x.iter().filter(|v| **v != T::zero()).count();
        let terms: T = problem.norms().iter().zip(x).map(|(c, v)| (*c * *v).abs()).sum();
        let size = self.b_norm + terms;
        let lost = problem.rounding_of_residual(taking_part, size) + problem.rounding_of_adjoint(norm2(&r));
        let seen = self.seen(x, r, g, lost, false);
        let level = self.tolerance * self.unit_of(x);
        if seen.displacement - seen.lost > level || seen.displacement + seen.lost <= level {
            return seen;
        }
        match problem.gradient_twice(self.b, x, run) {
            Some((r, g)) => {
                let lost = problem.rounding_twice(size, norm2(&r));
                self.seen(x, r, g, lost, true)
            }
            None => seen,
        }
    }

    /// `lost` bounds |δg_j|/c_j before g is rounded.
    fn seen(&self, x: &[T], r: Vec<T>, g: Vec<T>, lost: T, twice: bool) -> Seen<T> {
        let mut e = vec![T::zero(); x.len()];
        let t = self.region.displacement(self.norms, x, &g, &mut e);
        // (f does not depend on coordinates of zero columns, whatever their sum asks of them)
        let has_say = |j: usize| self.problem.norms()[j] > T::zero();
        let displacement = max_or_nan((0..x.len()).filter(|j| has_say(*j)).map(|j| e[j].abs()));
        let couples = self
            .region
            .sum
            .as_ref()
            .is_some_and(|sum| (0..x.len()).any(|j| sum.w[j] > T::zero() && has_say(j)));
        let lost = if self.unit_of(x) == T::zero() {
            // b = 0 and A x = 0: f = 0 at x, without rounding
            T::zero()
        } else if couples {
            self.lost_with_sum(x, &g, &e, t, lost, twice)
        } else {
            // coordinate by coordinate clip(−g_j/c_j, c_j (lo_j − x_j), c_j (hi_j − x_j)), a Lipschitz function of g_j/c_j with constant 1
            // that rounding of g_j and c_j changes by a share of itself
            lost + rounding_of_norms(self.b.len(), displacement)
        };
        Seen {
            r,
            g,
            displacement,
            lost,
            t,
            twice,
        }
    }

    /// What rounding may have taken from max |e_j| where a sum couples the coordinates.
    ///
    /// With q = g/c and a = w/c the exact e is the point of {Σ a_j e_j = r − Σ w x, bounds} nearest to −q. The computed e is that point
    ///
    /// * for a q that differs by δ: a projection is Lipschitz with constant 1, in the Euclidean norm;
    /// * with η more on the right-hand side: along the path between the two e_J changes by a_J/Σ a_j² (over those that are free there)
    ///   of what Σ a_j e_j changes, so that nothing changes by more than |η|/a_J for a J with that much room on both sides.
    ///
    /// In all this t changes by (|change of e_J| + |δ_J|)/a_J at most. What a bound holds with more than that to spare takes no part.
    fn lost_with_sum(&self, x: &[T], g: &[T], e: &[T], t: T, lost: T, twice: bool) -> T {
        let Some(sum) = &self.region.sum else { return lost };
        let (n, norms) = (x.len(), self.norms);
        let part: Vec<usize> = (0..n)
            .filter(|j| sum.w[*j] > T::zero() && norms[*j] > T::zero() && !self.region.is_fixed(*j))
            .collect();
        let (a, q) = (|j: usize| sum.w[j] / norms[j], |j: usize| g[j] / norms[j]);
        // |δ_j|: a g formed in twice the precision is rounded then
        let delta = |j: usize| {
            if twice {
                lost + T::epsilon() * q(j).abs()
            } else {
                lost
            }
        };
        let (target, size) = sum.gap(x);
        let terms = || part.iter().map(|j| a(*j) * e[*j]);
        let of_target =
            target.abs() * T::epsilon() + rounding_of_sums(n + FEW, rounding_of_sums(n + FEW, size));
        let eta = (terms().sum::<T>() - target).abs()
            + rounding_of_sums(n + FEW, terms().map(|v| v.abs()).sum())
            + of_target;
        let whole = norm2(&part.iter().map(|j| delta(*j)).collect::<Vec<T>>());
        let has_room = |j: &&usize| {
            let room = |bound: T| (norms[**j] * (bound - x[**j]) - e[**j]).abs();
            room(self.region.lo[**j]).min(room(self.region.hi[**j])) >= whole + eta / a(**j)
        };
        let widest = part
            .iter()
            .filter(has_room)
            .map(|j| a(*j))
            .fold(T::zero(), T::max);
        let (of_sum, change_of_t) = if widest > T::zero() {
            (eta / widest, (T::lit(2.0) * whole + eta / widest) / widest)
        } else {
            let least = part.iter().map(|j| a(*j)).fold(T::infinity(), T::min);
            (eta / least, T::infinity())
        };
        let held =
            |j: &usize| (q(*j) + t * a(*j) + e[*j]).abs() > T::lit(2.0) * (delta(*j) + a(*j) * change_of_t);
        let moving: Vec<usize> = part.iter().copied().filter(|j| !held(j)).collect();
        let of_q = norm2(&moving.iter().map(|j| delta(*j)).collect::<Vec<T>>());
        // what c_j have lost changes e by that share of itself, in the Euclidean norm
        of_q.max(lost) + of_sum + rounding_of_norms(self.b.len(), T::lit(2.0) * norm2(e))
    }

    /// Whether the natural residual relative to the size of the terms is at most `level`, and ρ is at most the tolerance with all that
    /// rounding may have taken from it.
    pub(super) fn solves(&self, x: &[T], level: T, run: &mut Run<'_>) -> bool {
        let seen = self.look_at(x, run);
        relative(seen.displacement, self.size_of(x)) <= level
            && relative(seen.displacement + seen.lost, self.unit_of(x)) <= self.tolerance
    }

    /// The candidate, refined where nothing but rounding keeps it from being a solution: the active set from there with residuals in twice
    /// the precision. Of the points on the way the one with the lowest f, but for what is within the tolerance.
    pub(super) fn refined(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let open = |seen: &Seen<T>, x: &[T]| {
            let solved = relative(seen.displacement + seen.lost, self.unit_of(x)) <= self.tolerance;
            seen.twice && !solved
        };
        let mut best = candidate;
        if best.limit.is_some() || !self.may_factor(&best.x) {
            return best;
        }
        let mut seen = self.look_at(&best.x, run);
        for _ in 0..REFINEMENTS {
            if !open(&seen, &best.x) || best.limit.is_some() {
                break;
            }
            run.because("rounding decides: residuals in twice the precision");
            let next = self.active_set_twice(&best.x, run);
            let there = self.look_at(&next.x, run);
            let (before, after) = (norm2(&seen.r), norm2(&there.r));
            let nearer = there.displacement < seen.displacement;
            // ‖r‖² within the square of the tolerance: a ρ of that size is no more
            let slack = self.tolerance * self.unit_of(&best.x);
            if !nearer || after > before.hypot(slack) {
                best.limit = next.limit;
                break;
            }
            (best, seen) = (next, there);
        }
        best
    }
}

/// Refinements at most: the first that brings nothing ends them.
const REFINEMENTS: usize = 4;
