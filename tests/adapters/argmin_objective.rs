//! Objectives of this crate in argmin's executor: all that they offer is used, the exact finish too, and A is prepared once.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use crate::problems::Fit;
use argmin::core::{Executor, State, TerminationReason};
use nalgebra::{DMatrix, DVector};
use reparam::adapters::argmin::{NnlsSolver, ObjectiveProblem, ReparamSolver};
use reparam::maps::{Ball, Bounds, CappedSimplex, NormalizedSquares, Reparametrization, Squares};
use reparam::methods::{ConjugateGradient, Lbfgs, LevenbergMarquardt, Method, TrustRegion};
use reparam::nnls::Strategy;
use reparam::objectives::{
    Composite, FromResiduals, LeastSquares, NonlinearLeastSquares, Objective, Quadratic,
};
use reparam::operators::LinearOperator;
use reparam::{CancelToken, Minimize, Phase, Solution, Status};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn maps() -> Vec<(&'static str, Box<dyn Reparametrization<f64>>)> {
    let low = vec![0.0, -0.5, f64::NEG_INFINITY, 0.1, -1.0, 0.0];
    let high = vec![1.0, 0.5, 0.2, 0.1, f64::INFINITY, 0.3];
    vec![
        ("squares", Box::new(Squares::new(6))),
        ("bounds", Box::new(Bounds::new(low, high).unwrap())),
        ("simplex", Box::new(NormalizedSquares::new(6, 1.0).unwrap())),
        ("capped simplex", Box::new(CappedSimplex::new(6, 0.5).unwrap())),
        ("ball", Box::new(Ball::new(6, 0.7).unwrap())),
    ]
}

type Iterate = argmin::core::IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

/// The run through argmin, and that of `Minimize`.
fn both<F, M>(f: &F, map: &dyn Reparametrization<f64>, method: M) -> (Solution<f64>, Iterate, Solution<f64>)
where
    F: Objective<f64> + Clone,
    M: Method<f64> + Clone + Into<reparam::methods::State<f64>>,
{
    let solver = ReparamSolver::new(map, method.clone()).with_objective();
    let result = Executor::new(ObjectiveProblem::<_, Vec<f64>>::new(f.clone()), solver)
        .configure(|state| state.max_iters(5000))
        .run()
        .unwrap();
    let ours = result.solver.solution(&result.state).unwrap();
    let direct = Minimize::new(f.clone(), map)
        .unwrap()
        .method(method)
        .run()
        .unwrap();
    (ours, result.state, direct)
}

/// Returns whether the exact finish was reached.
fn same<F, M>(what: &str, f: &F, map: &dyn Reparametrization<f64>, method: M) -> bool
where
    F: Objective<f64> + Clone,
    M: Method<f64> + Clone + Into<reparam::methods::State<f64>>,
{
    let (ours, state, direct) = both(f, map, method);
    assert_eq!(ours.x, direct.x, "{what}");
    assert_eq!((ours.status, ours.phase), (direct.status, direct.phase), "{what}");
    assert_eq!(ours.certificate, direct.certificate, "{what}");
    assert_eq!(ours.counts, direct.counts, "{what}");
    assert_eq!(ours.iterations, direct.iterations, "{what}");
    assert!(ours.status.is_converged(), "{what}: {ours}");
    assert_eq!(state.best_param.as_ref(), Some(&ours.x), "{what}");
    assert_eq!(
        state.get_termination_reason(),
        Some(&TerminationReason::SolverConverged)
    );
    // an attempt at convergence that does not succeed is an iteration of argmin's, but none of ours
    let extra = state.iter as usize - ours.iterations;
    assert!(extra <= 1, "{what}");
    ours.phase == Phase::ExactFinish
}

