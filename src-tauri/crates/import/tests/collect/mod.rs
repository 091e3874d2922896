//! A sink that keeps everything, and reading from memory by way of a file.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::allow_attributes,
    reason = "`expect` fails in the binary that uses all of it"
)]

use std::io::Write;
use std::path::Path;

use chatstats_import::{ChatHead, ImportError, Options, Outcome, Record, Sink, SinkError, find, read};
use chatstats_model::LeftOut;

/// All that was read, in order.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) chats: Vec<ChatHead>,
    pub(crate) records: Vec<Record>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) progress: Vec<u64>,
}

impl Sink for Collected {
    fn chat(&mut self, chat: ChatHead) -> Result<(), SinkError> {
        self.chats.push(chat);
        Ok(())
    }

    fn message(&mut self, record: Record) -> Result<(), SinkError> {
        assert!(!self.chats.is_empty(), "a record comes after its chat");
        self.records.push(record);
        Ok(())
    }

    fn left_out(&mut self, left_out: LeftOut) -> Result<(), SinkError> {
        self.left_out.push(left_out);
        Ok(())
    }

    fn progress(&mut self, done: u64) -> Result<(), SinkError> {
        assert!(
            self.progress.last().is_none_or(|last| *last <= done),
            "progress does not go back"
        );
        self.progress.push(done);
        Ok(())
    }
}

/// UTC, and nothing said about the file.
pub(crate) fn options() -> Options {
    Options {
        source: None,
        me: None,
        timezone: jiff::tz::TimeZone::UTC,
        date_order: None,
    }
}

/// Reads the exports of a path; the outcome is that of the last.
pub(crate) fn read_path(path: &Path, options: &Options) -> (Collected, Result<Outcome, ImportError>) {
    let mut collected = Collected::default();
    let mut outcome = Ok(Outcome::default());
    match find(path, options) {
        Err(error) => outcome = Err(error),
        Ok(found) => {
            for export in found.exports {
                collected.progress.clear();
                outcome = read(&export, options, &mut collected);
                if outcome.is_ok() {
                    assert_eq!(
                        collected.progress.last(),
                        Some(&export.size_bytes),
                        "progress ends at the size"
                    );
                }
            }
        }
    }
    (collected, outcome)
}

/// Reads bytes as a file of that name.
pub(crate) fn read_bytes(
    name: &str,
    bytes: &[u8],
    options: &Options,
) -> (Collected, Result<Outcome, ImportError>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::File::create(&path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a file");
    read_path(&path, options)
}
