//! Reading a stretch of the log, page by page, and noticing what is missing from it.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::bus::Bus;
use crate::engine::{Page, Range, Reading, StreamInfo};
use crate::live::Place;
use crate::{BusError, Entry, StreamId, StreamKey};

/// Entries in a page: enough that asking costs little beside reading.
const PAGE_ENTRIES: usize = 2_000;

/// A stretch being read.
pub(crate) struct CatchUp {
    /// Has everything up to here.
    after: StreamId,
    /// Whether the reader really has everything up to `after`, and did not just ask for what comes behind it: if that
    /// entry is gone, others may be.
    must_exist: bool,
    /// The stretch ends here.
    through: Place,
    asked: Asked,
}

enum Asked {
    Page(Reading<Page>),
    /// The page does not begin with `after`: whether something is missing, the stream's state tells.
    Info(Page, Reading<StreamInfo>),
    Nothing,
}

/// A step.
pub(crate) enum Caught {
    /// Entries, and up to where the reader has everything now.
    Page {
        entries: Vec<Arc<Entry>>,
        through: StreamId,
    },
    /// Something is missing here. If the stream began anew, its ids did too.
    Gap { anew: bool },
    /// The end.
    Up(Place),
}

impl CatchUp {
    pub(crate) fn start(
        bus: &Bus,
        key: &StreamKey,
        after: StreamId,
        must_exist: bool,
        through: Place,
    ) -> Self {
        let mut this = Self {
            after,
            must_exist,
            through,
            asked: Asked::Nothing,
        };
        this.ask(bus, key, after);
        this
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        bus: &Bus,
        key: &StreamKey,
    ) -> Poll<Result<Caught, BusError>> {
        loop {
            match &mut self.asked {
                Asked::Nothing => return Poll::Ready(Ok(Caught::Up(self.through))),
                Asked::Page(reading) => {
                    let page = ready!(reading.as_mut().poll(cx))?;
                    let is_joined = page.entries.first().is_some_and(|first| first.id == self.after);
                    // Who asks for all there are wants what is left.
                    let wants_the_rest = self.after == StreamId::ZERO && !self.must_exist;
                    if is_joined || wants_the_rest {
                        return Poll::Ready(Ok(self.take(page, bus, key)));
                    }
                    self.asked = Asked::Info(page, bus.engine().info(key));
                }
                Asked::Info(page, reading) => {
                    let info = ready!(reading.as_mut().poll(cx))?;
                    let page = std::mem::take(page);
                    if !self.is_gap(&page, &info) {
                        return Poll::Ready(Ok(self.take(page, bus, key)));
                    }
                    return Poll::Ready(Ok(self.step_over(page, &info, bus, key)));
                }
            }
        }
    }

    fn is_gap(&self, page: &Page, info: &StreamInfo) -> bool {
        if self.after < info.trimmed_through || info.newest < self.after {
            return true;
        }
        if self.after == info.trimmed_through {
            return false; // Trimmed up to there and no further.
        }
        // An entry that was seen is gone. One that was deleted by itself leaves older ones before it; where nothing
        // older is left, whatever followed it may be gone too.
        let next = page.entries.first().map(|entry| entry.id);
        let nothing_older = info.first.is_none_or(|first| first > self.after);
        self.must_exist && nothing_older && (next.is_some() || info.newest != self.after)
    }

    /// Goes on behind a gap.
    fn step_over(&mut self, page: Page, info: &StreamInfo, bus: &Bus, key: &StreamKey) -> Caught {
        let anew = info.newest < self.after;
        self.must_exist = false;
        if anew {
            // Everything that is there now is new, whatever its ids.
            self.after = StreamId::ZERO;
            self.through.id = self.through.id.max(info.newest);
            self.ask(bus, key, self.after);
        } else {
            // The place directly before what is left, so that this gap is not found again.
            let next = page.entries.first().map(|entry| entry.id);
            let before = next.and_then(StreamId::prev).unwrap_or(info.trimmed_through);
            // The page is older than what is known of the stream now: more may be trimmed than it shows.
            self.after = self.after.max(before).max(info.trimmed_through);
            self.ask(bus, key, self.after);
        }
        Caught::Gap { anew }
    }

    /// Hands a page out, and asks for the next while the reader is busy with it.
    fn take(&mut self, page: Page, bus: &Bus, key: &StreamKey) -> Caught {
        let mut entries = page.entries;
        let is_joined = entries.first().is_some_and(|first| first.id == self.after);
        if is_joined {
            entries.remove(0);
        }
        match entries.last() {
            Some(last) if page.more => {
                self.after = last.id;
                self.must_exist = true;
                self.ask(bus, key, self.after);
            }
            // So large that it filled the page, and its reader has it already.
            None if page.more && is_joined => {
                let next = self.after.next().unwrap_or(StreamId::MAX);
                self.ask(bus, key, next);
            }
            _ => {
                self.asked = Asked::Nothing;
                self.after = self.after.max(self.through.id);
            }
        }
        Caught::Page {
            entries,
            through: self.after,
        }
    }

    /// From `after` itself, and not from behind it, wherever that can be: if it is there, nothing was trimmed in between.
    /// At the end of the stretch nothing is asked: what was trimmed since is not of it.
    fn ask(&mut self, bus: &Bus, key: &StreamKey, from: StreamId) {
        self.asked = if self.after >= self.through.id || from > self.through.id {
            Asked::Nothing
        } else {
            let range = Range {
                from,
                to: self.through.id,
                count: PAGE_ENTRIES + 1,
                reverse: false,
            };
            Asked::Page(bus.engine().range(key, range))
        };
    }
}
