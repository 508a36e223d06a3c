//! The Hessian of the lift for argmin's second-order solvers.

use super::super::{ParamMatrix, ParamVec};
use super::Reparametrized;
use crate::Scalar;
use crate::maps::Reparametrization;
use argmin::core::{CostFunction, Error, Gradient, Hessian, Jacobian, Operator};
use argmin_math::ArgminDot;
use std::marker::PhantomData;
use std::sync::Arc;

/// ∇²(f∘φ)(u) as an operator; no p×p matrix is formed.
///
/// ```text
/// ∇²F v = Jᵀ ∇²f(x) J v + Σᵢ gᵢ ∇²φᵢ(u) v        J = Dφ(u), g = ∇f(x), x = φ(u)
/// ```
///
/// ∇²f is what the user's problem returns, H with `ArgminDot<X, X>`: a dense matrix, or an operator of its own. All that
/// `NewtonCG` and `TrustRegion` with `Steihaug` or `CauchyPoint` ask is the product. Cheap to clone.
///
/// ```
/// use argmin::core::Hessian;
/// use argmin_math::ArgminDot;
/// use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
/// let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
/// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
/// let h = lifted.hessian(&vec![2.0]).unwrap();
/// assert_eq!(h.dot(&vec![1.0]), vec![22.0]); // F = ½(u² − 1)², F'' = 6u² − 2
/// ```
pub struct LiftedHessian<H, M, X, P: ParamVec> {
    inner: Arc<Inner<H, P::Entry>>,
    map: Arc<M>,
    vectors: PhantomData<fn() -> (X, P)>,
}

struct Inner<H, T> {
    h: H,
    u: Vec<T>,
    g: Vec<T>,
}

impl<H, M, X, P: ParamVec> Clone for LiftedHessian<H, M, X, P> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            map: Arc::clone(&self.map),
            vectors: PhantomData,
        }
    }
}

impl<H, M, X, P: ParamVec> std::fmt::Debug for LiftedHessian<H, M, X, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiftedHessian")
            .field("dim", &self.inner.u.len())
            .finish_non_exhaustive()
    }
}

impl<H, M, X, P: ParamVec> LiftedHessian<H, M, X, P> {
    pub(super) fn new(h: H, map: Arc<M>, u: Vec<P::Entry>, g: Vec<P::Entry>) -> Self {
        Self {
            inner: Arc::new(Inner { h, u, g }),
            map,
            vectors: PhantomData,
        }
    }
}

impl<H, M, X, P, T> LiftedHessian<H, M, X, P>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    H: ArgminDot<X, X>,
    M: Reparametrization<T>,
{
    fn product(&self, v: &[T], out: &mut [T]) {
        let (map, Inner { h, u, g }) = (&self.map, &*self.inner);
        let zeros = |k| vec![T::zero(); k];
        let (mut jv, mut curved, mut work) =
            (zeros(map.dim_x()), zeros(map.dim_u()), zeros(map.scratch_len()));
        map.jvp(u, v, &mut jv, &mut work);
        let hjv = h.dot(&X::from_slice(&jv));
        if hjv.as_slice().len() != jv.len() {
            // (argmin's products have no errors)
            out.fill(T::nan());
            return;
        }
        map.vjp(u, hjv.as_slice(), out, &mut work);
        map.curvature(u, g, v, &mut curved, &mut work);
        for (o, c) in out.iter_mut().zip(&curved) {
            *o += *c;
        }
    }
}

impl<H, M, X, P, T> ArgminDot<P, P> for LiftedHessian<H, M, X, P>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    H: ArgminDot<X, X>,
    M: Reparametrization<T>,
{
    fn dot(&self, v: &P) -> P {
        let mut out = P::from_slice(&vec![T::zero(); v.as_slice().len()]);
        self.product(v.as_slice(), out.as_mut_slice());
        out
    }
}

/// A problem on the lift whose Hessian is a matrix, by p products: for `Newton`, `SR1TrustRegion` and `Dogleg`, which need one.
///
/// ```
/// use argmin::core::Hessian;
/// use reparam::adapters::argmin::{Dense, ObjectiveProblem, Reparametrized};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
/// let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
/// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
/// assert_eq!(Dense(&lifted).hessian(&vec![2.0]).unwrap(), vec![vec![22.0]]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Dense<R>(pub R);

impl<R: CostFunction> CostFunction for Dense<R> {
    type Param = R::Param;
    type Output = R::Output;
    fn cost(&self, u: &Self::Param) -> Result<Self::Output, Error> {
        self.0.cost(u)
    }
}

impl<R: Gradient> Gradient for Dense<R> {
    type Param = R::Param;
    type Gradient = R::Gradient;
    fn gradient(&self, u: &Self::Param) -> Result<Self::Gradient, Error> {
        self.0.gradient(u)
    }
}

impl<R: Operator> Operator for Dense<R> {
    type Param = R::Param;
    type Output = R::Output;
    fn apply(&self, u: &Self::Param) -> Result<Self::Output, Error> {
        self.0.apply(u)
    }
}

impl<R: Jacobian> Jacobian for Dense<R> {
    type Param = R::Param;
    type Jacobian = R::Jacobian;
    fn jacobian(&self, u: &Self::Param) -> Result<Self::Jacobian, Error> {
        self.0.jacobian(u)
    }
}

impl<O, M, P, C, T> Hessian for Dense<&Reparametrized<O, M, P, C>>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Gradient + Hessian<Param = <O as Gradient>::Param>,
    <O as Gradient>::Param: ParamVec<Entry = T>,
    O::Gradient: ParamVec<Entry = T>,
    O::Hessian: ArgminDot<<O as Gradient>::Param, <O as Gradient>::Param>,
{
    type Param = P;
    type Hessian = P::Matrix;

    fn hessian(&self, u: &P) -> Result<P::Matrix, Error> {
        let h = self.0.hessian(u)?;
        let p = u.as_slice().len();
        let (mut e, mut columns) = (vec![T::zero(); p], vec![T::zero(); p * p]);
        for (j, column) in columns.chunks_exact_mut(p).enumerate() {
            e[j] = T::one();
            h.product(&e, column);
            e[j] = T::zero();
        }
        // symmetric, to the last bit
        let half = T::lit(0.5);
        Ok(P::Matrix::from_fn(p, p, |i, j| {
            half * (columns[j * p + i] + columns[i * p + j])
        }))
    }
}
