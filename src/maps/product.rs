//! (φ₁, φ₂, …) on disjoint consecutive coordinates.

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{ConstraintSet, Polyhedron, Sizes, blockwise};
use crate::{MapError, Scalar};
use std::fmt;
use std::marker::PhantomData;

/// A product of maps: block b of x is $`\varphi_b`$ of block b of u. The set is the product of the sets.
///
/// ```math
/// J = \operatorname{diag}(J_1, J_2, \dots)
/// ```
///
/// Curvature, section, metric, diagonals, release, renormalize: block by block. Landscape: the weakest of the blocks'. Ray: quadratic if
/// all blocks' are, general otherwise.
///
/// The blocks are trait objects unless another type is named, so that they may differ; a `Vec` of one map type needs
/// no boxes. Boxes of `dyn Reparametrization<T>` without `Send + Sync` are blocks, too: the product then stays on its thread. For two blocks without a box see [`Pair`]. Rational rays of different denominators have no common
/// form, hence the last line.
///
/// ```
/// use reparam::maps::{Identity, NormalizedSquares, Product, Reparametrization};
/// let blocks: Vec<Box<dyn Reparametrization<f64> + Send + Sync>> =
///     vec![Box::new(NormalizedSquares::new(2, 1.0).unwrap()), Box::new(Identity::new(1))];
/// let map = Product::new(blocks);
/// let mut x = [0.0; 3];
/// map.apply(&[1.0, 1.0, -7.0], &mut x, &mut vec![0.0; map.scratch_len()]);
/// assert_eq!(x, [0.5, 0.5, -7.0]);
/// assert_eq!(map.set().violation(&x), 0.0);
/// ```
pub struct Product<T: Scalar, M = Box<dyn Reparametrization<T> + Send + Sync>> {
    blocks: Blocks<T, M>,
}

/// The set of the product, which borrows the sets of its maps.
struct Blocks<T, M> {
    maps: Vec<M>,
    sizes: MapSizes,
    scalar: PhantomData<T>,
}

impl<T: Scalar, M> fmt::Debug for Product<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Product")
            .field("blocks", &self.blocks.maps.len())
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, M: Reparametrization<T>> Product<T, M> {
    /// The product of these maps, in this order.
    ///
    /// ```
    /// use reparam::maps::{NormalizedSquares, Product, Reparametrization};
    /// let rows = Product::new(vec![NormalizedSquares::new(3, 1.0).unwrap(); 4]);
    /// assert_eq!(rows.dim_x(), 12);
    /// ```
    pub fn new(blocks: Vec<M>) -> Self {
        Self {
            blocks: Blocks {
                sizes: MapSizes::of(blocks.iter().map(|m| m as &dyn Reparametrization<T>)),
                maps: blocks,
                scalar: PhantomData,
            },
        }
    }

    /// The blocks.
    ///
    /// ```
    /// # use reparam::maps::{NormalizedSquares, Product};
    /// assert_eq!(Product::new(vec![NormalizedSquares::new(3, 1.0).unwrap(); 4]).blocks().len(), 4);
    /// ```
    pub fn blocks(&self) -> &[M] {
        &self.blocks.maps
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_, T>> {
        let maps = self.blocks.maps.iter().map(|m| m as &dyn Reparametrization<T>);
        self.blocks.sizes.parts(maps)
    }
}

/// The sizes of the blocks, computed once: otherwise nested products would compute them 2^depth times.
#[derive(Debug, Clone)]
struct MapSizes {
    /// Where each block ends in u and in x.
    ends: Vec<(usize, usize)>,
    scratch: usize,
    set: Sizes,
}

impl MapSizes {
    fn of<'a, T: Scalar>(maps: impl Iterator<Item = &'a dyn Reparametrization<T>> + Clone) -> Self {
        let (mut at_u, mut at_x, mut scratch) = (0usize, 0usize, 0);
        let ends = maps.clone().map(|map| {
            // (a size that overflows becomes the largest integer: there is no memory for it either way)
            at_u = at_u.saturating_add(map.dim_u());
            at_x = at_x.saturating_add(map.dim_x());
            scratch = scratch.max(map.scratch_len());
            (at_u, at_x)
        });
        let ends = ends.collect();
        Self {
            ends,
            scratch,
            set: Sizes::of(maps.map(|m| m.set())),
        }
    }

    fn dims(&self) -> (usize, usize) {
        self.ends.last().copied().unwrap_or((0, 0))
    }

    /// Every block with its places.
    fn parts<'a, T: Scalar>(
        &'a self,
        maps: impl Iterator<Item = &'a dyn Reparametrization<T>>,
    ) -> impl Iterator<Item = Part<'a, T>> {
        let (mut at_u, mut at_x) = (0, 0);
        maps.zip(&self.ends).map(move |(map, (end_u, end_x))| {
            let part = Part {
                map,
                u: at_u..*end_u,
                x: at_x..*end_x,
            };
            (at_u, at_x) = (*end_u, *end_x);
            part
        })
    }
}

