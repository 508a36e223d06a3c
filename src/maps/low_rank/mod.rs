//! φ(U) = UUᵀ, onto positive semidefinite matrices; with fixed trace or unit diagonal by normalisation.

mod cone;
mod diagonal;
mod release;
mod section;
mod trace;

use super::direction::Direction;
use super::weights::Unit;
use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::sets::{ConstraintSet, Psd};
use crate::{Error, MapError, Result, Scalar};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind<T> {
    Cone,
    Trace(T),
    UnitDiagonal,
}

/// The Burer–Monteiro map: $`X = U U^\top`$ with $`U \in \mathbb{R}^{n \times p}`$ (row-major in u), $`X \in \mathbb{R}^{n \times n}`$ (row-major in x).
///
/// ```math
/// \begin{array}{lll}
/// \text{cone} & X = U U^\top & J V = U V^\top + V U^\top, \quad J^\top W = (W + W^\top) U \\
///  & & \text{curvature } (W + W^\top) V, \quad J J^\top G = (G + G^\top) X + X (G + G^\top) \\[1ex]
/// \text{trace } t & X = t\, U U^\top / N & N = \lVert U\rVert^2, \quad M = W + W^\top - \tfrac{2}{t} \langle X, W\rangle I, \quad J^\top W = \tfrac{t}{N} M U \\
///  & & \text{curvature } \tfrac{t}{N} \bigl(M V - \tfrac{2}{N} \langle U, V\rangle M U - \tfrac{2}{N} \langle M U, V\rangle U\bigr) \\
///  & & J J^\top G = M X + X M \ \text{ at } N = t \\[1ex]
/// \text{unit diagonal} & X_{ij} = \langle y_i, y_j\rangle & y_i = U_i / \lVert U_i\rVert \text{: the sphere's derivatives, row by row, with } Z = (W + W^\top) Y \\
///  & & J J^\top G = (M - D) X + X (M - D), \quad M = G + G^\top, \quad D = \operatorname{Diag}(M X), \ \text{ at } \lVert U_i\rVert = 1
/// \end{array}
/// ```
///
/// Onto all such matrices for p ≥ n, and then every second-order critical point is stationary (Levin, Kileel & Boumal,
/// Math. Program. 2025; for unit diagonal when all rows stay non-zero, as normalised). For p < n the image is the
/// matrices of rank at most p, while the set reported stays the convex one: a certificate then says whether X solves the
/// *convex* problem, which it does at second-order critical points U of deficient rank (Burer & Monteiro, Math. Program.
/// 2003; Boumal, Voroninski & Bandeira, CPAM 2020). The landscape tag is `Experimental` there.
///
/// Trace and unit diagonal are invariant to scaling U or its rows: [`renormalize`](Reparametrization::renormalize). At U = 0
/// the first column counts as all ones (trace), and a zero row as e₁ (unit diagonal), with derivatives 0.
///
/// ```
/// use reparam::maps::{LowRank, Reparametrization};
/// let map = LowRank::cone(2, 1).unwrap();
/// let mut x = [0.0; 4];
/// map.apply(&[1.0, -2.0], &mut x, &mut vec![0.0; map.scratch_len()]);
/// assert_eq!(x, [1.0, -2.0, -2.0, 4.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowRank<T> {
    set: Psd<T>,
    rank: usize,
    kind: Kind<T>,
}

impl<T: Scalar> LowRank<T> {
    /// All positive semidefinite n×n matrices (of rank at most p).
    ///
    /// # Errors
    /// [`Error::Empty`] for n = 0 or p = 0, [`Error::SizeOverflow`].
    ///
    /// ```
    /// use reparam::maps::{LowRank, Reparametrization};
    /// assert_eq!(LowRank::<f64>::cone(4, 2).unwrap().dim_u(), 8);
    /// ```
    pub fn cone(size: usize, rank: usize) -> Result<Self> {
        Self::checked(Psd::cone(size)?, rank, Kind::Cone)
    }

    /// Those of a fixed trace.
    ///
    /// # Errors
    /// As [`cone`](Self::cone), and [`Error::Setting`] unless the trace is positive and finite.
    ///
    /// ```
    /// assert!(reparam::maps::LowRank::with_trace(4, 2, -1.0).is_err());
    /// ```
    pub fn with_trace(size: usize, rank: usize, trace: T) -> Result<Self> {
        Self::checked(Psd::with_trace(size, trace)?, rank, Kind::Trace(trace))
    }

