//! Implicit Euler in mirror coordinates: the Bregman proximal point method.

use super::Integrator;
use super::path::check_step;
use crate::flows::monitors::{bregman_divergence, from_mirror_slope, mirror_slope};
use crate::flows::{Trial, check_depth, place_in_x, require_inside};
use crate::lifted::{Lifted, Point};
use crate::linalg::conjugate_gradient::{Buffers, Outcome, conjugate_gradient};
use crate::linalg::{dot, max_abs, max_or_nan};
use crate::methods::{Method, Step};
use crate::{Error, Result, Scalar};

/// Implicit Euler steps of the flow of L identical factors, in the coordinates p = ψ'(x) of its mirror potential.
///
/// ```text
/// x′ = −L x^q∘∇f(x)  ⇔  p′ = −∇f(x),  p = ψ'(x)
/// p₊ = p − h ∇f(x₊)  ⇔  x₊ = argmin_{z ≥ 0} h f(z) + D(z, x)
/// ```
///
/// It is the integrator for limits, because p₊ − p is *exactly* a gradient, in range Aᵀ, for any step length. So the iterates stay in the affine
/// set p₀ + range Aᵀ, on which the limit of the flow is unique: long steps cost accuracy of the path, but none of the limit. And f is convex in
/// x where F is not convex in u: every step has one solution. By default the steps grow by a factor of 4. The limit of a stiff flow (L > 2, α → 0),
/// for which an explicit integrator needs millions of steps, then takes a few tens.
///
/// Each step is solved by Newton's method, (ψ''(x) + h∇²f) δ = −(ψ'(x) − p + h∇f), by conjugate gradients scaled by ψ''^{−1/2}: the matrix is I plus one
/// of rank m, so about m iterations suffice. Decreasing coordinates are moved in p, growing ones in x, and neither can leave x > 0.
///
/// For convex f with Hessian products, and the map x = u^{∘L} on x ≥ 0. Order 1. Time is that of the per-factor flow.
///
/// Source: Censor & Zenios, J. Optim. Theory Appl. 1992; Chen & Teboulle, SIAM J. Optim. 1993.
///
/// ```
/// use reparam::{Integrate, integrators::BregmanProximal, maps::Power, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let run = Integrate::new(f, Power::new(2, 4).unwrap()).unwrap()
///     .integrator(BregmanProximal::new(4).unwrap()).start_u0(1e-3).run().unwrap();
/// // the flow itself takes a time of about α^{-2} to leave its start
/// assert!(run.solution.status.is_solved() && run.solution.iterations < 60);
/// assert!((run.solution.x[1] - 1.0).abs() < 1e-8);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BregmanProximal<T> {
    depth: u32,
    fixed: Option<T>,
    begun: bool,
    t: T,
    h: T,
    last: Option<T>,
    limit: Option<T>,
    /// Whether the last step was solved to the rounding of h∇f only.
    rounding: bool,
    /// ψ'(x), kept as a sum of gradients.
    p: Vec<T>,
    residual: Vec<T>,
    /// ψ''(x)^{−1/2}.
    root: Vec<T>,
    right: Vec<T>,
    y: Vec<T>,
    scaled: Vec<T>,
    product: Vec<T>,
    diagonal: Vec<T>,
    trial: Option<Point<T>>,
    next: Option<Point<T>>,
    buffers: Buffers<T>,
}

/// The most Newton iterations of a step.
const NEWTON: usize = 60;

impl<T: Scalar> BregmanProximal<T> {
    /// With growing steps, for x = u^{∘L}.
    ///
    /// # Errors
    /// [`Error::Setting`] for L < 2.
    ///
    /// ```
    /// assert!(reparam::integrators::BregmanProximal::<f64>::new(1).is_err());
    /// ```
    pub fn new(depth: u32) -> Result<Self> {
        check_depth(depth)?;
        let empty = Vec::new;
        Ok(Self {
            depth,
            fixed: None,
            begun: false,
            t: T::zero(),
            h: T::one(),
            last: None,
            limit: None,
            rounding: false,
            p: empty(),
            residual: empty(),
            root: empty(),
            right: empty(),
            y: empty(),
            scaled: empty(),
            product: empty(),
            diagonal: empty(),
            trial: None,
            next: None,
            buffers: Buffers::default(),
        })
    }

    /// With a fixed step h.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is positive and finite.
    ///
    /// ```
    /// assert!(reparam::integrators::BregmanProximal::new(2).unwrap().with_fixed_step(0.0).is_err());
    /// ```
    pub fn with_fixed_step(mut self, step: T) -> Result<Self> {
        check_step(step)?;
        self.fixed = Some(step);
        Ok(self)
    }

