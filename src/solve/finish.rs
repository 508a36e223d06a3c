//! The exact finish of [`Minimize`](super::Minimize): convex quadratic f over a polyhedron ends by factorisation.
//!
//! Near the solution the lift has identified the active constraints. One projected step in x makes them exact; an active-set method (block
//! exchange on the Gram matrix where many coordinates are free) then solves for the free coordinates, and corrects the active set where needed.
//! The result is verified in x like any other point, and discarded when it is not better.

use super::minimize::Iterate;
use super::optimality::Optimality;
use crate::clock::Instant;
use crate::least_squares::finish::{Exact, Finish, Form};
use crate::least_squares::standard_form::StandardForm;
use crate::lifted::section;
use crate::lifted::{Lifted, Point};
use crate::linalg::{max_abs, max_or_nan};
use crate::maps::Reparametrization;
use crate::objectives::{CompositeView, Convexity, Objective};
use crate::operators::{SparseColumns, checked_dense, checked_sparse};
use crate::outcome::Limits;
use crate::sets::Polyhedron;
use crate::{Error, Result, Scalar};

/// At most this many numbers (200 MB of f64) are written out, …
const ELEMENTS: usize = 25_000_000;
/// … at most this many columns when they, or those of ∇²f, have to be found by products …
const COLUMNS: usize = 512;
/// … of at most this many numbers, and sparse matrices up to this size become dense.
const WRITTEN: usize = 4_000_000;
const DENSIFIED: usize = 1_000_000;

/// How often a run tries: once early, once at its end.
pub(super) const ATTEMPTS: usize = 2;

/// What a run knows after its exact finish.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Finished<T> {
    /// max c_j |x_j|: the size of the terms that f is formed from, and so of its rounding.
    pub(super) terms: T,
    /// A bound of f − min f by weak duality where the set gives none; None for +∞.
    pub(super) gap: Option<T>,
}

impl<T: Scalar> Finished<T> {
    /// Rounding in f at this value of f.
    fn rounding(&self, f: T) -> T {
        let e = T::lit(8.0) * T::epsilon();
        let r = (f.abs() + f.abs()).sqrt();
        e * (f.abs() + self.terms * r) + e * self.terms * e * self.terms
    }
}

/// Whether ρ says that the next attempt is due: the first one when the face may be known, the last one at convergence.
pub(crate) fn is_due<T: Scalar>(c: &Iterate<T>, rho: T, tolerance: T) -> bool {
    let early = T::epsilon().sqrt().sqrt();
    c.finished.is_none()
        && match c.attempts {
            0 => rho <= early.max(tolerance),
            k => k < ATTEMPTS && rho <= tolerance,
        }
}

/// Whether an attempt is left for a run that has stalled.
pub(crate) fn is_left<T>(c: &Iterate<T>) -> bool {
    c.finished.is_none() && c.attempts < ATTEMPTS
}

impl<T: Scalar, M: Reparametrization<T>> Optimality<T, M> {
    /// Replaces c by the exact answer; false (and c as it was, but for its counters) when there is none or it is no better.
    pub(crate) fn exact_finish(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        rho: T,
        tolerance: T,
        limits: &Limits,
        clock: Instant,
    ) -> Result<bool> {
        c.attempts += 1;
        let set = self.map.set();
        let f = lifted.objective();
        if !self.known || !f.quadratic() || f.convexity() != Convexity::Convex || !set.is_convex() {
            c.attempts = ATTEMPTS; // nor will it be later
            return Ok(false);
        }
        let polyhedron = set.polyhedron().filter(Polyhedron::is_consistent);
        let Some(standard) = polyhedron.as_ref().and_then(StandardForm::new) else {
            c.attempts = ATTEMPTS;
            return Ok(false);
        };
        let left = Limits {
            iterations: None,
            time: limits.time.map(|t| t.saturating_sub(clock.elapsed())),
            cancel: limits.cancel.clone(),
        };
        let mut there = c.clone();
        let (mut best, mut last) = (None, T::infinity());
        // one round, unless f is known by its products alone: then the error of the factor is removed round by round, and
        // a singular Hessian needs proximal steps
        for round in 0..60 {
            let Some(form) = written(lifted, &there.point, &standard)? else {
                c.attempts = ATTEMPTS;
                break;
            };
            let by_products = matches!(form, Form::Normal { .. });
            let (x, g) = (there.point.x.clone(), there.point.g.clone());
            let start = (self.project(&x, &g, &there.h))
                .then(|| standard.z(&self.target))
                .flatten();
            let problem = Finish {
                form,
                set: standard.clone(),
                start,
                limits: left.clone(),
            };
            let Some(exact) = problem.solve() else { break };
            lifted.counts.passes += exact.passes;
            lifted.counts.factorisations += exact.factorisations;
            if !self.stand_at(lifted, &mut there, &exact, by_products)? {
                break;
            }
            let after = self.residual(&there);
            // (proximal steps gain a constant factor each; without them two rounds reach rounding)
            let enough = after.is_nan() || after > T::lit(0.7) * last || after == T::zero();
            if after < last {
                best = Some((there.clone(), after));
            }
            last = after;
            if !by_products || enough || (round >= 2 && !exact.proximal) {
                break;
            }
        }
        let accepted = match best {
            Some((there, after)) => self.accept(lifted, c, there, after, rho, tolerance),
            None => false,
        };
        self.curvature(lifted, c)?; // that of the point that is kept
        Ok(accepted)
    }

