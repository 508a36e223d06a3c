//! lo ≤ x ≤ hi with any mix of infinite, one-sided, two-sided and equal bounds.

use super::interval::Interval;
use super::separable::{release_of, section_of, weakest};
use super::{
    Boundary, Landscape, Ray, Reparametrization, ScalarMap, ScalarScaledSquare, ScalarTrigonometric,
};
use crate::checks::check_len;
use crate::sets::{BoxSet, ConstraintSet, check_bounds};
use crate::{MapError, Result, Scalar};

/// Bounds $`lo \le x \le hi`$ with ±∞ where there is none; per coordinate the map that suits.
///
/// | bounds of x_j | map | u |
/// |---|---|---|
/// | −∞, ∞ | $`x = u`$ | 1 |
/// | lo, ∞ | [`ScaledSquares`](super::ScaledSquares), $`s = \max(1, \lvert lo\rvert)`$ | 1 |
/// | −∞, hi | its mirror image, $`s = \max(1, \lvert hi\rvert)`$ | 1 |
/// | lo < hi | [`Trigonometric`](super::Trigonometric) | 1 |
/// | lo = hi | constant | none |
///
/// u is shorter than x by the number of constants. All these maps reach their bounds, and the landscape is
/// second-order. s is the distance from the bound where the map turns linear; set it with
/// [`with_scales`](Self::with_scales) if the natural size of x_j is far from max(1, |bound|).
///
/// The maps are those of the table; choosing by kind of bound is what MINUIT and lmfit do.
///
/// ```
/// use reparam::maps::{Boundary, Bounds, Reparametrization};
/// let inf = f64::INFINITY;
/// let map = Bounds::new(vec![0.0, -inf, -1.0, 2.0], vec![inf, inf, 1.0, 2.0]).unwrap();
/// assert_eq!((map.dim_u(), map.dim_x()), (3, 4));
/// let (x, mut u, mut again) = ([0.0, -3.0, 1.0, 2.0], [0.0; 3], [0.0; 4]);
/// map.section(&x, Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut again, &mut []);
/// assert_eq!(again, x);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds<T> {
    set: BoxSet<T>,
    /// The maps of the coordinates that are not constant, and where those are in x.
    maps: Vec<ScalarBounds<T>>,
    position: Vec<usize>,
    constant: Vec<usize>,
}

impl<T: Scalar> Bounds<T> {
    /// The map onto {lower ≤ x ≤ upper}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Dimension`](crate::Error::Dimension); [`Error::CrossedBounds`](crate::Error::CrossedBounds) naming the coordinate, also for NaN, lo = +∞ and hi = −∞.
    ///
    /// ```
    /// use reparam::{Error, maps::Bounds};
    /// let crossed = Bounds::new(vec![0.0, 3.0], vec![1.0, 2.0]);
    /// assert!(matches!(crossed, Err(Error::CrossedBounds { index: 1, .. })));
    /// ```
    pub fn new(lower: Vec<T>, upper: Vec<T>) -> Result<Self> {
        let set = BoxSet::new(lower, upper)?;
        let (mut maps, mut position, mut constant) = (Vec::new(), Vec::new(), Vec::new());
        for j in 0..set.dim() {
            let (lo, hi) = (set.lower(j), set.upper(j));
            if lo < hi {
                maps.push(ScalarBounds::checked(j, lo, hi)?);
                position.push(j);
            } else {
                constant.push(j);
            }
        }
        Ok(Self {
            set,
            maps,
            position,
            constant,
        })
    }

    /// The same bounds with these s, one per coordinate of x (of use for one-sided bounds, ignored for the others).
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension), [`Error::Setting`](crate::Error::Setting) for a one-sided coordinate unless positive and finite.
    ///
    /// ```
    /// use reparam::maps::Bounds;
    /// let map = Bounds::new(vec![0.0, 0.0], vec![f64::INFINITY, 1.0]).unwrap();
    /// assert!(map.with_scales(&[1e-6, 1.0]).is_ok());
    /// ```
    pub fn with_scales(mut self, scales: &[T]) -> Result<Self> {
        check_len("the scales", self.set.dim(), scales.len())?;
        for (map, j) in self.maps.iter_mut().zip(&self.position) {
            map.kind = match map.kind {
                Kind::Half(old) => Kind::Half(old.with_scale(scales[*j])?),
                other => other,
            };
        }
        Ok(self)
    }

    /// The box.
    ///
    /// ```
    /// use reparam::maps::Bounds;
    /// assert_eq!(Bounds::new(vec![1.0], vec![f64::INFINITY]).unwrap().box_set().lower(0), 1.0);
    /// ```
    pub fn box_set(&self) -> &BoxSet<T> {
        &self.set
    }

    /// (index in u, index in x, map) of every coordinate that is not constant.
    #[inline]
    fn free(&self) -> impl Iterator<Item = (usize, usize, &ScalarBounds<T>)> {
        self.maps
            .iter()
            .zip(&self.position)
            .enumerate()
            .map(|(k, (map, j))| (k, *j, map))
    }

    /// Zero where x is constant.
    fn clear_constants(&self, out: &mut [T]) {
        for j in &self.constant {
            out[*j] = T::zero();
        }
    }
}

