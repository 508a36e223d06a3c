//! The dynamics of the lift, as data: ordinary differential equations y′ = v(t, y) whose position is u or x.
//!
//! | flow | equation | lives in |
//! |---|---|---|
//! | [`GradientFlow`] | u′ = −s ∇F(u) | u, any map |
//! | [`RiemannianFlow`] | x′ = −s J Jᵀ ∇f(x) | x, maps with a [metric](crate::maps::Reparametrization::metric) |
//! | [`NesterovFlow`] | u″ + (3/t) u′ + s ∇F(u) = 0 | u, any map |
//! | [`MirrorFlow`] | x′ = (2/t)(y − x), y′ = −(t/2) y∘∇f(x) | x ≥ 0, L = 2 |
//! | [`NewtonFlow`] | u′ = −(∇²F + μD)⁻¹ ∇F(u) | u, any map |
//!
//! A flow is a formula; an [integrator](crate::integrators) discretises it, and [`Integrate`](crate::Integrate) drives the
//! integrator, evaluates the stopping criterion in x and records a [`Trajectory`]. A new flow is one file here.
//!
//! Scales: with x = u^{∘L} the flow of L identical factors (Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola, AISTATS 2025)
//! is u′ = −u^{∘(L−1)}∘∇f, which is s = 1/L of the full gradient ∇F = L u^{∘(L−1)}∘∇f. `per_factor(L)` says that by name.

mod gradient;
mod mirror;
pub mod monitors;
mod nesterov;
mod newton;
mod riemannian;
pub(crate) mod trajectory;

pub use gradient::GradientFlow;
pub use mirror::MirrorFlow;
pub use nesterov::NesterovFlow;
pub use newton::NewtonFlow;
pub use riemannian::RiemannianFlow;
pub use trajectory::{Recording, Trajectory};

use crate::lifted::{Lifted, Point};
use crate::{Error, Result, Scalar};

/// Where the position of a flow lives.
///
/// ```
/// use reparam::flows::{Flow, GradientFlow, Space};
/// assert_eq!(Flow::<f64>::space(&GradientFlow::new()), Space::U);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// The position is u: x = φ(u) is in the set, whatever the step.
    U,
    /// The position is x itself: a step that leaves the open set is refused.
    X,
}

/// An ordinary differential equation y′ = v(t, y) on the lift. The state y holds a position (u or x) and whatever else the
/// equation needs (a velocity, a dual variable).
///
/// The evaluation of f at the position is separate from the formula of v: an integrator evaluates each point once, and the driver
/// uses the same evaluation for its stopping criterion.
///
/// ```
/// use reparam::{Integrate, Result, flows::{Flow, Space}, integrators::RungeKutta, lifted::{Lifted, Point}};
/// use reparam::{maps::Identity, objectives::FromFn};
///
/// /// A pendulum that knows nothing of f: q′ = v, v′ = −q.
/// #[derive(Debug, Clone)]
/// struct Oscillator;
/// impl Flow<f64> for Oscillator {
///     fn name(&self) -> &'static str { "oscillator" }
///     fn space(&self) -> Space { Space::U }
///     fn state_len(&self, p: usize, _n: usize) -> usize { 2 * p }
///     fn initial(&mut self, start: &Point<f64>, y: &mut [f64]) { y[0] = start.u[0]; y[1] = 0.0; }
///     fn position<'y>(&self, y: &'y [f64]) -> &'y [f64] { &y[..1] }
///     fn velocity(&mut self, _: &mut Lifted<'_, f64>, _t: f64, y: &[f64], _: &Point<f64>, dy: &mut [f64]) -> Result<()> {
///         (dy[0], dy[1]) = (y[1], -y[0]);
///         Ok(())
///     }
/// }
///
/// let f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0]; Ok(0.5 * x[0] * x[0]) });
/// let run = Integrate::new(f, Identity::new(1)).unwrap()
///     .integrator(RungeKutta::classical(Oscillator, 0.01).unwrap())
///     .start(&[1.0]).ignore_residual().until_time(1.0).run().unwrap();
/// assert!((run.solution.x[0] - 1.0_f64.cos()).abs() < 1e-9);
/// ```
pub trait Flow<T: Scalar> {
    /// A name for reports.
    fn name(&self) -> &'static str;

