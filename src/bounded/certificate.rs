//! What the bound of f(x) − min f ([`dual`](crate::nnls::dual)) asks of bounds and a sum.

use super::region::Region;
use crate::LinalgScalar;
use crate::nnls::dual::Bounds;

impl<T: LinalgScalar> Bounds<T> for Region<T> {
    fn lower(&self, j: usize) -> T {
        self.lo[j]
    }
    fn upper(&self, j: usize) -> T {
        self.hi[j]
    }
    fn weights(&self) -> &[T] {
        self.sum.as_ref().map_or(&[], |s| &s.w)
    }
    fn multiplier(&self, x: &[T], h: &[T]) -> T {
        self.best_multiplier(x, h)
    }
    fn lacking(&self, x: &[T]) -> (T, T) {
        self.sum.as_ref().map_or((T::zero(), T::zero()), |s| s.gap(x))
    }
}
