//! Gram matrices and Cholesky factors by faer or nalgebra, chosen by the feature `faer`.

use super::Dense;

/// Dense kernels of one scalar type. Public only as a hidden supertrait of [`LinalgScalar`](crate::LinalgScalar).
pub trait Kernels: crate::linalg::scratch::Pooled {
    /// Sums of products in twice the precision.
    type Twice: crate::linalg::twice::Twice<Self>;
    /// G = AᵀA, all of it (both triangles), column-major n×n.
    fn gram(a: &Dense<'_, Self>, out: &mut [Self]);
    /// AᵀB, column-major with as many rows as A has columns; both have the same number of rows.
    fn adjoint_product(a: &Dense<'_, Self>, b: &Dense<'_, Self>, out: &mut [Self]);
    /// Lower Cholesky factor in place of the lower triangle of a column-major n×n matrix; false when a pivot is not positive.
    fn cholesky(n: usize, a: &mut [Self]) -> bool;
    /// B ← L⁻¹ B for a lower triangle L of a column-major n×n matrix, B n×k.
    fn solve_lower(n: usize, l: &[Self], k: usize, b: &mut [Self]);
    /// A = Q R of a column-major m×k matrix, k ≤ m: `a` becomes Q with orthonormal columns, `r` the upper triangle of R, column-major k×k.
    fn thin_qr(m: usize, k: usize, a: &mut [Self], r: &mut [Self]);
}

#[cfg(feature = "faer")]
mod with_faer {
    use super::{Dense, Kernels};
    use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
    use faer::linalg::cholesky::llt;
    use faer::linalg::householder;
    use faer::linalg::matmul::triangular::{BlockStructure, matmul};
    use faer::linalg::qr::no_pivoting::factor;
    use faer::linalg::triangular_solve;
    use faer::prelude::{Reborrow, ReborrowMut};
    use faer::{Accum, Conj, Mat, MatMut, MatRef, Par};
    use std::mem::MaybeUninit;

    /// Threads only where they can pay: a Gram matrix of fewer flops than this is done by one.
    #[cfg_attr(not(feature = "rayon"), allow(unused_variables))]
    fn by_threads<R: Send>(flops: f64, f: impl FnOnce(Par) -> R + Send) -> R {
        #[cfg(feature = "rayon")]
        if flops > 2e7 {
            return crate::threads::within(|| f(Par::rayon(0)));
        }
        f(Par::Seq)
    }

