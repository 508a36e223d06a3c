//! Exact searches along lifted lines, for least squares.

mod rational_search;
mod ray_search;

pub use rational_search::{RationalQuartic, minimise_rational};
pub use ray_search::{Quartic, minimise_quartic};
