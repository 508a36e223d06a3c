//! A prepared: checked, measured, and in the form that the methods read.

use super::faces::weak_pivot;
#[cfg(feature = "argmin")]
use crate::checks::check_len;
use crate::checks::{check_memory, check_not_empty};
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{axpy, dot, exponent, norm2, rounding_of_sums, safe_exponent};
use crate::operators::dense_products::{self, PARTS};
use crate::operators::{
    ColumnScaled, Dense, LinearOperator, SparseColumns, checked_dense, checked_norms, checked_size,
    checked_sparse, not_finite, power_of_two_factor, sparse_products,
};
use crate::outcome::{Halt, Run, Status, Stop};
use crate::{LinalgScalar, Result};
use std::cell::RefCell;
use std::sync::Arc;

/// Additions on the way of a term through our sums of products, beside one for every group of eight terms: those inside a group, of the eight
/// partial sums, of the terms left over, and of the parts of threads.
const OF_GROUPS: usize = 24;

/// At most this many elements (8 MB of f64) are made dense to reach the exact dense methods …
const DENSIFY_SPARSE: usize = 1_000_000;
/// … and an operator of products only is written out when that takes no more than this many products.
const MATERIALISE_COLUMNS: usize = 512;
const MATERIALISE_ELEMENTS: usize = 4_000_000;

/// Where the columns live.
enum Storage<'a, T: LinalgScalar> {
    Borrowed(Dense<'a, T>),
    /// m×n, made from something else: in column-major order if the flag says so.
    Owned(Vec<T>, bool),
    Sparse(SparseColumns<T>),
    Products(Box<dyn LinearOperator<T> + 'a>),
}

/// ÂᵀÂ, and whether other threads read it too.
enum Gram<T: LinalgScalar> {
    Own(Scratch<T>),
    Shared(Arc<Vec<T>>),
}

impl<T: LinalgScalar> Gram<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::Own(g) => g,
            Self::Shared(g) => g,
        }
    }
}

/// The least-squares operator in scaled variables: Â = A·diag(s), x = s∘x̂.
///
/// s is 1 unless some column norm is so large or small that a Gram matrix would overflow; then it is a power of
/// two per column, which changes no mantissa.
pub(crate) struct Problem<'a, T: LinalgScalar> {
    storage: Storage<'a, T>,
    rows: usize,
    columns: usize,
    factors: Option<Vec<T>>,
    norms: Scratch<T>,
    gram: std::cell::OnceCell<Gram<T>>,
    /// Whether more right-hand sides than one are coming, and then the factor of the Gram matrix, if it has one.
    many: bool,
    whole_factor: std::cell::OnceCell<Option<Arc<Vec<T>>>>,
    /// 0 … n−1.
    everything: std::cell::OnceCell<Scratch<usize>>,
    /// What [`coherence_length`](Self::coherence_length) found.
    pub(super) coherence_length: std::cell::OnceCell<usize>,
    /// Scratch of the products.
    spare: RefCell<Scratch<T>>,
    /// Products spent on preparing (norms and columns of an operator that only has products).
    pub(crate) setup_passes: f64,
}

/// What a [`Problem`] has found out and written down, without A: for the next solve with the same A.
#[cfg(feature = "argmin")]
#[derive(Debug)]
pub(crate) struct Prepared<T> {
    /// What was written out; None where A itself is read.
    storage: Option<WrittenOut<T>>,
    rows: usize,
    columns: usize,
    factors: Option<Vec<T>>,
    norms: Vec<T>,
    gram: Option<Arc<Vec<T>>>,
}

#[cfg(feature = "argmin")]
#[derive(Debug)]
enum WrittenOut<T> {
    Dense(Vec<T>, bool),
    Sparse(SparseColumns<T>),
}

