//! Following a stream: first what the log has, then what comes, without a hole between.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use chatstats_ring::Gathered;
use tokio::time::Sleep;

use crate::bus::Bus;
use crate::catchup::{CatchUp, Caught};
use crate::live::{Filter, Following, Item, Live, Notice, Place};
use crate::{BusError, StreamId, StreamKey};

/// How long a follower waits before it asks a Redis that is away again. The first that can be reached tells all.
const RETRY: Duration = Duration::from_millis(250);

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is published from now on (`$`).
    Now,
    /// With the first entry above this id; all there are with `0-0`. The id need not be one that ever was.
    After(StreamId),
    /// After this entry, which the follower has. If it is gone, what came after it may be too: a gap.
    Resume(StreamId),
}

/// What [`Tail::poll_gather`] found.
#[derive(Clone, Debug)]
pub struct Told {
    /// Frames, one after the other.
    pub bytes: Bytes,
    /// How many entries and notices they tell of.
    pub items: u64,
    /// When the first of them came from the log, where it just did: not of those that were read back.
    pub came: Option<Instant>,
}

/// A follower of a stream. Costs a few hundred bytes while nothing happens; dropping it ends it.
pub struct Tail {
    bus: Bus,
    key: StreamKey,
    filter: Filter,
    live: Live,
    following: Following,
    phase: Phase,
    /// Read from the log, and not handed out yet.
    backlog: VecDeque<Item>,
    /// The follower has everything up to here.
    sent: Place,
    /// Whether the follower was told that Redis is away, and has heard nothing since.
    is_told_away: bool,
    /// Whether it was told something a moment ago, so that `sent` is as good as new.
    is_fresh: bool,
}

enum Phase {
    /// Reads the log up to a place.
    CatchingUp(Box<CatchUp>),
    /// The log could not be read; tries again after a while.
    Waiting(Pin<Box<Sleep>>),
    /// Has everything, or it waits in the ring.
    Live,
}

impl Tail {
    pub(crate) async fn open(
        bus: Bus,
        key: StreamKey,
        filter: Filter,
        start: Start,
    ) -> Result<Self, BusError> {
        let live = bus.engine().live(&key).await?;
        // Joined before the log is looked at: what comes in between comes twice, and is passed over, instead of never.
        let (mut following, place) = live.follow(filter.clone());
        let info = bus.engine().info(&key).await?;
        if info.newest < place.id {
            // The stream was lost a moment ago, and its reader has not noticed. Who joined now would hear of what is
            // in the new one twice.
            return Err(BusError::Away("its stream was lost and begins anew".to_owned()));
        }
        let mut backlog = VecDeque::new();
        let mut sent = place;
        // Who has nothing yet wants all there are.
        let start = match start {
            Start::Resume(StreamId::ZERO) => Start::After(StreamId::ZERO),
            start => start,
        };
        let phase = match start {
            Start::Now => {
                sent.id = info.newest;
                Phase::Live
            }
            // Of an id to come only what is above it is wanted, whenever it comes.
            Start::After(id) if id >= info.newest => {
                sent.id = id;
                Phase::Live
            }
            Start::After(id) => {
                sent.id = id;
                CatchUp::phase(&bus, &key, id, false, place)
            }
            Start::Resume(id) if id > info.newest => {
                backlog.push_back(Item::Notice(Notice::Gap));
                sent.id = StreamId::ZERO;
                CatchUp::phase(&bus, &key, StreamId::ZERO, false, place)
            }
            // Nothing came after what it has, whether or not that is still there.
            Start::Resume(id) if id == info.newest => {
                sent.id = id;
                Phase::Live
            }
            Start::Resume(id) => {
                sent.id = id;
                CatchUp::phase(&bus, &key, id, true, place)
            }
        };
        if matches!(phase, Phase::Live) {
            following.cursor.skip_through(sent);
        }
        Ok(Self {
            bus,
            key,
            filter,
            live,
            following,
            phase,
            backlog,
            sent,
            is_told_away: false,
            is_fresh: false,
        })
    }

