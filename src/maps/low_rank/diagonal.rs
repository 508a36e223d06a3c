//! X_ij = ⟨y_i, y_j⟩ with y_i = U_i/‖U_i‖, onto those with ones on the diagonal.

use super::super::direction::Direction;
use super::{LowRank, inner};
use crate::Scalar;

impl<T: Scalar> LowRank<T> {
    /// y ← the rows of U normalised.
    fn rows(&self, u: &[T], y: &mut [T]) {
        let p = self.rank;
        for (row, y) in u.chunks_exact(p).zip(y.chunks_exact_mut(p)) {
            match Direction::of(p, |a| row[a]) {
                Some(d) => y.iter_mut().zip(row).for_each(|(y, u)| *y = d.at(*u)),
                None => {
                    y.fill(T::zero());
                    y[0] = T::one();
                }
            }
        }
    }

    /// dy ← the derivative of the normalised rows along v.
    fn row_jvp(&self, u: &[T], v: &[T], dy: &mut [T]) {
        let p = self.rank;
        for ((row, v), dy) in u
            .chunks_exact(p)
            .zip(v.chunks_exact(p))
            .zip(dy.chunks_exact_mut(p))
        {
            match Direction::of(p, |a| row[a]) {
                Some(d) => {
                    let (t, per) = (d.tangent(|a| row[a], |a| v[a]), d.per_length(T::one()));
                    for a in 0..p {
                        dy[a] = per(t.at(a, d.at(row[a]), v[a]));
                    }
                }
                None => dy.fill(T::zero()),
            }
        }
    }

    /// x ← φ(u)
    pub(super) fn diagonal_apply(&self, u: &[T], x: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let y = &mut work[..n * p];
        self.rows(u, y);
        for i in 0..n {
            for j in 0..i {
                let v = inner(&y[i * p..(i + 1) * p], &y[j * p..(j + 1) * p]);
                x[i * n + j] = v;
                x[j * n + i] = v;
            }
            x[i * n + i] = T::one();
        }
    }

    /// jv ← J v
    pub(super) fn diagonal_jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let (y, dy) = work.split_at_mut(n * p);
        let dy = &mut dy[..n * p];
        self.rows(u, y);
        self.row_jvp(u, v, dy);
        for i in 0..n {
            for j in 0..i {
                let (yi, yj) = (&y[i * p..(i + 1) * p], &y[j * p..(j + 1) * p]);
                let (di, dj) = (&dy[i * p..(i + 1) * p], &dy[j * p..(j + 1) * p]);
                // dy_i ⊥ y_i: taking ±y_i from y_j changes nothing, and keeps nearly parallel rows accurate
                let sign = if inner(yi, yj) < T::zero() {
                    -T::one()
                } else {
                    T::one()
                };
                let mut d = T::zero();
                for a in 0..p {
                    d += di[a] * (yj[a] - sign * yi[a]) + dj[a] * (yi[a] - sign * yj[a]);
                }
                jv[i * n + j] = d;
                jv[j * n + i] = d;
            }
            jv[i * n + i] = T::zero();
        }
    }

    /// jtw ← Jᵀ w
    pub(super) fn diagonal_vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let (y, z) = work.split_at_mut(n * p);
        self.rows(u, y);
        let z = &mut z[..p];
        for i in 0..n {
            let (yi, row) = (&y[i * p..(i + 1) * p], &u[i * p..(i + 1) * p]);
            let out = &mut jtw[i * p..(i + 1) * p];
            let Some(d) = Direction::of(p, |a| row[a]) else {
                out.fill(T::zero());
                continue;
            };
            z.fill(T::zero());
            for j in (0..n).filter(|j| *j != i) {
                let yj = &y[j * p..(j + 1) * p];
                let sign = if inner(yi, yj) < T::zero() {
                    -T::one()
                } else {
                    T::one()
                };
                let m = w[i * n + j] + w[j * n + i];
                for a in 0..p {
                    z[a] += m * (yj[a] - sign * yi[a]);
                }
            }
            let (q, per) = (d.tangent(|a| row[a], |a| z[a]), d.per_length(T::one()));
            for a in 0..p {
                out[a] = per(q.at(a, yi[a], z[a]));
            }
        }
    }

    /// out ← (Σ w_k ∇²φ_k) v
    pub(super) fn diagonal_curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let (y, rest) = work.split_at_mut(n * p);
        let (dy, z) = rest.split_at_mut(n * p);
        let z = &mut z[..n * p];
        self.rows(u, y);
        self.row_jvp(u, v, dy);
        // Z and dZ = (W+Wᵀ)dY, without the diagonal: X_ii = 1 has no curvature
        self.symmetric_product(w, y, T::zero(), false, z);
        self.symmetric_product(w, dy, T::zero(), false, out);
        for i in 0..n {
            let range = i * p..(i + 1) * p;
            let (row, z, v) = (&u[range.clone()], &z[range.clone()], &v[range.clone()]);
            let (out, bent) = (&mut out[range.clone()], &mut dy[range]);
            let Some(d) = Direction::of(p, |a| row[a]) else {
                out.fill(T::zero());
                continue;
            };
            d.curvature(|a| row[a], |a| z[a], |a| v[a], T::one(), bent);
            let (t, per) = (d.tangent(|a| row[a], |a| out[a]), d.per_length(T::one()));
            for a in 0..p {
                out[a] = per(t.at(a, d.at(row[a]), out[a])) + bent[a];
            }
        }
    }
}
