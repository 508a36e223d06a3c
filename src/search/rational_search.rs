//! The exact search along a rational lifted line.
//!
//! Maps that normalise (simplices, the ℓ1 ball, fixed traces) have rays x(t) = (ω₀x + t lin + t² quad)/W(t) with
//! W = ω₀ + ω₁t + ω₂t². With p = lin − ω₁x and q = quad − ω₂x that is
//!
//! ```text
//! x(t) − x = (t p + t² q)/W(t)                       no term that does not vanish with t
//! h(t) = ½‖r + (t P + t² Q)/W‖²                      r = A x − b, P = A p, Q = A q
//! h(t) − h(0) = N(t)/W(t)²
//! N = (t⟨r,P⟩ + t²⟨r,Q⟩) W + ½‖t P + t² Q‖²          degree 4
//! h′ = (N′W − 2NW′)/W³
//! ```
//!
//! The coefficient of t^{k+j−1} in N′W − 2NW′ is Σ (k − 2j) n_k ω_j. For k = 4, j = 2, the only term of degree 5, the factor
//! is 0: the stationary points are the real roots of a quartic, at most four. All of them are bracketed between the
//! roots of its derivative, which are found in the same way; those beyond 1 as roots of the reversed polynomial, in 1/t.

use crate::Scalar;

/// h(t) = (n₁t + n₂t² + n₃t³ + n₄t⁴)/(ω₀ + ω₁t + ω₂t²)².
///
/// ```
/// use reparam::search::RationalQuartic;
/// let h = RationalQuartic { numerator: [-1.0, 1.0, 0.0, 0.0], omega: [1.0, 0.0, 1.0] };
/// assert_eq!(h.value(2.0), 2.0 / 25.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RationalQuartic<T> {
    /// n₁ … n₄.
    pub numerator: [T; 4],
    /// ω₀, ω₁, ω₂ of a denominator that is positive, but for one t at most.
    pub omega: [T; 3],
}

impl<T: Scalar> RationalQuartic<T> {
    /// From ½‖r + (t P + t² Q)/W‖² − ½‖r‖² by its inner products: `linear` = [⟨r,P⟩, ⟨r,Q⟩],
    /// `quadratic` = [½‖P‖², ⟨P,Q⟩, ½‖Q‖²].
    ///
    /// ```
    /// use reparam::search::RationalQuartic;
    /// // r = 1, P = −1, Q = 0, W = 1 + t²
    /// let h = RationalQuartic::along([-1.0, 0.0], [0.5, 0.0, 0.0], [1.0, 0.0, 1.0]);
    /// assert_eq!(h.value(1.0), 0.5 * (1.0 - 0.5_f64).powi(2) - 0.5);
    /// ```
    pub fn along(linear: [T; 2], quadratic: [T; 3], omega: [T; 3]) -> Self {
        let ([a, b], [p, m, q], [w0, w1, w2]) = (linear, quadratic, omega);
        Self {
            numerator: [w0 * a, w1 * a + w0 * b + p, w2 * a + w1 * b + m, w2 * b + q],
            omega,
        }
    }

    /// h(t).
    ///
    /// ```
    /// use reparam::search::RationalQuartic;
    /// let h = RationalQuartic { numerator: [1.0, 0.0, 0.0, 0.0], omega: [2.0, 0.0, 0.0] };
    /// assert_eq!(h.value(8.0), 2.0);
    /// ```
    pub fn value(&self, t: T) -> T {
        let ([a, b, c, d], [w0, w1, w2]) = (self.numerator, self.omega);
        if t > T::one() {
            // the same in 1/t: no power of t overflows
            let s = T::one() / t;
            let w = w2 + s * (w1 + s * w0);
            return (d + s * (c + s * (b + s * a))) / w / w;
        }
        let w = w0 + t * (w1 + t * w2);
        t * (a + t * (b + t * (c + t * d))) / w / w
    }

    /// N′W − 2NW′, lowest coefficient first: h′ without its positive denominator.
    fn slope(&self) -> [T; 5] {
        let ([a, b, c, d], [w0, w1, w2]) = (self.numerator, self.omega);
        let (two, three) = (T::lit(2.0), T::lit(3.0));
        [
            a * w0,
            two * b * w0 - a * w1,
            three * (c * w0 - a * w2),
            (two + two) * d * w0 + c * w1 - two * b * w2,
            two * d * w1 - c * w2,
        ]
    }

