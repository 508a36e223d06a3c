//! The sets: projections, minimisers, residuals and gaps, on random points and on the problems of `tests/data/sets`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use crate::common::sets::{bounds, map_of, numbers, problems, set_of};
use proptest::prelude::*;
use reparam::maps::{Boundary, Reparametrization};
use reparam::sets::{
    AffineImage, BallSet, BoundedSimplex, BoxSet, CappedSimplexSet, ConstraintSet, ConvexSequenceSet,
    L1BallSet, MonotoneCone, Orthant, ProductSet, Psd, SecondOrderConeSet, Simplex, SphereSet,
    StochasticMatrices, WholeSpace,
};
use reparam::testing::{Random, check_set};
use reparam::{MapError, Scalar};

/// Every convex set of coupled coordinates at dimension n.
fn catalogue<T: Scalar>(n: usize, seed: u64) -> Vec<(&'static str, Box<dyn ConstraintSet<T>>)> {
    let mut random = Random::new(seed);
    let r = T::lit(0.5) + random.uniform::<T>();
    let upper: Vec<T> = (0..n)
        .map(|_| T::lit(2.0) * r * (T::lit(0.6) + random.uniform::<T>()) / T::count(n))
        .collect();
    let upper = if upper.iter().copied().sum::<T>() > r {
        upper
    } else {
        vec![r; n]
    };
    let (lo, hi) = (T::lit(-1.0), T::lit(2.0));
    let mut all: Vec<(&'static str, Box<dyn ConstraintSet<T>>)> = vec![
        ("simplex", Box::new(Simplex::new(n, r).unwrap())),
        ("capped simplex", Box::new(CappedSimplexSet::new(n, r).unwrap())),
        (
            "bounded simplex",
            Box::new(BoundedSimplex::new(upper, r).unwrap()),
        ),
        ("l1 ball", Box::new(L1BallSet::new(n, r).unwrap())),
        (
            "ball",
            Box::new(BallSet::with_centre(random.normals(n), r).unwrap()),
        ),
        ("monotone", Box::new(MonotoneCone::new(n).unwrap())),
        (
            "monotone, lower",
            Box::new(MonotoneCone::with_bounds(n, Some(lo), None).unwrap()),
        ),
        (
            "monotone, upper",
            Box::new(MonotoneCone::with_bounds(n, None, Some(hi)).unwrap()),
        ),
        (
            "monotone, bounded",
            Box::new(MonotoneCone::with_bounds(n, Some(lo), Some(hi)).unwrap()),
        ),
        ("convex", Box::new(ConvexSequenceSet::new(n).unwrap())),
        ("second-order cone", Box::new(SecondOrderConeSet::new(n).unwrap())),
        ("rows", Box::new(StochasticMatrices::by_rows(2, n).unwrap())),
        ("columns", Box::new(StochasticMatrices::by_columns(n, 2).unwrap())),
    ];
    let m = n.min(4);
    all.push(("psd", Box::new(Psd::cone(m).unwrap())));
    all.push(("psd, trace", Box::new(Psd::with_trace(m, r).unwrap())));
    all.push(("correlation", Box::new(Psd::unit_diagonal(m).unwrap())));
    let parts: Vec<Box<dyn ConstraintSet<T>>> = vec![
        Box::new(Simplex::new(n, r).unwrap()),
        Box::new(BoxSet::uniform(2, lo, hi).unwrap()),
        Box::new(ProductSet::new(vec![BallSet::new(2, r).unwrap(); 2])),
    ];
    all.push(("product", Box::new(ProductSet::new(parts))));
    all
}

fn battery<T: Scalar>(n: usize, seed: u64) {
    for (name, set) in catalogue::<T>(n, seed) {
        let report = check_set(&*set, seed);
        assert!(report.passed(), "{name}, n = {n}, seed {seed}\n{report}");
    }
}

