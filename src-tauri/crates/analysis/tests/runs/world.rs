//! A database with conversations, an event log, and analysis over both.

use std::sync::Arc;

use chatstats_analysis::{Analysis, Settings};
use chatstats_bus::{Bus, EmbeddedSettings, Filter, Item, Start, StreamKey, Tail};
use chatstats_model::{ChatId, ConversationId, Kind, Run, RunId, RunKind, RunRequest, Timestamp};
use chatstats_passes::Pass;
use chatstats_store::{Lane, NewMessage, Selection, Store};
use tokio::time::Instant;

/// An event, as name and value.
pub(crate) type Event = Vec<(String, String)>;

/// Everything a test needs. The folder goes with it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    started: Instant,
    folder: tempfile::TempDir,
}

impl World {
    /// With `conversations` conversations of three messages each in one chat, days apart, all sealed but the last.
    pub(crate) async fn with(conversations: i64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a database");
        let settings = EmbeddedSettings {
            path: folder.path().join("events.db"),
            clock: || 1_700_000_000_000,
            kept: 200_000,
        };
        let bus = Bus::open(chatstats_bus::Settings::Embedded(settings))
            .await
            .expect("a log");
        Self::over(folder, store, bus, conversations).await
    }

    /// As [`with`](Self::with), over the Redis at this address.
    pub(crate) async fn with_redis(url: &str, conversations: i64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("a database");
        Self::over(folder, store, redis(url).await, conversations).await
    }

    async fn over(folder: tempfile::TempDir, store: Store, bus: Bus, conversations: i64) -> Self {
        let world = Self {
            store,
            bus,
            started: Instant::now(),
            folder,
        };
        // The one more is open, and no run looks at it.
        world.add("room", 0..=conversations).await;
        world
    }

    /// Adds conversations to a chat: each begins with a message `first of N`.
    pub(crate) async fn add(&self, chat: &'static str, numbers: impl Iterator<Item = i64>) -> ChatId {
        self.add_after(chat, numbers, "").await
    }

    /// As [`add`](Self::add), with `more` after each text.
    pub(crate) async fn add_after(
        &self,
        chat: &'static str,
        numbers: impl Iterator<Item = i64>,
        more: &str,
    ) -> ChatId {
        let more = more.to_owned();
        let numbers: Vec<i64> = numbers.collect();
        let stored = self.store.write(Lane::Live, 0, move |write| {
            let id = write.chat("test", chat, Some(chat))?;
            for number in &numbers {
                for (index, text) in ["first", "second", "third"].iter().enumerate() {
                    let sent = at(number * 86_400 + index as i64);
                    let sender = write.identity("test", "ann", "Ann", false, sent.as_micros())?;
                    write.put(
                        id,
                        &NewMessage {
                            key: format!("{number}-{index}").as_bytes(),
                            key_is_certain: true,
                            sender: Some(sender),
                            is_from_me: false,
                            kind: Kind::Text,
                            sent,
                            content: &format!("{text} of {number}{more}"),
                            reply_key: None,
                            edited: None,
                            reactions: &[],
                            attachments: &[],
                        },
                    )?;
                }
            }
            Ok(id)
        });
        stored.await.expect("stored")
    }

