//! Imports through the whole of ingest: what a second, a partial and the other side's export change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chatstats_hub::Hub;
use chatstats_model::{
    Chat, Import, ImportOptions, ImportState, IncomingChat, IncomingMessage, IncomingMessages, Kind, Message,
    Timestamp,
};
use chatstats_store::Store;
use chatstats_sync::{ImportSettings, Imports, Ingest, Publisher};

struct Rig {
    dir: tempfile::TempDir,
    store: Store,
    hub: Hub,
    imports: Worker,
}

/// Ends the import thread with the test.
struct Worker(Imports);

impl std::ops::Deref for Worker {
    type Target = Imports;
    fn deref(&self) -> &Imports {
        &self.0
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.shutdown();
    }
}

impl Rig {
    fn new() -> Rig {
        Rig::open(tempfile::tempdir().expect("a directory"))
    }

    fn open(dir: tempfile::TempDir) -> Rig {
        let store = Store::open(dir.path()).expect("a store");
        let hub = Hub::new();
        store.on_commit(Arc::new(Publisher::new(hub.clone())));
        let settings = ImportSettings {
            uploads_dir: dir.path().join("uploads"),
            now: || Timestamp::default(),
        };
        let imports = Worker(Imports::start(store.clone(), settings).expect("started"));
        Rig {
            dir,
            store,
            hub,
            imports,
        }
    }

