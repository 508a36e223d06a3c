//! The terminal: interrupts, the progress line, and output to a pipe that may be closed.

use crate::error::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reparam::CancelToken;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// The shell's status of a program that an interrupt ended: 128 + SIGINT.
const ABORTED: i32 = 130;

/// A first interrupt raises the token, so that the best x so far is written; a second one aborts at once.
pub(crate) fn catch_interrupts() -> Result<CancelToken, Failure> {
    let token = CancelToken::new();
    let raised = token.clone();
    let handler = move || {
        if raised.is_cancelled() {
            crate::write::discard_unfinished();
            std::process::exit(ABORTED);
        }
        raised.cancel();
        if io::stderr().is_terminal() {
            complain("stopping at the next step (Ctrl-C once more aborts, and writes nothing)");
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Failure::Environment {
        what: "interrupts cannot be caught",
        why: e.to_string(),
    })?;
    Ok(token)
}

/// What is being done and for how long, on standard error, and only when somebody watches.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn start() -> Self {
        if !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // the template is a constant; should it be refused, indicatif's own style does
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    pub(crate) fn say(&self, what: String) {
        self.0.set_message(what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line on standard output, or on standard error where x has taken standard output. A reader that has gone away
/// (`reparam … | head`) is not an error.
pub(crate) fn print(text: &str, taken: bool) -> Result<(), Failure> {
    let (mut out, what): (Box<dyn Write>, _) = if taken {
        (Box::new(io::stderr().lock()), "standard error")
    } else {
        (Box::new(io::stdout().lock()), "standard output")
    };
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Environment {
            what,
            why: crate::error::plain(&e),
        }),
        _ => Ok(()),
    }
}

/// A line on standard error, prefixed with the program's name. It may quote a damaged file or a strange file name:
/// control characters, line breaks among them, are not passed on.
pub(crate) fn complain(text: &str) {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    // nowhere is left to report a failure of this
    let _ = writeln!(io::stderr().lock(), "reparam: {line}");
}
