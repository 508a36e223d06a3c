//! The lifted problem F = f∘φ: values and derivatives for methods that move u.
//!
//! ```math
//! \nabla F = J^\top g, \qquad
//! \nabla^2 F\, v = J^\top \nabla^2\! f\, J v + \sum_i g_i \nabla^2\varphi_i(u)\, v, \qquad
//! g = \nabla f(\varphi(u)), \quad J = D\varphi(u)
//! ```

mod start;

pub(crate) use start::{section, start_point};

use crate::linalg::max_abs;
use crate::maps::{Boundary, Reparametrization};
use crate::objectives::{Nearby, Objective};
use crate::outcome::Counts;
use crate::{Error, Result, Scalar};
use std::sync::Arc;

/// A point of the lift with the results of one evaluation.
///
/// ```
/// use reparam::{lifted::{Lifted, Point}, maps::Squares, objectives::FromFn};
/// let mut f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
/// let map = Squares::new(1);
/// let mut lifted = Lifted::new(&mut f, &map);
/// let mut point = Point::new(&map, &[2.0]);
/// lifted.evaluate(&mut point).unwrap();
/// assert_eq!((point.x[0], point.value, point.g[0], point.gradient[0]), (4.0, 4.5, 3.0, 12.0));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Point<T> {
    /// u, length p.
    pub u: Vec<T>,
    /// x = φ(u), length n.
    pub x: Vec<T>,
    /// ∇f(x), length n.
    pub g: Vec<T>,
    /// ∇F(u) = Jᵀ∇f(x), length p.
    pub gradient: Vec<T>,
    /// f(x).
    pub value: T,
}

impl<T: Scalar> Point<T> {
    /// A point at u that has not been evaluated yet.
    ///
    /// ```
    /// use reparam::{lifted::Point, maps::Squares};
    /// assert!(Point::new(&Squares::new(2), &[1.0_f64, 2.0]).value.is_nan());
    /// ```
    pub fn new<M: Reparametrization<T> + ?Sized>(map: &M, u: &[T]) -> Self {
        let (p, n) = (map.dim_u(), map.dim_x());
        Self {
            u: u.to_vec(),
            x: vec![T::nan(); n],
            g: vec![T::nan(); n],
            gradient: vec![T::nan(); p],
            value: T::nan(),
        }
    }

    /// Whether value and gradient are finite.
    ///
    /// ```
    /// use reparam::{lifted::Point, maps::Squares};
    /// assert!(!Point::new(&Squares::new(2), &[1.0, 2.0]).is_finite());
    /// ```
    pub fn is_finite(&self) -> bool {
        self.value.is_finite()
            && self.g.iter().all(|v| v.is_finite())
            && self.gradient.iter().all(|v| v.is_finite())
    }
}

/// After a limit a method evaluates no further point: f is reported as +∞, which no method accepts, and a search over expensive evaluations ends at
/// once.
fn refused<T: Scalar>(point: &mut Point<T>) -> bool {
    let refused = crate::outcome::is_over();
    if refused {
        point.value = T::infinity();
        point.g.fill(T::nan());
        point.gradient.fill(T::nan());
    }
    refused
}

/// The scratch of a [`Lifted`], kept between two views of the same lift.
#[cfg(any(feature = "argmin", feature = "basin"))]
#[derive(Debug, Clone)]
pub(crate) struct Workspace<T> {
    scratch: [Vec<T>; 5],
    curve: CurveWork<T>,
    bounds: Option<Arc<(Vec<T>, Vec<T>)>>,
}
/// p, q of length n; z, A p, A q, and two more of length m.
#[derive(Debug, Clone, Default)]
pub(crate) struct CurveWork<T> {
    pub(crate) ends: [Vec<T>; 2],
    pub(crate) images: [Vec<T>; 5],
}

