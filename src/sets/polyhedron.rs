//! Polyhedral sets as data, for solvers with factorisations.

use crate::Scalar;

/// A polyhedron in the form in which least squares over it can be solved exactly: bounds, at most one sum, and what
/// reduces to them by a linear change of variables. [`ConstraintSet::polyhedron`](super::ConstraintSet::polyhedron) hands it out.
///
/// Bounds may be infinite, and equal.
///
/// ```
/// use reparam::sets::{BoxSet, ConstraintSet, Polyhedron, ProductSet, Simplex};
/// let weights = Simplex::new(3, 1.0).unwrap();
/// let whole = Polyhedron::Bounds { lower: vec![0.0; 3], upper: vec![f64::INFINITY; 3], sum: Some(1.0) };
/// assert_eq!(weights.polyhedron(), Some(whole.clone()));
/// let blocks: Vec<Box<dyn ConstraintSet<f64>>> = vec![Box::new(weights), Box::new(BoxSet::uniform(1, 0.0, 2.0).unwrap())];
/// let free = Polyhedron::Bounds { lower: vec![0.0], upper: vec![2.0], sum: None };
/// assert_eq!(ProductSet::new(blocks).polyhedron(), Some(Polyhedron::Product(vec![whole, free])));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Polyhedron<T> {
    /// {lower ≤ x ≤ upper}, and Σx = sum where given.
    Bounds {
        /// Length n.
        lower: Vec<T>,
        /// Length n.
        upper: Vec<T>,
        /// What all coordinates add up to.
        sum: Option<T>,
    },
    /// {x ∈ Rⁿ : x ≥ 0, Σx ≤ radius}.
    CappedSimplex {
        /// n.
        dim: usize,
        /// r.
        radius: T,
    },
    /// {x ∈ Rⁿ : Σ|x| ≤ radius}.
    L1Ball {
        /// n.
        dim: usize,
        /// r.
        radius: T,
    },
    /// {x ∈ Rⁿ : lower ≤ x₁ ≤ … ≤ xₙ ≤ upper}.
    Monotone {
        /// n.
        dim: usize,
        /// −∞ without one.
        lower: T,
        /// +∞ without one.
        upper: T,
    },
    /// {x ∈ Rⁿ : x_i = y_{index i}, lower ≤ y ≤ upper}.
    Tied {
        /// Length n.
        index: Vec<usize>,
        /// One for each y.
        lower: Vec<T>,
        /// One for each y.
        upper: Vec<T>,
    },
    /// {offset + G y : y in another polyhedron}.
    Image {
        /// G, n×k, column after column.
        generators: Vec<T>,
        /// Length n.
        offset: Vec<T>,
        /// The set of y ∈ Rᵏ.
        inner: Box<Self>,
    },
    /// Consecutive blocks.
    Product(Vec<Self>),
}

impl<T: Scalar> Polyhedron<T> {
    /// n.
    ///
    /// ```
    /// assert_eq!(reparam::sets::Polyhedron::L1Ball { dim: 3, radius: 1.0 }.dim(), 3);
    /// ```
    pub fn dim(&self) -> usize {
        match self {
            Self::Bounds { lower, .. } => lower.len(),
            Self::CappedSimplex { dim, .. } | Self::L1Ball { dim, .. } | Self::Monotone { dim, .. } => *dim,
            Self::Tied { index, .. } => index.len(),
            Self::Image { offset, .. } => offset.len(),
            Self::Product(blocks) => blocks.iter().map(Self::dim).sum(),
        }
    }

    /// Whether lengths fit, and indices exist.
    pub(crate) fn is_consistent(&self) -> bool {
        match self {
            Self::Bounds { lower, upper, .. } => lower.len() == upper.len(),
            Self::CappedSimplex { .. } | Self::L1Ball { .. } | Self::Monotone { .. } => true,
            Self::Tied { index, lower, upper } => {
                lower.len() == upper.len() && index.iter().all(|k| *k < lower.len())
            }
            Self::Image {
                generators,
                offset,
                inner,
            } => Some(generators.len()) == offset.len().checked_mul(inner.dim()) && inner.is_consistent(),
            Self::Product(blocks) => blocks.iter().all(Self::is_consistent),
        }
    }
}

/// The most entries of the generators that an image is described by, and the most columns that are found by products.
const GENERATORS: usize = 4_000_000;
const GENERATOR_COLUMNS: usize = 512;

/// offset + G y with y in `inner`, G written out by products with its columns; None when that is too much.
pub(crate) fn image<T: Scalar>(
    operator: &(impl crate::operators::LinearOperator<T> + ?Sized),
    offset: &[T],
    inner: Option<Polyhedron<T>>,
) -> Option<Polyhedron<T>> {
    let (n, k) = (operator.rows(), operator.columns());
    let inner = inner?;
    if k > GENERATOR_COLUMNS || n.saturating_mul(k) > GENERATORS || inner.dim() != k {
        return None;
    }
    let mut generators = vec![T::zero(); n * k];
    let mut unit = vec![T::zero(); k];
    for (j, column) in generators.chunks_exact_mut(n).enumerate() {
        unit[j] = T::one();
        operator.apply(&unit, column);
        unit[j] = T::zero();
    }
    Some(Polyhedron::Image {
        generators,
        offset: offset.to_vec(),
        inner: Box::new(inner),
    })
}
