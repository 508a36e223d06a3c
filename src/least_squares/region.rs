//! The feasible set in the units of a solve: x ≥ 0, or bounds and perhaps one weighted sum.

use super::prepared::close_sum;
use crate::Scalar;
use crate::linalg::not_positive;

/// What a method asks of its set.
///
/// Calls are resolved at compile time. For [`NonNegative`] every function is a constant, so a method costs as much as one written for x ≥ 0 alone.
pub(crate) trait Region<T: Scalar> {
    /// Every coordinate off a face is zero, and there is no sum.
    const ZERO_OFF_FACE: bool;
    fn lower(&self, j: usize) -> T;
    fn upper(&self, j: usize) -> T;
    /// lo and hi; None for x ≥ 0.
    fn bounds(&self) -> Option<(&[T], &[T])>;
    /// The sum, where there is one.
    fn sum(&self) -> Option<&Sum<T>>;
    /// The λ with the least Σ_j max over [lo_j, hi_j] of (h_j − λ w_j)(x_j − y_j), without regard to rounding; 0 without a sum.
    fn best_multiplier(&self, x: &[T], h: &[T]) -> T;

    /// w, empty without a sum.
    #[inline]
    fn weights(&self) -> &[T] {
        self.sum().map_or(&[], |sum| &sum.w)
    }
    /// w_j, 0 without a sum.
    #[inline]
    fn weight(&self, j: usize) -> T {
        self.sum().map_or(T::zero(), |sum| sum.w[j])
    }
    /// How many of these coordinates take part in the sum.
    fn taking_part(&self, members: &[usize]) -> usize {
        members.iter().filter(|j| self.weight(**j) > T::zero()).count()
    }
    /// r − Σ w x, and the size of its terms.
    fn lacking(&self, x: &[T]) -> (T, T) {
        self.sum().map_or((T::zero(), T::zero()), |sum| sum.gap(x))
    }
    /// A feasible point near zero, given the gradient at a point.
    fn feasible_point(&self, norms: &[T], gradient: &mut dyn FnMut(&[T]) -> Vec<T>) -> Vec<T>;
    /// Whether some coordinate has one infinite bound, so that a dual point needs a direction.
    fn has_half_lines(&self) -> bool;
    /// 1 where only the lower bound of a coordinate is finite, −1 where only the upper one is, else 0: the sign that its gradient must have.
    fn inward(&self, j: usize) -> T;
    /// Whether a coordinate at v belongs to the face that a method begins with. What rests at zero may stay there until it is priced; what has no
    /// bounds is in every face.
    fn begins_free(&self, j: usize, v: T) -> bool;
    /// The set of the coordinates `set`, the others held at x.
    fn restricted(&self, set: &[usize], x: &[T]) -> Self
    where
        Self: Sized;
    /// The point between the bounds nearest to zero; None where that is zero.
    fn off_zero(&self) -> Option<Vec<T>>;
    /// The set of z = x − `base`.
    fn shifted(&self, base: &[T]) -> Self
    where
        Self: Sized;
    /// x ← the nearest point of the set in the metric diag(c²); a coordinate with c_j = 0 is clipped.
    fn project(&self, norms: &[T], x: &mut [T]);
    /// λ, with which −g + λ w are the negative multipliers of the bounds at x; 0 without a sum.
    fn multiplier_at(&self, norms: &[T], x: &[T], minus_g: &[T]) -> T;
    /// x ← a point whose sum is met as well as it can be: what is measured is then the point that is handed out.
    fn meet_sum(&self, _norms: &[T], _x: &mut [T]) {}

    /// The bound that coordinate j stops at on its way from one value towards another, if it meets one. A coordinate whose way is not known (NaN)
    /// stops where it is.
    fn met(&self, j: usize, from: T, to: T) -> Option<T> {
        if to < self.lower(j) {
            Some(self.lower(j))
        } else if to > self.upper(j) {
            Some(self.upper(j))
        } else {
            to.is_nan().then_some(from)
        }
    }

