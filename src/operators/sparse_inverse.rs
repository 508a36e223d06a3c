//! A factorised sparse approximate inverse of AᵀA + D, for a sparse A and any diagonal D ≥ 0.
//!
//! The inverse of AᵀA may be nearly local where AᵀA itself is full: for tomography AᵀA smooths, its inverse sharpens. Row i of the factor W
//! lives on a few columns J_i ∋ i, those before i that overlap a_i most; it minimises ‖I − W L‖_F for the Cholesky factor L of AᵀA + D,
//! which takes nothing but the small matrix S of those columns (Kolotilina & Yeremin 1993; Benzi 2002, section 5.2):
//!
//! ```text
//! S = (AᵀA + D)[J_i, J_i] = C Cᵀ,    W[i, J_i] = C⁻ᵀ e,    (AᵀA + D)⁻¹ ≈ WᵀW
//! ```
//!
//! The matrices S are formed once; another D costs small factorisations only.

use super::dense_products::each;
use super::sparse_products::Rows;
use super::{LinearOperator, SparseColumns};
use crate::LinalgScalar;
use crate::outcome::{Status, Stop, Together};

/// Columns of a row of W, itself among them, at most.
const WIDTH: usize = 20;
/// So many inner products (800 MB of `f64`) are kept at most: of very many columns (476 000), rows of W have fewer entries.
const PRODUCTS: usize = 100_000_000;
/// Rows of W that one task makes, at least, and the most tasks: each fills vectors as long as a row or a column of A.
const CHUNK: usize = 64;
const TASKS: usize = 64;
/// Multiplications per entry of A that finding the overlaps may take: the fullest rows of A, which overlap everything, are left out beyond.
const OVERLAP_WORK: usize = 400;
/// Columns so many times longer than the mean (and this more) are no neighbours of others: they overlap everything, too, and every inner
/// product with them is as long as they are.
const LONG: usize = 8;
/// Rows of W after which a task asks whether to go on: a row takes some microseconds, where overlaps are many some hundred.
const ASKED: usize = 16;
/// Rows of W below which one thread does it all.
const SMALL: usize = 1 << 12;

/// W, its transpose, and what they are made of.
pub(crate) struct SparseInverse<T> {
    width: usize,
    /// `width` for each row: its columns, ascending, the row itself last; [`NONE`] where there are fewer.
    columns: Vec<u32>,
    /// A packed triangle of that order for each row: the inner products of those columns, row by row.
    products: Vec<T>,
    values: Vec<T>,
    /// Wᵀ by rows: where each begins, the rows of W, and where in `values` the entry stands.
    starts: Vec<usize>,
    rows: Vec<u32>,
    from: Vec<u32>,
    transposed: Vec<T>,
}

/// No column.
const NONE: u32 = u32::MAX;

