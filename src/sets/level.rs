//! Shared by the sets with one sum constraint Σ xᵢ = r (or ≤ r): its multiplier t in a diagonal metric.
//!
//! The projection of z = x − g/c² onto {0 ≤ y ≤ upper, Σy = r} in the metric diag(c²) is
//! yᵢ = clamp(xᵢ − (gᵢ + t)/cᵢ²), and t is the root of a decreasing piecewise linear function. Residuals are then
//! formed from gᵢ + t, never from x − (x − …): nothing cancels at a solution.

use crate::Scalar;
use crate::linalg::{exponent, max_abs, max_or_nan, pow2, safe_exponent};

/// The scale c of the coordinates as size·c with max c in [1, 2): the problem in size·x and g/size has scale c.
#[derive(Debug)]
pub(super) struct Metric<T> {
    pub(super) c: Vec<T>,
    pub(super) size: T,
}

impl<T: Scalar> Metric<T> {
    /// None when the scale holds something that is not a scale (negative, infinite, NaN).
    ///
    /// A coupled set cannot leave a coordinate out: with scale 0 it could move at no cost and would absorb the
    /// budget. Zeros get the largest scale instead; any positive metric has the same zeros of the residual.
    pub(super) fn new(dim: usize, scale: Option<&[T]>) -> Option<Self> {
        let Some(scale) = scale else {
            return Some(Self {
                c: vec![T::one(); dim],
                size: T::one(),
            });
        };
        if scale.iter().any(|c| !c.is_finite() || *c < T::zero()) {
            return None;
        }
        let largest = max_abs(scale);
        let largest = if largest == T::zero() { T::one() } else { largest };
        let (size, shrink) = (pow2::<T>(exponent(largest)), pow2::<T>(-exponent(largest)));
        // c² must not underflow
        let floor = pow2::<T>(-i32::try_from(safe_exponent::<T>() / 3).unwrap_or(40));
        let c = scale.iter().map(|c| {
            if *c == T::zero() {
                largest * shrink
            } else {
                (*c * shrink).max(floor)
            }
        });
        Some(Self { c: c.collect(), size })
    }
}

/// One number for the whole metric, for sets whose projection is cheap in the Euclidean norm only: the largest
/// scale (1 without one). NaN when the scale is not one.
pub(super) fn scalar_scale<T: Scalar>(scale: Option<&[T]>) -> T {
    match scale {
        None => T::one(),
        Some(s) if s.iter().any(|c| !c.is_finite() || *c < T::zero()) => T::nan(),
        Some(s) => {
            let c = max_abs(s);
            if c == T::zero() { T::one() } else { c }
        }
    }
}

/// The data of one projection.
#[derive(Debug)]
pub(super) struct Budget<'a, T> {
    pub(super) x: &'a [T],
    pub(super) g: &'a [T],
    pub(super) c: &'a [T],
    /// Upper bounds, +∞ without them.
    pub(super) upper: Option<&'a [T]>,
    pub(super) radius: T,
}

impl<T: Scalar> Budget<'_, T> {
    fn upper(&self, i: usize) -> T {
        self.upper.map_or(T::infinity(), |u| u[i])
    }

    /// yᵢ at level t.
    fn point(&self, i: usize, t: T) -> T {
        let w = self.c[i] * self.c[i];
        (self.x[i] - (self.g[i] + t) / w)
            .max(T::zero())
            .min(self.upper(i))
    }

    pub(super) fn sum(&self, t: T) -> T {
        (0..self.x.len()).map(|i| self.point(i, t)).sum()
    }

    /// xᵢ − yᵢ at level t, in units of c: the residual of one coordinate.
    pub(super) fn residual(&self, i: usize, t: T) -> T {
        let c = self.c[i];
        let inner = (c * self.x[i]).min((self.g[i] + t) / c);
        match self.upper {
            None => inner,
            Some(u) => inner.max(c * (self.x[i] - u[i])),
        }
    }

    /// Where coordinate i leaves zero (below) and where it reaches its upper bound.
    fn breaks(&self, i: usize) -> (T, T) {
        let w = self.c[i] * self.c[i];
        let enter = w * self.x[i] - self.g[i];
        (enter, self.upper.map_or(T::neg_infinity(), |u| enter - w * u[i]))
    }

    /// The slope −d(Σy)/dt just above t.
    fn slope_above(&self, t: T) -> T {
        let mut s = T::zero();
        for i in 0..self.x.len() {
            let (enter, full) = self.breaks(i);
            if full <= t && t < enter {
                s += T::one() / (self.c[i] * self.c[i]);
            }
        }
        s
    }

    /// The t with Σy = r. All data must be finite.
    pub(super) fn level(&self) -> T {
        self.level_in(&mut vec![T::zero(); 2 * self.x.len()])
    }

    /// [`level`](Self::level) with scratch of length 2n.
    fn level_in(&self, work: &mut [T]) -> T {
        let mut count = 0;
        for i in 0..self.x.len() {
            let (enter, full) = self.breaks(i);
            work[count] = enter;
            count += 1;
            if full.is_finite() {
                work[count] = full;
                count += 1;
            }
        }
        let breaks = &mut work[..count];
        breaks.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        // the sum is evaluated afresh at O(log n) breakpoints: no running sums, hence no drift
        let above = breaks.partition_point(|t| self.sum(*t) >= self.radius);
        let mut t = if above > 0 {
            breaks[above - 1]
        } else {
            breaks.first().copied().unwrap_or_else(T::zero)
        };
        let slope = if above > 0 {
            self.slope_above(t)
        } else if self.upper.is_none() {
            self.c.iter().map(|c| T::one() / (*c * *c)).sum()
        } else {
            T::zero()
        };
        if slope > T::zero() {
            t += (self.sum(t) - self.radius) / slope;
        }
        // Newton once or twice more: the first value was off by the rounding of large terms
        for _ in 0..2 {
            let (gap, slope) = (self.sum(t) - self.radius, self.slope_above(t));
            if gap == T::zero() || slope == T::zero() {
                break;
            }
            let next = t + gap / slope;
            if (self.sum(next) - self.radius).abs() >= gap.abs() {
                break;
            }
            t = next;
        }
        t
    }
}

