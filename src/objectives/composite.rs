//! ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩.

use super::{Convexity, Evaluation, Objective};
use crate::checks::{check_finite, check_len, check_not_empty};
use crate::lifted::{Quartic, RationalQuartic};
use crate::linalg::{axpy, dot};
use crate::losses::Loss;
use crate::operators::{LinearOperator, SparseColumns};
use crate::{Error, Result, Scalar};

/// A loss of a linear image, with an optional ridge and linear term.
///
/// ```text
/// f(x) = ℓ(z) + ½λ‖x‖² + ⟨c, x⟩      z = A x + a ∈ Rᵐ
/// ∇f   = Aᵀ ℓ′(z) + λ x + c
/// ∇²f v = Aᵀ(ℓ″(z) ∘ A v) + λ v      (diag ∇²f)_j = Σᵢ ℓᵢ″ a_ij² + λ
/// ```
///
/// The image z of the last x is kept: a gradient after a value at the same x costs one product, Hessian products
/// two each.
///
/// The diagonal is exact where the entries of A are within reach (dense, sparse, columns). Where only the column
/// norms are known it is the upper bound max ℓ″ ‖a_j‖² + λ; where nothing is known there is none.
///
/// ```
/// use reparam::losses::Logistic;
/// use reparam::objectives::{Composite, Objective};
/// // logistic regression with a ridge
/// let a = nalgebra::dmatrix![1.0, 2.0; -1.0, 0.5; 0.0, -1.0];
/// let loss = Logistic::from_binary(&[1.0, 0.0, 1.0]).unwrap();
/// let mut f = Composite::new(&a, loss).unwrap().with_ridge(0.1).unwrap();
/// assert!((f.value(&[0.0, 0.0]).unwrap() - 3.0 * 2.0_f64.ln()).abs() < 1e-15);
/// assert!(reparam::testing::check_objective(&mut f, &[0.3, -0.2], 1).passed());
/// ```
#[derive(Debug, Clone)]
pub struct Composite<A, L, T> {
    operator: A,
    loss: L,
    offset: Option<Vec<T>>,
    linear: Option<Vec<T>>,
    ridge: T,
    // z = A x + a of the x in `at`
    at: Vec<T>,
    image: Vec<T>,
    image_known: bool,
    // ℓ″(z)
    bend: Vec<T>,
    bend_known: bool,
    work: Vec<T>,
    entries: Entries<T>,
    // of a quadratic loss: it does not change
    diagonal: Option<Vec<T>>,
}

/// How the entries of A are reached, decided when the diagonal is first asked for.
#[derive(Debug, Clone)]
enum Entries<T> {
    NotAsked,
    Dense,
    Sparse(SparseColumns<T>),
    Columns,
    Norms(Vec<T>),
    Hidden,
}

impl<T: Scalar, A: LinearOperator<T>, L: Loss<T>> Composite<A, L, T> {
    /// ℓ(A x): A is m×n, ℓ takes m numbers.
    ///
    /// # Errors
    /// [`Error::Empty`] when m or n is 0, [`Error::Dimension`] when the loss has another length than A has rows.
    ///
    /// ```
    /// use reparam::{losses::NegativeLog, objectives::Composite};
    /// let p = nalgebra::dmatrix![0.2, 0.8; 0.5, 0.5];
    /// assert!(Composite::new(&p, NegativeLog::new(2).unwrap()).is_ok());
    /// assert!(Composite::new(&p, NegativeLog::new(3).unwrap()).is_err());
    /// ```
    pub fn new(operator: A, loss: L) -> Result<Self> {
        let (m, n) = (operator.rows(), operator.columns());
        check_not_empty("the matrix (no rows)", m)?;
        check_not_empty("the matrix (no columns)", n)?;
        check_len("the data of the loss", m, loss.dim())?;
        Ok(Self {
            offset: None,
            linear: None,
            ridge: T::zero(),
            at: vec![T::zero(); n],
            image: vec![T::zero(); m],
            image_known: false,
            bend: vec![T::zero(); m],
            bend_known: false,
            work: vec![T::zero(); m],
            entries: Entries::NotAsked,
            diagonal: None,
            operator,
            loss,
        })
    }

