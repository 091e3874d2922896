//! Hands the records of a document to a sink.

use std::borrow::Cow;
use std::io::Read;

use super::heads::{Heads, Scan};
use super::json::{Json, Value};
use super::me::Me;
use super::record::record;
use super::row::Row;
use super::walk::{self, Head, Stop, Visit};
use crate::clock::Clock;
use crate::excerpt::left_out;
use crate::formats::CONTENT_BYTES_MAX;
use crate::input::{self, Position};
use crate::{ChatHead, Export, ImportError, Options, Outcome, Record, Sink};

/// The largest record as it stands in the file: a text of the longest size with every character escaped would be
/// larger, and no app writes one.
const ROW_BYTES_MAX: usize = 4 << 20;

/// Reads what is in the chats.
pub(super) struct Reader<'a> {
    export: &'a Export,
    sink: &'a mut dyn Sink,
    position: Position,
    clock: Clock,
    me: Me,
    heads: Option<Heads>,
    /// Chats that began, the root included.
    chats: usize,
    open: Vec<(usize, String)>,
    /// The head of a chat of which nothing was handed over yet.
    unsaid: Option<ChatHead>,
    ready: Vec<Record>,
    /// Where the reading is, for messages about damage.
    place: String,
    repaired: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        export: &'a Export,
        options: &Options,
        position: Position,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            export,
            sink,
            position,
            clock: Clock::new(options.timezone.clone()),
            me: Me::new(options),
            heads: None,
            chats: 0,
            open: Vec::new(),
            unsaid: None,
            ready: Vec::new(),
            place: String::new(),
            repaired: 0,
        }
    }

    /// Reads the whole document. Where it breaks off, everything before has been handed over.
    pub(super) fn read<R: Read>(mut self, json: &mut Json<R>) -> Result<Outcome, ImportError> {
        let result = walk::document(json, &mut self);
        match result {
            Ok(()) => Ok(self.outcome()),
            Err(Stop::Import(error)) => Err(error),
            Err(Stop::Json(error)) => {
                self.me.end_chat(&mut self.ready);
                self.hand_over()?;
                if !json.excerpt().is_empty() {
                    let excerpt = String::from_utf8_lossy(json.excerpt()).into_owned();
                    self.leave_out(self.place.clone(), "the file is damaged here", &excerpt)?;
                }
                Err(super::broken(self.export, error, &self.place))
            }
        }
    }

    fn outcome(self) -> Outcome {
        let mut notes = Vec::new();
        if self.repaired > 0 {
            notes.push(format!(
                "Messages that are not valid UTF-8, read with their flaws replaced: {}.",
                self.repaired
            ));
        }
        Outcome { notes }
    }

    /// What the chat says of itself, if need be from behind its messages.
    fn full_head(&mut self, head: &Head) -> Result<Head, ImportError> {
        let number = self.open.last().map_or(0, |(number, _)| *number);
        let known = head.id.is_some() && head.name.is_some() && head.kind.is_some();
        if known && (number == 0 || self.me.has_account() || self.heads.is_some()) {
            return Ok(head.clone());
        }
        if self.heads.is_none() {
            let heads = self.scan()?;
            if let Some(user) = &heads.user {
                self.me.set_account(user);
            }
            self.heads = Some(heads);
        }
        let later = self
            .heads
            .as_ref()
            .and_then(|heads| heads.get(number))
            .cloned()
            .unwrap_or_default();
        Ok(Head {
            id: head.id.clone().or(later.id),
            name: head.name.clone().or(later.name),
            kind: head.kind.clone().or(later.kind),
        })
    }

    fn scan(&mut self) -> Result<Heads, ImportError> {
        let sink = &mut *self.sink;
        input::with(self.export, |read, mut position| {
            let mut alive = || position.report_nothing(sink);
            let mut scan = Scan {
                heads: Heads::default(),
                alive: &mut alive,
            };
            match walk::document(&mut Json::new(read), &mut scan) {
                // Damage is told by the pass that reads the messages.
                Ok(()) | Err(Stop::Json(_)) => Ok(scan.heads),
                Err(Stop::Import(error)) => Err(error),
            }
        })
    }

    fn row(&mut self, bytes: &[u8], place: impl Fn() -> String) -> Result<(), ImportError> {
        let text = String::from_utf8_lossy(bytes);
        self.repaired += u64::from(matches!(text, Cow::Owned(_)));
        let row: Row = match serde_json::from_str(&text) {
            Ok(row) => row,
            Err(e) => return self.leave_out(place(), &format!("is not a message: {e}"), &text),
        };
        let mut record = match record(&row, &mut self.clock) {
            Ok(record) => record,
            Err(reason) => return self.leave_out(place(), &reason, &text),
        };
        let cut = cut(&mut record.content);
        self.me.add(record, &mut self.ready);
        self.hand_over()?;
        if let Some(cut) = cut {
            let reason = format!("the last {} bytes of a message of more than 1 MiB", cut.len());
            self.leave_out(place(), &reason, &cut)?;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), ImportError> {
        if !self.ready.is_empty()
            && let Some(head) = self.unsaid.take()
        {
            self.sink.chat(head).map_err(ImportError::Sink)?;
        }
        for record in self.ready.drain(..) {
            self.sink.message(record).map_err(ImportError::Sink)?;
        }
        Ok(())
    }

    fn leave_out(&mut self, place: String, reason: &str, text: &str) -> Result<(), ImportError> {
        self.sink
            .left_out(left_out(place, reason, text))
            .map_err(ImportError::Sink)
    }
}

