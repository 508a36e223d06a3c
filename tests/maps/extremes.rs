//! Points, radii and parameters near the ends of the number type: right values, and nowhere NaN.

use reparam::maps::{
    Ball, Boundary, CappedSimplex, ConvexSequence, Difference, L1Ball, LowRank, Monotone, NormalizedSquares,
    OpenBall, Pair, Product, ReducedSoftmax, Reparametrization, SecondOrderCone, Softmax, Sphere, Squares,
    Stochastic,
};
use reparam::sets::{self, ConstraintSet};
use reparam::{Error, MapError, Minimize, objectives::FromFn};

type Boxed = Box<dyn Reparametrization<f64>>;

fn work(map: &dyn Reparametrization<f64>) -> Vec<f64> {
    vec![f64::NAN; map.scratch_len()]
}

/// 2^e, subnormal ones included.
fn power(e: i32) -> f64 {
    let half = e / 2;
    2.0_f64.powi(half) * 2.0_f64.powi(e - half)
}

/// The maps that have a radius, which does not change u.
fn with_radius(r: f64) -> Vec<(&'static str, Boxed)> {
    vec![
        ("ball", Box::new(Ball::new(3, r).unwrap())),
        ("sphere", Box::new(Sphere::new(3, r).unwrap())),
        ("simplex", Box::new(NormalizedSquares::new(3, r).unwrap())),
        ("capped simplex", Box::new(CappedSimplex::new(3, r).unwrap())),
        ("l1 ball", Box::new(L1Ball::new(3, r).unwrap())),
        ("monotone", Box::new(Monotone::bounded(3, 0.0, r).unwrap())),
        ("trace", Box::new(LowRank::with_trace(2, 2, r).unwrap())),
    ]
}

/// A point of each set whose radius is 1, in units of it.
fn inside(name: &str) -> Vec<f64> {
    match name {
        "ball" | "open ball" => vec![0.3, -0.5, 0.1],
        "sphere" => vec![0.6, 0.0, -0.8],
        "simplex" | "softmax" | "reduced softmax" => vec![0.25, 0.125, 0.625],
        "capped simplex" => vec![0.25, 0.125, 0.375],
        "l1 ball" => vec![0.25, -0.125, 0.375],
        "monotone" => vec![0.125, 0.25, 0.5],
        "trace" => vec![0.75, 0.125, 0.125, 0.25],
        other => unreachable!("{other}"),
    }
}

#[test]
fn sections_of_sets_of_any_size() {
    for e in [
        -1000, -700, -541, -540, -520, -300, 0, 300, 500, 513, 514, 515, 516, 540, 700, 1000, 1020,
    ] {
        let r = power(e);
        let mut maps = with_radius(r);
        maps.push(("open ball", Box::new(OpenBall::new(3, r).unwrap())));
        maps.push(("softmax", Box::new(Softmax::new(3, r).unwrap())));
        maps.push(("reduced softmax", Box::new(ReducedSoftmax::new(3, r).unwrap())));
        for (name, map) in maps {
            let x: Vec<f64> = inside(name).iter().map(|v| v * r).collect();
            let mut u = vec![f64::NAN; map.dim_u()];
            map.section(&x, Boundary::Exact, &mut u, &mut work(&*map))
                .unwrap();
            let mut back = vec![f64::NAN; x.len()];
            map.apply(&u, &mut back, &mut work(&*map));
            for (x, y) in x.iter().zip(&back) {
                assert!((x - y).abs() <= 1e-14 * r, "{name}, 2^{e}: {x:e}, not {y:e}");
            }
        }
    }
}

/// On the sphere itself, with a nudge; and beyond it.
#[test]
fn boundaries_of_balls_of_any_size() {
    for e in [-700, 0, 700] {
        let r = power(e);
        let map = Ball::new(2, r).unwrap();
        let (mut u, mut x) = ([f64::NAN; 3], [f64::NAN; 2]);
        map.section(&[r, 0.0], Boundary::Nudge(0.5), &mut u, &mut [])
            .unwrap();
        map.apply(&u, &mut x, &mut []);
        assert!((x[0] / r - 0.5).abs() < 1e-15 && x[1] == 0.0, "2^{e}: {x:?}");
        let outside = map.section(&[r, r], Boundary::Exact, &mut u, &mut []);
        assert!(matches!(outside, Err(MapError::Outside { .. })), "2^{e}");
    }
    // a centre so far away that the sum with the radius overflows is no excuse for any x
    let map = Ball::with_centre(vec![1.5e308, 0.0], 1.5e308).unwrap();
    let outside = map.section(&[-1.5e308, 0.0], Boundary::Exact, &mut [0.0; 3], &mut []);
    assert!(matches!(outside, Err(MapError::Outside { .. })));
}

