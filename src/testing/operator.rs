//! The check of an operator and its adjoint.

use super::{Random, Report};
use crate::Scalar;
use crate::linalg::{dot, norm2};
use crate::operators::LinearOperator;

/// Checks an operator on seeded random vectors: the adjoint identity ⟨y, A x⟩ = ⟨Aᵀ y, x⟩, linearity,
/// `apply_pair` against `apply`, and columns and column norms (where offered) against products with unit vectors.
///
/// ```
/// use reparam::testing::check_operator;
/// let report = check_operator(&nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0], 1);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_operator<T: Scalar, A: LinearOperator<T> + ?Sized>(a: &A, seed: u64) -> Report {
    let (m, n) = (a.rows(), a.columns());
    let mut random = Random::new(seed);
    let mut report = Report::default();
    let eps = T::epsilon().as_f64();
    let tolerance = 64.0 * eps * (1.0 + (m.max(n) as f64).sqrt());
    let (mut ax, mut ap, mut aq) = (vec![T::zero(); m], vec![T::zero(); m], vec![T::zero(); m]);
    let mut aty = vec![T::zero(); n];
    for _ in 0..5 {
        let (x, p, y) = (
            random.normals::<T>(n),
            random.normals::<T>(n),
            random.normals::<T>(m),
        );
        // dirty outputs: a product must overwrite, not add
        ax.fill(T::lit(3.0));
        aty.fill(T::lit(-7.0));
        a.apply(&x, &mut ax);
        a.apply_adjoint(&y, &mut aty);
        let (left, right) = (dot(&y, &ax), dot(&aty, &x));
        let size = (norm2(&y) * norm2(&ax)).max(norm2(&aty) * norm2(&x));
        report.record(
            "adjoint identity ⟨y, A x⟩ = ⟨Aᵀ y, x⟩",
            relative(left - right, size),
            tolerance,
        );
        a.apply_pair(&x, &p, &mut ap, &mut aq);
        report.record("apply_pair agrees with apply", distance(&ap, &ax), tolerance);
        let two = T::lit(2.0);
        let sum: Vec<T> = x.iter().zip(&p).map(|(s, t)| *s + two * *t).collect();
        let expected: Vec<T> = ax.iter().zip(&aq).map(|(s, t)| *s + two * *t).collect();
        a.apply(&sum, &mut ap);
        let size = norm2(&ax) + two * norm2(&aq);
        let gap: Vec<T> = ap.iter().zip(&expected).map(|(s, t)| *s - *t).collect();
        report.record("linearity", relative(norm2(&gap), size), tolerance);
    }
    let mut norms = vec![T::zero(); n];
    let has_norms = a.column_norms(&mut norms);
    let mut unit = vec![T::zero(); n];
    let mut column = vec![T::zero(); m];
    for k in 0..n.min(20) {
        let j = if n <= 20 {
            k
        } else {
            usize::try_from(random.bits() % n as u64).unwrap_or(0)
        };
        unit[j] = T::one();
        a.apply(&unit, &mut ax);
        unit[j] = T::zero();
        if has_norms {
            let c = norm2(&ax);
            report.record(
                "column norms agree with A e_j",
                relative(norms[j] - c, c),
                tolerance,
            );
        }
        if a.column(j, &mut column) {
            report.record("columns agree with A e_j", distance(&column, &ax), tolerance);
        }
    }
    report
}

/// |value| / size, 0 when both vanish.
pub(crate) fn relative<T: Scalar>(value: T, size: T) -> f64 {
    if value == T::zero() {
        0.0
    } else {
        (value.abs() / size).as_f64()
    }
}

/// ‖a − b‖ / ‖b‖, 0 when equal.
pub(crate) fn distance<T: Scalar>(a: &[T], b: &[T]) -> f64 {
    let gap: Vec<T> = a.iter().zip(b).map(|(s, t)| *s - *t).collect();
    relative(norm2(&gap), norm2(b).max(norm2(a)))
}
