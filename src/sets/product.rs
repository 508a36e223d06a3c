//! X₁ × X₂ × ….

use super::{ConstraintSet, Polyhedron};
use crate::Scalar;
use crate::linalg::max_or_nan;
use std::fmt;
use std::marker::PhantomData;

/// The product of sets on consecutive coordinates. Everything goes block by block.
///
/// ```text
/// violation, natural residual   the largest of the blocks'
/// gap                           the sum of the blocks' (None if a block has none)
/// projection, minimiser         block by block (false if a block has none)
/// ```
///
/// The block type is a trait object unless another is named, so that blocks may differ. Boxes of `dyn ConstraintSet<T>` without
/// `Send + Sync` are blocks, too: the product then stays on its thread.
///
/// ```
/// use reparam::sets::{BallSet, ConstraintSet, Orthant, ProductSet};
/// let blocks: Vec<Box<dyn ConstraintSet<f64> + Send + Sync>> = vec![Box::new(Orthant::new(2)), Box::new(BallSet::new(1, 1.0).unwrap())];
/// let set = ProductSet::new(blocks);
/// let mut x = [-1.0, 2.0, 3.0];
/// set.project(&mut x);
/// assert_eq!(x, [0.0, 2.0, 1.0]);
/// ```
#[derive(Clone)]
pub struct ProductSet<T: Scalar, S = Box<dyn ConstraintSet<T> + Send + Sync>> {
    blocks: Vec<S>,
    sizes: Sizes,
    scalar: PhantomData<T>,
}

impl<T: Scalar, S: ConstraintSet<T>> ProductSet<T, S> {
    /// The product of these blocks, in this order.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, ProductSet, Simplex};
    /// let set = ProductSet::new(vec![Simplex::new(3, 1.0).unwrap(); 4]);
    /// assert_eq!(set.dim(), 12);
    /// ```
    pub fn new(blocks: Vec<S>) -> Self {
        Self {
            sizes: Sizes::of(blocks.iter().map(|b| b as &dyn ConstraintSet<T>)),
            blocks,
            scalar: PhantomData,
        }
    }

    /// The blocks.
    ///
    /// ```
    /// # use reparam::sets::{ProductSet, Simplex};
    /// assert_eq!(ProductSet::new(vec![Simplex::new(3, 1.0).unwrap(); 4]).blocks().len(), 4);
    /// ```
    pub fn blocks(&self) -> &[S] {
        &self.blocks
    }

    fn sets(&self) -> impl Iterator<Item = &dyn ConstraintSet<T>> {
        self.blocks.iter().map(|b| b as &dyn ConstraintSet<T>)
    }
}

impl<T: Scalar, S> fmt::Debug for ProductSet<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProductSet")
            .field("blocks", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

/// What blocks need together, asked for once: each block would ask its own, and products in products 2^depth times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) dim: usize,
    /// For what came before, and the blocks' own.
    pub(crate) scratch: usize,
}

impl Sizes {
    pub(crate) fn of<'a, T: Scalar>(sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>) -> Self {
        let (dim, most) = sets.fold((0usize, 0usize), |(n, m), s| {
            (n.saturating_add(s.dim()), m.max(s.scratch_len()))
        });
        Self {
            dim,
            scratch: dim.saturating_add(most),
        }
    }
}

/// The block-by-block operations, for every owner of blocks (sets or maps with sets).
pub(crate) mod blockwise {
    use super::*;

    pub(crate) fn violation<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        x: &[T],
    ) -> T {
        let mut at = 0;
        max_or_nan(sets.map(|s| {
            let range = at..at + s.dim();
            at = range.end;
            s.violation(&x[range])
        }))
    }

    pub(crate) fn natural_residual<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        x: &[T],
        g: &[T],
        scale: Option<&[T]>,
    ) -> T {
        let mut at = 0;
        max_or_nan(sets.map(|s| {
            let range = at..at + s.dim();
            at = range.end;
            s.natural_residual(&x[range.clone()], &g[range.clone()], scale.map(|c| &c[range]))
        }))
    }

    pub(crate) fn multipliers<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        x: &[T],
        g: &[T],
        out: &mut [T],
    ) {
        let mut at = 0;
        for s in sets {
            let range = at..at + s.dim();
            at = range.end;
            s.multipliers(&x[range.clone()], &g[range.clone()], &mut out[range]);
        }
    }

    pub(crate) fn project<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        x: &mut [T],
        work: &mut [T],
    ) -> bool {
        let (before, work) = work.split_at_mut(x.len());
        before.copy_from_slice(x);
        let mut at = 0;
        for s in sets {
            let range = at..at + s.dim();
            at = range.end;
            if !s.project_in(&mut x[range], work) {
                x.copy_from_slice(before);
                return false;
            }
        }
        true
    }

    pub(crate) fn minimise_linear<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        g: &[T],
        out: &mut [T],
        work: &mut [T],
    ) -> bool {
        let mut at = 0;
        for s in sets {
            let range = at..at + s.dim();
            at = range.end;
            if !s.minimise_linear_in(&g[range.clone()], &mut out[range], work) {
                return false;
            }
        }
        true
    }

    pub(crate) fn polyhedron<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
    ) -> Option<Polyhedron<T>> {
        sets.map(|s| s.polyhedron())
            .collect::<Option<_>>()
            .map(Polyhedron::Product)
    }

    pub(crate) fn frank_wolfe_gap<'a, T: Scalar>(
        sets: impl Iterator<Item = &'a dyn ConstraintSet<T>>,
        x: &[T],
        g: &[T],
    ) -> Option<T> {
        let mut at = 0;
        let mut gap = T::zero();
        for s in sets {
            let range = at..at + s.dim();
            at = range.end;
            gap += s.frank_wolfe_gap(&x[range.clone()], &g[range])?;
        }
        Some(gap)
    }
}

impl<T: Scalar, S: ConstraintSet<T>> ConstraintSet<T> for ProductSet<T, S> {
    fn dim(&self) -> usize {
        self.sizes.dim
    }
    fn violation(&self, x: &[T]) -> T {
        blockwise::violation(self.sets(), x)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        blockwise::natural_residual(self.sets(), x, g, scale)
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        blockwise::multipliers(self.sets(), x, g, out);
    }
    fn is_convex(&self) -> bool {
        self.blocks.iter().all(|b| b.is_convex())
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        self.minimise_linear_in(g, s, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        self.sizes.scratch
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        blockwise::project(self.sets(), x, work)
    }
    fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        blockwise::minimise_linear(self.sets(), g, s, work)
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        blockwise::frank_wolfe_gap(self.sets(), x, g)
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        blockwise::polyhedron(self.sets())
    }
}
