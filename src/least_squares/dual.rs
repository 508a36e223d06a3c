//! A rigorous bound of f(x) − min f by weak duality, over bounds and perhaps a sum.
//!
//! With f(y) = ½‖A y − b‖², any ν ∈ Rᵐ and λ, h = Aᵀν − λ w and e = ν − (A x − b), every y with lo ≤ y ≤ hi and wᵀy = ρ has
//! f(y) ≥ νᵀ(A y − b) − ½‖ν‖², and therefore
//!
//! ```text
//! f(x) − min f  ≤  ½‖e‖² + Σ_j max over [lo_j, hi_j] of h_j (x_j − y_j) + λ (wᵀx − ρ)
//! ```
//!
//! Where a bound is infinite, h_j must have the right sign, without rounding: an h_j of −1e-17 proves nothing. There are four ways
//! to find such a ν, the cheapest first:
//!
//! 1. ν = A x − b is that of Frank and Wolfe: finite where the set is bounded.
//! 2. ν + s w for a direction w with (Aᵀw)_j of the right sign, where s covers the rounding of h_j too.
//! 3. The projection on the complement of some columns E. That of the computed ν is not orthogonal to them, but an exact one is: it is at most
//!    θ = ‖A_Eᵀν‖/σ_min(A_E) away, and so h_E = 0 exactly and all other h_j are off by at most ‖a_j‖θ. Free coordinates need this.
//! 4. The residual of unconstrained least squares over the columns between their bounds, by conjugate gradients. What is left is of the second
//!    order in the error of x.
//!
//! f itself is always a bound: min f ≥ 0.

use super::evidence::Formed;
use super::problem::{Problem, by_groups};
use super::region::Region;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{axpy, dot, norm2, rounding_of_half_square, rounding_of_sums};
use crate::outcome::Run;
use crate::{LinalgScalar, Scalar};
use std::collections::HashMap;

/// Number of elements from which it pays to try sixteen columns before a whole pass.
const LARGE: usize = 1 << 14;
/// A gap so small that no other direction is tried, in units of ‖b‖² …
const SMALL: f64 = 1e-6;
/// … and the gap that a better ν should reach, in units of f: two digits of f are then proved.
const OF_F: f64 = 1e-2;
/// Without a factor of the face a better ν is sought only where the gap is more than this part of f.
const WEAK: f64 = 0.3;
/// Where f is at most this part of ½‖b‖², four digits of b are fitted: f itself serves as the gap, and no work is done for a better one.
const FITTED: f64 = 1e-8;
/// Elements of a QR factor that is made for the gap alone (200 MB of f64).
const QR_ELEMENTS: usize = 25_000_000;
/// How often columns found to have the wrong sign are added.
const ROUNDS: usize = 3;
/// The room for rounding in the choice of s, in units of the bound that is proved afterwards.
const MARGIN: f64 = 1.25;

/// What the few operations that form h_j − λ w_j and add a bound to it may take, in units of ε and of their terms: each term takes part in three
/// of them.
const FEW: f64 = 2.0;

/// An answer in the units of the problem, with r = b − A x and g = −Aᵀr.
pub(crate) struct Primal<'g, 'a, T: LinalgScalar, B> {
    pub(crate) problem: &'g Problem<'a, T>,
    pub(crate) set: &'g B,
    pub(crate) b: &'g [T],
    pub(crate) x: &'g [T],
    pub(crate) r: &'g [T],
    pub(crate) g: &'g [T],
    pub(super) formed: Formed<T>,
}

/// ν = e − r, with h = Aᵀν as computed.
struct Point<'p, T> {
    h: &'p [T],
    /// ‖ν‖ and ‖e‖
    size: T,
    e: T,
    /// λ, where it is not free to choose.
    lambda: Option<T>,
    /// Columns with h_j = 0 exactly, and θ's divisor.
    complement: Option<&'p Complement<T>>,
}

/// w and Aᵀw.
struct Direction<'p, T> {
    size: T,
    image: &'p [T],
}

