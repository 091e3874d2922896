//! The file of the embedded log: who may open it, what it survives, and what becomes of a damaged one.

mod kills;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use chatstats_bus::{
    Bus, BusError, EmbeddedSettings, Fields, Filter, Item, NewId, Notice, Settings, Start, StreamId,
};
use chatstats_bus::{StreamKey, Trim};

const NOON_MS: u64 = 1_704_110_400_000;

fn noon() -> u64 {
    NOON_MS
}

async fn try_open(path: &Path, clock: fn() -> u64) -> Result<Bus, BusError> {
    let settings = EmbeddedSettings {
        path: path.to_owned(),
        clock,
        kept: 1_000_000,
    };
    Bus::open(Settings::Embedded(settings)).await
}

async fn open(path: &Path) -> Bus {
    try_open(path, noon).await.expect("opened")
}

fn key() -> StreamKey {
    StreamKey::new("stream").expect("short enough")
}

async fn add(bus: &Bus, count: usize) -> Vec<StreamId> {
    let fields = Fields::new([("name", "value")]).expect("small");
    let submit = |_| bus.add(&key(), NewId::Auto, fields.clone()).expect("taken");
    let submitted: Vec<_> = (0..count).map(submit).collect();
    let mut ids = Vec::new();
    for added in submitted {
        ids.push(added.await.expect("added"));
    }
    ids
}

#[tokio::test]
async fn ids_are_of_the_clock_and_never_go_back_with_it() {
    static NOW_MS: AtomicU64 = AtomicU64::new(NOON_MS);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let clock = || NOW_MS.load(Ordering::Relaxed);
    let id = |ms, seq| StreamId::new(NOON_MS + ms, seq);
    let bus = try_open(&path, clock).await.expect("opened");
    assert_eq!(add(&bus, 1).await, [id(0, 0)]);
    assert_eq!(add(&bus, 1).await, [id(0, 1)]);
    NOW_MS.store(NOON_MS + 7, Ordering::Relaxed);
    assert_eq!(add(&bus, 2).await, [id(7, 0), id(7, 1)]);
    NOW_MS.store(5, Ordering::Relaxed);
    assert_eq!(add(&bus, 1).await, [id(7, 2)]);
    bus.shutdown().await;
    drop(bus);
    let bus = try_open(&path, clock).await.expect("opened");
    assert_eq!(add(&bus, 1).await, [id(7, 3)]);
    NOW_MS.store(NOON_MS + 8, Ordering::Relaxed);
    assert_eq!(add(&bus, 1).await, [id(8, 0)]);
}

#[tokio::test]
async fn a_second_who_opens_it_is_told_that_it_is_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let bus = open(&path).await;
    let second = try_open(&path, noon).await.map(|_| ()).expect_err("held");
    let told = second.to_string();
    assert!(
        told.contains("held by another process") && told.contains("events.db"),
        "{told}"
    );
    add(&bus, 1).await;
    drop(bus);
    assert_eq!(add(&open(&path).await, 1).await.len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let bus = open(&path).await;
    add(&bus, 10).await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).expect("listed").collect();
    assert!(
        files.len() >= 4,
        "the log, its write-ahead log, shared memory and lock"
    );
    for file in files {
        let file = file.expect("a file");
        let mode = file.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_log_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let damaged = b"this is no database, but there is something in it".repeat(200);
    std::fs::write(&path, &damaged).expect("written");
    let bus = open(&path).await;
    let newest = StreamId::new(NOON_MS - 9, 0);
    // Who followed the log that is gone is told so.
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Resume(newest))
        .await
        .expect("followed");
    assert!(matches!(tail.recv().await, Item::Notice(Notice::Gap)));
    let ids = add(&bus, 1).await;
    assert!(matches!(tail.recv().await, Item::Entry(entry) if entry.id == ids[0]));
    let aside = folder.path().join(format!("events.db.damaged-{NOON_MS}"));
    assert_eq!(std::fs::read(aside).expect("kept"), damaged);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    drop(open(&path).await);
    let conn = rusqlite::Connection::open(&path).expect("opened");
    conn.pragma_update(None, "user_version", 99).expect("written");
    drop(conn);
    let told = try_open(&path, noon)
        .await
        .map(|_| ())
        .expect_err("too new")
        .to_string();
    assert!(told.contains("newer version"), "{told}");
    assert!(path.exists());
}

#[tokio::test]
async fn a_write_that_fails_is_told_and_the_next_one_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let bus = open(&path).await;
    let before = add(&bus, 10).await;
    // Another hand in the file: the log cannot write a batch of this id, and says so instead of acknowledging it.
    let conn = rusqlite::Connection::open(&path).expect("opened");
    let trigger =
        "CREATE TRIGGER full BEFORE INSERT ON batches BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    conn.execute_batch(trigger).expect("made");
    let mut tail = bus
        .follow(&key(), Filter::All, Start::Now)
        .await
        .expect("followed");
    let fields = Fields::new([("name", "value")]).expect("small");
    let submit = || bus.add(&key(), NewId::Auto, fields.clone()).expect("taken");
    for submitted in [submit(), submit(), submit()] {
        let told = submitted.await.expect_err("not written");
        assert!(
            matches!(&told, BusError::Log(why) if why.contains("the disk is full")),
            "{told}"
        );
    }
    assert!(
        bus.status()
            .problem
            .is_some_and(|problem| problem.contains("the disk is full"))
    );
    assert_eq!(bus.len(&key()).await.expect("read"), 10);
    conn.execute_batch("DROP TRIGGER full").expect("dropped");
    let after = add(&bus, 1).await;
    assert!(after[0] > before[9]);
    assert!(matches!(tail.recv().await, Item::Entry(entry) if entry.id == after[0]));
    assert_eq!(bus.status().problem, None);
    assert_eq!(bus.len(&key()).await.expect("read"), 11);
}

#[tokio::test]
async fn what_was_trimmed_leaves_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.db");
    let bus = open(&path).await;
    for _ in 0..1_500 {
        add(&bus, 1).await; // A batch each.
    }
    let ids = add(&bus, 10).await;
    bus.trim(&key(), Trim::Exactly(3)).await.expect("trimmed");
    // One more write, a restart, and the sweeping is over.
    bus.shutdown().await;
    drop(bus);
    let bus = open(&path).await;
    let conn = rusqlite::Connection::open(&path).expect("opened");
    let batches = || {
        conn.query_row("SELECT count(*) FROM batches", [], |row| row.get::<_, u32>(0))
            .expect("counted")
    };
    while batches() > 10 {
        add(&bus, 1).await;
        assert!(
            bus.len(&key()).await.expect("read") < 100,
            "it is swept in a few steps"
        );
    }
    let page = bus.range(&key(), ..=ids[9], 100).await.expect("read");
    assert_eq!(
        page.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        ids[7..]
    );
}
