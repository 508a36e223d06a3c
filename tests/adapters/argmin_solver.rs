//! Direction 1: our solvers in argmin's executor.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use crate::problems::{Fit, read};
use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{
    ArgminFloat, CostFunction, Error, Executor, Gradient, IterState, KV, State, TerminationReason,
    TerminationStatus,
};
use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
use nalgebra::DVector;
use reparam::adapters::argmin::{NnlsSolver, ObjectiveProblem, ReparamSolver, Resume};
use reparam::adapters::{ParamMatrix, ParamVec};
use reparam::lifted::{Lifted, Point};
use reparam::maps::{Ball, Bounds, CappedSimplex, NormalizedSquares, Reparametrization, Softmax, Squares};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, Method, Step, TrustRegion};
use reparam::nnls::Strategy;
use reparam::objectives::{Evaluation, FromResiduals, LeastSquares, NonlinearLeastSquares, Objective};
use reparam::{CancelToken, LinalgScalar, Minimize, Nnls, Phase, Scalar, Solution, Status};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Iterate<X, T> = IterState<X, X, (), (), (), T>;

/// The same function for `Minimize`, with or without the Hessian.
struct Direct<X: ParamVec>(Fit<X>, bool);

impl<X: ParamVec<Entry = T>, T: Scalar> Objective<T> for Direct<X> {
    fn dim(&self) -> usize {
        self.0.a[0].len()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        Ok(self.0.value(x))
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        g.copy_from_slice(&self.0.slope(x));
        Ok(self.0.value(x))
    }
    fn hessian_vector(&mut self, _x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        for (i, o) in out.iter_mut().enumerate() {
            let mut sum = T::zero();
            for (j, v) in v.iter().enumerate() {
                sum += self.0.curvature(i, j) * *v;
            }
            *o = sum;
        }
        Ok(self.1)
    }
    fn hessian_diagonal(&mut self, _x: &[T], out: &mut [T]) -> Evaluation<bool> {
        for (i, o) in out.iter_mut().enumerate() {
            *o = self.0.curvature(i, i);
        }
        Ok(self.1)
    }
}

/// Runs `$solver` on the problem from `$x0` (or no start) and hands back the solution and the state.
macro_rules! execute {
    ($problem:expr, $solver:expr, $x0:expr) => {
        execute!($problem, $solver, $x0, 5000)
    };
    ($problem:expr, $solver:expr, $x0:expr, $iterations:expr) => {{
        let start: Option<Vec<_>> = $x0;
        let result = Executor::new($problem, $solver)
            .configure(|s| {
                let s = s.max_iters($iterations).counting(true);
                match &start {
                    Some(x) => s.param(ParamVec::from_slice(x)),
                    None => s,
                }
            })
            .run()
            .unwrap();
        let solution = result.solver.solution(&result.state).unwrap();
        (solution, result.state)
    }};
}

fn close<T: Scalar>(a: &Solution<T>, b: &Solution<T>) {
    // sums are taken in another order where the library multiplies by the Hessian: not bit for bit there
    for (p, q) in a.x.iter().zip(&b.x) {
        let size = T::one().max(q.abs());
        assert!(
            (*p - *q).abs() <= T::epsilon().sqrt() * size,
            "{:?} {:?}",
            a.x,
            b.x
        );
    }
    assert_eq!(a.status, b.status);
}

fn maps<T: Scalar>() -> Vec<(&'static str, Box<dyn Reparametrization<T>>)> {
    let lit = |v: &[f64]| v.iter().map(|v| T::lit(*v)).collect::<Vec<_>>();
    vec![
        ("squares", Box::new(Squares::new(6))),
        (
            "bounds",
            Box::new(
                Bounds::new(
                    lit(&[0.0, -0.5, f64::NEG_INFINITY, 0.1, -1.0, 0.0]),
                    lit(&[1.0, 0.5, 0.2, 0.1, f64::INFINITY, 0.3]),
                )
                .unwrap(),
            ),
        ),
        ("simplex", Box::new(NormalizedSquares::new(6, T::one()).unwrap())),
        (
            "capped simplex",
            Box::new(CappedSimplex::new(6, T::lit(0.5)).unwrap()),
        ),
        ("ball", Box::new(Ball::new(6, T::lit(0.7)).unwrap())),
        ("softmax", Box::new(Softmax::new(6, T::one()).unwrap())),
    ]
}

