//! What a run of [`Minimize`](super::Minimize) does in x: the residual, the steps that leave a face, the last touch.

use super::minimize::Checkpoint;
use super::{Certificate, Phase, Solution, Status};
use crate::lifted::Lifted;
use crate::linalg::{dot, max_abs};
use crate::maps::{Boundary, Reparametrization};
use crate::methods::{Method, State, Step};
use crate::objectives::{Convexity, Objective};
use crate::{Error, MapError, Result, Scalar};
use std::time::Instant;

/// A stationary point of a convex function is a solution.
pub(super) fn converged<T: Scalar>(objective: &dyn Objective<T>) -> Status {
    if objective.convexity() == Convexity::Convex {
        Status::Solved
    } else {
        Status::Stationary
    }
}

/// u with φ(u) = x; a map that never reaches the boundary starts as near to it as its size allows.
pub(super) fn section<T: Scalar, M: Reparametrization<T> + ?Sized>(
    map: &M,
    x: &[T],
    u: &mut [T],
) -> Result<(), MapError> {
    match map.section(x, Boundary::Exact, u) {
        Err(MapError::OnBoundary { .. }) => map.section(x, Boundary::Nudge(T::epsilon().sqrt()), u),
        other => other,
    }
}

/// What happens in x: the residual, the steps that leave a face, the last touch.
pub(super) struct Judge<'m, T, M: ?Sized> {
    map: &'m M,
    c: Vec<T>,
    target: Vec<T>,
    metric: Vec<T>,
    before: Option<(Vec<T>, Vec<T>)>,
}

impl<'m, T: Scalar, M: Reparametrization<T>> Judge<'m, T, M> {
    pub(super) fn new(map: &'m M) -> Self {
        let n = map.dim_x();
        Self {
            map,
            c: vec![T::one(); n],
            target: vec![T::zero(); n],
            metric: vec![T::zero(); map.dim_u()],
            before: None,
        }
    }

    /// h ← diag ∇²f where f offers it; else the secant ⟨Δx, Δg⟩/⟨Δx, Δx⟩ of the last move, when that is positive.
    pub(super) fn curvature(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Checkpoint<T>) -> Result<()> {
        let known = lifted
            .objective()
            .hessian_diagonal(&c.point.x, &mut c.h)
            .map_err(Error::Evaluation)?;
        if !known || c.h.iter().any(|v| !v.is_finite()) {
            let secant = self.before.as_ref().and_then(|(x, g)| {
                let dx: Vec<T> = c.point.x.iter().zip(x).map(|(a, b)| *a - *b).collect();
                let dg: Vec<T> = c.point.g.iter().zip(g).map(|(a, b)| *a - *b).collect();
                let s = dot(&dx, &dg) / dot(&dx, &dx);
                (s.is_finite() && s > T::zero()).then_some(s)
            });
            match secant {
                Some(s) => c.h.fill(s),
                None if c.iteration == 0 => {
                    // the step that changes x by its own size
                    let s = max_abs(&c.point.g) / max_abs(&c.point.x).max(T::one());
                    c.h.fill(if s > T::zero() && s.is_finite() {
                        s
                    } else {
                        T::one()
                    });
                }
                None => {}
            }
        } else {
            // only a direction without any curvature gets a stand-in: scales may differ by any number of decades
            let stand_in = (max_abs(&c.h) * T::epsilon()).max(T::min_positive_value());
            c.h.iter_mut()
                .filter(|v| **v <= T::zero())
                .for_each(|v| *v = stand_in);
        }
        for (o, h) in self.c.iter_mut().zip(&c.h) {
            *o = h.sqrt();
        }
        Ok(())
    }

    /// In units of √f, before division by the size of f.
    fn raw_residual(&self, x: &[T], g: &[T]) -> T {
        self.map.set().natural_residual(x, g, Some(&self.c))
    }

    fn size(c: &Checkpoint<T>) -> T {
        let f = c.point.value;
        (T::lit(2.0) * f.abs().max(T::epsilon().sqrt() * (f - c.first_value).abs())).sqrt()
    }

    pub(super) fn residual(&self, c: &Checkpoint<T>) -> T {
        let raw = self.raw_residual(&c.point.x, &c.point.g);
        if raw == T::zero() {
            raw
        } else {
            raw / Self::size(c)
        }
    }

    /// One iteration: a step of the method, or one in x where the lift has nothing to offer.
    pub(super) fn advance(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Checkpoint<T>,
    ) -> Result<Option<Status>> {
        let x_before = c.point.x.clone();
        let g_before = c.point.g.clone();
        lifted.metric(&c.point, &c.h, &mut self.metric);
        // what the lift and what x promise, both as decreases of f
        let lift: T = c
            .point
            .gradient
            .iter()
            .zip(&self.metric)
            .map(|(g, m)| *g * *g / *m)
            .sum();
        let raw = self.raw_residual(&x_before, &g_before);
        let mut outcome = Step::Stalled;
        if lift >= T::lit(1e-2) * raw * raw {
            outcome = c.method.step(lifted, &mut c.point, &c.h)?;
        }
        let mut status = None;
        if outcome != Step::Moved {
            if self.step_in_x(lifted, c)? {
                c.counts = lifted.counts;
                lifted.counts.releases += 1;
                outcome = Step::Moved;
            } else if outcome == Step::Stalled && lift < T::lit(1e-2) * raw * raw {
                // the face could not be left in x: whatever the lift still has is worth a try
                outcome = c.method.step(lifted, &mut c.point, &c.h)?;
            }
        }
        match outcome {
            Step::Moved => {
                let moved = c.point.x != x_before;
                c.stalls = if moved { 0 } else { c.stalls + 1 };
                if c.stalls > 5 {
                    status = Some(Status::Stalled);
                }
                if max_abs(&c.point.x) > T::lit(1e10) * (T::one() + max_abs(&x_before)).min(T::lit(1e10))
                    && c.point.value < c.first_value
                {
                    status = Some(Status::AtInfinity);
                }
                self.before = Some((x_before, g_before));
            }
            Step::NotFinite => status = Some(Status::NotFinite),
            Step::Stalled => status = Some(Status::Stalled),
        }
        Ok(status)
    }

