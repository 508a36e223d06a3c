//! Properties of A estimated from a few columns: whether neighbours are coherent (nearly parallel), and whether all columns share a direction.
//!
//! Cosines of a dozen pairs of columns cost a hundredth of a pass over a large A, and save many: see
//! [`active_set`](super::active_set) and [`projected_cg`](super::projected_cg).

use super::problem::Problem;
use crate::LinalgScalar;
use crate::linalg::{dot, sum_of};

impl<T: LinalgScalar> Problem<'_, T> {
    /// How many columns away a column is still coherent with this one: kernels sampled on a grid, in its order. The most of 1, 2, 4, … 32 steps at which
    /// 1 − cos ∠ is at most half, in the mean, of what it is far away; 0 if it is not so after one, or columns cannot be read.
    pub(crate) fn coherence_length(&self) -> usize {
        *self.coherence_length.get_or_init(|| {
            let Some(far) = self.distance_far_apart() else {
                return 0;
            };
            let near = |step: &usize| {
                let distance = self.mean_distance(*step);
                // (and not by wrapping around)
                8 * *step <= self.columns() && distance.is_some_and(|d| d <= T::lit(0.5) * far)
            };
            [1, 2, 4, 8, 16, 32]
                .into_iter()
                .take_while(near)
                .fold(0, |_, step| step)
        })
    }

    /// Mean of 1 − cos ∠ for columns far apart.
    pub(super) fn distance_far_apart(&self) -> Option<T> {
        self.mean_distance(self.far())
    }

    /// Three eighths of the matrix: with half of it the same pairs would be taken twice.
    fn far(&self) -> usize {
        3 * self.columns() / 8
    }

    /// Whether columns far from each other have a direction in common: a mean square of their cosines of 0.05 or more. (Of independent
    /// normal entries it is 1/m.)
    pub(crate) fn has_common_direction(&self) -> bool {
        self.mean_over_pairs(8, self.far(), |cosine| cosine * cosine)
            .is_some_and(|square| square >= T::lit(0.05))
    }

    fn mean_distance(&self, step: usize) -> Option<T> {
        let samples = (self.columns() / 50).clamp(1, 5);
        self.mean_over_pairs(samples, step, |cosine| T::one() - cosine)
    }

    /// The mean over a few columns, each with the one so many steps away; None where there is none of length.
    fn mean_over_pairs(&self, samples: usize, step: usize, of: impl Fn(T) -> T) -> Option<T> {
        let n = self.columns();
        let (mut sum, mut count) = (T::zero(), T::zero());
        for s in 0..samples {
            let j = (2 * s + 1) * n / (2 * samples);
            if let Some(cosine) = self.cosine(j, (j + step) % n) {
                sum += of(cosine);
                count += T::one();
            }
        }
        (count > T::zero()).then(|| sum / count)
    }

    /// The cosine between two columns of a dense matrix; None where one of them is zero.
    fn cosine(&self, i: usize, j: usize) -> Option<T> {
        let size = self.norms()[i] * self.norms()[j];
        let a = self.dense()?;
        // (the same bits in either order of storage)
        let product = if a.is_column_major() {
            dot(a.run(i), a.run(j))
        } else {
            sum_of(self.rows(), |k| a.get(k, i) * a.get(k, j))
        };
        (size > T::zero()).then(|| product / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Dense;
    use crate::testing::Random;

    /// Both orders of storage give the same.
    fn last_evaluation(m: usize, n: usize, entry: impl Fn(usize, usize) -> f64) -> (usize, bool) {
        let columns: Vec<f64> = (0..m * n).map(|k| entry(k % m, k / m)).collect();
        let rows: Vec<f64> = (0..m * n).map(|k| entry(k / n, k % n)).collect();
        let look = |a: &Dense<'_, f64>| {
            let problem = Problem::new(a, true, crate::outcome::Stop::never()).unwrap();
            (problem.coherence_length(), problem.has_common_direction())
        };
        let seen = look(&Dense::column_major(&columns, m, n).unwrap());
        assert_eq!(seen, look(&Dense::row_major(&rows, m, n).unwrap()));
        seen
    }

    #[test]
    fn kernels_and_means_are_told_from_independent_columns() {
        let (m, n) = (60, 120);
        let normals = Random::new(3).normals(m * n);
        let at = |i: usize, j: usize| normals[j * m + i];
        assert_eq!(last_evaluation(m, n, at), (0, false));
        assert_eq!(last_evaluation(m, n, |i, j| 2.0 + at(i, j)), (0, true));
        // lines of one width: far ones have nothing in common
        let line = |i: usize, j: usize| {
            let d = (i as f64 / m as f64 - j as f64 / n as f64) / 0.05;
            (-d * d).exp()
        };
        let (length, common) = last_evaluation(m, n, line);
        assert!(length >= 2 && !common, "{length}");
        // a column of zeros has no direction
        assert_eq!(last_evaluation(m, n, |_, _| 0.0), (0, false));
        // (a single column has no other to compare with)
        assert_eq!(last_evaluation(2, 1, |i, _| 1.0 + i as f64), (0, true));
    }
}
