//! What goes wrong outside of this crate: functions of the user's that return NaN or panic, runs that are stopped, damaged files.
//! Nothing may panic on data, nothing may claim what is not so, and what was good before is kept. The table: docs/faults.md.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use reparam::bounded::Strategy as Choice;
use reparam::maps::{Bounds, NormalizedSquares, Reparametrization, Softmax, Squares};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, Method, State, TrustRegion};
use reparam::nnls::Strategy;
use reparam::objectives::{
    Differences, Evaluation, FiniteDifference, FromFn, FromResiduals, LeastSquares, NonlinearLeastSquares,
    Objective,
};
use reparam::operators::{Dense, LinearOperator, MatrixFree};
use reparam::testing::Random;
use reparam::{
    BoundedLeastSquares, CancelToken, Error, Integrate, Minimize, Nnls, Progress, Solution, Status,
};
use std::any::Any;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Once;
use std::time::Duration;

#[cfg(feature = "argmin")]
mod argmin;
#[cfg(feature = "basin")]
mod basin;
#[cfg(feature = "serde")]
mod checkpoints;
#[cfg(all(target_os = "linux", feature = "rayon"))]
mod fork;
mod found;
mod limits;
mod send;
mod sizes;
mod stopping;
#[cfg(feature = "rayon")]
#[path = "../common/threads.rs"]
mod threads;

const N: usize = 5;

/// ½‖A x − b‖², by hand; something happens at one evaluation, or from it on.
struct Faulty {
    fault: Fault,
    at: usize,
    lasting: bool,
    calls: usize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Value(f64),
    /// In one entry of the gradient.
    Gradient(f64),
    Error,
    Panic,
}

/// What the faulty function says on its way out.
#[derive(Debug, PartialEq, Clone, Copy)]
struct Bang;

impl std::fmt::Display for Bang {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bang")
    }
}
impl std::error::Error for Bang {}

/// The panics of these tests are not printed; all others are.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Bang>() {
                before(info);
            }
        }));
    });
}

fn is_bang<R>(result: Result<R, Box<dyn Any + Send>>) -> bool {
    result.err().is_some_and(|payload| payload.is::<Bang>())
}

fn system(seed: u64, m: usize, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut random = Random::new(seed);
    let a: Vec<f64> = (0..m * n).map(|_| random.uniform()).collect();
    let b: Vec<f64> = (0..m)
        .map(|i| {
            (0..n)
                .map(|j| a[i * n + j] * [1.5, -0.7, 0.3, 0.4, -1.1][j % 5])
                .sum::<f64>()
                + 0.1 * random.normal::<f64>()
        })
        .collect();
    (a, b)
}

impl Faulty {
    fn new(fault: Fault, at: usize, lasting: bool) -> Self {
        Self {
            fault,
            at,
            lasting,
            calls: 0,
        }
    }

    fn residuals(x: &[f64]) -> Vec<f64> {
        let (a, b) = system(3, 8, N);
        (0..8)
            .map(|i| (0..N).map(|j| a[i * N + j] * x[j]).sum::<f64>() - b[i])
            .collect()
    }

    fn slope(x: &[f64], g: &mut [f64]) {
        let (a, _) = system(3, 8, N);
        let r = Self::residuals(x);
        for (j, g) in g.iter_mut().enumerate() {
            *g = (0..8).map(|i| a[i * N + j] * r[i]).sum();
        }
    }
}

impl Objective<f64> for Faulty {
    fn dim(&self) -> usize {
        N
    }
    fn value(&mut self, x: &[f64]) -> Evaluation<f64> {
        self.value_gradient(x, &mut [0.0; N])
    }
    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Evaluation<f64> {
        let now = self.calls == self.at || (self.lasting && self.calls > self.at);
        self.calls += 1;
        let value = 0.5 * Self::residuals(x).iter().map(|r| r * r).sum::<f64>();
        Self::slope(x, g);
        match self.fault {
            Fault::Value(bad) if now => return Ok(bad),
            Fault::Gradient(bad) if now => g[1] = bad,
            Fault::Error if now => return Err(Bang.into()),
            Fault::Panic if now => panic_any(Bang),
            _ => {}
        }
        Ok(value)
    }
}

fn maps() -> Vec<(&'static str, Box<dyn Reparametrization<f64>>)> {
    vec![
        ("squares", Box::new(Squares::new(N))),
        (
            "bounds",
            Box::new(Bounds::new(vec![-0.5; N], vec![0.9; N]).unwrap()),
        ),
        ("simplex", Box::new(NormalizedSquares::new(N, 1.0).unwrap())),
        ("softmax", Box::new(Softmax::new(N, 1.0).unwrap())),
    ]
}

