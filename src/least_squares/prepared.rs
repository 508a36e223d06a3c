//! What a solve works on: the set as posed, checked; what depends on A and the set alone; and the same in scaled units.

use super::problem::Problem;
use super::region::{BoundsAndSum, Sum, add};
use crate::linalg::{exponent, norm2, safe_exponent};
use crate::sets::{check_bounds, clip};
use crate::{Error, LinalgScalar, Result, Scalar};

/// The set as the caller posed it, checked.
#[derive(Debug, Clone)]
pub(super) struct Posed<'s, T> {
    pub(super) lo: &'s [T],
    pub(super) hi: &'s [T],
    /// r, and which coordinates add up to it.
    pub(super) sum: Option<(T, Vec<bool>)>,
    /// The n for which columns j and j + n are opposite.
    pub(super) pairs: Option<usize>,
}

/// What depends on A and the set, but not on b.
pub(super) struct Prepared<'p, 'a, T: LinalgScalar> {
    pub(super) problem: Problem<'a, T>,
    pub(super) posed: Posed<'p, T>,
    /// s_j with x_j = s_j x̂_j. A column of zeros has that of the largest column, or its weight in the sum would be another
    /// one when all others are scaled.
    factors: Vec<T>,
    /// ‖a_j‖ in scaled units; of a column of zeros that takes part in the sum, the largest.
    pub(super) norms: Vec<T>,
    /// Weights of the sum in scaled units, and the power of two that they are divided by.
    weights: Option<(Vec<T>, T)>,
    /// The factor of the row appended for the sum.
    pub(super) alpha: T,
}

/// See [`Prepared::shared`].
#[derive(Clone)]
pub(super) struct Shared<'p, T> {
    posed: Posed<'p, T>,
    factors: Vec<T>,
    norms: Vec<T>,
    weights: Option<(Vec<T>, T)>,
    alpha: T,
}

impl<T: LinalgScalar> Posed<'_, T> {
    /// lo ≤ hi everywhere, and a point between them that adds up to r.
    pub(super) fn check(&self) -> Result<()> {
        for (j, (lo, hi)) in self.lo.iter().zip(self.hi).enumerate() {
            check_bounds(j, *lo, *hi)?;
        }
        let Some((r, part)) = &self.sum else {
            return Ok(());
        };
        if !r.is_finite() {
            return Err(Error::Setting {
                name: "sum",
                why: "must be finite",
            });
        }
        let total = |v: &[T]| {
            let chosen = || v.iter().zip(part).filter(|(_, p)| **p).map(|(v, _)| *v);
            (sum_of(chosen()), r.abs() + chosen().map(|v| v.abs()).sum::<T>())
        };
        // bounds that add up to r in the reals need not do so in floating point
        let rounding = T::lit(8.0) * T::epsilon();
        let (least, size) = total(self.lo);
        if least.is_finite() && least - *r > rounding * size {
            return Err(Error::Infeasible {
                what: "the lower bounds add up to more than the sum",
            });
        }
        let (most, size) = total(self.hi);
        if most.is_finite() && *r - most > rounding * size {
            return Err(Error::Infeasible {
                what: "the upper bounds add up to less than the sum",
            });
        }
        Ok(())
    }
}

