//! Entries as lines: for people, or as JSON.

use std::io::{self, IsTerminal, StdoutLock, Write};

use chatstats_model::{StreamEntry, StreamReach};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Writes to standard output.
pub(super) struct Printer {
    out: StdoutLock<'static>,
    json: bool,
    colour: bool,
    zone: TimeZone,
}

/// Told in columns of their own, or by the id.
const IN_COLUMNS: [&str; 3] = ["type", "scope", "ts"];

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        let out = io::stdout().lock();
        // https://no-color.org
        let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            json,
            colour: out.is_terminal() && is_wanted,
            zone: TimeZone::system(),
            out,
        }
    }

    pub(super) fn entry(&mut self, entry: &StreamEntry) -> io::Result<()> {
        let line = match self.json {
            true => as_json(entry),
            false => as_text(entry, &self.zone, self.colour),
        };
        // A line at a time: who follows wants to see it now.
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    pub(super) fn reach(&mut self, reach: &StreamReach) -> io::Result<()> {
        match self.json {
            true => {
                serde_json::to_writer(&mut self.out, reach)?;
                writeln!(self.out)
            }
            false => writeln!(self.out, "{}", reach.length),
        }
    }
}

/// One object: the id, then the fields. A field that is itself named `id` becomes `field:id`; of a name that comes
/// twice the last value counts.
fn as_json(entry: &StreamEntry) -> String {
    let mut object = Map::new();
    object.insert("id".to_owned(), Value::String(entry.id.clone()));
    for (name, value) in &entry.fields {
        let name = if name == "id" { "field:id" } else { name };
        object.insert(name.to_owned(), Value::String(value.clone()));
    }
    Value::Object(object).to_string()
}

/// Time, id, scope, type, and the rest.
fn as_text(entry: &StreamEntry, zone: &TimeZone, colour: bool) -> String {
    let (dim, bold, plain) = if colour { (DIM, BOLD, PLAIN) } else { ("", "", "") };
    let of_name = |wanted: &str| {
        let found = entry.fields.iter().rev().find(|(name, _)| name == wanted);
        found.map_or_else(|| "-".to_owned(), |(_, value)| word(value))
    };
    let mut line = format!(
        "{dim}{}  {:<17}{plain}  {:<16}  {bold}{:<20}{plain}",
        time(&entry.id, zone),
        entry.id,
        of_name("scope"),
        of_name("type"),
    );
    for (name, value) in entry
        .fields
        .iter()
        .filter(|(name, _)| !IN_COLUMNS.contains(&name.as_str()))
    {
        line.push_str(&format!("  {dim}{}={plain}{}", word(name), word(value)));
    }
    line.truncate(line.trim_end().len());
    line
}

/// When the entry was written, by the clock of whoever keeps the log.
fn time(id: &str, zone: &TimeZone) -> String {
    let ms = id.split('-').next().and_then(|ms| ms.parse().ok());
    let at = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // Ids may be any numbers.
    at.map_or_else(
        || format!("{:<23}", "-"),
        |at| {
            at.to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S%.3f")
                .to_string()
        },
    )
}

/// A value on one line, in quotes where it would not be one word. Control characters are escaped: they are not to
/// reach the terminal.
fn word(text: &str) -> String {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '"';
    if !text.is_empty() && !text.contains(is_odd) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(c.escape_default()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&str, &str)]) -> StreamEntry {
        StreamEntry {
            id: "1704110400123-4".to_owned(),
            fields: fields
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_line_for_people_has_columns_and_no_control_characters() {
        let entry = entry(&[
            ("type", "failed"),
            ("scope", "task:1"),
            ("ts", "2024-01-01T12:00:00.123000"),
            ("error", "two\nwords \x1b[31m\u{9b}"),
            ("empty", ""),
        ]);
        assert_eq!(
            as_text(&entry, &TimeZone::UTC, false),
            "2024-01-01 12:00:00.123  1704110400123-4    task:1            failed                \
             error=\"two\\nwords \\u{1b}[31m\\u{9b}\"  empty=\"\""
        );
        let coloured = as_text(&entry, &TimeZone::UTC, true);
        assert!(
            coloured.contains("\x1b[1mfailed") && !coloured.contains("\x1b[31m"),
            "{coloured:?}"
        );
    }

    #[test]
    fn an_entry_that_is_no_event_and_an_id_that_is_no_time_are_shown_as_well() {
        let odd = StreamEntry {
            id: "18446744073709551615-0".to_owned(),
            ..entry(&[("a b", "1")])
        };
        let line = as_text(&odd, &TimeZone::UTC, false);
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, ["-", "18446744073709551615-0", "-", "-", "\"a", "b\"=1"]);
    }

    #[test]
    fn json_keeps_the_id_of_the_entry_and_the_order_of_the_fields() {
        let json = as_json(&entry(&[("b", "1"), ("id", "own"), ("a", "\n"), ("b", "2")]));
        assert_eq!(
            json,
            r#"{"id":"1704110400123-4","b":"2","field:id":"own","a":"\n"}"#
        );
    }
}
