//! VADER: how positive or negative an English text is, by a lexicon and a few rules.
//!
//! C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
//! ICWSM-14, 2014. Agrees with the Python package `vaderSentiment` 3.3.2 in every decimal, in its peculiarities too:
//! people compare numbers. Where a rule below looks odd, the reference does the same.

use std::borrow::Cow;

use super::lexicon::{self, Word};

/// What capitals add where not all is written in them.
const CAPITALS: f64 = 0.733;

/// What is left of a rating after a negation: its opposite, a little weaker.
const NEGATION: f64 = -0.74;

/// How much of a modifier counts one, two and three words before.
const DISTANCE: [f64; 3] = [1.0, 0.95, 0.9];

/// Brings a sum of ratings into the range from -1 to 1: about the greatest sum to be expected.
const ALPHA: f64 = 15.0;

/// How a text is felt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scores {
    /// The sum of all ratings, from -1 to 1; four decimals.
    pub(crate) compound: f64,
    /// The shares of the text that are positive, neutral and negative, together 1; three decimals.
    pub(crate) positive: f64,
    pub(crate) neutral: f64,
    pub(crate) negative: f64,
}

/// Scores a text. One without words has 0 for everything. Takes time in the square of the number of words behind a
/// "but": bound the text.
pub(crate) fn scores(text: &str) -> Scores {
    let text = emoji_in_words(text);
    let words = Words::of(&text);
    let mut ratings: Vec<f64> = (0..words.len()).map(|i| rating(&words, i)).collect();
    weigh_around_but(&words, &mut ratings);
    sum_up(&ratings, emphasis(&text))
}

