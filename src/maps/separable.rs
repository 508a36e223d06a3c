//! Maps that act coordinate by coordinate: x_j = φ_j(u_j).

use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::checks::check_not_empty;
use crate::sets::{BoxSet, ConstraintSet, PerCoordinate, check_bounds};
use crate::{MapError, Result, Scalar};

/// A smooth map φ from R onto an interval: one coordinate of a [`Separable`] map.
///
/// Seven short methods are required. [`squared_slope`](Self::squared_slope), [`release`](Self::release) and
/// [`ray`](Self::ray) are worth implementing where they exist.
///
/// ```
/// use reparam::{Scalar, maps::{Landscape, ScalarMap, Separable}, testing::check_map};
///
/// /// φ(u) = cosh u, onto x ≥ 1.
/// #[derive(Debug)]
/// struct Cosh;
///
/// impl<T: Scalar> ScalarMap<T> for Cosh {
///     fn name(&self) -> &'static str { "cosh" }
///     fn bounds(&self) -> (T, T) { (T::one(), T::infinity()) }
///     fn landscape(&self) -> Landscape { Landscape::SecondOrder } // φ' = 0 only at u = 0, where φ'' = 1
///     fn value(&self, u: T) -> T { u.cosh() }
///     fn d1(&self, u: T) -> T { u.sinh() }
///     fn d2(&self, u: T) -> T { u.cosh() }
///     fn section(&self, _x: T, below: T, _above: T) -> T {
///         (below + (below * (below + T::lit(2.0))).sqrt()).ln_1p() // acosh(1 + below)
///     }
/// }
///
/// let report = check_map::<f64, _>(&Separable::same(Cosh, 3).unwrap(), 1);
/// assert!(report.passed(), "{report}");
/// ```
pub trait ScalarMap<T: Scalar> {
    /// For messages.
    fn name(&self) -> &'static str;

    /// The closure of the image: (lo, hi), ±∞ where it has no end.
    fn bounds(&self) -> (T, T);

    /// What is known of the landscape of f∘φ.
    fn landscape(&self) -> Landscape;

    /// φ(u); never outside the bounds, by rounding or otherwise.
    fn value(&self, u: T) -> T;

    /// φ'(u).
    fn d1(&self, u: T) -> T;

    /// φ''(u).
    fn d2(&self, u: T) -> T;

    /// Some u with φ(u) = x, given with its distances `below` = x − lo and `above` = hi − x (∞ without that bound).
    ///
    /// Called with x strictly inside, or on a bound the map reaches. Use the distances rather than x: they are exact
    /// where x is near a bound, and a nudged point may differ from its bound by less than a rounding of x. Where
    /// hi − lo overflows both are halved; a formula in their ratio does not notice.
    fn section(&self, x: T, below: T, above: T) -> T;

    /// Whether φ attains its bounds. By default: unless the landscape is [`Landscape::InteriorOnly`].
    fn reaches_bounds(&self) -> bool {
        self.landscape() != Landscape::InteriorOnly
    }

    /// φ'(u)² as a function of x = φ(u), where it is one: the metric of the flow in x.
    fn squared_slope(&self, x: T) -> Option<T> {
        let _ = x;
        None
    }

    /// The step du after which φ has moved `distance` away from a bound on which φ' vanishes; None when there is no such bound.
    fn release(&self, distance: T) -> Option<T> {
        let _ = distance;
        None
    }

    /// (p, q) with φ(u + t d) = φ(u) + t p + t² q, where φ is a polynomial of degree 2.
    fn ray(&self, u: T, d: T) -> Option<(T, T)> {
        let _ = (u, d);
        None
    }
}