    /// h(s t) as a function of t.
    fn stretched(&self, s: T) -> Self {
        let ([a, b, c, d], [w0, w1, w2]) = (self.numerator, self.omega);
        Self {
            numerator: [a * s, b * s * s, c * s * s * s, d * s * s * s * s],
            omega: [w0, w1 * s, w2 * s * s],
        }
    }
}

/// The t ≥ 0 of least h; 0 when h does not decrease from 0. Where h falls towards a limit at infinity that is below every
/// stationary value, a t at which x(t) is that limit to about one part in a thousand (the next ray starts from there).
///
/// ```
/// use reparam::search::{RationalQuartic, minimise_rational};
/// // ½(1 − t/(1 + t²))², least where t/(1 + t²) is largest
/// let h = RationalQuartic::along([-1.0, 0.0], [0.5, 0.0, 0.0], [1.0, 0.0, 1.0]);
/// assert!((minimise_rational(&h) - 1.0_f64).abs() < 1e-12);
/// ```
pub fn minimise_rational<T: Scalar>(h: &RationalQuartic<T>) -> T {
    let [w0, _, w2] = h.omega;
    // t in units in which the denominator is about 1 + … + t²
    let unit = if w2 > T::zero() {
        (w0 / w2).sqrt()
    } else {
        T::one()
    };
    if unit <= T::zero() || !unit.is_finite() {
        return T::zero();
    }
    let scaled = h.stretched(unit);
    let k = scaled.slope();
    if k.iter().any(|v| !v.is_finite()) || scaled.numerator.iter().any(|v| !v.is_finite()) {
        return T::zero();
    }
    let mut best = (T::zero(), T::zero());
    let mut offer = |t: T| {
        let v = scaled.value(t);
        if v < best.1 {
            best = (t, v);
        }
    };
    let mut roots = [T::zero(); 4];
    for i in 0..unit_roots(&k, &mut roots) {
        offer(roots[i]);
    }
    let mut reversed = k;
    reversed.reverse();
    for i in 0..unit_roots(&reversed, &mut roots) {
        offer(T::one() / roots[i]);
    }
    offer(T::lit(1e3));
    best.0 * unit
}

fn horner<T: Scalar>(k: &[T], t: T) -> T {
    k.iter().rev().fold(T::zero(), |s, v| s * t + *v)
}

/// The roots of Σ k_i t^i in (0, 1] at which the sign changes, in order; their number.
fn unit_roots<T: Scalar>(k: &[T], roots: &mut [T; 4]) -> usize {
    let degree = k.len() - 1;
    if degree == 0 {
        return 0;
    }
    let mut slope = [T::zero(); 4];
    for (i, s) in slope[..degree].iter_mut().enumerate() {
        *s = T::count(i + 1) * k[i + 1];
    }
    let slope = &slope[..degree];
    // between two roots of the slope the polynomial is monotone
    let mut turns = [T::zero(); 4];
    let count = unit_roots(slope, &mut turns);
    let (mut low, mut found) = (T::zero(), 0);
    for high in turns[..count].iter().copied().chain([T::one()]) {
        let (a, b) = (horner(k, low), horner(k, high));
        if high > low && found < roots.len() && (a < T::zero()) != (b < T::zero()) {
            let t = bracketed(k, slope, low, high, a < T::zero());
            if t > T::zero() {
                roots[found] = t;
                found += 1;
            }
        }
        low = high;
    }
    found
}

