//! The tracker: what the clock seals, and that each seal is announced once, whatever ends in between.
//!
//! Time stands still in these tests but where they move it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use chatstats_bus::{Bus, EmbeddedSettings, Entry, Filter, Item, Settings, Start, StreamId, StreamKey, Tail};
use chatstats_model::{ChatId, ConversationId, Timestamp};
use chatstats_store::{Lane, NewMessage, Store, Write};
use chatstats_sync::{Tracker, TrackerSettings};
use tokio::time::{Instant, advance};

const GAP_MINUTES: i64 = 90;
const MINUTE: Duration = Duration::from_secs(60);
const GAP: Duration = MINUTE.saturating_mul(GAP_MINUTES as u32);

#[tokio::test(start_paused = true)]
async fn the_clock_seals_when_the_pause_has_passed_and_not_before() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        rig.store("a", &[0]).await;
        rig.pass(GAP - Duration::from_secs(1)).await;
        assert_eq!(rig.open_conversations().await, 1);
        rig.pass(Duration::from_secs(1)).await;
        let event = told.next().await;
        let fields: Vec<_> = event
            .fields
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "type",
                "scope",
                "ts",
                "chat_id",
                "conversation_id",
                "last_message_time"
            ]
        );
        assert_eq!(event.fields.text("type"), Some("conversation_sealed"));
        assert_eq!(event.fields.text("scope"), Some("chat:1"));
        assert_eq!(event.fields.text("chat_id"), Some("1"));
        assert_eq!(
            event.fields.text("last_message_time"),
            Some("2023-11-14T22:13:20Z")
        );
        assert_eq!(rig.open_conversations().await, 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_in_time_puts_the_seal_off() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        rig.store("a", &[0]).await;
        rig.pass(GAP - MINUTE).await;
        rig.store("a", &[GAP_MINUTES - 1]).await;
        rig.pass(GAP - Duration::from_secs(1)).await;
        assert_eq!(rig.open_conversations().await, 1);
        rig.pass(Duration::from_secs(1)).await;
        told.next().await;
    })
    .await;
    assert_eq!(rig.announced().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_after_the_pause_seals_at_once() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        rig.store("a", &[-200]).await;
        rig.store("a", &[-200 + GAP_MINUTES]).await;
        let event = told.next().await;
        assert_eq!(
            event.fields.text("last_message_time"),
            Some("2023-11-14T18:53:20Z")
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_came_due_while_the_program_was_off_is_sealed_at_its_start() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.store("a", &[0]).await;
    rig.pass(24 * 60 * MINUTE).await;
    let rig = rig.restart().await;
    rig.running(async { told.next().await }).await;
    assert_eq!(rig.announced().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_is_noticed_within_a_minute() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        rig.store("a", &[0]).await;
        rig.pass(MINUTE).await;
        rig.set_clock_by(2 * 60);
        assert_eq!(rig.open_conversations().await, 1);
        rig.pass(MINUTE).await;
        told.next().await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_seals_by_what_it_says() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        rig.store("a", &[0]).await;
        rig.set_clock_by(-60);
        rig.pass(GAP + 30 * MINUTE).await;
        assert_eq!(rig.open_conversations().await, 1);
        rig.pass(30 * MINUTE).await;
        told.next().await;
        // What is sealed stays so, and is not told again.
        rig.set_clock_by(-600);
        rig.pass(MINUTE).await;
        assert_eq!(rig.open_conversations().await, 0);
    })
    .await;
    let rig = rig.restart().await;
    rig.running(rig.pass(MINUTE)).await;
    assert_eq!(rig.announced().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_seal_by_hand_is_told_and_one_that_grows_after_it_again() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        let chat = rig.store("a", &[0]).await;
        let sealed = rig
            .tracker
            .force_seal(chat)
            .await
            .expect("sealed")
            .expect("one was open");
        let event = told.next().await;
        assert_eq!(conversation(&event), sealed);
        assert_eq!(rig.tracker.force_seal(chat).await.expect("asked"), None);
        rig.store("a", &[10]).await;
        rig.pass(GAP + 10 * MINUTE).await;
        let again = told.next().await;
        assert_eq!(conversation(&again), sealed);
        assert_eq!(
            again.fields.text("last_message_time"),
            Some("2023-11-14T22:23:20Z")
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_import_is_told_when_it_is_quiet_and_each_conversation_once() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        // Old enough to be due at once; the batches end in the middle of conversations.
        rig.store_in(Lane::Bulk, "a", &[-9_000, -8_990, -8_500]).await;
        rig.store_in(Lane::Bulk, "b", &[-9_000]).await;
        rig.pass(Duration::from_millis(900)).await;
        assert_eq!(rig.announced().await, HashMap::new());
        rig.store_in(Lane::Bulk, "a", &[-8_495, -8_000]).await;
        rig.store_in(Lane::Bulk, "b", &[-8_950]).await;
        rig.pass(Duration::from_millis(900)).await;
        assert_eq!(rig.announced().await, HashMap::new());
        // Others do not wait for it.
        rig.store("c", &[-500, -300]).await;
        told.next().await;
        rig.pass(Duration::from_millis(200)).await;
        for _ in 0..5 {
            told.next().await;
        }
    })
    .await;
    let announced = rig.announced().await;
    assert_eq!(announced.len(), 6);
    assert!(announced.values().all(|times| *times == 1), "{announced:?}");
}

