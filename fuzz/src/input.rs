//! From bytes to numbers, sizes and choices. Bytes that ran out read as zeros, so that every input is a whole problem.

use arbitrary::Unstructured;
use reparam::Scalar;

/// How numbers are made of bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Eighths from −16 to 16: sums and products of a few are exact, and ties are frequent.
    Eighths,
    /// Spread over (−1, 1).
    Spread,
    /// Any: eighths, powers of two over the whole range, any bits, rarely NaN and infinities.
    Any,
}

pub(crate) struct Bytes<'a>(Unstructured<'a>);

impl<'a> Bytes<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// True once in `n`.
    pub(crate) fn rarely(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub(crate) fn choose<C: Copy>(&mut self, of: &[C]) -> C {
        of[self.below(of.len())]
    }

    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.take(self.0.len())
    }

    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.0.len());
        self.0.bytes(n).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// Mostly kinds of which a claim can be checked.
    pub(crate) fn kind(&mut self) -> Kind {
        self.choose(&[Kind::Eighths, Kind::Spread, Kind::Any, Kind::Eighths])
    }

    pub(crate) fn number(&mut self, kind: Kind) -> f64 {
        match kind {
            Kind::Eighths => f64::from(self.byte() as i8) / 8.0,
            Kind::Spread => (f64::from(self.0.arbitrary::<u16>().unwrap_or(0)) - 32767.5) / 32768.0,
            Kind::Any => match self.byte() % 32 {
                0..16 => self.number(Kind::Eighths),
                16..26 => {
                    let exponent = i32::from(self.0.arbitrary::<u16>().unwrap_or(0) % 2098) - 1074;
                    let size = 2f64.powi(exponent);
                    if self.yes() { size } else { -size }
                }
                26..30 => f64::from_bits(self.0.arbitrary().unwrap_or(0)),
                30 => 0.0,
                _ => self.choose(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]),
            },
        }
    }

    pub(crate) fn numbers<T: Scalar>(&mut self, n: usize, kind: Kind) -> Vec<T> {
        (0..n).map(|_| T::lit(self.number(kind))).collect()
    }

    /// A positive number mostly.
    pub(crate) fn size<T: Scalar>(&mut self, kind: Kind) -> T {
        let size = self.number(kind);
        T::lit(if self.rarely(16) { size } else { size.abs() })
    }

    /// n, rarely one off.
    pub(crate) fn about(&mut self, n: usize) -> usize {
        match self.byte() {
            254 => n + 1,
            255 => n.saturating_sub(1),
            _ => n,
        }
    }

    /// A tolerance: mostly none (the default stays), else any number.
    pub(crate) fn tolerance<T: Scalar>(&mut self) -> Option<T> {
        self.rarely(8).then(|| {
            let exponent = i32::from(self.byte() % 20);
            T::lit(if self.rarely(8) {
                self.number(Kind::Any)
            } else {
                10f64.powi(-exponent)
            })
        })
    }
}

/// Whether every number is finite and of moderate size, so that nothing overflows, underflows or cancels to nothing.
pub(crate) fn moderate<T: Scalar>(values: &[T]) -> bool {
    values.iter().all(|v| {
        let size = v.as_f64().abs();
        size == 0.0 || (1e-6..=1e6).contains(&size)
    })
}

/// Whether every number is zero or far enough from both ends of the range, so that sums of products of three are exact in twice the precision.
pub(crate) fn within_reach<T: Scalar>(values: &[T]) -> bool {
    values.iter().all(|v| {
        let size = v.as_f64().abs();
        size == 0.0 || (1e-40..=1e40).contains(&size)
    })
}

/// One run in either number type, by the first byte.
macro_rules! in_either_precision {
    ($data:expr, $run:ident) => {{
        let mut bytes = $crate::input::Bytes::new($data);
        if bytes.rarely(3) {
            $run::<f32>(&mut bytes);
        } else {
            $run::<f64>(&mut bytes);
        }
    }};
}
pub(crate) use in_either_precision;