    /// ψ'(x) − p + h∇f, and its size where coordinates move by about their own size.
    fn residual(&mut self, at: &Point<T>, h: T) -> T {
        let power = T::lit(1.0 - 1.0 / f64::from(self.depth)); // q/2
        let l = T::lit(f64::from(self.depth)).sqrt();
        let mut worst = T::zero();
        for j in 0..self.p.len() {
            let r = mirror_slope(self.depth, at.x[j]) - self.p[j] + h * at.g[j];
            self.residual[j] = r;
            self.root[j] = l * at.x[j].powf(power);
            // the relative change of x that it stands for
            let relative = (self.root[j] * self.root[j] * r / at.x[j]).abs();
            // (`max` drops NaN)
            worst = if worst.is_nan() || relative.is_nan() {
                T::nan()
            } else {
                worst.max(relative)
            };
        }
        worst
    }

    /// Solves for one step of length h into `self.trial`; false when Newton does not get there.
    fn solve(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        point: &Point<T>,
        h: T,
        curvature: &[T],
    ) -> Result<Trial> {
        let n = self.p.len();
        let (Some(mut at), Some(mut next)) = (self.trial.take(), self.next.take()) else {
            return Ok(Trial::NotFinite);
        };
        at.u.copy_from_slice(&point.u);
        at.x.copy_from_slice(&point.x);
        at.g.copy_from_slice(&point.g);
        at.gradient.copy_from_slice(&point.gradient);
        at.value = point.value;
        let mut outcome = Trial::Outside;
        let depth = self.depth;
        let merit = |z: &Point<T>| h * z.value + bregman_divergence(depth, &z.x, &point.x);
        let mut value = merit(&at);
        let target = T::epsilon().sqrt() * T::lit(1e-2);
        // the rounding of h∇f may be above that for large h: then Newton stands still, near enough
        let enough = T::epsilon().sqrt() * T::lit(10.0);
        let (mut before, mut stands) = (T::infinity(), 0);
        self.rounding = false;
        for _ in 0..NEWTON {
            let size = self.residual(&at, h);
            stands = if size > T::lit(0.5) * before {
                stands + 1
            } else {
                0
            };
            before = size;
            if size <= target || (size <= enough && stands >= 2) {
                self.rounding = size > target;
                outcome = Trial::Fine;
                break;
            }
            // (far away, a coordinate that grows by decades contracts slowly too)
            if stands >= 5 && size < T::lit(1e-2) {
                break;
            }
            for j in 0..n {
                self.right[j] = -self.root[j] * self.residual[j];
                self.diagonal[j] = T::one() + h * self.root[j] * self.root[j] * curvature[j].max(T::zero());
            }
            let (root, scaled, product) = (&self.root, &mut self.scaled, &mut self.product);
            let solved = conjugate_gradient(
                |v, out| {
                    for j in 0..n {
                        scaled[j] = root[j] * v[j];
                    }
                    lifted.counts.hessian_products += 1;
                    let offered = lifted
                        .objective()
                        .hessian_vector(&at.x, scaled, product)
                        .map_err(Error::Evaluation)?;
                    if !offered {
                        return Err(no_hessian());
                    }
                    for j in 0..n {
                        out[j] = v[j] + h * root[j] * product[j];
                    }
                    Ok(())
                },
                &self.diagonal,
                &self.right,
                &mut self.y,
                T::lit(1e-1).min(size).max(T::epsilon().sqrt()) * T::lit(1e-2),
                (2 * n).max(50),
                &mut self.buffers,
            )?;
            if solved == Outcome::NotPositive {
                break;
            }
            // y ← δ
            for j in 0..n {
                self.y[j] *= self.root[j];
            }
            let slope = dot(&self.residual, &self.y);
            let mut s = T::one();
            let mut moved = false;
            for _ in 0..40 {
                for j in 0..n {
                    let (x, d) = (at.x[j], s * self.y[j]);
                    next.x[j] = if d > T::zero() {
                        x + d
                    } else {
                        let p = mirror_slope(self.depth, x) + d / (self.root[j] * self.root[j]);
                        from_mirror_slope(self.depth, p).unwrap_or_else(T::zero)
                    };
                }
                let trial = place_in_x(lifted, &mut next)?;
                let after = if trial == Trial::Fine {
                    merit(&next)
                } else {
                    T::nan()
                };
                // (in the last iterations the merit, full of cancellation, no longer sees the difference, and none is needed)
                let near = trial == Trial::Fine && size < T::lit(1e-3);
                let noise = T::lit(16.0) * T::epsilon() * (value.abs() + h * next.value.abs());
                if near || after <= value + T::lit(1e-4) * s * slope + noise {
                    std::mem::swap(&mut at, &mut next);
                    value = after;
                    moved = true;
                    break;
                }
                s *= T::lit(0.5);
            }
            if !moved {
                if size <= enough {
                    self.rounding = true;
                    outcome = Trial::Fine;
                }
                break;
            }
        }
        if outcome == Trial::Fine {
            // p moves by a gradient, so that the leaf is kept whatever is left of the residual; x is that of p to as much
            for j in 0..n {
                self.product[j] = self.p[j] - h * at.g[j];
            }
        }
        self.trial = Some(at);
        self.next = Some(next);
        Ok(outcome)
    }
}

