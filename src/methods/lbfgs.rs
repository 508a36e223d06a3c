//! Limited-memory BFGS in the metric of the lift.
//!
//! Nocedal (1980), two-loop recursion, with the inverse of the metric D(u) as initial matrix at every step. The
//! metric represents how the map scales the coordinates, the pairs represent the curvature of f.

use super::buffers::Pool;
use super::wolfe::first_trial;
use super::{Method, Search, Step, wolfe_search};
use crate::lifted::{Lifted, Point};
use crate::linalg::{dot, two_loops};
use crate::outcome::Phase;
use crate::{Result, Scalar};

/// L-BFGS with a memory of m pairs (s, y) = (Δu, Δ∇F).
///
/// ```
/// use reparam::methods::{Lbfgs, Method};
/// assert_eq!(Method::<f64>::name(&Lbfgs::new(8)), "L-BFGS");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lbfgs<T> {
    memory: usize,
    /// Oldest first: (s, y, ⟨s, y⟩).
    pairs: Vec<(Vec<T>, Vec<T>, T)>,
    metric: Vec<T>,
    d: Vec<T>,
    alpha: Vec<T>,
    next: Option<Point<T>>,
    /// The vectors of forgotten pairs, for new ones.
    #[cfg_attr(feature = "serde", serde(skip, default = "Pool::empty"))]
    spare: Pool<T>,
}

impl<T: Scalar> Lbfgs<T> {
    /// A memory of `memory` ≥ 1 pairs (5 to 20 are usual).
    ///
    /// ```
    /// let _ = reparam::methods::Lbfgs::<f64>::new(10);
    /// ```
    pub fn new(memory: usize) -> Self {
        Self {
            memory: memory.max(1),
            pairs: Vec::new(),
            metric: Vec::new(),
            d: Vec::new(),
            alpha: Vec::new(),
            next: None,
            spare: Pool::empty(),
        }
    }

    /// d ← −H ∇F
    fn direction(&mut self, gradient: &[T]) {
        for (o, g) in self.d.iter_mut().zip(gradient) {
            *o = -*g;
        }
        // the newest pair sets the size of the initial matrix, the metric its shape
        let size = match self.pairs.last() {
            Some((_, y, sy)) => {
                let yy: T = y.iter().zip(&self.metric).map(|(v, m)| *v * *v / *m).sum();
                *sy / yy
            }
            None => T::one(),
        };
        let pairs = self.pairs.iter().map(|(s, y, sy)| (&s[..], &y[..], *sy));
        two_loops(pairs, &mut self.d, &mut self.alpha, |d| {
            for (o, m) in d.iter_mut().zip(&self.metric) {
                *o *= size / *m;
            }
        });
    }

    fn forget(&mut self) {
        for (s, y, _) in self.pairs.drain(..) {
            self.spare.put_back(s);
            self.spare.put_back(y);
        }
    }

    fn remember(&mut self, before: &Point<T>, after: &Point<T>) {
        let p = before.u.len();
        let (mut s, mut y) = if self.pairs.len() == self.memory {
            let (s, y, _) = self.pairs.remove(0);
            (s, y)
        } else {
            (self.spare.take(p, T::zero()), self.spare.take(p, T::zero()))
        };
        for k in 0..s.len() {
            s[k] = after.u[k] - before.u[k];
            y[k] = after.gradient[k] - before.gradient[k];
        }
        let sy = dot(&s, &y);
        // keeps H positive definite, and out of pairs that are only rounding
        if sy > T::epsilon() * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
            self.pairs.push((s, y, sy));
        } else {
            self.spare.put_back(s);
            self.spare.put_back(y);
        }
    }
}

impl<T: Scalar> Method<T> for Lbfgs<T> {
    fn name(&self) -> &'static str {
        "L-BFGS"
    }

    fn phase(&self) -> Phase {
        Phase::Lbfgs
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step> {
        let p = point.u.len();
        self.metric.resize(p, T::one());
        self.d.resize(p, T::zero());
        lifted.metric(point, h, &mut self.metric);
        // all at once: later steps, whatever they forget and learn again, allocate nothing
        let room = self.memory.saturating_sub(self.pairs.len());
        self.spare.reserve(2 * room, p);
        self.pairs.reserve(room);
        self.alpha.reserve(self.memory.saturating_sub(self.alpha.len()));
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        loop {
            self.direction(&point.gradient);
            let slope = dot(&self.d, &point.gradient);
            if slope.is_nan() || slope >= T::zero() {
                if self.pairs.is_empty() {
                    self.next = Some(next);
                    return Ok(Step::Stalled);
                }
                self.forget();
                continue;
            }
            let t = if self.pairs.is_empty() {
                first_trial(&point.u, &self.d, point.value, slope)
            } else {
                T::one()
            };
            match wolfe_search(lifted, point, &self.d, t, &mut next)? {
                Search::Found => {
                    self.remember(point, &next);
                    std::mem::swap(point, &mut next);
                    self.next = Some(next);
                    return Ok(Step::Moved);
                }
                failure if self.pairs.is_empty() => {
                    self.next = Some(next);
                    return Ok(if failure == Search::NotFinite {
                        Step::NotFinite
                    } else {
                        Step::Stalled
                    });
                }
                // once more along the metric gradient
                _ => self.forget(),
            }
        }
    }

    fn reset(&mut self) {
        self.forget();
    }
}