impl<T: Scalar> Reparametrization<T> for Bounds<T> {
    fn dim_u(&self) -> usize {
        self.maps.len()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        weakest(self.maps.iter().map(ScalarMap::landscape))
    }
    fn is_coordinatewise(&self) -> bool {
        true
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        for j in &self.constant {
            x[*j] = self.set.lower(*j);
        }
        for (k, j, map) in self.free() {
            x[j] = map.value(u[k]);
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        self.clear_constants(jv);
        for (k, j, map) in self.free() {
            jv[j] = map.d1(u[k]) * v[k];
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        for (k, j, map) in self.free() {
            jtw[k] = map.d1(u[k]) * w[j];
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        for (k, j, map) in self.free() {
            out[k] = map.d2(u[k]) * w[j] * v[k];
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
        for (k, j, map) in self.free() {
            let d = map.d1(u[k]);
            gauss_newton[k] = d * d * h[j];
            curved[k] = map.d2(u[k]) * w[j];
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        // a constant is in the relative interior of its set: nothing to nudge or reject
        for j in &self.constant {
            check_constant(*j, x[*j], self.set.lower(*j))?;
        }
        for (k, j, map) in self.free() {
            u[k] = section_of(map, j, x[j], boundary)?;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        self.clear_constants(out);
        self.free().all(|(_, j, map)| match map.squared_slope(x[j]) {
            Some(slope) => {
                out[j] = slope * g[j];
                true
            }
            None => false,
        })
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        self.clear_constants(lin);
        self.clear_constants(quad);
        let quadratic = self.free().all(|(k, j, map)| match map.ray(u[k], d[k]) {
            Some((p, q)) => {
                (lin[j], quad[j]) = (p, q);
                true
            }
            None => false,
        });
        if quadratic { Ray::Quadratic } else { Ray::General }
    }
    fn release(&self, _u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        let mut released = 0;
        for (k, j, map) in self.free() {
            let step = release_of(map, x[j], g[j], h[j]);
            released += usize::from(step.is_some());
            du[k] = step.unwrap_or_else(T::zero);
        }
        released
    }
}

/// x_j is its constant, or [`MapError::Outside`].
pub(super) fn check_constant<T: Scalar>(index: usize, x: T, constant: T) -> Result<(), MapError> {
    if x == constant {
        Ok(())
    } else {
        Err(MapError::Outside {
            index,
            value: x.as_f64(),
        })
    }
}

/// The map [`Bounds`] takes for a coordinate with lo < hi. As a coordinate of [`Separable`](super::Separable) or
/// [`Tied`](super::Tied) it mixes bounded and free coordinates.
///
/// ```
/// use reparam::maps::{ScalarBounds, ScalarMap};
/// let free = ScalarBounds::new(f64::NEG_INFINITY, f64::INFINITY).unwrap();
/// assert_eq!(free.value(-7.0), -7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalarBounds<T> {
    kind: Kind<T>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<T> {
    Free,
    Half(ScalarScaledSquare<T>),
    Both(ScalarTrigonometric<T>),
}

impl<T: Scalar> ScalarBounds<T> {
    /// The map onto lower ≤ x ≤ upper.
    ///
    /// # Errors
    /// [`Error::CrossedBounds`](crate::Error::CrossedBounds), also for lower = upper (there a map has nothing to do).
    ///
    /// ```
    /// use reparam::maps::{ScalarBounds, ScalarMap};
    /// assert_eq!(ScalarBounds::new(1.0, f64::INFINITY).unwrap().value(0.0), 1.0);
    /// assert!(ScalarBounds::new(1.0, 1.0).is_err());
    /// ```
    pub fn new(lower: T, upper: T) -> Result<Self> {
        Self::checked(0, lower, upper)
    }

    fn checked(index: usize, lower: T, upper: T) -> Result<Self> {
        check_bounds(index, lower, upper)?;
        let kind = match (lower.is_finite(), upper.is_finite()) {
            (false, false) => Kind::Free,
            (true, false) => Kind::Half(ScalarScaledSquare::by_default(lower, T::one())),
            (false, true) => Kind::Half(ScalarScaledSquare::by_default(upper, -T::one())),
            (true, true) => Kind::Both(ScalarTrigonometric::on(Interval::new(index, lower, upper)?)),
        };
        Ok(Self { kind })
    }
}

/// The expression in `$m` for a coordinate with a bound, `$free` for one without.
macro_rules! by_kind {
    ($self:ident, $m:ident => $bounded:expr, free => $free:expr) => {
        match &$self.kind {
            Kind::Free => $free,
            Kind::Half($m) => $bounded,
            Kind::Both($m) => $bounded,
        }
    };
}

impl<T: Scalar> ScalarMap<T> for ScalarBounds<T> {
    fn name(&self) -> &'static str {
        by_kind!(self, m => m.name(), free => "identity")
    }
    #[inline]
    fn bounds(&self) -> (T, T) {
        by_kind!(self, m => m.bounds(), free => (T::neg_infinity(), T::infinity()))
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    #[inline]
    fn value(&self, u: T) -> T {
        by_kind!(self, m => m.value(u), free => u)
    }
    #[inline]
    fn d1(&self, u: T) -> T {
        by_kind!(self, m => m.d1(u), free => T::one())
    }
    #[inline]
    fn d2(&self, u: T) -> T {
        by_kind!(self, m => m.d2(u), free => T::zero())
    }
    #[inline]
    fn section(&self, x: T, below: T, above: T) -> T {
        by_kind!(self, m => m.section(x, below, above), free => x)
    }
    #[inline]
    fn squared_slope(&self, x: T) -> Option<T> {
        by_kind!(self, m => m.squared_slope(x), free => Some(T::one()))
    }
    #[inline]
    fn release(&self, distance: T) -> Option<T> {
        by_kind!(self, m => m.release(distance), free => None)
    }
    #[inline]
    fn ray(&self, u: T, d: T) -> Option<(T, T)> {
        by_kind!(self, m => m.ray(u, d), free => Some((d, T::zero())))
    }
}
