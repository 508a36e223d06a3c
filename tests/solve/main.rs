//! `Minimize`: objectives, methods, endings.
#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub)]
#[path = "../common/claims.rs"]
mod claims;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/counting.rs"]
mod counting;

mod allocations;
mod exact_finish;
mod false_claims;
mod minimize;
mod nonlinear;
mod objectives;
mod rational_rays;
mod sets;
