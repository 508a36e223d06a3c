//! The maps whose coordinates are coupled: every one through the whole battery, in both precisions.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use proptest::prelude::*;
use reparam::maps::{
    Affine, Ball, Boundary, Bounds, CappedSimplex, ConvexSequence, Difference, Identity, L1Ball, Landscape,
    LowRank, Monotone, NormalizedSquares, OpenBall, Pair, Product, Ray, ReducedSoftmax, Reparametrization,
    SecondOrderCone, Softmax, Sphere, Squares, Stochastic,
};
use reparam::testing::{Random, check_map};
use reparam::{MapError, Scalar};

fn apply<T: Scalar>(map: &dyn Reparametrization<T>, u: &[T]) -> Vec<T> {
    let mut x = vec![T::nan(); map.dim_x()];
    map.apply(u, &mut x, &mut vec![T::nan(); map.scratch_len()]);
    x
}

fn section<T: Scalar>(
    map: &dyn Reparametrization<T>,
    x: &[T],
    boundary: Boundary<T>,
) -> Result<Vec<T>, MapError> {
    let mut u = vec![T::nan(); map.dim_u()];
    map.section(x, boundary, &mut u, &mut vec![T::zero(); map.scratch_len()])
        .map(|()| u)
}

fn close<T: Scalar>(a: &[T], b: &[T], tolerance: f64) {
    let size = b.iter().fold(1.0, |m: f64, v| m.max(v.as_f64().abs()));
    for (s, t) in a.iter().zip(b) {
        assert!(
            (*s - *t).abs().as_f64() <= tolerance * size,
            "{a:?} against {b:?}"
        );
    }
    assert_eq!(a.len(), b.len());
}

/// The catalogue at dimension n, by name.
fn catalogue<T: Scalar>(n: usize, seed: u64) -> Vec<(&'static str, Box<dyn Reparametrization<T>>)> {
    let mut random = Random::new(seed);
    let centre: Vec<T> = random.normals(n);
    let r = T::lit(0.5) + random.uniform::<T>();
    let lit = T::lit;
    let mut all: Vec<(&'static str, Box<dyn Reparametrization<T>>)> = vec![
        (
            "normalized squares",
            Box::new(NormalizedSquares::new(n, r).unwrap()),
        ),
        ("softmax", Box::new(Softmax::new(n, r).unwrap())),
        ("capped simplex", Box::new(CappedSimplex::new(n, r).unwrap())),
        ("ball", Box::new(Ball::with_centre(centre.clone(), r).unwrap())),
        (
            "open ball",
            Box::new(OpenBall::with_centre(centre.clone(), r).unwrap()),
        ),
        ("sphere", Box::new(Sphere::with_centre(centre, r).unwrap())),
        ("l1 ball", Box::new(L1Ball::new(n, r).unwrap())),
        ("difference", Box::new(Difference::new(n))),
        ("monotone", Box::new(Monotone::new(n).unwrap())),
        (
            "monotone, lower",
            Box::new(Monotone::with_lower(n, lit(-1.5)).unwrap()),
        ),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, lit(-1.0), lit(2.0)).unwrap()),
        ),
        ("convex", Box::new(ConvexSequence::new(n).unwrap())),
        ("second-order cone", Box::new(SecondOrderCone::new(n).unwrap())),
        ("row-stochastic", Box::new(Stochastic::by_rows(2, n).unwrap())),
        (
            "column-stochastic",
            Box::new(Stochastic::by_columns(n, 3).unwrap()),
        ),
    ];
    if n > 1 {
        all.push(("reduced softmax", Box::new(ReducedSoftmax::new(n, r).unwrap())));
    }
    let m = n.min(4);
    for p in [1, m, m + 1] {
        all.push(("psd cone", Box::new(LowRank::cone(m, p).unwrap())));
        all.push(("psd, trace", Box::new(LowRank::with_trace(m, p, r).unwrap())));
        if p > 1 || m == 1 {
            all.push(("correlation", Box::new(LowRank::unit_diagonal(m, p).unwrap())));
        }
    }
    all
}

