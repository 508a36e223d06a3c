//! Products of a dense matrix with some of its columns: blocked for the cache, and by threads with the feature `rayon`.
//!
//! How a sum is split depends on the sizes alone, never on the number of threads: every result is the same with one thread and with
//! many, bit for bit.

use super::Dense;
use crate::linalg::{
    LANES, axpy, axpy_body, axpys_body, dot_body, dots_body, halves, norm2, norm2_of_any_size,
    root_of_squares, wide,
};
use crate::{LinalgScalar, Scalar};
use std::ops::Range;

/// Parts into which rows are split for sums over rows; as many threads can help.
pub(crate) const PARTS: usize = 8;
/// Elements below which one part, and one thread, does it all.
const SMALL: usize = 1 << 17;
/// Elements of a block that should stay in a second-level cache (512 KB of f64).
const BLOCK: usize = 1 << 16;

/// Runs `f` on the chunks of two slices, with the number of the chunk.
fn chunks<T: Send, F>(a: &mut [T], chunk_a: usize, b: &mut [T], chunk_b: usize, threads: bool, f: F)
where
    F: Fn(usize, &mut [T], &mut [T]) + Sync + Send,
{
    #[cfg(feature = "rayon")]
    if threads {
        use rayon::prelude::*;
        return crate::threads::within(|| {
            a.par_chunks_mut(chunk_a)
                .zip(b.par_chunks_mut(chunk_b))
                .enumerate()
                .for_each(|(i, (p, q))| {
                    wide(
                        #[inline(always)]
                        || f(i, p, q),
                    );
                });
        });
    }
    let _ = threads;
    for (i, (p, q)) in a.chunks_mut(chunk_a).zip(b.chunks_mut(chunk_b)).enumerate() {
        wide(
            #[inline(always)]
            || f(i, p, q),
        );
    }
}

/// Runs `f` on the chunks of a slice, with the number of the chunk.
pub(super) fn each<T: Send, F>(a: &mut [T], chunk: usize, threads: bool, f: F)
where
    F: Fn(usize, &mut [T]) + Sync + Send,
{
    #[cfg(feature = "rayon")]
    if threads {
        use rayon::prelude::*;
        return crate::threads::within(|| {
            a.par_chunks_mut(chunk).enumerate().for_each(|(i, p)| {
                wide(
                    #[inline(always)]
                    || f(i, p),
                );
            });
        });
    }
    let _ = threads;
    for (i, p) in a.chunks_mut(chunk).enumerate() {
        wide(
            #[inline(always)]
            || f(i, p),
        );
    }
}

/// y += Σ_f v_f a_{face(f)} on some rows of a column-major matrix. Eight columns at a time: y is read and written an eighth as often.
#[inline(always)]
fn add_columns<T: Scalar>(a: &Dense<'_, T>, face: &[usize], v: &[T], rows: Range<usize>, y: &mut [T]) {
    let run = |j: usize| &a.run(j)[rows.clone()];
    let ((eights, last), (values, last_values)) = (face.as_chunks::<8>(), v.as_chunks::<8>());
    for (j, x) in eights.iter().zip(values) {
        axpys_body(*x, j.map(run), y);
    }
    for (j, x) in last.iter().zip(last_values) {
        axpy_body(*x, run(*j), y);
    }
}

/// out_f += ⟨a_{face(f)}, y⟩ on some rows of a column-major matrix. Eight columns at a time: y is read an eighth as often.
#[inline(always)]
fn dot_columns<T: LinalgScalar>(
    a: &Dense<'_, T>,
    face: &[usize],
    rows: Range<usize>,
    y: &[T],
    out: &mut [T],
) {
    let run = |j: usize| &a.run(j)[rows.clone()];
    let mut results = out.chunks_exact_mut(8);
    let eights = face.chunks_exact(8);
    let last = eights.remainder();
    for (j, o) in eights.zip(&mut results) {
        let sums = dots_body::<T, 8>(
            std::array::from_fn(
                #[inline(always)]
                |f| run(j[f]),
            ),
            y,
        );
        for (o, s) in o.iter_mut().zip(sums) {
            *o += s;
        }
    }
    for (j, o) in last.iter().zip(results.into_remainder()) {
        *o += dot_body(run(*j), y);
    }
}

