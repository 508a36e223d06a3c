//! What is known about the shape of f.

/// Whether an objective is convex. This is declared, not computed: closures are [`Unknown`](Self::Unknown) until their
/// author declares more.
///
/// ```
/// use reparam::objectives::{Convexity, LeastSquares, Objective};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap();
/// assert_eq!(f.convexity(), Convexity::Convex);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Convexity {
    /// f is convex: every stationary point is a global minimum.
    Convex,
    /// f is not convex.
    Nonconvex,
    /// Nothing is known.
    #[default]
    Unknown,
}

impl Convexity {
    /// What is known of f + g: convex when both are, otherwise nothing.
    ///
    /// ```
    /// use reparam::objectives::Convexity::{Convex, Nonconvex, Unknown};
    /// assert_eq!(Convex.plus(Convex), Convex);
    /// assert_eq!(Convex.plus(Nonconvex), Unknown);
    /// ```
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        if self == Self::Convex && other == Self::Convex {
            Self::Convex
        } else {
            Self::Unknown
        }
    }
}
