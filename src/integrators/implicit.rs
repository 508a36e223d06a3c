//! Implicit integrators for stiff gradient flows, with Newton–CG inside.

use super::Integrator;
use super::path::{Path, check_step};
use super::runge_kutta::{Control, next_factor};
use crate::checks::check_positive;
use crate::flows::{Flow, Space, Trial, evaluate};
use crate::lifted::{Lifted, Point};
use crate::linalg::conjugate_gradient::{Buffers, Outcome, conjugate_gradient};
use crate::linalg::max_abs;
use crate::methods::{Method, Step};
use crate::{Error, Result, Scalar};

/// The implicit schemes.
///
/// ```
/// assert_eq!(reparam::integrators::ImplicitScheme::Sdirk2.order(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ImplicitScheme {
    /// y₊ = y + h v(y₊): order 1, L-stable. One step is a proximal step of F: argmin ½‖y₊ − y‖² + h s F(y₊).
    Euler,
    /// Two diagonally implicit stages with γ = 1 − 1/√2: order 2, L-stable, stiffly accurate (Alexander, SIAM J. Numer. Anal. 1977).
    Sdirk2,
}

impl ImplicitScheme {
    /// Its order.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::ImplicitScheme::Euler.order(), 1);
    /// ```
    pub fn order(self) -> u32 {
        match self {
            Self::Euler => 1,
            Self::Sdirk2 => 2,
        }
    }

    /// (a_ij without zeros, c_i): the last row is b.
    fn stages(self) -> &'static [(&'static [f64], f64)] {
        const G: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
        match self {
            Self::Euler => &[(&[1.0], 1.0)],
            Self::Sdirk2 => &[(&[G], G), (&[1.0 - G, G], 1.0)],
        }
    }
}

/// Implicit integration of gradient flows in u: the step is limited by accuracy, not by stability.
///
/// The flow is stiff near a solution (its rates spread like the eigenvalues of A diag(x^q) Aᵀ) and for α → 0, where the steps of explicit
/// schemes are limited by the fastest time scale while the slowest one decides how long the run is. Each stage solves
///
/// ```text
/// Y − hγ v(Y) = r      by Newton:  (I + hγ s ∇²F(Y)) δ = −(Y − hγ v(Y) − r)      by conjugate gradients, preconditioned by the
///                                                                               diagonal of the lift
/// ```
///
/// F is not convex: where I + hγs∇²F is not positive definite, or Newton does not contract, the step is shortened. Products with ∇²f
/// where f offers them, else differences of gradients. Cost: per stage 2–4 evaluations and some tens of products.
///
/// The error of a step is estimated by an embedded first-order scheme (for Euler by h/2 (v₊ − v)); the root mean square of
/// eᵢ/(atol + rtol |uᵢ|) is kept below one.
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::Implicit, maps::Squares, objectives::LeastSquares};
/// // rates 1 and 1e-6: an explicit integrator would need a million steps
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.0; 0.0, 1e-3], &[1.0, 1e-3]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(Implicit::new(GradientFlow::per_factor(2).unwrap()))
///     .start_u0(0.1).ignore_residual().until_time(2e7).run().unwrap();
/// assert!((run.solution.x[1] - 1.0).abs() < 1e-4 && run.solution.iterations < 1000);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Implicit<T, F> {
    flow: F,
    scheme: ImplicitScheme,
    control: Control<T>,
    path: Path<T>,
    stages: Vec<Vec<T>>,
    newton: Newton<T>,
    proposed: Option<T>,
    error: T,
}

/// The data of one stage.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Newton<T> {
    /// r, the residual, the correction, the preconditioner.
    target: Vec<T>,
    residual: Vec<T>,
    delta: Vec<T>,
    diagonal: Vec<T>,
    /// For differences of gradients.
    nearby: Vec<T>,
    nearby_slope: Vec<T>,
    nearby_point: Option<Point<T>>,
    buffers: Buffers<T>,
    /// max|δ| over the smallest that is asked for: how accurate stages are.
    tolerance: T,
}

