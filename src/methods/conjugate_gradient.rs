//! Nonlinear conjugate gradients in the metric of the lift.
//!
//! Polak–Ribière+ (Gilbert & Nocedal 1992), preconditioned by D(u).

use super::wolfe::first_trial;
use super::{Method, Search, Step, curve_search, wolfe_search};
use crate::lifted::{Lifted, Point};
use crate::linalg::{dot, max_abs};
use crate::outcome::Phase;
use crate::{Result, Scalar};

/// d ← −D⁻¹∇F + β d with β = max(0, ⟨D⁻¹∇F, ∇F − ∇F₋⟩ / ⟨D₋⁻¹∇F₋, ∇F₋⟩).
///
/// ```
/// use reparam::methods::{ConjugateGradient, Method};
/// assert_eq!(Method::<f64>::name(&ConjugateGradient::new()), "conjugate gradients");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConjugateGradient<T> {
    metric: Vec<T>,
    d: Vec<T>,
    previous: Vec<T>,
    /// ⟨D₋⁻¹∇F₋, ∇F₋⟩; None without a past.
    denominator: Option<T>,
    /// The decrease of the last step: 2(F − F₋)/slope is the first trial of the next search.
    last_decrease: Option<T>,
    next: Option<Point<T>>,
}

impl<T: Scalar> ConjugateGradient<T> {
    /// Without a past.
    ///
    /// ```
    /// let _ = reparam::methods::ConjugateGradient::<f64>::new();
    /// ```
    pub fn new() -> Self {
        Self {
            metric: Vec::new(),
            d: Vec::new(),
            previous: Vec::new(),
            denominator: None,
            last_decrease: None,
            next: None,
        }
    }
}

impl<T: Scalar> Method<T> for ConjugateGradient<T> {
    fn name(&self) -> &'static str {
        "conjugate gradients"
    }

    fn phase(&self) -> Phase {
        Phase::ConjugateGradient
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step> {
        let p = point.u.len();
        self.metric.resize(p, T::one());
        self.d.resize(p, T::zero());
        self.previous.resize(p, T::zero());
        lifted.metric(point, h, &mut self.metric);
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        loop {
            let (mut size, mut change) = (T::zero(), T::zero());
            for k in 0..p {
                let g = point.gradient[k];
                size += g * g / self.metric[k];
                change += g * (g - self.previous[k]) / self.metric[k];
            }
            let beta = self
                .denominator
                .map_or(T::zero(), |d| (change / d).max(T::zero()));
            for k in 0..p {
                self.d[k] = beta * self.d[k] - point.gradient[k] / self.metric[k];
            }
            let slope = dot(&self.d, &point.gradient);
            if slope.is_nan() || slope >= T::zero() {
                if self.denominator.is_none() {
                    self.next = Some(next);
                    return Ok(Step::Stalled);
                }
                self.reset();
                continue;
            }
            let reach = max_abs(&point.u) / max_abs(&self.d);
            let guess = self.last_decrease.map_or(T::one(), |f| (f + f) / slope);
            let t = if self.last_decrease.is_some() && guess > T::zero() && guess.is_finite() {
                if reach > T::zero() {
                    guess.min(reach)
                } else {
                    guess
                }
            } else {
                first_trial(&point.u, &self.d, point.value, slope)
            };
            let search = match curve_search(lifted, point, &self.d, t, &mut next)? {
                Some(search) => search,
                None => wolfe_search(lifted, point, &self.d, t, &mut next)?,
            };
            match search {
                Search::Found => {
                    self.denominator = Some(size);
                    self.previous.copy_from_slice(&point.gradient);
                    self.last_decrease = Some(next.value - point.value);
                    std::mem::swap(point, &mut next);
                    self.next = Some(next);
                    return Ok(Step::Moved);
                }
                failure if self.denominator.is_none() => {
                    self.next = Some(next);
                    return Ok(if failure == Search::NotFinite {
                        Step::NotFinite
                    } else {
                        Step::Stalled
                    });
                }
                _ => self.reset(),
            }
        }
    }

    fn reset(&mut self) {
        self.denominator = None;
        self.last_decrease = None;
    }
}
