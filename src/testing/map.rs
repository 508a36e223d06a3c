//! The check of a map.

use super::operator::relative;
use super::set::compare_residual;
use super::{Random, Report};
use crate::Scalar;
use crate::linalg::{dot, max_or_nan, norm2};
use crate::maps::{Boundary, Ray, Reparametrization};

/// Runs the whole battery on a map at seeded random u, several sizes of it:
///
/// * feasibility of φ(u), also for |u| from 1e-300 to 1e300 (as far as the scalar type reaches): no NaN in φ, nor
///   (for less extreme u) in J v and Jᵀ w,
/// * J v against central differences (error of order ε^{2/3}), ⟨w, J v⟩ = ⟨Jᵀ w, v⟩,
/// * the curvature against differences of Jᵀ w, and its symmetry,
/// * the diagonals against the full lifted Hessian, column by column,
/// * φ(section(x)) = x, the metric against J Jᵀ, the ray against φ(u + t d), `renormalize` against φ; each where offered,
/// * what the set says of φ(u): its natural residual is not 0 where Jᵀ g ≠ 0 (u could move downhill), and is
///   c max_j |x − P(x − g/c²)|_j where the set is convex and has a projection,
/// * at points of the boundary (projections of far points, where the set has a projection): φ(section(x)) = x under the
///   policies, and that a release is a step along which the quadratic model it was made from decreases.
///
/// Directions are random ones and unit vectors: along a unit vector, an error in a small coordinate does not hide behind a large one.
/// Scratch is handed over full of NaN, as are outputs. A set of your own has a battery of its own too,
/// [`check_set`](super::check_set).
///
/// ```
/// use reparam::{maps::Squares, testing::check_map};
/// let report = check_map(&Squares::with_lower(vec![-1.0, 2.0]).unwrap(), 3);
/// assert!(report.passed(), "{report}");
/// ```
pub fn check_map<T: Scalar, M: Reparametrization<T> + ?Sized>(map: &M, seed: u64) -> Report {
    let mut report = Report::default();
    let mut random = Random::new(seed);
    let (p, n) = (map.dim_u(), map.dim_x());
    let agrees = map.set().dim() == n;
    report.record(
        "the set has the dimension of x",
        if agrees { 0.0 } else { f64::INFINITY },
        0.0,
    );
    if !agrees {
        return report;
    }
    let mut c = Case::new(map);
    let points: Vec<Vec<T>> = [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 3.0, 3.0, 3.0, 1e-3, 1e-3, 1e-3]
        .iter()
        .map(|size| {
            random
                .normals::<T>(p)
                .into_iter()
                .map(|v| v * T::lit(*size))
                .collect()
        })
        .collect();
    for u in &points {
        let x = c.at(map, u);
        for (t, v) in c.typical.iter_mut().zip(&x) {
            *t = t.max(v.abs());
        }
    }
    for u in &points {
        let (v, w) = (random.normals::<T>(p), random.normals::<T>(n));
        let v2 = random.normals::<T>(p);
        c.derivatives(map, u, &v, &v2, &w, &mut report);
        for _ in 0..p.min(4) {
            let mut unit = vec![T::zero(); p];
            unit[usize::try_from(random.bits() % p as u64).unwrap_or(0)] = T::one();
            c.derivatives(map, u, &unit, &v2, &w, &mut report);
        }
        c.diagonals(map, u, &w, &mut random, &mut report);
        c.stationarity(map, u, &w, &mut random, &mut report);
        c.section(map, u, &mut report);
        c.extras(map, u, &mut random, &mut report);
    }
    c.boundary(map, &mut random, &mut report);
    c.extremes(map, &mut random, &mut report);
    report
}

/// The entries of x whose derivative is not zero.
fn touched<T: Scalar>(x: &[T], derivative: &[T]) -> Vec<T> {
    x.iter()
        .zip(derivative)
        .map(|(a, d)| if *d == T::zero() { *d } else { *a })
        .collect()
}

