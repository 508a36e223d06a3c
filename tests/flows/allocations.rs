//! The loop of `Integrate` allocates nothing per step when nothing records. The counter is that of the thread.
#![allow(clippy::unwrap_used)]

use crate::counting::counted;
use reparam::flows::{GradientFlow, MirrorFlow, NesterovFlow, NewtonFlow, RiemannianFlow};
use reparam::integrators::{
    AcceleratedMirror, Acceleration, BregmanProximal, Euler, Implicit, Integrator, Nesterov, Restart,
    RungeKutta, Simple, StochasticGradient,
};
use reparam::maps::Squares;
use reparam::objectives::LeastSquares;
use reparam::steps::{Armijo, Backtracking, BarzilaiBorwein, Decaying, Kind};
use reparam::{Integrate, Status};

fn check<I: Integrator<f64> + Clone>(integrator: &I) {
    let a = nalgebra::dmatrix![1.0, 0.3, -0.2, 0.5; -0.4, 0.8, 0.6, 0.1; 0.2, -0.5, 0.9, 0.7; 0.3, 0.3, 0.1, -0.9; 1.0, -1.0, 0.2, 0.3];
    let b = [1.0, 0.5, -0.3, 0.7, 0.2];
    let allocations = |steps: usize| {
        let f = LeastSquares::new(&a, &b).unwrap();
        let problem = Integrate::new(f, Squares::new(4))
            .unwrap()
            .integrator(integrator.clone())
            .start_u0(0.5)
            .ignore_residual()
            .max_iterations(steps);
        let (count, run) = counted(|| problem.run().unwrap());
        assert_eq!(
            (run.solution.status, run.solution.iterations),
            (Status::IterationLimit, steps)
        );
        count
    };
    let (few, many) = (allocations(20), allocations(60));
    assert_eq!(
        few,
        many,
        "{}: {few} allocations in 20 steps, {many} in 60",
        integrator.name()
    );
}

#[test]
fn nothing_is_allocated_per_step() {
    let flow = || GradientFlow::per_factor(2).unwrap();
    check(&Euler::constant(flow(), 0.1).unwrap());
    check(&Euler::constant(RiemannianFlow::per_factor(2).unwrap(), 0.05).unwrap());
    check(&Euler::new(flow(), Decaying::new(0.1, 0.5).unwrap()));
    check(&Euler::new(flow(), Armijo::new(0.1).unwrap()));
    check(&Euler::new(
        flow(),
        BarzilaiBorwein::new(Kind::Short, 0.1).unwrap(),
    ));
    check(&RungeKutta::classical(NesterovFlow::new(), 0.1).unwrap());
    check(&RungeKutta::dormand_prince(flow()));
    check(&RungeKutta::dormand_prince(MirrorFlow::new()));
    check(&RungeKutta::dormand_prince(NewtonFlow::new()));
    check(&Implicit::new(flow()));
    check(&BregmanProximal::new(2).unwrap().with_fixed_step(0.1).unwrap());
    check(&Nesterov::new(0.05).unwrap().with_restart(Restart::Function));
    check(&AcceleratedMirror::new(0.05).unwrap());
    check(&Simple::new(0.001).unwrap());
    check(
        &Nesterov::new(10.0)
            .unwrap()
            .with_backtracking(Backtracking::new()),
    );
    check(
        &AcceleratedMirror::new(10.0)
            .unwrap()
            .with_backtracking(Backtracking::new()),
    );
    check(&Simple::new(10.0).unwrap().with_backtracking(Backtracking::new()));
    check(&StochasticGradient::new(1.0, 1).unwrap().with_epoch_rule());
    check(&StochasticGradient::decaying(Decaying::new(0.1, 0.5).unwrap(), 1));
    check(
        &StochasticGradient::new(0.01, 1)
            .unwrap()
            .with_acceleration(Acceleration::Nesterov { momentum: 0.5 })
            .unwrap(),
    );
}
