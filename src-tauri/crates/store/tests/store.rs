//! The store over a real file: what is written is read, in order, and survives.

use std::sync::{Arc, Mutex};

use chatstats_model::{ChatId, ContactId, ImportOptions, Kind, Message, MessageId, Rev, Timestamp};
use chatstats_store::{
    ANALYSIS_FILE, Anchor, Commit, CommitListener, DATABASE_FILE, IdentityId, Lane, NewMessage, OpenError,
    Put, Reader, SearchQuery, Store, StoreError, Write,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + second).expect("in range")
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    (dir, store)
}

fn put(
    write: &mut Write<'_>,
    chat: ChatId,
    key: &str,
    content: &str,
    sent: Timestamp,
) -> Result<Put, StoreError> {
    put_edited(write, chat, key, content, sent, None)
}

fn put_edited(
    write: &mut Write<'_>,
    chat: ChatId,
    key: &str,
    content: &str,
    sent: Timestamp,
    edited: Option<Timestamp>,
) -> Result<Put, StoreError> {
    let ann = write.identity("test", "ann", "Ann", false, sent.as_micros())?;
    put_by(write, chat, ann, (key, content), (sent, edited))
}

fn put_by(
    write: &mut Write<'_>,
    chat: ChatId,
    sender: (IdentityId, ContactId),
    (key, content): (&str, &str),
    (sent, edited): (Timestamp, Option<Timestamp>),
) -> Result<Put, StoreError> {
    write.put(
        chat,
        &NewMessage {
            key: key.as_bytes(),
            key_is_certain: true,
            sender: Some(sender),
            is_from_me: false,
            kind: Kind::Text,
            sent,
            content,
            reply_key: None,
            edited,
            reactions: &[],
            attachments: &[],
        },
    )
}

/// Stores messages with these (key, second) in one chat.
fn fill(store: &Store, messages: Vec<(String, i64)>) -> ChatId {
    store
        .write_blocking(Lane::Live, move |write| {
            let chat = write.chat("test", "room", Some("Room"))?;
            for (key, second) in &messages {
                put(write, chat, key, &format!("text of {key}"), at(*second))?;
            }
            Ok(chat)
        })
        .expect("stored")
}

fn keys(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|m| m.content.trim_start_matches("text of "))
        .collect()
}

fn all(store: &Store, chat: ChatId) -> Vec<Message> {
    store
        .read_blocking(move |r| {
            let up_to = r.position()?;
            r.history(chat, None, up_to, 1_000_000)
        })
        .expect("history")
}

#[test]
fn history_goes_by_time_then_id_in_pages_of_any_size() {
    let (_dir, store) = open();
    // Many share an instant, and later ones are older than earlier ones.
    let messages: Vec<_> = (0..200).map(|n| (format!("k{n}"), (n * 7919) % 11)).collect();
    let chat = fill(&store, messages);
    let whole = all(&store, chat);
    assert_eq!(whole.len(), 200);
    assert!(
        whole
            .windows(2)
            .all(|w| (w[0].timestamp, w[0].id) < (w[1].timestamp, w[1].id))
    );
    for page in [1, 3, 64] {
        let paged = store
            .read_blocking(move |r| {
                let up_to = r.position()?;
                let (mut out, mut after) = (Vec::new(), None);
                loop {
                    let next = r.history(chat, after, up_to, page)?;
                    let Some(last) = next.last() else { return Ok(out) };
                    after = Some((last.timestamp, last.id));
                    out.extend(next);
                }
            })
            .expect("pages");
        assert_eq!(paged, whole, "pages of {page}");
    }
    for last in [1, 7, 199, 200, 500] {
        let tail = store
            .read_blocking(move |r| {
                let up_to = r.position()?;
                let start = r.history_tail_start(chat, up_to, last)?;
                r.history(chat, start, up_to, 1000)
            })
            .expect("tail");
        assert_eq!(tail, whole[200 - last.min(200)..], "the last {last}");
    }
}

