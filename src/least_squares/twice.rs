//! Where rounding decides whether x is a solution: residual and gradient in twice the working precision, and iterative refinement with them.

use super::active_set::active_set;
use super::context::{Candidate, Context};
use super::driver::support;
use super::faces::{Face, QrFace};
use super::plan::QR_ELEMENTS;
use super::problem::Problem;
use super::region::NonNegative;
use crate::LinalgScalar;
use crate::linalg::twice::{Twice, dot_of_numbers, dot_of_sums};
use crate::linalg::{norm2, wide};
use crate::operators::{Dense, SparseColumns};
use crate::outcome::{Phase, Run};

impl<T: LinalgScalar> Problem<'_, T> {
    /// b − Â x in twice the precision; None where A is known by its products only.
    fn residual_sums(&self, b: &[T], x: &[T], run: &mut Run<'_>) -> Option<Vec<T::Twice>> {
        run.passes += 1.0;
        let mut r: Vec<T::Twice> = b.iter().map(|v| T::Twice::of(*v)).collect();
        match (self.dense(), self.sparse()) {
            (Some(a), _) => wide(
                #[inline(always)]
                || subtract_dense(&a, x, &mut r),
            ),
            (None, Some(a)) => wide(
                #[inline(always)]
                || subtract_sparse(a, x, &mut r),
            ),
            (None, None) => return None,
        }
        r.iter_mut().for_each(|v| *v = v.normal());
        Some(r)
    }

    /// b − Â x, each entry the exact one rounded; None where A is known by its products only.
    pub(crate) fn residual_twice(&self, b: &[T], x: &[T], run: &mut Run<'_>) -> Option<Vec<T>> {
        let r = self.residual_sums(b, x, run)?;
        Some(r.iter().map(|v| v.value()).collect())
    }

    /// b − Â x and Âᵀ(Â x − b), formed in twice the precision and then rounded. See [`Self::rounding_twice`].
    pub(crate) fn gradient_twice(&self, b: &[T], x: &[T], run: &mut Run<'_>) -> Option<(Vec<T>, Vec<T>)> {
        let r = self.residual_sums(b, x, run)?;
        run.passes += 1.0;
        let mut g = vec![T::zero(); x.len()];
        match (self.dense(), self.sparse()) {
            (Some(a), _) => wide(
                #[inline(always)]
                || adjoint_dense(&a, &r, &mut g),
            ),
            (None, Some(a)) => wide(
                #[inline(always)]
                || adjoint_sparse(a, &r, &mut g),
            ),
            (None, None) => return None,
        }
        g.iter_mut().for_each(|v| *v = -*v);
        Some((r.iter().map(|v| v.value()).collect(), g))
    }

    /// A bound of max |δg_j|/‖â_j‖ for [`gradient_twice`](Self::gradient_twice) before g is rounded, with `size` = ‖b‖ + Σ‖â_j‖|x_j|.
    pub(crate) fn rounding_twice(&self, size: T, residual: T) -> T {
        // (‖r‖ is the rounded one)
        T::lit(T::Twice::rounding(self.columns() + 1)) * size
            + T::lit(1.01 * T::Twice::rounding(self.rows())) * residual
    }
}

#[inline(always)]
fn subtract_dense<T: LinalgScalar>(a: &Dense<'_, T>, x: &[T], r: &mut [T::Twice]) {
    if a.is_column_major() {
        for (j, x) in x.iter().enumerate().filter(|(_, x)| **x != T::zero()) {
            for (r, a) in r.iter_mut().zip(a.run(j)) {
                *r = r.plus_product(*a, -*x);
            }
        }
    } else {
        let x: Vec<T> = x.iter().map(|x| -*x).collect();
        for (i, r) in r.iter_mut().enumerate() {
            let product: T::Twice = dot_of_numbers(T::zero(), a.run(i), &x);
            *r = product.plus(*r);
        }
    }
}

#[inline(always)]
fn subtract_sparse<T: LinalgScalar>(a: &SparseColumns<T>, x: &[T], r: &mut [T::Twice]) {
    for (j, x) in x.iter().enumerate().filter(|(_, x)| **x != T::zero()) {
        let (rows, values) = a.entries(j);
        for (i, a) in rows.iter().zip(values) {
            let r = &mut r[*i as usize];
            *r = r.plus_product(*a, -*x);
        }
    }
}

