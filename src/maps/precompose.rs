//! φ∘diag(s): a diagonal scaling of u.

use super::{Boundary, Landscape, Ray, Reparametrization, ScalarMap, Separable};
use crate::checks::{check_finite, check_len};
use crate::sets::{ConstraintSet, PerCoordinate};
use crate::{Error, MapError, Result, Scalar};

/// Every scale positive and finite, and of a size whose square and its inverse are normal numbers: u = v/s would not be one.
fn check_scales<T: Scalar>(dim_u: usize, scales: &[T]) -> Result<()> {
    check_len("the scales", dim_u, scales.len())?;
    check_finite("scales", scales)?;
    if scales.iter().any(|s| *s <= T::zero()) {
        return Err(Error::Setting {
            name: "scales",
            why: "must be positive",
        });
    }
    let least = T::min_positive_value().sqrt();
    if scales.iter().any(|s| *s < least || s.recip() < least) {
        return Err(Error::Setting {
            name: "scales",
            why: "must have a square and an inverse square within the number type",
        });
    }
    Ok(())
}

/// $`x = \varphi(s \circ u)`$ for any map φ and a positive s: the same set, other units in u (a fixed diagonal preconditioner).
///
/// ```math
/// J = D\varphi(s \circ u) \operatorname{diag}(s), \qquad
/// \sum_i w_i \nabla^2 (\varphi_i \circ \operatorname{diag} s)
///     = \operatorname{diag}(s) \Bigl(\sum_i w_i \nabla^2\varphi_i\Bigr) \operatorname{diag}(s)
/// ```
///
/// The metric is offered when all s are equal, for otherwise it is no function of x in general. For maps that act
/// coordinate by coordinate use [`Separable::scaled`], which keeps it.
///
/// ```
/// use reparam::maps::{Boundary, Exponential, Precompose, Reparametrization};
/// let map = Precompose::new(Exponential::new(2), vec![1.0, 10.0]).unwrap();
/// let (mut u, mut x, mut work) = ([0.0; 2], [0.0; 2], vec![0.0; map.scratch_len()]);
/// map.section(&[1.0, 10.0_f64.exp()], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert_eq!(u, [0.0, 1.0]);
/// map.apply(&u, &mut x, &mut work);
/// assert_eq!(x, [1.0, 10.0_f64.exp()]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Precompose<T, M> {
    map: M,
    scale: Vec<T>,
}

impl<T: Scalar, M: Reparametrization<T>> Precompose<T, M> {
    /// φ∘diag(scale).
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Setting`] for a scale that is not positive, or beyond 1e±153 (`f64`).
    ///
    /// ```
    /// use reparam::maps::{Precompose, Squares};
    /// assert!(Precompose::new(Squares::new(2), vec![1.0, 0.0]).is_err());
    /// ```
    pub fn new(map: M, scale: Vec<T>) -> Result<Self> {
        check_scales(map.dim_u(), &scale)?;
        Ok(Self { map, scale })
    }

    /// φ.
    ///
    /// ```
    /// use reparam::maps::{Precompose, Reparametrization, Squares};
    /// assert_eq!(Precompose::new(Squares::new(1), vec![2.0]).unwrap().inner().dim_u(), 1);
    /// ```
    pub fn inner(&self) -> &M {
        &self.map
    }

    /// s∘v into `out`.
    fn scaled(&self, v: &[T], out: &mut [T]) {
        for ((o, a), s) in out.iter_mut().zip(v).zip(&self.scale) {
            *o = *s * *a;
        }
    }
}

