//! No method of a map allocates.
#![allow(clippy::unwrap_used)]

use crate::counting::counted;
use reparam::maps::{
    Affine, Algebraic, Ball, Boundary, Bounds, CappedSimplex, ConvexSequence, Difference, Exponential, Fixed,
    Identity, L1Ball, LowRank, Monotone, NormalizedSquares, OpenBall, Pair, Power, Precompose, Product,
    ReducedSoftmax, Reparametrization, ScaledSquares, SecondOrderCone, Sigmoid, Softmax, Softplus, Sphere,
    Squares, Stochastic, Tied, Trigonometric,
};
use reparam::testing::Random;

type Map = Box<dyn Reparametrization<f64>>;

const INF: f64 = f64::INFINITY;

fn simplex(n: usize) -> NormalizedSquares<f64> {
    NormalizedSquares::new(n, 1.0).unwrap()
}

fn matrix(rows: usize, columns: usize) -> nalgebra::DMatrix<f64> {
    nalgebra::DMatrix::from_fn(rows, columns, |i, j| ((i + 2 * j) as f64 + 0.5).sin())
}

fn image<M: Reparametrization<f64> + 'static>(rows: usize, map: M) -> Map {
    let columns = map.dim_x();
    Box::new(Affine::new(matrix(rows, columns), map, vec![0.25; rows]).unwrap())
}

fn maps() -> Vec<(&'static str, Map)> {
    let n = 4;
    let (zeros, ones) = (vec![0.0; n], vec![1.0; n]);
    let mixed = Bounds::new(vec![0.0, -INF, 2.0, -1.0], vec![1.0, INF, 2.0, INF]).unwrap();
    vec![
        ("squares", Box::new(Squares::new(n))),
        ("power", Box::new(Power::new(n, 4).unwrap())),
        ("scaled squares", Box::new(ScaledSquares::new(n))),
        ("exponential", Box::new(Exponential::new(n))),
        ("softplus", Box::new(Softplus::new(n))),
        (
            "trigonometric",
            Box::new(Trigonometric::new(zeros.clone(), ones.clone()).unwrap()),
        ),
        (
            "logistic",
            Box::new(Sigmoid::new(zeros.clone(), ones.clone()).unwrap()),
        ),
        (
            "algebraic",
            Box::new(Algebraic::new(zeros.clone(), ones.clone()).unwrap()),
        ),
        ("bounds", Box::new(mixed)),
        ("identity", Box::new(Identity::new(n))),
        ("fixed", Box::new(Fixed::new(ones.clone()).unwrap())),
        (
            "tied",
            Box::new(Tied::new(Squares::new(2), &[0, 1, 0, 1]).unwrap()),
        ),
        (
            "scaled",
            Box::new(Squares::new(n).scaled(&[1.0, 2.0, 3.0, 4.0]).unwrap()),
        ),
        (
            "precompose",
            Box::new(Precompose::new(Monotone::bounded(3, 0.0, 1.0).unwrap(), ones.clone()).unwrap()),
        ),
        ("simplex", Box::new(simplex(n))),
        ("softmax", Box::new(Softmax::new(n, 1.0).unwrap())),
        ("reduced softmax", Box::new(ReducedSoftmax::new(n, 1.0).unwrap())),
        ("capped", Box::new(CappedSimplex::new(n, 1.0).unwrap())),
        ("by rows", Box::new(Stochastic::by_rows(3, 2).unwrap())),
        ("by columns", Box::new(Stochastic::by_columns(3, 2).unwrap())),
        ("ball", Box::new(Ball::new(n, 1.0).unwrap())),
        ("open ball", Box::new(OpenBall::new(n, 1.0).unwrap())),
        ("sphere", Box::new(Sphere::new(n, 1.0).unwrap())),
        ("l1 ball", Box::new(L1Ball::new(n, 1.0).unwrap())),
        ("difference", Box::new(Difference::new(n))),
        ("cone", Box::new(LowRank::cone(3, 3).unwrap())),
        ("cone, low rank", Box::new(LowRank::cone(3, 1).unwrap())),
        ("trace", Box::new(LowRank::with_trace(3, 3, 1.0).unwrap())),
        ("correlation", Box::new(LowRank::unit_diagonal(3, 3).unwrap())),
        ("monotone", Box::new(Monotone::new(n).unwrap())),
        ("monotone, lower", Box::new(Monotone::with_lower(n, 0.0).unwrap())),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, 0.0, 1.0).unwrap()),
        ),
        ("convex", Box::new(ConvexSequence::new(n).unwrap())),
        ("second-order cone", Box::new(SecondOrderCone::new(n).unwrap())),
        // affine images: polytopes (more vertices than dimensions, and fewer), round sets, cones, subspaces
        ("polytope", image(2, simplex(30))),
        ("simplex in space", image(5, simplex(3))),
        ("ellipsoid", image(2, Ball::new(3, 1.0).unwrap())),
        (
            "image of a box",
            image(2, Trigonometric::new(zeros, ones).unwrap()),
        ),
        ("image of an l1 ball", image(2, L1Ball::new(3, 1.0).unwrap())),
        (
            "image of stochastic matrices",
            image(2, Stochastic::by_rows(2, 2).unwrap()),
        ),
        ("image of a cone", image(4, Squares::new(3))),
        ("subspace", image(4, Identity::new(2))),
        ("image of matrices", image(9, LowRank::cone(3, 3).unwrap())),
        (
            "image of states",
            image(4, LowRank::with_trace(3, 3, 1.0).unwrap()),
        ),
        ("image of sequences", image(4, Monotone::new(4).unwrap())),
        ("image of an image", image(3, image(3, simplex(4)))),
        (
            "image of an unbounded product",
            image(
                12,
                Product::new(vec![
                    Box::new(simplex(2)) as Map,
                    Box::new(CappedSimplex::new(2, 1.0).unwrap()),
                    Box::new(Ball::new(2, 1.0).unwrap()),
                    Box::new(Stochastic::by_columns(2, 2).unwrap()),
                    image(2, simplex(3)),
                    Box::new(Squares::new(2)),
                ]),
            ),
        ),
        ("pair", Box::new(Pair::new(Squares::new(1), simplex(3)))),
        (
            "product",
            Box::new(Product::new(vec![Ball::new(2, 1.0).unwrap(); 2])),
        ),
        (
            "nested",
            Box::new(Product::new(vec![
                Box::new(simplex(3)) as Map,
                Box::new(Pair::new(Squares::new(1), LowRank::cone(2, 2).unwrap())),
                image(2, Pair::new(simplex(2), simplex(2))),
            ])),
        ),
        ("boxed", Box::new(std::sync::Arc::new(simplex(3)))),
    ]
}

