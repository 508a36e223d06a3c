//! ½ Σ C² ρ(rᵢ(x)²/C²).

use super::differences::Differencer;
use super::{Convexity, Differences, Evaluation, Nearby, Objective, ResidualFunction, ResidualView, Robust};
use crate::checks::{check_memory, check_not_empty};
use crate::linalg::{axpy, dot};
use crate::{Error, Result, Scalar};

/// Nonlinear least squares, plain or robust, of a [`ResidualFunction`].
///
/// ```text
/// f(x) = ½ Σᵢ C² ρ((rᵢ(x)/C)²)      ∇f = Jᵀ(w ∘ r)      ∇²f v = Jᵀ(c ∘ J v) + Σᵢ wᵢ rᵢ ∇²rᵢ v
/// ```
///
/// w = ρ′ and c = ρ′ + 2zρ″ are 1 for plain squares ([`Robust`]). Hessian products are offered when the function
/// knows the curvature of its residuals; the diagonal is that of Jᵀ diag(w) J, a guess which is good when residuals
/// are small. A residual that is not finite makes f = +∞.
///
/// Residuals and Jacobian are kept: the gradient after the value at the same x evaluates no residual again.
///
/// ```
/// use reparam::objectives::{FromResiduals, NonlinearLeastSquares, Objective};
/// let r = FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
///     r[0] = x[0].exp() - 1.0;
///     Ok(())
/// })
/// .with_jacobian(|x: &[f64], j: &mut [f64]| {
///     j[0] = x[0].exp();
///     Ok(())
/// });
/// let mut f = NonlinearLeastSquares::new(r).unwrap();
/// assert_eq!(f.value(&[0.0]).unwrap(), 0.0);
/// assert!(reparam::testing::check_objective(&mut f, &[0.5], 1).passed());
/// ```
#[derive(Clone)]
pub struct NonlinearLeastSquares<R, T> {
    function: R,
    loss: Robust<T>,
    scheme: Option<Differences<T>>,
    differencer: Differencer<T>,
    at: Vec<T>,
    r: Vec<T>,
    value: Option<T>,
    // allocated when first needed: m·n numbers
    j: Vec<T>,
    j_known: bool,
    // scratch: two of length m, two of length n
    work: Vec<T>,
    column: Vec<T>,
    unit: Vec<T>,
    wide: Vec<T>,
}

