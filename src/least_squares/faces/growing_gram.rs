//! The Cholesky factor of a growing face, from inner products with the candidates of one pricing pass, all formed at once.

use super::{Face, gram_dependence, meaningful};
use crate::LinalgScalar;
use crate::least_squares::problem::Problem;
use crate::linalg::scratch::Scratch;
use crate::linalg::{PackedUpper, dot, max_or_nan, norm2};
use crate::operators::{Dense, dense_products};
use crate::outcome::Run;
use std::cell::OnceCell;

/// RᵀR = A_FᵀA_F, where F grows by the best candidates of a pricing pass and only what they need of the Gram matrix is formed: one
/// matrix product a pass, A_FᵀA_P for the pool P.
///
/// Against the growing QR factor a column costs 2 m k operations at the speed of a matrix product instead of 4 to 8 m k at that of
/// memory, and one that leaves k² instead of 6 m k. It squares the condition number: a column that depends on the
/// others to 10⁻⁵ is refused, and [`gives_up`](Face::gives_up) says so.
pub(in crate::least_squares) struct GrowingGram<'p, 'a, T: LinalgScalar> {
    problem: &'p Problem<'a, T>,
    b: &'p [T],
    b_norm: T,
    members: Vec<usize>,
    /// The columns of the members, m each, without gaps, and where that of each member is among them.
    columns: Vec<T>,
    places: Vec<usize>,
    /// A_Fᵀb
    c: Vec<T>,
    factor: PackedUpper<T>,
    /// b − A x, as of the last pricing, without its part in the range of A_F.
    residual: Vec<T>,
    pool: Pool<T>,
    coefficients: Vec<T>,
    image: Vec<T>,
    /// Aᵀb, which the first pricing forms.
    correlations: &'p OnceCell<Scratch<T>>,
    /// The last point priced with its b − A x as it is, and all the prices there.
    priced: Option<Vec<T>>,
    prices: Vec<T>,
    /// A column was refused because it depends on the others as far as a Gram matrix can tell.
    ill_conditioned: bool,
}

/// The candidates of the last pricing pass.
struct Pool<T> {
    members: Vec<usize>,
    /// m each.
    columns: Vec<T>,
    /// ⟨a_q, b⟩, and the inner products of the candidates with each other.
    c: Vec<T>,
    gram: Vec<T>,
    /// For each candidate its inner products with the members of the face, in their order.
    products: Vec<Vec<T>>,
    scratch: Vec<T>,
}

impl<T> Pool<T> {
    fn find(&self, j: usize) -> Option<usize> {
        self.members.iter().position(|i| *i == j)
    }
}

impl<'p, 'a, T: LinalgScalar> GrowingGram<'p, 'a, T> {
    /// An empty face. `correlations` holds Aᵀb, or will.
    pub(in crate::least_squares) fn new(
        problem: &'p Problem<'a, T>,
        b: &'p [T],
        correlations: &'p OnceCell<Scratch<T>>,
    ) -> Self {
        Self {
            problem,
            b,
            b_norm: norm2(b),
            members: Vec::new(),
            columns: Vec::new(),
            places: Vec::new(),
            c: Vec::new(),
            factor: PackedUpper::new(),
            residual: b.to_vec(),
            pool: Pool {
                members: Vec::new(),
                columns: Vec::new(),
                c: Vec::new(),
                gram: Vec::new(),
                products: Vec::new(),
                scratch: Vec::new(),
            },
            coefficients: Vec::new(),
            image: vec![T::zero(); b.len()],
            correlations,
            priced: None,
            prices: vec![T::zero(); problem.columns()],
            ill_conditioned: false,
        }
    }

    /// b − A x and Aᵀ(b − A x), when the last pricing was at x and formed both.
    pub(in crate::least_squares) fn priced_at(&self, x: &[T]) -> Option<(&[T], &[T])> {
        let there = self.priced.as_ref().is_some_and(|at| at == x);
        there.then_some((&self.residual, &self.prices))
    }

    /// w = A_F G⁻¹ v, for which A_Fᵀ w = v.
    pub(in crate::least_squares) fn dual_direction(&self, mut v: Vec<T>) -> Vec<T> {
        self.factor.solve_transposed(&mut v);
        self.factor.solve(&mut v);
        let mut w = vec![T::zero(); self.b.len()];
        if let Some(a) = view(&self.columns, self.b.len()) {
            dense_products::combine(&a, &self.places, &v, &mut w);
        }
        w
    }

    /// out ← A_Fᵀ y
    fn on_face(&self, y: &[T], out: &mut [T]) {
        if let Some(a) = view(&self.columns, self.b.len()) {
            dense_products::combine_adjoint(&a, &self.places, y, out);
        }
    }

    /// image ← A_F x
    fn form_image(&mut self, x: &[T], run: &mut Run<'_>) {
        let k = self.members.len();
        match view(&self.columns, self.b.len()) {
            Some(a) => dense_products::combine(&a, &self.places, x, &mut self.image),
            None => self.image.fill(T::zero()),
        }
        run.passes += k as f64 / self.problem.columns() as f64;
    }