#[test]
fn pages_around_any_anchor_agree_with_the_whole() {
    let (_dir, store) = open();
    let chat = fill(
        &store,
        (0..100).map(|n| (format!("k{n}"), (n * 31) % 17)).collect(),
    );
    let whole = all(&store, chat);
    let page = |anchor, limit| {
        store
            .read_blocking(move |r| r.page(chat, anchor, limit))
            .expect("a page")
            .expect("of this chat")
    };
    let end = page(Anchor::End, 10);
    assert_eq!(end.messages, whole[90..]);
    assert!(end.has_before && !end.has_after);
    assert_eq!(end.total, 100);
    for index in [0, 1, 50, 98, 99] {
        let id = whole[index].id;
        assert_eq!(
            page(Anchor::Before(id), 7).messages,
            whole[index.saturating_sub(7)..index]
        );
        let after = page(Anchor::After(id), 7);
        assert_eq!(after.messages, whole[index + 1..(index + 8).min(100)]);
        assert_eq!(after.has_after, index + 8 < 100);
        let around = page(Anchor::Around(id), 8);
        assert_eq!(
            around.messages,
            whole[index.saturating_sub(4)..(index + 4).min(100)]
        );
        let first_of_instant = whole
            .iter()
            .position(|m| m.timestamp >= whole[index].timestamp)
            .expect("itself");
        let at = page(Anchor::At(whole[index].timestamp), 8);
        assert_eq!(
            at.messages[first_of_instant.min(4)].id,
            whole[first_of_instant].id
        );
    }
    assert_eq!(
        store
            .read_blocking(move |r| r.page(ChatId(77), Anchor::End, 5))
            .expect("an answer"),
        None
    );
    let unknown = Anchor::Around(MessageId(987_654));
    assert_eq!(
        store
            .read_blocking(move |r| r.page(chat, unknown, 5))
            .expect("an answer"),
        None
    );
}

#[test]
fn putting_the_same_key_again_changes_no_total() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".into(), 1), ("b".into(), 2)]);
    let before = store.read_blocking(|r| r.position()).expect("position");
    fill(&store, vec![("b".into(), 2), ("a".into(), 1), ("c".into(), 3)]);
    let found = store
        .read_blocking(move |r| r.chat(chat))
        .expect("read")
        .expect("the chat");
    assert_eq!(found.message_count, 3);
    assert_eq!(found.last_message_time, Some(at(3)));
    assert_eq!(found.participants[0].name, "Ann");
    let contacts = store.read_blocking(|r| r.contacts()).expect("contacts");
    assert_eq!((contacts.len(), contacts[0].message_count), (1, 3));
    let new = store
        .read_blocking(move |r| {
            let up_to = r.position()?;
            r.changed_since(chat, before, up_to, None, 100)
        })
        .expect("changes");
    assert_eq!(keys(&new), ["c"]);
}

#[test]
fn an_edit_comes_again_under_its_id_and_is_found_by_its_new_words() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".into(), 1), ("b".into(), 2)]);
    let before = store.read_blocking(|r| r.position()).expect("position");
    let edit = |content: &'static str, when| {
        store
            .write_blocking(Lane::Live, move |w| {
                put_edited(w, chat, "a", content, at(1), Some(at(when)))
            })
            .expect("stored")
    };
    let id = all(&store, chat)[0].id;
    assert_eq!(edit("walrus", 50), Put::Changed(id));
    assert_eq!(edit("older news", 40), Put::Unchanged);
    assert_eq!(edit("walrus", 50), Put::Unchanged);
    let changed = store
        .read_blocking(move |r| {
            let up_to = r.position()?;
            r.changed_since(chat, before, up_to, None, 100)
        })
        .expect("changes");
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].id, changed[0].content.as_str(), changed[0].edited_at),
        (id, "walrus", Some(at(50)))
    );
    assert_eq!(search(&store, "walrus", None), ["walrus"]);
    assert_eq!(search(&store, "text", None), ["text of b"]);
}

fn search(store: &Store, text: &str, chat: Option<ChatId>) -> Vec<String> {
    search_up_to(store, text, chat, 50)
}

