//! Sets that become bounds and a sum in other variables, x = L z.
//!
//! ```text
//! x ≥ 0, Σx ≤ r             x = z, and a slack z_{n+1} ≥ 0 with a column of zeros, Σz = r
//! ‖x‖₁ ≤ r                  x = z⁺ − z⁻ with columns (A, −A, 0), z ≥ 0, Σz = r
//! lo ≤ x_1 ≤ … ≤ x_n ≤ hi   x = running sums of z with columns Σ_{j≥k} a_j, z_1 ≥ lo, the others ≥ 0;
//!                           with a finite hi a slack too, and Σz = hi
//! ```

use crate::checks::zeros;
use crate::least_squares::region::add;
use crate::linalg::norm2;
use crate::operators::{LinearOperator, SparseColumns, checked_dense, checked_sparse};
use crate::{LinalgScalar, Result, Scalar};

/// How x comes from z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// z = (x, slack)
    Slack,
    /// z = (x⁺, x⁻, slack)
    Signed,
    /// z = (x_1, increments), and a slack if the flag says so.
    Increments(bool),
}

/// The operator A L.
pub(super) struct Reduced<'a, A: ?Sized> {
    pub(super) a: &'a A,
    pub(super) change: Change,
}

impl Change {
    /// The number of z for n coordinates, or the largest integer.
    pub(super) fn columns(self, n: usize) -> usize {
        match self {
            Self::Slack | Self::Increments(true) => n.saturating_add(1),
            Self::Signed => n.saturating_mul(2).saturating_add(1),
            Self::Increments(false) => n,
        }
    }

    /// x ← L z, with x_1 ≤ … ≤ x_n for increments whatever the rounding.
    pub(super) fn x<T: Scalar>(self, z: &[T], x: &mut [T]) {
        let n = x.len();
        match self {
            Self::Slack => x.copy_from_slice(&z[..n]),
            Self::Signed => {
                for (j, v) in x.iter_mut().enumerate() {
                    *v = z[j] - z[n + j];
                }
            }
            Self::Increments(_) => {
                let (mut total, mut lost) = (T::zero(), T::zero());
                let mut last = T::neg_infinity();
                for (v, d) in x.iter_mut().zip(z) {
                    add(&mut total, &mut lost, *d);
                    // a step of exactly zero keeps the value exactly
                    if *d != T::zero() || last == T::neg_infinity() {
                        last = last.max(total + lost);
                    }
                    *v = last;
                }
            }
        }
    }

    /// z with L z = x, the slack up to `total`.
    pub(super) fn z<T: Scalar>(self, x: &[T], total: T) -> Vec<T> {
        let mut z = Vec::with_capacity(self.columns(x.len()));
        match self {
            Self::Slack => z.extend_from_slice(x),
            Self::Signed => {
                z.extend(x.iter().map(|v| v.max(T::zero())));
                z.extend(x.iter().map(|v| (-*v).max(T::zero())));
            }
            Self::Increments(_) => {
                z.extend(x.first());
                z.extend(x.windows(2).map(|w| w[1] - w[0]));
            }
        }
        if z.len() < self.columns(x.len()) {
            let (mut rest, mut lost) = (total, T::zero());
            for v in &z {
                add(&mut rest, &mut lost, -*v);
            }
            z.push((rest + lost).max(T::zero()));
        }
        z
    }

    /// A L from A in its first n columns, column after column with m rows; the others are zero on entry.
    pub(super) fn complete<T: Scalar>(self, data: &mut [T], m: usize, n: usize) {
        match self {
            Self::Slack => {}
            Self::Signed => {
                let (positive, negative) = data.split_at_mut(m * n);
                for (p, q) in positive.iter().zip(negative) {
                    *q = -*p;
                }
            }
            Self::Increments(_) => {
                for j in (1..n).rev() {
                    let (before, after) = data.split_at_mut(j * m);
                    for (p, q) in before[(j - 1) * m..].iter_mut().zip(&after[..m]) {
                        *p += *q;
                    }
                }
            }
        }
    }

    /// g_z ← Lᵀ g_x, where the first n entries of g hold g_x.
    fn pull_back<T: Scalar>(self, g: &mut [T], n: usize) {
        match self {
            Self::Slack => {}
            Self::Signed => {
                for j in 0..n {
                    g[n + j] = -g[j];
                }
            }
            Self::Increments(_) => {
                for j in (1..n).rev() {
                    let v = g[j];
                    g[j - 1] += v;
                }
            }
        }
        if let Some(last) = g[n..].last_mut() {
            *last = T::zero();
        }
    }
}

impl<A: ?Sized> Reduced<'_, A> {
    /// A L written out column after column, where A is dense.
    pub(super) fn written<T>(&self) -> Result<Option<Vec<T>>>
    where
        T: LinalgScalar,
        A: LinearOperator<T>,
    {
        let Some(a) = checked_dense(self.a)? else {
            return Ok(None);
        };
        let (m, n) = (a.rows(), a.columns());
        let elements = m.saturating_mul(self.change.columns(n));
        let mut data = zeros("the columns of the reduction", elements)?;
        for (j, column) in data.chunks_exact_mut(m).take(n).enumerate() {
            a.column(j, column);
        }
        self.change.complete(&mut data, m, n);
        Ok(Some(data))
    }
}