impl<T: LinalgScalar> SparseInverse<T> {
    /// The places of the entries, and the inner products. None where they cannot be numbered.
    ///
    /// # Errors
    /// What stopped it.
    pub(crate) fn of(a: &SparseColumns<T>, norms: &[T], stop: Stop<'_>) -> Result<Option<Self>, Status> {
        let n = norms.len();
        let fits = |w: &usize| n.saturating_mul(triangle(*w)) <= PRODUCTS;
        let Some(width) = (1..=WIDTH).rev().find(fits) else {
            return Ok(None);
        };
        if u32::try_from(n.saturating_mul(width)).is_err() {
            return Ok(None);
        }
        let together = Together::new(stop);
        let columns = strongest(a, norms, width, &together);
        together.finished()?;
        let mut products = vec![T::zero(); n * triangle(width)];
        let rows_each = rows_of_a_task(n);
        each(
            &mut products,
            rows_each * triangle(width),
            n >= SMALL,
            |chunk, products| {
                let mut dense = vec![T::zero(); a.rows()];
                for (i, triangle) in products.chunks_exact_mut(triangle(width)).enumerate() {
                    if i % ASKED == 0 && !together.go_on() {
                        return;
                    }
                    let own = row(&columns, width, chunk * rows_each + i);
                    let mut at = 0;
                    for (p, j) in own.iter().enumerate() {
                        a.add_column(*j as usize, T::one(), &mut dense);
                        for k in &own[..=p] {
                            triangle[at] = a.column_dot(*k as usize, &dense);
                            at += 1;
                        }
                        a.entries(*j as usize)
                            .0
                            .iter()
                            .for_each(|i| dense[*i as usize] = T::zero());
                    }
                }
            },
        );
        together.finished()?;
        let mut starts = vec![0; n + 1];
        columns
            .iter()
            .filter(|j| **j != NONE)
            .for_each(|j| starts[*j as usize + 1] += 1);
        for j in 0..n {
            starts[j + 1] += starts[j];
        }
        let mut next = starts.clone();
        let (mut rows, mut from) = (vec![0; starts[n]], vec![0; starts[n]]);
        for (place, j) in (0..).zip(&columns).filter(|(_, j)| **j != NONE) {
            let at = &mut next[*j as usize];
            (rows[*at], from[*at]) = (place / width as u32, place);
            *at += 1;
        }
        Ok(Some(Self {
            width,
            columns,
            products,
            values: vec![T::zero(); n * width],
            transposed: vec![T::zero(); starts[n]],
            starts,
            rows,
            from,
        }))
    }

    /// W for another D ≥ 0. Coordinates with D_j = ∞ are out: rows and columns of zeros.
    ///
    /// # Errors
    /// What stopped it; W is of no use then.
    pub(crate) fn factor(&mut self, d: &[T], stop: Stop<'_>) -> Result<(), Status> {
        let together = Together::new(stop);
        let (width, columns, products) = (self.width, &self.columns, &self.products);
        let size = triangle(width);
        each(
            &mut self.values,
            CHUNK * width,
            d.len() >= SMALL,
            |chunk, values| {
                if !together.go_on() {
                    return;
                }
                for (i, w) in values.chunks_exact_mut(width).enumerate() {
                    let i = chunk * CHUNK + i;
                    last_row_of_inverse(&products[i * size..(i + 1) * size], row(columns, width, i), d, w);
                }
            },
        );
        together.finished()?;
        for (t, at) in self.transposed.iter_mut().zip(&self.from) {
            *t = self.values[*at as usize];
        }
        Ok(())
    }

    /// z ← WᵀW r, by way of `middle`.
    pub(crate) fn apply(&self, r: &[T], middle: &mut [T], z: &mut [T]) {
        let threads = r.len() >= SMALL;
        let chunk = r.len().div_ceil(8).max(1);
        each(middle, chunk, threads, |c, out| {
            for (i, o) in out.iter_mut().enumerate() {
                let i = c * chunk + i;
                let own = row(&self.columns, self.width, i);
                let values = &self.values[i * self.width..(i + 1) * self.width];
                *o = own.iter().zip(values).map(|(j, w)| *w * r[*j as usize]).sum();
            }
        });
        let middle = &*middle;
        each(z, chunk, threads, |c, out| {
            for (j, o) in out.iter_mut().enumerate() {
                let span = self.starts[c * chunk + j]..self.starts[c * chunk + j + 1];
                let entries = self.rows[span.clone()].iter().zip(&self.transposed[span]);
                *o = entries.map(|(i, w)| *w * middle[*i as usize]).sum();
            }
        });
    }
}

/// The columns of row i, itself last.
fn row(columns: &[u32], width: usize, i: usize) -> &[u32] {
    let places = &columns[i * width..(i + 1) * width];
    let filled = places.iter().position(|j| *j == NONE).unwrap_or(width);
    &places[..filled]
}

/// The entries of a triangle of order k.
fn triangle(k: usize) -> usize {
    k * (k + 1) / 2
}

