//! Every polyhedral set goes to the exact solver: `BoundedLeastSquares::over_set`.

use reparam::BoundedLeastSquares;
use reparam::Error;
use reparam::operators::{LinearOperator, MatrixFree, SparseColumns};
use reparam::sets::{
    AffineImage, BallSet, BoundedSimplex, BoxSet, CappedSimplexSet, ConstraintSet, ConvexSequenceSet,
    L1BallSet, MonotoneCone, Orthant, ProductSet, Simplex, TiedBox,
};
use reparam::testing::Random;

const N: usize = 12;
const M: usize = 20;

fn boxed(set: impl ConstraintSet<f64> + 'static) -> Box<dyn ConstraintSet<f64>> {
    Box::new(set)
}

/// Sets of Rᴺ: each kind of polyhedron, alone and as a block.
fn sets() -> Vec<(&'static str, Box<dyn ConstraintSet<f64>>)> {
    let uniform = |n, lo, hi| BoxSet::uniform(n, lo, hi).unwrap();
    let product = |blocks| boxed(ProductSet::new(blocks));
    let mut random = Random::new(7);
    let generators = nalgebra::DMatrix::from_fn(N, 4, |_, _| random.normal::<f64>());
    let offset: Vec<f64> = (0..N).map(|j| 0.1 * j as f64).collect();
    let few = nalgebra::DMatrix::from_fn(N - 3, 5, |_, _| random.normal::<f64>());
    vec![
        ("x >= 0", boxed(Orthant::new(N))),
        ("box", boxed(uniform(N, -0.3, 0.4))),
        ("simplex", boxed(Simplex::new(N, 1.5).unwrap())),
        (
            "simplex with bounds",
            boxed(BoundedSimplex::new(vec![0.3; N], 2.0).unwrap()),
        ),
        ("capped simplex", boxed(CappedSimplexSet::new(N, 1.0).unwrap())),
        ("l1 ball", boxed(L1BallSet::new(N, 1.2).unwrap())),
        (
            "monotone",
            boxed(MonotoneCone::with_bounds(N, Some(-0.5), Some(0.5)).unwrap()),
        ),
        (
            "monotone from 0",
            boxed(MonotoneCone::with_bounds(N, Some(0.0), None).unwrap()),
        ),
        ("convex sequence", boxed(ConvexSequenceSet::new(N).unwrap())),
        (
            "ties",
            boxed(TiedBox::new(uniform(4, -0.2, 0.2), &[0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 1, 2]).unwrap()),
        ),
        (
            "affine image of a simplex",
            boxed(AffineImage::new(generators, Simplex::new(4, 1.0).unwrap(), offset).unwrap()),
        ),
        (
            "box and simplex",
            product(vec![
                boxed(uniform(5, -1.0, 0.1)),
                boxed(Simplex::new(N - 5, 1.0).unwrap()),
            ]),
        ),
        (
            "x >= 0 and l1 ball",
            product(vec![
                boxed(Orthant::new(4)),
                boxed(L1BallSet::new(N - 4, 0.5).unwrap()),
            ]),
        ),
        (
            "monotone, ties and a capped simplex",
            product(vec![
                boxed(MonotoneCone::with_bounds(5, Some(0.0), None).unwrap()),
                boxed(TiedBox::new(uniform(2, -0.2, 0.2), &[0, 1, 0, 1]).unwrap()),
                boxed(CappedSimplexSet::new(N - 9, 0.3).unwrap()),
            ]),
        ),
        (
            "box and the image of a box",
            product(vec![
                boxed(uniform(3, -0.1, 0.1)),
                boxed(AffineImage::new(few, uniform(5, -0.1, 0.2), vec![0.05; N - 3]).unwrap()),
            ]),
        ),
    ]
}

/// The natural residual of the set itself at x, in the metric of the largest singular value of A: zero exactly at the minima.
fn natural_residual(set: &dyn ConstraintSet<f64>, a: &nalgebra::DMatrix<f64>, b: &[f64], x: &[f64]) -> f64 {
    let r = a * nalgebra::DVector::from_column_slice(x) - nalgebra::DVector::from_column_slice(b);
    let g = a.tr_mul(&r);
    let largest = a.singular_values().max();
    set.natural_residual(x, g.as_slice(), Some(&vec![largest; x.len()]))
}

