//! Every objective and loss passes the public battery, and is what its formula says.

#![allow(clippy::unwrap_used)]

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use reparam::losses::{Huber, LogCosh, Logistic, Loss, NegativeLog, Poisson, Squared, SquaredHinge};
use reparam::objectives::{
    Composite, Convexity, Curve, Differences, Evaluation, FiniteDifference, FromFn, FromResiduals, FromValue,
    LeastSquares, NonlinearLeastSquares, Objective, Quadratic, ResidualFunction, RidgeInU, Robust, Scaled,
    Sum,
};
use reparam::operators::{ColumnScaled, Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::{Random, check_loss, check_objective};
use reparam::{Error, Scalar};
use std::cell::Cell;

/// A number type with nalgebra's matrices.
trait Real: Scalar + nalgebra::Scalar {}
impl<T: Scalar + nalgebra::Scalar> Real for T {}

/// A random problem size with the point x where its objective is checked.
struct Setting<T> {
    random: Random,
    m: usize,
    n: usize,
    x: Vec<T>,
}

impl<T: Real> Setting<T> {
    fn new(seed: u64, m: usize, n: usize) -> Self {
        let mut random = Random::new(seed);
        let x = (0..n).map(|_| random.uniform::<T>() + T::lit(0.5)).collect();
        Self { random, m, n, x }
    }
    fn normals(&mut self, k: usize) -> Vec<T> {
        self.random.normals(k)
    }
    /// entries in [lo, lo + 1)
    fn uniform(&mut self, k: usize, lo: f64) -> Vec<T> {
        (0..k).map(|_| self.random.uniform::<T>() + T::lit(lo)).collect()
    }
    fn matrix(&mut self) -> DMatrix<T> {
        let a = self.normals(self.m * self.n);
        DMatrix::from_vec(self.m, self.n, a)
    }
    fn positive_matrix(&mut self) -> DMatrix<T> {
        let a = self.uniform(self.m * self.n, 0.5);
        DMatrix::from_vec(self.m, self.n, a)
    }
    fn labels(&mut self) -> Vec<T> {
        (0..self.m)
            .map(|_| {
                if self.random.bits().is_multiple_of(2) {
                    T::one()
                } else {
                    -T::one()
                }
            })
            .collect()
    }
    /// distances from a kink at 1 which no difference of the battery bridges: about 0.3 or 3, either sign
    fn safe_distances(&mut self) -> Vec<T> {
        let u = self.uniform(self.m, -0.5);
        let far = |k: usize| if k.is_multiple_of(2) { 0.3 } else { 3.0 };
        (0..self.m)
            .map(|i| T::lit(far(i)) * (T::one() + T::lit(0.2) * u[i]) * u[i].signum())
            .collect()
    }
    fn image(&self, a: &DMatrix<T>) -> Vec<T> {
        let mut z = vec![T::zero(); self.m];
        a.apply(&self.x, &mut z);
        z
    }
}

/// Test residuals: rᵢ = bᵢ exp(⟨aᵢ, x⟩/n) − i, with every derivative.
struct Exponentials<T> {
    a: Vec<Vec<T>>,
    products: bool,
    second: bool,
}

impl<T: Scalar> Exponentials<T> {
    fn term(&self, i: usize, x: &[T]) -> T {
        let s: T = self.a[i].iter().zip(x).map(|(a, x)| *a * *x).sum();
        (s / T::count(x.len())).exp()
    }
}

impl<T: Scalar> ResidualFunction<T> for Exponentials<T> {
    fn residual_count(&self) -> usize {
        self.a.len()
    }
    fn dim(&self) -> usize {
        self.a[0].len()
    }
    fn residuals(&mut self, x: &[T], r: &mut [T]) -> Evaluation<()> {
        for (i, r) in r.iter_mut().enumerate() {
            *r = self.term(i, x) - T::count(i % 3);
        }
        Ok(())
    }
    fn jacobian(&mut self, x: &[T], j: &mut [T]) -> Evaluation<bool> {
        if self.products {
            return Ok(false);
        }
        for (i, row) in j.chunks_exact_mut(x.len()).enumerate() {
            let e = self.term(i, x) / T::count(x.len());
            row.iter_mut().zip(&self.a[i]).for_each(|(o, a)| *o = e * *a);
        }
        Ok(true)
    }
    fn jvp(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        for (i, o) in out.iter_mut().enumerate() {
            let s: T = self.a[i].iter().zip(v).map(|(a, v)| *a * *v).sum();
            *o = self.term(i, x) / T::count(x.len()) * s;
        }
        Ok(self.products)
    }
    fn vjp(&mut self, x: &[T], w: &[T], out: &mut [T]) -> Evaluation<bool> {
        out.fill(T::zero());
        for (i, w) in w.iter().enumerate() {
            let e = self.term(i, x) / T::count(x.len()) * *w;
            out.iter_mut().zip(&self.a[i]).for_each(|(o, a)| *o += e * *a);
        }
        Ok(self.products)
    }
    fn curvature(&mut self, x: &[T], w: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        out.fill(T::zero());
        for (i, w) in w.iter().enumerate() {
            let s: T = self.a[i].iter().zip(v).map(|(a, v)| *a * *v).sum();
            let n = T::count(x.len());
            let e = self.term(i, x) / (n * n) * *w * s;
            out.iter_mut().zip(&self.a[i]).for_each(|(o, a)| *o += e * *a);
        }
        Ok(self.second)
    }
}

fn exponentials<T: Real>(s: &mut Setting<T>, products: bool, second: bool) -> Exponentials<T> {
    let (m, n) = (s.m, s.n);
    let a = (0..m).map(|_| s.normals(n)).collect();
    Exponentials { a, products, second }
}

fn cosines<T: Scalar>(n: usize) -> impl Objective<T> {
    FromFn::new(n, |x: &[T], g: &mut [T]| {
        g.iter_mut().zip(x).for_each(|(g, x)| *g = -x.sin());
        Ok(x.iter().map(|x| x.cos()).sum())
    })
    .with_hessian_vector(|x: &[T], v: &[T], out: &mut [T]| {
        out.iter_mut()
            .zip(x)
            .zip(v)
            .for_each(|((o, x), v)| *o = -x.cos() * *v);
        Ok(())
    })
}

/// One line per objective: its name, what is known of its shape, and how it is made from a random setting.
macro_rules! objective_properties {
    ($($name:ident: $convexity:ident, |$s:ident| $build:expr;)*) => {
        $(
            mod $name {
                use super::*;

                fn build<T: Real>($s: &mut Setting<T>) -> impl Objective<T> + use<T> {
                    $build
                }

                fn battery<T: Real>(seed: u64, m: usize, n: usize) {
                    let mut s = Setting::<T>::new(seed, m, n);
                    let x = s.x.clone();
                    let mut f = build(&mut s);
                    assert_eq!(f.dim(), n);
                    assert_eq!(f.convexity(), Convexity::$convexity);
                    passes_the_battery(stringify!($name), &mut f, &x, seed);
                    diagonal_agrees(&mut f, &x);
                    if f.convexity() == Convexity::Convex {
                        convex_along_segments(&mut f, &mut s);
                    }
                }

                proptest! {
                    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

                    #[test]
                    fn in_double_precision(seed in 0u64..100_000, m in 1usize..20, n in 1usize..12) {
                        battery::<f64>(seed, m, n);
                    }

                    #[test]
                    fn in_single_precision(seed in 0u64..100_000, m in 1usize..20, n in 1usize..12) {
                        battery::<f32>(seed, m, n);
                    }
                }
            }
        )*
    };
}

/// At x or near it: where a Hessian happens to cancel, its rounding errors are all that is seen.
fn passes_the_battery<T: Real>(name: &str, f: &mut dyn Objective<T>, x: &[T], seed: u64) {
    let reports = [1.0, 0.8, 1.2].map(|s| {
        let x: Vec<T> = x.iter().map(|x| *x * T::lit(s)).collect();
        check_objective(f, &x, seed)
    });
    let passed = reports.iter().any(|r| r.passed());
    assert!(passed, "{name}, n = {}, seed {seed}\n{}", x.len(), reports[0]);
}

/// Where diagonal and products are both exact, they agree.
fn diagonal_agrees<T: Real>(f: &mut dyn Objective<T>, x: &[T]) {
    let n = x.len();
    let (mut d, mut e, mut h) = (vec![T::zero(); n], vec![T::zero(); n], vec![T::zero(); n]);
    if f.residuals().is_some() || !f.hessian_diagonal(x, &mut d).unwrap() {
        return; // the diagonal of residuals is a guess
    }
    for j in 0..n {
        e[j] = T::one();
        assert!(f.hessian_vector(x, &e, &mut h).unwrap());
        e[j] = T::zero();
        let size = h.iter().fold(T::lit(1e-6), |m, v| m.max(v.abs()));
        assert!(
            (d[j] - h[j]).abs() <= T::lit(1e3) * T::epsilon() * size,
            "{j}: {} for {}",
            d[j],
            h[j]
        );
    }
}

/// f((1−s)x + s y) ≤ (1−s) f(x) + s f(y) for x, y near the point of the setting.
fn convex_along_segments<T: Real>(f: &mut dyn Objective<T>, s: &mut Setting<T>) {
    for _ in 0..4 {
        let (x, y) = (s.uniform(s.n, 0.1), s.uniform(s.n, 0.1));
        let (fx, fy) = (f.value(&x).unwrap(), f.value(&y).unwrap());
        for t in [0.25, 0.5, 0.8].map(T::lit) {
            let z: Vec<T> = x.iter().zip(&y).map(|(x, y)| *x + t * (*y - *x)).collect();
            let chord = fx + t * (fy - fx);
            let slack = T::lit(100.0) * T::epsilon() * (fx.abs() + fy.abs() + T::count(s.m));
            assert!(f.value(&z).unwrap() <= chord + slack);
        }
    }
}

objective_properties! {
    least_squares: Convex, |s| {
        let (a, b) = (s.matrix(), s.normals(s.m));
        LeastSquares::new(a, &b).unwrap()
    };
    weighted_ridge: Convex, |s| {
        let (a, b, w) = (s.matrix(), s.normals(s.m), s.uniform(s.m, 0.0));
        LeastSquares::new(a, &b).unwrap().with_weights(&w).unwrap().with_ridge(T::lit(0.3)).unwrap()
    };
    sparse_least_squares: Convex, |s| {
        let (a, b, w) = (s.matrix(), s.normals(s.m), s.uniform(s.m, 0.0));
        // every entry in two halves: duplicates add up
        let entries: Vec<(usize, usize, T)> = (0..s.m * s.n)
            .flat_map(|k| [(k / s.n, k % s.n, a[(k / s.n, k % s.n)] * T::lit(0.5)); 2])
            .collect();
        let a = SparseColumns::from_triplets(s.m, s.n, &entries).unwrap();
        LeastSquares::new(a, &b).unwrap().with_weights(&w).unwrap()
    };
    quadratic: Unknown, |s| {
        let (a, c) = (s.matrix(), s.normals(s.n));
        let q = DMatrix::from_fn(s.n, s.n, |i, j| {
            let gram: T = (0..s.m).map(|k| a[(k, i)] * a[(k, j)]).sum();
            if i == j { gram - T::one() } else { gram }
        });
        Quadratic::new(q, &c).unwrap().with_constant(T::lit(2.0))
    };
    squared: Convex, |s| {
        let (a, b, c, o) = (s.matrix(), s.normals(s.m), s.normals(s.n), s.normals(s.m));
        let f = Composite::new(a, Squared::new(&b).unwrap()).unwrap();
        f.with_linear(&c).unwrap().with_offset(&o).unwrap().with_ridge(T::lit(0.1)).unwrap()
    };
    logistic: Convex, |s| {
        let (a, y, w) = (s.matrix(), s.labels(), s.uniform(s.m, 0.1));
        let loss = Logistic::new(&y).unwrap().with_weights(&w).unwrap();
        Composite::new(a, loss).unwrap().with_ridge(T::lit(0.1)).unwrap()
    };
    log_cosh: Convex, |s| {
        let (a, b) = (s.matrix(), s.normals(s.m));
        Composite::new(a, LogCosh::new(&b).unwrap()).unwrap()
    };
    huber: Convex, |s| {
        let (a, t) = (s.matrix(), s.safe_distances());
        let b: Vec<T> = s.image(&a).iter().zip(&t).map(|(z, t)| *z - *t).collect();
        Composite::new(a, Huber::new(&b, T::one()).unwrap()).unwrap()
    };
    squared_hinge: Convex, |s| {
        let (a, y, t) = (s.matrix(), s.labels(), s.safe_distances());
        let z = s.image(&a);
        let offset: Vec<T> = (0..s.m).map(|i| y[i] * (T::one() + t[i]) - z[i]).collect();
        Composite::new(a, SquaredHinge::new(&y).unwrap()).unwrap().with_offset(&offset).unwrap()
    };
    poisson: Convex, |s| {
        let (a, y) = (s.positive_matrix(), s.uniform(s.m, 0.0));
        let y: Vec<T> = y.iter().map(|v| (*v * T::lit(9.0)).floor()).collect();
        let f = Composite::new(a, Poisson::new(&y).unwrap()).unwrap();
        f.with_offset(&vec![T::lit(0.5); s.m]).unwrap()
    };
    kullback_leibler: Convex, |s| {
        let (a, y) = (s.positive_matrix(), s.uniform(s.m, 0.5));
        let f = Composite::new(a, Poisson::kullback_leibler(&y).unwrap()).unwrap();
        f.with_offset(&vec![T::lit(0.5); s.m]).unwrap()
    };
    negative_log: Convex, |s| {
        let (a, w) = (s.positive_matrix(), s.uniform(s.m, 0.0));
        let loss = NegativeLog::new(s.m).unwrap().with_weights(&w).unwrap();
        Composite::new(a, loss).unwrap().with_offset(&vec![T::lit(0.5); s.m]).unwrap()
    };
    through_pointers: Convex, |s| {
        let (a, y) = (s.matrix(), s.labels());
        let a: Box<dyn LinearOperator<T>> = Box::new(ColumnScaled::new(a, vec![T::lit(2.0); s.n]).unwrap());
        let loss: Box<dyn Loss<T>> = Box::new(Logistic::new(&y).unwrap());
        let f: Box<dyn Objective<T>> = Box::new(Composite::new(a, loss).unwrap());
        f
    };
    closure: Unknown, |s| cosines::<T>(s.n);
    value_closure: Unknown, |s| {
        FromValue::new(s.n, |x: &[T]| Ok(x.iter().map(|x| x.cos()).sum()), Differences::central())
    };
    difference_gradient: Unknown, |s| {
        // no Hessian products: the battery would compare them with differences of differences
        let f = FromFn::new(s.n, |x: &[T], _: &mut [T]| Ok(x.iter().map(|x| x.sin()).sum()));
        FiniteDifference::gradient(f, Differences::central())
    };
    nonlinear: Unknown, |s| NonlinearLeastSquares::new(exponentials(s, false, true)).unwrap();
    nonlinear_products: Unknown, |s| {
        NonlinearLeastSquares::new(exponentials(s, true, true)).unwrap().with_loss(Robust::soft_l1(T::one()).unwrap())
    };
    nonlinear_cauchy: Unknown, |s| {
        NonlinearLeastSquares::new(exponentials(s, false, true)).unwrap().with_loss(Robust::cauchy(T::lit(0.5)).unwrap())
    };
    nonlinear_arctan: Unknown, |s| {
        NonlinearLeastSquares::new(exponentials(s, false, true)).unwrap().with_loss(Robust::arctan(T::lit(2.0)).unwrap())
    };
    nonlinear_huber: Unknown, |s| {
        // no second derivatives: a kink would show in them
        NonlinearLeastSquares::new(exponentials(s, false, false)).unwrap().with_loss(Robust::huber(T::one()).unwrap())
    };
    nonlinear_differences: Unknown, |s| {
        NonlinearLeastSquares::new(exponentials(s, false, false)).unwrap().with_differences(Differences::central())
    };
    ridge_in_u: Convex, |s| {
        let (a, b) = (s.matrix(), s.normals(s.m));
        RidgeInU::new(LeastSquares::new(a, &b).unwrap(), T::lit(0.3)).unwrap()
    };
    scaled: Unknown, |s| Scaled::new(cosines::<T>(s.n), T::lit(-3.0)).unwrap();
    scaled_convex: Convex, |s| {
        let (a, b) = (s.matrix(), s.normals(s.m));
        Scaled::new(LeastSquares::new(a, &b).unwrap(), T::lit(0.25)).unwrap()
    };
    sum: Unknown, |s| {
        let (a, b) = (s.matrix(), s.normals(s.m));
        Sum::new(s.n).with(LeastSquares::new(a, &b).unwrap()).unwrap().with(cosines::<T>(s.n)).unwrap()
    };
    sum_convex: Convex, |s| {
        let (a, b, y) = (s.matrix(), s.normals(s.m), s.labels());
        let logistic = Composite::new(a.clone(), Logistic::new(&y).unwrap()).unwrap();
        Sum::new(s.n).with(LeastSquares::new(a, &b).unwrap()).unwrap().with(logistic).unwrap()
    };
}

/// All losses of m numbers; those with a logarithm have a domain.
fn losses<T: Real>(random: &mut Random, m: usize) -> Vec<(&'static str, Box<dyn Loss<T>>)> {
    let b: Vec<T> = random.normals(m);
    let signs: Vec<T> = (0..m)
        .map(|i| if i % 2 == 0 { T::one() } else { -T::one() })
        .collect();
    let counts: Vec<T> = (0..m).map(T::count).collect();
    let w: Vec<T> = (0..m).map(|_| random.uniform::<T>() + T::lit(0.1)).collect();
    vec![
        ("squared", Box::new(Squared::new(&b).unwrap())),
        (
            "weighted squared",
            Box::new(Squared::new(&b).unwrap().with_weights(&w).unwrap()),
        ),
        ("huber", Box::new(Huber::new(&b, T::lit(0.7)).unwrap())),
        (
            "weighted huber",
            Box::new(Huber::new(&b, T::lit(0.7)).unwrap().with_weights(&w).unwrap()),
        ),
        ("log cosh", Box::new(LogCosh::new(&b).unwrap())),
        (
            "weighted log cosh",
            Box::new(LogCosh::new(&b).unwrap().with_weights(&w).unwrap()),
        ),
        ("logistic", Box::new(Logistic::new(&signs).unwrap())),
        (
            "weighted logistic",
            Box::new(Logistic::new(&signs).unwrap().with_weights(&w).unwrap()),
        ),
        ("squared hinge", Box::new(SquaredHinge::new(&signs).unwrap())),
        (
            "weighted hinge",
            Box::new(SquaredHinge::new(&signs).unwrap().with_weights(&w).unwrap()),
        ),
        ("poisson", Box::new(Poisson::new(&counts).unwrap())),
        (
            "weighted poisson",
            Box::new(Poisson::new(&counts).unwrap().with_weights(&w).unwrap()),
        ),
        (
            "divergence",
            Box::new(Poisson::kullback_leibler(&counts).unwrap()),
        ),
        ("negative log", Box::new(NegativeLog::new(m).unwrap())),
        (
            "weighted log",
            Box::new(NegativeLog::new(m).unwrap().with_weights(&w).unwrap()),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Slopes and curvatures against differences, entry by entry, and whatever else a loss says of itself.
    #[test]
    fn losses_are_what_they_say(seed in 0u64..100_000, m in 1usize..12) {
        let mut random = Random::new(seed);
        for (name, loss) in losses::<f64>(&mut random, m) {
            let z: Vec<f64> = (0..m).map(|_| 0.2 + 3.0 * random.uniform::<f64>()).collect();
            prop_assert!(loss.convex());
            let report = check_loss(&loss, &z, seed);
            prop_assert!(report.passed(), "{}\n{}", name, report);
        }
        for (name, loss) in losses::<f32>(&mut random, m) {
            let z: Vec<f32> = (0..m).map(|_| 0.2 + 3.0 * random.uniform::<f32>()).collect();
            let report = check_loss(&loss, &z, seed);
            prop_assert!(report.passed(), "{} in f32\n{}", name, report);
        }
    }

    /// f along a curve, from images alone.
    #[test]
    fn views_move_along_curves(seed in 0u64..100_000, m in 1usize..15, n in 1usize..10) {
        let mut s = Setting::<f64>::new(seed, m, n);
        let (p, q) = (s.normals(n), s.normals(n));
        let (a, b, c, o) = (s.matrix(), s.normals(m), s.normals(n), s.normals(m));
        let (labels, w) = (s.labels(), s.uniform(m, 0.1));
        let squared = Squared::new(&b).unwrap().with_weights(&w).unwrap();
        let losses: Vec<Box<dyn Loss<f64>>> = vec![Box::new(squared), Box::new(Logistic::new(&labels).unwrap())];
        for loss in losses {
            let quadratic = loss.quadratic();
            let mut f = Composite::new(&a, loss).unwrap().with_ridge(0.7).unwrap().with_linear(&c).unwrap().with_offset(&o).unwrap();
            let f: &mut dyn Objective<f64> = &mut f;
            prop_assert_eq!(f.quadratic(), quadratic);
            let (mut z, mut ap, mut aq) = (vec![0.0; m], vec![0.0; m], vec![0.0; m]);
            prop_assert!(f.image(&s.x, &mut z));
            let value = f.value(&s.x).unwrap();
            let view = f.composite().unwrap();
            view.operator.apply_pair(&p, &q, &mut ap, &mut aq);
            let mut again = vec![0.0; m];
            view.image(&s.x, &mut again);
            prop_assert_eq!(&again, &z);
            prop_assert_eq!(view.value(&s.x, &z), value);
            let curve = Curve { x: &s.x, p: &p, q: &q, z: &z, ap: &ap, aq: &aq, omega: [1.0, 0.0, 0.0] };
            let (mut r, mut d) = (vec![0.0; m], vec![0.0; m]);
            let quartic = view.quartic(&curve, &mut r, &mut d);
            prop_assert_eq!(quartic.is_some(), quadratic);
            let mut g = vec![0.0; n];
            view.gradient(&s.x, &z, &mut r, &mut g);
            let mut want = vec![0.0; n];
            let steps = [0.0, 0.3, -1.2, 2.0];
            let moved = steps.map(|t| view.along(&curve, t, &mut again, &mut r));
            f.value_gradient(&s.x, &mut want).unwrap();
            prop_assert_eq!(&g, &want);
            for (t, (h, slope)) in steps.into_iter().zip(moved) {
                let xt: Vec<f64> = (0..n).map(|j| s.x[j] + t * (p[j] + t * q[j])).collect();
                let want = f.value_gradient(&xt, &mut g).unwrap();
                let size = 1.0 + want.abs() + value.abs();
                prop_assert!((h - want).abs() < 1e-11 * size);
                if let Some(k) = &quartic {
                    prop_assert!((value + k.value(t) - want).abs() < 1e-10 * size);
                }
                let along: f64 = (0..n).map(|j| g[j] * (p[j] + 2.0 * t * q[j])).sum();
                prop_assert!((slope - along).abs() < 1e-10 * (size + along.abs()));
            }
        }
    }

    /// Hessian products and diagonals against the matrices written out, for every way to reach the entries.
    #[test]
    fn composite_curvature(seed in 0u64..100_000, m in 1usize..15, n in 1usize..10) {
        let mut s = Setting::<f64>::new(seed, m, n);
        let (a, y, w, v) = (s.matrix(), s.labels(), s.uniform(m, 0.0), s.normals(n));
        let loss = Logistic::new(&y).unwrap().with_weights(&w).unwrap();
        let mut d = vec![0.0; m];
        loss.curvature(&s.image(&a), &mut d);
        let hessian = a.transpose() * DMatrix::from_diagonal(&DVector::from_vec(d.clone())) * &a
            + DMatrix::identity(n, n) * 0.2;
        let rows: Vec<f64> = a.transpose().as_slice().to_vec();
        let triplets: Vec<(usize, usize, f64)> = (0..m * n).map(|k| (k / n, k % n, rows[k])).collect();
        let column_norms: Vec<f64> = (0..n).map(|j| a.column(j).norm()).collect();
        let free = || MatrixFree::new(m, n, |x: &[f64], y: &mut [f64]| a.apply(x, y), |y: &[f64], x: &mut [f64]| a.apply_adjoint(y, x));
        let operators: Vec<(&str, Box<dyn LinearOperator<f64> + '_>)> = vec![
            ("columns", Box::new(&a)),
            ("rows", Box::new(Dense::row_major(&rows, m, n).unwrap())),
            ("sparse", Box::new(SparseColumns::from_triplets(m, n, &triplets).unwrap())),
            ("scaled", Box::new(ColumnScaled::new(&a, vec![1.0; n]).unwrap())),
            ("norms", Box::new(free().with_column_norms(column_norms).unwrap())),
            ("hidden", Box::new(free())),
        ];
        for (name, operator) in operators {
            let mut f = Composite::new(operator, loss.clone()).unwrap().with_ridge(0.2).unwrap();
            let (mut hv, mut diagonal) = (vec![0.0; n], vec![0.0; n]);
            prop_assert!(f.hessian_vector(&s.x, &v, &mut hv).unwrap());
            let want = &hessian * DVector::from_column_slice(&v);
            prop_assert!((DVector::from_vec(hv) - want).norm() < 1e-12 * (1.0 + hessian.norm()), "{}", name);
            let known = f.hessian_diagonal(&s.x, &mut diagonal).unwrap();
            prop_assert_eq!(known, name != "hidden", "{}", name);
            for j in 0..n {
                match name {
                    "hidden" => {}
                    "norms" => prop_assert!(diagonal[j] >= hessian[(j, j)] * (1.0 - 1e-12)),
                    _ => prop_assert!((diagonal[j] - hessian[(j, j)]).abs() < 1e-12 * (1.0 + hessian[(j, j)]), "{}", name),
                }
            }
        }
    }

    /// The view that a Gauss–Newton method reads.
    #[test]
    fn residual_views(seed in 0u64..100_000, m in 1usize..12, n in 1usize..8) {
        let mut s = Setting::<f64>::new(seed, m, n);
        let x = s.x.clone();
        let v = s.normals(n);
        let y = s.normals(m);
        for products in [false, true] {
            for loss in [Robust::linear(), Robust::huber(0.5).unwrap(), Robust::cauchy(2.0).unwrap()] {
                let mut f = NonlinearLeastSquares::new(exponentials(&mut s, products, false)).unwrap().with_loss(loss);
                let f: &mut dyn Objective<f64> = &mut f;
                let mut g = vec![0.0; n];
                let value = f.value_gradient(&x, &mut g).unwrap();
                prop_assert!(!f.hessian_vector(&x, &v, &mut vec![0.0; n]).unwrap());
                let view = f.residuals().unwrap();
                prop_assert_eq!((view.residual_count(), view.parameter_count()), (m, n));
                let (mut r, mut j) = (vec![0.0; m], vec![0.0; m * n]);
                let (mut w, mut c, mut jv, mut jty, mut gn) = (vec![0.0; m], vec![0.0; m], vec![0.0; m], vec![0.0; n], vec![0.0; n]);
                // products before the matrix: each goes its own way
                view.jvp(&x, &v, &mut jv).unwrap();
                view.vjp(&x, &y, &mut jty).unwrap();
                view.gauss_newton(&x, &v, &mut gn).unwrap();
                prop_assert_eq!(view.residual_vector(&x, &mut r).unwrap(), value);
                prop_assert!((view.value_of(&r) - value).abs() <= 1e-14 * value);
                view.jacobian(&x, &mut j).unwrap();
                view.weights(&r, &mut w, &mut c);
                let jm = DMatrix::from_row_slice(m, n, &j);
                let close = |a: &[f64], b: DVector<f64>| (DVector::from_column_slice(a) - &b).norm() <= 1e-11 * (1.0 + b.norm());
                prop_assert!(close(&jv, &jm * DVector::from_column_slice(&v)));
                prop_assert!(close(&jty, jm.transpose() * DVector::from_column_slice(&y)));
                let wr = DVector::from_fn(m, |i, _| w[i] * r[i]);
                prop_assert!(close(&g, jm.transpose() * wr));
                let weighted = DMatrix::from_diagonal(&DVector::from_column_slice(&w)) * &jm;
                prop_assert!(close(&gn, jm.transpose() * weighted * DVector::from_column_slice(&v)));
                prop_assert!(w.iter().zip(&c).all(|(w, c)| c <= w));
                // and again, with the matrix at hand
                let mut again = vec![0.0; n];
                view.gauss_newton(&x, &v, &mut again).unwrap();
                prop_assert!(close(&again, DVector::from_vec(gn)));
            }
        }
    }

    /// Wrappers by differences against the derivatives they replace.
    #[test]
    fn differences_are_accurate(seed in 0u64..100_000, m in 1usize..12, n in 1usize..8) {
        let mut s = Setting::<f64>::new(seed, m, n);
        let (a, y, v) = (s.matrix(), s.labels(), s.normals(n));
        let mut f = Composite::new(&a, Logistic::new(&y).unwrap()).unwrap();
        let (mut g, mut h, mut got) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let value = f.value_gradient(&s.x, &mut g).unwrap();
        f.hessian_vector(&s.x, &v, &mut h).unwrap();
        let gap = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let size = m as f64 * n as f64;
        for (scheme, tolerance) in [(Differences::forward(), 1e-6), (Differences::central(), 1e-8)] {
            let mut by_value = FiniteDifference::gradient(&mut f, scheme);
            prop_assert_eq!(by_value.value_gradient(&s.x, &mut got).unwrap(), value);
            prop_assert!(gap(&got, &g) < tolerance * size);
            prop_assert!(by_value.hessian_vector(&s.x, &v, &mut got).unwrap());
            prop_assert_eq!(&got, &h);
            let mut by_gradient = FiniteDifference::hessian(&mut f, scheme);
            prop_assert!(by_gradient.hessian_vector(&s.x, &v, &mut got).unwrap());
            prop_assert!(gap(&got, &h) < tolerance * 10.0 * size);
            by_gradient.value_gradient(&s.x, &mut got).unwrap();
            prop_assert_eq!(&got, &g);
            prop_assert!(by_gradient.composite().is_some());
        }
    }
}

#[test]
fn extreme_images() {
    fn check<T: Real>() {
        let big = T::max_value();
        let tiny = T::min_positive_value();
        for (name, loss) in losses::<T>(&mut Random::new(3), 4) {
            for z in [
                big,
                -big,
                big.sqrt(),
                -big.sqrt(),
                tiny,
                -tiny,
                T::zero(),
                T::lit(1e4),
                T::lit(-1e4),
                T::lit(50.0),
                T::lit(-50.0),
            ] {
                let z = [z; 4];
                let (mut r, mut d) = ([T::zero(); 4], [T::zero(); 4]);
                loss.gradient(&z, &mut r);
                loss.curvature(&z, &mut d);
                let value = loss.value(&z);
                assert!(!value.is_nan(), "{name} at {:e}", z[0]);
                assert!(
                    r.iter().chain(&d).all(|v| !v.is_nan()),
                    "{name} at {:e}: {r:?} {d:?}",
                    z[0]
                );
                // these grow like |z|: no overflow
                if ["log cosh", "logistic"].contains(&name) && z[0].abs() < big {
                    assert!(value.is_finite(), "{name} at {:e}", z[0]);
                }
                if name.contains("poisson") || name.contains("log") && name.starts_with("negative") {
                    assert_eq!(
                        value.is_infinite(),
                        z[0] <= T::zero() || z[0] == big && name.contains("poisson"),
                        "{name} at {:e}",
                        z[0]
                    );
                }
            }
            // NaN is never hidden
            assert!(loss.value(&[T::nan(); 4]).is_nan(), "{name}");
        }
    }
    check::<f64>();
    check::<f32>();
    let near = LogCosh::new(&[0.0]).unwrap();
    assert!((near.value(&[1e-9]) / 5e-19 - 1.0_f64).abs() < 1e-12);
    let near = Poisson::kullback_leibler(&[1e6]).unwrap();
    assert!((near.value(&[1e6 + 1.0]) / 5e-7 - 1.0_f64).abs() < 1e-5);
}

#[test]
fn weights_repeat_entries_and_remove_them() {
    let mut random = Random::new(5);
    for (name, loss) in losses::<f64>(&mut random, 3) {
        assert_eq!(loss.dim(), 3, "{name}");
    }
    let a = [0.3, -1.0];
    let value = |w: &[f64]| {
        Logistic::new(&[1.0, -1.0])
            .unwrap()
            .with_weights(w)
            .unwrap()
            .value(&a)
    };
    assert_eq!(
        value(&[2.0, 0.0]),
        2.0 * Logistic::new(&[1.0]).unwrap().value(&a[..1])
    );
    // outside the domain, but without weight
    let log = NegativeLog::new(2).unwrap().with_weights(&[0.0, 1.0]).unwrap();
    let mut r = [7.0; 2];
    log.gradient(&[-1.0, 0.5], &mut r);
    assert_eq!((log.value(&[-1.0, 1.0]), r), (0.0, [0.0, -2.0]));
    assert_eq!(log.conjugate(&[0.5, -1.0]), Some(f64::INFINITY));
    assert_eq!(log.conjugate(&[0.0, -1.0]), Some(-1.0));
}

#[test]
fn images_are_kept() {
    let (forward, backward) = (Cell::new(0), Cell::new(0));
    let a = MatrixFree::new(
        2,
        2,
        |x: &[f64], y: &mut [f64]| {
            forward.set(forward.get() + 1);
            y.copy_from_slice(x);
        },
        |y: &[f64], x: &mut [f64]| {
            backward.set(backward.get() + 1);
            x.copy_from_slice(y);
        },
    );
    let mut f = Composite::new(&a, NegativeLog::new(2).unwrap()).unwrap();
    let (x, mut g, mut z) = ([1.0, 2.0], [0.0; 2], [0.0; 2]);
    f.value(&x).unwrap();
    f.value_gradient(&x, &mut g).unwrap();
    f.image(&x, &mut z);
    assert_eq!((forward.get(), backward.get(), z), (1, 1, x));
    f.hessian_vector(&x, &[1.0, 0.0], &mut g).unwrap();
    assert_eq!((forward.get(), backward.get(), g), (2, 2, [1.0, 0.0]));
    assert!(f.remember_image(&[3.0, 3.0], &[3.0, 3.0]));
    f.value_gradient(&[3.0, 3.0], &mut g).unwrap();
    f.hessian_vector(&[3.0, 3.0], &[9.0, 0.0], &mut g).unwrap();
    assert_eq!((forward.get(), backward.get(), g), (3, 4, [1.0, 0.0]));
    // refused points cost no adjoint product
    assert_eq!(f.value_gradient(&[-1.0, 1.0], &mut g).unwrap(), f64::INFINITY);
    assert_eq!((forward.get(), backward.get()), (4, 4));
    // the same through a pointer
    let mut boxed: Box<dyn Objective<f64> + '_> = Box::new(f);
    assert!(boxed.remember_image(&[1.0, 1.0], &[1.0, 1.0]));
    boxed.value(&[1.0, 1.0]).unwrap();
    assert_eq!(forward.get(), 4);
}

#[test]
fn residuals_are_kept() {
    let (count, jacobians) = (Cell::new(0), Cell::new(0));
    let r = FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
        count.set(count.get() + 1);
        r[0] = x[0].ln();
        Ok(())
    })
    .with_jacobian(|x: &[f64], j: &mut [f64]| {
        jacobians.set(jacobians.get() + 1);
        j[0] = x[0].recip();
        Ok(())
    });
    let mut f = NonlinearLeastSquares::new(r).unwrap();
    let mut g = [0.0];
    f.value(&[2.0]).unwrap();
    f.value_gradient(&[2.0], &mut g).unwrap();
    f.residuals().unwrap().jacobian(&[2.0], &mut g).unwrap();
    assert_eq!((count.get(), jacobians.get(), g), (1, 1, [0.5]));
    // outside the domain of the logarithm: refused, not an error
    assert_eq!(f.value_gradient(&[-1.0], &mut g).unwrap(), f64::INFINITY);
    assert_eq!(
        f.residuals().unwrap().residual_vector(&[0.0], &mut g).unwrap(),
        f64::INFINITY
    );
    f.value_gradient(&[2.0], &mut g).unwrap();
    assert!((g[0] - 0.5 * 2.0_f64.ln()).abs() < 1e-15);
}

#[test]
fn robust_losses_follow_their_formulas() {
    type Formula = fn(f64) -> f64;
    let formula: [(Robust<f64>, Formula); 5] = [
        (Robust::linear(), |z| z),
        (Robust::soft_l1(0.3).unwrap(), |z| 2.0 * ((1.0 + z).sqrt() - 1.0)),
        (Robust::huber(0.3).unwrap(), |z| {
            if z <= 1.0 { z } else { 2.0 * z.sqrt() - 1.0 }
        }),
        (Robust::cauchy(0.3).unwrap(), f64::ln_1p),
        (Robust::arctan(0.3).unwrap(), f64::atan),
    ];
    for (loss, rho) in formula {
        let c = loss.scale();
        for r in [0.0, 1e-3, -0.2, 0.31, -1.0, 5.0, 300.0] {
            let want = 0.5 * c * c * rho(r * r / (c * c));
            assert!(
                (loss.value(r) - want).abs() <= 1e-13 * (1e-3 + want),
                "{loss:?} at {r}"
            );
            let h = 1e-6 * (1.0 + r.abs());
            let slope = (loss.value(r + h) - loss.value(r - h)) / (2.0 * h);
            assert!(
                (loss.weight(r) * r - slope).abs() < 1e-8 * (1.0 + slope.abs()),
                "{loss:?} at {r}"
            );
            let bend = ((r + h) * loss.weight(r + h) - (r - h) * loss.weight(r - h)) / (2.0 * h);
            assert!((loss.curvature(r) - bend).abs() < 1e-7, "{loss:?} at {r}");
        }
        for r in [1e-200, 1e200, f64::MAX, f64::MIN] {
            assert!(
                ![loss.value(r), loss.weight(r), loss.curvature(r)]
                    .iter()
                    .any(|v| v.is_nan())
            );
            assert!(loss.is_linear() || r.abs() > 1e300 || loss.value(r).is_finite());
        }
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Robust::cauchy(bad).is_err() && Robust::arctan(bad).is_err() && Robust::huber(bad).is_err());
    }
}

