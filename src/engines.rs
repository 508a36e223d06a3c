//! The engines of the solvers, compiled in this crate for `f32` and `f64`.
//!
//! Generic code is compiled in the crate that calls it. A solver is thousands of lines: that would add half a minute to every user's
//! build. So the public types are thin: they hide the operator, the objective and the map behind `dyn`, and call a method of
//! [`Engines`], whose code for each number type is part of this crate. A `dyn` call per product or evaluation costs nothing beside it.
#![allow(private_interfaces)] // users' code passes through here without naming what is handed over

use crate::flows::Trajectory;
use crate::integrators::Integrator;
use crate::least_squares::bounded::Request;
#[cfg(feature = "argmin")]
use crate::least_squares::problem::Prepared;
use crate::least_squares::reduce_and_solve::Question;
use crate::maps::Reparametrization;
use crate::nnls::Options;
use crate::objectives::Objective;
use crate::operators::LinearOperator;
use crate::outcome::Solution;
use crate::solve::{Checkpoint, Integration, Iterate, Minimization};
use crate::{Result, Scalar};

/// The compiled engines of a number type. Public only as a hidden supertrait of [`LinalgScalar`](crate::LinalgScalar).
pub trait Engines: Scalar {
    /// [`Nnls::solve`](crate::Nnls::solve)
    #[doc(hidden)]
    fn solve_nnls(
        options: &Options<Self>,
        a: &dyn LinearOperator<Self>,
        b: &[Self],
    ) -> Result<Solution<Self>>;

    /// [`Nnls::solve_many`](crate::Nnls::solve_many)
    #[doc(hidden)]
    fn solve_nnls_many(
        options: &Options<Self>,
        a: &dyn LinearOperator<Self>,
        b: &[Self],
    ) -> Result<Vec<Solution<Self>>>;

    /// As [`solve_nnls`](Self::solve_nnls), with what an earlier solve has prepared.
    #[cfg(feature = "argmin")]
    #[doc(hidden)]
    fn solve_nnls_prepared(
        options: &Options<Self>,
        a: &dyn LinearOperator<Self>,
        prepared: Option<Prepared<Self>>,
        b: &[Self],
    ) -> Result<(Solution<Self>, Option<Prepared<Self>>)>;

    /// [`BoundedLeastSquares::solve`](crate::BoundedLeastSquares::solve)
    #[doc(hidden)]
    fn solve_bounded(
        request: &Request<Self>,
        a: &dyn LinearOperator<Self>,
        b: &[Self],
    ) -> Result<Solution<Self>>;

    /// [`BoundedLeastSquares::solve_many`](crate::BoundedLeastSquares::solve_many)
    #[doc(hidden)]
    fn solve_bounded_many(
        request: &Request<Self>,
        a: &dyn LinearOperator<Self>,
        b: &[Self],
    ) -> Result<Vec<Solution<Self>>>;

    /// [`Minimize::run`](crate::Minimize::run), or from a checkpoint [`resume`](crate::Minimize::resume)
    #[doc(hidden)]
    fn minimize(
        asked: Minimization<'_, Self>,
        objective: &mut dyn Objective<Self>,
        map: &dyn Reparametrization<Self>,
        from: Option<Checkpoint<Self>>,
    ) -> Result<Solution<Self>>;

    /// [`Integrate::run`](crate::Integrate::run), or from a checkpoint [`resume`](crate::Integrate::resume)
    #[doc(hidden)]
    fn integrate(
        asked: Integration<'_, Self>,
        objective: &mut dyn Objective<Self>,
        map: &dyn Reparametrization<Self>,
        integrator: &mut dyn Integrator<Self>,
        from: Option<Iterate<Self>>,
    ) -> Result<(Solution<Self>, Trajectory<Self>, Iterate<Self>)>;
}

macro_rules! engines {
    ($($t:ty),*) => {$(
        impl Engines for $t {
            fn solve_nnls(options: &Options<Self>, a: &dyn LinearOperator<Self>, b: &[Self]) -> Result<Solution<Self>> {
                options.solve(a, b)
            }
            fn solve_nnls_many(
                options: &Options<Self>,
                a: &dyn LinearOperator<Self>,
                b: &[Self],
            ) -> Result<Vec<Solution<Self>>> {
                options.solve_many(a, b)
            }
            #[cfg(feature = "argmin")]
            fn solve_nnls_prepared(
                options: &Options<Self>,
                a: &dyn LinearOperator<Self>,
                prepared: Option<Prepared<Self>>,
                b: &[Self],
            ) -> Result<(Solution<Self>, Option<Prepared<Self>>)> {
                options.solve_prepared(a, prepared, b)
            }
            fn solve_bounded(
                request: &Request<Self>,
                a: &dyn LinearOperator<Self>,
                b: &[Self],
            ) -> Result<Solution<Self>> {
                Question { a, request }.solve(b)
            }
            fn solve_bounded_many(
                request: &Request<Self>,
                a: &dyn LinearOperator<Self>,
                b: &[Self],
            ) -> Result<Vec<Solution<Self>>> {
                Question { a, request }.solve_many(b)
            }
            fn minimize(
                asked: Minimization<'_, Self>,
                objective: &mut dyn Objective<Self>,
                map: &dyn Reparametrization<Self>,
                from: Option<Checkpoint<Self>>,
            ) -> Result<Solution<Self>> {
                asked.run(objective, map, from)
            }
            fn integrate(
                asked: Integration<'_, Self>,
                objective: &mut dyn Objective<Self>,
                map: &dyn Reparametrization<Self>,
                integrator: &mut dyn Integrator<Self>,
                from: Option<Iterate<Self>>,
            ) -> Result<(Solution<Self>, Trajectory<Self>, Iterate<Self>)> {
                asked.run(objective, map, integrator, from)
            }
        }
    )*};
}
engines!(f32, f64);
