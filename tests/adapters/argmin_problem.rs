//! Direction 2: argmin's solvers on our maps. The matrix solver × map is printed by
//! `cargo test --features argmin --test adapters argmin_problem::matrix -- --nocapture`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp, clippy::print_stdout)]

use crate::problems::{Fit, read};
use argmin::core::{
    CostFunction, Error, Executor, Gradient, Hessian, Jacobian, Operator, State, TerminationReason,
};
use argmin::solver::conjugategradient::{NonlinearConjugateGradient, beta::PolakRibiere};
use argmin::solver::gaussnewton::GaussNewton;
use argmin::solver::gradientdescent::SteepestDescent;
use argmin::solver::landweber::Landweber;
use argmin::solver::linesearch::condition::ArmijoCondition;
use argmin::solver::linesearch::{BacktrackingLineSearch, HagerZhangLineSearch, MoreThuenteLineSearch};
use argmin::solver::neldermead::NelderMead;
use argmin::solver::newton::{Newton, NewtonCG};
use argmin::solver::particleswarm::ParticleSwarm;
use argmin::solver::quasinewton::{BFGS, DFP, LBFGS, SR1, SR1TrustRegion};
use argmin::solver::trustregion::{CauchyPoint, Dogleg, Steihaug, TrustRegion};
use argmin_math::ArgminDot;
use nalgebra::{DMatrix, DVector};
use rand_xoshiro::rand_core::SeedableRng;
use reparam::adapters::argmin::{Dense, LiftedHessian, Reparametrized, Resume};
use reparam::adapters::{ParamMatrix, ParamVec};
use reparam::maps::{Ball, Bounds, CappedSimplex, NormalizedSquares, Reparametrization, Softmax, Squares};
use reparam::{Scalar, Solution, Status};
use std::sync::{Arc, Mutex};

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
        ("capped", Box::new(CappedSimplex::new(6, T::lit(1.2)).unwrap())),
        ("ball", Box::new(Ball::new(6, T::lit(0.7)).unwrap())),
        ("softmax", Box::new(Softmax::new(6, T::one()).unwrap())),
    ]
}

/// What a run came to, and again after being started anew from where it ended.
struct Outcome {
    solver: &'static str,
    /// ρ after the first run.
    first: f64,
    /// ρ after at most four.
    last: f64,
    objective: f64,
    status: Status,
    rounds: usize,
    error: bool,
}

impl Outcome {
    fn cell(&self) -> String {
        let mark = if self.error { "e" } else { "" };
        if self.rounds == 1 {
            format!("{:.0e}{mark}", self.first)
        } else {
            format!("{:.0e}{mark}→{:.0e}", self.first, self.last)
        }
    }
}

/// The best f over the set, by `Minimize` in f64 with exact second derivatives.
fn best<X: ParamVec<Entry = f64>>(map: &dyn Reparametrization<f64>) -> f64 {
    use reparam::{Minimize, methods, objectives::LeastSquares};
    let fit = Fit::<X>::sample(3);
    let f = LeastSquares::new(fit.matrix(), &fit.b).unwrap();
    let solution = Minimize::new(f, map)
        .unwrap()
        .method(methods::TrustRegion::new())
        .tolerance(1e-10)
        .run()
        .unwrap();
    assert!(solution.status.is_solved(), "{solution}");
    solution.objective
}

/// Runs `$solver` from u over `$start`, judges in x, and starts anew from there until it is solved, four times at most.
macro_rules! outcome {
    ($name:expr, $lifted:ident, $problem:expr, $start:ident, $u:ident, $solver:expr, $configure:expr) => {{
        let mut x = $start.to_vec();
        let (mut first, mut error, mut rounds) = (None, false, 0);
        loop {
            rounds += 1;
            let $u = $lifted.start(&x).unwrap();
            let run = Executor::new($problem, $solver)
                .configure($configure)
                .ctrlc(false)
                .run();
            let solution = $lifted.solution(&run).unwrap();
            feasible(&solution, $lifted.map());
            let rho = solution.certificate.natural_residual.as_f64();
            error |= rounds == 1 && run.is_err();
            let first = *first.get_or_insert(rho);
            if solution.status.is_converged() || rounds == 4 {
                break Outcome {
                    solver: $name,
                    first,
                    last: rho,
                    objective: solution.objective.as_f64(),
                    status: solution.status,
                    rounds,
                    error,
                };
            }
            x = solution.x;
        }
    }};
}

