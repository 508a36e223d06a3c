//! Temporary vectors, in memory that a thread keeps for its next solve.
//!
//! A solve of twenty rows takes four microseconds, and thirty allocations were a quarter of that. Temporary vectors that a solve does not
//! return are borrowed here; after the first few solves of a kind nothing is allocated any more. A thread keeps at most forty vectors of 4096
//! elements of a type: 1.3 MB of `f64`.

use std::ops::{Deref, DerefMut};

/// Vectors of more elements than this go back to the allocator: where they are needed, it costs nothing beside the work.
pub(crate) const LARGEST: usize = 1 << 12;
/// Vectors a thread keeps, of each type.
pub(crate) const KEPT: usize = 40;

/// What can be kept.
pub trait Pooled: Copy + 'static {
    /// An empty vector, with room from before if there is one.
    #[doc(hidden)]
    fn take() -> Vec<Self>;
    /// Keeps the memory of a vector.
    #[doc(hidden)]
    fn put_back(v: Vec<Self>);
}

macro_rules! pooled {
    ($($store:ident: $t:ty),*) => {$(
        thread_local! {
            static $store: std::cell::RefCell<Vec<Vec<$t>>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        impl $crate::linalg::scratch::Pooled for $t {
            fn take() -> Vec<Self> {
                // (none while the thread ends)
                let kept = $store.try_with(|s| s.borrow_mut().pop());
                kept.ok().flatten().unwrap_or_default()
            }
            fn put_back(mut v: Vec<Self>) {
                if (1..=$crate::linalg::scratch::LARGEST).contains(&v.capacity()) {
                    v.clear();
                    let _ = $store.try_with(|s| {
                        let mut store = s.borrow_mut();
                        if store.len() < $crate::linalg::scratch::KEPT {
                            store.push(v);
                        }
                    });
                }
            }
        }
    )*};
}

pub(crate) use pooled;

pooled!(DOUBLES: f64, SINGLES: f32, INDICES: usize, FLAGS: bool);

/// A vector whose memory goes back to the store of the thread that drops it.
#[derive(Debug, PartialEq)]
pub(crate) struct Scratch<T: Pooled>(Vec<T>);

/// An empty one.
pub(crate) fn empty<T: Pooled>() -> Scratch<T> {
    Scratch(T::take())
}

/// `value`, `len` times.
pub(crate) fn filled<T: Pooled>(len: usize, value: T) -> Scratch<T> {
    let mut v = T::take();
    v.resize(len, value);
    Scratch(v)
}

/// Zeros.
pub(crate) fn zeros<T: Pooled + num_traits::Zero>(len: usize) -> Scratch<T> {
    filled(len, T::zero())
}

impl<T: Pooled> Scratch<T> {
    /// For good: not memory to go back.
    pub(crate) fn into_vec(mut self) -> Vec<T> {
        let mut v = std::mem::take(&mut self.0);
        v.shrink_to_fit();
        v
    }
}

impl<T: Pooled> Drop for Scratch<T> {
    fn drop(&mut self) {
        T::put_back(std::mem::take(&mut self.0));
    }
}

impl<T: Pooled> From<Vec<T>> for Scratch<T> {
    fn from(v: Vec<T>) -> Self {
        Self(v)
    }
}

impl<T: Pooled> FromIterator<T> for Scratch<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut v = T::take();
        v.extend(items);
        Self(v)
    }
}

impl<'s, T: Pooled> IntoIterator for &'s Scratch<T> {
    type Item = &'s T;
    type IntoIter = std::slice::Iter<'s, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Pooled> Clone for Scratch<T> {
    fn clone(&self) -> Self {
        self.iter().copied().collect()
    }
}

impl<T: Pooled> Deref for Scratch<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Pooled> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_clean() {
        let mut first = filled(100, 1.5_f64);
        first[3] = 7.0;
        let place = first.as_ptr();
        drop(first);
        let second: Scratch<f64> = zeros(60);
        assert_eq!(second.as_ptr(), place);
        assert!(second.len() == 60 && second.iter().all(|v| *v == 0.0));
        // what is handed out does not come back
        let kept = DOUBLES.with(|s| s.borrow().len());
        drop(second.into_vec());
        assert_eq!(DOUBLES.with(|s| s.borrow().len()), kept);
        let third: Scratch<f64> = [1.0, 2.0].into_iter().collect();
        assert_eq!(**third, [1.0, 2.0]);
        drop(third);
        assert_eq!(DOUBLES.with(|s| s.borrow().len()), kept + 1);
    }

    #[test]
    fn large_memory_is_given_back() {
        drop(filled(LARGEST + 1, true));
        assert!(bool::take().capacity() <= LARGEST);
    }
}
