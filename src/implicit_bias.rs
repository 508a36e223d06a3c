//! Implicit bias: which of many solutions the flow selects, as a function of where it starts and when it stops.
//!
//! Started at u₀ = α·1 with α → 0 the flow tends to a solution of (nearly) least ℓ1 norm, for every L ≥ 2; L sets how fast in α. Its limit is
//! the Bregman projection of x₀ onto the solutions,
//!
//! ```text
//! x∞ = argmin { D(z, x₀) : A z = b, z ≥ 0 }      because ψ'(x(t)) − ψ'(x₀) = −∫∇f ∈ range Aᵀ
//! ```
//!
//! * [`AlphaPath`]: the limits for a sequence of α, each run started from the dual point of the one before.
//! * [`weighted_start`]: a start that makes it a weighted ℓ1 norm.
//! * [`HeldOut`], [`discrepancy`]: early stopping, which regularises where data are noisy.
//!
//! Sizes are named: α is that of u₀ ([`AlphaPath::sizes_u0`]) or of x₀ = u₀^L ([`AlphaPath::sizes_x0`]).
//!
//! A run whose ℓ1 norm is *below* the least one has not converged: look at the residual too.
//!
//! Source: Chou, Maly, Verdun, Freitas Paulo da Costa & Mirandola, AISTATS 2025; Matt & Stöger, arXiv 2506.01143.

use crate::checks::{check_each, check_finite, check_len, check_positive};
use crate::flows::check_depth;
use crate::flows::monitors::{from_mirror_slope, mirror_slope};
use crate::integrators::{BregmanProximal, Integrator};
use crate::linalg::{dot, norm2};
use crate::maps::Power;
use crate::objectives::{LeastSquares, Objective};
use crate::operators::LinearOperator;
use crate::{Counts, Error, Integrate, Limits, LinalgScalar, Progress, Result, Scalar, Status};

/// u₀ from which the flow prefers a small Σ wⱼ xⱼ.
///
/// ```text
/// L = 2: u₀ⱼ = α^{wⱼ}        (then −log x₀ⱼ = 2 wⱼ log(1/α))
/// L > 2: u₀ⱼ = α wⱼ^{−1/(L−2)}   (then x₀ⱼ^{2/L−1} = wⱼ α^{2−L})
/// ```
///
/// both to leading order as α → 0, from the terms of D(z, x₀) that grow. Equal weights give the constant start. For L = 2 the w are best
/// scaled to a mean of one: u₀ must not underflow.
///
/// # Errors
/// [`Error::Setting`] for L < 2 or α outside of (0, 1), [`Error::NotFinite`], [`Error::Data`] for a weight that is not positive or a start
/// that is not representable.
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, implicit_bias::weighted_start, integrators::RungeKutta, maps::Power};
/// use reparam::objectives::LeastSquares;
/// // x₀ + 2x₁ = 2: the least ℓ1 norm is at (0, 1), but with weights (1, 3) at (2, 0)
/// let u0 = weighted_start(3, 1e-2, &[1.0, 3.0]).unwrap();
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let run = Integrate::new(f, Power::new(2, 3).unwrap()).unwrap()
///     .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(3).unwrap()))
///     .start_at_u(&u0).run().unwrap();
/// assert!((run.solution.x[0] - 2.0).abs() < 1e-3 && run.solution.x[1] < 1e-3);
/// ```
pub fn weighted_start<T: Scalar>(depth: u32, alpha: T, weights: &[T]) -> Result<Vec<T>> {
    check_depth(depth)?;
    check_positive("alpha", alpha)?;
    if alpha >= T::one() {
        return Err(Error::Setting {
            name: "alpha",
            why: "must be below 1: a weighted start is a small one",
        });
    }
    check_finite("weights", weights)?;
    check_each("weights", weights, "must be positive", |w| w > T::zero())?;
    let u0: Vec<T> = weights
        .iter()
        .map(|w| {
            if depth == 2 {
                alpha.powf(*w)
            } else {
                alpha * w.powf(T::lit(-1.0 / f64::from(depth - 2)))
            }
        })
        .collect();
    let l = T::lit(f64::from(depth));
    check_each(
        "weights",
        weights,
        "gives a start that is not representable",
        |w| {
            let u = if depth == 2 {
                alpha.powf(w)
            } else {
                alpha * w.powf(T::lit(-1.0 / f64::from(depth - 2)))
            };
            u.powf(l) > T::zero() && u.is_finite()
        },
    )?;
    Ok(u0)
}

