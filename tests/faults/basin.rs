//! Problems of basin's that return what they should not.

use super::*;

#[test]
fn basin_wrong_lengths_are_errors_that_say_so() {
    use ::basin::{CostFunction, Executor, FirstOrderState, Gradient, HessianProduct};
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
