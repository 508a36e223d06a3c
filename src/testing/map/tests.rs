//! Faults put in on purpose are found.

use super::*;
use crate::MapError;
use crate::maps::{Bounds, Landscape, Squares, Trigonometric};
use crate::sets::ConstraintSet;

/// A right map with one thing wrong: by a factor 1.001 in the last coordinate, the smallest one.
struct Wrong<M> {
    map: M,
    what: &'static str,
}

fn spoil(out: &mut [f64], yes: bool) {
    if let (true, Some(last)) = (yes, out.last_mut()) {
        *last *= 1.001;
    }
}

impl<M: Reparametrization<f64>> Reparametrization<f64> for Wrong<M> {
    fn dim_u(&self) -> usize {
        self.map.dim_u()
    }
    fn dim_x(&self) -> usize {
        self.map.dim_x()
    }
    fn set(&self) -> &dyn ConstraintSet<f64> {
        self.map.set()
    }
    fn landscape(&self) -> Landscape {
        self.map.landscape()
    }
    fn apply(&self, u: &[f64], x: &mut [f64], work: &mut [f64]) {
        self.map.apply(u, x, work);
        if self.what == "set" {
            x[0] = -1e-9;
        }
    }
    fn jvp(&self, u: &[f64], v: &[f64], jv: &mut [f64], work: &mut [f64]) {
        self.map.jvp(u, v, jv, work);
        spoil(jv, self.what == "jvp" || self.what == "both");
    }
    fn vjp(&self, u: &[f64], w: &[f64], jtw: &mut [f64], work: &mut [f64]) {
        self.map.vjp(u, w, jtw, work);
        spoil(jtw, self.what == "vjp" || self.what == "both");
    }
    fn curvature(&self, u: &[f64], w: &[f64], v: &[f64], out: &mut [f64], work: &mut [f64]) {
        self.map.curvature(u, w, v, out, work);
        spoil(out, self.what == "curvature");
    }
    fn diagonals(
        &self,
        u: &[f64],
        h: &[f64],
        w: &[f64],
        gn: &mut [f64],
        curved: &mut [f64],
        k: &mut [f64],
    ) -> bool {
        let offered = self.map.diagonals(u, h, w, gn, curved, k);
        spoil(gn, self.what == "gauss-newton");
        spoil(curved, self.what == "curved");
        offered
    }
    fn section(
        &self,
        x: &[f64],
        boundary: Boundary<f64>,
        u: &mut [f64],
        work: &mut [f64],
    ) -> Result<(), MapError> {
        self.map.section(x, boundary, u, work)?;
        spoil(u, self.what == "section");
        Ok(())
    }
    fn metric(&self, x: &[f64], g: &[f64], out: &mut [f64], work: &mut [f64]) -> bool {
        let offered = self.map.metric(x, g, out, work);
        spoil(out, self.what == "metric");
        offered
    }
    fn ray(&self, u: &[f64], d: &[f64], lin: &mut [f64], quad: &mut [f64], work: &mut [f64]) -> Ray<f64> {
        let ray = self.map.ray(u, d, lin, quad, work);
        spoil(quad, self.what == "ray");
        ray
    }
    fn release(&self, u: &[f64], x: &[f64], g: &[f64], h: &[f64], du: &mut [f64], work: &mut [f64]) -> usize {
        let released = self.map.release(u, x, g, h, du, work);
        if self.what == "release" {
            du.fill(0.0);
        }
        released
    }
    fn renormalize(&self, u: &mut [f64]) {
        spoil(u, self.what == "renormalize");
    }
}