    /// residual ← b − A x
    fn form_residual(&mut self, x: &[T], run: &mut Run<'_>) {
        self.form_image(x, run);
        for ((r, b), z) in self.residual.iter_mut().zip(self.b).zip(&self.image) {
            *r = *b - *z;
        }
    }
}

/// Whole columns of m entries as a matrix; None when there are none.
fn view<T: LinalgScalar>(columns: &[T], m: usize) -> Option<Dense<'_, T>> {
    if columns.is_empty() {
        return None;
    }
    Dense::column_major(columns, m, columns.len() / m).ok()
}

impl<T: LinalgScalar> Face<T> for GrowingGram<'_, '_, T> {
    fn members(&self) -> &[usize] {
        &self.members
    }

    fn prepare(&mut self, candidates: &[(T, usize)], run: &mut Run<'_>) {
        let (m, k, p) = (self.b.len(), self.members.len(), candidates.len());
        let pool = &mut self.pool;
        pool.members.clear();
        pool.members.extend(candidates.iter().map(|(_, j)| *j));
        pool.columns.resize(p * m, T::zero());
        pool.c.clear();
        for (j, column) in pool.members.iter().zip(pool.columns.chunks_exact_mut(m)) {
            self.problem.column(*j, column, run);
            pool.c.push(dot(column, self.b));
        }
        pool.gram.resize(p * p, T::zero());
        pool.scratch.resize(k * p, T::zero());
        let candidates = view(&pool.columns, m);
        if let Some(q) = &candidates {
            T::gram(q, &mut pool.gram);
        }
        if let (Some(q), Some(a)) = (&candidates, view(&self.columns, m)) {
            T::adjoint_product(&a, q, &mut pool.scratch);
            run.passes += (k * p) as f64 / self.problem.columns() as f64;
        }
        pool.products.resize_with(p.max(pool.products.len()), Vec::new);
        for (i, products) in pool.products.iter_mut().enumerate() {
            products.clear();
            if i < p {
                let of = &pool.scratch[i * k..(i + 1) * k];
                products.extend(self.places.iter().map(|place| of[*place]));
            }
        }
    }

    fn gives_up(&self) -> bool {
        self.ill_conditioned
    }

    fn append(&mut self, j: usize, run: &mut Run<'_>) -> bool {
        let (m, k) = (self.b.len(), self.members.len());
        if k >= m {
            return false; // a basis of R^m is complete
        }
        let at = match self.pool.find(j) {
            Some(at) => at,
            None => {
                // not from a pricing pass (the start of a warm run): a pool of one
                self.prepare(&[(T::zero(), j)], run);
                0
            }
        };
        let pool = &mut self.pool;
        let p = pool.members.len();
        self.coefficients.clear();
        self.coefficients.extend_from_slice(&pool.products[at]);
        self.factor.solve_transposed(&mut self.coefficients);
        let whole = pool.gram[at * p + at];
        let rest = whole - dot(&self.coefficients, &self.coefficients);
        if rest.is_nan() || rest <= gram_dependence::<T>() * whole {
            self.ill_conditioned = true;
            return false;
        }
        self.factor.push(&self.coefficients, rest.sqrt());
        self.priced = None;
        self.members.push(j);
        self.columns
            .extend_from_slice(&pool.columns[at * m..(at + 1) * m]);
        self.places.push(k);
        self.c.push(pool.c[at]);
        for q in 0..p {
            pool.products[q].push(pool.gram[at * p + q]);
        }
        true
    }

    fn remove(&mut self, position: usize) {
        let m = self.b.len();
        self.factor.remove(position, |_| {});
        self.priced = None;
        self.members.remove(position);
        self.c.remove(position);
        // the column of the last member moves into the free place
        let (gap, last) = (self.places.remove(position), self.members.len());
        if let Some(place) = self.places.iter_mut().find(|place| **place == last) {
            *place = gap;
            self.columns.copy_within(last * m..(last + 1) * m, gap * m);
        }
        self.columns.truncate(last * m);
        for products in &mut self.pool.products[..self.pool.members.len()] {
            products.remove(position);
        }
    }

    fn minimiser(&mut self, _x: &[T], z: &mut [T]) {
        z.copy_from_slice(&self.c);
        self.factor.solve_transposed(z);
        self.factor.solve(z);
    }