/// Every method, map, start: the run through argmin is the run of `Minimize`.
fn same_as_minimize<X, T>()
where
    T: LinalgScalar + ArgminFloat,
    X: ParamVec<Entry = T> + std::fmt::Debug,
{
    for (name, map) in maps::<T>() {
        let mut boundary = vec![T::zero(); 6];
        let corner = [0.0, -0.5, 0.2, 0.1, 0.0, 0.3].map(T::lit);
        match name {
            "bounds" => boundary.copy_from_slice(&corner),
            "simplex" => boundary[2] = T::one(),
            "softmax" => boundary = vec![T::one() / T::lit(6.0); 6],
            _ => {}
        }
        for start in [None, Some(boundary)] {
            let fit = || Fit::<X>::sample(3);
            let minimize = |hessian| {
                let m = Minimize::new(Direct(fit(), hessian), &map).unwrap();
                match &start {
                    Some(x) => m.start(x),
                    None => m,
                }
            };
            let check = |label: &str, ours: &Solution<T>, state: &Iterate<X, T>, direct: &Solution<T>| {
                let what = format!(
                    "{name}, {label}, {} start",
                    if start.is_some() { "boundary" } else { "no" }
                );
                assert_eq!(ours.x, direct.x, "{what}");
                assert_eq!(ours.status, direct.status, "{what}");
                assert_eq!(ours.iterations, direct.iterations, "{what}");
                assert_eq!(ours.counts, direct.counts, "{what}");
                assert_eq!(ours.certificate, direct.certificate, "{what}");
                assert_eq!(ours.phase, direct.phase, "{what}");
                // softmax never reaches the boundary, where the solution is: it may stop short
                if name != "softmax" {
                    assert!(ours.status.is_converged(), "{what}: {ours}");
                }
                assert_eq!(
                    state.best_param.as_ref().map(ParamVec::as_slice),
                    Some(&ours.x[..])
                );
                assert_eq!(state.best_cost, ours.objective);
                // (convergence seen in `init` is no iteration; every other step is one)
                assert_eq!(state.iter as usize, ours.iterations, "{what}");
            };

            let (ours, state) = execute!(fit(), ReparamSolver::new(&map, Lbfgs::new(10)), start.clone());
            check(
                "L-BFGS",
                &ours,
                &state,
                &minimize(false).method(Lbfgs::new(10)).run().unwrap(),
            );

            let (ours, state) = execute!(
                fit(),
                ReparamSolver::new(&map, ConjugateGradient::new()),
                start.clone()
            );
            check(
                "CG",
                &ours,
                &state,
                &minimize(false).method(ConjugateGradient::new()).run().unwrap(),
            );

            let (ours, state) = execute!(fit(), ReparamSolver::new(&map, TrustRegion::new()), start.clone());
            check(
                "differences",
                &ours,
                &state,
                &minimize(false).method(TrustRegion::new()).run().unwrap(),
            );

            let solver = ReparamSolver::new(&map, TrustRegion::new()).with_hessian();
            let (ours, state) = execute!(fit(), solver, start.clone());
            check(
                "trust region",
                &ours,
                &state,
                &minimize(true).method(TrustRegion::new()).run().unwrap(),
            );

            if map.is_coordinatewise() {
                let (ours, state) =
                    execute!(fit(), ReparamSolver::new(&map, BoxLbfgs::new(10)), start.clone());
                check(
                    "box L-BFGS",
                    &ours,
                    &state,
                    &minimize(false).method(BoxLbfgs::new(10)).run().unwrap(),
                );
            } else {
                let refused = Executor::new(fit(), ReparamSolver::new(&map, BoxLbfgs::new(10)))
                    .run()
                    .err()
                    .unwrap();
                assert!(matches!(
                    refused.downcast_ref::<reparam::Error>(),
                    Some(reparam::Error::Setting { .. })
                ));
            }

            let solver = ReparamSolver::new(&map, LevenbergMarquardt::new()).with_residuals();
            let (ours, _) = execute!(fit(), solver, start.clone());
            let f = fit();
            let (a, r) = (f.a.clone(), f.clone());
            let residuals = FromResiduals::new(12, 6, move |x: &[T], out: &mut [T]| {
                out.copy_from_slice(&r.residuals(x));
                Ok(())
            })
            .with_jacobian(move |_: &[T], j: &mut [T]| {
                j.copy_from_slice(&a.concat());
                Ok(())
            });
            let direct = Minimize::new(NonlinearLeastSquares::new(residuals).unwrap(), &map).unwrap();
            let direct = match &start {
                Some(x) => direct.start(x),
                None => direct,
            };
            close(&ours, &direct.run().unwrap());
            assert_eq!(ours.phase, Phase::LevenbergMarquardt);
        }
    }
}

#[test]
fn a_run_is_that_of_minimize() {
    same_as_minimize::<Vec<f64>, f64>();
    same_as_minimize::<DVector<f64>, f64>();
    same_as_minimize::<Vec<f32>, f32>();
    same_as_minimize::<DVector<f32>, f32>();
}

#[test]
fn counts_are_those_of_the_problem() {
    let fit = Fit::<Vec<f64>>::sample(5);
    let calls = Arc::clone(&fit.calls);
    let (solution, state) = execute!(fit, ReparamSolver::new(Squares::new(6), Lbfgs::new(5)), None);
    assert_eq!(state.counts["cost_count"] as usize, read(&calls.cost));
    assert_eq!(state.counts["gradient_count"] as usize, read(&calls.gradient));
    assert_eq!(solution.counts.values, read(&calls.cost));
    assert_eq!(solution.counts.gradients, read(&calls.gradient));

    // at most one Hessian, one residual and one Jacobian per point
    let fit = Fit::<Vec<f64>>::sample(5);
    let calls = Arc::clone(&fit.calls);
    let solver = ReparamSolver::new(Squares::new(6), TrustRegion::new()).with_hessian();
    let (solution, state) = execute!(fit, solver, None);
    assert_eq!(state.counts["hessian_count"] as usize, read(&calls.hessian));
    assert!(read(&calls.hessian) <= solution.counts.values, "{solution}");
    assert!(solution.counts.hessian_products > solution.iterations);

    let fit = Fit::<Vec<f64>>::sample(5);
    let calls = Arc::clone(&fit.calls);
    let solver = ReparamSolver::new(Squares::new(6), LevenbergMarquardt::new()).with_residuals();
    let (_, state) = execute!(fit, solver, None);
    assert_eq!(state.counts["operator_count"] as usize, read(&calls.apply));
    assert_eq!(state.counts["jacobian_count"] as usize, read(&calls.jacobian));
    assert!(read(&calls.jacobian) <= read(&calls.apply));
    assert_eq!(read(&calls.cost) + read(&calls.gradient), 0);
}