impl<T: LinalgScalar, B: Region<T>> Primal<'_, '_, T, B> {
    /// The bound. `own` is a direction for which the method knows (Aᵀw)_j to have the right sign between the bounds, `known` is Aᵀb; `factored`
    /// says that the method had a factor of the columns between their bounds.
    pub(crate) fn gap(&self, own: Option<&[T]>, known: Option<&[T]>, factored: bool, run: &mut Run<'_>) -> T {
        let (m, n) = (self.r.len(), self.x.len());
        let half = T::lit(0.5);
        let f = half * dot(self.r, self.r);
        let norm = (f + f).sqrt();
        let b_norm = norm2(self.b);
        let loss = self.loss(b_norm);
        // what rounding may take from f, in r and in the sum of its squares: in all that follows
        let floor = rounding_of_half_square(loss, norm) + rounding_of_sums(by_groups(m), f);
        let trivial = f + floor;
        if trivial <= half * T::epsilon() * b_norm * b_norm || trivial.is_nan() {
            return if trivial.is_nan() { T::infinity() } else { trivial };
        }
        // what the solve has cost, with the factor that it has made
        let mut spent = run.passes;
        if factored {
            spent += self.passes_of_factor((0..n).filter(|j| self.is_between(*j)).count());
        }
        let rounding = T::lit(8.0) * floor;
        let small = T::lit(SMALL) * b_norm * b_norm;
        let enough = small.min(T::lit(OF_F) * f).max(rounding);

        // free coordinates need h_j = 0 exactly
        let free: Vec<usize> = (0..n)
            .filter(|j| {
                self.is_open_above(*j) && self.is_open_below(*j) && self.size(*j, T::one()) > T::zero()
            })
            .collect();
        let mut complement = None;
        let (mut nu, mut projected): (Vec<T>, Vec<T>);
        let mut base = Point {
            h: self.g,
            // (a shift that was taken out of g and put back rounds like a part of r of twice its size)
            size: norm + T::lit(4.0) * self.formed.shift,
            e: T::zero(),
            lambda: None,
            complement: None,
        };
        if !free.is_empty() {
            if run.is_overdue() || !self.affords(free.len(), spent) {
                return trivial;
            }
            complement = self.complement(free, &[], run);
            let Some(c) = &complement else {
                return trivial;
            };
            nu = self.r.iter().map(|v| -*v).collect();
            let lambda = self.project(c, &mut nu);
            projected = vec![T::zero(); n];
            self.problem.adjoint(&nu, &mut projected, run);
            base = self.point(c, &nu, &projected, lambda);
        }

        // ν itself, where no infinite bound has an h_j of the wrong sign
        let mut least = self.cost(&base, None, loss);
        let may_turn = (0..n).any(|j| self.is_half_open(j));
        if may_turn && least > enough {
            let certain = known.is_some_and(|c| c.iter().all(|v| *v > T::zero()));
            // (a small matrix is looked at as a whole)
            let elements = self.problem.rows().saturating_mul(self.problem.columns());
            let worst = if self.problem.has_columns() && elements >= LARGE {
                self.most_violated(base.h)
            } else {
                Vec::new()
            };
            let (first, later) = if certain {
                (Some(self.b), None)
            } else {
                (None, Some(self.b))
            };
            let mut ones: Scratch<T> = scratch::empty();
            let mut image: Scratch<T> = scratch::zeros(n);
            let mut turned: Vec<T>;
            for (k, w) in [first, own, later, Some(&[])].into_iter().enumerate() {
                let Some(mut w) = w else { continue };
                if k == 3 {
                    ones.resize(m, T::one());
                    w = &ones;
                }
                let is_b = std::ptr::eq(w, self.b);
                if let Some(c) = &complement {
                    turned = w.to_vec();
                    c.project(&mut turned, T::zero());
                    w = &turned;
                }
                let of_b = known.filter(|_| is_b && complement.is_none());
                // (after a limit what is known costs nothing; anything else is one product more)
                if of_b.is_none() && (run.is_overdue() || !self.helps(w, &worst, run)) {
                    continue;
                }
                let image = match of_b {
                    Some(c) => c,
                    None => {
                        self.problem.adjoint(w, &mut image, run);
                        &image
                    }
                };
                let direction = Direction {
                    size: norm2(w),
                    image,
                };
                least = least.min(self.cost(&base, Some(&direction), loss));
                // (a direction with (Aᵀw)_j barely of the right sign somewhere gives a bound, and not a good one)
                if least <= small.max(rounding) {
                    break;
                }
            }
        }
        // more work than a pass for each direction; with the face already factored, another factor of it costs no more
        let part = if factored { OF_F } else { WEAK };
        let weak = least > enough.max(T::lit(part) * f);
        if weak && trivial > half * T::lit(FITTED) * b_norm * b_norm {
            least = least.min(self.improved(complement.as_ref(), spent, enough, loss, run));
        }
        // (`min` passes over NaN)
        (least + floor).min(trivial)
    }