/// A block with its places in u and x.
struct Part<'a, T> {
    map: &'a dyn Reparametrization<T>,
    u: std::ops::Range<usize>,
    x: std::ops::Range<usize>,
}

fn weaker(a: Landscape, b: Landscape) -> Landscape {
    match (a, b) {
        (Landscape::SecondOrder, other) | (other, Landscape::SecondOrder) => other,
        (Landscape::InteriorOnly, Landscape::InteriorOnly) => Landscape::InteriorOnly,
        _ => Landscape::Experimental,
    }
}

fn shifted(error: MapError, by: usize) -> MapError {
    match error {
        MapError::Outside { index, value } => MapError::Outside {
            index: index + by,
            value,
        },
        MapError::OnBoundary { index } => MapError::OnBoundary { index: index + by },
        other => other,
    }
}

/// The set and the map of a container of blocks: the same text for the vector and for the pair.
macro_rules! block_maps {
    ([$($generics:tt)*] $blocks:ty, $map:ty, $sets:ident, $($bounds:tt)*) => {
        impl<$($generics)*> ConstraintSet<T> for $blocks where $($bounds)* {
            fn dim(&self) -> usize {
                self.sizes.set.dim
            }
            fn violation(&self, x: &[T]) -> T {
                blockwise::violation(self.$sets(), x)
            }
            fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
                blockwise::natural_residual(self.$sets(), x, g, scale)
            }
            fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
                blockwise::multipliers(self.$sets(), x, g, out);
            }
            fn is_convex(&self) -> bool {
                self.$sets().all(|s| s.is_convex())
            }
            fn project(&self, x: &mut [T]) -> bool {
                self.project_in(x, &mut vec![T::zero(); ConstraintSet::scratch_len(self)])
            }
            fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
                self.minimise_linear_in(g, s, &mut vec![T::zero(); ConstraintSet::scratch_len(self)])
            }
            fn scratch_len(&self) -> usize {
                self.sizes.set.scratch
            }
            fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
                blockwise::project(self.$sets(), x, work)
            }
            fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
                blockwise::minimise_linear(self.$sets(), g, s, work)
            }
            fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
                blockwise::frank_wolfe_gap(self.$sets(), x, g)
            }
            fn polyhedron(&self) -> Option<Polyhedron<T>> {
                blockwise::polyhedron(self.$sets())
            }
        }

        impl<$($generics)*> Reparametrization<T> for $map where $($bounds)* {
            fn dim_u(&self) -> usize {
                self.blocks.sizes.dims().0
            }
            fn dim_x(&self) -> usize {
                self.blocks.sizes.dims().1
            }
            fn set(&self) -> &dyn ConstraintSet<T> {
                &self.blocks
            }
            fn landscape(&self) -> Landscape {
                self.parts().map(|p| p.map.landscape()).fold(Landscape::SecondOrder, weaker)
            }
            fn is_coordinatewise(&self) -> bool {
                self.parts().all(|p| p.map.is_coordinatewise())
            }
            fn scratch_len(&self) -> usize {
                self.blocks.sizes.scratch
            }
            fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]) {
                for p in self.parts() {
                    p.map.apply(&u[p.u], &mut x[p.x], work);
                }
            }
            fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
                for p in self.parts() {
                    p.map.jvp(&u[p.u.clone()], &v[p.u], &mut jv[p.x], work);
                }
            }
            fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
                for p in self.parts() {
                    p.map.vjp(&u[p.u.clone()], &w[p.x], &mut jtw[p.u], work);
                }
            }
            fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
                for p in self.parts() {
                    p.map.curvature(&u[p.u.clone()], &w[p.x], &v[p.u.clone()], &mut out[p.u], work);
                }
            }
            fn diagonals(
                &self,
                u: &[T],
                h: &[T],
                w: &[T],
                gauss_newton: &mut [T],
                curved: &mut [T],
                work: &mut [T],
            ) -> bool {
                self.parts().all(|p| {
                    let (gn, c) = (&mut gauss_newton[p.u.clone()], &mut curved[p.u.clone()]);
                    p.map.diagonals(&u[p.u], &h[p.x.clone()], &w[p.x], gn, c, work)
                })
            }
            fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
                for p in self.parts() {
                    let start = p.x.start;
                    p.map.section(&x[p.x], boundary, &mut u[p.u], work).map_err(|e| shifted(e, start))?;
                }
                Ok(())
            }
            fn metric(&self, x: &[T], g: &[T], out: &mut [T], work: &mut [T]) -> bool {
                self.parts().all(|p| p.map.metric(&x[p.x.clone()], &g[p.x.clone()], &mut out[p.x], work))
            }
            fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], work: &mut [T]) -> Ray<T> {
                let mut only = None;
                for (count, p) in self.parts().enumerate() {
                    let ray = p.map.ray(&u[p.u.clone()], &d[p.u], &mut lin[p.x.clone()], &mut quad[p.x], work);
                    match ray {
                        Ray::Quadratic => only = if count == 0 { Some(ray) } else { only.filter(|r| *r == ray) },
                        // a rational ray stands only for itself
                        Ray::Rational(_) if count == 0 => only = Some(ray),
                        _ => only = None,
                    }
                    if only.is_none() {
                        return Ray::General;
                    }
                }
                only.unwrap_or(Ray::Quadratic)
            }
            fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], work: &mut [T]) -> usize {
                let mut released = 0;
                for p in self.parts() {
                    let du = &mut du[p.u.clone()];
                    let count = p.map.release(&u[p.u], &x[p.x.clone()], &g[p.x.clone()], &h[p.x], du, work);
                    if count == 0 {
                        du.fill(T::zero());
                    }
                    released += count;
                }
                released
            }
            fn renormalize(&self, u: &mut [T]) {
                for p in self.parts() {
                    p.map.renormalize(&mut u[p.u]);
                }
            }
            fn interior(&self, u: &mut [T]) {
                for p in self.parts() {
                    p.map.interior(&mut u[p.u]);
                }
            }
        }
    };
}

