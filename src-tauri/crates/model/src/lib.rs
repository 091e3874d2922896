//! The nouns of ChatStats: ids, timestamps, messages, chats, contacts, imports and the bodies of the API.
//!
//! Plain types. Does no IO, knows no database, no HTTP and no clock. Each type that crosses the wire derives
//! its TypeScript twin, so that the page and the program cannot drift apart.

mod analysis;
mod bus;
mod chat;
mod conversation;
mod id;
mod import;
mod message;
mod metrics;
mod stream;
mod time;
mod wire;

pub use analysis::{
    CommitmentDecision, CommitmentPage, CommitmentState, ListedCommitment, PassInfo, PassList, PassResult,
    PassSwitch, ResultList, Run, RunKind, RunList, RunPreview, RunRequest, RunState, Task, TaskCounts,
    TaskPage, TaskState,
};
pub use bus::{
    Backend, BusStatus, EntryPage, FollowedStream, HubReport, HubTopic, NewEvent, PublishedEvents,
    StreamEntry, StreamReach,
};
pub use chat::{
    Chat, ChatFields, ChatUpdate, Contact, ContactUpdate, LastMessage, PARTICIPANTS_SHOWN, Participant,
};
pub use conversation::{
    CONVERSATION_GAP_MINUTES, Conversation, ConversationPage, ConversationSummary, ConversationsNow, Sealed,
    SummarisedConversation, SummarisedPage,
};
pub use id::{ChatId, ContactId, ConversationId, ImportId, MessageId, Rev, RunId, TaskId};
pub use import::{
    Counts, DateOrder, FileReceipt, Import, ImportOptions, ImportProgress, ImportReceipt, ImportState,
    LeftOut,
};
pub use message::{Attachment, Kind, Message, Reaction};
pub use metrics::{
    AnalysisMetrics, BusMetrics, EndpointCounts, Latency, LatencyMetrics, Metrics, ProcessMetrics,
    SseMetrics, StoreMetrics,
};
pub use stream::{ChatsInitial, ContactsInitial, MessagesUpdate, StreamError};
pub use time::{Timestamp, TimestampError};
pub use wire::{
    ChatList, ContactList, ContactPatch, HubStatus, ImportList, ImportRequest, IncomingChat, IncomingMessage,
    IncomingMessages, IncomingSender, LeftOutPage, MessagePage, Posted, Problem, SearchHit, SearchPage,
    Source, Status,
};