    /// What rounding may take from r, in norm.
    pub(super) fn loss(&self, b_norm: T) -> T {
        let norms = self.problem.norms();
        let terms: T = self.x.iter().zip(norms).map(|(x, c)| (*c * *x).abs()).sum();
        // (a term that is zero rounds nothing)
        let taking_part = self.x.iter().filter(|v| **v != T::zero()).count();
        self.problem.rounding_of_residual(taking_part, b_norm + terms) + self.formed.apart
    }

    /// What rounding may take from ⟨a_j, v⟩, in units of the two norms (Higham 2002, section 3.1).
    fn rounding_of_products(&self) -> T {
        self.problem.rounding_of_adjoint(T::one())
    }

    fn weight(&self, j: usize) -> T {
        self.set.weights().get(j).copied().unwrap_or_else(T::zero)
    }

    /// ‖(a_j, α w_j)‖
    fn size(&self, j: usize, alpha: T) -> T {
        let (c, w) = (self.problem.norms()[j], alpha * self.weight(j));
        if w == T::zero() { c } else { c.hypot(w) }
    }

    fn is_open_above(&self, j: usize) -> bool {
        self.set.upper(j) == T::infinity()
    }

    fn is_open_below(&self, j: usize) -> bool {
        self.set.lower(j) == T::neg_infinity()
    }

    /// One infinite bound, outside the sum: λ has no say in the sign of h_j.
    fn is_half_open(&self, j: usize) -> bool {
        self.is_open_above(j) != self.is_open_below(j) && self.weight(j) == T::zero()
    }

    fn is_between(&self, j: usize) -> bool {
        self.set.lower(j) < self.x[j] && self.x[j] < self.set.upper(j)
    }

    /// What a QR factor of k columns costs, in passes over the numbers of A.
    fn passes_of_factor(&self, k: usize) -> f64 {
        let columns = if self.problem.has_columns() { 0.0 } else { k as f64 };
        columns + self.r.len() as f64 * (k as f64).powi(2) / self.problem.numbers() as f64
    }

    /// Whether a QR factor of k columns costs no more than the solve did, in passes.
    fn affords(&self, k: usize, spent: f64) -> bool {
        self.r.len().saturating_mul(k) <= QR_ELEMENTS && self.passes_of_factor(k) <= spent
    }

