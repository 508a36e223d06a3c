//! One dominant singular value, treated exactly: projections onto the bounds that leave its component unchanged.
//!
//! Columns with a common mean give A one large singular value σ₁ with singular vectors u and a/‖a‖, a = Âᵀu. A projection onto
//! x ≥ 0 then adds mass along a, at the price σ₁²; gradient steps short enough to be stable there are too short everywhere else. In
//!
//! ```text
//! ½‖Â y − b‖² = ½‖(I − u uᵀ)(Â y − b)‖² + ½(aᵀy − β)²        β = uᵀb
//! ```
//!
//! the second term has a proximal operator over a box that costs one monotone equation in one unknown: clip(z − μ a) for the
//! right μ. What is left is as well conditioned as A without its mean.

use crate::LinalgScalar;
use crate::least_squares::problem::{Problem, over};
use crate::linalg::{dot, norm2};
use crate::outcome::Run;
use crate::sets::clip;

/// Part of Σ‖â_j‖² that lies along u from which on the direction is worth the trouble.
const SHARE: f64 = 0.2;

pub(super) struct Dominant<T> {
    /// Âᵀu, columns of unit length.
    pub(super) a: Vec<T>,
    /// uᵀb
    pub(super) beta: T,
    /// Mean of ‖(I − u uᵀ) â_j‖².
    pub(super) rest: T,
}

impl<T: LinalgScalar> Dominant<T> {
    /// The direction, by a step of the power method from the sum of all columns; None where it takes no large part.
    pub(super) fn find(problem: &Problem<'_, T>, b: &[T], run: &mut Run<'_>) -> Option<Self> {
        if !problem.has_common_direction() {
            return None;
        }
        let mut sum = vec![T::zero(); problem.rows()];
        let ones: Vec<T> = problem.norms().iter().map(|c| over(T::one(), *c)).collect();
        problem.apply(&ones, &mut sum, run);
        Self::along(problem, &sum, b, run)
    }

    /// The direction of `image`, a sum of columns with weights of one sign; None where it takes no large part.
    pub(super) fn along(problem: &Problem<'_, T>, image: &[T], b: &[T], run: &mut Run<'_>) -> Option<Self> {
        if !problem.has_common_direction() {
            return None;
        }
        let size = norm2(image).recip();
        let u: Vec<T> = image.iter().map(|v| *v * size).collect();
        let norms = problem.norms();
        let mut a = vec![T::zero(); norms.len()];
        problem.adjoint(&u, &mut a, run);
        for (a, c) in a.iter_mut().zip(norms) {
            *a = over(*a, *c);
        }
        let columns = T::from_usize(norms.iter().filter(|c| **c > T::zero()).count())?;
        let share = dot(&a, &a) / columns;
        (share >= T::lit(SHARE)).then(|| Self {
            beta: dot(&u, b),
            rest: (T::one() - share).max(T::epsilon()),
            a,
        })
    }

    /// out_j ← clip(z_j − μ a_j) for the `members`, with Σ a_j out_j = s + w μ over them. With w = 0 and s = Σ a_j z_j this is the projection
    /// onto the box with that value of the sum; with w = 1/t and s = β, over all j, the proximal step of length t for ½(⟨a, ·⟩ − β)².
    pub(super) fn clip(
        &self,
        members: &(impl Iterator<Item = usize> + Clone),
        z: &[T],
        bounds: (&[T], &[T]),
        s: T,
        w: T,
        out: &mut [T],
    ) {
        let (lo, hi) = bounds;
        let (mut left, mut right) = (T::neg_infinity(), T::infinity());
        let mut mu = T::zero();
        for _ in 0..60 {
            let (mut value, mut slope, mut size) = (T::zero(), w, s.abs());
            for j in members.clone() {
                let a = self.a[j];
                let moved = z[j] - mu * a;
                out[j] = clip(moved, lo[j], hi[j]);
                let part = a * out[j];
                value += part;
                size += part.abs();
                if out[j] == moved {
                    slope += a * a;
                }
            }
            let excess = value - s - w * mu;
            if excess.is_nan() || excess.abs() <= T::lit(8.0) * T::epsilon() * size {
                return;
            }
            if excess > T::zero() {
                left = mu;
            } else {
                right = mu;
            }
            let newton = mu + excess / slope;
            mu = if left < newton && newton < right {
                newton
            } else if left.is_finite() && right.is_finite() {
                T::lit(0.5) * (left + right)
            } else {
                return; // everything is at a bound: no μ does better
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// clip(z − μ a) for one μ, and ⟨a, out⟩ = s + w μ, where the bounds let it.
    #[test]
    fn the_equation_holds() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let n = 1 + (seed as usize % 23);
            let mut draw = || -> Vec<f64> { random.normals(n) };
            let (a, z, one, other, inside) = (draw(), draw(), draw(), draw(), draw());
            let unbounded = seed % 3 == 0;
            let lo: Vec<f64> = (0..n).map(|j| one[j].min(other[j])).collect();
            let hi: Vec<f64> = (0..n)
                .map(|j| {
                    if unbounded {
                        f64::INFINITY
                    } else {
                        one[j].max(other[j])
                    }
                })
                .collect();
            let d = Dominant {
                a,
                beta: 0.3,
                rest: 1.0,
            };
            for (s, w) in [(d.beta, 0.5), (d.beta, 20.0), (f64::NAN, 0.0)] {
                // for w = 0 a value that the box has
                let point: Vec<f64> = (0..n).map(|j| clip(inside[j], lo[j], hi[j])).collect();
                let s = if s.is_nan() { dot(&d.a, &point) } else { s };
                let mut out = vec![0.0; n];
                d.clip(&(0..n), &z, (&lo, &hi), s, w, &mut out);
                assert!((0..n).all(|j| lo[j] <= out[j] && out[j] <= hi[j]));
                let free: Vec<usize> = (0..n).filter(|j| lo[*j] < out[*j] && out[*j] < hi[*j]).collect();
                let Some(first) = free.first() else { continue };
                let mu = (z[*first] - out[*first]) / d.a[*first];
                for j in 0..n {
                    assert!(
                        (out[j] - clip(z[j] - mu * d.a[j], lo[j], hi[j])).abs() < 1e-8 * (1.0 + mu.abs())
                    );
                }
                let size: f64 = 1.0 + d.a.iter().zip(&out).map(|(a, o)| (a * o).abs()).sum::<f64>();
                assert!((dot(&d.a, &out) - s - w * mu).abs() < 1e-10 * size * (1.0 + w) * (1.0 + mu.abs()));
            }
        }
    }

    /// Columns with a mean have the mean; independent ones have nothing.
    #[test]
    fn a_mean_is_found() {
        let (m, n) = (80, 50);
        let normals: Vec<f64> = Random::new(1).normals(m * n);
        let b: Vec<f64> = Random::new(2).normals(m);
        let found = |shift: f64| {
            let data: Vec<f64> = normals.iter().map(|v| v + shift).collect();
            let a = crate::operators::Dense::column_major(&data, m, n).unwrap();
            let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
            Dominant::find(&problem, &b, &mut Run::unlimited())
        };
        assert!(found(0.0).is_none());
        let d = found(3.0).unwrap();
        // the square of a cosine between 3·1 + noise and 1: 9/10
        assert!((dot(&d.a, &d.a) / n as f64 - 0.9).abs() < 0.02);
        assert!((d.rest - 0.1).abs() < 0.02);
        let mean = b.iter().sum::<f64>() / (m as f64).sqrt();
        assert!((d.beta - mean).abs() < 0.5);
    }
}
