//! {x₁ ≤ x₂ ≤ … ≤ xₙ}, free or between bounds.

use super::level::{Metric, all_finite, min_or_nan, nan_of, positive_part};
use super::{ConstraintSet, Polyhedron};
use crate::checks::check_not_empty;
use crate::linalg::max_or_nan;
use crate::{Error, Result, Scalar};

/// Monotone sequences {x ∈ Rⁿ : lower ≤ x₁ ≤ x₂ ≤ … ≤ xₙ ≤ upper}, each bound optional: isotonic regression.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j c_j\, |x - P(x - g / c^2)|_j, \quad P \text{ the weighted isotonic regression, then clipped to the bounds} \\
/// \text{multipliers} &\quad \mu_k = \nu + \sum_{j \ge k} g_j \quad \text{of } x_{k-1} \le x_k \text{ for } k > 1, \text{ of } \mathit{lower} \le x_1 \text{ for } k = 1 \\
/// \text{gap} &\quad \sum_k \delta_k (G_k - m) - m\,(\mathit{upper} - x_n), \quad G_k = \sum_{j \ge k} g_j, \quad m = \min(0, \min G), \quad \text{with both bounds}
/// \end{aligned}
/// ```
///
/// δ are the differences of x from `lower` on, ν ≥ 0 is the multiplier of xₙ ≤ upper (0 without that bound), taken from
/// the projection of x − g. Without a lower bound μ₁ = 0 at a solution. P is computed by pooling adjacent violators
/// (Ayer, Brunk, Ewing, Reid & Silverman, Ann. Math. Stat. 1955), O(n). A scale of 0 counts as the largest scale.
///
/// ```
/// use reparam::sets::{ConstraintSet, MonotoneCone};
/// let set = MonotoneCone::new(4).unwrap();
/// let mut x = [1.0, 3.0, 2.0, 4.0];
/// set.project(&mut x);
/// assert_eq!(x, [1.0, 2.5, 2.5, 4.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonotoneCone<T> {
    dim: usize,
    lower: Option<T>,
    upper: Option<T>,
}

impl<T: Scalar> MonotoneCone<T> {
    /// x₁ ≤ … ≤ xₙ.
    ///
    /// # Errors
    /// [`Error::Empty`] for n = 0.
    ///
    /// ```
    /// assert!(reparam::sets::MonotoneCone::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        Self::with_bounds(dim, None, None)
    }

    /// The same with lower ≤ x₁ and xₙ ≤ upper, where given.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::CrossedBounds`] when lower > upper or a bound is not finite.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, MonotoneCone};
    /// let set = MonotoneCone::with_bounds(2, Some(0.0), Some(1.0)).unwrap();
    /// assert_eq!(set.violation(&[0.5, 1.5]), 0.5);
    /// ```
    pub fn with_bounds(dim: usize, lower: Option<T>, upper: Option<T>) -> Result<Self> {
        check_not_empty("the sequence", dim)?;
        let (lo, hi) = (
            lower.unwrap_or_else(T::neg_infinity),
            upper.unwrap_or_else(T::infinity),
        );
        if lower.is_some_and(|v| !v.is_finite()) || upper.is_some_and(|v| !v.is_finite()) || lo > hi {
            return Err(Error::CrossedBounds {
                index: 0,
                lower: lo.as_f64(),
                upper: hi.as_f64(),
            });
        }
        Ok(Self { dim, lower, upper })
    }

    /// The lower bound, if any.
    ///
    /// ```
    /// assert_eq!(reparam::sets::MonotoneCone::<f64>::new(2).unwrap().lower(), None);
    /// ```
    pub fn lower(&self) -> Option<T> {
        self.lower
    }

    /// The upper bound, if any.
    ///
    /// ```
    /// assert_eq!(reparam::sets::MonotoneCone::<f64>::new(2).unwrap().upper(), None);
    /// ```
    pub fn upper(&self) -> Option<T> {
        self.upper
    }

    fn clip(&self, v: T) -> T {
        let v = self.lower.map_or(v, |lo| if v < lo { lo } else { v });
        self.upper.map_or(v, |hi| if v > hi { hi } else { v })
    }
}

/// z ← its isotonic regression with weights w (1 without).
fn pool_adjacent_violators<T: Scalar>(z: &mut [T], w: Option<&[T]>) {
    if z.iter().any(|v| v.is_nan()) {
        z.fill(T::nan());
        return;
    }
    let (mut pools, mut counts) = (vec![T::zero(); 2 * z.len()], vec![0_usize; z.len()]);
    pool(z, w, &mut pools, &mut counts);
}

