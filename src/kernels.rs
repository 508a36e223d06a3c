//! Kernels of the dense methods by themselves, for benches/nnls.rs. Not part of the interface.

use crate::linalg::{PackedUpper, dot};

/// The lower triangle of the Gram matrix of a face, out of that of n columns.
pub fn gather_face(gram: &[f64], n: usize, face: &[usize], out: &mut [f64]) {
    crate::least_squares::faces::gather(gram, n, face, out);
}

/// A Cholesky factor that gains and loses columns.
#[derive(Debug, Clone, Default)]
pub struct GrowingFactor {
    upper: PackedUpper<f64>,
}

impl GrowingFactor {
    /// A column more: its inner products with those there (overwritten), and with itself.
    pub fn append(&mut self, products: &mut [f64], square: f64) {
        self.upper.solve_transposed(products);
        self.upper
            .push(products, (square - dot(products, products)).sqrt());
    }

    /// Column p less.
    pub fn remove(&mut self, p: usize) {
        self.upper.remove(p, |_| {});
    }
}
