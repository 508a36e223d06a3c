//! {‖x − a‖ = r}.

use super::ConstraintSet;
use super::ball::{ball_gap, offset, offset_in};
use super::level::{Metric, all_finite};
use crate::checks::{check_finite, check_not_empty, check_positive, zeros};
use crate::linalg::{dot, max_or_nan, norm2};
use crate::{Result, Scalar};

/// The sphere {x ∈ Rⁿ : ‖x − a‖₂ = r}: the one set here that is *not convex*.
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_j |g_j - \mu d_j| / c_j, \quad d = x - a, \quad \mu = \langle d, g\rangle_{c^{-2}} / \langle d, d\rangle_{c^{-2}} \quad (\text{tangential gradient}) \\
/// \text{multipliers} &\quad t = -\langle g, d\rangle / r^2 \text{ in every entry: } g + t\, d = 0 \text{ at a stationary point} \\
/// \text{gap} &\quad \max_s \langle g, x - s\rangle \text{ over the sphere, as for the ball}
/// \end{aligned}
/// ```
///
/// The residual vanishes at every stationary point of f on the manifold, maxima included. The gap still bounds
/// f(x) − min f for convex f, but does not vanish at every minimum. A scale of 0 counts as the largest scale.
///
/// ```
/// use reparam::sets::{ConstraintSet, SphereSet};
/// let set = SphereSet::new(2, 1.0).unwrap();
/// assert_eq!(set.natural_residual(&[1.0, 0.0], &[7.0, 0.0], None), 0.0);
/// assert_eq!(set.natural_residual(&[1.0, 0.0], &[7.0, 2.0], None), 2.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SphereSet<T> {
    centre: Vec<T>,
    radius: T,
}

impl<T: Scalar> SphereSet<T> {
    /// The sphere of this radius about 0.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty), [`Error::Setting`](crate::Error::Setting) unless the radius is positive
    /// and finite.
    ///
    /// ```
    /// assert!(reparam::sets::SphereSet::new(2, 0.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Self::with_centre(zeros("the centre", dim)?, radius)
    }

    /// The sphere of this radius about `centre`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::NotFinite`](crate::Error::NotFinite) for the centre.
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, SphereSet};
    /// assert_eq!(SphereSet::with_centre(vec![5.0], 1.0).unwrap().violation(&[5.0]), 1.0);
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
    /// assert_eq!(reparam::sets::SphereSet::new(2, 1.0).unwrap().centre(), &[0.0, 0.0]);
    /// ```
    pub fn centre(&self) -> &[T] {
        &self.centre
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::sets::SphereSet::new(2, 1.5).unwrap().radius(), 1.5);
    /// ```
    pub fn radius(&self) -> T {
        self.radius
    }
}

impl<T: Scalar> ConstraintSet<T> for SphereSet<T> {
    fn dim(&self) -> usize {
        self.centre.len()
    }
    fn violation(&self, x: &[T]) -> T {
        (norm2(&offset(x, &self.centre)) - self.radius).abs()
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let Some(metric) = Metric::new(x.len(), scale) else {
            return T::nan();
        };
        if !all_finite(x) || !all_finite(g) {
            return T::nan();
        }
        let d = offset(x, &self.centre);
        let norm = norm2(&d);
        if norm == T::zero() {
            return T::nan(); // the centre has no tangent space
        }
        let scaled =
            |v: &[T], by: T| -> Vec<T> { v.iter().zip(&metric.c).map(|(v, c)| *v / by / *c).collect() };
        let (sd, sg) = (scaled(&d, norm), scaled(g, metric.size));
        let mu = dot(&sd, &sg) / dot(&sd, &sd);
        max_or_nan(sg.iter().zip(&sd).map(|(g, d)| (*g - mu * *d).abs()))
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        let d = offset(x, &self.centre);
        out.fill(-dot(&d, g) / self.radius / self.radius);
    }
    fn is_convex(&self) -> bool {
        false
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
        for (i, ((x, a), d)) in x.iter_mut().zip(&self.centre).zip(&*d).enumerate() {
            // every point is nearest to the centre: take the first axis
            let y = if norm == T::zero() {
                T::count(usize::from(i == 0))
            } else {
                *d / norm
            };
            *x = *a + self.radius * y;
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        let norm = norm2(g);
        if norm.is_nan() {
            return false;
        }
        for (i, ((s, a), g)) in s.iter_mut().zip(&self.centre).zip(g).enumerate() {
            let y = if norm == T::zero() {
                T::count(usize::from(i == 0))
            } else {
                *g / norm
            };
            *s = *a - self.radius * y;
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        Some(ball_gap(&offset(x, &self.centre), g, self.radius))
    }
}
