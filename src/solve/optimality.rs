//! The part of a run of [`Minimize`](super::Minimize) that works in x: the optimality check, steps that leave a face, the final polish.

use super::minimize::Iterate;
use super::verify::{CONTRADICTION, Suspect, VALUE_ROUNDING};
use crate::clock::Instant;
use crate::lifted::section;
use crate::lifted::{Lifted, Point};
use crate::linalg::{max_abs, max_or_nan};
use crate::maps::Reparametrization;
use crate::methods::{Method, Step};
use crate::objectives::{Convexity, Objective};
use crate::outcome::{Certificate, Phase, Solution, Status};
use crate::{Error, Result, Scalar};
use std::time::Duration;

/// How many past values of f are kept for the floor of the residual.
pub(super) const RECENT: usize = 5;

/// How much longer or shorter the next trial is where the scale of a step in x is not known, and at most how many there are.
const GROWTH: f64 = 16.0;
const TRIALS: usize = 100;

/// After this many points in a row without a lower f or a smaller residual a run has stalled: near its end, rounding can make it cycle through a few
/// points.
const STALLS: usize = 20;

/// Within this times √ε one-sided differences are replaced by better ones.
const ROUGH: f64 = 100.0;

/// A change of f that is no more than rounding: of a few operations on terms of its size.
fn rounding_of<T: Scalar>(f: T) -> T {
    T::lit(4.0) * T::epsilon() * f.abs()
}

/// The curvature for which a step changes x by its own size; from x = 0, by the length over which a linear f would fall to zero.
pub(super) fn own_size<T: Scalar>(x: &[T], g: &[T], f: T) -> T {
    positive(max_abs(g) / own_length(x, g, f)).unwrap_or_else(T::one)
}

/// The size of x, or, at x = 0, the length over which a linear f would fall to zero: it changes as x does with the unit of x.
/// (With f = 0 there nothing tells the unit, and any length is a guess.)
pub(super) fn own_length<T: Scalar>(x: &[T], g: &[T], f: T) -> T {
    positive(max_abs(x))
        .or_else(|| positive(f.abs() / max_abs(g)))
        .unwrap_or_else(T::one)
}

pub(super) fn positive<T: Scalar>(v: T) -> Option<T> {
    (v > T::zero() && v.is_finite()).then_some(v)
}

/// A projected step shorter than this fraction of x, in the metric of the curvature: x has converged, and only f* = 0 may keep ρ large.
const SETTLED: f64 = 1e-4;

/// A curvature c² whose terms c|x| exceed √|f| by more than this factor may belong to a distant point.
const PLAUSIBLE: f64 = 1e4;

/// How much of a change of the gradient may be rounding, in units of ε |g|.
pub(super) const GRADIENT_ROUNDING: f64 = 1e3;

/// The curvature ⟨Δx, Δg⟩/⟨Δx, Δx⟩ between two points [x, ∇f(x)], where it is positive and more than rounding of the gradients, or their
/// errors, where those are known.
pub(super) fn secant<T: Scalar>(from: [&[T]; 2], to: [&[T]; 2], errors: &[T]) -> Option<T> {
    let (mut xg, mut xx, mut noise, mut doubt) = (T::zero(), T::zero(), T::zero(), T::zero());
    for j in 0..from[0].len() {
        let dx = to[0][j] - from[0][j];
        xg += dx * (to[1][j] - from[1][j]);
        xx += dx * dx;
        noise += dx.abs() * to[1][j].abs().max(from[1][j].abs());
        doubt += errors.get(j).map_or(T::zero(), |e| dx.abs() * *e);
    }
    let s = xg / xx;
    // (an infinite bound says nothing)
    let noise = T::lit(GRADIENT_ROUNDING) * T::epsilon() * noise;
    let noise = if doubt.is_finite() {
        noise + T::lit(4.0) * doubt
    } else {
        noise
    };
    (s.is_finite() && s > T::zero() && xg > noise).then_some(s)
}

/// How far a step may go whose decrease a model of f predicts: as far as x is long, or as it would take to bring f to zero along its
/// slope. A start next to zero has no length of its own; a promise to the second limit is as large as f.
pub(super) fn reach<T: Scalar>(point: &Point<T>) -> T {
    let to_zero = point.value.abs() / max_abs(&point.g);
    let length = max_abs(&point.x);
    if to_zero.is_finite() && to_zero > length {
        to_zero
    } else {
        length
    }
}

