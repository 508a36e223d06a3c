//! Recording of a run of a flow: what to record, and the record.

use super::monitors::{Moment, Monitor};
use crate::checks::check_finite;
use crate::{Error, Result, Scalar};
use std::io::{self, Write};

/// What to record of a run, and when. Nothing by default, and then nothing is allocated.
///
/// ```
/// use reparam::{Integrate, flows::Recording, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(2)).unwrap().start_u0(0.1).until_time(2.0)
///     .record(Recording::at_times(&[0.0, 1.0, 2.0]).unwrap().coordinates(&[1]))
///     .run().unwrap();
/// assert_eq!(run.trajectory.column("t").unwrap(), [0.0, 1.0, 2.0]);
/// assert_eq!(run.trajectory.column("x[1]").unwrap()[0], 0.1 * 0.1);
/// ```
pub struct Recording<'a, T> {
    every: Option<usize>,
    per_decade: Option<u32>,
    times: Vec<T>,
    coordinates: Vec<usize>,
    monitors: Vec<Box<dyn Monitor<T> + Send + 'a>>,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Recording<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("every", &self.every)
            .field("per_decade", &self.per_decade)
            .field("times", &self.times)
            .field("coordinates", &self.coordinates)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Scalar> Recording<'a, T> {
    /// Nothing.
    ///
    /// ```
    /// assert!(!reparam::flows::Recording::<f64>::nothing().is_active());
    /// ```
    pub fn nothing() -> Self {
        Self {
            every: None,
            per_decade: None,
            times: Vec::new(),
            coordinates: Vec::new(),
            monitors: Vec::new(),
        }
    }

    /// The start, every k-th step and the last. (0 is taken for 1.)
    ///
    /// ```
    /// assert!(reparam::flows::Recording::<f64>::every(10).is_active());
    /// ```
    pub fn every(k: usize) -> Self {
        Self {
            every: Some(k.max(1)),
            ..Self::nothing()
        }
    }

    /// The start, the last step, and about this many steps in each factor of ten of k: for logarithmic plots of long runs.
    ///
    /// ```
    /// assert!(reparam::flows::Recording::<f64>::per_decade(20).is_active());
    /// ```
    pub fn per_decade(count: u32) -> Self {
        Self {
            per_decade: Some(count.max(1)),
            ..Self::nothing()
        }
    }

    /// At these times of the dynamics, in increasing order. Integrators of differential equations interpolate (Dormand–Prince to
    /// fourth order, the others by cubic Hermite polynomials) and f is evaluated there; other schemes record the first step at or
    /// after each time.
    ///
    /// # Errors
    /// [`Error::NotFinite`], or [`Error::Setting`] when they do not increase.
    ///
    /// ```
    /// assert!(reparam::flows::Recording::at_times(&[2.0, 1.0]).is_err());
    /// ```
    pub fn at_times(times: &[T]) -> Result<Self> {
        check_finite("recording times", times)?;
        if times.windows(2).any(|w| w[0] >= w[1]) {
            return Err(Error::Setting {
                name: "recording times",
                why: "must increase",
            });
        }
        Ok(Self {
            times: times.to_vec(),
            ..Self::nothing()
        })
    }

    /// Also the start, every k-th step and the last. With [`also_at_times`](Self::also_at_times) and
    /// [`also_per_decade`](Self::also_per_decade) the choices of moments combine: one row for each moment that any of them selects, in the order
    /// of time.
    ///
    /// ```
    /// use reparam::{Integrate, flows::{GradientFlow, Recording}, integrators::RungeKutta, maps::Squares, objectives::LeastSquares};
    /// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64, 0.5; 0.5, 1.0], &[1.0, 1.0]).unwrap();
    /// let run = Integrate::new(f, Squares::new(2)).unwrap().integrator(RungeKutta::classical(GradientFlow::new(), 0.25).unwrap())
    ///     .start_u0(0.1).ignore_residual().until_time(1.0)
    ///     .record(Recording::at_times(&[0.1, 0.5]).unwrap().also_every(2)).run().unwrap();
    /// assert_eq!(run.trajectory.column("t").unwrap(), [0.0, 0.1, 0.5, 1.0]);
    /// assert_eq!(run.trajectory.steps(), [0, 1, 2, 4]); // (0.1 lies within the first step)
    /// ```
    pub fn also_every(mut self, k: usize) -> Self {
        self.every = Some(k.max(1));
        self
    }

    /// Also the start, the last step, and about this many steps in each factor of ten of k.
    ///
    /// ```
    /// assert!(reparam::flows::Recording::at_times(&[1.0]).unwrap().also_per_decade(20).is_active());
    /// ```
    pub fn also_per_decade(mut self, count: u32) -> Self {
        self.per_decade = Some(count.max(1));
        self
    }

    /// Also at these times.
    ///
    /// # Errors
    /// As [`at_times`](Self::at_times).
    ///
    /// ```
    /// assert!(reparam::flows::Recording::every(10).also_at_times(&[1.0, 2.0]).is_ok());
    /// assert!(reparam::flows::Recording::every(10).also_at_times(&[f64::NAN]).is_err());
    /// ```
    pub fn also_at_times(mut self, times: &[T]) -> Result<Self> {
        self.times.extend(Self::at_times(times)?.times);
        self.times
            .sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        self.times.dedup();
        Ok(self)
    }

    /// Also these coordinates of x, as columns `x[j]`. Checked by [`Integrate::run`](crate::Integrate::run).
    ///
    /// ```
    /// let _ = reparam::flows::Recording::<f64>::every(1).coordinates(&[0, 7]);
    /// ```
    pub fn coordinates(mut self, indices: &[usize]) -> Self {
        self.coordinates.extend_from_slice(indices);
        self
    }

    /// Also the columns of a [monitor](crate::flows::monitors).
    ///
    /// ```
    /// use reparam::flows::{Recording, monitors::Bregman};
    /// let _ = Recording::every(1).monitor(Bregman::new(2, &[1.0], 0.0).unwrap());
    /// ```
    pub fn monitor(mut self, monitor: impl Monitor<T> + Send + 'a) -> Self {
        self.monitors.push(Box::new(monitor));
        self
    }

    /// Whether anything is recorded.
    ///
    /// ```
    /// assert!(reparam::flows::Recording::at_times(&[1.0]).unwrap().is_active());
    /// ```
    pub fn is_active(&self) -> bool {
        self.every.is_some() || self.per_decade.is_some() || !self.times.is_empty()
    }
}

