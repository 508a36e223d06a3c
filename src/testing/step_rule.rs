//! The check of a step rule.

use super::{Random, Report};
use crate::flows::GradientFlow;
use crate::integrators::Euler;
use crate::lifted::{Lifted, Point};
use crate::linalg::dot;
use crate::maps::{Identity, Reparametrization};
use crate::methods::{Method, Step};
use crate::objectives::LeastSquares;
use crate::operators::Dense;
use crate::steps::{Situation, StepRule, Verdict};
use crate::{Result, Scalar};
use std::cell::RefCell;
use std::rc::Rc;

/// Coordinates of the test problem.
const SIZE: usize = 6;
/// Eigenvalues of ∇²F lie between L/10 and L.
const CONDITION: f64 = 10.0;
/// Steps that the rule may take, and steps of 1/L that it is measured against.
const STEPS: usize = 200;
const OF_REFERENCE: usize = 50;

/// Checks a step rule in explicit Euler steps along the gradient flow of a strictly convex quadratic F. `rule` builds it for a
/// Lipschitz constant L of ∇F; the check uses L = 10⁻³, 1 and 10³.
///
/// * Every length is positive and finite, and a refused step is followed by a shorter one.
/// * No accepted step leads to a value that is not finite.
/// * 200 steps lower F as far as 50 steps of 1/L do. A rule whose steps are ten times too short fails here.
/// * After [`reset`](StepRule::reset) the rule gives the same lengths again.
///
/// ```
/// use reparam::steps::{Armijo, Constant};
/// use reparam::testing::check_step_rule;
/// check_step_rule(|l: f64| Constant::new(1.0 / l).unwrap(), 1).into_result().unwrap();
/// // ten times too short
/// let report = check_step_rule(|l: f64| Constant::new(0.1 / l).unwrap(), 1);
/// let failed: Vec<_> = report.checks().iter().filter(|c| !c.passed()).map(|c| c.name).collect();
/// assert_eq!(failed, ["200 steps do what 50 of 1/L do"], "{report}");
/// ```
pub fn check_step_rule<T: Scalar, S: StepRule<T>>(rule: impl Fn(T) -> S, seed: u64) -> Report {
    let mut report = Report::default();
    for lipschitz in [1e-3, 1.0, 1e3] {
        let mut random = Random::new(seed);
        let problem = Problem::new(lipschitz, &mut random);
        let spy = Spy::around(rule(T::lit(lipschitz)));
        let log = Rc::clone(&spy.log);
        let mut euler = Euler::new(GradientFlow::new(), spy);
        let first = problem.run(&mut euler, &log);
        report.record(
            "lengths are positive and finite",
            f64::from(u8::from(log.borrow().bad_length)),
            0.0,
        );
        report.record(
            "refused steps are shortened",
            f64::from(u8::from(log.borrow().bad_retry)),
            0.0,
        );
        let Ok((value, is_finite)) = first else {
            report.record("evaluation", f64::INFINITY, 0.0);
            return report;
        };
        report.record("accepted values are finite", f64::from(u8::from(!is_finite)), 0.0);
        // in units of what F was to lose
        let (start, reference) = problem.reference();
        let missing = (value.as_f64() - reference) / (start - reference);
        report.record("200 steps do what 50 of 1/L do", missing.max(0.0), 1e-6);
        let before = std::mem::take(&mut log.borrow_mut().lengths);
        euler.reset();
        let again = problem.run(&mut euler, &log).is_ok() && log.borrow().lengths == before;
        report.record("the same lengths after a reset", f64::from(u8::from(!again)), 0.0);
    }
    report
}

/// ½‖A x − b‖² with A = diag √λ, from x = 0.
struct Problem<T> {
    matrix: Vec<T>,
    b: Vec<T>,
    eigenvalues: Vec<f64>,
    lipschitz: f64,
}

impl<T: Scalar> Problem<T> {
    fn new(lipschitz: f64, random: &mut Random) -> Self {
        let eigenvalues: Vec<f64> = (0..SIZE)
            .map(|i| lipschitz * CONDITION.powf(-(i as f64) / (SIZE - 1) as f64))
            .collect();
        let mut matrix = vec![T::zero(); SIZE * SIZE];
        for (i, l) in eigenvalues.iter().enumerate() {
            matrix[i * (SIZE + 1)] = T::lit(l.sqrt());
        }
        let b = random.normals(SIZE);
        Self {
            matrix,
            b,
            eigenvalues,
            lipschitz,
        }
    }

    /// F at the start, and after the steps of 1/L: ½ Σ (1 − λ_i/L)^{2k} b_i².
    fn reference(&self) -> (f64, f64) {
        let after = |k: usize| -> f64 {
            let term =
                |(l, b): (&f64, &T)| (1.0 - l / self.lipschitz).powi(2 * k as i32) * b.as_f64().powi(2);
            0.5 * self.eigenvalues.iter().zip(&self.b).map(term).sum::<f64>()
        };
        (0.5 * dot(&self.b, &self.b).as_f64(), after(OF_REFERENCE))
    }

    /// F where the steps end, and whether it was finite on the way.
    fn run<S: StepRule<T>>(
        &self,
        euler: &mut Euler<GradientFlow<T>, Spy<T, S>, T>,
        log: &Rc<RefCell<Log<T>>>,
    ) -> Result<(T, bool)> {
        log.borrow_mut().lengths.clear();
        let a = Dense::column_major(&self.matrix, SIZE, SIZE)?;
        let mut f = LeastSquares::new(a, &self.b)?;
        let map = Identity::<T>::new(SIZE);
        let start = vec![T::zero(); map.dim_u()];
        let mut point = Point::new(&map, &start);
        let mut lifted = Lifted::new(&mut f, &map);
        lifted.evaluate(&mut point)?;
        let mut is_finite = true;
        for _ in 0..STEPS {
            if !matches!(euler.step(&mut lifted, &mut point, &[])?, Step::Moved) {
                break;
            }
            is_finite &= point.value.is_finite();
        }
        Ok((point.value, is_finite))
    }
}

/// What a rule did.
struct Log<T> {
    lengths: Vec<T>,
    bad_length: bool,
    bad_retry: bool,
}

/// The rule, watched.
struct Spy<T, S> {
    rule: S,
    log: Rc<RefCell<Log<T>>>,
}

impl<T: Scalar, S> Spy<T, S> {
    fn around(rule: S) -> Self {
        Self {
            rule,
            log: Rc::new(RefCell::new(Log {
                lengths: Vec::new(),
                bad_length: false,
                bad_retry: false,
            })),
        }
    }
}

impl<T: Scalar, S: StepRule<T>> StepRule<T> for Spy<T, S> {
    fn name(&self) -> &'static str {
        self.rule.name()
    }
    fn length(&mut self, lifted: &mut Lifted<'_, T>, now: &Situation<'_, T>) -> Result<T> {
        let s = self.rule.length(lifted, now)?;
        let mut log = self.log.borrow_mut();
        log.bad_length |= !s.is_finite() || s <= T::zero();
        log.lengths.push(s);
        Ok(s)
    }
    fn verdict(&mut self, now: &Situation<'_, T>, s: T, value: Option<T>) -> Verdict<T> {
        let verdict = self.rule.verdict(now, s, value);
        if let Verdict::Retry(next) = verdict {
            self.log.borrow_mut().bad_retry |= next.is_nan() || next <= T::zero() || next >= s;
        }
        verdict
    }
    fn needs_gradient_flow(&self) -> bool {
        self.rule.needs_gradient_flow()
    }
    fn reset(&mut self) {
        self.rule.reset();
    }
}
