//! f(x) = ½‖W^{1/2}(A x − b)‖² + ½λ‖x‖².

use super::{Composite, CompositeView, Convexity, Evaluation, Objective};
use crate::checks::{check_not_empty, check_rhs};
use crate::losses::Squared;
use crate::operators::LinearOperator;
use crate::{Result, Scalar};

/// Linear least squares, with optional weights and ridge.
///
/// ```text
/// f(x) = ½ Σᵢ wᵢ (A x − b)ᵢ² + ½λ‖x‖²
/// ∇f = AᵀW(A x − b) + λ x      ∇²f v = AᵀW A v + λ v      (diag ∇²f)_j = Σᵢ wᵢ a_ij² + λ
/// ```
///
/// Cost: one pass for a value, one more for the gradient, two for a Hessian product. The diagonal needs the entries
/// of A, or its column norms (exact with equal weights, an upper bound otherwise).
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
    inner: Composite<A, Squared<T>, T>,
}

impl<T: Scalar, A: LinearOperator<T>> LeastSquares<A, T> {
    /// ½‖A x − b‖² with b of length m.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) when m or n is 0, [`Error::Dimension`](crate::Error::Dimension)
    /// ([`Error::Transposed`](crate::Error::Transposed) when b fits Aᵀ),
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
        check_rhs(b, operator.rows(), operator.columns())?;
        Ok(Self {
            inner: Composite::new(operator, Squared::new(b)?)?,
        })
    }

    /// Weights wᵢ ≥ 0, one for each row: 1/σᵢ² for measurements with standard deviations σᵢ.
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension), [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::Data`](crate::Error::Data) for a negative weight.
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0; 1.0], &[1.0, 2.0]).unwrap();
    /// assert_eq!(f.with_weights(&[4.0, 1.0]).unwrap().value(&[0.0]).unwrap(), 4.0);
    /// ```
    pub fn with_weights<W: AsRef<[T]> + ?Sized>(self, w: &W) -> Result<Self> {
        Ok(Self {
            inner: self.inner.map_loss(|loss| loss.with_weights(w))?,
        })
    }

    /// The weight λ ≥ 0 of the ridge ½λ‖x‖².
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a negative λ or one that is not finite.
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// assert_eq!(f.with_ridge(6.0).unwrap().value(&[1.0]).unwrap(), 3.0);
    /// ```
    pub fn with_ridge(self, ridge: T) -> Result<Self> {
        Ok(Self {
            inner: self.inner.with_ridge(ridge)?,
        })
    }

    /// Whether f is plain ½‖A x − b‖², which a solver that takes only A and b can solve.
    #[cfg(feature = "argmin")]
    pub(crate) fn check_plain(&self) -> Result<()> {
        let ridge = self.inner.composite().is_some_and(|f| f.ridge != T::zero());
        if ridge || self.inner.loss().is_weighted() {
            return Err(crate::Error::Setting {
                name: "least squares",
                why: "must have neither weights nor a ridge here: put them into A and b",
            });
        }
        Ok(())
    }

    /// A.
    ///
    /// ```
    /// # use reparam::{objectives::LeastSquares, operators::LinearOperator};
    /// let a = nalgebra::dmatrix![1.0, 2.0];
    /// assert_eq!(LeastSquares::new(&a, &[1.0]).unwrap().operator().columns(), 2);
    /// ```
    pub fn operator(&self) -> &A {
        self.inner.operator()
    }

    /// b.
    ///
    /// ```
    /// # use reparam::objectives::LeastSquares;
    /// assert_eq!(LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap().rhs(), &[1.0]);
    /// ```
    pub fn rhs(&self) -> &[T] {
        self.inner.loss().data()
    }
}

impl<T: Scalar, A: LinearOperator<T>> Objective<T> for LeastSquares<A, T> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.inner.value(x)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.inner.value_gradient(x, g)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.inner.hessian_vector(x, v, out)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.inner.hessian_diagonal(x, out)
    }
    fn convexity(&self) -> Convexity {
        Convexity::Convex
    }
    fn quadratic(&self) -> bool {
        true
    }
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        self.inner.composite()
    }
    fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
        self.inner.image(x, z)
    }
    fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
        self.inner.remember_image(x, z)
    }
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        self.inner.not_finite_at(x)
    }
}