fn feasible<T: Scalar, M: Reparametrization<T>>(solution: &Solution<T>, map: &M) {
    assert!(
        map.set().violation(&solution.x) <= T::lit(16.0) * T::epsilon(),
        "{solution}"
    );
}

macro_rules! sweep {
    ($name:ident, $vector:ty, $matrix:ty, $scalar:ty, outer: $outer:tt, inverse: $inverse:tt) => {
        fn $name(map: &dyn Reparametrization<$scalar>, start: &[$scalar]) -> Vec<Outcome> {
            type T = $scalar;
            type V = $vector;
            let mut all = Vec::new();
            let lifted = || -> Reparametrized<_, _, V> {
                Reparametrized::new(Fit::<V>::sample(3), map).convex(true)
            };
            let wolfe = MoreThuenteLineSearch::<V, V, T>::new;
            let hager = HagerZhangLineSearch::<V, V, T>::new;
            let armijo = || BacktrackingLineSearch::new(ArmijoCondition::new(1e-4 as T).unwrap());

            let corrections = || LBFGS::<_, V, V, T>::new(wolfe(), 7);
            let l = lifted();
            all.push(outcome!("LBFGS, More–Thuente", l, &l, start, u, corrections(), |s| s.param(u).max_iters(500)));
            let l = lifted();
            all.push(outcome!("LBFGS, Hager–Zhang", l, &l, start, u, LBFGS::new(hager(), 7), |s| {
                s.param(u).max_iters(500)
            }));
            let l = lifted();
            all.push(outcome!("LBFGS, backtracking", l, &l, start, u, LBFGS::new(armijo(), 7), |s| {
                s.param(u).max_iters(500)
            }));
            let l = lifted();
            all.push(outcome!("NewtonCG, More–Thuente", l, &l, start, u, NewtonCG::new(wolfe()), |s| {
                s.param(u).max_iters(500)
            }));
            let l = lifted();
            let steihaug = || Steihaug::new().with_max_iters(50);
            all.push(outcome!("TrustRegion, Steihaug", l, &l, start, u, TrustRegion::new(steihaug()), |s| {
                s.param(u).max_iters(200)
            }));
            let l = lifted();
            all.push(outcome!(
                "TrustRegion, Cauchy point",
                l,
                &l,
                start,
                u,
                TrustRegion::new(CauchyPoint::new()),
                |s| s.param(u).max_iters(2000)
            ));
            let l = lifted();
            all.push(outcome!(
                "NonlinearCG, backtracking",
                l,
                &l,
                start,
                u,
                NonlinearConjugateGradient::new(armijo(), PolakRibiere::new())
                    .restart_iters(10)
                    .restart_orthogonality(0.1),
                |s| s.param(u).max_iters(2000)
            ));
            let l = lifted();
            all.push(outcome!(
                "NonlinearCG, More–Thuente",
                l,
                &l,
                start,
                u,
                NonlinearConjugateGradient::new(wolfe(), PolakRibiere::new())
                    .restart_iters(10)
                    .restart_orthogonality(0.1),
                |s| s.param(u).max_iters(2000)
            ));
            let l = lifted();
            all.push(outcome!("SteepestDescent, More–Thuente", l, &l, start, u, SteepestDescent::new(wolfe()), |s| {
                s.param(u).max_iters(2000)
            }));
            let l = lifted();
            all.push(outcome!("Landweber", l, &l, start, u, Landweber::new(0.01 as T), |s| {
                s.param(u).max_iters(2000)
            }));
            let l = lifted();
            all.push(outcome!(
                "NelderMead",
                l,
                &l,
                start,
                u,
                NelderMead::new(l.simplex(&u, 0.3)).with_sd_tolerance(T::EPSILON * 0.1).unwrap(),
                |s| s.max_iters(5000)
            ));
            let l = lifted();
            let p = map.dim_u();
            all.push(outcome!(
                "ParticleSwarm",
                l,
                &l,
                start,
                _u,
                ParticleSwarm::new((V::from_slice(&vec![-3.0; p]), V::from_slice(&vec![3.0; p])), 60)
                    .with_rng_generator(rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(1)),
                |s| s.max_iters(500)
            ));
            sweep!(@inverse $inverse, all, lifted, start, map, T, V);
            sweep!(@matrix $outer, all, lifted, start, wolfe, T, V, $matrix);
            all
        }
    };
    (@inverse no, $all:ident, $lifted:ident, $start:ident, $map:ident, $t:ty, $v:ty) => {};
    (@inverse yes, $all:ident, $lifted:ident, $start:ident, $map:ident, $t:ty, $v:ty) => {
        // ½‖r‖²: Gauss–Newton knows residuals only
        let l = Reparametrized::<_, _, $v>::new(Fit::<$v>::sample(3), $map).convex(true).with_residuals();
        $all.push(outcome!("GaussNewton", l, &l, $start, u, GaussNewton::<$t>::new(), |s| {
            s.param(u).max_iters(300)
        }));
        // a Hessian as a matrix
        let l = $lifted();
        $all.push(outcome!("Newton", l, Dense(&l), $start, u, Newton::<$t>::new(), |s| s.param(u).max_iters(300)));
        let l = $lifted();
        $all.push(outcome!("TrustRegion, Dogleg", l, Dense(&l), $start, u, TrustRegion::new(Dogleg::new()), |s| {
            s.param(u).max_iters(300)
        }));
    };
    (@matrix no, $all:ident, $lifted:ident, $start:ident, $wolfe:ident, $t:ty, $v:ty, $matrix:ty) => {};
    (@matrix yes, $all:ident, $lifted:ident, $start:ident, $wolfe:ident, $t:ty, $v:ty, $matrix:ty) => {
        let p = $lifted().map().dim_u();
        let eye = || <$matrix as ParamMatrix<$t>>::from_fn(p, p, |i, j| if i == j { 1.0 } else { 0.0 });
        let l = $lifted();
        $all.push(outcome!("BFGS, More–Thuente", l, &l, $start, u, BFGS::new($wolfe()), |s| {
            s.param(u).inv_hessian(eye()).max_iters(500)
        }));
        let l = $lifted();
        $all.push(outcome!("DFP, More–Thuente", l, &l, $start, u, DFP::new($wolfe()), |s| {
            s.param(u).inv_hessian(eye()).max_iters(500)
        }));
        let l = $lifted();
        $all.push(outcome!("SR1, More–Thuente", l, &l, $start, u, SR1::new($wolfe()), |s| {
            s.param(u).inv_hessian(eye()).max_iters(500)
        }));
        let l = $lifted();
        $all.push(outcome!(
            "SR1TrustRegion, Steihaug",
            l,
            Dense(&l),
            $start,
            u,
            // its own tolerance is 1e-3
            SR1TrustRegion::new(Steihaug::new().with_max_iters(50))
                .with_tolerance_grad(<$t>::EPSILON)
                .unwrap(),
            |s| s.param(u).max_iters(500)
        ));
    };
}
// what argmin-math has decides: no outer product of nalgebra vectors, no inverse of a Vec<Vec<T>>
sweep!(on_dvector_f64, DVector<f64>, DMatrix<f64>, f64, outer: no, inverse: yes);
sweep!(on_dvector_f32, DVector<f32>, DMatrix<f32>, f32, outer: no, inverse: yes);
sweep!(on_vec_f64, Vec<f64>, Vec<Vec<f64>>, f64, outer: yes, inverse: no);
sweep!(on_vec_f32, Vec<f32>, Vec<Vec<f32>>, f32, outer: yes, inverse: no);

