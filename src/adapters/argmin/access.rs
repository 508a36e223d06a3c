//! Which methods of the user's problem our solvers call, and the wrapper through which they call them.

use super::super::{ParamMatrix, ParamVec};
use super::{ObjectiveProblem, carry};
use crate::objectives::{
    CompositeView, Convexity, Evaluation, NonlinearLeastSquares, Objective, ResidualFunction, ResidualView,
};
use crate::{Result, Scalar};
use argmin::core::{CostFunction, Gradient, Hessian, Jacobian, Operator, Problem};
use std::collections::HashMap;
use std::marker::PhantomData;

/// What one iteration leaves for the next: the matrix (Hessian or Jacobian) and the residual at the last points where they were
/// asked for.
///
/// ```
/// assert!(format!("{:?}", reparam::adapters::argmin::Cache::<f64>::default()).contains("Cache"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cache<T> {
    x: Vec<T>,
    /// Row after row.
    matrix: Vec<T>,
    rows: usize,
    residual_at: Vec<T>,
    residual: Vec<T>,
}

impl<T: Scalar> Cache<T> {
    fn holds(&self, x: &[T]) -> bool {
        self.x == x
    }

    fn fill<H: ParamMatrix<T>>(&mut self, x: &[T], columns: usize, h: &H) -> Evaluation<()> {
        if h.columns() != columns {
            return Err(format!("the matrix has {} columns, expected {columns}", h.columns()).into());
        }
        if !h.is_rectangular() {
            return Err("the rows of the matrix have different lengths".into());
        }
        self.rows = h.rows();
        self.x.clear(); // (should an entry panic, nothing is known)
        self.matrix.clear();
        for i in 0..self.rows {
            self.matrix.extend((0..columns).map(|j| h.entry(i, j)));
        }
        self.x.extend_from_slice(x);
        Ok(())
    }

    /// Forgets everything: the problem may be another one.
    pub(super) fn clear(&mut self) {
        self.x.clear();
        self.residual_at.clear();
        self.residual.clear();
    }
}

/// Which traits of the user's problem a [`ReparamSolver`](super::ReparamSolver) uses: [`FirstOrder`], [`SecondOrder`],
/// [`Residuals`] or, of an objective of this crate, all of it ([`FullObjective`]). (A type cannot be asked at compile time whether it implements a trait, so the solver has to be told.)
///
/// ```
/// use reparam::adapters::argmin::{FirstOrder, ReparamSolver, Residuals, SecondOrder};
/// use reparam::{maps::Squares, methods::{Lbfgs, LevenbergMarquardt, TrustRegion}};
/// let map = Squares::<f64>::new(2);
/// let _: ReparamSolver<f64, _, _, FirstOrder> = ReparamSolver::new(map.clone(), Lbfgs::new(8));
/// let _: ReparamSolver<f64, _, _, SecondOrder> = ReparamSolver::new(map.clone(), TrustRegion::new()).with_hessian();
/// let _: ReparamSolver<f64, _, _, Residuals> = ReparamSolver::new(map, LevenbergMarquardt::new()).with_residuals();
/// ```
pub trait Access<O, T: Scalar> {
    /// The type of x.
    type Param: ParamVec<Entry = T>;

    /// Runs something on the problem as an objective; every evaluation goes through argmin's counters. `at` is a point of the set:
    /// the current one.
    ///
    /// # Errors
    /// What `run` returns, or an error of the problem.
    fn with_objective<R>(
        problem: &mut Problem<O>,
        cache: &mut Cache<T>,
        at: &[T],
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> Result<R>;
}

/// `CostFunction` and `Gradient`.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::argmin::FirstOrder), "FirstOrder");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstOrder;

/// `CostFunction`, `Gradient` and `Hessian`, a dense [`ParamMatrix`]: at most one evaluation per point.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::argmin::SecondOrder), "SecondOrder");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecondOrder;

/// `Operator` (the residuals r) and `Jacobian`, as argmin's Gauss–Newton methods have it: f = ½‖r‖², ∇f = Jᵀr. A
/// `CostFunction` of the problem is not asked.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::argmin::Residuals), "Residuals");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Residuals;

/// All that an objective of this crate offers, inside an [`ObjectiveProblem`]; argmin's counters count its evaluations.
///
/// ```
/// assert_eq!(format!("{:?}", reparam::adapters::argmin::FullObjective), "FullObjective");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FullObjective;

/// A vector of the user's problem, with its length checked.
pub(super) fn read<T: Scalar, V: ParamVec<Entry = T>>(what: &str, v: &V, out: &mut [T]) -> Evaluation<()> {
    let v = v.as_slice();
    if v.len() != out.len() {
        return Err(format!(
            "{what} of the problem has length {}, expected {}",
            v.len(),
            out.len()
        )
        .into());
    }
    out.copy_from_slice(v);
    Ok(())
}

struct Bridge<'p, O, X> {
    problem: &'p mut Problem<O>,
    x: X,
}