    /// t₀, where the equation starts: not 0 where it has a 1/t.
    fn start_time(&self) -> T {
        T::zero()
    }

    /// Whether the position is u or x.
    fn space(&self) -> Space;

    /// The length of y, given p = dim u and n = dim x.
    fn state_len(&self, p: usize, n: usize) -> usize;

    /// Checks that the flow applies to this problem. Called once, at the evaluated start.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Map`] with what is missing.
    fn check(&self, lifted: &mut Lifted<'_, T>, start: &Point<T>) -> Result<()> {
        let _ = (lifted, start);
        Ok(())
    }

    /// y ← the initial state; `start` is evaluated.
    fn initial(&mut self, start: &Point<T>, y: &mut [T]);

    /// The part of y that is the position, length p or n.
    fn position<'y>(&self, y: &'y [T]) -> &'y [T];

    /// The part of y that is a second sequence in x (the y of [`MirrorFlow`]), where there is one: for monitors.
    fn second<'y>(&self, y: &'y [T]) -> Option<&'y [T]> {
        let _ = y;
        None
    }

    /// Whether a step may go from `before` to y.
    fn admissible(&self, before: &[T], y: &[T]) -> bool {
        let _ = (before, y);
        true
    }

    /// dy ← v(t, y); `at` is evaluated at the position of y.
    ///
    /// # Errors
    /// [`Error::Evaluation`].
    fn velocity(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        t: T,
        y: &[T],
        at: &Point<T>,
        dy: &mut [T],
    ) -> Result<()>;

    /// out ← ∂v/∂y w, for flows whose ∂v/∂y is symmetric (gradients). Used by implicit integrators. False when it is not, or f
    /// has no Hessian products.
    ///
    /// # Errors
    /// [`Error::Evaluation`].
    fn jacobian_vector(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        t: T,
        y: &[T],
        at: &Point<T>,
        w: &[T],
        out: &mut [T],
    ) -> Result<bool> {
        let _ = (lifted, t, y, at, w, out);
        Ok(false)
    }

    /// c with which v scales the gradient flow: v = −c·∇F (or −c·J Jᵀ∇f). None for other dynamics.
    fn gradient_scale(&self) -> Option<T> {
        None
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<T: Scalar, F: Flow<T> + ?Sized> Flow<T> for $wrapper {
            fn name(&self) -> &'static str { (**self).name() }
            fn start_time(&self) -> T { (**self).start_time() }
            fn space(&self) -> Space { (**self).space() }
            fn state_len(&self, p: usize, n: usize) -> usize { (**self).state_len(p, n) }
            fn check(&self, lifted: &mut Lifted<'_, T>, start: &Point<T>) -> Result<()> { (**self).check(lifted, start) }
            fn initial(&mut self, start: &Point<T>, y: &mut [T]) { (**self).initial(start, y); }
            fn position<'y>(&self, y: &'y [T]) -> &'y [T] { (**self).position(y) }
            fn second<'y>(&self, y: &'y [T]) -> Option<&'y [T]> { (**self).second(y) }
            fn admissible(&self, before: &[T], y: &[T]) -> bool { (**self).admissible(before, y) }
            fn velocity(&mut self, lifted: &mut Lifted<'_, T>, t: T, y: &[T], at: &Point<T>, dy: &mut [T]) -> Result<()> {
                (**self).velocity(lifted, t, y, at, dy)
            }
            fn jacobian_vector(&mut self, lifted: &mut Lifted<'_, T>, t: T, y: &[T], at: &Point<T>, w: &[T], out: &mut [T]) -> Result<bool> {
                (**self).jacobian_vector(lifted, t, y, at, w, out)
            }
            fn gradient_scale(&self) -> Option<T> { (**self).gradient_scale() }
        }
    )*};
}
forward!(&mut F, Box<F>);

