//! {x ≥ lo}.

use super::{ConstraintSet, Polyhedron};
use crate::Scalar;
use crate::checks::check_finite;
use crate::linalg::max_or_nan;
use crate::{Error, Result};

/// The orthant {x ∈ Rⁿ : x ≥ lo}, lo = 0 unless given.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \bigl|\min\bigl(c_j (x_j - lo_j),\ g_j / c_j\bigr)\bigr| \\
/// \text{multipliers} &\quad \mu = g \quad (\mu \ge 0 \text{ and } \mu_j (x_j - lo_j) = 0 \text{ at a solution})
/// \end{aligned}
/// ```
///
/// ```
/// use reparam::sets::{ConstraintSet, Orthant};
/// let set = Orthant::<f64>::new(3);
/// let mut x = [1.0, -2.0, 0.5];
/// assert_eq!(set.violation(&x), 2.0);
/// set.project(&mut x);
/// assert_eq!(x, [1.0, 0.0, 0.5]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Orthant<T> {
    dim: usize,
    lower: Option<Vec<T>>,
}

impl<T: Scalar> Orthant<T> {
    /// {x ∈ Rⁿ : x ≥ 0}.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, Orthant};
    /// assert_eq!(Orthant::<f64>::new(3).dim(), 3);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self { dim, lower: None }
    }

    /// {x : x ≥ lower}.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotFinite`]: a coordinate without a bound is another set.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, Orthant};
    /// let set = Orthant::with_lower(vec![-1.0, 2.0]).unwrap();
    /// assert_eq!(set.violation(&[-1.0, 1.0]), 1.0);
    /// ```
    pub fn with_lower(lower: Vec<T>) -> Result<Self> {
        if lower.is_empty() {
            return Err(Error::Empty {
                what: "the lower bounds",
            });
        }
        check_finite("lower bounds", &lower)?;
        Ok(Self {
            dim: lower.len(),
            lower: Some(lower),
        })
    }

    /// The lower bound of coordinate j.
    ///
    /// ```
    /// assert_eq!(reparam::sets::Orthant::<f64>::new(3).lower(1), 0.0);
    /// ```
    #[inline]
    pub fn lower(&self, j: usize) -> T {
        self.lower.as_ref().map_or(T::zero(), |l| l[j])
    }
}

impl<T: Scalar> ConstraintSet<T> for Orthant<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        max_or_nan(x.iter().enumerate().map(|(j, v)| {
            if v.is_nan() {
                *v
            } else {
                (self.lower(j) - *v).max(T::zero())
            }
        }))
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        max_or_nan((0..self.dim).map(|j| {
            let c = scale.map_or(T::one(), |s| s[j]);
            if c == T::zero() {
                return T::zero();
            }
            let (p, d) = (c * (x[j] - self.lower(j)), g[j] / c);
            if p.is_nan() || d.is_nan() {
                T::nan()
            } else {
                p.min(d).abs()
            }
        }))
    }
    fn multipliers(&self, _x: &[T], g: &[T], out: &mut [T]) {
        out.copy_from_slice(g);
    }
    fn is_separable(&self) -> bool {
        true
    }
    fn project(&self, x: &mut [T]) -> bool {
        for (j, v) in x.iter_mut().enumerate() {
            let lo = self.lower(j);
            if *v < lo {
                *v = lo;
            }
        }
        true
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::Bounds {
            lower: self.lower.clone().unwrap_or_else(|| vec![T::zero(); self.dim]),
            upper: vec![T::infinity(); self.dim],
            sum: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_never_certified() {
        let set = Orthant::<f64>::new(2);
        for (x, g) in [
            ([f64::NAN, 1.0], [0.0, 0.0]),
            ([0.0, 1.0], [f64::NAN, 0.0]),
            ([0.0, f64::NAN], [1.0, 1.0]),
        ] {
            assert!(set.natural_residual(&x, &g, None).is_nan(), "{x:?} {g:?}");
        }
        assert!(set.violation(&[0.0, f64::NAN]).is_nan());
    }
}