    /// The next entry or notice. Cancel safe.
    pub async fn recv(&mut self) -> Item {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv). Wakes the task of the last call only.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        loop {
            if let Some(item) = self.backlog.pop_front() {
                return Poll::Ready(item);
            }
            if !matches!(self.phase, Phase::Live) {
                ready!(self.poll_log(cx));
                continue;
            }
            let before = self.place_if_quiet();
            match self.following.cursor.poll_recv(cx) {
                Poll::Ready(Ok(entry)) => {
                    self.sent = entry.last;
                    self.is_fresh = true;
                    return Poll::Ready(entry.payload.clone());
                }
                Poll::Ready(Err(_lagged)) => self.catch_up(),
                Poll::Pending => {
                    self.has_all_through(before);
                    return Poll::Pending;
                }
            }
        }
    }

    /// The frames of all that is there, in one buffer shared with other followers at the same place: at most
    /// `max_bytes`, except that a single larger frame comes alone. All followers of a stream must render alike.
    pub fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        max_bytes: usize,
        render: impl Fn(&Item) -> Bytes,
    ) -> Poll<Told> {
        loop {
            if !self.backlog.is_empty() {
                return Poll::Ready(self.take_backlog(max_bytes, &render));
            }
            if !matches!(self.phase, Phase::Live) {
                ready!(self.poll_log(cx));
                continue;
            }
            let before = self.place_if_quiet();
            let gathered = self
                .following
                .cursor
                .poll_gather(cx, max_bytes, |entry| render(&entry.payload));
            match gathered {
                Poll::Ready(Gathered::Frames {
                    bytes,
                    entries,
                    last,
                    published,
                }) => {
                    self.sent = last;
                    self.is_fresh = true;
                    return Poll::Ready(Told {
                        bytes,
                        items: entries,
                        came: Some(published),
                    });
                }
                Poll::Ready(Gathered::Lagged(_)) => self.catch_up(),
                Poll::Pending => {
                    self.has_all_through(before);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads from the log until there is something to hand out, or the follower is live.
    fn poll_log(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.phase {
            Phase::Live => {}
            Phase::Waiting(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                self.catch_up();
            }
            Phase::CatchingUp(catching_up) => match ready!(catching_up.poll(cx, &self.bus, &self.key)) {
                Ok(Caught::Page { entries, through }) => {
                    self.is_told_away = false;
                    self.sent.id = through;
                    let wanted = entries.into_iter().filter(|entry| self.filter.wants(entry));
                    self.backlog.extend(wanted.map(Item::Entry));
                }
                Ok(Caught::Gap { anew }) => {
                    if anew {
                        self.sent.id = StreamId::ZERO;
                    }
                    self.backlog.push_back(Item::Notice(Notice::Gap));
                }
                Ok(Caught::Up(place)) => {
                    // What was passed over by another's filter is had as well.
                    self.sent = place.max(self.sent);
                    self.following.cursor.skip_through(self.sent);
                    self.phase = Phase::Live;
                }
                Err(error) => self.wait(&error),
            },
        }
        Poll::Ready(())
    }

    /// The log could not be read: says so once, and waits.
    fn wait(&mut self, error: &BusError) {
        if !self.is_told_away {
            self.is_told_away = true;
            self.backlog
                .push_back(Item::Notice(Notice::Away(error.to_string())));
        }
        self.phase = Phase::Waiting(Box::pin(tokio::time::sleep(RETRY)));
    }

    /// Reads on from the log, after the last that was handed out.
    fn catch_up(&mut self) {
        let place = self.live.place();
        let is_same = place.epoch == self.sent.epoch;
        if !is_same {
            // The ring dropped the notice of it, with all else.
            self.backlog.push_back(Item::Notice(Notice::Gap));
            let id = self.live.left_of(self.sent);
            self.sent = Place { id, ..place };
        }
        self.phase = CatchUp::phase(&self.bus, &self.key, self.sent.id, is_same, place);
    }

    /// Where the stream is, for a follower that does not hear of everything and has not heard of anything for a while: see
    /// [`has_all_through`](Self::has_all_through). All followers of the stream share that lock, so one that is busy
    /// goes without.
    fn place_if_quiet(&mut self) -> Option<Place> {
        let is_quiet = !std::mem::take(&mut self.is_fresh) && !self.following.cursor.has_news();
        (is_quiet && self.filter != Filter::All).then(|| self.live.place())
    }

    /// If nothing is in the ring of what came up to `place`, the follower has it, or does not want it. It will not
    /// look for it in the log, which may have trimmed it.
    fn has_all_through(&mut self, place: Option<Place>) {
        if let Some(place) = place
            && self.following.cursor.has_everything()
        {
            self.sent = self.sent.max(place);
        }
    }

    fn take_backlog(&mut self, max_bytes: usize, render: &impl Fn(&Item) -> Bytes) -> Told {
        let mut bytes = BytesMut::new();
        let mut items = 0;
        while let Some(item) = self.backlog.front() {
            let frame = render(item);
            if items > 0 && bytes.len() + frame.len() > max_bytes {
                break;
            }
            bytes.extend_from_slice(&frame);
            items += 1;
            self.backlog.pop_front();
        }
        Told {
            bytes: bytes.freeze(),
            items,
            came: None,
        }
    }
}

impl CatchUp {
    fn phase(bus: &Bus, key: &StreamKey, after: StreamId, must_exist: bool, place: Place) -> Phase {
        Phase::CatchingUp(Box::new(CatchUp::start(bus, key, after, must_exist, place)))
    }
}