/// ReducedSoftmax has no parameter for n = 1: checked by hand.
fn battery<T: Scalar>(n: usize, seed: u64) {
    for (name, map) in catalogue::<T>(n, seed) {
        let report = check_map(&*map, seed);
        assert!(report.passed(), "{name}, n = {n}, seed {seed}\n{report}");
    }
}

proptest! {
    // the same cases in every run: about one check in 10⁵ sits next to a singular u, where rounding exceeds its tolerance
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(20),
        ..ProptestConfig::default()
    })]

    #[test]
    fn catalogue_in_double(n in 1usize..9, seed in any::<u64>()) {
        battery::<f64>(n, seed);
    }

    #[test]
    fn catalogue_in_single(n in 1usize..9, seed in any::<u64>()) {
        battery::<f32>(n, seed);
    }

    /// x with zeros, ties and full budgets: φ(section(x)) = x, and the zeros exactly.
    #[test]
    fn boundary_round_trips(n in 1usize..9, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut weights: Vec<f64> = (0..n).map(|_| if random.uniform::<f64>() < 0.5 { 0.0 } else { random.uniform() }).collect();
        weights[n - 1] += 0.25;
        let sum: f64 = weights.iter().sum();
        let simplex: Vec<f64> = weights.iter().map(|w| w / sum).collect();
        for map in [&NormalizedSquares::new(n, 1.0).unwrap() as &dyn Reparametrization<f64>, &CappedSimplex::new(n, 1.0).unwrap()] {
            let x = apply(map, &section(map, &simplex, Boundary::Exact).unwrap());
            close(&x, &simplex, 1e-14);
            prop_assert!(x.iter().zip(&simplex).all(|(a, b)| (*a == 0.0) == (*b == 0.0)));
        }
        let signed: Vec<f64> = simplex.iter().map(|v| if random.uniform::<f64>() < 0.5 { -v } else { *v }).collect();
        for f in [1.0, 0.25, 0.0] {
            let map = L1Ball::new(n, 1.0).unwrap();
            let want: Vec<f64> = signed.iter().map(|v| v * f).collect();
            close(&apply(&map, &section(&map, &want, Boundary::Exact).unwrap()), &want, 1e-14);
        }
        let norm: f64 = signed.iter().map(|v| v * v).sum::<f64>().sqrt();
        for f in [1.0, 0.5, 0.0] {
            let map = Ball::new(n, 2.0).unwrap();
            let want: Vec<f64> = signed.iter().map(|v| v / norm * 2.0 * f).collect();
            close(&apply(&map, &section(&map, &want, Boundary::Exact).unwrap()), &want, 1e-14);
        }
        let mut steps = simplex.clone();
        for k in 1..n {
            steps[k] += steps[k - 1];
        }
        let maps: [&dyn Reparametrization<f64>; 3] = [
            &Monotone::new(n).unwrap(), &Monotone::with_lower(n, 0.0).unwrap(), &Monotone::bounded(n, 0.0, 1.0).unwrap(),
        ];
        for map in maps {
            close(&apply(map, &section(map, &steps, Boundary::Exact).unwrap()), &steps, 1e-13);
        }
        let mut convex = steps.clone();
        for k in 1..n {
            convex[k] += convex[k - 1];
        }
        let map = ConvexSequence::new(n).unwrap();
        close(&apply(&map, &section(&map, &convex, Boundary::Exact).unwrap()), &convex, 1e-13);
        // rank one
        let q: Vec<f64> = signed.iter().map(|v| v / norm).collect();
        let one: Vec<f64> = (0..n * n).map(|k| q[k / n] * q[k % n]).collect();
        for p in [1, n] {
            for map in [LowRank::cone(n, p).unwrap(), LowRank::with_trace(n, p, 1.0).unwrap()] {
                let u = section(&map, &one, Boundary::Exact).unwrap();
                close(&apply(&map, &u), &one, 1e-13);
                prop_assert!((0..n).all(|i| u[i * p + 1..(i + 1) * p].iter().all(|v| *v == 0.0)));
            }
        }
        let ones: Vec<f64> = (0..n * n).map(|k| signed[k / n].signum() * signed[k % n].signum()).collect();
        let map = LowRank::unit_diagonal(n, n).unwrap();
        close(&apply(&map, &section(&map, &ones, Boundary::Exact).unwrap()), &ones, 1e-13);
        // the boundary of the second-order cone, and its apex
        let map = SecondOrderCone::new(n).unwrap();
        let mut cone = signed.clone();
        cone[0] = cone[1..].iter().map(|v| v * v).sum::<f64>().sqrt();
        close(&apply(&map, &section(&map, &cone, Boundary::Exact).unwrap()), &cone, 1e-14);
        close(&apply(&map, &section(&map, &vec![0.0; n], Boundary::Exact).unwrap()), &vec![0.0; n], 0.0);
        let map = Difference::new(n);
        close(&apply(&map, &section(&map, &signed, Boundary::Exact).unwrap()), &signed, 1e-15);
    }

    /// Three levels: a product of a simplex, bounds and an affine image of a simplex; static and boxed agree to the bit.
    #[test]
    fn nesting(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let t = nalgebra::DMatrix::from_fn(3, 4, |_, _| random.normal::<f64>());
        let offset: Vec<f64> = random.normals(3);
        let image = || Affine::new(t.clone(), NormalizedSquares::new(4, 1.0).unwrap(), offset.clone()).unwrap();
        let bounds = || Bounds::new(vec![0.0, -1.0], vec![f64::INFINITY, 2.0]).unwrap();
        let inner = |i| Pair::new(bounds(), i);
        let fixed = Pair::new(NormalizedSquares::new(3, 2.0).unwrap(), inner(image()));
        let boxed: Product<f64> = Product::new(vec![
            Box::new(NormalizedSquares::new(3, 2.0).unwrap()) as Box<dyn Reparametrization<f64> + Send + Sync>,
            Box::new(Product::new(vec![Box::new(bounds()) as Box<dyn Reparametrization<f64> + Send + Sync>, Box::new(image())])),
        ]);
        prop_assert_eq!(fixed.dim_x(), 8);
        prop_assert_eq!((fixed.dim_u(), fixed.dim_x(), fixed.scratch_len()), (boxed.dim_u(), boxed.dim_x(), boxed.scratch_len()));
        let report = check_map(&fixed, seed);
        prop_assert!(report.passed(), "{}", report);
        let (u, v, w) = (random.normals::<f64>(9), random.normals::<f64>(9), random.normals::<f64>(8));
        let (mut work, mut a, mut b) = (vec![0.0; fixed.scratch_len()], vec![0.0; 9], vec![0.0; 9]);
        prop_assert_eq!(apply(&fixed, &u), apply(&boxed, &u));
        fixed.vjp(&u, &w, &mut a, &mut work);
        boxed.vjp(&u, &w, &mut b, &mut work);
        prop_assert_eq!(&a, &b);
        fixed.curvature(&u, &w, &v, &mut a, &mut work);
        boxed.curvature(&u, &w, &v, &mut b, &mut work);
        prop_assert_eq!(&a, &b);
        let (mut a, mut b) = (vec![0.0; 8], vec![0.0; 8]);
        fixed.jvp(&u, &v, &mut a, &mut work);
        boxed.jvp(&u, &v, &mut b, &mut work);
        prop_assert_eq!(&a, &b);
        let x = apply(&fixed, &u);
        prop_assert_eq!(fixed.set().natural_residual(&x, &w, None), boxed.set().natural_residual(&x, &w, None));
        let back = section(&boxed, &x, Boundary::Exact).unwrap();
        close(&apply(&boxed, &back), &x, 1e-12);
        // one more level: the whole under an affine map
        let outer = Affine::new(nalgebra::DMatrix::from_fn(5, 8, |_, _| random.normal::<f64>()), &boxed, vec![0.0; 5]).unwrap();
        let mut cv = vec![0.0; 9];
        outer.curvature(&u, &w[..5], &v, &mut cv, &mut vec![0.0; outer.scratch_len()]);
        prop_assert!(cv.iter().all(|c| c.is_finite()));
    }

    /// Affine images of bounded sets: everything, rays and sections included.
    #[test]
    fn affine(d in 1usize..5, k in 1usize..7, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let t = nalgebra::DMatrix::from_fn(d, k, |_, _| random.normal::<f64>());
        let map = Affine::new(t, NormalizedSquares::new(k, 1.0).unwrap(), random.normals(d)).unwrap();
        let report = check_map(&map, seed);
        prop_assert!(report.passed(), "{}", report);
        let x = apply(&map, &random.normals(k));
        prop_assert!(section(&map, &x, Boundary::Exact).is_ok());
        prop_assert!(section(&map, &x.iter().map(|v| v + 1e3).collect::<Vec<_>>(), Boundary::Exact).is_err());
    }
}

