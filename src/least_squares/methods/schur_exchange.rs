//! Block exchange of the active set on one factor: what leaves the face, and what comes back, costs a Schur complement.
//!
//! With G = L Lᵀ for all columns of a set and W = L⁻¹E_R for those that have left, R:
//!
//! ```text
//! G z = v − E_R λ,  z_R = 0        S = WᵀW = (G⁻¹)_RR
//! u = L⁻¹v,  λ = S⁻¹ Wᵀu,  z = L⁻ᵀ(u − W λ)
//! ```
//!
//! λ is minus the multiplier of z_R ≥ 0 for v = c. A round costs one triangular solve and products with W, where a new factor would cost
//! k³/3 (the exchange itself is that of [`block_exchange`](super::block_exchange)).

use super::block_exchange::{Failure, rounding_of_signs};
use crate::LinalgScalar;
use crate::least_squares::faces::{gather, weak_pivot};
use crate::linalg::{axpy, backward, dot, forward, solve_lower};
use crate::operators::{Dense, dense_products};
use crate::outcome::Run;

/// Rounds in all, of which those of Murty's rule change one column each.
const ROUNDS: usize = 200;

/// The face at which the exchange ended and the solution on it.
pub(in crate::least_squares) struct SchurExchange<T> {
    /// The columns of the factor, and which of them have left (positions in `members`).
    members: Vec<usize>,
    left: Vec<usize>,
    factor: Vec<T>,
    /// L⁻¹E_R, column after column, and the lower factor of S.
    w: Vec<T>,
    schur: Vec<T>,
    /// z on the members, exactly 0 on those that have left.
    z: Vec<T>,
    lambda: Vec<T>,
}

impl<T: LinalgScalar> SchurExchange<T> {
    /// The face, ascending where the set was, and z on it.
    pub(in crate::least_squares) fn solution(&self) -> (Vec<usize>, Vec<T>) {
        let stays = self.stays();
        (
            stays.iter().map(|p| self.members[*p]).collect(),
            stays.iter().map(|p| self.z[*p]).collect(),
        )
    }

    /// Positions in `members` that have not left.
    fn stays(&self) -> Vec<usize> {
        let mut left = vec![false; self.members.len()];
        self.left.iter().for_each(|p| left[*p] = true);
        (0..left.len()).filter(|p| !left[*p]).collect()
    }

    /// v ← G_FF⁻¹ v on the face, for refinement.
    pub(in crate::least_squares) fn solve(&self, v: &mut [T]) {
        let k = self.members.len();
        let stays = self.stays();
        let mut u = vec![T::zero(); k];
        for (p, v) in stays.iter().zip(v.iter()) {
            u[*p] = *v;
        }
        forward(&self.factor, k, &mut u);
        let mut lambda = Vec::new();
        self.complement(&mut u, &mut lambda);
        backward(&self.factor, k, &mut u);
        for (p, v) in stays.iter().zip(v) {
            *v = u[*p];
        }
    }

    /// λ ← S⁻¹Wᵀu, u ← u − W λ
    fn complement(&self, u: &mut [T], lambda: &mut Vec<T>) {
        lambda.clear();
        lambda.extend(self.w.chunks_exact(u.len().max(1)).map(|w| dot(w, u)));
        solve_lower(&self.schur, self.left.len(), lambda);
        for (w, l) in self.w.chunks_exact(u.len().max(1)).zip(&*lambda) {
            axpy(-*l, w, u);
        }
    }

    /// The factor of these members, of which none has left; false when it is not safely positive definite.
    fn factorise(&mut self, gram: &[T], n: usize, members: Vec<usize>, run: &mut Run<'_>) -> bool {
        let k = members.len();
        self.factor.resize(k * k, T::zero());
        gather(gram, n, &members, &mut self.factor);
        self.members = members;
        self.left.clear();
        self.w.clear();
        run.factorisations += 1;
        T::cholesky(k, &mut self.factor) && !weak_pivot(&self.factor, k, |p| gram[self.members[p] * (n + 1)])
    }

