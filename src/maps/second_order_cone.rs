//! φ(s, y) = (s² + ‖y‖², 2 s y), onto the second-order cone.

use super::{Boundary, Ray, Reparametrization};
use crate::linalg::norm2;
use crate::sets::{self, ConstraintSet};
use crate::{MapError, Result, Scalar};

/// Jordan squares: $`x = u \circ u = (s^2 + \lVert y\rVert^2,\ 2 s y)`$ for $`u = (s, y)`$, onto the second-order cone $`x_0 \ge \lVert\bar x\rVert`$. Experimental.
///
/// ```math
/// \begin{aligned}
/// L(u) &= \begin{bmatrix} s & y^\top \\ y & s I \end{bmatrix}, \quad u = (s, y): & J = J^\top &= 2 L(u) & \sum_i w_i \nabla^2\varphi_i\, v &= 2 L(w)\, v \\
/// \varphi(u + t\,d) &= x + 2t\, L(u)\, d + t^2\, d \circ d \\
/// \text{section:}\quad u &= \tfrac12 \Bigl(\sqrt{\lambda_1} + \sqrt{\lambda_2},\ \bigl(\sqrt{\lambda_1} - \sqrt{\lambda_2}\bigr) \frac{\bar x}{\lVert\bar x\rVert}\Bigr), & \lambda_{1,2} &= x_0 \pm \lVert\bar x\rVert
/// \end{aligned}
/// ```
///
/// The squaring map of the spin factor, a Euclidean Jordan algebra (Alizadeh & Goldfarb, Math. Program. 2003), as squares are for
/// the orthant and UUᵀ for matrices. No
/// theorem on its landscape is claimed here: J is singular where s = 0 in the interior too (u and −u meet there), hence
/// the tag. J Jᵀ depends on the signs of √λ and is no function of x.
///
/// ```
/// use reparam::maps::{Reparametrization, SecondOrderCone};
/// let mut x = [0.0; 3];
/// SecondOrderCone::new(3).unwrap().apply(&[2.0, 1.0, 0.0], &mut x, &mut []);
/// assert_eq!(x, [5.0, 4.0, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondOrderCone<T> {
    set: sets::SecondOrderConeSet<T>,
}

impl<T: Scalar> SecondOrderCone<T> {
    /// The cone in Rⁿ.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0.
    ///
    /// ```
    /// assert!(reparam::maps::SecondOrderCone::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self {
            set: sets::SecondOrderConeSet::new(dim)?,
        })
    }
}

/// out ← f L(a) b.
fn product<T: Scalar>(f: T, a: &[T], b: &[T], out: &mut [T]) {
    out[0] = f * a.iter().zip(b).map(|(a, b)| *a * *b).sum::<T>();
    for k in 1..a.len() {
        out[k] = f * (a[0] * b[k] + b[0] * a[k]);
    }
}

impl<T: Scalar> Reparametrization<T> for SecondOrderCone<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        product(T::one(), u, u, x);
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        product(T::lit(2.0), u, v, jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        product(T::lit(2.0), u, w, jtw);
    }
    fn curvature(&self, _u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        product(T::lit(2.0), w, v, out);
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
        let four = T::lit(4.0);
        gauss_newton[0] = four * u.iter().zip(h).map(|(u, h)| *h * *u * *u).sum::<T>();
        for k in 1..u.len() {
            gauss_newton[k] = four * (h[0] * u[k] * u[k] + h[k] * u[0] * u[0]);
        }
        curved.fill(w[0] + w[0]);
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let norm = norm2(&x[1..]);
        let slack = T::lit(8.0) * T::epsilon() * norm;
        if norm.is_nan() || !x[0].is_finite() || x[0] < norm - slack {
            let index = x.iter().position(|v| v.is_nan()).unwrap_or(0);
            return Err(MapError::Outside {
                index,
                value: x[index].as_f64(),
            });
        }
        let mut low = (x[0] - norm).max(T::zero());
        if low == T::zero() {
            match boundary {
                Boundary::Exact => {}
                Boundary::Nudge(by) => low = by * x[0].max(T::one()),
                Boundary::Reject => return Err(MapError::OnBoundary { index: 0 }),
            }
        }
        let (half, two) = (T::lit(0.5), T::lit(2.0));
        let high = (x[0] + norm).max(low);
        let a = if high.is_finite() {
            high.sqrt()
        } else {
            // √(4 s) = 2 √s, where x₀ + ‖x̄‖ is beyond the largest number
            two * (x[0] / two / two + norm / two / two).sqrt()
        };
        let b = low.sqrt();
        u[0] = half * (a + b);
        for k in 1..x.len() {
            u[k] = if norm == T::zero() {
                T::zero()
            } else {
                half * (a - b) * (x[k] / norm)
            };
        }
        Ok(())
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        product(T::lit(2.0), u, d, lin);
        product(T::one(), d, d, quad);
        Ray::Quadratic
    }
    /// On the boundary, x = λ₁c₁, the second idempotent c₂ = ½(1, −x̄/‖x̄‖) opens when ⟨g, c₂⟩ < 0; at the apex the best of
    /// all idempotents, ½(1, −ḡ/‖ḡ‖).
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        du.fill(T::zero());
        let norm = norm2(&u[1..]);
        let half = T::lit(0.5);
        let apex = norm == T::zero() && u[0] == T::zero();
        if !apex && (u[0].abs() - norm).abs() > T::lit(4.0) * T::epsilon() * norm {
            return 0;
        }
        let axis = if apex { norm2(&g[1..]) } else { norm };
        let sign = if u[0] < T::zero() { -T::one() } else { T::one() };
        du[0] = half;
        for k in 1..u.len() {
            let along = if apex { g[k] } else { sign * u[k] };
            du[k] = if axis == T::zero() {
                T::zero()
            } else {
                -half * (along / axis)
            };
        }
        let (mut slope, mut size, mut bend) = (T::zero(), T::zero(), T::zero());
        for k in 0..u.len() {
            slope += g[k] * du[k];
            size += (g[k] * du[k]).abs();
            bend += du[k].abs() * h[k].max(T::zero()).sqrt();
        }
        if slope.is_nan() || slope >= -T::lit(4.0) * T::epsilon() * size || bend == T::zero() {
            du.fill(T::zero());
            return 0;
        }
        // c₂ is idempotent and orthogonal to c₁: u + δ c₂ maps to x + δ² c₂
        let delta = (-slope).sqrt() / bend;
        for d in du.iter_mut() {
            *d *= delta;
        }
        1
    }
}