impl<T: Scalar, F: Flow<T>> Implicit<T, F> {
    /// The two-stage scheme with rtol = 1e-4, atol = 1e-8 (f32: 1e-3 and 1e-6).
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::Implicit, methods::Method};
    /// assert_eq!(Implicit::new(GradientFlow::<f64>::new()).name(), "implicit, L-stable of order 2");
    /// ```
    pub fn new(flow: F) -> Self {
        Self::with_scheme(flow, ImplicitScheme::Sdirk2)
    }

    /// Another scheme.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::{Implicit, ImplicitScheme}, methods::Method};
    /// assert_eq!(Implicit::with_scheme(GradientFlow::<f64>::new(), ImplicitScheme::Euler).name(), "implicit Euler");
    /// ```
    pub fn with_scheme(flow: F, scheme: ImplicitScheme) -> Self {
        let loose = T::epsilon().as_f64() > 1e-10;
        Self {
            flow,
            scheme,
            control: Control::Adaptive {
                relative: T::lit(if loose { 1e-3 } else { 1e-4 }),
                absolute: T::lit(if loose { 1e-6 } else { 1e-8 }),
            },
            path: Path::new(),
            stages: Vec::new(),
            newton: Newton {
                target: Vec::new(),
                residual: Vec::new(),
                delta: Vec::new(),
                diagonal: Vec::new(),
                nearby: Vec::new(),
                nearby_slope: Vec::new(),
                nearby_point: None,
                buffers: Buffers::default(),
                tolerance: T::lit(1e-2),
            },
            proposed: None,
            error: T::lit(1e-4),
        }
    }

    /// Other tolerances.
    ///
    /// # Errors
    /// [`Error::Setting`] unless both are positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::Implicit};
    /// assert!(Implicit::new(GradientFlow::new()).with_tolerances(1e-3, f64::NAN).is_err());
    /// ```
    pub fn with_tolerances(mut self, relative: T, absolute: T) -> Result<Self> {
        check_positive("relative tolerance", relative)?;
        check_positive("absolute tolerance", absolute)?;
        self.control = Control::Adaptive { relative, absolute };
        Ok(self)
    }

    /// A fixed step; the equations of the stages are then solved almost to rounding.
    ///
    /// # Errors
    /// [`Error::Setting`] unless it is positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::Implicit};
    /// assert!(Implicit::new(GradientFlow::new()).with_fixed_step(0.0).is_err());
    /// ```
    pub fn with_fixed_step(mut self, step: T) -> Result<Self> {
        check_step(step)?;
        self.control = Control::Fixed(step);
        Ok(self)
    }

    /// (rtol, atol) that errors are measured by.
    fn units(&self) -> (T, T) {
        match self.control {
            Control::Adaptive { relative, absolute } => (relative, absolute),
            // Newton to a few hundred roundings
            Control::Fixed(_) => {
                let tight = T::lit(1e4) * T::epsilon();
                (tight, tight)
            }
        }
    }

    fn attempt(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        next: &mut Point<T>,
        h: T,
        curvature: &[T],
    ) -> Result<Trial> {
        let units = self.units();
        let path = &mut self.path;
        path.trial.copy_from_slice(&path.y);
        for (i, (row, c)) in self.scheme.stages().iter().enumerate() {
            let (known, rest) = self.stages.split_at_mut(i);
            super::runge_kutta::combine(&path.y, h, &row[..i], known, &mut self.newton.target);
            let t = path.t + T::lit(*c) * h;
            let solved = self.newton.solve(
                &mut self.flow,
                lifted,
                t,
                h * T::lit(row[i]),
                curvature,
                units,
                &path.y,
                &mut path.trial,
                next,
                &mut rest[0],
            )?;
            if solved != Trial::Fine {
                return Ok(solved);
            }
        }
        // stiffly accurate: the last stage is the new point
        let last = self.scheme.stages().len() - 1;
        path.trial_slope.copy_from_slice(&self.stages[last]);
        Ok(Trial::Fine)
    }

    fn trial_error(&self, h: T, relative: T, absolute: T) -> T {
        let n = self.path.y.len();
        let mut sum = T::zero();
        for j in 0..n {
            let error = match self.scheme {
                ImplicitScheme::Euler => T::lit(0.5) * (self.path.trial_slope[j] - self.path.slope[j]),
                // against y + h k₁
                ImplicitScheme::Sdirk2 => {
                    T::lit(1.0 - std::f64::consts::FRAC_1_SQRT_2) * (self.stages[1][j] - self.stages[0][j])
                }
            };
            let size = self.path.y[j].abs().max(self.path.trial[j].abs());
            let scaled = h * error / (absolute + relative * size);
            sum += scaled * scaled;
        }
        (sum / T::count(n.max(1))).sqrt()
    }

    fn accept(&mut self, h: T, cut: bool, next: Point<T>, point: &mut Point<T>) {
        self.path.next = Some(next);
        let t = self.path.reached(h, cut);
        self.path.accept(t, point);
    }
}

