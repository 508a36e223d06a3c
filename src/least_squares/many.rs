//! Many right-hand sides with one matrix: what depends on A alone is computed once, and threads take the right-hand sides in chunks.

use crate::linalg::norm2;
use crate::operators::LinearOperator;
use crate::outcome::{Certificate, Counts, Phase, Solution, Status, Stop};
use crate::{LinalgScalar, Result, Scalar};
use std::time::Duration;

/// Right-hand sides that a thread takes at a time.
#[cfg(feature = "rayon")]
const CHUNK: usize = 8;

/// An answer; or the limit after which its right-hand side was not begun.
pub(crate) type Answer<S> = std::result::Result<S, Status>;

/// One answer for each right-hand side, in their order. The first is always begun.
///
/// `here` solves the k-th with the problem at hand; from the first that is not zero on, what depends on A alone is there. The
/// others go to threads in chunks, each with a problem of its own `around` what is `shared` by then (None: they stay here).
/// How many threads there are, and how they divide the work, changes no bit: every answer depends on its own right-hand side only.
pub(crate) fn in_order<T: Scalar, S: Send, P: Sync>(
    columns: &[&[T]],
    stop: Stop<'_>,
    mut here: impl FnMut(usize, &[T]) -> Result<S>,
    shared: impl FnOnce() -> Option<P>,
    around: impl Fn(&P, &[&[T]]) -> Result<Vec<Answer<S>>> + Sync,
) -> Result<Vec<Answer<S>>> {
    let mut begun = |k: usize, b: &[T]| match stop.check() {
        Err(limit) if k > 0 => Ok(Err(limit)),
        _ => here(k, b).map(Ok),
    };
    // (b = 0 needs nothing of A, and prepares nothing for the others)
    let first = columns.iter().position(|b| b.iter().any(|v| *v != T::zero()));
    let ahead = first.map_or(columns.len(), |k| k + 1);
    let mut solutions = Vec::with_capacity(columns.len());
    for (k, b) in columns[..ahead].iter().enumerate() {
        solutions.push(begun(k, b)?);
    }
    let rest = &columns[ahead..];
    #[cfg(feature = "rayon")]
    if rest.len() > 1
        && let Some(shared) = shared()
    {
        use rayon::prelude::*;
        let solved: Vec<Vec<Answer<S>>> = crate::threads::within(|| {
            rest.par_chunks(CHUNK)
                .map(|chunk| match stop.check() {
                    Err(limit) => Ok(chunk.iter().map(|_| Err(limit)).collect()),
                    Ok(()) => around(&shared, chunk),
                })
                .collect::<Result<_>>()
        })?;
        solutions.extend(solved.into_iter().flatten());
        return Ok(solutions);
    }
    #[cfg(not(feature = "rayon"))]
    let _ = (shared, around);
    for (k, b) in rest.iter().enumerate() {
        solutions.push(begun(ahead + k, b)?);
    }
    Ok(solutions)
}

/// The feasible point of least-squares problems that were not begun: those whose turn came after a limit, or whose matrix was still being
/// prepared.
///
/// x, its residual and f are known, and f itself bounds f − min f, as no f is below zero. What would take products of its own is not: ρ is
/// +∞ (nothing is known of x) and the multipliers are NaN.
pub(crate) struct Unbegun<T> {
    x: Vec<T>,
    /// A x; empty for x = 0.
    image: Vec<T>,
    violation: T,
}

impl<T: LinalgScalar> Unbegun<T> {
    /// At x, which breaks its constraints by `violation`; one product unless x = 0.
    pub(crate) fn at<A: LinearOperator<T> + ?Sized>(a: &A, x: Vec<T>, violation: T) -> Self {
        let mut image = Vec::new();
        if x.iter().any(|v| *v != T::zero()) {
            image.resize(a.rows(), T::zero());
            a.apply(&x, &mut image);
        }
        Self { x, image, violation }
    }

    /// The answer to b.
    pub(crate) fn answer(&self, b: &[T], status: Status) -> Solution<T> {
        let mut residual = b.to_vec();
        residual.iter_mut().zip(&self.image).for_each(|(r, z)| *r -= *z);
        let residual_norm = norm2(&residual);
        let objective = T::lit(0.5) * residual_norm * residual_norm;
        // f = 0 is its least value, and Aᵀ0 = 0 are the multipliers
        let least = residual_norm == T::zero() && self.violation == T::zero();
        let (status, rho, multiplier) = if least {
            (Status::Solved, T::zero(), T::zero())
        } else {
            (status, T::infinity(), T::nan())
        };
        // (with the rounding of f itself)
        let gap = objective * (T::one() + T::count(b.len() + 8) * T::epsilon());
        Solution {
            residual,
            residual_norm,
            objective,
            status,
            certificate: Certificate::new(rho, rho, gap, self.violation, vec![multiplier; self.x.len()]),
            iterations: 0,
            counts: Counts::default(),
            phase: Phase::Start,
            elapsed: Duration::ZERO,
            trace: Vec::new(),
            x: self.x.clone(),
        }
    }
}
