//! X = t U Uᵀ/‖U‖², onto those of trace t.

use super::super::weights::{Unit, times};
use super::{LowRank, inner};
use crate::Scalar;

impl<T: Scalar> LowRank<T> {
    /// x ← φ(u)
    pub(super) fn trace_apply(&self, trace: T, u: &[T], x: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let Some(unit) = Unit::of(u) else {
            return x.fill(trace / T::count(n));
        };
        for i in 0..n {
            for j in 0..=i {
                let mut sum = T::zero();
                for a in 0..p {
                    sum += unit.at(u[i * p + a]) * unit.at(u[j * p + a]);
                }
                let v = trace * (sum / unit.square);
                x[i * n + j] = v;
                x[j * n + i] = v;
            }
        }
    }

    /// jv ← J v
    pub(super) fn trace_jvp(&self, trace: T, u: &[T], v: &[T], jv: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let row = |m: &[T], i: usize, a: usize| m[i * p + a];
        let Some(unit) = Unit::of(u) else {
            return jv.fill(T::zero());
        };
        let [first, second] = unit.halves;
        let mut along = T::zero();
        for (u, v) in u.iter().zip(v) {
            along += unit.at(*u) * (first * *v);
        }
        let along = (along + along) / unit.square;
        let f = trace / unit.square;
        // the trace of J v is 0: the largest diagonal entry is minus the sum of the others, which cannot cancel
        let top = unit.top / p;
        let mut others = T::zero();
        for i in 0..n {
            for j in 0..=i {
                let (mut d, mut gram) = (T::zero(), T::zero());
                for a in 0..p {
                    let (ui, uj) = (unit.at(row(u, i, a)), unit.at(row(u, j, a)));
                    d += ui * (first * row(v, j, a)) + (first * row(v, i, a)) * uj;
                    gram += ui * uj;
                }
                let d = f * (d - along * gram) * second;
                jv[i * n + j] = d;
                jv[j * n + i] = d;
            }
            if i != top {
                others += jv[i * n + i];
            }
        }
        jv[top * n + top] = -others;
    }

    /// jtw ← Jᵀ w
    pub(super) fn trace_vjp(&self, trace: T, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let Some(unit) = Unit::of(u) else {
            return jtw.fill(T::zero());
        };
        let hat = &mut work[..n * p];
        for (h, u) in hat.iter_mut().zip(u) {
            *h = unit.at(*u);
        }
        self.centred_product(&unit, w, hat, jtw);
        let (trace, late) = unit.split(trace);
        let f = trace / unit.square;
        for o in jtw.iter_mut() {
            *o = *o * f * late;
        }
    }

    /// out ← (Σ w_k ∇²φ_k) v
    pub(super) fn trace_curvature(&self, trace: T, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let Some(unit) = Unit::of(u) else {
            return out.fill(T::zero());
        };
        let (hat, mu) = work.split_at_mut(n * p);
        let mu = &mut mu[..n * p];
        for (h, u) in hat.iter_mut().zip(u) {
            *h = unit.at(*u);
        }
        let (shift, mean) = self.centred_product(&unit, w, hat, mu);
        self.symmetric_product(w, v, shift, true, out);
        let two = T::lit(2.0);
        let [first, second] = unit.halves;
        let along = two * hat.iter().zip(v).map(|(h, v)| *h * (first * *v)).sum::<T>() / unit.square;
        let tilt = two * mu.iter().zip(v).map(|(m, v)| *m * (first * *v)).sum::<T>() / unit.square;
        let (trace, late) = unit.split(trace);
        let f = trace / unit.square;
        for k in 0..out.len() {
            let bent = first * (out[k] - mean * v[k]) - along * mu[k] - tilt * hat[k];
            out[k] = times(times(f * bent, second), late);
        }
    }

    /// z ← (W + Wᵀ − shift − mean)Û with the shift and the mean that make it orthogonal to Û: M Û for fixed trace.
    ///
    /// The shift is the diagonal entry of the dominant row, so that the product is accurate where it nearly vanishes.
    fn centred_product(&self, unit: &Unit<T>, w: &[T], hat: &[T], z: &mut [T]) -> (T, T) {
        let n = self.size();
        let top = unit.top / self.rank;
        let shift = w[top * n + top] + w[top * n + top];
        self.symmetric_product(w, hat, shift, true, z);
        let mean = inner(hat, z) / unit.square;
        for (z, h) in z.iter_mut().zip(hat) {
            *z -= mean * *h;
        }
        (shift, mean)
    }
}