    /// The nearest point of [lo_j, hi_j].
    #[inline]
    fn clip(&self, j: usize, v: T) -> T {
        crate::sets::clip(v, self.lower(j), self.upper(j))
    }
    /// lo_j < v < hi_j
    #[inline]
    fn is_inside(&self, j: usize, v: T) -> bool {
        self.lower(j) < v && v < self.upper(j)
    }
    /// lo_j = hi_j
    #[inline]
    fn is_fixed(&self, j: usize) -> bool {
        self.lower(j) >= self.upper(j)
    }
    /// The bound that x_j is meant to be at, where its distance from it is only rounding, the remnant of a degenerate or consistent problem:
    /// iterative refinement moves x_j by a tenth of that distance or more, and the effect of the distance, ‖a_j‖ times it, is 200 ε of `size` (of
    /// the terms of b − A x) at most.
    ///
    /// A small coordinate that is known well (A = I, say) is not moved, and stays.
    fn rounding_of_bound(&self, j: usize, x: T, correction: T, norm: T, size: T) -> Option<T> {
        let negligible = noise::<T>() * size;
        [self.lower(j), self.upper(j)].into_iter().find(|bound| {
            let distance = (x - *bound).abs();
            correction.abs() >= T::lit(0.1) * distance && norm * distance <= negligible
        })
    }
}

/// Multipliers below this multiple of the residual (per column norm) are rounding: 4e-14 in f64.
pub(crate) fn noise<T: Scalar>() -> T {
    T::lit(200.0) * T::epsilon()
}

/// {x ≥ 0}
pub(crate) struct NonNegative;

impl<T: Scalar> Region<T> for NonNegative {
    const ZERO_OFF_FACE: bool = true;
    #[inline]
    fn lower(&self, _j: usize) -> T {
        T::zero()
    }
    #[inline]
    fn upper(&self, _j: usize) -> T {
        T::infinity()
    }
    fn bounds(&self) -> Option<(&[T], &[T])> {
        None
    }
    #[inline]
    fn sum(&self) -> Option<&Sum<T>> {
        None
    }
    fn best_multiplier(&self, _x: &[T], _h: &[T]) -> T {
        T::zero()
    }
    fn feasible_point(&self, norms: &[T], _gradient: &mut dyn FnMut(&[T]) -> Vec<T>) -> Vec<T> {
        vec![T::zero(); norms.len()]
    }
    fn has_half_lines(&self) -> bool {
        true
    }
    #[inline]
    fn inward(&self, _j: usize) -> T {
        T::one()
    }
    #[inline]
    fn begins_free(&self, _j: usize, v: T) -> bool {
        v > T::zero()
    }
    fn restricted(&self, _set: &[usize], _x: &[T]) -> Self {
        Self
    }
    fn off_zero(&self) -> Option<Vec<T>> {
        None
    }
    fn shifted(&self, _base: &[T]) -> Self {
        Self
    }
    fn project(&self, _norms: &[T], x: &mut [T]) {
        x.iter_mut().for_each(|v| *v = v.max(T::zero()));
    }
    fn multiplier_at(&self, _norms: &[T], _x: &[T], _minus_g: &[T]) -> T {
        T::zero()
    }
    /// Also what ends at zero exactly.
    #[inline]
    fn met(&self, _j: usize, _from: T, to: T) -> Option<T> {
        not_positive(to).then_some(T::zero())
    }
    // (NaN becomes 0)
    #[inline]
    fn clip(&self, _j: usize, v: T) -> T {
        v.max(T::zero())
    }
    #[inline]
    fn is_inside(&self, _j: usize, v: T) -> bool {
        v > T::zero()
    }
    #[inline]
    fn is_fixed(&self, _j: usize) -> bool {
        false
    }
}

