//! The state that every integrator of a differential equation keeps: y, the slope there, and the last step for interpolation.

use crate::flows::{Flow, Trial, place};
use crate::lifted::{Lifted, Point};
use crate::{Error, Result, Scalar};

/// The methods that are the same for every integrator with a `flow` and a `path`.
macro_rules! along_path {
    () => {
        fn time(&self) -> T {
            self.path.t
        }
        fn step_size(&self) -> T {
            self.path.step_size()
        }
        fn stop_at(&mut self, time: T) {
            // none, not ∞: a snapshot in JSON has no such number
            self.path.limit = time.is_finite().then_some(time);
        }
        fn second(&self) -> Option<&[T]> {
            self.flow.second(&self.path.y)
        }
        fn interpolate(
            &mut self,
            lifted: &mut Lifted<'_, T>,
            time: T,
            at: &mut Point<T>,
            second: &mut Vec<T>,
        ) -> Result<bool> {
            self.path.interpolate(&self.flow, lifted, time, at, second)
        }
    };
}
pub(super) use along_path;

#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Path<T> {
    pub(crate) begun: bool,
    pub(crate) t: T,
    /// y(t) and v(t, y).
    pub(crate) y: Vec<T>,
    pub(crate) slope: Vec<T>,
    /// The same one step earlier.
    t_before: Option<T>,
    y_before: Vec<T>,
    slope_before: Vec<T>,
    /// What a better interpolation adds to the cubic Hermite polynomial, times θ²(1−θ)²; empty: nothing.
    pub(crate) quartic: Vec<T>,
    /// A trial state, its slope, its evaluation.
    pub(crate) trial: Vec<T>,
    pub(crate) trial_slope: Vec<T>,
    pub(crate) next: Option<Point<T>>,
    pub(crate) limit: Option<T>,
    /// The state between two steps.
    between: Vec<T>,
}

impl<T: Scalar> Path<T> {
    pub(crate) fn new() -> Self {
        Self {
            begun: false,
            t: T::zero(),
            y: Vec::new(),
            slope: Vec::new(),
            t_before: None,
            y_before: Vec::new(),
            slope_before: Vec::new(),
            quartic: Vec::new(),
            trial: Vec::new(),
            trial_slope: Vec::new(),
            next: None,
            limit: None,
            between: Vec::new(),
        }
    }

    /// y(t₀) and its slope; true when this is the beginning.
    pub(crate) fn begin<F: Flow<T> + ?Sized>(
        &mut self,
        flow: &mut F,
        lifted: &mut Lifted<'_, T>,
        point: &Point<T>,
    ) -> Result<bool> {
        if self.begun {
            return Ok(false);
        }
        flow.check(lifted, point)?;
        let len = flow.state_len(point.u.len(), point.x.len());
        for v in [
            &mut self.y,
            &mut self.slope,
            &mut self.y_before,
            &mut self.slope_before,
            &mut self.trial,
            &mut self.trial_slope,
            &mut self.between,
        ] {
            v.clear();
            v.resize(len, T::zero());
        }
        self.t = flow.start_time();
        self.t_before = None;
        flow.initial(point, &mut self.y);
        flow.velocity(lifted, self.t, &self.y, point, &mut self.slope)?;
        self.next = Some(point.clone());
        self.begun = true;
        Ok(true)
    }

    /// The step, or what is left of the way to the limit; whether it was cut (or stretched by a rounding) to that.
    pub(crate) fn cut(&self, h: T) -> (T, bool) {
        match self.limit {
            // a rest of a few roundings would be a step of its own
            Some(limit) if limit > self.t && self.t + h * T::lit(1.0 + 1e-9) >= limit => {
                (limit - self.t, true)
            }
            _ => (h, false),
        }
    }

    /// t + h, exactly the limit when the step was cut to it.
    pub(crate) fn reached(&self, h: T, cut: bool) -> T {
        match self.limit {
            Some(limit) if cut => limit,
            _ => self.t + h,
        }
    }