/// u of the interior, at faces (a zero in every place and several), and 0.
fn points(map: &dyn Reparametrization<f64>, random: &mut Random) -> Vec<Vec<f64>> {
    let p = map.dim_u();
    let mut points = vec![
        random.normals::<f64>(p),
        random.normals::<f64>(p),
        vec![0.0; p],
        vec![1.0; p],
    ];
    for k in 0..p.min(6) {
        let mut u = random.normals::<f64>(p);
        u[k] = 0.0;
        u[(k * 5 + 1) % p] = 0.0;
        points.push(u);
    }
    points
}

#[test]
fn the_counter_counts() {
    assert_eq!(counted(|| std::hint::black_box(vec![0.0; 3])).0, 1);
}

#[test]
fn nothing_is_allocated() {
    let mut random = Random::new(1);
    for (name, map) in maps() {
        let (p, m) = (map.dim_u(), map.dim_x());
        let (v, w) = (random.normals::<f64>(p), random.normals::<f64>(m));
        let (opposite, h) = (w.iter().map(|g| -g).collect::<Vec<_>>(), vec![1.0; m]);
        let (mut a, mut b, mut x, mut y, mut z) = (
            vec![0.0; p],
            vec![0.0; p],
            vec![0.0; m],
            vec![0.0; m],
            vec![0.0; m],
        );
        let mut work = vec![0.0; map.scratch_len()];
        for u in points(&*map, &mut random) {
            map.apply(&u, &mut x, &mut work);
            let (count, ()) = counted(|| {
                map.apply(&u, &mut y, &mut work);
                map.jvp(&u, &v, &mut y, &mut work);
                map.vjp(&u, &w, &mut a, &mut work);
                map.curvature(&u, &w, &v, &mut a, &mut work);
                map.diagonals(&u, &h, &w, &mut a, &mut b, &mut work);
                map.metric(&x, &w, &mut y, &mut work);
                map.ray(&u, &v, &mut y, &mut z, &mut work);
                for g in [&w, &opposite] {
                    map.release(&u, &x, g, &h, &mut a, &mut work);
                }
                a.copy_from_slice(&u);
                map.renormalize(&mut a);
                map.interior(&mut a);
            });
            assert_eq!(count, 0, "{name} at {u:?}");
        }
    }
}

/// At interior points, on faces, at points outside, under every policy; errors do not allocate either.
#[test]
fn no_section_allocates() {
    let mut random = Random::new(2);
    let policies = [Boundary::Exact, Boundary::Nudge(1e-6), Boundary::Reject];
    for (name, map) in maps() {
        let mut targets = Vec::new();
        let mut work = vec![0.0; map.scratch_len()];
        for u in points(&*map, &mut random) {
            let mut x = vec![0.0; map.dim_x()];
            map.apply(&u, &mut x, &mut work);
            targets.push((x, true));
        }
        for size in [1.0, 100.0] {
            let mut x: Vec<f64> = random
                .normals::<f64>(map.dim_x())
                .iter()
                .map(|v| v * size)
                .collect();
            targets.push((x.clone(), false));
            if map.set().project(&mut x) {
                targets.push((x, false));
            }
        }
        targets.push((vec![f64::NAN; map.dim_x()], false));
        let (mut found, mut u) = (0, vec![0.0; map.dim_u()]);
        for (x, reached) in &targets {
            for policy in policies {
                let (count, result) = counted(|| map.section(x, policy, &mut u, &mut work));
                assert_eq!(count, 0, "{name} at {x:?}, {policy:?}: {result:?}");
                found += usize::from(*reached && result.is_ok());
            }
        }
        // the counts above mean something only if sections were found
        assert!(found >= 3, "{name}: {found}");
    }
}
