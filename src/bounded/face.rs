//! The coordinates that may move, with a factor of their columns: from any feasible point, the step to the minimiser
//! of ½‖A x − b‖² over the face, keeping Σ w x = r where there is a sum.
//!
//! Unlike the faces of x ≥ 0 these know the *step*, not the minimiser: coordinates off the face sit at non-zero bounds,
//! and a step from a fresh residual does not notice.
//!
//! With a sum the row α wᵀ is appended to A and α r to b, which does not change the minimiser. The columns of a face are
//! then independent exactly where the least-squares problem with the sum has one solution. With A_F = Q R and the last
//! row of Q equal to α uᵀ, u = R⁻ᵀ w, the step is p = R⁻¹ v where v is the point of {uᵀ v = 0} nearest to d = Qᵀ(b − A x).

use super::block_exchange::append_row;
use super::region::Region;
use crate::LinalgScalar;
use crate::linalg::{PackedUpper, axpy, dot, max_or_nan, norm2};
use crate::nnls::face::{dependence, gather, gram_dependence, orthogonalise_fully, weak_pivot};
use crate::nnls::problem::Problem;
use crate::outcome::Run;

/// Coordinates F with a factor of A_F that grows and shrinks.
pub(super) trait Face<T> {
    /// F, in the order of the factor.
    fn members(&self) -> &[usize];
    /// Adds coordinate j; false (and nothing changes) when its column depends on the others in this precision.
    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool;
    /// Removes the member at a position.
    fn remove(&mut self, position: usize);
    /// Takes x as the current point, with the residual formed anew.
    fn refresh(&mut self, x: &[T], run: &mut Run<'_>);
    /// p ← the step from the current point to the minimiser over F.
    fn direction(&mut self, p: &mut Vec<T>);
    /// Moves the current point by `step` times the last direction.
    fn advance(&mut self, step: T);
    /// Whether a member takes part in the sum, so that its multiplier is known.
    fn is_anchored(&self) -> bool;
    /// pull_j ← −(g_j − λ w_j) at the minimiser over F, for every coordinate. Returns the size of the residual down to
    /// which rounding leaves this meaningful: 200 ε times that (per column norm) is noise.
    fn price_all(&mut self, pull: &mut [T], run: &mut Run<'_>) -> T;
    /// pull_j for one coordinate.
    fn price(&mut self, j: usize) -> Option<T>;
}

/// A_F = Q R with orthonormal Q: no squared condition number.
pub(super) struct QrFace<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    b: &'p [T],
    region: &'p Region<T>,
    /// The factor of the appended row; 0 without a sum.
    alpha: T,
    members: Vec<usize>,
    /// How many members take part in the sum.
    anchors: usize,
    /// Column after column, m each, or m + 1 with a sum.
    q: Vec<T>,
    r: PackedUpper<T>,
    /// Qᵀ(b − A x)
    d: Vec<T>,
    /// (I − Q Qᵀ)(b − A x)
    rest: Vec<T>,
    /// What the last direction takes from d.
    v: Vec<T>,
    /// r − Σ w x, where it is more than rounding.
    lacking: T,
    /// max(‖b‖, max_j ‖a_j x_j‖): what b − A x was formed from.
    size: T,
    /// The residual at the minimiser over F, and whether it is that of the present face.
    shadow: Vec<T>,
    lambda: T,
    is_current: bool,
    column: Vec<T>,
    coefficients: Vec<T>,
    products: Vec<T>,
    /// Residuals are formed in twice the precision.
    twice: bool,
}

impl<'p, 'a, T: LinalgScalar> QrFace<'p, 'a, T> {
    /// An empty face whose residuals are formed in twice the precision, where the problem has entries.
    pub(super) fn twice(problem: &'p Problem<'a, T>, b: &'p [T], region: &'p Region<T>, alpha: T) -> Self {
        Self {
            twice: true,
            ..Self::new(problem, b, region, alpha)
        }
    }

    pub(super) fn new(problem: &'p Problem<'a, T>, b: &'p [T], region: &'p Region<T>, alpha: T) -> Self {
        let rows = b.len() + usize::from(region.sum.is_some());
        Self {
            problem,
            b,
            region,
            alpha,
            members: Vec::new(),
            anchors: 0,
            q: Vec::new(),
            r: PackedUpper::new(),
            d: Vec::new(),
            rest: vec![T::zero(); rows],
            v: Vec::new(),
            lacking: T::zero(),
            size: T::zero(),
            shadow: vec![T::zero(); rows],
            lambda: T::zero(),
            is_current: false,
            column: vec![T::zero(); rows],
            coefficients: Vec::new(),
            products: Vec::new(),
            twice: false,
        }
    }