/// f∘φ with scratch and counters, as a [`Method`](crate::methods::Method) uses it.
pub struct Lifted<'a, T> {
    objective: &'a mut dyn Objective<T>,
    map: &'a dyn Reparametrization<T>,
    work: Vec<T>,
    jv: Vec<T>,
    hjv: Vec<T>,
    curved: Vec<T>,
    unused: Vec<T>,
    /// Points of a set around x, row after row.
    points: Vec<T>,
    /// What a search along a curve works in.
    pub(crate) curve: CurveWork<T>,
    bounds: Option<Arc<(Vec<T>, Vec<T>)>>,
    /// Evaluations so far.
    pub counts: Counts,
}

impl<T> std::fmt::Debug for Lifted<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifted")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Scalar> Lifted<'a, T> {
    /// The lift of f by φ; dimensions are checked by the caller.
    ///
    /// ```
    /// use reparam::{lifted::Lifted, maps::Squares, objectives::FromFn};
    /// let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// let map = Squares::new(1);
    /// assert_eq!(Lifted::new(&mut f, &map).map().dim_u(), 1);
    /// ```
    pub fn new(objective: &'a mut dyn Objective<T>, map: &'a dyn Reparametrization<T>) -> Self {
        let zeros = |k| vec![T::zero(); k];
        Self {
            work: zeros(map.scratch_len()),
            jv: zeros(map.dim_x()),
            hjv: zeros(map.dim_x()),
            curved: zeros(map.dim_u()),
            unused: zeros(map.dim_u()),
            points: Vec::new(),
            curve: CurveWork::default(),
            bounds: bounds_of(map),
            counts: Counts::default(),
            objective,
            map,
        }
    }

    /// The lift again, with the scratch of last time, if there was one, and its counters.
    #[cfg(any(feature = "argmin", feature = "basin"))]
    pub(crate) fn with_workspace(
        objective: &'a mut dyn Objective<T>,
        map: &'a dyn Reparametrization<T>,
        workspace: Option<Workspace<T>>,
        counts: Counts,
    ) -> Self {
        let Some(workspace) = workspace else {
            let mut fresh = Self::new(objective, map);
            fresh.counts = counts;
            return fresh;
        };
        let [work, jv, hjv, curved, unused] = workspace.scratch;
        Self {
            objective,
            map,
            work,
            jv,
            hjv,
            curved,
            unused,
            points: Vec::new(),
            curve: workspace.curve,
            bounds: workspace.bounds,
            counts,
        }
    }

    /// The scratch, for [`with_workspace`](Self::with_workspace) with the same map.
    #[cfg(any(feature = "argmin", feature = "basin"))]
    pub(crate) fn into_workspace(self) -> Workspace<T> {
        Workspace {
            scratch: [self.work, self.jv, self.hjv, self.curved, self.unused],
            curve: self.curve,
            bounds: self.bounds,
        }
    }

    /// φ.
    ///
    /// ```
    /// # use reparam::{lifted::Lifted, maps::Squares, objectives::FromFn};
    /// # let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// # let map = Squares::new(1);
    /// assert_eq!(Lifted::new(&mut f, &map).map().dim_x(), 1);
    /// ```
    pub fn map(&self) -> &'a dyn Reparametrization<T> {
        self.map
    }

    /// Scratch for the methods of φ, with arbitrary contents.
    ///
    /// ```
    /// # use reparam::{lifted::Lifted, maps::{Reparametrization, Squares}, objectives::FromFn};
    /// # let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// # let map = Squares::new(1);
    /// let mut lifted = Lifted::new(&mut f, &map);
    /// let (mut lin, mut quad) = ([0.0], [0.0]);
    /// lifted.map().ray(&[3.0], &[1.0], &mut lin, &mut quad, lifted.scratch());
    /// assert_eq!((lin[0], quad[0]), (6.0, 1.0));
    /// ```
    pub fn scratch(&mut self) -> &mut [T] {
        &mut self.work
    }

    /// f.
    ///
    /// ```
    /// # use reparam::{lifted::Lifted, maps::Squares, objectives::{FromFn, Objective}};
    /// # let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// # let map = Squares::new(1);
    /// assert_eq!(Lifted::new(&mut f, &map).objective().dim(), 1);
    /// ```
    pub fn objective(&mut self) -> &mut dyn Objective<T> {
        self.objective
    }

    /// Fills x, f, ∇f and ∇F from u.
    ///
    /// # Errors
    /// [`Error::Evaluation`] with the user's error. NaN is no error: see [`Point::is_finite`].
    ///
    /// ```
    /// # use reparam::{lifted::{Lifted, Point}, maps::Squares, objectives::FromFn};
    /// let mut f = FromFn::new(1, |_: &[f64], _: &mut [f64]| Err("off".into()));
    /// let map = Squares::new(1);
    /// assert!(Lifted::new(&mut f, &map).evaluate(&mut Point::new(&map, &[1.0])).is_err());
    /// ```
    pub fn evaluate(&mut self, point: &mut Point<T>) -> Result<()> {
        self.map.apply(&point.u, &mut point.x, &mut self.work);
        self.evaluate_there(point)
    }

    /// A run begins: an objective that also evaluates points near x is told the set that they must lie in. (For a set that couples coordinates that
    /// happens with every gradient: see [`surround`](Self::surround).)
    pub(crate) fn begin(&mut self) {
        self.objective.nearby(Nearby::Start);
        let set = self.map.set();
        if !set.is_separable() {
            return self.objective.nearby(Nearby::Coupled);
        }
        let mut lower = vec![T::neg_infinity(); self.map.dim_x()];
        let mut upper = vec![T::infinity(); self.map.dim_x()];
        if set.project(&mut lower) && set.project(&mut upper) {
            self.objective.nearby(Nearby::Bounds {
                lower: &lower,
                upper: &upper,
            });
        }
    }

    /// The error for a start at which f or its gradient is not finite, if f can explain it.
    pub(crate) fn check_start(&mut self, start: &Point<T>) -> Result<()> {
        if start.is_finite() {
            return Ok(());
        }
        match self.objective.not_finite_at(&start.x) {
            Some((row, value, why)) => Err(Error::StartNotFinite {
                row,
                value: value.as_f64(),
                why,
            }),
            None => Ok(()),
        }
    }

    /// Called before derivatives are computed at x = φ(u): provides points of the set in every direction from x, found by steps in u. An objective
    /// that evaluates points near x stays on the segments to them.
    pub(crate) fn surround(&mut self, u: &[T], x: &[T]) {
        let set = self.map.set();
        if !self.objective.uses_nearby() || set.is_separable() {
            return;
        }
        let (p, n) = (u.len(), x.len());
        let step = max_abs(u);
        let step = if step > T::zero() && step.is_finite() {
            step
        } else {
            T::one()
        };
        let mut moved = u.to_vec();
        self.points.resize(p * n, T::zero());
        for k in 0..p {
            moved[k] = u[k] + step;
            self.map
                .apply(&moved, &mut self.points[k * n..(k + 1) * n], &mut self.work);
            moved[k] = u[k];
        }
        // of a sphere the ends of a diameter, the least and the largest ⟨u, x⟩, give the centre
        let mut centre = None;
        if !set.is_convex() {
            let (mut slope, mut ends) = (vec![T::one(); n], [vec![T::zero(); n], vec![T::zero(); n]]);
            let known = set.minimise_linear(&slope, &mut ends[0]);
            slope.fill(-T::one());
            if known && set.minimise_linear(&slope, &mut ends[1]) {
                let half = T::lit(0.5);
                centre = Some(
                    ends[0]
                        .iter()
                        .zip(&ends[1])
                        .map(|(a, b)| half * (*a + *b))
                        .collect::<Vec<T>>(),
                );
            }
        }
        self.objective.nearby(Nearby::Segments {
            x,
            points: &self.points,
            centre: centre.as_deref(),
        });
    }

    /// f and g ← ∇f at a point x of the set whose u is not known, in scratch for one.
    pub(crate) fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Result<T> {
        if self.objective.uses_nearby() && !self.map.set().is_separable() {
            let mut u = vec![T::zero(); self.map.dim_u()];
            if crate::lifted::section(&self.map, x, &mut u, &mut self.work).is_err() {
                // (a point that φ does not reach, a rank too high: any points of a convex set will do)
                self.map.interior(&mut u);
            }
            self.surround(&u, x);
        }
        self.counts.values += 1;
        self.counts.gradients += 1;
        self.objective.value_gradient(x, g).map_err(Error::Evaluation)
    }

    /// The box (lower, upper) in which a method may move x itself: that of a map that acts coordinate by coordinate.
    pub(crate) fn bounds(&self) -> Option<Arc<(Vec<T>, Vec<T>)>> {
        self.bounds.clone()
    }

    /// Fills u, f, ∇f and ∇F from x; false, and nothing evaluated, where x has no u.
    pub(crate) fn evaluate_in_x(&mut self, point: &mut Point<T>) -> Result<bool> {
        if self
            .map
            .section(&point.x, Boundary::Exact, &mut point.u, &mut self.work)
            .is_err()
        {
            return Ok(false);
        }
        self.evaluate_there(point)?;
        Ok(true)
    }

    /// Fills u (by the section), f, ∇f and ∇F from x: the evaluation of dynamics that live in x.
    ///
    /// # Errors
    /// [`Error::Map`] when x is outside of X or on a boundary where J loses rank, or the map has no section (f is not evaluated
    /// then); [`Error::Evaluation`].
    ///
    /// ```
    /// # use reparam::{lifted::{Lifted, Point}, maps::Squares, objectives::FromFn};
    /// let mut f = FromFn::new(1, |x: &[f64], g: &mut [f64]| { g[0] = x[0] - 1.0; Ok(0.5 * (x[0] - 1.0).powi(2)) });
    /// let map = Squares::new(1);
    /// let mut lifted = Lifted::new(&mut f, &map);
    /// let mut point = Point::new(&map, &[1.0]);
    /// point.x[0] = 4.0;
    /// lifted.evaluate_at_x(&mut point).unwrap();
    /// assert_eq!((point.u[0], point.value, point.gradient[0]), (2.0, 4.5, 12.0));
    /// point.x[0] = 0.0;
    /// assert!(lifted.evaluate_at_x(&mut point).is_err());
    /// ```
    pub fn evaluate_at_x(&mut self, point: &mut Point<T>) -> Result<()> {
        self.map
            .section(&point.x, Boundary::Reject, &mut point.u, &mut self.work)?;
        self.evaluate_there(point)
    }

    /// f, ∇f and ∇F at a point whose u and x are set.
    pub(crate) fn evaluate_there(&mut self, point: &mut Point<T>) -> Result<()> {
        if refused(point) {
            return Ok(());
        }
        self.surround(&point.u, &point.x);
        self.counts.values += 1;
        self.counts.gradients += 1;
        point.value = self
            .objective
            .value_gradient(&point.x, &mut point.g)
            .map_err(Error::Evaluation)?;
        self.map
            .vjp(&point.u, &point.g, &mut point.gradient, &mut self.work);
        Ok(())
    }

    /// x ← φ(u), without an evaluation of f.
    ///
    /// ```
    /// # use reparam::{lifted::Lifted, maps::Squares, objectives::FromFn};
    /// # let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// # let map = Squares::new(1);
    /// let mut x = [0.0];
    /// Lifted::new(&mut f, &map).apply_map(&[3.0], &mut x);
    /// assert_eq!(x, [9.0]);
    /// ```
    pub fn apply_map(&mut self, u: &[T], x: &mut [T]) {
        self.map.apply(u, x, &mut self.work);
    }

    /// jtw ← Jᵀ w at u.
    ///
    /// ```
    /// # use reparam::{lifted::Lifted, maps::Squares, objectives::FromFn};
    /// # let mut f = FromFn::new(1, |_: &[f64], g: &mut [f64]| { g[0] = 0.0; Ok(0.0) });
    /// # let map = Squares::new(1);
    /// let mut w = [0.0];
    /// Lifted::new(&mut f, &map).pull_back(&[3.0], &[1.0], &mut w);
    /// assert_eq!(w, [6.0]);
    /// ```
    pub fn pull_back(&mut self, u: &[T], w: &[T], jtw: &mut [T]) {
        self.map.vjp(u, w, jtw, &mut self.work);
    }

    /// out ← ∇²F(u) v at an evaluated point; false when f offers no Hessian products.
    ///
    /// # Errors
    /// [`Error::Evaluation`].
    ///
    /// ```
    /// use reparam::{lifted::{Lifted, Point}, maps::Squares, objectives::LeastSquares};
    /// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// let map = Squares::new(1);
    /// let mut lifted = Lifted::new(&mut f, &map);
    /// let mut point = Point::new(&map, &[2.0]);
    /// lifted.evaluate(&mut point).unwrap();
    /// let mut out = [0.0];
    /// assert!(lifted.hessian_vector(&point, &[1.0], &mut out).unwrap());
    /// assert_eq!(out, [22.0]); // F = ½(u² − 1)², F'' = 6u² − 2
    /// ```
    pub fn hessian_vector(&mut self, point: &Point<T>, v: &[T], out: &mut [T]) -> Result<bool> {
        self.map.jvp(&point.u, v, &mut self.jv, &mut self.work);
        if !self
            .objective
            .hessian_vector(&point.x, &self.jv, &mut self.hjv)
            .map_err(Error::Evaluation)?
        {
            return Ok(false);
        }
        self.counts.hessian_products += 1;
        self.map.vjp(&point.u, &self.hjv, out, &mut self.work);
        self.map
            .curvature(&point.u, &point.g, v, &mut self.curved, &mut self.work);
        for (o, c) in out.iter_mut().zip(&self.curved) {
            *o += *c;
        }
        Ok(true)
    }

    /// The metric D(u) = diag Jᵀ diag(h) J + (3/2)|diag Σ gᵢ∇²φᵢ|, h the diagonal of ∇²f, its largest entry in place of
    /// zeros; all ones when the map offers no diagonals.
    ///
    /// ```
    /// use reparam::{lifted::{Lifted, Point}, maps::Squares, objectives::LeastSquares};
    /// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// let map = Squares::new(1);
    /// let mut lifted = Lifted::new(&mut f, &map);
    /// let mut point = Point::new(&map, &[2.0]);
    /// lifted.evaluate(&mut point).unwrap();
    /// let mut d = [0.0];
    /// lifted.metric(&point, &[1.0], &mut d);
    /// assert_eq!(d, [25.0]); // 4u² h + 3 g
    /// ```
    pub fn metric(&mut self, point: &Point<T>, h: &[T], out: &mut [T]) {
        if !self
            .map
            .diagonals(&point.u, h, &point.g, out, &mut self.curved, &mut self.work)
        {
            return out.fill(T::one());
        }
        let mut top = T::zero();
        for (o, c) in out.iter_mut().zip(&self.curved) {
            *o += T::lit(1.5) * c.abs();
            top = top.max(*o);
        }
        if !top.is_finite() || top <= T::zero() {
            return out.fill(T::one());
        }
        // where neither f nor φ bends: any number will do, as the gradient vanishes too. (No floor beside the other entries: those are
        // in the units of other coordinates.)
        out.iter_mut()
            .filter(|o| **o < T::min_positive_value())
            .for_each(|o| *o = top);
    }

    /// out ← diag Σ gᵢ∇²φᵢ(u), zero where the map does not offer it.
    pub(crate) fn curvature_diagonal(&mut self, point: &Point<T>, out: &mut [T]) {
        self.hjv.fill(T::one());
        if !self.map.diagonals(
            &point.u,
            &self.hjv,
            &point.g,
            &mut self.unused,
            out,
            &mut self.work,
        ) {
            out.fill(T::zero());
        }
    }
}

/// The bounds of the set of a map that acts coordinate by coordinate: where it clips the ends of the line.
fn bounds_of<T: Scalar>(map: &dyn Reparametrization<T>) -> Option<Arc<(Vec<T>, Vec<T>)>> {
    if !map.is_coordinatewise() {
        return None;
    }
    let mut lower = vec![T::neg_infinity(); map.dim_x()];
    let mut upper = vec![T::infinity(); map.dim_x()];
    (map.set().project(&mut lower) && map.set().project(&mut upper)).then(|| Arc::new((lower, upper)))
}