    /// The offset a of length m: z = A x + a (a background, a fixed part).
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`].
    ///
    /// ```
    /// use reparam::{losses::Poisson, objectives::{Composite, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![1.0], Poisson::new(&[0.0]).unwrap()).unwrap();
    /// assert_eq!(f.with_offset(&[2.0]).unwrap().value(&[1.0]).unwrap(), 3.0);
    /// ```
    pub fn with_offset<B: AsRef<[T]> + ?Sized>(mut self, offset: &B) -> Result<Self> {
        let offset = offset.as_ref();
        check_len("the offset", self.operator.rows(), offset.len())?;
        check_finite("offset", offset)?;
        self.offset = Some(offset.to_vec());
        self.image_known = false;
        Ok(self)
    }

    /// The weight λ ≥ 0 of ½λ‖x‖².
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative λ or one that is not finite.
    ///
    /// ```
    /// use reparam::{losses::Squared, objectives::Composite};
    /// let f = Composite::new(nalgebra::dmatrix![1.0], Squared::new(&[0.0]).unwrap()).unwrap();
    /// assert!(f.with_ridge(-1.0).is_err());
    /// ```
    pub fn with_ridge(mut self, ridge: T) -> Result<Self> {
        if !ridge.is_finite() || ridge < T::zero() {
            return Err(Error::Setting {
                name: "ridge",
                why: "must be finite and not negative",
            });
        }
        self.ridge = ridge;
        self.diagonal = None;
        Ok(self)
    }

    /// The linear term ⟨c, x⟩ with c of length n.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NotFinite`].
    ///
    /// ```
    /// use reparam::{losses::Squared, objectives::{Composite, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![1.0], Squared::new(&[0.0]).unwrap()).unwrap();
    /// assert_eq!(f.with_linear(&[3.0]).unwrap().value(&[1.0]).unwrap(), 3.5);
    /// ```
    pub fn with_linear<B: AsRef<[T]> + ?Sized>(mut self, c: &B) -> Result<Self> {
        let c = c.as_ref();
        check_len("the linear term", self.operator.columns(), c.len())?;
        check_finite("linear term", c)?;
        self.linear = Some(c.to_vec());
        Ok(self)
    }

    /// A.
    ///
    /// ```
    /// use reparam::{losses::Squared, objectives::Composite, operators::LinearOperator};
    /// let f = Composite::new(nalgebra::dmatrix![1.0, 2.0], Squared::new(&[0.0]).unwrap()).unwrap();
    /// assert_eq!(LinearOperator::<f64>::columns(f.operator()), 2);
    /// ```
    pub fn operator(&self) -> &A {
        &self.operator
    }

    /// ℓ.
    ///
    /// ```
    /// use reparam::{losses::Squared, objectives::Composite};
    /// let f = Composite::new(nalgebra::dmatrix![1.0, 2.0], Squared::new(&[7.0]).unwrap()).unwrap();
    /// assert_eq!(f.loss().data(), &[7.0]);
    /// ```
    pub fn loss(&self) -> &L {
        &self.loss
    }

    /// The same with another loss of the same length.
    pub(super) fn map_loss(mut self, change: impl FnOnce(L) -> Result<L>) -> Result<Self> {
        self.loss = change(self.loss)?;
        self.bend_known = false;
        self.diagonal = None;
        Ok(self)
    }

