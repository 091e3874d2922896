//! WhatsApp: `_chat.txt` of iOS, `WhatsApp Chat with ….txt` of Android, alone or in a zip.
//!
//! The format is written for people, in the words and the calendar of the phone that exported it, and says nothing
//! about itself. So a file is read twice: a survey of its headers tells how they are written, then every
//! line is either a header of that style, or text of the message above it.

mod authors;
mod classify;
mod clock_words;
mod cursor;
mod dates;
mod day_part;
mod header;
mod reader;
mod survey;
mod title;
mod words;

use std::io::Read;

use crate::lines::lines;
use crate::{Export, ImportError, Options, Outcome, Sink, input};
use header::parse;
use reader::Reader;
use survey::{Findings, Survey};

/// Headers that a survey looks at: years of a busy group, in a fraction of a second. What it is after (the style, the
/// order of dates, who writes) does not change behind them.
const SURVEY_HEADERS_MAX: u64 = 200_000;

/// Whether a file that begins with `head` is a chat.
pub(super) fn recognise(head: &[u8]) -> bool {
    let mut lines = lines(head);
    let mut survey = Survey::default();
    while let Ok(Some(line)) = lines.next() {
        if let Some(header) = parse(&line.text) {
            survey.add(line.number, &header);
        }
    }
    survey.is_chat()
}

/// Streams the chat of `export` into `sink`.
pub(super) fn read(export: &Export, options: &Options, sink: &mut dyn Sink) -> Result<Outcome, ImportError> {
    let findings = input::with(export, |read, mut position| {
        survey(export, options, read, || position.report_nothing(sink))
    })?;
    let outcome = input::with(export, |read, mut position| {
        let mut lines = lines(read);
        let mut reader = Reader::new(export, options, findings, sink);
        loop {
            match lines.next() {
                Ok(Some(line)) => reader.line(&line)?,
                Ok(None) => return reader.finish(lines.repaired),
                Err(e) => {
                    reader.flush()?;
                    return Err(input::io_error(export, e));
                }
            }
            position.report(reader.sink())?;
        }
    })?;
    sink.progress(export.size_bytes).map_err(ImportError::Sink)?;
    Ok(outcome)
}

fn survey(
    export: &Export,
    options: &Options,
    read: impl Read,
    mut alive: impl FnMut() -> Result<(), ImportError>,
) -> Result<Findings, ImportError> {
    let mut lines = lines(read);
    let mut survey = Survey::default();
    let mut headers = 0;
    while headers < SURVEY_HEADERS_MAX {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            // What is before the damage can be read; the second pass tells of it.
            Err(_) if headers > 0 => break,
            Err(e) => return Err(input::io_error(export, e)),
        };
        if let Some(header) = parse(&line.text) {
            survey.add(line.number, &header);
            headers += 1;
        }
        alive()?;
    }
    survey.conclude(options).ok_or_else(|| ImportError::Damaged {
        path: export.label(),
        format: "WhatsApp",
        detail: "no line begins with a date, a time and a dash or bracket, as the messages of a chat do. \
                 Export the chat again: open it in WhatsApp, More, Export chat"
            .to_owned(),
    })
}