    /// target ← P(x − g/h), with the largest h for all where the set couples coordinates; false when the set has no projection.
    fn project(&mut self, x: &[T], g: &[T], h: &[T]) -> bool {
        let set = self.map.set();
        let top = max_abs(h);
        let separable = set.is_separable();
        for j in 0..x.len() {
            self.target[j] = x[j] - g[j] / if separable { h[j] } else { top };
        }
        set.project(&mut self.target)
    }

    /// A projected step in x with backtracking, lifted back by the section: leaves any face.
    fn step_in_x(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Checkpoint<T>) -> Result<bool> {
        let (x, g) = (c.point.x.clone(), c.point.g.clone());
        if !self.project(&x, &g, &c.h) {
            return Ok(false);
        }
        let mut next = c.point.clone();
        let mut t = T::one();
        let mut trial = vec![T::zero(); x.len()];
        for _ in 0..50 {
            for j in 0..x.len() {
                // exactly the target at t = 1, bounds included
                trial[j] = if t == T::one() {
                    self.target[j]
                } else {
                    x[j] + t * (self.target[j] - x[j])
                };
            }
            let slope: T = (0..x.len()).map(|j| g[j] * (trial[j] - x[j])).sum();
            if slope.is_nan() || slope >= T::zero() {
                return Ok(false);
            }
            if section(self.map, &trial, &mut next.u).is_err() {
                return Ok(false);
            }
            lifted.evaluate(&mut next)?;
            if next.is_finite()
                && next.value <= c.point.value + T::lit(1e-4) * slope
                && next.value < c.point.value
            {
                c.point = next;
                c.method.reset();
                return Ok(true);
            }
            t *= T::lit(0.25);
        }
        Ok(false)
    }

    /// A projected step of 1/`shorter` of its length, evaluated in x; whether it was kept (or nothing was left to do).
    fn last_touch(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Checkpoint<T>,
        rho: &mut T,
        tolerance: T,
        shorter: T,
    ) -> Result<bool> {
        let (x, g) = (c.point.x.clone(), c.point.g.clone());
        let h: Vec<T> = c.h.iter().map(|v| *v * shorter).collect();
        if !self.project(&x, &g, &h) || self.target == x {
            return Ok(true);
        }
        let mut there = c.clone();
        there.point.x.copy_from_slice(&self.target);
        lifted.counts.values += 1;
        lifted.counts.gradients += 1;
        let point = &mut there.point;
        point.value = lifted
            .objective()
            .value_gradient(&point.x, &mut point.g)
            .map_err(Error::Evaluation)?;
        if !point.value.is_finite() || point.g.iter().any(|v| !v.is_finite()) {
            return Ok(false);
        }
        self.curvature(lifted, &mut there)?;
        // a sum of many terms is not known better than this
        let noise = T::lit(64.0) * T::epsilon() * c.point.value.abs();
        let after = self.residual(&there);
        if there.point.value <= c.point.value + noise && after <= rho.max(tolerance) {
            *rho = after;
            *c = there;
            return Ok(true);
        }
        self.curvature(lifted, c)?;
        Ok(false)
    }

    /// One more projected step, evaluated in x: coordinates held down by their multipliers land exactly on their bounds. Kept
    /// when neither f nor the residual suffers. Then the certificate.
    pub(super) fn finish(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        mut c: Checkpoint<T>,
        mut rho: T,
        mut status: Status,
        tolerance: T,
        clock: Instant,
    ) -> Result<Solution<T>> {
        if status != Status::NotFinite && c.point.is_finite() {
            // shorter and shorter: all coordinates at once may overshoot where they are strongly coupled
            for shorter in [1.0, 10.0, 1e2, 1e3, 1e4] {
                if self.last_touch(lifted, &mut c, &mut rho, tolerance, T::lit(shorter))? {
                    break;
                }
            }
        }
        if status != Status::NotFinite && rho <= tolerance {
            status = converged(&*lifted.objective());
        }
        let set = self.map.set();
        let mut multipliers = vec![T::zero(); c.point.x.len()];
        set.multipliers(&c.point.x, &c.point.g, &mut multipliers);
        let gap = set
            .frank_wolfe_gap(&c.point.x, &c.point.g)
            .unwrap_or_else(T::infinity);
        let violation = set.violation(&c.point.x);
        Ok(Solution {
            objective: c.point.value,
            residual: Vec::new(),
            residual_norm: T::nan(),
            status,
            certificate: Certificate::new(rho, gap, violation, multipliers),
            iterations: c.iteration,
            counts: lifted.counts,
            phase: match c.method {
                State::Lbfgs(_) => Phase::Lbfgs,
                State::ConjugateGradient(_) => Phase::ConjugateGradient,
                State::TrustRegion(_) => Phase::TrustRegion,
                State::LevenbergMarquardt(_) => Phase::LevenbergMarquardt,
            },
            elapsed: clock.elapsed(),
            x: c.point.x,
        })
    }
}
