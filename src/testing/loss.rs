//! The check of a loss.

use super::operator::relative;
use super::{Random, Report};
use crate::Scalar;
use crate::linalg::dot;
use crate::losses::Loss;

/// Checks a separable loss at z, term by term: slopes against differences of the value, curvatures against differences of the slopes, and
/// the optional methods that it implements (`derivative`, `residual`, `outside`, `convex`, `quadratic`, `curvature_bound`, `conjugate`).
/// None of these is required.
///
/// The differences have a step of ε^{1/3} max(1, |zᵢ|), so the error of a right derivative is of order ε^{2/3}; the tolerance is 10³ ε^{2/3}
/// relative. Where ℓᵢ″ jumps within a step of zᵢ, the curvature of either side passes. The conjugate must meet the inequality of
/// Fenchel and Young ℓ(y) + ℓ*(ν) ≥ ⟨ν, y⟩ at random y and ν, and with equality at ν = ℓ′(z). z must lie in the interior of the domain,
/// and so must 1.1 z.
///
/// ```
/// use reparam::losses::{Loss, Squared};
/// use reparam::testing::check_loss;
/// let report = check_loss(&Squared::new(&[1.0, 2.0]).unwrap(), &[0.5, -1.0], 1);
/// assert!(report.passed(), "{report}");
///
/// /// ¼ z⁴ with a wrong derivative of one term; nothing else that is optional.
/// struct Quartic;
/// impl Loss<f64> for Quartic {
///     fn dim(&self) -> usize { 2 }
///     fn value(&self, z: &[f64]) -> f64 { z.iter().map(|z| 0.25 * z.powi(4)).sum() }
///     fn gradient(&self, z: &[f64], r: &mut [f64]) { r.iter_mut().zip(z).for_each(|(r, z)| *r = z.powi(3)); }
///     fn curvature(&self, z: &[f64], d: &mut [f64]) { d.iter_mut().zip(z).for_each(|(d, z)| *d = 3.0 * z * z); }
///     fn derivative(&self, _i: usize, z: f64) -> Option<f64> { Some(z) }
///     fn convex(&self) -> bool { true }
/// }
/// let report = check_loss(&Quartic, &[0.5, -2.0], 1);
/// let failed: Vec<_> = report.checks().iter().filter(|c| !c.passed()).map(|c| c.name).collect();
/// assert_eq!(failed, ["derivative of one term against the gradient"]);
/// ```
pub fn check_loss<T: Scalar, L: Loss<T> + ?Sized>(loss: &L, z: &[T], seed: u64) -> Report {
    let mut report = Report::default();
    let m = z.len();
    if loss.dim() != m {
        report.record("length of z", f64::INFINITY, 0.0);
        return report;
    }
    let mut random = Random::new(seed);
    let eps = T::epsilon().as_f64();
    let (rounding, tolerance) = (1e3 * eps, 1e3 * eps.powf(2.0 / 3.0));
    let at = |z: &[T]| {
        let (mut r, mut d) = (vec![T::zero(); m], vec![T::zero(); m]);
        loss.gradient(z, &mut r);
        loss.curvature(z, &mut d);
        (loss.value(z), r, d)
    };
    let (value, r, d) = at(z);
    // a second point, on the same side of zero
    let y: Vec<T> = z
        .iter()
        .map(|v| *v * (T::one() + T::lit(0.1) * random.uniform::<T>()))
        .collect();
    let (value_y, r_y, d_y) = at(&y);
    if !value.is_finite() || !value_y.is_finite() {
        report.record("evaluation at z and near it", f64::INFINITY, 0.0);
        return report;
    }
    for i in 0..m {
        let h = T::epsilon().cbrt() * z[i].abs().max(T::one());
        let moved = |by: T| {
            let mut moved = z.to_vec();
            moved[i] += by;
            at(&moved)
        };
        let ((plus, r_plus, _), (minus, r_minus, _)) = (moved(h), moved(-h));
        let floor = T::lit(eps / tolerance) * value.abs() / h;
        let slope = T::lit(0.5) * (plus - minus) / h;
        report.record(
            "slopes against differences of the value",
            relative(slope - r[i], r[i].abs().max(floor)),
            tolerance,
        );
        // where ℓ″ jumps between the two sides, anything between their slopes
        let (above, below) = ((r_plus[i] - r[i]) / h, (r[i] - r_minus[i]) / h);
        let floor = T::lit(eps / tolerance) * r[i].abs() / h;
        let size = above.abs().max(below.abs()).max(d[i].abs()).max(floor);
        let outside = (d[i] - above.max(below)).max(above.min(below) - d[i]);
        let centred = (T::lit(0.5) * (above + below) - d[i]).abs();
        report.record(
            "curvatures against differences of the slopes",
            relative(outside.max(T::zero()).min(centred), size),
            tolerance,
        );
        let others = (0..m).filter(|k| *k != i && r_plus[*k] != r[*k]).count();
        report.record("a slope depends on its own entry only", others as f64, 0.0);
        if let Some(alone) = loss.derivative(i, z[i]) {
            report.record(
                "derivative of one term against the gradient",
                relative(alone - r[i], r[i].abs()),
                rounding,
            );
        }
    }
    let (mut b_minus_z, mut b_minus_y) = (vec![T::zero(); m], vec![T::zero(); m]);
    if loss.residual(z, &mut b_minus_z) && loss.residual(&y, &mut b_minus_y) {
        for i in 0..m {
            let b = b_minus_z[i] + z[i];
            let size = b.abs() + y[i].abs();
            report.record(
                "residual is b − z",
                relative(b_minus_y[i] + y[i] - b, size),
                rounding,
            );
            let wanted = -d[i] * b_minus_z[i];
            report.record(
                "gradient is that of the residual",
                relative(r[i] - wanted, (d[i] * size).abs()),
                rounding,
            );
        }
    }
    let is_outside = [z, &y[..]].iter().any(|v| loss.outside(v).is_some());
    report.record("z is inside the domain", f64::from(u8::from(is_outside)), 0.0);
    if loss.convex() {
        let negative = |d: &[T]| d.iter().any(|d| d.is_nan() || *d < T::zero());
        let falls =
            (0..m).any(|i| (r[i] - r_y[i]) * (z[i] - y[i]) < -T::lit(rounding) * r[i].abs() * z[i].abs());
        let wrong = negative(&d) || negative(&d_y) || falls;
        report.record("convex", f64::from(u8::from(wrong)), 0.0);
    }
    if loss.quadratic() {
        for (d, e) in d.iter().zip(&d_y) {
            report.record(
                "quadratic: constant curvature",
                relative(*d - *e, d.abs()),
                rounding,
            );
        }
    }
    if let Some(bound) = loss.curvature_bound() {
        let most = d.iter().chain(&d_y).fold(T::zero(), |m, d| m.max(*d));
        report.record(
            "curvature is within its bound",
            relative((most - bound).max(T::zero()), bound),
            rounding,
        );
    }
    if let Some(conjugate) = loss.conjugate(&r) {
        let (touching, size) = (dot(&r, z), sizes(&r, z) + value.abs() + conjugate.abs());
        report.record(
            "conjugate: equality at the gradient",
            relative(value + conjugate - touching, size),
            rounding,
        );
        let lower = dot(&r, &y) - value_y - conjugate;
        report.record(
            "conjugate: inequality of Fenchel and Young",
            relative(
                lower.max(T::zero()),
                sizes(&r, &y) + value_y.abs() + conjugate.abs(),
            ),
            rounding,
        );
    }
    for _ in 0..5 {
        let nu: Vec<T> = random.normals(m);
        if let Some(conjugate) = loss.conjugate(&nu).filter(|c| *c < T::infinity()) {
            let lower = dot(&nu, z) - value - conjugate;
            report.record(
                "conjugate: inequality of Fenchel and Young",
                relative(
                    lower.max(T::zero()),
                    sizes(&nu, z) + value.abs() + conjugate.abs(),
                ),
                rounding,
            );
        }
    }
    report
}

/// Σ |a_i b_i|
fn sizes<T: Scalar>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(a, b)| (*a * *b).abs()).sum()
}
