//! Every operator passes the public battery, and the battery catches what is wrong.

#![allow(clippy::unwrap_used)]

use nalgebra::{DMatrix, Matrix3x2};
use proptest::prelude::*;
use reparam::Scalar;
use reparam::objectives::{FromFn, LeastSquares};
use reparam::operators::{ColumnScaled, Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::testing::{Random, check_objective, check_operator};
use std::sync::Arc;

fn battery<T>(seed: u64, m: usize, n: usize)
where
    T: Scalar + nalgebra::Scalar,
{
    let mut random = Random::new(seed);
    let data: Vec<T> = random.normals(m * n);
    let gaps: Vec<T> = random.normals((m + 3) * n);
    let triplets: Vec<(usize, usize, T)> = (0..m * n)
        .filter(|k| k % 3 != 1)
        // the last one twice: duplicates add up
        .chain([0, 0])
        .map(|k| (k / n, k % n, data[k]))
        .collect();
    let columns = Dense::column_major(&data, m, n).unwrap();
    let sparse = SparseColumns::from_triplets(m, n, &triplets).unwrap();
    let free = MatrixFree::new(
        m,
        n,
        |x: &[T], y: &mut [T]| columns.apply(x, y),
        |y: &[T], x: &mut [T]| columns.apply_adjoint(y, x),
    );
    let matrix = DMatrix::from_column_slice(m, n, &data);
    let factors: Vec<T> = (0..n)
        .map(|j| T::lit(2.0).powi(i32::try_from(j % 5).unwrap() - 2))
        .collect();
    let mut operators: Vec<(&str, Box<dyn LinearOperator<T> + '_>)> = vec![
        ("column-major", Box::new(columns)),
        ("row-major", Box::new(Dense::row_major(&data, m, n).unwrap())),
        ("gaps", Box::new(Dense::with_leading(&gaps, m, n, m + 3).unwrap())),
        ("sparse columns", Box::new(sparse.clone())),
        ("products", Box::new(free)),
        ("nalgebra", Box::new(matrix.clone())),
        ("nalgebra view", Box::new(matrix.columns(0, n).into_owned())),
        (
            "scaled dense",
            Box::new(ColumnScaled::new(&matrix, factors.clone()).unwrap()),
        ),
        (
            "scaled sparse",
            Box::new(ColumnScaled::power_of_two(sparse).unwrap()),
        ),
        ("shared", Box::new(Arc::new(matrix.clone()))),
    ];
    #[cfg(feature = "sparse")]
    {
        let mut t = sprs::TriMat::new((m, n));
        for (i, j, v) in &triplets {
            t.add_triplet(*i, *j, *v);
        }
        operators.push(("csr", Box::new(t.to_csr::<usize>())));
        operators.push(("csc, 32-bit indices", Box::new(t.to_csc::<u32>())));
    }
    for (name, a) in &mut operators {
        assert_eq!((a.rows(), a.columns()), (m, n));
        let report = check_operator(a.as_ref(), seed);
        assert!(report.passed(), "{name} {m}×{n}\n{report}");
        let f = LeastSquares::new(a.as_ref(), &random.normals::<T>(m)).unwrap();
        let report = check_objective(&mut { f }, &random.normals::<T>(n), seed);
        assert!(report.passed(), "least squares over {name} {m}×{n}\n{report}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn operators_in_double_precision(seed in 0u64..10_000, m in 1usize..30, n in 1usize..30) {
        battery::<f64>(seed, m, n);
    }

    #[test]
    fn operators_in_single_precision(seed in 0u64..10_000, m in 1usize..30, n in 1usize..30) {
        battery::<f32>(seed, m, n);
    }
}

#[test]
fn static_matrices_and_whole_column_views() {
    let a = Matrix3x2::new(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
    assert!(check_operator(&a, 1).passed());
    assert!(reparam::nnls(&a, &[1.0, 3.0, 5.0]).unwrap().residual_norm < 1e-14);
    let b = DMatrix::<f64>::identity(4, 4);
    let mut y = [0.0; 4];
    b.columns(1, 2).into_owned().apply(&[1.0, 2.0], &mut y);
    assert_eq!(y, [0.0, 1.0, 2.0, 0.0]);
}

#[test]
fn the_battery_catches_mistakes() {
    let identity = |x: &[f64], y: &mut [f64]| y.copy_from_slice(x);
    let adds = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    let affine = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y = x + 1.0);
    let negated = |x: &[f64], y: &mut [f64]| y.iter_mut().zip(x).for_each(|(y, x)| *y = -x);
    let failed = |a: &dyn LinearOperator<f64>| -> Vec<&'static str> {
        check_operator(a, 1)
            .checks()
            .iter()
            .filter(|c| !c.passed())
            .map(|c| c.name)
            .collect()
    };
    assert!(failed(&MatrixFree::new(3, 3, identity, identity)).is_empty());
    assert!(
        failed(&MatrixFree::new(3, 3, identity, negated))
            .iter()
            .any(|n| n.contains("adjoint"))
    );
    assert!(
        failed(&MatrixFree::new(3, 3, adds, identity))
            .iter()
            .any(|n| n.contains("adjoint"))
    );
    assert!(
        failed(&MatrixFree::new(3, 3, affine, identity))
            .iter()
            .any(|n| n.contains("linearity"))
    );
    let norms = MatrixFree::new(3, 3, identity, identity)
        .with_column_norms(vec![1.0, 1.0, 1.5])
        .unwrap();
    assert!(failed(&norms).iter().any(|n| n.contains("norms")));

    let right = |x: &[f64], g: &mut [f64]| {
        g[0] = x[0].cos();
        Ok(x[0].sin())
    };
    let wrong = |x: &[f64], g: &mut [f64]| {
        g[0] = x[0].cos() * 1.001;
        Ok(x[0].sin())
    };
    assert!(check_objective(&mut FromFn::new(1, right), &[0.4], 1).passed());
    let report = check_objective(&mut FromFn::new(1, wrong), &[0.4], 1);
    assert!(
        report
            .checks()
            .iter()
            .any(|c| !c.passed() && c.name.contains("gradient")),
        "{report}"
    );
    let fails = |_: &[f64], _: &mut [f64]| Err("no".into());
    assert!(!check_objective(&mut FromFn::new(1, fails), &[0.4], 1).passed());
    assert!(!check_objective(&mut FromFn::new(2, right), &[0.4], 1).passed());
}

/// A likelihood whose coordinates differ by decades: right gradients pass at every seed, wrong ones at none.
#[test]
fn gradients_with_coordinates_of_any_size_are_told_apart() {
    let counts = [120.0, 60.0, 20.0];
    let poisson = |fault: Option<usize>| {
        move |x: &[f64], g: &mut [f64]| {
            let (scale, background) = (x[3], x[4]);
            let mut value = 0.0;
            g.fill(0.0);
            for (k, (c, share)) in counts.iter().zip(x).enumerate() {
                let mean = scale * share + background;
                value += mean - c * mean.ln();
                let slope = 1.0 - c / mean;
                g[k] = slope * scale;
                g[3] += slope * share;
                g[4] += slope;
            }
            if let Some(j) = fault {
                g[j] *= -1.0;
            }
            Ok(value)
        }
    };
    for scale in [5.0, 50.0, 500.0, 5000.0] {
        let x = [0.3, 0.3, 0.4, scale, 0.5];
        for seed in 0..50 {
            let report = check_objective(&mut FromFn::new(5, poisson(None)), &x, seed);
            assert!(report.passed(), "{scale} {seed}: {report}");
        }
        for j in [0, 2, 3] {
            let report = check_objective(&mut FromFn::new(5, poisson(Some(j))), &x, 1);
            let gradient = report
                .checks()
                .iter()
                .find(|c| c.name.contains("gradient against"));
            assert_eq!(gradient.unwrap().coordinate, Some(j), "{scale}: {report}");
            assert!(!report.passed());
        }
    }
}
