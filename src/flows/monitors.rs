//! Monitors of a run: Lyapunov functions with their bounds, and conserved quantities of the flow.

use crate::checks::{check_finite, check_len, check_number, check_positive};
use crate::linalg::max_abs;
use crate::{Error, Result, Scalar};

/// A recorded moment, as a monitor receives it.
///
/// ```
/// use reparam::flows::monitors::{Bregman, Moment, Monitor};
/// let mut monitor = Bregman::new(2, &[1.0], 0.0).unwrap();
/// let mut out = [0.0; 2];
/// monitor.observe(&Moment { k: 0, t: 0.0, value: 0.5, natural_residual: 1.0, x: &[1.0], g: &[0.0], second: None }, &mut out);
/// assert_eq!(out, [0.0, f64::INFINITY]); // D(z, z) = 0, no bound at t = 0
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Moment<'m, T> {
    /// Steps so far.
    pub k: usize,
    /// The time of the dynamics; for Euler steps their sum.
    pub t: T,
    /// f(x).
    pub value: T,
    /// ρ(x).
    pub natural_residual: T,
    /// x.
    pub x: &'m [T],
    /// ∇f(x).
    pub g: &'m [T],
    /// The second sequence in x of accelerated dynamics.
    pub second: Option<&'m [T]>,
}

/// A quantity that is computed at each recorded moment: columns of a [`Trajectory`](super::Trajectory).
///
/// ```
/// use reparam::flows::{Recording, monitors::{Moment, Monitor}};
/// /// ‖x‖₁.
/// struct Size;
/// impl Monitor<f64> for Size {
///     fn columns(&self) -> &'static [&'static str] { &["l1"] }
///     fn observe(&mut self, m: &Moment<'_, f64>, out: &mut [f64]) { out[0] = m.x.iter().map(|v| v.abs()).sum(); }
/// }
/// let _ = Recording::every(1).monitor(Size);
/// ```
pub trait Monitor<T: Scalar> {
    /// The names of its columns.
    fn columns(&self) -> &'static [&'static str];

    /// Whether it fits a problem with n unknowns.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    fn check(&self, n: usize) -> Result<()> {
        let _ = n;
        Ok(())
    }

    /// out ← its values; as long as [`columns`](Self::columns).
    fn observe(&mut self, moment: &Moment<'_, T>, out: &mut [T]);
}

/// ψ'(x_j), the slope of the mirror potential with Hessian x^{−q}/L, q = 2 − 2/L.
///
/// ```text
/// L = 2: ½ log x      L > 2: −x^{2/L−1}/(L − 2)
/// ```
///
/// ```
/// use reparam::flows::monitors::mirror_slope;
/// assert_eq!(mirror_slope(2, 1.0), 0.0);
/// assert_eq!(mirror_slope(4, 4.0), -0.25); // −1/(2√4)
/// ```
pub fn mirror_slope<T: Scalar>(depth: u32, x: T) -> T {
    if depth == 2 {
        T::lit(0.5) * x.ln()
    } else {
        let l = f64::from(depth);
        -x.powf(T::lit(2.0 / l - 1.0)) / T::lit(l - 2.0)
    }
}

/// The x with ψ'(x) = p; None where there is none.
pub(crate) fn from_mirror_slope<T: Scalar>(depth: u32, p: T) -> Option<T> {
    let x = if depth == 2 {
        (p + p).exp()
    } else {
        let l = f64::from(depth);
        let base = -T::lit(l - 2.0) * p;
        if base.is_nan() || base <= T::zero() {
            return None;
        }
        base.powf(T::lit(-l / (l - 2.0)))
    };
    (x.is_finite() && x > T::zero()).then_some(x)
}

