//! The lifted problem F = f∘φ: what methods that move u are made of.

mod ray_search;

pub use ray_search::{Quartic, minimise_quartic};
