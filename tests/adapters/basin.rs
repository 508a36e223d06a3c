//! basin in both directions. The matrix solver × map is printed by `cargo test --features basin --test adapters basin::matrix -- --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::print_stdout,
    clippy::type_complexity
)]

use basin::{
    Bfgs, CancellationToken, CostFunction, Executor, FirstOrderState, Gradient, HessianProduct, Lbfgs,
    NelderMead, NonlinearCg, SimplexProgress, Solver, State, Steihaug, Termination, TrustRegion,
};
use nalgebra::DVector;
use reparam::adapters::ParamVec;
use reparam::adapters::basin::{Failure, ReparamSolver, Reparametrized};
use reparam::maps::{Ball, Bounds, CappedSimplex, NormalizedSquares, Reparametrization, Squares};
use reparam::objectives::{Evaluation, Objective};
use reparam::{LinalgScalar, Minimize, Scalar, Solution, Status, methods};
use std::cell::Cell;
use std::marker::PhantomData;

/// The user's own error.
#[derive(Debug, PartialEq)]
struct Off;

/// ½‖A x − b‖², in x, by hand; fails after some evaluations.
struct Fit<X: ParamVec> {
    a: Vec<Vec<X::Entry>>,
    b: Vec<X::Entry>,
    left: Cell<usize>,
    vector: PhantomData<X>,
}

impl<X: ParamVec> Fit<X> {
    fn sample() -> Self {
        let mut random = reparam::testing::Random::new(3);
        let a: Vec<Vec<X::Entry>> = (0..12)
            .map(|_| (0..6).map(|_| X::Entry::lit(random.uniform::<f64>())).collect())
            .collect();
        let truth = [1.5, -0.7, 0.0, 0.4, -1.1, 0.8];
        let b = a
            .iter()
            .map(|row| {
                let fit: X::Entry = row.iter().zip(truth).map(|(v, t)| *v * X::Entry::lit(t)).sum();
                fit + X::Entry::lit(0.1 * random.normal::<f64>())
            })
            .collect();
        Self {
            a,
            b,
            left: Cell::new(usize::MAX),
            vector: PhantomData,
        }
    }

    fn residuals(&self, x: &[X::Entry]) -> Vec<X::Entry> {
        let image = self
            .a
            .iter()
            .map(|row| row.iter().zip(x).map(|(v, x)| *v * *x).sum::<X::Entry>());
        image.zip(&self.b).map(|(z, b)| z - *b).collect()
    }

    fn value(&self, x: &[X::Entry]) -> X::Entry {
        self.residuals(x).iter().map(|r| *r * *r).sum::<X::Entry>() * X::Entry::lit(0.5)
    }

    fn pull(&self, r: &[X::Entry]) -> Vec<X::Entry> {
        (0..6)
            .map(|j| self.a.iter().zip(r).map(|(row, r)| row[j] * *r).sum())
            .collect()
    }
}

impl<X: ParamVec> CostFunction for Fit<X> {
    type Param = X;
    type Output = X::Entry;
    type Error = Off;
    fn cost(&self, x: &X) -> Result<X::Entry, Off> {
        if self.left.get() == 0 {
            return Err(Off);
        }
        self.left.set(self.left.get() - 1);
        Ok(self.value(x.as_slice()))
    }
}

impl<X: ParamVec> Gradient for Fit<X> {
    type Gradient = X;
    fn gradient(&self, x: &X) -> Result<X, Off> {
        Ok(X::from_slice(&self.pull(&self.residuals(x.as_slice()))))
    }
}

impl<X: ParamVec> HessianProduct for Fit<X> {
    fn hessian_product(&self, _: &X, v: &X) -> Result<X, Off> {
        let image: Vec<X::Entry> = self
            .a
            .iter()
            .map(|row| row.iter().zip(v.as_slice()).map(|(a, v)| *a * *v).sum())
            .collect();
        Ok(X::from_slice(&self.pull(&image)))
    }
}

/// The same for `Minimize`.
struct Direct<X: ParamVec>(Fit<X>, bool);
impl<X: ParamVec<Entry = T>, T: Scalar> Objective<T> for Direct<X> {
    fn dim(&self) -> usize {
        6
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        Ok(self.0.value(x))
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        g.copy_from_slice(&self.0.pull(&self.0.residuals(x)));
        Ok(self.0.value(x))
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        let h = self
            .0
            .hessian_product(&X::from_slice(x), &X::from_slice(v))
            .unwrap();
        out.copy_from_slice(h.as_slice());
        Ok(self.1)
    }
}

