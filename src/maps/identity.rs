//! φ(u) = u.

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{ConstraintSet, WholeSpace};
use crate::{MapError, Scalar};
use std::marker::PhantomData;

/// The identity on $`\mathbb{R}^n`$: $`x = u`$, $`J = I`$. For coordinates without a constraint.
///
/// Elementary.
///
/// ```
/// use reparam::maps::{Identity, Reparametrization};
/// let mut x = [0.0; 2];
/// Identity::<f64>::new(2).apply(&[1.0, -2.0], &mut x, &mut []);
/// assert_eq!(x, [1.0, -2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<T> {
    set: WholeSpace,
    dim: usize,
    scalar: PhantomData<T>,
}

impl<T: Scalar> Identity<T> {
    /// The identity on Rⁿ.
    ///
    /// ```
    /// use reparam::maps::{Identity, Reparametrization};
    /// assert_eq!(Identity::<f32>::new(3).dim_u(), 3);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self {
            set: WholeSpace::new(dim),
            dim,
            scalar: PhantomData,
        }
    }
}

impl<T: Scalar> Reparametrization<T> for Identity<T> {
    fn dim_u(&self) -> usize {
        self.dim
    }
    fn dim_x(&self) -> usize {
        self.dim
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn is_coordinatewise(&self) -> bool {
        true
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        x.copy_from_slice(u);
    }
    fn jvp(&self, _u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        jv.copy_from_slice(v);
    }
    fn vjp(&self, _u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        jtw.copy_from_slice(w);
    }
    fn curvature(&self, _u: &[T], _w: &[T], _v: &[T], out: &mut [T], _work: &mut [T]) {
        out.fill(T::zero());
    }
    fn diagonals(
        &self,
        _u: &[T],
        h: &[T],
        _w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        gauss_newton.copy_from_slice(h);
        curved.fill(T::zero());
        true
    }
    fn section(&self, x: &[T], _boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        match x.iter().position(|v| v.is_nan()) {
            Some(index) => Err(MapError::Outside {
                index,
                value: x[index].as_f64(),
            }),
            None => {
                u.copy_from_slice(x);
                Ok(())
            }
        }
    }
    fn metric(&self, _x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        out.copy_from_slice(g);
        true
    }
    fn ray(&self, _u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        lin.copy_from_slice(d);
        quad.fill(T::zero());
        Ray::Quadratic
    }
}
