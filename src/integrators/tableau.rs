//! Coefficients of Runge–Kutta schemes, as data.

/// An explicit Runge–Kutta scheme, optionally with an embedded one of another order.
///
/// ```text
/// k_i = v(t + c_i h, y + h Σ_{j<i} a_ij k_j)      y₊ = y + h Σ b_i k_i      error ≈ h Σ e_i k_i
/// ```
///
/// ```
/// let t = reparam::integrators::Scheme::DormandPrince54.tableau();
/// assert_eq!((t.stages(), t.order), (7, 5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tableau {
    /// a, row by row, without the zeros.
    pub a: &'static [&'static [f64]],
    /// b.
    pub b: &'static [f64],
    /// c.
    pub c: &'static [f64],
    /// e = b − b̂; empty without an embedded scheme.
    pub e: &'static [f64],
    /// The order of the scheme.
    pub order: u32,
    /// The order of the embedded scheme, 0 without.
    pub embedded: u32,
    /// Whether the last stage is the new point (a's last row is b).
    pub first_same_as_last: bool,
    /// The weights q of the dense output: θ²(1−θ)² h Σ q_i k_i is added to the cubic Hermite polynomial. Empty: none.
    pub dense: &'static [f64],
}

impl Tableau {
    /// The number of stages.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Scheme::Classical4.tableau().stages(), 4);
    /// ```
    pub fn stages(&self) -> usize {
        self.c.len()
    }
}

/// The available schemes.
///
/// ```
/// use reparam::integrators::Scheme;
/// assert_eq!(Scheme::Heun2.tableau().order, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Scheme {
    /// Heun's second-order scheme (the explicit trapezoidal rule).
    Heun2,
    /// The classical fourth-order scheme (Kutta 1901).
    Classical4,
    /// Bogacki & Shampine's 3(2) (Appl. Math. Lett. 1989).
    BogackiShampine32,
    /// Dormand & Prince's 5(4) (J. Comput. Appl. Math. 1980), with Shampine's dense output of order 4 (Hairer, Nørsett & Wanner,
    /// Solving Ordinary Differential Equations I, II.6).
    DormandPrince54,
}

const HEUN2: Tableau = Tableau {
    a: &[&[], &[1.0]],
    b: &[0.5, 0.5],
    c: &[0.0, 1.0],
    e: &[],
    order: 2,
    embedded: 0,
    first_same_as_last: false,
    dense: &[],
};

const CLASSICAL4: Tableau = Tableau {
    a: &[&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    b: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    c: &[0.0, 0.5, 0.5, 1.0],
    e: &[],
    order: 4,
    embedded: 0,
    first_same_as_last: false,
    dense: &[],
};

const BOGACKI_SHAMPINE32: Tableau = Tableau {
    a: &[&[], &[0.5], &[0.0, 0.75], &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0]],
    b: &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0, 0.0],
    c: &[0.0, 0.5, 0.75, 1.0],
    e: &[
        2.0 / 9.0 - 7.0 / 24.0,
        1.0 / 3.0 - 0.25,
        4.0 / 9.0 - 1.0 / 3.0,
        -0.125,
    ],
    order: 3,
    embedded: 2,
    first_same_as_last: true,
    dense: &[],
};

const DORMAND_PRINCE54: Tableau = Tableau {
    a: &[
        &[],
        &[0.2],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[
            19372.0 / 6561.0,
            -25360.0 / 2187.0,
            64448.0 / 6561.0,
            -212.0 / 729.0,
        ],
        &[
            9017.0 / 3168.0,
            -355.0 / 33.0,
            46732.0 / 5247.0,
            49.0 / 176.0,
            -5103.0 / 18656.0,
        ],
        &[
            35.0 / 384.0,
            0.0,
            500.0 / 1113.0,
            125.0 / 192.0,
            -2187.0 / 6784.0,
            11.0 / 84.0,
        ],
    ],
    b: &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
        0.0,
    ],
    c: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    e: &[
        71.0 / 57600.0,
        0.0,
        -71.0 / 16695.0,
        71.0 / 1920.0,
        -17253.0 / 339_200.0,
        22.0 / 525.0,
        -1.0 / 40.0,
    ],
    order: 5,
    embedded: 4,
    first_same_as_last: true,
    dense: &[
        -12_715_105_075.0 / 11_282_082_432.0,
        0.0,
        87_487_479_700.0 / 32_700_410_799.0,
        -10_690_763_975.0 / 1_880_347_072.0,
        701_980_252_875.0 / 199_316_789_632.0,
        -1_453_857_185.0 / 822_651_844.0,
        69_997_945.0 / 29_380_423.0,
    ],
};

