//! Levenberg–Marquardt on the lift, for (robustified) sums of squares.
//!
//! ```text
//! (J_uᵀ W J_u + K + μ D) s = −∇F      J_u = J_r(x) Dφ(u),  K = max(0, diag Σ gᵢ∇²φᵢ),  D = diag J_uᵀ W J_u + K
//! ```
//!
//! Marquardt (1963), the damping after Nielsen (1999). K keeps the matrix positive definite
//! where a column of J_u vanishes with u, as it does for coordinates held at a bound.

use super::buffers::Buffers;
use super::{Method, Step};
use crate::lifted::{Lifted, Point};
use crate::linalg::{PackedUpper, axpy, dot, norm2};
use crate::outcome::Phase;
use crate::{Error, Result, Scalar};

/// The first damping, relative to the scale.
const FIRST_DAMPING: f64 = 0.1;

/// Levenberg–Marquardt.
///
/// ```
/// use reparam::methods::{LevenbergMarquardt, Method};
/// assert_eq!(Method::<f64>::name(&LevenbergMarquardt::new()), "Levenberg–Marquardt");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LevenbergMarquardt<T> {
    /// μ
    damping: T,
    /// The factor by which μ grows at the next failure.
    growth: T,
    scale: Vec<T>,
    next: Option<Point<T>>,
    /// √W J_u by columns, the residual that goes with it, the Jacobian, weights and curvatures, a row.
    #[cfg_attr(feature = "serde", serde(skip, default = "Box::default"))]
    model: Box<Buffers<T, 6>>,
    /// K, D, Q, a column, its coefficients, the rest of the residual, s, R.
    #[cfg_attr(feature = "serde", serde(skip, default = "Box::default"))]
    work: Box<Buffers<T, 8>>,
}

impl<T: Scalar> Default for LevenbergMarquardt<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> LevenbergMarquardt<T> {
    /// With a first damping of a tenth of the scale.
    ///
    /// ```
    /// let _ = reparam::methods::LevenbergMarquardt::<f64>::new();
    /// ```
    pub fn new() -> Self {
        Self {
            damping: T::lit(FIRST_DAMPING),
            growth: T::lit(2.0),
            scale: Vec::new(),
            next: None,
            model: Box::default(),
            work: Box::default(),
        }
    }

    /// The linear model √W (r + J_u s): its columns and r; false when f is no sum of squares.
    fn build(lifted: &mut Lifted<'_, T>, point: &Point<T>, model: &mut [Vec<T>; 6]) -> Result<bool> {
        let (n, p) = (point.x.len(), point.u.len());
        let [columns, r, j, w, c, row] = model;
        lifted.surround(&point.u, &point.x);
        let Some(view) = lifted.objective().residuals() else {
            return Ok(false);
        };
        let m = view.residual_count();
        for (v, len) in [(&mut *columns, m * p), (&mut *r, m), (&mut *j, m * n)] {
            v.resize(len, T::zero());
        }
        for (v, len) in [(&mut *w, m), (&mut *c, m), (&mut *row, p)] {
            v.resize(len, T::zero());
        }
        view.residual_vector(&point.x, r).map_err(Error::Evaluation)?;
        view.jacobian(&point.x, j).map_err(Error::Evaluation)?;
        view.weights(r, w, c);
        for i in 0..m {
            lifted.pull_back(&point.u, &j[i * n..(i + 1) * n], row);
            // the curvature of the robust loss where it is positive, else its weight: a positive model either way
            let weight = if c[i] > T::zero() { c[i] } else { w[i] }.sqrt();
            for (k, v) in row.iter().enumerate() {
                columns[k * m + i] = weight * *v;
            }
            // so that ⟨column, r⟩ is the gradient
            r[i] = if weight > T::zero() {
                w[i] * r[i] / weight
            } else {
                T::zero()
            };
        }
        Ok(true)
    }
}

/// s ← argmin ‖r + J s‖² + ‖diag(√(K + μ D)) s‖² by Gram–Schmidt on the stacked matrix, which does not square the condition
/// number as the normal equations would; false when it breaks down. `work` starts with K and D.
fn damped_step<T: Scalar>(columns: &[T], r: &[T], damping: T, work: &mut [Vec<T>; 8]) -> bool {
    let [held, scale, q, column, coefficients, rest, s, memory] = work;
    let (m, p) = (r.len(), scale.len());
    let rows = m + p;
    q.resize(rows * p, T::zero());
    column.resize(rows, T::zero());
    let mut factor = PackedUpper::reusing(std::mem::take(memory));
    rest.clear();
    rest.extend(r.iter().map(|v| -*v));
    rest.resize(rows, T::zero());
    s.clear();
    for k in 0..p {
        column[..m].copy_from_slice(&columns[k * m..(k + 1) * m]);
        column[m..].fill(T::zero());
        column[m + k] = (held[k] + damping * scale[k]).sqrt();
        let whole = norm2(column);
        coefficients.clear();
        coefficients.resize(k, T::zero());
        for _ in 0..2 {
            for (done, c) in q.chunks_exact(rows).zip(coefficients.iter_mut()) {
                let h = dot(done, column);
                axpy(-h, done, column);
                *c += h;
            }
        }
        let size = norm2(column);
        if size.is_nan() || size <= T::epsilon() * whole {
            *memory = factor.into_memory();
            return false;
        }
        column.iter_mut().for_each(|v| *v /= size);
        factor.push(coefficients, size);
        let z = dot(column, rest);
        axpy(-z, column, rest);
        s.push(z);
        q[k * rows..(k + 1) * rows].copy_from_slice(column);
    }
    factor.solve(s);
    *memory = factor.into_memory();
    s.iter().all(|v| v.is_finite())
}