/// out += Σ_k v_k run_{start + k}, eight runs (rows of a row-major matrix, columns of a column-major one) at a time.
#[inline(always)]
pub(super) fn add_runs<T: Scalar>(a: &Dense<'_, T>, start: usize, v: &[T], out: &mut [T]) {
    let mut k = start;
    let (eights, last) = v.as_chunks::<8>();
    for w in eights {
        if *w != [T::zero(); 8] {
            axpys_body(*w, std::array::from_fn(|f| a.run(k + f)), out);
        }
        k += 8;
    }
    for w in last {
        axpy_body(*w, a.run(k), out);
        k += 1;
    }
}

/// out_k ← ⟨run_{start + k}, v⟩, eight runs (rows of a row-major matrix, columns of a column-major one) at a time.
#[inline(always)]
pub(super) fn dot_runs<T: Scalar>(a: &Dense<'_, T>, start: usize, v: &[T], out: &mut [T]) {
    let mut k = start;
    let mut eights = out.chunks_exact_mut(8);
    for o in &mut eights {
        o.copy_from_slice(&dots_body::<T, 8>(
            std::array::from_fn(
                #[inline(always)]
                |f| a.run(k + f),
            ),
            v,
        ));
        k += 8;
    }
    for o in eights.into_remainder() {
        *o = dot_body(a.run(k), v);
        k += 1;
    }
}

/// Rows of one part, and whether threads pay.
fn split(rows: usize, columns: usize) -> (usize, bool) {
    let large = rows.saturating_mul(columns) >= SMALL && rows >= 4 * PARTS;
    (if large { rows.div_ceil(PARTS) } else { rows.max(1) }, large)
}

/// y ← Σ_f v_f a_{face(f)} of a column-major matrix.
pub(crate) fn combine<T: LinalgScalar>(a: &Dense<'_, T>, face: &[usize], v: &[T], y: &mut [T]) {
    let (part, threads) = split(a.rows(), face.len());
    each(
        y,
        part,
        threads,
        #[inline(always)]
        |i, y| {
            y.fill(T::zero());
            let start = i * part;
            add_columns(a, face, v, start..start + y.len(), y);
        },
    );
}

/// ap ← A p and aq ← A q of a column-major matrix, in one pass over memory.
pub(crate) fn pair<T: LinalgScalar>(
    a: &Dense<'_, T>,
    all: &[usize],
    p: &[T],
    q: &[T],
    ap: &mut [T],
    aq: &mut [T],
) {
    let (part, threads) = split(a.rows(), all.len());
    chunks(
        ap,
        part,
        aq,
        part,
        threads,
        #[inline(always)]
        |i, ap, aq| {
            ap.fill(T::zero());
            aq.fill(T::zero());
            // eight columns of these rows stay in cache for the second image
            for (f, j) in all.chunks(8).enumerate() {
                let rows = i * part..i * part + ap.len();
                let of = 8 * f..8 * f + j.len();
                add_columns(a, j, &p[of.clone()], rows.clone(), ap);
                add_columns(a, j, &q[of], rows, aq);
            }
        },
    );
}

/// out_f ← ⟨a_{face(f)}, y⟩ of a column-major matrix.
pub(crate) fn combine_adjoint<T: LinalgScalar>(a: &Dense<'_, T>, face: &[usize], y: &[T], out: &mut [T]) {
    let (_, threads) = split(a.rows(), face.len());
    // a multiple of eight, so that the columns go together as they would in one part
    let part = if threads {
        face.len().div_ceil(PARTS).next_multiple_of(8)
    } else {
        face.len().max(1)
    };
    each(
        out,
        part,
        threads,
        #[inline(always)]
        |i, out| {
            out.fill(T::zero());
            let start = i * part;
            dot_columns(a, &face[start..start + out.len()], 0..y.len(), y, out);
        },
    );
}

