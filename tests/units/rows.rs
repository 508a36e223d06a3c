//! A value that is not finite at the start names its row.

use reparam::losses::{NegativeLog, Poisson};
use reparam::maps::{NormalizedSquares, Reparametrization, Squares};
use reparam::objectives::{Composite, FromFn, FromResiduals, NonlinearLeastSquares, Objective, Scaled, Sum};
use reparam::{Error, Integrate, Minimize, Status};

fn start<M: Reparametrization<f64>>(
    f: &mut dyn Objective<f64>,
    map: M,
    x: &[f64],
) -> Option<(usize, f64, &'static str)> {
    match Minimize::new(f, map).unwrap().start(x).run() {
        Err(Error::StartNotFinite { row, value, why }) => Some((row, value, why)),
        Err(other) => unreachable!("{other}"),
        Ok(s) => {
            assert!(s.objective.is_finite(), "{s}");
            None
        }
    }
}

#[test]
fn rows_that_no_x_reaches() {
    let a = nalgebra::dmatrix![0.2, 0.8; 0.0, 0.0; 0.5, 0.1];
    let simplex = || NormalizedSquares::new(2, 1.0).unwrap();
    let mut f = Composite::new(&a, NegativeLog::new(3).unwrap()).unwrap();
    let (row, value, why) = start(&mut f, simplex(), &[0.5, 0.5]).unwrap();
    assert_eq!((row, value), (1, 0.0));
    assert!(why.contains("row of the matrix is zero"), "{why}");
    // a weight of 0 takes the row out
    let loss = NegativeLog::new(3)
        .unwrap()
        .with_weights(&[1.0, 0.0, 2.0])
        .unwrap();
    assert!(start(&mut Composite::new(&a, loss).unwrap(), simplex(), &[0.5, 0.5]).is_none());
    // a count that no source reaches, alone and inside of other objectives; a background reaches it
    let counts = || Composite::new(&a, Poisson::new(&[3.0, 2.0, 1.0]).unwrap()).unwrap();
    assert_eq!(start(&mut counts(), Squares::new(2), &[1.0, 1.0]).unwrap().0, 1);
    let mut scaled = Scaled::new(counts(), 2.0).unwrap();
    assert_eq!(start(&mut scaled, Squares::new(2), &[1.0, 1.0]).unwrap().0, 1);
    let smooth = FromFn::new(2, |x: &[f64], g: &mut [f64]| {
        g.copy_from_slice(x);
        Ok(0.5 * (x[0] * x[0] + x[1] * x[1]))
    });
    let mut sum = Sum::new(2).with(smooth).unwrap().with(counts()).unwrap();
    assert_eq!(start(&mut sum, Squares::new(2), &[1.0, 1.0]).unwrap().0, 1);
    let mut background = counts().with_offset(&[0.0, 0.1, 0.0]).unwrap();
    assert!(start(&mut background, Squares::new(2), &[1.0, 1.0]).is_none());
    let mut none = Composite::new(&a, Poisson::new(&[3.0, 0.0, 1.0]).unwrap()).unwrap();
    assert!(start(&mut none, Squares::new(2), &[1.0, 1.0]).is_none());
    // the same of a flow
    let run = Integrate::new(counts(), Squares::new(2))
        .unwrap()
        .start_x0(1.0)
        .run();
    assert!(matches!(run, Err(Error::StartNotFinite { row: 1, .. })));
    let text = run.unwrap_err().to_string();
    assert!(
        text.contains("row 1 of the model is 0e0") && text.contains("matrix is zero"),
        "{text}"
    );
}

/// A probability of 0 at this start, not at others; and a residual, or its Jacobian, that is no number.
#[test]
fn rows_that_the_start_does_not_reach() {
    let a = nalgebra::dmatrix![0.0, 1.0; 1.0, 0.5];
    let mut f = Composite::new(&a, NegativeLog::new(2).unwrap()).unwrap();
    let simplex = || NormalizedSquares::new(2, 1.0).unwrap();
    let (row, value, why) = start(&mut f, simplex(), &[1.0, 0.0]).unwrap();
    assert_eq!((row, value), (0, 0.0));
    assert!(why.contains("start where no row does"), "{why}");
    assert!(start(&mut f, simplex(), &[0.9, 0.1]).is_none());
    let residuals = |slope: f64| {
        let r = FromResiduals::new(3, 1, |x: &[f64], r: &mut [f64]| {
            (r[0], r[1], r[2]) = (x[0], x[0] - 1.0, (x[0] - 0.5).sqrt());
            Ok(())
        })
        .with_jacobian(move |x: &[f64], j: &mut [f64]| {
            (j[0], j[1], j[2]) = (1.0, slope, 0.5 / (x[0] - 0.5).sqrt());
            Ok(())
        });
        NonlinearLeastSquares::new(r).unwrap()
    };
    assert_eq!(start(&mut residuals(1.0), Squares::new(1), &[0.25]).unwrap().0, 2);
    assert_eq!(
        start(&mut residuals(f64::NAN), Squares::new(1), &[4.0])
            .unwrap()
            .0,
        1
    );
    // a closure says nothing: a status
    let nan = FromFn::new(1, |_: &[f64], g: &mut [f64]| {
        g[0] = 1.0;
        Ok(f64::NAN)
    });
    let s = Minimize::new(nan, Squares::new(1)).unwrap().run().unwrap();
    assert_eq!(s.status, Status::NotFinite);
}