    fn view(&self) -> CompositeView<'_, T> {
        CompositeView {
            operator: &self.operator,
            loss: &self.loss,
            offset: self.offset.as_deref(),
            ridge: self.ridge,
            linear: self.linear.as_deref(),
        }
    }

    fn move_to(&mut self, x: &[T]) {
        if self.image_known && self.at == x {
            return;
        }
        // (should A panic, what is half written counts for nothing)
        self.image_known = false;
        self.operator.apply(x, &mut self.image);
        if let Some(a) = &self.offset {
            for (z, a) in self.image.iter_mut().zip(a) {
                *z += *a;
            }
        }
        self.moved_to(x);
    }

    fn moved_to(&mut self, x: &[T]) {
        self.at.copy_from_slice(x);
        self.image_known = true;
        self.bend_known &= self.loss.quadratic();
    }

    fn bend_at(&mut self, x: &[T]) {
        // of a quadratic loss any z will do
        if !self.loss.quadratic() {
            self.move_to(x);
        }
        if !self.bend_known {
            self.loss.curvature(&self.image, &mut self.bend);
            self.bend_known = true;
        }
    }

    fn find_entries(&mut self) {
        if !matches!(self.entries, Entries::NotAsked) {
            return;
        }
        let n = self.operator.columns();
        self.entries = if self.operator.dense().is_some() {
            Entries::Dense
        } else if let Some(s) = self.operator.sparse_columns() {
            Entries::Sparse(s)
        } else if self.operator.column(0, &mut self.work) {
            Entries::Columns
        } else {
            let mut norms = vec![T::zero(); n];
            if self.operator.column_norms(&mut norms) {
                Entries::Norms(norms)
            } else {
                Entries::Hidden
            }
        };
    }

    /// out ← Σᵢ dᵢ a_ij², d in `bend`
    fn weighted_squares(&mut self, out: &mut [T]) -> bool {
        self.find_entries();
        let d = &self.bend;
        let of_column = |a: &[T]| -> T { crate::losses::sum_of(a.len(), |i| d[i] * a[i] * a[i]) };
        match &self.entries {
            Entries::Dense => {
                let Some(a) = self.operator.dense() else {
                    return false;
                };
                if a.is_column_major() {
                    for (j, o) in out.iter_mut().enumerate() {
                        *o = of_column(a.run(j));
                    }
                } else {
                    out.fill(T::zero());
                    for (i, d) in d.iter().enumerate() {
                        for (o, a) in out.iter_mut().zip(a.run(i)) {
                            *o += *d * *a * *a;
                        }
                    }
                }
            }
            Entries::Sparse(s) => {
                for (j, o) in out.iter_mut().enumerate() {
                    let (rows, values) = s.entries(j);
                    // duplicates add up before squaring
                    *o = if rows.windows(2).all(|w| w[0] < w[1]) {
                        rows.iter()
                            .zip(values)
                            .map(|(i, a)| d[*i as usize] * *a * *a)
                            .sum()
                    } else {
                        s.column(j, &mut self.work);
                        of_column(&self.work)
                    };
                }
            }
            Entries::Columns => {
                for (j, o) in out.iter_mut().enumerate() {
                    if !self.operator.column(j, &mut self.work) {
                        return false;
                    }
                    *o = of_column(&self.work);
                }
            }
            Entries::Norms(norms) => {
                let largest = crate::linalg::max_or_nan(d.iter().copied());
                for (o, c) in out.iter_mut().zip(norms) {
                    *o = largest * *c * *c;
                }
            }
            Entries::NotAsked | Entries::Hidden => return false,
        }
        true
    }
}

impl<T: Scalar, A: LinearOperator<T>, L: Loss<T>> Objective<T> for Composite<A, L, T> {
    fn dim(&self) -> usize {
        self.operator.columns()
    }
    fn value(&mut self, x: &[T]) -> Evaluation<T> {
        self.move_to(x);
        Ok(self.view().value(x, &self.image))
    }
    fn value_gradient(&mut self, x: &[T], g: &mut [T]) -> Evaluation<T> {
        let f = self.value(x)?;
        if !f.is_finite() {
            // refused: the product would be spent on numbers without meaning
            g.fill(T::nan());
            return Ok(f);
        }
        // (field by field, beside the scratch: scratch that is taken out is lost when A panics)
        let view = CompositeView {
            operator: &self.operator,
            loss: &self.loss,
            offset: self.offset.as_deref(),
            ridge: self.ridge,
            linear: self.linear.as_deref(),
        };
        view.gradient(x, &self.image, &mut self.work, g);
        Ok(f)
    }
    fn hessian_vector(&mut self, x: &[T], v: &[T], out: &mut [T]) -> Evaluation<bool> {
        self.bend_at(x);
        self.operator.apply(v, &mut self.work);
        for (w, d) in self.work.iter_mut().zip(&self.bend) {
            *w *= *d;
        }
        self.operator.apply_adjoint(&self.work, out);
        if self.ridge > T::zero() {
            axpy(self.ridge, v, out);
        }
        Ok(true)
    }
    fn hessian_diagonal(&mut self, x: &[T], out: &mut [T]) -> Evaluation<bool> {
        if let Some(d) = &self.diagonal {
            out.copy_from_slice(d);
            return Ok(true);
        }
        self.bend_at(x);
        if !self.weighted_squares(out) {
            return Ok(false);
        }
        for o in out.iter_mut() {
            *o += self.ridge;
        }
        if self.loss.quadratic() {
            self.diagonal = Some(out.to_vec());
        }
        Ok(true)
    }
    fn convexity(&self) -> Convexity {
        if self.loss.convex() {
            Convexity::Convex
        } else {
            Convexity::Unknown
        }
    }
    fn quadratic(&self) -> bool {
        self.loss.quadratic()
    }
    fn composite(&self) -> Option<CompositeView<'_, T>> {
        Some(self.view())
    }
    fn image(&mut self, x: &[T], z: &mut [T]) -> bool {
        self.move_to(x);
        z.copy_from_slice(&self.image);
        true
    }
    fn remember_image(&mut self, x: &[T], z: &[T]) -> bool {
        self.image.copy_from_slice(z);
        self.moved_to(x);
        true
    }
}