/// The outcome of the evaluation of a trial state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    Fine,
    NotFinite,
    /// Outside the open set, or not admissible: f was not evaluated.
    Outside,
}

/// Evaluates f at the position of y (into `at`) and, where that is fine, dy ← v(t, y).
pub(crate) fn evaluate<T: Scalar, F: Flow<T> + ?Sized>(
    flow: &mut F,
    lifted: &mut Lifted<'_, T>,
    t: T,
    before: &[T],
    y: &[T],
    at: &mut Point<T>,
    dy: &mut [T],
) -> Result<Trial> {
    if y.iter().any(|v| !v.is_finite()) {
        return Ok(Trial::NotFinite);
    }
    if !flow.admissible(before, y) {
        return Ok(Trial::Outside);
    }
    let trial = place(flow, lifted, y, at)?;
    if trial == Trial::Fine {
        flow.velocity(lifted, t, y, at, dy)?;
        if dy.iter().any(|v| !v.is_finite()) {
            return Ok(Trial::NotFinite);
        }
    }
    Ok(trial)
}

/// Evaluates f at the position of y.
pub(crate) fn place<T: Scalar, F: Flow<T> + ?Sized>(
    flow: &F,
    lifted: &mut Lifted<'_, T>,
    y: &[T],
    at: &mut Point<T>,
) -> Result<Trial> {
    let position = flow.position(y);
    match flow.space() {
        Space::U => {
            at.u.copy_from_slice(position);
            lifted.evaluate(at)?;
        }
        Space::X => {
            at.x.copy_from_slice(position);
            return place_in_x(lifted, at);
        }
    }
    Ok(finite(at))
}

/// Evaluates f at `at.x`.
pub(crate) fn place_in_x<T: Scalar>(lifted: &mut Lifted<'_, T>, at: &mut Point<T>) -> Result<Trial> {
    match lifted.evaluate_at_x(at) {
        Ok(()) => Ok(finite(at)),
        Err(Error::Map(
            crate::MapError::Outside { .. }
            | crate::MapError::Sum { .. }
            | crate::MapError::OnBoundary { .. },
        )) => Ok(Trial::Outside),
        Err(other) => Err(other),
    }
}

fn finite<T: Scalar>(at: &Point<T>) -> Trial {
    if at.is_finite() {
        Trial::Fine
    } else {
        Trial::NotFinite
    }
}

/// Whether the map is x = u∘u without bounds of its own, recognised by its metric J Jᵀ = 4 diag(x).
pub(crate) fn require_squares<T: Scalar>(lifted: &Lifted<'_, T>, what: &'static str) -> Result<()> {
    let map = lifted.map();
    let n = map.dim_x();
    let mut work = vec![T::zero(); map.scratch_len()];
    let ones = vec![T::one(); n];
    let mut out = vec![T::zero(); n];
    for s in [1.0, 4.0] {
        let x = vec![T::lit(s); n];
        if !map.metric(&x, &ones, &mut out, &mut work) || out.iter().any(|v| *v != T::lit(4.0 * s)) {
            return Err(Error::Setting {
                name: what,
                why: "is made for x = u∘u on x ≥ 0 (the map Squares)",
            });
        }
    }
    Ok(())
}

/// Every coordinate of x > 0: where the mirror map of the orthant is defined. (J loses rank at 0, and the dynamics would stay there.)
pub(crate) fn require_inside<T: Scalar>(start: &Point<T>) -> Result<()> {
    match start.x.iter().position(|x| *x <= T::zero()) {
        None => Ok(()),
        Some(index) => Err(Error::Map(crate::MapError::OnBoundary { index })),
    }
}

/// L ≥ 2.
pub(crate) fn check_depth(depth: u32) -> Result<()> {
    if depth >= 2 {
        Ok(())
    } else {
        Err(Error::Setting {
            name: "depth",
            why: "must be at least 2: x = u^L is smooth and onto for L ≥ 2 only",
        })
    }
}

/// The examples of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/flows.md")]
pub struct Guide;
