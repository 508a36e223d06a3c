//! Private dense kernels. Plain loops where a library call costs more than it saves; factorisations and
//! matrix products by faer (or nalgebra without that feature).

pub(crate) mod conjugate_gradient;
mod jacobi;
mod packed;
mod quasi_newton;
pub(crate) mod scratch;
pub(crate) mod twice;

pub(crate) use jacobi::{compose, symmetric_eigen, symmetric_eigenvalues};
pub(crate) use packed::PackedUpper;
pub(crate) use quasi_newton::two_loops;

use crate::Scalar;

/// Runs loops over slices compiled for the vector instructions of this machine, found when the program runs.
///
/// Without contraction to fused operations: the same bits as the baseline instructions give, in fewer cycles. What `f` calls must
/// be inlined into it (`#[inline(always)]`: the `*_body` of this file), and take longer than the call itself, some nanoseconds.
#[inline(always)]
pub(crate) fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(feature = "faer")]
    {
        pulp::Arch::new().dispatch(f)
    }
    #[cfg(not(feature = "faer"))]
    {
        f()
    }
}

/// Partial sums of an inner product.
pub(crate) const LANES: usize = 8;

/// Vectors shorter than this are done where they are.
const SHORT: usize = 48;

/// The sum of eight partial sums, half on half: in an order in which they stay in the lanes where they were added up. (By neighbours,
/// the compiler would shuffle the lanes inside the loop that feeds them.)
#[inline(always)]
pub(crate) fn halves<T: Scalar>(s: &[T; LANES]) -> T {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

/// ⟨a, b⟩ with eight partial sums, which lets the compiler vectorise and shortens the rounding chain.
#[inline]
pub(crate) fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    if a.len() < SHORT {
        return dot_body(a, b);
    }
    wide(
        #[inline(always)]
        || dot_body(a, b),
    )
}

/// [`dot`] for use inside [`wide`].
#[inline(always)]
pub(crate) fn dot_body<T: Scalar>(a: &[T], b: &[T]) -> T {
    debug_assert_eq!(a.len(), b.len());
    let mut s = [T::zero(); LANES];
    let (ac, bc) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = rest_of_dot(ac.remainder(), bc.remainder());
    for (p, q) in ac.zip(bc) {
        for k in 0..LANES {
            s[k] += p[k] * q[k];
        }
    }
    rest + halves(&s)
}

/// Σᵢ term(i) with the eight partial sums of [`dot`].
pub(crate) fn sum_of<T: Scalar>(m: usize, term: impl Fn(usize) -> T) -> T {
    let mut s = [T::zero(); LANES];
    let whole = m - m % LANES;
    let mut i = 0;
    while i < whole {
        for (k, s) in s.iter_mut().enumerate() {
            *s += term(i + k);
        }
        i += LANES;
    }
    let rest: T = (whole..m).map(&term).sum();
    rest + halves(&s)
}

/// `K` inner products with one vector, which is read once, each summed as [`dot`] does; for use inside [`wide`].
///
/// The columns go side by side: one after the other they would come from memory at half its rate.
#[inline(always)]
pub(crate) fn dots_body<T: Scalar, const K: usize>(a: [&[T]; K], b: &[T]) -> [T; K] {
    let mut s = [[T::zero(); LANES]; K];
    let (of_b, rest) = b.as_chunks::<LANES>();
    let groups = a.map(
        #[inline(always)]
        |v| &v.as_chunks::<LANES>().0[..of_b.len()],
    );
    for (i, q) in of_b.iter().enumerate() {
        for k in 0..K {
            for l in 0..LANES {
                s[k][l] += groups[k][i][l] * q[l];
            }
        }
    }
    // (by way of memory: or else the compiler shuffles lanes in the loop to have the results side by side at its end)
    let s = std::hint::black_box(s);
    let mut dots = [T::zero(); K];
    for ((dot, a), s) in dots.iter_mut().zip(&a).zip(&s) {
        *dot = rest_of_dot(&a[b.len() - rest.len()..], rest) + halves(s);
    }
    dots
}

/// What is left of an inner product behind the last group of `LANES`.
#[inline(always)]
fn rest_of_dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut t = T::zero();
    for (p, q) in a.iter().zip(b) {
        t += *p * *q;
    }
    t
}

/// y += α x
#[inline]
pub(crate) fn axpy<T: Scalar>(alpha: T, x: &[T], y: &mut [T]) {
    if x.len() < SHORT {
        return axpy_body(alpha, x, y);
    }
    wide(
        #[inline(always)]
        || axpy_body(alpha, x, y),
    );
}