    fn price_all(&mut self, x: &[T], _held: &[T], w: &mut [T], run: &mut Run<'_>) -> T {
        self.form_residual(x, run);
        if self.members.is_empty() {
            let c = self.correlations.get_or_init(|| {
                self.problem.adjoint(&self.residual, w, run);
                w.iter().copied().collect()
            });
            w.copy_from_slice(c);
        } else {
            self.problem.adjoint(&self.residual, w, run);
        }
        self.prices.copy_from_slice(w);
        self.priced = Some(x.to_vec());
        let norms = self.problem.norms();
        let rounding = T::epsilon() * norm2(&self.residual);
        // zero at the minimiser, up to the error by the squared condition number: the other prices may have the same error
        let off = max_or_nan(self.members.iter().map(|j| w[*j].abs() / norms[*j]));
        let mut best = T::zero();
        self.members.iter().for_each(|j| w[*j] = T::zero());
        for (w, c) in w.iter().zip(norms) {
            if *c > T::zero() {
                best = best.max(*w / *c);
            }
        }
        if off > T::lit(20.0) * rounding && best < T::lit(1e3) * off {
            self.priced = None;
            // orthogonalised against A_F, the residual gives prices as accurate as those of a QR factor
            let mut v = std::mem::take(&mut self.coefficients);
            v.resize(self.members.len(), T::zero());
            self.on_face(&self.residual, &mut v);
            self.factor.solve_transposed(&mut v);
            self.factor.solve(&mut v);
            self.form_image(&v, run);
            self.coefficients = v;
            for (r, z) in self.residual.iter_mut().zip(&self.image) {
                *r -= *z;
            }
            self.problem.adjoint(&self.residual, w, run);
        }
        meaningful(norm2(&self.residual), self.b_norm)
    }

    fn price(&mut self, j: usize, x: &[T]) -> Option<T> {
        let at = self.pool.find(j)?;
        Some(self.pool.c[at] - dot(&self.pool.products[at], x))
    }

    fn correction(&mut self, x: &[T], _held: &[T], delta: &mut [T], run: &mut Run<'_>) {
        self.form_residual(x, run);
        self.on_face(&self.residual, delta);
        self.factor.solve_transposed(delta);
        self.factor.solve(delta);
    }
}

#[cfg(test)]
mod tests {
    use super::super::QrFace;
    use super::*;
    use crate::testing::Random;

    /// After any sequence of entries and removals the minimiser, the prices and the correction are those of the QR factor.
    #[test]
    fn agrees_with_the_qr_factor() {
        let (m, n) = (40, 25);
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let data = random.normals(m * n);
            let b = random.normals(m);
            let a = Dense::column_major(&data, m, n).unwrap();
            let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
            let mut run = Run::unlimited();
            let correlations = OnceCell::new();
            let mut gram = GrowingGram::new(&problem, &b, &correlations);
            let mut qr = QrFace::new(&problem, &b);
            let mut picks: Vec<f64> = (0..90).map(|_| random.uniform()).collect();
            for step in 0..20 {
                let pool: Vec<usize> = (0..n)
                    .filter(|j| !gram.members().contains(j) && (j + step) % 3 == 0)
                    .take(4)
                    .collect();
                let candidates: Vec<(f64, usize)> = pool.iter().map(|j| (1.0, *j)).collect();
                gram.prepare(&candidates, &mut run);
                for j in &pool {
                    assert!(gram.append(*j, &mut run) && qr.append(*j, &mut run));
                    let k = gram.members().len();
                    if k > 1 && picks.pop().is_some_and(|u| u < 0.4) {
                        let at = (step * 7) % k;
                        gram.remove(at);
                        qr.remove(at);
                    }
                    let k = gram.members().len();
                    let (mut x, mut y) = (vec![0.0; k], vec![0.0; k]);
                    gram.minimiser(&[], &mut x);
                    qr.minimiser(&[], &mut y);
                    assert!(x.iter().zip(&y).all(|(p, q)| (p - q).abs() < 1e-10));
                    for i in &pool {
                        let (p, q) = (gram.price(*i, &x).unwrap(), qr.price(*i, &y).unwrap());
                        assert!((p - q).abs() < 1e-10, "{p} {q}");
                    }
                }
                let k = gram.members().len();
                let mut x = vec![0.0; k];
                gram.minimiser(&[], &mut x);
                let (mut v, mut w) = (vec![0.0; n], vec![0.0; n]);
                let sizes = (
                    gram.price_all(&x, &[], &mut v, &mut run),
                    qr.price_all(&x, &[], &mut w, &mut run),
                );
                assert!((sizes.0 - sizes.1).abs() < 1e-10);
                assert!(v.iter().zip(&w).all(|(p, q)| (p - q).abs() < 1e-10));
            }
            assert!(!gram.gives_up());
        }
    }

    /// A column that nearly depends on the others is refused, and nothing changes.
    #[test]
    fn dependent_columns_are_refused() {
        let data = [1.0, 0.0, 0.0, 1.0, 1e-7, 0.0];
        let a = Dense::column_major(&data, 3, 2).unwrap();
        let problem = Problem::new(&a, true, crate::outcome::Stop::never()).unwrap();
        let mut run = Run::unlimited();
        let correlations = OnceCell::new();
        let mut face = GrowingGram::new(&problem, &[1.0, 1.0, 1.0], &correlations);
        assert!(face.append(0, &mut run) && !face.append(1, &mut run));
        assert!(face.gives_up());
        assert_eq!(face.members(), &[0]);
    }
}
