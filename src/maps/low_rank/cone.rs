//! X = U Uᵀ, onto all positive semidefinite matrices.

use super::LowRank;
use crate::Scalar;
use crate::linalg::{exponent, max_abs, pow2};

/// 2^{−e} for max|u| = 2^e…: products of û neither overflow nor underflow as a whole.
fn shrink<T: Scalar>(u: &[T]) -> (T, T) {
    let m = max_abs(u);
    if m == T::zero() || !m.is_finite() {
        return (T::one(), T::one());
    }
    let e = exponent(m);
    (pow2(-e), pow2(e))
}

impl<T: Scalar> LowRank<T> {
    /// x ← φ(u)
    pub(super) fn cone_apply(&self, u: &[T], x: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let (s, back) = shrink(u);
        for i in 0..n {
            for j in 0..=i {
                let mut sum = T::zero();
                for a in 0..p {
                    sum += (s * u[i * p + a]) * (s * u[j * p + a]);
                }
                let v = sum * back * back;
                x[i * n + j] = v;
                x[j * n + i] = v;
            }
        }
    }

    /// jv ← J v
    pub(super) fn cone_jvp(&self, u: &[T], v: &[T], jv: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let row = |m: &[T], i: usize, a: usize| m[i * p + a];
        for i in 0..n {
            for j in 0..=i {
                let d = (0..p)
                    .map(|a| row(u, i, a) * row(v, j, a) + row(v, i, a) * row(u, j, a))
                    .sum();
                jv[i * n + j] = d;
                jv[j * n + i] = d;
            }
        }
    }

    /// jtw ← Jᵀ w
    pub(super) fn cone_vjp(&self, u: &[T], w: &[T], jtw: &mut [T]) {
        self.symmetric_product(w, u, T::zero(), true, jtw);
    }

    /// out ← (Σ w_k ∇²φ_k) v
    pub(super) fn cone_curvature(&self, _u: &[T], w: &[T], v: &[T], out: &mut [T]) {
        self.symmetric_product(w, v, T::zero(), true, out);
    }

    /// The diagonals of JᵀHJ and of Σ w_k ∇²φ_k.
    pub(super) fn cone_diagonals(&self, u: &[T], h: &[T], w: &[T], gauss_newton: &mut [T], curved: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        for i in 0..n {
            for a in 0..p {
                // J e_ia = e_i U_aᵀ + U_a e_iᵀ
                let ui = u[i * p + a];
                let mut sum = T::lit(4.0) * h[i * n + i] * ui * ui;
                for j in (0..n).filter(|j| *j != i) {
                    sum += (h[i * n + j] + h[j * n + i]) * u[j * p + a] * u[j * p + a];
                }
                gauss_newton[i * p + a] = sum;
                curved[i * p + a] = w[i * n + i] + w[i * n + i];
            }
        }
    }
}
