//! Robust losses of squared residuals.

use crate::{Error, Result, Scalar};

/// The loss applied to the residuals of [`NonlinearLeastSquares`](super::NonlinearLeastSquares), with the scale C beyond
/// which a residual counts as an outlier.
///
/// ```text
/// f = ½ Σ C² ρ(zᵢ)      zᵢ = (rᵢ/C)²
/// linear     ρ = z                                  w = 1
/// soft L1    ρ = 2(√(1+z) − 1)                      w = 1/√(1+z)
/// Huber      ρ = z for z ≤ 1, 2√z − 1 beyond        w = 1, 1/√z
/// Cauchy     ρ = log(1 + z)                         w = 1/(1+z)
/// arctan     ρ = arctan z                           w = 1/(1+z²)
/// ```
///
/// w = ρ′(z) is the weight of a residual: ∇f = Jᵀ(w ∘ r). With small residuals all of them are plain least squares;
/// Cauchy and arctan are not convex in r. The losses are those of `scipy.optimize.least_squares`.
///
/// Source: B. Triggs et al., *Bundle adjustment – a modern synthesis* (2000), section 3.
///
/// ```
/// use reparam::objectives::Robust;
/// let loss = Robust::huber(2.0).unwrap();
/// assert_eq!(loss.value(1.0), 0.5); // ½r²
/// assert_eq!(loss.value(10.0), 18.0); // C|r| − ½C²
/// assert_eq!(loss.weight(10.0), 0.2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robust<T> {
    kind: Kind,
    scale: T,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linear,
    SoftL1,
    Huber,
    Cauchy,
    Arctan,
}

impl<T: Scalar> Robust<T> {
    /// Plain squares.
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::linear().value(4.0), 8.0);
    /// ```
    pub fn linear() -> Self {
        Self {
            kind: Kind::Linear,
            scale: T::one(),
        }
    }

    /// A smooth |r|.
    ///
    /// # Errors
    /// [`Error::Setting`] unless the scale is positive and finite.
    ///
    /// ```
    /// assert!(reparam::objectives::Robust::soft_l1(0.0).is_err());
    /// ```
    pub fn soft_l1(scale: T) -> Result<Self> {
        Self::new(Kind::SoftL1, scale)
    }

    /// Squares up to C, absolute values beyond.
    ///
    /// # Errors
    /// As [`soft_l1`](Self::soft_l1).
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::huber(1.0).unwrap().curvature(2.0), 0.0);
    /// ```
    pub fn huber(scale: T) -> Result<Self> {
        Self::new(Kind::Huber, scale)
    }

    /// Logarithmic growth: the influence of outliers goes to zero.
    ///
    /// # Errors
    /// As [`soft_l1`](Self::soft_l1).
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::cauchy(1.0).unwrap().weight(3.0), 0.1);
    /// ```
    pub fn cauchy(scale: T) -> Result<Self> {
        Self::new(Kind::Cauchy, scale)
    }

    /// Bounded: the largest outliers stop counting.
    ///
    /// # Errors
    /// As [`soft_l1`](Self::soft_l1).
    ///
    /// ```
    /// let loss = reparam::objectives::Robust::arctan(1.0).unwrap();
    /// assert!(loss.value(1e200_f64) <= 0.25 * std::f64::consts::PI);
    /// ```
    pub fn arctan(scale: T) -> Result<Self> {
        Self::new(Kind::Arctan, scale)
    }

    fn new(kind: Kind, scale: T) -> Result<Self> {
        if !scale.is_finite() || scale <= T::zero() {
            return Err(Error::Setting {
                name: "scale of the robust loss",
                why: "must be positive and finite",
            });
        }
        Ok(Self { kind, scale })
    }

    /// Whether this is plain least squares.
    ///
    /// ```
    /// assert!(reparam::objectives::Robust::<f64>::linear().is_linear());
    /// ```
    pub fn is_linear(&self) -> bool {
        self.kind == Kind::Linear
    }

    /// C.
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::huber(2.0).unwrap().scale(), 2.0);
    /// ```
    pub fn scale(&self) -> T {
        self.scale
    }

    /// ½C² ρ((r/C)²).
    ///
    /// ```
    /// let loss = reparam::objectives::Robust::cauchy(1.0).unwrap();
    /// assert_eq!(loss.value(1.0), 0.5 * 2.0_f64.ln());
    /// ```
    pub fn value(&self, r: T) -> T {
        let (half, one, two) = (T::lit(0.5), T::one(), T::lit(2.0));
        // by t = |r|/C, whose square may overflow where the loss does not
        let t = (r / self.scale).abs();
        let rho = match self.kind {
            Kind::Linear => return half * r * r,
            // 2(√(1+t²) − 1) without cancellation
            Kind::SoftL1 if t < T::epsilon().recip() => two * t * (t / (one + one.hypot(t))),
            Kind::SoftL1 => two * (t - one),
            Kind::Huber if t <= one => t * t,
            Kind::Huber => two * t - one,
            Kind::Cauchy if t < T::epsilon().recip() => (t * t).ln_1p(),
            Kind::Cauchy => two * t.ln(),
            Kind::Arctan => (t * t).atan(),
        };
        half * self.scale * self.scale * rho
    }

    /// w = ρ′(z), so that the derivative of [`value`](Self::value) is w r.
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::linear().weight(3.0), 1.0);
    /// ```
    pub fn weight(&self, r: T) -> T {
        let one = T::one();
        let t = (r / self.scale).abs();
        match self.kind {
            Kind::Linear => one,
            Kind::SoftL1 => one.hypot(t).recip(),
            Kind::Huber if t <= one => one,
            Kind::Huber => t.recip(),
            Kind::Cauchy => (one + t * t).recip(),
            Kind::Arctan => (one + (t * t) * (t * t)).recip(),
        }
    }

    /// ρ′(z) + 2zρ″(z), the second derivative of [`value`](Self::value) in r; negative where ρ is not convex in r.
    ///
    /// ```
    /// assert_eq!(reparam::objectives::Robust::cauchy(1.0).unwrap().curvature(2.0), -0.12);
    /// ```
    pub fn curvature(&self, r: T) -> T {
        let (one, three) = (T::one(), T::lit(3.0));
        let w = self.weight(r);
        let t = (r / self.scale).abs();
        match self.kind {
            Kind::Linear => one,
            Kind::SoftL1 => w * w * w,
            Kind::Huber if t <= one => one,
            Kind::Huber => T::zero(),
            // (1 − z)/(1 + z)² = (2w − 1) w and (1 − 3z²)/(1 + z²)² = (4w − 3) w
            Kind::Cauchy => (w + w - one) * w,
            Kind::Arctan => (T::lit(4.0) * w - three) * w,
        }
    }
}

impl<T: Scalar> Default for Robust<T> {
    fn default() -> Self {
        Self::linear()
    }
}
