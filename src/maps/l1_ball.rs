//! φ(u) = [I, −I]·r u²/‖u‖², u ∈ R^{2n}: onto the ℓ1 ball.

use super::normalized_squares::sum_tolerance;
use super::{Boundary, Landscape, Ray, Reparametrization, weights};
use crate::sets::{self, ConstraintSet};
use crate::{MapError, Result, Scalar};

/// Differences of normalised squares:
/// $`x_i = r\,(u_i^2 - u_{n+i}^2) / \lVert u\rVert^2`$, $`u \in \mathbb{R}^{2n}`$, onto $`\{\sum |x_i| \le r\}`$.
///
/// ```math
/// x = x^+ - x^-: \qquad u^2 = x^+ + s, \quad v^2 = x^- + s, \qquad s = \frac{r - \lVert x\rVert_1}{2n}
/// ```
///
/// J, Jᵀ and the curvature are those of [`NormalizedSquares`](super::NormalizedSquares) on $`\mathbb{R}^{2n}`$ with the
/// multipliers $`(w, -w)`$; the section above spreads what is left of the budget evenly over all 2n squares.
///
/// The ball is the image of the simplex of its 2n vertices, so the landscape is the simplex's (Levin, Kileel & Boumal,
/// Math. Program. 2025). J Jᵀ depends on how x is split and is no function of x: there is no metric. Invariant
/// to scaling u; at u = 0, x = 0.
///
/// ```
/// use reparam::maps::{Boundary, L1Ball, Reparametrization};
/// let map = L1Ball::new(2, 1.0).unwrap();
/// let (mut u, mut x) = ([0.0; 4], [0.0; 2]);
/// map.section(&[0.25, -0.75], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[0] - 0.25_f64).abs() < 1e-15 && (x[1] + 0.75).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1Ball<T> {
    set: sets::L1BallSet<T>,
}

impl<T: Scalar> L1Ball<T> {
    /// Onto {x ∈ Rⁿ : Σ|x| ≤ radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// use reparam::maps::{L1Ball, Reparametrization};
    /// assert_eq!(L1Ball::new(3, 1.0).unwrap().dim_u(), 6);
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::L1BallSet::new(dim, radius)?,
        })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::maps::L1Ball::new(2, 3.0).unwrap().radius(), 3.0);
    /// ```
    pub fn radius(&self) -> T {
        self.set.radius()
    }

    /// (w, −w).
    fn mirrored<'a>(&self, w: &'a [T]) -> impl Fn(usize) -> T + 'a {
        |k| if k < w.len() { w[k] } else { -w[k - w.len()] }
    }

    /// (h, h).
    fn doubled<'a>(&self, h: &'a [T]) -> impl Fn(usize) -> T + 'a {
        |k| h[k % h.len()]
    }
}

/// Adds value to out[k], or subtracts it for the mirrored half.
fn accumulate<T: Scalar>(out: &mut [T], k: usize, value: T) {
    let n = out.len();
    if k < n {
        out[k] += value;
    } else {
        out[k - n] -= value;
    }
}

impl<T: Scalar> Reparametrization<T> for L1Ball<T> {
    fn dim_u(&self) -> usize {
        self.set.dim().saturating_mul(2)
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
        x.fill(T::zero());
        weights::weights(u, |k, p| accumulate(x, k, self.radius() * p));
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        jv.fill(T::zero());
        weights::jvp(u, v, |k, d| accumulate(jv, k, self.radius() * d));
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        weights::vjp(u, self.mirrored(w), self.radius(), jtw);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        weights::curvature(u, self.mirrored(w), v, self.radius(), out);
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
        weights::curvature_diagonal(u, self.mirrored(w), self.radius(), curved);
        let n = h.len();
        let Some(unit) = weights::Unit::of(u) else {
            gauss_newton.fill(T::zero());
            return true;
        };
        // dx_i/du_k = (2 r û_k/‖û‖²)(±δ_{ik} − ξ_i), ξ = x/r
        let p = |k: usize| unit.weight(u[k]);
        let xi = |i: usize| p(i) - p(n + i);
        let top = unit.top % n;
        let rest: T = (0..n).filter(|i| *i != top).map(|i| h[i] * xi(i) * xi(i)).sum();
        let total = rest + h[top] * xi(top) * xi(top);
        let f = T::lit(4.0) / unit.square;
        for k in 0..2 * n {
            let i = k % n;
            let others = if i == top {
                rest
            } else {
                total - h[i] * xi(i) * xi(i)
            };
            let mirror = p((k + n) % (2 * n));
            let distance = if k == unit.top {
                unit.rest / unit.square + mirror
            } else {
                T::one() - p(k) + mirror
            };
            let inner = f * p(k) * (others + h[i] * distance * distance);
            gauss_newton[k] = unit.twice_times(self.radius(), inner);
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let (n, r) = (x.len(), self.radius());
        let norm: T = x.iter().map(|v| v.abs()).sum();
        if norm.is_nan() || norm > r + sum_tolerance(r) {
            return Err(match x.iter().position(|v| v.is_nan()) {
                Some(index) => MapError::Outside {
                    index,
                    value: f64::NAN,
                },
                None => MapError::Sum {
                    sum: norm.as_f64(),
                    limit: r.as_f64(),
                    rule: "must have absolute values that add up to at most",
                    tolerance: sum_tolerance(r).as_f64(),
                },
            });
        }
        let slack = match boundary {
            _ if norm < r => r - norm,
            Boundary::Exact => T::zero(),
            Boundary::Nudge(by) => by * r,
            Boundary::Reject => return Err(MapError::OnBoundary { index: 0 }),
        };
        let even = slack / T::count(2 * n);
        for i in 0..n {
            u[i] = (x[i].max(T::zero()) + even).sqrt();
            u[n + i] = ((-x[i]).max(T::zero()) + even).sqrt();
        }
        Ok(())
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let r = self.radius();
        lin.fill(T::zero());
        quad.fill(T::zero());
        let omega = weights::ray(u, d, |k, a, b| {
            accumulate(lin, k, r * a);
            accumulate(quad, k, r * b);
        });
        omega.map_or(Ray::General, Ray::Rational)
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        weights::release(u, self.radius(), self.mirrored(g), self.doubled(h), du)
    }
    fn renormalize(&self, u: &mut [T]) {
        weights::renormalize(u, self.radius());
    }
}