    /// Those with ones on the diagonal: correlation matrices.
    ///
    /// # Errors
    /// As [`cone`](Self::cone), and [`Error::Setting`] for p = 1 < n: rows of one entry are signs, which do not move.
    ///
    /// ```
    /// use reparam::maps::{LowRank, Reparametrization};
    /// let map = LowRank::unit_diagonal(2, 2).unwrap();
    /// let mut x = [0.0; 4];
    /// map.apply(&[3.0, 0.0, 0.0, 5.0], &mut x, &mut vec![0.0; map.scratch_len()]);
    /// assert_eq!(x, [1.0, 0.0, 0.0, 1.0]);
    /// ```
    pub fn unit_diagonal(size: usize, rank: usize) -> Result<Self> {
        if rank == 1 && size > 1 {
            return Err(Error::Setting {
                name: "rank",
                why: "must be at least 2 for unit diagonal",
            });
        }
        Self::checked(Psd::unit_diagonal(size)?, rank, Kind::UnitDiagonal)
    }

    fn checked(set: Psd<T>, rank: usize, kind: Kind<T>) -> Result<Self> {
        crate::checks::check_not_empty("the factor", rank)?;
        set.size()
            .checked_mul(rank)
            .ok_or(Error::SizeOverflow { what: "n × p" })?;
        Ok(Self { set, rank, kind })
    }

    /// p.
    ///
    /// ```
    /// assert_eq!(reparam::maps::LowRank::<f64>::cone(4, 2).unwrap().rank(), 2);
    /// ```
    pub fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.set.size()
    }

    /// z_i ← Σ_j (W + Wᵀ)_ij b_j − shift b_i, the rows of (W + Wᵀ − shift I)B; the diagonal term left out on request.
    fn symmetric_product(&self, w: &[T], b: &[T], shift: T, diagonal: bool, z: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        z.fill(T::zero());
        for i in 0..n {
            for j in 0..n {
                let m = if i != j {
                    w[i * n + j] + w[j * n + i]
                } else if diagonal {
                    (w[i * n + i] + w[i * n + i]) - shift
                } else {
                    continue;
                };
                for a in 0..p {
                    z[i * p + a] += m * b[j * p + a];
                }
            }
        }
    }
}

fn inner<T: Scalar>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(a, b)| *a * *b).sum()
}

