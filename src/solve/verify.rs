//! The check of a claim of convergence that rests on an estimated curvature: f is evaluated near x, and the claim must hold with
//! what is found there.

use super::minimize::Iterate;
use super::optimality::{GRADIENT_ROUNDING, Optimality, own_length, own_size, positive, reach, secant};
use crate::lifted::Lifted;
use crate::linalg::{max_abs, max_or_nan};
use crate::maps::Reparametrization;
use crate::{Result, Scalar};

/// Rounding of f in units of ε |f|: a sum of many terms is not known better than this.
pub(super) const VALUE_ROUNDING: f64 = 64.0;

/// From one projected step to the next that is tried: a factor of its length.
const LONGER: f64 = 16.0;

/// Steps of coordinates that are made together differ by this factor at most (but for the last group): a far longer step of another coordinate would count as curvature
/// of the one with the short step.
const LIKE_STEPS: f64 = 1e2;

/// So many groups of such coordinates at most, each with an evaluation.
const GROUPS: usize = 4;

/// So many projected steps are evaluated at most.
const STEPS: usize = 12;

/// A gap that is more than this part of f contradicts a residual that says otherwise.
pub(super) const CONTRADICTION: f64 = 1e-3;

/// Rounding of a coordinate of x in units of ε |x|: what a map and its section leave of it.
const POINT_ROUNDING: f64 = 1e3;

/// Part of a change by which f and its gradient may disagree along a step: a gradient that is wrong by a factor of 2 in one of n like
/// coordinates is off by about 1/n.
const DISAGREEMENT: f64 = 0.05;

/// A step along which f did not change as the gradient says. (The vectors stay: iterations allocate nothing.)
#[derive(Debug, Clone)]
pub(super) struct Suspect<T> {
    /// Whether there is one.
    pub(super) holds: bool,
    from: Vec<T>,
    to: Vec<T>,
    /// f(to) − f(from)
    change: T,
    /// ⟨∇f, to − from⟩ at both ends.
    slopes: [T; 2],
    /// What the two may differ by.
    allowed: T,
}

impl<T: Scalar> Suspect<T> {
    pub(super) fn new(n: usize) -> Self {
        Self {
            holds: false,
            from: vec![T::zero(); n],
            to: vec![T::zero(); n],
            change: T::zero(),
            slopes: [T::zero(); 2],
            allowed: T::zero(),
        }
    }
}

impl<T: Scalar, M: Reparametrization<T>> Optimality<T, M> {
    /// Compares the change of f along the step just made with the trapezoid rule for ∇f. Only a step that f shows well above its rounding
    /// says anything; the latest such step counts. (Not for gradients by differences of f: they cannot contradict it, but for their errors.)
    pub(super) fn compare_step(&mut self, c: &Iterate<T>) {
        let Some(before) = c.recent.last().filter(|_| !self.known && self.errors.is_empty()) else {
            return;
        };
        let (x, g) = (&self.now.0, &self.now.1);
        let mut slopes = [T::zero(); 2];
        for j in 0..x.len() {
            let d = c.point.x[j] - x[j];
            slopes[0] += g[j] * d;
            slopes[1] += c.point.g[j] * d;
        }
        let half = T::lit(0.5);
        let (mean, width) = (
            half * (slopes[0] + slopes[1]),
            half * (slopes[1] - slopes[0]).abs(),
        );
        let allowed = T::lit(DISAGREEMENT) * (width + mean.abs());
        let terms = self.terms(&c.point.x);
        let sizes = before.abs() + c.point.value.abs() + terms * terms;
        let noise = T::lit(VALUE_ROUNDING) * T::epsilon() * sizes;
        if allowed.is_nan() || allowed <= T::lit(10.0) * noise {
            return; // too short a step
        }
        let change = c.point.value - *before;
        let s = &mut self.suspect;
        s.holds = (change - mean).abs() > allowed;
        if s.holds {
            s.from.clone_from(x);
            s.to.clone_from(&c.point.x);
            (s.change, s.slopes, s.allowed) = (change, slopes, allowed);
        }
    }

