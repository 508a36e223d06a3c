//! Runs that are stopped: at every iteration, at every product, with no time at all; and on any number of threads.

use super::*;

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
        // (least distance ends stalled: this b cannot be interpolated)
        for strategy in STRATEGIES.into_iter().filter(|s| *s != Strategy::LeastDistance) {
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
            Strategy::LiftedCg,
            Strategy::InteriorPoint,
            Strategy::ProjectedCg,
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

/// The same of sparse products, large enough to be split.
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit_of_sparse_products() {
    let (m, n) = (1100, 1000);
    let mut random = Random::new(6);
    let triplets: Vec<(usize, usize, f64)> = (0..n * 1050)
        .map(|k| ((k * 7 + k / n * 3) % m, k % n, random.uniform()))
        .collect();
    let a = reparam::operators::SparseColumns::from_triplets(m, n, &triplets).unwrap();
    let b: Vec<f64> = random.normals(m);
    let with = |threads: usize| {
        crate::threads::with_threads(threads, || {
            [
                Strategy::Auto,
                Strategy::WorkingSet,
                Strategy::LiftedCg,
                Strategy::InteriorPoint,
                Strategy::ProjectedCg,
            ]
            .map(|strategy| {
                Nnls::new(&a)
                    .strategy(strategy)
                    .max_iterations(10)
                    .solve(&b)
                    .unwrap()
            })
        })
    };
    let (one, two, four) = (with(1), with(2), with(4));
    for (k, s) in one.iter().enumerate() {
        assert!(
            s.objective < 0.5 * b.iter().map(|v| v * v).sum::<f64>(),
            "{k}: {s}"
        );
        for t in [&two[k], &four[k]] {
            assert_eq!((&s.x, s.counts), (&t.x, t.counts), "run {k}, {}", s.phase);
        }
    }
}

/// One thread or more: the same bits. (Work is cut into parts by size, not by the number of threads.)
#[cfg(feature = "rayon")]
#[test]
fn threads_do_not_change_a_bit() {
    let (m, n) = (900, 260); // beyond every threshold from which on threads are used
    let mut random = Random::new(5);
    let entries: Vec<f64> = random.normals(m * n);
    let b: Vec<f64> = random.normals(m);
    let with = |threads: usize| {
        crate::threads::with_threads(threads, || {
            let mut all = Vec::new();
            for a in [
                Dense::row_major(&entries, m, n).unwrap(),
                Dense::column_major(&entries, m, n).unwrap(),
            ] {
                for strategy in [
                    Strategy::Auto,
                    Strategy::BlockExchange,
                    Strategy::ActiveSet,
                    Strategy::ProjectedCg,
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
            // many right-hand sides, the first of them zero
            let mut many = vec![0.0; m];
            many.extend((0..21).flat_map(|k| b.iter().map(move |v| v + 0.1 * f64::from(k))));
            let a = Dense::column_major(&entries, m, n).unwrap();
            all.extend(Nnls::new(&a).solve_many(&many).unwrap());
            all.extend(
                BoundedLeastSquares::new(&a, &vec![-0.01; n], &vec![0.02; n])
                    .solve_many(&many)
                    .unwrap(),
            );
            all.extend(BoundedLeastSquares::simplex(&a, 1.0).solve_many(&many).unwrap());
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
