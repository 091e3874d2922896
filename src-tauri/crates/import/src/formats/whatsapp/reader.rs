//! The second look at a file: every line becomes a message, part of one, or an entry of the receipt.

use std::collections::HashMap;

use chatstats_model::{Kind, Timestamp};
use foldhash::fast::RandomState;

use super::authors::{self, Authors};
use super::header::{Header, parse};
use super::survey::{Findings, Style};
use super::{classify, title};
use crate::clock::Clock;
use crate::excerpt::left_out;
use crate::formats::CONTENT_BYTES_MAX;
use crate::lines::Line;
use crate::{ChatHead, Export, ImportError, Options, Outcome, Record, Sender, Sink};

/// Builds records from lines.
pub(super) struct Reader<'s> {
    style: Style,
    authors: Authors,
    people: HashMap<Box<str>, Person, RandomState>,
    clock: Clock,
    me: Option<String>,
    title: Option<String>,
    begun: bool,
    pending: Option<Pending>,
    impossible: u64,
    notes: Vec<String>,
    sink: &'s mut dyn Sink,
}

/// Somebody who wrote, as records name them.
struct Person {
    sender: Sender,
    is_me: bool,
}

/// A message whose last line has not been seen.
struct Pending {
    author: Option<Box<str>>,
    timestamp: Timestamp,
    content: String,
    line_number: u64,
    cut_bytes: u64,
    cut: String,
}

impl<'s> Reader<'s> {
    pub(super) fn new(
        export: &Export,
        options: &Options,
        findings: Findings,
        sink: &'s mut dyn Sink,
    ) -> Self {
        let title = title::of(export);
        let (me, note) = who_is_me(options, title.as_deref(), &findings.authors);
        let mut notes = findings.notes;
        notes.extend(note);
        Self {
            style: findings.style,
            authors: findings.authors,
            people: HashMap::default(),
            clock: Clock::new(options.timezone.clone()),
            me,
            title,
            begun: false,
            pending: None,
            impossible: 0,
            notes,
            sink,
        }
    }

    pub(super) fn sink(&mut self) -> &mut dyn Sink {
        self.sink
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, line: &Line) -> Result<(), ImportError> {
        if let Some(header) = parse(&line.text).filter(|header| header.shape == self.style.shape) {
            match self.time(&header) {
                Some(timestamp) => {
                    self.flush()?;
                    self.begin(timestamp, &header, line);
                    return Ok(());
                }
                None => self.impossible += 1,
            }
        }
        match &mut self.pending {
            Some(pending) => {
                pending.append("\n");
                pending.append(&line.text);
                pending.cut_bytes += line.cut_bytes;
                Ok(())
            }
            // An empty line holds nothing that could be lost.
            None if line.text.trim().is_empty() && line.cut_bytes == 0 => Ok(()),
            None => {
                let reason = "before the first message of the file";
                self.leave_out(line.number, reason.to_owned(), &line.text)
            }
        }
    }

    /// Hands over the last message.
    pub(super) fn finish(mut self, repaired: u64) -> Result<Outcome, ImportError> {
        self.flush()?;
        if self.impossible > 0 {
            let count = self.impossible;
            self.notes.push(format!(
                "Lines that look like headers with a date that does not exist, kept as text: {count}."
            ));
        }
        if repaired > 0 {
            let how = "read as Windows-1252, or with their flaws replaced";
            self.notes
                .push(format!("Lines that are not valid UTF-8, {how}: {repaired}."));
        }
        Ok(Outcome { notes: self.notes })
    }

    fn time(&mut self, header: &Header) -> Option<Timestamp> {
        let (day, hour) = self.style.day_and_hour(header)?;
        self.clock.instant(day, hour, header.minute, header.second)
    }

    fn begin(&mut self, timestamp: Timestamp, header: &Header, line: &Line) {
        let split = self.authors.split(header.rest);
        let (author, text) = split.map_or((None, header.rest), |(author, text)| (Some(author), text));
        let mut pending = Pending {
            author: author.map(Box::from),
            timestamp,
            content: String::with_capacity(text.len()),
            line_number: line.number,
            cut_bytes: 0,
            cut: String::new(),
        };
        pending.append(text);
        pending.cut_bytes += line.cut_bytes;
        self.pending = Some(pending);
    }

