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

const STRATEGIES: [Strategy; 4] = [
    Strategy::Auto,
    Strategy::ActiveSet,
    Strategy::Flow,
    Strategy::ProjectedGradients,
];
const CHOICES: [Choice; 3] = [Choice::Auto, Choice::ActiveSet, Choice::ProjectedGradient];

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

// ---- being stopped ----------------------------------------------------------------------------------------

#[test]
fn cancelled_at_every_iteration() {
    for (name, map) in maps() {
        let map = &*map;
        for method in methods(map) {
            let mut path: Vec<(Vec<f64>, f64)> = Vec::new();
            let f = || Faulty::new(Fault::Error, usize::MAX, false);
            let whole = Minimize::new(f(), map)
                .unwrap()
                .method(method.clone())
                .observe(|p: &Progress<'_, f64>| {
                    path.push((p.x.to_vec(), p.value));
                    ControlFlow::Continue(())
                })
                .run()
                .unwrap();
            assert!(path.len() > 3, "{name}");
            for (k, seen) in path.iter().enumerate() {
                // by a token raised elsewhere, and by the observer itself
                for by_token in [true, false] {
                    let token = CancelToken::new();
                    let raise = token.clone();
                    let s = Minimize::new(f(), map)
                        .unwrap()
                        .method(method.clone())
                        .cancel_token(token)
                        .observe(|p: &Progress<'_, f64>| match (p.iteration == k, by_token) {
                            (true, true) => {
                                raise.cancel();
                                ControlFlow::Continue(())
                            }
                            (true, false) => ControlFlow::Break(()),
                            _ => ControlFlow::Continue(()),
                        })
                        .run()
                        .unwrap();
                    let what = format!("{name}, {method:?}, {k} of {}", path.len());
                    honest(&what, &s, map);
                    assert_eq!(s.iterations, k, "{what}");
                    if s.status == Status::Cancelled {
                        assert_eq!((&s.x, s.objective), (&seen.0, seen.1), "{what}");
                    } else {
                        // found in the very iteration
                        assert_eq!((s.status, k), (whole.status, whole.iterations), "{what}");
                    }
                }
            }
            // f never grows beyond rounding
            for pair in path.windows(2) {
                assert!(pair[1].1 <= pair[0].1 * (1.0 + 1e-12), "{name}, {method:?}");
            }
        }
    }
}

/// Raises the token at its k-th product.
struct Raising<'a> {
    a: Dense<'a, f64>,
    token: CancelToken,
    at: usize,
    calls: Cell<usize>,
}

impl Raising<'_> {
    fn count(&self) {
        if self.calls.get() == self.at {
            self.token.cancel();
        }
        self.calls.set(self.calls.get() + 1);
    }
}

impl LinearOperator<f64> for Raising<'_> {
    fn rows(&self) -> usize {
        self.a.rows()
    }
    fn columns(&self) -> usize {
        self.a.columns()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.a.apply(x, y);
        self.count();
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.a.apply_adjoint(y, x);
        self.count();
    }
}

