//! What the hub promises, with real threads where it matters.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use bytes::Bytes;
use chatstats_model::{ChatFields, ChatId, ChatUpdate, Kind, Message, MessageId, Rev, Timestamp};

use crate::{Entry, Gathered, Hub, Lagged, MessageSubscription, QUEUE_PUBLISHES, RING_BYTES, TopicName};

const CHAT: ChatId = ChatId(7);

fn message(id: i64, content: &str) -> Message {
    Message {
        id: MessageId(id),
        chat_id: CHAT,
        sender_id: None,
        sender: None,
        is_from_me: false,
        content: content.to_owned(),
        timestamp: Timestamp::default(),
        kind: Kind::Text,
        reply_to: None,
        edited_at: None,
        reactions: vec![],
        attachments: vec![],
    }
}

fn publish(hub: &Hub, id: i64) {
    hub.publish(CHAT, (Rev(id), Rev(id)), || vec![message(id, "hello")]);
}

fn render(entry: &Entry<Vec<Message>>) -> Bytes {
    Bytes::from(
        entry
            .payload
            .iter()
            .map(|m| format!("{};", m.id))
            .collect::<String>(),
    )
}

/// Counts its wake-ups.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn gather_with(subscription: &mut MessageSubscription, waker: &Waker, max_bytes: usize) -> Poll<Gathered> {
    subscription.poll_gather(&mut Context::from_waker(waker), max_bytes, render)
}

/// Everything that is there, as text; what was lost as `<n>`.
fn drain(subscription: &mut MessageSubscription) -> String {
    let mut text = String::new();
    while let Poll::Ready(gathered) = gather_with(subscription, Waker::noop(), 1 << 16) {
        match gathered {
            Gathered::Frames { bytes, .. } => text.push_str(std::str::from_utf8(&bytes).expect("ascii")),
            Gathered::Lagged(Lagged { dropped }) => text.push_str(&format!("<{dropped}>")),
        }
    }
    text
}

#[test]
fn a_subscriber_gets_what_is_published_after_it_came() {
    let hub = Hub::new();
    publish(&hub, 1);
    let mut subscription = hub.subscribe(CHAT);
    publish(&hub, 2);
    hub.publish(ChatId(8), (Rev(3), Rev(3)), || panic!("built for nobody"));
    publish(&hub, 4);
    assert_eq!(drain(&mut subscription), "2;4;");
    assert_eq!(hub.stats().published, 4);
    assert_eq!(hub.stats().delivered, 2);
}

#[test]
fn overflow_drops_the_oldest_and_counts_publishes() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(CHAT);
    let published = QUEUE_PUBLISHES as i64 + 5;
    for id in 1..=published {
        // Three messages in each: what is counted is publishes.
        hub.publish(CHAT, (Rev(id), Rev(id)), || {
            vec![message(id, ""), message(id, ""), message(id, "")]
        });
    }
    assert_eq!(hub.stats().dropped, 5, "seen before the slow one looks");
    assert!(drain(&mut slow).starts_with("<5>6;6;6;7;"));
    assert_eq!(hub.stats().dropped, 5, "and not counted twice");
    assert_eq!(drain(&mut slow), "");
}

#[test]
fn what_a_subscriber_lost_is_counted_when_it_leaves_without_looking() {
    let hub = Hub::new();
    let slow = hub.subscribe(CHAT);
    (1..=QUEUE_PUBLISHES as i64 + 9).for_each(|id| publish(&hub, id));
    drop(slow);
    assert_eq!(hub.stats().dropped, 9);
}

#[test]
fn a_slow_subscriber_costs_a_quick_one_nothing() {
    let hub = Hub::new();
    let _slow = hub.subscribe(CHAT);
    let mut quick = hub.subscribe(CHAT);
    for id in 1..=3 * QUEUE_PUBLISHES as i64 {
        publish(&hub, id);
        assert_eq!(drain(&mut quick), format!("{id};"));
    }
}

#[test]
fn memory_is_bounded_in_bytes_too() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(CHAT);
    let large = "x".repeat(100_000);
    for id in 1..=200 {
        hub.publish(CHAT, (Rev(id), Rev(id)), || vec![message(id, &large)]);
        let topic = &hub.topics()[0];
        assert!(topic.bytes <= RING_BYTES as u64, "{topic:?}");
        assert!(topic.depth >= 10.min(id as u64), "{topic:?}");
    }
    assert!(drain(&mut slow).starts_with('<'));
    hub.publish(CHAT, (Rev(201), Rev(201)), || {
        vec![message(201, &"x".repeat(RING_BYTES))]
    });
    assert_eq!(
        drain(&mut slow),
        "<1>",
        "larger than the ring: to be had from the database only"
    );
}