impl<T: Scalar> Region<T> for BoundsAndSum<T> {
    const ZERO_OFF_FACE: bool = false;
    #[inline]
    fn lower(&self, j: usize) -> T {
        self.lo[j]
    }
    #[inline]
    fn upper(&self, j: usize) -> T {
        self.hi[j]
    }
    fn bounds(&self) -> Option<(&[T], &[T])> {
        Some((&self.lo, &self.hi))
    }
    #[inline]
    fn sum(&self) -> Option<&Sum<T>> {
        self.sum.as_ref()
    }
    fn best_multiplier(&self, x: &[T], h: &[T]) -> T {
        self.multiplier_of_bound(x, h)
    }
    /// Without a sum the point of the box nearest to zero, else a vertex near it, chosen to reduce f.
    fn feasible_point(&self, norms: &[T], gradient: &mut dyn FnMut(&[T]) -> Vec<T>) -> Vec<T> {
        let zero = self.nearest_to_zero();
        if self.sum.is_none() {
            return zero;
        }
        let mut x = self.vertex(norms, &gradient(&zero));
        close_sum(&mut x, self.sum.as_ref(), &self.lo, &self.hi);
        x
    }
    fn has_half_lines(&self) -> bool {
        (0..self.dim()).any(|j| self.weight(j) == T::zero() && self.inward(j) != T::zero())
    }
    fn inward(&self, j: usize) -> T {
        match (self.lo[j].is_finite(), self.hi[j].is_finite()) {
            (true, false) => T::one(),
            (false, true) => -T::one(),
            _ => T::zero(),
        }
    }
    fn begins_free(&self, j: usize, v: T) -> bool {
        let unbounded = self.lo[j] == T::neg_infinity() && self.hi[j] == T::infinity();
        unbounded || (self.is_inside(j, v) && v != T::zero())
    }
    fn restricted(&self, set: &[usize], x: &[T]) -> Self {
        let of = |v: &[T]| set.iter().map(|j| v[*j]).collect();
        let sum = self.sum.as_ref().map(|s| {
            let mut others = x.to_vec();
            set.iter().for_each(|j| others[*j] = T::zero());
            Sum {
                w: of(&s.w),
                r: s.gap(&others).0,
            }
        });
        Self {
            lo: of(&self.lo),
            hi: of(&self.hi),
            sum,
        }
    }
    fn off_zero(&self) -> Option<Vec<T>> {
        let x = self.nearest_to_zero();
        x.iter().any(|v| *v != T::zero()).then_some(x)
    }
    fn shifted(&self, base: &[T]) -> Self {
        Self {
            lo: self.lo.iter().zip(base).map(|(l, x)| *l - *x).collect(),
            hi: self.hi.iter().zip(base).map(|(h, x)| *h - *x).collect(),
            sum: self.sum.as_ref().map(|s| Sum {
                w: s.w.clone(),
                r: s.gap(base).0,
            }),
        }
    }
    fn project(&self, norms: &[T], x: &mut [T]) {
        for j in 0..x.len() {
            if norms[j] == T::zero() {
                x[j] = self.clip(j, x[j]);
            }
        }
        let still = vec![T::zero(); x.len()];
        let mut e = vec![T::zero(); x.len()];
        self.displacement(norms, x, &still, &mut e);
        for j in 0..x.len() {
            if norms[j] > T::zero() {
                x[j] = self.stepped(j, x[j], e[j], norms[j]);
            }
        }
    }
    fn multiplier_at(&self, norms: &[T], x: &[T], minus_g: &[T]) -> T {
        if self.sum.is_none() {
            return T::zero();
        }
        let g: Vec<T> = minus_g.iter().map(|p| -*p).collect();
        let mut e = vec![T::zero(); x.len()];
        self.displacement(norms, x, &g, &mut e)
    }
    /// A gap of more than rounding is shared out among the coordinates between their bounds, in the metric diag(c²); what is at a bound stays
    /// there.
    fn meet_sum(&self, norms: &[T], x: &mut [T]) {
        let Some(sum) = &self.sum else { return };
        let (gap, size) = sum.gap(x);
        if gap.abs() > T::lit(4.0) * T::epsilon() * size {
            let share = |j: usize| sum.w[j] / norms[j];
            let inside: Vec<usize> = (0..x.len())
                .filter(|j| sum.w[*j] > T::zero() && norms[*j] > T::zero() && self.is_inside(*j, x[*j]))
                .collect();
            let total: T = inside.iter().map(|j| share(*j) * share(*j)).sum();
            for j in inside {
                x[j] = self.clip(j, x[j] + gap / total * share(j) / norms[j]);
            }
        }
        close_sum(x, self.sum.as_ref(), &self.lo, &self.hi);
    }
}

