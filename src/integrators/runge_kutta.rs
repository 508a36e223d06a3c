//! Explicit Runge–Kutta schemes, with a fixed step or with the step under the control of an embedded error estimate.

use super::Integrator;
use super::path::{Path, check_step};
use super::tableau::Scheme;
use crate::checks::check_positive;
use crate::flows::{Flow, Trial, evaluate};
use crate::lifted::{Lifted, Point};
use crate::methods::{Method, Step};
use crate::{Error, Result, Scalar};

/// How the step is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Control<T> {
    Fixed(T),
    Adaptive { relative: T, absolute: T },
}

/// An explicit Runge–Kutta scheme for any flow.
///
/// With tolerances, the step keeps the estimated error of each step, measured by the root mean square of eᵢ/(atol + rtol |yᵢ|), below
/// one (PI control; Gustafsson 1991; Hairer & Wanner, Solving Ordinary Differential Equations II, IV.2). A step out of the domain (the
/// open orthant) or to a value that is not finite is repeated at a quarter; a fixed step ends the run there with a status.
///
/// Cost: 4 evaluations per step of the classical scheme, 6 per step of Dormand–Prince. The flow becomes stiff near a solution (time
/// scales of slow coordinates against those of fast ones) and for small α: then see [`Implicit`](super::Implicit).
///
/// ```
/// use reparam::{Integrate, flows::GradientFlow, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, -1.0]).unwrap();
/// let flow = GradientFlow::per_factor(2).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(RungeKutta::dormand_prince(flow).with_tolerances(1e-8, 1e-12).unwrap())
///     .start_u0(0.1).tolerance(1e-8).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// assert!((run.solution.x[0] - 0.4).abs() < 1e-6 && run.solution.x[1] > 0.0); // never on the boundary
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RungeKutta<T, F> {
    flow: F,
    scheme: Scheme,
    control: Control<T>,
    largest: Option<T>,
    path: Path<T>,
    stages: Vec<Vec<T>>,
    /// The step that the control proposes; None before the first.
    proposed: Option<T>,
    /// The error of the last accepted step.
    error: T,
}

impl<T: Scalar, F: Flow<T>> RungeKutta<T, F> {
    fn with(flow: F, scheme: Scheme, control: Control<T>) -> Self {
        Self {
            flow,
            scheme,
            control,
            largest: None,
            path: Path::new(),
            stages: Vec::new(),
            proposed: None,
            error: T::lit(1e-4),
        }
    }

    /// The classical scheme of order 4 with a fixed step h.
    ///
    /// # Errors
    /// [`Error::Setting`] unless h is positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::RungeKutta};
    /// assert!(RungeKutta::classical(GradientFlow::new(), -0.1).is_err());
    /// ```
    pub fn classical(flow: F, step: T) -> Result<Self> {
        Self::fixed(flow, Scheme::Classical4, step)
    }

    /// Any scheme with a fixed step h.
    ///
    /// # Errors
    /// [`Error::Setting`] unless h is positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::{RungeKutta, Scheme}};
    /// assert!(RungeKutta::fixed(GradientFlow::new(), Scheme::Heun2, 0.1).is_ok());
    /// ```
    pub fn fixed(flow: F, scheme: Scheme, step: T) -> Result<Self> {
        check_step(step)?;
        Ok(Self::with(flow, scheme, Control::Fixed(step)))
    }