    fn view<'a, T>(a: &Dense<'a, T>) -> MatRef<'a, T> {
        if a.is_column_major() {
            MatRef::from_column_major_slice_with_stride(a.data(), a.rows(), a.columns(), a.leading())
        } else {
            MatRef::from_row_major_slice_with_stride(a.data(), a.rows(), a.columns(), a.leading())
        }
    }

    macro_rules! kernels {
        ($($t:ty: $twice:ty),*) => {$(
            impl Kernels for $t {
                type Twice = $twice;
                fn gram(a: &Dense<'_, Self>, out: &mut [Self]) {
                    let (m, n) = (a.rows(), a.columns());
                    if n == 0 {
                        return;
                    }
                    if m < 4 || n < 4 {
                        // faer's tiling costs more than the product here
                        return super::plain_gram(a, out);
                    }
                    let v = view(a);
                    by_threads(m as f64 * n as f64 * n as f64, |par| {
                        matmul(
                            MatMut::from_column_major_slice_mut(&mut out[..n * n], n, n),
                            BlockStructure::TriangularLower,
                            Accum::Replace,
                            v.transpose(),
                            BlockStructure::Rectangular,
                            v,
                            BlockStructure::Rectangular,
                            1.0,
                            par,
                        );
                    });
                    super::mirror(n, out);
                }
                fn adjoint_product(a: &Dense<'_, Self>, b: &Dense<'_, Self>, out: &mut [Self]) {
                    let (k, p) = (a.columns(), b.columns());
                    by_threads(2.0 * a.rows() as f64 * k as f64 * p as f64, |par| {
                        faer::linalg::matmul::matmul(
                            MatMut::from_column_major_slice_mut(&mut out[..k * p], k, p),
                            Accum::Replace,
                            view(a).transpose(),
                            view(b),
                            1.0,
                            par,
                        );
                    });
                }
                fn cholesky(n: usize, a: &mut [Self]) -> bool {
                    if n == 0 {
                        return true;
                    }
                    by_threads((n as f64).powi(3) / 3.0, |par| {
                        let needed = llt::factor::cholesky_in_place_scratch::<$t>(n, par, Default::default());
                        let factor = |a: &mut [Self], stack: &mut MemStack| {
                            let a = MatMut::from_column_major_slice_mut(&mut a[..n * n], n, n);
                            llt::factor::cholesky_in_place(a, Default::default(), par, stack, Default::default()).is_ok()
                        };
                        // (small factors in microseconds: their scratch is not worth an allocation)
                        let mut small = [const { MaybeUninit::<u8>::uninit() }; 2048];
                        if needed.size_bytes() + needed.align_bytes() <= small.len() {
                            factor(a, MemStack::new(&mut small))
                        } else {
                            factor(a, MemStack::new(&mut MemBuffer::new(needed)))
                        }
                    })
                }
                fn solve_lower(n: usize, l: &[Self], k: usize, b: &mut [Self]) {
                    if n == 0 || k == 0 {
                        return;
                    }
                    by_threads((n as f64).powi(2) * k as f64, |par| {
                        triangular_solve::solve_lower_triangular_in_place(
                            MatRef::from_column_major_slice(&l[..n * n], n, n),
                            MatMut::from_column_major_slice_mut(&mut b[..n * k], n, k),
                            par,
                        );
                    });
                }
                fn thin_qr(m: usize, k: usize, a: &mut [Self], r: &mut [Self]) {
                    if k == 0 {
                        return;
                    }
                    // one thread: with more, faer splits sums in another way, and the bits would depend on their number
                    let par = Par::Seq;
                    let block = factor::recommended_block_size::<$t>(m, k);
                    let mut reflectors = Mat::<$t>::zeros(block, k);
                    let scratch = StackReq::any_of(&[
                        factor::qr_in_place_scratch::<$t>(m, k, block, par, Default::default()),
                        householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<$t>(m, block, k),
                    ]);
                    let mut memory = MemBuffer::new(scratch);
                    let stack = MemStack::new(&mut memory);
                    let mut basis = MatMut::from_column_major_slice_mut(&mut a[..m * k], m, k);
                    factor::qr_in_place(basis.rb_mut(), reflectors.as_mut(), par, stack, Default::default());
                    for j in 0..k {
                        for i in 0..=j {
                            r[j * k + i] = basis[(i, j)];
                        }
                    }
                    let mut q = Mat::<$t>::identity(m, k);
                    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
                        basis.rb(),
                        reflectors.as_ref(),
                        Conj::No,
                        q.as_mut(),
                        par,
                        stack,
                    );
                    basis.copy_from(&q);
                }
            }
        )*};
    }
    kernels!(f32: f64, f64: crate::linalg::twice::Pair);
}

#[cfg(not(feature = "faer"))]
mod with_nalgebra {
    use super::{Dense, Kernels};
    use nalgebra::{Cholesky, DMatrix, DMatrixView, Dyn};

    type View<'a, T> = DMatrixView<'a, T, nalgebra::Const<1>, Dyn>;

    /// A of a column-major matrix, Aᵀ of a row-major one.
    fn view<'a, T: nalgebra::Scalar>(a: &Dense<'a, T>) -> View<'a, T> {
        let (rows, columns) = if a.is_column_major() {
            (a.rows(), a.columns())
        } else {
            (a.columns(), a.rows())
        };
        DMatrixView::from_slice_with_strides_generic(
            a.data(),
            Dyn(rows),
            Dyn(columns),
            nalgebra::Const::<1>,
            Dyn(a.leading()),
        )
    }

    macro_rules! kernels {
        ($($t:ty: $twice:ty),*) => {$(
            impl Kernels for $t {
                type Twice = $twice;
                fn gram(a: &Dense<'_, Self>, out: &mut [Self]) {
                    let n = a.columns();
                    Self::adjoint_product(a, a, out);
                    super::mirror(n, out);
                }
                fn adjoint_product(a: &Dense<'_, Self>, b: &Dense<'_, Self>, out: &mut [Self]) {
                    let (v, w) = (view(a), view(b));
                    let g = match (a.is_column_major(), b.is_column_major()) {
                        (true, true) => v.tr_mul(&w),
                        (true, false) => v.tr_mul(&w.transpose()),
                        (false, true) => &v * &w,
                        (false, false) => &v * w.transpose(),
                    };
                    out[..g.len()].copy_from_slice(g.as_slice());
                }
                fn cholesky(n: usize, a: &mut [Self]) -> bool {
                    let m = DMatrix::from_column_slice(n, n, &a[..n * n]);
                    match Cholesky::new(m) {
                        Some(c) => {
                            a[..n * n].copy_from_slice(c.l_dirty().as_slice());
                            true
                        }
                        None => false,
                    }
                }
                fn solve_lower(n: usize, l: &[Self], k: usize, b: &mut [Self]) {
                    for column in b[..n * k].chunks_exact_mut(n.max(1)) {
                        crate::linalg::forward(l, n, column);
                    }
                }
                fn thin_qr(m: usize, k: usize, a: &mut [Self], r: &mut [Self]) {
                    let qr = DMatrix::from_column_slice(m, k, &a[..m * k]).qr();
                    a[..m * k].copy_from_slice(qr.q().as_slice());
                    r[..k * k].copy_from_slice(qr.r().as_slice());
                }
            }
        )*};
    }
    kernels!(f32: f64, f64: crate::linalg::twice::Pair);
}

