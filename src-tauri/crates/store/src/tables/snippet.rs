//! The part of a message that a search found, with its hits marked.
//!
//! Made here and not by FTS5's `snippet()`: that evaluates the whole query again for every hit.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Before and after a word that was found.
const MARKS: (char, char) = ('\u{2}', '\u{3}');

/// Bytes shown before the first hit, and in all, about.
const BEFORE_BYTES: usize = 60;
const SNIPPET_BYTES: usize = 220;

/// The words of a query, folded as the index folds them.
pub(super) struct Words {
    whole: Vec<String>,
    /// The last one, which may be the beginning of a word.
    beginning: Option<String>,
}

impl Words {
    /// The words of a query as typed.
    pub(super) fn of(text: &str) -> Words {
        let typed = super::search::words(text);
        let mut whole: Vec<String> = typed
            .iter()
            .flat_map(|word| tokens(word))
            .map(|(at, end, word)| fold(&word[at..end]))
            .collect();
        let beginning = whole.pop();
        Words { whole, beginning }
    }

    /// The text around the first hit, each hit between U+0002 and U+0003.
    pub(super) fn snippet(&self, content: &str) -> String {
        let hits: Vec<(usize, usize)> = tokens(content)
            .filter(|(at, end, _)| self.is_hit(&content[*at..*end]))
            .map(|(at, end, _)| (at, end))
            .collect();
        let first = hits.first().map_or(0, |(at, _)| *at);
        let start = if first > BEFORE_BYTES {
            word_start(content, first - BEFORE_BYTES, first)
        } else {
            0
        };
        let end = boundary(
            content,
            (start + SNIPPET_BYTES).max(hits.first().map_or(0, |(_, end)| *end)),
        );
        let mut out = String::with_capacity(end - start + 16);
        if start > 0 {
            out.push('…');
        }
        let mut from = start;
        for (at, to) in hits.into_iter().filter(|(at, to)| *at >= start && *to <= end) {
            out.push_str(&content[from..at]);
            out.push(MARKS.0);
            out.push_str(&content[at..to]);
            out.push(MARKS.1);
            from = to;
        }
        out.push_str(&content[from..end]);
        if end < content.len() {
            out.push('…');
        }
        out
    }

    fn is_hit(&self, word: &str) -> bool {
        let word = fold(word);
        self.whole.contains(&word)
            || self
                .beginning
                .as_ref()
                .is_some_and(|beginning| word.starts_with(beginning))
    }
}

/// Runs of letters and digits: what the index takes for words. Start, end and the text they are of.
fn tokens(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let mut rest = 0;
    std::iter::from_fn(move || {
        let at = rest + text[rest..].find(is_part)?;
        let end = text[at..]
            .find(|c| !is_part(c))
            .map_or(text.len(), |length| at + length);
        rest = end;
        Some((at, end, text))
    })
}

/// Lower case, without diacritics.
pub(super) fn fold(word: &str) -> String {
    word.nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// The start of a word at or after `at`, but not after `most`.
fn word_start(text: &str, at: usize, most: usize) -> usize {
    let at = boundary(text, at);
    let after_space = text[at..most].find(char::is_whitespace).map(|space| at + space);
    after_space
        .and_then(|space| text[space..].chars().next().map(|c| space + c.len_utf8()))
        .unwrap_or(at)
}

/// The next place at or after `at` where a character starts.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn shown(query: &str, content: &str) -> String {
        Words::of(query)
            .snippet(content)
            .replace('\u{2}', "[")
            .replace('\u{3}', "]")
    }

    #[test]
    fn hits_are_marked_whatever_their_case_and_accents() {
        assert_eq!(shown("cafe", "Au Café, cafés"), "Au [Café], [cafés]");
        assert_eq!(
            shown("train late", "The TRAIN was late, later than trains"),
            "The [TRAIN] was [late], [later] than trains"
        );
        assert_eq!(shown("день", "Добрый День!"), "Добрый [День]!");
        assert_eq!(shown("nothing", "else"), "else");
    }

    #[test]
    fn long_texts_are_cut_around_the_first_hit_at_whole_characters() {
        let long = "ä ".repeat(200) + "needle" + &" ö".repeat(200);
        let snippet = shown("needle", &long);
        assert!(
            snippet.starts_with("…ä") && snippet.ends_with('…') && snippet.contains("[needle]"),
            "{snippet}"
        );
        assert!(snippet.len() < 300);
        assert!(shown("needle", &("x".repeat(5_000) + "needle")).len() < 6_000);
    }
}
