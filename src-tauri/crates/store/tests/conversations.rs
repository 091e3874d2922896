//! Conversations: whatever order messages come in, they are cut alike, keep their ids, and each seal is told once.

use std::collections::{BTreeMap, HashMap, HashSet};

use chatstats_model::{ChatId, Conversation, ConversationId, Kind, Timestamp};
use chatstats_store::{
    ANALYSIS_FILE, DATABASE_FILE, Lane, NewMessage, NewResult, Put, Seal, Store, StoreError, Write,
    WriteAnalysis,
};
use proptest::prelude::*;

const GAP_MINUTES: i64 = 90;

/// Chats of a random history: enough for one transaction to touch several.
const CHATS: usize = 3;

/// More than any test has.
const ALL: usize = 10_000;

#[derive(Clone, Debug)]
enum Step {
    /// Messages (chat, minute) stored in one transaction.
    Store(Lane, Vec<(usize, i64)>),
    /// One of the messages there are is edited.
    Edit(prop::sample::Index),
    /// The clock seals what ended at or before this minute.
    Seal(i64),
    /// What is to be announced is.
    Announce,
}

/// Minutes in which every kind of pause is likely: shorter than the gap, just as long, longer.
fn minute() -> impl Strategy<Value = i64> {
    prop_oneof![
        (0..60_i64).prop_map(|n| n * GAP_MINUTES),
        (0..60_i64).prop_map(|n| n * (GAP_MINUTES - 1)),
        0..4_000_i64,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let lane = prop_oneof![Just(Lane::Live), Just(Lane::Bulk)];
    let messages = prop::collection::vec((0..CHATS, minute()), 1..20);
    prop_oneof![
        6 => (lane, messages).prop_map(|(lane, messages)| Step::Store(lane, messages)),
        1 => any::<prop::sample::Index>().prop_map(Step::Edit),
        1 => minute().prop_map(Step::Seal),
        2 => Just(Step::Announce),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_order_and_any_split_end_in_the_same_conversations(
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let mut world = World::new();
        for step in &steps {
            let before = world.conversations();
            world.take(step);
            world.check(&before);
        }
        let mut at_once = World::new();
        let messages: Vec<_> = world.messages.iter().map(|message| (message.chat, message.minute)).collect();
        at_once.take(&Step::Store(Lane::Bulk, messages));
        prop_assert_eq!(stretches(&world.conversations()), stretches(&at_once.conversations()));
    }

    #[test]
    fn another_pause_cuts_every_chat_anew_and_back(
        steps in prop::collection::vec(step(), 1..8),
        meanwhile in prop::collection::vec((0..CHATS, minute()), 0..10),
        minutes in 1..400_u32,
    ) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        for gap in [minutes, GAP_MINUTES as u32] {
            let before = world.conversations();
            world.set_gap(gap, &meanwhile);
            world.check(&before);
        }
    }
}

#[test]
fn of_conversations_that_are_joined_the_largest_keeps_its_id() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 100), (0, 101), (0, 200)]);
    let before = world.conversations();
    assert_eq!(lengths(&before), [1, 2, 1]);
    world.store(&[(0, 50), (0, 150)]);
    let after = world.conversations();
    assert_eq!(lengths(&after), [6]);
    assert_eq!(after[0].id, before[1].id);
    world.store(&[(0, 500)]);
    let ids: Vec<_> = before.iter().map(|one| one.id).collect();
    let new = world.conversations()[1].id;
    assert!(!ids.contains(&new), "ids are not used again");
}

#[test]
fn of_equal_ones_the_earliest_does() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 100)]);
    let first = world.conversations()[0].id;
    world.store(&[(0, 50)]);
    assert_eq!(world.conversations()[0].id, first);
}

#[test]
fn a_conversation_that_is_split_leaves_its_id_to_the_largest_part() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 30), (0, 31), (0, 60)]);
    let old = world.conversations()[0].id;
    world.set_gap(20, &[]);
    let parts = world.conversations();
    assert_eq!(lengths(&parts), [1, 2, 1]);
    assert_eq!(parts[1].id, old);
}

#[test]
fn a_pause_of_just_the_gap_ends_a_conversation() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, GAP_MINUTES - 1), (0, 2 * GAP_MINUTES - 1)]);
    assert_eq!(lengths(&world.conversations()), [2, 1]);
}