#[test]
fn the_run_is_that_of_minimize_with_its_exact_finish() {
    let mut finished = 0;
    for seed in 1..4 {
        let fit = Fit::<Vec<f64>>::sample(seed);
        let plain = LeastSquares::new(fit.matrix(), &fit.b).unwrap();
        let ridge = plain.clone().with_ridge(0.3).unwrap();
        let q = fit.matrix().tr_mul(&fit.matrix());
        let c: Vec<f64> = (-fit.matrix().tr_mul(&DVector::from_column_slice(&fit.b)))
            .as_slice()
            .to_vec();
        let quadratic = Quadratic::new(q, &c).unwrap();
        for (name, map) in maps() {
            let map = &*map;
            let mut all = Vec::new();
            all.push(same(&format!("L-BFGS, {name}"), &plain, map, Lbfgs::new(10)));
            all.push(same(
                &format!("CG, {name}"),
                &plain,
                map,
                ConjugateGradient::new(),
            ));
            all.push(same(
                &format!("trust region, {name}"),
                &plain,
                map,
                TrustRegion::new(),
            ));
            all.push(same(&format!("ridge, {name}"), &ridge, map, Lbfgs::new(10)));
            all.push(same(
                &format!("quadratic, {name}"),
                &quadratic,
                map,
                Lbfgs::new(10),
            ));
            // a ball is no polyhedron
            assert!(name != "ball" || all.iter().all(|f| !f), "{name}");
            finished += all.iter().filter(|f| **f).count();
        }
    }
    // 3 seeds, 4 polyhedra, 5 runs
    assert!(finished >= 48, "{finished} of 60 ended exactly");
}

#[test]
fn what_is_no_quadratic_has_no_exact_finish_and_runs_all_the_same() {
    let fit = Fit::<Vec<f64>>::sample(2);
    let labels: Vec<f64> = (0..12).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
    let logistic = Composite::new(fit.matrix(), reparam::losses::Logistic::new(&labels).unwrap())
        .unwrap()
        .with_ridge(0.1)
        .unwrap();
    for (name, map) in maps() {
        assert!(!same(name, &logistic, &*map, Lbfgs::new(10)));
    }
    // residuals: Levenberg–Marquardt asks the objective for its inside
    let a = fit.a.clone();
    let residuals = FromResiduals::new(12, 6, move |x: &[f64], r: &mut [f64]| {
        r.copy_from_slice(&fit.residuals(x));
        Ok(())
    })
    .with_jacobian(move |_: &[f64], j: &mut [f64]| {
        j.copy_from_slice(&a.concat());
        Ok(())
    });
    let f = NonlinearLeastSquares::new(residuals).unwrap();
    let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    let solver = ReparamSolver::new(Squares::new(6), LevenbergMarquardt::new()).with_objective();
    let run = Executor::new(problem, solver).run().unwrap();
    let solution = run.solver.solution(&run.state).unwrap();
    assert_eq!(
        (solution.status, solution.phase),
        (Status::Stationary, Phase::LevenbergMarquardt)
    );
}

#[test]
fn counts_are_those_of_the_objective_and_limits_hold_before_the_exact_finish() {
    let fit = Fit::<Vec<f64>>::sample(3);
    let f = || LeastSquares::new(fit.matrix(), &fit.b).unwrap();
    let problem = || ObjectiveProblem::<_, Vec<f64>>::new(f());
    let solver = || ReparamSolver::new(Squares::new(6), Lbfgs::new(8)).with_objective();
    let whole = Executor::new(problem(), solver())
        .configure(|state| state.counting(true))
        .run()
        .unwrap();
    let solution = whole.solver.solution(&whole.state).unwrap();
    assert_eq!(solution.phase, Phase::ExactFinish);
    assert_eq!(
        whole.state.counts["gradient_count"] as usize,
        solution.counts.gradients
    );
    // stopped just before: the method's point, and no claim
    let stopped = Executor::new(problem(), solver())
        .configure(|state| state.max_iters(whole.state.iter - 1))
        .run()
        .unwrap();
    let partial = stopped.solver.solution(&stopped.state).unwrap();
    assert_eq!(
        (partial.status, partial.phase),
        (Status::IterationLimit, Phase::Lbfgs)
    );
    assert!(partial.certificate.natural_residual > 1e-8);
    // and gone on from there
    let mut state = stopped.state;
    state.termination_status = argmin::core::TerminationStatus::NotTerminated;
    let resumed = Executor::new(problem(), stopped.solver)
        .configure(|_| state.max_iters(100))
        .run()
        .unwrap();
    let again = resumed.solver.solution(&resumed.state).unwrap();
    assert_eq!((again.x, again.phase), (solution.x, Phase::ExactFinish));
    // a raised token forbids it, too
    let token = CancelToken::new();
    token.cancel();
    let run = Executor::new(problem(), solver().cancel_token(token))
        .run()
        .unwrap();
    assert_eq!(run.solver.solution(&run.state).unwrap().status, Status::Cancelled);
}

