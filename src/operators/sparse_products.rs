//! Products of a sparse matrix with some of its columns, by threads with the feature `rayon`.
//!
//! As in [`dense_products`](super::dense_products) the sizes alone say how a sum is split: the same bits with any number of threads.

use super::dense_products::{add_up, each};
use super::{LinearOperator, SparseColumns};
use crate::LinalgScalar;
use crate::outcome::{Status, Stop, Together};

/// Parts into which columns are split for sums over columns: each needs a vector of its own, so they are few.
pub(crate) const PARTS: usize = 4;
/// Entries below which one part, and one thread, does it all: with 3·10⁵ the vectors of the parts still cost what a second thread gains.
const SMALL: usize = 1 << 20;

/// Whether a product with k columns is split, and how many columns a part has. Not where the vectors of the parts would outweigh the entries.
fn split<T: LinalgScalar>(a: &SparseColumns<T>, rows: usize, columns: usize, k: usize) -> (usize, bool) {
    let entries = a.nonzeros() / columns.max(1) * k;
    let large = entries >= SMALL && entries >= 4 * PARTS * rows && k >= PARTS;
    (if large { k.div_ceil(PARTS) } else { k.max(1) }, large)
}

/// y ← Σ_f x_f a_{face(f)}; `partial` has room for [`PARTS`] vectors like y. Without `face`: of all columns.
pub(crate) fn combine<T: LinalgScalar>(
    a: &SparseColumns<T>,
    columns: usize,
    face: Option<&[usize]>,
    x: &[T],
    y: &mut [T],
    partial: &mut [T],
) {
    let m = y.len();
    let (part, threads) = split(a, m, columns, x.len());
    let add = |i: usize, y: &mut [T]| {
        y.fill(T::zero());
        for (f, v) in x.iter().enumerate().skip(i * part).take(part) {
            if *v != T::zero() {
                a.add_column(face.map_or(f, |face| face[f]), *v, y);
            }
        }
    };
    if !threads {
        y.fill(T::zero());
        match face {
            Some(face) => face.iter().zip(x).for_each(|(j, v)| a.add_column(*j, *v, y)),
            None => add(0, y),
        }
        return;
    }
    let parts = x.len().div_ceil(part);
    each(&mut partial[..parts * m], m, threads, add);
    add_up(partial, parts, y);
}

/// out_f ← ⟨a_{face(f)}, y⟩. Without `face`: of all columns.
pub(crate) fn combine_adjoint<T: LinalgScalar>(
    a: &SparseColumns<T>,
    columns: usize,
    face: Option<&[usize]>,
    y: &[T],
    out: &mut [T],
) {
    let entries = a.nonzeros() / columns.max(1) * out.len();
    if entries < SMALL {
        match face {
            Some(face) => {
                for (o, j) in out.iter_mut().zip(face) {
                    *o = a.column_dot(*j, y);
                }
            }
            None => a.apply_adjoint(y, out),
        }
        return;
    }
    // every entry of out is a sum of its own: nothing is split
    let part = out.len().div_ceil(4 * PARTS).max(1);
    each(out, part, true, |i, out| {
        for (f, o) in out.iter_mut().enumerate() {
            let f = i * part + f;
            *o = a.column_dot(face.map_or(f, |face| face[f]), y);
        }
    });
}

/// ap ← A p and aq ← A q in one pass over memory; `partial` has room for 2 [`PARTS`] vectors like ap.
pub(crate) fn pair<T: LinalgScalar>(
    a: &SparseColumns<T>,
    p: &[T],
    q: &[T],
    ap: &mut [T],
    aq: &mut [T],
    partial: &mut [T],
) {
    let (m, n) = (ap.len(), p.len());
    let (part, threads) = split(a, m, n, n);
    if !threads {
        return a.apply_pair(p, q, ap, aq);
    }
    let parts = n.div_ceil(part.max(1)).max(1);
    // the two images of a row lie side by side
    each(&mut partial[..parts * 2 * m], 2 * m, threads, |i, both| {
        both.fill(T::zero());
        for j in i * part..((i + 1) * part).min(n) {
            let (rows, values) = a.entries(j);
            for (row, v) in rows.iter().zip(values) {
                let at = 2 * *row as usize;
                both[at] += p[j] * *v;
                both[at + 1] += q[j] * *v;
            }
        }
    });
    for (i, (ap, aq)) in ap.iter_mut().zip(aq.iter_mut()).enumerate() {
        (*ap, *aq) = (T::zero(), T::zero());
        for part in partial[..parts * 2 * m].chunks_exact(2 * m) {
            *ap += part[2 * i];
            *aq += part[2 * i + 1];
        }
    }
}

/// Columns of the Gram matrix of a face: for each of the positions `wanted` the inner products with all of `face`, one after the other in
/// `out`. Row by row of the column (Gustavson 1978): only entries that meet are multiplied.
///
/// # Errors
/// What stopped it.
pub(crate) fn gram_columns<T: LinalgScalar>(
    a: &SparseColumns<T>,
    face: &[usize],
    wanted: &[usize],
    out: &mut [T],
    stop: Stop<'_>,
) -> Result<(), Status> {
    let k = face.len();
    if k == 0 {
        return Ok(());
    }
    let together = Together::new(stop);
    let by_rows = Rows::of(a, face);
    each(&mut out[..k * wanted.len()], k, true, |w, column| {
        if !together.go_on() {
            return;
        }
        column.fill(T::zero());
        let (rows, values) = a.entries(face[wanted[w]]);
        for (row, v) in rows.iter().zip(values) {
            let (positions, others) = by_rows.entries(*row as usize);
            for (p, u) in positions.iter().zip(others) {
                column[*p as usize] += *v * *u;
            }
        }
    });
    together.finished()
}

