//! Units, noise and domains: what must not depend on the unit of x or f, what noise cannot fake, and where closures are called.
#![allow(clippy::unwrap_used)]

mod differences;
mod domains;
mod rows;
mod units;
