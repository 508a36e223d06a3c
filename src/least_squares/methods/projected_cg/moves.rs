//! Steps that change the face: projected and proximal steps.

use super::dominant::Dominant;
use super::state::{Ahead, State};
use crate::LinalgScalar;
use crate::linalg::{dot, not_positive};
use crate::outcome::Run;

impl<T: LinalgScalar> State<'_, '_, T> {
    /// trial_r ← A ((trial − y)/c); its squared norm, and that of the move. Columns that do not move are not touched.
    pub(super) fn move_image(&mut self, run: &mut Run<'_>) -> (T, T) {
        let norms = self.problem.norms();
        self.moved.clear();
        self.moved
            .extend((0..self.y.len()).filter(|j| self.trial[*j] != self.y[*j]));
        let mut square = T::zero();
        for (o, j) in self.coefficients.iter_mut().zip(&self.moved) {
            let d = self.trial[*j] - self.y[*j];
            square += d * d;
            *o = d / norms[*j];
        }
        let k = self.moved.len();
        self.problem
            .combine(&self.moved, &self.coefficients[..k], &mut self.trial_r, run);
        (dot(&self.trial_r, &self.trial_r), square)
    }

    /// Moves to `trial` when f stays below `ceiling`; the Barzilai–Borwein length there.
    pub(super) fn take(&mut self, ceiling: T, run: &mut Run<'_>) -> Option<T> {
        let (bend, square) = self.move_image(run);
        self.take_with(ceiling, bend, square)
    }

    /// [`take`](Self::take) with the squared norms of the image, which is in `trial_r`, and of the move.
    fn take_with(&mut self, ceiling: T, bend: T, square: T) -> Option<T> {
        let mut f = T::zero();
        for (r, i) in self.r.iter().zip(&self.trial_r) {
            f += (*r + *i) * (*r + *i);
        }
        if f.is_nan() || T::lit(0.5) * f - self.linear(&self.trial) > ceiling || square == T::zero() {
            return None;
        }
        let rest = self.rest_of(bend, self.along_trial());
        self.y.copy_from_slice(&self.trial);
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += *i;
        }
        self.curvature = self.curvature.max(rest / square);
        let length = square / rest;
        Some(if length.is_finite() {
            length
        } else {
            self.curvature.recip()
        })
    }

    /// ⟨a, trial − y⟩ and ⟨a, p⟩ for the dominant direction a; 0 without one.
    pub(super) fn along_trial(&self) -> T {
        let along = |d: &Dominant<T>| {
            let moves = self.trial.iter().zip(&self.y).map(|(t, y)| *t - *y);
            moves.zip(&d.a).map(|(v, a)| v * *a).sum()
        };
        self.dominant.as_ref().map_or(T::zero(), along)
    }

    pub(super) fn along_face(&self) -> T {
        let along = |d: &Dominant<T>| self.face.iter().zip(&self.p).map(|(j, p)| d.a[*j] * *p).sum();
        self.dominant.as_ref().map_or(T::zero(), along)
    }

    /// What a squared image leaves without its part along the dominant direction.
    pub(super) fn rest_of(&self, bend: T, along: T) -> T {
        (bend - along * along).max(T::epsilon() * bend)
    }

    /// The proximal step of length t: trial, where f without its dominant part is linear.
    pub(super) fn proximal(&mut self, t: T) {
        let Some(d) = &self.dominant else { return };
        let off = dot(&d.a, &self.y) - d.beta;
        for (j, z) in self.aim.iter_mut().enumerate() {
            *z = self.y[j] - t * (self.q[j] - d.a[j] * off);
        }
        d.clip(
            &(0..self.y.len()),
            &self.aim,
            (&self.lo, &self.hi),
            d.beta,
            t.recip(),
            &mut self.trial,
        );
    }

    /// P(y − t p) on the face.
    pub(super) fn projected_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        self.trial.copy_from_slice(&self.y);
        for (j, p) in self.face.iter().zip(&self.p) {
            self.aim[*j] = self.y[*j] - t * *p;
        }
        let bounds = (&self.lo[..], &self.hi[..]);
        if let Some(d) = &self.dominant {
            let face = self.face.iter().copied();
            let along = face.clone().map(|j| d.a[j] * self.aim[j]).sum();
            d.clip(&face, &self.aim, bounds, along, T::zero(), &mut self.trial);
        } else {
            for j in &self.face {
                self.trial[*j] = crate::sets::clip(self.aim[*j], bounds.0[*j], bounds.1[*j]);
            }
        }
        self.take(T::infinity(), run)
    }

    /// P(y − t q), everywhere; must descend.
    pub(super) fn gradient_step(&mut self, t: T, run: &mut Run<'_>) -> Option<T> {
        if self.dominant.is_some() {
            self.proximal(t);
            return self.take(self.f, run);
        }
        for j in 0..self.y.len() {
            self.trial[j] = crate::sets::clip(self.y[j] - t * self.q[j], self.lo[j], self.hi[j]);
        }
        if std::mem::replace(&mut self.ahead, Ahead::Nothing) == Ahead::Projected(t) {
            std::mem::swap(&mut self.trial_r, &mut self.ahead_image);
            let moves = self.trial.iter().zip(&self.y).map(|(t, y)| *t - *y);
            let square = moves.map(|d| d * d).sum();
            return self.take_with(self.f, dot(&self.trial_r, &self.trial_r), square);
        }
        self.take(self.f, run)
    }

    /// The best step towards `trial`, at most all the way; false when it does not descend.
    pub(super) fn part_of_the_way(&mut self, run: &mut Run<'_>) -> bool {
        let (bend, square) = self.move_image(run);
        let slope: T = (0..self.y.len())
            .map(|j| self.q[j] * (self.y[j] - self.trial[j]))
            .sum();
        let t = slope / bend;
        if not_positive(t) || !t.is_finite() {
            return false;
        }
        self.curvature = self
            .curvature
            .max(self.rest_of(bend, self.along_trial()) / square);
        let t = t.min(T::one());
        if t == T::one() {
            self.y.copy_from_slice(&self.trial);
        } else {
            for ((y, z), (lo, hi)) in self
                .y
                .iter_mut()
                .zip(&self.trial)
                .zip(self.lo.iter().zip(&self.hi))
            {
                *y = crate::sets::clip(*y + t * (*z - *y), *lo, *hi);
            }
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += t * *i;
        }
        let before = self.f;
        self.settle_anew(None, run);
        self.f < before
    }

    /// The best step along the chopped gradient, as far as the box allows; false when it does not descend.
    pub(super) fn grow(&mut self, run: &mut Run<'_>) -> bool {
        if let Some(d) = &self.dominant {
            self.proximal(d.rest.max(self.curvature).recip());
            return self.part_of_the_way(run);
        }
        for j in 0..self.y.len() {
            self.trial[j] = if self.enters(j) {
                self.y[j] - self.q[j]
            } else {
                self.y[j]
            };
        }
        let (bend, square) = self.move_image(run);
        let mut t = square / bend;
        if not_positive(t) || !t.is_finite() {
            return false;
        }
        self.curvature = self.curvature.max(bend / square);
        for j in &self.moved {
            t = t.min((self.hi[*j] - self.lo[*j]) / self.q[*j].abs());
        }
        for j in &self.moved {
            self.y[*j] = crate::sets::clip(self.y[*j] - t * self.q[*j], self.lo[*j], self.hi[*j]);
        }
        for (r, i) in self.r.iter_mut().zip(&self.trial_r) {
            *r += t * *i;
        }
        let before = self.f;
        self.settle_anew(None, run);
        self.f < before
    }
}
