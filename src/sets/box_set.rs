//! {lo ≤ x ≤ hi}.

use super::per_coordinate::PerCoordinate;
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_len, check_not_empty};
use crate::linalg::max_or_nan;
use crate::{Error, Result, Scalar};

/// The box {x ∈ Rⁿ : lo ≤ x ≤ hi}, entries ±∞ where there is no bound, lo_j = hi_j for a constant.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \bigl|\operatorname{clip}\bigl(-g_j / c_j,\ -c_j (x_j - lo_j),\ c_j (hi_j - x_j)\bigr)\bigr| = \max_j c_j\, |x - \operatorname{clip}(x - g / c^2)|_j \\
/// \text{multipliers} &\quad \mu = g \text{ where there is a bound, else } 0 \\
/// \text{gap} &\quad \sum_{g_j > 0} g_j (x_j - lo_j) + \sum_{g_j < 0} |g_j| (hi_j - x_j)
/// \end{aligned}
/// ```
///
/// At a solution $`\mu_j > 0`$ only where $`x_j = lo_j`$, $`\mu_j < 0`$ only where $`x_j = hi_j`$.
///
/// The residual is formed from the displacement, already in units of c: nothing squares c, so nothing overflows
/// that the residual itself does not.
///
/// ```
/// use reparam::sets::{BoxSet, ConstraintSet};
/// let set = BoxSet::new(vec![0.0, -1.0], vec![1.0, f64::INFINITY]).unwrap();
/// let mut x = [3.0, -4.0];
/// assert_eq!(set.violation(&x), 3.0);
/// set.project(&mut x);
/// assert_eq!(x, [1.0, -1.0]);
/// assert_eq!(set.natural_residual(&x, &[-5.0, 0.25], None), 0.0); // both held by their bounds
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BoxSet<T> {
    dim: usize,
    lower: PerCoordinate<T>,
    upper: PerCoordinate<T>,
}

/// lo ≤ hi with a number between them, or [`Error::CrossedBounds`].
pub(crate) fn check_bounds<T: Scalar>(index: usize, lower: T, upper: T) -> Result<()> {
    // NaN fails the comparison; [∞, ∞] and [−∞, −∞] hold no number
    if lower <= upper && lower < T::infinity() && upper > T::neg_infinity() {
        Ok(())
    } else {
        Err(Error::CrossedBounds {
            index,
            lower: lower.as_f64(),
            upper: upper.as_f64(),
        })
    }
}

impl<T: Scalar> BoxSet<T> {
    /// The box with these bounds.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Dimension`], [`Error::CrossedBounds`] (also for a NaN, lo = +∞ or hi = −∞).
    ///
    /// ```
    /// use reparam::{Error, sets::BoxSet};
    /// let crossed = BoxSet::new(vec![0.0, 2.0], vec![1.0, 1.0]);
    /// assert!(matches!(crossed, Err(Error::CrossedBounds { index: 1, .. })));
    /// ```
    pub fn new(lower: Vec<T>, upper: Vec<T>) -> Result<Self> {
        check_not_empty("the bounds", lower.len())?;
        check_len("the upper bounds", lower.len(), upper.len())?;
        for (j, (lo, hi)) in lower.iter().zip(&upper).enumerate() {
            check_bounds(j, *lo, *hi)?;
        }
        Ok(Self::trusted(
            lower.len(),
            PerCoordinate::from_vec(lower),
            PerCoordinate::from_vec(upper),
        ))
    }

    /// The box [lower, upper]ⁿ.
    ///
    /// # Errors
    /// [`Error::CrossedBounds`].
    ///
    /// ```
    /// use reparam::sets::{BoxSet, ConstraintSet};
    /// let unit = BoxSet::uniform(3, 0.0, 1.0).unwrap();
    /// assert_eq!(unit.frank_wolfe_gap(&[0.5, 0.0, 1.0], &[2.0, 1.0, -1.0]), Some(1.0));
    /// ```
    pub fn uniform(dim: usize, lower: T, upper: T) -> Result<Self> {
        check_bounds(0, lower, upper)?;
        Ok(Self::trusted(
            dim,
            PerCoordinate::Same(lower),
            PerCoordinate::Same(upper),
        ))
    }

    /// Without checks: every caller has made them.
    pub(crate) fn trusted(dim: usize, lower: PerCoordinate<T>, upper: PerCoordinate<T>) -> Self {
        Self { dim, lower, upper }
    }

