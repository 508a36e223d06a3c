//! The line search: strong Wolfe conditions, with a way back from points where f is not finite.

use crate::lifted::{Lifted, Point};
use crate::linalg::dot;
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
/// to a tenth, again and again: it steps back first and gives up last. Bracketing and cubic interpolation after Nocedal &
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
    let (f0, slope0) = (start.value, dot(&start.gradient, d));
    if slope0.is_nan() || slope0 >= T::zero() {
        return Ok(Search::Failed);
    }
    let (decrease, curvature) = (T::lit(1e-4), T::lit(0.9));
    // F cannot be told apart from f0 within this
    let flat = T::lit(4.0) * T::epsilon() * f0.abs();
    let mut t = t;
    // lower end of the bracket: always satisfies the decrease condition
    let mut low = (T::zero(), f0, slope0);
    let mut high: Option<(T, T, T)> = None;
    let mut finite_seen = false;
    for trial in 0..40 {
        for ((o, u), v) in next.u.iter_mut().zip(&start.u).zip(d) {
            *o = *u + t * *v;
        }
        if next.u == start.u {
            break; // the step is below the resolution of u
        }
        lifted.evaluate(next)?;
        if !next.is_finite() {
            high = None;
            if low.0 > T::zero() {
                // something good is at hand: go a tenth of the way beyond it
                t = low.0 + T::lit(0.1) * (t - low.0);
            } else {
                t *= T::lit(0.1);
            }
            continue;
        }
        finite_seen = true;
        let (f, slope) = (next.value, dot(&next.gradient, d));
        let sufficient = f <= f0 + decrease * t * slope0;
        let approximate = f <= f0 + flat && slope <= (T::lit(2.0) * decrease - T::one()) * slope0;
        if (sufficient || approximate) && slope.abs() <= -curvature * slope0 {
            return Ok(Search::Found);
        }
        let current = (t, f, slope);
        if (!sufficient && !approximate) || (f >= low.1 + flat && low.0 > T::zero()) {
            high = Some(current);
        } else if slope >= T::zero() {
            high = Some(low);
            low = current;
        } else {
            low = current;
            if high.is_none() {
                // still going down: further out
                t *= T::lit(4.0);
                if trial > 25 {
                    return Ok(Search::Found);
                }
                continue;
            }
        }
        let Some(end) = high else { continue };
        let width = (end.0 - low.0).abs();
        if width <= T::epsilon() * (end.0.abs() + low.0.abs()) {
            break;
        }
        t = interpolate(low, end);
    }
    if low.0 > T::zero() && low.1 < f0 {
        // no point satisfied both conditions, but this one is better than the start
        for ((o, u), v) in next.u.iter_mut().zip(&start.u).zip(d) {
            *o = *u + low.0 * *v;
        }
        lifted.evaluate(next)?;
        return Ok(if next.is_finite() { Search::Found } else { Search::NotFinite });
    }
    Ok(if finite_seen { Search::Failed } else { Search::NotFinite })
}

/// The minimiser of the cubic through two points and slopes, kept a tenth of the bracket away from its ends.
fn interpolate<T: Scalar>(a: (T, T, T), b: (T, T, T)) -> T {
    let (x0, f0, g0) = a;
    let (x1, f1, g1) = b;
    let three = T::lit(3.0);
    let d1 = g0 + g1 - three * (f0 - f1) / (x0 - x1);
    let root = (d1 * d1 - g0 * g1).max(T::zero()).sqrt() * if x1 > x0 { T::one() } else { -T::one() };
    let t = x1 - (x1 - x0) * (g1 + root - d1) / (g1 - g0 + root + root);
    let (lo, hi) = if x0 < x1 { (x0, x1) } else { (x1, x0) };
    let margin = T::lit(0.1) * (hi - lo);
    if t.is_finite() { t.max(lo + margin).min(hi - margin) } else { (lo + hi) * T::lit(0.5) }
}