    /// Lets these positions leave and those come back; false when S is singular.
    fn exchange(&mut self, leave: &[usize], back: &[usize]) -> bool {
        let k = self.members.len();
        for p in back {
            if let Some(at) = self.left.iter().position(|q| q == p) {
                self.left.swap_remove(at);
                let last = self.left.len();
                self.w.copy_within(last * k.., at * k);
                self.w.truncate(last * k);
            }
        }
        let known = self.w.len();
        self.w.resize(known + leave.len() * k, T::zero());
        for (p, w) in leave.iter().zip(self.w[known..].chunks_exact_mut(k.max(1))) {
            w[*p] = T::one();
        }
        T::solve_lower(k, &self.factor, leave.len(), &mut self.w[known..]);
        self.left.extend_from_slice(leave);
        let r = self.left.len();
        self.schur.resize(r * r, T::zero());
        match Dense::column_major(&self.w, k, r) {
            Ok(w) if r > 0 => {
                T::gram(&w, &mut self.schur);
                T::cholesky(r, &mut self.schur)
            }
            _ => true,
        }
    }
}

/// Runs the exchange on the n×n Gram matrix of a set, from the face of all its columns.
pub(in crate::least_squares) fn schur_exchange<T: LinalgScalar>(
    gram: &[T],
    c: &[T],
    norms: &[T],
    run: &mut Run<'_>,
) -> Result<SchurExchange<T>, Failure<()>> {
    let n = c.len();
    let tolerance = rounding_of_signs(c, norms);
    let mut state = SchurExchange {
        members: Vec::new(),
        left: Vec::new(),
        factor: Vec::new(),
        w: Vec::new(),
        schur: Vec::new(),
        z: Vec::new(),
        lambda: Vec::new(),
    };
    let mut u = Vec::new();
    let mut members: Vec<usize> = (0..n).filter(|j| norms[*j] > T::zero()).collect();
    let (mut fewest, mut patience) = (n + 1, 3);
    let mut fresh = true;
    for _ in 0..ROUNDS {
        if let Err(status) = run.iteration() {
            return Err(Failure::Limit(status, ()));
        }
        // 1. a new factor G = L Lᵀ of the members, and u = L⁻¹c, if the set of members has changed
        let k = members.len();
        if fresh {
            if !state.factorise(gram, n, members.clone(), run) {
                return Err(Failure::Singular);
            }
            u.clear();
            u.extend(members.iter().map(|j| c[*j]));
            forward(&state.factor, k, &mut u);
            fresh = false;
        }
        // 2. λ = S⁻¹Wᵀu and z = L⁻ᵀ(u − W λ), exactly zero on the columns that have left
        state.z.clear();
        state.z.extend_from_slice(&u);
        let (mut z, mut lambda) = (std::mem::take(&mut state.z), std::mem::take(&mut state.lambda));
        state.complement(&mut z, &mut lambda);
        backward(&state.factor, k, &mut z);
        state.left.iter().for_each(|p| z[*p] = T::zero());
        (state.z, state.lambda) = (z, lambda);
        // 3. which columns have the wrong sign: negative z_F leave, positive λ_R come back
        let mut leave: Vec<usize> = (0..k)
            .filter(|p| state.z[*p] * norms[members[*p]] < -tolerance)
            .collect();
        let mut back: Vec<usize> = state
            .left
            .iter()
            .zip(&state.lambda)
            .filter(|(p, l)| **l > tolerance * norms[members[**p]])
            .map(|(p, _)| *p)
            .collect();
        let wrong = leave.len() + back.len();
        if wrong == 0 {
            // columns outside a smaller factor may have a multiplier of the wrong sign
            let outside = violators(gram, c, norms, &state, tolerance);
            if outside.is_empty() {
                return Ok(state);
            }
            members = state.stays().iter().map(|p| members[*p]).collect();
            members.extend(outside);
            members.sort_unstable();
            (fewest, patience, fresh) = (n + 1, 3, true);
            continue;
        }
        // 4. all of them are exchanged while their number falls, else only the last one (Murty's rule)
        if wrong < fewest {
            (fewest, patience) = (wrong, 3);
        } else if patience > 0 {
            patience -= 1;
        } else if let Some(last) = leave.iter().chain(&back).max().copied() {
            leave.retain(|p| *p == last);
            back.retain(|p| *p == last);
        }
        if !state.exchange(&leave, &back) {
            return Err(Failure::Singular);
        }
        if 4 * state.left.len() > k {
            // so many that a factor of the rest is cheaper
            members = state.stays().iter().map(|p| members[*p]).collect();
            fresh = true;
        }
    }
    Err(Failure::Cycling)
}

