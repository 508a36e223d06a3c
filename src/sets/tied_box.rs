//! {x : x_i = y_{k(i)}, lo ≤ y ≤ hi}.

use super::box_set::{BoxSet, clip, clipped_step, linear_gap, linear_minimiser, violation_of};
use super::{ConstraintSet, Polyhedron};
use crate::checks::check_not_empty;
use crate::linalg::max_or_nan;
use crate::{Error, Result, Scalar};

/// A box whose coordinates are tied in classes: {x ∈ Rⁿ : x_i = y_{k(i)}, y ∈ \[lo, hi\]}.
///
/// A linear image of a box, hence convex. With C = Σ c_i² over a class, everything is the box in y:
///
/// ```math
/// \begin{aligned}
/// \text{natural residual} &\quad \max_i c_i\, |x_i - z_{k(i)}|, \quad z = \operatorname{clip}\Bigl(\bigl(\textstyle\sum c_i^2 x_i - \sum g_i\bigr) / \sum c_i^2\Bigr), \quad \text{sums over the class} \\
/// \text{projection} &\quad \text{the class mean, clipped} \\
/// \text{multipliers} &\quad \mu = g \quad (\text{their sum over a class is the multiplier of its bounds})
/// \end{aligned}
/// ```
///
/// ```
/// use reparam::sets::{BoxSet, ConstraintSet, TiedBox};
/// let set = TiedBox::new(BoxSet::uniform(2, 0.0, 1.0).unwrap(), &[0, 1, 0]).unwrap(); // x₀ = x₂
/// let mut x = [0.25, 7.0, 0.75];
/// set.project(&mut x);
/// assert_eq!(x, [0.5, 1.0, 0.5]);
/// assert_eq!(set.natural_residual(&x, &[1.0, -2.0, -1.0], None), 0.0); // g₀ + g₂ = 0, x₁ held by its bound
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TiedBox<T> {
    classes: BoxSet<T>,
    index: Vec<usize>,
    // the members of class k are members[starts[k]..starts[k + 1]], so that a class is summed without scratch
    members: Vec<usize>,
    starts: Vec<usize>,
}

impl<T: Scalar> TiedBox<T> {
    /// Coordinate i of x equals coordinate `index[i]` of a point in the box `classes`.
    ///
    /// # Errors
    /// [`Error::Empty`] without an index; [`Error::Setting`] when an index is out of range or a class has no member.
    ///
    /// ```
    /// use reparam::sets::{BoxSet, TiedBox};
    /// let box2 = BoxSet::uniform(2, 0.0, 1.0).unwrap();
    /// assert!(TiedBox::new(box2.clone(), &[0, 0]).is_err()); // nobody follows coordinate 1
    /// assert!(TiedBox::new(box2, &[0, 2, 1]).is_err());
    /// ```
    pub fn new(classes: BoxSet<T>, index: &[usize]) -> Result<Self> {
        check_not_empty("the list of ties", index.len())?;
        let m = classes.dim();
        let mut starts = vec![0; m + 1];
        for k in index {
            if *k >= m {
                return Err(Error::Setting {
                    name: "ties",
                    why: "have an index that is out of range",
                });
            }
            starts[*k + 1] += 1;
        }
        if starts[1..].contains(&0) {
            return Err(Error::Setting {
                name: "ties",
                why: "need at least one follower of every shared coordinate",
            });
        }
        for k in 0..m {
            starts[k + 1] += starts[k];
        }
        let (mut next, mut members) = (starts.clone(), vec![0; index.len()]);
        for (i, k) in index.iter().enumerate() {
            members[next[*k]] = i;
            next[*k] += 1;
        }
        Ok(Self {
            classes,
            index: index.to_vec(),
            members,
            starts,
        })
    }

    /// The number of classes.
    ///
    /// ```
    /// use reparam::sets::{BoxSet, TiedBox};
    /// assert_eq!(TiedBox::new(BoxSet::uniform(2, 0.0, 1.0).unwrap(), &[0, 1, 0]).unwrap().classes(), 2);
    /// ```
    pub fn classes(&self) -> usize {
        self.classes.dim()
    }

    /// The class of each coordinate.
    ///
    /// ```
    /// use reparam::sets::{BoxSet, TiedBox};
    /// assert_eq!(TiedBox::new(BoxSet::uniform(2, 0.0, 1.0).unwrap(), &[0, 1, 0]).unwrap().index(), &[0, 1, 0]);
    /// ```
    pub fn index(&self) -> &[usize] {
        &self.index
    }

    /// The coordinates in class k.
    ///
    /// ```
    /// use reparam::sets::{BoxSet, TiedBox};
    /// assert_eq!(TiedBox::new(BoxSet::uniform(2, 0.0, 1.0).unwrap(), &[0, 1, 0]).unwrap().members(0), &[0, 2]);
    /// ```
    #[inline]
    pub fn members(&self, k: usize) -> &[usize] {
        &self.members[self.starts[k]..self.starts[k + 1]]
    }

