//! A polyhedron as bounds and at most one sum in other variables: x = L z + s, block by block.

use super::reduction::Change;
use crate::Scalar;
use crate::linalg::axpy;
use crate::operators::SparseColumns;
use crate::sets::{Polyhedron, clip};
use std::ops::Range;

/// {L z + s : lower ≤ z ≤ upper, Σ_{j ∈ part} z_j = total}.
#[derive(Debug, Clone)]
pub(crate) struct Flat<T> {
    blocks: Vec<Block<T>>,
    pub(super) lower: Vec<T>,
    pub(super) upper: Vec<T>,
    pub(super) sum: Option<(Vec<usize>, T)>,
    dim: usize,
}

#[derive(Debug, Clone)]
struct Block<T> {
    x: Range<usize>,
    z: Range<usize>,
    kind: Kind<T>,
}

#[derive(Debug, Clone)]
enum Kind<T> {
    Plain,
    /// The slack goes up to this.
    Changed(Change, T),
    /// Running sums between these bounds.
    Monotone(Change, T, T),
    Tied(Vec<usize>),
    /// Column after column, and s; the rest is what the inner set is flattened to.
    Image(Vec<T>, Vec<T>, Box<Flat<T>>),
}

impl<T: Scalar> Flat<T> {
    /// None when the polyhedron needs more than one sum.
    pub(crate) fn new(polyhedron: &Polyhedron<T>) -> Option<Self> {
        let mut flat = Self {
            blocks: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            sum: None,
            dim: 0,
        };
        flat.append(polyhedron)?;
        Some(flat)
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(crate) fn dim_z(&self) -> usize {
        self.lower.len()
    }

    fn append(&mut self, polyhedron: &Polyhedron<T>) -> Option<()> {
        let at = self.lower.len();
        let mut total = None;
        let n = polyhedron.dim();
        let above_zero = |flat: &mut Self, k: usize| {
            flat.lower.resize(at + k, T::zero());
            flat.upper.resize(at + k, T::infinity());
        };
        let kind = match polyhedron {
            Polyhedron::Product(blocks) => return blocks.iter().try_for_each(|b| self.append(b)),
            Polyhedron::Bounds { lower, upper, sum } => {
                self.lower.extend_from_slice(lower);
                self.upper.extend_from_slice(upper);
                total = *sum;
                Kind::Plain
            }
            Polyhedron::CappedSimplex { radius, .. } => {
                above_zero(self, Change::Slack.columns(n));
                total = Some(*radius);
                Kind::Changed(Change::Slack, *radius)
            }
            Polyhedron::L1Ball { radius, .. } => {
                above_zero(self, Change::Signed.columns(n));
                total = Some(*radius);
                Kind::Changed(Change::Signed, *radius)
            }
            Polyhedron::Monotone { lower, upper, .. } => {
                total = upper.is_finite().then_some(*upper);
                let change = Change::Increments(total.is_some());
                above_zero(self, change.columns(n));
                self.lower[at] = *lower;
                Kind::Monotone(change, *lower, *upper)
            }
            Polyhedron::Tied { index, lower, upper } => {
                self.lower.extend_from_slice(lower);
                self.upper.extend_from_slice(upper);
                Kind::Tied(index.clone())
            }
            Polyhedron::Image {
                generators,
                offset,
                inner,
            } => {
                let inner = Self::new(inner)?;
                self.lower.extend_from_slice(&inner.lower);
                self.upper.extend_from_slice(&inner.upper);
                if let Some((part, r)) = &inner.sum {
                    self.add_up(part.iter().map(|j| at + j).collect(), *r)?;
                }
                Kind::Image(generators.clone(), offset.clone(), Box::new(inner))
            }
        };
        let end = self.lower.len();
        if let Some(r) = total {
            self.add_up((at..end).collect(), r)?;
        }
        self.blocks.push(Block {
            x: self.dim..self.dim + n,
            z: at..end,
            kind,
        });
        self.dim += n;
        Some(())
    }

    /// None for a second sum.
    fn add_up(&mut self, part: Vec<usize>, r: T) -> Option<()> {
        if self.sum.is_some() {
            return None;
        }
        self.sum = Some((part, r));
        Some(())
    }

    /// x ← L z + s.
    pub(super) fn x(&self, z: &[T], x: &mut [T]) {
        for block in &self.blocks {
            let (z, x) = (&z[block.z.clone()], &mut x[block.x.clone()]);
            match &block.kind {
                Kind::Plain => x.copy_from_slice(z),
                Kind::Changed(change, _) => change.x(z, x),
                Kind::Monotone(change, lo, hi) => {
                    change.x(z, x);
                    for v in x {
                        *v = clip(*v, *lo, *hi);
                    }
                }
                Kind::Tied(index) => x.iter_mut().zip(index).for_each(|(x, k)| *x = z[*k]),
                Kind::Image(generators, offset, inner) => {
                    let mut y = vec![T::zero(); inner.dim];
                    inner.x(z, &mut y);
                    x.copy_from_slice(offset);
                    for (g, y) in generators.chunks_exact(x.len()).zip(&y) {
                        axpy(*y, g, x);
                    }
                }
            }
        }
    }

    /// z with L z + s = x for x in the set; None where that would take a solve.
    pub(crate) fn z(&self, x: &[T]) -> Option<Vec<T>> {
        let mut z = Vec::with_capacity(self.lower.len());
        for block in &self.blocks {
            let x = &x[block.x.clone()];
            match &block.kind {
                Kind::Plain => z.extend_from_slice(x),
                Kind::Changed(change, total) | Kind::Monotone(change, _, total) => {
                    z.extend(change.z(x, *total));
                }
                Kind::Tied(index) => {
                    let at = z.len();
                    z.resize(at + block.z.len(), T::zero());
                    index.iter().zip(x).for_each(|(k, v)| z[at + k] = *v);
                }
                Kind::Image(..) => return None,
            }
        }
        for ((v, lo), hi) in z.iter_mut().zip(&self.lower).zip(&self.upper) {
            *v = clip(*v, *lo, *hi);
        }
        Some(z)
    }

    /// A L from A, both column after column with m rows, and b ← b − A s.
    pub(super) fn columns(&self, a: Vec<T>, m: usize, b: &mut [T]) -> Vec<T> {
        if let [
            Block {
                kind: Kind::Plain, ..
            },
        ] = self.blocks[..]
        {
            return a;
        }
        let mut out = vec![T::zero(); m * self.lower.len()];
        for block in &self.blocks {
            let (a, k) = (&a[m * block.x.start..m * block.x.end], block.x.len());
            let out = &mut out[m * block.z.start..m * block.z.end];
            match &block.kind {
                Kind::Plain => out.copy_from_slice(a),
                Kind::Changed(change, _) | Kind::Monotone(change, ..) => {
                    out[..m * k].copy_from_slice(a);
                    change.complete(out, m, k);
                }
                Kind::Tied(index) => {
                    for (a, k) in a.chunks_exact(m).zip(index) {
                        axpy(T::one(), a, &mut out[k * m..(k + 1) * m]);
                    }
                }
                Kind::Image(generators, offset, inner) => {
                    for (a, s) in a.chunks_exact(m).zip(offset) {
                        axpy(-*s, a, b);
                    }
                    let mut product = vec![T::zero(); m * inner.dim];
                    for (o, g) in product.chunks_exact_mut(m).zip(generators.chunks_exact(k)) {
                        for (a, v) in a.chunks_exact(m).zip(g).filter(|(_, v)| **v != T::zero()) {
                            axpy(*v, a, o);
                        }
                    }
                    out.copy_from_slice(&inner.columns(product, m, b));
                }
            }
        }
        out
    }

    /// The same for sparse A; None where A L is not sparse.
    pub(super) fn sparse_columns(&self, a: SparseColumns<T>, m: usize) -> Option<SparseColumns<T>> {
        if let [
            Block {
                kind: Kind::Plain, ..
            },
        ] = self.blocks[..]
        {
            return Some(a);
        }
        let mut entries: Vec<(usize, usize, T)> = Vec::new();
        let mut put = |j: usize, to: usize, sign: T| {
            let (rows, values) = a.entries(j);
            entries.extend(rows.iter().zip(values).map(|(i, v)| (*i as usize, to, sign * *v)));
        };
        for block in &self.blocks {
            for (k, j) in block.x.clone().enumerate() {
                match &block.kind {
                    Kind::Plain | Kind::Changed(Change::Slack, _) => put(j, block.z.start + k, T::one()),
                    Kind::Changed(Change::Signed, _) => {
                        put(j, block.z.start + k, T::one());
                        put(j, block.z.start + block.x.len() + k, -T::one());
                    }
                    Kind::Tied(index) => put(j, block.z.start + index[k], T::one()),
                    Kind::Changed(..) | Kind::Monotone(..) | Kind::Image(..) => return None,
                }
            }
        }
        SparseColumns::from_triplets(m, self.lower.len(), &entries).ok()
    }
}
