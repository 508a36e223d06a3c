//! The quadratic model of L-BFGS on a box, and its minimiser there.

use crate::Scalar;
use crate::linalg::{axpy, dot};

/// A move and the change of the gradient over it, ⟨s, y⟩ > 0.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Pair<T> {
    pub(super) s: Vec<T>,
    pub(super) y: Vec<T>,
    pub(super) sy: T,
}

/// q(d) = ⟨g, d⟩ + ½⟨d, B d⟩ over lower ≤ d ≤ upper, B the BFGS matrix of the pairs on top of θ diag(h).
///
/// B is kept as its updates, oldest first (Nocedal & Wright 2006, (7.24)):
///
/// ```text
/// B = θ diag(h) + Σ bᵢbᵢᵀ − aᵢaᵢᵀ     bᵢ = yᵢ/√⟨sᵢ, yᵢ⟩     aᵢ = Bᵢsᵢ/√⟨sᵢ, Bᵢsᵢ⟩
/// ```
///
/// A face (some coordinates held) needs the inverse of the block of B that is left: one Sherman–Morrison step per update,
/// O(m²n), or the two-loop recursion where no pair moved a held coordinate (the block is then the BFGS matrix of the shortened pairs).
/// The minimiser is found by block exchange: hold all coordinates that leave the box, solve for the others, free all whose multiplier has the
/// wrong sign, a few times. The result is feasible and no worse than d = 0, and exact when the exchange ends.
///
/// Buffers only; they mean nothing between calls.
#[derive(Debug, Clone)]
pub(super) struct Model<T> {
    /// θ h
    diagonal: Vec<T>,
    /// b₀, a₀, b₁, a₁, …; their number in use.
    updates: Vec<Vec<T>>,
    count: usize,
    built: bool,
    /// B⁻¹v of each update on the face, and ±1/(1 ± ⟨v, B⁻¹v⟩).
    images: Vec<(Vec<T>, T)>,
    held: Vec<bool>,
    trial: Vec<T>,
    product: Vec<T>,
    best: Vec<T>,
    alpha: Vec<T>,
    pub(super) d: Vec<T>,
}

impl<T> Default for Model<T> {
    fn default() -> Self {
        Self {
            diagonal: Vec::new(),
            updates: Vec::new(),
            count: 0,
            built: false,
            images: Vec::new(),
            held: Vec::new(),
            trial: Vec::new(),
            product: Vec::new(),
            best: Vec::new(),
            alpha: Vec::new(),
            d: Vec::new(),
        }
    }
}

/// Times that coordinates are let go, and times that coordinates are held in between.
const ROUNDS: usize = 12;

/// Whether the bound at which d is holds it there against the slope g.
fn held<T: Scalar>(d: T, g: T, lower: T, upper: T) -> bool {
    lower >= upper || (d <= lower && g > T::zero()) || (d >= upper && g < T::zero())
}

impl<T: Scalar> Model<T> {
    /// d ← a minimiser of the model; its q(d) ≤ 0.
    pub(super) fn minimise(&mut self, pairs: &[Pair<T>], h: &[T], g: &[T], lower: &[T], upper: &[T]) -> T {
        let n = g.len();
        for buffer in [&mut self.d, &mut self.best, &mut self.trial, &mut self.product] {
            buffer.clear();
            buffer.resize(n, T::zero());
        }
        self.initial(pairs, h);
        self.built = false;
        self.held.clear();
        self.held
            .extend((0..n).map(|j| held(T::zero(), g[j], lower[j], upper[j])));
        let mut least = T::zero();
        for _ in 0..ROUNDS {
            let inside = self.settle(pairs, g, lower, upper);
            // unbounded below or NaN: nothing better is known than the best so far
            let value = self.value(pairs, g, inside);
            if value.is_nan() || value >= least {
                break;
            }
            least = value;
            self.best.copy_from_slice(&self.d);
            if inside {
                break;
            }
            // self.product holds B d
            let mut let_go = false;
            for j in 0..n {
                let slope = g[j] + self.product[j];
                if self.held[j] && !held(self.d[j], slope, lower[j], upper[j]) && slope != T::zero() {
                    self.held[j] = false;
                    let_go = true;
                }
            }
            if !let_go {
                break;
            }
        }
        if least == T::zero() {
            least = self.truncate(pairs, g, lower, upper);
        }
        std::mem::swap(&mut self.d, &mut self.best);
        least
    }

