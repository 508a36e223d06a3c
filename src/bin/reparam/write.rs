//! Writing x: all of it under its final name, or nothing.

use crate::error::{Failure, Fault};
use crate::read::Kind;
use npyz::WriterBuilder;
use reparam::Solution;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A place where the answer can go, found before the work begins.
pub(crate) struct Output {
    /// As the user wrote it.
    path: PathBuf,
    /// The file itself, behind symbolic links, so that they stay links.
    target: PathBuf,
    /// The directory of `target`.
    directory: PathBuf,
    /// A device such as /dev/null: there is nothing to replace.
    device: bool,
}

/// Refuses a name that promises a format which x is not written in.
pub(crate) fn check_name(path: &Path) -> Result<(), Failure> {
    match path.extension() {
        Some(extension) if !extension.eq_ignore_ascii_case("npy") && !crate::read::is_text(path) => {
            Err(Fault::Unwritable("x is written as .npy, .csv, .tsv or .txt".into()).of(path))
        }
        _ => Ok(()),
    }
}

impl Output {
    /// Refuses a path at which no file can be made.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        Self::check(path).map_err(|fault| fault.of(path))
    }

    fn check(path: &Path) -> Result<Self, Fault> {
        let unwritable = |why: &str| Fault::Unwritable(why.into());
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(unwritable("it is a directory"));
        }
        if path.file_name().is_none() {
            return Err(unwritable("it does not name a file"));
        }
        let device = existing.as_ref().is_some_and(|m| !m.is_file());
        let target = if existing.is_some() {
            fs::canonicalize(path).map_err(Fault::io("cannot be written"))?
        } else {
            path.to_path_buf()
        };
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if !directory.is_dir() {
            return Err(Fault::Unwritable(format!(
                "the directory {} does not exist",
                directory.display()
            )));
        }
        if !device {
            // says now, not after the solve, that files cannot be made here; this one has no name and is gone at once
            tempfile::tempfile_in(&directory).map_err(Fault::io("cannot be written"))?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            target,
            directory,
            device,
        })
    }

    /// Writes the answers as one array: (n,), (n, k), or (k, n) for a batch.
    pub(crate) fn write(&self, solutions: &[Solution<f64>], kind: Kind) -> Result<(), Failure> {
        let columns = solutions.first().map_or(0, |s| s.x.len());
        if crate::read::is_text(&self.path) {
            return self.put(|file| write_table(file, solutions, columns, kind, self.separator()));
        }
        self.put(|file| write_array(file, solutions, columns, kind))
    }

    /// Writes a text.
    #[cfg(feature = "plot")]
    pub(crate) fn write_text(&self, text: &str) -> Result<(), Failure> {
        self.put(|mut file| file.write_all(text.as_bytes()))
    }

    /// What stands between the numbers of a line.
    fn separator(&self) -> char {
        let extension = self.path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match extension.as_ref().and_then(|e| e.to_str()) {
            Some("csv") => ',',
            _ => '\t',
        }
    }

    /// Refuses to write over a file that the problem is read from, or over the other answer. Devices are not written over.
    pub(crate) fn spare(&self, read: &[&Path], other: Option<&Output>) -> Result<(), Failure> {
        let place = |target: &Path| fs::canonicalize(target).ok();
        let refuse = |why: &str| Err(Fault::Unwritable(why.into()).of(&self.path));
        if self.device {
            return Ok(());
        }
        let here = place(&self.target);
        if here.is_some() && read.iter().any(|path| place(path) == here) {
            return refuse("the problem is read from it");
        }
        let within = |o: &Output| Some((place(&o.directory)?, o.target.file_name()?.to_owned()));
        match other {
            Some(other) if within(self) == within(other) => refuse("x goes there"),
            _ => Ok(()),
        }
    }

    fn put(&self, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<(), Failure> {
        let written = if self.device {
            File::create(&self.target).and_then(|file| fill(&file))
        } else {
            self.replace(fill)
        };
        written.map_err(|e| Fault::io("cannot be written")(e).of(&self.path))
    }

    /// Into a new file beside the old one, which takes its place when it is complete.
    fn replace(&self, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".reparam-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // as for any new file, the umask takes from this; the default of temporary files is private
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(&self.directory)?;
        fill(temporary.as_file())?;
        temporary.as_file().sync_all()?;
        if let Ok(old) = fs::metadata(&self.target) {
            // overwriting a file leaves its permissions alone
            temporary.as_file().set_permissions(old.permissions())?;
        }
        temporary.persist(&self.target)?;
        Ok(())
    }
}

/// Text: the rows of the array that `write_array` writes, of which a vector is a column. What is written is read back bit for bit.
fn write_table<W: Write>(
    file: W,
    solutions: &[Solution<f64>],
    columns: usize,
    kind: Kind,
    separator: char,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut line = |numbers: &mut dyn Iterator<Item = f64>| -> io::Result<()> {
        for (k, x) in numbers.enumerate() {
            if k > 0 {
                write!(out, "{separator}")?;
            }
            write!(out, "{x:?}")?;
        }
        writeln!(out)
    };
    match kind {
        Kind::Vector | Kind::Columns(_) => {
            for j in 0..columns {
                line(&mut solutions.iter().map(|s| s.x[j]))?;
            }
        }
        Kind::Batch(_) => {
            for s in solutions {
                line(&mut s.x.iter().copied())?;
            }
        }
    }
    out.flush()
}

/// numpy's format in C order.
fn write_array<W: Write>(file: W, solutions: &[Solution<f64>], columns: usize, kind: Kind) -> io::Result<()> {
    let (n, k) = (columns as u64, solutions.len() as u64);
    let shape = match kind {
        Kind::Vector => vec![n],
        Kind::Columns(_) => vec![n, k],
        Kind::Batch(_) => vec![k, n],
    };
    let mut buffered = BufWriter::new(file);
    let options = npyz::WriteOptions::<f64>::new().default_dtype().shape(&shape);
    let mut array = options.writer(&mut buffered).begin_nd()?;
    match kind {
        Kind::Columns(_) => {
            for j in 0..columns {
                array.extend(solutions.iter().map(|s| s.x[j]))?;
            }
        }
        Kind::Vector | Kind::Batch(_) => {
            for s in solutions {
                array.extend(s.x.iter().copied())?;
            }
        }
    }
    array.finish()?;
    buffered.flush()
}
