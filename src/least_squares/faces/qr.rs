//! A face on a QR factor that grows: the condition number is not squared.

use super::{
    Face, dependence, mean_multiplier, meaningful, orthogonalise, orthogonalise_fully, residual,
    worth_closing,
};
use crate::checks::check_memory;
use crate::least_squares::problem::Problem;
#[cfg(test)]
use crate::least_squares::region::NonNegative;
use crate::least_squares::region::Region;
use crate::linalg::{PackedUpper, axpy, dot, exponent, max_or_nan, norm2, pow2};
use crate::outcome::Run;
use crate::{LinalgScalar, Scalar};

/// A_F = Q R with orthonormal Q.
///
/// With a sum the row α wᵀ is appended to A and α r to b, which does not change the minimiser. The columns of a face are then independent exactly
/// where the least-squares problem with the sum has one solution. The last row of Q is α uᵀ with u = R⁻ᵀ w, and the step to the minimiser is
/// p = R⁻¹ v, where v is the point of {uᵀ v = r − wᵀx} nearest to d = Qᵀ(b − A x).
pub(in crate::least_squares) struct QrFace<'p, 'a, T: LinalgScalar, R> {
    problem: &'p Problem<'a, T>,
    region: &'p R,
    b: &'p [T],
    /// The size of the terms of b − A x: ‖b‖, or max ‖a_j x_j‖ where that is more.
    size: T,
    members: Vec<usize>,
    /// Column after column, m each, or m + 1 with a sum.
    q: Vec<T>,
    r: PackedUpper<T>,
    /// Qᵀ(b − A x) at the present point, which is x = 0 where coordinates off the face are zero.
    d: Vec<T>,
    /// (I − Q Qᵀ)(b − A x): without a sum the residual at the minimiser.
    rest: Vec<T>,
    column: Vec<T>,
    coefficients: Vec<T>,
    products: Vec<T>,
    /// Residuals are formed in twice the precision.
    twice: bool,
    /// What the last step subtracts from d.
    v: Vec<T>,
    of_sum: OfSum<T>,
}

/// What a sum adds to a face.
struct OfSum<T> {
    /// α
    alpha: T,
    /// How many members take part in the sum.
    anchors: usize,
    /// r − wᵀx, where it is more than rounding.
    lacking: T,
    /// The residual at the minimiser, and the multiplier of the sum there; whether they are those of the present face.
    residual: Vec<T>,
    lambda: T,
    is_current: bool,
}

impl<'p, 'a, T: LinalgScalar, R: Region<T>> QrFace<'p, 'a, T, R> {
    /// An empty face; α is the factor of the row that is appended for the sum.
    pub(in crate::least_squares) fn over(
        problem: &'p Problem<'a, T>,
        b: &'p [T],
        region: &'p R,
        alpha: T,
    ) -> Self {
        let rows = b.len() + usize::from(region.sum().is_some());
        let mut rest = b.to_vec();
        rest.resize(rows, T::zero());
        Self {
            problem,
            region,
            b,
            size: norm2(b),
            members: Vec::new(),
            q: Vec::new(),
            r: PackedUpper::new(),
            d: Vec::new(),
            rest,
            column: vec![T::zero(); rows],
            coefficients: Vec::new(),
            products: Vec::new(),
            twice: false,
            v: Vec::new(),
            of_sum: OfSum {
                alpha,
                anchors: 0,
                lacking: T::zero(),
                residual: if rows > b.len() {
                    vec![T::zero(); rows]
                } else {
                    Vec::new()
                },
                lambda: T::zero(),
                is_current: false,
            },
        }
    }

    /// The same with residuals in twice the precision, where the problem has entries.
    pub(in crate::least_squares) fn in_twice(self) -> Self {
        Self { twice: true, ..self }
    }

    fn rows(&self) -> usize {
        self.rest.len()
    }

