use super::*;
use crate::testing::{Random, check_operator};

fn bounds(lower: &[f64], upper: &[f64], sum: Option<f64>) -> Polyhedron<f64> {
    Polyhedron::Bounds {
        lower: lower.to_vec(),
        upper: upper.to_vec(),
        sum,
    }
}

/// Every kind of block, with a point of each; None for x where z is not found without a solve.
fn sets() -> Vec<(Polyhedron<f64>, Option<Vec<f64>>)> {
    let infinity = f64::INFINITY;
    let capped = Polyhedron::CappedSimplex { dim: 3, radius: 4.0 };
    let l1 = Polyhedron::L1Ball { dim: 3, radius: 4.0 };
    let monotone = |upper| Polyhedron::Monotone {
        dim: 3,
        lower: -infinity,
        upper,
    };
    let tied = Polyhedron::Tied {
        index: vec![1, 0, 1],
        lower: vec![-1.0, 0.0],
        upper: vec![1.0, infinity],
    };
    let image = Polyhedron::Image {
        generators: vec![1.0, 0.0, 2.0, 0.0, -1.0, 1.0],
        offset: vec![0.5, 0.0, -1.0],
        inner: Box::new(Polyhedron::Monotone {
            dim: 2,
            lower: 0.0,
            upper: infinity,
        }),
    };
    let of_one =
        |block: &Polyhedron<f64>| Polyhedron::Product(vec![bounds(&[0.0], &[9.0], None), block.clone()]);
    let mut all = vec![
        (
            bounds(&[-1.0; 3], &[2.0; 3], Some(1.0)),
            Some(vec![-1.0, 2.0, 0.0]),
        ),
        (capped.clone(), Some(vec![1.0, 2.0, 0.5])),
        (l1.clone(), Some(vec![1.0, -2.0, 0.0])),
        (monotone(infinity), Some(vec![-1.0, 2.0, 2.0])),
        (monotone(4.0), Some(vec![-1.0, 2.0, 2.0])),
        (tied.clone(), Some(vec![3.0, -0.5, 3.0])),
        (image.clone(), None),
    ];
    for (block, x) in [
        (capped, Some(vec![7.0, 1.0, 2.0, 0.5])),
        (l1, Some(vec![7.0, 1.0, -2.0, 0.0])),
        (monotone(4.0), Some(vec![7.0, -1.0, 2.0, 2.0])),
        (tied, Some(vec![7.0, 3.0, -0.5, 3.0])),
        (image, None),
    ] {
        all.push((of_one(&block), x));
    }
    all
}

#[test]
fn every_form_is_linear_and_invertible() {
    let mut random = Random::new(3);
    for (set, x) in sets() {
        let (m, n) = (4, set.dim());
        let a = nalgebra::DMatrix::from_fn(m, n, |_, _| random.normal::<f64>());
        let form = StandardForm::new(&set).unwrap();
        assert_eq!((form.dim(), form.dim_z()), (n, columns_of(&set)));
        let reduced = Reduced { a: &a, form: &form };
        assert!(check_operator(&reduced, 1).passed(), "{set:?}");
        if let Some(x) = x {
            let z = form.z(&x).unwrap();
            let mut back = vec![0.0; n];
            form.x(&z, &mut back);
            assert_eq!(x, back, "{set:?}");
        }
        let view = Dense::column_major(a.as_slice(), m, n).unwrap();
        let written = form.written(&view).unwrap();
        let mut offset = form.offset().unwrap_or_else(|| vec![0.0; n]);
        for (j, column) in written.chunks_exact(m).enumerate() {
            let mut unit = vec![0.0; form.dim_z()];
            unit[j] = 1.0;
            let mut y = vec![0.0; m];
            reduced.apply(&unit, &mut y);
            for (v, w) in column.iter().zip(&y) {
                assert!((v - w).abs() < 1e-14, "{set:?} {j}");
            }
        }
        // x = L z + s for running sums that respect their bounds
        let z: Vec<f64> = form.lower.iter().map(|l| l.max(-1.0) + 0.25).collect();
        let (mut x, mut image) = (vec![0.0; n], vec![0.0; n]);
        form.x(&z, &mut x);
        form.linear(&z, &mut image);
        offset.iter_mut().zip(&image).for_each(|(s, l)| *s += l);
        for (v, w) in x.iter().zip(&offset) {
            assert!((v - w).abs() < 1e-14, "{set:?}");
        }
    }
}

#[test]
fn a_sparse_form_has_the_columns_of_the_dense_one() {
    let entries = [
        (0, 0, 1.0),
        (2, 0, -3.0),
        (1, 1, 2.0),
        (3, 2, 0.5),
        (0, 3, 4.0),
        (1, 3, -1.0),
    ];
    for (set, _) in sets() {
        let (m, n) = (4, set.dim());
        let entries: Vec<_> = entries.iter().copied().filter(|(_, j, _)| *j < n).collect();
        let a = SparseColumns::from_triplets(m, n, &entries).unwrap();
        let form = StandardForm::new(&set).unwrap();
        let Some(sparse) = form.sparse(&a) else {
            continue;
        };
        let mut dense = vec![0.0; m * n];
        entries.iter().for_each(|(i, j, v)| dense[j * m + i] = *v);
        let dense = Dense::column_major(&dense, m, n).unwrap();
        let mut found = vec![0.0; m * form.dim_z()];
        for j in 0..form.dim_z() {
            let (rows, values) = sparse.entries(j);
            rows.iter()
                .zip(values)
                .for_each(|(i, v)| found[j * m + *i as usize] += *v);
        }
        assert_eq!(form.written(&dense).unwrap(), found, "{set:?}");
    }
}

#[test]
fn a_second_sum_has_no_standard_form() {
    let simplex = bounds(&[0.0; 2], &[1.0; 2], Some(1.0));
    assert!(StandardForm::new(&Polyhedron::Product(vec![simplex.clone(), simplex])).is_none());
}

#[test]
fn norms_of_sums_of_sparse_columns() {
    let (m, n) = (30, 400);
    for scale in [1.0, 1e-200, 1e200] {
        let mut random = Random::new(4);
        let mut entries: Vec<(usize, usize, f64)> = (0..n)
            .flat_map(|j| [(j % m, j), ((7 * j + 3) % m, j)])
            .map(|(i, j)| (i, j, scale * random.normal::<f64>()))
            .collect();
        // what comes in goes out again: sums that are all but zero, and zero
        for k in 0..100 {
            let (i, _, v) = entries[k];
            entries.push((i, n + k, -v));
            entries.push((i, n + 100 + k, v * (1.0 + 1e-13)));
        }
        let a = SparseColumns::from_triplets(m, n + 200, &entries).unwrap();
        let mut norms = vec![f64::NAN; n + 200];
        norms_of_sums(&a, 0..n + 200, &mut norms);
        let mut sum = vec![0.0; m];
        for k in (0..n + 200).rev() {
            let (rows, values) = a.entries(k);
            rows.iter().zip(values).for_each(|(i, v)| sum[*i as usize] += *v);
            let right = crate::linalg::norm2(&sum);
            assert!(
                (norms[k] - right).abs() <= 1e-8 * right,
                "{k}: {:e} {right:e}",
                norms[k]
            );
        }
    }
}
