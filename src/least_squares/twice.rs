//! Where rounding decides whether x is a solution: residual and gradient in twice the working precision, and iterative refinement with them.

use super::context::{Candidate, Context};
use super::evidence::Measure;
use super::faces::{Face, QrFace};
use super::methods::active_set::active_set;
use super::plan::QR_ELEMENTS;
use super::problem::Problem;
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
/// Rounds at most, each from a new factor: the first that brings nothing ends them.
const ROUNDS: usize = 4;

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// The candidate, refined where nothing but rounding keeps it from being a solution: the active set from there with residuals in twice the
    /// precision, then iterative refinement on its face. Of the points on the way the one with the lowest f, but for what is within the tolerance.
    pub(super) fn refined(&self, candidate: Candidate<T>, run: &mut Run<'_>) -> Candidate<T> {
        let mut best = candidate;
        if best.limit.is_some() || !self.may_factor(&best.x) {
            return best;
        }
        for _ in 0..ROUNDS {
            if best.limit.is_some() || !self.lost_in_rounding(&best.x, run) {
                break;
            }
            run.because("rounding decides: residuals in twice the precision");
            run.begin(Phase::ActiveSet);
            let next = self.refined_on_face(&best.x, run);
            let size =
                |x: &[T], run: &mut Run<'_>| self.problem.residual_twice(self.b, x, run).map(|r| norm2(&r));
            let (Some(before), Some(after)) = (size(&best.x, run), size(&next.x, run)) else {
                break;
            };
            // ‖r‖² within the square of the tolerance: a ρ of that size is no more
            let slack = self.tolerance * self.unit_of(&best.x);
            let is_solved = self.solves(&next.x, self.tolerance, run);
            let allowed = if is_solved { before.hypot(slack) } else { before };
            if after.is_nan() || after > allowed {
                best.limit = next.limit;
                break;
            }
            let is_done = is_solved || after >= before;
            best = next;
            if is_done {
                break;
            }
        }
        best
    }

    /// Whether a QR factor of what is between its bounds is small enough to be made for the sake of precision.
    pub(super) fn may_factor(&self, x: &[T]) -> bool {
        self.problem.has_columns() && self.problem.rows().saturating_mul(self.inside(x)) <= QR_ELEMENTS / 4
    }

    fn refined_on_face(&self, from: &[T], run: &mut Run<'_>) -> Candidate<T> {
        let (p, region, norms) = (self.problem, self.region, self.norms);
        let mut held = if R::ZERO_OFF_FACE {
            Vec::new()
        } else {
            from.to_vec()
        };
        let whole = |face: &QrFace<'_, '_, T, R>, x: &[T], held: &[T]| {
            let mut full = held.to_vec();
            full.resize(from.len(), T::zero());
            face.members().iter().zip(x).for_each(|(j, v)| full[*j] = *v);
            full
        };
        let mut x = Vec::new();
        let mut face = self.face_of(from, &mut x, run);
        let limit = active_set(&mut face, &mut x, &mut held, region, &self.pricing(from), run).err();
        let mut best = whole(&face, &x, &held);
        region.meet_sum(norms, &mut best);
        if limit.is_none() && region.sum().is_none() {
            // the largest coordinates last: back substitution begins with them, and the finer ones make good what their rounding takes
            let mut face = self.face_of(&best, &mut x, run);
            let held = if R::ZERO_OFF_FACE {
                Vec::new()
            } else {
                best.clone()
            };
            let mut least = T::infinity();
            let goal = T::lit(0.1) * self.tolerance * self.unit_of(&best) / T::count(x.len().max(1)).sqrt();
            for _ in 0..REFINEMENTS {
                let moved = face.refine(&mut x, &held, goal, run);
                let next = whole(&face, &x, &held);
                if self.rho(&next, run) <= self.rho(&best, run) {
                    best = next;
                }
                if self.solves(&best, self.tolerance, run) || moved.is_nan() || moved >= T::lit(0.5) * least {
                    break;
                }
                least = moved;
            }
        }
        // w with Aᵀw of the right sign on the face
        let dual = region.has_half_lines().then(|| {
            let signs = face.members().iter();
            face.dual_direction(signs.map(|j| region.inward(*j) * norms[*j]).collect())
                .into()
        });
        debug_assert_eq!(best.len(), p.columns());
        Candidate {
            x: best,
            phase: Phase::ActiveSet,
            limit,
            dual,
        }
    }

    /// The face of what is between its bounds at `from`, by ascending ‖a_j‖ |x_j|, and x on it.
    fn face_of<'s>(&'s self, from: &[T], x: &mut Vec<T>, run: &mut Run<'_>) -> QrFace<'s, 's, T, R> {
        let norms = self.norms;
        let mut order: Vec<usize> = (0..from.len())
            .filter(|j| norms[*j] > T::zero() && self.region.begins_free(*j, from[*j]))
            .collect();
        let effect = |j: usize| norms[j] * from[j].abs();
        order.sort_by(|i, j| {
            effect(*i)
                .partial_cmp(&effect(*j))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let mut face = QrFace::over(self.problem, self.b, self.region, self.alpha).in_twice();
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
