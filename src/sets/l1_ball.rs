//! {Σ|x| ≤ r}.

use super::level::{Budget, all_finite, budget_len, budget_residual, positive_part, project_budget_in};
use super::{ConstraintSet, Polyhedron};
use crate::checks::{check_not_empty, check_positive};
use crate::linalg::{max_abs, max_or_nan};
use crate::{Result, Scalar};

/// The ℓ1 ball {x ∈ Rⁿ : Σ|xᵢ| ≤ r}: sparse least squares with a budget (the lasso in its first form).
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \text{that of the solid simplex after mirroring } x_j \text{ by the sign of } c_j^2 x_j - g_j \\
/// \text{multipliers} &\quad \mu_j = t + s_j g_j, \quad s_j = \operatorname{sign} x_j \ (-\operatorname{sign} g_j \text{ where } x_j = 0), \quad t \ge 0 \text{ that of the budget} \\
/// \text{gap} &\quad \sum_j \bigl(|x_j| \max|g| + x_j g_j\bigr) + \max|g|\, \Bigl(r - \sum_j |x_j|\Bigr)
/// \end{aligned}
/// ```
///
/// μ ≥ 0 and μ_j x_j = 0 at a solution: |g_j| = t on the support, at most t elsewhere. A scale of 0 counts as the
/// largest scale, as for the [`Simplex`](super::Simplex).
///
/// ```
/// use reparam::sets::{ConstraintSet, L1BallSet};
/// let set = L1BallSet::new(3, 1.0).unwrap();
/// let mut x = [2.0, -1.0, 0.5];
/// set.project(&mut x); // soft thresholding
/// assert_eq!(x, [1.0, 0.0, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct L1BallSet<T> {
    dim: usize,
    radius: T,
}

impl<T: Scalar> L1BallSet<T> {
    /// {x ∈ Rⁿ : Σ|x| ≤ radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// assert!(reparam::sets::L1BallSet::new(0, 1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        check_not_empty("the ball", dim)?;
        check_positive("radius", radius)?;
        Ok(Self { dim, radius })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::sets::L1BallSet::new(3, 2.0).unwrap().radius(), 2.0);
    /// ```
    pub fn radius(&self) -> T {
        self.radius
    }
}

fn one_norm<T: Scalar>(x: &[T]) -> T {
    x.iter().map(|v| v.abs()).sum()
}

fn sign<T: Scalar>(v: T) -> T {
    if v < T::zero() { -T::one() } else { T::one() }
}

impl<T: Scalar> ConstraintSet<T> for L1BallSet<T> {
    fn dim(&self) -> usize {
        self.dim
    }
    fn violation(&self, x: &[T]) -> T {
        positive_part(one_norm(x) - self.radius)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        // the sign of what is projected, c² x − g with zero scales left to the budget's own treatment
        let largest = scale.map_or(T::one(), max_abs);
        let largest = if largest > T::zero() { largest } else { T::one() };
        let mirror = |j: usize| {
            let c = scale.map_or(T::one(), |s| if s[j] > T::zero() { s[j] } else { largest });
            sign(c * x[j] - g[j] / c)
        };
        let (mut mx, mut mg) = (x.to_vec(), g.to_vec());
        for j in 0..x.len() {
            let s = mirror(j);
            mx[j] *= s;
            mg[j] *= s;
        }
        budget_residual(&mx, &mg, scale, None, self.radius, true)
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        if !all_finite(x) || !all_finite(g) {
            out.fill(T::nan());
            return;
        }
        let s: Vec<T> = x.iter().zip(g).map(|(x, g)| sign(*x - *g)).collect();
        let mx: Vec<T> = x.iter().zip(&s).map(|(x, s)| *x * *s).collect();
        let mg: Vec<T> = g.iter().zip(&s).map(|(g, s)| *g * *s).collect();
        out.fill(T::one());
        let budget = Budget {
            x: &mx,
            g: &mg,
            c: out,
            upper: None,
            radius: self.radius,
        };
        let t = if budget.sum(T::zero()) <= self.radius {
            T::zero()
        } else {
            budget.level()
        };
        for j in 0..x.len() {
            out[j] = t + if x[j] == T::zero() {
                -g[j].abs()
            } else {
                sign(x[j]) * g[j]
            };
        }
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        self.dim.saturating_add(budget_len(self.dim))
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        if one_norm(x) <= self.radius {
            return true;
        }
        let (size, rest) = work.split_at_mut(x.len());
        for (s, v) in size.iter_mut().zip(&*x) {
            *s = v.abs();
        }
        project_budget_in(size, None, self.radius, rest);
        for (v, s) in x.iter_mut().zip(&*size) {
            *v = sign(*v) * *s;
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        if g.iter().any(|v| v.is_nan()) {
            return false;
        }
        s.fill(T::zero());
        let largest = max_abs(g);
        if let Some(j) = g.iter().position(|v| v.abs() == largest) {
            s[j] = -sign(g[j]) * self.radius;
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let m = max_abs(g);
        let inner: T = x.iter().zip(g).map(|(x, g)| x.abs() * m + *x * *g).sum();
        Some(max_or_nan([positive_part(
            inner + m * positive_part(self.radius - one_norm(x)),
        )]))
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        Some(Polyhedron::L1Ball {
            dim: self.dim,
            radius: self.radius,
        })
    }
}
