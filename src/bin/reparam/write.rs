//! Writes x. The file appears under its final name only when it is complete.

use crate::error::{Failure, Fault};
use crate::read::{Kind, Names};
use npyz::WriterBuilder;
use reparam::Solution;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A place where the answer can go, found before the work begins.
pub(crate) struct Output {
    /// As the user wrote it.
    path: PathBuf,
    place: Place,
}

enum Place {
    /// A regular file, there already or not: the complete answer replaces it.
    File {
        /// The file itself, behind symbolic links, so that they stay links.
        target: PathBuf,
        /// The directory of `target`.
        directory: PathBuf,
    },
    /// A pipe or a device: written to, as it cannot be replaced.
    Stream(Identity),
    /// The program's standard output, whatever it is and by whatever name (/dev/stdout).
    StandardOutput(Identity),
}

/// What tells a file from others, whatever its names: device and number. None for devices of characters such as /dev/null or a
/// terminal, which nothing that is written can spoil.
type Identity = Option<(u64, u64)>;

#[cfg(unix)]
fn identity(of: &Metadata) -> Identity {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    (!of.file_type().is_char_device()).then(|| (of.dev(), of.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    None
}

/// The identity of the program's standard output.
#[cfg(unix)]
fn standard_output() -> Identity {
    use std::os::fd::AsFd;
    let copy = io::stdout().as_fd().try_clone_to_owned().ok()?;
    identity(&File::from(copy).metadata().ok()?)
}

#[cfg(not(unix))]
fn standard_output() -> Identity {
    None
}

/// The temporary file that is being written, for an interrupt that ends the program in the middle.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

fn unfinished() -> MutexGuard<'static, Option<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the file that is being written, if there is one: the program ends now.
pub(crate) fn discard_unfinished() {
    if let Some(path) = unfinished().take() {
        // nowhere is left to report a failure of this
        let _ = fs::remove_file(path);
    }
}

/// A file larger than the system allows is then an error of the write that meets the limit. Without this the signal SIGXFSZ kills
/// the program there.
pub(crate) fn report_limits_of_size() -> Result<(), Failure> {
    #[cfg(unix)]
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).map_err(|e| {
        Failure::Environment {
            what: "the signal of the limit of file sizes cannot be caught",
            why: e.to_string(),
        }
    })?;
    Ok(())
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
        let found = |place| {
            Ok(Self {
                path: path.to_path_buf(),
                place,
            })
        };
        let target = match fs::metadata(path) {
            Ok(existing) => {
                if existing.is_dir() {
                    return Err(unwritable("it is a directory"));
                }
                let this = identity(&existing);
                if this.is_some() && this == standard_output() {
                    return found(Place::StandardOutput(this));
                }
                if !existing.is_file() {
                    return found(Place::Stream(this));
                }
                match fs::canonicalize(path) {
                    Ok(target) if fs::metadata(&target).is_ok_and(|m| identity(&m) == this) => {
                        check_not_read_only(&target, &existing)?;
                        target
                    }
                    // open (/dev/fd/3), but in no directory any more
                    _ => return found(Place::Stream(this)),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => behind_links(path),
            Err(e) => return Err(Fault::io("cannot be written")(e)),
        };
        if target.file_name().is_none() {
            return Err(unwritable("it does not name a file"));
        }
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
        // says now, not after the solve, that files cannot be made here; this one has no name and is gone at once
        tempfile::tempfile_in(&directory).map_err(Fault::io("cannot be written"))?;
        found(Place::File { target, directory })
    }

    /// Whether what is written goes to standard output, where nothing else may stand beside it.
    pub(crate) fn is_standard_output(&self) -> bool {
        matches!(self.place, Place::StandardOutput(_))
    }

    /// Writes the answers as one array: (n,), (n, k), or (k, n) for a batch. Text has their names, where there are some.
    pub(crate) fn write(
        &self,
        solutions: &[Solution<f64>],
        kind: Kind,
        names: &Names,
    ) -> Result<(), Failure> {
        let columns = solutions.first().map_or(0, |s| s.x.len());
        if crate::read::is_text(&self.path) {
            return self.put(|file| write_table(file, solutions, columns, kind, names, self.separator()));
        }
        self.put(|file| write_array(file, solutions, columns, kind))
    }

    /// Writes a text.
    #[cfg(feature = "plot")]
    pub(crate) fn write_text(&self, text: &str) -> Result<(), Failure> {
        self.put(|file| file.write_all(text.as_bytes()))
    }

    /// What stands between the numbers of a line.
    fn separator(&self) -> char {
        let extension = self.path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match extension.as_ref().and_then(|e| e.to_str()) {
            Some("csv") => ',',
            _ => '\t',
        }
    }

    /// Refuses to write over a file that the problem is read from, or over the other answer.
    pub(crate) fn spare(&self, read: &[&Path], other: Option<&Output>) -> Result<(), Failure> {
        let is_read = |path: &Path| match &self.place {
            // (a second name of the file that is read keeps the old contents, as the new ones are another file)
            Place::File { target, .. } => {
                let place = |path: &Path| fs::canonicalize(path).ok();
                place(target).is_some_and(|here| place(path) == Some(here))
            }
            Place::Stream(this) | Place::StandardOutput(this) => {
                this.is_some() && fs::metadata(path).is_ok_and(|m| identity(&m) == *this)
            }
        };
        let refuse = |why: &str| Err(Fault::Unwritable(why.into()).of(&self.path));
        if read.iter().any(|path| is_read(path)) {
            return refuse("the problem is read from it");
        }
        match other {
            Some(other) if self.place.is(&other.place) => refuse("x goes there"),
            _ => Ok(()),
        }
    }

    fn put(&self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let written = match &self.place {
            Place::File { target, directory } => replace(target, directory, fill),
            // (not created: should it have gone since, a file of this name would be another thing)
            Place::Stream(_) => File::options()
                .write(true)
                .truncate(true)
                .open(&self.path)
                .and_then(|mut file| fill(&mut file)),
            Place::StandardOutput(_) => fill(&mut io::stdout().lock()),
        };
        written.map_err(|e| Fault::io("cannot be written")(e).of(&self.path))
    }
}

impl Place {
    /// Whether two names stand for one place that can hold only one thing.
    fn is(&self, other: &Self) -> bool {
        let within = |directory: &Path, target: &Path| {
            Some((fs::canonicalize(directory).ok()?, target.file_name()?.to_owned()))
        };
        match (self, other) {
            (
                Self::File { target, directory },
                Self::File {
                    target: t,
                    directory: d,
                },
            ) => within(directory, target) == within(d, t),
            (Self::Stream(a) | Self::StandardOutput(a), Self::Stream(b) | Self::StandardOutput(b)) => {
                a.is_some() && a == b
            }
            _ => false,
        }
    }
}

/// The file that a name leads to through symbolic links, the last of which may point to a file that is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    // as many as Linux follows
    const LINKS: usize = 40;
    let mut target = path.to_path_buf();
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&target) else {
            break;
        };
        target = match target.parent() {
            Some(directory) => directory.join(next),
            None => next,
        };
    }
    target
}

