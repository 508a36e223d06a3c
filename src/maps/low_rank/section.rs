//! A factor U of a given X.

use super::{Kind, LowRank};
use crate::linalg::{max_abs, symmetric_eigen};
use crate::maps::Boundary;
use crate::{MapError, Scalar};

impl<T: Scalar> LowRank<T> {
    /// [`section`](crate::maps::Reparametrization::section)
    pub(super) fn eigen_section(
        &self,
        x: &[T],
        boundary: Boundary<T>,
        u: &mut [T],
        work: &mut [T],
    ) -> Result<(), MapError> {
        let (n, p) = (self.size(), self.rank);
        let outside = |index: usize| MapError::Outside {
            index,
            value: x[index].as_f64(),
        };
        let (values, rest) = work.split_at_mut(n);
        let (vectors, rest) = rest.split_at_mut(n * n);
        if !symmetric_eigen(x, values, vectors, &mut rest[..n * n]) {
            return Err(outside(x.iter().position(|v| !v.is_finite()).unwrap_or(0)));
        }
        let size = max_abs(x);
        let loose = size * T::epsilon().sqrt();
        if let Some(k) = (0..n * n).find(|k| (x[*k] - x[(k % n) * n + k / n]).abs() > loose) {
            return Err(outside(k));
        }
        match self.kind {
            Kind::Cone => {}
            Kind::Trace(trace) => {
                let sum: T = (0..n).map(|i| x[i * n + i]).sum();
                if (sum - trace).abs() > trace * T::epsilon().sqrt() {
                    return Err(outside(0));
                }
            }
            Kind::UnitDiagonal => {
                if let Some(i) = (0..n).find(|i| (x[i * n + i] - T::one()).abs() > T::epsilon().sqrt()) {
                    return Err(outside(i * n + i));
                }
            }
        }
        let top = values[0].max(T::zero());
        let tolerance = T::lit(4.0) * T::count(n) * T::epsilon() * size;
        if values[n - 1] < -tolerance {
            return Err(outside(0));
        }
        let columns = n.min(p);
        if values[columns..].iter().any(|v| *v > tolerance) {
            return Err(MapError::NotProvided(
                "a section at matrices whose rank exceeds that of the factor",
            ));
        }
        u.fill(T::zero());
        for k in 0..columns {
            let mut value = if values[k] > tolerance {
                values[k]
            } else {
                T::zero()
            };
            if value == T::zero() {
                match boundary {
                    Boundary::Exact => continue,
                    Boundary::Nudge(by) => {
                        value = by
                            * if self.kind == Kind::Cone {
                                top.max(T::one())
                            } else {
                                top
                            };
                    }
                    Boundary::Reject => return Err(MapError::OnBoundary { index: k }),
                }
            }
            let root = value.sqrt();
            for (i, q) in vectors[k * n..(k + 1) * n].iter().enumerate() {
                u[i * p + k] = root * *q;
            }
        }
        Ok(())
    }
}
