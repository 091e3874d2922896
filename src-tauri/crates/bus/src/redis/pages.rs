//! Reading stretches of a stream without ever holding much of it.

use std::sync::Arc;

use redis::cmd;

use super::link::Link;
use crate::engine::{PAGE_BYTES, Page, Range};
use crate::{BusError, Entry, StreamKey};

/// The first bite: small, because nothing is known of the entries' size yet, and each may have megabytes.
const FIRST: usize = 32;

/// The largest bite: more entries at once gain nothing, and all of them may be larger than those before.
const LARGEST: usize = 1_024;

/// How much larger a bite may be than the one before.
const GROWTH: usize = 4;

/// How many entries to ask for: as many as fit into a few MiB, going by the largest of those before.
#[derive(Debug)]
pub(super) struct Appetite(usize);

impl Appetite {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    pub(super) fn count(&self) -> usize {
        self.0
    }

    pub(super) fn feed(&mut self, entries: &[Arc<Entry>]) {
        let Some(largest) = entries.iter().map(|entry| entry.fields.size_bytes()).max() else {
            return;
        };
        // Only a full bite tells that there would have been more.
        let wanted = if entries.len() < self.0 {
            self.0
        } else {
            self.0 * GROWTH
        };
        self.0 = (PAGE_BYTES / largest.max(1)).min(wanted).clamp(1, LARGEST);
    }
}

/// Reads a page.
pub(super) async fn page(link: &Link, key: &StreamKey, range: Range) -> Result<Page, BusError> {
    let mut page = Page::default();
    let (mut from, mut to) = (range.from, range.to);
    let mut appetite = Appetite::new();
    let mut size_bytes = 0;
    loop {
        // One more than is wanted tells whether there is more.
        let count = appetite.count().min(range.count - page.entries.len() + 1);
        let entries = bite(
            link,
            key,
            Range {
                from,
                to,
                count,
                ..range
            },
        )
        .await?;
        appetite.feed(&entries);
        let is_end = entries.len() < count;
        for entry in entries {
            size_bytes += entry.fields.size_bytes();
            let is_large = size_bytes > PAGE_BYTES && !page.entries.is_empty();
            if page.entries.len() == range.count || is_large {
                page.more = true;
                return Ok(page);
            }
            page.entries.push(entry);
        }
        let last = page.entries.last().map(|entry| entry.id);
        let rest = if range.reverse {
            last.and_then(|id| id.prev())
                .filter(|id| *id >= from)
                .map(|to| (from, to))
        } else {
            last.and_then(|id| id.next())
                .filter(|id| *id <= to)
                .map(|from| (from, to))
        };
        match rest {
            Some(rest) if !is_end => (from, to) = rest,
            _ => return Ok(page),
        }
    }
}

async fn bite(link: &Link, key: &StreamKey, range: Range) -> Result<Vec<Arc<Entry>>, BusError> {
    let (name, first, second) = match range.reverse {
        false => ("XRANGE", range.from, range.to),
        true => ("XREVRANGE", range.to, range.from),
    };
    let mut ask = cmd(name);
    ask.arg(key.as_str())
        .arg(first.to_string())
        .arg(second.to_string());
    ask.arg("COUNT").arg(range.count);
    link.entries(key, &ask).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fields, StreamId};

    fn entries(count: usize, size_bytes: usize) -> Vec<Arc<Entry>> {
        let fields = Fields::new([("a", vec![0; size_bytes])]).expect("fits");
        let entry = Arc::new(Entry::new(StreamId::new(1, 1), fields));
        vec![entry; count]
    }

    #[test]
    fn bites_grow_while_entries_are_small_and_shrink_at_once_when_they_are_large() {
        let mut appetite = Appetite::new();
        assert_eq!(appetite.count(), FIRST);
        for wanted in [128, 512, LARGEST, LARGEST] {
            appetite.feed(&entries(appetite.count(), 300));
            assert_eq!(appetite.count(), wanted);
        }
        appetite.feed(&entries(1, 1 << 20));
        assert_eq!(appetite.count(), 3);
        appetite.feed(&entries(1, 7 << 20));
        assert_eq!(appetite.count(), 1, "never nothing");
        appetite.feed(&entries(1, 300));
        assert_eq!(appetite.count(), GROWTH);
        appetite.feed(&entries(1, 300));
        assert_eq!(appetite.count(), GROWTH, "there was no more");
    }
}
