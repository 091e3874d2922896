//! What `chatstats analyze` says.

use std::io::{self, IsTerminal, Write};

use chatstats_model::{Run, RunState};

use super::Outcome;

/// The end of the command, for people or as one JSON object.
pub(super) fn outcome(outcome: &Outcome, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match outcome {
        Outcome::Counted(preview) if json => serde_json::to_writer(&mut out, preview)?,
        Outcome::Accepted { run, .. } | Outcome::Ended(run) | Outcome::Interrupted(run) if json => {
            serde_json::to_writer(&mut out, run)?;
        }
        Outcome::Counted(preview) => write!(
            out,
            "{} conversations with {} messages would be analysed: {}",
            preview.conversations,
            preview.messages,
            preview.passes.join(", ")
        )?,
        Outcome::Accepted { run, waits: false } => write!(
            out,
            "Run {} is accepted, and the ChatStats that runs carries it out",
            run.id
        )?,
        Outcome::Accepted { run, waits: true } => write!(
            out,
            "Run {} is accepted. No ChatStats runs; the next one that starts carries it out",
            run.id
        )?,
        Outcome::Ended(run) => ended(&mut out, run)?,
        Outcome::Interrupted(run) => write!(
            out,
            "Run {} was interrupted at {} %; the next ChatStats that starts goes on with it",
            run.id,
            run.percentage()
        )?,
    }
    writeln!(out)?;
    out.flush()
}

fn ended(out: &mut impl Write, run: &Run) -> io::Result<()> {
    let how = if run.state == RunState::Cancelled {
        "was stopped"
    } else {
        "is complete"
    };
    write!(
        out,
        "Run {} {how}: {} conversations analysed, {} failed",
        run.id,
        run.success,
        run.failed - run.cancelled
    )?;
    match run.cancelled {
        0 => Ok(()),
        cancelled => write!(out, ", {cancelled} not begun"),
    }
}

/// One line on a terminal that is written over; nothing elsewhere.
pub(super) struct ProgressLine {
    is_shown: bool,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self { is_shown: false }
    }

    pub(super) fn show(&mut self, run: &Run) {
        let mut err = io::stderr();
        if !err.is_terminal() {
            return;
        }
        let done = run.success + run.failed;
        let percent = run.percentage();
        self.is_shown = write!(
            err,
            "\r{percent:5.1} %  {done} of {} conversations, {} failed ",
            run.total, run.failed
        )
        .is_ok();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.is_shown {
            eprintln!();
        }
    }
}
