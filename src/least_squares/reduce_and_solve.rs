//! From a request to its answers: checks, the standard form of the set, the solve, and the way back to x.

use super::bounded::{Request, Settings, Strategy};
use super::evidence::{relative, rounding_of_norms};
use super::many::Unbegun;
use super::many::{Answer, in_order};
use super::over_bounds;
use super::prepared::{Posed, Prepared, sum_of};
use super::problem::Problem;
use super::standard_form::{self, Reduced, StandardForm};
use crate::checks::{check_finite, check_len, check_memory, check_not_empty, check_rhs, columns_of};
use crate::clock::Instant;
use crate::linalg::{max_or_nan, norm2, rounding_of_sums};
use crate::operators::{Dense, LinearOperator, checked_dense, checked_norms, checked_size};
use crate::outcome::{Halt, Run, Solution, Status, Stop, Uniqueness};
use crate::sets::{CappedSimplexSet, ConstraintSet, L1BallSet, MonotoneCone, Polyhedron};
use crate::{Error, LinalgScalar, Result};

/// Operations on every entry of x and g/c beside the sums of a projection.
const OF_PROJECTION: usize = 6;

/// A and what is asked of it: the engine behind the interface, which [`Engines`](crate::engines::Engines) compiles for each
/// number type.
pub(crate) struct Question<'q, T> {
    pub(crate) a: &'q dyn LinearOperator<T>,
    pub(crate) request: &'q Request<T>,
}

