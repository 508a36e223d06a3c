//! The picture of one answer (`--plot`): fit, coefficients, convergence.

use crate::args::Common;
use crate::error::Failure;
#[cfg(feature = "plot")]
use crate::error::Fault;
use crate::read::Kind;
use std::path::Path;

/// Which right-hand side is drawn; a refusal where that is not clear.
pub(crate) fn number(common: &Common, kind: Kind) -> Result<usize, Failure> {
    let count = kind.count();
    match common.plot_number {
        Some(k) if k < count => Ok(k),
        Some(k) => Err(Failure::Usage(format!(
            "--plot-number {k}: the right-hand sides have the numbers 0 to {}",
            count - 1
        ))),
        None if count == 1 => Ok(0),
        None => Err(Failure::Usage(format!(
            "--plot draws one of {count} right-hand sides: --plot-number says which, 0 to {}",
            count - 1
        ))),
    }
}

/// Refuses the option in a program that cannot draw.
#[cfg(not(feature = "plot"))]
pub(crate) fn check(_: &Path) -> Result<(), Failure> {
    Err(Failure::Usage(
        "--plot needs a program that can draw: cargo build --release --features cli,plot".into(),
    ))
}

/// Refuses a name that promises another format than SVG.
#[cfg(feature = "plot")]
pub(crate) fn check(path: &Path) -> Result<(), Failure> {
    match path.extension() {
        Some(extension) if !extension.eq_ignore_ascii_case("svg") => {
            Err(Fault::Unwritable("pictures are written as .svg".into()).of(path))
        }
        _ => Ok(()),
    }
}

#[cfg(feature = "plot")]
mod draw {
    use super::Failure;
    use crate::figure::{Axis, Figure, Panel, Style};
    use crate::read::Names;
    use reparam::Solution;

    /// More markers than this make files that viewers are slow with.
    const MOST: usize = 4000;
    /// ρ = 0 has no place on a logarithmic axis.
    const FLOOR: f64 = 1e-17;
    const BLUE: usize = 0;
    const ORANGE: usize = 1;
    const GREEN: usize = 2;
    const BLACK: usize = 6;

    /// What the picture shows of one answer.
    pub(crate) struct Shown<'a> {
        /// b.
        pub(crate) rhs: &'a [f64],
        /// Its number, where there are several.
        pub(crate) number: Option<usize>,
        pub(crate) solution: &'a Solution<f64>,
        /// Lower and upper bounds, where the problem has them as data.
        pub(crate) bounds: Option<(&'a [f64], &'a [f64])>,
        /// (iterations, ρ).
        pub(crate) convergence: &'a [(f64, f64)],
        pub(crate) names: &'a Names,
    }

    /// The picture as SVG.
    pub(crate) fn svg(shown: &Shown<'_>) -> Result<String, Failure> {
        let mut figure = Figure::new(3);
        figure.panels = vec![fit(shown), coefficients(shown), convergence(shown)];
        figure.svg().map_err(|e| Failure::Environment {
            what: "the picture cannot be drawn",
            why: e.to_string(),
        })
    }

    fn fit(shown: &Shown<'_>) -> Panel {
        let (b, r) = (shown.rhs, &shown.solution.residual);
        let stride = b.len().div_ceil(MOST);
        let which = shown.number.map_or_else(String::new, |k| {
            let name = shown.names.answers.as_ref().and_then(|names| names.get(k));
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            format!(" of right-hand side {k}{name}")
        });
        let title = match stride {
            1 => format!("Fit{which}: ‖b − A x‖ = {:.3e}", shown.solution.residual_norm),
            _ => format!("Fit{which} (one row of b in {stride} is drawn)"),
        };
        let mut panel = Panel::new(
            title,
            Axis::linear("row of A").named(shown.names.rows.as_ref()),
            Axis::linear("b, in its units"),
        );
        let data = b.iter().enumerate().step_by(stride).map(|(i, b)| (i as f64, *b));
        panel.add("data b", BLACK, Style::Points, data.collect());
        // rows without a residual (a run that overflowed) are not drawn
        let fitted = b.iter().zip(r).enumerate().map(|(i, (b, r))| (i as f64, b - r));
        panel.add("fit A x", BLUE, Style::Line, fitted.collect());
        panel
    }

    fn coefficients(shown: &Shown<'_>) -> Panel {
        let x = &shown.solution.x;
        let mut kept: Vec<usize> = (0..x.len()).collect();
        let support = shown.solution.support_len();
        let mut title = format!("Coefficients: {support} of {} not zero", x.len());
        if kept.len() > MOST {
            kept.sort_by(|i, j| x[*j].abs().total_cmp(&x[*i].abs()));
            kept.truncate(MOST);
            kept.sort_unstable();
            title.push_str(&format!(" (the largest {MOST} are drawn)"));
        }
        let mut panel = Panel::new(
            title,
            Axis::linear("column of A").named(shown.names.columns.as_ref()),
            Axis::linear("x, in units of b/A"),
        );
        let stems = kept.iter().map(|j| (*j as f64, x[*j]));
        panel.add("coefficients x", ORANGE, Style::Stems, stems.collect());
        // in front: a coefficient at its bound would hide it
        if let Some((lower, upper)) = shown.bounds {
            for bound in [lower, upper] {
                let finite = kept.iter().filter(|j| bound[**j].is_finite());
                let points: Vec<(f64, f64)> = finite.map(|j| (*j as f64, bound[*j])).collect();
                panel.add("bounds", BLACK, Style::Ticks, points);
            }
        }
        panel
    }

    fn convergence(shown: &Shown<'_>) -> Panel {
        let points = shown.convergence.iter();
        let drawn: Vec<(f64, f64)> = points.map(|(k, rho)| (*k, rho.max(FLOOR))).collect();
        let label = if shown.convergence.iter().any(|p| p.1 < FLOOR) {
            "ρ, no unit (zero is drawn at 1e-17)"
        } else {
            "ρ, no unit"
        };
        let mut panel = Panel::new(
            "Convergence: the optimality residual ρ",
            Axis::linear("iterations"),
            Axis::logarithmic(label),
        );
        panel.add("optimality residual ρ", GREEN, Style::Marked, drawn);
        panel
    }
}

#[cfg(feature = "plot")]
pub(crate) use draw::{Shown, svg};
