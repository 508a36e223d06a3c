//! φ(u) = lo + u∘u, onto x ≥ lo: the default for non-negative least squares.

use super::separable::one_sided;
use super::{Landscape, ScalarMap, Separable};
use crate::checks::{check_finite, check_not_empty};
use crate::sets::PerCoordinate;
use crate::{Result, Scalar};

/// Squares: $`x_j = lo_j + u_j^2`$, onto $`\{x \ge lo\}`$.
///
/// ```math
/// \begin{aligned}
/// J &= \operatorname{diag}(2u) & \sum_i w_i \nabla^2\varphi_i &= 2 \operatorname{diag}(w) \\
/// J J^\top &= 4 \operatorname{diag}(x - lo) & \varphi(u + t\,d) &= x + 2t\, u \circ d + t^2\, d \circ d
/// \end{aligned}
/// ```
///
/// The overparametrisation of depth 2 of Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola (AISTATS 2025),
/// with equal factors. u_j = 0 is always stationary for f∘φ; with g_j < 0 it is a strict saddle, which
/// [`release`](super::Reparametrization::release) leaves along x_j = lo_j − g_j/h_j.
///
/// ```
/// use reparam::maps::{Boundary, Reparametrization, Squares};
/// let map = Squares::with_lower(vec![1.0, -1.0]).unwrap();
/// let (mut u, mut x) = ([0.0; 2], [0.0; 2]);
/// map.section(&[5.0, -1.0], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut []);
/// assert_eq!(x, [5.0, -1.0]);
/// ```
pub type Squares<T> = Separable<T, ScalarSquare<T>>;

/// One coordinate of [`Squares`]: lo + u².
///
/// ```
/// use reparam::maps::{ScalarMap, ScalarSquare};
/// assert_eq!(ScalarSquare::new(1.0).unwrap().value(3.0), 10.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarSquare<T> {
    lower: T,
}

one_sided!(Squares, ScalarSquare);

impl<T: Scalar> ScalarMap<T> for ScalarSquare<T> {
    fn name(&self) -> &'static str {
        "square"
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        (self.lower, T::infinity())
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    #[inline]
    fn value(&self, u: T) -> T {
        self.lower + u * u
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        u + u
    }
    #[inline]
    fn d2(&self, _u: T) -> T {
        T::lit(2.0)
    }
    #[inline]
    fn section(&self, _x: T, below: T, _above: T) -> T {
        below.sqrt()
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        Some(T::lit(4.0) * (x - self.lower))
    }
    #[inline]
    fn release(&self, distance: T) -> Option<T> {
        Some(distance.sqrt())
    }
    #[inline]
    fn ray(&self, u: T, d: T) -> Option<(T, T)> {
        Some(((u + u) * d, d * d))
    }
}