/// [`axpy`] for use inside [`wide`].
#[inline(always)]
pub(crate) fn axpy_body<T: Scalar>(alpha: T, x: &[T], y: &mut [T]) {
    debug_assert_eq!(x.len(), y.len());
    for (yi, xi) in y.iter_mut().zip(x) {
        *yi += alpha * *xi;
    }
}

/// y += Σ_k α_k a_k for four or eight vectors: y is read and written once; for use inside [`wide`].
#[inline(always)]
pub(crate) fn axpys_body<T: Scalar, const K: usize>(alpha: [T; K], a: [&[T]; K], y: &mut [T]) {
    const { assert!(K == 4 || K == 8) }
    let a = a.map(
        #[inline(always)]
        |v| &v[..y.len()],
    );
    for (i, y) in y.iter_mut().enumerate() {
        let product = |k: usize| alpha[k] * a[k][i];
        let fours = |k: usize| (product(k) + product(k + 1)) + (product(k + 2) + product(k + 3));
        *y += if K == 4 { fours(0) } else { fours(0) + fours(4) };
    }
}

/// v ← L⁻¹ v for the lower triangle of a column-major k×k matrix.
pub(crate) fn forward<T: Scalar>(l: &[T], k: usize, v: &mut [T]) {
    wide(
        #[inline(always)]
        || forward_body(l, k, v),
    );
}

/// v ← L⁻ᵀ v
pub(crate) fn backward<T: Scalar>(l: &[T], k: usize, v: &mut [T]) {
    wide(
        #[inline(always)]
        || backward_body(l, k, v),
    );
}

/// v ← (L Lᵀ)⁻¹ v
pub(crate) fn solve_lower<T: Scalar>(l: &[T], k: usize, v: &mut [T]) {
    wide(
        #[inline(always)]
        || {
            forward_body(l, k, v);
            backward_body(l, k, v);
        },
    );
}

#[inline(always)]
fn forward_body<T: Scalar>(l: &[T], k: usize, v: &mut [T]) {
    for j in 0..k {
        let column = &l[j * k..(j + 1) * k];
        let t = v[j] / column[j];
        v[j] = t;
        let (_, below) = v.split_at_mut(j + 1);
        axpy_body(-t, &column[j + 1..], below);
    }
}

#[inline(always)]
fn backward_body<T: Scalar>(l: &[T], k: usize, v: &mut [T]) {
    for j in (0..k).rev() {
        let column = &l[j * k..(j + 1) * k];
        v[j] = (v[j] - dot_body(&column[j + 1..], &v[j + 1..])) / column[j];
    }
}

/// The largest of non-negative numbers; NaN if any is NaN.
///
/// `Float::max` drops NaN, so a diverged run would have residual 0: every max-norm goes through here.
#[inline]
pub(crate) fn max_or_nan<T: Scalar>(values: impl IntoIterator<Item = T>) -> T {
    let mut m = T::zero();
    for v in values {
        if v.is_nan() {
            return v;
        }
        if v > m {
            m = v;
        }
    }
    m
}

/// v ≤ 0 or NaN: what must never pass for a positive coordinate.
#[inline]
pub(crate) fn not_positive<T: Scalar>(v: T) -> bool {
    v.is_nan() || v <= T::zero()
}

/// max |vᵢ|, NaN if any entry is NaN.
#[inline]
pub(crate) fn max_abs<T: Scalar>(v: &[T]) -> T {
    max_or_nan(v.iter().map(|x| x.abs()))
}

/// ‖v‖₂ without overflow or underflow: exact scaling by a power of two when the entries are extreme.
pub(crate) fn norm2<T: Scalar>(v: &[T]) -> T {
    root_of_squares(dot(v, v)).unwrap_or_else(|| norm2_of_any_size(v.len(), |i| v[i]))
}

/// √s for a sum of squares in the order of [`dot`] that neither overflowed nor lost a digit to underflow.
pub(crate) fn root_of_squares<T: Scalar>(s: T) -> Option<T> {
    // (squares lost to underflow are smaller than the smallest number over its unit roundoff: far below the last digit of s)
    let largest = pow2::<T>(i32::try_from(safe_exponent::<T>() / 6 * 5).unwrap_or(100));
    (s <= largest && s * largest >= T::one()).then(|| s.sqrt())
}

