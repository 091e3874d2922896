//! `/api/hub`: who listens to what, and how far behind they are.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use chatstats_hub::{TopicName, TopicStatus};
use chatstats_model::{HubReport, HubTopic};

use crate::app::AppState;

pub(crate) fn routes() -> Router<AppState> {
    Router::new().route("/api/hub", get(report))
}

async fn report(State(state): State<AppState>) -> Json<HubReport> {
    Json(HubReport {
        hub: state.hub.stats(),
        topics: state.hub.topics().into_iter().map(topic).collect(),
    })
}

fn topic(topic: TopicStatus) -> HubTopic {
    HubTopic {
        name: match topic.name {
            TopicName::AllChats => "chats".to_owned(),
            TopicName::AllContacts => "contacts".to_owned(),
            TopicName::Chat(chat_id) => format!("chat:{chat_id}"),
        },
        subscribers: topic.subscribers,
        waiting: topic.waiting,
        depth: topic.depth,
        bytes: topic.bytes,
        unnoticed_drops: topic.unnoticed_drops,
    }
}