impl Visit for Reader<'_> {
    fn begin(&mut self, place: &str) {
        self.open.push((self.chats, place.to_owned()));
        self.place = if place.is_empty() {
            "the beginning".to_owned()
        } else {
            place.to_owned()
        };
        self.chats += 1;
    }

    fn messages<R: Read>(&mut self, json: &mut Json<R>, head: &Head) -> Result<(), Stop> {
        let head = self.full_head(head)?;
        self.me.begin_chat(&head);
        self.unsaid = Some(ChatHead {
            key: head.id,
            title: head.name.filter(|name| !name.is_empty()),
        });
        let prefix = match self.open.last() {
            Some((_, place)) if !place.is_empty() => format!("{place}.messages"),
            _ => "messages".to_owned(),
        };
        json.enter(b'[')?;
        let mut number = 0_u64;
        loop {
            self.place.clear();
            // Written into the same string: a million times in a large export.
            std::fmt::Write::write_fmt(&mut self.place, format_args!("{prefix}[{number}]"))
                .expect("writing to a string cannot fail");
            if !json.next_element()? {
                break;
            }
            let place = || format!("{prefix}[{number}]");
            match json.value(ROW_BYTES_MAX)? {
                Value::Whole(bytes) => self.row(bytes, place)?,
                Value::TooLarge(bytes) => {
                    let excerpt = String::from_utf8_lossy(bytes);
                    self.leave_out(place(), "is larger than 4 MiB", &excerpt)?;
                }
            }
            self.position.report(self.sink)?;
            number += 1;
        }
        self.me.end_chat(&mut self.ready);
        Ok(self.hand_over()?)
    }

    fn end(&mut self, _head: Head) {
        self.open.pop();
    }

    fn user(&mut self, id: String) {
        self.me.set_account(&id);
    }

    fn stray(&mut self, place: &str, excerpt: &[u8]) -> Result<(), Stop> {
        Ok(self.leave_out(
            place.to_owned(),
            "is not a chat",
            &String::from_utf8_lossy(excerpt),
        )?)
    }
}

/// Cuts a text at the longest size that is kept; returns the rest.
fn cut(content: &mut String) -> Option<String> {
    if content.len() <= CONTENT_BYTES_MAX {
        return None;
    }
    Some(content.split_off(content.floor_char_boundary(CONTENT_BYTES_MAX)))
}