fn table(title: &str, columns: &[&str], rows: &[Vec<Outcome>]) {
    println!(
        "\n{title}: ρ in x after one run, →after up to four (e: the first run was an error of argmin's)"
    );
    print!("{:30}", "");
    columns.iter().for_each(|c| print!("{c:>14}"));
    println!();
    for i in 0..rows[0].len() {
        print!("{:30}", rows[0][i].solver);
        rows.iter().for_each(|column| print!("{:>14}", column[i].cell()));
        println!();
    }
}

fn starts<T: Scalar>(name: &str) -> Vec<T> {
    let v = match name {
        "bounds" => [0.0, -0.5, 0.2, 0.1, 0.0, 0.3],
        "simplex" => [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        "softmax" => [1.0 / 6.0; 6],
        _ => [0.0; 6],
    };
    v.map(T::lit).to_vec()
}

/// Where argmin's solvers do not get there, and why (docs/argmin.md): everything else must.
fn may_fail(solver: &str, map: &str) -> bool {
    match solver {
        // full steps, and a Jacobian or Hessian that is singular or indefinite on the way
        "GaussNewton" | "Newton" | "TrustRegion, Dogleg" => true,
        // wants a positive definite start matrix and a descent direction: neither is kept up by the update
        "SR1, More–Thuente" => true,
        // ends in "unreachable point in `update`" of its line search
        "LBFGS, Hager–Zhang" => map == "ball" || map == "softmax" || map == "capped",
        // softmax approaches the boundary, but has no finite minimiser there
        _ => map == "softmax" || matches!(solver, "ParticleSwarm" | "Landweber" | "DFP, More–Thuente"),
    }
}

#[test]
fn matrix() {
    let (f64s, f32s) = (maps::<f64>(), maps::<f32>());
    let names: Vec<&str> = f64s.iter().map(|m| m.0).collect();
    let best: Vec<f64> = f64s.iter().map(|(_, map)| best::<Vec<f64>>(map)).collect();
    let run = |on: fn(&dyn Reparametrization<f64>, &[f64]) -> Vec<Outcome>| -> Vec<Vec<Outcome>> {
        f64s.iter().map(|(name, map)| on(map, &starts(name))).collect()
    };
    let run32 = |on: fn(&dyn Reparametrization<f32>, &[f32]) -> Vec<Outcome>| -> Vec<Vec<Outcome>> {
        f32s.iter().map(|(name, map)| on(map, &starts(name))).collect()
    };
    for (title, columns, enough) in [
        ("f64, nalgebra", run(on_dvector_f64), 1e-6),
        ("f64, Vec", run(on_vec_f64), 1e-6),
        ("f32, nalgebra", run32(on_dvector_f32), 2e-3),
        ("f32, Vec", run32(on_vec_f32), 2e-3),
    ] {
        table(title, &names, &columns);
        for ((name, best), column) in names.iter().zip(&best).zip(&columns) {
            for o in column {
                let excess = (o.objective - best) / best;
                // whatever the solver: no better than the best there is, and no claim without the value
                assert!(
                    excess > -4.0 * enough * enough - 1e-6 * enough,
                    "{title}, {}, {name}: {excess:e}",
                    o.solver
                );
                if o.status.is_converged() {
                    assert!(excess < 0.1 * enough, "{title}, {}, {name}: {excess:e}", o.solver);
                }
                assert!(
                    o.last <= enough || may_fail(o.solver, name),
                    "{title}, {}, {name}: {:e}",
                    o.solver,
                    o.last
                );
            }
        }
    }
}

/// Cost, gradient, Hessian and Jacobian of the lift against differences of each other.
fn derivatives<X, P>()
where
    X: ParamVec<Entry = f64> + ArgminDot<X, f64>,
    X::Matrix: ArgminDot<X, X>,
    P: ParamVec<Entry = f64>,
{
    for (name, map) in maps::<f64>() {
        let lifted: Reparametrized<_, _, P> = Reparametrized::new(Fit::<X>::sample(3), &map);
        let p = map.dim_u();
        let mut random = reparam::testing::Random::new(7);
        let u: Vec<f64> = (0..p).map(|_| 0.3 + random.uniform::<f64>()).collect();
        let v: Vec<f64> = random.normals(p);
        let h = 1e-5;
        let moved = |t: f64| P::from_slice(&u.iter().zip(&v).map(|(a, b)| a + t * b).collect::<Vec<_>>());
        let at = P::from_slice(&u);
        let g = lifted.gradient(&at).unwrap();
        let slope: f64 = g.as_slice().iter().zip(&v).map(|(a, b)| a * b).sum();
        let difference = (lifted.cost(&moved(h)).unwrap() - lifted.cost(&moved(-h)).unwrap()) / (2.0 * h);
        assert!((slope - difference).abs() < 1e-7, "{name} {slope} {difference}");

        let hessian: LiftedHessian<_, _, X, P> = lifted.hessian(&at).unwrap();
        let product = hessian.dot(&P::from_slice(&v));
        let (plus, minus) = (
            lifted.gradient(&moved(h)).unwrap(),
            lifted.gradient(&moved(-h)).unwrap(),
        );
        let dense = Dense(&lifted).hessian(&at).unwrap();
        for i in 0..p {
            let difference = (plus.as_slice()[i] - minus.as_slice()[i]) / (2.0 * h);
            assert!((product.as_slice()[i] - difference).abs() < 1e-6, "{name}");
            let row: f64 = (0..p).map(|j| dense.entry(i, j) * v[j]).sum();
            assert!((row - product.as_slice()[i]).abs() < 1e-10, "{name}");
        }

        let j = lifted.jacobian(&at).unwrap();
        let (plus, minus) = (
            lifted.apply(&moved(h)).unwrap(),
            lifted.apply(&moved(-h)).unwrap(),
        );
        assert_eq!((j.rows(), j.columns()), (12, p));
        for i in 0..12 {
            let row: f64 = (0..p).map(|k| j.entry(i, k) * v[k]).sum();
            let difference = (plus.as_slice()[i] - minus.as_slice()[i]) / (2.0 * h);
            assert!((row - difference).abs() < 1e-8, "{name}");
        }
        // ½‖r‖² is the cost
        let r = lifted.apply(&at).unwrap();
        let half: f64 = r.as_slice().iter().map(|r| 0.5 * r * r).sum();
        assert!((half - lifted.cost(&at).unwrap()).abs() < 1e-12);
    }
}

#[test]
fn derivatives_agree_whatever_the_types_of_x_and_u() {
    derivatives::<Vec<f64>, Vec<f64>>();
    derivatives::<DVector<f64>, DVector<f64>>();
    derivatives::<DVector<f64>, Vec<f64>>();
    derivatives::<Vec<f64>, DVector<f64>>();
}

#[test]
fn a_point_is_evaluated_once() {
    let fit = Fit::<Vec<f64>>::sample(3);
    let calls = Arc::clone(&fit.calls);
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(fit, Squares::new(6));
    let u = lifted.start(&[1.0; 6]).unwrap();
    assert_eq!(read(&calls.cost), 0, "an interior start needs no evaluation");
    for _ in 0..3 {
        lifted.cost(&u).unwrap();
        lifted.gradient(&u).unwrap();
    }
    lifted.hessian(&u).unwrap();
    assert_eq!(
        (read(&calls.cost), read(&calls.gradient), read(&calls.hessian)),
        (1, 1, 1)
    );
    let run = Executor::new(&lifted, LBFGS::new(MoreThuenteLineSearch::new(), 7))
        .configure(|s| s.param(u).max_iters(100).counting(true))
        .ctrlc(false)
        .run();
    let counted = run.as_ref().unwrap().state.counts["cost_count"] as usize;
    assert!(read(&calls.cost) <= counted, "{} {counted}", read(&calls.cost));
    let solution = lifted.solution(&run).unwrap();
    assert!(solution.status.is_converged());
    assert_eq!(lifted.counts(), solution.counts);
}

#[test]
fn a_stationary_start_is_left_and_never_certified() {
    // b > 0, A > 0: zero is far from optimal, but u = 0 is stationary for every method
    let lifted: Reparametrized<_, _, Vec<f64>> =
        Reparametrized::new(Fit::<Vec<f64>>::sample(3), Squares::new(6)).convex(true);
    let solver = || LBFGS::new(MoreThuenteLineSearch::new(), 7);
    let run = Executor::new(&lifted, solver())
        .configure(|s| s.param(vec![0.0; 6]).max_iters(100))
        .ctrlc(false)
        .run();
    let reason = run
        .as_ref()
        .unwrap()
        .state
        .get_termination_reason()
        .unwrap()
        .clone();
    assert_eq!(reason, TerminationReason::SolverConverged, "argmin believes it");
    let solution = lifted.solution(&run).unwrap();
    assert_eq!(solution.status, Status::Stalled, "we do not");
    assert!(solution.certificate.natural_residual > 1e-2);

    let u = lifted.start(&[0.0; 6]).unwrap();
    assert!(u.iter().all(|v| *v != 0.0));
    let run = Executor::new(&lifted, solver())
        .configure(|s| s.param(u).max_iters(200))
        .ctrlc(false)
        .run();
    let solution = lifted.solution(&run).unwrap();
    assert_eq!(solution.status, Status::Solved);
    // and the coordinates that belong on the boundary are exactly there, as those of the exact solver
    let fit = Fit::<Vec<f64>>::sample(3);
    let exact = reparam::nnls(&fit.matrix(), &fit.b).unwrap();
    for (a, b) in solution.x.iter().zip(&exact.x) {
        assert!(
            (a - b).abs() < 1e-7 && (*a == 0.0) == (*b == 0.0),
            "{:?} {:?}",
            solution.x,
            exact.x
        );
    }
    assert!(solution.certificate.violation == 0.0);
    assert!(lifted.start(&[-1.0; 6]).is_err() && lifted.start(&[0.0; 5]).is_err());
}

/// Fails after some evaluations, and complains about points outside the set.
struct Fragile {
    fit: Fit<Vec<f64>>,
    left: Mutex<usize>,
}
impl CostFunction for Fragile {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        assert!(x.iter().all(|v| *v >= 0.0), "evaluated outside the set");
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Err(Error::msg("the instrument is off"));
        }
        *left -= 1;
        self.fit.cost(x)
    }
}
impl Gradient for Fragile {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.fit.gradient(x)
    }
}