/// The root in [low, high] of a polynomial with a sign change there: Newton's method guarded by bisection.
fn bracketed<T: Scalar>(k: &[T], slope: &[T], mut low: T, mut high: T, rising: bool) -> T {
    let half = T::lit(0.5);
    let mut t = (low + high) * half;
    for _ in 0..200 {
        let v = horner(k, t);
        if v == T::zero() {
            return t;
        }
        if (v < T::zero()) == rising {
            low = t;
        } else {
            high = t;
        }
        let newton = t - v / horner(slope, t);
        let next = if newton > low && newton < high {
            newton
        } else {
            (low + high) * half
        };
        if (next - t).abs() <= T::epsilon() * t.abs() || next == low || next == high {
            return next;
        }
        t = next;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// h is what it says, and no point of a grid over all scales does better than the answer.
        #[test]
        fn is_the_best_of_the_ray(
            r in prop::array::uniform3(-3.0f64..3.0), p in prop::array::uniform3(-3.0f64..3.0), q in prop::array::uniform3(-3.0f64..3.0),
            u in prop::array::uniform3(-2.0f64..2.0), d in prop::array::uniform3(-2.0f64..2.0), size in -6i32..6,
        ) {
            let d = d.map(|v| v * 10f64.powi(size));
            let omega = [dot(&u, &u), 2.0 * dot(&u, &d), dot(&d, &d)];
            prop_assume!(omega[0] > 1e-2 && omega[2] > 1e-14);
            let (p, q) = (p.map(|v| v * 10f64.powi(size)), q.map(|v| v * 100f64.powi(size)));
            let h = RationalQuartic::along([dot(&r, &p), dot(&r, &q)], [0.5 * dot(&p, &p), dot(&p, &q), 0.5 * dot(&q, &q)], omega);
            let direct = |t: f64| {
                let w = omega[0] + t * (omega[1] + t * omega[2]);
                let moved: [f64; 3] = std::array::from_fn(|i| r[i] + t * (p[i] + t * q[i]) / w);
                (0.5 * dot(&moved, &moved), 0.5 * dot(&r, &r))
            };
            let t = minimise_rational(&h);
            prop_assert!(t >= 0.0);
            let best = h.value(t);
            let unit = (omega[0] / omega[2]).sqrt();
            for i in 0..2000 {
                let s = unit * 10f64.powf(-4.0 + 7.0 * f64::from(i) / 2000.0);
                let (there, here) = direct(s);
                prop_assert!((there - here - h.value(s)).abs() <= 1e-10 * (there + here), "value at {s}");
                // beyond a thousand units the ray stands still to a thousandth
                prop_assert!(there - here >= best - 1e-9 * (there + here), "t = {t}: {best}; s = {s}: {}", there - here);
            }
        }

        /// A polynomial with known roots.
        #[test]
        fn finds_all_roots(a in 0.01f64..0.99, b in 0.01f64..0.99, c in 0.01f64..0.99, e in 1.5f64..9.0) {
            let mut want = [a, b, c];
            want.sort_by(f64::total_cmp);
            prop_assume!(want[1] - want[0] > 1e-3 && want[2] - want[1] > 1e-3);
            let mut k = vec![1.0];
            for root in [a, b, c, e] {
                let mut next = vec![0.0; k.len() + 1];
                for (i, v) in k.iter().enumerate() {
                    next[i] -= root * v;
                    next[i + 1] += v;
                }
                k = next;
            }
            let mut roots = [0.0; 4];
            prop_assert_eq!(unit_roots(&k, &mut roots), 3);
            for (r, w) in roots.iter().zip(want) {
                prop_assert!((r - w).abs() < 1e-9, "{r} {w}");
            }
        }
    }

    #[test]
    fn degenerate_rays() {
        let flat = RationalQuartic {
            numerator: [0.0_f64; 4],
            omega: [1.0, 0.0, 1.0],
        };
        assert_eq!(minimise_rational(&flat), 0.0);
        let nan = RationalQuartic {
            numerator: [f64::NAN, 1.0, 0.0, 0.0],
            omega: [1.0, 0.0, 1.0],
        };
        assert_eq!(minimise_rational(&nan), 0.0);
        // d parallel to u: x does not move, and W has a double root
        let still = RationalQuartic {
            numerator: [0.0_f64; 4],
            omega: [1.0, -2.0, 1.0],
        };
        assert_eq!(minimise_rational(&still), 0.0);
        // falls towards its limit: ½(1 − t²/(1 + t²))²
        let limit = RationalQuartic::along([0.0, -1.0], [0.0, 0.0, 0.5], [1.0_f32, 0.0, 1.0]);
        let t = minimise_rational(&limit);
        assert!(limit.value(t) < -0.499);
        // a constant denominator: the quartic itself
        let quartic = RationalQuartic::along([-2.0, 0.0], [0.0, 0.0, 0.5], [1.0_f64, 0.0, 0.0]);
        assert!((minimise_rational(&quartic) - 1.0).abs() < 1e-12); // −2t + ½t⁴
    }
}