/// The text with its emoji described, each description a word of its own.
fn emoji_in_words(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| lexicon::emoji(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut described = String::with_capacity(text.len() * 2);
    let mut after_space = true;
    for c in text.chars() {
        if let Some(words) = lexicon::emoji(c) {
            if !after_space {
                described.push(' ');
            }
            described.push_str(words);
            after_space = false;
        } else {
            described.push(c);
            after_space = c == ' ';
        }
    }
    Cow::Owned(described)
}

/// A text's words.
struct Words {
    words: Vec<(String, Word, bool)>,
    /// Whether some words are in capitals and some are not: only then do capitals mean something.
    capitals_differ: bool,
}

impl Words {
    fn of(text: &str) -> Self {
        let pieces = text.split(is_space).filter(|piece| !piece.is_empty());
        let words: Vec<_> = pieces
            .map(|piece| {
                let bare = without_punctuation(piece);
                let lower = bare.to_lowercase();
                let known = lexicon::word(&lower);
                (lower, known, is_in_capitals(bare))
            })
            .collect();
        let capitals = words.iter().filter(|(_, _, capitals)| *capitals).count();
        Words {
            capitals_differ: capitals > 0 && capitals < words.len(),
            words,
        }
    }

    fn len(&self) -> usize {
        self.words.len()
    }

    /// The word in lower case.
    fn text(&self, i: usize) -> &str {
        &self.words[i].0
    }

    fn known(&self, i: usize) -> Word {
        self.words[i].1
    }

    /// Whether the word is shouted.
    fn stressed(&self, i: usize) -> bool {
        self.words[i].2 && self.capitals_differ
    }

    /// The words from one place to another, both included, joined by spaces.
    fn phrase(&self, from: usize, to: usize) -> String {
        let words: Vec<&str> = (from..=to).map(|i| self.text(i)).collect();
        words.join(" ")
    }
}

/// White space as Python's `str.split` has it: Unicode's, and four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// The piece without punctuation around it; the whole piece if little else is left, as of an emoticon.
fn without_punctuation(piece: &str) -> &str {
    let bare = piece.trim_matches(|c: char| c.is_ascii_punctuation());
    if bare.chars().nth(2).is_some() {
        bare
    } else {
        piece
    }
}

/// Whether there is a capital letter and no small one.
fn is_in_capitals(word: &str) -> bool {
    // Title case, as in "ǅ", is neither: such a letter has another lower case than itself.
    let title = |c: char| !c.is_ascii() && !c.is_uppercase() && c.to_lowercase().ne(std::iter::once(c));
    word.contains(char::is_uppercase) && !word.contains(|c: char| c.is_lowercase() || title(c))
}

/// The rating of a word where it stands.
fn rating(words: &Words, i: usize) -> f64 {
    let word = words.known(i);
    let softens = words.text(i) == "kind" && i + 1 < words.len() && words.text(i + 1) == "of";
    let Some(plain) = word.rating.filter(|_| word.boost == 0.0 && !softens) else {
        return 0.0;
    };
    let mut rating = if denied_by_no(words, i) {
        plain * NEGATION
    } else if words.text(i) == "no" && i + 1 < words.len() && words.known(i + 1).rating.is_some() {
        // It negates the next word instead of being one.
        0.0
    } else {
        plain
    };
    if words.stressed(i) {
        rating += if rating > 0.0 { CAPITALS } else { -CAPITALS };
    }
    for back in 1..=i.min(3) {
        if words.known(i - back).rating.is_some() {
            continue;
        }
        rating += boost(words, i - back, rating) * DISTANCE[back - 1];
        rating = negated(words, i, back, rating);
        if back == 3 {
            rating = idioms(words, i, rating);
        }
    }
    if is_least(words, i) {
        rating * NEGATION
    } else {
        rating
    }
}

/// "no good", "no very good", "no good nor bad".
fn denied_by_no(words: &Words, i: usize) -> bool {
    let is_no = |back: usize| i >= back && words.text(i - back) == "no";
    is_no(1) || is_no(2) || is_no(3) && matches!(words.text(i - 1), "or" | "nor")
}

/// What a word before one of that rating adds to it.
fn boost(words: &Words, i: usize, rating: f64) -> f64 {
    let boost = words.known(i).boost;
    if boost == 0.0 {
        return 0.0;
    }
    let away_from_zero = if rating < 0.0 { -boost } else { boost };
    match words.stressed(i) {
        true if rating > 0.0 => away_from_zero + CAPITALS,
        true => away_from_zero - CAPITALS,
        false => away_from_zero,
    }
}

/// The rating after a negation `back` words before it. "never so good" is praise, "without doubt" denies nothing.
fn negated(words: &Words, i: usize, back: usize, rating: f64) -> f64 {
    let text = |back: usize| words.text(i - back);
    let is_so = |back: usize| matches!(text(back), "so" | "this");
    let praise = match back {
        2 => text(2) == "never" && is_so(1),
        // The reference binds "and" before "or": "so" and "this" right before the word need no "never".
        3 => text(3) == "never" && is_so(2) || is_so(1),
        _ => false,
    };
    let doubt = (1..back).any(|nearer| text(nearer) == "doubt");
    if praise {
        rating * 1.25
    } else if back > 1 && text(back) == "without" && doubt || !words.known(i - back).negates {
        rating
    } else {
        rating * NEGATION
    }
}

/// The rating where the word is part of a phrase that means something else, or follows one such as "sort of". Only
/// looked for behind three words.
fn idioms(words: &Words, i: usize, rating: f64) -> f64 {
    let before = [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2)];
    let mut phrases = before.iter().map(|(from, to)| words.phrase(i - from, i - to));
    let mut rating = phrases
        .find_map(|phrase| lexicon::idiom(&phrase))
        .unwrap_or(rating);
    for last in [i + 1, i + 2] {
        if last < words.len() {
            rating = lexicon::idiom(&words.phrase(i, last)).unwrap_or(rating);
        }
    }
    let softened = [(3, 1), (3, 2), (2, 1)]
        .iter()
        .map(|(from, to)| words.phrase(i - from, i - to));
    softened
        .filter_map(|phrase| lexicon::boost_of_phrase(&phrase))
        .fold(rating, |rating, boost| rating + boost)
}

/// Whether "least" stands before the word and not in "at least" or "very least".
fn is_least(words: &Words, i: usize) -> bool {
    i > 0 && words.text(i - 1) == "least" && (i == 1 || !matches!(words.text(i - 2), "at" | "very"))
}

/// What stands before the first "but" counts half, what stands behind it half as much again.
///
/// The reference looks each rating up by its value, and changes the first that has it: an equal one before is changed
/// again in its place, and this one is not.
fn weigh_around_but(words: &Words, ratings: &mut [f64]) {
    let Some(but) = (0..words.len()).find(|i| words.text(*i) == "but") else {
        return;
    };
    for i in 0..ratings.len() {
        let first = ratings
            .iter()
            .position(|rating| *rating == ratings[i])
            .unwrap_or(i);
        match first.cmp(&but) {
            std::cmp::Ordering::Less => ratings[first] *= 0.5,
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => ratings[first] *= 1.5,
        }
    }
}

/// What up to four exclamation marks and several question marks add.
fn emphasis(text: &str) -> f64 {
    let count = |mark: u8| memchr::memchr_iter(mark, text.as_bytes()).count();
    let exclamation = count(b'!').min(4) as f64 * 0.292;
    let question = match count(b'?') {
        0 | 1 => 0.0,
        few @ 2..=3 => few as f64 * 0.18,
        _ => 0.96,
    };
    exclamation + question
}

