//! Posts: what a bridge, a bot or a script sends.

use chatstats_model::{IncomingMessage, IncomingMessages, Posted};
use chatstats_store::{KEY_BYTES_MAX, Lane, NewMessage, Put, Store, StoreError, Write};

use crate::keys;

/// Messages in one post. The body's limit of 16 MiB allows about this many of the shortest; the number bounds
/// how long one post can hold up the next.
pub const MESSAGES_PER_POST_MAX: usize = 100_000;

/// The longest name of a source, key of a chat or a sender, or title, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Takes posts. A cheap handle.
#[derive(Clone)]
pub struct Ingest {
    store: Store,
}

/// Why a post was not taken. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The poster's mistake, with its place in the body.
    #[error("{0}")]
    Invalid(String),
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Ingest {
    /// Stores into `store`.
    pub fn new(store: Store) -> Self {
        Ingest { store }
    }

    /// Stores what is new and answers once it is committed and published. Posting the same keys again inserts
    /// nothing; a key with a newer `edited_at` changes the stored message.
    pub async fn post(&self, post: IncomingMessages) -> Result<Posted, IngestError> {
        self.hand_over(post).await?.await
    }

    /// As [`post`](Self::post), but ready once the post has its place: what is handed over later is stored later.
    pub async fn hand_over(
        &self,
        post: IncomingMessages,
    ) -> Result<impl Future<Output = Result<Posted, IngestError>> + Send + use<>, IngestError> {
        check(&post)?;
        let cost_bytes = post.messages.iter().map(|m| m.content.len() + 256).sum();
        let posted = self
            .store
            .hand_over(Lane::Live, cost_bytes, move |write| put(write, &post))
            .await?;
        Ok(async { Ok(posted.await?) })
    }
}

fn put(write: &mut Write<'_>, post: &IncomingMessages) -> Result<Posted, StoreError> {
    let chat_id = write.chat(&post.source, &post.chat.key, post.chat.title.as_deref())?;
    let mut posted = Posted {
        chat_id,
        inserted: 0,
        duplicates: 0,
    };
    for message in &post.messages {
        match put_one(write, &post.source, chat_id, message)? {
            Put::Inserted(_) => posted.inserted += 1,
            Put::Unchanged | Put::Changed(_) | Put::Taken => posted.duplicates += 1,
        }
    }
    Ok(posted)
}

fn put_one(
    write: &mut Write<'_>,
    source: &str,
    chat_id: chatstats_model::ChatId,
    message: &IncomingMessage,
) -> Result<Put, StoreError> {
    let sender = match &message.sender {
        Some(sender) => {
            let name = sender
                .name
                .as_deref()
                .filter(|n| !n.is_empty())
                .unwrap_or(&sender.key);
            let sent_us = message.timestamp.as_micros();
            Some(write.identity(source, &sender.key, name, message.is_from_me, sent_us)?)
        }
        None => None,
    };
    let reply_key = message.reply_to.as_deref().map(keys::own);
    write.put(
        chat_id,
        &NewMessage {
            key: &keys::own(&message.key),
            key_is_certain: true,
            sender,
            is_from_me: message.is_from_me,
            kind: message.kind,
            sent: message.timestamp,
            content: &message.content,
            reply_key: reply_key.as_deref(),
            edited: message.edited_at,
            reactions: &[],
            attachments: &[],
        },
    )
}

fn check(post: &IncomingMessages) -> Result<(), IngestError> {
    let name = |place: &str, value: &str| {
        if value.is_empty() {
            return Err(IngestError::Invalid(format!("{place} must not be empty.")));
        }
        if value.len() > NAME_BYTES_MAX {
            return Err(IngestError::Invalid(format!(
                "{place} is longer than {NAME_BYTES_MAX} bytes."
            )));
        }
        Ok(())
    };
    name("source", &post.source)?;
    name("chat.key", &post.chat.key)?;
    if post.chat.title.as_ref().is_some_and(|t| t.len() > NAME_BYTES_MAX) {
        return Err(IngestError::Invalid(format!(
            "chat.title is longer than {NAME_BYTES_MAX} bytes."
        )));
    }
    if post.messages.len() > MESSAGES_PER_POST_MAX {
        let detail = format!(
            "messages has {} entries; at most {MESSAGES_PER_POST_MAX} are taken in one post.",
            post.messages.len()
        );
        return Err(IngestError::Invalid(detail));
    }
    for (index, message) in post.messages.iter().enumerate() {
        name(&format!("messages[{index}].key"), &message.key)?;
        if message.key.len() >= KEY_BYTES_MAX {
            return Err(IngestError::Invalid(format!(
                "messages[{index}].key is longer than {} bytes.",
                KEY_BYTES_MAX - 1
            )));
        }
        if let Some(sender) = &message.sender {
            name(&format!("messages[{index}].sender.key"), &sender.key)?;
            if sender.name.as_ref().is_some_and(|n| n.len() > NAME_BYTES_MAX) {
                let detail = format!("messages[{index}].sender.name is longer than {NAME_BYTES_MAX} bytes.");
                return Err(IngestError::Invalid(detail));
            }
        }
    }
    Ok(())
}