/// The natural residual of {0 ≤ x ≤ upper, Σx = r}, or Σx ≤ r when `capped`.
pub(super) fn budget_residual<T: Scalar>(
    x: &[T],
    g: &[T],
    scale: Option<&[T]>,
    upper: Option<&[T]>,
    radius: T,
    capped: bool,
) -> T {
    let Some(metric) = Metric::new(x.len(), scale) else {
        return T::nan();
    };
    if !all_finite(x) || !all_finite(g) {
        return T::nan();
    }
    let s = metric.size;
    let sx: Vec<T> = x.iter().map(|v| *v * s).collect();
    let sg: Vec<T> = g.iter().map(|v| *v / s).collect();
    let su: Option<Vec<T>> = upper.map(|u| u.iter().map(|v| *v * s).collect());
    let budget = Budget {
        x: &sx,
        g: &sg,
        c: &metric.c,
        upper: su.as_deref(),
        radius: radius * s,
    };
    let t = if capped && budget.sum(T::zero()) <= budget.radius {
        T::zero()
    } else {
        budget.level()
    };
    // `min` and `max` drop NaN: what overflowed on the way must not turn into a zero
    if !t.is_finite() || !all_finite(&sx) || !all_finite(&sg) {
        return T::nan();
    }
    max_or_nan((0..x.len()).map(|i| budget.residual(i, t).abs()))
}

/// Replaces z by its Euclidean projection onto {0 ≤ y ≤ upper, Σy = r}.
pub(super) fn project_budget<T: Scalar>(z: &mut [T], upper: Option<&[T]>, radius: T) {
    let mut work = vec![T::zero(); budget_len(z.len())];
    project_budget_in(z, upper, radius, &mut work);
}

/// Scratch of [`project_budget_in`].
pub(super) fn budget_len(n: usize) -> usize {
    n.saturating_mul(5)
}

/// [`project_budget`] in memory of the caller, of length [`budget_len`].
pub(super) fn project_budget_in<T: Scalar>(z: &mut [T], upper: Option<&[T]>, radius: T, work: &mut [T]) {
    if z.iter().any(|v| v.is_nan()) {
        z.fill(T::nan());
        return;
    }
    // the projection ignores a common shift. The first, by the largest entry, prevents overflow; the second, by the
    // level, leaves the entries that count with the size of the set: what is far away does not blur the sum
    let top = z
        .iter()
        .fold(T::neg_infinity(), |m, v| m.max(*v))
        .min(T::max_value());
    let (x, rest) = work.split_at_mut(z.len());
    let (g, rest) = rest.split_at_mut(z.len());
    let (c, breaks) = rest.split_at_mut(z.len());
    for (x, v) in x.iter_mut().zip(&*z) {
        *x = (v.min(T::max_value()) - top).max(-T::max_value());
    }
    g.fill(T::zero());
    c.fill(T::one());
    let shift = Budget {
        x,
        g,
        c,
        upper,
        radius,
    }
    .level_in(breaks);
    for v in x.iter_mut() {
        *v = (*v - shift).max(-T::max_value());
    }
    let budget = Budget {
        x,
        g,
        c,
        upper,
        radius,
    };
    let t = budget.level_in(breaks);
    for (i, v) in z.iter_mut().enumerate() {
        *v = budget.point(i, t);
    }
}

pub(super) fn all_finite<T: Scalar>(v: &[T]) -> bool {
    v.iter().all(|x| x.is_finite())
}

/// The smallest entry (`start` or smaller); NaN if any is NaN.
pub(super) fn min_or_nan<T: Scalar>(start: T, values: &[T]) -> T {
    let mut m = start;
    for v in values {
        if v.is_nan() {
            return *v;
        }
        if *v < m {
            m = *v;
        }
    }
    m
}

/// A NaN of v, 0 when there is none.
pub(super) fn nan_of<T: Scalar>(v: &[T]) -> T {
    v.iter().find(|x| x.is_nan()).copied().unwrap_or_else(T::zero)
}

/// max(v, 0), but NaN stays NaN.
pub(super) fn positive_part<T: Scalar>(v: T) -> T {
    if v.is_nan() || v > T::zero() { v } else { T::zero() }
}

/// Index of the smallest entry; None when there is none or one is NaN.
pub(super) fn arg_min<T: Scalar>(g: &[T]) -> Option<usize> {
    let mut best = None;
    for (i, v) in g.iter().enumerate() {
        if v.is_nan() {
            return None;
        }
        if best.is_none_or(|b: usize| *v < g[b]) {
            best = Some(i);
        }
    }
    best
}
