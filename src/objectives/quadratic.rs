//! ½⟨x, Q x⟩ + ⟨c, x⟩ + κ.

use super::{Convexity, Evaluation, Objective};
use crate::checks::{check_finite, check_len, check_not_empty};
use crate::linalg::{axpy, dot};
use crate::operators::{LinearOperator, checked_dense, checked_sparse};
use crate::{Error, Result, Scalar};

/// A quadratic function with a symmetric Q: any operator, also a slice through
/// [`Dense`](crate::operators::Dense).
///
/// ```text
/// f(x) = ½⟨x, Q x⟩ + ⟨c, x⟩ + κ      ∇f = Q x + c      ∇²f v = Q v      diag ∇²f = diag Q
/// ```
///
/// Q must be symmetric: entries in memory are checked, products are not. Convex when Q has
/// no negative eigenvalue, which only the caller knows ([`with_convexity`](Self::with_convexity)).
///
/// ```
/// use reparam::objectives::{Convexity, Objective, Quadratic};
/// use reparam::operators::Dense;
/// let q = [2.0, 1.0, 1.0, 2.0];
/// let mut f = Quadratic::new(Dense::row_major(&q, 2, 2).unwrap(), &[-1.0, 0.0])
///     .unwrap()
///     .with_convexity(Convexity::Convex);
/// assert_eq!(f.value(&[1.0, 1.0]).unwrap(), 2.0);
/// assert!(reparam::testing::check_objective(&mut f, &[0.3, -0.7], 1).passed());
/// ```
#[derive(Debug, Clone)]
pub struct Quadratic<A, T> {
    operator: A,
    linear: Vec<T>,
    constant: T,
    convexity: Convexity,
    work: Vec<T>,
    diagonal: Option<Vec<T>>,
}

impl<T: Scalar, A: LinearOperator<T>> Quadratic<A, T> {
    /// Q, n×n, and c of length n.
    ///
    /// # Errors
    /// [`Error::Empty`] when n is 0; [`Error::Dimension`] when Q is not square or c has another length;
    /// [`Error::NotFinite`], [`Error::NotFiniteEntry`]; [`Error::Setting`] when the entries are not symmetric (to
    /// 1000 units of rounding of the largest).
    ///
    /// ```
    /// use reparam::objectives::Quadratic;
    /// assert!(Quadratic::new(nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0], &[0.0, 0.0]).is_err());
    /// ```
    pub fn new<B: AsRef<[T]> + ?Sized>(operator: A, c: &B) -> Result<Self> {
        let c = c.as_ref();
        let n = operator.columns();
        check_not_empty("the matrix (no columns)", n)?;
        check_len("a column of the (square) matrix", n, operator.rows())?;
        check_len("the linear term", n, c.len())?;
        check_finite("linear term", c)?;
        if let Some((row, column)) = operator.first_not_finite() {
            return Err(Error::NotFiniteEntry { row, column });
        }
        let dense = checked_dense(&operator)?;
        if let Some(q) = dense {
            let largest = (0..n).fold(T::zero(), |m, k| m.max(crate::linalg::max_abs(q.run(k))));
            let tolerance = T::lit(1e3) * T::epsilon() * largest;
            let far = |i: usize, j: usize| (q.get(i, j) - q.get(j, i)).abs() > tolerance;
            if (0..n).any(|i| (0..i).any(|j| far(i, j))) {
                return Err(Error::Setting {
                    name: "the matrix",
                    why: "must be symmetric",
                });
            }
        }
        let diagonal = if let Some(q) = dense {
            Some((0..n).map(|j| q.get(j, j)).collect())
        } else {
            checked_sparse(&operator)?.map(|q| {
                let at = |j: usize| {
                    let (rows, values) = q.entries(j);
                    let on = rows.iter().zip(values).filter(|(i, _)| **i as usize == j);
                    on.map(|(_, v)| *v).sum()
                };
                (0..n).map(at).collect()
            })
        };
        Ok(Self {
            operator,
            linear: c.to_vec(),
            constant: T::zero(),
            convexity: Convexity::Unknown,
            work: vec![T::zero(); n],
            diagonal,
        })
    }

    /// The constant κ.
    ///
    /// ```
    /// use reparam::objectives::{Objective, Quadratic};
    /// let f = Quadratic::new(nalgebra::dmatrix![2.0], &[0.0]).unwrap();
    /// assert_eq!(f.with_constant(5.0).value(&[1.0]).unwrap(), 6.0);
    /// ```
    #[must_use]
    pub fn with_constant(mut self, constant: T) -> Self {
        self.constant = constant;
        self
    }

    /// Declares whether f is convex: whether Q has no negative eigenvalue.
    ///
    /// ```
    /// use reparam::objectives::{Convexity, Objective, Quadratic};
    /// let f = Quadratic::new(nalgebra::dmatrix![-2.0], &[0.0]).unwrap();
    /// assert_eq!(f.convexity(), Convexity::Unknown);
    /// assert_eq!(f.with_convexity(Convexity::Nonconvex).convexity(), Convexity::Nonconvex);
    /// ```
    #[must_use]
    pub fn with_convexity(mut self, convexity: Convexity) -> Self {
        self.convexity = convexity;
        self
    }

    /// Q.
    ///
    /// ```
    /// use reparam::{objectives::Quadratic, operators::LinearOperator};
    /// let f = Quadratic::new(nalgebra::dmatrix![2.0], &[0.0]).unwrap();
    /// assert_eq!(LinearOperator::<f64>::rows(f.operator()), 1);
    /// ```
    pub fn operator(&self) -> &A {
        &self.operator
    }
}

impl<T: Scalar, A: LinearOperator<T>> Objective<T> for Quadratic<A, T> {
    fn dim(&self) -> usize {
        self.linear.len()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.operator.apply(x, &mut self.work);
        Ok(T::lit(0.5) * dot(x, &self.work) + dot(&self.linear, x) + self.constant)
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        self.operator.apply(x, g);
        let f = T::lit(0.5) * dot(x, g) + dot(&self.linear, x) + self.constant;
        axpy(T::one(), &self.linear, g);
        Ok(f)
    }
    fn hessian_vector(&mut self, _x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.operator.apply(v, out);
        Ok(true)
    }
    fn hessian_diagonal(&mut self, _x: &[T], out: &mut [T]) -> Evaluation<bool> {
        match &self.diagonal {
            Some(d) => {
                out.copy_from_slice(d);
                Ok(true)
            }
            None => Ok(false),
        }
    }
    fn convexity(&self) -> Convexity {
        self.convexity
    }
    fn quadratic(&self) -> bool {
        true
    }
}
