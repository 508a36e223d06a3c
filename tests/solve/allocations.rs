//! Once a run is on its way, an iteration of `Minimize` allocates nothing. The counter is that of the thread.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use crate::counting::so_far;
use reparam::losses::Logistic;
use reparam::maps::{Bounds, Identity, Reparametrization, Squares};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, State, TrustRegion};
use reparam::objectives::{Composite, FromFn, FromResiduals, LeastSquares, NonlinearLeastSquares, Objective};
use reparam::{Minimize, Progress};
#[cfg(feature = "faer")]
use reparam::{nnls, operators::Dense, testing::Random};
use std::ops::ControlFlow;

/// The length of the window of iterations in which nothing may be allocated. It starts once the memory of the method has filled,
/// perhaps for the second time.
const WINDOW: usize = 20;

/// Allocations between the observer's calls of the window.
fn allocations(
    f: &mut dyn Objective<f64>,
    map: &dyn Reparametrization<f64>,
    method: State<f64>,
    start: &[f64],
    from: usize,
) -> (usize, usize) {
    let (mut first, mut last, mut seen) = (0, 0, 0);
    Minimize::new(f, map)
        .unwrap()
        .method(method)
        .start(start)
        .tolerance(1e-300)
        .exact_finish(false)
        .max_iterations(from + WINDOW)
        .observe(|p: &Progress<'_, f64>| {
            let now = so_far();
            if p.iteration == from {
                first = now;
            }
            (last, seen) = (now, p.iteration);
            ControlFlow::Continue(())
        })
        .run()
        .unwrap();
    // a run that ends before its window says nothing
    if seen > from {
        (last - first, seen - from)
    } else {
        (0, 0)
    }
}

/// Extended Rosenbrock with a quartic tail: no method is done within the window.
fn rosenbrock(
    n: usize,
) -> FromFn<f64, impl FnMut(&[f64], &mut [f64]) -> reparam::objectives::Evaluation<f64>> {
    FromFn::new(n, move |x: &[f64], g: &mut [f64]| {
        g.fill(0.0);
        let mut f = 0.0;
        for i in 0..n - 1 {
            let (a, b) = (1.0 - x[i], x[i + 1] - x[i] * x[i]);
            f += a * a + 100.0 * b * b;
            g[i] += -2.0 * a - 400.0 * x[i] * b;
            g[i + 1] += 200.0 * b;
        }
        Ok(f)
    })
}

