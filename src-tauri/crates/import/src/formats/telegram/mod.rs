//! Telegram Desktop's JSON export: `result.json` of one chat, or of a whole account.

mod heads;
mod json;
mod me;
mod reader;
mod record;
mod row;
mod service;
mod walk;

use crate::input;
use crate::{Export, ImportError, Options, Outcome, Sink};
use json::{Json, JsonError};
use reader::Reader;

/// Words that Telegram's export has and those of other programs have not: keys, and the kinds of chats.
const SIGNS: [&str; 12] = [
    "\"date_unixtime\"",
    "\"from_id\"",
    "\"personal_information\"",
    "\"left_chats\"",
    "\"personal_chat\"",
    "\"bot_chat\"",
    "\"saved_messages\"",
    "\"private_group\"",
    "\"private_supergroup\"",
    "\"public_supergroup\"",
    "\"private_channel\"",
    "\"public_channel\"",
];

/// Whether a file that begins with `head` is an export: an object with one of the signs.
pub(super) fn recognise(head: &[u8]) -> bool {
    let head = head.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(head);
    let object = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    object
        && SIGNS
            .iter()
            .any(|sign| memchr::memmem::find(head, sign.as_bytes()).is_some())
}

/// Streams the chats of `export` into `sink`.
pub(super) fn read(export: &Export, options: &Options, sink: &mut dyn Sink) -> Result<Outcome, ImportError> {
    let outcome = input::with(export, |read, position| {
        Reader::new(export, options, position, sink).read(&mut Json::new(read))
    })?;
    sink.progress(export.size_bytes).map_err(ImportError::Sink)?;
    Ok(outcome)
}

/// Says why the document could not be read on.
fn broken(export: &Export, error: JsonError, place: &str) -> ImportError {
    let detail = match error {
        JsonError::Io(source) => return input::io_error(export, source),
        JsonError::CutShort => format!(
            "it ends in the middle, in {place}. What came before was read; export the chat again for the rest"
        ),
        JsonError::Syntax(bytes) => format!(
            "it is no valid JSON after byte {bytes}, in {place}. What came before was read; export the chat again for \
             the rest"
        ),
    };
    ImportError::Damaged {
        path: export.label(),
        format: "Telegram",
        detail,
    }
}
