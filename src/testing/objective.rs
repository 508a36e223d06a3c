//! The check of an objective and its derivatives.

use super::operator::relative;
use super::{Random, Report};
use crate::Scalar;
use crate::linalg::{dot, norm2};
use crate::objectives::Objective;

/// Checks an objective at x: `value` against `value_gradient`, the gradient against central differences of the
/// value along seeded random directions, and Hessian products (where offered) against central differences of
/// the gradient and for symmetry.
///
/// The step is h = ε^{1/3} max(1, ‖x‖)/‖v‖, so the error of a right derivative is of order ε^{2/3} times the
/// third derivative; the tolerance is 10³ ε^{2/3} relative. Where that does not pass (coordinates of very different size, a narrow
/// domain), the step is shortened, to 10⁻⁵ of it at most. x must lie in the interior of the domain. A gradient that fails is
/// compared coordinate by coordinate, and the report names the worst.
///
/// ```
/// use reparam::{objectives::LeastSquares, testing::check_objective};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0], &[1.0, -1.0]).unwrap();
/// let report = check_objective(&mut f, &[0.5, 0.25], 1);
/// assert!(report.passed(), "{report}");
///
/// // a sign that got lost
/// let mut wrong = reparam::objectives::FromFn::new(2, |x: &[f64], g: &mut [f64]| {
///     (g[0], g[1]) = (2.0 * x[0], 1.0);
///     Ok(x[0] * x[0] - x[1])
/// });
/// let report = check_objective(&mut wrong, &[0.5, 0.25], 1);
/// assert!(!report.passed() && report.to_string().contains("worst in coordinate 1"), "{report}");
/// ```
pub fn check_objective<T: Scalar, O: Objective<T> + ?Sized>(f: &mut O, x: &[T], seed: u64) -> Report {
    let mut report = Report::default();
    let n = f.dim();
    if x.len() != n {
        report.record("length of x", f64::INFINITY, 0.0);
        return report;
    }
    let mut random = Random::new(seed);
    let eps = T::epsilon().as_f64();
    let tolerance = 1e3 * eps.powf(2.0 / 3.0);
    let half = T::lit(0.5);
    let (mut g, mut gp, mut gm) = (vec![T::zero(); n], vec![T::zero(); n], vec![T::zero(); n]);
    let Ok(value) = f.value_gradient(x, &mut g) else {
        report.record("evaluation at x", f64::INFINITY, 0.0);
        return report;
    };
    let alone = f.value(x).map_or(f64::NAN, |v| relative(v - value, value));
    report.record("value agrees with value_gradient", alone, 1e3 * eps);
    for _ in 0..5 {
        let (v, w) = (random.normals::<T>(n), random.normals::<T>(n));
        let (mut hv, mut hw) = (vec![T::zero(); n], vec![T::zero(); n]);
        let curved = matches!(f.hessian_vector(x, &v, &mut hv), Ok(true));
        let first = T::epsilon().cbrt() * norm2(x).max(T::one()) / norm2(&v);
        let (mut slope, mut curvature) = (None, None);
        // what a difference misses of a right derivative falls with the step, what a wrong one is off does not
        for h in [1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5].map(|part| first * T::lit(part)) {
            let at = |s: T| -> Vec<T> { x.iter().zip(&v).map(|(a, b)| *a + s * h * *b).collect() };
            let (plus, minus) = (at(T::one()), at(-T::one()));
            let (Ok(fp), Ok(fm)) = (
                f.value_gradient(&plus, &mut gp),
                f.value_gradient(&minus, &mut gm),
            ) else {
                continue;
            };
            // a difference cannot see below the rounding of what is differenced, ε|f|/h
            let floor = |size: T| T::lit(eps / tolerance) * size / h;
            let size = norm2(&g) * norm2(&v);
            let error = dot(&g, &v) - half * (fp - fm) / h;
            better(&mut slope, error, size, floor(value.abs()));
            if curved {
                let expected: Vec<T> = gp.iter().zip(&gm).map(|(a, b)| half * (*a - *b) / h).collect();
                let gap: Vec<T> = hv.iter().zip(&expected).map(|(a, b)| *a - *b).collect();
                let size = norm2(&hv).max(norm2(&expected));
                better(&mut curvature, norm2(&gap), size, floor(norm2(&g)));
            }
            if [slope, curvature].iter().flatten().all(|e| *e <= tolerance) {
                break;
            }
        }
        let Some(slope) = slope else {
            report.record("evaluation near x", f64::INFINITY, 0.0);
            return report;
        };
        report.record(SLOPE, slope, tolerance);
        if let Some(curvature) = curvature {
            report.record(
                "Hessian product against differences of the gradient",
                curvature,
                tolerance,
            );
            if matches!(f.hessian_vector(x, &w, &mut hw), Ok(true)) {
                let size = norm2(&hv) * norm2(&w) + norm2(&hw) * norm2(&v);
                report.record(
                    "Hessian symmetric",
                    relative(dot(&w, &hv) - dot(&v, &hw), size),
                    1e3 * eps,
                );
            }
        }
    }
    if report.checks().iter().any(|c| c.name == SLOPE && !c.passed()) {
        report.blame(SLOPE, worst(f, x, &g));
    }
    report
}

const SLOPE: &str = "gradient against differences of the value";

/// Keeps the smaller relative error; of steps so short that rounding decides (a floor above the size) only a first one counts.
fn better<T: Scalar>(kept: &mut Option<f64>, error: T, size: T, floor: T) {
    let new = relative(error, size.max(floor));
    match kept {
        None => *kept = Some(new),
        Some(old) if (old.is_nan() || new < *old) && floor <= size => *old = new,
        Some(_) => {}
    }
}

/// The coordinate in which the gradient is farthest from a difference of the value, with a step of the size of that coordinate.
fn worst<T: Scalar, O: Objective<T> + ?Sized>(f: &mut O, x: &[T], g: &[T]) -> Option<usize> {
    let mut at = x.to_vec();
    let mut worst = None;
    for j in 0..x.len() {
        let size = if x[j] == T::zero() { T::one() } else { x[j].abs() };
        let h = T::epsilon().cbrt() * size;
        at[j] = x[j] + h;
        let plus = f.value(&at);
        at[j] = x[j] - h;
        let minus = f.value(&at);
        at[j] = x[j];
        let (Ok(plus), Ok(minus)) = (plus, minus) else {
            continue;
        };
        let off = (g[j] - T::lit(0.5) * (plus - minus) / h).abs();
        if worst.is_none_or(|(_, most)| off > most || off.is_nan()) {
            worst = Some((j, off));
        }
    }
    worst.map(|(j, _)| j)
}