    /// r ← b − A x
    fn form_residual(&self, x: &[T], held: &[T], r: &mut [T], run: &mut Run<'_>) {
        if R::ZERO_OFF_FACE && !self.twice {
            return residual(self.problem, self.b, &self.members, x, r, run);
        }
        let mut full = held.to_vec();
        full.resize(self.problem.columns(), T::zero());
        self.members.iter().zip(x).for_each(|(j, v)| full[*j] = *v);
        if self.twice
            && let Some(exact) = self.problem.residual_twice(self.b, &full, run)
        {
            r.copy_from_slice(&exact);
        } else {
            let support: Vec<usize> = (0..full.len()).filter(|j| full[*j] != T::zero()).collect();
            let values: Vec<T> = support.iter().map(|j| full[*j]).collect();
            residual(self.problem, self.b, &support, &values, r, run);
        }
    }

    /// Starts from given columns with one factorisation; false (and empty) when one of them depends on the others, there is no memory for
    /// the factor, or a limit was reached on the way.
    pub(in crate::least_squares) fn assign(&mut self, members: &[usize], run: &mut Run<'_>) -> bool {
        let (m, rows, k) = (self.b.len(), self.rows(), members.len());
        // (the factorisation needs the columns twice, and R is there in full and packed)
        let elements = rows.saturating_add(k).saturating_mul(k).saturating_mul(2);
        if k > rows || check_memory::<T>("a QR factor", elements).is_err() {
            return false;
        }
        self.q.resize(rows * k, T::zero());
        for (j, q) in members.iter().zip(self.q.chunks_exact_mut(rows)) {
            if run.check().is_err() {
                self.q.clear();
                return false;
            }
            self.problem.column(*j, &mut q[..m], run);
            if rows > m {
                q[m] = self.of_sum.alpha * self.region.weight(*j);
            }
        }
        let mut r = vec![T::zero(); k * k];
        run.factorisations += 1;
        run.factor_passes += self.passes_of_assign(k);
        T::thin_qr(rows, k, &mut self.q, &mut r);
        let norms = self.problem.norms();
        let depends = |p: usize| {
            let rest = r[p * k + p].abs();
            let j = members[p];
            let of_sum = self.of_sum.alpha * self.region.weight(j);
            rest.is_nan() || rest <= smallest(norms[j], of_sum)
        };
        if (0..k).any(depends) {
            self.q.clear();
            return false;
        }
        for p in 0..k {
            self.r.push(&r[p * k..p * k + p], r[p * k + p]);
        }
        for q in self.q.chunks_exact(rows) {
            let z = dot(q, &self.rest);
            axpy(-z, q, &mut self.rest);
            self.d.push(z);
        }
        self.members.extend_from_slice(members);
        self.of_sum.anchors = self.region.taking_part(members);
        true
    }

    /// What [`assign`](Self::assign) of so many columns costs, in passes: 4 m k² operations, in blocks.
    pub(in crate::least_squares) fn passes_of_assign(&self, k: usize) -> f64 {
        0.25 * (k * k) as f64 / self.problem.columns() as f64
    }

    /// w = Q R⁻ᵀ v, for which A_Fᵀ w = v.
    pub(in crate::least_squares) fn dual_direction(&self, mut v: Vec<T>) -> Vec<T> {
        self.r.solve_transposed(&mut v);
        let mut w = vec![T::zero(); self.rows()];
        for (qi, vi) in self.q.chunks_exact(self.rows()).zip(&v) {
            axpy(*vi, qi, &mut w);
        }
        w.truncate(self.b.len());
        w
    }

    /// u = R⁻ᵀ w, read off the last row of Q.
    fn u(&self, k: usize) -> T {
        self.q[(k + 1) * self.rows() - 1] / self.of_sum.alpha
    }

    /// (uᵀd, uᵀu)
    fn along_u(&self) -> (T, T) {
        let (mut ud, mut uu) = (T::zero(), T::zero());
        for (k, d) in self.d.iter().enumerate() {
            let u = self.u(k);
            ud += u * *d;
            uu += u * u;
        }
        (ud, uu)
    }