#[cfg(feature = "argmin")]
impl<T: LinalgScalar> Prepared<T> {
    /// The problem again, with the A that it was made of.
    pub(crate) fn with<'a>(self, a: &'a dyn LinearOperator<T>) -> Result<Problem<'a, T>> {
        check_len("a column of the matrix", self.rows, a.rows())?;
        check_len("a row of the matrix", self.columns, a.columns())?;
        let storage = match (self.storage, checked_dense(a)?, &self.factors) {
            (Some(WrittenOut::Dense(data, order)), ..) => Storage::Owned(data, order),
            (Some(WrittenOut::Sparse(s)), ..) => Storage::Sparse(s),
            (None, Some(view), _) => Storage::Borrowed(view),
            (None, None, Some(f)) => Storage::Products(Box::new(ColumnScaled::new(a, f.clone())?)),
            (None, None, None) => Storage::Products(Box::new(a)),
        };
        Ok(Problem {
            storage,
            rows: self.rows,
            columns: self.columns,
            factors: self.factors,
            norms: self.norms.into(),
            gram: self.gram.map(|g| Gram::Shared(g).into()).unwrap_or_default(),
            many: false,
            whole_factor: std::cell::OnceCell::new(),
            everything: std::cell::OnceCell::new(),
            coherence_length: std::cell::OnceCell::new(),
            spare: RefCell::new(scratch::empty()),
            setup_passes: 0.0,
        })
    }
}

impl<'a, T: LinalgScalar> Problem<'a, T> {
    /// What another solve with this A can use again.
    #[cfg(feature = "argmin")]
    pub(crate) fn into_prepared(self) -> Prepared<T> {
        Prepared {
            storage: match self.storage {
                Storage::Owned(data, order) => Some(WrittenOut::Dense(data, order)),
                Storage::Sparse(s) => Some(WrittenOut::Sparse(s)),
                Storage::Borrowed(_) | Storage::Products(_) => None,
            },
            rows: self.rows,
            columns: self.columns,
            factors: self.factors,
            norms: self.norms.into_vec(),
            gram: self.gram.into_inner().map(|g| match g {
                Gram::Own(g) => Arc::new(g.into_vec()),
                Gram::Shared(g) => g,
            }),
        }
    }

    /// Checks and measures A. Small sparse and product-only operators are made dense unless
    /// `keep_form`.
    ///
    /// # Errors
    /// What is wrong with A, or the limit that was reached between two products.
    pub(crate) fn new(a: &'a dyn LinearOperator<T>, keep_form: bool, stop: Stop<'_>) -> Result<Self, Halt> {
        let (rows, columns) = checked_size(a)?;
        check_not_empty("the matrix (no rows)", rows)?;
        check_not_empty("the matrix (no columns)", columns)?;
        let elements = rows.saturating_mul(columns);
        let mut setup_passes = 0.0;
        let mut storage = if let Some(view) = checked_dense(a)? {
            Storage::Borrowed(view)
        } else if let Some(sparse) = checked_sparse(a)? {
            if !keep_form && elements <= DENSIFY_SPARSE {
                Storage::Owned(write_out(&sparse, Stop::never())?, true)
            } else {
                Storage::Sparse(sparse)
            }
        } else if !keep_form && columns <= MATERIALISE_COLUMNS && elements <= MATERIALISE_ELEMENTS {
            setup_passes += columns as f64;
            Storage::Owned(write_out(a, stop)?, true)
        } else {
            Storage::Products(Box::new(a))
        };
        let mut norms: Scratch<T> = scratch::zeros(columns);
        let known = match &storage {
            Storage::Borrowed(d) => d.column_norms(&mut norms),
            Storage::Sparse(s) => s.column_norms(&mut norms),
            Storage::Products(p) => checked_norms(p.as_ref(), &mut norms)?,
            Storage::Owned(data, _) => {
                for (c, column) in norms.iter_mut().zip(data.chunks_exact(rows)) {
                    *c = norm2(column);
                }
                true
            }
        };
        if !known {
            setup_passes += columns as f64;
            norms_by_products(a, &mut norms, stop)?;
        }
        if let Some(index) = norms.iter().position(|c| !c.is_finite()) {
            return Err(not_finite(a, index).into());
        }
        let limit = safe_exponent::<T>() / 8;
        let extreme = norms
            .iter()
            .any(|c| *c > T::zero() && exponent(*c).unsigned_abs() > limit);
        let factors = extreme.then(|| norms.iter().map(|c| power_of_two_factor(*c)).collect::<Vec<T>>());
        if let Some(f) = &factors {
            for (c, s) in norms.iter_mut().zip(f) {
                *c *= *s;
            }
            check_memory::<T>("a scaled copy of the matrix", storage_elements(&storage))?;
            storage = match storage {
                // in the same order, so that every sum is rounded as it would be unscaled
                Storage::Borrowed(d) => Storage::Owned(scaled_copy(&d, f), d.is_column_major()),
                Storage::Owned(mut data, order) => {
                    for (column, s) in data.chunks_exact_mut(rows).zip(f) {
                        column.iter_mut().for_each(|v| *v *= *s);
                    }
                    Storage::Owned(data, order)
                }
                Storage::Sparse(mut s) => {
                    s.scale_columns(f);
                    Storage::Sparse(s)
                }
                Storage::Products(p) => Storage::Products(Box::new(ColumnScaled::new(p, f.clone())?)),
            };
        }
        Ok(Self {
            factors,
            setup_passes,
            ..Self::of(storage, rows, columns, norms)
        })
    }

