//! A rigorous bound of f(x) − min f by weak duality.
//!
//! The dual of min ½‖A x − b‖², x ≥ 0, is max −½‖ν‖² − bᵀν over Aᵀν ≥ 0. With r = A x − b, g = Aᵀr and any w for which
//! some s ≥ 0 gives g + s Aᵀw ≥ 0, the point ν = r + s w is feasible, and so is every positive multiple of it; the
//! best multiple has the value (bᵀν)²/(2‖ν‖²) if bᵀν < 0 and 0 otherwise.

use crate::Scalar;
use crate::linalg::rounding_of_half_square;

/// The gap f − d for a direction w with p = Aᵀw; +∞ when no multiple of w makes r dual feasible.
///
/// All in scaled units; `f` = ½‖r‖², and `rounding` what may be lost in forming r. What rounding may take from f is added, and what it
/// may leave of the constraints: Aᵀν ≥ −δ costs the bound Σ δ_j x*_j, with x* of the size of x.
pub(super) fn duality_gap<T: Scalar>(r: &[T], g: &[T], w: &[T], p: &[T], b: &[T], f: T, rounding: T) -> T {
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
