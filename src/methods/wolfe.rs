//! Searches along a line in u: strong Wolfe conditions, with a way back from points where f is not finite, and the
//! search along the lifted curve that needs no further products.

use crate::lifted::{CurveWork, Lifted, Point};
use crate::linalg::{axpy, dot, max_abs};
use crate::maps::Ray;
use crate::objectives::Curve;
use crate::search::{minimise_quartic, minimise_rational};
use crate::{Result, Scalar};

/// The outcome of a line search.
///
/// ```
/// assert_ne!(reparam::methods::Search::Found, reparam::methods::Search::Failed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Search {
    /// The next point is set and better.
    Found,
    /// No decrease within rounding.
    Failed,
    /// Only points without a finite value were seen.
    NotFinite,
}

/// Finds t > 0 with F(u + t d) ≤ F(u) + 10⁻⁴ t F'(u; d) and |F'(u + t d; d)| ≤ 0.9 |F'(u; d)|, first trial `t`.
///
/// `next` receives the evaluated point. A trial without a finite value (NaN, ±∞: outside the domain of f) shortens the step
/// to a tenth, repeatedly; the search gives up only when no shorter step is finite. Bracketing and cubic interpolation after Nocedal &
/// Wright (2006), algorithms 3.5 and 3.6; near the end, where F is flat to rounding, the derivative alone decides
/// (Hager & Zhang 2005, approximate Wolfe).
///
/// # Errors
/// [`Error::Evaluation`](crate::Error::Evaluation).
///
/// ```
/// use reparam::{lifted::{Lifted, Point}, maps::Identity, methods::{Search, wolfe_search}, objectives::FromFn};
/// let mut f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0]; Ok(0.5 * x[0] * x[0]) });
/// let map = Identity::new(1);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut start = Point::new(&map, &[4.0]);
/// lifted.evaluate(&mut start).unwrap();
/// let mut next = start.clone();
/// assert_eq!(wolfe_search(&mut lifted, &start, &[-4.0], 1.0, &mut next).unwrap(), Search::Found);
/// assert_eq!(next.x[0], 0.0);
/// ```
pub fn wolfe_search<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    start: &Point<T>,
    d: &[T],
    t: T,
    next: &mut Point<T>,
) -> Result<Search> {
    let mut at = |t: T, next: &mut Point<T>| -> Result<Option<(T, T)>> {
        for ((o, u), v) in next.u.iter_mut().zip(&start.u).zip(d) {
            *o = *u + t * *v;
        }
        lifted.evaluate(next)?;
        Ok(next.is_finite().then(|| (next.value, dot(&next.gradient, d))))
    };
    let mut last = T::zero();
    let found = bracket(start.value, dot(&start.gradient, d), t, &Reach::default(), |t| {
        last = t;
        at(t, next)
    })?;
    match found {
        Ok(t) => {
            if t != last {
                at(t, next)?;
            }
            Ok(if next.is_finite() {
                Search::Found
            } else {
                Search::NotFinite
            })
        }
        Err(search) => Ok(search),
    }
}

/// The search along the lifted curve: for f = ℓ(A x + a) + … and a map whose rays are quadratic or rational, four products (two images, and
/// value and gradient at the end) serve any number of trials. For a quadratic f the minimiser of the quartic (over a squared
/// quadratic) is exact, otherwise the strong Wolfe conditions hold. The end point is evaluated anew, because an updated image accumulates rounding. None
/// where f or φ do not offer it.
///
/// # Errors
/// [`Error::Evaluation`](crate::Error::Evaluation).
///
/// ```
/// use reparam::{lifted::{Lifted, Point}, maps::Squares, methods::{Search, curve_search}, objectives::LeastSquares};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0], &[9.0]).unwrap();
/// let map = Squares::new(1);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut start = Point::new(&map, &[1.0]);
/// lifted.evaluate(&mut start).unwrap();
/// let mut next = start.clone();
/// assert_eq!(curve_search(&mut lifted, &start, &[1.0], 1.0, &mut next).unwrap(), Some(Search::Found));
/// assert!((next.x[0] - 9.0_f64).abs() < 1e-12); // u = 1 + t, t = 2
/// ```
pub fn curve_search<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    start: &Point<T>,
    d: &[T],
    t: T,
    next: &mut Point<T>,
) -> Result<Option<Search>> {
    let mut work = std::mem::take(&mut lifted.curve);
    let found = search_in(lifted, start, d, t, next, &mut work);
    lifted.curve = work;
    found
}

