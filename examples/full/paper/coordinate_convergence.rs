//! The coordinates of x along the flow: from a small start they rise one after another.

use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{distance, gaussian, norm, sparse_truth, times};
use crate::report::{Outcome, Report, Size, e};
use reparam::flows::{GradientFlow, Recording};
use reparam::integrators::RungeKutta;
use reparam::maps::Power;
use reparam::objectives::LeastSquares;
use reparam::testing::Random;
use reparam::{Integrate, integrators::Integrator};

pub(crate) fn run(size: Size) -> Outcome {
    let (m, n, sparsity) = size.pick((15, 25, 3), (30, 50, 5));
    let alpha = 1e-2;
    let mut random = Random::new(3);
    let a = gaussian(m, n, &mut random);
    let (truth, support) = sparse_truth(n, sparsity, &mut random);
    let b = times(&a, &truth);

    let header = [
        "L",
        "t",
        "steps",
        "‖x − x*‖/‖x*‖",
        "largest off the support",
        "half risen: first, last",
    ];
    let mut report = Report::new(&header, Figure::new(2));
    let all: Vec<usize> = (0..n).collect();
    let mut off = Vec::new();
    for depth in [2u32, 3] {
        // L > 2 stays at its start for a time of about α^{2−L}
        let (low, end) = if depth == 2 { (1.0, 1e3) } else { (40.0, 4e3) };
        let times: Vec<f64> = (0..=400)
            .map(|i| low * f64::powf(end / low, f64::from(i) / 400.0))
            .collect();
        let flow =
            RungeKutta::dormand_prince(GradientFlow::per_factor(depth)?).with_tolerances(1e-8, 1e-12)?;
        let run = Integrate::new(LeastSquares::new(&a, &b)?, Power::new(n, depth)?)?
            .integrator(flow)
            .start_u0(alpha)
            .ignore_residual()
            .until_time(end)
            .max_iterations(2_000_000)
            .record(Recording::at_times(&times)?.coordinates(&all))
            .run()?;
        let t = run.trajectory.column("t").unwrap_or_default();
        let title = format!("L = {depth}, α = {alpha}, A {m} × {n}");
        let mut panel = Panel::new(
            title,
            Axis::logarithmic("t (per factor)").within(low, end),
            Axis::linear("x_j(t)"),
        );
        let (mut half, mut largest) = (Vec::new(), 0.0_f64);
        for j in 0..n {
            let x = run.trajectory.column(&format!("x[{j}]")).unwrap_or_default();
            let curve: Vec<(f64, f64)> = t.iter().copied().zip(x.iter().copied()).collect();
            if !support.contains(&j) {
                largest = largest.max(x.last().copied().unwrap_or(f64::NAN));
                panel.series.insert(
                    0,
                    crate::figure::Series {
                        name: "off the support".into(),
                        points: curve,
                        colour: 7,
                        style: Style::Line,
                    },
                );
                continue;
            }
            if let Some((t, _)) = curve.iter().find(|(_, x)| *x >= 0.5 * truth[j]) {
                half.push(*t);
            }
            let colour = support.iter().position(|s| *s == j).unwrap_or(0);
            panel.add("on the support", colour, Style::Line, curve);
            panel.add(
                "truth",
                colour,
                Style::Dashed,
                vec![(low, truth[j]), (end, truth[j])],
            );
        }
        report.figure.panels.push(panel);
        let error = distance(&run.solution.x, &truth) / norm(&truth);
        half.sort_by(f64::total_cmp);
        let rise = match half.as_slice() {
            [first, .., last] => format!("{first:.2}, {last:.2}"),
            _ => "–".into(),
        };
        report.row(vec![
            depth.to_string(),
            e(run.snapshot.integrator().time()),
            run.solution.iterations.to_string(),
            e(error),
            e(largest),
            rise,
        ]);
        let risen = half.len() == sparsity && largest < 0.1;
        report.claim(
            format!("L = {depth}: on the support x_j tends to the truth, elsewhere it stays small"),
            format!(
                "{} of {sparsity} rise to half the truth; relative error {}, largest off the support {}",
                half.len(),
                e(error),
                e(largest)
            ),
            risen,
        );
        off.push(error);
    }
    report.claim(
        "the bias is sharper for L = 3",
        format!("relative errors {} and {}", e(off[0]), e(off[1])),
        off[1] < off[0],
    );
    Ok(report)
}