/// The writer of a trajectory.
pub(crate) struct Recorder<'a, T> {
    recording: Recording<'a, T>,
    pub(crate) trajectory: Trajectory<T>,
    next_time: usize,
    last: Option<(usize, T)>,
}

impl<'a, T: Scalar> Recorder<'a, T> {
    /// `from`: the time from which on a resumed run records (times up to it have been).
    pub(crate) fn new(recording: Recording<'a, T>, n: usize, from: Option<(usize, T)>) -> Result<Self> {
        if let Some(j) = recording.coordinates.iter().find(|j| **j >= n) {
            return Err(Error::Data {
                what: "recorded coordinates",
                index: recording.coordinates.iter().position(|i| i == j).unwrap_or(0),
                value: T::count(*j).as_f64(),
                why: "is not a coordinate of x",
            });
        }
        for m in &recording.monitors {
            m.check(n)?;
        }
        let mut columns: Vec<String> = ["t", "value", "natural_residual"].map(String::from).to_vec();
        for m in &recording.monitors {
            for name in m.columns() {
                // a second monitor with columns of the same name: `bound`, `bound#2`, …
                let numbered = |k: usize| {
                    if k == 1 {
                        (*name).to_string()
                    } else {
                        format!("{name}#{k}")
                    }
                };
                let free = (1..).map(numbered).find(|c| !columns.contains(c));
                columns.extend(free);
            }
        }
        columns.extend(recording.coordinates.iter().map(|j| format!("x[{j}]")));
        let next_time = from.map_or(0, |(_, t)| recording.times.partition_point(|s| *s <= t));
        Ok(Self {
            recording,
            trajectory: Trajectory {
                columns,
                steps: Vec::new(),
                data: Vec::new(),
            },
            next_time,
            last: from,
        })
    }

    /// The next chosen time, if it is at most t.
    pub(crate) fn due(&self, t: T) -> Option<T> {
        self.recording
            .times
            .get(self.next_time)
            .copied()
            .filter(|s| *s <= t)
    }

    /// The next chosen time is done.
    pub(crate) fn done(&mut self) {
        self.next_time += 1;
    }

    /// Whether step k is one to record.
    pub(crate) fn wants(&self, k: usize, last: bool) -> bool {
        let r = &self.recording;
        let first_or_last = k == 0 || last;
        let new = self.last.is_none_or(|(j, _)| k > j);
        let chosen = r
            .every
            .is_some_and(|every| first_or_last || k.is_multiple_of(every))
            || r.per_decade.is_some_and(|count| {
                // the first k of each geometric bin
                let bin = |k: usize| (T::count(k).as_f64().log10() * f64::from(count)).floor();
                first_or_last || k == 1 || bin(k) > bin(k - 1)
            });
        new && chosen
    }

    /// Step k was written for another reason.
    pub(crate) fn saw(&mut self, k: usize, t: T) {
        self.last = Some((k, t));
    }

