//! One evaluation of a map and its transposed derivative on 10⁶ coordinates, against a copy of the same memory.
//!
//! Only ratios within one run mean anything.

#![allow(missing_docs)]

use divan::{Bencher, counter::ItemsCount};
use reparam::maps::*;
use reparam::testing::Random;

const N: usize = 1_000_000;

fn main() {
    divan::main();
}

/// x ← φ(u), then Jᵀ w.
fn apply_and_vjp<M: Reparametrization<f64>>(bencher: Bencher, map: reparam::Result<M>) {
    let Ok(map) = map else { return };
    let mut random = Random::new(1);
    let (u, w) = (random.normals(map.dim_u()), random.normals(map.dim_x()));
    let (mut x, mut out) = (vec![0.0; map.dim_x()], vec![0.0; map.dim_u()]);
    let mut work = vec![0.0; map.scratch_len()];
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        map.apply(&u, &mut x, &mut work);
        map.vjp(&u, &w, &mut out, &mut work);
    });
}

/// What apply and vjp read and write, and nothing else: two copies.
#[divan::bench]
fn a_copy_of_two_vectors(bencher: Bencher) {
    let mut random = Random::new(1);
    let (u, w) = (random.normals::<f64>(N), random.normals::<f64>(N));
    let (mut x, mut out) = (vec![0.0; N], vec![0.0; N]);
    bencher.counter(ItemsCount::new(N)).bench_local(|| {
        x.copy_from_slice(&u);
        out.copy_from_slice(&w);
        divan::black_box((&mut x, &mut out));
    });
}

macro_rules! maps {
    ($($name:ident: $map:expr),* $(,)?) => {$(
        #[divan::bench]
        fn $name(bencher: Bencher) {
            apply_and_vjp(bencher, $map);
        }
    )*};
}

maps! {
    m01_squares: Ok(Squares::new(N)),
    m02_power_3: Power::new(N, 3),
    m03_scaled_squares: Ok(ScaledSquares::new(N)),
    m04_exponential: Ok(Exponential::new(N)),
    m05_softplus: Ok(Softplus::new(N)),
    m06_trigonometric: Trigonometric::uniform(N, -1.0, 2.0),
    m07_sigmoid: Sigmoid::uniform(N, -1.0, 2.0),
    m08_algebraic: Algebraic::uniform(N, -1.0, 2.0),
    m09_normalized_squares: NormalizedSquares::new(N, 1.0),
    m10_softmax: Softmax::new(N, 1.0),
    m11_reduced_softmax: ReducedSoftmax::new(N, 1.0),
    m12_capped_simplex: CappedSimplex::new(N, 1.0),
    m13_ball: Ball::new(N, 1.0),
    m14_open_ball: OpenBall::new(N, 1.0),
    m15_sphere: Sphere::new(N, 1.0),
    m16_l1_ball: L1Ball::new(N, 1.0),
    m17_difference: Ok(Difference::new(N)),
    m18_low_rank: LowRank::with_trace(1000, 1, 1.0),
    m19_monotone: Monotone::new(N),
    m20_second_order_cone: SecondOrderCone::new(N),
    m21_identity: Ok(Identity::new(N)),
    bounds_mixed: Bounds::new((0..N).map(|j| if j % 3 == 0 { f64::NEG_INFINITY } else { 0.0 }).collect(),
        (0..N).map(|j| if j % 3 == 1 { f64::INFINITY } else { 1.0 }).collect()),
}
