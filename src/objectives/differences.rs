//! Derivatives by finite differences: choice of the steps, and a bound of the error of the result.

use super::{Evaluation, Nearby};
use crate::linalg::{axpy, dot, max_abs, norm2};
use crate::{Error, Result, Scalar};

/// The finite differences that replace a derivative.
///
/// ```text
/// forward   (f(x + h eⱼ) − f(x))/h            n evaluations beside f(x)      error ~ ε^{1/2}
/// central   (f(x + h eⱼ) − f(x − h eⱼ))/2h    2n evaluations                 error ~ ε^{2/3}
/// h = s·max(|xⱼ|, τ)      s = ε^{1/2} (forward), ε^{1/3} (central)
/// ```
///
/// ε is the rounding unit of the number type. s is the relative step ([`with_step`](Self::with_step)); τ is the size
/// below which a coordinate counts as 0 ([`with_typical_size`](Self::with_typical_size)); without it τ = 0, and the step of a coordinate
/// that is 0 is relative to the width of its bounds, else to the largest coordinate, else to 1. x + h is rounded first, so
/// that the difference is divided by the step that was made.
///
/// h is the first trial. If f changes by little more than its noise, h grows; if f changes by far too much, h shrinks.
/// Later gradients begin with the h that was found. The noise is the rounding of f(x), and in a run of [`Minimize`](crate::Minimize)
/// also an estimate from six more evaluations on a short line, once when it begins and once before convergence is claimed (ECnoise, J. Moré & S. Wild, *Estimating
/// computational noise*, SIAM J. Sci. Comput. 33, 2011; their step h ~ (noise/f″)^{1/2} is where this growth ends). In such a run
/// central differences also replace forward ones once these are not accurate enough, and convergence is claimed only if it holds for every gradient
/// within the [error bound](super::Objective::gradient_error).
///
/// A side on which the function is +∞ or NaN, or which bounds forbid, is left out: the formula becomes one-sided
/// (with three points for `central`, (−3f(x) + 4f(x+h) − f(x+2h))/2h, which keeps the order). With both sides
/// refused the step is shortened eight times by 16; then it is an error.
///
/// Source: J. Nocedal, S. J. Wright, *Numerical Optimization*, 2nd ed. (2006), section 8.1.
///
/// ```
/// use reparam::objectives::{Differences, FromValue, Objective};
/// let mut f = FromValue::new(1, |x: &[f64]| Ok(x[0].ln()), Differences::central());
/// let mut g = [0.0];
/// f.value_gradient(&[2.0], &mut g).unwrap();
/// assert!((g[0] - 0.5).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Differences<T> {
    central: bool,
    step: T,
    typical: T,
}

impl<T: Scalar> Differences<T> {
    /// One evaluation for each coordinate, half the digits.
    ///
    /// ```
    /// assert!(!reparam::objectives::Differences::<f64>::forward().is_central());
    /// ```
    pub fn forward() -> Self {
        Self {
            central: false,
            step: T::epsilon().sqrt(),
            typical: T::zero(),
        }
    }

    /// Two evaluations for each coordinate, two thirds of the digits.
    ///
    /// ```
    /// assert!(reparam::objectives::Differences::<f64>::central().is_central());
    /// ```
    pub fn central() -> Self {
        Self {
            central: true,
            step: T::epsilon().cbrt(),
            typical: T::zero(),
        }
    }

    /// The relative step s: larger where f carries noise above its rounding.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 0 < s < 1.
    ///
    /// ```
    /// use reparam::objectives::Differences;
    /// assert!(Differences::central().with_step(1e-4).is_ok());
    /// assert!(Differences::central().with_step(0.0).is_err());
    /// ```
    pub fn with_step(mut self, step: T) -> Result<Self> {
        if step.is_nan() || step <= T::zero() || step >= T::one() {
            return Err(Error::Setting {
                name: "step",
                why: "must lie between 0 and 1",
            });
        }
        self.step = step;
        Ok(self)
    }

