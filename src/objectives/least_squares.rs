//! f(x) = ½‖A x − b‖².

use super::{Evaluation, Objective};
use crate::checks::{check_finite, check_len, check_not_empty};
use crate::linalg::dot;
use crate::operators::LinearOperator;
use crate::{Result, Scalar};

/// Linear least squares.
///
/// ```text
/// f(x) = ½‖A x − b‖²      ∇f = Aᵀ(A x − b)      ∇²f v = AᵀA v      diag ∇²f = ‖a_j‖²
/// ```
///
/// Cost: one pass for a value, two for a gradient or a Hessian product.
///
/// ```
/// use reparam::objectives::{LeastSquares, Objective};
/// let a = nalgebra::dmatrix![3.0; 4.0];
/// let mut f = LeastSquares::new(&a, &[3.0, 4.0]).unwrap();
/// assert_eq!(f.value(&[1.0]).unwrap(), 0.0);
/// let mut h = [0.0];
/// assert!(f.hessian_diagonal(&[1.0], &mut h).unwrap());
/// assert_eq!(h, [25.0]);
/// ```
#[derive(Debug, Clone)]
pub struct LeastSquares<A, T> {
    operator: A,
    rhs: Vec<T>,
    residual: Vec<T>,
    norms: Option<Vec<T>>,
}

impl<T: Scalar, A: LinearOperator<T>> LeastSquares<A, T> {
    /// ½‖A x − b‖² with b of length m.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) when m or n is 0, [`Error::Dimension`](crate::Error::Dimension),
    /// [`Error::NotFinite`](crate::Error::NotFinite).
    ///
    /// ```
    /// use reparam::objectives::LeastSquares;
    /// assert!(LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0, 2.0]).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(operator: A, b: &B) -> Result<Self> {
        let b = b.as_ref();
        check_not_empty("the matrix (no rows)", operator.rows())?;
        check_not_empty("the matrix (no columns)", operator.columns())?;
        check_len("the right-hand side", operator.rows(), b.len())?;
        check_finite("right-hand side", b)?;
        let mut norms = vec![T::zero(); operator.columns()];
        let norms = operator.column_norms(&mut norms).then_some(norms);
        Ok(Self {
            rhs: b.to_vec(),
            residual: vec![T::zero(); b.len()],
            operator,
            norms,
        })
    }

    /// A.
    ///
    /// ```
    /// # use reparam::{objectives::LeastSquares, operators::LinearOperator};
    /// let a = nalgebra::dmatrix![1.0, 2.0];
    /// assert_eq!(LeastSquares::new(&a, &[1.0]).unwrap().operator().columns(), 2);
    /// ```
    pub fn operator(&self) -> &A {
        &self.operator
    }

    /// b.
    ///
    /// ```
    /// # use reparam::objectives::LeastSquares;
    /// assert_eq!(LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap().rhs(), &[1.0]);
    /// ```
    pub fn rhs(&self) -> &[T] {
        &self.rhs
    }

    fn residual_at(&mut self, x: &[T]) -> T {
        self.operator.apply(x, &mut self.residual);
        for (r, b) in self.residual.iter_mut().zip(&self.rhs) {
            *r -= *b;
        }
        T::lit(0.5) * dot(&self.residual, &self.residual)
    }
}

impl<T: Scalar, A: LinearOperator<T>> Objective<T> for LeastSquares<A, T> {
    fn dim(&self) -> usize {
        self.operator.columns()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        Ok(self.residual_at(x))
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let f = self.residual_at(x);
        self.operator.apply_adjoint(&self.residual, g);
        Ok(f)
    }
    fn hessian_vector(&mut self, _x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.operator.apply(v, &mut self.residual);
        self.operator.apply_adjoint(&self.residual, out);
        Ok(true)
    }
    fn hessian_diagonal(&mut self, _x: &[T], out: &mut [T]) -> Evaluation<bool> {
        match &self.norms {
            Some(norms) => {
                for (o, c) in out.iter_mut().zip(norms) {
                    *o = *c * *c;
                }
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
