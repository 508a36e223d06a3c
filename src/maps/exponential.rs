//! φ(u) = lo + eᵘ, onto x > lo.

use super::separable::one_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_finite, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// Exponentials: $`x_j = lo_j + e^{u_j}`$, onto $`\{x > lo\}`$.
///
/// ```math
/// \varphi' = \varphi'' = e^u = x - lo, \qquad \varphi'^2 = (x - lo)^2, \qquad u = \ln(x - lo)
/// ```
///
/// Gradient descent in u is multiplicative in x. A solution on the boundary lies at u = −∞, where ∇(f∘φ) vanishes
/// whatever ∇f does: judge by the natural residual in x, never by ‖∇(f∘φ)‖. Among the transformations of M. J. Box,
/// Comput. J. 9 (1966).
///
/// ```
/// use reparam::maps::{Boundary, Exponential, Reparametrization};
/// let (map, mut u) = (Exponential::<f64>::new(1), [0.0]);
/// map.section(&[1.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// assert_eq!(u, [0.0]);
/// assert!(map.section(&[0.0], Boundary::Exact, &mut u, &mut []).is_err()); // never reached
/// ```
pub type Exponential<T> = Separable<T, ScalarExponential<T>>;

/// One coordinate of [`Exponential`]: lo + eᵘ.
///
/// ```
/// use reparam::maps::{ScalarExponential, ScalarMap};
/// assert_eq!(ScalarExponential::new(1.0).unwrap().value(0.0), 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarExponential<T> {
    lower: T,
}

one_sided!(Exponential, ScalarExponential);

impl<T: Scalar> ScalarMap<T> for ScalarExponential<T> {
    fn name(&self) -> &'static str {
        "exponential"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.lower, T::infinity())
    }
    fn landscape(&self) -> Landscape {
        Landscape::InteriorOnly
    }
    #[inline]
    fn value(&self, u: T) -> T {
        self.lower + u.exp()
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        u.exp()
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        u.exp()
    }
    #[inline]
    fn section(&self, _x: T, below: T, _above: T) -> T {
        below.ln()
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        let d = x - self.lower;
        Some(d * d)
    }
}