fn search_up_to(store: &Store, text: &str, chat: Option<ChatId>, limit: usize) -> Vec<String> {
    let query = SearchQuery {
        text: text.into(),
        chat,
        before: None,
        limit,
    };
    store
        .write_blocking(Lane::Live, |write| write.index_all())
        .expect("indexed");
    let page = store.read_blocking(move |r| r.search(&query)).expect("a page");
    page.hits.into_iter().map(|hit| hit.message.content).collect()
}

#[test]
fn search_takes_words_as_typed_and_never_as_operators() {
    let (_dir, store) = open();
    store
        .write_blocking(Lane::Live, |write| {
            for (room, texts) in [
                ("one", ["Café am Eck", "NOT a word"]),
                ("two", ["cafeteria (closed)", "\"quoted\" c1"]),
            ] {
                let chat = write.chat("test", room, None)?;
                for (n, text) in texts.iter().enumerate() {
                    put(write, chat, text, text, at(n as i64))?;
                }
            }
            Ok(())
        })
        .expect("stored");
    assert_eq!(search(&store, "cafe", None).len(), 2);
    assert_eq!(search(&store, "cafe", Some(ChatId(1))), ["Café am Eck"]);
    assert_eq!(search(&store, "word not", None), ["NOT a word"]);
    assert_eq!(search(&store, "quoted\"", None), ["\"quoted\" c1"]);
    // The chat's own word in the index is no content.
    assert_eq!(search(&store, "c2", None), Vec::<String>::new());
    for odd in [
        "", " ", "\"", "*", "AND OR", "a:b", "(", "NEAR(", "\0", "col : x", "-", "😀", "''; DROP",
    ] {
        search(&store, odd, None);
    }
}

#[test]
fn search_finds_what_begins_as_the_last_word_however_many_words_do() {
    let (_dir, store) = open();
    // Words that begin alike: few, as many as are looked up, and more; and some that only look so.
    let mut texts: Vec<String> = (0..64).map(|n| format!("meet{n}")).collect();
    texts.extend((0..65).map(|n| format!("Train{n} late")));
    texts.extend(
        [
            "meadow",
            "ME\u{cb}T later",
            "Погода",
            "погоды late",
            "c1 meat",
            "don't",
        ]
        .map(str::to_owned),
    );
    let stored = texts.clone();
    store
        .write_blocking(Lane::Live, move |write| {
            let chat = write.chat("test", "room", None)?;
            for (n, text) in stored.iter().enumerate() {
                put(write, chat, text, text, at(n as i64))?;
            }
            Ok(())
        })
        .expect("stored");
    let count = |text: &str| search_up_to(&store, text, None, 200).len();
    for (text, wanted) in [
        ("meet", 65),
        ("MEET1", 11),
        ("meet99", 0),
        ("mea", 2),
        ("me", 67),
        ("m", 67),
        ("train", 65),
        ("train1 lat", 1),
        ("late train", 65),
        ("late train1", 11),
        ("train1 late", 1),
        ("late погод", 1),
        ("погод", 2),
        ("ПОГОДА", 1),
        ("meët", 65),
        ("later meët", 1),
        ("trãin1 late", 1),
        ("don'", 1),
        ("c1", 1),
        ("zebra", 0),
        ("zebra train", 0),
    ] {
        assert_eq!(count(text), wanted, "{text}");
    }
    assert_eq!(
        search(&store, "погод", Some(ChatId(1))),
        ["погоды late", "Погода"]
    );
}

