//! Non-negative least squares.

use crate::input::{Bytes, Kind, in_either_precision, moderate};
use reparam::nnls::Strategy;
use reparam::operators::{Dense, LinearOperator, MatrixFree, SparseColumns};
use reparam::{LinalgScalar, Nnls, Solution};

const STRATEGIES: [Strategy; 12] = [
    Strategy::Auto,
    Strategy::Auto,
    Strategy::Auto,
    Strategy::Auto,
    Strategy::BlockExchange,
    Strategy::ActiveSet,
    Strategy::CoordinateDescent,
    Strategy::WorkingSet,
    Strategy::Flow,
    Strategy::ProjectedGradients,
    Strategy::LeastDistance,
    Strategy::InteriorPoint,
];

/// A matrix of any storage, any strategy, tolerance, start and limit, one or two right-hand sides.
///
/// # Panics
/// When an answer breaks a promise.
pub fn nnls(data: &[u8]) {
    in_either_precision!(data, run);
}

fn run<T: LinalgScalar>(bytes: &mut Bytes<'_>) {
    let kind = bytes.kind();
    let matrix = Matrix::<T>::new(bytes, kind);
    matrix.with(|a| {
        let count = 1 + usize::from(bytes.rarely(8));
        let length = bytes.about(count * matrix.rows);
        let b: Vec<T> = bytes.numbers(length, kind);
        let mut problem = Nnls::new(a).strategy(bytes.choose(&STRATEGIES));
        let tolerance = bytes.tolerance::<T>();
        if let Some(tolerance) = tolerance {
            problem = problem.tolerance(tolerance);
        }
        if bytes.rarely(8) {
            problem = problem.max_iterations(bytes.below(20));
        }
        if bytes.rarely(8) {
            let length = bytes.about(matrix.columns);
            problem = problem.start(&bytes.numbers::<T>(length, Kind::Any));
        }
        let solutions = if count == 1 {
            problem.solve(&b).map(|s| vec![s])
        } else {
            problem.solve_many(&b)
        };
        // an error is an answer, too
        let Ok(solutions) = solutions else {
            return;
        };
        assert_eq!(solutions.len() * matrix.rows, b.len());
        for (solution, b) in solutions.iter().zip(b.chunks(matrix.rows)) {
            promises(solution, matrix.rows, matrix.columns, tolerance);
            assert!(solution.x.iter().all(|x| *x >= T::zero()), "{:?}", solution.x);
            if solution.status.is_solved()
                && matrix.states_norms()
                && tolerance.is_none()
                && moderate(&matrix.entries)
                && moderate(b)
            {
                let rho = matrix.natural_residual(&solution.x, b, |x, g| x.min(g));
                assert!(
                    rho <= tolerance_of::<T>() + matrix.rounding(&solution.x, b),
                    "claims {}, ρ = {rho:e}",
                    solution.status
                );
            }
        }
    });
}

/// What of the residual that a claim stands for may be seen here, where sums run in another order.
pub(crate) fn tolerance_of<T: LinalgScalar>() -> f64 {
    if T::epsilon().as_f64() < 1e-10 {
        1.1e-8
    } else {
        2e-4
    }
}

/// What every answer promises.
pub(crate) fn promises<T: LinalgScalar>(s: &Solution<T>, rows: usize, columns: usize, tolerance: Option<T>) {
    assert_eq!(s.x.len(), columns);
    assert_eq!(s.residual.len(), rows);
    assert!(s.x.iter().all(|x| x.is_finite()), "{:?}", s.x);
    assert!(
        s.certificate.gap >= T::zero(),
        "gap {:e}",
        s.certificate.gap.as_f64()
    );
    assert!(s.certificate.violation >= T::zero());
    if s.status.is_solved() {
        let usual = T::lit(if T::epsilon().as_f64() < 1e-10 { 1e-8 } else { 1e-4 });
        let rho = s.certificate.natural_residual;
        assert!(
            rho <= tolerance.unwrap_or(usual),
            "solved with {:e}",
            rho.as_f64()
        );
    }
}

/// A small matrix, and how it is handed over.
pub(crate) struct Matrix<T> {
    /// Column after column.
    pub(crate) entries: Vec<T>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    storage: u8,
    /// Of the entries as they are handed over.
    length: usize,
}

