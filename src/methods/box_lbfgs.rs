//! Limited-memory BFGS in x, over a box.
//!
//! The lift only approaches a bound, and the map adds curvature to the Hessian of f∘φ. Both cost evaluations. Where every point of the box has
//! its u (maps that act coordinate by coordinate), the memory is that of f itself, the step minimises its model over the box, and
//! u follows by the section: bounds are met exactly, and coordinates held at a bound do not change the memory.

use super::box_model::{Model, Pair};
use super::wolfe::{Reach, bracket, first_trial};
use super::{Method, Outlook, Search, Step};
use crate::lifted::{Lifted, Point};
use crate::linalg::{axpy, dot, max_abs, norm2};
use crate::outcome::Phase;
use crate::{Result, Scalar};

/// Quasi-Newton with a memory of m pairs (Δx, Δ∇f), its model minimised over the box in each step (as sequential quadratic
/// programming would), then a search on the segment to that point and beyond, to the nearest bound.
///
/// Near to L-BFGS-B (Byrd, Lu, Nocedal & Zhu 1995), which minimises the model on the face of a Cauchy point only; the faces here are
/// those of the model's minimiser. For maps with [`is_coordinatewise`](crate::maps::Reparametrization::is_coordinatewise);
/// on others [`Minimize`](crate::Minimize) refuses it.
///
/// ```
/// use reparam::{Minimize, Phase, maps::Squares, methods::BoxLbfgs, objectives::FromFn};
/// let f = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
///     (g[0], g[1]) = (2.0 * (x[0] - 1.0), 2.0 * (x[1] + 1.0));
///     Ok((x[0] - 1.0).powi(2) + (x[1] + 1.0).powi(2))
/// });
/// let s = Minimize::new(f, Squares::new(2)).unwrap().method(BoxLbfgs::new(10)).start(&[3.0, 3.0]).run().unwrap();
/// assert_eq!(s.phase, Phase::BoxLbfgs);
/// assert_eq!(s.x, [1.0, 0.0]);
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BoxLbfgs<T> {
    memory: usize,
    /// Oldest first.
    pairs: Vec<Pair<T>>,
    #[cfg_attr(feature = "serde", serde(skip, default = "Box::default"))]
    work: Box<Work<T>>,
}

/// Buffers: they mean nothing between steps.
#[derive(Debug, Clone)]
struct Work<T> {
    model: Model<T>,
    lower: Vec<T>,
    upper: Vec<T>,
    next: Option<Point<T>>,
    /// Memory of discarded pairs, for new ones.
    spare: Vec<Pair<T>>,
}

// by hand, as for `Model`: derived it would ask for T: Default, and so would reading a checkpoint
impl<T> Default for Work<T> {
    fn default() -> Self {
        Self {
            model: Model::default(),
            lower: Vec::new(),
            upper: Vec::new(),
            next: None,
            spare: Vec::new(),
        }
    }
}

impl<T: PartialEq> PartialEq for BoxLbfgs<T> {
    fn eq(&self, other: &Self) -> bool {
        self.memory == other.memory && self.pairs == other.pairs
    }
}

impl<T: Scalar> BoxLbfgs<T> {
    /// A memory of `memory` ≥ 1 pairs (5 to 20 are usual).
    ///
    /// ```
    /// use reparam::methods::{BoxLbfgs, Method};
    /// assert_eq!(Method::<f64>::name(&BoxLbfgs::new(10)), "L-BFGS on a box");
    /// ```
    pub fn new(memory: usize) -> Self {
        Self {
            memory: memory.max(1),
            pairs: Vec::new(),
            work: Box::default(),
        }
    }

    /// work.model.d ← the step that the model proposes; the decrease that it promises.
    fn propose(&mut self, bounds: &(Vec<T>, Vec<T>), point: &Point<T>, h: &[T]) -> T {
        let Work {
            model, lower, upper, ..
        } = &mut *self.work;
        lower.clear();
        lower.extend(bounds.0.iter().zip(&point.x).map(|(b, x)| *b - *x));
        upper.clear();
        upper.extend(bounds.1.iter().zip(&point.x).map(|(b, x)| *b - *x));
        -model.minimise(&self.pairs, h, &point.g, lower, upper)
    }

    /// How far x may go along d: at least 1 (there d itself is feasible).
    fn longest(&self) -> T {
        let Work {
            model, lower, upper, ..
        } = &*self.work;
        let mut t = T::infinity();
        for ((d, lower), upper) in model.d.iter().zip(lower).zip(upper) {
            if *d < T::zero() {
                t = t.min(*lower / *d);
            } else if *d > T::zero() {
                t = t.min(*upper / *d);
            }
        }
        t.max(T::one())
    }

    fn search(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        bounds: &(Vec<T>, Vec<T>),
        point: &Point<T>,
        t: T,
        next: &mut Point<T>,
    ) -> Result<Search> {
        let reach = Reach {
            // closer than along a lifted ray: the pairs are worth it (measured)
            curvature: T::lit(0.7),
            longest: self.longest(),
        };
        let Work {
            model, lower, upper, ..
        } = &*self.work;
        let d = &model.d;
        let mut at = |t: T, next: &mut Point<T>| -> Result<Option<(T, T)>> {
            for j in 0..d.len() {
                let (lo, hi) = (bounds.0[j], bounds.1[j]);
                // exactly on the bounds that d reaches
                next.x[j] = if t == T::one() && d[j] == lower[j] {
                    lo
                } else if t == T::one() && d[j] == upper[j] {
                    hi
                } else {
                    (point.x[j] + t * d[j]).max(lo).min(hi)
                };
            }
            Ok((lifted.evaluate_in_x(next)? && next.is_finite()).then(|| (next.value, dot(&next.g, d))))
        };
        let mut last = T::zero();
        let found = bracket(point.value, dot(&point.g, d), t, &reach, |t| {
            last = t;
            at(t, next)
        })?;
        match found {
            Ok(t) => {
                if t != last {
                    at(t, next)?;
                }
                Ok(if next.is_finite() {
                    Search::Found
                } else {
                    Search::NotFinite
                })
            }
            Err(search) => Ok(search),
        }
    }