    /// Σ v_i over class k.
    #[inline]
    pub(crate) fn class_sum(&self, k: usize, v: &[T]) -> T {
        self.members(k).iter().map(|i| v[*i]).sum()
    }

    /// max_i c_i |x_i − z| of class k.
    fn class_residual(&self, k: usize, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        let members = self.members(k);
        let c = |i: usize| scale.map_or(T::one(), |s| s[i]);
        let largest = max_or_nan(members.iter().map(|i| c(*i)));
        if largest == T::zero() {
            return T::zero();
        }
        // weights relative to the largest, means relative to the first member: no overflow, and exact where x is tied
        let first = x[members[0]];
        let (mut total, mut offset, mut pull) = (T::zero(), T::zero(), T::zero());
        for i in members {
            let w = c(*i) / largest;
            total += w * w;
            offset += w * w * (x[*i] - first);
            pull += g[*i] / largest;
        }
        let mean = first + offset / total;
        let (lo, hi) = (self.classes.lower(k), self.classes.upper(k));
        let step = clipped_step(mean, pull / total, largest, lo, hi) / largest;
        max_or_nan(members.iter().map(|i| c(*i) * (mean - x[*i] + step).abs()))
    }
}

impl<T: Scalar> ConstraintSet<T> for TiedBox<T> {
    fn dim(&self) -> usize {
        self.index.len()
    }
    fn violation(&self, x: &[T]) -> T {
        max_or_nan(self.index.iter().zip(x).map(|(k, v)| {
            let untied = (*v - x[self.members(*k)[0]]).abs();
            max_or_nan([
                violation_of(*v, self.classes.lower(*k), self.classes.upper(*k)),
                untied,
            ])
        }))
    }
    fn natural_residual(&self, x: &[T], g: &[T], scale: Option<&[T]>) -> T {
        max_or_nan((0..self.classes()).map(|k| self.class_residual(k, x, g, scale)))
    }
    fn multipliers(&self, _x: &[T], g: &[T], out: &mut [T]) {
        out.copy_from_slice(g);
    }
    fn project(&self, x: &mut [T]) -> bool {
        for k in 0..self.classes() {
            let members = self.members(k);
            let first = x[members[0]];
            let offset: T = members.iter().map(|i| x[*i] - first).sum();
            let mean = first + offset / T::count(members.len());
            let z = clip(mean, self.classes.lower(k), self.classes.upper(k));
            for i in members {
                x[*i] = z;
            }
        }
        true
    }
    fn minimise_linear(&self, g: &[T], s: &mut [T]) -> bool {
        for k in 0..self.classes() {
            let (lo, hi) = (self.classes.lower(k), self.classes.upper(k));
            let Some(z) = linear_minimiser(self.class_sum(k, g), lo, hi) else {
                return false;
            };
            for i in self.members(k) {
                s[*i] = z;
            }
        }
        true
    }
    fn frank_wolfe_gap(&self, x: &[T], g: &[T]) -> Option<T> {
        self.classes.is_compact().then(|| {
            (0..self.classes())
                .map(|k| {
                    let (lo, hi) = (self.classes.lower(k), self.classes.upper(k));
                    let first = x[self.members(k)[0]];
                    // zero, or NaN, where x is tied
                    let untied: T = self.members(k).iter().map(|i| g[*i] * (x[*i] - first)).sum();
                    linear_gap(first, self.class_sum(k, g), lo, hi) + untied
                })
                .sum()
        })
    }
    fn polyhedron(&self) -> Option<Polyhedron<T>> {
        let m = self.classes();
        Some(Polyhedron::Tied {
            index: self.index.clone(),
            lower: (0..m).map(|k| self.classes.lower(k)).collect(),
            upper: (0..m).map(|k| self.classes.upper(k)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_residual_weighs_the_members_of_a_class() {
        let set = TiedBox::new(BoxSet::uniform(1, 0.0, 10.0).unwrap(), &[0, 0]).unwrap();
        // C = 1 + 9, Σg = 5: the step is 0.5, largest in the stiffest coordinate
        let plain: f64 = set.natural_residual(&[2.0, 2.0], &[4.0, 1.0], Some(&[1.0, 3.0]));
        assert!((plain - 1.5).abs() < 1e-15, "{plain}");
        // in coordinates that are not tied, the distance to the tied point counts
        assert_eq!(set.natural_residual(&[1.0, 3.0], &[0.0, 0.0], None), 1.0);
        assert_eq!(set.violation(&[1.0, 3.0]), 2.0);
        let big: f64 = set.natural_residual(&[2.0, 2.0], &[4e200, 1e200], Some(&[1e200, 3e200]));
        assert!((big - 1.5).abs() < 1e-15, "{big}");
    }
}
