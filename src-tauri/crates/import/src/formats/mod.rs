//! The formats that are read, one module each.

mod telegram;
mod whatsapp;

use crate::{Export, ImportError, Options, Outcome, Sink};

/// The longest text of one message. The apps allow some tens of thousands of characters; whatever is longer is not a
/// message but a damaged file, and must not take the memory.
const CONTENT_BYTES_MAX: usize = 1 << 20;

/// A kind of export the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name in options and fields: `whatsapp`.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// How to get an export, in a sentence or two.
    pub how: &'static str,
}

/// A format: how to tell it by a file's first bytes, and how to read it.
struct Format {
    info: SourceInfo,
    recognise: fn(&[u8]) -> bool,
    read: fn(&Export, &Options, &mut dyn Sink) -> Result<Outcome, ImportError>,
}

/// The strictest first: what a format takes, those after it are not asked about.
const FORMATS: [Format; 2] = [
    Format {
        info: SOURCES[0],
        recognise: telegram::recognise,
        read: telegram::read,
    },
    Format {
        info: SOURCES[1],
        recognise: whatsapp::recognise,
        read: whatsapp::read,
    },
];

const SOURCES: [SourceInfo; 2] = [
    SourceInfo {
        name: "telegram",
        title: "Telegram",
        how: "In Telegram Desktop, open a chat, its menu, Export chat history; or Settings, Advanced, Export Telegram \
              data for all chats. Choose the format “Machine-readable JSON”.",
    },
    SourceInfo {
        name: "whatsapp",
        title: "WhatsApp",
        how: "On the phone, open the chat, its menu, More, Export chat, Without media. Send the file to this computer.",
    },
];

/// What can be read.
pub fn sources() -> &'static [SourceInfo] {
    &SOURCES
}

/// Streams `export` into `sink`, in memory that does not grow with the file.
///
/// Every record of the export is handed to the sink, as a message or as left out, in the order of the file. An error
/// of the sink ends the reading and comes back as it is. After [`ImportError::Damaged`] the sink has what came before
/// the damage.
pub fn read(export: &Export, options: &Options, sink: &mut dyn Sink) -> Result<Outcome, ImportError> {
    match FORMATS.iter().find(|format| format.info.name == export.source) {
        Some(format) => (format.read)(export, options, sink),
        None => Err(unknown_source(export.label(), export.source)),
    }
}

/// The source whose format a file has that begins with `head`.
pub(crate) fn recognise(head: &[u8]) -> Option<&'static str> {
    FORMATS
        .iter()
        .find(|format| (format.recognise)(head))
        .map(|format| format.info.name)
}

/// The source of that name.
pub(crate) fn by_name(name: &str) -> Option<&'static str> {
    SOURCES
        .iter()
        .find(|source| source.name == name)
        .map(|source| source.name)
}

/// Says which sources there are.
pub(crate) fn unknown_source(path: String, name: &str) -> ImportError {
    let names: Vec<&str> = SOURCES.iter().map(|source| source.name).collect();
    ImportError::Unrecognised {
        path,
        looks_like: format!("{name:?} is no source it knows"),
        what_to_do: format!(
            "Name one of {}, or none to recognise the file by its content",
            names.join(", ")
        ),
    }
}
