//! A x = b with x ≥ 0, for wide problems whose data can be interpolated: the nearest such x to an interior point.
//!
//! With unit columns Ā = A/c, c_j = ‖a_j‖, in the variables c∘x, and an interior point x̄, the least distance problem (LDP: Lawson & Hanson
//! 1974, ch. 23) and its dual are
//!
//! ```text
//! min ½‖z − x̄‖²  over  Ā z = b, z ≥ 0
//! min Φ(y) = ½‖max(x̄ + Āᵀy, 0)‖² − bᵀy        z = max(x̄ + Āᵀy, 0),  ∇Φ(y) = Ā z − b
//! ```
//!
//! Φ is convex, once differentiable and unconstrained in as many variables as there are *rows*; its gradient is the residual of a z that
//! is always feasible. L-BFGS on it needs two products a step; where columns lie in memory one pass makes both: the columns that Āᵀd has
//! read are still in cache when they are added up. The further x̄ lies inside, the more columns stay positive, and the better is Ā_F Ā_Fᵀ
//! conditioned: for a normal matrix it is ((√k + √m)/(√k − √m))² with k positive columns.
//!
//! Where no x interpolates b, Φ has no minimum: fewer columns than rows stay positive, or the residual does not fall. Then the method stalls.

use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::evidence::Formed;
use crate::least_squares::problem::{Problem, over};
use crate::least_squares::region::NonNegative;
use crate::linalg::{axpy, dot, max_or_nan, norm2, two_loops};
use crate::outcome::{Phase, Run, Status};

/// x̄ in units of what makes Ā x̄ as long as b, for an Ā x̄ that has nothing to do with b.
const INSIDE: f64 = 4.0;
/// Columns from which the squared norms of rows are estimated, to an eighth or so.
const SAMPLED: usize = 128;
/// Rows whose squared norms differ by less than that are as good as equal.
const ALIKE: f64 = 64.0;
/// Pairs kept by L-BFGS: vectors of the length of a column, cheap compared with a product.
const MEMORY: usize = 30;
/// The most steps: beyond these another method is cheaper.
const STEPS: usize = 250;
/// A residual that exceeds the first by this factor, or a step of this length, shows that Φ has no minimum.
const FAR: f64 = 1e3;
const LONGEST: f64 = 1e8;
/// Once the residual is down to this part of b and many columns have become zero, x̄ moves to the point reached, lifted.
const HALFWAY: f64 = 0.03;
/// Coordinates below this part of their mean are lifted to it then.
const LIFT: f64 = 0.1;

/// Where it ended.
struct Reached<T> {
    x: Vec<T>,
    /// A x − b, formed anew, and Aᵀ times that, where x is good enough.
    good: Option<(Vec<T>, Vec<T>)>,
    /// What ended it elsewhere.
    ended: Status,
}

impl<T: LinalgScalar> Context<'_, '_, T, NonNegative> {
    /// An x with A x = b by least distance to an interior point, or to the feasible point `near`, lifted. Its limit is *stalled* where b
    /// cannot be interpolated, or not this way.
    pub(in crate::least_squares) fn interpolated(
        &self,
        near: Option<&[T]>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let target = T::lit(0.9) * self.tolerance;
        let near = near.filter(|x| x.iter().any(|v| *v > T::zero()));
        run.begin(Phase::LeastDistance);
        let Reached { x, good, ended } = least_distance(self.problem, self.b, self.b_norm, near, target, run);
        let limit = if let Some((mut r, g)) = good {
            r.iter_mut().for_each(|v| *v = -*v);
            self.keep_own(&x, r, g, Formed::anew());
            (!self.solves(&x, self.tolerance, run)).then_some(Status::Stalled)
        } else {
            if matches!(ended, Status::Stalled | Status::NotFinite) {
                run.ended("b cannot be interpolated, or not this way");
            }
            Some(ended)
        };
        Candidate {
            x,
            phase: Phase::LeastDistance,
            limit,
            dual: None,
        }
    }
}

