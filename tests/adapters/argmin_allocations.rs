//! What an iteration in argmin's executor allocates: our part, and argmin's own. The counter is that of the thread.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::counting::so_far;
use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, Problem, Solver, TerminationStatus,
};
use reparam::adapters::argmin::{Access, ObjectiveProblem, ReparamSolver};
use reparam::maps::Squares;
use reparam::methods::{ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::LeastSquares;
use std::sync::atomic::{AtomicUsize, Ordering};

type Iterate = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

/// Gradients that the problem has allocated.
static GRADIENTS: AtomicUsize = AtomicUsize::new(0);

/// The extended Rosenbrock function: one allocation per gradient, argmin's trait demands it.
struct Valley;

impl CostFunction for Valley {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        Ok(x.windows(2)
            .map(|x| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2))
            .sum())
    }
}

impl Gradient for Valley {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        GRADIENTS.fetch_add(1, Ordering::SeqCst);
        let mut g = vec![0.0; x.len()];
        for i in 0..x.len() - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            g[i] += -2.0 * a - 400.0 * x[i] * b;
            g[i + 1] += 200.0 * b;
        }
        Ok(g)
    }
}

/// Allocations of the solver and calls of the gradient in one iteration, and what argmin has allocated since the last one.
#[derive(Clone, Copy, Default)]
struct Row {
    solver: usize,
    gradients: usize,
    between: usize,
}

/// A solver with a meter.
struct Metered<S> {
    inner: S,
    rows: Vec<Row>,
    last: usize,
}

impl<O, S: Solver<O, Iterate>> Solver<O, Iterate> for Metered<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn init(&mut self, problem: &mut Problem<O>, state: Iterate) -> Result<(Iterate, Option<KV>), Error> {
        let out = self.inner.init(problem, state);
        self.last = so_far();
        out
    }
    fn next_iter(
        &mut self,
        problem: &mut Problem<O>,
        state: Iterate,
    ) -> Result<(Iterate, Option<KV>), Error> {
        let (before, gradients) = (so_far(), GRADIENTS.load(Ordering::SeqCst));
        let between = before - self.last;
        let out = self.inner.next_iter(problem, state);
        let solver = so_far() - before;
        let gradients = GRADIENTS.load(Ordering::SeqCst) - gradients;
        // (memory for the rows was reserved)
        self.rows.push(Row {
            solver,
            gradients,
            between,
        });
        self.last = so_far();
        out
    }
    fn terminate(&mut self, state: &Iterate) -> TerminationStatus {
        self.inner.terminate(state)
    }
}

/// Looks at every iteration and allocates nothing.
struct Look;
impl Observe<Iterate> for Look {}

const ITERATIONS: u64 = 30;
/// Until then the memory of the method and both slots of the state have filled.
const WARM: usize = 14;

fn rows<O, C>(problem: O, solver: ReparamSolver<f64, Squares<f64>, State<f64>, C>, observed: bool) -> Vec<Row>
where
    C: Access<O, f64, Param = Vec<f64>>,
{
    let metered = Metered {
        inner: solver.tolerance(1e-300),
        rows: Vec::with_capacity(ITERATIONS as usize + 1),
        last: 0,
    };
    let executor = Executor::new(problem, metered).configure(|s| {
        let s = s.max_iters(ITERATIONS);
        s.param((0..30).map(|j| 0.3 + 0.5 * ((j * 5 % 7) as f64) / 7.0).collect())
    });
    let executor = if observed {
        executor.add_observer(Look, ObserverMode::Always)
    } else {
        executor
    };
    executor.run().unwrap().solver.rows
}

#[test]
fn an_iteration_allocates_one_vector_to_call_the_problem_with_or_nothing() {
    type Make = fn() -> State<f64>;
    let methods: [(&str, Make); 3] = [
        ("L-BFGS", || Lbfgs::new(6).into()),
        ("conjugate gradients", || ConjugateGradient::new().into()),
        ("trust region", || TrustRegion::new().into()),
    ];
    // (the first run also pays for what argmin makes once)
    for (name, method) in methods {
        for observed in [false, true] {
            let rows = rows(Valley, ReparamSolver::new(Squares::new(30), method()), observed);
            assert_eq!(rows.len(), ITERATIONS as usize, "{name}");
            // (the last one may be the last touch)
            for (k, row) in rows[..rows.len() - 1].iter().enumerate().skip(WARM) {
                assert_eq!(row.solver - row.gradients, 1, "{name}, iteration {k}");
            }
            let most = rows[WARM..].iter().map(|row| row.between).max().unwrap();
            println!(
                "{name:20} problem of argmin's: 1 per iteration; argmin itself: {most} (observer: {observed})"
            );
        }
    }
    // an objective of ours needs no vector at all
    let a = nalgebra::DMatrix::from_fn(40, 30, |i, j| {
        1.0 / (1.0 + i as f64 + 1.1 * j as f64) + if i == j { 1e-4 } else { 0.0 }
    });
    let b: Vec<f64> = (0..40).map(|i| (f64::from(i * 7 % 11) - 4.0) / 5.0).collect();
    for (name, method) in methods {
        let f = LeastSquares::new(a.clone(), &b).unwrap();
        let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
        let solver = ReparamSolver::new(Squares::new(30), method()).with_objective();
        let rows = rows(problem, solver, false);
        let mut seen = 0;
        // (the last of a run that ends before the limit is the attempt of the exact finish, or the last touch)
        for (k, row) in rows
            .iter()
            .enumerate()
            .skip(WARM)
            .take_while(|(k, _)| *k + 1 < rows.len())
        {
            assert_eq!(row.solver, 0, "{name}, iteration {k}");
            seen += 1;
        }
        println!("{name:20} objective of ours: 0 per iteration, in {seen} iterations");
        assert!(seen >= 5, "{name}: {seen}");
    }
}