    /// The size τ of a typical coordinate, below which a coordinate counts as 0.
    ///
    /// # Errors
    /// [`Error::Setting`] unless τ is positive and finite.
    ///
    /// ```
    /// use reparam::objectives::Differences;
    /// assert!(Differences::central().with_typical_size(1e-6).is_ok());
    /// ```
    pub fn with_typical_size(mut self, size: T) -> Result<Self> {
        if !size.is_finite() || size <= T::zero() {
            return Err(Error::Setting {
                name: "typical size",
                why: "must be positive and finite",
            });
        }
        self.typical = size;
        Ok(self)
    }

    /// Whether two sides are used.
    ///
    /// ```
    /// assert!(reparam::objectives::Differences::<f32>::central().is_central());
    /// ```
    pub fn is_central(&self) -> bool {
        self.central
    }

    /// h for a number of this size; 0 has none of its own, and gets that of 1.
    pub(super) fn step_for(&self, size: T) -> T {
        let size = size.abs().max(self.typical);
        self.step * if size > T::zero() { size } else { T::one() }
    }
}

/// F: x, and where F(x) goes.
pub(super) type Function<'f, T> = dyn FnMut(&[T], &mut [T]) -> Evaluation<()> + 'f;

/// Of the largest change of F, or of its bend, over a step this many times the noise must be left: forward differences (which bend
/// too much with longer steps), and central ones.
const ENOUGH: [f64; 2] = [1e2, 1e4];
/// A step is too long where F changes by so much more than a step of the best size would make it change.
const FAR_TOO_MUCH: f64 = 1e3;
/// The first factor of growth.
const GROWTH: f64 = 16.0;
/// At most so many steps are tried along a line, and so many where F is not finite.
const ATTEMPTS: usize = 16;
const RETREATS: usize = 9;
/// The longest step relative to the size of the coordinate.
const LONGEST: f64 = 0.1;
/// Noise is estimated from differences of this order, along a line of so many points beside x, so far apart relative to x.
const POINTS: usize = 6;
const SPACING: f64 = 1e-11;
/// How many standard deviations of the noise count as its bound.
const SIGMAS: f64 = 3.0;

/// A line through x along which F is known or wanted.
#[derive(Clone, Copy)]
enum Line {
    /// x + t eⱼ.
    Coordinate(usize),
    /// (1 − t) x + t v, v the k-th point of the surroundings.
    Towards(usize),
}

/// Differences of F: Rⁿ → Rᵐ, coordinate by coordinate, or, over a set that couples coordinates, along directions that stay in it.
#[derive(Debug, Clone)]
pub(super) struct Differencer<T> {
    /// What may be evaluated: bounds, …
    bounds: Option<(Vec<T>, Vec<T>)>,
    /// … or segments from x as it was told to these points, row after row; over a sphere about this centre (else empty) brought back to it.
    told_at: Vec<T>,
    points: Vec<T>,
    sphere: Vec<T>,
    /// The step that served last along each line; 0 before.
    steps: Vec<T>,
    /// A bound of the error of each output, as measured at a point with these outputs; empty before.
    noise: Vec<T>,
    measured_at: Vec<T>,
    /// |F| where a run began: F bends on the length of the way that it has come since.
    first: Vec<T>,
    /// Whether noise is to be measured before the next difference.
    measure: bool,
    /// Central differences whatever the scheme says.
    sharp: bool,
    /// A bound of the error of each entry of the last gradient.
    error: Vec<T>,
    x: Vec<T>,
    near: Vec<T>,
    other: Vec<T>,
    out: Vec<T>,
    limit: Vec<T>,
    table: Vec<T>,
    basis: Vec<T>,
    values: Vec<T>,
}

impl<T: Scalar> Differencer<T> {
    pub(super) fn new(n: usize, m: usize) -> Self {
        Self {
            bounds: None,
            told_at: Vec::new(),
            points: Vec::new(),
            sphere: Vec::new(),
            steps: Vec::new(),
            noise: Vec::new(),
            measured_at: Vec::new(),
            first: Vec::new(),
            measure: false,
            sharp: false,
            error: vec![T::infinity(); n],
            x: vec![T::zero(); n],
            near: vec![T::zero(); m],
            other: vec![T::zero(); m],
            out: vec![T::zero(); m],
            limit: vec![T::zero(); m],
            table: Vec::new(),
            basis: Vec::new(),
            values: Vec::new(),
        }
    }

