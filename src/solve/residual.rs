//! The residual that the general engines report: b − A x, or that of a nonlinear fit.

use crate::linalg::norm2;
use crate::objectives::Objective;
use crate::outcome::Solution;
use crate::{Error, Result, Scalar};

impl<T: Scalar> Solution<T> {
    /// With the residual at x, where the objective has one.
    pub(crate) fn with_residual(mut self, objective: &mut dyn Objective<T>) -> Result<Self> {
        let mut r = Vec::new();
        if let Some(view) = objective.residuals() {
            r.resize(view.residual_count(), T::zero());
            view.residual_vector(&self.x, &mut r).map_err(Error::Evaluation)?;
        } else if let Some(m) = objective.composite().map(|view| view.operator.rows()) {
            let mut z = vec![T::zero(); m];
            r.resize(m, T::zero());
            let known = objective.image(&self.x, &mut z)
                && objective
                    .composite()
                    .is_some_and(|view| view.loss.residual(&z, &mut r));
            if !known {
                r.clear();
            }
        }
        self.residual_norm = if r.is_empty() { T::nan() } else { norm2(&r) };
        self.residual = r;
        Ok(self)
    }
}
