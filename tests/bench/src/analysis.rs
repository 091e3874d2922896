//! Analysis: a run over many conversations, beside the same passes in a bare loop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chatstats_analysis::{Analysis, Settings};
use chatstats_bus::{Bus, EmbeddedSettings, Filter, Item, Start, StreamKey};
use chatstats_model::{ConversationId, Kind, Message, Run, RunKind, RunRequest, Timestamp};
use chatstats_passes::{Input, Pass, Results};
use chatstats_store::{Lane, NewMessage, Reader, Selection, Store, StoreError, Write};
use jiff::tz::TimeZone;
use tempfile::TempDir;

use crate::Options;
use crate::report::{Goal, Report, median};

/// Messages of a conversation: what people write between two long pauses, about.
pub(crate) const MESSAGES_EACH: usize = 20;

/// Chats that the conversations are spread over.
const CHATS: usize = 25;

/// Messages stored in one transaction.
const STORED_AT_ONCE: usize = 2_000;

pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let filled = tempfile::tempdir()?;
    let count = options.stored / MESSAGES_EACH;
    let all = {
        let store = Store::open(filled.path())?;
        fill(&store, count, MESSAGES_EACH).context("fill a database")?;
        let all = store.read_blocking(read_all)?;
        store.shutdown();
        all
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (mut bare, mut run, mut ratios, mut idle) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // By turns, each run on a copy: a machine that is shared is faster in one minute than in the next.
    for _ in 0..options.rounds {
        let folder = copied(filled.path())?;
        let store = Store::open(folder.path())?;
        let before_s = passes_alone(&all);
        let (run_s, idle_s) = runtime.block_on(runs(&store, folder.path()))?;
        let bare_s = f64::midpoint(before_s, passes_alone(&all));
        bare.push(bare_s);
        run.push(run_s);
        ratios.push(bare_s / run_s);
        idle.push(idle_s * 1e3);
    }
    let messages = count * MESSAGES_EACH;
    let name = |what: &str| format!("{what}, {messages} messages in {count} conversations");
    report.add(name("passes in a bare loop"), median(&mut bare), "s", Goal::None);
    let longest_s = 60.0 * messages as f64 / 1e6;
    report.add(name("run"), median(&mut run), "s", Goal::AtMost(longest_s));
    report.add(
        "run: share of the bare loop's speed",
        median(&mut ratios),
        "",
        Goal::AtLeast(0.7),
    );
    report.add(
        name("run that finds nothing to do"),
        median(&mut idle),
        "ms",
        Goal::AtMost(100.0),
    );
    Ok(())
}

/// The same data directory again.
fn copied(from: &Path) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
    }
    Ok(folder)
}

/// The messages of each conversation.
fn read_all(reader: &Reader) -> Result<Vec<Vec<Message>>, StoreError> {
    let ids = reader.select_conversations(&Selection::default())?;
    let mut all = Vec::with_capacity(ids.len());
    for task in ids {
        all.extend(
            reader
                .conversation_work(task.conversation_id, &[])?
                .map(|work| work.messages),
        );
    }
    Ok(all)
}

/// Seconds that the passes take over all conversations, read beforehand, on as many threads as there are processors.
fn passes_alone(all: &[Vec<Message>]) -> f64 {
    let passes = chatstats_passes::all();
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..processors() {
            scope.spawn(|| {
                while let Some(messages) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    pass_over(passes, messages);
                }
            });
        }
    });
    started.elapsed().as_secs_f64()
}

