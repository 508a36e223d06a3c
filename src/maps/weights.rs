//! The common part of all maps through the simplex: p = u²/‖u‖², Σp = 1.
//!
//! Every quantity is formed from û = s u, s the power of two that brings max|u| into [1, 2): exact, and safe for every
//! u. Two guards against cancellation near a vertex, where p is close to 1 in its largest entry `top`: what Σp = 1
//! implies for `top` is taken from the sum of the others, and weights w enter as w − w_top.
//!
//! s itself enters in two halves, s = s' s'', as late as possible: s is up to 2^±1000, and intermediate products could overflow or underflow
//! where the result does not. What is zero stays zero where s/‖û‖² overflows.
//!
//! Functions take the multiplier vector as a closure k ↦ w_k, so that a slack coordinate (w = 0) or a mirrored one (−w)
//! costs nothing. With b = ⟨p, w⟩, q = w − b and n = ‖u‖², for F(u) = r⟨p, w⟩:
//!
//! ```text
//! ∇F = (2r/n) u∘q      ∇²F v = (2r/n) (v∘q − (2⟨u,v⟩/n) u∘q − (2⟨u∘q,v⟩/n) u)
//! ```

use crate::Scalar;
use crate::linalg::{exponent, pow2};

/// û and what is needed of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit<T> {
    /// û = s u.
    pub(super) s: T,
    /// s', and s'' with s' s'' = s: powers of two.
    pub(super) halves: [T; 2],
    infinite: bool,
    /// Index of the largest |u|.
    pub(super) top: usize,
    /// ‖û‖².
    pub(super) square: T,
    /// ‖û‖² without the entry `top`.
    pub(super) rest: T,
}

impl<T: Scalar> Unit<T> {
    /// None for u = 0, which has no direction.
    pub(super) fn of(u: &[T]) -> Option<Self> {
        Self::from_fn(u.len(), |k| u[k])
    }

    pub(super) fn from_fn(len: usize, u: impl Fn(usize) -> T) -> Option<Self> {
        let (mut top, mut largest) = (0, T::zero());
        for k in 0..len {
            let a = u(k).abs();
            if a.is_nan() {
                return Some(Self {
                    s: a,
                    halves: [a; 2],
                    infinite: false,
                    top: k,
                    square: a,
                    rest: a,
                });
            }
            if a > largest {
                (top, largest) = (k, a);
            }
        }
        if largest == T::zero() {
            return None;
        }
        let infinite = largest.is_infinite();
        let (s, halves) = if infinite {
            (T::zero(), [T::zero(); 2])
        } else {
            let e = -exponent(largest);
            (pow2(e), [pow2(e / 2), pow2(e - e / 2)])
        };
        let mut unit = Self {
            s,
            halves,
            infinite,
            top,
            square: T::zero(),
            rest: T::zero(),
        };
        for k in 0..len {
            if k != top {
                let v = unit.at(u(k));
                unit.rest += v * v;
            }
        }
        let v = unit.at(u(top));
        unit.square = unit.rest + v * v;
        Some(unit)
    }

    /// û_k from u_k. Of an infinite u only the infinite entries count.
    #[inline]
    pub(super) fn at(&self, uk: T) -> T {
        if !self.infinite {
            self.s * uk
        } else if uk.is_infinite() {
            uk.signum()
        } else {
            T::zero()
        }
    }

    /// r and s in the order in which they are multiplied: what comes before other factors, and what comes behind them. Those of opposite
    /// signs of their exponents meet early, others late.
    #[inline]
    pub(super) fn split(&self, r: T) -> (T, T) {
        let [first, second] = self.halves;
        if (r < T::one()) == (self.s > T::one()) {
            (r * first, second)
        } else {
            (r, self.s)
        }
    }

    /// √r/‖û‖.
    pub(super) fn root_over_length(&self, r: T) -> T {
        let ratio = r / self.square;
        // (‖û‖² is far below 1 where u is so small that no s brings it to 1)
        if ratio.is_infinite() {
            r.sqrt() / self.square.sqrt()
        } else {
            ratio.sqrt()
        }
    }

    /// v s²; 0 for v = 0, whatever s.
    #[inline]
    pub(super) fn twice_scaled(&self, v: T) -> T {
        let [a, b] = self.halves;
        times(times(v * a, b) * a, b)
    }

    /// v (s r)²; 0 for v = 0.
    #[inline]
    pub(super) fn twice_times(&self, r: T, v: T) -> T {
        let [a, b] = self.halves;
        let sr = a * r * b;
        times(times(v, sr), sr)
    }

