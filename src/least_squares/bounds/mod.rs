//! The methods over bounds and a sum.

mod driver;
mod exact;
pub(crate) mod finish;
mod prepared;
mod projected_gradient;
mod reduce_and_solve;
mod steps;

pub(super) use prepared::close_sum;
pub(crate) use reduce_and_solve::Question;