impl<T: LinalgScalar> Question<'_, T> {
    pub(crate) fn solve(&self, b: &[T]) -> Result<Solution<T>> {
        let mut solutions = self.solve_columns(&[b], Instant::now())?;
        solutions.pop().ok_or(Error::Empty {
            what: "the right-hand sides",
        })
    }

    pub(crate) fn solve_many(&self, b: &[T]) -> Result<Vec<Solution<T>>> {
        let clock = Instant::now();
        check_not_empty("the right-hand sides", b.len())?;
        check_not_empty("the matrix (no rows)", self.a.rows())?;
        let columns = columns_of(b, self.a.rows(), self.a.columns())?;
        self.solve_columns(&columns, clock)
    }

    fn solve_columns(&self, columns: &[&[T]], clock: Instant) -> Result<Vec<Solution<T>>> {
        let tolerance = self.request.settings.tolerance;
        if tolerance.is_nan() || tolerance <= T::zero() || tolerance == T::infinity() {
            return Err(Error::Setting {
                name: "tolerance",
                why: "must be positive and finite",
            });
        }
        let (m, n) = checked_size(self.a)?;
        check_not_empty("the matrix (no rows)", m)?;
        check_not_empty("the matrix (no columns)", n)?;
        let stop = Stop::new(&self.request.settings.limits, clock);
        let keep_form = matches!(
            self.request.settings.strategy,
            Strategy::WorkingSet | Strategy::AcceleratedGradient
        );
        self.check_one_sum()?;
        if let Some(x) = &self.request.start {
            check_len("the start", n, x.len())?;
            check_finite("start", x)?;
        }
        let set = &self.request.set;
        if let Polyhedron::Bounds { lower, upper, .. } = set {
            check_len("the lower bounds", n, lower.len())?;
            check_len("the upper bounds", n, upper.len())?;
            let problem = Problem::new(self.a, keep_form, stop);
            let posed = Posed {
                lo: lower,
                hi: upper,
                sum: self.chosen(n)?,
                pairs: None,
            };
            return self.solve_posed(problem, posed, columns, None, clock);
        }
        check_len("the set", n, set.dim())?;
        let unknowns = standard_form::columns_of(set);
        check_memory::<T>("the bounds of the reduction", unknowns.saturating_mul(2))?;
        if let Polyhedron::Monotone { lower, upper, .. } = set {
            crate::sets::check_bounds(0, *lower, *upper)?;
        }
        // (`over_set` has refused what has none)
        let Some(form) = StandardForm::new(set) else {
            return Err(Error::Setting {
                name: "set",
                why: "needs more than one sum",
            });
        };
        let part_of = |part: &[usize]| {
            let mut chosen = vec![false; unknowns];
            part.iter().for_each(|j| chosen[*j] = true);
            chosen
        };
        let posed = Posed {
            lo: &form.lower,
            hi: &form.upper,
            sum: form.sum.as_ref().map(|(part, r)| (*r, part_of(part))),
            pairs: matches!(set, Polyhedron::L1Ball { .. }).then_some(n),
        };
        posed.check()?;
        let reduced = Reduced {
            a: self.a,
            form: &form,
        };
        if let Some(a) = checked_dense(self.a)? {
            let data = form.written(&a)?;
            let a = Dense::column_major(&data, m, unknowns)?;
            let problem = Problem::new(&a, false, stop).map_err(|halt| match halt {
                Halt::Error(e) => Halt::Error(self.blame(e)),
                limit => limit,
            });
            self.solve_posed(problem, posed, columns, Some(&form), clock)
        } else {
            let problem = Problem::new(&reduced, keep_form, stop);
            self.solve_posed(problem, posed, columns, Some(&form), clock)
        }
    }

    /// An entry that is not finite, found in the matrix of the reduction: where it is in A.
    fn blame(&self, error: Error) -> Error {
        match (error, self.a.first_not_finite()) {
            (Error::NotFiniteEntry { .. }, Some((row, column))) => Error::NotFiniteEntry { row, column },
            (error, _) => error,
        }
    }

    /// One sum at most, be it that of the set.
    fn check_one_sum(&self) -> Result<()> {
        let of_the_set = match self.request.set {
            Polyhedron::Bounds { .. } => None,
            Polyhedron::CappedSimplex { .. } => Some("`capped_simplex`"),
            Polyhedron::L1Ball { .. } => Some("`l1_ball`"),
            Polyhedron::Monotone { .. } => Some("`monotone`"),
            _ => Some("`over_set`"),
        };
        let calls = [
            of_the_set,
            self.request.sum.as_ref().map(|s| s.call),
            self.request.second,
        ];
        let mut calls = calls.into_iter().flatten();
        match (calls.next(), calls.next()) {
            (Some(first), Some(second)) => Err(Error::Replaced {
                first,
                second,
                why: match of_the_set {
                    Some(_) => "a sum cannot be demanded besides this set",
                    None => "one sum can be demanded, not two",
                },
            }),
            _ => Ok(()),
        }
    }

    /// r and the coordinates that add up to it.
    fn chosen(&self, n: usize) -> Result<Option<(T, Vec<bool>)>> {
        let Some(sum) = &self.request.sum else {
            return Ok(None);
        };
        let setting = |why| Err(Error::Setting { name: "sum", why });
        let Some(part) = &sum.part else {
            return Ok(Some((sum.r, vec![true; n])));
        };
        if part.is_empty() {
            return setting("adds up no coordinate");
        }
        let mut chosen = vec![false; n];
        for j in part {
            match chosen.get_mut(*j) {
                // counted once, and the sum is not the one that was meant
                Some(true) => return setting("names a coordinate twice"),
                Some(c) => *c = true,
                None => return setting("names a coordinate that does not exist"),
            }
        }
        Ok(Some((sum.r, chosen)))
    }

    fn solve_posed(
        &self,
        problem: std::result::Result<Problem<'_, T>, Halt>,
        posed: Posed<'_, T>,
        columns: &[&[T]],
        form: Option<&StandardForm<T>>,
        clock: Instant,
    ) -> Result<Vec<Solution<T>>> {
        let problem = match problem {
            Ok(problem) => Ok(problem),
            Err(Halt::Error(e)) => return Err(e),
            Err(Halt::Limit(limit)) => Err(limit),
        };
        posed.check()?;
        for b in columns {
            check_rhs(b, self.a.rows(), self.a.columns())?;
        }
        let start = match &self.request.start {
            None => None,
            Some(x) => Some(self.checked_start(x, &posed, form)?),
        };
        let mut problem = match problem {
            Ok(problem) => problem,
            Err(limit) => {
                let unbegun = self.unbegun(&posed, form);
                return Ok(columns.iter().map(|b| unbegun.answer(b, limit)).collect());
            }
        };
        if self.request.settings.strategy == Strategy::WorkingSet && !problem.has_columns() {
            return Err(Error::Setting {
                name: "strategy",
                why: "needs the columns of the matrix, and the operator offers products only",
            });
        }
        if self.request.settings.strategy == Strategy::BlockExchange {
            let n = problem.columns();
            check_memory::<T>(
                "the Gram matrix and its factor",
                n.saturating_mul(n).saturating_mul(2),
            )?;
        }
        if columns.len() > 1 && posed.is_non_negative() {
            problem.expect_many();
        }
        // (only where the norms need no products)
        let in_x = form.and_then(|_| {
            let mut norms = vec![T::zero(); self.a.columns()];
            match checked_norms(self.a, &mut norms) {
                Ok(known) => known
                    .then(|| Problem::new(self.a, true, Stop::never()).ok())
                    .flatten()
                    .map(Ok),
                Err(e) => Some(Err(e)),
            }
        });
        let in_x = in_x.transpose()?;
        let prepared = Prepared::new(problem, posed);
        let mut settings = self.request.settings.clone();
        if form.is_some() {
            // ρ of the reduction is not that of the set: room between the two
            settings.tolerance *= T::lit(0.1);
        }
        // b − A s
        let offset = form.and_then(StandardForm::offset);
        let shifted: Option<Vec<Vec<T>>> = offset.map(|s| {
            let mut image = vec![T::zero(); self.a.rows()];
            self.a.apply(&s, &mut image);
            let minus = |b: &&[T]| b.iter().zip(&image).map(|(b, v)| *b - *v).collect();
            columns.iter().map(minus).collect()
        });
        let views: Option<Vec<&[T]>> = shifted
            .as_ref()
            .map(|all| all.iter().map(Vec::as_slice).collect());
        let in_z = views.as_deref().unwrap_or(columns);
        let answers = solve_each(&prepared, in_z, &settings, start.as_deref(), clock)?;
        let mut unbegun = None;
        let answers = answers
            .into_iter()
            .zip(columns)
            .map(|(answer, b)| match (answer, form) {
                (Ok(solution), None) => solution,
                (Ok(solution), Some(form)) => self.translate(solution, form, b, in_x.as_ref()),
                (Err(limit), _) => unbegun
                    .get_or_insert_with(|| self.unbegun(&prepared.posed, form))
                    .answer(b, limit),
            });
        Ok(answers.collect())
    }

    /// What is said of right-hand sides that are not begun: at the start, or at a feasible point near zero.
    fn unbegun(&self, posed: &Posed<'_, T>, form: Option<&StandardForm<T>>) -> Unbegun<T> {
        let n = self.a.columns();
        let x = match (&self.request.start, &self.request.set, form) {
            (Some(x), ..) => x.clone(),
            (None, Polyhedron::Monotone { lower, upper, .. }, _) => {
                vec![crate::sets::clip(T::zero(), *lower, *upper); n]
            }
            (None, Polyhedron::CappedSimplex { .. } | Polyhedron::L1Ball { .. }, _) => vec![T::zero(); n],
            (None, _, Some(form)) => {
                let mut x = vec![T::zero(); n];
                form.x(&posed.feasible(), &mut x);
                x
            }
            (None, _, None) => posed.feasible(),
        };
        let violation = if form.is_none() {
            posed.violation(&x)
        } else {
            T::zero()
        };
        Unbegun::at(self.a, x, violation)
    }

    /// The start in the variables of the reduction, feasible.
    fn checked_start(&self, x: &[T], posed: &Posed<'_, T>, form: Option<&StandardForm<T>>) -> Result<Vec<T>> {
        let outside = |index: usize, value: T, bound: T| {
            Err(Error::InfeasibleStart {
                index,
                value: value.as_f64(),
                bound: bound.as_f64(),
            })
        };
        let n = x.len();
        let size = sum_of(x.iter().map(|v| v.abs()));
        let slack = T::lit(8.0) * T::epsilon() * T::count(n);
        match &self.request.set {
            Polyhedron::Monotone { lower, upper, .. } => {
                if let Some(j) = (1..n).find(|j| x[*j] < x[*j - 1]) {
                    return outside(j, x[j], x[j - 1]);
                }
                if x[0] < *lower {
                    return outside(0, x[0], *lower);
                }
                if x[n - 1] > *upper {
                    return outside(n - 1, x[n - 1], *upper);
                }
            }
            set @ (Polyhedron::CappedSimplex { radius: r, .. } | Polyhedron::L1Ball { radius: r, .. }) => {
                let is_simplex = matches!(set, Polyhedron::CappedSimplex { .. });
                if let (true, Some(j)) = (is_simplex, x.iter().position(|v| *v < T::zero())) {
                    return outside(j, x[j], T::zero());
                }
                let room = slack * (size + *r);
                if size > *r + room {
                    return Err(Error::InfeasibleStartSum {
                        sum: size.as_f64(),
                        expected: r.as_f64(),
                        rule: if is_simplex {
                            "its coordinates must add up to at most"
                        } else {
                            "the absolute values of its coordinates must add up to at most"
                        },
                        tolerance: room.as_f64(),
                    });
                }
            }
            _ => {}
        }
        let z = match form {
            None => x.to_vec(),
            Some(form) => {
                let Some(z) = form.z(x) else {
                    return Err(Error::Setting {
                        name: "start",
                        why: "cannot be given for an affine image of a set: its preimage is not known",
                    });
                };
                // a start outside the set is not what its z stands for
                let mut back = vec![T::zero(); n];
                form.x(&z, &mut back);
                let room = slack * size;
                if let Some(j) = (0..n).find(|j| (x[*j] - back[*j]).abs() > room) {
                    return outside(j, x[j], back[j]);
                }
                z
            }
        };
        for (j, v) in z.iter().enumerate() {
            if *v < posed.lo[j] {
                return outside(j, *v, posed.lo[j]);
            }
            if *v > posed.hi[j] {
                return outside(j, *v, posed.hi[j]);
            }
        }
        if let Some((r, part)) = &posed.sum {
            let chosen = || z.iter().zip(part).filter(|(_, p)| **p).map(|(v, _)| *v);
            let size = chosen().map(|v| v.abs()).sum::<T>() + r.abs();
            let sum = sum_of(chosen());
            if (sum - *r).abs() > slack * size {
                return Err(Error::InfeasibleStartSum {
                    sum: sum.as_f64(),
                    expected: r.as_f64(),
                    rule: if part.iter().all(|p| *p) {
                        "its coordinates must add up to"
                    } else {
                        "the coordinates of its sum must add up to"
                    },
                    tolerance: (slack * size).as_f64(),
                });
            }
        }
        Ok(z)
    }

    /// The status by ρ of the set itself, with all that rounding may have taken from it; by that of the reduction where the column norms of A
    /// are not known.
    fn certify_in_x(
        &self,
        solution: &mut Solution<T>,
        x: &[T],
        r: &[T],
        b: &[T],
        problem: Option<&Problem<'_, T>>,
    ) {
        let certificate = &mut solution.certificate;
        if let (Some(set), Some(problem)) = (self.set_in_x(), problem) {
            let now = Instant::now();
            let mut run = Run::new(&self.request.settings.limits, now, now);
            let (rho, error) = evidence(
                set.as_ref(),
                problem,
                x,
                r,
                b,
                self.request.settings.tolerance,
                &mut run,
            );
            solution.counts.passes += run.passes;
            if !rho.is_nan() {
                // else beyond the number type: what was measured in scaled units stands
                (certificate.natural_residual, certificate.natural_residual_error) = (rho, error);
            }
        }
        if certificate.natural_residual + certificate.natural_residual_error
            <= self.request.settings.tolerance
        {
            solution.status = Status::Solved;
        } else if solution.status.is_solved() {
            solution.status = Status::Stalled;
            solution.certificate.uniqueness = Uniqueness::NotKnown;
        }
    }

    /// The set, where ρ is measured in x; None for a radius of 0, which leaves one point.
    fn set_in_x(&self) -> Option<Box<dyn ConstraintSet<f64>>> {
        let n = self.a.columns();
        let finite = |v: T| v.is_finite().then(|| v.as_f64());
        Some(match self.request.set {
            Polyhedron::CappedSimplex { radius, .. } => {
                Box::new(CappedSimplexSet::new(n, radius.as_f64()).ok()?)
            }
            Polyhedron::L1Ball { radius, .. } => Box::new(L1BallSet::new(n, radius.as_f64()).ok()?),
            Polyhedron::Monotone { lower, upper, .. } => {
                Box::new(MonotoneCone::with_bounds(n, finite(lower), finite(upper)).ok()?)
            }
            _ => return None,
        })
    }

    /// The answer in x.
    fn translate(
        &self,
        mut solution: Solution<T>,
        form: &StandardForm<T>,
        b: &[T],
        problem: Option<&Problem<'_, T>>,
    ) -> Solution<T> {
        let n = self.a.columns();
        let mut x = vec![T::zero(); n];
        form.x(&solution.x, &mut x);
        let certificate = &mut solution.certificate;
        certificate.multipliers = form.multipliers(&certificate.multipliers);
        let beyond = |sum: T, r: T| (sum - r).max(T::zero());
        match self.request.set {
            Polyhedron::CappedSimplex { radius, .. } => {
                certificate.violation = beyond(sum_of(x.iter().copied()), radius);
            }
            Polyhedron::L1Ball { radius, .. } => {
                certificate.violation = beyond(sum_of(x.iter().map(|v| v.abs())), radius);
            }
            Polyhedron::Monotone { .. } => certificate.violation = T::zero(),
            // (what the z are off their sum by)
            _ => {}
        }
        // residual and optimality of this x, not of the z behind it
        let mut r = vec![T::zero(); b.len()];
        self.a.apply(&x, &mut r);
        r.iter_mut().zip(b).for_each(|(r, b)| *r = *b - *r);
        solution.counts.passes += 1.0;
        if solution.certificate.multipliers.iter().any(|v| v.is_nan()) {
            // ties and images: g = −Aᵀ r
            let mut g = vec![T::zero(); n];
            self.a.apply_adjoint(&r, &mut g);
            solution.counts.passes += 1.0;
            let multipliers = solution.certificate.multipliers.iter_mut().zip(g);
            multipliers.filter(|(v, _)| v.is_nan()).for_each(|(v, g)| *v = -g);
        }
        if r.iter().all(|v| v.is_finite()) {
            let before = solution.objective;
            solution.residual_norm = norm2(&r);
            solution.objective = T::lit(0.5) * solution.residual_norm * solution.residual_norm;
            // the bound is for f(z); what rounding in x = L z adds to f is added to it
            solution.certificate.gap += (solution.objective - before).max(T::zero());
            self.certify_in_x(&mut solution, &x, &r, b, problem);
            solution.residual = r;
        }
        solution.x = x;
        solution
    }
}

