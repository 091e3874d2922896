//! `chatstats import`

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use chatstats_model::{
    Counts, DateOrder, FileReceipt, Import, ImportId, ImportOptions, ImportProgress, ImportRequest,
    ImportState, LeftOut, LeftOutPage,
};
use chatstats_store::Store;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::client::Client;
use super::{DataDirOption, address};
use crate::app::start_imports;
use crate::config::Config;
use crate::data_dir::{DataDir, Running, find_running};

/// How often a running server is asked how far it is.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// Left-out pieces fetched at once.
const LEFT_OUT_PAGE: u64 = 1_000;

/// Left-out pieces printed for people; `--json` prints all.
const LEFT_OUT_SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(super) struct ImportCommand {
    /// Files, folders or zips
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    data_dir: DataDirOption,
    /// What the files are: auto, whatsapp or telegram
    #[arg(long, default_value = "auto")]
    source: String,
    /// Your own name in the files
    #[arg(long, value_name = "NAME")]
    me: Option<String>,
    /// The time zone the files were written in (IANA name) [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// How dates are written, where a file can be read in two ways
    #[arg(long, value_enum)]
    date_order: Option<Order>,
    /// Read and count, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the receipt as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Dmy,
    Mdy,
    Ymd,
}

impl From<Order> for DateOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Dmy => DateOrder::Dmy,
            Order::Mdy => DateOrder::Mdy,
            Order::Ymd => DateOrder::Ymd,
        }
    }
}

/// An import that has ended, with what it left out of each file.
struct Ended {
    import: Import,
    left_out: Vec<Vec<LeftOut>>,
}

impl ImportCommand {
    pub(super) fn run(self) -> Result<ExitCode> {
        let options = ImportOptions {
            source: Some(self.source),
            me: self.me,
            timezone: self.timezone,
            date_order: self.date_order.map(Into::into),
            dry_run: self.dry_run,
        };
        let config = self.data_dir.config()?;
        let paths = self
            .paths
            .iter()
            .map(|path| absolute(path))
            .collect::<Result<Vec<_>>>()?;
        let ended = match find_running(&config.data_dir) {
            Some(running) => there(&config, &running, &paths, options)?,
            None => here(&config, paths, options)?,
        };
        if self.json {
            print_json(&ended)?
        } else {
            print_text(&ended)?
        }
        let all_read = ended.import.state == ImportState::Done;
        Ok(ExitCode::from(if all_read { 0 } else { super::FAILED }))
    }
}

/// The path as another process can use it. A path that leads nowhere stays, for the receipt to say so.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("find {}", path.display()))
}

/// Imports in this process: no server runs.
fn here(config: &Config, paths: Vec<PathBuf>, options: ImportOptions) -> Result<Ended> {
    let data_dir = DataDir::hold(&config.data_dir)?;
    let store = Store::open(data_dir.path())?;
    let imports = start_imports(&store, data_dir.path())?;
    let id = imports.queue_blocking(paths, options)?.id;
    let mut line = ProgressLine::new();
    let import = imports.wait(id, |progress| line.show(progress))?;
    drop(line);
    let mut left_out = Vec::new();
    for file in 0..import.receipt.files.len() {
        let all = move |reader: &chatstats_store::Reader| reader.left_out(id, Some(file), 0, i64::MAX as u64);
        left_out.push(store.read_blocking(all)?.left_out);
    }
    imports.shutdown();
    store.shutdown();
    Ok(Ended { import, left_out })
}

/// Hands the import to the server that runs, and waits for it.
fn there(config: &Config, running: &Running, paths: &[PathBuf], options: ImportOptions) -> Result<Ended> {
    let token = address::token_of(config, running)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the client")?;
    runtime.block_on(async {
        let mut client = Client::connect(&running.url, token.as_str()).await?;
        let paths = paths.iter().map(|path| path.display().to_string()).collect();
        let request = ImportRequest {
            paths,
            options,
            ..ImportRequest::default()
        };
        let mut import: Import = client.post("/api/imports", &request).await?;
        let mut line = ProgressLine::new();
        while matches!(import.state, ImportState::Queued | ImportState::Running) {
            tokio::time::sleep(POLL_EVERY).await;
            import = client.get(&format!("/api/imports/{}", import.id)).await?;
            line.show(&import.progress);
        }
        drop(line);
        let mut left_out = Vec::new();
        for file in 0..import.receipt.files.len() {
            left_out.push(all_left_out(&mut client, import.id, file).await?);
        }
        Ok(Ended { import, left_out })
    })
}

