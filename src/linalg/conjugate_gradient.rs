//! Linear conjugate gradients for positive definite systems given by products.

use super::{axpy, dot};
use crate::{Result, Scalar};

/// How the solve ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The residual is as small as asked.
    Converged,
    /// A direction of curvature ≤ 0 (or NaN) turned up: x is the iterate before it, zero if it was the first.
    NotPositive,
    /// The iterations are used up.
    Limit,
}

/// Buffers, kept between solves.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Buffers<T> {
    r: Vec<T>,
    z: Vec<T>,
    d: Vec<T>,
    ad: Vec<T>,
}

/// Solves A x = b from x = 0, preconditioned by a positive diagonal: ‖D^{-1/2} r‖ ≤ tolerance·‖D^{-1/2} b‖.
pub(crate) fn conjugate_gradient<T: Scalar>(
    product: impl FnMut(&[T], &mut [T]) -> Result<()>,
    diagonal: &[T],
    b: &[T],
    x: &mut [T],
    tolerance: T,
    limit: usize,
    buffers: &mut Buffers<T>,
) -> Result<Outcome> {
    let precondition = |r: &[T], z: &mut [T]| {
        for (z, (r, d)) in z.iter_mut().zip(r.iter().zip(diagonal)) {
            *z = *r / *d;
        }
    };
    preconditioned(product, precondition, b, x, tolerance, limit, buffers)
}

/// The same with any positive definite M in place of D: `precondition` is z ← M⁻¹ r.
pub(crate) fn preconditioned<T: Scalar>(
    mut product: impl FnMut(&[T], &mut [T]) -> Result<()>,
    mut precondition: impl FnMut(&[T], &mut [T]),
    b: &[T],
    x: &mut [T],
    tolerance: T,
    limit: usize,
    buffers: &mut Buffers<T>,
) -> Result<Outcome> {
    let n = b.len();
    let Buffers { r, z, d, ad } = buffers;
    for v in [&mut *r, &mut *z, &mut *d, &mut *ad] {
        v.resize(n, T::zero());
    }
    x.fill(T::zero());
    r.copy_from_slice(b);
    precondition(r, z);
    d.copy_from_slice(z);
    let mut rz = dot(r, z);
    let target = tolerance * tolerance * rz;
    for _ in 0..limit {
        if rz <= target {
            return Ok(Outcome::Converged);
        }
        product(d, ad)?;
        let curvature = dot(d, ad);
        if curvature.is_nan() || curvature <= T::zero() {
            return Ok(Outcome::NotPositive);
        }
        let alpha = rz / curvature;
        axpy(alpha, d, x);
        axpy(-alpha, ad, r);
        precondition(r, z);
        let next = dot(r, z);
        if next.is_nan() {
            return Ok(Outcome::NotPositive);
        }
        let beta = next / rz;
        rz = next;
        for j in 0..n {
            d[j] = z[j] + beta * d[j];
        }
    }
    Ok(if rz <= target {
        Outcome::Converged
    } else {
        Outcome::Limit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_sees_negative_curvature() {
        let a = [[4.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 2.0]];
        let times = |sign: f64| {
            move |v: &[f64], out: &mut [f64]| {
                for i in 0..3 {
                    out[i] = sign * dot(&a[i], v);
                }
                Ok(())
            }
        };
        let (b, mut x) = ([1.0, 2.0, 3.0], [0.0; 3]);
        let mut buffers = Buffers::default();
        let solved =
            conjugate_gradient(times(1.0), &[4.0, 3.0, 2.0], &b, &mut x, 1e-14, 9, &mut buffers).unwrap();
        assert_eq!(solved, Outcome::Converged);
        for i in 0..3 {
            assert!((dot(&a[i], &x) - b[i]).abs() < 1e-13);
        }
        let refused = conjugate_gradient(times(-1.0), &[1.0; 3], &b, &mut x, 1e-14, 9, &mut buffers).unwrap();
        assert_eq!((refused, x), (Outcome::NotPositive, [0.0; 3]));
    }
}
