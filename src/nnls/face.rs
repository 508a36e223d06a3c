//! The factor of a face: the columns that may be positive, and how the least-squares problem on them is solved.

use super::problem::Problem;
use crate::checks::check_memory;
use crate::linalg::{
    PackedUpper, axpy, axpy_body, dot, dot_body, dots_body, exponent, max_or_nan, norm2, pow2, wide,
};
use crate::outcome::Run;
use crate::{LinalgScalar, Scalar};

/// Columns F with a factor of A_F that grows and shrinks, for the monotone active-set method.
pub(super) trait Face<T: Scalar> {
    /// F, in the order of the factor.
    fn members(&self) -> &[usize];
    /// Told the candidates of a pricing pass (score, column), the best first, before some of them are added.
    fn prepare(&mut self, _candidates: &[(T, usize)], _run: &mut Run<'_>) {}
    /// Whether another method had better go on, after a column was refused.
    fn gives_up(&self) -> bool {
        false
    }
    /// Adds column j; false (and nothing changes) when it depends on the others in this precision.
    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool;
    /// Removes the member at a position.
    fn remove(&mut self, position: usize);
    /// z ← argmin ‖A_F z − b‖.
    fn minimiser(&self, z: &mut [T]);
    /// w ← Aᵀ(b − A x) for every column, with x the minimiser over F. Returns the size of the residual down to which
    /// rounding leaves w meaningful: an entry of 200 ε times that (per column norm) is noise.
    fn price_all(&mut self, x: &[T], w: &mut [T], run: &mut Run<'_>) -> T;
    /// w_j for one column, at the minimiser over F.
    fn price(&self, j: usize, x: &[T]) -> Option<T>;
    /// One step of iterative refinement of the minimiser: δ ← A_F⁺ (b − A x) with the residual formed in A.
    fn correction(&mut self, x: &[T], delta: &mut [T], run: &mut Run<'_>);
}

/// The size of a residual as [`price_all`](Face::price_all) reports it: an interpolated b leaves nothing but rounding to price.
pub(super) fn meaningful<T: Scalar>(residual: T, b_norm: T) -> T {
    if residual <= T::lit(50.0) * T::epsilon() * b_norm {
        T::infinity()
    } else {
        residual
    }
}

/// A_F = Q R with orthonormal Q: no squared condition number.
pub(super) struct QrFace<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    b: &'p [T],
    b_norm: T,
    members: Vec<usize>,
    /// Column after column, m each.
    q: Vec<T>,
    r: PackedUpper<T>,
    /// Qᵀ b
    d: Vec<T>,
    /// b − Q Qᵀ b, the residual at the minimiser
    residual: Vec<T>,
    column: Vec<T>,
    coefficients: Vec<T>,
    products: Vec<T>,
    /// Residuals are formed in twice the precision.
    twice: bool,
}

impl<'p, 'a, T: LinalgScalar> QrFace<'p, 'a, T> {
    /// An empty face whose residuals are formed in twice the precision, where the problem has entries.
    pub(super) fn twice(problem: &'p Problem<'a, T>, b: &'p [T]) -> Self {
        Self {
            twice: true,
            ..Self::new(problem, b)
        }
    }

    pub(super) fn new(problem: &'p Problem<'a, T>, b: &'p [T]) -> Self {
        Self {
            problem,
            b,
            b_norm: norm2(b),
            members: Vec::new(),
            q: Vec::new(),
            r: PackedUpper::new(),
            d: Vec::new(),
            residual: b.to_vec(),
            column: vec![T::zero(); b.len()],
            coefficients: Vec::new(),
            products: Vec::new(),
            twice: false,
        }
    }

    /// r ← b − A x
    fn form_residual(&self, x: &[T], r: &mut Vec<T>, run: &mut Run<'_>) {
        if self.twice {
            let mut full = vec![T::zero(); self.problem.columns()];
            self.members.iter().zip(x).for_each(|(j, v)| full[*j] = *v);
            if let Some(exact) = self.problem.residual_twice(self.b, &full, run) {
                *r = exact;
                return;
            }
        }
        residual(self.problem, self.b, &self.members, x, r, run);
    }

    /// One step of iterative refinement of the minimiser, x ← x + A_F⁺ (b − A x), kept at x ≥ 0. By back substitution, coordinate after
    /// coordinate: what rounding takes from one, those that follow make good, and in direction i the residual is off by |R_ii| ulp(x_i) only.
    /// Where that is more than `goal`, a coordinate before x_i is looked for that can make it good (see [`Self::shift_for`]).
    /// Returns max ‖a_j‖ |change of x_j|.
    pub(super) fn refine(&mut self, x: &mut [T], goal: T, run: &mut Run<'_>) -> T {
        let mut r = std::mem::take(&mut self.column);
        self.form_residual(x, &mut r, run);
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
            let next = (x[i] + d[i] / diagonal).max(T::zero());
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
            .filter(|p| x[*p] > T::zero())
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

    /// Starts from given columns with one factorisation; false (and empty) when one of them depends on the others, there is no memory for
    /// the factor, or a limit was reached on the way.
    pub(super) fn assign(&mut self, members: &[usize], run: &mut Run<'_>) -> bool {
        let (m, k) = (self.b.len(), members.len());
        if k > m || check_memory::<T>("a QR factor", m.saturating_mul(k)).is_err() {
            return false;
        }
        self.q.resize(m * k, T::zero());
        for (j, q) in members.iter().zip(self.q.chunks_exact_mut(m)) {
            if run.check().is_err() {
                self.q.clear();
                return false;
            }
            self.problem.column(*j, q, run);
        }
        let mut r = vec![T::zero(); k * k];
        run.factorisations += 1;
        run.factor_passes += self.passes_of_assign(k);
        T::thin_qr(m, k, &mut self.q, &mut r);
        let norms = self.problem.norms();
        let depends = |p: usize| {
            let rest = r[p * k + p].abs();
            rest.is_nan() || rest <= dependence::<T>() * norms[members[p]]
        };
        if (0..k).any(depends) {
            self.q.clear();
            return false;
        }
        for p in 0..k {
            self.r.push(&r[p * k..p * k + p], r[p * k + p]);
        }
        for q in self.q.chunks_exact(m) {
            let z = dot(q, &self.residual);
            axpy(-z, q, &mut self.residual);
            self.d.push(z);
        }
        self.members.extend_from_slice(members);
        true
    }

    /// What [`assign`](Self::assign) of so many columns costs, in passes: 4 m k² operations, in blocks.
    pub(super) fn passes_of_assign(&self, k: usize) -> f64 {
        0.25 * (k * k) as f64 / self.problem.columns() as f64
    }

    /// w = Q R⁻ᵀ v, for which A_Fᵀ w = v.
    pub(super) fn dual_direction(&self, mut v: Vec<T>) -> Vec<T> {
        self.r.solve_transposed(&mut v);
        let mut w = vec![T::zero(); self.b.len()];
        for (qi, vi) in self.q.chunks_exact(self.b.len()).zip(&v) {
            axpy(*vi, qi, &mut w);
        }
        w
    }
}

/// Subtracts the projection onto the columns of Q; adds the coefficients to `coefficients` (as many as it has room for). `h` is scratch.
pub(crate) fn orthogonalise<T: Scalar>(q: &[T], column: &mut [T], coefficients: &mut [T], h: &mut Vec<T>) {
    let m = column.len();
    h.clear();
    // classical Gram–Schmidt: all coefficients first, so that the loops stream through Q, four columns at a time
    wide(
        #[inline(always)]
        || {
            let fours = q.chunks_exact(4 * m);
            let rest = fours.remainder();
            for c in fours {
                h.extend_from_slice(&dots_body(
                    [&c[..m], &c[m..2 * m], &c[2 * m..3 * m], &c[3 * m..]],
                    column,
                ));
            }
            h.extend(rest.chunks_exact(m).map(|qi| dot_body(qi, column)));
            for (qi, hi) in q.chunks_exact(4 * m).zip(h.chunks_exact(4)) {
                let (q0, q1, q2, q3) = (&qi[..m], &qi[m..2 * m], &qi[2 * m..3 * m], &qi[3 * m..]);
                for ((((v, a), b), c), d) in column.iter_mut().zip(q0).zip(q1).zip(q2).zip(q3) {
                    *v -= (hi[0] * *a + hi[1] * *b) + (hi[2] * *c + hi[3] * *d);
                }
            }
            let done = h.len() - h.len() % 4;
            for (qi, hi) in q[done * m..].chunks_exact(m).zip(&h[done..]) {
                axpy_body(-*hi, qi, column);
            }
        },
    );
    for (c, hi) in coefficients.iter_mut().zip(h.iter()) {
        *c += *hi;
    }
}

/// [`orthogonalise`], and again where most of the column went: twice is enough for orthogonality to working precision (Giraud,
/// Langou & Rozložník 2005), and once where a column keeps 70 % of its length (Daniel, Gragg, Kaufman & Stewart 1976).
pub(crate) fn orthogonalise_fully<T: Scalar>(
    q: &[T],
    column: &mut [T],
    coefficients: &mut [T],
    h: &mut Vec<T>,
) {
    let before = norm2(column);
    orthogonalise(q, column, coefficients, h);
    let after = norm2(column);
    if after.is_nan() || after < T::lit(0.7) * before {
        orthogonalise(q, column, coefficients, h);
    }
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

/// A column whose part orthogonal to the face is this much smaller than itself is dependent on it (500 ε).
pub(crate) fn dependence<T: Scalar>() -> T {
    T::lit(500.0) * T::epsilon()
}

impl<T: LinalgScalar> Face<T> for QrFace<'_, '_, T> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool {
        if self.members.len() >= self.b.len() {
            return false; // a basis of R^m is complete
        }
        self.problem.column(j, &mut self.column, run);
        // (8 m k operations)
        run.factor_passes += 4.0 * self.members.len() as f64 / self.problem.columns() as f64;
        let before = norm2(&self.column);
        self.coefficients.clear();
        self.coefficients.resize(self.members.len(), T::zero());
        orthogonalise_fully(
            &self.q,
            &mut self.column,
            &mut self.coefficients,
            &mut self.products,
        );
        let after = norm2(&self.column);
        if after.is_nan() || after <= dependence::<T>() * before {
            return false;
        }
        // a face that has outgrown the memory takes in no more
        if self.q.try_reserve(self.column.len()).is_err() {
            return false;
        }
        let inverse = after.recip();
        self.column.iter_mut().for_each(|v| *v *= inverse);
        // from the residual, not from b: the part of b already explained carries only rounding
        let z = dot(&self.column, &self.residual);
        axpy(-z, &self.column, &mut self.residual);
        self.q.extend_from_slice(&self.column);
        self.r.push(&self.coefficients, after);
        self.d.push(z);
        self.members.push(j);
        true
    }

    fn remove(&mut self, position: usize) {
        let m = self.b.len();
        let (q, d) = (&mut self.q, &mut self.d);
        self.r.remove(position, |rotation| {
            let p = rotation.row;
            let (head, tail) = q.split_at_mut((p + 1) * m);
            rotation.turn_all(&mut head[p * m..], &mut tail[..m]);
            (d[p], d[p + 1]) = rotation.turn(d[p], d[p + 1]);
        });
        self.members.remove(position);
        let k = self.members.len();
        // the direction that left the range gives its share back to the residual
        if let Some(z) = self.d.pop() {
            axpy(z, &self.q[k * m..(k + 1) * m], &mut self.residual);
        }
        self.q.truncate(k * m);
    }

    fn minimiser(&self, z: &mut [T]) {
        z.copy_from_slice(&self.d);
        self.r.solve(z);
    }

    fn price_all(&mut self, x: &[T], w: &mut [T], run: &mut Run<'_>) -> T {
        let mut r = std::mem::take(&mut self.residual);
        self.form_residual(x, &mut r, run);
        self.residual = r;
        // b − A x carries an error ε‖b‖ in every direction. Taken out of the range of Q, it no longer drowns the pull of
        // columns that lie almost in that range (collinear pairs, Hilbert, T2): w is then right to ε‖r‖.
        orthogonalise(&self.q, &mut self.residual, &mut [], &mut self.products);
        self.problem.adjoint(&self.residual, w, run);
        meaningful(norm2(&self.residual), self.b_norm)
    }

    fn price(&self, j: usize, _x: &[T]) -> Option<T> {
        self.problem.column_dot(j, &self.residual)
    }

    fn correction(&mut self, x: &[T], delta: &mut [T], run: &mut Run<'_>) {
        let mut r = std::mem::take(&mut self.column);
        self.form_residual(x, &mut r, run);
        self.column = r;
        for (o, qi) in delta.iter_mut().zip(self.q.chunks_exact(self.b.len())) {
            *o = dot(qi, &self.column);
        }
        self.r.solve(delta);
    }
}

/// Sets to zero what is only rounding, the remnant of a zero of a degenerate or consistent problem: a coordinate that
/// iterative refinement moves by a tenth of itself or more, and whose whole effect ‖a_j‖ x_j is 200 ε‖b‖ at most.
///
/// A small coordinate that is known well (A = I, say) is not moved, and stays.
pub(super) fn drop_rounding<T: Scalar>(
    x: &mut [T],
    last_correction: &[T],
    norms: impl Iterator<Item = T>,
    b_norm: T,
) {
    let negligible = super::active_set::noise::<T>() * b_norm;
    for ((v, d), c) in x.iter_mut().zip(last_correction).zip(norms) {
        if d.abs() >= T::lit(0.1) * *v && c * *v <= negligible {
            *v = T::zero();
        }
    }
}

/// r ← b − A_F x
pub(super) fn residual<T: LinalgScalar>(
    problem: &Problem<'_, T>,
    b: &[T],
    face: &[usize],
    x: &[T],
    r: &mut [T],
    run: &mut Run<'_>,
) {
    problem.combine(face, x, r, run);
    for (ri, bi) in r.iter_mut().zip(b) {
        *ri = *bi - *ri;
    }
}

/// RᵀR = G_FF on a dense Gram matrix: cheap, at a squared condition number.
pub(super) struct GramFace<'g, T> {
    gram: &'g [T],
    n: usize,
    c: &'g [T],
    b_norm: T,
    members: Vec<usize>,
    factor: PackedUpper<T>,
    scratch: Vec<T>,
}

impl<'g, T: LinalgScalar> GramFace<'g, T> {
    /// An empty face of the n×n Gram matrix with right-hand side c = Aᵀb.
    pub(super) fn new(gram: &'g [T], c: &'g [T], b_norm: T) -> Self {
        Self {
            gram,
            n: c.len(),
            c,
            b_norm,
            members: Vec::new(),
            factor: PackedUpper::new(),
            scratch: Vec::new(),
        }
    }

    fn g(&self, i: usize, j: usize) -> T {
        self.gram[j * self.n + i]
    }

    /// Starts from a given face with one factorisation; false (and empty) when it is not positive definite enough.
    pub(super) fn assign(&mut self, members: &[usize], run: &mut Run<'_>) -> bool {
        self.members.clear();
        self.factor.clear();
        let k = members.len();
        let mut l = vec![T::zero(); k * k];
        gather(self.gram, self.n, members, &mut l);
        run.factorisations += 1;
        if !T::cholesky(k, &mut l) || weak_pivot(&l, k, |p| self.g(members[p], members[p])) {
            return false;
        }
        self.factor.assign_lower(k, &l);
        self.members.extend_from_slice(members);
        true
    }
}

/// G_FF, lower triangle and more, from the whole Gram matrix.
pub(crate) fn gather<T: Copy>(gram: &[T], n: usize, face: &[usize], out: &mut [T]) {
    let k = face.len();
    for (q, j) in face.iter().enumerate() {
        let column = &gram[j * n..(j + 1) * n];
        for (p, i) in face.iter().enumerate().skip(q) {
            out[q * k + p] = column[*i];
        }
    }
}

/// Whether a pivot has lost so much of its diagonal entry that one refinement would not restore the digits (10⁻¹⁰ in f64).
pub(crate) fn weak_pivot<T: Scalar>(l: &[T], k: usize, diagonal: impl Fn(usize) -> T) -> bool {
    let limit = gram_dependence::<T>();
    (0..k).any(|p| {
        let v = l[p * k + p];
        let d = v * v;
        d.is_nan() || d <= limit * diagonal(p)
    })
}

/// √ε/150: 1e-10 in f64, 2e-6 in f32.
pub(crate) fn gram_dependence<T: Scalar>() -> T {
    T::epsilon().sqrt() / T::lit(150.0)
}

impl<T: LinalgScalar> Face<T> for GramFace<'_, T> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, _run: &mut Run<'_>) -> bool {
        self.scratch.clear();
        for k in 0..self.members.len() {
            let v = self.g(self.members[k], j);
            self.scratch.push(v);
        }
        self.factor.solve_transposed(&mut self.scratch);
        let whole = self.g(j, j);
        let rest = whole - dot(&self.scratch, &self.scratch);
        if rest.is_nan() || rest <= gram_dependence::<T>() * whole {
            return false;
        }
        self.factor.push(&self.scratch, rest.sqrt());
        self.members.push(j);
        true
    }

