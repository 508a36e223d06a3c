//! Integrators of the differential equations of the lift, and accelerated and stochastic schemes that discretise no flow.
//!
//! | integrator | of | order | control |
//! |---|---|---|---|
//! | [`Euler`] | any flow | 1 | a [step rule](crate::steps): constant, decaying, Armijo, Barzilai–Borwein |
//! | [`RungeKutta::classical`] | any flow | 4 | fixed step |
//! | [`RungeKutta::dormand_prince`] | any flow | 5(4) | error per step, dense output of order 4 |
//! | [`Implicit`] | gradient flows in u | 2(1), L-stable | error per step, Newton–CG inside |
//! | [`BregmanProximal`] | the flow of L factors, in ψ'(x) | 1, L-stable | growing steps; for limits |
//! | [`Nesterov`] | f∘φ in u | | fixed step, or [backtracking](crate::steps::Backtracking) on the Lipschitz constant; restarts |
//! | [`AcceleratedMirror`] | x ≥ 0, L = 2 | | fixed step, or backtracking that keeps 4·KL/t² |
//! | [`Simple`] | x ≥ 0, L = 2 | | fixed step, or backtracking; safeguarded |
//! | [`StochasticGradient`] | losses of A x with rows at hand | | plain, Nesterov or accelerated SGD; constant or decaying steps, epoch rule |
//!
//! Every integrator is a [`Method`]: one step moves an evaluated [`Point`] to the next evaluated point, so that whatever drives a
//! method (an adapter to another optimiser's loop, say) drives an integrator in the same way. What [`Integrator`] adds is time:
//! where the step has come to, where it must not go beyond, and the points between. [`Integrate`](crate::Integrate) uses those.
//! Unlike the methods of [`Minimize`](crate::Minimize) a step need not decrease f, nothing leaves a face, nothing is rounded to a bound.

mod accelerated_mirror;
mod bregman_proximal;
mod euler;
mod implicit;
mod nesterov;
mod path;
mod runge_kutta;
mod simple;
mod stochastic;
mod tableau;

pub use accelerated_mirror::AcceleratedMirror;
pub use bregman_proximal::BregmanProximal;
pub use euler::Euler;
pub use implicit::{Implicit, ImplicitScheme};
pub use nesterov::{Nesterov, Restart};
pub use runge_kutta::RungeKutta;
pub use simple::{Safeguard, Simple};
pub use stochastic::{Acceleration, StochasticGradient};
pub use tableau::{Scheme, Tableau};

use crate::lifted::{Lifted, Point};
use crate::methods::Method;
use crate::{Result, Scalar};

/// A [`Method`] whose steps advance a time t.
///
/// ```
/// use reparam::flows::GradientFlow;
/// use reparam::integrators::{Integrator, RungeKutta};
/// use reparam::lifted::{Lifted, Point};
/// use reparam::methods::{Method, Step};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let map = Squares::new(1);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut point = Point::new(&map, &[0.5]);
/// lifted.evaluate(&mut point).unwrap();
/// let mut rk4 = RungeKutta::classical(GradientFlow::new(), 0.1).unwrap();
/// assert_eq!(rk4.step(&mut lifted, &mut point, &[1.0]).unwrap(), Step::Moved);
/// assert_eq!(rk4.time(), 0.1);
/// assert!(point.x[0] > 0.25);
/// ```
pub trait Integrator<T: Scalar>: Method<T> {
    /// Begins at an evaluated point, unless it has begun: checks the problem, sets the state. Steps do so themselves when it was not
    /// done.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) or [`Error::Map`](crate::Error::Map) when it does not apply to the problem.
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()>;

    /// t.
    fn time(&self) -> T;

    /// The length in t of the last step, NaN before the first.
    fn step_size(&self) -> T;

    /// No step may go beyond this time. Schemes with fixed steps ignore it, and end at the first step that reaches it.
    fn stop_at(&mut self, time: T) {
        let _ = time;
    }

    /// The second sequence in x (the y of accelerated mirror descent) where there is one.
    fn second(&self) -> Option<&[T]> {
        None
    }

    /// `at` ← the evaluated point at a time within the last step, `second` ← the second sequence there (empty without one). False for schemes
    /// without interpolation.
    ///
    /// # Errors
    /// [`Error::Evaluation`](crate::Error::Evaluation).
    fn interpolate(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        time: T,
        at: &mut Point<T>,
        second: &mut Vec<T>,
    ) -> Result<bool> {
        let _ = (lifted, time, at, second);
        Ok(false)
    }
}
