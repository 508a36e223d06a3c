//! Constraints for argmin's solvers: they move u, the problem is posed in x = φ(u).

use super::super::lift::{self, Judged, Memory};
use super::super::{ParamMatrix, ParamVec};
use super::access::read;
use super::solver::status_of;
use super::{Access, Cache, FirstOrder, LiftedHessian, Residuals, SecondOrder, ours};
use crate::maps::Reparametrization;
use crate::objectives::Objective;
use crate::outcome::{Counts, Solution, Status};
use crate::{Result, Scalar};
use argmin::core::{
    CostFunction, Error as ArgminError, Gradient, Hessian, Jacobian, Operator, OptimizationResult, Problem,
    State,
};
use argmin::solver::particleswarm::Particle;
use argmin_math::ArgminDot;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A user's problem in x, lifted by a map: what argmin's solvers then search is u, of type P, without constraints.
///
/// ```text
/// cost      f(φ(u))                     gradient   Jᵀ∇f(φ(u))
/// hessian   Jᵀ∇²f J + Σ gᵢ∇²φᵢ          (a LiftedHessian: products only; Dense makes it a matrix)
/// apply     r(φ(u))                     jacobian   J_r J
/// ```
///
/// Each exists where the problem has the trait. f is never evaluated outside the set. The last point is remembered, so that cost,
/// gradient and Hessian at the same u evaluate the problem once each; so is the best point, which survives when argmin's `run` is an
/// error. Give the executor a reference, and keep the problem:
///
/// ```text
/// start     u over a point of the set, off the faces on which the lift has no gradient
/// run       Executor::new(&lifted, solver)
/// solution  the best x, with the certificate of Minimize: ρ, gap, multipliers
/// ```
///
/// What argmin calls converged is a small gradient in u, which vanishes on every face of the set; only the status of
/// [`solution`](Self::solution) speaks of x.
///
/// ```
/// use argmin::core::Executor;
/// use argmin::solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS};
/// use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
/// use reparam::{Status, maps::Squares, objectives::LeastSquares};
///
/// let a = nalgebra::dmatrix![1.0, 0.5; 0.5, 1.0];
/// let problem = ObjectiveProblem::<_, Vec<f64>>::new(LeastSquares::new(a, &[2.0, 0.1]).unwrap());
/// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(2)).convex(true);
///
/// let u = lifted.start(&[0.0, 0.0]).unwrap(); // all the way on the boundary
/// let solver = LBFGS::new(MoreThuenteLineSearch::new(), 7);
/// let run = Executor::new(&lifted, solver).configure(|s| s.param(u).max_iters(200)).run();
/// let solution = lifted.solution(&run).unwrap();
/// assert_eq!(solution.status, Status::Solved);
/// assert!((solution.x[0] - 1.64_f64).abs() < 1e-7);
/// assert_eq!(solution.x[1], 0.0);
/// ```
pub struct Reparametrized<O, M, P: ParamVec, C = FirstOrder> {
    problem: Arc<O>,
    map: Arc<M>,
    memory: Mutex<Memory<P::Entry>>,
    tolerance: P::Entry,
    convex: bool,
    access: PhantomData<fn() -> C>,
}

impl<O, M, P: ParamVec, C> std::fmt::Debug for Reparametrized<O, M, P, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reparametrized")
            .field("tolerance", &self.tolerance)
            .field("convex", &self.convex)
            .finish_non_exhaustive()
    }
}

