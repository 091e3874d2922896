//! Full-text search.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chatstats_model::{ChatId, MessageId, SearchHit, SearchPage};
use rusqlite::{OptionalExtension, params};

use super::snippet::{Words, fold};
use crate::{Reader, StoreError};

/// Up to so many hits are sorted by the time of the message. Where a word is in more of them, they come in the
/// order in which they were stored, newest first: sorting a million would keep the reader waiting.
const SORTED_HITS_MAX: usize = 5_000;

/// Words of a query that count; the rest is ignored. Nobody types more, and each costs a look-up.
const WORDS_MAX: usize = 16;

/// Letters from which on the words that begin so are looked up: fewer are the beginning of hundreds.
const BEGINNING_LETTERS_MIN: usize = 3;

/// Words that begin as the last one of a query. With more, the index looks for the beginning itself.
const BEGUN_WORDS_MAX: usize = 64;

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
        let words = Words::of(&query.text);
        self.consistent(|reader| {
            let mut ids = match reader.expression(&query.text, query.chat)? {
                Some(expression) => reader.hit_ids(&expression, query)?,
                None => Vec::new(),
            };
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

    /// The words as an FTS5 expression: each quoted, so that nothing in it is an operator. None if there are none, or no
    /// message holds them.
    fn expression(&self, text: &str, chat: Option<ChatId>) -> Result<Option<String>, StoreError> {
        let typed = words(text);
        let Some((last, whole)) = typed.split_last() else {
            return Ok(None);
        };
        let last = match self.begun(last)? {
            Some(begun) if begun.is_empty() => return Ok(None),
            Some(begun) => quoted(begun.iter().map(String::as_str), " OR "),
            None => format!("\"{last}\"*"),
        };
        let mut expression = format!("content : (({last})");
        if !whole.is_empty() {
            expression.push_str(&format!(" AND {}", quoted(whole.iter().copied(), " AND ")));
        }
        expression.push(')');
        if let Some(chat) = chat {
            expression.push_str(&format!(" AND chat : c{chat}"));
        }
        Ok(Some(expression))
    }

    /// The words in the index that begin so; none if those are too many, or it is not known how the index writes that.
    ///
    /// For a beginning FTS5 puts together all places of all words that begin so, before it finds the newest: a tenth of a
    /// second for a word that is in a million messages. Of whole words it reads what is asked for.
    fn begun(&self, beginning: &str) -> Result<Option<Vec<String>>, StoreError> {
        let Some(beginning) = folded(beginning).filter(|word| word.chars().count() >= BEGINNING_LETTERS_MIN)
        else {
            return Ok(None);
        };
        let mut next = self
            .conn
            .prepare_cached("SELECT term FROM temp.search_words WHERE term >= ?1 LIMIT 1")?;
        let (mut begun, mut from) = (Vec::new(), beginning.clone());
        loop {
            let word: Option<String> = next.query_row([&from], |row| row.get(0)).optional()?;
            match word {
                Some(word) if word.starts_with(&beginning) => {
                    if begun.len() == BEGUN_WORDS_MAX {
                        return Ok(None);
                    }
                    // No word has this in it, and every letter and digit comes after it.
                    from = format!("{word}\u{1}");
                    begun.push(word);
                }
                _ => return Ok(Some(begun)),
            }
        }
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

/// As it is in the index, if that is known without asking its tokenizer: that makes letters small, and takes marks off
/// Latin ones alone.
fn folded(word: &str) -> Option<String> {
    let mut folded = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '0'..='9' | 'A'..='Z' | 'a'..='z' => folded.push(c.to_ascii_lowercase()),
            '\u{c0}'..='\u{17e}' if c.is_alphabetic() => folded.push_str(&fold(c.encode_utf8(&mut [0; 4]))),
            '\u{400}'..='\u{45f}' => folded.extend(c.to_lowercase()),
            _ => return None,
        }
    }
    Some(folded)
}

fn quoted<'w>(words: impl IntoIterator<Item = &'w str>, between: &str) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    words.join(between)
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

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::folded;

    #[test]
    fn words_are_folded_as_the_index_folds_them() {
        let conn = Connection::open_in_memory().expect("a database");
        conn.execute_batch(
            "CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');
             CREATE VIRTUAL TABLE words USING fts5vocab (texts, row);",
        )
        .expect("an index");
        let plain = ('\0'..='\u{ffff}').filter(|c| folded(&c.to_string()).is_some());
        let words: Vec<String> = plain.map(|c| format!("x{c}x{c}")).collect();
        assert!(words.len() > 300, "{}", words.len());
        for word in &words {
            let count = conn.execute("INSERT INTO texts (text) VALUES (?1)", [word]);
            assert_eq!(count, Ok(1));
        }
        let mut known = conn.prepare("SELECT term FROM words").expect("a query");
        let known: Vec<String> = known
            .query_map([], |row| row.get(0))
            .and_then(Iterator::collect)
            .expect("words");
        let mut wanted: Vec<_> = words.iter().filter_map(|word| folded(word)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        assert_eq!(known, wanted);
        for unknown in ["it's", "a_b", "e\u{301}", "\u{17f}", "παιδί", "日本"] {
            assert_eq!(folded(unknown), None, "{unknown}");
        }
    }
}