    /// θ = √(⟨y, y/h⟩/⟨s, h s⟩) of the newest pair, between the two usual choices ⟨y, y/h⟩/⟨s, y⟩ (timid) and ⟨s, y⟩/⟨s, h s⟩ (bold).
    fn initial(&mut self, pairs: &[Pair<T>], h: &[T]) {
        let theta = pairs.last().map_or_else(T::one, |p| {
            let yy: T = p.y.iter().zip(h).map(|(v, h)| *v * *v / *h).sum();
            let ss: T = p.s.iter().zip(h).map(|(v, h)| *v * *v * *h).sum();
            (yy / ss).sqrt()
        });
        let theta = if theta.is_finite() && theta > T::zero() {
            theta
        } else {
            T::one()
        };
        self.diagonal.clear();
        self.diagonal.extend(h.iter().map(|h| theta * *h));
    }

    /// Holds whatever leaves the box and minimises over the rest, until nothing leaves it. True when nothing is held.
    fn settle(&mut self, pairs: &[Pair<T>], g: &[T], lower: &[T], upper: &[T]) -> bool {
        let n = g.len();
        for _ in 0..4 * ROUNDS {
            self.face(pairs, g);
            let mut left = false;
            for j in 0..n {
                if self.held[j] {
                    continue;
                }
                let t = self.trial[j];
                if t < lower[j] || t > upper[j] {
                    self.held[j] = true;
                    self.d[j] = t.max(lower[j]).min(upper[j]);
                    left = true;
                }
            }
            if !left {
                break;
            }
        }
        for j in 0..n {
            if !self.held[j] {
                let t = self.trial[j];
                // NaN stays: `max` would drop it
                self.d[j] = if t.is_nan() {
                    t
                } else {
                    t.max(lower[j]).min(upper[j])
                };
            }
        }
        !self.held.contains(&true)
    }

    /// trial ← the minimiser over the coordinates that are not held, the others at d.
    fn face(&mut self, pairs: &[Pair<T>], g: &[T]) {
        let n = g.len();
        let moved = (0..n).any(|j| self.held[j] && self.d[j] != T::zero());
        if moved {
            self.build(pairs);
            for j in 0..n {
                self.trial[j] = if self.held[j] { self.d[j] } else { T::zero() };
            }
            let v = std::mem::take(&mut self.trial);
            self.multiply(&v);
            self.trial = v;
        }
        for j in 0..n {
            self.trial[j] = match (self.held[j], moved) {
                (true, _) => T::zero(),
                (false, true) => -g[j] - self.product[j],
                (false, false) => -g[j],
            };
        }
        let closed = pairs.iter().all(|p| {
            p.s.iter()
                .zip(&self.held)
                .all(|(s, held)| !held || *s == T::zero())
        });
        if closed || !self.invert(pairs) {
            self.two_loops(pairs);
        }
    }

    /// trial ← B⁻¹ trial on the face, by the two-loop recursion (Nocedal 1980). Pairs whose part on the face has no
    /// curvature are left out.
    fn two_loops(&mut self, pairs: &[Pair<T>]) {
        let n = self.trial.len();
        self.alpha.clear();
        self.alpha.resize(pairs.len(), T::zero());
        let on_face =
            |p: &Pair<T>, held: &[bool]| -> T { (0..n).filter(|j| !held[*j]).map(|j| p.s[j] * p.y[j]).sum() };
        for (p, a) in pairs.iter().zip(self.alpha.iter_mut()).rev() {
            let sy = on_face(p, &self.held);
            if sy > T::epsilon() * p.sy {
                *a = dot(&p.s, &self.trial) / sy;
                for j in 0..n {
                    if !self.held[j] {
                        self.trial[j] -= *a * p.y[j];
                    }
                }
            }
        }
        for (t, m) in self.trial.iter_mut().zip(&self.diagonal) {
            *t /= *m;
        }
        for (p, a) in pairs.iter().zip(&self.alpha) {
            let sy = on_face(p, &self.held);
            if sy > T::epsilon() * p.sy {
                let b = dot(&p.y, &self.trial) / sy;
                for j in 0..n {
                    if !self.held[j] {
                        self.trial[j] += (*a - b) * p.s[j];
                    }
                }
            }
        }
    }

