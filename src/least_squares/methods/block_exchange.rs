//! Block exchange of the active set on the Gram matrix. A coordinate is at its lower bound, free, or at its upper bound.
//!
//! Block principal pivoting (Portugal, Júdice & Vicente 1994; Kim & Park 2011; for bounds Júdice & Pires 1992): solve on the free coordinates F,
//! move every coordinate that is wrong, repeat. The number of wrong ones must fall. When it has not fallen for three rounds, only the one
//! with the largest index is moved (Murty's rule) until it does. Ends in a handful of rounds, each one factorisation of G_FF.
//!
//! All computations are in z = x − x⁰, where x⁰ is the point between the bounds nearest to zero, so that bounds far from zero cost no digits.

use crate::LinalgScalar;
use crate::least_squares::context::{Candidate, Context};
use crate::least_squares::evidence::Measure;
use crate::least_squares::faces::{gather, mean_multiplier, weak_pivot};
use crate::least_squares::region::Region;
use crate::linalg::scratch::{self, Scratch};
use crate::linalg::{axpy, dot, max_or_nan, solve_lower};
use crate::outcome::{Phase, Run, Status};

/// Steps of iterative refinement at most.
const REFINEMENTS: usize = 4;

/// Where a coordinate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::least_squares) enum State {
    Lower,
    Free,
    Upper,
    /// It stays where it is: lo = hi, or a column of zeros.
    Fixed,
}

scratch::pooled!(STATES: State);

/// The problem in z.
pub(in crate::least_squares) struct Shifted<'s, T, R> {
    pub(in crate::least_squares) gram: &'s [T],
    /// Aᵀ(b − A x⁰)
    pub(in crate::least_squares) c: &'s [T],
    pub(in crate::least_squares) norms: &'s [T],
    /// Bounds of z, r − Σ w x⁰.
    pub(in crate::least_squares) region: &'s R,
    /// α² of the row that is appended to A for the sum, 0 without one.
    pub(in crate::least_squares) alpha_squared: T,
    /// The factor of G, where it is known. (Without a sum.)
    pub(in crate::least_squares) whole: Option<&'s [T]>,
}

/// Where the exchange ended.
pub(in crate::least_squares) struct Exchange<T: LinalgScalar> {
    pub(in crate::least_squares) states: Scratch<State>,
    /// F, ascending.
    pub(in crate::least_squares) face: Scratch<usize>,
    /// z on the face, in its order.
    pub(in crate::least_squares) z: Scratch<T>,
    factor: Scratch<T>,
    /// G_FF⁻¹ w_F and its product with w_F; empty when nothing of the sum is in the face.
    along: Vec<T>,
    curvature: T,
}

/// Why there is no answer.
pub(in crate::least_squares) enum Failure<E> {
    /// G_FF is not safely positive definite: another method must take over.
    Singular,
    /// The states cycle.
    Cycling,
    /// A limit of the run, with the state so far (z need not be feasible).
    Limit(Status, E),
}

impl<T: LinalgScalar> Exchange<T> {
    /// v ← G_FF⁻¹ v
    pub(in crate::least_squares) fn solve(&self, v: &mut [T]) {
        solve_lower(&self.factor, self.face.len(), v);
    }

    /// v ← the step with gradient −v on the face that changes Σ w z by `lacking`.
    pub(in crate::least_squares) fn step(&self, v: &mut [T], region: &impl Region<T>, lacking: T) {
        self.solve(v);
        if !self.along.is_empty() {
            axpy(self.change_of_multiplier(v, region, lacking), &self.along, v);
        }
    }

    /// What the multiplier of the sum must change by, so that the step v on the face changes Σ w z by `lacking`.
    fn change_of_multiplier(&self, v: &[T], region: &impl Region<T>, lacking: T) -> T {
        let moved: T = self.face.iter().zip(v).map(|(j, v)| region.weight(*j) * *v).sum();
        (lacking - moved) / self.curvature
    }

    /// x⁰ + z, exactly at the bounds where the exchange says so.
    fn point(&self, base: Option<&[T]>, region: &impl Region<T>) -> Vec<T> {
        let mut x: Vec<T> = (0..self.states.len())
            .map(|j| match self.states[j] {
                State::Lower => region.lower(j),
                State::Upper => region.upper(j),
                State::Free | State::Fixed => base.map_or(T::zero(), |base| base[j]),
            })
            .collect();
        for (j, z) in self.face.iter().zip(&*self.z) {
            if self.states[*j] == State::Free {
                x[*j] += *z;
            }
        }
        x
    }