fn methods(map: &dyn Reparametrization<f64>) -> Vec<State<f64>> {
    let mut all: Vec<State<f64>> = vec![
        Lbfgs::new(5).into(),
        ConjugateGradient::new().into(),
        TrustRegion::new().into(),
    ];
    if map.is_coordinatewise() {
        all.push(BoxLbfgs::new(5).into());
    }
    all
}

/// A claim is true: the residual of the true gradient is small.
fn honest(what: &str, s: &Solution<f64>, map: &dyn Reparametrization<f64>) {
    assert!(s.x.iter().all(|v| v.is_finite()), "{what}: {:?}", s.x);
    assert!(map.set().violation(&s.x) <= 1e-14, "{what}: {:?}", s.x);
    if s.status.is_converged() {
        let mut g = [0.0; N];
        Faulty::slope(&s.x, &mut g);
        let rho = map.set().natural_residual(&s.x, &g, None);
        assert!(rho <= 1e-6, "{what}: claims {}, but ρ = {rho:e}", s.status);
    }
}

#[test]
fn nan_and_infinities_at_every_evaluation() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let faults = [
        Fault::Value(nan),
        Fault::Value(inf),
        Fault::Value(-inf),
        Fault::Gradient(nan),
        Fault::Gradient(inf),
    ];
    let (mut converged, mut runs) = (0, 0);
    for (name, map) in maps() {
        let map = &*map;
        for method in methods(map) {
            for fault in faults {
                for lasting in [false, true] {
                    for at in 0..30 {
                        let mut f = Faulty::new(fault, at, lasting);
                        let s = Minimize::new(&mut f, map)
                            .unwrap()
                            .method(method.clone())
                            .run()
                            .unwrap();
                        let what = format!("{name}, {method:?}, {fault:?} at {at}, lasting {lasting}");
                        honest(&what, &s, map);
                        let reached = f.calls > at;
                        if at == 0 {
                            assert_eq!(s.status, Status::NotFinite, "{what}");
                        } else if reached && lasting {
                            // the best point before it
                            assert!(s.objective.is_finite(), "{what}");
                        } else {
                            converged += usize::from(s.status.is_converged());
                            runs += 1;
                        }
                    }
                }
            }
        }
    }
    // one bad value is a point refused: nearly every run goes on and ends at the solution
    assert!(converged * 10 >= runs * 9, "{converged} of {runs}");
}

#[test]
fn errors_and_panics_at_every_evaluation() {
    quiet();
    for (name, map) in maps() {
        let map = &*map;
        for method in methods(map) {
            for at in 0..20 {
                let run = |f: &mut Faulty| Minimize::new(f, map).unwrap().method(method.clone()).run();
                let mut f = Faulty::new(Fault::Error, at, false);
                let result = run(&mut f);
                if f.calls > at {
                    // the user's own error, with its type
                    let Err(Error::Evaluation(error)) = result else {
                        panic!("{name}, error at {at}")
                    };
                    assert_eq!(error.downcast_ref::<Bang>(), Some(&Bang));
                }
                let mut f = Faulty::new(Fault::Panic, at, false);
                let result = catch_unwind(AssertUnwindSafe(|| run(&mut f)));
                if f.calls > at {
                    // the user's own panic, with its payload
                    assert!(is_bang(result), "{name}, panic at {at}");
                }
            }
        }
    }
}

/// A by products; the k-th product (of both kinds) is bad.
struct Products<'a> {
    a: &'a [f64],
    m: usize,
    n: usize,
    calls: Cell<usize>,
    at: Cell<usize>,
    fault: Fault,
}

impl Products<'_> {
    fn count(&self, y: &mut [f64]) {
        let now = self.calls.get() == self.at.get();
        self.calls.set(self.calls.get() + 1);
        match self.fault {
            Fault::Panic if now => {
                y[0] = 1e9; // half written
                panic_any(Bang)
            }
            Fault::Value(bad) if now => y[0] = bad,
            _ => {}
        }
    }
}

impl LinearOperator<f64> for Products<'_> {
    fn rows(&self) -> usize {
        self.m
    }
    fn columns(&self) -> usize {
        self.n
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        Dense::row_major(self.a, self.m, self.n).unwrap().apply(x, y);
        self.count(y);
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        Dense::row_major(self.a, self.m, self.n)
            .unwrap()
            .apply_adjoint(y, x);
        self.count(x);
    }
}

