//! An objective of this crate as an argmin problem.

use super::super::{ParamMatrix, ParamVec};
use crate::Scalar;
use crate::objectives::{LeastSquares, NonlinearLeastSquares, Objective, ResidualFunction, ResidualView};
use crate::operators::LinearOperator;
use argmin::core::{CostFunction, Error, Gradient, Hessian, Jacobian, Operator};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Any [`Objective`] as a problem of argmin's in x, with parameters of type X: for argmin's solvers, for
/// [`ReparamSolver`](super::ReparamSolver), and inside [`Reparametrized`](super::Reparametrized).
///
/// ```text
/// CostFunction, Gradient    f, ∇f: where argmin asks for one after the other at the same x, least squares and losses of A x
///                           compute A x once
/// Hessian                   dense, by n products (n² numbers)
/// Operator, Jacobian        of least squares, linear (A x − b and A) and not (r and its Jacobian), as Gauss–Newton asks
/// ```
///
/// Of [`LeastSquares`] it is also what [`NnlsSolver`](super::NnlsSolver) solves, which takes A itself. The residuals here are plain:
/// with weights, a ridge or a robust loss, `Operator` is an error.
///
/// ```
/// use argmin::core::{CostFunction, Gradient, Hessian, Operator};
/// use nalgebra::{DVector, dmatrix, dvector};
/// use reparam::{adapters::argmin::ObjectiveProblem, objectives::LeastSquares};
/// let f = LeastSquares::new(dmatrix![1.0, 0.0; 0.0, 2.0], &[1.0, 2.0]).unwrap();
/// let problem = ObjectiveProblem::<_, DVector<f64>>::new(f);
/// let x = dvector![0.0, 0.0];
/// assert_eq!(problem.cost(&x).unwrap(), 2.5);
/// assert_eq!(problem.gradient(&x).unwrap(), dvector![-1.0, -4.0]);
/// assert_eq!(problem.hessian(&x).unwrap(), dmatrix![1.0, 0.0; 0.0, 4.0]);
/// assert_eq!(problem.apply(&x).unwrap(), dvector![-1.0, -2.0]);
/// ```
#[derive(Debug)]
pub struct ObjectiveProblem<F, X> {
    objective: Mutex<F>,
    /// Which problem this is, of all that were ever made here.
    id: u64,
    vector: PhantomData<fn() -> X>,
}

static MADE: AtomicU64 = AtomicU64::new(0);

impl<F: Clone, X> Clone for ObjectiveProblem<F, X> {
    fn clone(&self) -> Self {
        Self::new(self.lock().clone())
    }
}

impl<F, X> ObjectiveProblem<F, X> {
    /// The problem min f.
    ///
    /// ```
    /// use reparam::{adapters::argmin::ObjectiveProblem, objectives::LeastSquares};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// let _ = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// ```
    pub fn new(objective: F) -> Self {
        Self {
            objective: Mutex::new(objective),
            id: MADE.fetch_add(1, Ordering::Relaxed),
            vector: PhantomData,
        }
    }

