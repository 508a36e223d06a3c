//! `Minimize` and `Integrate` over any map.

use crate::input::{Bytes, Kind, moderate};
use crate::map_points::any_map;
use reparam::maps::Reparametrization;
use reparam::methods::{BoxLbfgs, ConjugateGradient, Lbfgs, LevenbergMarquardt, State, TrustRegion};
use reparam::objectives::{Evaluation, Objective};
use reparam::{Integrate, Minimize, Solution};

/// A quadratic, or it with a fault: what a user's function may do.
struct Function {
    diagonal: Vec<f64>,
    linear: Vec<f64>,
    /// The index of an evaluation at which something else comes back, and what.
    fault: Option<(usize, f64)>,
    calls: usize,
}

impl Objective<f64> for Function {
    fn dim(&self) -> usize {
        self.linear.len()
    }

    fn value(&mut self, x: &[f64]) -> Evaluation<f64> {
        self.calls += 1;
        if let Some((at, what)) = self.fault
            && self.calls == at
        {
            return Ok(what);
        }
        let terms = x.iter().zip(self.diagonal.iter().zip(&self.linear));
        Ok(terms.map(|(x, (d, l))| (0.5 * d * x + l) * x).sum())
    }

    fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Evaluation<f64> {
        for (g, (x, (d, l))) in g
            .iter_mut()
            .zip(x.iter().zip(self.diagonal.iter().zip(&self.linear)))
        {
            *g = d * x + l;
        }
        self.value(x)
    }
}

/// Any map, any method, any separable quadratic (concave and unbounded ones among them).
///
/// # Panics
/// When a promise is broken.
pub fn minimize(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let kind = bytes.kind();
    let Ok(map) = any_map::<f64>(&mut bytes, kind, 1) else {
        return;
    };
    let n = map.dim_x();
    let of_f = bytes.kind();
    let function = Function {
        diagonal: bytes.numbers(n, of_f),
        linear: bytes.numbers(n, of_f),
        fault: bytes
            .rarely(4)
            .then(|| (bytes.below(30), bytes.number(Kind::Any))),
        calls: 0,
    };
    let start: Option<Vec<f64>> = bytes.rarely(4).then(|| {
        let length = bytes.about(n);
        bytes.numbers(length, Kind::Eighths)
    });
    let tolerance = bytes.tolerance::<f64>();
    let memory = bytes.below(6);
    let moderate = kind != Kind::Any && moderate(&function.diagonal) && moderate(&function.linear);
    if bytes.rarely(4) {
        let Ok(mut run) = Integrate::new(function, &map) else {
            return;
        };
        run = run.max_iterations(20);
        if let Some(start) = start {
            run = run.start(&start);
        }
        if let Some(tolerance) = tolerance {
            run = run.tolerance(tolerance);
        }
        if let Ok(done) = run.run() {
            check(&done.solution, &map, tolerance, moderate);
        }
        return;
    }
    let method: State<f64> = match bytes.byte() % 5 {
        0 => Lbfgs::new(memory).into(),
        1 => BoxLbfgs::new(memory).into(),
        2 => ConjugateGradient::new().into(),
        3 => TrustRegion::new().into(),
        _ => LevenbergMarquardt::new().into(),
    };
    let Ok(mut problem) = Minimize::new(function, &map) else {
        return;
    };
    problem = problem.max_iterations(60);
    if bytes.yes() {
        problem = problem.method(method);
    }
    if let Some(start) = start {
        problem = problem.start(&start);
    }
    if let Some(tolerance) = tolerance {
        problem = problem.tolerance(tolerance);
    }
    if let Ok(solution) = problem.run() {
        check(&solution, &map, tolerance, moderate);
    }
}

fn check(s: &Solution<f64>, map: &dyn Reparametrization<f64>, tolerance: Option<f64>, moderate: bool) {
    assert_eq!(s.x.len(), map.dim_x());
    assert!(s.x.iter().all(|x| !x.is_nan()), "{:?}", s.x);
    assert!(s.certificate.gap >= 0.0, "gap {:e}", s.certificate.gap);
    if s.status.is_solved() {
        assert!(
            s.certificate.natural_residual <= tolerance.unwrap_or(1e-6),
            "{:e}",
            s.certificate.natural_residual
        );
    }
    if moderate && s.x.iter().all(|x| x.abs() < 1e6) {
        let violation = map.set().violation(&s.x);
        assert!(violation <= 1e-9, "violation {violation:e} of {:?}", s.x);
    }
}