/// $`x_j = \varphi_j(u_j)`$ with a [`ScalarMap`] per coordinate, or the same one for all (then stored once).
///
/// ```math
/// J = \operatorname{diag} \varphi_j'(u_j), \qquad
/// \sum_i w_i \nabla^2\varphi_i = \operatorname{diag} w_j\, \varphi_j''(u_j), \qquad
/// J J^\top = \operatorname{diag} \varphi_j'(u_j)^2
/// ```
///
/// Static dispatch: each instance is a plain loop over its formula, and no method allocates. The maps
/// [`Squares`](super::Squares), [`Power`](super::Power), [`ScaledSquares`](super::ScaledSquares),
/// [`Exponential`](super::Exponential), [`Softplus`](super::Softplus), [`Trigonometric`](super::Trigonometric),
/// [`Sigmoid`](super::Sigmoid) and [`Algebraic`](super::Algebraic) are instances.
///
/// A point on a face where φ' vanishes is left by [`release`](Reparametrization::release): with a multiplier of the
/// wrong sign, coordinate j moves |g_j|/h_j off its bound (at most to the other one), the minimiser of the
/// quadratic model; where h_j gives no such step (h_j ≤ 0), by √ε max(1, |x_j|).
///
/// ```
/// use reparam::maps::{Reparametrization, ScalarPower, Separable};
/// let map = Separable::each(vec![ScalarPower::new(0.0, 2).unwrap(), ScalarPower::new(1.0, 3).unwrap()]).unwrap();
/// let mut x = [0.0; 2];
/// map.apply(&[2.0, 2.0], &mut x, &mut []);
/// assert_eq!(x, [4.0, 9.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Separable<T, F> {
    maps: PerCoordinate<F>,
    set: BoxSet<T>,
}

impl<T: Scalar, F: ScalarMap<T>> Separable<T, F> {
    /// The same map for each of `dim` coordinates.
    ///
    /// # Errors
    /// [`Error::CrossedBounds`](crate::Error::CrossedBounds) when the bounds of the map hold no number.
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, ScalarSquare, Separable};
    /// assert_eq!(Separable::same(ScalarSquare::new(0.0).unwrap(), 4).unwrap().dim_x(), 4);
    /// ```
    pub fn same(map: F, dim: usize) -> Result<Self> {
        let (lo, hi) = map.bounds();
        check_bounds(0, lo, hi)?;
        Ok(Self::trusted(PerCoordinate::Same(map), dim))
    }

    /// A map for each coordinate.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::CrossedBounds`](crate::Error::CrossedBounds) when the bounds
    /// of a map hold no number.
    ///
    /// ```
    /// use reparam::maps::{ScalarSquare, Separable};
    /// assert!(Separable::<f64, ScalarSquare<f64>>::each(vec![]).is_err());
    /// ```
    pub fn each(maps: Vec<F>) -> Result<Self> {
        check_not_empty("the list of maps", maps.len())?;
        for (j, map) in maps.iter().enumerate() {
            let (lo, hi) = map.bounds();
            check_bounds(j, lo, hi)?;
        }
        let dim = maps.len();
        Ok(Self::trusted(PerCoordinate::Each(maps), dim))
    }

    /// Without checks: every caller has made them.
    pub(super) fn trusted(maps: PerCoordinate<F>, dim: usize) -> Self {
        let (lower, upper) = maps.stored().iter().map(ScalarMap::bounds).unzip();
        let set = BoxSet::trusted(
            dim,
            PerCoordinate::from_vec(lower),
            PerCoordinate::from_vec(upper),
        );
        Self { maps, set }
    }

    /// The map of coordinate j.
    ///
    /// ```
    /// use reparam::maps::{Exponential, ScalarMap};
    /// assert_eq!(ScalarMap::<f64>::name(Exponential::new(2).coordinate(1)), "exponential");
    /// ```
    #[inline]
    pub fn coordinate(&self, j: usize) -> &F {
        self.maps.get(j)
    }

    /// The box onto which (or onto the interior of which) this maps.
    ///
    /// ```
    /// assert_eq!(reparam::maps::Exponential::<f64>::new(2).box_set().lower(0), 0.0);
    /// ```
    pub fn box_set(&self) -> &BoxSet<T> {
        &self.set
    }

    /// f(j, φ_j) for each coordinate; the choice of storage is made outside the loop.
    #[inline(always)]
    fn for_each(&self, n: usize, mut f: impl FnMut(usize, &F)) {
        match &self.maps {
            PerCoordinate::Same(map) => {
                for j in 0..n {
                    f(j, map);
                }
            }
            PerCoordinate::Each(maps) => {
                for (j, map) in maps[..n].iter().enumerate() {
                    f(j, map);
                }
            }
        }
    }

    /// As [`for_each`](Self::for_each), until one says no.
    #[inline(always)]
    fn all(&self, n: usize, mut f: impl FnMut(usize, &F) -> bool) -> bool {
        match &self.maps {
            PerCoordinate::Same(map) => (0..n).all(|j| f(j, map)),
            PerCoordinate::Each(maps) => maps[..n].iter().enumerate().all(|(j, map)| f(j, map)),
        }
    }
}

