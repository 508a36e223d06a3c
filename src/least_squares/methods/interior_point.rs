//! A primal-dual interior-point method, its steps by preconditioned conjugate gradients: for sparse problems with a large face.
//!
//! With g = Aᵀ(A x − b) and multipliers z > 0 the points with g = z and x∘z = μ lead to the answer as μ falls to 0. A step solves
//!
//! ```text
//! (AᵀA + D) δ = σμ/x − g,    D = diag(z/x)
//! x ← x + α δ,    z ← z + α' (σμ/x − z − D δ)
//! ```
//!
//! by conjugate gradients to a per cent (Mehrotra 1992 and Wright 1997 for the method, Bellavia 1998 for inexact steps), preconditioned by
//! the factorised sparse approximate inverse of AᵀA + D. g is formed anew at every x, so that what a step leaves of its system is not
//! lost: it is part of the next right-hand side. Coordinates near zero with a large multiplier (large D) are eliminated before the solve and
//! substituted after it, neglecting their mutual coupling.
//!
//! All coordinates move at once, each a little. Where thousands of columns stay and AᵀA has a long tail of small eigenvalues, methods that
//! go from face to face do not settle, and each face costs thousands of products; here the tail is the preconditioner's.

use super::lifted_cg::starting_point;
use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::problem::Problem;
use crate::least_squares::region::NonNegative;
use crate::linalg::{axpy, dot};
use crate::operators::sparse_inverse::SparseInverse;
use crate::outcome::{Phase, Run, Status};
use crate::sets::{ConstraintSet, Orthant};

/// The most steps, and the most steps in which the residual has not halved.
const STEPS: usize = 150;
const PATIENCE: usize = 20;
/// The relative residual to which the system of a step is solved, in the norm of the preconditioner, …
const CG_TOLERANCE: f64 = 0.01;
/// … unless that takes more conjugate gradient steps than this.
const CG_MAX_ITERATIONS: usize = 400;
/// No coordinate starts nearer to its bound than this, in units of b.
const OFF_BOUNDARY: f64 = 1e-6;
/// The fraction of the way to the boundary that a step may go.
const FRACTION_TO_BOUNDARY: f64 = 0.99;
/// σ: what the last step fell short of its full length, within these.
const CENTRING: (f64, f64) = (0.05, 0.5);
/// With D_j so many times ‖a_j‖² a coordinate moves by its own multiplier, and the others move without it.
const HELD_DOWN: f64 = 1e4;

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// The interior-point method to the tolerance.
    pub(in crate::least_squares) fn interior(&self, run: &mut Run<'_>) -> Candidate<T> {
        run.begin(Phase::InteriorPoint);
        let reached = interior_point(self.problem, self.b, self.b_norm, self.tolerance, run);
        self.cut(reached.x, Phase::InteriorPoint, reached.limit, run)
    }
}

/// Where it ended: its best point, and the limit, if one ended it.
struct Reached<T> {
    x: Vec<T>,
    limit: Option<Status>,
}