/// The part of a run that works in x: the optimality check, steps that leave a face, the final polish.
///
/// The engine of [`Minimize`](super::Minimize) and of the adapters, between two iterations: [`measure`](Self::measure) at the point,
/// [`advance`](Self::advance), measure again, and [`polish`](Self::polish) and [`certify`](Self::certify) at the end.
#[derive(Debug, Clone)]
pub(crate) struct Optimality<T, M> {
    pub(super) map: M,
    /// √h
    pub(super) c: Vec<T>,
    pub(super) target: Vec<T>,
    metric: Vec<T>,
    /// x and ∇f before the last move.
    before: Option<(Vec<T>, Vec<T>)>,
    /// The same before the move that is being made.
    pub(super) now: (Vec<T>, Vec<T>),
    next: Option<Point<T>>,
    trial: Vec<T>,
    pub(super) nearby: Vec<T>,
    du: Vec<T>,
    /// Scratch of the set.
    pub(super) work: Vec<T>,
    /// Whether f offers its Hessian diagonal.
    pub(super) known: bool,
    diagonal: Vec<T>,
    /// Bounds of the errors of the entries of ∇f, where they are more than rounding; else empty.
    pub(super) errors: Vec<T>,
    /// x and ∇f at the foot of a projection arc.
    arc: (Vec<T>, Vec<T>),
    /// Whether the residual was within the tolerance, but not with these errors, and nothing can be done about them.
    noisy: bool,
    /// ρ with its error where [`after_stall`](Self::after_stall) has found the point stationary.
    found: Option<T>,
    /// Whether the point has moved since ρ was last measured.
    unseen: bool,
    /// The tolerance that was last asked for.
    wanted: T,
    /// A value of f that is never small: 0, or what [`relative_to_data`](Self::relative_to_data) has found.
    reference: T,
    /// Whether the projected step at the last residual was short beside x.
    settled: bool,
    /// The last step along which f changed visibly.
    pub(super) suspect: Suspect<T>,
}

impl<T: Scalar, M: Reparametrization<T>> Optimality<T, M> {
    pub(crate) fn new(map: M) -> Self {
        let (p, n) = (map.dim_u(), map.dim_x());
        Self {
            work: vec![T::zero(); map.set().scratch_len()],
            map,
            c: vec![T::one(); n],
            target: vec![T::zero(); n],
            metric: vec![T::zero(); p],
            before: None,
            now: (Vec::new(), Vec::new()),
            next: None,
            trial: vec![T::zero(); n],
            nearby: vec![T::zero(); n],
            du: vec![T::zero(); p],
            known: false,
            diagonal: Vec::new(),
            errors: Vec::with_capacity(n),
            arc: (Vec::with_capacity(n), Vec::with_capacity(n)),
            noisy: false,
            found: None,
            unseen: false,
            wanted: T::zero(),
            reference: T::zero(),
            settled: false,
            suspect: Suspect::new(n),
        }
    }

    /// Of linear least squares, measures residuals relative to ½‖b‖² = f(0), as [`Nnls`](crate::Nnls) does: methods that approach f* = 0
    /// slowly would never look converged relative to f itself.
    pub(super) fn relative_to_data(mut self, objective: &dyn Objective<T>) -> Self {
        if let Some(view) = objective.composite()
            && view.loss.quadratic()
        {
            let origin = vec![T::zero(); view.operator.rows()];
            let value = view.loss.value(view.offset.unwrap_or(&origin));
            if value.is_finite() {
                self.reference = value;
            }
        }
        self
    }

    /// Discards everything stored: another run begins.
    #[cfg(any(feature = "argmin", feature = "basin"))]
    pub(crate) fn restart(&mut self) {
        self.before = None;
        self.suspect.holds = false;
        self.noisy = false;
        self.found = None;
        self.unseen = false;
    }

    /// The residual ρ at the point, the curvature updated, a ρ within the tolerance confirmed; and whether x has converged for another
    /// reason ([`at_its_digits`](Self::at_its_digits)): [`Status::AtPrecision`].
    pub(crate) fn measure(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: Option<&mut dyn Method<T>>,
        tolerance: T,
    ) -> Result<(T, bool)> {
        self.curvature(lifted, c)?;
        self.unseen = false;
        let mut rho = self.residual(c);
        let mut found = false;
        self.update_errors(lifted);
        self.wanted = tolerance;
        // one-sided differences are good to some √ε in units of ρ: nearer to the end they lead nowhere
        let rough = !self.errors.is_empty() && !self.doubt(c).is_finite();
        if rough && rho <= T::lit(ROUGH) * T::epsilon().sqrt() && self.sharpen(lifted, c)? {
            rho = self.residual(c);
        }
        if rho <= tolerance {
            rho = self.confirm(lifted, c, method, rho)?;
            if rho <= tolerance && !self.errors.is_empty() {
                rho = self.trust(lifted, c, rho, tolerance)?;
            }
        } else {
            found = self.at_its_digits(lifted, c, method, tolerance);
        }
        c.counts = lifted.counts;
        Ok((rho, found))
    }