#[test]
fn a_late_message_opens_the_last_conversation_again_only_at_its_end() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 60)]);
    world.take(&Step::Seal(60));
    assert!(world.conversations()[0].sealed);
    world.store(&[(0, 30)]);
    assert!(
        world.conversations()[0].sealed,
        "its last message is as old as before"
    );
    world.store(&[(0, 90)]);
    assert!(!world.conversations()[0].sealed);
}

#[test]
fn sealing_by_hand_seals_the_open_one_once() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 200), (1, 0)]);
    let [sealed, open, _] = world.conversations().try_into().expect("three");
    assert!(sealed.sealed && !open.sealed);
    let chat = world.chats[0];
    let seal = move || {
        world
            .store
            .write_blocking(Lane::Live, move |write| write.seal_open(chat))
    };
    assert_eq!(seal().expect("sealed"), Some(open.id));
    assert_eq!(seal().expect("nothing to seal"), None);
}

#[test]
fn who_becomes_the_user_changes_all_conversations_of_the_chat() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 200), (1, 0)]);
    world.take(&Step::Announce);
    assert_eq!(world.pending(), HashSet::new());
    let sealed = world.conversations()[0].id;
    let is_me = |is_me| {
        move |write: &mut Write<'_>| {
            let (_, contact) = write.identity("test", "ann", "Ann", false, 0)?;
            write.set_contact_is_me(contact, is_me)
        }
    };
    world.store.write_blocking(Lane::Live, is_me(true)).expect("set");
    assert_eq!(world.pending(), HashSet::from([sealed]));
    world.announced.clear();
    world.take(&Step::Announce);
    world.store.write_blocking(Lane::Live, is_me(true)).expect("set");
    assert_eq!(world.pending(), HashSet::new(), "it was so already");
}

#[test]
fn a_conversation_is_read_with_its_messages_in_pages() {
    let mut world = World::new();
    world.store(&[(0, 200), (0, 0), (0, 10), (0, 20), (1, 5)]);
    let first = world.conversations()[0].clone();
    let page = |after| {
        let id = first.id;
        let read = world
            .store
            .read_blocking(move |r| r.conversation_messages(id, after, 2));
        read.expect("read").expect("there")
    };
    let one = page(None);
    assert_eq!(
        one.iter().map(|m| m.timestamp).collect::<Vec<_>>(),
        [at(0), at(10)]
    );
    let two = page(one.last().map(|last| (last.timestamp, last.id)));
    assert_eq!(two.iter().map(|m| m.timestamp).collect::<Vec<_>>(), [at(20)]);
    let none = world
        .store
        .read_blocking(|r| r.conversation_messages(ConversationId(999), None, 2));
    assert_eq!(none.expect("read"), None);
}

#[test]
fn conversations_are_listed_in_pages_the_newest_first() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 200), (0, 400), (1, 0)]);
    let chat = world.chats[0];
    let page = |before| {
        let read = world
            .store
            .read_blocking(move |r| r.conversations(chat, before, 2));
        read.expect("read")
    };
    let first = page(None);
    assert_eq!(first.total, 3);
    assert_eq!(
        first.conversations.iter().map(|c| c.sealed).collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(first.next, Some(at(200)));
    let second = page(first.next);
    assert_eq!(lengths(&second.conversations), [1]);
    assert_eq!(second.next, None);
}

#[test]
fn what_was_found_in_the_log_is_not_announced_again_unless_it_changed_since() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 200), (0, 400), (0, 600)]);
    let batch = world.next_seals(&[], "5-0");
    assert_eq!(batch.len(), 3);
    let announcing = world
        .store
        .read_blocking(|r| r.announcing())
        .expect("read")
        .expect("noted");
    assert_eq!(announcing.after, "5-0");
    // Of the batch two were written; then the program ended, and one of them changed.
    world.store(&[(0, 1)]);
    world.store(&[(0, 201), (0, 199)]);
    world.store(&[(0, 399)]);
    let found: Vec<_> = batch
        .iter()
        .map(|seal| (seal.conversation_id, seal.last_message_time))
        .collect();
    world
        .store
        .write_blocking(Lane::Bulk, move |write| write.confirm_seals(&found, &announcing))
        .expect("confirmed");
    let all: HashSet<_> = batch.iter().map(|seal| seal.conversation_id).collect();
    assert_eq!(world.pending(), all, "each of them changed");
    let again = world.next_seals(&[], "6-0");
    let announcing = world
        .store
        .read_blocking(|r| r.announcing())
        .expect("read")
        .expect("noted");
    let found: Vec<_> = again
        .iter()
        .take(2)
        .map(|seal| (seal.conversation_id, seal.last_message_time))
        .collect();
    world
        .store
        .write_blocking(Lane::Bulk, move |write| write.confirm_seals(&found, &announcing))
        .expect("confirmed");
    assert_eq!(world.pending(), HashSet::from([again[2].conversation_id]));
}

