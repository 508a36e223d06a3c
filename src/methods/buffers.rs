//! Work vectors of a step. Nothing in them is kept between steps.

/// K work vectors of a method, kept so that a step allocates nothing. They are no part of its state: a copy starts empty, all
/// compare equal, and checkpoints leave them out.
pub(super) struct Buffers<T, const K: usize>([Vec<T>; K]);

/// Vectors given back, for whoever needs one: as [`Buffers`], no part of a state.
pub(super) struct Pool<T>(Vec<Vec<T>>);

impl<T> Pool<T> {
    pub(super) fn empty() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Pool<T> {
    /// A vector of this length and any contents.
    pub(super) fn take(&mut self, len: usize, fill: T) -> Vec<T> {
        let mut v = self.0.pop().unwrap_or_default();
        v.resize(len, fill);
        v
    }

    /// At least this many vectors with room for `len` numbers.
    pub(super) fn reserve(&mut self, count: usize, len: usize) {
        self.0.reserve(count.saturating_sub(self.0.len()));
        while self.0.len() < count {
            self.0.push(Vec::with_capacity(len));
        }
    }

    pub(super) fn put_back(&mut self, v: Vec<T>) {
        self.0.push(v);
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self(Vec::new())
    }
}

impl<T> PartialEq for Pool<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> std::fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

impl<T: Clone, const K: usize> Buffers<T, K> {
    /// Takes the vectors out, with these lengths and any contents; [`put_back`](Self::put_back) ends the loan.
    pub(super) fn take(&mut self, lengths: [usize; K], fill: T) -> [Vec<T>; K] {
        let mut out = std::mem::take(self).0;
        for (v, len) in out.iter_mut().zip(lengths) {
            v.resize(len, fill.clone());
        }
        out
    }

    pub(super) fn put_back(&mut self, vectors: [Vec<T>; K]) {
        self.0 = vectors;
    }
}

impl<T, const K: usize> Buffers<T, K> {
    pub(super) fn empty() -> Self {
        Self(std::array::from_fn(|_| Vec::new()))
    }
}

impl<T, const K: usize> Default for Buffers<T, K> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T, const K: usize> Clone for Buffers<T, K> {
    fn clone(&self) -> Self {
        Self::empty()
    }
}

impl<T, const K: usize> PartialEq for Buffers<T, K> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T, const K: usize> std::fmt::Debug for Buffers<T, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buffers")
    }
}
