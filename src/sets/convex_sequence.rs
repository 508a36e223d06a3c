//! {x_{i−1} − 2xᵢ + x_{i+1} ≥ 0}.

use super::level::{Metric, all_finite, nan_of, positive_part};
use super::{ConstraintSet, Polyhedron};
use crate::checks::check_not_empty;
use crate::linalg::max_or_nan;
use crate::{Result, Scalar};

/// Convex sequences {x ∈ Rⁿ : x_{k−1} − 2x_k + x_{k+1} ≥ 0}: convex regression on an even grid.
///
/// ```math
/// \begin{aligned}
/// & x_i = a + b\, i + \sum_{1 \le k < n - 1} s_k\, (i - k)_+, \quad s \ge 0 \\
/// \text{natural residual} &\quad \max\ |\partial_a| / \gamma,\ |\partial_b| / \gamma,\ |\min(\gamma_k s_k, \mu_k / \gamma_k)| \\
/// \text{multipliers} &\quad \mu_{k+1} = \sum_i (i - k)_+\, g_i, \quad \mu_0 = \sum_i g_i \text{ and } \mu_1 = \sum_i i\, g_i, \text{ which vanish at a solution}
/// \end{aligned}
/// ```
///
/// The residual is taken in the coordinates $`(a, b, s)`$; $`\mu_{k+1}`$ belongs to the second difference at k.
///
/// γ is the norm of the generator's coefficients in units of c. There is no cheap projection, so the residual
/// is that of the coordinates (a, b, s), in which the set is an orthant times a plane: zero at the same points. A
/// scale of 0 counts as the largest scale.
///
/// ```
/// use reparam::sets::{ConstraintSet, ConvexSequenceSet};
/// let set = ConvexSequenceSet::<f64>::new(4).unwrap();
/// assert_eq!(set.violation(&[0.0, 1.0, 4.0, 9.0]), 0.0);
/// assert_eq!(set.violation(&[0.0, 2.0, 3.0, 3.5]), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvexSequenceSet<T> {
    dim: usize,
    scalar: std::marker::PhantomData<T>,
}

impl<T: Scalar> ConvexSequenceSet<T> {
    /// Convex sequences of length n (all of Rⁿ for n ≤ 2).
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0.
    ///
    /// ```
    /// assert!(reparam::sets::ConvexSequenceSet::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        check_not_empty("the sequence", dim)?;
        Ok(Self {
            dim,
            scalar: std::marker::PhantomData,
        })
    }
}

fn second_difference<T: Scalar>(x: &[T], k: usize) -> T {
    (x[k + 1] - x[k]) - (x[k] - x[k - 1])
}

/// out_k = Σ_i (i − k + 1)₊ gᵢ for k ≥ 1, and out₀ = Σ g: the adjoint of the double cumulative sum.
pub(crate) fn double_reverse_sums<T: Scalar>(g: impl Fn(usize) -> T, out: &mut [T]) {
    let (mut single, mut double) = (T::zero(), T::zero());
    for k in (0..out.len()).rev() {
        single += g(k);
        double += single;
        out[k] = if k == 0 { single } else { double };
    }
}

impl<T: Scalar> ConstraintSet<T> for ConvexSequenceSet<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        let nan = nan_of(x);
        max_or_nan(
            (1..self.dim.max(2) - 1)
                .map(|k| positive_part(-second_difference(x, k)))
                .chain([nan]),
        )
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let Some(metric) = Metric::new(x.len(), scale) else {
            return T::nan();
        };
        if !all_finite(x) || !all_finite(g) {
            return T::nan();
        }
        let mut mu = vec![T::zero(); self.dim];
        double_reverse_sums(|i| g[i] / metric.size, &mut mu);
        // γ_k² = Σ c_i² (i − k + 1)₊², by the recursion of the sums of 1, m and m² weights
        let (mut s0, mut s1, mut s2) = (T::zero(), T::zero(), T::zero());
        let mut worst = T::zero();
        for k in (0..self.dim).rev() {
            s0 += metric.c[k] * metric.c[k];
            s2 += s1 + s1 + s0;
            s1 += s0;
            let gamma = if k == 0 { s0.sqrt() } else { s2.sqrt() };
            let slope = mu[k] / gamma;
            let r = if k < 2 {
                slope
            } else {
                (gamma * second_difference(x, k - 1) * metric.size).min(slope)
            };
            worst = max_or_nan([worst, r.abs()]);
        }
        worst
    }
    fn multipliers(&self, _x: &[T], g: &[T], out: &mut [T]) {
        double_reverse_sums(|i| g[i], out);
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        // x_i = z₀ + z₁ i + Σ_{k ≥ 2} z_k (i − k + 1)₊ with the second differences z_k ≥ 0
        let n = self.dim;
        if n > 512 {
            return None; // n² generators
        }
        let generators = (0..n * n).map(|at| match (at % n, at / n) {
            (_, 0) => T::one(),
            (i, k) => T::count((i + 1).saturating_sub(k)),
        });
        Some(Polyhedron::Image {
            generators: generators.collect(),
            offset: vec![T::zero(); n],
            inner: Box::new(Polyhedron::Bounds {
                lower: (0..n)
                    .map(|k| if k < 2 { T::neg_infinity() } else { T::zero() })
                    .collect(),
                upper: vec![T::infinity(); n],
                sum: None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_sums_are_the_adjoint() {
        let g = [1.0, -2.0, 0.5, 3.0];
        let mut out = [0.0; 4];
        double_reverse_sums(|i| g[i], &mut out);
        for k in 1..4 {
            let want: f64 = (k..4).map(|i| (i - k + 1) as f64 * g[i]).sum();
            assert_eq!(out[k], want);
        }
        assert_eq!(out[0], 2.5);
    }
}