    /// z ← the step from the present point to the minimiser.
    fn step(&mut self, z: &mut [T]) {
        z.copy_from_slice(&self.d);
        if self.of_sum.anchors > 0 {
            let (ud, uu) = self.along_u();
            let coefficient = (self.of_sum.lacking - ud) / uu;
            for (k, z) in z.iter_mut().enumerate() {
                *z += coefficient * self.u(k);
            }
        }
        if !R::ZERO_OFF_FACE {
            self.v.clear();
            self.v.extend_from_slice(z);
        }
        self.r.solve(z);
    }

    /// The residual at the minimiser, orthogonalised against Q again, and the multiplier of the sum.
    fn find_multiplier(&mut self) {
        self.of_sum.is_current = true;
        self.of_sum.residual.copy_from_slice(&self.rest);
        self.of_sum.lambda = T::zero();
        if self.of_sum.anchors == 0 {
            return;
        }
        let (ud, uu) = self.along_u();
        let mu = ud / uu;
        let rows = self.rows();
        for k in 0..self.members.len() {
            let part = mu * self.u(k);
            axpy(part, &self.q[k * rows..(k + 1) * rows], &mut self.of_sum.residual);
        }
        // A_Fᵀ(residual) = μ w in all rows; the last row's share belongs to the multiplier
        self.of_sum.lambda = self.of_sum.alpha * self.of_sum.residual[self.b.len()] - mu;
    }
}

#[cfg(test)]
impl<'p, 'a, T: LinalgScalar> QrFace<'p, 'a, T, NonNegative> {
    /// An empty face over x ≥ 0.
    pub(in crate::least_squares) fn new(problem: &'p Problem<'a, T>, b: &'p [T]) -> Self {
        Self::over(problem, b, &NonNegative, T::zero())
    }
}

impl<T: LinalgScalar, R: Region<T>> QrFace<'_, '_, T, R> {
    /// One step of iterative refinement of the minimiser, x ← x + A_F⁺ (b − A x), kept within its bounds; there is no sum. By back substitution,
    /// coordinate after coordinate: what rounding takes from one, those that follow make good, and in direction i the residual is off by |R_ii|
    /// ulp(x_i) only.
    /// Where that is more than `goal`, a coordinate before x_i is looked for that can make it good (see [`Self::shift_for`]).
    /// Returns max ‖a_j‖ |change of x_j|.
    pub(in crate::least_squares) fn refine(
        &mut self,
        x: &mut [T],
        held: &[T],
        goal: T,
        run: &mut Run<'_>,
    ) -> T {
        let mut r = std::mem::take(&mut self.column);
        self.form_residual(x, held, &mut r, run);
        let mut d: Vec<T> = self.q.chunks_exact(self.b.len()).map(|q| dot(q, &r)).collect();
        self.column = r;
        let norms = self.problem.norms();
        let mut moved = T::zero();
        for i in (0..x.len()).rev() {
            let diagonal = self.r.column(i)[i];
            let off = |d: T| rounding_of_step(x[i], d / diagonal);
            if (diagonal * off(d[i])).abs() > goal
                && let Some((p, shift)) = self.shift_for(i, off(d[i]), x, goal)
            {
                let before = x[p];
                x[p] += shift;
                let change = x[p] - before;
                axpy(-change, &self.r.column(p)[..=i], &mut d[..=i]);
            }
            let column = self.r.column(i);
            let next = self.region.clip(self.members[i], x[i] + d[i] / diagonal);
            let change = next - x[i];
            x[i] = next;
            axpy(-change, &column[..i], &mut d[..i]);
            moved = max_or_nan([moved, (norms[self.members[i]] * change).abs()]);
        }
        moved
    }

