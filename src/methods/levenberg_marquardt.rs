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
use crate::linalg::{PackedUpper, dot, norm2};
use crate::{Error, Result, Scalar};

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
    next: Option<Point<T>>,
}

impl<T: Scalar> Default for LevenbergMarquardt<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> LevenbergMarquardt<T> {
    /// With the usual first damping of 10⁻³.
    ///
    /// ```
    /// let _ = reparam::methods::LevenbergMarquardt::<f64>::new();
    /// ```
    pub fn new() -> Self {
        Self { damping: T::lit(1e-3), growth: T::lit(2.0), next: None }
    }

    /// The matrix J_uᵀ W J_u, packed by columns of its upper triangle; false when f is no sum of squares.
    fn normal_matrix(lifted: &mut Lifted<'_, T>, point: &Point<T>, matrix: &mut [T]) -> Result<bool> {
        let (n, p) = (point.x.len(), point.u.len());
        let Some(view) = lifted.objective().residuals() else { return Ok(false) };
        let m = view.residual_count();
        let (mut r, mut j) = (vec![T::zero(); m], vec![T::zero(); m * n]);
        let (mut w, mut c) = (vec![T::zero(); m], vec![T::zero(); m]);
        view.residuals(&point.x, &mut r).map_err(Error::Evaluation)?;
        view.jacobian(&point.x, &mut j).map_err(Error::Evaluation)?;
        view.weights(&r, &mut w, &mut c);
        matrix.fill(T::zero());
        let mut row = vec![T::zero(); p];
        for i in 0..m {
            lifted.pull_back(&point.u, &j[i * n..(i + 1) * n], &mut row);
            // the curvature of the robust loss where it is positive, else its weight: a positive model either way
            let weight = if c[i] > T::zero() { c[i] } else { w[i] };
            for k in 0..p {
                let a = weight * row[k];
                for (o, b) in matrix[k * (k + 1) / 2..].iter_mut().zip(&row[..=k]) {
                    *o += a * *b;
                }
            }
        }
        Ok(true)
    }
}

impl<T: Scalar> Method<T> for LevenbergMarquardt<T> {
    fn name(&self) -> &'static str {
        "Levenberg–Marquardt"
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        let p = point.u.len();
        let mut matrix = vec![T::zero(); p * (p + 1) / 2];
        if !Self::normal_matrix(lifted, point, &mut matrix)? {
            return Ok(Step::Stalled);
        }
        if matrix.iter().any(|v| !v.is_finite()) {
            return Ok(Step::NotFinite);
        }
        let mut held = vec![T::zero(); p];
        lifted.curvature_diagonal(point, &mut held);
        let mut top = T::zero();
        let mut scale: Vec<T> = (0..p)
            .map(|k| {
                held[k] = held[k].max(T::zero());
                let d = matrix[k * (k + 1) / 2 + k] + held[k];
                top = top.max(d);
                d
            })
            .collect();
        if top <= T::zero() {
            return Ok(Step::Stalled);
        }
        scale.iter_mut().for_each(|d| *d = d.max(T::epsilon() * top));
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut outcome = Step::Stalled;
        for _ in 0..40 {
            let Some(s) = solve(&matrix, &held, &scale, self.damping, &point.gradient) else {
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
            let better = actual > T::zero() || (actual >= -noise && norm2(&next.gradient) < norm2(&point.gradient));
            let ratio = (actual + noise) / (predicted + noise);
            if next.is_finite() && better && ratio > T::lit(1e-4) {
                let shrink = T::one() - (ratio + ratio - T::one()).powi(3);
                self.damping = (self.damping * shrink.max(T::lit(1.0 / 3.0))).max(T::epsilon() * T::epsilon());
                self.growth = T::lit(2.0);
                std::mem::swap(point, &mut next);
                outcome = Step::Moved;
                break;
            }
            outcome = if next.is_finite() { Step::Stalled } else { Step::NotFinite };
            self.damping *= self.growth;
            self.growth *= T::lit(2.0);
        }
        self.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        (self.damping, self.growth) = (T::lit(1e-3), T::lit(2.0));
    }
}

/// −(M + diag(held + μ scale))⁻¹ g by a packed Cholesky factor; None when it breaks down.
fn solve<T: Scalar>(matrix: &[T], held: &[T], scale: &[T], damping: T, g: &[T]) -> Option<Vec<T>> {
    let p = g.len();
    let mut factor = PackedUpper::new();
    let mut column = Vec::with_capacity(p);
    for k in 0..p {
        column.clear();
        column.extend_from_slice(&matrix[k * (k + 1) / 2..k * (k + 1) / 2 + k]);
        factor.solve_transposed(&mut column);
        let whole = matrix[k * (k + 1) / 2 + k] + held[k] + damping * scale[k];
        let rest = whole - dot(&column, &column);
        if rest.is_nan() || rest <= T::epsilon() * whole {
            return None;
        }
        factor.push(&column, rest.sqrt());
    }
    let mut s: Vec<T> = g.iter().map(|v| -*v).collect();
    factor.solve_transposed(&mut s);
    factor.solve(&mut s);
    s.iter().all(|v| v.is_finite()).then_some(s)
}
