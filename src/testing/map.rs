//! Is the map what it says?

use super::operator::{distance, relative};
use super::{Random, Report};
use crate::Scalar;
use crate::linalg::{dot, norm2};
use crate::maps::{Boundary, Ray, Reparametrization};

/// Runs the whole battery on a map at seeded random u, several sizes of it, and along seeded random directions:
///
/// * feasibility of φ(u), also for |u| from 1e-300 to 1e300 (as far as the scalar type reaches): no NaN, no infinity
///   unless φ(u) itself exceeds the number type,
/// * J v against central differences (error of order ε^{2/3}), ⟨w, J v⟩ = ⟨Jᵀ w, v⟩,
/// * the curvature against differences of Jᵀ w, and its symmetry,
/// * the diagonals against the full lifted Hessian, column by column,
/// * φ(section(x)) = x, the metric against J Jᵀ, the ray against φ(u + t d), `renormalize` against φ; each where offered.
///
/// ```
/// use reparam::{maps::Squares, testing::check_map};
/// let report = check_map(&Squares::with_lower(vec![-1.0, 2.0]).unwrap(), 3);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_map<T: Scalar, M: Reparametrization<T> + ?Sized>(map: &M, seed: u64) -> Report {
    let mut report = Report::default();
    let mut random = Random::new(seed);
    let mut c = Case::new(map);
    for size in [1.0, 0.1, 3.0, 1e-3] {
        for _ in 0..3 {
            let u: Vec<T> = random.normals::<T>(map.dim_u()).into_iter().map(|v| v * T::lit(size)).collect();
            c.derivatives(map, &u, &mut random, &mut report);
            c.section(map, &u, &mut report);
            c.extras(map, &u, &mut random, &mut report);
        }
    }
    c.extremes(map, &mut random, &mut report);
    report
}

struct Case<T> {
    eps: f64,
    differences: f64,
    rounding: f64,
    work: Vec<T>,
    x: Vec<T>,
}

impl<T: Scalar> Case<T> {
    fn new<M: Reparametrization<T> + ?Sized>(map: &M) -> Self {
        let eps = T::epsilon().as_f64();
        let size = 1.0 + (map.dim_u().max(map.dim_x()) as f64).sqrt();
        Self {
            eps,
            differences: 1e3 * eps.powf(2.0 / 3.0),
            rounding: 64.0 * eps * size,
            work: vec![T::zero(); map.scratch_len()],
            x: vec![T::zero(); map.dim_x()],
        }
    }

