//! The methods, a file each. Which of them run, in which order and for how long is said in [`plan`](super::plan).

pub(super) mod accelerated_gradient;
pub(super) mod active_set;
pub(super) mod block_exchange;
pub(super) mod coordinate_descent;
pub(super) mod damped;
pub(super) mod few_columns;
pub(super) mod growing_gram;
pub(super) mod growing_qr;
pub(super) mod interior_point;
pub(super) mod least_distance;
pub(super) mod lifted_cg;
pub(super) mod projected_cg;
pub(super) mod schur_exchange;
pub(super) mod shared_gram;
pub(super) mod working_set;
