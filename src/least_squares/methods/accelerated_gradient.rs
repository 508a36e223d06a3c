//! Accelerated projected gradients with restart (Beck & Teboulle 2009; O'Donoghue & Candès 2015), in the metric of the
//! column norms: two products per iteration, no columns needed. Finds the face where products are all there is.

use super::active_set::Progress;
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::engine::OfSet;
use crate::least_squares::problem::Problem;
use crate::least_squares::region::BoundsAndSum;
use crate::linalg::{dot, max_or_nan};
use crate::outcome::{Phase, Run, Status};

/// Steps after which nothing will come of it.
const MOST: usize = 100_000;
/// Rounding of f in units of ε f.
const VALUE_ROUNDING: f64 = 8.0;

impl<T: LinalgScalar> OfSet<T> for Context<'_, '_, T, BoundsAndSum<T>> {
    /// (On a QR factor: a growing Gram factor is written for x ≥ 0.)
    fn grow(
        &self,
        from: &[T],
        go_on: &dyn Fn(&Progress) -> bool,
        run: &mut Run<'_>,
    ) -> std::result::Result<Candidate<T>, Candidate<T>> {
        self.grow_qr(from, go_on, run)
    }

    fn gradients(&self, mut x: Vec<T>, most: usize, run: &mut Run<'_>) -> Option<Candidate<T>> {
        run.begin(Phase::AcceleratedGradient);
        let target = T::lit(0.3) * self.tolerance * self.unit_of(&x);
        let limit = accelerated_gradient(
            self.problem,
            self.b,
            self.region,
            self.norms,
            &mut x,
            target,
            most.min(MOST),
            run,
        );
        Some(Candidate::new(x, Phase::AcceleratedGradient, limit.err()))
    }
}

/// Improves x (feasible) until the natural residual is at most `target` (not divided by ‖b‖) or `most` iterations are over.
///
/// # Errors
/// The limit that was hit; x is the best point then too.
fn accelerated_gradient<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    region: &BoundsAndSum<T>,
    norms: &[T],
    x: &mut [T],
    target: T,
    most: usize,
    run: &mut Run<'_>,
) -> Result<(), Status> {
    let (m, n) = (b.len(), x.len());
    let half = T::lit(0.5);
    // bound of AᵀA in the metric, found by doubling; scaled columns have at least 1
    let mut lipschitz = T::one();
    let mut metric: Vec<T> = norms.to_vec();
    let (mut y, mut next) = (x.to_vec(), x.to_vec());
    let mut e = vec![T::zero(); n];
    let mut g = vec![T::zero(); n];
    let mut image = vec![T::zero(); m];
    problem.apply(x, &mut image, run);
    let (mut image_y, mut image_next) = (image.clone(), image.clone());
    let mut r = vec![T::zero(); m];
    let mut momentum = T::one();
    let objective =
        |image: &[T]| -> T { half * image.iter().zip(b).map(|(p, q)| (*p - *q) * (*p - *q)).sum::<T>() };
    let mut f = objective(&image);
    for round in 0..most {
        run.iteration()?;
        for (ri, (yi, bi)) in r.iter_mut().zip(image_y.iter().zip(b)) {
            *ri = *yi - *bi;
        }
        problem.adjoint(&r, &mut g, run);
        let moved = loop {
            region.displacement(&metric, &y, &g, &mut e);
            for j in 0..n {
                next[j] = if metric[j] > T::zero() {
                    region.stepped(j, y[j], e[j], metric[j])
                } else {
                    y[j]
                };
            }
            problem.apply(&next, &mut image_next, run);
            let curved: T = image_next
                .iter()
                .zip(&image_y)
                .map(|(p, q)| (*p - *q) * (*p - *q))
                .sum();
            let length = dot(&e, &e);
            if curved.is_nan() || length.is_nan() {
                return Err(Status::NotFinite);
            }
            // the model holds: |A d|² ≤ L |d|² in the metric (e is already in units of √L c)
            if curved <= length * T::lit(1.0 + 1e-10) || lipschitz > T::count(n) * T::lit(4.0) {
                break length;
            }
            run.stop().check()?;
            lipschitz += lipschitz;
            let root = lipschitz.sqrt();
            metric.iter_mut().zip(norms).for_each(|(v, c)| *v = *c * root);
        };
        let f_next = objective(&image_next);
        // near the end f shows rounding only; then the gradient tells: in its metric, y − next against next − x
        let noise = T::lit(VALUE_ROUNDING) * T::epsilon() * f;
        let against = || -> T {
            (0..n)
                .map(|j| metric[j] * (y[j] - next[j]) * (metric[j] * (next[j] - x[j])))
                .sum()
        };
        let climbs = f_next > f + noise || (f_next > f - noise && against() > T::zero());
        if climbs && momentum > T::one() {
            // the momentum overshot: again from the best point, without it
            momentum = T::one();
            y.copy_from_slice(x);
            image_y.copy_from_slice(&image);
            continue;
        }
        let t = half * (T::one() + (T::one() + T::lit(4.0) * momentum * momentum).sqrt());
        let beta = (momentum - T::one()) / t;
        momentum = t;
        for j in 0..n {
            y[j] = next[j] + beta * (next[j] - x[j]);
        }
        for i in 0..m {
            image_y[i] = image_next[i] + beta * (image_next[i] - image[i]);
        }
        if f_next <= f + noise {
            f = f.min(f_next);
            x.copy_from_slice(&next);
            image.copy_from_slice(&image_next);
        }
        // the displacement at y bounds the residual at x only roughly: a look at the real one when it is near
        if moved.sqrt() <= target * T::lit(4.0) || round % 32 == 31 {
            problem.apply(x, &mut image, run);
            for (ri, (yi, bi)) in r.iter_mut().zip(image.iter().zip(b)) {
                *ri = *yi - *bi;
            }
            problem.adjoint(&r, &mut g, run);
            region.displacement(norms, x, &g, &mut e);
            if max_or_nan(e.iter().map(|v| v.abs())) <= target {
                return Ok(());
            }
        }
    }
    Ok(())
}