/// Early stopping by rows that the flow does not see: stops when ‖A_held x − b_held‖ has not improved for some steps, and keeps the best x.
///
/// ```
/// use reparam::{Integrate, Status, flows::GradientFlow, implicit_bias::HeldOut, integrators::RungeKutta, maps::Squares};
/// use reparam::objectives::LeastSquares;
/// let a = nalgebra::dmatrix![1.0_f64, 0.2, 0.1; 0.1, 1.0, 0.3]; // two noisy rows for three unknowns
/// let mut held = HeldOut::new(nalgebra::dmatrix![0.3, 0.2, 1.0], &[1.2], 20).unwrap();
/// let f = LeastSquares::new(&a, &[1.1, 0.4]).unwrap();
/// let run = Integrate::new(f, Squares::new(3)).unwrap()
///     .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(2).unwrap()))
///     .start_u0(0.5).stop_when(held.rule()).run().unwrap();
/// assert!(held.best_error() <= 1.2);
/// assert_eq!(held.best_x().len(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct HeldOut<A, T> {
    operator: A,
    data: Vec<T>,
    patience: usize,
    image: Vec<T>,
    best: Vec<T>,
    error: T,
    iteration: usize,
}

impl<T: Scalar, A: LinearOperator<T>> HeldOut<A, T> {
    /// The rows held out and their data; `patience` steps without improvement end the run.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Setting`] for a patience of 0.
    ///
    /// ```
    /// use reparam::implicit_bias::HeldOut;
    /// assert!(HeldOut::new(nalgebra::dmatrix![1.0_f64], &[1.0, 2.0], 5).is_err());
    /// ```
    pub fn new(operator: A, data: &[T], patience: usize) -> Result<Self> {
        check_len("the held-out data", operator.rows(), data.len())?;
        check_finite("held-out data", data)?;
        if patience == 0 {
            return Err(Error::Setting {
                name: "patience",
                why: "must be at least 1",
            });
        }
        Ok(Self {
            image: vec![T::zero(); data.len()],
            best: vec![T::zero(); operator.columns()],
            operator,
            data: data.to_vec(),
            patience,
            error: T::infinity(),
            iteration: 0,
        })
    }

