//! Monotone sequences: cumulative sums of squares.

use super::normalized_squares::{admit, sum_tolerance};
use super::{Boundary, Landscape, Ray, Reparametrization, weights};
use crate::checks::{check_not_empty, check_positive};
use crate::sets::{ConstraintSet, MonotoneCone};
use crate::{MapError, Result, Scalar};

/// Monotone sequences $`x_1 \le \dots \le x_n`$ as cumulative sums.
///
/// ```math
/// \begin{aligned}
/// &\text{free} & x_i &= u_1 + \sum_{2 \le k \le i} u_k^2 & u &\in \mathbb{R}^n \\
/// &\text{lower} & x_i &= lo + \sum_{1 \le k \le i} u_k^2 & u &\in \mathbb{R}^n \\
/// &\text{bounded} & x_i &= lo + (hi - lo) \sum_{k \le i} \frac{u_k^2}{\lVert u\rVert^2} & u &\in \mathbb{R}^{n+1} \\
/// & & J J^\top g &= C\,(4\delta \circ C^\top g), & (C y)_i &= \sum_{k \le i} y_k, \quad \delta_i = x_i - x_{i-1}, \ x_0 = lo
/// \end{aligned}
/// ```
///
/// Jᵀ w: reverse cumulative sums $`G_k = \sum_{i \ge k} w_i`$, then the adjoint of squares (of normalised squares when
/// bounded). In J Jᵀ the first $`4\delta_1`$ is 1 when free; when bounded the mean of $`C^\top g`$ is taken off, at $`\lVert u\rVert^2 = hi - lo`$.
///
/// Linear images of the orthant and of the solid simplex, which keeps their landscape (Levin, Kileel & Boumal, Math.
/// Program. 2025). For isotonic regression and cumulative distribution functions. Pools of equal values are
/// coordinates u_k = 0.
///
/// ```
/// use reparam::maps::{Boundary, Monotone, Reparametrization};
/// let map = Monotone::new(3).unwrap();
/// let (mut u, mut x) = ([0.0; 3], [0.0; 3]);
/// map.section(&[-1.0, -1.0, 3.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert_eq!(u, [-1.0, 0.0, 2.0]);
/// map.apply(&u, &mut x, &mut []);
/// assert_eq!(x, [-1.0, -1.0, 3.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monotone<T> {
    set: MonotoneCone<T>,
    kind: Kind<T>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<T> {
    /// The first coordinate is u₁ itself.
    Free,
    Lower(T),
    Bounded {
        lower: T,
        radius: T,
    },
}

impl<T: Scalar> Monotone<T> {
    /// x₁ ≤ … ≤ xₙ, x₁ free.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0.
    ///
    /// ```
    /// assert!(reparam::maps::Monotone::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self {
            set: MonotoneCone::new(dim)?,
            kind: Kind::Free,
        })
    }

    /// lower ≤ x₁ ≤ … ≤ xₙ.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::CrossedBounds`](crate::Error::CrossedBounds) unless the bound is
    /// finite.
    ///
    /// ```
    /// use reparam::maps::{Monotone, Reparametrization};
    /// let mut x = [0.0; 2];
    /// Monotone::with_lower(2, 1.0).unwrap().apply(&[0.0, 3.0], &mut x, &mut [0.0; 2]);
    /// assert_eq!(x, [1.0, 10.0]);
    /// ```
    pub fn with_lower(dim: usize, lower: T) -> Result<Self> {
        Ok(Self {
            set: MonotoneCone::with_bounds(dim, Some(lower), None)?,
            kind: Kind::Lower(lower),
        })
    }

    /// lower ≤ x₁ ≤ … ≤ xₙ ≤ upper, with n + 1 parameters.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::CrossedBounds`](crate::Error::CrossedBounds),
    /// [`Error::Setting`](crate::Error::Setting) unless upper − lower is positive and finite.
    ///
    /// ```
    /// use reparam::maps::{Monotone, Reparametrization};
    /// let mut x = [0.0; 2];
    /// let map = Monotone::bounded(2, 0.0, 1.0).unwrap();
    /// map.apply(&[1.0, 0.0, 1.0], &mut x, &mut [0.0; 2]);
    /// assert_eq!(x, [0.5, 0.5]);
    /// ```
    pub fn bounded(dim: usize, lower: T, upper: T) -> Result<Self> {
        check_not_empty("the sequence", dim)?;
        let set = MonotoneCone::with_bounds(dim, Some(lower), Some(upper))?;
        check_positive("upper − lower", upper - lower)?;
        Ok(Self {
            set,
            kind: Kind::Bounded {
                lower,
                radius: upper - lower,
            },
        })
    }

    /// x₀ − (what comes before): the first difference; 0-based k.
    fn difference(&self, x: &[T], k: usize) -> T {
        match self.kind {
            _ if k > 0 => x[k] - x[k - 1],
            Kind::Free => x[0],
            Kind::Lower(lower) | Kind::Bounded { lower, .. } => x[0] - lower,
        }
    }

    /// Whether coordinate k of u enters as a square.
    fn squared(&self, k: usize) -> bool {
        k > 0 || self.kind != Kind::Free
    }
}

