//! Constraints for basin's solvers, by any map: they move u, the problem is posed in x = φ(u).

use super::super::ParamVec;
use super::super::lift::{self, Judged, Memory};
use super::bridge::Bridge;
use super::{Access, Failure, FirstOrder, SecondOrder, status_of};
use crate::maps::Reparametrization;
use crate::objectives::Objective;
use crate::outcome::{Counts, Solution, Status};
use crate::{Result, Scalar};
use basin::{CostFunction, Gradient, HessianProduct, OptimizationResult, State};
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A user's problem in x, lifted by a map: what basin's unconstrained solvers then search is u, of type V.
///
/// ```text
/// cost f(φ(u))      gradient Jᵀ∇f(φ(u))      hessian_product Jᵀ∇²f J v + Σ gᵢ∇²φᵢ v
/// ```
///
/// As [`argmin::Reparametrized`](https://docs.rs/reparam) for argmin: [`start`](Self::start) off the faces, basin's executor on a
/// reference, [`solution`](Self::solution) with our certificate in x.
///
/// ```
/// use basin::{CostFunction, Executor, FirstOrderState, Gradient, Lbfgs};
/// use reparam::{Status, adapters::basin::Reparametrized, maps::Squares};
/// use std::convert::Infallible;
///
/// /// (x₀ − 1)² + (x₁ + 1)²
/// struct Distance;
/// impl CostFunction for Distance {
///     type Param = Vec<f64>;
///     type Output = f64;
///     type Error = Infallible;
///     fn cost(&self, x: &Vec<f64>) -> Result<f64, Infallible> {
///         Ok((x[0] - 1.0).powi(2) + (x[1] + 1.0).powi(2))
///     }
/// }
/// impl Gradient for Distance {
///     type Gradient = Vec<f64>;
///     fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
///         Ok(vec![2.0 * (x[0] - 1.0), 2.0 * (x[1] + 1.0)])
///     }
/// }
///
/// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(Distance, Squares::new(2)).convex(true);
/// let u = lifted.start(&[0.0, 0.0]).unwrap();
/// let run = Executor::new(&lifted, Lbfgs::default(), FirstOrderState::new(u)).max_iter(200).run();
/// let solution = lifted.solution(&run).unwrap();
/// assert_eq!(solution.status, Status::Solved);
/// assert_eq!(solution.x[1], 0.0);
/// ```
pub struct Reparametrized<P, M, V: ParamVec, C = FirstOrder> {
    problem: P,
    map: M,
    memory: Mutex<Memory<V::Entry>>,
    tolerance: V::Entry,
    convex: bool,
    access: PhantomData<fn() -> C>,
}

impl<P, M, V: ParamVec, C> std::fmt::Debug for Reparametrized<P, M, V, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reparametrized")
            .field("tolerance", &self.tolerance)
            .field("convex", &self.convex)
            .finish_non_exhaustive()
    }
}

impl<P, M, V: ParamVec> Reparametrized<P, M, V>
where
    M: Reparametrization<V::Entry>,
{
    /// A problem in x and a map onto its feasible set. Tolerance of the certificate: 1e-8 (`f64`) or 1e-4 (`f32`).
    ///
    /// See [`Reparametrized`] for an example.
    pub fn new(problem: P, map: M) -> Self {
        Self {
            memory: Mutex::new(Memory::new(&map)),
            problem,
            map,
            tolerance: crate::outcome::default_tolerance(),
            convex: false,
            access: PhantomData,
        }
    }
}

