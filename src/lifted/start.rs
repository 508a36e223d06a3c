//! Where a run of [`Minimize`](crate::Minimize) begins.

use crate::checks::{check_finite, check_len};
use crate::lifted::Point;
use crate::maps::{Boundary, Reparametrization};
use crate::{MapError, Result, Scalar};

/// u with φ(u) = x; for a map that does not reach the boundary, a u whose x is near it.
pub(crate) fn section<T: Scalar, M: Reparametrization<T> + ?Sized>(
    map: &M,
    x: &[T],
    u: &mut [T],
    work: &mut [T],
) -> Result<(), MapError> {
    match map.section(x, Boundary::Exact, u, work) {
        Err(MapError::OnBoundary { .. }) => map.section(x, Boundary::Nudge(T::epsilon().sqrt()), u, work),
        other => other,
    }
}

/// A point over the start x, or else the map's interior point, that is yet to be evaluated.
///
/// A method that moves in x begins at x itself. φ would return it only up to rounding of the bounds, and an x of −9e-16 instead of 0 would change
/// the apparent size of x.
pub(crate) fn start_point<T: Scalar, M: Reparametrization<T> + ?Sized>(
    map: &M,
    start: Option<&[T]>,
    moves_in_x: bool,
) -> Result<Point<T>> {
    let mut work = vec![T::zero(); map.scratch_len()];
    let mut u = vec![T::zero(); map.dim_u()];
    map.interior(&mut u);
    if let Some(x) = start {
        check_len("the start", map.dim_x(), x.len())?;
        check_finite("start", x)?;
        section(map, x, &mut u, &mut work)?;
    }
    let mut point = Point::new(map, &u);
    map.apply(&u, &mut point.x, &mut work);
    if let Some(x) = start
        && moves_in_x
        && map.is_coordinatewise()
    {
        point.x.copy_from_slice(x);
        // (a section forgives rounding)
        map.set().project(&mut point.x);
    }
    Ok(point)
}