#[test]
fn an_error_loses_nothing() {
    let fragile = |left| Fragile {
        fit: Fit::sample(3),
        left: Mutex::new(left),
    };
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(fragile(6), Squares::new(6));
    let u = lifted.start(&[1.0; 6]).unwrap();
    let first = lifted.cost(&u).unwrap();
    // (L-BFGS would make this a `SolverExit`; the others hand it on)
    let run = Executor::new(&lifted, SteepestDescent::new(MoreThuenteLineSearch::new()))
        .configure(|s| s.param(u))
        .ctrlc(false)
        .run();
    assert!(run.is_err());
    let (value, x) = lifted.best().unwrap();
    assert!(value < first);
    assert_eq!(value, Fit::<Vec<f64>>::sample(3).value(&x));
    // the certificate needs the problem once more
    assert!(
        matches!(lifted.solution(&run), Err(reparam::Error::Evaluation(e)) if e.to_string() == "the instrument is off")
    );
    *lifted.problem().left.lock().unwrap() = 100;
    let solution = lifted.solution(&run).unwrap();
    assert_eq!(solution.status, Status::Stalled);
    assert!(solution.objective <= value);

    // an error of argmin's own: a first step along an indefinite inverse Hessian
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(fragile(1000), Squares::new(6));
    let u = lifted.start(&[1.0; 6]).unwrap();
    let flip: Vec<Vec<f64>> = (0..6)
        .map(|i| (0..6).map(|j| if i == j { -1.0 } else { 0.0 }).collect())
        .collect();
    let run = Executor::new(&lifted, SR1::new(MoreThuenteLineSearch::new()))
        .configure(|s| s.param(u).inv_hessian(flip))
        .ctrlc(false)
        .run();
    assert!(run.is_err());
    let solution = lifted.solution(&run).unwrap();
    assert_eq!(solution.x.len(), 6);
    // nothing at all was evaluated
    let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(fragile(1000), Squares::new(6));
    assert!(matches!(lifted.solution(&run), Err(reparam::Error::Empty { .. })));
}