    /// A coordinate p > i and a multiple of its last place that brings x_i, now off by `off` from the nearest number, near to one, at no cost of
    /// more than `goal` in the directions i + 1 … p.
    ///
    /// Of two columns that are nearly parallel the coordinates may be so large that their last places are worth more than the tolerance. A step
    /// of both along what the columns have in common costs next to nothing, and the last places of the two go at different rates: some step is as
    /// good as the goal.
    fn shift_for(&self, i: usize, off: T, x: &[T], goal: T) -> Option<(usize, T)> {
        let (here, diagonal) = (last_place(x[i]), self.r.column(i)[i]);
        let longest = |p: usize| {
            let cost = max_or_nan(self.r.column(p)[i + 1..].iter().map(|v| v.abs())) * last_place(x[p]);
            (goal / cost).min(T::lit(LONGEST_SHIFT))
        };
        let (most, p) = (i + 1..x.len())
            .filter(|p| self.region.is_inside(self.members[*p], x[*p]))
            .map(|p| (longest(p), p))
            .fold(
                (T::one(), i),
                |best, next| if next.0 > best.0 { next } else { best },
            );
        if p == i {
            return None;
        }
        // in last places of x_i: what one last place of x_p moves it by, without whole ones
        let rate = self.r.column(p)[i] * last_place(x[p]) / (diagonal * here);
        let rate = rate - rate.round();
        let off = off / here;
        let enough = goal / (diagonal * here).abs();
        let (mut k, mut best) = (T::zero(), (off.abs(), T::zero()));
        while k < most && best.0 > enough {
            k += T::one();
            for k in [k, -k] {
                let rest = off - k * rate;
                let rest = (rest - rest.round()).abs();
                if rest < best.0 {
                    best = (rest, k);
                }
            }
        }
        (best.1 != T::zero()).then(|| (p, best.1 * last_place(x[p])))
    }
}

/// A column is dependent if its part orthogonal to the others is at most this. The entries of A and that of the appended row each have their own
/// rounding error, so a small column beside a large row is compared with its own size.
fn smallest<T: Scalar>(of_a: T, of_sum: T) -> T {
    dependence::<T>() * of_a + T::lit(16.0) * T::epsilon() * of_sum.abs()
}

/// Last places that [`QrFace::shift_for`] tries: some milliseconds.
const LONGEST_SHIFT: f64 = (1 << 20) as f64;

/// The distance from v to the next number.
fn last_place<T: Scalar>(v: T) -> T {
    pow2::<T>(exponent(v)) * T::epsilon()
}

/// What rounding takes from v + step, exactly (Knuth 1969).
fn rounding_of_step<T: Scalar>(v: T, step: T) -> T {
    let sum = v + step;
    let t = sum - v;
    (v - (sum - t)) + (step - t)
}

