//! The methods of a map that a solver calls in its loop allocate nothing. A binary of its own: the counter is global.
#![allow(unsafe_code)]

use reparam::maps::{
    Affine, Ball, Boundary, CappedSimplex, ConvexSequence, Difference, L1Ball, LowRank, Monotone,
    NormalizedSquares, OpenBall, Pair, Product, ReducedSoftmax, Reparametrization, SecondOrderCone, Softmax,
    Sphere, Squares, Stochastic,
};
use reparam::testing::Random;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::SeqCst);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated() {
    let n = 4;
    let vertices = nalgebra::DMatrix::from_fn(n, n, |i, j| (i + 2 * j) as f64);
    let simplex = || NormalizedSquares::new(n, 1.0).unwrap();
    // (map, whether its section is closed-form)
    let maps: Vec<(&str, Box<dyn Reparametrization<f64>>, bool)> = vec![
        ("simplex", Box::new(simplex()), true),
        ("softmax", Box::new(Softmax::new(n, 1.0).unwrap()), true),
        (
            "reduced softmax",
            Box::new(ReducedSoftmax::new(n, 1.0).unwrap()),
            true,
        ),
        ("capped", Box::new(CappedSimplex::new(n, 1.0).unwrap()), true),
        (
            "stochastic",
            Box::new(Stochastic::by_columns(2, 2).unwrap()),
            true,
        ),
        ("ball", Box::new(Ball::new(n, 1.0).unwrap()), true),
        ("open ball", Box::new(OpenBall::new(n, 1.0).unwrap()), true),
        ("sphere", Box::new(Sphere::new(n, 1.0).unwrap()), true),
        ("l1 ball", Box::new(L1Ball::new(n, 1.0).unwrap()), true),
        ("difference", Box::new(Difference::new(n)), true),
        ("cone", Box::new(LowRank::cone(2, 2).unwrap()), false),
        ("trace", Box::new(LowRank::with_trace(2, 2, 1.0).unwrap()), false),
        (
            "correlation",
            Box::new(LowRank::unit_diagonal(2, 2).unwrap()),
            false,
        ),
        ("monotone", Box::new(Monotone::new(n).unwrap()), true),
        (
            "monotone, bounded",
            Box::new(Monotone::bounded(n, 0.0, 1.0).unwrap()),
            true,
        ),
        ("convex", Box::new(ConvexSequence::new(n).unwrap()), true),
        (
            "second-order cone",
            Box::new(SecondOrderCone::new(n).unwrap()),
            true,
        ),
        (
            "affine",
            Box::new(Affine::new(vertices, simplex(), vec![0.0; n]).unwrap()),
            false,
        ),
        (
            "pair",
            Box::new(Pair::new(
                Squares::new(1),
                NormalizedSquares::new(3, 1.0).unwrap(),
            )),
            true,
        ),
        (
            "product",
            Box::new(Product::new(vec![Ball::new(2, 1.0).unwrap(); 2])),
            true,
        ),
    ];
    let mut random = Random::new(1);
    for (name, map, closed) in maps {
        let (p, m) = (map.dim_u(), map.dim_x());
        let (u, v, w) = (
            random.normals::<f64>(p),
            random.normals::<f64>(p),
            random.normals::<f64>(m),
        );
        let h = vec![1.0; m];
        let (mut a, mut b, mut x, mut y) = (vec![0.0; p], vec![0.0; p], vec![0.0; m], vec![0.0; m]);
        let mut work = vec![0.0; map.scratch_len()];
        map.apply(&u, &mut x, &mut work);
        let on_face = vec![0.0; p];
        let before = COUNT.load(Ordering::SeqCst);
        for _ in 0..3 {
            map.apply(&u, &mut x, &mut work);
            map.jvp(&u, &v, &mut y, &mut work);
            map.vjp(&u, &w, &mut a, &mut work);
            map.curvature(&u, &w, &v, &mut a, &mut work);
            map.diagonals(&u, &h, &w, &mut a, &mut b, &mut work);
            map.metric(&x, &w, &mut y, &mut work);
            map.ray(&u, &v, &mut y, &mut h.clone(), &mut work);
            map.release(&on_face, &x, &w, &h, &mut a, &mut work);
            map.release(&u, &x, &w, &h, &mut a, &mut work);
            if closed {
                map.section(&x, Boundary::Exact, &mut a, &mut work).unwrap();
            }
            a.copy_from_slice(&u);
            map.renormalize(&mut a);
        }
        // the clone above is the only one
        assert_eq!(COUNT.load(Ordering::SeqCst) - before, 3, "{name}");
    }
}