impl<T: Scalar> Newton<T> {
    /// Solves Y − hγ v(t, Y) = target from the Y given; on return `slope` is v(t, Y), `at` evaluated at Y. `Outside` is returned for any
    /// reason to shorten the step.
    fn solve<F: Flow<T>>(
        &mut self,
        flow: &mut F,
        lifted: &mut Lifted<'_, T>,
        t: T,
        hg: T,
        curvature: &[T],
        (relative, absolute): (T, T),
        before: &[T],
        y: &mut [T],
        at: &mut Point<T>,
        slope: &mut [T],
    ) -> Result<Trial> {
        let n = y.len();
        let scale = flow.gradient_scale().unwrap_or_else(T::one);
        let mut last = T::infinity();
        for iteration in 0..12 {
            let trial = evaluate(flow, lifted, t, before, y, at, slope)?;
            if trial != Trial::Fine {
                return Ok(trial);
            }
            let mut sum = T::zero();
            for j in 0..n {
                self.residual[j] = self.target[j] + hg * slope[j] - y[j];
                let scaled = self.residual[j] / (absolute + relative * y[j].abs());
                sum += scaled * scaled;
            }
            // (the correction is smaller than the residual)
            if (sum / T::count(n.max(1))).sqrt() <= self.tolerance {
                return Ok(Trial::Fine);
            }
            lifted.metric(at, curvature, &mut self.diagonal);
            for d in &mut self.diagonal {
                *d = T::one() + hg * scale * *d;
            }
            let (nearby, nearby_slope, nearby_point) =
                (&mut self.nearby, &mut self.nearby_slope, &mut self.nearby_point);
            let at_now: &Point<T> = at;
            let (y_now, slope_now): (&[T], &[T]) = (y, slope);
            let outcome = conjugate_gradient(
                |w, out| {
                    if !flow.jacobian_vector(lifted, t, y_now, at_now, w, out)? {
                        // a difference of slopes
                        let size = max_abs(w);
                        // (near y = 0 the correction that is sought has the size that y will have)
                        let e = T::epsilon().sqrt() * max_abs(y_now).max(size) / size;
                        for j in 0..n {
                            nearby[j] = y_now[j] + e * w[j];
                        }
                        let point = nearby_point.get_or_insert_with(|| at_now.clone());
                        point.u.copy_from_slice(nearby);
                        lifted.evaluate(point)?;
                        flow.velocity(lifted, t, nearby, point, nearby_slope)?;
                        for j in 0..n {
                            out[j] = (nearby_slope[j] - slope_now[j]) / e;
                        }
                    }
                    for j in 0..n {
                        out[j] = w[j] - hg * out[j];
                    }
                    Ok(())
                },
                &self.diagonal,
                &self.residual,
                &mut self.delta,
                T::lit(1e-3),
                (2 * n).max(20),
                &mut self.buffers,
            )?;
            if outcome == Outcome::NotPositive {
                return Ok(Trial::Outside);
            }
            let mut sum = T::zero();
            for j in 0..n {
                let scaled = self.delta[j] / (absolute + relative * y[j].abs());
                sum += scaled * scaled;
            }
            let size = (sum / T::count(n.max(1))).sqrt();
            if size <= self.tolerance {
                // (y is not moved any more: slope and evaluation belong to it)
                return Ok(Trial::Fine);
            }
            // no contraction: a shorter step will do better
            if size.is_nan() || (iteration > 1 && size > T::lit(0.9) * last) {
                return Ok(Trial::Outside);
            }
            last = size;
            for j in 0..n {
                y[j] += self.delta[j];
            }
        }
        Ok(Trial::Outside)
    }
}

