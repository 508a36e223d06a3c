//! A sparse non-negative vector from part of its Fourier transform: which entries belong to the support, by α.

use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{choose, distance, norm, sparse_truth};
use crate::report::{Outcome, Report, Size, e, slope};
use reparam::Integrate;
use reparam::flows::GradientFlow;
use reparam::integrators::Euler;
use reparam::maps::Squares;
use reparam::objectives::LeastSquares;
use reparam::operators::{LinearOperator, MatrixFree};
use reparam::testing::{Random, check_operator};
use rustfft::{FftPlanner, num_complex::Complex};
use std::cell::RefCell;
use std::ops::ControlFlow;

/// x ↦ (Re, Im) of the rows `frequencies` of the discrete Fourier transform, over √m; columns of norm 1. As a real operator of 2m
/// rows its adjoint is the real part of the complex one, so that x stays real.
fn subsampled_transform(n: usize, frequencies: Vec<usize>) -> reparam::Result<impl LinearOperator<f64>> {
    let m = frequencies.len();
    let mut planner = FftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
    let length = forward
        .get_inplace_scratch_len()
        .max(inverse.get_inplace_scratch_len());
    let zero = Complex::new(0.0, 0.0);
    let buffers = RefCell::new((vec![zero; n], vec![zero; length]));
    let buffers = std::rc::Rc::new(buffers);
    let (shared, chosen) = (buffers.clone(), frequencies.clone());
    let scale = (m as f64).sqrt().recip();
    let apply = move |x: &[f64], y: &mut [f64]| {
        let (z, scratch) = &mut *shared.borrow_mut();
        z.iter_mut().zip(x).for_each(|(z, x)| *z = Complex::new(*x, 0.0));
        forward.process_with_scratch(z, scratch);
        for (i, k) in chosen.iter().enumerate() {
            (y[i], y[m + i]) = (scale * z[*k].re, scale * z[*k].im);
        }
    };
    let adjoint = move |y: &[f64], x: &mut [f64]| {
        let (z, scratch) = &mut *buffers.borrow_mut();
        z.fill(zero);
        for (i, k) in frequencies.iter().enumerate() {
            z[*k] = Complex::new(y[i], y[m + i]);
        }
        inverse.process_with_scratch(z, scratch);
        x.iter_mut().zip(z.iter()).for_each(|(x, z)| *x = scale * z.re);
    };
    MatrixFree::new(2 * m, n, apply, adjoint).with_column_norms(vec![1.0; n])
}

pub(crate) fn run(size: Size) -> Outcome {
    let (n, m, sparsity) = size.pick((400, 352, 8), (10_000, 8_810, 50));
    let mut random = Random::new(5);
    let a = subsampled_transform(n, choose(n, m, &mut random))?;
    let adjoint = check_operator(&a, 1);
    let (truth, support) = sparse_truth(n, sparsity, &mut random);
    let mut b = vec![0.0; 2 * m];
    a.apply(&truth, &mut b);
    let off: Vec<usize> = (0..n).filter(|j| support.binary_search(j).is_err()).collect();
    let least_true = support.iter().map(|j| truth[*j]).fold(f64::INFINITY, f64::min);

    let header = [
        "α",
        "steps",
        "‖Ax − b‖/‖b‖",
        "‖x − x*‖/‖x*‖",
        "least on the support",
        "largest off it",
        "ratio",
        "found",
    ];
    let mut report = Report::new(&header, Figure::new(2));
    let mut course = Panel::new(
        format!("{m} of {n} frequencies, {sparsity}-sparse"),
        Axis::logarithmic("step k"),
        Axis::logarithmic("‖Ax − b‖/‖b‖").within(1e-10, 10.0),
    );
    let mut separation = Panel::new(
        "support identification",
        Axis::logarithmic("α (u₀ = α·1)"),
        Axis::logarithmic("x_j at the end"),
    );
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    let mut all_found = true;
    // ‖A‖² = n/m
    let eta = 0.4 * m as f64 / n as f64;
    for (colour, exponent) in (2..=6).enumerate() {
        let alpha = f64::powi(10.0, -exponent);
        let scale = norm(&b);
        let mut curve = Vec::new();
        let run = Integrate::new(LeastSquares::new(&a, &b)?, Squares::new(n))?
            .integrator(Euler::constant(GradientFlow::per_factor(2)?, eta)?)
            .start_u0(alpha)
            .tolerance(1e-9)
            .max_iterations(size.pick(600, 2_000))
            .observe(|p| {
                curve.push((p.iteration as f64, (2.0 * p.value).sqrt() / scale));
                ControlFlow::Continue(())
            })
            .run()?
            .solution;
        let low = support.iter().map(|j| run.x[*j]).fold(f64::INFINITY, f64::min);
        let high = off.iter().map(|j| run.x[*j]).fold(0.0, f64::max);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|i, j| run.x[*j].total_cmp(&run.x[*i]));
        let found = order[..sparsity]
            .iter()
            .filter(|j| support.binary_search(j).is_ok())
            .count();
        all_found &= found == sparsity;
        report.row(vec![
            e(alpha),
            run.iterations.to_string(),
            e((2.0 * run.objective).sqrt() / scale),
            e(distance(&run.x, &truth) / norm(&truth)),
            format!("{low:.4}"),
            e(high),
            e(low / high),
            format!("{found} of {sparsity}"),
        ]);
        course.add(format!("α = 1e-{exponent}"), colour, Style::Line, curve);
        lows.push((alpha, low));
        highs.push((alpha, high));
    }
    let fit = slope(&highs, 0.0, 1.0);
    let falls = highs.windows(2).all(|w| w[1].1 < w[0].1);
    separation.add("least on the support", 6, Style::Marked, lows);
    separation.add("largest off the support", 5, Style::Marked, highs);
    report.figure.panels = vec![course, separation];
    report.claim(
        "the operator and its adjoint belong together",
        adjoint
            .checks()
            .iter()
            .map(|c| e(c.error))
            .collect::<Vec<_>>()
            .join(", "),
        adjoint.passed(),
    );
    report.claim(
        "the largest entries are the support, for every α",
        format!("least entry of the truth {least_true:.2}"),
        all_found,
    );
    report.claim(
        "off the support x_j → 0 as α → 0",
        format!("slope in α {fit:.2}"),
        falls,
    );
    Ok(report)
}