#[tokio::test(start_paused = true)]
async fn an_import_that_comes_just_before_a_seal_is_left_alone() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.running(async {
        let live = rig.store("live", &[0]).await;
        rig.settle().await;
        // The writer is busy; what waits for it is an import, and then what the clock seals.
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let store = rig.store.clone();
        let is_busy = async {
            let write = move |_: &mut Write<'_>| {
                let _ = wait.recv();
                Ok(())
            };
            store.write(Lane::Bulk, 0, write).await.expect("written");
        };
        let clock_comes = async {
            rig.set_clock_by(2 * 60);
            advance(2 * MINUTE).await;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            drop(go_on);
        };
        let import = rig.store_in(Lane::Bulk, "import", &[-9_000, -8_990]);
        tokio::join!(is_busy, import, clock_comes);
        assert_eq!(told.next().await.fields.text("chat_id"), Some(&*live.to_string()));
        rig.settle().await;
        assert_eq!(rig.open_conversations().await, 1, "the import's");
        rig.pass(Duration::from_secs(2)).await;
        told.next().await;
    })
    .await;
    assert_eq!(rig.announced().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_published_before_a_crash_is_not_published_again() {
    let rig = Rig::open().await;
    let mut told = rig.follow().await;
    rig.store("a", &[0, 100, 200, 300]).await;
    // As the tracker does it, up to the second of three events.
    let after = rig
        .bus
        .publish("global", "other", &serde_json::Map::new())
        .await
        .expect("published");
    let begin = move |write: &mut Write<'_>| {
        write.next_seals(&[], &after.to_string(), &std::collections::HashSet::new(), 100)
    };
    let batch = rig.store.write(Lane::Bulk, 0, begin).await.expect("begun");
    assert_eq!(batch.len(), 3);
    for seal in &batch[..2] {
        let mut data = serde_json::Map::new();
        data.insert("chat_id".into(), seal.chat_id.0.into());
        data.insert("conversation_id".into(), seal.conversation_id.0.into());
        data.insert(
            "last_message_time".into(),
            seal.last_message_time.to_string().into(),
        );
        let scope = format!("chat:{}", seal.chat_id);
        rig.bus
            .publish(&scope, "conversation_sealed", &data)
            .await
            .expect("published");
    }
    let rig = rig.restart().await;
    rig.running(async {
        for _ in 0..4 {
            told.next().await;
        }
        rig.settle().await;
    })
    .await;
    let announced = rig.announced().await;
    assert_eq!(
        announced,
        batch.iter().map(|seal| (seal.conversation_id, 1)).collect()
    );
}