/// The work of [`pool_adjacent_violators`] in memory of the caller, of lengths 2n and n. A count is any number that is exact
/// up to n.
fn pool<T: Scalar, N: Copy + num_traits::Num + num_traits::ToPrimitive>(
    z: &mut [T],
    w: Option<&[T]>,
    pools: &mut [T],
    counts: &mut [N],
) {
    let (means, weights) = pools.split_at_mut(z.len());
    let mut len = 0;
    for (i, v) in z.iter().enumerate() {
        let (mut mean, mut weight, mut count) = (*v, w.map_or(T::one(), |w| w[i]), N::one());
        while len > 0 {
            if means[len - 1] <= mean {
                break;
            }
            len -= 1;
            let total = weights[len] + weight;
            mean = means[len] + (mean - means[len]) * (weight / total);
            (weight, count) = (total, counts[len] + count);
        }
        (means[len], weights[len], counts[len]) = (mean, weight, count);
        len += 1;
    }
    let mut start = 0;
    for (mean, count) in means[..len].iter().zip(&*counts) {
        let end = start + count.to_usize().unwrap_or(0);
        z[start..end].fill(*mean);
        start = end;
    }
}

impl<T: Scalar> ConstraintSet<T> for MonotoneCone<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        let decrease = max_or_nan(x.windows(2).map(|p| positive_part(p[0] - p[1])));
        let below = self.lower.map_or(T::zero(), |lo| positive_part(lo - x[0]));
        let above = self
            .upper
            .map_or(T::zero(), |hi| positive_part(x[x.len() - 1] - hi));
        max_or_nan([decrease, below, above, nan_of(x)])
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let Some(metric) = Metric::new(x.len(), scale) else {
            return T::nan();
        };
        if !all_finite(x) || !all_finite(g) {
            return T::nan();
        }
        // in scaled units, as everywhere: (size·x, g/size, c)
        let w: Vec<T> = metric.c.iter().map(|c| *c * *c).collect();
        let mut y: Vec<T> = (0..x.len())
            .map(|i| x[i] * metric.size - g[i] / metric.size / w[i])
            .collect();
        pool_adjacent_violators(&mut y, Some(&w));
        let bound = |b: Option<T>| b.map(|v| v * metric.size);
        let scaled = Self {
            dim: self.dim,
            lower: bound(self.lower),
            upper: bound(self.upper),
        };
        max_or_nan((0..x.len()).map(|i| metric.c[i] * (x[i] * metric.size - scaled.clip(y[i])).abs()))
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        let mut nu = T::zero();
        if let Some(hi) = self.upper {
            let z: Vec<T> = x.iter().zip(g).map(|(x, g)| *x - *g).collect();
            let mut pooled = z.clone();
            pool_adjacent_violators(&mut pooled, None);
            for (z, p) in z.iter().zip(&pooled) {
                if p.is_nan() || *p > hi {
                    nu += *z - hi;
                }
            }
        }
        let mut sum = nu;
        for (o, g) in out.iter_mut().zip(g).rev() {
            sum += *g;
            *o = sum;
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        pool_adjacent_violators(x, None);
        for v in x.iter_mut() {
            *v = self.clip(*v);
        }
        true
    }
    fn scratch_len(&self) -> usize {
        self.dim.saturating_mul(3)
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        // more coordinates than the number type counts exactly: 8 million for f32
        if T::count(x.len()) * T::epsilon() >= T::one() {
            return self.project(x);
        }
        if x.iter().any(|v| v.is_nan()) {
            x.fill(T::nan());
        } else {
            let (pools, counts) = work.split_at_mut(2 * x.len());
            pool(x, None, pools, counts);
            for v in x.iter_mut() {
                *v = self.clip(*v);
            }
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let (Some(lo), Some(hi)) = (self.lower, self.upper) else {
            return false;
        };
        // the extreme points jump once from lower to upper: where the sum of the rest of g is smallest
        let (mut sum, mut best, mut jump) = (T::zero(), T::zero(), g.len());
        for (k, v) in g.iter().enumerate().rev() {
            sum += *v;
            if sum < best {
                best = sum;
                jump = k;
            }
        }
        if sum.is_nan() {
            return false;
        }
        s[..jump].fill(lo);
        s[jump..].fill(hi);
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let (lo, hi) = (self.lower?, self.upper?);
        let mut sums = g.to_vec();
        let mut sum = T::zero();
        for v in sums.iter_mut().rev() {
            sum += *v;
            *v = sum;
        }
        let low = min_or_nan(T::zero(), &sums);
        let mut previous = lo;
        let mut gap = -low * positive_part(hi - x[x.len() - 1]);
        for (x, s) in x.iter().zip(&sums) {
            gap += (*x - previous) * (*s - low);
            previous = *x;
        }
        Some(positive_part(gap))
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Monotone {
            dim: self.dim,
            lower: self.lower.unwrap_or_else(T::neg_infinity),
            upper: self.upper.unwrap_or_else(T::infinity),
        })
    }
}
