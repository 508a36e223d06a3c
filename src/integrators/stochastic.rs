//! Stochastic gradients: one row of A at a time.

use super::Integrator;
use crate::flows::check_depth;
use crate::lifted::{Lifted, Point};
use crate::linalg::{axpy, dot};
use crate::methods::{Method, Step};
use crate::operators::{SparseColumns, checked_sparse};
use crate::steps::{Backtracking, Decaying};
use crate::{Error, Result, Scalar};

/// How steps of sampled rows are accelerated.
///
/// ```
/// use reparam::integrators::Acceleration;
/// assert_eq!(Acceleration::<f64>::default(), Acceleration::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Acceleration<T> {
    /// u₊ = u − η s G(u).
    #[default]
    None,
    /// u₊ = v − η s G(v), v₊ = u₊ + β(u₊ − u).
    Nesterov {
        /// β, 0 ≤ β < 1.
        momentum: T,
    },
    /// Two sequences, with a long and a short step:
    ///
    /// ```text
    /// a = 1 − 0.49 ξ/κ      w₊ = a w + (1−a)(u − (κη/0.7) s G(u))
    /// u₊ = [0.7 (u − η s G(u)) + (1−a) w₊]/(0.7 + (1−a))
    /// ```
    ///
    /// (Jain, Kakade, Kidambi, Netrapalli & Sidford, COLT 2018; in this form Kidambi, Netrapalli, Jain & Kakade, ICLR 2018.)
    Accelerated {
        /// κ ≥ 1, the long step in units of the short one: about the condition number.
        long_step: T,
        /// ξ, the statistical advantage, 1 ≤ ξ ≤ √κ.
        advantage: T,
    },
}

/// Stochastic gradient descent on f∘φ for f = Σᵢ ℓᵢ(aᵢᵀx + aᵢ₀): each update uses one row, sampled with replacement.
///
/// ```text
/// G(u) = Jᵀ( m ℓᵢ′(aᵢᵀx) aᵢ + λx + c ),  i uniform: E G = ∇F      s = 1, or 1/L per factor
/// ```
///
/// One step of the integrator is a number of updates (by default m: a pass over the rows), after which f, ∇f and the residual are
/// evaluated in full. t counts passes: updates/m. The generator is seeded: the same seed, the same run.
///
/// Rows come from the matrix where it is dense, compressed by rows, or sparse in any order (then a copy by rows is made once); a
/// matrix known by products only is refused. The loss must offer its [derivative by row](crate::losses::Loss::derivative).
///
/// On inconsistent data a constant η ends in a cloud of radius O(√η) around the solution; the run then ends with a limit. η must be
/// about m times smaller than for full gradients where one row can be as large as all.
///
/// Two remedies, alone or together: steps that [decay](Self::decaying), η/(k+2)^γ with k the updates so far, and an [epoch
/// rule](Self::with_epoch_rule): f is known in full after each step of the integrator anyway. Where it has risen, the epoch is undone, its
/// η halved; else η grows.
///
/// ```
/// use reparam::{Integrate, integrators::StochasticGradient, maps::Squares, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0; 1.0, -1.0];
/// let f = LeastSquares::new(&a, &[2.0, 2.5, -1.0]).unwrap(); // x = (1, 2)
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(StochasticGradient::new(0.01, 1).unwrap()).start_u0(0.5).tolerance(1e-6).run().unwrap();
/// assert!(run.solution.status.is_solved());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StochasticGradient<T> {
    rule: Decaying<T>,
    control: Option<Backtracking>,
    /// What the epoch rule multiplies η by.
    factor: T,
    scale: T,
    acceleration: Acceleration<T>,
    updates: Option<usize>,
    seed: u64,
    begun: bool,
    generator: u64,
    done: u64,
    /// Under the epoch rule: a permutation of the rows, and how many of it were used.
    order: Vec<usize>,
    cursor: usize,
    per_step: usize,
    rows: usize,
    by_copy: bool,
    #[cfg_attr(feature = "serde", serde(skip))]
    copy: Option<Rows<T>>,
    u: Vec<T>,
    other: Vec<T>,
    gradient: Vec<T>,
    x: Vec<T>,
    row: Vec<T>,
    next: Option<Point<T>>,
}