#[test]
fn every_end_has_its_status() {
    let lifted: Reparametrized<_, _, Vec<f64>> =
        Reparametrized::new(Fit::<Vec<f64>>::sample(3), Squares::new(6));
    let solver = || LBFGS::new(MoreThuenteLineSearch::new(), 7);
    let u = || lifted.start(&[1.0; 6]).unwrap();
    let run = Executor::new(&lifted, solver())
        .configure(|s| s.param(u()).max_iters(2))
        .ctrlc(false)
        .run();
    assert_eq!(lifted.solution(&run).unwrap().status, Status::IterationLimit);
    let lifted: Reparametrized<_, _, Vec<f64>> =
        Reparametrized::new(Fit::<Vec<f64>>::sample(3), Squares::new(6));
    let run = Executor::new(&lifted, solver())
        .configure(|s| s.param(u()).target_cost(0.9))
        .ctrlc(false)
        .run();
    assert_eq!(lifted.solution(&run).unwrap().status, Status::TargetReached);
    let lifted: Reparametrized<_, _, Vec<f64>> =
        Reparametrized::new(Fit::<Vec<f64>>::sample(3), Squares::new(6));
    let run = Executor::new(&lifted, solver())
        .configure(|s| s.param(u()))
        .timeout(std::time::Duration::ZERO)
        .ctrlc(false)
        .run();
    assert_eq!(lifted.solution(&run).unwrap().status, Status::TimeLimit);
}

