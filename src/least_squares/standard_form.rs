//! A polyhedron in standard form, x = L z + s with bounds on z and at most one sum: the only reduction of sets.
//!
//! ```text
//! lo ≤ x ≤ hi, Σx = r       x = z
//! x ≥ 0, Σx ≤ r             x = z, and a slack z_{n+1} ≥ 0 with a column of zeros, Σz = r
//! ‖x‖₁ ≤ r                  x = z⁺ − z⁻ with columns (A, −A, 0), z ≥ 0, Σz = r
//! lo ≤ x_1 ≤ … ≤ x_n ≤ hi   x = running sums of z with columns Σ_{j≥k} a_j, z_1 ≥ lo, the others ≥ 0;
//!                           with a finite hi a slack too, and Σz = hi
//! x_i = y_{index i}         z = y with columns Σ a_i over the i with index i = k
//! x = s + G y               z is that of the set of y, with columns A G
//! products                  block by block
//! ```

use super::region::add;
use crate::checks::zeros;
use crate::linalg::{axpy, dot, norm2};
use crate::operators::{Dense, LinearOperator, SparseColumns, checked_sparse};
use crate::sets::{Polyhedron, clip};
use crate::{LinalgScalar, Result, Scalar};
use std::ops::Range;

/// {L z + s : lower ≤ z ≤ upper, Σ_{j ∈ part} z_j = total}.
#[derive(Debug, Clone)]
pub(crate) struct StandardForm<T> {
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
    Substituted {
        by: Substitution,
        /// Σ z with the slack; +∞ without one.
        total: T,
        /// The bounds of running sums.
        range: Option<(T, T)>,
    },
    Tied(Vec<usize>),
    Image {
        /// G, column after column.
        generators: Vec<T>,
        offset: Vec<T>,
        inner: Box<StandardForm<T>>,
    },
}

/// How x comes from z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Substitution {
    /// z = (x, slack)
    Slack,
    /// z = (x⁺, x⁻, slack)
    Signed,
    /// z = (x_1, increments), and a slack if the flag says so.
    Increments(bool),
}

/// The number of z for a polyhedron, or the largest integer.
pub(super) fn columns_of<T: Scalar>(polyhedron: &Polyhedron<T>) -> usize {
    let n = polyhedron.dim();
    match polyhedron {
        Polyhedron::Bounds { .. } => n,
        Polyhedron::CappedSimplex { .. } => Substitution::Slack.columns(n),
        Polyhedron::L1Ball { .. } => Substitution::Signed.columns(n),
        Polyhedron::Monotone { upper, .. } => Substitution::increments(*upper).columns(n),
        Polyhedron::Tied { lower, .. } => lower.len(),
        Polyhedron::Image { inner, .. } => columns_of(inner),
        Polyhedron::Product(blocks) => blocks.iter().map(columns_of).fold(0, usize::saturating_add),
    }
}

impl<T: Scalar> StandardForm<T> {
    /// None when the polyhedron needs more than one sum.
    pub(crate) fn new(polyhedron: &Polyhedron<T>) -> Option<Self> {
        let mut form = Self {
            blocks: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            sum: None,
            dim: 0,
        };
        form.append(polyhedron)?;
        Some(form)
    }

    /// The length of x.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The length of z.
    pub(crate) fn dim_z(&self) -> usize {
        self.lower.len()
    }