    /// h ← diag ∇²f where f offers it; else what [`verify`](Self::verify) has estimated, or the secant
    /// ⟨Δx, Δg⟩/⟨Δx, Δx⟩ of the last move, when that is positive.
    pub(crate) fn curvature(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<()> {
        let mut diagonal = std::mem::take(&mut self.diagonal);
        diagonal.resize(c.point.x.len(), T::zero());
        lifted.surround(&c.point.u, &c.point.x);
        self.known = lifted
            .objective()
            .hessian_diagonal(&c.point.x, &mut diagonal)
            .map_err(Error::Evaluation)?
            && diagonal.iter().all(|v| v.is_finite());
        if self.known {
            c.h.copy_from_slice(&diagonal);
            // where f is flat or concave there is no scale but that of the step which changes x by its own size; true scales
            // may differ by any number of decades, so that none is small beside another
            let point = &c.point;
            for (j, h) in c.h.iter_mut().enumerate().filter(|(_, h)| **h <= T::zero()) {
                *h = own_size(&point.x[j..=j], &point.g[j..=j], point.value);
            }
        } else if !c.estimated {
            let secant = self
                .before
                .as_ref()
                .and_then(|(x, g)| secant([x, g], [&c.point.x, &c.point.g], &self.errors));
            match secant {
                Some(s) => c.h.fill(s),
                None if c.iteration == 0 => c.h.fill(own_size(&c.point.x, &c.point.g, c.point.value)),
                None => {}
            }
        }
        self.diagonal = diagonal;
        self.set_scale(&c.h, &c.point);
        Ok(())
    }

    /// c ← √h, and no less than where a step of one coordinate ends at the [`reach`] of the point. Where a curvature is far too small (in
    /// the flat part of a loss, or in a direction that a difference did not see), so would be the residual, whatever the gradient says.
    pub(super) fn set_scale(&mut self, h: &[T], point: &Point<T>) {
        let reach = reach(point);
        for (o, (h, g)) in self.c.iter_mut().zip(h.iter().zip(&point.g)) {
            let least = g.abs() / reach;
            *o = if least > *h && least.is_finite() {
                least
            } else {
                *h
            }
            .sqrt();
        }
    }

    /// The residual with which convergence may be claimed, `rho` as it stands. A model of f that has seen all free directions is
    /// asked first: its promise, in the same units, costs nothing. Else [`verify`](Self::verify), once per iteration (a run
    /// resumed here must not count it twice).
    pub(super) fn confirm(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: Option<&mut dyn Method<T>>,
        rho: T,
    ) -> Result<T> {
        if let Some(gained) = c.gained_here() {
            return Ok(Self::refuted(c, rho, gained));
        }
        // (pairs from where f was far larger say little here: the terms that f is formed from are then much larger than f)
        let plausible = self.terms(&c.point.x) <= T::lit(PLAUSIBLE) * c.point.value.abs().sqrt();
        if !self.known
            && plausible
            && let Some(outlook) = method.and_then(|m| m.outlook(lifted, &c.point, &c.h))
            && !outlook.decrease.is_nan()
        {
            if outlook.decrease <= T::zero() {
                return Ok(rho);
            }
            let size = self.size(c);
            return Ok(rho.max((T::lit(2.0) * outlook.decrease).sqrt() / size));
        }
        // (with the curvatures that were estimated: a run resumed here knows no others)
        let gained = self.verify(lifted, c)?;
        let rho = self.residual(c);
        Ok(Self::refuted(c, rho, gained))
    }

    /// ρ beside a decrease of f that a projected step was seen to make: relative to f itself, for a floor for f* = 0 is no excuse for it.
    fn refuted(c: &Iterate<T>, rho: T, gained: T) -> T {
        if gained > T::zero() {
            rho.max((gained / c.point.value.abs()).sqrt())
        } else {
            rho
        }
    }

    /// Asks f for the errors of its last gradient.
    pub(super) fn update_errors(&mut self, lifted: &mut Lifted<'_, T>) {
        self.errors.resize(self.c.len(), T::zero());
        if !lifted.objective().gradient_error(&mut self.errors) {
            self.errors.clear();
        }
    }

    /// How much the errors of the gradient may change the residual; 0 where they are those of rounding.
    pub(crate) fn doubt(&self, c: &Iterate<T>) -> T {
        if self.errors.is_empty() {
            return T::zero();
        }
        // P does not stretch distances in its metric
        let terms = || self.errors.iter().zip(&self.c).map(|(e, c)| *e / *c);
        let raw = if self.map.set().is_separable() {
            max_or_nan(terms())
        } else {
            terms().map(|v| v * v).sum::<T>().sqrt()
        };
        raw / self.size(c)
    }

    /// The residual with the error of the gradient, before convergence is claimed on it: a gradient below its own error is no evidence.
    /// Where that is too large, f is asked for a better one.
    fn trust(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        mut rho: T,
        tolerance: T,
    ) -> Result<T> {
        let mut doubt = self.doubt(c);
        let within = |rho: T, doubt: T| rho + doubt <= tolerance;
        if !within(rho, doubt) && self.sharpen(lifted, c)? {
            (rho, doubt) = (self.residual(c), self.doubt(c));
        }
        self.noisy = rho <= tolerance && !within(rho, doubt);
        Ok(rho + doubt)
    }

    /// Asks f for better gradients, and for the one at the point. False where there are none, or a limit forbids the evaluation.
    fn sharpen(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<bool> {
        if crate::outcome::is_over() || !lifted.objective().sharpen() {
            return Ok(false);
        }
        let before = c.point.clone();
        lifted.evaluate_there(&mut c.point)?;
        let finite = c.point.is_finite();
        if !finite {
            c.point = before;
        }
        self.update_errors(lifted);
        Ok(finite)
    }

    /// No step of the method is left: with a better gradient there may be (None). Below its error there is none, and a point that is
    /// stationary with a curvature that was checked is found.
    fn after_stall(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: &mut dyn Method<T>,
    ) -> Result<Option<Status>> {
        if self.sharpen(lifted, c)? {
            method.reset();
            c.stalls = 0;
            return Ok(None);
        }
        self.update_errors(lifted);
        if !self.errors.is_empty() {
            // (a run that began at the solution has seen no curvature)
            let gained = self.verify(lifted, c)?;
            let rho = self.residual(c) + self.doubt(c);
            if gained <= T::zero() && rho <= self.wanted {
                self.found = Some(rho);
                return Ok(Some(Status::Stationary));
            }
        }
        let doubt = self.doubt(c);
        let below = self.residual(c) <= doubt + doubt || doubt > self.wanted;
        Ok(Some(if doubt > T::zero() && below {
            Status::NoiseLimit
        } else {
            Status::Stalled
        }))
    }

    /// ρ at the point where [`advance`](Self::advance) has ended the run, and the status there. `rho` is the last one that was
    /// measured.
    pub(crate) fn conclude(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: &mut dyn Method<T>,
        rho: T,
        status: Status,
        tolerance: T,
    ) -> Result<(T, Status)> {
        if let Some(rho) = self.found.take() {
            return Ok((rho, status));
        }
        // (the last step moved the point that ρ belongs to)
        if !std::mem::take(&mut self.unseen) || !c.point.is_finite() {
            return Ok((rho, status));
        }
        let (rho, found) = self.measure(lifted, c, Some(method), tolerance)?;
        let status = match status {
            Status::Stalled if rho <= tolerance => Status::Stationary,
            Status::Stalled if found => Status::AtPrecision,
            other => other,
        };
        Ok((rho, status))
    }

    /// f* = 0 (a model of f which has seen all free directions expects to lose a good part of f in one more step) leaves no
    /// residual relative to f: x is found when no coordinate would move by more than `tolerance` of itself,
    /// neither by the projected step nor by that of the model, which promises no decrease that shows beside what f has lost so far.
    fn at_its_digits(
        &mut self,
        lifted: &Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: Option<&mut dyn Method<T>>,
        tolerance: T,
    ) -> bool {
        let fallen = (c.first_value - c.point.value).abs();
        let Some(method) = method.filter(|m| m.moves_in_x()) else {
            return false;
        };
        if c.point.value.abs() > tolerance * fallen {
            return false;
        }
        let (x, g, h) = (&c.point.x, &c.point.g, &c.h);
        let near = self.project(x, g, h)
            && x.iter()
                .zip(&self.target)
                .all(|(a, b)| (*a - *b).abs() <= tolerance * a.abs());
        near && method.outlook(lifted, &c.point, &c.h).is_some_and(|o| {
            let to_zero = o.decrease >= T::lit(0.1) * c.point.value.abs();
            to_zero && o.relative_move <= tolerance && o.decrease <= tolerance * tolerance * fallen
        })
    }

    /// In units of √f, before division by the size of f: max c |x − P(x − g/c²)|.
    pub(super) fn raw_residual(&self, point: &Point<T>) -> T {
        self.map.set().natural_residual(&point.x, &point.g, Some(&self.c))
    }

    /// The size of the terms that f is formed from, in units of √f: what rounding in x does to f is ε of it.
    pub(super) fn terms(&self, x: &[T]) -> T {
        max_or_nan(self.c.iter().zip(x).map(|(c, x)| (*c * *x).abs()))
    }

    /// √(2 max(|f|, what f has changed by lately, scaled by √ε)): f* = 0 needs a floor. Only recent values count: against
    /// those of a far start everything would look converged.
    pub(super) fn size(&self, c: &Iterate<T>) -> T {
        let f = c.point.value;
        let (root, eps) = (T::epsilon().sqrt(), T::epsilon());
        let mut changes: [T; RECENT] = [T::zero(); RECENT];
        for (o, v) in changes.iter_mut().zip(&c.recent) {
            *o = (f - *v).abs();
        }
        // the median: one fall from a far start must not count
        changes.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        let lately = changes[RECENT / 2];
        let weight = if c.recent.len() >= RECENT {
            root
        } else {
            root * eps
        };
        // (an exponential falls by as many digits; but there x still moves, or f is worth as much as a short step)
        let floor = if self.settled {
            let short = T::lit(SETTLED) * self.terms(&c.point.x);
            (weight * lately)
                .max(root * eps * (f - c.first_value).abs())
                .min(short * short)
        } else {
            T::zero()
        };
        let size = (T::lit(2.0) * f.abs().max(floor).max(self.reference)).sqrt();
        // rounding in an exact answer is that of the terms, however small f is
        c.finished.as_ref().map_or(size, |e| size.max(e.terms))
    }

    pub(crate) fn residual(&mut self, c: &Iterate<T>) -> T {
        let raw = self.raw_residual(&c.point);
        self.settled = raw <= T::lit(SETTLED) * self.terms(&c.point.x);
        if raw == T::zero() { raw } else { raw / self.size(c) }
    }

    /// Adds f(x) to the recent values.
    fn remember_value(c: &mut Iterate<T>) {
        if c.recent.len() >= RECENT {
            c.recent.remove(0);
        }
        c.recent.push(c.point.value);
    }

    /// Called before each integrator step: f(x) joins the recent values, x and ∇f(x) are kept for
    /// the secant. Allocates once.
    pub(super) fn note(&mut self, c: &mut Iterate<T>) {
        Self::remember_value(c);
        let (x, g) = self
            .before
            .get_or_insert_with(|| (c.point.x.clone(), c.point.g.clone()));
        x.copy_from_slice(&c.point.x);
        g.copy_from_slice(&c.point.g);
    }

    /// Whether x runs away: the set is not bounded, f still fell in the last step, and numbers end here, either those of x, whose
    /// squares overflow, or those of f, which has fallen below all that it was. Before that nothing tells a problem without a
    /// solution from one whose solution is far away: only the unit of x says what is far.
    pub(super) fn at_infinity(&self, c: &Iterate<T>) -> bool {
        let (f, edge) = (c.point.value, T::max_value().sqrt());
        let fallen = f < -edge && f < -c.first_value.abs() / T::epsilon();
        (fallen || max_abs(&c.point.x) > edge)
            && f < c.first_value
            && c.recent.last().is_none_or(|before| f < *before)
            && self.map.set().frank_wolfe_gap(&c.point.x, &c.point.g).is_none()
    }

    /// Counts the points in a row that have neither a lower f nor a smaller residual than all before them.
    fn count_stalls(c: &mut Iterate<T>, raw: T) {
        let here = [c.point.value, raw];
        let Some(least) = &mut c.least else {
            c.least = here.iter().all(|v| v.is_finite()).then_some(here);
            return;
        };
        c.stalls += 1;
        for (least, here) in least.iter_mut().zip(here) {
            if here < *least {
                *least = here;
                c.stalls = 0;
            }
        }
    }

    /// One iteration: a step of the method, or one in x where the lift has nothing to offer.
    pub(crate) fn advance(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: &mut dyn Method<T>,
    ) -> Result<Option<Status>> {
        if std::mem::take(&mut self.noisy) {
            return Ok(Some(Status::NoiseLimit));
        }
        self.now.0.clone_from(&c.point.x);
        self.now.1.clone_from(&c.point.g);
        Self::remember_value(c);
        lifted.metric(&c.point, &c.h, &mut self.metric);
        // what the lift and what x promise, both as decreases of f
        let lift: T = c
            .point
            .gradient
            .iter()
            .zip(&self.metric)
            .map(|(g, m)| *g * *g / *m)
            .sum();
        let raw = self.raw_residual(&c.point);
        let mut outcome = Step::Stalled;
        let in_x = method.moves_in_x();
        let pure = method.is_dynamics();
        if !pure {
            Self::count_stalls(c, raw);
        }
        if in_x || pure || lift >= T::lit(1e-2) * raw * raw {
            outcome = method.step(lifted, &mut c.point, &c.h)?;
        }
        let mut status = None;
        if outcome != Step::Moved && !pure {
            if self.step_in_x(lifted, c)? {
                method.reset();
                c.counts = lifted.counts;
                lifted.counts.releases += 1;
                outcome = Step::Moved;
            } else if outcome == Step::Stalled && !in_x && lift < T::lit(1e-2) * raw * raw {
                // the face could not be left in x: whatever the lift still has is worth a try
                outcome = method.step(lifted, &mut c.point, &c.h)?;
            }
        }
        match outcome {
            Step::Moved => {
                self.unseen = true;
                self.compare_step(c);
                if pure {
                    // (dynamics may climb)
                    c.stalls = if c.point.x == self.now.0 { c.stalls + 1 } else { 0 };
                }
                if c.stalls > STALLS {
                    status = Some(Status::Stalled);
                }
                if self.at_infinity(c) {
                    status = Some(Status::AtInfinity);
                }
                std::mem::swap(self.before.get_or_insert_default(), &mut self.now);
            }
            // (no step is left that stays within the numbers)
            Step::NotFinite | Step::Stalled if self.at_infinity(c) => status = Some(Status::AtInfinity),
            Step::NotFinite => status = Some(Status::NotFinite),
            Step::LeftDomain => status = Some(Status::LeftDomain),
            Step::Stalled => status = Some(Status::Stalled),
        }
        if status == Some(Status::Stalled) && !pure {
            status = self.after_stall(lifted, c, method)?;
        }
        Ok(status)
    }

    /// target ← P(x − g/h), with the largest h for all where the set couples coordinates; false when the set has no projection.
    pub(super) fn project(&mut self, x: &[T], g: &[T], h: &[T]) -> bool {
        self.project_by(x, g, h, T::one())
    }

    /// target ← P(x − length·g/h).
    fn project_by(&mut self, x: &[T], g: &[T], h: &[T], length: T) -> bool {
        let set = self.map.set();
        let top = max_abs(h);
        let separable = set.is_separable();
        for j in 0..x.len() {
            self.target[j] = x[j] - length * (g[j] / if separable { h[j] } else { top });
        }
        set.project_in(&mut self.target, &mut self.work)
    }

    /// −⟨g, target − x⟩: what a linear f would lose on the way to the target.
    fn promise(&self, x: &[T], g: &[T]) -> T {
        (0..x.len()).map(|j| g[j] * (x[j] - self.target[j])).sum()
    }

    /// A projected step in x, lifted back by the section: leaves any face. It is searched for along the segment to the target; where f
    /// does not fall on the way (one large h is that of all coordinates of a coupled set, and rounding may hide so near a target), further out along the projection arc, and last towards a vertex, where the smallest step stays a number.
    pub(crate) fn step_in_x(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<bool> {
        if !self.project(&c.point.x, &c.point.g, &c.h) {
            return self.release(lifted, c);
        }
        let mut next = self.next.take().unwrap_or_else(|| c.point.clone());
        let mut found = self.project_to(lifted, c, &mut next);
        if let Ok(false) = found {
            found = self.along_arc(lifted, c, &mut next);
        }
        if let Ok(false) = found {
            found = self.towards_vertex(lifted, c, &mut next);
        }
        self.next = Some(next);
        found
    }

    /// P(x − α g/h) for growing α, as long as f falls. What a step cannot show in f is not evaluated.
    fn along_arc(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        next: &mut Point<T>,
    ) -> Result<bool> {
        let mut foot = std::mem::take(&mut self.arc);
        foot.0.clone_from(&c.point.x);
        foot.1.clone_from(&c.point.g);
        let found = self.along_arc_from((&foot.0, &foot.1), lifted, c, next);
        self.arc = foot;
        found
    }

    fn along_arc_from(
        &mut self,
        (x, g): (&[T], &[T]),
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        next: &mut Point<T>,
    ) -> Result<bool> {
        let noise = rounding_of(c.point.value);
        let (mut length, mut factor, mut found) = (T::one(), T::lit(GROWTH), false);
        for _ in 0..TRIALS {
            length *= factor;
            let before = self.promise(x, g);
            if !self.project_by(x, g, &c.h, length) || self.target.iter().any(|v| !v.is_finite()) {
                break;
            }
            let promise = self.promise(x, g);
            // NaN is no promise
            if promise.is_nan() || promise <= noise {
                continue;
            }
            if promise == before {
                break; // the end of the arc
            }
            if section(&self.map, &self.target, &mut next.u, lifted.scratch()).is_err() {
                break;
            }
            lifted.evaluate(next)?;
            if !next.is_finite() || next.value >= c.point.value - if found { T::zero() } else { noise } {
                break;
            }
            std::mem::swap(&mut c.point, next);
            found = true;
            factor *= factor.min(T::lit(GROWTH));
        }
        Ok(found)
    }

    /// x + t (s − x) with s the vertex to which f falls most steeply, t = 1 and shorter, as long as f could show it.
    fn towards_vertex(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        next: &mut Point<T>,
    ) -> Result<bool> {
        let set = self.map.set();
        let (x, g) = (&c.point.x, &c.point.g);
        if !set.minimise_linear_in(g, &mut self.target, &mut self.work) {
            return Ok(false);
        }
        let (promise, noise) = (self.promise(x, g), rounding_of(c.point.value));
        let mut t = T::one();
        for _ in 0..TRIALS {
            if !promise.is_finite() || t * promise <= noise {
                break;
            }
            for (o, (a, b)) in self.trial.iter_mut().zip(c.point.x.iter().zip(&self.target)) {
                // (the two shares, not x + t (s − x): s stays exact at t = 1, and nothing leaves a convex set)
                *o = (T::one() - t) * *a + t * *b;
            }
            if section(&self.map, &self.trial, &mut next.u, lifted.scratch()).is_ok() {
                lifted.evaluate(next)?;
                if next.is_finite() && next.value < c.point.value - noise {
                    std::mem::swap(&mut c.point, next);
                    return Ok(true);
                }
            }
            t /= T::lit(GROWTH);
        }
        Ok(false)
    }

    /// The search of [`step_in_x`](Self::step_in_x) towards the target.
    fn project_to(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        next: &mut Point<T>,
    ) -> Result<bool> {
        let mut t = T::one();
        let trial = &mut self.trial;
        for _ in 0..50 {
            let (x, g) = (&c.point.x, &c.point.g);
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
            if section(&self.map, trial, &mut next.u, lifted.scratch()).is_err() {
                t *= T::lit(0.25);
                continue;
            }
            lifted.evaluate(next)?;
            if next.is_finite()
                && next.value <= c.point.value + T::lit(1e-4) * slope
                && next.value < c.point.value
            {
                std::mem::swap(&mut c.point, next);
                return Ok(true);
            }
            t *= T::lit(0.25);
        }
        Ok(false)
    }

    /// Where the set has no projection: the map's own way off a face.
    fn release(&mut self, lifted: &mut Lifted<'_, T>, c: &mut Iterate<T>) -> Result<bool> {
        let du = &mut self.du;
        du.fill(T::zero());
        if self
            .map
            .release(&c.point.u, &c.point.x, &c.point.g, &c.h, du, lifted.scratch())
            == 0
        {
            return Ok(false);
        }
        let mut next = self.next.take().unwrap_or_else(|| c.point.clone());
        let (mut t, mut better) = (T::one(), false);
        for _ in 0..50 {
            for ((o, u), d) in next.u.iter_mut().zip(&c.point.u).zip(du.iter()) {
                *o = *u + t * *d;
            }
            lifted.evaluate(&mut next)?;
            if next.is_finite() && next.value < c.point.value {
                std::mem::swap(&mut c.point, &mut next);
                better = true;
                break;
            }
            t *= T::lit(0.25);
        }
        self.next = Some(next);
        Ok(better)
    }

    /// A projected step of 1/`shorter` of its length, evaluated in x; whether it was kept (or nothing was left to do).
    fn last_touch(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        rho: &mut T,
        tolerance: T,
        shorter: T,
    ) -> Result<bool> {
        let (x, g) = (c.point.x.clone(), c.point.g.clone());
        let h: Vec<T> = c.h.iter().map(|v| *v * shorter).collect();
        if !self.project(&x, &g, &h) || self.target == x {
            return Ok(true);
        }
        let mut u = vec![T::zero(); c.point.u.len()];
        if section(&self.map, &self.target, &mut u, lifted.scratch()).is_err() {
            return Ok(false); // in the set, but not in the range of the map (a rank too high)
        }
        let mut there = c.clone();
        there.verified = None;
        there.point.x.copy_from_slice(&self.target);
        let point = &mut there.point;
        point.value = lifted.value_gradient(&point.x, &mut point.g)?;
        if !point.value.is_finite() || point.g.iter().any(|v| !v.is_finite()) {
            return Ok(false);
        }
        if self.known {
            // (a secant would depend on the move before, which a checkpoint does not hold)
            self.curvature(lifted, &mut there)?;
        }
        // a sum of many terms is not known better than this
        let noise = T::lit(VALUE_ROUNDING) * T::epsilon() * c.point.value.abs();
        self.update_errors(lifted);
        let after = self.residual(&there) + self.doubt(&there);
        if there.point.value <= c.point.value + noise && after <= rho.max(tolerance) {
            *rho = after;
            *c = there;
            return Ok(true);
        }
        self.curvature(lifted, c)?;
        Ok(false)
    }

    /// Whether a projected step would change which bounds are met; methods that move in x have nothing else to gain from it.
    fn is_worth_a_touch(&mut self, c: &Iterate<T>, moves_in_x: bool) -> bool {
        let (x, g, h) = (&c.point.x, &c.point.g, &c.h);
        !moves_in_x
            || (self.project(x, g, h)
                && (0..x.len()).any(|j| self.target[j] != x[j] && self.target[j] != x[j] - g[j] / h[j]))
    }

    /// One more projected step, evaluated in x: coordinates held down by their multipliers land exactly on their bounds. Kept
    /// when neither f nor the residual suffers. The status then.
    pub(crate) fn polish(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        method: Option<&dyn Method<T>>,
        rho: &mut T,
        status: Status,
        tolerance: T,
    ) -> Result<Status> {
        let touch = matches!(
            status,
            Status::Solved | Status::Stationary | Status::AtPrecision | Status::Stalled
        );
        if touch
            && !method.is_some_and(Method::is_dynamics)
            && c.finished.is_none()
            && self.is_worth_a_touch(c, method.is_some_and(Method::moves_in_x))
            && c.point.is_finite()
        {
            // shorter and shorter: all coordinates at once may overshoot where they are strongly coupled
            for shorter in [1.0, 10.0, 1e2, 1e3, 1e4] {
                if self.last_touch(lifted, c, rho, tolerance, T::lit(shorter))? {
                    break;
                }
            }
        }
        c.counts = lifted.counts;
        if matches!(status, Status::NotFinite | Status::AtInfinity) {
            return Ok(status);
        }
        if *rho <= tolerance && status == Status::Stalled {
            // a residual that the polish has made small: with the curvature of another step
            let gained = match c.gained_here() {
                Some(gained) => gained,
                None => self.verify(lifted, c)?,
            };
            *rho = Self::refuted(c, self.residual(c) + self.doubt(c), gained);
        }
        let converged = if *rho <= tolerance || status == Status::Stationary {
            Status::Stationary
        } else if touch && (status == Status::AtPrecision || self.at_precision(lifted, c)?) {
            Status::AtPrecision
        } else {
            return Ok(status);
        };
        let inconsistent = self.is_inconsistent(lifted)?;
        c.counts = lifted.counts;
        Ok(if inconsistent {
            Status::InconsistentGradient
        } else {
            converged
        })
    }

    /// The final polish, and the answer with its certificate.
    pub(super) fn finish(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        mut c: Iterate<T>,
        method: &dyn Method<T>,
        mut rho: T,
        status: Status,
        tolerance: T,
        clock: Instant,
    ) -> Result<Solution<T>> {
        let status = self.polish(lifted, &mut c, Some(method), &mut rho, status, tolerance)?;
        let convex = lifted.objective().convexity() == Convexity::Convex;
        self.certify(c, method.phase(), convex, rho, status, tolerance, clock.elapsed())
            .with_residual(lifted.objective())
    }

    /// The answer at a point that is handed out as it is, without an evaluation. `Stationary` becomes `Solved` where f (as
    /// `convex` says) and the set are convex.
    pub(crate) fn certify(
        &self,
        c: Iterate<T>,
        phase: Phase,
        convex: bool,
        rho: T,
        mut status: Status,
        tolerance: T,
        elapsed: Duration,
    ) -> Solution<T> {
        let set = self.map.set();
        let convex = convex && set.is_convex();
        if status == Status::Stationary && convex {
            status = Status::Solved;
        }
        let mut multipliers = vec![T::zero(); c.point.x.len()];
        set.multipliers(&c.point.x, &c.point.g, &mut multipliers);
        let gap = self.gap(&c, convex);
        // two witnesses: a gap that is no part of f's size contradicts the residual
        let size = self.size(&c);
        if status == Status::Solved
            && gap.is_finite()
            && gap > T::lit(CONTRADICTION).max(tolerance) * size * size
        {
            status = Status::Stalled;
        }
        let violation = set.violation(&c.point.x);
        Solution {
            objective: c.point.value,
            residual: Vec::new(),
            residual_norm: T::nan(),
            status,
            certificate: Certificate::new(rho, T::infinity(), gap, violation, multipliers),
            iterations: c.iteration,
            counts: c.counts,
            phase: if c.finished.is_some() {
                Phase::ExactFinish
            } else {
                phase
            },
            elapsed,
            trace: Vec::new(),
            x: c.point.x,
        }
    }

    /// max Σ |δgⱼ| |xⱼ − yⱼ| over y in the box around the set, δg the error of the gradient: +∞ where the set does not say how far it
    /// reaches.
    pub(super) fn doubt_of_gap(&self, x: &[T]) -> T {
        if self.errors.is_empty() {
            return T::zero();
        }
        let (set, n) = (self.map.set(), x.len());
        let (mut lower, mut upper) = (vec![T::neg_infinity(); n], vec![T::infinity(); n]);
        if set.is_separable() {
            if !set.project(&mut lower) || !set.project(&mut upper) {
                return T::infinity();
            }
        } else {
            let (mut slope, mut s) = (vec![T::zero(); n], vec![T::zero(); n]);
            for j in 0..n {
                for (sign, end) in [(T::one(), &mut lower[j]), (-T::one(), &mut upper[j])] {
                    slope[j] = sign;
                    if !set.minimise_linear(&slope, &mut s) {
                        return T::infinity();
                    }
                    *end = s[j];
                }
                slope[j] = T::zero();
            }
        }
        (0..n)
            .filter(|j| self.errors[*j] > T::zero())
            .map(|j| self.errors[j] * (x[j] - lower[j]).max(upper[j] - x[j]))
            .sum()
    }

    /// A bound of f − min f, for convex problems only; +∞ where there is none.
    pub(crate) fn gap(&self, c: &Iterate<T>, convex: bool) -> T {
        match self.map.set().frank_wolfe_gap(&c.point.x, &c.point.g) {
            Some(gap) if convex && !gap.is_nan() => gap + self.doubt_of_gap(&c.point.x),
            _ => c
                .finished
                .as_ref()
                .and_then(|e| e.gap)
                .filter(|_| convex)
                .unwrap_or_else(T::infinity),
        }
    }
}