    /// Analysis with these passes, on its own clock: that of tokio.
    pub(crate) async fn start(&self, owner: &str, passes: &[&'static dyn Pass]) -> Analysis {
        self.start_with(owner, passes, |_| {}).await
    }

    /// As [`start`](Self::start), with other settings.
    pub(crate) async fn start_with(
        &self,
        owner: &str,
        passes: &[&'static dyn Pass],
        change: impl FnOnce(&mut Settings),
    ) -> Analysis {
        let mut settings = self.settings(owner);
        settings.passes = passes.to_vec();
        settings.on_seal = false;
        change(&mut settings);
        Analysis::start(self.store.clone(), self.bus.clone(), settings)
            .await
            .expect("started")
    }

    fn settings(&self, owner: &str) -> Settings {
        let started = self.started;
        let now = move || {
            let elapsed_us = started.elapsed().as_micros() as i64;
            Timestamp::from_micros(at(1_000 * 86_400).as_micros() + elapsed_us).expect("in range")
        };
        let mut settings = Settings::new(owner.to_owned(), jiff::tz::TimeZone::UTC, Arc::new(now));
        settings.workers = 2;
        settings
    }

    /// The file of analysis.
    pub(crate) fn store_path(&self) -> std::path::PathBuf {
        self.folder.path().join(chatstats_store::ANALYSIS_FILE)
    }

    /// The time that analysis sees.
    pub(crate) fn now(&self) -> Timestamp {
        (self.settings("").now)()
    }

    /// The sealed conversations, the newest first.
    pub(crate) async fn sealed(&self) -> Vec<ConversationId> {
        let all = self
            .store
            .read(|reader| reader.select_conversations(&Selection::default()));
        all.await
            .expect("read")
            .into_iter()
            .map(|task| task.conversation_id)
            .collect()
    }

    /// Follows all events from now on.
    pub(crate) async fn listen(&self) -> Events {
        let filter = Filter::Events {
            scope: None,
            run_id: None,
        };
        let tail = self.bus.follow(&StreamKey::events(), filter, Start::Now).await;
        Events {
            tail: tail.expect("followed"),
        }
    }

    /// All events so far.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let page = self
            .bus
            .range(&StreamKey::events(), .., 100_000)
            .await
            .expect("read");
        page.entries.iter().map(|entry| event(entry)).collect()
    }

    /// A run as its row stands.
    pub(crate) async fn run(&self, id: RunId) -> Run {
        let run = self.store.read(move |reader| reader.run(id)).await.expect("read");
        run.expect("there").0
    }

    /// Waits until the row says that the run has ended, and the event does too.
    pub(crate) async fn ended(&self, events: &mut Events, id: RunId) -> Run {
        events.until(|event| is(event, "run_complete", id)).await;
        self.run(id).await
    }
}

/// A connection to the Redis at this address.
pub(crate) async fn redis(url: &str) -> Bus {
    let settings = chatstats_bus::RedisSettings {
        url: url.to_owned(),
        kept: 200_000,
    };
    let opened = Bus::open(chatstats_bus::Settings::Redis(settings)).await;
    opened.expect("an address")
}

/// Events as they come.
pub(crate) struct Events {
    tail: Tail,
}

impl Events {
    /// The next.
    pub(crate) async fn next(&mut self) -> Event {
        match self.tail.recv().await {
            Item::Entry(entry) => event(&entry),
            Item::Notice(notice) => panic!("{notice:?}"),
        }
    }

    /// All up to the first that fits, which is the last of them.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            let event = self.next().await;
            let is_it = fits(&event);
            seen.push(event);
            if is_it {
                return seen;
            }
        }
    }
}

/// A request for everything that lacks a result.
pub(crate) fn everything() -> RunRequest {
    of_kind(RunKind::Global)
}

/// A request of this kind.
pub(crate) fn of_kind(kind: RunKind) -> RunRequest {
    RunRequest {
        kind,
        chats: Vec::new(),
        conversation_id: None,
        passes: Vec::new(),
    }
}

/// Whether an event is of this type and run.
pub(crate) fn is(event: &Event, event_type: &str, run: RunId) -> bool {
    get(event, "type") == Some(event_type) && get(event, "run_id") == Some(&run.to_string())
}

/// A field.
pub(crate) fn get<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// A field that is a number.
pub(crate) fn number(event: &Event, name: &str) -> u64 {
    let text = get(event, name);
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{name} is no number in {event:?}"))
}

fn event(entry: &chatstats_bus::Entry) -> Event {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    entry
        .fields
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// So many seconds after the first message.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_600_000_000 + second).expect("in range")
}