#[test]
fn affine_image_of_an_unbounded_set() {
    // a permutation of squares, and a subspace: the set has a projection only
    let mut random = Random::new(3);
    let permutation = nalgebra::dmatrix![0.0, 1.0, 0.0; 0.0, 0.0, 1.0; 1.0, 0.0, 0.0];
    let map = Affine::new(permutation, Squares::new(3), vec![0.0, 1.0, 0.0]).unwrap();
    let u = random.normals::<f64>(3);
    let x = apply(&map, &u);
    close(&x, &[u[1] * u[1], 1.0 + u[2] * u[2], u[0] * u[0]], 1e-15);
    let v = map.set().violation(&x);
    assert!(v < 1e-14, "{v:e}");
    let back = section(&map, &x, Boundary::Exact).unwrap();
    close(&apply(&map, &back), &x, 1e-13);
    let plane = Affine::new(
        nalgebra::dmatrix![1.0, 0.0; 1.0, 1.0; 0.0, 2.0],
        Identity::new(2),
        vec![0.0; 3],
    )
    .unwrap();
    assert!(plane.set().violation(&apply(&plane, &[3.0, -2.0])) < 1e-12);
    assert!(
        plane
            .set()
            .natural_residual(&[1.0, 1.0, 0.0], &[2.0, -2.0, 1.0], None)
            < 1e-12
    ); // g ⊥ the plane
    assert!(
        plane
            .set()
            .natural_residual(&[1.0, 1.0, 0.0], &[1.0, 0.0, 0.0], None)
            > 0.1
    );
}