    /// The bound at ν + s w for the least s that serves, without what rounding may take from f; +∞ where there is none.
    fn cost(&self, at: &Point<'_, T>, direction: Option<&Direction<'_, T>>, loss: T) -> T {
        let norms = self.problem.norms();
        let rounding = self.rounding_of_products();
        let few = T::lit(FEW) * T::epsilon();
        let skipped = |j: usize| at.complement.is_some_and(|c| c.is_member[j]);
        let alpha = at.complement.map_or_else(T::zero, |c| c.alpha);

        let mut s = T::zero();
        if let Some(w) = direction {
            let margin = T::lit(MARGIN);
            let spare =
                T::lit(2.0) * self.theta(at, T::zero(), None, rounding, at.lambda.unwrap_or_else(T::zero));
            let mut most = T::infinity();
            for (j, c) in norms.iter().enumerate() {
                if !self.is_half_open(j) || skipped(j) {
                    continue;
                }
                let sign = if self.is_open_above(j) {
                    T::one()
                } else {
                    -T::one()
                };
                let (h, p) = (sign * at.h[j], sign * w.image[j]);
                let need = margin * (*c * (rounding * at.size + spare) + few * h.abs()) - h;
                let help = p - margin * (rounding * *c * w.size + few * p.abs());
                if need.is_nan() || help.is_nan() {
                    return T::infinity();
                }
                if need > T::zero() {
                    if help <= T::zero() {
                        return T::infinity(); // the sign of h_j is not sure, and w does not help
                    }
                    s = s.max(need / help);
                } else if help < T::zero() {
                    most = most.min(need / help);
                }
            }
            if s > most || !s.is_finite() {
                return T::infinity();
            }
        }

        let h = |j: usize| at.h[j] + direction.map_or_else(T::zero, |w| s * w.image[j]);
        let apart = s * direction.map_or_else(T::zero, |w| w.size);
        let size = at.size + apart;
        let has_sum = !self.set.weights().is_empty();
        let lambda = match at.lambda {
            Some(lambda) => lambda,
            None if has_sum => match self.lambda(&h, |c| rounding * c * size, few) {
                Some(lambda) => lambda,
                None => return T::infinity(),
            },
            None => T::zero(),
        };
        let theta = self.theta(at, s, direction, rounding, lambda);
        let mut total = T::zero();
        for (j, c) in norms.iter().enumerate() {
            if skipped(j) {
                continue;
            }
            let (of_nu, of_sum) = (h(j), lambda * self.weight(j));
            let v = of_nu - of_sum;
            // (h − s p is at most |h| + |h − s p| …)
            let terms = of_nu.abs() + of_sum.abs() + (of_nu - at.h[j]).abs();
            let mut off = rounding * *c * size + few * terms;
            if theta > T::zero() {
                off += self.size(j, alpha) * theta;
            }
            let (up, down) = (v + off, off - v);
            if up.is_nan() {
                return T::infinity();
            }
            let mut worst = T::zero();
            if up > T::zero() {
                let room = self.x[j] - self.set.lower(j);
                if room == T::infinity() {
                    return room;
                }
                worst = up * room;
            }
            if down > T::zero() {
                let room = self.set.upper(j) - self.x[j];
                if room == T::infinity() {
                    return room;
                }
                worst = worst.max(down * room);
            }
            total += worst;
        }
        if has_sum {
            let (gap, terms) = self.set.lacking(self.x);
            // (the exact projection has another λ, by at most α θ)
            total += (lambda.abs() + alpha * theta) * (gap.abs() + few * terms);
        }
        let e = at.e + apart + theta + loss;
        // (the sum above is one of terms that are not negative)
        (T::lit(0.5) * e * e + total) * (T::one() + rounding_of_sums(self.x.len(), T::one()))
    }

    /// ‖A_Eᵀν‖/σ_min with the rounding of the product: how far the exact projection is from ν.
    fn theta(
        &self,
        at: &Point<'_, T>,
        s: T,
        direction: Option<&Direction<'_, T>>,
        rounding: T,
        lambda: T,
    ) -> T {
        let Some(c) = at.complement else {
            return T::zero();
        };
        let norms = self.problem.norms();
        let size = at.size + direction.map_or_else(T::zero, |w| s * w.size);
        let squares: T = c
            .members
            .iter()
            .map(|j| {
                let of_nu = at.h[*j] + direction.map_or_else(T::zero, |w| s * w.image[*j]);
                let of_sum = lambda * self.weight(*j);
                let few = T::lit(FEW) * T::epsilon() * (of_nu.abs() + of_sum.abs() + at.h[*j].abs());
                let off = (of_nu - of_sum).abs() + rounding * norms[*j] * size + few;
                let off = off / self.size(*j, c.alpha);
                off * off
            })
            .sum();
        squares.sqrt() / c.sigma * (T::one() + T::lit(16.0) * T::epsilon() * T::count(c.members.len()))
    }

    /// λ for which h_j − λ w_j has the right sign at every infinite bound in the sum, with the rounding `off`(‖a_j‖) of h_j; the best of those
    /// as far as one can tell.
    fn lambda(&self, h: &dyn Fn(usize) -> T, off: impl Fn(T) -> T, few: T) -> Option<T> {
        let values: Vec<T> = (0..self.x.len()).map(h).collect();
        let best = self.set.best_multiplier(self.x, &values);
        let (mut least, mut most) = (T::neg_infinity(), T::infinity());
        for (j, w) in self.set.weights().iter().enumerate() {
            if *w == T::zero() || self.set.lower(j) >= self.set.upper(j) {
                continue;
            }
            let room =
                T::lit(MARGIN) * (off(self.problem.norms()[j]) + few * (values[j].abs() + (best * *w).abs()));
            if self.is_open_above(j) {
                most = most.min((values[j] - room) / *w);
            }
            if self.is_open_below(j) {
                least = least.max((values[j] + room) / *w);
            }
        }
        (least <= most && !best.is_nan()).then(|| best.max(least).min(most))
    }