/// Copies the lower triangle onto the upper one, so that columns can be gathered contiguously.
fn mirror<T: Copy>(n: usize, g: &mut [T]) {
    for j in 1..n {
        for i in 0..j {
            g[j * n + i] = g[i * n + j];
        }
    }
}

/// Gram matrix by dot products, for a handful of rows or columns.
#[cfg(feature = "faer")]
fn plain_gram<T: crate::Scalar>(a: &Dense<'_, T>, out: &mut [T]) {
    let (m, n) = (a.rows(), a.columns());
    for j in 0..n {
        for i in j..n {
            let mut s = T::zero();
            for r in 0..m {
                s += a.get(r, i) * a.get(r, j);
            }
            out[j * n + i] = s;
            out[i * n + j] = s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_right_hand_sides() {
        for (n, k) in [(1, 1), (7, 3), (90, 20), (5, 0)] {
            let l: Vec<f64> = (0..n * n)
                .map(|i| {
                    if i % (n + 1) == 0 {
                        2.0
                    } else {
                        (i as f64).sin() / 9.0
                    }
                })
                .collect();
            let b: Vec<f64> = (0..n * k).map(|i| (i as f64).cos()).collect();
            let mut x = b.clone();
            f64::solve_lower(n, &l, k, &mut x);
            for (x, b) in x.chunks(n).zip(b.chunks(n)) {
                let mut one = b.to_vec();
                crate::linalg::forward(&l, n, &mut one);
                assert!(x.iter().zip(&one).all(|(p, q)| (p - q).abs() < 1e-13));
                for i in 0..n {
                    let image: f64 = (0..=i).map(|j| l[j * n + i] * x[j]).sum();
                    assert!((image - b[i]).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn orthonormal_factor() {
        for (m, k) in [(3, 2), (20, 7), (7, 7), (400, 60), (5, 1)] {
            let a: Vec<f64> = (0..m * k).map(|i| ((i * i + 3 * i) as f64).sin()).collect();
            let (mut q, mut r) = (a.clone(), vec![0.0; k * k]);
            f64::thin_qr(m, k, &mut q, &mut r);
            let column = |v: &[f64], j: usize| v[j * m..(j + 1) * m].to_vec();
            for j in 0..k {
                let mut rest = column(&a, j);
                for i in 0..=j {
                    crate::linalg::axpy(-r[j * k + i], &column(&q, i), &mut rest);
                    let product = crate::linalg::dot(&column(&q, i), &column(&q, j));
                    assert!((product - if i == j { 1.0 } else { 0.0 }).abs() < 1e-13);
                }
                assert!(crate::linalg::norm2(&rest) < 1e-13 * (m as f64).sqrt() * 4.0);
            }
        }
    }

    #[test]
    fn gram_and_factor() {
        for (m, n) in [(3, 2), (20, 7), (9, 12), (1, 5)] {
            let data: Vec<f64> = (0..m * n)
                .map(|k| ((k * 7919 % 101) as f64 / 50.0 - 1.0) + 0.01 * k as f64)
                .collect();
            let a = Dense::column_major(&data, m, n).unwrap();
            let transposed: Vec<f64> = (0..m * n).map(|k| data[(k % n) * m + k / n]).collect();
            let b = Dense::row_major(&transposed, m, n).unwrap();
            let (mut g, mut h) = (vec![0.0; n * n], vec![0.0; n * n]);
            f64::gram(&a, &mut g);
            f64::gram(&b, &mut h);
            for j in 0..n {
                for i in 0..n {
                    let s: f64 = (0..m).map(|r| data[i * m + r] * data[j * m + r]).sum();
                    assert!((g[j * n + i] - s).abs() < 1e-12 && (h[j * n + i] - s).abs() < 1e-12);
                }
            }
            for j in 0..n {
                g[j * n + j] += 1.0;
            }
            let mut l = g.clone();
            assert!(f64::cholesky(n, &mut l));
            for j in 0..n {
                for i in j..n {
                    let s: f64 = (0..=j).map(|k| l[k * n + i] * l[k * n + j]).sum();
                    assert!((s - g[j * n + i]).abs() < 1e-10 * g[j * n + j].max(1.0) * g[i * n + i].max(1.0));
                }
            }
            g[0] = -1.0;
            assert!(!f64::cholesky(n, &mut g));
        }
    }
}