    fn remove(&mut self, position: usize) {
        self.factor.remove(position, |_| {});
        self.members.remove(position);
    }

    fn minimiser(&self, z: &mut [T]) {
        for (zi, j) in z.iter_mut().zip(&self.members) {
            *zi = self.c[*j];
        }
        self.factor.solve_transposed(z);
        self.factor.solve(z);
    }

    fn price_all(&mut self, x: &[T], w: &mut [T], _run: &mut Run<'_>) -> T {
        w.copy_from_slice(self.c);
        for (j, v) in self.members.iter().zip(x) {
            axpy(-*v, &self.gram[j * self.n..(j + 1) * self.n], w);
        }
        self.b_norm
    }

    fn price(&self, j: usize, x: &[T]) -> Option<T> {
        let column = &self.gram[j * self.n..(j + 1) * self.n];
        Some(
            self.c[j]
                - self
                    .members
                    .iter()
                    .zip(x)
                    .map(|(i, v)| column[*i] * *v)
                    .sum::<T>(),
        )
    }

    fn correction(&mut self, x: &[T], delta: &mut [T], _run: &mut Run<'_>) {
        for (o, j) in delta.iter_mut().zip(&self.members) {
            let column = &self.gram[j * self.n..(j + 1) * self.n];
            *o = self.c[*j]
                - self
                    .members
                    .iter()
                    .zip(x)
                    .map(|(i, v)| column[*i] * *v)
                    .sum::<T>();
        }
        self.factor.solve_transposed(delta);
        self.factor.solve(delta);
    }
}

impl<T: LinalgScalar> GramFace<'_, T> {
    /// δ ← G_FF⁻¹ v in place, for a refinement with the residual formed in A.
    pub(super) fn solve(&self, v: &mut [T]) {
        self.factor.solve_transposed(v);
        self.factor.solve(v);
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
                whole.minimiser(&mut x);
                grown.minimiser(&mut y);
                assert!(x.iter().zip(&y).all(|(p, q)| (p - q).abs() < 1e-10));
                let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
                whole.price_all(&x, &mut v, &mut run);
                grown.price_all(&y, &mut w, &mut run);
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
        face.minimiser(&mut x);
        assert!((x[0] - 1.0).abs() < 1e-15 && (x[1] - 2.0).abs() < 1e-15);
    }
}