fn maps<T: Scalar>() -> Vec<(&'static str, Box<dyn Reparametrization<T>>, Vec<T>)> {
    let lit = |v: &[f64]| v.iter().map(|v| T::lit(*v)).collect::<Vec<_>>();
    vec![
        ("squares", Box::new(Squares::new(6)), lit(&[0.0; 6])),
        (
            "bounds",
            Box::new(
                Bounds::new(
                    lit(&[0.0, -0.5, f64::NEG_INFINITY, 0.1, -1.0, 0.0]),
                    lit(&[1.0, 0.5, 0.2, 0.1, f64::INFINITY, 0.3]),
                )
                .unwrap(),
            ),
            lit(&[0.0, -0.5, 0.2, 0.1, 0.0, 0.3]),
        ),
        (
            "simplex",
            Box::new(NormalizedSquares::new(6, T::one()).unwrap()),
            lit(&[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ),
        (
            "capped",
            Box::new(CappedSimplex::new(6, T::lit(1.2)).unwrap()),
            lit(&[0.0; 6]),
        ),
        (
            "ball",
            Box::new(Ball::new(6, T::lit(0.7)).unwrap()),
            lit(&[0.0; 6]),
        ),
    ]
}

fn same_as_minimize<X, T>()
where
    T: LinalgScalar,
    X: ParamVec<Entry = T> + basin::core::math::VectorLen + std::fmt::Debug,
{
    for (name, map, start) in maps::<T>() {
        let run = |solver: &mut dyn FnMut(&dyn Reparametrization<T>) -> (Solution<T>, X, u64, u64),
                   direct: Solution<T>| {
            let (ours, param, evaluations, iterations) = solver(&map);
            assert_eq!((&ours.x, ours.status), (&direct.x, direct.status), "{name}");
            assert_eq!(
                (ours.counts, &ours.certificate),
                (direct.counts, &direct.certificate),
                "{name}"
            );
            assert_eq!(param.as_slice(), &ours.x[..], "{name}");
            assert_eq!(evaluations as usize, ours.counts.values, "{name}");
            assert_eq!(iterations as usize, ours.iterations, "{name}");
            assert!(ours.status.is_converged(), "{name}: {ours}");
        };
        let minimize = |hessian| {
            Minimize::new(Direct(Fit::<X>::sample(), hessian), &map)
                .unwrap()
                .start(&start)
        };
        run(
            &mut |map| {
                let state = FirstOrderState::new(X::from_slice(&start));
                let r = Executor::new(
                    Fit::<X>::sample(),
                    ReparamSolver::new(map, methods::Lbfgs::new(10)),
                    state,
                )
                .run_with_solver()
                .unwrap();
                assert!(
                    matches!(r.report.termination, Termination::Converged(_)),
                    "{name}"
                );
                let solution = r.solver.solution(&r.report.termination).unwrap();
                (solution, r.state.param().clone(), r.counts.cost_evals, r.iter())
            },
            minimize(false).method(methods::Lbfgs::new(10)).run().unwrap(),
        );
        run(
            &mut |map| {
                let state = FirstOrderState::new(X::from_slice(&start));
                let solver = ReparamSolver::new(map, methods::TrustRegion::new()).with_hessian();
                let r = Executor::new(Fit::<X>::sample(), solver, state)
                    .run_with_solver()
                    .unwrap();
                let solution = r.solver.solution(&r.report.termination).unwrap();
                assert_eq!(
                    r.counts.hessian_product_evals as usize,
                    solution.counts.hessian_products
                );
                (solution, r.state.param().clone(), r.counts.cost_evals, r.iter())
            },
            minimize(true).method(methods::TrustRegion::new()).run().unwrap(),
        );
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
fn every_end_has_its_status() {
    let solver = || ReparamSolver::new(Squares::new(6), methods::ConjugateGradient::new()).tolerance(1e-12);
    let executor = || {
        Executor::new(
            Fit::<Vec<f64>>::sample(),
            solver(),
            FirstOrderState::new(vec![1.0; 6]),
        )
    };
    let status = |r: &basin::OptimizationResultWithSolver<
        FirstOrderState<Vec<f64>>,
        ReparamSolver<f64, _, _>,
    >| { r.solver.solution(&r.report.termination).unwrap().status };
    let whole = executor().run_with_solver().unwrap();
    assert_eq!(status(&whole), Status::Stationary);
    assert_eq!(
        status(&executor().max_iter(3).run_with_solver().unwrap()),
        Status::IterationLimit
    );
    assert_eq!(
        status(&executor().max_cost_evals(4).run_with_solver().unwrap()),
        Status::EvaluationLimit
    );
    let target = whole.cost() * 1.01;
    assert_eq!(
        status(&executor().target_objective(target).run_with_solver().unwrap()),
        Status::TargetReached
    );
    let token = CancellationToken::new();
    token.cancel();
    let cancelled = executor()
        .with_cancellation_token(token)
        .run_with_solver()
        .unwrap();
    assert_eq!(status(&cancelled), Status::Cancelled);

    // the user's error comes back with its type; ours as ours
    let problem = Fit::<Vec<f64>>::sample();
    problem.left.set(3);
    let failed = Executor::new(problem, solver(), FirstOrderState::new(vec![1.0; 6])).run();
    assert!(matches!(failed, Err(Failure::Problem(Off))));
    let outside = Executor::new(
        Fit::<Vec<f64>>::sample(),
        solver(),
        FirstOrderState::new(vec![-1.0; 6]),
    )
    .run();
    assert!(matches!(outside, Err(Failure::Reparam(reparam::Error::Map(_)))));
    let short = Executor::new(
        Fit::<Vec<f64>>::sample(),
        solver(),
        FirstOrderState::new(vec![1.0; 5]),
    )
    .run();
    assert!(matches!(
        short,
        Err(Failure::Reparam(reparam::Error::Dimension { .. }))
    ));
}

#[test]
fn a_checkpoint_resumes_exactly() {
    let solver = || ReparamSolver::new(Squares::new(6), methods::Lbfgs::new(4)).tolerance(1e-11);
    let executor = || {
        Executor::new(
            Fit::<Vec<f64>>::sample(),
            solver(),
            FirstOrderState::new(vec![1.0; 6]),
        )
    };
    let whole = executor().run_with_solver().unwrap();
    let part = executor().max_iter(4).run_with_solver().unwrap();
    assert!(whole.iter() > 4);
    let resumed = Executor::resume_from_checkpoint(Fit::<Vec<f64>>::sample(), part.into_checkpoint())
        .run_with_solver()
        .unwrap();
    assert_eq!(resumed.param(), whole.param());
    assert_eq!((resumed.iter(), resumed.counts), (whole.iter(), whole.counts));
}

/// Direction 2: limits are those of the executor, and a resumed run has new ones.
#[test]
fn a_solver_of_basins_is_continued_beyond_its_limit() {
    let lifted = || -> Reparametrized<_, _, Vec<f64>> {
        Reparametrized::new(Fit::<Vec<f64>>::sample(), Squares::new(6)).convex(true)
    };
    let (whole, part, last) = (lifted(), lifted(), lifted());
    let executor = |lifted| {
        Executor::new(
            lifted,
            Lbfgs::<Vec<f64>>::new().unbounded(),
            FirstOrderState::new(vec![0.7; 6]),
        )
    };
    let all = executor(&whole).max_iter(500).run_with_solver().unwrap();
    let some = executor(&part).max_iter(3).run_with_solver().unwrap();
    assert!(some.iter() == 3 && all.iter() > 3);
    let resumed = Executor::resume_from_checkpoint(&last, some.into_checkpoint())
        .max_iter(500)
        .run_with_solver()
        .unwrap();
    assert_eq!((resumed.param(), resumed.iter()), (all.param(), all.iter()));
}

struct Outcome {
    solver: &'static str,
    rho: f64,
    converged: bool,
    objective: f64,
}

fn outcome<X, T, M, S, So>(
    name: &'static str,
    map: &M,
    start: &[T],
    solver: impl Fn() -> So,
    state: impl Fn(X) -> S,
) -> Outcome
where
    T: Scalar,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T> + ?Sized,
    S: State<Param = X, Float = T> + basin::CountsMirror,
    So: for<'a> Solver<&'a Reparametrized<Fit<X>, &'a M, X>, S>,
{
    let lifted: Reparametrized<_, &M, X> = Reparametrized::new(Fit::<X>::sample(), map).convex(true);
    let mut x = start.to_vec();
    let mut solution = None;
    for _ in 0..4 {
        let u = lifted.start(&x).unwrap();
        let run = Executor::new(&lifted, solver(), state(u)).max_iter(2000).run();
        let found: Solution<T> = lifted.solution(&run).unwrap();
        assert!(map.set().violation(&found.x) <= T::lit(16.0) * T::epsilon());
        x.clone_from(&found.x);
        let done = found.status.is_converged();
        solution = Some(found);
        if done {
            break;
        }
    }
    let solution = solution.unwrap();
    Outcome {
        solver: name,
        rho: solution.certificate.natural_residual.as_f64(),
        converged: solution.status.is_converged(),
        objective: solution.objective.as_f64(),
    }
}

macro_rules! sweep {
    ($name:ident, $vector:ty, $scalar:ty) => {
        fn $name(map: &dyn Reparametrization<$scalar>, start: &[$scalar]) -> Vec<Outcome> {
            type V = $vector;
            type T = $scalar;
            let first = FirstOrderState::<V, T>::new;
            vec![
                outcome(
                    "Lbfgs",
                    map,
                    start,
                    || Lbfgs::<V, T>::new().unbounded(),
                    first,
                ),
                outcome("Bfgs", map, start, Bfgs::<V, T>::new, first),
                outcome("NonlinearCg", map, start, NonlinearCg::new, first),
                outcome(
                    "TrustRegion, Steihaug",
                    map,
                    start,
                    || TrustRegion::<_, T, basin::MatrixFree>::matrix_free_with(Steihaug::new()),
                    first,
                ),
                outcome(
                    "NelderMead",
                    map,
                    start,
                    NelderMead::<V, T>::new,
                    SimplexProgress::<V, T>::new,
                ),
            ]
        }
    };
}
sweep!(on_vec_f64, Vec<f64>, f64);
sweep!(on_dvector_f64, DVector<f64>, f64);
sweep!(on_vec_f32, Vec<f32>, f32);
sweep!(on_dvector_f32, DVector<f32>, f32);

fn table(title: &str, columns: &[(&str, Vec<Outcome>, f64)], enough: f64) {
    println!("\n{title}: ρ in x after at most four runs");
    print!("{:24}", "");
    columns.iter().for_each(|c| print!("{:>10}", c.0));
    println!();
    for i in 0..columns[0].1.len() {
        print!("{:24}", columns[0].1[i].solver);
        for (name, column, best) in columns {
            let o = &column[i];
            print!("{:>10.0e}", o.rho);
            let excess = (o.objective - best) / best;
            assert!(
                excess > -4.0 * enough * enough - 1e-6 * enough,
                "{title} {name} {}",
                o.solver
            );
            assert!(
                !o.converged || excess < 0.1 * enough,
                "{title} {name} {}: {excess:e}",
                o.solver
            );
            assert!(o.rho <= enough, "{title} {name} {}: {:e}", o.solver, o.rho);
        }
        println!();
    }
}

#[test]
fn matrix() {
    let best: Vec<f64> = maps::<f64>()
        .iter()
        .map(|(_, map, _)| {
            let f = Minimize::new(Direct(Fit::<Vec<f64>>::sample(), true), map).unwrap();
            let solution = f
                .method(methods::TrustRegion::new())
                .tolerance(1e-10)
                .run()
                .unwrap();
            assert!(solution.status.is_converged());
            solution.objective
        })
        .collect();
    let f64s = |on: fn(&dyn Reparametrization<f64>, &[f64]) -> Vec<Outcome>| -> Vec<_> {
        maps()
            .iter()
            .zip(&best)
            .map(|((name, map, x), b)| (*name, on(map, x), *b))
            .collect()
    };
    let f32s = |on: fn(&dyn Reparametrization<f32>, &[f32]) -> Vec<Outcome>| -> Vec<_> {
        maps()
            .iter()
            .zip(&best)
            .map(|((name, map, x), b)| (*name, on(map, x), *b))
            .collect()
    };
    table("f64, Vec", &f64s(on_vec_f64), 1e-6);
    table("f64, nalgebra", &f64s(on_dvector_f64), 1e-6);
    table("f32, Vec", &f32s(on_vec_f32), 2e-3);
    table("f32, nalgebra", &f32s(on_dvector_f32), 2e-3);
}

#[test]
fn an_error_keeps_its_type_and_loses_nothing() {
    let lifted: Reparametrized<_, _, Vec<f64>> =
        Reparametrized::new(Fit::<Vec<f64>>::sample(), Squares::new(6));
    let u = lifted.start(&[1.0; 6]).unwrap();
    lifted.problem().left.set(4);
    let run = Executor::new(
        &lifted,
        Lbfgs::<Vec<f64>>::new().unbounded(),
        FirstOrderState::new(u),
    )
    .run();
    assert!(matches!(run, Err(Failure::Problem(Off))));
    let (value, x) = lifted.best().unwrap();
    assert_eq!(value, Fit::<Vec<f64>>::sample().value(&x));
    assert!(matches!(lifted.solution(&run), Err(Failure::Problem(Off))));
    lifted.problem().left.set(100);
    let solution = lifted.solution(&run).unwrap();
    assert!(solution.objective <= value && solution.status == Status::Stalled);

    // started where the lift is stationary: not certified
    let zero = lifted.certify(&vec![0.0; 6]).unwrap();
    assert_eq!(zero.status, Status::Stalled);
    assert!(zero.certificate.natural_residual > 1e-2);
}
