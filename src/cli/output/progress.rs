//! How far long work is: a bar on stderr, where that is a terminal, for what takes longer than half a second.

use std::io::{self, IsTerminal, Read, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units::Bytes;

/// What is done sooner is not worth a bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// The bar gets what the words leave of the terminal's width.
const LOOK: &str = "{msg} {percent}% [{wide_bar}] {binary_bytes_per_sec}, {eta} left";

/// Whether nobody wants to see any.
static SILENT: AtomicBool = AtomicBool::new(false);

/// Whether a bar stands on the terminal now.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// Takes a bar away before a line is printed on the same terminal; it is drawn anew when the work goes on.
pub(crate) fn make_room() {
    if DRAWN.load(Ordering::Relaxed) && io::stdout().is_terminal() {
        // A bar that stays is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[2K");
    }
}

/// Draws no bar from now on.
pub(crate) fn silence() {
    SILENT.store(true, Ordering::Relaxed);
}

/// A bar, drawn only while [`Progress::during`] lasts; clones are the same one.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    /// Nothing goes on yet.
    pub(crate) fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            terminal: io::stderr().is_terminal() && !SILENT.load(Ordering::Relaxed),
        }
    }

    /// Does some work that [`Self::advance`] is told of, `total` of it in all. When it ends the bar is gone, whatever came of it.
    pub(crate) fn during<T>(
        &self,
        what: &'static str,
        total: Bytes,
        work: impl FnOnce() -> T,
    ) -> T {
        self.bar.reset();
        self.bar.set_length(total.get());
        self.bar.set_message(what);
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            self.bar.set_style(style);
        }
        let answer = work();
        self.bar.finish_and_clear();
        DRAWN.store(false, Ordering::Relaxed);
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
        answer
    }

    /// So much more is done.
    pub(crate) fn advance(&self, bytes: Bytes) {
        if !self.terminal {
            return;
        }
        self.bar.inc(bytes.get());
        if self.bar.is_hidden() && !self.bar.is_finished() && self.bar.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            DRAWN.store(true, Ordering::Relaxed);
        }
    }

    /// A text whose reading advances it.
    pub(crate) fn reading<R>(&self, text: R) -> Reading<R> {
        Reading {
            text,
            progress: self.clone(),
        }
    }
}

/// A text that counts how much of it was read.
pub(crate) struct Reading<R> {
    text: R,
    progress: Progress,
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.text.read(buf)?;
        self.progress.advance(Bytes::of_len(count));
        Ok(count)
    }
}