/// D(z, x) = ψ(z) − ψ(x) − ⟨ψ'(x), z − x⟩ of the mirror potential with Hessian x^{−q}/L.
///
/// ```text
/// L = 2: ½ Σ z log(z/x) − z + x (half the Kullback–Leibler divergence)
/// L > 2: Σ [ −L/(2(L−2)) (z^{2/L} − x^{2/L}) + x^{2/L−1}(z − x)/(L−2) ]
/// ```
///
/// z ≥ 0, x > 0.
///
/// ```
/// use reparam::flows::monitors::bregman_divergence;
/// assert_eq!(bregman_divergence(3, &[2.0], &[2.0]), 0.0);
/// let kl: f64 = 2.0_f64 * 2.0_f64.ln() - 1.0;
/// assert!((bregman_divergence(2, &[2.0], &[1.0]) - 0.5 * kl).abs() < 1e-15);
/// ```
pub fn bregman_divergence<T: Scalar>(depth: u32, z: &[T], x: &[T]) -> T {
    let l = f64::from(depth);
    let half = T::lit(0.5);
    z.iter()
        .zip(x)
        .map(|(z, x)| {
            if depth == 2 {
                let entropy = if *z == T::zero() {
                    T::zero()
                } else {
                    *z * (*z / *x).ln()
                };
                half * (entropy - *z + *x)
            } else {
                let root = T::lit(2.0 / l);
                let (zr, xr) = (z.powf(root), x.powf(root));
                // x^{2/L−1}(z − x) = x^{2/L}(z/x − 1)
                T::lit(-l / (2.0 * (l - 2.0))) * (zr - xr) + xr * (*z / *x - T::one()) / T::lit(l - 2.0)
            }
        })
        .sum()
}

/// KL(z, y) = Σ z log(z/y) − z + y.
///
/// ```
/// assert_eq!(reparam::flows::monitors::kullback_leibler(&[0.0], &[2.0]), 2.0);
/// ```
pub fn kullback_leibler<T: Scalar>(z: &[T], y: &[T]) -> T {
    T::lit(2.0) * bregman_divergence(2, z, y)
}

fn check_depth_and_point<T: Scalar>(depth: u32, z: &[T]) -> Result<()> {
    super::check_depth(depth)?;
    check_finite("comparison point", z)?;
    crate::checks::check_each("comparison point", z, "must not be negative", |v| v >= T::zero())
}

/// The Lyapunov function of the first-order flow of L identical factors, and the bound that follows.
///
/// ```text
/// lyapunov: D(z, x(t)), non-increasing for z a solution;   dD/dt = −⟨∇f(x), x − z⟩ ≤ −(f(x) − f(z))
/// bound:    D(z, x₀)/t ≥ f(x(t)) − f(z);   of Euler steps with small η: D(z, x₀)/Σ_{j<k} s_j
/// ```
///
/// Columns `lyapunov`, `bound`, the latter as a bound of f − f(z) (see [`gap`](Self::gap)). x₀ is the first moment seen: record the
/// start.
///
/// ```
/// use reparam::{Integrate, flows::{GradientFlow, Recording, monitors::Bregman}, integrators::RungeKutta};
/// use reparam::{maps::Power, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let monitor = Bregman::new(3, &[0.0, 1.0], 0.0).unwrap(); // z is a solution, f(z) = 0
/// let run = Integrate::new(f, Power::new(2, 3).unwrap()).unwrap()
///     .integrator(RungeKutta::dormand_prince(GradientFlow::per_factor(3).unwrap()))
///     .start_u0(0.3).until_time(50.0).record(Recording::every(1).monitor(monitor)).run().unwrap();
/// let (d, bound) = (run.trajectory.column("lyapunov").unwrap(), run.trajectory.column("bound").unwrap());
/// assert!(d.windows(2).all(|w| w[1] <= w[0] + 1e-12));
/// assert!(run.trajectory.column("value").unwrap().iter().zip(&bound).all(|(f, b)| f <= b));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bregman<T> {
    depth: u32,
    z: Vec<T>,
    value: T,
    rate: T,
    start: Option<(T, T)>,
}

impl<T: Scalar> Bregman<T> {
    /// For x = u^{∘L}, compared with z ≥ 0 (a solution), f(z) = `value`.
    ///
    /// # Errors
    /// [`Error::Setting`] for L < 2 or a value that is not finite, [`Error::NotFinite`], [`Error::Data`] for a negative coordinate.
    ///
    /// ```
    /// assert!(reparam::flows::monitors::Bregman::new(2, &[-1.0], 0.0).is_err());
    /// ```
    pub fn new(depth: u32, z: &[T], value: T) -> Result<Self> {
        check_depth_and_point(depth, z)?;
        check_number("comparison value", value)?;
        Ok(Self {
            depth,
            z: z.to_vec(),
            value,
            rate: T::one(),
            start: None,
        })
    }