    /// A matrix whose columns are in the units of a solve already: nothing is scaled.
    pub(crate) fn in_its_units(a: Dense<'a, T>) -> Self {
        let (rows, columns) = (a.rows(), a.columns());
        let mut norms: Scratch<T> = scratch::zeros(columns);
        a.column_norms(&mut norms);
        Self::of(Storage::Borrowed(a), rows, columns, norms)
    }

    fn of(storage: Storage<'a, T>, rows: usize, columns: usize, norms: Scratch<T>) -> Self {
        Self {
            storage,
            rows,
            columns,
            factors: None,
            norms,
            gram: std::cell::OnceCell::new(),
            many: false,
            whole_factor: std::cell::OnceCell::new(),
            everything: std::cell::OnceCell::new(),
            coherence_length: std::cell::OnceCell::new(),
            spare: RefCell::new(scratch::empty()),
            setup_passes: 0.0,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// ‖â_j‖
    pub(crate) fn norms(&self) -> &[T] {
        &self.norms
    }

    /// s_j with x_j = s_j x̂_j.
    pub(crate) fn factor(&self, j: usize) -> T {
        self.factors.as_ref().map_or(T::one(), |f| f[j])
    }

    pub(crate) fn dense(&self) -> Option<Dense<'_, T>> {
        match self.operator() {
            Operator::Dense(d) => Some(d),
            _ => None,
        }
    }

    pub(crate) fn sparse(&self) -> Option<&SparseColumns<T>> {
        match &self.storage {
            Storage::Sparse(s) => Some(s),
            _ => None,
        }
    }

    /// How many numbers of A a pass reads; all of them where only products are known.
    pub(crate) fn numbers(&self) -> usize {
        match &self.storage {
            Storage::Sparse(s) => s.nonzeros().max(self.rows).max(self.columns),
            _ => self.rows.saturating_mul(self.columns),
        }
    }

    /// Whether columns can be read without a product.
    pub(crate) fn has_columns(&self) -> bool {
        !matches!(self.storage, Storage::Products(_))
    }

    /// A bound of ‖δ(b − Â x)‖ when that is formed by the products of this problem, with `taking_part` entries of x that are not zero and
    /// `size` = ‖b‖ + Σ‖â_j‖|x_j|. (If only products are known, they are assumed to be as accurate as pairwise summation.)
    pub(crate) fn rounding_of_residual(&self, taking_part: usize, size: T) -> T {
        let depth = match self.operator() {
            // (all columns may be combined, in groups that hold few of those that take part)
            Operator::Dense(d) if d.is_column_major() => by_groups(self.columns).min(taking_part),
            Operator::Dense(_) | Operator::Sparse(_) => taking_part,
            Operator::Products(_) => by_halves(self.columns),
        };
        rounding_of_sums(depth, size)
    }

    /// A bound of |δ⟨â_j, r⟩|/‖â_j‖ for every j, with the norm of r.
    pub(crate) fn rounding_of_adjoint(&self, r: T) -> T {
        let depth = match self.operator() {
            Operator::Dense(d) if d.is_column_major() => by_groups(self.rows),
            Operator::Dense(_) => self.rows,
            Operator::Sparse(s) => (0..self.columns).map(|j| s.entries(j).1.len()).max().unwrap_or(0),
            Operator::Products(_) => by_halves(self.rows),
        };
        rounding_of_sums(depth, r)
    }

    fn operator(&self) -> Operator<'_, T> {
        match &self.storage {
            Storage::Borrowed(d) => Operator::Dense(*d),
            // the length is rows × columns by construction
            Storage::Owned(data, order) => {
                Operator::Dense(Dense::whole(data, self.rows, self.columns, *order))
            }
            Storage::Sparse(s) => Operator::Sparse(s),
            Storage::Products(p) => Operator::Products(p.as_ref()),
        }
    }