#[test]
fn least_squares_cancelled_at_every_product_and_every_iteration() {
    let (m, n) = (30, 20);
    let (entries, b) = system(11, m, n);
    let dense = Dense::row_major(&entries, m, n).unwrap();
    let zero = 0.5 * b.iter().map(|v| v * v).sum::<f64>();
    let optimum = reparam::nnls(&dense, &b).unwrap().objective;
    let judge = |what: &str, s: &Solution<f64>, start: f64, optimum: f64, stopped: Status| {
        assert!([Status::Solved, stopped].contains(&s.status), "{what}: {s}");
        assert!(
            s.objective <= start * (1.0 + 1e-12),
            "{what}: worse than the start: {s}"
        );
        if s.status.is_solved() {
            assert!(s.objective <= optimum * (1.0 + 1e-7), "{what}: {s}");
        }
    };
    let (low, high) = (vec![-0.1; n], vec![0.5; n]);
    let inside = BoundedLeastSquares::new(&dense, &low, &high);
    let (boxed, box_start) = (
        inside.solve(&b).unwrap().objective,
        inside.clone().max_iterations(0).solve(&b).unwrap().objective,
    );
    let mut cancelled = 0;
    for at in 0..400 {
        for strategy in STRATEGIES {
            let token = CancelToken::new();
            let a = Raising {
                a: dense,
                token: token.clone(),
                at,
                calls: Cell::new(0),
            };
            let s = Nnls::new(&a)
                .strategy(strategy)
                .cancel_token(token)
                .solve(&b)
                .unwrap();
            assert!(s.x.iter().all(|v| *v >= 0.0));
            judge(
                &format!("{strategy:?}, product {at}"),
                &s,
                zero,
                optimum,
                Status::Cancelled,
            );
            cancelled += usize::from(s.status == Status::Cancelled);
        }
        for strategy in CHOICES {
            let token = CancelToken::new();
            let a = Raising {
                a: dense,
                token: token.clone(),
                at,
                calls: Cell::new(0),
            };
            let solver = BoundedLeastSquares::new(&a, &low, &high).strategy(strategy);
            let s = solver.cancel_token(token).solve(&b).unwrap();
            assert!(s.x.iter().all(|v| (-0.1..=0.5).contains(v)));
            judge(
                &format!("{strategy:?}, product {at}, box"),
                &s,
                box_start,
                boxed,
                Status::Cancelled,
            );
            cancelled += usize::from(s.status == Status::Cancelled);
        }
    }
    assert!(cancelled > 500, "{cancelled}");
    // methods that read the entries make no calls that could raise a token: the iteration limit is looked at in the same place
    for k in 0..120 {
        for strategy in [
            Strategy::Auto,
            Strategy::BlockExchange,
            Strategy::ActiveSet,
            Strategy::CoordinateDescent,
            Strategy::WorkingSet,
            Strategy::Flow,
            Strategy::ProjectedGradients,
        ] {
            let s = Nnls::new(&dense)
                .strategy(strategy)
                .max_iterations(k)
                .solve(&b)
                .unwrap();
            assert!(s.x.iter().all(|v| *v >= 0.0) && s.iterations <= k);
            judge(
                &format!("{strategy:?}, {k} iterations"),
                &s,
                zero,
                optimum,
                Status::IterationLimit,
            );
        }
    }
}

#[test]
fn dynamics_cancelled_at_every_step() {
    let (a, b) = system(3, 8, N);
    let a = Dense::row_major(&a, 8, N).unwrap();
    let problem = || {
        Integrate::new(LeastSquares::new(a, &b).unwrap(), Squares::new(N))
            .unwrap()
            .start_u0(0.3)
    };
    let mut path = Vec::new();
    problem()
        .max_iterations(60)
        .observe(|p: &Progress<'_, f64>| {
            path.push(p.x.to_vec());
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    for (k, x) in path.iter().enumerate().take(60) {
        let token = CancelToken::new();
        let raise = token.clone();
        let run = problem()
            .cancel_token(token)
            .observe(|p: &Progress<'_, f64>| {
                if p.iteration == k {
                    raise.cancel();
                }
                ControlFlow::Continue(())
            })
            .run()
            .unwrap();
        assert_eq!(
            (run.solution.status, run.solution.iterations),
            (Status::Cancelled, k)
        );
        assert_eq!(&run.solution.x, x);
    }
}

