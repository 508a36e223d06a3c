//! Onto the ball: through the sphere one dimension up (closed), or through u/√(1 + ‖u‖²) (open).

use super::direction::Direction;
use super::sphere::scale_to;
use super::{Boundary, Landscape, Reparametrization};
use crate::linalg::norm2;
use crate::sets::{self, ConstraintSet};
use crate::{MapError, Result, Scalar};

/// $`x = a + R\,(u_1, \dots, u_n) / \lVert u\rVert`$ with $`u \in \mathbb{R}^{n+1}`$, onto the closed ball $`\lVert x - a\rVert \le R`$. The default for balls.
///
/// ```math
/// \begin{aligned}
/// J J^\top g &= g - \frac{d\,\langle d, g\rangle}{R^2}, \quad d = x - a, \quad \text{at } \lVert u\rVert = R \\
/// \text{section:}\quad u &= \bigl(d,\ \sqrt{R^2 - \lVert d\rVert^2}\bigr)
/// \end{aligned}
/// ```
///
/// Derivatives: those of [`Sphere`](super::Sphere) on $`\mathbb{R}^{n+1}`$ with $`w = 0`$ on the last coordinate.
///
/// The sphere projects onto the ball, and second-order critical points on the sphere are stationary in the ball (Levin,
/// Kileel & Boumal, Math. Program. 2025). On the boundary u_{n+1} = 0, where the inward direction changes x to
/// second order only: [`release`](Reparametrization::release) uses it. Invariant to scaling u; at u = 0, x = a.
///
/// ```
/// use reparam::maps::{Ball, Boundary, Reparametrization};
/// let map = Ball::new(2, 1.0).unwrap();
/// let (mut u, mut x) = ([0.0; 3], [0.0; 2]);
/// map.section(&[0.6, 0.8], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert!(u[2] < 1e-7);
/// map.apply(&u, &mut x, &mut []);
/// assert!((x[1] - 0.8_f64).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ball<T> {
    set: sets::BallSet<T>,
}

impl<T: Scalar> Ball<T> {
    /// The ball of this radius about 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Setting`](crate::Error::Setting) unless the radius is positive
    /// and finite.
    ///
    /// ```
    /// use reparam::maps::{Ball, Reparametrization};
    /// assert_eq!(Ball::new(2, 1.0).unwrap().dim_u(), 3);
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::BallSet::new(dim, radius)?,
        })
    }

    /// The ball of this radius about `centre`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`](crate::Error::NotFinite) for the centre.
    ///
    /// ```
    /// assert!(reparam::maps::Ball::with_centre(vec![f64::NAN], 1.0).is_err());
    /// ```
    pub fn with_centre(centre: Vec<T>, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::BallSet::with_centre(centre, radius)?,
        })
    }
}

/// v with 0 beyond its end.
fn padded<T: Scalar>(v: &[T]) -> impl Fn(usize) -> T + '_ {
    |k| v.get(k).copied().unwrap_or_else(T::zero)
}

/// (norm of x − a, or the error that x lies outside).
fn distance_inside<T: Scalar>(x: &[T], centre: &[T], radius: T, d: &mut [T]) -> Result<T, MapError> {
    for (d, (x, a)) in d.iter_mut().zip(x.iter().zip(centre)) {
        *d = *x - *a;
    }
    let norm = norm2(&d[..x.len()]);
    // x may be rounded relative to the centre, or given to a few digits
    let loose = T::epsilon().sqrt();
    let slack = loose * radius + loose * norm2(centre);
    if norm.is_nan() || norm > radius + slack {
        let index = x.iter().position(|v| v.is_nan()).unwrap_or(0);
        return Err(MapError::Outside {
            index,
            value: x[index].as_f64(),
        });
    }
    Ok(norm)
}

/// √(1 − (norm/r)²) for norm ≤ r: in units of r, whose square need not be a number.
fn across<T: Scalar>(norm: T, r: T) -> T {
    (((r - norm) / r) * (T::one() + norm / r)).sqrt()
}

