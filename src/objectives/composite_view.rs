//! f = ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩ along a curve whose image under A is known: what a line search needs.

use crate::Scalar;
use crate::linalg::{axpy, dot};
use crate::losses::Loss;
use crate::operators::LinearOperator;
use crate::search::{Quartic, RationalQuartic};

/// The parts of an objective ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩, with evaluations along a curve.
///
/// With the images z = A x + a, A p and A q of a curve x + t p + t² q known, f along the curve costs no further
/// product with A: [`quartic`](Self::quartic) gives all of it for a quadratic loss, [`along`](Self::along) a value
/// and a slope for any.
///
/// ```
/// use reparam::objectives::{LeastSquares, Objective};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap();
/// let value = f.value(&[1.0, 1.0]).unwrap();
/// let view = f.composite().unwrap();
/// let mut z = [0.0];
/// view.image(&[1.0, 1.0], &mut z);
/// assert_eq!((z, view.value(&[1.0, 1.0], &z)), ([3.0], value));
/// ```
#[derive(Clone, Copy)]
pub struct CompositeView<'a, T> {
    /// A, m×n.
    pub operator: &'a dyn LinearOperator<T>,
    /// ℓ of m numbers.
    pub loss: &'a dyn Loss<T>,
    /// a of length m; None for 0.
    pub offset: Option<&'a [T]>,
    /// λ ≥ 0.
    pub ridge: T,
    /// c of length n; None for 0.
    pub linear: Option<&'a [T]>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for CompositeView<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompositeView")
            .field("offset", &self.offset)
            .field("ridge", &self.ridge)
            .field("linear", &self.linear)
            .finish_non_exhaustive()
    }
}

/// A curve x + (t p + t² q)/W(t), W = ω₀ + ω₁t + ω₂t², and its image z + (t A p + t² A q)/W(t): what a search along a lifted ray
/// moves on.
///
/// x, p, q have length n; z, ap, aq have length m. ω = (1, 0, 0) for a polynomial; a straight line has q = 0 too. A ray
/// (ω₀x + t lin + t² quad)/W has p = lin − ω₁x and q = quad − ω₂x.
///
/// ```
/// use reparam::objectives::Curve;
/// let line = Curve { x: &[0.0], p: &[1.0], q: &[0.0], z: &[0.0], ap: &[2.0], aq: &[0.0], omega: [1.0, 0.0, 0.0] };
/// assert_eq!(line.ap, &[2.0]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a, T> {
    /// x, the point at t = 0.
    pub x: &'a [T],
    /// p, the direction.
    pub p: &'a [T],
    /// q, half the acceleration.
    pub q: &'a [T],
    /// z = A x + a.
    pub z: &'a [T],
    /// A p.
    pub ap: &'a [T],
    /// A q.
    pub aq: &'a [T],
    /// ω₀, ω₁, ω₂.
    pub omega: [T; 3],
}