#[tokio::test(start_paused = true)]
async fn a_tracker_that_ends_at_any_moment_leaves_nothing_out_and_tells_nothing_twice() {
    let mut rig = Rig::open().await;
    let mut minute = 0;
    for polls in 0..60 {
        // Two that are sealed by the next, and all that is left at the end by the clock.
        rig.store("a", &[minute, minute + 100, minute + 200]).await;
        minute += 300;
        rig.running_for(polls).await;
        rig.settle().await;
        rig = rig.restart().await;
    }
    rig.pass((minute as u32) * MINUTE + GAP).await;
    let mut told = rig.follow().await;
    rig.running(async {
        while rig.announced().await.len() < 180 {
            told.next().await;
        }
        rig.settle().await;
    })
    .await;
    let announced = rig.announced().await;
    assert_eq!(announced.len(), 180);
    assert!(announced.values().all(|times| *times == 1), "{announced:?}");
}

#[tokio::test(start_paused = true)]
async fn the_timer_is_one_however_many_chats_are_open() {
    let rig = Rig::open().await;
    rig.running(async {
        for chat in 0..300 {
            rig.store(&chat.to_string(), &[chat / 10]).await;
        }
        let before = rig.clock.reads.load(Ordering::Relaxed);
        rig.pass(GAP - MINUTE).await;
        let looked = rig.clock.reads.load(Ordering::Relaxed) - before;
        assert_eq!(rig.open_conversations().await, 300);
        // Twice for each minute, and a few for conversations that were due sooner than others.
        assert!(looked < 300, "{looked}");
    })
    .await;
}

/// A clock on the wall that goes with tokio's, and can be set.
#[derive(Clone)]
struct Clock {
    start: Instant,
    step_minutes: Arc<AtomicI64>,
    reads: Arc<AtomicUsize>,
}

impl Clock {
    fn now(&self) -> Timestamp {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let passed_us = (Instant::now() - self.start).as_micros() as i64;
        let set_us = self.step_minutes.load(Ordering::Relaxed) * 60_000_000;
        Timestamp::from_micros(at(0).as_micros() + passed_us + set_us).expect("in range")
    }
}

struct Rig {
    dir: tempfile::TempDir,
    store: Store,
    bus: Bus,
    tracker: Tracker,
    clock: Clock,
    /// Tokio moves a paused clock by itself when nothing else is to do, but not while a blocking task runs.
    _stop: std::sync::mpsc::Sender<()>,
}

impl Rig {
    async fn open() -> Rig {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock {
            start: Instant::now(),
            step_minutes: Arc::default(),
            reads: Arc::default(),
        };
        let path = dir.path().join("events.db");
        let settings = EmbeddedSettings {
            path,
            clock: || 1_700_000_000_000,
            kept: 10_000,
        };
        let bus = Bus::open(Settings::Embedded(settings)).await.expect("a log");
        Rig::over(dir, bus, clock)
    }