/// [`norm2`] of the numbers v(0), …, v(m − 1), whose squares may overflow or underflow.
pub(crate) fn norm2_of_any_size<T: Scalar>(m: usize, v: impl Fn(usize) -> T) -> T {
    let largest = max_or_nan((0..m).map(|i| v(i).abs()));
    if largest == T::zero() || !largest.is_finite() {
        return largest;
    }
    let e = exponent(largest);
    let s = pow2::<T>(-e);
    // (in the order of `dot`: a norm scaled by a power of two is the scaled norm, to the last bit)
    let sum = sum_of(m, |i| (v(i) * s) * (v(i) * s));
    sum.sqrt() * pow2::<T>(e)
}

/// What rounding may take from a vector of sums of so many terms: γ Σ‖terms‖ in norm with γ = k u/(1 − k u), k = terms + 2 for the
/// product in each term and what it is added to (Higham 2002, section 3.5). +∞ where the terms are too many for this precision.
pub(crate) fn rounding_of_sums<T: Scalar>(terms: usize, size: T) -> T {
    let lost = T::count(terms.saturating_add(2)) * T::lit(0.5) * T::epsilon();
    if lost < T::lit(0.5) {
        lost / (T::one() - lost) * size
    } else {
        T::infinity()
    }
}

/// What such a loss in v may change in ½‖v‖².
pub(crate) fn rounding_of_half_square<T: Scalar>(rounding: T, norm: T) -> T {
    rounding * (norm + rounding)
}

/// The e with 2^e ≤ |v| < 2^{e+1}, clamped to what [`pow2`] represents; 0 for v = 0.
pub(crate) fn exponent<T: Scalar>(v: T) -> i32 {
    let (mantissa, shift, _) = v.integer_decode();
    if mantissa == 0 {
        return 0;
    }
    let e = i32::from(shift) + 63 - i32::try_from(mantissa.leading_zeros()).unwrap_or(0);
    let limit = i32::try_from(safe_exponent::<T>()).unwrap_or(120);
    e.clamp(-limit, limit)
}

/// 2^e for |e| at most [`safe_exponent`], exactly, by squaring: the precision of `powi` is not specified.
pub(crate) fn pow2<T: Scalar>(e: i32) -> T {
    let two = T::one() + T::one();
    let mut square = if e < 0 { two.recip() } else { two };
    let mut power = T::one();
    let mut left = e.unsigned_abs();
    while left > 0 {
        if left & 1 == 1 {
            power *= square;
        }
        square = square * square;
        left >>= 1;
    }
    power
}

/// The largest |e| for which 2^e and 2^{−e} are both normal numbers with room for a sum: 1000 for f64, 120 for f32.
pub(crate) fn safe_exponent<T: Scalar>() -> u32 {
    if T::max_value().as_f64() > 1e300 {
        1000
    } else {
        120
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_survives_extremes() {
        for s in [1.0_f64, 1e-300, 1e-160, 1e160, 1e300, 5e-324] {
            let n = norm2(&[3.0 * s, 4.0 * s]);
            assert!((n / s - 5.0).abs() < 1e-12, "{s:e}: {n:e}");
        }
        assert!(norm2(&[1.0, f64::NAN]).is_nan());
        assert_eq!(norm2(&[0.0_f32; 4]), 0.0);
        assert!((norm2(&[3e38_f32 / 4.0, 0.0]) / 7.5e37 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn exponents_bracket() {
        for v in [1.0, 1.5, 2.0, 0.3, 1e-200, 7e250] {
            let e = exponent(v);
            assert!(pow2::<f64>(e) <= v && v < pow2::<f64>(e + 1), "{v:e} {e}");
        }
    }

    #[test]
    fn norms_of_any_size_round_alike() {
        let v: Vec<f64> = (0..29).map(|i| (1.3 * f64::from(i)).sin() + 0.1).collect();
        for e in [-900, -500, -400, 400, 500, 900] {
            let w: Vec<f64> = v.iter().map(|x| x * pow2::<f64>(e)).collect();
            assert_eq!(norm2(&w), norm2(&v) * pow2::<f64>(e), "2^{e}");
        }
    }

    #[test]
    fn powers_of_two_are_exact() {
        assert_eq!((pow2::<f64>(0), pow2::<f32>(1)), (1.0, 2.0));
        for e in -1000..=1000_i32 {
            let bits = u64::from((1023 + e).unsigned_abs()) << 52;
            assert_eq!(pow2::<f64>(e), f64::from_bits(bits), "2^{e}");
        }
    }

    #[test]
    fn max_keeps_nan() {
        assert!(max_or_nan([1.0, f64::NAN, 2.0]).is_nan());
        assert_eq!(max_or_nan([1.0, 3.0, 2.0]), 3.0);
    }
}