/// A Hessian that is only an operator: AᵀA v, never formed.
#[derive(Clone)]
struct Normal(Arc<DMatrix<f64>>);
impl ArgminDot<DVector<f64>, DVector<f64>> for Normal {
    fn dot(&self, v: &DVector<f64>) -> DVector<f64> {
        self.0.tr_mul(&(&*self.0 * v))
    }
}
struct Free(Arc<DMatrix<f64>>, DVector<f64>);
impl CostFunction for Free {
    type Param = DVector<f64>;
    type Output = f64;
    fn cost(&self, x: &DVector<f64>) -> Result<f64, Error> {
        Ok(0.5 * (&*self.0 * x - &self.1).norm_squared())
    }
}
impl Gradient for Free {
    type Param = DVector<f64>;
    type Gradient = DVector<f64>;
    fn gradient(&self, x: &DVector<f64>) -> Result<DVector<f64>, Error> {
        Ok(self.0.tr_mul(&(&*self.0 * x - &self.1)))
    }
}
impl Hessian for Free {
    type Param = DVector<f64>;
    type Hessian = Normal;
    fn hessian(&self, _: &DVector<f64>) -> Result<Normal, Error> {
        Ok(Normal(Arc::clone(&self.0)))
    }
}

#[test]
fn a_hessian_may_be_an_operator() {
    let fit = Fit::<DVector<f64>>::sample(3);
    let problem = Free(Arc::new(fit.matrix()), DVector::from_column_slice(&fit.b));
    let map = NormalizedSquares::new(6, 1.0).unwrap();
    let lifted: Reparametrized<_, _, DVector<f64>> = Reparametrized::new(problem, map).convex(true);
    let u = lifted.interior();
    let run = Executor::new(&lifted, TrustRegion::new(Steihaug::new().with_max_iters(20)))
        .configure(|s| s.param(u).max_iters(60))
        .ctrlc(false)
        .run();
    let solution = lifted.solution(&run).unwrap();
    assert_eq!(solution.status, Status::Solved, "{solution}");
    assert!(solution.certificate.gap < 1e-8 && (solution.x.iter().sum::<f64>() - 1.0).abs() < 1e-14);
}