impl<T: LinalgScalar> Posed<'_, T> {
    /// Whether the set is {x ≥ 0}, which has methods of its own.
    pub(super) fn is_non_negative(&self) -> bool {
        let bounds = || self.lo.iter().zip(self.hi);
        self.sum.is_none() && bounds().all(|(lo, hi)| *lo == T::zero() && *hi == T::infinity())
    }

    /// A feasible point: that of the bounds nearest to zero, and coordinate after coordinate what is lacking in the sum.
    pub(super) fn feasible(&self) -> Vec<T> {
        let bounds = || self.lo.iter().zip(self.hi);
        let mut x: Vec<T> = bounds().map(|(lo, hi)| clip(T::zero(), *lo, *hi)).collect();
        if let Some((r, part)) = &self.sum {
            let chosen = |x: &[T]| sum_of(x.iter().zip(part).filter(|(_, p)| **p).map(|(v, _)| *v));
            let mut lacking = *r - chosen(&x);
            for (j, (lo, hi)) in bounds().enumerate().filter(|(j, _)| part[*j]) {
                if lacking == T::zero() {
                    break;
                }
                let before = x[j];
                x[j] = clip(before + lacking, *lo, *hi);
                lacking -= x[j] - before;
            }
            close_sum(&mut x, self.outer().as_ref(), self.lo, self.hi);
        }
        x
    }

    /// The sum in the units of x.
    pub(super) fn outer(&self) -> Option<Sum<T>> {
        self.sum.as_ref().map(|(r, part)| Sum {
            w: part
                .iter()
                .map(|p| if *p { T::one() } else { T::zero() })
                .collect(),
            r: *r,
        })
    }

    /// How far Σ x is from r, at a point between the bounds.
    pub(super) fn violation(&self, x: &[T]) -> T {
        self.outer().map_or(T::zero(), |sum| sum.gap(x).0.abs())
    }
}

impl<'p, 'a, T: LinalgScalar> Prepared<'p, 'a, T> {
    pub(super) fn new(problem: Problem<'a, T>, posed: Posed<'p, T>) -> Self {
        let n = problem.columns();
        let mut norms = problem.norms().to_vec();
        let mut factors: Vec<T> = (0..n).map(|j| problem.factor(j)).collect();
        let largest = (0..n).fold(0, |k, j| {
            if norms[j] / factors[j] > norms[k] / factors[k] {
                j
            } else {
                k
            }
        });
        for j in 0..n {
            if norms[j] == T::zero() {
                factors[j] = factors[largest];
            }
        }
        let weights = posed.sum.as_ref().map(|(_, part)| {
            let mut w: Vec<T> = (0..n)
                .map(|j| if part[j] { factors[j] } else { T::zero() })
                .collect();
            let unit = w.iter().fold(T::zero(), |m, v| m.max(*v));
            w.iter_mut().for_each(|v| *v /= unit);
            (w, unit)
        });
        let mut alpha = T::zero();
        if let Some((w, _)) = &weights {
            // of the size of the largest column: smaller, and faces that are independent only by their sum would look
            // dependent
            let part = || (0..n).filter(|j| w[*j] > T::zero());
            alpha = part().map(|j| norms[j] / w[j]).fold(T::zero(), T::max);
            if alpha == T::zero() {
                let largest = norms.iter().fold(T::zero(), |m, c| m.max(*c));
                alpha = if largest > T::zero() { largest } else { T::one() };
            }
            for j in part() {
                if norms[j] == T::zero() {
                    norms[j] = alpha * w[j];
                }
            }
        }
        Self {
            alpha,
            factors,
            problem,
            posed,
            norms,
            weights,
        }
    }

