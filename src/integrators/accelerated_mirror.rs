//! Accelerated mirror descent with the entropy, in ζ = log y.

use super::Integrator;
use super::path::{check_step, curvature_along};
use crate::flows::{Trial, place_in_x, require_inside, require_squares};
use crate::lifted::{Lifted, Point};
use crate::methods::{Method, Step};
use crate::steps::Backtracking;
use crate::{Result, Scalar};

/// Accelerated mirror descent on x ≥ 0 (L = 2): the recommended accelerated scheme.
///
/// ```text
/// x₊ = (x + 2/(k+2) e^ζ)/(1 + 2/(k+2))      ζ₊ = ζ − η(k+2)/2 ∇f(x₊)      k from 0, ζ₀ = log x₀, t₊ = t + √η
/// ```
///
/// The order matters: x from the old ζ, then ζ from the gradient at the *new* x. With the gradient at the old x the scheme diverges for every
/// η. x is an average of positive numbers and never leaves the orthant, whatever η. Discretises [`MirrorFlow`](crate::flows::MirrorFlow);
/// f − f(z) ≤ 4·KL(z, x₀)/(η k²) holds approximately for small η. One evaluation per step. For the map [`Squares`](crate::maps::Squares),
/// which is used only to identify the set.
///
/// [`with_backtracking`](Self::with_backtracking) chooses η, in the form with three sequences, for which the bound is a theorem:
///
/// ```text
/// a² = η(A + a)      v = (A x + a y)/(A + a)      log y₊ = log y − a ∇f(v)      x₊ = (A x + a y₊)/(A + a)      A₊ = A + a, A₀ = 0
/// f(x₊) ≤ f(v) + ⟨∇f(v), x₊ − v⟩ + KL(y₊, y)/A₊,  or η ← η/2          (η ‖∇²f‖ max y ≤ 1 is enough)
/// V = A (f(x) − f(z)) + KL(z, y) decreases in every step, so that f(x) − f(z) ≤ KL(z, x₀)/A = 4·KL(z, x₀)/t²,  t = 2√A
/// ```
///
/// for convex f, any z ≥ 0, whatever η has been. Two evaluations per step; where η is constant, A is about ηk²/4 and t about √η k.
///
/// Source: Krichene, Bayen & Bartlett, NeurIPS 2015; Chou et al., AISTATS 2025; Auslender & Teboulle, SIAM J. Optim. 2006, and Tseng 2008
/// for the three sequences.
///
/// ```
/// use reparam::{Integrate, integrators::AcceleratedMirror, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(AcceleratedMirror::new(0.1).unwrap()).start_x0(0.1).max_iterations(200).run().unwrap();
/// assert!(run.solution.objective < 1e-3);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AcceleratedMirror<T> {
    step: T,
    begun: bool,
    t: T,
    k: usize,
    zeta: Vec<T>,
    y: Vec<T>,
    next: Option<Point<T>>,
    control: Option<Backtracking>,
    /// η now, the length in t of the last step, A.
    eta: T,
    last: T,
    mass: T,
    /// v, and y₊ on trial.
    middle: Option<Point<T>>,
    trial: Vec<T>,
}

impl<T: Scalar> AcceleratedMirror<T> {
    /// With the step η.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless η is positive and finite.
    ///
    /// ```
    /// assert!(reparam::integrators::AcceleratedMirror::new(f64::INFINITY).is_err());
    /// ```
    pub fn new(step: T) -> Result<Self> {
        check_step(step)?;
        Ok(Self {
            step,
            begun: false,
            t: T::zero(),
            k: 0,
            zeta: Vec::new(),
            y: Vec::new(),
            next: None,
            control: None,
            eta: step,
            last: step.sqrt(),
            mass: T::zero(),
            middle: None,
            trial: Vec::new(),
        })
    }

    /// With step-size control: the η of the constructor is the first trial.
    ///
    /// ```
    /// use reparam::{Integrate, integrators::AcceleratedMirror, maps::Squares, objectives::LeastSquares, steps::Backtracking};
    /// use reparam::flows::{Recording, monitors::Accelerated};
    /// let f = || LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.5, 1.5]).unwrap(); // x = (1, 1)
    /// for first in [1e3, 1e-4] {
    ///     let mirror = AcceleratedMirror::new(first).unwrap().with_backtracking(Backtracking::new());
    ///     let run = Integrate::new(f(), Squares::new(2)).unwrap().integrator(mirror).start_x0(0.1)
    ///         .record(Recording::every(1).monitor(Accelerated::new(&[1.0, 1.0], 0.0).unwrap())).max_iterations(200).run().unwrap();
    ///     assert!(run.solution.objective < 1e-3);
    ///     let (f, bound) = (run.trajectory.column("value").unwrap(), run.trajectory.column("bound").unwrap());
    ///     assert!(f.iter().zip(&bound).all(|(f, b)| f <= b)); // 4·KL/t²
    /// }
    /// ```
    pub fn with_backtracking(mut self, control: Backtracking) -> Self {
        self.control = Some(control);
        self
    }

    /// η of the next step.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::AcceleratedMirror::new(0.1).unwrap().eta(), 0.1);
    /// ```
    pub fn eta(&self) -> T {
        self.eta
    }