    /// What is known of the set; bounds begin a run.
    pub(super) fn nearby(&mut self, near: Nearby<'_, T>) {
        match near {
            Nearby::Start => {
                self.steps.clear();
                self.noise.clear();
                self.first.clear();
                self.points.clear();
                (self.bounds, self.measure, self.sharp) = (None, true, false);
            }
            // (the points come with every gradient)
            Nearby::Coupled => {}
            Nearby::Bounds { lower, upper } => self.bounds = Some((lower.to_vec(), upper.to_vec())),
            Nearby::Segments { x, points, centre } => {
                self.sphere.clear();
                self.sphere.extend_from_slice(centre.unwrap_or_default());
                self.told_at.clear();
                self.told_at.extend_from_slice(x);
                self.points.clear();
                self.points.extend_from_slice(points);
            }
        }
    }

    /// Central differences from now on, and the noise measured anew; false when nothing is left to sharpen.
    pub(super) fn sharpen(&mut self, scheme: &Differences<T>) -> bool {
        if self.sharp {
            return false;
        }
        let gain = !scheme.central || !self.noise.is_empty();
        (self.sharp, self.measure) = (true, !self.noise.is_empty());
        self.steps.iter_mut().for_each(|t| *t = T::zero());
        gain
    }

    pub(super) fn error(&self) -> &[T] {
        &self.error
    }

    /// Calls `sink(j, ∂F/∂xⱼ)` for every j; `fx` is F(x). The error of the gradient Σ wᵢ ∂Fᵢ, |wᵢ| in `weights`, is bounded on the way.
    pub(super) fn columns(
        &mut self,
        scheme: &Differences<T>,
        own: Option<&(Vec<T>, Vec<T>)>,
        x: &[T],
        fx: &[T],
        weights: &[T],
        f: &mut Function<'_, T>,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Evaluation<()> {
        let n = x.len();
        self.error.resize(n, T::infinity());
        let coupled = !self.points.is_empty() && self.told_at == x;
        let lines = if coupled { self.points.len() / n } else { n };
        self.steps.resize(lines, T::zero());
        if self.measure {
            self.measure_noise(x, own, fx, f)?;
            self.measure = false;
        }
        self.bound_noise(fx);
        if coupled {
            return self.along_segments(scheme, x, fx, weights, f, sink);
        }
        self.x.copy_from_slice(x);
        for j in 0..n {
            let error = self.line(scheme, own, x, Line::Coordinate(j), fx, weights, f);
            self.x[j] = x[j];
            match error? {
                Some(error) => self.error[j] = error,
                None => {
                    return Err(format!(
                        "no finite difference: the function is finite on neither side of x[{j}]"
                    )
                    .into());
                }
            }
            sink(j, &self.out);
        }
        Ok(())
    }

    /// limit ← a bound of the error of each output: rounding, or what was measured, which is that of terms. One output alone is noisy in
    /// proportion.
    fn bound_noise(&mut self, fx: &[T]) {
        let many = fx.len() > 1;
        for (i, (o, f)) in self.limit.iter_mut().zip(fx).enumerate() {
            // (a residual that vanishes is still a difference of terms of the size it had; one value alone may be a sum of squares)
            let size = if many {
                self.first.get(i).map_or(f.abs(), |v| v.max(f.abs()))
            } else {
                f.abs()
            };
            let measured = match self.noise.get(i) {
                Some(noise) if fx.len() == 1 && self.measured_at[i] != T::zero() => {
                    *noise * (*f / self.measured_at[i]).abs()
                }
                Some(noise) => *noise,
                None => T::zero(),
            };
            *o = measured.max(T::epsilon() * size);
        }
    }

    /// The size of the terms of an output.
    fn terms(&self, fx: &[T], i: usize) -> T {
        self.first.get(i).map_or(fx[i].abs(), |f| f.max(fx[i].abs()))
    }

