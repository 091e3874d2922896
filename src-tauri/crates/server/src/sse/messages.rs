//! What the messages stream of one chat tells.

use bytes::Bytes;
use chatstats_hub::Entry;
use chatstats_model::{ChatId, Message, MessageId, Rev, Timestamp};
use chatstats_store::{ChatPosition, Reader, Store, StoreError};
use futures_util::stream;

use super::frame;
use super::live::{Feed, Piece, Pieces};
use super::place::Place;

/// Messages of the first page read: few, so that the first byte is out soon.
const FIRST_PAGE: usize = 64;

/// Messages of a page at most: a reader of the database is borrowed for a few milliseconds.
const PAGE_MAX: usize = 500;

/// What a page should come to, in bytes. Pages of long messages hold fewer of them.
const PAGE_BYTES: usize = 256 << 10;

/// One client's view of one chat.
pub(crate) struct MessagesFeed {
    pub(crate) store: Store,
    pub(crate) chat: ChatId,
    /// Taken after the subscription.
    pub(crate) position: ChatPosition,
    pub(crate) start: Start,
}

/// What `initial` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The whole chat.
    Whole,
    /// Its last so many messages.
    Last(usize),
    /// The client has been here: what was taken or changed since.
    Since(Rev),
}

impl Feed for MessagesFeed {
    type Payload = Vec<Message>;

    fn initial(&self) -> Pieces {
        let page = Page {
            chat: self.chat,
            position: self.position,
            start: self.start,
            after: None,
            limit: FIRST_PAGE,
            first: true,
        };
        let store = self.store.clone();
        Box::pin(stream::try_unfold(Next::Page(page), move |next| {
            let store = store.clone();
            async move {
                let (piece, next) = match next {
                    Next::Page(page) => {
                        let epoch = store.epoch().to_owned();
                        store.read(move |reader| page.read(reader, &epoch)).await?
                    }
                    Next::Through(rev) => (Piece::Through(rev), Next::Done),
                    Next::Done => return Ok(None),
                };
                Ok(Some((piece, next)))
            }
        }))
    }

    fn refill(&self, since: Rev) -> Pieces {
        let (store, chat) = (self.store.clone(), self.chat);
        let refill = Refill {
            chat,
            since,
            up_to: None,
            after: None,
            limit: FIRST_PAGE,
        };
        Box::pin(stream::try_unfold(Some(refill), move |refill| {
            let store = store.clone();
            async move {
                let Some(refill) = refill else { return Ok(None) };
                let epoch = store.epoch().to_owned();
                store
                    .read(move |reader| refill.read(reader, &epoch))
                    .await
                    .map(Some)
            }
        }))
    }

    fn update(&self, entry: &Entry<Vec<Message>>) -> Bytes {
        let place = Place {
            epoch: self.store.epoch(),
            chat: self.chat,
            rev: entry.last,
        };
        update(&entry.payload, &place)
    }

    fn ready(&self) -> Bytes {
        Bytes::from(format!("event: ready\ndata: {{\"chat_id\":{}}}\n\n", self.chat))
    }
}

/// What remains of an `initial`.
enum Next {
    Page(Page),
    Through(Rev),
    Done,
}

/// A page of an `initial`, to be read.
struct Page {
    chat: ChatId,
    position: ChatPosition,
    start: Start,
    /// The last message before this page.
    after: Option<(Timestamp, MessageId)>,
    limit: usize,
    first: bool,
}

impl Page {
    fn read(mut self, reader: &Reader, epoch: &str) -> Result<(Piece, Next), StoreError> {
        let (chat, up_to) = (self.chat, self.position.up_to);
        if let (true, Start::Last(count)) = (self.first, self.start) {
            self.after = reader.history_tail_start(chat, up_to, count)?;
        }
        let messages = match self.start {
            Start::Since(since) => {
                reader.changed_since(chat, since, up_to, self.after.map(|(_, id)| id), self.limit)?
            }
            Start::Whole | Start::Last(_) => reader.history(chat, self.after, up_to, self.limit)?,
        };
        let mut out = Vec::with_capacity(PAGE_BYTES / PAGE_MAX * self.limit);
        if self.first {
            self.open(&mut out);
        }
        frame::json_items(&mut out, &messages, self.first);
        let next = match messages.last() {
            Some(last) if messages.len() == self.limit => {
                let (after, limit) = (Some((last.timestamp, last.id)), next_limit(self.limit, out.len()));
                Next::Page(Self {
                    after,
                    limit,
                    first: false,
                    ..self
                })
            }
            _ => {
                out.extend_from_slice(format!("],\"total\":{}}}", self.position.total).as_bytes());
                frame::end_with_id(
                    &mut out,
                    &Place {
                        epoch,
                        chat,
                        rev: up_to,
                    },
                );
                Next::Through(up_to)
            }
        };
        Ok((Piece::Bytes(out.into()), next))
    }

    fn open(&self, out: &mut Vec<u8>) {
        frame::begin(out, "initial");
        let resumed = if matches!(self.start, Start::Since(_)) {
            "\"resumed\":true,"
        } else {
            ""
        };
        out.extend_from_slice(format!("{{\"chat_id\":{},{resumed}\"messages\":[", self.chat).as_bytes());
    }
}

/// What remains to be told of what the hub dropped.
struct Refill {
    chat: ChatId,
    since: Rev,
    /// How far the refill goes; fixed by its first page.
    up_to: Option<Rev>,
    after: Option<MessageId>,
    limit: usize,
}

impl Refill {
    fn read(self, reader: &Reader, epoch: &str) -> Result<(Piece, Option<Self>), StoreError> {
        let Self {
            chat,
            since,
            after,
            limit,
            ..
        } = self;
        let up_to = self.up_to.map_or_else(|| reader.position(), Ok)?;
        if self.limit == 0 {
            return Ok((Piece::Through(up_to), None));
        }
        // One more than is sent tells whether this is the last page.
        let mut messages = reader.changed_since(chat, since, up_to, after, limit + 1)?;
        let more = messages.len() > limit;
        messages.truncate(limit);
        let Some(last) = messages.last().map(|message| message.id) else {
            return Ok((Piece::Through(up_to), None));
        };
        // Pages come by id: first older messages that changed, then new ones, whose ids are revisions. Once at the new
        // ones, everything up to the last id is told; until then, whoever is cut off needs the same again.
        let rev = if more { since.max(Rev::from(last)) } else { up_to };
        let bytes = update(&messages, &Place { epoch, chat, rev });
        let limit = if more { next_limit(limit, bytes.len()) } else { 0 };
        let next = Self {
            chat,
            since,
            up_to: Some(up_to),
            after: Some(last),
            limit,
        };
        Ok((Piece::Bytes(bytes), Some(next)))
    }
}

fn update(messages: &[Message], place: &Place<'_>) -> Bytes {
    let mut out = Vec::with_capacity(512 * messages.len());
    frame::begin(&mut out, "update");
    out.extend_from_slice(format!("{{\"chat_id\":{},\"messages\":[", place.chat).as_bytes());
    frame::json_items(&mut out, messages, true);
    out.extend_from_slice(b"]}");
    frame::end_with_id(&mut out, place);
    out.into()
}

/// The size of the next page: twice this one while pages are small, fewer messages when they are long.
fn next_limit(limit: usize, bytes: usize) -> usize {
    let fits = limit * PAGE_BYTES / bytes.max(1);
    fits.min(2 * limit).clamp(1, PAGE_MAX)
}
