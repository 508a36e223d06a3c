//! A x = b with x ≥ 0, for wide problems whose data can be interpolated: the nearest such x to an interior point.
//!
//! With unit columns Â and the point x̄ = (s, …, s), the least distance problem (LDP: Lawson & Hanson 1974, ch. 23) and its dual:
//!
//! ```text
//! min ½‖x − x̄‖²  over  Â x = b, x ≥ 0
//! min Φ(y) = ½‖max(x̄ + Âᵀy, 0)‖² − bᵀy        x = max(x̄ + Âᵀy, 0),  ∇Φ(y) = Â x − b
//! ```
//!
//! Φ is convex, once differentiable and unconstrained in as many variables as there are *rows*; its gradient is the residual of an x that
//! is always feasible. L-BFGS on it needs one pass over memory a step: the columns that Âᵀd has read are still in cache when they are added up.
//! The further x̄ lies inside, the more columns stay positive, and the better is Â_F Â_Fᵀ conditioned: for a Gaussian matrix it is
//! ((√k + √m)/(√k − √m))² with k positive columns.
//!
//! Where no x interpolates b, Φ has no minimum: fewer columns than rows stay positive, or the residual does not fall, and that is that.

use super::problem::{Problem, over};
use crate::LinalgScalar;
use crate::linalg::{axpy, dot, max_or_nan, norm2, two_loops};
use crate::solve::{Run, Status};

/// x̄ in units of what makes Â x̄ as long as b, for a Â x̄ that has nothing to do with b.
const INSIDE: f64 = 4.0;
/// Columns from which the squared norms of rows are estimated, to an eighth or so.
const SAMPLED: usize = 128;
/// Rows whose squared norms differ by less than that are as good as alike.
const ALIKE: f64 = 64.0;
/// Pairs that are remembered: vectors as long as columns, and cheap beside a product.
const MEMORY: usize = 30;
/// Steps after which it would have been cheaper to do something else.
const STEPS: usize = 250;
/// A residual so many times the first is a sign that Φ has no minimum.
const FAR: f64 = 1e3;
/// Once the residual is down to this part of b and many columns have become zero, x̄ moves to the x reached, lifted.
const HALFWAY: f64 = 0.03;
/// Coordinates below this part of their mean are lifted to it then.
const LIFT: f64 = 0.1;

/// An interpolating point, A x − b as it was kept up to date, and Aᵀ times that.
pub(super) struct Interpolated<T> {
    pub(super) x: Vec<T>,
    pub(super) r: Vec<T>,
    pub(super) g: Vec<T>,
}

struct State<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    /// x̄ + Âᵀy
    s: Vec<T>,
    /// Â max(s, 0) − b
    r: Vec<T>,
    /// The direction, Âᵀd and, after [`look`](Self::look), the image of the move to y + d.
    d: Vec<T>,
    q: Vec<T>,
    image: Vec<T>,
    /// The initial matrix of L-BFGS, but for its size: 1/‖row‖², or 1 where rows are alike.
    metric: Vec<T>,
    /// Oldest first: (s, y, ⟨s, y⟩).
    pairs: Vec<(Vec<T>, Vec<T>, T)>,
    alpha: Vec<T>,
    columns: Vec<usize>,
    coefficients: Vec<T>,
    correction: Vec<T>,
}

