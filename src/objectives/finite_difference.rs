//! Derivatives by differences, for any objective.

use super::differences::Differencer;
use super::{CompositeView, Convexity, Differences, Evaluation, Nearby, Objective, ResidualView};
use crate::Scalar;
use crate::linalg::norm2;

/// An objective whose gradient, or whose Hessian products, come from finite differences; the rest is its own.
///
/// ```text
/// gradient    from values, as Differences says
/// hessian     ∇²f(x) v ≈ (∇f(x + h v) − ∇f(x − h v))/2h   (central)   or   (∇f(x + h v) − ∇f(x))/h   (forward)
///             h = s·max(‖x‖, τ)/‖v‖
/// ```
///
/// A side with a gradient that is not finite is left out, and so is one that leaves the set of a run of [`Minimize`](crate::Minimize);
/// over a set that couples coordinates no products are offered then.
///
/// ```
/// use reparam::objectives::{Differences, FiniteDifference, FromFn, Objective};
/// let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
///     g[0] = x[0].cos();
///     Ok(x[0].sin())
/// });
/// let mut f = FiniteDifference::hessian(f, Differences::central());
/// let mut out = [0.0];
/// assert!(f.hessian_vector(&[1.0], &[1.0], &mut out).unwrap());
/// assert!((out[0] + 1.0_f64.sin()).abs() < 1e-9);
/// ```
#[derive(Debug, Clone)]
pub struct FiniteDifference<O, T> {
    inner: O,
    scheme: Differences<T>,
    differencer: Option<Differencer<T>>,
    /// Of products: where x + h v may lie.
    room: Room<T>,
    x: Vec<T>,
    g: Vec<T>,
}

/// What is known of the set of a run.
#[derive(Debug, Clone)]
enum Room<T> {
    Everywhere,
    Bounds(Vec<T>, Vec<T>),
    /// Not every x + h v belongs to the set.
    Coupled,
}

impl<T: Scalar> Room<T> {
    /// The longest h ≥ 0 with x + h v in the set.
    fn reach(&self, x: &[T], v: &[T]) -> T {
        match self {
            Self::Everywhere => T::infinity(),
            Self::Coupled => T::zero(),
            Self::Bounds(lower, upper) => (0..x.len()).fold(T::infinity(), |h, j| {
                if v[j] > T::zero() {
                    h.min((upper[j] - x[j]) / v[j])
                } else if v[j] < T::zero() {
                    h.min((lower[j] - x[j]) / v[j])
                } else {
                    h
                }
            }),
        }
    }

    /// Rounding must not carry a coordinate over its bound.
    fn clip(&self, x: &mut [T]) {
        if let Self::Bounds(lower, upper) = self {
            for (j, v) in x.iter_mut().enumerate() {
                *v = crate::sets::clip(*v, lower[j], upper[j]);
            }
        }
    }
}

impl<T: Scalar, O: Objective<T>> FiniteDifference<O, T> {
    /// The gradient by differences of the value.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FiniteDifference, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![2.0], &[0.0]).unwrap();
    /// let (mut f, mut g) = (FiniteDifference::gradient(f, Differences::central()), [0.0]);
    /// f.value_gradient(&[1.0], &mut g).unwrap();
    /// assert!((g[0] - 4.0_f64).abs() < 1e-8);
    /// ```
    pub fn gradient(inner: O, scheme: Differences<T>) -> Self {
        let n = inner.dim();
        Self {
            differencer: Some(Differencer::new(n, 1)),
            ..Self::hessian(inner, scheme)
        }
    }

    /// Hessian products by differences of the gradient.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FiniteDifference, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![2.0], &[0.0]).unwrap();
    /// let (mut f, mut h) = (FiniteDifference::hessian(f, Differences::forward()), [0.0]);
    /// assert!(f.hessian_vector(&[1.0], &[3.0], &mut h).unwrap());
    /// assert!((h[0] - 12.0_f64).abs() < 1e-6);
    /// ```
    pub fn hessian(inner: O, scheme: Differences<T>) -> Self {
        let n = inner.dim();
        Self {
            inner,
            scheme,
            differencer: None,
            room: Room::Everywhere,
            x: vec![T::zero(); n],
            g: vec![T::zero(); n],
        }
    }

