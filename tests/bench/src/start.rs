//! The start: how soon it answers, and what it holds then.

use anyhow::Result;
use tempfile::TempDir;

use crate::Options;
use crate::program::Program;
use crate::report::{Goal, Report, median};

/// Starts measured.
const STARTS: usize = 7;

pub(crate) fn measure(options: &Options, filled: &TempDir, report: &mut Report) -> Result<()> {
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let program = Program::start(&options.program, filled.path())?;
        program.get("/api/health")?;
        ready.push(program.ready_ms);
        memory.push(program.memory_kib()? as f64 / 1024.0);
    }
    let stored = options.stored;
    report.add(
        format!("start with {stored} messages: ready"),
        median(&mut ready),
        "ms",
        Goal::AtMost(100.0),
    );
    report.add(
        format!("start with {stored} messages: memory"),
        median(&mut memory),
        "MiB",
        Goal::AtMost(30.0),
    );
    Ok(())
}
