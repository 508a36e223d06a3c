//! {x₀ ≥ ‖(x₁, …, xₙ₋₁)‖}.

use super::ConstraintSet;
use super::level::positive_part;
use crate::checks::check_not_empty;
use crate::linalg::norm2;
use crate::{Result, Scalar};
use std::marker::PhantomData;

/// The second-order (Lorentz) cone {x ∈ Rⁿ : x₀ ≥ ‖(x₁, …, x_{n−1})‖₂}.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \sigma \max_j |x - P(x - g / \sigma^2)|_j, \quad \sigma = \max c \text{: the projection is cheap in the Euclidean norm only} \\
/// \text{multipliers} &\quad s = g \quad (\text{the cone is its own dual: } g \text{ in the cone and } \langle g, x\rangle = 0 \text{ at a solution})
/// \end{aligned}
/// ```
///
/// ```
/// use reparam::sets::{ConstraintSet, SecondOrderConeSet};
/// let set = SecondOrderConeSet::new(3).unwrap();
/// let mut x = [0.0, 3.0, 4.0];
/// set.project(&mut x);
/// assert_eq!(x, [2.5, 1.5, 2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondOrderConeSet<T> {
    dim: usize,
    scalar: PhantomData<T>,
}

impl<T: Scalar> SecondOrderConeSet<T> {
    /// The cone in Rⁿ.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0.
    ///
    /// ```
    /// assert!(reparam::sets::SecondOrderConeSet::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        check_not_empty("the cone", dim)?;
        Ok(Self {
            dim,
            scalar: PhantomData,
        })
    }
}

impl<T: Scalar> ConstraintSet<T> for SecondOrderConeSet<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        positive_part(norm2(&x[1..]) - x[0])
    }
    fn multipliers(&self, _x: &[T], g: &[T], out: &mut [T]) {
        out.copy_from_slice(g);
    }
    fn project(&self, x: &mut [T]) -> bool {
        let norm = norm2(&x[1..]);
        if norm.is_nan() || x[0].is_nan() {
            x.fill(T::nan());
        } else if norm <= -x[0] {
            x.fill(T::zero());
        } else if norm > x[0] {
            let half = T::lit(0.5) * (x[0] + norm);
            x[0] = half;
            for v in &mut x[1..] {
                *v = half * (*v / norm);
            }
        }
        true
    }
}