/// Calls a closure with every state.
struct Watch<F>(F);
impl<X, T, F> Observe<Iterate<X, T>> for Watch<F>
where
    F: FnMut(&str, &Iterate<X, T>, &KV) -> Result<(), Error>,
{
    fn observe_init(&mut self, name: &str, state: &Iterate<X, T>, kv: &KV) -> Result<(), Error> {
        (self.0)(name, state, kv)
    }
    fn observe_iter(&mut self, state: &Iterate<X, T>, kv: &KV) -> Result<(), Error> {
        (self.0)("", state, kv)
    }
}

#[test]
fn observers_see_x_and_the_gradient_in_x_and_the_evidence_when_asked() {
    for report in [false, true] {
        let fit = Fit::<Vec<f64>>::sample(1);
        let copy = fit.clone();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let watch = Watch(move |name: &str, state: &Iterate<Vec<f64>, f64>, kv: &KV| {
            let x = state.param.as_ref().unwrap();
            assert!((x.iter().sum::<f64>() - 1.0).abs() < 1e-12 && x.iter().all(|v| *v >= 0.0));
            assert_eq!(state.cost, copy.value(x));
            assert_eq!(state.grad.as_ref().unwrap(), &copy.slope(x));
            log.lock().unwrap().push((
                name.to_owned(),
                state.cost,
                kv.get("natural_residual").and_then(|v| v.get_float()),
                kv.get("gap").and_then(|v| v.get_float()),
            ));
            Ok(())
        });
        let solver = ReparamSolver::new(NormalizedSquares::new(6, 1.0).unwrap(), Lbfgs::new(5))
            .convex(true)
            .report_kv(report);
        let result = Executor::new(fit, solver)
            .add_observer(watch, ObserverMode::Always)
            .run()
            .unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len() as u64, result.state.iter + 1);
        assert_eq!(seen[0].0, "L-BFGS");
        assert!(seen.windows(2).all(|w| w[1].1 <= w[0].1 * (1.0 + 1e-12)));
        assert!(
            seen.iter()
                .all(|s| s.2.is_some() == report && s.3.is_some() == report)
        );
        let solution = result.solver.solution(&result.state).unwrap();
        assert_eq!(solution.status, Status::Solved);
        if report {
            let last = seen.last().unwrap();
            assert_eq!(last.2, Some(solution.certificate.natural_residual));
            assert_eq!(last.3, Some(solution.certificate.gap));
            // the gap is a bound: of every iterate
            for s in seen.iter() {
                assert!(s.1 - solution.objective <= s.3.unwrap() + 1e-12);
            }
        }
    }
}

#[test]
fn every_end_has_its_status() {
    let solver = || ReparamSolver::new(Squares::new(6), ConjugateGradient::new()).tolerance(1e-12);
    let fit = || Fit::<Vec<f64>>::sample(3);
    let whole = Executor::new(fit(), solver()).run().unwrap();
    assert_eq!(
        whole.state.get_termination_reason(),
        Some(&TerminationReason::SolverConverged)
    );
    assert_eq!(
        whole.solver.solution(&whole.state).unwrap().status,
        Status::Stationary
    );
    let steps = whole.state.iter;
    assert!(steps > 6);
    let target = whole.state.best_cost * 1.01;

    let end =
        |result: &argmin::core::OptimizationResult<_, ReparamSolver<f64, _, _>, Iterate<Vec<f64>, f64>>| {
            let solution = result.solver.solution(&result.state).unwrap();
            assert!(!solution.status.is_converged());
            assert_eq!(result.state.best_param.as_ref(), Some(&solution.x));
            assert_eq!(solution.objective, result.state.best_cost);
            (
                result.state.get_termination_reason().unwrap().clone(),
                solution.status,
            )
        };
    let run = Executor::new(fit(), solver())
        .configure(|s| s.max_iters(3))
        .run()
        .unwrap();
    assert_eq!(
        end(&run),
        (TerminationReason::MaxItersReached, Status::IterationLimit)
    );
    assert_eq!(run.state.iter, 3);

    let run = Executor::new(fit(), solver())
        .configure(|s| s.target_cost(target))
        .run()
        .unwrap();
    assert_eq!(
        end(&run),
        (TerminationReason::TargetCostReached, Status::TargetReached)
    );
    assert!(run.state.best_cost <= target && run.state.iter < steps);

    let run = Executor::new(fit(), solver())
        .timeout(Duration::ZERO)
        .run()
        .unwrap();
    assert_eq!(end(&run), (TerminationReason::Timeout, Status::TimeLimit));
    assert_eq!(run.state.iter, 1);

    let token = CancelToken::new();
    token.cancel();
    let run = Executor::new(fit(), solver().cancel_token(token)).run().unwrap();
    assert_eq!(end(&run), (TerminationReason::Interrupt, Status::Cancelled));
    assert_eq!(run.state.iter, 0);

    let run = Executor::new(fit(), solver().max_evaluations(4)).run().unwrap();
    let text = Status::EvaluationLimit.to_string();
    assert_eq!(
        end(&run),
        (TerminationReason::SolverExit(text), Status::EvaluationLimit)
    );

    // as far as rounding shows
    let run = Executor::new(fit(), solver().tolerance(1e-300)).run().unwrap();
    assert_eq!(
        run.state.get_termination_reason(),
        Some(&TerminationReason::SolverConverged)
    );
    let solution = run.solver.solution(&run.state).unwrap();
    assert_eq!(solution.status, Status::AtPrecision);
    assert!(solution.objective <= whole.state.best_cost * (1.0 + 4.0 * f64::EPSILON));
}