async fn all_left_out(client: &mut Client, id: ImportId, file: usize) -> Result<Vec<LeftOut>> {
    let mut all: Vec<LeftOut> = Vec::new();
    loop {
        let offset = all.len();
        let path = format!("/api/imports/{id}/left-out?file={file}&offset={offset}&limit={LEFT_OUT_PAGE}");
        let page: LeftOutPage = client.get(&path).await?;
        if page.left_out.is_empty() {
            return Ok(all);
        }
        all.extend(page.left_out);
    }
}

/// One line on a terminal that is written over; nothing elsewhere.
struct ProgressLine {
    shown: bool,
}

impl ProgressLine {
    fn new() -> Self {
        ProgressLine { shown: false }
    }

    fn show(&mut self, progress: &ImportProgress) {
        let mut err = std::io::stderr();
        if !err.is_terminal() {
            return;
        }
        let percent = (progress.bytes_done * 100)
            .checked_div(progress.bytes_total)
            .unwrap_or(0);
        let counts = &progress.counts;
        self.shown = write!(
            err,
            "\r{percent:3} %  {} messages, {} already there ",
            counts.messages, counts.duplicates
        )
        .is_ok();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown {
            eprintln!();
        }
    }
}

/// The receipt as the contract has it: a file's `left_out` is a list, that of the totals a number.
#[derive(Serialize)]
struct Json<'r> {
    files: Vec<JsonFile<'r>>,
    totals: Counts,
}

#[derive(Serialize)]
struct JsonFile<'r> {
    path: &'r str,
    source: Option<&'r str>,
    chats: u64,
    records: u64,
    messages: u64,
    system: u64,
    duplicates: u64,
    left_out: &'r [LeftOut],
    notes: &'r [String],
    error: Option<&'r str>,
}

fn print_json(ended: &Ended) -> Result<()> {
    let receipt = &ended.import.receipt;
    let files = receipt.files.iter().zip(&ended.left_out);
    let files = files.map(|(file, left_out)| json_file(file, left_out)).collect();
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(
        &mut out,
        &Json {
            files,
            totals: receipt.totals,
        },
    )?;
    Ok(writeln!(out)?)
}

fn json_file<'r>(file: &'r FileReceipt, left_out: &'r [LeftOut]) -> JsonFile<'r> {
    let Counts {
        chats,
        records,
        messages,
        system,
        duplicates,
        ..
    } = file.counts;
    JsonFile {
        path: &file.path,
        source: file.source.as_deref(),
        chats,
        records,
        messages,
        system,
        duplicates,
        left_out,
        notes: &file.notes,
        error: file.error.as_deref(),
    }
}

fn print_text(ended: &Ended) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let receipt = &ended.import.receipt;
    for (file, left_out) in receipt.files.iter().zip(&ended.left_out) {
        writeln!(out, "{}", file.path)?;
        if let Some(source) = &file.source {
            writeln!(out, "  {source}: {}", words(&file.counts))?;
        }
        for note in file.notes.iter().chain(&file.error) {
            writeln!(out, "  {note}")?;
        }
        for piece in left_out.iter().take(LEFT_OUT_SHOWN) {
            writeln!(
                out,
                "  left out, {}: {} | {}",
                piece.place,
                piece.reason,
                piece.excerpt.escape_debug()
            )?;
        }
        if left_out.len() > LEFT_OUT_SHOWN {
            writeln!(
                out,
                "  … and {} more; --json lists them all",
                left_out.len() - LEFT_OUT_SHOWN
            )?;
        }
    }
    if receipt.files.len() > 1 {
        writeln!(out, "In all: {}", words(&receipt.totals))?;
    }
    if let Some(error) = &ended.import.error {
        writeln!(out, "{error}")?;
    }
    if ended.import.options.dry_run {
        writeln!(out, "A dry run: nothing was stored.")?;
    }
    Ok(())
}

fn words(counts: &Counts) -> String {
    format!(
        "{} records = {} messages + {} system lines + {} already there + {} left out, in {} {}",
        counts.records,
        counts.messages,
        counts.system,
        counts.duplicates,
        counts.left_out,
        counts.chats,
        if counts.chats == 1 { "chat" } else { "chats" },
    )
}