/// What of an error exceeds the noise; NaN stays.
fn above(error: f64, noise: f64) -> f64 {
    if error <= noise { 0.0 } else { error - noise }
}

/// Σ |aᵢ bᵢ|.
fn terms<T: Scalar>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(s, t)| (*s * *t).abs()).sum()
}

/// ‖a − b‖.
fn gap<T: Scalar>(a: &[T], b: &[T]) -> T {
    norm2(&a.iter().zip(b).map(|(s, t)| *s - *t).collect::<Vec<_>>())
}

struct Case<T> {
    eps: f64,
    size: f64,
    differences: f64,
    rounding: f64,
    work: Vec<T>,
    /// The largest size each coordinate of x had.
    typical: Vec<T>,
}

impl<T: Scalar> Case<T> {
    fn new<M: Reparametrization<T> + ?Sized>(map: &M) -> Self {
        let eps = T::epsilon().as_f64();
        let size = 1.0 + (map.dim_u().max(map.dim_x()) as f64).sqrt();
        Self {
            eps,
            size,
            differences: 1e3 * eps.powf(2.0 / 3.0),
            rounding: 64.0 * eps * size,
            work: vec![T::nan(); map.scratch_len()],
            typical: vec![T::zero(); map.dim_x()],
        }
    }

    /// Scratch with the worst contents there are.
    fn dirty(&mut self) -> &mut [T] {
        self.work.fill(T::nan());
        &mut self.work
    }