#[test]
fn no_time_at_all() {
    let (entries, b) = system(3, 8, N);
    let a = Dense::row_major(&entries, 8, N).unwrap();
    let none = Duration::ZERO;
    let f = || LeastSquares::new(a, &b).unwrap();
    for (name, map) in maps() {
        let map = &*map;
        for method in methods(map) {
            let s = Minimize::new(f(), map)
                .unwrap()
                .method(method)
                .time_limit(none)
                .run()
                .unwrap();
            assert_eq!((s.status, s.iterations), (Status::TimeLimit, 0), "{name}");
            honest(name, &s, map);
        }
        let run = Integrate::new(f(), map).unwrap().time_limit(none).run().unwrap();
        assert_eq!(
            (run.solution.status, run.solution.iterations),
            (Status::TimeLimit, 0),
            "{name}"
        );
    }
    let residuals = FromResiduals::new(8, N, |x: &[f64], r: &mut [f64]| {
        r.copy_from_slice(&Faulty::residuals(x));
        Ok(())
    });
    let s = Minimize::new(
        NonlinearLeastSquares::new(residuals)
            .unwrap()
            .with_differences(Differences::forward()),
        Squares::new(N),
    )
    .unwrap()
    .method(LevenbergMarquardt::new())
    .time_limit(none)
    .run()
    .unwrap();
    assert_eq!((s.status, s.iterations), (Status::TimeLimit, 0));
    for s in [
        Nnls::new(&a).time_limit(none).solve(&b).unwrap(),
        BoundedLeastSquares::new(&a, &[0.1; N], &[0.2; N])
            .time_limit(none)
            .solve(&b)
            .unwrap(),
        BoundedLeastSquares::simplex(&a, 1.0)
            .time_limit(none)
            .solve(&b)
            .unwrap(),
    ] {
        assert_eq!((s.status, s.iterations), (Status::TimeLimit, 0));
        assert!(s.certificate.natural_residual > 1e-8);
    }
}

// ---- threads ----------------------------------------------------------------------------------------------

/// One thread or more: the same bits. (Work is cut into parts by size, not by the number of threads.)
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let (m, n) = (900, 260); // beyond every threshold from which on threads are used
    let mut random = Random::new(5);
    let entries: Vec<f64> = random.normals(m * n);
    let b: Vec<f64> = random.normals(m);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut all = Vec::new();
            for a in [
                Dense::row_major(&entries, m, n).unwrap(),
                Dense::column_major(&entries, m, n).unwrap(),
            ] {
                for strategy in [
                    Strategy::Auto,
                    Strategy::BlockExchange,
                    Strategy::ActiveSet,
                    Strategy::ProjectedGradients,
                ] {
                    all.push(Nnls::new(&a).strategy(strategy).solve(&b).unwrap());
                }
                all.push(
                    BoundedLeastSquares::new(&a, &vec![-0.01; n], &vec![0.02; n])
                        .solve(&b)
                        .unwrap(),
                );
                all.push(BoundedLeastSquares::simplex(&a, 1.0).solve(&b).unwrap());
                all.push(
                    Minimize::new(LeastSquares::new(a, &b).unwrap(), Squares::new(n))
                        .unwrap()
                        .run()
                        .unwrap(),
                );
            }
            all
        })
    };
    let (one, two, four) = (with(1), with(2), with(4));
    for (k, s) in one.iter().enumerate() {
        assert!(s.status.is_solved(), "{k}: {s}");
        for t in [&two[k], &four[k]] {
            assert_eq!(s.x, t.x, "run {k}, {}", s.phase);
            assert_eq!(s.certificate, t.certificate, "run {k}");
            assert_eq!((s.iterations, s.counts), (t.iterations, t.counts), "run {k}");
        }
    }
}

// ---- checkpoints ------------------------------------------------------------------------------------------

#[cfg(feature = "serde")]
mod checkpoints {
    use super::*;
    use reparam::Checkpoint;

