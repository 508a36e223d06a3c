//! Maps with any parameters at any u, and their sets at any x.

use crate::input::{Bytes, Kind, in_either_precision, moderate};
use reparam::maps::{
    Algebraic, Ball, Boundary, Bounds, CappedSimplex, ConvexSequence, Difference, Exponential, Fixed,
    Identity, L1Ball, LowRank, Monotone, NormalizedSquares, OpenBall, Power, Precompose, Product,
    ReducedSoftmax, Reparametrization, ScaledSquares, SecondOrderCone, Sigmoid, Softmax, Softplus, Sphere,
    Squares, Stochastic, Trigonometric,
};
use reparam::{Result, Scalar};

pub(crate) type Map<T> = Box<dyn Reparametrization<T>>;

/// Any map of the catalogue at any u.
///
/// # Panics
/// When a promise is broken.
pub fn maps(data: &[u8]) {
    in_either_precision!(data, run);
}

fn boxed<T: Scalar>(map: Result<impl Reparametrization<T> + 'static>) -> Result<Map<T>> {
    map.map(|map| Box::new(map) as Map<T>)
}

/// A map, its parameters from the bytes; errors are what most parameters deserve.
pub(crate) fn any_map<T: Scalar>(bytes: &mut Bytes<'_>, kind: Kind, depth: usize) -> Result<Map<T>> {
    let n = bytes.below(7);
    match bytes.byte() % 30 {
        0 => boxed(Ok(Squares::new(n))),
        1 => boxed(Squares::with_lower(bytes.numbers(n, kind))),
        2 => boxed(Power::new(n, u32::from(bytes.byte() % 12))),
        3 => boxed(Power::with_lower(
            bytes.numbers(n, kind),
            u32::from(bytes.byte() % 12),
        )),
        4 => boxed(Exponential::with_lower(bytes.numbers(n, kind))),
        5 => boxed(Softplus::with_lower(bytes.numbers(n, kind))),
        6 => boxed(ScaledSquares::with_lower(bytes.numbers(n, kind)).and_then(|map| {
            let scales: Vec<T> = bytes.numbers(n, kind);
            map.with_scales(&scales)
        })),
        7 => boxed(ScaledSquares::with_upper(bytes.numbers(n, kind))),
        8..12 => {
            let (lower, upper) = (bytes.numbers(n, kind), bytes.numbers::<T>(n, kind));
            let upper: Vec<T> = if bytes.rarely(4) {
                upper
            } else {
                lower.iter().zip(&upper).map(|(lo, hi)| *lo + hi.abs()).collect()
            };
            match bytes.byte() % 5 {
                0 => boxed(Trigonometric::new(lower, upper)),
                1 => boxed(Sigmoid::new(lower, upper)),
                2 => boxed(Algebraic::new(lower, upper)),
                3 => boxed(Bounds::new(lower, upper)),
                _ => boxed(Bounds::new(lower, vec![T::infinity(); n]).and_then(|map| {
                    let scales: Vec<T> = bytes.numbers(n, kind);
                    map.with_scales(&scales)
                })),
            }
        }
        12 => boxed(NormalizedSquares::new(n, bytes.size(kind))),
        13 => boxed(Softmax::new(n, bytes.size(kind))),
        14 => boxed(ReducedSoftmax::new(n, bytes.size(kind))),
        15 => boxed(CappedSimplex::new(n, bytes.size(kind))),
        16 => boxed(L1Ball::new(n, bytes.size(kind))),
        17 => boxed(Sphere::with_centre(bytes.numbers(n, kind), bytes.size(kind))),
        18 => boxed(Ball::with_centre(bytes.numbers(n, kind), bytes.size(kind))),
        19 => boxed(OpenBall::with_centre(bytes.numbers(n, kind), bytes.size(kind))),
        20 => boxed(Monotone::new(n)),
        21 => boxed(Monotone::bounded(
            n,
            T::lit(bytes.number(kind)),
            T::lit(bytes.number(kind)),
        )),
        22 => boxed(ConvexSequence::new(n)),
        23 => boxed(SecondOrderCone::new(n)),
        24 => boxed(Stochastic::by_rows(bytes.below(4), bytes.below(4))),
        25 => match bytes.byte() % 3 {
            0 => boxed(LowRank::cone(bytes.below(5), bytes.below(5))),
            1 => boxed(LowRank::with_trace(
                bytes.below(5),
                bytes.below(5),
                bytes.size(kind),
            )),
            _ => boxed(LowRank::unit_diagonal(bytes.below(5), bytes.below(5))),
        },
        26 => boxed(Ok(Difference::new(n))),
        27 => boxed(Fixed::new(bytes.numbers(n, kind))),
        28 if depth > 0 => {
            let blocks: Result<Vec<Map<T>>> = (0..bytes.below(4))
                .map(|_| any_map(bytes, kind, depth - 1))
                .collect();
            boxed(blocks.map(Product::new))
        }
        29 if depth > 0 => {
            let inner = any_map::<T>(bytes, kind, depth - 1)?;
            let scales = bytes.numbers(inner.dim_u(), kind);
            boxed(Precompose::new(inner, scales))
        }
        _ => boxed(Ok(Identity::new(n))),
    }
}

