//! `mdtool copy`: a pipeline of its own, since what it overwrites is not kept.

pub(crate) mod args;
mod generation;
mod origin;
mod pace;
mod target;
mod view;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::commands::copy::origin::Origin;
pub(crate) use crate::cli::commands::copy::origin::tell_of_use;
use crate::cli::commands::copy::pace::Pace;
use crate::cli::commands::copy::target::Arriving;
use crate::cli::commands::copy::view::Report;
use crate::cli::commands::sum::lines::CopySums;
use crate::cli::outcome::Outcome;
use crate::cli::output::document;
use crate::cli::output::progress::Progress;
use crate::cli::write::blame::Blamed;
use crate::error::{Error, Result};
use crate::image::{StandardInput, StandardOutput, overlap};
use crate::truck::TruckRefusal;
use crate::truck::pieces::{Data, Emitter, Piece, Span, Stop, overlapped};
use crate::truck::stream::{Header, Record, StreamReader, StreamWriter, Totals};
use crate::units::{Bytes, DevPos};

/// What `copy --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 all of it arrived and is on disk (or, to a pipe, was sent); 1 there is no metadata, or no such level; 2 refused, or could not: what arrived is noted, and --resume goes on.";

/// What stands for a stream.
fn is_stream(path: &Path) -> bool {
    path == Path::new("-")
}

pub(crate) fn run(
    args: &CopyArgs,
    _command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        args.rate.as_ref().is_none_or(|rate| rate.0 > Bytes::ZERO),
        "--rate: 0 would never end, expected 1 byte or more; without it there is no limit"
    );
    let full = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Some(state) = args.state.as_ref().filter(|_| !is_stream(&args.target)) {
        anyhow::ensure!(
            full(state) != full(&args.target),
            "--state: {} is TARGET, expected another file",
            state.display()
        );
    }
    match (is_stream(&args.image.image), is_stream(&args.target)) {
        (true, true) => anyhow::bail!("SOURCE and TARGET are both -, expected a disk at one end"),
        (true, false) => receive(args, out),
        (false, true) => send(args, out),
        (false, false) => local(args, out),
    }
}

/// From a disk to a disk.
fn local(args: &CopyArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let origin = Origin::open(args, out)?;
    if overlap(&args.image.image, &args.target) {
        let refusal = Error::from(TruckRefusal::SameFile);
        return Err(refusal).with_context(|| args.target.display().to_string());
    }
    let header = origin.header(DevPos::START);
    if generation::has_all(args, &header)? {
        return nothing_to_do(args, &header, out);
    }
    let sums = begin_sums(args, &header)?;
    let mut arriving = Arriving::prepare(args, &header, out)?;
    let first = arriving.first();
    // What has arrived is read again for a list of checksums only, and not written again.
    let from = if sums.are_wanted() { DevPos::START } else { first };
    let inputs = Inputs { from, first, sums };
    arriving.arrive(args, &header, inputs, out, |emitter| {
        origin.produce(emitter, from)
    })
}

/// The list of checksums that `--sums` asks for.
fn begin_sums(args: &CopyArgs, header: &Header) -> anyhow::Result<CopySums> {
    let full = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Some(sums) = &args.sums {
        let is_target = !is_stream(&args.target) && full(sums) == full(&args.target);
        let is_state = args.state.as_ref().is_some_and(|state| full(state) == full(sums));
        anyhow::ensure!(
            !is_target && !is_state,
            "--sums: {} is {}, expected another file",
            sums.display(),
            if is_target { "TARGET" } else { "what --state names" }
        );
    }
    CopySums::begin(args.sums.as_deref(), &args.image.image, header)
}

/// How a copy goes through.
struct Inputs {
    /// Where pieces begin.
    from: DevPos,
    /// Where what had not arrived begins.
    first: DevPos,
    sums: CopySums,
}

/// From a stream to a disk.
fn receive(args: &CopyArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        args.level.is_none()
            && !args.image.stacked
            && !args.data_only
            && args.ranges.is_none()
            && !args.changed
            && args.image.at.is_none(),
        "SOURCE is a stream, in which the level was chosen already: expected none of --stacked, --level, --at, --data-only, --ranges and --changed"
    );
    let name = || "standard input".to_owned();
    let mut reader = StreamReader::open(StandardInput::new()).with_context(name)?;
    let header = *reader.header();
    anyhow::ensure!(
        args.sums.is_none() || header.first == DevPos::START,
        "--sums: the stream goes on at {}, and what came before is not in it: expected --sums at the sender, or neither --resume nor --state there",
        header.first
    );
    if generation::has_all(args, &header)? {
        // To its end, which the sender waits for.
        overlapped(|emitter| unpack(&mut reader, emitter), |_| Ok(())).with_context(name)?;
        return nothing_to_do(args, &header, out);
    }
    let sums = begin_sums(args, &header)?;
    let mut arriving = Arriving::prepare(args, &header, out)?;
    let inputs = Inputs {
        from: header.first,
        first: header.first,
        sums,
    };
    arriving.arrive(args, &header, inputs, out, move |emitter| {
        unpack(&mut reader, emitter)
    })
}