/// Until the natural residual is at most `tolerance`, or falls no more.
fn interior_point<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    b_norm: T,
    tolerance: T,
    run: &mut Run<'_>,
) -> Reached<T> {
    let set = Orthant::new(problem.columns());
    let mut state = match State::new(problem, b, b_norm, run) {
        Ok(state) => state,
        Err(limit) => {
            return Reached {
                x: vec![T::zero(); problem.columns()],
                limit: Some(limit),
            };
        }
    };
    let mut best = Reached {
        x: state.x.clone(),
        limit: None,
    };
    let mut least = T::infinity();
    let (mut mark, mut since) = (T::infinity(), 0);
    let mut shorter = T::zero();
    for step in 0..STEPS {
        if let Err(limit) = run.check() {
            best.limit = Some(limit);
            break;
        }
        // 1. r = b − A x, g and ρ at the new x; the best x so far
        state.evaluate(b, run);
        let rho = set.natural_residual(&state.x, &state.g, Some(problem.norms())) / b_norm;
        if rho.is_nan() {
            best.limit = Some(Status::NotFinite);
            break;
        }
        if rho < least {
            least = rho;
            best.x.copy_from_slice(&state.x);
        }
        if rho < T::lit(0.5) * mark {
            (mark, since) = (rho, 0);
        }
        since += 1;
        if rho <= tolerance || since > PATIENCE {
            break;
        }
        if step == 0 {
            state.first_multipliers();
        }
        // 2. the target σμ, with a larger σ after a short step
        let sigma = (T::one() - shorter)
            .max(T::lit(CENTRING.0))
            .min(T::lit(CENTRING.1));
        let target = sigma * state.mean_product();
        // 3. (AᵀA + D) δ = σμ/x − g
        if let Err(limit) = state.system(target, run).and_then(|()| state.direction(run)) {
            best.limit = Some(limit);
            break;
        }
        // 4. x + α δ and z + α' Δz, a fraction of the way to the boundary
        match state.advance(target) {
            Some(length) => shorter = length,
            None => break,
        }
    }
    best
}

/// (AᵀA + D)⁻¹, roughly.
enum Preconditioner<T> {
    Sparse(SparseInverse<T>),
    /// ‖a_j‖² + D_j
    Diagonal(Vec<T>),
}