impl<T: LinalgScalar> Matrix<T> {
    pub(crate) fn new(bytes: &mut Bytes<'_>, kind: Kind) -> Self {
        let (rows, columns) = (bytes.below(9), bytes.below(9));
        let mut entries: Vec<T> = bytes.numbers(rows * columns, kind);
        if rows > 0 && columns > 1 && bytes.rarely(4) {
            // two equal columns
            let (from, to) = (bytes.below(columns), bytes.below(columns));
            entries.copy_within(from * rows..(from + 1) * rows, to * rows);
        }
        Self {
            length: bytes.about(rows * columns),
            storage: bytes.byte() % 5,
            entries,
            rows,
            columns,
        }
    }

    fn at(&self, i: usize, j: usize) -> T {
        self.entries[j * self.rows + i]
    }

    /// Whether the column norms are known, in which ρ is measured.
    fn states_norms(&self) -> bool {
        self.storage < 4
    }

    pub(crate) fn with(&self, run: impl FnOnce(&dyn LinearOperator<T>)) {
        let (m, n) = (self.rows, self.columns);
        let mut handed = match self.storage {
            0 => self.entries.clone(),
            1 => (0..m * n).map(|e| self.at(e / n, e % n)).collect(),
            // a gap of two entries behind each column, which nobody may read
            _ => (0..(m + 2) * n)
                .map(|e| {
                    if e % (m + 2) < m {
                        self.at(e % (m + 2), e / (m + 2))
                    } else {
                        T::nan()
                    }
                })
                .collect(),
        };
        if self.length != m * n {
            handed.resize((handed.len() + self.length).saturating_sub(m * n), T::one());
        }
        let dense = match self.storage {
            0 => Dense::column_major(&handed, m, n),
            1 => Dense::row_major(&handed, m, n),
            2 => Dense::with_leading(&handed, m, n, m + 2),
            3 => {
                let triplets: Vec<(usize, usize, T)> = (0..m * n)
                    .filter(|e| self.entries[*e] != T::zero())
                    .map(|e| (e % m, e / m, self.entries[e]))
                    .collect();
                if let Ok(a) = SparseColumns::from_triplets(m, n, &triplets) {
                    run(&a);
                }
                return;
            }
            _ => {
                let a = MatrixFree::new(
                    m,
                    n,
                    |x: &[T], y: &mut [T]| {
                        for (i, y) in y.iter_mut().enumerate() {
                            *y = (0..n).map(|j| self.at(i, j) * x[j]).sum();
                        }
                    },
                    |y: &[T], x: &mut [T]| {
                        for (j, x) in x.iter_mut().enumerate() {
                            *x = (0..m).map(|i| self.at(i, j) * y[i]).sum();
                        }
                    },
                );
                run(&a);
                return;
            }
        };
        if let Ok(a) = dense {
            run(&a);
        }
    }

    /// What rounding may make of ρ: ε Σ c_j |x_j|/‖b‖ and some.
    pub(crate) fn rounding(&self, x: &[T], b: &[T]) -> f64 {
        let norm = |v: &[T]| v.iter().map(|v| v.as_f64().powi(2)).sum::<f64>().sqrt();
        let columns = self.entries.chunks(self.rows.max(1));
        let sum: f64 = columns.zip(x).map(|(a, x)| norm(a) * x.as_f64().abs()).sum();
        8.0 * T::epsilon().as_f64() * sum / norm(b).max(f64::MIN_POSITIVE)
    }

    /// The largest residual of [`Self::residual_of`] over the columns that are not zero.
    pub(crate) fn natural_residual(&self, x: &[T], b: &[T], step: impl Fn(f64, f64) -> f64) -> f64 {
        (0..self.columns).fold(0.0, |largest: f64, j| {
            largest.max(self.residual_of(j, x, b, |c, x, slope| step(c * x, slope).abs()))
        })
    }

    /// step(c_j, x_j, g_j/c_j)/‖b‖ with the norm c_j of the column and the gradient g of ½‖Ax − b‖²; 0 where b or the column is.
    pub(crate) fn residual_of(&self, j: usize, x: &[T], b: &[T], step: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let size = b.iter().map(|b| b.as_f64().powi(2)).sum::<f64>().sqrt();
        let norm = (0..self.rows)
            .map(|i| self.at(i, j).as_f64().powi(2))
            .sum::<f64>()
            .sqrt();
        if size == 0.0 || norm == 0.0 {
            return 0.0;
        }
        let slope: f64 = (0..self.rows)
            .map(|i| {
                let fit: f64 = (0..self.columns)
                    .map(|k| self.at(i, k).as_f64() * x[k].as_f64())
                    .sum();
                self.at(i, j).as_f64() / norm * (fit - b[i].as_f64())
            })
            .sum();
        step(norm, x[j].as_f64(), slope) / size
    }
}