/// The parts of an objective ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩, and what a search needs of them.
///
/// With the images z = A x + a, A p and A q of a curve x + t p + t² q at hand, f along the curve costs no further
/// product with A: [`quartic`](Self::quartic) gives all of it for a quadratic loss, [`along`](Self::along) a value
/// and a slope for any.
///
/// ```
/// use reparam::objectives::{LeastSquares, Objective};
/// let mut f = LeastSquares::new(nalgebra::dmatrix![1.0, 2.0], &[1.0]).unwrap();
/// let value = f.value(&[1.0, 1.0]).unwrap();
/// let view = f.composite().unwrap();
/// let mut z = [0.0];
/// view.image(&[1.0, 1.0], &mut z);
/// assert_eq!((z, view.value(&[1.0, 1.0], &z)), ([3.0], value));
/// ```
#[derive(Clone, Copy)]
pub struct CompositeView<'a, T> {
    /// A, m×n.
    pub operator: &'a dyn LinearOperator<T>,
    /// ℓ of m numbers.
    pub loss: &'a dyn Loss<T>,
    /// a of length m; None for 0.
    pub offset: Option<&'a [T]>,
    /// λ ≥ 0.
    pub ridge: T,
    /// c of length n; None for 0.
    pub linear: Option<&'a [T]>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for CompositeView<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompositeView")
            .field("offset", &self.offset)
            .field("ridge", &self.ridge)
            .field("linear", &self.linear)
            .finish_non_exhaustive()
    }
}

/// A curve x + (t p + t² q)/W(t), W = ω₀ + ω₁t + ω₂t², and its image z + (t A p + t² A q)/W(t): what a search along a lifted ray
/// moves on.
///
/// x, p, q have length n; z, ap, aq have length m. ω = (1, 0, 0) for a polynomial; a straight line has q = 0 too. A ray
/// (ω₀x + t lin + t² quad)/W has p = lin − ω₁x and q = quad − ω₂x.
///
/// ```
/// use reparam::objectives::Curve;
/// let line = Curve { x: &[0.0], p: &[1.0], q: &[0.0], z: &[0.0], ap: &[2.0], aq: &[0.0], omega: [1.0, 0.0, 0.0] };
/// assert_eq!(line.ap, &[2.0]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a, T> {
    /// x, the point at t = 0.
    pub x: &'a [T],
    /// p, the direction.
    pub p: &'a [T],
    /// q, half the acceleration.
    pub q: &'a [T],
    /// z = A x + a.
    pub z: &'a [T],
    /// A p.
    pub ap: &'a [T],
    /// A q.
    pub aq: &'a [T],
    /// ω₀, ω₁, ω₂.
    pub omega: [T; 3],
}

