//! Convex sequences: double cumulative sums of squares.

use super::monotone::finite;
use super::normalized_squares::admit;
use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{self, ConstraintSet, double_reverse_sums};
use crate::{MapError, Result, Scalar};

/// Convex sequences: double cumulative sums of squares.
///
/// ```math
/// x_i = u_0 + i\,u_1 + \sum_{2 \le k \le i} (i - k + 1)\, u_k^2 \qquad (i = 0, \dots, n - 1)
/// ```
///
/// The second differences are $`u_k^2`$, value and slope at the start are free. Jᵀ w: double reverse cumulative sums, times
/// $`(1, 1, 2u_2, 2u_3, \dots)`$.
///
/// A linear image of Rᵃ × orthant, which keeps the landscape. For convex regression on an even grid. The double sums
/// amplify rounding by about n²: scale long sequences.
///
/// The set is that of convex regression (Hildreth, JASA 49, 1954); sums of squares onto it are elementary.
///
/// ```
/// use reparam::maps::{ConvexSequence, Reparametrization};
/// let mut x = [0.0; 4];
/// ConvexSequence::new(4).unwrap().apply(&[1.0, -1.0, 1.0, 0.0], &mut x, &mut []);
/// assert_eq!(x, [1.0, 0.0, 0.0, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvexSequence<T> {
    set: sets::ConvexSequenceSet<T>,
}

impl<T: Scalar> ConvexSequence<T> {
    /// Convex sequences of length n.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0.
    ///
    /// ```
    /// assert!(reparam::maps::ConvexSequence::<f64>::new(0).is_err());
    /// ```
    pub fn new(dim: usize) -> Result<Self> {
        Ok(Self {
            set: sets::ConvexSequenceSet::new(dim)?,
        })
    }
}

/// x ← the sequence with value e₀, slope e₁ and second differences e₂, e₃, ….
fn double_cumulate<T: Scalar>(x: &mut [T]) {
    let (mut slope, mut value) = (T::zero(), T::zero());
    for (k, v) in x.iter_mut().enumerate() {
        if k == 0 {
            value = *v;
        } else {
            slope += *v;
            value += slope;
        }
        *v = value;
    }
}

impl<T: Scalar> Reparametrization<T> for ConvexSequence<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        // the line and the curved part apart: the second may overflow, and must then win
        let (mut slope, mut bend) = (T::zero(), T::zero());
        for k in 0..u.len() {
            if k >= 2 {
                slope += u[k] * u[k];
                bend += slope;
            }
            let line = if k == 0 {
                finite(u[0])
            } else {
                finite(u[0]) + finite(T::count(k) * finite(u[1]))
            };
            x[k] = finite(line) + bend;
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        for (k, o) in jv.iter_mut().enumerate() {
            *o = if k < 2 { v[k] } else { (u[k] + u[k]) * v[k] };
        }
        double_cumulate(jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        double_reverse_sums(|i| w[i], jtw);
        for k in 2..u.len() {
            jtw[k] *= u[k] + u[k];
        }
    }
    fn curvature(&self, _u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        double_reverse_sums(|i| w[i], out);
        for (k, o) in out.iter_mut().enumerate() {
            *o = if k < 2 { T::zero() } else { (*o + *o) * v[k] };
        }
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        double_reverse_sums(|i| w[i], curved);
        // Σ h_i m² with m = i − k + 1, by the recursion of the sums weighted 1, m, m²
        let (mut s0, mut s1, mut s2) = (T::zero(), T::zero(), T::zero());
        for k in (0..u.len()).rev() {
            s0 += h[k];
            s2 += s1 + s1 + s0;
            s1 += s0;
            let d = if k < 2 { T::one() } else { u[k] + u[k] };
            gauss_newton[k] = d * d * if k == 0 { s0 } else { s2 };
            curved[k] = if k < 2 { T::zero() } else { curved[k] + curved[k] };
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        // rebuilt on the way, so that the rounding of one second difference is made good by the next
        let (mut value, mut slope, mut size) = (T::zero(), T::zero(), T::zero());
        for k in 0..x.len() {
            if !x[k].is_finite() {
                return Err(MapError::Outside {
                    index: k,
                    value: x[k].as_f64(),
                });
            }
            size = size.max(x[k].abs());
            let step = x[k] - value;
            if !(step - slope).is_finite() {
                return Err(MapError::NotProvided(
                    "a section at points whose differences overflow",
                ));
            }
            if k < 2 {
                u[k] = step;
                (value, slope) = if k == 0 {
                    (x[0], T::zero())
                } else {
                    (value + step, step)
                };
                continue;
            }
            let d = step - slope;
            if d < -T::lit(8.0) * T::epsilon() * size * T::count(k + 1) {
                return Err(MapError::Outside {
                    index: k,
                    value: x[k].as_f64(),
                });
            }
            u[k] = admit(k, d.max(T::zero()), size.max(T::one()), boundary)?.sqrt();
            slope += d.max(T::zero());
            value += slope;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        double_reverse_sums(|i| g[i], out);
        for k in 2..x.len() {
            let s = (x[k] - x[k - 1]) - (x[k - 1] - x[k - 2]);
            out[k] *= T::lit(4.0) * s.max(T::zero());
        }
        double_cumulate(out);
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        for k in 0..u.len() {
            (lin[k], quad[k]) = if k < 2 {
                (d[k], T::zero())
            } else {
                ((u[k] + u[k]) * d[k], d[k] * d[k])
            };
        }
        double_cumulate(lin);
        double_cumulate(quad);
        Ray::Quadratic
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        du.fill(T::zero());
        let (mut single, mut double, mut size, mut count) = (T::zero(), T::zero(), T::zero(), 0);
        let (mut width, mut bend) = (T::zero(), T::zero());
        for k in (2..u.len()).rev() {
            single += g[k];
            double += single;
            size += g[k].abs() * T::count(u.len() - k);
            width += h[k].max(T::zero()).sqrt();
            bend += width;
            if u[k] == T::zero() && double < -T::lit(16.0) * T::epsilon() * size && bend > T::zero() {
                du[k] = (-double).sqrt() / bend;
                count += 1;
            }
        }
        if count > 1 {
            let share = T::one() / T::count(count).sqrt();
            du.iter_mut().for_each(|d| *d *= share);
        }
        count
    }
}