impl<T: Scalar> Reparametrization<T> for Ball<T> {
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
        let y = Direction::of(u.len(), |k| u[k]);
        for (k, (x, a)) in x.iter_mut().zip(self.set.centre()).enumerate() {
            *x = *a + self.set.radius() * y.map_or_else(T::zero, |y| y.at(u[k]));
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
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        let Some(y) = Direction::of(u.len(), |k| u[k]) else {
            return jtw.fill(T::zero());
        };
        let w = padded(w);
        let q = y.tangent(|k| u[k], &w);
        let per = y.per_length(self.set.radius());
        for (k, o) in jtw.iter_mut().enumerate() {
            *o = per(q.at(k, y.at(u[k]), w(k)));
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        match Direction::of(u.len(), |k| u[k]) {
            None => out.fill(T::zero()),
            Some(y) => y.curvature(|k| u[k], padded(w), |k| v[k], self.set.radius(), out),
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
                padded(h),
                padded(w),
                self.set.radius(),
                gauss_newton,
                curved,
            ),
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let (n, r) = (x.len(), self.set.radius());
        let norm = distance_inside(x, self.set.centre(), r, u)?;
        u[n] = if norm < r {
            r * across(norm, r)
        } else {
            match boundary {
                Boundary::Exact => T::zero(),
                // inside by the fraction `by` of the radius: cos of the angle above the equator is 1 − by
                Boundary::Nudge(by) => r * (by * (T::lit(2.0) - by)).max(T::zero()).sqrt() / (T::one() - by),
                Boundary::Reject => return Err(MapError::OnBoundary { index: 0 }),
            }
        };
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
    /// On the sphere u_{n+1} = 0 with ⟨g, x − a⟩ > 0 the way is inwards: x → x − s (x − a).
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        du.fill(T::zero());
        let n = g.len();
        if u[n] != T::zero() {
            return 0;
        }
        let Some(y) = Direction::of(u.len(), |k| u[k]) else {
            return 0;
        };
        let r = self.set.radius();
        let (mut slope, mut size, mut bend) = (T::zero(), T::zero(), T::zero());
        for k in 0..n {
            let d = r * y.at(u[k]);
            slope += d * g[k];
            size += (d * g[k]).abs();
            bend += d.abs() * h[k].max(T::zero()).sqrt();
        }
        let length = y.length();
        if slope.is_nan() || slope <= T::lit(4.0) * T::epsilon() * size || length.is_infinite() {
            return 0;
        }
        let best = slope / bend / bend;
        let s = if best < T::lit(0.5) { best } else { T::lit(0.5) };
        // ‖u‖/√(‖u‖² + δ²) = 1 − s
        du[n] = (s * (T::lit(2.0) - s)).sqrt() / (T::one() - s) * length;
        1
    }
    /// ‖u‖ = R; u = 0 becomes the pole above the centre.
    fn renormalize(&self, u: &mut [T]) {
        let r = self.set.radius();
        if u.iter().all(|v| *v == T::zero()) {
            if let Some(last) = u.last_mut() {
                *last = r;
            }
        } else {
            scale_to(u, r);
        }
    }
}

/// $`x = a + R\,u / \sqrt{1 + \lVert u\rVert^2}`$, onto the open ball $`\lVert x - a\rVert < R`$, with as many parameters as coordinates.
///
/// ```math
/// \begin{aligned}
/// J &= \frac{R}{s}\,(I - y y^\top), \qquad s = \sqrt{1 + \lVert u\rVert^2}, \quad y = u/s \\
/// J J^\top &= R^2 (1 - \lVert y\rVert^2)\,(I - y y^\top)^2 \\
/// \text{section:}\quad u &= \frac{d}{\sqrt{R^2 - \lVert d\rVert^2}}, \qquad d = x - a
/// \end{aligned}
/// ```
///
/// Curvature: that of the sphere in $`\mathbb{R}^{n+1}`$ at $`(u, 1)`$, the last coordinate held fast.
///
/// Elementary: y is (u, 1), centrally projected to the upper half of the sphere in $`\mathbb{R}^{n+1}`$, its last coordinate dropped.
/// A diffeomorphism: no spurious critical points, but a solution on the boundary is reached only as ‖u‖ → ∞. Prefer
/// [`Ball`] unless the solution is known to lie inside.
///
/// ```
/// use reparam::maps::{OpenBall, Reparametrization};
/// let mut x = [0.0];
/// OpenBall::new(1, 5.0).unwrap().apply(&[0.75], &mut x, &mut []);
/// assert!((x[0] - 3.0_f64).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct OpenBall<T> {
    set: sets::BallSet<T>,
}