    /// y ← Â x
    pub(crate) fn apply(&self, x: &[T], y: &mut [T], run: &mut Run<'_>) {
        run.passes += 1.0;
        match self.operator() {
            Operator::Dense(d) if d.is_column_major() => dense_products::combine(&d, self.everything(), x, y),
            Operator::Dense(d) => dense_products::rows_apply(&d, x, y),
            Operator::Sparse(s) => self.with_spare(sparse_products::PARTS * self.rows, |partial| {
                sparse_products::combine(s, self.columns, None, x, y, partial);
            }),
            Operator::Products(p) => p.apply(x, y),
        }
    }

    /// x ← Âᵀ y
    pub(crate) fn adjoint(&self, y: &[T], x: &mut [T], run: &mut Run<'_>) {
        run.passes += 1.0;
        match self.operator() {
            Operator::Dense(d) if d.is_column_major() => {
                dense_products::combine_adjoint(&d, self.everything(), y, x);
            }
            Operator::Dense(d) => self.with_spare(PARTS * self.columns, |partial| {
                dense_products::rows_adjoint(&d, y, x, partial);
            }),
            Operator::Sparse(s) => sparse_products::combine_adjoint(s, self.columns, None, y, x),
            Operator::Products(p) => p.apply_adjoint(y, x),
        }
    }

    /// ap ← Â p and aq ← Â q; a pass over memory counts once, but two products are two.
    pub(crate) fn pair(&self, p: &[T], q: &[T], ap: &mut [T], aq: &mut [T], run: &mut Run<'_>) {
        run.passes += 2.0;
        match self.operator() {
            Operator::Dense(d) if d.is_column_major() => {
                dense_products::pair(&d, self.everything(), p, q, ap, aq);
            }
            Operator::Dense(d) => d.apply_pair(p, q, ap, aq),
            Operator::Sparse(s) => self.with_spare(2 * sparse_products::PARTS * self.rows, |partial| {
                sparse_products::pair(s, p, q, ap, aq, partial);
            }),
            Operator::Products(o) => o.apply_pair(p, q, ap, aq),
        }
    }