impl<O, X> Bridge<'_, O, X> {
    fn value<T: Scalar>(&mut self, x: &[T]) -> Evaluation<T>
    where
        X: ParamVec<Entry = T>,
        O: CostFunction<Param = X, Output = T>,
    {
        self.x.as_mut_slice().copy_from_slice(x);
        self.problem.cost(&self.x).map_err(carry)
    }

    fn value_gradient<T: Scalar>(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T>
    where
        X: ParamVec<Entry = T>,
        O: CostFunction<Param = X, Output = T> + Gradient<Param = X, Gradient = X>,
    {
        let value = self.value(x)?;
        // a point that is refused has no gradient
        if value.is_finite() {
            read("the gradient", &self.problem.gradient(&self.x).map_err(carry)?, g)?;
        }
        Ok(value)
    }
}

struct First<'p, O, X>(Bridge<'p, O, X>, usize);

impl<T, O, X> Objective<T> for First<'_, O, X>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: CostFunction<Param = X, Output = T> + Gradient<Param = X, Gradient = X>,
{
    fn dim(&self) -> usize {
        self.1
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.0.value(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.0.value_gradient(x, g)
    }
}

impl<O, X, T> Access<O, T> for FirstOrder
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: CostFunction<Param = X, Output = T> + Gradient<Param = X, Gradient = X>,
{
    type Param = X;

    fn with_objective<R>(
        problem: &mut Problem<O>,
        _cache: &mut Cache<T>,
        at: &[T],
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> Result<R> {
        let (x, n) = (X::from_slice(at), at.len());
        run(&mut First(Bridge { problem, x }, n))
    }
}

struct Second<'p, O, X, T> {
    bridge: Bridge<'p, O, X>,
    cache: &'p mut Cache<T>,
    n: usize,
}

impl<T, O, X> Second<'_, O, X, T>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: Hessian<Param = X>,
    O::Hessian: ParamMatrix<T>,
{
    fn evaluate(&mut self, x: &[T]) -> Evaluation<()> {
        if !self.cache.holds(x) {
            self.bridge.x.as_mut_slice().copy_from_slice(x);
            let h = self.bridge.problem.hessian(&self.bridge.x).map_err(carry)?;
            self.cache.fill(x, self.n, &h)?;
            if self.cache.rows != self.n {
                self.cache.clear();
                return Err(format!("the Hessian has {} rows, expected {}", self.cache.rows, self.n).into());
            }
        }
        Ok(())
    }
}

impl<T, O, X> Objective<T> for Second<'_, O, X, T>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: CostFunction<Param = X, Output = T> + Gradient<Param = X, Gradient = X> + Hessian<Param = X>,
    O::Hessian: ParamMatrix<T>,
{
    fn dim(&self) -> usize {
        self.n
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.bridge.value(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.bridge.value_gradient(x, g)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.evaluate(x)?;
        for (o, row) in out.iter_mut().zip(self.cache.matrix.chunks_exact(self.n)) {
            *o = crate::linalg::dot(row, v);
        }
        Ok(true)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.evaluate(x)?;
        for (j, o) in out.iter_mut().enumerate() {
            *o = self.cache.matrix[j * self.n + j];
        }
        Ok(true)
    }
}

impl<O, X, T> Access<O, T> for SecondOrder
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: CostFunction<Param = X, Output = T> + Gradient<Param = X, Gradient = X> + Hessian<Param = X>,
    O::Hessian: ParamMatrix<T>,
{
    type Param = X;

    fn with_objective<R>(
        problem: &mut Problem<O>,
        cache: &mut Cache<T>,
        at: &[T],
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> Result<R> {
        let (x, n) = (X::from_slice(at), at.len());
        let bridge = Bridge { problem, x };
        run(&mut Second { bridge, cache, n })
    }
}

/// r and J.
struct Squares<'p, O, X, T> {
    problem: &'p mut Problem<O>,
    x: X,
    cache: &'p mut Cache<T>,
    m: usize,
    n: usize,
}

impl<T, O, X> Squares<'_, O, X, T>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: Operator<Param = X> + Jacobian<Param = X>,
    O::Output: ParamVec<Entry = T>,
    O::Jacobian: ParamMatrix<T>,
{
    fn residual(&mut self, x: &[T]) -> Evaluation<()> {
        if self.cache.residual.is_empty() || self.cache.residual_at != x {
            self.x.as_mut_slice().copy_from_slice(x);
            let r = self.problem.apply(&self.x).map_err(carry)?;
            self.cache.residual.clear();
            self.cache.residual.extend_from_slice(r.as_slice());
            self.cache.residual_at.clear();
            self.cache.residual_at.extend_from_slice(x);
        }
        Ok(())
    }

    fn evaluate(&mut self, x: &[T]) -> Evaluation<()> {
        if !self.cache.holds(x) {
            self.x.as_mut_slice().copy_from_slice(x);
            let j = self.problem.jacobian(&self.x).map_err(carry)?;
            self.cache.fill(x, self.n, &j)?;
            if self.cache.rows != self.m {
                self.cache.clear();
                return Err(format!("the Jacobian has {} rows, expected {}", self.cache.rows, self.m).into());
            }
        }
        Ok(())
    }
}

impl<T, O, X> ResidualFunction<T> for Squares<'_, O, X, T>
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: Operator<Param = X> + Jacobian<Param = X>,
    O::Output: ParamVec<Entry = T>,
    O::Jacobian: ParamMatrix<T>,
{
    fn residual_count(&self) -> usize {
        self.m
    }
    fn dim(&self) -> usize {
        self.n
    }
    fn residuals(&mut self, x: &[T], r: &mut [T]) -> Evaluation<()> {
        self.residual(x)?;
        read("the residual", &self.cache.residual, r)
    }
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        self.evaluate(x)?;
        j.copy_from_slice(&self.cache.matrix);
        Ok(true)
    }
    // the matrix is at hand: products need no copy of it
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.evaluate(x)?;
        for (o, row) in out.iter_mut().zip(self.cache.matrix.chunks_exact(self.n)) {
            *o = crate::linalg::dot(row, v);
        }
        Ok(true)
    }
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.evaluate(x)?;
        out.fill(T::zero());
        for (w, row) in w.iter().zip(self.cache.matrix.chunks_exact(self.n)) {
            crate::linalg::axpy(*w, row, out);
        }
        Ok(true)
    }
}