#[test]
fn every_polyhedral_set_is_solved_to_optimality_in_every_storage() {
    let mut random = Random::new(1);
    for scale in [1.0, 1e-3] {
        let a = nalgebra::DMatrix::from_fn(M, N, |i, j| {
            if (i + 2 * j) % 3 == 0 {
                random.normal::<f64>()
            } else {
                0.0
            }
        });
        let b: Vec<f64> = (0..M).map(|_| scale * random.normal::<f64>()).collect();
        let entries: Vec<(usize, usize, f64)> = (0..N)
            .flat_map(|j| (0..M).map(move |i| (i, j)))
            .map(|(i, j)| (i, j, a[(i, j)]))
            .filter(|(_, _, v)| *v != 0.0)
            .collect();
        let sparse = SparseColumns::from_triplets(M, N, &entries).unwrap();
        let products = MatrixFree::new(
            M,
            N,
            |x: &[f64], y: &mut [f64]| a.apply(x, y),
            |y: &[f64], x: &mut [f64]| a.apply_adjoint(y, x),
        );
        for (name, set) in sets() {
            let mut f = Vec::new();
            let operators: [&dyn LinearOperator<f64>; 3] = [&a, &sparse, &products];
            for operator in operators {
                let solver = BoundedLeastSquares::over_set(operator, &set).unwrap();
                let solution = solver.solve(&b).unwrap();
                assert!(solution.status.is_solved(), "{name}: {solution}");
                assert!(set.violation(&solution.x) <= 1e-13, "{name}");
                let optimal = natural_residual(set.as_ref(), &a, &b, &solution.x);
                let size = b.iter().map(|v| v * v).sum::<f64>().sqrt();
                assert!(optimal <= 1e-6 * size.max(scale), "{name}: {optimal:e}");
                let residual = &a * nalgebra::DVector::from_column_slice(&solution.x)
                    - nalgebra::DVector::from_column_slice(&b);
                let right = 0.5 * residual.norm_squared();
                assert!((solution.objective - right).abs() <= 1e-13 * right, "{name}");
                assert!(
                    solution.certificate.multipliers.iter().all(|v| v.is_finite()),
                    "{name}"
                );
                f.push(solution.objective);
                // many right-hand sides are those of one each, with their offset
                let twice = [b.clone(), b.iter().map(|v| -2.0 * v).collect()].concat();
                let many = solver.solve_many(&twice).unwrap();
                assert!((many[0].objective - right).abs() <= 1e-9 * right, "{name}");
                assert!(many[1].status.is_solved(), "{name}");
            }
            assert!(f.iter().all(|v| (v - f[0]).abs() <= 1e-9 * f[0]), "{name}: {f:?}");
        }
    }
}

#[test]
fn a_start_is_taken_over_in_x() {
    let a = nalgebra::DMatrix::<f64>::identity(4, 4);
    let simplex = Simplex::new(3, 1.0).unwrap();
    let set = ProductSet::new(vec![boxed(BoxSet::uniform(1, 0.0, 1.0).unwrap()), boxed(simplex)]);
    let solver = BoundedLeastSquares::over_set(&a, &set).unwrap();
    let b = [2.0, 0.5, 0.25, 0.25];
    let solution = solver.clone().start(&[1.0, 0.5, 0.25, 0.25]).solve(&b).unwrap();
    assert_eq!(solution.x, [1.0, 0.5, 0.25, 0.25]);
    let outside = solver.start(&[1.0, 0.5, 0.25, 0.5]).solve(&b);
    assert!(
        matches!(outside, Err(Error::InfeasibleStartSum { .. })),
        "{outside:?}"
    );

    let ties = TiedBox::new(BoxSet::uniform(2, -9.0, 9.0).unwrap(), &[0, 1, 0, 1]).unwrap();
    let solver = BoundedLeastSquares::over_set(&a, &ties).unwrap();
    assert_eq!(
        solver
            .clone()
            .start(&[1.0, 2.0, 1.0, 2.0])
            .solve(&[1.0, 2.0, 1.0, 2.0])
            .unwrap()
            .x,
        [1.0, 2.0, 1.0, 2.0]
    );
    let untied = solver.start(&[1.0, 2.0, 1.5, 2.0]).solve(&b);
    assert!(
        matches!(untied, Err(Error::InfeasibleStart { index: 0, .. })),
        "{untied:?}"
    );

    let image = AffineImage::new(nalgebra::DMatrix::identity(4, 4), Orthant::new(4), vec![1.0; 4]).unwrap();
    let solver = BoundedLeastSquares::over_set(&a, &image)
        .unwrap()
        .start(&[1.0; 4]);
    let refused = solver.solve(&b).unwrap_err().to_string();
    assert!(refused.contains("start"), "{refused}");
}

#[test]
fn a_set_that_is_no_polyhedron_with_one_sum_is_refused() {
    let a = nalgebra::DMatrix::<f64>::identity(4, 4);
    let ball = BoundedLeastSquares::over_set(&a, &BallSet::new(4, 1.0).unwrap());
    assert!(ball.unwrap_err().to_string().contains("polyhedron"));
    let simplex = || boxed(Simplex::new(2, 1.0).unwrap());
    let two = BoundedLeastSquares::over_set(&a, &ProductSet::new(vec![simplex(), simplex()]));
    assert!(two.unwrap_err().to_string().contains("sum"));
    let short = BoundedLeastSquares::over_set(&a, &L1BallSet::new(3, 1.0).unwrap()).unwrap();
    assert!(
        matches!(short.solve(&[0.0; 4]), Err(Error::Dimension { .. })),
        "{:?}",
        short.solve(&[0.0; 4])
    );
    let twice = BoundedLeastSquares::over_set(&a, &Simplex::new(4, 1.0).unwrap())
        .unwrap()
        .sum(2.0);
    assert!(matches!(twice.solve(&[0.0; 4]), Err(Error::Replaced { .. })));
}

/// x ≥ 0 is one problem, whichever interface poses it.
#[test]
fn bounds_that_say_x_is_not_negative_are_solved_by_every_method_of_that() {
    let mut random = Random::new(5);
    for (m, n) in [(30, 10), (10, 40), (200, 80)] {
        let a = nalgebra::DMatrix::from_fn(m, n, |_, _| random.normal::<f64>());
        let b: Vec<f64> = (0..m).map(|_| random.normal::<f64>()).collect();
        let first = reparam::nnls(&a, &b).unwrap();
        for solver in [
            BoundedLeastSquares::new(&a, &vec![0.0; n], &vec![f64::INFINITY; n]),
            BoundedLeastSquares::over_set(&a, &Orthant::new(n)).unwrap(),
        ] {
            let second = solver.solve(&b).unwrap();
            assert_eq!(first.x, second.x);
            assert_eq!(first.certificate.gap, second.certificate.gap);
            assert_eq!(first.trace.len(), second.trace.len());
        }
    }
}