impl<T: Scalar> OpenBall<T> {
    /// The ball of this radius about 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Setting`](crate::Error::Setting) unless the radius is positive
    /// and finite.
    ///
    /// ```
    /// assert!(reparam::maps::OpenBall::new(0, 1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::BallSet::new(dim, radius)?,
        })
    }

    /// The ball of this radius about `centre`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`](crate::Error::NotFinite) for the centre.
    ///
    /// ```
    /// assert!(reparam::maps::OpenBall::with_centre(vec![1.0], 2.0).is_ok());
    /// ```
    pub fn with_centre(centre: Vec<T>, radius: T) -> Result<Self> {
        Ok(Self {
            set: sets::BallSet::with_centre(centre, radius)?,
        })
    }
}

/// (u, 1): never zero.
fn lifted<T: Scalar>(u: &[T]) -> impl Fn(usize) -> T + '_ {
    |k| u.get(k).copied().unwrap_or_else(T::one)
}

/// Direction of (u, 1), with a fallback that cannot occur.
fn lifted_direction<T: Scalar>(u: &[T]) -> Option<Direction<T>> {
    Direction::of(u.len() + 1, lifted(u))
}

impl<T: Scalar> Reparametrization<T> for OpenBall<T> {
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
        Landscape::InteriorOnly
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        let y = lifted_direction(u);
        for (k, (x, a)) in x.iter_mut().zip(self.set.centre()).enumerate() {
            *x = *a + self.set.radius() * y.map_or_else(T::zero, |y| y.at(u[k]));
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        let Some(y) = lifted_direction(u) else {
            return jv.fill(T::zero());
        };
        let v = padded(v);
        let a = y.tangent(lifted(u), &v);
        let per = y.per_length(self.set.radius());
        for (k, o) in jv.iter_mut().enumerate() {
            *o = per(a.at(k, y.at(u[k]), v(k)));
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        self.jvp(u, w, jtw, work); // J is symmetric
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        match lifted_direction(u) {
            None => out.fill(T::zero()),
            Some(y) => y.curvature(lifted(u), padded(w), padded(v), self.set.radius(), out),
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
        if let Some(y) = lifted_direction(u) {
            y.diagonals(
                lifted(u),
                padded(h),
                padded(w),
                self.set.radius(),
                gauss_newton,
                curved,
            );
        }
        true
    }
    /// Points of the sphere are `OnBoundary` under every policy but `Nudge`.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        let r = self.set.radius();
        let norm = distance_inside(x, self.set.centre(), r, u)?;
        let (shrink, norm) = match boundary {
            _ if norm < r => (T::one(), norm),
            Boundary::Nudge(by) if by > T::zero() => (r / norm * (T::one() - by), r * (T::one() - by)),
            _ => return Err(MapError::OnBoundary { index: 0 }),
        };
        let across = across(norm, r);
        for u in u.iter_mut() {
            *u = *u / r * shrink / across;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        let (a, r) = (self.set.centre(), self.set.radius());
        let y = |k: usize| (x[k] - a[k]) / r;
        let norm = (0..x.len()).map(|k| y(k) * y(k)).sum::<T>().sqrt();
        let across = ((T::one() - norm) * (T::one() + norm)).max(T::zero());
        // along the radius I − yyᵀ is 1 − ‖y‖², across it 1: taken apart, nothing cancels near the sphere
        let axis = |k: usize| if norm == T::zero() { T::zero() } else { y(k) / norm };
        let along: T = (0..x.len()).map(|k| axis(k) * g[k]).sum();
        for k in 0..x.len() {
            let radial = along * axis(k);
            out[k] = r * (across * ((g[k] - radial) + across * across * radial)) * r;
        }
        true
    }
}