impl Scheme {
    /// Its coefficients.
    ///
    /// ```
    /// use reparam::integrators::Scheme;
    /// // Σ b = 1: the scheme is consistent
    /// for s in [Scheme::Heun2, Scheme::Classical4, Scheme::BogackiShampine32, Scheme::DormandPrince54] {
    ///     assert!((s.tableau().b.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    /// }
    /// ```
    pub fn tableau(self) -> &'static Tableau {
        match self {
            Self::Heun2 => &HEUN2,
            Self::Classical4 => &CLASSICAL4,
            Self::BogackiShampine32 => &BOGACKI_SHAMPINE32,
            Self::DormandPrince54 => &DORMAND_PRINCE54,
        }
    }

    /// Its name.
    ///
    /// ```
    /// assert_eq!(reparam::integrators::Scheme::Classical4.name(), "Runge–Kutta 4");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Heun2 => "Heun 2",
            Self::Classical4 => "Runge–Kutta 4",
            Self::BogackiShampine32 => "Bogacki–Shampine 3(2)",
            Self::DormandPrince54 => "Dormand–Prince 5(4)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conditions of order up to 4 (Butcher), row sums, embedded consistency.
    #[test]
    fn order_conditions_hold() {
        for scheme in [
            Scheme::Heun2,
            Scheme::Classical4,
            Scheme::BogackiShampine32,
            Scheme::DormandPrince54,
        ] {
            let t = scheme.tableau();
            let s = t.stages();
            let a = |i: usize, j: usize| t.a[i].get(j).copied().unwrap_or(0.0);
            for i in 0..s {
                let row: f64 = (0..s).map(|j| a(i, j)).sum();
                assert!((row - t.c[i]).abs() < 1e-14, "{scheme:?} row {i}");
            }
            let sum = |w: &[f64], f: &dyn Fn(usize) -> f64| -> f64 { (0..s).map(|i| w[i] * f(i)).sum() };
            let ac = |i: usize| -> f64 { (0..s).map(|j| a(i, j) * t.c[j]).sum() };
            let ac2 = |i: usize| -> f64 { (0..s).map(|j| a(i, j) * t.c[j] * t.c[j]).sum() };
            let aac = |i: usize| -> f64 { (0..s).map(|j| a(i, j) * ac(j)).sum() };
            type Condition<'a> = (u32, Box<dyn Fn(&[f64]) -> f64 + 'a>, f64);
            let conditions: Vec<Condition<'_>> = vec![
                (1, Box::new(|w| sum(w, &|_| 1.0)), 1.0),
                (2, Box::new(|w| sum(w, &|i| t.c[i])), 0.5),
                (3, Box::new(|w| sum(w, &|i| t.c[i] * t.c[i])), 1.0 / 3.0),
                (3, Box::new(|w| sum(w, &ac)), 1.0 / 6.0),
                (4, Box::new(|w| sum(w, &|i| t.c[i].powi(3))), 0.25),
                (4, Box::new(|w| sum(w, &|i| t.c[i] * ac(i))), 0.125),
                (4, Box::new(|w| sum(w, &ac2)), 1.0 / 12.0),
                (4, Box::new(|w| sum(w, &aac)), 1.0 / 24.0),
                (5, Box::new(|w| sum(w, &|i| t.c[i].powi(4))), 0.2),
            ];
            for (order, f, value) in &conditions {
                if *order <= t.order {
                    assert!((f(t.b) - value).abs() < 1e-14, "{scheme:?} order {order}");
                }
                if *order <= t.embedded {
                    assert!(f(t.e).abs() < 1e-14, "{scheme:?} embedded {order}");
                }
            }
        }
    }
}
