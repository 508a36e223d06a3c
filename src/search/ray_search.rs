//! The exact search along a lifted line.
//!
//! For least squares and a map whose rays are quadratic, x(t) = x + t p + t² q, the objective along the ray is
//! the quartic
//!
//! ```math
//! \begin{aligned}
//! h(t) &= \tfrac12 \lVert r + t P + t^2 Q\rVert^2, \qquad r = A x - b, \quad P = A p, \quad Q = A q \\
//! h(t) - h(0) &= t\, \langle r, P\rangle + t^2 \bigl(\tfrac12 \lVert P\rVert^2 + \langle r, Q\rangle\bigr) + t^3 \langle P, Q\rangle + \tfrac12 t^4 \lVert Q\rVert^2
//! \end{aligned}
//! ```
//!
//! whose coefficients cost five inner products. Its best minimiser is found from the (at most three) roots of the
//! cubic derivative: a better step than any line search, without a further product with A.

use crate::Scalar;
use crate::linalg::dot;

/// h(t) = a₁ t + a₂ t² + a₃ t³ + a₄ t⁴.
///
/// ```
/// use reparam::search::Quartic;
/// let q = Quartic::along(&[1.0_f64], &[-1.0], &[0.0]); // ½(1 − t)²
/// assert_eq!(q.value(1.0), -0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartic<T> {
    /// The coefficients a₁ … a₄.
    pub coefficients: [T; 4],
}

impl<T: Scalar> Quartic<T> {
    /// ½‖r + t P + t² Q‖² − ½‖r‖².
    ///
    /// ```
    /// use reparam::search::Quartic;
    /// let q = Quartic::along(&[1.0_f64, 0.0], &[2.0, 1.0], &[0.0, 3.0]);
    /// assert_eq!(q.coefficients, [2.0, 2.5, 3.0, 4.5]);
    /// ```
    pub fn along(r: &[T], p: &[T], q: &[T]) -> Self {
        let half = T::lit(0.5);
        Self {
            coefficients: [
                dot(r, p),
                half * dot(p, p) + dot(r, q),
                dot(p, q),
                half * dot(q, q),
            ],
        }
    }

    /// h(t).
    ///
    /// ```
    /// use reparam::search::Quartic;
    /// assert_eq!(Quartic { coefficients: [0.0, 1.0, 0.0, 0.0] }.value(3.0), 9.0);
    /// ```
    pub fn value(&self, t: T) -> T {
        let [a, b, c, d] = self.coefficients;
        t * (a + t * (b + t * (c + t * d)))
    }
}

/// The t ≥ 0 of least h, for h with a non-negative leading coefficient. 0 when h does not decrease from 0.
///
/// Newton's method guarded by bisection on the derivative, started at the Cauchy bound of its roots; the other two
/// roots from the quadratic that is left.
///
/// ```
/// use reparam::search::{Quartic, minimise_quartic};
/// let t = minimise_quartic(&Quartic { coefficients: [-2.0, 0.0, 0.0, 0.5] }); // h' = −2 + 2t³
/// assert!((t - 1.0_f64).abs() < 1e-15);
/// ```
pub fn minimise_quartic<T: Scalar>(h: &Quartic<T>) -> T {
    let [a, b, c, d] = h.coefficients;
    let (two, three, four) = (T::lit(2.0), T::lit(3.0), T::lit(4.0));
    // h' = k₀ + k₁ t + k₂ t² + k₃ t³
    let k = [a, two * b, three * c, four * d];
    let size = k.iter().fold(T::zero(), |m, v| m.max(v.abs()));
    if !size.is_finite() || size == T::zero() || k.iter().any(|v| v.is_nan()) {
        return T::zero();
    }
    let mut best = (T::zero(), T::zero());
    let mut offer = |t: T| {
        if t > T::zero() && t.is_finite() {
            let t = polish(&k, t);
            let v = h.value(t);
            if v < best.1 {
                best = (t, v);
            }
        }
    };
    let tiny = T::epsilon() * T::epsilon() * size;
    if k[3] <= tiny {
        for t in quadratic_roots(k[2], k[1], k[0]).into_iter().flatten() {
            offer(t);
        }
        return best.0;
    }
    // a real root of the cubic, bracketed between the Cauchy bounds
    let bound = T::one() + k[..3].iter().fold(T::zero(), |m, v| m.max((*v / k[3]).abs()));
    let root = bracketed_root(&k, -bound, bound);
    offer(root);
    // deflate: k₃ t² + (k₂ + k₃ root) t + (k₁ + (k₂ + k₃ root) root)
    let q1 = k[2] + k[3] * root;
    for t in quadratic_roots(k[3], q1, k[1] + q1 * root).into_iter().flatten() {
        offer(t);
    }
    best.0
}

