//! Accelerated mirror descent with the entropy, in ζ = log y.

use super::Integrator;
use super::path::check_step;
use crate::flows::{Trial, place_in_x, require_squares};
use crate::lifted::{Lifted, Point};
use crate::methods::{Method, Step};
use crate::{Result, Scalar};

/// Accelerated mirror descent on x ≥ 0 (L = 2): the scheme to recommend of the accelerated ones.
///
/// ```text
/// x₊ = (x + 2/(k+2) e^ζ)/(1 + 2/(k+2))      ζ₊ = ζ − η(k+2)/2 ∇f(x₊)      k from 0, ζ₀ = log x₀, t₊ = t + √η
/// ```
///
/// In this order only: x from the old ζ, then ζ from the gradient at the *new* x. With the gradient of the old x it blows up for every
/// η. x is an average of positive numbers and never leaves the orthant, whatever η. Discretises [`MirrorFlow`](crate::flows::MirrorFlow);
/// f − f(z) ≤ 4·KL(z, x₀)/(η k²) is what to expect of small η. One evaluation per step. For the map [`Squares`](crate::maps::Squares),
/// which is only used to tell the set.
///
/// Source: Krichene, Bayen & Bartlett, NeurIPS 2015; Chou et al., AISTATS 2025.
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
        })
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
            self.begun = true;
            (self.t, self.k) = (T::zero(), 0);
            self.zeta = point.x.iter().map(|x| x.ln()).collect();
            self.y = point.x.clone();
            self.next = Some(point.clone());
        }
        Ok(())
    }
    fn time(&self) -> T {
        self.t
    }
    fn step_size(&self) -> T {
        if self.k > 0 { self.step.sqrt() } else { T::nan() }
    }
    fn second(&self) -> Option<&[T]> {
        Some(&self.y)
    }
}
