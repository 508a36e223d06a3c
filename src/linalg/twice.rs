//! Sums of products in twice the working precision.

/// A running sum in twice the precision of `T`: an unevaluated sum of two numbers for `f64` (Ogita, Rump & Oishi 2005), an `f64` for `f32`.
pub trait Twice<T>: Copy + Send + Sync + 'static {
    /// v, exactly.
    fn of(v: T) -> Self;
    /// self + a b
    #[must_use]
    fn plus_product(self, a: T, b: T) -> Self;
    /// self + a v, for a v that is [`normal`](Self::normal).
    #[must_use]
    fn plus_multiple(self, a: T, v: Self) -> Self;
    /// self + v
    #[must_use]
    fn plus(self, v: Self) -> Self;
    /// The same number, its first part rounded to nearest.
    #[must_use]
    fn normal(self) -> Self;
    /// Rounded to `T`.
    fn value(self) -> T;
    /// A bound of |sum − exact sum| / Σ|terms| for k terms, before the sum is rounded to `T`.
    fn rounding(k: usize) -> f64;
}

/// `high` + `low`
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    high: f64,
    low: f64,
}

/// a + b = s + e without error (Knuth 1969).
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

impl Twice<f64> for Pair {
    #[inline(always)]
    fn of(v: f64) -> Self {
        Self { high: v, low: 0.0 }
    }
    #[inline(always)]
    fn plus_product(self, a: f64, b: f64) -> Self {
        let p = a * b;
        let of_product = a.mul_add(b, -p);
        let (high, of_sum) = two_sum(self.high, p);
        Self {
            high,
            low: self.low + (of_sum + of_product),
        }
    }
    #[inline(always)]
    fn plus_multiple(self, a: f64, v: Self) -> Self {
        let next = self.plus_product(a, v.high);
        Self {
            low: next.low + a * v.low,
            ..next
        }
    }
    #[inline(always)]
    fn plus(self, v: Self) -> Self {
        let (high, error) = two_sum(self.high, v.high);
        Self {
            high,
            low: self.low + (v.low + error),
        }
    }
    #[inline(always)]
    fn normal(self) -> Self {
        let (high, low) = two_sum(self.high, self.low);
        Self { high, low }
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self.high + self.low
    }
    fn rounding(k: usize) -> f64 {
        // Every term leaves at most u Σ|terms| in `low` for its product and u Σ|terms| for its sum. These 2k numbers are added there with
        // an error of 2k u each: 4k² u² in all. (4 more terms for the multiples and for sums of sums.)
        let lost = (k + 4) as f64 * f64::EPSILON;
        lost * lost
    }
}

impl Twice<f32> for f64 {
    #[inline(always)]
    fn of(v: f32) -> Self {
        v.into()
    }
    #[inline(always)]
    fn plus_product(self, a: f32, b: f32) -> Self {
        // (the product of two `f32` is an `f64` without rounding)
        self + f64::from(a) * f64::from(b)
    }
    #[inline(always)]
    fn plus_multiple(self, a: f32, v: Self) -> Self {
        self + f64::from(a) * v
    }
    #[inline(always)]
    fn plus(self, v: Self) -> Self {
        self + v
    }
    #[inline(always)]
    fn normal(self) -> Self {
        self
    }
    #[inline(always)]
    fn value(self) -> f32 {
        self as f32
    }
    fn rounding(k: usize) -> f64 {
        (k + 4) as f64 * f64::EPSILON
    }
}

/// Sums side by side: one alone waits for each of its additions.
const SIDE_BY_SIDE: usize = 4;

/// ⟨a, b⟩; for use inside [`wide`](super::wide).
#[inline(always)]
pub(crate) fn dot_of_numbers<T: Copy, S: Twice<T>>(zero: T, a: &[T], b: &[T]) -> S {
    let mut sums = [S::of(zero); SIDE_BY_SIDE];
    let ((groups, last), (others, last_others)) =
        (a.as_chunks::<SIDE_BY_SIDE>(), b.as_chunks::<SIDE_BY_SIDE>());
    for (a, b) in groups.iter().zip(others) {
        for k in 0..SIDE_BY_SIDE {
            sums[k] = sums[k].plus_product(a[k], b[k]);
        }
    }
    for (k, (a, b)) in last.iter().zip(last_others).enumerate() {
        sums[k] = sums[k].plus_product(*a, *b);
    }
    add_up(sums)
}

/// ⟨a, v⟩ for normal v; for use inside [`wide`](super::wide).
#[inline(always)]
pub(crate) fn dot_of_sums<T: Copy, S: Twice<T>>(zero: T, a: &[T], v: &[S]) -> S {
    let mut sums = [S::of(zero); SIDE_BY_SIDE];
    let ((groups, last), (others, last_others)) =
        (a.as_chunks::<SIDE_BY_SIDE>(), v.as_chunks::<SIDE_BY_SIDE>());
    for (a, v) in groups.iter().zip(others) {
        for k in 0..SIDE_BY_SIDE {
            sums[k] = sums[k].plus_multiple(a[k], v[k]);
        }
    }
    for (k, (a, v)) in last.iter().zip(last_others).enumerate() {
        sums[k] = sums[k].plus_multiple(*a, *v);
    }
    add_up(sums)
}

#[inline(always)]
fn add_up<T, S: Twice<T>>(sums: [S; SIDE_BY_SIDE]) -> S {
    sums[0].plus(sums[1]).plus(sums[2].plus(sums[3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancellation_loses_nothing() {
        let (a, b) = (
            [1e10 + 1.0, -1.0, 3.0, 1.0, 1.0],
            [1e10 - 1.0, 1e20, 1e-12, 2.0, -1.0],
        );
        let sum: Pair = dot_of_numbers(0.0, &a, &b);
        assert!(
            (sum.value() - 3e-12).abs() <= 1e-26 + 1e20 * Pair::rounding(6),
            "{}",
            sum.value()
        );
        let third = Pair::of(1.0 / 3.0)
            .plus_product(1.0 / 3.0, 2.0_f64.powi(-54))
            .normal();
        let sum = dot_of_sums(0.0, &[3.0, -1.0], &[third, Pair::of(1.0)]);
        assert!(sum.value().abs() < 1e-31, "{}", sum.value());
        let sum: f64 = dot_of_numbers(0.0_f32, &[-1.0, 1.0 + f32::EPSILON], &[1.0, 1.0 - f32::EPSILON]);
        assert_eq!(sum, -f64::from(f32::EPSILON) * f64::from(f32::EPSILON));
    }
}