    /// A few of the coordinates with h_j on the wrong side, the largest |h_j|/‖a_j‖ first.
    fn most_violated(&self, h: &[T]) -> Vec<usize> {
        const LOOKED_AT: usize = 16;
        let norms = self.problem.norms();
        let sign = |j: usize| {
            if self.is_open_above(j) {
                T::one()
            } else {
                -T::one()
            }
        };
        let score = |j: usize| sign(j) * h[j] / norms[j];
        let mut violated: Vec<usize> = (0..h.len())
            .filter(|j| self.is_half_open(*j) && sign(*j) * h[*j] < T::zero() && norms[*j] > T::zero())
            .collect();
        let first = |a: &usize, b: &usize| {
            score(*a)
                .partial_cmp(&score(*b))
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        if violated.len() > LOOKED_AT {
            violated.select_nth_unstable_by(LOOKED_AT - 1, first);
            violated.truncate(LOOKED_AT);
        }
        violated
    }

    /// Whether Aᵀw has the right sign where h is violated: of a few columns a hundredth of a pass tells when it has not.
    fn helps(&self, w: &[T], violated: &[usize], run: &mut Run<'_>) -> bool {
        if violated.is_empty() {
            return true;
        }
        let mut image = vec![T::zero(); violated.len()];
        self.problem.combine_adjoint(violated, w, &mut image, run);
        violated.iter().zip(&image).all(|(j, p)| {
            if self.is_open_above(*j) {
                *p > T::zero()
            } else {
                *p < T::zero()
            }
        })
    }

    /// A better ν for no more than the solve has cost: by a factor of the columns between their bounds where that is affordable, by
    /// conjugate gradients else. +∞ where neither gives a bound.
    fn improved(&self, free: Option<&Complement<T>>, spent: f64, enough: T, loss: T, run: &mut Run<'_>) -> T {
        let norms = self.problem.norms();
        let mut between: Vec<usize> = (0..self.x.len())
            .filter(|j| self.size(*j, T::one()) > T::zero() && self.is_between(*j))
            .collect();
        if run.check().is_err() {
            return T::infinity();
        }
        let mut exact = T::infinity();
        if self.affords(between.len(), spent) {
            exact = self.factored(between.clone(), spent, enough, loss, run);
            if exact <= enough {
                return exact;
            }
        }
        between.retain(|j| norms[*j] > T::zero());
        if between.is_empty() {
            return exact;
        }
        exact.min(self.iterated(between, free, spent, enough, loss, run))
    }

    /// Coordinates at a bound whose h_j says that they want to leave it.
    fn wrong(&self, h: &[T], size: T, lambda: T) -> Vec<usize> {
        let rounding = self.rounding_of_products() * size;
        let norms = self.problem.norms();
        let wants = |j: &usize| {
            let (v, off) = (h[*j] - lambda * self.weight(*j), rounding * norms[*j]);
            let (lower, upper) = (self.x[*j] <= self.set.lower(*j), self.x[*j] >= self.set.upper(*j));
            norms[*j] > T::zero() && ((lower && !upper && v < off) || (upper && !lower && v > -off))
        };
        (0..h.len()).filter(wants).collect()
    }

    /// With the residual of least squares over the columns E: those between their bounds, then also those that it shows on the wrong side.
    fn factored(&self, mut columns: Vec<usize>, spent: f64, enough: T, loss: T, run: &mut Run<'_>) -> T {
        let n = self.x.len();
        let mut least = T::infinity();
        let mut h = vec![T::zero(); n];
        for _ in 0..ROUNDS {
            // (twins come in pairs, as a rule)
            if !self.affords(columns.len().div_ceil(2), spent) {
                break;
            }
            let (kept, twins) = self.without_twins(&columns, run);
            if !self.affords(kept.len(), spent) || run.check().is_err() {
                break;
            }
            let Some(c) = self.complement(kept, &twins, run) else {
                break;
            };
            let mut nu: Vec<T> = self.r.iter().map(|v| -*v).collect();
            let lambda = self.project(&c, &mut nu);
            self.problem.adjoint(&nu, &mut h, run);
            let point = self.point(&c, &nu, &h, lambda);
            least = least.min(self.cost(&point, None, loss));
            if least <= enough {
                break;
            }
            let before = columns.len();
            let lambda = lambda.unwrap_or_else(T::zero);
            let wrong = self.wrong(&h, norm2(&nu), lambda);
            columns.extend(wrong.into_iter().filter(|j| !c.is_member[*j]));
            if columns.len() == before {
                break;
            }
        }
        least
    }

    /// The columns without those that equal another one, or its negative, bit for bit; and the latter. A pair of opposite columns over
    /// x ≥ 0 is a free coordinate.
    fn without_twins(&self, columns: &[usize], run: &mut Run<'_>) -> (Vec<usize>, Vec<usize>) {
        let mut column = vec![T::zero(); self.r.len()];
        let mut other = column.clone();
        let (mut kept, mut twins) = (Vec::new(), Vec::new());
        let mut seen: HashMap<u64, Vec<usize>> = HashMap::new();
        for j in columns {
            self.problem.column(*j, &mut column, run);
            let hash = column.iter().fold(0_u64, |hash, v| {
                let (mantissa, exponent, _) = v.integer_decode();
                let word = mantissa ^ (u64::from(exponent.unsigned_abs()) << 54);
                (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
            });
            let same = seen.entry(hash).or_default();
            let is_twin = same.iter().any(|k| {
                self.problem.column(*k, &mut other, run);
                let (u, w) = (self.weight(*j), self.weight(*k));
                (u == w && other == column)
                    || (u == T::zero() && w == T::zero() && other.iter().zip(&column).all(|(p, q)| *p == -*q))
            });
            if is_twin {
                twins.push(*j);
            } else {
                same.push(*j);
                kept.push(*j);
            }
        }
        (kept, twins)
    }

    /// The complement of columns E, for `twins` of them too; None where they are not safely independent.
    fn complement(&self, members: Vec<usize>, twins: &[usize], run: &mut Run<'_>) -> Option<Complement<T>> {
        let (m, k) = (self.r.len(), members.len());
        let norms = self.problem.norms();
        let in_sum = members.iter().any(|j| self.weight(*j) > T::zero());
        // one more row, for the sum; of the size of the columns
        let (rows, alpha) = if in_sum {
            let ratio = |j: &usize| norms[*j] / self.weight(*j);
            let part = members.iter().filter(|j| self.weight(**j) > T::zero());
            let largest = part.map(ratio).fold(T::zero(), T::max);
            (m + 1, if largest > T::zero() { largest } else { T::one() })
        } else {
            (m, T::zero())
        };
        if k > rows {
            return None;
        }
        let mut q = vec![T::zero(); rows * k];
        for (j, q) in members.iter().zip(q.chunks_exact_mut(rows)) {
            self.problem.column(*j, &mut q[..m], run);
            if in_sum {
                q[m] = alpha * self.weight(*j);
            }
            let size = self.size(*j, alpha);
            q.iter_mut().for_each(|v| *v /= size);
        }
        let mut r = vec![T::zero(); k * k];
        run.factorisations += 1;
        T::thin_qr(rows, k, &mut q, &mut r);
        let sigma = least_singular_value(&r, k, rows)?;
        let mut is_member = vec![false; self.x.len()];
        members.iter().chain(twins).for_each(|j| is_member[*j] = true);
        Some(Complement {
            members,
            is_member,
            q,
            rows,
            alpha,
            in_sum,
            sigma,
        })
    }

    /// ν ← its projection; λ where columns of E take part in the sum.
    fn project(&self, c: &Complement<T>, nu: &mut [T]) -> Option<T> {
        if !c.in_sum {
            c.project(nu, T::zero());
            return None;
        }
        let lambda = self.set.best_multiplier(self.x, self.g);
        let last = c.project(nu, -lambda / c.alpha);
        Some(-c.alpha * last)
    }

    fn point<'p>(&self, c: &'p Complement<T>, nu: &[T], h: &'p [T], lambda: Option<T>) -> Point<'p, T> {
        let e: Vec<T> = nu.iter().zip(self.r).map(|(v, r)| *v + *r).collect();
        Point {
            h,
            size: norm2(nu),
            e: norm2(&e) * (T::one() + T::lit(4.0) * T::epsilon())
                + T::lit(4.0) * T::epsilon() * (norm2(nu) + norm2(self.r)),
            lambda,
            complement: Some(c),
        }
    }

    /// By conjugate gradients over the columns between their bounds; a direction with (Aᵀw)_j of the right sign there likewise.
    fn iterated(
        &self,
        mut face: Vec<usize>,
        free: Option<&Complement<T>>,
        spent: f64,
        enough: T,
        loss: T,
        run: &mut Run<'_>,
    ) -> T {
        let n = self.x.len();
        let norms = self.problem.norms();
        let last = run.passes + spent;
        let rounding = self.rounding_of_products();
        let terms: T = self.x.iter().zip(norms).map(|(x, c)| (*c * *x).abs()).sum();
        let mut least = T::infinity();
        let (mut h, mut p) = (vec![T::zero(); n], vec![T::zero(); n]);
        let mut moved = vec![T::zero(); self.r.len()];
        for _ in 0..ROUNDS {
            // e: the image of the step to the minimiser over the face
            let still = vec![T::zero(); face.len()];
            let f_enough = T::lit(0.1) * enough;
            let converged = |s: &[T], v: &[T]| {
                norm2(s) * terms <= f_enough.max(T::lit(0.01) * dot(v, v))
                    || norm2(s) <= T::lit(4.0) * rounding * norm2(self.r)
            };
            self.conjugate(&face, Some(self.r), &still, &mut moved, converged, last, run);
            let mut nu: Vec<T> = moved.iter().zip(self.r).map(|(v, r)| *v - *r).collect();
            let lambda = free.and_then(|c| self.project(c, &mut nu));
            self.problem.adjoint(&nu, &mut h, run);
            let e: Vec<T> = nu.iter().zip(self.r).map(|(v, r)| *v + *r).collect();
            let size = norm2(&nu);
            let point = Point {
                h: &h,
                size,
                e: norm2(&e) + T::lit(4.0) * T::epsilon() * (size + norm2(self.r)),
                lambda,
                complement: free,
            };
            let half_open: Vec<T> = face.iter().map(|j| self.sign(*j)).collect();
            if half_open.iter().all(|v| *v == T::zero()) {
                least = least.min(self.cost(&point, None, loss));
            } else {
                let mut w = vec![T::zero(); self.r.len()];
                let converged = |s: &[T], _: &[T]| {
                    s.iter()
                        .zip(&half_open)
                        .all(|(s, wanted)| *wanted == T::zero() || s.abs() <= T::lit(0.5))
                };
                self.conjugate(&face, None, &half_open, &mut w, converged, last, run);
                if let Some(c) = free {
                    c.project(&mut w, T::zero());
                }
                self.problem.adjoint(&w, &mut p, run);
                let direction = Direction {
                    size: norm2(&w),
                    image: &p,
                };
                least = least.min(self.cost(&point, Some(&direction), loss));
            }
            if least <= enough || run.passes >= last || run.check().is_err() {
                break;
            }
            let lambda = match lambda {
                Some(lambda) => lambda,
                None => self.set.best_multiplier(self.x, &h),
            };
            let before = face.len();
            let mut inside = vec![false; n];
            face.iter().for_each(|j| inside[*j] = true);
            face.extend(self.wrong(&h, size, lambda).into_iter().filter(|j| !inside[*j]));
            if face.len() == before {
                break;
            }
        }
        least
    }

    /// The sign that h_j must have where coordinate j has one infinite bound outside the sum, else 0.
    fn sign(&self, j: usize) -> T {
        match (self.is_half_open(j), self.is_open_above(j)) {
            (false, _) => T::zero(),
            (true, true) => T::one(),
            (true, false) => -T::one(),
        }
    }

    /// v ← A_F z with Ĝ z = rhs + Â_Fᵀ base in column-norm units, z in {wᵀz = 0} where there is a sum: conjugate gradients on the
    /// normal equations from the v given, until `converged`(residual, v) or the passes are spent.
    fn conjugate(
        &self,
        face: &[usize],
        base: Option<&[T]>,
        rhs: &[T],
        v: &mut [T],
        converged: impl Fn(&[T], &[T]) -> bool,
        last: f64,
        run: &mut Run<'_>,
    ) {
        const MOST: usize = 500;
        let norms = self.problem.norms();
        let weights: Vec<T> = face.iter().map(|j| self.weight(*j) / norms[*j]).collect();
        let total = dot(&weights, &weights);
        let mut rest = vec![T::zero(); v.len()];
        let mut s = vec![T::zero(); face.len()];
        let (mut direction, mut image) = (s.clone(), rest.clone());
        let mut scaled = s.clone();
        let mut before = T::zero();
        for step in 0..MOST {
            for (i, t) in rest.iter_mut().enumerate() {
                *t = base.map_or_else(T::zero, |b| b[i]) - v[i];
            }
            self.problem.combine_adjoint(face, &rest, &mut s, run);
            for ((s, j), t) in s.iter_mut().zip(face).zip(rhs) {
                *s = *s / norms[*j] + *t;
            }
            if total > T::zero() {
                let along = dot(&weights, &s) / total;
                axpy(-along, &weights, &mut s);
            }
            let square = dot(&s, &s);
            if converged(&s, v)
                || square == T::zero()
                || square.is_nan()
                || run.passes >= last
                || run.check().is_err()
            {
                break;
            }
            let beta = if step == 0 { T::zero() } else { square / before };
            before = square;
            for ((d, s), (t, j)) in direction.iter_mut().zip(&s).zip(scaled.iter_mut().zip(face)) {
                *d = *s + beta * *d;
                *t = *d / norms[*j];
            }
            self.problem.combine(face, &scaled, &mut image, run);
            let curvature = dot(&image, &image);
            if crate::linalg::not_positive(curvature) {
                break;
            }
            axpy(square / curvature, &image, v);
        }
    }
}

/// The orthogonal complement of some columns, in units of their norms; with a last row α w where they take part in the sum.
struct Complement<T> {
    members: Vec<usize>,
    /// Of all columns, those whose h_j is zero by construction.
    is_member: Vec<bool>,
    q: Vec<T>,
    rows: usize,
    alpha: T,
    in_sum: bool,
    /// A lower bound of the least singular value.
    sigma: T,
}

impl<T: Scalar> Complement<T> {
    /// (v, last) ← its projection; returns the last entry.
    fn project(&self, v: &mut [T], last: T) -> T {
        let m = v.len();
        let mut last = last;
        // (the second time for what rounding has left)
        for _ in 0..2 {
            let products: Vec<T> = self
                .q
                .chunks_exact(self.rows)
                .map(|q| dot(&q[..m], v) + if self.in_sum { q[m] * last } else { T::zero() })
                .collect();
            for (q, t) in self.q.chunks_exact(self.rows).zip(&products) {
                axpy(-*t, &q[..m], v);
                if self.in_sum {
                    last -= *t * q[m];
                }
            }
        }
        last
    }
}

/// A lower bound of σ_min of k unit columns from their computed R; None where rounding leaves none.
///
/// With X ≈ R⁻¹ by substitution, ‖I − X R‖ ≤ k u ‖X‖‖R‖ (Higham 2002, section 8.2), and R is that of columns that differ from the given
/// ones by γ_{mk} each (section 19.3).
fn least_singular_value<T: Scalar>(r: &[T], k: usize, rows: usize) -> Option<T> {
    let mut inverse = T::zero();
    let mut x = vec![T::zero(); k];
    for p in 0..k {
        // column p of the inverse, from the bottom up
        x[..=p].fill(T::zero());
        x[p] = T::one();
        for i in (0..=p).rev() {
            x[i] /= r[i * k + i];
            let t = x[i];
            for l in 0..i {
                x[l] -= t * r[i * k + l];
            }
        }
        inverse += dot(&x[..=p], &x[..=p]);
    }
    let inverse = inverse.sqrt();
    let size = T::count(k).sqrt();
    let lost = rounding_of_sums(2 * k, inverse * size);
    let sigma = (T::one() - lost) / inverse - rounding_of_sums(rows.saturating_mul(k), size);
    (lost < T::lit(0.5) && sigma > T::zero()).then_some(sigma)
}