/// {lo ≤ x ≤ hi}, and Σ w_j x_j = r where there is a sum.
#[derive(Debug, Clone)]
pub(crate) struct BoundsAndSum<T> {
    pub(crate) lo: Vec<T>,
    pub(crate) hi: Vec<T>,
    pub(crate) sum: Option<Sum<T>>,
}

/// Σ w_j x_j = r with w ≥ 0: zero where a coordinate takes no part; elsewhere 1, or a power of two when the columns are
/// scaled by powers of two.
#[derive(Debug, Clone)]
pub(crate) struct Sum<T> {
    pub(crate) w: Vec<T>,
    pub(crate) r: T,
}

impl<T: Scalar> Sum<T> {
    /// r − Σ w x with the rounding of one addition, and Σ |w x| + |r|.
    pub(crate) fn gap(&self, x: &[T]) -> (T, T) {
        let terms = self.w.iter().zip(x).filter(|(w, _)| **w > T::zero());
        let (mut total, mut lost, mut size) = (self.r, T::zero(), self.r.abs());
        for (w, v) in terms {
            add(&mut total, &mut lost, -(*w * *v));
            size += (*w * *v).abs();
        }
        (total + lost, size)
    }
}

/// One addition of a compensated sum (Neumaier 1974): the value is `total + lost`.
pub(crate) fn add<T: Scalar>(total: &mut T, lost: &mut T, v: T) {
    let next = *total + v;
    if next.is_finite() {
        *lost += if total.abs() >= v.abs() {
            (*total - next) + v
        } else {
            (v - next) + *total
        };
    }
    *total = next;
}

impl<T: Scalar> BoundsAndSum<T> {
    pub(crate) fn dim(&self) -> usize {
        self.lo.len()
    }

    /// The point of the box nearest to zero.
    pub(crate) fn nearest_to_zero(&self) -> Vec<T> {
        (0..self.dim()).map(|j| self.clip(j, T::zero())).collect()
    }

    /// A feasible point near the box's point nearest to zero: what the sum lacks goes to the coordinates that pay most, given
    /// the gradient g at that point, each up to its bound. At most one of them ends between its bounds.
    pub(crate) fn vertex(&self, norms: &[T], g: &[T]) -> Vec<T> {
        let mut x = self.nearest_to_zero();
        let Some(sum) = &self.sum else { return x };
        let (mut lacking, _) = sum.gap(&x);
        let up = lacking > T::zero();
        let room = |j: usize, v: T| if up { self.hi[j] - v } else { self.lo[j] - v };
        // f changes by this per unit of the sum when all that lacks goes to j
        let price = |j: usize| {
            let w = sum.w[j];
            let linear = if up { g[j] / w } else { -g[j] / w };
            let scale = norms[j] / w;
            linear + T::lit(0.5) * scale * scale * lacking.abs()
        };
        let mut order: Vec<(T, usize)> = (0..self.dim())
            .filter(|j| sum.w[*j] > T::zero() && room(*j, x[*j]) != T::zero())
            .map(|j| (price(j), j))
            .collect();
        order.sort_by(|a, b| {
            a.0.partial_cmp(&b.0)
                .unwrap_or(std::cmp::Ordering::Equal)
                .then(a.1.cmp(&b.1))
        });
        for (_, j) in order {
            let want = lacking / sum.w[j];
            let room = room(j, x[j]);
            if want.abs() < room.abs() {
                x[j] += want;
                break;
            }
            x[j] = if up { self.hi[j] } else { self.lo[j] };
            // afresh: a bound that is huge beside r must not leave its rounding behind
            lacking = sum.gap(&x).0;
            if (lacking > T::zero()) != up {
                break;
            }
        }
        x
    }