#[test]
fn differences_respect_domains() {
    let outside = Cell::new(0);
    // log x + √(1 − x) on (0, 1], called nowhere else
    let f = |x: &[f64]| {
        if x[0] < 0.0 || x[0] > 1.0 {
            outside.set(outside.get() + 1);
        }
        Ok(x[0].ln() + (1.0 - x[0]).sqrt().powi(4))
    };
    let mut g = [0.0];
    for scheme in [Differences::forward(), Differences::central()] {
        let tolerance = if scheme.is_central() { 1e-8 } else { 1e-6 };
        let mut bounded = FromValue::new(1, f, scheme).with_bounds(&[0.0], &[1.0]).unwrap();
        for x in [1.0, 0.5, 0.1] {
            bounded.value_gradient(&[x], &mut g).unwrap();
            assert!(
                (g[0] - (x.recip() - 2.0 * (1.0 - x))).abs() < tolerance * x.recip().powi(2),
                "{x}: {}",
                g[0]
            );
        }
        // +∞ on one side is a refusal, with or without bounds
        let wall = |x: &[f64]| Ok(if x[0] > 1.0 { f64::INFINITY } else { x[0] * x[0] });
        FromValue::new(1, wall, scheme)
            .value_gradient(&[1.0], &mut g)
            .unwrap();
        assert!((g[0] - 2.0).abs() < 1e-7, "{}", g[0]);
        // a corridor narrower than the step
        let corridor = |x: &[f64]| Ok(if (x[0] - 1.0).abs() > 1e-8 { f64::NAN } else { x[0] });
        FromValue::new(1, corridor, scheme)
            .value_gradient(&[1.0], &mut g)
            .unwrap();
        assert!((g[0] - 1.0).abs() < 1e-4);
        let needle = |x: &[f64]| Ok(if x[0] == 1.0 { 0.0 } else { f64::INFINITY });
        assert!(
            FromValue::new(1, needle, scheme)
                .value_gradient(&[1.0], &mut g)
                .is_err()
        );
        assert_eq!(
            FromValue::new(1, needle, scheme)
                .value_gradient(&[2.0], &mut g)
                .unwrap(),
            f64::INFINITY
        );
        // Hessian products by the side that is left
        let log = FromFn::new(1, |x: &[f64], g: &mut [f64]| {
            g[0] = if x[0] < 1.0 { f64::NAN } else { 3.0 * x[0] * x[0] };
            Ok(x[0].powi(3))
        });
        let mut log = FiniteDifference::hessian(log, scheme);
        assert!(log.hessian_vector(&[1.0], &[-2.0], &mut g).unwrap());
        assert!((g[0] + 12.0).abs() < 1e-3);
        assert!(log.hessian_vector(&[1.0], &[0.0], &mut g).unwrap() && g[0] == 0.0);
    }
    assert_eq!(outside.get(), 0);
    // small coordinates need to be called small
    let tiny = |x: &[f64]| Ok((x[0] * 1e6).exp());
    let scheme = Differences::central().with_typical_size(1e-6).unwrap();
    FromValue::new(1, tiny, scheme)
        .value_gradient(&[0.0], &mut g)
        .unwrap();
    assert!((g[0] - 1e6).abs() < 1e-2);
    for step in [0.0, -1.0, 1.0, f64::NAN] {
        assert!(Differences::forward().with_step(step).is_err());
    }
    assert!(Differences::forward().with_typical_size(0.0).is_err());
}