/// For every column i those before it with the largest |⟨a_i, a_j⟩|/‖a_j‖, and itself; not all where it was stopped.
fn strongest<T: LinalgScalar>(
    a: &SparseColumns<T>,
    norms: &[T],
    width: usize,
    together: &Together<'_>,
) -> Vec<u32> {
    let n = norms.len();
    let all: Vec<usize> = (0..n).collect();
    let by_rows = Rows::of(a, &all);
    let taken = rows_that_tell(a, &by_rows);
    let long = LONG.saturating_mul(a.nonzeros() / n.max(1) + LONG);
    let units: Vec<T> = (norms.iter().enumerate())
        .map(|(j, c)| {
            if *c > T::zero() && a.entries(j).0.len() <= long {
                c.recip()
            } else {
                T::zero()
            }
        })
        .collect();
    let mut columns = vec![NONE; n * width];
    let rows_each = rows_of_a_task(n);
    each(&mut columns, rows_each * width, n >= SMALL, |chunk, columns| {
        let mut overlap = vec![T::zero(); n];
        let mut seen = vec![usize::MAX; n];
        let mut kept = Largest::new(width - 1);
        for (i, places) in columns.chunks_exact_mut(width).enumerate() {
            if i % ASKED == 0 && !together.go_on() {
                return;
            }
            let i = chunk * rows_each + i;
            let (rows, values) = a.entries(i);
            let before = |r: u32| {
                let (others, entries) = by_rows.entries(r as usize);
                let count = if taken[r as usize] {
                    others.partition_point(|j| (*j as usize) < i)
                } else {
                    0
                };
                (&others[..count], &entries[..count])
            };
            let mut terms = 0;
            for (r, v) in rows.iter().zip(values) {
                let (others, entries) = before(*r);
                terms += others.len();
                for (j, u) in others.iter().zip(entries) {
                    overlap[*j as usize] += *v * *u;
                }
            }
            // the nearest first: where overlap falls with the distance few of the later ones replace anything
            kept.clear();
            if 4 * terms >= i {
                for j in (0..i).rev() {
                    kept.offer(overlap[j].abs() * units[j], j);
                }
                overlap[..i].fill(T::zero());
            } else {
                for j in rows.iter().rev().flat_map(|r| before(*r).0.iter().rev()) {
                    let j = *j as usize;
                    if seen[j] != i {
                        seen[j] = i;
                        kept.offer(overlap[j].abs() * units[j], j);
                        overlap[j] = T::zero();
                    }
                }
            }
            let found = kept.ascending();
            for (place, j) in places.iter_mut().zip(found.iter().copied().chain([i])) {
                *place = u32::try_from(j).unwrap_or(NONE);
            }
        }
    });
    columns
}

fn rows_of_a_task(n: usize) -> usize {
    CHUNK.max(n.div_ceil(TASKS))
}

/// The rows that take part in [`strongest`]: the shortest, of equals any, as far as the work goes.
fn rows_that_tell<T: LinalgScalar>(a: &SparseColumns<T>, by_rows: &Rows<T>) -> Vec<bool> {
    // (any, and not the first: rows next to each other say the same)
    let scattered = |i: usize| i.wrapping_mul(0x9e37_79b1) & 0xffff_ffff;
    let length = |i: usize| by_rows.entries(i).0.len();
    let mut rows: Vec<usize> = (0..a.rows()).collect();
    rows.sort_unstable_by_key(|i| (length(*i), scattered(*i), *i));
    let mut work = OVERLAP_WORK.saturating_mul(a.nonzeros());
    let mut taken = vec![false; a.rows()];
    for i in rows {
        match work.checked_sub(length(i).saturating_mul(length(i))) {
            Some(left) => (work, taken[i]) = (left, true),
            None => break,
        }
    }
    taken
}

/// The numbers of the largest few of what is offered, of equals the first.
struct Largest<T> {
    room: usize,
    held: Vec<(T, usize)>,
    /// Where the smallest of them stands, once the room is full.
    smallest: usize,
    numbers: Vec<usize>,
}

