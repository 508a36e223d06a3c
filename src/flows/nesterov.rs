//! u″ + (3/t) u′ + s ∇F(u) = 0.

use super::gradient::keeps_signs;
use super::{Flow, Space, check_depth};
use crate::checks::check_positive;
use crate::lifted::{Lifted, Point};
use crate::{Result, Scalar};

/// Nesterov's differential equation, in u, as a first-order system of (u, w).
///
/// ```text
/// u′ = w      w′ = −(3/t) w − s ∇F(u)      w(t₀) = −s (t₀/4) ∇F(u₀), the velocity of the solution that starts at rest at t = 0
/// ```
///
/// s = 1: the full gradient; [`per_factor`](Self::per_factor): s = 1/L. Any map. The limit of Nesterov's scheme with t = k√η. F is not
/// convex in u, so that the rate 1/t² is a theorem for f in x only ([`MirrorFlow`](super::MirrorFlow)); u may pass through 0.
///
/// Source: Su, Boyd & Candès, JMLR 17 (2016), equation (3).
///
/// ```
/// use reparam::{Integrate, flows::NesterovFlow, integrators::RungeKutta, maps::Identity, objectives::LeastSquares};
/// // f = ½x²: x(t) = 2 J₁(t)/t
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[0.0]).unwrap();
/// let run = Integrate::new(f, Identity::new(1)).unwrap()
///     .integrator(RungeKutta::dormand_prince(NesterovFlow::new()).with_tolerances(1e-10, 1e-12).unwrap())
///     .start(&[1.0]).ignore_residual().until_time(2.0).run().unwrap();
/// assert!((run.solution.x[0] - 0.5767248077568734).abs() < 1e-6); // J₁(2)
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NesterovFlow<T> {
    scale: T,
    start: T,
    signs: bool,
}

impl<T: Scalar> Default for NesterovFlow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> NesterovFlow<T> {
    /// With the full gradient, from t₀ = 1e-3.
    ///
    /// ```
    /// use reparam::flows::{Flow, NesterovFlow};
    /// assert_eq!(NesterovFlow::<f64>::new().start_time(), 1e-3);
    /// ```
    pub fn new() -> Self {
        Self {
            scale: T::one(),
            start: T::lit(1e-3),
            signs: false,
        }
    }

    /// With s = 1/L: each of L identical factors.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for L < 2.
    ///
    /// ```
    /// assert!(reparam::flows::NesterovFlow::<f64>::per_factor(1).is_err());
    /// ```
    pub fn per_factor(depth: u32) -> Result<Self> {
        check_depth(depth)?;
        Ok(Self {
            scale: T::one() / T::lit(f64::from(depth)),
            ..Self::new()
        })
    }

    /// From another t₀ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless t₀ is positive and finite.
    ///
    /// ```
    /// assert!(reparam::flows::NesterovFlow::new().starting_at(0.0).is_err());
    /// ```
    pub fn starting_at(mut self, t: T) -> Result<Self> {
        check_positive("start time", t)?;
        self.start = t;
        Ok(self)
    }

    /// Refuses steps that carry a coordinate of u to 0 or through it. The equation itself may do that: then there is no step, and
    /// the run ends there.
    ///
    /// ```
    /// use reparam::flows::{Flow, NesterovFlow};
    /// assert!(!NesterovFlow::new().preserving_signs().admissible(&[1.0, 0.0], &[-1.0, 0.0]));
    /// ```
    pub fn preserving_signs(mut self) -> Self {
        self.signs = true;
        self
    }
}

impl<T: Scalar> Flow<T> for NesterovFlow<T> {
    fn name(&self) -> &'static str {
        "Nesterov's flow in u"
    }
    fn start_time(&self) -> T {
        self.start
    }
    fn space(&self) -> Space {
        Space::U
    }
    fn state_len(&self, p: usize, _n: usize) -> usize {
        2 * p
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        let (u, w) = y.split_at_mut(start.u.len());
        u.copy_from_slice(&start.u);
        for (w, g) in w.iter_mut().zip(&start.gradient) {
            *w = -self.scale * self.start * T::lit(0.25) * *g;
        }
    }
    fn position<'y>(&self, y: &'y [T]) -> &'y [T] {
        &y[..y.len() / 2]
    }
    fn admissible(&self, before: &[T], y: &[T]) -> bool {
        !self.signs || keeps_signs(self.position(before), self.position(y))
    }
    fn velocity(&mut self, _: &mut Lifted<'_, T>, t: T, y: &[T], at: &Point<T>, dy: &mut [T]) -> Result<()> {
        let p = y.len() / 2;
        let damping = T::lit(3.0) / t;
        for j in 0..p {
            dy[j] = y[p + j];
            dy[p + j] = -damping * y[p + j] - self.scale * at.gradient[j];
        }
        Ok(())
    }
}