/// A sparse matrix by rows.
#[derive(Debug, Clone, PartialEq)]
struct Rows<T> {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<T>,
}

impl<T: Scalar> Rows<T> {
    fn of(a: &SparseColumns<T>, rows: usize, columns: usize) -> Self {
        let mut starts = vec![0; rows + 1];
        for j in 0..columns {
            for i in a.entries(j).0 {
                starts[*i as usize + 1] += 1;
            }
        }
        for i in 0..rows {
            starts[i + 1] += starts[i];
        }
        let mut at = starts.clone();
        let entries = starts[rows];
        let (mut indices, mut values) = (vec![0; entries], vec![T::zero(); entries]);
        for j in 0..columns {
            let (rows, column) = a.entries(j);
            for (i, v) in rows.iter().zip(column) {
                let k = &mut at[*i as usize];
                indices[*k] = u32::try_from(j).unwrap_or(u32::MAX);
                values[*k] = *v;
                *k += 1;
            }
        }
        Self {
            starts,
            columns: indices,
            values,
        }
    }

    fn row(&self, i: usize, out: &mut [T]) {
        out.fill(T::zero());
        let span = self.starts[i]..self.starts[i + 1];
        for (j, v) in self.columns[span.clone()].iter().zip(&self.values[span]) {
            out[*j as usize] += *v;
        }
    }
}

impl<T: Scalar> StochasticGradient<T> {
    /// With the step η of the full gradient, and a seed.
    ///
    /// # Errors
    /// [`Error::Setting`] unless η is positive and finite.
    ///
    /// ```
    /// assert!(reparam::integrators::StochasticGradient::new(0.0, 1).is_err());
    /// ```
    pub fn new(step: T, seed: u64) -> Result<Self> {
        Ok(Self::decaying(Decaying::new(step, T::zero())?, seed))
    }

    /// With steps that decay, update by update, and a seed.
    ///
    /// Source: Robbins & Monro, Ann. Math. Statist. 1951.
    ///
    /// ```
    /// use reparam::{Integrate, integrators::StochasticGradient, maps::Squares, objectives::LeastSquares, steps::Decaying};
    /// let a = nalgebra::dmatrix![1.0_f64; 1.0; 1.0]; // three rows that do not agree: x = 2
    /// let excess = |sgd| Integrate::new(LeastSquares::new(&a, &[1.0, 2.0, 3.0]).unwrap(), Squares::new(1)).unwrap()
    ///     .integrator(sgd).start_u0(1.0).ignore_residual().max_iterations(500).run().unwrap().solution.objective - 1.0;
    /// let decaying: f64 = (1..=8).map(|seed| excess(StochasticGradient::decaying(Decaying::new(0.05, 0.6).unwrap(), seed))).sum();
    /// let constant: f64 = (1..=8).map(|seed| excess(StochasticGradient::new(0.05, seed).unwrap())).sum();
    /// assert!(decaying < 0.5 * constant); // the cloud shrinks
    /// ```
    pub fn decaying(rule: Decaying<T>, seed: u64) -> Self {
        Self {
            rule,
            control: None,
            factor: T::one(),
            scale: T::one(),
            acceleration: Acceleration::None,
            updates: None,
            seed,
            begun: false,
            generator: seed,
            done: 0,
            order: Vec::new(),
            cursor: 0,
            per_step: 0,
            rows: 0,
            by_copy: false,
            copy: None,
            u: Vec::new(),
            other: Vec::new(),
            gradient: Vec::new(),
            x: Vec::new(),
            row: Vec::new(),
            next: None,
        }
    }

