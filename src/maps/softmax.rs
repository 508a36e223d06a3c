//! φ(u) = r softmax(u), onto the open simplex, with n or n − 1 parameters.

use super::normalized_squares::check_sum;
use super::{Boundary, Landscape, Reparametrization};
use crate::sets::{ConstraintSet, Simplex};
use crate::{MapError, Result, Scalar};

/// x ← softmax(u): e^{u − max u}/Σ. Infinite entries share all the weight; u = −∞ throughout is the barycentre.
fn softmax<T: Scalar>(u: &[T], x: &mut [T]) {
    let top = u.iter().fold(
        T::neg_infinity(),
        |m, v| if v.is_nan() || *v > m { *v } else { m },
    );
    for (x, u) in x.iter_mut().zip(u) {
        *x = if *u == top { T::one() } else { (*u - top).exp() };
    }
    let sum: T = x.iter().copied().sum();
    for x in x.iter_mut() {
        *x /= sum;
    }
}

fn largest<T: Scalar>(p: &[T]) -> usize {
    (1..p.len()).fold(0, |top, k| if p[k] > p[top] { k } else { top })
}

/// (w_top, ⟨p, w − w_top⟩): w_k − ⟨p, w⟩ = (w_k − first) − second, accurate also where p is nearly a vertex.
fn centre<T: Scalar>(p: &[T], w: &[T]) -> (T, T) {
    let reference = w[largest(p)];
    (
        reference,
        p.iter().zip(w).map(|(p, w)| *p * (*w - reference)).sum(),
    )
}

/// out ← r p∘(w − ⟨p, w⟩): J w = Jᵀ w.
fn covariance<T: Scalar>(p: &[T], w: &[T], r: T, out: &mut [T]) {
    let (reference, mean) = centre(p, w);
    for ((o, p), w) in out.iter_mut().zip(p).zip(w) {
        *o = r * *p * ((*w - reference) - mean);
    }
}

/// out ← the curvature r (a∘q − p⟨a, w⟩), a = p∘(v − ⟨p,v⟩), q = w − ⟨p,w⟩.
fn third_moment<T: Scalar>(p: &[T], w: &[T], v: &[T], r: T, out: &mut [T]) {
    let ((wr, wm), (vr, vm)) = (centre(p, w), centre(p, v));
    let joint: T = (0..p.len())
        .map(|k| p[k] * ((w[k] - wr) - wm) * ((v[k] - vr) - vm))
        .sum();
    for k in 0..p.len() {
        out[k] = r * p[k] * (((w[k] - wr) - wm) * ((v[k] - vr) - vm) - joint);
    }
}

/// Logarithms of a positive point; nudged zeros become `by`.
fn logarithm<T: Scalar>(index: usize, x: T, r: T, boundary: Boundary<T>) -> Result<T, MapError> {
    if x.is_nan() || x < T::zero() || x.is_infinite() {
        return Err(MapError::Outside {
            index,
            value: x.as_f64(),
        });
    }
    let p = x / r;
    match boundary {
        _ if p > T::zero() => Ok(p.ln()),
        Boundary::Nudge(by) if by > T::zero() => Ok(by.ln()),
        _ => Err(MapError::OnBoundary { index }),
    }
}

/// J² g = J Jᵀ g, a function of x for softmax.
fn metric_of<T: Scalar>(x: &[T], g: &[T], r: T, out: &mut [T]) {
    let top = largest(x);
    let mut previous = g[top];
    let mut mean: T = x.iter().zip(g).map(|(x, g)| *x / r * (*g - previous)).sum();
    for k in 0..x.len() {
        out[k] = x[k] * ((g[k] - previous) - mean);
    }
    previous = out[top];
    mean = x.iter().zip(&*out).map(|(x, o)| *x / r * (*o - previous)).sum();
    for k in 0..x.len() {
        out[k] = x[k] * ((out[k] - previous) - mean);
    }
}

/// Softmax: $`x = r\,e^u / \sum_j e^{u_j}`$, onto the interior of the simplex $`\{x > 0, \sum x = r\}`$.
///
/// ```math
/// \begin{aligned}
/// J = J^\top &= r\,(\operatorname{diag} p - p p^\top), \qquad p = x / r \\
/// \sum_i w_i \nabla^2\varphi_i\, v &= r\, p \circ \bigl(q \circ z - \langle p, q \circ z\rangle\bigr), \qquad q = w - \langle p, w\rangle, \quad z = v - \langle p, v\rangle \\
/// J J^\top &= J^2
/// \end{aligned}
/// ```
///
/// The exponentials are shifted by max u (Blanchard, Higham & Higham, IMA J. Numer. Anal. 2021). The boundary is never
/// reached: a solution with a zero is approached as
/// u_j → −∞, where the gradient in u vanishes long before it does in x; [`NormalizedSquares`](super::NormalizedSquares) has
/// no such trouble. Adding a constant to u changes nothing: J has the kernel 1, which
/// [`ReducedSoftmax`] removes.
///
/// ```
/// use reparam::maps::{Reparametrization, Softmax};
/// let map = Softmax::new(2, 1.0).unwrap();
/// let (mut x, mut work) = ([0.0; 2], [0.0; 2]);
/// map.apply(&[1e4, 1e4 + 3.0_f64.ln()], &mut x, &mut work);
/// assert!((x[0] - 0.25).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softmax<T> {
    set: Simplex<T>,
}