impl<T: Scalar> CompositeView<'_, T> {
    /// z ← A x + a: one product.
    ///
    /// ```
    /// use reparam::{losses::NegativeLog, objectives::{Composite, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![2.0], NegativeLog::new(1).unwrap()).unwrap();
    /// let mut z = [0.0];
    /// f.with_offset(&[1.0]).unwrap().composite().unwrap().image(&[3.0], &mut z);
    /// assert_eq!(z, [7.0]);
    /// ```
    pub fn image(&self, x: &[T], z: &mut [T]) {
        self.operator.apply(x, z);
        if let Some(a) = self.offset {
            for (z, a) in z.iter_mut().zip(a) {
                *z += *a;
            }
        }
    }

    /// f(x) from x and its image z: no product.
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap().with_ridge(2.0).unwrap();
    /// assert_eq!(f.composite().unwrap().value(&[3.0], &[3.0]), 2.0 + 9.0);
    /// ```
    pub fn value(&self, x: &[T], z: &[T]) -> T {
        let mut f = self.loss.value(z);
        if self.ridge > T::zero() {
            f += T::lit(0.5) * self.ridge * dot(x, x);
        }
        if let Some(c) = self.linear {
            f += dot(c, x);
        }
        f
    }

    /// g ← ∇f(x) from x and its image z: one adjoint product. `r` (length m) receives ℓ′(z).
    ///
    /// ```
    /// use reparam::objectives::{LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![2.0], &[1.0]).unwrap();
    /// let (mut r, mut g) = ([0.0], [0.0]);
    /// f.composite().unwrap().gradient(&[1.0], &[2.0], &mut r, &mut g);
    /// assert_eq!((r, g), ([1.0], [2.0]));
    /// ```
    pub fn gradient(&self, x: &[T], z: &[T], r: &mut [T], g: &mut [T]) {
        self.loss.gradient(z, r);
        self.operator.apply_adjoint(r, g);
        if self.ridge > T::zero() {
            axpy(self.ridge, x, g);
        }
        if let Some(c) = self.linear {
            axpy(T::one(), c, g);
        }
    }

    /// f along the curve minus f(x), for a quadratic loss; None for any other. `r` and `d` are scratch of length m.
    ///
    /// ```text
    /// h(t) − h(0) = a₁t + a₂t² + a₃t³ + a₄t⁴      P = A p, Q = A q, r = ℓ′(z), D = diag ℓ″
    /// a₁ = ⟨r,P⟩ + λ⟨x,p⟩ + ⟨c,p⟩                  a₂ = ½⟨P,DP⟩ + ⟨r,Q⟩ + λ(½‖p‖² + ⟨x,q⟩) + ⟨c,q⟩
    /// a₃ = ⟨P,DQ⟩ + λ⟨p,q⟩                         a₄ = ½⟨Q,DQ⟩ + ½λ‖q‖²
    /// ```
    ///
    /// ```
    /// use reparam::lifted::minimise_quartic;
    /// use reparam::objectives::{Curve, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[4.0]).unwrap();
    /// // x = u² from u = 1 along d = 1: x + 2t + t²
    /// let curve = Curve { x: &[1.0], p: &[2.0], q: &[1.0], z: &[1.0], ap: &[2.0], aq: &[1.0], omega: [1.0, 0.0, 0.0] };
    /// let h = f.composite().unwrap().quartic(&curve, &mut [0.0], &mut [0.0]).unwrap();
    /// assert!((minimise_quartic(&h) - 1.0_f64).abs() < 1e-15); // u = 2
    /// ```
    pub fn quartic(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<Quartic<T>> {
        if curve.omega != [T::one(), T::zero(), T::zero()] {
            return None;
        }
        let ([a, b], [pp, pq, qq]) = self.products(curve, r, d)?;
        Some(Quartic {
            coefficients: [a, pp + b, pq, qq],
        })
    }

    /// The same for any denominator: a quartic over its square.
    ///
    /// ```
    /// use reparam::lifted::minimise_rational;
    /// use reparam::objectives::{Curve, LeastSquares, Objective};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0], &[1.0]).unwrap();
    /// // x = t/(1 + t²) comes nearest to 1 at t = 1
    /// let curve = Curve { x: &[0.0], p: &[1.0], q: &[0.0], z: &[0.0], ap: &[1.0], aq: &[0.0], omega: [1.0, 0.0, 1.0] };
    /// let h = f.composite().unwrap().rational(&curve, &mut [0.0], &mut [0.0]).unwrap();
    /// assert!((minimise_rational(&h) - 1.0_f64).abs() < 1e-12);
    /// ```
    pub fn rational(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<RationalQuartic<T>> {
        let (linear, quadratic) = self.products(curve, r, d)?;
        Some(RationalQuartic::along(linear, quadratic, curve.omega))
    }

    /// [⟨∇f,p⟩, ⟨∇f,q⟩] and [½⟨p,∇²f p⟩, ⟨p,∇²f q⟩, ½⟨q,∇²f q⟩] by the images; None for a loss that is not quadratic.
    fn products(&self, curve: &Curve<'_, T>, r: &mut [T], d: &mut [T]) -> Option<([T; 2], [T; 3])> {
        if !self.loss.quadratic() {
            return None;
        }
        let Curve {
            x, p, q, z, ap, aq, ..
        } = *curve;
        self.loss.gradient(z, r);
        self.loss.curvature(z, d);
        let half = T::lit(0.5);
        let product = |a: &[T], b: &[T]| crate::losses::sum_of(a.len(), |i| d[i] * a[i] * b[i]);
        let mut linear = [dot(r, ap), dot(r, aq)];
        let mut quadratic = [half * product(ap, ap), product(ap, aq), half * product(aq, aq)];
        if self.ridge > T::zero() {
            linear[0] += self.ridge * dot(x, p);
            linear[1] += self.ridge * dot(x, q);
            quadratic[0] += self.ridge * half * dot(p, p);
            quadratic[1] += self.ridge * dot(p, q);
            quadratic[2] += self.ridge * half * dot(q, q);
        }
        if let Some(c) = self.linear {
            linear[0] += dot(c, p);
            linear[1] += dot(c, q);
        }
        Some((linear, quadratic))
    }

    /// h(t), f on the curve at t, and h′(t), without a product. `zt` (length m) receives the image at t, `r` (length
    /// m) ℓ′ there.
    ///
    /// ```
    /// use reparam::{losses::NegativeLog, objectives::{Composite, Curve, Objective}};
    /// let f = Composite::new(nalgebra::dmatrix![2.0], NegativeLog::new(1).unwrap()).unwrap();
    /// let line = Curve { x: &[1.0], p: &[1.0], q: &[0.0], z: &[2.0], ap: &[2.0], aq: &[0.0], omega: [1.0, 0.0, 0.0] };
    /// let (mut zt, mut r) = ([0.0], [0.0]);
    /// let (h, slope) = f.composite().unwrap().along(&line, 1.0, &mut zt, &mut r);
    /// assert_eq!((h, slope), (-(4.0_f64.ln()), -0.5));
    /// ```
    pub fn along(&self, curve: &Curve<'_, T>, t: T, zt: &mut [T], r: &mut [T]) -> (T, T) {
        let Curve {
            x,
            p,
            q,
            z,
            ap,
            aq,
            omega: [w0, w1, w2],
        } = *curve;
        let two = T::lit(2.0);
        // x + a (p + t q), d/dt = a′p + b′q with a = t/W, b = t²/W
        let w = w0 + t * (w1 + t * w2);
        let a = t / w;
        let turn = (w1 + two * t * w2) / w;
        let (da, db) = (T::one() / w - a * turn, two * a - a * t * turn);
        for (i, o) in zt.iter_mut().enumerate() {
            *o = z[i] + a * (ap[i] + t * aq[i]);
        }
        let mut h = self.loss.value(zt);
        self.loss.gradient(zt, r);
        let mut slope = da * dot(r, ap) + db * dot(r, aq);
        if self.ridge > T::zero() || self.linear.is_some() {
            let (mut squares, mut change) = (T::zero(), T::zero());
            let (mut along, mut rate) = (T::zero(), T::zero());
            for j in 0..x.len() {
                let (xt, dx) = (x[j] + a * (p[j] + t * q[j]), da * p[j] + db * q[j]);
                squares += xt * xt;
                change += xt * dx;
                if let Some(c) = self.linear {
                    along += c[j] * xt;
                    rate += c[j] * dx;
                }
            }
            h += T::lit(0.5) * self.ridge * squares + along;
            slope += self.ridge * change + rate;
        }
        (h, slope)
    }
}