/// Looks for x ≥ 0 with ρ ≤ `tolerance` by way of A x = b.
fn least_distance<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    b_norm: T,
    near: Option<&[T]>,
    tolerance: T,
    run: &mut Run<'_>,
) -> Reached<T> {
    let (m, n) = (problem.rows(), problem.columns());
    let mut state = State::new(problem, b, b_norm, near, run);
    // ρ‖b‖/‖r‖, estimated as the largest of n inner products of a random unit vector with unit columns, until it is measured
    let mut largest = T::lit((2.0 * (n as f64).ln() / m as f64).sqrt().min(1.0));
    let first = norm2(&state.r).max(b_norm);
    let columns = problem.norms().iter().filter(|c| **c > T::zero()).count();
    let mut lifted = near.is_some();
    let mut ended = Status::Stalled;
    for step in 0..STEPS {
        if let Err(limit) = run.iteration() {
            ended = limit;
            break;
        }
        if step % 50 == 49 {
            state.form_residual(b, run);
        }
        // 1. where ‖r‖ says that ρ may be at the tolerance: r and ρ anew, and the end
        let mut size = norm2(&state.r);
        if size * largest <= tolerance * b_norm {
            state.form_residual(b, run);
            size = norm2(&state.r);
            let mut g = vec![T::zero(); n];
            problem.adjoint(&state.r, &mut g, run);
            let rho = state.residual(&g) / b_norm;
            if size.is_finite() && rho <= tolerance {
                let good = Some((state.r.clone(), g));
                return Reached {
                    x: state.x(),
                    good,
                    ended,
                };
            }
            largest = (T::lit(1.1) * rho * b_norm / size).max(largest);
        }
        if size.is_nan() {
            ended = Status::NotFinite;
            break;
        }
        // 2. signs that Φ has no minimum: a huge residual, fewer positive columns than rows, too slow a decrease
        //    (a huge residual comes from a step along a direction in which Φ is unbounded)
        if size > T::lit(FAR) * first {
            break;
        }
        state.positive = state.s.iter().filter(|s| **s > T::zero()).count();
        let spent = T::lit(step as f64 / STEPS as f64);
        let wanted = (first * largest / (tolerance * b_norm)).ln();
        if (step >= 8 && state.positive <= m)
            || (spent > T::lit(0.16) && (first / size).ln() < T::lit(0.8) * spent * wanted)
        {
            break;
        }
        // 3. once, x̄ moves to the point reached
        if !lifted && size <= T::lit(HALFWAY) * b_norm && 4 * state.positive <= 3 * columns {
            lifted = true;
            state.lift(run);
        }
        // 4. d = −H r by L-BFGS, the exact step along it, the new pair
        state.direction();
        let slope = dot(&state.r, &state.d);
        state.evaluate(run);
        let Some(t) = state.length(slope) else {
            break;
        };
        state.advance(t, run);
    }
    // (what was asked for in the last step is not called a stall)
    if let Err(limit) = run.check() {
        ended = limit;
    }
    Reached {
        x: state.x(),
        good: None,
        ended,
    }
}

/// A step of L-BFGS and what it did to the gradient.
struct Pair<T> {
    step: Vec<T>,
    change: Vec<T>,
    product: T,
}

struct State<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    /// x̄ + Āᵀy, and how many of its entries are positive.
    s: Vec<T>,
    positive: usize,
    /// Ā max(s, 0) − b
    r: Vec<T>,
    /// The direction, Āᵀd and, after [`evaluate`](Self::evaluate), the image of the move to y + d.
    d: Vec<T>,
    q: Vec<T>,
    image: Vec<T>,
    /// The initial matrix of L-BFGS, but for its size: 1/‖row‖², or 1 where all rows have one norm.
    metric: Vec<T>,
    /// Room for all; the first `kept` count, oldest first.
    pairs: Vec<Pair<T>>,
    kept: usize,
    alpha: Vec<T>,
    columns: Vec<usize>,
    coefficients: Vec<T>,
    correction: Vec<T>,
}

