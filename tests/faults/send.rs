//! What users move to other threads can be moved there: checked when this compiles.

use super::*;
use reparam::maps::{Affine, Ball, Fixed, Pair, Precompose, Product};
use reparam::objectives::{Scaled, Sum};
use reparam::operators::{ColumnScaled, SparseColumns};
use reparam::sets::{self, AffineImage};

fn is_send<T: Send>() {}
fn is_sync<T: Send + Sync>() {}

type Matrix = nalgebra::DMatrix<f64>;
type Plain = FromFn<f64, fn(&[f64], &mut [f64]) -> Evaluation<f64>>;

#[test]
fn solvers_maps_and_answers_are_send() {
    is_send::<Minimize<'static, f64, LeastSquares<Matrix, f64>, Squares<f64>>>();
    is_send::<Minimize<'static, f64, Sum<'static, f64>, Product<f64>>>();
    is_send::<Integrate<'static, f64, Plain, Squares<f64>>>();
    is_send::<Nnls<'static, f64, Matrix>>();
    is_sync::<BoundedLeastSquares<'static, f64, SparseColumns<f64>>>();
    is_send::<Sum<'static, f64>>();
    is_send::<Scaled<Plain, f64>>();
    is_send::<NonlinearLeastSquares<FromResiduals<f64, fn(&[f64], &mut [f64]) -> Evaluation<()>>, f64>>();
    is_send::<reparam::flows::Recording<'static, f64>>();
    is_send::<State<f64>>();
    is_sync::<reparam::Checkpoint<f64>>();
    is_sync::<Solution<f64>>();
    is_sync::<Error>();
    is_sync::<CancelToken>();
    is_sync::<Product<f64>>();
    is_sync::<sets::ProductSet<f64>>();
    is_sync::<Pair<f64, Ball<f64>, Product<f64, Fixed<f64>>>>();
    is_sync::<Precompose<f64, Bounds<f64>>>();
    is_sync::<Affine<f64, Matrix, Squares<f64>>>();
    is_sync::<AffineImage<f64, Matrix, sets::Simplex<f64>>>();
    is_sync::<ColumnScaled<Matrix, f64>>();
}

/// A run that is set up here, observed, and made elsewhere; blocks that may be anything.
#[test]
fn a_run_goes_on_in_another_thread() {
    let blocks: Vec<Box<dyn Reparametrization<f64> + Send + Sync>> = vec![
        Box::new(Squares::new(2)),
        Box::new(NormalizedSquares::new(3, 1.0).unwrap()),
    ];
    let mut seen = 0;
    let f = LeastSquares::new(Matrix::identity(5, 5), &[1.0, -1.0, 0.5, 0.25, 0.25]).unwrap();
    let run = Minimize::new(f, Product::new(blocks)).unwrap().observe(|_| {
        seen += 1;
        ControlFlow::Continue(())
    });
    let s = std::thread::scope(|scope| scope.spawn(move || run.run()).join().unwrap()).unwrap();
    assert!(
        s.status.is_solved() && (s.x[0] - 1.0).abs() < 1e-7 && s.x[1].abs() < 1e-7 && seen > 0,
        "{s}"
    );
    // blocks that stay on their thread are blocks, too
    let blocks: Vec<Box<dyn Reparametrization<f64>>> = vec![Box::new(Squares::new(2))];
    assert_eq!(Product::new(blocks).dim_x(), 2);
}
