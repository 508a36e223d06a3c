//! A number type that the crate does not know: the engine is compiled for it here, and counts in it.

use num_traits::{Float, FromPrimitive, Num, NumCast, One, ToPrimitive, Zero};
use reparam::maps::{NormalizedSquares, Squares};
use reparam::objectives::{FromFn, LeastSquares};
use reparam::operators::Dense;
use reparam::{Integrate, Minimize};
use std::fmt;
use std::num::{FpCategory, ParseFloatError};
use std::ops::*;

/// An `f64` under another name.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
struct Own(f64);

macro_rules! operators {
    ($($trait:ident $name:ident $assign:ident $in_place:ident),*) => {$(
        impl $trait for Own {
            type Output = Self;
            fn $name(self, other: Self) -> Self {
                Self(self.0.$name(other.0))
            }
        }
        impl $assign for Own {
            fn $in_place(&mut self, other: Self) {
                self.0.$in_place(other.0);
            }
        }
    )*};
}
operators!(
    Add add AddAssign add_assign,
    Sub sub SubAssign sub_assign,
    Mul mul MulAssign mul_assign,
    Div div DivAssign div_assign,
    Rem rem RemAssign rem_assign
);

macro_rules! float {
    (constants: $($constant:ident)*; maps: $($map:ident)*; pairs: $($pair:ident)*; asks: $($ask:ident)*) => {
        impl Float for Own {
            $(fn $constant() -> Self { Self(<f64 as Float>::$constant()) })*
            $(fn $map(self) -> Self { Self(Float::$map(self.0)) })*
            $(fn $pair(self, other: Self) -> Self { Self(Float::$pair(self.0, other.0)) })*
            $(fn $ask(self) -> bool { Float::$ask(self.0) })*
            fn classify(self) -> FpCategory { self.0.classify() }
            fn mul_add(self, a: Self, b: Self) -> Self { Self(self.0.mul_add(a.0, b.0)) }
            fn powi(self, n: i32) -> Self { Self(self.0.powi(n)) }
            fn sin_cos(self) -> (Self, Self) { (Self(self.0.sin()), Self(self.0.cos())) }
            fn integer_decode(self) -> (u64, i16, i8) { Float::integer_decode(self.0) }
        }
    };
}
float!(
    constants: nan infinity neg_infinity neg_zero min_value min_positive_value max_value epsilon;
    maps: floor ceil round trunc fract abs signum recip sqrt exp exp2 ln log2 log10 cbrt sin cos tan asin acos atan exp_m1 ln_1p
        sinh cosh tanh asinh acosh atanh;
    pairs: powf log max min abs_sub hypot atan2;
    asks: is_nan is_infinite is_finite is_normal is_sign_positive is_sign_negative
);

impl Neg for Own {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}
impl Zero for Own {
    fn zero() -> Self {
        Self(0.0)
    }
    fn is_zero(&self) -> bool {
        self.0 == 0.0
    }
}
impl One for Own {
    fn one() -> Self {
        Self(1.0)
    }
}
impl Num for Own {
    type FromStrRadixErr = ParseFloatError;
    fn from_str_radix(text: &str, _: u32) -> Result<Self, ParseFloatError> {
        text.parse().map(Self)
    }
}
impl ToPrimitive for Own {
    fn to_i64(&self) -> Option<i64> {
        self.0.to_i64()
    }
    fn to_u64(&self) -> Option<u64> {
        self.0.to_u64()
    }
    fn to_f64(&self) -> Option<f64> {
        Some(self.0)
    }
}
impl NumCast for Own {
    fn from<N: ToPrimitive>(n: N) -> Option<Self> {
        n.to_f64().map(Self)
    }
}
impl FromPrimitive for Own {
    fn from_i64(n: i64) -> Option<Self> {
        f64::from_i64(n).map(Self)
    }
    fn from_u64(n: u64) -> Option<Self> {
        f64::from_u64(n).map(Self)
    }
    fn from_f64(n: f64) -> Option<Self> {
        Some(Self(n))
    }
}
impl std::iter::Sum for Own {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        Self(terms.map(|t| t.0).sum())
    }
}
impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::LowerExp for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The distance from (0.8, 0.6, −0.4) over the simplex.
#[test]
fn the_same_bits_as_f64() {
    let y = [0.8, 0.6, -0.4];
    let plain = FromFn::new(3, |x: &[f64], g: &mut [f64]| {
        (0..3).for_each(|j| g[j] = x[j] - y[j]);
        Ok(0.5 * g.iter().map(|g| g * g).sum::<f64>())
    });
    let own = FromFn::new(3, |x: &[Own], g: &mut [Own]| {
        (0..3).for_each(|j| g[j] = x[j] - Own(y[j]));
        Ok(Own(0.5) * g.iter().map(|g| *g * *g).sum::<Own>())
    });
    let start = [0.25, 0.25, 0.5];
    let expected = Minimize::new(plain, NormalizedSquares::new(3, 1.0).unwrap()).unwrap();
    let expected = expected.start(&start).run().unwrap();
    let found = Minimize::new_generic(own, NormalizedSquares::new(3, Own(1.0)).unwrap()).unwrap();
    let found = found.start(&start.map(Own)).run().unwrap();
    assert_eq!(found.x.iter().map(|v| v.0).collect::<Vec<_>>(), expected.x);
    assert_eq!((found.status, found.counts), (expected.status, expected.counts));
    assert!((expected.x[0] - 0.6).abs() < 1e-7 && expected.x[2] == 0.0);
}

#[test]
fn the_dynamics_too() {
    let (a, b) = ([2.0, 1.0, 1.0, 3.0], [3.0, 4.0]);
    let (own_a, own_b) = (a.map(Own), b.map(Own));
    let expected = {
        let f = LeastSquares::new(Dense::column_major(&a, 2, 2).unwrap(), &b).unwrap();
        Integrate::new(f, Squares::new(2))
            .unwrap()
            .start_u0(0.5)
            .until_time(0.3)
            .run()
            .unwrap()
    };
    let f = LeastSquares::new(Dense::column_major(&own_a, 2, 2).unwrap(), &own_b).unwrap();
    let run = Integrate::new_generic(f, Squares::new(2)).unwrap();
    let found = run.start_u0(Own(0.5)).until_time(Own(0.3)).run().unwrap();
    assert_eq!(
        found.solution.x.iter().map(|v| v.0).collect::<Vec<_>>(),
        expected.solution.x
    );
    assert_eq!(found.solution.iterations, expected.solution.iterations);
    assert!(expected.solution.iterations > 2);
}