    /// The bounds of coordinate j: those of the set, and those the user gave.
    fn bounds_of(&self, own: Option<&(Vec<T>, Vec<T>)>, j: usize) -> (T, T) {
        let mut all = (T::neg_infinity(), T::infinity());
        for (lower, upper) in self.bounds.iter().chain(own) {
            all = (all.0.max(lower[j]), all.1.min(upper[j]));
        }
        all
    }

    /// The size of x_j, or its substitute at 0.
    fn size_of(&self, scheme_typical: T, own: Option<&(Vec<T>, Vec<T>)>, x: &[T], j: usize) -> T {
        let size = x[j].abs().max(scheme_typical);
        if size > T::zero() {
            size
        } else {
            self.surroundings_of(own, x, j)
        }
    }

    /// How far x_j may be expected to go: the width of its bounds, else the size of x, else 1.
    fn surroundings_of(&self, own: Option<&(Vec<T>, Vec<T>)>, x: &[T], j: usize) -> T {
        let (lo, hi) = self.bounds_of(own, j);
        let (width, largest) = (hi - lo, max_abs(x));
        if width > T::zero() && width.is_finite() {
            width
        } else if largest > T::zero() {
            largest
        } else {
            T::one()
        }
    }

    /// Over a sphere: self.x as far from its centre as x is.
    fn back_to_sphere(&mut self, x: &[T]) {
        if self.sphere.is_empty() {
            return;
        }
        let distance = |x: &[T]| {
            x.iter()
                .zip(&self.sphere)
                .map(|(x, c)| (*x - *c) * (*x - *c))
                .sum::<T>()
                .sqrt()
        };
        let back = distance(x) / distance(&self.x);
        for (v, c) in self.x.iter_mut().zip(&self.sphere) {
            *v = *c + back * (*v - *c);
        }
    }

    /// F along the line at t, into `near` or `other`; whether it is finite. And the t that was reached in numbers.
    fn at(
        &mut self,
        x: &[T],
        line: Line,
        t: T,
        (lo, hi): (T, T),
        other: bool,
        f: &mut Function<'_, T>,
    ) -> Evaluation<Option<T>> {
        let reached = match line {
            Line::Coordinate(j) => {
                let v = x[j] + t;
                if v < lo || v > hi || v == x[j] {
                    return Ok(None);
                }
                self.x[j] = v;
                v - x[j]
            }
            Line::Towards(k) => {
                let n = x.len();
                let v = &self.points[k * n..(k + 1) * n];
                for ((o, a), v) in self.x.iter_mut().zip(x).zip(v) {
                    *o = (T::one() - t) * *a + t * *v;
                }
                self.back_to_sphere(x);
                t
            }
        };
        let out = if other { &mut self.other } else { &mut self.near };
        f(&self.x, out)?;
        Ok(out.iter().all(|y| y.is_finite()).then_some(reached))
    }