/// The Euclidean norms of the columns, each rounded as [`norm2`] does, whatever the order of the matrix.
pub(crate) fn column_norms<T: Scalar>(a: &Dense<'_, T>, out: &mut [T]) {
    let (_, threads) = split(a.rows(), a.columns());
    each(
        out,
        NORMS,
        threads,
        #[inline(always)]
        |i, out| {
            let first = i * NORMS;
            if a.is_column_major() {
                norms_of_runs(a, first, out);
            } else {
                norms_across_rows(a, first, out);
            }
        },
    );
}

/// Columns whose norms are taken together: in row-major order their partial sums stay in a second-level cache, and the pieces of
/// rows are long enough to come from memory at its full rate.
const NORMS: usize = 2048;
/// Columns whose partial sums lie on the stack.
const FEW: usize = 32;

/// Norms of some columns of a column-major matrix.
#[inline(always)]
fn norms_of_runs<T: Scalar>(a: &Dense<'_, T>, first: usize, out: &mut [T]) {
    for (j, c) in out.iter_mut().enumerate() {
        let v = a.run(first + j);
        *c = root_of_squares(dot_body(v, v)).unwrap_or_else(|| norm2(v));
    }
}

/// Norms of some columns of a row-major matrix, in one pass: row i adds its squares to the partial sums number i mod [`LANES`].
#[inline(always)]
fn norms_across_rows<T: Scalar>(a: &Dense<'_, T>, first: usize, out: &mut [T]) {
    let (m, k) = (a.rows(), out.len());
    let columns = first..first + k;
    let whole = m - m % LANES;
    // (a few columns: as fast as the allocator, and without it)
    let (mut few, mut many);
    let sums: &mut [T] = if k <= FEW {
        few = [T::zero(); (LANES + 1) * FEW];
        &mut few[..(LANES + 1) * k]
    } else {
        many = vec![T::zero(); (LANES + 1) * k];
        &mut many
    };
    for i in 0..m {
        let lane = if i < whole { i % LANES } else { LANES };
        for (s, v) in sums[lane * k..][..k].iter_mut().zip(&a.run(i)[columns.clone()]) {
            *s += *v * *v;
        }
    }
    for (j, c) in out.iter_mut().enumerate() {
        let lanes = std::array::from_fn(
            #[inline(always)]
            |l| sums[l * k + j],
        );
        *c = root_of_squares(sums[LANES * k + j] + halves(&lanes))
            .unwrap_or_else(|| norm2_of_any_size(m, |i| a.get(i, first + j)));
    }
}

/// y ← A x of a row-major matrix.
pub(crate) fn rows_apply<T: LinalgScalar>(a: &Dense<'_, T>, x: &[T], y: &mut [T]) {
    let (part, threads) = split(a.rows(), a.columns());
    each(
        y,
        part.next_multiple_of(8),
        threads,
        #[inline(always)]
        |i, y| {
            dot_runs(a, i * part.next_multiple_of(8), x, y);
        },
    );
}

/// x ← Aᵀ y of a row-major matrix; `partial` has room for [`PARTS`] vectors like x.
pub(crate) fn rows_adjoint<T: LinalgScalar>(a: &Dense<'_, T>, y: &[T], x: &mut [T], partial: &mut [T]) {
    let (m, n) = (a.rows(), a.columns());
    let (part, threads) = split(m, n);
    let parts = m.div_ceil(part);
    each(
        &mut partial[..parts * n],
        n,
        threads,
        #[inline(always)]
        |i, out| {
            out.fill(T::zero());
            let rows = i * part..((i + 1) * part).min(m);
            add_runs(a, rows.start, &y[rows], out);
        },
    );
    add_up(partial, parts, x);
}

/// z ← A x, x ← Aᵀ z of a row-major matrix, in one pass over memory.
pub(crate) fn rows_normal<T: LinalgScalar>(a: &Dense<'_, T>, x: &mut [T], z: &mut [T], partial: &mut [T]) {
    let n = a.columns();
    let (part, threads) = split(a.rows(), n);
    let v: &[T] = x;
    chunks(
        z,
        part,
        partial,
        n,
        threads,
        #[inline(always)]
        |i, z, out| {
            out.fill(T::zero());
            let block = (BLOCK / n.max(1)).clamp(4, 4096);
            for (b, z) in z.chunks_mut(block).enumerate() {
                let start = i * part + b * block;
                dot_runs(a, start, v, z);
                add_runs(a, start, z, out);
            }
        },
    );
    add_up(partial, a.rows().div_ceil(part), x);
}

