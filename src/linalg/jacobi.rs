//! Eigenvalues of a symmetric matrix over any `Scalar`, by cyclic Jacobi rotations.
//!
//! Only certificates and sections of matrix sets ask for it, so O(n³) per sweep and some ten sweeps are
//! acceptable; in return it needs nothing but arithmetic and finds small eigenvalues to full relative accuracy of ‖A‖
//! (Golub & Van Loan, Matrix Computations, §8.5).

use super::{exponent, max_abs, pow2};
use crate::Scalar;

/// out ← Σ f(k) q_k q_kᵀ, row-major, q_k the rows of `vectors`.
pub(crate) fn compose<T: Scalar>(vectors: &[T], n: usize, f: impl Fn(usize) -> T, out: &mut [T]) {
    out.fill(T::zero());
    for (k, q) in vectors.chunks_exact(n).enumerate() {
        let value = f(k);
        if value == T::zero() {
            continue;
        }
        for i in 0..n {
            let s = value * q[i];
            for j in 0..n {
                out[i * n + j] += s * q[j];
            }
        }
    }
}

/// The eigenvalues of (A + Aᵀ)/2, decreasing, A row-major n×n. None when an entry is not finite.
pub(crate) fn symmetric_eigenvalues<T: Scalar>(a: &[T], n: usize) -> Option<Vec<T>> {
    let (mut values, mut vectors, mut m) =
        (vec![T::zero(); n], vec![T::zero(); n * n], vec![T::zero(); n * n]);
    symmetric_eigen(a, &mut values, &mut vectors, &mut m).then_some(values)
}

/// (A + Aᵀ)/2 = Σ λ_k q_k q_kᵀ with λ decreasing in `values` (length n), q_k the rows of `vectors` (n²); `m` is scratch of
/// length n². False when an entry of A is not finite.
pub(crate) fn symmetric_eigen<T: Scalar>(a: &[T], values: &mut [T], vectors: &mut [T], m: &mut [T]) -> bool {
    if a.iter().any(|v| !v.is_finite()) {
        return false;
    }
    let n = values.len();
    // squares must neither overflow nor underflow
    let e = exponent(max_abs(a));
    let (shrink, grow, half) = (pow2::<T>(-e), pow2::<T>(e), T::lit(0.5));
    for (k, m) in m.iter_mut().enumerate() {
        *m = half * (a[k] * shrink + a[(k % n) * n + k / n] * shrink);
    }
    vectors.fill(T::zero());
    for i in 0..n {
        vectors[i * n + i] = T::one();
    }
    for _ in 0..60 {
        let mut rotated = false;
        for i in 0..n {
            for j in i + 1..n {
                rotated |= rotate(m, vectors, n, i, j);
            }
        }
        if !rotated {
            break;
        }
    }
    for (i, v) in values.iter_mut().enumerate() {
        *v = m[i * n + i] * grow;
    }
    // by selection: n exchanges of rows at most
    for i in 0..n {
        let top = (i + 1..n).fold(i, |top, j| if values[j] > values[top] { j } else { top });
        if top != i {
            values.swap(i, top);
            let (head, tail) = vectors.split_at_mut(top * n);
            head[i * n..(i + 1) * n].swap_with_slice(&mut tail[..n]);
        }
    }
    true
}

/// Annihilates m_ij; false when it was negligible. The rows of q are the eigenvectors.
fn rotate<T: Scalar>(m: &mut [T], q: &mut [T], n: usize, i: usize, j: usize) -> bool {
    let (off, di, dj) = (m[i * n + j], m[i * n + i], m[j * n + j]);
    // relative to the two diagonal entries, which keeps small eigenvalues of graded matrices; and absolutely,
    // since entries below ε² of the (scaled) matrix change nothing
    let floor = T::epsilon() * T::epsilon();
    if off.abs() <= floor.max(T::epsilon() * T::lit(0.1) * (di.abs().sqrt() * dj.abs().sqrt())) {
        return false;
    }
    let theta = (dj - di) / (off + off);
    let t = theta.signum() / (theta.abs() + theta.hypot(T::one()));
    let c = T::one() / t.hypot(T::one());
    let s = t * c;
    for k in 0..n {
        let (a, b) = (m[k * n + i], m[k * n + j]);
        m[k * n + i] = c * a - s * b;
        m[k * n + j] = s * a + c * b;
    }
    for k in 0..n {
        let (a, b) = (m[i * n + k], m[j * n + k]);
        m[i * n + k] = c * a - s * b;
        m[j * n + k] = s * a + c * b;
        let (a, b) = (q[i * n + k], q[j * n + k]);
        q[i * n + k] = c * a - s * b;
        q[j * n + k] = s * a + c * b;
    }
    m[i * n + j] = T::zero();
    m[j * n + i] = T::zero();
    m[i * n + i] = di - t * off;
    m[j * n + j] = dj + t * off;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn decomposes_and_is_orthonormal() {
        let mut random = Random::new(5);
        for n in [1, 2, 3, 7, 20] {
            for scale in [1.0, 1e-200, 1e200] {
                let a: Vec<f64> = random
                    .normals::<f64>(n * n)
                    .into_iter()
                    .map(|v| v * scale)
                    .collect();
                let (mut values, mut vectors, mut m) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * n]);
                assert!(symmetric_eigen(&a, &mut values, &mut vectors, &mut m));
                let mut back = vec![0.0; n * n];
                compose(&vectors, n, |k| values[k], &mut back);
                let vector = |k: usize| &vectors[k * n..(k + 1) * n];
                for i in 0..n {
                    for j in 0..n {
                        let want = 0.5 * (a[i * n + j] + a[j * n + i]);
                        assert!(
                            (back[i * n + j] - want).abs() < 1e-13 * scale * n as f64,
                            "n = {n}"
                        );
                        let dot: f64 = (0..n).map(|k| vector(i)[k] * vector(j)[k]).sum();
                        assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-13);
                    }
                }
                assert!(values.windows(2).all(|w| w[0] >= w[1]));
            }
        }
        assert!(symmetric_eigenvalues(&[f64::NAN], 1).is_none());
    }

    #[test]
    fn rank_one() {
        let values = symmetric_eigenvalues(&[1.0_f32, 1.0, 1.0, 1.0], 2).unwrap();
        assert!((values[0] - 2.0).abs() < 1e-6 && values[1].abs() < 1e-6);
    }
}
