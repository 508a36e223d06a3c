//! A direction that leaves a point U of deficient rank where the slack matrix has a negative eigenvalue.

use super::super::direction::Direction;
use super::super::weights::Unit;
use super::{Kind, LowRank, inner};
use crate::Scalar;
use crate::linalg::max_abs;

impl<T: Scalar> LowRank<T> {
    /// [`release`](crate::maps::Reparametrization::release)
    pub(super) fn released(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T]) -> usize {
        du.fill(T::zero());
        let (n, p) = (self.size(), self.rank);
        let Some(free) = (0..p).find(|a| (0..n).all(|i| u[i * p + a] == T::zero())) else {
            return 0;
        };
        let half = T::lit(0.5);
        let gs = |i: usize, j: usize| half * (g[i * n + j] + g[j * n + i]);
        let unit = match self.kind {
            Kind::Cone => None,
            _ => match Unit::of(u) {
                Some(unit) if unit.s > T::zero() => Some(unit),
                _ => return 0, // the conventional point at U = 0
            },
        };
        // the multipliers of the diagonal wait in another column (there is one, or U would be zero)
        let store = if self.kind == Kind::UnitDiagonal {
            (0..p).find(|a| *a != free)
        } else {
            None
        };
        let mean = match self.kind {
            Kind::Trace(trace) => inner(x, g) / trace,
            _ => T::zero(),
        };
        if let Some(b) = store {
            for i in 0..n {
                du[i * p + b] = (0..n).map(|j| gs(i, j) * x[j * n + i]).sum();
            }
        }
        let slack = |du: &[T], i: usize, j: usize| {
            let d = if i == j {
                store.map_or(mean, |b| du[i * p + b])
            } else {
                T::zero()
            };
            gs(i, j) - d
        };
        let start = (1..n).fold(0, |k, i| if slack(du, i, i) < slack(du, k, k) { i } else { k });
        du[start * p + free] = T::one();
        let product = |du: &[T], i: usize| (0..n).map(|j| slack(du, i, j) * du[j * p + free]).sum::<T>();
        let mut value = slack(du, start, start);
        for _ in 0..60 {
            let before = value;
            let mut square: T = (0..n).map(|i| du[i * p + free] * du[i * p + free]).sum();
            let mut form: T = (0..n).map(|i| du[i * p + free] * product(du, i)).sum();
            for i in 0..n {
                let (s, d, vi) = (product(du, i), slack(du, i, i), du[i * p + free]);
                // stationary points of the quotient along e_i: α τ² + β τ + γ = 0
                let (alpha, beta, gamma) = (d * vi - s, d * square - form, s * square - form * vi);
                let quotient = |t: T| (form + t * (s + s + t * d)) / (square + t * (vi + vi + t));
                let root = (beta * beta - T::lit(4.0) * alpha * gamma).max(T::zero()).sqrt();
                let q = -half * (beta + if beta < T::zero() { -root } else { root });
                let mut best = (T::zero(), form / square);
                for t in [q / alpha, gamma / q] {
                    if t.is_finite() && quotient(t) < best.1 {
                        best = (t, quotient(t));
                    }
                }
                let t = best.0;
                form += t * (s + s + t * d);
                square += t * (vi + vi + t);
                du[i * p + free] = vi + t;
            }
            let norm = square.sqrt();
            for i in 0..n {
                du[i * p + free] /= norm;
            }
            value = form / square;
            if value.is_nan() || before - value <= T::epsilon() * T::lit(16.0) * value.abs() {
                break;
            }
        }
        let size = max_abs(g);
        let wrong = value < -T::lit(16.0) * T::count(n) * T::epsilon() * size;
        let vector = |du: &[T], i: usize| du[i * p + free];
        // the direction in x, and √(dᵀHd) at most Σ|d|√h
        let mut bend = T::zero();
        for i in 0..n {
            for j in 0..n {
                let (vi, vj, xij) = (vector(du, i), vector(du, j), x[i * n + j]);
                let d = match self.kind {
                    Kind::Cone => vi * vj,
                    Kind::Trace(trace) => trace * vi * vj - xij,
                    Kind::UnitDiagonal => vi * vj - half * (vi * vi + vj * vj) * xij,
                };
                bend += d.abs() * h[i * n + j].max(T::zero()).sqrt();
            }
        }
        if let Some(b) = store {
            for i in 0..n {
                du[i * p + b] = T::zero();
            }
        }
        let square = match (self.kind, unit) {
            (Kind::Cone, _) if bend > T::zero() => -value / (bend * bend),
            (Kind::Trace(trace), Some(unit)) => {
                let best = -value / bend / bend * trace;
                let sigma = if best < half { best } else { half };
                unit.square * sigma / (T::one() - sigma) / unit.s / unit.s
            }
            (Kind::UnitDiagonal, _) => {
                let best = -value / (bend * bend);
                if best < half { best } else { half }
            }
            _ => T::zero(),
        };
        if !wrong || square.is_nan() || square <= T::zero() {
            du.fill(T::zero());
            return 0;
        }
        let step = square.sqrt();
        for i in 0..n {
            let row = match self.kind {
                // relative to the length of the row
                Kind::UnitDiagonal => Direction::of(p, |a| u[i * p + a]).map_or_else(T::zero, |d| d.length()),
                _ => T::one(),
            };
            du[i * p + free] *= step * row;
        }
        1
    }
}