/// s_f ← ⟨a_{face(f)}, y⟩ and z ← Σ_f w(f, s_f) a_{face(f)} of a column-major matrix, in one pass over memory: the second product finds
/// the columns in cache. `partial` has room for [`PARTS`] vectors like z. With w(f, s) = s this is z ← A_F A_Fᵀ y.
///
/// Runs of whole columns come from memory at its full rate; A_FᵀA_F by blocks of rows, which would be the product of the other kind, at
/// half of it.
pub(crate) fn columns_adjoint_normal<T: LinalgScalar>(
    a: &Dense<'_, T>,
    face: &[usize],
    y: &[T],
    s: &mut [T],
    weight: impl Fn(usize, T) -> T + Sync,
    z: &mut [T],
    partial: &mut [T],
) {
    let (m, k) = (a.rows(), face.len());
    let (_, threads) = split(m, k);
    let part = if threads {
        k.div_ceil(PARTS).next_multiple_of(8)
    } else {
        k.max(1)
    };
    chunks(
        s,
        part,
        partial,
        m.max(1),
        threads,
        #[inline(always)]
        |i, s, z| {
            z.fill(T::zero());
            let face = &face[i * part..i * part + s.len()];
            if 8 * m <= COLUMNS_IN_CACHE {
                dot_and_add_columns::<T, 8>(a, face, y, s, i * part, &weight, z);
            } else {
                dot_and_add_columns::<T, 4>(a, face, y, s, i * part, &weight, z);
            }
        },
    );
    if k == 0 {
        z.fill(T::zero());
    } else {
        add_up(partial, k.div_ceil(part), z);
    }
}

/// Elements of the columns that [`columns_adjoint_normal`] reads twice in a row: with the vectors of their length they share a
/// second-level cache with what is read ahead (128 KB of f64).
const COLUMNS_IN_CACHE: usize = 1 << 14;

/// s_f ← ⟨a_{face(f)}, y⟩, z += Σ_f w(first + f, s_f) a_{face(f)}: `K` columns at a time.
#[inline(always)]
fn dot_and_add_columns<T: Scalar, const K: usize>(
    a: &Dense<'_, T>,
    face: &[usize],
    y: &[T],
    s: &mut [T],
    first: usize,
    weight: &impl Fn(usize, T) -> T,
    z: &mut [T],
) {
    let (groups, last) = face.as_chunks::<K>();
    let (results, last_results) = s.as_chunks_mut::<K>();
    for (g, (j, s)) in groups.iter().zip(results).enumerate() {
        let columns = j.map(
            #[inline(always)]
            |j| a.run(j),
        );
        *s = dots_body::<T, K>(columns, y);
        let w: [T; K] = std::array::from_fn(
            #[inline(always)]
            |f| weight(first + K * g + f, s[f]),
        );
        if w != [T::zero(); K] {
            axpys_body(w, columns, z);
        }
    }
    let first = first + face.len() - last.len();
    for (f, (j, s)) in last.iter().zip(last_results).enumerate() {
        *s = dot_body(a.run(*j), y);
        axpy_body(weight(first + f, *s), a.run(*j), z);
    }
}