#[test]
fn gauss_newton_and_newton_where_they_belong() {
    // residuals that vanish inside the set: Gauss–Newton is Newton's method there
    let mut fit = Fit::<DVector<f64>>::sample(3);
    let inside = [0.5, 0.2, 0.9, 0.4, 0.7, 0.3];
    fit.b = vec![0.0; 12];
    fit.b = fit.residuals(&inside);
    let map = Bounds::new(vec![0.0; 6], vec![1.0; 6]).unwrap();
    let lifted: Reparametrized<_, _, DVector<f64>, _> = Reparametrized::new(fit, &map).with_residuals();
    let u = lifted.start(&[0.4; 6]).unwrap();
    let run = Executor::new(&lifted, GaussNewton::<f64>::new())
        .configure(|s| s.param(u).max_iters(50))
        .ctrlc(false)
        .run();
    let solution = lifted.solution(&run).unwrap();
    assert!(solution.status.is_converged(), "{solution}");
    assert!(solution.x.iter().zip(inside).all(|(a, b)| (a - b).abs() < 1e-8));

    // Newton polishes what another solver has begun
    let lifted: Reparametrized<_, _, DVector<f64>> =
        Reparametrized::new(Fit::<DVector<f64>>::sample(3), Squares::new(6))
            .convex(true)
            .tolerance(1e-12);
    let u = lifted.start(&[1.0; 6]).unwrap();
    let run = Executor::new(&lifted, LBFGS::new(MoreThuenteLineSearch::new(), 7))
        .configure(|s| s.param(u).max_iters(12))
        .ctrlc(false)
        .run();
    let rough = lifted.solution(&run).unwrap().certificate.natural_residual;
    let u = run.unwrap().state.best_param.unwrap();
    let run = Executor::new(Dense(&lifted), Newton::<f64>::new())
        .configure(|s| s.param(u).max_iters(12))
        .ctrlc(false)
        .run();
    let solution = lifted.solution(&run).unwrap();
    assert!(
        rough > 1e-8 && solution.certificate.natural_residual < 1e-12,
        "{rough:e} {solution}"
    );
}