    /// Dormand & Prince's 5(4), rtol = 1e-6, atol = 1e-8 (f32: 1e-4 and 1e-6).
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::RungeKutta, methods::Method};
    /// assert_eq!(RungeKutta::dormand_prince(GradientFlow::<f64>::new()).name(), "Dormand–Prince 5(4)");
    /// ```
    pub fn dormand_prince(flow: F) -> Self {
        Self::with(flow, Scheme::DormandPrince54, Self::usual())
    }

    /// Any scheme with an embedded error estimate.
    ///
    /// # Errors
    /// [`Error::Setting`] for one without.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::{RungeKutta, Scheme}};
    /// assert!(RungeKutta::adaptive(GradientFlow::<f64>::new(), Scheme::BogackiShampine32).is_ok());
    /// assert!(RungeKutta::adaptive(GradientFlow::<f64>::new(), Scheme::Classical4).is_err());
    /// ```
    pub fn adaptive(flow: F, scheme: Scheme) -> Result<Self> {
        if scheme.tableau().e.is_empty() {
            return Err(Error::Setting {
                name: "scheme",
                why: "has no embedded error estimate",
            });
        }
        Ok(Self::with(flow, scheme, Self::usual()))
    }

    fn usual() -> Control<T> {
        let loose = T::epsilon().as_f64() > 1e-10;
        Control::Adaptive {
            relative: T::lit(if loose { 1e-4 } else { 1e-6 }),
            absolute: T::lit(if loose { 1e-6 } else { 1e-8 }),
        }
    }

    /// Other tolerances; makes a fixed step adaptive where the scheme can. For small starts atol must be small against them: x₀ = α^L
    /// in the flows in x, u₀ = α in those in u.
    ///
    /// # Errors
    /// [`Error::Setting`] unless both are positive and finite, or for a scheme without an error estimate.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::RungeKutta};
    /// assert!(RungeKutta::dormand_prince(GradientFlow::new()).with_tolerances(0.0, 1e-9).is_err());
    /// ```
    pub fn with_tolerances(mut self, relative: T, absolute: T) -> Result<Self> {
        check_positive("relative tolerance", relative)?;
        check_positive("absolute tolerance", absolute)?;
        if self.scheme.tableau().e.is_empty() {
            return Err(Error::Setting {
                name: "scheme",
                why: "has no embedded error estimate",
            });
        }
        self.control = Control::Adaptive { relative, absolute };
        Ok(self)
    }

    /// No step longer than this.
    ///
    /// # Errors
    /// [`Error::Setting`] unless positive and finite.
    ///
    /// ```
    /// use reparam::{flows::GradientFlow, integrators::RungeKutta};
    /// assert!(RungeKutta::dormand_prince(GradientFlow::new()).with_largest_step(0.5).is_ok());
    /// ```
    pub fn with_largest_step(mut self, step: T) -> Result<Self> {
        check_step(step)?;
        self.largest = Some(step);
        Ok(self)
    }

    /// One attempt with step h: the trial state, its slope and evaluation in the path.
    fn attempt(&mut self, lifted: &mut Lifted<'_, T>, next: &mut Point<T>, h: T) -> Result<Trial> {
        let tableau = self.scheme.tableau();
        let path = &mut self.path;
        self.stages[0].copy_from_slice(&path.slope);
        let last = tableau.stages() - usize::from(tableau.first_same_as_last);
        for i in 1..last {
            let (known, rest) = self.stages.split_at_mut(i);
            combine(&path.y, h, tableau.a[i], known, &mut path.trial);
            let t = path.t + T::lit(tableau.c[i]) * h;
            let trial = evaluate(
                &mut self.flow,
                lifted,
                t,
                &path.y,
                &path.trial,
                next,
                &mut rest[0],
            )?;
            if trial != Trial::Fine {
                return Ok(trial);
            }
        }
        combine(&path.y, h, tableau.b, &self.stages[..last], &mut path.trial);
        let trial = evaluate(
            &mut self.flow,
            lifted,
            path.t + h,
            &path.y,
            &path.trial,
            next,
            &mut path.trial_slope,
        )?;
        if trial == Trial::Fine && tableau.first_same_as_last {
            self.stages[last].copy_from_slice(&path.trial_slope);
        }
        Ok(trial)
    }

    /// The estimated error of the trial state, in units of the tolerances.
    fn trial_error(&self, h: T, relative: T, absolute: T) -> T {
        let e = self.scheme.tableau().e;
        let n = self.path.y.len();
        let mut sum = T::zero();
        for j in 0..n {
            let mut error = T::zero();
            for (w, k) in e.iter().zip(&self.stages) {
                error += T::lit(*w) * k[j];
            }
            let size = self.path.y[j].abs().max(self.path.trial[j].abs());
            let scaled = h * error / (absolute + relative * size);
            sum += scaled * scaled;
        }
        (sum / T::count(n.max(1))).sqrt()
    }

    /// A first step from the sizes of y, v and the change of v (Hairer, Nørsett & Wanner, II.4).
    fn first_step(
        &mut self,
        lifted: &mut Lifted<'_, T>,
        next: &mut Point<T>,
        relative: T,
        absolute: T,
    ) -> Result<T> {
        let norm = |v: &[T], y: &[T]| -> T {
            let s: T = v
                .iter()
                .zip(y)
                .map(|(v, y)| {
                    let q = *v / (absolute + relative * y.abs());
                    q * q
                })
                .sum();
            (s / T::count(v.len().max(1))).sqrt()
        };
        let path = &mut self.path;
        let (d0, d1) = (norm(&path.y, &path.y), norm(&path.slope, &path.y));
        let small = T::lit(1e-6);
        let mut h0 = if d0 < T::lit(1e-5) || d1 < T::lit(1e-5) {
            small
        } else {
            T::lit(0.01) * d0 / d1
        };
        let largest = self.largest.unwrap_or_else(T::infinity);
        h0 = h0.min(largest);
        for j in 0..path.y.len() {
            path.trial[j] = path.y[j] + h0 * path.slope[j];
        }
        let trial = evaluate(
            &mut self.flow,
            lifted,
            path.t + h0,
            &path.y,
            &path.trial,
            next,
            &mut path.trial_slope,
        )?;
        if trial != Trial::Fine {
            return Ok(h0 * T::lit(0.1));
        }
        for j in 0..path.y.len() {
            path.trial_slope[j] -= path.slope[j];
        }
        let d2 = norm(&path.trial_slope, &path.y) / h0;
        let order = T::lit(f64::from(self.scheme.tableau().order));
        let top = d1.max(d2);
        let h1 = if top <= T::lit(1e-15) {
            small.max(h0 * T::lit(1e-3))
        } else {
            (T::lit(0.01) / top).powf(T::one() / order)
        };
        Ok((T::lit(100.0) * h0).min(h1).min(largest))
    }

    fn accept(&mut self, h: T, cut: bool, next: Point<T>, point: &mut Point<T>) {
        let dense = self.scheme.tableau().dense;
        if !dense.is_empty() {
            self.path.quartic.resize(self.path.y.len(), T::zero());
            for j in 0..self.path.y.len() {
                let mut q = T::zero();
                for (w, k) in dense.iter().zip(&self.stages) {
                    q += T::lit(*w) * k[j];
                }
                self.path.quartic[j] = h * q;
            }
        }
        self.path.next = Some(next);
        let t = self.path.reached(h, cut);
        self.path.accept(t, point);
    }
}

