//! A truth with a small negative part, x* = x⁺ − x⁻: how far the limit of the flow is from x⁺.

use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{choose, distance, gaussian, norm, sparse_truth, times};
use crate::report::{Outcome, Report, Size, e, median, slope};
use reparam::implicit_bias::AlphaPath;
use reparam::testing::Random;

pub(crate) fn run(size: Size) -> Outcome {
    let (m, n, sparsity) = size.pick((30, 60, 3), (80, 200, 8));
    let count = size.pick(3, 10);
    let sizes = size.pick(
        vec![1e-3, 1e-2, 1e-1],
        vec![1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0],
    );
    let depth = 3;
    let alpha = 1e-2;
    let header = [
        "‖x⁻‖/‖x⁺‖",
        "median ‖x − x⁺‖/‖x⁺‖",
        "largest",
        "median over ‖x⁻‖/‖x⁺‖",
        "Nnls, median",
        "median residual",
    ];
    let mut report = Report::new(&header, Figure::new(1));
    let (mut middle, mut top, mut exact) = (Vec::new(), Vec::new(), Vec::new());
    let mut floor = Vec::new();
    for relative in std::iter::once(0.0).chain(sizes.iter().copied()) {
        let (mut errors, mut others, mut residuals) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..count {
            let mut random = Random::new(300 + seed);
            let a = gaussian(m, n, &mut random);
            let (positive, support) = sparse_truth(n, sparsity, &mut random);
            // the negative part lives elsewhere, on as many places
            let mut negative = vec![0.0; n];
            let places = choose(n, 3 * sparsity, &mut random);
            for j in places
                .iter()
                .filter(|j| support.binary_search(j).is_err())
                .take(sparsity)
            {
                negative[*j] = 0.5 + random.uniform::<f64>();
            }
            let scale = relative * norm(&positive) / norm(&negative);
            let star: Vec<f64> = positive
                .iter()
                .zip(&negative)
                .map(|(p, q)| p - scale * q)
                .collect();
            let b = times(&a, &star);
            let limit = &AlphaPath::new(&a, &b, depth)?.sizes_u0(&[alpha])?.run()?[0];
            errors.push(distance(&limit.x, &positive) / norm(&positive));
            residuals.push(limit.residual);
            others.push(distance(&reparam::nnls(&a, &b)?.x, &positive) / norm(&positive));
        }
        let (half, most) = (median(&errors), errors.iter().copied().fold(0.0, f64::max));
        report.row(vec![
            e(relative),
            e(half),
            e(most),
            if relative > 0.0 {
                format!("{:.2}", half / relative)
            } else {
                "–".into()
            },
            e(median(&others)),
            e(median(&residuals)),
        ]);
        if relative == 0.0 {
            floor.push(half);
            continue;
        }
        middle.push((relative, half));
        top.push((relative, most));
        exact.push((relative, median(&others)));
    }
    let mut panel = Panel::new(
        format!("{count} problems {m} × {n}, {sparsity}-sparse x⁺ and x⁻, L = {depth}, α = {alpha}"),
        Axis::logarithmic("size of the negative part, ‖x⁻‖/‖x⁺‖"),
        Axis::logarithmic("‖x − x⁺‖/‖x⁺‖"),
    );
    panel.add("limit of the flow, median", 0, Style::Marked, middle.clone());
    panel.add("limit of the flow, largest", 0, Style::Dashed, top.clone());
    panel.add("active set (Nnls), median", 6, Style::Marked, exact);
    panel.add(
        "error = size of the negative part",
        7,
        Style::Dashed,
        sizes.iter().map(|s| (*s, *s)).collect(),
    );
    report.figure.panels.push(panel);
    let worst = middle.iter().map(|(s, v)| v / s).fold(0.0, f64::max);
    report.claim(
        "the error is controlled by the negative part: ‖x − x⁺‖ ≤ C ‖x⁻‖ (plus what α leaves)",
        format!(
            "largest ratio of the medians {worst:.2}, of all {:.2}; slope {:.2}; {} without a negative part",
            top.iter().map(|(s, v)| v / s).fold(0.0, f64::max),
            slope(&middle, 0.0, 1.0),
            e(floor[0])
        ),
        worst < 5.0,
    );
    Ok(report)
}