    /// The lower bound of coordinate j, −∞ without one.
    ///
    /// ```
    /// assert_eq!(reparam::sets::BoxSet::uniform(3, -1.0, 1.0).unwrap().lower(2), -1.0);
    /// ```
    #[inline]
    pub fn lower(&self, j: usize) -> T {
        *self.lower.get(j)
    }

    /// The upper bound of coordinate j, +∞ without one.
    ///
    /// ```
    /// assert_eq!(reparam::sets::BoxSet::uniform(3, -1.0, 1.0).unwrap().upper(2), 1.0);
    /// ```
    #[inline]
    pub fn upper(&self, j: usize) -> T {
        *self.upper.get(j)
    }

    /// Whether every bound is finite.
    ///
    /// ```
    /// assert!(!reparam::sets::BoxSet::uniform(3, 0.0, f64::INFINITY).unwrap().is_compact());
    /// ```
    pub fn is_compact(&self) -> bool {
        self.lower
            .stored()
            .iter()
            .chain(self.upper.stored())
            .all(|b| b.is_finite())
    }
}

/// How far outside [lo, hi] x is; NaN for NaN.
#[inline]
pub(super) fn violation_of<T: Scalar>(x: T, lo: T, hi: T) -> T {
    if x.is_nan() {
        x
    } else if x < lo {
        lo - x
    } else if x > hi {
        x - hi
    } else {
        T::zero()
    }
}

/// c (clip(x − d/c, lo, hi) − x): the projected step −d, in units of the scale c > 0.
#[inline]
pub(super) fn clipped_step<T: Scalar>(x: T, d: T, c: T, lo: T, hi: T) -> T {
    if x.is_nan() || d.is_nan() {
        return T::nan();
    }
    // an infinite bound must not meet an infinite x: ∞ − ∞
    let up = if hi == T::infinity() { hi } else { c * (hi - x) };
    let down = if lo == T::neg_infinity() { lo } else { c * (lo - x) };
    let step = if -d > up { up } else { -d };
    if step < down { down } else { step }
}

/// clip(x, lo, hi); NaN stays (`Float::max` would turn it into a bound).
#[inline]
pub(crate) fn clip<T: Scalar>(x: T, lo: T, hi: T) -> T {
    if x < lo {
        lo
    } else if x > hi {
        hi
    } else {
        x
    }
}

impl<T: Scalar> ConstraintSet<T> for BoxSet<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        max_or_nan(
            x.iter()
                .enumerate()
                .map(|(j, v)| violation_of(*v, self.lower(j), self.upper(j))),
        )
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        max_or_nan((0..self.dim).map(|j| {
            let c = scale.map_or(T::one(), |s| s[j]);
            if c == T::zero() {
                return T::zero();
            }
            clipped_step(x[j], g[j] / c, c, self.lower(j), self.upper(j)).abs()
        }))
    }
    fn multipliers(&self, _x: &[T], g: &[T], out: &mut [T]) {
        for (j, (o, gj)) in out.iter_mut().zip(g).enumerate() {
            let bounded = self.lower(j) > T::neg_infinity() || self.upper(j) < T::infinity();
            *o = if bounded { *gj } else { T::zero() };
        }
    }
    fn is_separable(&self) -> bool {
        true
    }
    fn project(&self, x: &mut [T]) -> bool {
        for (j, v) in x.iter_mut().enumerate() {
            *v = clip(*v, self.lower(j), self.upper(j));
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        s.iter_mut().zip(g).enumerate().all(|(j, (o, gj))| {
            match linear_minimiser(*gj, self.lower(j), self.upper(j)) {
                Some(v) => {
                    *o = v;
                    true
                }
                None => false,
            }
        })
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        self.is_compact().then(|| {
            (0..self.dim)
                .map(|j| linear_gap(x[j], g[j], self.lower(j), self.upper(j)))
                .sum()
        })
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Bounds {
            lower: (0..self.dim).map(|j| self.lower(j)).collect(),
            upper: (0..self.dim).map(|j| self.upper(j)).collect(),
            sum: None,
        })
    }
}

/// argmin g s over s in [lo, hi]; None where there is none.
#[inline]
pub(super) fn linear_minimiser<T: Scalar>(g: T, lo: T, hi: T) -> Option<T> {
    let s = if g > T::zero() {
        lo
    } else if g < T::zero() {
        hi
    } else if g.is_nan() {
        return None;
    } else {
        clip(T::zero(), lo, hi)
    };
    s.is_finite().then_some(s)
}