    /// z of a coordinate off the face.
    fn at_bound(&self, j: usize, region: &impl Region<T>) -> T {
        match self.states[j] {
            State::Lower => region.lower(j),
            State::Upper => region.upper(j),
            State::Free | State::Fixed => T::zero(),
        }
    }
}

/// G_FF + α² w wᵀ, lower triangle.
pub(in crate::least_squares) fn append_row<T: LinalgScalar>(
    l: &mut [T],
    face: &[usize],
    region: &impl Region<T>,
    alpha_squared: T,
) {
    if alpha_squared == T::zero() {
        return;
    }
    let k = face.len();
    for (q, j) in face.iter().enumerate() {
        let w = alpha_squared * region.weight(*j);
        if w > T::zero() {
            for (p, i) in face.iter().enumerate().skip(q) {
                l[q * k + p] += w * region.weight(*i);
            }
        }
    }
}

/// max_j |v_j|/‖a_j‖
fn largest_in_column_units<T: LinalgScalar>(v: &[T], norms: &[T]) -> T {
    let scores = v.iter().zip(norms).filter(|(_, norm)| **norm > T::zero());
    scores.fold(T::zero(), |m, (v, norm)| m.max(v.abs() / *norm))
}

/// Signs are read in units of the column norms. Below this part of the largest term, of the solution and of the multipliers, they are rounding.
fn rounding<T: LinalgScalar>(largest: T) -> T {
    T::lit(5e3) * T::epsilon() * largest
}

/// [`rounding`] for x ≥ 0 and c = Aᵀb.
pub(in crate::least_squares) fn rounding_of_signs<T: LinalgScalar>(c: &[T], norms: &[T]) -> T {
    rounding(largest_in_column_units(c, norms))
}

