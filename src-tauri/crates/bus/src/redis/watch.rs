//! Whether a stream is still the one that was read so far.
//!
//! Redis counts the entries that were ever added to a stream. Whoever has read `n` since that count was `c` must find it
//! at `c + n` where nothing is left to read: if it is not, entries went by unread, or the stream is another one.

use std::collections::VecDeque;
use std::sync::Arc;

use super::reply::Reach;
use crate::{Entry, StreamId};

/// How many ids are remembered. A stream that lost its end, as Redis does in a crash when it does not write
/// every second of it to the disk, is recognised by its new last one.
const REMEMBERED: usize = 4_096;

/// What a reader has of a stream.
#[derive(Debug)]
pub(super) struct Place {
    /// The newest that it has.
    pub(super) id: StreamId,
    /// Entries added up to there; none while that is not known.
    added: Option<u64>,
    /// The last ids, the newest at the end.
    recent: VecDeque<StreamId>,
}

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well.
    Same,
    /// Entries went by unread. What comes next has higher ids than what was read.
    Gap,
    /// The stream was lost, as a whole or down to this id, and begins anew behind it.
    Anew(StreamId),
}

/// What was seen at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) reach: Reach,
    /// Whether there is an entry at our place or below.
    pub(super) has_older: bool,
    /// How many entries lie above our place; none if not all of them were counted.
    pub(super) unread: Option<u64>,
}

impl Place {
    /// At the newest entry there is.
    pub(super) fn at(reach: Reach) -> Self {
        Self {
            id: reach.info.newest,
            added: reach.added,
            recent: VecDeque::from([reach.info.newest]),
        }
    }

    /// Whether nothing lies between what was read before and these entries, nor behind them.
    pub(super) fn is_joined_by(&self, entries: &[Arc<Entry>], reach: &Reach) -> bool {
        let newest = entries.last().map_or(self.id, |last| last.id);
        let added = self.added.map(|added| added.saturating_add(entries.len() as u64));
        newest == reach.info.newest && added.is_some() && added == reach.added
    }

    /// Entries were read.
    pub(super) fn read(&mut self, ids: impl Iterator<Item = StreamId>) {
        for id in ids {
            self.id = id;
            self.added = self.added.map(|added| added.saturating_add(1));
            if self.recent.len() == REMEMBERED {
                self.recent.pop_front();
            }
            self.recent.push_back(id);
        }
    }

    /// Compares a stream with what was read of it; from then on, it is taken as it is.
    pub(super) fn compare(&mut self, look: &Look) -> Verdict {
        let Look {
            reach,
            has_older,
            unread,
        } = look;
        if reach.info.newest < self.id {
            let after = self.cut_back_to(reach);
            // Of another stream it is not known how many of its entries are there to be read.
            self.added = reach.added.filter(|_| after > StreamId::ZERO);
            self.id = after;
            self.recent = VecDeque::from([after]);
            return Verdict::Anew(after);
        }
        let verdict = match (self.added, reach.added, unread) {
            (Some(had), Some(added), Some(unread)) if had + unread != added => Verdict::Gap,
            (Some(_), Some(_), Some(_)) => Verdict::Same,
            // Where it cannot be counted, what is gone may have gone unread.
            (Some(had), Some(added), None) if added < had => Verdict::Gap,
            _ if self.id > StreamId::ZERO && !has_older && reach.info.first.is_some() => Verdict::Gap,
            _ => Verdict::Same,
        };
        match (reach.added, unread) {
            (Some(added), Some(unread)) => self.added = added.checked_sub(*unread),
            _ if verdict == Verdict::Gap => self.added = None,
            _ => {}
        }
        verdict
    }

    /// If the stream is ours and only lost its end, its last id; else the place before all.
    fn cut_back_to(&self, reach: &Reach) -> StreamId {
        let newest = reach.info.newest;
        let kept = self.recent.iter().rposition(|id| *id == newest);
        let (Some(at), Some(had), Some(added)) = (kept, self.added, reach.added) else {
            return StreamId::ZERO;
        };
        let lost = (self.recent.len() - 1 - at) as u64;
        if added + lost == had {
            newest
        } else {
            StreamId::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StreamInfo;

    fn reach(newest: u64, added: u64) -> Reach {
        let newest = StreamId::new(newest, 0);
        let info = StreamInfo {
            newest,
            first: (added > 0).then_some(newest),
            ..StreamInfo::default()
        };
        Reach {
            info,
            added: Some(added),
        }
    }

    fn look(newest: u64, added: u64, unread: u64) -> Look {
        Look {
            reach: reach(newest, added),
            has_older: false,
            unread: Some(unread),
        }
    }

    /// A reader that began when ten entries had been added, the newest 10-0, and has read 11-0 to 15-0.
    fn place() -> Place {
        let mut place = Place::at(reach(10, 10));
        place.read((11..=15).map(|ms| StreamId::new(ms, 0)));
        place
    }

    #[test]
    fn a_stream_that_only_grew_or_was_trimmed_behind_us_is_the_same() {
        assert_eq!(place().compare(&look(15, 15, 0)), Verdict::Same);
        let mut place = place();
        assert_eq!(place.compare(&look(18, 18, 3)), Verdict::Same);
        place.read((16..=18).map(|ms| StreamId::new(ms, 0)));
        assert_eq!(place.compare(&look(18, 18, 0)), Verdict::Same);
    }

    #[test]
    fn entries_that_went_by_unread_are_a_gap_once() {
        let mut place = place();
        assert_eq!(
            place.compare(&look(18, 18, 2)),
            Verdict::Gap,
            "one of three was trimmed"
        );
        assert_eq!(place.compare(&look(18, 18, 2)), Verdict::Same, "told already");
        place.read([17, 18].map(|ms| StreamId::new(ms, 0)).into_iter());
        assert_eq!(place.compare(&look(18, 18, 0)), Verdict::Same);
    }

    #[test]
    fn another_stream_in_its_place_is_a_gap_or_begins_anew() {
        assert_eq!(
            place().compare(&look(20, 1, 1)),
            Verdict::Gap,
            "made again after DEL, with higher ids"
        );
        assert_eq!(
            place().compare(&look(0, 0, 0)),
            Verdict::Anew(StreamId::ZERO),
            "gone"
        );
        assert_eq!(
            place().compare(&look(12, 3, 0)),
            Verdict::Anew(StreamId::ZERO),
            "another with lower ids"
        );
        let mut place = place();
        place.compare(&look(0, 0, 0));
        assert_eq!(place.id, StreamId::ZERO);
        assert_eq!(
            place.compare(&look(3, 9, 3)),
            Verdict::Same,
            "it was renamed here, and trimmed before"
        );
    }

    #[test]
    fn a_stream_that_lost_its_end_goes_on_from_there() {
        let mut place = place();
        let thirteen = StreamId::new(13, 0);
        assert_eq!(place.compare(&look(13, 13, 0)), Verdict::Anew(thirteen));
        assert_eq!(place.id, thirteen);
        assert_eq!(place.compare(&look(14, 14, 1)), Verdict::Same);
    }

    #[test]
    fn where_it_cannot_be_counted_a_place_that_is_gone_is_a_gap() {
        let uncounted = |has_older| Look {
            has_older,
            unread: None,
            ..look(900, 900, 0)
        };
        assert_eq!(place().compare(&uncounted(true)), Verdict::Same);
        assert_eq!(place().compare(&uncounted(false)), Verdict::Gap);
    }
}
