//! Figures: panels of curves as data, written as CSV and, with the feature `plot`, drawn as SVG. The program and the examples
//! `paper` and `gallery` share this file.

use std::io::Write;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) enum Style {
    Line,
    Dashed,
    /// A line with a marker at every point.
    Marked,
    /// Markers alone.
    Points,
    /// A marker at every point, on a line from zero.
    Stems,
    /// A short level bar at every point.
    Ticks,
}

#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) struct Series {
    /// Equal names share an entry of the legend; an empty one has none.
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// An index into the palette.
    pub(crate) colour: usize,
    pub(crate) style: Style,
}

#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) logarithmic: bool,
    /// Values outside are not shown.
    pub(crate) limits: Option<(f64, f64)>,
    /// What stands at 0, 1, 2, … instead of the number.
    pub(crate) names: Vec<String>,
}

impl Axis {
    pub(crate) fn linear(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            logarithmic: false,
            limits: None,
            names: Vec::new(),
        }
    }

    pub(crate) fn logarithmic(label: impl Into<String>) -> Self {
        Self {
            logarithmic: true,
            ..Self::linear(label)
        }
    }

    pub(crate) fn within(mut self, low: f64, high: f64) -> Self {
        self.limits = Some((low, high));
        self
    }

    pub(crate) fn named(mut self, names: Option<&Vec<String>>) -> Self {
        self.names = names.cloned().unwrap_or_default();
        self
    }
}

#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

impl Panel {
    pub(crate) fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            series: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        colour: usize,
        style: Style,
        points: Vec<(f64, f64)>,
    ) {
        self.series.push(Series {
            name: name.into(),
            points,
            colour,
            style,
        });
    }
}

#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) struct Figure {
    /// Panels side by side.
    pub(crate) columns: usize,
    pub(crate) panels: Vec<Panel>,
}

impl Figure {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            panels: Vec::new(),
        }
    }

    pub(crate) fn write_csv(&self, mut to: impl Write) -> std::io::Result<()> {
        writeln!(to, "panel,series,x,y")?;
        for panel in &self.panels {
            for s in &panel.series {
                for (x, y) in &s.points {
                    writeln!(to, "\"{}\",\"{}\",{x:e},{y:e}", panel.title, s.name)?;
                }
            }
        }
        to.flush()
    }
}

#[cfg(feature = "plot")]
mod draw {
    use super::{Axis, Figure, Panel, Series, Style};
    use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
    use plotters::coord::types::RangedCoordf64;
    use plotters::prelude::*;
    use plotters::series::DashedLineSeries;
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    use std::ops::Range;
    use std::path::Path;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// Okabe and Ito's colours, which stay apart for colour-blind eyes; the last is grey for what is many or less.
    const PALETTE: [RGBColor; 8] = [
        RGBColor(0, 114, 178),
        RGBColor(213, 94, 0),
        RGBColor(0, 158, 115),
        RGBColor(204, 121, 167),
        RGBColor(230, 159, 0),
        RGBColor(86, 180, 233),
        RGBColor(0, 0, 0),
        RGBColor(170, 170, 170),
    ];
    const PANEL: (u32, u32) = (460, 360);
    /// plotters rounds to whole pixels, which makes steps of smooth curves: it draws this many times larger, and the SVG is shown at size.
    const FINE: u32 = 4;
    const LEGEND_ROW: u32 = 22;
    /// Pixels of a character of the legend, generously.
    const CHARACTER: f64 = 7.6;

    /// An axis, linear or logarithmic, with the coordinates of the data.
    #[derive(Clone)]
    struct Scale {
        low: f64,
        high: f64,
        logarithmic: bool,
        /// Of 0, 1, 2, …, where these have names.
        names: Vec<String>,
    }

    /// Characters of a name that have room below an axis.
    const LONGEST_NAME: usize = 9;

