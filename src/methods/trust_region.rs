//! Newton's method with a trust region; the model is minimised by truncated conjugate gradients.
//!
//! Steihaug (1983), in the metric of the lift. The Hessian of the lift, Jᵀ∇²f J + Σ gᵢ∇²φᵢ, is never formed; where f has no
//! Hessian products, differences of ∇F replace them.

use super::buffers::Buffers;
use super::{Method, Step};
use crate::lifted::{Lifted, Point};
use crate::linalg::{axpy, dot, max_abs};
use crate::outcome::Phase;
use crate::{Result, Scalar};

/// Trust-region Newton with truncated conjugate gradients.
///
/// ```
/// use reparam::methods::{Method, TrustRegion};
/// assert_eq!(Method::<f64>::name(&TrustRegion::new()), "trust region");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TrustRegion<T> {
    /// In the norm of the metric; None before the first step.
    radius: Option<T>,
    metric: Vec<T>,
    next: Option<Point<T>>,
    /// s, and what conjugate gradients need: r, z, d, ∇²F d.
    #[cfg_attr(feature = "serde", serde(skip, default = "Buffers::empty"))]
    work: Buffers<T, 5>,
}

impl<T: Scalar> Default for TrustRegion<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> TrustRegion<T> {
    /// With the first radius chosen from the gradient.
    ///
    /// ```
    /// let _ = reparam::methods::TrustRegion::<f64>::new();
    /// ```
    pub fn new() -> Self {
        Self {
            radius: None,
            metric: Vec::new(),
            next: None,
            work: Buffers::empty(),
        }
    }

    /// Minimises ⟨∇F, s⟩ + ½⟨s, ∇²F s⟩ within the radius: the step in the first vector of `work`; the decrease of the model.
    fn model_step(
        &self,
        lifted: &mut Lifted<'_, T>,
        point: &Point<T>,
        radius: T,
        scratch: &mut Point<T>,
        work: &mut [Vec<T>; 5],
    ) -> Result<T> {
        let p = point.u.len();
        let [s, r, z, d, hd] = work;
        s.fill(T::zero());
        r.copy_from_slice(&point.gradient);
        for k in 0..p {
            z[k] = r[k] / self.metric[k];
            d[k] = -z[k];
        }
        let mut rz = dot(r, z);
        // ⟨s, s⟩, ⟨s, d⟩ and ⟨d, d⟩ in the metric, by the recurrences of preconditioned conjugate gradients (Conn, Gould & Toint
        // 2000, section 7.5.1), in which z is orthogonal to s
        let (mut ss, mut sd, mut dd) = (T::zero(), T::zero(), rz);
        let start = rz.sqrt();
        // superlinear: the closer, the more exact (Dembo, Eisenstat & Steihaug 1982)
        // (close in units of f: start² is a decrease of f)
        let close = start / (point.value.abs() + point.value.abs()).sqrt();
        let target = start * T::lit(0.1).min(close.sqrt());
        for _ in 0..(2 * p).max(10) {
            // (a truncated step is one of descent, too)
            if crate::outcome::is_over() {
                break;
            }
            product(lifted, point, d, hd, scratch)?;
            let curvature = dot(d, hd);
            let alpha = rz / curvature;
            let reached = ss + alpha * (sd + sd + alpha * dd);
            if curvature.is_nan() || curvature <= T::zero() || reached.is_nan() || reached >= radius * radius
            {
                // to the boundary: the model goes down all the way there
                let (a, b, c): (T, T, T) = {
                    let weighted = |x: &[T], y: &[T]| {
                        x.iter()
                            .zip(y)
                            .zip(&self.metric)
                            .map(|((u, v), m)| *u * *v * *m)
                            .sum::<T>()
                    };
                    (weighted(d, d), weighted(s, d), weighted(s, s) - radius * radius)
                };
                let t = (-b + (b * b - a * c).max(T::zero()).sqrt()) / a;
                axpy(t, d, s);
                break;
            }
            axpy(alpha, d, s);
            axpy(alpha, hd, r);
            for ((o, a), m) in z.iter_mut().zip(r.iter()).zip(&self.metric) {
                *o = *a / *m;
            }
            let next = dot(r, z);
            if next.is_nan() || next.sqrt() <= target {
                break;
            }
            let beta = next / rz;
            rz = next;
            ss = reached;
            sd = beta * (sd + alpha * dd);
            dd = rz + beta * beta * dd;
            for (o, v) in d.iter_mut().zip(z.iter()) {
                *o = beta * *o - *v;
            }
        }
        product(lifted, point, s, hd, scratch)?;
        Ok(-dot(&point.gradient, s) - T::lit(0.5) * dot(s, hd))
    }
}