const STRATEGIES: [Strategy; 6] = [
    Strategy::Auto,
    Strategy::ActiveSet,
    Strategy::LiftedCg,
    Strategy::ProjectedCg,
    Strategy::LeastDistance,
    Strategy::InteriorPoint,
];
const CHOICES: [Choice; 3] = [Choice::Auto, Choice::ActiveSet, Choice::AcceleratedGradient];

#[test]
fn a_panic_inside_a_leaves_nothing_behind() {
    quiet();
    let (m, n) = (8, N);
    let (a, b) = system(3, m, n);
    let products = |fault| Products {
        a: &a,
        m,
        n,
        calls: Cell::new(0),
        at: Cell::new(usize::MAX),
        fault,
    };
    // an objective that is used again after a panic in any product gives what a new one gives
    let run = |f: &mut LeastSquares<&Products<'_>, f64>| {
        Minimize::new(f, Squares::new(n))
            .unwrap()
            .method(Lbfgs::new(5))
            .run()
    };
    let clean = products(Fault::Panic);
    let expected = run(&mut LeastSquares::new(&clean, &b).unwrap()).unwrap();
    for at in 0..clean.calls.get() {
        let a = products(Fault::Panic);
        let mut f = LeastSquares::new(&a, &b).unwrap();
        a.at.set(at);
        assert!(
            is_bang(catch_unwind(AssertUnwindSafe(|| run(&mut f)))),
            "product {at}"
        );
        a.at.set(usize::MAX);
        // a search may have left its last image there: the same point may be known to other digits
        let again = run(&mut f).unwrap();
        assert_eq!(
            (&again.x, again.status),
            (&expected.x, expected.status),
            "after product {at}"
        );
    }
    // f at the point of the evaluation before, when A has panicked at another
    let a = products(Fault::Panic);
    let mut f = LeastSquares::new(&a, &b).unwrap();
    let (x, y) = (vec![0.5; n], vec![0.25; n]);
    let before = f.value(&x).unwrap();
    a.at.set(a.calls.get());
    assert!(is_bang(catch_unwind(AssertUnwindSafe(|| f.value(&y)))));
    assert_eq!(f.value(&x).unwrap(), before, "of the half-written image");

    // the same for the solvers of least squares, whose builders are used again
    for strategy in STRATEGIES {
        let clean = products(Fault::Panic);
        let expected = Nnls::new(&clean).strategy(strategy).solve(&b).unwrap();
        for at in 0..clean.calls.get() {
            let a = products(Fault::Panic);
            let solver = Nnls::new(&a).strategy(strategy);
            a.at.set(at);
            assert!(
                is_bang(catch_unwind(AssertUnwindSafe(|| solver.solve(&b)))),
                "{strategy:?} {at}"
            );
            assert_eq!(solver.solve(&b).unwrap().x, expected.x, "{strategy:?} {at}");
        }
    }
}