    /// With the epoch rule: η times a factor, by [`Backtracking::noisy`]. Where f has risen over an epoch (a step of the integrator), that is
    /// undone, the momentum dropped and the factor halved; else it is doubled at first, later grown by a tenth.
    ///
    /// Rows are then drawn without replacement, pass by pass, from a permutation that is shuffled anew for each: short steps of a whole pass
    /// add up to a step along the full gradient, and f falls. (With replacement f may rise however short the steps are, and η would go to zero. For
    /// the same reason the rule needs whole passes: do not change [`with_updates_per_step`](Self::with_updates_per_step).)
    ///
    /// Source: Battiti, Complex Systems 1989 (the "bold driver").
    ///
    /// ```
    /// use reparam::{Integrate, integrators::StochasticGradient, maps::Squares, objectives::LeastSquares};
    /// let a = nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0; 1.0, -1.0];
    /// for first in [10.0, 1e-5] {
    ///     let sgd = StochasticGradient::new(first, 1).unwrap().with_epoch_rule();
    ///     let run = Integrate::new(LeastSquares::new(&a, &[2.0, 2.5, -1.0]).unwrap(), Squares::new(2)).unwrap()
    ///         .integrator(sgd).start_u0(0.5).tolerance(1e-6).run().unwrap();
    ///     assert!(run.solution.status.is_solved());
    /// }
    /// ```
    pub fn with_epoch_rule(mut self) -> Self {
        self.control = Some(Backtracking::noisy());
        self
    }

    /// η of the next update.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::StochasticGradient::new(0.1, 1).unwrap().eta(), 0.1);
    /// ```
    pub fn eta(&self) -> T {
        self.factor * self.rule.at(usize::try_from(self.done).unwrap_or(usize::MAX - 2))
    }

    /// With the gradient of each of L identical factors, ∇F/L.
    ///
    /// # Errors
    /// [`Error::Setting`] for L < 2.
    ///
    /// ```
    /// assert!(reparam::integrators::StochasticGradient::new(0.1, 1).unwrap().per_factor(1).is_err());
    /// ```
    pub fn per_factor(mut self, depth: u32) -> Result<Self> {
        check_depth(depth)?;
        self.scale = T::one() / T::lit(f64::from(depth));
        Ok(self)
    }

    /// Accelerated.
    ///
    /// # Errors
    /// [`Error::Setting`] for parameters out of the ranges stated at [`Acceleration`].
    ///
    /// ```
    /// use reparam::integrators::{Acceleration, StochasticGradient};
    /// let sgd = || StochasticGradient::new(0.1, 1).unwrap();
    /// assert!(sgd().with_acceleration(Acceleration::Nesterov { momentum: 0.9 }).is_ok());
    /// assert!(sgd().with_acceleration(Acceleration::Accelerated { long_step: 4.0, advantage: 3.0 }).is_err());
    /// ```
    pub fn with_acceleration(mut self, acceleration: Acceleration<T>) -> Result<Self> {
        let one = T::one();
        let (name, why, fine) = match acceleration {
            Acceleration::None => ("acceleration", "", true),
            Acceleration::Nesterov { momentum } => (
                "momentum",
                "must be in [0, 1)",
                momentum >= T::zero() && momentum < one,
            ),
            Acceleration::Accelerated { long_step, advantage } => (
                "accelerated SGD",
                "needs 1 ≤ advantage ≤ √(long step), all finite",
                long_step.is_finite() && advantage >= one && advantage * advantage <= long_step,
            ),
        };
        if !fine {
            return Err(Error::Setting { name, why });
        }
        self.acceleration = acceleration;
        Ok(self)
    }