#[test]
fn a_failing_write_undoes_itself_and_nobody_else() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".into(), 1)]);
    // The writer is kept busy, so that the three that follow share one transaction.
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let busy = store
        .write_later(Lane::Live, move |_| Ok(gate.recv().is_ok()))
        .expect("queued");
    let good = store
        .write_later(Lane::Live, move |w| put(w, chat, "b", "text of b", at(2)))
        .expect("queued");
    let bad = store
        .write_later(Lane::Live, move |w| {
            let new = w.chat("test", "half", None)?;
            put(w, new, "x", "text of x", at(9))?;
            put(w, chat, "x", "text of x", at(9))?;
            Err::<(), _>(StoreError::Invalid("no".into()))
        })
        .expect("queued");
    let panics = store
        .write_later(Lane::Live, |_| -> Result<(), StoreError> { panic!("on purpose") })
        .expect("queued");
    let last = store
        .write_later(Lane::Live, move |w| put(w, chat, "c", "text of c", at(3)))
        .expect("queued");
    go.send(()).expect("the writer waits");
    assert!(busy.wait().expect("committed"));
    good.wait().expect("committed");
    assert!(matches!(bad.wait(), Err(StoreError::Invalid(_))));
    assert!(matches!(panics.wait(), Err(StoreError::Panicked)));
    last.wait().expect("committed");
    assert_eq!(keys(&all(&store, chat)), ["a", "b", "c"]);
    let chats = store.read_blocking(|r| r.chats()).expect("chats");
    assert_eq!((chats.len(), chats[0].message_count), (1, 3));
}

#[test]
fn a_bulk_write_sees_that_a_live_one_waits_and_no_other() {
    let (_dir, store) = open();
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let bulk = store
        .write_later(Lane::Bulk, move |write| {
            while asked.recv().is_ok() {
                let _nobody_asks = tell.send(write.is_in_the_way());
            }
            Ok(())
        })
        .expect("queued");
    let is_in_the_way = || {
        ask.send(()).expect("the write goes on");
        told.recv().expect("an answer")
    };
    let other = store.write_later(Lane::Bulk, |_| Ok(())).expect("queued");
    assert!(!is_in_the_way());
    let live = store
        .write_later(Lane::Live, |write| Ok(write.is_in_the_way()))
        .expect("queued");
    assert!(is_in_the_way());
    drop(ask);
    assert!(!live.wait().expect("committed"));
    bulk.wait().expect("committed");
    other.wait().expect("committed");
}

#[test]
fn messages_and_analysis_are_written_beside_each_other() {
    let (_dir, store) = open();
    let (go, went) = std::sync::mpsc::channel::<()>();
    let messages = store
        .write_later(Lane::Live, move |write| {
            let chat = write.chat("test", "c", None)?;
            Ok((chat, went.recv_timeout(PATIENCE).is_ok()))
        })
        .expect("queued");
    // It is in the middle of its transaction, and stays there until this is committed.
    store
        .write_analysis_blocking(Lane::Live, |write| write.set_mark("place", "1-0"))
        .expect("written");
    let read = |reader: &Reader| Ok((reader.mark("place")?, reader.chats()?.len()));
    let seen = store.read_blocking(read).expect("read");
    assert_eq!(seen, (Some("1-0".to_owned()), 0), "and a reader sees both files");
    go.send(()).expect("it waits");
    let (chat, was_let_go) = messages.wait().expect("committed");
    assert!(was_let_go);

    // The other way round; and that one hears that a message came, though nobody waits for it.
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            store.write_analysis_blocking(Lane::Bulk, move |write| {
                while asked.recv().is_ok() {
                    let _nobody_asks = tell.send(write.is_in_the_way());
                }
                Ok(())
            })
        });
        let is_in_the_way = || {
            ask.send(()).expect("the write goes on");
            told.recv_timeout(PATIENCE).expect("an answer")
        };
        assert!(!is_in_the_way());
        store.write_blocking(Lane::Bulk, |_| Ok(())).expect("committed");
        assert!(!is_in_the_way(), "a batch of an import is no message");
        store
            .write_blocking(Lane::Live, move |write| put(write, chat, "a", "text", at(1)))
            .expect("committed");
        assert!(is_in_the_way());
        drop(ask);
    });
}

#[test]
fn messages_are_seen_no_earlier_than_what_is_made_of_them() {
    let (_dir, store) = open();
    let writes = store.clone();
    let read = move |reader: &Reader| {
        reader.consistent(|reader| {
            let chats = reader.chats()?.len();
            writes.write_analysis_blocking(Lane::Live, |write| write.set_mark("place", "1-0"))?;
            Ok((chats, reader.mark("place")?))
        })
    };
    let seen = store.read_blocking(read).expect("read");
    assert_eq!(
        seen,
        (0, None),
        "not what was made since of messages that are not seen"
    );
}