    /// The rule, for [`Integrate::stop_when`]. One product with the held-out rows per step; nothing is allocated.
    ///
    /// It answers [`Error::Dimension`] where the rows are those of another number of unknowns, and so does the run.
    ///
    /// ```
    /// use reparam::{Error, Integrate, implicit_bias::HeldOut, maps::Squares, objectives::LeastSquares};
    /// let mut held = HeldOut::new(nalgebra::dmatrix![0.3_f64, 0.2, 1.0], &[1.2], 20).unwrap(); // three unknowns
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap(); // two
    /// let run = Integrate::new(f, Squares::new(2)).unwrap().start_u0(0.1).stop_when(held.rule()).run();
    /// assert!(matches!(run, Err(Error::Dimension { expected: 2, found: 3, .. })));
    /// ```
    pub fn rule(&mut self) -> impl FnMut(&Progress<'_, T>) -> Result<bool> + '_ {
        |p| {
            check_len("a held-out row of the matrix", p.x.len(), self.best.len())?;
            self.operator.apply(p.x, &mut self.image);
            for (z, b) in self.image.iter_mut().zip(&self.data) {
                *z -= *b;
            }
            let error = norm2(&self.image);
            if error < self.error {
                self.error = error;
                self.iteration = p.iteration;
                self.best.copy_from_slice(p.x);
            }
            Ok(p.iteration >= self.iteration + self.patience)
        }
    }

    /// The x of the least error.
    ///
    /// See [`HeldOut`] for an example.
    pub fn best_x(&self) -> &[T] {
        &self.best
    }

    /// The least ‖A_held x − b_held‖; +∞ before a run.
    ///
    /// See [`HeldOut`] for an example.
    pub fn best_error(&self) -> T {
        self.error
    }

    /// The step at which it was least.
    ///
    /// ```
    /// use reparam::implicit_bias::HeldOut;
    /// assert_eq!(HeldOut::new(nalgebra::dmatrix![1.0_f64], &[1.0], 5).unwrap().best_iteration(), 0);
    /// ```
    pub fn best_iteration(&self) -> usize {
        self.iteration
    }
}

/// The discrepancy principle: stops when ‖Ax − b‖ ≤ τ δ, for noise of size ‖noise‖ ≈ δ and a τ a little above 1. For f = ½‖Ax − b‖² without
/// weights and ridge.
///
/// Source: Morozov 1966; Engl, Hanke & Neubauer, Regularization of Inverse Problems, 4.3.
///
/// # Errors
/// [`Error::Setting`] unless δ is positive and τ ≥ 1.
///
/// ```
/// use reparam::{Integrate, Status, implicit_bias::discrepancy, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap().start_u0(0.1)
///     .stop_when(discrepancy(0.1, 1.1).unwrap()).run().unwrap();
/// assert_eq!(run.solution.status, Status::StoppedEarly);
/// assert!((2.0 * run.solution.objective).sqrt() <= 0.11);
/// ```
pub fn discrepancy<T: Scalar>(noise: T, factor: T) -> Result<impl FnMut(&Progress<'_, T>) -> bool> {
    check_positive("noise", noise)?;
    if factor.is_nan() || factor < T::one() || factor == T::infinity() {
        return Err(Error::Setting {
            name: "discrepancy factor",
            why: "must be at least 1: below the noise there is nothing but noise",
        });
    }
    let target = factor * noise;
    Ok(move |p: &Progress<'_, T>| (p.value + p.value).sqrt() <= target)
}

/// One limit of a path.
///
/// ```
/// use reparam::implicit_bias::AlphaPath;
/// let a = nalgebra::dmatrix![1.0_f64, 2.0];
/// let limits = AlphaPath::new(&a, &[2.0], 3).unwrap().sizes_u0(&[0.1]).unwrap().run().unwrap();
/// assert!(limits[0].residual < 1e-6 && limits[0].status.is_solved());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Limit<T> {
    /// The size of u₀.
    pub u0: T,
    /// The size of x₀ = u₀^L.
    pub x0: T,
    /// The limit.
    pub x: Vec<T>,
    /// ‖x‖₁ = Σ x.
    pub l1: T,
    /// ‖Ax − b‖/‖b‖ (not relative when b = 0).
    pub residual: T,
    /// How its run ended.
    #[cfg_attr(feature = "serde", serde(skip, default = "unknown"))]
    pub status: Status,
    /// The steps that it took.
    pub iterations: usize,
    /// What it cost.
    pub counts: Counts,
    /// Whether it was started from the last limit.
    pub warm: bool,
}

#[cfg(feature = "serde")]
fn unknown() -> Status {
    Status::Stalled
}

/// The limits of the flow u′ = −u^{∘(L−1)}∘Aᵀ(Ax − b), x = u^{∘L}, from starts of falling size.
///
/// Warm starts. A limit itself is no start for the next size: it is stationary, and the flow would stay there, at the limit for the *larger*
/// α. But every point of the leaf { x : ψ'(x) − ψ'(x₀) ∈ range Aᵀ } flows to the same limit as x₀, since the limit is the projection of
/// any of them in D. The last limit x∞ gives a vector of range Aᵀ, s = ψ'(x∞) − ψ'(x₀); so the points
///
/// ```text
/// ψ'(x(c)) = ψ'(x₀') + c s
/// ```
///
/// are on the leaf of the new start x₀' for every c, and c is taken where the dual of the projection is largest along s, ⟨s, x(c) − x∞⟩ = 0:
/// a scalar equation with an increasing left-hand side. What is inherited is the dual variable, not the point. Errors of an integrator across the leaf are
/// inherited too; the default one makes none. ([`cold`](Self::cold): no inheritance.)
///
/// ```
/// use reparam::implicit_bias::AlphaPath;
/// let a = nalgebra::dmatrix![1.0_f64, 2.0];
/// let limits = AlphaPath::new(&a, &[2.0], 2).unwrap().sizes_u0(&[0.3, 0.1, 0.03]).unwrap().run().unwrap();
/// // the least ℓ1 norm is 1
/// assert!(limits.windows(2).all(|w| w[1].l1 < w[0].l1));
/// assert!(limits[2].l1 - 1.0 < 0.1 && limits[2].l1 > 1.0);
/// ```
#[derive(Debug, Clone)]
pub struct AlphaPath<'b, A, T> {
    operator: A,
    b: &'b [T],
    depth: u32,
    sizes: Vec<T>,
    weights: Option<Vec<T>>,
    tolerance: T,
    warm: bool,
    limits: Limits,
}