    /// Whether the gradient contradicts f: along the last visible step f did not change as the gradient says, and the gradient half-way
    /// does not explain it. (A kink or a long step bends the slope: then Simpson's rule differs from the trapezoid.) One evaluation, of a
    /// run that is under suspicion.
    pub(super) fn is_inconsistent(&mut self, lifted: &mut Lifted<'_, T>) -> Result<bool> {
        if !std::mem::take(&mut self.suspect.holds) || !self.map.set().is_convex() {
            return Ok(false);
        }
        let s = &self.suspect;
        let half = T::lit(0.5);
        for (t, (a, b)) in self.target.iter_mut().zip(s.from.iter().zip(&s.to)) {
            *t = *a + half * (*b - *a);
        }
        lifted.value_gradient(&self.target, &mut self.nearby)?;
        let steps = s.to.iter().zip(&s.from);
        let middle: T = self
            .nearby
            .iter()
            .zip(steps)
            .map(|(g, (b, a))| *g * (*b - *a))
            .sum();
        let mean = half * (s.slopes[0] + s.slopes[1]);
        let simpson = (mean + middle + middle) / T::lit(3.0);
        let off = (s.change - mean).abs();
        let straight = (middle - mean).abs() <= half * off;
        Ok(straight && (s.change - simpson).abs() > s.allowed)
    }