#[test]
fn a_write_of_analysis_that_fails_leaves_nothing_behind() {
    let (_dir, store) = open();
    let failed: Result<(), _> = store.write_analysis_blocking(Lane::Live, |write| {
        write.set_mark("place", "1-0")?;
        Err(StoreError::Invalid("no".into()))
    });
    assert!(matches!(failed, Err(StoreError::Invalid(_))));
    assert_eq!(
        store.read_blocking(|reader| reader.mark("place")).expect("read"),
        None
    );
    store
        .write_analysis_blocking(Lane::Live, |write| write.set_mark("place", "2-0"))
        .expect("written");
    let mark = store.read_blocking(|reader| reader.mark("place")).expect("read");
    assert_eq!(mark.as_deref(), Some("2-0"));
}

/// How long a test waits for what must come at once.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Default)]
struct Heard(Mutex<Vec<Vec<(Rev, Rev)>>>);

impl CommitListener for Heard {
    fn committed(&self, commit: &Commit, reader: &Reader) {
        let position = reader.position().expect("position");
        assert_eq!(position, commit.rev, "the reader sees just this commit");
        let ranges = commit.messages.iter().map(|p| (p.first, p.last)).collect();
        self.0.lock().expect("lock").push(ranges);
    }
}

#[test]
fn listeners_hear_of_each_write_in_order_before_it_is_answered() {
    let (_dir, store) = open();
    let heard = Arc::new(Heard::default());
    store.on_commit(heard.clone());
    for n in 0..20 {
        fill(&store, vec![(format!("k{n}"), n)]);
        assert_eq!(heard.0.lock().expect("lock").len(), n as usize + 1);
    }
    let heard = heard.0.lock().expect("lock");
    let ranges: Vec<_> = heard.iter().flatten().collect();
    assert_eq!(ranges.len(), 20);
    assert!(ranges.windows(2).all(|w| w[0].1 < w[1].0));
}

#[test]
fn revisions_go_on_upwards_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, epoch) = {
        let store = Store::open(dir.path()).expect("a store");
        fill(&store, vec![("a".into(), 1)]);
        (
            store.read_blocking(|r| r.position()).expect("position"),
            store.epoch().to_owned(),
        )
    };
    let store = Store::open(dir.path()).expect("a store");
    assert_eq!(store.epoch(), epoch);
    assert_eq!(store.read_blocking(|r| r.position()).expect("position"), first);
    let chat = fill(&store, vec![("b".into(), 2)]);
    assert!(all(&store, chat)[1].id.0 > first.0);
}

#[test]
fn a_contact_that_is_the_user_makes_its_messages_the_users_own() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".into(), 1)]);
    assert!(!all(&store, chat)[0].is_from_me);
    let id = all(&store, chat)[0].sender_id.expect("a sender");
    store
        .write_blocking(Lane::Live, move |w| w.set_contact_is_me(id, true))
        .expect("set");
    assert!(all(&store, chat)[0].is_from_me);
}