    /// f back.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::ObjectiveProblem, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// assert_eq!(ObjectiveProblem::<_, Vec<f64>>::new(f).into_inner().rhs(), &[1.0]);
    /// ```
    pub fn into_inner(self) -> F {
        self.objective
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells one problem from any other (a clone is another one): what was prepared for it is good for it alone.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// f. (A panic inside f has left nothing here that the next evaluation would not overwrite.)
    pub(super) fn lock(&self) -> MutexGuard<'_, F> {
        self.objective.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A vector of argmin's solver, with its length checked.
fn entries<X: ParamVec>(n: usize, x: &X) -> Result<&[X::Entry], Error> {
    crate::checks::check_len("x", n, x.as_slice().len())?;
    Ok(x.as_slice())
}

impl<F: Objective<X::Entry>, X: ParamVec> CostFunction for ObjectiveProblem<F, X> {
    type Param = X;
    type Output = X::Entry;

    fn cost(&self, x: &X) -> Result<X::Entry, Error> {
        let mut f = self.lock();
        let x = entries(f.dim(), x)?;
        f.value(x).map_err(Error::from_boxed)
    }
}

impl<F: Objective<X::Entry>, X: ParamVec> Gradient for ObjectiveProblem<F, X> {
    type Param = X;
    type Gradient = X;

    fn gradient(&self, x: &X) -> Result<X, Error> {
        let mut f = self.lock();
        let mut g = x.clone();
        let x = entries(f.dim(), x)?;
        f.value_gradient(x, g.as_mut_slice()).map_err(Error::from_boxed)?;
        Ok(g)
    }
}

impl<F: Objective<X::Entry>, X: ParamVec> Hessian for ObjectiveProblem<F, X> {
    type Param = X;
    type Hessian = X::Matrix;

    fn hessian(&self, x: &X) -> Result<X::Matrix, Error> {
        let mut f = self.lock();
        let n = f.dim();
        let x = entries(n, x)?;
        let zero = <X::Entry as num_traits::Zero>::zero();
        let (mut e, mut columns) = (vec![zero; n], vec![zero; n * n]);
        for (j, column) in columns.chunks_exact_mut(n).enumerate() {
            e[j] = num_traits::One::one();
            if !f.hessian_vector(x, &e, column).map_err(Error::from_boxed)? {
                return Err(Error::msg("the objective has no Hessian products"));
            }
            e[j] = zero;
        }
        Ok(X::Matrix::from_fn(n, n, |i, j| columns[j * n + i]))
    }
}

/// A x − b and A.
impl<A, T, X> Operator for ObjectiveProblem<LeastSquares<A, T>, X>
where
    A: LinearOperator<T>,
    T: Scalar,
    X: ParamVec<Entry = T>,
{
    type Param = X;
    type Output = X;

    fn apply(&self, x: &X) -> Result<X, Error> {
        let mut f = self.lock();
        let x = entries(f.dim(), x)?;
        f.check_plain()?;
        let mut r = vec![T::zero(); f.rhs().len()];
        f.image(x, &mut r);
        for (r, b) in r.iter_mut().zip(f.rhs()) {
            *r -= *b;
        }
        Ok(X::from_slice(&r))
    }
}

impl<A, T, X> Jacobian for ObjectiveProblem<LeastSquares<A, T>, X>
where
    A: LinearOperator<T>,
    T: Scalar,
    X: ParamVec<Entry = T>,
{
    type Param = X;
    type Jacobian = X::Matrix;

    fn jacobian(&self, x: &X) -> Result<X::Matrix, Error> {
        let f = self.lock();
        f.check_plain()?;
        let a = f.operator();
        let (m, n) = (a.rows(), a.columns());
        entries(n, x)?;
        let (mut e, mut columns) = (vec![T::zero(); n], vec![T::zero(); m * n]);
        for (j, column) in columns.chunks_exact_mut(m).enumerate() {
            if !a.column(j, column) {
                e[j] = T::one();
                a.apply(&e, column);
                e[j] = T::zero();
            }
        }
        Ok(X::Matrix::from_fn(m, n, |i, j| columns[j * m + i]))
    }
}

/// r and J of the function of residuals.
impl<R, T, X> Operator for ObjectiveProblem<NonlinearLeastSquares<R, T>, X>
where
    R: ResidualFunction<T>,
    T: Scalar,
    X: ParamVec<Entry = T>,
{
    type Param = X;
    type Output = X;

    fn apply(&self, x: &X) -> Result<X, Error> {
        let mut f = self.lock();
        let x = entries(f.dim(), x)?;
        check_linear_loss(&f)?;
        let mut r = vec![T::zero(); f.residual_count()];
        f.residual_vector(x, &mut r).map_err(Error::from_boxed)?;
        Ok(X::from_slice(&r))
    }
}

impl<R, T, X> Jacobian for ObjectiveProblem<NonlinearLeastSquares<R, T>, X>
where
    R: ResidualFunction<T>,
    T: Scalar,
    X: ParamVec<Entry = T>,
{
    type Param = X;
    type Jacobian = X::Matrix;

    fn jacobian(&self, x: &X) -> Result<X::Matrix, Error> {
        let mut f = self.lock();
        let x = entries(f.dim(), x)?;
        check_linear_loss(&f)?;
        let (m, n) = (f.residual_count(), x.len());
        let mut j = vec![T::zero(); m * n];
        ResidualView::jacobian(&mut *f, x, &mut j).map_err(Error::from_boxed)?;
        Ok(X::Matrix::from_fn(m, n, |i, k| j[i * n + k]))
    }
}

fn check_linear_loss<R: ResidualFunction<T>, T: Scalar>(
    f: &NonlinearLeastSquares<R, T>,
) -> Result<(), Error> {
    if f.loss().is_linear() {
        return Ok(());
    }
    Err(Error::msg(
        "residuals of a robust loss are not those of ½‖r‖²: give its cost and gradient instead",
    ))
}