#[test]
fn user_errors_come_back() {
    let fails = || {
        FromValue::new(
            1,
            |x: &[f64]| {
                if x[0] > 1.0 {
                    Err("too far".into())
                } else {
                    Ok(x[0])
                }
            },
            Differences::forward(),
        )
    };
    let mut g = [0.0];
    assert_eq!(
        fails().value_gradient(&[1.0], &mut g).unwrap_err().to_string(),
        "too far"
    );
    let mut sum = Sum::new(1).with(fails()).unwrap();
    assert!(
        sum.value(&[0.0]).is_ok()
            && sum.value(&[2.0]).is_err()
            && sum.value_gradient(&[2.0], &mut g).is_err()
    );
    assert!(Scaled::new(fails(), 2.0).unwrap().value(&[2.0]).is_err());
    let mut r = NonlinearLeastSquares::new(FromResiduals::new(1, 1, |_: &[f64], _: &mut [f64]| {
        Err("no".into())
    }))
    .unwrap();
    assert!(r.value(&[0.0]).is_err());
    let mut none = NonlinearLeastSquares::new(FromResiduals::new(1, 1, |x: &[f64], r: &mut [f64]| {
        r[0] = x[0];
        Ok(())
    }))
    .unwrap();
    assert!(none.value(&[0.0]).is_ok());
    assert!(
        none.value_gradient(&[0.0], &mut g)
            .unwrap_err()
            .to_string()
            .contains("finite differences")
    );
    // infinity refuses, whatever the sign and the other terms
    let wall = || {
        FromFn::new(1, |_: &[f64], g: &mut [f64]| {
            g[0] = 0.0;
            Ok(f64::INFINITY)
        })
    };
    assert_eq!(
        Scaled::new(wall(), -2.0).unwrap().value(&[0.0]).unwrap(),
        f64::INFINITY
    );
    let mut sum = Sum::new(1).with(wall()).unwrap().with(fails()).unwrap();
    assert_eq!(sum.value_gradient(&[2.0], &mut g).unwrap(), f64::INFINITY);
}