    /// As if the program had ended and started again.
    fn restart(self) -> Rig {
        let Rig {
            dir, store, imports, ..
        } = self;
        drop(imports);
        drop(store);
        Rig::open(dir)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn import_with(&self, paths: &[PathBuf], options: ImportOptions) -> Import {
        let options = ImportOptions {
            timezone: Some("UTC".into()),
            ..options
        };
        let queued = self
            .imports
            .queue_blocking(paths.to_vec(), options)
            .expect("queued");
        let import = self.imports.wait(queued.id, |_| {}).expect("ended");
        let totals = import.receipt.totals;
        assert_eq!(
            totals.records,
            totals.messages + totals.system + totals.duplicates + totals.left_out
        );
        import
    }

    fn import(&self, path: &Path) -> Import {
        self.import_with(&[path.to_path_buf()], ImportOptions::default())
    }

    fn chats(&self) -> Vec<Chat> {
        self.store.read_blocking(|r| r.chats()).expect("chats")
    }

    fn messages(&self, chat: &Chat) -> Vec<Message> {
        let id = chat.id;
        self.store
            .read_blocking(move |r| {
                let up_to = r.position()?;
                r.history(id, None, up_to, 1_000_000)
            })
            .expect("messages")
    }
}

const MARA: &str = "\
2024/01/31, 09:00 - Mara: hello there
2024/01/31, 09:00 - Sam: ok
2024/01/31, 09:00 - Mara: ok
2024/01/31, 09:00 - Mara: ok
2024/01/31, 09:05 - Sam: see you tonight at the station
2024/01/31, 09:06 - Mara: I will bring the tickets
2024/02/13, 18:00 - Sam: what a concert that was
2024/02/13, 18:01 - Mara: again next year
";

fn lines(from: usize, to: usize) -> String {
    MARA.lines()
        .skip(from)
        .take(to - from)
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn any_overlap_in_any_order_gives_the_same_totals() {
    let slices = [(0, 4), (2, 7), (5, 8), (0, 8), (3, 6)];
    for rotation in 0..slices.len() {
        let rig = Rig::new();
        for index in 0..slices.len() {
            let (from, to) = slices[(index + rotation) % slices.len()];
            let path = rig.file(&format!("{index}/WhatsApp Chat with Mara.txt"), &lines(from, to));
            assert_eq!(rig.import(&path).state, ImportState::Done);
        }
        let chats = rig.chats();
        assert_eq!(chats.len(), 1, "rotation {rotation}");
        let mut found: Vec<String> = rig.messages(&chats[0]).into_iter().map(|m| m.content).collect();
        let mut want: Vec<String> = MARA
            .lines()
            .filter_map(|l| l.split_once(": "))
            .map(|(_, t)| t.into())
            .collect();
        found.sort();
        want.sort();
        assert_eq!(found, want, "rotation {rotation}");
        assert_eq!(chats[0].message_count, 8);
    }
}

#[test]
fn equal_messages_in_one_minute_are_kept_and_counted_once_more_never() {
    let rig = Rig::new();
    let path = rig.file("WhatsApp Chat with Mara.txt", MARA);
    let first = rig.import(&path).receipt.totals;
    assert_eq!(
        (first.records, first.messages, first.duplicates, first.chats),
        (8, 8, 0, 1)
    );
    let second = rig.import(&path).receipt.totals;
    assert_eq!(
        (second.records, second.messages, second.duplicates, second.chats),
        (8, 0, 8, 1)
    );
}

#[test]
fn a_renamed_chat_and_the_other_sides_export_are_the_same_chat() {
    let rig = Rig::new();
    let mine = rig.file("WhatsApp Chat with Mara.txt", MARA);
    rig.import_with(
        &[mine],
        ImportOptions {
            me: Some("Sam".into()),
            ..ImportOptions::default()
        },
    );
    let renamed = rig.file("WhatsApp Chat with Mara Work.txt", MARA);
    assert_eq!(rig.import(&renamed).receipt.totals.duplicates, 8);
    let hers = MARA.replace("- Sam:", "- Sammy ❤:");
    let hers = rig.file(
        "WhatsApp Chat with Sammy ❤.txt",
        &format!("{hers}2024/02/14, 10:00 - Sammy ❤: only in hers\n"),
    );
    let totals = rig.import(&hers).receipt.totals;
    assert_eq!((totals.messages, totals.duplicates), (1, 8));
    let chats = rig.chats();
    assert_eq!(
        (chats.len(), chats[0].message_count, chats[0].title.as_str()),
        (1, 9, "Mara")
    );
    let last = rig.messages(&chats[0]).pop().expect("a message");
    assert_eq!(
        (last.content.as_str(), last.sender.as_deref(), last.is_from_me),
        ("only in hers", Some("Sam"), true)
    );
    assert!(
        rig.messages(&chats[0])
            .iter()
            .filter(|m| m.sender.as_deref() == Some("Mara"))
            .all(|m| !m.is_from_me)
    );
}

#[test]
fn different_chats_with_a_few_equal_lines_stay_apart() {
    let rig = Rig::new();
    let greeting = "2024/01/01, 00:00 - Sam: Happy new year to all of you!\n";
    for name in ["Ann", "Bob", "Cleo"] {
        let rest: String = (0..20)
            .map(|n| {
                format!(
                    "2024/01/01, 0{}:1{} - {name}: line {n} of {name}\n",
                    n / 10,
                    n % 10
                )
            })
            .collect();
        rig.import(&rig.file(
            &format!("WhatsApp Chat with {name}.txt"),
            &format!("{greeting}{rest}"),
        ));
    }
    let mut titles: Vec<String> = rig.chats().into_iter().map(|c| c.title).collect();
    titles.sort();
    assert_eq!(titles, ["Ann", "Bob", "Cleo"]);
}

#[test]
fn a_dry_run_gives_the_same_receipt_and_writes_nothing() {
    let rig = Rig::new();
    let path = rig.file("WhatsApp Chat with Mara.txt", &format!("no header here\n{MARA}"));
    let dry = ImportOptions {
        dry_run: true,
        ..ImportOptions::default()
    };
    let dry_first = rig.import_with(std::slice::from_ref(&path), dry.clone());
    assert!(rig.chats().is_empty());
    let real = rig.import(&path);
    assert_eq!(dry_first.receipt.totals, real.receipt.totals);
    let dry_again = rig.import_with(std::slice::from_ref(&path), dry);
    assert_eq!(dry_again.receipt.totals, rig.import(&path).receipt.totals);
    let left = move |id| {
        rig.store
            .read_blocking(move |r| r.left_out(id, None, 0, 10))
            .expect("read")
    };
    assert_eq!(left(dry_first.id), left(real.id));
    let left = left(real.id);
    assert_eq!((left.total, left.left_out[0].place.as_str()), (1, "line 1"));
}

#[test]
fn a_file_that_is_no_export_is_told_and_the_others_are_imported() {
    let rig = Rig::new();
    let good = rig.file("WhatsApp Chat with Mara.txt", MARA);
    let bad = rig.file("notes.txt", "milk\neggs\n");
    let import = rig.import_with(
        &[bad, good, rig.dir.path().join("missing.txt")],
        ImportOptions::default(),
    );
    assert_eq!(import.state, ImportState::Failed);
    assert_eq!(import.receipt.totals.messages, 8);
    let errors: Vec<_> = import
        .receipt
        .files
        .iter()
        .filter_map(|f| f.error.as_deref())
        .collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
}

fn telegram(messages: &[(u32, u32, &str)]) -> String {
    let rows: Vec<String> = messages
        .iter()
        .map(|(id, at, text)| {
            format!(r#"{{"id":{id},"type":"message","date_unixtime":"{at}","from":"Ann","from_id":"user7","text":"{text}"}}"#)
        })
        .collect();
    format!(
        r#"{{"name":"Ann","type":"personal_chat","id":7,"messages":[{}]}}"#,
        rows.join(",")
    )
}

#[test]
fn two_accounts_that_number_their_messages_alike_lose_nothing() {
    let rig = Rig::new();
    let mine = rig.file(
        "a/result.json",
        &telegram(&[(1, 1_700_000_000, "one"), (2, 1_700_000_100, "two")]),
    );
    let other = rig.file(
        "b/result.json",
        &telegram(&[(1, 1_600_000_000, "another one"), (2, 1_700_000_100, "two")]),
    );
    assert_eq!(rig.import(&mine).receipt.totals.messages, 2);
    let dry = ImportOptions {
        dry_run: true,
        ..ImportOptions::default()
    };
    for (messages, duplicates) in [(1, 1), (0, 2)] {
        let dry = rig
            .import_with(std::slice::from_ref(&other), dry.clone())
            .receipt
            .totals;
        let real = rig.import(&other).receipt.totals;
        assert_eq!((real.messages, real.duplicates), (messages, duplicates));
        assert_eq!(dry, real);
    }
    let chats = rig.chats();
    let contents: Vec<String> = rig.messages(&chats[0]).into_iter().map(|m| m.content).collect();
    assert_eq!(contents, ["another one", "one", "two"]);
}

/// A file large enough that an import of it can be caught in its middle.
fn long_file(rig: &Rig, count: usize) -> PathBuf {
    let line = |n: usize| {
        let (day, hour, minute) = (1 + n / 1440 % 28, n / 60 % 24, n % 60);
        let month = 1 + n / 40_320 % 12;
        format!(
            "{}/{month:02}/{day:02}, {hour:02}:{minute:02} - {}: message number {n}\n",
            2000 + n / 483_840,
            ["Ann", "Bob"][n % 2]
        )
    };
    rig.file(
        "WhatsApp Chat with Ann.txt",
        &(0..count).map(line).collect::<String>(),
    )
}

#[test]
fn an_import_that_is_cut_off_goes_on_and_counts_everything_once() {
    const COUNT: usize = 30_000;
    let mut rig = Rig::new();
    let path = long_file(&rig, COUNT);
    let options = ImportOptions {
        timezone: Some("UTC".into()),
        ..ImportOptions::default()
    };
    let id = rig
        .imports
        .queue_blocking(vec![path], options)
        .expect("queued")
        .id;
    let mut restarts = 0;
    loop {
        // Ended as the program ends, at a place that differs from time to time; the database is closed with it.
        let stored = |rig: &Rig| rig.store.read_blocking(|r| r.counts()).expect("counts").1;
        let before = stored(&rig);
        while stored(&rig) == before
            && rig
                .store
                .read_blocking(|r| r.unfinished_imports())
                .expect("read")
                .len()
                == 1
        {
            std::thread::yield_now();
        }
        rig.imports.shutdown();
        if rig
            .store
            .read_blocking(|r| r.unfinished_imports())
            .expect("read")
            .is_empty()
        {
            break;
        }
        restarts += 1;
        rig = rig.restart();
    }
    assert!(restarts > 0, "the import was never caught in its middle");
    let import = rig
        .store
        .read_blocking(move |r| r.import(id))
        .expect("read")
        .expect("the import")
        .import;
    assert_eq!(import.state, ImportState::Done);
    assert_eq!(
        import.receipt.totals.messages, COUNT as u64,
        "after {restarts} restarts"
    );
    assert_eq!(import.receipt.totals.duplicates, 0);
    let chats = rig.chats();
    assert_eq!((chats.len(), chats[0].message_count), (1, COUNT as i64));
    let messages = rig.messages(&chats[0]);
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(n, m)| m.content == format!("message number {n}"))
    );
}

#[tokio::test]
async fn a_cancelled_import_keeps_what_it_has_and_a_new_one_adds_the_rest() {
    const COUNT: usize = 40_000;
    let rig = Rig::new();
    let path = long_file(&rig, COUNT);
    let options = ImportOptions {
        timezone: Some("UTC".into()),
        ..ImportOptions::default()
    };
    let id = rig
        .imports
        .queue(vec![path.clone()], false, options.clone())
        .await
        .expect("queued")
        .id;
    let waiting = rig
        .imports
        .queue(vec![path.clone()], false, options.clone())
        .await
        .expect("queued")
        .id;
    assert_eq!(
        rig.imports.cancel(waiting).await.expect("cancelled").state,
        ImportState::Cancelled
    );
    while rig.imports.get(id).await.expect("found").progress.counts.messages == 0 {
        tokio::task::yield_now().await;
    }
    rig.imports.cancel(id).await.expect("cancelled");
    let imports = rig.imports.clone();
    let ended = tokio::task::spawn_blocking(move || imports.wait(id, |_| {}))
        .await
        .expect("joined")
        .expect("ended");
    assert_eq!(ended.state, ImportState::Cancelled);
    let kept = rig.chats()[0].message_count as u64;
    assert_eq!(ended.receipt.totals.messages, kept);
    assert!(kept < COUNT as u64);
    let id = rig
        .imports
        .queue(vec![path], false, options)
        .await
        .expect("queued")
        .id;
    let imports = rig.imports.clone();
    let rest = tokio::task::spawn_blocking(move || imports.wait(id, |_| {}))
        .await
        .expect("joined")
        .expect("ended");
    assert_eq!(
        (rest.receipt.totals.messages, rest.receipt.totals.duplicates),
        (COUNT as u64 - kept, kept)
    );
}

fn post(key: &str, content: &str) -> IncomingMessages {
    let message = IncomingMessage {
        key: key.into(),
        sender: None,
        is_from_me: false,
        content: content.into(),
        timestamp: Timestamp::from_seconds(1_700_000_000).expect("in range"),
        kind: Kind::Text,
        reply_to: None,
        edited_at: None,
    };
    IncomingMessages {
        source: "bot".into(),
        chat: IncomingChat {
            key: "room".into(),
            title: Some("Room".into()),
        },
        messages: vec![message],
    }
}

#[tokio::test]
async fn posts_that_share_a_commit_are_published_one_by_one_and_in_order() {
    let rig = Rig::new();
    let ingest = Ingest::new(rig.store.clone());
    let chat = ingest.post(post("first", "first")).await.expect("posted").chat_id;
    let mut subscription = rig.hub.subscribe(chat);
    let mut chats = rig.hub.subscribe_all_chats();
    let posts = (0..200).map(|n| {
        let ingest = ingest.clone();
        tokio::spawn(async move {
            ingest
                .post(post(&format!("k{}", n % 150), &format!("text {n}")))
                .await
        })
    });
    let (mut inserted, mut duplicates) = (0, 0);
    for posted in posts.collect::<Vec<_>>() {
        let posted = posted.await.expect("joined").expect("posted");
        inserted += posted.inserted;
        duplicates += posted.duplicates;
    }
    assert_eq!((inserted, duplicates), (150, 50));
    let mut last = 0;
    for _ in 0..150 {
        let entry = subscription.recv().await.expect("not lagged");
        assert_eq!(entry.payload.len(), 1, "one post, one publish");
        assert!(entry.payload[0].id.0 > last);
        last = entry.payload[0].id.0;
    }
    let update = chats.recv().await.expect("not lagged");
    assert_eq!(update.payload.chat.title, "Room");
}

#[tokio::test]
async fn a_newer_edit_changes_a_posted_message_whatever_its_time() {
    let rig = Rig::new();
    let ingest = Ingest::new(rig.store.clone());
    ingest.post(post("a", "before")).await.expect("posted");
    let mut edit = post("a", "after");
    edit.messages[0].timestamp = Timestamp::from_seconds(1_700_000_500).expect("in range");
    edit.messages[0].edited_at = Timestamp::from_seconds(1_700_000_600);
    let posted = ingest.post(edit).await.expect("posted");
    assert_eq!((posted.inserted, posted.duplicates), (0, 1));
    let messages = rig.messages(&rig.chats()[0]);
    assert_eq!((messages.len(), messages[0].content.as_str()), (1, "after"));
}

#[tokio::test]
async fn a_post_that_makes_no_sense_is_refused_with_its_place() {
    let rig = Rig::new();
    let ingest = Ingest::new(rig.store.clone());
    let mut bad = post("a", "x");
    bad.messages.push(IncomingMessage {
        key: String::new(),
        ..bad.messages[0].clone()
    });
    let error = ingest.post(bad).await.expect_err("refused").to_string();
    assert_eq!(error, "messages[1].key must not be empty.");
    assert!(rig.chats().is_empty());
}