/// The weighted projections by slow and plain means.
fn bisect(f: impl Fn(f64) -> f64) -> f64 {
    let (mut lo, mut hi) = (-1e6, 1e6); // f decreases
    for _ in 0..200 {
        let mid = 0.5 * (lo + hi);
        if f(mid) > 0.0 { lo = mid } else { hi = mid }
    }
    0.5 * (lo + hi)
}

fn residual_of(x: &[f64], y: &[f64], c: &[f64]) -> f64 {
    x.iter()
        .zip(y)
        .zip(c)
        .map(|((x, y), c)| c * (x - y).abs())
        .fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(21),
        ..ProptestConfig::default()
    })]

    #[test]
    fn battery_in_double(n in 1usize..9, seed in any::<u64>()) {
        battery::<f64>(n, seed);
    }

    #[test]
    fn battery_in_single(n in 1usize..9, seed in any::<u64>()) {
        battery::<f32>(n, seed);
    }

    #[test]
    fn residuals_in_a_metric(n in 1usize..8, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let c: Vec<f64> = (0..n).map(|_| 0.1 + 3.0 * random.uniform::<f64>()).collect();
        let w: Vec<f64> = c.iter().map(|c| c * c).collect();
        let g = random.normals::<f64>(n);
        let mut x = random.normals::<f64>(n);
        let z = |x: &[f64]| -> Vec<f64> { (0..n).map(|i| x[i] - g[i] / w[i]).collect() };

        let set = Simplex::new(n, 1.5).unwrap();
        set.project(&mut x);
        let p = z(&x);
        let t = bisect(|t| (0..n).map(|i| (p[i] - t / w[i]).max(0.0)).sum::<f64>() - 1.5);
        let y: Vec<f64> = (0..n).map(|i| (p[i] - t / w[i]).max(0.0)).collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);
        // on the solid simplex t may not be negative
        let set = CappedSimplexSet::new(n, 1.5).unwrap();
        let y: Vec<f64> = (0..n).map(|i| (p[i] - t.max(0.0) / w[i]).max(0.0)).collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);

        let upper: Vec<f64> = (0..n).map(|_| 1.5 / n as f64 + random.uniform::<f64>()).collect();
        let set = BoundedSimplex::new(upper.clone(), 1.5).unwrap();
        set.project(&mut x);
        let p = z(&x);
        let at = |t: f64, i: usize| (p[i] - t / w[i]).clamp(0.0, upper[i]);
        let t = bisect(|t| (0..n).map(|i| at(t, i)).sum::<f64>() - 1.5);
        let y: Vec<f64> = (0..n).map(|i| at(t, i)).collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);

        let set = L1BallSet::new(n, 1.0).unwrap();
        let mut x = random.normals::<f64>(n);
        set.project(&mut x);
        let p = z(&x);
        let at = |t: f64, i: usize| p[i].signum() * (p[i].abs() - t.max(0.0) / w[i]).max(0.0);
        let t = bisect(|t| (0..n).map(|i| at(t, i).abs()).sum::<f64>() - 1.0).max(0.0);
        let y: Vec<f64> = (0..n).map(|i| at(t, i)).collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);

        let set = BallSet::new(n, 1.0).unwrap();
        set.project(&mut x);
        let p = z(&x);
        let at = |t: f64, i: usize| w[i] * p[i] / (w[i] + t.max(0.0));
        let t = bisect(|t| (0..n).map(|i| at(t, i).powi(2)).sum::<f64>().sqrt() - 1.0).max(0.0);
        let y: Vec<f64> = (0..n).map(|i| at(t, i)).collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);

        // isotonic regression by its min-max formula
        let set = MonotoneCone::with_bounds(n, Some(-0.5), Some(0.7)).unwrap();
        let mut x = random.normals::<f64>(n);
        set.project(&mut x);
        let p = z(&x);
        let mean = |j: usize, k: usize| {
            (j..=k).map(|i| w[i] * p[i]).sum::<f64>() / (j..=k).map(|i| w[i]).sum::<f64>()
        };
        let y: Vec<f64> = (0..n)
            .map(|i| {
                let best = (0..=i).map(|j| (i..n).map(|k| mean(j, k)).fold(f64::INFINITY, f64::min));
                best.fold(f64::NEG_INFINITY, f64::max).clamp(-0.5, 0.7)
            })
            .collect();
        prop_assert!((set.natural_residual(&x, &g, Some(&c)) - residual_of(&x, &y, &c)).abs() < 1e-8);

        // any power of ten as common factor: the same residual in units of it
        for (f, set) in [(1e150, &Simplex::new(n, 1.0).unwrap() as &dyn ConstraintSet<f64>), (1e-150, &BallSet::new(n, 1.0).unwrap())] {
            set.project(&mut x);
            let scaled: Vec<f64> = c.iter().map(|c| c * f).collect();
            let big: Vec<f64> = g.iter().map(|g| g * f * f).collect();
            let (a, b) = (set.natural_residual(&x, &g, Some(&c)), set.natural_residual(&x, &big, Some(&scaled)));
            prop_assert!((a - b / f).abs() <= 1e-12 * (1.0 + a), "{} {}", a, b / f);
        }
    }

    /// The linear minimisers are at least as good as every vertex, and the gap of the minimiser itself is 0.
    #[test]
    fn linear_minimisers(n in 1usize..7, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        for (name, set) in catalogue::<f64>(n, seed) {
            let g = random.normals::<f64>(set.dim());
            let mut s = vec![f64::NAN; set.dim()];
            if !set.minimise_linear(&g, &mut s) {
                prop_assert!(set.frank_wolfe_gap(&vec![0.0; set.dim()], &g).is_none() || name == "correlation", "{}", name);
                continue;
            }
            prop_assert!(set.violation(&s) < 1e-13, "{}", name);
            let gap = set.frank_wolfe_gap(&s, &g).unwrap();
            prop_assert!((0.0..1e-12).contains(&gap), "{}: {:e}", name, gap);
            let mut bad = g.clone();
            bad[0] = f64::NAN;
            prop_assert!(!set.minimise_linear(&bad, &mut s), "{}", name);
        }
        // brute force over the vertices of the bounded simplex: each is filled up to one partial coordinate
        let set = BoundedSimplex::new(vec![0.5; n.max(2)], 0.75).unwrap();
        let g = random.normals::<f64>(n.max(2));
        let mut s = vec![0.0; n.max(2)];
        set.minimise_linear(&g, &mut s);
        let value: f64 = g.iter().zip(&s).map(|(a, b)| a * b).sum();
        let mut best = f64::INFINITY;
        for i in 0..g.len() {
            for j in (0..g.len()).filter(|j| *j != i) {
                best = best.min(0.5 * g[i] + 0.25 * g[j]);
            }
        }
        prop_assert!((value - best).abs() < 1e-14);
    }

    /// Images: the nearest point of a random polytope and of a disc, certified by the variational inequality.
    #[test]
    fn affine_images(d in 1usize..5, k in 1usize..7, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let t = nalgebra::DMatrix::from_fn(d, k, |_, _| random.normal::<f64>());
        let offset = random.normals::<f64>(d);
        let polytope = AffineImage::new(t.clone(), Simplex::new(k, 1.0).unwrap(), offset.clone()).unwrap();
        for size in [0.3, 3.0, 300.0] {
            let z: Vec<f64> = random.normals::<f64>(d).iter().map(|v| v * size).collect();
            let mut x = z.clone();
            prop_assert!(polytope.project(&mut x));
            for v in 0..k {
                let along: f64 = (0..d).map(|i| (z[i] - x[i]) * (t[(i, v)] + offset[i] - x[i])).sum();
                prop_assert!(along <= 1e-11 * (1.0 + size), "{:e}", along);
            }
            prop_assert!(polytope.violation(&x) < 1e-13 * (1.0 + size));
            let g: Vec<f64> = (0..d).map(|i| x[i] - z[i]).collect();
            prop_assert!(polytope.natural_residual(&x, &g, None) < 1e-12 * (1.0 + size));
            let gap = polytope.frank_wolfe_gap(&x, &g).unwrap();
            prop_assert!((0.0..1e-11 * (1.0 + size * size)).contains(&gap));
            let c: Vec<f64> = (0..d).map(|_| 0.5 + random.uniform::<f64>()).collect();
            prop_assert!(polytope.natural_residual(&x, &g, Some(&c)) < 1e-11 * (1.0 + size));
        }
        // the image of a box: a zonotope, through a product
        let parts: Vec<Box<dyn ConstraintSet<f64>>> = vec![Box::new(BoxSet::uniform(k, -1.0, 1.0).unwrap())];
        let zonotope = AffineImage::new(t, ProductSet::new(parts), offset).unwrap();
        let mut x: Vec<f64> = random.normals::<f64>(d).iter().map(|v| v * 10.0).collect();
        let z = x.clone();
        prop_assert!(zonotope.project(&mut x));
        let g: Vec<f64> = (0..d).map(|i| x[i] - z[i]).collect();
        prop_assert!(zonotope.frank_wolfe_gap(&x, &g).unwrap() < 1e-10);
        // round: to √ε
        let disc = AffineImage::new(nalgebra::dmatrix![2.0, 0.0; 0.0, 1.0], BallSet::new(2, 1.0).unwrap(), vec![0.0; 2]).unwrap();
        let z = [3.0 * random.normal::<f64>(), 3.0 * random.normal::<f64>()];
        let mut x = z;
        prop_assert!(disc.project(&mut x));
        let g = [x[0] - z[0], x[1] - z[1]];
        prop_assert!(disc.frank_wolfe_gap(&x, &g).unwrap() < 1e-9);
        prop_assert!(disc.natural_residual(&x, &g, None) < 1e-6);
    }

    /// The sphere is not convex: its projection is nearest all the same, and its residual is the tangential gradient.
    #[test]
    fn sphere(n in 1usize..7, seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let centre = random.normals::<f64>(n);
        let set = SphereSet::with_centre(centre.clone(), 1.5).unwrap();
        let (z, mut x, mut y) = (random.normals::<f64>(n), random.normals::<f64>(n), vec![0.0; n]);
        set.project(&mut x);
        y.copy_from_slice(&z);
        set.project(&mut y);
        prop_assert!(set.violation(&x) < 1e-14 && set.violation(&y) < 1e-14);
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(s, t)| (s - t).powi(2)).sum::<f64>();
        prop_assert!(distance(&z, &y) <= distance(&z, &x) + 1e-12);
        let g: Vec<f64> = x.iter().zip(&centre).map(|(x, a)| -2.5 * (x - a)).collect();
        prop_assert!(set.natural_residual(&x, &g, None) < 1e-14);
        let mut t = vec![0.0; n];
        set.multipliers(&x, &g, &mut t);
        prop_assert!((t[0] - 2.5).abs() < 1e-13);
        let g = random.normals::<f64>(n);
        let mut s = vec![0.0; n];
        set.minimise_linear(&g, &mut s);
        prop_assert!(set.frank_wolfe_gap(&s, &g).unwrap() < 1e-13);
        prop_assert!(set.frank_wolfe_gap(&x, &g).unwrap() >= 0.0);
        prop_assert!(n == 1 || set.natural_residual(&x, &g, None) > 1e-6);
    }

    /// Convex regression: at its solution (found by the map and a long gradient descent) the residual vanishes.
    #[test]
    fn convex_sequences(seed in any::<u64>()) {
        let set = ConvexSequenceSet::<f64>::new(4).unwrap();
        let mut random = Random::new(seed);
        // one constraint active or none: least squares in closed form
        let z = random.normals::<f64>(3);
        let three = ConvexSequenceSet::<f64>::new(3).unwrap();
        let bend = z[0] - 2.0 * z[1] + z[2];
        let m = bend.min(0.0) / 6.0;
        let x = [z[0] - m, z[1] + 2.0 * m, z[2] - m];
        let g: Vec<f64> = x.iter().zip(&z).map(|(a, b)| a - b).collect();
        prop_assert!(three.violation(&x) < 1e-14);
        prop_assert!(three.natural_residual(&x, &g, None) < 1e-14);
        prop_assert!(three.natural_residual(&x, &g, Some(&[2.0, 0.5, 3.0])) < 1e-14);
        let mut mu = [0.0; 3];
        three.multipliers(&x, &g, &mut mu);
        prop_assert!(mu[0].abs() < 1e-14 && mu[1].abs() < 1e-14 && (mu[2] + m).abs() < 1e-14);
        prop_assert!(set.natural_residual(&[0.0, 1.0, 4.0, 9.0], &random.normals::<f64>(4), None) > 1e-6);
    }
}