    fn rows(&self) -> usize {
        self.rest.len()
    }

    /// y with A_Fᵀ y = v.
    pub(super) fn dual_direction(&self, mut v: Vec<T>) -> Vec<T> {
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
        self.q[(k + 1) * self.rows() - 1] / self.alpha
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

    /// The residual at the minimiser over the face, without what rounding leaves of it in the range of Q.
    fn cast_shadow(&mut self) {
        self.is_current = true;
        self.shadow.copy_from_slice(&self.rest);
        self.lambda = T::zero();
        if self.anchors == 0 {
            return;
        }
        let (ud, uu) = self.along_u();
        let mu = ud / uu;
        for k in 0..self.members.len() {
            let part = mu * self.u(k);
            axpy(
                part,
                &self.q[k * self.rows()..(k + 1) * self.rows()],
                &mut self.shadow,
            );
        }
        // A_F ᵀ(shadow) = μ w in all rows; the last row's share belongs to the multiplier
        self.lambda = self.alpha * self.shadow[self.b.len()] - mu;
    }
}

impl<T: LinalgScalar> Face<T> for QrFace<'_, '_, T> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool {
        let (m, rows) = (self.b.len(), self.rows());
        if self.members.len() >= rows {
            return false; // a basis is complete
        }
        self.problem.column(j, &mut self.column[..m], run);
        // (8 m k operations)
        run.factor_passes += 4.0 * self.members.len() as f64 / self.problem.columns() as f64;
        if rows > m {
            self.column[m] = self.alpha * self.region.weight(j);
        }
        // the entries of A and that of the appended row carry their own rounding: a small column beside a large row is
        // judged by its own size
        let smallest = dependence::<T>() * norm2(&self.column[..m])
            + T::lit(16.0) * T::epsilon() * norm2(&self.column[m..]);
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
        let inverse = after.recip();
        self.column.iter_mut().for_each(|v| *v *= inverse);
        let z = dot(&self.column, &self.rest);
        axpy(-z, &self.column, &mut self.rest);
        self.q.extend_from_slice(&self.column);
        self.r.push(&self.coefficients, after);
        self.d.push(z);
        self.members.push(j);
        self.anchors += usize::from(self.region.weight(j) > T::zero());
        self.is_current = false;
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
        self.anchors -= usize::from(self.region.weight(j) > T::zero());
        let k = self.members.len();
        // the direction that left the range gives its share back
        if let Some(z) = self.d.pop() {
            axpy(z, &self.q[k * rows..(k + 1) * rows], &mut self.rest);
        }
        self.q.truncate(k * rows);
        self.is_current = false;
    }

    fn refresh(&mut self, x: &[T], run: &mut Run<'_>) {
        let m = self.b.len();
        let r = &mut self.rest[..m];
        let support: Vec<usize> = (0..x.len()).filter(|j| x[*j] != T::zero()).collect();
        if 2 * support.len() <= x.len() {
            let values: Vec<T> = support.iter().map(|j| x[*j]).collect();
            self.problem.combine(&support, &values, r, run);
        } else {
            self.problem.apply(x, r, run);
        }
        for (ri, bi) in r.iter_mut().zip(self.b) {
            *ri = *bi - *ri;
        }
        if self.twice
            && let Some(exact) = self.problem.residual_twice(self.b, x, run)
        {
            r.copy_from_slice(&exact);
        }
        let norms = self.problem.norms();
        self.size = norm2(self.b).max(max_or_nan(support.iter().map(|j| (norms[*j] * x[*j]).abs())));
        if let Some(sum) = &self.region.sum {
            self.lacking = worth_closing(sum.gap(x));
            self.rest[m] = self.alpha * self.lacking;
        }
        self.d.clear();
        self.d.resize(self.members.len(), T::zero());
        orthogonalise_fully(&self.q, &mut self.rest, &mut self.d, &mut self.products);
        self.is_current = false;
    }

    fn direction(&mut self, p: &mut Vec<T>) {
        self.v.clear();
        self.v.extend_from_slice(&self.d);
        if self.anchors > 0 {
            let (ud, uu) = self.along_u();
            let coefficient = (self.lacking - ud) / uu;
            for k in 0..self.v.len() {
                let u = self.u(k);
                self.v[k] += coefficient * u;
            }
        }
        p.clear();
        p.extend_from_slice(&self.v);
        self.r.solve(p);
    }

