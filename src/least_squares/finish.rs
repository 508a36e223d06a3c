//! The exact finish of other solvers: least squares over a polyhedron, written out, solved from a point near its solution.
//!
//! The caller's number type is any [`Scalar`]; the kernels exist for `f32` and `f64`. What is written out owns its data, so that
//! the number type can be asked at run time.

use super::bounded::{Request, Strategy, bounds};
use super::reduce_and_solve::Question;
use super::standard_form::StandardForm;
use crate::linalg::{axpy, dot};
use crate::operators::{Dense, LinearOperator, SparseColumns};
use crate::outcome::{Limits, Solution};
use crate::{LinalgScalar, Scalar};
use std::any::Any;

/// What is minimised.
#[derive(Debug, Clone)]
pub(crate) enum Form<T> {
    /// ½‖A x − b‖², A column after column.
    Dense(Vec<T>, Vec<T>),
    /// ½‖A x − b‖².
    Sparse(SparseColumns<T>, Vec<T>),
    /// ½⟨x, Q x⟩ with the gradient g at a point.
    Normal { q: Vec<T>, g: Vec<T>, x: Vec<T> },
}

/// A problem with its own data.
#[derive(Debug, Clone)]
pub(crate) struct Finish<T> {
    pub(crate) form: Form<T>,
    pub(crate) set: StandardForm<T>,
    /// z near the solution.
    pub(crate) start: Option<Vec<T>>,
    pub(crate) limits: Limits,
}

/// An answer to it, not verified yet.
#[derive(Debug, Clone)]
pub(crate) struct Exact<T> {
    pub(crate) x: Vec<T>,
    /// A bound of what is lost in f, +∞ without one.
    pub(crate) gap: T,
    pub(crate) passes: f64,
    pub(crate) factorisations: usize,
    /// Whether Q was singular, and the answer is that of a proximal step.
    pub(crate) proximal: bool,
}

impl<T: Scalar> Finish<T> {
    /// None when it failed, a limit was reached, or there are no kernels for T.
    pub(crate) fn solve(self) -> Option<Exact<T>> {
        let this: Box<dyn Any> = Box::new(self);
        let answer: Box<dyn Any> = match this.downcast::<Finish<f64>>() {
            Ok(finish) => Box::new(solve(*finish)?),
            Err(this) => Box::new(solve(*this.downcast::<Finish<f32>>().ok()?)?),
        };
        answer.downcast::<Exact<T>>().ok().map(|b| *b)
    }
}

fn solve<T: LinalgScalar>(finish: Finish<T>) -> Option<Exact<T>> {
    let Finish {
        form,
        set,
        start,
        limits,
    } = finish;
    let mut proximal = false;
    let (a, mut b) = match form {
        Form::Sparse(a, b) => {
            let a = if set.is_plain() { a } else { set.sparse(&a)? };
            return run(&a, &b, &set, start.as_deref(), &limits, proximal);
        }
        Form::Dense(a, b) => (a, b),
        Form::Normal { q, g, x } => {
            let (a, b, damped) = root(&q, &g, &x)?;
            proximal = damped;
            (a, b)
        }
    };
    let m = b.len();
    let view = Dense::column_major(&a, m, set.dim()).ok()?;
    if set.is_plain() {
        return run(&view, &b, &set, start.as_deref(), &limits, proximal);
    }
    // b ← b − A s
    if let Some(s) = set.offset() {
        for (column, s) in a.chunks_exact(m).zip(&s) {
            axpy(-*s, column, &mut b);
        }
    }
    let written = set.written(&view).ok()?;
    let a = Dense::column_major(&written, m, set.dim_z()).ok()?;
    run(&a, &b, &set, start.as_deref(), &limits, proximal)
}

/// R and c with ½‖R x − c‖² = ½⟨x − x₀, (Q + μ)(x − x₀)⟩ + ⟨g, x⟩ + const, R upper triangular by columns; μ is zero unless Q is
/// singular in this precision (the flag says so).
fn root<T: LinalgScalar>(q: &[T], g: &[T], x: &[T]) -> Option<(Vec<T>, Vec<T>, bool)> {
    let n = g.len();
    let top = (0..n).fold(T::zero(), |m, j| m.max(q[j * n + j]));
    if top.is_nan() || top <= T::zero() || !top.is_finite() {
        return None;
    }
    let flat = T::lit(1e2) * T::count(n) * T::epsilon() * top;
    for damping in [T::zero(), T::epsilon().sqrt() * top] {
        let mut l = q.to_vec();
        for j in 0..n {
            l[j * n + j] += damping;
        }
        if !T::cholesky(n, &mut l) || (0..n).any(|j| l[j * n + j] * l[j * n + j] <= flat) {
            continue;
        }
        // R = Lᵀ; c = R x₀ − R⁻ᵀ g
        let mut r = vec![T::zero(); n * n];
        for j in 0..n {
            for i in 0..=j {
                r[j * n + i] = l[i * n + j];
            }
        }
        let mut c = vec![T::zero(); n];
        for j in 0..n {
            c[j] = (-g[j] - dot(&r[j * n..j * n + j], &c[..j])) / r[j * n + j];
        }
        for j in 0..n {
            axpy(x[j], &r[j * n..j * n + j + 1], &mut c[..=j]);
        }
        return Some((r, c, damping > T::zero()));
    }
    None
}

fn run<T: LinalgScalar, A: LinearOperator<T>>(
    a: &A,
    b: &[T],
    set: &StandardForm<T>,
    start: Option<&[T]>,
    limits: &Limits,
    proximal: bool,
) -> Option<Exact<T>> {
    let mut request = Request::new(bounds(set.lower.clone(), set.upper.clone()));
    request.settings.limits = limits.clone();
    if let Some((part, r)) = &set.sum {
        request.demand(*r, Some(part.clone()), "`sum_over`");
    }
    let mut solved = |start: Option<&[T]>, strategy: Strategy| -> Option<Solution<T>> {
        request.settings.strategy = strategy;
        request.start = start.map(<[T]>::to_vec);
        let question = Question { a, request: &request };
        question.solve(b).ok().filter(|s| s.status.is_solved())
    };
    let warm = start.and_then(|z| {
        let inside = (0..z.len()).filter(|j| set.lower[*j] < z[*j] && z[*j] < set.upper[*j]);
        // the face of a start with few coordinates between their bounds costs less than a Gram matrix of all columns
        let few = 2 * inside.count() <= z.len();
        few.then(|| solved(start, Strategy::ActiveSet))
            .flatten()
            .or_else(|| solved(start, Strategy::Auto))
    });
    let solution = warm.or_else(|| solved(None, Strategy::Auto))?;
    let mut x = vec![T::zero(); set.dim()];
    set.x(&solution.x, &mut x);
    Some(Exact {
        x,
        // (f itself, where no dual point was found, must not contradict the residual)
        gap: if solution.certificate.gap < T::lit(0.99) * solution.objective {
            solution.certificate.gap
        } else {
            T::infinity()
        },
        passes: solution.counts.passes,
        factorisations: solution.counts.factorisations,
        proximal,
    })
}
