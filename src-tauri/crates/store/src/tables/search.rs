//! Full-text search.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chatstats_model::{ChatId, MessageId, SearchHit, SearchPage};
use rusqlite::params;

use super::snippet::Words;
use crate::{Reader, StoreError};

/// Up to so many hits are sorted by the time of the message. Where a word is in more of them, they come in the
/// order in which they were stored, newest first: sorting a million would keep the reader waiting.
const SORTED_HITS_MAX: usize = 5_000;

/// Words of a query that count; the rest is ignored. Nobody types more, and each costs a look-up.
const WORDS_MAX: usize = 16;

/// What to search for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// Words as typed; all must occur, the last may be the beginning of one.
    pub text: String,
    /// Only in this chat.
    pub chat: Option<ChatId>,
    /// Only hits after this one of an earlier page.
    pub before: Option<MessageId>,
    /// Hits wanted.
    pub limit: usize,
}

impl Reader {
    /// Messages that hold all the words, the newest first.
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, StoreError> {
        let Some(expression) = expression(&query.text, query.chat) else {
            return Ok(SearchPage {
                hits: Vec::new(),
                more: false,
            });
        };
        let words = Words::of(&query.text);
        self.consistent(|reader| {
            let mut ids = reader.hit_ids(&expression, query)?;
            let more = ids.len() > query.limit;
            ids.truncate(query.limit);
            let mut titles = HashMap::new();
            let mut hits = Vec::with_capacity(ids.len());
            for id in ids {
                hits.extend(reader.hit(id, &words, &mut titles)?);
            }
            Ok(SearchPage { hits, more })
        })
    }

    /// The ids of a page, and one more if there are more.
    fn hit_ids(&self, expression: &str, query: &SearchQuery) -> Result<Vec<i64>, StoreError> {
        let wanted = query.limit + 1;
        let mut all = self.ids_below(expression, i64::MAX, SORTED_HITS_MAX + 1)?;
        if all.len() > SORTED_HITS_MAX {
            if let Some(before) = query.before {
                return self.ids_below(expression, before.0, wanted);
            }
            all.truncate(wanted);
            return Ok(all);
        }
        let mut sent = self
            .conn
            .prepare_cached("SELECT sent_us FROM messages WHERE id = ?1")?;
        let mut placed = Vec::with_capacity(all.len());
        for id in all {
            placed.push((sent.query_row([id], |row| row.get::<_, i64>(0))?, id));
        }
        placed.sort_unstable_by(|a, b| b.cmp(a));
        let last = query
            .before
            .and_then(|last| placed.iter().position(|(_, id)| *id == last.0));
        let start = last.map_or(0, |at| at + 1);
        Ok(placed
            .into_iter()
            .skip(start)
            .take(wanted)
            .map(|(_, id)| id)
            .collect())
    }

    /// The newest hits by id.
    fn ids_below(&self, expression: &str, before: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let mut ids = self.conn.prepare_cached(
            "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3",
        )?;
        let ids = ids.query_map(params![expression, before, limit as i64], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn hit(
        &self,
        id: i64,
        words: &Words,
        titles: &mut HashMap<ChatId, String>,
    ) -> Result<Option<SearchHit>, StoreError> {
        let Some(message) = self.select("WHERE m.id = ?1", &[id])?.pop() else {
            return Ok(None);
        };
        let chat_title = match titles.entry(message.chat_id) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => {
                let title = self.chat(message.chat_id)?.map(|chat| chat.title);
                unknown.insert(title.unwrap_or_default()).clone()
            }
        };
        let snippet = words.snippet(&message.content);
        Ok(Some(SearchHit {
            message,
            chat_title,
            snippet,
        }))
    }
}

/// The words as an FTS5 expression: each quoted, so that nothing in it is an operator. None if there are none.
fn expression(text: &str, chat: Option<ChatId>) -> Option<String> {
    let words = words(text);
    if words.is_empty() {
        return None;
    }
    let phrases: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let mut expression = format!("content : ({}*)", phrases.join(" AND "));
    if let Some(chat) = chat {
        expression.push_str(&format!(" AND chat : c{chat}"));
    }
    Some(expression)
}

/// The words of a query as typed. Each has a letter or digit: the tokenizer drops everything else, and an empty phrase
/// matches nothing.
pub(super) fn words(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '\0');
    words
        .filter(|w| w.chars().any(char::is_alphanumeric))
        .take(WORDS_MAX)
        .collect()
}