#[test]
fn a_database_from_before_there_were_conversations_is_cut() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 200), (0, 210), (1, 5)]);
    let before = stretches(&world.conversations());
    let raw = rusqlite::Connection::open(world.dir.path().join(DATABASE_FILE)).expect("opened");
    raw.execute_batch("DELETE FROM conversations; UPDATE chats SET cut_gap_us = NULL")
        .expect("as the migration leaves it");
    drop(raw);
    // What comes before its turn is in it as well.
    world.store(&[(0, 400)]);
    world.set_gap(GAP_MINUTES as u32, &[]);
    world.check(&[]);
    assert_eq!(world.conversations().len(), before.len() + 1);
}

#[test]
fn results_go_with_their_conversation_and_no_others() {
    let mut world = World::new();
    world.store(&[(0, 0), (0, 1), (0, 2), (0, 150), (1, 0)]);
    for one in world.conversations() {
        world.put_result(&one);
    }
    let before = world.conversations();
    assert_eq!(before.len(), 3);
    assert_eq!(world.forget_gone(), []);
    // What comes in between joins the two: the larger one stays.
    world.store(&[(0, 75)]);
    let after = world.conversations();
    assert_eq!(after.len(), 2);
    let (stays, goes): (Vec<_>, Vec<_>) = before
        .into_iter()
        .partition(|one| after.iter().any(|other| other.id == one.id));
    let raw = rusqlite::Connection::open(world.dir.path().join(ANALYSIS_FILE)).expect("opened");
    let count =
        "SELECT count(*) FROM analysed a JOIN results r ON r.id / 256 = a.place WHERE a.conversation_id = ?1";
    let of = |id: ConversationId| -> i64 { raw.query_row(count, [id.0], |row| row.get(0)).expect("read") };
    assert_eq!(of(goes[0].id), 1, "until it is forgotten");
    assert_eq!(world.forget_gone(), [goes[0].id]);
    assert_eq!(of(goes[0].id), 0);
    assert_eq!((of(stays[0].id), of(stays[1].id)), (1, 1));
    assert_eq!(world.forget_gone(), []);
    // Another pause takes all out and puts back what is as it was.
    world.set_gap(GAP_MINUTES as u32 + 1, &[]);
    world.forget_gone();
    assert_eq!((of(stays[0].id), of(stays[1].id)), (1, 1));
}

/// A message as the model knows it.
struct Known {
    chat: usize,
    minute: i64,
    key: String,
    edits: i64,
}

/// A store, and what should be in it.
struct World {
    dir: tempfile::TempDir,
    store: Store,
    chats: Vec<ChatId>,
    messages: Vec<Known>,
    gap_minutes: i64,
    /// What was announced last of each conversation.
    announced: HashMap<ConversationId, Content>,
}

