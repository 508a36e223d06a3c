//! Nesterov's accelerated gradient, applied directly in u.

use super::Integrator;
use super::path::check_step;
use crate::flows::check_depth;
use crate::lifted::{Lifted, Point};
use crate::linalg::dot;
use crate::methods::{Method, Step};
use crate::steps::Backtracking;
use crate::{Error, Result, Scalar};

/// When the momentum is dropped.
///
/// ```
/// assert_eq!(reparam::integrators::Restart::default(), reparam::integrators::Restart::Never);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Restart {
    /// Never: the scheme of the differential equation.
    #[default]
    Never,
    /// When F(v₊) > F(v) (O'Donoghue & Candès, Found. Comput. Math. 2015); one more evaluation then.
    Function,
    /// When ⟨∇F(v), u₊ − u⟩ > 0 (the same paper): no evaluation.
    Gradient,
    /// From the tenth step since the last restart on, when the move shrinks: ‖u₊ − u‖ < ‖u − u₋‖. As the paper's code does; for
    /// reproduction only, since moves shrink wherever a run converges.
    Published,
}

/// Nesterov's scheme on F = f∘φ.
///
/// ```text
/// u₊ = v − η s ∇F(v)      v₊ = u₊ + k/(k+3) (u₊ − u),  k from 0      t₊ = t + √η
/// ```
///
/// s = 1: the full gradient; [`per_factor`](Self::per_factor): s = 1/L. Any map; u may pass through 0. The point that is reported and
/// checked for convergence is φ(v), where the gradient is known: one evaluation per step. F is not convex: the rate k⁻² is observed, not proved.
///
/// [`with_backtracking`](Self::with_backtracking) chooses η: one value of f more per step, at u₊, and
///
/// ```text
/// F(u₊) ≤ F(v) − ½ η s ‖∇F(v)‖²  (the local Lipschitz constant along the step is at most 1/(ηs)), or η ← η/2
/// v₊ = u₊ + (θ − 1)/θ₊ (u₊ − u)      η₊ θ₊(θ₊ − 1) = η θ²,  θ = 1 at the start and after a restart
/// ```
///
/// which for a constant η is about k/(k+3), and for convex F keeps η_k θ_k² (F(u_k) − F*) ≤ ½‖u₀ − u*‖²/s whatever η does.
///
/// Source: Nesterov 1983; Su, Boyd & Candès, JMLR 2016, whose differential equation is [`NesterovFlow`](crate::flows::NesterovFlow);
/// Beck & Teboulle, SIAM J. Imaging Sci. 2009, and Scheinberg, Goldfarb & Bai, Found. Comput. Math. 2014, for the backtracking.
///
/// ```
/// use reparam::{Integrate, integrators::{Nesterov, Restart}, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(Nesterov::per_factor(2, 0.1).unwrap().with_restart(Restart::Function))
///     .start_u0(0.1).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nesterov<T> {
    step: T,
    scale: T,
    restart: Restart,
    begun: bool,
    t: T,
    /// Steps since the last restart.
    k: usize,
    u: Vec<T>,
    ahead: Vec<T>,
    move_before: T,
    next: Option<Point<T>>,
    restarts: usize,
    control: Option<Backtracking>,
    /// η now, and that of the last step.
    eta: T,
    last: T,
    theta: T,
    /// |F(u₀)|
    first_value: T,
}

impl<T: Scalar> Nesterov<T> {
    /// With the step η of the full gradient.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite.
    ///
    /// ```
    /// assert!(reparam::integrators::Nesterov::new(-1.0).is_err());
    /// ```
    pub fn new(step: T) -> Result<Self> {
        check_step(step)?;
        Ok(Self {
            step,
            scale: T::one(),
            restart: Restart::Never,
            begun: false,
            t: T::zero(),
            k: 0,
            u: Vec::new(),
            ahead: Vec::new(),
            move_before: T::zero(),
            next: None,
            restarts: 0,
            control: None,
            eta: step,
            last: step,
            theta: T::one(),
            first_value: T::zero(),
        })
    }

    /// With the step η of the gradient of each of L identical factors, ∇F/L. (For L = 2 that is the gradient of the paper's code,
    /// (L/2)·∇f∘v, which is none for other L.)
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite and L ≥ 2.
    ///
    /// ```
    /// assert!(reparam::integrators::Nesterov::per_factor(1, 0.1).is_err());
    /// ```
    pub fn per_factor(depth: u32, step: T) -> Result<Self> {
        check_depth(depth)?;
        Ok(Self {
            scale: T::one() / T::lit(f64::from(depth)),
            ..Self::new(step)?
        })
    }

    /// With restarts.
    ///
    /// ```
    /// use reparam::integrators::{Nesterov, Restart};
    /// let _ = Nesterov::new(0.1).unwrap().with_restart(Restart::Gradient);
    /// ```
    pub fn with_restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// With step-size control: the η of the constructor is the first trial.
    ///
    /// ```
    /// use reparam::{Integrate, integrators::{Nesterov, Restart}, maps::Squares, objectives::LeastSquares, steps::Backtracking};
    /// let f = || LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
    /// for first in [1e3, 1e-4] {
    ///     let nesterov = Nesterov::new(first).unwrap().with_restart(Restart::Function).with_backtracking(Backtracking::new());
    ///     let run = Integrate::new(f(), Squares::new(2)).unwrap().integrator(nesterov).start_u0(0.1).run().unwrap();
    ///     assert!(run.solution.status.is_solved() && run.solution.iterations < 300);
    /// }
    /// ```
    pub fn with_backtracking(mut self, control: Backtracking) -> Self {
        self.control = Some(control);
        self
    }