    /// f itself.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FiniteDifference, LeastSquares};
    /// let f = LeastSquares::new(nalgebra::dmatrix![2.0], &[7.0]).unwrap();
    /// assert_eq!(FiniteDifference::hessian(f, Differences::forward()).inner().rhs(), &[7.0]);
    /// ```
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// ∇f at x + s v into `out`; whether it is finite.
    fn gradient_at(&mut self, x: &[T], v: &[T], s: T, out: &mut [T]) -> Evaluation<bool> {
        for ((o, x), v) in self.x.iter_mut().zip(x).zip(v) {
            *o = *x + s * *v;
        }
        self.room.clip(&mut self.x);
        let f = self.inner.value_gradient(&self.x, out)?;
        Ok(f.is_finite() && out.iter().all(|g| g.is_finite()))
    }
}

impl<T: Scalar, O: Objective<T>> Objective<T> for FiniteDifference<O, T> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.inner.value(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let Some(differencer) = &mut self.differencer else {
            return self.inner.value_gradient(x, g);
        };
        let inner = &mut self.inner;
        let fx = inner.value(x)?;
        if !fx.is_finite() {
            g.fill(T::nan());
            return Ok(fx);
        }
        differencer.columns(
            &self.scheme,
            None,
            x,
            &[fx],
            &[T::one()],
            &mut |x, out| {
                out[0] = inner.value(x)?;
                Ok(())
            },
            &mut |j, d| g[j] = d[0],
        )?;
        Ok(fx)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        if self.differencer.is_some() {
            return self.inner.hessian_vector(x, v, out);
        }
        let length = norm2(v);
        if length == T::zero() {
            out.fill(T::zero());
            return Ok(true);
        }
        let h = self.scheme.step_for(norm2(x)) / length;
        let back: Vec<T> = v.iter().map(|v| -*v).collect();
        let (forth, back) = (self.room.reach(x, v), self.room.reach(x, &back));
        // (a direction that leaves the set on both sides has no difference within it)
        let h = if forth >= h || back >= h {
            h
        } else {
            forth.max(back)
        };
        if h <= T::zero() {
            return Ok(false);
        }
        let mut g = std::mem::take(&mut self.g);
        g.resize(x.len(), T::zero()); // (lost where the last call ended with an error)
        let right = forth >= h && self.gradient_at(x, v, h, out)?;
        let left = if back < h || (right && !self.scheme.is_central()) {
            false
        } else {
            self.gradient_at(x, v, -h, &mut g)?
        };
        let known = match (right, left) {
            (true, true) => {
                combine(out, &g, h + h);
                true
            }
            (true, false) => {
                let here = self.gradient_at(x, v, T::zero(), &mut g)?;
                combine(out, &g, h);
                here
            }
            (false, true) => {
                let here = self.gradient_at(x, v, T::zero(), out)?;
                combine(out, &g, h);
                here
            }
            (false, false) => false,
        };
        self.g = g;
        Ok(known)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.inner.hessian_diagonal(x, out)
    }
    fn convexity(&self) -> Convexity {
        self.inner.convexity()
    }
    fn quadratic(&self) -> bool {
        self.inner.quadratic()
    }
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        self.inner.composite()
    }
    fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
        self.inner.image(x, z)
    }
    fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
        self.inner.remember_image(x, z)
    }
    fn residuals(&mut self) -> Option<&mut dyn ResidualView<T>> {
        self.inner.residuals()
    }
    fn uses_nearby(&self) -> bool {
        self.differencer.is_some() || self.inner.uses_nearby()
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        match (&mut self.differencer, near) {
            (Some(differencer), near) => differencer.nearby(near),
            (None, Nearby::Start) => self.room = Room::Everywhere,
            (None, Nearby::Bounds { lower, upper }) => {
                self.room = Room::Bounds(lower.to_vec(), upper.to_vec());
            }
            (None, Nearby::Coupled | Nearby::Segments { .. }) => self.room = Room::Coupled,
        }
        self.inner.nearby(near);
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        match &self.differencer {
            Some(differencer) => {
                out.copy_from_slice(differencer.error());
                true
            }
            None => self.inner.gradient_error(out),
        }
    }
    fn sharpen(&mut self) -> bool {
        match &mut self.differencer {
            Some(differencer) => differencer.sharpen(&self.scheme),
            None => self.inner.sharpen(),
        }
    }
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        self.inner.not_finite_at(x)
    }
}

/// a ← (a − b)/h
fn combine<T: Scalar>(a: &mut [T], b: &[T], h: T) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = (*a - *b) / h;
    }
}
