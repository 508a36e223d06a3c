//! A ridge on the lifted variable u: with x = u∘u that is an ℓ1 penalty on x.

use super::{Convexity, Evaluation, Nearby, Objective};
use crate::linalg::axpy;
use crate::{Error, Result, Scalar};

/// λ‖u‖² on the lift of squares, as a function of x.
///
/// ```text
/// new:    f(x) + λ Σ x_j            with the map x = u²              λ‖u‖² = λ Σ x_j = λ‖x‖₁ on x ≥ 0
/// split:  f(p − q) + λ Σ (p_j + q_j)   with (p, q) = (u², v²)     min over u, v of λ(‖u‖² + ‖v‖²) is λ‖x‖₁, x = p − q
/// ```
///
/// The second turns the map x = u² − v² into sparse regression without a kink: solve over (p, q) ≥ 0 in R²ⁿ with
/// [`Squares`](crate::maps::Squares) and read x = p − q ([`difference`](Self::difference)). The certificate of the orthant is then
/// the certificate of the ℓ1 problem (Hoff 2017, "Lasso, fractional norm and structured sparse estimation using a Hadamard
/// product parametrization").
///
/// ```
/// use reparam::{Minimize, maps::Squares, objectives::{LeastSquares, RidgeInU}};
/// // min ½‖x − (3, −0.2)‖² + 1·‖x‖₁: soft thresholding gives (2, 0)
/// let f = LeastSquares::new(nalgebra::DMatrix::<f64>::identity(2, 2), &[3.0, -0.2]).unwrap();
/// let f = RidgeInU::split(f, 1.0).unwrap();
/// let solution = Minimize::new(f, Squares::new(4)).unwrap().run().unwrap();
/// let x = RidgeInU::<f64, LeastSquares<nalgebra::DMatrix<f64>, f64>>::difference(&solution.x);
/// assert!((x[0] - 2.0).abs() < 1e-7);
/// assert_eq!(x[1], 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct RidgeInU<T, O> {
    objective: O,
    weight: T,
    split: bool,
    x: Vec<T>,
    v: Vec<T>,
    out: Vec<T>,
}

impl<T: Scalar, O: Objective<T>> RidgeInU<T, O> {
    /// f(x) + λ Σ x_j, the ridge λ‖u‖² for x = u².
    ///
    /// # Errors
    /// [`Error::Setting`] unless λ is finite and not negative.
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Objective, RidgeInU};
    /// let f = FromFn::new(2, |_: &[f64], g: &mut [f64]| { g.fill(0.0); Ok(0.0) });
    /// assert_eq!(RidgeInU::new(f, 0.5).unwrap().value(&[1.0, 3.0]).unwrap(), 2.0);
    /// ```
    pub fn new(objective: O, weight: T) -> Result<Self> {
        Self::build(objective, weight, false)
    }

    /// f(p − q) + λ Σ (p_j + q_j) in 2n variables (p first), the ridge λ(‖u‖² + ‖v‖²) for x = u² − v².
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Objective, RidgeInU};
    /// let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = 1.0; Ok(x[0]) });
    /// let mut f = RidgeInU::split(f, 0.5).unwrap();
    /// let mut g = [0.0; 2];
    /// assert_eq!((f.dim(), f.value_gradient(&[3.0, 1.0], &mut g).unwrap(), g), (2, 4.0, [1.5, -0.5]));
    /// ```
    pub fn split(objective: O, weight: T) -> Result<Self> {
        Self::build(objective, weight, true)
    }

    fn build(objective: O, weight: T, split: bool) -> Result<Self> {
        if !weight.is_finite() || weight < T::zero() {
            return Err(Error::Setting {
                name: "ridge weight",
                why: "must be finite and not negative",
            });
        }
        let n = objective.dim();
        let zeros = || vec![T::zero(); n];
        Ok(Self {
            objective,
            weight,
            split,
            x: zeros(),
            v: zeros(),
            out: zeros(),
        })
    }

    /// p − q of a point (p, q).
    ///
    /// ```
    /// use reparam::objectives::{FromFn, RidgeInU};
    /// fn x(w: &[f64]) -> Vec<f64> {
    ///     RidgeInU::<f64, Box<dyn reparam::objectives::Objective<f64>>>::difference(w)
    /// }
    /// assert_eq!(x(&[3.0, 0.0, 1.0, 2.0]), [2.0, -2.0]);
    /// ```
    pub fn difference(w: &[T]) -> Vec<T> {
        let (p, q) = w.split_at(w.len() / 2);
        p.iter().zip(q).map(|(a, b)| *a - *b).collect()
    }

    /// f.
    ///
    /// ```
    /// # use reparam::objectives::{FromFn, Objective, RidgeInU};
    /// # let f = FromFn::new(3, |_: &[f64], g: &mut [f64]| { g.fill(0.0); Ok(0.0) });
    /// assert_eq!(RidgeInU::split(f, 0.5).unwrap().inner().dim(), 3);
    /// ```
    pub fn inner(&self) -> &O {
        &self.objective
    }

    /// The inner variable of w, into `self.x`.
    fn enter(&mut self, w: &[T]) {
        if self.split {
            let (p, q) = w.split_at(self.x.len());
            for ((x, a), b) in self.x.iter_mut().zip(p).zip(q) {
                *x = *a - *b;
            }
        } else {
            self.x.copy_from_slice(w);
        }
    }

    /// (v, −v), or v.
    fn leave(&self, v: &[T], out: &mut [T]) {
        let n = v.len();
        out[..n].copy_from_slice(v);
        if self.split {
            for (o, a) in out[n..].iter_mut().zip(v) {
                *o = -*a;
            }
        }
    }

    fn penalty(&self, w: &[T]) -> T {
        self.weight * w.iter().copied().sum::<T>()
    }
}

