//! Problems of argmin's that return what they should not.

use super::*;
use ::argmin::core::{CostFunction, Executor, Gradient, Hessian, Jacobian, Operator};
use ::argmin::solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS};
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
    fn cost(&self, x: &Vec<f64>) -> Result<f64, ::argmin::core::Error> {
        if self.0 == Wrong::Panic {
            panic_any(Bang);
        }
        Ok(x.iter().map(|v| 0.5 * (v - 1.0).powi(2)).sum())
    }
}
impl Gradient for Problem {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, ::argmin::core::Error> {
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
    fn hessian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, ::argmin::core::Error> {
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
    fn apply(&self, x: &Vec<f64>) -> Result<Vec<f64>, ::argmin::core::Error> {
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
    fn jacobian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, ::argmin::core::Error> {
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

fn run(wrong: Wrong, which: usize) -> Result<Status, ::argmin::core::Error> {
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

/// A Hessian as an operator, whose products have one number too few.
#[derive(Clone)]
struct Short;
impl argmin_math::ArgminDot<Vec<f64>, Vec<f64>> for Short {
    fn dot(&self, v: &Vec<f64>) -> Vec<f64> {
        v[1..].to_vec()
    }
}
struct WithShort;
impl CostFunction for WithShort {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, ::argmin::core::Error> {
        Problem(Wrong::Nothing).cost(x)
    }
}
impl Gradient for WithShort {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, ::argmin::core::Error> {
        Problem(Wrong::Nothing).gradient(x)
    }
}
impl Hessian for WithShort {
    type Param = Vec<f64>;
    type Hessian = Short;
    fn hessian(&self, _: &Vec<f64>) -> Result<Short, ::argmin::core::Error> {
        Ok(Short)
    }
}

#[test]
fn a_product_that_is_too_short_is_not_a_number() {
    use argmin_math::ArgminDot;
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(WithShort, Squares::new(3));
    let h = lifted.hessian(&vec![2.0; 3]).unwrap();
    let product: Vec<f64> = h.dot(&vec![1.0; 3]);
    assert!(product.len() == 3 && product.iter().all(|v| v.is_nan()));
}

#[test]
fn a_panic_goes_through() {
    quiet();
    assert!(is_bang(catch_unwind(|| run(Wrong::Panic, 0))));
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(Problem(Wrong::Panic), Squares::new(3));
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
    use ::argmin::core::observers::{Observe, ObserverMode};
    struct Raise(CancelToken, u64);
    impl<S: ::argmin::core::State> Observe<S> for Raise {
        fn observe_iter(&mut self, state: &S, _: &::argmin::core::KV) -> Result<(), ::argmin::core::Error> {
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
