//! Separable losses ℓ(z) = Σᵢ wᵢ ℓᵢ(zᵢ) of z = A x.
//!
//! | loss | ℓᵢ(z) | ℓᵢ″ at most | domain |
//! |---|---|---|---|
//! | [`Squared`] | ½(z − bᵢ)² | 1 | R |
//! | [`Huber`] | quadratic up to δ, linear beyond | 1 | R |
//! | [`LogCosh`] | log cosh(z − bᵢ) | 1 | R |
//! | [`Logistic`] | log(1 + exp(−sᵢ z)) | ¼ | R |
//! | [`SquaredHinge`] | ½ max(0, 1 − sᵢ z)² | 1 | R |
//! | [`Poisson`] | z − yᵢ log z | – | z > 0 |
//! | [`NegativeLog`] | −log z | – | z > 0 |
//!
//! All of them are convex. A new loss is one file here; [`Composite`](crate::objectives::Composite) makes it an
//! objective ℓ(A x).

mod huber;
mod log_cosh;
mod logistic;
mod negative_log;
mod poisson;
mod squared;
mod squared_hinge;

pub use huber::Huber;
pub use log_cosh::LogCosh;
pub use logistic::Logistic;
pub use negative_log::NegativeLog;
pub use poisson::Poisson;
pub use squared::Squared;
pub use squared_hinge::SquaredHinge;

use crate::checks::{check_each, check_finite, check_len, check_not_empty};
use crate::{Result, Scalar};

/// A separable loss of m numbers.
///
/// ```text
/// ℓ(z) = Σᵢ wᵢ ℓᵢ(zᵢ)      r = ℓ′(z) ∈ Rᵐ      d = ℓ″(z) ∈ Rᵐ
/// ```
///
/// Outside the domain of a loss (z ≤ 0 in a logarithm) the value is +∞, which a line search takes for a step that
/// is too long; slopes and curvatures mean nothing there. A weight 0 removes an entry, wherever zᵢ lies.
///
/// ```
/// use reparam::losses::{Loss, Squared};
/// let loss = Squared::new(&[1.0, 2.0]).unwrap();
/// let mut r = [0.0; 2];
/// loss.gradient(&[3.0, 2.0], &mut r);
/// assert_eq!((loss.value(&[3.0, 2.0]), r), (2.0, [2.0, 0.0]));
/// ```
pub trait Loss<T: Scalar> {
    /// m, the length of z.
    fn dim(&self) -> usize;

    /// ℓ(z); +∞ outside the domain.
    fn value(&self, z: &[T]) -> T;

    /// r ← ℓ′(z), length m; every entry is overwritten.
    fn gradient(&self, z: &[T], r: &mut [T]);

    /// d ← ℓ″(z), length m; every entry is overwritten. Where ℓ″ jumps, the value of one side.
    fn curvature(&self, z: &[T], d: &mut [T]);

    /// ℓᵢ′(z), the derivative of one term alone; None when it is not available. Used by stochastic gradient methods.
    fn derivative(&self, i: usize, z: T) -> Option<T> {
        let _ = (i, z);
        None
    }

    /// r ← b − z, for losses of that difference which are least squares; false for others. What a solution reports as its residual.
    ///
    /// ```
    /// use reparam::losses::{Huber, Loss, Squared};
    /// let (b, mut r) = ([3.0], [0.0]);
    /// assert!(Squared::new(&b).unwrap().residual(&[1.0], &mut r) && r == [2.0]);
    /// assert!(!Huber::new(&b, 1.0).unwrap().residual(&[1.0], &mut r));
    /// ```
    fn residual(&self, z: &[T], r: &mut [T]) -> bool {
        let _ = (z, r);
        false
    }

    /// The first i with zᵢ outside the domain of its term, so that ℓ(z) = +∞; None when there is none, or ℓ does not say.
    ///
    /// ```
    /// use reparam::losses::{Loss, Poisson};
    /// let loss = Poisson::new(&[0.0, 2.0]).unwrap();
    /// assert_eq!((loss.outside(&[0.0, 1.0]), loss.outside(&[0.0, 0.0])), (None, Some(1)));
    /// ```
    fn outside(&self, z: &[T]) -> Option<usize> {
        let _ = z;
        None
    }

    /// Whether ℓ is convex.
    fn convex(&self) -> bool;

    /// Whether ℓ is quadratic: then ℓ″ is constant, and a search along a quadratic curve is exact.
    fn quadratic(&self) -> bool {
        false
    }

    /// max over z and i of wᵢ ℓᵢ″, the Lipschitz constant of ℓ′; None when there is none.
    fn curvature_bound(&self) -> Option<T> {
        None
    }

