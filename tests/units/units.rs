//! Units: what is said and done must not depend on those of x and f.

use reparam::maps::{Bounds, NormalizedSquares, Reparametrization, Squares, Trigonometric};
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, State, TrustRegion};
use reparam::objectives::{Convexity, FromFn, FromResiduals, LeastSquares, NonlinearLeastSquares, Objective};
use reparam::{Minimize, Solution, Status};

const INF: f64 = f64::INFINITY;

/// 2^e v
fn times(v: f64, e: i32) -> f64 {
    v * 2.0_f64.powi(e)
}

/// y = a·e^(−kt) + c with the time in units of `unit`, from a fixed start; k comes back in units of 1.
fn decay(unit: f64, map: impl Reparametrization<f64>) -> Solution<f64> {
    let t: Vec<f64> = (0..12).map(|i| 0.25 * f64::from(i)).collect();
    let y: Vec<f64> = t
        .iter()
        .enumerate()
        .map(|(i, t)| 3.0 * (-1.3 * t).exp() + 0.5 + 0.01 * f64::from((i * 7 % 5) as i32 - 2))
        .collect();
    let (t2, y2) = (t.clone(), y);
    let residuals = FromResiduals::new(12, 3, move |x: &[f64], r: &mut [f64]| {
        for i in 0..12 {
            r[i] = x[0] * (-(x[1] / unit) * t[i]).exp() + x[2] - y2[i];
        }
        Ok(())
    })
    .with_jacobian(move |x: &[f64], j: &mut [f64]| {
        for (i, t) in t2.iter().enumerate() {
            let e = (-(x[1] / unit) * t).exp();
            (j[3 * i], j[3 * i + 1], j[3 * i + 2]) = (e, -x[0] * e * (t / unit), 1.0);
        }
        Ok(())
    });
    let f = NonlinearLeastSquares::new(residuals).unwrap();
    let mut s = Minimize::new(f, map)
        .unwrap()
        .start(&[1.0, 0.5 * unit, 0.25])
        .run()
        .unwrap();
    s.x[1] /= unit;
    s
}

/// The answer and the number of evaluations do not depend on the unit of one parameter: bit for bit where the map scales with it.
#[test]
fn levenberg_marquardt_has_no_units() {
    let whole = || reparam::maps::Identity::new(3);
    let bounds = || Bounds::new(vec![0.0, 0.0, -INF], vec![INF, INF, INF]).unwrap();
    let (free, squares, bounded) = (
        decay(1.0, whole()),
        decay(1.0, Squares::new(3)),
        decay(1.0, bounds()),
    );
    for s in [&free, &squares, &bounded] {
        assert!(s.status.is_converged(), "{s}");
        assert!((s.x[1] - 1.3).abs() < 0.1, "{s}");
    }
    assert!(free.counts.values <= 12, "{free}");
    for k in [
        -200, -106, -53, -40, -30, -26, -14, -4, 2, 14, 26, 30, 40, 53, 106, 200,
    ] {
        let unit = times(1.0, k);
        let s = decay(unit, whole());
        assert_eq!((&s.x, s.counts), (&free.x, free.counts), "free, 2^{k}: {s}");
        assert_eq!(s.status, free.status);
        let s = decay(unit, Squares::new(3));
        if k % 2 == 0 {
            assert_eq!(
                (&s.x, s.counts),
                (&squares.x, squares.counts),
                "squares, 2^{k}: {s}"
            );
        } else {
            // (the root of 2 rounds)
            assert!(
                s.status.is_converged() && (s.x[1] - squares.x[1]).abs() < 1e-6,
                "squares, 2^{k}: {s}"
            );
            assert!(
                s.counts.values <= squares.counts.values + 2,
                "squares, 2^{k}: {s}"
            );
        }
        let s = decay(unit, bounds());
        assert!(s.status.is_converged(), "bounds, 2^{k}: {s}");
        assert!((s.x[1] - bounded.x[1]).abs() < 1e-6, "bounds, 2^{k}: {s}");
        assert!(
            s.counts.values <= bounded.counts.values + 4,
            "bounds, 2^{k}: {} for {}",
            s.counts.values,
            bounded.counts.values
        );
    }
}

