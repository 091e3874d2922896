//! The words VADER knows. Read from the data once, when the first text is scored: some 8,000 entries, half a MiB.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

/// What is known of a word in lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Word {
    /// Its rating from -4 to 4, if it has one.
    pub(super) rating: Option<f64>,
    /// How much it strengthens what follows; negative if it weakens, 0 if neither.
    pub(super) boost: f64,
    /// Whether it negates what follows.
    pub(super) negates: bool,
}

type Map<K, V> = HashMap<K, V, FixedState>;

static WORDS: LazyLock<Map<&str, Word>> = LazyLock::new(|| {
    let mut words = Map::<&str, Word>::default();
    for (word, rating) in numbers(include_str!("../../data/vader/lexicon.tsv")) {
        words.entry(word).or_default().rating = Some(rating);
    }
    for (word, boost) in numbers(include_str!("../../data/vader/boosters.tsv")) {
        words.entry(word).or_default().boost = boost;
    }
    for word in include_str!("../../data/vader/negations.tsv").lines() {
        words.entry(word).or_default().negates = true;
    }
    words
});

static IDIOMS: LazyLock<Map<&str, f64>> =
    LazyLock::new(|| numbers(include_str!("../../data/vader/idioms.tsv")).collect());

static EMOJI: LazyLock<Map<char, &str>> = LazyLock::new(|| {
    let lines = include_str!("../../data/vader/emoji.tsv").lines();
    let pairs = lines.filter_map(|line| line.split_once('\t'));
    pairs
        .filter_map(|(sign, words)| Some((sign.chars().next()?, words)))
        .collect()
});

/// What is known of a word in lower case.
pub(super) fn word(word: &str) -> Word {
    let mut known = WORDS.get(word).copied().unwrap_or_default();
    known.negates |= word.contains("n't");
    known
}

/// The strength of a phrase that strengthens or weakens, such as "kind of".
pub(super) fn boost_of_phrase(phrase: &str) -> Option<f64> {
    WORDS
        .get(phrase)
        .map(|word| word.boost)
        .filter(|boost| *boost != 0.0)
}

/// The rating of a phrase that means something else than its words.
pub(super) fn idiom(phrase: &str) -> Option<f64> {
    IDIOMS.get(phrase).copied()
}

/// An emoji in words.
pub(super) fn emoji(sign: char) -> Option<&'static str> {
    if sign.is_ascii() {
        return None;
    }
    EMOJI.get(&sign).copied()
}

fn numbers(table: &'static str) -> impl Iterator<Item = (&'static str, f64)> {
    let cells = table.lines().filter_map(|line| line.rsplit_once('\t'));
    cells.filter_map(|(text, number)| Some((text, number.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_read() {
        assert_eq!(WORDS.values().filter(|word| word.rating.is_some()).count(), 7_492);
        assert_eq!(WORDS.values().filter(|word| word.boost != 0.0).count(), 84);
        assert_eq!(WORDS.values().filter(|word| word.negates).count(), 59);
        assert_eq!((IDIOMS.len(), EMOJI.len()), (9, 1_212));
    }
}
