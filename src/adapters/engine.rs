//! One iteration of a method of this crate at a time: shared by the adapters that run our methods in another library's executor.

use crate::checks::{check_len, check_positive};
use crate::clock::Instant;
use crate::lifted::start_point;
use crate::lifted::{Lifted, Point, Workspace};
use crate::maps::Reparametrization;
use crate::methods::{Method, State};
use crate::objectives::{Convexity, Objective};
use crate::outcome::{CancelToken, Counts, Limits, Phase, Solution, Status};
use crate::solve::{Checkpoint, Iterate, Optimality, is_due, is_left};
use crate::{Error, Result, Scalar};
use std::sync::Arc;
use std::time::Duration;

/// All that changes in one of our solvers during a run: what a checkpoint holds of it. With the feature `serde` it can be written
/// and read.
///
/// ```
/// let nothing = reparam::adapters::Saved::<f64>::default();
/// assert_eq!(nothing, nothing.clone());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        remote = "Self",
        bound(
            deserialize = "T: serde::Serialize + serde::Deserialize<'de>, S: serde::Serialize + serde::Deserialize<'de>"
        )
    )
)]
pub struct Saved<T, S = State<T>> {
    pub(crate) run: Option<Checkpoint<T, S>>,
    pub(crate) rho: Option<T>,
    /// Set when the run has ended by itself, unless the exact finish is still to be tried.
    pub(crate) status: Option<Status>,
    /// Whether the next iteration begins with an attempt of the exact finish.
    pub(crate) due: bool,
    pub(crate) elapsed: Duration,
}

#[cfg(feature = "serde")]
crate::solve::sealed::sealed!(Saved<T, S>);

impl<T, S> Default for Saved<T, S> {
    fn default() -> Self {
        Self {
            run: None,
            rho: None,
            status: None,
            due: false,
            elapsed: Duration::ZERO,
        }
    }
}

/// A run of [`Minimize`](crate::Minimize) that is stepped from outside: the same iterates, evaluations and optimality checks.
#[derive(Debug, Clone)]
pub(super) struct Engine<T, M, S> {
    map: Arc<M>,
    optimality: Optimality<T, Arc<M>>,
    /// The method, until a run takes it.
    method: Option<S>,
    pub(super) saved: Saved<T, S>,
    workspace: Option<Workspace<T>>,
    pub(super) tolerance: T,
    pub(super) convex: bool,
    pub(super) cancel: Option<CancelToken>,
    /// Whether the run is one from a file, of which the problem has not been seen yet.
    restored: bool,
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T>> Engine<T, M, S> {
    pub(super) fn new(map: M, method: S) -> Self {
        let map = Arc::new(map);
        Self {
            optimality: Optimality::new(Arc::clone(&map)),
            map,
            method: Some(method),
            saved: Saved::default(),
            workspace: None,
            tolerance: crate::outcome::default_tolerance(),
            convex: false,
            cancel: None,
            restored: false,
        }
    }

    #[cfg(feature = "argmin")]
    pub(super) fn name(&self) -> &'static str {
        let running = self.saved.run.as_ref().map(|run| &run.method);
        running.or(self.method.as_ref()).map_or("reparam", Method::name)
    }

    pub(super) fn natural_residual(&self) -> T {
        self.saved.rho.unwrap_or_else(T::nan)
    }

    /// A bound of f − min f at the last iterate; +∞ where there is none.
    pub(super) fn gap(&self) -> T {
        let convex = self.convex && self.map.set().is_convex();
        let run = self.saved.run.as_ref();
        run.map_or_else(T::infinity, |run| self.optimality.gap(&run.iterate, convex))
    }
}

impl<T: Scalar, M: Reparametrization<T>, S: Method<T> + Clone> Engine<T, M, S> {
    /// Where a run from this start begins, or from the map's interior point.
    pub(super) fn place(&self, start: Option<&[T]>) -> Result<Point<T>> {
        check_positive("tolerance", self.tolerance)?;
        let running = self.saved.run.as_ref().map(|run| &run.method);
        let moves_in_x = self.method.as_ref().or(running).is_some_and(Method::moves_in_x);
        start_point(&*self.map, start, moves_in_x)
    }

