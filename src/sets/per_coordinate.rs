//! One value for all coordinates, or one each.

/// Values indexed by coordinate. A set or map with the same bound everywhere stores (and reads) it once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PerCoordinate<V> {
    Same(V),
    Each(Vec<V>),
}

impl<V> PerCoordinate<V> {
    #[inline]
    pub(crate) fn get(&self, j: usize) -> &V {
        match self {
            Self::Same(v) => v,
            Self::Each(v) => &v[j],
        }
    }

    /// The stored values, each coordinate's at least once.
    pub(crate) fn stored(&self) -> &[V] {
        match self {
            Self::Same(v) => std::slice::from_ref(v),
            Self::Each(v) => v,
        }
    }
}

impl<V: PartialEq> PerCoordinate<V> {
    /// Stored once when all are equal.
    pub(crate) fn from_vec(mut values: Vec<V>) -> Self {
        match values.split_first() {
            Some((first, rest)) if rest.iter().all(|v| v == first) => Self::Same(values.swap_remove(0)),
            _ => Self::Each(values),
        }
    }
}
