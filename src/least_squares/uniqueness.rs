//! Whether other points fit as well as the answer.
//!
//! Every solution has the same A x, so another one differs by z with A z = 0 (and wᵀz = 0 where there is a sum), which may move the coordinates
//! between their bounds, and leave a bound only where the multiplier vanishes.

use super::dual::Primal;
use super::faces::{dependence, orthogonalise_fully};
use super::region::Region;
use crate::linalg::norm2;
use crate::linalg::scratch::Scratch;
use crate::outcome::{Run, Uniqueness};
use crate::{LinalgScalar, Scalar};

/// So many multiplications are always spent: a few dozen microseconds. (To factor the 226 columns of 600 rows of benches/fixed.rs for this alone
/// would double the solve.)
const FEW: f64 = 1e5;
/// More only if that is no more than this part of the solve.
const SHARE: f64 = 0.01;

/// What is known of the answer.
pub(crate) struct Known<T> {
    /// −λ: g + t w are the multipliers.
    pub(crate) t: T,
    /// The natural residual in the units of r.
    pub(crate) displacement: T,
    /// A method has factored the columns between the bounds, and found them independent.
    pub(crate) factored: bool,
    /// Columns j and j + n are opposite: parts of the same coordinate.
    pub(crate) pairs: Option<usize>,
}

impl<T: LinalgScalar, B: Region<T>> Primal<'_, '_, T, B> {
    /// Decides by the rank of the columns that may move, to working precision.
    pub(crate) fn uniqueness(&self, known: &Known<T>, run: &mut Run<'_>) -> Uniqueness {
        let (m, norms) = (self.r.len(), self.problem.norms());
        let weights = self.set.weights();
        let weight = |j: usize| weights.get(j).copied().unwrap_or_else(T::zero);
        // below the first a multiplier is rounding; below the second it may be the error of x
        let rounding = T::lit(4.0) * self.loss(norm2(self.b));
        let error = rounding + T::lit(4.0) * known.displacement;
        let largest = norms.iter().fold(T::zero(), |l, c| l.max(*c));
        let top = weights.iter().fold(T::zero(), |l, w| l.max(*w));
        let alpha = if top > T::zero() && largest > T::zero() {
            largest / top
        } else {
            T::one()
        };
        let size = |j: usize| norms[j].max(alpha * weight(j));
        let is_between = |j: usize| self.set.lower(j) < self.x[j] && self.x[j] < self.set.upper(j);
        let vanishes = |j: usize| {
            self.set.lower(j) < self.set.upper(j)
                && (self.g[j] + known.t * weight(j)).abs() <= error * size(j)
        };
        let (mut k, mut v, mut settled) = (0, 0, known.factored);
        for j in 0..self.x.len() {
            let between = is_between(j);
            if between || vanishes(j) {
                if size(j) == T::zero() {
                    return Uniqueness::NotUnique; // x_j has no say
                }
                // (a method leaves a free coordinate where it is, at zero, when its column depends on others)
                settled &= between && self.x[j] != T::zero();
                k += usize::from(between);
                v += usize::from(!between);
            }
        }
        if settled && k <= m {
            return Uniqueness::Unique;
        }
        if k > m + usize::from(top > T::zero()) {
            return Uniqueness::NotUnique;
        }
        let work = (k + v) as f64 * k.max(v.min(m + 1)) as f64 * m as f64;
        let too_much = work > FEW && work > SHARE * run.passes * self.problem.numbers() as f64;
        if !self.problem.has_columns() || too_much {
            return Uniqueness::NotKnown;
        }

        let between: Scratch<usize> = (0..self.x.len()).filter(|j| is_between(*j)).collect();
        let mut at_bound: Vec<usize> = (0..self.x.len())
            .filter(|j| !is_between(*j) && vanishes(*j))
            .collect();
        if let Some(n) = known.pairs {
            // one of each pair: together they move nothing
            let mut seen = vec![false; n];
            between
                .iter()
                .filter(|j| **j < 2 * n)
                .for_each(|j| seen[*j % n] = true);
            at_bound.retain(|j| *j >= 2 * n || !std::mem::replace(&mut seen[*j % n], true));
        }
        let rows = m + usize::from(between.iter().chain(&at_bound).any(|j| weight(*j) > T::zero()));
        if k > rows {
            return Uniqueness::NotUnique;
        }
        let mut basis = Basis::new(rows);
        let mut column = vec![T::zero(); rows];
        let read = |j: usize, column: &mut [T], run: &mut Run<'_>| {
            self.problem.column(j, &mut column[..m], run);
            if rows > m {
                column[m] = alpha * weight(j);
            }
        };
        for j in &between {
            read(*j, &mut column, run);
            if !basis.take_in(&mut column) {
                return Uniqueness::NotUnique;
            }
        }
        // a column that depends on those between the bounds alone can enter; one that needs others which may not move freely, perhaps
        let mut open = false;
        let mut wider = Basis::new(rows);
        for j in &at_bound {
            read(*j, &mut column, run);
            let whole = norm2(&column);
            let is_zero = (self.g[*j] + known.t * weight(*j)).abs() <= rounding * size(*j);
            if !basis.is_independent(&mut column) {
                if is_zero {
                    return Uniqueness::NotUnique;
                }
                open = true;
            } else if !open && !wider.take_in_rest(&mut column, whole) {
                open = true;
            }
        }
        if open {
            Uniqueness::NotKnown
        } else {
            Uniqueness::Unique
        }
    }
}

/// Orthonormal vectors, one after the other.
struct Basis<T> {
    q: Vec<T>,
    rows: usize,
    products: Vec<T>,
}

impl<T: Scalar> Basis<T> {
    fn new(rows: usize) -> Self {
        Self {
            q: Vec::new(),
            rows,
            products: Vec::new(),
        }
    }

    /// Leaves of the column what is orthogonal to the basis; whether that is more than rounding.
    fn is_independent(&mut self, column: &mut [T]) -> bool {
        let whole = norm2(column);
        self.leaves(column, whole)
    }

    fn leaves(&mut self, column: &mut [T], whole: T) -> bool {
        if self.q.len() == self.rows * self.rows {
            return false;
        }
        let mut coefficients = vec![T::zero(); self.q.len() / self.rows];
        orthogonalise_fully(&self.q, column, &mut coefficients, &mut self.products);
        norm2(column) > dependence::<T>() * whole
    }

    fn take_in(&mut self, column: &mut [T]) -> bool {
        let whole = norm2(column);
        self.take_in_rest(column, whole)
    }

    /// Takes in what is left of a column of norm `whole`; false where that is nothing.
    fn take_in_rest(&mut self, column: &mut [T], whole: T) -> bool {
        if !self.leaves(column, whole) {
            return false;
        }
        let inverse = norm2(column).recip();
        self.q.extend(column.iter().map(|v| *v * inverse));
        true
    }
}
