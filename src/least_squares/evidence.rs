//! ρ of a point, and a rigorous bound of its rounding error.

use super::context::Context;
use super::region::{BoundsAndSum, NonNegative, Region};
use crate::LinalgScalar;
use crate::linalg::scratch::Scratch;
use crate::linalg::{dot, max_or_nan, norm2, rounding_of_sums};
use crate::outcome::Run;
use crate::sets::{ConstraintSet, Orthant};

/// A point in scaled units with b − A x and Aᵀ(A x − b), and the ρ that follows.
pub(super) struct Evaluation<T: LinalgScalar> {
    pub(super) x: Scratch<T>,
    pub(super) r: Vec<T>,
    pub(super) g: Vec<T>,
    pub(super) measured: Measured<T>,
    /// r and g were formed in twice the precision.
    pub(super) twice: bool,
    /// How r and g were formed.
    pub(super) formed: Formed<T>,
    /// The gap at x, once it was computed.
    pub(super) gap: Option<T>,
}

/// How far a method's own r and g may be from recomputed ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Formed<T> {
    /// A bound of ‖r − (b − A x)‖ beside the rounding of a residual that is formed anew.
    pub(super) apart: T,
    /// The multiple of c_j that was subtracted from g_j and added again.
    pub(super) shift: T,
}

impl<T: LinalgScalar> Formed<T> {
    /// Formed anew.
    pub(super) fn anew() -> Self {
        Self {
            apart: T::zero(),
            shift: T::zero(),
        }
    }
}

/// The natural residual at a point, with its error bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<T> {
    /// max_j c_j |x − P(x − g/c²)|_j, P the projection in the metric diag(c²).
    pub(super) displacement: T,
    /// A bound of its rounding error.
    pub(super) lost: T,
    /// g + t w are the multipliers of the bounds.
    pub(super) t: T,
}

/// A point with its gradient, and what is known of their rounding.
pub(super) struct Gradient<'g, T> {
    pub(super) x: &'g [T],
    pub(super) g: &'g [T],
    /// ‖a_j‖ of the problem, and the norms that the metric is made of.
    own_norms: &'g [T],
    norms: &'g [T],
    /// A bound of |δg_j|/c_j, before g is rounded.
    lost: T,
    twice: bool,
    rows: usize,
    /// b = 0 and A x = 0: f = 0 at x, without rounding.
    is_exact: bool,
}