    /// For the flow of the full gradient, u′ = −∇F: L times as fast.
    ///
    /// ```
    /// let _ = reparam::flows::monitors::Bregman::new(2, &[1.0], 0.0).unwrap().of_the_full_gradient();
    /// ```
    pub fn of_the_full_gradient(mut self) -> Self {
        self.rate = T::lit(f64::from(self.depth));
        self
    }

    /// f − f(z).
    ///
    /// ```
    /// let monitor = reparam::flows::monitors::Bregman::new(2, &[1.0], 0.25).unwrap();
    /// assert_eq!(monitor.gap(1.0), 0.75);
    /// ```
    pub fn gap(&self, value: T) -> T {
        value - self.value
    }
}

impl<T: Scalar> Monitor<T> for Bregman<T> {
    fn columns(&self) -> &'static [&'static str] {
        &["lyapunov", "bound"]
    }
    fn check(&self, n: usize) -> Result<()> {
        check_len("the comparison point", n, self.z.len())
    }
    fn observe(&mut self, m: &Moment<'_, T>, out: &mut [T]) {
        let d = bregman_divergence(self.depth, &self.z, m.x);
        let (t0, d0) = *self.start.get_or_insert((m.t, d));
        out[0] = d;
        out[1] = if m.t > t0 {
            d0 / (self.rate * (m.t - t0))
        } else {
            T::infinity()
        };
    }
}

/// The Lyapunov function of the accelerated mirror flow (L = 2), and its bound.
///
/// ```text
/// lyapunov: V(t) = (t²/4)(f(x) − f(z)) + KL(z, y), non-increasing      bound: 4·V(t₀)/t² ≥ f(x(t)) − f(z)
/// ```
///
/// V(t₀) = KL(z, x₀) + O(t₀²). Without a [second sequence](Moment::second) V is NaN, and the bound is made with KL(z, x₀).
///
/// ```
/// use reparam::{Integrate, flows::{MirrorFlow, Recording, monitors::Accelerated}, integrators::RungeKutta};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(RungeKutta::dormand_prince(MirrorFlow::new()))
///     .start_x0(0.1).until_time(30.0)
///     .record(Recording::every(1).monitor(Accelerated::new(&[0.0, 1.0], 0.0).unwrap())).run().unwrap();
/// let v = run.trajectory.column("lyapunov").unwrap();
/// assert!(v.windows(2).all(|w| w[1] <= w[0] + 1e-6));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Accelerated<T> {
    z: Vec<T>,
    value: T,
    start: Option<T>,
}

impl<T: Scalar> Accelerated<T> {
    /// Compared with z ≥ 0 (a solution), f(z) = `value`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a value that is not finite, [`Error::NotFinite`], [`Error::Data`] for a negative coordinate.
    ///
    /// ```
    /// assert!(reparam::flows::monitors::Accelerated::new(&[1.0], f64::NAN).is_err());
    /// ```
    pub fn new(z: &[T], value: T) -> Result<Self> {
        check_depth_and_point(2, z)?;
        check_number("comparison value", value)?;
        Ok(Self {
            z: z.to_vec(),
            value,
            start: None,
        })
    }
}

impl<T: Scalar> Monitor<T> for Accelerated<T> {
    fn columns(&self) -> &'static [&'static str] {
        &["lyapunov", "bound"]
    }
    fn check(&self, n: usize) -> Result<()> {
        check_len("the comparison point", n, self.z.len())
    }
    fn observe(&mut self, m: &Moment<'_, T>, out: &mut [T]) {
        let quarter = T::lit(0.25) * m.t * m.t;
        let divergence = kullback_leibler(&self.z, m.second.unwrap_or(m.x));
        let v = quarter * (m.value - self.value) + divergence;
        let v0 = *self.start.get_or_insert(v);
        out[0] = if m.second.is_some() { v } else { T::nan() };
        out[1] = v0 / quarter; // +∞ at t = 0
    }
}

