//! {‖x − a‖ ≤ r}.

use super::ConstraintSet;
use super::level::{Metric, all_finite, positive_part};
use crate::checks::{check_finite, check_not_empty, check_positive, zeros};
use crate::linalg::{dot, max_or_nan, norm2};
use crate::{Result, Scalar};

/// The Euclidean ball {x ∈ Rⁿ : ‖x − a‖₂ ≤ r}.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j \frac{|t d_j + g_j|\, c_j}{c_j^2 + t}, \quad d = x - a, \quad t \ge 0 \text{ by Newton on the secular equation} \\
/// \text{multipliers} &\quad t \text{ of } \tfrac12 \lVert x - a\rVert^2 \le \tfrac12 r^2 \text{ in every entry: } g + t\,(x - a) = 0 \text{ at a solution} \\
/// \text{gap} &\quad \frac{\lVert g\rVert}{2r} \Bigl(\bigl\lVert r g / \lVert g\rVert + d \bigr\rVert^2 + r^2 - \lVert d\rVert^2\Bigr)
/// \end{aligned}
/// ```
///
/// The secular equation is the one of trust-region methods (Moré & Sorensen, SIAM J. Sci. Stat. Comput. 1983). A scale
/// of 0 counts as the largest scale, as for the [`Simplex`](super::Simplex).
///
/// ```
/// use reparam::sets::{BallSet, ConstraintSet};
/// let set = BallSet::new(2, 1.0).unwrap();
/// let mut x = [3.0, 4.0];
/// set.project(&mut x);
/// assert!((x[0] - 0.6_f64).abs() < 1e-15 && (x[1] - 0.8).abs() < 1e-15);
/// assert!(set.natural_residual(&[0.6, 0.8], &[-3.0, -4.0], None) < 1e-15); // held by the boundary
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BallSet<T> {
    centre: Vec<T>,
    radius: T,
}

impl<T: Scalar> BallSet<T> {
    /// The ball of this radius about 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Setting`](crate::Error::Setting) unless the radius is positive
    /// and finite.
    ///
    /// ```
    /// assert!(reparam::sets::BallSet::new(2, f64::NAN).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Self::with_centre(zeros("the centre", dim)?, radius)
    }

    /// The ball of this radius about `centre`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`](crate::Error::NotFinite) for the centre.
    ///
    /// ```
    /// use reparam::sets::{BallSet, ConstraintSet};
    /// assert_eq!(BallSet::with_centre(vec![5.0], 1.0).unwrap().violation(&[7.0]), 1.0);
    /// ```
    pub fn with_centre(centre: Vec<T>, radius: T) -> Result<Self> {
        check_not_empty("the centre", centre.len())?;
        check_finite("centre", &centre)?;
        check_positive("radius", radius)?;
        Ok(Self { centre, radius })
    }

    /// a.
    ///
    /// ```
    /// assert_eq!(reparam::sets::BallSet::new(2, 1.0).unwrap().centre(), &[0.0, 0.0]);
    /// ```
    pub fn centre(&self) -> &[T] {
        &self.centre
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::sets::BallSet::new(2, 1.5).unwrap().radius(), 1.5);
    /// ```
    pub fn radius(&self) -> T {
        self.radius
    }
}

pub(super) fn offset<T: Scalar>(x: &[T], centre: &[T]) -> Vec<T> {
    x.iter().zip(centre).map(|(x, a)| *x - *a).collect()
}

/// d ← x − a.
pub(super) fn offset_in<T: Scalar>(x: &[T], centre: &[T], d: &mut [T]) {
    for ((d, x), a) in d.iter_mut().zip(x).zip(centre) {
        *d = *x - *a;
    }
}

/// The t ≥ 0 at which y = (w∘d − g)/(w + t) has norm r; 0 when y(0) is inside.
fn secular<T: Scalar>(d: &[T], g: &[T], w: &[T], radius: T) -> T {
    let mut t = T::zero();
    let mut y = vec![T::zero(); d.len()];
    for _ in 0..100 {
        for i in 0..d.len() {
            y[i] = (w[i] * d[i] - g[i]) / (w[i] + t);
        }
        let norm = norm2(&y);
        if norm <= radius {
            break;
        }
        let curved: T = (0..d.len())
            .map(|i| (y[i] / norm) * (y[i] / norm) / (w[i] + t))
            .sum();
        // Newton on 1/‖y(t)‖, which is nearly linear: monotone from the left
        let step = (norm - radius) / radius / curved;
        t += step;
        if step.is_nan() || step <= T::epsilon() * t {
            break;
        }
    }
    t
}

impl<T: Scalar> ConstraintSet<T> for BallSet<T> {
    fn dim(&self) -> usize {
        self.centre.len()
    }
    fn violation(&self, x: &[T]) -> T {
        positive_part(norm2(&offset(x, &self.centre)) - self.radius)
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let Some(metric) = Metric::new(x.len(), scale) else {
            return T::nan();
        };
        if !all_finite(x) || !all_finite(g) {
            return T::nan();
        }
        let d: Vec<T> = x
            .iter()
            .zip(&self.centre)
            .map(|(x, a)| (*x - *a) * metric.size)
            .collect();
        let g: Vec<T> = g.iter().map(|v| *v / metric.size).collect();
        let w: Vec<T> = metric.c.iter().map(|c| *c * *c).collect();
        let t = secular(&d, &g, &w, self.radius * metric.size);
        max_or_nan((0..d.len()).map(|i| (t * d[i] + g[i]).abs() * metric.c[i] / (w[i] + t)))
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        let d = offset(x, &self.centre);
        let z: Vec<T> = d.iter().zip(g).map(|(d, g)| *d - *g).collect();
        out.fill(positive_part(norm2(&z) / self.radius - T::one()));
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn scratch_len(&self) -> usize {
        self.centre.len()
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let d = &mut work[..x.len()];
        offset_in(x, &self.centre, d);
        let norm = norm2(d);
        if norm.is_nan() {
            x.fill(norm);
        } else if norm > self.radius {
            for ((x, a), d) in x.iter_mut().zip(&self.centre).zip(&*d) {
                *x = *a + self.radius * (*d / norm);
            }
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let norm = norm2(g);
        if norm.is_nan() {
            return false;
        }
        for ((s, a), g) in s.iter_mut().zip(&self.centre).zip(g) {
            *s = if norm == T::zero() {
                *a
            } else {
                *a - self.radius * (*g / norm)
            };
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        Some(ball_gap(&offset(x, &self.centre), g, self.radius))
    }
}

/// ⟨g, d⟩ + r‖g‖ as a sum of terms of one sign, in units of r, whose square need not be a number.
pub(super) fn ball_gap<T: Scalar>(d: &[T], g: &[T], radius: T) -> T {
    let norm = norm2(g);
    let size = norm2(d);
    if norm == T::zero() || norm.is_nan() || size.is_nan() {
        return if size.is_nan() { size } else { norm };
    }
    let sum: Vec<T> = d.iter().zip(g).map(|(d, g)| *g / norm + *d / radius).collect();
    let across = dot(&sum, &sum) + positive_part((radius - size) / radius * (T::one() + size / radius));
    norm * (across * T::lit(0.5)) * radius
}
