//! Commitments in pages: in which order, and which of them.

use chatstats_model::{ChatId, CommitmentState, ConversationId, ListedCommitment, MessageId, Timestamp};
use chatstats_store::{CommitmentQuery, Lane, NewCommitment, PROMISE, Store};

const DAY_S: i64 = 86_400;

fn day(day: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + day * DAY_S).expect("in range")
}

fn commitment(key: &str, said: i64, due: Option<i64>) -> NewCommitment {
    NewCommitment {
        key: key.to_owned(),
        conversation_id: ConversationId(1),
        message_id: MessageId(1),
        kind: PROMISE,
        who: None,
        mine: key.starts_with("mine"),
        text: format!("the words of {key}"),
        due: due.map(day),
        said_at: day(said),
        state: CommitmentState::Open,
        done_by: None,
    }
}

/// Two chats: what is due, in days, and what has no date, by when it was said.
fn filled() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    store
        .write_analysis_blocking(Lane::Live, |write| {
            let of_one = [
                commitment("mine, due on 9", 1, Some(9)),
                commitment("due on 2", 1, Some(2)),
                commitment("said on 5", 5, None),
            ];
            write.put_commitments(ChatId(1), &of_one)?;
            let of_two = [
                commitment("mine, said on 3", 3, None),
                commitment("due on 7", 6, Some(7)),
                commitment("due on 2", 0, Some(2)),
            ];
            write.put_commitments(ChatId(2), &of_two)?;
            write.decide_commitment(ChatId(2), "due on 7", Some(CommitmentState::Done))
        })
        .expect("written");
    (dir, store)
}

fn list(store: &Store, query: CommitmentQuery) -> Vec<ListedCommitment> {
    store
        .read_blocking(move |reader| reader.commitments(&query))
        .expect("read")
}

fn keys(list: &[ListedCommitment]) -> Vec<(i64, &str)> {
    list.iter().map(|one| (one.chat_id.0, one.id.as_str())).collect()
}

fn all() -> CommitmentQuery {
    CommitmentQuery {
        limit: 100,
        ..CommitmentQuery::default()
    }
}

#[test]
fn the_latest_come_first_by_when_they_are_due_or_were_said() {
    let (_dir, store) = filled();
    let whole = list(&store, all());
    let expected = [
        (1, "mine, due on 9"),
        (2, "due on 7"),
        (1, "said on 5"),
        (2, "mine, said on 3"),
        (1, "due on 2"),
        (2, "due on 2"),
    ];
    assert_eq!(keys(&whole), expected);
    for limit in 1..=whole.len() {
        let mut paged = Vec::new();
        while paged.len() < whole.len() {
            let offset = paged.len();
            paged.extend(list(
                &store,
                CommitmentQuery {
                    offset,
                    limit,
                    ..all()
                },
            ));
        }
        assert_eq!(paged, whole, "in pages of {limit}");
    }
}

#[test]
fn only_those_are_listed_that_are_asked_for() {
    let (_dir, store) = filled();
    let of_chat = list(
        &store,
        CommitmentQuery {
            chat: Some(ChatId(2)),
            ..all()
        },
    );
    assert_eq!(
        keys(&of_chat),
        [(2, "due on 7"), (2, "mine, said on 3"), (2, "due on 2")]
    );
    let mine = list(
        &store,
        CommitmentQuery {
            mine: Some(true),
            ..all()
        },
    );
    assert_eq!(keys(&mine), [(1, "mine, due on 9"), (2, "mine, said on 3")]);
    let others = list(
        &store,
        CommitmentQuery {
            mine: Some(false),
            ..all()
        },
    );
    assert_eq!(mine.len() + others.len(), list(&store, all()).len());
    // What the user decides goes before what the messages show.
    let in_state = |state| {
        list(
            &store,
            CommitmentQuery {
                state: Some(state),
                ..all()
            },
        )
    };
    let done = in_state(CommitmentState::Done);
    assert_eq!(keys(&done), [(2, "due on 7")]);
    assert_eq!(done[0].status, CommitmentState::Done);
    assert_eq!(in_state(CommitmentState::Open).len(), 5);
    let of_chat_and_mine = CommitmentQuery {
        chat: Some(ChatId(1)),
        mine: Some(true),
        state: Some(CommitmentState::Open),
        ..all()
    };
    assert_eq!(keys(&list(&store, of_chat_and_mine)), [(1, "mine, due on 9")]);
}