    fn at<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T]) -> Vec<T> {
        let mut x = vec![T::nan(); map.dim_x()];
        map.apply(u, &mut x, self.dirty());
        x
    }

    fn vjp<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], w: &[T]) -> Vec<T> {
        let mut out = vec![T::nan(); map.dim_u()];
        map.vjp(u, w, &mut out, self.dirty());
        out
    }

    fn jvp<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], v: &[T]) -> Vec<T> {
        let mut out = vec![T::nan(); map.dim_x()];
        map.jvp(u, v, &mut out, self.dirty());
        out
    }

    /// The largest deviation of x from `want`, relative to what the coordinate is like or, if smaller, to the whole of x.
    fn deviation(&self, x: &[T], want: &[T]) -> f64 {
        let size = norm2(want);
        let each = x.iter().zip(want).zip(&self.typical);
        let worst = max_or_nan(each.map(|((a, b), t)| {
            let gap = (*a - *b).abs();
            if gap == T::zero() {
                gap
            } else {
                gap / t.min(size).max(b.abs())
            }
        }));
        worst.as_f64()
    }

    /// What the rounding of u, an ulp or two, does to φ(u) as a deviation: no u represents x better than that.
    fn conditioning<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T]) -> f64 {
        let x = self.at(map, u);
        let mut noise = 0.0_f64;
        for signs in [[2.0, -2.0], [-2.0, 2.0]] {
            let near: Vec<T> = u
                .iter()
                .enumerate()
                .map(|(k, v)| *v + T::lit(signs[k % 2]) * T::epsilon() * *v)
                .collect();
            let moved = self.at(map, &near);
            // a NaN here is reported by the check itself
            noise = noise.max(self.deviation(&moved, &x));
        }
        if noise.is_finite() { noise } else { 0.0 }
    }

    /// The largest deviation of x from `want`, relative to the largest of what the coordinate is and was like, and `floor`.
    fn far_deviation(&self, x: &[T], want: &[T], floor: T) -> f64 {
        let each = x.iter().zip(want).zip(&self.typical);
        let worst = max_or_nan(each.map(|((a, b), t)| {
            let gap = (*a - *b).abs();
            if gap == T::zero() {
                gap
            } else {
                gap / t.max(b.abs()).max(floor)
            }
        }));
        worst.as_f64()
    }

    fn derivatives<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        v: &[T],
        v2: &[T],
        w: &[T],
        report: &mut Report,
    ) {
        let p = map.dim_u();
        let x = self.at(map, u);
        let size = norm2(&x).max(T::one());
        report.record(
            "φ(u) lies in the set",
            (map.set().violation(&x) / size).as_f64(),
            self.rounding,
        );
        // a step in proportion to the part of u that moves
        let moving: Vec<T> = u
            .iter()
            .zip(v)
            .map(|(a, d)| if *d == T::zero() { *d } else { *a })
            .collect();
        let proportion = norm2(&moving) / norm2(v);
        let h = T::epsilon().cbrt()
            * if proportion > T::zero() {
                proportion
            } else {
                T::one()
            };
        let moved = |s: T| -> Vec<T> { u.iter().zip(v).map(|(a, b)| *a + s * h * *b).collect() };
        let steps = [T::one(), -T::one(), T::lit(2.0), T::lit(-2.0)].map(moved);
        // the central difference, and how far it is from the one with twice the step: its own error, and more
        let central = |values: [Vec<T>; 4]| -> (Vec<T>, T) {
            let [a, b, c, d] = &values;
            let slope = |a: &[T], b: &[T], h: T| -> Vec<T> {
                a.iter().zip(b).map(|(s, t)| (*s - *t) / (h + h)).collect()
            };
            let (near, far) = (slope(a, b, h), slope(c, d, h + h));
            let error = gap(&near, &far);
            (near, error)
        };
        let excess = |gap: T, error: T| if gap <= error { T::zero() } else { gap - error };
        let eps = 4.0 * self.eps / self.differences;
        // a difference cannot see below the rounding of what it subtracts, a few ε|x|/h; entries that neither move nor
        // should contribute no rounding
        let floor = |values: &[T], expected: &[T], claimed: &[T]| -> T {
            let seen = values.iter().zip(expected.iter().zip(claimed));
            let seen: Vec<T> = seen
                .map(|(a, (e, c))| {
                    if *e == T::zero() && *c == T::zero() {
                        T::zero()
                    } else {
                        *a
                    }
                })
                .collect();
            T::lit(eps) * norm2(&seen) / h
        };

        let (expected, error) = central(steps.each_ref().map(|u| self.at(map, u)));
        let jv = self.jvp(map, u, v);
        // near a zero of φ its rounding is that of its terms, up to the size x typically has
        let terms_of_x: Vec<T> = x
            .iter()
            .zip(&self.typical)
            .map(|(a, t)| a.abs().max(t.min(T::one())))
            .collect();
        let size = norm2(&jv).max(floor(&terms_of_x, &expected, &jv));
        let off = excess(gap(&expected, &jv), error);
        report.record(
            "J v against differences of φ",
            relative(off, size),
            self.differences,
        );

        let jtw = self.vjp(map, u, w);
        // entries of J are differences of terms like x/u: where they cancel, only the rounding of those is left
        let cancelled =
            T::lit(1.0 / 8.0 / self.size) * norm2(v) / norm2(&moving) * terms(w, &touched(&x, &jv));
        let scale = terms(w, &jv).max(terms(&jtw, v)).max(cancelled);
        report.record(
            "adjoint ⟨w, J v⟩ = ⟨Jᵀ w, v⟩",
            relative(dot(w, &jv) - dot(&jtw, v), scale),
            self.rounding,
        );

        let (expected, error) = central(steps.each_ref().map(|u| self.vjp(map, u, w)));
        let (mut cv, mut cv2) = (vec![T::nan(); p], vec![T::nan(); p]);
        map.curvature(u, w, v, &mut cv, self.dirty());
        map.curvature(u, w, v2, &mut cv2, self.dirty());
        let floor = floor(&jtw, &expected, &cv);
        report.record(
            "curvature against differences of Jᵀ w",
            relative(excess(gap(&expected, &cv), error), norm2(&cv).max(floor)),
            self.differences,
        );
        let scale = norm2(&cv) * norm2(v2) + norm2(&cv2) * norm2(v);
        // loose, since the default curvature is a difference itself
        report.record(
            "curvature symmetric",
            relative(
                dot(v2, &cv) - dot(v, &cv2),
                scale.max(floor * norm2(v) * norm2(v2)),
            ),
            self.differences,
        );
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
        if !map.diagonals(u, &h, w, &mut gauss_newton, &mut curved, self.dirty()) {
            return;
        }
        let (mut unit, mut cv) = (vec![T::zero(); p], vec![T::zero(); p]);
        let (x, tolerance) = (self.at(map, u), self.rounding * 4.0);
        for k in 0..p {
            unit[k] = T::one();
            let column = self.jvp(map, u, &unit);
            map.curvature(u, w, &unit, &mut cv, self.dirty());
            unit[k] = T::zero();
            // where terms cancel, the rounding of x/u and x/u² is left
            let x_over_u: Vec<T> = touched(&x, &column).iter().map(|a| *a / u[k]).collect();
            let square = |v: &[T]| -> T { v.iter().zip(&h).map(|(a, b)| *a * *a * *b).sum() };
            let (want, size) = (square(&column), square(&column).max(square(&x_over_u)));
            report.record(
                "diagonal of Jᵀ diag(h) J",
                relative(gauss_newton[k] - want, size),
                tolerance,
            );
            let cancelled: T = x_over_u.iter().zip(w).map(|(a, b)| (*a * *b / u[k]).abs()).sum();
            let size = norm2(&cv).max(cancelled);
            report.record(
                "diagonal of the curvature",
                relative(curved[k] - cv[k], size),
                tolerance,
            );
        }
    }

    /// A point that is stationary in x is stationary in u: a set that calls φ(u) stationary where a step against Jᵀ g lowers ⟨g, x⟩ is
    /// wrong.
    fn stationarity<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        w: &[T],
        random: &mut Random,
        report: &mut Report,
    ) {
        let (n, set) = (map.dim_x(), map.set());
        if n == 0 {
            return;
        }
        let x = self.at(map, u);
        let mut unit = vec![T::zero(); n];
        // one coordinate alone: a set that forgets one is found too
        unit[usize::try_from(random.bits() % n as u64).unwrap_or(0)] = T::one();
        let down: Vec<T> = unit.iter().map(|v| -*v).collect();
        for g in [w, &unit, &down] {
            let jtg = self.vjp(map, u, g);
            // a step against Jᵀ g of a part of u; ⟨g, x⟩ must fall by more than rounding of x may hide
            let sizes: Vec<T> = x
                .iter()
                .zip(&self.typical)
                .map(|(x, t)| x.abs().max(*t))
                .collect();
            let rounding = T::lit(1e3) * T::epsilon() * terms(g, &sizes);
            let length = norm2(u) / norm2(&jtg);
            let moves = [1.0, 0.1, 0.01].iter().any(|part| {
                let step = T::lit(*part) * length;
                let lower: Vec<T> = u.iter().zip(&jtg).map(|(u, d)| *u - step * *d).collect();
                let y = self.at(map, &lower);
                let fall: T = (0..n).map(|j| g[j] * (x[j] - y[j])).sum();
                step.is_finite() && fall > rounding
            });
            let rho = set.natural_residual(&x, g, None);
            report.record(
                "residual not 0 where Jᵀ g ≠ 0",
                if moves && (rho.is_nan() || rho <= T::zero()) {
                    f64::INFINITY
                } else {
                    0.0
                },
                0.0,
            );
        }
        let mut offered = x.clone();
        if set.is_convex() && set.project(&mut offered) {
            let size = max_or_nan(x.iter().chain(w).map(|v| v.abs()));
            let slack = self.rounding;
            compare_residual(set, &x, w, size, slack, report);
        }
    }

    fn section<M: Reparametrization<T> + ?Sized>(&mut self, map: &M, u: &[T], report: &mut Report) {
        let x = self.at(map, u);
        let mut back = vec![T::nan(); map.dim_u()];
        if map.section(&x, Boundary::Exact, &mut back, self.dirty()).is_ok() {
            let again = self.at(map, &back);
            let excess = above(self.deviation(&again, &x), self.conditioning(map, &back));
            report.record("φ(section(x)) = x", excess, self.rounding);
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
        if map.metric(&x, &g, &mut out, self.dirty()) {
            let jtg = self.vjp(map, &r, &g);
            let want = self.jvp(map, &r, &jtg);
            let gap: Vec<T> = out.iter().zip(&want).map(|(a, b)| *a - *b).collect();
            // x itself is rounded: what an ulp or two of it do to the metric is no error of the metric
            let mut noise = T::zero();
            for signs in [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]] {
                let near: Vec<T> = (0..n)
                    .map(|i| {
                        x[i] + T::lit(4.0 * signs[i % 2]) * T::epsilon() * x[i].abs().max(self.typical[i])
                    })
                    .collect();
                let mut moved = vec![T::nan(); n];
                map.metric(&near, &g, &mut moved, self.dirty());
                noise = noise.max(norm2(
                    &moved.iter().zip(&out).map(|(a, b)| *a - *b).collect::<Vec<_>>(),
                ));
            }
            let excess = norm2(&gap) - noise;
            let excess = if excess < T::zero() { T::zero() } else { excess };
            report.record(
                "metric = J Jᵀ",
                relative(excess, norm2(&want).max(norm2(&out))),
                self.rounding,
            );
        }
        let d = random.normals::<T>(p);
        let (mut lin, mut quad) = (vec![T::nan(); n], vec![T::nan(); n]);
        let ray = map.ray(u, &d, &mut lin, &mut quad, self.dirty());
        if !matches!(ray, Ray::General) {
            for t in [T::lit(0.3), T::lit(-1.7), T::lit(5.0)] {
                let moved: Vec<T> = u.iter().zip(&d).map(|(a, b)| *a + t * *b).collect();
                let want = self.at(map, &moved);
                let (w0, w) = match ray {
                    Ray::Rational(o) => (o[0], o[0] + t * (o[1] + t * o[2])),
                    _ => (T::one(), T::one()),
                };
                let got: Vec<T> = (0..n)
                    .map(|i| (w0 * x[i] + t * (lin[i] + t * quad[i])) / w)
                    .collect();
                // the terms cancel: measure against their sizes
                let size = (w0 * norm2(&x) + t.abs() * (norm2(&lin) + t.abs() * norm2(&quad))) / w.abs();
                // and x may be a difference of numbers of the size it typically has
                let size = size.max(norm2(&self.typical));
                let gap: Vec<T> = got.iter().zip(&want).map(|(a, b)| *a - *b).collect();
                report.record(
                    "ray against φ(u + t d)",
                    relative(norm2(&gap), size.max(norm2(&want))),
                    self.rounding,
                );
            }
        }
        let again = self.at(map, &r);
        let excess = above(self.deviation(&again, &x), self.conditioning(map, &r));
        report.record("renormalize leaves φ(u) as it is", excess, self.rounding);
    }

    /// Points on the boundary, where the set can produce them.
    fn boundary<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        random: &mut Random,
        report: &mut Report,
    ) {
        let (p, n) = (map.dim_u(), map.dim_x());
        for size in [1.0, 10.0, 1e3] {
            let mut x: Vec<T> = random
                .normals::<T>(n)
                .into_iter()
                .map(|v| v * T::lit(size))
                .collect();
            if !map.set().project(&mut x) {
                return;
            }
            let mut u = vec![T::nan(); p];
            if map
                .section(&x, Boundary::Nudge(T::epsilon()), &mut u, self.dirty())
                .is_ok()
            {
                let again = self.at(map, &u);
                let name = "φ(section(x)) = x for x on the boundary, nudged by ε";
                report.record(name, self.far_deviation(&again, &x, T::one()), self.rounding);
            }
            if map.section(&x, Boundary::Exact, &mut u, self.dirty()).is_err() {
                continue; // never reached, or refused for the rounding of x
            }
            let x_of_u = self.at(map, &u);
            let deviation = self.far_deviation(&x_of_u, &x, T::zero());
            report.record(
                "φ(section(x)) = x for x on the boundary",
                deviation,
                self.rounding,
            );
            self.release(map, &u, &x_of_u, random, report);
        }
    }

    /// A release must be a way down of ⟨g, y − x⟩ + ½ Σ h (y − x)² with the g and h it was made from.
    fn release<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        u: &[T],
        x: &[T],
        random: &mut Random,
        report: &mut Report,
    ) {
        let (p, n) = (map.dim_u(), map.dim_x());
        let g = random.normals::<T>(n);
        let h: Vec<T> = (0..n).map(|_| random.uniform::<T>() + T::lit(0.1)).collect();
        let mut du = vec![T::nan(); p];
        if map.release(u, x, &g, &h, &mut du, self.dirty()) == 0 {
            return;
        }
        let mut t = T::one();
        let descends = (0..40).any(|_| {
            let moved: Vec<T> = u.iter().zip(&du).map(|(a, d)| *a + t * *d).collect();
            let y = self.at(map, &moved);
            t *= T::lit(0.5);
            let step = |i: usize| y[i] - x[i];
            (0..n)
                .map(|i| step(i) * (g[i] + T::lit(0.5) * h[i] * step(i)))
                .sum::<T>()
                < T::zero()
        });
        report.record(
            "a release leads down",
            if descends { 0.0 } else { f64::INFINITY },
            0.0,
        );
    }

    /// u of every size: nothing may turn NaN, and what is finite must be feasible.
    fn extremes<M: Reparametrization<T> + ?Sized>(
        &mut self,
        map: &M,
        random: &mut Random,
        report: &mut Report,
    ) {
        let sizes: &[f64] = if T::max_value().as_f64() > 1e300 {
            &[1e-300, 1e-160, 1e-30, 1e-8, 1e4, 1e8, 1e30, 1e100, 1e150, 1e300]
        } else {
            &[1e-37, 1e-20, 1e-8, 1e4, 1e8, 1e18, 1e36]
        };
        let huge = T::max_value();
        let moderate = if huge.as_f64() > 1e300 { 1e30 } else { 1e18 };
        for size in sizes {
            let u = random.normals::<T>(map.dim_u()).into_iter();
            let u: Vec<T> = u.map(|v| (v * T::lit(*size)).max(-huge).min(huge)).collect();
            let x = self.at(map, &u);
            let poisoned = |v: &[T]| {
                if v.iter().any(|a| a.is_nan()) {
                    f64::INFINITY
                } else {
                    0.0
                }
            };
            report.record("no NaN in φ(u) at extreme u", poisoned(&x), 0.0);
            if x.iter().all(|v| v.is_finite()) {
                let scale = norm2(&x).max(T::one());
                let violation = map.set().violation(&x);
                let relative = if violation.is_nan() {
                    f64::NAN
                } else {
                    (violation.min(huge) / scale).as_f64()
                };
                report.record("φ(u) lies in the set at extreme u", relative, self.rounding);
                if *size <= moderate && *size >= 1.0 / moderate {
                    let (v, w) = (random.normals::<T>(map.dim_u()), random.normals::<T>(map.dim_x()));
                    report.record(
                        "no NaN in J v at extreme u",
                        poisoned(&self.jvp(map, &u, &v)),
                        0.0,
                    );
                    report.record(
                        "no NaN in Jᵀ w at extreme u",
                        poisoned(&self.vjp(map, &u, &w)),
                        0.0,
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