impl<'b, T: Scalar, A: LinearOperator<T>> AlphaPath<'b, A, T> {
    /// For x = u^{∘L}, L ≥ 2.
    ///
    /// # Errors
    /// [`Error::Setting`] for L < 2, those of [`LeastSquares::new`].
    ///
    /// ```
    /// let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// assert!(reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 1).is_err());
    /// ```
    pub fn new(operator: A, b: &'b [T], depth: u32) -> Result<Self> {
        check_depth(depth)?;
        LeastSquares::new(&operator, b)?;
        let fine = T::epsilon().as_f64() < 1e-10;
        Ok(Self {
            operator,
            b,
            depth,
            sizes: Vec::new(),
            weights: None,
            tolerance: T::lit(if fine { 1e-8 } else { 1e-4 }),
            warm: true,
            limits: Limits {
                iterations: Some(1_000_000),
                ..Limits::default()
            },
        })
    }

    /// The sizes α of u₀ = α·1.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::Data`] for one that is not positive, or whose x₀ is not representable.
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// # let path = || reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 4).unwrap();
    /// assert!(path().sizes_u0(&[0.1, 0.0]).is_err());
    /// ```
    pub fn sizes_u0(mut self, sizes: &[T]) -> Result<Self> {
        crate::checks::check_not_empty("the list of sizes", sizes.len())?;
        let l = T::lit(f64::from(self.depth));
        check_each(
            "sizes",
            sizes,
            "must be positive, and its L-th power representable",
            |a| a > T::zero() && a.powf(l) > T::zero() && a.powf(l).is_finite(),
        )?;
        self.sizes = sizes.to_vec();
        Ok(self)
    }

    /// The sizes α of x₀ = α·1, u₀ = α^{1/L}·1.
    ///
    /// # Errors
    /// As [`sizes_u0`](Self::sizes_u0).
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// # let path = || reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 4).unwrap();
    /// let limit = &path().sizes_x0(&[1e-4]).unwrap().run().unwrap()[0];
    /// assert!((limit.u0 - 0.1).abs() < 1e-15);
    /// ```
    pub fn sizes_x0(self, sizes: &[T]) -> Result<Self> {
        let root = T::lit(1.0 / f64::from(self.depth));
        check_each("sizes", sizes, "must be positive and finite", |a| {
            a > T::zero() && a.is_finite()
        })?;
        let u0: Vec<T> = sizes.iter().map(|a| a.powf(root)).collect();
        self.sizes_u0(&u0)
    }

    /// Towards Σ wⱼ xⱼ: starts at [`weighted_start`] of each size.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`], [`Error::Data`].
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// let path = reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 3).unwrap().weights(&[1.0, 3.0]).unwrap();
    /// let limits = path.sizes_u0(&[0.1, 0.01]).unwrap().run().unwrap();
    /// assert!(limits[1].x[0] > 1.9);
    /// ```
    pub fn weights(mut self, weights: &[T]) -> Result<Self> {
        check_len("the weights", self.operator.columns(), weights.len())?;
        weighted_start(self.depth, T::lit(0.5), weights)?;
        self.weights = Some(weights.to_vec());
        Ok(self)
    }

    /// The residual at which a run has reached its limit; see [`Integrate::tolerance`].
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// # let path = || reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 2).unwrap().sizes_u0(&[0.1]).unwrap();
    /// let rough = path().tolerance(1e-2).run().unwrap();
    /// assert!(rough[0].residual > 1e-6);
    /// ```
    pub fn tolerance(mut self, tolerance: T) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Every run from its own start.
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// # let path = || reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 2).unwrap().sizes_u0(&[0.3, 0.1]).unwrap();
    /// let (warm, cold) = (path().run().unwrap(), path().cold().run().unwrap());
    /// assert!((warm[1].l1 - cold[1].l1).abs() < 1e-6); // the same limit
    /// assert!(warm[1].warm && !cold[1].warm);
    /// ```
    pub fn cold(mut self) -> Self {
        self.warm = false;
        self
    }

    /// Limits for each run; by default a million steps.
    ///
    /// ```
    /// # let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// # let path = || reparam::implicit_bias::AlphaPath::new(&a, &[2.0], 2).unwrap().sizes_u0(&[0.3, 0.1]).unwrap();
    /// let limits = reparam::Limits { iterations: Some(3), ..Default::default() };
    /// assert!(path().limits(limits).run().unwrap().iter().all(|l| l.iterations == 3));
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs, by [`BregmanProximal`] steps: they stay on the leaf exactly, so that limits are as accurate as the tolerance, for every L and α.
    ///
    /// # Errors
    /// [`Error::Empty`] without sizes, [`Error::Setting`] for a tolerance without meaning, those of [`Integrate::run`].
    ///
    /// See [`AlphaPath`] for an example.
    pub fn run(&self) -> Result<Vec<Limit<T>>>
    where
        T: LinalgScalar,
    {
        self.run_with(|_| BregmanProximal::new(self.depth))
    }