/// max g (x − s) over s in [lo, hi]: never negative, NaN for NaN.
#[inline]
pub(super) fn linear_gap<T: Scalar>(x: T, g: T, lo: T, hi: T) -> T {
    let term = if x.is_nan() || g.is_nan() {
        return T::nan();
    } else if g > T::zero() {
        g * (x - lo)
    } else if g < T::zero() {
        -g * (hi - x)
    } else {
        return T::zero();
    };
    // x a rounding error outside may not lower the bound
    if term < T::zero() { T::zero() } else { term }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn residual_in_the_metric() {
        let set = BoxSet::new(vec![0.0, -INF, 2.0, -1.0], vec![1.0, 3.0, 2.0, INF]).unwrap();
        let x = [0.25, 3.0, 2.0, 4.0];
        let (g, c) = ([0.5, -1.0, 7.0, 0.5], [2.0, 3.0, 1.0, 0.5]);
        // c |x − clip(x − g/c²)|: 2·|0.25 − 0.125|, held, constant, 0.5·|4 − 2|
        assert_eq!(set.natural_residual(&x, &g, Some(&c)), 1.0);
        assert_eq!(
            set.natural_residual(&x[..], &[0.5, -1.0, 7.0, 0.0], Some(&c)),
            0.25
        );
        // a zero scale leaves its coordinate out
        assert_eq!(set.natural_residual(&x, &g, Some(&[2.0, 3.0, 1.0, 0.0])), 0.25);
    }

    #[test]
    fn residual_neither_overflows_nor_underflows() {
        let set = BoxSet::uniform(1, 0.0, 1.0).unwrap();
        assert_eq!(set.natural_residual(&[0.5], &[0.25e200], Some(&[1e200])), 0.25);
        assert_eq!(set.natural_residual(&[0.5], &[1.0], Some(&[1e-200])), 0.5e-200); // up to the bound
        let wide = BoxSet::uniform(1, -f64::MAX, f64::MAX).unwrap();
        assert_eq!(wide.natural_residual(&[f64::MAX], &[2.0], None), 2.0);
        assert_eq!(wide.natural_residual(&[f64::MAX], &[-2.0], None), 0.0);
    }

    #[test]
    fn agrees_with_the_orthant_bit_for_bit() {
        let mut random = crate::testing::Random::new(5);
        let lower: Vec<f64> = random.normals(40);
        let orthant = crate::sets::Orthant::with_lower(lower.clone()).unwrap();
        let set = BoxSet::new(lower.clone(), vec![INF; 40]).unwrap();
        for _ in 0..50 {
            let x: Vec<f64> = lower
                .iter()
                .map(|l| l + (random.normal::<f64>() - 0.3).max(-0.1))
                .collect();
            let (g, c) = (
                random.normals::<f64>(40),
                random
                    .normals::<f64>(40)
                    .iter()
                    .map(|v| v.abs())
                    .collect::<Vec<_>>(),
            );
            assert_eq!(
                set.natural_residual(&x, &g, Some(&c)),
                orthant.natural_residual(&x, &g, Some(&c))
            );
            assert_eq!(set.violation(&x), orthant.violation(&x));
        }
    }

    #[test]
    fn linear_minimisation_where_it_exists() {
        let half = BoxSet::new(vec![0.0, -INF], vec![INF, 5.0]).unwrap();
        let mut s = [0.0; 2];
        assert!(half.minimise_linear(&[1.0, -1.0], &mut s));
        assert_eq!(s, [0.0, 5.0]);
        assert!(!half.minimise_linear(&[-1.0, 0.0], &mut s));
        assert!(!half.minimise_linear(&[f64::NAN, 0.0], &mut s));
        assert!(half.frank_wolfe_gap(&[1.0, 1.0], &[0.0, 0.0]).is_none());
    }

    #[test]
    fn typed_errors() {
        let new = |lo: f64, hi: f64| BoxSet::new(vec![0.0, lo], vec![1.0, hi]);
        for (lo, hi) in [
            (2.0, 1.0),
            (f64::NAN, 1.0),
            (0.0, f64::NAN),
            (INF, INF),
            (-INF, -INF),
            (INF, 1.0),
        ] {
            assert!(
                matches!(new(lo, hi), Err(Error::CrossedBounds { index: 1, .. })),
                "{lo} {hi}"
            );
        }
        assert!(matches!(
            BoxSet::new(vec![0.0], vec![1.0, 2.0]),
            Err(Error::Dimension {
                expected: 1,
                found: 2,
                ..
            })
        ));
        assert!(matches!(
            BoxSet::<f64>::new(vec![], vec![]),
            Err(Error::Empty { .. })
        ));
    }
}