    /// p_k from u_k, at most 1.
    #[inline]
    pub(super) fn weight(&self, uk: T) -> T {
        let v = self.at(uk);
        v * v / self.square
    }
}

/// v·factor; 0 for v = 0, even where the factor overflowed.
#[inline]
pub(super) fn times<T: Scalar>(v: T, factor: T) -> T {
    if v == T::zero() { v } else { v * factor }
}

/// put(k, p_k); p = 1/len at u = 0.
pub(super) fn weights<T: Scalar>(u: &[T], mut put: impl FnMut(usize, T)) {
    match Unit::of(u) {
        None => {
            let even = T::one() / T::count(u.len());
            (0..u.len()).for_each(|k| put(k, even));
        }
        Some(n) => u.iter().enumerate().for_each(|(k, uk)| put(k, n.weight(*uk))),
    }
}

/// put(k, (dp/du · v)_k); zeros at u = 0.
pub(super) fn jvp<T: Scalar>(u: &[T], v: &[T], mut put: impl FnMut(usize, T)) {
    let Some(n) = Unit::of(u) else {
        return (0..u.len()).for_each(|k| put(k, T::zero()));
    };
    let [first, second] = n.halves;
    let mut along = T::zero();
    for (uk, vk) in u.iter().zip(v) {
        along += n.at(*uk) * (first * *vk);
    }
    along /= n.square;
    let mut others = T::zero();
    for (k, (uk, vk)) in u.iter().zip(v).enumerate() {
        if k != n.top {
            let x = n.at(*uk);
            let d = (x + x) / n.square * (first * *vk - x * along);
            others += d;
            put(k, d * second);
        }
    }
    put(n.top, -(others * second));
}

/// q_k = w_k − ⟨p, w⟩, accurate where it is small.
fn centred<'a, T: Scalar>(n: &Unit<T>, u: &[T], w: &'a impl Fn(usize) -> T) -> impl Fn(usize) -> T + 'a {
    let reference = w(n.top);
    let mut mean = T::zero();
    for (k, uk) in u.iter().enumerate() {
        mean += n.weight(*uk) * (w(k) - reference);
    }
    move |k| (w(k) - reference) - mean
}

/// out ← r (dp/du)ᵀ w; zeros at u = 0.
pub(super) fn vjp<T: Scalar>(u: &[T], w: impl Fn(usize) -> T, r: T, out: &mut [T]) {
    let Some(n) = Unit::of(u) else {
        return out.fill(T::zero());
    };
    let q = centred(&n, u, &w);
    let (r, late) = n.split(r);
    let f = (r + r) / n.square;
    for (k, o) in out.iter_mut().enumerate() {
        *o = f * n.at(u[k]) * q(k) * late;
    }
}

/// out ← Σ r w_k ∇²p_k v; zeros at u = 0.
pub(super) fn curvature<T: Scalar>(u: &[T], w: impl Fn(usize) -> T, v: &[T], r: T, out: &mut [T]) {
    let Some(n) = Unit::of(u) else {
        return out.fill(T::zero());
    };
    let q = centred(&n, u, &w);
    let (mut along, mut tilt) = (T::zero(), T::zero());
    let [first, second] = n.halves;
    for (k, uk) in u.iter().enumerate() {
        let a = n.at(*uk) * (first * v[k]);
        along += a;
        tilt += a * q(k);
    }
    let two = T::lit(2.0);
    (along, tilt) = (two * along / n.square, two * tilt / n.square);
    let (r, late) = n.split(r);
    let f = (r + r) / n.square;
    for (k, o) in out.iter_mut().enumerate() {
        let (x, qk) = (n.at(u[k]), q(k));
        *o = f * (first * v[k] * qk - along * x * qk - tilt * x) * second * late;
    }
}

/// out ← diag of the curvature.
pub(super) fn curvature_diagonal<T: Scalar>(u: &[T], w: impl Fn(usize) -> T, r: T, out: &mut [T]) {
    let Some(n) = Unit::of(u) else {
        return out.fill(T::zero());
    };
    let q = centred(&n, u, &w);
    let f = (r + r) / n.square;
    for (k, o) in out.iter_mut().enumerate() {
        *o = n.twice_scaled(f * q(k) * (T::one() - T::lit(4.0) * n.weight(u[k])));
    }
}

