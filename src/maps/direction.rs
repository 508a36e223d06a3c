//! The common part of the maps onto spheres and balls: y = u/‖u‖, where one coordinate may be fixed (open ball) or dropped (closed ball).
//!
//! With n = ‖u‖, a = v − ⟨y,v⟩y and q = w − ⟨y,w⟩y, for F(u) = R⟨w, y⟩:
//!
//! ```text
//! dy·v = a/n      ∇F = (R/n) q      ∇²F v = −(R/n²)(⟨y,v⟩ q + ⟨q,v⟩ y + ⟨y,w⟩ a)
//! ```
//!
//! In the largest entry of y, a and q suffer cancellation when y is nearly a coordinate axis; there they are summed as
//! Σ_k y_k (y_k v_top − y_top v_k). Vectors are closures k ↦ u_k.

use super::weights::{Unit, times};
use crate::Scalar;

/// y, from u by [`of`](Self::of).
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction<T> {
    unit: Unit<T>,
    len: usize,
    norm: T,
    /// 1/‖u‖: 0 for an infinite u, ∞ where that is beyond the largest number.
    inverse: T,
}

/// v − ⟨y,v⟩y.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tangent<T> {
    /// ⟨y, v⟩.
    pub(super) along: T,
    top: usize,
    at_top: T,
}

impl<T: Scalar> Tangent<T> {
    #[inline]
    pub(super) fn at(&self, k: usize, yk: T, vk: T) -> T {
        if k == self.top {
            self.at_top
        } else {
            vk - self.along * yk
        }
    }
}

impl<T: Scalar> Direction<T> {
    /// None for u = 0.
    pub(super) fn of(len: usize, u: impl Fn(usize) -> T) -> Option<Self> {
        let unit = Unit::from_fn(len, u)?;
        let norm = unit.square.sqrt();
        Some(Self {
            unit,
            len,
            norm,
            inverse: unit.s / norm,
        })
    }

    /// ‖u‖, of an infinite u ∞.
    pub(super) fn length(&self) -> T {
        if self.unit.s == T::zero() {
            T::infinity()
        } else {
            self.norm / self.unit.s
        }
    }

    /// t ↦ t R/‖u‖, which is 0 for t = 0 and finite wherever it is a number, whatever R/‖u‖ is.
    #[inline]
    pub(super) fn per_length(&self, radius: T) -> impl Fn(T) -> T {
        let (f, [first, second], norm) = (radius * self.inverse, self.unit.halves, self.norm);
        move |t| {
            if f.is_normal() {
                f * t
            } else {
                // R/‖u‖ = s'·s''·R/‖û‖ over- or underflows (or u is infinite or NaN): factor by factor
                times(times(t / norm * first, radius), second)
            }
        }
    }

    /// y_k from u_k.
    #[inline]
    pub(super) fn at(&self, uk: T) -> T {
        self.unit.at(uk) / self.norm
    }

    /// 1 − y_k².
    fn across(&self, k: usize, yk: T) -> T {
        if k == self.unit.top {
            self.unit.rest / self.unit.square
        } else {
            T::one() - yk * yk
        }
    }

    pub(super) fn tangent(&self, u: impl Fn(usize) -> T, v: impl Fn(usize) -> T) -> Tangent<T> {
        let top = self.unit.top;
        let (y_top, v_top) = (self.at(u(top)), v(top));
        let (mut along, mut at_top) = (y_top * v_top, T::zero());
        for k in 0..self.len {
            if k != top {
                let (yk, vk) = (self.at(u(k)), v(k));
                along += yk * vk;
                at_top += yk * (yk * v_top - y_top * vk);
            }
        }
        Tangent { along, top, at_top }
    }

    /// put(k, k-th entry of R·∇²⟨w, y⟩ v).
    pub(super) fn curvature(
        &self,
        u: impl Fn(usize) -> T,
        w: impl Fn(usize) -> T,
        v: impl Fn(usize) -> T,
        radius: T,
        out: &mut [T],
    ) {
        let (a, q) = (self.tangent(&u, &v), self.tangent(&u, &w));
        let mut tilt = T::zero();
        for k in 0..self.len {
            tilt += q.at(k, self.at(u(k)), w(k)) * v(k);
        }
        let (once, twice) = (self.per_length(radius), self.per_length(T::one()));
        for (k, o) in out.iter_mut().enumerate() {
            let y = self.at(u(k));
            *o = -twice(once(
                a.along * q.at(k, y, w(k)) + tilt * y + q.along * a.at(k, y, v(k)),
            ));
        }
    }

    /// The diagonals of R²(dy)ᵀ diag(h) dy and of R·∇²⟨w, y⟩.
    pub(super) fn diagonals(
        &self,
        u: impl Fn(usize) -> T,
        h: impl Fn(usize) -> T,
        w: impl Fn(usize) -> T,
        radius: T,
        gauss_newton: &mut [T],
        curved: &mut [T],
    ) {
        let q = self.tangent(&u, &w);
        let term = |k: usize| {
            let y = self.at(u(k));
            h(k) * y * y
        };
        let top = self.unit.top;
        let rest: T = (0..self.len).filter(|k| *k != top).map(term).sum();
        let total = rest + term(top);
        let (once, twice) = (self.per_length(radius), self.per_length(T::one()));
        for k in 0..gauss_newton.len() {
            let y = self.at(u(k));
            let across = self.across(k, y);
            let others = if k == top { rest } else { total - term(k) };
            gauss_newton[k] = once(once(h(k) * across * across + y * y * others));
            curved[k] = -twice(once((y + y) * q.at(k, y, w(k)) + q.along * across));
        }
    }
}
