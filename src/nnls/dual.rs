//! A rigorous bound of f(x) − min f by weak duality.
//!
//! The dual of min ½‖A x − b‖², x ≥ 0, is max −½‖ν‖² − bᵀν over Aᵀν ≥ 0. With r = A x − b, g = Aᵀr and any w for which
//! some s ≥ 0 gives g + s Aᵀw ≥ 0, the point ν = r + s w is feasible, and so is every positive multiple of it; the
//! best multiple has the value (bᵀν)²/(2‖ν‖²) if bᵀν < 0 and 0 otherwise.

use crate::Scalar;

/// The gap f − d for a direction w with p = Aᵀw; +∞ when no multiple of w makes r dual feasible.
///
/// All in scaled units; `f` = ½‖r‖².
pub(super) fn duality_gap<T: Scalar>(r: &[T], g: &[T], w: &[T], p: &[T], b: &[T], f: T) -> T {
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
    let (mut bv, mut vv) = (T::zero(), T::zero());
    for ((ri, wi), bi) in r.iter().zip(w).zip(b) {
        let v = *ri + s * *wi;
        bv += *bi * v;
        vv += v * v;
    }
    let dual = if bv < T::zero() && vv > T::zero() {
        bv * (bv / vv) * T::lit(0.5)
    } else {
        T::zero()
    };
    // no finer than the rounding of f and d themselves: less would claim more than was computed
    (f - dual).max(T::lit(4.0) * T::epsilon() * dual).min(f)
}