/// Replacing a file asks for no permission to write to it: so it is asked for here.
fn check_not_read_only(target: &Path, existing: &Metadata) -> Result<(), Fault> {
    let refused = match File::options().write(true).open(target) {
        // (nothing stops root; the owner's wish is in the permissions)
        Ok(_) => existing.permissions().readonly(),
        Err(e) => matches!(
            e.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        ),
    };
    if refused {
        return Err(Fault::Unwritable("the file is read-only".into()));
    }
    Ok(())
}

/// Into a new file beside the old one, which takes its place when it is complete.
fn replace(
    target: &Path,
    directory: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".reparam-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // as for any new file, the umask takes from this; the default of temporary files is private
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut temporary = builder.tempfile_in(directory)?;
    *unfinished() = Some(temporary.path().to_path_buf());
    fill(temporary.as_file_mut())?;
    temporary.as_file().sync_all()?;
    if let Ok(old) = fs::metadata(target) {
        // overwriting a file leaves its permissions alone
        temporary.as_file().set_permissions(old.permissions())?;
    }
    temporary.persist(target)?;
    *unfinished() = None;
    Ok(())
}

/// Text: the rows of the array that `write_array` writes, of which a vector is a column. What is written is read back bit for bit.
/// With names (of entries, of right-hand sides, or both) there is a line above and a column before the numbers, as pandas and R write
/// them; where only one kind has names the others are counted from 0.
fn write_table<W: Write>(
    file: W,
    solutions: &[Solution<f64>],
    columns: usize,
    kind: Kind,
    names: &Names,
    separator: char,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let (down, across) = match kind {
        Kind::Vector | Kind::Columns(_) => (&names.columns, &names.answers),
        Kind::Batch(_) => (&names.answers, &names.columns),
    };
    let named = down.is_some() || across.is_some();
    let (height, width) = match kind {
        Kind::Vector | Kind::Columns(_) => (columns, solutions.len()),
        Kind::Batch(_) => (solutions.len(), columns),
    };
    let name = |names: &Option<Vec<String>>, k: usize| match names {
        Some(names) => quoted(names.get(k).map_or("", String::as_str)),
        None => k.to_string(),
    };
    if named {
        write!(out, "\"\"")?;
        for k in 0..width {
            let name = match kind {
                Kind::Vector => quoted("x"),
                _ => name(across, k),
            };
            write!(out, "{separator}{name}")?;
        }
        writeln!(out)?;
    }
    for i in 0..height {
        if named {
            write!(out, "{}{separator}", name(down, i))?;
        }
        for k in 0..width {
            let x = match kind {
                Kind::Vector | Kind::Columns(_) => solutions[k].x[i],
                Kind::Batch(_) => solutions[i].x[k],
            };
            if k > 0 {
                write!(out, "{separator}")?;
            }
            write!(out, "{x:?}")?;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// A name in quotation marks: what stands in it separates nothing, and is neither a number nor a comment.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An interrupt that ends the program in the middle of a write leaves the old file and nothing beside it.
    #[test]
    fn what_is_unfinished_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x.npy");
        fs::write(&target, b"old").unwrap();
        let count = || fs::read_dir(folder.path()).unwrap().count();
        let ended = replace(&target, folder.path(), |file| {
            file.write_all(b"half of the ne")?;
            assert_eq!(count(), 2);
            discard_unfinished();
            assert_eq!(count(), 1);
            Ok(())
        });
        assert!(ended.is_err());
        assert_eq!((fs::read(&target).unwrap(), count()), (b"old".to_vec(), 1));
        // and a failed write removes its own
        let ended = replace(&target, folder.path(), |_| Err(io::Error::other("full")));
        assert!(ended.is_err());
        assert_eq!((fs::read(&target).unwrap(), count()), (b"old".to_vec(), 1));
    }
}
