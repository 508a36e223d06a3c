//! Whether few columns of A suffice, decided before products with all of them are spent.

use super::active_set::{Pricing, active_set, best_first};
use crate::LinalgScalar;
use crate::least_squares::context::Context;
use crate::least_squares::faces::{Face, GramFace};
use crate::least_squares::region::NonNegative;
use crate::outcome::Run;

/// How many columns are examined, and how many of these are compared with the best.
const LOOKED_AT: usize = 32;
const COMPARED: usize = 8;

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// Whether few columns will be positive, judging from those with the largest Aᵀb: if these are more nearly parallel to each other than two columns are
    /// on average (kernels sampled on a grid, in any order: one can represent all), or if they explain nearly all of b.
    pub(in crate::least_squares) fn few_will_do(&self, run: &mut Run<'_>) -> bool {
        let p = self.problem;
        if p.coherence_length() > 0 {
            return true;
        }
        let norms = p.norms();
        let c = self.correlations(run);
        let mut best: Vec<(T, usize)> = (0..c.len())
            .filter(|j| norms[*j] > T::zero())
            .map(|j| (c[j] / norms[j], j))
            .collect();
        if best.len() <= 2 * LOOKED_AT {
            return false;
        }
        best.select_nth_unstable_by(LOOKED_AT - 1, best_first);
        best.truncate(LOOKED_AT);
        best.sort_by(best_first);
        let columns: Vec<usize> = best.iter().map(|(_, j)| *j).collect();
        let mut gram = vec![T::zero(); LOOKED_AT * LOOKED_AT];
        if p.gram_of(&columns, &mut gram, run).is_err() {
            return false; // (the limit ends what comes next)
        }
        let sizes: Vec<T> = columns.iter().map(|j| norms[*j]).collect();
        let cosines: T = (1..=COMPARED).map(|i| gram[i] / (sizes[0] * sizes[i])).sum();
        let near = T::one() - cosines / T::lit(COMPARED as f64);
        if p.distance_far_apart()
            .is_some_and(|far| near <= T::lit(0.5) * far)
        {
            return true;
        }
        let c: Vec<T> = columns.iter().map(|j| c[*j]).collect();
        let mut face = GramFace::new(&gram, &c, self.b_norm);
        let mut x = Vec::new();
        let pricing = Pricing {
            norms: &sizes,
            coherence_length: 0,
            ..self.pricing(&[])
        };
        if active_set(&mut face, &mut x, &mut [], &NonNegative, &pricing, run).is_err() {
            return false;
        }
        let explained: T = face.members().iter().zip(&x).map(|(i, v)| c[*i] * *v).sum();
        let whole = self.b_norm * self.b_norm;
        // beyond what the best one explains: a common mean is no sign of a small face
        whole - explained <= T::lit(0.01) * (whole - best[0].0 * best[0].0)
    }
}
