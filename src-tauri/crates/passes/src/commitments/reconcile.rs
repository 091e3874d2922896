//! What became of a chat's commitments, across its conversations.

use chatstats_model::{CommitmentState, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::fulfil::is_about;
use super::people::may_fulfil;
use super::{Commitment, Commitments, DoneSignal, StatusInConversation};

/// A commitment's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SettledCommitment {
    /// The commitment.
    pub key: String,
    /// Never [`CommitmentState::Dismissed`]: what the user said is kept elsewhere, and wins.
    pub status: CommitmentState,
    /// The message that shows that it was done.
    pub done_by: Option<MessageId>,
}

/// A later conversation fulfils what was said at most so many days before, or was due at most so many days before:
/// the longer ago, the likelier it is about something else.
const LATER_MAX_DAYS: i64 = 30;
const DAY_US: i64 = 86_400_000_000;

/// The status of every commitment of a chat at `now`, in the order in which they were said. `results` are those of
/// all its conversations, in any order: the answer depends on what was written, not on when it was analysed.
pub fn reconcile<'a>(
    results: impl IntoIterator<Item = &'a Commitments>,
    now: Timestamp,
) -> Vec<SettledCommitment> {
    let (mut found, mut signals): (Vec<&Commitment>, Vec<&DoneSignal>) = (Vec::new(), Vec::new());
    for result in results {
        found.extend(&result.found);
        signals.extend(&result.signals);
    }
    found.sort_by_key(|commitment| (commitment.at, commitment.message_id, place(&commitment.key)));
    signals.sort_by_key(|signal| (signal.at, signal.message_id));
    found
        .into_iter()
        .map(|commitment| settle(commitment, &signals, now))
        .collect()
}

fn place(key: &str) -> usize {
    key.rsplit(':')
        .next()
        .and_then(|place| place.parse().ok())
        .unwrap_or_default()
}

fn settle(commitment: &Commitment, signals: &[&DoneSignal], now: Timestamp) -> SettledCommitment {
    let done_by = match commitment.status_in_conversation {
        StatusInConversation::Done => commitment.done_by,
        StatusInConversation::Open => fulfilled_later(commitment, signals),
    };
    let done = done_by.is_some() || commitment.status_in_conversation == StatusInConversation::Done;
    let status = match commitment.due {
        _ if done => CommitmentState::Done,
        Some(due) if due < now => CommitmentState::Overdue,
        _ => CommitmentState::Open,
    };
    SettledCommitment {
        key: commitment.key.clone(),
        status,
        done_by,
    }
}

/// The first signal of the right person in time that names what was promised or asked for.
fn fulfilled_later(commitment: &Commitment, signals: &[&DoneSignal]) -> Option<MessageId> {
    let from = commitment.due.map_or(commitment.at, |due| due.max(commitment.at));
    let last_us = from.as_micros().saturating_add(LATER_MAX_DAYS * DAY_US);
    let first = signals.partition_point(|signal| signal.at <= commitment.at);
    let in_time = signals[first..]
        .iter()
        .take_while(|signal| signal.at.as_micros() <= last_us);
    let mut fitting = in_time
        .filter(|signal| may_fulfil(commitment, signal.by, signal.by_me) && is_about(commitment, signal));
    fitting.next().map(|signal| signal.message_id)
}