impl<T: Scalar, O: Objective<T>> Objective<T> for RidgeInU<T, O> {
    fn dim(&self) -> usize {
        if self.split {
            2 * self.x.len()
        } else {
            self.x.len()
        }
    }
    fn value(&mut self, w: &[T]) -> Evaluation<T> {
        self.enter(w);
        Ok(self.objective.value(&self.x)? + self.penalty(w))
    }
    fn value_gradient(&mut self, w: &[T], g: &mut [T]) -> Evaluation<T> {
        self.enter(w);
        let f = self.objective.value_gradient(&self.x, &mut self.out)?;
        self.leave(&self.out, g);
        g.iter_mut().for_each(|v| *v += self.weight);
        Ok(f + self.penalty(w))
    }
    fn hessian_vector(&mut self, w: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.enter(w);
        let n = self.x.len();
        self.v.copy_from_slice(&v[..n]);
        if self.split {
            axpy(-T::one(), &v[n..], &mut self.v);
        }
        if !self.objective.hessian_vector(&self.x, &self.v, &mut self.out)? {
            return Ok(false);
        }
        self.leave(&self.out, out);
        Ok(true)
    }
    fn hessian_diagonal(&mut self, w: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.enter(w);
        if !self.objective.hessian_diagonal(&self.x, &mut self.out)? {
            return Ok(false);
        }
        let n = self.x.len();
        out[..n].copy_from_slice(&self.out);
        if self.split {
            out[n..].copy_from_slice(&self.out);
        }
        Ok(true)
    }
    fn convexity(&self) -> Convexity {
        self.objective.convexity()
    }
    fn quadratic(&self) -> bool {
        self.objective.quadratic()
    }
    fn uses_nearby(&self) -> bool {
        self.objective.uses_nearby()
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        if !self.split {
            return self.objective.nearby(near);
        }
        // x = p − q
        let n = self.x.len();
        let minus =
            |w: &[T], v: &[T]| -> Vec<T> { w[..n].iter().zip(&v[n..]).map(|(p, q)| *p - *q).collect() };
        match near {
            Nearby::Start | Nearby::Coupled => self.objective.nearby(near),
            Nearby::Bounds { lower, upper } => {
                let (lower, upper) = (minus(lower, upper), minus(upper, lower));
                self.objective.nearby(Nearby::Bounds {
                    lower: &lower,
                    upper: &upper,
                });
            }
            Nearby::Segments { x, points, centre } => {
                let points: Vec<T> = points.chunks_exact(2 * n).flat_map(|v| minus(v, v)).collect();
                self.objective.nearby(Nearby::Segments {
                    x: &minus(x, x),
                    points: &points,
                    // (no sphere is a set of pairs (p, q))
                    centre: centre.map(|c| minus(c, c)).as_deref(),
                });
            }
        }
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        let known = self.objective.gradient_error(&mut self.out);
        if known {
            let n = self.x.len();
            out[..n].copy_from_slice(&self.out);
            if self.split {
                out[n..].copy_from_slice(&self.out);
            }
        }
        known
    }
    fn sharpen(&mut self) -> bool {
        self.objective.sharpen()
    }
    fn not_finite_at(&mut self, w: &[T]) -> Option<(usize, T, &'static str)> {
        self.enter(w);
        self.objective.not_finite_at(&self.x)
    }
}