#[test]
fn gathered_frames_are_the_single_frames_in_a_row() {
    let hub = Hub::new();
    let mut whole = hub.subscribe(CHAT);
    let mut pieces = hub.subscribe(CHAT);
    let mut single = hub.subscribe(CHAT);
    (100..200).for_each(|id| publish(&hub, id));
    let want: String = (100..200).map(|id| format!("{id};")).collect();
    let mut text = String::new();
    while let Poll::Ready(Ok(entry)) = single.poll_recv(&mut Context::from_waker(Waker::noop())) {
        text.push_str(std::str::from_utf8(entry.frame(render)).expect("ascii"));
    }
    assert_eq!(text, want);
    let Poll::Ready(Gathered::Frames {
        bytes, entries, last, ..
    }) = gather_with(&mut pieces, Waker::noop(), 10)
    else {
        panic!("nothing gathered")
    };
    assert_eq!((&bytes[..], entries, last), (&b"100;101;"[..], 2, Rev(101)));
    assert_eq!(drain(&mut whole), want);
}

#[test]
fn subscribers_at_the_same_place_share_one_buffer() {
    let hub = Hub::new();
    let mut subscriptions = [hub.subscribe(CHAT), hub.subscribe(CHAT)];
    (1..=9).for_each(|id| publish(&hub, id));
    let buffers = subscriptions
        .each_mut()
        .map(|s| match gather_with(s, Waker::noop(), 1 << 16) {
            Poll::Ready(Gathered::Frames { bytes, .. }) => bytes,
            other => panic!("{other:?}"),
        });
    assert_eq!(buffers[0].as_ptr(), buffers[1].as_ptr());
}

#[test]
fn many_publishes_wake_a_waiting_subscriber_once() {
    let hub = Hub::new();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    let mut subscription = hub.subscribe(CHAT);
    assert!(gather_with(&mut subscription, &waker, 64).is_pending());
    assert!(
        gather_with(&mut subscription, &waker, 64).is_pending(),
        "asked twice, waits once"
    );
    (1..=200).for_each(|id| publish(&hub, id));
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
}

#[test]
fn the_waker_of_the_last_call_is_the_one_that_is_woken() {
    let hub = Hub::new();
    let (old, new) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    let mut subscription = hub.subscribe(CHAT);
    assert!(gather_with(&mut subscription, &old.clone().into(), 64).is_pending());
    assert!(gather_with(&mut subscription, &new.clone().into(), 64).is_pending());
    publish(&hub, 1);
    assert_eq!(
        (old.0.load(Ordering::SeqCst), new.0.load(Ordering::SeqCst)),
        (0, 1)
    );
}

#[test]
fn a_waiting_subscriber_that_leaves_disturbs_no_other() {
    let hub = Hub::new();
    let bells: [Arc<Bell>; 4] = Default::default();
    let mut subscriptions: Vec<_> = bells.iter().map(|_| hub.subscribe(CHAT)).collect();
    for (subscription, bell) in subscriptions.iter_mut().zip(&bells) {
        assert!(gather_with(subscription, &bell.clone().into(), 64).is_pending());
    }
    drop(subscriptions.remove(1));
    // The last one took the place of the one that left, and leaves too.
    drop(subscriptions.pop());
    publish(&hub, 1);
    assert_eq!(bells.map(|bell| bell.0.load(Ordering::SeqCst)), [1, 0, 1, 0]);
}

#[test]
fn what_the_subscriber_has_already_is_passed_over() {
    let hub = Hub::new();
    let mut subscription = hub.subscribe(CHAT);
    (1..=3).for_each(|id| publish(&hub, id));
    subscription.skip_through(Rev(5));
    (4..=7).for_each(|id| publish(&hub, id));
    assert_eq!(drain(&mut subscription), "6;7;");
}