/// The distance to 2, NaN or an error of its own where x is below a threshold.
#[derive(Clone)]
struct Cliff {
    nan: f64,
    error: f64,
}

#[derive(Debug, PartialEq)]
struct Off;
impl std::fmt::Display for Off {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the instrument is off")
    }
}
impl std::error::Error for Off {}

impl CostFunction for Cliff {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        if x[0] < self.error {
            return Err(Off.into());
        }
        Ok(if x[0] < self.nan {
            f64::NAN
        } else {
            0.5 * (x[0] + 1.0).powi(2)
        })
    }
}
impl Gradient for Cliff {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(vec![x[0] + 1.0])
    }
}

#[test]
fn nan_is_a_status_and_an_error_is_the_users() {
    let solver = || ReparamSolver::new(Squares::new(1), Lbfgs::new(5));
    let run = |cliff: Cliff, x: f64| {
        Executor::new(cliff, solver())
            .configure(|s| s.param(vec![x]))
            .run()
    };

    // at the start: nothing to go on from, and the start is still there
    let at_start = run(
        Cliff {
            nan: 9.0,
            error: -1.0,
        },
        4.0,
    )
    .unwrap();
    let solution = at_start.solver.solution(&at_start.state);
    assert_eq!(at_start.state.get_best_param(), Some(&vec![4.0]));
    assert!(matches!(
        at_start.state.get_termination_reason(),
        Some(TerminationReason::SolverExit(_))
    ));
    assert_eq!(solution.unwrap().status, Status::NotFinite);

    // on the way: the best point before it
    let on_the_way = run(
        Cliff {
            nan: 1.0,
            error: -1.0,
        },
        4.0,
    )
    .unwrap();
    let solution = on_the_way.solver.solution(&on_the_way.state).unwrap();
    assert!(!solution.status.is_converged());
    assert!(solution.objective.is_finite() && solution.x[0] >= 1.0 && solution.x[0] < 4.0);

    let error = run(Cliff { nan: 0.0, error: 1.0 }, 4.0).err().unwrap();
    assert_eq!(error.downcast_ref::<Off>(), Some(&Off), "{error:?}");

    let outside = run(
        Cliff {
            nan: 0.0,
            error: -1.0,
        },
        -4.0,
    )
    .err()
    .unwrap();
    assert!(matches!(
        outside.downcast_ref::<reparam::Error>(),
        Some(reparam::Error::Map(_))
    ));
    let wrong = Executor::new(
        Cliff {
            nan: 0.0,
            error: -1.0,
        },
        solver(),
    )
    .configure(|s| s.param(vec![1.0, 2.0]))
    .run()
    .err()
    .unwrap();
    assert!(matches!(
        wrong.downcast_ref::<reparam::Error>(),
        Some(reparam::Error::Dimension { .. })
    ));
    let setting = Executor::new(
        Cliff {
            nan: 0.0,
            error: -1.0,
        },
        solver().tolerance(0.0),
    )
    .run()
    .err()
    .unwrap();
    assert!(matches!(
        setting.downcast_ref::<reparam::Error>(),
        Some(reparam::Error::Setting { .. })
    ));
}

#[test]
fn an_observer_stops_a_run_by_the_token_and_loses_nothing() {
    // argmin's own way, an error from the observer, drops state and solver (argmin#370)
    let stop = |_: &str, state: &Iterate<Vec<f64>, f64>, _: &KV| {
        if state.iter >= 2 {
            Err(Error::msg("enough"))
        } else {
            Ok(())
        }
    };
    let solver = ReparamSolver::new(Squares::new(6), Lbfgs::new(5));
    let run = Executor::new(Fit::<Vec<f64>>::sample(3), solver.clone())
        .add_observer(Watch(stop), ObserverMode::Always)
        .run();
    assert_eq!(run.err().unwrap().to_string(), "enough");

    let token = CancelToken::new();
    let raise = token.clone();
    let stop = move |_: &str, state: &Iterate<Vec<f64>, f64>, _: &KV| {
        if state.iter >= 2 {
            raise.cancel();
        }
        Ok(())
    };
    let run = Executor::new(Fit::<Vec<f64>>::sample(3), solver.cancel_token(token))
        .add_observer(Watch(stop), ObserverMode::Always)
        .run()
        .unwrap();
    let solution = run.solver.solution(&run.state).unwrap();
    assert_eq!(
        (solution.status, solution.iterations, run.state.iter),
        (Status::Cancelled, 3, 3)
    );
    assert_eq!(run.state.best_param, Some(solution.x));
}

