//! Imports: what was asked, how far it is, and the receipt.
//!
//! A receipt accounts for every record: records = messages + system + duplicates + left out.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ImportId, Timestamp};

/// How a file writes its dates, where the file itself cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

/// What the user may say about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
#[ts(export, optional_fields)]
pub struct ImportOptions {
    /// A source's name (`whatsapp`, `telegram`), or none or `auto` to recognise each file by its content.
    pub source: Option<String>,
    /// The user's own name in the files.
    pub me: Option<String>,
    /// The IANA time zone the files were exported in; without it the machine's.
    pub timezone: Option<String>,
    /// For files whose dates can be read in two ways.
    pub date_order: Option<DateOrder>,
    /// Read and count, write nothing.
    pub dry_run: bool,
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum ImportState {
    /// Waits for the one before it.
    Queued,
    /// Being read.
    Running,
    /// Every file was read to its end.
    Done,
    /// At least one file could not be read; the others were.
    Failed,
    /// Stopped by the user; what was committed before stays, and importing again adds the rest.
    Cancelled,
    /// The program ended in its middle and the files are no longer there; what was committed stays.
    Interrupted,
}

/// The counts of a receipt. `records` = `messages` + `system` + `duplicates` + `left_out`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Counts {
    /// Chats met.
    #[ts(type = "number")]
    pub chats: u64,
    /// Records read: messages, lines of the app itself, and what was left out.
    #[ts(type = "number")]
    pub records: u64,
    /// Newly stored, of every kind but system.
    #[ts(type = "number")]
    pub messages: u64,
    /// Newly stored lines of the app itself.
    #[ts(type = "number")]
    pub system: u64,
    /// Already there.
    #[ts(type = "number")]
    pub duplicates: u64,
    /// Not understood, and listed with place and reason.
    #[ts(type = "number")]
    pub left_out: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.chats += other.chats;
        self.records += other.records;
        self.messages += other.messages;
        self.system += other.system;
        self.duplicates += other.duplicates;
        self.left_out += other.left_out;
    }
}

/// Something of a file that did not become a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LeftOut {
    /// Where: `line 17`, `messages[3]`, with the file's name inside an archive before it.
    pub place: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Its first 200 characters.
    pub excerpt: String,
}

/// The receipt of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FileReceipt {
    /// The file, as it was handed over.
    pub path: String,
    /// The source recognised; none if the file could not be read.
    pub source: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub counts: Counts,
    /// The chats its messages went to, the first 100.
    pub chat_ids: Vec<ChatId>,
    /// What the reader should know: an order of dates that was guessed, a zone that was assumed.
    pub notes: Vec<String>,
    /// Why the file could not be read, with what to do.
    pub error: Option<String>,
}

/// The receipt of an import: each file, and their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImportReceipt {
    /// One receipt a file.
    pub files: Vec<FileReceipt>,
    /// The sum.
    pub totals: Counts,
}

/// How far a running import is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImportProgress {
    /// Bytes read, over all files; for compressed files bytes of their content.
    #[ts(type = "number")]
    pub bytes_done: u64,
    /// Bytes to read.
    #[ts(type = "number")]
    pub bytes_total: u64,
    /// The file being read.
    pub file: Option<String>,
    /// The counts so far.
    pub counts: Counts,
    /// Seconds since it started.
    pub elapsed_s: f64,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Import {
    /// Its number.
    pub id: ImportId,
    /// Where it stands.
    pub state: ImportState,
    /// What was asked.
    pub options: ImportOptions,
    /// The names of the files.
    pub names: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How far it is.
    pub progress: ImportProgress,
    /// The receipt, complete once it ended.
    pub receipt: ImportReceipt,
    /// What went wrong as a whole, with what to do.
    pub error: Option<String>,
}
