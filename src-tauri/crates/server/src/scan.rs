//! Reading stretches of a stream, of which some entries are wanted.

use std::ops::Bound;

use chatstats_bus::{Bus, BusError, Entry, StreamId, StreamIdError, StreamInfo, StreamKey};
use chatstats_model::{EntryPage, StreamEntry, StreamReach};

/// Entries looked at for one answer: some hundred milliseconds of reading from a file. Whoever looks for something
/// rare goes on from `next`.
const SCANNED_MAX: usize = 20_000;

/// Entries read at once where not all are wanted.
const READ_AT_ONCE: usize = 1_000;

/// An answer ends with the entry that takes it over this size, in bytes: it is in memory as a whole.
const ANSWER_BYTES: usize = 8 << 20;

/// What of a stream is wanted; everything, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) scope: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) event_type: Option<String>,
}

/// A stretch of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// The low end.
    pub(crate) from: Bound<StreamId>,
    /// The high end.
    pub(crate) to: Bound<StreamId>,
    /// The newest first.
    pub(crate) reverse: bool,
    /// At most so many entries that are wanted.
    pub(crate) count: usize,
}

/// Reads on until there are `count` entries, or the answer is large, or enough was looked at.
pub(crate) async fn scan(
    bus: &Bus,
    key: &StreamKey,
    mut stretch: Stretch,
    wanted: &Wanted,
) -> Result<EntryPage, BusError> {
    let mut answer = EntryPage {
        entries: Vec::new(),
        next: None,
    };
    let (mut scanned, mut size_bytes) = (0, 0);
    loop {
        let missing = stretch.count - answer.entries.len();
        let count = if wanted.is_all() { missing } else { READ_AT_ONCE };
        let ids = (stretch.from, stretch.to);
        let page = match stretch.reverse {
            true => bus.rev_range(key, ids, count).await?,
            false => bus.range(key, ids, count).await?,
        };
        let Some(last) = page.entries.last().map(|entry| entry.id) else {
            return Ok(answer);
        };
        for entry in &page.entries {
            scanned += 1;
            if wanted.wants(entry) {
                size_bytes += entry.fields.size_bytes();
                answer.entries.push(shown(entry));
            }
            let is_enough = answer.entries.len() == stretch.count || size_bytes > ANSWER_BYTES;
            if is_enough || scanned == SCANNED_MAX {
                answer.next = (page.more || entry.id != last).then(|| entry.id.to_string());
                return Ok(answer);
            }
        }
        if !page.more {
            return Ok(answer);
        }
        match stretch.reverse {
            true => stretch.to = Bound::Excluded(last),
            false => stretch.from = Bound::Excluded(last),
        }
    }
}

/// An end of a range as Redis takes it: `-`, `+`, an id, `(id` for one that is not part of it. Of an id that is
/// milliseconds alone the low end means the first of them, and the high end the last.
///
/// # Errors
///
/// It is none of these.
pub(crate) fn low_end(text: &str) -> Result<Bound<StreamId>, StreamIdError> {
    end(text, str::parse)
}

/// See [`low_end`].
pub(crate) fn high_end(text: &str) -> Result<Bound<StreamId>, StreamIdError> {
    end(text, StreamId::parse_end)
}

fn end(
    text: &str,
    parse: impl Fn(&str) -> Result<StreamId, StreamIdError>,
) -> Result<Bound<StreamId>, StreamIdError> {
    match (text, text.strip_prefix('(')) {
        ("-", _) => Ok(Bound::Included(StreamId::ZERO)),
        ("+", _) => Ok(Bound::Included(StreamId::MAX)),
        (_, Some(excluded)) => parse(excluded).map(Bound::Excluded),
        (_, None) => parse(text).map(Bound::Included),
    }
}

/// A stream's state as clients see it.
pub(crate) fn reach(key: &StreamKey, info: &StreamInfo) -> StreamReach {
    StreamReach {
        key: key.to_string(),
        length: info.length,
        first_id: info.first.map(|id| id.to_string()),
        last_id: info.last.map(|id| id.to_string()),
        newest_id: info.newest.to_string(),
    }
}

/// An entry as clients see it.
pub(crate) fn shown(entry: &Entry) -> StreamEntry {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    StreamEntry {
        id: entry.id.to_string(),
        fields: entry
            .fields
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
    }
}

impl Wanted {
    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        self.of_entry(|name| entry.fields.get(name))
    }

    /// As [`wants`](Self::wants), of what a server told.
    pub(crate) fn wants_shown(&self, entry: &StreamEntry) -> bool {
        self.of_entry(|name| {
            let of_name = entry.fields.iter().rev().find(|(found, _)| found == name);
            of_name.map(|(_, value)| value.as_bytes())
        })
    }

    /// Whether every entry is wanted.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The fields that must have a certain value, and the value.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("scope", &self.scope),
            ("run_id", &self.run_id),
            ("type", &self.event_type),
        ];
        all.into_iter()
            .filter_map(|(name, wanted)| Some((name, wanted.as_deref()?)))
    }

    fn of_entry<'e>(&self, value: impl Fn(&str) -> Option<&'e [u8]>) -> bool {
        self.given()
            .all(|(name, wanted)| value(name) == Some(wanted.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_redis_reads_them() {
        let id = StreamId::new;
        assert_eq!(low_end("-"), Ok(Bound::Included(StreamId::ZERO)));
        assert_eq!(high_end("+"), Ok(Bound::Included(StreamId::MAX)));
        assert_eq!(low_end("5"), Ok(Bound::Included(id(5, 0))));
        assert_eq!(high_end("5"), Ok(Bound::Included(id(5, u64::MAX))));
        assert_eq!(low_end("(5-1"), Ok(Bound::Excluded(id(5, 1))));
        assert_eq!(high_end("(5-1"), Ok(Bound::Excluded(id(5, 1))));
        for wrong in ["", "(", "((5", "(-", "$", "5-", "x"] {
            assert!(low_end(wrong).is_err() && high_end(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everything_that_is_asked_for_must_be_right() {
        let entry = StreamEntry {
            id: "1-0".to_owned(),
            fields: [
                ("type", "x"),
                ("scope", "old"),
                ("run_id", "7"),
                ("scope", "global"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        };
        let wanted = |scope: Option<&str>, run_id: Option<&str>, event_type: Option<&str>| Wanted {
            scope: scope.map(str::to_owned),
            run_id: run_id.map(str::to_owned),
            event_type: event_type.map(str::to_owned),
        };
        for (wanted, is_wanted) in [
            (wanted(None, None, None), true),
            (wanted(Some("global"), Some("7"), Some("x")), true),
            (wanted(Some("old"), None, None), false),
            (wanted(Some("global"), Some("8"), None), false),
            (wanted(None, None, Some("y")), false),
        ] {
            assert_eq!(wanted.wants_shown(&entry), is_wanted, "{wanted:?}");
        }
    }
}