/// The conserved quantity of the first-order flow: Nᵀ(ψ'(x(t)) − ψ'(x₀)) = 0 for N ⊂ ker A, because ψ'(x)′ = −∇f(x) ∈ range Aᵀ.
///
/// The column `drift` is max |Nᵀ(ψ'(x) − ψ'(x₀))|, zero up to the errors of the integrator, and so the most sensitive test of an integrator. x₀ is the
/// first moment seen.
///
/// ```
/// use reparam::{Integrate, flows::{GradientFlow, Recording, monitors::Conserved}, integrators::RungeKutta};
/// use reparam::{maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 2.0], &[2.0]).unwrap();
/// let monitor = Conserved::new(2, vec![vec![2.0, -1.0]]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap()
///     .integrator(RungeKutta::dormand_prince(GradientFlow::new()).with_tolerances(1e-10, 1e-12).unwrap())
///     .start_u0(0.1).until_time(5.0).record(Recording::every(1).monitor(monitor)).run().unwrap();
/// assert!(run.trajectory.column("drift").unwrap().iter().all(|d| *d < 1e-8));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Conserved<T> {
    depth: u32,
    kernel: Vec<Vec<T>>,
    start: Vec<T>,
    moved: Vec<T>,
}

impl<T: Scalar> Conserved<T> {
    /// With vectors that span (a part of) ker A.
    ///
    /// # Errors
    /// [`Error::Setting`] for L < 2, [`Error::Empty`] without vectors, [`Error::NotFinite`], [`Error::Dimension`] when their lengths
    /// differ.
    ///
    /// ```
    /// assert!(reparam::flows::monitors::Conserved::<f64>::new(2, vec![]).is_err());
    /// ```
    pub fn new(depth: u32, kernel: Vec<Vec<T>>) -> Result<Self> {
        super::check_depth(depth)?;
        let Some(first) = kernel.first() else {
            return Err(Error::Empty { what: "the kernel" });
        };
        let n = first.len();
        for v in &kernel {
            check_len("a vector of the kernel", n, v.len())?;
            check_finite("kernel", v)?;
        }
        Ok(Self {
            depth,
            kernel,
            start: Vec::new(),
            moved: Vec::new(),
        })
    }
}

impl<T: Scalar> Monitor<T> for Conserved<T> {
    fn columns(&self) -> &'static [&'static str] {
        &["drift"]
    }
    fn check(&self, n: usize) -> Result<()> {
        check_len("a vector of the kernel", n, self.kernel[0].len())
    }
    fn observe(&mut self, m: &Moment<'_, T>, out: &mut [T]) {
        if self.start.is_empty() {
            self.start = m.x.iter().map(|x| mirror_slope(self.depth, *x)).collect();
        }
        self.moved.clear();
        let slopes = m.x.iter().map(|x| mirror_slope(self.depth, *x));
        self.moved.extend(slopes.zip(&self.start).map(|(a, b)| a - *b));
        let drift: Vec<T> = self
            .kernel
            .iter()
            .map(|v| crate::linalg::dot(v, &self.moved))
            .collect();
        out[0] = max_abs(&drift);
    }
}

/// The time by which the bound D(z, x₀)/t falls below a gap: t = D(z, x₀)/gap.
///
/// # Errors
/// [`Error::Setting`] unless the gap is positive and finite.
///
/// ```
/// use reparam::flows::monitors::time_to_gap;
/// let t = time_to_gap(2, &[1.0], &[0.5], 1e-3).unwrap();
/// assert!((t - 500.0 * (2.0_f64.ln() - 0.5)).abs() < 1e-9);
/// ```
pub fn time_to_gap<T: Scalar>(depth: u32, z: &[T], x0: &[T], gap: T) -> Result<T> {
    check_depth_and_point(depth, z)?;
    check_len("the start", z.len(), x0.len())?;
    check_positive("gap", gap)?;
    Ok(bregman_divergence(depth, z, x0) / gap)
}
