//! φ(u, v) = u² − v², onto Rⁿ.

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{ConstraintSet, WholeSpace};
use crate::{MapError, Scalar};
use std::marker::PhantomData;

/// Differences of squares: $`x = u \circ u - v \circ v`$, onto $`\mathbb{R}^n`$, with 2n parameters (u, v).
///
/// ```math
/// \begin{aligned}
/// J &= \bigl[\,2\operatorname{diag} u,\ -2\operatorname{diag} v\,\bigr] \qquad \sum_i w_i \nabla^2\varphi_i = \operatorname{diag}(2w, -2w) \\
/// \varphi\bigl((u, v) + t\,d\bigr) &= x + 2t\,(u \circ d_u - v \circ d_v) + t^2 (d_u^2 - d_v^2)
/// \end{aligned}
/// ```
///
/// For sparse x without a sign: min over u² − v² = x of λ(‖u‖² + ‖v‖²) is λ‖x‖₁ (Hoff, Comput. Stat. Data Anal. 2017), so
/// a ridge in (u, v) is the lasso in x, and a small start has the same bias without it (Woodworth et al., COLT 2020).
/// u = v = 0 is always stationary; [`release`](Reparametrization::release) leaves it on the side of the gradient.
///
/// ```
/// use reparam::maps::{Boundary, Difference, Reparametrization};
/// let map = Difference::<f64>::new(2);
/// let (mut u, mut x) = ([0.0; 4], [0.0; 2]);
/// map.section(&[4.0, -9.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert_eq!(u, [2.0, 0.0, 0.0, 3.0]);
/// map.apply(&u, &mut x, &mut []);
/// assert_eq!(x, [4.0, -9.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<T> {
    set: WholeSpace,
    dim: usize,
    scalar: PhantomData<T>,
}

impl<T: Scalar> Difference<T> {
    /// Onto Rⁿ.
    ///
    /// ```
    /// use reparam::maps::{Difference, Reparametrization};
    /// assert_eq!(Difference::<f64>::new(3).dim_u(), 6);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self {
            set: WholeSpace::new(dim),
            dim,
            scalar: PhantomData,
        }
    }
}

/// p² − q² without overflow to ∞ − ∞.
fn square_difference<T: Scalar>(p: T, q: T) -> T {
    if p.abs() == q.abs() {
        T::zero()
    } else {
        (p - q) * (p + q)
    }
}

impl<T: Scalar> Reparametrization<T> for Difference<T> {
    fn dim_u(&self) -> usize {
        self.dim.saturating_mul(2)
    }
    fn dim_x(&self) -> usize {
        self.dim
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        for j in 0..self.dim {
            x[j] = square_difference(u[j], u[self.dim + j]);
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        for (j, o) in jv.iter_mut().enumerate() {
            let k = self.dim + j;
            *o = (u[j] + u[j]) * v[j] - (u[k] + u[k]) * v[k];
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        for j in 0..self.dim {
            let k = self.dim + j;
            jtw[j] = (u[j] + u[j]) * w[j];
            jtw[k] = -(u[k] + u[k]) * w[j];
        }
    }
    fn curvature(&self, _u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        for j in 0..self.dim {
            let k = self.dim + j;
            out[j] = (w[j] + w[j]) * v[j];
            out[k] = -(w[j] + w[j]) * v[k];
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
        for (k, uk) in u.iter().enumerate() {
            let j = k % self.dim;
            let d = *uk + *uk;
            gauss_newton[k] = d * d * h[j];
            curved[k] = if k < self.dim { w[j] + w[j] } else { -(w[j] + w[j]) };
        }
        true
    }
    /// The set has no boundary, but J vanishes for a coordinate split as 0 − 0: `Nudge` splits x_j = 0 evenly instead
    /// (x stays exact), `Reject` refuses it.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        for (index, x) in x.iter().enumerate() {
            let k = self.dim + index;
            if !x.is_finite() {
                return Err(MapError::Outside {
                    index,
                    value: x.as_f64(),
                });
            }
            (u[index], u[k]) = if *x > T::zero() {
                (x.sqrt(), T::zero())
            } else if *x < T::zero() {
                (T::zero(), (-*x).sqrt())
            } else {
                match boundary {
                    Boundary::Exact => (T::zero(), T::zero()),
                    Boundary::Nudge(by) => (by.sqrt(), by.sqrt()),
                    Boundary::Reject => return Err(MapError::OnBoundary { index }),
                }
            };
        }
        Ok(())
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        for j in 0..self.dim {
            let k = self.dim + j;
            lin[j] = (u[j] + u[j]) * d[j] - (u[k] + u[k]) * d[k];
            quad[j] = square_difference(d[j], d[k]);
        }
        Ray::Quadratic
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        du.fill(T::zero());
        let mut released = 0;
        for j in 0..self.dim {
            let k = self.dim + j;
            let stuck = u[j] == T::zero() && u[k] == T::zero();
            if stuck && g[j] != T::zero() && !g[j].is_nan() && h[j] > T::zero() {
                let at = if g[j] < T::zero() { j } else { k };
                du[at] = (g[j].abs() / h[j]).sqrt();
                released += 1;
            }
        }
        released
    }
}
