//! Symmetric positive semidefinite matrices: the cone, those of fixed trace, correlation matrices.

use super::ConstraintSet;
use super::level::{all_finite, budget_len, positive_part, project_budget, project_budget_in, scalar_scale};
use crate::checks::{check_not_empty, check_positive};
use crate::linalg::{compose, dot, max_or_nan, symmetric_eigen, symmetric_eigenvalues};
use crate::{Error, Result, Scalar};

/// Which matrices.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<T> {
    Cone,
    Trace(T),
    UnitDiagonal,
}

/// Symmetric positive semidefinite n×n matrices, x ∈ R^{n²} row-major: all of them, those of a fixed trace (density
/// matrices), or those with unit diagonal (correlation matrices).
///
/// ```math
/// \begin{aligned}
/// \text{slack } S &\quad \text{cone: } G; \quad \text{trace } t \text{: } G - \tfrac1t \langle G, X\rangle I; \quad \text{unit diagonal: } G - \operatorname{Diag}(\operatorname{diag}(G X)); \quad G = \tfrac12 (g + g^\top) \\
/// \text{multipliers} &\quad S, \text{ which at a solution is positive semidefinite with } S X = 0 \\
/// \text{natural residual} &\quad \text{cone, trace: } \sigma \max |X - P(X - G / \sigma^2)|; \quad \text{unit diagonal: } \sigma \max |X - P_+(X - S / \sigma^2)| \\
/// \text{gap} &\quad \text{trace: } \langle G - \lambda_{\min} I, X\rangle; \quad \text{unit diagonal: } \langle S, X\rangle + n \max(0, -\lambda_{\min}(S)) \text{ (an upper bound)}
/// \end{aligned}
/// ```
///
/// P is the projection (by an eigen-decomposition, Jacobi, O(n³) a sweep); P₊ that of the cone. For correlation matrices
/// P itself has no closed form (Higham, IMA J. Numer. Anal. 2002): there the residual eliminates the multipliers of the
/// diagonal instead, and is zero at the same points. σ = max c stands for the whole scale: the eigen-decomposition
/// knows the Frobenius metric only. Fixed trace has a projection and a linear minimiser, the cone a projection.
///
/// ```
/// use reparam::sets::{ConstraintSet, Psd};
/// let set = Psd::with_trace(2, 1.0).unwrap();
/// let mut x = [2.0, 0.0, 0.0, -1.0];
/// assert_eq!(set.violation(&x), 1.0);
/// set.project(&mut x);
/// assert_eq!(x, [1.0, 0.0, 0.0, 0.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psd<T> {
    size: usize,
    kind: Kind<T>,
}

impl<T: Scalar> Psd<T> {
    /// All positive semidefinite matrices of this size.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::SizeOverflow`].
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, Psd};
    /// assert_eq!(Psd::<f64>::cone(3).unwrap().dim(), 9);
    /// ```
    pub fn cone(size: usize) -> Result<Self> {
        Self::checked(size, Kind::Cone)
    }

    /// Those of a fixed trace.
    ///
    /// # Errors
    /// As [`cone`](Self::cone), and [`Error::Setting`] unless the trace is positive and finite.
    ///
    /// ```
    /// assert!(reparam::sets::Psd::with_trace(3, 0.0).is_err());
    /// ```
    pub fn with_trace(size: usize, trace: T) -> Result<Self> {
        check_positive("trace", trace)?;
        Self::checked(size, Kind::Trace(trace))
    }

    /// Those with ones on the diagonal.
    ///
    /// # Errors
    /// As [`cone`](Self::cone).
    ///
    /// ```
    /// use reparam::sets::{ConstraintSet, Psd};
    /// assert_eq!(Psd::unit_diagonal(2).unwrap().violation(&[1.0, 0.5, 0.5, 1.0]), 0.0);
    /// ```
    pub fn unit_diagonal(size: usize) -> Result<Self> {
        Self::checked(size, Kind::UnitDiagonal)
    }

    fn checked(size: usize, kind: Kind<T>) -> Result<Self> {
        check_not_empty("the matrix", size)?;
        size.checked_mul(size)
            .ok_or(Error::SizeOverflow { what: "size²" })?;
        Ok(Self { size, kind })
    }

    /// The number of rows.
    ///
    /// ```
    /// assert_eq!(reparam::sets::Psd::<f64>::cone(3).unwrap().size(), 3);
    /// ```
    pub fn size(&self) -> usize {
        self.size
    }

    fn at(&self, v: &[T], i: usize, j: usize) -> T {
        T::lit(0.5) * (v[i * self.size + j] + v[j * self.size + i])
    }

    /// The slack matrix S; with G in its place for the cone.
    fn slack(&self, x: &[T], g: &[T], s: &mut [T]) {
        let n = self.size;
        for i in 0..n {
            for j in 0..n {
                s[i * n + j] = self.at(g, i, j);
            }
        }
        match self.kind {
            Kind::Cone => {}
            Kind::Trace(trace) => {
                let y = dot(s, x) / trace;
                for i in 0..n {
                    s[i * n + i] -= y;
                }
            }
            Kind::UnitDiagonal => {
                for i in 0..n {
                    // (G X)_ii without its own diagonal term, which is G_ii x_ii = G_ii
                    let y: T = (0..n)
                        .filter(|j| *j != i)
                        .map(|j| s[i * n + j] * x[j * n + i])
                        .sum();
                    s[i * n + i] = -y;
                }
            }
        }
    }
}

