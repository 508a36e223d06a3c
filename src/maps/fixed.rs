//! Constants.

use super::bounds::check_constant;
use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::checks::{check_finite, check_not_empty};
use crate::sets::{BoxSet, ConstraintSet, PerCoordinate};
use crate::{MapError, Result, Scalar};

/// Constants: $`x = c`$, u empty. A block for the coordinates of a product that are not to move.
///
/// Elementary.
///
/// ```
/// use reparam::maps::{Fixed, Reparametrization};
/// let map = Fixed::new(vec![3.0, -1.0]).unwrap();
/// let mut x = [0.0; 2];
/// map.apply(&[], &mut x, &mut []);
/// assert_eq!((map.dim_u(), x), (0, [3.0, -1.0]));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed<T> {
    set: BoxSet<T>,
}

impl<T: Scalar> Fixed<T> {
    /// x = values.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite).
    ///
    /// ```
    /// assert!(reparam::maps::Fixed::new(vec![f64::INFINITY]).is_err());
    /// ```
    pub fn new(values: Vec<T>) -> Result<Self> {
        check_not_empty("the list of values", values.len())?;
        check_finite("values", &values)?;
        let (dim, values) = (values.len(), PerCoordinate::from_vec(values));
        Ok(Self {
            set: BoxSet::trusted(dim, values.clone(), values),
        })
    }
}

impl<T: Scalar> Reparametrization<T> for Fixed<T> {
    fn dim_u(&self) -> usize {
        0
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn is_coordinatewise(&self) -> bool {
        true
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder // the only point is stationary on its set
    }
    fn apply(&self, _u: &[T], x: &mut [T], _work: &mut [T]) {
        for (j, v) in x.iter_mut().enumerate() {
            *v = self.set.lower(j);
        }
    }
    fn jvp(&self, _u: &[T], _v: &[T], jv: &mut [T], _work: &mut [T]) {
        jv.fill(T::zero());
    }
    fn vjp(&self, _u: &[T], _w: &[T], _jtw: &mut [T], _work: &mut [T]) {}
    fn curvature(&self, _u: &[T], _w: &[T], _v: &[T], _out: &mut [T], _work: &mut [T]) {}
    fn diagonals(
        &self,
        _u: &[T],
        _h: &[T],
        _w: &[T],
        _gn: &mut [T],
        _curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        true
    }
    fn section(
        &self,
        x: &[T],
        _boundary: Boundary<T>,
        _u: &mut [T],
        _work: &mut [T],
    ) -> Result<(), MapError> {
        x.iter()
            .enumerate()
            .try_for_each(|(j, v)| check_constant(j, *v, self.set.lower(j)))
    }
    fn metric(&self, _x: &[T], _g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        out.fill(T::zero());
        true
    }
    fn ray(&self, _u: &[T], _d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        lin.fill(T::zero());
        quad.fill(T::zero());
        Ray::Quadratic
    }
}