fn no_hessian() -> Error {
    Error::Setting {
        name: "Bregman proximal steps",
        why: "need an objective with Hessian products (FiniteDifference adds them)",
    }
}

impl<T: Scalar> Method<T> for BregmanProximal<T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "Bregman proximal points"
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, curvature: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut h = self.fixed.unwrap_or(self.h);
        for _ in 0..60 {
            let (step, cut) = match self.limit {
                Some(limit) if limit > self.t && self.t + h * T::lit(1.0 + 1e-9) >= limit => {
                    (limit - self.t, true)
                }
                _ => (h, false),
            };
            match self.solve(lifted, point, step, curvature)? {
                Trial::Fine => {
                    if let Some(trial) = &mut self.trial {
                        std::mem::swap(point, trial);
                    }
                    std::mem::swap(&mut self.p, &mut self.product);
                    self.last = Some(step);
                    self.t = match self.limit {
                        Some(limit) if cut => limit,
                        _ => self.t + step,
                    };
                    // (rounding grows with h, or with ψ'(x₀): to know which, try)
                    let longer = h * T::lit(if self.rounding { 2.0 } else { 4.0 });
                    self.h = longer.min(T::max_value().sqrt());
                    return Ok(Step::Moved);
                }
                _ if self.fixed.is_some() => return Ok(Step::LeftDomain),
                _ => h = step * T::lit(0.125),
            }
        }
        Ok(Step::Stalled)
    }

    fn reset(&mut self) {
        self.begun = false;
    }
}

impl<T: Scalar> Integrator<T> for BregmanProximal<T> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        let n = point.x.len();
        let l = f64::from(self.depth);
        let ones = vec![T::one(); n];
        let mut out = vec![T::zero(); n];
        for s in [1.0, 4.0] {
            let expected = T::lit(l * l * f64::powf(s, 2.0 - 2.0 / l));
            let map = lifted.map();
            let fits = map.metric(&vec![T::lit(s); n], &ones, &mut out, lifted.scratch())
                && out
                    .iter()
                    .all(|v| (*v - expected).abs() <= T::lit(1e-4) * expected);
            if !fits {
                return Err(Error::Setting {
                    name: "Bregman proximal steps",
                    why: "are made for x = u^L on x ≥ 0 (the map Power, or Squares) with the same L",
                });
            }
        }
        require_inside(point)?;
        if !lifted
            .objective()
            .hessian_vector(&point.x, &point.x, &mut out)
            .map_err(Error::Evaluation)?
        {
            return Err(no_hessian());
        }
        self.begun = true;
        self.t = T::zero();
        self.last = None;
        self.p = point.x.iter().map(|x| mirror_slope(self.depth, *x)).collect();
        for v in [
            &mut self.residual,
            &mut self.root,
            &mut self.right,
            &mut self.y,
            &mut self.scaled,
            &mut self.product,
            &mut self.diagonal,
        ] {
            v.clear();
            v.resize(n, T::zero());
        }
        self.trial = Some(point.clone());
        self.next = Some(point.clone());
        // as long as the fastest coordinate takes to change by its own size
        self.residual(point, T::zero());
        let rate = max_or_nan((0..n).map(|j| (self.root[j] * self.root[j] * point.g[j] / point.x[j]).abs()));
        self.h = if rate > T::zero() && rate.is_finite() {
            T::one() / rate
        } else {
            T::one() / max_abs(&point.g).max(T::min_positive_value())
        };
        Ok(())
    }
    fn time(&self) -> T {
        self.t
    }
    fn step_size(&self) -> T {
        self.last.unwrap_or_else(T::nan)
    }
    fn stop_at(&mut self, time: T) {
        self.limit = time.is_finite().then_some(time);
    }
}