/// u with φ(u) = x under a policy: one coordinate of [`Reparametrization::section`].
pub(super) fn section_of<T: Scalar, F: ScalarMap<T> + ?Sized>(
    map: &F,
    index: usize,
    x: T,
    boundary: Boundary<T>,
) -> Result<T, MapError> {
    let outside = MapError::Outside {
        index,
        value: x.as_f64(),
    };
    let (lo, hi) = map.bounds();
    if !x.is_finite() || x < lo || x > hi {
        return Err(outside);
    }
    // a box as wide as the number type: halves, so that no difference overflows
    let half = T::lit(0.5);
    let k = if (hi - lo).is_finite() || !(lo.is_finite() && hi.is_finite()) {
        T::one()
    } else {
        half
    };
    let width = hi * k - lo * k;
    let (mut x, mut below, mut above) = (x, x * k - lo * k, hi * k - x * k);
    let (on_lower, on_upper) = (x == lo, x == hi);
    if on_lower || on_upper {
        match boundary {
            Boundary::Exact if map.reaches_bounds() => {}
            Boundary::Exact | Boundary::Reject => return Err(MapError::OnBoundary { index }),
            Boundary::Nudge(by) => {
                let by = by * x.abs().max(T::one()) * k;
                if by.is_nan() || by <= T::zero() || by == T::infinity() {
                    return Err(MapError::OnBoundary { index }); // no nudge at all
                }
                let by = by.min(width * half);
                // the distances carry the nudge even where x + by rounds back to the bound
                if on_lower {
                    (x, below, above) = (x + by / k, by, width - by);
                } else {
                    (x, below, above) = (x - by / k, width - by, by);
                }
            }
        }
    }
    let u = map.section(x, below, above);
    if u.is_finite() { Ok(u) } else { Err(outside) }
}

/// The step off a face with a multiplier of the wrong sign: one coordinate of [`Reparametrization::release`].
///
/// The face is recognised by x, not by u: a u of 1e-200, or the float next to π/2, is as stationary as one on the face.
pub(super) fn release_of<T: Scalar, F: ScalarMap<T> + ?Sized>(map: &F, x: T, g: T, h: T) -> Option<T> {
    let (lo, hi) = map.bounds();
    let wrong = (x == lo && g < T::zero()) || (x == hi && g > T::zero());
    if !wrong {
        return None;
    }
    let newton = g.abs() / h;
    let small = T::epsilon().sqrt() * x.abs().max(T::one());
    let step = if h > T::zero() && newton > T::zero() {
        newton
    } else {
        small
    };
    let du = map.release(step.min(hi - lo).min(T::max_value()))?;
    (du.is_finite() && du != T::zero()).then_some(du)
}

