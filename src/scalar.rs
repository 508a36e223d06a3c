//! The two scalar traits: [`Scalar`] for everything that only needs arithmetic, [`LinalgScalar`] for what
//! needs a matrix factorisation.

use num_traits::{Float, FromPrimitive, NumAssign};
use std::fmt::{Debug, Display, LowerExp};
use std::iter::Sum;

/// A real floating-point number.
///
/// Open: implemented for every type with the listed traits (`f32`, `f64`, and number types of other crates).
/// Maps, sets, operators and objectives need no more than this.
///
/// ```
/// use reparam::Scalar;
/// fn half<T: Scalar>(x: T) -> T {
///     x * T::lit(0.5)
/// }
/// assert_eq!(half(3.0_f32), 1.5);
/// ```
pub trait Scalar:
    Float + FromPrimitive + NumAssign + Sum + Default + Debug + Display + LowerExp + Send + Sync + 'static
{
    /// A constant of the source text in this type, rounded to nearest.
    fn lit(value: f64) -> Self;
    /// This number as an `f64`, for reports.
    fn as_f64(self) -> f64;
    /// A count in this type, rounded to nearest.
    fn count(value: usize) -> Self;
}

impl<T> Scalar for T
where
    T: Float + FromPrimitive + NumAssign + Sum + Default + Debug + Display + LowerExp + Send + Sync + 'static,
{
    #[inline]
    fn lit(value: f64) -> Self {
        // Every type with `Float` represents some neighbourhood of every constant used here; NaN would show at once.
        Self::from_f64(value).unwrap_or_else(Self::nan)
    }
    #[inline]
    fn as_f64(self) -> f64 {
        self.to_f64().unwrap_or(f64::NAN)
    }
    #[inline]
    fn count(value: usize) -> Self {
        Self::from_usize(value).unwrap_or_else(Self::nan)
    }
}

/// A [`Scalar`] with dense matrix kernels: `f32` and `f64`.
///
/// Sealed: the kernels are private to this crate, so that the linear-algebra back end (faer, or nalgebra
/// without the feature `faer`) never shows in a public signature.
///
/// ```
/// fn solve<T: reparam::LinalgScalar>(a: &nalgebra::DMatrix<T>, b: &[T]) -> reparam::Result<Vec<T>>
/// where
///     T: nalgebra::Scalar,
/// {
///     Ok(reparam::nnls(a, b)?.x)
/// }
/// # assert_eq!(solve(&nalgebra::dmatrix![2.0_f32], &[4.0]).unwrap(), vec![2.0]);
/// ```
pub trait LinalgScalar: Scalar + crate::operators::Kernels + crate::engines::Engines + Send + Sync {}

impl LinalgScalar for f32 {}
impl LinalgScalar for f64 {}
