//! A bound of f(x) − min f.
//!
//! With ν = A x − b + s w and h = Aᵀν for any s and w, weak duality gives
//!
//! ```text
//! f(x) − min f  ≤  ½ s²‖w‖² + max over y in the set of hᵀ(x − y)
//! ```
//!
//! s = 0 is the gap of Frank and Wolfe, finite on compact sets. Elsewhere s w serves to make h_j point away from the infinite
//! bounds, which rounding in g_j = 0 would spoil.

use super::region::Region;
use crate::LinalgScalar;
use crate::linalg::{dot, norm2, rounding_of_half_square, rounding_of_sums};
use crate::nnls::problem::Problem;
use crate::solve::Run;

/// A bound of f(x) − min f from r = b − A x and g = −Aᵀr; `size` is that of the terms of r.
pub(super) fn gap<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    region: &Region<T>,
    b: &[T],
    x: &[T],
    r: &[T],
    g: &[T],
    size: T,
    own: Option<&[T]>,
    run: &mut Run<'_>,
) -> T {
    let f = T::lit(0.5) * dot(r, r);
    let mut gap = region.excess(x, g);
    if !gap.is_finite() {
        let ones = vec![T::one(); b.len()];
        let mut p = vec![T::zero(); x.len()];
        for w in [own, Some(b), Some(&ones[..])].into_iter().flatten() {
            problem.adjoint(w, &mut p, run);
            if let Some(s) = least_shift(region, g, &p) {
                let h: Vec<T> = g.iter().zip(&p).map(|(g, p)| *g + s * *p).collect();
                gap = T::lit(0.5) * s * s * dot(w, w) + region.excess(x, &h);
                if gap.is_finite() {
                    break;
                }
            }
        }
    }
    if gap.is_finite() {
        // (no f is below zero)
        gap.min(f) + rounding_of_half_square(rounding_of_sums(x.len().max(b.len()), size), norm2(r))
    } else {
        T::infinity()
    }
}

/// The least s ≥ 0 with which g + s p points away from every infinite bound outside the sum.
fn least_shift<T: LinalgScalar>(region: &Region<T>, g: &[T], p: &[T]) -> Option<T> {
    let (mut least, mut most) = (T::zero(), T::infinity());
    let outside = (0..g.len()).filter(|j| region.weight(*j) == T::zero() && !region.is_bounded(*j));
    for j in outside {
        let sign = match (region.lo[j].is_finite(), region.hi[j].is_finite()) {
            (true, false) => T::one(),
            (false, true) => -T::one(),
            _ => return None, // a free coordinate needs h_j = 0 exactly
        };
        let (g, p) = (sign * g[j], sign * p[j]);
        if g.is_nan() || p.is_nan() {
            return None;
        }
        if p > T::zero() {
            // rounded up, so that h does not end below zero
            least = least.max(-g / p * (T::one() + T::lit(4.0) * T::epsilon()));
        } else if g < T::zero() {
            return None;
        } else if p < T::zero() {
            most = most.min(g / -p);
        }
    }
    (least <= most && least.is_finite()).then_some(least)
}