/// Runs the exchange from the given states.
pub(in crate::least_squares) fn block_exchange<T: LinalgScalar, R: Region<T>>(
    p: &Shifted<'_, T, R>,
    states: Scratch<State>,
    run: &mut Run<'_>,
) -> Result<Exchange<T>, Failure<Exchange<T>>> {
    let n = p.c.len();
    let region = p.region;
    let size_of_c = largest_in_column_units(p.c, p.norms);
    let mut next: Scratch<State> = scratch::filled(n, State::Fixed);
    // h = c − G z with only the bounds in z, then −(G z − c − λ w): the negative reduced gradient
    let mut h: Scratch<T> = scratch::zeros(n);
    let mut e = Exchange {
        states,
        face: scratch::empty(),
        z: scratch::empty(),
        factor: scratch::empty(),
        along: Vec::new(),
        curvature: T::zero(),
    };
    let (mut fewest, mut patience) = (n + 1, 3);
    // every round of single moves brings a new face; this many without a success means that rounding decides
    for _ in 0..20 + 5 * n {
        if let Err(status) = run.iteration() {
            return Err(Failure::Limit(status, e));
        }
        // 1. the factor of G_FF
        e.face.clear();
        e.face.extend((0..n).filter(|j| e.states[*j] == State::Free));
        let k = e.face.len();
        if let Some(whole) = p.whole.filter(|_| k == n) {
            e.factor.clear();
            e.factor.extend_from_slice(whole);
        } else {
            e.factor.resize(k * k, T::zero());
            gather(p.gram, n, &e.face, &mut e.factor);
            append_row(&mut e.factor, &e.face, region, p.alpha_squared);
            run.factorisations += 1;
            let diagonal = |i: usize| {
                let (j, w) = (e.face[i], region.weight(e.face[i]));
                p.gram[j * (n + 1)] + p.alpha_squared * w * w
            };
            if !T::cholesky(k, &mut e.factor) || weak_pivot(&e.factor, k, diagonal) {
                return Err(Failure::Singular);
            }
        }
        // 2. the right-hand side for the face, with the coordinates at bounds subtracted. (The appended row is in the factor only: it changes the
        //    multiplier and nothing else.)
        h.copy_from_slice(p.c);
        let mut lacking = region.sum().map_or(T::zero(), |s| s.r);
        let mut largest = size_of_c;
        if !R::ZERO_OFF_FACE {
            for j in 0..n {
                let z = e.at_bound(j, region);
                if z != T::zero() {
                    axpy(-z, &p.gram[j * n..(j + 1) * n], &mut h);
                    lacking -= region.weight(j) * z;
                }
            }
            largest = largest.max(largest_in_column_units(&h, p.norms));
        }
        e.along.clear();
        if let Some(sum) = region.sum() {
            let weights = || e.face.iter().map(|j| sum.w[*j]);
            if weights().any(|w| w > T::zero()) {
                e.along.extend(weights());
                solve_lower(&e.factor, k, &mut e.along);
                e.curvature = weights().zip(&e.along).map(|(w, v)| w * *v).sum();
            } else if (0..n).any(|j| sum.w[j] > T::zero() && e.states[j] != State::Fixed) {
                // all at bounds that need not add up, and the multiplier is unknown
                return Err(Failure::Cycling);
            }
        }
        // 3. z_F, and the negative reduced gradient, which is zero on the face
        e.z.clear();
        e.z.extend(e.face.iter().map(|j| h[*j]));
        solve_lower(&e.factor, k, &mut e.z);
        if !e.along.is_empty() {
            let change = e.change_of_multiplier(&e.z, region, lacking);
            axpy(change, &e.along, &mut e.z);
        }
        for (j, v) in e.face.iter().zip(&*e.z) {
            axpy(-*v, &p.gram[j * n..(j + 1) * n], &mut h);
        }
        if let Some(sum) = region.sum() {
            let lambda = mean_multiplier(&e.face, p.norms, &sum.w, &h).unwrap_or_else(T::zero);
            axpy(lambda, &sum.w, &mut h);
            largest += lambda.abs() * largest_in_column_units(&sum.w, p.norms);
        }
        // 4. which coordinates are in the wrong state
        let tolerance = rounding(largest);
        let (mut position, mut wrong, mut last) = (0, 0, None);
        for j in 0..n {
            let c = p.norms[j];
            next[j] = match e.states[j] {
                State::Free => {
                    let v = e.z[position];
                    position += 1;
                    if c * (v - region.lower(j)) < -tolerance {
                        State::Lower
                    } else if !R::ZERO_OFF_FACE && c * (v - region.upper(j)) > tolerance {
                        State::Upper
                    } else {
                        State::Free
                    }
                }
                State::Lower if h[j] > tolerance * c => State::Free,
                State::Upper if !R::ZERO_OFF_FACE && h[j] < -tolerance * c => State::Free,
                same => same,
            };
            if next[j] != e.states[j] {
                wrong += 1;
                last = Some(j);
            }
        }
        let Some(last) = last else {
            return Ok(e);
        };
        // 5. exchange all of them, or only the last (Murty's rule)
        if wrong < fewest {
            (fewest, patience) = (wrong, 3);
        } else if patience > 0 {
            patience -= 1;
        } else {
            e.states[last] = next[last];
            continue;
        }
        std::mem::swap(&mut e.states, &mut next);
    }
    Err(Failure::Cycling)
}