#[test]
fn shapes_combine() {
    let convex = || FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0)).with_convexity(Convexity::Convex);
    let not = || FromFn::new(1, |_: &[f64], _: &mut [f64]| Ok(0.0)).with_convexity(Convexity::Nonconvex);
    let shape = |f: &dyn Objective<f64>| f.convexity();
    assert_eq!(shape(&Sum::<f64>::new(1)), Convexity::Convex);
    assert_eq!(shape(&Sum::new(1).with(not()).unwrap()), Convexity::Nonconvex);
    assert_eq!(
        shape(&Sum::new(1).with(not()).unwrap().with(not()).unwrap()),
        Convexity::Unknown
    );
    assert_eq!(
        shape(&Sum::new(1).with(convex()).unwrap().with(convex()).unwrap()),
        Convexity::Convex
    );
    assert_eq!(shape(&Scaled::new(convex(), -1.0).unwrap()), Convexity::Unknown);
    assert_eq!(shape(&Scaled::new(not(), 2.0).unwrap()), Convexity::Nonconvex);
    let sum = Sum::new(1)
        .with(LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap())
        .unwrap();
    assert!(sum.quadratic());
    assert!(!sum.with(convex()).unwrap().quadratic());
}

#[test]
fn bad_data_is_named() {
    let a = || nalgebra::dmatrix![1.0, 2.0; 3.0, 4.0];
    let data = |e: Error| match e {
        Error::Data { what, index, .. } => (what, index),
        other => unreachable!("{other:?}"),
    };
    assert_eq!(data(Logistic::new(&[1.0, 0.5]).unwrap_err()), ("labels", 1));
    assert_eq!(data(Logistic::from_binary(&[-1.0]).unwrap_err()), ("labels", 0));
    assert_eq!(data(SquaredHinge::new(&[0.0]).unwrap_err()), ("labels", 0));
    assert_eq!(
        data(SquaredHinge::from_binary(&[2.0]).unwrap_err()),
        ("labels", 0)
    );
    assert_eq!(data(Poisson::new(&[1.0, -2.0]).unwrap_err()), ("counts", 1));
    assert_eq!(
        data(
            Squared::new(&[1.0, 1.0])
                .unwrap()
                .with_weights(&[1.0, -1.0])
                .unwrap_err()
        ),
        ("weights", 1)
    );
    assert_eq!(
        Poisson::new(&[1.0, -2.0]).unwrap_err().to_string(),
        "counts[1] is -2, which must not be negative"
    );
    assert!(matches!(Squared::<f64>::new(&[]), Err(Error::Empty { .. })));
    assert!(matches!(
        LogCosh::new(&[f64::INFINITY]),
        Err(Error::NotFinite { index: 0, .. })
    ));
    assert!(matches!(
        Poisson::new(&[f64::NAN]),
        Err(Error::NotFinite { index: 0, .. })
    ));
    assert!(matches!(NegativeLog::<f64>::new(0), Err(Error::Empty { .. })));
    assert!(matches!(
        NegativeLog::new(2).unwrap().with_weights(&[1.0]),
        Err(Error::Dimension {
            expected: 2,
            found: 1,
            ..
        })
    ));
    assert!(matches!(
        Huber::new(&[1.0], -1.0),
        Err(Error::Setting { name: "delta", .. })
    ));
    let loss = || Squared::new(&[1.0, 2.0]).unwrap();
    assert!(matches!(
        Composite::new(a(), Squared::new(&[1.0]).unwrap()),
        Err(Error::Dimension {
            expected: 2,
            found: 1,
            ..
        })
    ));
    let f = || Composite::new(a(), loss()).unwrap();
    assert!(f().with_ridge(f64::NAN).is_err());
    assert!(f().with_linear(&[1.0]).is_err() && f().with_linear(&[1.0, f64::NAN]).is_err());
    assert!(f().with_offset(&[1.0]).is_err() && f().with_offset(&[1.0, f64::NAN]).is_err());
    assert!(
        LeastSquares::new(a(), &[1.0, 1.0])
            .unwrap()
            .with_weights(&[1.0])
            .is_err()
    );
    assert!(
        LeastSquares::new(a(), &[1.0, 1.0])
            .unwrap()
            .with_ridge(-1.0)
            .is_err()
    );
    assert!(matches!(
        Quadratic::new(a(), &[1.0, 1.0]),
        Err(Error::Setting { .. })
    ));
    assert!(Quadratic::new(nalgebra::dmatrix![1.0, 2.0], &[1.0, 1.0]).is_err());
    assert!(matches!(
        Quadratic::new(nalgebra::dmatrix![1.0, f64::NAN; f64::NAN, 1.0], &[1.0, 1.0]),
        Err(Error::NotFiniteEntry { .. })
    ));
    assert!(
        Sum::<f64>::new(2)
            .with(f())
            .unwrap()
            .with(FromFn::new(3, |_: &[f64], _: &mut [f64]| Ok(0.0)))
            .is_err()
    );
    assert!(Scaled::new(f(), f64::INFINITY).is_err() && Scaled::new(f(), 0.0).is_err());
    let value = || FromValue::new(1, |_: &[f64]| Ok(0.0), Differences::forward());
    assert!(matches!(
        value().with_bounds(&[1.0], &[0.0]),
        Err(Error::CrossedBounds { index: 0, .. })
    ));
    assert!(
        value().with_bounds(&[f64::NAN], &[0.0]).is_err()
            && value().with_bounds(&[0.0, 0.0], &[0.0]).is_err()
    );
}

