//! What both engines promise: one function for each promise, run by `contract!` on each engine as a test of its own.

pub(crate) mod follow;
pub(crate) mod ids;
pub(crate) mod model;
pub(crate) mod ranges;
pub(crate) mod trims;
pub(crate) mod values;

use std::time::Duration;

use chatstats_bus::{Bus, Entry, Fields, Item, NewId, Notice, StreamId, StreamKey, Tail};

/// Where a test keeps its log: empty at first, and gone with it.
pub(crate) trait Engine: Sized {
    async fn start() -> Self;

    /// Opens it, as a program does at its start: also again, after the bus before was shut down.
    async fn open(&self, kept: u64) -> Bus;

    /// Another who publishes to it, beside `bus`.
    async fn open_beside(&self, bus: &Bus) -> Bus;
}

/// More than any test writes.
pub(crate) const KEEP_ALL: u64 = 1_000_000;

/// Waiting longer than this is a failure: what a test waits for takes moments.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tests of one engine.
macro_rules! contract {
    ($engine:ty) => {
        contract::contract! { $engine, ids:
            ids_grow_in_the_order_of_the_calls
            ids_go_on_when_the_clock_is_behind
            ids_go_on_upwards_after_a_restart
            an_id_must_be_above_all_there_were
            a_refused_id_leaves_its_neighbours_alone
            a_full_millisecond_runs_over_into_the_next
            the_last_id_can_be_used_and_then_no_other
            two_publishers_keep_their_orders
            what_was_submitted_before_a_shutdown_is_written
        }
        contract::contract! { $engine, ranges:
            ranges_take_bounds_and_counts_both_ways
            pages_in_a_row_are_the_whole_stream
            large_entries_make_pages_short
            streams_are_apart_and_one_never_written_is_empty
        }
        contract::contract! { $engine, trims:
            trimming_exactly_keeps_just_so_many
            trimming_about_keeps_a_few_more
            a_stream_is_kept_short_while_it_grows
            a_stream_trimmed_to_nothing_keeps_its_place
        }
        contract::contract! { $engine, values:
            any_bytes_come_back
            an_event_says_what_it_was_told_to
            what_is_too_large_is_refused
        }
        contract::contract! { $engine, follow:
            from_now_on_only_what_comes_is_told
            after_an_id_the_rest_is_told_and_then_what_comes
            nothing_falls_between_the_log_and_what_comes
            a_waiting_follower_misses_nothing
            a_slow_follower_reads_on_from_the_log
            a_slow_follower_is_told_that_it_missed_something
            who_resumes_gets_what_it_missed_and_nothing_twice
            who_resumes_behind_a_trim_is_told_of_the_gap
            large_entries_are_caught_up_with
            filters_choose_by_scope_and_run
            each_of_many_filters_hears_its_own
            frames_come_gathered_and_bounded
            a_follower_costs_the_others_nothing_when_it_leaves
        }
        contract::contract! { $engine, model:
            random_operations_do_what_the_model_does
        }
    };
    ($engine:ty, $module:ident: $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                contract::$module::$promise::<$engine>().await;
            }
        )+
    };
}
pub(crate) use contract;

pub(crate) fn key() -> StreamKey {
    StreamKey::new("contract:stream").expect("short enough")
}

pub(crate) fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

/// An entry that says a number.
pub(crate) fn numbered(number: u64) -> Fields {
    Fields::new([("n", number.to_string())]).expect("small")
}

pub(crate) fn number(entry: &Entry) -> u64 {
    let text = entry.fields.text("n").expect("an entry with a number");
    text.parse().expect("a number")
}

/// Adds an entry under an id of its own.
pub(crate) async fn add_at(bus: &Bus, at: StreamId, fields: Fields) {
    let added = bus.add(&key(), NewId::At(at), fields).expect("taken").await;
    assert_eq!(added.expect("added"), at);
}

/// Adds the entries with these numbers, all at once.
pub(crate) async fn fill(bus: &Bus, numbers: std::ops::Range<u64>) -> Vec<StreamId> {
    let submit = |number| bus.add(&key(), NewId::Auto, numbered(number)).expect("taken");
    let submitted: Vec<_> = numbers.map(submit).collect();
    let mut ids = Vec::with_capacity(submitted.len());
    for added in submitted {
        ids.push(added.await.expect("added"));
    }
    ids
}

/// What a follower is told next.
pub(crate) async fn next(tail: &mut Tail) -> Item {
    soon(tail.recv()).await
}

/// What should come within moments.
pub(crate) async fn soon<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, coming).await.expect("in time")
}

/// The number of the entry that comes next.
pub(crate) async fn next_number(tail: &mut Tail) -> u64 {
    match next(tail).await {
        Item::Entry(entry) => number(&entry),
        Item::Notice(notice) => panic!("{notice:?} instead of an entry"),
    }
}

/// The numbers come one after the other, and nothing else.
pub(crate) async fn expect_numbers(tail: &mut Tail, numbers: std::ops::Range<u64>) {
    for wanted in numbers {
        assert_eq!(next_number(tail).await, wanted);
    }
}

pub(crate) async fn expect_gap(tail: &mut Tail) {
    match next(tail).await {
        Item::Notice(Notice::Gap) => {}
        other => panic!("{other:?} instead of a gap"),
    }
}