    /// The answer; None before a run. `stopped` is the status of a run that has not ended by itself.
    pub(super) fn solution(&self, stopped: Status) -> Option<Solution<T>> {
        let run = self.saved.run.clone()?;
        // (what a file claims is believed once the problem has been seen)
        let claimed = self.saved.status.filter(|_| !self.restored);
        let status = claimed.unwrap_or(stopped);
        let (rho, elapsed) = (self.natural_residual(), self.saved.elapsed);
        Some(self.optimality.certify(
            run.iterate,
            run.method.phase(),
            self.convex,
            rho,
            status,
            self.tolerance,
            elapsed,
        ))
    }

    /// Continues from what a checkpoint holds.
    #[cfg(feature = "argmin")]
    pub(super) fn restore(&mut self, saved: Saved<T, S>) -> Result<()> {
        if let Some(run) = &saved.run {
            run.iterate.check(self.map.dim_u(), self.map.dim_x())?;
        }
        self.saved = saved;
        self.restored = true;
        self.optimality.restart();
        Ok(())
    }

    /// Runs something on the lift of f, with the scratch of last time.
    fn on_lift<R>(
        &mut self,
        objective: &mut dyn Objective<T>,
        counts: Counts,
        run: impl FnOnce(&mut Optimality<T, Arc<M>>, &mut Lifted<'_, T>) -> Result<R>,
    ) -> Result<R> {
        let workspace = self.workspace.take();
        let mut lifted = Lifted::with_workspace(objective, &*self.map, workspace, counts);
        let result = run(&mut self.optimality, &mut lifted);
        self.workspace = Some(lifted.into_workspace());
        result
    }

    /// A run from a point that was placed, looked at once.
    pub(super) fn start(&mut self, objective: &mut dyn Objective<T>, mut point: Point<T>) -> Result<()> {
        check_len("the variable of the objective", self.map.dim_x(), objective.dim())?;
        crate::solve::check_sizes(&*self.map)?;
        // a solver used again starts afresh
        let method = self.method.take();
        let Some(mut method) = method.or_else(|| self.saved.run.take().map(|run| run.method)) else {
            return Err(Error::Setting {
                name: "method",
                why: "was lost in a run that ended with an error",
            });
        };
        method.reset();
        self.optimality.restart();
        self.restored = false;
        self.convex |= objective.convexity() == Convexity::Convex;
        let tolerance = self.tolerance;
        self.saved = self.on_lift(objective, Counts::default(), |optimality, lifted| {
            if method.phase() == Phase::BoxLbfgs && lifted.bounds().is_none() {
                return Err(Error::Setting {
                    name: "method",
                    why: "needs a map that acts coordinate by coordinate",
                });
            }
            lifted.begin();
            lifted.evaluate_there(&mut point)?;
            lifted.check_start(&point)?;
            let mut run = Checkpoint {
                iterate: Iterate::new(point, lifted.counts),
                method,
            };
            let mut saved = Saved::default();
            if run.iterate.point.is_finite() {
                measure(optimality, lifted, &mut run, &mut saved, tolerance)?;
            } else {
                saved.status = Some(Status::NotFinite);
            }
            saved.run = Some(run);
            Ok(saved)
        })?;
        self.settle(objective)
    }

    /// One iteration, of a run that has not ended: the exact finish where it is due and succeeds, else one of the method's. A run
    /// that had converged without it and does not get better by it just ends.
    pub(super) fn step(&mut self, objective: &mut dyn Objective<T>) -> Result<()> {
        let Some(mut run) = self.saved.run.take() else {
            return Ok(());
        };
        self.convex |= objective.convexity() == Convexity::Convex;
        let restored = std::mem::take(&mut self.restored);
        if restored {
            Lifted::new(&mut *objective, &*self.map).begin();
            run.iterate.check_problem(objective, &*self.map)?;
            if self.status().is_some() {
                self.saved.run = Some(run);
                return Ok(());
            }
        }
        let mut saved = std::mem::take(&mut self.saved);
        let (tolerance, counts) = (self.tolerance, run.iterate.counts);
        let limits = Limits {
            cancel: self.cancel.clone(),
            ..Limits::default()
        };
        self.saved = self.on_lift(objective, counts, |optimality, lifted| {
            if restored {
                // this process has not measured the point yet: it lacks the scales of x
                optimality.curvature(lifted, &mut run.iterate)?;
            }
            if std::mem::take(&mut saved.due) {
                let rho = saved.rho.unwrap_or_else(T::nan);
                if optimality.exact_finish(
                    lifted,
                    &mut run.iterate,
                    rho,
                    tolerance,
                    &limits,
                    Instant::now(),
                )? {
                    run.iterate.iteration += 1;
                    measure(optimality, lifted, &mut run, &mut saved, tolerance)?;
                    saved.run = Some(run);
                    return Ok(saved);
                }
                run.iterate.counts = lifted.counts;
                if saved.status.is_some() || rho <= tolerance {
                    saved.run = Some(run);
                    return Ok(saved);
                }
            }
            run.iterate.iteration += 1;
            saved.status = optimality.advance(lifted, &mut run.iterate, &mut run.method)?;
            if let Some(end) = saved.status {
                let (rho, c) = (saved.rho.unwrap_or_else(T::nan), &mut run.iterate);
                let (rho, end) = optimality.conclude(lifted, c, &mut run.method, rho, end, tolerance)?;
                (saved.rho, saved.status) = (Some(rho), Some(end));
            }
            if saved.status == Some(Status::Stalled) && can_finish(lifted) && is_left(&run.iterate) {
                optimality.curvature(lifted, &mut run.iterate)?;
                let rho = optimality.residual(&run.iterate) + optimality.doubt(&run.iterate);
                saved.rho = Some(rho);
                if optimality.exact_finish(
                    lifted,
                    &mut run.iterate,
                    rho,
                    tolerance,
                    &limits,
                    Instant::now(),
                )? {
                    saved.status = None;
                }
            }
            run.iterate.counts = lifted.counts;
            if saved.status.is_none() {
                measure(optimality, lifted, &mut run, &mut saved, tolerance)?;
            }
            saved.run = Some(run);
            Ok(saved)
        })?;
        self.settle(objective)
    }

    /// Whether an iteration is called for: of a run from a file that has ended, one in which it is compared with the problem.
    #[cfg(feature = "argmin")]
    pub(super) fn goes_on(&self) -> bool {
        self.restored || self.status().is_none()
    }

    /// How the run has ended, if it has.
    pub(super) fn status(&self) -> Option<Status> {
        self.saved.status.filter(|_| !self.saved.due)
    }

    /// Ends the run where it has converged or cannot go on: the final polish in x, and the final status.
    fn settle(&mut self, objective: &mut dyn Objective<T>) -> Result<()> {
        let Some(mut rho) = self.saved.rho.filter(|_| !self.saved.due) else {
            return Ok(());
        };
        let status = match self.saved.status {
            Some(status) => status,
            None if rho <= self.tolerance => Status::Stationary,
            None => return Ok(()),
        };
        let Some(mut run) = self.saved.run.take() else {
            return Ok(());
        };
        let (tolerance, convex, counts) = (self.tolerance, self.convex, run.iterate.counts);
        let (run, rho, status) = self.on_lift(objective, counts, |optimality, lifted| {
            let status = optimality.polish(
                lifted,
                &mut run.iterate,
                Some(&run.method),
                &mut rho,
                status,
                tolerance,
            )?;
            // where f and the set are convex this is `Solved`, unless the gap contradicts
            let solution = optimality.certify(
                run.iterate.clone(),
                run.method.phase(),
                convex,
                rho,
                status,
                tolerance,
                Duration::ZERO,
            );
            Ok((run, rho, solution.status))
        })?;
        self.saved.run = Some(run);
        self.saved.rho = Some(rho);
        self.saved.status = Some(status);
        Ok(())
    }
}

/// Whether f may qualify for the exact finish: a problem of another library's cannot say so.
fn can_finish<T: Scalar>(lifted: &mut Lifted<'_, T>) -> bool {
    let f = lifted.objective();
    f.quadratic() && f.convexity() == Convexity::Convex
}

/// What a run knows at a new point.
fn measure<T: Scalar, M: Reparametrization<T>, S: Method<T>>(
    optimality: &mut Optimality<T, M>,
    lifted: &mut Lifted<'_, T>,
    run: &mut Checkpoint<T, S>,
    saved: &mut Saved<T, S>,
    tolerance: T,
) -> Result<()> {
    let (rho, found) = optimality.measure(lifted, &mut run.iterate, Some(&mut run.method), tolerance)?;
    saved.rho = Some(rho);
    saved.status = found.then_some(Status::AtPrecision);
    saved.due =
        can_finish(lifted) && (is_due(&run.iterate, rho, tolerance) || (found && is_left(&run.iterate)));
    Ok(())
}