    /// Runs by an integrator of your own, made for each start u₀. It must follow the flow of the power map, in any scale of time.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, implicit_bias::AlphaPath, integrators::Implicit};
    /// let a = nalgebra::dmatrix![1.0_f64, 2.0];
    /// let path = AlphaPath::new(&a, &[2.0], 2).unwrap().sizes_u0(&[0.1]).unwrap();
    /// let limits = path.run_with(|_| Implicit::new(GradientFlow::per_factor(2)?).with_tolerances(1e-5, 1e-8)).unwrap();
    /// assert!((limits[0].l1 - path.run().unwrap()[0].l1).abs() < 1e-3);
    /// ```
    pub fn run_with<I: Integrator<T>>(
        &self,
        mut integrator: impl FnMut(&[T]) -> Result<I>,
    ) -> Result<Vec<Limit<T>>>
    where
        T: LinalgScalar,
    {
        crate::checks::check_not_empty("the list of sizes", self.sizes.len())?;
        let n = self.operator.columns();
        let mut out: Vec<Limit<T>> = Vec::with_capacity(self.sizes.len());
        // x₀ of the last run, of which the limit is in `out`
        let mut last: Option<Vec<T>> = None;
        for alpha in &self.sizes {
            let u0 = match &self.weights {
                Some(w) => weighted_start(self.depth, *alpha, w)?,
                None => vec![*alpha; n],
            };
            let power = i32::try_from(self.depth).unwrap_or(i32::MAX);
            let x0: Vec<T> = u0.iter().map(|u| u.powi(power)).collect();
            let start = match (&last, out.last()) {
                (Some(before), Some(limit)) if self.warm && limit.status.is_converged() => {
                    warm_start(self.depth, before, &limit.x, &x0)
                }
                _ => None,
            };
            let f = LeastSquares::new(&self.operator, self.b)?;
            let problem = Integrate::new(f, Power::new(n, self.depth)?)?
                .integrator(integrator(&u0)?)
                .tolerance(self.tolerance)
                .limits(self.limits.clone());
            let warm = start.is_some();
            let run = match start {
                Some(x) => problem.start(&x).run()?,
                None => problem.start_at_u(&u0).run()?,
            };
            let mut g = vec![T::zero(); n];
            let mut f = LeastSquares::new(&self.operator, self.b)?;
            let value = f
                .value_gradient(&run.solution.x, &mut g)
                .map_err(Error::Evaluation)?;
            let size = norm2(self.b);
            let scale = if size > T::zero() { size } else { T::one() };
            out.push(Limit {
                u0: *alpha,
                x0: alpha.powi(power),
                l1: run.solution.x.iter().copied().sum(),
                x: run.solution.x,
                residual: (value + value).sqrt() / scale,
                status: run.solution.status,
                iterations: run.solution.iterations,
                counts: run.solution.counts,
                warm,
            });
            last = Some(x0);
        }
        Ok(out)
    }
}

/// The point of the leaf of `start` along s = ψ'(limit) − ψ'(before) at which ⟨s, x(c) − limit⟩ = 0; None where it is not representable.
fn warm_start<T: Scalar>(depth: u32, before: &[T], limit: &[T], start: &[T]) -> Option<Vec<T>> {
    let slopes = |x: &[T]| -> Vec<T> { x.iter().map(|x| mirror_slope(depth, *x)).collect() };
    let (p0, p) = (slopes(start), slopes(before));
    let s: Vec<T> = slopes(limit).iter().zip(&p).map(|(a, b)| *a - *b).collect();
    let target = dot(&s, limit);
    if !target.is_finite() {
        return None;
    }
    let at = |c: T| -> Option<Vec<T>> {
        p0.iter()
            .zip(&s)
            .map(|(p, s)| from_mirror_slope(depth, *p + c * *s))
            .collect()
    };
    // increasing in c; beyond the domain it counts as +∞
    let above = |c: T| at(c).is_none_or(|x| dot(&s, &x) > target);
    let (mut low, mut high) = (T::zero(), T::one());
    if above(low) {
        return None;
    }
    let two = T::lit(2.0);
    let mut doublings = 0;
    while !above(high) {
        (low, high) = (high, high * two);
        doublings += 1;
        if doublings > 60 {
            return None;
        }
    }
    for _ in 0..100 {
        let middle = T::lit(0.5) * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if above(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    at(low)
}
