//! φ(u) = r u²/‖u‖², onto the simplex.

use super::{Boundary, Landscape, Ray, Reparametrization, weights};
use crate::sets::{ConstraintSet, Simplex};
use crate::{MapError, Result, Scalar};

/// Normalised squares: $`x = r\,u \circ u / \lVert u\rVert^2`$, onto $`\{x \ge 0, \sum x = r\}`$. The default for the simplex.
///
/// ```math
/// \begin{aligned}
/// J v &= \tfrac{2}{n} \bigl(r\, u \circ v - \langle u, v\rangle x\bigr), \qquad n = \lVert u\rVert^2, \quad q = w - \langle x, w\rangle / r \\
/// J^\top w &= \tfrac{2r}{n}\, u \circ q \\
/// \sum_i w_i \nabla^2\varphi_i\, v &= \tfrac{2r}{n} \bigl(v \circ q - \tfrac{2}{n} \langle u, v\rangle\, u \circ q - \tfrac{2}{n} \langle u \circ q, v\rangle\, u\bigr) \\
/// J J^\top g &= 4\,\bigl(x \circ g - x\,\langle x, g\rangle / r\bigr) \quad \text{at } \lVert u\rVert^2 = r \text{: the metric of replicator dynamics} \\
/// \varphi(u + t\,d) &= \frac{n x + 2t\, r\, u \circ d + t^2 r\, d \circ d}{n + 2t\, \langle u, d\rangle + t^2 \lVert d\rVert^2}
/// \end{aligned}
/// ```
///
/// It reaches the whole boundary, and every second-order critical point of f∘φ is stationary for f (Levin, Kileel &
/// Boumal, Math. Program. 2025; Li, McKenzie & Yin, "From the simplex to the sphere", Inf. Inference 2023). It is
/// invariant to scaling u: ⟨u, ∇F⟩ = 0, so plain descent lets ‖u‖ grow and its effective step shrink;
/// [`renormalize`](Reparametrization::renormalize) every step. The metric is that of the renormalised u. At u = 0, where
/// the quotient has no limit, φ is the barycentre and all derivatives are 0.
///
/// ```
/// use reparam::maps::{Boundary, NormalizedSquares, Reparametrization};
/// let map = NormalizedSquares::new(3, 1.0).unwrap();
/// let (mut u, mut x) = ([0.0; 3], [0.0; 3]);
/// map.apply(&[1.0, -2.0, 0.0], &mut x, &mut []);
/// assert_eq!(x, [0.2, 0.8, 0.0]);
/// map.section(&[0.25, 0.75, 0.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[0] - 0.25_f64).abs() < 1e-15 && x[2] == 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalizedSquares<T> {
    set: Simplex<T>,
}

impl<T: Scalar> NormalizedSquares<T> {
    /// Onto {x ∈ Rⁿ : x ≥ 0, Σx = radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// assert!(reparam::maps::NormalizedSquares::new(3, -1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: Simplex::new(dim, radius)?,
        })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::maps::NormalizedSquares::new(3, 2.0).unwrap().radius(), 2.0);
    /// ```
    pub fn radius(&self) -> T {
        self.set.radius()
    }
}

/// How far Σx may be from r: a start given to a few digits is accepted, since φ normalises it.
pub(super) fn sum_tolerance<T: Scalar>(radius: T) -> T {
    radius * T::epsilon().sqrt()
}

/// Entry k of a point of a simplex of this radius under the boundary policy; the caller takes roots or logarithms.
pub(super) fn admit<T: Scalar>(
    index: usize,
    value: T,
    radius: T,
    boundary: Boundary<T>,
) -> Result<T, MapError> {
    if value.is_nan() || value < T::zero() || value.is_infinite() {
        return Err(MapError::Outside {
            index,
            value: value.as_f64(),
        });
    }
    match boundary {
        Boundary::Exact => Ok(value),
        Boundary::Nudge(by) => Ok(if value == T::zero() { by * radius } else { value }),
        Boundary::Reject if value == T::zero() => Err(MapError::OnBoundary { index }),
        Boundary::Reject => Ok(value),
    }
}

/// Σx = r up to [`sum_tolerance`], or `Sum`; `Outside` for a coordinate that is negative or NaN.
pub(super) fn check_sum<T: Scalar>(x: impl Iterator<Item = T> + Clone, radius: T) -> Result<(), MapError> {
    let sum: T = x.clone().sum();
    if (sum - radius).abs() <= sum_tolerance(radius) {
        return Ok(());
    }
    let bad = x.enumerate().find(|(_, v)| v.is_nan() || *v < T::zero());
    Err(match bad {
        Some((index, value)) => MapError::Outside {
            index,
            value: value.as_f64(),
        },
        None => MapError::Sum {
            sum: sum.as_f64(),
            limit: radius.as_f64(),
            rule: "must add up to",
            tolerance: sum_tolerance(radius).as_f64(),
        },
    })
}

impl<T: Scalar> Reparametrization<T> for NormalizedSquares<T> {
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
        weights::weights(u, |k, p| x[k] = self.radius() * p);
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        weights::jvp(u, v, |k, d| jv[k] = self.radius() * d);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        weights::vjp(u, |k| w[k], self.radius(), jtw);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        weights::curvature(u, |k| w[k], v, self.radius(), out);
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
        weights::gauss_newton_diagonal(u, |k| h[k], self.radius(), gauss_newton);
        weights::curvature_diagonal(u, |k| w[k], self.radius(), curved);
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        check_sum(x.iter().copied(), self.radius())?;
        for (index, (x, u)) in x.iter().zip(u.iter_mut()).enumerate() {
            *u = admit(index, *x, self.radius(), boundary)?.sqrt();
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        weights::metric(self.radius(), x.len(), |k| x[k], |k| g[k], |k, m| out[k] = m);
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let r = self.radius();
        let omega = weights::ray(u, d, |k, a, b| {
            lin[k] = r * a;
            quad[k] = r * b;
        });
        omega.map_or(Ray::General, Ray::Rational)
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        weights::release(u, self.radius(), |k| g[k], |k| h[k], du)
    }
    fn renormalize(&self, u: &mut [T]) {
        weights::renormalize(u, self.radius());
    }
}
