//! Step-size control for the accelerated and stochastic schemes: halved when a step is refused, doubled after a run of accepted steps.

use crate::Scalar;

/// Step-size control of [`Nesterov`](crate::integrators::Nesterov), [`AcceleratedMirror`](crate::integrators::AcceleratedMirror),
/// [`Simple`](crate::integrators::Simple) and [`StochasticGradient`](crate::integrators::StochasticGradient): each has its own condition for
/// accepting a step; this rule changes η accordingly.
///
/// ```text
/// refused: η ← η/2, again      accepted: η ← 2η where the last 2^r steps were accepted, r the number of doublings that were refused so far
/// ```
///
/// The first η then matters little: one that is 10³ too long costs ten refusals, one that is too short ten steps. The growing
/// waiting time makes the number of refusals logarithmic in k: while the curvature is constant, η does not oscillate. Where acceptance is random
/// ([`noisy`](Self::noisy)) η would go to zero. There it grows by a tenth after every accepted step, once a doubling was refused, so
/// that about one step in eight is refused in the long run.
///
/// Source: Beck & Teboulle, SIAM J. Imaging Sci. 2009 (shorter only); Scheinberg, Goldfarb & Bai, Found. Comput. Math. 2014 (longer too).
///
/// ```
/// use reparam::steps::Backtracking;
/// let mut control = Backtracking::new();
/// assert_eq!(control.accepted(0.1), 0.2); // (nothing refused yet)
/// assert_eq!(control.refused(0.2), 0.1);
/// assert_eq!(control.accepted(0.1), 0.1); // now it waits for two
/// assert_eq!(control.accepted(0.1), 0.2);
/// assert_eq!(Backtracking::shrinking().accepted(0.1), 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Backtracking {
    growth: Growth,
    /// r, and whether η comes from a doubling that no step has confirmed yet.
    failures: u32,
    grown: bool,
    calm: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum Growth {
    #[default]
    Patient,
    None,
    Noisy,
}

impl Backtracking {
    /// Shorter and longer steps.
    ///
    /// ```
    /// assert_eq!(reparam::steps::Backtracking::new(), reparam::steps::Backtracking::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Shorter steps only: η never grows.
    ///
    /// ```
    /// assert_ne!(reparam::steps::Backtracking::shrinking(), reparam::steps::Backtracking::new());
    /// ```
    pub fn shrinking() -> Self {
        Self {
            growth: Growth::None,
            ..Self::default()
        }
    }

    /// For random acceptance.
    ///
    /// ```
    /// let mut control = reparam::steps::Backtracking::noisy();
    /// assert_eq!(control.accepted(1.0), 2.0);
    /// assert_eq!(control.refused(2.0), 1.0);
    /// assert_eq!((control.accepted(1.0), control.accepted(1.0)), (1.1, 1.1)); // no waiting
    /// ```
    pub fn noisy() -> Self {
        Self {
            growth: Growth::Noisy,
            ..Self::default()
        }
    }

    /// The next length after a step of length η.
    ///
    /// See [`Backtracking`] for an example.
    pub fn accepted<T: Scalar>(&mut self, length: T) -> T {
        self.grown = false;
        self.calm += 1;
        let (mut longer, patient) = (length + length, self.calm >> self.failures.min(63) != 0);
        match self.growth {
            Growth::Patient if patient => {}
            Growth::Noisy if self.failures == 0 => {}
            Growth::Noisy => longer = length * T::lit(1.1),
            Growth::Patient | Growth::None => return length,
        }
        if !longer.is_finite() {
            return length;
        }
        self.calm = 0;
        self.grown = true;
        longer
    }

    /// The length after a step whose acceptance only rounding decides: unchanged, and not counted as accepted.
    ///
    /// ```
    /// assert_eq!(reparam::steps::Backtracking::new().undecided(0.1), 0.1);
    /// ```
    pub fn undecided<T: Scalar>(&mut self, length: T) -> T {
        self.grown = false;
        length
    }

    /// The next length to try after η was refused.
    ///
    /// See [`Backtracking`] for an example.
    pub fn refused<T: Scalar>(&mut self, length: T) -> T {
        self.calm = 0;
        self.failures += u32::from(self.grown);
        self.grown = false;
        length * T::lit(0.5)
    }

    /// Discards the history of accepted and refused steps.
    ///
    /// ```
    /// let mut control = reparam::steps::Backtracking::shrinking();
    /// control.refused(1.0);
    /// control.reset();
    /// assert_eq!(control, reparam::steps::Backtracking::shrinking());
    /// ```
    pub fn reset(&mut self) {
        *self = Self {
            growth: self.growth,
            ..Self::default()
        };
    }
}