    /// This many updates per step.
    ///
    /// # Errors
    /// [`Error::Setting`] for 0.
    ///
    /// ```
    /// assert!(reparam::integrators::StochasticGradient::new(0.1, 1).unwrap().with_updates_per_step(0).is_err());
    /// ```
    pub fn with_updates_per_step(mut self, updates: usize) -> Result<Self> {
        if updates == 0 {
            return Err(Error::Setting {
                name: "updates per step",
                why: "must be at least 1",
            });
        }
        self.updates = Some(updates);
        Ok(self)
    }

    /// Row i of A, its ℓᵢ′ at x, and the gradient of the sampled objective in `self.row`.
    fn sample(&mut self, lifted: &mut Lifted<'_, T>, at_other: bool, i: usize) -> Result<()> {
        let position = if at_other { &self.other } else { &self.u };
        lifted.apply_map(position, &mut self.x);
        let Some(view) = lifted.objective().composite() else {
            return Err(not_rows());
        };
        match &self.copy {
            Some(copy) => copy.row(i, &mut self.row),
            None if view.operator.row(i, &mut self.row) => {}
            None => return Err(not_rows()),
        }
        let z = dot(&self.row, &self.x) + view.offset.map_or_else(T::zero, |a| a[i]);
        let slope = view.loss.derivative(i, z).ok_or(Error::Setting {
            name: "stochastic gradients",
            why: "need a loss that offers its derivative by row",
        })?;
        let weight = slope * T::count(self.rows);
        self.row.iter_mut().for_each(|v| *v *= weight);
        if view.ridge > T::zero() {
            axpy(view.ridge, &self.x, &mut self.row);
        }
        if let Some(c) = view.linear {
            axpy(T::one(), c, &mut self.row);
        }
        lifted.pull_back(position, &self.row, &mut self.gradient);
        Ok(())
    }

    fn update(&mut self, lifted: &mut Lifted<'_, T>, i: usize) -> Result<()> {
        let s = self.eta() * self.scale;
        match self.acceleration {
            Acceleration::None => {
                self.sample(lifted, false, i)?;
                axpy(-s, &self.gradient, &mut self.u);
            }
            Acceleration::Nesterov { momentum } => {
                // `other` is v
                self.sample(lifted, true, i)?;
                for j in 0..self.u.len() {
                    let ahead = self.other[j] - s * self.gradient[j];
                    self.other[j] = ahead + momentum * (ahead - self.u[j]);
                    self.u[j] = ahead;
                }
            }
            Acceleration::Accelerated { long_step, advantage } => {
                // `other` is w
                self.sample(lifted, false, i)?;
                let short = T::lit(0.7);
                let rest = T::lit(0.49) * advantage / long_step; // 1 − a
                for j in 0..self.u.len() {
                    let (u, g) = (self.u[j], self.gradient[j]);
                    let long = u - long_step / short * s * g;
                    self.other[j] = (T::one() - rest) * self.other[j] + rest * long;
                    self.u[j] = (short * (u - s * g) + rest * self.other[j]) / (short + rest);
                }
            }
        }
        Ok(())
    }

    /// The updates of one step, and f after them; whether all is finite.
    fn epoch(&mut self, lifted: &mut Lifted<'_, T>, next: &mut Point<T>) -> Result<bool> {
        let mut generator = fastrand::Rng::with_seed(self.generator);
        for _ in 0..self.per_step {
            let i = if self.control.is_none() {
                generator.usize(..self.rows)
            } else {
                if self.cursor == 0 {
                    generator.shuffle(&mut self.order);
                }
                let i = self.order[self.cursor];
                self.cursor = (self.cursor + 1) % self.rows;
                i
            };
            self.update(lifted, i)?;
            self.done += 1;
        }
        self.generator = generator.get_seed();
        lifted.counts.passes += 2.0 * self.per_step as f64 / self.rows as f64;
        next.u.copy_from_slice(&self.u);
        if next.u.iter().any(|v| !v.is_finite()) {
            return Ok(false);
        }
        lifted.evaluate(next)?;
        Ok(next.is_finite())
    }