/// ‖D^{−1/2} ∇F‖²: the size of a gradient whatever the units of u.
fn slope_in<T: Scalar>(scale: &[T], gradient: &[T]) -> T {
    gradient.iter().zip(scale).map(|(g, d)| *g / *d * *g).sum()
}

impl<T: Scalar> Method<T> for LevenbergMarquardt<T> {
    fn name(&self) -> &'static str {
        "Levenberg–Marquardt"
    }

    fn phase(&self) -> Phase {
        Phase::LevenbergMarquardt
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        let mut model = self.model.take([0; 6], T::zero());
        let mut work = self.work.take([0; 8], T::zero());
        let outcome = self.step_in(lifted, point, &mut model, &mut work);
        self.model.put_back(model);
        self.work.put_back(work);
        outcome
    }

    fn reset(&mut self) {
        (self.damping, self.growth) = (T::lit(FIRST_DAMPING), T::lit(2.0));
        self.scale.clear();
    }
}

impl<T: Scalar> LevenbergMarquardt<T> {
    fn step_in(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        point: &mut Point<T>,
        model: &mut [Vec<T>; 6],
        work: &mut [Vec<T>; 8],
    ) -> Result<Step> {
        let p = point.u.len();
        if !Self::build(lifted, point, model)? {
            return Ok(Step::Stalled);
        }
        let [columns, r, ..] = model;
        if columns.iter().chain(r.iter()).any(|v| !v.is_finite()) {
            return Ok(Step::NotFinite);
        }
        let m = r.len();
        let [held, scale, ..] = work;
        held.resize(p, T::zero());
        scale.resize(p, T::zero());
        lifted.curvature_diagonal(point, held);
        for k in 0..p {
            let column = &columns[k * m..(k + 1) * m];
            // (the map's curvature of either sign: where J_u vanishes, at a bound, but for rounding, nothing else limits the step)
            scale[k] = dot(column, column) + held[k].abs();
            held[k] = held[k].max(T::zero());
        }
        if scale.iter().all(|d| *d <= T::zero()) {
            return Ok(Step::Stalled);
        }
        // the largest scale so far (Moré 1978): a parameter that f depended on strongly keeps its scale where f becomes flat in it.
        // Each coordinate has a scale of its own: compared with that of another one it would depend on the units of both. One that
        // f has not depended on so far does not move, whatever its scale
        self.scale.resize(p, T::zero());
        for (d, largest) in scale.iter_mut().zip(self.scale.iter_mut()) {
            *largest = d.max(*largest);
            *d = if *largest > T::zero() { *largest } else { T::one() };
        }
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut outcome = Step::Stalled;
        for _ in 0..40 {
            if crate::outcome::is_over() {
                break;
            }
            if !damped_step(columns, r, self.damping, work) {
                self.damping *= self.growth;
                self.growth *= T::lit(2.0);
                continue;
            }
            let [_, scale, _, _, _, _, s, _] = &*work;
            for ((o, u), v) in next.u.iter_mut().zip(&point.u).zip(s) {
                *o = *u + *v;
            }
            if next.u == point.u {
                break;
            }
            lifted.evaluate(&mut next)?;
            // decrease of the model: ½⟨s, μ D s − ∇F⟩
            let predicted = T::lit(0.5)
                * s.iter()
                    .zip(scale)
                    .zip(&point.gradient)
                    .map(|((v, d), g)| *v * (self.damping * *d * *v - *g))
                    .sum::<T>();
            let noise = T::lit(4.0) * T::epsilon() * point.value.abs();
            let actual = point.value - next.value;
            let better = actual > T::zero()
                || (actual >= -noise && slope_in(scale, &next.gradient) < slope_in(scale, &point.gradient));
            let ratio = (actual + noise) / (predicted + noise);
            if next.is_finite() && better && ratio > T::lit(1e-4) {
                let shrink = T::one() - (ratio + ratio - T::one()).powi(3);
                self.damping =
                    (self.damping * shrink.max(T::lit(1.0 / 3.0))).max(T::epsilon() * T::epsilon());
                self.growth = T::lit(2.0);
                std::mem::swap(point, &mut next);
                outcome = Step::Moved;
                break;
            }
            outcome = if next.is_finite() {
                Step::Stalled
            } else {
                Step::NotFinite
            };
            self.damping *= self.growth;
            self.growth *= T::lit(2.0);
        }
        self.next = Some(next);
        Ok(outcome)
    }
}