    /// One step with three sequences, of the first η whose step fits.
    fn controlled(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        point: &mut Point<T>,
        mut control: Backtracking,
    ) -> Result<Step> {
        let (Some(mut middle), Some(mut next)) = (self.middle.take(), self.next.take()) else {
            return Ok(Step::NotFinite);
        };
        let mut outcome = Step::Stalled;
        for _ in 0..200 {
            let eta = self.eta;
            let a = T::lit(0.5) * (eta + (eta * (eta + T::lit(4.0) * self.mass)).sqrt());
            let whole = self.mass + a;
            let share = a / whole;
            let rest = self.mass / whole;
            outcome = self.attempt(lifted, point, &mut middle, &mut next, a, share, rest)?;
            if outcome == Step::Moved {
                // KL(y₊, y) of y₊ = y e^{−a g}, with all its digits
                let kl: T = self
                    .y
                    .iter()
                    .zip(&middle.g)
                    .map(|(y, g)| *y * entropy_of_growth(-a * *g))
                    .sum();
                let (excess, noise) = curvature_along(lifted, &middle, &next);
                if excess <= kl / whole + noise {
                    for (z, g) in self.zeta.iter_mut().zip(&middle.g) {
                        *z -= a * *g;
                    }
                    std::mem::swap(&mut self.y, &mut self.trial);
                    let t = T::lit(2.0) * whole.sqrt();
                    (self.last, self.t, self.mass) = (t - self.t, t, whole);
                    self.k += 1;
                    self.eta = if kl / whole > noise {
                        control.accepted(eta)
                    } else {
                        control.undecided(eta)
                    };
                    std::mem::swap(point, &mut next);
                    break;
                }
                outcome = Step::Stalled;
            }
            self.eta = control.refused(eta);
        }
        self.control = Some(control);
        (self.middle, self.next) = (Some(middle), Some(next));
        Ok(outcome)
    }

    /// v, y₊ and x₊ evaluated; `Moved` when all of them are fine.
    fn attempt(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        point: &Point<T>,
        middle: &mut Point<T>,
        next: &mut Point<T>,
        a: T,
        share: T,
        rest: T,
    ) -> Result<Step> {
        let refused = |trial| match trial {
            Trial::Fine => None,
            Trial::Outside => Some(Step::LeftDomain), // an underflow to 0
            Trial::NotFinite => Some(Step::NotFinite),
        };
        for ((o, x), y) in middle.x.iter_mut().zip(&point.x).zip(&self.y) {
            *o = rest * *x + share * *y;
        }
        if let Some(why) = refused(place_in_x(lifted, middle)?) {
            return Ok(why);
        }
        for j in 0..self.y.len() {
            self.trial[j] = (self.zeta[j] - a * middle.g[j]).exp();
            next.x[j] = rest * point.x[j] + share * self.trial[j];
        }
        if next.x.iter().any(|x| !x.is_finite()) {
            return Ok(Step::NotFinite);
        }
        Ok(refused(place_in_x(lifted, next)?).unwrap_or(Step::Moved))
    }
}

/// d e^d − e^d + 1 = KL(e^d, 1).
fn entropy_of_growth<T: Scalar>(d: T) -> T {
    if d.abs() < T::lit(1e-2) {
        let terms = [840.0, 144.0, 30.0, 8.0, 3.0, 2.0];
        let sum = terms.iter().fold(T::zero(), |s, c| s * d + T::lit(1.0 / c));
        d * d * sum
    } else {
        d * d.exp() - d.exp_m1()
    }
}

impl<T: Scalar> Method<T> for AcceleratedMirror<T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "accelerated mirror descent"
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        if let Some(control) = self.control {
            return self.controlled(lifted, point, control);
        }
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let weight = T::lit(2.0) / T::count(self.k + 2);
        let whole = T::one() + weight;
        for ((o, x), y) in next.x.iter_mut().zip(&point.x).zip(&self.y) {
            *o = (*x + weight * *y) / whole;
        }
        let outcome = match place_in_x(lifted, &mut next)? {
            Trial::Fine => {
                let s = T::lit(0.5) * self.step * T::count(self.k + 2);
                for ((z, y), g) in self.zeta.iter_mut().zip(&mut self.y).zip(&next.g) {
                    *z -= s * *g;
                    *y = z.exp();
                }
                self.k += 1;
                self.t += self.step.sqrt();
                std::mem::swap(point, &mut next);
                Step::Moved
            }
            Trial::Outside => Step::LeftDomain, // an underflow to 0
            Trial::NotFinite => Step::NotFinite,
        };
        self.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        self.begun = false;
    }
}

impl<T: Scalar> Integrator<T> for AcceleratedMirror<T> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if !self.begun {
            require_squares(lifted, "accelerated mirror descent")?;
            require_inside(point)?;
            self.begun = true;
            (self.t, self.k) = (T::zero(), 0);
            self.zeta = point.x.iter().map(|x| x.ln()).collect();
            self.y = point.x.clone();
            self.next = Some(point.clone());
            (self.eta, self.last, self.mass) = (self.step, self.step.sqrt(), T::zero());
            if let Some(control) = &mut self.control {
                control.reset();
                self.middle = Some(point.clone());
                self.trial = point.x.clone();
            }
        }
        Ok(())
    }
    fn time(&self) -> T {
        self.t
    }
    fn step_size(&self) -> T {
        if self.k > 0 { self.last } else { T::nan() }
    }
    fn second(&self) -> Option<&[T]> {
        Some(&self.y)
    }
}