/// R = 1e9 Ω beside C = 1e-12 F, and a spread of 4e-16.
#[test]
fn parameters_of_very_different_sizes() {
    let t: Vec<f64> = (1..=20).map(|i| 2e-4 * f64::from(i)).collect();
    let current = |r: f64, c: f64, t: f64| 5.0 / r * (-t / (r * c)).exp();
    let data: Vec<f64> = t.iter().map(|t| current(1e9, 1e-12, *t)).collect();
    let f = FromResiduals::new(20, 2, |x: &[f64], out: &mut [f64]| {
        for (o, (t, d)) in out.iter_mut().zip(t.iter().zip(&data)) {
            *o = current(x[0], x[1], *t) - d;
        }
        Ok(())
    })
    .with_jacobian(|x: &[f64], j: &mut [f64]| {
        for (i, t) in t.iter().enumerate() {
            let (v, rc) = (current(x[0], x[1], *t), x[0] * x[1]);
            j[2 * i] = v * (t / rc - 1.0) / x[0];
            j[2 * i + 1] = v * (t / rc) / x[1];
        }
        Ok(())
    });
    let s = Minimize::new(NonlinearLeastSquares::new(f).unwrap(), Squares::new(2))
        .unwrap()
        .start(&[3e8, 4e-12])
        .run()
        .unwrap();
    assert!(
        (s.x[0] / 1e9 - 1.0).abs() < 1e-6 && (s.x[1] / 1e-12 - 1.0).abs() < 1e-6,
        "{s}"
    );
    assert!(s.counts.values <= 40, "{s}");
}

/// 1 + ½((x − a)/w)² on a box and on the half line: an interior minimum, however far away.
#[test]
fn a_minimum_far_away_is_not_infinity() {
    for a in [2e19, 5e19, 1e21, 2e30, 1e60, 1e100] {
        for upper in [20.0 * a, 2.0 * a, INF] {
            for start in [1.0, 0.1 * a] {
                // (without a bound, and with a slope that changes f by 1e-30 of itself over the size of x, nothing tells that it matters)
                if upper == INF && start == 1.0 && a > 1e21 {
                    continue;
                }
                let w = 0.2 * a;
                let f = FromFn::new(1, move |x: &[f64], g: &mut [f64]| {
                    let d = (x[0] - a) / w;
                    g[0] = d / w;
                    Ok(1.0 + 0.5 * d * d)
                });
                let map = Bounds::new(vec![0.0], vec![upper]).unwrap();
                let s = Minimize::new(f, map).unwrap().start(&[start]).run().unwrap();
                assert!(
                    s.status.is_converged() && (s.x[0] / a - 1.0).abs() < 1e-6,
                    "{a:e} below {upper:e} from {start:e}: {s}"
                );
            }
        }
    }
}

/// No minimum: found out, fast, whatever falls; and never on a bounded set.
#[test]
fn without_a_minimum() {
    type F = fn(f64) -> (f64, f64);
    let falling: [(&str, F); 4] = [
        ("linear", |x| (-x, -1.0)),
        ("concave", |x| (-x * x, -2.0 * x)),
        ("cubic", |x| (-x * x * x, -3.0 * x * x)),
        ("logarithm", |x| (-(1.0 + x).ln(), -1.0 / (1.0 + x))),
    ];
    for (name, f) in falling {
        for k in [-60, 0, 60] {
            let f = move |x: &[f64], g: &mut [f64]| {
                let (value, slope) = f(times(x[0], k));
                g[0] = times(slope, k);
                Ok(value)
            };
            let start = times(1.0, -k);
            for method in methods(true) {
                let s = Minimize::new(FromFn::new(1, f), Squares::new(1))
                    .unwrap()
                    .start(&[start])
                    .method(method.clone())
                    .run()
                    .unwrap();
                assert_eq!(
                    s.status,
                    Status::AtInfinity,
                    "{name}, 2^{k}, {}: {s}",
                    method_name(&method)
                );
                let upper = 1e40 * start;
                let s = Minimize::new(
                    FromFn::new(1, f),
                    Trigonometric::new(vec![0.0], vec![upper]).unwrap(),
                )
                .unwrap()
                .start(&[start])
                .method(method)
                .run()
                .unwrap();
                assert_ne!(s.status, Status::AtInfinity, "{name} on a box, 2^{k}: {s}");
            }
        }
    }
}

fn method_name(method: &State<f64>) -> &'static str {
    reparam::methods::Method::name(method)
}