impl<P, M, V, C, T> Reparametrized<P, M, V, C>
where
    T: Scalar,
    V: ParamVec<Entry = T>,
    M: Reparametrization<T>,
{
    /// Converged when the natural residual ρ in x is at most this.
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let _: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(3)).tolerance(1e-6);
    /// ```
    #[must_use]
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// States that f is convex: an answer is then `Solved` instead of `Stationary`, and has a gap where the set offers one.
    ///
    /// See [`Reparametrized`] for an example.
    #[must_use]
    pub fn convex(mut self, convex: bool) -> Self {
        self.convex = convex;
        self
    }

    /// The certificate uses the problem's `HessianProduct`, too.
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(3));
    /// let _ = lifted.with_hessian();
    /// ```
    pub fn with_hessian(self) -> Reparametrized<P, M, V, SecondOrder> {
        Reparametrized {
            problem: self.problem,
            map: self.map,
            memory: self.memory,
            tolerance: self.tolerance,
            convex: self.convex,
            access: PhantomData,
        }
    }

    /// The user's problem.
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new("mine", Squares::new(3));
    /// assert_eq!(*lifted.problem(), "mine");
    /// ```
    pub fn problem(&self) -> &P {
        &self.problem
    }

    /// x = φ(u).
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension).
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(2));
    /// assert_eq!(lifted.point(&vec![3.0, -1.0]).unwrap(), vec![9.0, 1.0]);
    /// ```
    pub fn point(&self, u: &V) -> Result<Vec<T>> {
        crate::checks::check_len("u", self.map.dim_u(), u.as_slice().len())?;
        let mut x = vec![T::zero(); self.map.dim_x()];
        let mut work = vec![T::zero(); self.map.scratch_len()];
        self.map.apply(u.as_slice(), &mut x, &mut work);
        Ok(x)
    }

    /// The lowest f seen so far and its x, without another evaluation.
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(2));
    /// assert!(lifted.best().is_none());
    /// ```
    pub fn best(&self) -> Option<(T, Vec<T>)> {
        let (value, u) = self.memory().best.clone()?;
        Some((value, self.point(&V::from_slice(&u)).ok()?))
    }

    /// Evaluations of the user's problem so far, those of certificates included.
    ///
    /// ```
    /// # use reparam::{adapters::basin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(2));
    /// assert_eq!(lifted.counts().values, 0);
    /// ```
    pub fn counts(&self) -> Counts {
        self.memory().counts
    }

    fn memory(&self) -> MutexGuard<'_, Memory<T>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P, M, V, C, T, X> Reparametrized<P, M, V, C>
where
    T: Scalar,
    V: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X>,
    C: Access<P>,
{
    fn with_objective<R>(
        &self,
        run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>,
    ) -> std::result::Result<R, Failure<P::Error>> {
        let mut bridge = Bridge::<P, C>::new(&self.problem, self.map.dim_x());
        let result = run(&mut bridge);
        bridge.settle(result)
    }

    /// u over a point of the set; off the faces where x lies on the boundary: one projected step of f leaves those worth leaving,
    /// and the other coordinates are moved inside by ε^{1/3}.
    ///
    /// # Errors
    /// [`Failure::Reparam`] for a point outside the set or of the wrong length, [`Failure::Problem`].
    ///
    /// See [`Reparametrized`] for an example.
    pub fn start(&self, x: &[T]) -> std::result::Result<V, Failure<P::Error>> {
        let u = self.with_objective(|f| lift::start(f, &self.map, x))?;
        let start = V::from_slice(&u);
        self.memory().start = Some(u);
        Ok(start)
    }

    /// The certificate of x = φ(u), [`Stalled`](Status::Stalled) where ρ is above the tolerance.
    ///
    /// # Errors
    /// [`Failure::Problem`]; [`Failure::Reparam`] for a u of the wrong length.
    pub fn certify(&self, u: &V) -> std::result::Result<Solution<T>, Failure<P::Error>> {
        self.certified(u.as_slice(), Status::Stalled, 0)
    }

    fn certified(
        &self,
        u: &[T],
        status: Status,
        iterations: usize,
    ) -> std::result::Result<Solution<T>, Failure<P::Error>> {
        let memory = self.memory();
        let how = Judged {
            name: "a solver of basin's, on the lift",
            tolerance: self.tolerance,
            convex: self.convex,
            status,
            iterations,
            first: memory.first,
            counts: memory.counts,
            elapsed: memory.clock.map_or(Duration::ZERO, |clock| clock.elapsed()),
        };
        drop(memory);
        let solution = self.with_objective(|f| lift::certify(f, &self.map, u, &how))?;
        self.memory().counts = solution.counts;
        Ok(solution)
    }

    /// The best point of a run with its certificate: of all whose cost was asked for, the start, and the last of basin's state; the
    /// status as in [`ReparamSolver::solution`](super::ReparamSolver::solution), but `Solved` or `Stationary` only by our own
    /// tolerance.
    ///
    /// # Errors
    /// [`Failure::Reparam`] when nothing was evaluated; [`Failure::Problem`].
    ///
    /// See [`Reparametrized`] for an example.
    pub fn solution<S, E>(
        &self,
        run: &std::result::Result<OptimizationResult<S>, E>,
    ) -> std::result::Result<Solution<T>, Failure<P::Error>>
    where
        S: State<Param = V, Float = T>,
    {
        let mut candidates: Vec<Vec<T>> = Vec::new();
        let (mut status, mut iterations) = (Status::Stalled, 0);
        if let Ok(result) = run {
            candidates.push(result.state.param().as_slice().to_vec());
            status = status_of(&result.report.termination);
            iterations = usize::try_from(result.iter()).unwrap_or(usize::MAX);
        }
        let memory = self.memory();
        candidates.extend(memory.best.as_ref().map(|(_, u)| u.clone()));
        candidates.extend((!memory.u.is_empty()).then(|| memory.u.clone()));
        candidates.extend(memory.start.clone());
        drop(memory);
        let u = self.with_objective(|f| lift::best_of(f, &self.map, candidates))?;
        self.certified(&u, status, iterations)
    }
}