#[test]
fn nothing_is_certified_that_overflows() {
    let set = Simplex::new(2, 1.0).unwrap();
    for g in [
        [f64::INFINITY, 0.0],
        [f64::NEG_INFINITY, 0.0],
        [f64::MAX, -f64::MAX],
    ] {
        let r = set.natural_residual(&[1.0, 0.0], &g, None);
        assert!(r.is_nan() || r > 0.0, "{g:?}: {r}");
        let r = set.natural_residual(&[1.0, 0.0], &g, Some(&[1e-200, 1.0]));
        assert!(r.is_nan() || r > 0.0, "{g:?}: {r}");
    }
    for scale in [[f64::NAN, 1.0], [-1.0, 1.0], [f64::INFINITY, 1.0]] {
        assert!(
            set.natural_residual(&[1.0, 0.0], &[0.0, 1.0], Some(&scale))
                .is_nan()
        );
        assert!(
            BallSet::new(2, 1.0)
                .unwrap()
                .natural_residual(&[1.0, 0.0], &[0.0, 1.0], Some(&scale))
                .is_nan()
        );
        assert!(
            Psd::<f64>::cone(1)
                .unwrap()
                .natural_residual(&[1.0], &[0.0], Some(&scale[..1]))
                .is_nan()
        );
    }
    // a zero scale does not leave a coordinate of a coupled set out: moving weight there lowers f
    assert!(set.natural_residual(&[1.0, 0.0], &[1.0, 0.0], Some(&[1.0, 0.0])) > 0.1);
    assert_eq!(
        set.natural_residual(&[0.0, 1.0], &[1.0, 0.0], Some(&[1.0, 0.0])),
        0.0
    );
    // neither projection nor minimiser: never certified
    let hidden = AffineImage::new(
        nalgebra::dmatrix![1.0_f64],
        Psd::<f64>::unit_diagonal(1).unwrap(),
        vec![0.0_f64],
    )
    .unwrap();
    assert!(
        f64::is_nan(hidden.violation(&[1.0])) && f64::is_nan(hidden.natural_residual(&[1.0], &[0.0], None))
    );
    assert!(hidden.frank_wolfe_gap(&[1.0], &[0.0]).is_none());
    let cone = AffineImage::new(nalgebra::dmatrix![1.0, 2.0], Orthant::new(2), vec![0.0]).unwrap();
    assert!(cone.frank_wolfe_gap(&[1.0], &[1.0]).is_none());
}