fn search_in<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    start: &Point<T>,
    d: &[T],
    t: T,
    next: &mut Point<T>,
    work: &mut CurveWork<T>,
) -> Result<Option<Search>> {
    let n = start.x.len();
    let CurveWork { ends, images } = work;
    ends.iter_mut().for_each(|v| v.resize(n, T::zero()));
    let [p, q] = ends;
    let omega = match lifted.map().ray(&start.u, d, p, q, lifted.scratch()) {
        Ray::Quadratic => [T::one(), T::zero(), T::zero()],
        Ray::Rational(omega) => {
            axpy(-omega[1], &start.x, p);
            axpy(-omega[2], &start.x, q);
            omega
        }
        Ray::General => return Ok(None),
    };
    let Some(m) = lifted.objective().composite().map(|view| view.operator.rows()) else {
        return Ok(None);
    };
    images.iter_mut().for_each(|v| v.resize(m, T::zero()));
    let [z, ap, aq, zt, r] = images;
    if !lifted.objective().image(&start.x, z) {
        return Ok(None);
    }
    let step = {
        let Some(view) = lifted.objective().composite() else {
            return Ok(None);
        };
        view.operator.apply_pair(p, q, ap, aq);
        let curve = Curve {
            x: &start.x,
            p,
            q,
            z,
            ap,
            aq,
            omega,
        };
        let exact = match view.quartic(&curve, r, zt) {
            Some(quartic) => Some(minimise_quartic(&quartic)),
            None => view.rational(&curve, r, zt).map(|h| minimise_rational(&h)),
        };
        match exact {
            Some(t) => {
                if t > T::zero() {
                    Ok(t)
                } else {
                    Err(Search::Failed)
                }
            }
            None => bracket(start.value, dot(&start.gradient, d), t, &Reach::default(), |t| {
                let (f, slope) = view.along(&curve, t, zt, r);
                Ok((f.is_finite() && slope.is_finite()).then_some((f, slope)))
            })?,
        }
    };
    let t = match step {
        Ok(t) => t,
        Err(search) => return Ok(Some(search)),
    };
    for ((o, u), v) in next.u.iter_mut().zip(&start.u).zip(d) {
        *o = *u + t * *v;
    }
    lifted.evaluate(next)?;
    let noise = T::lit(16.0) * T::epsilon() * start.value.abs();
    Ok(Some(if !next.is_finite() {
        Search::NotFinite
    } else if next.value <= start.value + noise {
        Search::Found
    } else {
        Search::Failed
    }))
}

/// So often a search goes four times as far before the factor grows. (First steps of the 23 functions with bounds are up to 4⁵ times too short:
/// a factor that grows before that goes too far, and comes back by halves.)
const PATIENT: usize = 6;
/// The factor grows, by squaring, until it is at least this.
const FASTEST: f64 = 1e4;

/// The first trial along d when no step has been made yet, and the length of d is a guess: no coordinate moves by more than the size
/// of the point; at the point 0, by no more than what takes a linear f to zero.
pub(super) fn first_trial<T: Scalar>(point: &[T], d: &[T], f: T, slope: T) -> T {
    let size = max_abs(point);
    let reach = if size > T::zero() {
        size / max_abs(d)
    } else {
        f.abs() / slope.abs()
    };
    if reach > T::zero() {
        T::one().min(reach)
    } else {
        T::one()
    }
}

/// How far a search may go, and how exact it must be.
pub(super) struct Reach<T> {
    /// The part of the first slope that may be left.
    pub(super) curvature: T,
    /// The longest step. There a decrease is enough.
    pub(super) longest: T,
}