    /// y ← Σ x_f â_{face(f)}, where only the columns of a face take part.
    pub(crate) fn combine(&self, face: &[usize], x: &[T], y: &mut [T], run: &mut Run<'_>) {
        match self.operator() {
            Operator::Dense(d) if d.is_column_major() => {
                dense_products::combine(&d, face, x, y);
            }
            Operator::Dense(d) if 4 * face.len() >= self.columns => self.with_spare(self.columns, |full| {
                spread(face, x, full);
                dense_products::rows_apply(&d, full, y);
            }),
            Operator::Dense(d) => {
                for (i, yi) in y.iter_mut().enumerate() {
                    let row = d.run(i);
                    *yi = face.iter().zip(x).map(|(j, v)| row[*j] * *v).sum();
                }
            }
            Operator::Sparse(s) => self.with_spare(sparse_products::PARTS * self.rows, |partial| {
                sparse_products::combine(s, self.columns, Some(face), x, y, partial);
            }),
            Operator::Products(p) => {
                run.passes += 1.0;
                return self.with_spare(self.columns, |full| {
                    spread(face, x, full);
                    p.apply(full, y);
                });
            }
        }
        run.passes += face.len() as f64 / self.columns as f64;
    }

    /// out_f ← ⟨â_{face(f)}, y⟩
    pub(crate) fn combine_adjoint(&self, face: &[usize], y: &[T], out: &mut [T], run: &mut Run<'_>) {
        match self.operator() {
            Operator::Dense(d) if d.is_column_major() => {
                dense_products::combine_adjoint(&d, face, y, out);
            }
            Operator::Dense(d) if 4 * face.len() >= self.columns => {
                self.with_spare((PARTS + 1) * self.columns, |spare| {
                    let (full, partial) = spare.split_at_mut(self.columns);
                    dense_products::rows_adjoint(&d, y, full, partial);
                    gather(face, full, out);
                });
            }
            Operator::Dense(d) => {
                out.fill(T::zero());
                for (i, yi) in y.iter().enumerate() {
                    let row = d.run(i);
                    for (j, o) in face.iter().zip(out.iter_mut()) {
                        *o += row[*j] * *yi;
                    }
                }
            }
            Operator::Sparse(s) => sparse_products::combine_adjoint(s, self.columns, Some(face), y, out),
            Operator::Products(p) => {
                run.passes += 1.0;
                return self.with_spare(self.columns, |full| {
                    p.apply_adjoint(y, full);
                    gather(face, full, out);
                });
            }
        }
        run.passes += face.len() as f64 / self.columns as f64;
    }

    /// z ← Σ v_f â_{face(f)} and out_f ← ⟨â_{face(f)}, z⟩: one pass over memory where rows lie there.
    pub(crate) fn normal(&self, face: &[usize], v: &[T], z: &mut [T], out: &mut [T], run: &mut Run<'_>) {
        match self.operator() {
            Operator::Dense(d) if !d.is_column_major() && 4 * face.len() >= self.columns => {
                self.with_spare((PARTS + 1) * self.columns, |spare| {
                    let (full, partial) = spare.split_at_mut(self.columns);
                    spread(face, v, full);
                    dense_products::rows_normal(&d, full, z, partial);
                    gather(face, full, out);
                });
            }
            _ => {
                self.combine(face, v, z, run);
                return self.combine_adjoint(face, z, out, run);
            }
        }
        run.passes += 2.0 * face.len() as f64 / self.columns as f64;
    }

    /// Whether [`adjoint_normal`](Self::adjoint_normal) is there.
    pub(crate) fn has_adjoint_normal(&self) -> bool {
        matches!(self.operator(), Operator::Dense(d) if d.is_column_major())
    }

    /// s_f ← ⟨â_{face(f)}, y⟩ and z ← Σ_f w(f, s_f) â_{face(f)}, in one pass over memory: of dense columns only. The face None is all columns;
    /// about `moving` of the weights are not zero.
    pub(crate) fn adjoint_normal(
        &self,
        face: Option<&[usize]>,
        y: &[T],
        s: &mut [T],
        weight: impl Fn(usize, T) -> T + Sync,
        moving: usize,
        z: &mut [T],
        run: &mut Run<'_>,
    ) {
        let face = face.unwrap_or_else(|| self.everything());
        let Some(d) = self.dense().filter(Dense::is_column_major) else {
            debug_assert!(false, "not dense columns");
            return;
        };
        self.with_spare(PARTS * self.rows, |partial| {
            dense_products::columns_adjoint_normal(&d, face, y, s, weight, z, partial);
        });
        run.passes += (face.len() + moving) as f64 / self.columns as f64;
    }