    /// η of the next step.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Nesterov::new(0.1).unwrap().eta(), 0.1);
    /// ```
    pub fn eta(&self) -> T {
        self.eta
    }

    /// u₊ = v − η s ∇F(v) into `ahead`, with the first η whose step decreases F as it should; whether more than rounding says so.
    fn search(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>, x: &mut [T]) -> Result<Option<bool>> {
        let square = dot(&point.gradient, &point.gradient);
        let f = point.value;
        // rounding of ½‖Ax − b‖² is that of its terms, of the size of the first
        let noise = T::lit(4.0) * T::epsilon() * (f.abs() + (f.abs() * self.first_value).sqrt());
        for _ in 0..200 {
            let s = self.eta * self.scale;
            for ((o, v), g) in self.ahead.iter_mut().zip(&point.u).zip(&point.gradient) {
                *o = *v - s * *g;
            }
            lifted.apply_map(&self.ahead, x);
            let decrease = T::lit(0.5) * s * square;
            if x.iter().all(|v| v.is_finite()) {
                lifted.counts.values += 1;
                let value = lifted.objective().value(x).map_err(Error::Evaluation)?;
                if value <= f - decrease + noise {
                    return Ok(Some(decrease > noise));
                }
            }
            match &mut self.control {
                Some(control) => self.eta = control.refused(self.eta),
                None => break,
            }
        }
        Ok(None)
    }

    /// How often the momentum was dropped.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Nesterov::new(0.1).unwrap().restarts(), 0);
    /// ```
    pub fn restarts(&self) -> usize {
        self.restarts
    }
}

impl<T: Scalar> Method<T> for Nesterov<T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Nesterov in u"
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut eta = self.eta;
        if self.control.is_some() {
            let Some(decided) = self.search(lifted, point, &mut next.x)? else {
                self.next = Some(next);
                return Ok(Step::Stalled);
            };
            eta = self.eta;
            if let Some(control) = &mut self.control {
                self.eta = if decided {
                    control.accepted(eta)
                } else {
                    control.undecided(eta)
                };
            }
        } else {
            let s = eta * self.scale;
            for ((o, v), g) in self.ahead.iter_mut().zip(&point.u).zip(&point.gradient) {
                *o = *v - s * *g;
            }
        }
        let (mut uphill, mut length) = (T::zero(), T::zero());
        for ((a, u), g) in self.ahead.iter().zip(&self.u).zip(&point.gradient) {
            let d = *a - *u;
            uphill += *g * d;
            length += d * d;
        }
        let mut restart = match self.restart {
            Restart::Never | Restart::Function => false,
            Restart::Gradient => uphill > T::zero(),
            Restart::Published => self.k >= 10 && length < self.move_before,
        };
        let (one, four) = (T::one(), T::lit(4.0));
        let mut theta = T::lit(0.5) * (one + (one + four * self.theta * self.theta * eta / self.eta).sqrt());
        let momentum = if restart {
            T::zero()
        } else if self.control.is_some() {
            (self.theta - one) / theta
        } else {
            T::count(self.k) / T::count(self.k + 3)
        };
        for ((o, a), u) in next.u.iter_mut().zip(&self.ahead).zip(&self.u) {
            *o = *a + momentum * (*a - *u);
        }
        lifted.evaluate(&mut next)?;
        let worse = next.value.is_nan() || next.value > point.value;
        // (under control F(u₊) is known to be finite)
        let lost = self.control.is_some() && !next.is_finite();
        if (self.restart == Restart::Function && self.k > 0 && worse) || lost {
            next.u.copy_from_slice(&self.ahead);
            lifted.evaluate(&mut next)?;
            restart = true;
        }
        if !next.is_finite() {
            self.next = Some(next);
            return Ok(Step::NotFinite);
        }
        std::mem::swap(&mut self.u, &mut self.ahead);
        self.move_before = length;
        if restart {
            theta = T::one();
        }
        (self.theta, self.last) = (theta, eta);
        self.k = if restart { 0 } else { self.k + 1 };
        self.restarts += usize::from(restart);
        self.t += eta.sqrt();
        std::mem::swap(point, &mut next);
        self.next = Some(next);
        Ok(Step::Moved)
    }

    fn reset(&mut self) {
        self.begun = false;
    }
}

impl<T: Scalar> Integrator<T> for Nesterov<T> {
    fn begin(&mut self, _: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if !self.begun {
            self.begun = true;
            (self.t, self.k, self.restarts) = (T::zero(), 0, 0);
            self.u = point.u.clone();
            self.ahead = point.u.clone();
            self.move_before = T::zero();
            self.next = Some(point.clone());
            (self.eta, self.last, self.theta) = (self.step, self.step, T::one());
            self.first_value = point.value.abs();
            if let Some(control) = &mut self.control {
                control.reset();
            }
        }
        Ok(())
    }
    fn time(&self) -> T {
        self.t
    }
    fn step_size(&self) -> T {
        if self.t > T::zero() {
            self.last.sqrt()
        } else {
            T::nan()
        }
    }
}