impl<T: Scalar, A: LinearOperator<T> + ?Sized> LinearOperator<T> for Reduced<'_, A> {
    fn rows(&self) -> usize {
        self.a.rows()
    }
    fn columns(&self) -> usize {
        self.change.columns(self.a.columns())
    }
    fn apply(&self, z: &[T], y: &mut [T]) {
        let mut x = vec![T::zero(); self.a.columns()];
        match self.change {
            // plain running sums: the step that `Change::x` takes care of is none here
            Change::Increments(_) => {
                let mut total = T::zero();
                for (v, d) in x.iter_mut().zip(z) {
                    total += *d;
                    *v = total;
                }
            }
            change => change.x(z, &mut x),
        }
        self.a.apply(&x, y);
    }
    fn apply_adjoint(&self, y: &[T], z: &mut [T]) {
        let n = self.a.columns();
        self.a.apply_adjoint(y, &mut z[..n]);
        self.change.pull_back(z, n);
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        let n = self.a.columns();
        if matches!(self.change, Change::Increments(_)) {
            let Ok(Some(a)) = checked_sparse(self.a) else {
                return false;
            };
            norms_of_sums(&a, &mut out[..n]);
            out[n..].fill(T::zero());
            return true;
        }
        if !self.a.column_norms(&mut out[..n]) {
            return false;
        }
        self.change.pull_back(out, n);
        out.iter_mut().for_each(|c| *c = c.abs());
        true
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        let n = self.a.columns();
        match self.change {
            Change::Increments(_) => false,
            _ if j < n => self.a.column(j, out),
            Change::Signed if j < 2 * n => {
                let known = self.a.column(j - n, out);
                out.iter_mut().for_each(|v| *v = -*v);
                known
            }
            _ => {
                out.fill(T::zero());
                true
            }
        }
    }
    fn sparse_columns(&self) -> Option<SparseColumns<T>> {
        if matches!(self.change, Change::Increments(_)) {
            return None; // sums of sparse columns are dense
        }
        let a = checked_sparse(self.a).ok()??;
        let n = a.columns();
        let mut copies = vec![(0, T::one())];
        if self.change == Change::Signed {
            copies.push((n, -T::one()));
        }
        let (a, copies) = (&a, &copies);
        SparseColumns::collect(a.rows(), self.columns(), || {
            copies.iter().flat_map(move |(offset, sign)| {
                (0..n).flat_map(move |j| {
                    let (rows, values) = a.entries(j);
                    rows.iter()
                        .zip(values)
                        .map(move |(i, v)| (*i as usize, j + offset, *sign * *v))
                })
            })
        })
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        self.a.first_not_finite()
    }
}

/// out_k ← ‖Σ_{j≥k} a_j‖, from one pass over the entries: an entry v changes a square by v (old + new). Where most of the sum has cancelled,
/// only rounding would be left, so the norm is recomputed.
fn norms_of_sums<T: Scalar>(a: &SparseColumns<T>, out: &mut [T]) {
    let mut sum = vec![T::zero(); a.rows()];
    let (mut square, mut largest) = (T::zero(), T::zero());
    for (k, o) in out.iter_mut().enumerate().rev() {
        let (rows, values) = a.entries(k);
        for (i, v) in rows.iter().zip(values) {
            let s = &mut sum[*i as usize];
            let new = *s + *v;
            square += (new - *s) * (new + *s);
            *s = new;
        }
        largest = largest.max(square);
        *o = square.sqrt();
        // (NaN and squares beyond the numbers included)
        if !(square >= T::lit(1e-4) * largest && square.is_normal()) {
            *o = norm2(&sum);
            square = *o * *o;
            largest = square;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_operator;

    #[test]
    fn norms_of_sums_of_sparse_columns() {
        use crate::testing::Random;
        let (m, n) = (30, 400);
        for scale in [1.0, 1e-200, 1e200] {
            let mut random = Random::new(4);
            let mut entries: Vec<(usize, usize, f64)> = (0..n)
                .flat_map(|j| [(j % m, j), ((7 * j + 3) % m, j)])
                .map(|(i, j)| (i, j, scale * random.normal::<f64>()))
                .collect();
            // what comes in goes out again: sums that are all but zero, and zero
            for k in 0..100 {
                let (i, _, v) = entries[k];
                entries.push((i, n + k, -v));
                entries.push((i, n + 100 + k, v * (1.0 + 1e-13)));
            }
            let a = SparseColumns::from_triplets(m, n + 200, &entries).unwrap();
            let mut norms = vec![f64::NAN; n + 200];
            norms_of_sums(&a, &mut norms);
            let mut sum = vec![0.0; m];
            for k in (0..n + 200).rev() {
                let (rows, values) = a.entries(k);
                rows.iter().zip(values).for_each(|(i, v)| sum[*i as usize] += *v);
                let right = crate::linalg::norm2(&sum);
                assert!(
                    (norms[k] - right).abs() <= 1e-8 * right,
                    "{k}: {:e} {right:e}",
                    norms[k]
                );
            }
        }
    }

    #[test]
    fn every_change_is_linear_and_invertible() {
        let a = nalgebra::DMatrix::from_fn(4, 3, |i, j| (i * 7 % 5) as f64 - j as f64);
        for change in [
            Change::Slack,
            Change::Signed,
            Change::Increments(true),
            Change::Increments(false),
        ] {
            let reduced = Reduced { a: &a, change };
            assert!(check_operator(&reduced, 1).passed(), "{change:?}");
            let x = match change {
                Change::Signed => [1.0, -2.0, 0.0],
                Change::Slack => [1.0, 2.0, 0.5],
                Change::Increments(_) => [-1.0, 2.0, 2.0],
            };
            let z = change.z(&x, 4.0);
            let mut back = [0.0; 3];
            change.x(&z, &mut back);
            assert_eq!(x, back);
            let written = reduced.written().unwrap().unwrap();
            for (j, column) in written.chunks_exact(4).enumerate() {
                let mut unit = vec![0.0; z.len()];
                unit[j] = 1.0;
                let mut y = [0.0; 4];
                reduced.apply(&unit, &mut y);
                assert_eq!(column, y, "{change:?} {j}");
            }
        }
    }
}