#[test]
fn a_quiet_topic_keeps_nothing_and_a_deserted_one_is_gone() {
    let hub = Hub::new();
    let mut one = hub.subscribe(CHAT);
    let mut other = hub.subscribe(CHAT);
    (1..=9).for_each(|id| publish(&hub, id));
    drain(&mut one);
    assert_eq!(hub.topics()[0].depth, 9, "the other has not read yet");
    drain(&mut other);
    let topic = &hub.topics()[0];
    assert_eq!(
        (topic.name, topic.depth, topic.bytes, topic.waiting),
        (TopicName::Chat(CHAT), 0, 0, 2)
    );
    drop((one, other));
    assert_eq!(hub.topics(), []);
    assert!(!hub.has_subscribers(CHAT));
    assert_eq!(hub.stats().subscribers, 0);
}

#[test]
fn a_rewrite_sends_all_subscribers_to_refill_once_and_what_follows_is_told() {
    let hub = Hub::new();
    let (mut one, mut other) = (hub.subscribe(CHAT), hub.subscribe(CHAT));
    publish(&hub, 1);
    assert_eq!(drain(&mut one), "1;");
    hub.publish_rewrite(CHAT, Rev(2));
    hub.publish_rewrite(ChatId(8), Rev(2));
    publish(&hub, 3);
    assert_eq!(drain(&mut one), "<1>3;");
    assert_eq!(
        drain(&mut other),
        "<2>3;",
        "what was not read yet is found there too"
    );
    publish(&hub, 4);
    assert_eq!((drain(&mut one), drain(&mut other)), ("4;".into(), "4;".into()));
    assert_eq!(hub.topics()[0].bytes, 0);
}

#[test]
fn chat_updates_reach_all_who_watch_the_list() {
    let hub = Hub::new();
    let mut subscription = hub.subscribe_all_chats();
    hub.publish_chat_update(Rev(3), || ChatUpdate {
        chat_id: CHAT,
        chat: ChatFields {
            last_message_time: None,
            title: "Family".to_owned(),
            source: "whatsapp".to_owned(),
            participants: vec![],
            participant_count: 0,
            message_count: 1,
            last_message: None,
        },
    });
    hub.publish_contact_update(Rev(3), || panic!("nobody watches the contacts"));
    let Poll::Ready(Ok(entry)) = subscription.poll_recv(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing received")
    };
    assert_eq!((entry.last, entry.payload.chat_id), (Rev(3), CHAT));
}

/// Wakes a thread.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Reads until `last` has come; sleeps only when there is nothing. Returns every id met, and what was lost.
fn read_until(mut subscription: MessageSubscription, last: i64, mut dice: Dice) -> (Vec<i64>, u64) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut ids, mut lost) = (vec![], 0);
    while ids.last() != Some(&last) {
        match gather_with(&mut subscription, &waker, 1 + dice.below(200)) {
            Poll::Pending => thread::park(),
            Poll::Ready(Gathered::Lagged(Lagged { dropped })) => lost += dropped,
            Poll::Ready(Gathered::Frames {
                bytes,
                entries: publishes,
                ..
            }) => {
                let text = std::str::from_utf8(&bytes)
                    .expect("ascii")
                    .trim_end_matches(';')
                    .to_owned();
                let before = ids.len();
                ids.extend(text.split(';').map(|id| id.parse::<i64>().expect("an id")));
                assert_eq!((ids.len() - before) as u64, publishes);
            }
        }
        if dice.below(8) == 0 {
            thread::yield_now();
        }
    }
    (ids, lost)
}

/// Small numbers from a seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn readers_on_many_threads_miss_nothing_and_wait_for_ever_never() {
    const LAST: i64 = 20_000;
    for seed in 1..=5_u64 {
        println!("seed {seed}");
        let hub = Hub::new();
        thread::scope(|scope| {
            let readers: Vec<_> = (0..6)
                .map(|n| {
                    let (subscription, dice) = (hub.subscribe(CHAT), Dice(seed * 1_000 + n));
                    scope.spawn(move || read_until(subscription, LAST, dice))
                })
                .collect();
            // Others come and go meanwhile.
            let passers_by = scope.spawn(|| {
                for _ in 0..2_000 {
                    drain(&mut hub.subscribe(CHAT));
                }
            });
            let mut dice = Dice(seed);
            for id in 1..=LAST {
                publish(&hub, id);
                if dice.below(300) == 0 {
                    thread::yield_now();
                }
            }
            for reader in readers {
                let (ids, lost) = reader.join().expect("reader");
                assert!(ids.is_sorted_by(|a, b| a < b), "once each, in order");
                assert_eq!(ids.len() as u64 + lost, LAST as u64, "got or told of");
            }
            passers_by.join().expect("passers-by");
        });
        assert_eq!(hub.topics(), []);
    }
}
