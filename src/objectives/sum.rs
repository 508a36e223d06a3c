//! f₁ + f₂ + …

use super::{Convexity, Evaluation, Nearby, Objective};
use crate::checks::check_len;
use crate::linalg::axpy;
use crate::{Result, Scalar};

/// A sum of objectives of the same variables.
///
/// ```text
/// f = Σₖ fₖ      ∇f = Σₖ ∇fₖ      ∇²f v = Σₖ ∇²fₖ v
/// ```
///
/// Curvature is offered when every term offers it. Convex when every term is; a single term keeps what is known of
/// it. The empty sum is 0.
///
/// ```
/// use reparam::objectives::{FromFn, LeastSquares, Objective, Sum};
/// let fit = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap();
/// let barrier = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
///     g[0] = -1.0 / x[0];
///     g[1] = -1.0 / x[1];
///     Ok(-(x[0] * x[1]).ln())
/// });
/// let mut f = Sum::new(2).with(fit).unwrap().with(barrier).unwrap();
/// assert_eq!(f.value(&[1.0, 1.0]).unwrap(), 2.0);
/// ```
pub struct Sum<'a, T> {
    terms: Vec<Box<dyn Objective<T> + Send + 'a>>,
    dim: usize,
    work: Vec<T>,
}

impl<T> std::fmt::Debug for Sum<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sum")
            .field("dim", &self.dim)
            .field("terms", &self.terms.len())
            .finish_non_exhaustive()
    }
}

impl<'a, T: Scalar> Sum<'a, T> {
    /// No terms yet; n variables.
    ///
    /// ```
    /// use reparam::objectives::{Objective, Sum};
    /// assert_eq!(Sum::<f64>::new(3).value(&[1.0, 2.0, 3.0]).unwrap(), 0.0);
    /// ```
    pub fn new(dim: usize) -> Self {
        Self {
            terms: Vec::new(),
            dim,
            work: Vec::new(),
        }
    }

    /// One term more.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension) when it has another number of variables.
    ///
    /// ```
    /// use reparam::objectives::{FromFn, Sum};
    /// assert!(Sum::new(2).with(FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0))).is_err());
    /// ```
    pub fn with(mut self, term: impl Objective<T> + Send + 'a) -> Result<Self> {
        check_len("the variable of a term of the sum", self.dim, term.dim())?;
        self.terms.push(Box::new(term));
        Ok(self)
    }

    /// The number of terms.
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Sum::<f64>::new(3).terms(), 0);
    /// ```
    pub fn terms(&self) -> usize {
        self.terms.len()
    }

    fn accumulate(
        &mut self,
        out: &mut [T],
        mut part: impl FnMut(&mut dyn Objective<T>, &mut [T]) -> Evaluation<bool>,
    ) -> Evaluation<bool> {
        out.fill(T::zero());
        self.work.resize(out.len(), T::zero());
        for term in &mut self.terms {
            if !part(term.as_mut(), &mut self.work)? {
                return Ok(false);
            }
            axpy(T::one(), &self.work, out);
        }
        Ok(true)
    }
}

impl<T: Scalar> Objective<T> for Sum<'_, T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        let mut f = T::zero();
        for term in &mut self.terms {
            f += term.value(x)?;
            if f == T::infinity() {
                break; // refused: the other terms are spared
            }
        }
        Ok(f)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let mut f = T::zero();
        self.accumulate(g, |term, g| {
            f += term.value_gradient(x, g)?;
            Ok(f != T::infinity())
        })?;
        Ok(f)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.accumulate(out, |term, out| term.hessian_vector(x, v, out))
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.accumulate(out, |term, out| term.hessian_diagonal(x, out))
    }
    fn convexity(&self) -> Convexity {
        self.terms
            .iter()
            .map(|t| t.convexity())
            .reduce(Convexity::plus)
            .unwrap_or(Convexity::Convex)
    }
    fn quadratic(&self) -> bool {
        self.terms.iter().all(|t| t.quadratic())
    }
    fn uses_nearby(&self) -> bool {
        self.terms.iter().any(|t| t.uses_nearby())
    }
    fn nearby(&mut self, near: Nearby<'_, T>) {
        self.terms.iter_mut().for_each(|t| t.nearby(near));
    }
    fn gradient_error(&mut self, out: &mut [T]) -> bool {
        out.fill(T::zero());
        let mut any = false;
        for term in &mut self.terms {
            if term.gradient_error(&mut self.work) {
                axpy(T::one(), &self.work, out);
                any = true;
            }
        }
        any
    }
    fn sharpen(&mut self) -> bool {
        // every one of them
        self.terms.iter_mut().fold(false, |any, t| t.sharpen() | any)
    }
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        self.terms.iter_mut().find_map(|t| t.not_finite_at(x))
    }
}