    /// The rows, if the objective has any.
    fn find_rows(&mut self, lifted: &mut Lifted<'_, T>) -> Result<()> {
        let n = lifted.map().dim_x();
        let Some(view) = lifted.objective().composite() else {
            return Err(not_rows());
        };
        self.rows = view.operator.rows();
        self.row.resize(n, T::zero());
        self.copy = None;
        self.by_copy = !view.operator.row(0, &mut self.row);
        if self.by_copy {
            let columns = checked_sparse(view.operator)?.ok_or_else(not_rows)?;
            self.copy = Some(Rows::of(&columns, self.rows, n));
        }
        Ok(())
    }
}

fn not_rows() -> Error {
    Error::Setting {
        name: "stochastic gradients",
        why: "need an objective ℓ(Ax) whose A gives its rows (dense or sparse)",
    }
}

impl<T: Scalar> Method<T> for StochasticGradient<T> {
    fn is_dynamics(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        match self.acceleration {
            Acceleration::None => "stochastic gradients",
            Acceleration::Nesterov { .. } => "stochastic gradients with momentum",
            Acceleration::Accelerated { .. } => "accelerated stochastic gradients",
        }
    }

    fn step(&mut self, lifted: &mut Lifted<'_, T>, point: &mut Point<T>, _h: &[T]) -> Result<Step> {
        self.begin(lifted, point)?;
        let rows = lifted.objective().composite().map(|view| view.operator.rows());
        if rows != Some(self.rows) {
            return Err(Error::Setting {
                name: "stochastic gradients",
                why: "began on a problem with another number of rows",
            });
        }
        if self.by_copy && self.copy.is_none() {
            self.find_rows(lifted)?; // a snapshot that was read from a file has no copy of the rows
        }
        let mut next = self.next.take().unwrap_or_else(|| point.clone());
        let mut outcome = Step::Stalled;
        for _ in 0..200 {
            let fine = self.epoch(lifted, &mut next)?;
            outcome = if fine { Step::Moved } else { Step::NotFinite };
            let Some(control) = &mut self.control else { break };
            // (of two values that differ by a rounding neither is the larger)
            let noise = T::lit(4.0) * T::epsilon() * point.value.abs();
            if fine && next.value <= point.value + noise {
                self.factor = control.accepted(self.factor);
                break;
            }
            outcome = Step::Stalled;
            self.factor = control.refused(self.factor);
            self.done -= self.per_step as u64;
            self.u.copy_from_slice(&point.u);
            self.other.copy_from_slice(&point.u);
        }
        if outcome == Step::Moved {
            std::mem::swap(point, &mut next);
        }
        self.next = Some(next);
        Ok(outcome)
    }

    fn reset(&mut self) {
        self.begun = false;
    }
}

impl<T: Scalar> Integrator<T> for StochasticGradient<T> {
    fn begin(&mut self, lifted: &mut Lifted<'_, T>, point: &Point<T>) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.find_rows(lifted)?;
        self.begun = true;
        self.generator = self.seed;
        self.done = 0;
        self.factor = T::one();
        if let Some(control) = &mut self.control {
            control.reset();
            self.order = (0..self.rows).collect();
            self.cursor = 0;
        }
        self.per_step = self.updates.unwrap_or(self.rows);
        self.u = point.u.clone();
        self.other = point.u.clone();
        self.gradient = point.u.clone();
        self.x = point.x.clone();
        self.next = Some(point.clone());
        // (whether the loss takes part is known after one row)
        self.sample(lifted, false, 0)
    }
    fn time(&self) -> T {
        if self.rows == 0 {
            T::zero()
        } else {
            T::lit(self.done as f64 / self.rows as f64)
        }
    }
    fn step_size(&self) -> T {
        if self.done == 0 {
            T::nan()
        } else {
            T::count(self.per_step) / T::count(self.rows)
        }
    }
}
