//! Reproducible random numbers without a dependency.

use crate::Scalar;

/// A small seeded generator (SplitMix64): the same seed gives the same numbers on every machine.
///
/// ```
/// use reparam::testing::Random;
/// let (mut a, mut b) = (Random::new(7), Random::new(7));
/// assert_eq!(a.normal::<f64>(), b.normal::<f64>());
/// assert_eq!(a.normals::<f32>(3).len(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator with a seed.
    ///
    /// ```
    /// let _ = reparam::testing::Random::new(1);
    /// ```
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 random bits.
    ///
    /// ```
    /// assert_ne!(reparam::testing::Random::new(1).bits(), reparam::testing::Random::new(2).bits());
    /// ```
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    ///
    /// ```
    /// let x: f64 = reparam::testing::Random::new(1).uniform();
    /// assert!((0.0..1.0).contains(&x));
    /// ```
    pub fn uniform<T: Scalar>(&mut self) -> T {
        // 24 bits are exact in f32 as well: the same sequence in every scalar type
        T::lit((self.bits() >> 40) as f64 / f64::from(1u32 << 24))
    }

    /// Standard normal (Box–Muller).
    ///
    /// ```
    /// let x: f64 = reparam::testing::Random::new(1).normal();
    /// assert!(x.is_finite());
    /// ```
    pub fn normal<T: Scalar>(&mut self) -> T {
        let (a, b): (f64, f64) = (1.0 - self.uniform::<f64>(), self.uniform());
        T::lit((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos())
    }

    /// n standard normals.
    ///
    /// ```
    /// assert_eq!(reparam::testing::Random::new(1).normals::<f64>(5).len(), 5);
    /// ```
    pub fn normals<T: Scalar>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| self.normal()).collect()
    }
}