impl<T: LinalgScalar, R: Region<T>> Face<T> for QrFace<'_, '_, T, R> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool {
        let m = self.b.len();
        if self.members.len() >= self.rows() {
            return false; // a basis is complete
        }
        self.problem.column(j, &mut self.column[..m], run);
        // (8 m k operations)
        run.factor_passes += 4.0 * self.members.len() as f64 / self.problem.columns() as f64;
        let mut of_sum = T::zero();
        if self.rows() > m {
            of_sum = self.of_sum.alpha * self.region.weight(j);
            self.column[m] = of_sum;
        }
        let smallest = smallest(norm2(&self.column[..m]), of_sum);
        self.coefficients.clear();
        self.coefficients.resize(self.members.len(), T::zero());
        orthogonalise_fully(
            &self.q,
            &mut self.column,
            &mut self.coefficients,
            &mut self.products,
        );
        let after = norm2(&self.column);
        if after.is_nan() || after <= smallest {
            return false;
        }
        // (a face that would need too much memory takes no more columns)
        if self.q.try_reserve(self.column.len()).is_err() {
            return false;
        }
        let inverse = after.recip();
        self.column.iter_mut().for_each(|v| *v *= inverse);
        // from the residual, not from b: the part of b already explained carries only rounding
        let z = dot(&self.column, &self.rest);
        axpy(-z, &self.column, &mut self.rest);
        self.q.extend_from_slice(&self.column);
        self.r.push(&self.coefficients, after);
        self.d.push(z);
        self.members.push(j);
        self.of_sum.anchors += usize::from(self.region.weight(j) > T::zero());
        self.of_sum.is_current = false;
        true
    }

    fn remove(&mut self, position: usize) {
        let rows = self.rows();
        let (q, d) = (&mut self.q, &mut self.d);
        self.r.remove(position, |rotation| {
            let p = rotation.row;
            let (head, tail) = q.split_at_mut((p + 1) * rows);
            rotation.turn_all(&mut head[p * rows..], &mut tail[..rows]);
            (d[p], d[p + 1]) = rotation.turn(d[p], d[p + 1]);
        });
        let j = self.members.remove(position);
        self.of_sum.anchors -= usize::from(self.region.weight(j) > T::zero());
        self.of_sum.is_current = false;
        let k = self.members.len();
        // the component along the direction that left the range returns to the residual
        if let Some(z) = self.d.pop() {
            axpy(z, &self.q[k * rows..(k + 1) * rows], &mut self.rest);
        }
        self.q.truncate(k * rows);
    }

    fn rebase(&mut self, x: &[T], held: &[T], run: &mut Run<'_>) {
        if R::ZERO_OFF_FACE {
            return;
        }
        let m = self.b.len();
        let mut rest = std::mem::take(&mut self.rest);
        self.form_residual(x, held, &mut rest[..m], run);
        let mut full = held.to_vec();
        self.members.iter().zip(x).for_each(|(j, v)| full[*j] = *v);
        let terms = self
            .problem
            .norms()
            .iter()
            .zip(&full)
            .map(|(c, v)| (*c * *v).abs());
        self.size = norm2(self.b).max(max_or_nan(terms));
        if let Some(sum) = self.region.sum() {
            self.of_sum.lacking = worth_closing(sum.gap(&full));
            rest[m] = self.of_sum.alpha * self.of_sum.lacking;
        }
        self.rest = rest;
        self.d.clear();
        self.d.resize(self.members.len(), T::zero());
        orthogonalise_fully(&self.q, &mut self.rest, &mut self.d, &mut self.products);
        self.of_sum.is_current = false;
    }

    fn moved(&mut self, part: T) {
        if !R::ZERO_OFF_FACE {
            axpy(-part, &self.v, &mut self.d);
            self.of_sum.lacking -= part * self.of_sum.lacking;
            self.of_sum.is_current = false;
        }
    }

    fn is_anchored(&self) -> bool {
        R::ZERO_OFF_FACE || self.region.sum().is_none() || self.of_sum.anchors > 0
    }

    fn minimiser(&mut self, x: &[T], z: &mut [T]) {
        self.step(z);
        if !R::ZERO_OFF_FACE {
            axpy(T::one(), x, z);
        }
    }

    fn price_all(&mut self, x: &[T], held: &[T], w: &mut [T], run: &mut Run<'_>) -> T {
        let m = self.b.len();
        if R::ZERO_OFF_FACE {
            let mut r = std::mem::take(&mut self.rest);
            self.form_residual(x, held, &mut r, run);
            self.rest = r;
            // b − A x carries an error ε‖b‖ in every direction. Orthogonalised against Q, it no longer exceeds the prices of
            // columns that lie almost in that range (collinear pairs, Hilbert, T2): w is then right to ε‖r‖.
            orthogonalise(&self.q, &mut self.rest, &mut [], &mut self.products);
        } else {
            self.rebase(x, held, run);
        }
        let Some(sum) = self.region.sum() else {
            self.problem.adjoint(&self.rest, w, run);
            return meaningful(norm2(&self.rest), self.size);
        };
        self.find_multiplier();
        self.problem.adjoint(&self.of_sum.residual[..m], w, run);
        let lambda = mean_multiplier(&self.members, self.problem.norms(), &sum.w, w);
        self.of_sum.lambda = lambda.unwrap_or(self.of_sum.lambda);
        axpy(self.of_sum.lambda, &sum.w, w);
        meaningful(norm2(&self.of_sum.residual[..m]), self.size)
    }

    fn price(&mut self, j: usize, _x: &[T]) -> Option<T> {
        if R::ZERO_OFF_FACE || self.region.sum().is_none() {
            return self.problem.column_dot(j, &self.rest);
        }
        if !self.of_sum.is_current {
            self.find_multiplier();
        }
        let w = self
            .problem
            .column_dot(j, &self.of_sum.residual[..self.b.len()])?;
        Some(w + self.of_sum.lambda * self.region.weight(j))
    }

    fn correction(&mut self, x: &[T], held: &[T], delta: &mut [T], run: &mut Run<'_>) {
        if !R::ZERO_OFF_FACE {
            self.rebase(x, held, run);
            return self.step(delta);
        }
        let mut r = std::mem::take(&mut self.column);
        self.form_residual(x, held, &mut r, run);
        self.column = r;
        for (o, qi) in delta.iter_mut().zip(self.q.chunks_exact(self.b.len())) {
            *o = dot(qi, &self.column);
        }
        self.r.solve(delta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::Dense;
    use crate::testing::Random;

    /// A QR factor of many columns at once serves as one that grew column by column, through removals and entries.
    #[test]
    fn all_at_once_or_one_by_one() {
        let (m, n) = (60, 40);
        for seed in 0..10 {
            let mut random = Random::new(seed);
            let data: Vec<f64> = random.normals(m * n);
            let b = random.normals(m);
            let a = Dense::column_major(&data, m, n).unwrap();
            let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
            let mut run = Run::unlimited();
            let members: Vec<usize> = (0..n).filter(|j| j % 2 == 0).collect();
            let (mut whole, mut grown) = (QrFace::new(&problem, &b), QrFace::new(&problem, &b));
            assert!(whole.assign(&members, &mut run));
            assert!(members.iter().all(|j| grown.append(*j, &mut run)));
            for step in 0..6 {
                let at = (3 * step + seed as usize) % whole.members().len();
                whole.remove(at);
                grown.remove(at);
                assert!(whole.append(2 * step + 1, &mut run) && grown.append(2 * step + 1, &mut run));
                assert_eq!(whole.members(), grown.members());
                let k = whole.members().len();
                let (mut x, mut y) = (vec![0.0; k], vec![0.0; k]);
                whole.minimiser(&[], &mut x);
                grown.minimiser(&[], &mut y);
                assert!(x.iter().zip(&y).all(|(p, q)| (p - q).abs() < 1e-10));
                let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
                whole.price_all(&x, &[], &mut v, &mut run);
                grown.price_all(&y, &[], &mut w, &mut run);
                assert!(v.iter().zip(&w).all(|(p, q)| (p - q).abs() < 1e-10));
            }
        }
    }

    /// Dependent columns are refused as a whole, and the face stays empty and of use.
    #[test]
    fn dependent_columns_are_not_assigned() {
        let data = [1.0_f64, 0.0, 0.0, 1.0, 1e-14, 0.0, 0.0, 1.0, 0.0];
        let a = Dense::column_major(&data, 3, 3).unwrap();
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        let mut run = Run::unlimited();
        let mut face = QrFace::new(&problem, &[1.0, 2.0, 3.0]);
        assert!(!face.assign(&[0, 1, 2], &mut run));
        assert!(face.members().is_empty());
        assert!(face.assign(&[0, 2], &mut run));
        let mut x = [0.0; 2];
        face.minimiser(&[], &mut x);
        assert!((x[0] - 1.0).abs() < 1e-15 && (x[1] - 2.0).abs() < 1e-15);
    }
}
