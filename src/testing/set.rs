//! The check of a set.

use super::operator::relative;
use super::{Random, Report};
use crate::Scalar;
use crate::linalg::{dot, max_abs, norm2};
use crate::sets::ConstraintSet;

/// Checks a set at seeded random points z of several sizes, y a second projected point:
///
/// * P z lies in the set, P P z = P z, and ⟨z − P z, y − P z⟩ ≤ 0 (which characterises the projection onto a convex set),
/// * the natural residual is max_j |x − P(x − g)|_j, hence 0 at x = P z for g = x − z and positive elsewhere,
/// * a linear minimiser s lies in the set and ⟨g, s⟩ ≤ ⟨g, y⟩; the gap is ⟨g, x − s⟩ and never negative,
/// * a NaN in x or g never yields a number as residual, violation or gap.
///
/// What the set does not offer is left out; without a projection only the NaN checks remain, and
/// [`check_map`](super::check_map) on a map onto the set sees more. The residual is compared without a scale, and with one that is
/// the same for all coordinates.
///
/// ```
/// use reparam::{sets::BoxSet, testing::check_set};
/// let report = check_set(&BoxSet::new(vec![0.0, -1.0], vec![1.0, f64::INFINITY]).unwrap(), 1);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_set<T: Scalar, S: ConstraintSet<T> + ?Sized>(set: &S, seed: u64) -> Report {
    let mut report = Report::default();
    let mut random = Random::new(seed);
    let n = set.dim();
    let tolerance = 64.0 * T::epsilon().as_f64() * (1.0 + (n as f64).sqrt());
    for size in [1.0, 0.1, 10.0, 1e3] {
        for _ in 0..3 {
            let mut point = || -> Vec<T> {
                random
                    .normals::<T>(n)
                    .into_iter()
                    .map(|v| v * T::lit(size))
                    .collect()
            };
            let (z, mut y, g) = (point(), point(), point());
            let mut x = z.clone();
            if set.project(&mut x) && set.project(&mut y) {
                projection(set, &z, &x, &y, tolerance, &mut report);
                residual(set, &x, &y, &z, &g, tolerance, &mut report);
                linear(set, &x, &y, &g, tolerance, &mut report);
            }
            nan(set, &x, &g, &mut random, &mut report);
        }
    }
    report
}

fn difference<T: Scalar>(a: &[T], b: &[T]) -> Vec<T> {
    a.iter().zip(b).map(|(s, t)| *s - *t).collect()
}

fn projection<T: Scalar, S: ConstraintSet<T> + ?Sized>(
    set: &S,
    z: &[T],
    x: &[T],
    y: &[T],
    tolerance: f64,
    report: &mut Report,
) {
    let size = norm2(z).max(norm2(x));
    report.record("P z lies in the set", relative(set.violation(x), size), tolerance);
    let mut again = x.to_vec();
    set.project(&mut again);
    report.record(
        "P P z = P z",
        relative(norm2(&difference(&again, x)), size),
        tolerance,
    );
    let (out, along) = (difference(z, x), difference(y, x));
    let angle = dot(&out, &along);
    // both differences carry the rounding of the points
    let scale = (norm2(&out) + norm2(&along)) * size.max(norm2(y));
    let excess = if angle > T::zero() || angle.is_nan() {
        angle
    } else {
        T::zero()
    };
    report.record("⟨z − P z, y − P z⟩ ≤ 0", relative(excess, scale), tolerance);
}

fn residual<T: Scalar, S: ConstraintSet<T> + ?Sized>(
    set: &S,
    x: &[T],
    y: &[T],
    z: &[T],
    g: &[T],
    tolerance: f64,
    report: &mut Report,
) {
    let size = max_abs(z).max(max_abs(x)).max(max_abs(y)).max(max_abs(g));
    let stationary = set.natural_residual(x, &difference(x, z), None);
    report.record(
        "residual 0 at x = P z for g = x − z",
        relative(stationary, size),
        tolerance,
    );
    for (x, g) in [(x, g.to_vec()), (y, difference(y, z))] {
        compare_residual(set, x, &g, size, tolerance, report);
    }
}

/// Scales of the comparison of the residual with the projection, the same for all coordinates.
const SCALES: [f64; 2] = [0.25, 8.0];

/// The natural residual at (x, g) against c max |x − P(x − g/c²)|; x a point of the set, which has a projection.
pub(super) fn compare_residual<T: Scalar, S: ConstraintSet<T> + ?Sized>(
    set: &S,
    x: &[T],
    g: &[T],
    size: T,
    tolerance: f64,
    report: &mut Report,
) {
    let scaled = SCALES.map(|c| Some(vec![T::lit(c); x.len()]));
    for scale in [None].into_iter().chain(scaled) {
        let c = scale.as_ref().map_or_else(T::one, |c| c[0]);
        let mut moved: Vec<T> = x.iter().zip(g).map(|(x, g)| *x - *g / c / c).collect();
        set.project(&mut moved);
        let want = c * max_abs(&difference(&moved, x));
        let got = set.natural_residual(x, g, scale.as_deref());
        let name = match scale {
            None => "residual = max |x − P(x − g)|",
            Some(_) => "residual = c max |x − P(x − g/c²)|",
        };
        // rounding in x is worth c of it, in g 1/c
        let size = size * c.max(c.recip());
        report.record(name, relative(got - want, size), tolerance);
        let missed = want > T::lit(1e-3) * size && (got.is_nan() || got <= T::zero());
        report.record(
            "residual positive off the solutions",
            if missed { f64::INFINITY } else { 0.0 },
            0.0,
        );
    }
}

