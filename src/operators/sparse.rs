//! sprs matrices, compressed by rows or by columns, owned or viewed, with any index type.

use super::{LinearOperator, SparseColumns};
use crate::Scalar;
use sprs::{CsMatBase, SpIndex};
use std::ops::Deref;

// Plain loops over the arrays: sprs's own product goes through checked iterators and is 1.5 to 4 times slower.
impl<T, I, Iptr, PtrStorage, IndexStorage, DataStorage> LinearOperator<T>
    for CsMatBase<T, I, PtrStorage, IndexStorage, DataStorage, Iptr>
where
    T: Scalar,
    I: SpIndex,
    Iptr: SpIndex,
    PtrStorage: Deref<Target = [Iptr]>,
    IndexStorage: Deref<Target = [I]>,
    DataStorage: Deref<Target = [T]>,
{
    fn rows(&self) -> usize {
        CsMatBase::rows(self)
    }
    fn columns(&self) -> usize {
        CsMatBase::cols(self)
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        if self.is_csr() {
            gather(self, x, y);
        } else {
            scatter(self, x, y);
        }
    }
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        if self.is_csr() {
            scatter(self, y, x);
        } else {
            gather(self, y, x);
        }
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        match self.sparse_columns() {
            Some(columns) => columns.column_norms(out),
            None => false,
        }
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        if self.is_csr() {
            return false; // a column costs a whole pass here: solvers take `sparse_columns` instead
        }
        out.fill(T::zero());
        if let Some(column) = self.outer_view(j) {
            for (i, v) in column.iter() {
                out[i] += *v;
            }
        }
        true
    }
    fn row(&self, i: usize, out: &mut [T]) -> bool {
        if !self.is_csr() {
            return false;
        }
        out.fill(T::zero());
        if let Some(row) = self.outer_view(i) {
            for (j, v) in row.iter() {
                out[j] += *v;
            }
        }
        true
    }
    fn sparse_columns(&self) -> Option<SparseColumns<T>> {
        let (csr, indptr, indices, data) = (self.is_csr(), self.indptr(), self.indices(), self.data());
        let indptr = &indptr;
        SparseColumns::collect(CsMatBase::rows(self), CsMatBase::cols(self), || {
            (0..indptr.outer_dims()).flat_map(move |outer| {
                let span = indptr.outer_inds_sz(outer);
                let entries = indices[span.clone()].iter().zip(&data[span]);
                entries.map(move |(i, v)| {
                    if csr {
                        (outer, i.index(), *v)
                    } else {
                        (i.index(), outer, *v)
                    }
                })
            })
        })
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        let csr = self.is_csr();
        self.outer_iterator().enumerate().find_map(|(outer, vector)| {
            let (inner, _) = vector.iter().find(|(_, v)| !v.is_finite())?;
            Some(if csr { (outer, inner) } else { (inner, outer) })
        })
    }
}

/// out_k = Σ over the entries of outer vector k: dot products.
fn gather<T, I, Iptr, P, X, D>(a: &CsMatBase<T, I, P, X, D, Iptr>, v: &[T], out: &mut [T])
where
    T: Scalar,
    I: SpIndex,
    Iptr: SpIndex,
    P: Deref<Target = [Iptr]>,
    X: Deref<Target = [I]>,
    D: Deref<Target = [T]>,
{
    let (indices, data) = (a.indices(), a.data());
    for (k, o) in out.iter_mut().enumerate() {
        let span = a.indptr().outer_inds_sz(k);
        let mut s = T::zero();
        for (i, x) in indices[span.clone()].iter().zip(&data[span]) {
            s += *x * v[i.index()];
        }
        *o = s;
    }
}

/// out += v_k · outer vector k.
fn scatter<T, I, Iptr, P, X, D>(a: &CsMatBase<T, I, P, X, D, Iptr>, v: &[T], out: &mut [T])
where
    T: Scalar,
    I: SpIndex,
    Iptr: SpIndex,
    P: Deref<Target = [Iptr]>,
    X: Deref<Target = [I]>,
    D: Deref<Target = [T]>,
{
    out.fill(T::zero());
    let (indices, data) = (a.indices(), a.data());
    for (k, vk) in v.iter().enumerate() {
        if *vk == T::zero() {
            continue;
        }
        let span = a.indptr().outer_inds_sz(k);
        for (i, x) in indices[span.clone()].iter().zip(&data[span]) {
            out[i.index()] += *vk * *x;
        }
    }
}