#[test]
fn what_somebody_wrote_changes_where_they_become_the_user() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".into(), 1), ("b".into(), 2)]);
    let (bob, other) = store
        .write_blocking(Lane::Live, |write| {
            let other = write.chat("test", "other", None)?;
            let chat = write.chat("test", "room", None)?;
            let bob = write.identity("test", "bob", "Bob", false, 0)?;
            for (chat, key) in [(chat, "c"), (other, "d")] {
                put_by(write, chat, bob, (key, "text of bob"), (at(3), None))?;
            }
            // An edit, so that both kinds of changes come together.
            put_edited(write, chat, "a", "text of a", at(1), Some(at(9)))?;
            put(write, chat, "e", "text of e", at(4))?;
            Ok((bob.1, other))
        })
        .expect("stored");
    let position = || store.read_blocking(|r| r.position()).expect("position");
    let since = |chat, since, limit| changed(&store, chat, since, position(), limit);
    let before = position();
    store
        .write_blocking(Lane::Live, move |w| {
            put_edited(w, chat, "b", "text of b, edited", at(2), Some(at(9)))?;
            w.set_contact_is_me(bob, true)?;
            put(w, chat, "f", "text of f", at(5)).map(drop)
        })
        .expect("set");
    assert_eq!(
        since(chat, before, 100),
        ["b, edited", "bob", "f"],
        "and not a, c or e"
    );
    assert_eq!(since(other, before, 100), ["bob"]);
    assert_eq!(since(chat, before, 1), since(chat, before, 100), "in pages");
    let after = position();
    assert_eq!(since(chat, after, 100), [""; 0]);
    let is_me = |is_me| move |w: &mut Write<'_>| w.set_contact_is_me(bob, is_me);
    store.write_blocking(Lane::Live, is_me(true)).expect("set");
    assert_eq!(since(chat, after, 100), [""; 0], "they were the user already");
    for is_user in [false, true, false] {
        store.write_blocking(Lane::Live, is_me(is_user)).expect("set");
    }
    assert_eq!(since(chat, after, 100), ["bob"], "once, however often it changed");
}

/// The texts of what changed in a chat, read in pages of `limit`.
fn changed(store: &Store, chat: ChatId, since: Rev, up_to: Rev, limit: usize) -> Vec<String> {
    let mut texts = Vec::new();
    let mut after = None;
    loop {
        let page = store
            .read_blocking(move |r| r.changed_since(chat, since, up_to, after, limit))
            .expect("a page");
        texts.extend(keys(&page).into_iter().map(str::to_owned));
        after = page.last().map(|message| message.id);
        if page.len() < limit {
            return texts;
        }
    }
}

#[test]
fn analysis_that_is_damaged_can_be_moved_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let chat = {
        let store = Store::open(dir.path()).expect("a store");
        fill(&store, vec![("a".into(), 1)])
    };
    let path = dir.path().join(ANALYSIS_FILE);
    std::fs::write(
        &path,
        b"not a database, and longer than the header of one".repeat(9),
    )
    .expect("written");
    let refused = Store::open(dir.path()).map(drop);
    let Err(error @ OpenError::DamagedAnalysis { .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("analysis.db"), "{error}");
    std::fs::remove_file(&path).expect("moved away");
    let store = Store::open(dir.path()).expect("a store");
    assert_eq!(keys(&all(&store, chat)), ["a"]);
}

