//! Of all solutions the flow from u₀ = α·1 selects one of nearly least ℓ1 norm; L sets the rate in α.

use crate::baselines::{Descent, projected_gradient};
use crate::figure::{Axis, Figure, Panel, Style};
use crate::problems::{gaussian, least_l1, sparse_truth, squared_norm, times};
use crate::report::{Outcome, Report, Size, e, median, slope};
use reparam::implicit_bias::AlphaPath;
use reparam::testing::Random;

pub(crate) fn run(size: Size) -> Outcome {
    let (m, n, sparsity) = (10, 50, 3);
    let count = size.pick(3, 20);
    let exponents = size.pick(
        vec![-1.0, -2.0],
        vec![-1.0, -1.25, -1.5, -1.75, -2.0, -2.25, -2.5, -2.75, -3.0],
    );
    let sizes: Vec<f64> = exponents.iter().map(|k| 10f64.powf(*k)).collect();
    let depths = [2u32, 3];

    // [depth][size][problem]
    let mut excess = vec![vec![Vec::new(); sizes.len()]; depths.len()];
    let mut residual = vec![vec![0.0_f64; sizes.len()]; depths.len()];
    let (mut of_nnls, mut of_descent) = (Vec::new(), Vec::new());
    for seed in 0..count {
        let mut random = Random::new(1000 + seed);
        let a = gaussian(m, n, &mut random);
        let (truth, _) = sparse_truth(n, sparsity, &mut random);
        let b = times(&a, &truth);
        let least = least_l1(&a, &b)?;
        for (d, depth) in depths.iter().enumerate() {
            for (i, limit) in AlphaPath::new(&a, &b, *depth)?
                .sizes_u0(&sizes)?
                .run()?
                .iter()
                .enumerate()
            {
                excess[d][i].push(limit.l1 / least - 1.0);
                residual[d][i] = residual[d][i].max(limit.residual);
            }
        }
        let l1 = |x: &[f64]| x.iter().sum::<f64>() / least - 1.0;
        of_nnls.push(l1(&reparam::nnls(&a, &b)?.x));
        let how = Descent {
            accelerated: false,
            tolerance: 1e-8,
            steps: 100_000,
            seconds: 60.0,
        };
        of_descent.push(l1(&projected_gradient(
            &a,
            &b,
            &vec![0.0; n],
            squared_norm(&a),
            how,
            |_| (),
        )
        .x));
    }

    let mut panel = Panel::new(
        format!("{count} problems {m} × {n}, {sparsity}-sparse truth"),
        Axis::logarithmic("α (u₀ = α·1)"),
        Axis::logarithmic("ℓ1 norm over the least one, less 1").within(1e-9, 10.0),
    );
    let header = [
        "method",
        "α",
        "median excess of ℓ1",
        "largest",
        "worst ‖Ax − b‖/‖b‖",
    ];
    let mut report = Report::new(&header, Figure::new(1));
    let mut medians = Vec::new();
    for (d, depth) in depths.iter().enumerate() {
        let curve: Vec<(f64, f64)> = sizes
            .iter()
            .zip(&excess[d])
            .map(|(a, v)| (*a, median(v)))
            .collect();
        let most = |v: &Vec<f64>| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let top = sizes.iter().zip(&excess[d]).map(|(a, v)| (*a, most(v))).collect();
        for (i, (alpha, middle)) in curve.iter().enumerate() {
            report.row(vec![
                format!("flow, L = {depth}"),
                e(*alpha),
                e(*middle),
                e(most(&excess[d][i])),
                e(residual[d][i]),
            ]);
        }
        panel.add(format!("L = {depth}, median"), d, Style::Marked, curve.clone());
        panel.add(format!("L = {depth}, largest"), d, Style::Dashed, top);
        medians.push(curve);
    }
    let ends = [sizes[sizes.len() - 1], sizes[0]];
    for (name, colour, values) in [
        ("active set (Nnls)", 6, &of_nnls),
        ("projected gradient from 0", 2, &of_descent),
    ] {
        let middle = median(values);
        let top = values.iter().copied().fold(0.0, f64::max);
        report.row(vec![name.into(), "".into(), e(middle), e(top), "".into()]);
        panel.add(name, colour, Style::Line, ends.map(|a| (a, middle)).to_vec());
    }
    report.figure.panels.push(panel);

    let falls = medians.iter().all(|c| c.windows(2).all(|w| w[1].1 < w[0].1));
    report.claim(
        "the excess over the least ℓ1 norm falls with α, for every L",
        format!(
            "medians fall for L = 2 from {} to {}, for L = 3 from {} to {}",
            e(medians[0][0].1),
            e(medians[0][sizes.len() - 1].1),
            e(medians[1][0].1),
            e(medians[1][sizes.len() - 1].1)
        ),
        falls,
    );
    let below = medians[0]
        .iter()
        .zip(&medians[1])
        .all(|(two, three)| three.1 < two.1);
    let slopes: Vec<f64> = medians.iter().map(|c| slope(c, 0.0, 1.0)).collect();
    report.claim(
        "L = 3 is nearer to the least ℓ1 norm than L = 2 at every α",
        format!("slopes in α {:.2} and {:.2}", slopes[0], slopes[1]),
        below,
    );
    let worst = residual.iter().flatten().copied().fold(0.0, f64::max);
    let lowest = excess
        .iter()
        .flatten()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    report.claim(
        "every limit solves the problem (else its ℓ1 norm says nothing)",
        format!("residuals up to {}, lowest excess {}", e(worst), e(lowest)),
        worst <= 1e-6 && lowest >= -1e-6,
    );
    Ok(report)
}