/// Written after every iteration, and gone on with from each: the same end, exact finish included.
#[cfg(feature = "serde")]
#[test]
fn a_resumed_run_finishes_exactly_too() {
    use argmin_checkpointing_file::{CheckpointingFrequency, FileCheckpoint};
    use reparam::adapters::argmin::Resume;
    let fit = Fit::<Vec<f64>>::sample(3);
    let problem = || ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(fit.matrix(), &fit.b).unwrap());
    let solver = ReparamSolver::new(NormalizedSquares::new(6, 1.0).unwrap(), Lbfgs::new(4)).with_objective();
    let whole = Executor::new(problem(), solver.clone()).run().unwrap();
    let expected = whole.solver.solution(&whole.state).unwrap();
    assert_eq!(expected.phase, Phase::ExactFinish);
    for k in 1..whole.state.iter {
        let folder = tempfile::tempdir().unwrap();
        let file = || {
            let path = folder.path().to_str().unwrap();
            Resume::new(
                FileCheckpoint::new(path, "run", CheckpointingFrequency::Always),
                solver.clone(),
            )
        };
        Executor::new(problem(), solver.clone())
            .configure(|s| s.max_iters(k))
            .checkpointing(file())
            .run()
            .unwrap();
        // a problem of the same size with another b is not gone on with, …
        let refused = |file: Resume<_, _>| {
            let other: Vec<f64> = fit.b.iter().map(|v| v + 1.0).collect();
            let other = LeastSquares::new(fit.matrix(), &other).unwrap();
            let run = Executor::new(ObjectiveProblem::<_, Vec<f64>>::new(other), solver.clone())
                .checkpointing(file)
                .run();
            matches!(
                run.err().unwrap().downcast_ref::<reparam::Error>(),
                Some(reparam::Error::Setting {
                    name: "checkpoint",
                    ..
                })
            )
        };
        assert!(refused(file().max_iters(1000)), "{k}");
        let run = Executor::new(problem(), solver.clone())
            .checkpointing(file().max_iters(1000))
            .run()
            .unwrap();
        let resumed = run.solver.solution(&run.state).unwrap();
        assert_eq!((&resumed.x, resumed.phase), (&expected.x, expected.phase), "{k}");
        assert_eq!(
            (resumed.iterations, resumed.counts),
            (expected.iterations, expected.counts)
        );
        assert_eq!(
            (run.state.iter, resumed.certificate),
            (whole.state.iter, expected.certificate.clone())
        );
        // … nor does the file of a finished run claim anything for it
        assert!(refused(file()), "{k}");
        let again = Executor::new(problem(), solver.clone())
            .checkpointing(file())
            .run()
            .unwrap();
        let again = again.solver.solution(&again.state).unwrap();
        assert_eq!((again.x, again.status), (resumed.x, resumed.status));
    }
}

/// A by its products, which are counted: all, and those with one unit vector.
#[derive(Clone)]
struct Counted {
    a: DMatrix<f64>,
    products: Arc<AtomicUsize>,
    units: Arc<AtomicUsize>,
}