fn failures<M: Reparametrization<f64>>(map: M, what: &'static str, seed: u64) -> Vec<&'static str> {
    let report = check_map(&Wrong { map, what }, seed);
    report
        .checks()
        .iter()
        .filter(|c| !c.passed())
        .map(|c| c.name)
        .collect()
}

#[test]
fn each_fault_is_reported_as_failed_and_nothing_else() {
    let expected: &[(&'static str, &[&str])] = &[
        ("nothing", &[]),
        ("jvp", &["J v against", "adjoint"]),
        ("vjp", &["adjoint", "curvature against"]),
        ("both", &["J v against"]),
        ("curvature", &["curvature against"]),
        ("gauss-newton", &["diagonal of Jᵀ"]),
        ("curved", &["diagonal of the curvature"]),
        ("section", &["section(x)"]),
        ("renormalize", &["renormalize"]),
    ];
    for seed in 0..20 {
        for (what, names) in expected {
            // coordinates of like size, and of sizes that a norm over all would drown
            let like = Squares::new(3);
            let unlike = Bounds::new(vec![0.0, -1e10, 0.0], vec![f64::INFINITY, 1e10, 1e-3]).unwrap();
            for failed in [failures(like, what, seed), failures(unlike, what, seed)] {
                for name in *names {
                    assert!(
                        failed.iter().any(|f| f.contains(name)),
                        "{what}: {name} not among {failed:?}"
                    );
                }
                assert!(!names.is_empty() || failed.is_empty(), "{failed:?}");
            }
        }
        // what is judged against the size of all of x: like sizes only
        assert!(failures(Squares::new(3), "set", seed).contains(&"φ(u) lies in the set"));
        assert!(failures(Squares::new(3), "metric", seed).contains(&"metric = J Jᵀ"));
        assert!(failures(Squares::new(3), "ray", seed).contains(&"ray against φ(u + t d)"));
        let at_face = Trigonometric::uniform(6, 0.0, 1.0).unwrap();
        assert!(failures(at_face, "release", seed).contains(&"a release leads down"));
    }
}

#[test]
fn a_failed_report_says_so() {
    let text = check_map(
        &Wrong {
            map: Squares::new(2),
            what: "jvp",
        },
        1,
    )
    .into_result()
    .unwrap_err()
    .to_string();
    assert!(text.contains("FAILED J v against differences of φ"), "{text}");
    assert!(text.contains("ok     φ(u) lies in the set"), "{text}");
}

/// The set of `Squares::new(3)` with a natural residual that is wrong.
struct Lying {
    map: Squares<f64>,
    /// What takes the place of the right one.
    residual: fn(f64) -> f64,
    /// Whether the last coordinate is left out.
    forgetful: bool,
    projects: bool,
}

impl ConstraintSet<f64> for Lying {
    fn dim(&self) -> usize {
        3
    }
    fn violation(&self, x: &[f64]) -> f64 {
        self.map.set().violation(x)
    }
    fn natural_residual(&self, x: &[f64], g: &[f64], scale: Option<&[f64]>) -> f64 {
        let g = if self.forgetful {
            [g[0], g[1], 0.0]
        } else {
            [g[0], g[1], g[2]]
        };
        let right = self.map.set().natural_residual(x, &g, scale);
        if right.is_nan() {
            right
        } else {
            (self.residual)(right)
        }
    }
    fn multipliers(&self, x: &[f64], g: &[f64], out: &mut [f64]) {
        self.map.set().multipliers(x, g, out);
    }
    fn project(&self, x: &mut [f64]) -> bool {
        self.projects && self.map.set().project(x)
    }
}

impl Reparametrization<f64> for Lying {
    fn dim_u(&self) -> usize {
        3
    }
    fn dim_x(&self) -> usize {
        3
    }
    fn set(&self) -> &dyn ConstraintSet<f64> {
        self
    }
    fn apply(&self, u: &[f64], x: &mut [f64], work: &mut [f64]) {
        self.map.apply(u, x, work);
    }
    fn jvp(&self, u: &[f64], v: &[f64], jv: &mut [f64], work: &mut [f64]) {
        self.map.jvp(u, v, jv, work);
    }
    fn vjp(&self, u: &[f64], w: &[f64], jtw: &mut [f64], work: &mut [f64]) {
        self.map.vjp(u, w, jtw, work);
    }
}

#[test]
fn a_set_that_lies_is_found_by_the_check_of_its_map() {
    let names = |residual: fn(f64) -> f64, forgetful, projects, seed| -> Vec<&'static str> {
        let lying = Lying {
            map: Squares::new(3),
            residual,
            forgetful,
            projects,
        };
        let report = check_map(&lying, seed);
        let failed = report.checks().iter().filter(|c| !c.passed());
        failed.map(|c| c.name).collect()
    };
    for seed in 0..20 {
        let downhill = "residual not 0 where Jᵀ g ≠ 0";
        let compared = "residual = max |x − P(x − g)|";
        assert!(names(|r| r, false, true, seed).is_empty());
        assert!(names(|r| r, false, false, seed).is_empty());
        assert_eq!(names(|_| 0.0, false, false, seed), [downhill]);
        assert!(names(|_| 0.0, false, true, seed).contains(&downhill));
        assert_eq!(names(|r| r, true, false, seed), [downhill]);
        // too small by a factor: only a projection can tell
        assert!(names(|r| 1e-9 * r, false, true, seed).contains(&compared));
    }
}