    fn remember(&mut self, before: &Point<T>, after: &Point<T>) {
        let n = before.x.len();
        let mut pair = if self.pairs.len() == self.memory {
            self.pairs.remove(0)
        } else {
            self.work.spare.pop().unwrap_or_else(|| Pair {
                s: vec![T::zero(); n],
                y: vec![T::zero(); n],
                sy: T::zero(),
            })
        };
        for j in 0..n {
            pair.s[j] = after.x[j] - before.x[j];
            pair.y[j] = after.g[j] - before.g[j];
        }
        pair.sy = dot(&pair.s, &pair.y);
        // keeps B positive definite, and out of pairs that are only rounding
        if pair.sy > T::epsilon() * dot(&pair.y, &pair.y).sqrt() * dot(&pair.s, &pair.s).sqrt() {
            self.pairs.push(pair);
            // (room for all of them, whenever they are forgotten: iterations under way allocate nothing)
            self.work.spare.reserve(self.pairs.len() + 1);
        } else {
            self.work.spare.push(pair);
        }
    }

    /// Whether the moves in the memory span the coordinates that are free at the point. The model has no information on other
    /// directions. Gram–Schmidt in units of x_j, each move with a part of at least a hundredth of its own outside the others. Moves
    /// that changed a held coordinate do not count: part of their change of the gradient is due to that coordinate.
    fn spans(&self, point: &Point<T>) -> bool {
        let is_free = |j: usize| {
            let (lower, upper, g) = (self.work.lower[j], self.work.upper[j], point.g[j]);
            !(lower >= upper
                || (lower == T::zero() && g > T::zero())
                || (upper == T::zero() && g < T::zero()))
        };
        let (free, held): (Vec<usize>, Vec<usize>) = (0..point.x.len()).partition(|j| is_free(*j));
        if self.pairs.len() < free.len() {
            return false;
        }
        let largest = max_abs(&point.x).max(T::min_positive_value());
        let unit = |j: usize| {
            let size = point.x[j].abs();
            if size > T::zero() { size } else { largest }
        };
        let mut basis: Vec<Vec<T>> = Vec::new();
        for pair in self.pairs.iter().rev() {
            if basis.len() == free.len() {
                break;
            }
            if held.iter().any(|j| pair.s[*j] != T::zero()) {
                continue;
            }
            let mut v: Vec<T> = free.iter().map(|j| pair.s[*j] / unit(*j)).collect();
            let size = norm2(&v);
            for q in basis.iter().chain(&basis) {
                let along = dot(q, &v);
                axpy(-along, q, &mut v);
            }
            let rest = norm2(&v);
            if rest > T::lit(1e-2) * size {
                v.iter_mut().for_each(|v| *v /= rest);
                basis.push(v);
            }
        }
        basis.len() == free.len()
    }
}

impl<T: Scalar> Method<T> for BoxLbfgs<T> {
    fn name(&self) -> &'static str {
        "L-BFGS on a box"
    }

    fn phase(&self) -> Phase {
        Phase::BoxLbfgs
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step> {
        let Some(bounds) = lifted.bounds() else {
            return Ok(Step::Stalled);
        };
        let mut next = self.work.next.take().unwrap_or_else(|| point.clone());
        let step = loop {
            self.propose(&bounds, point, h);
            let d = &self.work.model.d;
            let slope = dot(d, &point.g);
            if slope.is_nan() || slope >= T::zero() {
                if self.pairs.is_empty() {
                    break Step::Stalled;
                }
                self.work.spare.append(&mut self.pairs);
                continue;
            }
            let t = if self.pairs.is_empty() {
                first_trial(&point.x, d, point.value, slope)
            } else {
                T::one()
            };
            match self.search(lifted, &bounds, point, t, &mut next)? {
                Search::Found => {
                    self.remember(point, &next);
                    std::mem::swap(point, &mut next);
                    break Step::Moved;
                }
                failure if self.pairs.is_empty() => {
                    break if failure == Search::NotFinite {
                        Step::NotFinite
                    } else {
                        Step::Stalled
                    };
                }
                _ => self.work.spare.append(&mut self.pairs),
            }
        };
        self.work.next = Some(next);
        Ok(step)
    }

    fn reset(&mut self) {
        self.work.spare.append(&mut self.pairs);
    }

    fn moves_in_x(&self) -> bool {
        true
    }

    fn outlook(&mut self, lifted: &Lifted<'_, T>, point: &Point<T>, h: &[T]) -> Option<Outlook<T>> {
        let bounds = lifted.bounds()?;
        let decrease = self.propose(&bounds, point, h);
        let moves = self.work.model.d.iter().zip(&point.x);
        let largest = crate::linalg::max_or_nan(
            moves
                .filter(|(d, _)| **d != T::zero())
                .map(|(d, x)| (*d / *x).abs()),
        );
        self.spans(point).then_some(Outlook {
            decrease,
            relative_move: largest,
        })
    }
}