impl LinearOperator<f64> for Counted {
    fn rows(&self) -> usize {
        self.a.nrows()
    }
    fn columns(&self) -> usize {
        self.a.ncols()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.products.fetch_add(1, Ordering::Relaxed);
        let unit = x.iter().filter(|v| **v != 0.0).count() == 1 && x.contains(&1.0);
        self.units.fetch_add(usize::from(unit), Ordering::Relaxed);
        y.copy_from_slice((&self.a * DVector::from_column_slice(x)).as_slice());
    }
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.products.fetch_add(1, Ordering::Relaxed);
        x.copy_from_slice(self.a.tr_mul(&DVector::from_column_slice(y)).as_slice());
    }
}

#[test]
fn steps_of_nnls_prepare_a_once() {
    let (m, n) = (60, 25);
    let mut random = reparam::testing::Random::new(7);
    let a = DMatrix::from_fn(m, n, |_, _| random.uniform::<f64>());
    let b: Vec<f64> = (0..m).map(|_| random.normal::<f64>()).collect();
    let direct = reparam::nnls(&a, &b).unwrap();

    // an operator of products: written out by n of them, or its norms found by n
    for (strategy, materialised) in [
        (Strategy::Auto, true),
        (Strategy::ActiveSet, true),
        (Strategy::LiftedCg, false),
        (Strategy::ProjectedCg, false),
    ] {
        let (products, units) = (Arc::default(), Arc::default());
        let operator = Counted {
            a: a.clone(),
            products: Arc::clone(&products),
            units: Arc::clone(&units),
        };
        let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(operator, &b).unwrap());
        let solver = NnlsSolver::new().strategy(strategy).steps(1);
        let run = Executor::new(problem, solver).run().unwrap();
        let solution = run.solver.solution(&run.state).unwrap();
        assert!(solution.status.is_solved(), "{strategy:?}: {solution}");
        assert!(run.state.iter >= 3, "{strategy:?}: {} steps", run.state.iter);
        for (x, y) in solution.x.iter().zip(&direct.x) {
            assert!((x - y).abs() < 1e-6, "{strategy:?}");
        }
        let (products, units) = (products.load(Ordering::Relaxed), units.load(Ordering::Relaxed));
        println!(
            "{strategy:?}: {} steps, {products} products, {units} of them with unit vectors",
            run.state.iter
        );
        assert_eq!(units, n, "{strategy:?}: in {} steps", run.state.iter);
        if materialised {
            // the start's cost and gradient are all that is left
            assert!(products <= n + 4, "{strategy:?}: {products}");
        } else {
            // every product is in the counts (but the start's)
            assert!(
                products as f64 <= solution.counts.passes + 4.0,
                "{strategy:?}: {products}"
            );
        }
    }

    // a Gram matrix is k products of the counts, once
    let solver = NnlsSolver::new().strategy(Strategy::BlockExchange).steps(1);
    let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a.clone(), &b).unwrap());
    let run = Executor::new(problem, solver.clone()).run().unwrap();
    let solution = run.solver.solution(&run.state).unwrap();
    assert!(solution.status.is_solved() && run.state.iter >= 3);
    let others = solution.counts.passes - n as f64;
    assert!(
        others < n as f64 * (run.state.iter - 1) as f64,
        "{}",
        solution.counts.passes
    );
    println!(
        "block exchange: {} steps, {:.1} passes",
        run.state.iter, solution.counts.passes
    );

    // what was prepared for one problem is not used for another
    let half = a.map(|v| 0.5 * v);
    let stopped = Executor::new(
        ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a.clone(), &b).unwrap()),
        solver,
    )
    .configure(|state| state.max_iters(2))
    .run()
    .unwrap();
    let mut state = stopped.state;
    state.termination_status = argmin::core::TerminationStatus::NotTerminated;
    let other = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(half.clone(), &b).unwrap());
    let run = Executor::new(other, stopped.solver)
        .configure(|_| state.max_iters(100))
        .run()
        .unwrap();
    let solution = run.solver.solution(&run.state).unwrap();
    assert!(solution.status.is_solved());
    for (x, y) in solution.x.iter().zip(&reparam::nnls(&half, &b).unwrap().x) {
        assert!((x - y).abs() < 1e-9 * (1.0 + y.abs()));
    }
}