/// At u = 0 every map gives its documented point, with derivatives that are numbers.
#[test]
fn degenerate_u() {
    for n in [1, 2, 5] {
        for (name, map) in catalogue::<f64>(n, 1) {
            let (p, m) = (map.dim_u(), map.dim_x());
            for fill in [0.0, 5e-324, 1e-300, 1e300] {
                let u = vec![fill; p];
                let x = apply(&*map, &u);
                assert!(x.iter().all(|v| !v.is_nan()), "{name} at {fill:e}");
                if x.iter().all(|v| v.is_finite()) {
                    let size = x.iter().fold(1.0_f64, |s, v| s.max(v.abs()));
                    assert!(
                        map.set().violation(&x) <= 1e-13 * size,
                        "{name} at {fill:e}: {x:?}"
                    );
                }
            }
            let (u, w, v) = (vec![0.0; p], vec![1.0; m], vec![1.0; p]);
            let (mut a, mut b, mut work) = (vec![0.0; p], vec![0.0; m], vec![0.0; map.scratch_len()]);
            map.jvp(&u, &v, &mut b, &mut work);
            assert!(b.iter().all(|v| v.is_finite()), "{name}");
            map.vjp(&u, &w, &mut a, &mut work);
            assert!(a.iter().all(|v| v.is_finite()), "{name}");
            map.curvature(&u, &w, &v, &mut a, &mut work);
            assert!(a.iter().all(|v| v.is_finite()), "{name}");
            let mut r = u.clone();
            map.renormalize(&mut r);
            close(&apply(&*map, &r), &apply(&*map, &u), 1e-15);
        }
    }
    assert_eq!(
        apply(&NormalizedSquares::new(4, 2.0).unwrap(), &[0.0; 4]),
        [0.5; 4]
    );
    assert_eq!(apply(&CappedSimplex::new(3, 2.0).unwrap(), &[0.0; 4]), [0.5; 3]);
    assert_eq!(apply(&L1Ball::new(2, 1.0).unwrap(), &[0.0; 4]), [0.0; 2]);
    assert_eq!(
        apply(&Ball::with_centre(vec![3.0, 4.0], 2.0).unwrap(), &[0.0; 3]),
        [3.0, 4.0]
    );
    assert_eq!(apply(&Sphere::new(2, 2.0).unwrap(), &[0.0; 2]), [2.0, 0.0]);
    assert_eq!(
        apply(
            &NormalizedSquares::new(3, 1.0).unwrap(),
            &[f64::INFINITY, 7.0, f64::NEG_INFINITY]
        ),
        [0.5, 0.0, 0.5]
    );
    assert_eq!(
        apply(
            &Softmax::new(3, 1.0).unwrap(),
            &[f64::INFINITY, 7.0, f64::INFINITY]
        ),
        [0.5, 0.0, 0.5]
    );
    assert!(apply(&NormalizedSquares::new(2, 1.0).unwrap(), &[f64::NAN, 1.0])[1].is_nan());
    assert_eq!(apply(&ReducedSoftmax::new(1, 2.0).unwrap(), &[]), [2.0]);
}