/// Objectives own scratch and caches: after a panic or an error in the middle of the user's code they give what new ones give.
#[test]
fn objectives_are_as_new_after_a_panic_or_an_error() {
    quiet();
    for panics in [true, false] {
        let (calls, at) = (Cell::new(0), Cell::new(usize::MAX));
        let count = |half: &mut f64| -> Evaluation<()> {
            let now = calls.get() == at.get();
            calls.set(calls.get() + 1);
            if now {
                *half = 1e9; // half written
                if panics {
                    panic_any(Bang);
                }
                return Err(Bang.into());
            }
            Ok(())
        };
        let residuals = || {
            FromResiduals::new(8, N, |x: &[f64], r: &mut [f64]| {
                r.copy_from_slice(&Faulty::residuals(x));
                count(&mut r[0])
            })
            .with_jacobian(|_: &[f64], j: &mut [f64]| {
                j.copy_from_slice(&system(3, 8, N).0);
                count(&mut j[0])
            })
        };
        let gradient = || {
            FromFn::new(N, |x: &[f64], g: &mut [f64]| {
                Faulty::slope(x, g);
                count(&mut g[0])?;
                Ok(0.5 * Faulty::residuals(x).iter().map(|r| r * r).sum::<f64>())
            })
        };
        type Make<'m> = Box<dyn Fn() -> Box<dyn Objective<f64> + 'm> + 'm>;
        let makes: Vec<(&str, Make<'_>)> = vec![
            (
                "residuals",
                Box::new(|| Box::new(NonlinearLeastSquares::new(residuals()).unwrap())),
            ),
            (
                "differences of residuals",
                Box::new(|| {
                    let f = NonlinearLeastSquares::new(residuals()).unwrap();
                    Box::new(f.with_differences(Differences::central()))
                }),
            ),
            (
                "differences of gradients",
                Box::new(|| Box::new(FiniteDifference::hessian(gradient(), Differences::central()))),
            ),
        ];
        for (name, make) in &makes {
            for method in [
                State::from(TrustRegion::new()),
                Lbfgs::new(4).into(),
                LevenbergMarquardt::new().into(),
            ] {
                if *name == "differences of gradients" && method.name() == "Levenberg–Marquardt" {
                    continue; // no residuals there
                }
                let run = |f: &mut dyn Objective<f64>| {
                    Minimize::new(f, Squares::new(N))
                        .unwrap()
                        .method(method.clone())
                        .run()
                };
                at.set(usize::MAX);
                calls.set(0);
                let expected = run(&mut *make()).unwrap();
                let all = calls.get();
                for k in 0..all {
                    let mut f = make();
                    calls.set(0);
                    at.set(k);
                    let first = catch_unwind(AssertUnwindSafe(|| run(&mut *f)));
                    assert!(
                        if panics {
                            is_bang(first)
                        } else {
                            first.is_ok_and(|r| r.is_err())
                        },
                        "{name} {k}"
                    );
                    at.set(usize::MAX);
                    let again = run(&mut *f).unwrap();
                    let what = format!("{name}, {}, call {k} of {all}, panics: {panics}", method.name());
                    assert_eq!((&again.x, again.status), (&expected.x, expected.status), "{what}");
                }
            }
        }
    }
}

#[test]
fn nan_and_infinities_in_every_product() {
    let (m, n) = (8, N);
    let (entries, b) = system(3, m, n);
    let dense = Dense::row_major(&entries, m, n).unwrap();
    let optimum = reparam::nnls(&dense, &b).unwrap().objective;
    let boxed = BoundedLeastSquares::new(&dense, &[-0.2; N], &[0.8; N])
        .solve(&b)
        .unwrap();
    for bad in [f64::NAN, f64::INFINITY, -f64::INFINITY] {
        for at in 0..200 {
            let products = || Products {
                a: &entries,
                m,
                n,
                calls: Cell::new(0),
                at: Cell::new(at),
                fault: Fault::Value(bad),
            };
            for strategy in STRATEGIES {
                let a = products();
                let result = Nnls::new(&a).strategy(strategy).solve(&b);
                check(
                    &format!("{strategy:?}, {bad} in product {at}"),
                    result,
                    optimum,
                    |x| x >= 0.0,
                );
            }
            for strategy in CHOICES {
                let a = products();
                let result = BoundedLeastSquares::new(&a, &[-0.2; N], &[0.8; N])
                    .strategy(strategy)
                    .solve(&b);
                check(
                    &format!("{strategy:?}, {bad} in product {at}, box"),
                    result,
                    boxed.objective,
                    |x| (-0.2..=0.8).contains(&x),
                );
            }
        }
    }
}

/// A typed error, or a point of the set; solved only where it is.
fn check(what: &str, result: Result<Solution<f64>, Error>, optimum: f64, inside: impl Fn(f64) -> bool) {
    match result {
        Err(error) => assert!(
            matches!(
                error,
                Error::NotFinite { .. } | Error::NotFiniteEntry { .. } | Error::Unrepresentable { .. }
            ),
            "{what}: {error}"
        ),
        Ok(s) => {
            assert!(s.x.iter().all(|v| inside(*v)), "{what}: {:?}", s.x);
            if s.status.is_solved() {
                assert!(
                    (s.objective - optimum).abs() <= 1e-7 * (1.0 + optimum),
                    "{what}: {s}"
                );
            }
        }
    }
}

/// Closures that are handed out as A: a panic in one of them, and NaN that comes late.
#[test]
fn closures_as_a() {
    quiet();
    let panics = MatrixFree::new(
        600,
        600,
        |_: &[f64], _: &mut [f64]| panic_any(Bang),
        |y: &[f64], x: &mut [f64]| {
            x.copy_from_slice(y);
        },
    );
    assert!(is_bang(catch_unwind(AssertUnwindSafe(|| reparam::nnls(
        &panics,
        &vec![1.0; 600]
    )))));
}