// ---- the reference problems ----

/// At the stored solution with the stored gradient everything vanishes, in any scale.
#[test]
fn reference_solutions_are_certified() {
    let mut random = Random::new(2);
    let all = problems();
    assert_eq!(all.len(), 46);
    for p in &all {
        let n = p.x.len();
        let set = set_of(&p.raw["set"], n);
        assert_eq!(set.dim(), n);
        let size = p.x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        // entries of Ax cancel in the gradient: its own rounding is relative to ‖A‖²|x| + ‖Aᵀb‖
        let own = p
            .gradient_at(&p.x)
            .iter()
            .zip(&p.gradient)
            .fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
        let weight = p.column_norms().iter().fold(0.0_f64, |m, c| m.max(*c));
        let noise = weight * (weight * size + p.b.norm());
        assert!(own <= 1e-12 * noise.max(1.0), "{}: gradient {own:e}", p.name);
        let gradient = p.gradient.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        assert!(
            set.violation(&p.x) <= 4e-15 * size,
            "{}: violation {:e}",
            p.name,
            set.violation(&p.x)
        );
        let some: Vec<f64> = (0..n).map(|_| 0.5 + random.uniform::<f64>()).collect();
        for scale in [None, Some(&some)] {
            let r = set.natural_residual(&p.x, &p.gradient, scale.map(Vec::as_slice));
            assert!(
                r <= 4e-15 * (size + gradient) * (n as f64),
                "{}: residual {r:e}",
                p.name
            );
        }
        let c = p.column_norms();
        let r = set.natural_residual(&p.x, &p.gradient, Some(&c));
        let least = c
            .iter()
            .fold(f64::INFINITY, |m, c| m.min(if *c > 0.0 { *c } else { m }));
        assert!(
            r <= 1e-14 * (weight * size + gradient / least.min(1.0)) * (n as f64),
            "{}: {r:e}",
            p.name
        );
        if let Some(gap) = set.frank_wolfe_gap(&p.x, &p.gradient) {
            assert!(
                (0.0..=1e-14 * size * gradient * (n as f64)).contains(&gap),
                "{}: gap {gap:e}",
                p.name
            );
        }
    }
}