fn methods(coordinatewise: bool) -> Vec<State<f64>> {
    let mut all: Vec<State<f64>> = vec![
        Lbfgs::new(10).into(),
        ConjugateGradient::new().into(),
        TrustRegion::new().into(),
    ];
    if coordinatewise {
        all.push(BoxLbfgs::new(10).into());
    }
    all
}

/// The rows of a well-conditioned 8×5 problem with two coordinates at 0 in the end.
const ROWS: [[f64; 5]; 8] = [
    [2.0, 0.3, -0.5, 0.1, 0.7],
    [0.1, 1.5, 0.4, -0.6, 0.2],
    [-0.3, 0.2, 1.8, 0.5, -0.1],
    [0.6, -0.4, 0.1, 1.2, 0.3],
    [0.2, 0.5, -0.2, 0.3, 1.6],
    [0.4, -0.1, 0.7, 0.2, -0.3],
    [-0.2, 0.6, 0.3, -0.5, 0.4],
    [0.5, 0.1, -0.4, 0.6, 0.2],
];
const DATA: [f64; 8] = [1.0, -0.7, 0.6, 0.4, -0.5, 0.9, 0.2, 0.8];

/// Σ log cosh-like residuals: not quadratic, smooth, with x in units of 2^kx and f in units of 2^kf.
fn smooth(kx: i32, kf: i32) -> impl Objective<f64> {
    FromFn::new(5, move |x: &[f64], g: &mut [f64]| {
        g.fill(0.0);
        let mut f = 0.0;
        for (row, b) in ROWS.iter().zip(DATA) {
            let z: f64 = row.iter().zip(x).map(|(a, x)| a * times(*x, -kx)).sum::<f64>() - b;
            let r = (1.0 + z * z).sqrt();
            f += r;
            for (g, a) in g.iter_mut().zip(row) {
                *g += times(a * z / r, kf - kx);
            }
        }
        Ok(times(f, kf))
    })
    .with_convexity(Convexity::Convex)
}

/// ½‖A x − b‖² in the same units.
fn quadratic(kx: i32, kf: i32) -> impl Objective<f64> {
    // (f in units of 2^kf: kf is even)
    let a = nalgebra::DMatrix::from_fn(8, 5, |i, j| times(ROWS[i][j], kf / 2 - kx));
    let b: Vec<f64> = DATA.iter().map(|b| times(*b, kf / 2)).collect();
    LeastSquares::new(a, &b).unwrap()
}

/// The problem in other units: the scaled answer, the same status, about as many evaluations; by every method, over an orthant, a
/// box and a simplex, from the middle, the corner and the side.
#[test]
fn other_units_are_the_same_problem() {
    fn solve<M: Reparametrization<f64>>(
        curved: bool,
        map: M,
        method: &State<f64>,
        start: &[f64],
        kx: i32,
        kf: i32,
    ) -> Solution<f64> {
        let start: Vec<f64> = start.iter().map(|v| times(*v, kx)).collect();
        let f: Box<dyn Objective<f64>> = if curved {
            Box::new(smooth(kx, kf))
        } else {
            Box::new(quadratic(kx, kf))
        };
        Minimize::new(f, map)
            .unwrap()
            .method(method.clone())
            .exact_finish(false)
            .start(&start)
            .run()
            .unwrap()
    }
    let over = |set: usize, curved: bool, method: &State<f64>, start: &[f64], kx: i32, kf: i32| match set {
        0 => solve(curved, Squares::new(5), method, start, kx, kf),
        1 => {
            let map = Bounds::new(vec![0.0; 5], vec![times(0.3, kx); 5]).unwrap();
            solve(curved, map, method, start, kx, kf)
        }
        _ => {
            let map = NormalizedSquares::new(5, times(1.0, kx)).unwrap();
            solve(curved, map, method, start, kx, kf)
        }
    };
    let starts: [(usize, &[f64]); 6] = [
        (0, &[0.5; 5]),
        (0, &[0.0; 5]),
        (1, &[0.1, 0.2, 0.0, 0.3, 0.15]),
        (1, &[0.0; 5]),
        (2, &[0.2; 5]),
        (2, &[0.0, 0.0, 1.0, 0.0, 0.0]),
    ];
    for (set, start) in starts {
        for method in methods(set != 2) {
            for curved in [false, true] {
                let base = over(set, curved, &method, start, 0, 0);
                for (kx, kf) in [
                    (-60, 0),
                    (60, 0),
                    (0, -60),
                    (0, 60),
                    (-60, 60),
                    (60, 60),
                    (-17, 40),
                    (33, -52),
                ] {
                    let s = over(set, curved, &method, start, kx, kf);
                    let what = format!(
                        "set {set}, curved {curved}, {}, from {start:?}, 2^{kx}, 2^{kf}",
                        method_name(&method)
                    );
                    assert_eq!(s.status, base.status, "{what}: {s}\n{base}");
                    for (x, y) in s.x.iter().zip(&base.x) {
                        assert!((times(*x, -kx) - y).abs() <= 1e-6, "{what}: {s}\n{base}");
                    }
                    let (n, m) = (s.counts.values, base.counts.values);
                    assert!(n <= m + m / 4 + 6 && m <= n + n / 4 + 6, "{what}: {n} for {m}");
                }
            }
        }
    }
}

