//! Is the gradient the gradient?

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
/// third derivative; the tolerance is 10³ ε^{2/3} relative. x must lie in the interior of the domain.
///
/// ```
/// use reparam::{objectives::LeastSquares, testing::check_objective};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0], &[1.0, -1.0]).unwrap();
/// let report = check_objective(&mut f, &[0.5, 0.25], 1);
/// assert!(report.passed(), "{report}");
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
        let v = random.normals::<T>(n);
        let h = T::epsilon().cbrt() * norm2(x).max(T::one()) / norm2(&v);
        let at = |s: T| -> Vec<T> { x.iter().zip(&v).map(|(a, b)| *a + s * h * *b).collect() };
        let (plus, minus) = (at(T::one()), at(-T::one()));
        let (Ok(fp), Ok(fm)) = (
            f.value_gradient(&plus, &mut gp),
            f.value_gradient(&minus, &mut gm),
        ) else {
            report.record("evaluation near x", f64::INFINITY, 0.0);
            return report;
        };
        let slope = half * (fp - fm) / h;
        // a difference cannot see below the rounding of what is differenced, ε|f|/h
        let floor = |size: T| T::lit(eps / tolerance) * size / h;
        let size = (norm2(&g) * norm2(&v)).max(floor(value.abs()));
        report.record(
            "gradient against differences of the value",
            relative(dot(&g, &v) - slope, size),
            tolerance,
        );
        let (mut hv, w) = (vec![T::zero(); n], random.normals::<T>(n));
        if matches!(f.hessian_vector(x, &v, &mut hv), Ok(true)) {
            let expected: Vec<T> = gp.iter().zip(&gm).map(|(a, b)| half * (*a - *b) / h).collect();
            let gap: Vec<T> = hv.iter().zip(&expected).map(|(a, b)| *a - *b).collect();
            report.record(
                "Hessian product against differences of the gradient",
                relative(
                    norm2(&gap),
                    norm2(&hv).max(norm2(&expected)).max(floor(norm2(&g))),
                ),
                tolerance,
            );
            let mut hw = vec![T::zero(); n];
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
    report
}
