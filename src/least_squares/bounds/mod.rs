//! The methods over bounds and a sum.

mod driver;
mod evidence;
mod exact;
pub(crate) mod finish;
mod judge;
mod prepared;
mod projected_gradient;
mod reduce_and_solve;
mod steps;
mod working_set;

pub(super) use prepared::close_sum;
pub(crate) use reduce_and_solve::Question;
