//! Non-negative least squares.

use crate::exact;
use crate::input::{Bytes, Kind, in_either_precision, within_reach};
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
    Strategy::LiftedCg,
    Strategy::ProjectedCg,
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
        let lower = vec![T::zero(); matrix.columns];
        let upper = vec![T::infinity(); matrix.columns];
        for (solution, b) in solutions.iter().zip(b.chunks(matrix.rows)) {
            promises(solution, matrix.rows, matrix.columns, tolerance);
            assert!(solution.x.iter().all(|x| *x >= T::zero()), "{:?}", solution.x);
            if within_reach(&matrix.entries) && within_reach(b) {
                // whatever ended it, the answer is no worse than x = 0
                let worth = matrix.worth(&solution.x, b, (&lower, &upper), None);
                let most = 0.5 * b.iter().map(|b| b.as_f64().powi(2)).sum::<f64>();
                let rounding = 64.0 * T::epsilon().as_f64() * worth.size * worth.size;
                assert!(
                    worth.f.value() <= most + rounding,
                    "{}: f = {:e}, and {most:e} at zero",
                    solution.status,
                    worth.f.value()
                );
            }
            if solution.status.is_solved()
                && matrix.states_norms()
                && tolerance.is_none()
                && within_reach(&matrix.entries)
                && within_reach(b)
            {
                let rho = matrix.worth(&solution.x, b, (&lower, &upper), None).rho;
                assert!(
                    rho <= tolerance_of::<T>(),
                    "claims {}, ρ = {rho:e}",
                    solution.status
                );
            }
        }
    });
}

/// The default tolerance, which ρ in twice the precision must not exceed.
pub(crate) fn tolerance_of<T: LinalgScalar>() -> f64 {
    let tolerance = if T::epsilon().as_f64() < 1e-10 { 1e-8 } else { 1e-4 };
    // (the last digits of the norms in it)
    tolerance * (1.0 + 1e-6)
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

/// Columns that depend on each other, exactly or nearly, and rows and columns of very different size: where methods lose their way.
fn structure<T: LinalgScalar>(bytes: &mut Bytes<'_>, entries: &mut [T], rows: usize, columns: usize) {
    // powers of two down to the unit roundoff
    let digits = if T::epsilon().as_f64() < 1e-10 { 53 } else { 24 };
    let small = |bytes: &mut Bytes<'_>, most: usize| {
        let exponent = i32::try_from(bytes.below(most + 1)).unwrap_or(0);
        T::lit(2f64.powi(-exponent))
    };
    match bytes.byte() % 16 {
        0..4 => {
            // two equal columns
            let (from, to) = (bytes.below(columns), bytes.below(columns));
            entries.copy_within(from * rows..(from + 1) * rows, to * rows);
        }
        4 | 5 => {
            // pairs of opposite columns, but for a little
            let apart = small(bytes, digits);
            for pair in entries.chunks_exact_mut(2 * rows) {
                let (first, second) = pair.split_at_mut(rows);
                for (a, b) in first.iter().zip(second) {
                    *b = apart * *b - *a;
                }
            }
        }
        6 | 7 => {
            for i in 0..rows {
                let size = small(bytes, digits);
                (0..columns).for_each(|j| entries[j * rows + i] *= size);
            }
        }
        8 => {
            for column in entries.chunks_exact_mut(rows) {
                let size = small(bytes, digits);
                column.iter_mut().for_each(|v| *v *= size);
            }
        }
        9 | 10 => {
            // low rank, and a little of what was there
            let rank = 1 + bytes.below(columns - 1);
            let apart = small(bytes, digits);
            for j in rank..columns {
                for i in 0..rows {
                    entries[j * rows + i] *= apart;
                }
                for k in 0..rank {
                    let factor = T::lit(bytes.number(Kind::Spread));
                    for i in 0..rows {
                        let term = factor * entries[k * rows + i];
                        entries[j * rows + i] += term;
                    }
                }
            }
        }
        _ => {}
    }
}

impl<T: LinalgScalar> Matrix<T> {
    pub(crate) fn new(bytes: &mut Bytes<'_>, kind: Kind) -> Self {
        let (rows, columns) = (bytes.below(9), bytes.below(9));
        let mut entries: Vec<T> = bytes.numbers(rows * columns, kind);
        if rows > 0 && columns > 1 {
            structure(bytes, &mut entries, rows, columns);
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

    /// What x is worth over bounds and a sum over a part of the coordinates, in twice the precision of `f64`.
    pub(crate) fn worth(
        &self,
        x: &[T],
        b: &[T],
        (lower, upper): (&[T], &[T]),
        sum: Option<(&[usize], T)>,
    ) -> exact::Worth {
        let plain = |v: &[T]| v.iter().map(|v| v.as_f64()).collect::<Vec<f64>>();
        let sum = sum.map(|(part, total)| exact::Sum {
            part: (0..x.len()).map(|j| part.contains(&j)).collect(),
            total: total.as_f64(),
        });
        exact::worth(
            &plain(&self.entries),
            &plain(b),
            &plain(x),
            &plain(lower),
            &plain(upper),
            sum.as_ref(),
        )
    }
}
