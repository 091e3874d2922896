//! A task and its answer, as they travel.

use chatstats_bus::{Entry, Fields, FieldsError};
use chatstats_model::{ConversationId, Message, TaskId};
use chatstats_store::{Covered, Finished, NewResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::FIELD;
use crate::execute::{Again, Outcome, Work};

/// A task with all that it needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LentTask {
    pub(super) id: TaskId,
    pub(super) attempt: u32,
    /// The passes to run, with those they need, in their order; with the versions that are expected.
    pub(super) passes: Vec<(String, u32)>,
    /// The user's time zone (IANA).
    pub(super) zone: String,
    pub(super) conversation: ConversationId,
    pub(super) fingerprint: i64,
    pub(super) is_group: bool,
    pub(super) known: Vec<(String, String)>,
    pub(super) messages: Vec<Message>,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LentAnswer {
    pub(super) id: TaskId,
    pub(super) attempt: u32,
    conversation: ConversationId,
    fingerprint: i64,
    /// Pass, version, result.
    results: Vec<(String, u32, String)>,
    /// The set of passes that all have a result.
    covered: Option<i64>,
    error: Option<Failure>,
}

/// What went wrong.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    error: String,
    /// Another try may end better: after the usual wait.
    again: bool,
    /// Or after this one, in milliseconds, and this try counts for nothing.
    wait_ms: Option<u64>,
}

impl LentTask {
    /// What the passes work on.
    pub(super) fn work(self) -> Work {
        Work {
            conversation: self.conversation,
            fingerprint: self.fingerprint,
            messages: self.messages,
            is_group: self.is_group,
            known: self.known,
        }
    }
}

impl LentAnswer {
    pub(super) fn new(
        task: (TaskId, u32),
        (conversation, fingerprint): (ConversationId, i64),
        outcome: Outcome,
    ) -> Self {
        let failure = |(error, again)| Failure {
            error,
            again: again != Again::No,
            wait_ms: match again {
                Again::Later(wait) => Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                Again::Yes | Again::No => None,
            },
        };
        let result = |result: NewResult| (result.pass, result.version, result.json);
        Self {
            id: task.0,
            attempt: task.1,
            conversation,
            fingerprint,
            results: outcome.results.into_iter().map(result).collect(),
            covered: outcome.covered.map(|covered| covered.set),
            error: outcome.error.map(failure),
        }
    }

    /// As the end of a try. `failed` says how one ends that failed.
    pub(super) fn finished(self, failed: impl FnOnce(String, Again) -> Finished) -> Finished {
        let mut finished = match self.error {
            None => Finished::completed(self.id, self.attempt),
            Some(failure) => {
                let again = match failure.wait_ms {
                    Some(wait_ms) => Again::Later(std::time::Duration::from_millis(wait_ms)),
                    None if failure.again => Again::Yes,
                    None => Again::No,
                };
                failed(failure.error, again)
            }
        };
        let (conversation_id, fingerprint) = (self.conversation, self.fingerprint);
        finished.covered = self.covered.map(|set| Covered { set, fingerprint });
        let result = |(pass, version, json)| NewResult {
            conversation_id,
            pass,
            version,
            fingerprint,
            json,
        };
        finished.results = self.results.into_iter().map(result).collect();
        finished
    }
}

/// As an entry of a stream.
pub(super) fn fields(value: &impl Serialize) -> Result<Fields, FieldsError> {
    // Plain types: their JSON cannot fail.
    let json = serde_json::to_vec(value).unwrap_or_default();
    Fields::new([(FIELD, json)])
}

/// Back from an entry; none of what somebody else put there.
pub(super) fn read<T: DeserializeOwned>(entry: &Entry) -> Option<T> {
    serde_json::from_slice(entry.fields.get(FIELD)?).ok()
}