#[test]
fn a_stopped_run_goes_on_in_memory() {
    let solver = ReparamSolver::new(CappedSimplex::new(6, 0.5).unwrap(), Lbfgs::new(5));
    let fit = || Fit::<Vec<f64>>::sample(3);
    let whole = Executor::new(fit(), solver.clone()).run().unwrap();
    let first = Executor::new(fit(), solver.clone())
        .configure(|s| s.max_iters(3))
        .run()
        .unwrap();
    let mut state = first.state;
    state.termination_status = TerminationStatus::NotTerminated;
    let second = Executor::new(fit(), first.solver)
        .configure(|_| state.max_iters(1000))
        .run()
        .unwrap();
    assert_eq!(second.state.iter, whole.state.iter);
    assert_eq!(second.state.best_param, whole.state.best_param);
    let (a, b) = (
        second.solver.solution(&second.state).unwrap(),
        whole.solver.solution(&whole.state).unwrap(),
    );
    assert_eq!((a.x, a.counts, a.certificate), (b.x, b.counts, b.certificate));

    // a solver used again starts afresh
    let again = Executor::new(fit(), whole.solver).run().unwrap();
    assert_eq!(again.state.best_param, second.state.best_param);
    assert_eq!(again.state.iter, second.state.iter);

    // a state that has iterations behind it, but a solver that does not know them
    let state = IterState::<Vec<f64>, Vec<f64>, (), (), (), f64>::new().param(vec![0.05; 6]);
    let mut state = state;
    state.iter = 7;
    let foreign = Executor::new(fit(), solver).configure(|_| state).run().unwrap();
    let solution = foreign.solver.solution(&foreign.state).unwrap();
    assert!(solution.status.is_converged());
}

