//! Measures the program against the limits of the machine it runs on. Prints a table and writes JSON.
//!
//! Wherever it can, a figure is a ratio: the program and a yardstick, which does the same work with nothing around
//! it, run side by side. Machines differ and are noisy; ratios hold. Nothing here fails a build.

mod analysis;
mod corpus;
mod history;
mod import;
mod live;
mod posts;
mod program;
mod queries;
mod report;
mod start;
mod workers;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;

use report::Report;

/// Measure ChatStats against the limits of this machine.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Options {
    /// Messages in the imports
    #[arg(long, default_value_t = 300_000)]
    messages: usize,
    /// Messages stored when history, queries and the start are measured
    #[arg(long, default_value_t = 1_000_000)]
    stored: usize,
    /// Rounds of each import and of each run, of which the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these parts: import, history, queries, start, posts, analysis, live, workers
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The headless program
    #[arg(long, default_value = "target/release/chatstats")]
    program: PathBuf,
    /// Where the JSON goes
    #[arg(long, default_value = "bench-results/latest.json")]
    out: PathBuf,
}

impl Options {
    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let mut report = Report::default();
    if options.wants("import") {
        import::measure(&options, &mut report).context("measure imports")?;
    }
    if ["history", "queries", "start"]
        .iter()
        .any(|part| options.wants(part))
    {
        let filled = corpus::filled(options.stored).context("fill a database")?;
        if options.wants("start") {
            start::measure(&options, &filled, &mut report).context("measure the start")?;
        }
        if options.wants("queries") {
            queries::measure(&options, &filled, &mut report).context("measure queries")?;
        }
        if options.wants("history") {
            history::measure(&options, &filled, &mut report).context("measure history")?;
        }
    }
    if options.wants("posts") {
        posts::measure(&options, &mut report).context("measure posts")?;
    }
    if options.wants("analysis") {
        analysis::measure(&options, &mut report).context("measure analysis")?;
    }
    if options.wants("live") {
        live::measure(&options, &mut report).context("measure live messages beside analysis")?;
    }
    if options.wants("workers") {
        workers::measure(&options, &mut report).context("measure workers in other processes")?;
    }
    report.write(&options.out)
}
