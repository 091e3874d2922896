//! Messages to sentences, sentences to words.

use std::ops::Range;

/// A sentence of a message.
pub(super) struct Sentence<'a> {
    /// As it was written, trimmed.
    pub(super) text: &'a str,
    /// Whether a question mark ends it.
    pub(super) asks: bool,
    /// Its words in lower case, apostrophes as '; none from within quotation marks.
    pub(super) words: Vec<String>,
    /// For each word, whether something pauses before it: the start, a comma, a dash.
    pub(super) pauses: Vec<bool>,
}

/// Sentences in one message are read up to here: more are a pasted document.
const SENTENCES_MAX: usize = 64;
/// Words of a sentence are read up to here.
const WORDS_MAX: usize = 80;

/// The sentences of `text`. A line that begins with `>` quotes somebody and is passed over.
pub(super) fn sentences(text: &str) -> Vec<Sentence<'_>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('>'));
    lines
        .flat_map(|line| ranges(line).into_iter().map(|range| sentence(&line[range])))
        .take(SENTENCES_MAX)
        .collect()
}

fn ranges(line: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        quoted = quoted_after(c, quoted);
        let end = at + c.len_utf8();
        if matches!(c, '.' | '!' | '?' | '…') && !quoted && ends_sentence(line, at, end) {
            ranges.push(start..end);
            start = end;
        }
    }
    ranges.push(start..line.len());
    // Marks that follow the first of them ("?!", "...") belong to no sentence of their own.
    ranges.retain(|range| line[range.clone()].contains(char::is_alphanumeric));
    ranges
}

fn ends_sentence(line: &str, at: usize, end: usize) -> bool {
    let after = &line[end..];
    if !(after.is_empty() || after.starts_with(|c: char| !c.is_alphanumeric())) {
        return false;
    }
    if !line[at..].starts_with('.') {
        return true;
    }
    let last = line[..at]
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    let is_number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    !(is_abbreviation(last) || (is_number && begins_with_month(after)))
}

/// "p.m", "e.g", "Dr": their point ends no sentence.
fn is_abbreviation(word: &str) -> bool {
    const KNOWN: [&str; 12] = [
        "dr", "mr", "mrs", "ms", "st", "vs", "approx", "bzw", "ca", "nr", "sr", "sra",
    ];
    let letter_and_point = word.contains('.') && word.split('.').all(|part| part.chars().count() == 1);
    letter_and_point || KNOWN.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// German writes "am 3. Juni".
fn begins_with_month(after: &str) -> bool {
    const MONTHS: [&str; 12] = [
        "jan", "feb", "mär", "apr", "mai", "jun", "jul", "aug", "sep", "okt", "nov", "dez",
    ];
    let head: String = after
        .trim_start()
        .chars()
        .take(3)
        .flat_map(char::to_lowercase)
        .collect();
    MONTHS.contains(&head.as_str())
}

fn quoted_after(c: char, quoted: bool) -> bool {
    match c {
        '"' => !quoted,
        '“' | '«' | '„' => true,
        '”' | '»' => false,
        _ => quoted,
    }
}

fn sentence(text: &str) -> Sentence<'_> {
    let text = text.trim();
    // A quotation mark that is never closed quotes nothing.
    let quotes = text.matches('"').count().is_multiple_of(2);
    let (mut words, mut pauses) = (Vec::new(), Vec::new());
    let (mut word, mut pause, mut quoted) = (String::new(), true, false);
    for c in text.chars().chain([' ']) {
        if quotes || c != '"' {
            quoted = quoted_after(c, quoted);
        }
        match c {
            _ if quoted => pause = true,
            '’' | '‘' | '`' | '\'' if !word.is_empty() => word.push('\''),
            c if c.is_alphanumeric() => word.extend(c.to_lowercase()),
            c => {
                if !word.is_empty() && words.len() < WORDS_MAX {
                    words.push(std::mem::take(&mut word));
                    pauses.push(std::mem::take(&mut pause));
                }
                pause |= !c.is_whitespace() && !matches!(c, '-' | '\'' | '’');
            }
        }
    }
    let asks = text.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
    Sentence {
        text,
        asks: text[asks..].contains('?'),
        words,
        pauses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        sentences(text)
            .into_iter()
            .map(|sentence| sentence.text)
            .collect()
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        assert_eq!(
            texts("Hi! I'll be there at 6 p.m. today.\nOk?"),
            ["Hi!", "I'll be there at 6 p.m. today.", "Ok?"]
        );
        assert_eq!(
            texts("Wait... what?! See example.com/a.b"),
            ["Wait.", "what?", "See example.com/a.b"]
        );
        assert_eq!(texts("Bis zum 3. Juni. Danke"), ["Bis zum 3. Juni.", "Danke"]);
        assert_eq!(texts("> I'll pay\nok"), ["ok"]);
        assert_eq!(texts("...  !!"), [""; 0]);
    }

    #[test]
    fn quoted_words_are_nobodys() {
        let found = sentences("She said \"I’ll call. Soon\" and left");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].words, ["she", "said", "and", "left"]);
        assert_eq!(sentences("a 15\" screen I'll fix")[0].words.len(), 5);
    }
}