/// Mixture weights started from one component that gives another observation almost no probability: f at the start is 46 … 690, at
/// the solution 0.69, and the first step must be found over a hundred decades.
#[test]
fn a_start_at_a_vertex_is_left_at_every_scale() {
    use reparam::losses::NegativeLog;
    use reparam::objectives::Composite;
    for k in [
        1, 8, 13, 14, 15, 16, 17, 18, 20, 25, 30, 50, 75, 100, 140, 150, 200, 300,
    ] {
        let t = 10.0_f64.powi(-k);
        let rows = nalgebra::dmatrix![t, 1.0; 1.0, 0.5];
        let f = Composite::new(rows, NegativeLog::new(2).unwrap()).unwrap();
        let s = Minimize::new(f, NormalizedSquares::new(2, 1.0).unwrap())
            .unwrap()
            .start(&[1.0, 0.0])
            .run()
            .unwrap();
        // −log(1 − w + …) − log(½ + ½ w) with w the weight of the first: w = 0 or inside
        let exact = (0..=100_000).map(|i| {
            let w = f64::from(i) / 100_000.0;
            -(t * w + (1.0 - w)).ln() - (w + 0.5 * (1.0 - w)).ln()
        });
        let best = exact.fold(INF, f64::min);
        assert!(s.status.is_solved() && s.objective <= best + 1e-9, "1e-{k}: {s}");
    }
}

/// The same with many components, of which the narrowest is the start: its density at the other observations is as small as numbers
/// get.
#[test]
fn a_mixture_from_its_narrowest_component() {
    use reparam::losses::NegativeLog;
    use reparam::objectives::Composite;
    let (m, n) = (60_i32, 12);
    let data: Vec<f64> = (0..m).map(|i| -3.0 + 6.0 * f64::from(i) / 59.0).collect();
    let width = |j: usize| 0.08 * 1.5_f64.powi(j as i32);
    let density = nalgebra::DMatrix::from_fn(m as usize, n, |i, j| {
        (-0.5 * (data[i] / width(j)).powi(2)).exp() / width(j)
    });
    let run = |start: Vec<f64>| {
        let f = Composite::new(density.clone(), NegativeLog::new(m as usize).unwrap()).unwrap();
        Minimize::new(f, NormalizedSquares::new(n, 1.0).unwrap())
            .unwrap()
            .start(&start)
            .run()
            .unwrap()
    };
    let even = run(vec![1.0 / 12.0; n]);
    assert!(even.status.is_solved(), "{even}");
    for j in 0..n {
        let mut vertex = vec![0.0; n];
        vertex[j] = 1.0;
        let s = run(vertex);
        assert!(s.status.is_solved(), "from {j}: {s}");
        assert!(
            (s.objective - even.objective).abs() <= 1e-9 * even.objective,
            "from {j}: {s}"
        );
    }
}

/// Steps below rounding of the set's size: the minimum lies 1e-30 off the vertex.
#[test]
fn the_scale_of_a_step_may_be_below_rounding() {
    let f = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
        (g[0], g[1]) = (0.0, -1.0 / (1e-40 + x[1]) + 1e30);
        Ok(-(1e-40 + x[1]).ln() + 1e30 * x[1])
    })
    .with_convexity(Convexity::Convex);
    let s = Minimize::new(f, NormalizedSquares::new(2, 1.0).unwrap())
        .unwrap()
        .start(&[1.0, 0.0])
        .run()
        .unwrap();
    let best = 30.0 * 10.0_f64.ln() + 1.0;
    assert!(s.objective <= best + 1e-3, "{s}");
}
