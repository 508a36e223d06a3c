//! u′ = −s ∇F(u).

use super::{Flow, Space, check_depth};
use crate::checks::check_positive;
use crate::lifted::{Lifted, Point};
use crate::{Result, Scalar};

/// The gradient flow of F = f∘φ, in u.
///
/// ```text
/// u′ = −s ∇F(u) = −s Jᵀ∇f(φ(u))      ∂v/∂u = −s ∇²F
/// ```
///
/// s = 1 by default: the full gradient. With [`per_factor`](Self::per_factor) s = 1/L, the paper's flow u′ = −u^{∘(L−1)}∘∇f of L
/// identical factors. Any map.
///
/// For maps with φ′(0) = 0 (`Squares`, `Power`) the flow never carries a coordinate of u through 0; a step might.
/// [`preserving_signs`](Self::preserving_signs) refuses such steps, and with it x stays in the open orthant.
///
/// Source: Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola, AISTATS 2025 (arXiv 2207.08437).
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
/// // one unknown: u' = −u(u² − 1), so that x(t) = 1/(1 + (1/x₀ − 1) e^{−2t})
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let flow = GradientFlow::per_factor(2).unwrap();
/// let run = Integrate::new(f, Squares::new(1)).unwrap()
///     .integrator(RungeKutta::dormand_prince(flow).with_tolerances(1e-10, 1e-12).unwrap())
///     .start_x0(0.1).ignore_residual().until_time(1.0).run().unwrap();
/// assert!((run.solution.x[0] - 1.0 / (1.0 + 9.0 * (-2.0_f64).exp())).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GradientFlow<T> {
    scale: T,
    signs: bool,
}

impl<T: Scalar> Default for GradientFlow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> GradientFlow<T> {
    /// u′ = −∇F(u): the full gradient.
    ///
    /// ```
    /// use reparam::flows::{Flow, GradientFlow};
    /// assert_eq!(GradientFlow::<f64>::new().gradient_scale(), Some(1.0));
    /// ```
    pub fn new() -> Self {
        Self {
            scale: T::one(),
            signs: false,
        }
    }

    /// u′ = −∇F(u)/L: the flow of each of L identical factors. Signs are [preserved](Self::preserving_signs).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for L < 2.
    ///
    /// ```
    /// use reparam::flows::{Flow, GradientFlow};
    /// assert_eq!(GradientFlow::<f64>::per_factor(4).unwrap().gradient_scale(), Some(0.25));
    /// assert!(GradientFlow::<f64>::per_factor(1).is_err());
    /// ```
    pub fn per_factor(depth: u32) -> Result<Self> {
        check_depth(depth)?;
        Ok(Self {
            scale: T::one() / T::lit(f64::from(depth)),
            signs: true,
        })
    }

    /// u′ = −s ∇F(u).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless s is positive and finite.
    ///
    /// ```
    /// assert!(reparam::flows::GradientFlow::scaled(-1.0).is_err());
    /// ```
    pub fn scaled(scale: T) -> Result<Self> {
        check_positive("scale", scale)?;
        Ok(Self { scale, signs: false })
    }

    /// Refuses steps that carry a coordinate of u to 0 or through it: an adaptive integrator then shortens the step, a fixed one
    /// stops with [`Status::LeftDomain`](crate::Status::LeftDomain).
    ///
    /// ```
    /// use reparam::flows::{Flow, GradientFlow};
    /// let flow = GradientFlow::new().preserving_signs();
    /// assert!(flow.admissible(&[1.0], &[1e-300]) && !flow.admissible(&[1.0], &[0.0]));
    /// ```
    pub fn preserving_signs(mut self) -> Self {
        self.signs = true;
        self
    }
}

/// No coordinate reaches 0 or crosses it.
pub(super) fn keeps_signs<T: Scalar>(before: &[T], y: &[T]) -> bool {
    // compared one by one: a product of two small numbers would vanish
    before
        .iter()
        .zip(y)
        .all(|(a, b)| (*a > T::zero() && *b > T::zero()) || (*a < T::zero() && *b < T::zero()))
}

impl<T: Scalar> Flow<T> for GradientFlow<T> {
    fn name(&self) -> &'static str {
        "gradient flow in u"
    }
    fn space(&self) -> Space {
        Space::U
    }
    fn state_len(&self, p: usize, _n: usize) -> usize {
        p
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        y.copy_from_slice(&start.u);
    }
    fn position<'y>(&self, y: &'y [T]) -> &'y [T] {
        y
    }
    fn admissible(&self, before: &[T], y: &[T]) -> bool {
        !self.signs || keeps_signs(before, y)
    }
    fn velocity(
        &mut self,
        _: &mut Lifted<'_, T>,
        _t: T,
        _y: &[T],
        at: &Point<T>,
        dy: &mut [T],
    ) -> Result<()> {
        for (d, g) in dy.iter_mut().zip(&at.gradient) {
            *d = -self.scale * *g;
        }
        Ok(())
    }
    fn jacobian_vector(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        _t: T,
        _y: &[T],
        at: &Point<T>,
        w: &[T],
        out: &mut [T],
    ) -> Result<bool> {
        if !lifted.hessian_vector(at, w, out)? {
            return Ok(false);
        }
        out.iter_mut().for_each(|o| *o *= -self.scale);
        Ok(true)
    }
    fn gradient_scale(&self) -> Option<T> {
        Some(self.scale)
    }
}