/// A point, and the system of a step from it. Coordinates of zero columns stay at 0 and take no part.
struct State<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    preconditioner: Preconditioner<T>,
    /// ‖a_j‖²
    squares: Vec<T>,
    live: T,
    /// x_j ‖a_j‖ and z_j/‖a_j‖ are no smaller than this, or they could not be divided by.
    smallest: T,
    x: Vec<T>,
    z: Vec<T>,
    r: Vec<T>,
    g: Vec<T>,
    d: Vec<T>,
    right: Vec<T>,
    /// The coordinates that move together, and those that are held down.
    face: Vec<usize>,
    held: Vec<usize>,
    /// The step; the last one on entry.
    delta: Vec<T>,
    // of conjugate gradients: what is left of the system, the same preconditioned, the direction and its image
    left: Vec<T>,
    scaled: Vec<T>,
    p: Vec<T>,
    q: Vec<T>,
    // scratch
    middle: Vec<T>,
    image: Vec<T>,
    gathered: Vec<T>,
    products: Vec<T>,
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    /// A first point, and the part of the preconditioner that stays.
    ///
    /// # Errors
    /// The limit that was reached while it was made.
    fn new(problem: &'p Problem<'a, T>, b: &[T], b_norm: T, run: &mut Run<'_>) -> Result<Self, Status> {
        let (m, n) = (problem.rows(), problem.columns());
        let norms = problem.norms();
        let squares: Vec<T> = norms.iter().map(|c| *c * *c).collect();
        let inverse = match problem.sparse() {
            Some(a) => SparseInverse::of(a, norms, run.stop())?,
            None => None,
        };
        let zeros = || vec![T::zero(); n];
        let mut image = vec![T::zero(); m];
        let mut x = starting_point(problem, b, &squares, &mut image, run);
        // (zero everywhere where Aᵀb ≤ 0)
        for (x, c) in x.iter_mut().zip(norms).filter(|(_, c)| **c > T::zero()) {
            *x = x.max(T::lit(OFF_BOUNDARY) * b_norm / *c);
        }
        Ok(Self {
            preconditioner: inverse.map_or_else(|| Preconditioner::Diagonal(zeros()), Preconditioner::Sparse),
            live: T::count(squares.iter().filter(|h| **h > T::zero()).count()),
            x,
            problem,
            squares,
            smallest: T::epsilon() * T::epsilon() * b_norm,
            z: zeros(),
            r: vec![T::zero(); m],
            g: zeros(),
            d: zeros(),
            right: zeros(),
            face: Vec::with_capacity(n),
            held: Vec::with_capacity(n),
            delta: zeros(),
            left: zeros(),
            scaled: zeros(),
            p: zeros(),
            q: zeros(),
            middle: zeros(),
            image,
            gathered: zeros(),
            products: zeros(),
        })
    }

    /// r and g at x.
    fn evaluate(&mut self, b: &[T], run: &mut Run<'_>) {
        self.problem.apply(&self.x, &mut self.r, run);
        for (ri, bi) in self.r.iter_mut().zip(b) {
            *ri -= *bi;
        }
        self.problem.adjoint(&self.r, &mut self.g, run);
    }

    /// |g|, and nowhere less than what makes x∘z as large as it is in the mean.
    fn first_multipliers(&mut self) {
        let products = self.g.iter().zip(&self.x).map(|(g, x)| g.abs() * *x);
        let mean = products.sum::<T>() / self.live;
        for (j, z) in self.z.iter_mut().enumerate() {
            if self.squares[j] > T::zero() {
                *z = self.g[j].abs().max(mean / self.x[j]);
            }
        }
    }

    /// μ
    fn mean_product(&self) -> T {
        dot(&self.x, &self.z) / self.live
    }

    /// D, the right-hand side for x∘z → `target`, the two kinds of coordinates and the preconditioner.
    ///
    /// # Errors
    /// The limit that was reached while the preconditioner was made.
    fn system(&mut self, target: T, run: &Run<'_>) -> Result<(), Status> {
        self.face.clear();
        self.held.clear();
        for j in 0..self.x.len() {
            let h = self.squares[j];
            if h == T::zero() {
                self.scaled[j] = T::infinity();
                continue;
            }
            self.d[j] = self.z[j] / self.x[j];
            self.right[j] = target / self.x[j] - self.g[j];
            if self.d[j] <= T::lit(HELD_DOWN) * h {
                self.face.push(j);
                self.scaled[j] = self.d[j];
            } else {
                self.held.push(j);
                self.scaled[j] = T::infinity();
            }
        }
        match &mut self.preconditioner {
            Preconditioner::Sparse(inverse) => inverse.factor(&self.scaled, run.stop())?,
            Preconditioner::Diagonal(diagonal) => {
                for ((v, h), d) in diagonal.iter_mut().zip(&self.squares).zip(&self.scaled) {
                    *v = *h + *d;
                }
            }
        }
        Ok(())
    }

    fn precondition(&mut self) {
        match &self.preconditioner {
            Preconditioner::Sparse(inverse) => inverse.apply(&self.left, &mut self.middle, &mut self.scaled),
            Preconditioner::Diagonal(diagonal) => {
                for ((s, l), v) in self.scaled.iter_mut().zip(&self.left).zip(diagonal) {
                    *s = *l / *v;
                }
            }
        }
    }

    /// q ← (AᵀA + D) p on the face.
    fn product(&mut self, run: &mut Run<'_>) {
        let k = self.face.len();
        for (v, j) in self.gathered.iter_mut().zip(&self.face) {
            *v = self.p[*j];
        }
        let (v, out) = (&self.gathered[..k], &mut self.products[..k]);
        self.problem.normal(&self.face, v, &mut self.image, out, run);
        for (o, j) in out.iter().zip(&self.face) {
            self.q[*j] = *o + self.d[*j] * self.p[*j];
        }
    }

    /// δ: the face by conjugate gradients, what is held down by substitution before and after.
    ///
    /// # Errors
    /// The limit of the run that was reached.
    fn direction(&mut self, run: &mut Run<'_>) -> Result<(), Status> {
        for v in [&mut self.left, &mut self.q] {
            v.fill(T::zero());
        }
        self.face.iter().for_each(|j| self.left[*j] = self.right[*j]);
        self.precondition();
        let enough = T::lit(CG_TOLERANCE * CG_TOLERANCE) * dot(&self.left, &self.scaled);
        // eliminate the coordinates with large D: δ_H = D⁻¹ right_H, and their effect on the right-hand side of the others
        if !self.held.is_empty() {
            for (v, j) in self.gathered.iter_mut().zip(&self.held) {
                *v = self.right[*j] / self.d[*j];
            }
            self.across(false, run);
            for (o, j) in self.products.iter().zip(&self.face) {
                self.left[*j] -= *o;
            }
        }
        // start from the best multiple of the last step, whose remaining part often is a good guess
        self.held.iter().for_each(|j| self.delta[*j] = T::zero());
        if self.delta.iter().any(|v| *v != T::zero()) {
            std::mem::swap(&mut self.p, &mut self.delta);
            self.product(run);
            let multiple = dot(&self.p, &self.left) / dot(&self.p, &self.q);
            let multiple = if multiple.is_finite() { multiple } else { T::zero() };
            self.delta.fill(T::zero());
            axpy(multiple, &self.p, &mut self.delta);
            axpy(-multiple, &self.q, &mut self.left);
        }
        // preconditioned conjugate gradients on the face
        self.precondition();
        self.p.copy_from_slice(&self.scaled);
        let mut size = dot(&self.left, &self.scaled);
        for _ in 0..CG_MAX_ITERATIONS {
            if size <= enough || size.is_nan() {
                break;
            }
            run.iteration()?;
            self.product(run);
            let curvature = dot(&self.p, &self.q);
            if !(curvature > T::zero() && curvature.is_finite()) {
                break;
            }
            let step = size / curvature;
            axpy(step, &self.p, &mut self.delta);
            axpy(-step, &self.q, &mut self.left);
            self.precondition();
            let next = dot(&self.left, &self.scaled);
            let beta = next / size;
            size = next;
            for (p, s) in self.p.iter_mut().zip(&self.scaled) {
                *p = *s + beta * *p;
            }
        }
        // substitute the eliminated coordinates
        if !self.held.is_empty() {
            for (v, j) in self.gathered.iter_mut().zip(&self.face) {
                *v = self.delta[*j];
            }
            self.across(true, run);
            for (o, j) in self.products.iter().zip(&self.held) {
                self.delta[*j] = (self.right[*j] - *o) / self.d[*j];
            }
        }
        Ok(())
    }

    /// What coordinates of one kind, in `gathered`, do to the gradient of the other kind, in `products`.
    fn across(&mut self, from_face: bool, run: &mut Run<'_>) {
        let (from, to) = if from_face {
            (&self.face, &self.held)
        } else {
            (&self.held, &self.face)
        };
        self.problem
            .combine(from, &self.gathered[..from.len()], &mut self.image, run);
        self.problem
            .combine_adjoint(to, &self.image, &mut self.products[..to.len()], run);
    }

    /// Goes along δ, almost to the boundary. Returns the shorter of the two lengths; None for a δ that is no direction.
    fn advance(&mut self, target: T) -> Option<T> {
        let (mut of_x, mut of_z) = (T::one(), T::one());
        let fraction = T::lit(FRACTION_TO_BOUNDARY);
        for j in 0..self.x.len() {
            if self.squares[j] == T::zero() {
                continue;
            }
            let change = target / self.x[j] - self.z[j] - self.d[j] * self.delta[j];
            if !(self.delta[j].is_finite() && change.is_finite()) {
                return None;
            }
            if self.delta[j] < T::zero() {
                of_x = of_x.min(-fraction * self.x[j] / self.delta[j]);
            }
            if change < T::zero() {
                of_z = of_z.min(-fraction * self.z[j] / change);
            }
            self.q[j] = change;
        }
        for (j, c) in self
            .problem
            .norms()
            .iter()
            .enumerate()
            .filter(|(_, c)| **c > T::zero())
        {
            self.x[j] = (self.x[j] + of_x * self.delta[j]).max(self.smallest / *c);
            self.z[j] = (self.z[j] + of_z * self.q[j]).max(self.smallest * *c);
        }
        Some(of_x.min(of_z))
    }
}
