//! Another library's solver moves u, and everything reported is in x: shared by the adapters that add constraints.

use crate::checks::{check_finite, check_len, check_positive};
use crate::clock::Instant;
use crate::lifted::{Lifted, Point, section};
use crate::maps::{Boundary, Reparametrization};
use crate::objectives::{Convexity, Objective};
use crate::outcome::{Counts, Phase, Solution, Status};
use crate::solve::{Iterate, Optimality};
use crate::{Error, MapError, Result, Scalar};
use std::time::Duration;

/// The last point that a solver asked for, with what is known there, and the best so far.
#[derive(Debug, Clone)]
pub(super) struct Memory<T> {
    /// Empty before the first point.
    pub(super) u: Vec<T>,
    pub(super) x: Vec<T>,
    pub(super) value: Option<T>,
    /// ∇f(x), where it is known.
    pub(super) g: Vec<T>,
    pub(super) has_gradient: bool,
    pub(super) work: Vec<T>,
    /// Where a run began: solvers that never ask for f may end anywhere.
    pub(super) start: Option<Vec<T>>,
    /// The lowest finite f, and its u.
    pub(super) best: Option<(T, Vec<T>)>,
    /// f at the first point: what "zero" means for f is relative to it.
    pub(super) first: Option<T>,
    /// Evaluations of the user's problem.
    pub(super) counts: Counts,
    pub(super) clock: Option<Instant>,
}

impl<T: Scalar> Memory<T> {
    pub(super) fn new<M: Reparametrization<T>>(map: &M) -> Self {
        Self {
            u: Vec::new(),
            x: vec![T::zero(); map.dim_x()],
            value: None,
            g: vec![T::zero(); map.dim_x()],
            has_gradient: false,
            work: vec![T::zero(); map.scratch_len()],
            start: None,
            best: None,
            first: None,
            counts: Counts::default(),
            clock: None,
        }
    }

    /// x = φ(u), and nothing else known unless u is the last point.
    pub(super) fn move_to<M: Reparametrization<T>>(&mut self, map: &M, u: &[T]) -> Result<()> {
        check_len("u", map.dim_u(), u.len())?;
        if self.u != u {
            self.clock.get_or_insert_with(Instant::now);
            // (should the map panic, nothing is known)
            self.u.clear();
            self.value = None;
            self.has_gradient = false;
            map.apply(u, &mut self.x, &mut self.work);
            self.u.extend_from_slice(u);
        }
        Ok(())
    }

    /// f at the last point.
    pub(super) fn set_value(&mut self, value: T) {
        self.counts.values += 1;
        self.value = Some(value);
        if !value.is_finite() {
            return;
        }
        self.first.get_or_insert(value);
        match &mut self.best {
            Some((best, u)) if value < *best => {
                *best = value;
                u.copy_from_slice(&self.u);
            }
            Some(_) => {}
            None => self.best = Some((value, self.u.clone())),
        }
    }
}

/// How far inside of a boundary a run starts, relative to the size of x: far enough for the lift to have a gradient there.
fn inside<T: Scalar>() -> T {
    T::epsilon().cbrt()
}

/// u over x, or, where x lies on the boundary, over a point nearby at which J has full rank: first a projected step of f, which
/// leaves the faces that are worth leaving, then a nudge off the others. A solver that knows only the lift would never leave a
/// face on its own.
pub(super) fn start<T, M>(objective: &mut dyn Objective<T>, map: &M, x: &[T]) -> Result<Vec<T>>
where
    T: Scalar,
    M: Reparametrization<T>,
{
    check_len("the start", map.dim_x(), x.len())?;
    check_finite("start", x)?;
    let mut u = vec![T::zero(); map.dim_u()];
    let mut work = vec![T::zero(); map.scratch_len()];
    match map.section(x, Boundary::Reject, &mut u, &mut work) {
        Ok(()) => return Ok(u),
        Err(MapError::OnBoundary { .. }) => {}
        Err(other) => return Err(other.into()),
    }
    section(map, x, &mut u, &mut work)?;
    let mut point = Point::new(map, &u);
    let mut lifted = Lifted::new(objective, map);
    lifted.begin();
    lifted.evaluate(&mut point)?;
    if point.is_finite() {
        let mut run = Iterate::new(point, lifted.counts);
        let mut optimality = Optimality::new(map);
        optimality.measure(&mut lifted, &mut run, None, T::zero())?;
        optimality.step_in_x(&mut lifted, &mut run)?;
        point = run.point;
    }
    match map.section(&point.x, Boundary::Nudge(inside()), &mut u, &mut work) {
        Ok(()) => Ok(u),
        Err(_) => Ok(point.u),
    }
}