    fn saved(
        f: impl Objective<f64>,
        map: &dyn Reparametrization<f64>,
        method: State<f64>,
        at: usize,
    ) -> Checkpoint<f64> {
        let mut saved = None;
        Minimize::new(f, map)
            .unwrap()
            .method(method)
            .observe(|p: &Progress<'_, f64>| {
                if p.iteration <= at {
                    saved = Some(p.checkpoint());
                }
                ControlFlow::Continue(())
            })
            .run()
            .unwrap();
        saved.unwrap()
    }

    fn plain() -> Faulty {
        Faulty::new(Fault::Error, usize::MAX, false)
    }

    #[test]
    fn every_byte_damaged_and_every_length_cut() {
        for (name, map) in maps() {
            let map = &*map;
            for method in methods(map) {
                let checkpoint = saved(plain(), map, method.clone(), 4);
                let bytes = serde_json::to_vec(&checkpoint).unwrap();
                let read = |bytes: &[u8]| serde_json::from_slice::<Checkpoint<f64>>(bytes);
                assert_eq!(read(&bytes).unwrap(), checkpoint);
                let mut harmless = 0;
                for at in 0..bytes.len() {
                    assert!(read(&bytes[..at]).is_err(), "{name}: cut to {at} bytes");
                    for flip in [0x01, 0x04, 0x10, 0x80] {
                        let mut damaged = bytes.clone();
                        damaged[at] ^= flip;
                        // an error, or the very same state (1e-3 for 1E-3, digits beyond the last)
                        if let Ok(other) = read(&damaged) {
                            assert_eq!(other, checkpoint, "{name}: byte {at} ^ {flip:#x}");
                            harmless += 1;
                        }
                    }
                }
                assert!(
                    harmless * 5 < bytes.len(),
                    "{name}: {harmless} of {}",
                    4 * bytes.len()
                );
            }
        }
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let checkpoint = saved(plain(), &Squares::new(N), Lbfgs::new(3).into(), 3);
        let mut value = serde_json::to_value(&checkpoint).unwrap();
        for version in [0, 2, 4] {
            value["version"] = version.into();
            let error = serde_json::from_value::<Checkpoint<f64>>(value.clone()).unwrap_err();
            assert!(error.to_string().contains("another version"), "{error}");
        }
        // a file of the time before there were checksums
        let old = serde_json::to_value(&checkpoint).unwrap()["content"].clone();
        assert!(serde_json::from_value::<Checkpoint<f64>>(old).is_err());
    }

    #[test]
    fn another_problem_is_refused() {
        let map = Squares::new(N);
        let (a, b) = system(3, 8, N);
        let a = Dense::row_major(&a, 8, N).unwrap();
        let f = |b: &[f64]| LeastSquares::new(a, b).unwrap();
        for at in [0, 3, 1000] {
            let checkpoint = saved(f(&b), &map, Lbfgs::new(5).into(), at);
            let resume = |f: LeastSquares<Dense<'_, f64>, f64>, map: &dyn Reparametrization<f64>| {
                Minimize::new(f, map).unwrap().resume(checkpoint.clone())
            };
            assert!(resume(f(&b), &map).unwrap().status.is_solved());
            let other: Vec<f64> = b
                .iter()
                .enumerate()
                .map(|(i, v)| v + 0.1 * (i as f64).sin())
                .collect();
            // outside of this box, too
            let narrow = Bounds::new(vec![0.0; N], vec![1e-3; N]).unwrap();
            for refused in [resume(f(&other), &map), resume(f(&b), &narrow)] {
                assert!(
                    matches!(
                        refused,
                        Err(Error::Setting {
                            name: "checkpoint",
                            ..
                        })
                    ),
                    "{at}: {refused:?}"
                );
            }
        }
        // a snapshot of the dynamics
        let run = Integrate::new(f(&b), &map)
            .unwrap()
            .start_u0(0.3)
            .max_iterations(5)
            .run()
            .unwrap();
        let text = serde_json::to_string(&run.snapshot).unwrap();
        let damaged = text.replacen("0.3", "0.4", 1);
        let read = |text: &str| serde_json::from_str(text).map(|s: reparam::Snapshot<f64, _>| s);
        assert!(read(&text).is_ok_and(|s| s == run.snapshot));
        assert!(damaged == text || read(&damaged).map(|s| s == run.snapshot).is_err());
        let refused = Integrate::new(f(&[1.0; 8]), &map).unwrap().resume(run.snapshot);
        assert!(matches!(
            refused,
            Err(Error::Setting {
                name: "checkpoint",
                ..
            })
        ));
    }

    /// argmin's file, bincode: the solver's part of it is ours.
    #[cfg(feature = "argmin")]
    #[test]
    fn argmins_files() {
        use argmin::core::Executor;
        use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
        use reparam::adapters::argmin::{NnlsSolver, ObjectiveProblem, ReparamSolver, Resume};
        let (a, b) = system(3, 8, N);
        let a = nalgebra::DMatrix::from_row_slice(8, N, &a);
        let problem = || ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a.clone(), &b).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.arg");
        let file = || {
            FileCheckpoint::new(
                folder.path().to_str().unwrap(),
                "run",
                CheckpointingFrequency::Always,
            )
        };
        let solver = ReparamSolver::new(Squares::new(N), State::from(Lbfgs::new(4)));
        Executor::new(problem(), solver.clone())
            .configure(|s| s.max_iters(3))
            .checkpointing(Resume::new(file(), solver.clone()))
            .run()
            .unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let run = || {
            Executor::new(problem(), solver.clone())
                .checkpointing(Resume::new(file(), solver.clone()).max_iters(500))
                .run()
        };
        let expected = run().unwrap().state.best_param;
        // (ends before argmin's state: x, and what follows, is argmin's, which bincode reads without a limit)
        let state = bytes.windows(8).rposition(|w| w == 3_u64.to_le_bytes()).unwrap();
        let ours = bytes.len() / 2;
        assert!(ours < state);
        let mut refused = 0;
        for at in 0..ours {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            match run() {
                Err(_) => refused += 1,
                Ok(result) => assert_eq!(result.state.best_param, expected, "byte {at}"),
            }
            if at % 16 == 0 {
                std::fs::write(&path, &bytes[..at]).unwrap();
                assert!(run().is_err(), "cut to {at} bytes");
            }
        }
        assert_eq!(refused, ours, "no byte of it is without meaning");

        // NNLS: the whole solver is in the file, its tolerance too
        let solver = NnlsSolver::<f64>::new()
            .tolerance(1e-9)
            .strategy(Strategy::Flow)
            .steps(2);
        let text = serde_json::to_string(&solver).unwrap();
        let loose = text.replace("1e-9", "1e9");
        assert_ne!(loose, text);
        serde_json::from_str::<NnlsSolver<f64>>(&text).unwrap();
        assert!(serde_json::from_str::<NnlsSolver<f64>>(&loose).is_err());
    }
}

