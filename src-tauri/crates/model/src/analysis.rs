//! Runs, tasks and results: analysis as its clients see it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ChatId, ConversationId, RunId, TaskId, Timestamp};

/// What a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum RunKind {
    /// Every sealed conversation that lacks a current result; of the chats picked, where some are.
    Global,
    /// Every sealed conversation anew, whatever results it has; or one pass of each, to fill it in.
    Historic,
    /// One chat: what lacks a current result.
    Chat,
    /// One conversation, anew.
    Conversation,
    /// Dead letters, tried again.
    Retry,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum RunState {
    /// Its tasks are being counted and written down; none has started.
    Seeding,
    /// Its tasks run.
    Running,
    /// No further task of it starts until it is resumed.
    Paused,
    /// All its tasks have ended.
    Complete,
    /// It was stopped; the tasks that had not started count as failed.
    Cancelled,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What it covers.
    pub kind: RunKind,
    /// Where it stands.
    pub state: RunState,
    /// The chats it was restricted to, the most important first; empty for all.
    pub chats: Vec<ChatId>,
    /// The passes it runs.
    pub passes: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its last task ended.
    pub finished_at: Option<Timestamp>,
    /// Its tasks.
    #[ts(type = "number")]
    pub total: u64,
    /// Tasks that ended well.
    #[ts(type = "number")]
    pub success: u64,
    /// Tasks that did not, the cancelled ones included. At the end success + failed = total.
    #[ts(type = "number")]
    pub failed: u64,
    /// Tasks that were cancelled.
    #[ts(type = "number")]
    pub cancelled: u64,
    /// Tasks that run now.
    #[ts(type = "number")]
    pub processing: u64,
}

impl Run {
    /// How far it is, in percent from 0 to 100.
    pub fn percentage(&self) -> f64 {
        if self.total == 0 {
            let over = matches!(self.state, RunState::Complete | RunState::Cancelled);
            return if over { 100.0 } else { 0.0 };
        }
        let done = (self.success + self.failed) as f64 / self.total as f64 * 100.0;
        (done * 10.0).floor() / 10.0
    }
}

/// Body of `POST /api/analysis/runs`: what to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export, optional_fields)]
pub struct RunRequest {
    /// What it covers. `retry` is not asked for here: see `POST /api/analysis/dead/retry`.
    pub kind: RunKind,
    /// Only these chats, the most important first; required for `chat`.
    #[serde(default)]
    #[ts(as = "Option<Vec<ChatId>>")]
    pub chats: Vec<ChatId>,
    /// Required for `conversation`.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// Only these passes, and those they need; all that are switched on if empty.
    #[serde(default)]
    #[ts(as = "Option<Vec<String>>")]
    pub passes: Vec<String>,
}

/// Answer to `POST /api/analysis/runs/preview`: what a run would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunPreview {
    /// Conversations it would analyse.
    #[ts(type = "number")]
    pub conversations: u64,
    /// Messages in them.
    #[ts(type = "number")]
    pub messages: u64,
    /// The passes it would run, in their order.
    pub passes: Vec<String>,
}

/// Answer to `GET /api/analysis/runs`, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<Run>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Failed, and waits for its next try.
    Retrying,
    /// Ended well.
    Completed,
    /// Failed in a way that another try does not mend.
    Failed,
    /// Failed in its last try.
    Dead,
    /// Stopped before its end.
    Cancelled,
}

/// A task: one conversation, several passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// The run it belongs to; none if a sealed conversation set it off.
    pub run_id: Option<RunId>,
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Where it stands.
    pub state: TaskState,
    /// Higher ones go first.
    pub priority: u8,
    /// How often it was started.
    pub attempt: u32,
    /// How often it may be started.
    pub attempts_max: u32,
    /// When it will be tried again.
    pub due_at: Option<Timestamp>,
    /// What went wrong the last time.
    pub error: Option<String>,
    /// When it was written down.
    pub created_at: Timestamp,
    /// When it was started the last time.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Answer to `GET /api/analysis/tasks` and `GET /api/analysis/dead`, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// Pass it as `before` for the next page.
    pub next: Option<TaskId>,
    /// How many there are in all that were asked for.
    #[ts(type = "number")]
    pub total: u64,
}

/// How many tasks stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TaskCounts {
    /// Waiting for a worker.
    #[ts(type = "number")]
    pub queued: u64,
    /// With a worker.
    #[ts(type = "number")]
    pub running: u64,
    /// Waiting for their next try.
    #[ts(type = "number")]
    pub retrying: u64,
    /// Ended well.
    #[ts(type = "number")]
    pub completed: u64,
    /// Failed for good.
    #[ts(type = "number")]
    pub failed: u64,
    /// Failed in their last try.
    #[ts(type = "number")]
    pub dead: u64,
    /// Stopped.
    #[ts(type = "number")]
    pub cancelled: u64,
}

/// A pass and how far its results reach. One of the answers to `GET /api/analysis/passes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// What it finds.
    pub about: String,
    /// Whether it runs on every arrival, and not only once a conversation is sealed.
    pub live: bool,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether `config.toml` has switched it off: then it cannot be switched on elsewhere.
    pub off_in_config: bool,
    /// The passes it needs.
    pub needs: Vec<String>,
    /// Sealed conversations that have a current result.
    #[ts(type = "number")]
    pub covered: u64,
    /// Sealed conversations.
    #[ts(type = "number")]
    pub conversations: u64,
}

/// Body of `PUT /api/analysis/passes/{name}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassSwitch {
    /// Whether it is to run from now on.
    pub enabled: bool,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassResult {
    /// The pass.
    pub pass: String,
    /// The pass's version.
    pub version: u32,
    /// Whether it is of the conversation as it is now, by the pass as it is now.
    pub current: bool,
    /// What it found: the pass's own type.
    #[ts(type = "unknown")]
    pub result: serde_json::Value,
}

/// Answer to `GET /api/analysis/passes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PassList {
    /// The passes, those that are switched off last.
    pub passes: Vec<PassInfo>,
}

/// Answer to `GET /api/conversations/{id}/results`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ResultList {
    /// What passes found, current or not.
    pub results: Vec<PassResult>,
}

/// How a commitment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum CommitmentState {
    /// Not done, and not late.
    Open,
    /// Done, as a later message shows or the user says.
    Done,
    /// Not done, and its time has passed.
    Overdue,
    /// The user does not want to see it.
    Dismissed,
}

/// A promise or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ListedCommitment {
    /// Its id: the message and the sentence in it.
    pub id: String,
    /// The chat.
    pub chat_id: ChatId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message that says it.
    pub message_id: crate::MessageId,
    /// `promise` or `request`.
    pub kind: String,
    /// Who is to do it, as far as known.
    pub who: Option<String>,
    /// Whether that is the user.
    pub mine: bool,
    /// The words.
    pub text: String,
    /// When it is due, where that is said.
    pub due: Option<Timestamp>,
    /// When it was said.
    pub said_at: Timestamp,
    /// How it stands.
    pub status: CommitmentState,
    /// The message that shows it is done.
    pub done_by: Option<crate::MessageId>,
}

/// Answer to `GET /api/commitments`, the latest first: by when they are due, and where they have no date, by when they
/// were said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CommitmentPage {
    /// The commitments.
    pub commitments: Vec<ListedCommitment>,
    /// Pass it as `offset` for the next page.
    #[ts(type = "number | null")]
    pub next: Option<usize>,
}

/// Body of `POST /api/commitments/{chat_id}/{commitment_id}/decision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CommitmentDecision {
    /// `done` or `dismissed`; null takes the decision back.
    pub decision: Option<CommitmentState>,
}
