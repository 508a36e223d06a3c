//! Sums of products in twice the working precision (Ogita, Rump & Oishi 2005, algorithm 5.3), for numbers far from both ends of the range.

/// An unevaluated sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct Double {
    high: f64,
    low: f64,
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

fn split(a: f64) -> (f64, f64) {
    let c = 134_217_729.0 * a;
    let high = c - (c - a);
    (high, a - high)
}

fn two_product(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    (p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2))
}

impl Double {
    pub fn value(self) -> f64 {
        self.high + self.low
    }

    pub fn plus(self, a: f64) -> Self {
        let (high, error) = two_sum(self.high, a);
        Self {
            high,
            low: self.low + error,
        }
    }

    /// self + a b
    pub fn plus_product(self, a: f64, b: f64) -> Self {
        let (p, error) = two_product(a, b);
        let next = self.plus(p);
        Self {
            low: next.low + error,
            ..next
        }
    }

    /// self + a v
    pub fn plus_multiple(self, a: f64, v: Self) -> Self {
        let v = v.normal();
        self.plus_product(a, v.high).plus_product(a, v.low)
    }

    fn normal(self) -> Self {
        let (high, low) = two_sum(self.high, self.low);
        Self { high, low }
    }

    pub fn minus(self, other: Self) -> Self {
        self.plus(-other.high).plus(-other.low)
    }
}

/// ½ Σ v²
pub fn half_square(v: &[Double]) -> Double {
    v.iter().fold(Double::default(), |sum, v| {
        let v = v.normal();
        sum.plus_product(0.5 * v.high, v.high).plus_product(v.high, v.low)
    })
}

#[test]
fn twice_the_precision() {
    let sum = Double::default()
        .plus_product(1e10 + 1.0, 1e10 - 1.0)
        .plus(-1e20)
        .plus_product(3.0, 1e-12);
    assert!((sum.value() - (-1.0 + 3e-12)).abs() <= 1e-27);
    let third = Double::default()
        .plus(1.0 / 3.0)
        .plus_product(1.0 / 3.0, 2.0_f64.powi(-54));
    assert!(
        (half_square(&[third])
            .minus(Double::default().plus(1.0 / 18.0))
            .value())
        .abs()
            < 1e-17
    );
}