    /// out ← the derivative of F along a line; a bound of the error of its weighted sum; None where F is finite nowhere near.
    fn line(
        &mut self,
        scheme: &Differences<T>,
        own: Option<&(Vec<T>, Vec<T>)>,
        x: &[T],
        line: Line,
        fx: &[T],
        weights: &[T],
        f: &mut Function<'_, T>,
    ) -> Evaluation<Option<T>> {
        let central = scheme.central || self.sharp;
        let step = if self.sharp && !scheme.central {
            scheme.step.max(T::epsilon().cbrt())
        } else {
            scheme.step
        };
        // as of rounding, so of noise: its square or cube root
        let size = (0..fx.len()).fold(T::zero(), |m, i| m.max(self.terms(fx, i)));
        let level = (max_abs(&self.limit) / size).max(T::epsilon());
        let step = if self.noise.is_empty() || !level.is_finite() {
            step
        } else {
            let root = if central { level.cbrt() } else { level.sqrt() };
            step.max(root.min(T::lit(LONGEST)))
        };
        let n = x.len();
        // how far t may go up and down, its proposal, and the longest that growth may come to
        let (range, up, down, first, longest, k) = match line {
            Line::Coordinate(j) => {
                let range = self.bounds_of(own, j);
                let size = self.size_of(scheme.typical, own, x, j);
                let longest = T::lit(LONGEST) * size.max(self.surroundings_of(own, x, j));
                (range, range.1 - x[j], x[j] - range.0, step * size, longest, j)
            }
            Line::Towards(k) => {
                let v = &self.points[k * n..(k + 1) * n];
                let far = v
                    .iter()
                    .zip(x)
                    .fold(T::zero(), |m, (v, x)| m.max((*v - *x).abs()));
                let size = max_abs(x).max(scheme.typical);
                let first = if size > T::zero() { step * size / far } else { step };
                let down = if self.sphere.is_empty() {
                    T::zero()
                } else {
                    T::one()
                };
                ((T::zero(), T::zero()), T::one(), down, first, T::lit(LONGEST), k)
            }
        };
        self.out.fill(T::zero());
        let room = up.max(down);
        if room <= T::zero() {
            return Ok(Some(T::zero())); // a constant
        }
        // one-sided formulas of second order need twice the step
        let room = if central && up.min(down) < first {
            room * T::lit(0.5)
        } else {
            room
        };
        let mut t = first.max(self.steps[k]).min(room);
        let (mut short, mut long) = (T::zero(), T::infinity());
        let (mut factor, mut retreats, mut error) = (T::lit(GROWTH), 0, None);
        let measured = !self.noise.is_empty();
        for _ in 0..ATTEMPTS + RETREATS {
            let found = self.quotient(x, line, range, (up, down), t, central, fx, weights, f)?;
            let Some((change, bound)) = found else {
                retreats += 1;
                if retreats >= RETREATS {
                    break;
                }
                long = t;
                t /= T::lit(GROWTH);
                continue;
            };
            (self.steps[k], error) = (t, Some(bound));
            // (the best step bends F, or changes it, by noise^p: p is 2/3 and 1/2)
            let level = if level.is_finite() { level } else { T::epsilon() };
            let (enough, best) = if central {
                (T::lit(ENOUGH[1]), level.cbrt())
            } else {
                (T::lit(ENOUGH[0]), level.sqrt())
            };
            let enough = enough.min(T::lit(1.0 / GROWTH) / best);
            let too_much = T::lit(FAR_TOO_MUCH) * best / level;
            if change.is_nan() || change < enough {
                short = t;
            } else if measured && change > too_much {
                long = t;
            } else {
                break;
            }
            let next = if long.is_finite() && short > T::zero() {
                (short * long).sqrt()
            } else if long.is_finite() {
                t / T::lit(FAR_TOO_MUCH)
            } else {
                factor *= factor;
                t * factor.sqrt()
            };
            let next = next.min(longest).min(room);
            // nothing to be gained any more
            if next == t || (next - t).abs() <= T::lit(0.5) * t.min(next) {
                break;
            }
            t = next;
        }
        Ok(error)
    }

    /// out ← the difference quotient with step t; by how many times the noise F has changed at most (or bent), and the bound of the error. None where F is
    /// not finite.
    fn quotient(
        &mut self,
        x: &[T],
        line: Line,
        range: (T, T),
        (up, down): (T, T),
        t: T,
        central: bool,
        fx: &[T],
        weights: &[T],
        f: &mut Function<'_, T>,
    ) -> Evaluation<Option<(T, T)>> {
        let right = if t <= up {
            self.at(x, line, t, range, false, f)?
        } else {
            None
        };
        if let Some(s) = right
            && !central
        {
            return Ok(Some(self.one_sided(fx, s)));
        }
        let left = if t <= down {
            self.at(x, line, -t, range, true, f)?
        } else {
            None
        };
        let (s, side) = match (right, left) {
            (None, None) => return Ok(None),
            (Some(s), Some(r)) => {
                let mut change = T::zero();
                let mut error = T::zero();
                for i in 0..fx.len() {
                    let (a, b, noise) = (self.near[i], self.other[i], self.limit[i]);
                    self.out[i] = (a - b) / (s - r);
                    let bend = (a - fx[i] - (fx[i] - b)).abs();
                    change = change.max(ratio((a - b).abs().max(bend), noise));
                    error += weights[i]
                        * (noise + bend * smoothness(bend, self.terms(fx, i)) * T::lit(1.0 / 6.0))
                        / t;
                }
                return Ok(Some((change, error)));
            }
            (Some(s), None) => (s, T::one()),
            (None, Some(r)) => {
                std::mem::swap(&mut self.near, &mut self.other);
                (r, -T::one())
            }
        };
        if !central {
            return Ok(Some(self.one_sided(fx, s)));
        }
        let two = side * (t + t);
        let second = if two <= up && -two <= down {
            self.at(x, line, two, range, true, f)?
        } else {
            None
        };
        let Some(far) = second else {
            return Ok(Some(self.one_sided(fx, s)));
        };
        // through three points at distances 0, s, s + d
        let d = far - s;
        let (a, b) = (far / (s * d), -s / (far * d));
        let (mut change, mut error) = (T::zero(), T::zero());
        for i in 0..fx.len() {
            let (p, q, noise) = (self.near[i] - fx[i], self.other[i] - fx[i], self.limit[i]);
            self.out[i] = a * p + b * q;
            let bend = (q - p - p).abs();
            change = change.max(ratio(p.abs().max(bend), noise));
            let truncated = bend * smoothness(bend, self.terms(fx, i)) * T::lit(1.0 / 3.0);
            error += weights[i] * (T::lit(4.0) * noise + truncated) / t;
        }
        Ok(Some((change, error)))
    }

