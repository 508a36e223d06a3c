//! Validation of input: every check of lengths, finite values and sizes in the crate is one of these functions.

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

/// A finite number, or [`Error::Setting`].
pub(crate) fn check_number<T: Scalar>(name: &'static str, value: T) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::Setting {
            name,
            why: "must be finite",
        })
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

/// A right-hand side of an m×n matrix: its length m, every entry finite.
pub(crate) fn check_rhs<T: Scalar>(b: &[T], m: usize, n: usize) -> Result<()> {
    check_data_len("the right-hand side", m, n, b.len())?;
    check_finite("right-hand side", b)
}

/// One entry of data per row of an m×n matrix, or [`Error::Dimension`]; [`Error::Transposed`] where there is one per column.
pub(crate) fn check_data_len(what: &'static str, m: usize, n: usize, found: usize) -> Result<()> {
    if found != m && found == n {
        Err(Error::Transposed {
            what,
            rows: m,
            columns: n,
        })
    } else {
        check_len(what, m, found)
    }
}

/// The right-hand sides of an m×n matrix (m > 0) that lie one after the other: at least one, whole, every entry finite.
pub(crate) fn columns_of<T: Scalar>(b: &[T], m: usize, n: usize) -> Result<Vec<&[T]>> {
    check_not_empty("the right-hand sides", b.len())?;
    if !b.len().is_multiple_of(m) {
        let what = "the right-hand sides";
        let wrong = if b.len() == n {
            check_data_len(what, m, n, b.len())
        } else {
            check_len(what, b.len().div_ceil(m) * m, b.len())
        };
        return wrong.map(|()| vec![]);
    }
    match b.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(Error::NotFiniteRightHandSide {
            number: index / m,
            row: index % m,
        }),
        None => Ok(b.chunks_exact(m).collect()),
    }
}

/// Requests of fewer bytes than this are not tested: there are many of them, and they fit.
const SMALL_REQUEST: usize = 1 << 20;

/// Memory for so many elements, or [`Error::Memory`]: asked of the allocator and given back at once, before anything is written.
///
/// Called before anything is allocated whose size comes from the problem and grows faster than its data (n² for n columns): where the
/// allocator refuses, `vec!` aborts the process. Products of sizes are passed saturated (`saturating_mul`).
pub(crate) fn check_memory<T>(what: &'static str, elements: usize) -> Result<()> {
    if elements.saturating_mul(std::mem::size_of::<T>()) >= SMALL_REQUEST {
        let tried = Vec::<T>::new().try_reserve_exact(elements);
        tried.map_err(|_| Error::Memory { what, elements })?;
    }
    Ok(())
}

/// Zeros, where there is memory for them, or [`Error::Memory`].
pub(crate) fn zeros<T: Scalar>(what: &'static str, elements: usize) -> Result<Vec<T>> {
    check_memory::<T>(what, elements)?;
    Ok(vec![T::zero(); elements])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_before_it_is_allocated() {
        for elements in [usize::MAX, usize::MAX / 8, 1 << 56] {
            let refused = zeros::<f64>("a test", elements);
            assert!(matches!(refused, Err(Error::Memory { elements: e, .. }) if e == elements));
        }
        assert_eq!(zeros::<f32>("a test", 3).unwrap(), [0.0; 3]);
        assert!(check_memory::<f64>("a test", SMALL_REQUEST).is_ok());
    }
}