/// Looks for x ≥ 0 with ρ ≤ `tolerance` by way of A x = b; None when that does not work out.
///
/// # Errors
/// The limit that was hit.
pub(super) fn least_distance<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    b_norm: T,
    tolerance: T,
    run: &mut Run<'_>,
) -> Result<Option<Interpolated<T>>, Status> {
    let (m, n) = (problem.rows(), problem.columns());
    let mut state = State::new(problem, b, b_norm, run);
    // the largest of n inner products of r with unit vectors; what it really is shows when they are formed
    let mut largest = T::lit((2.0 * (n as f64).ln() / m as f64).sqrt().min(1.0));
    let first = norm2(&state.r);
    let mut lifted = false;
    for step in 0..STEPS {
        run.iteration()?;
        if step % 50 == 49 {
            state.form_residual(b, run);
        }
        let size = norm2(&state.r);
        // (along a direction in which Φ falls for ever, so far that nothing is left of b)
        if size.is_nan() || size > T::lit(FAR) * first {
            return Ok(None);
        }
        if size * largest <= tolerance * b_norm {
            let found = state.found(run);
            let rho = state.residual(&found) / b_norm;
            if rho <= tolerance {
                return Ok(Some(found));
            }
            largest = (T::lit(1.1) * rho * b_norm / size).max(largest);
        }
        let positive = state.s.iter().filter(|s| **s > T::zero()).count();
        let spent = T::lit(step as f64 / STEPS as f64);
        let wanted = (first * largest / (tolerance * b_norm)).ln();
        if (step >= 8 && positive <= m)
            || (spent > T::lit(0.16) && (first / size).ln() < T::lit(0.8) * spent * wanted)
        {
            return Ok(None);
        }
        if !lifted && size <= T::lit(HALFWAY) * b_norm && 4 * positive <= 3 * n {
            lifted = true;
            state.lift(run);
        }
        state.direction();
        let slope = dot(&state.r, &state.d);
        state.look(run);
        let Some(t) = state.length(slope) else {
            return Ok(None);
        };
        state.advance(t, run);
    }
    Ok(None)
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    /// x̄ and its residual.
    fn new(problem: &'p Problem<'a, T>, b: &[T], b_norm: T, run: &mut Run<'_>) -> Self {
        let (m, n) = (problem.rows(), problem.columns());
        let norms = problem.norms();
        let mut s: Vec<T> = norms.iter().map(|c| over(T::one(), *c)).collect();
        let mut r = vec![T::zero(); m];
        problem.apply(&s, &mut r, run);
        let whole = norm2(&r);
        // the part of b along the sum of the columns is met exactly
        let along = (dot(&r, b) / (whole * b_norm)).max(T::zero()).min(T::one());
        let across = (T::one() - along * along).max(T::zero()).sqrt();
        let size = (along + T::lit(INSIDE) * across) * b_norm / whole;
        for (s, c) in s.iter_mut().zip(norms) {
            *s = if *c > T::zero() { size } else { T::zero() };
        }
        for (r, b) in r.iter_mut().zip(b) {
            *r = size * *r - *b;
        }
        Self {
            metric: metric(problem, run),
            problem,
            s,
            r,
            d: vec![T::zero(); m],
            q: vec![T::zero(); n],
            image: vec![T::zero(); m],
            pairs: Vec::with_capacity(MEMORY),
            alpha: Vec::with_capacity(MEMORY),
            columns: Vec::with_capacity(n),
            coefficients: Vec::with_capacity(n),
            correction: vec![T::zero(); m],
        }
    }

    /// d ← −H r
    fn direction(&mut self) {
        for (d, r) in self.d.iter_mut().zip(&self.r) {
            *d = -*r;
        }
        let size = match self.pairs.last() {
            Some((_, y, sy)) => *sy / y.iter().zip(&self.metric).map(|(y, h)| *h * *y * *y).sum::<T>(),
            None => T::one(),
        };
        let pairs = self.pairs.iter().map(|(s, y, sy)| (&s[..], &y[..], *sy));
        two_loops(pairs, &mut self.d, &mut self.alpha, |d| {
            for (d, h) in d.iter_mut().zip(&self.metric) {
                *d *= size * *h;
            }
        });
    }

    /// q ← Âᵀd, and the image of the move to y + d where it costs no other pass.
    fn look(&mut self, run: &mut Run<'_>) {
        let (problem, norms, s) = (self.problem, self.problem.norms(), &self.s);
        if problem.has_adjoint_normal() {
            let weight = |j: usize, price: T| {
                let q = over(price, norms[j]);
                over(positive(s[j] + q) - positive(s[j]), norms[j])
            };
            problem.adjoint_normal(None, &self.d, &mut self.q, weight, &mut self.image, run);
        } else {
            problem.adjoint(&self.d, &mut self.q, run);
        }
        for (q, c) in self.q.iter_mut().zip(norms) {
            *q = over(*q, *c);
        }
    }

    /// The t > 0 that minimises Φ(y + t d), the root of Φ′, which is increasing and piecewise linear. None when Φ falls for ever, or d is no
    /// direction of descent in this precision.
    fn length(&self, slope: T) -> Option<T> {
        if slope.is_nan() || slope >= T::zero() {
            return None;
        }
        let (mut below, mut above) = (T::zero(), T::infinity());
        let mut t = T::one();
        for _ in 0..60 {
            // differences from t = 0: near the solution the terms themselves are much larger
            let (mut excess, mut bend) = (slope, T::zero());
            for (s, q) in self.s.iter().zip(&self.q) {
                let moved = *s + t * *q;
                if moved > T::zero() {
                    bend += *q * *q;
                    excess += *q * (moved - positive(*s));
                } else {
                    excess -= *q * positive(*s);
                }
            }
            if excess.abs() <= T::lit(1e-6) * slope.abs() {
                break;
            }
            if excess < T::zero() {
                below = t;
            } else {
                above = t;
            }
            let newton = t - excess / bend;
            t = if below < newton && newton < above {
                newton
            } else if above.is_finite() {
                T::lit(0.5) * (below + above)
            } else {
                T::lit(4.0) * t
            };
        }
        t.is_finite().then_some(t)
    }

    /// y ← y + t d, the residual there, and the new pair.
    fn advance(&mut self, t: T, run: &mut Run<'_>) {
        let norms = self.problem.norms();
        self.columns.clear();
        self.coefficients.clear();
        if self.problem.has_adjoint_normal() {
            // of a column that becomes zero, or is zero no longer, t times its part of the image is not what it adds
            for j in 0..self.s.len() {
                let (s, q) = (self.s[j], self.q[j]);
                let (now, whole, part) = (s > T::zero(), s + q > T::zero(), s + t * q > T::zero());
                if now != whole || whole != part {
                    let linear = positive(s) + t * (positive(s + q) - positive(s));
                    self.columns.push(j);
                    self.coefficients
                        .push(over(positive(s + t * q) - linear, norms[j]));
                }
            }
            self.problem
                .combine(&self.columns, &self.coefficients, &mut self.correction, run);
            for (i, c) in self.image.iter_mut().zip(&self.correction) {
                *i = t * *i + *c;
            }
        } else {
            let moves = self.s.iter().zip(&self.q).zip(norms);
            self.coefficients
                .extend(moves.map(|((s, q), c)| over(positive(*s + t * *q) - positive(*s), *c)));
            self.problem.apply(&self.coefficients, &mut self.image, run);
        }
        axpy(T::one(), &self.image, &mut self.r);
        axpy(t, &self.q, &mut self.s);
        let (mut s, mut y) = if self.pairs.len() == MEMORY {
            let (s, y, _) = self.pairs.remove(0);
            (s, y)
        } else {
            (self.d.clone(), self.image.clone())
        };
        for (s, d) in s.iter_mut().zip(&self.d) {
            *s = t * *d;
        }
        y.copy_from_slice(&self.image);
        let sy = dot(&s, &y);
        if sy > T::epsilon() * norm2(&s) * norm2(&y) {
            self.pairs.push((s, y, sy));
        } else {
            self.pairs.clear();
        }
    }

    /// x̄ ← max(x, [`LIFT`] mean(x)), where the way begins anew: more columns stay positive then.
    fn lift(&mut self, run: &mut Run<'_>) {
        let norms = self.problem.norms();
        let sum: T = self.s.iter().map(|s| positive(*s)).sum();
        let least = T::lit(LIFT) * sum / T::count(self.s.len());
        self.columns.clear();
        self.coefficients.clear();
        for (j, s) in self.s.iter_mut().enumerate() {
            if *s < least && norms[j] > T::zero() {
                self.columns.push(j);
                self.coefficients.push((least - positive(*s)) / norms[j]);
                *s = least;
            }
        }
        self.problem
            .combine(&self.columns, &self.coefficients, &mut self.correction, run);
        axpy(T::one(), &self.correction, &mut self.r);
        self.pairs.clear();
    }

    /// x in the units of A.
    fn x(&self) -> Vec<T> {
        let norms = self.problem.norms();
        self.s
            .iter()
            .zip(norms)
            .map(|(s, c)| over(positive(*s), *c))
            .collect()
    }

    fn form_residual(&mut self, b: &[T], run: &mut Run<'_>) {
        self.problem.apply(&self.x(), &mut self.r, run);
        for (r, b) in self.r.iter_mut().zip(b) {
            *r -= *b;
        }
    }

    /// Where y stands, and the gradient there.
    fn found(&self, run: &mut Run<'_>) -> Interpolated<T> {
        let mut g = vec![T::zero(); self.s.len()];
        self.problem.adjoint(&self.r, &mut g, run);
        Interpolated {
            x: self.x(),
            r: self.r.clone(),
            g,
        }
    }

    /// ‖b‖ ρ
    fn residual(&self, found: &Interpolated<T>) -> T {
        let norms = self.problem.norms();
        let move_of = |j: usize| {
            let q = over(found.g[j], norms[j]);
            if q.is_nan() {
                q
            } else {
                q.min(positive(self.s[j])).abs()
            }
        };
        max_or_nan((0..self.s.len()).map(move_of))
    }
}