    /// out ← (near − F(x))/s; nothing bounds how F bends in between.
    fn one_sided(&mut self, fx: &[T], s: T) -> (T, T) {
        let mut change = T::zero();
        for i in 0..fx.len() {
            let rise = self.near[i] - fx[i];
            self.out[i] = rise / s;
            change = change.max(ratio(rise.abs(), self.limit[i]));
        }
        (change, T::infinity())
    }

    /// The columns from derivatives along segments: the gradient within the directions that X leaves open (across them f need not be
    /// defined), of least norm, by Gram–Schmidt on the directions.
    fn along_segments(
        &mut self,
        scheme: &Differences<T>,
        x: &[T],
        fx: &[T],
        weights: &[T],
        f: &mut Function<'_, T>,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Evaluation<()> {
        let (n, m) = (x.len(), fx.len());
        let count = self.points.len() / n;
        self.basis.clear();
        self.values.clear();
        self.error.fill(T::zero());
        let mut bounds: Vec<T> = Vec::with_capacity(n);
        let (mut direction, mut along) = (vec![T::zero(); n], Vec::with_capacity(n));
        for k in 0..count {
            let v = &self.points[k * n..(k + 1) * n];
            for ((o, v), x) in direction.iter_mut().zip(v).zip(x) {
                *o = *v - *x;
            }
            if !self.sphere.is_empty() {
                // along the surface
                let normal: Vec<T> = x.iter().zip(&self.sphere).map(|(x, c)| *x - *c).collect();
                let radial = dot(&direction, &normal) / dot(&normal, &normal);
                axpy(-radial, &normal, &mut direction);
            }
            let whole = norm2(&direction);
            along.clear();
            for _ in 0..2 {
                for (i, q) in self.basis.chunks_exact(n).enumerate() {
                    let h = dot(q, &direction);
                    axpy(-h, q, &mut direction);
                    if along.len() <= i {
                        along.push(h);
                    } else {
                        along[i] += h;
                    }
                }
            }
            let rest = norm2(&direction);
            // (in no new direction, or hardly: such a quotient of differences would be noise)
            if rest.is_nan() || rest <= T::epsilon().sqrt().sqrt() * whole {
                continue;
            }
            let Some(mut error) = self.line(scheme, None, x, Line::Towards(k), fx, weights, f)? else {
                return Err(format!(
                    "no finite difference: the function is not finite beside x, towards point {k} of its set"
                )
                .into());
            };
            for (i, h) in along.iter().enumerate() {
                let known = &self.values[i * m..(i + 1) * m];
                for (o, v) in self.out.iter_mut().zip(known) {
                    *o -= *h * *v;
                }
                error += h.abs() * bounds[i];
            }
            self.out.iter_mut().for_each(|v| *v /= rest);
            bounds.push(error / rest);
            self.basis.extend(direction.iter().map(|d| *d / rest));
            self.values.extend_from_slice(&self.out);
        }
        for (q, bound) in self.basis.chunks_exact(n).zip(&bounds) {
            for (e, q) in self.error.iter_mut().zip(q) {
                // (an infinite bound says nothing even of what it does not touch)
                *e += if *q == T::zero() && bound.is_finite() {
                    T::zero()
                } else {
                    bound.abs() * q.abs().max(T::min_positive_value())
                };
            }
        }
        for j in 0..n {
            self.out.fill(T::zero());
            for (q, v) in self.basis.chunks_exact(n).zip(self.values.chunks_exact(m)) {
                axpy(q[j], v, &mut self.out);
            }
            sink(j, &self.out);
        }
        Ok(())
    }

