//! An upper triangular factor stored by columns without gaps, so that it grows and shrinks in place.

use super::{axpy_body, dot_body, wide};
use crate::Scalar;

/// R, k×k upper triangular; entry (i, j), i ≤ j, is `data[j(j+1)/2 + i]`.
///
/// Appending a column is a push; every solve reads columns contiguously. Shared by the growing QR
/// (R of A_F = QR) and the Gram face (RᵀR = A_FᵀA_F).
#[derive(Debug, Clone, Default)]
pub(crate) struct PackedUpper<T> {
    k: usize,
    data: Vec<T>,
    /// Of the removal in progress; kept for the next.
    rotations: Vec<Rotation<T>>,
}

/// A Givens rotation of two neighbouring rows p, p+1: (a, b) ← (c a + s b, c b − s a).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotation<T> {
    pub(crate) row: usize,
    pub(crate) c: T,
    pub(crate) s: T,
}

impl<T: Scalar> Rotation<T> {
    #[inline]
    pub(crate) fn turn(&self, a: T, b: T) -> (T, T) {
        (self.c * a + self.s * b, self.c * b - self.s * a)
    }

    /// [`turn`](Self::turn) for two rows, entry by entry.
    pub(crate) fn turn_all(&self, a: &mut [T], b: &mut [T]) {
        wide(
            #[inline(always)]
            || {
                for (a, b) in a.iter_mut().zip(b) {
                    (*a, *b) = self.turn(*a, *b);
                }
            },
        );
    }
}

impl<T: Scalar> PackedUpper<T> {
    pub(crate) fn new() -> Self {
        Self {
            k: 0,
            data: Vec::new(),
            rotations: Vec::new(),
        }
    }

    /// Empty, in memory that was used before.
    pub(crate) fn reusing(mut data: Vec<T>) -> Self {
        data.clear();
        Self {
            k: 0,
            data,
            rotations: Vec::new(),
        }
    }

    /// The memory, for [`reusing`](Self::reusing).
    pub(crate) fn into_memory(self) -> Vec<T> {
        self.data
    }

    pub(crate) fn clear(&mut self) {
        self.k = 0;
        self.data.clear();
    }

    /// Column j: its entries 0..=j.
    #[inline]
    pub(crate) fn column(&self, j: usize) -> &[T] {
        let s = j * (j + 1) / 2;
        &self.data[s..s + j + 1]
    }

    /// Appends a column, the diagonal entry apart.
    pub(crate) fn push(&mut self, above: &[T], diagonal: T) {
        debug_assert_eq!(above.len(), self.k);
        self.data.extend_from_slice(above);
        self.data.push(diagonal);
        self.k += 1;
    }

    /// R = Lᵀ from a column-major k×k lower factor, tile by tile: both are walked with a stride somewhere.
    pub(crate) fn assign_lower(&mut self, k: usize, l: &[T]) {
        const TILE: usize = 16;
        self.k = k;
        self.data.clear();
        self.data.resize(k * (k + 1) / 2, T::zero());
        for rows in (0..k).step_by(TILE) {
            for columns in (0..=rows).step_by(TILE) {
                for j in rows..(rows + TILE).min(k) {
                    let start = j * (j + 1) / 2;
                    for i in columns..(columns + TILE).min(j + 1) {
                        self.data[start + i] = l[i * k + j];
                    }
                }
            }
        }
    }