    fn everything(&self) -> &[usize] {
        self.everything.get_or_init(|| (0..self.columns).collect())
    }

    fn with_spare<R>(&self, len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < len {
            spare.resize(len, T::zero());
        }
        f(&mut spare[..len])
    }

    /// Column j as a dense vector (a product with e_j where only products exist).
    pub(crate) fn column(&self, j: usize, out: &mut [T], run: &mut Run<'_>) {
        match self.operator() {
            Operator::Dense(d) => {
                d.column(j, out);
            }
            Operator::Sparse(s) => {
                s.column(j, out);
            }
            Operator::Products(p) => {
                let mut unit = vec![T::zero(); self.columns];
                unit[j] = T::one();
                p.apply(&unit, out);
                run.passes += 1.0;
                return;
            }
        }
        run.passes += 1.0 / self.columns as f64;
    }

    /// ⟨â_j, y⟩; None where that would cost a product.
    #[inline(always)]
    pub(crate) fn column_dot(&self, j: usize, y: &[T]) -> Option<T> {
        match self.operator() {
            Operator::Sparse(s) => Some(s.column_dot(j, y)),
            Operator::Dense(d) if d.is_column_major() => Some(dot(d.run(j), y)),
            Operator::Dense(d) => Some((0..self.rows).map(|i| d.get(i, j) * y[i]).sum()),
            Operator::Products(_) => None,
        }
    }