// ---- the adapters -----------------------------------------------------------------------------------------

#[cfg(feature = "argmin")]
mod argmin_problems {
    use super::*;
    use argmin::core::{CostFunction, Executor, Gradient, Hessian, Jacobian, Operator};
    use argmin::solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS};
    use reparam::adapters::argmin::{ReparamSolver, Reparametrized};

    /// Wrong lengths, or a panic, where asked for.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Wrong {
        Nothing,
        Gradient(usize),
        HessianRows(usize),
        Ragged,
        Residuals(usize),
        JacobianRows(usize),
        JacobianColumns(usize),
        Panic,
    }

    struct Problem(Wrong);

    impl Problem {
        fn rows(rows: usize, columns: usize) -> Vec<Vec<f64>> {
            (0..rows)
                .map(|i| (0..columns).map(|j| f64::from(u8::from(i == j))).collect())
                .collect()
        }
    }

    impl CostFunction for Problem {
        type Param = Vec<f64>;
        type Output = f64;
        fn cost(&self, x: &Vec<f64>) -> Result<f64, argmin::core::Error> {
            if self.0 == Wrong::Panic {
                panic_any(Bang);
            }
            Ok(x.iter().map(|v| 0.5 * (v - 1.0).powi(2)).sum())
        }
    }
    impl Gradient for Problem {
        type Param = Vec<f64>;
        type Gradient = Vec<f64>;
        fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
            let mut g: Vec<f64> = x.iter().map(|v| v - 1.0).collect();
            if let Wrong::Gradient(n) = self.0 {
                g.resize(n, 0.0);
            }
            Ok(g)
        }
    }
    impl Hessian for Problem {
        type Param = Vec<f64>;
        type Hessian = Vec<Vec<f64>>;
        fn hessian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, argmin::core::Error> {
            let n = x.len();
            let mut h = match self.0 {
                Wrong::HessianRows(m) => Self::rows(m, n),
                _ => Self::rows(n, n),
            };
            if self.0 == Wrong::Ragged {
                h[1].pop();
            }
            Ok(h)
        }
    }
    impl Operator for Problem {
        type Param = Vec<f64>;
        type Output = Vec<f64>;
        fn apply(&self, x: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
            let mut r: Vec<f64> = x.iter().map(|v| v - 1.0).collect();
            // only later: the first says how many there are
            if let (Wrong::Residuals(m), true) = (self.0, x[0] != 4.0) {
                r.resize(m, 0.0);
            }
            Ok(r)
        }
    }
    impl Jacobian for Problem {
        type Param = Vec<f64>;
        type Jacobian = Vec<Vec<f64>>;
        fn jacobian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, argmin::core::Error> {
            let n = x.len();
            let mut j = match self.0 {
                Wrong::JacobianRows(m) => Self::rows(m, n),
                Wrong::JacobianColumns(m) => Self::rows(n, m),
                _ => Self::rows(n, n),
            };
            if self.0 == Wrong::Ragged {
                j[1].push(0.0);
            }
            Ok(j)
        }
    }

    fn run(wrong: Wrong, which: usize) -> Result<Status, argmin::core::Error> {
        let start = vec![4.0; 3];
        let map = || Squares::new(3);
        macro_rules! go {
            ($solver:expr) => {{
                let run = Executor::new(Problem(wrong), $solver)
                    .configure(|s| s.param(start).max_iters(50))
                    .run()?;
                Ok(run.solver.solution(&run.state).unwrap().status)
            }};
        }
        match which {
            0 => go!(ReparamSolver::new(map(), Lbfgs::new(3))),
            1 => go!(ReparamSolver::new(map(), TrustRegion::new()).with_hessian()),
            _ => go!(ReparamSolver::new(map(), LevenbergMarquardt::new()).with_residuals()),
        }
    }

    #[test]
    fn wrong_lengths_are_errors_that_say_so() {
        for which in 0..3 {
            assert!(run(Wrong::Nothing, which).unwrap().is_converged());
        }
        let cases = [
            (
                Wrong::Gradient(2),
                0,
                "the gradient of the problem has length 2, expected 3",
            ),
            (
                Wrong::Gradient(4),
                1,
                "the gradient of the problem has length 4, expected 3",
            ),
            (
                Wrong::Gradient(0),
                0,
                "the gradient of the problem has length 0, expected 3",
            ),
            (Wrong::HessianRows(2), 1, "the Hessian has 2 rows, expected 3"),
            (Wrong::HessianRows(4), 1, "the Hessian has 4 rows, expected 3"),
            (Wrong::HessianRows(0), 1, "the matrix has 0 columns, expected 3"),
            (Wrong::Ragged, 1, "the rows of the matrix have different lengths"),
            (Wrong::Ragged, 2, "the rows of the matrix have different lengths"),
            (
                Wrong::Residuals(2),
                2,
                "the residual of the problem has length 2, expected 3",
            ),
            (Wrong::JacobianRows(2), 2, "the Jacobian has 2 rows, expected 3"),
            (
                Wrong::JacobianColumns(5),
                2,
                "the matrix has 5 columns, expected 3",
            ),
        ];
        for (wrong, which, sentence) in cases {
            let error = run(wrong, which).unwrap_err();
            assert!(error.to_string().ends_with(sentence), "{wrong:?}: {error}");
        }
        // the other direction
        let lifted: Reparametrized<_, _, Vec<f64>> =
            Reparametrized::new(Problem(Wrong::Gradient(2)), Squares::new(3));
        let error = lifted.gradient(&vec![2.0; 3]).unwrap_err();
        assert!(error.to_string().contains("length 2, expected 3"), "{error}");
        assert!(lifted.cost(&vec![2.0; 2]).is_err());
    }

    #[test]
    fn a_panic_goes_through() {
        quiet();
        assert!(is_bang(catch_unwind(|| run(Wrong::Panic, 0))));
        let lifted: Reparametrized<_, _, Vec<f64>> =
            Reparametrized::new(Problem(Wrong::Panic), Squares::new(3));
        // and the lifted problem is not poisoned by it
        for _ in 0..2 {
            assert!(is_bang(catch_unwind(AssertUnwindSafe(
                || lifted.cost(&vec![2.0; 3])
            ))));
        }
        assert_eq!(lifted.gradient(&vec![2.0; 3]).unwrap(), vec![12.0; 3]);
    }

    #[test]
    fn cancelled_at_every_iteration_in_the_executor() {
        use argmin::core::observers::{Observe, ObserverMode};
        struct Raise(CancelToken, u64);
        impl<S: argmin::core::State> Observe<S> for Raise {
            fn observe_iter(&mut self, state: &S, _: &argmin::core::KV) -> Result<(), argmin::core::Error> {
                if state.get_iter() >= self.1 {
                    self.0.cancel();
                }
                Ok(())
            }
        }
        let solver = || ReparamSolver::new(Squares::new(3), ConjugateGradient::new()).tolerance(1e-300);
        for k in 0..8 {
            let token = CancelToken::new();
            let run = Executor::new(Problem(Wrong::Nothing), solver().cancel_token(token.clone()))
                .configure(|s| s.param(vec![4.0, 0.1, 2.0]).max_iters(50))
                .add_observer(Raise(token, k), ObserverMode::Always)
                .run()
                .unwrap();
            let s = run.solver.solution(&run.state).unwrap();
            assert_eq!(run.state.best_param.as_ref(), Some(&s.x));
            if run.state.iter <= k {
                continue; // ended before
            }
            assert_eq!(
                (s.status, run.state.iter, s.iterations as u64),
                (Status::Cancelled, k + 1, k + 1)
            );
        }
        // their solver: the state, and the best point with our certificate
        let lifted: Reparametrized<_, _, Vec<f64>> =
            Reparametrized::new(Problem(Wrong::Nothing), Squares::new(3));
        let u = lifted.start(&[4.0, 0.1, 2.0]).unwrap();
        for k in 0..6 {
            let run = Executor::new(&lifted, LBFGS::new(MoreThuenteLineSearch::new(), 3))
                .configure(|s| s.param(u.clone()).max_iters(k))
                .run();
            let s = lifted.solution(&run).unwrap();
            assert!(
                s.status.is_converged() || s.status == Status::IterationLimit,
                "{s}"
            );
            assert!(s.x.iter().all(|v| *v >= 0.0));
        }
    }
}

