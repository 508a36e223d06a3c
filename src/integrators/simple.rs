//! The "simple" accelerated scheme, with a safeguard.

use super::Integrator;
use super::path::{check_step, curvature_along};
use crate::flows::{Trial, place_in_x, require_inside, require_squares};
use crate::lifted::{Lifted, Point};
use crate::methods::{Method, Step};
use crate::steps::Backtracking;
use crate::{Result, Scalar};

/// What happens when a step would carry a coordinate of ζ or x to 0 or through it.
///
/// ```
/// assert_eq!(reparam::integrators::Safeguard::default(), reparam::integrators::Safeguard::Stop);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Safeguard {
    /// The run ends with [`Status::LeftDomain`](crate::Status::LeftDomain).
    #[default]
    Stop,
    /// k starts anew at 0 with ζ = x. Where that does not help either (η g_j ≥ 1 for some j), the run ends.
    Restart,
}

/// The simple discretisation of the accelerated mirror flow (L = 2), without an exponential.
///
/// ```text
/// ζ₊ = ζ∘(1 − η(k+1)/2 ∇f(x))      x₊ = x + 2/(k+1) (ζ₊ − x)      k from 0, ζ₀ = x₀, t₊ = t + √η
/// ```
///
/// Each ζ_j is multiplied by 1 − η(k+1)g_j/2: where a multiplier g_j stays positive (inconsistent data), that turns negative at
/// k > 2/(η g_j) and the unguarded scheme blows up soon after k > 4/(η g_j), for every fixed η. Here such a step is never taken: see
/// [`Safeguard`]. [`AcceleratedMirror`](super::AcceleratedMirror) does not have this problem; prefer it.
///
/// [`with_backtracking`](Self::with_backtracking) makes the safeguard choose η too, and reads k + 1 as 1 + t/√η, t since the last restart:
///
/// ```text
/// f(x₊) ≤ f(x) + ⟨∇f(x), x₊ − x⟩ + 1/(2η) Σ (x₊ − x)²/x  (the curvature along the step in the metric of x), or η ← η/2
/// a step out of the orthant: η ← η/2 with Safeguard::Stop; a restart first with Safeguard::Restart
/// ```
///
/// With `Stop` the steps then become ever shorter, η ~ t^{−2}, which loses the gain of acceleration: restarts are better.
///
/// Source: Chou et al., AISTATS 2025, corrected.
///
/// ```
/// use reparam::{Integrate, Status, integrators::{Safeguard, Simple}, maps::Squares, objectives::LeastSquares};
/// // inconsistent: the multiplier of x₁ is 1
/// let f = || LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.0; 0.0, 1.0], &[1.0, -1.0]).unwrap();
/// let run = |guard| Integrate::new(f(), Squares::new(2)).unwrap()
///     .integrator(Simple::new(0.05).unwrap().with_safeguard(guard)).start_x0(0.5).max_iterations(2000).run().unwrap();
/// let stopped = run(Safeguard::Stop).solution;
/// assert!(stopped.status == Status::LeftDomain && stopped.x[1] > 0.0);
/// assert!(run(Safeguard::Restart).solution.x[1] < stopped.x[1]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Simple<T> {
    step: T,
    safeguard: Safeguard,
    begun: bool,
    t: T,
    k: usize,
    zeta: Vec<T>,
    trial: Vec<T>,
    next: Option<Point<T>>,
    restarts: usize,
    control: Option<Backtracking>,
    /// η now and that of the last step, and k under control: t/√η since the last restart.
    eta: T,
    last: T,
    age: T,
}

impl<T: Scalar> Simple<T> {
    /// With the step η.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite.
    ///
    /// ```
    /// assert!(reparam::integrators::Simple::new(0.0).is_err());
    /// ```
    pub fn new(step: T) -> Result<Self> {
        check_step(step)?;
        Ok(Self {
            step,
            safeguard: Safeguard::Stop,
            begun: false,
            t: T::zero(),
            k: 0,
            zeta: Vec::new(),
            trial: Vec::new(),
            next: None,
            restarts: 0,
            control: None,
            eta: step,
            last: step,
            age: T::zero(),
        })
    }

    /// With a safeguard.
    ///
    /// See [`Simple`] for an example.
    pub fn with_safeguard(mut self, safeguard: Safeguard) -> Self {
        self.safeguard = safeguard;
        self
    }

    /// With step-size control: the η of the constructor is the first trial.
    ///
    /// ```
    /// use reparam::{Integrate, integrators::{Safeguard, Simple}, maps::Squares, objectives::LeastSquares, steps::Backtracking};
    /// let f = || LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.5, 1.5]).unwrap();
    /// for first in [1e3, 1e-4] {
    ///     let simple = Simple::new(first).unwrap().with_safeguard(Safeguard::Restart).with_backtracking(Backtracking::new());
    ///     let run = Integrate::new(f(), Squares::new(2)).unwrap().integrator(simple).start_x0(0.1).max_iterations(300).run().unwrap();
    ///     assert!(run.solution.objective < 1e-3);
    /// }
    /// ```
    pub fn with_backtracking(mut self, control: Backtracking) -> Self {
        self.control = Some(control);
        self
    }