impl<O, X, T> Access<O, T> for Residuals
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    O: Operator<Param = X> + Jacobian<Param = X>,
    O::Output: ParamVec<Entry = T>,
    O::Jacobian: ParamMatrix<T>,
{
    type Param = X;

    fn with_objective<R>(
        problem: &mut Problem<O>,
        cache: &mut Cache<T>,
        at: &[T],
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> Result<R> {
        let (x, n) = (X::from_slice(at), at.len());
        let mut squares = Squares {
            problem,
            x,
            cache,
            m: 0,
            n,
        };
        // nobody says how many residuals there are: the first of them does
        if squares.cache.residual.is_empty() {
            squares.residual(at).map_err(crate::Error::Evaluation)?;
        }
        squares.m = squares.cache.residual.len();
        run(&mut NonlinearLeastSquares::new(squares)?)
    }
}

/// An objective of ours, and argmin's counters.
struct Counted<'p, F, T> {
    f: &'p mut F,
    counts: &'p mut HashMap<&'static str, u64>,
    number: PhantomData<T>,
}

impl<F, T> Counted<'_, F, T> {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_insert(0) += 1;
    }
}

impl<T: Scalar, F: Objective<T>> Objective<T> for Counted<'_, F, T> {
    fn dim(&self) -> usize {
        self.f.dim()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.count("cost_count");
        self.f.value(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.count("cost_count");
        self.count("gradient_count");
        self.f.value_gradient(x, g)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let known = self.f.hessian_vector(x, v, out)?;
        if known {
            self.count("hessian_product_count");
        }
        Ok(known)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.f.hessian_diagonal(x, out)
    }
    fn convexity(&self) -> Convexity {
        self.f.convexity()
    }
    fn quadratic(&self) -> bool {
        self.f.quadratic()
    }
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        self.f.composite()
    }
    fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
        self.f.image(x, z)
    }
    fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
        self.f.remember_image(x, z)
    }
    fn residuals(&mut self) -> Option<&mut dyn ResidualView<T>> {
        self.f.residuals()
    }
}

impl<F, X, T> Access<ObjectiveProblem<F, X>, T> for FullObjective
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    F: Objective<T>,
{
    type Param = X;

    fn with_objective<R>(
        problem: &mut Problem<ObjectiveProblem<F, X>>,
        _cache: &mut Cache<T>,
        _at: &[T],
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> Result<R> {
        let Some(inner) = &problem.problem else {
            return Err(crate::Error::Empty { what: "the problem" });
        };
        run(&mut Counted {
            f: &mut *inner.lock(),
            counts: &mut problem.counts,
            number: PhantomData,
        })
    }
}