/// The split form doubles the variables: derivatives, and the ℓ1 problem it stands for.
#[test]
fn ridge_in_u_of_a_difference() {
    use reparam::maps::Squares;
    use reparam::{Minimize, Status};
    let (m, n, weight) = (30, 6, 2.0);
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let (a, b): (Vec<f64>, Vec<f64>) = (random.normals(m * n), random.normals(m));
        let a = DMatrix::from_column_slice(m, n, &a);
        let mut f = RidgeInU::split(LeastSquares::new(a.clone(), &b).unwrap(), weight).unwrap();
        let w: Vec<f64> = random.normals(2 * n);
        let report = check_objective(&mut f, &w, seed);
        assert!(report.passed(), "{report}");
        let s = Minimize::new(f, Squares::new(2 * n)).unwrap().run().unwrap();
        assert_eq!(s.status, Status::Solved);
        let x = RidgeInU::<f64, LeastSquares<DMatrix<f64>, f64>>::difference(&s.x);
        // subgradient condition of ½‖Ax − b‖² + λ‖x‖₁
        let g = a.transpose()
            * (&a * nalgebra::DVector::from_column_slice(&x) - nalgebra::DVector::from_column_slice(&b));
        for j in 0..n {
            if x[j] == 0.0 {
                assert!(
                    g[j].abs() <= weight * (1.0 + 1e-7),
                    "seed {seed}: g[{j}] = {}",
                    g[j]
                );
            } else {
                assert!(
                    (g[j] + weight * x[j].signum()).abs() <= 1e-5,
                    "seed {seed}: g[{j}] = {}, x = {}",
                    g[j],
                    x[j]
                );
            }
        }
    }
    assert!(
        RidgeInU::new(
            LeastSquares::new(DMatrix::<f64>::identity(1, 1), &[1.0]).unwrap(),
            -1.0
        )
        .is_err()
    );
}