impl<T: Scalar, M: Reparametrization<T>> Blocks<T, M> {
    fn sets(&self) -> impl Iterator<Item = &dyn ConstraintSet<T>> {
        self.maps.iter().map(|m| m.set())
    }
}

block_maps!([T: Scalar, M: Reparametrization<T>] Blocks<T, M>, Product<T, M>, sets,);

/// The product of two maps without a box; nest it for more: `Pair::new(a, Pair::new(b, c))`.
///
/// Everything as for [`Product`], resolved at compile time.
///
/// ```
/// use reparam::maps::{NormalizedSquares, Pair, Reparametrization, Squares};
/// let map = Pair::new(NormalizedSquares::new(2, 1.0).unwrap(), Pair::new(Squares::new(1), Squares::new(2)));
/// let mut x = [0.0; 5];
/// map.apply(&[1.0, 0.0, 2.0, 3.0, 4.0], &mut x, &mut []);
/// assert_eq!(x, [1.0, 0.0, 4.0, 9.0, 16.0]);
/// ```
#[derive(Debug, Clone)]
pub struct Pair<T, A, B> {
    blocks: Both<T, A, B>,
}

#[derive(Debug, Clone)]
struct Both<T, A, B> {
    first: A,
    second: B,
    sizes: MapSizes,
    scalar: PhantomData<T>,
}

impl<T: Scalar, A: Reparametrization<T>, B: Reparametrization<T>> Pair<T, A, B> {
    /// (first, second).
    ///
    /// ```
    /// use reparam::maps::{Identity, Pair, Reparametrization, Squares};
    /// assert_eq!(Pair::new(Identity::<f64>::new(1), Squares::new(2)).dim_u(), 3);
    /// ```
    pub fn new(first: A, second: B) -> Self {
        let maps: [&dyn Reparametrization<T>; 2] = [&first, &second];
        Self {
            blocks: Both {
                sizes: MapSizes::of(maps.into_iter()),
                first,
                second,
                scalar: PhantomData,
            },
        }
    }

    /// The first map.
    ///
    /// ```
    /// # use reparam::maps::{Identity, Pair, Reparametrization};
    /// assert_eq!(Pair::new(Identity::<f64>::new(1), Identity::new(2)).first().dim_u(), 1);
    /// ```
    pub fn first(&self) -> &A {
        &self.blocks.first
    }

    /// The second map.
    ///
    /// ```
    /// # use reparam::maps::{Identity, Pair, Reparametrization};
    /// assert_eq!(Pair::new(Identity::<f64>::new(1), Identity::new(2)).second().dim_u(), 2);
    /// ```
    pub fn second(&self) -> &B {
        &self.blocks.second
    }

    fn parts(&self) -> impl Iterator<Item = Part<'_, T>> {
        let maps: [&dyn Reparametrization<T>; 2] = [&self.blocks.first, &self.blocks.second];
        self.blocks.sizes.parts(maps.into_iter())
    }
}

impl<T: Scalar, A: Reparametrization<T>, B: Reparametrization<T>> Both<T, A, B> {
    fn sets(&self) -> impl Iterator<Item = &dyn ConstraintSet<T>> {
        [self.first.set(), self.second.set()].into_iter()
    }
}

block_maps!([T: Scalar, A: Reparametrization<T>, B: Reparametrization<T>] Both<T, A, B>, Pair<T, A, B>, sets,);