impl<P, M, V, C, T, X> CostFunction for &Reparametrized<P, M, V, C>
where
    T: Scalar,
    V: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    P: CostFunction<Param = X, Output = T>,
{
    type Param = V;
    type Output = T;
    type Error = Failure<P::Error>;

    fn cost(&self, u: &V) -> std::result::Result<T, Self::Error> {
        let mut memory = self.memory();
        memory.move_to(&self.map, u.as_slice())?;
        if let Some(value) = memory.value {
            return Ok(value);
        }
        let value = self
            .problem
            .cost(&X::from_slice(&memory.x))
            .map_err(Failure::Problem)?;
        memory.set_value(value);
        Ok(value)
    }
}

impl<P, M, V, C, T, X> Gradient for &Reparametrized<P, M, V, C>
where
    T: Scalar,
    V: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X>,
{
    type Gradient = V;

    fn gradient(&self, u: &V) -> std::result::Result<V, Self::Error> {
        Ok(self.cost_and_gradient(u)?.1)
    }

    /// One fused evaluation of the problem.
    fn cost_and_gradient(&self, u: &V) -> std::result::Result<(T, V), Self::Error> {
        let mut guard = self.memory();
        let memory = &mut *guard;
        memory.move_to(&self.map, u.as_slice())?;
        let value = match (memory.value, memory.has_gradient) {
            (Some(value), true) => value,
            (known, _) => {
                let x = X::from_slice(&memory.x);
                let (value, g) = match known {
                    Some(value) => (value, self.problem.gradient(&x).map_err(Failure::Problem)?),
                    None => self.problem.cost_and_gradient(&x).map_err(Failure::Problem)?,
                };
                crate::checks::check_len("the gradient of the problem", memory.g.len(), g.as_slice().len())?;
                memory.g.copy_from_slice(g.as_slice());
                memory.has_gradient = true;
                memory.counts.gradients += 1;
                if known.is_none() {
                    memory.set_value(value);
                }
                value
            }
        };
        let mut out = u.clone();
        self.map
            .vjp(u.as_slice(), &memory.g, out.as_mut_slice(), &mut memory.work);
        Ok((value, out))
    }
}

impl<P, M, V, C, T, X> HessianProduct for &Reparametrized<P, M, V, C>
where
    T: Scalar,
    V: ParamVec<Entry = T>,
    X: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    P: CostFunction<Param = X, Output = T> + Gradient<Gradient = X> + HessianProduct,
{
    fn hessian_product(&self, u: &V, v: &V) -> std::result::Result<V, Self::Error> {
        self.gradient(u)?;
        let mut guard = self.memory();
        let memory = &mut *guard;
        let (u, v) = (u.as_slice(), v.as_slice());
        let zeros = |k| vec![T::zero(); k];
        let (mut jv, mut curved, mut out) = (
            zeros(self.map.dim_x()),
            zeros(self.map.dim_u()),
            zeros(self.map.dim_u()),
        );
        self.map.jvp(u, v, &mut jv, &mut memory.work);
        let (x, jv) = (X::from_slice(&memory.x), X::from_slice(&jv));
        let hjv = self.problem.hessian_product(&x, &jv).map_err(Failure::Problem)?;
        crate::checks::check_len(
            "the Hessian product of the problem",
            x.as_slice().len(),
            hjv.as_slice().len(),
        )?;
        memory.counts.hessian_products += 1;
        self.map.vjp(u, hjv.as_slice(), &mut out, &mut memory.work);
        self.map.curvature(u, &memory.g, v, &mut curved, &mut memory.work);
        for (o, c) in out.iter_mut().zip(&curved) {
            *o += *c;
        }
        Ok(V::from_slice(&out))
    }
}