/// Away from the solution the residual and the gap are positive, and the gap bounds the distance in value.
#[test]
fn perturbed_points_are_not_certified() {
    let mut random = Random::new(4);
    for p in &problems() {
        let n = p.x.len();
        let set = set_of(&p.raw["set"], n);
        for _ in 0..20 {
            let far: Vec<f64> = match map_of(&p.raw["set"], n) {
                Some(map) => {
                    let mut x = vec![0.0; n];
                    map.apply(
                        &random.normals(map.dim_u()),
                        &mut x,
                        &mut vec![0.0; map.scratch_len()],
                    );
                    x
                }
                None => {
                    let mut x = random.normals(n);
                    assert!(set.project(&mut x));
                    x
                }
            };
            let t = 0.1 + 0.9 * random.uniform::<f64>();
            let x: Vec<f64> = p.x.iter().zip(&far).map(|(a, b)| a + t * (b - a)).collect();
            let size = x.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
            assert!(set.violation(&x) <= 1e-13 * size, "{}", p.name);
            let (g, excess) = (p.gradient_at(&x), p.value(&x) - p.objective);
            assert!(
                excess >= -1e-10 * (1.0 + p.objective),
                "{}: better than the optimum by {excess:e}",
                p.name
            );
            if excess <= 1e-8 * (1.0 + p.objective) {
                continue; // sets of width 0 or 2^-40 leave no room
            }
            let (r, s) = (
                set.natural_residual(&x, &g, None),
                set.natural_residual(&x, &g, Some(&p.column_norms())),
            );
            assert!(
                r > 1e-10 && s > 1e-10,
                "{}: {r:e} {s:e} at excess {excess:e}",
                p.name
            );
            if let Some(gap) = set.frank_wolfe_gap(&x, &g) {
                assert!(
                    gap >= excess * (1.0 - 1e-9),
                    "{}: gap {gap:e} below the true excess {excess:e}",
                    p.name
                );
            }
        }
    }
}