/// out ← y + h Σ w_i k_i
pub(super) fn combine<T: Scalar>(y: &[T], h: T, weights: &[f64], k: &[Vec<T>], out: &mut [T]) {
    out.copy_from_slice(y);
    for (w, k) in weights.iter().zip(k) {
        if *w != 0.0 {
            crate::linalg::axpy(h * T::lit(*w), k, out);
        }
    }
}

/// The factor by which the next step differs: PI control after Hairer & Wanner, clipped to [1/5, 5].
pub(super) fn next_factor<T: Scalar>(error: T, before: T, order: u32) -> T {
    let k = T::lit(f64::from(order));
    let beta = T::lit(0.4) / k;
    let alpha = T::one() / k - T::lit(0.75) * beta;
    let error = error.max(T::lit(1e-10));
    let factor = T::lit(0.9) * error.powf(-alpha) * before.max(T::lit(1e-4)).powf(beta);
    factor.max(T::lit(0.2)).min(T::lit(5.0))
}

impl<T: Scalar, F: Flow<T>> Method<T> for RungeKutta<T, F> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        self.scheme.name()
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let mut next = self.path.next.take().unwrap_or_else(|| point.clone());
        let (relative, absolute) = match self.control {
            Control::Fixed(h) => {
                let (h, cut) = self.path.cut(self.largest.map_or(h, |most| h.min(most)));
                return Ok(match self.attempt(lifted, &mut next, h)? {
                    Trial::Fine => {
                        self.accept(h, cut, next, point);
                        Step::Moved
                    }
                    refused => {
                        self.path.next = Some(next);
                        if refused == Trial::Outside {
                            Step::LeftDomain
                        } else {
                            Step::NotFinite
                        }
                    }
                });
            }
            Control::Adaptive { relative, absolute } => (relative, absolute),
        };
        let mut h = match self.proposed {
            Some(h) => h,
            None => self.first_step(lifted, &mut next, relative, absolute)?,
        };
        let order = self.scheme.tableau().embedded + 1;
        let mut rejected = false;
        let mut outcome = Step::Stalled;
        for _ in 0..100 {
            h = self.largest.map_or(h, |largest| h.min(largest));
            // (of t = 0 too: a step that does not change y moves nothing)
            if h <= T::lit(4.0) * T::epsilon() * self.path.t.abs() || h <= T::min_positive_value() {
                break;
            }
            let (step, cut) = self.path.cut(h);
            match self.attempt(lifted, &mut next, step)? {
                Trial::Fine => {}
                refused => {
                    outcome = if refused == Trial::Outside {
                        Step::LeftDomain
                    } else {
                        Step::NotFinite
                    };
                    h = step * T::lit(0.25);
                    rejected = true;
                    continue;
                }
            }
            let error = self.trial_error(step, relative, absolute);
            if error <= T::one() {
                let mut factor = next_factor(error, self.error, order);
                if rejected {
                    factor = factor.min(T::one());
                }
                self.error = error;
                // a step cut short by the end says little about the next
                let proposal = step * factor;
                self.proposed = Some(if cut { proposal.max(h) } else { proposal });
                self.accept(step, cut, next, point);
                return Ok(Step::Moved);
            }
            outcome = Step::Stalled;
            rejected = true;
            let k = T::one() / T::lit(f64::from(order));
            h = step * (T::lit(0.9) * error.powf(-k)).max(T::lit(0.1)).min(T::lit(0.9));
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

impl<T: Scalar, F: Flow<T>> Integrator<T> for RungeKutta<T, F> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if self.path.begin(&mut self.flow, lifted, point)? {
            let n = self.path.y.len();
            self.stages = vec![vec![T::zero(); n]; self.scheme.tableau().stages()];
        }
        Ok(())
    }
    super::path::along_path!();
}