    fn advance(&mut self, step: T) {
        axpy(-step, &self.v, &mut self.d);
        self.lacking -= step * self.lacking;
        self.is_current = false;
    }

    fn is_anchored(&self) -> bool {
        self.anchors > 0
    }

    fn price_all(&mut self, pull: &mut [T], run: &mut Run<'_>) -> T {
        self.cast_shadow();
        let m = self.b.len();
        self.problem.adjoint(&self.shadow[..m], pull, run);
        if let Some(sum) = &self.region.sum {
            self.lambda =
                mean_multiplier(&self.members, self.problem.norms(), &sum.w, pull).unwrap_or(self.lambda);
            axpy(self.lambda, &sum.w, pull);
        }
        let size = norm2(&self.shadow[..m]);
        // an interpolated b leaves nothing but rounding to price
        if size <= T::lit(50.0) * T::epsilon() * self.size {
            T::infinity()
        } else {
            size
        }
    }

    fn price(&mut self, j: usize) -> Option<T> {
        if !self.is_current {
            self.cast_shadow();
        }
        let pull = self.problem.column_dot(j, &self.shadow[..self.b.len()])?;
        Some(pull + self.lambda * self.region.weight(j))
    }
}

/// −pull_j/w_j, equal for all members at the minimiser: their mean in the metric of the column norms, in which the small
/// columns know it best.
pub(super) fn mean_multiplier<T: LinalgScalar>(
    members: &[usize],
    norms: &[T],
    weights: &[T],
    pull: &[T],
) -> Option<T> {
    let (mut top, mut bottom) = (T::zero(), T::zero());
    for j in members {
        let w = weights[*j];
        if norms[*j] == T::zero() && w > T::zero() {
            return Some(T::zero()); // a slack pulls at nothing
        }
        if w > T::zero() {
            let share = w / norms[*j];
            top -= share * (pull[*j] / norms[*j]);
            bottom += share * share;
        }
    }
    (bottom > T::zero()).then(|| top / bottom)
}

/// r − Σ w x as something to correct: below the rounding of the sum it is none.
fn worth_closing<T: LinalgScalar>((gap, size): (T, T)) -> T {
    if gap.abs() <= T::lit(64.0) * T::epsilon() * size {
        T::zero()
    } else {
        gap
    }
}

/// RᵀR = G_FF on a dense Gram matrix: cheap, at a squared condition number.
///
/// With a sum the factor is that of the appended A: G + α² w wᵀ.
pub(super) struct GramFace<'g, T> {
    gram: &'g [T],
    n: usize,
    c: &'g [T],
    region: &'g Region<T>,
    alpha_squared: T,
    size: T,
    members: Vec<usize>,
    anchors: usize,
    factor: PackedUpper<T>,
    /// c − G x
    w: Vec<T>,
    lacking: T,
    lambda: T,
    is_current: bool,
    p: Vec<T>,
    scratch: Vec<T>,
}