impl<T: Scalar> Softmax<T> {
    /// Onto the interior of {x ∈ Rⁿ : x ≥ 0, Σx = radius}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// assert!(reparam::maps::Softmax::new(0, 1.0).is_err());
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: Simplex::new(dim, radius)?,
        })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::maps::Softmax::new(2, 3.0).unwrap().radius(), 3.0);
    /// ```
    pub fn radius(&self) -> T {
        self.set.radius()
    }
}

impl<T: Scalar> Reparametrization<T> for Softmax<T> {
    fn dim_u(&self) -> usize {
        self.set.dim()
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::InteriorOnly
    }
    fn scratch_len(&self) -> usize {
        self.set.dim()
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        softmax(u, x);
        for x in x.iter_mut() {
            *x *= self.radius();
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let p = &mut work[..u.len()];
        softmax(u, p);
        covariance(p, v, self.radius(), jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        self.jvp(u, w, jtw, work);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let p = &mut work[..u.len()];
        softmax(u, p);
        third_moment(p, w, v, self.radius(), out);
    }
    fn diagonals(
        &self,
        u: &[T],
        h: &[T],
        w: &[T],
        gauss_newton: &mut [T],
        curved: &mut [T],
        work: &mut [T],
    ) -> bool {
        let p = &mut work[..u.len()];
        softmax(u, p);
        let (r, top) = (self.radius(), largest(p));
        let (reference, mean) = centre(p, w);
        let term = |k: usize| h[k] * p[k] * p[k];
        let rest: T = (0..p.len()).filter(|k| *k != top).map(term).sum();
        let below: T = (0..p.len()).filter(|k| *k != top).map(|k| p[k]).sum();
        let total = rest + term(top);
        for k in 0..p.len() {
            let (others, distance) = if k == top {
                (rest, below)
            } else {
                (total - term(k), T::one() - p[k])
            };
            gauss_newton[k] = (r * p[k]) * (others + h[k] * distance * distance) * (r * p[k]);
            curved[k] = r * p[k] * ((w[k] - reference) - mean) * (T::one() - (p[k] + p[k]));
        }
        true
    }
    /// ln(x/r), which needs x > 0: zeros are `OnBoundary` under every policy but `Nudge`.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        check_sum(x.iter().copied(), self.radius())?;
        for (index, (x, u)) in x.iter().zip(u.iter_mut()).enumerate() {
            *u = logarithm(index, *x, self.radius(), boundary)?;
        }
        let mean = u.iter().copied().sum::<T>() / T::count(u.len());
        for u in u.iter_mut() {
            *u -= mean;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        metric_of(x, g, self.radius(), out);
        true
    }
    /// u shifted to mean 0.
    fn renormalize(&self, u: &mut [T]) {
        let mean = u.iter().copied().sum::<T>() / T::count(u.len());
        if mean.is_finite() {
            for u in u.iter_mut() {
                *u -= mean;
            }
        }
    }
}

/// Softmax with n − 1 parameters: $`x = r \operatorname{softmax}(V u)`$, V an orthonormal basis of $`\{y : \sum y = 0\}`$.
///
/// ```math
/// J = J_{\text{softmax}} V, \qquad J J^\top = J_{\text{softmax}}^2, \qquad \text{section: } V^\top \ln x, \qquad
/// V_k = \frac{(1, \dots, 1, -k, 0, \dots)}{\sqrt{k (k + 1)}} \ \text{ with } k \text{ ones}
/// ```
///
/// $`V_k`$ is column k of V (Helmert); V is applied in O(n) by running sums.
///
/// The isometric log-ratio coordinates of compositional data (Egozcue, Pawlowsky-Glahn, Mateu-Figueras &
/// Barceló-Vidal, Math. Geology 2003). The Jacobian has full rank; the boundary is never reached. Entries of u beyond
/// the number type's maximum/(4n) are clamped there.
///
/// ```
/// use reparam::maps::{Boundary, ReducedSoftmax, Reparametrization};
/// let map = ReducedSoftmax::new(3, 1.0).unwrap();
/// let (mut u, mut x) = ([0.0; 2], [0.0; 3]);
/// let mut work = vec![0.0; map.scratch_len()];
/// map.section(&[0.5, 0.25, 0.25], Boundary::Exact, &mut u, &mut []).unwrap();
/// map.apply(&u, &mut x, &mut work);
/// assert!((x[0] - 0.5_f64).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReducedSoftmax<T> {
    set: Simplex<T>,
}

impl<T: Scalar> ReducedSoftmax<T> {
    /// Onto the interior of {x ∈ Rⁿ : x ≥ 0, Σx = radius}; u ∈ R^{n−1}.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) for n = 0, [`Error::Setting`](crate::Error::Setting) unless the radius is
    /// positive and finite.
    ///
    /// ```
    /// use reparam::maps::{ReducedSoftmax, Reparametrization};
    /// assert_eq!(ReducedSoftmax::new(4, 1.0).unwrap().dim_u(), 3);
    /// ```
    pub fn new(dim: usize, radius: T) -> Result<Self> {
        Ok(Self {
            set: Simplex::new(dim, radius)?,
        })
    }