impl<T: Scalar> Default for Reach<T> {
    fn default() -> Self {
        Self {
            curvature: T::lit(0.9),
            longest: T::infinity(),
        }
    }
}

/// The step by bracketing; `at` gives value and slope, or None where they are not finite.
pub(super) fn bracket<T: Scalar>(
    f0: T,
    slope0: T,
    first: T,
    reach: &Reach<T>,
    mut at: impl FnMut(T) -> Result<Option<(T, T)>>,
) -> Result<std::result::Result<T, Search>> {
    if slope0.is_nan() || slope0 >= T::zero() {
        return Ok(Err(Search::Failed));
    }
    let decrease = T::lit(1e-4);
    // F cannot be told apart from f0 within this
    let flat = T::lit(4.0) * T::epsilon() * f0.abs();
    let mut t = first;
    // lower end of the bracket: always satisfies the decrease condition
    let mut low = (T::zero(), f0, slope0);
    let mut high: Option<(T, T, T)> = None;
    let mut finite_seen = false;
    let mut wall = T::infinity();
    let (mut expansions, mut factor) = (0, T::lit(4.0));
    for _ in 0..40 {
        let Some((f, slope)) = at(t)? else {
            // shorten: a tenth of the way beyond the best point so far
            wall = wall.min(t);
            high = None;
            t = low.0 + T::lit(0.1) * (t - low.0);
            if t == low.0 {
                break;
            }
            continue;
        };
        finite_seen = true;
        let sufficient = f <= f0 + decrease * t * slope0;
        let approximate = f <= f0 + flat && slope <= (T::lit(2.0) * decrease - T::one()) * slope0;
        let end = t >= reach.longest && slope <= T::zero();
        if (sufficient || approximate) && (end || slope.abs() <= -reach.curvature * slope0) {
            return Ok(Ok(t));
        }
        let current = (t, f, slope);
        if !(sufficient || approximate) || f > low.1 + flat {
            high = Some(current);
        } else if slope * (high.map_or(T::one(), |h| h.0 - low.0)) >= T::zero() {
            high = Some(low);
            low = current;
        } else {
            low = current;
            if high.is_none() {
                // still going down: further out, and after a few times faster and faster (the first step may have been too short by
                // any number of decades), but not through a wall that has been met
                expansions += 1;
                if expansions > PATIENT && factor < T::lit(FASTEST) {
                    factor *= factor;
                }
                let beyond = (t * factor).min(reach.longest);
                t = if beyond < wall {
                    beyond
                } else {
                    (t + wall) * T::lit(0.5)
                };
                continue;
            }
        }
        let Some(end) = high else { continue };
        if (end.0 - low.0).abs() <= T::lit(4.0) * T::epsilon() * end.0.abs().max(low.0.abs()) {
            break;
        }
        t = interpolate(low, end);
    }
    // no point satisfied both conditions; the lower end of the bracket is still better than the start
    if low.0 > T::zero() && low.1 < f0 {
        return Ok(Ok(low.0));
    }
    Ok(Err(if finite_seen {
        Search::Failed
    } else {
        Search::NotFinite
    }))
}

/// The minimiser of the cubic through two points and slopes, kept a tenth of the bracket away from its ends.
fn interpolate<T: Scalar>(a: (T, T, T), b: (T, T, T)) -> T {
    let (x0, f0, g0) = a;
    let (x1, f1, g1) = b;
    let d1 = g0 + g1 - T::lit(3.0) * (f0 - f1) / (x0 - x1);
    let root = (d1 * d1 - g0 * g1).max(T::zero()).sqrt() * if x1 > x0 { T::one() } else { -T::one() };
    let t = x1 - (x1 - x0) * (g1 + root - d1) / (g1 - g0 + root + root);
    let (lo, hi) = if x0 < x1 { (x0, x1) } else { (x1, x0) };
    let margin = T::lit(0.1) * (hi - lo);
    if t.is_finite() {
        t.max(lo + margin).min(hi - margin)
    } else {
        (lo + hi) * T::lit(0.5)
    }
}