/// Sums hold to rounding, non-negativity exactly, at every size of u.
#[test]
fn the_simplex_to_rounding() {
    let mut random = Random::new(11);
    for n in [2, 10, 1000] {
        for size in [1e-300, 1e-160, 1.0, 1e160, 1e300] {
            let u: Vec<f64> = random.normals::<f64>(n).into_iter().map(|v| v * size).collect();
            for map in [
                &NormalizedSquares::new(n, 3.0).unwrap() as &dyn Reparametrization<f64>,
                &Softmax::new(n, 3.0).unwrap(),
            ] {
                let x = apply(map, &u);
                assert!(x.iter().all(|v| *v >= 0.0));
                assert!((x.iter().sum::<f64>() - 3.0).abs() <= 3.0 * 1e-15 * (n as f64).sqrt());
            }
        }
    }
}

#[test]
fn boundary_policies() {
    let on = |e: Result<Vec<f64>, MapError>| matches!(e, Err(MapError::OnBoundary { .. }));
    let out = |e: Result<Vec<f64>, MapError>| matches!(e, Err(MapError::Outside { .. }));
    let vertex = [0.0, 1.0, 0.0];
    let maps: [&dyn Reparametrization<f64>; 6] = [
        &NormalizedSquares::new(3, 1.0).unwrap(),
        &CappedSimplex::new(3, 1.0).unwrap(),
        &L1Ball::new(3, 1.0).unwrap(),
        &Ball::new(3, 1.0).unwrap(),
        &Monotone::with_lower(3, 0.0).unwrap(),
        &Stochastic::by_rows(1, 3).unwrap(),
    ];
    for map in maps {
        let x = if map.dim_u() == 3 && map.dim_x() == 3 && map.set().violation(&vertex) > 0.0 {
            [0.0, 0.0, 1.0]
        } else {
            vertex
        };
        assert!(on(section(map, &x, Boundary::Reject)));
        assert!(section(map, &x, Boundary::Exact).is_ok());
        let nudged = section(map, &x, Boundary::Nudge(1e-6)).unwrap();
        let y = apply(map, &nudged);
        assert!(y.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-5), "{y:?}");
        assert!(section(map, &y, Boundary::Reject).is_ok(), "{y:?}");
        assert!(out(section(map, &[f64::NAN, 0.0, 0.0], Boundary::Exact)));
    }
    let interior: [&dyn Reparametrization<f64>; 3] = [
        &Softmax::new(3, 1.0).unwrap(),
        &ReducedSoftmax::new(3, 1.0).unwrap(),
        &OpenBall::new(3, 1.0).unwrap(),
    ];
    for map in interior {
        assert_eq!(map.landscape(), Landscape::InteriorOnly);
        assert!(on(section(map, &vertex, Boundary::Exact)));
        assert!(on(section(map, &vertex, Boundary::Reject)));
        let y = apply(map, &section(map, &vertex, Boundary::Nudge(1e-6)).unwrap());
        assert!((y[1] - 1.0).abs() < 1e-5 && (y[1] - 1.0).abs() > 1e-9);
    }
    let sums: [(&dyn Reparametrization<f64>, [f64; 2], &str); 3] = [
        (
            &NormalizedSquares::new(2, 1.0).unwrap(),
            [0.5, 0.75],
            "must add up to 1 (to within 1.5e-8), not 1.25",
        ),
        (
            &CappedSimplex::new(2, 1.0).unwrap(),
            [0.5, 0.75],
            "must add up to at most 1 (to within 1.5e-8), not 1.25",
        ),
        (
            &L1Ball::new(2, 1.0).unwrap(),
            [0.5, -0.75],
            "that add up to at most 1 (to within 1.5e-8), not 1.25",
        ),
    ];
    for (map, x, words) in sums {
        let error = section(map, &x, Boundary::Exact).unwrap_err();
        assert!(
            matches!(error, MapError::Sum { .. }) && error.to_string().ends_with(words),
            "{error}"
        );
    }
    assert!(out(section(
        &NormalizedSquares::new(2, 1.0).unwrap(),
        &[1.5, -0.5],
        Boundary::Exact
    )));
    assert!(out(section(
        &Monotone::new(2).unwrap(),
        &[1.0, 0.0],
        Boundary::Exact
    )));
    assert!(out(section(
        &ConvexSequence::new(3).unwrap(),
        &[0.0, 1.0, 0.0],
        Boundary::Exact
    )));
    assert!(out(section(
        &SecondOrderCone::new(2).unwrap(),
        &[1.0, 2.0],
        Boundary::Exact
    )));
    assert!(out(section(
        &Sphere::new(2, 1.0).unwrap(),
        &[1.0, 1.0],
        Boundary::Exact
    )));
    assert!(out(section(
        &LowRank::cone(2, 2).unwrap(),
        &[1.0, 2.0, 2.0, 1.0],
        Boundary::Exact
    )));
    assert!(out(section(
        &LowRank::unit_diagonal(2, 2).unwrap(),
        &[2.0, 0.0, 0.0, 1.0],
        Boundary::Exact
    )));
    assert!(matches!(
        section(
            &LowRank::cone(2, 1).unwrap(),
            &[1.0, 0.0, 0.0, 1.0],
            Boundary::Exact
        ),
        Err(MapError::NotProvided(_))
    ));
    assert!(on(section(
        &LowRank::cone(2, 2).unwrap(),
        &[1.0, 0.0, 0.0, 0.0],
        Boundary::Reject
    )));
    // the index of a product counts from its start
    let map = Pair::new(Identity::new(2), NormalizedSquares::new(2, 1.0).unwrap());
    assert_eq!(
        section(&map, &[0.0, 0.0, 1.0, 0.0], Boundary::Reject),
        Err(MapError::OnBoundary { index: 3 })
    );
}