#[cfg(feature = "basin")]
#[test]
fn basin_wrong_lengths_are_errors_that_say_so() {
    use basin::{CostFunction, Executor, FirstOrderState, Gradient, HessianProduct};
    use reparam::adapters::basin::{ReparamSolver, Reparametrized};
    use std::convert::Infallible;

    struct Problem {
        gradient: usize,
        product: usize,
    }
    impl CostFunction for Problem {
        type Param = Vec<f64>;
        type Output = f64;
        type Error = Infallible;
        fn cost(&self, x: &Vec<f64>) -> Result<f64, Infallible> {
            Ok(x.iter().map(|v| 0.5 * (v - 1.0).powi(2)).sum())
        }
    }
    impl Gradient for Problem {
        type Gradient = Vec<f64>;
        fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
            let mut g: Vec<f64> = x.iter().map(|v| v - 1.0).collect();
            g.resize(self.gradient, 0.0);
            Ok(g)
        }
    }
    impl HessianProduct for Problem {
        fn hessian_product(&self, _: &Vec<f64>, v: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
            let mut out = v.clone();
            out.resize(self.product, 0.0);
            Ok(out)
        }
    }
    let run = |gradient, product| {
        let solver = ReparamSolver::new(Squares::new(3), TrustRegion::new()).with_hessian();
        Executor::new(
            Problem { gradient, product },
            solver,
            FirstOrderState::new(vec![4.0; 3]),
        )
        .run_with_solver()
        .map(|r| r.solver.solution(&r.report.termination).unwrap().status)
    };
    assert!(run(3, 3).unwrap().is_converged());
    for (gradient, product) in [(2, 3), (4, 3), (3, 2), (3, 4), (3, 0)] {
        let error = format!("{:?}", run(gradient, product).unwrap_err());
        assert!(error.contains("length"), "{gradient} {product}: {error}");
        let lifted: Reparametrized<_, _, Vec<f64>> =
            Reparametrized::new(Problem { gradient, product }, Squares::new(3));
        assert!(
            (&lifted).hessian_product(&vec![2.0; 3], &vec![1.0; 3]).is_err(),
            "{gradient} {product}"
        );
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