#[test]
fn cones_up_to_the_largest_number() {
    let cone = SecondOrderCone::new(3).unwrap();
    let x = [1.2e308, 0.6e308, 0.8e308];
    let (mut u, mut back) = ([f64::NAN; 3], [f64::NAN; 3]);
    cone.section(&x, Boundary::Exact, &mut u, &mut []).unwrap();
    cone.apply(&u, &mut back, &mut []);
    assert!(
        x.iter().zip(&back).all(|(x, y)| (x - y).abs() <= 1e-14 * x),
        "{back:?}"
    );
    // inside their sets, but the increments are no numbers
    let no_section = |map: &dyn Reparametrization<f64>| {
        let found = map.section(
            &[-1.7e308, 1.7e308, 1.7e308],
            Boundary::Exact,
            &mut [0.0; 3],
            &mut [],
        );
        assert!(matches!(found, Err(MapError::NotProvided(_))), "{found:?}");
    };
    no_section(&Monotone::new(3).unwrap());
    no_section(&ConvexSequence::new(3).unwrap());
}

/// The gap of a ball, ⟨g, d⟩ + r‖g‖, whatever its size: d = (0.3, −0.5) r, g = (3, 4)/r.
#[test]
fn gaps_of_balls_of_any_size() {
    for e in [-900, -520, 0, 520, 900] {
        let r = power(e);
        let gap = sets::BallSet::new(2, r)
            .unwrap()
            .frank_wolfe_gap(&[0.3 * r, -0.5 * r], &[3.0 / r, 4.0 / r]);
        assert!((gap.unwrap() - 3.9).abs() < 1e-13, "2^{e}: {gap:?}");
    }
}