/// Columns of the set outside the factor whose multiplier has the wrong sign: (c − G z)_j > 0.
fn violators<T: LinalgScalar>(
    gram: &[T],
    c: &[T],
    norms: &[T],
    state: &SchurExchange<T>,
    tolerance: T,
) -> Vec<usize> {
    let n = c.len();
    if state.members.len() == n {
        return Vec::new();
    }
    let Ok(whole) = Dense::column_major(gram, n, n) else {
        return Vec::new();
    };
    let mut image = vec![T::zero(); n];
    dense_products::combine(&whole, &state.members, &state.z, &mut image);
    let mut inside = vec![false; n];
    state.members.iter().for_each(|j| inside[*j] = true);
    (0..n)
        .filter(|j| !inside[*j] && norms[*j] > T::zero() && c[*j] - image[*j] > tolerance * norms[*j])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::block_exchange::{Shifted, State, block_exchange};
    use super::*;
    use crate::least_squares::region::NonNegative;
    use crate::linalg::scratch;
    use crate::operators::Kernels;
    use crate::testing::Random;

    /// The face and the solution are those of the exchange that factorises every face anew, and so is what the factor solves.
    #[test]
    fn agrees_with_fresh_factors() {
        for seed in 0..60 {
            let mut random = Random::new(seed);
            let n = 2 + seed as usize;
            let m = 2 * n;
            let shift = if seed % 2 == 0 { 0.0 } else { 1.0 };
            let data: Vec<f64> = random.normals::<f64>(m * n).iter().map(|v| v + shift).collect();
            let b: Vec<f64> = random.normals(m);
            let a = Dense::column_major(&data, m, n).unwrap();
            let mut gram = vec![0.0; n * n];
            f64::gram(&a, &mut gram);
            let column = |j: usize| &data[j * m..(j + 1) * m];
            let c: Vec<f64> = (0..n).map(|j| dot(column(j), &b)).collect();
            let norms: Vec<f64> = (0..n).map(|j| crate::linalg::norm2(column(j))).collect();
            let mut run = Run::unlimited();
            let Ok(s) = schur_exchange(&gram, &c, &norms, &mut run) else {
                panic!("seed {seed}: no answer");
            };
            let problem = Shifted {
                gram: &gram,
                c: &c,
                norms: &norms,
                region: &NonNegative,
                alpha_squared: 0.0,
                whole: None,
            };
            let states = scratch::filled(n, State::Free);
            let Ok(fresh) = block_exchange(&problem, states, &mut run) else {
                panic!("seed {seed}: no answer to compare with");
            };
            let (face, z) = s.solution();
            assert_eq!(face, *fresh.face, "seed {seed}");
            assert!(
                z.iter().zip(&*fresh.z).all(|(p, q)| (p - q).abs() < 1e-9),
                "seed {seed}"
            );
            let mut v: Vec<f64> = random.normals(face.len());
            let mut w = v.clone();
            s.solve(&mut v);
            fresh.solve(&mut w);
            assert!(
                v.iter()
                    .zip(&w)
                    .all(|(p, q)| (p - q).abs() < 1e-9 * (1.0 + q.abs())),
                "seed {seed}"
            );
        }
    }
}
