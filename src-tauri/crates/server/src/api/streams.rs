//! The event streams: new messages of a chat, the list of chats, the list of contacts.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use chatstats_hub::Subscription;
use chatstats_model::{ChatId, Rev};
use hyper::HeaderMap;

use crate::app::AppState;
use crate::problem::ApiError;
use crate::sse::lists::{Chats, Contacts, List, ListFeed};
use crate::sse::live::LiveBody;
use crate::sse::messages::{MessagesFeed, Start};
use crate::sse::place::Place;
use crate::sse::{self, Endpoint};

/// The largest `limit`: who wants more leaves it out and gets all.
const LIMIT_MAX: usize = 1_000_000;

/// What a client that reconnects says it has.
pub(crate) const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /api/live-sync/stream/chat/{chat_id}/messages?limit=&last_event_id=`.
pub(crate) async fn messages(
    State(state): State<AppState>,
    Path(chat_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::read(query.as_deref(), &headers)?;
    let unknown = || ApiError::NotFound(format!("Chat {chat_id:?}"));
    let chat = ChatId(chat_id.parse().map_err(|_| unknown())?);
    // Subscribed before the position is taken: what is committed in between comes twice, and is passed over, instead
    // of never.
    let subscription = state.hub.subscribe(chat);
    let position = state
        .store
        .read(move |reader| reader.snapshot_chat(chat))
        .await?
        .ok_or_else(unknown)?;
    let start = match asked.known_place(state.store.epoch(), chat, position.up_to) {
        Some(since) => Start::Since(since),
        None => asked.limit.map_or(Start::Whole, Start::Last),
    };
    let feed = MessagesFeed {
        store: state.store.clone(),
        chat,
        position,
        start,
    };
    let (pulse, open) = (
        state.streams.pulse().listen(),
        state.streams.open(Endpoint::Messages),
    );
    Ok(sse::response(LiveBody::new(feed, subscription, pulse, open)))
}

/// `GET /api/live-sync/stream/chats`.
pub(crate) async fn chats(State(state): State<AppState>) -> Response {
    list::<Chats>(&state, state.hub.subscribe_all_chats(), Endpoint::Chats)
}

/// `GET /api/live-sync/stream/contacts`.
pub(crate) async fn contacts(State(state): State<AppState>) -> Response {
    list::<Contacts>(&state, state.hub.subscribe_all_contacts(), Endpoint::Contacts)
}

fn list<L: List>(state: &AppState, subscription: Subscription<L::Update>, endpoint: Endpoint) -> Response {
    let feed = ListFeed::<L>::new(state.store.clone());
    let (pulse, open) = (state.streams.pulse().listen(), state.streams.open(endpoint));
    sse::response(LiveBody::new(feed, subscription, pulse, open))
}

/// What a client of the messages stream may ask for.
struct Asked {
    limit: Option<usize>,
    last_event_id: Option<String>,
}

impl Asked {
    fn read(query: Option<&str>, headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut asked = Self {
            limit: None,
            last_event_id: None,
        };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "limit" => asked.limit = Some(limit(&value)?),
                "last_event_id" => asked.last_event_id = Some(value.into_owned()),
                _ => {}
            }
        }
        // The header is what the browser itself adds when it reconnects: newer than what stands in the address.
        if let Some(header) = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()) {
            asked.last_event_id = Some(header.to_owned());
        }
        Ok(asked)
    }

    /// The place the client comes back to, if it is one of this chat in this database.
    fn known_place(&self, epoch: &str, chat: ChatId, up_to: Rev) -> Option<Rev> {
        let place = Place::parse(self.last_event_id.as_deref()?)?;
        (place.epoch == epoch && place.chat == chat && place.rev <= up_to).then_some(place.rev)
    }
}

fn limit(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        ApiError::bad_request(
            "limit",
            format!("limit is {text:?}; it must be a whole number from 1 to {LIMIT_MAX}"),
        )
    })
}