fn run<T: Scalar>(bytes: &mut Bytes<'_>) {
    let kind = bytes.kind();
    let Ok(map) = any_map::<T>(bytes, kind, 2) else {
        return;
    };
    let (p, n) = (map.dim_u(), map.dim_x());
    assert_eq!(map.set().dim(), n);
    let of_u = bytes.kind();
    let (u, v, w): (Vec<T>, Vec<T>, Vec<T>) = (
        bytes.numbers(p, of_u),
        bytes.numbers(p, of_u),
        bytes.numbers(n, of_u),
    );
    let mut work = vec![T::nan(); map.scratch_len()];
    let mut x = vec![T::nan(); n];
    map.apply(&u, &mut x, &mut work);
    let (mut jv, mut jtw, mut curved) = (vec![T::nan(); n], vec![T::nan(); p], vec![T::nan(); p]);
    map.jvp(&u, &v, &mut jv, &mut work);
    map.vjp(&u, &w, &mut jtw, &mut work);
    map.curvature(&u, &w, &v, &mut curved, &mut work);
    let (mut lin, mut quad) = (vec![T::nan(); n], vec![T::nan(); n]);
    map.ray(&u, &v, &mut lin, &mut quad, &mut work);
    map.metric(&x, &w, &mut lin, &mut work);
    let mut at_set = w.clone();
    let set = map.set();
    set.multipliers(&x, &w, &mut at_set);
    let rho = set.natural_residual(&x, &w, None);
    let finite = |values: &[T]| values.iter().all(|v| v.is_finite());
    if !finite(&u) {
        return;
    }
    assert!(x.iter().all(|x| !x.is_nan()), "φ({u:?}) = {x:?}");
    let tame = kind != Kind::Any && of_u != Kind::Any && moderate(&u) && moderate(&x);
    let eps = T::epsilon().as_f64();
    if tame {
        assert!(finite(&x) && finite(&jv) && finite(&jtw), "{x:?} {jv:?} {jtw:?}");
        assert!(!rho.is_nan() || !finite(&w), "the residual at {x:?}, {w:?}");
        let size = 1.0 + x.iter().map(|x| x.as_f64().abs()).sum::<f64>();
        let violation = set.violation(&x).as_f64();
        assert!(violation <= 1e3 * eps * size, "violation {violation:e} of {x:?}");
        // projections stay
        let mut onto = x.clone();
        if set.project(&mut onto) {
            let violation = set.violation(&onto).as_f64();
            assert!(
                violation <= 1e3 * eps * size,
                "violation {violation:e} of the projection {onto:?}"
            );
            let moved = onto
                .iter()
                .zip(&x)
                .map(|(a, b)| (*a - *b).abs().as_f64())
                .sum::<f64>();
            // where the set is a cone, a distance is the root of what a violation is
            assert!(moved <= 1e3 * eps.sqrt() * size, "{x:?} moved by {moved:e}");
        }
    }
    for boundary in [Boundary::Exact, Boundary::Nudge(T::lit(1e-4)), Boundary::Reject] {
        let mut back = vec![T::nan(); p];
        if map.section(&x, boundary, &mut back, &mut work).is_ok() {
            assert!(back.iter().all(|u| !u.is_nan()), "section of {x:?}: {back:?}");
        }
    }
    // sections of points that the map never made
    let mut any = w.clone();
    let _ = map.section(&any, Boundary::Exact, &mut jtw, &mut work);
    if set.project(&mut any) && finite(&w) && kind != Kind::Any && moderate(&w) {
        assert!(finite(&any), "projection of {w:?}: {any:?}");
        let size = 1.0 + w.iter().map(|w| w.as_f64().abs()).sum::<f64>();
        let violation = set.violation(&any).as_f64();
        assert!(
            violation <= 1e4 * eps * size * (1.0 + any.iter().map(|x| x.as_f64().abs()).sum::<f64>()),
            "violation {violation:e} of {any:?}, nearest to {w:?}"
        );
    }
}