    fn over(dir: tempfile::TempDir, bus: Bus, clock: Clock) -> Rig {
        let store = Store::open(dir.path()).expect("a store");
        let now = clock.clone();
        let settings = TrackerSettings {
            gap_minutes: GAP_MINUTES as u32,
            now: Arc::new(move || now.now()),
        };
        let tracker = Tracker::new(store.clone(), settings);
        store.on_commit(Arc::new(tracker.clone()));
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || stopped.recv());
        Rig {
            dir,
            store,
            bus,
            tracker,
            clock,
            _stop: stop,
        }
    }

    /// As if the program had ended and started again; the log is another process's.
    async fn restart(self) -> Rig {
        let Rig {
            dir,
            store,
            bus,
            clock,
            ..
        } = self;
        store.shutdown();
        Rig::over(dir, bus, clock)
    }

    /// Does something while the tracker runs.
    async fn running<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            () = self.tracker.run(&self.bus) => panic!("the tracker ended"),
            done = work => done,
        }
    }

    /// Lets the tracker run until it was polled so often.
    async fn running_for(&self, polls: usize) {
        let mut left = polls;
        let mut run = pin!(self.tracker.run(&self.bus));
        std::future::poll_fn(|cx| {
            if left == 0 {
                return std::task::Poll::Ready(());
            }
            left -= 1;
            // Polled again and again, also while it waits: what it waits for comes from other threads.
            cx.waker().wake_by_ref();
            std::thread::sleep(Duration::from_micros(200));
            run.as_mut().poll(cx)
        })
        .await;
    }

    async fn store(&self, chat: &str, minutes: &[i64]) -> ChatId {
        self.store_in(Lane::Live, chat, minutes).await
    }

    async fn store_in(&self, lane: Lane, chat: &str, minutes: &[i64]) -> ChatId {
        let (chat, minutes) = (chat.to_owned(), minutes.to_vec());
        let put = move |write: &mut Write<'_>| {
            let chat = write.chat("test", &chat, None)?;
            for minute in &minutes {
                write.put(
                    chat,
                    &NewMessage {
                        key: minute.to_string().as_bytes(),
                        key_is_certain: true,
                        sender: None,
                        is_from_me: false,
                        kind: chatstats_model::Kind::Text,
                        sent: at(*minute),
                        content: "text",
                        reply_key: None,
                        edited: None,
                        reactions: &[],
                        attachments: &[],
                    },
                )?;
            }
            Ok(chat)
        };
        self.store.write(lane, 0, put).await.expect("stored")
    }

    /// Moves time, minute by minute, and waits until what that sets off is written.
    async fn pass(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(MINUTE);
            self.settle().await;
            advance(step).await;
            left -= step;
        }
        self.settle().await;
    }

    /// Waits until what is under way is written: each turn of the tracker is a few steps of store and log.
    async fn settle(&self) {
        for _ in 0..6 {
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            self.store
                .write(Lane::Bulk, 0, |_| Ok(()))
                .await
                .expect("written");
            self.store.read(|_| Ok(())).await.expect("read");
            // The log answers in the order of what it was asked.
            let trim = chatstats_bus::Trim::About(u64::MAX);
            self.bus.trim(&StreamKey::events(), trim).await.expect("asked");
        }
    }

    fn set_clock_by(&self, minutes: i64) {
        self.clock.step_minutes.fetch_add(minutes, Ordering::Relaxed);
    }

    async fn open_conversations(&self) -> u64 {
        let counts = self
            .store
            .read(|reader| reader.conversation_counts())
            .await
            .expect("read");
        counts.total - counts.sealed
    }

    async fn follow(&self) -> Told {
        let tail = self
            .bus
            .follow(&StreamKey::events(), Filter::All, Start::Now)
            .await;
        Told(tail.expect("followed"))
    }

    /// How often each conversation was announced.
    async fn announced(&self) -> HashMap<ConversationId, usize> {
        let page = self
            .bus
            .range(&StreamKey::events(), StreamId::ZERO.., 10_000)
            .await
            .expect("read");
        let mut announced = HashMap::new();
        let is_seal = |entry: &&Arc<Entry>| entry.fields.text("type") == Some("conversation_sealed");
        for entry in page.entries.iter().filter(is_seal) {
            *announced.entry(conversation(entry)).or_default() += 1;
        }
        announced
    }
}

struct Told(Tail);

impl Told {
    async fn next(&mut self) -> Arc<Entry> {
        match self.0.recv().await {
            Item::Entry(entry) => entry,
            Item::Notice(notice) => panic!("{notice:?}"),
        }
    }
}

fn conversation(entry: &Entry) -> ConversationId {
    let id = entry.fields.text("conversation_id").expect("it has one");
    ConversationId(id.parse().expect("a number"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + minute * 60).expect("in range")
}
