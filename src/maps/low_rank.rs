//! φ(U) = UUᵀ, onto positive semidefinite matrices; with fixed trace or unit diagonal by normalisation.

use super::direction::Direction;
use super::weights::{Unit, times};
use super::{Boundary, Landscape, Ray, Reparametrization};
use crate::linalg::{exponent, max_abs, pow2, symmetric_eigen};
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

    /// y ← the rows of U normalised.
    fn rows(&self, u: &[T], y: &mut [T]) {
        let p = self.rank;
        for (row, y) in u.chunks_exact(p).zip(y.chunks_exact_mut(p)) {
            match Direction::of(p, |a| row[a]) {
                Some(d) => y.iter_mut().zip(row).for_each(|(y, u)| *y = d.at(*u)),
                None => {
                    y.fill(T::zero());
                    y[0] = T::one();
                }
            }
        }
    }

    /// dy ← the derivative of the normalised rows along v.
    fn row_jvp(&self, u: &[T], v: &[T], dy: &mut [T]) {
        let p = self.rank;
        for ((row, v), dy) in u
            .chunks_exact(p)
            .zip(v.chunks_exact(p))
            .zip(dy.chunks_exact_mut(p))
        {
            match Direction::of(p, |a| row[a]) {
                Some(d) => {
                    let (t, per) = (d.tangent(|a| row[a], |a| v[a]), d.per_length(T::one()));
                    for a in 0..p {
                        dy[a] = per(t.at(a, d.at(row[a]), v[a]));
                    }
                }
                None => dy.fill(T::zero()),
            }
        }
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

/// 2^{−e} for max|u| = 2^e…: products of û neither overflow nor underflow as a whole.
fn shrink<T: Scalar>(u: &[T]) -> (T, T) {
    let m = max_abs(u);
    if m == T::zero() || !m.is_finite() {
        return (T::one(), T::one());
    }
    let e = exponent(m);
    (pow2(-e), pow2(e))
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
        let (n, p) = (self.size(), self.rank);
        match self.kind {
            Kind::Cone => {
                let (s, back) = shrink(u);
                for i in 0..n {
                    for j in 0..=i {
                        let mut sum = T::zero();
                        for a in 0..p {
                            sum += (s * u[i * p + a]) * (s * u[j * p + a]);
                        }
                        let v = sum * back * back;
                        x[i * n + j] = v;
                        x[j * n + i] = v;
                    }
                }
            }
            Kind::Trace(trace) => {
                let Some(unit) = Unit::of(u) else {
                    return x.fill(trace / T::count(n));
                };
                for i in 0..n {
                    for j in 0..=i {
                        let mut sum = T::zero();
                        for a in 0..p {
                            sum += unit.at(u[i * p + a]) * unit.at(u[j * p + a]);
                        }
                        let v = trace * (sum / unit.square);
                        x[i * n + j] = v;
                        x[j * n + i] = v;
                    }
                }
            }
            Kind::UnitDiagonal => {
                let y = &mut work[..n * p];
                self.rows(u, y);
                for i in 0..n {
                    for j in 0..i {
                        let v = inner(&y[i * p..(i + 1) * p], &y[j * p..(j + 1) * p]);
                        x[i * n + j] = v;
                        x[j * n + i] = v;
                    }
                    x[i * n + i] = T::one();
                }
            }
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        let row = |m: &[T], i: usize, a: usize| m[i * p + a];
        match self.kind {
            Kind::Cone => {
                for i in 0..n {
                    for j in 0..=i {
                        let d = (0..p)
                            .map(|a| row(u, i, a) * row(v, j, a) + row(v, i, a) * row(u, j, a))
                            .sum();
                        jv[i * n + j] = d;
                        jv[j * n + i] = d;
                    }
                }
            }
            Kind::Trace(trace) => {
                let Some(unit) = Unit::of(u) else {
                    return jv.fill(T::zero());
                };
                let [first, second] = unit.halves;
                let mut along = T::zero();
                for (u, v) in u.iter().zip(v) {
                    along += unit.at(*u) * (first * *v);
                }
                let along = (along + along) / unit.square;
                let f = trace / unit.square;
                // the trace of J v is 0: the largest diagonal entry is minus the sum of the others, which cannot cancel
                let top = unit.top / p;
                let mut others = T::zero();
                for i in 0..n {
                    for j in 0..=i {
                        let (mut d, mut gram) = (T::zero(), T::zero());
                        for a in 0..p {
                            let (ui, uj) = (unit.at(row(u, i, a)), unit.at(row(u, j, a)));
                            d += ui * (first * row(v, j, a)) + (first * row(v, i, a)) * uj;
                            gram += ui * uj;
                        }
                        let d = f * (d - along * gram) * second;
                        jv[i * n + j] = d;
                        jv[j * n + i] = d;
                    }
                    if i != top {
                        others += jv[i * n + i];
                    }
                }
                jv[top * n + top] = -others;
            }
            Kind::UnitDiagonal => {
                let (y, dy) = work.split_at_mut(n * p);
                let dy = &mut dy[..n * p];
                self.rows(u, y);
                self.row_jvp(u, v, dy);
                for i in 0..n {
                    for j in 0..i {
                        let (yi, yj) = (&y[i * p..(i + 1) * p], &y[j * p..(j + 1) * p]);
                        let (di, dj) = (&dy[i * p..(i + 1) * p], &dy[j * p..(j + 1) * p]);
                        // dy_i ⊥ y_i: taking ±y_i from y_j changes nothing, and keeps nearly parallel rows accurate
                        let sign = if inner(yi, yj) < T::zero() {
                            -T::one()
                        } else {
                            T::one()
                        };
                        let mut d = T::zero();
                        for a in 0..p {
                            d += di[a] * (yj[a] - sign * yi[a]) + dj[a] * (yi[a] - sign * yj[a]);
                        }
                        jv[i * n + j] = d;
                        jv[j * n + i] = d;
                    }
                    jv[i * n + i] = T::zero();
                }
            }
        }
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        match self.kind {
            Kind::Cone => self.symmetric_product(w, u, T::zero(), true, jtw),
            Kind::Trace(trace) => {
                let Some(unit) = Unit::of(u) else {
                    return jtw.fill(T::zero());
                };
                let hat = &mut work[..n * p];
                for (h, u) in hat.iter_mut().zip(u) {
                    *h = unit.at(*u);
                }
                self.centred_product(&unit, w, hat, jtw);
                let (trace, late) = unit.split(trace);
                let f = trace / unit.square;
                for o in jtw.iter_mut() {
                    *o = *o * f * late;
                }
            }
            Kind::UnitDiagonal => {
                let (y, z) = work.split_at_mut(n * p);
                self.rows(u, y);
                let z = &mut z[..p];
                for i in 0..n {
                    let (yi, row) = (&y[i * p..(i + 1) * p], &u[i * p..(i + 1) * p]);
                    let out = &mut jtw[i * p..(i + 1) * p];
                    let Some(d) = Direction::of(p, |a| row[a]) else {
                        out.fill(T::zero());
                        continue;
                    };
                    z.fill(T::zero());
                    for j in (0..n).filter(|j| *j != i) {
                        let yj = &y[j * p..(j + 1) * p];
                        let sign = if inner(yi, yj) < T::zero() {
                            -T::one()
                        } else {
                            T::one()
                        };
                        let m = w[i * n + j] + w[j * n + i];
                        for a in 0..p {
                            z[a] += m * (yj[a] - sign * yi[a]);
                        }
                    }
                    let (q, per) = (d.tangent(|a| row[a], |a| z[a]), d.per_length(T::one()));
                    for a in 0..p {
                        out[a] = per(q.at(a, yi[a], z[a]));
                    }
                }
            }
        }
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let (n, p) = (self.size(), self.rank);
        match self.kind {
            Kind::Cone => self.symmetric_product(w, v, T::zero(), true, out),
            Kind::Trace(trace) => {
                let Some(unit) = Unit::of(u) else {
                    return out.fill(T::zero());
                };
                let (hat, mu) = work.split_at_mut(n * p);
                let mu = &mut mu[..n * p];
                for (h, u) in hat.iter_mut().zip(u) {
                    *h = unit.at(*u);
                }
                let (shift, mean) = self.centred_product(&unit, w, hat, mu);
                self.symmetric_product(w, v, shift, true, out);
                let two = T::lit(2.0);
                let [first, second] = unit.halves;
                let along = two * hat.iter().zip(v).map(|(h, v)| *h * (first * *v)).sum::<T>() / unit.square;
                let tilt = two * mu.iter().zip(v).map(|(m, v)| *m * (first * *v)).sum::<T>() / unit.square;
                let (trace, late) = unit.split(trace);
                let f = trace / unit.square;
                for k in 0..out.len() {
                    let bent = first * (out[k] - mean * v[k]) - along * mu[k] - tilt * hat[k];
                    out[k] = times(times(f * bent, second), late);
                }
            }
            Kind::UnitDiagonal => {
                let (y, rest) = work.split_at_mut(n * p);
                let (dy, z) = rest.split_at_mut(n * p);
                let z = &mut z[..n * p];
                self.rows(u, y);
                self.row_jvp(u, v, dy);
                // Z and dZ = (W+Wᵀ)dY, without the diagonal: X_ii = 1 has no curvature
                self.symmetric_product(w, y, T::zero(), false, z);
                self.symmetric_product(w, dy, T::zero(), false, out);
                for i in 0..n {
                    let range = i * p..(i + 1) * p;
                    let (row, z, v) = (&u[range.clone()], &z[range.clone()], &v[range.clone()]);
                    let (out, bent) = (&mut out[range.clone()], &mut dy[range]);
                    let Some(d) = Direction::of(p, |a| row[a]) else {
                        out.fill(T::zero());
                        continue;
                    };
                    d.curvature(|a| row[a], |a| z[a], |a| v[a], T::one(), bent);
                    let (t, per) = (d.tangent(|a| row[a], |a| out[a]), d.per_length(T::one()));
                    for a in 0..p {
                        out[a] = per(t.at(a, d.at(row[a]), out[a])) + bent[a];
                    }
                }
            }
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
        let (n, p) = (self.size(), self.rank);
        for i in 0..n {
            for a in 0..p {
                // J e_ia = e_i U_aᵀ + U_a e_iᵀ
                let ui = u[i * p + a];
                let mut sum = T::lit(4.0) * h[i * n + i] * ui * ui;
                for j in (0..n).filter(|j| *j != i) {
                    sum += (h[i * n + j] + h[j * n + i]) * u[j * p + a] * u[j * p + a];
                }
                gauss_newton[i * p + a] = sum;
                curved[i * p + a] = w[i * n + i] + w[i * n + i];
            }
        }
        true
    }
    /// By an eigen-decomposition: columns √λ_k q_k, λ decreasing. Boundary means rank below min(n, p); a matrix of
    /// higher rank than p has no section.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], work: &mut [T]) -> Result<(), MapError> {
        let (n, p) = (self.size(), self.rank);
        let outside = |index: usize| MapError::Outside {
            index,
            value: x[index].as_f64(),
        };
        let (values, rest) = work.split_at_mut(n);
        let (vectors, rest) = rest.split_at_mut(n * n);
        if !symmetric_eigen(x, values, vectors, &mut rest[..n * n]) {
            return Err(outside(x.iter().position(|v| !v.is_finite()).unwrap_or(0)));
        }
        let size = max_abs(x);
        let loose = size * T::epsilon().sqrt();
        if let Some(k) = (0..n * n).find(|k| (x[*k] - x[(k % n) * n + k / n]).abs() > loose) {
            return Err(outside(k));
        }
        match self.kind {
            Kind::Cone => {}
            Kind::Trace(trace) => {
                let sum: T = (0..n).map(|i| x[i * n + i]).sum();
                if (sum - trace).abs() > trace * T::epsilon().sqrt() {
                    return Err(outside(0));
                }
            }
            Kind::UnitDiagonal => {
                if let Some(i) = (0..n).find(|i| (x[i * n + i] - T::one()).abs() > T::epsilon().sqrt()) {
                    return Err(outside(i * n + i));
                }
            }
        }
        let top = values[0].max(T::zero());
        let tolerance = T::lit(4.0) * T::count(n) * T::epsilon() * size;
        if values[n - 1] < -tolerance {
            return Err(outside(0));
        }
        let columns = n.min(p);
        if values[columns..].iter().any(|v| *v > tolerance) {
            return Err(MapError::NotProvided(
                "a section at matrices whose rank exceeds that of the factor",
            ));
        }
        u.fill(T::zero());
        for k in 0..columns {
            let mut value = if values[k] > tolerance {
                values[k]
            } else {
                T::zero()
            };
            if value == T::zero() {
                match boundary {
                    Boundary::Exact => continue,
                    Boundary::Nudge(by) => {
                        value = by
                            * if self.kind == Kind::Cone {
                                top.max(T::one())
                            } else {
                                top
                            };
                    }
                    Boundary::Reject => return Err(MapError::OnBoundary { index: k }),
                }
            }
            let root = value.sqrt();
            for (i, q) in vectors[k * n..(k + 1) * n].iter().enumerate() {
                u[i * p + k] = root * *q;
            }
        }
        Ok(())
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
        du.fill(T::zero());
        let (n, p) = (self.size(), self.rank);
        let Some(free) = (0..p).find(|a| (0..n).all(|i| u[i * p + a] == T::zero())) else {
            return 0;
        };
        let half = T::lit(0.5);
        let gs = |i: usize, j: usize| half * (g[i * n + j] + g[j * n + i]);
        let unit = match self.kind {
            Kind::Cone => None,
            _ => match Unit::of(u) {
                Some(unit) if unit.s > T::zero() => Some(unit),
                _ => return 0, // the conventional point at U = 0
            },
        };
        // the multipliers of the diagonal wait in another column (there is one, or U would be zero)
        let store = if self.kind == Kind::UnitDiagonal {
            (0..p).find(|a| *a != free)
        } else {
            None
        };
        let mean = match self.kind {
            Kind::Trace(trace) => inner(x, g) / trace,
            _ => T::zero(),
        };
        if let Some(b) = store {
            for i in 0..n {
                du[i * p + b] = (0..n).map(|j| gs(i, j) * x[j * n + i]).sum();
            }
        }
        let slack = |du: &[T], i: usize, j: usize| {
            let d = if i == j {
                store.map_or(mean, |b| du[i * p + b])
            } else {
                T::zero()
            };
            gs(i, j) - d
        };
        let start = (1..n).fold(0, |k, i| if slack(du, i, i) < slack(du, k, k) { i } else { k });
        du[start * p + free] = T::one();
        let product = |du: &[T], i: usize| (0..n).map(|j| slack(du, i, j) * du[j * p + free]).sum::<T>();
        let mut value = slack(du, start, start);
        for _ in 0..60 {
            let before = value;
            let mut square: T = (0..n).map(|i| du[i * p + free] * du[i * p + free]).sum();
            let mut form: T = (0..n).map(|i| du[i * p + free] * product(du, i)).sum();
            for i in 0..n {
                let (s, d, vi) = (product(du, i), slack(du, i, i), du[i * p + free]);
                // stationary points of the quotient along e_i: α τ² + β τ + γ = 0
                let (alpha, beta, gamma) = (d * vi - s, d * square - form, s * square - form * vi);
                let quotient = |t: T| (form + t * (s + s + t * d)) / (square + t * (vi + vi + t));
                let root = (beta * beta - T::lit(4.0) * alpha * gamma).max(T::zero()).sqrt();
                let q = -half * (beta + if beta < T::zero() { -root } else { root });
                let mut best = (T::zero(), form / square);
                for t in [q / alpha, gamma / q] {
                    if t.is_finite() && quotient(t) < best.1 {
                        best = (t, quotient(t));
                    }
                }
                let t = best.0;
                form += t * (s + s + t * d);
                square += t * (vi + vi + t);
                du[i * p + free] = vi + t;
            }
            let norm = square.sqrt();
            for i in 0..n {
                du[i * p + free] /= norm;
            }
            value = form / square;
            if value.is_nan() || before - value <= T::epsilon() * T::lit(16.0) * value.abs() {
                break;
            }
        }
        let size = max_abs(g);
        let wrong = value < -T::lit(16.0) * T::count(n) * T::epsilon() * size;
        let vector = |du: &[T], i: usize| du[i * p + free];
        // the direction in x, and √(dᵀHd) at most Σ|d|√h
        let mut bend = T::zero();
        for i in 0..n {
            for j in 0..n {
                let (vi, vj, xij) = (vector(du, i), vector(du, j), x[i * n + j]);
                let d = match self.kind {
                    Kind::Cone => vi * vj,
                    Kind::Trace(trace) => trace * vi * vj - xij,
                    Kind::UnitDiagonal => vi * vj - half * (vi * vi + vj * vj) * xij,
                };
                bend += d.abs() * h[i * n + j].max(T::zero()).sqrt();
            }
        }
        if let Some(b) = store {
            for i in 0..n {
                du[i * p + b] = T::zero();
            }
        }
        let square = match (self.kind, unit) {
            (Kind::Cone, _) if bend > T::zero() => -value / (bend * bend),
            (Kind::Trace(trace), Some(unit)) => {
                let best = -value / bend / bend * trace;
                let sigma = if best < half { best } else { half };
                unit.square * sigma / (T::one() - sigma) / unit.s / unit.s
            }
            (Kind::UnitDiagonal, _) => {
                let best = -value / (bend * bend);
                if best < half { best } else { half }
            }
            _ => T::zero(),
        };
        if !wrong || square.is_nan() || square <= T::zero() {
            du.fill(T::zero());
            return 0;
        }
        let step = square.sqrt();
        for i in 0..n {
            let row = match self.kind {
                // relative to the length of the row
                Kind::UnitDiagonal => Direction::of(p, |a| u[i * p + a]).map_or_else(T::zero, |d| d.length()),
                _ => T::one(),
            };
            du[i * p + free] *= step * row;
        }
        1
    }
    /// U = I, continued periodically below: equal rows would stay equal, a rank-one trap.
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

impl<T: Scalar> LowRank<T> {
    /// z ← (W + Wᵀ − shift − mean)Û with the shift and the mean that make it orthogonal to Û: M Û for fixed trace.
    ///
    /// The shift is the diagonal entry of the dominant row, so that the product is accurate where it nearly vanishes.
    fn centred_product(&self, unit: &Unit<T>, w: &[T], hat: &[T], z: &mut [T]) -> (T, T) {
        let n = self.size();
        let top = unit.top / self.rank;
        let shift = w[top * n + top] + w[top * n + top];
        self.symmetric_product(w, hat, shift, true, z);
        let mean = inner(hat, z) / unit.square;
        for (z, h) in z.iter_mut().zip(hat) {
            *z -= mean * *h;
        }
        (shift, mean)
    }
}