/// What was to be copied had arrived before.
fn nothing_to_do(
    args: &CopyArgs,
    header: &Header,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    if args.json {
        let report = Report {
            args,
            header,
            totals: Totals::default(),
            from: DevPos::START,
            first: DevPos::START,
            target_size: None,
            next: Vec::new(),
        };
        report.view().print(true, out.stdout)?;
    } else {
        let target = args.target.display();
        writeln!(out.stdout, "{target}: has this generation already: nothing to do")?;
    }
    Ok(Outcome::Done)
}

/// Gives each record away as it was verified.
fn unpack(
    reader: &mut StreamReader<StandardInput>,
    emitter: &mut Emitter,
) -> std::result::Result<(), Stop> {
    loop {
        let mut bytes = emitter.buffer();
        let piece = match reader.next(&mut bytes)? {
            Record::End(_) => return Ok(()),
            Record::Zeros(at, len) => Piece::Zeros(at..at.checked_add(len).unwrap_or(at)),
            Record::Data(at) => {
                let span = Span {
                    range: 0..bytes.len(),
                    zeros: false,
                };
                let spans = vec![span];
                Piece::Data(Data { at, bytes, spans })
            }
        };
        emitter.emit(piece)?;
    }
}

/// From a disk to a stream.
fn send(args: &CopyArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    anyhow::ensure!(
        !std::io::IsTerminal::is_terminal(&std::io::stdout()),
        "TARGET is -, and standard output is a terminal: expected a pipe, as in `mdtool copy DISK - | ssh HOST mdtool copy - DISK`"
    );
    let origin = Origin::open(args, out)?;
    let first = target::sent_before(args, &origin.header(DevPos::START))?;
    let header = origin.header(first);
    let mut sums = begin_sums(args, &header)?;
    let from = if sums.are_wanted() { DevPos::START } else { first };
    let mut pace = Pace::new(args, origin.total(from));
    let progress = Progress::new();
    let sent = progress.during("sending", origin.total(from), || -> Result<Totals> {
        overlapped(
            |emitter| origin.read_again(emitter, from..first),
            |piece| {
                sums.piece(piece)?;
                pace.passed(piece, &progress, out.stderr);
                Ok(())
            },
        )?;
        let mut stream = StreamWriter::new(StandardOutput::new(), &header)?;
        overlapped(
            |emitter| origin.produce(emitter, first),
            |piece| {
                sums.piece(piece)?;
                stream.piece(piece)?;
                pace.passed(piece, &progress, out.stderr);
                Ok(())
            },
        )?;
        stream.finish()
    });
    let totals = sent.with_context(|| Blamed::new(&args.image.image, vec![resend()]))?;
    sums.finish()?;
    let report = Report {
        args,
        header: &header,
        totals,
        from,
        first,
        target_size: None,
        next: Vec::new(),
    };
    let view = report.view();
    // stdout has the stream.
    out.tell(if args.json { document::line(&view)? } else { view.text() });
    Ok(Outcome::Done)
}

/// How a stream that was cut off is sent on.
fn resend() -> String {
    "to go on, run both commands again with --resume; to send only what is missing, fetch the receiver's state (TARGET.mdtool-copy there, or what its --state names), and add --state FILE here"
        .to_owned()
}

impl Arriving {
    /// Puts what `produce` gives on the target, to the end.
    fn arrive(
        &mut self,
        args: &CopyArgs,
        header: &Header,
        inputs: Inputs,
        out: &mut Streams<'_>,
        produce: impl FnOnce(&mut Emitter) -> std::result::Result<(), Stop> + Send,
    ) -> anyhow::Result<Outcome> {
        let Inputs { from, first, mut sums } = inputs;
        let total = header.size.saturating_sub(from.from_start());
        let mut pace = Pace::new(args, total);
        let progress = Progress::new();
        let name = args.target.display().to_string();
        let arrived = progress.during("copying", total, || -> Result<Totals> {
            let mut arrival = self.arrival(args)?;
            let moved = overlapped(produce, |piece| {
                sums.piece(piece)?;
                arrival.piece(piece)?;
                pace.passed(piece, &progress, out.stderr);
                Ok(())
            });
            match moved {
                Ok(()) => arrival.finish(),
                Err(error) => {
                    // What arrived until then is kept; where that fails, too, the first error says more.
                    let _ = arrival.keep();
                    Err(error)
                }
            }
        });
        let totals = match arrived {
            Ok(totals) => totals,
            Err(error) => {
                let hint = self.how_to_go_on();
                return Err(error).with_context(|| Blamed::new(&args.target, vec![hint]));
            }
        };
        sums.finish()?;
        self.forget_state().with_context(|| name.clone())?;
        let report = Report {
            args,
            header,
            totals,
            from,
            first,
            target_size: Some(self.size()),
            next: self.next_steps(args, header).with_context(|| name)?,
        };
        report.view().print(args.json, out.stdout)?;
        Ok(Outcome::Done)
    }
}

/// So much of a copy lies behind `first`.
fn left(size: Bytes, first: DevPos) -> Bytes {
    size.saturating_sub(first.from_start())
}