    fn at<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T]) -> Vec<T> {
        let mut x = vec![T::nan(); map.dim_x()];
        map.apply(u, &mut x, &mut self.work);
        x
    }

    fn vjp<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], w: &[T]) -> Vec<T> {
        let mut out = vec![T::nan(); map.dim_u()];
        map.vjp(u, w, &mut out, &mut self.work);
        out
    }

    fn jvp<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], v: &[T]) -> Vec<T> {
        let mut out = vec![T::nan(); map.dim_x()];
        map.jvp(u, v, &mut out, &mut self.work);
        out
    }

    fn derivatives<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        random: &mut Random,
        report: &mut Report,
    ) {
        let (p, n) = (map.dim_u(), map.dim_x());
        self.x = self.at(map, u);
        let size = norm2(&self.x).max(T::one());
        report.record("φ(u) lies in the set", (map.set().violation(&self.x) / size).as_f64(), self.rounding);
        let (v, v2, w) = (random.normals::<T>(p), random.normals::<T>(p), random.normals::<T>(n));
        let h = T::epsilon().cbrt() * norm2(u) / norm2(&v);
        let moved = |s: T| -> Vec<T> { u.iter().zip(&v).map(|(a, b)| *a + s * h * *b).collect() };
        let (plus, minus) = (moved(T::one()), moved(-T::one()));
        let difference = |a: &[T], b: &[T]| -> Vec<T> { a.iter().zip(b).map(|(s, t)| (*s - *t) / (h + h)).collect() };
        let (xp, xm) = (self.at(map, &plus), self.at(map, &minus));
        let jv = self.jvp(map, u, &v);
        // a difference cannot see below the rounding of φ itself, ε|x|/h
        let floor = T::lit(self.eps / self.differences) * norm2(&self.x) / h;
        let gap = difference(&xp, &xm).iter().zip(&jv).map(|(a, b)| *a - *b).collect::<Vec<_>>();
        report.record("J v against differences of φ", relative(norm2(&gap), norm2(&jv).max(floor)), self.differences);
        let jtw = self.vjp(map, u, &w);
        let scale = (norm2(&w) * norm2(&jv)).max(norm2(&jtw) * norm2(&v));
        report.record("adjoint ⟨w, J v⟩ = ⟨Jᵀ w, v⟩", relative(dot(&w, &jv) - dot(&jtw, &v), scale), self.rounding);
        let (gp, gm) = (self.vjp(map, &plus, &w), self.vjp(map, &minus, &w));
        let expected = difference(&gp, &gm);
        let (mut cv, mut cv2) = (vec![T::nan(); p], vec![T::nan(); p]);
        map.curvature(u, &w, &v, &mut cv, &mut self.work);
        map.curvature(u, &w, &v2, &mut cv2, &mut self.work);
        let floor = T::lit(self.eps / self.differences) * norm2(&jtw) / h;
        let gap = expected.iter().zip(&cv).map(|(a, b)| *a - *b).collect::<Vec<_>>();
        report.record(
            "curvature against differences of Jᵀ w",
            relative(norm2(&gap), norm2(&cv).max(floor)),
            self.differences,
        );
        let scale = norm2(&cv) * norm2(&v2) + norm2(&cv2) * norm2(&v);
        // loose, since the default curvature is a difference itself
        report.record(
            "curvature symmetric",
            relative(dot(&v2, &cv) - dot(&v, &cv2), scale.max(floor * norm2(&v) * norm2(&v2))),
            self.differences,
        );
        self.diagonals(map, u, &w, random, report);
    }

    fn diagonals<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        w: &[T],
        random: &mut Random,
        report: &mut Report,
    ) {
        let (p, n) = (map.dim_u(), map.dim_x());
        let h: Vec<T> = (0..n).map(|_| random.uniform::<T>() + T::lit(0.1)).collect();
        let (mut gauss_newton, mut curved) = (vec![T::nan(); p], vec![T::nan(); p]);
        if !map.diagonals(u, &h, w, &mut gauss_newton, &mut curved, &mut self.work) {
            return;
        }
        let (mut unit, mut cv) = (vec![T::zero(); p], vec![T::zero(); p]);
        let (mut want_gn, mut want_curved) = (vec![T::zero(); p], vec![T::zero(); p]);
        let mut size = T::zero();
        for k in 0..p {
            unit[k] = T::one();
            let jk = self.jvp(map, u, &unit);
            map.curvature(u, w, &unit, &mut cv, &mut self.work);
            unit[k] = T::zero();
            want_gn[k] = jk.iter().zip(&h).map(|(a, b)| *a * *a * *b).sum();
            want_curved[k] = cv[k];
            size = size.max(norm2(&cv));
        }
        let tolerance = self.rounding * 4.0;
        report.record("diagonal of Jᵀ diag(h) J", distance(&gauss_newton, &want_gn), tolerance);
        let gap: Vec<T> = curved.iter().zip(&want_curved).map(|(a, b)| *a - *b).collect();
        report.record("diagonal of the curvature", relative(norm2(&gap), size.max(norm2(&want_curved))), tolerance);
    }

    fn section<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], report: &mut Report) {
        let x = self.at(map, u);
        let mut back = vec![T::nan(); map.dim_u()];
        if map.section(&x, Boundary::Exact, &mut back).is_ok() {
            let again = self.at(map, &back);
            report.record("φ(section(x)) = x", distance(&again, &x), self.rounding);
        }
    }

    fn extras<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        random: &mut Random,
        report: &mut Report,
    ) {
        let (p, n) = (map.dim_u(), map.dim_x());
        let x = self.at(map, u);
        let g = random.normals::<T>(n);
        let mut out = vec![T::nan(); n];
        // a map that ignores the size of u has its metric at the representative of `renormalize`
        let mut r = u.to_vec();
        map.renormalize(&mut r);
        if map.metric(&x, &g, &mut out) {
            let jtg = self.vjp(map, &r, &g);
            let want = self.jvp(map, &r, &jtg);
            let size = norm2(&want).max(norm2(&out));
            let gap: Vec<T> = out.iter().zip(&want).map(|(a, b)| *a - *b).collect();
            // x itself carries an error ε|x| (an offset can be far larger than what the metric depends on)
            let size = size.max(norm2(&x) * norm2(&g));
            report.record("metric = J Jᵀ", relative(norm2(&gap), size), self.rounding);
        }
        let d = random.normals::<T>(p);
        let (mut lin, mut quad) = (vec![T::nan(); n], vec![T::nan(); n]);
        let ray = map.ray(u, &d, &mut lin, &mut quad);
        if !matches!(ray, Ray::General) {
            for t in [T::lit(0.3), T::lit(-1.7), T::lit(5.0)] {
                let moved: Vec<T> = u.iter().zip(&d).map(|(a, b)| *a + t * *b).collect();
                let want = self.at(map, &moved);
                let (w0, w) = match ray {
                    Ray::Rational(o) => (o[0], o[0] + t * (o[1] + t * o[2])),
                    _ => (T::one(), T::one()),
                };
                let got: Vec<T> = (0..n).map(|i| (w0 * x[i] + t * (lin[i] + t * quad[i])) / w).collect();
                // the terms cancel: measure against their sizes
                let size = (w0 * norm2(&x) + t.abs() * (norm2(&lin) + t.abs() * norm2(&quad))) / w.abs();
                let gap: Vec<T> = got.iter().zip(&want).map(|(a, b)| *a - *b).collect();
                report.record("ray against φ(u + t d)", relative(norm2(&gap), size.max(norm2(&want))), self.rounding);
            }
        }
        let again = self.at(map, &r);
        report.record("renormalize leaves φ(u) as it is", distance(&again, &x), self.rounding);
    }

    /// u of every size: nothing may turn NaN, and what is finite must be feasible.
    fn extremes<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, random: &mut Random, report: &mut Report) {
        let sizes: &[f64] = if T::max_value().as_f64() > 1e300 {
            &[1e-300, 1e-160, 1e-30, 1e-8, 1e4, 1e8, 1e30, 1e100, 1e150, 1e300]
        } else {
            &[1e-38, 1e-20, 1e-8, 1e4, 1e8, 1e18, 1e38]
        };
        let huge = T::max_value();
        for size in sizes {
            let u: Vec<T> = random.normals::<T>(map.dim_u()).into_iter().map(|v| v * T::lit(*size)).collect();
            let x = self.at(map, &u);
            let nan = x.iter().any(|v| v.is_nan());
            report.record("no NaN at extreme u", if nan { f64::INFINITY } else { 0.0 }, 0.0);
            if x.iter().all(|v| v.is_finite()) {
                let scale = norm2(&x).max(T::one());
                let violation = map.set().violation(&x);
                let relative = if violation.is_nan() { f64::NAN } else { (violation.min(huge) / scale).as_f64() };
                report.record("φ(u) lies in the set at extreme u", relative, self.rounding);
            }
        }
    }
}