/// What is found in a loss that is wrong in one thing.
mod wrong_losses {
    use super::*;

    /// ½ z², each term, but for one thing.
    struct Wrong(&'static str);

    impl Loss<f64> for Wrong {
        fn dim(&self) -> usize {
            2
        }
        fn value(&self, z: &[f64]) -> f64 {
            z.iter().map(|z| 0.5 * z * z).sum()
        }
        fn gradient(&self, z: &[f64], r: &mut [f64]) {
            r.copy_from_slice(z);
            match self.0 {
                "slope" => r[1] *= 1.01,
                "coupled" => r[1] += 1e-9 * z[0],
                _ => {}
            }
        }
        fn curvature(&self, _z: &[f64], d: &mut [f64]) {
            d.fill(if self.0 == "curvature" { 0.9 } else { 1.0 });
        }
        fn derivative(&self, _i: usize, z: f64) -> Option<f64> {
            (self.0 == "derivative").then_some(2.0 * z)
        }
        fn residual(&self, z: &[f64], r: &mut [f64]) -> bool {
            r.copy_from_slice(z);
            self.0 == "residual"
        }
        fn convex(&self) -> bool {
            true
        }
        fn curvature_bound(&self) -> Option<f64> {
            (self.0 == "bound").then_some(0.5)
        }
        fn conjugate(&self, nu: &[f64]) -> Option<f64> {
            (self.0 == "conjugate").then(|| nu.iter().map(|v| v * v).sum())
        }
    }

    #[test]
    fn are_found() {
        let failed = |loss: &Wrong| -> Vec<&'static str> {
            let report = check_loss(loss, &[0.5, -2.0], 1);
            report
                .checks()
                .iter()
                .filter(|c| !c.passed())
                .map(|c| c.name)
                .collect()
        };
        // none of the optional methods, and nothing wrong
        assert_eq!(failed(&Wrong("")), [""; 0]);
        for (what, name) in [
            ("slope", "slopes against differences of the value"),
            ("coupled", "a slope depends on its own entry only"),
            ("curvature", "curvatures against differences of the slopes"),
            ("derivative", "derivative of one term against the gradient"),
            ("residual", "residual is b − z"),
            ("bound", "curvature is within its bound"),
            ("conjugate", "conjugate: equality at the gradient"),
        ] {
            let found = failed(&Wrong(what));
            assert!(found.contains(&name), "{what}: {found:?}");
        }
    }
}
