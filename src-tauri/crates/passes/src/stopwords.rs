//! The small words of languages: those that say in which language a text is, and nothing about its topic.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;

/// The lists, written for this program: the closed classes of a language (articles, pronouns, prepositions,
/// conjunctions, auxiliaries) and what fills its chats. Lower case, separated by white space.
const LISTS: [(&str, &str); 15] = [
    (CHAT, include_str!("../data/stopwords/chat.txt")),
    ("da", include_str!("../data/stopwords/da.txt")),
    ("de", include_str!("../data/stopwords/de.txt")),
    ("en", include_str!("../data/stopwords/en.txt")),
    ("es", include_str!("../data/stopwords/es.txt")),
    ("fr", include_str!("../data/stopwords/fr.txt")),
    ("id", include_str!("../data/stopwords/id.txt")),
    ("it", include_str!("../data/stopwords/it.txt")),
    ("nb", include_str!("../data/stopwords/nb.txt")),
    ("nl", include_str!("../data/stopwords/nl.txt")),
    ("pl", include_str!("../data/stopwords/pl.txt")),
    ("pt", include_str!("../data/stopwords/pt.txt")),
    ("ru", include_str!("../data/stopwords/ru.txt")),
    ("sv", include_str!("../data/stopwords/sv.txt")),
    ("tr", include_str!("../data/stopwords/tr.txt")),
];

/// The list of what is said in all chats, such as "ok" and "haha". It says nothing about a language.
const CHAT: &str = "";

/// A set of lists, a bit each.
type Set = u16;

static WORDS: LazyLock<HashMap<&'static str, Set, FixedState>> = LazyLock::new(|| {
    let mut words = HashMap::<_, Set, _>::with_hasher(FixedState::default());
    for (bit, (_, list)) in LISTS.iter().enumerate() {
        for word in list.split_whitespace() {
            *words.entry(word).or_default() |= 1 << bit;
        }
    }
    words
});

/// Which lists a text is tested against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopWords(Set);

impl StopWords {
    /// Those of a language and of chats; of all languages where it is not known, or has no list.
    pub(crate) fn of(language: Option<&str>) -> Self {
        let wanted = |list: &str| list == CHAT || Some(list) == language;
        let known = LISTS.iter().any(|(list, _)| *list != CHAT && wanted(list));
        let sets = LISTS.iter().enumerate();
        let chosen = sets.filter(|(_, (list, _))| !known || wanted(list));
        StopWords(chosen.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// Whether a word in lower case is one of them.
    pub(crate) fn contain(self, word: &str) -> bool {
        WORDS.get(word).is_some_and(|set| set & self.0 != 0)
    }
}

/// Whether a language has a list.
pub(crate) fn has_list(language: &str) -> bool {
    language != CHAT && LISTS.iter().any(|(list, _)| *list == language)
}

/// The small words of a text, and what they say of its language.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    /// For each word that is not of all chats, the languages in whose lists it is.
    words: Vec<Set>,
}

/// What small words say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Testimony {
    /// The language most of them are of; the first by code of two with as many.
    pub(crate) language: &'static str,
    /// How many of them there are.
    pub(crate) hits: usize,
    /// Of all words, how many are such: 0 to 1.
    pub(crate) share: f64,
    /// How clearly it is no other language: 1 if no small word is of another and not of this, 0 if there are as many.
    pub(crate) margin: f64,
}

impl Witness {
    /// Hears a word in lower case.
    pub(crate) fn hear(&mut self, word: &str) {
        let set = WORDS.get(word).copied().unwrap_or(0);
        if set & 1 == 0 {
            self.words.push(set);
        }
    }

    pub(crate) fn says(&self) -> Testimony {
        let count = |of: Set, not: Set| {
            self.words
                .iter()
                .filter(|set| **set & of != 0 && **set & not == 0)
                .count()
        };
        let languages = LISTS.iter().enumerate().skip(1);
        let mut ranked: Vec<_> = languages
            .map(|(bit, (code, _))| (count(1 << bit, 0), 1 << bit, *code))
            .collect();
        ranked.sort_by_key(|(hits, _, _)| std::cmp::Reverse(*hits));
        let (hits, best, language) = ranked[0];
        let rival = ranked[1..].iter().map(|(_, other, _)| count(*other, best)).max();
        Testimony {
            language,
            hits,
            share: hits as f64 / self.words.len().max(1) as f64,
            margin: 1.0 - rival.unwrap_or(0) as f64 / hits.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_brings_its_own_words_and_those_of_chats() {
        assert!(StopWords::of(Some("de")).contain("die"));
        assert!(StopWords::of(Some("de")).contain("lol"));
        assert!(
            !StopWords::of(Some("en")).contain("die"),
            "English has it as a verb"
        );
        assert!(StopWords::of(None).contain("die"));
        assert!(StopWords::of(Some("fi")).contain("lol"));
    }

    #[test]
    fn lists_are_lower_case_and_fit_into_a_set() {
        const { assert!(LISTS.len() <= Set::BITS as usize) };
        for (language, list) in LISTS {
            for word in list.split_whitespace() {
                assert_eq!(word, word.to_lowercase(), "{language}");
            }
        }
    }
}