/// What holds of a map whose coordinates have these landscapes: the weakest of them.
pub(super) fn weakest(landscapes: impl IntoIterator<Item = Landscape>) -> Landscape {
    let mut all = Landscape::SecondOrder;
    for one in landscapes {
        match one {
            Landscape::SecondOrder => {}
            Landscape::InteriorOnly if all == Landscape::SecondOrder => all = one,
            Landscape::InteriorOnly => {}
            Landscape::Experimental => return one,
        }
    }
    all
}

impl<T: Scalar, F: ScalarMap<T>> Reparametrization<T> for Separable<T, F> {
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
        weakest(self.maps.stored().iter().map(ScalarMap::landscape))
    }
    fn is_coordinatewise(&self) -> bool {
        self.maps.stored().iter().all(ScalarMap::reaches_bounds)
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        let n = self.set.dim();
        let (u, x) = (&u[..n], &mut x[..n]); // lengths known: no bounds checks in the loop
        self.for_each(n, |j, map| x[j] = map.value(u[j]));
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        let n = self.set.dim();
        let (u, v, jv) = (&u[..n], &v[..n], &mut jv[..n]);
        self.for_each(n, |j, map| jv[j] = map.d1(u[j]) * v[j]);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        self.jvp(u, w, jtw, work); // J is diagonal
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        let n = self.set.dim();
        let (u, w, v, out) = (&u[..n], &w[..n], &v[..n], &mut out[..n]);
        self.for_each(n, |j, map| out[j] = map.d2(u[j]) * w[j] * v[j]);
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
        let n = self.set.dim();
        let (u, h, w, gauss_newton, curved) = (
            &u[..n],
            &h[..n],
            &w[..n],
            &mut gauss_newton[..n],
            &mut curved[..n],
        );
        self.for_each(n, |j, map| {
            let d = map.d1(u[j]);
            gauss_newton[j] = d * d * h[j];
            curved[j] = map.d2(u[j]) * w[j];
        });
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        for (j, (xj, uj)) in x.iter().zip(u.iter_mut()).enumerate() {
            *uj = section_of(self.coordinate(j), j, *xj, boundary)?;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        let n = self.set.dim();
        let (x, g, out) = (&x[..n], &g[..n], &mut out[..n]);
        self.all(n, |j, map| match map.squared_slope(x[j]) {
            Some(slope) => {
                out[j] = slope * g[j];
                true
            }
            None => false,
        })
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let n = self.set.dim();
        let (u, d, lin, quad) = (&u[..n], &d[..n], &mut lin[..n], &mut quad[..n]);
        let quadratic = self.all(n, |j, map| match map.ray(u[j], d[j]) {
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
        for (j, o) in du.iter_mut().enumerate() {
            let step = release_of(self.coordinate(j), x[j], g[j], h[j]);
            released += usize::from(step.is_some());
            *o = step.unwrap_or_else(T::zero);
        }
        released
    }
}

/// The constructors of a map onto x ≥ lo without parameters.
macro_rules! one_sided {
    ($alias:ident, $scalar:ident) => {
        impl<T: Scalar> Separable<T, $scalar<T>> {
            /// Onto {x ∈ Rⁿ : x ≥ 0} (or its interior).
            ///
            /// ```
            #[doc = concat!("use reparam::maps::{", stringify!($alias), ", Reparametrization};")]
            #[doc = concat!("assert_eq!(", stringify!($alias), "::<f64>::new(5).dim_x(), 5);")]
            /// ```
            pub fn new(dim: usize) -> Self {
                Self::trusted(PerCoordinate::Same($scalar { lower: T::zero() }), dim)
            }

            /// Onto {x : x ≥ lower} (or its interior).
            ///
            /// # Errors
            /// [`Error::Empty`](crate::Error::Empty), [`Error::NotFinite`](crate::Error::NotFinite): a coordinate
            /// without a bound is for [`Bounds`](super::Bounds).
            ///
            /// ```
            #[doc = concat!("assert!(reparam::maps::", stringify!($alias), "::with_lower(vec![f64::NEG_INFINITY]).is_err());")]
            /// ```
            pub fn with_lower(lower: Vec<T>) -> Result<Self> {
                check_not_empty("the lower bounds", lower.len())?;
                check_finite("lower bounds", &lower)?;
                let dim = lower.len();
                let maps = lower.into_iter().map(|lower| $scalar { lower }).collect();
                Ok(Self::trusted(PerCoordinate::Each(maps), dim))
            }
        }

        impl<T: Scalar> $scalar<T> {
            /// Onto x ≥ lower (or x > lower).
            ///
            /// # Errors
            /// [`Error::NotFinite`](crate::Error::NotFinite).
            ///
            /// ```
            #[doc = concat!("assert!(reparam::maps::", stringify!($scalar), "::new(f64::NAN).is_err());")]
            /// ```
            pub fn new(lower: T) -> Result<Self> {
                check_finite("lower bounds", &[lower])?;
                Ok(Self { lower })
            }
        }
    };
}
pub(super) use one_sided;

/// The constructors of a map onto lo ≤ x ≤ hi.
macro_rules! two_sided {
    ($alias:ident, $scalar:ident) => {
        impl<T: Scalar> Separable<T, $scalar<T>> {
            /// Onto {x : lower ≤ x ≤ upper} (or its interior).
            ///
            /// # Errors
            /// [`Error::Empty`](crate::Error::Empty), [`Error::Dimension`](crate::Error::Dimension),
            /// [`Error::NotFinite`](crate::Error::NotFinite) and [`Error::CrossedBounds`](crate::Error::CrossedBounds)
            /// naming the coordinate; lower = upper counts as crossed. Infinite and equal bounds are for
            /// [`Bounds`](super::Bounds).
            ///
            /// ```
            #[doc = concat!("use reparam::maps::{", stringify!($alias), ", Reparametrization};")]
            #[doc = concat!("assert_eq!(", stringify!($alias), "::new(vec![0.0, -1.0], vec![1.0, 3.0]).unwrap().dim_x(), 2);")]
            #[doc = concat!("assert!(", stringify!($alias), "::new(vec![1.0], vec![0.0]).is_err());")]
            /// ```
            pub fn new(lower: Vec<T>, upper: Vec<T>) -> Result<Self> {
                check_not_empty("the bounds", lower.len())?;
                check_len("the upper bounds", lower.len(), upper.len())?;
                let bounds = lower.into_iter().zip(upper).enumerate();
                let maps = bounds.map(|(j, (lo, hi))| Interval::new(j, lo, hi).map($scalar::on));
                let maps = maps.collect::<Result<Vec<_>>>()?;
                let dim = maps.len();
                Ok(Self::trusted(PerCoordinate::Each(maps), dim))
            }

            /// Onto \[lower, upper\]ⁿ (or its interior).
            ///
            /// # Errors
            /// As [`new`](Self::new).
            ///
            /// ```
            #[doc = concat!("use reparam::maps::{", stringify!($alias), ", Reparametrization};")]
            #[doc = concat!("assert_eq!(", stringify!($alias), "::uniform(3, 0.0, 1.0).unwrap().dim_x(), 3);")]
            /// ```
            pub fn uniform(dim: usize, lower: T, upper: T) -> Result<Self> {
                Ok(Self::trusted(PerCoordinate::Same($scalar::new(lower, upper)?), dim))
            }
        }

        impl<T: Scalar> $scalar<T> {
            /// Onto lower ≤ x ≤ upper (or its interior).
            ///
            /// # Errors
            /// [`Error::NotFinite`](crate::Error::NotFinite), [`Error::CrossedBounds`](crate::Error::CrossedBounds).
            ///
            /// ```
            #[doc = concat!("assert!(reparam::maps::", stringify!($scalar), "::new(2.0, 1.0).is_err());")]
            /// ```
            pub fn new(lower: T, upper: T) -> Result<Self> {
                Ok(Self::on(Interval::new(0, lower, upper)?))
            }
        }
    };
}
pub(super) use two_sided;
