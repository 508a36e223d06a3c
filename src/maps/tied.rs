//! x_i = φ_{k(i)}(u_{k(i)}): several coordinates of x that share one of u.

use super::separable::{release_of, section_of};
use super::{Boundary, Landscape, Ray, Reparametrization, ScalarMap, Separable};
use crate::sets::{ConstraintSet, TiedBox};
use crate::{MapError, Result, Scalar};

/// Ties: $`x = E \varphi(u)`$ with a [`Separable`] $`\varphi: \mathbb{R}^m \to \mathbb{R}^m`$ and $`x_i = \varphi(u)_{k(i)}`$, so coordinates with the same k are equal.
///
/// ```math
/// J = E \operatorname{diag} \varphi', \qquad J^\top w = \varphi' \circ (E^\top w), \qquad X = \{E y : lo \le y \le hi\}
/// ```
///
/// Eᵀ sums over a class; X is convex.
///
/// A bound belongs to the shared value. Each method sums class by class; none needs scratch. E is linear and one to
/// one, so the landscape is that of φ. For coordinates free and bounded in any mixture take
/// [`ScalarBounds`](super::ScalarBounds) as the scalar map.
///
/// Elementary: a linear image of a separable map.
///
/// ```
/// use reparam::maps::{Reparametrization, Squares, Tied};
/// let map = Tied::new(Squares::new(2), &[0, 1, 0]).unwrap(); // x₀ = x₂
/// let (mut x, mut w) = ([0.0; 3], [0.0; 2]);
/// map.apply(&[2.0, 3.0], &mut x, &mut []);
/// assert_eq!(x, [4.0, 9.0, 4.0]);
/// map.vjp(&[2.0, 3.0], &[1.0, 1.0, 1.0], &mut w, &mut []);
/// assert_eq!(w, [8.0, 6.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tied<T, F> {
    map: Separable<T, F>,
    set: TiedBox<T>,
}

impl<T: Scalar, F: ScalarMap<T>> Tied<T, F> {
    /// x_i = φ(u)_{index\[i\]}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) without an index, [`Error::Setting`](crate::Error::Setting) when an
    /// index is out of range or some coordinate of φ is not used.
    ///
    /// ```
    /// use reparam::maps::{Squares, Tied};
    /// assert!(Tied::new(Squares::<f64>::new(2), &[0, 0]).is_err());
    /// ```
    pub fn new(map: Separable<T, F>, index: &[usize]) -> Result<Self> {
        let set = TiedBox::new(map.box_set().clone(), index)?;
        Ok(Self { map, set })
    }

    /// out_i ← f(k, φ_k) for every member i of every class k.
    #[inline]
    fn spread(&self, out: &mut [T], mut f: impl FnMut(usize, &F) -> T) {
        for k in 0..self.set.classes() {
            let value = f(k, self.map.coordinate(k));
            for i in self.set.members(k) {
                out[*i] = value;
            }
        }
    }
}

impl<T: Scalar, F: ScalarMap<T>> Reparametrization<T> for Tied<T, F> {
    fn dim_u(&self) -> usize {
        self.set.classes()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        self.map.landscape()
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        self.spread(x, |k, map| map.value(u[k]));
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        self.spread(jv, |k, map| map.d1(u[k]) * v[k]);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        for (k, o) in jtw.iter_mut().enumerate() {
            *o = self.map.coordinate(k).d1(u[k]) * self.set.class_sum(k, w);
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        for (k, o) in out.iter_mut().enumerate() {
            *o = self.map.coordinate(k).d2(u[k]) * self.set.class_sum(k, w) * v[k];
        }
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        for k in 0..u.len() {
            let map = self.map.coordinate(k);
            let d = map.d1(u[k]);
            gauss_newton[k] = d * d * self.set.class_sum(k, h);
            curved[k] = map.d2(u[k]) * self.set.class_sum(k, w);
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        for (k, uk) in u.iter_mut().enumerate() {
            let (first, others) = (self.set.members(k)[0], &self.set.members(k)[1..]);
            if let Some(index) = others.iter().copied().find(|i| x[*i] != x[first]) {
                return Err(MapError::Outside {
                    index,
                    value: x[index].as_f64(),
                });
            }
            *uk = section_of(self.map.coordinate(k), first, x[first], boundary)?;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        let mut known = true;
        self.spread(out, |k, map| match map.squared_slope(x[self.set.members(k)[0]]) {
            Some(slope) => slope * self.set.class_sum(k, g),
            None => {
                known = false;
                T::zero()
            }
        });
        known
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        for k in 0..u.len() {
            let Some((p, q)) = self.map.coordinate(k).ray(u[k], d[k]) else {
                return Ray::General;
            };
            for i in self.set.members(k) {
                (lin[*i], quad[*i]) = (p, q);
            }
        }
        Ray::Quadratic
    }
    fn release(&self, _u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        let mut released = 0;
        for (k, o) in du.iter_mut().enumerate() {
            let (sum_g, sum_h) = (self.set.class_sum(k, g), self.set.class_sum(k, h));
            let step = release_of(self.map.coordinate(k), x[self.set.members(k)[0]], sum_g, sum_h);
            released += usize::from(step.is_some());
            *o = step.unwrap_or_else(T::zero);
        }
        released
    }
}