    /// Moves `there` to the answer and evaluates; false where that gives no numbers.
    fn stand_at(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        there: &mut Iterate<T>,
        exact: &Exact<T>,
        by_products: bool,
    ) -> Result<bool> {
        let point = &mut there.point;
        point.x.copy_from_slice(&exact.x);
        lifted.counts.values += 1;
        lifted.counts.gradients += 1;
        point.value = lifted
            .objective()
            .value_gradient(&point.x, &mut point.g)
            .map_err(Error::Evaluation)?;
        if !point.value.is_finite() || point.g.iter().any(|v| !v.is_finite()) {
            return Ok(false);
        }
        self.curvature(lifted, there)?;
        let terms = max_or_nan(self.c.iter().zip(&there.point.x).map(|(c, x)| (*c * *x).abs()));
        let mut finished = Finished { terms, gap: None };
        if !by_products && exact.gap.is_finite() {
            // a bound at z, and x = L z to rounding
            finished.gap = Some(exact.gap + finished.rounding(there.point.value));
        }
        there.finished = Some(finished);
        Ok(terms.is_finite())
    }

    fn accept(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        c: &mut Iterate<T>,
        mut there: Iterate<T>,
        after: T,
        before: T,
        tolerance: T,
    ) -> bool {
        let (set, n) = (self.map.set(), T::count(there.point.x.len()));
        let Some(finished) = there.finished else {
            return false;
        };
        let rounding = T::lit(64.0) * n * T::epsilon() * max_abs(&there.point.x);
        let violation = set.violation(&there.point.x);
        let inside = violation <= rounding.max(set.violation(&c.point.x));
        let no_worse = there.point.value <= c.point.value + finished.rounding(c.point.value);
        // what an exact method reaches; or what the run would have been content with
        let exact = after <= (T::lit(5e4) * T::epsilon()).min(tolerance);
        if !inside || !no_worse || !(exact || (after <= tolerance && after <= before)) {
            return false;
        }
        // (a map that does not reach the boundary has a u nearby at most; x is what counts from here on)
        let point = &mut there.point;
        let mut u = point.u.clone();
        if section(&self.map, &point.x, &mut u, lifted.scratch()).is_ok() {
            point.u = u;
        }
        lifted.pull_back(&point.u, &point.g, &mut point.gradient);
        there.attempts = c.attempts;
        *c = there;
        true
    }
}

/// f written out at a point; None when it is too large, or not of this kind.
fn written<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    point: &Point<T>,
    standard: &StandardForm<T>,
) -> Result<Option<Form<T>>> {
    let mut passes = 0.0;
    let form = match lifted.objective().composite() {
        // (a linear term has a right-hand side only where it lies in the range of Aᵀ)
        Some(view) if view.loss.quadratic() && (view.linear.is_none() || view.ridge > T::zero()) => {
            rows_of(&view, standard, &mut passes)
        }
        _ => return normal(lifted, point),
    };
    lifted.counts.passes += passes;
    Ok(form)
}