impl<'p, 'a, T: LinalgScalar> State<'p, 'a, T> {
    /// x̄ and its residual: `near`, lifted, or one number for all coordinates.
    fn new(problem: &'p Problem<'a, T>, b: &[T], b_norm: T, near: Option<&[T]>, run: &mut Run<'_>) -> Self {
        let (m, n) = (problem.rows(), problem.columns());
        let norms = problem.norms();
        let pair = || Pair {
            step: vec![T::zero(); m],
            change: vec![T::zero(); m],
            product: T::zero(),
        };
        let mut state = Self {
            problem,
            s: vec![T::zero(); n],
            positive: n,
            r: vec![T::zero(); m],
            d: vec![T::zero(); m],
            q: vec![T::zero(); n],
            image: vec![T::zero(); m],
            metric: metric(problem, run),
            pairs: (0..MEMORY).map(|_| pair()).collect(),
            kept: 0,
            alpha: Vec::with_capacity(MEMORY),
            columns: Vec::with_capacity(n),
            coefficients: Vec::with_capacity(n),
            correction: vec![T::zero(); m],
        };
        if let Some(x) = near {
            for ((s, x), c) in state.s.iter_mut().zip(x).zip(norms) {
                *s = *x * *c;
            }
            state.form_residual(b, run);
            state.lift(run);
            return state;
        }
        let ones: Vec<T> = norms.iter().map(|c| over(T::one(), *c)).collect();
        problem.apply(&ones, &mut state.r, run);
        // where columns cancel, at least half of what as many columns that have nothing to do with each other would add up to
        let whole = norm2(&state.r).max(T::lit(0.5) * T::count(n).sqrt());
        // the part of b along the sum of the columns is met exactly
        let along = (dot(&state.r, b) / (whole * b_norm)).max(T::zero()).min(T::one());
        let across = (T::one() - along * along).max(T::zero()).sqrt();
        let size = (along + T::lit(INSIDE) * across) * b_norm / whole;
        for (s, c) in state.s.iter_mut().zip(norms) {
            *s = if *c > T::zero() { size } else { T::zero() };
        }
        for (r, b) in state.r.iter_mut().zip(b) {
            *r = size * *r - *b;
        }
        state
    }

    /// d ← −H r
    fn direction(&mut self) {
        for (d, r) in self.d.iter_mut().zip(&self.r) {
            *d = -*r;
        }
        let pairs = &self.pairs[..self.kept];
        let size = match pairs.last() {
            Some(Pair { change, product, .. }) => {
                let squares = change.iter().zip(&self.metric).map(|(y, h)| *h * *y * *y);
                *product / squares.sum()
            }
            None => T::one(),
        };
        let views = pairs.iter().map(|p| (&p.step[..], &p.change[..], p.product));
        two_loops(views, &mut self.d, &mut self.alpha, |d| {
            for (d, h) in d.iter_mut().zip(&self.metric) {
                *d *= size * *h;
            }
        });
    }

    /// q ← Āᵀd, and the image of the move to y + d where it costs no other pass.
    fn evaluate(&mut self, run: &mut Run<'_>) {
        let (problem, norms, s) = (self.problem, self.problem.norms(), &self.s);
        if problem.has_adjoint_normal() {
            let weight = |j: usize, price: T| {
                let q = over(price, norms[j]);
                over(positive(s[j] + q) - positive(s[j]), norms[j])
            };
            problem.adjoint_normal(
                None,
                &self.d,
                &mut self.q,
                weight,
                self.positive,
                &mut self.image,
                run,
            );
        } else {
            problem.adjoint(&self.d, &mut self.q, run);
        }
        for (q, c) in self.q.iter_mut().zip(norms) {
            *q = over(*q, *c);
        }
    }

