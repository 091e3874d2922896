//! What passes found in a conversation, in short: mood, language, topics and how many commitments.
//!
//! Topics need the rest of the chat to be compared with. The sums over a chat are kept for the last few chats that were
//! asked for, until results of them change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatstats_llm::LlmResult;
use chatstats_model::{
    ChatId, ConversationId, ConversationPage, ConversationSummary, PassResult, SummarisedConversation,
    SummarisedPage,
};
use chatstats_passes::{Language, Sentiment, Topics, rank};
use chatstats_store::{Reader, StoreError, StoredResult};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::analysis::version;

/// Topics in a summary: what fits on a line.
const TOPICS_SHOWN: usize = 5;

/// Chats whose sums are kept. Those of a very long chat take some megabytes, and people look at few chats at a time.
const CHATS_KEPT: usize = 8;

/// The sums over chats. A cheap handle.
#[derive(Clone, Default)]
pub(crate) struct Backgrounds(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Up to which result they are: see [`Reader::chats_with_results_since`].
    mark: i64,
    /// With the number of their last use.
    chats: BTreeMap<ChatId, (u64, Arc<Background>)>,
    uses: u64,
}

/// How often each term was said in a chat.
#[derive(Debug, Default)]
struct Background {
    total: u64,
    counts: HashMap<String, u64>,
}

/// The page with summaries.
pub(super) fn summarise(
    reader: &Reader,
    backgrounds: &Backgrounds,
    chat: ChatId,
    page: ConversationPage,
) -> Result<SummarisedPage, StoreError> {
    let mut conversations = Vec::with_capacity(page.conversations.len());
    for conversation in page.conversations {
        let mut results = reader.stored_results(conversation.id)?;
        results.retain(|result| result.current && is_of_now(&result.pass, result.version));
        let summary = if results.is_empty() {
            None
        } else {
            Some(summary(reader, backgrounds, chat, &results)?)
        };
        conversations.push(SummarisedConversation {
            analysing: reader.is_being_analysed(conversation.id)?,
            conversation,
            summary,
        });
    }
    Ok(SummarisedPage {
        conversations,
        next: page.next,
        total: page.total,
    })
}

/// The results of a conversation. One of an older version of its pass is not current.
pub(super) fn results(reader: &Reader, id: ConversationId) -> Result<Vec<PassResult>, StoreError> {
    let mut results = reader.results(id)?;
    for result in &mut results {
        result.current &= is_of_now(&result.pass, result.version);
    }
    Ok(results)
}

fn is_of_now(pass: &str, version: u32) -> bool {
    chatstats_passes::named(pass).is_none_or(|pass| pass.version() == version)
}

fn summary(
    reader: &Reader,
    backgrounds: &Backgrounds,
    chat: ChatId,
    results: &[StoredResult],
) -> Result<ConversationSummary, StoreError> {
    let topics = match of::<Topics>(results, "topics") {
        Some(topics) if !topics.terms.is_empty() => {
            let background = backgrounds.of(reader, chat)?;
            let count = |term: &str| background.counts.get(term).copied().unwrap_or(0);
            rank(&topics, background.total, count)
        }
        _ => Vec::new(),
    };
    Ok(ConversationSummary {
        mood: of::<Sentiment>(results, "sentiment").and_then(|found| found.mean),
        language: of::<Language>(results, "language").and_then(|found| found.language),
        topics: topics
            .into_iter()
            .take(TOPICS_SHOWN)
            .map(|topic| topic.term)
            .collect(),
        commitments: of::<Counted>(results, "commitments").map_or(0, |found| found.found.len() as u64),
        gist: of::<LlmResult>(results, "llm")
            .and_then(|found| found.insight)
            .map(|insight| insight.summary),
    })
}

/// Commitments, of which only the number is asked: there may be hundreds.
#[derive(Deserialize)]
struct Counted {
    found: Vec<IgnoredAny>,
}

/// The result of one pass. One that cannot be read is of another program, and counts as none.
fn of<T: DeserializeOwned>(results: &[StoredResult], pass: &str) -> Option<T> {
    let found = results.iter().find(|result| result.pass == pass)?;
    serde_json::from_str(&found.json).ok()
}

impl Backgrounds {
    fn of(&self, reader: &Reader, chat: ChatId) -> Result<Arc<Background>, StoreError> {
        if let Some(known) = self.known(reader, chat)? {
            return Ok(known);
        }
        // Not under the lock: a long chat takes a while.
        let background = Arc::new(Background::read(reader, chat)?);
        let mut kept = self.lock();
        kept.uses += 1;
        let uses = kept.uses;
        kept.chats.insert(chat, (uses, background.clone()));
        if kept.chats.len() > CHATS_KEPT {
            let oldest = kept.chats.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(chat, _)| *chat) {
                kept.chats.remove(&oldest);
            }
        }
        Ok(background)
    }

    /// What is kept of a chat, if nothing changed since.
    fn known(&self, reader: &Reader, chat: ChatId) -> Result<Option<Arc<Background>>, StoreError> {
        let since = self.lock().mark;
        let (changed, mark) = reader.chats_with_results_since(since)?;
        let mut kept = self.lock();
        for chat in changed {
            kept.chats.remove(&chat);
        }
        kept.mark = kept.mark.max(mark);
        kept.uses += 1;
        let uses = kept.uses;
        let known = kept.chats.get_mut(&chat);
        Ok(known.map(|(used, background)| {
            *used = uses;
            background.clone()
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background {
    fn read(reader: &Reader, chat: ChatId) -> Result<Self, StoreError> {
        let mut sums = Self::default();
        for result in reader.chat_results(chat, &version(&chatstats_passes::TopicsPass))? {
            let Ok(topics) = serde_json::from_str::<Topics>(&result.json) else {
                continue;
            };
            sums.total += topics.total;
            for term in topics.terms {
                *sums.counts.entry(term.term).or_default() += term.count;
            }
        }
        Ok(sums)
    }
}