/// What `release` returns goes downhill for a convex quadratic, on every map that has one, from every kind of face.
#[test]
fn release_descends() {
    let mut random = Random::new(17);
    let n = 4;
    type Case = (&'static str, Box<dyn Reparametrization<f64>>, Vec<f64>);
    let mut cases: Vec<Case> = vec![
        (
            "simplex",
            Box::new(NormalizedSquares::new(n, 2.0).unwrap()),
            vec![0.0, 2.0, 0.0, 0.0],
        ),
        (
            "simplex",
            Box::new(NormalizedSquares::new(n, 2.0).unwrap()),
            vec![0.5, 1.5, 0.0, 0.0],
        ),
        (
            "capped",
            Box::new(CappedSimplex::new(n, 2.0).unwrap()),
            vec![0.0, 2.0, 0.0, 0.0],
        ),
        (
            "capped",
            Box::new(CappedSimplex::new(n, 2.0).unwrap()),
            vec![0.0; 4],
        ),
        (
            "l1",
            Box::new(L1Ball::new(n, 2.0).unwrap()),
            vec![0.0, -2.0, 0.0, 0.0],
        ),
        (
            "ball",
            Box::new(Ball::new(n, 2.0).unwrap()),
            vec![0.0, -2.0, 0.0, 0.0],
        ),
        (
            "difference",
            Box::new(Difference::new(n)),
            vec![0.0, 1.0, 0.0, 0.0],
        ),
        ("monotone", Box::new(Monotone::new(n).unwrap()), vec![1.0; 4]),
        (
            "monotone, lower",
            Box::new(Monotone::with_lower(n, 1.0).unwrap()),
            vec![1.0; 4],
        ),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, 0.0, 1.0).unwrap()),
            vec![0.0, 0.0, 1.0, 1.0],
        ),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, 0.0, 1.0).unwrap()),
            vec![1.0; 4],
        ),
        (
            "convex",
            Box::new(ConvexSequence::new(n).unwrap()),
            vec![0.0, 1.0, 2.0, 3.0],
        ),
        ("cone", Box::new(SecondOrderCone::new(n).unwrap()), vec![0.0; 4]),
        (
            "cone",
            Box::new(SecondOrderCone::new(n).unwrap()),
            vec![5.0, 3.0, 0.0, 4.0],
        ),
        (
            "rows",
            Box::new(Stochastic::by_rows(2, 2).unwrap()),
            vec![1.0, 0.0, 0.0, 1.0],
        ),
        (
            "columns",
            Box::new(Stochastic::by_columns(2, 2).unwrap()),
            vec![1.0, 1.0, 0.0, 0.0],
        ),
        ("psd", Box::new(LowRank::cone(2, 2).unwrap()), vec![0.0; 4]),
        (
            "psd",
            Box::new(LowRank::cone(2, 2).unwrap()),
            vec![1.0, 1.0, 1.0, 1.0],
        ),
        (
            "psd, trace",
            Box::new(LowRank::with_trace(2, 2, 1.0).unwrap()),
            vec![0.5, 0.5, 0.5, 0.5],
        ),
        (
            "correlation",
            Box::new(LowRank::unit_diagonal(2, 2).unwrap()),
            vec![1.0, -1.0, -1.0, 1.0],
        ),
    ];
    let t = nalgebra::DMatrix::from_fn(4, 3, |_, _| random.normal::<f64>());
    let affine = Affine::new(t, NormalizedSquares::new(3, 1.0).unwrap(), vec![0.0; 4]).unwrap();
    let vertex = apply(&affine, &[0.0, 1.0, 0.0]);
    cases.push(("affine", Box::new(affine), vertex));
    for (name, map, x) in cases {
        let mut released = 0;
        for _ in 0..60 {
            // f = ½‖A x − b‖²
            let a = nalgebra::DMatrix::from_fn(5, n, |_, _| random.normal::<f64>());
            let b = nalgebra::DVector::from_fn(5, |_, _| 10.0 * random.normal::<f64>());
            let value = |x: &[f64]| (&a * nalgebra::DVector::from_column_slice(x) - &b).norm_squared() / 2.0;
            let g = a.transpose() * (&a * nalgebra::DVector::from_column_slice(&x) - &b);
            let h: Vec<f64> = a.column_iter().map(|c| c.norm_squared()).collect();
            let u = section(&*map, &x, Boundary::Exact).unwrap();
            let mut du = vec![f64::NAN; u.len()];
            let count = map.release(
                &u,
                &x,
                g.as_slice(),
                &h,
                &mut du,
                &mut vec![0.0; map.scratch_len()],
            );
            if count == 0 {
                continue;
            }
            released += 1;
            let moved: Vec<f64> = u.iter().zip(&du).map(|(u, d)| u + d).collect();
            let y = apply(&*map, &moved);
            // several blocks of a product are released at once, each by its own step
            let step = if matches!(name, "rows" | "columns" | "difference") {
                0.5
            } else {
                1.0
            };
            let y = if step < 1.0 {
                apply(
                    &*map,
                    &u.iter().zip(&du).map(|(u, d)| u + step * d).collect::<Vec<_>>(),
                )
            } else {
                y
            };
            assert!(
                value(&y) < value(&x),
                "{name}: {} after {}, du = {du:?}",
                value(&y),
                value(&x)
            );
            assert!(map.set().violation(&y) < 1e-13);
        }
        assert!(released >= 10, "{name}: released {released} times of 60");
    }
}

