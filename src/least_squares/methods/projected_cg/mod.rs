//! Projected conjugate gradients over a box or the orthant: products only, exact bounds, no factorisation.
//!
//! Conjugate gradients on the current face; a step that would leave the box is projected instead (MPRGP with projected
//! steps: Dostál 1997, Dostál & Schöberl 2005, here without the fixed step length), and the face grows along the chopped
//! gradient when that outweighs what is left on the face. In the variables y = c∘x with unit columns, c_j = ‖a_j‖:
//!
//! ```text
//! q = ∇f / c                         the scaled gradient
//! φ_j = q_j between the bounds       free gradient: what is left on the face
//! β_j = the part of q_j that points inward, at a bound    chopped gradient: what wants to enter
//! ```
//!
//! On a face one step costs one product with A_FᵀA_F, or A_F A_Fᵀ where columns lie in memory, in one pass; columns off the face are
//! priced when the problem on the face has been solved ten times better, a hundred times where nothing wanted to enter it, and wherever they are few. A few dozen products settle a well-conditioned problem of any
//! size. Elsewhere the face is predicted long before its coefficients are accurate, and an exact method takes over.

mod dominant;
mod moves;
mod state;

use crate::LinalgScalar;
use crate::least_squares::plan::Budget;
use crate::least_squares::problem::Problem;
use crate::linalg::{dot, not_positive};
use crate::outcome::{Run, Status};
use dominant::Dominant;
use state::{Ahead, State};

/// How many projected steps may pass without a new best point. Projection adds mass along the mean of the columns, which the next step
/// takes out again: where columns are far from orthogonal f rises and falls, and a monotone rule would be ten times slower.
const WATCHED: usize = 20;

/// Iterations without a better ρ after which nothing is expected any more: CT-like problems take some hundred for every halving.
const PATIENCE: usize = 3000;

/// What ended the iteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// ρ is at most the tolerance.
    Converged,
    /// The budget of products is spent.
    Budget,
    /// No step decreases f in this precision.
    Stalled,
    /// A limit of the run.
    Limit(Status),
}

/// Where the iteration ended.
pub(crate) struct Reached<T> {
    pub(crate) ended: Ended,
    /// A x − b as it was kept up to date, and Aᵀ times it, where that is known at the last point.
    pub(crate) seen: Option<(Vec<T>, Vec<T>)>,
}

/// Products that may be spent, and how good the answer has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<T> {
    /// For ρ.
    pub(crate) tolerance: T,
    /// What ρ may be when the budget is spent, or nothing moves any more.
    pub(crate) enough: T,
    /// In passes over A, as [`Run`] counts them.
    pub(crate) passes: f64,
    /// Give up early where nearly all columns stay positive: there a factor of all columns costs no more.
    pub(crate) sparse_only: bool,
    /// η, in units of ρ: what is minimised is f ∓ η‖b‖ Σ c_j x_j over the coordinates with one infinite bound. With a gradient of that within ±η
    /// the gradient of f points away from every infinite bound, and x proves its own bound of f(x) − min f.
    pub(crate) shift: T,
}

impl<T: LinalgScalar> Target<T> {
    /// With the passes of a budget.
    pub(crate) fn within(self, budget: Budget) -> Self {
        let (passes, sparse_only) = match budget {
            Budget::Passes(passes) => (passes, false),
            Budget::PassesIfSparse(passes) => (passes, true),
            _ => (f64::INFINITY, false),
        };
        Self {
            passes,
            sparse_only,
            ..self
        }
    }

    /// With a tolerance of at least `tolerance`.
    pub(crate) fn at_least(self, tolerance: T) -> Self {
        Self {
            tolerance: self.tolerance.max(tolerance),
            shift: T::zero(),
            ..self
        }
    }
}

/// Improves x (feasible, changed in place) until ρ is at most the tolerance. `bounds` are those of x; None is the orthant, where x = 0
/// means that the method chooses its own start, from the `correlations` Aᵀb where they are known.
pub(crate) fn projected_cg<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    bounds: Option<(&[T], &[T])>,
    correlations: Option<&[T]>,
    unit: T,
    x: &mut [T],
    target: &Target<T>,
    run: &mut Run<'_>,
) -> Reached<T> {
    let mut state = State::new(problem, b, bounds, unit, target.shift, x);
    if bounds.is_none() && x.iter().all(|v| *v == T::zero()) {
        state.begin(correlations, run);
    } else {
        if state.is_bounded() {
            state.dominant = Dominant::find(problem, b, run);
        }
        state.form_residual(run);
        state.settle_anew(None, run);
    }
    let ended = state.iterate(target, run);
    for (j, (xj, c)) in x.iter_mut().zip(problem.norms()).enumerate() {
        if *c > T::zero() {
            let y = state.y[j];
            // exactly on a bound, whatever the scaling did to it
            *xj = match bounds {
                None => y / *c,
                Some((lo, _)) if y <= state.lo[j] => lo[j],
                Some((_, hi)) if y >= state.hi[j] => hi[j],
                Some((lo, hi)) => crate::sets::clip(y / *c, lo[j], hi[j]),
            };
        }
    }
    let seen = (state.fresh && state.formed).then(|| {
        for ((q, s), c) in state.q.iter_mut().zip(&state.shift).zip(problem.norms()) {
            *q = (*q + *s) * *c;
        }
        (state.r, state.q)
    });
    Reached { ended, seen }
}