impl<'g, T: LinalgScalar> GramFace<'g, T> {
    /// An empty face of the n×n Gram matrix with c = Aᵀb; α² belongs to the appended row.
    pub(super) fn new(gram: &'g [T], c: &'g [T], region: &'g Region<T>, alpha: T, size: T) -> Self {
        Self {
            gram,
            n: c.len(),
            c,
            region,
            alpha_squared: alpha * alpha,
            size,
            members: Vec::new(),
            anchors: 0,
            factor: PackedUpper::new(),
            w: c.to_vec(),
            lacking: T::zero(),
            lambda: T::zero(),
            is_current: false,
            p: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn column(&self, j: usize) -> &'g [T] {
        &self.gram[j * self.n..(j + 1) * self.n]
    }

    /// Entry (i, j) of the matrix that is factorised.
    fn entry(&self, i: usize, j: usize) -> T {
        let appended = self.alpha_squared * self.region.weight(i) * self.region.weight(j);
        self.gram[j * self.n + i] + appended
    }

    /// Starts from a given face with one factorisation; false (and empty) when it is not positive definite enough.
    pub(super) fn assign(&mut self, members: &[usize], run: &mut Run<'_>) -> bool {
        self.members.clear();
        self.factor.clear();
        self.anchors = 0;
        self.is_current = false;
        let k = members.len();
        let mut l = vec![T::zero(); k * k];
        gather(self.gram, self.n, members, &mut l);
        run.factorisations += 1;
        append_row(&mut l, members, self.region, self.alpha_squared);
        if !T::cholesky(k, &mut l) || weak_pivot(&l, k, |p| self.entry(members[p], members[p])) {
            return false;
        }
        let mut above = Vec::with_capacity(k);
        for j in 0..k {
            above.clear();
            above.extend((0..j).map(|i| l[i * k + j]));
            self.factor.push(&above, l[j * k + j]);
        }
        self.members.extend_from_slice(members);
        self.anchors = members
            .iter()
            .filter(|j| self.region.weight(**j) > T::zero())
            .count();
        true
    }

    /// v ← the step on the face with gradient −v that keeps the sum.
    pub(super) fn step(&self, v: &mut [T]) {
        self.factor.solve_transposed(v);
        if self.anchors > 0 {
            let mut u: Vec<T> = self.members.iter().map(|j| self.region.weight(*j)).collect();
            self.factor.solve_transposed(&mut u);
            axpy(-dot(&u, v) / dot(&u, &u), &u, v);
        }
        self.factor.solve(v);
    }

    /// The multiplier of the sum at the minimiser.
    fn find_multiplier(&mut self) {
        self.is_current = true;
        self.lambda = T::zero();
        if self.anchors > 0 {
            let d = self.reduced();
            let u = &self.scratch;
            self.lambda = -dot(u, &d) / dot(u, u);
        }
    }

    /// R⁻ᵀ(c − G x)_F; u = R⁻ᵀ w_F is left in the scratch.
    fn reduced(&mut self) -> Vec<T> {
        let mut d: Vec<T> = self.members.iter().map(|j| self.w[*j]).collect();
        self.factor.solve_transposed(&mut d);
        if self.anchors > 0 {
            self.scratch.clear();
            for j in &self.members {
                self.scratch.push(self.region.weight(*j));
            }
            self.factor.solve_transposed(&mut self.scratch);
        }
        d
    }
}

impl<T: LinalgScalar> Face<T> for GramFace<'_, T> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn append(&mut self, j: usize, _run: &mut Run<'_>) -> bool {
        self.scratch.clear();
        for k in 0..self.members.len() {
            let v = self.entry(self.members[k], j);
            self.scratch.push(v);
        }
        self.factor.solve_transposed(&mut self.scratch);
        let whole = self.entry(j, j);
        let rest = whole - dot(&self.scratch, &self.scratch);
        if rest.is_nan() || rest <= gram_dependence::<T>() * whole {
            return false;
        }
        self.factor.push(&self.scratch, rest.sqrt());
        self.members.push(j);
        self.anchors += usize::from(self.region.weight(j) > T::zero());
        self.is_current = false;
        true
    }

    fn remove(&mut self, position: usize) {
        self.factor.remove(position, |_| {});
        let j = self.members.remove(position);
        self.anchors -= usize::from(self.region.weight(j) > T::zero());
        self.is_current = false;
    }

    fn refresh(&mut self, x: &[T], _run: &mut Run<'_>) {
        self.w.copy_from_slice(self.c);
        for (j, v) in x.iter().enumerate() {
            if *v != T::zero() {
                axpy(-*v, self.column(j), &mut self.w);
            }
        }
        if let Some(sum) = &self.region.sum {
            self.lacking = worth_closing(sum.gap(x));
        }
        self.is_current = false;
    }

    fn direction(&mut self, p: &mut Vec<T>) {
        let mut v = self.reduced();
        if self.anchors > 0 {
            let u = &self.scratch;
            let coefficient = (self.lacking - dot(u, &v)) / dot(u, u);
            axpy(coefficient, u, &mut v);
        }
        self.factor.solve(&mut v);
        p.clear();
        p.extend_from_slice(&v);
        self.p = v;
    }

    fn advance(&mut self, step: T) {
        for k in 0..self.members.len() {
            axpy(-step * self.p[k], self.column(self.members[k]), &mut self.w);
        }
        self.lacking -= step * self.lacking;
        self.is_current = false;
    }

    fn is_anchored(&self) -> bool {
        self.anchors > 0
    }

    fn price_all(&mut self, pull: &mut [T], _run: &mut Run<'_>) -> T {
        self.find_multiplier();
        pull.copy_from_slice(&self.w);
        if let Some(sum) = &self.region.sum {
            axpy(self.lambda, &sum.w, pull);
        }
        self.size
    }

    fn price(&mut self, j: usize) -> Option<T> {
        if !self.is_current {
            self.find_multiplier();
        }
        Some(self.w[j] + self.lambda * self.region.weight(j))
    }
}