#[inline(always)]
fn adjoint_dense<T: LinalgScalar>(a: &Dense<'_, T>, r: &[T::Twice], out: &mut [T]) {
    if a.is_column_major() {
        for (j, o) in out.iter_mut().enumerate() {
            *o = dot_of_sums(T::zero(), a.run(j), r).value();
        }
    } else {
        let mut sums = vec![T::Twice::of(T::zero()); out.len()];
        for (i, r) in r.iter().enumerate() {
            for (s, a) in sums.iter_mut().zip(a.run(i)) {
                *s = s.plus_multiple(*a, *r);
            }
        }
        out.iter_mut().zip(&sums).for_each(|(o, s)| *o = s.value());
    }
}

#[inline(always)]
fn adjoint_sparse<T: LinalgScalar>(a: &SparseColumns<T>, r: &[T::Twice], out: &mut [T]) {
    for (j, o) in out.iter_mut().enumerate() {
        let (rows, values) = a.entries(j);
        let sum = rows
            .iter()
            .zip(values)
            .fold(T::Twice::of(T::zero()), |s, (i, a)| {
                s.plus_multiple(*a, r[*i as usize])
            });
        *o = sum.value();
    }
}

/// Steps of iterative refinement at most: each brings more digits where the factor has any, and the first that does not ends it.
const REFINEMENTS: usize = 8;

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// The candidate, refined where nothing but rounding keeps it from being a solution: the active set from there with residuals in twice the
    /// precision, then iterative refinement on its face. Of the two points the one with the lower f, but for what is within the tolerance.
    pub(super) fn refined_twice(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let k = support(&candidate.x);
        let allowed = self.problem.has_columns() && self.problem.rows().saturating_mul(k) <= QR_ELEMENTS / 4;
        if candidate.limit.is_some() || !allowed || !self.lost_in_rounding(&candidate.x, run) {
            return candidate;
        }
        run.because("rounding decides: residuals in twice the precision");
        run.begin(Phase::ActiveSet);
        let better = self.refine_on_face(&candidate.x, run);
        let size =
            |x: &[T], run: &mut Run<'_>| self.problem.residual_twice(self.b, x, run).map(|r| norm2(&r));
        let (Some(before), Some(after)) = (size(&candidate.x, run), size(&better.x, run)) else {
            return candidate;
        };
        // ‖r‖² within the square of the tolerance: a ρ of that size is no more
        let slack = self.tolerance * self.b_norm;
        let allowed = if self.solves(&better.x, self.tolerance, run) {
            before.hypot(slack)
        } else {
            before
        };
        if after <= allowed {
            better
        } else {
            Candidate {
                limit: better.limit,
                ..candidate
            }
        }
    }

    fn refine_on_face(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let p = self.problem;
        let mut x = Vec::new();
        let mut face = self.face_of(from, &mut x, run);
        let limit = active_set(&mut face, &mut x, &mut [], &NonNegative, &self.pricing(from), run).err();
        let mut best = self.spread(face.members(), &x);
        if limit.is_none() {
            // the largest coordinates last: back substitution begins with them, and the finer ones make good what their rounding takes
            let mut face = self.face_of(&best, &mut x, run);
            let mut least = T::infinity();
            let goal = T::lit(0.1) * self.tolerance * self.b_norm / T::count(x.len().max(1)).sqrt();
            for _ in 0..REFINEMENTS {
                let moved = face.refine(&mut x, goal, run);
                let next = self.spread(face.members(), &x);
                if self.rho(&next, run) <= self.rho(&best, run) {
                    best = next;
                }
                if self.solves(&best, self.tolerance, run) || moved.is_nan() || moved >= T::lit(0.5) * least {
                    break;
                }
                least = moved;
            }
        }
        let norms: Vec<T> = face.members().iter().map(|j| p.norms()[*j]).collect();
        Candidate {
            x: best,
            phase: Phase::ActiveSet,
            limit,
            dual: Some(face.dual_direction(norms).into()),
        }
    }

    /// The face of the support of `from`, by ascending ‖a_j‖ x_j, and x on it.
    fn face_of(&self, from: &[T], x: &mut Vec<T>, run: &mut Run<'_>) -> QrFace<'_, '_, T, NonNegative> {
        let norms = self.problem.norms();
        let mut order: Vec<usize> = (0..from.len()).filter(|j| from[*j] > T::zero()).collect();
        let effect = |j: usize| norms[j] * from[j];
        order.sort_by(|i, j| {
            effect(*i)
                .partial_cmp(&effect(*j))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut face = QrFace::new(self.problem, self.b).in_twice();
        if !face.assign(&order, run) {
            // a dependent column is left out: the method takes it in when it helps
            order.iter().for_each(|j| {
                face.append(*j, run);
            });
        }
        x.clear();
        x.extend(face.members().iter().map(|j| from[*j]));
        face
    }
}