/// φ(s u) = φ(u), so J(s u) v = J(u) v/s, J(s u)ᵀ w = J(u)ᵀ w/s, and the second derivative is divided by s².
#[test]
fn derivatives_scale_with_u_and_radius() {
    let pattern = [3.0, -1.0, 0.0, 2.0, 1.0, -2.0];
    let direction = [1.0, 2.0, -1.0, 0.5, -0.25, 1.5];
    let w0 = [0.5, -1.0, 2.0, 0.75];
    let scaled = |v: &[f64], e: i32| -> Vec<f64> { v.iter().map(|v| v * power(e)).collect() };
    let mut others: Vec<(&'static str, Boxed)> = vec![
        ("stochastic", Box::new(Stochastic::by_rows(2, 2).unwrap())),
        ("correlation", Box::new(LowRank::unit_diagonal(2, 2).unwrap())),
    ];
    let mut cases: Vec<(i32, &'static str, Boxed, Boxed)> = Vec::new();
    for radius in [0, 400, -400] {
        for ((name, one), (_, map)) in with_radius(1.0).into_iter().zip(with_radius(power(radius))) {
            cases.push((radius, name, one, map));
        }
    }
    let again: Vec<(&'static str, Boxed)> = vec![
        ("stochastic", Box::new(Stochastic::by_rows(2, 2).unwrap())),
        ("correlation", Box::new(LowRank::unit_diagonal(2, 2).unwrap())),
    ];
    for ((name, one), (_, map)) in others.drain(..).zip(again) {
        cases.push((0, name, one, map));
    }
    for (radius, name, one, map) in &cases {
        let (p, n) = (map.dim_u(), map.dim_x());
        // (sizes of one row of a correlation matrix: none may be zero)
        let (u0, v0, w0) = (&pattern[..p], &direction[..p], &w0[..n]);
        let (mut jv0, mut jtw0, mut bent0) = (vec![f64::NAN; n], vec![f64::NAN; p], vec![f64::NAN; p]);
        one.jvp(u0, v0, &mut jv0, &mut work(&**one));
        one.vjp(u0, w0, &mut jtw0, &mut work(&**one));
        one.curvature(u0, w0, v0, &mut bent0, &mut work(&**one));
        for e in [-1074, -1060, -900, -500, -100, 100, 500, 900, 1000] {
            let f = e / 2;
            let u = scaled(u0, e);
            let what = format!("{name}, radius 2^{radius}, u 2^{e}");
            let same = |out: &[f64], expected: &[f64], by: i32| {
                if by.abs() > 1000 {
                    return assert!(out.iter().all(|v| !v.is_nan()), "{what}: {out:?}");
                }
                let size = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
                for (a, b) in out.iter().zip(expected) {
                    let a = a * power(-by);
                    assert!((a - b).abs() <= 1e-13 * size, "{what}: {a:e}, not {b:e}");
                }
            };
            let (mut jv, mut jtw, mut bent) = (vec![f64::NAN; n], vec![f64::NAN; p], vec![f64::NAN; p]);
            map.jvp(&u, &scaled(v0, f), &mut jv, &mut work(&**map));
            same(&jv, &jv0, radius + f - e);
            map.vjp(&u, &scaled(w0, f), &mut jtw, &mut work(&**map));
            same(&jtw, &jtw0, radius + f - e);
            // (1/‖u‖² is no number everywhere)
            if (radius + f - 2 * e).abs() <= 1000 {
                map.curvature(&u, w0, &scaled(v0, f), &mut bent, &mut work(&**map));
                same(&bent, &bent0, radius + f - 2 * e);
            }
        }
    }
}

/// The smallest u there is: derivatives are ±∞ where they are beyond the numbers, and 0 where they are 0.
#[test]
fn nothing_is_nan_at_the_smallest_u() {
    let mut maps = with_radius(1.0);
    maps.push(("stochastic", Box::new(Stochastic::by_columns(2, 2).unwrap())));
    maps.push((
        "pair",
        Box::new(Pair::new(
            Sphere::new(2, 1.0).unwrap(),
            NormalizedSquares::new(2, 1.0).unwrap(),
        )),
    ));
    for (name, map) in &maps {
        let (p, n) = (map.dim_u(), map.dim_x());
        for (k, size) in (0..p).flat_map(|k| [1.0, 1e-300, 1e100].map(|s| (k, s))) {
            let mut u = vec![0.0; p];
            u[k] = 5e-324;
            let (mut jv, mut jtw) = (vec![0.5; n], vec![0.5; p]);
            let v: Vec<f64> = (0..p).map(|i| size * (1.0 + i as f64)).collect();
            let w: Vec<f64> = (0..n).map(|i| size * (2.0 - i as f64)).collect();
            map.jvp(&u, &v, &mut jv, &mut work(&**map));
            map.vjp(&u, &w, &mut jtw, &mut work(&**map));
            let all = [&jv, &jtw];
            assert!(
                all.iter().all(|v| v.iter().all(|v| !v.is_nan())),
                "{name}, u[{k}], {size:e}: {all:?}"
            );
            map.renormalize(&mut u);
            assert!(u.iter().all(|v| v.is_finite()) && u[k] > 0.0, "{name}: {u:?}");
        }
    }
}

// ---- sizes ------------------------------------------------------------------------------------------------

/// Dimensions beyond the integers stay the largest one, and whoever would need memory for them says that there is none.
#[test]
fn dimensions_do_not_wrap() {
    let many = usize::MAX;
    assert_eq!(
        Reparametrization::<f64>::dim_u(&Difference::<f64>::new(many)),
        many
    );
    assert_eq!(CappedSimplex::new(many, 1.0).unwrap().dim_u(), many);
    assert_eq!(L1Ball::new(many, 1.0).unwrap().dim_u(), many);
    assert_eq!(Monotone::bounded(many, 0.0, 1.0).unwrap().dim_u(), many);
    assert_eq!(ReducedSoftmax::new(many, 1.0).unwrap().scratch_len(), many);
    assert_eq!(
        Pair::new(Squares::<f64>::new(many), Squares::new(2)).dim_u(),
        many
    );
    assert_eq!(Product::new(vec![Squares::<f64>::new(many); 2]).set().dim(), many);
    assert!(matches!(Ball::new(many, 1.0), Err(Error::Memory { .. })));
    assert!(matches!(Sphere::new(many, 1.0), Err(Error::Memory { .. })));
    assert!(matches!(
        Stochastic::<f64>::by_rows(many, 2),
        Err(Error::SizeOverflow { .. })
    ));
    let refused = |map: &dyn Reparametrization<f64>| {
        let f = FromFn::new(map.dim_x(), |_: &[f64], _: &mut [f64]| Ok(0.0));
        assert!(matches!(Minimize::new(f, map), Err(Error::Memory { .. })));
    };
    refused(&CappedSimplex::new(many, 1.0).unwrap());
    refused(&L1Ball::new(many / 2, 1.0).unwrap());
    refused(&Squares::new(many / 16));
}

/// Products in products ask each block once. (Asked again at every level, 60 levels would take years.)
#[test]
fn nested_products_cost_what_they_hold() {
    let (mut map, mut set): (Boxed, Box<dyn ConstraintSet<f64>>) =
        (Box::new(Squares::new(1)), Box::new(sets::Orthant::new(1)));
    let depth = 60;
    for _ in 0..depth {
        map = Box::new(Product::new(vec![map, Box::new(Squares::new(1)) as Boxed]));
        set = Box::new(sets::ProductSet::new(vec![set, Box::new(sets::Orthant::new(1))]));
    }
    let n = depth + 1;
    assert_eq!(
        (map.dim_u(), map.dim_x(), set.dim(), map.set().dim()),
        (n, n, n, n)
    );
    let u: Vec<f64> = (0..n).map(|k| k as f64).collect();
    let (mut x, mut back) = (vec![f64::NAN; n], vec![f64::NAN; n]);
    map.apply(&u, &mut x, &mut work(&*map));
    assert!(x.iter().zip(&u).all(|(x, u)| *x == u * u));
    map.vjp(&u, &x, &mut back, &mut work(&*map));
    map.section(&x, Boundary::Exact, &mut back, &mut work(&*map))
        .unwrap();
    assert_eq!(back, u);
    for set in [&*set, map.set()] {
        let mut y = vec![-1.0; n];
        assert!(set.project(&mut y) && y == vec![0.0; n]);
        assert_eq!(set.violation(&x), 0.0);
        assert_eq!(set.natural_residual(&x, &vec![0.0; n], None), 0.0);
    }
}