impl<T: Scalar> CompositeView<'_, T> {
    /// z ← A x + a: one product.
    ///
    /// ```
    /// use reparam::{losses::NegativeLog, objectives::{Composite, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![2.0], NegativeLog::new(1).unwrap()).unwrap();
    /// let mut z = [0.0];
    /// f.with_offset(&[1.0]).unwrap().composite().unwrap().image(&[3.0], &mut z);
    /// assert_eq!(z, [7.0]);
    /// ```
    pub fn image(&self, x: &[T], z: &mut [T]) {
        self.operator.apply(x, z);
        if let Some(a) = self.offset {
            for (z, a) in z.iter_mut().zip(a) {
                *z += *a;
            }
        }
    }

    /// f(x) from x and its image z: no product.
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap().with_ridge(2.0).unwrap();
    /// assert_eq!(f.composite().unwrap().value(&[3.0], &[3.0]), 2.0 + 9.0);
    /// ```
    pub fn value(&self, x: &[T], z: &[T]) -> T {
        let mut f = self.loss.value(z);
        if self.ridge > T::zero() {
            f += T::lit(0.5) * self.ridge * dot(x, x);
        }
        if let Some(c) = self.linear {
            f += dot(c, x);
        }
        f
    }

    /// g ← ∇f(x) from x and its image z: one adjoint product. `r` (length m) receives ℓ′(z).
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![2.0], &[1.0]).unwrap();
    /// let (mut r, mut g) = ([0.0], [0.0]);
    /// f.composite().unwrap().gradient(&[1.0], &[2.0], &mut r, &mut g);
    /// assert_eq!((r, g), ([1.0], [2.0]));
    /// ```
    pub fn gradient(&self, x: &[T], z: &[T], r: &mut [T], g: &mut [T]) {
        self.loss.gradient(z, r);
        self.operator.apply_adjoint(r, g);
        if self.ridge > T::zero() {
            axpy(self.ridge, x, g);
        }
        if let Some(c) = self.linear {
            axpy(T::one(), c, g);
        }
    }

    /// f along the curve minus f(x), for a quadratic loss; None for any other. `r` and `d` are scratch of length m.
    ///
    /// ```text
    /// h(t) − h(0) = a₁t + a₂t² + a₃t³ + a₄t⁴      P = A p, Q = A q, r = ℓ′(z), D = diag ℓ″
    /// a₁ = ⟨r,P⟩ + λ⟨x,p⟩ + ⟨c,p⟩                  a₂ = ½⟨P,DP⟩ + ⟨r,Q⟩ + λ(½‖p‖² + ⟨x,q⟩) + ⟨c,q⟩
    /// a₃ = ⟨P,DQ⟩ + λ⟨p,q⟩                         a₄ = ½⟨Q,DQ⟩ + ½λ‖q‖²
    /// ```
    ///
    /// ```
    /// use reparam::search::minimise_quartic;
    /// use reparam::objectives::{Curve, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[4.0]).unwrap();
    /// // x = u² from u = 1 along d = 1: x + 2t + t²
    /// let curve = Curve { x: &[1.0], p: &[2.0], q: &[1.0], z: &[1.0], ap: &[2.0], aq: &[1.0], omega: [1.0, 0.0, 0.0] };
    /// let h = f.composite().unwrap().quartic(&curve, &mut [0.0], &mut [0.0]).unwrap();
    /// assert!((minimise_quartic(&h) - 1.0_f64).abs() < 1e-15); // u = 2
    /// ```
    pub fn quartic(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<Quartic<T>> {
        if curve.omega != [T::one(), T::zero(), T::zero()] {
            return None;
        }
        let ([a, b], [pp, pq, qq]) = self.products(curve, r, d)?;
        Some(Quartic {
            coefficients: [a, pp + b, pq, qq],
        })
    }

    /// The same for any denominator: a quartic over its square.
    ///
    /// ```
    /// use reparam::search::minimise_rational;
    /// use reparam::objectives::{Curve, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// // x = t/(1 + t²) comes nearest to 1 at t = 1
    /// let curve = Curve { x: &[0.0], p: &[1.0], q: &[0.0], z: &[0.0], ap: &[1.0], aq: &[0.0], omega: [1.0, 0.0, 1.0] };
    /// let h = f.composite().unwrap().rational(&curve, &mut [0.0], &mut [0.0]).unwrap();
    /// assert!((minimise_rational(&h) - 1.0_f64).abs() < 1e-12);
    /// ```
    pub fn rational(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<RationalQuartic<T>> {
        let (linear, quadratic) = self.products(curve, r, d)?;
        Some(RationalQuartic::along(linear, quadratic, curve.omega))
    }

    /// [⟨∇f,p⟩, ⟨∇f,q⟩] and [½⟨p,∇²f p⟩, ⟨p,∇²f q⟩, ½⟨q,∇²f q⟩] by the images; None for a loss that is not quadratic.
    fn products(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<([T; 2], [T; 3])> {
        if !self.loss.quadratic() {
            return None;
        }
        let Curve {
            x, p, q, z, ap, aq, ..
        } = *curve;
        self.loss.gradient(z, r);
        self.loss.curvature(z, d);
        let half = T::lit(0.5);
        let product = |a: &[T], b: &[T]| crate::losses::sum_of(a.len(), |i| d[i] * a[i] * b[i]);
        let mut linear = [dot(r, ap), dot(r, aq)];
        let mut quadratic = [half * product(ap, ap), product(ap, aq), half * product(aq, aq)];
        if self.ridge > T::zero() {
            linear[0] += self.ridge * dot(x, p);
            linear[1] += self.ridge * dot(x, q);
            quadratic[0] += self.ridge * half * dot(p, p);
            quadratic[1] += self.ridge * dot(p, q);
            quadratic[2] += self.ridge * half * dot(q, q);
        }
        if let Some(c) = self.linear {
            linear[0] += dot(c, p);
            linear[1] += dot(c, q);
        }
        Some((linear, quadratic))
    }

    /// h(t), f on the curve at t, and h′(t), without a product. `zt` (length m) receives the image at t, `r` (length
    /// m) ℓ′ there.
    ///
    /// ```
    /// use reparam::{losses::NegativeLog, objectives::{Composite, Curve, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![2.0], NegativeLog::new(1).unwrap()).unwrap();
    /// let line = Curve { x: &[1.0], p: &[1.0], q: &[0.0], z: &[2.0], ap: &[2.0], aq: &[0.0], omega: [1.0, 0.0, 0.0] };
    /// let (mut zt, mut r) = ([0.0], [0.0]);
    /// let (h, slope) = f.composite().unwrap().along(&line, 1.0, &mut zt, &mut r);
    /// assert_eq!((h, slope), (-(4.0_f64.ln()), -0.5));
    /// ```
    pub fn along(&self, curve: &Curve<'_, T>, t: T, zt: &mut [T], r: &mut [T]) -> (T, T) {
        let Curve {
            x,
            p,
            q,
            z,
            ap,
            aq,
            omega: [w0, w1, w2],
        } = *curve;
        let two = T::lit(2.0);
        // x + a (p + t q), d/dt = a′p + b′q with a = t/W, b = t²/W
        let w = w0 + t * (w1 + t * w2);
        let a = t / w;
        let turn = (w1 + two * t * w2) / w;
        let (da, db) = (T::one() / w - a * turn, two * a - a * t * turn);
        for (i, o) in zt.iter_mut().enumerate() {
            *o = z[i] + a * (ap[i] + t * aq[i]);
        }
        let mut h = self.loss.value(zt);
        self.loss.gradient(zt, r);
        let mut slope = da * dot(r, ap) + db * dot(r, aq);
        if self.ridge > T::zero() || self.linear.is_some() {
            let (mut squares, mut change) = (T::zero(), T::zero());
            let (mut along, mut rate) = (T::zero(), T::zero());
            for j in 0..x.len() {
                let (xt, dx) = (x[j] + a * (p[j] + t * q[j]), da * p[j] + db * q[j]);
                squares += xt * xt;
                change += xt * dx;
                if let Some(c) = self.linear {
                    along += c[j] * xt;
                    rate += c[j] * dx;
                }
            }
            h += T::lit(0.5) * self.ridge * squares + along;
            slope += self.ridge * change + rate;
        }
        (h, slope)
    }
}