impl<O, M, P: ParamVec> Reparametrized<O, M, P>
where
    M: Reparametrization<P::Entry>,
{
    /// A problem in x and a map onto its feasible set. Tolerance of the certificate: 1e-8 (`f64`) or 1e-4 (`f32`).
    ///
    /// See [`Reparametrized`] for an example.
    pub fn new(problem: O, map: M) -> Self {
        Self {
            memory: Mutex::new(Memory::new(&map)),
            problem: Arc::new(problem),
            map: Arc::new(map),
            tolerance: crate::outcome::default_tolerance(),
            convex: false,
            access: PhantomData,
        }
    }

    /// The certificate reads the problem's `Hessian` as well (dense), for the scale of each coordinate.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>, _> = Reparametrized::new(problem, Squares::new(1)).with_hessian();
    /// assert!(lifted.certify(&vec![1.0]).unwrap().certificate.natural_residual < 1e-15);
    /// ```
    pub fn with_hessian(self) -> Reparametrized<O, M, P, SecondOrder> {
        self.access()
    }

    /// The certificate reads the problem's `Operator` and `Jacobian` instead of its cost and gradient, f = ½‖r‖²: for
    /// Gauss–Newton on a problem that has nothing else.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>, _> = Reparametrized::new(problem, Squares::new(1)).with_residuals();
    /// assert_eq!(lifted.certify(&vec![1.0]).unwrap().objective, 0.0);
    /// ```
    pub fn with_residuals(self) -> Reparametrized<O, M, P, Residuals> {
        self.access()
    }

    fn access<C>(self) -> Reparametrized<O, M, P, C> {
        Reparametrized {
            problem: self.problem,
            map: self.map,
            memory: self.memory,
            tolerance: self.tolerance,
            convex: self.convex,
            access: PhantomData,
        }
    }
}

impl<O, M, P, C, T> Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
{
    /// Converged when the natural residual ρ in x is at most this.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0; 1.0], &[1.0, 2.0]).unwrap();
    /// # let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1)).tolerance(0.2);
    /// assert!(lifted.certify(&vec![1.5_f64.sqrt()]).unwrap().certificate.natural_residual <= 0.2);
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

    /// φ.
    ///
    /// ```
    /// # use reparam::adapters::argmin::Reparametrized;
    /// use reparam::maps::{Reparametrization, Squares};
    /// let lifted: Reparametrized<(), _, Vec<f64>> = Reparametrized::new((), Squares::new(3));
    /// assert_eq!(lifted.map().dim_u(), 3);
    /// ```
    pub fn map(&self) -> &M {
        &self.map
    }

    /// The user's problem.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new("mine", Squares::new(3));
    /// assert_eq!(*lifted.problem(), "mine");
    /// ```
    pub fn problem(&self) -> &O {
        &self.problem
    }

    /// x = φ(u).
    ///
    /// # Errors
    /// [`Error::Dimension`](crate::Error::Dimension).
    ///
    /// ```
    /// # use reparam::{adapters::argmin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(2));
    /// assert_eq!(lifted.point(&vec![3.0, -1.0]).unwrap(), vec![9.0, 1.0]);
    /// ```
    pub fn point(&self, u: &P) -> Result<Vec<T>> {
        crate::checks::check_len("u", self.map.dim_u(), u.as_slice().len())?;
        let mut x = vec![T::zero(); self.map.dim_x()];
        let mut work = vec![T::zero(); self.map.scratch_len()];
        self.map.apply(u.as_slice(), &mut x, &mut work);
        Ok(x)
    }