    /// noise ← an estimate from differences of high order along a short line from x into the set, in which the smooth part of F vanishes.
    fn measure_noise(
        &mut self,
        x: &[T],
        own: Option<&(Vec<T>, Vec<T>)>,
        fx: &[T],
        f: &mut Function<'_, T>,
    ) -> Evaluation<()> {
        let (n, m) = (x.len(), fx.len());
        let spacing = T::lit(SPACING).max(T::lit(64.0) * T::epsilon());
        let coupled = !self.points.is_empty() && self.told_at == x;
        let steps: Vec<T> = (0..n)
            .map(|j| {
                if coupled {
                    let count = T::count(self.points.len() / n);
                    let mean = (0..self.points.len() / n)
                        .map(|k| self.points[k * n + j])
                        .sum::<T>()
                        / count;
                    return (mean - x[j]) * spacing;
                }
                let (lo, hi) = self.bounds_of(own, j);
                let (all, step) = (T::count(POINTS), spacing * self.size_of(T::zero(), own, x, j));
                if step * all <= hi - x[j] {
                    step
                } else if step * all <= x[j] - lo {
                    -step
                } else {
                    T::zero()
                }
            })
            .collect();
        let mut table = std::mem::take(&mut self.table);
        table.clear();
        table.extend_from_slice(fx);
        for k in 1..=POINTS {
            for ((o, x), s) in self.x.iter_mut().zip(x).zip(&steps) {
                *o = *x + T::count(k) * *s;
            }
            if coupled {
                self.back_to_sphere(x);
            }
            f(&self.x, &mut self.near)?;
            table.extend_from_slice(&self.near);
        }
        // Σ over orders 5 and 6 of T²·(k!)²/(2k)!, the variance of the noise
        let (fifth, sixth) = (T::lit(1.0 / 252.0), T::lit(1.0 / 924.0));
        self.noise.clear();
        for i in 0..m {
            let mut d: Vec<T> = (0..=POINTS).map(|k| table[k * m + i]).collect();
            let mut variance = T::zero();
            for order in 1..=POINTS {
                for k in 0..=POINTS - order {
                    d[k] = d[k + 1] - d[k];
                }
                if order == 5 {
                    variance += (d[0] * d[0] + d[1] * d[1]) * fifth;
                } else if order == 6 {
                    variance += d[0] * d[0] * sixth;
                }
            }
            let sigma = (variance / T::lit(3.0)).sqrt();
            let noise = T::lit(SIGMAS) * sigma;
            // (where F is not finite on the line, rounding must do)
            self.noise.push(if noise.is_finite() { noise } else { T::zero() });
        }
        self.table = table;
        if self.first.is_empty() {
            self.first.extend(fx.iter().map(|f| f.abs()));
        }
        self.measured_at.clear();
        self.measured_at.extend_from_slice(fx);
        Ok(())
    }
}

/// a/b for a change and its noise; a change without noise is as large as can be, none at all is none.
fn ratio<T: Scalar>(change: T, noise: T) -> T {
    if change == T::zero() {
        change
    } else {
        change / noise
    }
}

/// What a third derivative may add to a bend in proportion: the step over the length on which F bends by the size of its terms.
fn smoothness<T: Scalar>(bend: T, terms: T) -> T {
    if bend >= terms {
        T::one()
    } else {
        (bend / terms).sqrt()
    }
}
