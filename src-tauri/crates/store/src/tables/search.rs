//! Full-text search.

use chatstats_model::{ChatId, MessageId, SearchHit, SearchPage};
use rusqlite::{OptionalExtension, params};

use crate::{Reader, StoreError, Write};

/// Up to so many hits are sorted by the time of the message. Where a word is in more of them, they come in the
/// order in which they were stored, newest first: sorting a million would keep the reader waiting.
const SORTED_HITS_MAX: usize = 5_000;

/// Words of a query that count; the rest is ignored. Nobody types more, and each costs a look-up.
const WORDS_MAX: usize = 16;

/// Words around a hit that its snippet shows.
const SNIPPET_WORDS: i64 = 24;

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
        self.consistent(|reader| {
            let mut ids = reader.hit_ids(&expression, query)?;
            let more = ids.len() > query.limit;
            ids.truncate(query.limit);
            let hits = ids
                .into_iter()
                .map(|id| reader.hit(id, &expression))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(SearchPage {
                hits: hits.into_iter().flatten().collect(),
                more,
            })
        })
    }

    /// The ids of a page, and one more if there are more.
    fn hit_ids(&self, expression: &str, query: &SearchQuery) -> Result<Vec<i64>, StoreError> {
        let wanted = query.limit + 1;
        let mut all = self.conn.prepare_cached(
            "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?1 ORDER BY rowid DESC LIMIT ?2",
        )?;
        let all = all.query_map(params![expression, SORTED_HITS_MAX as i64 + 1], |row| row.get(0))?;
        let all: Vec<i64> = all.collect::<Result<_, _>>()?;
        if all.len() > SORTED_HITS_MAX {
            let mut page = self.conn.prepare_cached(
                "SELECT rowid FROM messages_fts WHERE messages_fts MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3",
            )?;
            let before = query.before.map_or(i64::MAX, |id| id.0);
            let ids = page.query_map(params![expression, before, wanted as i64], |row| row.get(0))?;
            return Ok(ids.collect::<Result<_, _>>()?);
        }
        let mut sent = self
            .conn
            .prepare_cached("SELECT sent_us FROM messages WHERE id = ?1")?;
        let mut placed = Vec::with_capacity(all.len());
        for id in all {
            placed.push((sent.query_row([id], |row| row.get::<_, i64>(0))?, id));
        }
        placed.sort_unstable_by(|a, b| b.cmp(a));
        let start = query
            .before
            .and_then(|last| placed.iter().position(|(_, id)| *id == last.0))
            .map_or(0, |at| at + 1);
        Ok(placed
            .into_iter()
            .skip(start)
            .take(wanted)
            .map(|(_, id)| id)
            .collect())
    }

    fn hit(&self, id: i64, expression: &str) -> Result<Option<SearchHit>, StoreError> {
        let Some(message) = self.select("WHERE m.id = ?1", &[id])?.pop() else {
            return Ok(None);
        };
        let snippet = self
            .conn
            .prepare_cached(
                "SELECT snippet(messages_fts, 0, char(2), char(3), '…', ?3)
                 FROM messages_fts WHERE messages_fts MATCH ?1 AND rowid = ?2",
            )?
            .query_row(params![expression, id, SNIPPET_WORDS], |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        let chat_title = self
            .chat(message.chat_id)?
            .map(|chat| chat.title)
            .unwrap_or_default();
        Ok(Some(SearchHit {
            message,
            chat_title,
            snippet,
        }))
    }
}

/// The words as an FTS5 expression: each quoted, so that nothing in it is an operator. None if there are none.
fn expression(text: &str, chat: Option<ChatId>) -> Option<String> {
    // A word needs a letter or digit: the tokenizer drops everything else, and an empty phrase matches nothing.
    let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '\0');
    let words: Vec<&str> = words
        .filter(|w| w.chars().any(char::is_alphanumeric))
        .take(WORDS_MAX)
        .collect();
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

impl Write<'_> {
    pub(crate) fn index(&self, id: i64, chat: ChatId, content: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached("INSERT INTO messages_fts (rowid, content, chat) VALUES (?1, ?2, 'c' || ?3)")?
            .execute(params![id, content, chat.0])?;
        Ok(())
    }

    /// `content` is what was indexed: the index does not keep it.
    pub(crate) fn unindex(&self, id: i64, chat: ChatId, content: &str) -> Result<(), StoreError> {
        self.conn
            .prepare_cached(
                "INSERT INTO messages_fts (messages_fts, rowid, content, chat) VALUES ('delete', ?1, ?2, 'c' || ?3)",
            )?
            .execute(params![id, content, chat.0])?;
        Ok(())
    }
}