/// At a solution with strict multipliers nothing is released.
#[test]
fn release_keeps_right_faces() {
    let mut du = [0.0; 4];
    let map = NormalizedSquares::new(3, 1.0).unwrap();
    assert_eq!(
        map.release(
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[-1.0, 0.0, 2.0],
            &[1.0; 3],
            &mut du[..3],
            &mut []
        ),
        0
    );
    // degenerate: all multipliers zero up to rounding
    assert_eq!(
        map.release(
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0, 0.0],
            &[0.1 + 0.2, 0.3, 0.3],
            &[1.0; 3],
            &mut du[..3],
            &mut []
        ),
        0
    );
    let map = Ball::new(2, 1.0).unwrap();
    assert_eq!(
        map.release(
            &[1.0, 0.0, 0.0],
            &[1.0, 0.0],
            &[-1.0, 0.0],
            &[1.0; 2],
            &mut du[..3],
            &mut []
        ),
        0
    );
    let map = LowRank::cone(2, 2).unwrap();
    assert_eq!(
        map.release(
            &[0.0; 4],
            &[0.0; 4],
            &[2.0, 1.0, 1.0, 2.0],
            &[1.0; 4],
            &mut du,
            &mut vec![0.0; map.scratch_len()]
        ),
        0
    );
}