    /// trial ← B⁻¹ trial on the face by Sherman–Morrison steps; false, trial untouched, when rounding breaks one.
    fn invert(&mut self, pairs: &[Pair<T>]) -> bool {
        self.build(pairs);
        let n = self.trial.len();
        for k in 0..self.count {
            let mut p = match self.images.get_mut(k) {
                Some((p, _)) => std::mem::take(p),
                None => {
                    self.images.push((Vec::new(), T::zero()));
                    Vec::new()
                }
            };
            p.clear();
            p.extend((0..n).map(|j| {
                if self.held[j] {
                    T::zero()
                } else {
                    self.updates[k][j]
                }
            }));
            self.apply_inverse(k, &mut p);
            // b before a: 1 + ⟨b, B⁻¹b⟩ ≥ 1, and 1 − ⟨a, B⁻¹a⟩ > 0 because the result is positive definite
            let sign = if k % 2 == 0 { T::one() } else { -T::one() };
            let pivot = T::one() + sign * dot(&self.updates[k], &p);
            if pivot.is_nan() || pivot <= T::lit(1e3) * T::epsilon() {
                self.images[k].0 = p;
                return false;
            }
            self.images[k] = (p, sign / pivot);
        }
        let mut v = std::mem::take(&mut self.trial);
        self.apply_inverse(self.count, &mut v);
        self.trial = v;
        true
    }

    /// v ← B⁻¹ v, B with its first k updates, on the face (v is zero where coordinates are held).
    fn apply_inverse(&self, k: usize, v: &mut [T]) {
        for (v, m) in v.iter_mut().zip(&self.diagonal) {
            *v /= *m;
        }
        for (update, (image, weight)) in self.updates.iter().zip(&self.images).take(k) {
            let along = dot(update, v);
            axpy(-*weight * along, image, v);
        }
    }

    /// q(d); product ← B d unless `inside`, where q(d) = ½⟨g, d⟩.
    fn value(&mut self, pairs: &[Pair<T>], g: &[T], inside: bool) -> T {
        let half = T::lit(0.5);
        if inside {
            return half * dot(g, &self.d);
        }
        self.build(pairs);
        let d = std::mem::take(&mut self.d);
        self.multiply(&d);
        self.d = d;
        dot(g, &self.d) + half * dot(&self.product, &self.d)
    }

    /// product ← B v
    fn multiply(&mut self, v: &[T]) {
        for ((o, m), v) in self.product.iter_mut().zip(&self.diagonal).zip(v) {
            *o = *m * *v;
        }
        for (k, update) in self.updates.iter().take(self.count).enumerate() {
            let along = dot(update, v);
            axpy(if k % 2 == 0 { along } else { -along }, update, &mut self.product);
        }
    }

    /// The updates of B; product is overwritten.
    fn build(&mut self, pairs: &[Pair<T>]) {
        if self.built {
            return;
        }
        self.built = true;
        self.count = 0;
        for p in pairs {
            self.multiply(&p.s);
            let sbs = dot(&p.s, &self.product);
            if !sbs.is_finite() || sbs <= T::zero() {
                continue;
            }
            while self.updates.len() < self.count + 2 {
                self.updates.push(Vec::new());
            }
            for (k, vector, square) in [(self.count, &p.y, p.sy), (self.count + 1, &self.product, sbs)] {
                let scale = square.sqrt().recip();
                self.updates[k].clear();
                self.updates[k].extend(vector.iter().map(|v| *v * scale));
            }
            self.count += 2;
        }
    }

