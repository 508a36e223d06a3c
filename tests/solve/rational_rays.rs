//! The search along rational rays: exact for least squares, on cached images for other losses, and what it saves.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use proptest::prelude::*;
use reparam::lifted::{Lifted, Point};
use reparam::losses::{Logistic, NegativeLog};
use reparam::maps::{
    Boundary, CappedSimplex, L1Ball, Landscape, Monotone, NormalizedSquares, Ray, Reparametrization,
    Stochastic,
};
use reparam::methods::{ConjugateGradient, Search, curve_search};
use reparam::objectives::{Composite, LeastSquares, Objective};
use reparam::operators::{LinearOperator, MatrixFree};
use reparam::sets::ConstraintSet;
use reparam::testing::Random;
use reparam::{MapError, Minimize, Phase, Solution};
use std::cell::Cell;

type Map = Box<dyn Reparametrization<f64>>;

fn map(kind: usize, n: usize) -> Map {
    match kind {
        0 => Box::new(NormalizedSquares::new(n, 1.0).unwrap()),
        1 => Box::new(CappedSimplex::new(n, 0.8).unwrap()),
        2 => Box::new(L1Ball::new(n, 1.5).unwrap()),
        _ => Box::new(Monotone::bounded(n, -0.5, 1.0).unwrap()),
    }
}

/// A descent direction and a start, both random; None where the ray is not rational.
struct Setting {
    map: Map,
    u: Vec<f64>,
    d: Vec<f64>,
}

fn setting(kind: usize, n: usize, random: &mut Random, f: &mut dyn Objective<f64>) -> Option<Setting> {
    let map = map(kind, n);
    let u: Vec<f64> = random.normals(map.dim_u());
    let mut point = Point::new(&*map, &u);
    Lifted::new(f, &*map).evaluate(&mut point).unwrap();
    let size = 0.3 + 2.0 * random.uniform::<f64>();
    let d: Vec<f64> = point
        .gradient
        .iter()
        .map(|g| -size * g * (0.5 + random.uniform::<f64>()))
        .collect();
    (point.gradient.iter().any(|g| g.abs() > 1e-6)).then_some(Setting { map, u, d })
}

