//! Flows, integrators, implicit bias.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

mod allocations;
mod bias;
mod integrators;
mod paper;
mod step_control;
