//! The text of an event (the EventSource part of the HTML standard).
//!
//! `id:` comes last: a reader that notes it before the event is complete would, when cut off in the middle of a long
//! `initial`, claim to have all of it. JSON written by serde holds no line breaks, so data is always one line.

use std::io::Write;

use bytes::Bytes;
use chatstats_model::StreamError;
use serde::Serialize;

/// How long a browser waits before it reconnects, in milliseconds.
pub(crate) const RETRY_MS: u32 = 1_000;

/// Opens an event; what is written up to [`end`] is its data.
pub(crate) fn begin(out: &mut Vec<u8>, event: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.as_bytes());
    out.extend_from_slice(b"\ndata: ");
}

/// Closes an event that carries no id.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\n");
}

/// Closes an event with its id.
pub(crate) fn end_with_id(out: &mut Vec<u8>, id: &impl std::fmt::Display) {
    // Writing to memory does not fail.
    let _ = write!(out, "\nid: {id}\n\n");
}

/// Appends JSON. Our types have no maps with odd keys and no failing serializers, so this cannot fail either.
pub(crate) fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    let start = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        tracing::error!(%error, "a value could not be written as JSON");
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Appends JSON values, with commas between them and before the first unless `first`.
pub(crate) fn json_items<'a, T: Serialize + 'a>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = &'a T>,
    mut first: bool,
) {
    for item in items {
        if !first {
            out.push(b',');
        }
        first = false;
        json(out, item);
    }
}

/// The first thing on every stream.
pub(crate) fn retry_hint() -> Bytes {
    Bytes::from(format!("retry: {RETRY_MS}\n\n"))
}

/// An `error` event.
pub(crate) fn error(code: &str, message: &str) -> Bytes {
    let mut out = Vec::new();
    begin(&mut out, "error");
    json(
        &mut out,
        &StreamError {
            code: code.to_owned(),
            message: message.to_owned(),
        },
    );
    end(&mut out);
    out.into()
}