    /// r.
    ///
    /// ```
    /// assert_eq!(reparam::maps::ReducedSoftmax::new(2, 3.0).unwrap().radius(), 3.0);
    /// ```
    pub fn radius(&self) -> T {
        self.set.radius()
    }

    /// p ← softmax(V u).
    fn weights(&self, u: &[T], p: &mut [T]) {
        let limit = T::max_value() / T::count(4 * p.len());
        expand(
            |k| {
                if u[k].is_nan() {
                    u[k]
                } else {
                    u[k].max(-limit).min(limit)
                }
            },
            p,
        );
        // softmax in place
        let top = p.iter().fold(
            T::neg_infinity(),
            |m, v| if v.is_nan() || *v > m { *v } else { m },
        );
        let mut sum = T::zero();
        for v in p.iter_mut() {
            *v = (*v - top).exp();
            sum += *v;
        }
        for v in p.iter_mut() {
            *v /= sum;
        }
    }
}

fn helmert<T: Scalar>(k: usize) -> T {
    // √k √(k+1): k(k+1) could leave the exact integers
    T::one() / (T::count(k).sqrt() * T::count(k + 1).sqrt())
}

/// y ← V u.
fn expand<T: Scalar>(u: impl Fn(usize) -> T, y: &mut [T]) {
    let mut sum = T::zero();
    for i in (0..y.len()).rev() {
        y[i] = sum;
        if i > 0 {
            let c = u(i - 1) * helmert(i);
            y[i] -= T::count(i) * c;
            sum += c;
        }
    }
}

/// out ← Vᵀ w.
fn contract<T: Scalar>(w: &[T], out: &mut [T]) {
    let mut sum = T::zero();
    for k in 1..w.len() {
        sum += w[k - 1];
        out[k - 1] = (sum - T::count(k) * w[k]) * helmert(k);
    }
}

impl<T: Scalar> Reparametrization<T> for ReducedSoftmax<T> {
    fn dim_u(&self) -> usize {
        self.set.dim() - 1
    }
    fn dim_x(&self) -> usize {
        self.set.dim()
    }
    fn set(&self) -> &dyn ConstraintSet<T> {
        &self.set
    }
    fn landscape(&self) -> Landscape {
        Landscape::InteriorOnly
    }
    fn scratch_len(&self) -> usize {
        self.set.dim().saturating_mul(3)
    }
    fn apply(&self, u: &[T], x: &mut [T], _work: &mut [T]) {
        self.weights(u, x);
        for x in x.iter_mut() {
            *x *= self.radius();
        }
    }
    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T], work: &mut [T]) {
        let (p, rest) = work.split_at_mut(self.set.dim());
        let y = &mut rest[..p.len()];
        self.weights(u, p);
        expand(|k| v[k], y);
        covariance(p, y, self.radius(), jv);
    }
    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T], work: &mut [T]) {
        let (p, rest) = work.split_at_mut(self.set.dim());
        let y = &mut rest[..p.len()];
        self.weights(u, p);
        covariance(p, w, self.radius(), y);
        contract(y, jtw);
    }
    fn curvature(&self, u: &[T], w: &[T], v: &[T], out: &mut [T], work: &mut [T]) {
        let n = self.set.dim();
        let (p, rest) = work.split_at_mut(n);
        let (y, z) = rest.split_at_mut(n);
        let z = &mut z[..n];
        self.weights(u, p);
        expand(|k| v[k], y);
        third_moment(p, w, y, self.radius(), z);
        contract(z, out);
    }
    /// Vᵀ ln(x/r), which needs x > 0: zeros are `OnBoundary` under every policy but `Nudge`.
    fn section(&self, x: &[T], boundary: Boundary<T>, u: &mut [T], _work: &mut [T]) -> Result<(), MapError> {
        check_sum(x.iter().copied(), self.radius())?;
        let mut sum = logarithm(0, x[0], self.radius(), boundary)?;
        for k in 1..x.len() {
            let y = logarithm(k, x[k], self.radius(), boundary)?;
            u[k - 1] = (sum - T::count(k) * y) * helmert(k);
            sum += y;
        }
        Ok(())
    }
    fn metric(&self, x: &[T], g: &[T], out: &mut [T], _work: &mut [T]) -> bool {
        // V Vᵀ is the projection onto {Σy = 0}, and J_softmax is zero on its complement
        metric_of(x, g, self.radius(), out);
        true
    }
}
