//! The wrapper through which our code evaluates a basin problem.

use super::super::ParamVec;
use crate::objectives::{Evaluation, Objective};
use crate::{Error, Result, Scalar};
use basin::core::problem::EvalCounts;
use basin::{CostFunction, Gradient, HessianProduct};

/// An error of the user's problem, or one of ours.
///
/// ```
/// use reparam::adapters::basin::Failure;
/// let failure: Failure<std::fmt::Error> = Failure::Problem(std::fmt::Error);
/// assert!(failure.to_string().starts_with("the problem failed"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure<E> {
    /// What the problem returned.
    #[error("the problem failed: {0}")]
    Problem(E),
    /// A start outside the set, a wrong length, a setting.
    #[error(transparent)]
    Reparam(#[from] Error),
}

/// Which traits of the user's problem are used: [`FirstOrder`] or [`SecondOrder`].
///
/// ```
/// use reparam::adapters::basin::{FirstOrder, ReparamSolver, SecondOrder};
/// use reparam::{maps::Squares, methods::TrustRegion};
/// let first: ReparamSolver<f64, _, _, FirstOrder> = ReparamSolver::new(Squares::new(2), TrustRegion::new());
/// let _: ReparamSolver<f64, _, _, SecondOrder> = first.with_hessian();
/// ```
pub trait Access<P: Gradient> {
    /// ∇²f(x) v, where this is offered.
    ///
    /// # Errors
    /// Those of the problem.
    fn product(problem: &P, x: &P::Param, v: &P::Param)
    -> Option<std::result::Result<P::Gradient, P::Error>>;
}

/// `CostFunction` and `Gradient`.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::basin::FirstOrder), "FirstOrder");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstOrder;

/// `HessianProduct` as well.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::basin::SecondOrder), "SecondOrder");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecondOrder;

impl<P: Gradient> Access<P> for FirstOrder {
    fn product(_: &P, _: &P::Param, _: &P::Param) -> Option<std::result::Result<P::Gradient, P::Error>> {
        None
    }
}

impl<P: HessianProduct> Access<P> for SecondOrder {
    fn product(
        problem: &P,
        x: &P::Param,
        v: &P::Param,
    ) -> Option<std::result::Result<P::Gradient, P::Error>> {
        Some(problem.hessian_product(x, v))
    }
}

/// The problem as an objective. The user's error waits here, with its type, while a word for it travels through our code.
pub(super) struct Bridge<'p, P: Gradient, C> {
    problem: &'p P,
    x: P::Param,
    v: P::Param,
    g: P::Gradient,
    pub(super) counts: EvalCounts,
    failure: Option<P::Error>,
    access: std::marker::PhantomData<C>,
}

impl<'p, P, X, T, C> Bridge<'p, P, C>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X>,
    C: Access<P>,
{
    pub(super) fn new(problem: &'p P, n: usize) -> Self {
        let zero = X::from_slice(&vec![T::zero(); n]);
        Self {
            problem,
            v: zero.clone(),
            g: zero.clone(),
            x: zero,
            counts: EvalCounts::default(),
            failure: None,
            access: std::marker::PhantomData,
        }
    }

    /// Our result, with the user's error back in place.
    pub(super) fn settle<R>(self, result: Result<R>) -> std::result::Result<R, Failure<P::Error>> {
        match (result, self.failure) {
            (Err(Error::Evaluation(_)), Some(error)) => Err(Failure::Problem(error)),
            (Err(error), _) => Err(Failure::Reparam(error)),
            (Ok(value), _) => Ok(value),
        }
    }

    fn keep<R>(&mut self, result: std::result::Result<R, P::Error>) -> Evaluation<R> {
        result.map_err(|error| {
            self.failure = Some(error);
            "an error of the problem".into()
        })
    }
}

/// A vector of the user's problem, with its length checked.
fn read<T: Scalar>(what: &str, found: &[T], out: &mut [T]) -> Evaluation<()> {
    if found.len() != out.len() {
        let (found, expected) = (found.len(), out.len());
        return Err(format!("{what} of the problem has length {found}, expected {expected}").into());
    }
    out.copy_from_slice(found);
    Ok(())
}

impl<P, X, T, C> Objective<T> for Bridge<'_, P, C>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X>,
    C: Access<P>,
{
    fn dim(&self) -> usize {
        self.x.as_slice().len()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.x.as_mut_slice().copy_from_slice(x);
        self.counts.cost_evals += 1;
        let value = self.problem.cost(&self.x);
        self.keep(value)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.x.as_mut_slice().copy_from_slice(x);
        self.counts.cost_evals += 1;
        self.counts.gradient_evals += 1;
        let value = self.problem.cost_and_gradient_into(&self.x, &mut self.g);
        let value = self.keep(value)?;
        read("the gradient", self.g.as_slice(), g)?;
        Ok(value)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.x.as_mut_slice().copy_from_slice(x);
        self.v.as_mut_slice().copy_from_slice(v);
        let Some(product) = C::product(self.problem, &self.x, &self.v) else {
            return Ok(false);
        };
        self.counts.hessian_product_evals += 1;
        read("the Hessian product", self.keep(product)?.as_slice(), out)?;
        Ok(true)
    }
}