    /// The map's interior point: a start where nothing better is known.
    ///
    /// ```
    /// # use reparam::{adapters::argmin::Reparametrized, maps::NormalizedSquares};
    /// let map = NormalizedSquares::new(2, 1.0).unwrap();
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), map);
    /// assert_eq!(lifted.point(&lifted.interior()).unwrap(), vec![0.5, 0.5]);
    /// ```
    pub fn interior(&self) -> P {
        let mut u = P::from_slice(&vec![T::one(); self.map.dim_u()]);
        self.map.interior(u.as_mut_slice());
        u
    }

    /// The p + 1 corners of a simplex around u for argmin's `NelderMead`: u, and u with one coordinate moved by
    /// size·max(|uᵢ|, 1).
    ///
    /// ```
    /// # use reparam::{adapters::argmin::Reparametrized, maps::Squares};
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new((), Squares::new(2));
    /// let corners = lifted.simplex(&vec![1.0, 4.0], 0.5);
    /// assert_eq!(corners, vec![vec![1.0, 4.0], vec![1.5, 4.0], vec![1.0, 6.0]]);
    /// ```
    pub fn simplex(&self, u: &P, size: T) -> Vec<P> {
        let mut corners = vec![u.clone()];
        for i in 0..u.as_slice().len() {
            let mut corner = u.clone();
            let v = &mut corner.as_mut_slice()[i];
            *v += size * v.abs().max(T::one());
            corners.push(corner);
        }
        corners
    }

    /// The lowest f seen so far and its x, without another evaluation: for when the problem itself has failed for good.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// use argmin::core::CostFunction;
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// # let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
    /// assert!(lifted.best().is_none());
    /// lifted.cost(&vec![2.0]).unwrap();
    /// lifted.cost(&vec![3.0]).unwrap();
    /// assert_eq!(lifted.best(), Some((4.5, vec![4.0])));
    /// ```
    pub fn best(&self) -> Option<(T, Vec<T>)> {
        let (value, u) = self.memory().best.clone()?;
        Some((value, self.point(&P::from_slice(&u)).ok()?))
    }

    /// Evaluations of the user's problem so far, those of certificates included: argmin counts every question, also those that
    /// were answered from memory.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// use argmin::core::{CostFunction, Gradient};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// # let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
    /// for _ in 0..3 {
    ///     lifted.cost(&vec![2.0]).unwrap();
    ///     lifted.gradient(&vec![2.0]).unwrap();
    /// }
    /// assert_eq!((lifted.counts().values, lifted.counts().gradients), (1, 1));
    /// ```
    pub fn counts(&self) -> Counts {
        self.memory().counts
    }

    /// (A panic in the user's problem leaves nothing here that the next point would not overwrite.)
    fn memory(&self) -> MutexGuard<'_, Memory<T>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the problem in x as an objective.
    fn with_objective<R>(&self, run: impl FnOnce(&mut dyn Objective<T>) -> Result<R>) -> Result<R>
    where
        C: Access<Shared<O>, T>,
    {
        let mut problem = Problem::new(Shared(Arc::clone(&self.problem)));
        let x = self.point(&self.interior())?;
        C::with_objective(&mut problem, &mut Cache::default(), &x, run).map_err(ours)
    }

    /// u over a point of the set. Where x lies on the boundary, one projected step of f leaves the faces that are worth leaving,
    /// and the other coordinates are moved inside by ε^{1/3}: a gradient method that starts at uᵢ = 0 stays there for ever, and
    /// argmin's L-BFGS then reports `SolverConverged`.
    ///
    /// # Errors
    /// [`Error::Map`](crate::Error::Map) for a point outside the set, [`Error::Dimension`](crate::Error::Dimension), an error of
    /// the problem.
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[4.0]).unwrap();
    /// # let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
    /// assert_eq!(lifted.start(&[9.0]).unwrap(), vec![3.0]);
    /// assert!(lifted.start(&[0.0]).unwrap()[0] > 1.0); // f falls there
    /// assert!(lifted.start(&[-1.0]).is_err());
    /// ```
    pub fn start(&self, x: &[T]) -> Result<P>
    where
        C: Access<Shared<O>, T>,
    {
        let u = self.with_objective(|f| lift::start(f, &self.map, x))?;
        let start = P::from_slice(&u);
        self.memory().start = Some(u);
        Ok(start)
    }

    /// The certificate of x = φ(u): [`Solved`](Status::Solved) or [`Stationary`](Status::Stationary) if ρ is at most the tolerance,
    /// else [`Stalled`](Status::Stalled). A last projected step in x puts coordinates that are held down by their multipliers
    /// exactly on their bounds, when neither f nor ρ suffers.
    ///
    /// # Errors
    /// An error of the problem; [`Error::Dimension`](crate::Error::Dimension).
    ///
    /// ```
    /// # use reparam::adapters::argmin::{ObjectiveProblem, Reparametrized};
    /// # use reparam::{maps::Squares, objectives::LeastSquares};
    /// # let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[4.0]).unwrap();
    /// # let problem = ObjectiveProblem::<_, Vec<f64>>::new(f);
    /// let lifted: Reparametrized<_, _, Vec<f64>> = Reparametrized::new(problem, Squares::new(1));
    /// assert!(lifted.certify(&vec![2.0]).unwrap().status.is_converged());
    /// // a stationary point of the lift, but not of f
    /// assert!(!lifted.certify(&vec![0.0]).unwrap().status.is_converged());
    /// ```
    pub fn certify(&self, u: &P) -> Result<Solution<T>>
    where
        C: Access<Shared<O>, T>,
    {
        self.certified(u.as_slice(), Status::Stalled, 0)
    }

    fn certified(&self, u: &[T], status: Status, iterations: usize) -> Result<Solution<T>>
    where
        C: Access<Shared<O>, T>,
    {
        let memory = self.memory();
        let how = Judged {
            name: "a solver of argmin's, on the lift",
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

    /// The best point of a run with its certificate: of all whose cost was asked for, the start, and those in argmin's final state. Where the
    /// run is an error (a line search that fails at the optimum is one, for argmin), the best point seen.
    ///
    /// The status: [`Solved`](Status::Solved) or [`Stationary`](Status::Stationary) if ρ is at most the tolerance, whatever argmin
    /// says; else what ended the run: `MaxItersReached`, `TargetCostReached`, `Timeout` and `Interrupt` are
    /// [`IterationLimit`](Status::IterationLimit), [`TargetReached`](Status::TargetReached), [`TimeLimit`](Status::TimeLimit) and
    /// [`Cancelled`](Status::Cancelled), anything else is [`Stalled`](Status::Stalled).
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) when nothing was evaluated; an error of the problem.
    ///
    /// See [`Reparametrized`] for an example.
    pub fn solution<Q, S, I>(
        &self,
        run: &std::result::Result<OptimizationResult<Q, S, I>, ArgminError>,
    ) -> Result<Solution<T>>
    where
        C: Access<Shared<O>, T>,
        I: State,
        I::Param: Position<P>,
    {
        let mut candidates: Vec<Vec<T>> = Vec::new();
        let (mut status, mut iterations) = (Status::Stalled, 0);
        if let Ok(result) = run {
            let state = &result.state;
            let places = [state.get_best_param(), state.get_param()].into_iter().flatten();
            candidates.extend(places.map(|p| p.position().as_slice().to_vec()));
            status = state
                .get_termination_reason()
                .map_or(Status::Cancelled, status_of);
            iterations = usize::try_from(state.get_iter()).unwrap_or(usize::MAX);
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

/// Where a parameter of argmin's states lies: itself, or the position of a particle.
///
/// ```
/// use reparam::adapters::argmin::Position;
/// assert_eq!(Position::<Vec<f64>>::position(&vec![1.0]), &vec![1.0]);
/// ```
pub trait Position<P> {
    /// The vector.
    fn position(&self) -> &P;
}

impl<P> Position<P> for P {
    fn position(&self) -> &P {
        self
    }
}

impl<P, F> Position<P> for Particle<P, F> {
    fn position(&self) -> &P {
        &self.position
    }
}

/// The user's problem in its own right, for the certificate.
///
/// ```
/// use reparam::adapters::argmin::{Access, FirstOrder, ObjectiveProblem, Shared};
/// use reparam::objectives::LeastSquares;
/// fn readable<O, C: Access<Shared<O>, f64>>() {}
/// readable::<ObjectiveProblem<LeastSquares<nalgebra::DMatrix<f64>, f64>, Vec<f64>>, FirstOrder>();
/// ```
#[derive(Debug)]
pub struct Shared<O>(Arc<O>);

macro_rules! forward {
    ($($name:ident, $method:ident, $output:ident);*) => {$(
        impl<O: $name> $name for Shared<O> {
            type Param = O::Param;
            type $output = O::$output;
            fn $method(&self, x: &Self::Param) -> std::result::Result<Self::$output, ArgminError> {
                self.0.$method(x)
            }
        }
        impl<O, M, P: ParamVec, C> $name for &Reparametrized<O, M, P, C>
        where
            Reparametrized<O, M, P, C>: $name,
        {
            type Param = <Reparametrized<O, M, P, C> as $name>::Param;
            type $output = <Reparametrized<O, M, P, C> as $name>::$output;
            fn $method(&self, u: &Self::Param) -> std::result::Result<Self::$output, ArgminError> {
                (**self).$method(u)
            }
        }
    )*};
}
forward!(
    CostFunction, cost, Output;
    Gradient, gradient, Gradient;
    Hessian, hessian, Hessian;
    Operator, apply, Output;
    Jacobian, jacobian, Jacobian
);

impl<O, M, P, C, T> CostFunction for Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: CostFunction<Output = T>,
    O::Param: ParamVec<Entry = T>,
{
    type Param = P;
    type Output = T;

    fn cost(&self, u: &P) -> std::result::Result<T, ArgminError> {
        let mut memory = self.memory();
        memory.move_to(&self.map, u.as_slice())?;
        if let Some(value) = memory.value {
            return Ok(value);
        }
        let value = self.problem.cost(&O::Param::from_slice(&memory.x))?;
        memory.set_value(value);
        Ok(value)
    }
}

impl<O, M, P, C, T> Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Gradient,
    O::Param: ParamVec<Entry = T>,
    O::Gradient: ParamVec<Entry = T>,
{
    /// ∇f(x) into the memory.
    fn gradient_at(&self, memory: &mut Memory<T>, u: &P) -> std::result::Result<(), ArgminError> {
        memory.move_to(&self.map, u.as_slice())?;
        if !memory.has_gradient {
            let g = self.problem.gradient(&O::Param::from_slice(&memory.x))?;
            memory.counts.gradients += 1;
            read("the gradient", &g, &mut memory.g).map_err(ArgminError::from_boxed)?;
            memory.has_gradient = true;
        }
        Ok(())
    }
}

impl<O, M, P, C, T> Gradient for Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Gradient,
    O::Param: ParamVec<Entry = T>,
    O::Gradient: ParamVec<Entry = T>,
{
    type Param = P;
    type Gradient = P;

    fn gradient(&self, u: &P) -> std::result::Result<P, ArgminError> {
        let mut guard = self.memory();
        let memory = &mut *guard;
        self.gradient_at(memory, u)?;
        let mut out = u.clone();
        self.map
            .vjp(u.as_slice(), &memory.g, out.as_mut_slice(), &mut memory.work);
        Ok(out)
    }
}

impl<O, M, P, C, T> Hessian for Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Gradient + Hessian<Param = <O as Gradient>::Param>,
    <O as Gradient>::Param: ParamVec<Entry = T>,
    O::Gradient: ParamVec<Entry = T>,
    O::Hessian: ArgminDot<<O as Gradient>::Param, <O as Gradient>::Param>,
{
    type Param = P;
    type Hessian = LiftedHessian<O::Hessian, M, <O as Gradient>::Param, P>;

    fn hessian(&self, u: &P) -> std::result::Result<Self::Hessian, ArgminError> {
        let mut memory = self.memory();
        self.gradient_at(&mut memory, u)?;
        let h = self
            .problem
            .hessian(&<O as Gradient>::Param::from_slice(&memory.x))?;
        let (u, g) = (memory.u.clone(), memory.g.clone());
        Ok(LiftedHessian::new(h, Arc::clone(&self.map), u, g))
    }
}

impl<O, M, P, C, T> Operator for Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Operator,
    O::Param: ParamVec<Entry = T>,
    O::Output: ParamVec<Entry = T>,
{
    type Param = P;
    type Output = P;

    fn apply(&self, u: &P) -> std::result::Result<P, ArgminError> {
        let mut memory = self.memory();
        memory.move_to(&self.map, u.as_slice())?;
        let r = self.problem.apply(&O::Param::from_slice(&memory.x))?;
        let half_square: T = r.as_slice().iter().map(|v| *v * *v).sum::<T>() * T::lit(0.5);
        memory.set_value(half_square);
        Ok(P::from_slice(r.as_slice()))
    }
}

impl<O, M, P, C, T> Jacobian for Reparametrized<O, M, P, C>
where
    T: Scalar,
    P: ParamVec<Entry = T>,
    M: Reparametrization<T>,
    O: Jacobian,
    O::Param: ParamVec<Entry = T>,
    O::Jacobian: ParamMatrix<T>,
{
    type Param = P;
    type Jacobian = P::Matrix;

    fn jacobian(&self, u: &P) -> std::result::Result<P::Matrix, ArgminError> {
        let mut guard = self.memory();
        let memory = &mut *guard;
        memory.move_to(&self.map, u.as_slice())?;
        let j = self.problem.jacobian(&O::Param::from_slice(&memory.x))?;
        let (m, n, p) = (j.rows(), self.map.dim_x(), self.map.dim_u());
        crate::checks::check_len("a row of the Jacobian", n, j.columns())?;
        // row i of J_r J is Jᵀ applied to row i of J_r
        let (mut row, mut lifted) = (vec![T::zero(); n], vec![T::zero(); m * p]);
        for (i, out) in lifted.chunks_exact_mut(p).enumerate() {
            for (k, v) in row.iter_mut().enumerate() {
                *v = j.entry(i, k);
            }
            self.map.vjp(u.as_slice(), &row, out, &mut memory.work);
        }
        Ok(P::Matrix::from_fn(m, p, |i, k| lifted[i * p + k]))
    }
}