impl<R, T: std::fmt::Debug> std::fmt::Debug for NonlinearLeastSquares<R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NonlinearLeastSquares")
            .field("m", &self.r.len())
            .field("n", &self.at.len())
            .field("loss", &self.loss)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl<T: Scalar, R: ResidualFunction<T>> NonlinearLeastSquares<R, T> {
    /// ½‖r(x)‖².
    ///
    /// # Errors
    /// [`Error::Empty`] when there are no residuals or no parameters, [`Error::SizeOverflow`] or [`Error::Memory`] when
    /// m·n numbers do not fit.
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, NonlinearLeastSquares};
    /// assert!(NonlinearLeastSquares::new(FromResiduals::new(0, 1, |_: &[f64], _: &mut [f64]| Ok(()))).is_err());
    /// ```
    pub fn new(function: R) -> Result<Self> {
        let (m, n) = (function.residual_count(), function.dim());
        check_not_empty("the residual vector", m)?;
        check_not_empty("the parameter vector", n)?;
        let elements = m.checked_mul(n).ok_or(Error::SizeOverflow {
            what: "residuals × parameters",
        })?;
        check_memory::<T>("the Jacobian", elements)?;
        Ok(Self {
            function,
            loss: Robust::linear(),
            scheme: None,
            differencer: Differencer::new(n, m),
            at: vec![T::zero(); n],
            r: vec![T::zero(); m],
            value: None,
            j: Vec::new(),
            j_known: false,
            work: vec![T::zero(); m],
            column: vec![T::zero(); m],
            unit: vec![T::zero(); n],
            wide: vec![T::zero(); n],
        })
    }

    /// A robust loss.
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, NonlinearLeastSquares, Objective, Robust};
    /// let r = FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
    ///     r[0] = x[0];
    ///     Ok(())
    /// });
    /// let f = NonlinearLeastSquares::new(r).unwrap();
    /// assert_eq!(f.with_loss(Robust::huber(1.0).unwrap()).value(&[10.0]).unwrap(), 9.5);
    /// ```
    #[must_use]
    pub fn with_loss(mut self, loss: Robust<T>) -> Self {
        self.loss = loss;
        self.value = None;
        self
    }

    /// The Jacobian by finite differences, in place of what the function offers.
    ///
    /// ```
    /// use reparam::objectives::{Differences, FromResiduals, NonlinearLeastSquares, Objective};
    /// let r = FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
    ///     r[0] = x[0].exp();
    ///     Ok(())
    /// });
    /// let mut f = NonlinearLeastSquares::new(r).unwrap();
    /// assert!(f.value_gradient(&[0.0], &mut [0.0]).is_err()); // nobody said how
    /// let mut g = [0.0];
    /// f.with_differences(Differences::forward()).value_gradient(&[0.0], &mut g).unwrap();
    /// assert!((g[0] - 1.0).abs() < 1e-7);
    /// ```
    #[must_use]
    pub fn with_differences(mut self, scheme: Differences<T>) -> Self {
        self.scheme = Some(scheme);
        self.j_known = false;
        self
    }

    /// The residual function.
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, NonlinearLeastSquares, ResidualFunction};
    /// let r = FromResiduals::new(2, 1, |_: &[f64], _: &mut [f64]| Ok(()));
    /// assert_eq!(NonlinearLeastSquares::new(r).unwrap().function().residual_count(), 2);
    /// ```
    pub fn function(&self) -> &R {
        &self.function
    }

    /// ρ and C.
    ///
    /// ```
    /// use reparam::objectives::{FromResiduals, NonlinearLeastSquares};
    /// let r = FromResiduals::new(2, 1, |_: &[f64], _: &mut [f64]| Ok(()));
    /// assert!(NonlinearLeastSquares::new(r).unwrap().loss().is_linear());
    /// ```
    pub fn loss(&self) -> Robust<T> {
        self.loss
    }

    fn value_at(&mut self, x: &[T]) -> Evaluation<T> {
        if let (Some(f), true) = (self.value, self.at == x) {
            return Ok(f);
        }
        self.value = None;
        self.j_known = false;
        self.at.copy_from_slice(x);
        self.function.residuals(x, &mut self.r)?;
        let f = self.value_of(&self.r);
        self.value = Some(f);
        Ok(f)
    }

    /// J(x) into `j`
    fn jacobian_at(&mut self, x: &[T]) -> Evaluation<()> {
        let f = self.value_at(x)?;
        if self.j_known {
            return Ok(());
        }
        let (m, n) = (self.r.len(), self.at.len());
        self.j.resize(m * n, T::zero());
        if self.scheme.is_some() {
            // (how much an error of the Jacobian counts in the gradient)
            self.pull();
            self.work.iter_mut().for_each(|v| *v = v.abs());
        }
        let (function, j) = (&mut self.function, &mut self.j);
        if let Some(scheme) = &self.scheme {
            if f == T::infinity() {
                j.fill(T::nan());
            } else {
                self.differencer.columns(
                    scheme,
                    None,
                    x,
                    &self.r,
                    &self.work,
                    &mut |x, out| function.residuals(x, out),
                    &mut |k, column| {
                        for (i, v) in column.iter().enumerate() {
                            j[i * n + k] = *v;
                        }
                    },
                )?;
            }
        } else if !function.jacobian(x, j)? {
            self.unit.fill(T::zero());
            for k in 0..n {
                self.unit[k] = T::one();
                let known = function.jvp(x, &self.unit, &mut self.column);
                self.unit[k] = T::zero();
                if !known? {
                    return Err(
                        "the residual function has no Jacobian: give one, or ask for finite differences"
                            .into(),
                    );
                }
                for (i, v) in self.column.iter().enumerate() {
                    j[i * n + k] = *v;
                }
            }
        }
        self.j_known = true;
        Ok(())
    }

    /// out ← J v
    fn forward(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<()> {
        if self.scheme.is_none() && !self.has_jacobian_of(x) && self.function.jvp(x, v, out)? {
            return Ok(());
        }
        self.jacobian_at(x)?;
        for (o, row) in out.iter_mut().zip(self.j.chunks_exact(v.len())) {
            *o = dot(row, v);
        }
        Ok(())
    }

    /// J(x), before anything is put into the scratch that differences use.
    fn differences_at(&mut self, x: &[T]) -> Evaluation<()> {
        if self.scheme.is_some() {
            self.jacobian_at(x)
        } else {
            Ok(())
        }
    }

    /// out ← Jᵀ w
    fn backward(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<()> {
        if self.scheme.is_none() && !self.has_jacobian_of(x) && self.function.vjp(x, w, out)? {
            return Ok(());
        }
        self.jacobian_at(x)?;
        out.fill(T::zero());
        for (w, row) in w.iter().zip(self.j.chunks_exact(out.len())) {
            axpy(*w, row, out);
        }
        Ok(())
    }

    /// work ← w ∘ r at the current x
    fn pull(&mut self) {
        self.work.resize(self.r.len(), T::zero()); // (lost where the user's code panicked)
        for (o, r) in self.work.iter_mut().zip(&self.r) {
            *o = self.loss.weight(*r) * *r;
        }
    }

    fn has_jacobian_of(&self, x: &[T]) -> bool {
        self.j_known && self.at == x
    }

    /// out ← Jᵀ (weight(r) ∘ J v) at the current x
    fn normal(
        &mut self,
        x: &[T],
        v: &[T],
        weight: impl Fn(&Robust<T>, T) -> T,
        out: &mut [T],
    ) -> Evaluation<()> {
        self.differences_at(x)?;
        let mut work = std::mem::take(&mut self.work);
        work.resize(self.r.len(), T::zero());
        let mut result = self.forward(x, v, &mut work);
        if result.is_ok() {
            for (o, r) in work.iter_mut().zip(&self.r) {
                *o *= weight(&self.loss, *r);
            }
            result = self.backward(x, &work, out);
        }
        self.work = work;
        result
    }
}

impl<T: Scalar, R: ResidualFunction<T>> ResidualView<T> for NonlinearLeastSquares<R, T> {
    fn residual_count(&self) -> usize {
        self.r.len()
    }
    fn parameter_count(&self) -> usize {
        self.at.len()
    }
    fn residual_vector(&mut self, x: &[T], r: &mut [T]) -> Evaluation<T> {
        let f = self.value_at(x)?;
        r.copy_from_slice(&self.r);
        Ok(f)
    }
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<()> {
        self.jacobian_at(x)?;
        j.copy_from_slice(&self.j);
        Ok(())
    }
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<()> {
        self.forward(x, v, out)
    }
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<()> {
        self.backward(x, w, out)
    }
    fn value_of(&self, r: &[T]) -> T {
        if r.iter().any(|v| !v.is_finite()) {
            return T::infinity();
        }
        if self.loss.is_linear() {
            return T::lit(0.5) * dot(r, r);
        }
        crate::losses::sum_of(r.len(), |i| self.loss.value(r[i]))
    }
    fn weights(&self, r: &[T], w: &mut [T], c: &mut [T]) {
        for ((r, w), c) in r.iter().zip(w).zip(c) {
            *w = self.loss.weight(*r);
            *c = self.loss.curvature(*r);
        }
    }
    fn gauss_newton(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<()> {
        self.value_at(x)?;
        self.normal(x, v, |loss, r| loss.weight(r), out)
    }
}

impl<T: Scalar, R: ResidualFunction<T>> Objective<T> for NonlinearLeastSquares<R, T> {
    fn dim(&self) -> usize {
        self.at.len()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.value_at(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let f = self.value_at(x)?;
        if !f.is_finite() {
            g.fill(T::nan());
            return Ok(f);
        }
        self.differences_at(x)?;
        self.pull();
        let work = std::mem::take(&mut self.work);
        let result = self.backward(x, &work, g);
        self.work = work;
        result.map(|()| f)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.value_at(x)?;
        self.differences_at(x)?;
        self.pull();
        if !self.function.curvature(x, &self.work, v, &mut self.wide)? {
            return Ok(false);
        }
        self.normal(x, v, |loss, r| loss.curvature(r), out)?;
        axpy(T::one(), &self.wide, out);
        Ok(true)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.jacobian_at(x)?;
        out.fill(T::zero());
        for (r, row) in self.r.iter().zip(self.j.chunks_exact(out.len())) {
            let w = self.loss.weight(*r);
            for (o, a) in out.iter_mut().zip(row) {
                *o += w * *a * *a;
            }
        }
        Ok(true)
    }
    fn convexity(&self) -> Convexity {
        Convexity::Unknown
    }
    fn residuals(&mut self) -> Option<&mut dyn ResidualView<T>> {
        Some(self)
    }
    fn uses_nearby(&self) -> bool {
        self.scheme.is_some()
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        // (a Jacobian from outside of a run may have used other points)
        self.j_known &= !matches!(near, Nearby::Start) || self.scheme.is_none();
        self.differencer.nearby(near);
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        if self.scheme.is_some() {
            out.copy_from_slice(self.differencer.error());
        }
        self.scheme.is_some()
    }
    fn sharpen(&mut self) -> bool {
        let sharper = self.scheme.as_ref().is_some_and(|s| self.differencer.sharpen(s));
        self.j_known &= !sharper;
        sharper
    }
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        let n = self.at.len();
        if let Some(i) = self
            .value_at(x)
            .ok()
            .and_then(|_| self.r.iter().position(|v| !v.is_finite()))
        {
            return Some((i, self.r[i], "must be finite (a residual)"));
        }
        self.jacobian_at(x).ok()?;
        let entry = self.j.iter().position(|v| !v.is_finite())?;
        Some((
            entry / n,
            self.j[entry],
            "must be finite (in the Jacobian of this residual)",
        ))
    }
}