#[test]
fn rays_are_as_documented() {
    let shape = |map: &dyn Reparametrization<f64>| {
        let (n, p) = (map.dim_x(), map.dim_u());
        let d: Vec<f64> = (0..p).map(|k| 1.0 + k as f64).collect();
        match map.ray(
            &vec![1.0; p],
            &d,
            &mut vec![0.0; n],
            &mut vec![0.0; n],
            &mut vec![0.0; map.scratch_len()],
        ) {
            Ray::Quadratic => "quadratic",
            Ray::Rational(_) => "rational",
            _ => "general",
        }
    };
    let simplex = || NormalizedSquares::new(2, 1.0).unwrap();
    assert_eq!(shape(&simplex()), "rational");
    assert_eq!(shape(&CappedSimplex::new(2, 1.0).unwrap()), "rational");
    assert_eq!(shape(&L1Ball::new(2, 1.0).unwrap()), "rational");
    assert_eq!(shape(&Monotone::bounded(2, 0.0, 1.0).unwrap()), "rational");
    assert_eq!(shape(&LowRank::with_trace(2, 2, 1.0).unwrap()), "rational");
    assert_eq!(shape(&Monotone::new(2).unwrap()), "quadratic");
    assert_eq!(shape(&ConvexSequence::new(3).unwrap()), "quadratic");
    assert_eq!(shape(&LowRank::cone(2, 2).unwrap()), "quadratic");
    assert_eq!(shape(&Difference::new(2)), "quadratic");
    assert_eq!(shape(&SecondOrderCone::new(2).unwrap()), "quadratic");
    assert_eq!(shape(&Pair::new(Squares::new(1), Identity::new(1))), "quadratic");
    assert_eq!(shape(&Pair::new(Squares::new(1), simplex())), "general");
    assert_eq!(shape(&Pair::new(simplex(), Squares::new(1))), "general");
    assert_eq!(shape(&Product::new(vec![simplex()])), "rational");
    assert_eq!(shape(&Ball::new(2, 1.0).unwrap()), "general");
    assert_eq!(
        Pair::new(Squares::new(1), simplex()).landscape(),
        Landscape::SecondOrder
    );
    assert_eq!(
        Pair::new(Squares::new(1), Softmax::new(2, 1.0).unwrap()).landscape(),
        Landscape::InteriorOnly
    );
    assert_eq!(
        Pair::new(SecondOrderCone::new(1).unwrap(), Softmax::new(2, 1.0).unwrap()).landscape(),
        Landscape::Experimental
    );
}

/// Maps, boxed or not, can be shared between threads.
#[test]
fn maps_are_send_and_sync() {
    fn check<M: Send + Sync>(_: &M) {}
    check(&NormalizedSquares::new(2, 1.0).unwrap());
    check(&Affine::new(nalgebra::dmatrix![1.0, 2.0], Squares::new(2), vec![0.0]).unwrap());
    let boxed: Vec<Box<dyn Reparametrization<f64> + Send + Sync>> = vec![Box::new(Squares::new(1))];
    check(&Product::new(boxed));
}