/// argmin's checkpoint in memory: what was saved last.
struct Kept<S, I>(Arc<Mutex<Option<(S, I)>>>);

impl<S: Clone, I: Clone> argmin::core::checkpointing::Checkpoint<S, I> for Kept<S, I> {
    fn save(&self, solver: &S, state: &I) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some((solver.clone(), state.clone()));
        Ok(())
    }
    fn load(&self) -> Result<Option<(S, I)>, Error> {
        Ok(self.0.lock().unwrap().clone())
    }
    fn frequency(&self) -> argmin::core::checkpointing::CheckpointingFrequency {
        argmin::core::checkpointing::CheckpointingFrequency::Always
    }
}

/// A run with the limit `$stop`, continued up to another one, against a run that was never stopped. Without `max_iters` the saved
/// limit holds.
macro_rules! continued_equals_whole {
    ($solver:expr, $configure:expr, $stop:expr) => {{
        let lifted = || -> Reparametrized<_, _, Vec<f64>> {
            Reparametrized::new(Fit::<Vec<f64>>::sample(3), Squares::new(6)).convex(true)
        };
        let (whole, part, last) = (lifted(), lifted(), lifted());
        let configure = $configure;
        let run = Executor::new(&whole, $solver)
            .configure(|s| configure(s).max_iters(400))
            .run();
        let expected = whole.solution(&run).unwrap();
        let iterations = run.unwrap().state.get_iter();
        assert!(iterations > $stop, "too short a run to interrupt: {iterations}");
        let kept = Arc::default();
        let run = Executor::new(&part, $solver)
            .configure(|s| configure(s).max_iters($stop))
            .checkpointing(Resume::whole(Kept(Arc::clone(&kept))))
            .run();
        assert_eq!(run.unwrap().state.get_iter(), $stop);
        // (in a process of its own: nothing is left but what was saved)
        for (limit, reached) in [
            (None, $stop),
            (Some($stop + 1), $stop + 1),
            (Some(400), iterations),
        ] {
            let mut file = Resume::whole(Kept(Arc::clone(&kept)));
            if let Some(limit) = limit {
                file = file.max_iters(limit);
            }
            let run = Executor::new(&last, $solver).checkpointing(file).run();
            let found = last.solution(&run).unwrap();
            let state = run.unwrap().state;
            assert_eq!(state.get_iter(), reached);
            if reached == iterations {
                assert_eq!((&found.x, found.status), (&expected.x, expected.status));
            }
        }
    }};
}

#[test]
fn a_run_is_continued_beyond_its_saved_limit() {
    type Plain = argmin::core::IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;
    let start = |s: Plain| s.param(vec![0.7; 6]);
    continued_equals_whole!(LBFGS::new(MoreThuenteLineSearch::new(), 4), start, 5);
    continued_equals_whole!(
        NonlinearConjugateGradient::new(
            BacktrackingLineSearch::new(ArmijoCondition::new(1e-4).unwrap()),
            PolakRibiere::new()
        ),
        |s: argmin::core::IterState<Vec<f64>, Vec<f64>, (), (), (), f64>| s.param(vec![0.7; 6]),
        5
    );
    let corners = || -> Vec<Vec<f64>> {
        let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(6));
        lifted.simplex(&vec![0.7; 6], 0.3)
    };
    continued_equals_whole!(
        NelderMead::new(corners()).with_sd_tolerance(1e-9).unwrap(),
        |s: argmin::core::IterState<Vec<f64>, (), (), (), (), f64>| s,
        20
    );
    // a population
    continued_equals_whole!(
        ParticleSwarm::new((vec![-2.0; 6], vec![2.0; 6]), 20)
            .with_rng_generator(rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(5)),
        |s: argmin::core::PopulationState<argmin::solver::particleswarm::Particle<Vec<f64>, f64>, f64>| s,
        20
    );
}