/// What a conversation holds: another one, and its results are out of date.
type Content = Vec<(i64, String, i64)>;

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path()).expect("a store");
        let chats = store
            .write_blocking(Lane::Live, |write| {
                (0..CHATS)
                    .map(|n| write.chat("test", &n.to_string(), None))
                    .collect::<Result<_, _>>()
            })
            .expect("made");
        World {
            dir,
            store,
            chats,
            messages: Vec::new(),
            gap_minutes: GAP_MINUTES,
            announced: HashMap::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Store(lane, messages) => self.store_in(*lane, messages),
            Step::Edit(which) => self.edit(which),
            Step::Seal(minute) => {
                let last = at(*minute);
                let seal = move |write: &mut Write<'_>| write.seal_older(last, &HashSet::new());
                let more = self.store.write_blocking(Lane::Bulk, seal).expect("sealed");
                assert!(!more);
            }
            Step::Announce => self.announce(),
        }
    }

    fn store(&mut self, messages: &[(usize, i64)]) {
        self.store_in(Lane::Live, messages);
    }

    fn store_in(&mut self, lane: Lane, messages: &[(usize, i64)]) {
        let mut rows = Vec::new();
        for &(chat, minute) in messages {
            let key = format!("{}", self.messages.len());
            rows.push((self.chats[chat], key.clone(), minute, 0));
            self.messages.push(Known {
                chat,
                minute,
                key,
                edits: 0,
            });
        }
        let put_all = move |write: &mut Write<'_>| {
            for (chat, key, minute, edits) in &rows {
                assert!(matches!(
                    put(write, *chat, key, *minute, *edits)?,
                    Put::Inserted(_)
                ));
            }
            Ok(())
        };
        self.store.write_blocking(lane, put_all).expect("stored");
    }

    fn edit(&mut self, which: &prop::sample::Index) {
        if self.messages.is_empty() {
            return;
        }
        let message = which.index(self.messages.len());
        let message = &mut self.messages[message];
        message.edits += 1;
        let (chat, key) = (self.chats[message.chat], message.key.clone());
        let (minute, edits) = (message.minute, message.edits);
        let changed = self
            .store
            .write_blocking(Lane::Live, move |write| put(write, chat, &key, minute, edits));
        assert!(matches!(changed, Ok(Put::Changed(_))));
    }

    fn announce(&mut self) {
        let batch = self.next_seals(&[], "0-0");
        assert_eq!(self.next_seals(&batch, "0-0"), []);
        let conversations = self.conversations();
        for seal in batch {
            let one = conversations.iter().find(|one| one.id == seal.conversation_id);
            let content = self.content(one.expect("a seal is of a conversation that is there"));
            let last = self.announced.insert(seal.conversation_id, content.clone());
            assert_ne!(last, Some(content), "announced twice");
        }
    }

    fn next_seals(&self, done: &[Seal], after: &'static str) -> Vec<Seal> {
        let done = done.to_vec();
        let next = move |write: &mut Write<'_>| write.next_seals(&done, after, &HashSet::new(), ALL);
        self.store.write_blocking(Lane::Bulk, next).expect("noted")
    }

    fn pending(&self) -> HashSet<ConversationId> {
        self.next_seals(&[], "0-0")
            .iter()
            .map(|seal| seal.conversation_id)
            .collect()
    }

    fn set_gap(&mut self, minutes: u32, meanwhile: &[(usize, i64)]) {
        let before = self.conversations();
        let set = move |write: &mut Write<'_>| write.set_conversation_gap(minutes);
        self.store.write_blocking(Lane::Bulk, set).expect("set");
        self.gap_minutes = i64::from(minutes);
        let mut meanwhile = meanwhile.chunks(3);
        let cut = |write: &mut Write<'_>| write.cut_next_chat();
        // Messages come before, between and after.
        loop {
            if let Some(some) = meanwhile.next() {
                self.store(some);
            }
            if !self.store.write_blocking(Lane::Bulk, cut).expect("cut") {
                break;
            }
        }
        meanwhile.for_each(|some| self.store(some));
        // What was cut otherwise in between is told again, even where it ends as it was.
        let now = stretches(&self.conversations());
        for (one, stretch) in before.iter().zip(stretches(&before)) {
            if !now.contains(&stretch) {
                self.announced.remove(&one.id);
            }
        }
    }

    /// All conversations, chat by chat, in their order.
    fn put_result(&self, one: &Conversation) {
        let id = one.id;
        let work = self
            .store
            .read_blocking(move |reader| reader.conversation_work(id, &[]));
        let result = NewResult {
            conversation_id: id,
            pass: "counts".into(),
            version: 1,
            fingerprint: work.expect("read").expect("there").fingerprint,
            json: "{}".to_owned(),
        };
        let put = move |write: &mut WriteAnalysis<'_>| write.put_live_results(&[result], at(0));
        let stored = self.store.write_analysis_blocking(Lane::Bulk, put);
        assert_eq!(stored.expect("stored"), 1);
    }

    /// Forgets results of conversations that are gone; those that had some.
    fn forget_gone(&self) -> Vec<ConversationId> {
        let forget = |write: &mut WriteAnalysis<'_>| write.forget_results_of_gone(ALL);
        let gone = self
            .store
            .write_analysis_blocking(Lane::Bulk, forget)
            .expect("forgotten");
        let told = gone.clone();
        self.store
            .write_blocking(Lane::Bulk, move |write| write.forget_gone(&told))
            .expect("noted");
        gone
    }

    fn conversations(&self) -> Vec<Conversation> {
        let chats = self.chats.clone();
        let all = self.store.read_blocking(move |reader| {
            let mut all = Vec::new();
            for chat in chats {
                let mut page = reader.conversations(chat, None, ALL)?.conversations;
                page.reverse();
                all.append(&mut page);
            }
            Ok(all)
        });
        all.expect("read")
    }

    fn content(&self, one: &Conversation) -> Content {
        let is_in = |m: &&Known| {
            self.chats[m.chat] == one.chat_id
                && (one.first_message_time..=one.last_message_time).contains(&at(m.minute))
        };
        let mut content: Content = self
            .messages
            .iter()
            .filter(is_in)
            .map(|m| (m.minute, m.key.clone(), m.edits))
            .collect();
        content.sort();
        content
    }

    /// Holds what is stored against cutting all messages at once.
    fn check(&self, before: &[Conversation]) {
        let now = self.conversations();
        assert_eq!(stretches(&now), self.cut_at_once());
        for (place, one) in now.iter().enumerate() {
            let is_last = now.get(place + 1).is_none_or(|next| next.chat_id != one.chat_id);
            assert!(is_last || one.sealed, "only the last can be open: {one:?}");
            let key = |c: &Conversation| {
                (
                    c.chat_id,
                    c.first_message_time,
                    c.last_message_time,
                    c.message_count,
                )
            };
            if let Some(same) = before.iter().find(|old| key(old) == key(one)) {
                assert_eq!(same.id, one.id, "an unchanged conversation keeps its id");
                assert!(one.sealed || !same.sealed, "and stays sealed");
            }
        }
        let due: HashSet<_> = now
            .iter()
            .filter(|one| one.sealed && self.announced.get(&one.id) != Some(&self.content(one)))
            .map(|one| one.id)
            .collect();
        assert_eq!(self.pending(), due, "what is sealed and not announced as it is");
    }

    fn cut_at_once(&self) -> Vec<(ChatId, Timestamp, Timestamp, i64)> {
        let mut by_chat: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
        for message in &self.messages {
            by_chat.entry(message.chat).or_default().push(message.minute);
        }
        let mut cut = Vec::new();
        for (chat, mut minutes) in by_chat {
            minutes.sort_unstable();
            for part in minutes.chunk_by(|one, next| next - one < self.gap_minutes) {
                let (first, last) = (at(part[0]), at(part[part.len() - 1]));
                cut.push((self.chats[chat], first, last, part.len() as i64));
            }
        }
        cut
    }
}

fn stretches(conversations: &[Conversation]) -> Vec<(ChatId, Timestamp, Timestamp, i64)> {
    conversations
        .iter()
        .map(|c| {
            (
                c.chat_id,
                c.first_message_time,
                c.last_message_time,
                c.message_count,
            )
        })
        .collect()
}

fn lengths(conversations: &[Conversation]) -> Vec<i64> {
    conversations.iter().map(|one| one.message_count).collect()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + minute * 60).expect("in range")
}

fn put(write: &mut Write<'_>, chat: ChatId, key: &str, minute: i64, edits: i64) -> Result<Put, StoreError> {
    let sender = write.identity("test", "ann", "Ann", false, at(minute).as_micros())?;
    write.put(
        chat,
        &NewMessage {
            key: key.as_bytes(),
            key_is_certain: true,
            sender: Some(sender),
            is_from_me: false,
            kind: Kind::Text,
            sent: at(minute),
            content: &format!("text {edits}"),
            reply_key: None,
            edited: (edits > 0).then(|| at(minute + edits)),
            reactions: &[],
            attachments: &[],
        },
    )
}