fn cumulate<T: Scalar>(x: &mut [T]) {
    let mut sum = T::zero();
    for v in x.iter_mut() {
        sum += *v;
        *v = sum;
    }
}

fn reverse_cumulate<T: Scalar>(w: &[T], out: &mut [T]) {
    let mut sum = T::zero();
    for (o, w) in out.iter_mut().zip(w).rev() {
        sum += *w;
        *o = sum;
    }
}

/// w with 0 on the slack.
fn padded<T: Scalar>(w: &[T]) -> impl Fn(usize) -> T + '_ {
    |k| w.get(k).copied().unwrap_or_else(T::zero)
}

/// Finite in place of ±∞: nothing then becomes ∞ − ∞.
pub(super) fn finite<T: Scalar>(v: T) -> T {
    if v.is_nan() {
        v
    } else {
        v.max(-T::max_value()).min(T::max_value())
    }
}

impl<T: Scalar> Reparametrization<T> for Monotone<T> {
    fn dim_u(&self) -> usize {
        let slack = usize::from(matches!(self.kind, Kind::Bounded { .. }));
        self.set.dim().saturating_add(slack)
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn scratch_len(&self) -> usize {
        self.set.dim()
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        match self.kind {
            Kind::Free | Kind::Lower(_) => {
                let (start, first) = match self.kind {
                    Kind::Lower(lower) => (lower, 0),
                    _ => (finite(u[0]), 1),
                };
                let mut sum = T::zero();
                for k in 0..u.len() {
                    if k >= first {
                        sum += u[k] * u[k];
                    }
                    x[k] = start + sum;
                }
            }
            Kind::Bounded { lower, radius } => {
                let mut sum = T::zero();
                let upper = lower + radius;
                weights::weights(u, |k, p| {
                    if let Some(x) = x.get_mut(k) {
                        sum += p;
                        let v = lower + radius * sum;
                        *x = if v > upper { upper } else { v };
                    }
                });
            }
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        match self.kind {
            Kind::Bounded { radius, .. } => weights::jvp(u, v, |k, d| {
                if let Some(o) = jv.get_mut(k) {
                    *o = radius * d;
                }
            }),
            _ => {
                for (k, o) in jv.iter_mut().enumerate() {
                    *o = if self.squared(k) {
                        (u[k] + u[k]) * v[k]
                    } else {
                        v[k]
                    };
                }
            }
        }
        cumulate(jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Bounded { radius, .. } => {
                let sums = &mut work[..w.len()];
                reverse_cumulate(w, sums);
                weights::vjp(u, padded(sums), radius, jtw);
            }
            _ => {
                reverse_cumulate(w, jtw);
                for (k, o) in jtw.iter_mut().enumerate() {
                    if self.squared(k) {
                        *o *= u[k] + u[k];
                    }
                }
            }
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Bounded { radius, .. } => {
                let sums = &mut work[..w.len()];
                reverse_cumulate(w, sums);
                weights::curvature(u, padded(sums), v, radius, out);
            }
            _ => {
                reverse_cumulate(w, out);
                for (k, o) in out.iter_mut().enumerate() {
                    *o = if self.squared(k) {
                        (*o + *o) * v[k]
                    } else {
                        T::zero()
                    };
                }
            }
        }
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        work: &mut [T],
    ) -> bool {
        let Kind::Bounded { radius, .. } = self.kind else {
            reverse_cumulate(h, gauss_newton);
            reverse_cumulate(w, curved);
            for k in 0..u.len() {
                if self.squared(k) {
                    let d = u[k] + u[k];
                    gauss_newton[k] *= d * d;
                    curved[k] += curved[k];
                } else {
                    curved[k] = T::zero();
                }
            }
            return true;
        };
        let sums = &mut work[..w.len()];
        reverse_cumulate(w, sums);
        weights::curvature_diagonal(u, padded(sums), radius, curved);
        let Some(unit) = weights::Unit::of(u) else {
            gauss_newton.fill(T::zero());
            return true;
        };
        // column k of J is (2 r û_k/‖û‖²)(1_{i≥k} − X_i), X_i = Σ_{j≤i} p_j: a prefix and a suffix sum
        let n = h.len();
        let (mut before, mut x) = (T::zero(), T::zero());
        for k in 0..=n {
            gauss_newton[k] = before;
            if k < n {
                x += unit.weight(u[k]);
                before += h[k] * x * x;
            }
        }
        let (mut after, mut beyond) = (T::zero(), unit.weight(u[n]));
        for k in (0..n).rev() {
            after += h[k] * beyond * beyond;
            gauss_newton[k] += after;
            beyond += unit.weight(u[k]);
        }
        let f = T::lit(4.0) / unit.square;
        for (k, o) in gauss_newton.iter_mut().enumerate() {
            *o = unit.twice_times(radius, *o * (f * unit.weight(u[k])));
        }
        true
    }
    /// Boundary means two equal neighbours, or a bound attained (`OnBoundary { index: n }`: the upper one).
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let n = x.len();
        for k in 0..n {
            let d = self.difference(x, k);
            if !d.is_finite() && x[k].is_finite() {
                return Err(MapError::NotProvided(
                    "a section at points whose differences overflow",
                ));
            }
            if !d.is_finite() {
                return Err(MapError::Outside {
                    index: k,
                    value: x[k].as_f64(),
                });
            }
            if !self.squared(k) {
                u[k] = d;
                continue;
            }
            let tolerance = T::lit(8.0) * T::epsilon() * x[k].abs();
            let d = if d < T::zero() && d >= -tolerance {
                T::zero()
            } else {
                d
            };
            let size = match self.kind {
                Kind::Bounded { radius, .. } => radius,
                _ => x[k].abs().max(T::one()),
            };
            u[k] = match admit(k, d, size, boundary) {
                Err(MapError::Outside { .. }) => {
                    return Err(MapError::Outside {
                        index: k,
                        value: x[k].as_f64(),
                    });
                }
                other => other?.sqrt(),
            };
        }
        if let Kind::Bounded { lower, radius } = self.kind {
            let slack = (lower + radius) - x[n - 1];
            if slack < -sum_tolerance(radius) {
                return Err(MapError::Outside {
                    index: n - 1,
                    value: x[n - 1].as_f64(),
                });
            }
            u[n] = admit(n, slack.max(T::zero()), radius, boundary)?.sqrt();
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        reverse_cumulate(g, out);
        let mean = match self.kind {
            Kind::Bounded { radius, .. } => {
                (0..x.len()).map(|k| self.difference(x, k) * out[k]).sum::<T>() / radius
            }
            _ => T::zero(),
        };
        for k in 0..x.len() {
            if self.squared(k) {
                out[k] = T::lit(4.0) * self.difference(x, k) * (out[k] - mean);
            }
        }
        cumulate(out);
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let n = lin.len();
        if let Kind::Bounded { lower, radius } = self.kind {
            let Some(omega) = weights::ray(u, d, |k, a, b| {
                if k < n {
                    lin[k] = radius * a;
                    quad[k] = radius * b;
                }
            }) else {
                return Ray::General;
            };
            cumulate(lin);
            cumulate(quad);
            for k in 0..n {
                lin[k] += omega[1] * lower;
                quad[k] += omega[2] * lower;
            }
            return Ray::Rational(omega);
        }
        for k in 0..n {
            (lin[k], quad[k]) = if self.squared(k) {
                ((u[k] + u[k]) * d[k], d[k] * d[k])
            } else {
                (d[k], T::zero())
            };
        }
        cumulate(lin);
        cumulate(quad);
        Ray::Quadratic
    }
    /// u_k = 0 with μ_k = Σ_{i≥k} g_i (less its mean when bounded) negative.
    fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        du.fill(T::zero());
        let n = g.len();
        let (mean, radius, unit) = match self.kind {
            Kind::Bounded { lower, radius } => {
                let along: T = x.iter().zip(g).map(|(x, g)| (*x - lower) * *g).sum();
                match weights::Unit::of(u) {
                    Some(unit) => (along / radius, radius, Some((unit, lower))),
                    None => return 0,
                }
            }
            _ => (T::zero(), T::one(), None),
        };
        let root = |i: usize| h[i].max(T::zero()).sqrt();
        let spread: T = match unit {
            Some((_, lower)) => (0..n).map(|i| (x[i] - lower) / radius * root(i)).sum(),
            None => T::zero(),
        };
        let (mut sum, mut size, mut bend, mut count) = (T::zero(), mean.abs(), T::zero(), 0);
        if unit.is_some() && u[n] == T::zero() && mean > T::lit(16.0) * T::epsilon() * size * T::count(n) {
            // the slack has multiplier 0 − mean
            du[n] = mean / spread / (radius * spread);
            count += 1;
        }
        for k in (0..n).rev() {
            sum += g[k];
            size += g[k].abs();
            bend += root(k);
            let q = sum - mean;
            let wrong = q < -T::lit(16.0) * T::epsilon() * size;
            let bend = bend + spread;
            if self.squared(k) && u[k] == T::zero() && wrong && bend > T::zero() {
                du[k] = -q / bend / (radius * bend);
                count += 1;
            }
        }
        if count == 0 {
            return 0;
        }
        let share = T::one() / T::count(count);
        match unit {
            None => {
                for d in du.iter_mut() {
                    *d = (*d * share).sqrt();
                }
            }
            Some((unit, _)) => {
                let half = T::lit(0.5);
                let mut moved = T::zero();
                for d in du.iter_mut() {
                    *d = if *d < half { *d } else { half } * share;
                    moved += *d;
                }
                let f = unit.square / (T::one() - moved);
                for d in du.iter_mut() {
                    *d = (*d * f).sqrt() / unit.s;
                }
            }
        }
        count
    }
    fn renormalize(&self, u: &mut [T]) {
        if let Kind::Bounded { radius, .. } = self.kind {
            weights::renormalize(u, radius);
        }
    }
}