/// Paths are bytes there.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_may_have_any_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    for name in [&b"it's a ?mode=ro#1"[..], &b"latin1 \xe4"[..]] {
        let odd = dir.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::create_dir(&odd).expect("made");
        let store = Store::open(&odd).expect("a store");
        store
            .write_analysis_blocking(Lane::Live, |write| write.set_mark("place", "1-0"))
            .expect("written");
        let mark = store.read_blocking(|reader| reader.mark("place")).expect("read");
        assert_eq!(mark.as_deref(), Some("1-0"));
    }
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(DATABASE_FILE);
    let garbage = vec![b'x'; 10_000];
    std::fs::write(&path, &garbage).expect("written");
    assert!(matches!(Store::open(dir.path()), Err(OpenError::Damaged { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), garbage);
    assert!(matches!(
        Store::open(&dir.path().join("nowhere")),
        Err(OpenError::Io { .. })
    ));
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(Store::open(dir.path()).expect("a store"));
    let conn = rusqlite::Connection::open(dir.path().join(DATABASE_FILE)).expect("open");
    conn.pragma_update(None, "user_version", 999).expect("set");
    drop(conn);
    assert!(matches!(
        Store::open(dir.path()),
        Err(OpenError::TooNew { found: 999, .. })
    ));
}

#[test]
fn imports_and_what_they_left_out_are_remembered() {
    let (_dir, store) = open();
    let options = ImportOptions {
        me: Some("Ann".into()),
        ..ImportOptions::default()
    };
    let id = store
        .write_blocking(Lane::Live, move |w| {
            w.add_import(&["/a/b.txt".into()], false, &options, at(0))
        })
        .expect("added");
    let row = store
        .read_blocking(move |r| r.import(id))
        .expect("read")
        .expect("the import");
    assert_eq!(row.import.names, ["b.txt"]);
    assert_eq!(row.import.options.me.as_deref(), Some("Ann"));
    assert_eq!(
        store
            .read_blocking(|r| r.unfinished_imports())
            .expect("read")
            .len(),
        1
    );
}

#[test]
fn the_index_follows_by_itself_and_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let found = |store: &Store, text: &str| {
        let query = SearchQuery {
            text: text.into(),
            chat: None,
            before: None,
            limit: 200,
        };
        store
            .read_blocking(move |r| r.search(&query))
            .expect("a page")
            .hits
            .len()
    };
    {
        let store = Store::open(dir.path()).expect("a store");
        let chat = fill(&store, (0..5_000).map(|n| (format!("k{n}"), n)).collect());
        // Whatever of it is indexed by now: an edit must be found by its new words and no more by its old ones.
        for (key, second) in [("k0", 0), ("k2500", 2500), ("k4999", 4999)] {
            let edit =
                move |w: &mut Write<'_>| put_edited(w, chat, key, "walrus", at(second), Some(at(9_000)));
            store.write_blocking(Lane::Live, edit).expect("stored");
        }
        // Nobody asks for it: the writer does it when it is idle. A failure ends in the test runner's patience.
        while found(&store, "walrus") < 3 {
            std::thread::yield_now();
        }
        fill(&store, vec![("last".into(), 6_000)]);
    }
    let store = Store::open(dir.path()).expect("a store");
    for (text, count) in [
        ("walrus", 3),
        ("k0", 0),
        ("k2500", 0),
        ("k4999", 0),
        ("k4998", 1),
        ("last", 1),
    ] {
        store
            .write_blocking(Lane::Live, |write| write.index_all())
            .expect("indexed");
        let query = SearchQuery {
            text: format!("{text} "),
            chat: None,
            before: None,
            limit: 200,
        };
        let hits = store
            .read_blocking(move |r| r.search(&query))
            .expect("a page")
            .hits;
        let exact = hits
            .iter()
            .filter(|hit| hit.message.content.split(' ').any(|word| word == text))
            .count();
        assert_eq!(exact, count, "{text}");
    }
    assert_eq!(
        store.read_blocking(|r| r.check()).expect("checked"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_query_is_not_run_whose_asker_has_left() {
    let (_dir, store) = open();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    // More than there are readers: all are busy, and some of these wait.
    let busy: Vec<_> = (0..16)
        .map(|_| {
            let (store, released) = (store.clone(), released.clone());
            tokio::spawn(async move {
                let waits = move |_: &Reader| {
                    let _closed = released.lock().expect("no panic").recv();
                    Ok(())
                };
                store.read(waits).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let ran = Arc::new(Mutex::new(Vec::new()));
    let mut asked: Vec<_> = ["left", "stayed"]
        .into_iter()
        .map(|name| {
            let (store, ran) = (store.clone(), ran.clone());
            tokio::spawn(async move {
                let note = move |_: &Reader| {
                    ran.lock().expect("no panic").push(name);
                    Ok(())
                };
                store.read(note).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    let stayed = asked.remove(1);
    asked[0].abort();
    assert!((&mut asked[0]).await.expect_err("it left").is_cancelled());
    drop(release);
    stayed.await.expect("no panic").expect("read");
    for one in busy {
        one.await.expect("no panic").expect("read");
    }
    assert_eq!(*ran.lock().expect("no panic"), ["stayed"]);
}

#[test]
fn one_snapshot_holds_for_what_is_asked_within_it() {
    let (_dir, store) = open();
    let chat = fill(&store, vec![("a".to_owned(), 0)]);
    let counted = store.read_blocking(move |reader| {
        reader.consistent(|reader| {
            let within = reader.consistent(|reader| reader.counts())?;
            Ok((within, reader.snapshot_chat(chat)?.map(|position| position.total)))
        })
    });
    assert_eq!(counted.expect("read"), ((1, 1), Some(1)));
}
