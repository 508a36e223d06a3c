//! The program `reparam`, from outside.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bench;

mod bounded;
mod faults;
mod nnls;
mod plot;
mod text;