/// The point to certify, and how.
pub(super) struct Judged<T> {
    pub(super) name: &'static str,
    pub(super) tolerance: T,
    pub(super) convex: bool,
    /// What to say of a point that does not meet the tolerance.
    pub(super) status: Status,
    pub(super) iterations: usize,
    pub(super) first: Option<T>,
    pub(super) counts: Counts,
    pub(super) elapsed: Duration,
}

/// The certificate of φ(u), by the optimality check of [`Minimize`](crate::Minimize).
pub(super) fn certify<T, M>(
    objective: &mut dyn Objective<T>,
    map: &M,
    u: &[T],
    how: &Judged<T>,
) -> Result<Solution<T>>
where
    T: Scalar,
    M: Reparametrization<T>,
{
    check_positive("tolerance", how.tolerance)?;
    check_len("u", map.dim_u(), u.len())?;
    let convex = how.convex || objective.convexity() == Convexity::Convex;
    let mut point = Point::new(map, u);
    let mut lifted = Lifted::new(objective, map);
    lifted.counts = how.counts;
    lifted.begin();
    lifted.evaluate(&mut point)?;
    let finite = point.is_finite();
    let mut run = Iterate::new(point, lifted.counts);
    run.iteration = how.iterations;
    if let Some(first) = how.first {
        run.first_value = first;
    }
    let mut optimality = Optimality::new(map);
    let phase = Phase::Custom(how.name);
    if !finite {
        let status = Status::NotFinite;
        return Ok(optimality.certify(run, phase, convex, T::nan(), status, how.tolerance, how.elapsed));
    }
    let (mut rho, _) = optimality.measure(&mut lifted, &mut run, None, how.tolerance)?;
    // whatever ended the run: only the final polish is left
    let status = match optimality.polish(
        &mut lifted,
        &mut run,
        None,
        &mut rho,
        Status::Stalled,
        how.tolerance,
    )? {
        Status::Stalled => how.status,
        converged => converged,
    };
    Ok(optimality.certify(run, phase, convex, rho, status, how.tolerance, how.elapsed))
}

/// The candidate with the lowest finite f.
pub(super) fn best_of<T, M>(
    objective: &mut dyn Objective<T>,
    map: &M,
    candidates: impl IntoIterator<Item = Vec<T>>,
) -> Result<Vec<T>>
where
    T: Scalar,
    M: Reparametrization<T>,
{
    let (mut x, mut work) = (vec![T::zero(); map.dim_x()], vec![T::zero(); map.scratch_len()]);
    let mut best: Option<(T, Vec<T>)> = None;
    let mut tried: Vec<Vec<T>> = Vec::new();
    for u in candidates {
        if u.len() != map.dim_u() || tried.contains(&u) {
            continue;
        }
        map.apply(&u, &mut x, &mut work);
        let value = objective.value(&x).map_err(Error::Evaluation)?;
        if value.is_finite() && best.as_ref().is_none_or(|(b, _)| value < *b) {
            best = Some((value, u.clone()));
        }
        tried.push(u);
    }
    match best {
        Some((_, u)) => Ok(u),
        None => tried.pop().ok_or(Error::Empty {
            what: "the record of the run: no point was evaluated",
        }),
    }
}