fn cubic<T: Scalar>(k: &[T; 4], t: T) -> (T, T) {
    let v = k[0] + t * (k[1] + t * (k[2] + t * k[3]));
    let s = k[1] + t * (T::lit(2.0) * k[2] + t * T::lit(3.0) * k[3]);
    (v, s)
}

/// Two Newton steps, kept only if they bring the derivative closer to zero.
fn polish<T: Scalar>(k: &[T; 4], mut t: T) -> T {
    for _ in 0..2 {
        let (v, s) = cubic(k, t);
        let next = t - v / s;
        if next.is_finite() && next > T::zero() && cubic(k, next).0.abs() < v.abs() {
            t = next;
        }
    }
    t
}

/// The root of an increasing-at-the-ends cubic in [lo, hi].
fn bracketed_root<T: Scalar>(k: &[T; 4], mut lo: T, mut hi: T) -> T {
    let mut t = (lo + hi) * T::lit(0.5);
    for _ in 0..200 {
        let (v, s) = cubic(k, t);
        if v == T::zero() {
            return t;
        }
        if v > T::zero() {
            hi = t;
        } else {
            lo = t;
        }
        let newton = t - v / s;
        let next = if newton > lo && newton < hi {
            newton
        } else {
            (lo + hi) * T::lit(0.5)
        };
        if next == t || (next - t).abs() <= T::epsilon() * t.abs() {
            return next;
        }
        t = next;
    }
    t
}

/// Real roots of α t² + β t + γ without cancellation.
fn quadratic_roots<T: Scalar>(alpha: T, beta: T, gamma: T) -> [Option<T>; 2] {
    if alpha == T::zero() {
        return [(beta != T::zero()).then(|| -gamma / beta), None];
    }
    let disc = beta * beta - T::lit(4.0) * alpha * gamma;
    if disc.is_nan() || disc < T::zero() {
        return [None, None];
    }
    let q = -T::lit(0.5) * (beta + beta.signum() * disc.sqrt());
    [Some(q / alpha), (q != T::zero()).then(|| gamma / q)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// No point of a fine grid, nor any local perturbation, does better than the answer.
        #[test]
        fn is_the_best_of_the_ray(r in prop::array::uniform3(-3.0f64..3.0), p in prop::array::uniform3(-3.0f64..3.0), q in prop::array::uniform3(-3.0f64..3.0)) {
            let h = Quartic::along(&r, &p, &q);
            let t = minimise_quartic(&h);
            prop_assert!(t >= 0.0);
            let best = h.value(t);
            let scale = h.coefficients.iter().fold(1.0f64, |m, v| m.max(v.abs()));
            for i in 0..4000 {
                let s = f64::from(i) * 0.01;
                prop_assert!(h.value(s) >= best - 1e-9 * scale * (1.0 + s.powi(4)), "t = {t}, h = {best}; s = {s}, h = {}", h.value(s));
            }
        }
    }

    #[test]
    fn degenerate_rays() {
        assert_eq!(
            minimise_quartic(&Quartic {
                coefficients: [0.0_f64; 4]
            }),
            0.0
        );
        assert_eq!(
            minimise_quartic(&Quartic {
                coefficients: [f64::NAN, 1.0, 0.0, 0.0]
            }),
            0.0
        );
        assert_eq!(
            minimise_quartic(&Quartic {
                coefficients: [1.0_f64, 1.0, 0.0, 0.0]
            }),
            0.0
        );
        assert!(
            (minimise_quartic(&Quartic {
                coefficients: [-2.0_f32, 1.0, 0.0, 0.0]
            }) - 1.0)
                .abs()
                < 1e-6
        );
    }
}