/// φ(section(x)) = x at the stored solutions, which lie on the boundary nearly all; the zeros exactly.
#[test]
fn reference_solutions_have_sections() {
    let mut seen = 0;
    for p in &problems() {
        let n = p.x.len();
        let Some(map) = map_of(&p.raw["set"], n) else {
            continue;
        };
        let mut u = vec![f64::NAN; map.dim_u()];
        map.section(&p.x, Boundary::Exact, &mut u, &mut vec![0.0; map.scratch_len()])
            .unwrap_or_else(|e: MapError| panic!("{}: {e}", p.name));
        let mut x = vec![f64::NAN; n];
        map.apply(&u, &mut x, &mut vec![f64::NAN; map.scratch_len()]);
        let mut size = p.x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if p.raw["set"]["type"] == "box" {
            // x is kept as its distance from a bound
            for b in [&p.raw["set"]["lower"], &p.raw["set"]["upper"]] {
                size = bounds(b, 0.0).iter().fold(size, |m, v| m.max(v.abs()));
            }
        }
        for j in 0..n {
            assert!(
                (x[j] - p.x[j]).abs() <= 2e-15 * size * n as f64,
                "{}: {:e} for {:e}",
                p.name,
                x[j],
                p.x[j]
            );
        }
        if p.raw["set"]["type"].as_str().unwrap().contains("simplex") {
            assert!((0..n).all(|j| (x[j] == 0.0) == (p.x[j] == 0.0)), "{}", p.name);
        }
        seen += 1;
    }
    assert_eq!(seen, 45); // all but the simplex with upper bounds
}