/// out ← ∇²F v, by a difference of gradients where f has no Hessian products.
fn product<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    point: &Point<T>,
    v: &[T],
    out: &mut [T],
    scratch: &mut Point<T>,
) -> Result<()> {
    if lifted.hessian_vector(point, v, out)? {
        return Ok(());
    }
    let size = max_abs(v);
    if size == T::zero() {
        out.fill(T::zero());
        return Ok(());
    }
    // relative to u, or, near u = 0, to v: v is a step of the model, and so has the size of what u may become
    let h = T::epsilon().sqrt() * max_abs(&point.u).max(size) / size;
    for ((o, u), d) in scratch.u.iter_mut().zip(&point.u).zip(v) {
        *o = *u + h * *d;
    }
    lifted.evaluate(scratch)?;
    for ((o, a), b) in out.iter_mut().zip(&scratch.gradient).zip(&point.gradient) {
        *o = (*a - *b) / h;
    }
    Ok(())
}

impl<T: Scalar> Method<T> for TrustRegion<T> {
    fn name(&self) -> &'static str {
        "trust region"
    }

    fn phase(&self) -> Phase {
        Phase::TrustRegion
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step> {
        self.metric.resize(point.u.len(), T::one());
        lifted.metric(point, h, &mut self.metric);
        let scale = point
            .gradient
            .iter()
            .zip(&self.metric)
            .map(|(g, m)| *g * *g / *m)
            .sum::<T>()
            .sqrt();
        if scale == T::zero() {
            return Ok(Step::Stalled);
        }
        // as far as the gradient step reaches, but not farther than u itself is long
        let mut radius = self.radius.unwrap_or_else(|| {
            let length = point
                .u
                .iter()
                .zip(&self.metric)
                .map(|(u, m)| *u * *u * *m)
                .sum::<T>()
                .sqrt();
            // (at u = 0 there is no such length)
            if length > T::zero() {
                scale.min(length)
            } else {
                scale
            }
        });
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut outcome = Step::Stalled;
        let mut work = self.work.take([point.u.len(); 5], T::zero());
        for _ in 0..60 {
            let predicted = self.model_step(lifted, point, radius, &mut next, &mut work)?;
            let s = &work[0];
            for ((o, u), v) in next.u.iter_mut().zip(&point.u).zip(s) {
                *o = *u + *v;
            }
            if next.u == point.u {
                break;
            }
            lifted.evaluate(&mut next)?;
            let length = s
                .iter()
                .zip(&self.metric)
                .map(|(a, m)| *a * *a * *m)
                .sum::<T>()
                .sqrt();
            let noise = T::lit(4.0) * T::epsilon() * point.value.abs();
            let actual = point.value - next.value;
            let ratio = (actual + noise) / (predicted + noise);
            if !next.is_finite() {
                outcome = Step::NotFinite;
                radius = length.min(radius) * T::lit(0.1);
                continue;
            }
            outcome = Step::Stalled;
            if ratio.is_nan() || ratio < T::lit(0.25) {
                radius = length.min(radius) * T::lit(0.25);
            } else if ratio > T::lit(0.75) && length > T::lit(0.8) * radius {
                radius *= T::lit(2.5);
            }
            let slope =
                |gradient: &[T]| -> T { gradient.iter().zip(&self.metric).map(|(g, m)| *g / *m * *g).sum() };
            let better =
                actual > T::zero() || (actual >= -noise && slope(&next.gradient) < slope(&point.gradient));
            if ratio > T::lit(0.1) && better {
                std::mem::swap(point, &mut next);
                outcome = Step::Moved;
                break;
            }
        }
        self.work.put_back(work);
        self.radius = Some(radius);
        self.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        self.radius = None;
    }
}
