//! Least squares over bounds and sums.

use crate::input::{Bytes, Kind, in_either_precision, within_reach};
use crate::non_negative::{Matrix, promises, tolerance_of};
use reparam::bounded::Strategy;
use reparam::operators::LinearOperator;
use reparam::{BoundedLeastSquares, LinalgScalar, Result, Solution};

const STRATEGIES: [Strategy; 8] = [
    Strategy::Auto,
    Strategy::Auto,
    Strategy::Auto,
    Strategy::Auto,
    Strategy::BlockExchange,
    Strategy::ActiveSet,
    Strategy::WorkingSet,
    Strategy::AcceleratedGradient,
];

type Problem<'a, T> = BoundedLeastSquares<'a, T, dyn LinearOperator<T> + 'a>;

/// Any bounds, crossed and infinite ones among them.
///
/// # Panics
/// When an answer breaks a promise.
pub fn bounds(data: &[u8]) {
    in_either_precision!(data, boxes);
}

/// Sets with a sum, and monotone sequences.
///
/// # Panics
/// When an answer breaks a promise.
pub fn sums(data: &[u8]) {
    in_either_precision!(data, with_sums);
}

/// Tolerance, strategy, limit and start from the bytes, then one solve; what every answer promises.
fn solve<T: LinalgScalar>(
    bytes: &mut Bytes<'_>,
    mut problem: Problem<'_, T>,
    b: &[T],
    columns: usize,
) -> Result<(Solution<T>, bool)> {
    problem = problem.strategy(bytes.choose(&STRATEGIES));
    let tolerance = bytes.tolerance::<T>();
    if let Some(tolerance) = tolerance {
        problem = problem.tolerance(tolerance);
    }
    if bytes.rarely(8) {
        problem = problem.max_iterations(bytes.below(20));
    }
    if bytes.rarely(8) {
        let length = bytes.about(columns);
        problem = problem.start(&bytes.numbers::<T>(length, Kind::Eighths));
    }
    let solution = problem.solve(b)?;
    promises(&solution, b.len(), columns, tolerance);
    let claims = solution.status.is_solved() && tolerance.is_none();
    Ok((solution, claims))
}

/// Two bounds of one coordinate: mostly in order, often infinite.
fn pair<T: LinalgScalar>(bytes: &mut Bytes<'_>, kind: Kind) -> (T, T) {
    let (a, b) = (bytes.number(kind), bytes.number(kind));
    let (lower, upper) = if a > b && !bytes.rarely(64) {
        (b, a)
    } else {
        (a, b)
    };
    let (lower, upper) = match bytes.byte() % 8 {
        0 | 1 => (lower, f64::INFINITY),
        2 => (f64::NEG_INFINITY, upper),
        3 => (f64::NEG_INFINITY, f64::INFINITY),
        4 => (lower, lower),
        _ => (lower, upper),
    };
    (T::lit(lower), T::lit(upper))
}

fn boxes<T: LinalgScalar>(bytes: &mut Bytes<'_>) {
    let kind = bytes.kind();
    let matrix = Matrix::<T>::new(bytes, kind);
    matrix.with(|a| {
        let length = bytes.about(matrix.columns);
        let (lower, upper): (Vec<T>, Vec<T>) = (0..length).map(|_| pair::<T>(bytes, kind)).unzip();
        let length = bytes.about(matrix.rows);
        let b: Vec<T> = bytes.numbers(length, kind);
        let problem = BoundedLeastSquares::new(a, &lower, &upper);
        let Ok((solution, claims)) = solve(bytes, problem, &b, matrix.columns) else {
            return;
        };
        for (j, x) in solution.x.iter().enumerate() {
            assert!(
                lower[j] <= *x && *x <= upper[j],
                "{:?} of {lower:?}, {upper:?}",
                solution.x
            );
        }
        let finite: Vec<T> = lower
            .iter()
            .chain(&upper)
            .copied()
            .filter(|v| v.is_finite())
            .collect();
        if !(within_reach(&matrix.entries) && within_reach(&b) && within_reach(&finite)) {
            return;
        }
        let worth = |x: &[T]| matrix.worth(x, &b, (&lower, &upper), None);
        let here = worth(&solution.x);
        // whatever ended it, the answer is no worse than the point of the bounds that is nearest to zero
        let nearest: Vec<T> = lower
            .iter()
            .zip(&upper)
            .map(|(lo, hi)| T::zero().max(*lo).min(*hi))
            .collect();
        let origin = worth(&nearest);
        let rounding = 64.0 * T::epsilon().as_f64() * (here.size + origin.size).powi(2);
        assert!(
            here.f.value() <= origin.f.value() + rounding,
            "{}: f = {:e}, and {:e} nearest to zero",
            solution.status,
            here.f.value(),
            origin.f.value()
        );
        if claims {
            assert!(
                here.rho <= tolerance_of::<T>(),
                "claims {}, ρ = {:e}",
                solution.status,
                here.rho
            );
        }
    });
}