impl<T: LinalgScalar> State<'_, '_, T> {
    fn iterate(&mut self, target: &Target<T>, run: &mut Run<'_>) -> Ended {
        let budget = run.passes + target.passes;
        // Barzilai–Borwein steps follow a projection until one of them fails: they find easy faces at half the cost
        let (mut barzilai, mut projected) = (true, false);
        let mut length = T::zero();
        // whether the iteration has returned to its best point, and there is no better one yet
        let mut careful = false;
        let mut steepest = true;
        // the ‖φ‖² to be reached on the face before the columns off it are priced
        let (mut goal, mut free_before) = (T::zero(), T::zero());
        let mut products = 0;
        let (mut best_rho, mut since_better) = (T::infinity(), 0);
        let (start, mut first_rho) = (run.passes, None);
        loop {
            if let Err(status) = run.iteration() {
                return Ended::Limit(status);
            }
            // 1. where q is known everywhere: ρ, and the stopping rules
            let mut rho = T::infinity();
            if self.fresh {
                rho = self.residual();
                if rho.is_nan() {
                    return Ended::Limit(Status::NotFinite);
                }
                if rho <= target.tolerance || (run.passes >= budget && rho <= target.enough) {
                    return Ended::Converged;
                }
                if run.passes >= budget {
                    return Ended::Budget;
                }
                // from a quarter of the budget on: give up if twice the budget would not suffice at the present rate
                let first = *first_rho.get_or_insert(rho);
                let spent = T::lit((run.passes - start) / target.passes);
                if spent > T::lit(0.25)
                    && (first / rho).ln() < T::lit(0.5) * spent * (first / target.tolerance).ln()
                {
                    return Ended::Budget;
                }
                if rho <= T::lit(0.7) * best_rho {
                    (best_rho, since_better) = (rho, 0);
                }
            }
            products += 1;
            if target.sparse_only && products == 12 && 5 * self.face.len() > 4 * self.y.len() {
                return Ended::Budget;
            }
            if since_better > PATIENCE {
                return if best_rho <= target.enough {
                    Ended::Converged
                } else {
                    Ended::Stalled
                };
            }
            since_better += 1;
            // 2. ‖φ‖², ⟨φ, φ̃⟩ and ‖β‖²: the face grows where the chopped gradient β outweighs the free gradient φ
            let (free, reduced) = self.on_the_face();
            if self.fresh {
                // reduce ‖φ‖ on the face tenfold; if β = 0, as far as the tolerance needs
                let chopped = self.chopped();
                let part = if chopped == T::zero() { 1e-4 } else { 0.01 };
                goal = free * T::lit(part).max(T::lit(0.25) * (target.tolerance / rho).powi(2));
                if chopped > reduced {
                    if !self.grow(run) {
                        return Ended::Stalled;
                    }
                    (projected, steepest) = (false, true);
                    continue;
                }
            } else if free <= goal || run.passes >= budget {
                self.gradient(Ahead::Nothing, run);
                continue;
            }
            // 3. after a projection: a projected gradient step of the Barzilai–Borwein length
            if projected && barzilai {
                projected = false;
                match self.gradient_step(length, run) {
                    Some(next) => {
                        (length, steepest) = (next, true);
                        projected = self.settle_anew(Some(next), run);
                    }
                    None => barzilai = false,
                }
                continue;
            }
            // 4. else a conjugate gradient step t = ⟨q, p⟩/‖A p‖² inside the face
            projected = false;
            let k = self.face.len();
            if steepest {
                free_before = T::zero();
                for (p, j) in self.p.iter_mut().zip(&self.face) {
                    *p = self.q[*j];
                }
            }
            self.multiply(steepest, run);
            let bend = dot(&self.image, &self.image);
            let slope: T = self.face.iter().zip(&self.p).map(|(j, p)| self.q[*j] * *p).sum();
            if not_positive(slope) || not_positive(bend) {
                if steepest && self.fresh {
                    return Ended::Stalled;
                }
                self.gradient(Ahead::Nothing, run);
                steepest = true;
                continue;
            }
            let rest = self.rest_of(bend, self.along_face());
            self.curvature = self.curvature.max(rest / dot(&self.p[..k], &self.p[..k]));
            let step = slope / bend;
            let reach = self.reach();
            if step < reach {
                // the columns off the face are priced in the same pass where there are few of them, or when they are likely to be priced next
                let everywhere =
                    self.by_columns && (10 * k > 9 * self.y.len() || free * free <= goal * free_before);
                free_before = free;
                self.conjugate_step((step, bend), steepest, everywhere, run);
                steepest = false;
                continue;
            }
            // 5. a step that would leave the box is projected
            steepest = true;
            if self.since > WATCHED {
                careful = true;
                self.y.copy_from_slice(&self.best.1);
                self.r.copy_from_slice(&self.best.2);
                self.settle_anew(None, run);
                self.since = 1;
                continue;
            }
            careful &= self.since > 0;
            if careful {
                // only to the boundary of the face: there f is sure to decrease
                self.straight_step(reach);
                self.settle_anew(None, run);
            } else if let Some(next) = self.projected_step(step, run) {
                length = next;
                projected = self.settle_anew(barzilai.then_some(next), run);
            } else {
                return Ended::Stalled;
            }
        }
    }
}
