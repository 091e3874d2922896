use std::sync::{Arc, Mutex};
use std::time::Duration;

use chatstats_llm::{Ledger, LlmPass, LlmResult, LlmSpent, Settings, World};
use chatstats_model::{ChatId, ContactId, Kind, Message, MessageId, Timestamp};
use chatstats_passes::{Input, Pass, PassError, Results};
use jiff::tz::TimeZone;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::fake_server::FakeServer;

/// Longer than anything here takes, and shorter than anybody's patience: what hangs, fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// 2024-01-05T22:00:00Z.
const NOW_S: i64 = 1_704_492_000;

/// Keeps what was spent, for the test to read.
#[derive(Clone, Default)]
pub(crate) struct Paper(pub(crate) Arc<Mutex<Option<LlmSpent>>>);

impl Ledger for Paper {
    fn read(&self) -> Option<LlmSpent> {
        *self.0.lock().expect("not poisoned")
    }

    fn write(&self, spent: &LlmSpent) {
        *self.0.lock().expect("not poisoned") = Some(*spent);
    }
}

pub(crate) fn settings(server: &FakeServer) -> Settings {
    Settings {
        enabled: true,
        base_url: server.base_url(),
        model: "fake".into(),
        messages_min: 2,
        ..Settings::default()
    }
}

pub(crate) fn pass_with(settings: Settings, paper: &Paper, shutdown: &CancellationToken) -> LlmPass {
    let world = World {
        runtime: Handle::current(),
        shutdown: shutdown.clone(),
        ledger: Box::new(paper.clone()),
        zone: TimeZone::UTC,
        now: Arc::new(|| Timestamp::from_seconds(NOW_S).expect("in range")),
    };
    LlmPass::new(settings, world).expect("good settings")
}

pub(crate) fn pass(server: &FakeServer) -> LlmPass {
    pass_with(settings(server), &Paper::default(), &CancellationToken::new())
}

/// Runs the pass as the engine does: on a thread that may block.
pub(crate) async fn run(pass: &LlmPass) -> Result<LlmResult, PassError> {
    run_on(pass, conversation()).await
}

pub(crate) async fn run_on(pass: &LlmPass, messages: Vec<Message>) -> Result<LlmResult, PassError> {
    let pass = pass.clone();
    let running = tokio::task::spawn_blocking(move || {
        let json = pass.run(&Input {
            messages: &messages,
            is_group: false,
            zone: &TimeZone::UTC,
            results: &Results::default(),
        })?;
        Ok(serde_json::from_str(&json).expect("a result"))
    });
    let ended = tokio::time::timeout(PATIENCE, running).await;
    ended.expect("it does not hang").expect("it does not panic")
}

pub(crate) fn conversation() -> Vec<Message> {
    ["shall we meet?", "sure, at Anna's", "great"]
        .into_iter()
        .enumerate()
        .map(|(index, content)| message(index as i64, content))
        .collect()
}

pub(crate) fn message(index: i64, content: &str) -> Message {
    let is_from_me = index % 2 == 1;
    Message {
        id: MessageId(40 + index),
        chat_id: ChatId(1),
        sender_id: Some(ContactId(index % 2)),
        sender: Some(if is_from_me { "Me" } else { "Anna" }.into()),
        is_from_me,
        content: content.to_owned(),
        timestamp: Timestamp::from_seconds(NOW_S + index).expect("in range"),
        kind: Kind::Text,
        reply_to: None,
        edited_at: None,
        reactions: Vec::new(),
        attachments: Vec::new(),
    }
}

/// What a refused run says and how long it wants to wait.
pub(crate) fn not_now(result: Result<LlmResult, PassError>) -> (String, Duration) {
    match result {
        Err(PassError::NotNow { error, wait }) => (error, wait),
        other => panic!("it should not be tried now: {other:?}"),
    }
}

pub(crate) fn transient(result: Result<LlmResult, PassError>) -> String {
    match result {
        Err(PassError::Transient(error)) => error,
        other => panic!("it should be tried again: {other:?}"),
    }
}

pub(crate) fn permanent(result: Result<LlmResult, PassError>) -> String {
    match result {
        Err(PassError::Permanent(error)) => error,
        other => panic!("it should not be tried again: {other:?}"),
    }
}
