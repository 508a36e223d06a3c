//! Faces: the free coordinates, with a factor of their columns.
//!
//! One face is on a QR factor ([`QrFace`]), one on a dense Gram matrix ([`GramFace`]), one on a Gram factor that grows ([`GrowingGram`]). All
//! serve the monotone active-set method.

mod gram;
mod growing_gram;
mod qr;

pub(super) use gram::GramFace;
pub(super) use growing_gram::GrowingGram;
pub(super) use qr::QrFace;

use super::problem::Problem;
use crate::linalg::{axpy_body, dot_body, dots_body, norm2, wide};
use crate::outcome::Run;
use crate::{LinalgScalar, Scalar};

/// Coordinates F with a factor of A_F that grows and shrinks.
///
/// Values of the members are in the order of [`members`](Self::members); `held` has the values of all other coordinates, and is empty where those
/// are zero ([`Region::ZERO_OFF_FACE`](super::region::Region::ZERO_OFF_FACE)).
///
/// Over x ≥ 0 a factor gives the minimiser itself. Elsewhere coordinates off the face are at non-zero bounds. Then a factor gives the *step* from
/// the current point, which does not depend on them. A face over such a set is told the point ([`rebase`](Self::rebase), [`moved`](Self::moved)).
pub(super) trait Face<T: Scalar> {
    /// F, in the order of the factor.
    fn members(&self) -> &[usize];
    /// Receives the candidates of a pricing pass (score, column), the best first, before some of them are added.
    fn prepare(&mut self, _candidates: &[(T, usize)], _run: &mut Run<'_>) {}
    /// After a column was refused: whether another method should take over.
    fn gives_up(&self) -> bool {
        false
    }
    /// Adds coordinate j; false (and nothing changes) when its column depends on the others in this precision.
    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool;
    /// Removes the member at a position.
    fn remove(&mut self, position: usize);
    /// Takes this as the present point and recomputes its residual. Does nothing where coordinates off the face are zero.
    fn rebase(&mut self, _x: &[T], _held: &[T], _run: &mut Run<'_>) {}
    /// The present point has gone this part of the way to the minimiser.
    fn moved(&mut self, _part: T) {}
    /// Whether the multiplier of the sum is known: a member takes part in it, or there is none.
    fn is_anchored(&self) -> bool {
        true
    }
    /// z ← argmin ‖A_F z − b‖ with the others held, keeping the sum. `x` are the present values.
    fn minimiser(&mut self, x: &[T], z: &mut [T]);
    /// w ← −(g − λ w_sum), the negative reduced gradient, for every coordinate, with x the minimiser over F. Returns the size of the residual
    /// down to which rounding leaves w meaningful: an entry of 200 ε times that (per column norm) is noise.
    fn price_all(&mut self, x: &[T], held: &[T], w: &mut [T], run: &mut Run<'_>) -> T;
    /// w_j for one column, at the minimiser over F.
    fn price(&mut self, j: usize, x: &[T]) -> Option<T>;
    /// One step of iterative refinement of the minimiser: δ ← A_F⁺ (b − A x) with the residual formed in A.
    fn correction(&mut self, x: &[T], held: &[T], delta: &mut [T], run: &mut Run<'_>);
}

/// The size of a residual as [`price_all`](Face::price_all) reports it: if b is interpolated, the prices are only rounding. `size` is that
/// of the terms of the residual.
fn meaningful<T: Scalar>(residual: T, size: T) -> T {
    if residual <= T::lit(50.0) * T::epsilon() * size {
        T::infinity()
    } else {
        residual
    }
}

/// Subtracts the projection onto the columns of Q; adds the coefficients to `coefficients` (as many as it has room for). `h` is scratch.
pub(crate) fn orthogonalise<T: Scalar>(q: &[T], column: &mut [T], coefficients: &mut [T], h: &mut Vec<T>) {
    let m = column.len();
    h.clear();
    // classical Gram–Schmidt: all coefficients first, so that the loops stream through Q, four columns at a time
    wide(
        #[inline(always)]
        || {
            let fours = q.chunks_exact(4 * m);
            let rest = fours.remainder();
            for c in fours {
                h.extend_from_slice(&dots_body(
                    [&c[..m], &c[m..2 * m], &c[2 * m..3 * m], &c[3 * m..]],
                    column,
                ));
            }
            h.extend(rest.chunks_exact(m).map(|qi| dot_body(qi, column)));
            for (qi, hi) in q.chunks_exact(4 * m).zip(h.chunks_exact(4)) {
                let (q0, q1, q2, q3) = (&qi[..m], &qi[m..2 * m], &qi[2 * m..3 * m], &qi[3 * m..]);
                for ((((v, a), b), c), d) in column.iter_mut().zip(q0).zip(q1).zip(q2).zip(q3) {
                    *v -= (hi[0] * *a + hi[1] * *b) + (hi[2] * *c + hi[3] * *d);
                }
            }
            let done = h.len() - h.len() % 4;
            for (qi, hi) in q[done * m..].chunks_exact(m).zip(&h[done..]) {
                axpy_body(-*hi, qi, column);
            }
        },
    );
    for (c, hi) in coefficients.iter_mut().zip(h.iter()) {
        *c += *hi;
    }
}

/// [`orthogonalise`], and again where most of the column went: twice is enough for orthogonality to working precision (Giraud,
/// Langou & Rozložník 2005), and once where a column keeps 70 % of its length (Daniel, Gragg, Kaufman & Stewart 1976).
pub(crate) fn orthogonalise_fully<T: Scalar>(
    q: &[T],
    column: &mut [T],
    coefficients: &mut [T],
    h: &mut Vec<T>,
) {
    let before = norm2(column);
    orthogonalise(q, column, coefficients, h);
    let after = norm2(column);
    if after.is_nan() || after < T::lit(0.7) * before {
        orthogonalise(q, column, coefficients, h);
    }
}

/// A column whose part orthogonal to the face is this much smaller than itself is dependent on it (500 ε).
pub(crate) fn dependence<T: Scalar>() -> T {
    T::lit(500.0) * T::epsilon()
}

/// r ← b − A_F x
pub(super) fn residual<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    face: &[usize],
    x: &[T],
    r: &mut [T],
    run: &mut Run<'_>,
) {
    problem.combine(face, x, r, run);
    for (ri, bi) in r.iter_mut().zip(b) {
        *ri = *bi - *ri;
    }
}

/// G_FF, lower triangle and more, from the whole Gram matrix.
pub(crate) fn gather<T: Copy>(gram: &[T], n: usize, face: &[usize], out: &mut [T]) {
    let k = face.len();
    for (q, j) in face.iter().enumerate() {
        let column = &gram[j * n..(j + 1) * n];
        for (p, i) in face.iter().enumerate().skip(q) {
            out[q * k + p] = column[*i];
        }
    }
}

/// Whether a pivot has lost so much of its diagonal entry that one refinement would not restore the digits (10⁻¹⁰ in f64).
pub(crate) fn weak_pivot<T: Scalar>(l: &[T], k: usize, diagonal: impl Fn(usize) -> T) -> bool {
    let limit = gram_dependence::<T>();
    (0..k).any(|p| {
        let v = l[p * k + p];
        let d = v * v;
        d.is_nan() || d <= limit * diagonal(p)
    })
}

/// √ε/150: 1e-10 in f64, 2e-6 in f32.
pub(crate) fn gram_dependence<T: Scalar>() -> T {
    T::epsilon().sqrt() / T::lit(150.0)
}

/// −p_j/w_j, p the negative gradient, equal for all members at the minimiser: their mean in the metric of the column norms, where the small
/// columns have the largest weight.
pub(super) fn mean_multiplier<T: LinalgScalar>(
    members: &[usize],
    norms: &[T],
    weights: &[T],
    p: &[T],
) -> Option<T> {
    let (mut top, mut bottom) = (T::zero(), T::zero());
    for j in members {
        let w = weights[*j];
        if norms[*j] == T::zero() && w > T::zero() {
            return Some(T::zero()); // a slack pulls at nothing
        }
        if w > T::zero() {
            let share = w / norms[*j];
            top -= share * (p[*j] / norms[*j]);
            bottom += share * share;
        }
    }
    (bottom > T::zero()).then(|| top / bottom)
}

/// r − Σ w x, or 0 where it is below the rounding of the sum and need not be corrected.
fn worth_closing<T: LinalgScalar>((gap, size): (T, T)) -> T {
    if gap.abs() <= T::lit(64.0) * T::epsilon() * size {
        T::zero()
    } else {
        gap
    }
}
