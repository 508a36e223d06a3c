//! ℓ(A x + a) + ½λ‖x‖² + ⟨c, x⟩.

use super::{CompositeView, Convexity, Evaluation, Objective};
use crate::checks::{check_data_len, check_finite, check_len, check_not_empty};
use crate::linalg::axpy;
use crate::losses::Loss;
use crate::operators::{LinearOperator, SparseColumns, checked_dense, checked_norms, checked_sparse};
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
/// The diagonal is exact where the entries of A are accessible (dense, sparse, columns). Where only the column
/// norms are known it is the upper bound max ℓ″ ‖a_j‖² + λ; otherwise there is none.
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

/// How the entries of A are accessed, decided at the first call for the diagonal.
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
    /// [`Error::Empty`] when m or n is 0, [`Error::Dimension`] when the loss has another length than A has rows
    /// ([`Error::Transposed`] when it has that of the columns).
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
        check_data_len("the data of the loss", m, n, loss.dim())?;
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
        // (views of another size than the operator states are none)
        self.entries = if matches!(checked_dense(&self.operator), Ok(Some(_))) {
            Entries::Dense
        } else if let Ok(Some(s)) = checked_sparse(&self.operator) {
            Entries::Sparse(s)
        } else if self.operator.column(0, &mut self.work) {
            Entries::Columns
        } else {
            let mut norms = vec![T::zero(); n];
            if matches!(checked_norms(&self.operator, &mut norms), Ok(true)) {
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
    fn not_finite_at(&mut self, x: &[T]) -> Option<(usize, T, &'static str)> {
        self.move_to(x);
        if let Some(i) = self.image.iter().position(|z| !z.is_finite()) {
            return Some((i, self.image[i], "must be finite"));
        }
        let row = self.loss.outside(&self.image)?;
        let value = self.image[row];
        // (row i of A by one product: Aᵀ eᵢ)
        let mut unit = vec![T::zero(); self.image.len()];
        unit[row] = T::one();
        let mut entries = vec![T::zero(); x.len()];
        self.operator.apply_adjoint(&unit, &mut entries);
        let why = if entries.iter().all(|a| *a == T::zero()) {
            "lies outside the domain of the loss at every x: this row of the matrix is zero"
        } else {
            "lies outside the domain of the loss: start where no row does"
        };
        Some((row, value, why))
    }
}
