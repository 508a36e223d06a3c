//! φ(u) = a + R u/‖u‖, onto the sphere.

use super::direction::Direction;
use super::{Boundary, Landscape, Reparametrization};
use crate::linalg::norm2;
use crate::sets::{self, ConstraintSet};
use crate::{MapError, Result, Scalar};

/// $`x = a + R\,u / \lVert u\rVert`$, onto the sphere $`\lVert x - a\rVert = R`$.
///
/// ```math
/// \begin{aligned}
/// J &= \frac{R}{n} P, \qquad y = u / n, \quad n = \lVert u\rVert, \quad P = I - y y^\top \\
/// \sum_i w_i \nabla^2\varphi_i\, v &= -\frac{R}{n^2} \bigl(\langle y, v\rangle P w + \langle P w, v\rangle\, y + \langle y, w\rangle P v\bigr) \\
/// J J^\top g &= g - \frac{d\,\langle d, g\rangle}{R^2}, \qquad d = x - a, \quad \text{at } n = R
/// \end{aligned}
/// ```
///
/// The sphere is a manifold without boundary and u ↦ u/‖u‖ a submersion, so f∘φ has exactly the critical points of f on
/// the sphere (Absil, Mahony & Sepulchre, Optimization Algorithms on Matrix Manifolds, 2008).
///
/// Invariant to scaling u: [`renormalize`](Reparametrization::renormalize) brings it to norm R. At u = 0, φ is
/// a + R e₁ by convention, with derivatives 0.
///
/// ```
/// use reparam::maps::{Reparametrization, Sphere};
/// let mut x = [0.0; 2];
/// Sphere::new(2, 1.0).unwrap().apply(&[3e200, 4e200], &mut x, &mut []);
/// assert!((x[0] - 0.6_f64).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sphere<T> {
    set: sets::SphereSet<T>,
}

impl<T: Scalar> Sphere<T> {
    /// The sphere of this radius about 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Setting`](crate::Error::Setting) unless the radius is positive
    /// and finite.
    ///
    /// ```
    /// assert!(reparam::maps::Sphere::new(2, -1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::SphereSet::new(dim, radius)?,
        })
    }

    /// The sphere of this radius about `centre`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`](crate::Error::NotFinite) for the centre.
    ///
    /// ```
    /// assert!(reparam::maps::Sphere::with_centre(vec![1.0, 2.0], 1.0).is_ok());
    /// ```
    pub fn with_centre(centre: Vec<T>, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::SphereSet::with_centre(centre, radius)?,
        })
    }
}

impl<T: Scalar> Reparametrization<T> for Sphere<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        let y = Direction::of(u.len(), |k| u[k]);
        for (k, (x, a)) in x.iter_mut().zip(self.set.centre()).enumerate() {
            let y = y.map_or_else(|| T::count(usize::from(k == 0)), |y| y.at(u[k]));
            *x = *a + self.set.radius() * y;
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        let Some(y) = Direction::of(u.len(), |k| u[k]) else {
            return jv.fill(T::zero());
        };
        let a = y.tangent(|k| u[k], |k| v[k]);
        let per = y.per_length(self.set.radius());
        for (k, o) in jv.iter_mut().enumerate() {
            *o = per(a.at(k, y.at(u[k]), v[k]));
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        self.jvp(u, w, jtw, work); // J is symmetric
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        match Direction::of(u.len(), |k| u[k]) {
            None => out.fill(T::zero()),
            Some(y) => y.curvature(|k| u[k], |k| w[k], |k| v[k], self.set.radius(), out),
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
        match Direction::of(u.len(), |k| u[k]) {
            None => {
                gauss_newton.fill(T::zero());
                curved.fill(T::zero());
            }
            Some(y) => y.diagonals(
                |k| u[k],
                |k| h[k],
                |k| w[k],
                self.set.radius(),
                gauss_newton,
                curved,
            ),
        }
        true
    }
    /// u = x − a. The sphere has no boundary, so every policy does the same.
    fn section(&self, x: &[T], _boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        for (u, (x, a)) in u.iter_mut().zip(x.iter().zip(self.set.centre())) {
            *u = *x - *a;
        }
        let (norm, r) = (norm2(u), self.set.radius());
        // the rounding of x itself, where the centre is far away, included
        let loose = T::epsilon().sqrt();
        let slack = loose * r + loose * norm2(self.set.centre());
        if norm.is_nan() || (norm - r).abs() > slack {
            return Err(MapError::Outside {
                index: 0,
                value: x[0].as_f64(),
            });
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        let (a, r) = (self.set.centre(), self.set.radius());
        let along: T = (0..x.len()).map(|k| (x[k] - a[k]) / r * g[k]).sum();
        for k in 0..x.len() {
            out[k] = g[k] - (x[k] - a[k]) / r * along;
        }
        true
    }
    fn renormalize(&self, u: &mut [T]) {
        scale_to(u, self.set.radius());
    }
}

/// u of norm r in the same direction, e₁ for 0.
pub(super) fn scale_to<T: Scalar>(u: &mut [T], r: T) {
    match Direction::of(u.len(), |k| u[k]) {
        Some(y) => u.iter_mut().for_each(|v| *v = r * y.at(*v)),
        None => {
            if let Some(first) = u.first_mut() {
                *first = r;
            }
        }
    }
}
