//! Preconditioned non-linear conjugate gradients on the lift x = u∘u, with the exact search.
//!
//! minimise F(u) = ½‖A φ(u) − b‖². The direction is Polak–Ribière+ in the metric
//!
//! ```text
//! D(u) = diag Jᵀ diag(‖a_j‖²) J + (3/2) |diag Σ gᵢ ∇²φᵢ|      (squares: 4u²∘c² + 3|g|)
//! ```
//!
//! and the step is the best point of the whole lifted ray (a quartic), so no parameter is left to choose. Needs
//! nothing but products: two for the images of the ray's two coefficients, one for the gradient.

use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::problem::Problem;
use crate::least_squares::region::NonNegative;
use crate::linalg::{dot, not_positive};
use crate::maps::{Reparametrization, Squares};
use crate::outcome::{Phase, Run, Status};
use crate::search::{Quartic, minimise_quartic};
use crate::{LinalgScalar, Scalar};

/// The end point.
struct Reached<T> {
    x: Vec<T>,
    /// The natural residual.
    residual: T,
    /// A limit of the run, when that is what ended it.
    limit: Option<Status>,
}

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// Conjugate gradients on the lift, to a moderate accuracy or to the tolerance, from x or from an interior point of their own.
    pub(in crate::least_squares) fn lifted(
        &self,
        x: Option<&[T]>,
        moderate: bool,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        run.begin(Phase::ConjugateGradient);
        let (tolerance, patience) = if moderate {
            (T::epsilon().powf(T::lit(0.4)).max(self.tolerance), 300)
        } else {
            (self.tolerance, 3000)
        };
        let reached = lifted_cg(self.problem, self.b, self.b_norm, x, tolerance, patience, run);
        if moderate {
            return Candidate::new(reached.x, Phase::ConjugateGradient, reached.limit);
        }
        self.cut(reached.x, Phase::ConjugateGradient, reached.limit, run)
    }
}