    impl Scale {
        fn of(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for v in values.filter(|v| v.is_finite() && (!axis.logarithmic || *v > 0.0)) {
                (low, high) = (low.min(v), high.max(v));
            }
            if let Some((a, b)) = axis.limits {
                (low, high) = (low.max(a).min(b), high.min(b).max(a));
            }
            if low > high {
                (low, high) = (1.0, 10.0);
            }
            if axis.logarithmic {
                // half a decade at least, a margin of a twentieth
                let margin = (0.05 * (high / low).log10()).max(0.1);
                let wide = 10f64.powf(margin);
                (low, high) = (low / wide, high * wide);
            } else {
                let margin = (0.05 * (high - low)).max(1e-12);
                (low, high) = (low - margin, high + margin);
            }
            Self {
                low,
                high,
                logarithmic: axis.logarithmic,
                names: axis.names.clone(),
            }
        }

        fn contains(&self, v: f64) -> bool {
            v >= self.low && v <= self.high
        }
    }

    impl Ranged for Scale {
        type FormatOption = NoDefaultFormatting;
        type ValueType = f64;

        fn map(&self, v: &f64, (from, to): (i32, i32)) -> i32 {
            let share = if self.logarithmic {
                (v / self.low).ln() / (self.high / self.low).ln()
            } else {
                (v - self.low) / (self.high - self.low)
            };
            from + (f64::from(to - from) * share).round() as i32
        }

        fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
            if !self.names.is_empty() {
                let stride = self.names.len().div_ceil(hint.bold_points().clamp(1, 8));
                let all = (0..self.names.len()).step_by(stride).map(|i| i as f64);
                return all.filter(|v| self.contains(*v)).collect();
            }
            if !self.logarithmic {
                return RangedCoordf64::from(self.low..self.high).key_points(hint);
            }
            let (first, last) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
            let most = i32::try_from(hint.bold_points()).unwrap_or(10).clamp(2, 8);
            let stride = ((last - first) / most + 1).max(1);
            if last > first {
                return (first..=last)
                    .filter(|d| d.rem_euclid(stride) == 0)
                    .map(|d| 10f64.powi(d))
                    .collect();
            }
            // less than two decades: 1, 2, 5
            (first - 1..=last + 1)
                .flat_map(|d| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(d)))
                .filter(|v| self.contains(*v))
                .collect()
        }

        fn range(&self) -> Range<f64> {
            self.low..self.high
        }
    }

    impl ValueFormatter<f64> for Scale {
        fn format_ext(&self, v: &f64) -> String {
            // (key points are whole numbers there)
            if let Some(name) = self.names.get(*v as usize) {
                return match name.char_indices().nth(LONGEST_NAME) {
                    Some((end, _)) => format!("{}…", &name[..end]),
                    None => name.clone(),
                };
            }
            if self.logarithmic && (*v < 0.01 || *v >= 1e4) {
                return format!("{v:.0e}");
            }
            let digits = if self.logarithmic {
                0
            } else {
                (2.0 - (self.high - self.low).log10()).max(0.0) as usize
            };
            let text = if self.logarithmic {
                format!("{v}")
            } else {
                format!("{v:.digits$}")
            };
            match text.contains('.') && !self.logarithmic {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }

    /// Drops points that fall within three pixels of the last kept one, on axes of 1000: pictures stay small. The ends stay.
    fn thin(points: &[(f64, f64)], x: &Scale, y: &Scale) -> Vec<(f64, f64)> {
        let pixel = |scale: &Scale, v: f64| scale.map(&v, (0, 1000));
        let mut out: Vec<(f64, f64)> = Vec::new();
        for (i, p) in points.iter().enumerate() {
            let far = |q: &(f64, f64)| {
                (pixel(x, p.0) - pixel(x, q.0)).abs() >= 3 || (pixel(y, p.1) - pixel(y, q.1)).abs() >= 3
            };
            if i + 1 == points.len() || out.last().is_none_or(far) {
                out.push(*p);
            }
        }
        out
    }

    /// Drops points that lie where their neighbours do, on a level line of a picture of 1000 pixels.
    fn without_level(points: &[(f64, f64)], y: &Scale) -> Vec<(f64, f64)> {
        let pixel = |i: usize| y.map(&points[i].1, (0, 1000));
        let level =
            |i: usize| i > 0 && i + 1 < points.len() && pixel(i - 1) == pixel(i) && pixel(i) == pixel(i + 1);
        let kept = (0..points.len()).filter(|i| !level(*i));
        kept.map(|i| points[i]).collect()
    }

    /// The parts of a curve inside the panel, cut where it leaves.
    fn pieces(s: &Series, x: &Scale, y: &Scale) -> Vec<Vec<(f64, f64)>> {
        let mut out = vec![Vec::new()];
        for (a, b) in s.points.iter().copied() {
            if x.contains(a) && y.contains(b) {
                if let Some(piece) = out.last_mut() {
                    piece.push((a, b));
                }
            } else if out.last().is_some_and(|p| !p.is_empty()) {
                out.push(Vec::new());
            }
        }
        out.retain(|p| !p.is_empty());
        if matches!(s.style, Style::Line | Style::Dashed) {
            out = out.iter().map(|p| without_level(&thin(p, x, y), y)).collect();
        }
        out
    }

    fn panel<DB: DrawingBackend>(area: &DrawingArea<DB, plotters::coord::Shift>, p: &Panel) -> Outcome
    where
        DB::ErrorType: 'static,
    {
        let points = || p.series.iter().flat_map(|s| s.points.iter());
        let x = Scale::of(&p.x, points().map(|q| q.0));
        let stems = p.series.iter().any(|s| s.style == Style::Stems);
        let y = Scale::of(&p.y, points().map(|q| q.1).chain(stems.then_some(0.0)));
        // not as a caption, whose distance from the plot plotters gives in its own pixels
        let title = TextStyle::from(("sans-serif", 15 * FINE).into_font());
        let middle = (area.dim_in_pixel().0 / 2) as i32;
        let top = Pos::new(HPos::Center, VPos::Top);
        area.draw_text(&p.title, &title.pos(top), (middle, 9 * FINE as i32))?;
        let mut chart = ChartBuilder::on(area)
            .margin(8 * FINE)
            .margin_top(32 * FINE)
            .margin_right(18 * FINE)
            .x_label_area_size(42 * FINE)
            .y_label_area_size(62 * FINE)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225).stroke_width(FINE))
            .axis_style(BLACK.stroke_width(FINE))
            .set_all_tick_mark_size(5 * FINE)
            .x_desc(p.x.label.as_str())
            .y_desc(p.y.label.as_str())
            .x_labels(7)
            .y_labels(8)
            .label_style(("sans-serif", 12 * FINE))
            .axis_desc_style(("sans-serif", 13 * FINE))
            .draw()?;
        for s in &p.series {
            let colour = PALETTE[s.colour % PALETTE.len()];
            let thick = colour.filled().stroke_width(2 * FINE);
            let thin = colour.stroke_width(FINE);
            for piece in pieces(s, &x, &y) {
                match s.style {
                    Style::Dashed => {
                        chart.draw_series(DashedLineSeries::new(piece, 7 * FINE, 4 * FINE, thick))?;
                    }
                    Style::Line => {
                        chart.draw_series(LineSeries::new(piece, thick))?;
                    }
                    Style::Marked => {
                        chart.draw_series(LineSeries::new(piece, thick).point_size(3 * FINE))?;
                    }
                    Style::Points => {
                        let dots = piece.into_iter().map(|q| Circle::new(q, 2 * FINE, thick));
                        chart.draw_series(dots)?;
                    }
                    Style::Stems => {
                        let lines = piece.iter().filter(|q| q.1 != 0.0);
                        chart.draw_series(lines.map(|q| PathElement::new(vec![(q.0, 0.0), *q], thin)))?;
                        let dots = piece.iter().map(|q| Circle::new(*q, 2 * FINE, thick));
                        chart.draw_series(dots)?;
                    }
                    Style::Ticks => {
                        let half = 4 * FINE as i32;
                        let bar = |q: (f64, f64)| {
                            EmptyElement::at(q) + PathElement::new(vec![(-half, 0), (half, 0)], thick)
                        };
                        chart.draw_series(piece.into_iter().map(bar))?;
                    }
                }
            }
        }
        Ok(())
    }

    impl Figure {
        /// The entries of the legend, each name once.
        fn entries(&self) -> Vec<&Series> {
            let mut out: Vec<&Series> = Vec::new();
            for s in self.panels.iter().flat_map(|p| &p.series) {
                if !s.name.is_empty() && out.iter().all(|o| o.name != s.name) {
                    out.push(s);
                }
            }
            out
        }

        pub(crate) fn draw(&self, path: &Path) -> Outcome {
            Ok(std::fs::write(path, self.svg()?)?)
        }

        pub(crate) fn svg(&self) -> Result<String, Box<dyn std::error::Error>> {
            let mut text = String::new();
            self.draw_into(&mut text)?;
            Ok(text)
        }

        fn draw_into(&self, text: &mut String) -> Outcome {
            let columns = self.columns.min(self.panels.len()).max(1);
            let rows = self.panels.len().div_ceil(columns);
            // a single panel is wider, for its legend
            let width = if columns == 1 {
                640
            } else {
                PANEL.0 * columns as u32
            };
            let entries = self.entries();
            let longest = entries.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
            let cell = 52.0 + CHARACTER * longest as f64;
            let per_row = ((f64::from(width) - 40.0) / cell).floor().max(1.0) as usize;
            let legend = LEGEND_ROW * entries.len().div_ceil(per_row) as u32 + 12;
            let height = PANEL.1 * rows as u32;
            let (all, shown) = (height + legend, text.len());
            let root = SVGBackend::with_string(text, (width * FINE, all * FINE)).into_drawing_area();
            root.fill(&WHITE)?;
            let (plots, below) = root.split_vertically(height * FINE);
            for (area, p) in plots.split_evenly((rows, columns)).iter().zip(&self.panels) {
                panel(area, p)?;
            }
            for (i, s) in entries.iter().enumerate() {
                let (row, column) = (i / per_row, i % per_row);
                let left = 30 + (cell * column as f64) as i32;
                let middle = LEGEND_ROW as i32 * row as i32 + 12;
                let at = |right: i32, down: i32| {
                    let fine = FINE as i32;
                    (fine * (left + right), fine * (middle + down))
                };
                let thick = PALETTE[s.colour % PALETTE.len()].filled().stroke_width(2 * FINE);
                let ends = |a: i32, b: i32| PathElement::new(vec![at(a, 0), at(b, 0)], thick);
                let dot = |size: u32| Circle::new(at(16, 0), size * FINE, thick);
                match s.style {
                    Style::Dashed => {
                        below.draw(&ends(0, 8))?;
                        below.draw(&ends(12, 20))?;
                        below.draw(&ends(24, 32))?;
                    }
                    Style::Line => below.draw(&ends(0, 32))?,
                    Style::Points => below.draw(&dot(2))?,
                    Style::Ticks => below.draw(&ends(12, 20))?,
                    Style::Marked | Style::Stems => {
                        below.draw(&ends(0, 32))?;
                        below.draw(&dot(3))?;
                    }
                }
                let words = TextStyle::from(("sans-serif", 13 * FINE).into_font());
                below.draw_text(&s.name, &words, at(38, -6))?;
            }
            root.present()?;
            drop((plots, below, root));
            // shown at size: the view box keeps the fine coordinates
            let drawn = format!("width=\"{}\" height=\"{}\"", width * FINE, all * FINE);
            let wanted = format!("width=\"{width}\" height=\"{all}\"");
            match text[shown..].find(&drawn) {
                Some(at) => text.replace_range(shown + at..shown + at + drawn.len(), &wanted),
                None => return Err("the head of the SVG is not as expected".into()),
            }
            Ok(())
        }
    }
}