/// 1/‖row‖² of Â, from some of its columns; 1 everywhere where rows are alike.
fn metric<T: LinalgScalar>(problem: &Problem<'_, T>, run: &mut Run<'_>) -> Vec<T> {
    let (m, n) = (problem.rows(), problem.columns());
    let mut squares = vec![T::zero(); m];
    let mut column = vec![T::zero(); m];
    for j in (0..n).step_by(n.div_ceil(SAMPLED)) {
        let norm = problem.norms()[j];
        if norm > T::zero() {
            problem.column(j, &mut column, run);
            for (s, v) in squares.iter_mut().zip(&column) {
                *s += (*v / norm).powi(2);
            }
        }
    }
    let largest = squares.iter().fold(T::zero(), |l, s| l.max(*s));
    let smallest = squares.iter().fold(T::infinity(), |l, s| l.min(*s));
    if largest <= T::lit(ALIKE) * smallest || largest == T::zero() {
        return vec![T::one(); m];
    }
    // (of a row of zeros nothing depends on y)
    let floor = T::epsilon() * largest;
    squares.iter().map(|s| largest / s.max(floor)).collect()
}

/// max(v, 0)
fn positive<T: LinalgScalar>(v: T) -> T {
    v.max(T::zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Dense;
    use crate::testing::Random;

    fn solve(a: &Dense<'_, f64>, b: &[f64]) -> Option<Interpolated<f64>> {
        let mut run = Run::unlimited();
        let problem = Problem::new(a, true).unwrap();
        least_distance(&problem, b, norm2(b), 1e-9, &mut run).unwrap()
    }

    /// A random wide problem whose data is A x with x > 0 is interpolated, in both orders and with rows of very different size; one with b < 0
    /// and A > 0 is not, and that is noticed.
    #[test]
    fn interpolates_when_it_can() {
        let (m, n) = (40, 200);
        for grade in [0.0, 2.0] {
            let mut random = Random::new(5);
            let mut rows: Vec<f64> = random.normals(m * n);
            for row in rows.chunks_mut(n) {
                let size = (grade * random.normal::<f64>()).exp();
                row.iter_mut().for_each(|v| *v *= size);
            }
            let truth: Vec<f64> = (0..n).map(|_| random.uniform::<f64>()).collect();
            let b: Vec<f64> = rows.chunks(n).map(|row| dot(row, &truth)).collect();
            let columns: Vec<f64> = (0..m * n).map(|k| rows[(k % m) * n + k / m]).collect();
            let by_rows = Dense::row_major(&rows, m, n).unwrap();
            let by_columns = Dense::column_major(&columns, m, n).unwrap();
            let found = [&by_rows, &by_columns].map(|a| solve(a, &b).unwrap().x);
            for x in &found {
                let r: Vec<f64> = rows.chunks(n).zip(&b).map(|(row, b)| dot(row, x) - b).collect();
                assert!(norm2(&r) <= 1e-7 * norm2(&b), "{grade}: {:e}", norm2(&r));
                assert!(x.iter().all(|v| *v >= 0.0));
            }
            // there is one nearest point only
            let apart = found[0].iter().zip(&found[1]).map(|(p, q)| (p - q).abs());
            assert!(max_or_nan(apart) < 1e-5);

            let positive: Vec<f64> = rows.iter().map(|v| v.abs()).collect();
            let a = Dense::row_major(&positive, m, n).unwrap();
            assert!(solve(&a, &vec![-1.0; m]).is_none());
        }
    }

    /// The point is the nearest: x − x̄ is Âᵀy where x > 0 and not less where x = 0, so that ⟨x − x̄, z − x⟩ ≥ 0 for another
    /// interpolating z ≥ 0.
    #[test]
    fn no_other_point_is_nearer() {
        let (m, n) = (20, 80);
        let mut random = Random::new(9);
        let data: Vec<f64> = random.normals(m * n);
        let a = Dense::column_major(&data, m, n).unwrap();
        let norms: Vec<f64> = data.chunks(m).map(norm2).collect();
        // so near to the boundary that some columns become zero
        let other: Vec<f64> = (0..n).map(|_| random.normal::<f64>().max(0.0)).collect();
        let b: Vec<f64> = (0..m)
            .map(|i| (0..n).map(|j| data[j * m + i] * other[j]).sum())
            .collect();
        let found = solve(&a, &b).unwrap();
        let mut run = Run::unlimited();
        let problem = Problem::new(&a, true).unwrap();
        let start = State::new(&problem, &b, norm2(&b), &mut run);
        let scaled: Vec<f64> = found.x.iter().zip(&norms).map(|(x, c)| x * c).collect();
        assert!(scaled.contains(&0.0));
        let toward: f64 = (0..n)
            .map(|j| (scaled[j] - start.s[j]) * (other[j] * norms[j] - scaled[j]))
            .sum();
        assert!(toward >= -1e-6 * dot(&scaled, &scaled));
    }
}