fn with_sums<T: LinalgScalar>(bytes: &mut Bytes<'_>) {
    let kind = bytes.kind();
    let matrix = Matrix::<T>::new(bytes, kind);
    matrix.with(|a| {
        let n = matrix.columns;
        let length = bytes.about(matrix.rows);
        let b: Vec<T> = bytes.numbers(length, kind);
        let shape = bytes.byte() % 6;
        let r = bytes.size::<T>(kind);
        let mut part: Vec<usize> = (0..n).collect();
        let (mut lower, mut upper) = (vec![T::zero(); n], vec![T::infinity(); n]);
        let problem = match shape {
            0 => BoundedLeastSquares::simplex(a, r),
            1 => BoundedLeastSquares::capped_simplex(a, r),
            2 => BoundedLeastSquares::l1_ball(a, r),
            3 => {
                let (lo, hi) = pair::<T>(bytes, kind);
                (lower, upper) = (vec![lo; n], vec![hi; n]);
                BoundedLeastSquares::monotone(a, lo, hi)
            }
            _ => {
                (lower, upper) = (0..n).map(|_| pair::<T>(bytes, kind)).unzip();
                let problem = BoundedLeastSquares::new(a, &lower, &upper);
                if shape == 4 {
                    problem.sum(r)
                } else {
                    part = (0..bytes.below(n + 2)).map(|_| bytes.below(n + 1)).collect();
                    problem.sum_over(&part, r)
                }
            }
        };
        let Ok((solution, claims)) = solve(bytes, problem, &b, n) else {
            return;
        };
        let x = &solution.x;
        let finite: Vec<T> = lower
            .iter()
            .chain(&upper)
            .copied()
            .filter(|v| v.is_finite())
            .collect();
        if claims
            && matches!(shape, 0 | 4 | 5)
            && within_reach(&matrix.entries)
            && within_reach(&b)
            && within_reach(&finite)
            && within_reach(&[r])
        {
            let rho = matrix.worth(x, &b, (&lower, &upper), Some((&part, r))).rho;
            assert!(
                rho <= tolerance_of::<T>(),
                "claims {}, ρ = {rho:e}",
                solution.status
            );
        }
        let sum: f64 = part.iter().map(|j| x[*j].as_f64()).sum();
        let sizes: f64 = part.iter().map(|j| x[*j].as_f64().abs()).sum();
        let rounding = 16.0 * T::epsilon().as_f64() * (n as f64) * (sizes + r.as_f64().abs())
            + T::min_positive_value().as_f64();
        let inside = |x: &T, lower: &T, upper: &T| lower <= x && x <= upper;
        match shape {
            1 => assert!(sum <= r.as_f64() + rounding, "{sum:e} of {r}"),
            2 => {
                let norm: f64 = x.iter().map(|x| x.as_f64().abs()).sum();
                assert!(norm <= r.as_f64() + rounding, "{norm:e} of {r}");
                return;
            }
            3 => assert!(x.windows(2).all(|w| w[0] <= w[1]), "{x:?}"),
            _ => assert!(
                (sum - r.as_f64()).abs() <= rounding || !sizes.is_finite(),
                "{sum:e} of {r}: {x:?}"
            ),
        }
        assert!(
            x.iter()
                .zip(lower.iter().zip(&upper))
                .all(|(x, (lo, hi))| inside(x, lo, hi)),
            "{x:?} of {lower:?}, {upper:?}"
        );
    });
}