fn pass_over(passes: &[&'static dyn Pass], messages: &[Message]) {
    let mut results = Results::default();
    for pass in passes {
        let input = Input {
            messages,
            is_group: false,
            zone: &TimeZone::UTC,
            results: &results,
        };
        let json = pass.run(&input).unwrap_or_default();
        results.insert(pass.name(), std::hint::black_box(json));
    }
}

/// Seconds that a run over everything takes, and then one that finds nothing to do.
async fn runs(store: &Store, folder: &Path) -> Result<(f64, f64)> {
    let settings = EmbeddedSettings {
        path: folder.join("events.db"),
        clock: || now().as_micros() as u64 / 1_000,
        kept: 200_000,
    };
    let bus = Bus::open(chatstats_bus::Settings::Embedded(settings)).await?;
    let mut settings = Settings::new("bench".to_owned(), TimeZone::UTC, Arc::new(now));
    settings.on_seal = false;
    let analysis = Analysis::start(store.clone(), bus.clone(), settings).await?;
    let (run_s, run) = timed(&analysis, &bus).await?;
    ensure!(run.failed == 0 && run.success > 0, "the run failed: {run:?}");
    let (idle_s, idle) = timed(&analysis, &bus).await?;
    ensure!(idle.total == 0, "there was something left to do: {idle:?}");
    analysis.shutdown().await;
    bus.shutdown().await;
    Ok((run_s, idle_s))
}

async fn timed(analysis: &Analysis, bus: &Bus) -> Result<(f64, Run)> {
    let filter = Filter::Events {
        scope: Some("global".to_owned()),
        run_id: None,
    };
    let mut tail = bus.follow(&StreamKey::events(), filter, Start::Now).await?;
    let request = RunRequest {
        kind: RunKind::Global,
        chats: Vec::new(),
        conversation_id: None,
        passes: Vec::new(),
    };
    let started = Instant::now();
    let run = analysis.run(request).await?;
    loop {
        if let Item::Entry(entry) = tail.recv().await
            && entry.fields.text("type") == Some("run_complete")
        {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok((seconds, analysis.get(run.id).await?))
}

/// Stores so many conversations of so many messages each, all of them sealed.
pub(crate) fn fill(store: &Store, conversations: usize, messages_each: usize) -> Result<()> {
    let all: Vec<usize> = (0..conversations * messages_each).collect();
    for some in all.chunks(STORED_AT_ONCE) {
        let some = some.to_vec();
        store.write_blocking(Lane::Bulk, move |write| {
            some.iter()
                .try_for_each(|&n| put(write, n, messages_each).map(drop))
        })?;
    }
    // Seals the last of each chat.
    store.write_blocking(Lane::Bulk, move |write| {
        (0..CHATS)
            .try_for_each(|chat| put(write, (conversations + chat) * messages_each, messages_each).map(drop))
    })?;
    Ok(())
}

fn put(write: &mut Write<'_>, n: usize, messages_each: usize) -> Result<ConversationId, StoreError> {
    let conversation = n / messages_each;
    let chat = write.chat("bench", &format!("{}", conversation % CHATS), None)?;
    let sent = conversation as i64 * 86_400 / 10 + (n % messages_each) as i64 * 40;
    let sent = Timestamp::from_seconds(1_200_000_000 + sent).unwrap_or_default();
    let is_from_me = n.is_multiple_of(3);
    let who = if is_from_me { "me" } else { "ann" };
    let sender = write.identity("bench", who, who, is_from_me, sent.as_micros())?;
    write.put(
        chat,
        &NewMessage {
            key: &n.to_be_bytes(),
            key_is_certain: true,
            sender: Some(sender),
            is_from_me,
            kind: Kind::Text,
            sent,
            content: &text(n),
            reply_key: None,
            edited: None,
            reactions: &[],
            attachments: &[],
        },
    )?;
    Ok(ConversationId(conversation as i64))
}

/// What people write: a sentence of two halves, out of some hundreds.
fn text(n: usize) -> String {
    const FIRST: [&str; 12] = [
        "I really loved the concert yesterday",
        "ok",
        "haha no way",
        "The train was late again, so annoying",
        "Can you send me the photos",
        "I'll bring the cake tomorrow",
        "We could meet at the station at six",
        "Did you see what Maria wrote about the flat",
        "that sounds great!!",
        "my boss is not happy with the report",
        "Thanks so much for helping with the move",
        "let me check and get back to you",
    ];
    const SECOND: [&str; 10] = [
        "",
        ", what do you think?",
        " 😂😂",
        " but it was not that bad in the end",
        " by Friday please",
        " and then we went for pizza near the river",
        ". Anyway, how was your weekend with the kids?",
        " ❤️",
        ", I promise",
        " because the weather forecast says rain",
    ];
    format!(
        "{}{}",
        FIRST[n * 7 % FIRST.len()],
        SECOND[(n / 3) * 11 % SECOND.len()]
    )
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or_default()
}