impl<T: Scalar, M: Reparametrization<T>> Reparametrization<T> for Precompose<T, M> {
    fn dim_u(&self) -> usize {
        self.map.dim_u()
    }
    fn dim_x(&self) -> usize {
        self.map.dim_x()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        self.map.set()
    }
    fn landscape(&self) -> Landscape {
        self.map.landscape() // a diffeomorphism of u
    }
    fn scratch_len(&self) -> usize {
        2 * self.map.dim_u() + self.map.scratch_len()
    }
    fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]) {
        let (su, rest) = work.split_at_mut(self.scale.len());
        self.scaled(u, su);
        self.map.apply(su, x, rest);
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let (su, rest) = work.split_at_mut(self.scale.len());
        let (sv, rest) = rest.split_at_mut(self.scale.len());
        self.scaled(u, su);
        self.scaled(v, sv);
        self.map.jvp(su, sv, jv, rest);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (su, rest) = work.split_at_mut(self.scale.len());
        self.scaled(u, su);
        self.map.vjp(su, w, jtw, rest);
        multiply(&self.scale, jtw);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let (su, rest) = work.split_at_mut(self.scale.len());
        let (sv, rest) = rest.split_at_mut(self.scale.len());
        self.scaled(u, su);
        self.scaled(v, sv);
        self.map.curvature(su, w, sv, out, rest);
        multiply(&self.scale, out);
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
        let (su, rest) = work.split_at_mut(self.scale.len());
        self.scaled(u, su);
        let offered = self.map.diagonals(su, h, w, gauss_newton, curved, rest);
        if offered {
            for diagonal in [gauss_newton, curved] {
                multiply(&self.scale, diagonal);
                multiply(&self.scale, diagonal);
            }
        }
        offered
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
        self.map.section(x, boundary, u, work)?;
        divide(&self.scale, u);
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], work: &mut [T]) -> bool {
        let first = self.scale.first().copied().unwrap_or_else(T::one);
        if self.scale.iter().any(|s| *s != first) || !self.map.metric(x, g, out, work) {
            return false;
        }
        for o in out {
            *o = *o * first * first;
        }
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], work: &mut [T]) -> Ray<T> {
        let (su, rest) = work.split_at_mut(self.scale.len());
        let (sd, rest) = rest.split_at_mut(self.scale.len());
        self.scaled(u, su);
        self.scaled(d, sd);
        self.map.ray(su, sd, lin, quad, rest) // s∘(u + t d) = s∘u + t s∘d
    }
    fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], work: &mut [T]) -> usize {
        let (su, rest) = work.split_at_mut(self.scale.len());
        self.scaled(u, su);
        let released = self.map.release(su, x, g, h, du, rest);
        if released > 0 {
            divide(&self.scale, du);
        }
        released
    }
    fn renormalize(&self, u: &mut [T]) {
        multiply(&self.scale, u);
        self.map.renormalize(u);
        divide(&self.scale, u);
    }
    fn interior(&self, u: &mut [T]) {
        self.map.interior(u);
        divide(&self.scale, u);
    }
}

fn multiply<T: Scalar>(s: &[T], v: &mut [T]) {
    for (a, b) in v.iter_mut().zip(s) {
        *a *= *b;
    }
}

fn divide<T: Scalar>(s: &[T], v: &mut [T]) {
    for (a, b) in v.iter_mut().zip(s) {
        *a /= *b;
    }
}

/// φ(s u) for a scalar map φ and s > 0.
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarScaled, ScalarSquare};
/// let map = ScalarScaled::new(ScalarSquare::new(0.0).unwrap(), 3.0).unwrap();
/// assert_eq!((map.value(2.0), map.d1(2.0), map.d2(2.0)), (36.0, 36.0, 18.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarScaled<T, F> {
    map: F,
    scale: T,
}

impl<T: Scalar, F: ScalarMap<T>> ScalarScaled<T, F> {
    /// u ↦ φ(scale·u).
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::Setting`] for a scale that is not positive, or beyond 1e±153 (`f64`).
    ///
    /// ```
    /// use reparam::maps::{ScalarScaled, ScalarSquare};
    /// assert!(ScalarScaled::new(ScalarSquare::new(0.0).unwrap(), -1.0).is_err());
    /// ```
    pub fn new(map: F, scale: T) -> Result<Self> {
        check_scales(1, &[scale])?;
        Ok(Self { map, scale })
    }
}

impl<T: Scalar, F: ScalarMap<T> + Clone> Separable<T, F> {
    /// φ∘diag(scales), with all that φ offers: metric, rays and releases included.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Setting`] for a scale that is not positive, or beyond 1e±153 (`f64`).
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, Squares};
    /// let map = Squares::new(2).scaled(&[1.0, 10.0]).unwrap();
    /// let mut x = [0.0; 2];
    /// map.apply(&[1.0, 1.0], &mut x, &mut []);
    /// assert_eq!(x, [1.0, 100.0]);
    /// ```
    pub fn scaled(&self, scales: &[T]) -> Result<Separable<T, ScalarScaled<T, F>>> {
        check_scales(self.dim_u(), scales)?;
        let maps = scales.iter().enumerate();
        let maps = maps
            .map(|(j, s)| ScalarScaled {
                map: self.coordinate(j).clone(),
                scale: *s,
            })
            .collect();
        Ok(Separable::trusted(PerCoordinate::Each(maps), scales.len()))
    }
}

impl<T: Scalar, F: ScalarMap<T>> ScalarMap<T> for ScalarScaled<T, F> {
    fn name(&self) -> &'static str {
        self.map.name()
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        self.map.bounds()
    }
    fn landscape(&self) -> Landscape {
        self.map.landscape()
    }
    fn reaches_bounds(&self) -> bool {
        self.map.reaches_bounds()
    }
    #[inline]
    fn value(&self, u: T) -> T {
        self.map.value(self.scale * u)
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        self.scale * self.map.d1(self.scale * u)
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        self.scale * (self.scale * self.map.d2(self.scale * u))
    }
    #[inline]
    fn section(&self, x: T, below: T, above: T) -> T {
        self.map.section(x, below, above) / self.scale
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        self.map
            .squared_slope(x)
            .map(|slope| slope * self.scale * self.scale)
    }
    #[inline]
    fn release(&self, distance: T) -> Option<T> {
        self.map.release(distance).map(|du| du / self.scale)
    }
    #[inline]
    fn ray(&self, u: T, d: T) -> Option<(T, T)> {
        self.map.ray(self.scale * u, self.scale * d)
    }
}