macro_rules! resumed_equals_whole {
    ($solver:expr, $problem:expr, $stop:expr) => {{
        let folder = tempfile::tempdir().unwrap();
        let solver = $solver;
        let file = || {
            FileCheckpoint::new(
                folder.path().to_str().unwrap(),
                "run",
                CheckpointingFrequency::Always,
            )
        };
        let whole = Executor::new($problem, solver.clone()).run().unwrap();
        assert!(
            whole.state.iter > $stop,
            "too short a run to interrupt: {}",
            whole.state.iter
        );
        Executor::new($problem, solver.clone())
            .configure(|s| s.max_iters($stop))
            .checkpointing(Resume::new(file(), solver.clone()))
            .run()
            .unwrap();
        let resumed = Executor::new($problem, solver.clone())
            .checkpointing(Resume::new(file(), solver.clone()).max_iters(10_000))
            .run()
            .unwrap();
        let (a, b) = (
            resumed.solver.solution(&resumed.state).unwrap(),
            whole.solver.solution(&whole.state).unwrap(),
        );
        assert_eq!(a.x, b.x);
        assert_eq!((a.iterations, a.status), (b.iterations, b.status));
        assert_eq!((a.counts, a.certificate), (b.counts, b.certificate));
        assert_eq!(resumed.state.best_param, whole.state.best_param);
        // a checkpoint of a finished run holds its answer
        let loaded = Executor::new($problem, solver.clone())
            .checkpointing(Resume::new(file(), solver.clone()))
            .run()
            .unwrap();
        let c = loaded.solver.solution(&loaded.state).unwrap();
        assert_eq!(
            (&c.x, c.status),
            (&whole.solver.solution(&whole.state).unwrap().x, b.status)
        );
    }};
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one() {
    let f64s = || Fit::<Vec<f64>>::sample(3);
    let f32s = || Fit::<DVector<f32>>::sample(3);
    for stop in [1, 3, 5] {
        resumed_equals_whole!(
            ReparamSolver::new(Squares::new(6), Lbfgs::new(3)).tolerance(1e-11),
            f64s(),
            stop
        );
        resumed_equals_whole!(
            ReparamSolver::new(Squares::new(6), ConjugateGradient::new()).tolerance(1e-11),
            f64s(),
            stop
        );
        resumed_equals_whole!(
            ReparamSolver::new(NormalizedSquares::new(6, 1.0).unwrap(), TrustRegion::new())
                .with_hessian()
                .tolerance(1e-12),
            f64s(),
            stop.min(3)
        );
        resumed_equals_whole!(
            ReparamSolver::new(Squares::new(6), LevenbergMarquardt::new())
                .with_residuals()
                .tolerance(1e-12),
            f64s(),
            stop.min(3)
        );
        resumed_equals_whole!(
            ReparamSolver::new(Squares::new(6), Lbfgs::new(3)).tolerance(1e-5),
            f32s(),
            stop
        );
    }
}

/// A valley that is no quadratic: the curvature changes with every step, and the scales of x with it.
#[derive(Clone)]
struct Valley;

impl CostFunction for Valley {
    type Param = DVector<f64>;
    type Output = f64;
    fn cost(&self, x: &DVector<f64>) -> Result<f64, Error> {
        Ok((1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2))
    }
}

impl Gradient for Valley {
    type Param = DVector<f64>;
    type Gradient = DVector<f64>;
    fn gradient(&self, x: &DVector<f64>) -> Result<DVector<f64>, Error> {
        let above = x[1] - x[0] * x[0];
        Ok(DVector::from_vec(vec![
            -2.0 * (1.0 - x[0]) - 400.0 * x[0] * above,
            200.0 * above,
        ]))
    }
}

#[test]
fn a_run_in_a_valley_resumes_exactly_from_every_iteration() {
    for memory in [2, 5, 8] {
        let solver = || ReparamSolver::new(Squares::new(2), Lbfgs::new(memory));
        let start = DVector::from_vec(vec![0.1, 3.0]);
        let whole = Executor::new(Valley, solver())
            .configure(|s| s.param(start.clone()))
            .run()
            .unwrap();
        let expected = whole.solver.solution(&whole.state).unwrap();
        assert!(whole.state.iter > 15, "{}", whole.state.iter);
        for stop in 1..whole.state.iter {
            let folder = tempfile::tempdir().unwrap();
            let file = || {
                let folder = folder.path().to_str().unwrap();
                let file = FileCheckpoint::new(folder, "run", CheckpointingFrequency::Always);
                Resume::new(file, solver()).max_iters(10_000)
            };
            Executor::new(Valley, solver())
                .configure(|s| s.param(start.clone()).max_iters(stop))
                .checkpointing(file().max_iters(stop))
                .run()
                .unwrap();
            let resumed = Executor::new(Valley, solver())
                .checkpointing(file())
                .run()
                .unwrap();
            let got = resumed.solver.solution(&resumed.state).unwrap();
            assert_eq!(
                (got.iterations, &got.x),
                (expected.iterations, &expected.x),
                "{stop}"
            );
        }
    }
}

#[test]
fn a_checkpoint_of_another_problem_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = || {
        FileCheckpoint::new(
            folder.path().to_str().unwrap(),
            "run",
            CheckpointingFrequency::Always,
        )
    };
    let solver = ReparamSolver::new(Squares::new(6), Lbfgs::new(3));
    Executor::new(Fit::<Vec<f64>>::sample(3), solver.clone())
        .configure(|s| s.max_iters(3))
        .checkpointing(Resume::new(file(), solver))
        .run()
        .unwrap();
    let other = ReparamSolver::new(Squares::new(5), Lbfgs::new(3));
    let refused = Executor::new(Fit::<Vec<f64>>::sample(3), other.clone())
        .checkpointing(Resume::new(file(), other))
        .run();
    assert!(matches!(
        refused.err().unwrap().downcast_ref::<reparam::Error>(),
        Some(reparam::Error::Setting {
            name: "checkpoint",
            ..
        })
    ));
}

/// Plain gradient descent: a method from outside.
#[derive(Clone)]
struct Descent(f64);
impl Method<f64> for Descent {
    fn name(&self) -> &'static str {
        "plain descent"
    }
    fn step(
        &mut self,
        lifted: &mut Lifted<'_, f64>,
        point: &mut Point<f64>,
        _h: &[f64],
    ) -> reparam::Result<Step> {
        for (u, g) in point.u.iter_mut().zip(&point.gradient) {
            *u -= self.0 * g;
        }
        lifted.evaluate(point)?;
        Ok(Step::Moved)
    }
    fn reset(&mut self) {}
}

#[test]
fn any_method_will_do() {
    let solver = ReparamSolver::new(Squares::new(6), Descent(0.02))
        .tolerance(1e-6)
        .convex(true);
    let (solution, _) = execute!(Fit::<Vec<f64>>::sample(3), solver, None);
    assert_eq!(solution.phase, Phase::Custom("plain descent"));
    assert_eq!(solution.status, Status::Solved, "{solution}");
}

#[test]
fn integrators_are_methods() {
    use reparam::flows::GradientFlow;
    use reparam::integrators::{Implicit, Nesterov, RungeKutta};
    let fit = || Fit::<Vec<f64>>::sample(3);
    let exact = reparam::nnls(&fit().matrix(), &fit().b).unwrap();
    let check = |solution: &Solution<f64>, state: &Iterate<Vec<f64>, f64>, name: &'static str| {
        assert!(solution.status.is_converged(), "{solution}");
        assert_eq!(solution.phase, Phase::Custom(name));
        assert!(
            solution.x.iter().zip(&exact.x).all(|(a, b)| (a - b).abs() < 1e-4),
            "{solution}"
        );
        assert_eq!(state.best_param.as_ref(), Some(&solution.x));
    };
    let start = Some(vec![1.0; 6]);
    let implicit = Implicit::new(GradientFlow::new());
    let name = Method::<f64>::name(&implicit);
    let solver = ReparamSolver::new(Squares::new(6), implicit)
        .with_hessian()
        .tolerance(1e-6);
    let (solution, state) = execute!(fit(), solver, start.clone());
    check(&solution, &state, name);
    let runge = RungeKutta::dormand_prince(GradientFlow::new());
    let name = Method::<f64>::name(&runge);
    let solver = ReparamSolver::new(Squares::new(6), runge).tolerance(1e-5);
    let (solution, state) = execute!(fit(), solver, start.clone());
    check(&solution, &state, name);
    let nesterov = Nesterov::new(0.02).unwrap();
    let name = Method::<f64>::name(&nesterov);
    let solver = ReparamSolver::new(Squares::new(6), nesterov).tolerance(1e-5);
    let (solution, state) = execute!(fit(), solver, start);
    check(&solution, &state, name);
}