/// ρ of x in a set from r = b − A x, and a bound of its rounding error: residual and gradient in twice the precision where rounding decides whether ρ is at most
/// the tolerance, and the projection in `f64`.
fn evidence<T: LinalgScalar>(
    set: &dyn ConstraintSet<f64>,
    problem: &Problem<'_, T>,
    x: &[T],
    r: &[T],
    b: &[T],
    tolerance: T,
    run: &mut Run<'_>,
) -> (T, T) {
    let n = x.len();
    let norms = problem.norms();
    let scaled: Vec<T> = x
        .iter()
        .enumerate()
        .map(|(j, v)| *v / problem.factor(j))
        .collect();
    let terms = || norms.iter().zip(&scaled).map(|(c, v)| (*c * *v).abs());
    let (b_norm, size) = (norm2(b), norm2(b) + terms().sum::<T>());
    let unit = if b_norm > T::zero() {
        b_norm
    } else {
        max_or_nan(terms())
    };
    let in_units_of_x = |v: &[T]| -> Vec<f64> {
        let unscaled = v
            .iter()
            .enumerate()
            .map(|(j, v)| v.as_f64() / problem.factor(j).as_f64());
        unscaled.collect()
    };
    let (c, point): (Vec<f64>, Vec<f64>) = (in_units_of_x(norms), x.iter().map(|v| v.as_f64()).collect());
    // `lost` bounds |δg_j|/c_j. A projection is Lipschitz with constant 1 in the Euclidean norm of c x; it adds up n terms like c x and g/c.
    let measure = |g: &[T], lost: T| {
        let g = in_units_of_x(g);
        let rho = set.natural_residual(&point, &g, Some(&c));
        let inside = || (0..n).filter(|j| c[*j] > 0.0);
        let moved = norm2(&inside().map(|j| c[j] * point[j]).collect::<Vec<f64>>());
        let pulled = norm2(&inside().map(|j| g[j] / c[j]).collect::<Vec<f64>>());
        // (g is rounded to T)
        let lost = T::count(n).sqrt() * lost
            + T::lit(rounding_of_sums(n + OF_PROJECTION, moved + pulled))
            + T::epsilon() * T::lit(pulled)
            + rounding_of_norms(b.len(), T::count(n).sqrt() * T::lit(rho));
        (relative(T::lit(rho), unit), relative(lost, unit))
    };
    let mut g = vec![T::zero(); n];
    problem.adjoint(r, &mut g, run);
    g.iter_mut().for_each(|v| *v = -*v);
    let taking_part = x.iter().filter(|v| **v != T::zero()).count();
    let lost = problem.rounding_of_residual(taking_part, size) + problem.rounding_of_adjoint(norm2(r));
    let (rho, error) = measure(&g, lost);
    if rho - error > tolerance || rho + error <= tolerance {
        return (rho, error);
    }
    match problem.gradient_twice(b, &scaled, run) {
        Some((r, g)) => measure(&g, problem.rounding_twice(size, norm2(&r))),
        None => (rho, error),
    }
}

fn solve_each<T: LinalgScalar>(
    prepared: &Prepared<'_, '_, T>,
    columns: &[&[T]],
    settings: &Settings<T>,
    start: Option<&[T]>,
    clock: Instant,
) -> Result<Vec<Answer<Solution<T>>>> {
    let stop = Stop::new(&settings.limits, clock);
    let many = columns.len() > 4;
    in_order(
        columns,
        stop,
        |k, b| over_bounds::solve(prepared, b, settings, start, many, clock, k == 0),
        || Some((prepared.problem.parts().filter(|_| many)?, prepared.shared())),
        |(parts, shared), chunk| {
            let prepared = Prepared::around(shared, Problem::from_parts(parts));
            let each = |b: &&[T]| match stop.check() {
                Err(limit) => Ok(Err(limit)),
                Ok(()) => over_bounds::solve(&prepared, b, settings, start, many, clock, false).map(Ok),
            };
            chunk.iter().map(each).collect()
        },
    )
}