fn along(f: &mut dyn Objective<f64>, s: &Setting, t: f64) -> f64 {
    let u: Vec<f64> = s.u.iter().zip(&s.d).map(|(u, d)| u + t * d).collect();
    let mut point = Point::new(&*s.map, &u);
    Lifted::new(f, &*s.map).evaluate(&mut point).unwrap();
    point.value
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// No point of a grid over seven decades of the ray, evaluated directly, is better than where the search ends.
    #[test]
    fn least_squares_take_the_best_of_the_ray(kind in 0usize..4, m in 1usize..9, n in 2usize..7, ridge in 0.0f64..1.0, seed in 0u64..1000) {
        let mut random = Random::new(seed);
        let a = nalgebra::DMatrix::from_vec(m, n, random.normals::<f64>(m * n));
        let w: Vec<f64> = (0..m).map(|_| random.uniform::<f64>() + 0.1).collect();
        let mut f = LeastSquares::new(&a, &random.normals::<f64>(m)).unwrap().with_weights(&w).unwrap().with_ridge(ridge).unwrap();
        let Some(s) = setting(kind, n, &mut random, &mut f) else { return Ok(()) };
        let mut start = Point::new(&*s.map, &s.u);
        let mut lifted = Lifted::new(&mut f, &*s.map);
        lifted.evaluate(&mut start).unwrap();
        let mut next = start.clone();
        let found = curve_search(&mut lifted, &start, &s.d, 1.0, &mut next).unwrap();
        prop_assert_eq!(found, Some(Search::Found));
        let unit = (s.u.iter().map(|v| v * v).sum::<f64>() / s.d.iter().map(|v| v * v).sum::<f64>()).sqrt();
        for i in 0..700 {
            let t = unit * 10f64.powf(-5.0 + 0.01 * f64::from(i));
            let there = along(&mut f, &s, t);
            prop_assert!(there >= next.value - 1e-10 * start.value, "t = {t}: {there}, found {}", next.value);
        }
    }

    /// Any loss: the end satisfies the strong Wolfe conditions, by direct evaluation.
    #[test]
    fn other_losses_satisfy_wolfe(kind in 0usize..4, m in 1usize..9, n in 2usize..7, log in any::<bool>(), ridge in 0.0f64..0.5, seed in 0u64..1000) {
        let mut random = Random::new(seed);
        let positive = log && kind < 2;
        let a = nalgebra::DMatrix::from_fn(m, n, |_, _| if positive { 0.1 + random.uniform::<f64>() } else { random.normal::<f64>() });
        let c: Vec<f64> = random.normals(n);
        let labels: Vec<f64> = (0..m).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }).collect();
        let mut f: Box<dyn Objective<f64> + '_> = if positive {
            Box::new(Composite::new(&a, NegativeLog::new(m).unwrap()).unwrap().with_ridge(ridge).unwrap().with_linear(&c).unwrap())
        } else {
            Box::new(Composite::new(&a, Logistic::new(&labels).unwrap()).unwrap().with_ridge(ridge).unwrap().with_linear(&c).unwrap())
        };
        let Some(s) = setting(kind, n, &mut random, &mut *f) else { return Ok(()) };
        let mut start = Point::new(&*s.map, &s.u);
        let mut lifted = Lifted::new(&mut *f, &*s.map);
        lifted.evaluate(&mut start).unwrap();
        let slope = |p: &Point<f64>| p.gradient.iter().zip(&s.d).map(|(g, d)| g * d).sum::<f64>();
        let first = slope(&start);
        let mut next = start.clone();
        let before = lifted.counts.values;
        let found = curve_search(&mut lifted, &start, &s.d, 1.0, &mut next).unwrap();
        prop_assert_eq!(lifted.counts.values, before + 1); // whatever the number of trials
        if found == Some(Search::Found) {
            prop_assert!(next.value <= start.value + 1e-14);
            let t = next.u.iter().zip(&s.u).zip(&s.d).map(|((a, u), d)| (a - u) / d).fold(0.0, f64::max);
            // the search may run out of ray: f falls to its limit at infinity, or the bracket shrinks to nothing
            let at_end = t > 1e6;
            prop_assert!(at_end || slope(&next).abs() <= 0.9 * first.abs() + 1e-10, "{} of {first}", slope(&next));
        } else {
            prop_assert!(false, "{found:?}");
        }
    }
}

/// The same map, its rays hidden.
struct Hidden(Map);

impl Reparametrization<f64> for Hidden {
    fn dim_u(&self) -> usize {
        self.0.dim_u()
    }
    fn dim_x(&self) -> usize {
        self.0.dim_x()
    }
    fn set(&self) -> &dyn ConstraintSet<f64> {
        self.0.set()
    }
    fn apply(&self, u: &[f64], x: &mut [f64], work: &mut [f64]) {
        self.0.apply(u, x, work);
    }
    fn jvp(&self, u: &[f64], v: &[f64], jv: &mut [f64], work: &mut [f64]) {
        self.0.jvp(u, v, jv, work);
    }
    fn vjp(&self, u: &[f64], w: &[f64], jtw: &mut [f64], work: &mut [f64]) {
        self.0.vjp(u, w, jtw, work);
    }
    fn landscape(&self) -> Landscape {
        self.0.landscape()
    }
    fn scratch_len(&self) -> usize {
        self.0.scratch_len()
    }
    fn curvature(&self, u: &[f64], w: &[f64], v: &[f64], out: &mut [f64], work: &mut [f64]) {
        self.0.curvature(u, w, v, out, work);
    }
    fn diagonals(
        &self,
        u: &[f64],
        h: &[f64],
        w: &[f64],
        gn: &mut [f64],
        c: &mut [f64],
        work: &mut [f64],
    ) -> bool {
        self.0.diagonals(u, h, w, gn, c, work)
    }
    fn section(
        &self,
        x: &[f64],
        boundary: Boundary<f64>,
        u: &mut [f64],
        work: &mut [f64],
    ) -> Result<(), MapError> {
        self.0.section(x, boundary, u, work)
    }
    fn ray(&self, _: &[f64], _: &[f64], _: &mut [f64], _: &mut [f64], _: &mut [f64]) -> Ray<f64> {
        Ray::General
    }
    fn interior(&self, u: &mut [f64]) {
        self.0.interior(u);
    }
}