    /// c_j (P(x − g/c²) − x)_j into `out`, P the projection in the metric diag(c²); returns t, with which
    /// P(x − g/c²)_j = clip(x_j − (g_j + t w_j)/c_j²). Coordinates with c_j = 0 are left alone.
    pub(crate) fn displacement(&self, norms: &[T], x: &[T], g: &[T], out: &mut [T]) -> T {
        let room = |j: usize| (norms[j] * (self.lo[j] - x[j]), norms[j] * (self.hi[j] - x[j]));
        let step = |j: usize, t: T| {
            let c = norms[j];
            if c == T::zero() {
                return T::zero();
            }
            let d = -(g[j] + t * self.weight(j)) / c;
            let (down, up) = room(j);
            if d.is_nan() {
                d
            } else {
                crate::sets::clip(d, down, up)
            }
        };
        let t = match &self.sum {
            None => T::zero(),
            Some(sum) => self.multiplier(sum, norms, x, g, room, step),
        };
        for (j, o) in out.iter_mut().enumerate() {
            *o = step(j, t);
        }
        t
    }

    /// The root of t ↦ Σ (w_j/c_j) step(j, t) − (r − Σ w x), which is piecewise linear and does not increase.
    fn multiplier(
        &self,
        sum: &Sum<T>,
        norms: &[T],
        x: &[T],
        g: &[T],
        room: impl Fn(usize) -> (T, T),
        step: impl Fn(usize, T) -> T,
    ) -> T {
        let target = sum.gap(x).0;
        let part: Vec<usize> = (0..x.len())
            .filter(|j| sum.w[*j] > T::zero() && norms[*j] > T::zero() && !self.is_fixed(*j))
            .collect();
        // t at which j arrives at its upper bound, and at its lower one
        let kinks = |j: usize| {
            let (c, w) = (norms[j], sum.w[j]);
            let (down, up) = room(j);
            ((-up - g[j] / c) * (c / w), (-down - g[j] / c) * (c / w))
        };
        let mut open: Vec<(usize, T, T)> = part
            .iter()
            .map(|j| {
                let (first, last) = kinks(*j);
                (*j, first, last)
            })
            .collect();
        // Bisection over the kinks. Coordinates without a kink in (left, right) contribute rest + target − t slope; the others are summed one
        // by one.
        let (mut left, mut right) = (T::neg_infinity(), T::infinity());
        let (mut slope, mut rest) = (T::zero(), -target);
        let mut inside: Vec<T> = Vec::with_capacity(2 * open.len());
        loop {
            inside.clear();
            open.retain(|(j, first, last)| {
                let is_inside = |t: T| left < t && t < right;
                let before = inside.len();
                inside.extend([*first, *last].into_iter().filter(|t| is_inside(*t)));
                if inside.len() > before {
                    return true;
                }
                let (c, w) = (norms[*j], sum.w[*j]);
                let (down, up) = room(*j);
                if *last <= left {
                    rest += w / c * down;
                } else if *first >= right {
                    rest += w / c * up;
                } else {
                    slope += (w / c) * (w / c);
                    rest -= (w / c) * (g[*j] / c);
                }
                false
            });
            if inside.is_empty() {
                break;
            }
            let middle = inside.len() / 2;
            let order = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
            let t = *inside.select_nth_unstable_by(middle, order).1;
            let others: T = open
                .iter()
                .map(|(j, ..)| sum.w[*j] / norms[*j] * step(*j, t))
                .sum();
            if rest - t * slope + others > T::zero() {
                left = t;
            } else {
                right = t;
            }
        }
        let inner = if slope > T::zero() {
            rest / slope
        } else if left.is_finite() && right.is_finite() {
            // nothing moves between the two: any multiplier is right, the middle one most surely
            left + (right - left) * T::lit(0.5)
        } else if left.is_finite() {
            left
        } else if right.is_finite() {
            right
        } else {
            T::zero()
        };
        // not clip: NaN must come through
        if inner < left {
            left
        } else if inner > right {
            right
        } else {
            inner
        }
    }

