//! What the streams of the two lists tell: all chats, all contacts.

use bytes::Bytes;
use chatstats_hub::{Entry, Payload};
use chatstats_model::{ChatUpdate, ChatsInitial, ContactUpdate, ContactsInitial, Rev};
use chatstats_store::{Reader, Store, StoreError};
use futures_util::stream;
use serde::Serialize;

use super::frame;
use super::live::{Feed, Piece, Pieces};

/// One client's view of a list.
pub(crate) struct ListFeed<L: List> {
    store: Store,
    list: std::marker::PhantomData<fn() -> L>,
}

/// A list that can be watched.
pub(crate) trait List: 'static {
    /// The data of `initial`.
    type Initial: Serialize;
    /// The data of `update`.
    type Update: Serialize + Payload;
    /// The list as it is.
    fn all(reader: &Reader) -> Result<Self::Initial, StoreError>;
    /// What of it changed after `since`.
    fn changed_since(reader: &Reader, since: Rev) -> Result<Vec<Self::Update>, StoreError>;
}

/// The list of chats.
pub(crate) enum Chats {}

/// The list of contacts.
pub(crate) enum Contacts {}

impl List for Chats {
    type Initial = ChatsInitial;
    type Update = ChatUpdate;

    fn all(reader: &Reader) -> Result<ChatsInitial, StoreError> {
        Ok(ChatsInitial {
            chats: reader.chats()?,
        })
    }

    fn changed_since(reader: &Reader, since: Rev) -> Result<Vec<ChatUpdate>, StoreError> {
        Ok(reader
            .chats_changed_since(since)?
            .into_iter()
            .map(ChatUpdate::from)
            .collect())
    }
}

impl List for Contacts {
    type Initial = ContactsInitial;
    type Update = ContactUpdate;

    fn all(reader: &Reader) -> Result<ContactsInitial, StoreError> {
        Ok(ContactsInitial {
            contacts: reader.contacts()?,
        })
    }

    fn changed_since(reader: &Reader, since: Rev) -> Result<Vec<ContactUpdate>, StoreError> {
        Ok(reader
            .contacts_changed_since(since)?
            .into_iter()
            .map(ContactUpdate::from)
            .collect())
    }
}

impl<L: List> ListFeed<L> {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            list: std::marker::PhantomData,
        }
    }

    /// The pieces that one read of the database gives.
    fn once<R>(&self, read: R) -> Pieces
    where
        R: FnOnce(&Reader, &str) -> Result<(Bytes, Rev), StoreError> + Send + 'static,
    {
        let store = self.store.clone();
        let reading = async move {
            let epoch = store.epoch().to_owned();
            let consistent = move |reader: &Reader| reader.consistent(|reader| read(reader, &epoch));
            let pieces = match store.read(consistent).await {
                Ok((bytes, rev)) => vec![Ok(Piece::Bytes(bytes)), Ok(Piece::Through(rev))],
                Err(error) => vec![Err(error)],
            };
            stream::iter(pieces)
        };
        Box::pin(futures_util::FutureExt::flatten_stream(reading))
    }
}

impl<L: List> Feed for ListFeed<L> {
    type Payload = L::Update;

    fn initial(&self) -> Pieces {
        self.once(|reader, epoch| {
            let (rev, all) = (reader.position()?, L::all(reader)?);
            let mut out = Vec::new();
            frame::begin(&mut out, "initial");
            frame::json(&mut out, &all);
            frame::end_with_id(&mut out, &Id { epoch, rev });
            Ok((out.into(), rev))
        })
    }

    fn refill(&self, since: Rev) -> Pieces {
        // All changes of one commit have one position, and the client may have only some of those of its last. An
        // update tells the state of a whole row, so telling the rest with the known ones is right.
        let since = Rev(since.0 - 1);
        self.once(move |reader, epoch| {
            let (rev, changed) = (reader.position()?, L::changed_since(reader, since)?);
            let mut out = Vec::new();
            changed
                .iter()
                .for_each(|row| update(&mut out, row, &Id { epoch, rev }));
            Ok((out.into(), rev))
        })
    }

    fn update(&self, entry: &Entry<L::Update>) -> Bytes {
        let mut out = Vec::with_capacity(512);
        update(
            &mut out,
            &entry.payload,
            &Id {
                epoch: self.store.epoch(),
                rev: entry.last,
            },
        );
        out.into()
    }

    fn ready(&self) -> Bytes {
        Bytes::from_static(b"event: ready\ndata: {}\n\n")
    }
}

fn update(out: &mut Vec<u8>, row: &impl Serialize, id: &Id<'_>) {
    frame::begin(out, "update");
    frame::json(out, row);
    frame::end_with_id(out, id);
}

/// The id of a list's event. Whatever a client brings back, it gets a fresh `initial`.
struct Id<'a> {
    epoch: &'a str,
    rev: Rev,
}

impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.rev)
    }
}
