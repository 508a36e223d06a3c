//! φ(u) = lo + u∘u, onto x ≥ lo: the default for non-negative least squares.

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{ConstraintSet, Orthant};
use crate::{MapError, Result, Scalar};

/// Squares: x_j = lo_j + u_j², onto {x ≥ lo}.
///
/// ```text
/// J = diag(2u)      Σ wᵢ∇²φᵢ = 2 diag(w)      J Jᵀ = 4 diag(x − lo)      φ(u + t d) = x + 2t u∘d + t² d∘d
/// ```
///
/// The overparametrisation of depth 2 of Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola (AISTATS 2025),
/// with equal factors. u_j = 0 is always stationary for f∘φ; with g_j < 0 it is a strict saddle, which
/// [`release`](Reparametrization::release) leaves along x_j = −g_j/h_j.
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, Squares};
/// let map = Squares::with_lower(vec![1.0, -1.0]).unwrap();
/// let (mut u, mut x) = ([0.0; 2], [0.0; 2]);
/// map.section(&[5.0, -1.0], Boundary::Exact, &mut u).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert_eq!(x, [5.0, -1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Squares<T> {
    set: Orthant<T>,
}

impl<T: Scalar> Squares<T> {
    /// Onto {x ∈ Rⁿ : x ≥ 0}.
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, Squares};
    /// assert_eq!(Squares::<f64>::new(5).dim_x(), 5);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self {
            set: Orthant::new(dim),
        }
    }

    /// Onto {x : x ≥ lower}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite).
    ///
    /// ```
    /// assert!(reparam::maps::Squares::with_lower(vec![f64::NEG_INFINITY]).is_err());
    /// ```
    pub fn with_lower(lower: Vec<T>) -> Result<Self> {
        Ok(Self {
            set: Orthant::with_lower(lower)?,
        })
    }
}

impl<T: Scalar> Reparametrization<T> for Squares<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
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
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        for (j, (xj, uj)) in x.iter_mut().zip(u).enumerate() {
            *xj = self.set.lower(j) + *uj * *uj;
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        for ((o, uj), vj) in jv.iter_mut().zip(u).zip(v) {
            *o = (*uj + *uj) * *vj;
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        for ((o, uj), wj) in jtw.iter_mut().zip(u).zip(w) {
            *o = (*uj + *uj) * *wj;
        }
    }
    fn curvature(&self, _u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        for ((o, wj), vj) in out.iter_mut().zip(w).zip(v) {
            *o = (*wj + *wj) * *vj;
        }
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        for j in 0..u.len() {
            let d = u[j] + u[j];
            gauss_newton[j] = d * d * h[j];
            curved[j] = w[j] + w[j];
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T]) -> Result<(), MapError> {
        for (index, (xj, uj)) in x.iter().zip(u.iter_mut()).enumerate() {
            let d = *xj - self.set.lower(index);
            if d.is_nan() || d < T::zero() || d == T::infinity() {
                return Err(MapError::Outside {
                    index,
                    value: xj.as_f64(),
                });
            }
            *uj = if d > T::zero() {
                d.sqrt()
            } else {
                match boundary {
                    Boundary::Exact => T::zero(),
                    Boundary::Nudge(by) => (by * xj.abs().max(T::one())).sqrt(),
                    Boundary::Reject => return Err(MapError::OnBoundary { index }),
                }
            };
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T]) -> bool {
        for (j, (o, gj)) in out.iter_mut().zip(g).enumerate() {
            *o = T::lit(4.0) * (x[j] - self.set.lower(j)) * *gj;
        }
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T]) -> Ray<T> {
        for j in 0..u.len() {
            lin[j] = (u[j] + u[j]) * d[j];
            quad[j] = d[j] * d[j];
        }
        Ray::Quadratic
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T]) -> usize {
        let mut released = 0;
        for j in 0..u.len() {
            du[j] = T::zero();
            if u[j] == T::zero() && g[j] < T::zero() && h[j] > T::zero() {
                du[j] = (-g[j] / h[j]).sqrt();
                released += 1;
            }
        }
        released
    }
}
