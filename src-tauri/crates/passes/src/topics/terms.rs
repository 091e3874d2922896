//! From a text to its terms: words and two-word phrases.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::stopwords::StopWords;
use crate::text::{is_laughter, prose};

/// A longer word is no word: a key, a file name, a scream.
const WORD_CHARS_MAX: usize = 40;

/// A term found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term<'a> {
    /// A word; of scripts without spaces two neighbouring characters, which stand for a word well enough to count.
    Word(&'a str),
    /// Two words with a space or a hyphen between them.
    Phrase(&'a str, &'a str),
}

/// Calls `found` with each term of a text, in lower case and compatibility form (NFKC), without stop words, numbers,
/// laughter, emoji, addresses and mentions.
///
/// Words are those of Unicode's rules (UAX #29). Chinese and Japanese characters and Korean syllables are taken in
/// pairs, Katakana as whole words. Thai, Lao, Khmer and Burmese are not cut into words.
pub(crate) fn each_term(text: &str, stop: StopWords, mut found: impl FnMut(Term<'_>)) {
    let text = lowered(&prose(text));
    let mut before: Option<Neighbour<'_>> = None;
    for (start, word) in text.unicode_word_indices() {
        let end = start + word.len();
        let here = Neighbour { word, end };
        let first = word.chars().next().unwrap_or_default();
        before = if is_syllabic(first) {
            let glued = before.filter(|before| before.end == start);
            pairs(&text, glued, start, word, &mut found);
            Some(here)
        } else if is_katakana(first) {
            if word.chars().nth(1).is_some() {
                found(Term::Word(word));
            }
            None
        } else if let Some(word) = content(word, stop) {
            found(Term::Word(&word));
            let linked = before.filter(|before| matches!(&text[before.end..start], " " | "-"));
            if let Some(first) = linked.and_then(|before| content(before.word, stop)) {
                found(Term::Phrase(&first, &word));
            }
            Some(here)
        } else {
            None
        };
    }
}

/// The word before.
#[derive(Clone, Copy)]
struct Neighbour<'a> {
    word: &'a str,
    end: usize,
}

/// Lower case, compatibility form, and one kind of apostrophe.
fn lowered(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = |c: char| {
        if c == '’' {
            '\''.to_lowercase()
        } else {
            c.to_lowercase()
        }
    };
    match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => text.chars().flat_map(lower).collect(),
        IsNormalized::No | IsNormalized::Maybe => text.nfkc().flat_map(lower).collect(),
    }
}

/// The word to count; none for what says nothing.
fn content(word: &str, stop: StopWords) -> Option<Cow<'_, str>> {
    if stop.contain(word) || !word.chars().any(char::is_alphabetic) || word.contains(is_jamo) {
        return None;
    }
    let stem = word.strip_suffix("'s").unwrap_or(word);
    let word = match squeezed(stem, 2) {
        // "sooo" is a stop word, too.
        Some(short) if squeezed(stem, 1).is_some_and(|one| stop.contain(&one)) || stop.contain(&short) => {
            return None;
        }
        Some(short) => Cow::Owned(short),
        None if stop.contain(stem) => return None,
        None => Cow::Borrowed(stem),
    };
    let length = word.chars().take(WORD_CHARS_MAX + 1).count();
    ((2..=WORD_CHARS_MAX).contains(&length) && !is_laughter(&word)).then_some(word)
}

/// The word with at most `keep` of each letter in a row; none if no letter comes three times in a row. Digits stay.
fn squeezed(word: &str, keep: usize) -> Option<String> {
    let (mut last, mut run) = (None, 0);
    let mut stretched = false;
    let mut short = String::with_capacity(word.len());
    for c in word.chars() {
        run = if last == Some(c) && c.is_alphabetic() {
            run + 1
        } else {
            1
        };
        last = Some(c);
        stretched |= run >= 3;
        if run <= keep {
            short.push(c);
        }
    }
    stretched.then_some(short)
}

/// Pairs of neighbouring characters within a word, and of its first with the last of the word it is glued to: Unicode's
/// rules make each Han character and each Hiragana a word of its own, and a run of Hangul one word.
fn pairs(
    text: &str,
    glued: Option<Neighbour<'_>>,
    start: usize,
    word: &str,
    found: &mut impl FnMut(Term<'_>),
) {
    let from = glued.and_then(|before| before.word.chars().next_back());
    let from = from
        .filter(|c| is_syllabic(*c))
        .map_or(start, |c| start - c.len_utf8());
    let run = &text[from..start + word.len()];
    let seconds = run.char_indices().skip(1);
    for ((at, first), (next, second)) in run.char_indices().zip(seconds) {
        let grammar = is_hiragana(first) && is_hiragana(second);
        if is_syllabic(first) && is_syllabic(second) && !grammar {
            found(Term::Word(&run[at..next + second.len_utf8()]));
        }
    }
}

/// Characters that are taken in pairs: Han, Hiragana, Hangul syllables.
fn is_syllabic(c: char) -> bool {
    is_hiragana(c)
        || matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}')
        || matches!(c, '\u{20000}'..='\u{323AF}' | '\u{AC00}'..='\u{D7A3}' | '々')
}

/// A pair of these is an ending or a particle.
fn is_hiragana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}')
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30A1}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}')
}

/// Korean letters outside of syllables, as in laughter.
fn is_jamo(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: &str, text: &str, want: &[&str]) {
        let mut terms = Vec::new();
        each_term(text, StopWords::of(Some(language)), |term| {
            terms.push(match term {
                Term::Word(word) => word.to_owned(),
                Term::Phrase(first, second) => format!("{first} {second}"),
            });
        });
        assert_eq!(terms, want, "{text}");
    }

    #[test]
    fn stop_words_numbers_and_laughter_are_no_terms() {
        check("en", "I'll be there at 17:30 haha, sooo late 😂 🎉", &["late"]);
        check(
            "en",
            "it’s Anna’s birthday on 5.3.",
            &["anna", "birthday", "anna birthday"],
        );
    }

    #[test]
    fn a_phrase_is_two_neighbours_within_a_clause() {
        check("en", "Surprise party", &["surprise", "party", "surprise party"]);
        check("en", "surprise, party", &["surprise", "party"]);
        check("en", "surprise at the party", &["surprise", "party"]);
        check(
            "en",
            "surprise https://example.org/x party",
            &["surprise", "party"],
        );
        check("en", "ice-cream", &["ice", "cream", "ice cream"]);
    }

    #[test]
    fn words_are_normalised() {
        check(
            "de",
            "Ｓｔraße STRASSE ﬁx",
            &["straße", "strasse", "straße strasse", "fix", "strasse fix"],
        );
        check(
            "en",
            "GREEEEN greeen 1000km",
            &["green", "green", "green green", "1000km", "green 1000km"],
        );
        check("de", "die Wände", &["wände"]);
        check("en", "they die", &["die"]);
    }

    #[test]
    fn scripts_without_spaces_are_taken_in_pairs() {
        check(
            "zh",
            "我们去火锅店吧",
            &["我们", "们去", "去火", "火锅", "锅店", "店吧"],
        );
        check("ja", "カレーが食べたい", &["カレー", "が食", "食べ"]);
        check("ko", "저녁 먹자", &["저녁", "먹자"]);
        check("ko", "ㅋㅋㅋㅋ ㅠㅠ", &[]);
        check("zh", "火，锅", &[]);
    }

    #[test]
    fn what_is_too_long_is_no_word() {
        check("en", &"abcdefghi".repeat(5), &[]);
    }
}