    pub(crate) fn write(&mut self, m: &Moment<'_, T>, chosen_time: bool) {
        let t = &mut self.trajectory;
        t.steps.push(m.k);
        t.data.extend([m.t, m.value, m.natural_residual]);
        for monitor in &mut self.recording.monitors {
            let from = t.data.len();
            t.data.resize(from + monitor.columns().len(), T::nan());
            monitor.observe(m, &mut t.data[from..]);
        }
        t.data.extend(self.recording.coordinates.iter().map(|j| m.x[*j]));
        if !chosen_time {
            self.last = Some((m.k, m.t));
        }
    }
}

/// A table of a run: one row per recorded moment, with k (the steps so far), t, f(x), ρ(x), the columns of the monitors, and the
/// chosen coordinates of x. With the feature `serde` it can be written and read.
///
/// ```
/// use reparam::{Integrate, flows::Recording, maps::Squares, objectives::LeastSquares};
/// let f = LeastSquares::new(nalgebra::dmatrix![1.0_f64], &[1.0]).unwrap();
/// let run = Integrate::new(f, Squares::new(1)).unwrap().start_x0(0.01).until_time(1.0)
///     .record(Recording::every(1)).run().unwrap();
/// let values = run.trajectory.column("value").unwrap();
/// assert!(values.windows(2).all(|w| w[1] < w[0])); // f decreases along the flow
/// let mut csv = Vec::new();
/// run.trajectory.write_csv(&mut csv).unwrap();
/// assert!(String::from_utf8(csv).unwrap().starts_with("k,t,value,natural_residual\n0,"));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trajectory<T> {
    columns: Vec<String>,
    steps: Vec<usize>,
    /// row after row
    #[cfg_attr(
        feature = "serde",
        serde(
            with = "non_finite",
            bound(
                serialize = "T: Scalar + serde::Serialize",
                deserialize = "T: Scalar + serde::Deserialize<'de>"
            )
        )
    )]
    data: Vec<T>,
}

/// Bounds are +∞ at t = 0, and JSON has no such number: what is not finite is written as a word.
#[cfg(feature = "serde")]
mod non_finite {
    use crate::Scalar;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Entry<T> {
        Number(T),
        Word(String),
    }

    pub(super) fn serialize<T: Scalar + Serialize, S: Serializer>(
        data: &[T],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(data.iter().map(|v| {
            if v.is_finite() {
                Entry::Number(*v)
            } else {
                Entry::Word(format!("{:?}", v.as_f64()))
            }
        }))
    }

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Vec<T>, D::Error>
    where
        T: Scalar + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        let entries = Vec::<Entry<T>>::deserialize(from)?;
        let value = |entry| match entry {
            Entry::Number(v) => Ok(v),
            Entry::Word(w) => match w.as_str() {
                "inf" => Ok(T::infinity()),
                "-inf" => Ok(T::neg_infinity()),
                "NaN" => Ok(T::nan()),
                _ => Err(D::Error::custom(format!("{w} is no number"))),
            },
        };
        entries.into_iter().map(value).collect()
    }
}

impl<T: Scalar> Trajectory<T> {
    /// The names of the columns, without k.
    ///
    /// ```
    /// assert!(reparam::flows::Trajectory::<f64>::default().columns().is_empty());
    /// ```
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The number of rows.
    ///
    /// ```
    /// assert_eq!(reparam::flows::Trajectory::<f64>::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was recorded.
    ///
    /// ```
    /// assert!(reparam::flows::Trajectory::<f64>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// k of each row.
    ///
    /// ```
    /// assert!(reparam::flows::Trajectory::<f32>::default().steps().is_empty());
    /// ```
    pub fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// A column by its name: `t`, `value`, `natural_residual`, a monitor's, or `x[j]`. None when there is no such column.
    ///
    /// ```
    /// assert!(reparam::flows::Trajectory::<f64>::default().column("t").is_none());
    /// ```
    pub fn column(&self, name: &str) -> Option<Vec<T>> {
        let j = self.columns.iter().position(|c| c == name)?;
        Some(self.rows().map(|row| row[j]).collect())
    }

    /// The rows, each as long as [`columns`](Self::columns).
    ///
    /// ```
    /// assert_eq!(reparam::flows::Trajectory::<f64>::default().rows().count(), 0);
    /// ```
    pub fn rows(&self) -> impl Iterator<Item = &[T]> {
        self.data.chunks_exact(self.columns.len().max(1))
    }

    /// Writes a header and one line per row; numbers with all their digits.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// let mut out = Vec::new();
    /// reparam::flows::Trajectory::<f64>::default().write_csv(&mut out).unwrap();
    /// assert_eq!(out, b"k\n");
    /// ```
    pub fn write_csv(&self, mut to: impl Write) -> io::Result<()> {
        write!(to, "k")?;
        for c in &self.columns {
            write!(to, ",{c}")?;
        }
        writeln!(to)?;
        for (k, row) in self.steps.iter().zip(self.rows()) {
            write!(to, "{k}")?;
            for v in row {
                write!(to, ",{v:e}")?;
            }
            writeln!(to)?;
        }
        to.flush()
    }
}