    /// y += α â_j (columns must be readable).
    #[inline(always)]
    pub(crate) fn add_column(&self, j: usize, alpha: T, y: &mut [T]) {
        match self.operator() {
            Operator::Sparse(s) => s.add_column(j, alpha, y),
            Operator::Dense(d) if d.is_column_major() => axpy(alpha, d.run(j), y),
            Operator::Dense(d) => y
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v += alpha * d.get(i, j)),
            Operator::Products(_) => debug_assert!(false, "columns of products are not readable"),
        }
    }

    /// ÂᵀÂ of a dense problem, formed once.
    pub(crate) fn gram(&self, run: &mut Run<'_>) -> Option<&[T]> {
        let dense = self.dense()?;
        let gram = self.gram.get_or_init(|| {
            run.passes += self.columns as f64;
            let mut g: Scratch<T> = scratch::zeros(self.columns * self.columns);
            T::gram(&dense, &mut g);
            if self.many {
                Gram::Shared(Arc::new(g.into_vec()))
            } else {
                Gram::Own(g)
            }
        });
        Some(gram.as_slice())
    }

    /// [`gram`](Self::gram) for any A.
    ///
    /// # Errors
    /// The limit that was reached on the way.
    pub(crate) fn whole_gram(&self, run: &mut Run<'_>) -> Result<&[T], Status> {
        if self.dense().is_none() && self.gram.get().is_none() {
            let everything: Vec<usize> = (0..self.columns).collect();
            // (that there is memory for it was asked before)
            let mut g = vec![T::zero(); self.columns * self.columns];
            self.gram_of(&everything, &mut g, run)?;
            let _ = self.gram.set(Gram::Own(g.into()));
        }
        if let Some(gram) = self.gram.get() {
            return Ok(gram.as_slice());
        }
        // (dense)
        self.gram(run).ok_or(Status::Stalled)
    }

    /// b − Â x, of the columns that take part where they are few.
    pub(crate) fn residual(&self, b: &[T], x: &[T], run: &mut Run<'_>) -> Vec<T> {
        let mut r = vec![T::zero(); self.rows];
        let face: Scratch<usize> = (0..x.len()).filter(|j| x[*j] != T::zero()).collect();
        if 4 * face.len() <= 3 * x.len() {
            let on_face: Scratch<T> = face.iter().map(|j| x[*j]).collect();
            self.combine(&face, &on_face, &mut r, run);
        } else {
            self.apply(x, &mut r, run);
        }
        for (ri, bi) in r.iter_mut().zip(b) {
            *ri = *bi - *ri;
        }
        r
    }

    /// More right-hand sides than one are coming: what all of them can use pays.
    pub(crate) fn expect_many(&mut self) {
        self.many = true;
    }

    pub(crate) fn expects_many(&self) -> bool {
        self.many
    }

    /// The lower factor of the Gram matrix, for many right-hand sides; None where it is not safely positive definite.
    pub(crate) fn whole_factor(&self, gram: &[T], run: &mut Run<'_>) -> Option<&[T]> {
        if !self.many {
            return None;
        }
        let factor = self.whole_factor.get_or_init(|| {
            let n = self.columns;
            let mut l = gram.to_vec();
            run.factorisations += 1;
            let good = T::cholesky(n, &mut l) && !weak_pivot(&l, n, |p| gram[p * (n + 1)]);
            good.then(|| Arc::new(l))
        });
        factor.as_ref().map(|l| l.as_slice())
    }

    /// What another thread needs to work on the same dense problem; None for other storage.
    pub(crate) fn parts(&self) -> Option<Parts<'_, T>> {
        Some(Parts {
            dense: self.dense()?,
            factors: self.factors.as_deref(),
            norms: &self.norms,
            gram: self.gram.get().and_then(|g| match g {
                Gram::Own(_) => None,
                Gram::Shared(g) => Some(g.clone()),
            }),
            whole_factor: self.whole_factor.get().cloned(),
        })
    }

    /// The same problem once more, with scratch of its own.
    pub(crate) fn from_parts(parts: &Parts<'a, T>) -> Self {
        Self {
            rows: parts.dense.rows(),
            columns: parts.dense.columns(),
            storage: Storage::Borrowed(parts.dense),
            factors: parts.factors.map(<[T]>::to_vec),
            norms: parts.norms.iter().copied().collect(),
            gram: parts
                .gram
                .clone()
                .map_or_else(std::cell::OnceCell::new, |g| Gram::Shared(g).into()),
            many: true,
            whole_factor: parts
                .whole_factor
                .clone()
                .map_or_else(std::cell::OnceCell::new, Into::into),
            everything: std::cell::OnceCell::new(),
            coherence_length: std::cell::OnceCell::new(),
            spare: RefCell::new(scratch::empty()),
            setup_passes: 0.0,
        }
    }

    /// The Gram matrix of some columns, column-major, both triangles.
    ///
    /// # Errors
    /// The limit that was reached between two columns.
    pub(crate) fn gram_of(&self, face: &[usize], out: &mut [T], run: &mut Run<'_>) -> Result<(), Status> {
        let k = face.len();
        if let Operator::Sparse(_) = self.operator() {
            let all: Vec<usize> = (0..k).collect();
            return self.gram_columns(face, &all, out, run);
        }
        let mut column = vec![T::zero(); self.rows];
        for (p, j) in face.iter().enumerate() {
            run.stop().check()?;
            self.column(*j, &mut column, run);
            self.combine_adjoint(&face[p..], &column, &mut out[p * k + p..(p + 1) * k], run);
            for q in p + 1..k {
                out[q * k + p] = out[p * k + q];
            }
        }
        Ok(())
    }

    /// Of the Gram matrix of a face the columns at the positions `wanted`, one after the other.
    ///
    /// # Errors
    /// The limit that was reached between two columns.
    pub(crate) fn gram_columns(
        &self,
        face: &[usize],
        wanted: &[usize],
        out: &mut [T],
        run: &mut Run<'_>,
    ) -> Result<(), Status> {
        let k = face.len();
        if let Operator::Sparse(s) = self.operator() {
            run.passes += wanted.len() as f64 * k as f64 / (2 * self.columns) as f64;
            return sparse_products::gram_columns(s, face, wanted, out, run.stop());
        }
        let mut column = vec![T::zero(); self.rows];
        for (q, products) in wanted.iter().zip(out.chunks_exact_mut(k)) {
            run.stop().check()?;
            self.column(face[*q], &mut column, run);
            self.combine_adjoint(face, &column, products, run);
        }
        Ok(())
    }
}