    fn append(&mut self, polyhedron: &Polyhedron<T>) -> Option<()> {
        let at = self.lower.len();
        let mut total = None;
        let n = polyhedron.dim();
        let kind = match polyhedron {
            Polyhedron::Product(blocks) => return blocks.iter().try_for_each(|b| self.append(b)),
            Polyhedron::Bounds { lower, upper, sum } => {
                self.lower.extend_from_slice(lower);
                self.upper.extend_from_slice(upper);
                total = *sum;
                Kind::Plain
            }
            Polyhedron::CappedSimplex { radius, .. } => {
                total = Some(*radius);
                self.substitute(Substitution::Slack, n, *radius, None)
            }
            Polyhedron::L1Ball { radius, .. } => {
                total = Some(*radius);
                self.substitute(Substitution::Signed, n, *radius, None)
            }
            Polyhedron::Monotone { lower, upper, .. } => {
                let by = Substitution::increments(*upper);
                total = (by == Substitution::Increments(true)).then_some(*upper);
                let kind = self.substitute(by, n, *upper, Some((*lower, *upper)));
                if let Some(first) = self.lower.get_mut(at) {
                    *first = *lower;
                }
                kind
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
                Kind::Image {
                    generators: generators.clone(),
                    offset: offset.clone(),
                    inner: Box::new(inner),
                }
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

    fn substitute(&mut self, by: Substitution, n: usize, total: T, range: Option<(T, T)>) -> Kind<T> {
        let end = self.lower.len() + by.columns(n);
        self.lower.resize(end, T::zero());
        self.upper.resize(end, T::infinity());
        Kind::Substituted { by, total, range }
    }

    /// None for a second sum.
    fn add_up(&mut self, part: Vec<usize>, r: T) -> Option<()> {
        if self.sum.is_some() {
            return None;
        }
        self.sum = Some((part, r));
        Some(())
    }

    /// Whether z = x.
    pub(super) fn is_plain(&self) -> bool {
        self.blocks.iter().all(|b| matches!(b.kind, Kind::Plain))
    }

    /// x ← L z + s, in the set whatever the rounding.
    pub(super) fn x(&self, z: &[T], x: &mut [T]) {
        for block in &self.blocks {
            let (z, x) = (&z[block.z.clone()], &mut x[block.x.clone()]);
            match &block.kind {
                Kind::Plain => x.copy_from_slice(z),
                Kind::Substituted { by, range, .. } => {
                    by.x(z, x);
                    if let Some((lo, hi)) = range {
                        x.iter_mut().for_each(|v| *v = clip(*v, *lo, *hi));
                    }
                }
                Kind::Tied(index) => x.iter_mut().zip(index).for_each(|(x, k)| *x = z[*k]),
                Kind::Image {
                    generators,
                    offset,
                    inner,
                } => {
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
                Kind::Substituted { by, total, .. } => z.extend(by.z(x, *total)),
                Kind::Tied(index) => {
                    let at = z.len();
                    z.resize(at + block.z.len(), T::zero());
                    index.iter().zip(x).for_each(|(k, v)| z[at + k] = *v);
                }
                Kind::Image { .. } => return None,
            }
        }
        for ((v, lo), hi) in z.iter_mut().zip(&self.lower).zip(&self.upper) {
            *v = clip(*v, *lo, *hi);
        }
        Some(z)
    }

    /// x ← L z, in plain sums: linear.
    fn linear(&self, z: &[T], x: &mut [T]) {
        for block in &self.blocks {
            let (z, x) = (&z[block.z.clone()], &mut x[block.x.clone()]);
            match &block.kind {
                Kind::Plain => x.copy_from_slice(z),
                Kind::Substituted {
                    by: Substitution::Increments(_),
                    ..
                } => {
                    let mut total = T::zero();
                    for (v, d) in x.iter_mut().zip(z) {
                        total += *d;
                        *v = total;
                    }
                }
                Kind::Substituted { by, .. } => by.x(z, x),
                Kind::Tied(index) => x.iter_mut().zip(index).for_each(|(x, k)| *x = z[*k]),
                Kind::Image {
                    generators, inner, ..
                } => {
                    let mut y = vec![T::zero(); inner.dim];
                    inner.linear(z, &mut y);
                    x.fill(T::zero());
                    for (g, y) in generators.chunks_exact(x.len()).zip(&y) {
                        axpy(*y, g, x);
                    }
                }
            }
        }
    }

    /// g_z ← Lᵀ g_x
    fn adjoint(&self, g: &[T], out: &mut [T]) {
        for block in &self.blocks {
            let (g, out) = (&g[block.x.clone()], &mut out[block.z.clone()]);
            let n = g.len();
            match &block.kind {
                Kind::Plain => out.copy_from_slice(g),
                Kind::Substituted { by, .. } => {
                    out[..n].copy_from_slice(g);
                    by.pull_back(out, n);
                }
                Kind::Tied(index) => {
                    out.fill(T::zero());
                    g.iter().zip(index).for_each(|(g, k)| out[*k] += *g);
                }
                Kind::Image {
                    generators, inner, ..
                } => {
                    let y: Vec<T> = generators.chunks_exact(n).map(|column| dot(column, g)).collect();
                    inner.adjoint(&y, out);
                }
            }
        }
    }

    /// s; None for s = 0.
    pub(super) fn offset(&self) -> Option<Vec<T>> {
        let mut s = vec![T::zero(); self.dim];
        for block in &self.blocks {
            if let Kind::Image {
                generators,
                offset,
                inner,
            } = &block.kind
            {
                let s = &mut s[block.x.clone()];
                s.copy_from_slice(offset);
                if let Some(y) = inner.offset() {
                    for (g, y) in generators.chunks_exact(s.len()).zip(&y) {
                        axpy(*y, g, s);
                    }
                }
            }
        }
        s.iter().any(|v| *v != T::zero()).then_some(s)
    }

    /// What the optimality conditions say in x, from the multipliers of z: those of x where z = x but for a slack, half the difference for x⁺ and
    /// x⁻, those of the increments for running sums. NaN where one x has no multiplier of its own (ties and images).
    pub(super) fn multipliers(&self, of_z: &[T]) -> Vec<T> {
        let mut out = vec![T::nan(); self.dim];
        for block in &self.blocks {
            let (mu, out) = (&of_z[block.z.clone()], &mut out[block.x.clone()]);
            let n = out.len();
            match &block.kind {
                Kind::Substituted {
                    by: Substitution::Signed,
                    ..
                } => {
                    // g − λ and −g − λ: half their difference is g
                    for (j, v) in out.iter_mut().enumerate() {
                        *v = (mu[j] - mu[n + j]) * T::lit(0.5);
                    }
                }
                Kind::Plain | Kind::Substituted { .. } => out.copy_from_slice(&mu[..n]),
                Kind::Tied(_) | Kind::Image { .. } => {}
            }
        }
        out
    }

    /// A L written out column after column, from a dense A.
    pub(super) fn written(&self, a: &Dense<'_, T>) -> Result<Vec<T>>
    where
        T: LinalgScalar,
    {
        let m = a.rows();
        let mut out = zeros("the columns of the reduction", m.saturating_mul(self.dim_z()))?;
        for block in &self.blocks {
            let out = &mut out[m * block.z.start..m * block.z.end];
            let mut column = vec![T::zero(); m];
            match &block.kind {
                Kind::Plain | Kind::Substituted { .. } => {
                    for (j, column) in block.x.clone().zip(out.chunks_exact_mut(m)) {
                        a.column(j, column);
                    }
                    if let Kind::Substituted { by, .. } = &block.kind {
                        by.complete(out, m, block.x.len());
                    }
                }
                Kind::Tied(index) => {
                    for (j, k) in block.x.clone().zip(index) {
                        a.column(j, &mut column);
                        axpy(T::one(), &column, &mut out[k * m..(k + 1) * m]);
                    }
                }
                Kind::Image {
                    generators, inner, ..
                } => {
                    let n = block.x.len();
                    let elements = m.saturating_mul(inner.dim);
                    let mut product = zeros("the columns of the reduction", elements)?;
                    for (i, j) in block.x.clone().enumerate() {
                        a.column(j, &mut column);
                        for (k, image) in product.chunks_exact_mut(m).enumerate() {
                            axpy(generators[k * n + i], &column, image);
                        }
                    }
                    let product = Dense::column_major(&product, m, inner.dim)?;
                    out.copy_from_slice(&inner.written(&product)?);
                }
            }
        }
        Ok(out)
    }

    /// A L from a sparse A; None where that is not sparse.
    pub(super) fn sparse(&self, a: &SparseColumns<T>) -> Option<SparseColumns<T>> {
        // the columns of z that a column of x is part of, with its sign
        let copies = |block: &Block<T>, k: usize| -> Option<[Option<(usize, T)>; 2]> {
            let at = block.z.start;
            Some(match &block.kind {
                Kind::Plain
                | Kind::Substituted {
                    by: Substitution::Slack,
                    ..
                } => [Some((at + k, T::one())), None],
                Kind::Substituted {
                    by: Substitution::Signed,
                    ..
                } => [
                    Some((at + k, T::one())),
                    Some((at + block.x.len() + k, -T::one())),
                ],
                Kind::Tied(index) => [Some((at + index[k], T::one())), None],
                // sums of sparse columns are dense
                Kind::Substituted { .. } | Kind::Image { .. } => return None,
            })
        };
        let mut of_column = Vec::with_capacity(self.dim);
        for block in &self.blocks {
            for k in 0..block.x.len() {
                of_column.push(copies(block, k)?);
            }
        }
        SparseColumns::collect(a.rows(), self.dim_z(), || {
            of_column.iter().enumerate().flat_map(|(j, copies)| {
                copies.iter().flatten().flat_map(move |(to, sign)| {
                    let (rows, values) = a.entries(j);
                    rows.iter()
                        .zip(values)
                        .map(move |(i, v)| (*i as usize, *to, *sign * *v))
                })
            })
        })
    }
}

impl Substitution {
    /// Running sums up to `upper`.
    fn increments<T: Scalar>(upper: T) -> Self {
        Self::Increments(upper < T::infinity())
    }

    /// The number of z for n coordinates, or the largest integer.
    fn columns(self, n: usize) -> usize {
        match self {
            Self::Slack | Self::Increments(true) => n.saturating_add(1),
            Self::Signed => n.saturating_mul(2).saturating_add(1),
            Self::Increments(false) => n,
        }
    }

    /// x ← L z, with x_1 ≤ … ≤ x_n for increments whatever the rounding.
    fn x<T: Scalar>(self, z: &[T], x: &mut [T]) {
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
    fn z<T: Scalar>(self, x: &[T], total: T) -> Vec<T> {
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
    fn complete<T: Scalar>(self, data: &mut [T], m: usize, n: usize) {
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
        if self.columns(n) > n
            && let Some(last) = g.last_mut()
        {
            *last = T::zero();
        }
    }
}

/// The operator A L.
pub(super) struct Reduced<'a, T, A: ?Sized> {
    pub(super) a: &'a A,
    pub(super) form: &'a StandardForm<T>,
}

impl<T: Scalar, A: LinearOperator<T> + ?Sized> LinearOperator<T> for Reduced<'_, T, A> {
    fn rows(&self) -> usize {
        self.a.rows()
    }
    fn columns(&self) -> usize {
        self.form.dim_z()
    }
    fn apply(&self, z: &[T], y: &mut [T]) {
        let mut x = vec![T::zero(); self.form.dim];
        self.form.linear(z, &mut x);
        self.a.apply(&x, y);
    }
    fn apply_adjoint(&self, y: &[T], z: &mut [T]) {
        let mut g = vec![T::zero(); self.form.dim];
        self.a.apply_adjoint(y, &mut g);
        self.form.adjoint(&g, z);
    }
    fn column_norms(&self, out: &mut [T]) -> bool {
        let mut of_a = None;
        for block in &self.form.blocks {
            let (n, out) = (block.x.len(), &mut out[block.z.clone()]);
            match &block.kind {
                Kind::Substituted {
                    by: Substitution::Increments(_),
                    ..
                } => {
                    let Ok(Some(a)) = checked_sparse(self.a) else {
                        return false;
                    };
                    norms_of_sums(&a, block.x.clone(), &mut out[..n]);
                    out[n..].fill(T::zero());
                }
                Kind::Plain | Kind::Substituted { .. } => {
                    if of_a.is_none() {
                        let mut norms = vec![T::zero(); self.form.dim];
                        of_a = self.a.column_norms(&mut norms).then_some(norms);
                    }
                    let Some(norms) = &of_a else { return false };
                    out[..n].copy_from_slice(&norms[block.x.clone()]);
                    if let Kind::Substituted { by, .. } = &block.kind {
                        by.pull_back(out, n);
                        out.iter_mut().for_each(|c| *c = c.abs());
                    }
                }
                Kind::Tied(_) | Kind::Image { .. } => return false,
            }
        }
        true
    }
    fn column(&self, j: usize, out: &mut [T]) -> bool {
        let Some(block) = self.form.blocks.iter().find(|b| b.z.contains(&j)) else {
            return false;
        };
        let (k, n) = (j - block.z.start, block.x.len());
        match &block.kind {
            Kind::Substituted {
                by: Substitution::Increments(_),
                ..
            }
            | Kind::Tied(_)
            | Kind::Image { .. } => false,
            _ if k < n => self.a.column(block.x.start + k, out),
            Kind::Substituted {
                by: Substitution::Signed,
                ..
            } if k < 2 * n => {
                let known = self.a.column(block.x.start + k - n, out);
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
        self.form.sparse(&checked_sparse(self.a).ok()??)
    }
    fn first_not_finite(&self) -> Option<(usize, usize)> {
        self.a.first_not_finite()
    }
}

/// out_k ← ‖Σ_{j≥k} a_j‖ over a range of columns, from one pass over the entries: an entry v changes a square by v (old + new). Where most of the
/// sum has cancelled, only rounding would be left, so the norm is recomputed.
fn norms_of_sums<T: Scalar>(a: &SparseColumns<T>, columns: Range<usize>, out: &mut [T]) {
    let mut sum = vec![T::zero(); a.rows()];
    let (mut square, mut largest) = (T::zero(), T::zero());
    for (k, o) in columns.zip(out).rev() {
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
mod tests;
