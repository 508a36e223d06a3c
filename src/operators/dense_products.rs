//! Products of a dense matrix with some of its columns: blocked for the cache, and by threads with the feature `rayon`.
//!
//! How a sum is split depends on the sizes alone, never on the number of threads: every result is the same with one thread and with
//! many, bit for bit.

use super::Dense;
use crate::LinalgScalar;
use crate::linalg::{axpy, axpy_body, dot_body, dot8_body, wide};
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
        a.par_chunks_mut(chunk_a)
            .zip(b.par_chunks_mut(chunk_b))
            .enumerate()
            .for_each(|(i, (p, q))| {
                wide(
                    #[inline(always)]
                    || f(i, p, q),
                );
            });
        return;
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
        a.par_chunks_mut(chunk).enumerate().for_each(|(i, p)| {
            wide(
                #[inline(always)]
                || f(i, p),
            );
        });
        return;
    }
    let _ = threads;
    for (i, p) in a.chunks_mut(chunk).enumerate() {
        wide(
            #[inline(always)]
            || f(i, p),
        );
    }
}

/// y += Σ_f v_f a_{face(f)} on some rows of a column-major matrix. Four columns at a time: y is read and written a quarter as often.
#[inline(always)]
fn add_columns<T: LinalgScalar>(a: &Dense<'_, T>, face: &[usize], v: &[T], rows: Range<usize>, y: &mut [T]) {
    let (fours, values) = (face.chunks_exact(4), v.chunks_exact(4));
    let last = (fours.remainder(), values.remainder());
    for (j, x) in fours.zip(values) {
        let run = |i: usize| &a.run(j[i])[rows.clone()];
        let (a0, a1, a2, a3) = (run(0), run(1), run(2), run(3));
        for ((((yi, b0), b1), b2), b3) in y.iter_mut().zip(a0).zip(a1).zip(a2).zip(a3) {
            *yi += (x[0] * *b0 + x[1] * *b1) + (x[2] * *b2 + x[3] * *b3);
        }
    }
    for (j, x) in last.0.iter().zip(last.1) {
        axpy_body(*x, &a.run(*j)[rows.clone()], y);
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
        let sums = dot8_body(
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

/// out += Σ_i y_i row_i over some rows of a row-major matrix, four rows at a time.
#[inline(always)]
fn add_rows<T: LinalgScalar>(a: &Dense<'_, T>, start: usize, y: &[T], out: &mut [T]) {
    let mut i = start;
    let fours = y.chunks_exact(4);
    let last = fours.remainder();
    for w in fours {
        let (r0, r1, r2, r3) = (a.run(i), a.run(i + 1), a.run(i + 2), a.run(i + 3));
        for ((((o, b0), b1), b2), b3) in out.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
            *o += (w[0] * *b0 + w[1] * *b1) + (w[2] * *b2 + w[3] * *b3);
        }
        i += 4;
    }
    for w in last {
        axpy_body(*w, a.run(i), out);
        i += 1;
    }
}

/// y_i ← ⟨row_i, x⟩ over some rows of a row-major matrix, eight rows at a time.
#[inline(always)]
fn dot_rows<T: LinalgScalar>(a: &Dense<'_, T>, start: usize, x: &[T], y: &mut [T]) {
    let mut i = start;
    let mut eights = y.chunks_exact_mut(8);
    for o in &mut eights {
        o.copy_from_slice(&dot8_body(
            std::array::from_fn(
                #[inline(always)]
                |f| a.run(i + f),
            ),
            x,
        ));
        i += 8;
    }
    for o in eights.into_remainder() {
        *o = dot_body(a.run(i), x);
        i += 1;
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
            // four columns of these rows stay in cache for the second image
            for (f, j) in all.chunks(4).enumerate() {
                let rows = i * part..i * part + ap.len();
                let of = 4 * f..4 * f + j.len();
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

/// y ← A x of a row-major matrix.
pub(crate) fn rows_apply<T: LinalgScalar>(a: &Dense<'_, T>, x: &[T], y: &mut [T]) {
    let (part, threads) = split(a.rows(), a.columns());
    each(
        y,
        part.next_multiple_of(8),
        threads,
        #[inline(always)]
        |i, y| {
            dot_rows(a, i * part.next_multiple_of(8), x, y);
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
            add_rows(a, rows.start, &y[rows], out);
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
                dot_rows(a, start, v, z);
                add_rows(a, start, z, out);
            }
        },
    );
    add_up(partial, a.rows().div_ceil(part), x);
}

/// z ← A_F v, out ← A_Fᵀ z of a column-major matrix, in one pass over memory: block of rows by block of rows, so that the second
/// product finds the block in cache. `partial` has room for [`PARTS`] vectors like out.
pub(crate) fn columns_normal<T: LinalgScalar>(
    a: &Dense<'_, T>,
    face: &[usize],
    v: &[T],
    z: &mut [T],
    out: &mut [T],
    partial: &mut [T],
) {
    let k = face.len();
    let (part, threads) = split(a.rows(), k);
    chunks(
        z,
        part,
        partial,
        k.max(1),
        threads,
        #[inline(always)]
        |i, z, out| {
            z.fill(T::zero());
            out.fill(T::zero());
            let block = (BLOCK / k.max(1)).clamp(128, 8192);
            for (b, z) in z.chunks_mut(block).enumerate() {
                let start = i * part + b * block;
                let rows = start..start + z.len();
                add_columns(a, face, v, rows.clone(), z);
                dot_columns(a, face, rows, z, out);
            }
        },
    );
    add_up(partial, a.rows().div_ceil(part), out);
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
                let mut partial = vec![f64::NAN; PARTS * n];
                columns_normal(&columns, &face, &v, &mut z1, &mut out, &mut partial);
                close(&z1, &z, "columns_normal, image");
                close(&out, &on_face, "columns_normal");
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