/// Runs until the natural residual is at most `tolerance`, or has not halved within `patience` iterations.
fn lifted_cg<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    b_norm: T,
    start: Option<&[T]>,
    tolerance: T,
    patience: usize,
    run: &mut Run<'_>,
) -> Reached<T> {
    let (m, n) = (problem.rows(), problem.columns());
    let norms = problem.norms();
    let h: Vec<T> = norms.iter().map(|c| *c * *c).collect();
    let map = Squares::<T>::new(n);
    let mut work: [T; 0] = [];
    let zeros = || vec![T::zero(); n];
    let (mut g, mut grad, mut previous, mut metric, mut curved) =
        (zeros(), zeros(), zeros(), zeros(), zeros());
    let (mut d, mut p, mut lin, mut quad) = (zeros(), zeros(), zeros(), zeros());
    let (mut r, mut image1, mut image2) = (vec![T::zero(); m], vec![T::zero(); m], vec![T::zero(); m]);
    let residual_of = |x: &[T], g: &[T]| map.set().natural_residual(x, g, Some(norms)) / b_norm;

    let mut x = match start {
        Some(x) => x.to_vec(),
        None => starting_point(problem, b, &h, &mut r, run),
    };
    problem.apply(&x, &mut r, run);
    for (ri, bi) in r.iter_mut().zip(b) {
        *ri -= *bi;
    }
    problem.adjoint(&r, &mut g, run);
    // a start on the boundary: release the coordinates with a negative gradient
    for j in 0..n {
        if x[j] == T::zero() && g[j] < T::zero() && h[j] > T::zero() {
            x[j] = T::lit(0.01) * -g[j] / h[j];
        }
    }
    let mut u: Vec<T> = x.iter().map(|v| v.sqrt()).collect();
    let mut fresh = true;
    let mut best = Reached {
        x: x.clone(),
        residual: T::infinity(),
        limit: None,
    };
    let (mut mark, mut since) = (T::infinity(), 0usize);
    let mut denominator = T::zero();
    for iteration in 0usize.. {
        if let Err(limit) = run.iteration() {
            best.limit = Some(limit);
            break;
        }
        if fresh || iteration % 50 == 0 {
            // the updated residual accumulates rounding: compute it anew
            problem.apply(&x, &mut r, run);
            for (ri, bi) in r.iter_mut().zip(b) {
                *ri -= *bi;
            }
        }
        // 1. g = Aᵀr and ρ at x; the best x so far
        problem.adjoint(&r, &mut g, run);
        let rho = residual_of(&x, &g);
        if rho.is_nan() {
            best.limit = Some(Status::NotFinite);
            break;
        }
        if rho < best.residual {
            best.residual = rho;
            best.x.copy_from_slice(&x);
        }
        if rho <= tolerance {
            break;
        }
        if rho < T::lit(0.5) * mark {
            (mark, since) = (rho, 0);
        } else {
            since += 1;
            if since > patience {
                break;
            }
        }
        // 2. ∇F = Jᵀg and the metric D(u); β of Polak and Ribière, not below zero
        map.vjp(&u, &g, &mut grad, &mut work);
        map.diagonals(&u, &h, &g, &mut metric, &mut curved, &mut work);
        let mut top = T::zero();
        for j in 0..n {
            metric[j] += T::lit(1.5) * curved[j].abs();
            top = top.max(metric[j]);
        }
        let floor = (T::lit(1e-14) * top).max(T::min_positive_value());
        let (mut new, mut change) = (T::zero(), T::zero());
        for j in 0..n {
            p[j] = grad[j] / metric[j].max(floor);
            new += p[j] * grad[j];
            change += p[j] * (grad[j] - previous[j]);
        }
        let beta = if fresh || denominator <= T::zero() {
            T::zero()
        } else {
            (change / denominator).max(T::zero())
        };
        // 3. d = −D⁻¹∇F + β d, or steepest descent where that is no descent direction
        let mut slope = T::zero();
        for j in 0..n {
            d[j] = beta * d[j] - p[j];
            slope += d[j] * grad[j];
        }
        if not_positive(-slope) {
            for (dj, pj) in d.iter_mut().zip(&p) {
                *dj = -*pj;
            }
        }
        denominator = new;
        previous.copy_from_slice(&grad);
        fresh = false;
        // 4. the minimiser t of the quartic ½‖r + t P + t² Q‖² along the lifted ray
        map.ray(&u, &d, &mut lin, &mut quad, &mut work);
        problem.pair(&lin, &quad, &mut image1, &mut image2, run);
        let t = minimise_quartic(&Quartic::along(&r, &image1, &image2));
        if not_positive(t) {
            // no descent along the direction in this precision: one restart from steepest descent, then stop
            if beta == T::zero() {
                break;
            }
            fresh = true;
            continue;
        }
        // 5. u ← u + t d, x = φ(u), r updated
        for (uj, dj) in u.iter_mut().zip(&d) {
            *uj += t * *dj;
        }
        map.apply(&u, &mut x, &mut work);
        for ((ri, p1), p2) in r.iter_mut().zip(&image1).zip(&image2) {
            *ri += t * (*p1 + t * *p2);
        }
        release(&mut u, &mut x, &g, &h, &mut fresh);
    }
    best
}

/// u_j = 0 is stationary whatever the sign of g_j: releases the coordinates with g_j < 0.
fn release<T: Scalar>(u: &mut [T], x: &mut [T], g: &[T], h: &[T], fresh: &mut bool) {
    for j in 0..u.len() {
        if u[j] == T::zero() && g[j] < T::zero() && h[j] > T::zero() {
            x[j] = T::lit(0.01) * -g[j] / h[j];
            u[j] = x[j].sqrt();
            *fresh = true;
        }
    }
}

/// max(Aᵀb, 0)_j/‖a_j‖² plus 0.3 of its mean, scaled to the best multiple: interior, and of the right size.
pub(in crate::least_squares) fn starting_point<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    h: &[T],
    image: &mut [T],
    run: &mut Run<'_>,
) -> Vec<T> {
    let n = h.len();
    let mut x = vec![T::zero(); n];
    problem.adjoint(b, &mut x, run);
    // in column-norm units, so that the mean does not depend on the units of x
    let mut sum = T::zero();
    for (xj, hj) in x.iter_mut().zip(h) {
        *xj = if *hj > T::zero() {
            (*xj).max(T::zero()) / hj.sqrt()
        } else {
            T::zero()
        };
        sum += *xj;
    }
    let mean = T::lit(0.3) * sum / T::count(n);
    for (xj, hj) in x.iter_mut().zip(h) {
        *xj = if *hj > T::zero() {
            (*xj + mean) / hj.sqrt()
        } else {
            T::zero()
        };
    }
    problem.apply(&x, image, run);
    let scale = dot(image, b) / dot(image, image);
    if scale.is_finite() && scale > T::zero() {
        x.iter_mut().for_each(|v| *v *= scale);
    }
    x
}