/// out ← diag of (dx/du)ᵀ diag(h) (dx/du) for x_i = r p_i, h_i = 0 for a slack coordinate.
pub(super) fn gauss_newton_diagonal<T: Scalar>(u: &[T], h: impl Fn(usize) -> T, r: T, out: &mut [T]) {
    let Some(n) = Unit::of(u) else {
        return out.fill(T::zero());
    };
    let term = |k: usize| {
        let p = n.weight(u[k]);
        h(k) * p * p
    };
    let rest: T = (0..u.len()).filter(|k| *k != n.top).map(term).sum();
    let total = rest + term(n.top);
    let f = T::lit(4.0) / n.square;
    for (k, o) in out.iter_mut().enumerate() {
        let p = n.weight(u[k]);
        let (others, distance) = if k == n.top {
            (rest, n.rest / n.square)
        } else {
            (total - term(k), T::one() - p)
        };
        *o = n.twice_times(r, f * p * (others + h(k) * distance * distance));
    }
}

/// Leaves the faces u_k = 0 whose multiplier g_k − ⟨p, g⟩ is negative. `h` is the curvature of f along x_k.
///
/// Each such k is worth the move x + σ(r e_k − x), for which f falls for σ up to −slope/curvature; curvature at most
/// (Σ|d_i|√h_i)². The average of these moves falls as well, by convexity, and is the one made: p_k ← σ_k/count.
pub(super) fn release<T: Scalar>(
    u: &[T],
    r: T,
    g: impl Fn(usize) -> T,
    h: impl Fn(usize) -> T,
    du: &mut [T],
) -> usize {
    du.fill(T::zero());
    let Some(n) = Unit::of(u) else {
        return 0;
    };
    if n.s == T::zero() {
        return 0;
    }
    let q = centred(&n, u, &g);
    let root = |k: usize| h(k).max(T::zero()).sqrt();
    let spread: T = (0..u.len()).map(|k| n.weight(u[k]) * root(k)).sum();
    // a margin for rounding: a degenerate multiplier must not be released again and again
    let margin = |k: usize| T::lit(4.0) * T::epsilon() * (g(k).abs() + g(n.top).abs());
    let leaves = |k: usize| u[k] == T::zero() && q(k) < -margin(k);
    let count = (0..u.len()).filter(|k| leaves(*k)).count();
    if count == 0 {
        return 0;
    }
    let mut moved = T::zero();
    for k in 0..u.len() {
        if leaves(k) {
            let bend = root(k) + spread;
            // in units of r: slope r q, curvature r² bend²
            let best = -q(k) / bend / (r * bend);
            let sigma = if best < T::lit(0.5) { best } else { T::lit(0.5) } / T::count(count);
            du[k] = sigma;
            moved += sigma;
        }
    }
    let f = n.square / (T::one() - moved);
    for d in du.iter_mut() {
        *d = (*d * f).sqrt() / n.s;
    }
    count
}

/// u of norm √r in the same direction: then x = u² on the simplex of radius r.
pub(super) fn renormalize<T: Scalar>(u: &mut [T], r: T) {
    let Some(n) = Unit::of(u) else {
        return u.fill((r / T::count(u.len())).sqrt());
    };
    let f = n.root_over_length(r);
    for v in u.iter_mut() {
        *v = n.at(*v) * f;
    }
}

/// The ray p(u + t d) = (ω₀ p + t lin + t² quad)/(ω₀ + ω₁ t + ω₂ t²): put(k, lin_k, quad_k), ω returned. None at u = 0.
pub(super) fn ray<T: Scalar>(u: &[T], d: &[T], mut put: impl FnMut(usize, T, T)) -> Option<[T; 3]> {
    let n = Unit::of(u)?;
    let (mut linear, mut square) = (T::zero(), T::zero());
    for (k, (uk, dk)) in u.iter().zip(d).enumerate() {
        let (x, y) = (n.at(*uk), n.s * *dk);
        put(k, (x + x) * y, y * y);
        linear += x * y;
        square += y * y;
    }
    Some([n.square, linear + linear, square])
}

/// out_k ← 4 (x_k g_k − x_k ⟨x, g⟩/r): J Jᵀ g at ‖u‖² = r, the metric of replicator dynamics (Fisher, Shahshahani).
pub(super) fn metric<T: Scalar>(
    r: T,
    len: usize,
    x: impl Fn(usize) -> T,
    g: impl Fn(usize) -> T,
    mut put: impl FnMut(usize, T),
) {
    let mut top = 0;
    for k in 1..len {
        if x(k) > x(top) {
            top = k;
        }
    }
    let reference = g(top);
    let mean = (0..len).map(|k| x(k) * (g(k) - reference)).sum::<T>() / r;
    // what a slack coordinate holds has multiplier 0
    let total: T = (0..len).map(&x).sum();
    let slack = -reference * (r - total) / r;
    for k in 0..len {
        put(k, T::lit(4.0) * x(k) * ((g(k) - reference) - mean - slack));
    }
}