    /// x_j + e/c, exactly at a bound when e reaches it.
    #[inline]
    pub(crate) fn stepped(&self, j: usize, x: T, e: T, c: T) -> T {
        if e <= c * (self.lo[j] - x) {
            self.lo[j]
        } else if e >= c * (self.hi[j] - x) {
            self.hi[j]
        } else {
            self.clip(j, x + e / c)
        }
    }

    /// The λ with the least Σ_j max over [lo_j, hi_j] of (h_j − λ w_j)(x_j − y_j); 0 without a sum. Convex in λ, with kinks at h_j/w_j.
    fn multiplier_of_bound(&self, x: &[T], h: &[T]) -> T {
        let Some(sum) = &self.sum else {
            return T::zero();
        };
        let mut kinks: Vec<(T, usize)> = (0..x.len())
            .filter(|j| sum.w[*j] > T::zero() && !self.is_fixed(*j))
            .map(|j| (h[j] / sum.w[j], j))
            .collect();
        kinks.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal));
        let below = |j: usize| sum.w[j] * (x[j] - self.lo[j]);
        let above = |j: usize| sum.w[j] * (self.hi[j] - x[j]);
        // the slope right of a kink; terms without end are counted, so that they do not meet as ∞ − ∞
        let mut open_below = kinks.iter().filter(|(_, j)| !below(*j).is_finite()).count();
        let mut slope: T = -kinks
            .iter()
            .map(|(_, j)| below(*j))
            .filter(|v| v.is_finite())
            .sum::<T>();
        let mut lambda = T::zero();
        for (kink, j) in &kinks {
            lambda = *kink;
            if below(*j).is_finite() {
                slope += below(*j);
            } else {
                open_below -= 1;
            }
            if !above(*j).is_finite() {
                break;
            }
            slope += above(*j);
            if open_below == 0 && slope >= T::zero() {
                break;
            }
        }
        lambda
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// max hᵀ(x − y) over y in the set, as a sum of terms that are not negative; +∞ where there is no maximum.
    fn excess(region: &BoundsAndSum<f64>, x: &[f64], h: &[f64]) -> f64 {
        let lambda = region.best_multiplier(x, h);
        let term = |j: usize| {
            let h = h[j] - lambda * region.weight(j);
            if h > 0.0 {
                h * (x[j] - region.lo[j])
            } else if h < 0.0 {
                -h * (region.hi[j] - x[j])
            } else {
                h // zero, or NaN
            }
        };
        (0..x.len()).map(term).sum()
    }

    fn simplex(n: usize, r: f64) -> BoundsAndSum<f64> {
        BoundsAndSum {
            lo: vec![0.0; n],
            hi: vec![f64::INFINITY; n],
            sum: Some(Sum { w: vec![1.0; n], r }),
        }
    }

    #[test]
    fn projections_are_nearest() {
        let mut random = Random::new(3);
        for round in 0..400 {
            let n = 1 + round % 7;
            let lo: Vec<f64> = random.normals::<f64>(n).iter().map(|v| v - 1.0).collect();
            let hi: Vec<f64> = lo.iter().map(|l| l + 2.0 * random.uniform::<f64>()).collect();
            let inside: Vec<f64> = lo
                .iter()
                .zip(&hi)
                .map(|(l, h)| l + (h - l) * random.uniform::<f64>())
                .collect();
            let w: Vec<f64> = (0..n).map(|j| if j == 1 { 0.0 } else { 1.0 }).collect();
            let r = inside.iter().zip(&w).map(|(x, w)| x * w).sum();
            let region = BoundsAndSum {
                lo,
                hi,
                sum: Some(Sum { w, r }),
            };
            let norms: Vec<f64> = (0..n).map(|_| 0.1 + random.uniform::<f64>()).collect();
            let z = random
                .normals::<f64>(n)
                .iter()
                .map(|v| 3.0 * v)
                .collect::<Vec<_>>();
            let mut y = z.clone();
            region.project(&norms, &mut y);
            assert!(region.sum.as_ref().unwrap().gap(&y).0.abs() < 1e-13);
            // the variational inequality against a point inside
            let angle: f64 = (0..n)
                .map(|j| norms[j].powi(2) * (z[j] - y[j]) * (inside[j] - y[j]))
                .sum();
            assert!(angle < 1e-12, "{angle}");
            // the certificate is zero at a projection: min ½‖c(x − z)‖²
            let g: Vec<f64> = (0..n).map(|j| norms[j].powi(2) * (y[j] - z[j])).collect();
            let mut e = vec![0.0; n];
            region.displacement(&norms, &y, &g, &mut e);
            assert!(e.iter().all(|v| v.abs() < 1e-13), "{e:?}");
            let gap = excess(&region, &y, &g);
            assert!((0.0..1e-12).contains(&gap), "{gap}");
            // elsewhere it is the linear minimum, here by its definition over the vertices of pairs
            let gap = excess(&region, &inside, &g);
            let better: f64 = g.iter().zip(&inside).zip(&y).map(|((g, x), y)| g * (x - y)).sum();
            assert!(gap >= better - 1e-12);
        }
    }

    #[test]
    fn the_simplex_gap_is_that_of_frank_and_wolfe() {
        let region = simplex(3, 2.0);
        // g·x − 2 min g
        let gap = excess(&region, &[0.5, 1.5, 0.0], &[3.0, 1.0, -1.0]);
        assert!((gap - (0.5 * 3.0 + 1.5 + 2.0)).abs() < 1e-15);
        assert_eq!(simplex(2, 0.0).vertex(&[1.0, 1.0], &[-1.0, 1.0]), vec![0.0, 0.0]);
        assert_eq!(simplex(2, 3.0).vertex(&[1.0, 1.0], &[1.0, -1.0]), vec![0.0, 3.0]);
    }

    #[test]
    fn unbounded_sets_have_no_gap() {
        let region = BoundsAndSum {
            lo: vec![0.0, f64::NEG_INFINITY],
            hi: vec![f64::INFINITY, 1.0],
            sum: None,
        };
        assert_eq!(excess(&region, &[1.0, 0.0], &[0.0, 0.0]), 0.0);
        assert_eq!(excess(&region, &[1.0, 0.0], &[-1e-300, 0.0]), f64::INFINITY);
        let line = BoundsAndSum {
            lo: vec![f64::NEG_INFINITY; 2],
            hi: vec![f64::INFINITY; 2],
            sum: Some(Sum {
                w: vec![1.0; 2],
                r: 1.0,
            }),
        };
        assert_eq!(excess(&line, &[0.5, 0.5], &[2.0, 2.0]), 0.0);
        assert_eq!(excess(&line, &[0.5, 0.5], &[2.0, 1.0]), f64::INFINITY);
        let mut x = vec![3.0, 0.0];
        line.project(&[1.0, 1.0], &mut x);
        assert_eq!(x, vec![2.0, -1.0]);
    }
}