/// W^{1/2} A above √λ I, and W^{1/2}(b − a) above −c/√λ.
fn rows_of<T: Scalar>(
    view: &CompositeView<'_, T>,
    standard: &StandardForm<T>,
    passes: &mut f64,
) -> Option<Form<T>> {
    let a = view.operator;
    let (m, n) = (a.rows(), a.columns());
    // ℓ = ½ Σ w z² + …, so that w b = w z − ℓ′(z) at any z
    let (mut r, mut w) = (vec![T::zero(); m], vec![T::zero(); m]);
    let at = view.offset.map_or_else(|| vec![T::zero(); m], <[T]>::to_vec);
    view.loss.gradient(&at, &mut r);
    view.loss.curvature(&at, &mut w);
    let mut b = Vec::with_capacity(m);
    for (r, w) in r.iter().zip(&mut w) {
        if *w < T::zero() || (*w == T::zero() && *r != T::zero()) {
            return None;
        }
        *w = w.sqrt();
        b.push(if *w > T::zero() { -*r / *w } else { T::zero() });
    }
    let root = view.ridge.sqrt();
    if view.ridge > T::zero() {
        b.extend((0..n).map(|j| view.linear.map_or(T::zero(), |c| -c[j] / root)));
    }
    let rows = b.len();
    let elements = rows.saturating_mul(n.max(standard.dim_z()));
    let sparse = match checked_dense(a) {
        Ok(Some(_)) => None,
        Ok(None) => checked_sparse(a).ok()?,
        Err(_) => return None,
    };
    if let Some(s) = sparse.as_ref().filter(|_| elements > DENSIFIED) {
        let mut entries = Vec::with_capacity(s.nonzeros() + n);
        for j in 0..n {
            let (at, values) = s.entries(j);
            entries.extend(
                at.iter()
                    .zip(values)
                    .map(|(i, v)| (*i as usize, j, w[*i as usize] * *v)),
            );
            if view.ridge > T::zero() {
                entries.push((m + j, j, root));
            }
        }
        return Some(Form::Sparse(
            SparseColumns::from_triplets(rows, n, &entries).ok()?,
            b,
        ));
    }
    if elements > ELEMENTS {
        return None;
    }
    let mut data = vec![T::zero(); rows * n];
    let mut unit = vec![T::zero(); n];
    for (j, column) in data.chunks_exact_mut(rows).enumerate() {
        let column = &mut column[..m];
        let read = match &sparse {
            Some(s) => {
                let (at, values) = s.entries(j);
                at.iter().zip(values).for_each(|(i, v)| column[*i as usize] += *v);
                true
            }
            None => a.column(j, column),
        };
        if !read {
            if n > COLUMNS || elements > WRITTEN || crate::outcome::is_over() {
                return None;
            }
            unit[j] = T::one();
            a.apply(&unit, column);
            unit[j] = T::zero();
            *passes += 1.0;
        }
        column.iter_mut().zip(&w).for_each(|(v, w)| *v *= *w);
    }
    if view.ridge > T::zero() {
        for j in 0..n {
            data[j * rows + m + j] = root;
        }
    }
    Some(Form::Dense(data, b))
}

/// ∇²f by its products with the unit vectors.
fn normal<T: Scalar>(lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<Option<Form<T>>> {
    let n = point.x.len();
    if n > COLUMNS {
        return Ok(None);
    }
    let mut q = vec![T::zero(); n * n];
    let mut unit = vec![T::zero(); n];
    for (j, column) in q.chunks_exact_mut(n).enumerate() {
        if crate::outcome::is_over() {
            return Ok(None);
        }
        unit[j] = T::one();
        let known = lifted
            .objective()
            .hessian_vector(&point.x, &unit, column)
            .map_err(Error::Evaluation)?;
        if !known {
            return Ok(None);
        }
        unit[j] = T::zero();
    }
    lifted.counts.hessian_products += n;
    for j in 0..n {
        for i in 0..j {
            let v = T::lit(0.5) * (q[j * n + i] + q[i * n + j]);
            (q[j * n + i], q[i * n + j]) = (v, v);
        }
    }
    Ok(Some(Form::Normal {
        q,
        g: point.g.clone(),
        x: point.x.clone(),
    }))
}
