//! Bridges to other optimisation libraries, each behind a feature of its own.
//!
//! | module | feature | library |
//! |---|---|---|
//! | `argmin` | `argmin` | [argmin](https://docs.rs/argmin) 0.11 |
//! | `basin` | `basin` | [basin](https://docs.rs/basin) 3 |
//!
//! Each has two directions: the methods of this crate run by the other's executor, and the other's solvers made constrained by a
//! map. In both the problem is the user's own, written in x.

#[cfg(feature = "argmin")]
pub mod argmin;
#[cfg(feature = "basin")]
pub mod basin;
mod engine;
mod lift;
mod vector;

pub use engine::Saved;
pub use vector::{ParamMatrix, ParamVec};

/// A vector with these entries, in old memory where its length allows.
fn refill<X: ParamVec>(old: Option<X>, v: &[X::Entry]) -> X {
    match old {
        Some(mut old) if old.as_slice().len() == v.len() => {
            old.as_mut_slice().copy_from_slice(v);
            old
        }
        _ => X::from_slice(v),
    }
}