    /// The trial state becomes the state, its evaluation the point.
    pub(crate) fn accept(&mut self, t: T, point: &mut Point<T>) {
        self.t_before = Some(self.t);
        self.t = t;
        std::mem::swap(&mut self.y_before, &mut self.y);
        std::mem::swap(&mut self.y, &mut self.trial);
        std::mem::swap(&mut self.slope_before, &mut self.slope);
        std::mem::swap(&mut self.slope, &mut self.trial_slope);
        if let Some(next) = &mut self.next {
            std::mem::swap(point, next);
        }
    }

    pub(crate) fn step_size(&self) -> T {
        self.t_before.map_or_else(T::nan, |t| self.t - t)
    }

    /// The evaluated point at a time within the last step.
    ///
    /// ```text
    /// y(θ) = y₀ + θ[ Δ + (1−θ)( h v₀ − Δ + θ(2Δ − h v₀ − h v₁) ) ] + θ²(1−θ)² q      Δ = y₁ − y₀
    /// ```
    pub(crate) fn interpolate<F: Flow<T> + ?Sized>(
        &mut self,
        flow: &F,
        lifted: &mut Lifted<'_, T>,
        time: T,
        at: &mut Point<T>,
        second: &mut Vec<T>,
    ) -> Result<bool> {
        let Some(from) = self.t_before.filter(|t| *t <= time && time <= self.t) else {
            return Ok(false);
        };
        let h = self.t - from;
        let theta = (time - from) / h;
        let rest = T::one() - theta;
        let square = theta * theta * rest * rest;
        for j in 0..self.y.len() {
            let (y0, v0) = (self.y_before[j], h * self.slope_before[j]);
            let (d, v1) = (self.y[j] - y0, h * self.slope[j]);
            let inner = v0 - d + theta * (d + d - v0 - v1);
            let mut value = y0 + theta * (d + rest * inner);
            if let Some(q) = self.quartic.get(j) {
                value += square * *q;
            }
            self.between[j] = value;
        }
        if place(flow, lifted, &self.between, at)? != Trial::Fine {
            // the polynomial may overshoot where the path does not: the chord cannot
            for j in 0..self.y.len() {
                self.between[j] = self.y_before[j] + theta * (self.y[j] - self.y_before[j]);
            }
            if place(flow, lifted, &self.between, at)? != Trial::Fine {
                return Ok(false);
            }
        }
        second.clear();
        if let Some(s) = flow.second(&self.between) {
            second.extend_from_slice(s);
        }
        Ok(true)
    }
}

/// One length is asked to be positive and finite.
pub(crate) fn check_step<T: Scalar>(step: T) -> Result<()> {
    crate::checks::check_positive("step", step)
}

/// f(x₊) − f(v) − ⟨∇f(v), x₊ − v⟩, or where values are too rough for it an upper bound (of convex f), and what rounding makes of it.
pub(crate) fn curvature_along<T: Scalar>(
    lifted: &mut Lifted<'_, T>,
    from: &Point<T>,
    to: &Point<T>,
) -> (T, T) {
    let along = |g: &[T]| -> T {
        g.iter()
            .zip(to.x.iter().zip(&from.x))
            .map(|(g, (b, a))| *g * (*b - *a))
            .sum()
    };
    let slope = along(&from.g);
    let turned = along(&to.g) - slope;
    if lifted.objective().quadratic() {
        return (T::lit(0.5) * turned, T::zero());
    }
    let noise = T::lit(8.0) * T::epsilon() * (from.value.abs() + to.value.abs());
    let direct = to.value - from.value - slope;
    if direct.abs() > noise {
        (direct, T::zero())
    } else {
        (turned, noise)
    }
}

/// Whether the state is the position alone, or a typed error.
pub(crate) fn require_first_order<T: Scalar, F: Flow<T> + ?Sized>(flow: &F, point: &Point<T>) -> Result<()> {
    if flow.gradient_scale().is_some()
        && flow.state_len(point.u.len(), point.x.len())
            == match flow.space() {
                crate::flows::Space::U => point.u.len(),
                crate::flows::Space::X => point.x.len(),
            }
    {
        Ok(())
    } else {
        Err(Error::Setting {
            name: "step rule",
            why: "is made for gradient flows",
        })
    }
}