    /// Removes column p and restores the triangle by rotations, each handed to `rotate` as well.
    ///
    /// Columns behind p move one place forward; each then has one entry below the diagonal, which the
    /// rotations of rows p.. clear one after the other (Golub & Van Loan, section 6.5.2).
    pub(crate) fn remove(&mut self, p: usize, mut rotate: impl FnMut(Rotation<T>)) {
        let k = self.k;
        debug_assert!(p < k);
        // Entries of shifted columns, still with their subdiagonal: `old` runs one ahead of `new`.
        self.rotations.clear();
        for j in p + 1..k {
            let old = j * (j + 1) / 2;
            // the rotations made so far act on rows p..j of this column
            let (mut above, mut i) = (self.data[old + p], p);
            let new = (j - 1) * j / 2;
            self.data.copy_within(old..old + p, new);
            for r in &self.rotations {
                let (a, b) = r.turn(above, self.data[old + i + 1]);
                self.data[new + i] = a;
                above = b;
                i += 1;
            }
            // now (above, below) are rows j−1 and j of the column: the new rotation makes the latter zero
            let below = self.data[old + j];
            let (c, s, d) = givens(above, below);
            let r = Rotation { row: j - 1, c, s };
            self.data[new + j - 1] = d;
            self.rotations.push(r);
            rotate(r);
        }
        self.k -= 1;
        self.data.truncate(self.k * (self.k + 1) / 2);
    }

    /// x ← R⁻¹ x
    pub(crate) fn solve(&self, x: &mut [T]) {
        wide(
            #[inline(always)]
            || {
                for j in (0..self.k).rev() {
                    let col = self.column(j);
                    let t = x[j] / col[j];
                    x[j] = t;
                    axpy_body(-t, &col[..j], &mut x[..j]);
                }
            },
        );
    }

    /// x ← R⁻ᵀ x
    pub(crate) fn solve_transposed(&self, x: &mut [T]) {
        wide(
            #[inline(always)]
            || {
                for j in 0..self.k {
                    let col = self.column(j);
                    let t = (x[j] - dot_body(&col[..j], &x[..j])) / col[j];
                    x[j] = t;
                }
            },
        );
    }
}

/// (c, s, d) with c a + s b = d, c b − s a = 0.
fn givens<T: Scalar>(a: T, b: T) -> (T, T, T) {
    if b == T::zero() {
        return (T::one(), T::zero(), a);
    }
    let d = a.hypot(b);
    (a / d, b / d, d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::dot;
    use proptest::prelude::*;

    fn factor(columns: &[Vec<f64>]) -> PackedUpper<f64> {
        // Cholesky of the Gram matrix, column by column
        let mut r = PackedUpper::new();
        for j in 0..columns.len() {
            let mut w: Vec<f64> = (0..j).map(|i| dot(&columns[i], &columns[j])).collect();
            r.solve_transposed(&mut w);
            let d = dot(&columns[j], &columns[j]) - dot(&w, &w);
            r.push(&w, d.sqrt());
        }
        r
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Removing any sequence of columns gives the factor of what is left, up to the signs of rows.
        #[test]
        fn removal_matches_a_fresh_factor(seed in 0u64..1000, k in 2usize..12, cuts in prop::collection::vec(0usize..12, 1..6)) {
            let m = 15;
            let mut s = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut next = || {
                s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((s >> 33) as f64) / f64::from(1u32 << 31) - 0.5
            };
            let mut cols: Vec<Vec<f64>> = (0..k).map(|_| (0..m).map(|_| next()).collect()).collect();
            let mut r = factor(&cols);
            for c in cuts {
                if cols.len() < 2 { break; }
                let p = c % cols.len();
                let mut applied = Vec::new();
                r.remove(p, |q| applied.push(q));
                cols.remove(p);
                prop_assert_eq!(applied.len(), cols.len() - p);
                let fresh = factor(&cols);
                for j in 0..cols.len() {
                    for i in 0..=j {
                        prop_assert!((r.column(j)[i].abs() - fresh.column(j)[i].abs()).abs() < 1e-9);
                    }
                }
                let b: Vec<f64> = (0..cols.len()).map(|_| next()).collect();
                let mut x = b.clone();
                r.solve_transposed(&mut x);
                r.solve(&mut x);
                for i in 0..cols.len() {
                    let g: f64 = (0..cols.len()).map(|j| dot(&cols[i], &cols[j]) * x[j]).sum();
                    prop_assert!((g - b[i]).abs() < 1e-8);
                }
            }
        }
    }
}
