//! What passes between an importer and the one who stores: plain values and one trait.

use std::path::PathBuf;

use chatstats_model::{Attachment, DateOrder, Kind, LeftOut, Reaction, Timestamp};

/// What the user says about a file, with the machine's settings filled in.
#[derive(Clone, Debug)]
pub struct Options {
    /// A source's name, or none to recognise the file by its content.
    pub source: Option<String>,
    /// The user's own name in the file.
    pub me: Option<String>,
    /// The zone of times that are written without one.
    pub timezone: jiff::tz::TimeZone,
    /// For files whose dates can be read in two ways.
    pub date_order: Option<DateOrder>,
}

/// One export that was found: a file, or an entry of a zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The file on disk.
    pub path: PathBuf,
    /// The entry inside it, if it is an archive.
    pub entry: Option<String>,
    /// The source's name: `whatsapp`, `telegram`.
    pub source: &'static str,
    /// Bytes to read, uncompressed.
    pub size_bytes: u64,
}

/// A chat as an export names it. All records after it belong to it, until the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatHead {
    /// The source's own id, if it has one. Without it the chat is recognised by what is in it.
    pub key: Option<String>,
    /// The title the export gives, or its file name suggests; none if neither says anything.
    pub title: Option<String>,
}

/// Somebody who wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender {
    /// The source's own id of the person, or the name where it has none.
    pub key: String,
    /// The name to show.
    pub name: String,
}

/// One record of an export that is kept: a message, or a line of the app itself ([`Kind::System`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The source's own id within the chat. Without it, records are told apart by minute, sender and content,
    /// as a multiset: two equal messages in one minute are two.
    pub key: Option<String>,
    /// Who wrote it; none for lines of the app itself and for deleted accounts.
    pub sender: Option<Sender>,
    /// Whether the user wrote it.
    pub is_from_me: bool,
    /// The text, to the letter.
    pub content: String,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// What it is.
    pub kind: Kind,
    /// The key of the record it answers.
    pub reply_to: Option<String>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Reactions.
    pub reactions: Vec<Reaction>,
    /// Attachments.
    pub attachments: Vec<Attachment>,
}

/// Takes what an importer reads. An error ends the reading and comes back as [`ImportError::Sink`].
pub trait Sink {
    /// A chat begins.
    fn chat(&mut self, chat: ChatHead) -> Result<(), SinkError>;
    /// A record of the chat that began last.
    fn message(&mut self, record: Record) -> Result<(), SinkError>;
    /// Something that did not become a record.
    fn left_out(&mut self, left_out: LeftOut) -> Result<(), SinkError>;
    /// `done` of [`Export::size_bytes`] bytes are read. Called now and then; an error here is how a cancel works.
    fn progress(&mut self, done: u64) -> Result<(), SinkError>;
}

/// Why a sink takes no more: its own error, handed through.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// What else is to be said of an export that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Sentences for the receipt: an order of dates that the file left open, a zone that was assumed.
    pub notes: Vec<String>,
}

/// Why an export could not be read. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Its reason.
        source: std::io::Error,
    },
    /// Nothing the program reads.
    #[error("{path} is not an export this program reads: {looks_like}. {what_to_do}")]
    Unrecognised {
        /// The file.
        path: String,
        /// What it looks like, and what was looked for.
        looks_like: String,
        /// What to do.
        what_to_do: String,
    },
    /// Of a known format, but broken.
    #[error("{path} is a damaged {format} export: {detail}")]
    Damaged {
        /// The file.
        path: String,
        /// The format's name.
        format: &'static str,
        /// What is wrong, where, and what to do.
        detail: String,
    },
    /// The sink took no more.
    #[error(transparent)]
    Sink(SinkError),
}
