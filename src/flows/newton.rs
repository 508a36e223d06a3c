//! u′ = −(∇²F + μD)⁻¹∇F(u).

use super::{Flow, Space};
use crate::checks::check_positive;
use crate::lifted::{Lifted, Point};
use crate::linalg::conjugate_gradient::{Buffers, Outcome, conjugate_gradient};
use crate::linalg::max_abs;
use crate::{Error, Result, Scalar};

/// The damped Newton flow in u.
///
/// ```text
/// u′ = −(∇²F(u) + μ D(u))⁻¹ ∇F(u)      D = diag Jᵀ diag(h) J + (3/2)|diag Σ gᵢ∇²φᵢ|,  h = diag ∇²f
/// ```
///
/// D is the [metric of the lift](Lifted::metric). ∇²F is indefinite where a multiplier is positive and u not yet 0; for convex f and a
/// map that offers its diagonals μ ≥ 2/3 makes the sum positive definite everywhere. Smaller μ are allowed: where the matrix is then
/// not positive definite, conjugate gradients stop at the last iterate before the direction of negative curvature, which is a descent direction (Steihaug 1983),
/// and v is not smooth there.
///
/// Near a solution with a regular Hessian all components decay at one rate, e^{−t} for μ → 0, however ill-conditioned f is. Needs
/// Hessian products.
///
/// ```
/// use reparam::{Integrate, flows::NewtonFlow, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0_f64, 0.0; 0.0, 1e-3];
/// let f = LeastSquares::new(&a, &[1.0, 1e-3]).unwrap(); // condition 1e6
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(RungeKutta::dormand_prince(NewtonFlow::new()))
///     .start_u0(0.5).ignore_residual().until_time(30.0).run().unwrap();
/// assert!((run.solution.x[0] - 1.0).abs() < 1e-6 && (run.solution.x[1] - 1.0).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NewtonFlow<T> {
    damping: T,
    tolerance: T,
    h: Vec<T>,
    metric: Vec<T>,
    diagonal: Vec<T>,
    buffers: Buffers<T>,
}

impl<T: Scalar> Default for NewtonFlow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> NewtonFlow<T> {
    /// With μ = 2/3, and the linear systems solved to 1e-3 √ε relative.
    ///
    /// ```
    /// use reparam::flows::{Flow, NewtonFlow};
    /// assert_eq!(NewtonFlow::<f64>::new().name(), "Newton flow in u");
    /// ```
    pub fn new() -> Self {
        Self {
            damping: T::lit(2.0 / 3.0),
            tolerance: T::lit(1e-3) * T::epsilon().sqrt(),
            h: Vec::new(),
            metric: Vec::new(),
            diagonal: Vec::new(),
            buffers: Buffers::default(),
        }
    }

    /// With another μ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`] unless μ is positive and finite.
    ///
    /// ```
    /// assert!(reparam::flows::NewtonFlow::new().with_damping(0.0).is_err());
    /// ```
    pub fn with_damping(mut self, damping: T) -> Result<Self> {
        check_positive("damping", damping)?;
        self.damping = damping;
        Ok(self)
    }
}

impl<T: Scalar> Flow<T> for NewtonFlow<T> {
    fn name(&self) -> &'static str {
        "Newton flow in u"
    }
    fn space(&self) -> Space {
        Space::U
    }
    fn state_len(&self, p: usize, _n: usize) -> usize {
        p
    }
    fn check(&self, lifted: &mut Lifted<'_, T>, start: &Point<T>) -> Result<()> {
        let mut out = vec![T::zero(); start.u.len()];
        if lifted.hessian_vector(start, &start.gradient, &mut out)? {
            Ok(())
        } else {
            Err(Error::Setting {
                name: "the Newton flow",
                why: "needs an objective with Hessian products (FiniteDifference adds them)",
            })
        }
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        y.copy_from_slice(&start.u);
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
        let p = y.len();
        self.h.resize(at.x.len(), T::one());
        self.metric.resize(p, T::one());
        self.diagonal.resize(p, T::one());
        let known = lifted
            .objective()
            .hessian_diagonal(&at.x, &mut self.h)
            .map_err(Error::Evaluation)?;
        let top = max_abs(&self.h);
        if !known || !top.is_finite() || top <= T::zero() {
            self.h.fill(T::one());
        } else {
            self.h.iter_mut().for_each(|h| *h = h.max(T::zero()));
        }
        lifted.metric(at, &self.h, &mut self.metric);
        let (mu, metric) = (self.damping, &self.metric);
        for (o, m) in self.diagonal.iter_mut().zip(metric) {
            *o = (T::one() + mu) * *m;
        }
        let outcome = conjugate_gradient(
            |v, out| {
                lifted.hessian_vector(at, v, out)?;
                for j in 0..p {
                    out[j] += mu * metric[j] * v[j];
                }
                Ok(())
            },
            &self.diagonal,
            &at.gradient,
            dy,
            self.tolerance,
            (4 * p).max(50),
            &mut self.buffers,
        )?;
        if outcome == Outcome::NotPositive && dy.iter().all(|v| *v == T::zero()) {
            for j in 0..p {
                dy[j] = at.gradient[j] / self.diagonal[j];
            }
        }
        dy.iter_mut().for_each(|d| *d = -*d);
        Ok(())
    }
}