#[test]
fn iterations_allocate_nothing() {
    let (m, n) = (40, 30);
    // columns of many scales and directions that nearly agree: slow for every method
    let a = nalgebra::DMatrix::from_fn(m, n, |i, j| {
        1.0 / (1.0 + i as f64 + 1.1 * j as f64) + if i == j { 1e-4 } else { 0.0 }
    });
    let b: Vec<f64> = (0..m).map(|i| ((i * 7 % 11) as f64 - 4.0) / 5.0).collect();
    let labels: Vec<f64> = (0..m).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
    let maps: Vec<(&str, Box<dyn Reparametrization<f64>>)> = vec![
        ("identity", Box::new(Identity::new(n))),
        ("squares", Box::new(Squares::new(n))),
        (
            "bounds",
            Box::new(Bounds::new(vec![-1.5; n], vec![0.9; n]).unwrap()),
        ),
    ];
    let methods = || -> Vec<(&str, State<f64>, usize)> {
        vec![
            ("L-BFGS", Lbfgs::new(10).into(), 3),
            ("L-BFGS on a box", BoxLbfgs::new(10).into(), 14),
            ("conjugate gradients", ConjugateGradient::new().into(), 3),
            ("trust region", TrustRegion::new().into(), 3),
        ]
    };
    let start: Vec<f64> = (0..n).map(|j| 0.3 + 0.5 * ((j * 5 % 7) as f64) / 7.0).collect();
    let (mut least, mut full) = (usize::MAX, 0);
    let mut runs = 0;
    for (map_name, map) in &maps {
        for (name, method, from) in methods() {
            let objectives: Vec<(&str, Box<dyn Objective<f64> + '_>)> = vec![
                ("least squares", Box::new(LeastSquares::new(&a, &b).unwrap())),
                (
                    "composite",
                    Box::new(
                        Composite::new(&a, Logistic::new(&labels).unwrap())
                            .unwrap()
                            .with_ridge(1e-6)
                            .unwrap(),
                    ),
                ),
                ("closure", Box::new(rosenbrock(n))),
            ];
            for (f_name, mut f) in objectives {
                let (count, seen) = allocations(&mut *f, &**map, method.clone(), &start, from);
                println!("{name:20} {f_name:14} {map_name:9} {count} allocations in {seen} iterations");
                assert_eq!(count, 0, "{name}, {f_name}, {map_name}");
                if seen > 0 {
                    runs += 1;
                    least = least.min(seen);
                    full += usize::from(seen == WINDOW);
                }
            }
        }
        // Levenberg–Marquardt: Powell's singular function, whose minimiser is approached linearly
        let residuals = |x: &[f64], r: &mut [f64]| {
            for (x, r) in x.chunks_exact(2).zip(r.chunks_exact_mut(2)) {
                (r[0], r[1]) = ((x[0] - 0.1).powi(2), 10.0 * (x[0] - x[1]).powi(2));
            }
            Ok(())
        };
        let jacobian = |x: &[f64], j: &mut [f64]| {
            j.fill(0.0);
            for k in 0..n / 2 {
                let (row, at) = (2 * k, 2 * k);
                j[row * n + at] = 2.0 * (x[at] - 0.1);
                j[(row + 1) * n + at] = 20.0 * (x[at] - x[at + 1]);
                j[(row + 1) * n + at + 1] = -20.0 * (x[at] - x[at + 1]);
            }
            Ok(())
        };
        let mut f =
            NonlinearLeastSquares::new(FromResiduals::new(n, n, residuals).with_jacobian(jacobian)).unwrap();
        let (count, seen) = allocations(&mut f, &**map, LevenbergMarquardt::new().into(), &start, 3);
        println!(
            "{:20} {:14} {map_name:9} {count} allocations in {seen} iterations",
            "Levenberg–Marquardt", "residuals"
        );
        assert_eq!(count, 0, "Levenberg–Marquardt, {map_name}");
        if seen > 0 {
            runs += 1;
            least = least.min(seen);
            full += usize::from(seen == WINDOW);
        }
    }
    println!("{runs} runs beyond the start of the window, {full} through all of it, the shortest {least}");
    assert!(full >= 30, "{full} of {runs}");
}

/// Thousands of small problems: nothing is allocated but the plan, x, the residual, the multipliers and the trace, once the thread has its memory.
/// (nalgebra's kernels, without `faer`, allocate.)
#[cfg(feature = "faer")]
#[test]
fn small_least_squares_allocate_what_they_hand_out() {
    let (m, n) = (20, 10);
    let mut random = Random::new(7);
    let problems: Vec<(Vec<f64>, Vec<f64>)> = (0..60)
        .map(|_| (random.normals(m * n), random.normals(m)))
        .collect();
    let solve = |(a, b): &(Vec<f64>, Vec<f64>), by_rows: bool| {
        let a = if by_rows {
            Dense::row_major(a, m, n).unwrap()
        } else {
            Dense::column_major(a, m, n).unwrap()
        };
        let before = so_far();
        let s = nnls(&a, b).unwrap();
        let spent = so_far() - before;
        assert!(s.status.is_solved());
        spent
    };
    for by_rows in [true, false] {
        problems.iter().for_each(|p| {
            solve(p, by_rows);
        });
        let spent: Vec<usize> = problems.iter().map(|p| solve(p, by_rows)).collect();
        assert_eq!(spent, vec![5; problems.len()], "by rows: {by_rows}");
    }
}
