//! x′ = (2/t)(y − x), y′ = −(t/2) y∘∇f(x).

use super::{Flow, Space, require_squares};
use crate::checks::check_positive;
use crate::lifted::{Lifted, Point};
use crate::{Result, Scalar};

/// The accelerated mirror flow on x ≥ 0 with the entropy, L = 2.
///
/// ```text
/// x′ = (2/t)(y − x)      y′ = −(t/2) y∘∇f(x)                x = y = x₀ at t₀
/// with ζ = log y:        ζ′ = −(t/2) ∇f(x)                  (the form that cannot leave y > 0)
/// V(t) = (t²/4)(f(x) − f(z)) + KL(z, y) decreases, so that f(x(t)) − f(z) ≤ 4·V(t₀)/t²,  V(t₀) = KL(z, x₀) + O(t₀²)
/// ```
///
/// The state is (x, y), or (x, ζ) after [`logarithmic`](Self::logarithmic); [`second`](Flow::second) is y in the first. For the map
/// [`Squares`](crate::maps::Squares).
///
/// Source: Krichene, Bayen & Bartlett, NeurIPS 2015; Chou et al., AISTATS 2025, for this pair.
///
/// ```
/// use reparam::{Integrate, flows::MirrorFlow, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
/// let a = nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0];
/// let f = LeastSquares::new(&a, &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(RungeKutta::dormand_prince(MirrorFlow::new()))
///     .start_x0(0.1).ignore_residual().until_time(20.0).run().unwrap();
/// let kl: f64 = 2.0 * (2.0 / 3.0 * (20.0_f64 / 3.0).ln() - 2.0 / 3.0 + 0.1);
/// assert!(run.solution.objective <= 4.0 * kl / 400.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MirrorFlow<T> {
    start: T,
    logarithmic: bool,
}

impl<T: Scalar> Default for MirrorFlow<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Scalar> MirrorFlow<T> {
    /// With the state (x, y), from t₀ = 1e-3.
    ///
    /// ```
    /// use reparam::flows::{Flow, MirrorFlow};
    /// assert_eq!(MirrorFlow::<f64>::new().start_time(), 1e-3);
    /// ```
    pub fn new() -> Self {
        Self {
            start: T::lit(1e-3),
            logarithmic: false,
        }
    }

    /// With the state (x, ζ), ζ = log y.
    ///
    /// ```
    /// use reparam::flows::{Flow, MirrorFlow};
    /// let flow = MirrorFlow::<f64>::new().logarithmic();
    /// assert!(flow.second(&[1.0, 0.0]).is_none()); // ζ is no point of the set
    /// ```
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// From another t₀ > 0.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless t₀ is positive and finite.
    ///
    /// ```
    /// assert!(reparam::flows::MirrorFlow::new().starting_at(-1.0).is_err());
    /// ```
    pub fn starting_at(mut self, t: T) -> Result<Self> {
        check_positive("start time", t)?;
        self.start = t;
        Ok(self)
    }
}

impl<T: Scalar> Flow<T> for MirrorFlow<T> {
    fn name(&self) -> &'static str {
        "accelerated mirror flow"
    }
    fn start_time(&self) -> T {
        self.start
    }
    fn space(&self) -> Space {
        Space::X
    }
    fn state_len(&self, _p: usize, n: usize) -> usize {
        2 * n
    }
    fn check(&self, lifted: &mut Lifted<'_, T>, _start: &Point<T>) -> Result<()> {
        require_squares(lifted, "the accelerated mirror flow")
    }
    fn initial(&mut self, start: &Point<T>, y: &mut [T]) {
        let (x, second) = y.split_at_mut(start.x.len());
        x.copy_from_slice(&start.x);
        for (s, x) in second.iter_mut().zip(&start.x) {
            *s = if self.logarithmic { x.ln() } else { *x };
        }
    }
    fn position<'y>(&self, y: &'y [T]) -> &'y [T] {
        &y[..y.len() / 2]
    }
    fn second<'y>(&self, y: &'y [T]) -> Option<&'y [T]> {
        (!self.logarithmic).then(|| &y[y.len() / 2..])
    }
    fn admissible(&self, _before: &[T], y: &[T]) -> bool {
        self.logarithmic || y[y.len() / 2..].iter().all(|v| *v > T::zero())
    }
    fn velocity(&mut self, _: &mut Lifted<'_, T>, t: T, y: &[T], at: &Point<T>, dy: &mut [T]) -> Result<()> {
        let n = y.len() / 2;
        let (pull, push) = (T::lit(2.0) / t, T::lit(0.5) * t);
        for j in 0..n {
            let second = y[n + j];
            if self.logarithmic {
                dy[j] = pull * (second.exp() - y[j]);
                dy[n + j] = -push * at.g[j];
            } else {
                dy[j] = pull * (second - y[j]);
                dy[n + j] = -push * second * at.g[j];
            }
        }
        Ok(())
    }
}