/// A set whose natural residual comes with an error bound.
pub(super) trait Measure<T: LinalgScalar>: Region<T> {
    fn measure(&self, at: &Gradient<'_, T>) -> Measured<T>;
}

/// Operations on every term of a sum beside its product.
const FEW: usize = 6;

/// The rounding error of v from a division by norms of m entries: their sums run in groups of eight, and the square root halves the relative error.
pub(super) fn rounding_of_norms<T: LinalgScalar>(m: usize, v: T) -> T {
    rounding_of_sums(m / 8 + 24, v)
}

/// v/unit, where 0 is 0 in every unit.
pub(super) fn relative<T: LinalgScalar>(v: T, unit: T) -> T {
    if v == T::zero() { v } else { v / unit }
}

impl<T: LinalgScalar> Measure<T> for NonNegative {
    /// g ↦ the displacement is Lipschitz with constant 1 in the norm max |g_j|/c_j. A relative error of c_j changes it by the same relative amount.
    fn measure(&self, at: &Gradient<'_, T>) -> Measured<T> {
        let displacement = Orthant::new(at.x.len()).natural_residual(at.x, at.g, Some(at.norms));
        Measured {
            displacement,
            lost: at.lost + rounding_of_norms(at.rows, displacement),
            t: T::zero(),
        }
    }
}

impl<T: LinalgScalar> Measure<T> for BoundsAndSum<T> {
    fn measure(&self, at: &Gradient<'_, T>) -> Measured<T> {
        let x = at.x;
        let mut e = vec![T::zero(); x.len()];
        let t = self.displacement(at.norms, x, at.g, &mut e);
        // (f does not depend on coordinates of zero columns, whatever their sum asks of them)
        let has_say = |j: usize| at.own_norms[j] > T::zero();
        let displacement = max_or_nan((0..x.len()).filter(|j| has_say(*j)).map(|j| e[j].abs()));
        let couples = self
            .sum
            .as_ref()
            .is_some_and(|sum| (0..x.len()).any(|j| sum.w[j] > T::zero() && has_say(j)));
        let lost = if at.is_exact {
            T::zero()
        } else if couples {
            self.lost_with_sum(at, &e, t)
        } else {
            // coordinate by coordinate clip(−g_j/c_j, c_j (lo_j − x_j), c_j (hi_j − x_j)), a Lipschitz function of g_j/c_j with constant 1
            // that rounding of g_j and c_j changes by a share of itself
            at.lost + rounding_of_norms(at.rows, displacement)
        };
        Measured {
            displacement,
            lost,
            t,
        }
    }
}

impl<T: LinalgScalar> BoundsAndSum<T> {
    /// A bound of the rounding error of max |e_j| where a sum couples the coordinates.
    ///
    /// With q = g/c and a = w/c the exact e is the point of {Σ a_j e_j = r − Σ w x, bounds} nearest to −q. The computed e is that point
    ///
    /// * for a q that differs by δ: a projection is Lipschitz with constant 1, in the Euclidean norm;
    /// * with η more on the right-hand side: along the path between the two e_J changes by a_J/Σ a_j² (over those that are free there)
    ///   of what Σ a_j e_j changes, so that nothing changes by more than |η|/a_J for a J with that much room on both sides.
    ///
    /// In all this t changes by (|change of e_J| + |δ_J|)/a_J at most. What a bound holds with more than that to spare takes no part.
    fn lost_with_sum(&self, at: &Gradient<'_, T>, e: &[T], t: T) -> T {
        let (x, g, lost, norms) = (at.x, at.g, at.lost, at.norms);
        let Some(sum) = &self.sum else { return lost };
        let n = x.len();
        let part: Vec<usize> = (0..n)
            .filter(|j| sum.w[*j] > T::zero() && norms[*j] > T::zero() && !self.is_fixed(*j))
            .collect();
        let (a, q) = (|j: usize| sum.w[j] / norms[j], |j: usize| g[j] / norms[j]);
        // |δ_j|: a g formed in twice the precision is rounded then
        let delta = |j: usize| {
            if at.twice {
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
            room(self.lo[**j]).min(room(self.hi[**j])) >= whole + eta / a(**j)
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
        of_q.max(lost) + of_sum + rounding_of_norms(at.rows, T::lit(2.0) * norm2(e))
    }
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// b − A x, Aᵀ(A x − b) and ρ at x: from two passes, or from two more in twice the precision where rounding decides whether
    /// ρ is at most the tolerance. The last point costs nothing; the caller returns the evaluation by [`keep`](Self::keep).
    pub(super) fn evaluate(&self, x: &[T], run: &mut Run<'_>) -> Evaluation<T> {
        let last = self.last_evaluation.take().filter(|seen| *seen.x == x);
        let seen = last.unwrap_or_else(|| self.evaluate_once(x, run));
        let seen = self.settle_doubt(seen, run);
        run.saw(self.rho_of(&seen).0.as_f64());
        seen
    }

    fn settle_doubt(&self, seen: Evaluation<T>, run: &mut Run<'_>) -> Evaluation<T> {
        let (rho, error) = self.rho_of(&seen);
        let in_doubt = rho - error <= self.tolerance && rho + error > self.tolerance;
        if seen.twice || !in_doubt {
            return seen;
        }
        let Some((r, g)) = self.problem.gradient_twice(self.b, &seen.x, run) else {
            return seen;
        };
        let lost = self
            .problem
            .rounding_twice(self.size_of_terms(&seen.x), norm2(&r));
        let measured = self.measure(&seen.x, &g, lost, true);
        Evaluation {
            r,
            g,
            measured,
            twice: true,
            formed: Formed::anew(),
            gap: None,
            ..seen
        }
    }

    pub(super) fn keep(&self, seen: Evaluation<T>) {
        *self.last_evaluation.borrow_mut() = Some(seen);
    }

    /// ρ, and a bound of its rounding error.
    pub(super) fn rho_of(&self, seen: &Evaluation<T>) -> (T, T) {
        let unit = self.unit_of(&seen.x);
        (
            relative(seen.measured.displacement, unit),
            relative(seen.measured.lost, unit),
        )
    }

    /// ‖b‖ + Σ‖a_j x_j‖: the size of the terms of b − A x.
    pub(super) fn size_of_terms(&self, x: &[T]) -> T {
        let norms = self.problem.norms();
        self.b_norm
            + if R::ZERO_OFF_FACE {
                dot(norms, x)
            } else {
                norms.iter().zip(x).map(|(c, v)| (*c * *v).abs()).sum()
            }
    }

    /// `lost` bounds |δg_j|/c_j before g is rounded.
    fn measure(&self, x: &[T], g: &[T], lost: T, twice: bool) -> Measured<T> {
        self.region.measure(&Gradient {
            x,
            g,
            own_norms: self.problem.norms(),
            norms: self.norms,
            lost,
            twice,
            rows: self.b.len(),
            is_exact: !R::ZERO_OFF_FACE && self.unit_of(x) == T::zero(),
        })
    }

    fn evaluate_once(&self, x: &[T], run: &mut Run<'_>) -> Evaluation<T> {
        let r = self.residual_of(x, run);
        let mut g = vec![T::zero(); x.len()];
        self.problem.adjoint(&r, &mut g, run);
        // (a product that overflows is no sign of large multipliers)
        let sign = if r.iter().all(|v| v.is_finite()) {
            -T::one()
        } else {
            T::nan()
        };
        g.iter_mut().for_each(|v| *v *= sign);
        self.seen(x, r, g, Formed::anew())
    }

    /// The evaluation at x from r and g = −Aᵀr, both formed by plain sums.
    fn seen(&self, x: &[T], r: Vec<T>, g: Vec<T>, formed: Formed<T>) -> Evaluation<T> {
        let taking_part = x.iter().filter(|v| **v != T::zero()).count();
        let lost_in_r = self
            .problem
            .rounding_of_residual(taking_part, self.size_of_terms(x))
            + formed.apart;
        let of_shift = T::lit(2.0) * T::epsilon() * formed.shift;
        let lost = lost_in_r + self.problem.rounding_of_adjoint(norm2(&r)) + of_shift;
        let measured = self.measure(x, &g, lost, false);
        Evaluation {
            x: x.iter().copied().collect(),
            r,
            g,
            measured,
            twice: false,
            formed,
            gap: None,
        }
    }

    /// Takes over a method's own b − A x and Aᵀ(b − A x) at x, which saves a pass, if its residual agrees with a fresh one up to rounding. The
    /// gap is a bound for an r and its own Aᵀr, so the two stay together. `shift`: see [`Formed`].
    pub(super) fn take_over(&self, x: &[T], residual: &[T], prices: &[T], shift: T, run: &mut Run<'_>) {
        let r = self.residual_of(x, run);
        let apart: Vec<T> = r.iter().zip(residual).map(|(r, p)| *r - *p).collect();
        // (and where terms cancel, so little that ρ is what it would be)
        let room = T::lit(0.25) * rounding_of_sums(r.len().max(x.len()), self.size_of_terms(x));
        let apart = norm2(&apart);
        if apart <= room.min(T::lit(1e-3) * self.tolerance * self.unit_of(x)) {
            let g = prices.iter().map(|v| -*v).collect();
            self.keep_own(x, residual.to_vec(), g, Formed { apart, shift });
        }
    }

    /// Keeps a method's own r and g at x.
    pub(super) fn keep_own(&self, x: &[T], r: Vec<T>, g: Vec<T>, formed: Formed<T>) {
        self.keep(self.seen(x, r, g, formed));
    }

    /// The natural residual at x relative to the size of the terms: what decides whether a method was exact.
    pub(super) fn rho(&self, x: &[T], run: &mut Run<'_>) -> T {
        let seen = self.evaluate(x, run);
        let rho = relative(seen.measured.displacement, self.size_of(x));
        self.keep(seen);
        rho
    }

    /// Whether the natural residual relative to the size of the terms is at most `level`, and ρ plus the bound of its rounding error is at most the
    /// tolerance.
    pub(super) fn solves(&self, x: &[T], level: T, run: &mut Run<'_>) -> bool {
        let seen = self.evaluate(x, run);
        let (rho, error) = self.rho_of(&seen);
        let exact = relative(seen.measured.displacement, self.size_of(x)) <= level;
        self.keep(seen);
        exact && rho + error <= self.tolerance
    }

    /// Whether x may be a solution but for rounding: ρ of plain sums left that open, and twice the precision has not confirmed it.
    pub(super) fn lost_in_rounding(&self, x: &[T], run: &mut Run<'_>) -> bool {
        let seen = self.evaluate(x, run);
        let (rho, error) = self.rho_of(&seen);
        let confirmed = rho + error <= self.tolerance;
        let lost = seen.twice && !confirmed;
        self.keep(seen);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::least_squares::dual::Primal;
    use crate::least_squares::problem::Problem;
    use crate::operators::Dense;

    /// What r may be off by is in the bound of f(x) − min f.
    #[test]
    fn the_gap_knows_what_a_residual_is_off_by() {
        let data = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let a = Dense::column_major(&data, 3, 2).unwrap();
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        // x solves: r = (0, −1, 2)
        let (b, x, r, g) = ([1.0, -1.0, 2.0], [1.0, 0.0], [0.0, -1.0, 2.0], [0.0, 1.0]);
        let gap = |apart: f64| {
            let primal = Primal {
                problem: &problem,
                set: &NonNegative,
                b: &b,
                x: &x,
                r: &r,
                g: &g,
                formed: Formed { apart, shift: 0.0 },
            };
            primal.gap(None, None, false, &mut Run::unlimited())
        };
        assert!(gap(0.0) < 1e-14);
        // f changes by ‖r‖ ‖δr‖ at most
        assert!(gap(1e-6) >= 1e-6 * 5.0_f64.sqrt());
    }
}
