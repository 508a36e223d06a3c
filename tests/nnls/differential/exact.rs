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

/// A constraint Σ_{j ∈ part} x_j = total.
#[derive(Debug, Clone)]
pub struct Sum {
    pub part: Vec<bool>,
    pub total: f64,
}

/// What x is worth in min ½‖A x − b‖² over lower ≤ x ≤ upper, Σ_{j ∈ part} x_j = total.
#[derive(Debug, Clone)]
pub struct Worth {
    /// ½‖A x − b‖²
    pub f: Double,
    /// max_j c_j |x − P(x − g/c²)|_j / ‖b‖ with c_j = ‖a_j‖ and P the projection in the metric diag(c²); in units of max_j c_j |x_j| where b = 0.
    pub rho: f64,
    /// Aᵀ(A x − b)
    pub gradient: Vec<f64>,
    /// ‖b‖ + Σ c_j |x_j|: what rounding errors are relative to.
    pub size: f64,
    /// The largest violation of a bound, or of the sum.
    pub violation: f64,
}

/// [`worth`] over x ≥ 0, A column after column. The numbers must be far from both ends of the range, but for zeros.
pub fn non_negative(a: &[f64], b: &[f64], x: &[f64]) -> Worth {
    worth(a, b, x, &vec![0.0; x.len()], &vec![f64::INFINITY; x.len()], None)
}

/// For A column after column. A column of zeros takes no part in ρ.
pub fn worth(a: &[f64], b: &[f64], x: &[f64], lower: &[f64], upper: &[f64], sum: Option<&Sum>) -> Worth {
    let (m, n) = (b.len(), x.len());
    let columns = || a.chunks_exact(m);
    let mut r: Vec<Double> = b.iter().map(|b| Double::default().plus(-b)).collect();
    for (a, x) in columns().zip(x) {
        r.iter_mut().zip(a).for_each(|(r, a)| *r = r.plus_product(*a, *x));
    }
    let product = |a: &[f64]| {
        a.iter()
            .zip(&r)
            .fold(Double::default(), |g, (a, r)| g.plus_multiple(*a, *r))
            .normal()
    };
    let gradient: Vec<Double> = columns().map(product).collect();
    let norm = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let c: Vec<f64> = columns().map(norm).collect();
    let terms = || c.iter().zip(x).map(|(c, x)| c * x.abs());
    let part = |j: usize| c[j] > 0.0 && sum.is_some_and(|s| s.part[j]);
    // c_j (P(x − g/c²) − x)_j for the multiplier t of the sum
    let step = |j: usize, t: Double| {
        let t = if part(j) { t } else { Double::default() };
        let d = -(gradient[j].plus(t.high).plus(t.low).value() / c[j]);
        d.clamp(c[j] * (lower[j] - x[j]), c[j] * (upper[j] - x[j]))
    };
    let lacking = sum.map_or(0.0, |s| {
        let added = (0..n).filter(|j| s.part[*j]);
        added
            .fold(Double::default().plus(s.total), |gap, j| gap.plus(-x[j]))
            .value()
    });
    let too_much = |t: Double| {
        (0..n)
            .filter(|j| part(*j))
            .fold(Double::default().plus(-lacking), |s, j| s.plus(step(j, t) / c[j]))
            .value()
    };
    let t = if (0..n).any(part) {
        root(too_much)
    } else {
        Double::default()
    };
    let displacement = (0..n)
        .filter(|j| c[*j] > 0.0)
        .map(|j| step(j, t).abs())
        .fold(0.0, f64::max);
    let b_norm = norm(b);
    let unit = if b_norm > 0.0 {
        b_norm
    } else {
        terms().fold(0.0, f64::max)
    };
    let outside = (0..n).map(|j| (lower[j] - x[j]).max(x[j] - upper[j]).max(0.0));
    Worth {
        f: half_square(&r),
        // (where A x = b exactly f has its least value, whatever x has lost of its sum: that is a violation)
        rho: if displacement == 0.0 || r.iter().all(|r| r.value() == 0.0) {
            0.0
        } else {
            displacement / unit
        },
        gradient: gradient.iter().map(|g| g.value()).collect(),
        size: b_norm + terms().sum::<f64>(),
        violation: outside.fold(lacking.abs(), f64::max),
    }
}

/// Where a function that does not increase passes zero, in twice the precision.
fn root(f: impl Fn(Double) -> f64) -> Double {
    let at = |t: f64| f(Double::default().plus(t));
    let (mut left, mut right) = (-1.0, 1.0);
    while at(left) < 0.0 && left > -1e300 {
        left *= 16.0;
    }
    while at(right) > 0.0 && right < 1e300 {
        right *= 16.0;
    }
    let bisect = |mut left: f64, mut right: f64, f: &dyn Fn(f64) -> f64| {
        for _ in 0..2200 {
            let middle = left + 0.5 * (right - left);
            if middle <= left || middle >= right {
                break;
            }
            if f(middle) > 0.0 {
                left = middle;
            } else {
                right = middle;
            }
        }
        (left, right)
    };
    let (t, next) = bisect(left, right, &at);
    // what lies between two neighbouring numbers
    let (low, _) = bisect(0.0, next - t, &|low| f(Double { high: t, low }));
    Double { high: t, low }
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

/// ρ by hand: where a bound holds x, where a sum leaves a multiplier, and of an x that rounding cannot tell from a solution.
#[test]
fn worth_by_hand() {
    // g = x − b: (−1, 0.5)
    let w = worth(
        &[1.0, 0.0, 0.0, 1.0],
        &[3.0, 4.0],
        &[2.0, 4.5],
        &[0.0, 4.25],
        &[2.5, 9.0],
        None,
    );
    assert_eq!((w.rho, w.violation), (0.5 / 5.0, 0.0));
    // on x₁ + x₂ = 4 the point nearest to (3, 4) is (1.5, 2.5); from (2, 2) both move by a half
    let sum = Sum {
        part: vec![true; 2],
        total: 4.0,
    };
    let all = [f64::INFINITY; 2];
    let w = worth(
        &[1.0, 0.0, 0.0, 1.0],
        &[3.0, 4.0],
        &[2.0, 2.0],
        &all.map(|v| -v),
        &all,
        Some(&sum),
    );
    assert!((w.rho - 0.5 / 5.0).abs() < 1e-16 && w.violation == 0.0, "{w:?}");
    assert_eq!(w.f.value(), 2.5);
    // columns that are opposite but for the last digits, and an x of 1e13: plain sums say ρ = 0
    let a = [
        -0.6666666666666666,
        0.6666666666666666,
        0.6666666666660603,
        -0.6666666666662154,
    ];
    let w = non_negative(&a, &[-1.0, -0.5], &[9_671_294_833_286.54, 9_671_294_833_293.836]);
    assert!((w.rho / 0.00119783244703275 - 1.0).abs() < 1e-12, "{w:?}");
}
