//! A rigorous bound of f(x) − min f by weak duality.
//!
//! The dual of min ½‖A x − b‖², x ≥ 0, is max −½‖ν‖² − bᵀν over Aᵀν ≥ 0. With r = A x − b, g = Aᵀr and any w for which
//! some s ≥ 0 gives g + s Aᵀw ≥ 0, the point ν = r + s w is feasible, and so is every positive multiple of it; the
//! best multiple has the value (bᵀν)²/(2‖ν‖²) if bᵀν < 0 and 0 otherwise.

use super::driver::Context;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{dot, rounding_of_half_square, rounding_of_sums};
use crate::solve::Run;
use crate::{LinalgScalar, Scalar};

/// Elements from which a pass costs more than to look at sixteen columns first.
const LARGE: usize = 1 << 14;
/// A gap that is small enough to look no further, in units of ‖b‖².
const SMALL: f64 = 1e-6;

/// Where a dual point is looked for.
enum Direction<'w, T> {
    Given(&'w [T]),
    Ones,
}

impl<T: LinalgScalar> Context<'_, '_, T> {
    /// Where f is rounding, f itself. Else by a dual point; directions for it are the method's own, b (Aᵀb > 0 for non-negative data),
    /// then 1, until the bound is small; b first where Aᵀb is known and certain to do. Where none does, f again: min f is not negative.
    pub(super) fn gap(&self, x: &[T], r: &[T], g: &[T], own: Option<&[T]>, run: &mut Run<'_>) -> T {
        let half = T::lit(0.5);
        let negative: Scratch<T> = r.iter().map(|v| -*v).collect();
        let f = half * dot(r, r);
        let rounding = rounding_of_sums(x.len().max(r.len()), self.size(x));
        // the dual point 0 has the value 0
        let trivial = f + rounding_of_half_square(rounding, (f + f).sqrt());
        if trivial <= half * T::epsilon() * self.b_norm * self.b_norm {
            return trivial;
        }
        let mut ones: Scratch<T> = scratch::empty();
        let mut image: Scratch<T> = scratch::zeros(g.len());
        let known = self.correlations.get();
        let certain = known.is_some_and(|c| c.iter().all(|v| *v > T::zero()));
        // (a small matrix is looked at as a whole)
        let elements = self.problem.rows().saturating_mul(self.problem.columns());
        let worst = if self.problem.has_columns() && elements >= LARGE {
            self.most_violated(g)
        } else {
            Vec::new()
        };
        let (first, later) = if certain {
            (Some(self.b), None)
        } else {
            (None, Some(self.b))
        };
        let given = [first, own, later].map(|w| w.map(Direction::Given));
        let small = T::lit(SMALL) * self.b_norm * self.b_norm;
        let enough = small.max(T::lit(4.0) * rounding_of_half_square(rounding, (f + f).sqrt()));
        let mut least = T::infinity();
        for direction in given.into_iter().flatten().chain([Direction::Ones]) {
            let w = match direction {
                Direction::Given(w) => w,
                Direction::Ones => {
                    ones.resize(r.len(), T::one());
                    ones.as_slice()
                }
            };
            let is_b = std::ptr::eq(w, self.b);
            if !(is_b && known.is_some() || self.helps(w, &worst, run)) {
                continue;
            }
            let image = if is_b {
                self.correlations(run)
            } else {
                self.problem.adjoint(w, &mut image, run);
                image.as_slice()
            };
            least = least.min(duality_gap(&negative, g, w, image, self.b, f, rounding));
            // (a direction with Aᵀw barely positive somewhere gives a bound, and not a good one)
            if least <= enough {
                break;
            }
        }
        // (`min` passes over NaN)
        least.min(trivial)
    }

    /// A few of the columns with g_j < 0, the largest |g_j|/‖a_j‖ first.
    fn most_violated(&self, g: &[T]) -> Vec<usize> {
        const LOOKED_AT: usize = 16;
        let norms = self.problem.norms();
        let score = |j: usize| g[j] / norms[j];
        let mut violated: Vec<usize> = (0..g.len())
            .filter(|j| g[*j] < T::zero() && norms[*j] > T::zero())
            .collect();
        let first = |a: &usize, b: &usize| {
            score(*a)
                .partial_cmp(&score(*b))
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        if violated.len() > LOOKED_AT {
            violated.select_nth_unstable_by(LOOKED_AT - 1, first);
            violated.truncate(LOOKED_AT);
        }
        violated
    }

    /// Whether Aᵀw is positive where multipliers are violated: of a few columns a hundredth of a pass tells when it is not.
    fn helps(&self, w: &[T], violated: &[usize], run: &mut Run<'_>) -> bool {
        if violated.is_empty() {
            return true;
        }
        let mut image = vec![T::zero(); violated.len()];
        self.problem.combine_adjoint(violated, w, &mut image, run);
        image.iter().all(|p| *p > T::zero())
    }
}

/// The gap f − d for a direction w with p = Aᵀw; +∞ when no multiple of w makes r dual feasible.
///
/// All in scaled units; `f` = ½‖r‖², and `rounding` what may be lost in forming r. What rounding may take from f is added, and what it
/// may leave of the constraints: Aᵀν ≥ −δ costs the bound Σ δ_j x*_j, with x* of the size of x.
fn duality_gap<T: Scalar>(r: &[T], g: &[T], w: &[T], p: &[T], b: &[T], f: T, rounding: T) -> T {
    let (mut least, mut most) = (T::zero(), T::infinity());
    for (gj, pj) in g.iter().zip(p) {
        if gj.is_nan() || pj.is_nan() {
            return T::infinity();
        }
        if *pj > T::zero() {
            least = least.max(-*gj / *pj);
        } else if *gj < T::zero() {
            return T::infinity(); // this constraint is violated and w does not help
        } else if *pj < T::zero() {
            most = most.min(*gj / -*pj);
        }
    }
    if least > most || !least.is_finite() {
        return T::infinity();
    }
    let s = least;
    let (mut bv, mut vv, mut ww) = (T::zero(), T::zero(), T::zero());
    for ((ri, wi), bi) in r.iter().zip(w).zip(b) {
        let sw = s * *wi;
        let v = *ri + sw;
        bv += *bi * v;
        vv += v * v;
        ww += sw * sw;
    }
    let norm = (f + f).sqrt();
    let largest = f + rounding_of_half_square(rounding, norm);
    if bv < T::zero() && vv > T::zero() {
        let t = -bv / vv;
        let dual = -bv * t * T::lit(0.5);
        // (where r and s w cancel, t is large, and so is what rounding has left of the constraints)
        let outside = t * rounding * (norm + ww.sqrt());
        ((f - dual).max(T::zero()) + rounding_of_half_square(rounding, norm) + outside).min(largest)
    } else {
        largest
    }
}
