//! Tasks and their answers, as they travel.
//!
//! An entry has one task or a few short ones. It says in plain decimals which version of this format it is of, and which
//! tries of which tasks it is about: so much is understood by every version, and enough to say that somebody is to be
//! updated. The rest is one field of bytes (`postcard`, <https://postcard.jamesmunns.com/wire-format>).

use chatstats_bus::{Entry, Fields, FieldsError};
use chatstats_model::{ConversationId, TaskId};
use chatstats_store::{Covered, Finished, NewResult};
use serde::{Deserialize, Serialize};

use super::pack::Packed;
use crate::execute::{Again, Outcome, Work};
use crate::texts::Texts;

/// The version of what travels: of [`LentTasks`], [`LentAnswer`] and all they are made of. The first was JSON; the second
/// had one task in each entry.
pub(super) const VERSION: u32 = 3;

/// The fields of an entry. Ids and attempts are as many of each as there are tasks, with a space between them.
const VERSION_FIELD: &str = "version";
const ID: &str = "id";
const ATTEMPT: &str = "attempt";
const BODY: &str = "body";

/// Which try of which task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Try {
    pub(super) id: TaskId,
    pub(super) attempt: u32,
}

/// What came.
#[derive(Debug)]
pub(super) enum Came<T> {
    /// What is meant for us.
    Whole(Vec<Try>, T),
    /// The same from a program of another version of the format: only what it is about is understood.
    OtherVersion(Vec<Try>, u32),
    /// What somebody else put there.
    Foreign,
}

/// Tasks, and what they have in common.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LentTasks<'a, Tasks> {
    #[serde(borrow)]
    pub(super) asked: Asked<'a>,
    /// As many as there are tries, in their order.
    pub(super) tasks: Tasks,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked<'a> {
    /// The passes to run, with those they need, in their order; with the versions that are expected.
    #[serde(borrow)]
    pub(super) passes: Vec<(&'a str, u32)>,
    /// The user's time zone (IANA).
    pub(super) zone: &'a str,
}

/// A task with all that it needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LentTask<'a> {
    pub(super) conversation: ConversationId,
    pub(super) fingerprint: i64,
    pub(super) is_group: bool,
    pub(super) known: Vec<(String, String)>,
    #[serde(borrow)]
    pub(super) messages: Packed<'a>,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LentAnswer {
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

impl LentTask<'_> {
    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let known = self.known.iter();
        known.map(|(pass, json)| pass.len() + json.len()).sum::<usize>() + self.messages.bytes()
    }

    /// What the passes work on; none if the messages are damaged.
    pub(super) fn work(self, earlier: &mut Texts) -> Option<Work> {
        Some(Work {
            conversation: self.conversation,
            fingerprint: self.fingerprint,
            messages: self.messages.messages(earlier)?,
            is_group: self.is_group,
            known: self.known,
        })
    }
}

impl LentAnswer {
    pub(super) fn new((conversation, fingerprint): (ConversationId, i64), outcome: Outcome) -> Self {
        let failure = |(error, again)| Failure {
            error,
            again: again != Again::No,
            wait_ms: match again {
                Again::Later(wait) => Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                Again::Yes | Again::No => None,
            },
        };
        let result = |result: NewResult| (result.pass.into_owned(), result.version, result.json);
        Self {
            conversation,
            fingerprint,
            results: outcome.results.into_iter().map(result).collect(),
            covered: outcome.covered.map(|covered| covered.set),
            error: outcome.error.map(failure),
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        /// What it takes beside results, and each of these beside its JSON.
        const BESIDE: usize = 32;
        let results = self.results.iter();
        results.map(|(_, _, json)| json.len() + BESIDE).sum::<usize>() + BESIDE
    }

    /// As the end of a try. `failed` says how one ends that failed.
    pub(super) fn finished(self, about: Try, failed: impl FnOnce(String, Again) -> Finished) -> Finished {
        let mut finished = match self.error {
            None => Finished::completed(about.id, about.attempt),
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
        let result = |(pass, version, json): (String, _, _)| NewResult {
            conversation_id,
            pass: pass.into(),
            version,
            fingerprint,
            json,
        };
        finished.results = self.results.into_iter().map(result).collect();
        finished
    }
}

/// As an entry of a stream. Its body has about so many bytes.
pub(super) fn fields(about: &[Try], body: &impl Serialize, bytes: usize) -> Result<Fields, FieldsError> {
    // Plain types in memory: writing them cannot fail.
    let body = postcard::to_extend(body, Vec::with_capacity(bytes)).unwrap_or_default();
    let list = |of: fn(&Try) -> String| about.iter().map(of).collect::<Vec<_>>().join(" ");
    Fields::new([
        (VERSION_FIELD, VERSION.to_string().as_bytes()),
        (ID, list(|one| one.id.to_string()).as_bytes()),
        (ATTEMPT, list(|one| one.attempt.to_string()).as_bytes()),
        (BODY, &body),
    ])
}

/// Back from an entry.
pub(super) fn read<'a, T: Deserialize<'a>>(entry: &'a Entry) -> Came<T> {
    let Some((about, version)) = about(&entry.fields) else {
        return Came::Foreign;
    };
    if version != VERSION {
        return Came::OtherVersion(about, version);
    }
    let body = entry.fields.get(BODY).unwrap_or_default();
    postcard::from_bytes(body).map_or(Came::Foreign, |body| Came::Whole(about, body))
}

fn about(fields: &Fields) -> Option<(Vec<Try>, u32)> {
    let (ids, attempts) = (fields.text(ID)?.split(' '), fields.text(ATTEMPT)?.split(' '));
    if ids.clone().count() != attempts.clone().count() {
        return None;
    }
    let one = |(id, attempt): (&str, &str)| {
        let id = TaskId(id.parse().ok()?);
        let attempt = attempt.parse().ok()?;
        Some(Try { id, attempt })
    };
    let tries = ids.zip(attempts).map(one).collect::<Option<_>>()?;
    Some((tries, fields.text(VERSION_FIELD)?.parse().ok()?))
}