/// From a start so small that a step in x would pay more: the executor's run is the run of the dynamics, and keeps their bias.
#[test]
fn integrators_keep_their_dynamics() {
    use reparam::flows::GradientFlow;
    use reparam::integrators::Euler;
    use reparam::steps::Constant;
    let fit = Fit::<Vec<f64>>::sample(3);
    let euler = || Euler::new(GradientFlow::new(), Constant::new(0.01).unwrap());
    let start = vec![1e-12; 6];
    for steps in [1, 7, 60] {
        let f = LeastSquares::new(fit.matrix(), &fit.b).unwrap();
        let direct = reparam::Integrate::new(f, Squares::new(6))
            .unwrap()
            .integrator(euler())
            .start(&start)
            .max_iterations(steps)
            .run()
            .unwrap()
            .solution;
        let solver = ReparamSolver::new(Squares::new(6), euler());
        let (ours, _) = execute!(
            Fit::<Vec<f64>>::sample(3),
            solver,
            Some(start.clone()),
            steps as u64
        );
        for (a, b) in ours.x.iter().zip(&direct.x) {
            assert!((a - b).abs() <= 1e-12 * b, "{steps}: {:?} {:?}", ours.x, direct.x);
        }
    }
}

fn nnls_is_nnls<X, T>()
where
    T: LinalgScalar + ArgminFloat + nalgebra::Scalar,
    X: ParamVec<Entry = T> + std::fmt::Debug + PartialEq,
{
    let fit = Fit::<X>::sample(3);
    let matrix = fit.matrix();
    let problem = || ObjectiveProblem::<_, X>::new(LeastSquares::new(matrix.clone(), &fit.b).unwrap());
    let direct = Nnls::new(&matrix).solve(&fit.b).unwrap();
    let (ours, state) = execute!(problem(), NnlsSolver::new(), None);
    assert_eq!(ours.x, direct.x);
    assert_eq!(
        (&ours.residual, &ours.certificate),
        (&direct.residual, &direct.certificate)
    );
    assert_eq!(state.best_param.unwrap().as_slice(), &direct.x[..]);
    assert_eq!(
        state.grad.unwrap().as_slice(),
        &direct.certificate.multipliers[..]
    );
    assert_eq!(state.counts["pass_count"], direct.counts.passes.ceil() as u64);
    assert_eq!(state.iter, 1);

    for strategy in [
        Strategy::BlockExchange,
        Strategy::ActiveSet,
        Strategy::CoordinateDescent,
        Strategy::LiftedCg,
    ] {
        let solver = NnlsSolver::new().strategy(strategy).steps(2);
        let (stepped, state) = execute!(problem(), solver, Some(vec![T::one(); 6]));
        assert!(stepped.status.is_solved(), "{strategy:?} {stepped}");
        assert!(state.iter > 1, "{strategy:?}");
        for (a, b) in stepped.x.iter().zip(&direct.x) {
            assert!(
                (*a - *b).abs() <= T::epsilon().sqrt() * T::lit(10.0),
                "{strategy:?}"
            );
        }
    }
    // the lifted methods take the same problem
    let (lifted, _) = execute!(
        problem(),
        ReparamSolver::new(Squares::new(6), Lbfgs::new(8)),
        None
    );
    for (a, b) in lifted.x.iter().zip(&direct.x) {
        assert!((*a - *b).abs() <= T::epsilon().sqrt() * T::lit(10.0));
    }
}

#[test]
fn nnls_in_the_executor() {
    nnls_is_nnls::<Vec<f64>, f64>();
    nnls_is_nnls::<DVector<f64>, f64>();
    nnls_is_nnls::<Vec<f32>, f32>();
    nnls_is_nnls::<DVector<f32>, f32>();
}