impl<T: LinalgScalar, R: Measure<T>> Context<'_, '_, T, R> {
    /// Block exchange from a guess of the solution, or with every coordinate free, refined in A. None when the Gram matrix is too
    /// ill-conditioned or the states cycle.
    pub(in crate::least_squares) fn block_exchange(
        &self,
        guess: Option<&[T]>,
        run: &mut Run<'_>,
    ) -> Option<Candidate<T>> {
        let (p, region) = (self.problem, self.region);
        run.begin(Phase::BlockExchange);
        let states: Scratch<State> = (0..p.columns())
            .map(|j| match guess {
                _ if region.is_fixed(j) || self.norms[j] == T::zero() => State::Fixed,
                Some(x) if x[j] <= region.lower(j) => State::Lower,
                Some(x) if x[j] >= region.upper(j) => State::Upper,
                _ => State::Free,
            })
            .collect();
        let gram = match p.whole_gram(run) {
            Ok(gram) => gram,
            Err(limit) => {
                let x = guess.map_or_else(|| self.origin(run), <[T]>::to_vec);
                return Some(Candidate::stopped_at(&x, limit));
            }
        };
        // z = x − x⁰ and c = Aᵀ(b − A x⁰)
        let base = region.off_zero();
        let own: Vec<T>;
        let c = match &base {
            None => self.correlations(run),
            Some(base) => {
                let r = self.residual_of(base, run);
                let mut c = vec![T::zero(); base.len()];
                p.adjoint(&r, &mut c, run);
                own = c;
                &own
            }
        };
        let base = base.as_deref();
        let shifted = base.map(|base| region.shifted(base));
        let problem = Shifted {
            gram,
            c,
            norms: self.norms,
            region: shifted.as_ref().unwrap_or(region),
            alpha_squared: self.alpha * self.alpha,
            whole: region
                .sum()
                .is_none()
                .then(|| p.whole_factor(gram, run))
                .flatten(),
        };
        match block_exchange(&problem, states, run) {
            Ok(exchange) => {
                let mut candidate = self.refine(&exchange, base, run);
                // columns so small that their coordinates are rounding may still be what the sum is made of
                self.adds_up(&candidate.x).then(|| {
                    region.meet_sum(self.norms, &mut candidate.x);
                    candidate
                })
            }
            Err(Failure::Limit(status, exchange)) => Some(self.stopped(status, &exchange, base, run)),
            Err(Failure::Singular | Failure::Cycling) => {
                run.ended("the Gram matrix is too ill-conditioned, or the states cycle");
                None
            }
        }
    }

    /// Iterative refinement with the residual in A: repairs what the squared condition number of the Gram matrix cost.
    fn refine(&self, exchange: &Exchange<T>, base: Option<&[T]>, run: &mut Run<'_>) -> Candidate<T> {
        let (p, region, face) = (self.problem, self.region, &exchange.face);
        let mut x = exchange.point(base, region);
        face.iter().for_each(|j| x[*j] = region.clip(*j, x[*j]));
        let mut delta: Scratch<T> = scratch::zeros(face.len());
        let mut r: Scratch<T> = scratch::zeros(p.rows());
        let mut last = T::infinity();
        for _ in 0..REFINEMENTS {
            self.residual_on(face, &x, &mut r, run);
            p.combine_adjoint(face, &r, &mut delta, run);
            exchange.step(&mut delta, region, region.lacking(&x).0);
            // in column-norm units
            let size = max_or_nan(face.iter().zip(&delta).map(|(j, d)| (self.norms[*j] * *d).abs()));
            let mut stays = true;
            for (j, d) in face.iter().zip(&delta) {
                let next = x[*j] + *d;
                stays &= region.clip(*j, next) == next;
            }
            if size.is_nan() || size >= T::lit(0.5) * last || !stays {
                break;
            }
            face.iter().zip(&delta).for_each(|(j, d)| x[*j] += *d);
            last = size;
        }
        let size = self.size_of(&x);
        for (j, d) in face.iter().zip(&delta) {
            x[*j] = region
                .rounding_of_bound(*j, x[*j], *d, self.norms[*j], size)
                .unwrap_or(x[*j]);
        }
        // w = A_F G⁻¹ ν has A_Fᵀ w = ν, with the column norms ν, and the sign that each half-line asks for
        let dual = region.has_half_lines().then(|| {
            let mut v: Scratch<T> = face.iter().map(|j| region.inward(*j) * self.norms[*j]).collect();
            exchange.solve(&mut v);
            p.combine(face, &v, &mut r, run);
            r
        });
        Candidate {
            x,
            phase: Phase::BlockExchange,
            limit: None,
            dual,
        }
    }

    /// The point of an interrupted exchange: its last point projected on the set, and over x ≥ 0 the best multiple of it.
    fn stopped(
        &self,
        status: Status,
        exchange: &Exchange<T>,
        base: Option<&[T]>,
        run: &mut Run<'_>,
    ) -> Candidate<T> {
        let mut x = exchange.point(base, self.region);
        self.region.project(self.norms, &mut x);
        if R::ZERO_OFF_FACE {
            let mut image = vec![T::zero(); self.problem.rows()];
            self.problem.apply(&x, &mut image, run);
            let multiple = (dot(&image, self.b) / dot(&image, &image)).max(T::zero());
            x.iter_mut().for_each(|v| *v *= multiple);
        }
        Candidate::new(x, Phase::BlockExchange, Some(status))
    }
}
