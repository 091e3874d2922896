//! A conversation as the model reads it.
//!
//! One line for each message, with its number, time and writer. What somebody wrote can neither begin a line nor look
//! like a mark of the prompt or of a model's own format ([`tame`]), so that it stays what it is: something written.
//!
//! A conversation that is too long for one call loses its middle, and says so. How it began and how it ended tell
//! more than its middle, and a call each for many parts would cost many times as much.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use chatstats_model::{ContactId, Kind, Message, MessageId};
use jiff::tz::TimeZone;

use crate::tokens;

/// The longest name of a writer, in tokens: it stands in every line.
const NAME_TOKENS_MAX: u64 = 12;

/// A message takes a share of the room at most, so that one pasted page does not push out the conversation around it.
const MESSAGE_SHARE: u64 = 8;

/// Attachments and reactions that a line names; more say nothing more.
const LISTED_MAX: usize = 3;

/// Room for the line that says what was left out, and for a day that has to be named again after it.
const MARK_TOKENS: u64 = 40;

/// A conversation, written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) text: String,
    /// The messages that are in it, by the number of their line.
    pub(crate) lines: BTreeMap<u64, MessageId>,
    /// How many messages of the middle are not in it.
    pub(crate) left_out: u64,
}

/// Writes a conversation down in at most `tokens_max` tokens by estimate, in the times of `zone`.
pub(crate) fn write(messages: &[Message], zone: &TimeZone, tokens_max: u64) -> Transcript {
    let mut writer = Writer {
        zone,
        message_tokens_max: (tokens_max / MESSAGE_SHARE).max(1),
        names: HashMap::new(),
        taken: HashMap::new(),
    };
    let told: Vec<&Message> = messages.iter().filter(|message| is_told(message)).collect();
    let whole = writer.fill(told.iter().copied(), tokens_max);
    let mut transcript = Transcript::default();
    if whole.len() == told.len() {
        transcript.add(&whole, 1);
        return transcript;
    }
    let half = tokens_max.saturating_sub(MARK_TOKENS) / 2;
    let head = writer.fill(told.iter().copied(), half);
    let from = head.len();
    let mut tail = writer.fill(told[from..].iter().rev().copied(), half);
    tail.reverse();
    let to = told.len() - tail.len();
    transcript.add(&head, 1);
    transcript.left_out = (to - from) as u64;
    let _infallible = writeln!(transcript.text, "[{} messages left out here]", to - from);
    transcript.add(&tail, to as u64 + 1);
    transcript
}

/// How many messages say something that somebody wrote.
pub(crate) fn written(messages: &[Message]) -> usize {
    let is_written = |message: &&Message| is_told(message) && !message.content.trim().is_empty();
    messages.iter().filter(is_written).count()
}

/// Whether a message is part of what happened between people.
fn is_told(message: &Message) -> bool {
    !matches!(message.kind, Kind::System | Kind::Deleted)
}

struct Line {
    message: MessageId,
    day: String,
    text: String,
}

impl Transcript {
    /// Adds lines, the first of which has the number `first`, and names each day where it begins.
    fn add(&mut self, lines: &[Line], first: u64) {
        let mut day = "";
        for (number, line) in (first..).zip(lines) {
            if day != line.day {
                let _infallible = writeln!(self.text, "[{}]", line.day);
                day = &line.day;
            }
            let _infallible = writeln!(self.text, "{number}| {}", line.text);
            self.lines.insert(number, line.message);
        }
    }
}

/// Whose name it is: whether the user's, whose contact's, and what the source calls them.
type Who = (bool, Option<ContactId>, Option<Arc<str>>);

struct Writer<'a> {
    zone: &'a TimeZone,
    message_tokens_max: u64,
    names: HashMap<Who, String>,
    /// How many people of each name there are.
    taken: HashMap<String, u32>,
}

impl Writer<'_> {
    /// The lines of the messages that come first and have room together.
    fn fill<'m>(&mut self, messages: impl Iterator<Item = &'m Message>, tokens_max: u64) -> Vec<Line> {
        let (mut lines, mut left, mut day) = (Vec::<Line>::new(), tokens_max, String::new());
        for message in messages {
            let line = self.line(message);
            // A number and its bar take about six.
            let mut cost = tokens::estimate(&line.text) + 6;
            if line.day != day {
                cost += tokens::estimate(&line.day) + 2;
                day.clone_from(&line.day);
            }
            match left.checked_sub(cost) {
                Some(rest) => left = rest,
                None => break,
            }
            lines.push(line);
        }
        lines
    }

    fn line(&mut self, message: &Message) -> Line {
        let at = jiff::Timestamp::from_microsecond(message.timestamp.as_micros()).unwrap_or_default();
        let at = at.to_zoned(self.zone.clone());
        let mut text = format!("{:02}:{:02} {}: ", at.hour(), at.minute(), self.name(message));
        match message.kind {
            Kind::Call => text.push_str("(call) "),
            Kind::Media if message.attachments.is_empty() => text.push_str("(media) "),
            _ => {}
        }
        for attachment in message.attachments.iter().take(LISTED_MAX) {
            let kind = tame(attachment.kind.as_deref().unwrap_or("file"));
            let _infallible = write!(text, "({}) ", tokens::head(&kind, NAME_TOKENS_MAX));
        }
        let content = tame(message.content.trim());
        let kept = tokens::head(&content, self.message_tokens_max);
        text.push_str(kept);
        if kept.len() < content.len() {
            text.push_str(" … (shortened)");
        }
        for reaction in message.reactions.iter().take(LISTED_MAX) {
            let emoji = tame(&reaction.emoji);
            let _infallible = write!(text, " +{}", tokens::head(&emoji, NAME_TOKENS_MAX));
        }
        Line {
            message: message.id,
            day: at.strftime("%A %Y-%m-%d").to_string(),
            text: text.trim_end().to_owned(),
        }
    }

    /// What a writer is called; two of one name are told apart.
    fn name(&mut self, message: &Message) -> &str {
        let key = (message.is_from_me, message.sender_id, message.sender.clone());
        self.names.entry(key).or_insert_with(|| {
            let fallback = if message.is_from_me { "Me" } else { "Unknown" };
            let name = tame(message.sender.as_deref().unwrap_or(fallback));
            let name = tokens::head(name.trim(), NAME_TOKENS_MAX).replace(':', " ");
            let name = if name.is_empty() {
                fallback.to_owned()
            } else {
                name
            };
            let count = self.taken.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                name
            } else {
                format!("{name} ({count})")
            }
        })
    }
}

/// A text of elsewhere that can do nothing but be read: it has no line breaks and no control characters, and what
/// looks like a tag or a model's own mark (`<|im_start|>`, `</s>`, `[INST]`) is not one any more. Servers turn such
/// marks into what they stand for, also where somebody wrote them in a chat. `<3` stays.
fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        match c {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => {
                if !tamed.ends_with(" / ") {
                    tamed.push_str(" / ");
                }
            }
            '\t' => tamed.push(' '),
            c if c.is_control() => {}
            '<' if next.is_alphabetic() || matches!(next, '/' | '|' | '!' | '\u{ff5c}') => tamed.push('‹'),
            '[' if next.is_ascii_uppercase() || next == '/' => tamed.push('('),
            c => tamed.push(c),
        }
    }
    tamed
}

#[cfg(test)]
mod tests;
