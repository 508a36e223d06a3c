//! The only helpers for validating input.

use crate::{Error, Result, Scalar};

/// `found == expected`, or [`Error::Dimension`].
pub(crate) fn check_len(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::Dimension {
            what,
            expected,
            found,
        })
    }
}

/// Every entry finite, or [`Error::NotFinite`] with the first that is not.
pub(crate) fn check_finite<T: Scalar>(what: &'static str, v: &[T]) -> Result<()> {
    match v.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::NotFinite { what, index }),
    }
}

/// At least one element, or [`Error::Empty`].
pub(crate) fn check_not_empty(what: &'static str, len: usize) -> Result<()> {
    if len == 0 {
        Err(Error::Empty { what })
    } else {
        Ok(())
    }
}

/// Every entry passes the test, or [`Error::Data`] with the first that does not.
pub(crate) fn check_each<T: Scalar>(
    what: &'static str,
    v: &[T],
    why: &'static str,
    fits: impl Fn(T) -> bool,
) -> Result<()> {
    match v.iter().position(|x| !fits(*x)) {
        None => Ok(()),
        Some(index) => Err(Error::Data {
            what,
            index,
            value: v[index].as_f64(),
            why,
        }),
    }
}

/// A positive finite number, or [`Error::Setting`].
pub(crate) fn check_positive<T: Scalar>(name: &'static str, value: T) -> Result<()> {
    if value.is_finite() && value > T::zero() {
        Ok(())
    } else {
        Err(Error::Setting {
            name,
            why: "must be positive and finite",
        })
    }
}