    /// The conjugate ℓ*(ν) = max_z ⟨ν, z⟩ − ℓ(z), +∞ outside its domain (by more than a rounding error, so that every
    /// slope ν = ℓ′(z) is inside); None when it is not available.
    fn conjugate(&self, nu: &[T]) -> Option<T> {
        let _ = nu;
        None
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, L: Loss<T> + ?Sized> Loss<T> for $wrapper {
            fn dim(&self) -> usize {
                (**self).dim()
            }
            fn value(&self, z: &[T]) -> T {
                (**self).value(z)
            }
            fn gradient(&self, z: &[T], r: &mut [T]) {
                (**self).gradient(z, r);
            }
            fn curvature(&self, z: &[T], d: &mut [T]) {
                (**self).curvature(z, d);
            }
            fn derivative(&self, i: usize, z: T) -> Option<T> {
                (**self).derivative(i, z)
            }
            fn residual(&self, z: &[T], r: &mut [T]) -> bool {
                (**self).residual(z, r)
            }
            fn outside(&self, z: &[T]) -> Option<usize> {
                (**self).outside(z)
            }
            fn convex(&self) -> bool {
                (**self).convex()
            }
            fn quadratic(&self) -> bool {
                (**self).quadratic()
            }
            fn curvature_bound(&self) -> Option<T> {
                (**self).curvature_bound()
            }
            fn conjugate(&self, nu: &[T]) -> Option<T> {
                (**self).conjugate(nu)
            }
        }
    )*};
}
forward!(&L, Box<L>, std::sync::Arc<L>, std::rc::Rc<L>);

pub(crate) use crate::linalg::sum_of;

/// The weights of a loss: all one unless given.
#[derive(Debug, Clone, PartialEq, Default)]
struct Weights<T>(Option<Vec<T>>);

impl<T: Scalar> Weights<T> {
    /// m weights, finite and not negative.
    fn new(m: usize, w: &[T]) -> Result<Self> {
        check_len("the weights", m, w.len())?;
        check_finite("weights", w)?;
        check_each("weights", w, "must not be negative", |v| v >= T::zero())?;
        Ok(Self(Some(w.to_vec())))
    }

    fn largest(&self) -> T {
        match &self.0 {
            None => T::one(),
            Some(w) => w.iter().fold(T::zero(), |m, v| m.max(*v)),
        }
    }

    /// Σ wᵢ term(i); entries without weight are not asked.
    fn sum(&self, m: usize, term: impl Fn(usize) -> T) -> T {
        match &self.0 {
            None => sum_of(m, term),
            Some(w) => sum_of(m, |i| {
                if w[i] == T::zero() {
                    T::zero()
                } else {
                    w[i] * term(i)
                }
            }),
        }
    }

    /// Whether entry i counts.
    fn counts(&self, i: usize) -> bool {
        self.0.as_ref().is_none_or(|w| w[i] > T::zero())
    }

    /// wᵢ term
    fn one(&self, i: usize, term: T) -> T {
        match &self.0 {
            Some(w) if w[i] == T::zero() => T::zero(),
            Some(w) => w[i] * term,
            None => term,
        }
    }

    /// outᵢ ← wᵢ term(i)
    fn each(&self, out: &mut [T], term: impl Fn(usize) -> T) {
        match &self.0 {
            None => out.iter_mut().enumerate().for_each(|(i, o)| *o = term(i)),
            Some(w) => {
                for ((i, o), w) in out.iter_mut().enumerate().zip(w) {
                    *o = if *w == T::zero() { T::zero() } else { *w * term(i) };
                }
            }
        }
    }

    /// Σ (wᵢ ℓᵢ)*(νᵢ) = Σ wᵢ ℓᵢ*(νᵢ/wᵢ): `term(i, ν)` is ℓᵢ*(ν).
    fn conjugate(&self, nu: &[T], term: impl Fn(usize, T) -> T) -> T {
        match &self.0 {
            None => sum_of(nu.len(), |i| term(i, nu[i])),
            Some(w) => sum_of(nu.len(), |i| {
                if w[i] > T::zero() {
                    w[i] * term(i, nu[i] / w[i])
                } else if nu[i] == T::zero() {
                    T::zero()
                } else {
                    T::infinity()
                }
            }),
        }
    }
}

/// Data b of a loss: at least one, finite.
fn data_of<T: Scalar>(what: &'static str, b: &[T]) -> Result<Vec<T>> {
    check_not_empty(what, b.len())?;
    check_finite(what, b)?;
    Ok(b.to_vec())
}

/// Labels −1 or 1.
fn signs_of<T: Scalar>(labels: &[T]) -> Result<Vec<T>> {
    let labels = data_of("labels", labels)?;
    check_each("labels", &labels, "must be -1 or 1", |v| v.abs() == T::one())?;
    Ok(labels)
}

/// Labels 0 or 1, as −1 or 1.
fn signs_of_binary<T: Scalar>(labels: &[T]) -> Result<Vec<T>> {
    let labels = data_of("labels", labels)?;
    check_each("labels", &labels, "must be 0 or 1", |v| {
        v == T::zero() || v == T::one()
    })?;
    Ok(labels.into_iter().map(|v| v + v - T::one()).collect())
}

/// x log y with 0 log 0 = 0.
fn x_log_y<T: Scalar>(x: T, y: T) -> T {
    if x == T::zero() { T::zero() } else { x * y.ln() }
}

/// v brought into [lo, hi] when it lies outside by a rounding error (a slope divided by its weight), None when by more.
fn nearly_within<T: Scalar>(v: T, lo: T, hi: T) -> Option<T> {
    let slack = T::lit(4.0) * T::epsilon() * (hi - lo);
    if v >= lo - slack && v <= hi + slack {
        Some(v.max(lo).min(hi))
    } else {
        None
    }
}
