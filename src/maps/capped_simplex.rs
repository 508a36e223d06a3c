//! φ(u) = the first n coordinates of r u²/‖u‖², u ∈ R^{n+1}: onto {x ≥ 0, Σx ≤ r}.

use super::normalized_squares::{admit, sum_tolerance};
use super::{Boundary, Landscape, Ray, Reparametrization, weights};
use crate::sets::{self, ConstraintSet};
use crate::{MapError, Result, Scalar};

/// Normalised squares with a slack coordinate:
/// $`x_j = r\,u_j^2 / \lVert u\rVert^2`$ for $`j \le n`$, $`u \in \mathbb{R}^{n+1}`$, onto $`\{x \ge 0, \sum x \le r\}`$.
///
/// ```math
/// J J^\top g = 4\,\bigl(x \circ g - x\,\langle x, g\rangle / r\bigr) \qquad \text{at } \lVert u\rVert^2 = r
/// ```
///
/// J, Jᵀ and the curvature are those of [`NormalizedSquares`](super::NormalizedSquares) with $`w = 0`$ on the slack.
///
/// A linear image of the simplex, so the landscape is the simplex's (Levin, Kileel & Boumal, Math. Program. 2025).
/// Invariant to scaling u, like [`NormalizedSquares`](super::NormalizedSquares); at u = 0, x = r/(n+1).
///
/// ```
/// use reparam::maps::{CappedSimplex, Reparametrization};
/// let map = CappedSimplex::new(2, 1.0).unwrap();
/// let mut x = [0.0; 2];
/// map.apply(&[1.0, 0.0, 1.0], &mut x, &mut []);
/// assert_eq!(x, [0.5, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CappedSimplex<T> {
    set: sets::CappedSimplexSet<T>,
}

impl<T: Scalar> CappedSimplex<T> {
    /// Onto {x ∈ Rⁿ : x ≥ 0, Σx ≤ radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// use reparam::maps::{CappedSimplex, Reparametrization};
    /// assert_eq!(CappedSimplex::new(2, 1.0).unwrap().dim_u(), 3);
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::CappedSimplexSet::new(dim, radius)?,
        })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::maps::CappedSimplex::new(2, 3.0).unwrap().radius(), 3.0);
    /// ```
    pub fn radius(&self) -> T {
        self.set.radius()
    }

    /// w with 0 on the slack.
    fn extended<'a>(&self, w: &'a [T]) -> impl Fn(usize) -> T + 'a {
        |k| w.get(k).copied().unwrap_or_else(T::zero)
    }
}

impl<T: Scalar> Reparametrization<T> for CappedSimplex<T> {
    fn dim_u(&self) -> usize {
        self.set.dim().saturating_add(1)
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
        weights::weights(u, |k, p| {
            if let Some(x) = x.get_mut(k) {
                *x = self.radius() * p;
            }
        });
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        weights::jvp(u, v, |k, d| {
            if let Some(o) = jv.get_mut(k) {
                *o = self.radius() * d;
            }
        });
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        weights::vjp(u, self.extended(w), self.radius(), jtw);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        weights::curvature(u, self.extended(w), v, self.radius(), out);
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
        weights::gauss_newton_diagonal(u, self.extended(h), self.radius(), gauss_newton);
        weights::curvature_diagonal(u, self.extended(w), self.radius(), curved);
        true
    }
    /// `OnBoundary { index: n }` means Σx = r.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let (n, r) = (x.len(), self.radius());
        for (index, (x, u)) in x.iter().zip(u.iter_mut()).enumerate() {
            *u = admit(index, *x, r, boundary)?.sqrt();
        }
        let slack = r - x.iter().copied().sum();
        if slack < -sum_tolerance(r) {
            return Err(MapError::Sum {
                sum: (r - slack).as_f64(),
                limit: r.as_f64(),
                rule: "must add up to at most",
                tolerance: sum_tolerance(r).as_f64(),
            });
        }
        u[n] = admit(n, slack.max(T::zero()), r, boundary)?.sqrt();
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        weights::metric(self.radius(), x.len(), |k| x[k], |k| g[k], |k, m| out[k] = m);
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let (n, r) = (lin.len(), self.radius());
        let omega = weights::ray(u, d, |k, a, b| {
            if k < n {
                lin[k] = r * a;
                quad[k] = r * b;
            }
        });
        omega.map_or(Ray::General, Ray::Rational)
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        weights::release(u, self.radius(), self.extended(g), self.extended(h), du)
    }
    fn renormalize(&self, u: &mut [T]) {
        weights::renormalize(u, self.radius());
    }
}