fn sum_up(ratings: &[f64], emphasis: f64) -> Scores {
    let mut sum: f64 = ratings.iter().sum();
    // A neutral word counts 1, and so every other a point more than its rating.
    let mut positive: f64 = ratings.iter().filter(|r| **r > 0.0).map(|r| r + 1.0).sum();
    let mut negative: f64 = ratings.iter().filter(|r| **r < 0.0).map(|r| r - 1.0).sum();
    let neutral = ratings.iter().filter(|r| **r == 0.0).count() as f64;
    if sum > 0.0 {
        sum += emphasis;
    } else if sum < 0.0 {
        sum -= emphasis;
    }
    if positive > -negative {
        positive += emphasis;
    } else if positive < -negative {
        negative -= emphasis;
    }
    let total = positive - negative + neutral;
    let share = |part: f64| {
        if total == 0.0 {
            0.0
        } else {
            rounded::<3>((part / total).abs())
        }
    };
    Scores {
        compound: rounded::<4>((sum / (sum * sum + ALPHA).sqrt()).clamp(-1.0, 1.0)),
        positive: share(positive),
        neutral: share(neutral),
        negative: share(negative),
    }
}

/// A number up to 1 to so many decimals, as they would be written: of the exact binary value, so that no multiplication
/// before can tip it over.
fn rounded<const DECIMALS: usize>(number: f64) -> f64 {
    /// How near to the middle between two decimals only the exact value tells which is nearer: far more than what is lost
    /// by one multiplication of a number up to ten thousand, 1e-12.
    const NEAR_MIDDLE: f64 = 1e-9;
    let unit = 10_f64.powi(DECIMALS as i32);
    let scaled = number * unit;
    if (scaled.fract().abs() - 0.5).abs() < NEAR_MIDDLE {
        return written::<DECIMALS>(number);
    }
    // Of two whole numbers the division is as near as what is read of the decimals. `+ 0.0` makes a zero of a negative one.
    scaled.round() / unit + 0.0
}

fn written<const DECIMALS: usize>(number: f64) -> f64 {
    format!("{number:.DECIMALS$}").parse().unwrap_or(number) + 0.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn numbers_are_rounded_as_they_are_written() {
        // Each middle between two decimals, what lies next to it, and what lies between.
        for step in -20_000..=20_000_i32 {
            let middle = f64::from(step) / 20_000.0;
            for number in [
                middle,
                middle.next_up(),
                middle.next_down(),
                middle + 1e-13,
                middle - 1e-13,
                middle + 1.7e-5,
            ] {
                let bits = |number: f64| (number, number.to_bits());
                assert_eq!(
                    bits(rounded::<4>(number)),
                    bits(written::<4>(number)),
                    "{number:e}"
                );
                assert_eq!(
                    bits(rounded::<3>(number)),
                    bits(written::<3>(number)),
                    "{number:e}"
                );
            }
        }
    }

    #[derive(Debug, Deserialize)]
    struct Reference {
        text: String,
        compound: f64,
        pos: f64,
        neu: f64,
        neg: f64,
    }

    /// Written by `tests/vader/make_reference.py`.
    const REFERENCE: &str = include_str!("../../tests/vader/reference.jsonl");

    #[test]
    fn a_thousand_sentences_agree_with_the_reference_in_every_decimal() {
        let mut compared = 0;
        for line in REFERENCE.lines() {
            let want: Reference = serde_json::from_str(line).expect("a line of the reference");
            let found = scores(&want.text);
            let (found, wanted) = (
                [found.compound, found.positive, found.neutral, found.negative],
                [want.compound, want.pos, want.neu, want.neg],
            );
            assert_eq!(found, wanted, "{:?}", want.text);
            compared += 1;
        }
        assert_eq!(compared, 1_000);
    }

    #[test]
    fn rules_pull_the_way_they_should() {
        let compound = |text: &str| scores(text).compound;
        assert!(compound("the food is good") < compound("the food is very good"));
        assert!(compound("the food is good") < compound("the food is GOOD"));
        assert!(compound("the food is good") < compound("the food is good!!"));
        assert!(compound("the food is not good") < 0.0);
        assert!(compound("the food is kind of good") < compound("the food is good"));
        assert!(compound("good food, but terrible people") < 0.0);
        assert!(compound("see you 😍") > 0.0);
        assert_eq!(compound("the table is here"), 0.0);
        assert_eq!(scores("").neutral, 0.0);
    }
}
