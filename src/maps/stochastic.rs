//! Row- and column-stochastic matrices: normalised squares line by line.

use super::normalized_squares::{admit, check_sum};
use super::{Boundary, Landscape, Reparametrization, weights};
use crate::sets::{ConstraintSet, StochasticMatrices};
use crate::{MapError, Result, Scalar};

/// Stochastic matrices: every row (or column) is the image of one block of u under normalised squares.
///
/// ```math
/// x_{i\cdot} = \frac{u_i \circ u_i}{\lVert u_i\rVert^2}, \qquad u = (u_1, u_2, \dots), \text{ one block per line}
/// ```
///
/// The matrix x is row-major; u holds line after line. A product of
/// [`NormalizedSquares`](super::NormalizedSquares), with its derivatives and landscape, and each block invariant to scaling.
///
/// Lines of a Hadamard-parametrised simplex: see [`NormalizedSquares`](super::NormalizedSquares) for its source.
///
/// ```
/// use reparam::maps::{Reparametrization, Stochastic};
/// let map = Stochastic::by_columns(2, 2).unwrap();
/// let mut x = [0.0; 4];
/// map.apply(&[1.0, 0.0, 1.0, 1.0], &mut x, &mut []);
/// assert_eq!(x, [1.0, 0.5, 0.0, 0.5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stochastic<T> {
    set: StochasticMatrices<T>,
}

impl<T: Scalar> Stochastic<T> {
    /// Rows sum to 1.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for a matrix without entries.
    ///
    /// ```
    /// assert!(reparam::maps::Stochastic::<f64>::by_rows(0, 2).is_err());
    /// ```
    pub fn by_rows(rows: usize, columns: usize) -> Result<Self> {
        Ok(Self {
            set: StochasticMatrices::by_rows(rows, columns)?,
        })
    }

    /// Columns sum to 1.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for a matrix without entries.
    ///
    /// ```
    /// use reparam::maps::{Reparametrization, Stochastic};
    /// assert_eq!(Stochastic::<f64>::by_columns(3, 2).unwrap().dim_x(), 6);
    /// ```
    pub fn by_columns(rows: usize, columns: usize) -> Result<Self> {
        Ok(Self {
            set: StochasticMatrices::by_columns(rows, columns)?,
        })
    }

    /// (line, its range in u).
    fn blocks(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let (lines, len) = self.set.lines();
        (0..lines).map(move |l| (l, l * len..(l + 1) * len))
    }
}

impl<T: Scalar> Reparametrization<T> for Stochastic<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::SecondOrder
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        for (l, block) in self.blocks() {
            weights::weights(&u[block], |k, p| x[self.set.index(l, k)] = p);
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], _work: &mut [T]) {
        for (l, block) in self.blocks() {
            weights::jvp(&u[block.clone()], &v[block], |k, d| jv[self.set.index(l, k)] = d);
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], _work: &mut [T]) {
        for (l, block) in self.blocks() {
            weights::vjp(
                &u[block.clone()],
                |k| w[self.set.index(l, k)],
                T::one(),
                &mut jtw[block],
            );
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], _work: &mut [T]) {
        for (l, block) in self.blocks() {
            let w = |k| w[self.set.index(l, k)];
            weights::curvature(&u[block.clone()], w, &v[block.clone()], T::one(), &mut out[block]);
        }
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        for (l, block) in self.blocks() {
            let at = |k| self.set.index(l, k);
            let u = &u[block.clone()];
            weights::gauss_newton_diagonal(u, |k| h[at(k)], T::one(), &mut gauss_newton[block.clone()]);
            weights::curvature_diagonal(u, |k| w[at(k)], T::one(), &mut curved[block]);
        }
        true
    }
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        for (l, block) in self.blocks() {
            let at = |k| self.set.index(l, k);
            check_sum((0..block.len()).map(|k| x[at(k)]), T::one()).map_err(|e| match e {
                MapError::Outside { index, value } => MapError::Outside {
                    index: at(index),
                    value,
                },
                MapError::Sum {
                    sum,
                    limit,
                    tolerance,
                    ..
                } => MapError::Sum {
                    sum,
                    limit,
                    rule: "of every row (or column) must add up to",
                    tolerance,
                },
                other => other,
            })?;
            for (k, u) in u[block].iter_mut().enumerate() {
                *u = admit(at(k), x[at(k)], T::one(), boundary)?.sqrt();
            }
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        for (l, block) in self.blocks() {
            let at = |k| self.set.index(l, k);
            weights::metric(
                T::one(),
                block.len(),
                |k| x[at(k)],
                |k| g[at(k)],
                |k, m| out[at(k)] = m,
            );
        }
        true
    }
    fn release(&self, u: &[T], _x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        let mut released = 0;
        for (l, block) in self.blocks() {
            let at = |k| self.set.index(l, k);
            let u = &u[block.clone()];
            released += weights::release(u, T::one(), |k| g[at(k)], |k| h[at(k)], &mut du[block]);
        }
        released
    }
    fn renormalize(&self, u: &mut [T]) {
        for (_, block) in self.blocks() {
            weights::renormalize(&mut u[block], T::one());
        }
    }
}
