//! How fast a copy goes, and how it may not be faster.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::output::progress::Progress;
use crate::truck::pieces::{Part, Piece};
use crate::units::Bytes;

/// How often a script is told.
const EVERY: Duration = Duration::from_secs(1);

/// A line of progress.
#[derive(Serialize)]
struct PaceView {
    progress: Passed,
}

#[derive(Serialize)]
struct Passed {
    bytes: u64,
    total_bytes: u64,
    bytes_per_second: Option<u64>,
    /// Nothing where nothing moved yet.
    seconds_left: Option<u64>,
}

/// How far a copy is, and when that was.
pub(crate) struct Pace {
    json: bool,
    rate: Option<u64>,
    started: Instant,
    told: Instant,
    total: Bytes,
    passed: Bytes,
    /// Bytes of data: zeros cost nothing, and are not held back.
    data: Bytes,
}

impl Pace {
    pub(crate) fn new(args: &CopyArgs, total: Bytes) -> Self {
        let now = Instant::now();
        Self {
            json: args.json,
            rate: args
                .rate
                .map(|rate| rate.0.get())
                .filter(|rate| *rate > 0),
            started: now,
            told: now,
            total,
            passed: Bytes::ZERO,
            data: Bytes::ZERO,
        }
    }

    /// A piece went through.
    pub(crate) fn passed(&mut self, piece: &Piece, progress: &Progress, stderr: &mut dyn Write) {
        let add = |sum: Bytes, len: Bytes| sum.checked_add(len).unwrap_or(sum);
        self.passed = add(self.passed, piece.len());
        progress.advance(piece.len());
        if self.rate.is_some() {
            let mut data = self.data;
            let counted = piece.parts(&mut |part| {
                if let Part::Data(_, bytes) = part {
                    data = add(data, Bytes::of_len(bytes.len()));
                }
                Ok(())
            });
            // Counting never fails.
            debug_assert!(counted.is_ok());
            self.data = data;
            self.hold_back();
        }
        if self.json && self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            // That nobody reads it is no reason to stop.
            if let Ok(line) = serde_json::to_string(&self.view()) {
                let _ = writeln!(stderr, "{line}");
            }
        }
    }

    /// Waits until so much may have passed.
    fn hold_back(&self) {
        let Some(rate) = self.rate else { return };
        let millis = u128::from(self.data.get())
            .saturating_mul(1000)
            .checked_div(u128::from(rate))
            .and_then(|millis| u64::try_from(millis).ok());
        let due = millis.map_or(Duration::MAX, Duration::from_millis);
        if let Some(wait) = due.checked_sub(self.started.elapsed()) {
            std::thread::sleep(wait);
        }
    }

    fn view(&self) -> PaceView {
        let millis = self.started.elapsed().as_millis().max(1);
        let rate = u128::from(self.passed.get())
            .saturating_mul(1000)
            .checked_div(millis)
            .unwrap_or(0);
        let left = self.total.saturating_sub(self.passed);
        let seconds = u128::from(left.get()).checked_div(rate);
        let progress = Passed {
            bytes: self.passed.get(),
            total_bytes: self.total.get(),
            bytes_per_second: u64::try_from(rate).ok(),
            seconds_left: seconds.and_then(|seconds| u64::try_from(seconds).ok()),
        };
        PaceView { progress }
    }
}