#[test]
fn nnls_stops_resumes_and_refuses() {
    let fit = Fit::<Vec<f64>>::sample(3);
    let f = || LeastSquares::new(fit.matrix(), &fit.b).unwrap();
    let problem = || ObjectiveProblem::<_, Vec<f64>>::new(f());
    let solver = NnlsSolver::new().strategy(Strategy::LiftedCg).steps(2);
    let whole = Executor::new(problem(), solver.clone()).run().unwrap();
    assert!(whole.state.iter > 4);

    let folder = tempfile::tempdir().unwrap();
    let file = || {
        FileCheckpoint::new(
            folder.path().to_str().unwrap(),
            "nnls",
            CheckpointingFrequency::Every(1),
        )
    };
    let token = CancelToken::new();
    let raise = token.clone();
    let stop = move |_: &str, state: &Iterate<Vec<f64>, f64>, _: &KV| {
        if state.iter >= 2 {
            raise.cancel();
        }
        Ok(())
    };
    let stopped = Executor::new(problem(), solver.clone().cancel_token(token))
        .add_observer(Watch(stop), ObserverMode::Always)
        .checkpointing(file())
        .run()
        .unwrap();
    let partial = stopped.solver.solution(&stopped.state).unwrap();
    assert_eq!((partial.status, stopped.state.iter), (Status::Cancelled, 3));
    assert_eq!(stopped.state.best_param, Some(partial.x));
    let resumed = Executor::new(problem(), solver)
        .checkpointing(file())
        .run()
        .unwrap();
    assert_eq!(resumed.state.best_param, whole.state.best_param);
    assert_eq!(resumed.state.iter, whole.state.iter);
    assert_eq!(
        resumed.solver.solution(&resumed.state).unwrap().iterations,
        whole.solver.solution(&whole.state).unwrap().iterations
    );

    for wrong in [
        f().with_ridge(1.0).unwrap(),
        f().with_weights(&[2.0; 12]).unwrap(),
    ] {
        let problem = ObjectiveProblem::<_, Vec<f64>>::new(wrong);
        let refused = Executor::new(problem, NnlsSolver::new()).run().err().unwrap();
        assert!(matches!(
            refused.downcast_ref::<reparam::Error>(),
            Some(reparam::Error::Setting { .. })
        ));
    }
    let negative = Executor::new(problem(), NnlsSolver::new())
        .configure(|s| s.param(vec![-1.0; 6]))
        .run()
        .err()
        .unwrap();
    assert!(matches!(
        negative.downcast_ref::<reparam::Error>(),
        Some(reparam::Error::InfeasibleStart { index: 0, .. })
    ));
}

#[test]
fn an_objective_of_ours_is_a_problem_of_theirs() {
    use argmin::core::{Hessian, Jacobian, Operator};
    let fit = Fit::<Vec<f64>>::sample(3);
    let ours = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(fit.matrix(), &fit.b).unwrap());
    let x = vec![0.3, 0.0, 1.0, 2.0, 0.1, 0.5];
    let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!((ours.cost(&x).unwrap() - fit.cost(&x).unwrap()).abs() < 1e-12);
    assert!(near(&ours.gradient(&x).unwrap(), &fit.gradient(&x).unwrap()));
    assert!(near(&ours.apply(&x).unwrap(), &fit.apply(&x).unwrap()));
    assert!(near(
        &ours.hessian(&x).unwrap().concat(),
        &fit.hessian(&x).unwrap().concat()
    ));
    assert!(near(
        &ours.jacobian(&x).unwrap().concat(),
        &fit.jacobian(&x).unwrap().concat()
    ));
    assert_eq!(ours.jacobian(&x).unwrap().rows(), 12);
    assert!(ours.cost(&vec![1.0; 5]).is_err());
    // A as closures: columns by products
    let (a, b) = (fit.matrix(), fit.matrix());
    let free = reparam::operators::MatrixFree::new(
        12,
        6,
        move |x: &[f64], y: &mut [f64]| y.copy_from_slice((&a * DVector::from_column_slice(x)).as_slice()),
        move |y: &[f64], x: &mut [f64]| {
            x.copy_from_slice(b.tr_mul(&DVector::from_column_slice(y)).as_slice());
        },
    );
    let free = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(free, &fit.b).unwrap());
    assert!(near(
        &free.jacobian(&x).unwrap().concat(),
        &fit.jacobian(&x).unwrap().concat()
    ));
    assert_eq!(free.into_inner().rhs(), &fit.b[..]);
}

/// `NnlsSolver` goes into a file as it is, and beyond the limit that the file holds.
#[test]
fn nnls_is_continued_beyond_its_saved_limit() {
    let fit = Fit::<Vec<f64>>::sample(3);
    let problem = || {
        let f = LeastSquares::new(fit.matrix(), &fit.b).unwrap();
        ObjectiveProblem::<_, Vec<f64>>::new(f)
    };
    let solver = || {
        NnlsSolver::<f64>::new()
            .tolerance(1e-11)
            .strategy(Strategy::CoordinateDescent)
            .steps(1)
    };
    let whole = Executor::new(problem(), solver()).run().unwrap();
    assert!(whole.state.iter > 3, "{}", whole.state.iter);
    let folder = tempfile::tempdir().unwrap();
    let file = || {
        let folder = folder.path().to_str().unwrap();
        Resume::whole(FileCheckpoint::new(folder, "run", CheckpointingFrequency::Always))
    };
    let part = Executor::new(problem(), solver())
        .configure(|s| s.max_iters(2))
        .checkpointing(file())
        .run()
        .unwrap();
    assert_eq!(part.state.iter, 2);
    let resumed = Executor::new(problem(), solver())
        .checkpointing(file().max_iters(1000))
        .run()
        .unwrap();
    assert_eq!(resumed.state.iter, whole.state.iter);
    assert_eq!(resumed.state.best_param, whole.state.best_param);
}
