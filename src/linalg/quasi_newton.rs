//! The two-loop recursion of limited-memory BFGS.

use super::{axpy, dot};
use crate::Scalar;

/// d ← H d for the inverse BFGS matrix H of the pairs (s, y, ⟨s, y⟩), oldest first, on top of the matrix that `initial` multiplies with
/// (Nocedal 1980).
pub(crate) fn two_loops<'p, T: Scalar>(
    pairs: impl DoubleEndedIterator<Item = (&'p [T], &'p [T], T)> + ExactSizeIterator + Clone,
    d: &mut [T],
    alpha: &mut Vec<T>,
    initial: impl FnOnce(&mut [T]),
) {
    alpha.resize(pairs.len(), T::zero());
    for ((s, y, sy), a) in pairs.clone().zip(alpha.iter_mut()).rev() {
        *a = dot(s, d) / sy;
        axpy(-*a, y, d);
    }
    initial(d);
    for ((s, y, sy), a) in pairs.zip(alpha.iter()) {
        let b = dot(y, d) / sy;
        axpy(*a - b, s, d);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// With the curvature of a quadratic along n independent directions, each conjugate to the others, H is the inverse of its Hessian.
    #[test]
    fn inverts_what_it_has_seen() {
        let n = 5;
        let mut random = Random::new(3);
        let hessian: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
        let pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = (0..n)
            .map(|i| {
                let mut s = vec![0.0; n];
                s[i] = 1.0 + random.uniform::<f64>();
                let y: Vec<f64> = s.iter().zip(&hessian).map(|(s, h)| s * h).collect();
                let sy = dot(&s, &y);
                (s, y, sy)
            })
            .collect();
        let v: Vec<f64> = random.normals(n);
        let mut d = v.clone();
        let views = pairs.iter().map(|(s, y, sy)| (&s[..], &y[..], *sy));
        two_loops(views, &mut d, &mut Vec::new(), |d| {
            d.iter_mut().for_each(|d| *d *= 0.3);
        });
        for ((d, v), h) in d.iter().zip(&v).zip(&hessian) {
            assert!((d - v / h).abs() <= 1e-14 * v.abs());
        }
    }
}
