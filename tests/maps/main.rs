//! Maps and sets.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

mod allocations;
mod coordinatewise;
mod coupled;
mod extremes;
mod sets;