    /// The same once more around `problem`, for another thread.
    pub(super) fn around<'b>(shared: &Shared<'p, T>, problem: Problem<'b, T>) -> Prepared<'p, 'b, T> {
        let Shared {
            posed,
            factors,
            norms,
            weights,
            alpha,
        } = shared.clone();
        Prepared {
            problem,
            posed,
            factors,
            norms,
            weights,
            alpha,
        }
    }

    /// What threads need beside the problem.
    pub(super) fn shared(&self) -> Shared<'p, T> {
        Shared {
            posed: self.posed.clone(),
            factors: self.factors.clone(),
            norms: self.norms.clone(),
            weights: self.weights.clone(),
            alpha: self.alpha,
        }
    }

    /// s_j with x_j = s_j x̂_j.
    pub(super) fn factor(&self, j: usize) -> T {
        self.factors[j]
    }

    /// The set in units in which x = factor · unit · x̂.
    pub(super) fn region(&self, unit: T) -> BoundsAndSum<T> {
        let scale = |v: &[T]| -> Vec<T> {
            v.iter()
                .enumerate()
                .map(|(j, v)| *v / self.factors[j] / unit)
                .collect()
        };
        BoundsAndSum {
            lo: scale(self.posed.lo),
            hi: scale(self.posed.hi),
            sum: self.weights.as_ref().map(|(w, divisor)| Sum {
                w: w.clone(),
                r: self.posed.sum.as_ref().map_or(T::zero(), |(r, _)| *r) / *divisor / unit,
            }),
        }
    }

    /// The exponent of the largest thing that the problem is about, when that is extreme; 0 otherwise.
    pub(super) fn shift(&self, b: &[T]) -> i32 {
        let mut size = norm2(b);
        for j in 0..self.norms.len() {
            let (lo, hi) = (self.posed.lo[j], self.posed.hi[j]);
            let nearest = clip(T::zero(), lo, hi).abs() / self.factors[j];
            size = size.max(self.norms[j] * nearest);
        }
        if let (Some((r, _)), Some((w, divisor))) = (&self.posed.sum, &self.weights) {
            // some coordinate carries its share of r
            let least = (0..w.len())
                .filter(|j| w[*j] > T::zero())
                .map(|j| self.norms[j] / w[j])
                .fold(T::infinity(), T::min);
            if least.is_finite() {
                size = size.max(r.abs() / *divisor * least);
            }
        }
        let e = exponent(size);
        if e.unsigned_abs() > safe_exponent::<T>() / 8 {
            e
        } else {
            0
        }
    }
}

/// Σ v, with the rounding of one addition.
pub(super) fn sum_of<T: LinalgScalar>(values: impl Iterator<Item = T>) -> T {
    let (mut total, mut lost) = (T::zero(), T::zero());
    for v in values {
        add(&mut total, &mut lost, v);
    }
    total + lost
}

/// Makes Σ w x = r up to the rounding of x: by the largest coordinates between their bounds, and only where that is not
/// enough by others.
pub(super) fn close_sum<T: Scalar>(x: &mut [T], sum: Option<&Sum<T>>, lo: &[T], hi: &[T]) {
    let Some(sum) = sum else { return };
    // a first change may be so large that the rounding of it leaves a gap
    for _ in 0..2 {
        let (gap, _) = sum.gap(x);
        if gap == T::zero() || gap.is_nan() {
            return;
        }
        close_gap(x, sum, lo, hi);
    }
}

fn close_gap<T: Scalar>(x: &mut [T], sum: &Sum<T>, lo: &[T], hi: &[T]) {
    let (inside, at_bounds): (Vec<usize>, Vec<usize>) = (0..x.len())
        .filter(|j| sum.w[*j] > T::zero() && lo[*j] < hi[*j])
        .partition(|j| lo[*j] < x[*j] && x[*j] < hi[*j]);
    let size_of_term = |j: usize, v: T| sum.w[j] * v.abs();
    let room = |j: usize, v: T| sum.w[j] * (v - lo[j]).max(hi[j] - v);
    // Small coordinates know their values better than the rounding of the large ones, and what has arrived at a bound stays there unless
    // more than rounding is lacking.
    let mut moved = false;
    for (mut part, key, tolerable) in [
        (inside, &size_of_term as &dyn Fn(usize, T) -> T, T::one()),
        (at_bounds, &room, T::lit(4.0)),
    ] {
        let is_closed = |x: &[T]| {
            let (gap, size) = sum.gap(x);
            gap.abs() <= tolerable * T::epsilon() * size
        };
        if (moved || tolerable > T::one()) && is_closed(x) {
            return;
        }
        part.sort_by(|i, j| {
            let order = key(*j, x[*j]).partial_cmp(&key(*i, x[*i]));
            order.unwrap_or(std::cmp::Ordering::Equal).then(i.cmp(j))
        });
        for j in part {
            if moved && is_closed(x) {
                return;
            }
            x[j] = clip(x[j] + sum.gap(x).0 / sum.w[j], lo[j], hi[j]);
            moved = true;
        }
    }
}
