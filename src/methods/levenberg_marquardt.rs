//! Levenberg–Marquardt on the lift, for (robustified) sums of squares.
//!
//! ```text
//! (J_uᵀ W J_u + K + μ D) s = −∇F      J_u = J_r(x) Dφ(u),  K = max(0, diag Σ gᵢ∇²φᵢ),  D = diag J_uᵀ W J_u + K
//! ```
//!
//! Marquardt (1963), the damping after Nielsen (1999). K keeps coordinates apart whose column of J_u vanishes with u: those
//! that are being held at a bound.

use super::{Method, Step};
use crate::lifted::{Lifted, Point};
use crate::linalg::{PackedUpper, axpy, dot, norm2};
use crate::solve::Phase;
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
        }
    }

    /// The linear model √W (r + J_u s), column after column; None when f is no sum of squares.
    fn model(lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<Option<Model<T>>> {
        let (n, p) = (point.x.len(), point.u.len());
        let Some(view) = lifted.objective().residuals() else {
            return Ok(None);
        };
        let m = view.residual_count();
        let (mut r, mut j) = (vec![T::zero(); m], vec![T::zero(); m * n]);
        let (mut w, mut c) = (vec![T::zero(); m], vec![T::zero(); m]);
        view.residual_vector(&point.x, &mut r)
            .map_err(Error::Evaluation)?;
        view.jacobian(&point.x, &mut j).map_err(Error::Evaluation)?;
        view.weights(&r, &mut w, &mut c);
        let mut columns = vec![T::zero(); m * p];
        let mut row = vec![T::zero(); p];
        for i in 0..m {
            lifted.pull_back(&point.u, &j[i * n..(i + 1) * n], &mut row);
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
        Ok(Some(Model { columns, r }))
    }
}

/// √W J_u by columns of length m, and the residual that goes with it.
struct Model<T> {
    columns: Vec<T>,
    r: Vec<T>,
}

impl<T: Scalar> Model<T> {
    /// argmin ‖r + J s‖² + ‖diag(√(held + μ scale)) s‖² by Gram–Schmidt on the stacked matrix, which does not square the
    /// condition number as the normal equations would; None when it breaks down.
    fn step(&self, held: &[T], scale: &[T], damping: T) -> Option<Vec<T>> {
        let (m, p) = (self.r.len(), scale.len());
        let rows = m + p;
        let mut q: Vec<T> = Vec::with_capacity(rows * p);
        let mut factor = PackedUpper::new();
        let mut column = vec![T::zero(); rows];
        let mut coefficients = Vec::with_capacity(p);
        let mut rest: Vec<T> = self.r.iter().map(|v| -*v).collect();
        rest.resize(rows, T::zero());
        let mut s = Vec::with_capacity(p);
        for k in 0..p {
            column[..m].copy_from_slice(&self.columns[k * m..(k + 1) * m]);
            column[m..].fill(T::zero());
            column[m + k] = (held[k] + damping * scale[k]).sqrt();
            let whole = norm2(&column);
            coefficients.clear();
            coefficients.resize(k, T::zero());
            for _ in 0..2 {
                for (done, c) in q.chunks_exact(rows).zip(coefficients.iter_mut()) {
                    let h = dot(done, &column);
                    axpy(-h, done, &mut column);
                    *c += h;
                }
            }
            let size = norm2(&column);
            if size.is_nan() || size <= T::epsilon() * whole {
                return None;
            }
            column.iter_mut().for_each(|v| *v /= size);
            factor.push(&coefficients, size);
            let z = dot(&column, &rest);
            axpy(-z, &column, &mut rest);
            s.push(z);
            q.extend_from_slice(&column);
        }
        factor.solve(&mut s);
        s.iter().all(|v| v.is_finite()).then_some(s)
    }
}

impl<T: Scalar> Method<T> for LevenbergMarquardt<T> {
    fn name(&self) -> &'static str {
        "Levenberg–Marquardt"
    }

    fn phase(&self) -> Phase {
        Phase::LevenbergMarquardt
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        let p = point.u.len();
        let Some(model) = Self::model(lifted, point)? else {
            return Ok(Step::Stalled);
        };
        if model.columns.iter().chain(&model.r).any(|v| !v.is_finite()) {
            return Ok(Step::NotFinite);
        }
        let m = model.r.len();
        let mut held = vec![T::zero(); p];
        lifted.curvature_diagonal(point, &mut held);
        let mut top = T::zero();
        let mut scale: Vec<T> = (0..p)
            .map(|k| {
                held[k] = held[k].max(T::zero());
                let column = &model.columns[k * m..(k + 1) * m];
                let d = dot(column, column) + held[k];
                top = top.max(d);
                d
            })
            .collect();
        if top <= T::zero() {
            return Ok(Step::Stalled);
        }
        // the largest scale so far (Moré 1978): a parameter that has once been sensitive is not let loose when it flattens out
        self.scale.resize(p, T::zero());
        for (d, old) in scale.iter_mut().zip(self.scale.iter_mut()) {
            *d = d.max(T::epsilon() * top).max(*old);
            *old = *d;
        }
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut outcome = Step::Stalled;
        for _ in 0..40 {
            let Some(s) = model.step(&held, &scale, self.damping) else {
                self.damping *= self.growth;
                self.growth *= T::lit(2.0);
                continue;
            };
            for ((o, u), v) in next.u.iter_mut().zip(&point.u).zip(&s) {
                *o = *u + *v;
            }
            if next.u == point.u {
                break;
            }
            lifted.evaluate(&mut next)?;
            // decrease of the model: ½⟨s, μ D s − ∇F⟩
            let predicted = T::lit(0.5)
                * s.iter()
                    .zip(&scale)
                    .zip(&point.gradient)
                    .map(|((v, d), g)| *v * (self.damping * *d * *v - *g))
                    .sum::<T>();
            let noise = T::lit(4.0) * T::epsilon() * point.value.abs();
            let actual = point.value - next.value;
            let better =
                actual > T::zero() || (actual >= -noise && norm2(&next.gradient) < norm2(&point.gradient));
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

    fn reset(&mut self) {
        (self.damping, self.growth) = (T::lit(FIRST_DAMPING), T::lit(2.0));
        self.scale.clear();
    }
}