/// Conjugate gradients to 1e-8, with the exact search and with the general one: evaluations and products.
#[test]
fn the_exact_search_saves_evaluations() {
    let mut totals = [(0usize, 0usize); 2];
    for kind in 0..4 {
        let mut sums = [(0usize, 0usize, 0usize); 2];
        for seed in 0..8 {
            let (m, n) = (120, 60);
            let mut random = Random::new(seed);
            let a = nalgebra::DMatrix::from_fn(m, n, |i, j| {
                random.normal::<f64>() + if i % 7 == j % 7 { 1.0 } else { 0.0 }
            });
            let at = a.transpose();
            let b: Vec<f64> = random.normals(m);
            let products = Cell::new(0);
            let norms: Vec<f64> = a.column_iter().map(|c| c.norm()).collect();
            for (hide, sum) in sums.iter_mut().enumerate() {
                products.set(0);
                let operator = MatrixFree::new(
                    m,
                    n,
                    |x: &[f64], y: &mut [f64]| {
                        products.set(products.get() + 1);
                        LinearOperator::<f64>::apply(&a, x, y);
                    },
                    |y: &[f64], x: &mut [f64]| {
                        products.set(products.get() + 1);
                        LinearOperator::<f64>::apply(&at, y, x);
                    },
                )
                .with_column_norms(norms.clone())
                .unwrap();
                let f = LeastSquares::new(operator, &b).unwrap();
                let map: Map = if hide == 1 {
                    Box::new(Hidden(map(kind, n)))
                } else {
                    map(kind, n)
                };
                let s: Solution<f64> = Minimize::new(f, map)
                    .unwrap()
                    .method(ConjugateGradient::new())
                    .exact_finish(false)
                    .run()
                    .unwrap();
                assert_eq!(s.phase, Phase::ConjugateGradient);
                sum.2 += usize::from(s.status.is_solved());
                (sum.0, sum.1) = (sum.0 + s.counts.values, sum.1 + products.get());
            }
        }
        let [(e, p, ok), (e1, p1, ok1)] = sums;
        println!("kind {kind}: exact {e} evaluations, {p} products, solved {ok}; general {e1}, {p1}, {ok1}");
        assert!(p <= p1, "kind {kind}: {p} products against {p1}");
        assert!(ok >= ok1, "kind {kind}: solved {ok} against {ok1}");
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = (total.0 + sum.0, total.1 + sum.1);
        }
    }
    let [(e, p), (e1, p1)] = totals;
    println!("in all: {e} evaluations and {p} products against {e1} and {p1}");
    assert!(2 * e < e1, "{e} evaluations against {e1}");
}

/// Matrices by columns on simplices: rays of several denominators are no single rational ray, and are left to the general search.
#[test]
fn several_denominators_are_general() {
    let map = Stochastic::by_columns(2, 2).unwrap();
    let (mut lin, mut quad) = ([0.0; 4], [0.0; 4]);
    let mut work = vec![0.0; map.scratch_len()];
    let ray = map.ray(
        &[1.0, 2.0, 3.0, 4.0],
        &[1.0, -1.0, 0.5, 2.0],
        &mut lin,
        &mut quad,
        &mut work,
    );
    assert_eq!(ray, Ray::General);
}