/// Replaces a symmetric matrix by the one with eigenvalues f(λ); false when an entry is not finite.
fn spectral<T: Scalar>(x: &mut [T], n: usize, f: impl FnOnce(&mut [T])) -> bool {
    let mut work = vec![T::zero(); spectral_len(n)];
    spectral_in(x, n, f, &mut work)
}

/// Scratch of [`spectral_in`]: eigenvalues, eigenvectors, the matrix that is diagonalised.
fn spectral_len(n: usize) -> usize {
    n.saturating_add(n.saturating_mul(n).saturating_mul(2))
}

fn spectral_in<T: Scalar>(x: &mut [T], n: usize, f: impl FnOnce(&mut [T]), work: &mut [T]) -> bool {
    let (values, rest) = work.split_at_mut(n);
    let (vectors, rest) = rest.split_at_mut(n * n);
    if !symmetric_eigen(x, values, vectors, &mut rest[..n * n]) {
        return false;
    }
    f(values);
    compose(vectors, n, |k| values[k], x);
    true
}

fn clip<T: Scalar>(values: &mut [T]) {
    for v in values {
        *v = positive_part(*v);
    }
}

impl<T: Scalar> ConstraintSet<T> for Psd<T> {
    fn dim(&self) -> usize {
        self.size * self.size
    }
    fn violation(&self, x: &[T]) -> T {
        let n = self.size;
        let Some(values) = symmetric_eigenvalues(x, n) else {
            return T::nan();
        };
        let asymmetry = max_or_nan((0..n * n).map(|k| (x[k] - x[(k % n) * n + k / n]).abs()));
        let negative = positive_part(-values[n - 1]);
        let diagonal = match self.kind {
            Kind::Cone => T::zero(),
            Kind::Trace(trace) => ((0..n).map(|i| x[i * n + i]).sum::<T>() - trace).abs(),
            Kind::UnitDiagonal => max_or_nan((0..n).map(|i| (x[i * n + i] - T::one()).abs())),
        };
        max_or_nan([asymmetry, negative, diagonal])
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let c = scalar_scale(scale);
        let n = self.size;
        // the diagonal of g does not matter for unit diagonal, a NaN in it does
        if !all_finite(x) || !all_finite(g) || c.is_nan() {
            return T::nan();
        }
        let mut z = vec![T::zero(); n * n];
        let done = if self.kind == Kind::UnitDiagonal {
            self.slack(x, g, &mut z);
            for (z, x) in z.iter_mut().zip(x) {
                *z = c * *x - *z / c;
            }
            spectral(&mut z, n, clip)
        } else {
            for i in 0..n {
                for j in 0..n {
                    z[i * n + j] = c * x[i * n + j] - self.at(g, i, j) / c;
                }
            }
            match self.kind {
                Kind::Trace(trace) => spectral(&mut z, n, |v| project_budget(v, None, trace * c)),
                _ => spectral(&mut z, n, clip),
            }
        };
        if done {
            max_or_nan(x.iter().zip(&z).map(|(x, z)| (c * *x - *z).abs()))
        } else {
            T::nan()
        }
    }
    fn multipliers(&self, x: &[T], g: &[T], out: &mut [T]) {
        self.slack(x, g, out);
    }
    fn project(&self, x: &mut [T]) -> bool {
        self.project_in(x, &mut vec![T::zero(); self.scratch_len()])
    }
    fn project_in(&self, x: &mut [T], work: &mut [T]) -> bool {
        let (own, rest) = work.split_at_mut(spectral_len(self.size));
        let done = match self.kind {
            Kind::Cone => spectral_in(x, self.size, clip, own),
            Kind::Trace(trace) => spectral_in(x, self.size, |v| project_budget_in(v, None, trace, rest), own),
            Kind::UnitDiagonal => return false,
        };
        if !done {
            x.fill(T::nan());
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        self.minimise_linear_in(g, s, &mut vec![T::zero(); spectral_len(self.size)])
    }
    fn scratch_len(&self) -> usize {
        spectral_len(self.size) + budget_len(self.size)
    }
    fn minimise_linear_in(&self, g: &[T], s: &mut [T], work: &mut [T]) -> bool {
        let Kind::Trace(trace) = self.kind else {
            return false;
        };
        s.copy_from_slice(g);
        spectral_in(
            s,
            self.size,
            |values| {
                let last = values.len() - 1;
                values[..last].fill(T::zero());
                values[last] = trace;
            },
            work,
        )
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        let n = self.size;
        if self.kind == Kind::Cone {
            return None;
        }
        if !all_finite(x) || !all_finite(g) {
            return Some(T::nan());
        }
        let mut s = vec![T::zero(); n * n];
        self.slack(x, g, &mut s);
        let Some(low) = symmetric_eigenvalues(&s, n).map(|values| values[n - 1]) else {
            return Some(T::nan());
        };
        Some(match self.kind {
            Kind::Trace(_) => {
                // λ_min(S) ≤ 0 up to rounding, since ⟨S, X⟩ = 0: shifting by it makes S semidefinite
                for i in 0..n {
                    s[i * n + i] -= low;
                }
                positive_part(dot(&s, x))
            }
            _ => positive_part(dot(&s, x)) + T::count(n) * positive_part(-low),
        })
    }
}