/// What can be shared by threads of a dense problem.
pub(crate) struct Parts<'b, T> {
    dense: Dense<'b, T>,
    factors: Option<&'b [T]>,
    norms: &'b [T],
    gram: Option<Arc<Vec<T>>>,
    whole_factor: Option<Option<Arc<Vec<T>>>>,
}

enum Operator<'b, T: LinalgScalar> {
    Dense(Dense<'b, T>),
    Sparse(&'b SparseColumns<T>),
    Products(&'b (dyn LinearOperator<T> + 'b)),
}

/// Additions on the way of each of k terms that are added up by groups of eight. In no order are there more than k.
pub(super) fn by_groups(k: usize) -> usize {
    (k / 8 + OF_GROUPS).min(k)
}

/// The same of k terms that are added up by halves, and a few more.
fn by_halves(k: usize) -> usize {
    k.max(1).ilog2() as usize + OF_GROUPS
}

/// full ← v on the face, else zero.
fn spread<T: LinalgScalar>(face: &[usize], v: &[T], full: &mut [T]) {
    full.fill(T::zero());
    for (j, x) in face.iter().zip(v) {
        full[*j] = *x;
    }
}

/// out ← full on the face.
fn gather<T: LinalgScalar>(face: &[usize], full: &[T], out: &mut [T]) {
    for (j, o) in face.iter().zip(out) {
        *o = full[*j];
    }
}

/// What a scaled copy of it holds.
fn storage_elements<T: LinalgScalar>(storage: &Storage<'_, T>) -> usize {
    match storage {
        Storage::Borrowed(d) => d.rows() * d.columns(),
        // (these are scaled where they are)
        Storage::Owned(..) | Storage::Sparse(_) | Storage::Products(_) => 0,
    }
}

/// A column after column; small enough for it.
fn write_out<T: LinalgScalar>(a: &dyn LinearOperator<T>, stop: Stop<'_>) -> Result<Vec<T>, Status> {
    let (m, n) = (a.rows(), a.columns());
    let mut data = vec![T::zero(); m * n];
    let mut unit = vec![T::zero(); n];
    for (j, out) in data.chunks_exact_mut(m).enumerate() {
        if !a.column(j, out) {
            stop.check()?;
            unit[j] = T::one();
            a.apply(&unit, out);
            unit[j] = T::zero();
        }
    }
    Ok(data)
}

/// A·diag(factors), in the order of A, without gaps.
fn scaled_copy<T: LinalgScalar>(d: &Dense<'_, T>, factors: &[T]) -> Vec<T> {
    let mut data = Vec::with_capacity(d.rows() * d.columns());
    if d.is_column_major() {
        for (j, f) in factors.iter().enumerate() {
            data.extend(d.run(j).iter().map(|v| *v * *f));
        }
    } else {
        for i in 0..d.rows() {
            data.extend(d.run(i).iter().zip(factors).map(|(v, f)| *v * *f));
        }
    }
    data
}

fn norms_by_products<T: LinalgScalar>(
    a: &dyn LinearOperator<T>,
    norms: &mut [T],
    stop: Stop<'_>,
) -> Result<(), Status> {
    let mut unit = vec![T::zero(); a.columns()];
    let mut column = vec![T::zero(); a.rows()];
    for (j, c) in norms.iter_mut().enumerate() {
        stop.check()?;
        unit[j] = T::one();
        a.apply(&unit, &mut column);
        unit[j] = T::zero();
        *c = norm2(&column);
    }
    Ok(())
}

/// v/c for a column norm c; 0 where the column is.
pub(super) fn over<T: LinalgScalar>(v: T, c: T) -> T {
    if c > T::zero() { v / c } else { T::zero() }
}
