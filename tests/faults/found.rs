//! What fuzzing found (docs/hardening.md), each find by its smallest input.

use super::*;

#[test]
fn a_sum_below_the_rounding_of_its_bounds_is_still_met() {
    let a = [2.4563632882121188e117];
    let a = Dense::column_major(&a, 1, 1).unwrap();
    let problem = BoundedLeastSquares::new(&a, &[-3.301840819597908e268], &[f64::INFINITY]).sum(3.0);
    let s = problem.solve(&[-8.572068857490139e301]).unwrap();
    assert!(s.x == [3.0] && s.certificate.violation == 0.0, "{s:?}");
}

#[test]
fn a_coordinate_given_twice_is_no_sum() {
    let a = Dense::column_major(&[1.0, 0.0, 0.0, 1.0], 2, 2).unwrap();
    let twice = BoundedLeastSquares::new(&a, &[0.0; 2], &[1.0; 2]).sum_over(&[1, 0, 1], 1.0);
    assert!(matches!(
        twice.solve(&[1.0, 1.0]),
        Err(Error::Setting { name: "sum", .. })
    ));
}

#[test]
fn balls_whose_square_is_no_number_have_sections() {
    for size in [1e-182, 1e182] {
        let map = reparam::maps::OpenBall::with_centre(vec![0.0; 2], size).unwrap();
        let x = [0.3 * size, -0.5 * size];
        let (mut u, mut back) = ([f64::NAN; 2], [f64::NAN; 2]);
        map.section(&x, reparam::maps::Boundary::Exact, &mut u, &mut [])
            .unwrap();
        map.apply(&u, &mut back, &mut []);
        for (x, y) in x.iter().zip(&back) {
            assert!((x - y).abs() <= 1e-15 * size, "{x:e} {y:e}");
        }
    }
}

#[test]
fn scales_whose_inverse_is_no_number_are_refused() {
    use reparam::maps::Precompose;
    for scale in [1e-310, 1e-160, 1e160, f64::MIN_POSITIVE] {
        let map = Precompose::new(Squares::new(1), vec![scale]);
        assert!(
            matches!(map, Err(Error::Setting { name: "scales", .. })),
            "{scale:e}"
        );
    }
    for scale in [1e-150, 1.0, 1e150] {
        assert!(Precompose::new(Squares::new(1), vec![scale]).is_ok());
    }
}