/// The multipliers, against those stored.
#[test]
fn multipliers_of_reference_solutions() {
    for p in &problems() {
        let n = p.x.len();
        let set = set_of(&p.raw["set"], n);
        let mut mu = vec![f64::NAN; n];
        set.multipliers(&p.x, &p.gradient, &mut mu);
        let stored = &p.raw["multipliers"];
        let size = p.gradient.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
        let near = |a: f64, b: f64| {
            assert!(
                (a - b).abs() <= 1e-13 * size * n as f64,
                "{}: {a:e} for {b:e}",
                p.name
            );
        };
        match p.raw["set"]["type"].as_str().unwrap() {
            "box" | "simplex" | "capped_simplex" | "simplex_with_upper_bounds" | "product" => {
                let (lo, hi) = (numbers(&stored["lower"]), numbers(&stored["upper"]));
                if p.name != "s03_box_all_fixed" {
                    (0..n).for_each(|j| near(mu[j], lo[j] - hi[j]));
                }
            }
            "l1_ball" => {
                let t = stored["radius"].as_f64().unwrap();
                for j in 0..n {
                    near(
                        mu[j],
                        if p.x[j] == 0.0 {
                            t - p.gradient[j].abs()
                        } else {
                            0.0
                        },
                    );
                }
            }
            "ball" => near(mu[0], stored["radius"].as_f64().unwrap()),
            "psd_trace" => {
                let (k, t) = (
                    p.raw["set"]["size"].as_u64().unwrap() as usize,
                    stored["trace"].as_f64().unwrap(),
                );
                for i in 0..k * k {
                    near(mu[i], p.gradient[i] + if i % (k + 1) == 0 { t } else { 0.0 });
                }
            }
            "correlation" => {
                let k = p.raw["set"]["size"].as_u64().unwrap() as usize;
                let y = numbers(&stored["diag"]);
                for i in 0..k * k {
                    near(
                        mu[i],
                        p.gradient[i] - if i % (k + 1) == 0 { y[i / k] } else { 0.0 },
                    );
                }
            }
            "monotone" => {
                let chain = numbers(&stored["ineq"]);
                (1..n).for_each(|k| near(mu[k], chain[k - 1]));
                near(mu[0], numbers(&stored["lower"])[0]);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn constructors_refuse_nonsense() {
    assert!(Simplex::new(0, 1.0).is_err() && Simplex::new(2, f64::INFINITY).is_err());
    assert!(
        BoundedSimplex::new(vec![1.0, -0.1], 0.5).is_err()
            && BoundedSimplex::new(vec![f64::NAN], 0.5).is_err()
    );
    assert!(MonotoneCone::with_bounds(2, Some(1.0), Some(0.0)).is_err());
    assert!(MonotoneCone::with_bounds(2, Some(f64::NAN), None).is_err());
    assert!(Psd::<f64>::cone(0).is_err() && Psd::<f64>::unit_diagonal(usize::MAX).is_err());
    assert!(StochasticMatrices::<f64>::by_rows(0, 3).is_err());
    assert!(AffineImage::new(nalgebra::dmatrix![1.0], WholeSpace::new(1), vec![f64::NAN]).is_err());
    assert!(AffineImage::new(nalgebra::dmatrix![1.0], WholeSpace::new(2), vec![0.0]).is_err());
}