    /// η of the next step.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Simple::new(0.1).unwrap().eta(), 0.1);
    /// ```
    pub fn eta(&self) -> T {
        self.eta
    }

    /// The number of restarts.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Simple::new(0.1).unwrap().restarts(), 0);
    /// ```
    pub fn restarts(&self) -> usize {
        self.restarts
    }

    /// ζ and x of one step from k; false when a coordinate leaves the open orthant.
    fn attempt(&mut self, point: &Point<T>, x: &mut [T]) -> bool {
        let count = match self.control {
            Some(_) => self.age + T::one(),
            None => T::count(self.k + 1),
        };
        let s = T::lit(0.5) * self.eta * count;
        let pull = T::lit(2.0) / count;
        let mut inside = true;
        for j in 0..x.len() {
            let zeta = self.zeta[j] * (T::one() - s * point.g[j]);
            self.trial[j] = zeta;
            x[j] = point.x[j] + pull * (zeta - point.x[j]);
            inside &= zeta > T::zero() && x[j] > T::zero();
        }
        inside
    }

    fn restart(&mut self, point: &Point<T>) {
        (self.k, self.age) = (0, T::zero());
        self.restarts += 1;
        self.zeta.copy_from_slice(&point.x);
    }

    fn accept(&mut self, point: &mut Point<T>, next: &mut Point<T>) {
        std::mem::swap(&mut self.zeta, &mut self.trial);
        self.k += 1;
        self.last = self.eta;
        self.age += T::one();
        self.t += self.eta.sqrt();
        std::mem::swap(point, next);
    }

    /// One step with the first η that is accepted.
    fn controlled(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        point: &mut Point<T>,
        next: &mut Point<T>,
        control: &mut Backtracking,
    ) -> Result<Step> {
        let mut outcome = Step::Stalled;
        for _ in 0..200 {
            let before = self.eta;
            outcome = if !self.attempt(point, &mut next.x) {
                if self.safeguard == Safeguard::Restart && self.k > 0 {
                    self.restart(point);
                    continue;
                }
                Step::LeftDomain
            } else {
                match place_in_x(lifted, next)? {
                    Trial::Fine => Step::Moved,
                    Trial::Outside => Step::LeftDomain,
                    Trial::NotFinite => Step::NotFinite,
                }
            };
            if outcome == Step::Moved {
                let moves = next.x.iter().zip(&point.x);
                let square: T = moves.map(|(b, a)| (*b - *a) * ((*b - *a) / *a)).sum();
                let allowed = T::lit(0.5) * square / before;
                let (curvature, noise) = curvature_along(lifted, point, next);
                if curvature <= allowed + noise {
                    self.accept(point, next);
                    self.eta = if allowed > noise {
                        control.accepted(before)
                    } else {
                        control.undecided(before)
                    };
                    self.age *= (before / self.eta).sqrt();
                    break;
                }
                outcome = Step::Stalled;
            }
            self.eta = control.refused(before);
            self.age *= (before / self.eta).sqrt();
        }
        Ok(outcome)
    }
}

impl<T: Scalar> Method<T> for Simple<T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "simple accelerated scheme"
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        if let Some(mut control) = self.control {
            let outcome = self.controlled(lifted, point, &mut next, &mut control)?;
            (self.next, self.control) = (Some(next), Some(control));
            return Ok(outcome);
        }
        let mut inside = self.attempt(point, &mut next.x);
        if !inside && self.safeguard == Safeguard::Restart && self.k > 0 {
            self.restart(point);
            inside = self.attempt(point, &mut next.x);
        }
        let outcome = if !inside {
            Step::LeftDomain
        } else {
            match place_in_x(lifted, &mut next)? {
                Trial::Fine => {
                    self.accept(point, &mut next);
                    Step::Moved
                }
                Trial::Outside => Step::LeftDomain,
                Trial::NotFinite => Step::NotFinite,
            }
        };
        self.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        self.begun = false;
    }
}

impl<T: Scalar> Integrator<T> for Simple<T> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if !self.begun {
            require_squares(lifted, "the simple accelerated scheme")?;
            require_inside(point)?;
            self.begun = true;
            (self.t, self.k, self.restarts) = (T::zero(), 0, 0);
            self.zeta = point.x.clone();
            self.trial = point.x.clone();
            self.next = Some(point.clone());
            (self.eta, self.last, self.age) = (self.step, self.step, T::zero());
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
    fn second(&self) -> Option<&[T]> {
        Some(&self.zeta)
    }
}