    /// Whether x is optimal as far as rounding lets one see, with curvatures that were checked: either a projected step promises no
    /// more than rounding of f, and what is left to first order, within the [`reach`] of x, is no part of f's size; or f has gone to zero,
    /// to what rounding of x does to it. The Frank–Wolfe gap, where there is one, must agree.
    ///
    /// ```text
    /// r² ≤ 2·64 ε |f|,  gap ≤ 2·10⁻³ |f|      or      r, √(2|f|) ≤ r̄ = 10³ ε max c|x|,  gap ≤ 8 n r̄ max c|x|
    /// ```
    ///
    /// with r = max c |x − P(x − g/c²)|.
    pub(super) fn at_precision(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<bool> {
        if !c.point.is_finite() {
            return Ok(false);
        }
        let gained = match c.gained_here() {
            Some(gained) => gained,
            None => self.verify(lifted, c)?,
        };
        if gained > T::zero() {
            return Ok(false);
        }
        let (f2, terms) = (T::lit(2.0) * c.point.value.abs(), self.terms(&c.point.x));
        let raw = self.raw_residual(&c.point) + self.doubt(c) * self.size(c);
        let doubt = self.doubt_of_gap(&c.point.x);
        let set = self.map.set();
        let gap = set
            .frank_wolfe_gap(&c.point.x, &c.point.g)
            .map(|gap| gap + doubt)
            .filter(|_| set.is_convex());
        let step = reach(&c.point) / max_abs(&c.point.g);
        let left = gap
            .or_else(|| self.projected_step(c, step))
            .unwrap_or_else(T::zero);
        let of_point = T::lit(POINT_ROUNDING) * T::epsilon() * terms;
        let of_value = (T::lit(VALUE_ROUNDING) * T::epsilon() * f2).sqrt();
        let settled = raw <= of_value && left <= T::lit(CONTRADICTION) * f2;
        let vanished = raw <= of_point
            && f2.sqrt() <= of_point
            && left <= T::lit(8.0) * T::count(c.point.x.len()) * of_point * terms;
        Ok(settled || vanished)
    }

    /// New curvatures from evaluations near x, and the decrease of f that a projected step was seen to make (0 where none did beyond
    /// rounding).
    pub(super) fn verify(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<T> {
        if self.known {
            return Ok(T::zero());
        }
        self.target.copy_from_slice(&c.point.x);
        let gained = if !self.map.set().project_in(&mut self.target, &mut self.work) {
            self.verify_lift(lifted, c)?
        } else if self.map.set().is_separable() {
            self.verify_coordinates(lifted, c)?;
            T::zero()
        } else {
            self.verify_steps(lifted, c)?
        };
        // (a decrease to −∞ is none that was seen)
        let gained = if gained.is_finite() { gained } else { T::zero() };
        c.verified = Some((c.iteration, gained));
        Ok(gained)
    }

    /// f and ∇f (into `nearby`) at the target; false where they are not finite: the edge of the domain.
    fn evaluate_target(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<Option<T>> {
        let value = lifted.value_gradient(&self.target, &mut self.nearby)?;
        c.counts = lifted.counts;
        Ok((value.is_finite() && self.nearby.iter().all(|v| v.is_finite())).then_some(value))
    }

    /// Where coordinates are independent: a gradient nearby gives a curvature for each of those that have moved. (One secant for all is that
    /// of the stiffest direction, and hides the others.)
    fn verify_coordinates(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<()> {
        let x = &c.point.x;
        let n = x.len();
        let small = T::epsilon().cbrt();
        // what counts as zero: far below the distance in which the slope or the curvature of x_j changes f by its own size
        let span = own_length(x, &c.point.g, c.point.value);
        let f = c.point.value.abs();
        let nothing = |j: usize| {
            let far = (f / c.point.g[j].abs()).min(((f + f) / c.h[j]).sqrt());
            small * positive(far).map_or(span, |far| far.min(span))
        };
        let steps: Vec<T> = (0..n).map(|j| small * x[j].abs().max(nothing(j))).collect();
        // (a coordinate that its gradient holds at a bound is there whatever its curvature, and stays there)
        let bounds = lifted.bounds();
        let is_held = |j: usize| {
            let at = |bound: T, sign: T| x[j] == bound && sign * c.point.g[j] > T::zero();
            bounds
                .as_ref()
                .is_some_and(|b| at(b.0[j], T::one()) || at(b.1[j], -T::one()))
        };
        for group in groups_of_like_steps(&steps, is_held) {
            if !self.verify_group(&group, &steps, lifted, c)? {
                break;
            }
            c.estimated = true;
        }
        if c.estimated {
            self.set_scale(&c.h, &c.point);
        }
        Ok(())
    }

    /// The curvatures of these coordinates from a gradient where they have moved; false where it is not finite.
    fn verify_group(
        &mut self,
        group: &[usize],
        steps: &[T],
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
    ) -> Result<bool> {
        let set = self.map.set();
        let x = &c.point.x;
        let step = |j: usize| if j.is_multiple_of(2) { steps[j] } else { -steps[j] };
        self.target.copy_from_slice(x);
        for j in group {
            self.target[*j] = x[*j] + step(*j);
        }
        set.project_in(&mut self.target, &mut self.work);
        for j in group {
            if self.target[*j] == x[*j] {
                self.target[*j] = x[*j] - step(*j);
            }
        }
        set.project_in(&mut self.target, &mut self.work);
        if self.evaluate_target(lifted, c)?.is_none() {
            return Ok(false); // nothing to learn here
        }
        let (x, g) = (&c.point.x, &c.point.g);
        let stand_in = own_size(x, g, c.point.value);
        let bounds = lifted.bounds();
        for j in group.iter().copied() {
            let (dx, dg) = (self.target[j] - x[j], self.nearby[j] - g[j]);
            let noise = T::lit(GRADIENT_ROUNDING) * T::epsilon() * self.nearby[j].abs().max(g[j].abs());
            let noise = noise + self.errors.get(j).map_or(T::zero(), |e| *e + *e);
            c.h[j] = if dx != T::zero() && dg.abs() > noise {
                (dg / dx).abs()
            } else {
                // too little change to tell: the largest curvature that would not have shown, or that which takes x_j to its bound
                let room = bounds.as_ref().map(|b| b.1[j] - b.0[j]).filter(|w| w.is_finite());
                let to_bound = room.and_then(|w| positive(g[j].abs() / w));
                let unseen = positive((noise / dx).abs()).map_or(stand_in, |h| h.min(stand_in));
                to_bound.map_or(unseen, |h| h.min(unseen))
            };
        }
        Ok(true)
    }

    /// Where the set couples coordinates: projected steps P(x − s g), from the one that the claim rests on to longer and longer ones as
    /// long as f falls, to shorter and shorter ones as long as they overshoot.
    ///
    /// With p(s) = ⟨g, x − P(x − s g)⟩ no point within R of x is lower than f(x) − p(s) − R²/(2s), for convex f: where p is below
    /// rounding of f at a long step, nothing has to be evaluated.
    fn verify_steps(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<T> {
        let f = c.point.value;
        let noise = T::lit(VALUE_ROUNDING) * T::epsilon() * f.abs();
        let longer = T::lit(LONGER);
        let Some(mut s) = self.step_within_reach(c, max_abs(&c.h).recip()) else {
            return Ok(T::zero());
        };
        // up to a step whose promise f can show; one that is longer than this only ends at the reach, or at a vertex that holds x
        let longest = reach(&c.point) / (T::epsilon() * max_abs(&c.point.g));
        while self.projected_step(c, s).is_some_and(|promise| promise <= noise) {
            if s.is_nan() || s >= longest || self.step_within_reach(c, s * longer) != Some(s * longer) {
                return Ok(T::zero());
            }
            s *= longer;
        }
        let mut gained = T::zero();
        let mut direction = None;
        for _ in 0..STEPS {
            match self.projected_step(c, s) {
                Some(promise) if promise > noise => {}
                _ => break,
            }
            let Some(value) = self.evaluate_target(lifted, c)? else {
                // the edge of the domain
                s /= longer;
                direction = Some(false);
                continue;
            };
            if let Some(h) = secant(
                [&c.point.x, &c.point.g],
                [&self.target, &self.nearby],
                &self.errors,
            ) {
                c.h.fill(h);
            }
            gained = gained.max(f - value);
            let slope: T = (0..self.target.len())
                .map(|j| self.nearby[j] * (self.target[j] - c.point.x[j]))
                .sum();
            let falling = slope < T::zero();
            if direction.is_some_and(|up| up != falling) {
                break; // the lowest point lies between this step and the last one
            }
            direction = Some(falling);
            if falling && self.step_within_reach(c, s * longer) != Some(s * longer) {
                break;
            }
            s = if falling { s * longer } else { s / longer };
        }
        self.set_scale(&c.h, &c.point);
        Ok(if gained > noise { gained } else { T::zero() })
    }

    /// Where the set has no projection: a short step against the gradient of the lift, which stays in the set.
    fn verify_lift(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<T> {
        let size = max_abs(&c.point.u) * T::epsilon().cbrt() / max_abs(&c.point.gradient);
        if !size.is_finite() || size <= T::zero() {
            return Ok(T::zero());
        }
        let mut u = c.point.u.clone();
        for (u, g) in u.iter_mut().zip(&c.point.gradient) {
            *u -= size * *g;
        }
        lifted.apply_map(&u, &mut self.target);
        let Some(value) = self.evaluate_target(lifted, c)? else {
            return Ok(T::zero());
        };
        if let Some(h) = secant(
            [&c.point.x, &c.point.g],
            [&self.target, &self.nearby],
            &self.errors,
        ) {
            c.h.fill(h);
        }
        self.set_scale(&c.h, &c.point);
        let (gained, f) = (c.point.value - value, c.point.value.abs());
        let noise = T::lit(VALUE_ROUNDING) * T::epsilon() * f;
        Ok(if gained > noise { gained } else { T::zero() })
    }

    /// target ← P(x − s g); the decrease ⟨g, x − target⟩ that f promises to first order. None without a projection.
    fn projected_step(&mut self, c: &Iterate<T>, s: T) -> Option<T> {
        let (x, g) = (&c.point.x, &c.point.g);
        for (t, (x, g)) in self.target.iter_mut().zip(x.iter().zip(g)) {
            *t = *x - s * *g;
        }
        if !self.map.set().project_in(&mut self.target, &mut self.work) {
            return None;
        }
        let along: T = (0..x.len()).map(|j| g[j] * (x[j] - self.target[j])).sum();
        along.is_finite().then_some(along)
    }

    /// The longest of s, s/16, s/256, … whose projected step stays within the [`reach`] of the point.
    fn step_within_reach(&mut self, c: &Iterate<T>, mut s: T) -> Option<T> {
        let limit = reach(&c.point);
        loop {
            let finite = self.projected_step(c, s).is_some();
            let length = max_or_nan(self.target.iter().zip(&c.point.x).map(|(a, b)| (*a - *b).abs()));
            if finite && length <= limit {
                return Some(s);
            }
            s /= T::lit(LONGER);
            if !s.is_finite() || s <= T::zero() {
                return None;
            }
        }
    }
}

/// Coordinates that are not held, in groups of steps of like length, the longest first; the last group takes what is left.
fn groups_of_like_steps<T: Scalar>(steps: &[T], is_held: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut moving: Vec<usize> = (0..steps.len()).filter(|j| !is_held(*j)).collect();
    moving.sort_by(|i, j| {
        let order = steps[*j].partial_cmp(&steps[*i]);
        order.unwrap_or(std::cmp::Ordering::Equal).then(i.cmp(j))
    });
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for j in moving {
        let full = groups.len() == GROUPS;
        match groups.last_mut() {
            Some(last) if full || T::lit(LIKE_STEPS) * steps[j] >= steps[last[0]] => last.push(j),
            _ => groups.push(vec![j]),
        }
    }
    groups
}