impl<T: Scalar, F: Flow<T>> Method<T> for Implicit<T, F> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        match self.scheme {
            ImplicitScheme::Euler => "implicit Euler",
            ImplicitScheme::Sdirk2 => "implicit, L-stable of order 2",
        }
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, curvature: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut next = self.path.next.take().unwrap_or_else(|| point.clone());
        let (relative, absolute) = self.units();
        let fixed = match self.control {
            Control::Fixed(h) => Some(h),
            Control::Adaptive { .. } => None,
        };
        let mut h = match (fixed, self.proposed) {
            (Some(h), _) | (None, Some(h)) => h,
            // as far as the slope changes y by about the tolerance
            (None, None) => {
                let fastest = self
                    .path
                    .slope
                    .iter()
                    .zip(&self.path.y)
                    .map(|(v, y)| (*v / (absolute + relative * y.abs())).abs());
                let fastest = crate::linalg::max_or_nan(fastest);
                if fastest > T::zero() {
                    T::one() / fastest
                } else {
                    T::one()
                }
            }
        };
        let mut outcome = Step::Stalled;
        let mut rejected = false;
        for _ in 0..100 {
            if h <= T::lit(4.0) * T::epsilon() * self.path.t.abs() || h <= T::min_positive_value() {
                break;
            }
            let (step, cut) = self.path.cut(h);
            let trial = self.attempt(lifted, &mut next, step, curvature)?;
            let error = match (trial, fixed) {
                (Trial::Fine, Some(_)) => T::zero(),
                (Trial::Fine, None) => self.trial_error(step, relative, absolute),
                (refused, _) => {
                    outcome = if refused == Trial::NotFinite {
                        Step::NotFinite
                    } else {
                        Step::LeftDomain
                    };
                    if fixed.is_some() {
                        break;
                    }
                    h = step * T::lit(0.25);
                    rejected = true;
                    continue;
                }
            };
            if error <= T::one() {
                if fixed.is_none() {
                    let mut factor = next_factor(error, self.error, 2);
                    if rejected {
                        factor = factor.min(T::one());
                    }
                    self.error = error;
                    let proposal = step * factor;
                    self.proposed = Some(if cut { proposal.max(h) } else { proposal });
                }
                self.accept(step, cut, next, point);
                return Ok(Step::Moved);
            }
            outcome = Step::Stalled;
            rejected = true;
            h = step * (T::lit(0.9) / error.sqrt()).max(T::lit(0.1)).min(T::lit(0.9));
        }
        self.path.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        self.path.begun = false;
        self.proposed = None;
        self.error = T::lit(1e-4);
    }
}

impl<T: Scalar, F: Flow<T>> Integrator<T> for Implicit<T, F> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if !self.path.begun && (self.flow.gradient_scale().is_none() || self.flow.space() != Space::U) {
            return Err(Error::Setting {
                name: "implicit integrator",
                why: "is made for gradient flows in u (GradientFlow), whose Jacobian is symmetric; the flow in x has BregmanProximal",
            });
        }
        if self.path.begin(&mut self.flow, lifted, point)? {
            let n = self.path.y.len();
            self.stages = vec![vec![T::zero(); n]; self.scheme.stages().len()];
            let w = &mut self.newton;
            for v in [
                &mut w.target,
                &mut w.residual,
                &mut w.delta,
                &mut w.diagonal,
                &mut w.nearby,
                &mut w.nearby_slope,
            ] {
                v.clear();
                v.resize(n, T::zero());
            }
            w.nearby_point = Some(point.clone());
        }
        Ok(())
    }
    super::path::along_path!();
}