impl<T: Scalar> Reparametrization<T> for LowRank<T> {
    fn dim_u(&self) -> usize {
        self.size() * self.rank
    }
    fn dim_x(&self) -> usize {
        self.size() * self.size()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        if self.rank >= self.size() {
            Landscape::SecondOrder
        } else {
            Landscape::Experimental
        }
    }
    fn scratch_len(&self) -> usize {
        // three factors; for the section eigenvalues, eigenvectors and the matrix that is diagonalised
        let section = self.size().saturating_add(self.dim_x().saturating_mul(2));
        self.dim_u().saturating_mul(3).max(section)
    }
    fn apply(&self, u: &[T], x: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Cone => self.cone_apply(u, x),
            Kind::Trace(trace) => self.trace_apply(trace, u, x),
            Kind::UnitDiagonal => self.diagonal_apply(u, x, work),
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Cone => self.cone_jvp(u, v, jv),
            Kind::Trace(trace) => self.trace_jvp(trace, u, v, jv),
            Kind::UnitDiagonal => self.diagonal_jvp(u, v, jv, work),
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Cone => self.cone_vjp(u, w, jtw),
            Kind::Trace(trace) => self.trace_vjp(trace, u, w, jtw, work),
            Kind::UnitDiagonal => self.diagonal_vjp(u, w, jtw, work),
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        match self.kind {
            Kind::Cone => self.cone_curvature(u, w, v, out),
            Kind::Trace(trace) => self.trace_curvature(trace, u, w, v, out, work),
            Kind::UnitDiagonal => self.diagonal_curvature(u, w, v, out, work),
        }
    }
    /// Offered for the cone; the normalised kinds would need O(n³p).
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        _work: &mut [T],
    ) -> bool {
        if self.kind != Kind::Cone {
            return false;
        }
        self.cone_diagonals(u, h, w, gauss_newton, curved);
        true
    }
    /// By an eigen-decomposition: columns √λ_k q_k, λ decreasing. Boundary means rank below min(n, p); a matrix of
    /// higher rank than p has no section.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
        self.eigen_section(x, boundary, u, work)
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        let n = self.size();
        let mean = match self.kind {
            Kind::Trace(trace) => T::lit(2.0) * inner(x, g) / trace,
            _ => T::zero(),
        };
        let m = |i: usize, j: usize| g[i * n + j] + g[j * n + i] - if i == j { mean } else { T::zero() };
        for i in 0..n {
            for j in 0..=i {
                let sum = (0..n)
                    .map(|k| m(i, k) * x[k * n + j] + x[i * n + k] * m(k, j))
                    .sum();
                out[i * n + j] = sum;
                out[j * n + i] = sum;
            }
        }
        if self.kind == Kind::UnitDiagonal {
            // out_ii = 2 (MX)_ii = 2 D_i so far
            let half = T::lit(0.5);
            for i in 0..n {
                for j in 0..i {
                    let d = half * (out[i * n + i] + out[j * n + j]) * x[i * n + j];
                    out[i * n + j] -= d;
                    out[j * n + i] -= d;
                }
            }
            for i in 0..n {
                out[i * n + i] = T::zero();
            }
        }
        true
    }
    fn ray(&self, u: &[T], d: &[T], lin: &mut [T], quad: &mut [T], _work: &mut [T]) -> Ray<T> {
        let (n, p) = (self.size(), self.rank);
        let (s, f) = match self.kind {
            Kind::Cone => (T::one(), T::one()),
            Kind::Trace(trace) => match Unit::of(u) {
                Some(unit) if unit.s > T::zero() => (unit.s, trace),
                _ => return Ray::General,
            },
            Kind::UnitDiagonal => return Ray::General,
        };
        let at = |m: &[T], i: usize, a: usize| s * m[i * p + a];
        for i in 0..n {
            for j in 0..=i {
                let (mut l, mut q) = (T::zero(), T::zero());
                for a in 0..p {
                    l += at(u, i, a) * at(d, j, a) + at(d, i, a) * at(u, j, a);
                    q += at(d, i, a) * at(d, j, a);
                }
                (lin[i * n + j], lin[j * n + i]) = (f * l, f * l);
                (quad[i * n + j], quad[j * n + i]) = (f * q, f * q);
            }
        }
        if self.kind == Kind::Cone {
            return Ray::Quadratic;
        }
        let (mut omega, two) = ([T::zero(); 3], T::lit(2.0));
        for (u, d) in u.iter().zip(d) {
            let (u, d) = (s * *u, s * *d);
            omega[0] += u * u;
            omega[1] += two * u * d;
            omega[2] += d * d;
        }
        Ray::Rational(omega)
    }
    /// Where a column of U is zero and the slack matrix S (see [`Psd`]) is not positive semidefinite: an approximate
    /// eigenvector of its least eigenvalue, by coordinate relaxation, enters that column.
    fn release(&self, u: &[T], x: &[T], g: &[T], h: &[T], du: &mut [T], _work: &mut [T]) -> usize {
        self.released(u, x, g, h, du)
    }
    /// U = I, continued periodically below, with differences between the repeated rows: equal rows would stay equal, and the rank could not grow.
    fn interior(&self, u: &mut [T]) {
        for (i, row) in u.chunks_exact_mut(self.rank).enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                // the rows beyond the width differ from those they repeat
                let tilt = T::lit(0.25) * T::count(i / self.rank) / T::count(j + 1);
                *v = if i % self.rank == j { T::one() } else { tilt };
            }
        }
    }
    fn renormalize(&self, u: &mut [T]) {
        match self.kind {
            Kind::Cone => {}
            Kind::Trace(trace) => match Unit::of(u) {
                Some(unit) => {
                    let f = unit.root_over_length(trace);
                    u.iter_mut().for_each(|v| *v = unit.at(*v) * f);
                }
                None => {
                    let even = (trace / T::count(self.size())).sqrt();
                    u.chunks_exact_mut(self.rank).for_each(|row| row[0] = even);
                }
            },
            Kind::UnitDiagonal => {
                for row in u.chunks_exact_mut(self.rank) {
                    match Direction::of(row.len(), |a| row[a]) {
                        Some(d) => row.iter_mut().for_each(|v| *v = d.at(*v)),
                        None => row[0] = T::one(),
                    }
                }
            }
        }
    }
}