impl<T: LinalgScalar> Largest<T> {
    fn new(room: usize) -> Self {
        Self {
            room,
            held: Vec::with_capacity(room),
            smallest: 0,
            numbers: Vec::with_capacity(room),
        }
    }

    fn clear(&mut self) {
        self.held.clear();
    }

    #[inline]
    fn offer(&mut self, size: T, number: usize) {
        if self.held.len() == self.room {
            match self.held.get_mut(self.smallest) {
                Some(held) if size > held.0 => *held = (size, number),
                _ => return,
            }
        } else if size > T::zero() {
            self.held.push((size, number));
        } else {
            return;
        }
        let mut smallest = (T::infinity(), 0);
        for (p, (size, _)) in self.held.iter().enumerate() {
            if *size <= smallest.0 {
                smallest = (*size, p);
            }
        }
        self.smallest = smallest.1;
    }

    fn ascending(&mut self) -> &[usize] {
        self.numbers.clear();
        self.numbers.extend(self.held.iter().map(|(_, number)| *number));
        self.numbers.sort_unstable();
        &self.numbers
    }
}

/// w ← C⁻ᵀ e with C Cᵀ = S + D on `own`, without the columns that D takes out or that depend on those before them.
fn last_row_of_inverse<T: LinalgScalar>(triangle: &[T], own: &[u32], d: &[T], w: &mut [T]) {
    w.fill(T::zero());
    let k = own.len();
    let Some(last) = k.checked_sub(1) else { return };
    let mut c = [[T::zero(); WIDTH]; WIDTH];
    let mut at = 0;
    for p in 0..k {
        let extra = d[own[p] as usize];
        let whole = triangle[at + p] + extra;
        if whole.is_finite() && whole > T::zero() {
            for q in 0..p {
                // (a column that is out has zeros in its row and 0 on the diagonal)
                if c[q][q] > T::zero() {
                    let sum: T = (0..q).map(|t| c[p][t] * c[q][t]).sum();
                    c[p][q] = (triangle[at + q] - sum) / c[q][q];
                }
            }
            let pivot = whole - c[p][..p].iter().map(|v| *v * *v).sum();
            if pivot > T::lit(64.0) * T::epsilon() * whole {
                c[p][p] = pivot.sqrt();
            } else {
                c[p] = [T::zero(); WIDTH];
                if p == last {
                    c[p][p] = whole.sqrt();
                }
            }
        }
        at += p + 1;
    }
    if c[last][last] == T::zero() {
        return;
    }
    w[last] = c[last][last].recip();
    for p in (0..last).rev().filter(|p| c[*p][*p] > T::zero()) {
        let sum: T = (p + 1..k).map(|t| c[t][p] * w[t]).sum();
        w[p] = -sum / c[p][p];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn below(random: &mut Random, n: usize) -> usize {
        (random.bits() % n as u64) as usize
    }

    /// m×n with about `each` entries a column, of which column `zero` is empty and the columns 1 and 2 are the same.
    fn matrix(
        m: usize,
        n: usize,
        each: usize,
        zero: usize,
        seed: u64,
    ) -> (SparseColumns<f64>, Vec<Vec<f64>>) {
        let mut random = Random::new(seed);
        let mut triplets = Vec::new();
        for j in (0..n).filter(|j| *j != zero) {
            let from = triplets.len();
            for k in 0..each {
                // neighbours share rows
                let i = (3 * j + 7 * k + below(&mut random, 5)) % m;
                triplets.push((i, j, random.normal()));
            }
            if j == 2 && zero > 2 {
                let same: Vec<_> = triplets
                    .iter()
                    .filter(|t| t.1 == 1)
                    .map(|t| (t.0, 2, t.2))
                    .collect();
                triplets.truncate(from);
                triplets.extend(same);
            }
        }
        let a = SparseColumns::from_triplets(m, n, &triplets).unwrap();
        let mut columns = vec![vec![0.0; m]; n];
        columns.iter_mut().enumerate().for_each(|(j, c)| {
            a.column(j, c);
        });
        let gram = columns
            .iter()
            .map(|p| columns.iter().map(|q| crate::linalg::dot(p, q)).collect())
            .collect();
        (a, gram)
    }

    fn norms(gram: &[Vec<f64>]) -> Vec<f64> {
        (0..gram.len()).map(|j| gram[j][j].sqrt()).collect()
    }

    /// With no more columns than a row of W may have it is the inverse, whatever D, and without what D takes out.
    #[test]
    fn exact_when_every_column_fits() {
        for seed in 0..60 {
            let mut random = Random::new(1000 + seed);
            let n = 1 + below(&mut random, WIDTH);
            let zero = 3 + below(&mut random, 2 * n);
            // (every column meets every other, or the inverse has entries where W has none)
            let (a, gram) = matrix(12, n, 60, zero, seed);
            let mut inverse = SparseInverse::of(&a, &norms(&gram), Stop::never())
                .unwrap()
                .unwrap();
            // a second D on the same object: nothing of the first may stay
            for _ in 0..2 {
                let out: Vec<bool> = (0..n).map(|_| below(&mut random, 4) == 0).collect();
                let d: Vec<f64> = (0..n)
                    .map(|j| {
                        if out[j] {
                            f64::INFINITY
                        } else {
                            10f64.powf(random.normal())
                        }
                    })
                    .collect();
                inverse.factor(&d, Stop::never()).unwrap();
                let y = random.normals(n);
                // r = (G + D) y on what takes part
                let r: Vec<f64> = (0..n)
                    .map(|i| {
                        let row: f64 = (0..n).filter(|j| !out[*j]).map(|j| gram[i][j] * y[j]).sum();
                        if out[i] { 0.0 } else { row + d[i] * y[i] }
                    })
                    .collect();
                let (mut middle, mut z) = (vec![f64::NAN; n], vec![f64::NAN; n]);
                inverse.apply(&r, &mut middle, &mut z);
                for j in 0..n {
                    let expected = if out[j] { 0.0 } else { y[j] };
                    assert!(
                        (z[j] - expected).abs() < 1e-7 * (1.0 + y[j].abs()),
                        "seed {seed}, {j}: {} {expected}",
                        z[j]
                    );
                }
            }
        }
    }

    /// Against definitions: the columns of a row overlap it most, and W (G + D) Wᵀ has ones on its diagonal.
    #[test]
    fn rows_are_what_they_are_defined_to_be() {
        for (seed, (m, n, each)) in (0..).zip([(90, 70, 6), (60, 150, 4), (400, 130, 40), (30, 60, 25)]) {
            let (a, gram) = matrix(m, n, each, 5, seed);
            let norms: Vec<f64> = norms(&gram);
            let mut inverse = SparseInverse::of(&a, &norms, Stop::never()).unwrap().unwrap();
            let mut random = Random::new(seed);
            let d: Vec<f64> = (0..n).map(|_| 10f64.powf(random.normal())).collect();
            inverse.factor(&d, Stop::never()).unwrap();
            for i in 0..n {
                let own = row(&inverse.columns, inverse.width, i);
                assert_eq!(own.last(), Some(&(i as u32)));
                assert!(own.windows(2).all(|w| w[0] < w[1]));
                let share = |j: usize| {
                    if norms[j] > 0.0 {
                        (gram[i][j] / norms[j]).abs()
                    } else {
                        0.0
                    }
                };
                let mut others: Vec<f64> = (0..i).map(share).filter(|s| *s > 0.0).collect();
                others.sort_by(|p, q| q.total_cmp(p));
                others.truncate(inverse.width - 1);
                let mut chosen: Vec<f64> = own[..own.len() - 1].iter().map(|j| share(*j as usize)).collect();
                chosen.sort_by(|p, q| q.total_cmp(p));
                assert_eq!(chosen.len(), others.len());
                assert!(
                    chosen
                        .iter()
                        .zip(&others)
                        .all(|(p, q)| (p - q).abs() <= 1e-12 * (1.0 + q))
                );
                let w = &inverse.values[i * inverse.width..][..own.len()];
                let mut size = 0.0;
                for (p, j) in w.iter().zip(own) {
                    for (q, k) in w.iter().zip(own) {
                        let extra = if j == k { d[*j as usize] } else { 0.0 };
                        size += p * q * (gram[*j as usize][*k as usize] + extra);
                    }
                }
                assert!((size - 1.0).abs() < 1e-9, "row {i}: {size}");
            }
        }
    }

    /// A column of ones is in no neighbourhood; rows that are all too long tell what a part of them does.
    #[test]
    fn work_stays_within_bounds() {
        let (m, n) = (600, 500);
        let mut random = Random::new(3);
        let near = |i: usize, j: usize| i.abs_diff(j + 50) <= 2;
        let triplets: Vec<(usize, usize, f64)> = (0..m * n)
            .map(|k| (k / n, k % n))
            .filter(|(i, j)| *j == 0 || near(*i, *j))
            .map(|(i, j)| (i, j, 1.0 + 0.1 * random.uniform::<f64>()))
            .collect();
        let a = SparseColumns::from_triplets(m, n, &triplets).unwrap();
        let norms: Vec<f64> = (0..n).map(|j| crate::linalg::norm2(a.entries(j).1)).collect();
        let columns = strongest(&a, &norms, WIDTH, &Together::new(Stop::never()));
        assert!((1..n).all(|i| row(&columns, WIDTH, i)[0] != 0));
        assert_eq!(row(&columns, WIDTH, 300), [296, 297, 298, 299, 300]);
        // full: n entries a row, and n > OVERLAP_WORK
        let triplets: Vec<(usize, usize, f64)> = (0..m * n)
            .map(|k| (k / n, k % n, 1e-3 + f64::from(u8::from(near(k / n, k % n)))))
            .collect();
        let a = SparseColumns::from_triplets(m, n, &triplets).unwrap();
        let by_rows = Rows::of(&a, &(0..n).collect::<Vec<_>>());
        let taken = rows_that_tell(&a, &by_rows).into_iter().filter(|t| *t).count();
        assert_eq!(taken, OVERLAP_WORK * m * n / (n * n));
    }

    #[test]
    fn stops_between_rows() {
        let token = crate::CancelToken::new();
        let limits = crate::Limits {
            cancel: Some(token.clone()),
            ..crate::Limits::default()
        };
        let stop = || Stop::new(&limits, crate::clock::Instant::now());
        let triplets: Vec<(usize, usize, f64)> =
            (0..30).flat_map(|j| (0..4).map(move |i| (i, j, 1.0))).collect();
        let a = SparseColumns::from_triplets(4, 30, &triplets).unwrap();
        let mut inverse = SparseInverse::of(&a, &[2.0; 30], stop()).unwrap().unwrap();
        assert_eq!(inverse.factor(&[1.0; 30], stop()), Ok(()));
        token.cancel();
        assert_eq!(inverse.factor(&[1.0; 30], stop()), Err(Status::Cancelled));
        assert!(SparseInverse::of(&a, &[2.0; 30], stop()).is_err());
    }

    /// Duplicate columns and D = 0: the matrices of the rows are singular, the factor is finite.
    #[test]
    fn singular_rows_stay_finite() {
        let triplets: Vec<(usize, usize, f64)> =
            (0..30).flat_map(|j| (0..4).map(move |i| (i, j, 1.0))).collect();
        let a = SparseColumns::from_triplets(4, 30, &triplets).unwrap();
        let mut inverse = SparseInverse::of(&a, &[2.0; 30], Stop::never()).unwrap().unwrap();
        inverse.factor(&[0.0; 30], Stop::never()).unwrap();
        let (mut middle, mut z) = (vec![0.0; 30], vec![0.0; 30]);
        inverse.apply(&[1.0; 30], &mut middle, &mut z);
        assert!(z.iter().all(|v| v.is_finite()) && z.iter().any(|v| *v > 0.0));
    }
}