    /// The t > 0 that minimises Φ(y + t d), the root of Φ′, which is increasing and piecewise linear. None when there is none up to
    /// [`LONGEST`], or d is no direction of descent in this precision.
    fn length(&self, slope: T) -> Option<T> {
        if slope.is_nan() || slope >= T::zero() {
            return None;
        }
        let exact = T::lit(1e-6).max(T::lit(64.0) * T::epsilon());
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
            if excess.abs() <= exact * slope.abs() {
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
        (t <= T::lit(LONGEST)).then_some(t)
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
        if self.kept == MEMORY {
            self.pairs.rotate_left(1);
            self.kept -= 1;
        }
        let Pair {
            step,
            change,
            product,
        } = &mut self.pairs[self.kept];
        for (s, d) in step.iter_mut().zip(&self.d) {
            *s = t * *d;
        }
        change.copy_from_slice(&self.image);
        *product = dot(step, change);
        let curved = *product > T::epsilon() * norm2(step) * norm2(change);
        self.kept = if curved { self.kept + 1 } else { 0 };
    }

    /// x̄ ← max(z, [`LIFT`] mean(z)), where the way begins anew: more columns stay positive then.
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
        self.kept = 0;
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

    /// r anew.
    fn form_residual(&mut self, b: &[T], run: &mut Run<'_>) {
        self.problem.apply(&self.x(), &mut self.r, run);
        for (r, b) in self.r.iter_mut().zip(b) {
            *r -= *b;
        }
    }

    /// ‖b‖ ρ, from g = Aᵀr.
    fn residual(&self, g: &[T]) -> T {
        let norms = self.problem.norms();
        let move_of = |j: usize| {
            let q = over(g[j], norms[j]);
            if q.is_nan() {
                q
            } else {
                q.min(positive(self.s[j])).abs()
            }
        };
        max_or_nan((0..self.s.len()).map(move_of))
    }
}

/// 1/‖row‖² of Ā. It is 1 everywhere if a sample of the columns shows rows of like size, and if a limit was reached (the first step then
/// ends the method).
fn metric<T: LinalgScalar>(problem: &Problem<'_, T>, run: &mut Run<'_>) -> Vec<T> {
    let (m, n) = (problem.rows(), problem.columns());
    let mut squares = vec![T::zero(); m];
    if !problem.has_columns() {
        return vec![T::one(); m];
    }
    let mut column = vec![T::zero(); m];
    for stride in [n.div_ceil(SAMPLED), 1] {
        squares.fill(T::zero());
        // eight neighbours at a time: by rows they share what comes from memory
        for j in (0..n).filter(|j| (j / 8).is_multiple_of(stride)) {
            let norm = problem.norms()[j];
            if norm == T::zero() {
                continue;
            }
            // (entry by entry: columns written out would be m numbers for a few)
            if let Some(a) = problem.sparse() {
                let (rows, values) = a.entries(j);
                for (i, v) in rows.iter().zip(values) {
                    squares[*i as usize] += (*v / norm).powi(2);
                }
                run.passes += 1.0 / n as f64;
                continue;
            }
            if j % 8 == 0 && run.stop().check().is_err() {
                return vec![T::one(); m];
            }
            problem.column(j, &mut column, run);
            for (s, v) in squares.iter_mut().zip(&column) {
                *s += (*v / norm).powi(2);
            }
        }
        let least = squares.iter().fold(T::infinity(), |l, s| l.min(*s));
        let most = squares.iter().fold(T::zero(), |l, s| l.max(*s));
        if most <= T::lit(ALIKE) * least {
            return vec![T::one(); m];
        }
    }
    let most = squares.iter().fold(T::zero(), |l, s| l.max(*s));
    let inverse = |s: &T| if *s > T::zero() { most / *s } else { T::one() };
    squares.iter().map(inverse).collect()
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

    /// Where it ends, if that is good.
    fn solve(a: &Dense<'_, f64>, b: &[f64]) -> Option<Vec<f64>> {
        let problem = Problem::new(a, true, crate::outcome::Stop::never()).unwrap();
        let reached = least_distance(&problem, b, norm2(b), None, 1e-9, &mut Run::unlimited());
        reached.good.map(|_| reached.x)
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
            let found = [&by_rows, &by_columns].map(|a| solve(a, &b).unwrap());
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
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        let start = State::new(&problem, &b, norm2(&b), None, &mut run);
        let scaled: Vec<f64> = found.iter().zip(&norms).map(|(x, c)| x * c).collect();
        assert!(scaled.contains(&0.0));
        let toward: f64 = (0..n)
            .map(|j| (scaled[j] - start.s[j]) * (other[j] * norms[j] - scaled[j]))
            .sum();
        assert!(toward >= -1e-6 * dot(&scaled, &scaled));
    }
}
