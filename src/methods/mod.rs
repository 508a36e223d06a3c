//! Methods that minimise f∘φ over u.
//!
//! | method | needs | per iteration |
//! |---|---|---|
//! | [`Lbfgs`] | gradients | one evaluation, 4·memory n-vectors |
//! | [`BoxLbfgs`] | gradients, a map that acts coordinate by coordinate | one evaluation, up to a few memory² n-vectors |
//! | [`ConjugateGradient`] | gradients | one or two evaluations, 3 n-vectors |
//! | [`TrustRegion`] | Hessian products (or differences of gradients) | one evaluation, a few products |
//! | [`LevenbergMarquardt`] | residuals and their Jacobian | one Jacobian, one factorisation of n×n |
//!
//! All but [`BoxLbfgs`], which moves in x, work in the metric of the lift ([`Lifted::metric`](crate::lifted::Lifted::metric)). [`Minimize`](crate::Minimize) does the rest:
//! stopping, steps that leave a face, limits. A new method is one file here, and a line in [`State`].

mod box_lbfgs;
mod box_model;
mod buffers;
mod conjugate_gradient;
mod lbfgs;
mod levenberg_marquardt;
mod trust_region;
mod wolfe;

pub use box_lbfgs::BoxLbfgs;
pub use conjugate_gradient::ConjugateGradient;
pub use lbfgs::Lbfgs;
pub use levenberg_marquardt::LevenbergMarquardt;
pub use trust_region::TrustRegion;
pub use wolfe::{Search, curve_search, wolfe_search};

use crate::lifted::{Lifted, Point};
use crate::outcome::Phase;
use crate::{Result, Scalar};

/// What one step of a method did.
///
/// ```
/// assert_ne!(reparam::methods::Step::Moved, reparam::methods::Step::Stalled);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The point moved, and F decreased (of an [`Integrator`](crate::integrators::Integrator): moved, as its dynamics say).
    Moved,
    /// No step decreases F in this precision.
    Stalled,
    /// Every trial point gave NaN or an infinite value.
    NotFinite,
    /// The step left the domain of the dynamics (an open orthant, for example), and the rule offers no shorter step. The
    /// point is unchanged.
    LeftDomain,
}

/// A method on the lift: moves an evaluated point to a better evaluated point.
///
/// ```
/// use reparam::{lifted::{Lifted, Point}, maps::Squares, methods::{Lbfgs, Method}, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![2.0, 1.0; 1.0, 3.0];
/// let mut f = LeastSquares::new(&a, &[3.0, 4.0]).unwrap();
/// let map = Squares::new(2);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut point = Point::new(&map, &[1.0, 0.5]);
/// lifted.evaluate(&mut point).unwrap();
/// let mut method = Lbfgs::new(8);
/// for _ in 0..30 {
///     method.step(&mut lifted, &mut point, &[5.0, 10.0]).unwrap();
/// }
/// assert!((point.x[0] - 1.0_f64).abs() < 1e-10 && (point.x[1] - 1.0).abs() < 1e-10);
/// ```
pub trait Method<T: Scalar> {
    /// A name for reports.
    fn name(&self) -> &'static str;

    /// One step from an evaluated point. `h` is the diagonal of ∇²f (or a guess of it), length n.
    ///
    /// # Errors
    /// [`Error::Evaluation`](crate::Error::Evaluation) with the user's error.
    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step>;

    /// Discards stored curvature after an external change of the point.
    fn reset(&mut self);

    /// What [`Solution::phase`](crate::Solution::phase) says of a point that this method reached.
    fn phase(&self) -> Phase {
        Phase::Custom(self.name())
    }

    /// Whether the method moves in x itself. Such a method leaves faces on which the lift is stationary, and reaches bounds exactly.
    fn moves_in_x(&self) -> bool {
        false
    }

    /// Whether the steps follow a dynamical system (as those of an [integrator](crate::integrators::Integrator) do). Then no
    /// step in x is made between them, and nothing is rounded to a bound at the end.
    fn is_dynamics(&self) -> bool {
        false
    }

    /// The decrease that the method's own model of f predicts for its best step; None when it has no model, or has not yet moved along every
    /// free direction.
    fn outlook(&mut self, lifted: &Lifted<'_, T>, point: &Point<T>, h: &[T]) -> Option<Outlook<T>> {
        let _ = (lifted, point, h);
        None
    }
}

/// What a model of f expects of its best step ([`Method::outlook`]).
///
/// ```
/// use reparam::{lifted::{Lifted, Point}, maps::Squares, methods::{BoxLbfgs, Method}, objectives::FromFn};
/// let mut f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 3.0; Ok(0.5 * (x[0] - 3.0).powi(2)) });
/// let map = Squares::new(1);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut point = Point::new(&map, &[1.0]);
/// lifted.evaluate(&mut point).unwrap();
/// let mut method = BoxLbfgs::new(5);
/// assert!(method.outlook(&lifted, &point, &[1.0]).is_none()); // it has not moved yet
/// method.step(&mut lifted, &mut point, &[2.0]).unwrap();
/// let outlook = method.outlook(&lifted, &point, &[2.0]).unwrap();
/// assert_eq!((point.x[0], outlook.decrease, outlook.relative_move), (2.0, 0.5, 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Outlook<T> {
    /// The expected decrease of f.
    pub decrease: T,
    /// max_j |Δx_j / x_j|.
    pub relative_move: T,
}

/// Any of the methods of this module, with its memory: a value that can be stored and resumed.
///
/// ```
/// use reparam::methods::{Method, State, TrustRegion};
/// let state: State<f64> = TrustRegion::new().into();
/// assert_eq!(state.name(), "trust region");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum State<T> {
    /// Quasi-Newton with limited memory.
    Lbfgs(Lbfgs<T>),
    /// Quasi-Newton with limited memory, in x over a box.
    BoxLbfgs(BoxLbfgs<T>),
    /// Nonlinear conjugate gradients.
    ConjugateGradient(ConjugateGradient<T>),
    /// Newton with a trust region and truncated conjugate gradients.
    TrustRegion(TrustRegion<T>),
    /// Gauss–Newton with damping, for sums of squares.
    LevenbergMarquardt(LevenbergMarquardt<T>),
}

macro_rules! states {
    ($($variant:ident),*) => {
        impl<T: Scalar> Method<T> for State<T> {
            fn name(&self) -> &'static str {
                match self { $(Self::$variant(m) => m.name()),* }
            }
            fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, h: &[T]) -> Result<Step> {
                match self { $(Self::$variant(m) => m.step(lifted, point, h)),* }
            }
            fn reset(&mut self) {
                match self { $(Self::$variant(m) => m.reset()),* }
            }
            fn phase(&self) -> Phase {
                match self { $(Self::$variant(m) => Method::<T>::phase(m)),* }
            }
            fn moves_in_x(&self) -> bool {
                match self { $(Self::$variant(m) => Method::<T>::moves_in_x(m)),* }
            }
            fn outlook(&mut self, lifted: &Lifted<'_, T>, point: &Point<T>, h: &[T]) -> Option<Outlook<T>> {
                match self { $(Self::$variant(m) => m.outlook(lifted, point, h)),* }
            }
        }
        $(impl<T> From<$variant<T>> for State<T> {
            fn from(method: $variant<T>) -> Self {
                Self::$variant(method)
            }
        })*
    };
}
states!(
    Lbfgs,
    BoxLbfgs,
    ConjugateGradient,
    TrustRegion,
    LevenbergMarquardt
);

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/methods.md")]
pub struct Guide;