/// Some columns, row after row: positions in the face, ascending, and values.
pub(super) struct Rows<T> {
    starts: Vec<usize>,
    positions: Vec<u32>,
    values: Vec<T>,
}

impl<T: LinalgScalar> Rows<T> {
    pub(super) fn of(a: &SparseColumns<T>, face: &[usize]) -> Self {
        let mut starts = vec![0; a.rows() + 1];
        for j in face {
            a.entries(*j).0.iter().for_each(|i| starts[*i as usize + 1] += 1);
        }
        for i in 0..a.rows() {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let entries = starts[a.rows()];
        let (mut positions, mut values) = (vec![0; entries], vec![T::zero(); entries]);
        for (p, j) in (0..).zip(face) {
            let (rows, column) = a.entries(*j);
            for (i, v) in rows.iter().zip(column) {
                let at = &mut next[*i as usize];
                (positions[*at], values[*at]) = (p, *v);
                *at += 1;
            }
        }
        Self {
            starts,
            positions,
            values,
        }
    }

    pub(super) fn entries(&self, i: usize) -> (&[u32], &[T]) {
        let span = self.starts[i]..self.starts[i + 1];
        (&self.positions[span.clone()], &self.values[span])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn a_gram_matrix_stops_between_columns() {
        let token = crate::CancelToken::new();
        let limits = crate::Limits {
            cancel: Some(token.clone()),
            ..crate::Limits::default()
        };
        let a = SparseColumns::from_triplets(2, 3, &[(0, 0, 1.0), (1, 1, 2.0), (0, 2, 3.0)]).unwrap();
        let mut gram = [f64::NAN; 9];
        let stop = || Stop::new(&limits, crate::clock::Instant::now());
        assert_eq!(
            gram_columns(&a, &[0, 1, 2], &[0, 1, 2], &mut gram, stop()),
            Ok(())
        );
        assert_eq!(gram, [1.0, 0.0, 3.0, 0.0, 4.0, 0.0, 3.0, 0.0, 9.0]);
        token.cancel();
        gram.fill(f64::NAN);
        let stopped = gram_columns(&a, &[0, 1, 2], &[0, 1, 2], &mut gram, stop());
        assert_eq!(stopped, Err(Status::Cancelled));
        assert!(gram.iter().all(|v| v.is_nan()));
    }

    /// Against the plain products, on both sides of the threshold.
    #[test]
    fn agree_with_plain_products() {
        for (m, n, each) in [(1, 1, 1), (9, 5, 3), (300, 40, 7), (1100, 1000, 1050)] {
            let mut random = Random::new(n as u64);
            let triplets: Vec<(usize, usize, f64)> = (0..n)
                .flat_map(|j| (0..each).map(move |k| ((j * 7 + k * 3) % m, j)))
                .map(|(i, j)| (i, j, random.normal()))
                .collect();
            let a = SparseColumns::from_triplets(m, n, &triplets).unwrap();
            let close = |a: &[f64], b: &[f64]| {
                let scale = b.iter().fold(1.0_f64, |s, v| s.max(v.abs()));
                assert!(
                    a.iter().zip(b).all(|(p, q)| (p - q).abs() <= 1e-13 * scale),
                    "{m}x{n}"
                );
            };
            let (p, q) = (random.normals(n), random.normals(n));
            let mut partial = vec![f64::NAN; 2 * PARTS * m];
            let (mut z, mut ap, mut aq) = (vec![0.0; m], vec![f64::NAN; m], vec![f64::NAN; m]);
            pair(&a, &p, &q, &mut ap, &mut aq, &mut partial);
            a.apply(&p, &mut z);
            close(&ap, &z);
            a.apply(&q, &mut z);
            close(&aq, &z);
            combine(&a, n, None, &q, &mut ap, &mut partial);
            close(&ap, &z);
            let mut w = vec![0.0; n];
            a.apply_adjoint(&z, &mut w);
            let mut out = vec![f64::NAN; n];
            combine_adjoint(&a, n, None, &z, &mut out);
            assert_eq!(out, w);
            for step in [1, 3] {
                let face: Vec<usize> = (0..n).step_by(step).collect();
                let mut full = vec![0.0; n];
                face.iter().for_each(|j| full[*j] = p[*j]);
                let on_face: Vec<f64> = face.iter().map(|j| p[*j]).collect();
                a.apply(&full, &mut z);
                combine(&a, n, Some(&face), &on_face, &mut ap, &mut partial);
                close(&ap, &z);
                a.apply_adjoint(&z, &mut w);
                let mut out = vec![f64::NAN; face.len()];
                combine_adjoint(&a, n, Some(&face), &z, &mut out);
                let expected: Vec<f64> = face.iter().map(|j| w[*j]).collect();
                assert_eq!(out, expected);
                // the Gram matrix of the face, some columns of it
                let k = face.len();
                let wanted: Vec<usize> = (0..k).filter(|q| q % 2 == 0 || k < 5).take(9).collect();
                let mut gram = vec![f64::NAN; k * wanted.len()];
                gram_columns(&a, &face, &wanted, &mut gram, Stop::never()).unwrap();
                for (q, column) in wanted.iter().zip(gram.chunks(k)) {
                    let mut dense = vec![0.0; m];
                    a.column(face[*q], &mut dense);
                    a.apply_adjoint(&dense, &mut w);
                    let expected: Vec<f64> = face.iter().map(|j| w[*j]).collect();
                    close(column, &expected);
                }
            }
        }
    }
}