/// x ← the sum of the first `parts` vectors of `partial`.
pub(super) fn add_up<T: LinalgScalar>(partial: &[T], parts: usize, x: &mut [T]) {
    let n = x.len();
    if n == 0 {
        return;
    }
    x.copy_from_slice(&partial[..n]);
    for p in partial[n..parts * n].chunks_exact(n) {
        axpy(T::one(), p, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::LinearOperator;
    use crate::testing::Random;

    /// The same bits in both orders, and the same as one column by itself; sizes whose squares overflow or vanish among them.
    #[test]
    fn norms_do_not_depend_on_the_order() {
        for (m, n) in [(0, 3), (1, 1), (7, 5), (16, 300), (45, 257), (700, 260)] {
            let mut random = Random::new(n as u64);
            let mut rows = random.normals(m * n);
            for row in rows.chunks_mut(n) {
                for (j, v) in row.iter_mut().enumerate() {
                    *v *= [1.0, 1e200, 1e-200, 0.0, 1e-310][j % 5];
                }
            }
            let columns: Vec<f64> = (0..m * n).map(|k| rows[(k % m) * n + k / m]).collect();
            let (mut by_rows, mut by_columns) = (vec![f64::NAN; n], vec![f64::NAN; n]);
            column_norms(&Dense::row_major(&rows, m, n).unwrap(), &mut by_rows);
            column_norms(&Dense::column_major(&columns, m, n).unwrap(), &mut by_columns);
            assert_eq!(by_rows, by_columns, "{m}x{n}");
            for (j, c) in by_rows.iter().enumerate() {
                assert_eq!(*c, norm2(&columns[j * m..(j + 1) * m]), "{m}x{n}, column {j}");
            }
        }
        let data = [1.0, f64::NAN, f64::INFINITY, 2.0];
        let mut norms = [0.0; 2];
        column_norms(&Dense::row_major(&data, 2, 2).unwrap(), &mut norms);
        assert!(norms[0] == f64::INFINITY && norms[1].is_nan());
    }

    /// Against the plain products, for sizes on both sides of every threshold.
    #[test]
    fn agree_with_plain_products() {
        for (m, n) in [(1, 1), (7, 5), (130, 9), (40, 300), (700, 260), (1031, 517)] {
            let mut random = Random::new(m as u64);
            let data = random.normals(m * n);
            let transposed: Vec<f64> = (0..m * n).map(|k| data[(k % n) * m + k / n]).collect();
            let columns = Dense::column_major(&data, m, n).unwrap();
            let rows = Dense::row_major(&transposed, m, n).unwrap();
            for step in [1, 2, 5] {
                let face: Vec<usize> = (0..n).step_by(step).collect();
                let k = face.len();
                let v = random.normals(k);
                let mut full = vec![0.0; n];
                for (j, c) in face.iter().zip(&v) {
                    full[*j] = *c;
                }
                let (mut z, mut w) = (vec![0.0; m], vec![0.0; n]);
                columns.apply(&full, &mut z);
                columns.apply_adjoint(&z, &mut w);
                let close = |a: &[f64], b: &[f64], what: &str| {
                    let scale = b.iter().fold(1.0_f64, |s, v| s.max(v.abs()));
                    assert!(
                        a.iter().zip(b).all(|(p, q)| (p - q).abs() <= 1e-12 * scale),
                        "{what} {m}x{n}/{step}"
                    );
                };
                let on_face: Vec<f64> = face.iter().map(|j| w[*j]).collect();
                let (mut z1, mut out) = (vec![f64::NAN; m], vec![f64::NAN; k]);
                // A_F W A_Fᵀ z with the weights of v
                let mut partial = vec![f64::NAN; PARTS * m.max(n)];
                out.fill(f64::NAN);
                let mut weighted = vec![0.0; n];
                for ((j, s), v) in face.iter().zip(&on_face).zip(&v) {
                    weighted[*j] = v * s;
                }
                let (mut expected, mut z2) = (vec![0.0; m], vec![f64::NAN; m]);
                columns.apply(&weighted, &mut expected);
                columns_adjoint_normal(
                    &columns,
                    &face,
                    &z,
                    &mut out,
                    |f, s| v[f] * s,
                    &mut z2,
                    &mut partial,
                );
                close(&out, &on_face, "columns_adjoint_normal, prices");
                close(&z2, &expected, "columns_adjoint_normal");
                z1.fill(f64::NAN);
                out.fill(f64::NAN);
                combine(&columns, &face, &v, &mut z1);
                close(&z1, &z, "combine");
                combine_adjoint(&columns, &face, &z, &mut out);
                close(&out, &on_face, "combine_adjoint");
                let mut x = full.clone();
                rows_normal(&rows, &mut x, &mut z1, &mut partial);
                close(&z1, &z, "rows_normal, image");
                close(&x, &w, "rows_normal");
                z1.fill(f64::NAN);
                rows_apply(&rows, &full, &mut z1);
                close(&z1, &z, "rows_apply");
                rows_adjoint(&rows, &z1, &mut x, &mut partial);
                close(&x, &w, "rows_adjoint");
            }
        }
    }
}