    /// best ← the step to the minimiser over the first face, cut where it meets a bound; its q. Where blocks fail.
    fn truncate(&mut self, pairs: &[Pair<T>], g: &[T], lower: &[T], upper: &[T]) -> T {
        let n = g.len();
        self.d.fill(T::zero());
        for j in 0..n {
            self.held[j] = held(T::zero(), g[j], lower[j], upper[j]);
        }
        self.face(pairs, g);
        let mut t = T::one();
        for j in 0..n {
            let v = self.trial[j];
            if v < lower[j] {
                t = t.min(lower[j] / v);
            } else if v > upper[j] {
                t = t.min(upper[j] / v);
            }
        }
        let slope = dot(g, &self.trial);
        for (o, v) in self.best.iter_mut().zip(&self.trial) {
            *o = t * *v;
        }
        // B v = −g on the face
        t * (T::one() - T::lit(0.5) * t) * slope
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use proptest::prelude::*;

    /// The BFGS matrix by its textbook recursion, rows one after the other.
    fn dense(pairs: &[Pair<f64>], h: &[f64]) -> Vec<Vec<f64>> {
        let n = h.len();
        let last = &pairs[pairs.len() - 1];
        let yy: f64 = (0..n).map(|j| last.y[j] * last.y[j] / h[j]).sum();
        let ss: f64 = (0..n).map(|j| last.s[j] * last.s[j] * h[j]).sum();
        let theta = (yy / ss).sqrt();
        let mut b: Vec<Vec<f64>> = (0..n)
            .map(|i| (0..n).map(|j| if i == j { theta * h[i] } else { 0.0 }).collect())
            .collect();
        for p in pairs {
            let bs: Vec<f64> = b.iter().map(|row| dot(row, &p.s)).collect();
            let sbs = dot(&p.s, &bs);
            for i in 0..n {
                for j in 0..n {
                    b[i][j] += p.y[i] * p.y[j] / p.sy - bs[i] * bs[j] / sbs;
                }
            }
        }
        b
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// The step is feasible, its value is that of the dense model, and it is the minimiser over the box.
        #[test]
        fn minimises_the_bfgs_model_over_the_box(seed in 0u64..1_000_000, n in 1usize..9, m in 1usize..7, tight in 0.0f64..3.0) {
            let mut random = Random::new(seed);
            let root: Vec<f64> = random.normals(n * n);
            let pairs: Vec<Pair<f64>> = (0..m).map(|k| {
                let mut s: Vec<f64> = random.normals(n);
                if k + 1 < m && n > 1 { s[0] = 0.0; }
                let r: Vec<f64> = (0..n).map(|i| dot(&root[i * n..(i + 1) * n], &s)).collect();
                let y: Vec<f64> = (0..n).map(|j| 0.1 * s[j] + (0..n).map(|i| root[i * n + j] * r[i]).sum::<f64>()).collect();
                let sy = dot(&s, &y);
                Pair { s, y, sy }
            }).collect();
            let h: Vec<f64> = (0..n).map(|_| 0.5 + random.uniform::<f64>()).collect();
            let g: Vec<f64> = random.normals(n);
            let mut side = |sign: f64| -> Vec<f64> {
                (0..n).map(|_| match random.uniform::<f64>() {
                    v if v < 0.2 => 0.0,
                    v if v < 0.4 => sign * f64::INFINITY,
                    v => sign * v * tight,
                }).collect()
            };
            let (lower, upper) = (side(-1.0), side(1.0));
            let mut model = Model::default();
            let value = model.minimise(&pairs, &h, &g, &lower, &upper);
            let b = dense(&pairs, &h);
            let bd: Vec<f64> = b.iter().map(|row| dot(row, &model.d)).collect();
            let expected = dot(&g, &model.d) + 0.5 * dot(&bd, &model.d);
            prop_assert!((value - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "{value} for {expected}");
            let top = (0..n).map(|j| b[j][j]).fold(0.0, f64::max);
            for j in 0..n {
                let d = model.d[j];
                prop_assert!(lower[j] <= d && d <= upper[j]);
                let slope = g[j] + bd[j];
                let residual = (d - slope / top).max(lower[j]).min(upper[j]) - d;
                prop_assert!(residual.abs() <= 1e-8, "coordinate {j}: {residual:e}");
            }
        }
    }
}
