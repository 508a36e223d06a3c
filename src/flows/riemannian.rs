//! x′ = −s J Jᵀ∇f(x).

use super::{Flow, Space, check_depth};
use crate::checks::check_positive;
use crate::lifted::{Lifted, Point};
use crate::{Error, MapError, Result, Scalar};

/// The gradient flow written in x: the Riemannian gradient flow of f for the metric (J Jᵀ)⁻¹. It needs no geodesic and no exponential map.
///
/// ```text
/// x′ = −s J Jᵀ∇f(x)
/// x = u^{∘L}, per factor (s = 1/L):   x′ = −L x^{∘q}∘∇f(x),   q = 2 − 2/L
/// ```
///
/// For maps whose J Jᵀ is a function of x alone ([`metric`](crate::maps::Reparametrization::metric)). The state is x, in the open
/// set; a step out of it is refused before f is evaluated.
///
/// The field vanishes like x^q at the boundary: for L = 2 it is Lipschitz there and x decays exponentially against a positive
/// multiplier, for L > 2 like t^{−L/(L−2)}.
///
/// Source: the chain rule on the flow of Chou et al., AISTATS 2025; in the language of mirror descent, Wu & Rebeschini, NeurIPS 2021.
///
/// ```
/// use reparam::{Integrate, flows::RiemannianFlow, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let flow = RiemannianFlow::per_factor(2).unwrap(); // x' = −2x(x − 1)
/// let run = Integrate::new(f, Squares::new(1)).unwrap()
///     .integrator(RungeKutta::dormand_prince(flow).with_tolerances(1e-10, 1e-12).unwrap())
///     .start_x0(0.1).ignore_residual().until_time(1.0).run().unwrap();
/// assert!((run.solution.x[0] - 1.0 / (1.0 + 9.0 * (-2.0_f64).exp())).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RiemannianFlow<T> {
    scale: T,
}

impl<T: Scalar> Default for RiemannianFlow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> RiemannianFlow<T> {
    /// x′ = −J Jᵀ∇f(x): the flow of the full gradient.
    ///
    /// ```
    /// use reparam::flows::{Flow, RiemannianFlow};
    /// assert_eq!(RiemannianFlow::<f64>::new().gradient_scale(), Some(1.0));
    /// ```
    pub fn new() -> Self {
        Self { scale: T::one() }
    }

    /// x′ = −J Jᵀ∇f(x)/L, for the power map of L: −L x^{∘q}∘∇f(x).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for L < 2.
    ///
    /// ```
    /// assert!(reparam::flows::RiemannianFlow::<f64>::per_factor(0).is_err());
    /// ```
    pub fn per_factor(depth: u32) -> Result<Self> {
        check_depth(depth)?;
        Ok(Self {
            scale: T::one() / T::lit(f64::from(depth)),
        })
    }

    /// x′ = −s J Jᵀ∇f(x).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless s is positive and finite.
    ///
    /// ```
    /// assert!(reparam::flows::RiemannianFlow::scaled(f64::NAN).is_err());
    /// ```
    pub fn scaled(scale: T) -> Result<Self> {
        check_positive("scale", scale)?;
        Ok(Self { scale })
    }
}

impl<T: Scalar> Flow<T> for RiemannianFlow<T> {
    fn name(&self) -> &'static str {
        "Riemannian gradient flow in x"
    }
    fn space(&self) -> Space {
        Space::X
    }
    fn state_len(&self, _p: usize, n: usize) -> usize {
        n
    }
    fn check(&self, lifted: &mut Lifted<'_, T>, start: &Point<T>) -> Result<()> {
        let mut out = vec![T::zero(); start.x.len()];
        let map = lifted.map();
        if map.metric(&start.x, &start.g, &mut out, lifted.scratch()) {
            Ok(())
        } else {
            Err(Error::Map(MapError::NotProvided("a metric in x")))
        }
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        y.copy_from_slice(&start.x);
    }
    fn position<'y>(&self, y: &'y [T]) -> &'y [T] {
        y
    }
    fn velocity(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        _t: T,
        y: &[T],
        at: &Point<T>,
        dy: &mut [T],
    ) -> Result<()> {
        let map = lifted.map();
        if !map.metric(y, &at.g, dy, lifted.scratch()) {
            return Err(Error::Map(MapError::NotProvided("a metric in x")));
        }
        dy.iter_mut().for_each(|d| *d *= -self.scale);
        Ok(())
    }
    fn gradient_scale(&self) -> Option<T> {
        Some(self.scale)
    }
}