fn linear<T: Scalar, S: ConstraintSet<T> + ?Sized>(
    set: &S,
    x: &[T],
    y: &[T],
    g: &[T],
    tolerance: f64,
    report: &mut Report,
) {
    let mut s = vec![T::nan(); x.len()];
    let minimiser = set.minimise_linear(g, &mut s);
    if minimiser {
        let size = norm2(&s).max(norm2(x)).max(norm2(y));
        report.record(
            "the linear minimiser lies in the set",
            relative(set.violation(&s), size),
            tolerance,
        );
        for other in [x, y] {
            let gain = dot(g, &difference(&s, other));
            let excess = if gain > T::zero() || gain.is_nan() {
                gain
            } else {
                T::zero()
            };
            report.record("⟨g, s⟩ ≤ ⟨g, y⟩", relative(excess, norm2(g) * size), tolerance);
        }
    }
    if let Some(gap) = set.frank_wolfe_gap(x, g) {
        let negative = if gap.is_nan() || gap < T::zero() {
            f64::INFINITY
        } else {
            0.0
        };
        report.record("gap not negative", negative, 0.0);
        if minimiser {
            let along = difference(x, &s);
            let size = norm2(g) * norm2(&s).max(norm2(x));
            report.record(
                "gap = ⟨g, x − s⟩",
                relative(gap - dot(g, &along), size),
                tolerance,
            );
        }
    }
}

fn nan<T: Scalar, S: ConstraintSet<T> + ?Sized>(
    set: &S,
    x: &[T],
    g: &[T],
    random: &mut Random,
    report: &mut Report,
) {
    if x.is_empty() {
        return;
    }
    let k = usize::try_from(random.bits() % x.len() as u64).unwrap_or(0);
    let poisoned = |v: &[T]| {
        let mut v = v.to_vec();
        v[k] = T::nan();
        v
    };
    let (bad_x, bad_g) = (poisoned(x), poisoned(g));
    let judged = [
        Some(set.violation(&bad_x)),
        Some(set.natural_residual(&bad_x, g, None)),
        Some(set.natural_residual(x, &bad_g, None)),
        set.frank_wolfe_gap(&bad_x, g),
        set.frank_wolfe_gap(x, &bad_g),
    ];
    let certified = judged.into_iter().flatten().any(|v| !v.is_nan());
    report.record(
        "NaN is never certified",
        if certified { f64::INFINITY } else { 0.0 },
        0.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::BoxSet;

    /// A right set with one thing wrong.
    struct Wrong {
        set: BoxSet<f64>,
        what: &'static str,
    }

    impl ConstraintSet<f64> for Wrong {
        fn dim(&self) -> usize {
            self.set.dim()
        }
        fn violation(&self, x: &[f64]) -> f64 {
            self.set.violation(x)
        }
        fn natural_residual(&self, x: &[f64], g: &[f64], scale: Option<&[f64]>) -> f64 {
            let r = self.set.natural_residual(x, g, scale);
            match self.what {
                "nan" if r.is_nan() => 0.0,
                "residual" => 2.0 * r,
                _ => r,
            }
        }
        fn multipliers(&self, x: &[f64], g: &[f64], out: &mut [f64]) {
            self.set.multipliers(x, g, out);
        }
        fn project(&self, x: &mut [f64]) -> bool {
            self.set.project(x);
            if self.what == "projection" {
                x[1] = x[0].min(x[1]);
            }
            true
        }
        fn minimise_linear(&self, g: &[f64], s: &mut [f64]) -> bool {
            self.set.minimise_linear(g, s);
            if self.what == "minimiser" {
                s.swap(0, 1);
            }
            true
        }
        fn frank_wolfe_gap(&self, x: &[f64], g: &[f64]) -> Option<f64> {
            let gap = self.set.frank_wolfe_gap(x, g)?;
            Some(if self.what == "gap" { gap - 1.0 } else { gap })
        }
    }

    #[test]
    fn each_fault_is_reported_as_failed() {
        for seed in 0..10 {
            for (what, name) in [
                ("projection", "residual 0 at x = P z for g = x − z"),
                ("residual", "residual = max |x − P(x − g)|"),
                ("nan", "NaN is never certified"),
                ("minimiser", "⟨g, s⟩ ≤ ⟨g, y⟩"),
                ("gap", "gap = ⟨g, x − s⟩"),
            ] {
                let set = BoxSet::uniform(3, -1.0, 1.0).unwrap();
                let report = check_set(&Wrong { set, what }, seed);
                let found = report.checks().iter().any(|c| c.name == name && !c.passed());
                assert!(found, "{what}, seed {seed}:\n{report}");
            }
        }
    }
}