    /// Hands over what is complete: the message, and what of it was too long.
    pub(super) fn flush(&mut self) -> Result<(), ImportError> {
        let Some(mut pending) = self.pending.take() else {
            return Ok(());
        };
        if !self.begun {
            self.begun = true;
            let head = ChatHead {
                key: None,
                title: self.title.clone(),
            };
            self.sink.chat(head).map_err(ImportError::Sink)?;
        }
        let (line_number, cut_bytes) = (pending.line_number, pending.cut_bytes);
        let cut = std::mem::take(&mut pending.cut);
        let record = self.record(pending);
        self.sink.message(record).map_err(ImportError::Sink)?;
        if cut_bytes > 0 {
            let reason = format!("the last {cut_bytes} bytes of a message of more than 1 MiB");
            self.leave_out(line_number, reason, &cut)?;
        }
        Ok(())
    }

    fn record(&mut self, pending: Pending) -> Record {
        let Pending {
            author,
            content,
            timestamp,
            ..
        } = pending;
        let (kind, attachments, person) = match author {
            None => (classify::app_line(&content), Vec::new(), None),
            Some(author) => {
                let (me, title) = (self.me.as_deref(), self.title.as_deref());
                let person = self
                    .people
                    .entry(author)
                    .or_insert_with_key(|name| Person::new(name, me));
                let (kind, attachments) = classify::message(&content, &person.sender.name, title);
                (kind, attachments, Some(person).filter(|_| kind != Kind::System))
            }
        };
        Record {
            key: None,
            is_from_me: person.as_ref().is_some_and(|person| person.is_me),
            sender: person.map(|person| person.sender.clone()),
            content,
            timestamp,
            kind,
            reply_to: None,
            edited_at: None,
            reactions: Vec::new(),
            attachments,
        }
    }

    fn leave_out(&mut self, line_number: u64, reason: String, text: &str) -> Result<(), ImportError> {
        self.sink
            .left_out(left_out(format!("line {line_number}"), reason, text))
            .map_err(ImportError::Sink)
    }
}

impl Person {
    fn new(name: &str, me: Option<&str>) -> Self {
        let name = authors::clean(name).to_owned();
        let is_me = me.is_some_and(|me| is_same(me, &name));
        Self {
            sender: Sender {
                key: name.clone(),
                name,
            },
            is_me,
        }
    }
}

impl Pending {
    /// Adds to the content as far as there is room, and counts the rest.
    fn append(&mut self, text: &str) {
        let room = CONTENT_BYTES_MAX.saturating_sub(self.content.len());
        // Nothing goes in behind a gap.
        let fits = if self.cut_bytes > 0 {
            0
        } else {
            text.floor_char_boundary(room)
        };
        self.content.push_str(&text[..fits]);
        let rest = &text[fits..];
        if !rest.is_empty() {
            self.cut_bytes += rest.len() as u64;
            // Enough for an excerpt.
            if self.cut.len() < 1024 {
                self.cut.push_str(&rest[..rest.floor_char_boundary(1024)]);
            }
        }
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a == b || a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// The user's name in the file: what was said, or the other one of two where the file is named after one.
fn who_is_me(options: &Options, title: Option<&str>, authors: &Authors) -> (Option<String>, Option<String>) {
    if options.me.is_some() {
        return (options.me.clone(), None);
    }
    let others = title.zip(authors.at_most(2)).and_then(|(title, names)| {
        let [a, b] = names[..] else { return None };
        let (a, b) = (authors::clean(a), authors::clean(b));
        match (is_same(a, title), is_same(b, title)) {
            (true, false) => Some((b, a)),
            (false, true) => Some((a, b)),
            _ => None,
        }
    });
    match others {
        Some((me, other)) => {
            let note =
                format!("The file is named after {other}, so the messages by {me} were taken as your own.");
            (Some(me.to_owned()), Some(note))
        }
        None => (None, None),
    }
}
